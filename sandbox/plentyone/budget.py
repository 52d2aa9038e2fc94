"""The call budgets: reads and writes apart, each in a fixed window that begins with its first call."""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.faults import READS
from sandbox.message import Response
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import BERLIN, iso

NO_LIMIT = 100_000
LONG = {"read": 166_000, "write": 48_000}
SHORT_PREFIX = "X-Plenty-Global-Short-Period"
LONG_PREFIX = "X-Plenty-Global-Long-Period"


@dataclass(kw_only=True)
class Window:
    """The calls of one direction since `began`."""

    began: datetime | None = None
    calls: int = 0


@dataclass(kw_only=True)
class Budget:
    """What is left to call."""

    tenant: Tenant
    windows: dict[str, Window] = field(default_factory=lambda: {"read": Window(), "write": Window()})
    today: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0})
    refused: int = 0

    def take(self, method: str, calls: int = 1) -> tuple[dict[str, str], Response | None]:
        """Count a call: the headers of its answer, and the refusal when nothing is left."""
        direction = "read" if method in READS else "write"
        now = self.tenant.exact_now
        length = timedelta(seconds=self.tenant.settings.window_seconds)
        window = self.windows[direction]
        if window.began is None or now >= window.began + length:
            window.began, window.calls = now, 0
        limit = self._limit(direction)
        ends = window.began + length
        refused = window.calls + calls > limit
        if not refused:
            window.calls += calls
            self.today[direction] += calls
        decay = max(1, math.ceil((ends - now).total_seconds()))
        midnight = (now.astimezone(BERLIN) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        headers = {
            f"{SHORT_PREFIX}-Limit": str(limit),
            f"{SHORT_PREFIX}-Decay": str(decay),
            f"{SHORT_PREFIX}-Calls-Left": str(limit - window.calls),
            f"{LONG_PREFIX}-Limit": str(LONG[direction]),
            f"{LONG_PREFIX}-Decay": str(int((midnight - now).total_seconds())),
            f"{LONG_PREFIX}-Calls-Left": str(max(0, LONG[direction] - self.today[direction])),
        }
        if not refused:
            return headers, None
        self.refused += 1
        headers |= {"Retry-After": str(decay), f"{SHORT_PREFIX}-Calls-Reset": iso(ends)}
        sentence = f"short period {direction} limit reached"
        return headers, Response(status=429, body=sentence, content_type="text/html; charset=UTF-8")

    def _limit(self, direction: str) -> int:
        settings = self.tenant.settings
        limit = settings.read_limit if direction == "read" else settings.write_limit
        return NO_LIMIT if limit is None else limit
