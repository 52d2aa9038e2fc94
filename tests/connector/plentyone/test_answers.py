"""What PlentyONE answers when something is wrong, and what happens next. The bodies are recorded ones."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from connector import AccessDenied, ConnectorError, InDoubt, RecordFailed, RetryLater, StopRun, Unreachable
from connector.plentyone.answers import Invalid, NotFound, Refused, judge_part
from connector.plentyone.client import BatchRefused, Operation
from tests.connector.plentyone.wire import Wire

ORDERS = "/rest/orders"
VALIDATION = {
    "error": {"message": "validation error found"},
    "validation_errors": {"orderItems.1.orderItemName": ["The order items.1.order item name must be a string."]},
}
RIGHTS = {
    "error": {
        "message": "This action is unauthorized.",
        "missing_permissions": {"stock.warehouse.show": "Stock » Warehouse » Show"},
    }
}
MAINTENANCE = "<html><body>Maintenance</body></html>"
SHORT_LIMIT = "short period write limit reached"


def outcome(wire: Wire, method: str) -> ConnectorError | None:
    try:
        wire.connector.client.call(method, ORDERS, body={"typeId": 1} if method == "POST" else None)
    except ConnectorError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("reply", "on_write", "on_read"),
    [
        ((422, VALIDATION), Invalid, Invalid),
        ((200, VALIDATION), Invalid, Invalid),
        ((500, VALIDATION), Invalid, Invalid),
        ((403, RIGHTS), AccessDenied, AccessDenied),
        ((200, RIGHTS), AccessDenied, AccessDenied),
        ((403, {"error": "forbidden"}), AccessDenied, AccessDenied),
        ((404, {"error": {"message": "No query results for model [Order]"}}), NotFound, NotFound),
        ((500, {"error": {"message": "No query results for model [Order]"}}), NotFound, NotFound),
        ((404, "<html>not found</html>"), NotFound, NotFound),
        ((400, {"error": {"message": "bad"}}), Refused, Refused),
        ((200, {"error": {"message": "something is wrong"}}), Refused, Refused),
        ((429, SHORT_LIMIT), RetryLater, RetryLater),
        ((429, {"error": "too_many_concurrent_sessions", "message": "Too many users."}), RetryLater, RetryLater),
        ((500, {"error": {"message": "Too few arguments to function"}}), InDoubt, RetryLater),
        ((503, MAINTENANCE), InDoubt, RetryLater),
        ((504, ""), InDoubt, RetryLater),
        ((200, ""), InDoubt, RetryLater),
        ((200, MAINTENANCE), InDoubt, RetryLater),
        ((200, '{"id": 7000'), InDoubt, RetryLater),
        (requests.ReadTimeout("read timed out"), InDoubt, RetryLater),
        (requests.ConnectionError("connection reset"), InDoubt, RetryLater),
        (requests.exceptions.ChunkedEncodingError("broken"), InDoubt, RetryLater),
    ],
)
def test_the_body_decides_first_and_the_status_second(
    reply: Any, on_write: type[ConnectorError], on_read: type[ConnectorError]
) -> None:
    wire = Wire()
    wire.on(f"POST {ORDERS}", reply)
    wire.on(f"GET {ORDERS}", reply)
    assert type(outcome(wire, "POST")) is on_write
    assert type(outcome(wire, "GET")) is on_read


def test_a_validation_error_names_each_field_with_what_was_sent() -> None:
    wire = Wire()
    wire.on(f"POST {ORDERS}", (422, VALIDATION))
    body = {"orderItems": [{"orderItemName": "fine"}, {"orderItemName": 5}]}
    with pytest.raises(RecordFailed, match=r"orderItems\.1\.orderItemName: .*must be a string\. \(sent: 5\)"):
        wire.connector.client.send("POST", ORDERS, body)


def test_a_missing_right_is_named_in_words() -> None:
    wire = Wire()
    wire.on(f"GET {ORDERS}", (403, RIGHTS))
    with pytest.raises(AccessDenied, match=r"lacks the right Stock » Warehouse » Show \(stock\.warehouse\.show\)"):
        wire.connector.client.get(ORDERS)


def test_a_write_in_doubt_is_never_sent_twice() -> None:
    wire = Wire()
    wire.on(f"POST {ORDERS}", (503, MAINTENANCE))
    assert isinstance(outcome(wire, "POST"), InDoubt)
    assert wire.calls(ORDERS) == 1


def test_a_refused_rate_is_waited_for_as_long_as_it_says() -> None:
    wire = Wire()
    wire.on(f"POST {ORDERS}", (429, SHORT_LIMIT, {"Retry-After": "7"}), (200, {"id": 1}))
    assert outcome(wire, "POST") is None
    assert 7.0 in wire.slept


def test_the_decay_of_the_window_serves_where_retry_after_is_absent() -> None:
    wire = Wire()
    headers = {"X-Plenty-Global-Short-Period-Decay": "13", "X-Plenty-Global-Short-Period-Calls-Left": "0"}
    wire.on(f"POST {ORDERS}", (429, SHORT_LIMIT, headers), (200, {"id": 1}))
    assert outcome(wire, "POST") is None
    assert 13.0 in wire.slept


def test_a_redirect_is_refused_by_name() -> None:
    wire = Wire()
    wire.on(f"POST {ORDERS}", (301, "", {"Location": "https://p1.my.plentysystems.com/rest/orders"}))
    with pytest.raises(StopRun, match=r"p1\.my\.plentysystems\.com"):
        wire.connector.client.send("POST", ORDERS, {})


# lists


def test_a_list_may_be_an_array_or_pages_and_may_repeat_its_last_page_for_ever() -> None:
    wire = Wire()
    wire.on("GET /rest/vat", (200, [{"id": 1}, {"id": 2}]))
    client = wire.connector.client
    assert [row["id"] for row in client.entries("/rest/vat")] == [1, 2]
    pages = [{"page": str(n), "totalsCount": 4, "entries": [{"id": n * 2 - 1}, {"id": n * 2}]} for n in (1, 2)]
    for page in pages:
        page["isLastPage"] = False
    wire.on("GET /rest/vat", (200, pages[0]), (200, pages[1]))
    assert [row["id"] for row in client.entries("/rest/vat")] == [1, 2, 3, 4]
    pages[1]["isLastPage"] = True
    wire.on("GET /rest/vat", (200, pages[0]), (200, pages[1]))
    assert [row["id"] for row in client.entries("/rest/vat")] == [1, 2, 3, 4]
    wire.on("GET /rest/vat", (200, {"page": 1, "entries": [], "isLastPage": True}))
    assert list(client.entries("/rest/vat")) == []


# batches


def part(content: Any, resource: str = "rest/a", method: str = "POST") -> dict[str, Any]:
    return {"resource": resource, "method": method, "content": json.dumps(content)}


TWO = [Operation("POST", "/rest/a"), Operation("POST", "/rest/b")]


def test_answers_of_a_batch_are_matched_by_resource() -> None:
    wire = Wire()
    wire.on("POST /rest/batch", (200, [part({"id": 2}, "rest/b"), part({"id": 1}, "/rest/a")]))
    first, second = wire.connector.client.batch(TWO)
    assert (judge_part("a", first)["id"], judge_part("b", second)["id"]) == (1, 2)
    sent = json.loads(wire.sent[-1].body or "")
    assert sent == {"payloads": [{"resource": "rest/a", "method": "POST"}, {"resource": "rest/b", "method": "POST"}]}


@pytest.mark.parametrize("status", [404, 405, 422])
def test_a_system_without_batches_is_asked_once_a_day(status: int) -> None:
    wire = Wire()
    wire.on("POST /rest/batch", (status, {"error": {"message": "no such route"}}))
    with pytest.raises(BatchRefused):
        wire.connector.client.batch(TWO)
    assert not wire.connector.client.batches
    assert not wire.another().client.batches


def test_a_batch_that_changes_something_and_answers_oddly_is_in_doubt() -> None:
    wire = Wire()
    wire.on("POST /rest/batch", (200, [part({"id": 1})]))
    with pytest.raises(InDoubt):
        wire.connector.client.batch(TWO)
    assert not wire.connector.client.batches


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (json.dumps(VALIDATION), Invalid),
        (json.dumps(RIGHTS), AccessDenied),
        (json.dumps({"error": {"message": "No query results"}}), NotFound),
        (json.dumps({"error": {"message": "Too few arguments"}}), InDoubt),
        ("short period write limit reached", RetryLater),
        (MAINTENANCE, InDoubt),
        ("", InDoubt),
    ],
)
def test_a_part_of_a_batch_is_judged_by_its_shape(content: str, expected: type[ConnectorError]) -> None:
    with pytest.raises(ConnectorError) as raised:
        judge_part("part", content)
    assert type(raised.value) is expected


def test_after_an_odd_part_single_calls_are_used_for_a_while() -> None:
    wire = Wire()
    with pytest.raises(InDoubt):
        wire.connector.client.part("part", "")
    assert not wire.another().client.batches
    wire.passed = 700
    assert wire.another().client.batches


def test_a_part_that_is_no_text_but_an_object_is_taken_too() -> None:
    assert judge_part("part", {"id": 1}) == {"id": 1}


def headers(left: int, limit: int = 80) -> dict[str, str]:
    prefix = "X-Plenty-Global-Short-Period"
    return {f"{prefix}-Limit": str(limit), f"{prefix}-Calls-Left": str(left), f"{prefix}-Decay": "30"}


@pytest.mark.parametrize(("after", "cost"), [(77, "one"), (76, "each")])
def test_it_learns_what_a_batch_costs_and_remembers_it(after: int, cost: str) -> None:
    wire = Wire()
    wire.on("POST /rest/login", (200, {"access_token": "a", "expires_in": 86400}, headers(79)))
    wire.on(f"POST {ORDERS}", (200, {"id": 1}, headers(78)))
    wire.on("POST /rest/batch", (200, [part({"id": 1}), part({"id": 2}, "rest/b")], headers(after)))
    client = wire.connector.client
    client.send("POST", ORDERS, {})
    client.batch(TWO)
    assert client.traits()["batch_cost"] == cost
    assert wire.another().client.traits()["batch_cost"] == cost


def test_an_unreachable_host_changes_nothing() -> None:
    wire = Wire()
    failure = requests.ConnectTimeout("no route")
    wire.on(f"POST {ORDERS}", failure)
    assert type(outcome(wire, "POST")) is Unreachable
