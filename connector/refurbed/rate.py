"""Ten calls a second for all threads and processes of a connection.

The number is not in the contract: a client in production cites it from the vendor's pages. Each call takes a place in the
shared fact before it starts; the call nine places before it must be a second old. `X-RateLimit-Limit` is not read: the
vendor's own README says that it holds the calls already made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector import Host, RetryLater
from connector.refurbed.answers import until_reset

KEY = "rate"
CALLS = 9  # of ten: one is left for people and for what the network pushes together
WINDOW = 1.0
LONGEST_WAIT = 60.0


class Rate:
    """The rate of one connection, as one process sees it."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def take(self) -> None:
        """Wait until a call may start. Raises RetryLater when that would take long."""
        now = self.host.now().timestamp()
        mine = now

        def change(fact: dict[str, Any] | None) -> dict[str, Any]:
            nonlocal mine
            fact = fact or {}
            taken = [one for one in fact.get("taken", ()) if abs(one - now) < LONGEST_WAIT + WINDOW][-CALLS:]
            until = float(fact.get("until") or 0)
            mine = max(now, until, taken[-CALLS] + WINDOW if len(taken) >= CALLS else now)
            if mine - now > LONGEST_WAIT:
                return fact  # takes no place: it will not call
            return {"taken": [*taken, mine][-CALLS:], "until": until}

        self.host.state.change(KEY, change)
        if mine - now > LONGEST_WAIT:
            raise RetryLater("refurbed's calls are used up for now", after=mine - now, counts=False)
        if mine > now:
            self.host.sleep(mine - now)
            if self.host.stop.is_set():
                raise RetryLater("stopped by a person", counts=False)

    def learn(self, headers: Mapping[str, str], refused: float | None) -> None:
        """Nobody calls before the window ends when an answer says that it is used up, or was a refusal."""
        pause = refused
        if pause is None and (headers.get("X-RateLimit-Remaining") or "").strip() == "0":
            pause = until_reset(headers)
        if not pause:
            return
        until = self.host.now().timestamp() + pause
        self.host.state.change(
            KEY, lambda fact: {**(fact or {}), "until": max(until, float((fact or {}).get("until") or 0))}
        )
