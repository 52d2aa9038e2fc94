"""What the hands that move tasks share: which rows are meant, and the line of history that each movement leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Select, insert, literal, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased

from profiles.models import Connection, Profile, Task, TaskHistory, TaskStatus, same_work

Columns = TypeVarTuple("Columns")

GRACE = timedelta(minutes=10)  # so late may a run begin; later it is missed
LEASE = timedelta(seconds=60)  # without a sign of life for so long, a worker (or the clock) is taken for dead


def of_status(table: type[Task], status: TaskStatus) -> ColumnElement[bool]:
    """The status as a constant: with a parameter neither database uses an index that holds only such rows."""
    return table.status == literal_column(f"'{status}'")


PENDING = of_status(Task, TaskStatus.PENDING)
PROCESSING = of_status(Task, TaskStatus.PROCESSING)
BY_CRON = Task.asked_by.is_(None)
UNTAKEN = Task.lease_until.is_(None)


def job_code(entity: str, direction: str) -> str:
    return f"{entity}_{direction}"


def line(task: Any, status: str, message: str | None, at: datetime) -> dict[str, Any]:
    """A line of history about a task (or a row with its id, profile_id and job_code)."""
    return {
        "profile_id": task.profile_id,
        "task_id": task.id,
        "status": status,
        "action": task.job_code,
        "message": message,
        "created_at": at,
        "performed_at": at,
    }


def tell(session: Session, lines: Iterable[dict[str, Any]]) -> None:
    """Add lines to the history of tasks."""
    if told := list(lines):
        session.execute(insert(TaskHistory), told)


def plan_unless_there(session: Session, profile_ids: Sequence[int], scheduled_at: datetime, at: datetime) -> Any:
    """INSERT … SELECT … ON CONFLICT DO NOTHING: one row per profile and instant, whoever comes first.

    From the profiles in the database, because binding ten thousand rows takes longer than all else.
    """
    made = sqlite.insert(Task) if session.get_bind().dialect.name == "sqlite" else postgresql.insert(Task)
    code = Profile.entity + literal("_") + Profile.direction
    planned = select(
        Profile.id,
        literal(TaskStatus.PENDING.value),
        code,
        literal(at, Task.created_at.type),
        literal(scheduled_at, Task.scheduled_at.type),
    ).where(Profile.id.in_(profile_ids))
    names = ["profile_id", "status", "job_code", "created_at", "scheduled_at"]
    return made.from_select(names, planned).on_conflict_do_nothing()


def locked(statement: Select[*Columns], *tables: Any, skip: bool = False) -> Select[*Columns]:
    """Hold the rows until the transaction ends (PostgreSQL; SQLite has one writer at a time anyway)."""
    return statement.with_for_update(of=tables or None, key_share=True, skip_locked=skip)


def lock_profile(session: Session, profile_id: int) -> None:
    """Who plans or asks for a profile does so alone."""
    session.execute(locked(select(Profile.id).where(Profile.id == profile_id)))


def lock_work(session: Session, profile_id: int) -> Sequence[int]:
    """The profiles of the same work, this one among them. Who claims a task of theirs does so alone."""
    own = aliased(Profile)
    target = select(own.to_id).where(own.id == profile_id).scalar_subquery()
    session.execute(locked(select(Connection.id).where(Connection.id == target)))
    return session.scalars(select(Profile.id).join(own, same_work(own, Profile)).where(own.id == profile_id)).all()
