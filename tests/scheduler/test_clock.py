"""The clock ticks, whatever happens, and hands out what is due."""

from __future__ import annotations

import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from profiles import db
from profiles.db import Database, DatabaseTrouble, now
from profiles.models import Heartbeat, Profile, Task
from scheduler import clock as clocks
from scheduler import tasks
from scheduler.clock import Clock
from tests.scheduler.conftest import add_profile, all_tasks
from tests.scheduler.test_tasks import killed_worker
from tests.scheduler.test_worker import wait_until


class Runs:
    """Takes the place of the worker: claims, waits until it may end, finishes."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.go = threading.Event()
        self.go.set()

    def __call__(self, database: Database, task_id: int, *, stop: threading.Event) -> int | None:
        with database.session() as session:
            epoch = tasks.claim(session, task_id, "worker")
        if epoch is None:
            return None
        self.begun.append(task_id)
        while not self.go.is_set() and not stop.wait(0.02):
            pass
        with database.session() as session:
            tasks.finish(session, task_id, epoch, "success", "Done.")
        self.ended.append(task_id)
        return epoch


@pytest.fixture
def runs() -> Runs:
    return Runs()


@pytest.fixture
def clock(database: Database, runs: Runs) -> Iterator[Clock]:
    made = Clock(database, workers=2, perform=runs)
    yield made
    runs.go.set()
    made.stop(10)


def asked(database: Database, count: int) -> list[int]:
    found = []
    for number in range(count):
        profile_id = add_profile(database, f"p{number}", at=now(), active=False)
        with database.session() as session:
            found.append(tasks.ask(session, session.get_one(Profile, profile_id), "ann").id)
    return found


def test_it_runs_what_is_due(database: Database, clock: Clock, runs: Runs) -> None:
    found = asked(database, 5)
    clock.start()
    wait_until(lambda: sorted(runs.ended) == found)
    assert {one.status for one in all_tasks(database)} == {"success"}
    assert clock.alive()
    assert clock.tick_age() < 5


def test_a_cron_line_runs_at_its_time_and_again(database: Database, clock: Clock, runs: Runs) -> None:
    profile_id = add_profile(database, at=now(), cron="* * * * *")
    with database.session() as session:
        session.execute(update(Task).values(scheduled_at=now().replace(second=0, microsecond=0)))
    clock.start()
    wait_until(lambda: len(runs.ended) == 1)
    statuses = [one.status for one in all_tasks(database, profile_id)]
    assert statuses == ["success", "pending"]


def test_no_more_runs_than_workers_and_none_is_lost(database: Database, clock: Clock, runs: Runs) -> None:
    found = asked(database, 6)
    runs.go.clear()
    clock.start()
    wait_until(lambda: len(runs.begun) == 2)
    time.sleep(1.5)
    assert len(runs.begun) == 2
    assert len(clock.running()) == 2
    runs.go.set()
    wait_until(lambda: sorted(runs.ended) == found)


def test_two_clocks_on_one_database_never_double(database: Database, clock: Clock, runs: Runs) -> None:
    found = asked(database, 12)
    other = Clock(Database(database.url), workers=4, perform=runs)
    clock.start()
    other.start()
    try:
        wait_until(lambda: len(runs.ended) >= len(found))
        time.sleep(1.2)
        assert sorted(runs.ended) == found
    finally:
        other.stop()


def test_stopping_takes_no_new_tasks_and_asks_running_ones_to_stop(
    database: Database, clock: Clock, runs: Runs
) -> None:
    asked(database, 5)
    runs.go.clear()
    clock.address = "http://127.0.0.1:8080/"
    clock.start()
    wait_until(lambda: len(runs.begun) == 2)
    assert clock.stop(5)
    assert len(runs.ended) == 2
    assert [one.status for one in all_tasks(database)].count("pending") == 3
    assert not clock.alive()
    with database.reading() as session:
        last = session.scalars(select(Heartbeat)).one()  # it stays, to tell when this clock was last alive
    assert now() - last.beat_at < timedelta(seconds=5)
    assert last.address is None  # and nobody looks for pages there


def test_it_can_be_started_again(database: Database, clock: Clock, runs: Runs) -> None:
    clock.start()
    clock.start()
    assert clock.stop(5)
    found = asked(database, 1)
    clock.start()
    wait_until(lambda: runs.ended == found)


def test_a_run_that_does_not_stop_in_time_is_said(database: Database) -> None:
    go = threading.Event()

    def deaf(*args: Any, **told: Any) -> None:
        go.wait(20)

    asked(database, 1)
    clock = Clock(database, workers=1, perform=deaf)
    clock.start()
    wait_until(lambda: clock.running() != [])
    try:
        assert not clock.stop(0.2)
    finally:
        go.set()


def test_its_heart_beats(database: Database, clock: Clock) -> None:
    clock.start()

    def beats() -> bool:
        with database.reading() as session:
            return session.scalars(select(Heartbeat)).first() is not None

    wait_until(beats)
    with database.reading() as session:
        beat = session.scalars(select(Heartbeat)).one()
    assert now() - beat.beat_at < timedelta(seconds=5)


def test_the_guard_survives_a_broken_database_and_says_so_once(
    database: Database, clock: Clock, runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    away, real = threading.Event(), database.reading

    def reading() -> Any:
        if away.is_set():
            raise DatabaseTrouble("The database does not answer.")
        return real()

    away.set()
    monkeypatch.setattr(database, "reading", reading)
    clock.start()
    time.sleep(3.5)
    assert clock.alive()
    said = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert [one.getMessage() for one in said] == [
        "the clock cannot plan, it tries again every second: The database does not answer."
    ]
    away.clear()
    found = asked(database, 1)
    wait_until(lambda: runs.ended == found)
    wait_until(lambda: "plans again" in caplog.text)


def test_the_guard_survives_a_fault_of_ours(
    database: Database, clock: Clock, runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, faults = tasks.take_due, []

    def faulty(*args: Any) -> Any:
        if len(faults) < 2:
            faults.append(1)
            raise RuntimeError("a fault")
        return real(*args)

    monkeypatch.setattr(tasks, "take_due", faulty)
    found = asked(database, 1)
    clock.start()
    wait_until(lambda: runs.ended == found)
    assert len([one for one in caplog.records if one.exc_info]) == 1


def test_the_guard_survives_a_locked_file(
    sqlite: Database, runs: Runs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = asked(sqlite, 1)
    monkeypatch.setattr(db, "BUSY_SECONDS", 0.3)
    short = Database(sqlite.url)
    clock = Clock(short, workers=1, perform=runs)
    assert short.path
    blocker = sqlite3.connect(short.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    clock.start()
    try:
        time.sleep(3)
        assert clock.alive()
        assert runs.ended == []
        blocker.execute("ROLLBACK")
        wait_until(lambda: runs.ended == found)
    finally:
        blocker.close()
        clock.stop()
    assert caplog.text.count("the clock cannot plan") == 1


def test_the_thread_survives_an_error_inside_the_scheduler(
    database: Database, clock: Clock, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, errors = clocks.Ticking._wake_early, []

    def broken(self: Any) -> None:
        if len(errors) < 2:
            errors.append(1)
            raise OSError("inside")
        real(self)

    monkeypatch.setattr(clocks.Ticking, "_wake_early", broken)
    clock.start()
    found = asked(database, 1)
    wait_until(lambda: runs.ended == found)
    assert len(errors) == 2


def test_a_clock_of_the_machine_that_is_set_back_does_not_stop_it(database: Database, clock: Clock, runs: Runs) -> None:
    clock.start()
    assert clock._scheduler
    clock._scheduler.get_job("plan").modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))
    found = asked(database, 1)
    wait_until(lambda: runs.ended == found, 5)


def test_a_run_whose_worker_was_killed_is_buried_by_the_next_tick(database: Database, clock: Clock, runs: Runs) -> None:
    (task_id,) = asked(database, 1)
    with database.session() as session:
        tasks.claim(session, task_id, killed_worker())
    clock.tick()
    assert [(one.status, one.message) for one in all_tasks(database)] == [("error", "Its worker died.")]


def test_it_plans_profiles_that_other_hands_wrote(database: Database, clock: Clock) -> None:
    add_profile(database, at=now())
    with database.session() as session:
        session.execute(Task.__table__.delete())
    clock.tick()
    assert [one.status for one in all_tasks(database)] == ["pending"]


def test_an_idle_tick_only_reads(database: Database, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    add_profile(database, at=now(), cron="0 0 1 1 *")
    clock.tick()
    monkeypatch.setattr(database, "session", lambda: pytest.fail("it wrote"))
    clock.tick()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_starts_a_clock_of_its_own(database: Database, clock: Clock) -> None:
    clock.start()
    wait_until(lambda: clock.tick_age() < 1)
    program = """
import os, sys, time
from profiles.db import Database
from scheduler.clock import Clock
clock = Clock(Database(), workers=1, perform=lambda *a, **k: None)
clock.start()
time.sleep(1.5)
child = os.fork()
if child == 0:
    dead = clock.alive()
    clock.database = Database()
    clock.start()
    time.sleep(1.5)
    ok = not dead and clock.alive() and clock.tick_age() < 5
    os._exit(0 if ok and clock.stop(5) else 1)
code = os.waitpid(child, 0)[1]
ok = code == 0 and clock.alive()
clock.stop(5)
sys.exit(0 if ok else 1)
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_the_number_of_workers_is_a_setting(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_WORKERS", "3")
    assert Clock(database).workers == 3
    monkeypatch.delenv("CONNECTOR_WORKERS")
    assert Clock(database).workers == 8


def test_a_process_that_is_told_to_end_ends(database: Database, runs: Runs) -> None:
    program = """
import signal, sys, threading
from profiles.db import Database
from scheduler.clock import Clock
done = threading.Event()
signal.signal(signal.SIGTERM, lambda *a: done.set())
clock = Clock(Database())
clock.start()
print("on", flush=True)
done.wait()
sys.exit(0 if clock.stop(5) else 1)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(1.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
