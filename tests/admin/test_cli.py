"""The command line: exit codes, JSON shapes, sentences instead of tracebacks."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from admin import auth, cli, configuration, reports
from connector import Entry
from profiles import db, models, secrets
from profiles.db import Database, now
from profiles.hosting import store_entries
from profiles.sync import Progress, Result
from scheduler.clock import Clock
from tests.admin.conftest import Command

FILE = """\
connections:
  - {name: shop, connector: magento, base_url: "http://127.0.0.1:9101", credentials: {consumer_key: ck, consumer_secret: cs-planted, access_token: at-planted, access_token_secret: ats-planted}}
  - {name: erp, connector: plentyone, base_url: "http://127.0.0.1:9102", credentials: {username: connector, password: "env:PLENTY_PASSWORD"}}
profiles:
  - name: Order export
    entity: order
    direction: export
    from: shop
    to: erp
    active: true
    cron: "*/15 * * * *"
    timezone: Europe/Berlin
    settings:
      global:
        status_filter: [processing, complete]
        status_mapping: {processing: 5, complete: 7}
        payment_mapping: {checkmo: {method_id: 2}, free: {method_id: 3, create_payment: false}}
        shipping_mapping: {flatrate_flatrate: 6}
        default_shipping_profile: 6
        warehouse_id: 104
        store_mapping: {default: {webstore: 12345, language: en}}
      websites: {}
      stores: {de: {referrer_id: 1.0}}
