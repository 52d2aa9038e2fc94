"""The schedule of all profiles: whether the scheduler runs, what runs now, the next 24 hours, what was missed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin.views.base import View, expose
from admin.views.dashboard import SILENT_AFTER, usual_zone
from admin.views.listing import fetch
from admin.views.present import zone
from admin.views.stops import find as find_stops
from admin.views.tasks import FIELDS, PAST, announced, lines, status_asked
from admin.views.words import n_
from admin.views.workers import place
from profiles.db import now
from profiles.models import Heartbeat, Profile, Task, TaskStatus
from scheduler.cron import CronProblem, after
from scheduler.rows import PENDING, PROCESSING

HOURS = 24
COMING = 20  # next runs that are listed
MISSED_FOR = timedelta(days=7)
MISSED = 10
MISSED_AMONG = 5_000  # of the newest tasks
MOST_RUNS = 1500  # of one line in 24 hours; every minute is 1,440
PATIENCE_SECONDS = 0.3  # for the plot of the next hours


@dataclass(frozen=True, kw_only=True)
class Host:
    """One process that plans and runs."""

    place: str
    beat_at: datetime
    started_at: datetime
    alive: bool


@dataclass(frozen=True, kw_only=True)
class Hour:
    """How many runs begin in an hour; `tall` of 40."""

    x: int
    tall: float
    runs: int
    label: str
    said: str


class Schedule(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._answer("schedule.html")

    @expose("/rows.json")
    def rows(self) -> ResponseReturnValue:
        html = self._answer("schedule_table.html")
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    def _answer(self, template: str) -> str:
        status = status_asked()
        with self.database.reading() as session:
            profiles = {row.id: row for row in session.scalars(select(Profile).order_by(Profile.name))}
            running = lines(session.execute(select(*FIELDS).where(PROCESSING)).mappings().all())
            waiting = select(*FIELDS).where(PENDING).order_by(Task.scheduled_at).limit(COMING)
            coming = lines(session.execute(waiting).mappings().all())
            looked_for = [Task.status == status] if status in PAST else []
            past = select(*FIELDS).where(Task.status.in_(PAST))
            listing = fetch(session, past, (Task.id.expression,), residual=looked_for)
            ended = session.scalar(
                select(Task).where(Task.status.in_((TaskStatus.SUCCESS, TaskStatus.ERROR))).order_by(Task.id.desc())
                .limit(1)
            )  # fmt: skip
            missed, missed_count = _missed(session)
            hosts = hosts_of(session)
            stops = find_stops(session, listing.rows)
        timezone = usual_zone(list(profiles.values()))
        found, whole = _hours([row for row in profiles.values() if row.active], timezone)
        return self.render(
            template,
            profiles=profiles,
            timezone=timezone,
            running=running,
            coming=coming,
            hours=found,
            hours_whole=whole,
            missed=missed,
            missed_count=missed_count,
            listing=listing,
            past=lines(listing.rows),
            stops=stops,
            hosts=hosts,
            alive=[one for one in hosts if one.alive],
            last_beat=max((one.beat_at for one in hosts), default=None),
            said=announced(running, ended),
            statuses=list(PAST),
            filters={"status": status if status in PAST else ""},
        )


def hosts_of(session: Session) -> list[Host]:
    """Every process with a scheduler that gave a sign of life within the last day, the living first."""
    moment = now()
    rows = session.scalars(select(Heartbeat).order_by(Heartbeat.beat_at.desc()).limit(50))
    return [
        Host(
            place=place(row.host),
            beat_at=row.beat_at,
            started_at=row.started_at,
            alive=moment - row.beat_at < SILENT_AFTER,
        )
        for row in rows
    ]


def _missed(session: Session) -> tuple[list[dict[str, Any]], int]:
    """What was missed lately, newest first, and how much of it there is."""
    newest = session.scalar(select(func.max(Task.id))) or 0
    lately = (
        Task.id > newest - MISSED_AMONG,
        Task.status == TaskStatus.MISSED,
        Task.scheduled_at >= now() - MISSED_FOR,
    )
    rows = session.execute(select(*FIELDS).where(*lately).order_by(Task.id.desc()).limit(MISSED)).mappings().all()
    return lines(rows), session.scalar(select(func.count(Task.id)).where(*lately)) or 0


def _hours(profiles: Sequence[Profile], timezone: str) -> tuple[list[Hour], bool]:
    """How many runs begin in each of the next 24 hours. False: there are too many to count them all."""
    moment = now()
    start = moment.replace(minute=0, second=0, microsecond=0)
    by_line: dict[tuple[str, str], int] = {}
    for row in profiles:
        by_line[(row.cron, row.timezone)] = by_line.get((row.cron, row.timezone), 0) + 1
    counts, whole, patience = [0] * HOURS, True, time.monotonic() + PATIENCE_SECONDS
    for (line, place_of), many in by_line.items():
        if time.monotonic() > patience:
            whole = False
            break
        for at in _runs(line, place_of, moment, start + timedelta(hours=HOURS)):
            counts[int((at - start) / timedelta(hours=1))] += many
    most = max(counts) or 1
    made = []
    for at, runs in enumerate(counts):
        local = (start + timedelta(hours=at)).astimezone(zone(timezone))
        said = n_("{hour}: {n} run", "{hour}: {n} runs", runs, hour=f"{local:%H:%M}")
        made.append(
            Hour(x=at * 20, tall=round(40 * runs / most, 1), runs=runs, label=f"{local:%H}", said=said)
        )  # fmt: skip
    return made, whole


def _runs(line: str, timezone: str, moment: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    try:
        for at in after(line, timezone, moment):
            if at >= end or len(found) >= MOST_RUNS:
                break
            found.append(at)
    except CronProblem:
        pass
    return found
