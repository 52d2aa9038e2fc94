"""A part of the shop's order that is invoiced for itself: what remains of a sale that was split, and what was split off.

Magento invoices some pieces of the rows, and with the first invoice the whole shipping. What that comes to is reckoned
before, from the order's own lines; where it cannot be told to the cent, nothing is invoiced and a person is told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector import RecordFailed, RetryLater
from connector.magento import adjusting, shipping
from connector.magento.lines import lines
from connector.magento.money import deductions
from connector.magento.placed import Head
from connector.magento.reading import ZERO
from connector.magento.work import Work
from connector.records import LineKind, OrderLine, cents

WAIT = 600.0  # seconds; the invoice of the other part, where the import makes it, ends the wait at once


@dataclass(frozen=True, kw_only=True)
class Portion:
    """Pieces by head, and what an invoice over them comes to."""

    quantities: Mapping[str, Decimal]
    amount: Decimal


def portion(work: Work) -> Portion | None:
    """The part that the record is; None when it is the whole order, or is said to be. Raises RecordFailed where it cannot
    be invoiced to the cent, RetryLater while another part has to come first."""
    held = _held(work)
    if held is None:
        return None
    for head in work.placed.heads:
        if held.get(head.id, ZERO) > head.to_invoice:
            raise _impossible(work, reason=f"of {head.sku} not so many are left to invoice")
    amount = _amount(work, held)
    total = cents(work.order.grand_total)
    if (work.order.currency, total) != (work.placed.currency, amount):
        carriage = _carriage(work)
        if carriage and amount - carriage == total:
            raise RetryLater(
                f"{work.name}: PlentyONE order {work.order.key} is a part without shipping, which Magento puts on the first "
                f"invoice of order {work.placed.number}. It waits for the invoice of the part with the shipping",
                after=WAIT,
                aside=True,
            )
        raise _impossible(work, reason=f"in Magento these lines come to {amount} {work.placed.currency}")
    return Portion(quantities=held, amount=amount)


def _impossible(work: Work, *, reason: str) -> RecordFailed:
    return RecordFailed(
        f"{work.name}: PlentyONE order {work.order.key} over {cents(work.order.grand_total)} {work.order.currency} is a "
        f"part of Magento order {work.placed.number}, but {reason}. Nothing is invoiced; invoice it there by hand."
    )


def _held(work: Work) -> dict[str, Decimal] | None:
    """Pieces by head, where they are less than the order has; a record with a line of its own is no part."""
    goods = [line for line in work.order.lines if shipping.goods(line, work.order)]
    if not goods or any(work.placed.find(line.external, line.sku) is None for line in goods):
        return None
    held = shipping.pieces(work, [(line.key, line.quantity) for line in goods])
    whole = all(
        held.get(head.id, ZERO) >= head.ordered - head.item.amount("qty_canceled") for head in work.placed.heads
    )
    return None if whole else held


def _amount(work: Work, held: Mapping[str, Decimal]) -> Decimal:
    placed = work.placed
    if all(held.get(head.id, ZERO) >= head.to_invoice for head in placed.heads):
        # the last invoice takes what is left
        return cents(placed.grand_total - placed.fields.amount("total_invoiced"))
    own = _lines(work)
    shares = [
        _share(head, [one for one in own if head.id in (one.key, one.parent)], pieces)
        for head in placed.heads
        if (pieces := held.get(head.id))
    ]
    return cents(_carriage(work) + _rounded(work, shares))


def _share(head: Head, rows: list[OrderLine], pieces: Decimal) -> tuple[Decimal, Decimal]:
    """Of a row: what so many pieces come to, and the tax in it."""
    total = sum((one.total for one in rows), ZERO)
    tax = sum((one.tax for one in rows), ZERO)
    return total * pieces / head.ordered, tax * pieces / head.ordered


def _rounded(work: Work, shares: list[tuple[Decimal, Decimal]]) -> Decimal:
    """What Magento makes of the shares: rounded as its credit memos have shown. An invoice cannot be corrected: where the
    ways that remain differ, it is left to people."""
    once = cents(sum((total for total, _ in shares), ZERO))
    ways = {
        adjusting.ONCE: once,
        adjusting.BY_ROW: sum((cents(total) for total, _ in shares), ZERO),
        adjusting.BY_AMOUNT: sum((cents(tax) + cents(total - tax) for total, tax in shares), ZERO),
    }
    known = adjusting.roundings(work.client)
    if known is None and all(total == cents(total) for total, _ in shares):
        return once
    found = {ways[how] for how in known or ways}
    if len(found) > 1:
        raise _impossible(work, reason="what these lines come to there cannot be told to the cent")
    return found.pop()


def _carriage(work: Work) -> Decimal:
    """What the first invoice takes beside the lines."""
    if work.placed.fields.amount("total_invoiced"):
        return ZERO
    return sum((one.total for one in _lines(work) if one.kind is LineKind.SHIPPING), ZERO)


def _lines(work: Work) -> tuple[OrderLine, ...]:
    order = work.placed.fields
    extension = order.inner("extension_attributes")
    taken_off = deductions(extension)
    made, residual = lines(order, extension, taken_off, None)
    if taken_off or residual or any(one.kind is LineKind.SURCHARGE for one in made):
        raise _impossible(work, reason="with fees, gift cards or store credit nobody can tell what a part comes to")
    return made
