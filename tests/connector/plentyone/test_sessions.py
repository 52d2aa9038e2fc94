"""One login for a connection, whoever needs it; wrong credentials are not tried again by themselves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from connector import AccessDenied, RetryLater, StopRun, Unreachable
from connector.plentyone import PlentyOne
from connector.testing import MemoryHost, account
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.wire import TOKEN, Wire

LOGIN = "POST /rest/login"
ORDERS = "/rest/orders"
WRONG = {
    "error": "invalid_credentials",
    "message": "The user credentials were incorrect.",
    "access_token": None,
    "accessToken": None,
}


def moved(wire: Wire, seconds: float) -> None:
    wire.passed = seconds


@pytest.fixture
def wire() -> Wire:
    made = Wire()
    made.on(f"GET {ORDERS}", (200, []))
    return made


def test_many_threads_and_connectors_log_in_once(plenty: StandIn) -> None:
    shop = Shop(plenty.url)
    before = plenty.state()["logins"]
    shop.host.state.change("session", lambda _: None)
    connectors = [shop.another() for _ in range(8)]
    start = threading.Barrier(8)

    def get(connector: Any) -> None:
        start.wait()
        connector.client.get(ORDERS)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, connectors))
    assert plenty.state()["logins"] == before + 1


def test_the_token_may_be_spelt_either_way(wire: Wire) -> None:
    wire.on(LOGIN, (200, {"accessToken": "camel", "expiresIn": 86400}))
    wire.connector.client.get(ORDERS)
    assert wire.sent[-1].headers["Authorization"] == "Bearer camel"


def test_it_is_renewed_an_hour_or_two_before_it_ends(wire: Wire) -> None:
    wire.connector.client.get(ORDERS)
    wire.on(LOGIN, (200, {**TOKEN, "access_token": "eyJ-second"}))
    moved(wire, 86_400 - 2 * 3600)
    wire.connector.client.get(ORDERS)
    assert wire.calls("/rest/login") == 1
    moved(wire, 86_400 - 3600)
    wire.connector.client.get(ORDERS)
    assert wire.sent[-1].headers["Authorization"] == "Bearer eyJ-second"


def test_an_early_renewal_that_fails_goes_on_with_the_old_token(wire: Wire) -> None:
    wire.connector.client.get(ORDERS)
    moved(wire, 86_400 - 3600)
    wire.on(LOGIN, (503, "<html>Maintenance</html>"))
    for _ in range(3):
        wire.connector.client.get(ORDERS)
    assert wire.sent[-1].headers["Authorization"] == "Bearer eyJ-first"
    assert wire.calls("/rest/login") == 2


def test_an_expired_token_is_renewed_once_and_the_call_repeated(wire: Wire) -> None:
    wire.on(f"POST {ORDERS}", (401, {"error": "unauthenticated"}), (200, {"id": 1}))
    wire.on(LOGIN, (200, TOKEN), (200, {**TOKEN, "access_token": "eyJ-second"}))
    assert wire.connector.client.send("POST", ORDERS, {})["id"] == 1
    assert wire.calls("/rest/login") == 2


def test_a_token_that_is_never_accepted_ends_after_one_renewal(wire: Wire) -> None:
    wire.on(f"GET {ORDERS}", (401, {"error": "unauthenticated"}))
    wire.on(LOGIN, (200, TOKEN), (200, {**TOKEN, "access_token": "eyJ-second"}))
    with pytest.raises(AccessDenied):
        wire.connector.client.get(ORDERS)
    assert (wire.calls("/rest/login"), wire.calls(ORDERS)) == (2, 2)


def test_a_session_that_is_lost_twice_in_a_row_is_no_reason_to_stop(wire: Wire) -> None:
    wire.connector.client.get(ORDERS)
    wire.on(LOGIN, lambda: (200, {**TOKEN, "access_token": f"eyJ-{len(wire.sent)}"}))
    wire.on(f"POST {ORDERS}", (401, {}), (401, {}), (200, {"id": 1}))
    assert wire.connector.client.send("POST", ORDERS, {})["id"] == 1


def test_a_system_that_stops_taking_its_tokens_ends_the_run(wire: Wire) -> None:
    wire.connector.client.get(ORDERS)
    wire.on(LOGIN, lambda: (200, {**TOKEN, "access_token": f"eyJ-{len(wire.sent)}"}))
    wire.on(f"GET {ORDERS}", (401, {}))
    for _ in range(4):
        with pytest.raises(RetryLater):
            wire.connector.client.get(ORDERS)
    with pytest.raises(AccessDenied, match="does not accept its own token"):
        wire.connector.client.get(ORDERS)
    assert wire.calls("/rest/login") == 6


def test_endless_logins_are_stopped(wire: Wire) -> None:
    wire.on(f"GET {ORDERS}", (401, {"error": "unauthenticated"}))
    wire.on(LOGIN, lambda: (200, {**TOKEN, "access_token": f"eyJ-{len(wire.sent)}"}))
    for _ in range(100):
        with pytest.raises((AccessDenied, RetryLater)):
            wire.connector.client.get(ORDERS)
    assert wire.calls("/rest/login") <= 60


def test_what_another_worker_renewed_is_used(wire: Wire) -> None:
    other = wire.another()
    wire.connector.client.get(ORDERS)
    other.client.get(ORDERS)
    wire.on(LOGIN, (200, {**TOKEN, "access_token": "eyJ-second"}))
    wire.on(f"GET {ORDERS}", (401, {}), (200, []))
    wire.connector.client.get(ORDERS)
    wire.on(f"GET {ORDERS}", (401, {}), (200, []))
    other.client.get(ORDERS)
    assert wire.calls("/rest/login") == 2
    assert wire.sent[-1].headers["Authorization"] == "Bearer eyJ-second"


@pytest.mark.parametrize("status", [401, 200, 400])
def test_wrong_credentials_are_tried_once_by_all_workers_together(wire: Wire, status: int) -> None:
    wire.on(LOGIN, (status, WRONG))
    for connector in (wire.connector, wire.connector, wire.another()):
        with pytest.raises(AccessDenied, match="does not accept the user name 'connector'"):
            connector.client.get(ORDERS)
    assert wire.calls("/rest/login") == 1
    wire.on(LOGIN, (200, TOKEN))
    wire.another(password="another").client.get(ORDERS)  # changed credentials are tried at once
    assert wire.calls("/rest/login") == 2


def test_after_a_while_they_are_tried_again(wire: Wire) -> None:
    wire.on(LOGIN, (401, WRONG), (200, TOKEN))
    with pytest.raises(AccessDenied):
        wire.connector.client.get(ORDERS)
    moved(wire, 1000)
    wire.connector.client.get(ORDERS)


def test_a_locked_account_is_told(wire: Wire) -> None:
    wire.on(LOGIN, (403, "<html>Forbidden</html>"))
    with pytest.raises(AccessDenied, match="locked the user 'connector'"):
        wire.connector.client.get(ORDERS)


def test_too_many_sessions_is_no_reason_to_give_up(wire: Wire) -> None:
    wire.on(LOGIN, (429, {"error": "too_many_concurrent_sessions", "max_current_sessions": 3, "message": "Too many"}))
    with pytest.raises(RetryLater, match="at most 3") as waiting:
        wire.connector.client.get(ORDERS)
    assert waiting.value.after == 120
    assert wire.calls("/rest/login") == 1


@pytest.mark.parametrize("reply", [(200, "<html>a shop</html>"), (404, "<html>not found</html>")])
def test_a_host_that_is_not_plentyone_is_told(wire: Wire, reply: Any) -> None:
    wire.on(LOGIN, reply)
    with pytest.raises(StopRun, match="does not answer like PlentyONE"):
        wire.connector.client.get(ORDERS)
    findings = wire.connector.check()
    assert (findings[0].name, findings[0].ok) == ("Address", False)


@pytest.mark.parametrize("reply", [(401, "<html>Login required</html>"), (403, "Forbidden"), (401, {"detail": "no"})])
def test_a_host_that_refuses_in_other_words_is_not_said_to_be_plentyone(wire: Wire, reply: Any) -> None:
    wire.on(LOGIN, reply)
    (only,) = wire.connector.check()
    assert (only.name, only.ok) == ("Address", False)
    assert "does not answer like PlentyONE" in only.message
    with pytest.raises(AccessDenied):  # it may be a gateway before PlentyONE: the password is not tried again
        wire.connector.client.get(ORDERS)
    assert wire.calls("/rest/login") == 1


def test_a_system_that_let_us_in_before_is_known_to_be_plentyone(wire: Wire) -> None:
    wire.on(LOGIN, (200, TOKEN), (401, {}))
    wire.connector.client.get(ORDERS)
    moved(wire, 100_000)
    findings = wire.another().check()
    assert [(one.name, one.ok) for one in findings] == [("Address", True), ("Login", False)]


def test_maintenance_at_login_is_waited_for(wire: Wire) -> None:
    wire.on(LOGIN, (503, "<html>Maintenance</html>"))
    with pytest.raises(Unreachable):
        wire.connector.client.get(ORDERS)


def test_a_login_without_an_answer_leaves_no_write_in_doubt(wire: Wire) -> None:
    wire.on(LOGIN, requests.ReadTimeout("timed out"))
    with pytest.raises(RetryLater) as raised:
        wire.connector.client.send("POST", ORDERS, {})
    assert type(raised.value) is RetryLater
    assert wire.calls(ORDERS) == 0


def test_no_password_and_no_token_is_ever_logged(wire: Wire) -> None:
    wire.connector.client.log_bodies = True
    wire.on(LOGIN, (401, WRONG), (200, TOKEN))
    with pytest.raises(AccessDenied):
        wire.connector.client.get(ORDERS)
    moved(wire, 1000)
    wire.connector.client.get(ORDERS)
    told = repr(wire.host.calls)
    assert "/rest/login" in told
    assert "secret-word" not in told
    assert "eyJ-first" not in told


def test_a_persons_test_tries_a_refused_password_again_but_not_at_once(wire: Wire) -> None:
    wire.on(LOGIN, (401, WRONG))
    for _ in range(3):
        findings = wire.connector.check()
        assert [(one.name, one.ok) for one in findings] == [("Address", True), ("Login", False)]
    assert wire.calls("/rest/login") == 1
    moved(wire, 60)
    wire.connector.check()
    assert wire.calls("/rest/login") == 2


# the test of a connection, and what it names


def test_a_connection_that_works_passes_every_test_and_changes_nothing(plenty: StandIn) -> None:
    tested = PlentyOne(account(PlentyOne, plenty.url, {"username": "connector", "password": "sandbox"}), MemoryHost())
    findings = tested.check()
    assert [one.message for one in findings if not one.ok] == []
    assert {"Address", "Login", "Orders", "Notes"} <= {one.name for one in findings}
    assert {one["method"] for one in plenty.requests()} - {"GET"} == {"POST"}
    assert [one["path"] for one in plenty.requests() if one["method"] == "POST"] == ["/rest/login"]


def test_every_right_that_is_missing_is_named(plenty: StandIn) -> None:
    plenty.control("forbid", {"permission": "stock.warehouse.show", "path": "/rest/stockmanagement/warehouses"})
    tested = PlentyOne(account(PlentyOne, plenty.url, {"username": "connector", "password": "sandbox"}), MemoryHost())
    findings = {one.name: one for one in tested.check()}
    assert not findings["Warehouses"].ok
    assert "stock.warehouse.show" in findings["Warehouses"].message
    assert [name for name, one in findings.items() if not one.ok] == ["Warehouses"]
    with pytest.raises(StopRun, match=r"stock\.warehouse\.show"):
        dict(tested.collect())


def test_collecting_tells_of_a_refused_password_once(wire: Wire) -> None:
    wire.on("POST /rest/login", (401, {"error": "invalid_credentials"}))
    with pytest.raises(AccessDenied, match="password"):
        list(wire.connector.collect())
    assert [one.path for one in wire.host.calls] == ["/rest/login"]
