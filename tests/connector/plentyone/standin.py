"""The PlentyONE stand-in as a process of its own, and an export set up against it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from connector import Options
from connector.plentyone import PlentyOne
from connector.plentyone.orders import Orders
from connector.testing import MemoryHost, MemoryKnown, MemoryLinks, account, options_for
from tests.contracts import violations

ROOT = Path(__file__).parents[3]
SKUS = ("SKU-1", "SKU-2", "SKU-7", "BUNDLE", "PART-A", "PART-B")
MAPPED: dict[str, Any] = {
    "store_mapping": {"de": {"webstore": 12345, "language": "de"}},
    "status_mapping": {"pending": 3, "processing": 5, "complete": 7, "canceled": 8},
    "payment_mapping": {"checkmo": {"method_id": 0}, "braintree": {"method_id": 5000}},
    "default_shipping_profile": 6,
    "warehouse_id": 104,
}


class StandIn:
    """One running stand-in. `record` holds every request for the check against the vendor's contract."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.record = folder / "requests.jsonl"
        command = [sys.executable, "-m", "sandbox", "--only", "plentyone", "--port", "0", "--record", str(self.record)]
        self._process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().split()[-1]
        assert self._process.stdout.readline().strip() == "ready"
        self._session = requests.Session()

    def stop(self) -> None:
        self._session.close()
        self._process.terminate()
        self._process.wait(10)

    def control(self, action: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._session.post(f"{self.url}/_sandbox/control/{action}", json=body)
        assert answer.ok, answer.text
        return answer.json()

    def reset(self) -> None:
        self._session.put(f"{self.url}/_sandbox/faults", json=[])
        assert self._session.post(f"{self.url}/_sandbox/reset").ok
        self.control("articles", {"articles": [{"sku": sku, "name": f"Article {sku}"} for sku in SKUS]})
        self.record.unlink(missing_ok=True)

    def faults(self, *rules: dict[str, Any]) -> None:
        answer = self._session.put(f"{self.url}/_sandbox/faults", json=list(rules))
        assert answer.ok, answer.text

    def state(self) -> dict[str, Any]:
        return dict(self._session.get(f"{self.url}/_sandbox/state").json())

    def log(self) -> list[dict[str, Any]]:
        return list(self._session.get(f"{self.url}/_sandbox/log").json())

    def requests(self) -> list[dict[str, Any]]:
        text = self.record.read_text() if self.record.exists() else ""
        return [json.loads(line) for line in text.splitlines()]

    def violations(self) -> list[str]:
        return violations(self.record) if self.record.exists() else []


@dataclass
class Shop:
    """An export to one stand-in: connector, host, links that all records share."""

    url: str
    host: MemoryHost = field(default_factory=MemoryHost)
    links: MemoryLinks = field(default_factory=MemoryLinks)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.connector = self.another()
        self.orders = Orders(self.connector)
        self.host.collect(self.connector)
        self.host.calls.clear()

    def another(self) -> PlentyOne:
        """A connector as another process of the same connection would have it."""
        given = {"username": "connector", "password": "sandbox", **self.settings}
        return PlentyOne(account(PlentyOne, self.url, given), self.host)

    def options(self, **given: Any) -> Options:
        return options_for(Orders, {**MAPPED, **given})

    def known(self, refs: dict[str, str] | None = None, *, doubt: bool = False, attempt: int = 1) -> MemoryKnown:
        made = MemoryKnown(self.links, refs)
        made.doubt, made.doubt_age, made.attempt = doubt, 60.0 if doubt else 0.0, attempt
        return made

    def called(self) -> list[str]:
        """The calls since the last time, as "POST /rest/orders"."""
        found = [f"{call.method} {call.path}" for call in self.host.calls]
        self.host.calls.clear()
        return found
