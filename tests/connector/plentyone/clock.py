"""Threads on a clock of our own: whoever sleeps is woken in the order of time, one at a time, so that a run of minutes
takes no time and is the same every time."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from connector.testing import MemoryHost, MemoryState

BEGAN = datetime(2026, 5, 19, 12, tzinfo=UTC)


class Clock:
    """Runs workers as threads, of which one moves at a time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._waiting: list[tuple[float, int, threading.Event]] = []
        self._ties = itertools.count()
        self._guard = threading.Lock()
        self._idle = threading.Event()

    def sleep(self, seconds: float) -> None:
        mine = threading.Event()
        with self._guard:
            heapq.heappush(self._waiting, (self.now + max(seconds, 1e-6), next(self._ties), mine))
        self._idle.set()
        mine.wait()

    def run(self, workers: list[Callable[[], None]]) -> None:
        """Start all, and move the clock until all have ended."""
        failures: list[BaseException] = []

        def begin(work: Callable[[], None]) -> None:
            self.sleep(0)
            try:
                work()
            except BaseException as error:
                failures.append(error)
            finally:
                self._idle.set()

        threads = [threading.Thread(target=begin, args=(work,), daemon=True) for work in workers]
        for thread in threads:
            self._idle.clear()
            thread.start()
            self._idle.wait()
        while any(thread.is_alive() for thread in threads):
            with self._guard:
                if not self._waiting:
                    break
                moment, _, event = heapq.heappop(self._waiting)
                self.now = max(self.now, moment)
            self._idle.clear()
            event.set()
            self._idle.wait()
        for thread in threads:
            thread.join(5)
        if failures:
            raise failures[0]


class ClockHost(MemoryHost):
    """A host on that clock. Several may share one state, as processes do."""

    def __init__(self, clock: Clock, state: MemoryState | None = None) -> None:
        super().__init__()
        self.clock = clock
        if state is not None:
            self.state = state

    def now(self) -> datetime:
        return BEGAN + timedelta(seconds=self.clock.now)

    def monotonic(self) -> float:
        return self.clock.now

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
