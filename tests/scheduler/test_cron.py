"""What a cron line means."""

from __future__ import annotations

import pickle
import random
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler import cron
from scheduler.cron import CronProblem

SEED = 20260302
MINUTE = timedelta(minutes=1)
ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata", "America/Santiago"]
CHANGES = {  # the days in 2026 on which clocks change
    "Europe/Berlin": (date(2026, 3, 29), date(2026, 10, 25)),
    "America/New_York": (date(2026, 3, 8), date(2026, 11, 1)),
    "Australia/Lord_Howe": (date(2026, 10, 4), date(2026, 4, 5)),
    "America/Santiago": (date(2026, 9, 6), date(2026, 4, 4)),  # at midnight
}
DAYS = [(zone, day) for zone, days in CHANGES.items() for day in days] + [
    ("UTC", date(2026, 3, 29)),
    ("Asia/Kolkata", date(2026, 10, 25)),
]


def between(expression: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found, at = [], start
    while (at := cron.next_after(expression, zone, at)) < end:
        found.append(at)
    return found


def around(zone: str, day: date) -> tuple[datetime, datetime]:
    """From the evening before to the morning after."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return start - timedelta(hours=12), start + timedelta(hours=36)


def minutes_of(start: datetime, end: datetime, zone: str) -> list[datetime]:
    """Every minute between, as clocks at the place show it."""
    count = int((end - start) / MINUTE)
    return [(start + number * MINUTE).astimezone(ZoneInfo(zone)) for number in range(1, count)]


@pytest.mark.parametrize(
    ("expression", "first"),
    [
        ("0 9 * * 1", "2026-03-02"),  # Monday, not Tuesday
        ("0 9 * * 0", "2026-03-08"),
        ("0 9 * * 7", "2026-03-08"),
        ("0 9 * * sun", "2026-03-08"),
        ("0 9 * * fri-sun", "2026-03-06"),
        ("0 9 10 * *", "2026-03-10"),
        ("0 9 10 * 3", "2026-03-04"),  # the tenth or a Wednesday
        ("0 9 L * *", "2026-03-31"),
        ("0 9 * * 5L", "2026-03-27"),
        ("0 9 * * 1#2", "2026-03-09"),
        ("0 9 29 2 *", "2028-02-29"),
        ("0 9 ? * 2", "2026-03-03"),
    ],
)
def test_days_mean_what_shop_admins_mean(expression: str, first: str) -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday
    assert cron.next_after(expression, "UTC", start) == datetime.fromisoformat(f"{first}T09:00:00+00:00")


@pytest.mark.parametrize(
    ("alias", "line"),
    [("@hourly", "0 * * * *"), ("@daily", "0 0 * * *"), ("@weekly", "0 0 * * 0"), ("@Monthly", "0 0 1 * *")],
)
def test_an_alias_means_its_line(alias: str, line: str) -> None:
    start = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
    assert cron.next_after(alias, "UTC", start) == cron.next_after(line, "UTC", start)


@pytest.mark.parametrize(
    ("expression", "parts"),
    [
        ("61 * * * *", ["Minute '61'", "61 is too large", "0 to 59"]),
        ("0 24 * * *", ["Hour '24'", "0 to 23"]),
        ("0 0 0 * *", ["Day of month '0'", "0 is too small", "1 to 31"]),
        ("0 0 * 13 *", ["Month '13'", "1 to 12"]),
        ("0 0 * * 8", ["Day of week '8'", "Sunday is 0 or 7"]),
        ("0 0 * * moonday", ["Day of week 'MOONDAY'", "'MOONDAY' is no day of the week"]),
        ("5,70 * * * *", ["Minute '70' in '5,70'"]),
        ("30-10 * * * *", ["Minute '30-10'", "smaller to the greater"]),
        ("0 0 * * fri-mon", ["Day of week 'FRI-MON'", "smaller to the greater"]),
        ("*/0 * * * *", ["Minute '*/0'", "a step of 0 leads nowhere"]),
        ("*/x * * * *", ["Minute '*/X'", "the step 'X' is no whole number"]),
        ("*/-5 * * * *", ["the step '-5' is no whole number"]),
        ("1/2/3 * * * *", ["the step '2/3' is no whole number"]),
        ("5/ * * * *", ["behind the slash the step is missing"]),
        ("/5 * * * *", ["before the slash something is missing"]),
        ("1,,2 * * * *", ["Minute '' in '1,,2'", "a part beside a comma is empty"]),
        ("-5 * * * *", ["Minute '-5'", "one end of the range is missing"]),
        ("1-2-3 * * * *", ["a range has two ends only"]),
        ("0 8-26 * * *", ["Hour '8-26'", "26 is too large"]),
        ("0 x * * *", ["Hour 'X'", "'X' is no number"]),
        ("0 0 L-3 * *", ["Day of month 'L-3'", "L stands alone"]),
        ("0 0 * foo-dec *", ["Month 'FOO-DEC'", "'FOO' is no month"]),
        ("0 0 * * 1#6", ["Day of week '1#6'", "1 to 5, not '6'"]),
        ("*/90 * * * *", ["a step of 90 is longer"]),
        ("0 0 31 2 *", ["'31'", "'2'", "never"]),
        ("0 0 30 2 *", ["never"]),
        ("0 0 */30 * 5#3", ["never"]),
        ("0 0 * * * *", ["six fields"]),
        ("* * * *", ["4 fields", "five"]),
        ("every day", ["2 fields"]),
        ("@reboot", ["'@reboot'", "@daily"]),
        ("", ["empty"]),
        ("  ", ["empty"]),
        ("1" * 300, ["300 characters"]),
        ("²  * * * *", ["Minute '²'"]),
    ],
)
def test_a_bad_line_is_refused_by_naming_the_part(expression: str, parts: list[str]) -> None:
    with pytest.raises(CronProblem) as caught:
        cron.check(expression, "UTC")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "", "Europe", "/etc/passwd", "../UTC", "Mars/Phobos\0"])
def test_an_unknown_time_zone_is_refused_by_name(zone: str) -> None:
    with pytest.raises(CronProblem, match="not known; names look like Europe/Berlin"):
        cron.check("0 0 * * *", zone)


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("30 2 * * *", "At 02:30 every day"),
        ("0 3,15 * * *", "At 03:00 and 15:00 every day"),
        ("* * * * *", "Every minute"),
        ("*/15 * * * *", "Every 15 minutes"),
        ("*/7 * * * *", "At the minutes 0, 7 … 56"),
        ("5,20 * * * *", "At the minutes 5 and 20"),
        ("0-4,30 * * * *", "At the minutes 0 to 4 and 30"),
        ("@hourly", "Every hour, on the hour"),
        ("20 * * * *", "Every hour, 20 minutes past"),
        ("0 */6 * * *", "At 00:00, 06:00, 12:00 and 18:00 every day"),
        ("0 */2 * * *", "Every 2 hours"),
        ("30 1-23/2 * * *", "Every 2 hours from 01:30 on"),
        ("0 8-17 * * 1-5", "Every hour from 08:00 to 17:00, Monday to Friday"),
        ("*/15 8-17 * * mon-fri", "Every 15 minutes from 08:00 to 17:59, Monday to Friday"),
        ("*/30 8,12,17 * * *", "Every 30 minutes in the hours 8, 12 and 17"),
        ("0 0 21 * *", "At 00:00, on day 21 of the month"),
        ("0 0 1,15 * *", "At 00:00, on the days 1 and 15 of the month"),
        ("0 0 L * *", "At 00:00, on the last day of the month"),
        ("0 0 LW * *", "At 00:00, on the last weekday of the month"),
        ("0 6 * * 1-5", "At 06:00, Monday to Friday"),
        ("0 6 * * 0", "At 06:00, every Sunday"),
        ("0 6 * * 7,3", "At 06:00, every Wednesday and Sunday"),
        ("0 6 * * 1#2", "At 06:00, the second Monday of the month"),
        ("0 6 * * 5L", "At 06:00, the last Friday of the month"),
        ("0 6 13 * 5", "At 06:00, on day 13 of the month and also every Friday"),
        ("0 6 */2 * 5", "At 06:00, on the days 1, 3 … 31 of the month, only every Friday"),
        ("0 6 * 12 *", "At 06:00, every day in December"),
        ("0 6 * 6-8 1", "At 06:00, every Monday, in June to August"),
        ("@yearly", "At 00:00, on day 1 of the month, in January"),
    ],
)
def test_a_line_is_explained_in_words(expression: str, words: str) -> None:
    assert cron.explain(expression) == words


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_a_daily_time_runs_exactly_once_on_the_days_when_clocks_change(zone: str, day: date) -> None:
    place = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=place).astimezone(UTC)
    end = (datetime(day.year, day.month, day.day, tzinfo=place) + timedelta(days=1)).astimezone(UTC)
    for hour in range(24):
        for minute in (0, 15, 30, 45):
            runs = between(f"{minute} {hour} * * *", zone, start - MINUTE, end)
            assert len(runs) == 1, (hour, minute, runs)


@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_a_skipped_time_runs_right_after_the_gap_and_others_at_their_time(zone: str, day: date) -> None:
    place, (start, end) = ZoneInfo(zone), around(zone, day)
    shown = {moment.replace(tzinfo=None) for moment in minutes_of(start, end, zone)}
    for hour in range(5):
        for minute in (0, 10, 30, 59):
            wall = datetime(day.year, day.month, day.day, hour, minute)
            local = cron.next_after(f"{minute} {hour} * * *", zone, start).astimezone(place)
            while local.date() < day:
                local = cron.next_after(f"{minute} {hour} * * *", zone, local).astimezone(place)
            if wall in shown:
                assert local.replace(tzinfo=None) == wall
                assert local.fold == 0
            else:
                before = (local.astimezone(UTC) - MINUTE).astimezone(place).replace(tzinfo=None)
                assert before < wall < local.replace(tzinfo=None) or wall == before + MINUTE


@pytest.mark.slow
@pytest.mark.parametrize("expression", ["* * * * *", "*/7 * * * *", "0 * * * *", "30 */2 * * *", "15 0-23 * * *"])
@pytest.mark.parametrize(("zone", "day"), DAYS)
def test_hourly_and_minute_lines_follow_real_time_through_both_hours(zone: str, day: date, expression: str) -> None:
    start, end = around(zone, day)
    minute, hour = expression.split()[:2]
    step = {"*": 1, "*/7": 7}.get(minute, 0)
    expected = [
        moment.astimezone(UTC)
        for moment in minutes_of(start, end, zone)
        if (moment.minute % step == 0 if step else moment.minute == int(minute))
        and (hour != "*/2" or moment.hour % 2 == 0)
    ]
    assert between(expression, zone, start, end) == expected


@pytest.mark.parametrize("zone", ZONES)
def test_it_agrees_with_looking_at_every_minute(zone: str) -> None:
    """Random lines over random days, those of a change among them, against a plain reading of the clock."""
    chance = random.Random(f"{SEED}{zone}")
    print("seed", SEED)
    for _ in range(25):
        days = [*CHANGES.get(zone, ()), date(2026, chance.randint(1, 12), chance.randint(1, 28))]
        start, end = around(zone, chance.choice(days))
        minutes = sorted(chance.sample(range(60), chance.randint(1, 4)))
        hours = sorted(chance.sample(range(24), chance.randint(1, 6)))
        weekdays = sorted(chance.sample(range(7), chance.randint(1, 6)))
        line = " ".join([",".join(map(str, field)) for field in (minutes, hours)])
        line += f" * * {','.join(map(str, weekdays))}"
        seen: set[datetime] = set()
        expected = []
        for moment in minutes_of(start, end, zone):
            wall = moment.replace(tzinfo=None, fold=0)
            fits = moment.minute in minutes and moment.hour in hours and (moment.weekday() + 1) % 7 in weekdays
            if fits and wall not in seen:
                expected.append(moment.astimezone(UTC))
            seen.add(wall)
        found = between(line, zone, start, end)
        extra = [at for at in found if at not in expected]
        assert [at for at in found if at in expected] == expected, line
        assert all(_after_a_gap(at, zone) for at in extra), line
        assert found == sorted(set(found))


def _after_a_gap(at: datetime, zone: str) -> bool:
    place = ZoneInfo(zone)
    shown, before = (moment.astimezone(place).replace(tzinfo=None) for moment in (at, at - MINUTE))
    return shown - before > MINUTE


def test_minute_lines_whose_hour_is_skipped_run_once_after_the_gap() -> None:
    start, end = around("Europe/Berlin", date(2026, 3, 29))
    local = [at.astimezone(ZoneInfo("Europe/Berlin")) for at in between("*/20 2 * * *", "Europe/Berlin", start, end)]
    assert [f"{at:%d %H:%M}" for at in local if at.day == 29] == ["29 03:00"]


def test_the_preview_says_what_a_change_of_the_clocks_does() -> None:
    spring = cron.upcoming("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 27, 12, tzinfo=UTC), 3)
    assert [(f"{run.local:%m-%d %H:%M}", run.clock_change) for run in spring] == [
        ("03-28 02:30", False),
        ("03-29 03:00", True),
        ("03-30 02:30", False),
    ]
    assert spring[1].note
    assert "02:30 does not exist; it runs once, at 03:00" in spring[1].note
    autumn = cron.upcoming("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24, 12, tzinfo=UTC), 1)[0]
    assert autumn.note
    assert "02:30 comes twice; it runs once, at the first" in autumn.note
    hourly = cron.upcoming("0 * * * *", "Europe/Berlin", datetime(2026, 10, 24, 23, 30, tzinfo=UTC), 2)
    assert [run.local.hour for run in hourly] == [2, 2]
    assert all(run.note and "it runs at both" in run.note for run in hourly)


def test_a_line_is_explained_in_the_language_of_its_reader() -> None:
    known = {
        "{time}, {days}": "{days} {time}",
        "At {times}": "um {times} Uhr",
        "{first} to {last}": "{first} bis {last}",
        "Monday": "Montag",
        "Friday": "Freitag",
    }

    def german(text: str, /, **values: object) -> str:
        return known.get(text, text).format(**values)

    assert cron.explain("0 6 * * 1-5", german) == "Montag bis Freitag um 06:00 Uhr"


def test_a_line_of_every_shape_can_be_explained_and_found() -> None:
    chance = random.Random(SEED)
    ranges = [(0, 59), (0, 23), (1, 28), (1, 12), (0, 7)]
    for _ in range(300):
        fields = []
        for low, high in ranges:
            first, last = sorted(chance.sample(range(low, high + 1), 2))
            shapes = ["*", str(first), f"{first}-{last}", f"{first},{last}", f"*/{max(1, last)}", f"{first}-{last}/2"]
            fields.append(chance.choice(shapes))
        line = " ".join(fields)
        assert cron.explain(line)
        start = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)
        assert cron.next_after(line, "Europe/Berlin", start) > start


def test_the_trigger_gives_the_same_times_and_can_be_stored() -> None:
    trigger = pickle.loads(pickle.dumps(cron.Trigger("0 9 * * 1", "UTC")))
    start = datetime(2026, 3, 1, tzinfo=UTC)
    assert trigger.get_next_fire_time(None, start) == datetime(2026, 3, 2, 9, tzinfo=UTC)
    with pytest.raises(CronProblem):
        cron.Trigger("0 9 * * 9")
