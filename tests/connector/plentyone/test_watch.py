"""Orders are watched for events: all types, with statuses they passed, serial numbers and papers. Over HTTP."""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector import Found, Options, Page, RecordFailed, RetryLater, StopRun
from connector.plentyone import PlentyOne
from connector.plentyone.parsing import Parser
from connector.plentyone.watch import FILTERS, OrderEvents
from connector.procedures import Filter
from connector.records import Document, DocumentKind, IdentifierKind, Order, OrderKind, Payback
from connector.testing import ConnectorContract, options_for
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.test_parsing import item
from tests.connector.plentyone.test_parsing import order as payload
from tests.connector.plentyone.test_reading_orders import parsed, place, records
from tests.connector.plentyone.wire import Wire

IMEI = "490154203237518"


class TestPlentyOne(ConnectorContract):
    connector = PlentyOne


@pytest.fixture
def events(shop: Shop) -> OrderEvents:
    shop.host.calls.clear()
    return OrderEvents(shop.connector)


def options(**given: Any) -> Options:
    engines: dict[str, Any] = {name: given.pop(name) for name in ("page_size", "initial_from") if name in given}
    return Options({**dict(options_for(OrderEvents, given, side="source")), **engines})


def pages(events: OrderEvents, since: str | None = None, **given: Any) -> list[Page]:
    return list(events.read(since, options(**given)))


def mark(read: list[Page]) -> str:
    return str([page.mark for page in read if page.mark][-1])


def order(events: OrderEvents, found: Found | None) -> Order:
    assert found is not None
    assert found.payload is not None
    return events.parse(json.loads(json.dumps(found.payload, default=str)))


def asked(plenty: StandIn, path: str) -> list[dict[str, Any]]:
    return [dict(_pairs(one["query"])) for one in plenty.requests() if one["path"] == path]


def _pairs(query: Any) -> Any:
    return query.items() if isinstance(query, dict) else query


# reading


def test_all_four_types_are_read_with_the_statuses_they_passed_by_one_listing(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    sale = place(plenty, referrerId=183)
    part = plenty.control("ship_part", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}], "packageNumber": "T1"})
    back = plenty.control("return", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}]})
    note = plenty.control("credit", {"id": back["id"]})
    read = pages(events)
    assert [one.key for one in records(read)] == [sale, str(part["id"]), str(back["id"]), str(note["id"])]
    sold, delivery, returned, credit = (order(events, one) for one in records(read))
    kinds = [one.fulfilment.kind for one in (sold, delivery, returned, credit)]
    assert kinds == [OrderKind.SALE, OrderKind.DELIVERY, OrderKind.RETURN, OrderKind.CREDIT]
    assert {one.fulfilment.number for one in (sold, delivery, returned, credit)} == {"100000001"}
    assert (returned.fulfilment.origin, credit.fulfilment.parent) == (sale, str(back["id"]))
    assert [one.status for one in sold.fulfilment.passed] == ["5", "6"]
    assert [one.status for one in delivery.fulfilment.passed] == ["4", "7"]
    assert sold.fulfilment.passed[0].at <= sold.fulfilment.passed[1].at <= sold.updated_at
    assert shop.called().count("GET /rest/orders/status-history") == 1


def test_a_status_that_was_left_again_at_once_is_known(plenty: StandIn, events: OrderEvents) -> None:
    sale = place(plenty)
    since = mark(pages(events))
    for status in ("5.1", "6", "7"):
        plenty.control("set_status", {"id": int(sale), "statusId": status})
    found = records(pages(events, since))
    assert [one.status for one in order(events, found[0]).fulfilment.passed][-3:] == ["5.1", "6", "7"]


def test_the_version_of_an_order_does_not_depend_on_how_much_history_is_read(
    plenty: StandIn, events: OrderEvents
) -> None:
    sale = place(plenty)
    plenty.control("set_status", {"id": int(sale), "statusId": "6"})
    first = records(pages(events))[0]
    assert first.payload is not None
    assert first.payload["passed"]
    again = events.get(sale)
    assert again is not None
    assert "passed" not in (again.payload or {})
    assert again.version == first.version


