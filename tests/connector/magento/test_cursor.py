"""Reading a shop's orders: all of them, once, in order, whatever the shop does meanwhile."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connector import Found, Options, RecordFailed, RetryLater, SkipRecord, StopRun, Unreachable
from connector.client import Transport
from connector.magento import Magento
from connector.magento.cursor import Cursor, lean
from connector.magento.orders import Orders
from connector.testing import options_for
from tests.connector.magento.conftest import Shop

SECOND = "2026-11-08 02:15:00"
Request = requests.PreparedRequest


def orders(connector: Magento) -> Orders:
    made = connector.resource("order")
    assert isinstance(made, Orders)
    return made


def read(connector: Magento, since: str | None = None, **options: Any) -> list[Found]:
    pages = orders(connector).read(since, Options({"page_size": 20, "initial_from": None, **options}))
    return [one for page in pages for one in page.records]


def mark_after(connector: Magento, since: str | None = None) -> str:
    pages = list(orders(connector).read(since, Options({"page_size": 50, "initial_from": None})))
    assert pages[-1].mark is not None
    return pages[-1].mark


def expected(shop: Shop) -> list[str]:
    return [str(one["entity_id"]) for one in shop.orders()]


def crowd(shop: Shop, count: int) -> None:
    for number in range(count):
        shop.control("add_order", increment_id=f"crowd-{number}", updated_at=SECOND, items=[])


def asked(request: Request) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(str(request.url)).query).items()}


def hook(connector: Magento, seen: Callable[[Request], requests.Response | None]) -> list[Request]:
    """Let `seen` answer a call or, by None, let it pass. Returns the calls made."""
    real: Transport = connector.client.transport
    calls: list[Request] = []

    def transport(request: Request, timeout: tuple[float, float]) -> requests.Response:
        calls.append(request)
        given = seen(request)
        return real(request, timeout) if given is None else given  # an answer of 404 is false

    connector.client.transport = transport
    return calls


def reply(status: int, body: Any, kind: str = "application/json") -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made.raw = io.BytesIO((body if isinstance(body, str) else json.dumps(body)).encode())
    made.headers["Content-Type"] = kind
    return made


@pytest.mark.parametrize("past_end", ["empty", "repeat"])
@pytest.mark.parametrize("size", [1, 7, 20, 40, 300])
def test_it_reads_every_order_once_and_in_order(shop: Shop, past_end: str, size: int) -> None:
    shop.control("configure", past_end=past_end)
    assert [one.key for one in read(shop.connector(), page_size=size)] == expected(shop)


def test_a_page_tells_progress_and_how_far_it_came(shop: Shop) -> None:
    pages = list(orders(shop.connector()).read(None, Options({"page_size": 50, "initial_from": None})))
    last = shop.orders()[-1]
    assert {page.total for page in pages} == {120}
    assert json.loads(pages[-1].mark or "") == {key: last[key] for key in ("updated_at", "entity_id")}
    assert pages[0].mark != pages[-1].mark


def test_a_record_bears_its_version_and_no_embedded_copies(shop: Shop) -> None:
    for one in read(shop.connector()):
        assert one.payload is not None
        assert one.error is None
        assert one.version.startswith(f"{one.payload['updated_at']}:{one.key}:")
        assert "protect_code" not in one.payload
        assert one.number == one.payload["increment_id"]
        assert not [item for item in one.payload["items"] if "parent_item" in item]
        assigned = one.payload["extension_attributes"].get("shipping_assignments", [])
        assert not [row for row in assigned if "items" in row]


def test_what_is_trimmed_is_not_taken_from_the_original() -> None:
    given = {"items": [{"parent_item": {"a": 1}, "b": 2}], "extension_attributes": {"shipping_assignments": [{}, 3]}}
    assert lean(given)["items"] == [{"b": 2}]
    assert given["items"] == [{"parent_item": {"a": 1}, "b": 2}]


def test_the_next_reading_begins_five_minutes_before_the_mark(shop: Shop) -> None:
    shop.control("add_order", increment_id="a", updated_at="2026-11-21 01:00:00", items=[])
    mark = json.dumps({"updated_at": "2026-11-21 01:05:00", "entity_id": 1})
    found = read(shop.connector(), mark)
    assert "a" in [one.number for one in found]
    assert all(one.updated_at and one.updated_at >= datetime(2026, 11, 21, 1, tzinfo=UTC) for one in found)


def test_a_reading_without_news_keeps_the_mark(shop: Shop) -> None:
    mark = json.dumps({"updated_at": "2026-11-30 00:00:00", "entity_id": 5})
    assert read(shop.connector(), mark) == []
    assert mark_after(shop.connector(), mark) == mark


def test_an_unreadable_mark_reads_everything(shop: Shop) -> None:
    assert len(read(shop.connector(), "{")) == 120
    assert len(read(shop.connector(), '{"updated_at": 3}')) == 120


def test_the_first_reading_can_begin_on_a_day(shop: Shop) -> None:
    late = [one for one in shop.orders() if one["updated_at"] >= "2026-11-15"]
    assert len(read(shop.connector(), initial_from="2026-11-15")) == len(late) < 120
    with pytest.raises(StopRun, match="Read from"):
        read(shop.connector(), initial_from="soon")


def test_a_mark_never_lies_in_the_future_of_the_shop(shop: Shop) -> None:
    """One mistyped date must not hide all later changes."""
    shop.control("add_order", increment_id="far", updated_at="2099-01-01 00:00:00", items=[])
    connector = shop.connector()
    assert "far" in [one.number for one in read(connector)]
    mark = mark_after(connector)
    assert json.loads(mark)["updated_at"] <= f"{datetime.now(UTC) + timedelta(minutes=5):%Y-%m-%d %H:%M:%S}"
    (placed,) = shop.control("place", count=1)
    assert str(placed["entity_id"]) in [one.key for one in read(connector, mark)]


@pytest.mark.parametrize("size", [1, 3, 10, 50])
def test_a_second_that_is_larger_than_a_page_is_read_whole(shop: Shop, size: int) -> None:
    crowd(shop, 45)
    keys = [one.key for one in read(shop.connector(), page_size=size)]
    assert keys == expected(shop)


def test_orders_that_move_while_it_reads_hide_no_other(shop: Shop) -> None:
    """With page numbers the rows behind a moved one slip forward, over the edge of the page that comes next."""
    connector = shop.connector()
    before = expected(shop)
    moves = iter(shop.orders()[:12])

    def touch(request: Request) -> None:
        if "orders" in str(request.url) and (order := next(moves, None)):
            shop.control("change_order", increment_id=order["increment_id"])

    hook(connector, touch)
    assert set(before) <= {one.key for one in read(connector, page_size=10)}


def test_it_ends_although_orders_change_faster_than_they_are_read(shop: Shop) -> None:
    connector = shop.connector()

    def tail(request: Request) -> requests.Response:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=len(calls))
        row = {"entity_id": len(calls), "increment_id": "x", "updated_at": f"{at:%Y-%m-%d %H:%M:%S}"}
        return reply(200, {"items": [row], "total_count": 9})

    calls: list[Request] = hook(connector, tail)
    found = read(connector, page_size=2)
    assert 1000 < len(found) < 1100
    assert len({one.version for one in found}) == len(found)


def test_a_page_smaller_than_asked_does_not_end_the_reading(shop: Shop) -> None:
    connector = shop.connector()

    def shorten(request: Request) -> None:
        request.url = str(request.url).replace("pageSize%5D=50", "pageSize%5D=5")
        connector.client.authorize(request)

    hook(connector, shorten)
    assert [one.key for one in read(connector, page_size=50)] == expected(shop)


def test_it_takes_the_page_size_that_the_shop_allows(shop: Shop) -> None:
    shop.control("configure", max_page_size=5)
    connector = shop.connector()
    calls = hook(connector, lambda _: None)
    assert [one.key for one in read(connector, page_size=100)] == expected(shop)
    assert [asked(one)["searchCriteria[pageSize]"] for one in calls][:2] == ["100", "5"]
    assert len([one for one in calls if asked(one)["searchCriteria[pageSize]"] != "5"]) == 1


def test_a_gateway_that_loses_patience_gets_smaller_pages_from_the_same_place(shop: Shop) -> None:
    shop.control("configure", gateway_timeout_above=10)
    connector = shop.connector()
    calls = hook(connector, lambda _: None)
    assert [one.key for one in read(connector, page_size=100)] == expected(shop)
    sizes = [int(asked(one)["searchCriteria[pageSize]"]) for one in calls]
    assert sizes[:5] == [100, 50, 25, 12, 6]
    assert len([one for one in sizes if one > 10]) < 8  # it does not ask for too much again and again


def test_an_answer_lost_on_its_way_gets_a_smaller_page(shop: Shop) -> None:
    shop.faults({"kind": "timeout", "seconds": 5, "times": 1}, {"kind": "drop_after", "times": 1, "after": 1})
    connector = shop.connector()
    connector.client.read_seconds = 0.5
    assert [one.key for one in read(connector)] == expected(shop)


@pytest.mark.parametrize("kind", ["status", "html_200", "truncated", "drop_after", "plain_429"])
def test_faults_that_pass_lose_nothing(shop: Shop, kind: str) -> None:
    shop.faults({"kind": kind, "rate": 0.2, "seed": 4, "path": "*/orders"})
    assert [one.key for one in read(shop.connector())] == expected(shop)


@pytest.mark.parametrize("status", [404, 500])
@pytest.mark.parametrize("places", [[0], [119], [57], [0, 1, 2, 60, 61, 118, 119]])
def test_an_order_that_breaks_the_list_is_named_and_all_others_are_read(
    shop: Shop, status: int, places: list[int]
) -> None:
    keys = expected(shop)
    broken = [keys[place] for place in places]
    shop.control("configure", broken_orders=[int(key) for key in broken], broken_with=status)
    connector = shop.connector()
    calls = hook(connector, lambda _: None)
    found = read(connector)
    assert [one.key for one in found] == keys
    failed = [one for one in found if one.error]
    assert [one.key for one in failed] == broken
    for one in failed:
        assert one.error is not None
        assert f"entity_id {one.key}" in one.error
        assert ("product does not exist" if status == 404 else "webapi-") in one.error
        assert one.payload is None
        assert one.passing == (status == 500)
    assert len(calls) < 110 * len(places)


def test_a_broken_order_amid_a_crowded_second_is_found(shop: Shop) -> None:
    crowd(shop, 30)
    crowded = [one["entity_id"] for one in shop.orders() if one["updated_at"] == SECOND]
    shop.control("configure", broken_orders=[crowded[0], crowded[17]])
    found = read(shop.connector(), page_size=8)
    assert [one.key for one in found] == expected(shop)
    assert [one.key for one in found if one.error] == [str(crowded[0]), str(crowded[17])]


def test_a_mended_order_has_another_version(shop: Shop) -> None:
    key = expected(shop)[3]
    shop.control("configure", broken_orders=[int(key)])
    broken = {one.key: one.version for one in read(shop.connector())}
    shop.control("configure", broken_orders=[])
    mended = {one.key: one.version for one in read(shop.connector())}
    assert broken[key] != mended[key]


def test_an_order_that_only_lists_choke_on_is_fetched_alone(shop: Shop) -> None:
    connector = shop.connector()
    keys = expected(shop)
    shop.control("configure", broken_orders=[int(keys[5])])

    def alone(request: Request) -> requests.Response | None:
        if urlsplit(str(request.url)).path.endswith(f"/orders/{keys[5]}"):
            body = {"entity_id": int(keys[5]), "increment_id": "whole", "updated_at": SECOND}
            return reply(200, body)
        return None

    hook(connector, alone)
    found = read(connector)
    assert [one.key for one in found] == keys
    assert found[5].number == "whole"
    assert not [one for one in found if one.error]


def test_a_trimmed_list_gives_the_number_where_it_works(shop: Shop) -> None:
    connector = shop.connector()
    order = shop.orders()[7]
    shop.control("configure", broken_orders=[order["entity_id"]])

    def names(request: Request) -> requests.Response | None:
        return reply(200, {"items": [order], "total_count": 1}) if "fields" in asked(request) else None

    calls = hook(connector, names)
    found = read(connector)
    assert found[7].number == order["increment_id"]
    assert f"Order {order['increment_id']}" in str(found[7].error)
    assert len(calls) < 40


def test_a_list_that_always_fails_is_no_order_s_fault(shop: Shop) -> None:
    shop.faults({"kind": "status", "status": 500, "path": "*/orders"})
    with pytest.raises(RetryLater, match="webapi-"):
        read(shop.connector())
    shop.faults({"kind": "status", "status": 504, "path": "*/orders"})
    with pytest.raises(RetryLater):
        read(shop.connector())


def test_a_shop_in_maintenance_is_unreachable(shop: Shop) -> None:
    shop.control("configure", maintenance=True)
    with pytest.raises(Unreachable, match="maintenance"):
        read(shop.connector())


def test_an_unknown_address_stops_the_run(shop: Shop) -> None:
    connector = shop.connector()
    hook(connector, lambda _: reply(404, {"message": "Request does not match any route."}))
    with pytest.raises(StopRun, match="address"):
        read(connector)


def test_entries_without_identity_are_records_with_an_error(shop: Shop) -> None:
    connector = shop.connector()
    good = {"entity_id": 9, "increment_id": "N9", "updated_at": SECOND}
    rows: list[Any] = [
        "nothing",
        {"increment_id": "N8", "updated_at": SECOND},
        {"entity_id": 7, "updated_at": SECOND},
        good,
    ]
    hook(connector, lambda _: reply(200, {"items": rows, "total_count": 4}))
    found = read(connector)
    errors = [one.error or "" for one in found]
    assert len(found) == 4
    assert "no order" in errors[0]
    assert "nothing" in errors[0]
    assert "Order N8" in errors[1]
    assert "entity_id" in errors[1]
    assert "entity_id 7" in errors[2]
    assert "increment_id" in errors[2]
    assert errors[3] == ""


def test_pages_of_nothing_but_nameless_entries_are_passed(shop: Shop) -> None:
    connector = shop.connector()
    rows: list[Any] = [f"junk {number}" for number in range(5)]
    rows += [{"entity_id": 1, "increment_id": "A", "updated_at": SECOND}]

    def paged(request: Request) -> requests.Response:
        query = asked(request)
        size, page = int(query["searchCriteria[pageSize]"]), int(query["searchCriteria[currentPage]"])
        return reply(200, {"items": rows[(page - 1) * size : page * size], "total_count": len(rows)})

    calls = hook(connector, paged)
    found = read(connector, page_size=2)
    assert [one.number for one in found if not one.error] == ["A"]
    assert len([one for one in found if one.error]) == 5
    assert len(calls) < 6


def test_a_shop_that_ignores_filters_or_order_stops_the_run(shop: Shop) -> None:
    connector = shop.connector()
    rows = [{"entity_id": one, "increment_id": str(one), "updated_at": SECOND} for one in (1, 2)]
    hook(connector, lambda _: reply(200, {"items": rows, "total_count": 9}))
    with pytest.raises(StopRun, match="filter"):
        read(connector)
    rows[0]["updated_at"] = "2026-12-01 00:00:00"
    with pytest.raises(StopRun, match="sorted"):
        read(connector)


def test_a_total_that_is_only_the_pages_length_is_not_believed(shop: Shop) -> None:
    connector = shop.connector()
    rows = [{"entity_id": one, "increment_id": str(one), "updated_at": SECOND} for one in range(1, 21)]

    def lying(request: Request) -> requests.Response:
        query = asked(request)
        after = next((int(value) for key, value in query.items() if value.isdigit() and "filters" in key), 0)
        later = any(value == "gt" for key, value in query.items() if "condition_type" in key) and not after
        page = (
            [] if later else [row for row in rows if row["entity_id"] > after][: int(query["searchCriteria[pageSize]"])]
        )
        return reply(200, {"items": page, "total_count": len(page)})

    hook(connector, lying)
    assert sorted(int(one.key) for one in read(connector, page_size=7)) == list(range(1, 21))


def test_a_list_without_a_total_is_read_until_nothing_new_comes(shop: Shop) -> None:
    connector = shop.connector()
    real = connector.client.transport

    def untotalled(request: Request, timeout: tuple[float, float]) -> requests.Response:
        answer = real(request, timeout)
        body = answer.json()
        body.pop("total_count")
        return reply(200, body)

    connector.client.transport = untotalled
    assert [one.key for one in read(connector)] == expected(shop)


def test_a_repeated_page_of_nameless_entries_without_a_total_ends_the_reading(shop: Shop) -> None:
    connector = shop.connector()
    calls = hook(connector, lambda _: reply(200, {"items": ["junk", "more junk"]}))
    assert len(read(connector)) == 2
    assert len(calls) == 2


def test_memory_stays_flat(shop: Shop) -> None:
    cursor = Cursor(shop.connector().client, 20, lambda: datetime.now(UTC))
    for _ in cursor.pages(None):
        assert len(cursor.unplaced) == 0


def test_it_stops_between_pages_when_the_run_is_stopped(shop: Shop) -> None:
    connector = shop.connector()
    pages = orders(connector).read(None, Options({"page_size": 10, "initial_from": None}))
    next(pages)
    connector.host.stop.set()
    assert list(pages) == []


def test_codes_of_orders_are_learned_once(shop: Shop) -> None:
    taught: list[str] = []
    connector = shop.connector()
    learn = connector.host.learn

    def spy(kind: str, entries: Any) -> None:
        entries = list(entries)
        taught.extend(f"{kind} {one.id}" for one in entries)
        learn(kind, entries)

    connector.host.learn = spy  # type: ignore[method-assign]
    read(connector)
    assert len(taught) == len(set(taught))
    assert "order_status processing" in taught
    assert {one.id for one in connector.host.catalogue("payment_method")}
    assert all("_" in one.id for one in connector.host.catalogue("shipping_method"))


def test_one_order_is_fetched_by_id_and_by_number(shop: Shop) -> None:
    made = orders(shop.connector())
    order = shop.orders()[0]
    by_key, by_number = made.get(str(order["entity_id"])), made.number(order["increment_id"])
    assert by_key is not None
    assert by_number is not None
    assert by_key.version == by_number.version
    assert made.get("999999") is None
    assert made.number("none") is None


def test_a_broken_order_is_not_taken_for_a_deleted_one(shop: Shop) -> None:
    key = shop.orders()[0]["entity_id"]
    shop.control("configure", broken_orders=[key])
    with pytest.raises(RecordFailed, match="product does not exist"):
        orders(shop.connector()).get(str(key))


def test_an_order_that_only_its_own_address_chokes_on_is_taken_from_the_list(shop: Shop) -> None:
    connector = shop.connector()
    key = str(shop.orders()[0]["entity_id"])

    def choke(request: Request) -> requests.Response | None:
        return reply(404, {"message": "gone?"}) if urlsplit(str(request.url)).path.endswith(f"/{key}") else None

    hook(connector, choke)
    found = orders(connector).get(key)
    assert found is not None
    assert found.key == key


def test_of_several_orders_with_one_number_the_newest_is_taken(shop: Shop) -> None:
    for store in (1, 2):
        shop.control("add_order", increment_id="twin", updated_at=SECOND, items=[], store_id=store)
    found = orders(shop.connector()).number("twin")
    assert found is not None
    assert found.key == str(max(one["entity_id"] for one in shop.orders() if one["increment_id"] == "twin"))


def admitted(shop: Shop, number: int, given: dict[str, Any] | None = None, **changes: Any) -> SkipRecord | None:
    made = orders(shop.connector())
    payload = {**(read(shop.connector())[number].payload or {}), **changes}
    payload = {key: value for key, value in payload.items() if value is not None}
    try:
        made.admits(made.parse(payload), options_for(Orders, given or {}, side="source"))
    except SkipRecord as skipped:
        return skipped
    return None


def test_only_the_wanted_statuses_are_admitted(shop: Shop) -> None:
    wanted = {"status_filter": ["processing", "packed"]}
    assert admitted(shop, 0, status="anything") is None
    assert admitted(shop, 0, wanted, status="packed") is None
    skipped = admitted(shop, 0, wanted, status="closed")
    assert str(skipped) == "status 'closed' is not in \"Process orders with status\""
    assert skipped is not None
    assert skipped.setting == "status_filter"
    missing = admitted(shop, 0, wanted, status=None)
    assert missing is not None
    assert "no status" in str(missing)
    assert admitted(shop, 0, status=None) is None


def test_a_cancelled_order_that_was_edited_names_its_successor(shop: Shop) -> None:
    changes: dict[str, Any] = {
        "state": "canceled",
        "status": "canceled",
        "relation_child_id": "99",
        "relation_child_real_id": "1-1",
    }
    assert "1-1" in str(admitted(shop, 0, **changes))


def test_an_order_without_lines_is_not_admitted(shop: Shop) -> None:
    made = orders(shop.connector())
    record = made.parse(read(shop.connector())[0].payload or {})
    with pytest.raises(SkipRecord, match="no lines"):
        made.admits(replace(record, lines=(), grand_total=Decimal(0)), options_for(Orders, {}, side="source"))


def test_an_order_without_items_that_costs_something_fails_by_name(shop: Shop) -> None:
    made = orders(shop.connector())
    payload = {**(read(shop.connector())[0].payload or {}), "items": []}
    record = made.parse(payload)
    with pytest.raises(RecordFailed, match=rf"Order {record.number} has no items, but a total of {record.grand_total}"):
        made.admits(record, options_for(Orders, {}, side="source"))
