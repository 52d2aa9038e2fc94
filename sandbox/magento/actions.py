"""What can be done to an order, and what it does to the order's payload.

The money of parts is in sandbox.magento.figures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox import lifecycle
from sandbox.lifecycle import lines, spread
from sandbox.magento import figures
from sandbox.magento.figures import BOTH, Part
from sandbox.magento.orders import Order, stamp
from sandbox.magento.refusal import Refused
from sandbox.magento.settings import Settings
from sandbox.money import cents, number, plain

DEFAULT_STATUS = {
    "new": "pending",
    "pending_payment": "pending_payment",
    "processing": "processing",
    "complete": "complete",
    "closed": "closed",
    "canceled": "canceled",
    "holded": "holded",
    "payment_review": "payment_review",
}
FINAL = ("canceled", "complete", "closed")


def either(body: Mapping[str, Any], *names: str) -> Any:
    """The first key that is there: bodies may be written in camelCase or snake_case."""
    return next((body[name] for name in names if name in body), None)


def can_cancel(order: Order) -> bool:
    if order.get("state") in (*FINAL, "holded", "payment_review"):
        return False
    return any(left_to_invoice(item) > 0 for item in lines(order))


def cancel(order: Order, now: datetime) -> None:
    lifecycle.cancel(order, stamp(now))


def hold(order: Order) -> None:
    if order.get("state") in (*FINAL, "holded", "payment_review"):
        raise Refused(400, "A hold action is not available.")
    order["hold_before_state"] = order.get("state")
    order["hold_before_status"] = order.get("status")
    order["state"] = order["status"] = "holded"


def unhold(order: Order) -> None:
    if order.get("state") != "holded":
        raise Refused(400, "You cannot remove the hold.")
    order["state"] = order.pop("hold_before_state", None) or "processing"
    order["status"] = order.pop("hold_before_status", None) or DEFAULT_STATUS[order["state"]]


def left_to_invoice(item: dict[str, Any]) -> Decimal:
    return number(item.get("qty_ordered")) - number(item.get("qty_invoiced")) - number(item.get("qty_canceled"))


def left_to_ship(item: dict[str, Any]) -> Decimal:
    if item.get("is_virtual"):
        return Decimal(0)
    gone = number(item.get("qty_shipped")) + number(item.get("qty_canceled")) + number(item.get("qty_refunded"))
    return number(item.get("qty_ordered")) - gone


def wanted(order: Order, body: Mapping[str, Any]) -> dict[int, Decimal] | None:
    """Quantity by line as the body names them, a child standing for its parent; None means everything left."""
    given = body.get("items")
    if not given:
        return None
    by_id = {item["item_id"]: item for item in order["items"]}
    quantities: dict[int, Decimal] = {}
    for one in given:
        item = by_id.get(int(either(one, "order_item_id", "orderItemId") or 0))
        if item is None:
            raise Refused(400, "The item does not belong to the order.")
        quantities[int(item.get("parent_item_id") or item["item_id"])] = number(one.get("qty"))
    return quantities


def _settle(order: Order) -> None:
    """Give the order the state that follows from what is left, with that state's own status."""
    shippable = any(left_to_ship(item) > 0 for item in lines(order))
    paid = number(order.get("base_total_paid"))
    if paid and number(order.get("base_total_refunded")) >= paid and not shippable:
        order["state"] = "closed"
    else:
        open_ = shippable or any(left_to_invoice(item) > 0 for item in lines(order))
        order["state"] = "processing" if open_ else "complete"
    order["status"] = DEFAULT_STATUS[order["state"]]


@dataclass(kw_only=True)
class Done:
    """What an invoice or a credit memo came to: pieces by head line, lines as REST shows them, sums per currency."""

    quantities: dict[str, Decimal]
    lines: list[dict[str, Any]]
    parts: dict[str, Part]
    grand: dict[str, Decimal]


