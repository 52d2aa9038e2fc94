"""Tax rates of lines, in percent. What the order says is checked against its amounts; what it does not say is derived.

`taxes` and `itemized_taxes` are not read: they repeat the whole tax for each of several stacked rates (section 5.3).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from connector.magento.money import HUNDRED, Amounts
from connector.magento.reading import ZERO, Fields, number, plain
from connector.records import cents

SLACK = Decimal("0.015")  # a cent of rounding, and half a cent for a second, stacked rate


def applied(extension: Fields, kind: str, item: str | None = None) -> Decimal | None:
    """The sum of the rates that were applied to shipping, or to one row; None where the order does not tell."""
    for row in extension.loose_rows("item_applied_taxes"):
        if row.text("type") == kind and (item is None or row.text("item_id") == item):
            rates = [rate for tax in row.loose_rows("applied_taxes") if (rate := number(tax.data.get("percent")))]
            return sum(rates, ZERO) if rates else None
    return None


def occurring(order: Fields, extension: Fields) -> list[Decimal]:
    """All rates of the order: of its rows and of its applied taxes."""

    def told() -> Iterator[Decimal | None]:
        for item in order.loose_rows("items"):
            yield number(item.data.get("tax_percent"))
        for tax in extension.loose_rows("applied_taxes"):
            yield number(tax.data.get("percent"))

    return list(dict.fromkeys(rate for rate in told() if rate))


def rate_of(amounts: Amounts, told: Decimal | None, known: Iterable[Decimal]) -> Decimal | None:
    """The rate that fits the amounts: the told one, else one that occurs in the order, else what they come to.

    Without an amount to pay it is the told one; without tax in such an amount it is zero.
    """
    if not amounts.payable:
        return plain(told) if told else None
    if not amounts.tax:
        return ZERO
    net = amounts.payable - amounts.tax
    before = net + amounts.discount  # some shops tax the price before the discount
    fitting = [
        (min(abs(base * rate / HUNDRED - amounts.tax) for base in (net, before)), position, rate)
        for position, rate in enumerate([*([told] if told else []), *known])
    ]
    fitting = [one for one in fitting if one[0] <= SLACK]
    if told and fitting and fitting[0][1] == 0:
        return plain(told)
    if fitting:
        return plain(min(fitting)[2])
    return plain(roundest(net, amounts.tax)) if net > 0 else None


def roundest(net: Decimal, tax: Decimal) -> Decimal:
    """The rate with the fewest digits that explains both rounded amounts: 0.78 of 4.12 is 19, not 18.93."""
    half = Decimal("0.005")
    low, high = (tax - half) / (net + half) * HUNDRED, (tax + half) / max(net - half, half) * HUNDRED
    exact = tax / net * HUNDRED
    for digits in ("1", "0.1", "0.01"):
        rate = exact.quantize(Decimal(digits))
        if low <= rate <= high:
            return rate
    return cents(exact)


def row_rate(item: Fields, extension: Fields, amounts: Amounts, known: Iterable[Decimal]) -> Decimal | None:
    """A row says its rate itself, but for old and imported orders."""
    told = number(item.data.get("tax_percent"))
    if told or (told is not None and not amounts.tax):
        return plain(told)
    return rate_of(amounts, applied(extension, "product", item.text("item_id")), known)
