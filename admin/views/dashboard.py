"""The first page: is all well, what happened hour by hour, what failed and why, what waits, and what comes next."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from flask import jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from admin.views import gaps, stops
from admin.views.base import View, expose
from admin.views.collected import catalogues
from admin.views.figures import RANGES, backlogs, plot
from admin.views.gauges import gauges
from admin.views.present import number, zone
from admin.views.words import Own, _, later, n_
from profiles.db import Database, DatabaseTrouble, now
from profiles.events import ENTITY as EVENT
from profiles.models import Connection, EventProcedure, Heartbeat, Profile, SyncRecord, SyncStatus, Task, TaskStatus
from profiles.wiring import declarations
from profiles.workers import dead

SILENT_AFTER = timedelta(seconds=60)  # the clock beats every few seconds
SHOWN = 8
MOST_ENDS = 500  # of runs are looked through for the last one of each profile
CAUSES = 10
MOST_LOOKED_AT = 50  # profiles and connections; a page must stay quick
MISSED_SINCE = timedelta(hours=24)
RANGE_WORDS = {"day": later("24 hours"), "week": later("7 days"), "month": later("30 days")}
MOST_READ = 100_000  # counting stops here; the page says so


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Whether tasks are being started. `beat_at` None: no clock has ever run on this database."""

    beat_at: datetime | None
    host: str | None

    @property
    def ticks(self) -> bool:
        fresh = self.beat_at is not None and now() - self.beat_at < SILENT_AFTER
        return fresh and not (self.host and dead(self.host))


