"""Questions that the command line asks of the tables, answered as plain values for tables and JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin.configuration import Unknown, near
from admin.screen import show_json
from profiles import history as asked
from profiles import models
from profiles.history import KINDS
from profiles.sync import Result

FIELD = re.compile(r"[a-z]\w*([_.\[]|\s(is missing|should be)\b)")  # of a payload: names keep their small letters
COUNTS = ("complete", "updated", "skipped", "failed", "pending")
LATEST = 1000  # lines of history that are shown


def result(made: Result) -> dict[str, Any]:
    """A run as `run --json` prints it."""
    return {
        "status": made.status,
        "message": made.message,
        "counts": {**dict.fromkeys(COUNTS, 0), **made.counts},
        "seconds": round(made.seconds, 3),
        "calls": made.calls,
    }


def unable(message: str, connections: Iterable[str] = ()) -> dict[str, Any]:
    """The same for a run that could not begin; `connections`: those of its profile, where it is known."""
    return {**result(nothing(message)), "calls": {name: {"read": 0, "write": 0} for name in connections}}


def nothing(message: str) -> Result:
    return Result(status="error", message=message, counts={}, seconds=0.0, calls={}, could_run=False)


def records(session: Session, profile_id: int, status: str | None = None) -> Iterator[dict[str, Any]]:
    """The sync records of a profile as they were first seen, a few at a time."""
    return (_record(row) for row in asked.records(session, profile_id, status=status))


def _record(row: models.SyncRecord) -> dict[str, Any]:
    """The `kind` only of what is none: a delivery, a credit note."""
    keys = ("source_id", "source_number", "target_id", *(["kind"] if row.kind else []), "status", "message", "attempts")
    return {**_values(row, keys), "refs": row.refs or {}, "updated_at": row.updated_at}


def _values(row: Any, keys: Iterable[str]) -> dict[str, Any]:
    return {key: getattr(row, key) for key in keys}


def bare(message: str | None, number: str | None) -> str:
    """The message without the record's number before it, for where the number stands beside it."""
    if not message or not number:
        return message or ""
    found = re.match(rf"(?:\w+ )?{re.escape(number)}(?:: |, )", message)
    if not found:
        return message
    rest = message[found.end() :]
    return rest if FIELD.match(rest) else rest[:1].upper() + rest[1:]


def kind(one: dict[str, Any]) -> str:
    """What belongs to a sale in a word ("delivery", "credit note"); empty for the sale itself."""
    code = one.get("kind")
    return KINDS.get(code, code) if code else ""


def cells(one: dict[str, Any], keys: Iterable[str]) -> tuple[Any, ...]:
    """A row of a table that has a column for the number."""
    return tuple(bare(one[key], one["source_number"]) if key == "message" else one[key] for key in keys)


@dataclass(frozen=True, kw_only=True)
class Failures:
    """Records that failed for one cause: how many, and message and number of one of them."""

    count: int
    message: str
    number: str


def failures(session: Session, profile_id: int) -> list[Failures]:
    """What fails now and how often, by cause, the most frequent first."""
    record = models.SyncRecord
    many = func.count().label("many")
    grouped = (
        select(record.cause, many, func.min(record.id).label("first"))
        .where(record.profile_id == profile_id, record.status == models.SyncStatus.FAILED)
        .group_by(record.cause)
        .subquery()
    )
    rows = session.execute(
        select(grouped.c.many, record.message, record.source_number, record.source_id)
        .join(record, record.id == grouped.c.first)
        .order_by(grouped.c.many.desc(), record.id)
    )
    return [
        Failures(
            count=row.many,
            message=bare(row.message, row.source_number) or "it has no message",
            number=row.source_number or row.source_id,
        )
        for row in rows
    ]


LINE = ("created_at", "source_id", "source_number", "target_id", "status", "direction", "message", "task_id")
FACTS = ("store", "source_status", "customer", "amount", "setting", "next_attempt_at", "created_at")
TASK = ("id", "status", "job_code", "asked_by", "scheduled_at", "executed_at", "finished_at", "message")
CALL = (
    "created_at", "identifier", "method", "path", "status", "seconds", "error", "request", "response", "task_id",
    "dry_run_by",
)  # fmt: skip


def history(session: Session, profile_id: int) -> list[dict[str, Any]]:
    """The latest lines of a profile's history, the last one last."""
    line = models.SyncHistory
    rows = session.scalars(select(line).where(line.profile_id == profile_id).order_by(line.id.desc()).limit(LATEST))
    return [_values(row, LINE) for row in reversed(rows.all())]


def order(session: Session, number: str) -> dict[str, Any]:
    """Everything about one order, by its number (or the id that either system gave it). Raises Unknown."""
    stories = asked.stories(session, number)
    if not stories:
        newest = select(models.SyncRecord.source_number).order_by(models.SyncRecord.id.desc()).limit(5000)
        hint = near(number, [one for one in session.scalars(newest) if one])
        raise Unknown(f"No profile knows an order {number!r}.{hint}")
    tasks = {task.id: task for story in stories for task in story.tasks}
    calls = {call.id: call for story in stories for call in story.calls}
    return {
        "number": stories[0].record.source_number or number,
        "records": [
            {
                "profile": story.profile.name,
                **_record(story.record),
                **_values(story.record, FACTS),
                "history": [_values(line, LINE) for line in story.history],
            }
            for story in stories
        ],
        "tasks": [_values(tasks[id], TASK) for id in sorted(tasks)],
        "calls": [_values(call, CALL) for call in sorted(calls.values(), key=lambda one: (one.created_at, one.id))],
    }


def user(row: models.User, moment: datetime) -> tuple[Any, ...]:
    """A person as `user list` shows them: name, role, last login, second factor, and what stands in their way."""
    locked = row.locked_until is not None and row.locked_until > moment
    notes = (
        (not row.active, "switched off"),
        (locked, f"locked until {row.locked_until:%H:%M} UTC" if locked else ""),
        (row.must_change, "must change the password"),
    )
    said = ", ".join(note for true, note in notes if true)
    return row.name, row.role, row.last_login_at, "yes" if row.totp else "no", said


def stream_json(rows: Iterable[dict[str, Any]]) -> None:
    """A JSON list, written as it is read: memory does not grow with its length."""
    first = True
    sys.stdout.write("[")
    for row in rows:
        sys.stdout.write("" if first else ",\n")
        sys.stdout.flush()
        first = False
        show_json(row)
    sys.stdout.write("]\n")
