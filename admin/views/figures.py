"""Numbers for the dashboard: outcomes per hour as bars, how long a backlog takes, and what is not well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin.views.present import dated, zone
from profiles.db import now
from profiles.models import SyncHistory, SyncRecord, SyncStatus, Task, TaskStatus

OUTCOMES = (SyncStatus.COMPLETE, SyncStatus.UPDATED, SyncStatus.SKIPPED, SyncStatus.FAILED)  # from the axis upwards
WIDTH, HEIGHT, AXIS = 960, 150, 18
PACED_BY = 5  # finished runs that the pace of a profile is taken from


@dataclass(frozen=True, kw_only=True)
class Range:
    """A span of the plot. `step` is the width of a bar in hours."""

    code: str
    hours: int
    step: int


RANGES = (
    Range(code="day", hours=24, step=1),
    Range(code="week", hours=168, step=3),
    Range(code="month", hours=720, step=24),
)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar of the plot: counts by status, its place, and its pieces as (status, y, height)."""

    at: datetime
    label: str
    counts: Mapping[str, int]
    x: float
    width: float
    pieces: Sequence[tuple[str, float, float]]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A stacked bar plot and the table that says the same."""

    range: Range
    bars: Sequence[Bar]
    top: int
    ticks: Sequence[tuple[float, str]]
    totals: Mapping[str, int]
    width: int = WIDTH
    height: int = HEIGHT
    axis: int = AXIS


def plot(session: Session, chosen: Range, timezone: str) -> Plot:
    """What became of records, hour by hour (or day by day), in the zone's hours."""
    here = zone(timezone)
    end = now().astimezone(here).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if chosen.step == 24:
        end = end.replace(hour=0) + timedelta(days=1) if end.hour else end
    starts = [_back(end, (at + 1) * chosen.step) for at in reversed(range(chosen.hours // chosen.step))]
    counted: list[dict[str, int]] = [{} for _one in starts]
    for hour, status, count in per_hour(session, starts[0]):
        at = max((place for place, start in enumerate(starts) if start <= hour), default=0)
        counted[at][status] = counted[at].get(status, 0) + count
    top = _round_up(max((sum(one.values()) for one in counted), default=0))
    wide = WIDTH / len(starts)
    bars = []
    for at, (start, counts) in enumerate(zip(starts, counted, strict=True)):
        pieces, y = [], float(HEIGHT)
        for status in OUTCOMES:
            if counts.get(status):
                high = counts[status] / top * HEIGHT
                y -= high
                pieces.append((str(status), round(y, 2), round(high, 2)))
        label = dated(start, timezone) if chosen.step < 24 else dated(start, timezone).rsplit(",", 1)[0]
        bars.append(
            Bar(at=start, label=label, counts=counts, x=round(at * wide, 2), width=round(wide * 0.8, 2), pieces=pieces)
        )
    every = ceil(len(bars) / 8)
    ticks = [(bar.x, _tick(bar.at, chosen)) for at, bar in enumerate(bars) if at % every == 0]
    totals = {str(status): sum(one.get(status, 0) for one in counted) for status in OUTCOMES}
    return Plot(range=chosen, bars=bars, top=top, ticks=ticks, totals=totals)


def _back(moment: datetime, hours: int) -> datetime:
    """So many hours earlier; whole days by the calendar, so that a day of 23 or 25 hours stays one bar."""
    if hours % 24 == 0:
        return moment - timedelta(days=hours // 24)
    return (moment.astimezone(UTC) - timedelta(hours=hours)).astimezone(moment.tzinfo)


def _tick(moment: datetime, chosen: Range) -> str:
    if chosen.code == "day":
        return f"{moment:%H:%M}"
    return f"{moment.day}.{moment.month}."


def _round_up(most: int) -> int:
    """The top of the scale: 1, 2, 5 times a power of ten, not below the highest bar."""
    size = 1
    while True:
        for factor in (1, 2, 5):
            if most <= factor * size:
                return factor * size
        size *= 10


def per_hour(session: Session, since: datetime) -> Iterable[tuple[datetime, str, int]]:
    """(hour, status, count) of all outcomes since then; answered from an index alone."""
    if session.get_bind().dialect.name == "sqlite":
        hour: Any = func.strftime("%Y-%m-%dT%H:00:00", SyncHistory.created_at)
    else:
        hour = func.to_char(func.date_trunc("hour", SyncHistory.created_at), 'YYYY-MM-DD"T"HH24:MI:SS')
    hour = hour.label("hour")
    query = (
        select(hour, SyncHistory.status, func.count())
        .where(SyncHistory.created_at >= since.astimezone(UTC), SyncHistory.status.in_(OUTCOMES))
        .group_by(hour, SyncHistory.status)
    )
    for text, status, count in session.execute(query):
        yield datetime.fromisoformat(text).replace(tzinfo=UTC), status, count


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits in a profile, and how long it takes at the pace of its last runs; None: no pace is known yet."""

    profile_id: int
    records: int
    seconds: float | None


def backlogs(session: Session, profile_ids: Sequence[int]) -> list[Backlog]:
    waiting = session.execute(
        select(SyncRecord.profile_id, func.count())
        .where(
            SyncRecord.profile_id.in_(profile_ids),
            SyncRecord.status.in_([SyncStatus.PENDING, SyncStatus.PROCESSING]),
        )
        .group_by(SyncRecord.profile_id)
    ).all()
    return [Backlog(profile_id=id, records=count, seconds=_needed(session, id, count)) for id, count in waiting]


def _needed(session: Session, profile_id: int, records: int) -> float | None:
    runs = session.execute(
        select(Task.executed_at, Task.finished_at, Task.counts)
        .where(Task.profile_id == profile_id, Task.status.in_([TaskStatus.SUCCESS, TaskStatus.ERROR]))
        .order_by(Task.id.desc())
        .limit(PACED_BY)
    ).all()
    done = sum(int((counts or {}).get("done") or 0) for _began, _ended, counts in runs)
    took = sum((ended - began).total_seconds() for began, ended, counts in runs if began and ended and counts)
    return records * took / done if done and took > 0 else None
