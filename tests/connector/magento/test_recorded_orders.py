"""Orders as shops really sent them: shipped, invoiced and refunded in two parts, to the cent."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest
import requests

from connector.magento import adjusting
from connector.magento.placed import Placed
from connector.records import OrderKind, cents
from tests.conftest import shared
from tests.connector.magento.acts import MOMENT, Json, child, heads, known, look, made, record, some, state, write
from tests.connector.magento.conftest import ROOT, Shop


@pytest.fixture(scope="module")
def recorded() -> Iterator[Shop]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--only", "magento"]
    folder = str(shared() / "fixtures/magento")
    with subprocess.Popen([*command, "--orders-from", folder], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.match(r"magento (\S+)", line):
                url = found[1]
            if line.startswith("ready"):
                break
        try:
            yield Shop(url)
        finally:
            process.terminate()


def orders(shop: Shop) -> Iterator[Json]:
    for row in requests.post(f"{shop.url}/_sandbox/control/orders", json={}, timeout=30).json():
        order = look(shop, row["entity_id"])
        if order.get("grand_total") and order.get("order_currency_code") and "payment" in order:
            yield order


def test_what_is_open_is_shipped_and_invoiced_once(recorded: Shop) -> None:
    treated = 0
    for order in orders(recorded):
        if order.get("state") not in ("new", "processing"):
            continue
        placed = Placed(order)
        if not (placed.to_ship or placed.to_invoice):
            continue
        one, what = record(order, fulfilment={"shipped_at": MOMENT}), known(order["entity_id"])
        for _ in range(2):
            write(recorded, one, what, create_invoice=True, create_shipment=True)
        now = look(recorded, order["entity_id"])
        assert now["state"] == "complete", order["increment_id"]
        assert cents(Decimal(now["total_invoiced"])) == cents(Decimal(order["grand_total"])), order["increment_id"]
        treated += 1
    assert treated > 1
    assert not any(state(recorded)["duplicates"].values())


def test_what_is_paid_is_refunded_in_two_parts(recorded: Shop) -> None:
    given = {"create_credit_memo": True}
    treated = 0
    for order in orders(recorded):
        left = Decimal(order.get("total_paid") or 0) - Decimal(order.get("total_refunded") or 0)
        placed = Placed(order)
        if order.get("state") not in ("processing", "complete") or left <= 0 or adjusting.credited(placed):
            continue
        back = [head for head in placed.heads if head.to_refund > 0]
        if not back or left != Decimal(order["grand_total"]):
            continue
        if order["order_currency_code"] != order["base_currency_code"]:
            continue  # an adjustment is given in the base currency
        recorded.control("configure", refuse_offline_refund=False)
        rows = {line.external: line for line in record(order).lines}
        first = some(rows[back[0].id], 1)
        piece = adjusting.goods(placed, {back[0].id: Decimal(1)})[adjusting.USUAL]
        sale = record(order)
        write(recorded, child(sale, OrderKind.CREDIT, "1", first, total=piece), known(order["entity_id"]), **given)
        rest = child(sale, OrderKind.CREDIT, "2", total=left - piece)
        if left > piece:
            write(recorded, rest, known(order["entity_id"]), **given)
        now = look(recorded, order["entity_id"])
        assert now["total_refunded"] == left, order["increment_id"]
        assert [item["qty_refunded"] for item in heads(now)] == [item["qty_invoiced"] for item in heads(now)]
        assert made(recorded, order["entity_id"])["creditmemos"] <= 3
        treated += 1
    assert treated > 2
    assert state(recorded)["unequal"] == []
