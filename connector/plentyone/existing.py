"""An order as PlentyONE shows it: finding it again, and comparing it with what was sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from connector import AccessDenied, Host, Payload, RecordFailed, RetryLater
from connector.plentyone.client import PlentyClient
from connector.plentyone.lines import EXTERNAL_LINE, Item, ItemType
from connector.plentyone.shapes import amount, flag, key_of, rows, same, valued
from connector.plentyone.work import Work
from connector.records import Order, cents
from connector.settings import ident

SALES_ORDER = 1  # order type
EXTERNAL_ID, CUSTOMER_SIGN = 7, 8  # order properties
DELETED = 1  # date type
CANCELLED = 8  # status
ADDED = (3, 14, 15)  # items that PlentyONE adds by itself: parts of bundles and sets, order characteristics
HEADS = 60  # so many orders of lists without properties are read one by one
NEWEST_PAGES = 3
EARLIER = "earlier"  # state: when this connection's first batch was sent, and whether older orders were there already
TRIALS, MANY = 3, 10  # orders
AT_ONCE = 50  # numbers in one query
CLOCKS = timedelta(days=1)  # an order that is older by more than this than the shop's was there before it


def find(work: Work, sent: Sent, linked: Mapping[str, str | None]) -> Payload | None:
    """This very order with its items, looked up in three ways: no single list can be relied on.

    `linked`: the ids of its contact and addresses. An order with the same number may belong to another store view or
    another shop of the same client, so the number alone proves nothing.
    """
    read = 0
    others: set[str | None] = {None}
    for row in _candidates(work, linked):
        id = key_of(row)
        if id in others:
            continue
        if row.get("properties") is None and _may_be_ours(work, row) and read < HEADS:
            read += 1  # a list of heads only: the order itself says what it is
            row = work.get(f"/rest/orders/{id}") or row
        if not _is_ours(work, row):
            continue
        if not work.known.taken(str(id)):
            whole = _whole(work, row)
            if whole is not None and not _anothers(work, sent, linked, whole):
                return whole
        others.add(id)
        work.known.note(f"Order {id} in PlentyONE has the same number and belongs to another order.")
    return None


class Earlier:
    """Orders that are there although nothing is known of them here: the database was lost, or another installation
    brought them. Looked for in bulk, one read for many orders, among those that are older than this connection's first
    batch. Where the first one finds none there are none, and nobody looks again; but a single order that is tried out
    proves little, so after so few the first larger batch is looked for as well."""

    def __init__(self, client: PlentyClient, host: Host) -> None:
        self.client = client
        self.host = host
        self.numbers: set[str] = set()  # of orders that PlentyONE has, or has something of the same number
        self._asked: set[str] = set()
        self._able = True

    def look(self, orders: Sequence[Order]) -> None:
        """Raises RetryLater or AccessDenied where there were such orders and they cannot be looked for just now. Else a
        look that fails is let be: it is a precaution, which must not keep a new shop's orders back."""
        kept = self.host.state.read(EARLIER)
        if not self._able or (kept is None and self.client.dry is not None):
            return
        state = kept or {"since": self.host.now().isoformat(), "looked": 0, "found": False}
        since = datetime.fromisoformat(state["since"])
        numbers = {one.number for one in orders if one.created_at < since and "," not in one.number} - self._asked
        if state["looked"] and not state["found"] and (state["looked"] > TRIALS or len(numbers) < MANY):
            return
        asked = sorted(numbers)
        self._asked |= numbers
        for at in range(0, len(asked), AT_ONCE):
            self._look(asked[at : at + AT_ONCE], found=state["found"])
        if self._able and self.client.dry is None and (asked or kept is None) and not state["found"]:
            now = {**state, "looked": state["looked"] + len(asked), "found": bool(self.numbers)}
            self.host.state.change(EARLIER, lambda _: now)

    def _look(self, numbers: Sequence[str], *, found: bool) -> None:
        query = {"externalOrderId": ",".join(numbers), "orderType": SALES_ORDER}
        try:
            there = list(self.client.entries("/rest/orders", query, most=1))
        except (RetryLater, AccessDenied):
            if found:
                raise
            self._able = False
            return
        self.numbers |= {valued(row.get("properties"), EXTERNAL_ID) or "" for row in there} & set(numbers)


def _whole(work: Work, row: Payload) -> Payload | None:
    if row.get("orderItems") and row.get("amounts") and row.get("addressRelations") and "relations" in row:
        return row
    read = work.get(f"/rest/orders/{key_of(row)}")
    if read is not None and not (isinstance(read, dict) and read.get("id")):
        raise RetryLater(f"Order {work.order.number}: PlentyONE answered oddly when asked for its order {key_of(row)}")
    return read


