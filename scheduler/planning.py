"""The plan: each active profile has one pending task for its next due time, and due tasks are taken in one go.

A taken task stays pending until a worker claims it. Its `lease_until` says until when a clock looks after it: a task
that waits long for a free worker is not missed, one that nobody looked after is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, and_, delete, or_, select, update
from sqlalchemy.orm import Session, aliased

from profiles.db import now
from profiles.models import Profile, Task, TaskStatus, same_work
from scheduler import cron
from scheduler.rows import (
    BY_CRON,
    GRACE,
    LEASE,
    PENDING,
    PROCESSING,
    UNTAKEN,
    job_code,
    line,
    lock_profile,
    locked,
    of_status,
    plan_unless_there,
    tell,
)

CHUNK = 1000
COUNTED = 1000  # so many slept-through times are counted; beyond it is "more than"
COUNTING_SECONDS = 0.5  # for all profiles together: the transaction holds the lock


@dataclass(frozen=True, kw_only=True)
class TakenTask:
    """A task that is due and may be claimed by any worker."""

    id: int
    profile_id: int
    scheduled_at: datetime
    asked_by: str | None


@dataclass(frozen=True, kw_only=True)
class Due:
    """What is due of a cron line since a planned time: how often it was slept through, what runs now, what is next."""

    slept: int
    slept_to: datetime | None
    exact: bool  # False: slept more often than was counted
    runs: datetime | None  # the latest due time within the grace
    following: datetime


@dataclass
class Moves:
    """What one planning transaction is going to write."""

    taken: list[int] = field(default_factory=list)
    missed: list[dict[str, Any]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    planned: dict[datetime, list[int]] = field(default_factory=dict)  # for each instant, the profiles
    removed: list[int] = field(default_factory=list)
    ready: list[TakenTask] = field(default_factory=list)
    again: bool = False  # a planned row is due already

    def miss(self, task: Any, message: str, at: datetime) -> None:
        self.missed.append(
            {"id": task.id, "status": TaskStatus.MISSED, "message": message, "finished_at": at, "lease_until": None}
        )
        self.lines.append(line(task, TaskStatus.MISSED, message, at))

    def plan(self, profile_id: int, scheduled_at: datetime, at: datetime) -> None:
        self.planned.setdefault(scheduled_at, []).append(profile_id)
        self.again = self.again or scheduled_at <= at


def keep_planned(session: Session, profile: Profile, at: datetime | None = None) -> Task | None:
    """Bring the plan of one profile in line with its cron line, time zone and switch; call it whenever one is saved.

    Returns the pending task, None when the profile is inactive. Raises cron.CronProblem.
    """
    at = at or now()
    session.flush()
    lock_profile(session, profile.id)
    session.refresh(profile)  # somebody else may have saved it since this session read it
    rows = session.scalars(
        select(Task).where(Task.profile_id == profile.id, PENDING, BY_CRON).order_by(Task.scheduled_at),
        execution_options={"populate_existing": True},
    ).all()
    if not profile.active:
        _remove(session, rows, "No longer planned: the profile is inactive.", at)
        return None
    wanted = cron.next_after(profile.cron, profile.timezone, at)
    waiting = [row for row in rows if row.lease_until is None]
    right = [row for row in waiting if row.scheduled_at == wanted or _still_due(profile, row.scheduled_at, at)]
    kept = next(iter(right or waiting), None)
    _remove(session, [row for row in waiting if row is not kept], "No longer planned: planned twice.", at)
    if kept is not None and right:
        return kept
    while session.scalar(select(Task.id).where(Task.profile_id == profile.id, Task.scheduled_at == wanted)):
        wanted = cron.next_after(profile.cron, profile.timezone, wanted)
    if kept is None:
        kept = Task(profile_id=profile.id, status=TaskStatus.PENDING, created_at=at, request={}, counts={}, epoch=0)
        session.add(kept)
        message = f"Planned for {_when(wanted, profile)}."
    else:
        moved = f"Moved from {_when(kept.scheduled_at, profile)} to {_when(wanted, profile)}"
        message = f"{moved}: the line is now {profile.cron}."
    kept.scheduled_at = wanted
    kept.job_code = job_code(profile.entity, profile.direction)
    session.flush()
    tell(session, [line(kept, TaskStatus.PENDING, message, at)])
    return kept


def keep_all_planned(session: Session, at: datetime, after: int = 0, limit: int = 500) -> tuple[list[str], int | None]:
    """Repair the plan where other hands changed rows, for up to `limit` profiles with an id beyond `after`.

    Returns what cannot be repaired, and the id to go on from; None when that was all.
    """
    planned = select(Task.profile_id).where(PENDING, BY_CRON)
    doubtful = session.scalars(
        select(Profile)
        .where(
            Profile.id > after,
            or_(
                and_(Profile.active, Profile.id.not_in(planned.where(UNTAKEN))),
                and_(~Profile.active, Profile.id.in_(planned)),
            ),
        )
        .order_by(Profile.id)
        .limit(limit)
    ).all()
    problems: list[str] = []
    for profile in doubtful:
        try:
            keep_planned(session, profile, at)
        except cron.CronProblem as problem:
            problems.append(f"Profile {profile.name} cannot be planned: {problem}")
    return problems, doubtful[-1].id if len(doubtful) == limit else None


def take_due(session: Session, at: datetime) -> list[TakenTask]:
    """Take all tasks that are due and write each profile's next one. Returns those that may run now.

    Late beyond the grace, or the profile still at work: missed. Slept-through times become one missed task with their
    number; where the latest is within the grace it runs. All of it is one transaction of the caller.
    """
    ready: list[TakenTask] = []
    for _ in range(2):  # a second time for what was slept through and still is in the grace
        moves = _decide(session, at)
        _write(session, moves, at)
        ready += moves.ready
        if not moves.again:
            break
    return ready


def waiting(session: Session, at: datetime, limit: int) -> list[int]:
    """Taken tasks that a worker may claim, longest due first."""
    running, other = aliased(Task), aliased(Profile)
    return list(
        session.scalars(
            select(Task.id)
            .join(Profile, Profile.id == Task.profile_id)
            .where(
                PENDING,
                Task.scheduled_at <= at,
                Task.lease_until > at,
                ~select(running.id)
                .join(other, other.id == running.profile_id)
                .where(same_work(other, Profile), of_status(running, TaskStatus.PROCESSING))
                .correlate(Profile)
                .exists(),
            )
            .order_by(Task.scheduled_at, Task.id)
            .limit(limit)
        )
    )


def look_after(session: Session, at: datetime) -> None:
    """Say that a clock still looks after the tasks that wait for a free worker."""
    mine = locked(
        select(Task.id).where(
            PENDING, Task.scheduled_at <= at, Task.lease_until > at, Task.lease_until < at + LEASE / 2
        ),
        skip=True,
    )
    _mark(session, list(session.scalars(mine)), at)


def _still_due(profile: Profile, scheduled_at: datetime, at: datetime) -> bool:
    """A time that has come and is one of the line: it is taken, not moved."""
    before = scheduled_at - timedelta(seconds=1)
    return scheduled_at <= at and cron.next_after(profile.cron, profile.timezone, before) == scheduled_at


def _remove(session: Session, rows: Sequence[Task], message: str, at: datetime) -> None:
    tell(session, [line(row, TaskStatus.PENDING, message, at) for row in rows])
    for row in rows:
        session.delete(row)
    session.flush()


def _when(instant: datetime, told: Any) -> str:
    """The instant as people at the profile's place read it; in UTC where the place is not known."""
    try:
        return f"{instant.astimezone(cron.zone(told.timezone)):%Y-%m-%d %H:%M} ({told.timezone})"
    except cron.CronProblem:
        return f"{instant:%Y-%m-%d %H:%M} (UTC)"


