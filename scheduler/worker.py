"""Performs one task: claims it, runs its profile, renews its lease meanwhile, writes how it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from connector import StopRun
from profiles import sync
from profiles.db import Database, DatabaseTrouble, now
from profiles.models import Profile, Task, TaskStatus
from profiles.sync import Progress, Result
from profiles.workers import me
from scheduler import tasks
from scheduler.rows import LEASE, PROCESSING, lock_profile, lock_work

log = logging.getLogger(__name__)

RENEW_SECONDS = 10.0
SURE_SECONDS = LEASE.total_seconds() * 2 / 3  # so long after a renewal it acts without asking: the rest is for what is
# on its way then, and for clocks of two hosts that differ
LISTEN_SECONDS = 2.0  # so soon a request to stop is heard and progress is shown
WAIT_SECONDS = 0.5  # between two looks whether another profile is still at the same work
FINISH_SECONDS = (0, 1, 5, 15, 30)  # pauses before each attempt to store the end of a run

Tell = Callable[[Progress], None]


class AlreadyRunning(Exception):
    """A living worker runs the profile; the message says which task, since when and where."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a task ended. `result` None: it broke off by a fault. `stored` False: the task was no longer ours."""

    task_id: int
    status: str
    message: str
    counts: dict[str, Any]
    result: Result | None = None
    stored: bool = True


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A task in our hands."""

    task_id: int
    profile_id: int
    epoch: int
    request: Mapping[str, Any]
    at: Instant  # before it was claimed: its lease lasts from then


Instant = tuple[float, ...]


def instant() -> Instant:
    """Now, by clocks that go on while the process, or the whole machine, sleeps: the monotonic one does not."""
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
    return boot, time.time()


def seconds_since(then: Instant) -> float:
    """By the clock that went furthest: to be asleep for too long is worse than to ask once too often."""
    return max(now_ - before for now_, before in zip(instant(), then, strict=True))


def perform(
    database: Database, task_id: int, *, progress: Tell | None = None, stop: threading.Event | None = None
) -> Outcome | None:
    """Claim the task and run it to its end. None: it is not to be had (another worker, or its profile is at work)."""
    moment = instant()
    with database.session() as session:
        epoch = tasks.claim(session, task_id, me())
        if epoch is None:
            return None
        row = session.execute(select(Task.profile_id, Task.request).where(Task.id == task_id)).one()
    claimed = Claimed(task_id=task_id, profile_id=row.profile_id, epoch=epoch, request=row.request or {}, at=moment)
    return _run(database, claimed, progress, stop or threading.Event())


def run_now(
    database: Database,
    profile: Profile,
    by: str,
    request: Mapping[str, Any] | None = None,
    progress: Tell | None = None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Run a profile at once, here; while another profile does the same work it waits for the end of that. Raises
    AlreadyRunning; a run whose worker was killed does not stand in the way."""
    stop = stop or threading.Event()
    while True:
        at, moment = now(), instant()
        with database.session() as session:
            lock_profile(session, profile.id)
            work = lock_work(session, profile.id)
            if not work:
                raise StopRun(f"Profile {profile.name} was deleted meanwhile; nothing was run.")
            tasks.bury_dead(session, at, profile_ids=work)
            other = _running(session, profile, work)
            if other is None:
                asked = tasks.add_asked(session, profile, by, request, at)
                epoch = tasks.claim(session, asked.id, me(), at)
                if epoch is None:
                    raise AlreadyRunning(f"Profile {profile.name} was just started by another worker.")
                break
        if progress is not None:
            said = f"Waiting for profile {other}, which does the same work"
            progress(Progress(done=0, total=None, counts={}, text=said))
        if stop.wait(WAIT_SECONDS):
            raise AlreadyRunning(f"Profile {profile.name} was stopped while it waited for profile {other}.")
    claimed = Claimed(task_id=asked.id, profile_id=profile.id, epoch=epoch, request=dict(request or {}), at=moment)
    return _run(database, claimed, progress, stop)


def _running(session: Session, profile: Profile, work: Sequence[int]) -> str | None:
    """The name of another profile of the same work that is running. Raises AlreadyRunning where it is this one."""
    row = session.execute(
        select(Task.id, Task.executed_at, Task.worker, Profile.id.label("profile_id"), Profile.name)
        .join(Profile, Profile.id == Task.profile_id)
        .where(Task.profile_id.in_(work), PROCESSING)
    ).first()
    if row is not None and row.profile_id == profile.id:
        raise AlreadyRunning(
            f"Profile {profile.name} is already running: task {row.id}, since {row.executed_at:%Y-%m-%d %H:%M:%S} UTC, "
            f"by worker {row.worker}. Wait for its end, or stop it in the schedule."
        )
    return None if row is None else str(row.name)


def lost() -> StopRun:
    return StopRun(
        f"This run showed no sign of life for {LEASE.seconds} s (its process slept, or the database was away), so another "
        "run may have taken its place. It has stopped and sends nothing more."
    )


