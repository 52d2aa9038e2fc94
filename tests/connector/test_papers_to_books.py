"""From one stand-in to the other: what a shop ships and gives back stands in the books, once and to the cent."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector import ConnectorError, InDoubt, Options, RecordFailed, RetryLater
from connector.magento.orders import Orders as ShopOrders
from connector.plentyone import PlentyOne
from connector.records import Order
from connector.testing import MemoryKnown
from tests.connector.magento.conftest import Shop as Magento
from tests.connector.plentyone.standin import Shop as Books
from tests.connector.plentyone.standin import StandIn

ROOT = Path(__file__).parents[2]
READ = Options({"page_size": 100, "initial_from": None, "status_filter": []})
ON: dict[str, Any] = {
    "create_credit_note": True,
    "credit_note_document": True,
    "create_invoice_document": True,
    "create_delivery_note": True,
    "create_shipment": True,
    "unknown_sku": "unassigned",
    "residual": "line",
}
COUNT = 60


@pytest.fixture(scope="module")
def shop_url() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox", "--only", "magento", "--port", "0", "--orders", str(COUNT)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.search(r"(http\S+)", line):
                url = found[1]
            if line.startswith("ready"):
                break
        yield url
        process.terminate()


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    made = StandIn(tmp_path_factory.mktemp("books"))
    made.reset()
    yield made
    made.stop()


class Export:
    """The export of one shop, without an engine: it reads, and writes each record until it is done."""

    def __init__(self, shop: Magento, books: StandIn) -> None:
        self.shop = shop
        self.target = Books(books.url)
        self.target.host.sleep = lambda seconds: None  # type: ignore[method-assign]
        self.source = shop.connector().resource("order")
        assert isinstance(self.source, ShopOrders)
        self.known: dict[str, MemoryKnown] = {}
        self.failed: dict[str, str] = {}

    def read(self, *kinds: str) -> list[Order]:
        self.source.asked = frozenset(kinds)
        found = [one for page in self.source.read(None, READ) for one in page.records if one.payload is not None]
        return [self.source.parse(one.payload) for one in found if one.payload is not None]

    def options(self, orders: list[Order], **given: Any) -> Options:
        return self.target.options(
            store_mapping={str(one.store): {"webstore": 12345} for one in orders},
            status_mapping={str(one.status): 5 for one in orders},
            payment_mapping={one.payment.method: {"method_id": 5000} for one in orders},
            **given,
        )

    def write(self, orders: list[Order], **given: Any) -> None:
        options = self.options(orders, **given)
        for one in orders:
            self.failed.pop(one.key, None)
            try:
                self._write(one, options)
            except ConnectorError as error:
                self.failed[one.key] = str(error)

    def _write(self, order: Order, options: Options) -> None:
        known = self.known.setdefault(order.key, self.target.known())
        for _ in range(60):
            try:
                self.target.orders.write(order, known, options)
                known = self.target.known(dict(known.refs), attempt=2)
                known.finished = True
                break
            except RetryLater as error:
                doubt = known.doubt or isinstance(error, InDoubt)
                again = self.target.known(dict(known.refs), doubt=doubt, attempt=2)
                again.finished, known = known.finished, again
                self.known[order.key] = known
                for row in self.target.links.rows.values():
                    row.doubt_age = 60.0
        else:
            raise RecordFailed(f"{order.number} was never written")
        self.known[order.key] = known


@pytest.fixture(scope="module")
def export(shop_url: str, books: StandIn) -> Iterator[Export]:
    shop = Magento(shop_url)
    shop.host.collect(shop.connector())
    made = Export(shop, books)
    made.write(made.read(), **ON)
    assert len(made.known) - len(made.failed) > COUNT * 0.7, made.failed
    yield made
    made.target.connector.close()
    assert books.violations() == []


def moved(export: Export, chance: random.Random, order: Order) -> None:
    """Ship and give back something of the order in the shop. What the shop refuses there is left as it is."""
    ask = export.source.client.ask
    raw = export.shop.control("order", entity_id=int(order.key))
    heads = [one for one in raw["items"] if not one.get("parent_item_id")]

    def some() -> list[dict[str, Any]]:
        return [{"order_item_id": one["item_id"], "qty": chance.randint(0, int(one["qty_ordered"]))} for one in heads]

    shipping = Decimal(str(raw.get("base_shipping_amount") or 0))
    for route, body in (
        ("invoice", {"capture": False}),
        ("ship", {"items": some(), "tracks": [
            {"track_number": f"T{order.key}-{n}", "title": "DHL", "carrier_code": "dhl"} for n in range(2)]}),
        ("refund", {"items": some(), "arguments": {"shipping_amount": 0, "adjustment_positive": 0.07}}),
        ("refund", {"items": [{**one, "qty": 0} for one in some()], "arguments": {
            "shipping_amount": float(shipping), "adjustment_positive": 0, "adjustment_negative": 0}}),
        ("refund", {"items": [{**one, "qty": 0} for one in some()], "arguments": {
            "shipping_amount": 0, "adjustment_positive": 0.33, "adjustment_negative": 0}}),
        ("refund", {"items": some(), "arguments": {"shipping_amount": 0, "adjustment_negative": 0.11}}),
    ):  # fmt: skip
        try:
            ask("POST", f"order/{order.key}/{route}", body=body)
        except RecordFailed:
            continue


def differences(export: Export, books: StandIn, orders: list[Order]) -> tuple[int, list[str]]:
    """How many credit notes there are, and which of them miss their memo's total."""
    by_id = {one["id"]: one for one in books.state()["orders"]}
    told, count = [], 0
    for order in orders:
        if order.key in export.failed:
            continue
        id = export.known[order.key].refs["id"]
        for memo in order.fulfilment.refunds:
            note = export.target.links.rows["credit note", f"{id}:{memo.key}"].id
            count += 1
            row = by_id[int(str(note))]
            total = Decimal(str(row["invoiceTotal"])).quantize(Decimal("0.01"))
            if (total, row["currency"]) != (memo.total, order.currency):
                told.append(f"{order.number}: {memo.total} {order.currency}, {total} {row['currency']}")
    return count, told


