"""What became of an order, from the papers that were read along with it (see `papers`)."""

from __future__ import annotations

from collections.abc import Container, Mapping

from connector.magento.money import exact
from connector.magento.papers import PAPERS
from connector.magento.reading import Fields, plain
from connector.records import Document, DocumentKind, Fulfilment, OrderLine, Package, Part, Refund, Shipment

CANCELLED = "3"  # state of a credit memo or an invoice


def fulfilment(order: Fields, lines: tuple[OrderLine, ...]) -> Fulfilment:
    """Empty for an order without papers. Raises RecordFailed naming the paper's field."""
    papers = order.inner(PAPERS)
    if not papers.data:
        return Fulfilment()
    keys = {line.key for line in lines}
    above = {
        id: parent
        for item in order.loose_rows("items")
        if (id := item.text("item_id")) and (parent := item.text("parent_item_id"))
    }
    return Fulfilment(
        shipments=tuple(_shipment(one, keys, above) for one in papers.rows("shipments")),
        refunds=tuple(_refund(one, keys, above) for one in papers.rows("creditmemos") if _stands(one)),
        documents=tuple(
            Document(
                key=one.needed_text("entity_id"),
                kind=DocumentKind.INVOICE,
                number=one.text("increment_id"),
                created_at=one.some_moment("created_at"),
            )
            for one in papers.rows("invoices")
            if _stands(one)
        ),
    )


def _stands(paper: Fields) -> bool:
    return paper.text("state") != CANCELLED


def _shipment(paper: Fields, keys: Container[str], above: Mapping[str, str]) -> Shipment:
    return Shipment(
        key=paper.needed_text("entity_id"),
        number=paper.text("increment_id"),
        created_at=paper.some_moment("created_at"),
        parts=_parts(paper, keys, above),
        packages=tuple(
            Package(
                key=track.text("entity_id") or track.text("track_number") or "",
                number=track.text("track_number"),
                carrier=track.text("carrier_code"),
                title=track.text("title"),
            )
            for track in paper.rows("tracks")
        ),
        comment=_comment(paper),
    )


def _refund(paper: Fields, keys: Container[str], above: Mapping[str, str]) -> Refund:
    """In the order's currency; `shipping_incl_tax` is missing on some memos, `adjustment` on most."""
    shipping = paper.amount("shipping_incl_tax") or (
        paper.amount("shipping_amount") + paper.amount("shipping_tax_amount")
    )
    adjustment = paper.amount("adjustment") or (
        paper.amount("adjustment_positive") - paper.amount("adjustment_negative")
    )
    return Refund(
        key=paper.needed_text("entity_id"),
        number=paper.text("increment_id"),
        created_at=paper.some_moment("created_at"),
        parts=_parts(paper, keys, above),
        total=exact(paper.needed_amount("grand_total")),
        shipping=exact(shipping),
        adjustment=exact(adjustment),
        reason=_comment(paper),
    )


def _comment(paper: Fields) -> str | None:
    texts = paper.data.get("comments")
    return "\n".join(str(one) for one in texts) or None if isinstance(texts, list) else None


def _parts(paper: Fields, keys: Container[str], above: Mapping[str, str]) -> tuple[Part, ...]:
    """By the keys of the order's lines. A variant stands beside its configurable, or instead of it, and counts once."""
    taken: dict[str, Part] = {}
    instead: dict[str, Part] = {}
    for row in paper.rows("items"):
        id, quantity = row.text("order_item_id"), plain(row.amount("qty"))
        if id is None or quantity <= 0:
            continue
        if id in keys:
            taken[id] = Part(line=id, quantity=quantity + (taken[id].quantity if id in taken else 0))
        elif (parent := above.get(id)) and parent in keys:
            instead[parent] = Part(line=parent, quantity=quantity)
    return tuple({**instead, **taken}.values())
