"""Event procedures, on two systems in memory: what happened is found once, in its order, and leads to what was set up."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from connector import RecordFailed, RetryLater
from connector.procedures import Occurrence
from profiles import events, history, models, sync
from profiles.db import Database, now
from scheduler import housekeeping
from tests.profiles.memory_events import HOUSE, House, fresh, profile


@pytest.fixture
def house() -> House:
    return fresh()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.random, "uniform", lambda low, high: 0.01)
    monkeypatch.setattr(events, "HELD_SECONDS", 0.1)


def records(database: Database, profile_id: int) -> list[models.SyncRecord]:
    with database.reading() as session:
        row = models.SyncRecord
        return list(session.scalars(select(row).where(row.profile_id == profile_id).order_by(row.id)))


def test_a_change_to_the_given_status_leads_to_the_procedure_once(database: Database, house: House) -> None:
    made = profile(database, {"status": ["7"]})
    house.place("1")
    sync.run(database, made)
    house.move("1", "6")
    sync.run(database, made)
    assert house.told == []
    house.move("1", "7")
    for _ in range(3):
        result = sync.run(database, made)
        assert result.status == "success"
    assert house.told == [("tell", "1", "7")]
    (row,) = records(database, made)
    assert (row.source_number, row.status, row.kind, row.target_id) == ("M1", "complete", "procedure", "T1")


def test_a_range_of_statuses_is_met_by_each_status_in_it_compared_as_a_number(database: Database, house: House) -> None:
    made = profile(database, {"status": ["7-7.99"]})
    house.place("1")
    sync.run(database, made)
    house.move("1", "7.1", "8", "7", "10")
    sync.run(database, made)
    assert house.told == [("tell", "1", "7.1"), ("tell", "1", "7")]


def test_statuses_passed_during_a_pause_of_days_are_all_found_in_their_order(database: Database, house: House) -> None:
    made = profile(database, {})
    house.place("1")
    sync.run(database, made)
    house.told.clear()
    house.ticks += 3 * 86400
    house.move("1", "6", "7", "6", "7", "8")
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["6", "7", "6", "7", "8"]


def test_without_a_history_the_status_that_differs_is_the_event(database: Database, house: House) -> None:
    house.history = False
    made = profile(database, {})
    house.place("1")
    sync.run(database, made)
    house.move("1", "6", "7")
    sync.run(database, made)
    house.change("1", note="touched")
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5", "7"]


def test_what_happened_before_the_profile_was_set_up_is_nobodys_event(database: Database, house: House) -> None:
    house.place("old", status="7", age_days=2)
    made = profile(database, {}, {"event": "created"}, {"event": "payment"}, {"event": "invoice"})
    sync.run(database, made)
    assert house.told == []
    house.move("old", "8")
    sync.run(database, made)
    assert house.told == [("tell", "old", "8")]


def test_an_old_order_that_is_seen_late_counts_with_its_status(database: Database, house: House) -> None:
    house.history = False
    made = profile(database, {})
    sync.run(database, made)
    house.place("old", status="7", age_days=200)
    house.change("old", note="changed today")
    sync.run(database, made)
    assert house.told == [("tell", "old", "7")]


@pytest.mark.parametrize(
    ("event", "change"),
    [
        ("invoice", lambda: HOUSE.change("1", invoices=[("D1", HOUSE.at())])),
        ("payment", lambda: HOUSE.change("1", paid=Decimal("10.00"))),
    ],
)
def test_an_invoice_and_a_payment_are_events_once_each(
    database: Database, house: House, event: str, change: Callable[[], None]
) -> None:
    made = profile(database, {"event": event})
    house.place("1")
    sync.run(database, made)
    assert house.told == []
    change()
    for _ in range(2):
        sync.run(database, made)
        house.change("1", note="again")
    assert house.told == [("tell", "1", None)]


def test_a_new_order_and_a_new_return_are_events_of_their_own(database: Database, house: House) -> None:
    made = profile(database, {"event": "created"}, {"event": "return_created", "procedure": "shout"})
    sync.run(database, made)
    house.place("1")
    house.place("2", kind="return")
    for _ in range(2):
        sync.run(database, made)
    assert sorted(house.told) == [("shout", "2", "5"), ("tell", "1", "5")]


def test_filters_let_only_orders_pass_that_have_one_of_the_values_of_each(database: Database, house: House) -> None:
    made = profile(database, {"filters": {"order_type": ["sale", "delivery"], "referrer": ["183"]}})
    sync.run(database, made)
    house.place("1")
    house.place("2", referrer="1")
    house.place("3", kind="credit")
    house.place("4", kind="delivery")
    sync.run(database, made)
    assert sorted(order for _, order, _ in house.told) == ["1", "4"]


def test_several_procedures_for_one_event_go_by_their_position(database: Database, house: House) -> None:
    made = profile(
        database,
        {"position": 2, "name": "second", "procedure": "shout"},
        {"position": 1, "name": "first"},
        {"position": 3, "name": "off", "active": False},
    )
    sync.run(database, made)
    house.place("1")
    sync.run(database, made)
    assert [procedure for procedure, _, _ in house.told] == ["tell", "shout"]


def test_a_short_name_in_a_filter_means_the_entry_of_the_list_that_was_collected_since(
    database: Database, house: House
) -> None:
    made = profile(database, {"filters": {"country": ["at", "7"]}})
    sync.run(database, made)
    for country in ("2", "7", "3"):
        house.place(f"in {country}", country=country)
    sync.run(database, made)
    assert sorted(house.told) == [("tell", "in 2", "5"), ("tell", "in 7", "5")]


def test_a_short_name_that_the_list_lacks_stops_the_run_and_loses_no_event(database: Database, house: House) -> None:
    made = profile(database, {"filters": {"country": ["XX"]}})
    sync.run(database, made)
    house.place("1", country="2")
    refused = sync.run(database, made)
    assert refused.status == "error"
    assert (
        "Event procedure 'Rule 1' asks for 'XX' (Order » Country), which is not in the collected list."
        in refused.message
    )
    with database.session() as session:
        session.execute(update(models.EventProcedure).values(filters={"country": ["AUT"]}))
    sync.run(database, made)
    assert house.told == [("tell", "1", "5")]


def test_what_follows_later_waits_until_what_came_before_is_through(database: Database, house: House) -> None:
    made = profile(database, {}, workers=4)
    sync.run(database, made)
    failures = iter([RetryLater("busy", after=0.2)])

    def trouble(occurrence: Occurrence) -> None:
        if occurrence.status == "6" and (error := next(failures, None)):
            raise error

    house.trouble = trouble
    house.place("1")
    house.move("1", "6", "7", "8")
    house.place("2")
    house.move("2", "6", "7", "8")
    sync.run(database, made)
    for order in ("1", "2"):
        assert [status for _, one, status in house.told if one == order] == ["5", "6", "7", "8"]


@pytest.mark.parametrize(
    ("begun", "waits"),
    [
        ({"status": "processing"}, True),  # at work, or its worker was killed
        ({"status": "pending", "doubt_at": now()}, True),
        ({"status": "failed", "transient": True}, True),
        ({"status": "failed"}, False),
        ({"status": "skipped"}, False),
        ({"status": "complete", "target_id": "1"}, False),
    ],
)
def test_an_order_that_the_import_may_just_have_made_is_waited_for(
    database: Database, house: House, begun: dict[str, Any], waits: bool
) -> None:
    made = profile(database, {})
    moment = now()
    with database.session() as session:
        events_profile = session.get_one(models.Profile, made)
        brings = models.Profile(
            name="Order import",
            entity="order",
            direction="import",
            from_id=events_profile.to_id,
            to_id=events_profile.from_id,
            cron="*/15 * * * *",
            timezone="UTC",
            settings={"global": {}, "websites": {}, "stores": {}},
            created_at=moment,
            updated_at=moment,
        )
        session.add(brings)
        session.flush()
        row = models.SyncRecord(
            profile_id=brings.id, source_id="M1", source_number="M1", created_at=moment, updated_at=moment, **begun
        )
        session.add(row)
        session.flush()
        brought = row.id
    house.place("1")
    house.place("2")
    result = sync.run(database, made)
    assert [order for _, order, _ in house.told] == (["2"] if waits else ["1", "2"])
    if not waits:
        return
    assert (result.status, result.counts["pending"]) == ("success", 1)
    (waiting,) = [one for one in records(database, made) if one.status == "pending"]
    assert "It may be M1 of " in str(waiting.message)
    with database.session() as session:
        session.get_one(models.SyncRecord, brought).target_id = "1"
        session.get_one(models.SyncRecord, waiting.id).next_attempt_at = None
    sync.run(database, made)
    assert [order for _, order, _ in house.told] == ["2", "1"]


def test_what_waits_for_something_holds_nothing_up_and_is_tried_when_its_order_changes(
    database: Database, house: House
) -> None:
    made = profile(database, {"status": ["6"]}, {"status": ["7"], "procedure": "shout"})
    sync.run(database, made)

    def trouble(occurrence: Occurrence) -> None:
        if occurrence.status == "6" and "package" not in HOUSE.orders["1"]:
            raise RetryLater("It has no package number yet", after=3600, aside=True)

    house.trouble = trouble
    house.place("1")
    house.move("1", "6", "7")
    result = sync.run(database, made)
    assert house.told == [("shout", "1", "7")]
    assert (result.status, result.counts["pending"]) == ("success", 1)
    waiting = next(one for one in records(database, made) if one.status == "pending")
    assert "no package number yet" in str(waiting.message)
    for _ in range(3):  # each look at it finds the same and tells it no second time
        with database.session() as session:
            session.get_one(models.SyncRecord, waiting.id).next_attempt_at = None
        sync.run(database, made)
    with database.reading() as session:
        lines = session.scalars(select(models.SyncHistory).where(models.SyncHistory.record_id == waiting.id)).all()
    assert len([one for one in lines if "no package number yet" in str(one.message)]) == 1
    house.change("1", package="00340")
    sync.run(database, made)
    assert house.told == [("shout", "1", "7"), ("tell", "1", "6")]


def test_an_execution_is_repeated_by_hand_with_the_order_as_it_is_now(database: Database, house: House) -> None:
    made = profile(database, {"status": ["7"]})
    sync.run(database, made)
    house.place("1")
    house.move("1", "7")
    sync.run(database, made)
    (row,) = records(database, made)
    with database.session() as session:
        history.put_back(session, [row.id], "anna")
    sync.run(database, made)
    assert house.told == [("tell", "1", "7")] * 2
    assert records(database, made)[0].status == "complete"


def test_a_failure_names_the_order_and_stops_no_other(database: Database, house: House) -> None:
    made = profile(database, {})
    sync.run(database, made)

    def trouble(occurrence: Occurrence) -> None:
        if occurrence.order.key == "1":
            raise RecordFailed("Item 7 is accepted already and can only be cancelled")

    house.trouble = trouble
    house.place("1")
    house.place("2")
    result = sync.run(database, made)
    assert (result.status, result.counts["failed"], result.counts["complete"]) == ("error", 1, 1)
    assert [order for _, order, _ in house.told] == ["2"]


def test_an_order_that_cannot_be_read_fails_by_name_and_its_events_come_when_it_can(
    database: Database, house: House
) -> None:
    made = profile(database, {})
    sync.run(database, made)
    house.place("1", broken=True)
    house.place("2")
    result = sync.run(database, made)
    assert (result.status, house.told) == ("error", [("tell", "2", "5")])
    assert "M1" in result.message or "order 1" in result.message
    house.change("1", broken=False)
    assert sync.run(database, made).status == "success"
    assert ("tell", "1", "5") in house.told


def test_a_deleted_event_procedure_leaves_its_waiting_executions_skipped(database: Database, house: House) -> None:
    made = profile(database, {})
    sync.run(database, made)
    house.trouble = lambda occurrence: (_ for _ in ()).throw(RetryLater("later", after=3600, aside=True))
    house.place("1")
    sync.run(database, made)
    with database.session() as session:
        session.delete(session.scalars(select(models.EventProcedure)).one())
    house.trouble = lambda occurrence: None
    house.change("1", note="x")
    sync.run(database, made)
    assert house.told == []
    assert (records(database, made)[0].status, records(database, made)[0].message) == (
        "skipped",
        "Its event procedure was deleted.",
    )


def test_an_inactive_connection_exchanges_nothing(database: Database, house: House) -> None:
    made = profile(database, {})
    with database.session() as session:
        session.scalars(select(models.Connection)).all()[1].active = False
    house.place("1")
    result = sync.run(database, made)
    assert (result.could_run, house.calls["read"], house.told) == (False, 0, [])
    assert "is not active" in result.message


def test_a_dry_run_says_what_would_follow_and_keeps_nothing(database: Database, house: House) -> None:
    made = profile(database, {"status": ["7"]})
    sync.run(database, made)
    house.place("1")
    house.move("1", "7")
    with database.reading() as session:
        before = session.scalar(select(func.count()).select_from(models.Watched))
    result = sync.run(database, made, dry_run=True)
    (line,) = result.plan
    assert (line["source_number"], line["action"], line["kind"]) == ("M1", "create", "procedure")
    assert "Status change: 5 → 7" in line["message"]
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(models.Watched)) == before
    assert records(database, made) == []


def test_the_test_button_says_which_orders_would_match_and_which_filter_says_no(
    database: Database, house: House
) -> None:
    made = profile(database)
    house.place("1", status="7")
    house.place("2", status="7", referrer="1")
    house.place("3", status="5")
    draft = models.EventProcedure(
        name="x", event="status", status=["7"], filters={"referrer": ["183"]}, procedure="tell", settings={}
    )
    told = {one.order.key: (one.matched, one.reason) for one in events.matching(database, made, draft)}
    assert told == {
        "1": (True, None),
        "2": (False, "Order » Referrer"),
        "3": (False, "Order change: Status change"),
    }


def test_an_order_is_found_by_the_number_of_its_device(database: Database, house: House) -> None:
    made = profile(database)
    house.place("1", identifiers=["49 015420 323751 8"])
    sync.run(database, made)
    sync.run(database, made)
    with database.reading() as session:
        (row,) = session.scalars(select(models.Identifier))
    assert (row.kind, row.value, row.source_number) == ("imei", "490154203237518", "M1")
    assert records(database, made) == []
    with database.session() as session:
        session.add(
            models.EventProcedure(
                profile_id=made, name="x", event="status", status=[], filters={}, procedure="tell", settings={},
                active=True, position=1, created_at=house.clock, updated_at=house.clock,
            )
        )  # fmt: skip
    house.move("1", "7")
    sync.run(database, made)
    with database.reading() as session:
        for text in ("490154203237518", "49-015420-323751-8"):
            assert [one.record.source_number for one in history.stories(session, text)] == ["M1"]
        assert history.stories(session, "356938035643809") == []


def test_a_serial_number_is_found_however_it_is_written_and_two_that_look_alike_stay_two(
    database: Database, house: House
) -> None:
    made = profile(database, {})
    house.place("1", identifiers=["SN-ab 12/C"])
    house.place("2", identifiers=["snAB12c"])
    house.place("3", identifiers=["SN-AB 12/D"])
    house.place("4", identifiers=["---"])
    sync.run(database, made)
    with database.reading() as session:
        for text in ("sn-ab 12/c", "SNAB12C", " SN AB-12-C ", "sn.ab.12.c"):
            assert [one.record.source_number for one in history.stories(session, text)] == ["M1", "M2"], text
        assert [one.record.source_number for one in history.stories(session, "snab12d")] == ["M3"]
        for nothing in ("---", "", "  "):
            assert history.stories(session, nothing) == []
        values = session.scalars(select(models.Identifier.value).order_by(models.Identifier.id)).all()
    assert values == ["SN-ab 12/C", "snAB12c", "SN-AB 12/D", "---"]


def _killed_while_it_finds(url: str, made: int, after: int) -> None:
    """A run that is killed when it has written so many events."""
    left = [after]
    stored = events.EventRun._executions

    def executions(self: Any, *given: Any) -> Any:
        for one in stored(self, *given):
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            yield one

    events.EventRun._executions = executions  # type: ignore[method-assign]
    sync.run(Database(url), made)


def test_each_event_is_found_exactly_once_also_when_the_process_is_killed_in_the_middle(
    database: Database, house: House
) -> None:
    made = profile(database, {}, {"procedure": "shout", "active": True})
    sync.run(database, made)
    for order in ("1", "2", "3"):
        house.place(order)
        house.move(order, "6", "7")
    for after in (1, 3, 4, 5, 9, 11, 16):
        process = multiprocessing.get_context("fork").Process(
            target=_killed_while_it_finds, args=(database.url, made, after)
        )
        process.start()
        process.join(60)
        assert process.exitcode in (-signal.SIGKILL, 0)
    sync.run(database, made)
    found = [one.source_id for one in records(database, made)]
    assert len(found) == len(set(found)) == 3 * 3 * 2
    assert {one.status for one in records(database, made)} == {"complete"}


@pytest.mark.parametrize("history_told", [True, False])
def test_a_random_life_is_told_once_and_in_order_however_often_it_is_looked_at(
    database: Database, house: House, history_told: bool
) -> None:
    seed = int(os.environ.get("TEST_SEED") or random.randrange(1 << 30))
    print(f"TEST_SEED={seed}")
    chance = random.Random(seed)
    house.history = history_told
    made = profile(database, {})
    sync.run(database, made)
    expected: dict[str, list[str]] = {}
    for step in range(40):
        order = str(chance.randrange(4))
        if order not in house.orders:
            house.place(order)
            expected[order] = ["5"]
        elif chance.random() < 0.7:
            status = chance.choice([one for one in ("5", "6", "7", "8") if one != house.orders[order]["status"]])
            house.move(order, status)
            expected[order].append(status)
        else:
            house.change(order, note=str(step))
        if not history_told or chance.random() < 0.3:
            sync.run(database, made)
    sync.run(database, made)
    assert {order: [status for _, one, status in house.told if one == order] for order in expected} == expected


def test_two_changes_of_one_second_are_two_events(house: House) -> None:
    house.place("1")
    order = _order(house)
    _, seen = events.compare(order, None, since=house.clock - timedelta(seconds=5), first=True)
    at = house.at() + timedelta(seconds=1)
    house.orders["1"].update(status="6", updated=at)
    house.orders["1"]["passed"].append(("6", at))
    happened, seen = events.compare(_order(house), seen, since=house.clock, first=False)
    assert [one.status for one in happened] == ["6"]
    house.orders["1"].update(status="7", updated=at)
    house.orders["1"]["passed"].append(("7", at))
    happened, seen = events.compare(_order(house), seen, since=house.clock, first=False)
    assert [(one.before, one.status) for one in happened] == [("6", "7")]
    assert events.compare(_order(house), seen, since=house.clock, first=False)[0] == []


def test_a_change_that_the_history_tells_later_than_the_order_is_one_event(house: House) -> None:
    house.place("1")
    _, seen = events.compare(_order(house), None, since=house.clock - timedelta(seconds=5), first=True)
    at = house.at() + timedelta(seconds=1)
    house.orders["1"].update(status="6", updated=at)
    happened, seen = events.compare(_order(house), seen, since=house.clock, first=False)
    assert [one.status for one in happened] == ["6"]
    house.orders["1"]["passed"].append(("6", at + timedelta(seconds=1)))  # it was written after the order
    house.orders["1"].update(updated=at + timedelta(seconds=2))  # ... which changed once more
    happened, seen = events.compare(_order(house), seen, since=house.clock, first=False)
    assert happened == []
    house.orders["1"]["passed"] += [("7", at + timedelta(seconds=3)), ("6", at + timedelta(seconds=4))]
    house.orders["1"].update(updated=at + timedelta(seconds=4))
    happened, _ = events.compare(_order(house), seen, since=house.clock, first=False)
    assert [(one.before, one.status) for one in happened] == [("6", "7"), ("7", "6")]


def test_changes_back_and_forth_within_one_second_are_events_each_once(house: House) -> None:
    house.place("1")
    _, seen = events.compare(_order(house), None, since=house.clock - timedelta(seconds=5), first=True)
    at = house.at() + timedelta(seconds=1)
    house.orders["1"].update(status="6", updated=at)
    house.orders["1"]["passed"] += [(status, at) for status in ("6", "5", "6", "5", "6")]
    happened, seen = events.compare(_order(house), seen, since=house.clock, first=False)
    assert [one.status for one in happened] == ["6", "5", "6", "5", "6"]
    assert events.compare(_order(house), seen, since=house.clock, first=False)[0] == []
    house.orders["1"].update(status="7", updated=at)
    house.orders["1"]["passed"].append(("7", at))
    assert [one.status for one in events.compare(_order(house), seen, since=house.clock, first=False)[0]] == ["7"]


def test_what_was_seen_before_entries_had_keys_is_not_found_again(house: House) -> None:
    house.place("1")
    at = house.at() + timedelta(seconds=1)
    house.orders["1"].update(status="7", updated=at)
    house.orders["1"]["passed"] += [("6", at), ("7", at)]
    marks = tuple(f"{status}@{at.isoformat()}" for status in ("6", "7"))
    seen = events.Seen(status="7", at=at, marks=marks)
    happened, after = events.compare(_order(house), seen, since=house.clock, first=False)
    assert (happened, after) == ([], seen)


def test_an_order_is_looked_at_again_until_its_history_has_caught_up(database: Database, house: House) -> None:
    made = profile(database, {})
    house.place("1")
    sync.run(database, made)
    house.move("1", "6", "7")
    house.untold = 2
    assert sync.run(database, made).status == "success"
    house.untold = 1  # 6 is told, and 7 not yet
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5"]
    house.untold = 0
    sync.run(database, made)
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5", "6", "7"]


def test_a_new_order_that_nothing_happened_to_is_not_waited_for(database: Database, house: House) -> None:
    made = profile(database, {})
    house.untold = 1
    house.place("1")
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5"]
    house.untold = 0
    house.move("1", "7")
    sync.run(database, made)
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5", "7"]


def test_a_status_that_was_left_and_taken_again_while_the_history_lagged_is_found(
    database: Database, house: House
) -> None:
    made = profile(database, {})
    house.place("1")
    sync.run(database, made)
    house.move("1", "6", "5")
    house.untold = 2  # the order looks as it did before
    sync.run(database, made)
    house.untold = 0
    sync.run(database, made)
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5", "6", "5"]


def test_a_history_that_never_catches_up_is_not_waited_for_any_longer(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = profile(database, {})
    house.place("1")
    sync.run(database, made)
    house.move("1", "6", "7")
    house.untold = 2
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5"]
    real = events.now
    monkeypatch.setattr(events, "now", lambda: real() + timedelta(minutes=4))
    sync.run(database, made)
    sync.run(database, made)
    assert [status for _, _, status in house.told] == ["5", "7"]


def test_what_an_order_was_before_the_profile_is_no_event_although_it_was_just_touched(
    database: Database, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.place("old", age_days=2)
    house.change("old", note="touched", passed=[])
    made = profile(database, {})
    sync.run(database, made)
    sync.run(database, made)
    real = events.now
    monkeypatch.setattr(events, "now", lambda: real() + timedelta(minutes=4))
    sync.run(database, made)
    assert house.told == []


def test_what_was_seen_is_forgotten_after_two_years_and_nothing_happens_again(database: Database, house: House) -> None:
    made = profile(database, {}, {"event": "created", "procedure": "shout"}, {"event": "invoice", "procedure": "shout"})
    with database.session() as session:
        session.get_one(models.Profile, made).created_at = house.clock - timedelta(days=900)
    house.place("old", age_days=800, invoices=[("I1", house.clock - timedelta(days=790))])
    house.place("new", age_days=700)
    for told in (True, False):
        house.history = told
        sync.run(database, made)
        first = list(house.told)
        with database.session() as session:
            long_ago = house.clock - timedelta(days=740)
            session.execute(update(models.Watched).where(models.Watched.source_id == "old").values(updated_at=long_ago))
        assert housekeeping.clean(database)["watched"] == 1
        house.change("old", note=f"touched {told}")
        sync.run(database, made)
        assert house.told == first
        house.move("old", "7" if told else "8")
        sync.run(database, made)
        sync.run(database, made)
        assert house.told[len(first) :] == [("tell", "old", "7" if told else "8")]


def test_each_run_says_what_the_watched_system_does_not_show(database: Database, house: House) -> None:
    made = profile(database, {})
    house.lacks = ("Statuses in between are no events.",)
    result = sync.run(database, made)
    assert (result.status, result.message) == ("success", "nothing to do. Statuses in between are no events.")


def _order(house: House) -> Any:
    from tests.profiles.memory_events import HouseEvents

    return HouseEvents.parse(None, {"key": "1"})  # type: ignore[arg-type]
