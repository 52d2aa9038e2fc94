"""The demo: from nothing to orders on the other side, repeatable, and nothing left running."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from admin import configuration, demo
from admin.screen import Refused
from connector import registry
from profiles.db import Database, now

ADDRESSES = {"magento": "http://127.0.0.1:9101", "plentyone": "http://127.0.0.1:9102"}


@pytest.fixture(autouse=True)
def strangers() -> None:
    """No others than the bundled connectors are installed."""
    registry.plugins.cache_clear()


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("CONNECTOR_HOME", str(folder))
    for name in ("CONNECTOR_DATABASE_URL", "CONNECTOR_SECRET_KEY", "CONNECTOR_DEBUG", "PLENTY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE", "1")
    return folder


def connector(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "admin", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )


def stand_ins() -> set[int]:
    """The stand-ins that were started for this test's data folder, by their environment."""
    found = set()
    for process in psutil.process_iter():
        try:
            if (
                "sandbox" in process.cmdline()
                and process.environ().get("CONNECTOR_HOME") == os.environ["CONNECTOR_HOME"]
            ):
                found.add(process.pid)
        except psutil.Error:
            continue
    return found


def order(status: str, method: str, shipping: str | None, store: str) -> Any:
    return SimpleNamespace(status=status, payment=SimpleNamespace(method=method), shipping_method=shipping, store=store)


def test_what_the_demo_sets_up_can_be_read() -> None:
    document = configuration.read(demo._text(ADDRESSES))
    assert [one.base_url for one in document.connections] == list(ADDRESSES.values())
    assert [one.name for one in document.profiles] == ["Order export"]


def test_unknown_codes_are_treated_as_the_first_of_their_table() -> None:
    (spec,) = configuration.read(demo._text(ADDRESSES)).profiles
    known = order("holded", "checkmo", None, "default")
    strange = order("own_status", "own_payment", "own_shipping", "own_store")
    before = json.dumps(spec.settings)
    taught = demo.taught_settings(spec.settings, [known, strange])["global"]
    assert taught["status_mapping"]["own_status"] == 5
    assert taught["status_filter"][-1] == "own_status"
    assert "holded" not in taught["status_filter"]
    assert taught["payment_mapping"]["own_payment"] == {"method_id": 2}
    assert taught["shipping_mapping"]["own_shipping"] == 6
    assert taught["store_mapping"]["own_store"]["webstore"] == 12345
    assert None not in taught["shipping_mapping"]
    assert json.dumps(spec.settings) == before


def test_a_connection_that_leads_elsewhere_is_not_bent(monkeypatch: pytest.MonkeyPatch) -> None:
    document = configuration.read(demo._text(ADDRESSES))
    own = demo._text({**ADDRESSES, "magento": "http://10.0.0.1"})
    database = Database()
    database.upgrade()
    with database.session() as session:
        configuration.apply(session, own)
        with pytest.raises(Refused, match="Set CONNECTOR_HOME"):
            demo.refuse_foreign(session, document)


def test_stand_ins_that_cannot_start_say_why(tmp_path: Path) -> None:
    said = connector("demo", "--once", "--orders-from", str(tmp_path / "nowhere"))
    assert said.returncode == 2
    assert "nowhere" in said.stderr
    assert "Traceback" not in said.stderr
    assert stand_ins() == set()


def test_the_demo_runs_once_and_again() -> None:
    for _ in range(2):
        said = connector("demo", "--once", "--orders", "15")
        assert said.returncode == 0, said.stderr
        lines = said.stdout.splitlines()
        assert len(lines) == 4
        assert re.match(r"Order export: \d+ complete", lines[0])
        assert lines[3] == "Failed: none."
        assert stand_ins() == set()
    records = json.loads(connector("records", "Order export", "--json").stdout)
    assert len(records) == 15
    assert {one["status"] for one in records} <= {"complete", "skipped"}
    done = next(one for one in records if one["status"] == "complete")
    assert done["target_id"]
    story = json.loads(connector("order", done["source_number"], "--json").stdout)
    assert story["records"][0]["refs"] == done["refs"]
    assert story["calls"]


def test_own_orders_with_codes_that_nobody_mapped_are_exported(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    orders.mkdir()
    for payload in own_orders():
        (orders / f"{payload['increment_id']}.json").write_text(json.dumps(payload, default=float))
    said = connector("demo", "--once", "--orders-from", str(orders))
    assert said.returncode == 0, said.stderr
    records = json.loads(connector("records", "Order export", "--json").stdout)
    assert [one["status"] for one in records] == ["complete"] * 3, said.stdout


def own_orders() -> list[dict[str, Any]]:
    """Three made-up orders with codes of somebody's own."""
    from sandbox import orders

    made = [one for one in orders.generate(60, 5, now()) if one["status"] == "processing"][:3]
    for payload in made:
        payload["status"] = "own_status"
        payload["payment"]["method"] = "own_payment"
    return made


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Whatever a test finds out, its process does not outlive it."""
    try:
        yield
    finally:
        process.kill()


def test_ctrl_c_ends_the_demo_and_its_children() -> None:
    with (
        subprocess.Popen(
            [sys.executable, "-m", "admin", "demo", "--orders", "3", "--port", "18080"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
        ended(process),
    ):
        assert process.stdout is not None
        said = ""
        while "password" not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        address, login = re.search(r"(http://127\.0\.0\.1:\d+/)  user (\w+, password [\w-]+)", said).groups()  # type: ignore[union-attr]
        assert login == f"{demo.USER}, password {demo.PASSWORD}"
        assert len(stand_ins()) == 1
        for _ in range(50):
            try:
                with urllib.request.urlopen(address) as page:
                    assert page.status == 200
                break
            except OSError:
                time.sleep(0.2)
        else:
            pytest.fail("the pages did not answer")
        process.send_signal(signal.SIGINT)
        process.wait(30)
        said += process.stdout.read()
    assert "Traceback" not in said
    assert process.returncode == 0
    assert stand_ins() == set()
