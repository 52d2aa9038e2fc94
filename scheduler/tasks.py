"""The only hands that move a task: plan, ask, claim, renew, finish, stop, bury. Each leaves a line of history.

pending ──claim──▶ processing ──finish──▶ success | error
   └──late, or its profile still at work──▶ missed      └──its worker died (bury_dead)──▶ error
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from profiles.db import now
from profiles.models import Profile, Task, TaskStatus
from profiles.workers import dead
from scheduler.planning import TakenTask, keep_all_planned, keep_planned, look_after, take_due, waiting
from scheduler.rows import LEASE, PENDING, PROCESSING, job_code, line, lock_profile, lock_work, locked, of_status, tell

QUIETLY = {"synchronize_session": False}  # rows are changed in the database, not in the session's memory


class AlreadyWaiting(Exception):
    """Somebody asked for this profile already and the run has not begun; the message says who and when."""


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What a worker learns when it renews. True while the task is still its own."""

    kept: bool
    stop_asked: bool = False

    def __bool__(self) -> bool:
        return self.kept


def ask(
    session: Session, profile: Profile, by: str, request: Mapping[str, Any] | None = None, at: datetime | None = None
) -> Task:
    """Run now: a task of its own, due at once, kept until the profile is free. Raises AlreadyWaiting."""
    at = at or now()
    session.flush()
    lock_profile(session, profile.id)
    before = session.scalars(
        select(Task).where(Task.profile_id == profile.id, PENDING, Task.asked_by.is_not(None)).limit(1)
    ).first()
    if before is not None:
        raise AlreadyWaiting(
            f"Profile {profile.name} is already waiting to be run: {before.asked_by} asked for it at "
            f"{before.scheduled_at:%Y-%m-%d %H:%M:%S} UTC (task {before.id})."
        )
    return add_asked(session, profile, by, request, at)


def add_asked(session: Session, profile: Profile, by: str, request: Mapping[str, Any] | None, at: datetime) -> Task:
    """The task of a person, without asking whether another waits. The caller holds the profile (`lock_profile`)."""
    due = at
    while session.scalar(select(Task.id).where(Task.profile_id == profile.id, Task.scheduled_at == due)):
        due += timedelta(microseconds=1)  # one row per profile and instant, and this one is no cron time
    asked = Task(
        profile_id=profile.id,
        status=TaskStatus.PENDING,
        job_code=job_code(profile.entity, profile.direction),
        asked_by=by[:128] or "somebody",
        created_at=at,
        scheduled_at=due,
        request=dict(request or {}),
        counts={},
        epoch=0,
    )
    session.add(asked)
    session.flush()
    tell(session, [line(asked, TaskStatus.PENDING, f"Asked for by {asked.asked_by}.", at)])
    return asked


def claim(session: Session, task_id: int, worker: str, at: datetime | None = None) -> int | None:
    """Take a pending task to work on it. Returns its epoch, None when it is not to be had.

    Where the profile is at work already, a planned task is missed; an asked one stays pending until it is free, as does
    any while another profile does the same work (`lock_work`).
    """
    at = at or now()
    task = session.execute(
        select(Task.id, Task.profile_id, Task.job_code, Task.asked_by, Task.epoch).where(Task.id == task_id, PENDING)
    ).first()
    if task is None:
        return None
    work = lock_work(session, task.profile_id)
    bury_dead(session, at, profile_ids=work)
    running = aliased(Task)
    free = ~select(running.id).where(running.profile_id.in_(work), of_status(running, TaskStatus.PROCESSING)).exists()
    claimed = (
        update(Task)
        .where(Task.id == task_id, PENDING, Task.epoch == task.epoch, free)
        .values(
            status=TaskStatus.PROCESSING,
            executed_at=at,
            worker=worker,
            lease_until=at + LEASE,
            epoch=task.epoch + 1,
            stop_asked=False,
            message=None,
        )
    )
    try:
        with session.begin_nested():
            done = _changed(session, claimed)
    except IntegrityError:  # another worker claimed another task of this profile in the same moment (uq_task_running)
        done = False
    if done:
        tell(session, [line(task, TaskStatus.PROCESSING, f"Started by {worker}.", at)])
        return int(task.epoch) + 1
    if task.asked_by is None and session.scalar(select(Task.id).where(Task.profile_id == task.profile_id, PROCESSING)):
        message = "The profile was still running."
        missed = (
            update(Task)
            .where(Task.id == task_id, PENDING)
            .values(status=TaskStatus.MISSED, message=message, finished_at=at, lease_until=None)
        )
        if _changed(session, missed):
            tell(session, [line(task, TaskStatus.MISSED, message, at)])
    return None


