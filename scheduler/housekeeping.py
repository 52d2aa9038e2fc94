"""Clean-up of the logs, by age and by number of rows, in small transactions so that nobody waits for it.

Environment: CONNECTOR_KEEP_<TABLE>_DAYS and CONNECTOR_KEEP_<TABLE>_ROWS, for example CONNECTOR_KEEP_DATA_LOG_DAYS=30;
0 keeps without limit. Tasks that wait or run, and sync records, are never deleted. What was seen of watched orders is
forgotten after two years, whatever the environment says (`profiles.events.REMEMBERED`).
"""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from profiles.db import Database, now
from profiles.events import ENTITY, REMEMBERED
from profiles.models import (
    DataLog,
    Heartbeat,
    Profile,
    Shared,
    SyncHistory,
    Task,
    TaskHistory,
    TaskStatus,
    Watched,
)
from profiles.workers import dead
from scheduler.rows import locked

log = logging.getLogger(__name__)

BATCH = 2000
PAUSE_SECONDS = 0.02  # between batches: writers that wait come first
STALE = timedelta(hours=1)  # a lock that expired so long ago has no holder any more
SILENT = timedelta(days=1)  # a clock that has not ticked for so long is gone


class BadLimit(Exception):
    """A limit in the environment is not a number; the message names the variable."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How long the rows of a table are kept, and how many of them."""

    table: type[Any]
    moment: Any  # the column that says how old a row is
    days: int
    rows: int
    only: ColumnElement[bool] | None = None

    @property
    def name(self) -> str:
        return str(self.table.__tablename__)

    @property
    def days_kept(self) -> int:
        return _number(f"CONNECTOR_KEEP_{self.name.upper()}_DAYS", self.days)

    @property
    def rows_kept(self) -> int:
        return _number(f"CONNECTOR_KEEP_{self.name.upper()}_ROWS", self.rows)


ENDED = Task.status.in_([TaskStatus.ERROR, TaskStatus.MISSED, TaskStatus.SUCCESS])
RULES = (
    Rule(table=Task, moment=Task.finished_at, days=90, rows=100_000, only=ENDED),
    Rule(table=TaskHistory, moment=TaskHistory.created_at, days=90, rows=200_000),
    Rule(table=SyncHistory, moment=SyncHistory.created_at, days=365, rows=2_000_000),
    Rule(table=DataLog, moment=DataLog.created_at, days=14, rows=500_000),
)


def clean(
    database: Database, at: datetime | None = None, *, age: bool = True, stop: threading.Event | None = None
) -> dict[str, int]:
    """Delete what is too old (`age`) and what is too much. Returns the number of deleted rows per table."""
    at, stop = at or now(), stop or threading.Event()
    gone = {rule.name: 0 for rule in RULES}
    for rule in RULES:
        if age and rule.days_kept:
            gone[rule.name] += _delete(database, rule, rule.moment < at - timedelta(days=rule.days_kept), stop)
        surplus = _surplus(database, rule)
        if surplus is not None:
            gone[rule.name] += _delete(database, rule, surplus, stop)
    with database.session() as session:
        gone["lock"] = _release_locks(session, at)
        gone["heartbeat"] = _forget_clocks(session, at)
    gone["watched"] = _forget_watched(database, stop) if age else 0
    if any(gone.values()):
        log.info("cleaned up: %s", ", ".join(f"{number} of {name}" for name, number in gone.items() if number))
    return gone


def _surplus(database: Database, rule: Rule) -> ColumnElement[bool] | None:
    """Which rows are beyond the number to keep: those with the smallest ids. None where there are not so many."""
    kept = rule.rows_kept
    if not kept:
        return None
    with database.reading() as session:
        # each alone: in one statement SQLite reads the whole table
        newest, oldest = (
            session.scalar(select(func.max(rule.table.id))),
            session.scalar(select(func.min(rule.table.id))),
        )
        if newest is None or oldest is None or newest - oldest < kept:
            return None
        wanted = select(rule.table.id).order_by(rule.table.id.desc()).offset(kept).limit(1)
        if rule.only is not None:
            wanted = wanted.where(rule.only)
        last = session.scalar(wanted)
    return None if last is None else rule.table.id <= last


def _delete(database: Database, rule: Rule, which: ColumnElement[bool], stop: threading.Event) -> int:
    gone = 0
    while not stop.is_set():
        with database.session() as session:
            batch = select(rule.table.id).where(which).limit(BATCH)
            if rule.only is not None:
                batch = batch.where(rule.only)
            ids = list(session.scalars(locked(batch, rule.table, skip=True)))
            if ids:
                session.execute(
                    delete(rule.table).where(rule.table.id.in_(ids)), execution_options={"synchronize_session": False}
                )
        gone += len(ids)
        if len(ids) < BATCH:
            break
        stop.wait(PAUSE_SECONDS)
    return gone


def _forget_watched(database: Database, stop: threading.Event) -> int:
    """What was seen of orders that did not change for so long, by the time of their profile's last reading: one that
    pauses forgets nothing."""
    with database.reading() as session:
        read = select(Profile.id, Profile.read_at).where(Profile.entity == ENTITY, Profile.read_at.is_not(None))
        profiles = session.execute(read).all()
    rule, gone = Rule(table=Watched, moment=Watched.updated_at, days=0, rows=0), 0
    for one in profiles:
        old = and_(Watched.profile_id == one.id, Watched.updated_at < one.read_at - REMEMBERED)
        gone += _delete(database, rule, old, stop)
    return gone


def _release_locks(session: Session, at: datetime) -> int:
    """Locks and holds of shared facts that expired long ago: the lock rows go, facts that were held stay."""
    stale = (Shared.held_until < at - STALE, Shared.holder.is_not(None))
    quietly = {"synchronize_session": False}
    locks = delete(Shared).where(*stale, Shared.value.is_(None), Shared.version == 0)
    gone = session.execute(locks, execution_options=quietly)
    held = session.execute(update(Shared).where(*stale).values(holder=None, held_until=None), execution_options=quietly)
    return int(gone.rowcount + held.rowcount)  # type: ignore[attr-defined]


def _forget_clocks(session: Session, at: datetime) -> int:
    """Clocks that are gone, but for the last beat of all: it says since when nothing runs."""
    beats = session.scalars(select(Heartbeat).order_by(Heartbeat.beat_at.desc())).all()
    gone = [row for row in beats[1:] if row.beat_at < at - SILENT or dead(row.host)]
    for row in gone:
        session.delete(row)
    return len(gone)


def _number(name: str, default: int) -> int:
    given = os.environ.get(name, "").strip()
    if not given:
        return default
    if not given.isdecimal():
        raise BadLimit(f"{name} is {given!r}; it must be a whole number, 0 keeps without limit.")
    return int(given)
