"""The money of a part of an order: what an invoice or a credit memo over some pieces comes to, to the cent.

Every share is the difference of two rounded running totals, so that the parts of an order always add up to it,
however often it is divided. Both currencies are calculated from their own amounts, never from each other.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox.lifecycle import lines
from sandbox.magento.orders import Order
from sandbox.money import ZERO, cents, number, plain

BOTH = ("", "base_")
Item = dict[str, Any]


@dataclass(kw_only=True)
class Part:
    """One currency's amounts: net row or subtotal, tax, discount (positive), compensation, shipping."""

    row: Decimal = ZERO
    tax: Decimal = ZERO
    discount: Decimal = ZERO
    compensation: Decimal = ZERO
    shipping: Decimal = ZERO
    shipping_tax: Decimal = ZERO
    shipping_discount: Decimal = ZERO
    shipping_compensation: Decimal = ZERO

    def add(self, other: "Part") -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    @property
    def grand(self) -> Decimal:
        """What it comes to; tax and discount of the shipping are counted once."""
        goods = self.row + self.tax + self.compensation - self.discount
        return goods + self.shipping + self.shipping_tax + self.shipping_compensation - self.shipping_discount


def children(order: Order, item: Item) -> list[Item]:
    return [one for one in order["items"] if one.get("parent_item_id") == item["item_id"]]


def carriers(order: Order, head: Item) -> list[Item]:
    """The lines that carry the head's money: the parts of a dynamic bundle, otherwise the head itself."""
    priced = [one for one in children(order, head) if number(one.get("base_price"))]
    return priced or [head]


def row_of(order: Order, item: Item, prefix: str) -> Decimal:
    """The net row before discount. REST shows it net of the discount, so it is put together again.

    Recorded orders of old shops show it otherwise; there the unit price counts.
    """
    mended = (
        number(item.get(f"{prefix}row_total_incl_tax"))
        + number(item.get(f"{prefix}discount_amount"))
        - number(item.get(f"{prefix}tax_amount"))
        - number(item.get(f"{prefix}discount_tax_compensation_amount"))
    )
    by_unit = cents(number(item.get(f"{prefix}price")) * number(item.get("qty_ordered")))
    return mended if abs(mended - by_unit) <= number(item.get("qty_ordered")) * Decimal("0.01") else by_unit


def portion(total: Decimal, before: Decimal, share: Decimal) -> Decimal:
    """What is added when so much of the whole is reached (1 is all) and `before` was taken already."""
    return (total if share >= 1 else cents(total * share)) - before


FIELDS = {
    "tax": "tax_amount",
    "discount": "discount_amount",
    "compensation": "discount_tax_compensation_amount",
}
INVOICED = {
    "row": "row_invoiced",
    "tax": "tax_invoiced",
    "discount": "discount_invoiced",
    "compensation": "discount_tax_compensation_invoiced",
}
REFUNDED = {
    "row": "amount_refunded",
    "tax": "tax_refunded",
    "discount": "discount_refunded",
    "compensation": "discount_tax_compensation_refunded",
}


def invoice_line(order: Order, item: Item, quantity: Decimal) -> dict[str, Part]:
    """Take so many pieces into the line's invoiced amounts; what was added, per currency prefix."""
    ordered = number(item.get("qty_ordered"))
    item["qty_invoiced"] = plain(number(item.get("qty_invoiced")) + quantity)
    share = number(item["qty_invoiced"]) / ordered if ordered else Decimal(1)
    taken = {}
    for prefix in BOTH:
        full = {name: number(item.get(f"{prefix}{field}")) for name, field in FIELDS.items()}
        full["row"] = row_of(order, item, prefix) if number(item.get("base_price")) else ZERO
        taken[prefix] = _move(item, full, INVOICED, prefix, share)
    return taken


def refund_line(item: Item, quantity: Decimal) -> dict[str, Part]:
    """The same for what goes back; the whole is what was invoiced."""
    invoiced = number(item.get("qty_invoiced"))
    item["qty_refunded"] = plain(number(item.get("qty_refunded")) + quantity)
    share = number(item["qty_refunded"]) / invoiced if invoiced else Decimal(1)
    taken = {}
    for prefix in BOTH:
        full = {name: number(item.get(f"{prefix}{field}")) for name, field in INVOICED.items()}
        taken[prefix] = _move(item, full, REFUNDED, prefix, share)
    return taken


def _move(item: Item, full: dict[str, Decimal], targets: dict[str, str], prefix: str, share: Decimal) -> Part:
    """Take the share of every amount. What rounding does to the row is taken back in the tax, or in the compensation of
    a row that a discount left no tax, so that the piece comes to its share of the gross price: half of 2 x 9.99 is 9.99,
    though half of its net is not.
    """
    reached = {name: portion(value, ZERO, share) for name, value in full.items()}
    if mended := next((name for name in ("tax", "compensation") if full[name]), None):
        due = portion(full["row"] + full["tax"] + full["compensation"] - full["discount"], ZERO, share)
        others = sum((reached[name] for name in ("row", "tax", "compensation") if name != mended), ZERO)
        reached[mended] = due + reached["discount"] - others
    part = Part()
    for name, target in targets.items():
        before = number(item.get(f"{prefix}{target}"))
        amount = reached[name] - before
        if amount or f"{prefix}{target}" in item:
            item[f"{prefix}{target}"] = plain(reached[name])
        setattr(part, name, amount)
    return part


