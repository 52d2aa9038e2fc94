"""The exchange rate is Magento's, or shown by its totals, or not known; never silently 1."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.connector.magento.test_record import parsed

CHF = {"order_currency_code": "CHF", "base_currency_code": "EUR"}


@pytest.mark.parametrize("rate", [0, None, "", "0.0000"])
@pytest.mark.parametrize(
    ("totals", "made"),
    [
        ({"base_grand_total": "20.00"}, Decimal("0.5")),
        ({"base_grand_total": 0, "subtotal": 8, "base_subtotal": 16}, Decimal("0.5")),
        ({}, None),
    ],
)
def test_a_rate_that_was_not_sent_is_taken_from_the_totals_or_is_not_known(
    rate: Any, totals: dict[str, Any], made: Decimal | None
) -> None:
    assert parsed(base_to_order_rate=rate, **CHF, **totals).exchange_rate == made


def test_a_rate_that_was_sent_holds_and_the_same_currency_has_none_but_one() -> None:
    assert parsed(base_to_order_rate="0.9400", base_grand_total="20.00", **CHF).exchange_rate == Decimal("0.94")
    assert repr(parsed(base_to_order_rate=0).exchange_rate) == "Decimal('1')"
