"""The engine's own memory of what followed an order: credit notes, packages and documents once, and none of them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector import RecordFailed
from connector.magento import Magento
from profiles import sync
from profiles.db import Database
from profiles.models import Profile
from tests.connector.magento.conftest import Shop
from tests.journey.conftest import Host, Makers, StandIns, once_each

ON = {
    "create_credit_note": True,
    "credit_note_document": True,
    "create_invoice_document": True,
    "create_delivery_note": True,
    "create_shipment": True,
    "tag_mapping": {"complete": {"tag": 1}},
}
BACK = {"create_invoice": True, "create_shipment": True, "create_credit_memo": True}
LOST = [
    {"kind": kind, "method": "write", "path": "/^.rest.(?!login)/", "rate": 0.07, "seed": n, "system": "plentyone"}
    for n, kind in enumerate(("drop_after", "drop_before", "truncated", "html_503"))
]
KINDS = ("orders", "children", "packages", "documents", "payments", "order_relations", "contact_relations")


class Way:
    """Export, and import where it is set up, in this process."""

    def __init__(self, stand_ins: StandIns, host: Host) -> None:
        self.stand_ins, self.host = stand_ins, host
        self.database = Database()
        self.shop: Magento = Shop(stand_ins.address["magento"]).connector()

    def run(self) -> list[sync.Result]:
        with self.database.reading() as session:
            profiles = [one.id for one in session.query(Profile).order_by(Profile.name)]
        return [sync.run(self.database, one) for one in profiles]

    def ask(self, route: str, body: dict[str, Any]) -> bool:
        try:
            self.shop.client.ask("POST", route, body=body)
        except RecordFailed:
            return False
        return True

    def notes(self) -> list[dict[str, Any]]:
        return [one for one in self.stand_ins.control("plentyone", "orders") if one["typeId"] == 4]

    def memos(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.stand_ins.control("magento", "papers", {})["creditmemos"]
        return found

    def writes(self) -> list[str]:
        """What was changed at either side since the last question."""
        made = []
        for system in self.stand_ins.address:
            log = self.stand_ins._ask(system, "log")
            last = self._seen.get(system, 0)
            self._seen[system] = max((entry["n"] for entry in log), default=last)
            made += [f"{one['method']} {one['path']}" for one in log if one["n"] > last and one["method"] != "GET"]
        return [one for one in made if "/login" not in one and "/V1/integration" not in one]

    _seen: dict[str, int] = {}


Make = Callable[..., Way]


@pytest.fixture
def way(world: Makers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    made: list[Way] = []

    def make(answers: dict[str, Any] | None = None, **settings: Any) -> Way:
        stand_ins, host = world("--orders", "8")
        stand_ins.control("magento", "place", {"count": 8, "seed": 3})
        statuses = {one["status"]: 5 for one in stand_ins.control("magento", "orders") if one.get("status")}
        mapped = {**statuses, "complete": 7, "closed": 7, "canceled": 8, "holded": 2}
        host.apply(answers, status_mapping=mapped, residual="line", status_filter=None, **settings)
        for name, value in host.environment.items():
            if name.startswith("CONNECTOR_") or name == "PLENTY_PASSWORD":
                monkeypatch.setenv(name, value)
        monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
        one = Way(stand_ins, host)
        one._seen = {}
        made.append(one)
        return one

    yield make
    for one in made:
        one.database.engine.dispose()


def happen(way: Way) -> int:
    """Ship and refund a part of every order that allows it; how many were refunded."""
    refunded = 0
    for brief in way.stand_ins.control("magento", "orders"):
        order = way.stand_ins.control("magento", "order", {"entity_id": brief["entity_id"]})
        heads = [one for one in order["items"] if not one.get("parent_item_id")]
        if order["state"] not in ("new", "processing") or not heads:
            continue
        key, first = order["entity_id"], heads[0]["item_id"]
        way.ask(f"order/{key}/invoice", {"capture": False})
        track = {"track_number": f"T{key}", "title": "DHL", "carrier_code": "dhl"}
        way.ask(f"order/{key}/ship", {"items": [{"order_item_id": first, "qty": 1}], "tracks": [track]})
        items = [{"order_item_id": one["item_id"], "qty": int(one["item_id"] == first)} for one in heads]
        arguments = {"shipping_amount": 0, "adjustment_positive": 0, "adjustment_negative": 0.01}
        refunded += way.ask(f"order/{key}/refund", {"items": items, "arguments": arguments})
    return refunded


def marked(way: Way) -> dict[str, Decimal]:
    """The credit notes by the memo that they were made of."""
    return {
        row["value"]: Decimal(str(note["amounts"][-1]["invoiceTotal"]))
        for note in way.notes()
        for row in note["properties"]
        if row["typeId"] == 97
    }


def test_what_happens_in_the_shop_later_stands_in_the_books_once(way: Make) -> None:
    one = way(**ON)
    one.run()
    before = set(marked(one))
    assert happen(one) > 2
    one.stand_ins.faults(*LOST)
    for _ in range(4):
        one.run()
    one.stand_ins.faults()
    one.run()
    state = one.stand_ins.state()
    assert {kind: found for kind, found in once_each(state).items() if kind in KINDS} == {}
    told = marked(one)
    exported = {str(row["externalId"]) for row in state["orders"] if row["typeId"] == 1}
    orders = {row["entity_id"]: row["increment_id"] for row in one.stand_ins.control("magento", "orders")}
    memos = {
        str(memo["entity_id"]): Decimal(str(memo["grand_total"])).quantize(Decimal("0.01"))
        for memo in one.memos()
        if orders[memo["order_id"]] in exported
    }
    assert {key: total.quantize(Decimal("0.01")) for key, total in told.items()} == {key: memos[key] for key in told}
    assert len(set(told) - before) > 2
    one.writes()
    one.run()
    assert one.writes() == []


def test_no_credit_note_and_no_memo_comes_back_from_where_it_went(way: Make) -> None:
    one = way(BACK, **ON)
    one.run()
    assert happen(one) > 2
    for _ in range(3):
        one.run()
    rows = one.stand_ins.state()["orders"]
    credited = {row["parentId"] for row in rows}
    sale = next(row for row in rows if row["typeId"] == 1 and row["id"] not in credited and row["invoiceTotal"])
    one.stand_ins.control("plentyone", "credit", {"id": sale["id"]})
    notes, memos = len(one.notes()), len(one.memos())
    for _ in range(3):
        one.run()
    assert (len(one.notes()), len(one.memos()) - memos) in ((notes, 0), (notes, 1))
    one.writes()
    one.run()
    assert one.writes() == []