def shipping_of(order: Order, prefix: str) -> Part:
    """What the shipping costs as a whole."""
    tail = "amnt" if prefix else "amount"
    return Part(
        shipping=number(order.get(f"{prefix}shipping_amount")),
        shipping_tax=number(order.get(f"{prefix}shipping_tax_amount")),
        shipping_discount=number(order.get(f"{prefix}shipping_discount_amount")),
        shipping_compensation=number(order.get(f"{prefix}shipping_discount_tax_compensation_{tail}")),
    )


def whole_of(order: Order, prefix: str) -> Part:
    """What the order says about itself; its tax and discount include those of the shipping."""
    part = shipping_of(order, prefix)
    part.row = number(order.get(f"{prefix}subtotal"))
    part.tax = number(order.get(f"{prefix}tax_amount")) - part.shipping_tax
    part.discount = abs(number(order.get(f"{prefix}discount_amount"))) - part.shipping_discount
    part.compensation = number(order.get(f"{prefix}discount_tax_compensation_amount"))
    return part


def stored(order: Order, prefix: str, word: str) -> Part:
    """What is invoiced or refunded of the order so far, shipping's own parts not told apart."""
    return Part(
        row=number(order.get(f"{prefix}subtotal_{word}")),
        tax=number(order.get(f"{prefix}tax_{word}")),
        discount=abs(number(order.get(f"{prefix}discount_{word}"))),
        compensation=number(order.get(f"{prefix}discount_tax_compensation_{word}")),
        shipping=number(order.get(f"{prefix}shipping_{word}")),
    )


def put(order: Order, prefix: str, word: str, part: Part) -> None:
    """Add a part to what is invoiced or refunded of the order."""
    before = stored(order, prefix, word)
    order[f"{prefix}subtotal_{word}"] = plain(before.row + part.row)
    order[f"{prefix}tax_{word}"] = plain(before.tax + part.tax + part.shipping_tax)
    order[f"{prefix}discount_{word}"] = plain(-(before.discount + part.discount + part.shipping_discount))
    order[f"{prefix}discount_tax_compensation_{word}"] = plain(before.compensation + part.compensation)
    order[f"{prefix}shipping_{word}"] = plain(before.shipping + part.shipping)


def extra_of(order: Order, prefix: str) -> Decimal:
    """What the grand total has beyond the sum: surcharges above 0, gift cards and store credit below."""
    return number(order.get(f"{prefix}grand_total")) - whole_of(order, prefix).grand


def summed(parts: Iterable[Part]) -> Part:
    total = Part()
    for part in parts:
        total.add(part)
    return total


def everything_invoiced(order: Order) -> bool:
    return all(
        number(item.get("qty_invoiced")) + number(item.get("qty_canceled")) >= number(item.get("qty_ordered"))
        for item in lines(order)
    )


def shown(part: Part, prefix: str) -> dict[str, Any]:
    """The totals of an invoice or credit memo as REST names them; the discount is negative there."""
    tail = "amnt" if prefix else "amount"
    return {
        f"{prefix}subtotal": plain(part.row),
        f"{prefix}subtotal_incl_tax": plain(part.row + part.tax + part.compensation),
        f"{prefix}tax_amount": plain(part.tax + part.shipping_tax),
        f"{prefix}discount_amount": plain(-(part.discount + part.shipping_discount)),
        f"{prefix}discount_tax_compensation_amount": plain(part.compensation),
        f"{prefix}shipping_amount": plain(part.shipping),
        f"{prefix}shipping_incl_tax": plain(part.shipping + part.shipping_tax + part.shipping_compensation),
        f"{prefix}shipping_tax_amount": plain(part.shipping_tax),
        f"{prefix}shipping_discount_tax_compensation_{tail}": plain(part.shipping_compensation),
    }


def shown_line(item: Item, parts: dict[str, Part], quantity: Decimal) -> dict[str, Any]:
    """A line of an invoice or credit memo; unlike an order's line its row total is before the discount."""
    names = ("name", "sku", "product_id", "price", "base_price", "price_incl_tax", "base_price_incl_tax")
    line = {name: item[name] for name in names if item.get(name) is not None}
    line |= {"order_item_id": item["item_id"], "qty": plain(quantity)}
    for prefix, part in parts.items():
        line |= {
            f"{prefix}row_total": plain(part.row),
            f"{prefix}row_total_incl_tax": plain(part.row + part.tax + part.compensation),
            f"{prefix}tax_amount": plain(part.tax),
            f"{prefix}discount_tax_compensation_amount": plain(part.compensation),
        }
        if part.discount:
            line[f"{prefix}discount_amount"] = plain(part.discount)
    return line
