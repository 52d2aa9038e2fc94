"""The last seven days of each profile: records done and failed per day, as numbers of a small plot.

Counted from the history by its index on profile and id: the id where a day begins is looked up once for all profiles. A
day that is over never changes, so it is counted once per process.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from babel.dates import format_skeleton
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin.views.present import number, zone
from admin.views.words import _, locale
from profiles.db import now
from profiles.models import Profile, SyncHistory, SyncStatus

DAYS = 7
DONE = (SyncStatus.COMPLETE, SyncStatus.UPDATED)
SETTLED = timedelta(minutes=10)  # so long after midnight the last line of a day is surely written
MOST_KEPT = 50_000
HEIGHT = 24


@dataclass(frozen=True, kw_only=True)
class Day:
    label: str
    done: int
    failed: int


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One day of the plot: its place, and the heights of its two parts."""

    x: int
    done: float
    failed: float
    label: str


class Weeks:
    """Counts the days, and keeps those that are over."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, datetime], tuple[int, int]] = {}

    def of(self, session: Session, profiles: Sequence[Profile]) -> dict[int, list[Day]]:
        starts: dict[str, list[datetime]] = {row.timezone: _starts(row.timezone) for row in profiles}
        first_ids: dict[datetime, int | None] = {}
        return {row.id: self._days(session, row, starts[row.timezone], first_ids) for row in profiles}

    def _days(
        self, session: Session, profile: Profile, starts: Sequence[datetime], first_ids: dict[datetime, int | None]
    ) -> list[Day]:
        days = []
        for start, end in itertools.pairwise(starts):
            counted = self._kept.get((profile.id, start))
            if counted is None:
                for instant in (start, end):
                    if instant not in first_ids:
                        first_ids[instant] = _first_id(session, instant)
                counted = _count(session, profile.id, first_ids[start], first_ids[end])
                if now() - end > SETTLED:
                    if len(self._kept) > MOST_KEPT:
                        self._kept.clear()
                    self._kept[(profile.id, start)] = counted
            local = start.astimezone(zone(profile.timezone))
            days.append(Day(label=format_skeleton("MMMEd", local, locale=locale()), done=counted[0], failed=counted[1]))
        return days


def _starts(timezone: str) -> list[datetime]:
    """The midnights of the last seven local days, and the one to come."""
    place = zone(timezone)
    today = now().astimezone(place).date()
    dates = [today - timedelta(days=back) for back in range(DAYS - 1, -2, -1)]
    return [datetime.combine(date, time(), place).astimezone(UTC) for date in dates]


def _first_id(session: Session, instant: datetime) -> int | None:
    """The id of the first line since then; None when there is none."""
    line = SyncHistory
    query = select(line.id).where(line.created_at >= instant).order_by(line.created_at, line.id).limit(1)
    return session.scalar(query)


def _count(session: Session, profile_id: int, first: int | None, end: int | None) -> tuple[int, int]:
    """How many records were done and how many failed; one that failed twice counts once."""
    if first is None:
        return 0, 0
    line = SyncHistory
    mine: list[Any] = [line.profile_id == profile_id, line.id >= first]
    if end is not None:
        mine.append(line.id < end)
    records = func.count(line.record_id.distinct())
    counted = {True: 0, False: 0}
    for status, many in session.execute(select(line.status, records).where(*mine).group_by(line.status)):
        if status in DONE or status == SyncStatus.FAILED:
            counted[status != SyncStatus.FAILED] += many
    return counted[True], counted[False]


def bars(days: Sequence[Day]) -> list[Bar]:
    """The days as bars, the tallest as high as the plot; a day with anything at all can be seen."""
    most = max((day.done + day.failed for day in days), default=0)

    def tall(count: int) -> float:
        return round(max(2.0, HEIGHT * count / most), 1) if count else 0

    made = []
    for at, day in enumerate(days):
        done, failed = tall(day.done), tall(day.failed)
        over = max(0.0, done + failed - HEIGHT)  # two that were raised to be seen
        made.append(Bar(x=at * 12, done=round(max(0.0, done - over), 1), failed=failed, label=_told(day)))
    return made


def in_words(days: Sequence[Day]) -> str:
    """What the plot shows, for those who do not see it."""
    if not any(day.done or day.failed for day in days):
        return _("Last seven days: nothing was sent.")
    return _("Last seven days. {days}", days="; ".join(_told(day) for day in days))


def _told(day: Day) -> str:
    if day.failed:
        return _("{day}: {done} done, {failed} failed", day=day.label, done=number(day.done), failed=number(day.failed))
    return _("{day}: {done} done", day=day.label, done=number(day.done))
