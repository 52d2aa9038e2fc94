"""Orders as Magento's REST renders them become shared records, correct to the cent."""

from __future__ import annotations

import copy
import json
import random
from decimal import Decimal
from typing import Any

import pytest

from connector import Entry, RecordFailed
from connector.client import loads
from connector.magento.parsing import Parser
from connector.magento.stores import StoreViews
from connector.records import DeductionKind, LineKind, Order
from tests.conftest import shared

STORES = [Entry(id="de", name="Deutsch", extra={"store_id": "1", "website": "base"})]
PARSER = Parser(StoreViews(lambda: STORES, list).find)


def payload(name: str) -> dict[str, Any]:
    return dict(loads((shared() / "fixtures" / "magento" / f"order_{name}.json").read_text()))


def whole_orders() -> list[str]:
    folder = shared() / "fixtures" / "magento"
    names = [file.stem.removeprefix("order_") for file in sorted(folder.glob("order_*.json"))]
    return [name for name in names if name not in ("item_fragment_stacked_discounts", "docs_tutorial_trimmed")]


def order_sum(order: Order) -> Decimal:
    lines = sum((line.total for line in order.lines), Decimal(0))
    residual = order.residual.amount if order.residual else Decimal(0)
    return lines - sum((one.amount for one in order.deductions), Decimal(0)) + residual


def plain(**changes: Any) -> dict[str, Any]:
    """A small order of one line, 10.00 net, 19 %, shipping 5.00; nothing in it is needed but for what is named."""
    address = {"firstname": "Ada", "lastname": "Muster", "street": ["Weg 1"], "city": "Ulm", "country_id": "de"}
    item = {"item_id": 1, "sku": "A", "name": "Thing", "product_type": "simple", "qty_ordered": 2, "price": 10,
            "price_incl_tax": 11.9, "tax_amount": 3.8, "tax_percent": 19}  # fmt: skip
    made = {
        "entity_id": 7, "increment_id": "100000007",
        "created_at": "2026-03-01 10:00:00", "updated_at": "2026-03-01 10:00:01",
        "status": "processing", "state": "processing", "order_currency_code": "EUR", "subtotal": 20, "tax_amount": 3.8,
        "shipping_amount": 5, "shipping_incl_tax": 5, "grand_total": 28.8, "customer_email": "ada@shop.example",
        "billing_address": address, "payment": {"method": "checkmo"}, "items": [item], "store_id": 1,
    }  # fmt: skip
    made.update(changes)
    return dict(loads(json.dumps(made)))


def test_every_public_order_adds_up_to_its_grand_total() -> None:
    for name in whole_orders():
        order = PARSER.parse(payload(name))
        assert order_sum(order) == order.grand_total, name
        assert all(line.discount >= 0 for line in order.lines), name
        surcharge = name == "multicurrency_usd_sar_cod_surcharge"
        expected = "Cash On Delivery Charges (payment_surcharge_amount)" if surcharge else None
        assert (order.residual.name if order.residual else None) == expected, name


def test_neither_row_total_nor_a_childs_price_is_used() -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for name in whole_orders():
        given = payload(name)
        expected = PARSER.parse(given)
        for item in given["items"]:
            for field in ("row_total", "base_row_total", "row_total_incl_tax"):
                item[field] = Decimal(chance.randrange(100000)) / 100
            if item.get("parent_item_id"):
                item["price"] = Decimal(chance.randrange(100000)) / 100
        assert PARSER.parse(given).lines == expected.lines, name


def test_a_configurable_is_one_line_with_the_parents_amounts_and_the_variants_sku_and_name() -> None:
    given = payload("configurable_and_simple_us_tax")
    order = PARSER.parse(given)
    products = [line for line in order.lines if line.kind == LineKind.PRODUCT]
    child = next(item for item in given["items"] if item.get("parent_item_id"))
    assert len(products) == 2
    assert (products[0].sku, products[0].name) == (child["sku"], child["name"])
    assert (products[0].gross, products[0].quantity) == (Decimal("149.39"), 2)


def bundle(*, dynamic: bool) -> dict[str, Any]:
    parent = {"item_id": 1, "sku": "SET", "name": "Set", "product_type": "bundle", "qty_ordered": 1, "price": 20,
              "base_price": 20, "price_incl_tax": 23.8, "tax_amount": 3.8, "tax_percent": 19}  # fmt: skip
    parts = [
        {"item_id": n, "parent_item_id": 1, "sku": f"P{n}", "name": f"Part {n}", "product_type": "simple",
         "qty_ordered": 1, "price": 10 if dynamic else 20, "base_price": 10 if dynamic else 0, "price_incl_tax": 11.9,
         "tax_amount": 1.9 if dynamic else 0, "tax_percent": 19}
        for n in (2, 3)
    ]  # fmt: skip
    return plain(items=[parent, *parts])


