"""The demo: from nothing to orders on the other side, repeatable, and nothing left running."""

from __future__ import annotations

import json
import os
import re
import signal
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from admin import configuration, demo
from admin.screen import Refused
from connector import Account, registry
from connector.settings import Options, declared
from profiles.db import Database, now
from tests.admin.conftest import Command

ADDRESSES = {"magento": "http://127.0.0.1:9101", "plentyone": "http://127.0.0.1:9102"}


pytestmark = pytest.mark.usefixtures("bundled")


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
    document = configuration.read(demo.scene("demo.yaml", ADDRESSES))
    assert [one.base_url for one in document.connections] == list(ADDRESSES.values())
    assert [one.name for one in document.profiles] == ["Order export", "Order import"]


def test_unknown_codes_are_treated_as_the_first_of_their_table() -> None:
    spec = configuration.read(demo.scene("demo.yaml", ADDRESSES)).profiles[0]
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


def test_the_links_of_the_demo_lead_into_both_back_ends() -> None:
    document = configuration.read(demo.scene("demo.yaml", ADDRESSES))
    for spec, page in (
        (document.connections[0], f"{ADDRESSES['magento']}/admin/sales/order/view/order_id/7/"),
        (document.connections[1], f"{ADDRESSES['plentyone']}/plenty/terra/order/order-ui/7"),
    ):
        system = registry.connector(spec.connector)
        orders = next(one for one in system.resources if one.entity == "order")
        settings = Options({one.name: one.default for one in declared(system.Settings)} | dict(spec.credentials))
        account = Account(name=spec.name, base_url=spec.base_url, settings=settings)
        assert orders.page(account, "7") == page


def test_a_connection_that_leads_elsewhere_is_not_bent() -> None:
    document = configuration.read(demo.scene("demo.yaml", ADDRESSES))
    own = demo.scene("demo.yaml", {**ADDRESSES, "magento": "http://10.0.0.1"})
    database = Database()
    database.upgrade()
    with database.session() as session:
        configuration.apply(session, own)
        with pytest.raises(Refused, match="Set CONNECTOR_HOME"):
            demo.refuse_foreign(session, document)


def test_stand_ins_that_cannot_start_say_why(alone: Command, tmp_path: Path) -> None:
    said = alone("demo", "--once", "--orders-from", str(tmp_path / "nowhere"))
    assert said.code == 2
    assert "nowhere" in said.err
    assert stand_ins() == set()


def test_the_demo_runs_once_and_again(alone: Command) -> None:
    for _ in range(2):
        said = alone("demo", "--once", "--orders", "15")
        assert said.code == 0, said.err
        lines = said.out.splitlines()
        assert re.match(r"Order export: \d+ complete", lines[0])
        assert re.match(r"The warehouse of erp invoiced, packed and shipped \d+ orders\.", lines[4])
        assert re.match(r"Order import: \d+ complete", lines[5])
        assert (lines[3], lines[8]) == ("Failed: none.", "Failed: none.")
        assert stand_ins() == set()
    records = json.loads(alone("records", "Order export", "--json").out)
    assert len(records) == 15
    assert {one["status"] for one in records} <= {"complete", "skipped"}
    done = next(one for one in records if one["status"] == "complete")
    assert done["target_id"]
    story = json.loads(alone("order", done["source_number"], "--json").out)
    assert story["records"][0]["refs"] == done["refs"]
    assert story["calls"]


def test_what_the_demo_sent_comes_back_with_its_tracking_number(alone: Command) -> None:
    assert alone("demo", "--once", "--orders", "15").code == 0
    back = json.loads(alone("records", "Order import", "--json").out)
    shipped = next(one for one in back if one["refs"].get("tracks"))
    said = alone("order", shipped["source_number"]).out
    assert re.search(r"\bJD\d{10}\b", said), said
    assert "Order export" in said
    assert "Order import" in said


def test_a_market_joins_the_demo_and_is_told_what_left_the_warehouse(alone: Command) -> None:
    for _ in range(2):
        said = alone("demo", "--once", "--orders", "5", "--with", "refurbed")
        assert said.code == 0, said.err
        assert re.search(r"^refurbed order import: \d+ complete", said.out, re.MULTILINE)
        assert re.search(r"^refurbed order events: \d+ complete\.$", said.out, re.MULTILINE)
        assert said.out.count("Failed: none.") == 6
        assert stand_ins() == set()
    said = alone("demo", "--once", "--with", "nowhere")
    assert said.code != 0
    assert "There is refurbed, not 'nowhere'." in said.err


