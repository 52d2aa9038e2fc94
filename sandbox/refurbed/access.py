"""Who may call and how often: a token that dies of disuse, and a number of requests per second."""

import fnmatch
import math
from datetime import datetime, timedelta

from sandbox.message import Request
from sandbox.refurbed.errors import PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAUTHENTICATED, Refused
from sandbox.refurbed.marketplace import Marketplace


class Access:
    """The door of the API."""

    def __init__(self, market: Marketplace) -> None:
        self.market = market
        self.void = False
        self.used = market.now
        self.agents: set[str] = set()
        self._window: tuple[datetime | None, int] = (None, 0)

    def check(self, request: Request) -> None:
        """Refused unless the header is `Authorization: Plain <token>` with the token that is good."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if not scheme:
            raise Refused(UNAUTHENTICATED, "authorization header is missing")
        if scheme != "Plain" or not token:
            raise Refused(UNAUTHENTICATED, "authorization header is malformed")
        settings = self.market.settings
        idle = self.market.now - self.used > timedelta(days=settings.token_days)
        if self.void or idle or token != settings.token:
            raise Refused(UNAUTHENTICATED, "authorization token is invalid")
        self.used = self.market.now
        self.agents.add(request.headers.get("user-agent", ""))
        if any(fnmatch.fnmatchcase(request.path, pattern) for pattern in self.market.forbidden):
            raise Refused(PERMISSION_DENIED, "permission denied")

    def count(self) -> tuple[dict[str, str], bool]:
        """Count a request: the headers of its answer, and whether it is one too many."""
        settings, now = self.market.settings, self.market.now
        began, made = self._window
        length = timedelta(seconds=settings.window_seconds)
        if began is None or now >= began + length:
            began, made = now, 0
        limit = settings.rate_limit
        over = limit is not None and made >= limit
        made += not over
        self._window = (began, made)
        return self._headers(made, math.ceil((began + length).timestamp())), over

    def _headers(self, made: int, reset: int) -> dict[str, str]:
        limit = self.market.settings.rate_limit
        if limit is None:
            return {}
        return {
            "X-RateLimit-Limit": str(made if self.market.settings.limit_header_counts else limit),
            "X-RateLimit-Remaining": str(limit - made),
            "X-RateLimit-Reset": str(reset),
        }


def exhausted() -> Refused:
    return Refused(RESOURCE_EXHAUSTED, "rate limit exceeded")
