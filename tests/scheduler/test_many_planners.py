"""Four processes plan on one database and are killed at random moments: each due instant stands there exactly once."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

from sqlalchemy import func, select

from profiles.db import Database
from profiles.models import Task, TaskHistory
from tests.scheduler.conftest import NINE, add_profile, all_tasks, minutes

INSTANTS = int(os.environ.get("CONNECTOR_TEST_INSTANTS", "300"))
KILLS = int(os.environ.get("CONNECTOR_TEST_KILLS", "30"))
PROCESSES, PROFILES, SECONDS = 4, 3, 300


def start() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.scheduler.planner"])


def reached(database: Database) -> float:
    with database.reading() as session:
        latest = session.scalar(select(func.max(Task.scheduled_at)))
    assert latest
    return (latest - NINE) / minutes(1)


def test_every_due_instant_stands_there_exactly_once_however_often_planners_are_killed(database: Database) -> None:
    seed = int(os.environ.get("CONNECTOR_TEST_SEED", "0")) or random.randrange(1 << 30)
    print(f"CONNECTOR_TEST_SEED={seed}")
    chance = random.Random(seed)
    profiles = [add_profile(database, f"p{number}", cron="* * * * *") for number in range(PROFILES)]
    planners = [start() for _ in range(PROCESSES)]
    killed, end = 0, time.monotonic() + SECONDS
    try:
        while reached(database) < INSTANTS or killed < KILLS / 3:
            assert time.monotonic() < end, f"only {reached(database)} instants and {killed} kills"
            time.sleep(chance.uniform(0.1, 1.0))
            if killed < KILLS:
                number = chance.randrange(PROCESSES)
                assert planners[number].poll() is None, "a planner ended by itself"
                planners[number].send_signal(signal.SIGKILL)
                planners[number].wait()
                planners[number] = start()
                killed += 1
    finally:
        for planner in planners:
            planner.kill()
            planner.wait()
    last = reached(database)
    for profile_id in profiles:
        rows = all_tasks(database, profile_id)
        assert [row.scheduled_at for row in rows] == [NINE + minutes(n + 1) for n in range(len(rows))]
        assert len(rows) >= last - 1
        assert [row.status for row in rows if row.lease_until is None][-1] == "pending"
        assert sum(row.status == "pending" and row.lease_until is None for row in rows) == 1
        assert not [row.message for row in rows if "Slept" in (row.message or "")]
    with database.reading() as session:
        starts = Counter(session.scalars(select(TaskHistory.task_id).where(TaskHistory.status == "processing")))
    assert set(starts.values()) == {1}
    print(f"{len(starts)} runs, {killed} kills, {last:.0f} instants")