def invoice(order: Order, body: Mapping[str, Any], now: datetime) -> Done:
    """Invoice and mark as paid. Refused when nothing is left."""
    title = "Invoice Document Validation Error(s):\n"
    if order.get("state") in (*FINAL, "holded", "payment_review", "pending_payment"):
        raise Refused(400, f"{title}An invoice cannot be created when an order has a status of {order.get('status')}.")
    named = wanted(order, body)
    first = not number(order.get("base_total_invoiced") or order.get("total_invoiced"))
    quantities = {}
    for item in lines(order):
        quantity = left_to_invoice(item) if named is None else named.get(item["item_id"], Decimal(0))
        if quantity > left_to_invoice(item):
            text = f'{title}The quantity to invoice is greater than the unprocessed quantity for product SKU "%1".'
            raise Refused(400, text, [item["sku"]])
        if quantity > 0:
            quantities[str(item["item_id"])] = quantity
    if not quantities:
        raise Refused(400, f"{title}The order does not allow an invoice to be created.")
    done = Done(quantities=quantities, lines=[], parts={prefix: Part() for prefix in BOTH}, grand={})
    for item in lines(order):
        if taken := quantities.get(str(item["item_id"])):
            _take(order, item, taken, done, figures.invoice_line, now, "qty_ordered")
    for prefix in BOTH:
        _invoice_order(order, prefix, done, first)
    _settle(order)
    spread(order)
    return done


def _take(
    order: Order,
    head: dict[str, Any],
    quantity: Decimal,
    done: Done,
    take: Callable[..., dict[str, Part]],
    now: datetime,
    whole: str,
) -> None:
    """A head with its children: all of them move, but only those that carry the money are counted."""
    counted = [one["item_id"] for one in figures.carriers(order, head)]
    for one in (head, *figures.children(order, head)):
        pieces = number(one.get(whole)) * quantity / number(head[whole])
        parts = take(one, pieces) if take is figures.refund_line else take(order, one, pieces)
        one["updated_at"] = stamp(now)
        done.lines.append(figures.shown_line(one, parts, pieces))
        if one["item_id"] in counted:
            for prefix, part in parts.items():
                done.parts[prefix].add(part)


def _invoice_order(order: Order, prefix: str, done: Done, first: bool) -> None:
    """The order's own totals. The first invoice takes the shipping, the last one whatever is left to the cent."""
    part, whole = done.parts[prefix], figures.whole_of(order, prefix)
    before, grand = figures.stored(order, prefix, "invoiced"), number(order.get(f"{prefix}grand_total"))
    paid = number(order.get(f"{prefix}total_invoiced"))
    if first:
        part.add(figures.shipping_of(order, prefix))
    if figures.everything_invoiced(order) and not any(number(item.get("qty_canceled")) for item in lines(order)):
        shipping = figures.shipping_of(order, prefix)
        gone = Part() if first else shipping
        part.row = whole.row - before.row
        part.tax = whole.tax - (before.tax - gone.shipping_tax)
        part.discount = whole.discount - (before.discount - gone.shipping_discount)
        part.compensation = whole.compensation - before.compensation
        amount = grand - paid
    else:
        amount = part.grand
        extra = figures.extra_of(order, prefix)
        if extra > 0:
            amount += extra if first else 0
        elif extra < 0:  # gift cards and store credit pay the first invoices
            seen = before.row + before.tax + before.compensation + before.shipping - before.discount
            seen += Decimal(0) if first else whole.shipping_compensation
            amount -= min(-extra - (seen - paid), amount)
    figures.put(order, prefix, "invoiced", part)
    done.grand[prefix] = amount
    order[f"{prefix}total_invoiced"] = order[f"{prefix}total_paid"] = plain(paid + amount)
    order[f"{prefix}total_due"] = plain(grand - paid - amount)
    order["payment"][f"{prefix}amount_paid"] = plain(paid + amount)


def left_to_refund(item: Mapping[str, Any]) -> Decimal:
    return number(item.get("qty_invoiced")) - number(item.get("qty_refunded"))


