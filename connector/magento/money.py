"""What the customer pays for each line, to the cent.

Magento's REST rewrites `row_total` (net of the discount in some versions, floored in others) and shows the parent's
`price` on children; neither is used. What holds in every version is, per row and in the order's currency:

    to pay = price × quantity − discount + tax + discount tax compensation

The last two make it right in both kinds of catalogue: where prices include tax, the discount is gross and the
compensation gives back the tax it had taken off; where they do not, the compensation is zero. But where prices include
tax, Magento rounds the net unit price, so that many pieces drift from the row; there the second reading is exact:

    to pay = price including tax × quantity − discount

The first reading is taken where it sums up to the grand total, else the second where that does.
Over the whole order the same is (systems with 18 of 19 public orders as witness):

    grand total = subtotal + shipping + tax + compensations + discount (negative) − gift cards − store credit − points

**The one rounding rule.** Rows are rounded to the cent, half away from zero. Where their sum differs from the order's
own totals by no more than a cent per line and half a cent per piece, the difference is rounding: it goes to the line
with the largest amount. What the grand total holds beyond those totals is a residual, named, never spread.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.magento.reading import ZERO, Fields, number
from connector.records import CENT, Deduction, DeductionKind, LineKind, OrderLine, Residual, cents

HUNDRED = Decimal(100)
FEE_WORDS = re.compile(r"fee|surcharge|charge|cod|cash|extra|wrap|donation|tip|insurance", re.I)
BASE_WORDS = re.compile(r"(^|[._])base_")


def row_amounts(item: Fields, quantity: Decimal, *, by_gross: bool = False) -> dict[str, Decimal]:
    """`gross` (the row with tax, before discount), `discount` (positive, with tax) and `tax` of an order item.

    `by_gross` takes the second reading (see the module).
    """
    net = item.amount("price") * quantity
    tax = item.amount("tax_amount")
    discount = item.amount("discount_amount")
    if by_gross and item.amount("price_incl_tax"):
        payable = max(ZERO, cents(item.amount("price_incl_tax") * quantity - discount))
    else:
        payable = cents(net + tax + item.amount("discount_tax_compensation_amount") - discount)
    if not discount:
        return {"gross": payable, "discount": ZERO, "tax": cents(tax)}
    rate = item.amount("tax_percent")
    unit = item.amount("price_incl_tax")
    gross = cents(unit * quantity) if unit else cents(net * (HUNDRED + rate) / HUNDRED)
    if gross < payable:  # price_incl_tax is a rounded unit price; a discount is never negative
        gross = payable
    return {"gross": gross, "discount": gross - payable, "tax": cents(tax)}


def shipping_amounts(order: Fields) -> dict[str, Decimal]:
    """The same for shipping."""
    tax = order.amount("shipping_tax_amount")
    discount = order.amount("shipping_discount_amount")
    net = order.amount("shipping_amount")
    payable = cents(net + tax + order.amount("shipping_discount_tax_compensation_amount") - discount)
    if not discount:
        return {"gross": payable, "discount": ZERO, "tax": cents(tax)}
    gross = max(cents(order.amount("shipping_incl_tax") or net + tax), payable)
    return {"gross": gross, "discount": gross - payable, "tax": cents(tax)}


def shipping_rate(order: Fields, extension: Fields, rates: list[Decimal]) -> Decimal | None:
    """Percent. From the applied taxes of type shipping, else from the amounts, snapped to a rate that occurs."""
    for row in extension.loose_rows("item_applied_taxes"):
        if row.text("type") == "shipping":
            found = [number(tax.data.get("percent")) for tax in row.loose_rows("applied_taxes")]
            known = [rate for rate in found if rate is not None]
            if known:
                return sum(known, ZERO)
    net = order.amount("shipping_amount")
    tax = order.amount("shipping_tax_amount")
    if not tax:
        incl = order.amount("shipping_incl_tax")
        tax = incl - net if incl > net else ZERO
    if not net or not tax:
        return ZERO
    rate = tax / net * HUNDRED
    near = [one for one in rates if abs(one - rate) <= 1]
    return min(near, key=lambda one: abs(one - rate)) if near else cents(rate)


def fees(extension: Fields) -> Iterator[tuple[str, str, Decimal, Decimal]]:
    """Gift wrapping of Adobe Commerce: (key, name, gross, tax). Amounts may come as text, also as an empty one."""
    for key, name in (
        ("gw", "Gift wrapping"),
        ("gw_items", "Gift wrapping of items"),
        ("gw_card", "Gift card (printed)"),
    ):
        price = number(extension.data.get(f"{key}_price")) or ZERO
        tax = number(extension.data.get(f"{key}_tax_amount")) or ZERO
        if price:
            yield key, name, cents(price + tax), cents(tax)


def deductions(extension: Fields) -> tuple[Deduction, ...]:
    """Gift cards, store credit and reward points of Adobe Commerce, in the order's currency."""
    made: list[Deduction] = []
    cards = number(extension.data.get("gift_cards_amount")) or ZERO
    if cards:
        codes = [row.text("code") for row in extension.loose_rows("gift_cards")]
        code = ", ".join(one for one in codes if one) or None
        made.append(Deduction(kind=DeductionKind.GIFT_CARD, amount=abs(cents(cards)), name="Gift card", code=code))
    for kind, field, name in (
        (DeductionKind.STORE_CREDIT, "customer_balance_amount", "Store credit"),
        (DeductionKind.REWARD, "reward_currency_amount", "Reward points"),
    ):
        amount = number(extension.data.get(field)) or ZERO
        if amount:
            made.append(Deduction(kind=kind, amount=abs(cents(amount)), name=name))
    return tuple(made)


