"""What an order costs, to the cent: tax per row, discounts with their remainders, shipping.

The rules are Magento's. In a tax-inclusive catalogue prices and discounts are gross, and the tax that a discount
saves comes back as "discount tax compensation"; in a tax-exclusive one both are net. Either way

    grand total = subtotal + shipping + tax + compensations - discount

holds exactly, because every row's parts are differences of the same rounded amounts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sandbox.money import ZERO, cents

HUNDRED = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A cart price rule: `percent` of what is left, or `fixed` once for the cart, in that order's currency."""

    percent: Decimal = ZERO
    fixed: Decimal = ZERO
    shipping_too: bool = False


@dataclass(kw_only=True)
class Row:
    """A row before and after the calculation; `price` is the catalogue's unit price, gross or net."""

    price: Decimal
    quantity: Decimal
    rate: Decimal  # percent, where the goods go
    home_rate: Decimal  # percent, in the catalogue's prices
    unit: Decimal = ZERO  # net, rounded
    unit_incl_tax: Decimal = ZERO
    total: Decimal = ZERO  # net, before discount
    total_incl_tax: Decimal = ZERO  # before discount
    tax: Decimal = ZERO  # after discount
    compensation: Decimal = ZERO
    discount: Decimal = ZERO
    base: Decimal = ZERO  # what a discount is taken from
    percents: Decimal = ZERO

    def price_it(self, inclusive: bool) -> None:
        """Unit prices and row totals before any discount."""
        if inclusive:
            self.unit_incl_tax = cents(self.price)
            if self.rate != self.home_rate:
                net = self.price - cents(self.price * self.home_rate / (HUNDRED + self.home_rate))
                self.unit_incl_tax = net + cents(net * self.rate / HUNDRED)
            self.total_incl_tax = cents(self.unit_incl_tax * self.quantity)
            self.total = self.total_incl_tax - self._tax_within(self.total_incl_tax)
            self.unit = cents(self.total / self.quantity)
            self.base = self.total_incl_tax
        else:
            self.unit = cents(self.price)
            self.total = cents(self.unit * self.quantity)
            self.total_incl_tax = self.total + cents(self.total * self.rate / HUNDRED)
            self.unit_incl_tax = cents(self.total_incl_tax / self.quantity)
            self.base = self.total

    def tax_it(self, inclusive: bool) -> None:
        """Tax on what the discount leaves."""
        if inclusive:
            before = self.total_incl_tax - self.total
            self.tax = self._tax_within(max(self.total_incl_tax - self.discount, ZERO))
            self.compensation = before - self.tax
        else:
            self.tax = cents(max(self.total - self.discount, ZERO) * self.rate / HUNDRED)

    def _tax_within(self, gross: Decimal) -> Decimal:
        return cents(gross * self.rate / (HUNDRED + self.rate))


@dataclass(frozen=True, kw_only=True)
class Totals:
    """An order's sums in one currency; `discount` is positive and includes the shipping's."""

    subtotal: Decimal
    subtotal_incl_tax: Decimal
    shipping: Row
    tax: Decimal
    compensation: Decimal
    discount: Decimal
    grand: Decimal


def calculate(rows: Sequence[Row], shipping: Row, rules: Sequence[Rule], inclusive: bool) -> Totals:
    """Fill in the rows and the shipping, and add up."""
    for row in (*rows, shipping):
        row.price_it(inclusive)
    for rule in rules:
        _take_percent(rule, rows, shipping)
        _take_fixed(rule.fixed, rows)
    for row in (*rows, shipping):
        row.tax_it(inclusive)
    subtotal = sum((row.total for row in rows), ZERO)
    tax = sum((row.tax for row in rows), shipping.tax)
    compensation = sum((row.compensation for row in rows), ZERO)
    discount = sum((row.discount for row in rows), shipping.discount)
    return Totals(
        subtotal=subtotal,
        subtotal_incl_tax=sum((row.total_incl_tax for row in rows), ZERO),
        shipping=shipping,
        tax=tax,
        compensation=compensation,
        discount=discount,
        grand=subtotal + shipping.total + tax + compensation + shipping.compensation - discount,
    )


def _take_percent(rule: Rule, rows: Sequence[Row], shipping: Row) -> None:
    if not rule.percent:
        return
    carried = ZERO  # what rounding one row took is given to the next
    for row in rows:
        exact = (row.base - row.discount) * rule.percent / HUNDRED + carried
        amount = min(cents(exact), row.base - row.discount)
        carried = exact - amount
        row.discount += amount
        row.percents += rule.percent
    if rule.shipping_too:
        left = shipping.base - shipping.discount
        shipping.discount += min(cents(left * rule.percent / HUNDRED), left)


def _take_fixed(fixed: Decimal, rows: Sequence[Row]) -> None:
    """Share an amount by what each row costs; the last row takes the remainder."""
    whole = sum((row.base - row.discount for row in rows), ZERO)
    wanted = rest = min(fixed, whole)
    if not rest:
        return
    shares = [cents(wanted * (row.base - row.discount) / whole) for row in rows]
    for row, share in zip(rows[:-1], shares, strict=False):
        amount = min(share, rest)
        row.discount += amount
        rest -= amount
    for row in reversed(rows):  # what the last one cannot take goes to those before it
        amount = min(rest, row.base - row.discount)
        row.discount += amount
        rest -= amount
