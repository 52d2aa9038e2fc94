"""What is too old or too much goes; what waits, runs or is the state of a record stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from profiles.db import Database
from profiles.models import DataLog, Heartbeat, Shared, SyncHistory, SyncRecord, Task, TaskHistory
from profiles.workers import me
from scheduler import housekeeping
from tests.scheduler.conftest import NINE, all_tasks, minutes

OLD = NINE - timedelta(days=400)


def number(database: Database, table: type) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def add_lines(database: Database, profile_id: int, count: int, at: object) -> None:
    line = {"profile_id": profile_id, "status": "success", "action": "a", "created_at": at, "performed_at": at}
    with database.session() as session:
        session.execute(insert(TaskHistory), [line] * count)


def test_old_rows_go_from_every_log(database: Database, profile_id: int) -> None:
    add_lines(database, profile_id, 4500, OLD)
    with database.session() as session:
        call = {"connection_id": 1, "identifier": "x", "path": "/", "method": "GET", "seconds": 0.1, "created_at": OLD}
        session.execute(insert(DataLog), [call, {**call, "created_at": NINE}])
        story = {"profile_id": profile_id, "record_id": 1, "source_id": "1", "status": "failed", "direction": "export"}
        session.execute(insert(SyncHistory), [{**story, "created_at": OLD}, {**story, "created_at": NINE}])
    gone = housekeeping.clean(database, NINE)
    assert (gone["task_history"], gone["data_log"], gone["sync_history"]) == (4500, 1, 1)
    assert (number(database, TaskHistory), number(database, DataLog), number(database, SyncHistory)) == (1, 1, 1)


def test_tasks_that_wait_or_run_are_never_deleted(
    database: Database, profile_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_KEEP_TASK_ROWS", "1")
    base = {"profile_id": profile_id, "job_code": "a", "created_at": OLD, "finished_at": None}
    rows = [
        {**base, "status": status, "scheduled_at": OLD + minutes(number)}
        for number, status in enumerate(["pending", "processing"])
    ] + [
        {**base, "status": status, "scheduled_at": OLD + minutes(10 + number), "finished_at": OLD}
        for number, status in enumerate(["success", "error", "missed"])
    ]
    with database.session() as session:
        session.execute(insert(Task), rows)
    assert housekeeping.clean(database, NINE, age=False)["task"] == 2
    assert housekeeping.clean(database, NINE)["task"] == 1
    assert sorted(one.status for one in all_tasks(database)) == ["pending", "pending", "processing"]


def test_beyond_the_number_the_oldest_go(database: Database, profile_id: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_KEEP_TASK_HISTORY_ROWS", "100")
    add_lines(database, profile_id, 250, NINE)
    assert housekeeping.clean(database, NINE, age=False)["task_history"] == 151
    with database.reading() as session:
        assert session.scalar(select(func.min(TaskHistory.id))) == 152
    assert housekeeping.clean(database, NINE, age=False)["task_history"] == 0


def test_nothing_goes_where_the_limit_is_zero(
    database: Database, profile_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_KEEP_TASK_HISTORY_DAYS", "0")
    monkeypatch.setenv("CONNECTOR_KEEP_TASK_HISTORY_ROWS", "0")
    add_lines(database, profile_id, 10, OLD)
    assert housekeeping.clean(database, NINE)["task_history"] == 0


def test_a_limit_that_is_no_number_is_refused_by_name(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_KEEP_DATA_LOG_DAYS", "two weeks")
    with pytest.raises(housekeeping.BadLimit, match="CONNECTOR_KEEP_DATA_LOG_DAYS is 'two weeks'"):
        housekeeping.clean(database, NINE)


def test_sync_records_stay_however_old(database: Database, profile_id: int) -> None:
    with database.session() as session:
        row = {"profile_id": profile_id, "source_id": "1", "status": "complete", "created_at": OLD, "updated_at": OLD}
        session.execute(insert(SyncRecord), [row])
    housekeeping.clean(database, NINE)
    assert number(database, SyncRecord) == 1


def test_locks_that_expired_long_ago_go_and_facts_stay(database: Database, profile_id: int) -> None:
    rows = [
        Shared(connection_id=1, key="lock:old", holder="gone", held_until=OLD),
        Shared(connection_id=1, key="lock:new", holder="there", held_until=NINE + minutes(1)),
        Shared(connection_id=1, key="token", value="sealed", version=3, holder="gone", held_until=OLD),
        Shared(connection_id=1, key="empty", value=None, version=2),
    ]
    with database.session() as session:
        session.add_all(rows)
    assert housekeeping.clean(database, NINE)["lock"] == 2
    with database.reading() as session:
        left = {row.key: row.holder for row in session.scalars(select(Shared))}
    assert left == {"lock:new": "there", "token": None, "empty": None}


def test_clocks_that_stopped_are_forgotten(database: Database) -> None:
    with database.session() as session:
        session.add(Heartbeat(host="long ago", beat_at=OLD, started_at=OLD))
        session.add(Heartbeat(host=me(), beat_at=NINE, started_at=NINE))
    assert housekeeping.clean(database, NINE)["heartbeat"] == 1


def test_the_last_beat_of_all_is_kept(database: Database) -> None:
    with database.session() as session:
        session.add(Heartbeat(host="long ago", beat_at=OLD, started_at=OLD))
        session.add(Heartbeat(host="before", beat_at=OLD - minutes(1), started_at=OLD))
    assert housekeeping.clean(database, NINE)["heartbeat"] == 1
    with database.reading() as session:
        assert [row.host for row in session.scalars(select(Heartbeat))] == ["long ago"]
