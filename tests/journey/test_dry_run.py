"""A dry run sends nothing, and says of each value where it comes from."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from admin import rehearsal
from connector import leaves
from profiles import sync
from profiles.db import Database
from profiles.models import DataLog, DryRun, DryRunLine, SyncRecord, Task
from tests.journey.conftest import Both, Host, Makers, StandIns
from tests.journey.test_marketplace import PROCEDURES, Market


@pytest.fixture
def here(world: Makers, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stand-ins and a host whose database this process opens too."""
    stand_ins, host = world("--orders", "40")
    host.apply()
    for name in ("CONNECTOR_HOME", "CONNECTOR_ALLOW_PRIVATE", "CONNECTOR_DATABASE_URL", "PLENTY_PASSWORD"):
        if name in host.environment:
            monkeypatch.setenv(name, host.environment[name])
    database = Database()
    yield stand_ins, host, database
    database.engine.dispose()


def writes(stand_ins: Any) -> list[str]:
    """Every change that reached a stand-in, but for logins."""
    lines = [json.loads(line) for line in Path(stand_ins.record).read_text().splitlines()]
    return [one["path"] for one in lines if one["method"] != "GET" and "/login" not in one["path"]]


def finished(database: Database, run_id: int) -> DryRun:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with database.reading() as session:
            run = session.get_one(DryRun, run_id)
        if run.finished_at is not None:
            return run
        time.sleep(0.1)
    raise AssertionError("the dry run did not end")


@pytest.mark.parametrize("request_", [{}, {"last": 7}])
def test_a_dry_run_sends_nothing_and_leaves_no_trace_but_its_own_lines(here: Any, request_: dict[str, Any]) -> None:
    stand_ins, _host, database = here
    run = finished(database, rehearsal.ask(database, 1, "anna", request_))
    assert run.status == "success", run.message
    assert writes(stand_ins) == []
    with database.reading() as session:
        lines = session.query(DryRunLine).filter_by(dry_run_id=run.id).order_by(DryRunLine.position).all()
        assert session.query(SyncRecord).count() == 0
        assert session.query(Task).filter(Task.status != "pending").count() == 0
    assert len(lines) == (7 if request_ else 40)
    created = [line for line in lines if line.action == "create"]
    assert created
    assert all(line.line["totals"]["source"] == line.line["totals"]["target"] for line in created)


def test_every_value_that_would_be_sent_says_where_it_comes_from(here: Any) -> None:
    _stand_ins, _host, database = here
    plan = sync.run(database, 1, dry_run=True).plan
    unsaid = {
        f"{call['path']} {at}"
        for line in plan
        for call in line["calls"]
        for at, _value in leaves(call["body"])
        if at and at not in call["origins"]
    }
    assert not unsaid
    origins = [one for line in plan for call in line["calls"] for one in call["origins"].values()]
    assert {"setting": "payment_mapping", "path": "payment.method", "row": "checkmo", "column": "method_id"} in origins


def test_a_dry_run_of_one_order_that_was_sent_says_that_nothing_changed(here: Any) -> None:
    stand_ins, host, database = here
    host.run()
    before = len(writes(stand_ins))
    assert before > 40
    done = next(one for one in host.records() if one["status"] == "complete")
    (line,) = sync.run(database, 1, dry_run=True, order=done["source_number"]).plan
    assert line["action"] == "skip"
    assert "Nothing changed" in line["message"]
    assert len(writes(stand_ins)) == before


def told(host: Host, profile: str) -> list[dict[str, Any]]:
    """The lines of a dry run on the command line."""
    done = host.call("run", profile, "--dry-run", "--json")
    *lines, result = map(json.loads, done.stdout.splitlines())
    assert result["message"].startswith("Dry run, nothing was sent"), result
    return list(lines)


def what_is_there(stand_ins: StandIns, *systems: str) -> dict[str, Any]:
    """All that a change would move, at each system."""
    moving = ("now", "clock", "requests", "logins", "sessions", "user_agents")
    return {name: {key: value for key, value in stand_ins.state(name).items() if key not in moving} for name in systems}


def test_a_dry_run_of_an_order_import_sends_nothing_to_the_shop(both: Any) -> None:
    run: Both = both("--orders", "6", "--seed", "7")
    run.run()
    order = next(one for one in run.orders() if one["statusId"] == 5)
    run.stand_ins.control("plentyone", "invoice", {"id": order["id"]})
    run.stand_ins.control("plentyone", "ship", {"id": order["id"], "packageNumber": "JD1"})
    run.tick()
    before = what_is_there(run.stand_ins, "magento", "plentyone"), len(writes(run.stand_ins))
    lines = sync.run(run.database, run.profiles["Order import"], dry_run=True).plan
    assert any(line["action"] == "update" and line["calls"] for line in lines)
    assert (what_is_there(run.stand_ins, "magento", "plentyone"), len(writes(run.stand_ins))) == before


def test_dry_runs_of_a_markets_orders_returns_and_events_send_nothing_anywhere(world: Makers) -> None:
    stand_ins, host = world("--orders", "0", "--with", "refurbed", "--refurbed-orders", "0")
    market = Market(stand_ins, host)
    market.apply(procedures=[one for one in PROCEDURES if one["name"] in ("Ship", "Invoice", "Refund")])
    (placed,) = market.place()

    def nothing_sent(profile: str) -> list[dict[str, Any]]:
        before = what_is_there(stand_ins, "refurbed", "plentyone"), market.order(placed["id"])
        lines = told(host, profile)
        assert (what_is_there(stand_ins, "refurbed", "plentyone"), market.order(placed["id"])) == before
        assert [line["action"] for line in lines] == ["create"] * len(lines)
        assert all(line["calls"] for line in lines)
        return lines

    (line,) = nothing_sent("Order import")
    assert [call["system"] for call in line["calls"] if "system" in call] == ["market"]  # it would be accepted there
    assert line["calls"][-1]["body"]["updates"][0]["state"] == "ACCEPTED"
    market.run("Order import", "Order events")
    item = market.order(placed["id"])["items"][0]
    (order,) = market.orders()
    for kind in ("ship", "invoice"):
        market.erp(kind, id=order["id"], **({"packageNumber": "JD1"} if kind == "ship" else {}))
    assert len(nothing_sent("Order events")) == 2
    market.run("Order events")
    stand_ins.control("refurbed", "return", {"id": item["id"]})
    nothing_sent("Returns import")


def test_the_calls_of_a_dry_run_bear_the_name_of_who_asked_for_it(here: Any) -> None:
    _stand_ins, host, database = here
    finished(database, rehearsal.ask(database, 1, "anna", {"last": 2}))
    told(host, "Order export")
    host.run()
    with database.reading() as session:
        calls = session.query(DataLog.dry_run_by, DataLog.task_id, DataLog.method, DataLog.path).all()
        tasks = {task.id: bool((task.request or {}).get("dry_run")) for task in session.query(Task)}
    assert {call.dry_run_by for call in calls} == {"anna", "command line", None}
    for call in calls:
        if call.dry_run_by is not None:
            assert call.method == "GET" or "/login" in call.path
        if call.task_id is not None:
            assert tasks[call.task_id] is (call.dry_run_by == "command line")
