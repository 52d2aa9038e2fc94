"""Whatever kind of catalogue, discount, bundle or fee: each line is what the customer pays, and all of them the total."""

from __future__ import annotations

import copy
import os
import random
from decimal import Decimal
from typing import Any

import pytest

from connector import Entry
from connector.magento.parsing import Parser
from connector.magento.stores import StoreViews
from connector.magento.taxes import roundest
from connector.records import DeductionKind, LineKind, Order
from tests.connector.magento.orders import bundle, order, random_rows, row

VIEWS = [Entry(id="de", name="Deutsch", extra={"store_id": "1", "website": "base", "weight_unit": "lbs"})]
PARSER = Parser(StoreViews(lambda: VIEWS, list).find)
ZERO = Decimal(0)


def parsed(payload: dict[str, Any]) -> Order:
    made = PARSER.parse(payload)
    lines = sum((line.total for line in made.lines), ZERO)
    residual = made.residual.amount if made.residual else ZERO
    assert lines - sum((one.amount for one in made.deductions), ZERO) + residual == made.grand_total
    assert all(line.discount >= 0 for line in made.lines)
    return made


def simple(
    price: str, quantity: str = "1", rate: str = "19", off: str = "0", *, gross: bool = True, key: int = 1
) -> Any:
    return row(key, Decimal(price), Decimal(quantity), Decimal(rate), Decimal(off), gross=gross)


def seed() -> random.Random:
    made = int(os.environ.get("TEST_SEED") or random.randrange(1 << 30))
    print(f"seed {made} (repeat with TEST_SEED={made})")
    return random.Random(made)


@pytest.mark.parametrize("gross", [True, False], ids=["prices with tax", "prices without tax"])
def test_every_line_is_what_the_customer_pays(gross: bool) -> None:
    chance = seed()
    for _ in range(300):
        rows = random_rows(chance, gross=gross)
        carriage = row(0, Decimal(chance.choice([0, 490, 995])) / 100, Decimal(1), Decimal(19), Decimal(0), gross=gross)
        made = parsed(order(rows, carriage, shipping_description="Parcel"))
        assert made.residual is None
        paid = {line.key: line.total for line in made.lines}
        assert paid.pop("shipping") == carriage["to_pay"]
        assert [line.tax for line in made.lines[:-1]] == [one["tax_amount"] for one in rows]
        # Where net prices sum up by chance, too, single lines may differ by what cancels out between them.
        assert sum(paid.values()) == sum(one["to_pay"] for one in rows)
        assert all(abs(paid[str(one["item_id"])] - one["to_pay"]) <= one["qty_ordered"] / 100 for one in rows)


def test_a_discount_is_what_the_row_loses_with_tax_in_both_kinds_of_catalogue() -> None:
    for one in (simple("119", off="10"), simple("100", off="10", gross=False)):
        line = parsed(order([one])).lines[0]
        assert (line.gross, line.discount, line.tax) == (Decimal("119.00"), Decimal("11.90"), Decimal("17.10"))


def test_many_pieces_of_a_rounded_net_price_are_exact() -> None:
    line = parsed(order([simple("9.99", "1000")])).lines[0]
    assert line.total == Decimal("9990.00")


def test_without_a_price_including_tax_the_compensation_makes_it_right() -> None:
    one = {**simple("119", off="10"), "price_incl_tax": None}
    line = parsed(order([one])).lines[0]
    assert (line.gross, line.total) == (Decimal("119.00"), Decimal("107.10"))


def test_a_rounded_unit_price_never_makes_a_discount_negative() -> None:
    line = parsed(order([simple("0.02", "100", off="1", gross=False)])).lines[0]
    assert (line.gross, line.discount, line.total) == (Decimal("2.36"), ZERO, Decimal("2.36"))


@pytest.mark.parametrize("gross", [True, False], ids=["prices with tax", "prices without tax"])
def test_nothing_depends_on_row_totals_or_a_childs_price(gross: bool) -> None:
    chance = seed()
    for dynamic, told in ((True, True), (True, False), (False, True)):
        parts = [simple("10.01", "3", gross=gross, key=2), simple("5.55", "7", off="10", gross=gross, key=3)]
        rows = [simple("20", key=9, gross=gross), *bundle(1, parts, dynamic=dynamic, price=Decimal(17))]
        for one in rows if not told else ():
            one["price_incl_tax"] = None
        given = order(rows)
        expected = parsed(given).lines
        for _ in range(20):
            changed = copy.deepcopy(given)
            for item in changed["items"]:
                for name in ("row_total", "base_row_total", "row_total_incl_tax", "base_row_total_incl_tax"):
                    item[name] = chance.randrange(1000)
                if "parent_item_id" in item:
                    item["price"] = chance.randrange(1000)
            assert parsed(changed).lines == expected


