"""Ask, claim, renew, finish, stop, bury: each once, and in order."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest

from profiles import workers
from profiles.db import Database
from profiles.models import Profile
from scheduler import tasks
from tests.scheduler.conftest import NINE, add_profile, add_twin, all_tasks, claim, finish, history, minutes, take

DUE = NINE + minutes(15)


@pytest.fixture
def task_id(database: Database, profile_id: int) -> int:
    """A due task of a profile."""
    return take(database, DUE)[0].id


def ask(database: Database, profile_id: int, by: str = "ann", request: dict[str, object] | None = None) -> int:
    with database.session() as session:
        return tasks.ask(session, session.get_one(Profile, profile_id), by, request, NINE).id


def killed_worker() -> str:
    """The identity of a process that is certainly gone."""
    command = [
        sys.executable,
        "-c",
        "import sys; from profiles.workers import me; print(me(), flush=True); sys.stdin.read()",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        process.kill()
    return name


def test_run_now_adds_a_task_beside_the_planned_one(database: Database, profile_id: int) -> None:
    task_id = ask(database, profile_id, request={"order": "100000123"})
    asked, planned = all_tasks(database)
    assert (asked.id, asked.asked_by, asked.request, asked.status) == (
        task_id,
        "ann",
        {"order": "100000123"},
        "pending",
    )
    assert asked.scheduled_at == NINE
    assert planned.asked_by is None
    assert [taken.id for taken in take(database, NINE)] == [task_id]


def test_run_now_is_refused_while_another_waits(database: Database, profile_id: int) -> None:
    ask(database, profile_id)
    with pytest.raises(
        tasks.AlreadyWaiting, match="Profile orders is already waiting to be run: ann asked for it at 2026"
    ):
        ask(database, profile_id, by="bob")


def test_run_now_at_the_very_instant_of_a_cron_run_is_a_task_of_its_own(database: Database, profile_id: int) -> None:
    with database.session() as session:
        tasks.ask(session, session.get_one(Profile, profile_id), "ann", at=DUE)
    assert len(take(database, DUE + timedelta(seconds=1))) == 2


def test_run_now_works_for_an_inactive_profile(database: Database) -> None:
    profile_id = add_profile(database, active=False)
    ask(database, profile_id)
    assert len(take(database, NINE)) == 1


def test_a_claimed_task_is_processing_and_nobody_elses(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE, worker="w1")
    task = all_tasks(database)[0]
    assert (task.status, task.worker, task.executed_at, task.epoch) == ("processing", "w1", DUE, epoch)
    assert task.lease_until == DUE + timedelta(seconds=60)
    assert claim(database, task_id, DUE, worker="w2") is None
    assert all_tasks(database)[0].worker == "w1"
    assert history(database, task_id) == [("pending", "order_export"), ("processing", "order_export")]


def test_a_planned_task_that_loses_the_race_for_its_profile_is_missed(database: Database, profile_id: int) -> None:
    asked = ask(database, profile_id)
    planned = all_tasks(database)[1].id
    assert claim(database, asked, DUE) == 1
    assert claim(database, planned, DUE) is None
    task = all_tasks(database)[1]
    assert (task.status, task.message) == ("missed", "The profile was still running.")


def test_an_asked_task_that_loses_the_race_for_its_profile_waits(
    database: Database, profile_id: int, task_id: int
) -> None:
    asked = ask(database, profile_id)
    assert claim(database, task_id, DUE) == 1
    assert claim(database, asked, DUE) is None
    assert all_tasks(database)[0].status == "pending"


def test_of_many_that_claim_at_once_one_wins(database: Database, profile_id: int) -> None:
    asked = ask(database, profile_id)
    planned = take(database, DUE)[0].id
    found: list[int | None] = []
    gate = threading.Barrier(8)

    def try_it(number: int) -> None:
        gate.wait()
        found.append(claim(database, asked if number % 2 else planned, DUE, worker=f"w{number}"))

    threads = [threading.Thread(target=try_it, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [1, *[None] * 7]
    assert [task.status for task in all_tasks(database)].count("processing") == 1


def test_a_profile_waits_while_another_does_the_same_work(database: Database, profile_id: int, task_id: int) -> None:
    twin = add_twin(database, profile_id)
    second = next(one.id for one in take(database, DUE) if one.profile_id == twin)
    epoch = claim(database, task_id, DUE)
    assert claim(database, second, DUE) is None
    with database.reading() as session:
        assert tasks.waiting(session, DUE, 9) == []
    assert [one.status for one in all_tasks(database, twin)] == ["pending", "pending"]
    assert finish(database, task_id, epoch or 0, DUE + minutes(1))
    with database.reading() as session:
        assert tasks.waiting(session, DUE, 9) == [second]
    assert claim(database, second, DUE) == 1


def test_a_killed_run_of_another_profile_of_the_same_work_holds_up_nobody(
    database: Database, profile_id: int, task_id: int
) -> None:
    second = ask(database, add_twin(database, profile_id))
    claim(database, task_id, DUE, worker=killed_worker())
    assert claim(database, second, DUE) == 1


def test_of_many_profiles_of_the_same_work_one_runs(database: Database, profile_id: int) -> None:
    due = [ask(database, profile_id), *(ask(database, add_twin(database, profile_id, f"p{n}")) for n in range(7))]
    gate = threading.Barrier(8)
    found: list[int | None] = []

    def try_it(task_id: int) -> None:
        gate.wait()
        found.append(claim(database, task_id, NINE, worker=workers.me()))

    threads = [threading.Thread(target=try_it, args=(one,)) for one in due]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found, key=str) == [1, *[None] * 7]


def test_profiles_of_another_entity_or_other_ends_run_beside_it(
    database: Database, profile_id: int, task_id: int
) -> None:
    claim(database, task_id, DUE)
    others = [add_twin(database, profile_id, "stock", entity="stock"), add_profile(database, "elsewhere")]
    assert [claim(database, ask(database, one), DUE) for one in others] == [1, 1]


def test_a_renewed_task_keeps_its_lease_and_shows_its_progress(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE)
    with database.session() as session:
        hold = tasks.renew(session, task_id, epoch or 0, {"done": 3, "total": 9}, DUE + minutes(1))
    assert hold
    assert not hold.stop_asked
    task = all_tasks(database)[0]
    assert (task.counts, task.lease_until) == ({"done": 3, "total": 9}, DUE + minutes(2))


def test_a_running_task_that_is_asked_to_stop_hears_it(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE)
    with database.session() as session:
        assert tasks.stop(session, task_id, "ann", DUE)
        assert tasks.renew(session, task_id, epoch or 0).stop_asked
    assert len(history(database, task_id)) == 3


def test_an_asked_task_that_still_waits_can_be_withdrawn(database: Database, profile_id: int) -> None:
    task_id = ask(database, profile_id)
    with database.session() as session:
        assert tasks.stop(session, task_id, "bob", NINE)
    task = all_tasks(database)[0]
    assert (task.status, task.message) == ("missed", "Withdrawn by bob before it began.")


def test_the_next_planned_task_cannot_be_stopped(database: Database, profile_id: int) -> None:
    with database.session() as session:
        assert not tasks.stop(session, all_tasks(database)[0].id, "bob", NINE)
        assert not tasks.stop(session, 4711)


def test_a_finished_task_says_how_it_ended(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE)
    assert finish(database, task_id, epoch or 0, DUE + minutes(1))
    task = all_tasks(database)[0]
    assert (task.status, task.message, task.counts) == ("success", "1 complete.", {"done": 1})
    assert task.finished_at == DUE + minutes(1)
    assert history(database, task_id)[-1] == ("success", "order_export")


def test_a_late_writer_with_an_old_epoch_changes_nothing(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE) or 0
    with database.session() as session:
        assert tasks.bury_dead(session, DUE + minutes(2)) == [task_id]
    before, lines = all_tasks(database)[0], history(database, task_id)
    assert not finish(database, task_id, epoch, DUE + minutes(3))
    with database.session() as session:
        assert not tasks.renew(session, task_id, epoch, {"done": 99}, DUE + minutes(3))
    after = all_tasks(database)[0]
    assert (after.status, after.message, after.counts, after.finished_at) == (
        *("error", before.message, {}, DUE + minutes(2)),
    )
    assert history(database, task_id) == lines
    for wrong in (epoch - 1, epoch + 1):
        assert not finish(database, task_id, wrong, DUE)


def test_a_wrong_epoch_changes_nothing_even_while_the_task_runs(database: Database, task_id: int) -> None:
    epoch = claim(database, task_id, DUE) or 0
    assert not finish(database, task_id, epoch - 1, DUE)
    assert not finish(database, task_id, epoch + 1, DUE)
    with database.session() as session:
        assert not tasks.renew(session, task_id, epoch - 1, {"done": 99}, DUE)
    assert (all_tasks(database)[0].status, all_tasks(database)[0].counts) == ("processing", {})


def test_a_worker_that_is_silent_for_a_whole_lease_is_buried(database: Database, task_id: int) -> None:
    claim(database, task_id, DUE)
    with database.session() as session:
        assert tasks.bury_dead(session, DUE + timedelta(seconds=59)) == []
        assert tasks.bury_dead(session, DUE + timedelta(seconds=61)) == [task_id]
    task = all_tasks(database)[0]
    assert task.status == "error"
    assert task.message
    assert task.message.startswith("Its worker died")


def test_a_worker_that_was_killed_on_this_machine_is_buried_at_once(database: Database, task_id: int) -> None:
    claim(database, task_id, DUE, worker=killed_worker())
    with database.session() as session:
        assert tasks.bury_dead(session, DUE) == [task_id]
    assert all_tasks(database)[0].message == "Its worker died."


def test_a_living_worker_is_not_buried(database: Database, task_id: int) -> None:
    claim(database, task_id, DUE, worker=workers.me())
    with database.session() as session:
        assert tasks.bury_dead(session, DUE) == []


def test_a_killed_run_never_blocks_the_next(database: Database, profile_id: int, task_id: int) -> None:
    claim(database, task_id, DUE, worker=killed_worker())
    asked = ask(database, profile_id)
    assert claim(database, asked, DUE) == 1
    assert sorted(task.status for task in all_tasks(database)) == ["error", "pending", "processing"]
