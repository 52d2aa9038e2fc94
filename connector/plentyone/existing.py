"""An order as PlentyONE shows it: finding it again, and comparing it with what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector import Payload, RecordFailed
from connector.plentyone.lines import Item, ItemType
from connector.plentyone.shapes import amount, flag, key_of, rows, same, valued
from connector.plentyone.work import Work
from connector.records import cents
from connector.settings import ident

SALES_ORDER = 1  # order type
EXTERNAL_ID = 7  # order property
DELETED = 1  # date type
ADDED = (3, 14, 15)  # items that PlentyONE adds by itself: parts of bundles and sets, order characteristics
HEADS = 60  # so many orders of lists without properties are read one by one
NEWEST_PAGES = 3


def find(work: Work) -> str | None:
    """The id of this very order, looked up in three ways: no single list can be relied on."""
    read = 0
    for row in _candidates(work):
        if row.get("properties") is None and _may_be_ours(work, row) and read < HEADS:
            read += 1  # a list of heads only: the order itself says what it is
            row = work.get(f"/rest/orders/{key_of(row)}") or row
        if _is_ours(work, row):
            return key_of(row)
    return None


def _candidates(work: Work) -> Iterator[Payload]:
    number = work.order.number
    query = {"externalOrderId": number, "orderType": SALES_ORDER}
    # an id may be shared by other systems' orders, so each hit is compared; the oldest of several is the one to adopt
    yield from sorted(work.client.entries("/rest/orders", query, most=5, reference=number), key=_by_id)
    contact = work.ref("contact_id")
    if contact is not None:
        query = {"itemsPerPage": 50}
        path = f"/rest/orders/contacts/{contact}"
        yield from work.client.entries(path, query, most=20, reference=number)
    newest = {"sortBy": "id", "sortOrder": "desc", "orderType": SALES_ORDER}
    yield from work.client.entries("/rest/orders", newest, most=NEWEST_PAGES, reference=number)


def _by_id(row: Payload) -> Decimal:
    return amount(row.get("id")) or Decimal(0)


def _is_ours(work: Work, row: Payload) -> bool:
    """Its external id, its client and its type are those of the order; a list that leaves them out is no proof."""
    return (
        valued(row.get("properties"), EXTERNAL_ID) == work.order.number
        and same(row.get("plentyId"), work.aim.plenty_id)
        and same(row.get("typeId", SALES_ORDER), SALES_ORDER)
        and not deleted(row)
    )


def _may_be_ours(work: Work, row: Payload) -> bool:
    """Nothing that the head says speaks against it."""
    client, kind = row.get("plentyId"), row.get("typeId", row.get("orderTypeId"))
    return (client is None or same(client, work.aim.plenty_id)) and (kind is None or same(kind, SALES_ORDER))


def deleted(order: Mapping[str, object]) -> bool:
    return any(same(one.get("typeId"), DELETED) and one.get("date") for one in rows(order.get("dates")))


def locked(order: Mapping[str, object]) -> bool:
    return str(order.get("lockStatus") or "unlocked") != "unlocked" or flag(order.get("isLocked"))


def invoice_total(order: Mapping[str, object], currency: str) -> Decimal | None:
    """The total in the given currency; None when the answer does not hold it."""
    listed = [row for row in rows(order.get("amounts")) if str(row.get("currency") or "").upper() == currency]
    listed.sort(key=lambda row: flag(row.get("isSystemCurrency")))
    for row in listed:
        total = amount(row.get("invoiceTotal", row.get("grossTotal")))
        if total is not None:
            return cents(total)
    return None


@dataclass(frozen=True)
class Sent:
    """What an order must show: its items and total, in the order's currency."""

    items: Sequence[Item]
    total: Decimal
    currency: str

    @property
    def gift_cards(self) -> Decimal:
        return -sum((item.unit for item in self.items if item.type is ItemType.GIFT_CARD), Decimal(0))


def differences(sent: Sent, order: Mapping[str, object]) -> tuple[list[str], str | None]:
    """What differs, as sentences, and a remark on how the tenant counts gift cards."""
    told: list[str] = []
    remark = None
    shown = [item for item in rows(order.get("orderItems")) if amount(item.get("typeId")) not in ADDED]
    if len(shown) < len(sent.items):
        told.append(f"{len(sent.items)} items were sent, it has {len(shown)}")
    total = invoice_total(order, sent.currency)
    if total is None:
        told.append(f"it shows no total in {sent.currency}")
    elif total != sent.total:
        if sent.gift_cards and total == sent.total + sent.gift_cards:
            remark = (
                f"PlentyONE shows the total {total} {sent.currency} before the gift card of {sent.gift_cards} "
                f"{sent.currency}, {sent.total} {sent.currency} with it."
            )
        else:
            told.append(
                f"its total is {total} {sent.currency}, the shop's is {sent.total} {sent.currency} "
                f"(difference {total - sent.total})"
            )
    elif sent.gift_cards:
        remark = f"PlentyONE shows the total {total} {sent.currency} with the gift card of {sent.gift_cards} taken off."
    return told, remark


def verify(work: Work, sent: Sent, order: Mapping[str, object]) -> None:
    """Raises RecordFailed when PlentyONE made something else of the order than was sent."""
    told, remark = differences(sent, order)
    if same(order.get("statusId"), 1) and work.aim.status != "1":
        told.insert(0, "its status is 1, incomplete data")
    if told:
        raise RecordFailed(
            f"Order {work.order.number} was created in PlentyONE as {key_of(order)}, but {'; '.join(told)}. "
            "Correct or delete it there."
        )
    if remark:
        work.known.note(remark)


def credit_notes(work: Work, order_id: str) -> Iterable[str]:
    """Credit notes (type 4) that were made of the order: such an order is not cancelled."""
    query = {"parentOrderId": order_id, "orderType": 4, "addOrderItems": False}
    for row in work.client.entries("/rest/orders", query, most=2, reference=work.order.number):
        parents = {
            ident(reference[name])
            for reference in rows(row.get("orderReferences"))
            for name in ("originOrderId", "referenceOrderId")
            if reference.get(name)
        }
        if same(row.get("typeId"), 4) and order_id in parents:
            yield str(key_of(row))
