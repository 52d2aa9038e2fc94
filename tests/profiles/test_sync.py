"""The flow, on two systems in memory."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connector import AccessDenied, InDoubt, RecordFailed, RetryLater, StopRun, Unreachable
from profiles import history, models, sync
from profiles.db import Database
from tests.profiles.memory import World, fresh, profile, rows


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
    assert [one["number"] for one in world.created] == ["0", "1"], "what was stored is sent all the same"
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
    assert [(one["source_number"], one["action"]) for one in result.plan] == [("1", "update")]
    assert world.calls["write"] == before


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
