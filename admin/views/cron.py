"""What a cron line means: in words, as the next runs in its zone, and what else runs then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_skeleton
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.views.words import _, later, locale, n_, told
from profiles.db import now
from profiles.models import Profile
from scheduler import cron

PREVIEWED = 10
NAMED = 3  # of the profiles that run in the same minute; the others are counted
LINES = 200  # so many different lines of other profiles are looked at

PRESETS = (
    ("*/15 * * * *", later("Every 15 minutes")),
    ("*/30 * * * *", later("Every 30 minutes")),
    ("0 * * * *", later("Hourly")),
    ("15 3 * * *", later("Nightly")),
)

# what the scheduler says of lines and clocks, for the translators (`told` finds these patterns again)
_SENTENCES = (
    later("The clocks go forward on this day, from {before} to {later}."),
    later("The clocks go back on this day, from {before} to {later}."),
    later("{time} does not exist; it runs once, at {later}."),
    later("{time} comes twice; it runs at both."),
    later("{time} comes twice; it runs once, at the first."),
    later("Time zone {name} is not known; names look like Europe/Berlin or UTC."),
    later("The cron line is empty; for example */15 * * * * runs every 15 minutes."),
    later("The cron line has {n} characters; at most {most} are allowed."),
    later("{line} is not known; allowed are {known}, or five fields."),
    later("The cron line has six fields; seconds (or a year) are not possible, write five fields."),
    later("The cron line has {n} field; five are needed: minute, hour, day of month, month, day of week."),
    later("The cron line has {n} fields; five are needed: minute, hour, day of month, month, day of week."),
    later("Minute {value}"),
    later("Hour {value}"),
    later("Day of month {value}"),
    later("Month {value}"),
    later("Day of week {value}"),
    later("Hour {value} is not possible: {why}."),
    later("Hour {value} is not possible: {why}; allowed is {allowed}."),
    later("Month {value} is not possible: {why}."),
    later("Month {value} is not possible: {why}; allowed is {allowed}."),
    later("a part beside a comma is empty"),
    later("before the slash something is missing, for example */5"),
    later("behind the slash the step is missing, for example */5"),
    later("a range has two ends only"),
    later("one end of the range is missing"),
    later("a step of 0 leads nowhere, the smallest is 1"),
    later("a range goes from the smaller to the greater (write two parts with a comma)"),
    later("0 to 59"),
    later("0 to 23"),
    later("1 to 31, L for the last day, LW for the last weekday"),
    later("1 to 12 or JAN to DEC"),
    later("0 to 7 (Sunday is 0 or 7) or SUN to SAT, 5L for the last Friday, 1#2 for the second Monday"),
    later("{part}: a step of {step} is longer than the field; allowed is {allowed}."),
    later("Day of month {day} never comes in month {month} (day of week {weekday}): the line would never run."),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One of the next runs as people read it."""

    at: datetime
    local: str
    utc: str
    note: str = ""
    others: str = ""


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a line means; `problem` says which part is wrong, and of which field of the form."""

    words: str = ""
    runs: Sequence[Shown] = ()
    problem: str = ""
    field: str = ""
    zone: str = ""
    now: str = ""
    always: str = ""  # what runs at all of these times, said once


def preview(session: Session, line: str, timezone: str, profile_id: int | None = None) -> Preview:
    try:
        cron.check_timezone(timezone)
    except cron.CronProblem as error:
        return Preview(problem=told(str(error)), field="timezone")
    try:
        cron.check(line, timezone)
        runs = cron.upcoming(line, timezone, now(), PREVIEWED)
    except cron.CronProblem as error:
        return Preview(problem=told(str(error)), field="cron")
    others = _others(session, [run.at for run in runs], profile_id)
    same = all(names == others[0] for names in others)
    return Preview(
        always=_named(others[0]) if same else "",
        words=cron.explain(line, _),
        zone=timezone,
        now=f"{now().astimezone(cron.zone(timezone)):%H:%M}",
        runs=[
            Shown(
                at=run.at,
                local=day_and_time(run.local),
                utc=f"{run.at:%H:%M} UTC",
                note=told(run.note) if run.note else _("The clocks change on this day.") if run.clock_change else "",
                others="" if same else _named(names),
            )
            for run, names in zip(runs, others, strict=True)
        ],
    )


def as_json(found: Preview) -> dict[str, Any]:
    """For programs and forms."""
    if found.problem:
        return {"problem": found.problem, "field": found.field}
    runs = [{"local": run.local, "utc": f"{run.at:%Y-%m-%d %H:%M} UTC", "note": run.note} for run in found.runs]
    return {"words": found.words, "runs": runs}


def words(line: str) -> str:
    """A stored line in words; the line itself when it cannot be read (stored by another version)."""
    try:
        return cron.explain(line, _)
    except cron.CronProblem:
        return line


def day_and_time(local: datetime) -> str:
    return f"{format_skeleton('yMMMEd', local, locale=locale())}, {local:%H:%M}"


def _others(session: Session, instants: Sequence[datetime], profile_id: int | None) -> list[list[str]]:
    """The names of the other active profiles that are due in the minute of each instant."""
    query = select(Profile.name, Profile.cron, Profile.timezone).where(Profile.active).order_by(Profile.name)
    if profile_id is not None:
        query = query.where(Profile.id != profile_id)
    by_line: dict[tuple[str, str], list[str]] = {}
    for name, line, timezone in session.execute(query):
        by_line.setdefault((line, timezone), []).append(name)
    found: list[list[str]] = [[] for _instant in instants]
    for (line, timezone), names in list(by_line.items())[:LINES]:
        for at, instant in enumerate(instants):
            if due_within(line, timezone, instant.replace(second=0, microsecond=0), timedelta(minutes=1)):
                found[at] += names
    return [sorted(names) for names in found]


def due_within(line: str, timezone: str, start: datetime, length: timedelta) -> bool:
    try:
        return cron.next_after(line, timezone, start - timedelta(microseconds=1)) < start + length
    except cron.CronProblem:
        return False


def _named(names: Sequence[str]) -> str:
    if not names:
        return ""
    listed = ", ".join(names[:NAMED])
    more = len(names) - NAMED
    if more > 0:
        return n_(
            "At the same time: {names} and {n} more profile",
            "At the same time: {names} and {n} more profiles",
            more,
            names=listed,
        )
    return _("At the same time: {names}", names=listed)
