"""The rate budget: nearly all calls are used, none is refused. On a clock of our own."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from connector import RetryLater
from connector.plentyone.budget import Direction
from connector.testing import MemoryState
from tests.connector.plentyone.clock import Clock, ClockHost

PREFIX = "X-Plenty-Global-Short-Period"
ROUNDED: dict[str, Callable[[float], float]] = {"exact": float, "down": math.floor, "up": math.ceil}


@dataclass
class Server:
    """Counts as PlentyONE does: a window begins with its first call, `decay` may be rounded."""

    clock: Clock
    limit: int
    seconds: float = 60.0
    rounded: Callable[[float], float] = float
    ends: float = 0.0
    used: int = 0
    refused: int = 0
    windows: Counter[int] = field(default_factory=Counter)
    _window: int = 0

    def hit(self, cost: int = 1) -> tuple[dict[str, str], bool]:
        now = self.clock.now
        if now >= self.ends:
            self.ends, self.used, self._window = now + self.seconds, 0, self._window + 1
        good = self.used + cost <= self.limit
        if good:
            self.used += cost
            self.windows[self._window] += cost
        else:
            self.refused += 1
        headers = {
            f"{PREFIX}-Limit": str(self.limit),
            f"{PREFIX}-Calls-Left": str(self.limit - self.used),
            f"{PREFIX}-Decay": str(self.rounded(self.ends - now)),
        }
        return headers, good


def work(
    clock: Clock, server: Server, side: Direction, until: float, chance: random.Random, latency: float = 0.2
) -> Callable[[], None]:
    """A worker that calls as often as it may; a call is counted at some point of its way."""

    def run() -> None:
        while clock.now < until:
            flight = side.take()
            way, point = chance.uniform(0.3, 1.7) * latency, chance.random()
            clock.sleep(way * point)
            headers, good = server.hit()
            clock.sleep(way * (1 - point))
            side.land(flight, headers, None if good else float(headers[f"{PREFIX}-Decay"]))

    return run


@pytest.mark.parametrize("threads", [1, 4, 16])
@pytest.mark.parametrize("rounding", ROUNDED)
@pytest.mark.parametrize("seed", range(3))
def test_it_uses_nearly_all_calls_and_none_is_refused(threads: int, rounding: str, seed: int) -> None:
    clock = Clock()
    server = Server(clock, 80, rounded=ROUNDED[rounding])
    side = Direction(ClockHost(clock), "write", 3)
    chance = random.Random(seed)
    minutes = 10
    clock.run([work(clock, server, side, 1000 + 60 * minutes, chance) for _ in range(threads)])
    assert server.refused == 0
    assert sum(server.windows.values()) >= 0.95 * 80 * minutes


@pytest.mark.parametrize("seed", range(3))
def test_more_threads_than_calls_are_kept_in_order(seed: int) -> None:
    clock = Clock()
    server = Server(clock, 6, seconds=10)
    side = Direction(ClockHost(clock), "write", 0)
    side.land(side.take(), server.hit()[0])
    chance = random.Random(seed)
    clock.run([work(clock, server, side, 1100, chance, latency=1.0) for _ in range(16)])
    assert server.refused == 0
    assert sum(server.windows.values()) >= 0.7 * 6 * 10


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_several_processes_share_one_budget(processes: int, seed: int) -> None:
    clock = Clock()
    server = Server(clock, 80, rounded=math.floor)
    state = MemoryState()
    sides = [Direction(ClockHost(clock, state), "write", 3) for _ in range(processes)]
    chance = random.Random(seed)
    minutes = 10
    clock.run([work(clock, server, side, 1000 + 60 * minutes, chance) for side in sides for _ in range(4)])
    assert server.refused == 0
    assert sum(server.windows.values()) >= 0.9 * 80 * minutes


@pytest.mark.parametrize("seed", range(3))
def test_people_who_use_the_same_account_are_left_their_calls(seed: int) -> None:
    clock = Clock()
    server = Server(clock, 80)
    side = Direction(ClockHost(clock), "write", 10)
    chance = random.Random(seed)

    def person() -> None:
        while clock.now < 1000 + 300:
            clock.sleep(chance.uniform(8, 12))
            server.hit()

    clock.run([person, *(work(clock, server, side, 1300, chance) for _ in range(8))])
    assert server.refused == 0


def test_without_headers_nobody_waits() -> None:
    clock = Clock()
    side = Direction(ClockHost(clock), "read", 3)
    for _ in range(1000):
        side.land(side.take(), {})
    assert clock.now == 1000.0


def test_a_refusal_without_headers_is_waited_for_and_forgotten() -> None:
    clock = Clock()
    side = Direction(ClockHost(clock), "read", 3)

    def run() -> None:
        side.land(side.take(), {}, refused=20.0)
        side.land(side.take(), {})
        assert clock.now >= 1020
        for _ in range(100):
            side.land(side.take(), {})

    clock.run([run])
    assert clock.now < 1023


def test_in_the_plentiful_case_the_shared_state_is_not_touched() -> None:
    clock = Clock()
    host = ClockHost(clock)
    side = Direction(host, "write", 3)
    server = Server(clock, 100_000)
    side.land(side.take(), server.hit()[0])
    touched: list[str] = []
    host.state.read = lambda key: touched.append(key)  # type: ignore[assignment,func-returns-value,misc]
    host.state.change = lambda key, change: touched.append(key)  # type: ignore[assignment,func-returns-value,misc]
    for _ in range(1000):
        side.land(side.take(), server.hit()[0])
    assert touched == []


def test_a_late_answer_does_not_raise_the_count_again() -> None:
    clock = Clock()
    side = Direction(ClockHost(clock), "write", 0)
    server = Server(clock, 80)
    first = side.take()
    early = server.hit()[0]
    others = [(side.take(), server.hit()[0]) for _ in range(30)]
    for flight, headers in others:
        side.land(flight, headers)
    side.land(first, early)
    assert side.left == 49


def test_a_long_wait_is_left_to_the_engine() -> None:
    clock = Clock()
    side = Direction(ClockHost(clock), "write", 3)
    day = {
        "X-Plenty-Global-Long-Period-Limit": "48000",
        "X-Plenty-Global-Long-Period-Calls-Left": "1000",
        "X-Plenty-Global-Long-Period-Decay": "7200",
    }
    side.land(side.take(), day)
    with pytest.raises(RetryLater) as waiting:
        side.take()
    assert waiting.value.after == pytest.approx(7200)
    assert waiting.value.counts is False


def test_a_stopped_run_does_not_wait() -> None:
    clock = Clock()
    host = ClockHost(clock)
    side = Direction(host, "write", 0)
    side.land(side.take(), Server(clock, 1).hit()[0])
    host.stop.set()
    with pytest.raises(RetryLater, match="stopped"):
        side.take()


def test_a_calls_weight_is_counted_while_it_flies() -> None:
    clock = Clock()
    side = Direction(ClockHost(clock), "write", 0)
    server = Server(clock, 20)
    side.land(side.take(), server.hit()[0])
    batch = side.take(weight=15)
    assert side.left - side.flying == 4
    assert side.cost(batch, server.hit(15)[0]) == "each"
    single = side.take(weight=3)
    assert single.weight == 3
