"""Connections and profiles as one text: saved, compared, written out. Forms and files go through the same hands.

What is given is checked whole before anything is stored; a file is applied in one transaction or not at all. A second
`apply` of the same file changes nothing, and neither does the file that `export` wrote. Secrets never leave in clear:
`export` writes references (env:NAME), `diff` says that they change.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from admin import audit
from admin.configuration.connections import ConnectionPlan
from admin.configuration.document import (
    ConnectionSpec,
    Document,
    Fault,
    ProcedureSpec,
    ProfileSpec,
    Wrong,
    near,
)
from admin.configuration.doubts import doubts_of, doubts_of_account, doubts_of_procedures
from admin.configuration.exporting import export
from admin.configuration.lookup import Unknown, connection, profile, systems
from admin.configuration.profiles import DIRECTIONS, ProfilePlan
from admin.configuration.reading import read, scan
from admin.configuration.references import Spot, by_scope, profile_settings, secret_spots
from admin.configuration.words import subject
from connector import registry
from profiles import models
from profiles.events import ENTITY, declared
from profiles.ledger import keep_written
from profiles.secrets import REFERENCE, unseal
from scheduler.rows import lock_profile, lock_work

__all__ = [
    "DIRECTIONS",
    "ConnectionSpec",
    "Document",
    "Fault",
    "ProcedureSpec",
    "ProfileSpec",
    "Unknown",
    "Wrong",
    "apply",
    "connection",
    "delete_connection",
    "delete_profile",
    "diff",
    "doubts",
    "doubts_of_profile",
    "export",
    "kept_by_rule",
    "missing_variables",
    "near",
    "profile",
    "read",
    "save_connection",
    "save_profile",
]


def save_connection(
    session: Session, spec: ConnectionSpec, by: str | None = None, *, now_called: str | None = None
) -> list[str]:
    """Check and store a connection; what changed, in words. `now_called` is its name before it is renamed. Where a file
    raises a doubt, a person who chooses is told at once that the collected list has no such value."""
    plan = ConnectionPlan(session, spec, now_called=now_called)
    if plan.stored is not None:
        plan.faults += doubts_of_account(session, plan.stored, plan.chosen_anew)
    return _saved(session, plan, by)


def save_profile(
    session: Session, spec: ProfileSpec, by: str | None = None, *, now_called: str | None = None
) -> list[str]:
    """Check and store a profile, its settings as a new version where they changed; what changed, in words."""
    return _saved(session, ProfilePlan(session, spec, systems(session), now_called=now_called), by)


def _saved(session: Session, plan: ConnectionPlan | ProfilePlan, by: str | None) -> list[str]:
    if plan.faults:
        raise Wrong(plan.faults)
    if plan.changes:
        plan.write(session, by)
    return plan.changes


def delete_connection(session: Session, name: str, by: str | None = None) -> list[str]:
    """Refused while profiles use it; the sentence names them."""
    row = connection(session, name)
    used = or_(models.Profile.from_id == row.id, models.Profile.to_id == row.id)
    users = session.scalars(select(models.Profile.name).where(used).order_by(models.Profile.name)).all()
    if said := kept_by_rule(session, row):
        raise Wrong([Fault("", said, subject("connection", name))])
    if users:
        said = f"It is used by {', '.join(map(repr, users))}: change or delete what uses it first."
        raise Wrong([Fault("", said, subject("connection", name))])
    before = {"connector": row.connector, "base_url": row.base_url}
    audit.note(session, by, "deleted", "connection", row.name, subject_id=row.id, before=before)
    session.delete(row)
    session.flush()
    return [f"{subject('connection', name)}: deleted"]


def kept_by_rule(session: Session, row: models.Connection) -> str | None:
    """Why the system's own rule keeps an account: it is active, or records came from it. They are counted by the account:
    what a profile wrote that is deleted counts as well, and once where another profile knows it by now."""
    try:
        bound = registry.connector(row.connector).deleted_inactive
    except LookupError:
        return None
    if not bound:
        return None
    if row.active:
        return "It is active. Deactivate it first: only an inactive account can be deleted."
    profile, record, written = models.Profile, models.SyncRecord, models.Written
    # a return bears the number of its order: that is one order
    known = select(func.coalesce(record.source_number, record.source_id)).join(profile, profile.id == record.profile_id)
    gone = select(func.coalesce(written.source_number, written.source_id)).where(written.from_id == row.id)
    brought = or_(record.status != "skipped", record.target_id.is_not(None), record.doubt_at.is_not(None))
    both = known.where(profile.from_id == row.id, brought).union(gone).subquery()
    orders = session.scalar(select(func.count()).select_from(both)) or 0
    if orders == 1:
        return "1 order is connected with it, so it cannot be deleted."
    if orders:
        return f"{orders} orders are connected with it, so it cannot be deleted."
    return None


def delete_profile(session: Session, name: str, by: str | None = None) -> list[str]:
    """With its tasks, records and history; which records it wrote stays known. Refused while it runs."""
    row = profile(session, name)
    lock_profile(session, row.id)
    lock_work(session, row.id)  # nobody begins a run between this look and the end
    running = select(exists().where(models.Task.profile_id == row.id, models.Task.status == "processing"))
    if session.scalar(running):
        raise Wrong([Fault("", "It is running now. Stop the run first.", subject("profile", name))])
    ends = [session.get_one(models.Connection, one).name for one in (row.from_id, row.to_id)]
    before: dict[str, Any] = {"entity": row.entity, "direction": row.direction, "from": ends[0], "to": ends[1]}
    before |= {"active": row.active, "cron": row.cron, "timezone": row.timezone}
    audit.note(session, by, "deleted", "profile", row.name, subject_id=row.id, before=before)
    keep_written(session, row)
    session.delete(row)
    session.flush()
    return [f"{subject('profile', name)}: deleted"]


def apply(session: Session, text: str, by: str | None = None) -> list[str]:
    """Store what the file says, all or nothing; what changed, in words. What the file does not name stays.

    Raises Wrong with every problem of the file, each with its line.
    """
    changes: list[str] = []
    for plan in _plans(session, text):
        if plan.changes:
            plan.write(session, by)
            changes += plan.changes
    return changes


def diff(session: Session, text: str) -> list[str]:
    """What `apply` would change; stores nothing."""
    return [change for plan in _plans(session, text) for change in plan.changes]


def missing_variables(session: Session, text: str) -> list[str]:
    """The variables that the stored secrets of what the file names refer to, and that are not set in this process."""
    document = read(text)
    named: dict[str, None] = {}
    for spec in document.connections:
        stored = session.scalar(select(models.Connection).where(models.Connection.name == spec.name))
        for value in unseal(stored.credentials).values() if stored else ():
            named |= _not_set(value)
    for one in document.profiles:
        row = session.scalar(select(models.Profile).where(models.Profile.name == one.name))
        for spot in _secrets_of(session, row) if row else ():
            named |= _not_set(spot.value)
    return list(named)


def doubts(session: Session, text: str) -> list[Fault]:
    """The values of the file that the collected lists do not know, each with its line. They hinder nothing."""
    document = read(text)
    rows = {one.name: one for one in session.scalars(select(models.Connection))}
    found: list[Fault] = []
    for number, account in enumerate(document.connections):
        if account.name in rows:
            told = doubts_of_account(session, rows[account.name], account.credentials or {})
            found += [document.locate(one, f"connections.{number}") for one in told]
    for number, spec in enumerate(document.profiles):
        if spec.source in rows and spec.target in rows:
            ends = (rows[spec.source], rows[spec.target])
            told = doubts_of(session, spec.name, ends, spec.entity, spec.settings)
            if spec.procedures and spec.entity == ENTITY:
                offered = declared(*(one.connector for one in ends))
                told += doubts_of_procedures(session, spec.name, ends[0], spec.procedures, offered)
            found += [document.locate(one, f"profiles.{number}") for one in told]
    return found


def doubts_of_profile(session: Session, row: models.Profile) -> list[Fault]:
    """The same of a stored profile."""
    ends = (session.get_one(models.Connection, row.from_id), session.get_one(models.Connection, row.to_id))
    return doubts_of(session, row.name, ends, row.entity, row.settings)


def _secrets_of(session: Session, row: models.Profile) -> Iterator[Spot]:
    ends = [session.get_one(models.Connection, one).connector for one in (row.from_id, row.to_id)]
    known = profile_settings(ends[0], ends[1], row.entity)
    for _scope, values in by_scope(row.settings):
        yield from secret_spots(known, values)


def _not_set(value: object) -> dict[str, None]:
    found = REFERENCE.match(value) if isinstance(value, str) else None
    return {found[1]: None} if found and found[1] not in os.environ else {}


def _plans(session: Session, text: str) -> list[ConnectionPlan | ProfilePlan]:
    """What each entry of a file comes to, connections first. Raises Wrong with the problems of all of them."""
    document, faults = scan(text)
    known = {**systems(session), **{one.name: one.connector for one in document.connections}}
    connections = [ConnectionPlan(session, one, known) for one in document.connections]
    profiles = [ProfilePlan(session, one, known) for one in document.profiles]
    numbered: list[tuple[str, ConnectionPlan | ProfilePlan]] = [
        *((f"connections.{number}", plan) for number, plan in enumerate(connections)),
        *((f"profiles.{number}", plan) for number, plan in enumerate(profiles)),
    ]
    for at, plan in numbered:
        faults += [document.locate(one, at) for one in plan.faults if f"{at}.{one.path}" not in document.told]
    if faults:
        raise Wrong(sorted(faults, key=lambda fault: fault.line or 0))
    return [*connections, *profiles]
