"""Unit prices of four decimals whose sum is the shop's, to the cent, however PlentyONE rounds."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.plentyone.lines import ItemType, items
from connector.plentyone.money import Pricer, share, sums, whole_cents
from connector.plentyone.options import OrderOptions
from connector.plentyone.vat import Rates
from connector.records import Deduction, DeductionKind, LineKind, OrderLine, Residual, cents
from connector.settings import Options, defaults
from tests.connector.plentyone.records import line, order

CENT = Decimal("0.01")
amounts = st.integers(0, 500_000).map(lambda one: one * CENT)
pieces = st.integers(1, 2_000).map(Decimal)
NO_VAT = Rates([], "1", "2026-05-19")


def options(**given: Any) -> Options:
    return Options({**defaults(OrderOptions), **given})


def totals(made: list[Any]) -> tuple[Decimal, Decimal]:
    """PlentyONE's two ways, computed here from what is sent: quantity x (original price - discount)."""
    rows = [item.quantity * ((item.unit + item.discount) - item.discount) for item in made]
    once = sum(rows, Decimal(0)).quantize(CENT, ROUND_HALF_UP)
    return once, sum((row.quantize(CENT, ROUND_HALF_UP) for row in rows), Decimal(0))


@given(st.lists(st.tuples(amounts, pieces), min_size=1, max_size=60))
def test_prices_give_the_total_in_both_ways(rows: list[tuple[Decimal, Decimal]]) -> None:
    pricer = Pricer()
    priced = [one for total, quantity in rows for one in pricer.price(total, quantity)]
    true = sum((total for total, _ in rows), Decimal(0))
    assert sums(priced) == (true, true)
    for one in priced:
        assert one.price == one.price.quantize(Decimal("0.0001"))
        assert one.quantity > 0


@given(amounts, st.integers(1, 90).map(Decimal))
def test_a_row_of_up_to_ninety_pieces_is_never_split(total: Decimal, quantity: Decimal) -> None:
    assert len(Pricer().price(total, quantity)) == 1


def test_a_price_in_whole_cents_stays_one() -> None:
    assert [one.price for one in Pricer().price(Decimal("59.97"), Decimal(3))] == [Decimal("19.99")]


def test_a_row_that_no_price_reproduces_is_split() -> None:
    priced = Pricer().price(Decimal("10.01"), Decimal(1000))
    assert [(one.quantity, one.price) for one in priced] == [(Decimal(999), Decimal("0.01")), (1, Decimal("0.02"))]


def test_many_rows_that_all_err_to_one_side_do_not_add_up_to_a_cent() -> None:
    pricer = Pricer()
    priced = [one for _ in range(100) for one in pricer.price(Decimal("10.00"), Decimal(3))]
    assert sums(priced) == (Decimal("1000.00"), Decimal("1000.00"))


@given(st.lists(st.decimals("-500", "500", places=4), min_size=1, max_size=30))
def test_cents_keep_the_sum(exact: list[Decimal]) -> None:
    made = whole_cents(exact)
    assert sum(made, Decimal(0)) == cents(sum(exact, Decimal(0)))
    assert all(one == cents(one) for one in made)


@given(amounts, st.lists(st.integers(0, 9).map(Decimal), min_size=1, max_size=9))
def test_shares_add_up(total: Decimal, weights: list[Decimal]) -> None:
    assert sum(share(total, weights), Decimal(0)) == total


@st.composite
def lines_(draw: st.DrawFn) -> tuple[OrderLine, ...]:
    made = []
    for n in range(draw(st.integers(1, 12))):
        gross = draw(amounts)
        quantity = draw(st.one_of(st.integers(1, 12), st.integers(1, 1500)).map(Decimal))
        discount = gross * draw(st.integers(0, 100)) / 100
        rate = Decimal(draw(st.sampled_from([0, 7, 19])))
        made.append(
            line(str(n), str(gross), str(quantity), discount=cents(discount), tax_rate=rate, sku=f"S{draw(pieces)}")
        )
    if draw(st.booleans()):
        gross = draw(amounts)
        made.append(line("b", str(gross), kind=LineKind.BUNDLE, sku="B"))
        for n in range(draw(st.integers(1, 4))):
            quantity = str(draw(st.integers(1, 5)))
            part = line(f"p{n}", "0", quantity, kind=LineKind.COMPONENT, parent="b", sku=f"P{n}", tax_rate=None)
            made.append(part)
    made.append(line("s", str(draw(amounts)), kind=LineKind.SHIPPING, sku=None))
    return tuple(made)


@settings(max_examples=300, deadline=None)
@given(
    lines_(),
    st.sampled_from(["coupon", "line"]),
    st.sampled_from(["components", "parent"]),
    st.integers(0, 900).map(lambda one: one * CENT),
    st.integers(-300, 300).map(lambda one: one * CENT),
)
def test_the_items_of_any_order_are_its_grand_total(
    rows: tuple[OrderLine, ...], discount_as: str, bundle_as: str, card: Decimal, odd: Decimal
) -> None:
    deductions = (Deduction(kind=DeductionKind.GIFT_CARD, amount=card, name="Card"),) if card else ()
    residual = Residual(amount=odd, name="fee") if odd else None
    made = order(lines=rows, deductions=deductions, residual=residual)
    chosen = options(discount_as=discount_as, bundle_as=bundle_as, residual="line")
    sent = items(made, chosen, NO_VAT, lambda sku: "1")
    assert totals(sent) == (made.grand_total, made.grand_total)
    assert all(item.discount >= 0 for item in sent)
    kinds = {item.type for item in sent}
    assert ItemType.COUPON not in kinds or discount_as == "coupon"


@pytest.mark.parametrize("mode", ["coupon", "line"])
def test_a_cent_that_is_missing_is_noticed(mode: str) -> None:
    made = order()
    for off in (CENT, -CENT):
        with pytest.raises(Exception, match="unexplained"):
            items(replace(made, grand_total=made.grand_total + off), options(discount_as=mode), NO_VAT, lambda _: "1")


def test_many_cheap_pieces_keep_their_price_and_one_piece_makes_up_for_the_rest() -> None:
    """10,000 pieces for 137.03: not 9,999 at 0.01 and one at 37.04."""
    made = Pricer().price(Decimal("137.03"), Decimal(10_000))
    assert [(one.quantity, one.price) for one in made] == [(9_999, Decimal("0.0137")), (1, Decimal("0.0437"))]
    assert sums(made) == (Decimal("137.03"), Decimal("137.03"))