def _decide(session: Session, at: datetime) -> Moves:
    moves = Moves()
    rows = _due_rows(session, at)
    if not rows:
        return moves
    running: dict[int, Any] = {
        row.profile_id: row
        for row in session.execute(select(Task.id, Task.profile_id, Task.executed_at).where(PROCESSING))
    }
    queued: dict[int, datetime] = {
        row.profile_id: row.scheduled_at
        for row in session.execute(
            select(Task.profile_id, Task.scheduled_at).where(
                PENDING, BY_CRON, Task.scheduled_at <= at, Task.lease_until > at
            )
        )
    }
    memo: dict[tuple[str, str, datetime], Due | cron.CronProblem] = {}
    patience = time.monotonic() + COUNTING_SECONDS
    for row in rows:
        before = running.get(row.profile_id)
        late = at - max(row.scheduled_at, row.lease_until or row.scheduled_at) > GRACE
        if row.asked_by is not None:
            if late and before is None:
                moves.miss(row, f"{row.asked_by} asked for it, but nothing ran for too long after that. Ask again.", at)
            else:
                _take(moves, row, ready=before is None)
            continue
        if not row.active:
            moves.removed.append(row.id)
            moves.lines.append(line(row, TaskStatus.PENDING, "No longer planned: the profile is inactive.", at))
            continue
        if row.lease_until is None:
            key = (row.cron, row.timezone, row.scheduled_at)
            if key not in memo:
                memo[key] = _due(*key, at, patience)
            due = memo[key]
            if isinstance(due, cron.CronProblem):
                moves.miss(row, f"It cannot be planned: {due}", at)
                continue
            if before is None and row.profile_id not in queued and due.slept:
                moves.miss(row, _slept(row, due), at)
                moves.plan(row.profile_id, due.runs or due.following, at)
                continue
            moves.plan(row.profile_id, due.following, at)
        if before is not None and row.lease_until is None:
            moves.miss(
                row, f"The profile was still running (task {before.id}, since {_when(before.executed_at, row)}).", at
            )
        elif row.profile_id in queued:
            earlier = _when(queued[row.profile_id], row)
            moves.miss(row, f"The run due at {earlier} was still waiting for its turn.", at)
        elif late:
            moves.miss(row, "It waited for a free worker, then nothing ran for too long.", at)
        else:
            queued[row.profile_id] = row.scheduled_at
            _take(moves, row, ready=before is None)
    return moves


