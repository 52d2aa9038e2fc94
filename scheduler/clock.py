"""The clock of a host: plans every second, hands due tasks to its worker threads, cleans up at night.

APScheduler is the clock; what is due stands in the task table alone. Any number of clocks may run on one database, and
any may be killed. Nothing is lost that way: who runs a task is decided in its row, when a free worker thread claims it.
"""

from __future__ import annotations

import functools
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import ThreadPoolExecutor as Pool
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.schedulers.base import STATE_STOPPED
from sqlalchemy import func, or_, select
from sqlalchemy.exc import SQLAlchemyError

from profiles.db import Database, DatabaseTrouble, now
from profiles.models import Heartbeat, Task
from profiles.workers import dead, me
from scheduler import housekeeping, tasks, worker
from scheduler.cron import Trigger
from scheduler.rows import PENDING, PROCESSING, UNTAKEN

log = logging.getLogger(__name__)

TICK_SECONDS = 1
BEAT_SECONDS = 10
LOOK_AFTER_SECONDS = 20  # a third of the lease
REPAIR_SECONDS = 60
ALIVE_SECONDS = 45  # longer than the database may be locked by somebody else
NIGHTLY, HOURLY = "17 3 * * *", "47 * * * *"
JOB = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}  # a late tick still is a tick

Perform = Callable[..., Any]


class Ticking(BackgroundScheduler):  # type: ignore[misc]
    """APScheduler whose thread survives every error, refuses work once stopped, and wakes every second.

    The original's thread dies silently on an error, loses a job that falls due during shutdown, and sleeps for an hour
    when the clock of the machine is set back by one.
    """

    def _process_jobs(self) -> float | None:
        if self.state == STATE_STOPPED:
            return None
        try:
            self._wake_early()
            wait = super()._process_jobs()
        except Exception:
            log.exception("the clock stumbled and goes on")
            wait = TICK_SECONDS
        return min(TICK_SECONDS if wait is None else wait, TICK_SECONDS)

    def _wake_early(self) -> None:
        job = self.get_job("plan")
        soon = datetime.now(UTC) + timedelta(seconds=2 * TICK_SECONDS)
        if job is not None and job.next_run_time is not None and job.next_run_time > soon:
            job.modify(next_run_time=datetime.now(UTC))


