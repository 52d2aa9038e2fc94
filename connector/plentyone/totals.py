"""What each item of an order comes to, in whole cents, so that all of them add up to PlentyONE's invoice total.

PlentyONE keeps prices of four decimals and rounds late: the sum of each VAT rate, the whole sum, or each row, as a tenant
is set up; a net order is reckoned from net prices. Which of these ways an order went is not written in it, so the way
that gives its invoice total is taken; what none of them explains is left over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connector.plentyone.money import whole_cents
from connector.records import cents

ZERO = Decimal(0)
HUNDRED = Decimal(100)


class Part(StrEnum):
    """What an item is to the sum."""

    WHOLE = "whole"  # counts in any case
    BUNDLE = "bundle"  # its parts may carry the amounts instead
    COMPONENT = "component"  # its bundle may carry the amounts instead


class Basis(StrEnum):
    """Which of an item's prices the customer pays."""

    GROSS = "gross"
    TAXED = "taxed"  # net prices, and the tax of each rate on their sum
    NET = "net"  # net prices, and no tax at all


@dataclass(frozen=True, kw_only=True)
class Row:
    """One item's unrounded sums (quantity times price), after its own discount. `rate` in percent."""

    gross: Decimal
    net: Decimal
    rate: Decimal
    part: Part = Part.WHOLE


@dataclass(frozen=True, kw_only=True)
class Reckoned:
    """`amounts` in the order of the rows, whole cents; `lowered`: the invoice total has the gift cards taken off."""

    amounts: Sequence[Decimal]
    basis: Basis
    lowered: bool
    left: Decimal  # invoice total less what the rows explain


def reckon(rows: Sequence[Row], invoice_total: Decimal, cards: Decimal, *, net: bool) -> Reckoned:
    """The way that gives the invoice total. `cards`: redeemed gift cards, positive, which are not among the rows.

    Whether they lower the invoice total differs from tenant to tenant.
    """
    first: Reckoned | None = None
    for basis, amounts in _ways(rows, net=net):
        total = sum(amounts, ZERO)
        for lowered in (True, False) if cards else (True,):
            left = invoice_total + (cards if lowered else ZERO) - total
            made = Reckoned(amounts=amounts, basis=basis, lowered=lowered, left=left)
            if not left:
                return made
            first = first or made
    assert first is not None
    return first


def _ways(rows: Sequence[Row], *, net: bool) -> Iterator[tuple[Basis, Sequence[Decimal]]]:
    bases = (Basis.TAXED, Basis.GROSS, Basis.NET) if net else (Basis.GROSS, Basis.NET, Basis.TAXED)
    for counted in _counted(rows):
        for basis in bases:
            for way in (_by_rate, _at_the_end, _row_by_row):
                yield basis, way(rows, counted, basis)


def _counted(rows: Sequence[Row]) -> Iterator[Sequence[bool]]:
    """Which rows count: all, or of bundles only the parts, or only the bundle."""
    yield [True] * len(rows)
    for left_out in (Part.COMPONENT, Part.BUNDLE):
        if any(row.part is left_out and row.gross for row in rows):
            yield [row.part is not left_out for row in rows]


def _exact(rows: Sequence[Row], counted: Sequence[bool], basis: Basis) -> list[Decimal]:
    def of(row: Row) -> Decimal:
        if basis is Basis.GROSS:
            return row.gross
        return row.net if basis is Basis.NET else row.net * (1 + row.rate / HUNDRED)

    return [of(row) if counts else ZERO for row, counts in zip(rows, counted, strict=True)]


def _by_rate(rows: Sequence[Row], counted: Sequence[bool], basis: Basis) -> list[Decimal]:
    exact = _exact(rows, counted, basis)
    made = list(exact)
    for rate in {row.rate for row in rows}:
        places = [at for at, row in enumerate(rows) if row.rate == rate]
        if basis is Basis.TAXED:
            base = sum((rows[at].net for at in places if counted[at]), ZERO)
            total = cents(base) + cents(base * rate / HUNDRED)
        else:
            total = cents(sum((exact[at] for at in places), ZERO))
        for at, amount in zip(places, _spread(total, [exact[at] for at in places]), strict=True):
            made[at] = amount
    return made


def _at_the_end(rows: Sequence[Row], counted: Sequence[bool], basis: Basis) -> list[Decimal]:
    exact = _exact(rows, counted, basis)
    return _spread(cents(sum(exact, ZERO)), exact)


def _row_by_row(rows: Sequence[Row], counted: Sequence[bool], basis: Basis) -> list[Decimal]:
    return [cents(one) for one in _exact(rows, counted, basis)]


def _spread(total: Decimal, exact: Sequence[Decimal]) -> list[Decimal]:
    """The amounts in whole cents with this sum; the largest takes what rounding left over."""
    made = [cents(one) for one in whole_cents(exact)]
    if made and (off := total - sum(made, ZERO)):
        largest = max(range(len(made)), key=lambda at: abs(made[at]))
        made[largest] += off
    return made
