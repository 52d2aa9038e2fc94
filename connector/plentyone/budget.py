"""The rate budget of a connection: how many calls may still start before PlentyONE's window is used up.

Reads and writes are counted apart. Every answer says in its headers how many calls are left in the short window and
when it ends. Between two answers we know better than the headers: calls in the air may or may not be counted yet, so
they count here until they land; a late answer never raises the count again.

Above half of the limit every process works on its own. Below, processes take calls in ever smaller chunks from a shared
fact, so that all together stop in time. Some calls are left for people (`reserve_percent`).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connector import Budget as Shown
from connector import Host, RetryLater, SharedState

SHORT, LONG, ROUTE = "X-Plenty-Global-Short-Period", "X-Plenty-Global-Long-Period", "X-Plenty-Route"
TIGHT = 8  # calls left: from here on every quiet moment is told to the others
PLENTY = 0.5  # of the limit: with more calls left than this no other process is asked
SLACK = 2.0  # seconds by which two readings of one window's end may differ, less for a short window
ROUNDING = 1.0  # seconds by which a rounded decay may be short
PROBE_SECONDS = 5.0  # for so long one process may find out whether a window is over, while the others wait
POLL = 0.05  # while calls of ours are in the air
LONGEST_WAIT = 90.0  # a longer wait is the engine's affair
CHUNK_SECONDS, HELD_SECONDS = 10.0, 20.0  # how long a chunk may be used, how long others respect it


@dataclass(eq=False)
class Flight:
    """One call in the air. `weight`: how many calls it may cost (a batch)."""

    weight: int
    sent: float
    route: str = ""
    probe: bool = False
    landed: bool = False
    left: int | None = None  # what was left when it started; its own answer must say less
    alone: bool = False  # no other call was in the air when it started


@dataclass(kw_only=True)
class Reading:
    """What the headers of one answer say."""

    limit: int
    left: int
    decay: float


def reading(headers: Mapping[str, str], prefix: str) -> Reading | None:
    try:
        return Reading(
            limit=int(float(headers[f"{prefix}-Limit"])),
            left=int(float(headers[f"{prefix}-Calls-Left"])),
            decay=max(0.0, float(headers.get(f"{prefix}-Decay", "60"))),
        )
    except (KeyError, ValueError):
        return None


@dataclass
class Window:
    """A slow or special limit (the day's, a route's): only whether it is used up, and until when."""

    left: int
    reserve: int
    ends: float


class Direction:
    """The short window of reads or of writes, as one process sees it. All times are the host's monotonic seconds."""

    def __init__(self, host: Host, name: str, reserve_percent: float) -> None:
        self.host = host
        self.key = f"budget:{name}"
        self.name = name
        self.share = reserve_percent / 100
        self.limit: int | None = None
        self.left = 0
        self.flying = 0
        self.long: Window | None = None
        self.routes: dict[str, Window] = {}
        self._me = uuid.uuid4().hex[:12]
        self._lock = threading.Lock()
        self._claiming = threading.Lock()
        self._known = False  # whether the shared fact was read once
        self._length = 0.0  # of the window: the longest decay seen
        self._ends = 0.0  # of the window, as the answers say; decay may be rounded, nobody says in which direction
        self._rounded_down = False  # learned: it is rounded down, the window ends up to a second later
        self._probing = False
        self._not_before = 0.0  # after a probe that came too early
        self._chunk = 0
        self._chunk_until = 0.0
        self._told: int | None = None  # how many are left, as the others last heard it from us

    @property
    def reserve(self) -> int:
        return int((self.limit or 0) * self.share)

    @property
    def slack(self) -> float:
        return min(SLACK, self._length / 4)

    def cost(self, flight: Flight, headers: Mapping[str, str]) -> str | None:
        """ "one" or "each" when the answer to this batch proves what a batch costs; asked before it lands."""
        found = reading(headers, SHORT)
        if found is None or flight.left is None or flight.weight < 2:
            return None
        dropped = flight.left - found.left
        if dropped <= 0 or flight.sent + found.decay > self._ends + self.slack:
            return None  # another window began
        if dropped < flight.weight:
            return "one"
        return "each" if flight.alone and self.flying == flight.weight == dropped else None

    def take(self, weight: int = 1, route: str = "") -> Flight:
        """Start a call, or wait until one may start. Raises RetryLater when the wait would be long, or on stop."""
        if not self._known:
            self._known = True
            self._look()
        while True:
            with self._lock:
                said = self._decide(weight, route)
            if isinstance(said, Flight):
                if not said.probe or self._may_probe():
                    return said
                self._unprobe(said)
                said = 4 * POLL
            if said is None:
                said = self._claim(weight)
            if said > LONGEST_WAIT:
                raise RetryLater(
                    f"PlentyONE's {self.name} calls are used up for the next {said / 60:.0f} minutes",
                    after=said,
                    counts=False,
                )
            if self.host.stop.is_set():
                raise RetryLater("stopped by a person", counts=False)
            if said > 0:
                self.host.sleep(said)

    def land(self, flight: Flight, headers: Mapping[str, str] | None, refused: float | None = None) -> None:
        """A call came back. `headers` None: without an answer. `refused`: it was a rate refusal, wait so long."""
        now = self.host.monotonic()
        with self._lock:
            if flight.landed:
                return
            flight.landed = True
            self.flying -= flight.weight
            found = reading(headers, SHORT) if headers else None
            if found is not None:
                self._learn(flight, found, now)
            elif flight.probe and headers is not None and refused is None:
                self.limit = None  # it works, and says nothing of limits
            else:
                self.left -= flight.weight
            if headers:
                self._learn_others(flight, headers, now)
            special = self.routes.get(flight.route)
            if refused is not None and not (special and special.left <= 0):
                self.limit = self.limit or 1
                self.left = 0
                self._ends = now + refused
            quiet = self.flying == 0 and self.limit is not None and self.left - self.reserve <= TIGHT
        if flight.probe:
            self._publish()
            self._probing = False
        elif quiet and self._told != self.left:
            self._claim(0)

    # deciding

    def _decide(self, weight: int, route: str) -> Flight | float | None:
        """A flight that may start, seconds to wait, or None: ask the shared fact."""
        now = self.host.monotonic()
        for window in (self.long, self.routes.get(route)):
            if window and window.left <= window.reserve and now < window.ends:
                return window.ends - now
        if self.limit is None:
            return self._fly(weight, route, now)
        weight = min(weight, max(1, self.limit - self.reserve))
        room = self.left - self.flying - self.reserve
        if room - weight >= self.limit * PLENTY:
            return self._fly(weight, route, now)
        ends = self._over()
        if now >= ends:
            if self._probing:
                return POLL
            self._probing = True
            return self._fly(1, route, now, probe=True)
        if room < weight:
            return POLL if self.flying else max(POLL, min(ends - now, 2.0))
        if self._chunk >= weight and now < self._chunk_until:
            self._chunk -= weight
            return self._fly(weight, route, now)
        return None

    def _over(self) -> float:
        """When the window may be believed to be over. Early only while there is a call to spare for a wrong guess."""
        spare = self.left - self.flying + self._probing
        return max(self._ends + ROUNDING * (self._rounded_down or spare < 1), self._not_before)

    def _fly(self, weight: int, route: str, now: float, probe: bool = False) -> Flight:
        flight = Flight(weight, now, route, probe, left=self.left if self.limit else None, alone=self.flying == 0)
        self.flying += weight
        return flight

    def _unprobe(self, flight: Flight) -> None:
        with self._lock:
            self._probing = False
            self.flying -= flight.weight

    # learning

    def _learn(self, flight: Flight, found: Reading, now: float) -> None:
        low, high = flight.sent + found.decay, now + found.decay
        self._length = max(self._length, found.decay)
        rose = flight.left is not None and found.left >= flight.left
        if self.limit is None or rose or low > self._ends + self.slack:
            self.limit, self.left, self._chunk, self._ends = found.limit, found.left, 0, high
            return
        if high < self._ends - self.slack:
            return  # late news of a window that is over
        self.limit = found.limit
        self.left = min(self.left, found.left)
        self._ends = min(self._ends, high)
        if flight.probe:
            self._rounded_down = True
            self._not_before = now + min(max(found.decay, 0.3), SLACK)

    def _learn_others(self, flight: Flight, headers: Mapping[str, str], now: float) -> None:
        if day := reading(headers, LONG):
            self.long = Window(day.left, int(day.limit * self.share), now + day.decay)
        if flight.route and (special := reading(headers, ROUTE)):
            self.routes[flight.route] = Window(special.left, 0, now + special.decay)

    # sharing

    def tell(self) -> None:
        """Leave behind how many calls are left: for people, and for who comes next."""
        if self.limit is not None and self._told != self.left:
            self._claim(0)

    def _epoch(self, moment: float) -> float:
        return self.host.now().timestamp() + moment - self.host.monotonic()

    def _adopt(self, fact: Mapping[str, Any]) -> bool:
        """Take over the shared view of a later window (True), or of the same one where it knows of more calls."""
        self._rounded_down = self._rounded_down or bool(fact.get("down"))
        ends = float(fact["ends"]) - self._epoch(0.0)
        if ends <= self.host.monotonic() - ROUNDING:
            return False
        if self.limit is not None and ends <= self._ends + self.slack:
            if ends >= self._ends - self.slack:
                self.left = min(self.left, int(fact["left"]))
            return False
        self.limit, self.left, self._ends, self._chunk = int(fact["limit"]), int(fact["left"]), ends, 0
        return True

    def _look(self) -> None:
        fact = self.host.state.read(self.key)
        if fact:
            with self._lock:
                self._adopt(fact)

    def _may_probe(self) -> bool:
        """One process finds out whether a new window began; True when that is this one, and nobody knows yet."""
        self._look()
        now = self._epoch(self.host.monotonic())
        with self._lock:
            if self.host.monotonic() < self._over():
                return False
            ours = self._epoch(self._ends)

        def change(fact: dict[str, Any] | None) -> dict[str, Any] | None:
            if fact is None:
                return {**self._fact(ours), "probe": [self._me, now]}
            name, at = fact.get("probe") or ["", 0.0]
            if float(fact["ends"]) > max(now, ours + self.slack) or (name != self._me and now - at < PROBE_SECONDS):
                return fact
            return {**fact, "probe": [self._me, now]}

        fact = self.host.state.change(self.key, change) or {}
        with self._lock:
            self._adopt(fact)
        return bool((fact.get("probe") or [""])[0] == self._me)

    def _publish(self) -> None:
        """Tell the others what a probe found."""
        with self._lock:
            if self.limit is None:
                return
            ends = self._epoch(self._ends)
            mine = self._fact(ends)

        def change(fact: dict[str, Any] | None) -> dict[str, Any] | None:
            later = fact and float(fact["ends"]) > ends + self.slack
            return {**(fact if fact and later else mine), "probe": None}

        self.host.state.change(self.key, change)

    def _fact(self, ends: float) -> dict[str, Any]:
        return {"limit": self.limit, "left": self.left, "ends": ends, "held": {}, "down": self._rounded_down}

    def _claim(self, weight: int) -> float:
        """Tell how many calls are left, and take a chunk of them from the shared fact (none for weight 0).

        Returns seconds to wait, 0 when something was granted.
        """
        with self._claiming:
            with self._lock:
                if self._chunk >= weight > 0 and self.host.monotonic() < self._chunk_until:
                    return 0.0
                limit, left, flying, reserve = self.limit or 1, self.left, self.flying, self.reserve
                unspent = self._chunk if self.host.monotonic() < self._chunk_until else 0
                self._told = left
                slack = self.slack
                ends = self._epoch(self._ends)
                down = self._rounded_down
                now = self._epoch(self.host.monotonic())
            granted = 0

            def change(fact: dict[str, Any] | None) -> dict[str, Any] | None:
                nonlocal granted
                granted = 0
                if fact and float(fact["ends"]) > ends + slack:
                    return fact  # others see a later window: adopt it
                same = fact if fact and abs(float(fact["ends"]) - ends) <= slack else None
                lowest = min(left, int(same["left"])) if same else left
                held = {
                    name: [count, at]
                    for name, (count, at) in (same["held"] if same else {}).items()
                    if name != self._me and now - at < HELD_SECONDS
                }
                free = lowest - reserve - flying - sum(int(count) for count, _ in held.values())
                granted = max(0, min(free, max(weight, free // (4 if held else 2)))) if weight else 0
                if granted < weight:
                    granted = 0
                held[self._me] = [flying + (granted or unspent), now]
                until = min(ends, float(same["ends"])) if same else ends
                known_down = down or bool(fact and fact.get("down"))
                return {"limit": limit, "left": lowest, "ends": until, "held": held, "down": known_down}

            fact = self.host.state.change(self.key, change)
            with self._lock:
                if fact and self._adopt(fact):
                    return 0.0
                if granted:
                    self._chunk = granted
                    self._chunk_until = self.host.monotonic() + CHUNK_SECONDS
                    return 0.0
        return POLL if flying else 0.25


@dataclass
class Budget:
    """Both directions."""

    host: Host
    reserve_percent: float
    reads: Direction = field(init=False)
    writes: Direction = field(init=False)

    def __post_init__(self) -> None:
        self.reads = Direction(self.host, "read", self.reserve_percent)
        self.writes = Direction(self.host, "write", self.reserve_percent)

    def side(self, write: bool) -> Direction:
        return self.writes if write else self.reads

    def tell(self) -> None:
        self.reads.tell()
        self.writes.tell()


def seen(state: SharedState, reserve_percent: float) -> list[Shown]:
    """What the processes of a connection last told each other, for people."""
    found = []
    for key, label in (("budget:read", "Reads"), ("budget:write", "Writes")):
        fact = state.read(key)
        if fact and fact.get("limit"):
            limit = int(fact["limit"])
            ends = datetime.fromtimestamp(float(fact["ends"]), UTC)
            left = max(0, min(limit, int(fact["left"])))
            reserve = int(limit * reserve_percent / 100)
            found.append(Shown(label=label, limit=limit, left=left, resets_at=ends, reserve=reserve))
    return found
