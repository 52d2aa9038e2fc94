"""Which rows of an order become lines, and which of them bear the amounts (systems knowledge, sections 0 and 5.4).

| type | lines |
|---|---|
| simple, virtual, downloadable, grouped | one each (the rows of a grouped product have no parent) |
| configurable | ONE: the parent's amounts, the variant's SKU and name |
| bundle of dynamic price: a child has a base price | the bundle without amounts, then its components with theirs |
| bundle of fixed price | the bundle with its amounts, then its components without |
| giftcard | one |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from connector.magento.reading import Fields
from connector.records import LineKind


@dataclass(frozen=True, kw_only=True)
class Part:
    """One line to be. `item` bears the amounts, `named` the SKU and the name."""

    key: str
    kind: LineKind
    item: Fields
    named: Fields
    bears: bool = True  # False: its amounts stand on another line
    bundle: Fields | None = None  # the bundle that it is a component of

    @property
    def parent(self) -> str | None:
        return self.bundle.text("item_id") if self.bundle else None


def parts(order: Fields) -> list[Part]:
    """In the order of the rows; components follow their bundle. Raises RecordFailed for rows that are none."""
    if not isinstance(order.data.get("items"), list):
        raise order.wrong("items", "a list of items")
    items = {item.needed_text("item_id"): item for item in order.rows("items")}
    below: dict[str, list[Fields]] = {}
    roots: list[tuple[str, Fields]] = []
    for key, item in items.items():
        root = _root(key, items)
        if root == key:
            roots.append((key, item))
        else:
            below.setdefault(root, []).append(item)
    return [part for key, item in roots for part in _parts(key, item, below.get(key, []))]


def _root(key: str, items: dict[str, Fields]) -> str:
    """The row at the top. A row whose parent is not listed stands alone."""
    seen = {key}
    while (above := items[key].text("parent_item_id")) in items and above is not None and above not in seen:
        seen.add(above)
        key = above
    return key


def _parts(key: str, item: Fields, children: list[Fields]) -> Iterator[Part]:
    kind = item.text("product_type")
    if not children or kind == "configurable":
        sold = LineKind.GIFT_CARD if kind == "giftcard" else LineKind.PRODUCT
        yield Part(key=key, kind=sold, item=item, named=children[0] if children else item)
        return
    dynamic = any(child.amount("base_price") > 0 for child in children)
    yield Part(key=key, kind=LineKind.BUNDLE, item=item, named=item, bears=not dynamic)
    for child in children:
        key = child.needed_text("item_id")
        yield Part(key=key, kind=LineKind.COMPONENT, item=child, named=child, bears=dynamic, bundle=item)