def refund(
    order: Order,
    body: Mapping[str, Any],
    now: datetime,
    settings: Settings,
    *,
    online: bool = False,
    limits: Mapping[str, Decimal] | None = None,
    shipping_limit: Decimal | None = None,
) -> Done:
    """Give money back: lines, shipping, adjustments. `limits` are the pieces of one invoice, by head line.

    Amounts of the body are in the shop's base currency. An empty list of items means everything that is left; items
    with quantity 0 are the way to refund money alone.
    """
    title = "Creditmemo Document Validation Error(s):\n"
    if order.get("state") in ("canceled", "closed", "holded", "payment_review", "pending_payment"):
        text = f"{title}A creditmemo can not be created when an order has a status of %1"
        raise Refused(400, text, [order.get("status")])
    if not number(order.get("base_total_paid")) - number(order.get("base_total_refunded")):
        raise Refused(400, f"{title}The order does not allow a creditmemo to be created.")
    named = wanted(order, body)
    quantities = {}
    for item in lines(order):
        left = left_to_refund(item)
        if limits is not None:
            left = min(left, limits.get(str(item["item_id"]), Decimal(0)))
        quantity = left if named is None else named.get(item["item_id"], Decimal(0))
        if quantity > left:
            text = (
                f"{title}The quantity to creditmemo must not be greater than the unrefunded quantity"
                ' for product SKU "%1".'
            )
            raise Refused(400, text, [item["sku"]])
        if quantity > 0:
            quantities[str(item["item_id"])] = quantity
    arguments = body.get("arguments") or {}
    if not quantities and settings.refund_needs_items:
        raise Refused(400, f"{title}You can't create a creditmemo without products.")
    done = Done(quantities=quantities, lines=[], parts={prefix: Part() for prefix in BOTH}, grand={})
    for item in lines(order):
        if taken := quantities.get(str(item["item_id"])):
            _take(order, item, taken, done, figures.refund_line, now, "qty_invoiced")
        elif named is not None and item["item_id"] in named:
            done.lines.append(figures.shown_line(item, {prefix: Part() for prefix in BOTH}, Decimal(0)))
    share, reached = _shipping_share(order, arguments, settings, shipping_limit)
    for prefix in BOTH:
        _refund_order(order, prefix, done, arguments, share, reached, online)
    base, paid = done.grand["base_"], number(order.get("base_total_paid"))
    if base <= 0:
        raise Refused(400, "The credit memo's total must be positive.")
    if number(order.get("base_total_refunded")) > paid:
        raise Refused(400, "The most money available to refund is %1.", [f"{paid - _before(order, base):.2f}"])
    _settle(order)
    spread(order)
    return done


def _before(order: Order, amount: Decimal) -> Decimal:
    return number(order.get("base_total_refunded")) - amount


def _shipping_share(
    order: Order, arguments: Mapping[str, Any], settings: Settings, limit: Decimal | None
) -> tuple[Decimal, Decimal]:
    """How much of the shipping had gone back, and how much will have: shares of the whole."""
    whole = number(order.get("base_shipping_amount"))
    before = number(order.get("base_shipping_refunded"))
    left = (whole if number(order.get("base_total_invoiced")) else Decimal(0)) - before
    if limit is not None:
        left = max(min(left, limit), Decimal(0))
    sent = either(arguments, "shipping_amount", "shippingAmount")
    amount = left if sent is None else number(sent)
    if settings.shipping_refund_incl_tax and sent is not None and whole:
        amount = amount * whole / number(order.get("base_shipping_incl_tax") or whole)
    if cents(amount) > cents(left):
        raise Refused(400, "Maximum shipping amount allowed to refund is: %1", [f"{left:.2f}"])
    if amount < 0:
        raise Refused(400, "The credit memo's total must be positive.")
    return (before / whole, (before + amount) / whole) if whole else (Decimal(0), Decimal(0))