"""  # noqa: E501

RESULT_KEYS = {"status", "message", "counts", "seconds", "calls"}
COUNT_KEYS = {"complete", "updated", "skipped", "failed", "pending"}

pytestmark = pytest.mark.usefixtures("bundled")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "setup.yaml"
    made.write_text(FILE)
    return made


@pytest.fixture
def applied(command: Command, file: Path) -> None:
    assert command("apply", str(file)).code == 0


def changed(file: Path, old: str, new: str) -> str:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return str(file)


def result(**given: Any) -> Result:
    values: dict[str, Any] = {
        "status": "success",
        "message": "2 complete.",
        "counts": {"complete": 2},
        "seconds": 1.23456,
        "calls": {"shop": {"read": 1, "write": 0}, "erp": {"read": 2, "write": 6}},
        "could_run": True,
    }
    return Result(**{**values, **given})


@pytest.fixture
def ends_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], list[dict[str, Any]]]:
    """Let runs end with this result (or error); collects what was asked for."""
    asked: list[dict[str, Any]] = []

    def prepare(outcome: Any) -> list[dict[str, Any]]:
        def run_now(database: Database, profile: models.Profile, **given: Any) -> Any:
            asked.append({"profile": profile.name, **given})
            if isinstance(outcome, Exception):
                raise outcome
            given["progress"](Progress(done=1, total=2, counts={"failed": 1}, text="Sending"))
            return SimpleNamespace(task_id=1, result=outcome)

        monkeypatch.setattr(cli, "run_now", run_now)
        return asked

    return prepare


def test_every_command_is_there() -> None:
    names = {
        "demo", "serve", "scheduler", "web", "apply", "export", "diff", "check", "collect", "run", "records", "history",
        "order", "sandbox", "db", "user", "doctor",
    }  # fmt: skip
    said = subprocess.run([sys.executable, "-m", "admin", "--help"], capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in said.stdout.partition("Commands:")[2].splitlines() if line.strip()}
    assert listed >= names


def test_apply_says_what_changed_and_the_second_time_that_nothing_does(command: Command, file: Path) -> None:
    first = command("apply", str(file))
    assert first.code == 0
    assert first.out.splitlines()[0] == "Applied: connection 'shop': new, magento at http://127.0.0.1:9101"
    assert "PLENTY_PASSWORD is not set here" in first.err
    second = command("apply", str(file))
    assert (second.code, second.out) == (0, "Nothing changed.\n")


def test_values_that_no_collected_list_knows_are_told_with_their_line(
    command: Command, applied: None, file: Path
) -> None:
    assert "not among" not in command("apply", str(file)).err, "nothing was collected yet"
    database = Database()
    with database.reading() as session:
        ids = {name: configuration.connection(session, name).id for name in ("shop", "erp")}
    store_entries(database, ids["erp"], "warehouse", [Entry(id="104", name="Main"), Entry(id="105", name="Other")])
    store_entries(database, ids["shop"], "store", [Entry(id="default", name="Default")])
    changed(file, "warehouse_id: 104", "warehouse_id: 99999")
    changed(file, "stores: {de:", "stores: {germany:")
    for name in ("diff", "apply"):
        said = command(name, str(file)).err
        assert re.search(
            r"Note: line \d+: profile 'Order export', settings\.global\.warehouse_id: 99999 is not among the lists of erp "
            r"\(Warehouses\)", said)  # fmt: skip
        assert re.search(r"line \d+: .*settings\.stores\.germany: 'germany' is not among .*apply to nothing", said)
        assert "referrer_id" not in said, "referrers were not collected"


def test_apply_reads_stdin(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(FILE.encode())))
    assert command("apply", "-").code == 0


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        ("", {"consumer_key", "consumer_secret", "access_token", "access_token_secret"}),
        ("auth: bearer", {"access_token"}),
        ("auth: admin", {"username", "password"}),
    ],
)
def test_every_credential_that_the_way_of_signing_in_needs_is_asked_for(
    command: Command, tmp_path: Path, given: str, needed: set[str]
) -> None:
    made = tmp_path / "shop.yaml"
    made.write_text(
        'connections:\n  - {name: shop, connector: magento, base_url: "http://127.0.0.1:9101", '
        f"credentials: {{{given}}}}}\n"
    )
    said = command("apply", str(made))
    assert said.code == 2
    assert set(re.findall(r"credentials\.(\w+): .* is missing\.", said.err)) == needed


def test_diff_shows_old_and_new(command: Command, applied: None, file: Path) -> None:
    said = command("diff", changed(file, "warehouse_id: 104", "warehouse_id: 105"))
    assert said.out == "Would change: profile 'Order export', settings.global.warehouse_id: 104 → 105\n"
    assert command("diff", str(file)).out == said.out
    assert command("apply", str(file)).out == said.out.replace("Would change", "Applied")
    assert command("diff", str(file)).out == "Nothing would change.\n"


def test_export_can_be_applied_again_and_shows_no_secret(command: Command, applied: None, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    assert command("export", str(out)).code == 0
    text = out.read_text()
    assert command("export").out == text
    assert "planted" not in text
    assert "env:SHOP_ACCESS_TOKEN_SECRET" in text
    assert "env:PLENTY_PASSWORD" in text
    assert command("apply", str(out)).out == "Nothing changed.\n"


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("cron:", "corn:", 11, "'cron'"),
        ("*/15 * * * *", "*/15 * * *", 11, "cron"),
        ("*/15 * * * *", "* 25 * * *", 11, "Hour"),
        ("Europe/Berlin", "Europe/Berln", 12, "Europe/Berlin"),
        ("http://127.0.0.1:9101", "127.0.0.1:9101", 2, "https://"),
        ("connector: magento", "connector: magneto", 2, "'magento'"),
        ("from: shop", "from: shpo", 8, "'shop'"),
        ("warehouse_id: 104", "warehouse: 104", 20, "warehouse_id"),
        ("consumer_key: ck", "consumer_kee: ck", 2, "consumer_kee"),
        ("{processing: 5,", "{processing: [5],", 16, "processing"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(
    command: Command, file: Path, old: str, new: str, line: int, word: str
) -> None:
    said = command("apply", changed(file, old, new))
    assert said.code == 2
    assert said.out == ""
    (about,) = [one for one in said.err.splitlines() if one.startswith(f"line {line}: ") and word in one]
    assert said.err.count(about.rpartition(": ")[2]) == 1  # said once
    assert "planted" not in said.err


def test_a_private_address_is_refused_where_it_is_not_allowed(
    command: Command, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    said = command("apply", str(file))
    assert said.code == 2
    assert "private network" in said.err


def test_a_private_address_that_is_stored_hinders_no_other_change(
    command: Command, applied: None, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    said = command("diff", changed(file, "warehouse_id: 104", "warehouse_id: 105"))
    assert (said.code, said.out.count("Would change")) == (0, 1)
    assert command("apply", str(file)).code == 0
    said = command("apply", changed(file, "127.0.0.1:9101", "127.0.0.1:9201"))
    assert said.code == 2
    assert "'shop'" in said.err
    assert "'erp'" not in said.err


def test_a_file_that_is_not_there_or_not_text_is_refused(command: Command, tmp_path: Path) -> None:
    assert command("apply", str(tmp_path / "no.yaml")).code == 2
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    said = command("apply", str(tmp_path / "bytes.yaml"))
    assert said.code == 2
    assert "UTF-8" in said.err


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (result(), 0),
        (result(status="error", counts={"complete": 1, "failed": 1}), 1),
        (result(status="error", counts={}, could_run=False, message="shop cannot be reached."), 2),
        (result(status="error", counts={"complete": 1, "pending": 5}, message="shop went away."), 2),
    ],
)
def test_the_exit_code_of_a_run_says_how_it_ended(
    command: Command, applied: None, ends_with: Any, outcome: Result, code: int
) -> None:
    ends_with(outcome)
    said = command("run", "Order export")
    assert said.code == code
    assert outcome.message in said.err
    assert command("run", "Order export", "--json").code == code


def test_the_result_of_a_run_is_the_last_line_and_stdout_holds_json_only(
    command: Command, applied: None, ends_with: Any
) -> None:
    asked = ends_with(result())
    said = command("run", "Order export", "--json", "--order", "000000012")
    assert json.loads(said.out) == {
        "status": "success",
        "message": "2 complete.",
        "counts": {"complete": 2, "updated": 0, "skipped": 0, "failed": 0, "pending": 0},
        "seconds": 1.235,
        "calls": {"shop": {"read": 1, "write": 0}, "erp": {"read": 2, "write": 6}},
    }
    assert (asked[0]["profile"], asked[0]["by"]) == ("Order export", "command line")
    assert asked[0]["request"] == {"order": "000000012"}


@pytest.mark.parametrize("number", ["", "  "])
def test_an_empty_order_number_never_runs_the_whole_profile(
    command: Command, applied: None, ends_with: Any, number: str
) -> None:
    asked = ends_with(result())
    said = command("run", "Order export", "--json", "--order", number)
    assert (said.code, asked) == (2, [])
    assert "--order needs the number of an order" in json.loads(said.out)["message"]
    assert command("run", "Order export", "--order", number).code == 2
    assert asked == []


def test_a_dry_run_shows_what_would_be_sent(command: Command, applied: None, ends_with: Any) -> None:
    call = {"method": "POST", "path": "/rest/orders", "body": {"typeId": 1}}
    plan = [
        {"source_id": "1", "source_number": "001", "action": "create", "message": "new", "calls": [call]},
        {"source_id": "2", "source_number": "002", "action": "skip", "message": "status_filter", "calls": []},
    ]
    asked = ends_with(result(plan=plan))
    lines = command("run", "Order export", "--dry-run").out.splitlines()
    assert lines == ["number\taction\tcalls\tmessage", "001\tcreate\t1\tnew", "002\tskip\t0\tstatus_filter"]
    assert asked[0]["request"] == {"dry_run": True}
    lines = command("run", "Order export", "--dry-run", "--json").out.splitlines()
    assert [json.loads(line) for line in lines[:-1]] == plan
    assert json.loads(lines[-1]).keys() == RESULT_KEYS
    ends_with(result(plan=[{**plan[1], "action": "up to date"}], counts={"up to date": 1}))
    assert command("run", "Order export", "--dry-run").out.splitlines()[1].split("\t")[:3] == ["002", "up to date", "0"]
    counts = json.loads(command("run", "Order export", "--dry-run", "--json").out.splitlines()[-1])["counts"]
    assert (counts["up to date"], counts["updated"]) == (1, 0)


def test_a_dry_run_that_lacks_mappings_could_not_run_and_shows_the_others(
    command: Command, applied: None, ends_with: Any
) -> None:
    lacking = "payment method 'klarna' is not mapped (setting 'payment_mapping')"
    plan = [
        {"source_id": "1", "source_number": "001", "action": "create", "message": "new", "calls": []},
        {"source_id": "2", "source_number": "002", "action": "failed", "message": lacking, "calls": []},
    ]
    ends_with(
        result(
            status="error",
            counts={"complete": 1, "failed": 1},
            could_run=False,
            message=f"{lacking}. Map it.",
            plan=plan,
        )
    )
    said = command("run", "Order export", "--dry-run")
    assert said.code == 2
    assert [line.split("\t")[1] for line in said.out.splitlines()] == ["action", "create", "failed"]
    assert said.err.count("klarna") == 1


def test_a_run_that_could_not_begin_is_json_too(command: Command, applied: None, ends_with: Any) -> None:
    for said in (command("run", "Ordr export", "--json"), command("run", "nothing like it", "--json")):
        assert said.code == 2
        told = json.loads(said.out)
        assert told.keys() == RESULT_KEYS
        assert told["counts"].keys() == COUNT_KEYS
        assert (told["status"], told["message"]) == ("error", said.err.strip())
    assert "Did you mean 'Order export'?" in command("run", "Ordr export", "--json").err
    ends_with(RuntimeError("boom"))
    told = json.loads(command("run", "Order export", "--json").out)
    assert told["status"] == "error"
    assert "unexpected" in told["message"]
    assert told["calls"] == {"shop": {"read": 0, "write": 0}, "erp": {"read": 0, "write": 0}}


def test_a_run_whose_secret_is_not_set_names_the_variable(command: Command, file: Path) -> None:
    assert command("apply", changed(file, "cs-planted", '"env:NOT_SET_HERE"')).code == 0
    said = command("run", "Order export", "--json")
    assert said.code == 2
    assert "NOT_SET_HERE" in json.loads(said.out.splitlines()[-1])["message"]


def test_the_first_ctrl_c_asks_a_run_to_stop(command: Command, applied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_now(database: Database, profile: models.Profile, *, stop: threading.Event, **given: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(5)
        return SimpleNamespace(task_id=1, result=result(message="1 complete. It was stopped before its end."))

    monkeypatch.setattr(cli, "run_now", run_now)
    said = command("run", "Order export")
    assert said.code == 130  # a script must not take it for done
    assert "Stopping after the current record" in said.err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def a_record(**given: Any) -> None:
    """One record of the profile, with a line of history, a task and a remote call."""
    moment = now()
    with Database().session() as session:
        profile = configuration.profile(session, "Order export")
        task = models.Task(
            profile_id=profile.id, status="success", job_code="order_export", created_at=moment, scheduled_at=moment
        )
        values = {"source_id": "7", "source_number": "000000007", "target_id": "1001", "status": "complete"}
        record = models.SyncRecord(
            profile_id=profile.id,
            attempts=1,
            refs={"order": "1001", "contact": "55"},
            created_at=moment,
            updated_at=moment,
            **{**values, "message": "created", **given},
        )
        session.add_all([task, record])
        session.flush()
        session.add(
            models.SyncHistory(
                profile_id=profile.id,
                record_id=record.id,
                task_id=task.id,
                source_id=record.source_id,
                source_number=record.source_number,
                target_id=record.target_id,
                status=record.status,
                direction="export",
                message="created",
                created_at=moment,
            )
        )
        session.add(
            models.DataLog(
                connection_id=profile.to_id,
                task_id=task.id,
                identifier="plentyone",
                path="/rest/orders",
                method="POST",
                status=200,
                seconds=0.05,
                reference=record.source_number,
                created_at=moment,
            )
        )


def test_records_are_a_list_of_objects(command: Command, applied: None) -> None:
    assert json.loads(command("records", "Order export", "--json").out) == []
    a_record()
    a_record(source_id="8", source_number="000000008", status="failed", target_id=None)
    told = json.loads(command("records", "Order export", "--json").out)
    assert [one["source_number"] for one in told] == ["000000007", "000000008"]
    assert told[0].keys() == {
        "source_id", "source_number", "target_id", "status", "message", "attempts", "refs", "updated_at",
    }  # fmt: skip
    assert told[0]["refs"] == {"order": "1001", "contact": "55"}
    only = json.loads(command("records", "Order export", "--json", "--status", "failed").out)
    assert [one["source_id"] for one in only] == ["8"]
    lines = command("records", "Order export").out.splitlines()
    assert [line.split("\t")[:4] for line in lines[1:]] == [
        ["000000007", "", "1001", "complete"],
        ["000000008", "", "", "failed"],
    ]
    assert command("records", "Order export", "--status", "lost").code == 2


def test_what_belongs_to_a_sale_says_its_kind(command: Command, applied: None) -> None:
    a_record()
    a_record(source_id="delivery/9", target_id="31", kind="delivery")
    a_record(source_id="credit/10", target_id="creditmemo/4", kind="credit")
    assert [one.get("kind") for one in json.loads(command("records", "Order export", "--json").out)] == [
        None, "delivery", "credit",
    ]  # fmt: skip
    lines = command("records", "Order export").out.splitlines()
    assert lines[0].split("\t")[:2] == ["number", "kind"]
    assert [line.split("\t")[1] for line in lines[1:]] == ["", "delivery", "credit note"]
    told = json.loads(command("order", "000000007", "--json").out)
    assert [one.get("kind") for one in told["records"]] == [None, "delivery", "credit"]
    said = command("order", "000000007").out
    assert "Order export: complete" in said
    assert "Order export, credit note: complete" in said


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("order 007: no payment method is mapped.", "No payment method is mapped."),
        ("007: no payment method is mapped.", "No payment method is mapped."),
        ("Order 007, item 3: it has no SKU.", "Item 3: it has no SKU."),
        (
            "order 007: items[2].qty_ordered should be an amount, got 'x'.",
            "items[2].qty_ordered should be an amount, got 'x'.",
        ),
        ("order 007: grand_total is missing.", "grand_total is missing."),
        ("order 007: items is missing.", "items is missing."),
        ("order 0070: it is another one.", "order 0070: it is another one."),
        ("The order 007 differs by 1 cent.", "The order 007 differs by 1 cent."),
        (None, ""),
    ],
)
def test_beside_its_number_a_message_does_not_repeat_it(message: str | None, shown: str) -> None:
    assert reports.bare(message, "007") == shown


def test_a_listing_names_each_number_once(command: Command, applied: None) -> None:
    a_record(status="failed", message="order 000000007: no payment method is mapped.")
    (_head, line) = command("records", "Order export").out.splitlines()
    assert line.count("000000007") == 1
    assert line.endswith("No payment method is mapped.")


def test_failures_are_counted_by_cause(command: Command, applied: None) -> None:
    for number in range(3):
        text = f"order 00{number}: no payment method is mapped for 'k{number}'."
        a_record(source_id=f"a{number}", source_number=f"00{number}", status="failed", message=text, cause="unmapped")
    a_record(source_id="b", source_number="009", status="failed", message="order 009: it has no lines.", cause="empty")
    with Database().reading() as session:
        found = reports.failures(session, configuration.profile(session, "Order export").id)
    assert [(one.count, one.message, one.number) for one in found] == [
        (3, "No payment method is mapped for 'k0'.", "000"),
        (1, "It has no lines.", "009"),
    ]


def test_history_is_a_table(command: Command, applied: None) -> None:
    a_record()
    lines = command("history", "Order export").out.splitlines()
    assert [line.split("\t")[1:] for line in lines] == [
        ["number", "target", "status", "message"],
        ["000000007", "1001", "complete", "created"],
    ]


def test_an_order_is_told_whole(command: Command, applied: None) -> None:
    a_record()
    told = json.loads(command("order", "000000007", "--json").out)
    assert told["number"] == "000000007"
    (record,) = told["records"]
    assert (record["profile"], record["refs"]["contact"]) == ("Order export", "55")
    assert [line["message"] for line in record["history"]] == ["created"]
    assert [task["status"] for task in told["tasks"]] == ["success"]
    assert [call["path"] for call in told["calls"]] == ["/rest/orders"]
    assert json.loads(command("order", "1001", "--json").out) == told
    assert "contact 55" in command("order", "000000007").out
    said = command("order", "000000070", "--json")
    assert said.code == 2
    assert "Did you mean '000000007'?" in said.err


def test_unknown_names_bring_near_ones(command: Command, applied: None) -> None:
    for arguments, near in (
        (("records", "Order exprt"), "Order export"),
        (("history", "order export"), "Order export"),
        (("check", "shopp"), "shop"),
        (("collect", "er"), "erp"),
    ):
        said = command(*arguments)
        assert said.code == 2
        assert f"Did you mean '{near}'?" in said.err


def test_a_failed_check_is_exit_code_1(command: Command, applied: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLENTY_PASSWORD", "x")
    said = command("check", "erp")  # nothing listens there
    assert said.code == 1
    assert "✗" in said.out
    assert command("collect", "erp").code == 1


def test_a_newer_database_is_refused(command: Command, home: Path) -> None:
    assert command("db", "upgrade").code == 0
    with sqlite3.connect(home / "connector.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for arguments in (("check",), ("export",), ("db", "upgrade"), ("run", "x", "--json")):
        said = command(*arguments)
        assert said.code == 2
        assert "newer version" in said.err
    assert command("doctor").code == 1


def test_a_file_that_is_no_database_is_refused(command: Command, home: Path) -> None:
    home.mkdir()
    (home / "connector.db").write_bytes(b"this is not a database, it is a text" * 100)
    said = command("check")
    assert said.code == 2
    assert re.search("not a (usable SQLite )?database", said.err)
    assert "unexpected" not in said.err


def test_a_locked_database_is_refused(
    command: Command, applied: None, home: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "BUSY_SECONDS", 0)
    other = sqlite3.connect(home / "connector.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    said = command("apply", str(file))
    other.close()
    assert said.code == 2
    assert "locked" in said.err


def test_a_wrong_database_address_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("nonsense", "mysql://u:p@h/d"):
        monkeypatch.setenv("CONNECTOR_DATABASE_URL", url)
        assert command("check").code == 2


def test_a_data_folder_that_cannot_be_made_is_refused(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_HOME", "/proc/nowhere")
    said = command("check")
    assert said.code == 2
    assert "CONNECTOR_HOME" in said.err


def test_the_unexpected_is_one_sentence_and_the_log_has_the_rest(
    command: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(session: Any) -> str:
        raise RuntimeError("a fault with password=hunter-planted in it")

    monkeypatch.setattr(configuration, "export", broken)
    said = command("export")
    assert said.code == 2
    assert said.err == (
        f"Something unexpected went wrong (RuntimeError). The details are in {home.resolve() / 'log' / 'export.log'}.\n"
    )
    logged = (home / "log" / "export.log").read_text()
    assert "Traceback" in logged
    assert "planted" not in logged


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "export", lambda session: 1 / 0)
    monkeypatch.setenv("CONNECTOR_DEBUG", "1")
    assert cli.run_command(["export"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_debug_shows_no_secret(
    command: Command, home: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what signing libraries say of keys and tokens, nor a password in a traceback."""

    def broken(session: object) -> str:
        for name in ("oauthlib.oauth1.rfc5849", "requests_oauthlib", "urllib3.connectionpool"):
            logging.getLogger(name).debug("Signing request with key ck-planted")
        half = logging.makeLogRecord({"msg": "our own words, of which half is \ud800", "levelno": logging.DEBUG})
        for handler in logging.getLogger().handlers:  # only ours: a report of the test cannot hold such a half
            if isinstance(handler, logging.FileHandler) and handler.baseFilename.endswith("export.log"):
                handler.handle(half)
        raise RuntimeError("consumer_key: ck-planted, password=hunter-planted")

    monkeypatch.setenv("CONNECTOR_DEBUG", "1")
    monkeypatch.setattr(configuration, "export", broken)
    assert cli.run_command(["export"]) == 2
    logged = (home / "log" / "export.log").read_text()
    shown = capsys.readouterr()
    assert "our own words" in logged
    assert "RuntimeError" in shown.err
    assert "planted" not in f"{logged}{shown.err}{shown.out}"
    assert "Logging error" not in shown.err


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """What a person gives on stdin."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(f"{text}\n"))


@pytest.fixture
def eva(command: Command, typed: Callable[[str], None]) -> None:
    """A person who may log in."""
    typed("a long password")
    assert command("user", "add", "eva", "--password-stdin").code == 0


def person(name: str = "eva") -> models.User:
    with Database().reading() as session:
        return session.query(models.User).filter_by(name=name).one()


def test_a_user_is_added_once(command: Command, eva: None, typed: Callable[[str], None]) -> None:
    assert (person().role, person().password[:7]) == ("admin", "$argon2")
    for name, role, password, word in (
        ("eva", "admin", "a long password", "already"),
        ("adam", "admin", "short", "characters"),
        ("adam", "king", "a long password", "no role 'king'"),
    ):
        typed(password)
        said = command("user", "add", name, "--role", role, "--password-stdin")
        assert said.code == 2
        assert word in said.err


def test_the_help_names_every_role(command: Command) -> None:
    assert "|".join(auth.ROLES) in command("user", "add", "--help").out


def test_a_reset_prints_a_password_that_works_once_and_unlocks(command: Command, eva: None) -> None:
    with Database().session() as session:
        row = session.query(models.User).one()
        row.failed_logins, row.locked_until, row.totp = 9, now() + timedelta(hours=1), "sealed"
    said = command("user", "reset", "eva")
    password = said.out.strip()
    assert said.code == 0
    assert password not in said.err
    assert (person().must_change, person().locked_until, person().totp) == (True, None, "sealed")
    with Database().session() as session:
        assert auth.verify(session, "eva", "a long password") is None
        assert auth.verify(session, "eva", password) is not None
    assert command("user", "reset", "eva", "--no-second-factor").code == 0
    assert person().totp is None


def test_an_unlocked_user_may_try_again_with_the_same_password(command: Command, eva: None) -> None:
    with Database().session() as session:
        row = session.query(models.User).one()
        row.failed_logins, row.locked_until = 9, now() + timedelta(hours=1)
    assert command("user", "unlock", "eva").code == 0
    with Database().session() as session:
        assert auth.verify(session, "eva", "a long password") is not None


def test_users_are_listed_with_what_stands_in_their_way(command: Command, eva: None) -> None:
    with Database().session() as session:
        session.query(models.User).one().locked_until = now() + timedelta(hours=1)
        auth.add_user(session, "olaf", "a long password", "operator", one_time=True)
    lines = [line.split("\t") for line in command("user", "list").out.splitlines()]
    assert lines[0] == ["name", "role", "last login", "second factor", "notes"]
    assert (lines[1][:2], lines[1][4][:12]) == (["eva", "admin"], "locked until")
    assert lines[2] == ["olaf", "operator", "", "no", "must change the password"]


@pytest.mark.parametrize("what", ["reset", "unlock"])
def test_an_unknown_user_brings_a_near_name(command: Command, eva: None, what: str) -> None:
    said = command("user", what, "eve")
    assert said.code == 2
    assert "Did you mean 'eva'?" in said.err


@pytest.mark.parametrize("name", ["serve", "web"])
def test_the_first_start_makes_an_admin_whose_password_works_once(
    command: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(cli, "serve_pages", lambda *given, **more: None)
    first = command(name)
    password = re.search(r"password (\S+)", first.err)[1]  # type: ignore[index]
    assert (person("admin").role, person("admin").must_change) == ("admin", True)
    with Database().session() as session:
        assert auth.verify(session, "admin", password) is not None
    assert command(name).err == ""


def test_where_users_exist_no_admin_is_made(command: Command, eva: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "serve_pages", lambda *given, **more: None)
    assert command("serve").err == ""
    with Database().reading() as session:
        assert [one.name for one in session.query(models.User)] == ["eva"]


def beat(**given: Any) -> None:
    with Database().session() as session:
        session.add(models.Heartbeat(**{"host": "here", "beat_at": now(), "started_at": now(), **given}))


def findings(said: Any, sign: str) -> dict[str, str]:
    """What the doctor finds, by name."""
    lines = [line[2:].partition(": ") for line in said.out.splitlines() if line.startswith(sign)]
    return {name: message for name, _, message in lines}


def test_the_doctor_is_content_with_a_house_in_order(command: Command, applied: None, eva: None) -> None:
    beat(address="http://127.0.0.1:8090/")
    said = command("doctor")
    assert (said.code, findings(said, "✗")) == (0, {})
    assert "http://127.0.0.1:8090/" in findings(said, "✓")["Pages"]


def test_the_doctor_names_what_is_wrong(command: Command, applied: None, home: Path) -> None:
    (home / "secret.key").chmod(0o644)
    said = command("doctor")
    assert said.code == 1
    wrong = findings(said, "✗")
    assert list(wrong) == ["Key", "Users", "Scheduler"]
    assert "chmod 600" in wrong["Key"]
    assert "it never ran" in wrong["Scheduler"]


@pytest.mark.parametrize(("left", "said"), [(None, "is missing: the stored credentials"), ("no key", "is not a key")])
def test_the_doctor_says_when_the_stored_credentials_cannot_be_read(
    command: Command, applied: None, eva: None, home: Path, left: str | None, said: str
) -> None:
    beat()
    key = home / "secret.key"
    key.unlink()
    if left is not None:
        key.write_text(left)
        key.chmod(0o600)
    secrets._keys.cache_clear()
    secrets._made.cache_clear()
    found = command("doctor")
    assert found.code == 1
    assert said in findings(found, "✗")["Connections"]
    assert str(key) in findings(found, "✗")["Connections"]
    assert key.exists() is (left is not None)


def test_the_doctor_names_stored_connections_that_may_not_be_reached(
    command: Command, applied: None, eva: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat()
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    said = command("doctor")
    assert said.code == 1
    (wrong,) = findings(said, "✗").values()
    assert all(word in wrong for word in ("shop", "erp", "CONNECTOR_ALLOW_PRIVATE=1"))


def test_the_doctor_says_when_the_scheduler_was_last_alive(command: Command, applied: None) -> None:
    beat(beat_at=now() - timedelta(hours=3))
    assert "it was last alive 3 hours ago" in findings(command("doctor"), "✗")["Scheduler"]


def test_a_scheduler_that_was_just_stopped_is_not_running(running: Any, command: Command, applied: None) -> None:
    scheduler = running("scheduler")
    scheduler.read_until("running")
    assert scheduler.end(signal.SIGTERM) == 0
    assert re.search(r"not running \(it was last alive \d+ seconds ago\)", command("doctor").out)


def test_a_clock_tells_where_its_process_serves_pages(command: Command, applied: None) -> None:
    database = Database()
    clock = Clock(database, address="http://127.0.0.1:8090/")
    clock.tick()
    assert "http://127.0.0.1:8090/" in findings(command("doctor"), "✓")["Pages"]


def test_the_doctor_looks_at_a_port_only_when_it_is_told_one(
    command: Command, applied: None, eva: None, taken_port: int, free_port: int
) -> None:
    beat()
    assert "Port" not in command("doctor").out
    assert findings(command("doctor", "--port", str(free_port)), "✓")["Port"] == f"{free_port} is free"
    said = command("doctor", "--port", str(taken_port))
    assert (said.code, list(findings(said, "✗"))) == (1, ["Port"])
    beat(host="there", address=f"http://127.0.0.1:{taken_port}/")
    assert command("doctor", "--port", str(taken_port)).code == 0


def test_the_stand_ins_are_started_as_asked(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    command("sandbox", "--port", "9300", "--orders-from", str(tmp_path), "--latency-ms", "5", "--faults", "f.yaml")
    assert started[0][1:] == [
        "-m", "sandbox", "--port", "9300", "--orders", "0", "--latency-ms", "5", "--orders-from", str(tmp_path),
        "--faults", "f.yaml",
    ]  # fmt: skip


def test_a_reader_that_goes_away_is_no_error(applied: None) -> None:
    for number in range(50):
        a_record(source_id=str(number), source_number=f"{number:09}")
    for asked in ("records 'Order export' --json", "records 'Order export'"):
        text = f"{sys.executable} -m admin {asked} | {{ exec 0<&-; sleep 3; }}"  # the reader is gone before it writes
        said = subprocess.run(["bash", "-c", f"set -o pipefail; {text}"], capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, "")


@pytest.mark.parametrize("name", ["serve", "web"])
def test_the_pages_are_served_until_a_signal_comes(running: Any, free_port: int, name: str) -> None:
    served = running(name, "--port", str(free_port))
    served.read_until("in a browser")
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/") as page:
        assert page.status == 200
    assert served.end(signal.SIGTERM) == 0
    assert "Traceback" not in served.said


def test_a_port_that_is_taken_is_named(alone: Command, taken_port: int) -> None:
    said = alone("web", "--port", str(taken_port))
    assert said.code == 2
    assert str(taken_port) in said.err
