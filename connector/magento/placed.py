"""An order of the shop as it stands: what is invoiced, shipped and refunded of it, and what is left.

Quantities and amounts are those of the heads: rows without a parent. A configurable is one head with the variant below;
a bundle of dynamic price leaves its amounts to its parts, all others carry them themselves (`parts` says the same).
Source: systems knowledge of Magento, sections 5.1, 5.3 and 5.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from connector import Payload
from connector.magento.reading import ZERO, Fields

FINAL = ("canceled", "closed", "complete")
ENDED = ("canceled", "closed")
USUAL = {"new": "pending"}  # status of a state; of all others it bears the state's own name


@dataclass(frozen=True)
class Head:
    """A row without a parent, with the rows below it."""

    item: Fields
    below: tuple[Fields, ...]

    @property
    def id(self) -> str:
        return self.item.needed_text("item_id")

    @property
    def sku(self) -> str:
        return self.item.text("sku") or self.id

    @property
    def bundle(self) -> bool:
        return bool(self.below) and self.item.text("product_type") != "configurable"

    @property
    def ordered(self) -> Decimal:
        return self.item.amount("qty_ordered")

    @property
    def bearers(self) -> tuple[Fields, ...]:
        """The rows that carry the amounts."""
        if not self.bundle:
            return (self.item,)
        return tuple(row for row in self.below if row.amount("base_price") > 0) or (self.item,)

    @property
    def to_invoice(self) -> Decimal:
        left = [_left(row, "qty_invoiced", "qty_canceled") for row in self.bearers]
        return max(ZERO, *left) if self.item.amount("qty_canceled") < self.ordered else ZERO

    @property
    def to_ship(self) -> Decimal:
        """Bundles whose parts are shipped for themselves count as gone when all parts are."""
        if self.item.flag("is_virtual"):
            return ZERO
        left = _to_ship(self.item)
        if self.bundle and not self.item.amount("qty_shipped"):
            shares = [self.whole(row, _to_ship(row)) for row in self.below if not row.flag("is_virtual")]
            left = min(left, max(shares, default=ZERO))
        return max(ZERO, left)

    @property
    def to_refund(self) -> Decimal:
        left = [self.whole(row, _left(row, "qty_refunded", of="qty_invoiced")) for row in self.bearers]
        return max(ZERO, *left)

    def whole(self, row: Fields, quantity: Decimal) -> Decimal:
        """So many of a row below, as a quantity of the head."""
        own = row.amount("qty_ordered")
        return quantity if row is self.item or not own or own == self.ordered else quantity * self.ordered / own

    def share(self, row: Fields, quantity: Decimal) -> Decimal:
        """So many of the head, as a quantity of a row below."""
        return quantity * row.amount("qty_ordered") / self.ordered if self.ordered else quantity


def _left(row: Fields, *gone: str, of: str = "qty_ordered") -> Decimal:
    return row.amount(of) - sum((row.amount(name) for name in gone), ZERO)


def _to_ship(row: Fields) -> Decimal:
    # Newer shops let what was refunded after it was shipped count once; older ones say so themselves when they refuse.
    gone = max(row.amount("qty_shipped"), row.amount("qty_refunded"))
    return row.amount("qty_ordered") - gone - row.amount("qty_canceled")


class Placed:
    """One order, from GET orders/{id}."""

    def __init__(self, payload: Payload) -> None:
        name = payload.get("increment_id") or payload.get("entity_id") or "?"
        self.fields = Fields(f"Magento order {name}", payload)

    def changed(self, **given: Any) -> Placed:
        """The same order with what a call is known to have changed."""
        return Placed({**self.fields.data, **given})

    @property
    def id(self) -> str:
        return self.fields.needed_text("entity_id")

    @property
    def number(self) -> str:
        return self.fields.text("increment_id") or self.id

    @property
    def state(self) -> str | None:
        return self.fields.text("state")

    @property
    def status(self) -> str | None:
        return self.fields.text("status")

    @property
    def custom_status(self) -> bool:
        """Whether its status is not the one that every shop begins with for the state: Magento loses it with every paper.
        Of the usual ones too, as "fraud" of an order in processing."""
        return self.status is not None and self.status != USUAL.get(self.state or "", self.state)

    @property
    def held(self) -> bool:
        return self.state == "holded"

    @property
    def reviewed(self) -> bool:
        """Whether its payment waits for a decision: Magento makes no papers then, and neither holds nor cancels."""
        return self.state == "payment_review"

    @property
    def currency(self) -> str:
        return self.fields.text("order_currency_code") or self.fields.text("base_currency_code") or "?"

    @property
    def grand_total(self) -> Decimal:
        return self.fields.needed_amount("grand_total")

    @property
    def method(self) -> str | None:
        return self.fields.inner("payment").text("method")

    @cached_property
    def heads(self) -> list[Head]:
        rows = {row.needed_text("item_id"): row for row in self.fields.rows("items")}
        below: dict[str, list[Fields]] = {}
        for row in rows.values():
            above = row.text("parent_item_id")
            if above in rows and above is not None:
                below.setdefault(above, []).append(row)
        kept = [key for key, row in rows.items() if row.text("parent_item_id") not in rows]
        return [Head(rows[key], tuple(below.get(key, ()))) for key in kept]

    @property
    def to_invoice(self) -> bool:
        return self.state not in FINAL and any(head.to_invoice > 0 for head in self.heads)

    @property
    def can_cancel(self) -> bool:
        """As Magento judges: nothing is cancelled of which all is invoiced (section 6 of the knowledge on the shop)."""
        return self.state not in (*FINAL, "payment_review") and any(head.to_invoice > 0 for head in self.heads)

    @property
    def to_ship(self) -> bool:
        return self.state not in FINAL and any(head.to_ship > 0 for head in self.heads)

    def find(self, external: str | None, sku: str | None) -> tuple[Head, Fields] | None:
        """The head and the row of it that a line of another system means: by its id, else by an unambiguous SKU."""
        for head in self.heads:
            for row in (head.item, *head.below):
                if external is not None and row.text("item_id") == external:
                    return head, row
        if external is not None and external.isdigit():
            return None
        named = [
            (head, row)
            for head in self.heads
            for row in ((head.item, *head.below) if head.bundle else (head.item,))
            if sku and (row.text("sku") or "").casefold() == sku.casefold()
        ]
        return named[0] if len(named) == 1 else None


def items(quantities: Mapping[str, Decimal], placed: Placed, *, zeros: bool = False) -> list[Payload]:
    """The lines of a shipment or refund. `zeros` names all others with quantity 0.

    Of a bundle, Magento counts the parts or the bundle itself, as the product is set up, which REST does not show: the
    parts are named first and the bundle last, so that either finds its quantity.
    """
    made: list[Payload] = []
    for head in placed.heads:
        quantity = quantities.get(head.id, ZERO)
        if quantity <= 0 and not zeros:
            continue
        if head.bundle:
            made += [_item(row, head.share(row, quantity)) for row in head.below]
        made.append(_item(head.item, quantity))
    return made


def _item(row: Fields, quantity: Decimal) -> Payload:
    return {"order_item_id": int(row.needed_text("item_id")), "qty": quantity}
