"""How fast is the plan, and what does an idle clock cost? python bench/clock.py [--profiles 10000] [--seconds 20]

Plans profiles that are due in the same second, durably, on SQLite and on a PostgreSQL database of its own, which it
removes; then lets a clock idle beside these profiles and measures its share of a core.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from sqlalchemy import create_engine, func, insert, select, text, update
from sqlalchemy.exc import OperationalError

sys.path.insert(0, str(Path(__file__).parents[1]))

from profiles.db import Database, now
from profiles.models import Connection, Profile, Task
from scheduler import tasks
from scheduler.clock import Clock

POSTGRES = os.environ.get("CONNECTOR_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
HOUR = timedelta(hours=1)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LINES = [("0 * * * *", zone) for zone in ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")]


@contextmanager
def postgres() -> Iterator[str | None]:
    """The address of a database of our own; None when no server answers."""
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 3})
    name = f"connector_bench_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        yield None
        return
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


def fill(database: Database, number: int) -> None:
    """So many active profiles, their next run pending for the next hour."""
    with database.session() as session:
        stamps = {"created_at": START, "updated_at": START}
        session.execute(
            insert(Connection), [{"name": name, "connector": "x", "base_url": "", **stamps} for name in ("from", "to")]
        )
        one, other = session.scalars(select(Connection.id))
        common = {"entity": "order", "direction": "export", "from_id": one, "to_id": other, "active": True, **stamps}
        session.execute(
            insert(Profile),
            [
                {"name": f"p{count}", "cron": LINES[count % 4][0], "timezone": LINES[count % 4][1], **common}
                for count in range(number)
            ],
        )
        due = {"status": "pending", "job_code": "order_export", "created_at": START, "scheduled_at": START + HOUR}
        session.execute(insert(Task), [{"profile_id": one, **due} for one in session.scalars(select(Profile.id))])


def plan(database: Database, rounds: int) -> list[tuple[int, int, float]]:
    """Taken, planned and seconds of one transaction, its commit included, for each of some hours."""
    measured = []
    for count in range(1, rounds + 1):
        at = START + count * HOUR
        began = time.perf_counter()
        with database.session() as session:
            taken = len(tasks.take_due(session, at))
        seconds = time.perf_counter() - began
        with database.session() as session:
            planned = session.scalar(select(func.count()).select_from(Task).where(Task.scheduled_at == at + HOUR)) or 0
            session.execute(update(Task).where(Task.scheduled_at == at).values(status="success", finished_at=at))
        measured.append((taken, planned, seconds))
    return measured


def idle(database: Database, seconds: float) -> float:
    """The share of a core that a clock with nothing due takes, in percent."""
    with database.session() as session:
        session.execute(update(Task).where(Task.status == "pending").values(scheduled_at=now() + 24 * HOUR))
    clock = Clock(database, perform=lambda *args, **told: None)
    clock.start()
    time.sleep(2)  # the first tick repairs and beats
    process = psutil.Process()
    before, began = process.cpu_times(), time.perf_counter()
    time.sleep(seconds)
    after, passed = process.cpu_times(), time.perf_counter() - began
    clock.stop()
    return 100 * (after.user + after.system - before.user - before.system) / passed


def measure(name: str, url: str, number: int, seconds: float, rounds: int) -> None:
    database = Database(url)
    database.upgrade()
    fill(database, number)
    for taken, planned, took in plan(database, rounds):
        print(f"{name:<12}{number:>9}{taken:>9}{planned:>9}{took:>10.2f}")
    print(f"{name:<12} idle: {idle(database, seconds):.2f} % of a core over {seconds:.0f} s", flush=True)
    database.engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the idle clock is watched")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(f"{'database':<12}{'profiles':>9}{'taken':>9}{'planned':>9}{'seconds':>10}")
    with tempfile.TemporaryDirectory() as folder:
        measure("SQLite", f"sqlite:///{folder}/bench.db", options.profiles, options.seconds, options.rounds)
    with postgres() as url:
        if url is None:
            print("PostgreSQL does not answer; it is left out.")
        else:
            measure("PostgreSQL", url, options.profiles, options.seconds, options.rounds)


if __name__ == "__main__":
    main()
