"""The servers themselves: protocol, control page, recording, faults, and starting from the command line."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import main, page
from sandbox.faults import BadFault, Faults, read_rules
from sandbox.magento import build
from sandbox.message import Request, Response
from sandbox.server import Server


class Counter:
    """A stand-in that counts what it executed."""

    name = "magento"

    def __init__(self) -> None:
        self.executed: list[str] = []
        self.seen: list[Request] = []

    def handle(self, request: Request) -> Response:
        self.executed.append(request.path)
        self.seen.append(request)
        if request.path == "/bug":
            raise RuntimeError("a bug of the stand-in")
        if request.path == "/echo":
            return Response(body=request.json())
        return Response(body={"n": len(self.executed), "price": Decimal("12.30")})

    def state(self) -> dict[str, Any]:
        return {"executed": len(self.executed)}

    def control(self, action: str, body: Any) -> Any:
        if action == "reset":
            self.executed.clear()
            return None
        if action == "refuse":
            raise ValueError("that cannot be used")
        if action != "twice":
            raise LookupError(f"There is no action {action}.")
        return {"twice": body["value"] * 2}


@pytest.fixture
def stand_in() -> Counter:
    return Counter()


@pytest.fixture
def server(stand_in: Counter, tmp_path: Path) -> Iterator[Server]:
    server = Server(stand_in, 0, record=tmp_path / "record.jsonl")
    server.start()
    yield server
    server.stop()


def put_faults(server: Server, *rules: dict[str, Any]) -> None:
    requests.put(f"{server.base_url}/_sandbox/faults", json=list(rules), timeout=5).raise_for_status()


def test_it_writes_decimals_as_plain_numbers_with_all_digits(server: Server) -> None:
    assert '"price":12.30' in requests.get(f"{server.base_url}/x", timeout=5).text


def test_it_reads_decimals_without_loss_and_sends_them_back(server: Server) -> None:
    sent = '{"a":0.1000,"b":"decimal-0:1","c":[1,2.50]}'
    assert requests.post(f"{server.base_url}/echo", data=sent, timeout=5).text == sent


def test_it_keeps_raw_path_and_decoded_path_apart(server: Server, stand_in: Counter) -> None:
    requests.get(f"{server.base_url}/a%2Fb?x=1&x=%2B&y[]=ü", timeout=5)
    seen = stand_in.seen[-1]
    assert (seen.path, seen.raw_path, seen.url) == ("/a/b", "/a%2Fb", f"{server.base_url}/a%2Fb")
    assert seen.query == [("x", "1"), ("x", "+"), ("y[]", "ü")]
    assert (seen.arg("x"), seen.args("x"), seen.args("y")) == ("+", ["1", "+"], ["ü"])
    assert seen.headers["HOST"] == seen.headers["host"]


def test_it_keeps_a_connection_open(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(3):
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_it_reads_a_chunked_body(server: Server) -> None:
    chunks = (part for part in (b'{"a"', b":1}"))
    assert requests.post(f"{server.base_url}/echo", data=chunks, timeout=5).json() == {"a": 1}


def test_it_answers_a_thousand_small_requests_a_second(server: Server) -> None:
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for _ in range(1000):
            connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
            connection.recv(65536)
    assert time.perf_counter() - began < 2  # measured 0.2 s on an idle machine


def test_it_turns_a_bug_of_the_stand_in_into_an_error_500(server: Server) -> None:
    assert requests.get(f"{server.base_url}/bug", timeout=5).status_code == 500


def test_it_shows_the_state_and_passes_control_actions_on(server: Server) -> None:
    requests.get(f"{server.base_url}/x", timeout=5)
    assert requests.get(f"{server.base_url}/_sandbox/state", timeout=5).json() == {"executed": 1}
    done = requests.post(f"{server.base_url}/_sandbox/control/twice", json={"value": 2}, timeout=5)
    assert done.json() == {"twice": 4}


def test_a_link_into_the_back_end_of_a_system_opens_its_order_on_the_control_page() -> None:
    assert page.back_end("magento", "/admin/sales/order/view/order_id/7/") == "/_sandbox/#7"
    assert page.back_end("magento", "/admin/sales/order_shipment/view/shipment_id/7/") == "/_sandbox/"
    assert page.back_end("plentyone", "/plenty/terra/order/order-ui/1001") == "/_sandbox/#1001"
    assert page.back_end("plentyone", "/rest/orders/1001") is None
    assert page.back_end("memory", "/admin/") is None
    shop = Server(build(count=3))
    shop.start()
    try:
        answer = requests.get(f"{shop.base_url}/admin/sales/order/view/order_id/7/", timeout=5)
    finally:
        shop.stop()
    assert (answer.status_code, answer.history[0].headers["Location"]) == (200, "/_sandbox/#7")
    assert "Magento stand-in" in answer.text


@pytest.mark.parametrize(("action", "status"), [("nothing", 404), ("refuse", 400)])
def test_it_says_why_a_control_action_failed(server: Server, action: str, status: int) -> None:
    answer = requests.post(f"{server.base_url}/_sandbox/control/{action}", timeout=5)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_it_logs_requests_since_a_number_and_forgets_them_on_reset(server: Server) -> None:
    requests.get(f"{server.base_url}/one", timeout=5)
    requests.get(f"{server.base_url}/two?a=1", timeout=5)
    log = requests.get(f"{server.base_url}/_sandbox/log?since=1", timeout=5).json()
    assert [(row["n"], row["method"], row["path"], row["query"], row["status"], row["fault"]) for row in log] == [
        (2, "GET", "/two", [["a", "1"]], 200, None)
    ]
    requests.post(f"{server.base_url}/_sandbox/reset", timeout=5).raise_for_status()
    assert requests.get(f"{server.base_url}/_sandbox/log", timeout=5).json() == []
    assert requests.get(f"{server.base_url}/_sandbox/state", timeout=5).json() == {"executed": 0}


def test_it_records_every_request_but_those_to_the_control_page(server: Server, tmp_path: Path) -> None:
    requests.post(f"{server.base_url}/echo?a=1", json={"b": 2}, timeout=5)
    requests.post(f"{server.base_url}/x", data="no json", timeout=5)
    requests.get(f"{server.base_url}/_sandbox/state", timeout=5)
    lines = [json.loads(line) for line in (tmp_path / "record.jsonl").read_text().splitlines()]
    assert lines == [
        {"system": "magento", "method": "POST", "path": "/echo", "query": [["a", "1"]], "status": 200, "fault": None}
        | {"body": {"b": 2}},
        {"system": "magento", "method": "POST", "path": "/x", "query": [], "status": 200, "fault": None, "body": None},
    ]


def test_fault_status_executes_nothing(server: Server, stand_in: Counter) -> None:
    put_faults(server, {"kind": "status", "status": 503})
    assert requests.get(f"{server.base_url}/x", timeout=5).status_code == 503
    assert stand_in.executed == []


@pytest.mark.parametrize(("method", "direction"), [("GET", "read"), ("POST", "write")])
def test_fault_plain_429_is_text_with_retry_after(server: Server, method: str, direction: str) -> None:
    put_faults(server, {"kind": "plain_429", "seconds": 7})
    answer = requests.request(method, f"{server.base_url}/x", timeout=5)
    assert (answer.status_code, answer.text) == (429, f"short period {direction} limit reached")
    assert answer.headers["Retry-After"] == "7"


@pytest.mark.parametrize(("kind", "status"), [("html_503", 503), ("html_200", 200)])
def test_fault_html_answers_a_page(server: Server, kind: str, status: int) -> None:
    put_faults(server, {"kind": kind})
    answer = requests.get(f"{server.base_url}/x", timeout=5)
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=UTF-8")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("kind", "executed"), [("drop_before", 0), ("drop_after", 1)])
def test_fault_drop_closes_the_connection(server: Server, stand_in: Counter, kind: str, executed: int) -> None:
    put_faults(server, {"kind": kind, "method": "POST"})
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{server.base_url}/x", timeout=5)
    assert len(stand_in.executed) == executed


def test_fault_late_executes_after_the_connection_was_closed(server: Server, stand_in: Counter) -> None:
    put_faults(server, {"kind": "late", "method": "POST", "seconds": 0.4})
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{server.base_url}/x", timeout=5)
    assert stand_in.executed == []
    deadline = time.monotonic() + 3
    while not stand_in.executed and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(stand_in.executed) == 1


def test_a_reset_forgets_what_would_have_been_executed_late(server: Server, stand_in: Counter) -> None:
    put_faults(server, {"kind": "late", "method": "POST", "seconds": 0.3})
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{server.base_url}/x", timeout=5)
    requests.post(f"{server.base_url}/_sandbox/reset", timeout=5)
    time.sleep(0.6)
    assert stand_in.executed == []


def test_fault_truncated_executes_and_cuts_the_body(server: Server, stand_in: Counter) -> None:
    put_faults(server, {"kind": "truncated"})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(f"{server.base_url}/x", timeout=5)
    assert len(stand_in.executed) == 1


@pytest.mark.parametrize("executed", [False, True])
def test_fault_timeout_hangs_and_executes_only_when_told(server: Server, stand_in: Counter, executed: bool) -> None:
    put_faults(server, {"kind": "timeout", "seconds": 60, "executed": executed})
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"{server.base_url}/x", timeout=0.3)
    assert len(stand_in.executed) == executed


def test_fault_timeout_ends_when_the_caller_goes_away(server: Server) -> None:
    put_faults(server, {"kind": "timeout", "seconds": 60})
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n")
    time.sleep(0.2)
    connection.close()
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        log = requests.get(f"{server.base_url}/_sandbox/log", timeout=5).json()
        if log:
            assert (log[0]["fault"], log[0]["status"]) == ("timeout", None)
            return
        time.sleep(0.05)
    pytest.fail("The server kept hanging.")


def test_fault_timeout_closes_without_an_answer_at_its_end(server: Server) -> None:
    put_faults(server, {"kind": "timeout", "seconds": 0.2})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{server.base_url}/x", timeout=5)


def test_fault_slow_answers_after_its_seconds(server: Server) -> None:
    put_faults(server, {"kind": "slow", "seconds": 0.3})
    began = time.monotonic()
    assert requests.get(f"{server.base_url}/x", timeout=5).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_fault_error_after_executes_and_answers_an_error(server: Server, stand_in: Counter) -> None:
    put_faults(server, {"kind": "error_after"})
    assert requests.post(f"{server.base_url}/x", timeout=5).status_code == 500
    assert len(stand_in.executed) == 1


def test_a_rule_skips_strikes_and_then_rests(server: Server) -> None:
    put_faults(server, {"kind": "status", "path": "/x*", "method": "write", "after": 1, "times": 2})
    statuses = [requests.post(f"{server.base_url}/x/y", timeout=5).status_code for _ in range(5)]
    assert statuses == [200, 500, 500, 200, 200]
    assert requests.get(f"{server.base_url}/x/y", timeout=5).status_code == 200
    described = requests.get(f"{server.base_url}/_sandbox/faults", timeout=5).json()
    assert (described[0]["seen"], described[0]["hits"]) == (5, 2)


def test_a_rule_takes_a_regular_expression_between_slashes() -> None:
    faults = Faults(read_rules([{"kind": "status", "path": "/orders/\\d+$/"}]))
    assert faults.pick("magento", "GET", "/rest/orders/12") is not None
    assert faults.pick("magento", "GET", "/rest/orders/12/items") is None


def test_a_rule_for_the_other_system_does_not_strike() -> None:
    faults = Faults(read_rules([{"kind": "status", "system": "plentyone"}]))
    assert faults.pick("magento", "GET", "/x") is None
    assert faults.pick("plentyone", "GET", "/x") is not None


def test_a_rate_strikes_the_same_calls_for_the_same_seed() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults(read_rules([{"kind": "status", "rate": 0.3, "seed": seed}]))
        return [faults.pick("magento", "GET", "/x") is not None for _ in range(200)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 30 < sum(strikes(1)) < 90


@pytest.mark.parametrize(
    ("rules", "part"),
    [
        ({}, "must be a list"),
        (["x"], "rule 1 must be an object"),
        ([{"kind": "explode"}], "unknown kind 'explode'"),
        ([{"kind": "status"}, {"kind": "status", "statsu": 500}], "rule 2 has unknown keys: statsu"),
        ([{"kind": "status", "rate": 2}], "rate must be a number from 0 to 1"),
        ([{"kind": "status", "times": 0}], "times must be a whole number from 1"),
        ([{"kind": "status", "system": "shopware"}], "system must be magento, plentyone, refurbed or null"),
        ([{"kind": "status", "path": "/(/"}], "is not a regular expression"),
    ],
)
def test_it_refuses_a_rule_it_does_not_understand(rules: Any, part: str) -> None:
    with pytest.raises(BadFault, match=part.replace("(", "\\(")):
        read_rules(rules)


def test_the_control_page_refuses_a_bad_rule_and_keeps_the_old_ones(server: Server) -> None:
    put_faults(server, {"kind": "status"})
    answer = requests.put(f"{server.base_url}/_sandbox/faults", json=[{"kind": "explode"}], timeout=5)
    assert answer.status_code == 400
    assert "unknown kind" in answer.json()["error"]
    assert len(requests.get(f"{server.base_url}/_sandbox/faults", timeout=5).json()) == 1


def test_it_stops_while_connections_are_open_and_calls_hang(stand_in: Counter) -> None:
    server = Server(stand_in, 0, faults=Faults(read_rules([{"kind": "timeout", "seconds": 60}])))
    server.start()
    idle = socket.create_connection(("127.0.0.1", server.port))

    def call() -> None:
        with pytest.raises(requests.ConnectionError):
            requests.get(server.base_url, timeout=30)

    hanging = threading.Thread(target=call)
    hanging.start()
    time.sleep(0.3)
    began = time.monotonic()
    server.stop()
    hanging.join(5)
    assert not hanging.is_alive()
    assert time.monotonic() - began < 3
    idle.close()


def start(*arguments: str) -> tuple[subprocess.Popen[str], dict[str, str]]:
    """Run the command; its process and the addresses it prints before it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PLENTY_PASSWORD": "from the environment"},
    )
    assert process.stdout
    addresses = {}
    while (line := process.stdout.readline().strip()) not in ("ready", ""):
        name, address = line.split()
        addresses[name] = address
    return process, addresses


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_prints_addresses_and_ends_cleanly(number: signal.Signals) -> None:
    process, addresses = start("--only", "plentyone", "--port", "0")
    try:
        given = {"username": "connector", "password": "from the environment"}
        assert requests.post(f"{addresses['plentyone']}/rest/login", json=given, timeout=5).status_code == 200
    finally:
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_reads_a_fault_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.yaml"
    file.write_text("- {system: plentyone, kind: html_503, path: /rest/login, times: 1}\n")
    process, addresses = start("--only", "plentyone", "--port", "0", "--faults", str(file))
    try:
        assert requests.post(f"{addresses['plentyone']}/rest/login", timeout=5).status_code == 503
        assert requests.post(f"{addresses['plentyone']}/rest/login", timeout=5).status_code == 422
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_the_command_says_in_one_sentence_why_it_cannot_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server
) -> None:
    bad = tmp_path / "faults.yaml"
    bad.write_text("- {kind: explode}\n")
    cases = {
        ("--only", "plentyone", "--port", str(server.port)): f"Port {server.port} cannot be used for plentyone",
        ("--only", "plentyone", "--faults", str(bad)): "unknown kind 'explode'",
        ("--only", "plentyone", "--faults", str(tmp_path / "none.yaml")): "cannot be read: No such file",
        ("--orders-from", str(tmp_path / "none")): "does not exist",
        ("--port", "many"): "invalid int value",
        ("--nonsense",): "Unrecognized arguments",
    }
    for arguments, part in cases.items():
        assert main(list(arguments)) == 2
        error = capsys.readouterr().err
        assert part in error
        assert error.count("\n") == 1
