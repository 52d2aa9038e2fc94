"""refurbed's stand-in over real HTTP, and connectors to it. Whatever they send is held against the vendor's Swagger."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from connector import Found, Options, Resource
from connector.refurbed import Refurbed
from connector.testing import MemoryHost, account, options_for
from sandbox.refurbed import TOKEN, build
from sandbox.server import Server

JSON = dict[str, Any]
READY: JSON = {"token": TOKEN, "order_import": True, "import_returns": True, "carrier": "dhl"}


class Market:
    """One merchant's marketplace: its switches, its truth, and connectors to it."""

    def __init__(self, record: Path) -> None:
        self.record = record
        self.server = Server(build(count=0, rate_limit=None), 0, record=record)
        self.server.start()
        self.url = self.server.base_url
        self.host = self.fresh_host()

    def fresh_host(self) -> MemoryHost:
        self.host = MemoryHost()
        self.slept: list[float] = []
        self.passed = 0.0
        self.host.now = lambda: datetime.now(UTC) + timedelta(seconds=self.passed)  # type: ignore[method-assign]
        self.host.sleep = self._sleep  # type: ignore[method-assign]
        return self.host

    def _sleep(self, seconds: float) -> None:
        """Waiting takes none of our time."""
        self.slept.append(seconds)
        self.passed += seconds

    def connector(self, url: str = "", **settings: Any) -> Refurbed:
        given = {name: value for name, value in {**READY, **settings}.items() if value is not None}
        return Refurbed(account(Refurbed, url or self.url, given), self.host)

    def reset(self) -> None:
        self.server.faults.replace([])
        requests.post(f"{self.url}/_sandbox/reset", timeout=5).raise_for_status()
        self.control("configure", rate_limit=None)
        self.fresh_host()
        self.record.unlink(missing_ok=True)

    def control(self, action: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/control/{action}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def place(self, **wish: Any) -> JSON:
        made: JSON = self.control("place", **{"country": "DE", "items": [{"sku": "IP12-64-BLU-A"}], **wish})[0]
        return made

    def faults(self, *rules: JSON) -> None:
        rows = [{"system": "refurbed", **one} for one in rules]
        requests.put(f"{self.url}/_sandbox/faults", json=rows, timeout=5).raise_for_status()

    def state(self) -> JSON:
        made: JSON = requests.get(f"{self.url}/_sandbox/state", timeout=5).json()
        return made

    def sent(self, call: str) -> list[JSON]:
        """The bodies of all calls of that name so far."""
        text = self.record.read_text() if self.record.exists() else ""
        rows = [json.loads(line) for line in text.splitlines()]
        return [one["body"] for one in rows if one["path"].endswith(f".{call}")]

    def stop(self) -> None:
        self.server.stop()


def read(resource: Resource, since: str | None = None, **options: Any) -> tuple[list[Found], str | None]:
    """All that a reading yields, and its mark."""
    values = {**options_for(type(resource), {}, side="source"), "page_size": 100, "initial_from": None, **options}
    records: list[Found] = []
    mark = None
    for page in resource.read(since, Options(values)):
        records += page.records
        mark = page.mark or mark
    return records, mark
