"""What the customer pays for each line, to the cent.

Magento's REST rewrites `row_total` (net of the discount in some versions, floored at zero in others) and shows the
parent's `price` on children; neither is ever used. What holds in every version is, per row and in the order's currency:

    to pay = price × quantity − discount + tax + discount tax compensation + fixed product tax

The last but one makes it right in both kinds of catalogue: where prices include tax, the discount is gross and the
compensation gives back the tax that it had taken off; where they do not, the compensation is zero. But where prices
include tax, Magento rounds the net unit price, so that many pieces drift from the row; there a second reading is exact:

    to pay = price including tax × quantity − discount + fixed product tax

All rows are taken in the reading that comes nearer to the order's own totals, the first if both are as near.
Over the whole order the same is (18 of 19 public orders are witness, the last has a surcharge module):

    grand total = subtotal + shipping + tax + compensations + discount (negative) − gift cards − store credit − points

**The one rounding rule.** Rows are rounded to the cent, half away from zero. Where their sum differs from the order's
own totals by no more than a cent per line, and the own totals from the grand total by no more than one cent, that is
rounding: it goes to the sold line with the largest amount. All else is a residual, named, never spread.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import product

from connector.client import loads
from connector.magento.parts import Part
from connector.magento.reading import ZERO, Fields, number, plain
from connector.records import CENT, Deduction, DeductionKind, cents

HUNDRED = Decimal(100)
RATE = Decimal("0.000001")
TOTALS = ("grand_total", "subtotal", "shipping_amount")  # of which any shows the exchange rate; the exactest first
WRAPPINGS = (("gw", "Gift wrapping"), ("gw_items", "Gift wrapping of items"), ("gw_card", "Printed gift card"))
CREDITS = (
    (DeductionKind.STORE_CREDIT, "customer_balance_amount", "Store credit"),
    (DeductionKind.REWARD, "reward_currency_amount", "Reward points"),
)


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """Of one line, with tax: the row before discount, what is taken off (never negative), the tax in what is paid."""

    gross: Decimal = ZERO
    discount: Decimal = ZERO
    tax: Decimal = ZERO

    @property
    def payable(self) -> Decimal:
        return self.gross - self.discount


@dataclass(frozen=True, kw_only=True)
class Fee:
    """A fee that the order knows by name. `gross` includes `tax`."""

    key: str
    name: str
    gross: Decimal
    tax: Decimal = ZERO


def exact(amount: Decimal) -> Decimal:
    """An amount in its usual form: two decimals, more only where it has more."""
    return cents(amount) if amount == cents(amount) else amount.normalize()


def payable(gross: Decimal, to_pay: Decimal, tax: Decimal, *, discounted: bool) -> Amounts:
    """`gross` counts only where there is a discount; it is never less than what is paid."""
    to_pay = cents(to_pay)
    gross = max(cents(gross), to_pay) if discounted else to_pay
    return Amounts(gross=gross, discount=gross - to_pay, tax=cents(tax))


def row(order: Fields, part: Part, *, by_gross: bool) -> Amounts:
    """The amounts of one row; `by_gross` takes the second reading where the row has a price including tax."""
    if not part.bears:
        return Amounts()
    item = part.item
    quantity = item.needed_amount("qty_ordered")
    net = _net(order, part, quantity)
    unit = item.amount("price_incl_tax")
    tax, discount = item.amount("tax_amount"), item.amount("discount_amount")
    gross = unit * quantity if unit else net * (HUNDRED + item.amount("tax_percent")) / HUNDRED
    if by_gross and unit:
        to_pay = gross - discount
    else:
        to_pay = net + tax + item.amount("discount_tax_compensation_amount") - discount
    fixed, fixed_tax = fixed_product_tax(item)
    return payable(gross + fixed, to_pay + fixed, tax + fixed_tax, discounted=bool(discount))


def _net(order: Fields, part: Part, quantity: Decimal) -> Decimal:
    """The row without tax, before discount. A child's `price` may be its parent's: it is taken only where it agrees with
    the child's own price with tax."""
    item = part.item
    rate = HUNDRED + item.amount("tax_percent")
    if part.bundle is None and item.text("parent_item_id") is None:
        if item.data.get("price") is not None:
            return item.amount("price") * quantity
        return item.needed_amount("price_incl_tax") * quantity * HUNDRED / rate
    base = item.amount("base_price") * quantity
    if order.text("base_currency_code") in (None, order.text("order_currency_code")) or not base:
        return base
    if unit := item.amount("price_incl_tax"):
        own = item.amount("price")
        if own and abs(own * rate / HUNDRED - unit) <= CENT:  # exact, where the price with tax is rounded
            return own * quantity
        return unit * quantity * HUNDRED / rate
    above = part.bundle.amount("base_price") if part.bundle else ZERO
    if part.bundle and above:  # its share of what the bundle costs in the order's currency
        return base * part.bundle.amount("price") / above
    return base * (exchange_rate(order) or Decimal(1))


def exchange_rate(order: Fields) -> Decimal | None:
    """Order currency per base currency; where Magento sends none, as its totals show it. None: nothing says it."""
    rate = order.amount("base_to_order_rate")
    if rate > 0:
        return plain(rate)
    if order.text("base_currency_code") == order.text("order_currency_code"):
        return Decimal(1)
    for name in TOTALS:
        ours, base = order.amount(name), order.amount(f"base_{name}")
        if ours > 0 and base > 0:
            return plain((ours / base).quantize(RATE))
    return None


