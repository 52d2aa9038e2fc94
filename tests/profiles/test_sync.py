"""The flow, on two systems in memory."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from connector import AccessDenied, Finding, InDoubt, RecordFailed, RetryLater, StopRun, Unreachable
from profiles import db, history, ledger, models, sync, wiring
from profiles.db import Database, DatabaseTrouble
from profiles.ledger import Ledger
from profiles.links import Links
from profiles.workers import me
from tests.profiles.memory import Desk, DeskOrders, ShopOrders, World, fresh, profile, rows


@pytest.fixture
def world() -> World:
    return fresh()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting between attempts is shortened, not removed."""
    monkeypatch.setattr(sync.random, "uniform", lambda low, high: 0.01)


def once(*errors: Exception, step: str = "order before") -> Any:
    """Trouble that happens as many times as errors are given, at one step."""
    left = list(errors)

    def trouble(at: str, number: str) -> None:
        if at == step and left:
            raise left.pop(0)

    return trouble


def test_each_order_is_written_once_and_shown_complete(database: Database, world: World) -> None:
    made = profile(database)
    for number in range(7):
        world.place(f"1000{number}", customer=f"c{number % 3}")
    result = sync.run(database, made)
    assert (result.status, result.counts["complete"]) == ("success", 7)
    assert sorted(one["number"] for one in world.created) == [f"1000{number}" for number in range(7)]
    assert sorted(world.contacts) == ["c0", "c1", "c2"]
    found = rows(database, made)
    assert {one.status for one in found.values()} == {"complete"}
    assert {one.target_id for one in found.values()} == {one["id"] for one in world.created}
    assert {one.payload for one in found.values()} == {None}


def test_records_that_memory_no_longer_holds_are_written_as_themselves_beside_those_that_it_does(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "CACHED_RECORDS", 3)
    made = profile(database)
    for number in range(7):
        world.place(f"1000{number}", total=f"{number}.50")
    assert sync.run(database, made).counts["complete"] == 7
    sent = {one["number"]: one for one in world.created}
    assert {number: one["total"] for number, one in sent.items()} == {f"1000{n}": Decimal(f"{n}.50") for n in range(7)}
    assert {one.source_number: one.target_id for one in rows(database, made).values()} == {
        number: one["id"] for number, one in sent.items()
    }


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no such call")
def test_the_threads_of_a_run_keep_to_one_core_and_leave_the_others_alone(database: Database, world: World) -> None:
    made, before = profile(database), os.sched_getaffinity(0)
    kept: list[set[int]] = []
    ways: set[int] = set()

    def look(step: str, number: str) -> None:
        if step == "order before":
            kept.append(os.sched_getaffinity(0))
            ways.add(os.sched_getscheduler(0))

    world.trouble = look
    for number in range(9):
        world.place(f"1000{number}")
    sync.run(database, made)
    assert len(kept) == 9
    assert {len(one) for one in kept} == {1}
    assert set().union(*kept) <= before
    assert os.sched_getaffinity(0) == before
    assert (ways, os.sched_getscheduler(0)) == ({os.SCHED_BATCH}, os.SCHED_OTHER)


def test_a_remark_is_a_sentence_of_its_own_in_the_message(database: Database, world: World) -> None:
    made = profile(database)
    world.place("10000")
    world.remarks["10000"] = "Its rate is not known."
    sync.run(database, made)
    (row,) = rows(database, made).values()
    assert row.message == f"Order {row.target_id} written. Its rate is not known."


