"""Two profiles between the same two systems, one each way: what came from a side is known there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from marshmallow import fields

from connector import Counterpart, Found, Known, Options, Page, Ref, RetryLater, StopRun, Written
from connector.records import Address, Customer, Fulfilment, LineKind, Order, OrderKind, OrderLine, Payment
from connector.registry import Plugin, plugins
from connector.settings import ALL_SCOPES, STATUSES, Settings, setting
from profiles import history, models, sync
from profiles.db import Database, now
from profiles.ledger import Ledger
from profiles.models import SyncStatus
from tests.profiles.memory import Desk, DeskOrders, Shop, ShopOrders, World, fresh, profile, rows

PLACED = datetime(2026, 3, 1, 12, tzinfo=UTC)


class BackOrders(DeskOrders):
    """The desk as a source: its own orders with their children."""

    settles = False

    class SourceOptions(Settings):
        pass

    def _all(self) -> Iterator[Found]:
        for one in WORLD.created:
            yield Found(key=one["id"], number=one["number"], version=str(one.get("v", 0)), updated_at=None, payload=one)

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        ASKED.append(self.asked)
        yield Page(records=list(self._all()), mark="1")

    def get(self, key: str) -> Found | None:
        return next((one for one in self._all() if one.key == key), None)

    def number(self, number: str) -> Found | None:
        return next((one for one in self._all() if one.number == number and "of" not in (one.payload or {})), None)

    def family(self, found: Found) -> Sequence[Found]:
        return [one for one in self._all() if (one.payload or {}).get("of") == found.key]

    def parse(self, payload: dict[str, Any]) -> Order:
        total = Decimal(str(payload["total"]))
        return Order(
            key=payload["id"],
            number=payload["number"],
            created_at=PLACED,
            updated_at=PLACED + timedelta(seconds=payload.get("v", 0)),
            status=payload["status"],
            currency="EUR",
            grand_total=total,
            customer=Customer(),
            billing=Address(),
            lines=(OrderLine(key="1", kind=LineKind.PRODUCT, name="A thing", gross=total),),
            payment=Payment(method="cash"),
            fulfilment=Fulfilment(
                kind=OrderKind.CREDIT if "of" in payload else OrderKind.SALE, origin=payload.get("of")
            ),
        )


class AnsweredOrders(ShopOrders):
    """The shop as a target: it answers orders of its own, and creates those that it does not know."""

    def parse(self, payload: dict[str, Any]) -> Order:
        return replace(super().parse(payload), traces=(f"cart={payload.get('cart')}",))

    takes_back = True
    refs = (Ref(key="id", label="Shop ID"), Ref(key="status", label="Shop status"))
    seen: list[tuple[str, Counterpart | None]] = []
    unfinished: dict[str, str] = {}
    kept: dict[str, Mapping[str, str]] = {}  # what it was told of them
    deaf = False
    asked_at: list[datetime | None] = []
    aside: set[str] = set()  # records that wait for something that no run can hurry

    class TargetOptions(Settings):
        by_invoice = setting(fields.Boolean(), section=STATUSES, label="By invoice", default=False, scopes=ALL_SCOPES)
        by_note = setting(fields.Boolean(), section=STATUSES, label="By note", default=False, scopes=ALL_SCOPES)

    def asks(self, options: Options) -> frozenset[str]:
        told = {"documents"} if options.by_invoice else set()
        return frozenset(told | ({"shipments"} if options.by_note else set()))

    def unsettled(self, options: Options, last: datetime | None, ours: Any) -> Iterator[tuple[str, str]] | None:
        self.asked_at.append(last)
        if self.deaf:
            raise StopRun("The shop tells nothing of its orders.")
        self.kept.update(ours([*self.unfinished, "never brought"]))
        return iter(self.unfinished.items()) if last is None else None

    def write(self, record: Order, known: Known, options: Options) -> Written:
        WORLD.calls["answer"] += 1
        found = known.counterpart(record.fulfilment.origin or record.key)
        self.seen.append((record.key, found))
        if record.fulfilment.origin and (other := known.earlier_due()):
            raise RetryLater(f"{record.key} comes after {other}", after=2.0, counts=False)
        if record.key in self.aside:
            raise RetryLater(f"{record.key} waits for an invoice", after=20.0, aside=True)
        key = found.key if found else known.refs.get("id")
        if key is None:
            key = f"S{record.key}"
            WORLD.place(key, status="foreign")
        known.learn(id=key if record.fulfilment.origin is None else f"credit/{record.key}")
        return Written(key=key, created=found is None, message="Answered.")


class BackDesk(Desk):
    code = "memory_back_desk"
    resources = (BackOrders,)


class AnsweredShop(Shop):
    code = "memory_answered_shop"
    resources = (AnsweredOrders,)


WORLD = World()
ASKED: list[frozenset[str]] = []


@pytest.fixture
def world() -> World:
    global WORLD
    WORLD = fresh()
    AnsweredOrders.seen.clear()
    AnsweredOrders.asked_at.clear()
    AnsweredOrders.unfinished.clear()
    AnsweredOrders.kept.clear()
    AnsweredOrders.deaf = False
    AnsweredOrders.aside.clear()
    for made in (BackDesk, AnsweredShop):
        plugins()[made.code] = Plugin(code=made.code, package="tests", version="0", connector=made)
    return WORLD


def both(database: Database) -> tuple[int, int]:
    """The export's and the import's profile, between one shop and one desk."""
    there = profile(database, {"status_mapping": {"new": 1, "paid": 2}})
    moment = now()
    with database.session() as session:
        one = session.get_one(models.Profile, there)
        session.get_one(models.Connection, one.from_id).connector = AnsweredShop.code
        session.get_one(models.Connection, one.to_id).connector = BackDesk.code
        back = models.Profile(
            name="Order import",
            entity="order",
            direction="import",
            from_id=one.to_id,
            to_id=one.from_id,
            active=True,
            cron="*/15 * * * *",
            timezone="UTC",
            settings={"global": {"workers": 1}, "websites": {}, "stores": {}},
            created_at=moment,
            updated_at=moment,
        )
        session.add(back)
        session.flush()
        return there, int(back.id)


def test_an_order_that_was_exported_is_known_to_the_import_by_the_exports_record(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.place("100")
    sync.run(database, there)
    assert sync.run(database, back).status == "success"
    [(key, found)] = AnsweredOrders.seen
    assert found is not None
    assert (found.key, found.reverse, found.ours) == ("100", True, True)
    assert found.refs["id"] == key == world.created[0]["id"]
    assert len(world.orders) == 1


def test_an_order_that_the_import_created_is_not_sent_back_even_when_its_status_is_not_mapped(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    sync.run(database, back)
    assert list(world.orders) == ["S900"]
    result = sync.run(database, there)
    assert (result.status, len(world.created)) == ("success", 1), result.message
    row = rows(database, there)["S900"]
    assert row.status == "skipped"
    assert "is 900 of desk of Order export already (profile Order import)" in str(row.message)


def test_such_an_order_is_not_sent_back_even_when_a_person_puts_it_back(database: Database, world: World) -> None:
    there, back = both(database)
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    sync.run(database, back)
    sync.run(database, there)
    for touched in (False, True):
        with database.session() as session:
            history.put_back(session, [rows(database, there)["S900"].id], "anna")
        if touched:
            world.touch("S900", status="new")
        sync.run(database, there)
    assert (len(world.created), rows(database, there)["S900"].status) == (1, "skipped")


def test_an_order_of_another_shop_is_not_ours(database: Database, world: World) -> None:
    there, back = both(database)
    other = profile(database, {"status_mapping": {"new": 1}}, name="Another shop")
    with database.session() as session:
        session.get_one(models.Profile, other).to_id = session.get_one(models.Profile, there).to_id
    world.place("100")
    sync.run(database, other)
    sync.run(database, back)
    [(_, found)] = AnsweredOrders.seen
    assert found is not None
    assert (found.ours, found.connection) == (False, "shop of Another shop")


def test_a_child_finds_the_order_that_its_sale_became_in_an_earlier_run(database: Database, world: World) -> None:
    _, back = both(database)
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    sync.run(database, back)
    world.created.append({"id": "901", "number": "E-7", "total": "5.00", "status": "new", "of": "900"})
    sync.run(database, back)
    key, found = AnsweredOrders.seen[-1]
    assert key == "901"
    assert found is not None
    assert (found.key, found.reverse) == ("S900", False)


def test_a_run_for_one_number_takes_the_records_that_belong_to_it_along(database: Database, world: World) -> None:
    _, back = both(database)
    world.created += [
        {"id": "900", "number": "E-7", "total": "5.00", "status": "new"},
        {"id": "901", "number": "E-7", "total": "5.00", "status": "new", "of": "900"},
        {"id": "902", "number": "E-8", "total": "5.00", "status": "new"},
    ]
    result = sync.run(database, back, order="E-7", dry_run=True)
    assert [line["source_id"] for line in result.plan] == ["900", "901"]
    sync.run(database, back, order="E-7")
    assert sorted(key for key, _ in AnsweredOrders.seen[2:]) == ["900", "901"]
    assert not [one for one, _ in AnsweredOrders.seen if one == "902"]


def test_what_the_target_finds_unfinished_is_written_anew_although_nothing_changed(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.place("100")
    world.place("101")
    sync.run(database, there)
    with database.session() as session:
        session.get_one(models.Profile, back).rechecked_at = now()
    sync.run(database, back)
    before = world.calls["answer"]
    with database.session() as session:
        session.get_one(models.Profile, back).rechecked_at = None
    AnsweredOrders.unfinished["100"] = "Order 100 has no shipment after 3 days."
    sync.run(database, back)
    assert world.calls["answer"] == before + 1
    sync.run(database, back)
    assert world.calls["answer"] == before + 1
    assert AnsweredOrders.asked_at[-1] is not None
    with database.reading() as session:
        told = [one.message for one in session.query(models.SyncHistory).filter_by(profile_id=back)]
    assert "Order 100 has no shipment after 3 days. Put back to pending." in told
    assert {key: refs["id"] for key, refs in AnsweredOrders.kept.items()} == {"100": "100"}


def test_a_target_that_cannot_look_for_what_is_unfinished_keeps_nothing_from_being_written(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.place("100")
    sync.run(database, there)
    AnsweredOrders.deaf = True
    before = world.calls["answer"]
    result = sync.run(database, back)
    assert (result.status, "tells nothing of its orders" in result.message) == ("error", True)
    assert world.calls["answer"] == before + 1


def test_what_failed_of_the_papers_of_an_unfinished_order_is_written_anew_and_what_is_done_is_not(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.place("100")
    sync.run(database, there)
    sale = world.created[0]["id"]
    paper = {"number": "100", "total": "5.00", "status": "new", "of": sale}
    world.created += [{**paper, "id": "901"}, {**paper, "id": "902"}]
    with database.session() as session:
        session.get_one(models.Profile, back).rechecked_at = now()
    sync.run(database, back)
    with database.session() as session:
        failed = session.query(models.SyncRecord).filter_by(profile_id=back, source_id="902")
        failed.update({"status": "failed", "digest": None})
        session.get_one(models.Profile, back).rechecked_at = None
    AnsweredOrders.seen.clear()
    AnsweredOrders.unfinished["100"] = "Order 100 has no credit memo after 3 days."
    sync.run(database, back)
    assert sorted(key for key, _ in AnsweredOrders.seen) == sorted(["902", sale])
    with database.reading() as session:
        assert {one.status for one in session.query(models.SyncRecord).filter_by(profile_id=back)} <= {
            "complete",
            "updated",
        }


def test_of_both_directions_the_opposite_one_is_named_for_its_ids_are_news(database: Database, world: World) -> None:
    there, back = both(database)
    world.place("100")
    sync.run(database, there)
    sync.run(database, back)
    here, desk = Ledger(database, there, "export", "me", None), Ledger(database, back, "import", "me", None)
    id = world.created[0]["id"]
    found = desk.counterparts([id, "nothing"])
    assert (list(found), found[id].reverse, "note" in found[id].refs) == ([id], True, True)
    assert here.counterparts(["100"])["100"].refs == {"id": "100"}


def test_new_records_of_a_source_that_does_not_settle_are_not_kept_waiting(database: Database, world: World) -> None:
    _, back = both(database)
    with database.session() as session:
        session.get_one(models.Profile, back).settings = {"global": {}, "websites": {}, "stores": {}}
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    assert sync.run(database, back).counts["pending"] == 0


def test_a_credit_note_leads_to_its_sale_and_that_to_the_export(database: Database, world: World) -> None:
    there, back = both(database)
    world.place("100")
    sync.run(database, there)
    id = world.created[0]["id"]
    world.created.append({"id": "5901", "number": "100", "total": "5.00", "status": "new", "of": id})
    world.created.append({"id": "5902", "number": "101", "total": "5.00", "status": "new"})
    sync.run(database, back)
    with database.reading() as session:
        for one in session.query(models.SyncRecord).filter(models.SyncRecord.source_number == "100"):
            found = {(row.profile_id, row.source_id) for row in history.kin(session, one)}
            assert found == {(there, "100"), (back, id), (back, "5901")}, one.source_id


def test_an_order_that_the_import_may_just_have_made_waits_until_that_is_known(
    database: Database, world: World
) -> None:
    there, back = both(database)
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    moment = now()
    with database.session() as session:
        session.add(
            models.SyncRecord(
                profile_id=back, source_id="900", source_number="E-7", version="0", status="pending", refs={"cart": "55"},
                attempts=1, tries=1, transient=False, forced=False, doubt_at=moment, created_at=moment, updated_at=moment,
            )
        )  # fmt: skip
    world.place("S55", status="unmapped", cart="55")
    world.place("S56", status="new", cart="56")
    result = sync.run(database, there)
    assert "Nothing was sent" not in result.message
    found = rows(database, there)
    assert (found["S55"].status, found["S56"].status) == ("pending", "complete")
    assert "It may be E-7 of desk of Order export" in str(found["S55"].message)
    with database.session() as session:
        session.query(models.SyncRecord).filter_by(profile_id=back).update({"target_id": "S55", "status": "complete"})
        session.query(models.SyncRecord).filter_by(profile_id=there).update({"next_attempt_at": None})
    sync.run(database, there)
    assert rows(database, there)["S55"].status == "skipped"
    assert [one["number"] for one in world.created] == ["E-7", "S56"]


def test_what_belongs_together_waits_for_what_was_read_before_and_is_not_through(
    database: Database, world: World
) -> None:
    _, back = both(database)
    world.created += [
        {"id": "900", "number": "E-7", "total": "5.00", "status": "new"},
        {"id": "901", "number": "E-7", "total": "5.00", "status": "new", "of": "900"},
        {"id": "902", "number": "E-8", "total": "5.00", "status": "new"},
    ]
    sync.run(database, back)
    ledger = Ledger(database, back, "import", "test", None)
    with database.reading() as session:
        rows = ledger.known(session, ["900", "901", "902"])
    stages = (
        (SyncStatus.COMPLETE, False, None),
        (SyncStatus.PENDING, False, "900"),
        (SyncStatus.PROCESSING, False, "900"),
        (SyncStatus.FAILED, True, "900"),  # it ran out of attempts and gets new ones in the next run
        (SyncStatus.FAILED, False, None),  # a person has to act; the others do not wait for that
        (SyncStatus.SKIPPED, False, None),
    )
    for status, transient, waits in stages:
        with database.session() as session:
            one = session.get_one(models.SyncRecord, rows["900"].id)
            one.status, one.transient = status, transient
        assert ledger.earlier_due(rows["901"]) == waits, status
        assert (ledger.earlier_due(rows["900"]), ledger.earlier_due(rows["902"])) == (None, None)


def test_what_is_set_aside_holds_up_neither_what_follows_nor_the_run(database: Database, world: World) -> None:
    _, back = both(database)
    sale: dict[str, Any] = {"id": "900", "number": "E-7", "total": "5.00", "status": "new"}
    world.created += [sale, *({**sale, "id": key, "of": "900"} for key in ("901", "902", "903"))]
    AnsweredOrders.aside.add("901")
    began = now()
    assert sync.run(database, back).status == "success"
    assert now() - began < timedelta(seconds=10)  # less than the wait that was set aside
    assert [key for key, _ in AnsweredOrders.seen] == ["900", "901", "902", "903", "901"]  # what follows woke it
    found = by_key(database, back)
    assert {key: row.status for key, row in found.items()} == {
        **dict.fromkeys(("900", "902", "903"), "complete"),
        "901": "pending",
    }
    assert "901 waits for an invoice." in str(found["901"].message)
    assert (found["901"].tries, found["901"].transient) == (0, True)  # it never runs out of attempts


def test_what_was_set_aside_is_tried_again_when_its_sale_was_written_and_when_its_time_has_come(
    database: Database, world: World
) -> None:
    _, back = both(database)
    sale: dict[str, Any] = {"id": "900", "number": "E-7", "total": "5.00", "status": "new"}
    world.created += [sale, *({**sale, "id": key, "of": "900"} for key in ("901", "902"))]
    AnsweredOrders.aside.update(("901", "902"))
    sync.run(database, back)
    AnsweredOrders.seen.clear()
    sync.run(database, back)
    assert AnsweredOrders.seen == []  # nothing happened, and its time has not come
    sale.update(total="6.00", v=1)
    AnsweredOrders.aside.clear()
    sync.run(database, back)
    assert [key for key, _ in AnsweredOrders.seen] == ["900", "901", "902"]
    sale.update(total="7.00", v=2)
    world.created.append({**sale, "id": "903", "of": "900", "v": 0})
    AnsweredOrders.aside.add("903")
    sync.run(database, back)
    AnsweredOrders.aside.clear()
    with database.session() as session:
        session.query(models.SyncRecord).filter_by(source_id="903").update({"next_attempt_at": now()})
    sync.run(database, back)
    assert {row.status for row in by_key(database, back).values()} == {"complete", "updated"}


def test_a_dry_run_shows_what_would_be_set_aside_as_waiting(database: Database, world: World) -> None:
    _, back = both(database)
    world.created.append({"id": "900", "number": "E-7", "total": "5.00", "status": "new"})
    AnsweredOrders.aside.add("900")
    result = sync.run(database, back, dry_run=True)
    assert [(line["action"], line["message"]) for line in result.plan] == [("pending", "900 waits for an invoice")]
    assert result.status == "success"


def test_what_a_switch_of_one_store_or_website_alone_needs_is_read_along(database: Database, world: World) -> None:
    _, back = both(database)
    for settings, asked in (
        ({}, set()),
        ({"stores": {"de": {"by_invoice": True}}}, {"documents"}),
        ({"websites": {"base": {"by_note": True}}, "stores": {"de": {"by_invoice": True}}}, {"documents", "shipments"}),
        ({"global": {"by_note": True}, "stores": {"de": {"by_note": False}}}, {"shipments"}),
    ):
        with database.session() as session:
            session.get_one(models.Profile, back).settings = {"global": {}, "websites": {}, "stores": {}, **settings}
        sync.run(database, back)
        assert ASKED[-1] == asked, settings


def by_key(database: Database, profile_id: int) -> dict[str, models.SyncRecord]:
    with database.reading() as session:
        return {one.source_id: one for one in session.query(models.SyncRecord).filter_by(profile_id=profile_id)}
