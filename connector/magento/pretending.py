"""What Magento would answer to a change: a dry run sends nothing and goes on with these."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from connector import Origin, leaves
from connector.records import Order

DONE = re.compile(r"/V1/orders/[^/]+/(cancel|hold|unhold|comments|emails)$")
TRACK = re.compile(r"/V1/shipment/track$")

FIXED = Origin(said="a fixed value")
MADE = Origin(said="an id of the shop's order")


class Pretence:
    """Made-up ids count up: dry-1, dry-2."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def answer(self, method: str, path: str, body: Any) -> Any:
        if DONE.search(path):
            return True
        if TRACK.search(path):
            entity = body.get("entity") if isinstance(body, Mapping) else None
            return {**(entity or {}), "entity_id": self._id()}
        return self._id()

    def _id(self) -> str:
        return f"dry-{next(self._ids)}"


def origins(path: str, body: Any, order: Order) -> dict[str, Origin]:
    """Where the values of a call's body come from, by their paths."""
    name = path.rsplit("/V1/", 1)[-1]
    table = next((made for end, made in TABLES if re.search(end, name)), None)
    if table is None:
        return {}
    known = {**COMMON, **table(order)}
    found: dict[str, Origin] = {}
    for at, _value in leaves(body):
        plain = re.sub(r"\.\d+(?=\.|$)", ".*", at)
        origin = known.get(plain) or known.get(plain.rsplit(".", 1)[-1])
        if origin is not None:
            found[at] = origin
    return found


COMMON = {
    "order_item_id": Origin(path="lines", said="the shop's row of this line"),
    "comment.comment": Origin(path="key"),
    **dict.fromkeys(("appendComment", "is_visible_on_front", "is_customer_notified"), FIXED),
    **dict.fromkeys(("parent_id", "order_id"), MADE),
}


def _invoice(order: Order) -> dict[str, Origin]:
    return {
        "items": Origin(said="everything that is not invoiced yet"),
        "capture": Origin(setting="invoice_capture"),
        "notify": Origin(setting="send_invoice_email"),
    }


def _tracks(order: Order) -> dict[str, Origin]:
    row = order.shipping_method
    return {
        "track_number": Origin(path="fulfilment.packages"),
        "title": Origin(path="shipping_title", setting="shipping_mapping", row=row),
        "carrier_code": Origin(path="shipping_method", setting="shipping_mapping", row=row),
        "weight": Origin(path="fulfilment.packages"),
        "description": Origin(path="fulfilment.packages"),
        "entity.qty": FIXED,
    }


def _ship(order: Order) -> dict[str, Origin]:
    return {
        **_tracks(order),
        "items": Origin(said="everything that is not shipped yet"),
        "items.*.qty": Origin(path="lines"),
        "notify": Origin(setting="send_shipment_email"),
        "source_code": Origin(path="fulfilment.warehouse", setting="source_mapping", row=order.fulfilment.warehouse),
    }


def _refund(order: Order) -> dict[str, Origin]:
    return {
        "items": Origin(said="everything that is not refunded yet"),
        "items.*.qty": Origin(path="lines"),
        "notify": Origin(setting="send_credit_memo_email"),
        "isOnline": Origin(setting="refund_capture_case"),
        "adjustment_positive": Origin(path="grand_total", said="what the lines do not come to"),
        "adjustment_negative": Origin(path="grand_total", said="what the lines come to beyond it"),
        "shipping_amount": Origin(path="lines", said="no shipping is given back"),
        "arguments.extension_attributes.return_to_stock_items.*": Origin(setting="return_to_stock"),
    }


def _comment(order: Order) -> dict[str, Origin]:
    return {
        "status": Origin(path="status", setting="status_mapping", row=order.status),
        "statusHistory.comment": Origin(path="fulfilment.status_name"),
    }


TABLES = (
    (r"^order/[^/]+/invoice$", _invoice),
    (r"^order/[^/]+/ship$", _ship),
    (r"^shipment/track$", _tracks),
    (r"^(order|invoice)/[^/]+/refund$", _refund),
    (r"^orders/[^/]+/comments$", _comment),
)
