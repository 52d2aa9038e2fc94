"""What is sent to the shop, held against Magento's own description."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from connector.records import OrderKind
from tests.connector.magento.acts import (
    MOMENT,
    child,
    known,
    package,
    place,
    record,
    some,
    write,
)
from tests.connector.magento.conftest import ROOT, Shop
from tests.contracts import _check_magento, violations


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[tuple[Shop, Path]]:
    file = tmp_path / "requests.jsonl"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--only", "magento", "--orders", "5"]
    with subprocess.Popen([*command, "--record", str(file)], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.match(r"magento (\S+)", line):
                url = found[1]
            if line.startswith("ready"):
                break
        try:
            yield Shop(url), file
        finally:
            process.terminate()


def test_every_call_is_one_that_magento_describes(recorded: tuple[Shop, Path]) -> None:
    shop, file = recorded
    order, other = place(shop, ("BECHER-W", 3), ("KAF-1000", 1)), place(shop)
    what = known(order["entity_id"])
    cup = f"9{order['items'][0]['item_id']}"
    given = {"create_invoice": True, "create_shipment": True, "create_credit_memo": True, "return_to_stock": True}
    given |= {"source_mapping": {"104": "nord"}, "status_mapping": {"5": "packed"}}
    given |= {"hold_order": True, "hold_statuses": [3], "unhold_order": True, "unhold_statuses": [5]}
    given |= {"cancel_order": True, "cancel_statuses": [8], "incomplete_detection_enabled": True}
    one, two = package("1", "JD1", (cup, 2)), package("2")
    write(shop, record(order, status="3"), what, **given)
    write(shop, record(order, fulfilment={"packages": (one,), "warehouse": "104"}), what, **given)
    write(shop, record(order, fulfilment={"packages": (one, two), "shipped_at": MOMENT}), what, **given)
    late = {"packages": (one, package("2", "JD2")), "shipped_at": MOMENT}
    write(shop, record(order, fulfilment=late), what, **given)
    sale = record(order)
    memo = child(sale, OrderKind.CREDIT, "700009", some(sale.lines[0], 1), total="9.00")
    doubtful = known(order["entity_id"])
    doubtful.doubt, doubtful.doubt_age = True, 100.0
    write(shop, memo, doubtful, **given)
    write(shop, child(sale, OrderKind.CREDIT, "700010", total=Decimal("1.50")), known(order["entity_id"]), **given)
    write(shop, record(other, status="8"), known(other["entity_id"]), **given)
    carts = [one for one in violations(file) if "/carts/" not in one]  # not in the subset
    assert carts == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"item": []}, "field body.item is unknown"),
        ({"items": [{"qty": 1}]}, "required field body.items[].order_item_id is missing"),
        ({"notify": "yes"}, "field body.notify should be boolean, got 'yes'"),
        ({"tracks": [{"track_number": 1, "title": "x", "carrier_code": "y"}]}, "should be string, got 1"),
        ({"comment": {"comment": "x", "is_visible_on_front": True}}, "should be integer, got True"),
    ],
)
def test_a_wrong_body_would_be_seen(body: object, said: str) -> None:
    assert said in "; ".join(_check_magento("POST", "/rest/all/V1/order/5/ship", [], body))
