"""Dry runs asked for on a page: each in a thread of its own beside the scheduler, its lines in the database.

They are no tasks: they change nothing, so they may run beside a real run, and must never stand among its results.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from connector.client import dumps
from profiles import sync
from profiles.db import Database, DatabaseTrouble, now
from profiles.models import DryRun, DryRunLine, TaskStatus

log = logging.getLogger(__name__)

KEPT = 20  # dry runs of a profile
MOST_LINES = 1000  # of one dry run; a person reads no more, and it says so
MOST_LAST = 200
BEAT_SECONDS = 2.0
SILENT_AFTER = timedelta(seconds=90)


class Busy(Exception):
    """A dry run of this profile is on its way already."""


def ask(database: Database, profile_id: int, person: str, request: Mapping[str, Any]) -> int:
    """Begin one: {} plans all that is due, {"last": n} the newest n, {"order": number} one. Raises Busy."""
    moment = now()
    with database.session() as session:
        going = session.scalars(
            select(DryRun).where(DryRun.profile_id == profile_id, DryRun.status == TaskStatus.PROCESSING)
        ).all()
        for one in going:
            if not silent(one):
                raise Busy
            one.status, one.message, one.finished_at = TaskStatus.ERROR, "It broke off: its process ended.", moment
        made = DryRun(
            profile_id=profile_id,
            asked_by=person,
            request=dict(request),
            status=TaskStatus.PROCESSING,
            counts={},
            beat_at=moment,
            created_at=moment,
        )
        session.add(made)
        session.flush()
        _forget(session, profile_id)
        run_id = made.id
    threading.Thread(target=_run, args=(database, run_id), name=f"dry-run-{run_id}", daemon=True).start()
    return run_id


def silent(one: DryRun) -> bool:
    """Whether its process must have died: nothing was heard of it for long."""
    return one.status == TaskStatus.PROCESSING and now() - one.beat_at > SILENT_AFTER


def stop(session: Session, run_id: int) -> None:
    session.execute(update(DryRun).where(DryRun.id == run_id).values(stop_asked=True))


def _forget(session: Session, profile_id: int) -> None:
    old = select(DryRun.id).where(DryRun.profile_id == profile_id).order_by(DryRun.id.desc()).offset(KEPT)
    ids = list(session.scalars(old))
    session.execute(delete(DryRunLine).where(DryRunLine.dry_run_id.in_(ids)))
    session.execute(delete(DryRun).where(DryRun.id.in_(ids)))


class _Pen:
    """Writes the lines of one dry run as they come, and listens whether it shall stop."""

    def __init__(self, database: Database, run_id: int, stopped: threading.Event) -> None:
        self.database, self.run_id, self.stopped = database, run_id, stopped
        self.count = 0
        self.full = False
        self._beat = now()

    def line(self, line: dict[str, Any]) -> None:
        plain = json.loads(dumps(line))
        with self.database.session() as session:
            session.add(
                DryRunLine(
                    dry_run_id=self.run_id,
                    position=self.count,
                    source_number=line.get("source_number") or line.get("source_id"),
                    action=line["action"],
                    line=plain,
                )
            )
        self.count += 1
        if self.count >= MOST_LINES:
            self.full = True
            self.stopped.set()
        self._listen({"done": self.count})

    def progress(self, progress: sync.Progress) -> None:
        self._listen({"done": progress.done, "total": progress.total, "text": progress.text})

    def _listen(self, counts: dict[str, Any]) -> None:
        if (now() - self._beat).total_seconds() < BEAT_SECONDS:
            return
        self._beat = now()
        with self.database.session() as session:
            row = session.get(DryRun, self.run_id)
            if row is None or row.stop_asked:
                self.stopped.set()
            if row is not None:
                row.beat_at, row.counts = self._beat, counts


def _run(database: Database, run_id: int) -> None:
    stopped = threading.Event()
    pen = _Pen(database, run_id, stopped)
    status, message, counts = TaskStatus.ERROR, "", {}
    try:
        with database.reading() as session:
            asked = session.get_one(DryRun, run_id)
            profile_id, request, by = asked.profile_id, dict(asked.request), asked.asked_by
        result = sync.run(
            database,
            profile_id,
            dry_run=True,
            order=request.get("order"),
            last=request.get("last"),
            stop=stopped,
            progress=pen.progress,
            planned=pen.line,
            by=by,
        )
        status = TaskStatus.SUCCESS if result.could_run else TaskStatus.ERROR
        message, counts = result.message, result.counts
        if pen.full:
            message = f"Only the first {MOST_LINES} records were looked at. {message}"
    except DatabaseTrouble as error:
        message = str(error)
    except Exception:
        log.exception("dry run %s", run_id)
        message = "An unexpected fault; the log has the details."
    with database.session() as session:
        session.execute(
            update(DryRun)
            .where(DryRun.id == run_id)
            .values(status=status, message=message, counts={**counts, "done": pen.count}, finished_at=now())
        )