class Lease:
    """Keeps a claimed task ours while it runs, writes how far it is, and hears requests to stop. A context.

    `may_write` is asked right before each change. Normally it compares two clocks; after a sleep that may have cost the
    lease (a stopped process, a suspended machine, a database that was away) it asks the database first.
    """

    def __init__(self, database: Database, claimed: Claimed, stop: threading.Event) -> None:
        self.database, self.claimed, self.stop = database, claimed, stop
        self.lost = False
        self._renewed = claimed.at
        self._asking = threading.Lock()
        self._progress: Progress | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease of task {claimed.task_id}", daemon=True)

    def tell(self, progress: Progress) -> None:
        self._progress = progress

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(timeout=RENEW_SECONDS)

    def may_write(self) -> None:
        """Raises StopRun when the task is, or may be, somebody else's by now; DatabaseTrouble when nobody can tell."""
        if not self.lost and seconds_since(self._renewed) >= SURE_SECONDS:
            with self._asking:  # one asks for all
                if not self.lost and seconds_since(self._renewed) >= SURE_SECONDS:
                    self._heed(self._renew(self._progress))
        if self.lost:
            raise lost()

    def _heed(self, hold: tasks.Hold) -> None:
        self.lost = self.lost or not hold
        if self.lost or hold.stop_asked:
            self.stop.set()

    def _keep(self) -> None:
        written: Progress | None = None
        while not self.lost and not self._over.wait(min(LISTEN_SECONDS, RENEW_SECONDS)):
            progress = self._progress
            try:
                if seconds_since(self._renewed) >= RENEW_SECONDS or progress is not written:
                    hold = self._renew(progress)
                    written = progress
                else:
                    hold = self._listen()
            except (DatabaseTrouble, SQLAlchemyError) as trouble:
                if seconds_since(self._renewed) < LEASE.total_seconds():
                    continue  # the lease still holds; perhaps the database comes back in time
                log.warning("task %s: the lease ran out: %s", self.claimed.task_id, trouble)
                hold = tasks.Hold(kept=False)
            self._heed(hold)

    def _renew(self, progress: Progress | None) -> tasks.Hold:
        counts, moment = describe(progress) if progress else None, instant()
        with self.database.session() as session:
            hold = tasks.renew(session, self.claimed.task_id, self.claimed.epoch, counts)
        if hold:
            self._renewed = moment
        return hold

    def _listen(self) -> tasks.Hold:
        with self.database.reading() as session:
            row = session.execute(
                select(Task.epoch, Task.status, Task.stop_asked).where(Task.id == self.claimed.task_id)
            ).first()
        if row is None or row.epoch != self.claimed.epoch or row.status != TaskStatus.PROCESSING:
            return tasks.Hold(kept=False)
        return tasks.Hold(kept=True, stop_asked=row.stop_asked)


def describe(progress: Progress) -> dict[str, Any]:
    """The counts of a running task, as its row shows them."""
    return {"done": progress.done, "total": progress.total, "counts": dict(progress.counts), "text": progress.text}


def _run(database: Database, claimed: Claimed, progress: Tell | None, stop: threading.Event) -> Outcome:
    latest: list[Progress] = []
    log.info("task %s of profile %s begins", claimed.task_id, claimed.profile_id)
    result: Result | None = None
    interrupted: BaseException | None = None
    with Lease(database, claimed, stop) as lease:

        def tell(step: Progress) -> None:
            latest[:] = [step]
            lease.tell(step)
            if progress is not None:
                progress(step)

        try:
            result = sync.run(
                database,
                claimed.profile_id,
                task_id=claimed.task_id,
                order=claimed.request.get("order"),
                dry_run=bool(claimed.request.get("dry_run")),
                stop=stop,
                progress=tell,
                may_write=lease.may_write,
            )
            if lease.lost:
                result = _cut_short(result)
            status, message = judge(result)
        except Exception as error:
            log.exception("task %s of profile %s broke off", claimed.task_id, claimed.profile_id)
            kind = type(error).__name__
            status, message = TaskStatus.ERROR, f"It broke off unexpectedly ({kind}); the log of the host says where."
        except BaseException as error:  # Ctrl-C a second time: what was in the air is found out by the next run
            status, message, interrupted = TaskStatus.ERROR, "It was interrupted.", error
    counts = describe(latest[0]) if latest else {}
    if result is not None:
        counts |= {"counts": dict(result.counts), "calls": result.calls, "seconds": result.seconds}
    stored = _finish(database, claimed, status, message, counts)
    if interrupted is not None:
        raise interrupted
    if not stored:
        log.warning("task %s ended (%s), but was given to somebody else meanwhile", claimed.task_id, message)
    log.info("task %s of profile %s: %s, %s", claimed.task_id, claimed.profile_id, status, message)
    return Outcome(task_id=claimed.task_id, status=status, message=message, counts=counts, result=result, stored=stored)


def _cut_short(result: Result) -> Result:
    """What the run came to when its lease was lost: whatever it thinks itself, it did not end well."""
    told = str(lost())
    message = result.message if told in result.message else f"{told} Before that: {result.message}"
    return replace(result, status=TaskStatus.ERROR, message=message, could_run=False)


def judge(result: Result) -> tuple[TaskStatus, str]:
    """The status and message of the task: a run in which something failed is never a success."""
    status = TaskStatus(result.status)
    failed = result.counts.get("failed", 0)
    if failed and status is TaskStatus.SUCCESS:
        return TaskStatus.ERROR, f"{failed} failed. {result.message}"
    return status, result.message


def _finish(database: Database, claimed: Claimed, status: str, message: str, counts: dict[str, Any]) -> bool:
    """Store the end, with patience: a run that is done must not look dead because the database was away."""
    trouble: Exception | None = None
    for pause in FINISH_SECONDS:
        time.sleep(pause)
        try:
            with database.session() as session:
                return tasks.finish(session, claimed.task_id, claimed.epoch, status, message, counts)
        except (DatabaseTrouble, SQLAlchemyError) as error:
            trouble = error
    log.error("task %s ended (%s: %s), which could not be stored: %s", claimed.task_id, status, message, trouble)
    return False


__all__ = ["AlreadyRunning", "Outcome", "describe", "judge", "perform", "run_now"]