def order_total(order: Fields) -> Decimal:
    """What the order's own totals add up to, before deductions."""
    return sum(
        (
            order.amount(name)
            for name in (
                "subtotal",
                "shipping_amount",
                "tax_amount",
                "discount_tax_compensation_amount",
                "shipping_discount_tax_compensation_amount",
                "discount_amount",
            )
        ),
        ZERO,
    )


def wanted_total(order: Fields, taken_off: tuple[Deduction, ...]) -> Decimal:
    """What the lines have to sum up to: the grand total and what was deducted from it."""
    return cents(order.needed_amount("grand_total")) + sum((one.amount for one in taken_off), ZERO)


def settle(
    order: Fields, extension: Fields, lines: list[OrderLine], taken_off: tuple[Deduction, ...], weee: Decimal
) -> tuple[list[OrderLine], Residual | None]:
    """Lines that sum up exactly to the grand total plus deductions, and what cannot be explained (see the module)."""
    wanted = wanted_total(order, taken_off)
    own = own_total(order, lines)
    drift = own - summed(lines)
    pieces = sum((line.quantity for line in lines), ZERO)
    if drift and lines and abs(drift) <= CENT * len(lines) + CENT / 2 * pieces:
        place = max(range(len(lines)), key=lambda position: lines[position].total)
        if lines[place].total + drift >= 0:
            lines = [*lines]
            lines[place] = replace(lines[place], gross=lines[place].gross + drift)
    difference = wanted - summed(lines)
    if not difference:
        return lines, None
    if weee and difference == cents(weee):
        fixed = OrderLine(key="weee", kind=LineKind.SURCHARGE, name="Fixed product tax", gross=difference)
        return [*lines, fixed], None
    return lines, Residual(amount=difference, name=cause(extension, lines, difference, own == wanted))


def summed(lines: Iterable[OrderLine]) -> Decimal:
    return sum((line.total for line in lines), ZERO)


def own_total(order: Fields, lines: Iterable[OrderLine]) -> Decimal:
    """What the lines come to by the order's own totals (fees of gift wrapping stand in none of them)."""
    return cents(order_total(order)) + summed(line for line in lines if line.kind == LineKind.SURCHARGE)


def cause(extension: Fields, lines: list[OrderLine], difference: Decimal, adds_up: bool) -> str:
    """The likely cause of a residual, in words."""
    named = [
        (path, value)
        for path, value in flat(extension.data, "")
        if (found := number(value)) is not None and cents(abs(found)) == abs(difference)
    ]
    named.sort(key=lambda one: (not FEE_WORDS.search(one[0]), bool(BASE_WORDS.search(one[0])), len(one[0])))
    if named:
        return f"extension attribute {named[0][0]}"
    if adds_up:
        products = [line for line in lines if line.kind not in (LineKind.SHIPPING, LineKind.SURCHARGE)]
        given = sum((line.total for line in products), ZERO)
        return f"its {len(products)} lines come to {given:.2f} and its totals say otherwise: lines are missing"
    return "an amount that no field of the order explains, probably a surcharge module"


def flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All scalars of a nested value with their dotted paths; lists of {key, value} by their key."""
    if isinstance(value, Mapping):
        if set(value) >= {"key", "value"} and isinstance(value["key"], str):
            yield f"{path}.{value['key']}".lstrip("."), value["value"]
            return
        for key, inner in value.items():
            yield from flat(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from flat(inner, path)
    elif value is not None:
        yield path, value
