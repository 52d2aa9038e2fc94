"""Profiles to plan, and a look at their tasks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from profiles.db import Database
from profiles.models import Connection, Profile, Task, TaskHistory
from scheduler import tasks

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)  # a Monday


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def add_profile(database: Database, name: str = "orders", *, at: datetime = NINE, **values: Any) -> int:
    """An active profile between two connections of its own, planned at the instant; every 15 minutes unless told
    otherwise."""
    told = {
        "cron": "*/15 * * * *",
        "timezone": "UTC",
        "active": True,
        "entity": "order",
        "direction": "export",
    } | values
    with database.session() as session:
        for end in ("from", "to"):
            if f"{end}_id" not in told:
                row = Connection(name=f"{name} {end}", connector="x", base_url="", created_at=at, updated_at=at)
                session.add(row)
                session.flush()
                told[f"{end}_id"] = row.id
        made = Profile(name=name, created_at=at, updated_at=at, **told)
        session.add(made)
        tasks.keep_planned(session, made, at)
        return made.id


def all_tasks(database: Database, profile_id: int | None = None, status: str | None = None) -> list[Task]:
    """The tasks as they stand, by due time."""
    with database.reading() as session:
        query = select(Task).order_by(Task.scheduled_at, Task.id)
        if profile_id is not None:
            query = query.where(Task.profile_id == profile_id)
        if status is not None:
            query = query.where(Task.status == status)
        return list(session.scalars(query))


def history(database: Database, task_id: int) -> list[tuple[str, str]]:
    """Status and action of the lines about a task."""
    with database.reading() as session:
        lines = session.scalars(select(TaskHistory).where(TaskHistory.task_id == task_id).order_by(TaskHistory.id))
        return [(one.status, one.action) for one in lines]


def take(database: Database, at: datetime) -> list[tasks.TakenTask]:
    with database.session() as session:
        return tasks.take_due(session, at)


def claim(database: Database, task_id: int, at: datetime, worker: str = "elsewhere:1:2:3:4") -> int | None:
    with database.session() as session:
        return tasks.claim(session, task_id, worker, at)


def finish(database: Database, task_id: int, epoch: int, at: datetime, status: str = "success") -> bool:
    with database.session() as session:
        return tasks.finish(session, task_id, epoch, status, "1 complete.", {"done": 1}, at)


@pytest.fixture
def profile_id(database: Database) -> int:
    return add_profile(database)


def add_twin(database: Database, profile_id: int, name: str = "their double", **values: Any) -> int:
    """A second profile of the same work."""
    with database.reading() as session:
        ends = {end: getattr(session.get_one(Profile, profile_id), end) for end in ("from_id", "to_id")}
    return add_profile(database, name, **ends, **values)


Change = Callable[..., None]


@pytest.fixture
def change(database: Database) -> Change:
    """Save a changed profile, as the form does."""

    def save(profile_id: int, at: datetime, **values: Any) -> None:
        with database.session() as session:
            row = session.get_one(Profile, profile_id)
            for name, value in values.items():
                setattr(row, name, value)
            tasks.keep_planned(session, row, at)

    return save
