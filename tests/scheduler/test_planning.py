"""The plan: one pending task per profile, due ones taken, slept-through ones counted."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select, update

from profiles.db import Database
from profiles.models import Profile, Task
from scheduler import cron, tasks
from tests.scheduler.conftest import (
    NINE,
    Change,
    add_profile,
    all_tasks,
    claim,
    finish,
    history,
    minutes,
    take,
)


def test_a_saved_profile_has_one_pending_task_at_its_next_due_time(database: Database, profile_id: int) -> None:
    (task,) = all_tasks(database)
    assert (task.status, task.scheduled_at, task.job_code) == ("pending", NINE + minutes(15), "order_export")
    assert task.asked_by is None
    assert history(database, task.id) == [("pending", "order_export")]


def test_saving_it_again_changes_nothing(database: Database, profile_id: int, change: Change) -> None:
    (before,) = all_tasks(database)
    change(profile_id, NINE + minutes(1), name="other")
    (task,) = all_tasks(database)
    assert (task.id, task.scheduled_at) == (before.id, before.scheduled_at)
    assert len(history(database, task.id)) == 1


def test_a_changed_line_or_zone_takes_effect_at_once(database: Database, profile_id: int, change: Change) -> None:
    change(profile_id, NINE + minutes(1), cron="30 4 * * *")
    (task,) = all_tasks(database)
    assert task.scheduled_at == NINE.replace(day=3, hour=4, minute=30)
    change(profile_id, NINE + minutes(2), timezone="Europe/Berlin")
    (task,) = all_tasks(database)
    assert task.scheduled_at == NINE.replace(day=3, hour=3, minute=30)
    change(profile_id, NINE + minutes(3), cron="*/5 * * * *")
    (task,) = all_tasks(database)
    assert task.scheduled_at == NINE + minutes(5)
    assert len(history(database, task.id)) == 4


def test_an_inactive_profile_is_not_planned(database: Database, profile_id: int, change: Change) -> None:
    (task,) = all_tasks(database)
    change(profile_id, NINE, active=False)
    assert all_tasks(database) == []
    assert len(history(database, task.id)) == 2
    change(profile_id, NINE, active=True)
    assert [one.scheduled_at for one in all_tasks(database)] == [NINE + minutes(15)]


def test_a_bad_line_is_not_planned_but_said(database: Database) -> None:
    with pytest.raises(cron.CronProblem):
        add_profile(database, cron="61 * * * *")


def test_saving_a_profile_does_not_lose_a_run_that_is_due(database: Database, profile_id: int, change: Change) -> None:
    change(profile_id, NINE + minutes(16), name="other")
    assert [one.scheduled_at for one in take(database, NINE + minutes(16))] == [NINE + minutes(15)]


def test_a_due_task_is_taken_once_and_the_next_is_planned(database: Database, profile_id: int) -> None:
    at = NINE + minutes(15)
    assert take(database, at - timedelta(seconds=1)) == []
    (taken,) = take(database, at)
    assert (taken.profile_id, taken.scheduled_at) == (profile_id, at)
    assert take(database, at) == []
    assert take(database, at + timedelta(seconds=1)) == []
    assert [(one.status, one.scheduled_at) for one in all_tasks(database)] == [
        ("pending", at),
        ("pending", at + minutes(15)),
    ]
    with database.reading() as session:
        assert tasks.waiting(session, at, 5) == [taken.id]


def test_a_task_a_little_late_runs(database: Database, profile_id: int) -> None:
    (taken,) = take(database, NINE + minutes(25))
    assert taken.scheduled_at == NINE + minutes(15)


def test_a_task_late_beyond_the_grace_is_missed(database: Database, profile_id: int) -> None:
    at = NINE + minutes(25) + timedelta(seconds=1)
    assert take(database, at) == []
    missed, pending = all_tasks(database)
    assert (missed.status, missed.finished_at, missed.executed_at) == ("missed", at, None)
    assert missed.message
    assert "1 time" in missed.message
    assert (pending.status, pending.scheduled_at) == ("pending", NINE + minutes(30))
    assert history(database, missed.id)[-1] == ("missed", "order_export")


def test_what_was_slept_through_is_one_missed_task_with_its_number(database: Database) -> None:
    add_profile(database, cron="0 * * * *")
    assert take(database, NINE + timedelta(hours=7, minutes=30)) == []
    missed, pending = all_tasks(database)
    assert missed.status == "missed"
    assert missed.message
    assert missed.message.startswith("Slept through 7 times, from 2026-03-02 10:00 (UTC) to 2026-03-02")
    assert (pending.status, pending.scheduled_at) == ("pending", NINE + timedelta(hours=8))


def test_the_latest_slept_through_time_runs_when_it_is_within_the_grace(database: Database, profile_id: int) -> None:
    at = NINE + timedelta(hours=12, minutes=3)
    (taken,) = take(database, at)
    assert taken.scheduled_at == NINE + timedelta(hours=12)
    missed, running, pending = all_tasks(database)
    assert missed.message
    assert missed.message.startswith("Slept through 47 times")
    assert (running.status, pending.scheduled_at) == ("pending", NINE + timedelta(hours=12, minutes=15))


def test_a_short_nap_is_no_burst_either(database: Database) -> None:
    add_profile(database, cron="* * * * *")
    (taken,) = take(database, NINE + minutes(5.5))
    assert taken.scheduled_at == NINE + minutes(5)
    missed, *rest = all_tasks(database)
    assert missed.message
    assert missed.message.startswith("Slept through 4 times")
    assert [one.scheduled_at for one in rest] == [NINE + minutes(5), NINE + minutes(6)]


def test_a_year_asleep_is_counted_roughly_and_quickly(database: Database) -> None:
    for number in range(20):
        add_profile(database, f"p{number}", cron=f"*/{number % 10 + 1} * * * *")
    began = time.monotonic()
    take(database, NINE + timedelta(days=365))
    assert time.monotonic() - began < 5
    messages = [one.message or "" for one in all_tasks(database, status="missed")]
    assert len(messages) == 20
    assert all("more than" in one for one in messages)


def test_a_task_whose_profile_still_runs_is_missed(database: Database, profile_id: int) -> None:
    (first,) = take(database, NINE + minutes(15))
    epoch = claim(database, first.id, NINE + minutes(15))
    with database.session() as session:
        assert tasks.renew(session, first.id, epoch or 0, at=NINE + minutes(30))
    assert take(database, NINE + minutes(30)) == []
    statuses = [(one.status, one.scheduled_at) for one in all_tasks(database)]
    assert statuses == [
        ("processing", NINE + minutes(15)),
        ("missed", NINE + minutes(30)),
        ("pending", NINE + minutes(45)),
    ]
    missed = all_tasks(database)[1]
    assert missed.message
    assert f"still running (task {first.id}, since 2026-03-02 09:15 (UTC))" in missed.message


def test_a_task_whose_predecessor_waits_for_a_worker_is_missed(database: Database, profile_id: int) -> None:
    (first,) = take(database, NINE + minutes(15))
    for minute in (15.4, 15.8, 16.2):
        with database.session() as session:
            tasks.look_after(session, NINE + minutes(minute))
    for seconds in range(0, 15 * 60, 25):
        with database.session() as session:
            tasks.look_after(session, NINE + minutes(16.2) + timedelta(seconds=seconds))
    assert take(database, NINE + minutes(30)) == []
    waiting, missed, _ = all_tasks(database)
    assert (waiting.id, waiting.status, missed.status) == (first.id, "pending", "missed")
    assert missed.message
    assert "still waiting for its turn" in missed.message


def test_a_task_that_waits_for_a_worker_is_not_late_while_a_clock_looks_after_it(
    database: Database, profile_id: int
) -> None:
    (first,) = take(database, NINE + minutes(15))
    at = NINE + minutes(15)
    while at < NINE + minutes(29):
        at += timedelta(seconds=25)
        with database.session() as session:
            tasks.look_after(session, at)
        assert take(database, at) == []
    with database.reading() as session:
        assert tasks.waiting(session, at, 5) == [first.id]


def test_a_taken_task_whose_clock_died_is_taken_again(database: Database, profile_id: int) -> None:
    (first,) = take(database, NINE + minutes(15))
    assert take(database, NINE + minutes(15.5)) == []
    (again,) = take(database, NINE + minutes(16.5))
    assert again == first
    assert [one.scheduled_at for one in all_tasks(database)] == [NINE + minutes(15), NINE + minutes(30)]


def test_a_task_that_waited_long_is_taken_again_when_its_clock_died_only_now(database: Database) -> None:
    add_profile(database, cron="0 * * * *")
    (first,) = take(database, NINE + minutes(60))
    at = NINE + minutes(60)
    while at < NINE + minutes(100):
        at += timedelta(seconds=25)
        with database.session() as session:
            tasks.look_after(session, at)
    assert take(database, at + minutes(3)) == [first]


def test_a_taken_task_that_nobody_looked_after_for_long_is_missed(database: Database) -> None:
    add_profile(database, cron="0 * * * *")
    take(database, NINE + minutes(60))
    assert take(database, NINE + minutes(75)) == []
    assert [one.status for one in all_tasks(database)] == ["missed", "pending"]


def test_what_a_person_asked_for_waits_while_the_profile_runs(database: Database, profile_id: int) -> None:
    (first,) = take(database, NINE + minutes(15))
    epoch = claim(database, first.id, NINE + minutes(15))
    with database.session() as session:
        asked = tasks.ask(session, session.get_one(Profile, profile_id), "ann", at=NINE + minutes(16))
    assert take(database, NINE + minutes(16)) == []
    with database.reading() as session:
        assert tasks.waiting(session, NINE + minutes(16), 5) == []
    assert finish(database, first.id, epoch or 0, NINE + minutes(16.5))
    with database.reading() as session:
        assert tasks.waiting(session, NINE + minutes(16.6), 5) == [asked.id]


def test_what_a_person_asked_for_waits_for_a_long_run_without_a_clock(database: Database, profile_id: int) -> None:
    (first,) = take(database, NINE + minutes(15))
    claim(database, first.id, NINE + minutes(15))
    with database.session() as session:
        asked = tasks.ask(session, session.get_one(Profile, profile_id), "ann", at=NINE + minutes(16))
    take(database, NINE + minutes(40))
    assert next(one for one in all_tasks(database) if one.id == asked.id).status == "pending"


def test_what_a_person_asked_for_while_nothing_ran_is_missed(database: Database, profile_id: int) -> None:
    with database.session() as session:
        asked = tasks.ask(session, session.get_one(Profile, profile_id), "ann", at=NINE)
    take(database, NINE + minutes(11))
    missed = next(one for one in all_tasks(database) if one.id == asked.id)
    assert missed.status == "missed"
    assert missed.message
    assert "Ask again" in missed.message


def test_a_task_of_a_line_that_became_bad_is_missed_and_the_others_are_planned(database: Database) -> None:
    bad, good = add_profile(database, "bad"), add_profile(database, "good")
    with database.session() as session:
        session.execute(update(Profile).where(Profile.id == bad).values(cron="99 * * * *"))
    assert [one.profile_id for one in take(database, NINE + minutes(15))] == [good]
    (missed,) = all_tasks(database, bad)
    assert missed.message
    assert "Minute '99'" in missed.message
    with database.session() as session:
        problems, more = tasks.keep_all_planned(session, NINE + minutes(16))
    assert (len(problems), more) == (1, None)
    assert "Profile bad cannot be planned" in problems[0]


def test_the_plan_is_repaired_where_other_hands_changed_rows(database: Database) -> None:
    missing, stray = add_profile(database, "missing"), add_profile(database, "stray")
    with database.session() as session:
        session.execute(Task.__table__.delete().where(Task.profile_id == missing))
        session.execute(update(Profile).where(Profile.id == stray).values(active=False))
    with database.session() as session:
        assert tasks.keep_all_planned(session, NINE + minutes(1)) == ([], None)
    assert [one.profile_id for one in all_tasks(database)] == [missing]


def test_a_row_that_stands_at_the_next_instant_already_is_no_trouble(database: Database, profile_id: int) -> None:
    with database.session() as session:
        tasks.ask(session, session.get_one(Profile, profile_id), "ann", at=NINE + minutes(30))
    assert len(take(database, NINE + minutes(15))) == 1
    with database.session() as session:
        tasks.keep_all_planned(session, NINE + minutes(15))
    assert [one.scheduled_at for one in all_tasks(database) if one.lease_until is None and one.asked_by is None] == [
        NINE + minutes(45)
    ]


def test_a_profile_that_is_being_saved_does_not_hold_up_the_others(database: Database) -> None:
    if database.sqlite:
        pytest.skip("SQLite has one writer at a time")
    saved, other = add_profile(database, "saved"), add_profile(database, "other")
    with database.session() as session:
        session.get_one(Profile, saved).cron = "0 0 * * *"
        session.flush()
        taken: list[int] = []
        planner = threading.Thread(
            target=lambda: taken.extend(one.profile_id for one in take(database, NINE + minutes(15)))
        )
        planner.start()
        planner.join(10)
        assert taken == [other]
    planner.join()


def test_saving_while_planning_leaves_one_pending_task_at_the_right_time(database: Database, change: Change) -> None:
    profile_id = add_profile(database, cron="* * * * *")
    lines = ["* * * * *", "*/2 * * * *", "0 * * * *", "30 4 * * *"]
    done, faults = threading.Event(), []
    at = NINE + minutes(1)

    def plan() -> None:
        try:
            while not done.is_set():
                take(database, at)
                time.sleep(0.002)
        except Exception as fault:
            faults.append(fault)

    planners = [threading.Thread(target=plan) for _ in range(2)]
    for planner in planners:
        planner.start()
    for number in range(120):
        at = NINE + minutes(1 + number)
        change(profile_id, at, cron=lines[number % 4 if number < 119 else 1])
    done.set()
    for planner in planners:
        planner.join()
    assert faults == []
    take(database, at)
    open_ones = [one for one in all_tasks(database, status="pending") if one.lease_until is None]
    assert [one.scheduled_at for one in open_ones] == [cron.next_after(lines[1], "UTC", at)]


def test_ten_thousand_profiles_due_in_one_second_are_planned_in_about_one(database: Database) -> None:
    first = add_profile(database, "first", cron="0 * * * *")
    with database.session() as session:
        row = session.get_one(Profile, first)
        values = {
            name: getattr(row, name)
            for name in (
                *("entity", "direction", "from_id", "to_id", "active", "cron", "timezone"),
                *("created_at", "updated_at"),
            )
        }
        session.execute(insert(Profile), [{**values, "name": f"p{number}"} for number in range(9_999)])
        task = {"status": "pending", "job_code": "order_export", "created_at": NINE, "scheduled_at": NINE + minutes(60)}
        ids = session.scalars(select(Profile.id).where(Profile.id != first)).all()
        session.execute(insert(Task), [{**task, "profile_id": one} for one in ids])
    began = time.monotonic()
    assert len(take(database, NINE + minutes(60))) == 10_000
    assert time.monotonic() - began < 3  # bench/clock.py measures; here only that it is no matter of ten seconds
    with database.reading() as session:
        found = session.execute(select(Task.scheduled_at, func.count()).group_by(Task.scheduled_at)).all()
    assert dict(found) == {NINE + minutes(60): 10_000, NINE + minutes(120): 10_000}
