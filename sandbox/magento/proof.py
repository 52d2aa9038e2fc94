"""What calls have made of each order, and what of it looks as if it was made twice."""

from collections.abc import Callable, Hashable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.money import ZERO, number

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop

KINDS = ("invoices", "shipments", "creditmemos")


def documents(shop: "Shop") -> dict[str, dict[str, Any]]:
    """By order (entity_id as text): ids of its papers, its tracking numbers, its mails by kind."""
    found: dict[str, dict[str, Any]] = {}

    def of(order: int) -> dict[str, Any]:
        empty: dict[str, Any] = {"invoices": [], "shipments": [], "creditmemos": [], "tracks": [], "mails": {}}
        return found.setdefault(str(order), empty)

    for kind in KINDS:
        for paper in getattr(shop, kind):
            of(paper["order_id"])[kind].append(paper["entity_id"])
            for track in paper.get("tracks", ()):
                of(paper["order_id"])["tracks"].append(track["track_number"])
    for paper in shop.papers.shipments:  # tracks that were put on what the order came with
        for track in paper["tracks"]:
            of(paper["order_id"])["tracks"].append(track["track_number"])
    for mail in shop.mails:
        mails = of(mail["order_id"])["mails"]
        mails[mail["kind"]] = mails.get(mail["kind"], 0) + 1
    return found


def duplicates(shop: "Shop") -> dict[str, list[dict[str, Any]]]:
    """Groups that look like one thing done twice, each with the key by which they do.

    Two equal parts of an order are a group as well, although they may be right: a test that sends such parts counts
    by `documents` instead.
    """
    tracks = [
        (track, paper) for paper in (*shop.shipments, *shop.papers.shipments) for track in paper.get("tracks", ())
    ]
    return {
        "invoices": _groups(shop.invoices, _paper_key),
        "shipments": _groups(shop.shipments, _paper_key),
        "creditmemos": _groups(shop.creditmemos, _paper_key),
        "tracks": _groups(
            (track for track, _ in tracks), lambda track: (track["order_id"], str(track["track_number"]))
        ),
        "mails": _groups(
            ({**mail, "entity_id": place} for place, mail in enumerate(shop.mails)),
            lambda mail: (mail["order_id"], mail["kind"], mail["document"]) if mail["document"] is not None else None,
        ),
        "comments": _groups(
            (entry for order in shop.orders.all() for entry in order.get("status_histories") or ()),
            lambda entry: (
                (entry["parent_id"], str(entry["comment"]), str(entry.get("status")))
                if entry.get("comment") and entry["entity_id"] > 1_000_000
                else None
            ),
        ),
        "orders": _groups((shop.orders.get(each) for each in shop.placed if each in shop.orders), _order_key),
    }


def unequal(shop: "Shop") -> list[int]:
    """Orders whose papers do not add up to what the order says of itself; there should never be one."""
    found: dict[int, None] = {}
    for kind, field in (("invoices", "total_invoiced"), ("creditmemos", "total_refunded")):
        for prefix in ("", "base_"):
            sums: dict[int, Decimal] = {}
            for paper in (*getattr(shop, kind), *getattr(shop.papers, kind)):
                amount = number(paper.get(f"{prefix}grand_total"))
                sums[paper["order_id"]] = sums.get(paper["order_id"], ZERO) + amount
            for paper in getattr(shop, kind):
                order = paper["order_id"]
                if order in shop.orders and sums[order] != number(shop.orders.get(order).get(f"{prefix}{field}")):
                    found[order] = None
    return list(found)


def _paper_key(paper: dict[str, Any]) -> Hashable:
    lines = tuple((line["order_item_id"], str(line["qty"])) for line in paper["items"] if line["qty"])
    return (paper["order_id"], str(paper.get("grand_total", "")), lines)


def _order_key(order: dict[str, Any]) -> Hashable:
    if order.get("ext_order_id"):
        return ("ext_order_id", str(order["ext_order_id"]))
    lines = tuple((item.get("sku"), str(item.get("qty_ordered"))) for item in order["items"])
    return (str(order.get("customer_email")), str(order.get("grand_total")), lines)


def _groups(rows: Iterable[dict[str, Any]], key: Callable[[Any], Hashable | None]) -> list[dict[str, Any]]:
    found: dict[Hashable, list[int]] = {}
    for row in rows:
        if (own := key(row)) is not None:
            found.setdefault(own, []).append(row["entity_id"])
    return [{"key": own, "ids": ids} for own, ids in found.items() if len(ids) > 1]