class Dashboard(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._answer("dashboard.html")

    @expose("/dashboard.json")
    def parts(self) -> ResponseReturnValue:
        """The page's content as it is now, for the page that shows it."""
        html = self._answer("dashboard_parts.html")
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    def _answer(self, template: str) -> str:
        chosen = next((one for one in RANGES if one.code == request.args.get("range")), RANGES[0])
        with self.database.reading() as session:
            profiles = {row.id: row for row in session.scalars(select(Profile).order_by(Profile.name))}
            timezone = usual_zone(list(profiles.values()))
            midnight = datetime.combine(now().astimezone(zone(timezone)), time(), zone(timezone))
            today = by_status(session, list(profiles), midnight)
            connections = session.scalars(select(Connection).order_by(Connection.name)).all()
            failing = failed_now(session, list(profiles))
            missed = _missed(session)
            lacking = {
                profile.id: count
                for profile in list(profiles.values())[:MOST_LOOKED_AT]
                if (count := _unmapped(session, profile))
            }
            beat = clock(session)
            last = _last_runs(session)
            return self.render(
                template,
                profiles=profiles,
                timezone=timezone,
                today=today,
                week=by_status(session, list(profiles), now() - timedelta(days=7)),
                statuses=list(SyncStatus),
                causes=causes(session, list(profiles)),
                failing=failing,
                missed=missed,
                backlogs=backlogs(session, list(profiles)),
                plot=plot(session, chosen, timezone) if profiles else None,
                ranges=RANGE_WORDS,
                last=last,
                stops=stops.find(session, [vars(task) for task in last]),
                next=_tasks(session, Task.status == TaskStatus.PENDING, Task.scheduled_at),
                connections=connections,
                clock=beat,
                gauges={row.id: gauges(self.database, row) for row in connections[:MOST_LOOKED_AT]},
                troubles=troubles(
                    beat,
                    list(profiles.values()),
                    connections,
                    failing,
                    missed,
                    lacking,
                    _broken(session, list(profiles)),
                ),
            )


def troubles(
    beat: Clock,
    profiles: list[Profile],
    connections: Any,
    failing: Mapping[int, int],
    missed: list[Task],
    lacking: Mapping[int, int],
    broken: Collection[int],
) -> list[tuple[str, str]]:
    """What a person should look at, the worst first, each with the page that helps. Empty: all is well."""
    found: list[tuple[str, str]] = []
    if not beat.ticks and any(one.active for one in profiles):
        found.append((_("The scheduler is not running, so nothing is sent by itself."), url_for("schedule.index")))
    for row in connections:
        if row.check_ok is False:
            found.append(
                (
                    _("The connection {name} does not work.", name=row.name),
                    url_for("connections.one", connection_id=row.id),
                )
            )
    for profile in profiles:
        if count := failing.get(profile.id):
            said = _failed(profile, count)
            found.append((said, url_for("records.index", profile_id=profile.id, status="failed")))
        if profile.id in broken and not failing.get(profile.id):
            said = _("The last run of {profile} ended with an error.", profile=profile.name)
            found.append((said, url_for("tasks.index", profile_id=profile.id)))
        if count := lacking.get(profile.id):
            said = n_(
                "{n} value that orders of {profile} had is not mapped.",
                "{n} values that orders of {profile} had are not mapped.",
                count,
                profile=profile.name,
            )
            found.append((said, url_for("options.index", profile_id=profile.id)))
    if missed:
        said = n_("{n} run was missed in the last 24 hours.", "{n} runs were missed in the last 24 hours.", len(missed))
        found.append((said, url_for("schedule.index")))
    return found


def _failed(profile: Profile, count: int) -> str:
    name = profile.name
    if profile.entity == "return":
        return n_("{n} return of {profile} has failed.", "{n} returns of {profile} have failed.", count, profile=name)
    if profile.entity == EVENT:
        return n_(
            "{n} execution of {profile} has failed.", "{n} executions of {profile} have failed.", count, profile=name
        )
    return n_("{n} order of {profile} has failed.", "{n} orders of {profile} have failed.", count, profile=name)


def _unmapped(session: Session, profile: Profile) -> int:
    """How many values its orders had that its settings do not map, also while it is switched off: people still set it
    up, or press Run now."""
    ends = [session.get_one(Connection, one).connector for one in (profile.from_id, profile.to_id)]
    try:
        return gaps.count(profile, declarations(ends[0], ends[1], profile.entity), catalogues(session, profile))
    except LookupError:
        return 0  # a connector is missing: its page says so


def _broken(session: Session, profile_ids: list[int]) -> set[int]:
    """The profiles whose last run ended with an error."""
    newest = (
        select(func.max(Task.id))
        .where(Task.profile_id.in_(profile_ids), Task.status.in_([TaskStatus.SUCCESS, TaskStatus.ERROR]))
        .group_by(Task.profile_id)
    )
    return set(session.scalars(select(Task.profile_id).where(Task.id.in_(newest), Task.status == TaskStatus.ERROR)))


def failed_now(session: Session, profile_ids: list[int]) -> dict[int, int]:
    query = (
        select(SyncRecord.profile_id, func.count())
        .where(SyncRecord.profile_id.in_(profile_ids), SyncRecord.status == SyncStatus.FAILED)
        .group_by(SyncRecord.profile_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _missed(session: Session) -> list[Task]:
    return list(
        session.scalars(
            select(Task)
            .where(Task.status == TaskStatus.MISSED, Task.scheduled_at >= now() - MISSED_SINCE)
            .order_by(Task.scheduled_at.desc())
            .limit(SHOWN)
        )
    )


def clock(session: Session) -> Clock:
    beat = session.scalar(select(Heartbeat).order_by(Heartbeat.beat_at.desc()).limit(1))
    return Clock(beat_at=beat.beat_at if beat else None, host=beat.host if beat else None)


def usual_zone(profiles: Iterable[Profile | Row[Any]]) -> str:
    """The zone of most profiles: "today" begins at its midnight."""
    counted = Counter(profile.timezone for profile in profiles)
    return counted.most_common(1)[0][0] if counted else "UTC"


def own_things(database: Database) -> Own:
    """What stored sentences may name; nothing while the database does not answer."""
    try:
        with database.reading() as session:
            profiles = session.execute(select(Profile.name, Profile.timezone)).all()
            names = [name for row in (Connection, EventProcedure) for name in session.scalars(select(row.name))]
    except DatabaseTrouble:
        return Own()
    return Own(names=[*(one.name for one in profiles), *names], zone=usual_zone(profiles))


def by_status(session: Session, profile_ids: list[int], since: datetime) -> dict[str, str]:
    """How many records were touched since then, by status, as people read it; "5,000+" where counting stopped."""
    recent = (
        select(SyncRecord.status)
        .where(SyncRecord.profile_id.in_(profile_ids), SyncRecord.updated_at >= since)
        .limit(MOST_READ)
        .subquery()
    )
    rows = session.execute(select(recent.c.status, func.count().label("records")).group_by(recent.c.status)).all()
    more = "+" if sum(row.records for row in rows) >= MOST_READ else ""
    return {status: f"{number(count)}{more}" for status, count in {**_NONE, **{row[0]: row[1] for row in rows}}.items()}


_NONE = dict.fromkeys(SyncStatus, 0)


def causes(session: Session, profile_ids: list[int]) -> list[Any]:
    """What fails now, grouped by profile and cause, the most frequent first, each with its newest record's message."""
    grouped = (
        select(
            SyncRecord.profile_id,
            SyncRecord.cause,
            func.count().label("count"),
            func.max(SyncRecord.id).label("newest"),
            func.max(SyncRecord.updated_at).label("last_at"),
        )
        .where(SyncRecord.profile_id.in_(profile_ids), SyncRecord.status == SyncStatus.FAILED)
        .group_by(SyncRecord.profile_id, SyncRecord.cause)
        .order_by(func.count().desc())
        .limit(CAUSES)
        .subquery()
    )
    query = (
        select(grouped, SyncRecord.message, SyncRecord.source_number, SyncRecord.source_id)
        .join(SyncRecord, SyncRecord.id == grouped.c.newest)
        .order_by(grouped.c.count.desc())
    )
    return list(session.execute(query))


def _last_runs(session: Session) -> list[Task]:
    """What runs now, then what ended, the last run of each profile in any case: one that runs every minute leaves room
    for the others."""
    running = _tasks(session, Task.status == TaskStatus.PROCESSING, Task.id.desc())
    query = select(Task.id, Task.profile_id).where(Task.finished_at.is_not(None)).order_by(Task.finished_at.desc())
    ended = session.execute(query.limit(MOST_ENDS)).all()
    last = {one.profile_id: one.id for one in reversed(ended)}
    chosen = dict.fromkeys(one.id for one in sorted(ended, key=lambda one: last[one.profile_id] != one.id))
    room = max(0, SHOWN - len(running))
    return [*running, *_tasks(session, Task.id.in_([*chosen][:room]), Task.finished_at.desc())]


def _tasks(session: Session, wanted: Any, order: Any) -> list[Task]:
    return list(session.scalars(select(Task).where(wanted).order_by(order).limit(SHOWN)))
