"""What a cron line means: five fields as shop admins read them, and what happens when the clocks change.

Sunday is 0 or 7; where day of month and day of week are both given, either is enough. A line with fixed hours is a
daily time: it runs exactly once on every day, also where its time is skipped (then right after the gap) or comes twice
(then at the first). A line through all hours, or in minute steps, follows real time and runs in both hours. The fields
are cronsim's; the zone is ours, because cronsim loses runs where the clocks change by half an hour (Lord Howe).
"""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from cronsim import CronSim, CronSimError
from cronsim.cronsim import Field

from scheduler import wording, zones

LONGEST = 255
NEAR = timedelta(hours=26)  # further from a change of the clocks, no local time comes twice or not at all
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
FIELDS = (
    (Field.MINUTE, "minute", "0 to 59"),
    (Field.HOUR, "hour", "0 to 23"),
    (Field.DAY, "day of month", "1 to 31, L for the last day, LW for the last weekday"),
    (Field.MONTH, "month", "1 to 12 or JAN to DEC"),
    (
        Field.DOW,
        "day of week",
        "0 to 7 (Sunday is 0 or 7) or SUN to SAT, 5L for the last Friday, 1#2 for the second Monday",
    ),
)
SIZES = {Field.MINUTE: 60, Field.HOUR: 24, Field.DAY: 31, Field.MONTH: 12, Field.DOW: 8}


class CronProblem(Exception):
    """The line cannot be used; the message names the part that is wrong and what is allowed there."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One planned run. `note` says in words what a change of the clocks does to it or to its day."""

    at: datetime
    local: datetime
    clock_change: bool
    note: str | None


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line as it is evaluated: at every instant clocks show a matching time, or at each such time once, or both."""

    walls: CronSim
    real: bool
    daily: bool


def check(expression: str, timezone: str = "UTC") -> None:
    """Raise CronProblem when the line or the zone cannot be used."""
    check_timezone(timezone)
    _read(expression)


def check_timezone(timezone: str) -> None:
    """Raise CronProblem when no zone has this name."""
    zone(timezone)


def explain(expression: str, translate: wording.Translate = wording.english) -> str:
    """The line in words, for example "At 02:30 every day"; in the reader's language with a translator of phrases."""
    return wording.words(_read(expression).walls, translate)


def next_after(expression: str, timezone: str, instant: datetime) -> datetime:
    """The first run after the instant, in UTC."""
    line, place = _read(expression), zone(timezone)
    found: list[datetime] = []
    if line.real:
        found.append(_next_real(line, place, instant))
    if line.daily:
        found.append(_next_daily(line, place, instant))
    return min(found)


def after(expression: str, timezone: str, instant: datetime) -> Iterator[datetime]:
    """All runs after the instant, in UTC, in order, without end."""
    while True:
        instant = next_after(expression, timezone, instant)
        yield instant


def upcoming(expression: str, timezone: str, instant: datetime, count: int = 10) -> list[Run]:
    """The next runs after the instant, those on days when the clocks change flagged and explained."""
    place, runs = zone(timezone), []
    times = after(expression, timezone, instant)
    for _ in range(count):
        at = next(times)
        wall = zones.on_the_wall(at, place)
        change = zones.change_on(wall, place)
        note = _note(wall, change, _read(expression), place) if change else None
        runs.append(Run(at=at, local=at.astimezone(place), clock_change=change is not None, note=note))
    return runs


class Trigger(BaseTrigger):  # type: ignore[misc]
    """A cron line for APScheduler, whose own reads Monday as 0 and runs twice when the clocks go back."""

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        check(expression, timezone)
        self.expression, self.timezone = expression, timezone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        return next_after(self.expression, self.timezone, max(now, previous_fire_time or now))


def zone(timezone: str) -> ZoneInfo:
    """The zone of this name. CronProblem when there is none."""
    try:
        return zones.zone(timezone)
    except zones.UnknownZone as error:
        raise CronProblem(str(error)) from error


@functools.lru_cache(maxsize=20_000)
def _read(expression: str) -> Line:
    fields = _fields(expression)
    # cronsim asks whether a field starts with a star; `0-23` and `*` must mean the same
    hours, minutes = (field.parse(fields[number]) for field, number in ((Field.HOUR, 1), (Field.MINUTE, 0)))
    all_hours = len(hours) == 24 or fields[1].startswith("*")
    all_minutes = len(minutes) == 60 or fields[0].startswith("*")
    try:
        walls = CronSim(" ".join(fields), datetime(2000, 1, 1))
        next(copy.copy(walls))
    except (CronSimError, StopIteration) as error:
        raise CronProblem(
            f"Day of month {fields[2]!r} never comes in month {fields[3]!r} (day of week {fields[4]!r}): "
            "the line would never run."
        ) from error
    return Line(walls=walls, real=all_hours or all_minutes, daily=not all_hours)


def _fields(expression: str) -> list[str]:
    """The five fields in capitals, aliases and the friendlier spellings translated."""
    if not isinstance(expression, str) or not expression.strip():
        raise CronProblem("The cron line is empty; for example */15 * * * * runs every 15 minutes.")
    if len(expression) > LONGEST:
        raise CronProblem(f"The cron line has {len(expression)} characters; at most {LONGEST} are allowed.")
    line = expression.strip()
    if line.startswith("@"):
        if line.lower() not in ALIASES:
            raise CronProblem(f"{line!r} is not known; allowed are {', '.join(ALIASES)}, or five fields.")
        line = ALIASES[line.lower()]
    fields = line.upper().split()
    if len(fields) == 6:
        raise CronProblem("The cron line has six fields; seconds (or a year) are not possible, write five fields.")
    if len(fields) != 5:
        raise CronProblem(
            f"The cron line has {len(fields)} field{'s' if len(fields) != 1 else ''}; five are needed: "
            "minute, hour, day of month, month, day of week."
        )
    return [_field(text, *told) for text, told in zip(fields, FIELDS, strict=True)]