def _anothers(work: Work, sent: Sent, linked: Mapping[str, str | None], order: Payload) -> bool:
    """Whether this order with our number is another one's: by its customer, its age, the shop's ids of its items; and
    where these say nothing for certain, by what speaks for it and what against."""
    sign = valued(order.get("properties"), CUSTOMER_SIGN)
    if sign and work.order.customer.key and not same(sign, work.order.customer.key):
        return True
    made = _moment(order.get("createdAt"))
    if made is not None and made < work.order.created_at - CLOCKS:
        return True
    articles = (ItemType.VARIATION, ItemType.BUNDLE, ItemType.UNASSIGNED)
    ours = {item.key for item in sent.items if item.key and item.type in articles}
    items = [item for item in rows(order.get("orderItems")) if amount(item.get("typeId")) in articles]
    theirs = {key for item in items if (key := valued(item.get("properties"), EXTERNAL_LINE))}
    if ours and theirs and not theirs <= ours:
        return True
    speaks = [2] if ours and theirs else []
    receiver = _receiver(order)
    if receiver and linked.get("contact_id"):
        speaks.append(1 if same(receiver, linked["contact_id"]) else -1)
    placed = {
        key_of(row, "addressId") for row in rows(order.get("addressRelations")) if amount(row.get("typeId")) in (1, 2)
    }
    if placed:
        speaks.append(1 if placed == {linked.get("billing_id"), linked.get("shipping_id")} else -1)
    total = invoice_total(order, sent.currency)
    if total is not None:
        speaks.append(1 if total in (sent.total, sent.total + sent.gift_cards) else -1)
    return sum(speaks) < 0


def _receiver(order: Mapping[str, object]) -> str | None:
    for row in rows(order.get("relations")):
        if row.get("referenceType") == "contact" and row.get("relation", "receiver") == "receiver":
            return key_of(row, "referenceId")
    return None


def _moment(text: object) -> datetime | None:
    """A time with its zone; None for anything else."""
    try:
        made = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return made if made.tzinfo else None


def _candidates(work: Work, linked: Mapping[str, str | None]) -> Iterator[Payload]:
    number = work.order.number
    query = {"externalOrderId": number, "orderType": SALES_ORDER}
    # an id may be shared by other systems' orders, so each hit is compared; the oldest of several is the one to adopt
    yield from sorted(work.client.entries("/rest/orders", query, most=5, reference=number), key=_by_id)
    contact = linked.get("contact_id")
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


def paid(order: Payload, currency: str) -> Decimal:
    """What PlentyONE has as paid for an order, in that currency."""
    for row in rows(order.get("amounts")):
        if str(row.get("currency") or "").upper() == currency:
            return amount(row.get("paidAmount")) or Decimal(0)
    return Decimal(0)


def deleted(order: Mapping[str, object]) -> bool:
    return any(same(one.get("typeId"), DELETED) and one.get("date") for one in rows(order.get("dates")))


def cancelled(order: Mapping[str, object]) -> bool:
    """Status 8 and those below it, as PlentyONE comes with them."""
    status = amount(order.get("statusId"))
    return status is not None and int(status) == CANCELLED


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


def verify(work: Work, sent: Sent, order: Mapping[str, object], *, adopted: bool = False) -> None:
    """Raises RecordFailed when PlentyONE made something else of the order than was sent.

    `adopted`: an earlier attempt may have created it. Nobody is told then to delete what may be another customer's.
    """
    told, remark = differences(sent, order)
    if same(order.get("statusId"), 1) and work.aim.status != "1":
        told.insert(0, "its status is 1, incomplete data")
    if told and adopted:
        raise RecordFailed(
            f"Order {work.order.number} was found in PlentyONE as {key_of(order)} after an attempt without an answer, "
            f"but {'; '.join(told)}. See there whether it is the same order: if so, correct it there; if it belongs to "
            "somebody else, leave it as it is and reset this record."
        )
    if told:
        raise RecordFailed(
            f"Order {work.order.number} was created in PlentyONE as {key_of(order)}, but {'; '.join(told)}. "
            "Correct or delete it there."
        )
    if remark and not adopted:
        work.known.note(remark)


def split_off(work: Work, order_id: str) -> bool:
    """Whether sales were split off from the order: what it lacks then, they have."""
    query = {"parentOrderId": order_id, "orderType": SALES_ORDER, "addOrderItems": False}
    return any(
        reference.get("referenceType") == "split"
        and order_id in (key_of(reference, "originOrderId"), key_of(reference, "referenceOrderId"))
        for row in work.client.entries("/rest/orders", query, most=2, reference=work.order.number)
        for reference in rows(row.get("orderReferences"))
    )


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