def test_a_dynamic_bundle_is_paid_by_its_parts_and_a_fixed_one_by_itself() -> None:
    parts = [simple("10", key=2), simple("5", "2", "7", key=3)]
    dynamic = parsed(order(bundle(1, parts, dynamic=True)))
    assert [(line.kind, line.total, line.parent) for line in dynamic.lines] == [
        (LineKind.BUNDLE, ZERO, None),
        (LineKind.COMPONENT, Decimal(10), "1"),
        (LineKind.COMPONENT, Decimal(10), "1"),
    ]
    assert [line.tax_rate for line in dynamic.lines] == [None, 19, 7]
    fixed = parsed(order(bundle(1, parts, dynamic=False, price=Decimal(17))))
    assert [line.total for line in fixed.lines] == [Decimal(17), ZERO, ZERO]
    assert [line.tax_rate for line in fixed.lines] == [19, None, None], "a row without amounts says 0 percent"


@pytest.mark.parametrize("told", [True, False], ids=["unit prices", "only base prices"])
def test_parts_of_a_bundle_in_another_currency_are_never_base_times_rate(told: bool) -> None:
    """The shop rounds prices per currency: 10 EUR at 4.4756 are 45 AED here, not 44.76."""
    parts = [simple("45", rate="0", key=2), simple("90", rate="0", key=3)]
    rows = bundle(1, parts, dynamic=True)
    for one, base in zip(rows, (30, 10, 20), strict=True):
        one["base_price"] = Decimal(base)
        if not told:
            one["price_incl_tax"] = None
    given = order(rows, order_currency_code="AED", base_to_order_rate=4.4756)
    assert [line.total for line in parsed(given).lines] == [ZERO, Decimal(45), Decimal(90)]


def test_many_parts_of_a_bundle_in_another_currency_come_to_their_own_net_price() -> None:
    """2.80 with 5.5 percent is 2.954, shown as 2.95: 24 of them would miss 0.09 without tax."""
    rows = bundle(1, [simple("2.80", "24", "5.5", key=2)], dynamic=True)
    rows[1] |= {"price": Decimal("2.80"), "price_incl_tax": Decimal("2.95"), "base_price": Decimal("0.65")}
    rows[1] |= {"tax_amount": Decimal("3.70"), "net": Decimal("67.20"), "to_pay": Decimal("70.90")}
    given = order(rows, order_currency_code="PLN", base_to_order_rate=4.3)
    assert [line.total for line in parsed(given).lines] == [ZERO, Decimal("70.90")]


def test_a_part_whose_bundle_is_not_listed_stands_alone() -> None:
    one = {**simple("10"), "parent_item_id": 99, "price": Decimal("77")}
    line = parsed(order([one])).lines[0]
    assert (line.kind, line.parent, line.total) == (LineKind.PRODUCT, None, Decimal(10))


def test_rows_of_an_unknown_type_keep_the_money_of_their_parts() -> None:
    rows = bundle(1, [simple("10", key=2)], dynamic=True)
    rows[0]["product_type"] = "kit"
    assert [line.total for line in parsed(order(rows)).lines] == [ZERO, Decimal(10)]


def test_a_sold_gift_card_is_a_line_of_its_kind_with_its_words() -> None:
    option = {"giftcard_item_option": {"giftcard_recipient_name": "Bo", "giftcard_message": "Have fun"}}
    card = {**simple("50", rate="0"), "product_type": "giftcard", "product_option": {"extension_attributes": option}}
    line = parsed(order([card])).lines[0]
    assert line.kind is LineKind.GIFT_CARD
    assert line.options == ("To: Bo", "Message: Have fun")


def test_a_fixed_product_tax_belongs_to_its_line_wherever_the_shop_counts_it() -> None:
    tax = '[{"title": "WEEE", "row_amount": 2.0, "row_amount_incl_tax": 2.38}]'
    one = {**simple("10"), "weee_tax_applied_row_amount": 2, "weee_tax_applied": tax}
    beside = parsed(order([one], beyond=Decimal("2.38")))
    within = parsed({**order([one], beyond=Decimal("2.38")), "subtotal": Decimal("10.78")})
    for made in (beside, within):
        assert made.residual is None
        assert (made.lines[0].total, made.lines[0].tax) == (Decimal("12.38"), Decimal("1.98"))
    rows = [{**one, "item_id": key} for key in (1, 2, 3)]
    cents_off = parsed({**order(rows, beyond=Decimal("7.16")), "subtotal": Decimal("25.22")})
    assert cents_off.residual is None
    assert [line.total for line in cents_off.lines] == [Decimal("12.40"), Decimal("12.38"), Decimal("12.38")]
    plain = {**one, "weee_tax_applied": "not json"}
    assert parsed(order([plain], beyond=2)).lines[0].total == Decimal("12.00")


