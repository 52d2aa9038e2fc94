"""Returns of a market become return orders of their sales orders, each once, with what people should know. Over HTTP."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connector import Counterpart, Options, RecordFailed, RetryLater
from connector.plentyone.returns import Returns
from connector.records import Comment, Identifier, Return, ReturnLine
from connector.testing import MemoryKnown, options_for
from tests.connector.plentyone.records import line, order, shipping
from tests.connector.plentyone.standin import Shop, StandIn

AT = datetime(2026, 5, 25, 10, tzinfo=UTC)
IMEI = Identifier.of("490154203237518")
OTHER = Identifier.of("356938035643809")


@pytest.fixture
def returns(shop: Shop) -> Returns:
    shop.host.calls.clear()
    return Returns(shop.connector)


def options(**given: Any) -> Options:
    return options_for(Returns, given)


def record(*keys: str, **given: Any) -> Return:
    told: dict[str, Any] = {
        "key": "88001",
        "order": "4711",
        "number": "4711",
        "created_at": AT,
        "updated_at": AT,
        "lines": tuple(ReturnLine(line=key, name="Phone") for key in keys or ("11",)),
        "tracking_number": "RT-1",
        "tracking_url": "https://track.example/RT-1",
    }
    return Return(**{**told, **given})


def sale(shop: Shop, *lines: Any) -> str:
    """An order that was exported before."""
    wanted = order("4711", lines=lines or (line("11"), line("12"), shipping()))
    return shop.orders.write(wanted, shop.known(), shop.options()).key


def known(shop: Shop, sale: str, refs: dict[str, str] | None = None, **given: Any) -> MemoryKnown:
    made = shop.known(refs, **given)
    found = Counterpart(
        key=sale, number="4711", refs={}, reverse=False, ours=True, connection="Plenty", profile="Orders"
    )
    made.links_of["order", "4711"] = found
    return made


def made(plenty: StandIn) -> list[dict[str, Any]]:
    return [one for one in plenty.control("orders") if one["typeId"] == 3]


def notes(plenty: StandIn, id: Any) -> list[str]:
    found = plenty.control("order", {"id": int(id)})["comments"]
    return [re.sub("<[^>]*>", "", one["text"]) for one in found]


def test_a_return_takes_the_items_of_its_lines(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    id = sale(shop)
    shop.called()
    mine = known(shop, id)
    wanted = options(return_status="9.1", return_warehouse=104)
    assert returns.check(record("12"), wanted) == []
    written = returns.write(record("12"), mine, wanted)
    (back,) = made(plenty)
    assert (written.key, written.created) == (str(back["id"]), True)
    assert [one["referenceOrderId"] for one in back["orderReferences"]] == [int(id)]
    (item,) = back["orderItems"]
    assert {one["typeId"]: one["value"] for one in item["properties"]}[41] == "12"
    assert {one["typeId"]: one["value"] for one in back["properties"]}[80] == "88001"
    assert (back["statusId"], item["quantity"]) == (9.1, 1)
    assert notes(plenty, back["id"]) == ["Tracking of the return: https://track.example/RT-1"]
    assert mine.refs["id"] == written.key
    assert (mine.refs["order_id"], mine.refs["status_id"]) == (id, "9.1")
    assert mine.refs["status_name"].startswith("[9.1]")
    assert shop.called() == [
        f"GET /rest/orders/{id}",
        f"POST /rest/orders/{id}/returns",
        f"PUT /rest/orders/{back['id']}",
        "POST /rest/comments",
    ]


def test_without_settings_plentyone_chooses_the_status(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    returns.write(record(), known(shop, sale(shop)), options())
    assert made(plenty)[0]["statusId"] == 9
    sent = next(one for one in plenty.requests() if one["path"].endswith("/returns"))
    assert set(sent["body"]) == {"quantities", "returnPackageNumber"}


def test_a_line_that_is_two_items_comes_back_from_both(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    """Three for 10.00: no price of four decimals gives it, so that the line stands as two items."""
    id = sale(shop, line("11", "200000.00", "70000"), shipping())
    items = [one for one in plenty.control("order", {"id": int(id)})["orderItems"] if one["typeId"] == 1]
    wanted = record(lines=(ReturnLine(line="11", quantity=Decimal(70000)),))
    returns.write(wanted, known(shop, id), options())
    assert sum(one["quantity"] for one in made(plenty)[0]["orderItems"]) == 70000
    assert len(made(plenty)[0]["orderItems"]) == len(items)


def test_an_order_that_is_not_there_yet_is_waited_for(shop: Shop, returns: Returns) -> None:
    with pytest.raises(RetryLater, match="its order is not in PlentyONE") as told:
        returns.write(record(), shop.known(), options())
    assert told.value.aside
    foreign = known(shop, "700001")
    foreign.links_of["order", "4711"] = replace(foreign.links_of["order", "4711"], ours=False)
    with pytest.raises(RetryLater):
        returns.write(record(), foreign, options())
    assert shop.called() == []


def test_a_return_whose_order_was_skipped_says_why_and_is_made_once_the_order_comes_after_all(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    mine = shop.known()
    mine.declined_of["order", "4711"] = "state SHIPPED is not in 'Import orders in state'."
    mine.age = 400 * 86_400.0
    with pytest.raises(RetryLater) as told:
        returns.write(record(), mine, options())
    assert str(told.value) == (
        "Return 88001 of order 4711: its order is not brought to PlentyONE (state SHIPPED is not in 'Import orders in "
        "state'). It is created if the order is imported after all; skip it by hand if that will not be"
    )
    assert told.value.aside
    assert shop.called() == []
    mine.links_of = known(shop, sale(shop)).links_of
    returns.write(record(), mine, options())
    assert len(made(plenty)) == 1


def test_an_order_that_does_not_come_is_looked_for_less_and_less_often(shop: Shop, returns: Returns) -> None:
    mine, waits = shop.known(), []
    for days in (0, 1, 30):
        mine.age = days * 86_400.0
        with pytest.raises(RetryLater) as told:
            returns.write(record(), mine, options())
        waits.append(told.value.after)
    assert waits == [900.0, 10_800.0, 21_600.0]


def test_an_item_that_the_order_does_not_have_needs_a_person(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    id = sale(shop)
    with pytest.raises(RecordFailed, match=r"Return 88001 of order 4711: PlentyONE's order \d+ has no item '99 Phone'"):
        returns.write(record("99"), known(shop, id), options())
    assert made(plenty) == []


def test_an_item_without_the_markets_id_is_found_by_its_serial_number(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    id = sale(shop, line("11"), line("12", sku="SKU-2"), shipping())
    plenty.control("scan", {"id": int(id), "sku": "SKU-2", "serialNumber": IMEI.value})
    back = record(lines=(ReturnLine(line="unknown", identifiers=(IMEI,)),))
    mine = known(shop, id)
    returns.write(back, mine, options())
    assert [one["orderItemName"] for one in made(plenty)[0]["orderItems"]] == ["Article A"]
    (item,) = made(plenty)[0]["orderItems"]
    assert {one["typeId"]: one["value"] for one in item["properties"]}[41] == "12"
    assert mine.notes == []


def test_another_device_than_was_sent_is_said(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    id = sale(shop, line("11"), shipping())
    plenty.control("scan", {"id": int(id), "sku": "SKU-1", "serialNumber": IMEI.value})
    mine = known(shop, id)
    back = record(lines=(ReturnLine(line="11", name="Phone", identifiers=(OTHER,)),))
    written = returns.write(back, mine, options())
    assert mine.notes == [
        "Another device comes back than was sent: IMEI 356938035643809 instead of IMEI 490154203237518."
    ]
    assert "Phone: IMEI 356938035643809" in notes(plenty, written.key)


def test_what_the_market_says_stands_as_notes_each_once(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    mine = known(shop, sale(shop))
    first = record(tracking_url=None, comments=(Comment(text="refurbed: ticket 5"),))
    id = returns.write(first, mine, options()).key
    again = replace(first, tracking_url="https://track.example/RT-1", reason="Damaged <box>", updated_at=AT)
    written = returns.write(again, mine, options())
    assert not written.created
    assert sorted(notes(plenty, id)) == [
        "Reason of the return: Damaged &lt;box&gt;",
        "Tracking of the return: https://track.example/RT-1",
        "refurbed: ticket 5",
    ]
    returns.write(again, mine, options())
    assert len(notes(plenty, id)) == 3
    assert len(made(plenty)) == 1


def test_a_confirmed_refund_sets_its_status_once(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    mine, wanted = known(shop, sale(shop)), options(refunded_status=11.1)
    id = returns.write(record(), mine, wanted).key
    assert made(plenty)[0]["statusId"] == 9
    plenty.control("set_status", {"id": int(id), "statusId": "9.4"})
    returns.write(record(refunded=True), mine, wanted)
    assert (made(plenty)[0]["statusId"], mine.refs["status_id"]) == (11.1, "11.1")
    plenty.control("set_status", {"id": int(id), "statusId": "9.5"})
    returns.write(record(refunded=True), mine, wanted)
    assert made(plenty)[0]["statusId"] == 9.5


def test_a_status_whose_answer_was_lost_is_not_set_again_over_what_people_chose(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    mine, wanted = known(shop, sale(shop)), options(refunded_status=11.1)
    id = returns.write(record(), mine, wanted).key
    plenty.faults({"system": "plentyone", "kind": "drop_after", "method": "PUT", "path": f"/rest/orders/{id}"})
    with pytest.raises(RetryLater):
        returns.write(record(refunded=True), mine, wanted)
    plenty.faults()
    plenty.control("set_status", {"id": int(id), "statusId": "9.5"})
    returns.write(record(refunded=True), known(shop, mine.refs["order_id"], mine.refs, doubt=True), wanted)
    assert made(plenty)[0]["statusId"] == 9.5


POINTS = ("/rest/orders/*/returns", r"/rest/orders/\d+$/", "/rest/comments")


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
@pytest.mark.parametrize("point", POINTS)
def test_an_answer_that_is_lost_makes_nothing_twice(
    plenty: StandIn, shop: Shop, returns: Returns, point: str, kind: str
) -> None:
    id = sale(shop)
    mine = known(shop, id)
    plenty.faults({"system": "plentyone", "method": "write", "path": point, "kind": kind, "times": 1})
    with pytest.raises(RetryLater):
        returns.write(record(), mine, options())
    plenty.faults()
    written = returns.write(record(), known(shop, id, mine.refs, doubt=True, attempt=2), options())
    (back,) = made(plenty)
    assert written.key == str(back["id"])
    assert {one["typeId"]: one["value"] for one in back["properties"]}[80] == "88001"
    assert len(notes(plenty, back["id"])) == 1


def test_a_worker_killed_after_any_call_leaves_one_return(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    """Whatever was learned is lost: the return is found by its mark, or by its items while it has none."""
    id = sale(shop)
    returns.write(record(), known(shop, id), options())
    returns.write(record(), known(shop, id, doubt=True, attempt=2), options())
    assert len(made(plenty)) == 1
    back = made(plenty)[0]["id"]
    plenty.control("property", {"id": back, "typeId": 80, "value": ""})
    new = record(created_at=datetime(2026, 5, 19, tzinfo=UTC))
    assert returns.write(new, known(shop, id, doubt=True, attempt=2), options()).key == str(back)
    assert len(made(plenty)) == 1
    assert len(notes(plenty, back)) == 1


def test_a_return_that_people_made_of_the_same_items_is_taken_for_it(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    id = sale(shop, line("11"), shipping())
    theirs = plenty.control("return", {"id": int(id), "lines": [{"sku": "SKU-1", "quantity": 1}]})
    mine = known(shop, id)
    assert returns.write(record(), mine, options()).key == str(theirs["id"])
    assert len(made(plenty)) == 1
    assert any("was in PlentyONE already" in one for one in mine.notes)


def test_two_returns_of_one_order_stay_two(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    id = sale(shop)
    one = returns.write(record("11"), known(shop, id), options()).key
    two = returns.write(record("12", key="88002"), known(shop, id), options()).key
    assert one != two
    third = record("11", key="88003")
    with pytest.raises(RecordFailed, match="was not accepted"):
        returns.write(third, known(shop, id), options())


def test_a_return_that_was_deleted_is_not_made_again(plenty: StandIn, shop: Shop, returns: Returns) -> None:
    mine = known(shop, sale(shop))
    id = returns.write(record(), mine, options()).key
    shop.connector.client.send("DELETE", f"/rest/orders/{id}")
    with pytest.raises(RecordFailed, match=f"return {id} was deleted"):
        returns.write(record(), mine, options())
    assert made(plenty) == []


def test_a_value_that_plentyone_does_not_have_is_said_before_anything_is_sent(shop: Shop, returns: Returns) -> None:
    told = returns.check(record(), options(return_status=17.5, refunded_status=11, return_warehouse=9))
    assert [one.setting for one in told] == ["return_status", "return_warehouse"]  # type: ignore[attr-defined]


def test_a_dry_run_shows_the_calls_and_where_their_values_come_from(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    id = sale(shop)
    returns.client.dry = returns.pretend
    try:
        written = returns.write(record(), known(shop, id), options(return_status=9))
        planned = list(returns.client.planned)
    finally:
        returns.client.dry = None
    assert written.created
    assert made(plenty) == []
    method, path, body = planned[0]
    assert (method, path) == ("POST", f"/rest/orders/{id}/returns")
    assert returns.origins(method, path, body, record(), options())["statusId"].setting == "return_status"
    assert returns.page(shop.connector.account, "700001") == f"{plenty.url}/plenty/terra/order/order-ui/700001"


def test_a_dry_run_of_a_refunded_return_plans_what_a_run_would_send_and_nothing_for_one_that_is_done(
    plenty: StandIn, shop: Shop, returns: Returns
) -> None:
    id, wanted = sale(shop), options(return_status="9", refunded_status="9.6")
    back, mine = record(refunded=True), known(shop, id)

    def planned(known: MemoryKnown) -> list[str]:
        returns.client.dry = returns.pretend
        returns.client.planned.clear()
        try:
            returns.write(back, known, wanted)
        finally:
            returns.client.dry = None
        return [
            re.sub(r"/(?!\d+/returns)[^/]*\d[^/]*$", "/{id}", f"{how} {path}")
            for how, path, _ in returns.client.planned
        ]

    first = planned(known(shop, id))
    assert first == [
        f"POST /rest/orders/{id}/returns",
        "PUT /rest/orders/{id}",
        "POST /rest/comments",
        "PUT /rest/orders/{id}",
    ]
    assert made(plenty) == []
    shop.called()
    returns.write(back, mine, wanted)
    sent = [re.sub(r"/(?!\d+/returns)\d+$", "/{id}", one) for one in shop.called() if not one.startswith("GET")]
    assert sent == first
    assert planned(mine) == []
    waiting = shop.known()
    with pytest.raises(RetryLater, match="its order is not in PlentyONE"):
        planned(waiting)