def fixed_product_tax(item: Fields) -> tuple[Decimal, Decimal]:
    """(with tax, the tax in it) of a row: Magento keeps it outside `price` and `tax_amount`."""
    amount = item.amount("weee_tax_applied_row_amount")
    if not amount:
        return ZERO, ZERO
    told = item.data.get("weee_tax_applied")
    try:
        rows = loads(told) if isinstance(told, str) else told
    except ValueError:
        rows = None
    known = [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
    tax = sum(
        (
            (number(one.get("row_amount_incl_tax")) or ZERO) - (number(one.get("row_amount")) or ZERO)
            for one in known
            if one.get("row_amount_incl_tax") is not None
        ),
        ZERO,
    )
    return amount + tax, tax


def shipping(order: Fields) -> Amounts:
    """Shipping as a row of its own."""
    net, incl = order.amount("shipping_amount"), order.amount("shipping_incl_tax")
    tax, discount = order.amount("shipping_tax_amount"), order.amount("shipping_discount_amount")
    compensation = order.amount("shipping_discount_tax_compensation_amount")
    to_pay = net + tax + compensation - discount
    return payable(incl or net + tax + compensation, to_pay, tax, discounted=bool(discount))


def fees(extension: Fields) -> Iterator[Fee]:
    """Gift wrapping and custom fees of Adobe Commerce. Amounts may come as text, also as an empty one."""
    for key, name in WRAPPINGS:
        price = number(extension.data.get(f"{key}_price")) or ZERO
        tax = number(extension.data.get(f"{key}_tax_amount")) or ZERO
        incl = number(extension.data.get(f"{key}_price_incl_tax")) or price + tax
        if price or incl:
            yield Fee(key=key, name=name, gross=cents(incl), tax=cents(tax or incl - price))
    for position, one in enumerate(extension.loose_rows("custom_fees")):
        amount = number(one.data.get("custom_fee_amount")) or ZERO
        if amount:
            code = one.text("custom_fee_code") or f"custom fee {position + 1}"
            yield Fee(key=f"fee:{code}", name=one.text("custom_fee_label") or code, gross=cents(amount))


def deductions(extension: Fields) -> tuple[Deduction, ...]:
    """Gift cards (each, where their amounts add up), store credit and reward points, in the order's currency."""
    made = list(_gift_cards(extension))
    for kind, field, name in CREDITS:
        if amount := number(extension.data.get(field)):
            made.append(Deduction(kind=kind, amount=exact(abs(amount)), name=name))
    return tuple(made)


def _gift_cards(extension: Fields) -> Iterator[Deduction]:
    whole = abs(number(extension.data.get("gift_cards_amount")) or ZERO)
    cards = list(extension.loose_rows("gift_cards"))
    each = [abs(number(card.data.get("amount")) or ZERO) for card in cards]
    if whole and sum(each, ZERO) == whole:
        for card, amount in zip(cards, each, strict=True):
            if amount:
                yield _gift_card(amount, card.text("code"))
    elif whole:
        yield _gift_card(whole, ", ".join(code for card in cards if (code := card.text("code"))) or None)


def _gift_card(amount: Decimal, code: str | None) -> Deduction:
    return Deduction(kind=DeductionKind.GIFT_CARD, amount=exact(amount), name="Gift card", code=code)


def own_totals(order: Fields) -> Decimal:
    """What the order's own totals add up to, before deductions; fees and fixed product taxes may stand beside them."""
    names = ("subtotal", "shipping_amount", "tax_amount", "discount_tax_compensation_amount",
             "shipping_discount_tax_compensation_amount", "discount_amount")  # fmt: skip
    return sum((order.amount(name) for name in names), ZERO)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The amounts of the parts, in their order, and how they stand to the order's own totals and its grand total."""

    rows: Sequence[Amounts]
    drift: Decimal  # own totals less lines
    beyond: Decimal  # grand total and deductions, less own totals

    def rounding(self) -> tuple[Decimal, Decimal]:
        """(what is rounding, what is not) of the amount by which the lines miss, by the rule above."""
        lines = 1 + sum(1 for row in self.rows if row.gross)
        off = self.drift if abs(self.drift) <= CENT * lines else ZERO
        rest = self.drift + self.beyond - off
        return (off + rest, ZERO) if abs(rest) <= CENT else (off, rest)


def bill(order: Fields, parts: Sequence[Part], costs: Decimal, charged: Sequence[Fee], wanted: Decimal) -> Bill:
    """`costs` is what shipping and fees come to, `wanted` the grand total and the deductions."""
    weee = sum((fixed_product_tax(part.item)[0] for part in parts if part.bears), ZERO)
    gross, tax = (sum((getattr(fee, name) for fee in charged), ZERO) for name in ("gross", "tax"))
    # Whether fixed product taxes are in the subtotal and taxes of fees in the tax is a setting of the shop.
    own = [own_totals(order) + fixed + fee for fixed, fee in product((ZERO, weee), (gross, gross - tax))]
    bills = []
    for by_gross in (False, True):
        rows = [row(order, part, by_gross=by_gross) for part in parts]
        lines = sum((one.payable for one in rows), costs)
        total = min(own, key=lambda total: abs(total - lines))
        bills.append(Bill(rows=rows, drift=total - lines, beyond=wanted - total))
        if total == lines:
            break
    return min(bills, key=lambda one: abs(one.drift))