def test_gift_wrapping_and_custom_fees_are_lines_of_their_own() -> None:
    extension = {"gw_price": "", "gw_items_price": "1.0000", "gw_items_tax_amount": "0.19",
                 "custom_fees": [{"custom_fee_code": "cod", "custom_fee_label": "Cash on delivery",
                                  "custom_fee_amount": 3.5}]}  # fmt: skip
    for in_tax in (Decimal("0.19"), ZERO):  # some versions count the fee's tax in the order's, some do not
        given = order([simple("10")], beyond=Decimal("4.69"), extension_attributes=extension)
        given["tax_amount"] += in_tax
        made = parsed(given)
        assert made.residual is None
        surcharges = [line for line in made.lines if line.kind is LineKind.SURCHARGE]
        assert [(line.name, line.total, line.tax_rate) for line in surcharges] == [
            ("Gift wrapping of items", Decimal("1.19"), 19),
            ("Cash on delivery", Decimal("3.50"), 0),
        ]


def test_gift_cards_are_named_one_by_one_when_their_amounts_are_known() -> None:
    cards = [{"code": "A", "amount": 3}, {"code": "B", "amount": 2}]
    extension = {
        "gift_cards_amount": 5,
        "gift_cards": cards,
        "customer_balance_amount": 1.5,
        "reward_currency_amount": 1,
    }
    made = parsed(order([simple("10")], beyond=Decimal("-7.5"), extension_attributes=extension))
    assert [(one.kind, one.amount, one.code) for one in made.deductions] == [
        (DeductionKind.GIFT_CARD, 3, "A"),
        (DeductionKind.GIFT_CARD, 2, "B"),
        (DeductionKind.STORE_CREDIT, Decimal("1.5"), None),
        (DeductionKind.REWARD, 1, None),
    ]
    assert made.residual is None
    extension["gift_cards"] = [{"code": "A"}, {"code": "B"}]
    made = parsed(order([simple("10")], beyond=Decimal("-7.5"), extension_attributes=extension))
    assert (made.deductions[0].amount, made.deductions[0].code) == (5, "A, B")


def test_cents_of_rounding_go_to_the_largest_sold_line() -> None:
    rows = [simple("10", key=1), simple("90", key=2)]
    given = order(rows, simple("500"))
    given["subtotal"] += Decimal("0.02")
    given["grand_total"] += Decimal("0.02")
    made = parsed(given)
    assert made.residual is None
    assert [line.total for line in made.lines] == [Decimal("10.00"), Decimal("90.02"), Decimal("500.00")]


def test_a_cent_between_the_totals_is_rounding_and_two_are_not() -> None:
    assert parsed(order([simple("10")], beyond=Decimal("-0.01"))).lines[0].total == Decimal("9.99")
    made = parsed(order([simple("10")], beyond=Decimal("0.02")))
    assert made.residual is not None
    assert made.residual.amount == Decimal("0.02")


@pytest.mark.parametrize("reference", ["9" * 31, "1e40", 10**40])
def test_a_long_reference_number_is_no_cause_and_no_fault(reference: Any) -> None:
    made = parsed(order([simple("10")], beyond=Decimal("0.02"), extension_attributes={"reference": reference}))
    assert made.residual is not None
    assert made.residual.amount == Decimal("0.02")


def test_more_decimals_than_two_stay_exact() -> None:
    made = parsed(order([simple("10")], beyond=Decimal("0.005")))
    assert made.grand_total == Decimal("10.005")
    assert made.residual is None


@pytest.mark.parametrize(
    ("extension", "said"),
    [
        ({"total": 1.5, "x_cod_fee": 1.5}, "x_cod_fee"),
        ({"rating": 2, "stars": 1.5}, "stars"),
        ({"x_cod_fee": "1.5000", "base_x_cod_fee": 1.5}, "x_cod_fee"),
        ({"base_x_fee_amount": 1.5}, "base_x_fee_amount"),
        ({"surcharge": {"label": "Nachnahme", "amount": 1.5}}, "Nachnahme (surcharge.amount)"),
        ({"totals": [{"key": "cod_fee", "value": 1.5}]}, "totals.cod_fee"),
        ({"fee_amount": 1.26, "fee_tax_amount": 0.24, "fee_title": "Service"}, "Service (fee_amount)"),
        ({"some_flag": True, "rating": 2}, "no field of the order holds this amount; probably a module adds it"),
    ],
)
def test_a_residual_names_the_attribute_that_holds_it(extension: dict[str, Any], said: str) -> None:
    made = parsed(order([simple("10")], beyond=Decimal("1.5"), extension_attributes=extension))
    assert made.residual is not None
    assert (made.residual.amount, made.residual.name) == (Decimal("1.50"), said)


