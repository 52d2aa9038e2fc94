"""What PlentyONE made of an order is compared with what was sent, before anything else happens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connector import RecordFailed
from connector.plentyone.existing import Sent, differences
from connector.plentyone.lines import Item, ItemType
from tests.connector.plentyone.records import order
from tests.connector.plentyone.standin import Shop, StandIn

ITEM = Item(type=ItemType.VARIATION, name="A", unit=Decimal("24.90"), rate=Decimal(19))
SENT = Sent([ITEM], Decimal("24.90"), "EUR")
EUR = {"currency": "EUR", "isSystemCurrency": True, "invoiceTotal": Decimal("24.9")}


def answer(**given: Any) -> dict[str, Any]:
    return {"id": 700001, "statusId": 5, "orderItems": [{"typeId": 1}], "amounts": [EUR], **given}


def test_what_agrees_passes() -> None:
    assert differences(SENT, answer()) == ([], None)
    assert differences(SENT, answer(amounts=[{**EUR, "invoiceTotal": "24.9000"}])) == ([], None)


def test_parts_that_plentyone_adds_to_a_bundle_do_not_disturb() -> None:
    assert differences(SENT, answer(orderItems=[{"typeId": 2}, {"typeId": "3"}, {"typeId": 3}])) == ([], None)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (answer(orderItems=[]), "1 items were sent, it has 0"),
        (answer(orderItems=[{"typeId": 3}]), "1 items were sent, it has 0"),
        (answer(amounts=[]), "no total in EUR"),
        (answer(amounts=[{**EUR, "currency": "USD"}]), "no total in EUR"),
        (answer(amounts=[{**EUR, "invoiceTotal": Decimal("24.91")}]), "24.91 EUR, the shop's is 24.90 EUR"),
    ],
)
def test_what_differs_is_told_with_both_numbers(made: dict[str, Any], said: str) -> None:
    told, _ = differences(SENT, made)
    assert said in " ".join(told)


def test_the_row_in_the_orders_currency_counts() -> None:
    system = {"currency": "EUR", "isSystemCurrency": True, "invoiceTotal": 5}
    foreign = {"currency": "PLN", "isSystemCurrency": False, "invoiceTotal": Decimal("24.90")}
    assert differences(Sent([ITEM], Decimal("24.90"), "PLN"), answer(amounts=[system, foreign])) == ([], None)


def test_an_order_that_came_out_incomplete_fails_and_is_remembered(plenty: StandIn, shop: Shop) -> None:
    """A real system answers 200 and status 1 when it could not use what it was sent."""
    real = shop.orders.client.transport

    def spoil(request: Any, timeout: Any) -> Any:
        if request.method == "POST" and request.url.endswith("/rest/orders"):
            request.body = request.body.replace(b'"orderItems"', b'"orderitems"')
            request.headers["Content-Length"] = str(len(request.body))
        return real(request, timeout)

    shop.orders.client.transport = spoil
    known = shop.known()
    with pytest.raises(RecordFailed, match=r"created in PlentyONE as 700001.*incomplete data.*2 items were sent"):
        shop.orders.write(order(), known, shop.options())
    assert known.refs["id"] == "700001"
    assert plenty.state()["counts"]["payments"] == 0
    plenty.record.unlink()  # the spoilt request is no violation of ours
    shop.orders.client.transport = real
    with pytest.raises(RecordFailed, match="no longer agree"):
        shop.orders.write(order(), shop.known(dict(known.refs), attempt=2), shop.options())
    assert plenty.state()["counts"]["orders"] == 1