def test_a_dynamic_bundle_is_priced_by_its_parts_and_a_fixed_one_by_itself() -> None:
    dynamic, fixed = (PARSER.parse(bundle(dynamic=one)) for one in (True, False))
    assert [(line.kind, line.total) for line in dynamic.lines[:3]] == [
        (LineKind.BUNDLE, Decimal(0)), (LineKind.COMPONENT, Decimal("11.90")), (LineKind.COMPONENT, Decimal("11.90")),
    ]  # fmt: skip
    assert [line.total for line in fixed.lines[:3]] == [Decimal("23.80"), 0, 0]
    assert {line.parent for line in dynamic.lines[1:3]} == {"1"}
    assert order_sum(dynamic) == order_sum(fixed) == Decimal("28.80")


def test_gross_prices_with_rounded_net_units_are_exact() -> None:
    """100 pieces at 0.99 gross are 99.00; the net unit price of 0.83 would make it 98.81."""
    item = {"item_id": 1, "sku": "A", "name": "Screw", "product_type": "simple", "qty_ordered": 100, "price": 0.83,
            "price_incl_tax": 0.99, "tax_amount": 15.81, "tax_percent": 19}  # fmt: skip
    order = PARSER.parse(plain(items=[item], subtotal=83.19, tax_amount=15.81, shipping_amount=0, grand_total=99))
    assert order.lines[0].total == Decimal("99.00")
    assert order.residual is None


def test_a_cent_between_rows_and_totals_goes_to_the_largest_line_and_more_is_a_residual() -> None:
    order = PARSER.parse(plain(subtotal=19.99, grand_total=28.79))
    assert [line.total for line in order.lines] == [Decimal("23.79"), Decimal("5.00")]
    far = PARSER.parse(plain(grand_total=30.3, extension_attributes={"x_cod_fee": "1.5000", "base_y": 1.5}))
    assert far.residual is not None
    assert (far.residual.amount, far.residual.name) == (Decimal("1.50"), "x_cod_fee")
    unknown = PARSER.parse(plain(grand_total=30.3))
    assert unknown.residual is not None
    assert unknown.residual.name == "no field of the order holds this amount; probably a module adds it"


def test_gift_cards_store_credit_and_points_are_deductions() -> None:
    extension = {"gift_cards_amount": 3, "gift_cards": [{"code": "GC1"}], "customer_balance_amount": "2.00",
                 "reward_currency_amount": 1, "gw_price": "", "gw_items_price": "1.0000",
                 "gw_items_tax_amount": "0.19"}  # fmt: skip
    order = PARSER.parse(plain(grand_total=23.99, extension_attributes=extension, tax_amount=3.8))
    assert {one.kind: one.amount for one in order.deductions} == {
        DeductionKind.GIFT_CARD: 3, DeductionKind.STORE_CREDIT: 2, DeductionKind.REWARD: 1,
    }  # fmt: skip
    assert order.deductions[0].code == "GC1"
    assert order.residual is None
    assert [line.name for line in order.lines if line.kind == LineKind.SURCHARGE] == ["Gift wrapping of items"]


def test_a_discount_is_shown_gross_in_both_kinds_of_catalogue() -> None:
    net = {"item_id": 1, "sku": "A", "name": "x", "product_type": "simple", "qty_ordered": 1, "price": 100,
           "price_incl_tax": 119, "discount_amount": 10, "tax_amount": 17.1, "tax_percent": 19}  # fmt: skip
    gross = {**net, "discount_amount": 11.9, "discount_tax_compensation_amount": 1.9}
    totals = {"subtotal": 100, "tax_amount": 17.1, "shipping_amount": 0, "grand_total": 107.1}
    for item, more in (
        (net, {"discount_amount": -10}),
        (gross, {"discount_amount": -11.9, "discount_tax_compensation_amount": 1.9}),
    ):
        line = PARSER.parse(plain(items=[item], **totals, **more)).lines[0]
        assert (line.gross, line.discount, line.total) == (Decimal("119.00"), Decimal("11.90"), Decimal("107.10"))


def test_a_guest_has_the_billing_addresss_name_and_no_key() -> None:
    order = PARSER.parse(payload("guest_configurable_no_region"))
    assert order.customer.guest
    assert order.customer.last_name == order.billing.last_name
    assert PARSER.parse(plain(customer_is_guest=0)).customer.guest, "no customer id is a guest, whatever the flag says"