def test_a_module_that_lowers_the_total_is_a_negative_residual() -> None:
    made = parsed(order([simple("10")], beyond=-3, extension_attributes={"loyalty_discount": "3.0000"}))
    assert made.residual is not None
    assert (made.residual.amount, made.residual.name) == (-3, "loyalty_discount")


def test_a_credit_that_stands_where_magento_has_none_is_named() -> None:
    made = parsed(order([simple("10")], beyond=-3, customer_balance_amount=3))
    assert made.residual is not None
    assert (made.residual.amount, made.residual.name) == (-3, "customer_balance_amount")


def test_a_number_that_happens_to_be_the_same_is_no_cause() -> None:
    made = parsed(order([simple("10")], beyond=2, extension_attributes={"rating": 2, "area_code": "2"}))
    assert made.residual is not None
    assert made.residual.name.startswith("no field of the order")


def test_a_missing_line_is_a_residual_that_says_so() -> None:
    given = order([simple("10", key=1), simple("90", key=2)])
    given["items"].pop()
    made = parsed(given)
    assert made.residual is not None
    assert made.residual.amount == 90
    assert "lines are missing" in made.residual.name


@pytest.mark.parametrize(
    ("carriage", "extension", "rate"),
    [
        (simple("4.90"), [{"percent": 19}], 19),
        (simple("4.90"), [], 19),
        (simple("4.90", rate="7"), [{"percent": 19}], 7),  # the amounts decide
        (simple("5.30", rate="0"), [{"percent": 4.3}, {"percent": 1}], 0),
        (simple("10.53", rate="5.3"), [{"percent": 4.3}, {"percent": 1}], Decimal("5.3")),
        (simple("5", rate="16"), [], 16),  # of no row: what the amounts come to
        (simple("0"), [{"percent": 19}], 19),
        (simple("0"), [], None),
        (simple("4.90", off="50"), [], 19),
    ],
)
def test_the_rate_of_shipping_fits_its_amounts(carriage: Any, extension: Any, rate: Any) -> None:
    applied = {"item_applied_taxes": [{"type": "shipping", "applied_taxes": extension}]}
    rows = [simple("10", key=1), simple("10", rate="7", key=2)]
    made = parsed(order(rows, carriage, shipping_description="Parcel", extension_attributes=applied))
    assert made.lines[-1].kind is LineKind.SHIPPING
    assert made.lines[-1].tax_rate == rate
    assert made.lines[-1].total == carriage["to_pay"]


def test_a_shop_that_taxes_the_price_before_the_discount_keeps_its_rate() -> None:
    one = {**simple("100", off="50", gross=False), "tax_amount": Decimal(19), "tax_percent": None}
    other = simple("7", key=2)
    assert parsed(order([one, other])).lines[0].tax_rate == 19


def test_a_row_without_its_rate_takes_the_applied_or_the_fitting_one() -> None:
    one = {**simple("119", rate="19"), "tax_percent": None}
    assert parsed(order([one])).lines[0].tax_rate == 19
    stacked = {"item_applied_taxes": [{"type": "product", "item_id": 1,
                                       "applied_taxes": [{"percent": 4.3}, {"percent": 1}]}]}  # fmt: skip
    one = {**simple("105.30", rate="5.3"), "tax_percent": 0}
    assert parsed(order([one], extension_attributes=stacked)).lines[0].tax_rate == Decimal("5.3")


def test_a_weight_has_grams_only_where_the_stores_unit_is_known() -> None:
    one = {**simple("10"), "weight": Decimal("2.5")}
    assert parsed(order([one])).lines[0].weight_grams == 1134
    assert parsed(order([one], store_id=None)).lines[0].weight_grams is None


def test_options_are_words_and_never_ids() -> None:
    typed, chosen = {"option_id": "4", "option_value": "Max & Moritz"}, {"option_id": "5", "option_value": "3,4"}
    inner = {"custom_options": [typed, chosen],
             "configurable_item_options": [{"option_id": "93", "option_value": 49}]}  # fmt: skip
    own = {"attributes_info": [{"label": "Colour", "value": "Red"}, "odd", {"label": None, "value": None}]}
    one = {**simple("10"), "product_option": {"extension_attributes": inner}, "extension_attributes": own}
    assert parsed(order([one])).lines[0].options == ("Max & Moritz", "Colour: Red")


@pytest.mark.parametrize(
    ("net", "tax", "rate"),
    [("4.12", "0.78", "19"), ("0.84", "0.16", "19"), ("9.35", "0.65", "7"), ("100.00", "5.50", "5.5")],
)
def test_the_rate_of_rounded_amounts_is_the_roundest_that_explains_them(net: str, tax: str, rate: str) -> None:
    """VAT-rate rounding: 0.78 of 4.12 is 18.93 percent to a calculator and 19 to the tax office."""
    assert roundest(Decimal(net), Decimal(tax)) == Decimal(rate)
