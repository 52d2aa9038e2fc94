"""A filter decides what is exported anew, never whether what was exported is kept up to date; and whose a target is."""

from __future__ import annotations

from typing import Any

import pytest

from connector import InDoubt, SkipRecord
from profiles import models, sync
from profiles.db import Database
from profiles.ledger import Ledger
from tests.profiles import memory
from tests.profiles.memory import World, fresh, profile, rows
from tests.profiles.test_sync import once

FILTER = {"status_filter": ["new"]}


@pytest.fixture
def world() -> World:
    return fresh()


@pytest.fixture(autouse=True)
def only_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.random, "uniform", lambda low, high: 0.01)

    def admits(self: Any, record: Any, options: Any) -> None:
        if options.status_filter and record.status not in options.status_filter:
            raise SkipRecord(f"Status '{record.status}' is not processed", setting="status_filter", only_new=True)

    monkeypatch.setattr(memory.ShopOrders, "admits", admits)


def test_an_exported_order_is_kept_up_to_date_although_a_filter_leaves_its_status_out(
    database: Database, world: World
) -> None:
    made = profile(database, FILTER)
    world.place("1")
    sync.run(database, made)
    world.touch("1", status="canceled")
    world.place("2", status="canceled")
    planned = sync.run(database, made, dry_run=True).plan
    assert {one["source_number"]: one["action"] for one in planned} == {"1": "up to date", "2": "skip"}
    result = sync.run(database, made)
    assert (result.counts["updated"], result.counts["skipped"]) == (1, 1)
    assert [one["status"] for one in world.created] == ["canceled"]
    assert rows(database, made)["2"].setting == "status_filter"


def test_its_status_needs_no_mapping_and_stops_no_run(database: Database, world: World) -> None:
    made = profile(database, {**FILTER, "status_mapping": {"new": 1}})
    world.place("1")
    sync.run(database, made)
    world.touch("1", status="canceled")
    world.place("3")
    result = sync.run(database, made)
    assert (result.status, result.counts["updated"], result.counts["complete"]) == ("success", 1, 1)


def test_one_that_waits_from_an_earlier_run_stops_no_run_either(database: Database, world: World) -> None:
    made = profile(database, {**FILTER, "status_mapping": {"new": 1}})
    world.place("1")
    sync.run(database, made)
    with database.session() as session:
        session.query(models.SyncRecord).filter_by(profile_id=made).update({"status": "pending"})
    world.orders["1"]["status"] = "canceled"
    result = sync.run(database, made)
    assert (result.status, result.counts["updated"]) == ("success", 1)


def test_one_that_may_have_been_created_by_an_attempt_in_doubt_is_shown_to_a_person(
    database: Database, world: World
) -> None:
    made = profile(database, {**FILTER, "retry_max_attempts": 1})
    world.place("1")
    world.trouble = once(InDoubt("no answer"), step="order after")
    sync.run(database, made)
    world.touch("1", status="canceled")
    sync.run(database, made)
    row = rows(database, made)["1"]
    assert (row.status, row.setting) == ("failed", "status_filter")
    assert "may have created it in desk of Order export" in str(row.message)


def test_a_target_is_taken_by_any_profile_to_the_same_connection(database: Database, world: World) -> None:
    first, other = profile(database), profile(database, name="Second shop")
    world.place("1")
    sync.run(database, first)
    row = rows(database, first)["1"]
    key = str(row.target_id)

    def taken(of: int, row_id: int | None) -> bool:
        return Ledger(database, of, "export", "me", None).taken(key, row_id)

    assert (taken(first, None), taken(first, row.id), taken(first, row.id + 1)) == (True, False, True)
    assert not taken(other, None)  # another desk: its numbers are its own
    with database.session() as session:
        session.get_one(models.Profile, other).to_id = session.get_one(models.Profile, first).to_id
    assert taken(other, None)
    with database.session() as session:
        session.get_one(models.Profile, other).entity = "return"
    assert not taken(other, None)


def test_a_target_learns_what_is_taken_and_whether_it_was_finished(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = profile(database, {"workers": 1})
    world.place("1")
    seen: list[tuple[bool, bool]] = []
    real = memory.DeskOrders._write

    def write(self: Any, record: Any, known: Any) -> Any:
        seen.append((known.finished, known.taken(world.created[0]["id"]) if world.created else False))
        return real(self, record, known)

    monkeypatch.setattr(memory.DeskOrders, "_write", write)
    sync.run(database, made)
    world.touch("1", status="paid")
    world.place("2")
    sync.run(database, made, dry_run=True)
    sync.run(database, made)
    assert seen == [(False, False), (True, False), (False, True), (True, False), (False, True)]
