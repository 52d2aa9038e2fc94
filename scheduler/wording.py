"""A cron line in words, in any language: whole phrases with places, each handed to `_`, the reader's translator.

The scheduler knows no reader. Who asks for words brings a callable that takes a phrase and what fills its {places};
without one the words are English.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cronsim import CronSim

Translate = Callable[..., str]
FEW = 4  # so many times of day are listed one by one
LAST, LAST_WEEKDAY = CronSim.LAST, CronSim.LAST_WEEKDAY


def english(text: str, /, **values: object) -> str:
    return text.format(**values) if values else text


@dataclass(frozen=True, kw_only=True)
class Time:
    """The part of the day. `daily`: it names times of the clock, so "every day" makes it a sentence."""

    said: str
    daily: bool = False


def words(walls: CronSim, _: Translate = english) -> str:
    """For example "At 02:30 every day", "Every 15 minutes", "At 06:00, Monday to Friday"."""
    time, days = _time(walls, _), _days(walls, _)
    if days:
        return _("{time}, {days}", time=time.said, days=days)
    return _("{time} every day", time=time.said) if time.daily else time.said


def _time(walls: CronSim, _: Translate) -> Time:
    minutes, hours = sorted(walls.minutes), sorted(walls.hours)
    if len(hours) == 24:
        return Time(said=_hourly(minutes, _))
    if len(minutes) * len(hours) <= FEW:
        times = [_clock(hour, minute) for hour in hours for minute in minutes]
        return Time(said=_("At {times}", times=_list(times, _)), daily=True)
    if len(minutes) == 1:
        first, last, step = _clock(hours[0], minutes[0]), _clock(hours[-1], minutes[0]), _step(hours)
        if step == 1:
            return Time(said=_("Every hour from {first} to {last}", first=first, last=last))
        if step and hours[0] < step and hours[-1] + step > 23:
            if minutes[0] == 0 and hours[0] == 0:
                return Time(said=_("Every {n} hours", n=step))
            return Time(said=_("Every {n} hours from {first} on", n=step, first=first))
        times = [_clock(hour, minutes[0]) for hour in hours]
        return Time(said=_("At {times}", times=_list(times, _)), daily=True)
    said = _within(minutes, _)
    if _step(hours) == 1:
        first, last = _clock(hours[0], 0), _clock(hours[-1], 59)
        return Time(said=_("{minutes} from {first} to {last}", minutes=said, first=first, last=last))
    return Time(said=_("{minutes} in the hours {hours}", minutes=said, hours=_list(_runs(hours, str, _), _)))


def _hourly(minutes: Sequence[int], _: Translate) -> str:
    """In every hour of the day."""
    if minutes == [0]:
        return _("Every hour, on the hour")
    if len(minutes) == 1:
        return _("Every hour, {minute} minutes past", minute=minutes[0])
    return _within(minutes, _)


def _within(minutes: Sequence[int], _: Translate) -> str:
    """Which minutes of an hour."""
    step = _step(minutes)
    if len(minutes) == 60:
        return _("Every minute")
    if step and step > 1 and minutes[0] == 0 and 60 % step == 0 and minutes[-1] + step == 60:
        return _("Every {n} minutes", n=step)
    if len(minutes) == 1:
        return _("At minute {minute}", minute=minutes[0])
    return _("At the minutes {minutes}", minutes=_list(_runs(minutes, str, _), _))


def _days(walls: CronSim, _: Translate) -> str:
    """Which days; empty for every day."""
    dates, weekdays = _dates(walls, _), _weekdays(walls, _)
    if dates and weekdays:
        # a field that begins with a star narrows the other; two that name days add up
        said = (
            _("{dates}, only {weekdays}", dates=dates, weekdays=weekdays)
            if walls.day_and
            else _("{dates} and also {weekdays}", dates=dates, weekdays=weekdays)
        )
    else:
        said = dates or weekdays
    if len(walls.months) == 12:
        return said
    months = _list(_runs(sorted(walls.months), lambda month: _months(_)[month - 1], _), _)
    if not said:
        return _("every day in {months}", months=months)
    return _("{days}, in {months}", days=said, months=months)


def _dates(walls: CronSim, _: Translate) -> str:
    if walls.days.issuperset(range(1, 32)):
        return ""
    numbers = sorted(day for day in walls.days if day > 0)
    said: list[str] = []
    if len(numbers) == 1:
        said.append(_("on day {day} of the month", day=numbers[0]))
    elif numbers:
        said.append(_("on the days {days} of the month", days=_list(_runs(numbers, str, _), _)))
    if LAST in walls.days:
        said.append(_("on the last day of the month"))
    if LAST_WEEKDAY in walls.days:
        said.append(_("on the last weekday of the month"))
    return _list(said, _)


def _weekdays(walls: CronSim, _: Translate) -> str:
    plain = sorted({_monday_first(day) for day in walls.weekdays if isinstance(day, int)})
    if len(plain) == 7:
        return ""
    said: list[str] = []
    names = _names(_)
    if plain:
        several = _runs(plain, lambda day: names[day], _)
        listed = _list(several, _)
        said.append(listed if len(several) < len(plain) else _("every {weekdays}", weekdays=listed))
    for day, number in sorted(day for day in walls.weekdays if isinstance(day, tuple)):
        said.append(_nth(number, names[_monday_first(day)], _))
    return _list(said, _)


def _nth(number: int, weekday: str, _: Translate) -> str:
    if number == LAST:
        return _("the last {weekday} of the month", weekday=weekday)
    said = (
        _("the first {weekday} of the month", weekday=weekday),
        _("the second {weekday} of the month", weekday=weekday),
        _("the third {weekday} of the month", weekday=weekday),
        _("the fourth {weekday} of the month", weekday=weekday),
        _("the fifth {weekday} of the month", weekday=weekday),
    )
    return said[number - 1]


def _names(_: Translate) -> tuple[str, ...]:
    return (
        _("Monday"),
        _("Tuesday"),
        _("Wednesday"),
        _("Thursday"),
        _("Friday"),
        _("Saturday"),
        _("Sunday"),
    )


def _months(_: Translate) -> tuple[str, ...]:
    return (
        _("January"),
        _("February"),
        _("March"),
        _("April"),
        _("May"),
        _("June"),
        _("July"),
        _("August"),
        _("September"),
        _("October"),
        _("November"),
        _("December"),
    )


def _monday_first(day: int) -> int:
    return (day + 6) % 7


def _clock(hour: int, minute: int) -> str:
    return f"{hour:02d}:{minute:02d}"


def _step(values: Sequence[int]) -> int | None:
    """The one distance between neighbours; None where there is none or it differs."""
    steps = {later - earlier for earlier, later in itertools.pairwise(values)}
    return steps.pop() if len(steps) == 1 else None


def _runs(values: Sequence[int], name: Callable[[int], str], _: Translate) -> list[str]:
    """Three neighbours or more become "1 to 5", a long even row "1, 3 … 31"."""
    step = _step(values)
    if step and step > 1 and len(values) > 4:
        return [f"{name(values[0])}, {name(values[1])} … {name(values[-1])}"]
    said: list[str] = []
    start = 0
    for at in range(1, len(values) + 1):
        if at < len(values) and values[at] == values[at - 1] + 1:
            continue
        if at - start > 2:
            said.append(_("{first} to {last}", first=name(values[start]), last=name(values[at - 1])))
        else:
            said += [name(value) for value in values[start:at]]
        start = at
    return said


def _list(parts: Sequence[Any], _: Translate) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return _("{head} and {last}", head=", ".join(parts[:-1]), last=parts[-1])
