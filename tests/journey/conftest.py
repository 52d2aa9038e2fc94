"""Journeys: the real command against the stand-ins, each in a process of its own, over real HTTP.

Whatever a test sends is recorded and held against the vendors' contracts when the test ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiles import sync
from profiles.db import Database
from profiles.models import Profile, SyncRecord
from tests.contracts import violations

ROOT = Path(__file__).parents[2]

METHODS = ("checkmo", "banktransfer", "paypal_express", "braintree", "purchaseorder", "cashondelivery")
STATUSES = {"pending": 3, "processing": 5, "complete": 7, "holded": 2, "pending_payment": 3, "closed": 7, "canceled": 8}


class StandIns:
    """Both stand-ins in one process."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.record = folder / "requests.jsonl"
        command = [sys.executable, "-m", "sandbox", "--port", "0", "--record", str(self.record), *options]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.address: dict[str, str] = {}
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip() == "ready":
                break
            name, _, address = line.strip().partition(" ")
            self.address[name] = address

    def _ask(self, system: str, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address[system]}/_sandbox/{path}",
            data=data,
            method=method or ("GET" if body is None else "POST"),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def state(self, system: str = "plentyone") -> Any:
        return self._ask(system, "state")

    def control(self, system: str, action: str, body: Any = None) -> Any:
        return self._ask(system, f"control/{action}", body or {})

    def faults(self, *rules: dict[str, Any]) -> None:
        for system in self.address:
            mine = [rule for rule in rules if rule.get("system", system) == system]
            self._ask(system, "faults", mine, "PUT")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(10)


class Host:
    """The product as its users have it: a data folder and the command."""

    def __init__(self, folder: Path, stand_ins: StandIns, url: str | None = None) -> None:
        self.folder = folder
        self.stand_ins = stand_ins
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("CONNECTOR_")},
            "CONNECTOR_HOME": str(folder / "home"),
            "CONNECTOR_ALLOW_PRIVATE": "1",
            "CONNECTOR_READ_SECONDS": "3",
            "PLENTY_PASSWORD": "sandbox",
            "PYTHONPATH": str(ROOT),
        }
        if url:
            self.environment["CONNECTOR_DATABASE_URL"] = url

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "admin", *arguments],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, error = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(arguments, process.returncode, out, error)

    def apply(self, answers: dict[str, Any] | None = None, *, twin: str | None = None, **changes: Any) -> None:
        """Two connections and the profile *Order export*; `changes` go into its global settings. With `answers`, the
        settings of the other direction, *Order import* as well; with `twin`, a second export of that name."""
        shop = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ats"}
        erp = {"username": "connector", "password": "env:PLENTY_PASSWORD", "index_lag_seconds": 2}
        mapping = {method: {"method_id": 6000} for method in METHODS}
        settings = {
            "status_filter": ["processing", "complete"],
            "status_mapping": STATUSES,
            "payment_mapping": {**mapping, "free": {"method_id": 6000, "create_payment": False}},
            "default_shipping_profile": 6,
            "warehouse_id": 104,
            "store_mapping": {"default": {"webstore": 12345, "language": "en"}},
            "settle_seconds": 0,
            **changes,
        }
        document = {
            "connections": [
                {
                    "name": "shop",
                    "connector": "magento",
                    "base_url": self.stand_ins.address["magento"],
                    "credentials": shop,
                },
                {
                    "name": "erp",
                    "connector": "plentyone",
                    "base_url": self.stand_ins.address["plentyone"],
                    "credentials": erp,
                },
            ],
            "profiles": [
                {
                    "name": "Order export",
                    "entity": "order",
                    "direction": "export",
                    "from": "shop",
                    "to": "erp",
                    "active": False,
                    "cron": "*/15 * * * *",
                    "timezone": "Europe/Berlin",
                    "settings": {"global": {key: value for key, value in settings.items() if value is not None}},
                }
            ],
        }
        if answers is not None:
            back = {**document["profiles"][0], "name": "Order import", "direction": "import"}  # type: ignore[dict-item]
            document["profiles"].append({**back, "from": "erp", "to": "shop", "settings": {"global": answers}})
        if twin is not None:
            document["profiles"].append({**document["profiles"][0], "name": twin})  # type: ignore[dict-item]
        file = self.folder / "setup.yaml"
        file.write_text(yaml.safe_dump(document))
        done = self.call("apply", str(file))
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *options: str, profile: str = "Order export") -> dict[str, Any]:
        done = self.call("run", profile, "--json", *options)
        assert done.stdout.strip(), done.stderr
        return {**json.loads(done.stdout.strip().splitlines()[-1]), "exit": done.returncode}

    def records(self, status: str | None = None, *, profile: str = "Order export") -> list[dict[str, Any]]:
        done = self.call("records", profile, "--json", *(["--status", status] if status else []))
        return list(json.loads(done.stdout))


