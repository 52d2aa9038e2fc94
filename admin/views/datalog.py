"""The data log: every remote call, newest first, with filters that stay quick at a million rows; and one call whole.

An index serves the order number, the connection and the time; every other filter is looked for call by call in the
newest ones, and the page says how far it looked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import abort, request
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from admin.derive import Words
from admin.views.base import View, expose
from admin.views.frame import english
from admin.views.listing import clean, fetch, like, starts_with
from admin.views.present import zone
from admin.views.profile import system_label
from admin.views.timeline import dry_run
from admin.views.words import later
from connector.registry import plugins
from connector.settings import GLOBAL, declared
from profiles.models import Connection, DataLog, Profile, SyncRecord, Task
from profiles.settings import EngineOptions

LEVELS = {"ok": later("Worked"), "warning": later("Warning"), "error": later("Error")}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
FIELDS = (
    DataLog.id,
    DataLog.connection_id,
    DataLog.identifier,
    DataLog.path,
    DataLog.method,
    DataLog.status,
    DataLog.seconds,
    DataLog.reference,
    DataLog.error,
    DataLog.created_at,
)
KEEPS_BODIES = "log_response"


class Log(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        with self.database.reading() as session:
            connections = session.scalars(select(Connection).order_by(Connection.name)).all()
            found = plugins()
            timezone = usual_zone(session)
            asked = Asked.read(request.args, timezone)
            query, keys, residual = asked.query(connections)
            return self.render(
                "log.html",
                listing=fetch(session, query, keys, residual=residual),
                connections=connections,
                systems=sorted({one.connector for one in connections}),
                names={code: system_label(found, code) for code in found},
                levels=LEVELS,
                methods=METHODS,
                asked=asked,
                zone=timezone,
            )

    @expose("/<int:call_id>/")
    def call(self, call_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            call = session.get(DataLog, call_id) if call_id < 2**63 else None
            if call is None:
                abort(404)
            task = session.get(Task, call.task_id) if call.task_id is not None else None
            mine = or_(Profile.from_id == call.connection_id, Profile.to_id == call.connection_id)
            if task is not None:
                mine = Profile.id == task.profile_id
            users = session.scalars(select(Profile).where(mine).order_by(Profile.name).limit(5)).all()
            return self.render(
                "call.html",
                call=call,
                system=system_label(plugins(), call.identifier),
                connection=session.get(Connection, call.connection_id),
                task=task,
                dry_run=dry_run(call.dry_run_by),
                record_id=_record(session, call.reference, [one.id for one in users]),
                keepers=[_keeper(one) for one in users],
                zone=users[0].timezone if task is not None and users else usual_zone(session),
            )


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The filters of the page. A value that means nothing filters nothing."""

    identifier: str = ""
    connection: int | None = None
    path: str = ""
    level: str = ""
    method: str = ""
    reference: str = ""
    error: str = ""
    since: datetime | None = None
    until: datetime | None = None
    created_from: str = ""
    created_to: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str], timezone: str) -> Asked:
        connection, level = given.get("connection", ""), given.get("level", "")
        since, until = (_moment(given.get(name, ""), timezone) for name in ("created_from", "created_to"))
        return cls(
            identifier=clean(given.get("identifier"), 64),
            connection=int(connection) if re.fullmatch(r"[0-9]{1,18}", connection) else None,
            path=clean(given.get("path"), 1024),
            level=level if level in LEVELS else "",
            method=given.get("method", "") if given.get("method") in METHODS else "",
            reference=clean(given.get("reference")),
            error=clean(given.get("error")),
            since=since,
            until=until,
            created_from=given.get("created_from", "") if since else "",
            created_to=given.get("created_to", "") if until else "",
        )

    @property
    def any(self) -> bool:
        return self != Asked()

    def query(
        self, connections: Sequence[Connection]
    ) -> tuple[Select[*tuple[Any, ...]], Sequence[ColumnElement[Any]], Sequence[ColumnElement[bool]]]:
        """What an index serves, in which order, and the conditions that are looked for call by call."""
        call = DataLog
        query: Select[*tuple[Any, ...]] = select(*FIELDS)
        others, one_of = self._looked_for(), self.connection
        mine = {one.id for one in connections if one.connector == self.identifier}
        if self.identifier and mine != {one.id for one in connections}:
            if one_of is None and len(mine) == 1:
                one_of = next(iter(mine))
            else:
                others.append(call.identifier == self.identifier if mine else false())
        times = [call.created_at >= self.since] if self.since else []
        times += [call.created_at < self.until] if self.until else []
        if one_of is not None and not times and not self.reference:
            query = query.where(call.connection_id == one_of)
        elif one_of is not None:  # + 0: the index of the connection must not be taken, another one serves
            others.append(call.connection_id + 0 == one_of)
        if self.reference:  # the few calls of one order
            return query.where(call.reference == self.reference, *others, *times), (call.id.expression,), ()
        if times:
            return query.where(*times), (call.created_at.expression, call.id.expression), others
        return query, (call.id.expression,), others

    def _looked_for(self) -> list[ColumnElement[bool]]:
        call, found = DataLog, []
        slow_down = call.status == 429
        if self.level == "ok":
            found.append(and_(call.status < 300, call.error.is_(None)))
        elif self.level == "warning":
            found.append(or_(and_(call.status >= 300, call.status < 400), slow_down))
        elif self.level == "error":
            partly = and_(call.status < 300, call.error.is_not(None))  # a batch answers well and says what failed in it
            found.append(or_(call.status.is_(None), and_(call.status >= 400, ~slow_down), partly))
        if self.method:
            found.append(call.method == self.method)
        if self.path:
            found.append(starts_with(call.path.expression, self.path))
        if self.error:
            found.append(func.lower(call.error).like(like(self.error.lower()), escape="!"))
        return found


def usual_zone(session: Session) -> str:
    """The time zone of most profiles: nobody else says where the people are."""
    count = func.count()
    found = session.execute(
        select(Profile.timezone, count).group_by(Profile.timezone).order_by(count.desc(), Profile.timezone).limit(1)
    ).first()
    return str(found[0]) if found else "UTC"


def _moment(text: str, timezone: str) -> datetime | None:
    """What a date-and-time input sends, in the zone that the page names; None when it is none."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?)?", text):
        return None
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=zone(timezone))
        moment.astimezone(zone("UTC"))
    except (ValueError, OverflowError):
        return None
    return moment if timedelta(0) < moment - datetime(1, 1, 3, tzinfo=zone("UTC")) else None


def _record(session: Session, reference: str | None, profiles: Sequence[int]) -> int | None:
    """The record of that number, best one of the profile that made the call."""
    if not reference:
        return None
    named = select(SyncRecord.id).where(SyncRecord.source_number == reference).limit(1)
    return session.scalar(named.where(SyncRecord.profile_id.in_(profiles))) or session.scalar(named)


def _keeper(row: Profile) -> dict[str, Any]:
    """A profile with its setting that keeps requests and responses: what it is called there, and whether it is on."""
    words = Words(direction=row.direction, entity=english(row.entity))
    one = next(one for one in declared(EngineOptions) if one.name == KEEPS_BODIES)
    on = ((row.settings or {}).get(GLOBAL) or {}).get(KEEPS_BODIES) is True
    return {"profile": row, "setting": words(one.label), "anchor": f"s.{one.name}", "on": on}
