"""Who changed what: the lines of the audit, each with its values before and after."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import current_app, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, String, cast, func, or_, select
from sqlalchemy.orm import Session

from admin import auth
from admin.audit import COMMAND_LINE
from admin.views.base import View, expose
from admin.views.listing import clean, fetch, like, newest_only
from admin.views.present import zone
from admin.views.words import _, later, zone_here
from profiles.models import Audit, Connection, Profile, SyncRecord, Task, User

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(9990, 12, 31)
RECENT = 5_000  # lines whose persons and actions are offered as filters
SLACK = timedelta(
    hours=1
)  # how far the order of ids and that of times may differ: between hosts, and long transactions

# the words of the stored texts, for the translators: what a line says, with who before and the name after it
_ACTIONS = (
    later("created"),
    later("changed"),
    later("renamed"),
    later("saved settings"),
    later("switched on"),
    later("switched off"),
    later("deleted"),
    later("duplicated"),
    later("collected"),
    later("deleted collected data"),
    later("ran"),
    later("ran again"),
    later("dry run"),
    later("tested"),
    later("imported"),
    later("restored"),
    later("added a value"),
    later("removed a value"),
    later("stopped"),
    later("retried"),
    later("put back"),
    later("skipped"),
    later("logged in"),
    later("logged out"),
    later("failed to log in"),
    later("changed role"),
    later("changed event procedures"),
    later("unlocked"),
    later("reset password"),
    later("changed password"),
    later("failed to prove password"),
    later("switched on second factor"),
    later("removed second factor"),
    later("made new recovery codes"),
    later("ended other sessions"),
)
_PERSONS = (later("command line"), later("stranger"))
KINDS = {
    "profile": later("Profile"),
    "connection": later("Connection"),
    "user": later("User"),
    "task": later("Run"),
    "record": later("Record"),
    "configuration": later("Configuration"),
}
FIELDS = {
    "name": later("Name"),
    "entity": later("Entity"),
    "direction": later("Direction"),
    "from": later("From"),
    "to": later("Target"),
    "active": later("Active"),
    "cron": later("Cron expression"),
    "timezone": later("Time zone"),
    "role": later("Role"),
    "must_change": later("Must choose a new password"),
    "address": later("Address"),
    "connector": later("System"),
    "base_url": later("Base address"),
    "account": later("Account"),
    "settings": later("Settings"),
    "global": later("Global"),
    "websites": later("Website"),
    "stores": later("Store"),
    "count": later("How many"),
    "version": later("Version"),
    "task": later("Run"),
    "list": later("List"),
    "lists": later("Lists"),
    "entries": later("Entries"),
    "works": later("Works"),
    "said": later("Message"),
    "changes": later("Changes"),
    "cause": later("Cause"),
    "last": later("The newest"),
    "order": later("Order"),
}
# kind → (its table, the page of one, the argument of its address)
SUBJECTS: dict[str, tuple[Any, Sequence[str], str]] = {
    "profile": (Profile, ("profile.index",), "profile_id"),
    "connection": (Connection, ("connections.one",), "connection_id"),
    "record": (SyncRecord, ("orders.record",), "record_id"),
    "user": (User, ("users.user",), "user_id"),
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value of a line of the audit; `before` or `after` is None where there was or is none."""

    path: tuple[str, ...]
    before: str | None
    after: str | None


