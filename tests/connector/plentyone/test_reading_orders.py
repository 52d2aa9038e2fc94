"""Orders are read by windows of time: every change once, nothing left out, with few calls. Over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from connector import Found, Options, Page, RetryLater, SkipRecord, StopRun
from connector.plentyone import windows
from connector.plentyone.orders import Orders
from connector.plentyone.relatives import found, lean
from connector.records import Deduction, DeductionKind, LineKind, Order, OrderKind
from connector.testing import options_for
from tests.connector.plentyone.records import line, order, shipping
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.test_parsing import item
from tests.connector.plentyone.test_parsing import order as payload
from tests.connector.plentyone.wire import Wire


def options(**given: Any) -> Options:
    engines = {name: given.pop(name) for name in ("page_size", "initial_from") if name in given}
    return Options({**options_for(Orders, given, side="source"), **engines})


def pages(shop: Shop, since: str | None = None, **given: Any) -> list[Page]:
    return list(shop.orders.read(since, options(**given)))


def records(read: list[Page]) -> list[Found]:
    return [one for page in read for one in page.records]


def keys(read: list[Page]) -> list[str]:
    return [one.key for one in records(read)]


def parsed(shop: Shop, one: Found | None) -> Order:
    assert one is not None
    assert one.payload is not None
    made: Order = shop.orders.parse(json.loads(json.dumps(one.payload, default=str)))  # as it comes from the store
    return made


def place(plenty: StandIn, number: int = 1, **given: Any) -> str:
    given.setdefault("lines", [{"sku": "SKU-1", "price": 10, "quantity": 3}, {"sku": "SKU-2", "price": 5}])
    return str(plenty.control("place", {"externalId": f"1000000{number:02}", **given})["id"])


def test_what_people_map_is_told_of_each_order_that_is_read(shop: Shop, plenty: StandIn) -> None:
    place(plenty)
    (one,) = records(pages(shop))
    host = shop.orders.host
    host.catalogues.clear()  # type: ignore[attr-defined]
    made = parsed(shop, one)
    told = {kind: {entry.id for entry in entries} for kind, entries in host.catalogues.items()}  # type: ignore[attr-defined]
    expected = {
        "webstore": made.store,
        "contact_class": made.customer.group,
        "payment_method": made.payment.method,
        "shipping_profile": made.shipping_method,
        "warehouse": made.fulfilment.warehouse,
    }
    assert made.store
    assert made.payment.method
    assert {kind: ids for kind, ids in told.items() if kind != "gender"} == {
        kind: {value} for kind, value in expected.items() if value
    }


def listed(plenty: StandIn) -> list[dict[str, Any]]:
    """The queries that asked for a window."""
    asked = [dict(_pairs(one["query"])) for one in plenty.requests() if one["path"] == "/rest/orders"]
    return [one for one in asked if "updatedAtTo" in one]


def _pairs(query: Any) -> Any:
    return query.items() if isinstance(query, dict) else query


# what is read


def test_a_family_is_read_with_the_shops_number_by_two_calls(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    packed = {"packageNumber": "T1", "items": [{"sku": "SKU-1", "quantity": 2}]}
    part = plenty.control("ship_part", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 2}], "packages": [packed]})
    plenty.control("invoice", {"id": sale, "number": "INV-7"})
    back = plenty.control("return", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}]})
    note = plenty.control("credit", {"id": back["id"], "document": True, "pay_back": True})
    read = pages(shop)
    assert keys(read) == [sale, str(part["id"]), str(note["id"])]
    assert shop.called() == ["GET /rest/orders"] * 2
    assert {one.number for one in records(read)} == {"100000001"}
    first, delivery, credit = (parsed(shop, one) for one in records(read))
    assert first.fulfilment.shares
    assert [one.number for one in first.fulfilment.documents] == ["INV-7"]
    assert delivery.fulfilment.kind is OrderKind.DELIVERY
    assert (delivery.fulfilment.origin, delivery.fulfilment.shipped_at is not None) == (sale, True)
    assert [(one.number, one.title) for one in delivery.fulfilment.packages] == [("T1", "DHL")]
    assert [(one.line, one.quantity) for one in delivery.fulfilment.packages[0].parts] == [(delivery.lines[0].key, 2)]
    assert (credit.fulfilment.kind, credit.fulfilment.origin, credit.fulfilment.parent) == (
        OrderKind.CREDIT,
        sale,
        str(back["id"]),
    )
    assert (credit.grand_total, credit.paid) == (Decimal("10.00"), Decimal("10.00"))
    assert len(credit.fulfilment.documents) == 1


def test_a_delivery_that_the_list_does_not_show_yet_is_known_of_its_sale(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    plenty.control("advance", {"seconds": 60})
    plenty.control("configure", {"index_lag": 5})
    part = plenty.control("ship_part", {"id": sale, "packageNumber": "T1"})
    (one,) = records(pages(shop))
    assert shop.called() == ["GET /rest/orders", "GET /rest/orders", f"GET /rest/orders/{part['id']}"]
    assert (one.key, parsed(shop, one).fulfilment.shares) == (sale, True)


def test_a_page_without_families_costs_one_call(plenty: StandIn, shop: Shop) -> None:
    place(plenty)
    pages(shop)
    assert shop.called() == ["GET /rest/orders"]


def test_the_origin_is_fetched_where_the_child_does_not_carry_the_number(plenty: StandIn, shop: Shop) -> None:
    plenty.control("configure", {"children_carry_external_id": False})
    sale = place(plenty)
    notes = [plenty.control("credit", {"id": sale, **given}) for given in ({"only": "shipping"}, {"amount": 2})]
    plenty.control("advance", {"seconds": 3600})
    later(shop, 3600)
    mark = pages(shop)[-1].mark
    for note in notes:
        plenty.control("touch", {"id": note["id"]})
    shop.called()
    read = records(pages(shop, mark))
    assert [one.number for one in read] == ["100000001", "100000001"]
    assert [parsed(shop, one).grand_total for one in read] == [Decimal("4.90"), Decimal("2.00")]
    assert shop.called() == ["GET /rest/orders"] * 2


def later(shop: Shop, seconds: float) -> None:
    """Our clock goes as that of the stand-in, which was put forward."""
    real = type(shop.host).now
    shop.host.now = lambda: real(shop.host) + timedelta(seconds=seconds)  # type: ignore[method-assign]


def test_what_our_export_sent_comes_back_to_the_cent_with_the_shops_lines(plenty: StandIn, shop: Shop) -> None:
    card = Deduction(kind=DeductionKind.GIFT_CARD, amount=Decimal("7.13"), name="Gift card", code="GC1")
    credit = Deduction(kind=DeductionKind.STORE_CREDIT, amount=Decimal("2.00"), name="Store credit")
    odd = line("12", "19.99", "3", sku="SKU-2", discount=Decimal("3.34"))
    sent = [
        order("100000001"),
        order("100000002", lines=(line(), odd, shipping())),
        order("100000003", lines=(line(), odd, shipping()), deductions=(card, credit)),
        order("100000004", lines=(line(sku="UNKNOWN"), shipping(tax_rate=Decimal(7)))),
        order("100000005", currency="CHF", exchange_rate=Decimal("0.95")),
    ]
    for one in sent:
        shop.orders.write(one, shop.known(), shop.options())
    for how in (True, False):
        plenty.control("configure", {"gift_card_lowers_total": how})
        read = [parsed(shop, one) for one in records(pages(shop))]
        assert [(one.number, one.grand_total, one.currency) for one in read] == [
            (one.number, one.grand_total, one.currency) for one in sent
        ]
        assert all(one.residual is None for one in read)
        assert read[2].deductions[0].amount == Decimal("7.13")
        for mine, theirs in zip(read, sent, strict=True):
            assert {one.external for one in mine.lines} == {one.key for one in theirs.lines}
            assert sum(one.quantity for one in mine.lines if one.kind is LineKind.PRODUCT) == sum(
                one.quantity for one in theirs.lines if one.kind is LineKind.PRODUCT
            )
        assert read[3].lines[0].sku == "UNKNOWN"


# windows


def test_the_next_reading_begins_five_minutes_before_the_end_of_the_last(plenty: StandIn, shop: Shop) -> None:
    first = place(plenty)
    plenty.control("advance", {"seconds": 3600})
    later(shop, 3600)
    mark = pages(shop)[-1].mark
    assert mark is not None
    until = datetime.fromisoformat(json.loads(mark)["until"])
    plenty.control("advance", {"seconds": 3600})
    later(shop, 7200)
    second = place(plenty, 2)
    assert keys(pages(shop, mark)) == [second]
    asked = listed(plenty)[-1]
    assert datetime.fromisoformat(asked["updatedAtFrom"]) == until - timedelta(minutes=5)
    assert asked["updatedAtTo"].endswith("+00:00")
    assert (asked["sortBy"], asked["sortOrder"], asked["orderType"]) == ("id", "asc", "1,2,4")
    plenty.control("pay", {"id": first, "amount": 1})
    assert keys(pages(shop, mark)) == [first, second]


def test_an_unchanged_order_comes_in_the_overlap_with_the_same_version(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    plenty.control("credit", {"id": sale, "only": "shipping"})
    once = pages(shop)
    again = pages(shop, once[-1].mark)
    assert [(one.key, one.version) for one in records(once)] == [(one.key, one.version) for one in records(again)]
    assert shop.orders.get(sale) == records(once)[0]


def test_a_mark_that_cannot_be_read_reads_everything(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    assert keys(pages(shop, "{broken")) == [sale]


def test_the_first_reading_begins_where_the_setting_says(plenty: StandIn, shop: Shop) -> None:
    place(plenty)
    tomorrow = (shop.host.now() + timedelta(days=1)).date()
    read = pages(shop, initial_from=tomorrow)
    assert keys(read) == []
    with pytest.raises(StopRun, match="'Read from' is no date"):
        pages(shop, initial_from="some day")


def test_an_order_that_leaves_the_window_while_paging_takes_no_other_with_it(plenty: StandIn, shop: Shop) -> None:
    made = [place(plenty, number) for number in range(1, 12)]
    shop.called()
    reading = shop.orders.read(None, options(page_size=2))
    read = [next(page for page in reading if page.records)]
    plenty.control("advance", {"seconds": 60})
    for moved in made[:3]:
        plenty.control("touch", {"id": moved})
    read += reading
    assert sorted(set(keys(read))) == made
    assert keys(read) == list(dict.fromkeys(keys(read)))
    later(shop, 60)
    assert set(keys(pages(shop, read[-1].mark))) >= set(made[:3])


def test_an_order_that_comes_into_the_window_late_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "FRESH", timedelta(days=1))  # as one window
    wire = Wire()
    late = [payload("10.00", item(11, "10.00"), id=id) for id in (1, 2, 3, 4, 5)]
    soon = [one for one in late if one["id"] != 1]
    wire.on("GET /rest/orders", lambda: envelope(soon if wire.calls("/rest/orders") == 1 else late, asked_page(wire)))
    read = list(Orders(wire.connector).read(json.dumps({"until": recently(wire)}), options(page_size=2)))
    assert sorted(keys(read)) == ["1", "2", "3", "4", "5"]
    assert read[-1].mark is not None


def asked_page(wire: Wire) -> int:
    return int(parse_qs(urlsplit(str(wire.sent[-1].url)).query)["page"][0])


def recently(wire: Wire) -> str:
    return wire.host.now().isoformat()


def envelope(rows: list[Any], page: int, size: int = 2) -> tuple[int, Any]:
    pages_ = max(1, -(-len(rows) // size))
    page = min(page, pages_)
    shown = json.loads(json.dumps(rows[(page - 1) * size : page * size], default=str))
    told = {"page": page, "totalsCount": len(rows), "isLastPage": page == pages_, "lastPageNumber": pages_}
    return 200, {**told, "itemsPerPage": size, "entries": shown}


def test_a_window_with_many_orders_is_halved_and_the_mark_moves_with_each(
    plenty: StandIn, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "PAGES", 2)
    made = []
    for number in range(1, 25):
        made.append(place(plenty, number))
        plenty.control("advance", {"seconds": 30})
    later(shop, 24 * 30)
    start = (shop.host.now() - timedelta(days=1)).date()
    read = pages(shop, page_size=3, initial_from=start)
    assert sorted(keys(read)) == made
    marks = [page.mark for page in read if page.mark]
    assert len(marks) > 3
    assert marks == sorted(marks)
    assert [page.total for page in read] == [24] * len(read)


def test_the_mark_moves_only_as_far_as_everything_was_read(
    plenty: StandIn, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "PAGES", 2)
    made = []
    for number in range(1, 13):
        made.append(place(plenty, number))
        plenty.control("advance", {"seconds": 600})
    later(shop, 12 * 600)
    got: list[str] = []
    mark: str | None = None
    for page in shop.orders.read(None, options(page_size=2)):  # a reading that is killed after some pages
        got += [one.key for one in page.records]
        mark = page.mark or mark
        if mark and len(got) >= 5:
            break
    assert mark is not None
    assert len(got) < len(made)
    assert sorted({*got, *keys(pages(shop, mark, page_size=2))}) == made


def test_a_clock_of_ours_that_is_ahead_leaves_nothing_out() -> None:
    wire = Wire()
    there = wire.host.now() - timedelta(hours=2)
    wire.on("GET /rest/orders", (*envelope([], 1), {"Date": format_datetime(there, usegmt=True)}))
    first = list(Orders(wire.connector).read(None, options()))[-1].mark
    assert first is not None
    assert abs(datetime.fromisoformat(json.loads(first)["until"]) - there) < timedelta(seconds=5)


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=20_000)])
def test_a_date_that_is_ahead_moves_no_mark_into_the_future(ahead: timedelta) -> None:
    wire = Wire()
    there = wire.host.now() + ahead
    wire.on("GET /rest/orders", (*envelope([], 1), {"Date": format_datetime(there, usegmt=True)}))
    mark = list(Orders(wire.connector).read(None, options()))[-1].mark
    assert mark is not None
    assert datetime.fromisoformat(json.loads(mark)["until"]) <= wire.host.now()


def test_a_mark_in_the_future_hides_no_order() -> None:
    wire = Wire()
    wire.on("GET /rest/orders", (*envelope([], 1), {}))
    list(Orders(wire.connector).read(json.dumps({"until": "2100-01-01T00:00:00+00:00"}), options()))
    asked = dict(parse_qsl(urlsplit(wire.sent[-1].url or "").query))
    assert datetime.fromisoformat(asked["updatedAtFrom"]) <= wire.host.now()
    assert datetime.fromisoformat(asked["updatedAtTo"]) >= wire.host.now()


def test_with_a_fifth_of_all_calls_failing_every_order_is_read(plenty: StandIn, shop: Shop) -> None:
    shop.orders.client.read_seconds = 0.5
    shop.host.sleep = lambda seconds: bool(shop.host.stop.wait(min(seconds, 0.01)))  # type: ignore[assignment]
    made = [place(plenty, number) for number in range(1, 16)]
    notes = [str(plenty.control("credit", {"id": sale, "only": "shipping"})["id"]) for sale in made[:5]]
    kinds = [
        {"kind": "status", "status": 500},
        {"kind": "html_503"},
        {"kind": "drop_before"},
        {"kind": "drop_after"},
        {"kind": "truncated"},
        {"kind": "html_200"},
    ]
    plenty.faults(*({"method": "GET", "rate": 0.2 / len(kinds), "seed": n, **kind} for n, kind in enumerate(kinds)))
    mark: str | None = None
    got: dict[str, Found] = {}
    for _ in range(20):
        try:
            for page in shop.orders.read(mark, options(page_size=4)):
                got |= {one.key: one for one in page.records}
                mark = page.mark or mark
            break
        except RetryLater:
            continue
    assert sorted(got) == sorted([*made, *notes])
    assert {parsed(shop, got[key]).fulfilment.origin for key in notes} == set(made[:5])


def test_a_page_of_odd_rows_loses_none_and_names_each() -> None:
    wire = Wire()
    good = payload("10.00", item(11, "10.00"), id="7")
    rows = [good, "what", None, {"typeId": 1}, {"id": "x"}, {**good, "id": 8, "orderItems": "none"}]
    wire.on("GET /rest/orders", (200, json.loads(json.dumps(rows, default=str))))
    source = Orders(wire.connector)
    read = records(list(source.read(None, options())))
    assert [one.key for one in read[:2]] == ["7", "8"]
    assert len(read) == 6
    assert all(one.error and "PlentyONE listed" in one.error for one in read[2:])
    assert 'received: "what"' in str(read[2].error)
    assert source.parse(read[0].payload or {}).grand_total == 10


def test_a_list_that_is_refused_stops_the_run_in_words() -> None:
    wire = Wire()
    wire.on("GET /rest/orders", (422, {"error": {"message": "no"}}))
    with pytest.raises(StopRun, match="No changed orders can be read"):
        list(Orders(wire.connector).read(None, options()))


def test_a_window_that_never_comes_to_rest_is_left_for_the_next_run() -> None:
    wire = Wire()
    many = [payload("10.00", item(11, "10.00"), id=id) for id in range(1, 200)]
    turn: Iterator[int] = iter(range(10_000))
    wire.on("GET /rest/orders", lambda: envelope(many[next(turn) :], 1))
    read = list(Orders(wire.connector).read(json.dumps({"until": recently(wire)}), options(page_size=2)))
    assert all(page.mark is None for page in read)
    assert wire.calls("/rest/orders") < 100


# settings


def test_only_the_chosen_relations_are_loaded_and_what_the_target_asks_for(plenty: StandIn, shop: Shop) -> None:
    wire = Wire()
    wire.on("GET /rest/orders", envelope([], 1))
    source = Orders(wire.connector)

    def loaded() -> set[str]:
        named = parse_qs(urlsplit(str(wire.sent[-1].url)).query)["with[]"]
        assert len(named) == len(set(named))
        return set(named)

    list(source.read(None, options(with_relations=[])))
    assert loaded() == {"relations", "addresses", "originOrderReferences"}
    source.asked = frozenset({"documents"})
    list(source.read(None, options(with_relations=["comments"])))
    assert loaded() >= {"comments", "documents"}
    list(source.read(None, options(with_relations=["addresses", "payments", "shippingInformation"])))
    assert loaded() == {
        "relations",
        "addresses",
        "originOrderReferences",
        "documents",
        "payments",
        "shippingInformation",
    }
    place(plenty)
    bare = records(pages(shop, with_relations=[]))[0]
    assert parsed(shop, bare).grand_total == Decimal("39.90")


def test_packages_and_documents_change_the_version_though_the_time_stays() -> None:
    plain = payload("10.00", item(11, "10.00"))
    versions = {found(lean(one)).version for one in (
        plain,
        {**plain, "documents": [{"id": 1, "type": "invoice"}]},
        {**plain, "shippingPackages": [{"id": 1, "packageNumber": ""}]},
        {**plain, "shippingPackages": [{"id": 1, "packageNumber": "T"}]},
    )}  # fmt: skip
    assert len(versions) == 4
    seen = {**plain, "contactReceiver": {"id": 1, "lastLoginAt": "2026-01-01"}}
    again = {**plain, "contactReceiver": {"id": 1, "lastLoginAt": "2026-01-02"}}
    assert found(lean(seen)).version == found(lean(again)).version


def test_referrers_that_are_not_wanted_are_skipped_and_returns_too(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    record = parsed(shop, shop.orders.get(sale))
    shop.orders.admits(record, options())
    shop.orders.admits(record, options(referrer_filter=["4.01"]))
    with pytest.raises(SkipRecord, match=r"referrer 4\.01 is not in") as caught:
        shop.orders.admits(record, options(referrer_filter=[1, 4]))
    assert caught.value.setting == "referrer_filter"
    assert caught.value.only_new
    back = plenty.control("return", {"id": sale})
    with pytest.raises(SkipRecord, match="is a return"):
        shop.orders.admits(parsed(shop, shop.orders.get(str(back["id"]))), options())


# single ones


def test_a_number_is_the_shops_or_else_plentyones_own(plenty: StandIn, shop: Shop) -> None:
    old = place(plenty)
    new = place(plenty)
    plenty.control("split", {"id": new, "lines": [{"sku": "SKU-2", "quantity": 1}]})
    assert [one.key for one in (shop.orders.number("100000001"), shop.orders.number(old)) if one] == [new, old]
    assert shop.orders.number("100000009") is None
    assert shop.orders.number("no such") is None


def test_what_was_split_off_is_a_sale_that_names_its_origin(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    _, off = plenty.control("split", {"id": sale, "lines": [{"sku": "SKU-2", "quantity": 1}]})
    record = parsed(shop, shop.orders.get(str(off["id"])))
    assert (record.fulfilment.kind, record.fulfilment.origin) == (OrderKind.SALE, sale)
    assert (record.number, record.grand_total) == ("100000001", Decimal("5.00"))
    assert not parsed(shop, shop.orders.get(sale)).fulfilment.shares


def test_the_family_of_a_sale_holds_the_credit_notes_of_its_returns(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    place(plenty, 2)
    part = plenty.control("ship_part", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 2}]})
    back = plenty.control("return", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}]})
    note = plenty.control("credit", {"id": back["id"]})
    more = plenty.control("credit", {"id": sale, "amount": 1})
    whole = shop.orders.number("100000001")
    assert whole is not None
    assert [one.key for one in shop.orders.family(whole)] == [str(one["id"]) for one in (part, note, more)]


def test_the_latest_come_newest_first(plenty: StandIn, shop: Shop) -> None:
    made = [place(plenty, number) for number in range(1, 5)]
    assert [one.key for one in shop.orders.latest(2)] == [made[3], made[2]]


def test_what_is_gone_is_none(plenty: StandIn, shop: Shop) -> None:
    assert shop.orders.get("999999") is None


def test_cancelled_and_waiting_orders_say_so_by_their_status(plenty: StandIn, shop: Shop) -> None:
    sale = place(plenty)
    plenty.control("hold", {"id": sale})
    assert parsed(shop, shop.orders.get(sale)).status == "3.2"
    plenty.control("cancel", {"id": sale})
    record = parsed(shop, shop.orders.get(sale))
    assert (record.status, record.cancelled) == ("8", True)
    assert str(record.fulfilment.status_name).startswith("[8]")


def test_the_offset_of_a_time_is_encoded() -> None:
    wire = Wire()
    wire.on("GET /rest/orders", envelope([], 1))
    list(Orders(wire.connector).read(json.dumps({"until": recently(wire)}), options()))
    query = urlsplit(str(wire.sent[-1].url)).query
    assert "%2B00%3A00" in query
    assert dict(parse_qsl(query))["updatedAtTo"].endswith("+00:00")
