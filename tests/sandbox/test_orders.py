"""The invented orders: they add up, they vary, and a folder of real ones is served as it is."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from sandbox import orders
from sandbox.message import to_json
from sandbox.money import ZERO, cents, number
from sandbox.totals import Row, Rule, calculate
from tests.conftest import shared

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SEEDS = range(1, 13)
Order = dict[str, Any]


def residual(order: Order, prefix: str = "") -> Decimal:
    """What the fields of an order leave unexplained."""
    short = "shipping_discount_tax_compensation_" + ("amnt" if prefix else "amount")
    names = ["subtotal", "shipping_amount", "tax_amount", "discount_tax_compensation_amount", short, "discount_amount"]
    credit = ["gift_cards_amount", "customer_balance_amount", "reward_currency_amount"]
    extra = order["extension_attributes"]
    explained = sum((number(order[prefix + name]) for name in names), ZERO)
    explained -= sum((number(extra.get(prefix + name)) for name in credit), ZERO)
    return number(order[f"{prefix}grand_total"]) - explained


def chosen(order: Order) -> list[dict[str, Any]]:
    """The lines that carry money: children of dynamic bundles instead of their parent, else the parents."""
    paid_children = {
        item["parent_item_id"] for item in order["items"] if item.get("parent_item_id") and item["base_price"]
    }
    return [
        item
        for item in order["items"]
        if item["item_id"] not in paid_children
        and (not item.get("parent_item_id") or item["parent_item_id"] in paid_children)
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sum_identity_holds_for_every_order_but_the_surcharged(seed: int) -> None:
    print(f"seed {seed}")
    for order in orders.generate(200, seed, NOW):
        fee = number(order["extension_attributes"].get("payment_surcharge_amount"))
        assert residual(order) == fee, order["increment_id"]
        assert residual(order, "base_") == fee, order["increment_id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_lines_sum_up_to_the_order(seed: int) -> None:
    print(f"seed {seed}")
    for order in orders.generate(200, seed, NOW):
        lines = chosen(order)
        for prefix in ("", "base_"):
            gross = sum((number(item[f"{prefix}row_total_incl_tax"]) for item in lines), ZERO)
            left = number(order[f"{prefix}subtotal"]) + number(order[f"{prefix}discount_amount"])
            left += number(order[f"{prefix}shipping_discount_amount"])
            left += number(order[f"{prefix}tax_amount"]) - number(order[f"{prefix}shipping_tax_amount"])
            left += number(order[f"{prefix}discount_tax_compensation_amount"])
            assert gross == left, order["increment_id"]
            tax = sum((number(item[f"{prefix}tax_amount"]) for item in lines), ZERO)
            assert tax + number(order[f"{prefix}shipping_tax_amount"]) == number(order[f"{prefix}tax_amount"])
            discount = sum((number(item[f"{prefix}discount_amount"]) for item in lines), ZERO)
            discount += number(order[f"{prefix}shipping_discount_amount"])
            assert discount == -number(order[f"{prefix}discount_amount"]), order["increment_id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_unit_prices_give_the_subtotal_up_to_their_rounding(seed: int) -> None:
    """Exactly where prices are net; a net unit price out of a gross one is rounded, its row is not."""
    print(f"seed {seed}")
    for order in orders.generate(200, seed, NOW):
        by_units = sum((number(i["base_price"]) * number(i["qty_ordered"]) for i in chosen(order)), ZERO)
        slack = sum((number(i["qty_ordered"]) for i in chosen(order)), ZERO) * Decimal("0.005")
        difference = abs(cents(by_units) - number(order["base_subtotal"]))
        assert difference <= (slack if order["store_id"] != 1 else 0), order["increment_id"]


@pytest.mark.parametrize("seed", SEEDS)
def test_applied_taxes_add_up_to_the_tax(seed: int) -> None:
    print(f"seed {seed}")
    for order in orders.generate(200, seed, NOW):
        extra = order["extension_attributes"]
        assert sum((number(tax["amount"]) for tax in extra["applied_taxes"]), ZERO) == number(order["tax_amount"])
        shares = [tax for entry in extra["item_applied_taxes"] for tax in entry["applied_taxes"]]
        assert sum((number(tax["amount"]) for tax in shares), ZERO) == number(order["tax_amount"])


def test_no_amount_is_negative_but_the_discount() -> None:
    for order in orders.generate(400, 7, NOW):
        for name, value in order.items():
            if isinstance(value, int | Decimal) and not name.endswith(
                ("discount_amount", "discount_invoiced", "discount_refunded")
            ):
                assert value >= 0, (order["increment_id"], name)


def test_the_documented_example_of_a_gross_discount_comes_out() -> None:
    row = Row(price=Decimal(119), quantity=Decimal(1), rate=Decimal(19), home_rate=Decimal(19))
    free = Row(price=ZERO, quantity=Decimal(1), rate=ZERO, home_rate=ZERO)
    totals = calculate([row], free, [Rule(percent=Decimal(10))], inclusive=True)
    found = [str(value) for value in (row.unit, row.discount, row.tax, row.compensation)]
    assert found == ["100.00", "11.90", "17.10", "1.90"]
    assert totals.grand == Decimal("107.10")


def test_a_recorded_net_row_comes_out() -> None:
    """69.00 + 8.25 %, two pieces: the row is 149.39, the unit shows 74.70."""
    row = Row(price=Decimal(69), quantity=Decimal(2), rate=Decimal("8.25"), home_rate=ZERO)
    calculate([row], Row(price=ZERO, quantity=Decimal(1), rate=ZERO, home_rate=ZERO), [], inclusive=False)
    assert (row.total_incl_tax, row.unit_incl_tax) == (Decimal("149.39"), Decimal("74.70"))


def test_a_fixed_discount_is_spent_to_the_cent() -> None:
    rows = [
        Row(price=Decimal(p), quantity=Decimal(1), rate=Decimal(19), home_rate=Decimal(19))
        for p in ("3.33", "3.33", "3.34")
    ]
    free = Row(price=ZERO, quantity=Decimal(1), rate=ZERO, home_rate=ZERO)
    totals = calculate(rows, free, [Rule(fixed=Decimal("1.00"))], inclusive=True)
    assert sum(row.discount for row in rows) == totals.discount == 1


def test_what_the_last_row_cannot_take_is_taken_from_the_others() -> None:
    rows = [
        Row(price=Decimal(p), quantity=Decimal(1), rate=ZERO, home_rate=ZERO) for p in ("0.04", "0.04", "0.04", "0.01")
    ]
    free = Row(price=ZERO, quantity=Decimal(1), rate=ZERO, home_rate=ZERO)
    totals = calculate(rows, free, [Rule(fixed=Decimal("0.11"))], inclusive=True)
    assert totals.discount == Decimal("0.11")
    assert all(row.discount <= row.total for row in rows)


def test_the_same_seed_makes_the_same_orders() -> None:
    assert to_json(orders.generate(60, 3, NOW)) == to_json(orders.generate(60, 3, NOW))
    assert to_json(orders.generate(60, 3, NOW)) != to_json(orders.generate(60, 4, NOW))


@pytest.mark.parametrize("count", [0, 1, 7, 99, 100, 200, 333])
def test_it_makes_as_many_as_asked_for(count: int) -> None:
    made = orders.generate(count, 1, NOW)
    assert len(made) == count
    assert len({order["entity_id"] for order in made}) == count
    assert len({(order["store_id"], order["increment_id"]) for order in made}) == count


def test_two_hundred_orders_hold_every_kind() -> None:
    made = orders.generate(200, 1, NOW)
    items = [item for order in made for item in order["items"]]
    assert {item["product_type"] for item in items} >= {"simple", "configurable", "bundle", "virtual", "downloadable"}
    extras = {name for order in made for name, value in order["extension_attributes"].items() if value}
    assert extras >= {
        "gift_cards_amount",
        "customer_balance_amount",
        "payment_surcharge_amount",
        "pickup_location_code",
        "gift_message",
    }
    assert {order["store_id"] for order in made} == {1, 2, 3}
    assert {order["order_currency_code"] for order in made} == {"EUR", "PLN"}
    states = Counter(order.get("status") for order in made)
    assert set(states) >= {"pending", "pending_payment", "processing", "complete", "canceled", "closed", "holded", None}
    assert states["processing"] + states["complete"] > 150
    methods = {order["payment"]["method"] for order in made}
    assert methods == {
        "checkmo",
        "banktransfer",
        "paypal_express",
        "free",
        "cashondelivery",
        "braintree",
        "purchaseorder",
    }
    assert any(not order["grand_total"] for order in made)
    assert any(order["increment_id"].endswith("-1") for order in made)
    assert any(item["sku"].startswith("UNKNOWN-") for item in items)
    assert any(number(item["qty_ordered"]) % 1 for item in items)
    assert any("Packstation" in line for order in made for line in delivery(order).get("street", []))
    assert any("vat_id" in order["billing_address"] for order in made)
    assert {order["billing_address"]["country_id"] for order in made} == {"DE", "AT", "CH", "FR", "PL"}


def delivery(order: Order) -> dict[str, Any]:
    found = order["extension_attributes"]["shipping_assignments"][0]["shipping"].get("address", {})
    assert isinstance(found, dict)
    return found


def test_two_or_three_percent_carry_a_surcharge() -> None:
    made = orders.generate(1000, 5, NOW)
    surcharged = [order for order in made if "payment_surcharge_amount" in order["extension_attributes"]]
    assert 15 <= len(surcharged) <= 35


def test_orders_are_dated_within_two_weeks_and_some_share_a_second() -> None:
    made = orders.generate(200, 1, NOW)
    created = [order["created_at"] for order in made if "relation_parent_id" not in order]
    assert created == sorted(created)
    assert min(created) >= f"{NOW - timedelta(days=14):%Y-%m-%d %H:%M:%S}"
    assert max(order["updated_at"] for order in made) <= f"{NOW:%Y-%m-%d %H:%M:%S}"
    assert all(order["updated_at"] >= order["created_at"] for order in made)
    assert len(set(created)) < len(created)


def test_row_totals_are_net_of_the_discount_and_children_show_their_parents_price() -> None:
    made = orders.generate(300, 2, NOW)
    discounted = [item for order in made for item in order["items"] if item.get("discount_amount")]
    net = [item for item in discounted if item["store_id"] == 1]
    assert net
    for item in net:
        row = cents(number(item["price"]) * number(item["qty_ordered"]))
        assert number(item["row_total"]) == row - number(item["discount_amount"])
    children = [
        item for order in made for item in order["items"] if "parent_item_id" in item and not item["base_price"]
    ]
    assert any(item["price"] == item["parent_item"]["price"] != 0 for item in children)
    assert all(item["parent_item"]["item_id"] == item["parent_item_id"] for item in children)


def test_an_edited_order_is_canceled_and_followed() -> None:
    made = orders.generate(200, 1, NOW)
    child = next(order for order in made if "relation_parent_id" in order)
    parent = next(order for order in made if str(order["entity_id"]) == child["relation_parent_id"])
    assert parent["state"] == "canceled"
    assert parent["total_due"] == parent["grand_total"]
    assert child["increment_id"] == f"{parent['increment_id']}-1"
    assert (parent["relation_child_id"], parent["relation_child_real_id"]) == (
        str(child["entity_id"]),
        child["increment_id"],
    )
    assert not {item["item_id"] for item in child["items"]} & {item["item_id"] for item in parent["items"]}


def test_the_polish_prices_are_not_base_times_rate() -> None:
    polish = [order for order in orders.generate(200, 1, NOW) if order["order_currency_code"] == "PLN"]
    off = [
        o
        for o in polish
        if cents(number(o["base_grand_total"]) * number(o["base_to_order_rate"])) != number(o["grand_total"])
    ]
    assert len(off) > len(polish) // 2


def test_placed_orders_continue_the_numbers() -> None:
    before = orders.generate(50, 1, NOW)
    placed = orders.place(before, 5, NOW)
    assert [order["entity_id"] for order in placed] == [51, 52, 53, 54, 55]
    assert not {order["increment_id"] for order in placed} & {order["increment_id"] for order in before}
    assert {order["created_at"] for order in placed} == {"2026-03-02 12:00:00"}
    items = [item["item_id"] for order in (*before, *placed) for item in order["items"]]
    assert len(items) == len(set(items))


def test_generated_orders_fit_the_vendors_schema_but_for_its_known_gaps() -> None:
    """The schema does not say that text and numbers may be null, and that guests have no name."""
    contract = json.loads((shared() / "contracts/magento/subset-orders-admin-2.4.9.json").read_text())
    root = {"$ref": "#/definitions/sales-data-order-interface", "definitions": contract["definitions"]}
    validator = jsonschema.Draft4Validator(root)
    known = set(contract["definitions"]["sales-data-order-interface"]["properties"])
    for order in orders.generate(120, 4, NOW):
        payload = json.loads(to_json(order))
        assert set(payload) <= known
        assert [error.message for error in validator.iter_errors(payload) if error.instance is not None] == []


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_a_folder_of_orders_is_loaded_digit_for_digit(tmp_path: Path) -> None:
    text = '{"entity_id":7,"increment_id":"A7","updated_at":"2026","total":12.5000,"items":[],"odd":[null,"0"]}'
    write(tmp_path, "one.json", text)
    assert to_json(orders.load(tmp_path)[0]) == text


def test_lists_and_exports_are_loaded_too(tmp_path: Path) -> None:
    made = orders.generate(4, 1, NOW)
    write(tmp_path, "list.json", to_json(made[:2]))
    write(tmp_path, "export.json", to_json({"items": made[2:], "search_criteria": {}, "total_count": 2}))
    assert {order["entity_id"] for order in orders.load(tmp_path)} == {1, 2, 3, 4}


def test_an_order_whose_items_are_no_list_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "odd.json", '{"entity_id":1,"increment_id":"A5","updated_at":"x","items":"none"}')
    with caplog.at_level(logging.WARNING):
        assert orders.load(tmp_path) == []
    assert "odd.json: order A5 is left out: its items are no list" in caplog.text


def test_an_order_with_an_item_that_is_no_object_is_named_and_the_others_are_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The stand-in could not even start with it: it reads the SKU of every item."""
    write(tmp_path, "bad.json", '{"entity_id":1,"increment_id":"A6","updated_at":"x","items":[{"sku":"S"},null]}')
    write(tmp_path, "good.json", '{"entity_id":2,"increment_id":"A7","updated_at":"x","items":[{"sku":"S"}]}')
    with caplog.at_level(logging.WARNING):
        assert [order["increment_id"] for order in orders.load(tmp_path)] == ["A7"]
    assert "bad.json: order A6 is left out: one of its items is no object" in caplog.text


def test_what_is_no_order_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "broken.json", "{")
    write(tmp_path, "customer.json", '{"id": 1}')
    write(tmp_path, "invoice.json", '{"entity_id":1,"increment_id":"1","updated_at":"x","order_id":3,"items":[]}')
    write(tmp_path, "half.json", '{"increment_id":"5","items":[]}')
    with caplog.at_level(logging.WARNING):
        assert orders.load(tmp_path) == []
    for name in ("broken.json", "customer.json", "invoice.json", "half.json"):
        assert name in caplog.text
    assert "half.json: an order lacks entity_id, updated_at" in caplog.text


def test_files_with_one_entity_id_are_all_served(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name, increment in (("a.json", "100"), ("b.json", "200"), ("c.json", "300")):
        write(tmp_path, name, json.dumps({"entity_id": 9, "increment_id": increment, "updated_at": "x", "items": []}))
    with caplog.at_level(logging.WARNING):
        found = orders.load(tmp_path)
    assert [(order["entity_id"], order["increment_id"]) for order in found] == [(9, "100"), (10, "200"), (11, "300")]
    assert "b.json" in caplog.text