def _due_rows(session: Session, at: datetime) -> Sequence[Any]:
    """The due rows nobody looks after, with what is needed of their profiles; both held."""
    return session.execute(
        locked(
            select(
                Task.id,
                Task.profile_id,
                Task.scheduled_at,
                Task.asked_by,
                Task.job_code,
                Task.lease_until,
                Profile.active,
                Profile.cron,
                Profile.timezone,
            )
            .join(Profile, Profile.id == Task.profile_id)
            .where(PENDING, Task.scheduled_at <= at, or_(UNTAKEN, Task.lease_until <= at))
            .order_by(Task.scheduled_at, Task.id),
            Task,
            Profile,
            skip=True,
        )
    ).all()


def _take(moves: Moves, row: Row[Any], *, ready: bool) -> None:
    moves.taken.append(row.id)
    if ready:
        moves.ready.append(
            TakenTask(id=row.id, profile_id=row.profile_id, scheduled_at=row.scheduled_at, asked_by=row.asked_by)
        )


def _due(expression: str, timezone: str, planned: datetime, at: datetime, patience: float) -> Due | cron.CronProblem:
    try:
        slept, last, exact = 0, None, True
        runs: datetime | None = planned if at - planned <= GRACE else None
        if runs is None:
            slept, last = 1, planned
        for instant in cron.after(expression, timezone, planned):
            if at - instant <= GRACE:
                break
            slept, last = slept + 1, instant
            if slept >= COUNTED or time.monotonic() > patience:
                exact = False
                break
        # from here on only what may still run: at most as many times as the grace has minutes
        start = max(planned, at - GRACE - timedelta(microseconds=1))
        for instant in cron.after(expression, timezone, start):
            if instant > at:
                return Due(slept=slept, slept_to=last, exact=exact, runs=runs, following=instant)
            if runs is not None:
                slept, last = slept + 1, runs
            runs = instant
        raise AssertionError("cron.after never ends")
    except cron.CronProblem as problem:
        return problem


def _slept(row: Row[Any], due: Due) -> str:
    next_run = f"Next run {_when(due.runs or due.following, row)}."
    if due.slept == 1:
        return f"Slept through 1 time, at {_when(row.scheduled_at, row)}: nothing ran then. {next_run}"
    number = due.slept if due.exact else f"more than {due.slept}"
    upto = f" to {_when(due.slept_to, row)}" if due.exact and due.slept_to else ""
    return f"Slept through {number} times, from {_when(row.scheduled_at, row)}{upto}: nothing ran then. {next_run}"


def _write(session: Session, moves: Moves, at: datetime) -> None:
    _mark(session, moves.taken, at)
    if moves.missed:
        session.execute(update(Task), moves.missed)
    for some in _chunks(moves.removed):
        session.execute(delete(Task).where(Task.id.in_(some)), execution_options={"synchronize_session": False})
    for scheduled_at, profile_ids in moves.planned.items():
        for some in _chunks(profile_ids):
            session.execute(plan_unless_there(session, some, scheduled_at, at))
    tell(session, moves.lines)


def _mark(session: Session, task_ids: Sequence[int], at: datetime) -> None:
    for some in _chunks(task_ids):
        session.execute(
            update(Task).where(Task.id.in_(some)).values(lease_until=at + LEASE),
            execution_options={"synchronize_session": False},
        )


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), CHUNK):
        yield ids[start : start + CHUNK]
