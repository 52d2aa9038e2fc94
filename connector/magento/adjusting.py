"""What a credit memo comes to before Magento is asked, and the adjustment that makes it come to what it should.

Magento gives back of every amount of a row (net, tax, compensation, discount) what is left of it, in proportion to the
pieces; it rounds with a remainder that is carried from amount to amount, so that the sum is the exact share, rounded once
(core source). Should a shop round row by row, the first credit memo where that makes a difference is too small by a cent or
so, which a second one gives back, and it is remembered of the shop.
Shipping goes back whole or not at all. Adjustments are given in the base currency, which Magento turns into the order's own
by the rate, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from connector.magento.client import MagentoClient
from connector.magento.placed import Head, Placed
from connector.magento.reading import ZERO, Fields
from connector.records import CENT, cents

GIVEN = (
    ("row_invoiced", "amount_refunded", 1),
    ("tax_invoiced", "tax_refunded", 1),
    ("discount_tax_compensation_invoiced", "discount_tax_compensation_refunded", 1),
    ("discount_invoiced", "discount_refunded", -1),
)
ONCE, BY_ROW = "once", "by row"
ROUNDING = "refund_rounding"  # state: which of both the shop has shown
STEPS = 60  # so many cents are tried as a counterweight


def rounding(client: MagentoClient) -> str | None:
    told = client.host.state.read(ROUNDING)
    return str(told["by"]) if told else None


def goods(placed: Placed, quantities: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What these pieces come to in the order's currency, with tax and less discount: rounded once, or row by row, as the
    version of Magento does. Mostly both are the same."""
    rows = [
        _row(head, row, quantity)
        for head in placed.heads
        if (quantity := quantities.get(head.id, ZERO)) > 0
        for row in head.bearers
    ]
    return {ONCE: cents(sum(rows, ZERO)), BY_ROW: sum((cents(row) for row in rows), ZERO)}


def _row(head: Head, row: Fields, quantity: Decimal) -> Decimal:
    left = row.amount("qty_invoiced") - row.amount("qty_refunded")
    pieces = head.share(row, quantity)
    whole = sum((sign * (row.amount(given) - row.amount(back)) for given, back, sign in GIVEN), ZERO)
    return whole if pieces >= left else whole * pieces / left


def shipping(placed: Placed) -> Decimal:
    """What is left of the shipping, with tax and less discount; nothing while nothing is invoiced."""
    order = placed.fields
    if not order.amount("total_invoiced"):
        return ZERO
    whole = order.amount("shipping_amount")
    if not whole:
        return ZERO
    left = max(ZERO, whole - order.amount("shipping_refunded")) / whole
    paid = (
        whole
        + order.amount("shipping_tax_amount")
        + order.amount("shipping_discount_tax_compensation_amount")
        - order.amount("shipping_discount_amount")
    )
    return cents(paid * left)


def credited(placed: Placed) -> Decimal:
    """What gift cards, store credit and points had paid and is not given back yet: it leaves a credit memo first."""
    order = placed.fields
    own = sum(
        (
            order.amount(name)
            for name in (
                *("subtotal", "shipping_amount", "tax_amount", "discount_tax_compensation_amount"),
                *("shipping_discount_tax_compensation_amount", "discount_amount"),
            )
        ),
        ZERO,
    )
    extra = own - placed.grand_total
    if extra <= 0:
        return ZERO
    back = (
        order.amount("subtotal_refunded")
        + order.amount("tax_refunded")
        + order.amount("discount_tax_compensation_refunded")
        + order.amount("shipping_refunded")
        - abs(order.amount("discount_refunded"))
        + order.amount("adjustment_positive")
        - order.amount("adjustment_negative")
    )
    return max(ZERO, cents(extra - (back - order.amount("total_refunded"))))


def adjustment(difference: Decimal, rate: Decimal) -> tuple[Decimal, Decimal] | None:
    """(positive, negative) in the base currency, so that Magento's two roundings differ by exactly `difference` in the
    order's. None where no amounts of whole cents do."""
    if not difference:
        return ZERO, ZERO
    wanted = abs(difference)
    for step in range(STEPS):
        less = step * CENT
        near = ((wanted + cents(less * rate)) / rate).quantize(CENT, rounding=ROUND_HALF_UP)
        for more in (near, near - CENT, near + CENT):
            if more >= 0 and cents(more * rate) - cents(less * rate) == wanted:
                return (more, less) if difference > 0 else (less, more)
    return None
