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
from profiles.models import DryRun, DryRunLine, SyncRecord, Task
from tests.journey.conftest import Makers


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
    assert {"setting": "payment_mapping", "path": "payment.method", "row": "checkmo"} in origins


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