@pytest.mark.parametrize("refusal", [403, 404])
def test_a_system_that_tells_no_history_is_read_without_and_not_asked_again(
    plenty: StandIn, shop: Shop, events: OrderEvents, refusal: int
) -> None:
    place(plenty)
    plenty.control("configure", {"status_history": False, "status_history_refusal": refusal})
    read = pages(events)
    assert order(events, records(read)[0]).fulfilment.passed is None
    pages(OrderEvents(shop.another()), mark(read))
    assert shop.called().count("GET /rest/orders/status-history") == 1


@pytest.mark.parametrize("refusal", [403, 404])
def test_the_test_of_a_watched_connection_names_the_missing_right_and_what_is_lost_by_it(
    plenty: StandIn, shop: Shop, refusal: int
) -> None:
    place(plenty)
    plenty.control("configure", {"status_history": False, "status_history_refusal": refusal})
    assert all(one.ok for one in shop.connector.check())  # nobody watches its orders
    shop.host.reads = lambda: {"event"}  # type: ignore[method-assign]
    bad = [one for one in shop.connector.check() if not one.ok]
    assert [one.name for one in bad] == ["Status history of orders"]
    assert "only the last one is an event" in bad[0].message
    assert "Grant the REST user the right to see the status history of orders" in bad[0].message


def test_what_a_run_went_without_is_said_until_the_test_finds_that_it_may_be_read(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    place(plenty)
    shop.host.reads = lambda: {"event"}  # type: ignore[method-assign]
    pages(events)
    assert events.lacks() == []
    plenty.control("configure", {"status_history": False})
    pages(events)
    (said,) = events.lacks()
    assert "status history" in said
    assert "order.status_history.show" in said  # as the system called the right
    plenty.control("configure", {"status_history": True})
    assert OrderEvents(shop.another()).lacks() == [said]
    assert all(one.ok for one in shop.another().check())
    assert OrderEvents(shop.another()).lacks() == []


def test_an_order_that_is_asked_for_by_its_number_comes_with_its_family_and_their_history(
    plenty: StandIn, events: OrderEvents
) -> None:
    sale = place(plenty)
    back = plenty.control("return", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}]})
    found = events.number("100000001")
    assert [one.status for one in order(events, found).fulfilment.passed] == ["5"]
    assert found is not None
    assert [one.key for one in events.family(found)] == [str(back["id"])]
    assert [one.key for one in events.latest(5)] == [str(back["id"]), sale]


def test_history_in_an_envelope_is_understood(plenty: StandIn, events: OrderEvents) -> None:
    place(plenty)
    plenty.control("configure", {"status_history_enveloped": True})
    assert [one.status for one in order(events, events.number("100000001")).fulfilment.passed] == ["5"]


def test_an_invoice_is_seen_even_where_it_does_not_move_the_order(plenty: StandIn, events: OrderEvents) -> None:
    sale = place(plenty)
    other = place(plenty, 2)
    plenty.control("advance", {"seconds": 3600})
    plenty.control("touch", {"id": int(other)})
    since = mark(pages(events))
    plenty.control("advance", {"seconds": 3600})
    plenty.control("configure", {"documents_move_order": False})
    plenty.control("invoice", {"id": int(sale), "number": "INV-9"})
    late = json.dumps({"until": (datetime.fromisoformat(json.loads(since)["until"]) + timedelta(hours=2)).isoformat()})
    events.host.now = lambda: datetime.now(UTC) + timedelta(hours=2)  # type: ignore[method-assign]
    found = records(pages(events, late))
    assert [one.key for one in found] == [sale]
    assert [one.number for one in order(events, found[0]).fulfilment.documents] == ["INV-9"]


def test_only_the_chosen_referrers_are_watched(plenty: StandIn, events: OrderEvents) -> None:
    sale = place(plenty, referrerId=183)
    place(plenty, 2)
    phone = place(plenty, 3, referrerId=9)
    assert [one.key for one in records(pages(events, watched_referrers=["183.00"]))] == [sale]
    listed = [one for one in asked(plenty, "/rest/orders") if "updatedAtTo" in one]
    assert {one.get("referrerId") for one in listed} == {"183"}
    both = records(pages(events, watched_referrers=[183, "9.00"]))
    assert [one.key for one in both] == [sale, phone]