def _field(text: str, field: Field, name: str, allowed: str) -> str:
    if text == "?" and field in (Field.DAY, Field.DOW):
        return "*"
    if field is Field.DOW:
        text = re.sub(r"-SUN\b", "-7", text)  # Friday to Sunday: cronsim reads SUN as 0
    terms = text.split(",")
    for number, term in enumerate(terms):
        named = f"{name[0].upper()}{name[1:]} {term!r}" + (f" in {text!r}" if len(terms) > 1 else "")
        steps = re.fullmatch(r"[^/]+/(\d{1,9})", term)
        if steps and int(steps[1]) > SIZES[field]:
            raise CronProblem(f"{named}: a step of {steps[1]} is longer than the field; allowed is {allowed}.")
        try:
            field.parse(term)
        except (CronSimError, ValueError) as error:
            if step := _wrong_step(term, field):
                raise CronProblem(f"{named} is not possible: {step}.") from error
            raise CronProblem(f"{named} is not possible: {_why(term, field)}; allowed is {allowed}.") from error
        if steps and int(steps[1]) == SIZES[field] and term.startswith("*") and field is not Field.DOW:
            terms[number] = "1" if field in (Field.DAY, Field.MONTH) else "0"  # */60: once, at the start
    return ",".join(terms)


def _why(term: str, field: Field) -> str:
    """The first thing that is wrong with a part, in words."""
    if not term:
        return "a part beside a comma is empty"
    value, sign, which = term.partition("#")
    if sign and field is Field.DOW:
        if said := _of_value(value, field):
            return said
        return f"behind # stands which one of the month it is, 1 to 5, not {which!r}"
    start = term.partition("/")[0]
    ends = start.split("-")
    if len(ends) > 2:
        return "a range has two ends only"
    if len(ends) == 2 and not all(ends):
        return "one end of the range is missing"
    for end in ends if start != "*" else ():
        if said := _of_value(end, field):
            return said
    return "a range goes from the smaller to the greater (write two parts with a comma)"


def _wrong_step(term: str, field: Field) -> str:
    """What is wrong with the step of a part that is right otherwise; empty: nothing."""
    start, slash, step = term.partition("/")
    if not slash:
        return ""
    if not start:
        return "before the slash something is missing, for example */5"
    try:
        field.parse(start)
    except CronSimError:
        return ""
    if not step:
        return "behind the slash the step is missing, for example */5"
    if not (step.isascii() and step.isdecimal()):
        return f"the step {step!r} is no whole number"
    return "a step of 0 leads nowhere, the smallest is 1"


def _of_value(value: str, field: Field) -> str:
    """What is wrong with one number or name; empty: nothing."""
    try:
        field.int(value)
    except CronSimError:
        if value.isascii() and value.isdecimal():
            if int(value) == 0:
                return f"{value} is too small"
            return f"{value} is too large"
        if field is Field.DAY and value in ("L", "LW"):
            return f"{value} stands alone"
        if field is Field.MONTH:
            return f"{value!r} is no month"
        if field is Field.DOW:
            return f"{value!r} is no day of the week"
        return f"{value!r} is no number"
    return ""


def _from(line: Line, wall: datetime) -> Iterator[datetime]:
    """Matching times on the wall after this one."""
    walls = copy.copy(line.walls)
    walls.dt = wall.replace(microsecond=0)
    try:
        yield from walls
    except OverflowError:
        pass
    raise CronProblem("The line has no further run.")


def _next_daily(line: Line, place: ZoneInfo, instant: datetime) -> datetime:
    for wall in _from(line, zones.on_the_wall(instant, place)):
        found = zones.once(wall, place)
        if found > instant:
            return found
    raise AssertionError  # _from never ends


def _next_real(line: Line, place: ZoneInfo, instant: datetime) -> datetime:
    """Each time is looked up in the zone; near a change also those that come again, hence the step back."""
    offsets = [zones.offset(instant + way * NEAR, place) for way in (-1, 1)]
    shift = abs(offsets[1] - offsets[0])
    best: datetime | None = None
    for wall in _from(line, zones.on_the_wall(instant, place) - shift):
        for found in zones.instants(wall, place):
            if found > instant and (best is None or found < best):
                best = found
        if best is not None and (not shift or wall > zones.on_the_wall(best, place) + shift):
            return best
    raise AssertionError  # _from never ends


def _note(wall: datetime, change: tuple[datetime, datetime], line: Line, place: ZoneInfo) -> str:
    before, later = change
    forward = later > before
    told = f"The clocks go {'forward' if forward else 'back'} on this day, from {before:%H:%M} to {later:%H:%M}."
    if forward and wall == later and line.daily:
        previous = next(_from(line, before - timedelta(minutes=1)))
        if previous < later:
            return f"{told} {previous:%H:%M} does not exist; it runs once, at {later:%H:%M}."
    if not forward and len(zones.instants(wall, place)) == 2:
        return f"{told} {wall:%H:%M} comes twice; it runs {'at both' if line.real else 'once, at the first'}."
    return told


__all__ = [
    "CronProblem",
    "Run",
    "Trigger",
    "after",
    "check",
    "check_timezone",
    "explain",
    "next_after",
    "upcoming",
    "zone",
]
