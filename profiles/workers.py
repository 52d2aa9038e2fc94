"""Who works: the identity of a process, and whether it is certainly gone.

A lease alone would keep a profile blocked after a kill until it expires; on the same machine the truth is known.
"""

from __future__ import annotations

import functools
import os
import socket
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


@functools.cache
def _place() -> str:
    """This machine, this boot, this process namespace (containers may share the first two)."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    namespace = Path("/proc/self/ns/pid")
    return ":".join(
        (
            socket.gethostname(),
            boot.read_text().strip()[:8] if boot.exists() else str(int(psutil.boot_time())),
            os.readlink(namespace).strip("pid:[]") if namespace.exists() else "0",  # noqa: PTH115
        )
    )


def _started(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.2f}"


def me() -> str:
    """This process: host:boot:namespace:pid:start."""
    return f"{_place()}:{os.getpid()}:{_my_start(os.getpid())}"


@functools.cache
def _my_start(pid: int) -> str:
    return _started(pid)


def dead(worker: str | None) -> bool:
    """True only when it is certain that the process is gone; a worker elsewhere is never certain."""
    if not worker:
        return False
    try:
        place, pid, start = worker.split("#")[0].rsplit(":", 2)
    except ValueError:
        return False
    if place != _place():
        return False
    try:
        process = psutil.Process(int(pid))
        return f"{process.create_time():.2f}" != start or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return True
    except psutil.Error:
        return False


def core() -> int | None:
    """The core on which this thread runs just now; None where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/thread-self/stat").read_text().rpartition(")")[2].split()[36])
    return None


def keep_to(core: int | None) -> None:
    """Let this thread run on one core only. The threads of a run take turns (one interpreter runs one at a time), and on
    one core each finds in the cache what the last one left: a sixth less CPU, and it ends sooner. None of them interrupts
    another one to wake up (two fifths fewer switches); who looks at a page goes before them all."""
    if core is not None and hasattr(os, "sched_setaffinity"):
        with suppress(OSError, AttributeError):  # not every system that has the one has the other
            os.sched_setaffinity(0, {core})
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


_locks: dict[Hashable, tuple[threading.Lock, int]] = {}
_guard = threading.Lock()


@contextmanager
def alone(name: Hashable, before_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let one thread of this process at a time have `name`. Across processes a row says who holds it; within one,
    several runs share that row's holder, so this comes first. `before_waiting` is called when another thread has it."""
    with _guard:
        lock, users = _locks.get(name, (threading.Lock(), 0))
        _locks[name] = (lock, users + 1)
    try:
        if not lock.acquire(blocking=False):
            before_waiting()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()
    finally:
        with _guard:
            lock, users = _locks[name]
            if users == 1:
                del _locks[name]
            else:
                _locks[name] = (lock, users - 1)
