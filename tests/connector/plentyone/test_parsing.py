"""A PlentyONE order becomes a shared record whose lines less deductions are its total to the cent."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector import Entry, Payload, RecordFailed
from connector.plentyone.parsing import Parser
from connector.plentyone.relatives import lean
from connector.records import DeductionKind, DocumentKind, LineKind, Order, OrderKind
from tests.conftest import shared

CATALOGUES = {
    "shipping_profile": [Entry(id="6", name="DHL Paket", extra={"carrier": "DHL", "provider_id": "101"})],
    "payment_method": [Entry(id="2", name="Invoice")],
    "country": [Entry(id="12", name="United Kingdom", extra={"iso2": "GB", "iso3": "GBR"})],
    "referrer": [Entry(id="14", name="Magento")],
}


def parse(payload: Payload) -> Order:
    made = Parser(lambda kind: CATALOGUES.get(kind, [])).parse(payload)
    explained = sum((line.total for line in made.lines), Decimal(0)) - sum(
        (one.amount for one in made.deductions), Decimal(0)
    )
    assert explained + (made.residual.amount if made.residual else 0) == made.grand_total
    assert all(line.gross == line.gross.quantize(Decimal("0.01")) for line in made.lines)
    return made


def recorded(name: str) -> Any:
    return json.loads((Path(shared()) / "fixtures/plentyone" / name).read_text(), parse_float=Decimal)


def amounts(currency: str = "EUR", *, system: bool = True, rate: Any = 1, **prices: Any) -> Payload:
    plain = {"surcharge": 0, "discount": 0, "isPercentage": False}
    return {"isSystemCurrency": system, "currency": currency, "exchangeRate": rate, **plain, **prices}


def item(id: int, price: str, quantity: Any = 1, *, type: int = 1, rate: Any = 19, **more: Any) -> Payload:
    gross = Decimal(price)
    net = (gross / (1 + Decimal(rate) / 100)).quantize(Decimal("0.0001"))
    prices = {"priceOriginalGross": gross, "priceGross": gross, "priceOriginalNet": net, "priceNet": net}
    made = {
        "id": id,
        "typeId": type,
        "quantity": quantity,
        "orderItemName": f"Item {id}",
        "vatRate": rate,
        "itemVariationId": 5000 + id,
        "amounts": [amounts(**prices)],
        "properties": [],
        "references": [],
    }
    return {**made, **more}


def order(total: Any, *items: Payload, **more: Any) -> Payload:
    money = {"isSystemCurrency": True, "isNet": False, "currency": "EUR", "exchangeRate": 1, "giftCardAmount": 0}
    made: Payload = {
        "id": 700001,
        "typeId": 1,
        "plentyId": 12345,
        "statusId": 5,
        "statusName": "[5] Cleared for shipping ",
        "createdAt": "2026-05-19T16:55:15+02:00",
        "updatedAt": "2026-05-19T17:00:00+02:00",
        "properties": [{"typeId": 7, "value": "100000123"}],
        "amounts": [{**money, "invoiceTotal": total, "paidAmount": 0}],
        "orderItems": list(items),
    }
    return {**made, **more}


def money_of(total: Any, **more: Any) -> list[Payload]:
    return [{**order(total)["amounts"][0], **more}]


@pytest.mark.parametrize("name", ["order_7126.json", "order_6663.json", "docs_examples/order_630.json"])
def test_recorded_orders_add_up_to_the_cent(name: str) -> None:
    payload = recorded(name)
    made = parse(payload)
    assert made.residual is None
    assert made.key == str(payload["id"])
    assert made.grand_total == Decimal(str(payload["amounts"][0]["invoiceTotal"]))
    assert made == parse(lean(payload))
    assert made == parse(json.loads(json.dumps(payload, default=str)))


def test_a_recorded_order_says_who_bought_what_and_which_papers_exist() -> None:
    made = parse(recorded("order_7126.json"))
    assert (made.number, made.fulfilment.number, made.store) == ("4000000015", "4000000015", "31241")
    assert (made.status, made.fulfilment.status_name) == ("5", "[5] Cleared for shipping")
    assert (made.currency, made.grand_total, made.paid) == ("GBP", Decimal(35), Decimal(35))
    assert made.created_at == datetime(2023, 2, 16, 6, 36, 11, tzinfo=UTC)
    assert (made.customer.key, made.customer.email, made.customer.group) == ("1517", "demo1@example.com", "1")
    assert made.billing.street == ("Studio 59 Stevens Drives",)
    assert (made.billing.company, made.billing.country, made.billing.phone) == (
        "Thomas-Wright",
        "GB",
        "+44(0)3704 46635",
    )
    assert made.shipping is not None
    assert made.shipping.last_name == "Smith"
    assert (made.payment.method, made.payment.title, made.shipping_method) == ("2", "Invoice", "6")
    assert [line.kind for line in made.lines][-1] is LineKind.SHIPPING
    assert {(one.kind, one.number) for one in made.fulfilment.documents} == {
        (DocumentKind.DELIVERY_NOTE, "405"),
        (DocumentKind.INVOICE, "331"),
    }
    assert made.fulfilment.kind is OrderKind.SALE
    assert made.fulfilment.payment_status == "fullyPaid"
    assert made.fulfilment.warehouse == "1"
    assert made.attributes["1040"] == "flatrate_flatrate"
    assert (made.extra["referrer"], made.extra["referrer_name"]) == ("14", "Magento")


def test_ids_and_amounts_may_be_texts_and_names_in_snake_case() -> None:
    one = item(11, "10.00", "2", order_item_name="Mug", position="0")
    one["typeId"], one["vatRate"] = "1", "19.00"
    del one["orderItemName"]
    one["amounts"][0] = {name: str(value) for name, value in one["amounts"][0].items()}
    payload = order("20.00", one, id="700001", statusId="8.10", typeId="1")
    payload["amounts"][0]["isSystemCurrency"] = "1"
    payload["plenty_id"] = str(payload.pop("plentyId"))
    made = parse(payload)
    assert (made.key, made.status, made.store, made.cancelled) == ("700001", "8.1", "12345", True)
    assert made.lines[0].name == "Mug"
    assert (made.lines[0].quantity, made.lines[0].gross, made.lines[0].tax_rate) == (2, Decimal(20), 19)


def test_a_coupon_is_a_discount_on_the_lines_of_its_rate() -> None:
    made = parse(order("22.00", item(11, "10.00"), item(12, "20.00", rate=7), item(13, "-8.00", type=4, rate=7)))
    assert [(line.key, line.gross, line.discount) for line in made.lines] == [("11", 10, 0), ("12", 20, 8)]
    assert made.deductions == ()
    assert made.discount_title == "Item 13"


def test_a_coupon_without_tax_paid_and_lowered_no_price() -> None:
    made = parse(order("7.00", item(11, "10.00"), item(13, "-3.00", type=4, rate=0)))
    assert [(one.kind, one.amount) for one in made.deductions] == [(DeductionKind.STORE_CREDIT, Decimal("3.00"))]
    assert made.lines[0].discount == 0


@pytest.mark.parametrize(("shown", "lowered"), [("7.00", True), ("10.00", False)])
def test_a_redeemed_gift_card_is_taken_off_whichever_total_the_tenant_shows(shown: str, lowered: bool) -> None:
    made = parse(
        order(shown, item(11, "10.00"), item(12, "-3.00", type=5, rate=0), amounts=money_of(shown, giftCardAmount=3))
    )
    assert made.grand_total == Decimal("7.00")
    assert [(one.kind, one.amount) for one in made.deductions] == [(DeductionKind.GIFT_CARD, Decimal("3.00"))]
    assert made.extra["invoice_total"] == shown


def test_a_gift_card_that_is_sold_is_a_line() -> None:
    made = parse(order("50.00", item(11, "50.00", type=5, rate=0)))
    assert made.lines[0].kind is LineKind.GIFT_CARD
    assert made.deductions == ()


@pytest.mark.parametrize(
    ("rows", "total"),
    [
        ([("6.6333", "3", 19)], "19.90"),
        ([("0.0049", "1", 19), ("0.0049", "1", 7), ("9.99", "1", 19)], "9.99"),
        ([("3.3333", "3", 19), ("3.3333", "3", 7)], "20.00"),
        ([("1.005", "1", 19), ("1.005", "1", 19)], "2.01"),  # rounded at the end
        ([("1.005", "1", 19), ("1.005", "1", 19)], "2.02"),  # rounded row by row
    ],
)
def test_prices_of_four_decimals_end_at_the_very_cent(rows: list[tuple[str, str, int]], total: str) -> None:
    items = [item(11 + at, price, quantity, rate=rate) for at, (price, quantity, rate) in enumerate(rows)]
    assert parse(order(total, *items)).residual is None


@pytest.mark.parametrize("total", ["119.00", "100.00"])
def test_a_net_order_adds_up_with_and_without_the_tax(total: str) -> None:
    one = item(11, "119.00", amounts=[amounts(priceOriginalNet=Decimal(100), priceNet=Decimal(100))])
    made = parse(order(total, one, amounts=money_of(total, isNet=True)))
    assert made.residual is None
    assert made.lines[0].tax == (Decimal("19.00") if total == "119.00" else 0)


def test_the_row_of_the_orders_own_currency_counts() -> None:
    francs = amounts("CHF", system=False, rate="0.95", priceOriginalGross="19.00", priceGross="19.00")
    one = item(11, "20.00")
    one["amounts"].append(francs)
    payload = order("20.00", one)
    payload["amounts"].append(
        {
            "isSystemCurrency": False,
            "currency": "CHF",
            "exchangeRate": "0.95",
            "invoiceTotal": "19.00",
            "paidAmount": "5",
        }
    )
    made = parse(payload)
    assert (made.currency, made.grand_total, made.paid) == ("CHF", Decimal("19.00"), Decimal("5.00"))
    assert (made.base_currency, made.exchange_rate) == ("EUR", Decimal("0.95"))


@pytest.mark.parametrize("percent", [True, False])
def test_an_items_own_discount_is_shown_as_one(percent: bool) -> None:
    one = item(11, "10.00", 2)
    one["amounts"][0] |= {"discount": 10 if percent else 1, "isPercentage": percent, "priceGross": "9.00"}
    line = parse(order("18.00", one)).lines[0]
    assert (line.gross, line.discount, line.total) == (20, 2, 18)
    del one["amounts"][0]["priceGross"]
    assert parse(order("18.00", one)).lines[0].total == 18


def test_an_item_that_costs_nothing_after_its_discount_keeps_its_price() -> None:
    one = item(11, "10.00")
    one["amounts"][0] |= {"discount": 100, "isPercentage": True, "priceGross": "0", "priceNet": "0"}
    line = parse(order("0", one)).lines[0]
    assert (line.gross, line.discount) == (10, 10)


@pytest.mark.parametrize(("bundle", "part"), [("20.00", "0"), ("0", "10.00"), ("20.00", "10.00")])
def test_a_bundle_is_never_counted_twice(bundle: str, part: str) -> None:
    within = [{"referenceOrderItemId": 11, "referenceType": "bundle"}]
    parts = [item(12, part, type=3, references=within), item(13, part, type=3, references=within)]
    made = parse(order("20.00", item(11, bundle, type=2), *parts))
    assert made.residual is None
    assert [(line.kind, line.parent) for line in made.lines[1:]] == [(LineKind.COMPONENT, "11")] * 2
    assert sum(line.total for line in made.lines) == 20


def test_what_nothing_explains_is_left_over_and_not_hidden() -> None:
    made = parse(order("12.00", item(11, "10.00")))
    assert made.residual is not None
    assert made.residual.amount == 2


def ancestor(id: str, type: str, *items: tuple[str, str | None, list[str]], external: str | None = None) -> Payload:
    shown = [{"id": key, "external": own, "from": above} for key, own, above in items]
    return {"id": id, "typeId": type, "plentyId": "12345", "external": external, "items": shown}


def test_a_credit_note_made_from_a_return_finds_its_sale_and_the_shops_lines() -> None:
    made_from = [{"referenceOrderItemId": 21, "referenceType": "parent"}]
    references = [{"orderId": 700003, "originOrderId": 700001, "referenceOrderId": 700002, "referenceType": "parent"}]
    payload = order("10.00", item(31, "10.00", references=made_from), id=700003, typeId=4, orderReferences=references)
    payload["properties"] = [{"typeId": 97, "value": "33"}]
    payload["relatives"] = [
        ancestor("700001", "1", ("11", "987", []), external="100000123"),
        ancestor("700002", "3", ("21", None, ["11"])),
    ]
    made = parse(payload)
    assert (made.number, made.fulfilment.number) == ("100000123", "100000123")
    assert (made.fulfilment.kind, made.fulfilment.origin, made.fulfilment.parent) == (
        OrderKind.CREDIT,
        "700001",
        "700002",
    )
    assert made.fulfilment.refund == "33"
    assert made.lines[0].external == "987"


def test_a_child_of_a_sale_without_external_number_goes_by_the_sales_id() -> None:
    references = [{"orderId": 700003, "originOrderId": 700001, "referenceOrderId": 700001, "referenceType": "parent"}]
    payload = order("10.00", item(31, "10.00"), id=700003, typeId=2, orderReferences=references, properties=[])
    payload["relatives"] = [ancestor("700001", "1")]
    made = parse(payload)
    assert (made.number, made.fulfilment.number) == ("700001", None)


def test_a_sale_whose_goods_leave_with_deliveries_says_so() -> None:
    plain = order("10.00", item(11, "10.00"))
    assert not parse(plain).fulfilment.shares
    assert parse({**plain, "hasDeliveryOrders": True}).fulfilment.shares
    assert parse({**plain, "relatives": [{"id": "700002", "typeId": "2"}]}).fulfilment.shares
    assert not parse({**plain, "relatives": [{"id": "700002", "typeId": "4"}]}).fulfilment.shares


def document(id: int, type: str, **more: Any) -> Payload:
    return {"id": id, "type": type, "numberWithPrefix": f"N{id}", "status": "done", **more}


def test_a_reversed_invoice_is_none_and_a_faulty_document_neither() -> None:
    papers = [
        document(4, "delivery_note"),
        document(3, "reversal_document"),
        document(1, "invoice"),
        document(5, "invoice", status="faulty"),
        document(6, "order_confirmation"),
    ]
    made = parse(order("10.00", item(11, "10.00"), documents=papers))
    assert [one.key for one in made.fulfilment.documents] == ["4"]
    made = parse(order("10.00", item(11, "10.00"), documents=[*papers, document(7, "invoice_external")]))
    assert [one.key for one in made.fulfilment.documents] == ["4", "7"]


@pytest.mark.parametrize(
    ("type", "kind"),
    [
        ("invoiceExternal", DocumentKind.INVOICE),
        ("deliveryNote", DocumentKind.DELIVERY_NOTE),
        ("creditNoteExternal", DocumentKind.CREDIT_NOTE),
    ],
)
def test_a_document_is_known_by_its_upload_name_as_well(type: str, kind: DocumentKind) -> None:
    made = parse(order("10.00", item(11, "10.00"), documents=[document(1, type)]))
    assert [one.kind for one in made.fulfilment.documents] == [kind]


def package(id: int, number: Any, *items: tuple[int, Any]) -> Payload:
    held = [{"id": at, "variationId": variation, "itemQuantity": many} for at, (variation, many) in enumerate(items)]
    return {"id": id, "packageNumber": number, "weight": "1500", "tracking_status_id": None, "items": held}


def test_packages_say_their_number_their_carrier_and_what_is_in_them() -> None:
    twice = item(12, "5.00", 2, itemVariationId=5011)
    profile = [{"typeId": 2, "value": "6"}]
    payload = order("20.00", item(11, "10.00"), twice, properties=profile)
    payload["shippingPackages"] = [
        package(61, "", (5011, "2")),
        package(62, "T2", (5011, 1)),
        package(63, "T3", (9, 1)),
    ]
    payload["dates"] = [{"typeId": "5", "date": "2026-05-20T10:00:00+02:00"}]
    first, second, third = (made := parse(payload)).fulfilment.packages
    assert (first.key, first.number, first.weight_grams) == ("61", None, 1500)
    assert [(one.line, one.quantity) for one in first.parts] == [("11", 1), ("12", 1)]
    assert [(one.line, one.quantity) for one in second.parts] == [("12", 1)]
    assert (second.number, second.carrier, second.title) == ("T2", "101", "DHL")
    assert third.parts == ()
    assert made.fulfilment.shipped_at == datetime(2026, 5, 20, 8, tzinfo=UTC)


def test_a_guest_has_no_key() -> None:
    contact = {"id": 9, "email": "", "options": [
        {"typeId": 10, "subTypeId": 11, "value": "1"}, {"typeId": 2, "subTypeId": 4, "value": "a@example.com"},
    ]}  # fmt: skip
    made = parse(order("10.00", item(11, "10.00"), contactReceiver=contact))
    assert made.customer.guest
    assert made.customer.email == "a@example.com"


def changed(change: Callable[[Payload], None]) -> Payload:
    payload = copy.deepcopy(order("10.00", item(11, "10.00")))
    change(payload)
    return payload


BAD: list[tuple[Callable[[Payload], None], str]] = [
    (lambda one: one.update(typeId=7), "PlentyONE order 700001: typeId is 7, which is not imported"),
    (lambda one: one.update(typeId="x"), "typeId should be a number, got 'x'."),
    (lambda one: one.pop("statusId"), "PlentyONE order 700001: statusId is missing."),
    (lambda one: one.update(statusId=[5]), "statusId should be a number, got [5]."),
    (lambda one: one.update(createdAt="yesterday"), "createdAt should be a time like"),
    (lambda one: one.pop("amounts"), "PlentyONE order 700001: amounts holds no row with a currency."),
    (lambda one: one["amounts"][0].update(invoiceTotal="ten"), "amounts[0].invoiceTotal should be a number, got 'ten'."),
    (lambda one: one["orderItems"][0].update(quantity="many"), "orderItems[0].quantity should be a number, got 'many'."),
    (lambda one: one["orderItems"][0].update(quantity=None), "orderItems[0].quantity is missing."),
    (lambda one: one["orderItems"].append("x"), "orderItems[1] should be an object, got 'x'."),
    (lambda one: one["orderItems"].append(one["orderItems"][0]), "orderItems[1].id 11 stands twice."),
    (lambda one: one["orderItems"][0]["amounts"][0].update(currency="USD"), "amounts has no row in EUR, only in USD."),
    (lambda one: one["orderItems"][0]["amounts"][0].update(priceGross="free"), "priceGross should be a number, got 'free'"),
    (lambda one: one["amounts"][0].update(invoiceTotal=1e300), "amounts[0].invoiceTotal should be a number, got 1e+300."),
    (lambda one: one.update(orderItems="none"), "orderItems should be a list, got 'none'."),
    (lambda one: one.update(shippingPackages=[{"id": 1, "weight": "heavy"}]), "weight should be a number, got 'heavy'."),
    (lambda one: one.update(documents=[{"type": "invoice"}]), "documents[0].id is missing."),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), BAD, ids=[said[:40] for _, said in BAD])
def test_bad_payloads_are_said_by_order_field_and_value(change: Callable[[Payload], Any], said: str) -> None:
    with pytest.raises(RecordFailed) as caught:
        parse(changed(change))
    assert said in str(caught.value)
    assert "PlentyONE order 700001" in str(caught.value)


@pytest.mark.parametrize(("kind", "origin"), [("split", "700001"), ("grouped", None), ("multi_order", None)])
def test_a_sale_that_is_handled_together_with_others_was_not_made_from_them(kind: str, origin: str | None) -> None:
    references = [{"orderId": 700003, "originOrderId": 700001, "referenceOrderId": 700001, "referenceType": kind}]
    assert parse(order("10.00", item(31, "10.00"), id=700003, orderReferences=references)).fulfilment.origin == origin


@pytest.mark.parametrize(("kind", "split"), [("split", True), ("delivery", None), (None, None)])
def test_a_sale_that_others_were_split_off_from_says_so(kind: str | None, split: bool | None) -> None:
    rows = [{"orderId": 700003, "originOrderId": 700001, "referenceOrderId": 700001, "referenceType": kind}]
    told = parse(order("10.00", item(31, "10.00"), originOrderReferences=rows if kind else []))
    assert told.extra.get("split") == split
