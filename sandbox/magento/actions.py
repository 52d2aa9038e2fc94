"""What can be done to an order, and what it does to the order's payload.

Amounts of a partial invoice are shares by quantity, rounded; the invoice that takes the rest takes the remainder.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox import lifecycle
from sandbox.lifecycle import lines, spread
from sandbox.magento.orders import Order, stamp
from sandbox.magento.refusal import Refused
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


def children(order: Order, item: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in order["items"] if one.get("parent_item_id") == item["item_id"]]


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
    open_ = [item for item in lines(order) if left_to_invoice(item) > 0 or left_to_ship(item) > 0]
    order["state"] = "processing" if open_ else "complete"
    order["status"] = DEFAULT_STATUS[order["state"]]


def invoice(order: Order, body: Mapping[str, Any], now: datetime) -> dict[str, Decimal]:
    """Invoice and mark as paid; returns the quantities by item. Refused when nothing is left."""
    title = "Invoice Document Validation Error(s):\n"
    if order.get("state") in (*FINAL, "holded", "payment_review", "pending_payment"):
        raise Refused(400, f"{title}An invoice cannot be created when an order has a status of {order.get('status')}.")
    named = wanted(order, body)
    first = not number(order.get("total_invoiced"))
    done: dict[str, Decimal] = {}
    totals: dict[str, Decimal] = {}
    for item in lines(order):
        quantity = left_to_invoice(item) if named is None else named.get(item["item_id"], Decimal(0))
        if quantity > left_to_invoice(item):
            text = f'{title}The quantity to invoice is greater than the unprocessed quantity for product SKU "%1".'
            raise Refused(400, text, [item["sku"]])
        if quantity <= 0:
            continue
        done[str(item["item_id"])] = quantity
        for one in (item, *children(order, item)):
            _invoice_item(one, quantity / number(item["qty_ordered"]), totals)
            one["updated_at"] = stamp(now)
    if not done:
        raise Refused(400, f"{title}The order does not allow an invoice to be created.")
    _invoice_order(order, totals, first)
    _settle(order)
    spread(order)
    return done


def _invoice_item(item: dict[str, Any], share: Decimal, totals: dict[str, Decimal]) -> None:
    ordered = number(item.get("qty_ordered"))
    item["qty_invoiced"] = plain(number(item.get("qty_invoiced")) + ordered * share)
    whole = number(item["qty_invoiced"]) >= ordered
    for prefix in ("", "base_"):
        for name in ("tax", "discount", "discount_tax_compensation"):
            _part(item, f"{prefix}{name}_amount", f"{prefix}{name}_invoiced", share, whole, totals)
        row = cents(number(item.get(f"{prefix}price")) * ordered) if number(item.get("base_price")) else Decimal(0)
        before = number(item.get(f"{prefix}row_invoiced"))
        now_ = row - before if whole else cents(row * share)
        item[f"{prefix}row_invoiced"] = plain(before + now_)


def _part(
    record: dict[str, Any], source: str, target: str, share: Decimal, whole: bool, totals: dict[str, Decimal]
) -> None:
    total, before = number(record.get(source)), number(record.get(target))
    amount = total - before if whole else cents(total * share)
    record[target] = plain(before + amount)
    totals[target] = totals.get(target, Decimal(0)) + amount


def _invoice_order(order: Order, totals: dict[str, Decimal], first: bool) -> None:
    """Take over what the lines give; with the last line everything is invoiced to the cent."""
    whole = all(left_to_invoice(item) <= 0 for item in lines(order))
    share = Decimal(0)
    ordered = sum((number(item["qty_ordered"]) for item in lines(order)), Decimal(0))
    if ordered:
        share = sum((number(item["qty_invoiced"]) for item in lines(order)), Decimal(0)) / ordered
    for prefix in ("", "base_"):
        for name in ("subtotal", "tax", "discount", "discount_tax_compensation"):
            full = number(order.get(f"{prefix}{name}_amount", order.get(f"{prefix}{name}")))
            order[f"{prefix}{name}_invoiced"] = plain(full if whole else cents(full * share))
        if first:
            order[f"{prefix}shipping_invoiced"] = order.get(f"{prefix}shipping_amount", 0)
        grand = number(order.get(f"{prefix}grand_total"))
        paid = plain(grand if whole else cents(grand * share))
        order[f"{prefix}total_invoiced"] = order[f"{prefix}total_paid"] = paid
        order[f"{prefix}total_due"] = plain(grand - number(paid))
        order["payment"][f"{prefix}amount_paid"] = paid


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
        for one in (item, *children(order, item)):
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
