"""Orders out of refurbed: none is lost, none is a cent wrong, and each item is accepted once."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector import InDoubt, Options, RecordFailed, RetryLater, SkipRecord, StopRun, Written
from connector.records import Identifier, IdentifierKind, Order
from connector.refurbed.orders import Orders
from connector.testing import MemoryKnown, options_for
from tests.conftest import shared
from tests.connector.refurbed.market import JSON, Market, read

D = Decimal
WRITTEN = Written(key="1", created=True, message="")
NONE = Options({})


@pytest.fixture
def orders(market: Market) -> Orders:
    return Orders(market.connector())


def fixture(name: str) -> JSON:
    made: JSON = json.loads((shared() / f"fixtures/refurbed/{name}.json").read_text())
    return made


def keys(found: Any) -> list[str]:
    return [one.key for one in found]


# reading


def test_each_order_is_read_once_and_the_mark_moves(market: Market, orders: Orders) -> None:
    placed = [market.place()["id"] for _ in range(3)]
    records, mark = read(orders)
    assert keys(records) == placed
    assert [one.number for one in records] == placed
    assert mark is not None
    until = datetime.fromisoformat(json.loads(mark)["until"])
    assert abs(until - datetime.now(UTC)) < timedelta(seconds=10)


def test_the_payment_methods_of_orders_are_told_as_what_people_map(market: Market, orders: Orders) -> None:
    market.place()
    (one,), _ = read(orders)
    orders.host.catalogues.clear()  # type: ignore[attr-defined]
    method = orders.parse(one.payload).payment.method
    assert [entry.id for entry in orders.host.catalogue("payment_method")] == [method]


def test_more_orders_than_a_page_holds_are_all_read(market: Market, orders: Orders) -> None:
    market.control("place", count=230, country="DE", items=[{"sku": "TP-T480-A"}])
    records, _ = read(orders)
    assert len(set(keys(records))) == len(records) == 230
    records, _ = read(orders, page_size=300)
    assert len(records) == 230


def test_an_order_that_is_released_late_with_a_lower_id_is_not_lost(market: Market, orders: Orders) -> None:
    late = market.place(released=False)["id"]
    early = market.place()["id"]
    records, mark = read(orders)
    assert keys(records) == [early]
    assert int(late) < int(early)
    market.control("advance", seconds=2 * 86_400)
    market.passed += 2 * 86_400
    market.control("release", id=late)
    records, _ = read(orders, mark)
    assert late in keys(records)


def test_an_order_that_is_stored_after_the_time_it_bears_is_within_the_overlap(market: Market, orders: Orders) -> None:
    hidden = market.place(released=False, state="REJECTED")["id"]
    _, mark = read(orders)
    released = datetime.now(UTC) - timedelta(minutes=30)
    market.control("release", id=hidden, released_at=released.isoformat())
    market.record.unlink()
    assert hidden in keys(read(orders, mark)[0])
    begin = datetime.fromisoformat(market.sent("OrderService/ListOrders")[0]["filter"]["released_at"]["ge"])
    assert begin == datetime.fromisoformat(json.loads(mark or "")["until"]) - timedelta(hours=1)


def test_what_is_open_is_read_again_however_old_it_is(market: Market, orders: Orders) -> None:
    for state in ("NEW", "ACCEPTED", "SHIPPED", "REJECTED"):
        market.place(state=state)
    _, mark = read(orders)
    market.control("advance", seconds=90 * 86_400 - 86_400 * 40)  # in two steps: the token lives two months
    read(orders, mark)
    market.control("advance", seconds=40 * 86_400)
    market.passed += 90 * 86_400
    _, mark = read(orders, mark)
    states = [(one.payload or {})["state"] for one in read(orders, mark)[0]]
    assert sorted(states) == ["ACCEPTED", "NEW"]


def test_an_order_that_the_customer_cancelled_is_seen_although_it_is_not_open_any_more(
    market: Market, orders: Orders
) -> None:
    order = market.place()
    _, mark = read(orders)
    market.control("advance", seconds=86_400)
    market.passed += 86_400
    _, mark = read(orders, mark)
    orders.client.ask(
        "OrderItemService", "UpdateOrderItemState", {"id": order["items"][0]["id"], "state": "CANCELLED"}, write=True
    )
    records, _ = read(orders, mark)
    assert [(one.key, (one.payload or {})["state"]) for one in records] == [(order["id"], "CANCELLED")]


def test_what_did_not_change_has_the_same_version_and_comes_once_per_reading(market: Market, orders: Orders) -> None:
    order = market.place(items=[{"sku": "IP12-64-BLU-A"}, {"sku": "TP-T480-A"}])
    first, mark = read(orders)
    again, _ = read(orders, mark)
    assert [one.version for one in again] == [one.version for one in first]
    market.control("return_label", id=order["items"][0]["id"])
    assert [one.version for one in read(orders, mark)[0]] != [one.version for one in first]


def test_it_runs_every_quarter_of_an_hour_where_nobody_chooses_otherwise() -> None:
    assert Orders.cron == "*/15 * * * *"
    assert not Orders.settles


def test_nothing_before_the_start_of_the_account_is_read(market: Market) -> None:
    market.place()
    market.control("advance", seconds=7200)
    market.passed += 7200
    start = market.host.now() - timedelta(hours=1)
    young = market.place()["id"]
    orders = Orders(market.connector(order_import_from=start.isoformat()))
    records, mark = read(orders)
    assert keys(records) == [young]
    assert keys(read(orders, mark)[0]) == [young]
    assert keys(read(orders, initial_from=(start - timedelta(days=30)).date())[0]) == [young]


def test_the_profiles_read_from_holds_where_it_is_later(market: Market) -> None:
    market.place()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    orders = Orders(market.connector(order_import_from="2020-01-01T00:00:00Z"))
    assert read(orders, initial_from=tomorrow)[0] == []


def test_an_old_order_that_is_fetched_by_hand_is_skipped_before_the_start(market: Market) -> None:
    order = market.place()
    orders = Orders(market.connector(order_import_from=(datetime.now(UTC) + timedelta(hours=1)).isoformat()))
    found = orders.number(order["id"])
    assert found is not None
    with pytest.raises(SkipRecord, match="before 'Import orders from'") as caught:
        orders.admits(orders.parse(found.payload or {}), NONE)
    assert caught.value.only_new


def test_a_mark_that_nobody_can_read_makes_everything_be_read(market: Market, orders: Orders) -> None:
    placed = market.place()["id"]
    assert keys(read(orders, "nonsense")[0]) == [placed]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order_import": False}, ["'Order import' is switched off"]),
        ({"carrier": None}, ["no AfterShip carrier"]),
        ({"token": None}, ["Enter the token"]),
        ({"order_import": None, "carrier": None}, ["'Order import' is switched off", "no AfterShip carrier"]),
    ],
)
def test_without_its_mandatory_settings_nothing_is_imported(market: Market, settings: JSON, said: list[str]) -> None:
    orders = Orders(market.connector(**settings))
    for attempt in (lambda: read(orders), lambda: orders.number("4711001"), lambda: orders.latest(1)):
        with pytest.raises(StopRun) as caught:
            attempt()
        assert all(one in str(caught.value) for one in said)
    assert market.host.calls == []


def test_a_list_that_is_refused_stops_the_run(market: Market, orders: Orders) -> None:
    market.faults({"kind": "status", "status": 400})
    with pytest.raises(StopRun, match="list of orders cannot be read"):
        read(orders)


def test_an_order_is_fetched_by_its_number_and_the_newest_come_first(market: Market, orders: Orders) -> None:
    placed = [market.place()["id"] for _ in range(3)]
    found = orders.number(placed[1])
    assert found is not None
    assert found.key == placed[1]
    assert orders.number("9") is None
    assert orders.number("A-1") is None
    assert keys(orders.latest(2)) == [placed[2], placed[1]]
    with pytest.raises(RecordFailed, match="no id of refurbed"):
        orders.get("A-1")


# which are taken


@pytest.mark.parametrize(("state", "taken"), [("NEW", True), ("ACCEPTED", True), ("SHIPPED", False)])
def test_new_and_accepted_orders_are_imported_others_only_kept_up_to_date(
    market: Market, orders: Orders, state: str, taken: bool
) -> None:
    market.place(state=state)
    order = orders.parse(read(orders)[0][0].payload or {})
    options = options_for(Orders, {}, side="source")
    if taken:
        orders.admits(order, options)
    else:
        with pytest.raises(SkipRecord, match="SHIPPED") as caught:
            orders.admits(order, options)
        assert caught.value.only_new
        assert caught.value.setting == "state_filter"
    orders.admits(order, Options({"state_filter": []}))


# what an order becomes


def parsed(orders: Orders, payload: JSON) -> Order:
    return orders.parse(payload)


@pytest.fixture
def example() -> JSON:
    made: JSON = fixture("synthetic_response_get_order_partially_shipped")["order"]
    return made


def test_the_vendors_example_is_read_whole(orders: Orders, example: JSON) -> None:
    order = parsed(orders, example)
    assert (order.key, order.number, order.store, order.channel) == ("4711001", "4711001", "refurbed", "refurbed")
    assert order.created_at == datetime(2026, 2, 1, 10, 15, 30, 123456, tzinfo=UTC)
    assert (order.status, order.cancelled) == ("ACCEPTED", False)
    assert (order.grand_total, order.paid, order.currency) == (D("648.00"), D("648.00"), "EUR")
    assert (order.base_currency, order.exchange_rate) == ("EUR", D(1))
    assert (order.payment.method, order.payment.title) == ("BRAINTREE_PAYPAL", "PayPal (Braintree)")
    assert order.payment.amount == D("648.00")
    assert order.payment.transaction_id is None
    phone, notebook = order.lines
    assert (phone.key, phone.external, phone.quantity, phone.gross) == ("8800101", "8800101", D(1), D("349.00"))
    assert (phone.sku, phone.name) == ("IP12-64-BLU-A", "iPhone 12 | 64 GB | blue")
    assert (phone.tax, phone.tax_rate) == (D(0), D(0))
    assert (notebook.tax, notebook.tax_rate) == (D("47.74"), D(19))
    assert phone.identifiers == (Identifier(kind=IdentifierKind.IMEI, value="490154203237518"),)
    assert notebook.identifiers == ()
    assert order.residual is None
    assert order.comments == ()


def test_an_address_holds_all_of_its_parts(orders: Orders, example: JSON) -> None:
    order = parsed(orders, example)
    assert order.shipping is not None
    assert order.shipping.street == ("Beispielallee 7", "Hinterhaus")
    assert (order.shipping.postcode, order.shipping.city, order.shipping.country) == ("20999", "Hamburg", "DE")
    assert (order.shipping.first_name, order.shipping.last_name) == ("Kim", "Muster")
    assert (order.billing.phone, order.billing.email) == ("+49 40 00000000", "kim.muster@example.org")
    assert (order.customer.gender, order.customer.prefix, order.customer.email) == (
        "female",
        "Ms",
        "kim.muster@example.org",
    )
    assert order.customer.guest


def test_a_private_vat_id_stands_beside_the_address_and_a_companys_is_its_vat_id(orders: Orders, example: JSON) -> None:
    private = parsed(orders, example)
    assert (private.billing.additional, private.billing.vat_id) == ("IT00000000000", None)
    address = {
        **example["invoice_address"],
        "entity": "COMPANY",
        "company_name": "Röstwerk GmbH",
        "company_vatin": "DE000000001",
        "personal_vatin": None,
    }
    company = parsed(orders, {**example, "invoice_address": address})
    assert (company.billing.company, company.billing.vat_id) == ("Röstwerk GmbH", "DE000000001")
    assert company.billing.additional is None
    assert (company.customer.gender, company.customer.vat_id) == (None, "DE000000001")


@pytest.mark.parametrize(
    ("country", "street", "number", "line"),
    [
        ("DE", "Straße des 17. Juni", "135a", "Straße des 17. Juni 135a"),
        ("FR", "rue de l'Église", "12 bis", "12 bis rue de l'Église"),
        ("IT", "Località Pian di Sotto", None, "Località Pian di Sotto"),
    ],
)
def test_a_house_number_stands_where_the_country_writes_it(
    orders: Orders, example: JSON, country: str, street: str, number: str | None, line: str
) -> None:
    address = {**example["shipping_address"], "country_code": country, "street_name": street, "house_no": number}
    made = parsed(orders, {**example, "shipping_address": address}).shipping
    assert made is not None
    assert made.street[0] == line


@pytest.mark.parametrize("shows_rate", [False, True])
def test_differential_taxation_is_imported_without_vat(market: Market, orders: Orders, shows_rate: bool) -> None:
    market.control("configure", marginal_shows_rate=shows_rate)
    market.place()
    line = orders.parse(read(orders)[0][0].payload or {}).lines[0]
    assert line.extra["taxation"] == "MARGINAL"
    assert (line.tax, line.tax_rate) == (D(0), D(0))


def test_a_net_sale_without_vat_has_none(market: Market, orders: Orders) -> None:
    market.place(country="FR", company=True, items=[{"sku": "TP-T480-A"}])
    line = orders.parse(read(orders)[0][0].payload or {}).lines[0]
    assert line.extra["taxation"] == "NET"
    assert (line.tax, line.tax_rate) == (D(0), D(0))


def test_every_made_up_order_adds_up_to_the_cent_in_both_currencies(market: Market, orders: Orders) -> None:
    for country in ("DE", "AT", "IT", "FR", "SE", "PL", "CZ", "CH"):
        market.control("place", count=5, country=country)
        market.place(country=country, discount="20.00")
    records, _ = read(orders)
    assert len(records) == 48
    for one in records:
        assert one.payload is not None
        order = orders.parse(one.payload)
        assert sum((line.total for line in order.lines), D(0)) == order.grand_total == order.paid
        assert order.residual is None
        assert order.comments == ()
        settled, rate = D(one.payload["settlement_total_charged"]), D(one.payload["settlement_exchange_rate"])
        assert order.base_currency == "EUR"
        assert order.exchange_rate is not None
        assert order.attributes["settlement_total_charged"] == one.payload["settlement_total_charged"]
        assert abs(order.grand_total / order.exchange_rate - settled) <= D("0.01") * len(order.lines)
        off = D(order.attributes.get("settlement_difference", "0"))
        assert settled - off == (order.grand_total * rate).quantize(D("0.01"), rounding="ROUND_HALF_UP")


def test_a_coupon_lies_within_what_was_charged_and_is_not_deducted_again(market: Market, orders: Orders) -> None:
    market.place(discount="20.00")
    order = orders.parse(read(orders)[0][0].payload or {})
    assert (order.grand_total, order.lines[0].discount) == (D("349.00"), D(0))
    assert order.attributes["total_discount"] == "20.00"


def test_what_was_paid_stays_what_the_customer_paid_when_money_goes_back(market: Market, orders: Orders) -> None:
    item = market.place()["items"][0]["id"]
    market.control("refund", id=item, amount=50)
    payload = read(orders)[0][0].payload or {}
    assert payload["total_paid"] == "299.00"
    order = orders.parse(payload)
    assert (order.paid, order.payment.amount) == (D("349.00"), D("349.00"))


def test_items_that_do_not_come_to_the_total_leave_a_residual(orders: Orders, example: JSON) -> None:
    order = parsed(orders, {**example, "total_charged": "650.00"})
    assert order.residual is not None
    assert order.residual.amount == D("2.00")
    assert order.grand_total == D("650.00")


def test_a_settled_total_that_is_more_than_rounding_off_is_told_at_the_order(orders: Orders, example: JSON) -> None:
    told = parsed(orders, {**example, "settlement_total_charged": "640.00"})
    assert "640.00 EUR" in told.comments[0].text
    assert told.attributes["settlement_difference"] == "-8.00"
    rounded = parsed(orders, {**example, "settlement_total_charged": "648.01"})
    assert rounded.comments == ()
    assert rounded.attributes["settlement_difference"] == "0.01"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_charged": None}, "order 4711001: total_charged is missing"),
        ({"total_charged": "12.345"}, "total_charged should be an amount with at most two decimals, got '12.345'"),
        ({"total_charged": "much"}, "total_charged should be a number, got 'much'"),
        ({"total_charged": "1e99"}, "total_charged should be a number"),
        ({"currency_code": None}, "currency_code is missing"),
        ({"released_at": "yesterday"}, "released_at should be a time"),
        ({"items": []}, "4711001 has no items"),
        ({"items": "none"}, "items should be a list"),
        ({"id": None}, "An order: id is missing"),
        ({"invoice_address": []}, "invoice_address should be an object"),
    ],
)
def test_what_is_missing_or_wrong_is_said_by_name(orders: Orders, example: JSON, change: JSON, said: str) -> None:
    with pytest.raises(RecordFailed) as caught:
        parsed(orders, {**example, **change})
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"total_charged": None}, "items[0].total_charged is missing"),
        ({"taxation": "NONE"}, "items[0].taxation should be GROSS, MARGINAL or NET, got 'NONE'"),
        ({"currency_code": "SEK"}, "items[0].currency_code should be the order's, EUR, got 'SEK'"),
        ({"id": None}, "items[0].id is missing"),
    ],
)
def test_a_wrong_item_is_said_by_name(orders: Orders, example: JSON, change: JSON, said: str) -> None:
    items = [{**example["items"][0], **change}, example["items"][1]]
    with pytest.raises(RecordFailed) as caught:
        parsed(orders, {**example, "items": items})
    assert said in str(caught.value)


def with_item(example: JSON, **change: Any) -> JSON:
    return {**example, "items": [{**example["items"][0], **change}, example["items"][1]]}


@pytest.mark.parametrize(
    ("given", "kind", "said"),
    [
        ([{"identifier_type": "IMEI", "value": "490154203237518"}], IdentifierKind.IMEI, None),
        ([{"identifier_type": "IMEI", "value": "490154203237519"}], IdentifierKind.IMEI, "check digit is wrong"),
        ([{"identifier_type": "IMEI", "value": "12345"}], IdentifierKind.SERIAL, "has not 15 digits"),
        ([{"identifier_type": "SERIAL_NUMBER", "value": "SN1"}], IdentifierKind.SERIAL, None),
        ([{"identifier_type": "SERIAL_NUMBER", "value": "490154203237519"}], IdentifierKind.SERIAL, None),
    ],
)
def test_an_imei_is_checked_and_a_doubtful_one_is_told_but_kept(
    orders: Orders, example: JSON, given: list[JSON], kind: IdentifierKind, said: str | None
) -> None:
    order = parsed(orders, with_item(example, item_identifiers=given))
    assert order.lines[0].identifiers == (Identifier(kind=kind, value=given[0]["value"]),)
    texts = [one.text for one in order.comments]
    assert (said is None and texts == []) or (said is not None and said in texts[0] and given[0]["value"] in texts[0])


def test_two_identifiers_of_one_telephone_and_the_old_field_are_read(orders: Orders, example: JSON) -> None:
    two = [
        {"identifier_type": "IMEI", "value": "490154203237518"},
        {"identifier_type": "SERIAL_NUMBER", "value": "SN7"},
    ]
    assert len(parsed(orders, with_item(example, item_identifiers=two)).lines[0].identifiers) == 2
    old = parsed(orders, with_item(example, item_identifiers=[], item_identifier="490154203237518"))
    assert old.lines[0].identifiers == (Identifier(kind=IdentifierKind.IMEI, value="490154203237518"),)


def test_a_return_label_is_a_note_of_the_order(market: Market, orders: Orders) -> None:
    item = market.place()["items"][0]["id"]
    url = market.control("return_label", id=item)["return_shipment_tracking_url"]
    order = orders.parse(read(orders)[0][0].payload or {})
    assert [one.text for one in order.comments] == [
        f"refurbed: return label of iPhone 12 | 64 GB | blue ({item}): {url}"
    ]


def test_an_item_that_was_cancelled_keeps_its_line_and_is_told_not_to_be_shipped(orders: Orders, example: JSON) -> None:
    order = parsed(orders, with_item(example, state="CANCELLED"))
    assert [line.total for line in order.lines] == [D("349.00"), D("299.00")]
    assert "(8800101) is cancelled and must not be shipped" in order.comments[0].text
    assert not order.cancelled
    assert parsed(orders, {**example, "state": "UNFULFILLED"}).cancelled


def test_the_same_payload_is_the_same_substance_whatever_only_moved(orders: Orders, example: JSON) -> None:
    moved = {**example, "is_refundable": False, "is_invoiceable": False, "labels": []}
    moved["items"] = [{**one, "shipment_status": "DELIVERED"} for one in example["items"]]
    assert parsed(orders, moved).substance() == parsed(orders, example).substance()
    assert parsed(orders, {**example, "state": "SHIPPED"}).substance() != parsed(orders, example).substance()


# acceptance


TWO = [{"sku": "IP12-64-BLU-A"}, {"sku": "TP-T480-A"}]


def stored(market: Market, orders: Orders, **wish: Any) -> Order:
    return orders.parse(read(orders)[0][-1].payload or {}) if market.place(**wish) else None  # type: ignore[return-value]


def acknowledge(orders: Orders, order: Order, known: MemoryKnown | None = None) -> str | None:
    return orders.acknowledge(order, WRITTEN, known or MemoryKnown(), NONE)


def test_a_stored_order_is_accepted_with_one_call(market: Market, orders: Orders) -> None:
    order = stored(market, orders, items=TWO)
    before = orders.client.calls.total()
    assert acknowledge(orders, order) == "Items accepted at refurbed: 2."
    assert orders.client.calls.total() - before == 1
    state = market.state()
    assert state["counts"]["acceptances"] == 2
    assert state["orders"][0]["state"] == "ACCEPTED"
    assert market.host.calls[-1].reference == order.number


def test_a_hundred_and_twenty_items_are_accepted_in_batches_of_fifty(market: Market, orders: Orders) -> None:
    order = stored(market, orders, items=[{"sku": "TP-T480-A"}] * 120)
    assert acknowledge(orders, order) == "Items accepted at refurbed: 120."
    sent = market.sent("OrderItemService/BatchUpdateOrderItemsState")
    assert [len(body["updates"]) for body in sent] == [50, 50, 20]


@pytest.mark.parametrize("state", ["ACCEPTED", "SHIPPED"])
def test_what_is_not_new_is_not_accepted_again(market: Market, orders: Orders, state: str) -> None:
    order = stored(market, orders, state=state)
    before = orders.client.calls.total()
    assert acknowledge(orders, order) is None
    assert orders.client.calls.total() == before


@pytest.mark.parametrize("procedure", ["confirm", "reject"])
def test_an_event_procedure_takes_the_decision(market: Market, orders: Orders, procedure: str) -> None:
    order = stored(market, orders)
    market.host.active_procedures = {procedure, "ship"}
    assert "by event procedure" in (acknowledge(orders, order) or "")
    assert market.state()["counts"]["acceptances"] == 0
    market.host.active_procedures = {"ship", "invoice"}
    acknowledge(orders, order)
    assert market.state()["counts"]["acceptances"] == 1


@pytest.mark.parametrize(("doubt", "attempt", "finished"), [(True, 1, False), (False, 2, False), (False, 1, True)])
def test_after_a_lost_answer_nothing_is_accepted_twice(
    market: Market, orders: Orders, doubt: bool, attempt: int, finished: bool
) -> None:
    order = stored(market, orders, items=TWO)
    market.faults({"kind": "drop_after", "times": 1, "path": "*BatchUpdateOrderItemsState"})
    with pytest.raises(InDoubt):
        acknowledge(orders, order)
    known = MemoryKnown()
    known.doubt, known.attempt, known.finished = doubt, attempt, finished
    assert acknowledge(orders, order, known) is None
    state = market.state()
    assert state["counts"]["acceptances"] == 2
    assert state["duplicates"]["acceptances"] == []


def test_what_was_accepted_behind_our_back_is_no_trouble(market: Market, orders: Orders) -> None:
    order = stored(market, orders)
    item = order.lines[0].key
    orders.client.ask("OrderItemService", "UpdateOrderItemState", {"id": item, "state": "ACCEPTED"}, write=True)
    assert acknowledge(orders, order) is None


def test_a_batch_that_is_done_in_part_is_told_by_item_and_ends_in_the_next_attempt(
    market: Market, orders: Orders
) -> None:
    order = stored(market, orders, items=TWO)
    second = order.lines[1]
    market.control("fail_item", id=second.key, code=3)
    with pytest.raises(RecordFailed) as caught:
        acknowledge(orders, order)
    said = str(caught.value)
    assert f"Order {order.number}: 1 of 2 items could not be accepted" in said
    assert f"{second.name} ({second.key})" in said
    assert order.lines[0].key not in said
    known = MemoryKnown()
    known.attempt = 2
    assert acknowledge(orders, order, known) == "Items accepted at refurbed: 1."
    assert market.state()["counts"]["acceptances"] == 2


def test_a_passing_trouble_with_one_item_is_tried_again(market: Market, orders: Orders) -> None:
    order = stored(market, orders)
    market.control("fail_item", id=order.lines[0].key, code=8)
    with pytest.raises(RetryLater) as caught:
        acknowledge(orders, order)
    assert not isinstance(caught.value, InDoubt)
    market.control("fail_item", id=order.lines[0].key, code=13)
    with pytest.raises(InDoubt):
        acknowledge(orders, order)


def test_a_right_that_is_lacking_stops_the_run(market: Market, orders: Orders) -> None:
    order = stored(market, orders)
    market.control("fail_item", id=order.lines[0].key, code=7)
    with pytest.raises(StopRun, match="lacks the right"):
        acknowledge(orders, order)


def test_orders_left_new_by_a_procedure_are_accepted_when_nothing_decides_any_more(market: Market) -> None:
    market.control("place", count=1)
    market.host.active_procedures = {"confirm"}
    before = market.connector().resource("order")
    ((found,), _) = read(before)
    assert not before.awaits(before.parse(found.payload or {}))
    market.host.active_procedures = set()
    after = market.connector().resource("order")
    ((again,), _) = read(after)
    assert again.version != found.version
    assert after.awaits(after.parse(again.payload or {}))