def test_a_second_run_sends_nothing(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    before = world.calls["write"]
    result = sync.run(database, made)
    assert world.calls["write"] == before
    assert result.status == "success"
    assert rows(database, made)["1"].status == "complete"


def test_a_touched_but_equal_order_is_not_sent_again(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    before = world.calls["write"]
    world.touch("1")
    result = sync.run(database, made)
    assert (world.calls["write"], result.counts["skipped"]) == (before, 1)
    assert rows(database, made)["1"].status == "complete"


def test_a_changed_order_is_updated(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    world.touch("1", status="paid")
    result = sync.run(database, made)
    assert result.counts["updated"] == 1
    assert rows(database, made)["1"].status == "updated"
    assert [one["status"] for one in world.created] == ["paid"]


def test_replace_reads_everything_and_sends_nothing_twice(database: Database, world: World) -> None:
    made = profile(database, {"api_behaviour": "replace"})
    for number in range(5):
        world.place(str(number))
    sync.run(database, made)
    sync.run(database, made)
    assert len(world.created) == 5


def test_a_filtered_order_is_skipped_naming_the_setting_and_sent_when_the_setting_changes(
    database: Database, world: World
) -> None:
    made = profile(database, {"status_filter": ["paid"]})
    world.place("1")
    result = sync.run(database, made)
    row = rows(database, made)["1"]
    assert (row.status, row.setting, result.counts["skipped"]) == ("skipped", "status_filter", 1)
    with database.session() as session:
        changed = session.get_one(models.Profile, made)
        changed.settings = {"global": {"settle_seconds": 0}, "websites": {}, "stores": {}}
        changed.settings_version += 1
    assert sync.run(database, made).counts["complete"] == 1


def test_a_missing_mapping_stops_the_run_before_the_first_write_and_names_every_value(
    database: Database, world: World
) -> None:
    made = profile(database, {"status_mapping": {"new": 1}})
    for number, status in enumerate(["new", "odd", "strange", "odd"]):
        world.place(str(number), status=status)
    result = sync.run(database, made)
    assert (result.status, result.could_run) == ("error", False)
    assert "'odd'" in result.message
    assert "'strange'" in result.message
    assert world.calls["write"] == 0
    assert {one.status for one in rows(database, made).values()} == {"pending"}
    again = sync.run(database, made)
    assert "'odd'" in again.message, "what was read before is checked too"
    with database.session() as session:
        changed = session.get_one(models.Profile, made)
        changed.settings = {"global": {"settle_seconds": 0}, "websites": {}, "stores": {}}
        changed.settings_version += 1
    assert sync.run(database, made).counts["complete"] == 4


@pytest.mark.parametrize("passing", ["yes", "no"])
def test_what_could_not_be_read_for_a_while_is_asked_for_again_by_the_next_run(
    database: Database, world: World, passing: str
) -> None:
    made = profile(database)
    world.place("10001")
    world.place("10002", broken="order 10002 cannot be read: 500", passing=passing)
    assert sync.run(database, made).counts["failed"] == 1
    del world.orders["10002"]["broken"]  # nothing changed in the order itself: no list tells of it again
    assert sync.run(database, made).counts["complete"] == (1 if passing == "yes" else 0)
    assert rows(database, made)["10002"].status == ("complete" if passing == "yes" else "failed")


def test_one_bad_record_fails_by_name_and_the_rest_goes_on(database: Database, world: World) -> None:
    made = profile(database)
    for number in range(4):
        world.place(str(number))
    del world.orders["2"]["total"]
    world.orders["3"]["broken"] = "order 3 cannot be read: the shop answered 500"
    result = sync.run(database, made)
    assert (result.status, result.counts["complete"], result.counts["failed"]) == ("error", 2, 2)
    found = rows(database, made)
    assert "total is missing" in str(found["2"].message)
    assert "answered 500" in str(found["3"].message)
    world.touch("2", total="5.00")
    world.orders["3"].pop("broken")
    world.touch("3")
    assert sync.run(database, made).counts["complete"] == 2


@pytest.mark.parametrize("step", ["contact", "order", "note"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_after_doubt_nothing_is_created_twice(database: Database, world: World, step: str, moment: str) -> None:
    made = profile(database)
    world.place("1")
    world.trouble = once(InDoubt("no answer", after=0.01), step=f"{step} {moment}")
    result = sync.run(database, made)
    assert result.status == "success", result.message
    assert len(world.created) == 1
    assert len(world.contacts) == 1
    assert rows(database, made)["1"].status == "complete"
    assert rows(database, made)["1"].attempts == 2


def test_a_negative_answer_right_after_doubt_is_not_believed(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync, "PATIENCE_SECONDS", 0.0)
    made = profile(database)
    world.place("1")
    world.lag = 3600
    world.trouble = once(InDoubt("no answer", after=0.01))
    sync.run(database, made)
    import time

    time.sleep(0.05)
    sync.run(database, made)
    row = rows(database, made)["1"]
    assert world.created == []
    assert row.status == "pending"
    assert "looked up again" in str(row.message)


def test_attempts_are_limited_and_the_next_run_tries_again(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")

    def trouble(step: str, number: str) -> None:
        if step == "order before":
            raise RetryLater("the desk is busy", after=0.01)

    world.trouble = trouble
    result = sync.run(database, made)
    row = rows(database, made)["1"]
    assert (result.status, row.status, row.attempts) == ("error", "failed", 3)
    world.trouble = lambda step, number: None
    assert sync.run(database, made).counts["complete"] == 1


def test_a_record_that_needs_a_person_is_not_retried_by_itself(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    world.trouble = once(RecordFailed("order 1: the desk refuses the name 'X'"))
    sync.run(database, made)
    sync.run(database, made)
    row = rows(database, made)["1"]
    assert (row.status, row.attempts) == ("failed", 1)
    with database.session() as session:
        assert history.retry(session, [row.id], "anna") == 1
    assert sync.run(database, made).counts["complete"] == 1


def test_put_back_reads_the_record_afresh_and_creates_nothing_new(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    with database.session() as session:
        history.put_back(session, [rows(database, made)["1"].id], "anna")
    result = sync.run(database, made)
    assert (result.counts["updated"], len(world.created)) == (1, 1)


def test_wrong_credentials_stop_the_run_and_mark_the_connection(database: Database, world: World) -> None:
    made = profile(database)
    for number in range(20):
        world.place(str(number))
    world.trouble = once(AccessDenied("desk of Order export: the password is wrong"), step="contact before")
    result = sync.run(database, made)
    assert (result.status, result.could_run) == ("error", False)
    assert "failed" not in {one.status for one in rows(database, made).values()}
    with database.reading() as session:
        desk = session.query(models.Connection).filter_by(name="desk of Order export").one()
        assert desk.check_ok is False


def test_a_run_heals_a_connection_that_was_refused_but_not_one_that_lacks_a_right(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = profile(database)
    with database.reading() as session:
        desk = session.query(models.Connection).filter_by(name="desk of Order export").one().id

    def healthy() -> bool | None:
        sync.run(database, made)
        with database.reading() as session:
            return session.get_one(models.Connection, desk).check_ok

    wiring.mark(database, desk, False, "It refused us.")
    assert healthy()
    tested = [Finding(name="Host", ok=True, message="."), Finding(name="Documents", ok=False, message="Grant it.")]
    monkeypatch.setattr(Desk, "check", lambda self: tested)
    wiring.check_connection(database, desk)
    assert not healthy()


def test_a_closed_system_uses_up_no_attempts(database: Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = profile(database)
    for number in range(20):
        world.place(str(number))

    def trouble(step: str, number: str) -> None:
        if step != "read":
            raise Unreachable("the desk does not answer")

    world.trouble = trouble
    result = sync.run(database, made)
    assert result.status == "error"
    assert "wait for the next run" in result.message
    assert {one.status for one in rows(database, made).values()} == {"pending"}
    assert max(one.tries for one in rows(database, made).values()) == 0
    assert world.calls["write"] < 20


def test_a_broken_page_moves_no_mark_and_loses_nothing(database: Database, world: World) -> None:
    made = profile(database, {"page_size": 2})
    for number in range(6):
        world.place(str(number))
    left = [None, StopRun("the shop is closed")]

    def trouble(step: str, number: str) -> None:
        if step == "read" and left and (error := left.pop(0)) is not None:
            raise error

    world.trouble = trouble
    assert sync.run(database, made).status == "error"
    with database.reading() as session:
        assert session.get_one(models.Profile, made).mark is None
    assert sorted(one["number"] for one in world.created) == ["0", "1"], "what was stored is sent all the same"
    assert sync.run(database, made).counts["complete"] == 4
    assert len(world.created) == 6


def test_a_run_that_died_in_the_middle_is_taken_over(database: Database, world: World) -> None:
    """The row says processing by a worker that is gone: its outcome is in doubt, so it is found and not created."""
    made = profile(database)
    world.place("1")

    class Killed(BaseException):
        pass

    def trouble(step: str, number: str) -> None:
        if step == "order after":
            raise Killed

    world.trouble = trouble
    with pytest.raises(Killed):
        sync.run(database, made)
    assert rows(database, made)["1"].status == "processing"
    world.trouble = lambda step, number: None
    assert sync.run(database, made).counts["complete"] == 1
    assert len(world.created) == 1


def test_a_worker_that_lost_its_row_changes_nothing(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")

    def trouble(step: str, number: str) -> None:
        if step == "order before":
            with database.session() as session:
                session.query(models.SyncRecord).update({"worker": "another"})

    world.trouble = trouble
    sync.run(database, made)
    row = rows(database, made)["1"]
    assert (row.status, row.worker, row.target_id) == ("processing", "another", None)


def test_a_single_order_can_be_run_by_its_number(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    world.place("2")
    result = sync.run(database, made, order="2")
    assert result.counts["complete"] == 1
    assert [one["number"] for one in world.created] == ["2"]
    missing = sync.run(database, made, order="3")
    assert (missing.could_run, "3 was not found" in missing.message) == (False, True)
    assert sync.run(database, made).counts["complete"] == 1


def test_a_dry_run_sends_and_stores_nothing(database: Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = profile(database, {"status_filter": ["new"]})
    world.place("1")
    world.place("2", status="paid")
    monkeypatch.setattr("tests.profiles.memory.DeskOrders._send", lambda self, step, number, change, answer: answer)
    result = sync.run(database, made, dry_run=True)
    assert world.created == []
    assert rows(database, made) == {}
    assert [(one["source_number"], one["action"]) for one in result.plan] == [("1", "create"), ("2", "skip")]


def test_a_dry_run_plans_what_was_put_back(database: Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its payload was dropped when it was done: the dry run reads it anew, as the real one would."""
    made = profile(database)
    world.place("1")
    for number in range(2, 9):
        world.place(str(number))
    sync.run(database, made)
    with database.session() as session:
        history.put_back(session, [rows(database, made)["1"].id], "anna")
    before = world.calls["write"]
    monkeypatch.setattr("tests.profiles.memory.DeskOrders._send", lambda self, step, number, change, answer: answer)
    result = sync.run(database, made, dry_run=True)
    assert [(one["source_number"], one["action"]) for one in result.plan] == [("1", "up to date")]
    assert world.calls["write"] == before


def test_a_dry_run_says_that_nothing_would_be_sent_where_no_call_follows(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = profile(database)
    for number in ("1", "2"):
        world.place(number)
    sync.run(database, made)
    with database.session() as session:
        history.put_back(session, [row.id for row in rows(database, made).values()], "anna")

    def send(self: Any, step: str, number: str, change: Any, answer: str) -> str:
        if number == "2":
            self.client.call("PUT", f"/{step}", body={"number": number})
        return answer

    monkeypatch.setattr("tests.profiles.memory.DeskOrders._send", send)
    result = sync.run(database, made, dry_run=True)
    told = {one["source_number"]: (one["action"], len(one["calls"])) for one in result.plan}
    assert told["1"] == ("up to date", 0)
    assert told["2"][0] == "update"
    assert result.message == "Dry run, nothing was sent: 1 updated, 1 up to date."
    assert (result.counts["updated"], result.counts["up to date"]) == (1, 1)


def test_a_deleted_records_history_never_comes_back(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    with database.session() as session:
        session.query(models.SyncRecord).delete()
    world.place("2")
    sync.run(database, made, order="2")
    with database.reading() as session:
        told = history.stories(session, "2")[0]
    assert {line.source_number for line in told.history} == {"2"}


def test_settling_defers_a_new_order(database: Database, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    made = profile(database, {"settle_seconds": 60})
    world.place("1")
    from datetime import UTC, datetime

    monkeypatch.setattr("tests.profiles.memory.START", datetime.now(UTC))
    result = sync.run(database, made)
    row = rows(database, made)["1"]
    assert (row.status, result.counts["pending"], world.created) == ("pending", 1, [])
    assert row.next_attempt_at is not None


def test_a_dry_run_leaves_what_has_not_settled_unless_a_person_asks_for_it(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = profile(database, {"settle_seconds": 60})
    world.place("1")
    from datetime import UTC, datetime

    monkeypatch.setattr("tests.profiles.memory.START", datetime.now(UTC))
    monkeypatch.setattr("tests.profiles.memory.DeskOrders._send", lambda self, step, number, change, answer: answer)
    planned = sync.run(database, made, dry_run=True)
    (line,) = planned.plan
    assert (line["action"], line["setting"], line["calls"]) == ("pending", "settle_seconds", [])
    assert line["message"].startswith("Waits until it has settled")
    assert (planned.counts["pending"], planned.counts["complete"], planned.could_run) == (1, 0, True)
    asked = sync.run(database, made, dry_run=True, order="1")
    (line,) = asked.plan
    assert line["action"] == "create"
    assert "A run by the clock would leave it for now: Waits until it has settled" in line["message"]
    assert (asked.counts["pending"], asked.counts["complete"]) == (0, 1)


def test_a_plan_shows_numbers_as_they_are_sent(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(self: Any, step: str, number: str, change: Any, answer: str) -> str:
        self.client.call("POST", f"/{step}", body={"quantity": Decimal("2"), "price": Decimal("10.50"), "id": "7"})
        return answer

    made = profile(database)
    world.place("1")
    monkeypatch.setattr("tests.profiles.memory.DeskOrders._send", send)
    (line,) = sync.run(database, made, dry_run=True).plan
    assert json.dumps(line["calls"][0]["body"]) == '{"quantity": 2, "price": 10.5, "id": "7"}'


ODD = ("1\0", "1\ufffd", "9" * 300, "9" * 299 + "8", "x\ud800", "x\ud801", "plain")


def test_odd_numbers_statuses_and_customers_are_stored_and_stay_apart(database: Database, world: World) -> None:
    made = profile(database, {"page_size": 50})
    for at, number in enumerate(ODD):
        world.place(number, status=f"{number}\0{'s' * 100}", customer=f"c{at}", total="1" * (at + 36))
    result = sync.run(database, made)
    assert (result.status, result.counts["complete"]) == ("success", len(ODD))
    assert sorted(one["number"] for one in world.created) == sorted(ODD)
    before = world.calls["write"]
    for number in ODD:
        world.touch(number)
    again = sync.run(database, made)
    assert (again.counts["skipped"], world.calls["write"]) == (len(ODD), before)
    with database.reading() as session:
        keys = [one.source_id for one in session.query(models.SyncRecord)]
        assert len(set(keys)) == len(ODD)
        assert max(map(len, keys)) <= 128


def test_who_takes_over_a_shared_id_from_a_holder_that_died_doubts_from_then_on(
    database: Database, world: World
) -> None:
    """It began in doubt itself, waited, found nothing and created: what it created may be younger than any index."""
    profile(database)
    with database.session() as session:
        to = session.scalars(select(models.Connection.id)).first()
    assert to is not None
    long_ago = db.now() - timedelta(hours=1)
    for holder in (me().rpartition(":")[0] + ":1.00", None):  # of a process that is gone; of one that let go in doubt
        values = {"holder": holder, "held_until": db.now() + timedelta(hours=1), "doubt_at": long_ago}
        with database.session() as session:
            session.add(models.Link(connection_id=to, kind="contact", key=str(holder), updated_at=long_ago, **values))
        with Links(database, to, threading.Event()).hold("contact", str(holder)) as link:
            assert link.doubt
            assert (link.doubt_age < 60) == (holder is not None)


@pytest.mark.parametrize("status", ["pro\0cessing", "x\ud800"])
def test_a_status_that_nobody_can_map_stops_its_own_order_only(database: Database, world: World, status: str) -> None:
    made = profile(database, {"status_mapping": {"new": 1}})
    world.place("1")
    world.place("2", status=status)
    result = sync.run(database, made)
    assert (result.counts["complete"], result.counts["failed"]) == (1, 1)
    assert "is not mapped" in (rows(database, made)["2"].message or "")


@pytest.mark.parametrize("key", ["12345:guest:" + "a" * 400 + "@x.de", "1:guest:a\0b@x.de", "1:guest:\ud800@x.de"])
def test_a_link_with_an_odd_key_is_kept_and_found(database: Database, world: World, key: str) -> None:
    made = profile(database)
    with database.reading() as session:
        to = session.get_one(models.Profile, made).to_id
    for at, one in enumerate((key, f"{key[:-1]}x", f"{key}x")):
        with Links(database, to, threading.Event()).hold("contact", one) as link:
            assert link.id is None
            link.learn(str(at))
    assert Links(database, to, threading.Event()).find("contact", key) == "0"
    assert Links(database, to, threading.Event()).find("contact", f"{key}x") == "2"


@pytest.mark.parametrize("version", ["2026-01-01" + "x" * 200, "1\0", "1\ud800"])
def test_an_odd_version_is_stored_and_known_again(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    found = ShopOrders._found
    monkeypatch.setattr(ShopOrders, "_found", lambda self, order: replace(found(self, order), version=version))
    made = profile(database)
    world.place("1")
    assert sync.run(database, made).counts["complete"] == 1
    again = sync.run(database, made)
    assert (again.counts["skipped"], again.counts["complete"], again.status) == (0, 0, "success")  # not even looked at


def test_a_record_that_cannot_be_stored_fails_by_name_and_the_rest_of_its_page_goes_on(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Ledger.store

    def refusing(self: Ledger, transaction: Any, found: Any, row: Any, decision: Any) -> None:
        if found.number == "2" and found.payload is not None:
            found = replace(found, key=None)  # a column that may not be empty
        store(self, transaction, found, row, decision)

    monkeypatch.setattr(Ledger, "store", refusing)
    made = profile(database, {"page_size": 10})
    for number in ("1", "2", "3"):
        world.place(number)
    result = sync.run(database, made)
    assert (result.counts["complete"], result.counts["failed"]) == (2, 1)
    failed = rows(database, made)["2"]
    assert failed.status == "failed"
    assert failed.message
    assert failed.message.startswith("order 2: it cannot be stored as it was received (IntegrityError)")


@pytest.mark.parametrize("verb", ["check", "prepare"])
def test_a_fault_in_looking_ahead_stops_no_other_record(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    def broken(self: Any, given: Any, options: Any) -> list[str]:
        numbers = [given.number] if verb == "check" else [one.number for one in given]
        return [] if "2" not in numbers else {}["a fault of ours"]

    monkeypatch.setattr(DeskOrders, verb, broken)
    made = profile(database)
    for number in ("1", "2", "3"):
        world.place(number)
    result = sync.run(database, made)
    assert result.counts["complete"] == (2 if verb == "check" else 3)
    assert result.counts["failed"] == (1 if verb == "check" else 0)


def test_a_run_that_lost_its_place_neither_stores_nor_sends(database: Database, world: World) -> None:
    made = profile(database, {"workers": 1})
    for number in ("1", "2"):
        world.place(number)
    left = [True] * 3  # it begins, stores its page, takes its first record

    def may_write() -> None:
        if not left:
            raise StopRun("Another run may have taken its place.")
        left.pop()

    result = sync.run(database, made, may_write=may_write)
    assert (result.status, result.could_run) == ("error", False)
    assert result.message.startswith("Another run may have taken its place.")
    assert [one["number"] for one in world.created] == ["1"]
    assert rows(database, made)["2"].status == "pending"
    assert sync.run(database, made, may_write=may_write).message == "Another run may have taken its place."


def test_what_another_run_is_writing_is_not_put_back_by_one_that_only_read(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    world.touch("1", status="paid")

    def trouble(step: str, number: str) -> None:
        if step == "read":
            with database.session() as session:
                session.query(models.SyncRecord).update({"status": "processing", "worker": "another"})

    world.trouble = trouble
    result = sync.run(database, made)
    assert (result.status, result.could_run) == ("error", False)
    assert "Another run has taken over" in result.message
    row = rows(database, made)["1"]
    assert (row.status, row.worker) == ("processing", "another")


def test_a_stop_ends_after_the_current_record_and_the_rest_stays_pending(database: Database, world: World) -> None:
    made = profile(database, {"workers": 1})
    for number in range(10):
        world.place(str(number))
    stop = threading.Event()
    world.trouble = lambda step, number: stop.set() if step == "order after" else None
    sync.run(database, made, stop=stop)
    assert len(world.created) == 1
    assert sync.run(database, made).counts["complete"] == 9


@pytest.mark.parametrize("seed", range(3))
def test_many_workers_and_random_trouble_converge_to_one_target_per_source(
    database: Database, world: World, seed: int
) -> None:
    print(f"seed {seed}")
    chance = random.Random(seed)
    made = profile(database, {"workers": 8, "batch_size": 20})
    for number in range(60):
        world.place(str(number), customer=f"c{number % 5}")

    def trouble(step: str, number: str) -> None:
        with world.guard:
            draw = chance.random()
        if step != "read" and draw < 0.2:
            raise InDoubt(f"no answer at {step}", after=0.01)

    world.trouble = trouble
    for _ in range(12):
        if {one.status for one in rows(database, made).values()} == {"complete"}:
            break
        sync.run(database, made)
    assert {one.status for one in rows(database, made).values()} == {"complete"}
    assert len(world.created) == len({one["number"] for one in world.created}) == 60
    assert sorted(world.contacts) == ["c0", "c1", "c2", "c3", "c4"]
    assert world.overlaps == []


@pytest.fixture(autouse=True)
def closed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    fresh()


def test_what_failed_is_tried_anew_when_the_settings_changed_and_only_then(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    world.trouble = once(RecordFailed("order 1: warehouse 99999 does not exist"))
    assert sync.run(database, made).counts["failed"] == 1
    assert sync.run(database, made).counts["failed"] == 0
    assert rows(database, made)["1"].status == "failed"
    with database.session() as session:
        session.get_one(models.Profile, made).settings_version += 1
    result = sync.run(database, made)
    assert (result.status, result.counts["complete"]) == ("success", 1)
    assert len(world.created) == 1


def test_a_dry_run_of_a_sent_record_shows_what_differs_and_the_totals(database: Database, world: World) -> None:
    made = profile(database)
    world.place("1")
    assert sync.run(database, made).counts["complete"] == 1
    planned = sync.run(database, made, dry_run=True, order="1")
    (line,) = planned.plan
    assert line["action"] == "skip"
    assert line["message"].startswith("Nothing changed since it was written")
    assert {"totals", "calls", "scope"} <= set(line)
    assert planned.counts["updated"] == 0


def test_each_id_is_committed_before_the_next_call(database: Database, world: World) -> None:
    made = profile(database)
    seen: dict[str, Any] = {}

    def look(at: str, number: str) -> None:
        if at == "order before":
            with database.reading() as session:
                seen[f"contact of {number}"] = [one.remote_id for one in session.query(models.Link)]
        if at == "note before":
            seen[number] = rows(database, made)[number].target_id

    world.trouble = look  # type: ignore[method-assign]
    world.place("1")
    world.place("2")
    assert sync.run(database, made).counts["complete"] == 2
    assert seen["contact of 1"] == ["anna"]
    assert {number: one.target_id for number, one in rows(database, made).items()} == {
        number: seen[number] for number in ("1", "2")
    }


def test_the_commit_that_ends_a_record_begins_the_next(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    run_all = db._run_all

    def counted(units: Any, transaction: Any) -> None:
        commits.append(len(units))
        run_all(units, transaction)

    monkeypatch.setattr(db, "_run_all", counted)
    made = profile(database, {"status_mapping": {"new": 1}, "workers": 1})
    world.place("0")
    assert sync.run(database, made).counts["complete"] == 1
    commits.clear()
    for number in range(1, 11):
        world.place(str(number))
    assert sync.run(database, made).counts["complete"] == 10
    assert len(commits) == 22  # the page; the first claim; of each order its id before the note, and its end
    lines = {line.record_id for line in history_of(database)}
    assert len(lines) == 11


def history_of(database: Database) -> list[models.SyncHistory]:
    with database.reading() as session:
        return session.query(models.SyncHistory).filter_by(status="complete").all()


def test_a_fault_of_the_database_ends_the_batch_for_all_threads(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Ledger.finish
    asked: list[str] = []

    def broken(self: Ledger, row: Any, *given: Any, **more: Any) -> Any:
        asked.append(row.source_number)
        if row.source_number == "3":
            raise DatabaseTrouble("The disk is full.")
        return finish(self, row, *given, **more)

    monkeypatch.setattr(Ledger, "finish", broken)
    made = profile(database, {"status_mapping": {"new": 1}, "workers": 2})
    for number in range(1, 41):
        world.place(str(number))
    assert "disk is full" in sync.run(database, made).message
    assert len(asked) < 20
    monkeypatch.setattr(Ledger, "finish", finish)
    assert sync.run(database, made).status == "success"
    assert sorted(one["number"] for one in world.created) == sorted(str(number) for number in range(1, 41))


def twin(database: Database, made: int, name: str = "Its double") -> int:
    """A second profile of the same kind between the same connections, as *Duplicate* makes it."""
    with database.session() as session:
        row = session.get_one(models.Profile, made)
        columns = (
            one.name for one in models.Profile.__table__.columns if one.name not in ("id", "name", "mark", "read_at")
        )
        copy = models.Profile(name=name, **{name: getattr(row, name) for name in columns})
        session.add(copy)
        session.flush()
        return int(copy.id)


def delete_profile(database: Database, made: int) -> None:
    with database.session() as session:
        row = session.get_one(models.Profile, made)
        ledger.keep_written(session, row)
        session.delete(row)


def test_what_another_profile_of_the_kind_wrote_is_not_written_a_second_time(database: Database, world: World) -> None:
    made = profile(database)
    for number in ("1", "2"):
        world.place(number)
    sync.run(database, made)
    second = twin(database, made)
    world.place("3")
    result = sync.run(database, second)
    assert (result.status, result.counts["skipped"], result.counts["complete"]) == ("success", 2, 1)
    assert "(profile Order export) and is not sent there a second time" in str(rows(database, second)["1"].message)
    sync.run(database, made)
    assert sorted(one["number"] for one in world.created) == ["1", "2", "3"]


def test_what_another_profile_may_have_written_is_found_before_it_is_written(database: Database, world: World) -> None:
    made = profile(database, {"retry_max_attempts": 1})
    world.place("1")
    world.trouble = once(InDoubt("no answer"), step="order after")
    sync.run(database, made)
    assert rows(database, made)["1"].doubt_at is not None
    second = twin(database, made)
    assert sync.run(database, second).status == "success"
    assert rows(database, second)["1"].status == "complete"
    assert sync.run(database, made).status == "success"
    assert rows(database, made)["1"].status == "skipped"
    assert len(world.created) == 1


def test_what_the_killed_run_of_another_profile_was_writing_is_found_before_it_is_written(
    database: Database, world: World
) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    with database.session() as session:
        killed = {"status": "processing", "target_id": None, "refs": {}, "digest": None}
        session.query(models.SyncRecord).filter_by(profile_id=made).update(killed)
    second = twin(database, made)
    sync.run(database, second)
    assert rows(database, second)["1"].status == "complete"
    assert len(world.created) == 1


def test_a_profile_that_is_made_anew_does_not_write_again_what_the_deleted_one_wrote(
    database: Database, world: World
) -> None:
    made = profile(database)
    world.place("1")
    sync.run(database, made)
    world.place("2")
    world.trouble = once(InDoubt("no answer"), step="order after")
    with database.session() as session:
        session.get_one(models.Profile, made).settings = {"global": {"retry_max_attempts": 1}}
    sync.run(database, made)
    second = twin(database, made)
    delete_profile(database, made)
    world.place("3")
    result = sync.run(database, second)
    assert (result.counts["skipped"], result.counts["complete"]) == (1, 2)
    assert rows(database, second)["1"].message == "Taken over from profile Order export, which was deleted."
    assert {one.status for one in rows(database, second).values()} == {"complete"}
    assert [one["number"] for one in world.created] == ["1", "2", "3"]
    third = twin(database, second, "A third")
    delete_profile(database, second)
    sync.run(database, third)
    assert {one.status for one in rows(database, third).values()} == {"complete"}
    assert len(world.created) == 3


def test_what_changes_of_a_record_of_a_deleted_profile_arrives_by_the_one_that_is_made_anew(
    database: Database, world: World
) -> None:
    made = profile(database)
    for number in ("1", "2"):
        world.place(number)
    sync.run(database, made)
    second = twin(database, made)
    sync.run(database, second)
    before = rows(database, made)["1"]
    delete_profile(database, made)
    world.place("1", status="paid")
    result = sync.run(database, second)
    assert (result.counts["updated"], len(world.created)) == (1, 2)
    after = rows(database, second)["1"]
    assert (after.status, after.target_id, after.source_status) == ("updated", before.target_id, "paid")
    assert (rows(database, second)["2"].amount, rows(database, second)["2"].status) == (before.amount, "complete")


def test_what_a_profile_wrote_is_not_written_again_when_it_is_deleted_during_the_run_of_another(
    database: Database, world: World
) -> None:
    made = profile(database, {"page_size": 2})
    for number in ("1", "2", "3", "4"):
        world.place(number)
    sync.run(database, made)
    second = twin(database, made)
    deleted: list[str] = []

    def delete_once(step: sync.Progress) -> None:
        if step.text == "Reading" and not deleted:  # the first page of two was stored
            deleted.append(step.text)
            delete_profile(database, made)

    sync.run(database, second, progress=delete_once)
    assert deleted
    assert {one.status for one in rows(database, second).values()} == {"skipped"}
    assert len(world.created) == 4


def test_what_a_deleted_profile_left_unfinished_is_finished_by_another_that_had_left_it_alone(
    database: Database, world: World
) -> None:
    made = profile(database, {"retry_max_attempts": 1})
    world.place("1")
    world.place("2")
    world.trouble = once(InDoubt("no answer"), step="note after")
    sync.run(database, made)
    second = twin(database, made)
    sync.run(database, second)
    assert {one.status for one in rows(database, second).values()} == {"skipped"}
    delete_profile(database, made)
    assert sync.run(database, second).counts["complete"] == 1
    assert {one.status for one in rows(database, second).values()} == {"complete"}
    assert len(world.created) == 2
