"""One task, performed: claimed, run, kept alive, ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from connector import StopRun
from profiles import sync, workers
from profiles.db import Database, DatabaseTrouble, now
from profiles.models import Profile, Task
from profiles.sync import Progress, Result
from scheduler import tasks, worker
from tests.scheduler.conftest import add_profile, add_twin, all_tasks, claim, finish, history
from tests.scheduler.test_tasks import killed_worker

Run = Callable[..., Result]


def result(status: str = "success", message: str = "2 complete.", **counts: int) -> Result:
    return Result(status=status, message=message, counts=counts, seconds=0.1, calls={}, could_run=True)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Replace the flow by what the test wants to happen in it."""
    return lambda run: monkeypatch.setattr(sync, "run", run)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases are renewed ten times a second."""
    monkeypatch.setattr(worker, "RENEW_SECONDS", 0.1)
    monkeypatch.setattr(worker, "LISTEN_SECONDS", 0.05)
    monkeypatch.setattr(worker, "FINISH_SECONDS", (0, 0.2, 0.2))


def asked(database: Database, request: dict[str, Any] | None = None) -> int:
    """A task that a person asked for."""
    profile_id = add_profile(database, at=now())
    with database.session() as session:
        return tasks.ask(session, session.get_one(Profile, profile_id), "ann", request).id


def of(database: Database, task_id: int) -> Task:
    return next(one for one in all_tasks(database) if one.id == task_id)


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_run_without_failures_is_a_success(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: result(complete=2))
    task_id = asked(database)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert (outcome.status, outcome.stored, outcome.result) == ("success", True, result(complete=2))
    task = of(database, task_id)
    assert (task.status, task.message, task.counts["counts"]) == ("success", "2 complete.", {"complete": 2})
    assert [status for status, _ in history(database, task_id)] == ["pending", "processing", "success"]


def test_a_run_in_which_something_failed_is_never_a_success(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: result(complete=2, failed=1))
    task_id = asked(database)
    worker.perform(database, task_id)
    task = of(database, task_id)
    assert (task.status, task.message) == ("error", "1 failed. 2 complete.")


def test_the_request_reaches_the_run(database: Database, runs: Callable[[Run], None]) -> None:
    told: dict[str, Any] = {}
    runs(lambda *args, **given: told.update(given) or result())
    task_id = asked(database, {"order": "100000123", "dry_run": True})
    worker.perform(database, task_id)
    assert (told["order"], told["dry_run"], told["task_id"]) == ("100000123", True, task_id)


def test_the_unknown_is_logged_once_with_its_traceback_and_told_without(
    database: Database, runs: Callable[[Run], None], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*args: Any, **told: Any) -> Result:
        raise KeyError("secret-token")

    runs(broken)
    task_id = asked(database)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.result is None
    task = of(database, task_id)
    assert (task.status, task.message) == (
        *("error", "It broke off unexpectedly (KeyError); the log of the host says where."),
    )
    traces = [one for one in caplog.records if one.exc_info]
    assert len(traces) == 1
    assert traces[0].levelno == logging.ERROR


def test_a_task_that_somebody_else_has_is_left_alone(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: pytest.fail("it ran"))
    task_id = asked(database)
    claim(database, task_id, now())
    assert worker.perform(database, task_id) is None
    assert worker.perform(database, 4711) is None


def test_the_row_shows_progress_while_it_runs(database: Database, runs: Callable[[Run], None], quick: None) -> None:
    seen: list[Progress] = []
    step = Progress(done=3, total=9, counts={"complete": 3}, text="Writing")
    task_id = asked(database)

    def slow(*args: Any, progress: Callable[[Progress], None], **told: Any) -> Result:
        progress(step)
        wait_until(lambda: of(database, task_id).counts.get("done") == 3)
        return result(complete=9)

    runs(slow)
    outcome = worker.perform(database, task_id, progress=seen.append)
    assert outcome
    assert outcome.result
    assert seen == [step]
    task = of(database, task_id)
    assert (task.counts["done"], task.counts["total"], task.counts["counts"]) == (3, 9, {"complete": 9})


def test_the_lease_is_renewed_while_it_runs(database: Database, runs: Callable[[Run], None], quick: None) -> None:
    task_id = asked(database)

    def slow(*args: Any, **told: Any) -> Result:
        first = of(database, task_id).lease_until
        assert first
        wait_until(lambda: (of(database, task_id).lease_until or first) > first + timedelta(seconds=0.2))
        return result()

    runs(slow)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.status == "success"


def test_a_run_that_is_asked_to_stop_stops(database: Database, runs: Callable[[Run], None], quick: None) -> None:
    task_id = asked(database)

    def endless(*args: Any, stop: threading.Event, **told: Any) -> Result:
        with database.session() as session:
            tasks.stop(session, task_id, "ann")
        assert stop.wait(10)
        return result(message="1 complete. It was stopped before its end.")

    runs(endless)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert "stopped before its end" in outcome.message


def test_a_worker_that_lost_its_lease_stops_and_changes_nothing(
    database: Database, runs: Callable[[Run], None], quick: None
) -> None:
    task_id = asked(database)

    def overtaken(*args: Any, stop: threading.Event, **told: Any) -> Result:
        with database.session() as session:
            assert tasks.bury_dead(session, now() + timedelta(minutes=5)) == [task_id]
        assert stop.wait(10)
        return result()

    runs(overtaken)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.result
    assert not outcome.stored
    task = of(database, task_id)
    assert task.status == "error"
    assert task.message
    assert task.message.startswith("Its worker died")


def test_the_end_is_stored_although_the_database_was_away(
    database: Database, runs: Callable[[Run], None], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(lambda *args, **told: result())
    task_id, tries, finish = asked(database), [], tasks.finish

    def away_at_first(*args: Any, **told: Any) -> bool:
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseTrouble("The database does not answer.")
        return finish(*args, **told)

    monkeypatch.setattr(tasks, "finish", away_at_first)
    worker.perform(database, task_id)
    assert of(database, task_id).status == "success"


def test_ctrl_c_leaves_no_task_that_seems_to_run(database: Database, runs: Callable[[Run], None]) -> None:
    def interrupted(*args: Any, **told: Any) -> Result:
        raise KeyboardInterrupt

    runs(interrupted)
    task_id = asked(database)
    with pytest.raises(KeyboardInterrupt):
        worker.perform(database, task_id)
    assert (of(database, task_id).status, of(database, task_id).message) == ("error", "It was interrupted.")


def profile(database: Database, profile_id: int) -> Profile:
    with database.reading() as session:
        return session.get_one(Profile, profile_id)


def test_run_now_runs_in_the_foreground(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: result(complete=1))
    row = profile(database, add_profile(database, at=now()))
    outcome = worker.run_now(database, row, "command line", {"order": "7"})
    assert outcome.result == result(complete=1)
    task = of(database, outcome.task_id)
    assert (task.asked_by, task.request, task.status) == ("command line", {"order": "7"}, "success")


def test_run_now_does_not_mind_another_that_waits_for_a_clock(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: result())
    waiting = of(database, asked(database))
    worker.run_now(database, profile(database, waiting.profile_id), "command line")
    assert of(database, waiting.id).status == "pending"


def test_run_now_is_refused_while_a_living_worker_runs_the_profile(
    database: Database, runs: Callable[[Run], None]
) -> None:
    runs(lambda *args, **told: pytest.fail("it ran"))
    task_id = asked(database)
    claim(database, task_id, now(), worker=workers.me())
    row = profile(database, of(database, task_id).profile_id)
    with pytest.raises(worker.AlreadyRunning) as caught:
        worker.run_now(database, row, "command line")
    assert f"task {task_id}, since 20" in str(caught.value)
    assert workers.me() in str(caught.value)
    assert len(all_tasks(database)) == 2


def test_run_now_waits_for_another_profile_that_does_the_same_work(
    database: Database, runs: Callable[[Run], None]
) -> None:
    runs(lambda *args, **told: result())
    task_id = asked(database)
    epoch = claim(database, task_id, now(), worker=workers.me())
    twin = profile(database, add_twin(database, of(database, task_id).profile_id, at=now()))
    told: list[str] = []

    def hear(progress: Progress) -> None:
        told.append(progress.text)
        if len(told) == 1:
            finish(database, task_id, epoch or 0, now())

    assert worker.run_now(database, twin, "command line", progress=hear).status == "success"
    assert told[0] == "Waiting for profile orders, which does the same work"


def test_run_now_that_is_stopped_while_it_waits_leaves_no_task(database: Database, runs: Callable[[Run], None]) -> None:
    runs(lambda *args, **told: pytest.fail("it ran"))
    task_id = asked(database)
    claim(database, task_id, now(), worker=workers.me())
    twin = profile(database, add_twin(database, of(database, task_id).profile_id, at=now(), active=False))
    stop = threading.Event()
    stop.set()
    with pytest.raises(worker.AlreadyRunning, match="was stopped while it waited for profile orders"):
        worker.run_now(database, twin, "command line", stop=stop)
    assert all_tasks(database, twin.id) == []


def test_run_now_says_so_when_its_profile_is_deleted_while_it_waits(
    database: Database, runs: Callable[[Run], None]
) -> None:
    runs(lambda *args, **told: pytest.fail("it ran"))
    task_id = asked(database)
    claim(database, task_id, now(), worker=workers.me())
    twin = profile(database, add_twin(database, of(database, task_id).profile_id, at=now()))

    def remove(progress: Progress) -> None:
        with database.session() as session:
            session.delete(session.get_one(Profile, twin.id))

    with pytest.raises(StopRun, match=f"Profile {twin.name} was deleted"):
        worker.run_now(database, twin, "command line", progress=remove)


def test_run_now_is_not_held_up_by_a_run_that_was_killed_a_second_ago(
    database: Database, runs: Callable[[Run], None]
) -> None:
    runs(lambda *args, **told: result())
    task_id = asked(database)
    claim(database, task_id, now(), worker=killed_worker())
    row = profile(database, of(database, task_id).profile_id)
    assert worker.run_now(database, row, "command line").status == "success"
    assert of(database, task_id).message == "Its worker died."


def test_of_two_that_run_now_at_once_one_is_refused(database: Database, runs: Callable[[Run], None]) -> None:
    began, go = threading.Event(), threading.Event()

    def slow(*args: Any, **told: Any) -> Result:
        began.set()
        go.wait(10)
        return result()

    runs(slow)
    row = profile(database, add_profile(database, at=now()))
    first = threading.Thread(target=worker.run_now, args=(database, row, "one"))
    first.start()
    assert began.wait(10)
    with pytest.raises(worker.AlreadyRunning):
        worker.run_now(database, row, "two")
    go.set()
    first.join()


def test_a_profile_that_is_gone_ends_the_task_with_a_sentence(database: Database) -> None:
    """The flow itself, with a connector that does not exist."""
    task_id = asked(database)
    with database.session() as session:
        session.execute(update(Profile).values(entity="nothing"))
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.status == "error"
    assert outcome.message


@pytest.fixture
def sleep(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """The process is stopped for so many seconds; the leases in the database go on ageing."""
    slept: list[float] = [0.0]
    real = worker.instant
    monkeypatch.setattr(worker, "instant", lambda: tuple(one + slept[0] for one in real()))
    return lambda seconds: slept.__setitem__(0, slept[0] + seconds)


def test_a_run_that_slept_while_another_took_over_may_change_nothing(
    database: Database, runs: Callable[[Run], None], sleep: Callable[[float], None]
) -> None:
    task_id = asked(database)

    def frozen(*args: Any, may_write: Callable[[], None], stop: threading.Event, **told: Any) -> Result:
        may_write()
        with database.session() as session:
            assert tasks.bury_dead(session, now() + timedelta(seconds=66)) == [task_id]
        sleep(66)
        with pytest.raises(StopRun, match="no sign of life"):
            may_write()
        assert stop.is_set()
        with pytest.raises(StopRun):  # and it stays so
            may_write()
        return result(message="nothing to do. It was stopped before its end.")

    runs(frozen)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.result
    assert (outcome.status, outcome.result.status, outcome.result.could_run) == ("error", "error", False)
    assert outcome.message.startswith("This run showed no sign of life for 60 s")
    assert outcome.message.endswith("Before that: nothing to do. It was stopped before its end.")


def test_a_run_that_slept_and_was_missed_by_nobody_goes_on(
    database: Database, runs: Callable[[Run], None], sleep: Callable[[float], None]
) -> None:
    task_id = asked(database)

    def frozen(*args: Any, may_write: Callable[[], None], **told: Any) -> Result:
        first = of(database, task_id).lease_until
        sleep(66)
        may_write()
        assert first
        assert (of(database, task_id).lease_until or first) > first
        return result()

    runs(frozen)
    outcome = worker.perform(database, task_id)
    assert outcome
    assert outcome.status == "success"


def test_while_the_lease_is_young_nobody_asks_the_database(
    database: Database, runs: Callable[[Run], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def many(*args: Any, may_write: Callable[[], None], **told: Any) -> Result:
        with monkeypatch.context() as closed:
            for name in ("session", "reading", "write", "ask"):
                closed.setattr(database, name, lambda *given: pytest.fail("the database was asked"))
            for _ in range(1000):
                may_write()
        return result()

    runs(many)
    monkeypatch.setattr(worker, "LISTEN_SECONDS", 10.0)
    outcome = worker.perform(database, asked(database))
    assert outcome
    assert outcome.status == "success"


def test_the_clock_of_leases_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    then = worker.instant()
    monkeypatch.setattr(worker.time, "monotonic", lambda: pytest.fail("it stands still during a suspend"))
    assert worker.seconds_since(then) < 5
    assert worker.seconds_since((then[0], then[1] - 100)) > 99
    assert worker.seconds_since((then[0] - 100, then[1])) > 99
