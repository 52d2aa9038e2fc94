"""What canceling does to an order's payload, and how its embedded copies of lines are kept alike."""

from typing import Any

from sandbox.money import number, plain

Order = dict[str, Any]
Item = dict[str, Any]

CANCELED = ("discount_amount", "tax_amount", "shipping_amount", "subtotal")


def lines(order: Order) -> list[Item]:
    """The lines that stand alone or carry children."""
    return [item for item in order["items"] if not item.get("parent_item_id")]


def spread(order: Order) -> None:
    """Write the changed lines into their copies: `parent_item` and the shipping assignment."""
    by_id = {item["item_id"]: item for item in order["items"]}
    for item in order["items"]:
        if "parent_item" in item and item.get("parent_item_id") in by_id:
            item["parent_item"] = by_id[item["parent_item_id"]]
    for assignment in order.get("extension_attributes", {}).get("shipping_assignments") or []:
        if "items" in assignment:
            assignment["items"] = [by_id.get(one.get("item_id"), one) for one in assignment["items"]]


def cancel(order: Order, stamp: str) -> None:
    """Cancel what is not invoiced: the children keep quantity 0 and the amount due stays as it was."""
    order["state"] = order["status"] = "canceled"
    for prefix in ("", "base_"):
        for source in CANCELED:
            name = f"{prefix}{source.removesuffix('_amount')}"
            left = abs(number(order.get(f"{prefix}{source}"))) - abs(number(order.get(f"{name}_invoiced")))
            order[f"{name}_canceled"] = plain(left)
        left = number(order.get(f"{prefix}grand_total")) - number(order.get(f"{prefix}total_paid"))
        order[f"{prefix}total_canceled"] = plain(left)
    for item in lines(order):
        item["qty_canceled"] = plain(number(item.get("qty_ordered")) - number(item.get("qty_invoiced")))
        item["tax_canceled"] = plain(number(item.get("tax_amount")) - number(item.get("tax_invoiced")))
        item["updated_at"] = stamp
    spread(order)
