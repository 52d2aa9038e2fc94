"""Unit prices whose products give the cents of the shop's totals.

PlentyONE multiplies: it adds up quantity x unit price and rounds either the sum only or each row (a tenant's set-up,
`roundTotalsOnly`). We send unit prices of at most four decimals, so they are chosen such that both ways end at the very
cent. A row for which no such price exists is split in two (q-1 pieces and 1). All amounts are gross.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from connector.records import CENT, cents

FOUR = Decimal("0.0001")
DRIFT = Decimal("0.0045")  # how far the unrounded sum may stray from the cents; at 0.005 it would round elsewhere
ONE = Decimal(1)


@dataclass(frozen=True)
class Priced:
    """So many pieces at this price each."""

    quantity: Decimal
    price: Decimal

    @property
    def total(self) -> Decimal:
        return self.quantity * self.price


class Unpriceable(ValueError):
    """No price of four decimals gives this total, not even in two rows."""


class Pricer:
    """Prices the rows of one order one after the other, and keeps the unrounded sum near the true one."""

    def __init__(self) -> None:
        self.drift = Decimal(0)

    def price(self, total: Decimal, quantity: Decimal) -> list[Priced]:
        """One row, or two, whose total is `total` (whole cents). Raises Unpriceable."""
        exact = total / quantity
        below = exact.quantize(FOUR, rounding=ROUND_FLOOR)
        best: tuple[Decimal, Decimal] | None = None
        for price in (below, below + FOUR):
            error = quantity * price - total
            if cents(quantity * price) != total or abs(self.drift + error) > DRIFT:
                continue
            if best is None or abs(self.drift + error) < abs(self.drift + best[1]):
                best = price, error
            if error == 0:
                best = price, error
                break
        if best is not None:
            self.drift += best[1]
            return [Priced(quantity, best[0])]
        return self._split(total, quantity)

    def _split(self, total: Decimal, quantity: Decimal) -> list[Priced]:
        if quantity <= ONE:
            raise Unpriceable(f"{total} for {quantity} pieces")
        most = quantity - ONE
        for unit in (FOUR, CENT):  # nearly the true price for all, and the one piece apart makes up for the rest
            price = (total / quantity).quantize(unit, rounding=ROUND_DOWN)
            rest = total - most * price
            if rest == rest.quantize(FOUR) and cents(most * price) + cents(rest) == total:
                return [Priced(most, price), Priced(ONE, rest)]
        raise Unpriceable(f"{total} for {quantity} pieces")


def near(total: Decimal, quantity: Decimal) -> Decimal:
    """The unit price of four decimals next to the true one; only for prices that are shown beside the real one."""
    return (total / quantity).quantize(FOUR, rounding=ROUND_HALF_UP)


def whole_cents(amounts: Sequence[Decimal]) -> list[Decimal]:
    """The amounts in whole cents, with the same sum (to the cent): what one loses in rounding, a later one gains."""
    if all(one == cents(one) for one in amounts):
        return list(amounts)
    made: list[Decimal] = []
    true = given = Decimal(0)
    for one in amounts:
        true += one
        made.append(cents(true) - given)
        given += made[-1]
    return made


def share(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide whole cents by weight; the parts are whole cents and add up."""
    whole = sum(weights, Decimal(0))
    if not whole:
        weights, whole = [ONE] * len(weights), Decimal(len(weights))
    return whole_cents([total * weight / whole for weight in weights])


def sums(rows: Iterable[Priced]) -> tuple[Decimal, Decimal]:
    """What PlentyONE will come to: rounding the total only, and rounding each row."""
    once = each = Decimal(0)
    for row in rows:
        once += row.total
        each += cents(row.total)
    return cents(once), each