def test_own_orders_with_codes_that_nobody_mapped_are_exported(alone: Command, tmp_path: Path) -> None:
    said = alone("demo", "--once", "--orders-from", str(written(tmp_path, own_orders())))
    assert said.code == 0, said.err
    records = json.loads(alone("records", "Order export", "--json").out)
    assert [one["status"] for one in records] == ["complete"] * 3, said.out


def test_failures_are_told_by_cause_with_an_example(alone: Command, tmp_path: Path) -> None:
    orders = own_orders()
    for payload in orders:
        payload["grand_total"] = payload["base_grand_total"] = "unreadable"
    said = alone("demo", "--once", "--orders-from", str(written(tmp_path, orders)))
    assert said.code == 0, said.err
    numbers = [payload["increment_id"] for payload in orders]
    found = re.search(r"^Failed: 3 × (.+) \(for example (\d+)\)\.$", said.out, re.MULTILINE)
    assert found, said.out
    assert found[2] in numbers
    assert not [number for number in numbers if number in found[1]]


def test_an_order_of_ones_own_that_is_left_out_is_told(alone: Command, tmp_path: Path) -> None:
    orders = own_orders()
    folder = written(tmp_path, orders)
    (folder / "odd.json").write_text(json.dumps({**orders[0], "increment_id": "A5", "items": "none"}, default=float))
    (folder / "half.json").write_text(json.dumps({**orders[1], "increment_id": None}, default=float))
    said = alone("demo", "--once", "--orders-from", str(folder))
    assert said.code == 0, said.err
    assert "odd.json: order A5 is left out: its items are no list" in said.err
    assert "half.json: an order lacks increment_id and is left out" in said.err


def test_a_folder_without_orders_is_refused_by_name(alone: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    said = alone("demo", "--once", "--orders-from", str(tmp_path / "empty"))
    assert said.code == 2
    assert "empty holds no orders" in said.err


def test_an_item_without_a_sku_is_exported(alone: Command, tmp_path: Path) -> None:
    orders = own_orders()
    for item in orders[0]["items"]:
        item["sku"] = None
    said = alone("demo", "--once", "--orders-from", str(written(tmp_path, orders)))
    assert said.code == 0, said.err
    records = json.loads(alone("records", "Order export", "--json").out)
    assert [one["status"] for one in records] == ["complete"] * 3, said.out


def written(folder: Path, orders: list[dict[str, Any]]) -> Path:
    """The orders as files, as `--orders-from` wants them."""
    made = folder / "orders"
    made.mkdir()
    for payload in orders:
        (made / f"{payload['increment_id']}.json").write_text(json.dumps(payload, default=float))
    return made


def own_orders() -> list[dict[str, Any]]:
    """Three made-up orders with codes of somebody's own."""
    from sandbox import orders

    made = [one for one in orders.generate(60, 5, now()) if one["status"] == "processing"][:3]
    for payload in made:
        payload["status"] = "own_status"
        payload["payment"]["method"] = "own_payment"
    return made


def test_ctrl_c_ends_the_demo_and_its_children(running: Any, free_port: int) -> None:
    started = running("demo", "--orders", "3", "--port", str(free_port))
    said = started.read_until("password")
    assert f"http://127.0.0.1:{free_port}/  user {demo.USER}, password {demo.PASSWORD}" in said
    assert len(stand_ins()) == 1
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/") as page:
        assert page.status == 200
    assert started.end(signal.SIGINT) == 0
    assert "Traceback" not in started.said
    assert stand_ins() == set()


def test_a_killed_demo_leaves_no_stand_ins(running: Any, free_port: int) -> None:
    started = running("demo", "--orders", "1", "--port", str(free_port))
    started.read_until("password")
    (orphan,) = stand_ins()
    started.end(signal.SIGKILL)
    psutil.Process(orphan).wait(10)
    assert stand_ins() == set()


def test_a_port_that_is_taken_is_said_in_one_sentence(running: Any, taken_port: int) -> None:
    started = running("demo", "--orders", "1", "--port", str(taken_port))
    said = started.read_until("password")
    (sentence,) = [line for line in said.splitlines() if str(taken_port) in line]
    served = re.fullmatch(rf"Port {taken_port} is taken; the pages are served on (\d+)\.", sentence)
    assert served, sentence
    assert f"http://127.0.0.1:{served[1]}/  user" in said
