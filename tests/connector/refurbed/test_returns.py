"""Returns out of refurbed: each is one unit of an order, followed until the customer has the money back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector import Found, RecordFailed, StopRun
from connector.records import Identifier, IdentifierKind, Return
from connector.refurbed.returns import Returns
from tests.conftest import shared
from tests.connector.refurbed.market import JSON, Market, read


@pytest.fixture
def returns(market: Market) -> Returns:
    return Returns(market.connector())


def sent_back(market: Market, **wish: Any) -> JSON:
    """A shipped order of which the first item comes back; the return as the API shows it."""
    order = market.place(state="SHIPPED", **wish)
    made: JSON = market.control("return", id=order["items"][0]["id"])
    return made


def parsed(returns: Returns, found: Found) -> Return:
    made: Return = returns.parse(found.payload or {})
    return made


def only(returns: Returns, mark: str | None = None) -> Return:
    (found,) = read(returns, mark)[0]
    return parsed(returns, found)


def test_a_return_names_its_order_its_unit_and_the_device(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    (found,), mark = read(returns)
    assert mark is not None
    assert (found.key, found.number) == (row["id"], row["order_id"])
    made = parsed(returns, found)
    assert (made.key, made.order, made.number, made.store) == (row["id"], row["order_id"], row["order_id"], "refurbed")
    assert (made.status, made.status_name, made.refunded) == ("INITIATED", "Initiated", False)
    (line,) = made.lines
    assert (line.line, line.name) == (row["order_item_id"], row["instance_name"])
    assert line.quantity == 1
    assert line.identifiers == (Identifier(kind=IdentifierKind.IMEI, value=row["item_identifiers"][0]["value"]),)
    assert (made.tracking_number, made.tracking_url) == (row["tracking_number"], row["tracking_url"])
    assert made.delivered_at is None
    assert row["ticket_url"] in made.comments[0].text


def test_the_vendors_example_is_read(returns: Returns) -> None:
    file = shared() / "fixtures/refurbed/synthetic_response_list_order_item_returns.json"
    made = returns.parse(json.loads(file.read_text())["returns"][0])
    assert made.created_at == datetime(2026, 2, 12, 8, tzinfo=UTC)
    assert (made.key, made.order, made.lines[0].line, made.status) == ("77001", "4711001", "8800101", "IN_TRANSIT")
    assert made.reason == "example-topic"


def test_a_return_is_followed_from_its_beginning_to_its_end(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    _, mark = read(returns)
    market.control("advance", seconds=3 * 86_400)
    market.passed += 3 * 86_400
    _, mark = read(returns, mark)
    seen = []
    for state in ("IN_TRANSIT", "DELIVERED", "REFUNDED", "CONCLUDED"):
        market.control("move_return", id=row["id"], state=state)
        made = only(returns, mark)
        seen.append((made.status, made.refunded, made.delivered_at is not None))
    assert seen == [
        ("IN_TRANSIT", False, False),
        ("DELIVERED", False, True),
        ("REFUNDED", True, True),
        ("CONCLUDED", False, True),  # nothing was paid back
    ]


def test_a_concluded_return_is_refunded_when_money_went_back(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    market.control("refund", id=row["order_item_id"])
    market.control("move_return", id=row["id"], state="CONCLUDED")
    (found,), _ = read(returns)
    assert parsed(returns, found).refunded
    again = returns.get(row["id"])
    assert again is not None
    assert again.version == found.version


def test_an_open_return_is_read_again_however_old_it_is(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    _, mark = read(returns)
    for _ in range(2):
        market.control("advance", seconds=50 * 86_400)
        market.passed += 50 * 86_400
        _, mark = read(returns, mark)
    assert [one.key for one in read(returns, mark)[0]] == [row["id"]]
    market.control("move_return", id=row["id"], state="CONCLUDED")
    assert read(returns, mark)[0] == []


def test_more_returns_than_a_page_holds_are_all_read(market: Market, returns: Returns) -> None:
    placed = market.control("place", count=120, country="DE", items=[{"sku": "TP-T480-A"}], state="SHIPPED")
    for order in placed:
        made = market.control("return", id=order["items"][0]["id"])
        market.control("move_return", id=made["id"], state="CONCLUDED")
    records, _ = read(returns)
    assert len({one.key for one in records}) == len(records) == 120
    assert len(market.sent("OrderService/ListOrders")) == 2  # the orders of concluded ones, page by page


def test_what_did_not_change_has_the_same_version(market: Market, returns: Returns) -> None:
    sent_back(market)
    first, mark = read(returns)
    again, _ = read(returns, mark)
    assert [one.version for one in again] == [one.version for one in first]


def test_a_return_is_found_by_the_number_of_its_order_with_the_others_of_it(market: Market, returns: Returns) -> None:
    order = market.place(state="SHIPPED", items=[{"sku": "IP12-64-BLU-A"}, {"sku": "TP-T480-A"}])
    made = [market.control("return", id=one["id"])["id"] for one in order["items"]]
    found = returns.number(order["id"])
    assert found is not None
    assert found.key == made[1]
    assert [one.key for one in returns.family(found)] == [made[0]]
    assert returns.number("1") is None
    assert returns.number("A-1") is None
    assert [one.key for one in returns.latest(1)] == [made[1]]


def test_one_return_is_fetched_by_its_id(market: Market, returns: Returns) -> None:
    rows = [sent_back(market) for _ in range(3)]
    for row in rows:
        found = returns.get(row["id"])
        assert found is not None
        assert found.key == row["id"]
    assert returns.get("1") is None
    assert returns.get("99999999") is None
    with pytest.raises(RecordFailed, match="no id of refurbed"):
        returns.get("R-1")


def test_a_cursor_that_is_refused_does_not_hide_a_return(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    market.faults({"kind": "status", "status": 400, "times": 1})
    found = returns.get(row["id"])
    assert found is not None
    assert found.key == row["id"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"import_returns": False}, "'Import returns' is switched off"),
        ({"carrier": None}, "no AfterShip carrier is selected"),
        ({"token": None}, "Enter the token"),
    ],
)
def test_without_its_mandatory_settings_nothing_is_imported(market: Market, settings: JSON, said: str) -> None:
    returns = Returns(market.connector(**settings))
    for attempt in (lambda: read(returns), lambda: returns.number("1"), lambda: returns.latest(1)):
        with pytest.raises(StopRun) as caught:
            attempt()
        assert said in str(caught.value)
    assert market.host.calls == []


def test_the_order_import_need_not_be_switched_on_for_returns(market: Market) -> None:
    sent_back(market)
    assert len(read(Returns(market.connector(order_import=False)))[0]) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"order_id": None}, "order_id is missing"),
        ({"order_item_id": ""}, "order_item_id is missing"),
        ({"return_initiated_at": "soon"}, "return_initiated_at should be a time"),
        ({"delivered_at": "never"}, "delivered_at should be a time"),
        ({"id": None}, "A return: id is missing"),
    ],
)
def test_what_is_missing_or_wrong_is_said_by_name(market: Market, returns: Returns, change: JSON, said: str) -> None:
    with pytest.raises(RecordFailed) as caught:
        returns.parse({**sent_back(market), **change})
    assert said in str(caught.value)


def test_it_runs_hourly_where_nobody_chooses_otherwise() -> None:
    assert Returns.cron == "0 * * * *"
    assert not Returns.settles


def test_a_whole_order_comes_back_as_one_return_for_each_unit(market: Market, returns: Returns) -> None:
    order = market.place(state="SHIPPED", items=[{"sku": "IP12-64-BLU-A"}, {"sku": "TP-T480-A"}])
    for one in order["items"]:
        market.control("return", id=one["id"])
    made = [parsed(returns, one) for one in read(returns)[0]]
    assert {one.order for one in made} == {order["id"]}
    assert [one.lines[0].line for one in made] == [one["id"] for one in order["items"]]


def test_a_return_keeps_the_time_of_its_delivery(market: Market, returns: Returns) -> None:
    row = sent_back(market)
    market.control("move_return", id=row["id"], state="DELIVERED")
    made = only(returns)
    assert made.delivered_at is not None
    assert abs(made.delivered_at - datetime.now(UTC)) < timedelta(seconds=10)
    assert made.updated_at == made.delivered_at