class Makers:
    """Makes stand-ins and hosts for one test and clears them away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[StandIns] = []

    def __call__(self, *options: str, url: str | None = None) -> tuple[StandIns, Host]:
        folder = self.folder / f"world{len(self.made)}"
        folder.mkdir()
        stand_ins = StandIns(folder, *options)
        self.made.append(stand_ins)
        return stand_ins, Host(folder, stand_ins, url)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Makers]:
    makers = Makers(tmp_path)
    yield makers
    for stand_ins in makers.made:
        stand_ins.close()
    for stand_ins in makers.made:
        if stand_ins.record.exists():
            assert violations(stand_ins.record) == []


def once_each(state: dict[str, Any]) -> dict[str, Any]:
    """What exists twice in the ERP, by kind; nothing when all is well."""
    return {kind: found for kind, found in state["duplicates"].items() if found}


# what an import does with them, unless a test says otherwise
ANSWERS = {
    "create_invoice": True,
    "create_shipment": True,
    "create_credit_memo": True,
    "cancel_order": True,
    "cancel_statuses": [8],
    "hold_order": True,
    "hold_statuses": [3.2],
    "unhold_order": True,
    "unhold_statuses": [5],
    "invoice_status_condition": True,
    "invoice_statuses": [6, 7],
}


class Both:
    """Both profiles in this process, against stand-ins in another one whose clocks run a minute a round."""

    def __init__(self, stand_ins: StandIns, host: Host) -> None:
        self.stand_ins = stand_ins
        self.database = Database()
        with self.database.reading() as session:
            self.profiles = {one.name: one.id for one in session.query(Profile)}
        self.minutes = 0
        self.seen = {system: self._last(system) for system in stand_ins.address}

    def _log(self, system: str) -> list[dict[str, Any]]:
        return list(self.stand_ins._ask(system, "log"))

    def _last(self, system: str) -> int:
        return max((entry["n"] for entry in self._log(system)), default=0)

    def tick(self) -> None:
        self.minutes += 1
        self.stand_ins.control("plentyone", "advance", {"seconds": 60})
        self.stand_ins.control("magento", "clock", {"offset": 60 * self.minutes})

    def run(self) -> list[sync.Result]:
        return [sync.run(self.database, self.profiles[name]) for name in ("Order export", "Order import")]

    def calls(self) -> Counter[str]:
        """Reads and writes of both systems since the last question."""
        made: Counter[str] = Counter()
        for system in self.stand_ins.address:
            for entry in self._log(system):
                if entry["n"] > self.seen[system] and "/login" not in entry["path"]:
                    made["read" if entry["method"] == "GET" else "write"] += 1
                    if entry["method"] != "GET":
                        made[f"{system} {entry['method']} {entry['path']}"] += 1
            self.seen[system] = self._last(system)
        return made

    def records(self, profile: str, **facts: Any) -> list[SyncRecord]:
        with self.database.reading() as session:
            found = session.query(SyncRecord).filter_by(profile_id=self.profiles[profile], **facts)
            return list(found.order_by(SyncRecord.id))

    def set(self, profile: str, **given: Any) -> None:
        """Change global settings of a profile, as its page does."""
        with self.database.session() as session:
            row = session.get_one(Profile, self.profiles[profile])
            row.settings = {**row.settings, "global": {**row.settings["global"], **given}}
            row.settings_version += 1

    def papers(self, order: dict[str, Any]) -> Any:
        return self.stand_ins.control("magento", "papers", {"entity_id": order["entity_id"]})

    def orders(self) -> list[dict[str, Any]]:
        return [one for one in self.stand_ins.control("plentyone", "orders") if one["typeId"] == 1]


@pytest.fixture
def both(world: Makers, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(*options: str, answers: dict[str, Any] | None = None, **settings: Any) -> Both:
        stand_ins, host = world(*options)
        statuses = {one["status"]: 5 for one in stand_ins.control("magento", "orders") if one.get("status")}
        host.apply(
            {**ANSWERS, **(answers or {})},
            status_mapping={"pending": 3, **statuses, "complete": 7, "closed": 7, "canceled": 8, "holded": 2},
            residual="line",
            **settings,
        )
        for name, value in host.environment.items():
            if name.startswith("CONNECTOR_") or name == "PLENTY_PASSWORD":
                monkeypatch.setenv(name, value)
        monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
        made.append(Both(stand_ins, host))
        return made[-1]

    made: list[Both] = []
    yield make
    for one in made:
        one.database.engine.dispose()