def _refund_order(
    order: Order,
    prefix: str,
    done: Done,
    arguments: Mapping[str, Any],
    before: Decimal,
    reached: Decimal,
    online: bool,
) -> None:
    part, shipping = done.parts[prefix], figures.shipping_of(order, prefix)
    for name in ("shipping", "shipping_tax", "shipping_discount", "shipping_compensation"):
        full = getattr(shipping, name)
        gone = full if before >= 1 else cents(full * before)
        setattr(part, name, figures.portion(full, gone, reached))
    rate = Decimal(1) if prefix else number(order.get("base_to_order_rate") or 1)
    more, less = (
        cents(number(either(arguments, snake, camel)) * rate)
        for snake, camel in (
            ("adjustment_positive", "adjustmentPositive"),
            ("adjustment_negative", "adjustmentNegative"),
        )
    )
    amount = part.grand + more - less
    refunded, paid = number(order.get(f"{prefix}total_refunded")), number(order.get(f"{prefix}total_paid"))
    if (extra := figures.extra_of(order, prefix)) < 0:  # what gift cards and store credit paid goes back there
        gone = figures.stored(order, prefix, "refunded")
        seen = gone.row + gone.tax + gone.compensation + gone.shipping - gone.discount
        seen += number(order.get(f"{prefix}adjustment_positive")) - number(order.get(f"{prefix}adjustment_negative"))
        credit = min(max(-extra - (seen - refunded), Decimal(0)), amount)
        goods = all(left_to_refund(item) <= 0 for item in lines(order))
        everything = goods and (reached >= 1 or not shipping.shipping) and not more and not less
        amount = paid - refunded if everything else amount - credit
    figures.put(order, prefix, "refunded", part)
    order[f"{prefix}shipping_tax_refunded"] = plain(
        number(order.get(f"{prefix}shipping_tax_refunded")) + part.shipping_tax
    )
    done.grand[prefix] = amount
    order[f"{prefix}total_refunded"] = plain(refunded + amount)
    kind = "online" if online else "offline"
    for name, value in (
        (f"total_{kind}_refunded", amount),
        ("adjustment_positive", more),
        ("adjustment_negative", less),
    ):
        if value or f"{prefix}{name}" in order:
            order[f"{prefix}{name}"] = plain(number(order.get(f"{prefix}{name}")) + value)
    order["payment"][f"{prefix}amount_refunded"] = order[f"{prefix}total_refunded"]


def ship(order: Order, body: Mapping[str, Any], now: datetime) -> tuple[dict[str, Decimal], bool]:
    """Ship; returns the quantities by item and whether the order's own row was written."""
    title = "Shipment Document Validation Error(s):\n"
    if order.get("state") in ("canceled", "closed", "holded", "payment_review"):
        raise Refused(400, f"{title}A shipment cannot be created when an order has a status of {order.get('status')}.")
    named = wanted(order, body)
    done: dict[str, Decimal] = {}
    for item in lines(order):
        quantity = left_to_ship(item) if named is None else named.get(item["item_id"], Decimal(0))
        if quantity > left_to_ship(item):
            raise Refused(400, f"{title}The order does not allow a shipment to be created.")
        if quantity <= 0:
            continue
        done[str(item["item_id"])] = quantity
        for one in (item, *figures.children(order, item)):
            part = number(one["qty_ordered"]) * quantity / number(item["qty_ordered"])
            one["qty_shipped"] = plain(number(one.get("qty_shipped")) + part)
            one["updated_at"] = stamp(now)
    if not done:
        text = (
            f"{title}The order does not allow a shipment to be created.\nYou can't create a shipment without products."
        )
        raise Refused(400, text)
    before = (order.get("state"), order.get("status"))
    _settle(order)
    spread(order)
    return done, before != (order["state"], order["status"])


def comment(order: Order, entry: Mapping[str, Any], entity_id: int, now: datetime) -> None:
    """Put a comment first in the order's history."""
    history = {
        "comment": entry.get("comment"),
        "created_at": stamp(now),
        "entity_id": entity_id,
        "entity_name": "order",
        "is_customer_notified": int(bool(either(entry, "is_customer_notified", "isCustomerNotified"))),
        "is_visible_on_front": int(bool(either(entry, "is_visible_on_front", "isVisibleOnFront"))),
        "parent_id": order["entity_id"],
    }
    if entry.get("status") is not None:
        history["status"] = entry["status"]
    order["status_histories"] = [history, *(order.get("status_histories") or [])]
