"""From the clock on the wall to instants: what a local time means on the two days when the clocks change."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SECOND = timedelta(seconds=1)


class UnknownZone(Exception):
    """No time zone has this name; the message says which name and what one looks like."""


@functools.lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of this name. UnknownZone when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        shown = repr(name[:64]) if isinstance(name, str) else repr(name)
        raise UnknownZone(f"Time zone {shown} is not known; names look like Europe/Berlin or UTC.") from error


def on_the_wall(instant: datetime, place: ZoneInfo) -> datetime:
    """What clocks show at the instant, without zone."""
    return instant.astimezone(place).replace(tzinfo=None, fold=0)


def instants(wall: datetime, place: ZoneInfo) -> list[datetime]:
    """When clocks show this: once, on the day they go back perhaps twice, in the hour they skip never."""
    found: list[datetime] = []
    for fold in (0, 1):
        instant = wall.replace(tzinfo=place, fold=fold).astimezone(UTC)
        if instant not in found and on_the_wall(instant, place) == wall:
            found.append(instant)
    return found


def once(wall: datetime, place: ZoneInfo) -> datetime:
    """The one instant a daily time stands for: the first of two; for a skipped time, the end of the gap."""
    found = instants(wall, place)
    if found:
        return found[0]
    after, before = (wall.replace(tzinfo=place, fold=fold).astimezone(UTC) for fold in (1, 0))
    return changes_between(after, before, place)


def offset(instant: datetime, place: ZoneInfo) -> timedelta:
    return instant.astimezone(place).utcoffset() or timedelta()


def changes_between(early: datetime, late: datetime, place: ZoneInfo) -> datetime:
    """The first second of the new time, where the offset at the two instants differs."""
    before = offset(early, place)
    while late - early > SECOND:
        middle = early + timedelta(seconds=(late - early) // SECOND // 2)
        if offset(middle, place) == before:
            early = middle
        else:
            late = middle
    return late


def change_on(wall: datetime, place: ZoneInfo) -> tuple[datetime, datetime] | None:
    """What clocks showed at the change of this local day, before and after it; None on other days."""
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = (
        day.replace(tzinfo=place).astimezone(UTC) for day in (midnight, midnight + timedelta(days=1) - SECOND)
    )
    if offset(start - SECOND, place) == offset(end, place):
        return None
    moment = changes_between(start - SECOND, end, place)
    after = on_the_wall(moment, place)
    return after + offset(moment - SECOND, place) - offset(moment, place), after