def test_every_credit_memo_stands_in_the_books_to_the_cent(export: Export, books: StandIn) -> None:
    chance = random.Random(7)
    for one in export.read():
        if one.key not in export.failed:
            moved(export, chance, one)
    orders = export.read("shipments", "refunds", "documents")
    export.write(orders, **ON)
    count, told = differences(export, books, orders)
    assert told == []
    assert count > 50
    unexpected = {key: said for key, said in export.failed.items() if "credit memo" in said and "by hand" not in said}
    assert unexpected == {}
    once(books)
    before = books.state()["counts"]
    export.write(orders, **ON)
    assert books.state()["counts"] == before


def test_lost_answers_on_the_way_double_nothing(export: Export, books: StandIn) -> None:
    chance = random.Random(11)
    export.shop.control("place", count=12, seed=3)
    fresh = [one for one in export.read() if one.key not in export.known]
    for one in fresh:
        moved(export, chance, one)
    orders = [
        one for one in export.read("shipments", "refunds", "documents") if one.key in {each.key for each in fresh}
    ]
    kinds = (
        {"kind": "drop_after"},
        {"kind": "drop_before"},
        {"kind": "error_after", "status": 500},
        {"kind": "truncated"},
    )
    books.faults(
        *(
            {"method": "write", "path": "/^.rest.(?!login)/", "rate": 0.05, "seed": n, **one}
            for n, one in enumerate(kinds)
        )
    )
    export.write(orders, **ON)
    books.faults()
    export.write(orders, **ON)
    _, told = differences(export, books, orders)
    assert told == []
    once(books)


def once(books: StandIn) -> None:
    found = books.state()["duplicates"]
    names = ("orders", "children", "packages", "documents", "payments", "order_relations", "contact_relations")
    assert {name: found[name] for name in names if found[name]} == {}


def test_the_connector_offers_what_the_settings_need() -> None:
    kinds = {one.kind for one in PlentyOne.catalogues}
    assert {"tag", "package_type"} <= kinds
