"""What a dry run says of each value that would be sent: where it comes from must be true, for whatever order."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from connector import Options, Origin, RecordFailed, leaves
from connector.client import loads
from connector.magento.parsing import Parser
from connector.magento.stores import StoreViews
from connector.plentyone.orders import Orders
from connector.plentyone.shapes import amount
from connector.records import (
    Address,
    Comment,
    Deduction,
    DeductionKind,
    Document,
    DocumentKind,
    Fulfilment,
    Identifier,
    LineKind,
    Order,
    Package,
    Part,
    Payment,
    Refund,
    Residual,
    Shipment,
)
from connector.settings import declared, ident
from tests.conftest import shared
from tests.connector.plentyone.records import ANNA, BERT, NOW, line, order, registered, shipping
from tests.connector.plentyone.standin import Shop

SETTINGS = {one.name for one in declared(Orders.TargetOptions)}
ALL: dict[str, Any] = {
    "residual": "line",
    "tag_mapping": {"processing": {"tag": 1, "second_tag": 2}},
    "create_shipment": True,
    "create_credit_note": True,
    "credit_note_document": True,
    "create_invoice_document": True,
    "create_delivery_note": True,
    "attribute_mapping": {"note": 77, "payment.additional_information.code": 78},
}
WAYS: tuple[dict[str, Any], ...] = (
    ALL,
    {
        **ALL,
        "discount_as": "line",
        "bundle_as": "parent",
        "warehouse_on_items": False,
        "referrer_id": 4.01,
        "default_shipping_package": 3,
        "shipping_mapping": {"flatrate_flatrate": 7},
        "customer_class_mapping": {"1": 2},
        "default_customer_class": 1,
        "address_field_mapping": {"company": "name4", "firstname": "name2", "lastname": "name2", "street": "address1"},
    },
    {**ALL, "store_mapping": {}, "create_customer": False},
)


def recorded() -> Iterator[tuple[str, Order]]:
    parser = Parser(StoreViews(list, list).find)
    for file in sorted((shared() / "fixtures" / "magento").glob("order_*.json")):
        try:
            yield file.stem, parser.parse(dict(loads(file.read_text())))
        except RecordFailed:  # a fragment of an order
            continue


def everything() -> Order:
    """One order with all that may be sent of any."""
    lines = (
        line(
            "11",
            "20.00",
            quantity="3",
            discount=Decimal("2.00"),
            options=("red",),
            identifiers=(Identifier.of("SN-1"),),
        ),
        line("12", "30.00", kind=LineKind.BUNDLE, sku="BUNDLE", name="A set"),
        line("13", "0", kind=LineKind.COMPONENT, sku="PART-A", name="Part A", parent="12"),
        line("14", "0", kind=LineKind.COMPONENT, sku="PART-B", name="Part B", parent="12"),
        line("15", "7.77", sku="NOWHERE", name="Unheard of", tax_rate=None, tax=Decimal("1.24")),
        shipping(),
        line("fee", "1.50", kind=LineKind.SURCHARGE, sku=None, name="Cash on delivery"),
    )
    after = Fulfilment(
        shipments=(Shipment(key="5", packages=(Package(key="7", number="T-1", weight_grams=900),)),),
        refunds=(
            Refund(
                key="33",
                parts=(Part(line="15", quantity=Decimal(1)),),
                total=Decimal("9.00"),
                adjustment=Decimal("1.23"),
            ),
            Refund(key="34", total=Decimal("1.00")),
        ),
        documents=(Document(key="9", kind=DocumentKind.INVOICE),),
    )
    packstation = replace(
        BERT, company="12345678", street=("Packstation 123",), prefix="Herr", key="200002", additional="c/o Muster"
    )
    return order(
        lines=lines,
        fulfilment=after,
        deductions=(Deduction(kind=DeductionKind.GIFT_CARD, amount=Decimal("5.00"), name="Gift card", code="GC-1"),),
        residual=Residual(amount=Decimal("2.50"), name="payment_fee"),
        discount_title="Spring sale",
        coupon="SPRING",
        customer=registered(group="1", prefix="Frau", vat_id="DE123"),
        shipping=packstation,
        comments=(Comment(text="Ring <twice>\nplease", by_customer=True),),
        payment=Payment(method="checkmo", transaction_id="TX-1", paid_at=NOW),
        attributes={"note": "For Bert", "payment.additional_information.code": 42},
    )


def variants() -> Iterator[tuple[str, Order]]:
    one = everything()
    yield "everything", one
    yield "unpaid", replace(one, paid=Decimal(0), number="100000124", key="124")
    guest = replace(one.customer, key=None, first_name=None, last_name=None, email=None)
    foreign = {"currency": "SEK", "base_currency": "EUR", "exchange_rate": Decimal("11.5")}
    yield (
        "guest",
        order("100000125", customer=guest, billing=replace(ANNA, last_name=None, email="a@b.example"), **foreign),
    )
    yield "market", order("100000126", channel="refurbed", shipping=None, shipping_method=None)
    yield "nameless", order("100000127", lines=(line(name=" ", discount=Decimal(1)),), billing=Address(
        company="Muster GmbH", street=("Weg", "1", "Hof"), city="Ulm", country="DE", prefix="Frau"), coupon="X")  # fmt: skip


def planned(shop: Shop, one: Order, options: Options) -> list[tuple[str, str, Any]]:
    orders = shop.orders
    before = len(orders.client.planned)
    orders.client.dry = orders.pretend
    try:
        orders.prepare([one], lambda _: options)
        orders.write(one, shop.known(), options)
    finally:
        orders.client.dry = None
    made = orders.client.planned[before:]
    del orders.client.planned[before:]
    return made


def found(one: Any, path: str) -> list[Any]:
    """What stands at a path of an order; raises LookupError or AttributeError where there is no such place."""
    if not path:
        return [one]
    if isinstance(one, Mapping):
        return [one[path]]
    name, _, rest = path.partition(".")
    if isinstance(one, tuple):
        places = one if name == "*" else (one[int(name)],)
        return [value for place in places for value in found(place, rest)]
    return found(getattr(one, name), rest)


def plain(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    number = amount(value)
    if number is not None:
        return number.normalize() + 0
    if isinstance(value, tuple):
        return " ".join(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return str("" if value is None else value).strip()


def untrue(origin: Origin, value: Any, one: Order, options: Options) -> str | None:
    """What is wrong with an origin; None when nothing is."""
    there: list[Any] = []
    if origin.path:
        try:
            there = found(one, origin.path)
        except (LookupError, AttributeError, ValueError) as error:
            return f"there is no such place ({error!r})"
    if origin.setting and origin.setting not in SETTINGS:
        return "there is no such setting"
    if origin.said:
        return None if there or origin.setting or not origin.path else "nothing stands there"
    explained = [plain(one) for one in there]
    if origin.setting:
        setting = options.get(origin.setting)
        if isinstance(setting, Mapping):
            cell = setting.get(origin.row)
            if origin.row and cell is None:
                return "there is no such row"
            cell = cell.get(origin.column) if origin.column else cell
            if not origin.row or origin.setting in ("address_field_mapping", "attribute_mapping"):
                cell = value if not origin.row else None
            setting = cell
        explained += [] if setting is None else [plain(ident(setting))]
    return None if plain(value) in explained else f"it is {explained}"


def lies(shop: Shop, one: Order, given: Mapping[str, Any]) -> Iterator[str]:
    settings = copy.deepcopy(dict(given))
    settings.setdefault(
        "store_mapping", {"de": {"webstore": 12345}, str(one.store): {"webstore": 12345, "language": "de"}}
    )
    settings["status_mapping"] = {str(one.status): 5}
    settings["payment_mapping"] = {one.payment.method: {"method_id": 6000, "submit_unconfirmed": True}}
    options = shop.options(**settings)
    calls = planned(shop, one, options)
    assert any(path == "/rest/orders" for _, path, _ in calls)
    for method, path, body in calls:
        told = shop.orders.origins(method, path, body, one, options)
        for at, value in leaves(body):
            if not at:
                continue
            origin = told.get(at)
            wrong = "it has no origin" if origin is None else untrue(origin, value, one, options)
            if wrong:
                yield f"{one.number} {method} {path} {at} = {value!r}: {origin}: {wrong}"


@pytest.mark.parametrize("given", WAYS)
def test_no_value_of_a_recorded_order_is_said_to_come_from_where_it_does_not(shop: Shop, given: dict[str, Any]) -> None:
    seen = 0
    for _name, one in recorded():
        try:
            assert list(lies(shop, one, given)) == []
            seen += 1
        except RecordFailed:  # it is refused as a whole
            continue
    assert seen > 15


@pytest.mark.parametrize(("name", "given"), list(itertools.product([name for name, _ in variants()], WAYS)))
def test_no_value_of_an_order_with_everything_is_said_to_come_from_where_it_does_not(
    shop: Shop, name: str, given: dict[str, Any]
) -> None:
    assert list(lies(shop, dict(variants())[name], given)) == []


def calls_of(shop: Shop, one: Order, **given: Any) -> list[tuple[str, str, Any, Mapping[str, Origin]]]:
    options = shop.options(**given)
    made = planned(shop, one, options)
    return [(method, path, body, shop.orders.origins(method, path, body, one, options)) for method, path, body in made]


def test_an_order_bears_the_warehouse_of_the_settings_and_a_contact_that_plentyone_numbers(shop: Shop) -> None:
    (made,) = [one for one in calls_of(shop, order(), warehouse_on_items=False) if one[1] == "/rest/orders"]
    told = {row["referenceType"]: made[3][f"relations.{at}.referenceId"] for at, row in enumerate(made[2]["relations"])}
    assert told["warehouse"] == Origin(setting="warehouse_id")
    assert told["contact"].said == "an id that PlentyONE gives"


def test_a_surcharge_that_no_line_explains_comes_from_the_residual(shop: Shop) -> None:
    one = order(residual=Residual(amount=Decimal("2.50"), name="payment_fee"), discount_title="Spring sale")
    (made,) = [call for call in calls_of(shop, one, residual="line") if call[1] == "/rest/orders"]
    assert made[3]["orderItems.2.orderItemName"] == Origin(path="residual.name")
    assert made[3]["orderItems.2.amounts.0.priceOriginalGross"] == Origin(path="residual.amount")
    assert made[3]["orderItems.2.typeId"].setting == "residual"


@pytest.mark.parametrize(("paid", "column"), [(Decimal("24.90"), None), (Decimal(0), "submit_unconfirmed")])
def test_a_payments_status_comes_from_what_was_paid(shop: Shop, paid: Decimal, column: str | None) -> None:
    mapping = {"checkmo": {"method_id": 2, "submit_unconfirmed": True}}
    calls = calls_of(shop, order(paid=paid), payment_mapping=mapping)
    (made,) = [call for call in calls if call[1] == "/rest/payments"]
    assert (made[3]["status"].column, made[3]["mopId"].column) == (column, "method_id")
    assert made[3]["amount"] == Origin(path="paid" if paid else "grand_total")