class Clock:
    """Runs due profiles in this process. A process that forks starts its own, after the fork."""

    def __init__(
        self,
        database: Database,
        workers: int | None = None,
        perform: Perform = worker.perform,
        address: str | None = None,
    ) -> None:
        self.database = database
        self.address = address  # where this process serves pages
        self.workers = workers or _workers()
        self.perform = perform
        self._begin()

    def _begin(self) -> None:
        """Nothing runs yet. Also after a fork: threads and connections stayed with the parent."""
        self.started_at = now()
        self._pid = os.getpid()
        self._scheduler: Ticking | None = None
        self._pool: Pool | None = None
        self._stopping = threading.Event()
        self._idle = threading.Condition()
        self._running: dict[int, threading.Event] = {}  # task id: ask it to stop
        self._busy = 0  # worker threads that look for tasks or run one
        self._ticked = time.monotonic()
        self._last: dict[str, float] = {}
        self._trouble: tuple[str, float] | None = None
        self._problems: list[str] = []

    def start(self) -> None:
        """Start ticking. Does nothing when it ticks in this process already."""
        if self._pid != os.getpid():
            self.database.engine.dispose(close=False)
        elif self._scheduler is not None:
            return
        self._begin()
        # its loggers tell of every job at INFO, and of each skipped tick at WARNING
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        scheduler = Ticking(
            timezone=UTC,
            job_defaults=JOB,
            executors={"clock": ThreadPoolExecutor(1), "housekeeping": ThreadPoolExecutor(1)},
        )
        scheduler.add_job(
            self._tick, "interval", seconds=TICK_SECONDS, id="plan", executor="clock", next_run_time=datetime.now(UTC)
        )
        for name, line, age in (("nightly", NIGHTLY, True), ("hourly", HOURLY, False)):
            scheduler.add_job(
                functools.partial(self._clean, age), Trigger(line), id=f"clean {name}", executor="housekeeping"
            )
        self._pool = Pool(self.workers, thread_name_prefix="run")
        self._scheduler = scheduler
        scheduler.start()
        log.info("the clock ticks: %s, %s workers", me(), self.workers)

    def stop(self, wait_seconds: float = 30.0) -> bool:
        """No new tasks; running ones end after their current record. False: some still run after the wait."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is None or self._pid != os.getpid():
            return True
        self._stopping.set()
        scheduler.shutdown(wait=False)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        with self._idle:
            for stop in self._running.values():
                stop.set()
            ended = self._idle.wait_for(lambda: self._busy == 0, timeout=wait_seconds)
        try:
            self.address = None
            self._beat(now())  # it stays, so that it can be told when this clock was last alive
        except (DatabaseTrouble, SQLAlchemyError) as trouble:
            log.warning("the last heartbeat could not be written: %s", trouble)
        log.info("the clock stopped%s", "" if ended else "; some runs have not ended yet")
        return ended

    def alive(self) -> bool:
        """Whether it ticks, in this process: the thread may live and yet hang."""
        return self._scheduler is not None and self._pid == os.getpid() and self.tick_age() < ALIVE_SECONDS

    def tick_age(self) -> float:
        """Seconds since the last tick ended, well or badly."""
        return time.monotonic() - self._ticked

    def running(self) -> list[int]:
        """The tasks that run in this process."""
        with self._idle:
            return list(self._running)

    def _tick(self) -> None:
        """One tick with a guard: whatever happens, the next comes. An outage is logged once, and its end."""
        try:
            self.tick()
        except (DatabaseTrouble, SQLAlchemyError) as trouble:
            self._stumble("database", str(trouble), None)
        except Exception as fault:
            self._stumble(type(fault).__name__, repr(fault), fault)
        else:
            if self._trouble is not None:
                log.warning("the clock plans again, after %.0f s", time.monotonic() - self._trouble[1])
                self._trouble = None
        finally:
            self._ticked = time.monotonic()

    def _stumble(self, kind: str, words: str, fault: Exception | None) -> None:
        if self._trouble is None or self._trouble[0] != kind:
            log.error("the clock cannot plan, it tries again every second: %s", words, exc_info=fault)
            self._trouble = (kind, self._trouble[1] if self._trouble else time.monotonic())

    def tick(self, at: datetime | None = None) -> None:
        """Plan what is due and hand out what waits. Two reads by index when there is nothing to do."""
        at = at or now()
        with self.database.reading() as session:
            due = session.scalar(
                select(Task.id).where(PENDING, Task.scheduled_at <= at, or_(UNTAKEN, Task.lease_until <= at)).limit(1)
            )
            processing = session.execute(select(Task.worker, Task.lease_until).where(PROCESSING)).all()
        if any(row.lease_until is None or row.lease_until < at or _gone(row.worker) for row in processing):
            with self.database.session() as session:
                for task_id in tasks.bury_dead(session, at):
                    log.warning("task %s: its worker died", task_id)
        if due is not None:
            with self.database.session() as session:
                tasks.take_due(session, at)
        if self._time_for("beat", BEAT_SECONDS):
            self._beat(at)
        if self._time_for("look after", LOOK_AFTER_SECONDS):
            self._look_after(at)
        if self._time_for("repair", REPAIR_SECONDS):
            self._repair(at)
        self._hand_out(at)

    def _time_for(self, what: str, seconds: float) -> bool:
        moment = time.monotonic()
        if moment - self._last.get(what, -seconds) < seconds:
            return False
        self._last[what] = moment
        return True

    def _beat(self, at: datetime) -> None:
        with self.database.session() as session:
            session.merge(Heartbeat(host=me(), beat_at=at, started_at=self.started_at, address=self.address))

    def _look_after(self, at: datetime) -> None:
        with self.database.reading() as session:
            number = session.scalar(select(func.count()).select_from(Task).where(PENDING, Task.lease_until > at))
        if number:
            with self.database.session() as session:
                tasks.look_after(session, at)

    def _repair(self, at: datetime) -> None:
        problems: list[str] = []
        after: int | None = 0
        while after is not None and not self._stopping.is_set():
            with self.database.session() as session:
                found, after = tasks.keep_all_planned(session, at, after)
            problems += found
        for problem in problems:
            if problem not in self._problems:
                log.error("%s", problem)
        self._problems = problems

    def _hand_out(self, at: datetime) -> None:
        with self._idle:
            free = self.workers - self._busy
        if free <= 0 or self._stopping.is_set():
            return
        with self.database.reading() as session:
            number = len(tasks.waiting(session, at, free))
        for _ in range(number):
            if self._pool is None or self._stopping.is_set():
                return
            with self._idle:
                self._busy += 1
            try:
                self._pool.submit(self._work).add_done_callback(self._rest)
            except RuntimeError:  # the pool was shut down in this moment
                self._rest()

    def _work(self) -> None:
        """One worker thread: takes one waiting task after the other until there is none."""
        refused: set[int] = set()
        try:
            while not self._stopping.is_set():
                with self.database.reading() as session:
                    found = tasks.waiting(session, now(), self.workers + len(refused))
                with self._idle:
                    found = [one for one in found if one not in self._running and one not in refused]
                    if not found or self._stopping.is_set():
                        return
                    task_id = random.choice(found)  # other hosts look at the same list
                    stop = self._running[task_id] = threading.Event()
                try:
                    if self.perform(self.database, task_id, stop=stop) is None:
                        refused.add(task_id)
                finally:
                    with self._idle:
                        del self._running[task_id]
        except (DatabaseTrouble, SQLAlchemyError) as trouble:
            log.warning("a worker found the database away: %s", trouble)
        except Exception:
            log.exception("a worker stumbled")

    def _rest(self, future: Future[None] | None = None) -> None:
        with self._idle:
            self._busy -= 1
            self._idle.notify_all()

    def _clean(self, age: bool) -> None:
        try:
            housekeeping.clean(self.database, age=age, stop=self._stopping)
        except Exception as trouble:
            log.error("clean-up broke off: %s", trouble)


def _gone(other: str | None) -> bool:
    return other != me() and dead(other)


def _workers() -> int:
    given = os.environ.get("CONNECTOR_WORKERS", "").strip()
    return max(1, int(given)) if given.isdecimal() else 8
