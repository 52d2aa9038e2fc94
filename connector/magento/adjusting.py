"""What a credit memo comes to before Magento is asked, and the adjustment that makes it come to what it should.

Magento gives back of every amount of a row (net, tax, compensation, discount) what is left of it, in proportion to the
pieces; it rounds with a remainder that is carried from amount to amount, so that the sum is the exact share, rounded once
(core source). Versions and tax extensions do otherwise: row by row, amount by amount, in proportion to the whole row. Where
the ways differ and the shop has not shown its own, the largest is reckoned with: what is missing is given back by a second
memo, what is too much could not be taken. Each memo where they differ tells which ways remain possible.
Shipping goes back whole or not at all. Adjustments are given in the base currency, which Magento turns into the order's own
by the rate, to the cent.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from connector.magento.client import MagentoClient
from connector.magento.placed import Placed
from connector.magento.reading import ZERO, Fields
from connector.records import CENT, cents

GIVEN = (
    ("row_invoiced", "amount_refunded", 1),
    ("tax_invoiced", "tax_refunded", 1),
    ("discount_tax_compensation_invoiced", "discount_tax_compensation_refunded", 1),
    ("discount_invoiced", "discount_refunded", -1),
)
ONCE, BY_ROW, BY_AMOUNT = "once", "by row", "by amount"
LEFT, REACHED, WHOLE = "of what is left", "of what is reached", "of the whole"
USUAL = f"{ONCE} {LEFT}"
ROUNDING = "refund_rounding"  # state: the ways that the shop's memos have not ruled out
STEPS = 60  # so many cents are tried as a counterweight


def possible(client: MagentoClient) -> frozenset[str] | None:
    """The ways that remain, as `goods` names them; None while the shop has shown nothing."""
    told = client.host.state.read(ROUNDING)
    ways = told.get("ways") if told else None
    return frozenset(ways) if isinstance(ways, list) and ways else None


def learn(client: MagentoClient, ways: Mapping[str, Decimal], came_to: Decimal) -> None:
    """Keep the ways by which the pieces come to what they came to; where none does, nothing is known of the shop."""
    if len(set(ways.values())) < 2 and came_to in ways.values():
        return
    fitting = frozenset(name for name, amount in ways.items() if amount == came_to)
    before = possible(client)
    left = (fitting & before if before else fitting) or fitting
    if left != before:
        client.host.state.change(ROUNDING, lambda _: {"ways": sorted(left)} if left else None)


def roundings(client: MagentoClient) -> frozenset[str] | None:
    """Whether the shop rounds once, by row or by amount, as far as that is known."""
    ways = possible(client)
    return ways and frozenset(how for how in (ONCE, BY_ROW, BY_AMOUNT) for way in ways if way.startswith(how))


def expected(client: MagentoClient, ways: Mapping[str, Decimal]) -> Decimal:
    """The largest of the ways that remain; by amount only when the shop was seen to do so, because that differs for
    ordinary prices already (half of 19.98 with tax) and would make a second memo of each first one."""
    known = possible(client) or {name for name in ways if not name.startswith(BY_AMOUNT)}
    return max((amount for name, amount in ways.items() if name in known), default=max(ways.values()))


def goods(placed: Placed, quantities: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What these pieces come to in the order's currency, with tax and less discount, by each way that a shop may go.
    Mostly all are the same."""
    rows = [
        (row, head.share(row, quantity))
        for head in placed.heads
        if (quantity := quantities.get(head.id, ZERO)) > 0
        for row in head.bearers
    ]
    ways: dict[str, Decimal] = {}
    for share in (LEFT, REACHED, WHOLE):
        shares = [_shares(row, pieces, share) for row, pieces in rows]
        ways[f"{ONCE} {share}"] = cents(sum((sum(row, ZERO) for row in shares), ZERO))
        ways[f"{BY_ROW} {share}"] = sum((cents(sum(row, ZERO)) for row in shares), ZERO)
        ways[f"{BY_AMOUNT} {share}"] = sum((cents(amount) for row in shares for amount in row), ZERO)
    return ways


def _shares(row: Fields, pieces: Decimal, share: str) -> list[Decimal]:
    """What goes back of each amount of a row, not rounded; the last pieces take all that is left."""
    many, gone = row.amount("qty_invoiced"), row.amount("qty_refunded")
    amounts = [(sign * row.amount(given), sign * row.amount(back)) for given, back, sign in GIVEN]
    if pieces >= many - gone:
        return [given - back for given, back in amounts]
    if share == LEFT:
        return [(given - back) * pieces / (many - gone) for given, back in amounts]
    if share == REACHED:
        return [given * (gone + pieces) / many - back for given, back in amounts]
    return [given * pieces / many for given, _ in amounts]


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
