"""A PlentyONE of a few lines at the client's one seam, for answers that no stand-in gives."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from requests.structures import CaseInsensitiveDict

from connector.plentyone import PlentyOne
from connector.testing import MemoryHost, account

Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]]
TOKEN = {"access_token": "eyJ-first", "expires_in": 86400, "token_type": "Bearer"}


def response(status: int, body: Any, headers: dict[str, str] | None = None) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    text = body if isinstance(body, str) else json.dumps(body)
    made.raw = io.BytesIO(text.encode())
    made.headers = CaseInsensitiveDict(headers or {})
    return made


class Wire:
    """Answers by "METHOD /path" (without query), in turn; what is asked beyond the list gets its last answer."""

    def __init__(self, **settings: Any) -> None:
        self.host = MemoryHost()
        self.sent: list[requests.PreparedRequest] = []
        self.replies: dict[str, list[Reply | Exception | Callable[[], Reply]]] = {"POST /rest/login": [(200, TOKEN)]}
        self.settings = {"username": "connector", "password": "secret-word", **settings}
        self.slept: list[float] = []
        self.passed = 0.0  # seconds: sleeping takes none of ours
        real = self.host.monotonic
        self.host.monotonic = lambda: real() + self.passed  # type: ignore[method-assign]
        self.host.now = lambda: datetime.now(UTC) + timedelta(seconds=self.passed)  # type: ignore[method-assign]
        self.host.sleep = self._sleep  # type: ignore[method-assign]
        self.connector = self.another()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    def another(self, **settings: Any) -> PlentyOne:
        given = {**self.settings, **settings}
        made = PlentyOne(account(PlentyOne, "https://plenty.example", given), self.host)
        made.client.transport = self.send
        return made

    def on(self, call: str, *replies: Any) -> None:
        self.replies[call] = list(replies)

    def send(self, request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        self.sent.append(request)
        path = (request.url or "").removeprefix("https://plenty.example").split("?")[0]
        waiting = self.replies[f"{request.method} {path}"]
        reply = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if callable(reply):
            reply = reply()
        if isinstance(reply, Exception):
            raise reply
        return response(*reply)

    def calls(self, path: str) -> int:
        return sum((request.url or "").split("?")[0].endswith(path) for request in self.sent)