def test_an_edited_order_knows_its_successor_and_its_parent() -> None:
    parent, child = PARSER.parse(payload("edited_parent_canceled")), PARSER.parse(payload("edited_child"))
    assert parent.cancelled
    assert parent.replaced_by == child.number
    assert child.replaces == parent.number


def test_a_missing_status_is_absent_and_nothing_is_said_instead() -> None:
    assert PARSER.parse(payload("without_status_field")).status is None


def test_order_currency_is_taken_as_given() -> None:
    order = PARSER.parse(payload("multicurrency_eur_aed_rounded_price"))
    assert (order.currency, order.base_currency, order.grand_total) == ("AED", "EUR", 2220)
    assert order.lines[0].total == 2220


def test_store_and_website_are_codes_and_a_deleted_view_is_none() -> None:
    known = PARSER.parse(plain())
    assert (known.store, known.website) == ("de", "base")
    gone = PARSER.parse(plain(store_id=None, store_name="Main\nStore\nGone"))
    assert gone.store is None
    assert "Store view without number (Main / Store / Gone) does not exist any more." in gone.extra["notes"]


def test_a_virtual_order_ships_nowhere() -> None:
    assert PARSER.parse(plain(is_virtual=1)).shipping is None
    assert PARSER.parse(plain()).shipping is not None, "an endpoint that leaves the assignments out ships to billing"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("grand_total", None, "grand_total is missing"),
        ("grand_total", "abc", "grand_total should be an amount, got 'abc'"),
        ("grand_total", True, "grand_total should be an amount"),
        ("grand_total", Decimal("1e30"), r"grand_total should be an amount, got '1E\+30'"),
        ("created_at", "yesterday", "created_at should be a time"),
        ("increment_id", None, "increment_id is missing"),
        ("order_currency_code", None, "order_currency_code is missing"),
        ("items", None, "items is missing"),
        ("items", {"a": 1}, "items should be a list"),
        ("items", [5], r"items\[0\] should be an object, got 5"),
        ("items", [{"item_id": 1}], r"items\[0\]\.qty_ordered is missing"),
        ("items", [{"item_id": 1, "qty_ordered": "two"}], r"items\[0\]\.qty_ordered should be an amount, got 'two'"),
        ("billing_address", None, "billing_address is missing"),
        ("billing_address", "here", "should be an object, got 'here'"),
        ("payment", None, "payment.method is missing"),
        ("extension_attributes", "x", "should be an object"),
        ("customer_firstname", {"a": 1}, r"customer_firstname should be a text, got \{'a': 1\}"),
        ("billing_address", {"lastname": ["x"]}, r"billing_address\.lastname should be a text, got \['x'\]"),
        ("status", True, "status should be a text, got True"),
    ],
)
def test_a_bad_field_is_named_with_what_was_received(field: str, value: Any, said: str) -> None:
    given = plain()
    given[field] = value
    with pytest.raises(RecordFailed, match=said) as caught:
        PARSER.parse(given)
    assert field == "increment_id" or "100000007" in str(caught.value)


def test_an_item_without_a_sku_is_still_a_line() -> None:
    given = plain()
    given["items"][0]["sku"] = None
    order = PARSER.parse(given)
    assert [(line.sku, line.name) for line in order.lines if line.kind == LineKind.PRODUCT] == [(None, "Thing")]
    assert order_sum(order) == Decimal("28.80")


def test_an_empty_list_where_a_text_should_be_is_absent_as_php_writes_it() -> None:
    order = PARSER.parse(plain(customer_firstname=[], customer_taxvat=False))
    assert order.customer.first_name == "Ada"
    assert order.customer.vat_id is None


def test_odd_third_party_attributes_do_no_harm() -> None:
    odd = {"a": [1, "x", {"b": None}], "shipping_assignments": "0", "gift_cards": {"x": 1},
           "payment_additional_info": [None, 3],
           "gw_price": "n/a", "item_applied_taxes": [{"type": "shipping", "applied_taxes": "none"}]}  # fmt: skip
    order = PARSER.parse(plain(extension_attributes=odd))
    assert order_sum(order) == Decimal("28.80")


def test_parsing_changes_nothing_in_the_payload() -> None:
    given = plain()
    before = copy.deepcopy(given)
    PARSER.parse(given)
    assert given == before


def test_the_fingerprint_ignores_a_moved_update_time_and_sees_a_changed_total() -> None:
    one = PARSER.parse(plain())
    moved = PARSER.parse(plain(updated_at="2027-01-01 00:00:00"))
    changed = PARSER.parse(plain(grand_total=28.9))
    assert one.substance() == moved.substance() != changed.substance()
