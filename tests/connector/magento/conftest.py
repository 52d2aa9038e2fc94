"""A shop to read from: the stand-in as a process of its own, reached over real HTTP."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.magento import Magento
from connector.testing import MemoryHost, account

ROOT = Path(__file__).parents[3]
SECRETS = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ats"}


class Shop:
    """The running stand-in: its switches, its truth, and connectors to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = MemoryHost()
        self.host.sleep = lambda seconds: None  # type: ignore[method-assign]
        self._forbidden: list[str] = []

    def connector(self, url: str = "", **settings: Any) -> Magento:
        return Magento(account(Magento, url or self.url, {**SECRETS, **settings}), self.host)

    def control(self, action: str, **body: Any) -> Any:
        answer = requests.post(f"{self.url}/_sandbox/control/{action}", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, *rules: dict[str, Any]) -> None:
        answer = requests.put(f"{self.url}/_sandbox/faults", json=[{"system": "magento", **one} for one in rules])
        assert answer.status_code == 200, answer.text

    def forbid(self, resource: str) -> None:
        self._forbidden.append(resource)
        self.control("forbid", resource=resource)

    def orders(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.control("orders")
        return sorted(rows, key=lambda one: (one["updated_at"], one["entity_id"]))

    def restore(self) -> None:
        self.faults()
        self.control("reset")
        for one in self._forbidden:
            self.control("allow", resource=one)
        self.control(
            "configure",
            past_end="empty",
            max_page_size=None,
            default_page_size=None,
            gateway_timeout_above=None,
            broken_orders=[],
            broken_with=404,
            maintenance=False,
            firewall=False,
            wrong_scheme=False,
            two_factor=False,
            integration_as_bearer=False,
            saas_tenant=None,
        )


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--orders", "120"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = ""
        for line in process.stdout:
            if found := re.match(r"magento (\S+)", line):
                url = found[1]
            if line.startswith("ready"):
                break
        try:
            yield url
        finally:
            process.terminate()


@pytest.fixture
def shop(running: str) -> Iterator[Shop]:
    made = Shop(running)
    made.host.collect(made.connector())  # as the set-up of a connection does
    made.host.calls.clear()
    yield made
    made.restore()