def renew(
    session: Session, task_id: int, epoch: int, counts: Mapping[str, Any] | None = None, at: datetime | None = None
) -> Hold:
    """Say that the worker lives, and how far it is. False when the task is no longer its own: it has to stop."""
    values: dict[str, Any] = {"lease_until": (at or now()) + LEASE}
    if counts is not None:
        values["counts"] = dict(counts)
    if not _changed(session, update(Task).where(*_own(task_id, epoch)).values(values)):
        return Hold(kept=False)
    return Hold(kept=True, stop_asked=bool(session.scalar(select(Task.stop_asked).where(Task.id == task_id))))


def finish(
    session: Session,
    task_id: int,
    epoch: int,
    status: str,
    message: str,
    counts: Mapping[str, Any] | None = None,
    at: datetime | None = None,
) -> bool:
    """Write how it ended: success or error. A late writer, whose epoch is old, changes nothing: False."""
    at = at or now()
    values: dict[str, Any] = {
        "status": TaskStatus(status),
        "message": message,
        "finished_at": at,
        "lease_until": None,
        "stop_asked": False,
    }
    if counts is not None:
        values["counts"] = dict(counts)
    if not _changed(session, update(Task).where(*_own(task_id, epoch)).values(values)):
        return False
    task = session.execute(select(Task.id, Task.profile_id, Task.job_code).where(Task.id == task_id)).one()
    tell(session, [line(task, values["status"], message, at)])
    return True


def stop(session: Session, task_id: int, by: str | None = None, at: datetime | None = None) -> bool:
    """Ask a running task to end after its current record; withdraw one that a person asked for and that still waits.

    False when there is nothing to stop.
    """
    at = at or now()
    if _changed(session, update(Task).where(Task.id == task_id, PROCESSING).values(stop_asked=True)):
        task = session.execute(select(Task.id, Task.profile_id, Task.job_code).where(Task.id == task_id)).one()
        tell(session, [line(task, TaskStatus.PROCESSING, f"{by or 'Somebody'} asked it to stop.", at)])
        return True
    message = f"Withdrawn by {by or 'somebody'} before it began."
    asked = (Task.id == task_id, PENDING, or_(Task.asked_by.is_not(None), Task.lease_until.is_not(None)))
    withdrawn = (
        update(Task).where(*asked).values(status=TaskStatus.MISSED, message=message, finished_at=at, lease_until=None)
    )
    if not _changed(session, withdrawn):
        return False
    task = session.execute(select(Task.id, Task.profile_id, Task.job_code).where(Task.id == task_id)).one()
    tell(session, [line(task, TaskStatus.MISSED, message, at)])
    return True


def bury_dead(session: Session, at: datetime | None = None, profile_ids: Sequence[int] | None = None) -> list[int]:
    """End processing tasks whose worker is certainly gone, or was silent for a whole lease. Returns their ids."""
    at = at or now()
    statement = select(Task.id, Task.profile_id, Task.job_code, Task.worker, Task.lease_until, Task.epoch).where(
        PROCESSING
    )
    if profile_ids is not None:
        statement = statement.where(Task.profile_id.in_(profile_ids))
    buried: list[int] = []
    known: dict[str | None, bool] = {}
    for row in session.execute(locked(statement, Task, skip=True)).all():
        if row.worker not in known:
            known[row.worker] = dead(row.worker)
        silent = row.lease_until is None or row.lease_until < at
        if not known[row.worker] and not silent:
            continue
        message = (
            "Its worker died." if known[row.worker] else f"Its worker died: no sign of life for {LEASE.seconds} s."
        )
        gone = (
            update(Task)
            .where(*_own(row.id, row.epoch))
            .values(status=TaskStatus.ERROR, message=message, finished_at=at, lease_until=None)
        )
        if _changed(session, gone):
            tell(session, [line(row, TaskStatus.ERROR, f"{message[:-1]} ({row.worker}).", at)])
            buried.append(row.id)
    return buried


def _own(task_id: int, epoch: int) -> tuple[Any, ...]:
    return Task.id == task_id, Task.epoch == epoch, PROCESSING


def _changed(session: Session, statement: Any) -> bool:
    done = session.execute(statement, execution_options=QUIETLY)
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


__all__ = [
    "AlreadyWaiting",
    "Hold",
    "TakenTask",
    "add_asked",
    "ask",
    "bury_dead",
    "claim",
    "finish",
    "keep_all_planned",
    "keep_planned",
    "look_after",
    "renew",
    "stop",
    "take_due",
    "waiting",
]