def test_a_first_reading_goes_back_ninety_days_or_as_far_as_is_said(plenty: StandIn, events: OrderEvents) -> None:
    place(plenty)
    pages(events)
    pages(events, initial_from="2026-01-01")
    begun = [one["updatedAtFrom"] for one in asked(plenty, "/rest/orders") if "updatedAtFrom" in one]
    days = (datetime.now(UTC) - datetime.fromisoformat(begun[0])).days
    assert 89 <= days <= 90
    assert "2026-01-01T00:00:00+00:00" in begun


def test_after_a_pause_the_history_of_all_of_it_is_read_however_many_windows_there_are(
    plenty: StandIn, events: OrderEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.plentyone.windows.PAGES", 1)
    monkeypatch.setattr("connector.plentyone.watch.PAGES", 1)
    made = []
    for number in range(1, 8):
        made.append(place(plenty, number))
        plenty.control("set_status", {"id": int(made[-1]), "statusId": "6"})
        if number == 4:
            plenty.control("advance", {"seconds": 7200})
    events.host.now = lambda: datetime.now(UTC) + timedelta(hours=2)  # type: ignore[method-assign]
    since = json.dumps({"until": (datetime.now(UTC) - timedelta(days=3)).isoformat()})
    found = {one.key: order(events, one) for one in records(pages(events, since, page_size=2))}
    assert set(found) == set(made)
    assert {tuple(told.status for told in one.fulfilment.passed) for one in found.values()} == {("5", "6")}
    listed = asked(plenty, "/rest/orders/status-history")
    edges = [tuple(datetime.fromisoformat(one[name]) for name in ("createdAtFrom", "createdAtTo")) for one in listed]
    assert edges[0][0] < datetime.now(UTC) - timedelta(days=3)
    assert len(edges) > 1
    for (begin, end), (following, _) in itertools.pairwise(edges):
        assert following == max(begin, end - timedelta(minutes=5))  # what was stored late is read as well


def test_the_history_is_listed_once_for_all_pages_of_a_window(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    made = [place(plenty, number) for number in range(1, 6)]
    read = pages(events, page_size=2)
    assert sorted(one.key for one in records(read)) == sorted(made)
    assert len(read) > 2
    (listed,) = asked(plenty, "/rest/orders/status-history")
    day = datetime.now(UTC) - datetime.fromisoformat(listed["createdAtFrom"])
    assert timedelta(hours=23) < day < timedelta(hours=25)  # of a first reading no more is needed


# serial numbers


def test_serial_numbers_of_the_items_come_along(plenty: StandIn, events: OrderEvents) -> None:
    sale = place(plenty)
    plenty.control("scan", {"id": int(sale), "sku": "SKU-1", "serialNumber": "49-015420-323751-8"})
    plenty.control("scan", {"id": int(sale), "sku": "SKU-2", "serialNumber": "SN-7", "as": "transaction"})
    made = order(events, records(pages(events))[0])
    told = {line.sku: line.identifiers for line in made.lines}
    assert [(one.kind, one.value) for one in told["SKU-1"]] == [(IdentifierKind.IMEI, IMEI)]
    assert [(one.kind, one.value) for one in told["SKU-2"]] == [(IdentifierKind.SERIAL, "SN-7")]
    assert order(events, events.get(sale)).lines[0].identifiers == told["SKU-1"]


def test_a_cancelled_movement_identifies_nothing() -> None:
    rows = [
        {"identification": "SN-1", "status": "cancelled", "direction": "out"},
        {"identification": "SN-2", "status": "regular", "direction": "out"},
        {"identification": None, "status": "regular", "direction": "out"},
    ]
    made = Parser(lambda kind: []).parse(payload("10.00", item(1, "10.00", transactions=rows)))
    assert [one.value for one in made.lines[0].identifiers] == ["SN-2"]
    inner = [{"serialNumberId": 5, "itemSerialNumber": {"id": 5, "serialNumber": "SN-3"}}]
    made = Parser(lambda kind: []).parse(payload("10.00", item(1, "10.00", serialNumbers=inner, transactions=rows)))
    assert [one.value for one in made.lines[0].identifiers] == ["SN-3"]


def test_a_system_that_refuses_serial_numbers_is_read_without_them(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    sale = place(plenty)
    wire = Refusing(shop)
    try:
        read = pages(OrderEvents(wire.connector))
        assert [one.key for one in records(read)] == [sale]
        assert wire.refused == 1
        pages(OrderEvents(wire.connector), mark(read))
        assert wire.refused == 1
        assert order(events, OrderEvents(wire.connector).get(sale)).key == sale
    finally:
        wire.connector.close()


class Refusing:
    """A PlentyONE that does not know serial numbers."""

    def __init__(self, shop: Shop) -> None:
        self.connector = shop.another()
        self.refused = 0
        self._real = self.connector.client.transport
        self.connector.client.transport = self.send

    def send(self, request: Any, timeout: Any) -> Any:
        if "serialNumbers" in str(request.url):
            from tests.connector.plentyone.wire import response

            self.refused += 1
            return response(400, {"error": {"message": "Call to undefined relationship [serialNumbers]"}})
        return self._real(request, timeout)


# odd answers


def listing(wire: Wire, *orders: dict[str, Any]) -> None:
    envelope = {"page": 1, "totalsCount": len(orders), "isLastPage": True, "lastPageNumber": 1, "itemsPerPage": 100}
    wire.on("GET /rest/orders", (200, {**envelope, "entries": json.loads(json.dumps(orders, default=float))}))
    wire.on("GET /rest/orders/documents/find", (200, {**envelope, "totalsCount": 0, "entries": []}))


def now(**ago: float) -> str:
    return (datetime.now(UTC) - timedelta(**ago)).replace(microsecond=0).isoformat()


def since() -> str:
    return json.dumps({"until": now(minutes=2)})


def test_a_history_without_zones_is_read_in_the_zone_of_the_order() -> None:
    wire = Wire()
    at = datetime.now(UTC).replace(microsecond=0)
    local = (at + timedelta(hours=2)).replace(tzinfo=None)
    stamp = f"{local.isoformat()}+02:00"
    listing(wire, payload("10.00", item(1, "10.00"), id=7126, updatedAt=stamp))
    row = {"id": 1, "orderId": 7126, "statusId": 6, "createdAt": local.isoformat(sep=" ")}
    wire.on("GET /rest/orders/status-history", (200, {"page": 1, "isLastPage": True, "entries": [row]}))
    events = OrderEvents(wire.connector)
    assert [one.at for one in order(events, records(pages(events, since()))[0]).fulfilment.passed] == [at]


@pytest.mark.parametrize(
    "nonsense",
    [
        {"entries": "none"},
        {"page": 1, "isLastPage": True, "entries": [{"id": 1}, {"orderId": 7126, "statusId": "x", "createdAt": now()}]},
        {
            "page": 1,
            "isLastPage": True,
            "entries": [{"orderId": 7126, "statusId": 6, "createdAt": "2019-01-01 08:00:00"}],
        },
        [],
    ],
)
def test_a_history_of_nonsense_is_none(nonsense: Any) -> None:
    wire = Wire()
    listing(wire, payload("10.00", item(1, "10.00"), id=7126, updatedAt=now()))
    wire.on("GET /rest/orders/status-history", (200, nonsense))
    events = OrderEvents(wire.connector)
    assert not order(events, records(pages(events, since()))[0]).fulfilment.passed


def test_an_order_without_history_is_waited_for_only_where_a_history_is_kept() -> None:
    wire = Wire()
    listing(wire, payload("10.00", item(1, "10.00"), id=7126, updatedAt=now()))

    def passed(*entries: dict[str, Any]) -> Any:
        wire.on("GET /rest/orders/status-history", (200, {"page": 1, "isLastPage": True, "entries": list(entries)}))
        events = OrderEvents(wire.another())
        return order(events, records(pages(events, since()))[0]).fulfilment.passed

    assert passed() is None
    assert passed({"id": 1, "orderId": 99, "statusId": 6, "createdAt": now()}) == ()
    assert passed() == ()


def test_a_history_that_fails_is_waited_for_and_then_done_without() -> None:
    wire = Wire()
    listing(wire, payload("10.00", item(1, "10.00"), id=7126, updatedAt=now()))
    wire.on("GET /rest/orders/status-history", (500, {"error": {"message": "Too few arguments"}}))
    for _ in range(2):
        with pytest.raises(RetryLater):
            pages(OrderEvents(wire.another()), since())
    events = OrderEvents(wire.another())
    assert not order(events, records(pages(events, since()))[0]).fulfilment.passed


def test_a_list_of_documents_that_fails_is_waited_for_and_then_done_without() -> None:
    wire = Wire()
    listing(wire, payload("10.00", item(1, "10.00"), id=7126, updatedAt=now()))
    wire.on("GET /rest/orders/status-history", (200, {"page": 1, "isLastPage": True, "entries": []}))
    wire.on("GET /rest/orders/documents/find", (500, {"error": {"message": "Too few arguments"}}))
    for _ in range(2):
        with pytest.raises(RetryLater):
            pages(OrderEvents(wire.another()), since())
    events = OrderEvents(wire.another())
    assert [one.key for one in records(pages(events, since()))] == ["7126"]
    assert any("New documents cannot be listed" in said for said in events.lacks())


def test_orders_that_may_not_be_read_are_no_matter_of_serial_numbers() -> None:
    wire = Wire()
    listing(wire)
    wire.on("GET /rest/orders", (403, {"error": {"message": "This action is unauthorized."}}))
    with pytest.raises(StopRun):
        pages(OrderEvents(wire.connector), since())
    queries = [parse_qs(urlsplit(str(one.url)).query) for one in wire.sent if "/rest/orders?" in str(one.url)]
    assert ["orderItems.serialNumbers" in one["with[]"] for one in queries] == [True, False]


# filters


def test_filters_ask_by_the_ids_of_their_catalogues(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    place(plenty, referrerId=183, address={"countryId": 2})
    made = order(events, records(pages(events))[0])
    for one in FILTERS:
        if one.kind is not None:
            values = set(one.of(made))
            assert values, one.code
            assert values <= {entry.id for entry in shop.host.catalogue(one.kind)}, one.code
        else:
            assert set(one.of(made)) <= {value for value, _ in one.choices}, one.code
    by_code: dict[str, Filter] = {one.code: one for one in FILTERS}
    assert by_code["referrer"].of(made) == ("183",)
    assert by_code["country"].of(made) == ("2",)
    assert by_code["client"].of(made) == ("12345",)
    assert by_code["order_type"].of(made) == ("sale",)


# documents


def invoiced(plenty: StandIn, events: OrderEvents, **given: Any) -> tuple[Order, Document]:
    sale = place(plenty)
    plenty.control("invoice", {"id": int(sale), "number": "INV-7", **given})
    made = order(events, events.get(sale))
    return made, made.fulfilment.documents[0]


def test_the_file_of_an_invoice_is_a_pdf_to_the_byte(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    made, document = invoiced(plenty, events, bytes=70_001)
    found = events.content(made, document)
    assert (found[:5], len(found)) == (b"%PDF-", 70_001)
    assert b"PDF" not in " ".join(str(call.response) for call in shop.host.calls).encode()


def test_without_a_download_the_file_comes_from_the_list(plenty: StandIn, events: OrderEvents) -> None:
    made, document = invoiced(plenty, events)
    plenty.faults({"system": "plentyone", "path": "/rest/documents/*", "kind": "status", "status": 404})
    assert events.content(made, document).startswith(b"%PDF-")


@pytest.mark.parametrize("downloaded", [True, False])
@pytest.mark.parametrize("content", [b"<?xml version='1.0'?><Invoice/>", b"PK\x03\x04 a spreadsheet"])
def test_a_file_that_was_read_and_is_no_pdf_fails_by_name(content: bytes, downloaded: bool) -> None:
    wire = Wire()
    listing(wire)
    row = {"id": 700, "type": "invoice_external", "numberWithPrefix": "INV-7", "status": "done"}
    told = {"page": 1, "isLastPage": True, "entries": [row]}
    wire.on("GET /rest/orders/documents/find", (200, told))
    kind = {"Content-Type": "application/xml" if downloaded else "application/json"}
    wire.on("GET /rest/documents/700", (200, content.decode() if downloaded else {"error": "no file"}, kind))
    listed = {**row, "content": base64.b64encode(content).decode()}
    wire.on("GET /rest/orders/7126/documents/invoice_external", (200, {**told, "entries": [listed]}))
    made = replace(Parser(lambda kind: []).parse(payload("10.00", item(1, "10.00"))), key="7126", number="100000001")
    with pytest.raises(RecordFailed, match="document INV-7 of order 100000001 is no PDF") as failed:
        OrderEvents(wire.connector).content(made, Document(key="700", kind=DocumentKind.INVOICE, number="INV-7"))
    assert repr(content[:8]) in str(failed.value)


def test_a_document_that_is_being_generated_is_waited_for(plenty: StandIn, events: OrderEvents) -> None:
    plenty.control("configure", {"document_seconds": 600})
    made, document = invoiced(plenty, events)
    with pytest.raises(RetryLater, match="INV-7 of order 100000001 is still being generated") as told:
        events.content(made, document)
    assert told.value.aside
    plenty.control("advance", {"seconds": 601})
    assert events.content(made, document).startswith(b"%PDF-")


def test_a_document_that_is_gone_says_so(plenty: StandIn, events: OrderEvents) -> None:
    made, _ = invoiced(plenty, events)
    with pytest.raises(RecordFailed, match=r"INV-8 .* no longer exists"):
        events.content(made, Document(key="4711", kind=DocumentKind.INVOICE, number="INV-8"))


# money that went back

AT = datetime(2026, 5, 20, 8, 30, tzinfo=UTC)


def payback(amount: str = "12.50", **given: Any) -> Payback:
    told = {"amount": Decimal(amount), "currency": "EUR", "at": AT, "reason": "8800101", "key": "700001-8800101"}
    return Payback(**{**told, **given})


def debits(plenty: StandIn) -> list[dict[str, Any]]:
    return [one for one in plenty.control("payments") if one["type"] == "debit"]


def relations(plenty: StandIn) -> list[tuple[int, int]]:
    return [(one["paymentId"], one["orderId"]) for one in plenty.state()["order_relations"]]


def sold(plenty: StandIn, events: OrderEvents, **given: Any) -> Order:
    return order(events, events.get(place(plenty, **given)))


def test_a_payback_becomes_a_debit_payment_of_the_sale(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    made = sold(plenty, events)
    known = shop.known()
    id = events.book(made, payback(), known)
    (debit,) = debits(plenty)
    assert str(debit["id"]) == id
    came = next(one for one in plenty.control("payments") if one["type"] == "credit")
    told = {name: debit[name] for name in ("amount", "currency", "status", "mopId", "parentId", "unaccountable")}
    assert told == {
        "amount": 12.5,
        "currency": "EUR",
        "status": 9,
        "mopId": 6007,
        "parentId": came["id"],
        "unaccountable": 0,
    }
    values = {row["typeId"]: row["value"] for row in debit["properties"]}
    assert (values[3], values[10]) == ("8800101", "100000001")
    assert "700001-8800101" in values[1]
    assert debit["receivedAt"].startswith("2026-05-20")
    assert (int(id), int(made.key)) in relations(plenty)
    assert known.refs["payback_700001-8800101"] == id


def test_a_payback_is_booked_once_however_often_it_is_told(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    made = sold(plenty, events)
    known = shop.known()
    id = events.book(made, payback(), known)
    shop.called()
    assert events.book(made, payback(), known) == id
    assert shop.called() == []
    assert events.book(made, payback(), shop.known()) == id  # another procedure tells of the same money
    assert "POST /rest/payments" not in shop.called()
    assert events.book(made, payback(key="700001-8800102"), shop.known()) != id
    assert len(debits(plenty)) == 2
    assert len([one for one in relations(plenty) if str(one[0]) == id]) == 1


@pytest.mark.parametrize("point", ["/rest/payments", "/rest/payment/*/order/*"])
@pytest.mark.parametrize("executed", [True, False])
def test_an_answer_that_is_lost_books_nothing_twice(
    plenty: StandIn, shop: Shop, events: OrderEvents, point: str, executed: bool
) -> None:
    made = sold(plenty, events)
    known = shop.known()
    fault: dict[str, Any] = {"system": "plentyone", "method": "POST", "path": point, "times": 1}
    plenty.faults({**fault, "kind": "drop_after" if executed else "drop_before"})
    with pytest.raises(RetryLater):
        events.book(made, payback(), known)
    plenty.faults()
    for row in shop.links.rows.values():
        row.doubt_age = 60.0
    again = shop.known(known.refs, doubt=True, attempt=2)
    shop.called()
    id = events.book(made, payback(), again)
    sent = point == "/rest/payments" and not executed
    assert shop.called().count("POST /rest/payments") == sent
    (debit,) = debits(plenty)
    assert str(debit["id"]) == id
    assert len([one for one in relations(plenty) if str(one[0]) == id]) == 1


def test_a_worker_that_was_killed_after_the_payment_is_not_paid_twice(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    """Nothing was learned; the record is in doubt, and PlentyONE's lists lag."""
    made = sold(plenty, events)
    id = events.book(made, payback(), shop.known())
    shop.links.rows.clear()
    young = shop.known(doubt=True, attempt=2)
    young.doubt_age = 1.0
    assert events.book(made, payback(), young) == id
    assert len(debits(plenty)) == 1


def test_a_payment_that_the_lists_do_not_show_yet_is_waited_for(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    made = sold(plenty, events)
    plenty.control("configure", {"index_lag": 600})
    events.book(made, payback(), shop.known())
    shop.links.rows.clear()
    with pytest.raises(RetryLater, match="does not list it yet"):
        events.book(made, payback(), shop.known(doubt=True, attempt=2))
    assert len(debits(plenty)) == 1


def test_of_a_return_the_sale_gets_the_payment(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    sale = place(plenty)
    back = plenty.control("return", {"id": sale, "lines": [{"sku": "SKU-1", "quantity": 1}]})
    id = events.book(order(events, events.get(str(back["id"]))), payback(), shop.known())
    assert (int(id), int(sale)) in relations(plenty)


def test_in_a_foreign_currency_the_rate_of_the_order_is_booked(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    made = sold(plenty, events, currency="PLN")
    events.book(made, payback("99.99", currency="PLN"), shop.known())
    (debit,) = debits(plenty)
    assert (debit["amount"], debit["currency"], debit["isSystemCurrency"]) == (99.99, "PLN", "0")
    assert Decimal(str(debit["exchangeRatio"])) == made.exchange_rate
    with pytest.raises(RecordFailed, match="SEK"):
        events.book(made, payback("99.99", currency="SEK", key="x"), shop.known())


def test_an_equal_payment_that_was_booked_by_others_is_no_twin(
    plenty: StandIn, shop: Shop, events: OrderEvents
) -> None:
    made = sold(plenty, events)
    plenty.control("pay_back", {"id": int(made.key), "amount": 12.5, "status": 9})
    events.book(made, payback(), shop.known())
    assert len(debits(plenty)) == 2


def test_a_dry_run_books_nothing(plenty: StandIn, shop: Shop, events: OrderEvents) -> None:
    made = sold(plenty, events)
    events.client.dry = lambda method, path, body: {}
    try:
        assert events.book(made, payback(), shop.known())
    finally:
        events.client.dry = None
    assert debits(plenty) == []


def test_parsing_by_the_import_stays_without_history(plenty: StandIn, shop: Shop) -> None:
    place(plenty)
    made = parsed(shop, shop.orders.number("100000001"))
    assert replace(made.fulfilment, passed=()) == made.fulfilment
    assert made.lines[0].identifiers == ()