class Audits(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        filters = {name: clean(request.args.get(name)) for name in ("q", "person", "kind", "action")}
        days = {name: _day(request.args.get(name)) for name in ("since", "until")}
        line = Audit
        query = select(
            line.id,
            line.person,
            line.action,
            line.kind,
            line.subject_id,
            line.subject,
            line.before,
            line.after,
            line.created_at,
        )
        for name, column in (("person", line.person), ("kind", line.kind), ("action", line.action)):
            if filters[name]:
                query = query.where(column == filters[name])
        with self.database.reading() as session:
            query = _between(session, query, days["since"], days["until"])
            bounded = bool(filters["q"] or filters["action"])
            if bounded:
                query = newest_only(session, query, line.id.expression)
            if filters["q"]:
                query = query.where(_holds(filters["q"]))
            listing = fetch(session, query, (line.id.expression,))
            return self.render(
                "audit.html",
                listing=listing,
                lines=[(row, changes(row["before"], row["after"])) for row in listing.rows],
                links=_links(session, listing.rows),
                kinds=KINDS,
                persons=_offered(session, line.person.expression, filters["person"]),
                actions=_offered(session, line.action.expression, filters["action"]),
                filters={**filters, **{name: day.isoformat() if day else "" for name, day in days.items()}},
                filtered=any(filters.values()) or any(days.values()),
                bounded=bounded,
                label=label,
                nobody=(COMMAND_LINE, auth.STRANGER),
            )


def changes(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Change]:
    """Value by value, nested ones by their path, in the order in which they stand; equal ones are left out."""
    older, newer = dict(_leaves(before or {})), dict(_leaves(after or {}))
    paths = list(dict.fromkeys([*older, *newer]))
    return [
        Change(path=path, before=older.get(path), after=newer.get(path))
        for path in paths
        if older.get(path) != newer.get(path)
    ]


def label(path: tuple[str, ...]) -> str:
    """The path of a value as people read it."""
    return " › ".join(str(FIELDS.get(one, one)) for one in path)


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for at, item in enumerate(value, start=1):
            yield from _leaves(item, (*path, str(at)))
    elif path:
        yield path, _said(value)


def _said(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return _("empty")
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(_said(one) for one in value)
    return str(value)


def _holds(text: str) -> ColumnElement[bool]:
    """In the name of the subject or in a value. JSON keeps umlauts as escapes: both spellings are looked for."""
    escaped = json.dumps(text)[1:-1]
    found = [func.lower(Audit.subject).like(like(text.lower()), escape="!")]
    for column in (Audit.before, Audit.after):
        for spelled in {text, escaped}:
            found.append(func.lower(cast(column, String)).like(like(spelled.lower()), escape="!"))
    return or_(*found)


def _day(given: str | None) -> date | None:
    """The day, brought into the years that a database can count in."""
    try:
        return min(max(date.fromisoformat(given or ""), FIRST_DAY), LAST_DAY)
    except ValueError:
        return None


def _between(
    session: Session, query: Select[*tuple[Any, ...]], since: date | None, until: date | None
) -> Select[*tuple[Any, ...]]:
    """Lines of these days. The index of times finds the ids, so that the list is still paged by id."""
    if since:
        start = datetime.combine(since, time(), zone(zone_here())).astimezone(UTC)
        first = select(Audit.id).where(Audit.created_at >= start - SLACK).order_by(Audit.created_at).limit(1)
        query = query.where(Audit.created_at >= start, Audit.id >= (session.scalar(first) or 0))
    if until:
        end = datetime.combine(until + timedelta(days=1), time(), zone(zone_here())).astimezone(UTC)
        last = select(Audit.id).where(Audit.created_at < end + SLACK).order_by(Audit.created_at.desc()).limit(1)
        query = query.where(Audit.created_at < end, Audit.id <= (session.scalar(last) or 0))
    return query


def _offered(session: Session, column: ColumnElement[str], chosen: str) -> list[str]:
    recent = select(column.label("one")).order_by(Audit.id.desc()).limit(RECENT).subquery()
    found = set(session.scalars(select(recent.c.one).distinct()))
    return sorted(found | ({chosen} if chosen else set()), key=str.lower)


def _links(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], str]:
    """(kind, id) → the page of the subject, where it is still there."""
    links: dict[tuple[str, int], str] = {}
    for kind, (table, pages, argument) in SUBJECTS.items():
        ids = {row["subject_id"] for row in rows if row["kind"] == kind and row["subject_id"] is not None}
        page = next((one for one in pages if one in current_app.view_functions), None)
        if ids and page:
            for id in session.scalars(select(table.id).where(table.id.in_(ids))):
                links[kind, id] = url_for(page, **{argument: id})
    runs = {row["subject_id"] for row in rows if row["kind"] == "task" and row["subject_id"] is not None}
    if runs:
        for id, profile_id in session.execute(select(Task.id, Task.profile_id).where(Task.id.in_(runs))):
            links["task", id] = url_for("tasks.index", profile_id=profile_id)
    return links
