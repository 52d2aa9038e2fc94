"""From PlentyONE's order to the shared record. Pure but for the collected catalogues: no call is made here.

What a child (delivery, return, credit note) needs of its origin, and a sale of its children, travels in the payload
under `relatives` (see `relatives.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from html import unescape

from connector import Entry, Payload, RecordFailed
from connector.plentyone import articles
from connector.plentyone.addresses import BILLING, DELIVERY
from connector.plentyone.countries import WELL_KNOWN
from connector.plentyone.existing import CANCELLED, EXTERNAL_ID
from connector.plentyone.journal import PASSED
from connector.plentyone.reading import Fields, moment, snake
from connector.plentyone.relatives import RELATIVES
from connector.records import (
    Address,
    Comment,
    Customer,
    Document,
    DocumentKind,
    Fulfilment,
    Order,
    OrderKind,
    OrderLine,
    Package,
    Part,
    Passed,
    Payment,
    cents,
)
from connector.settings import ident

KINDS = {"1": OrderKind.SALE, "2": OrderKind.DELIVERY, "3": OrderKind.RETURN, "4": OrderKind.CREDIT}
TOGETHER = ("grouped", "multi_order")  # sales that are handled together; none of them was made from the other
WAREHOUSE, PROFILE, METHOD, PAYMENT_STATUS, COUPON, REFUND = 1, 2, 3, 4, 18, 97  # order properties
CREATED, PAID, UPDATED, SHIPPED = 2, 3, 4, 5  # dates
VAT_NUMBER, EXTERNAL_ADDRESS, PHONE, EMAIL, POST_NUMBER = 1, 2, 4, 5, 6  # address options
GUEST = ("10", "11")  # a contact's option type and sub-type
MAIL = ("2", "4")
DOCUMENTS = {
    "invoice": DocumentKind.INVOICE,
    "invoice_external": DocumentKind.INVOICE,
    "delivery_note": DocumentKind.DELIVERY_NOTE,
    "credit_note": DocumentKind.CREDIT_NOTE,
    "credit_note_external": DocumentKind.CREDIT_NOTE,
}
REVERSALS = ("reversal_document", "reversal_refund")  # void what was invoiced or credited before
NO_DOCUMENT = ("faulty", "deleted")

Catalogue = Callable[[str], Sequence[Entry]]


class Parser:
    """Makes records of payloads. `catalogue` gives what was collected of a kind."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def parse(self, payload: Payload) -> Order:
        """Raises RecordFailed naming the order, the field and what it held."""
        order = Fields(name_of(payload), payload)
        kind = kind_of(order)
        money = amounts_of(order)
        family = Family(order, kind)
        number = family.external or family.origin or order.code("id")
        bill = articles.bill(order, money, family.external_line)
        profile = self._profile(order)
        billing = self._address(order, BILLING)
        return Order(
            key=order.code("id"),
            number=number,
            store=order.id("plentyId"),
            created_at=order.some_moment("createdAt") or _date(order, CREATED) or order.moment("createdAt"),
            updated_at=order.some_moment("updatedAt") or _date(order, UPDATED) or order.moment("updatedAt"),
            status=order.code("statusId"),
            cancelled=int(order.needed_amount("statusId")) == CANCELLED,
            currency=bill.currency,
            base_currency=base_currency(order, bill.currency),
            exchange_rate=money.some_amount("exchangeRate") or None,
            grand_total=bill.total,
            paid=cents(money.amount("paidAmount")),
            customer=_customer(order, billing),
            billing=billing or Address(),
            shipping=self._address(order, DELIVERY),
            shipping_method=profile,
            shipping_title=self._name("shipping_profile", profile),
            lines=bill.lines,
            deductions=bill.deductions,
            residual=bill.residual,
            coupon=order.typed("properties", COUPON),
            discount_title=bill.discount_title,
            payment=self._payment(order, money),
            comments=tuple(_comments(order)),
            fulfilment=self._fulfilment(order, kind, family, bill.lines, profile),
            attributes=_attributes(order),
            extra=_extra(order, money, self._name),
        )

    def _fulfilment(
        self, order: Fields, kind: OrderKind, family: Family, lines: Sequence[OrderLine], profile: str | None
    ) -> Fulfilment:
        status = order.code("statusId")
        return Fulfilment(
            kind=kind,
            origin=family.origin,
            parent=family.parent,
            number=family.external,
            refund=_refund(order) if kind is OrderKind.CREDIT else None,
            status_name=order.text("statusName") or self._name("order_status", status),
            payment_status=order.typed("properties", PAYMENT_STATUS) or order.text("paymentStatus"),
            shipped_at=_date(order, SHIPPED),
            warehouse=_warehouse(order),
            shares=family.shares,
            documents=tuple(_documents(order)),
            packages=tuple(self._packages(order, lines, profile)),
            passed=_passed(order),
        )

    def _entry(self, kind: str, id: str | None) -> Entry | None:
        return next((one for one in self._catalogue(kind) if one.id == id), None) if id else None

    def _name(self, kind: str, id: str | None) -> str | None:
        entry = self._entry(kind, id)
        return entry.name if entry else None

    def _profile(self, order: Fields) -> str | None:
        """The shipping profile of the order, else of its first item that has one."""
        for found in (order.typed("properties", PROFILE), order.text("shippingProfileId")):
            if found and ident(found) != "0":
                return ident(found)
        return next((found for item in order.rows("orderItems") if (found := item.id("shippingProfileId"))), None)

    def _payment(self, order: Fields, money: Fields) -> Payment:
        found = order.typed("properties", METHOD) or order.text("methodOfPaymentId")
        method = ident(found) if found else ""
        return Payment(
            method=method,
            title=self._name("payment_method", method),
            amount=cents(money.amount("paidAmount")),
            transaction_id=_transaction(order),
            paid_at=_date(order, PAID),
        )

    def _packages(self, order: Fields, lines: Sequence[OrderLine], profile: str | None) -> Iterator[Package]:
        """The carrier is not in a package: it follows from the shipping profile."""
        entry = self._entry("shipping_profile", profile)
        told = entry.extra if entry else {}
        free = {line.key: line.quantity for line in lines}
        for row in order.rows("shippingPackages"):
            weight = row.some_amount("weight")
            yield Package(
                key=row.code("id"),
                number=row.text("packageNumber"),
                carrier=told.get("provider_id"),
                title=told.get("carrier") or None,
                weight_grams=int(weight) if weight else None,
                parts=_parts(row, lines, free),
            )

    def _address(self, order: Fields, type_id: int) -> Address | None:
        row = _addressed(order, type_id)
        if row is None:
            return None
        option = {str(one.id("typeId")): one.text("value") for one in row.rows("options")}
        street = " ".join(filter(None, (row.text("address1"), row.text("address2"))))
        country, state = row.id("countryId"), row.id("stateId")
        iso, region, code = self._place(country, state)
        extra = {
            "country_id": None if iso else country,
            "care_of": row.text("name4"),
            "gender": row.text("gender"),
            "post_number": option.get(str(POST_NUMBER)),
            "contact_person": row.text("contactPerson"),
        }
        return Address(
            company=row.text("name1"),
            first_name=row.text("name2"),
            last_name=row.text("name3"),
            prefix=row.text("title"),
            street=tuple(filter(None, (street, row.text("address3"), row.text("address4")))),
            postcode=row.text("postalCode"),
            city=row.text("town"),
            region=region,
            region_code=code,
            country=iso,
            phone=option.get(str(PHONE)),
            email=option.get(str(EMAIL)),
            vat_id=option.get(str(VAT_NUMBER)) or row.text("taxIdNumber"),
            key=row.id("id"),
            extra={name: value for name, value in extra.items() if value},
        )

    def _place(self, country: str | None, state: str | None) -> tuple[str | None, str | None, str | None]:
        """ISO code of the country, name and code of the state."""
        entry = self._entry("country", country)
        if entry is None:
            return next((code for code, id in WELL_KNOWN.items() if id == country), None), None, None
        iso = str(entry.extra.get("iso2") or "") or None
        for one in entry.extra.get("states") or ():
            if state and str(one.get("id")) == state:
                return iso, one.get("name") or None, next(iter(one.get("codes") or ()), None)
        return iso, None, None


class Family:
    """Where an order stands among those that belong together."""

    def __init__(self, order: Fields, kind: OrderKind) -> None:
        key = order.code("id")
        self.origin: str | None = None
        self.parent: str | None = None
        for row in order.rows("orderReferences"):
            if kind is OrderKind.SALE and row.text("referenceType") in TOGETHER:
                continue
            origin, parent = row.id("originOrderId"), row.id("referenceOrderId")
            self.origin = self.origin or (origin if origin != key else None)
            self.parent = self.parent or (parent if parent != key else None)
        if kind is not OrderKind.SALE:
            self.origin = self.origin or self.parent
        self._relatives = {row.code("id"): row for row in order.rows(RELATIVES)}
        own = order.typed("properties", EXTERNAL_ID)
        sale = self._relatives.get(self.origin or "")
        self.external = (sale.text("external") if sale else None) or own if self.origin else own
        delivered = any(row.id("typeId") == "2" for row in self._relatives.values() if not row.has("items"))
        self.shares = kind is OrderKind.SALE and (order.flag("hasDeliveryOrders") or delivered)
        self._items = {
            item.code("id"): item
            for relative in self._relatives.values()
            if relative.has("items")
            for item in relative.rows("items")
        }

    def external_line(self, item: Fields) -> str | None:
        """The key of the line at the system that the order came from: the item's own, else that of the item which it
        was made from, over as many orders as there are in between."""
        if own := item.typed("properties", articles.EXTERNAL_LINE):
            return own
        waiting, seen = list(articles.made_from(item)), set[str]()
        while waiting:
            id = waiting.pop(0)
            if id in seen or id not in self._items:
                continue
            seen.add(id)
            if found := self._items[id].text("external"):
                return found
            waiting += [str(one) for one in self._items[id].data.get("from") or ()]
        return None


def name_of(payload: Mapping[str, object]) -> str:
    return f"PlentyONE order {payload.get('id', '?')}"


def kind_of(order: Fields) -> OrderKind:
    kind = KINDS.get(order.code("typeId"))
    if kind is None:
        raise RecordFailed(
            f"{order.of}: typeId is {order.code('typeId')}, which is not imported: only sales orders (1), deliveries (2), "
            "returns (3) and credit notes (4) are."
        )
    return kind


def amounts_of(order: Fields) -> Fields:
    """The row of amounts in the order's own currency: of two, the one that is not in the system's."""
    found = [row for row in order.rows("amounts") if row.text("currency")]
    if not found:
        raise RecordFailed(f"{order.of}: amounts holds no row with a currency.")
    return next((row for row in found if not row.flag("isSystemCurrency")), found[0])


def base_currency(order: Fields, currency: str) -> str | None:
    """PlentyONE's system currency, where the order says it."""
    return next(
        (str(row.text("currency")).upper() for row in order.rows("amounts") if row.flag("isSystemCurrency")), None
    )


def _date(order: Fields, type_id: int) -> datetime | None:
    return moment(order.typed("dates", type_id, "date"))


def _passed(order: Fields) -> tuple[Passed, ...] | None:
    """The statuses that were read along, oldest first (see `journal`)."""
    if not order.has(PASSED):
        return None
    told = order.rows(PASSED)
    return tuple(Passed(status=row.code("statusId"), at=row.moment("createdAt"), key=row.id("id")) for row in told)


def _refund(order: Fields) -> str | None:
    if own := order.typed("properties", REFUND):
        return own
    return next((found for item in order.rows("orderItems") if (found := item.typed("properties", REFUND))), None)


def _warehouse(order: Fields) -> str | None:
    if found := order.typed("properties", WAREHOUSE):
        return ident(found)
    for row in order.rows("relations"):
        if row.text("referenceType") == "warehouse" and (found := row.id("referenceId")):
            return found
    return next((found for item in order.rows("orderItems") if (found := item.id("warehouseId"))), None)


def _documents(order: Fields) -> Iterator[Document]:
    """The papers that count: an invoice or credit note that was reversed does not."""
    made: list[Document] = []
    rows = sorted(order.rows("documents"), key=lambda row: row.needed_amount("id"))
    for row in rows:
        type = snake(row.text("type") or "")  # uploads are named in camelCase: invoiceExternal
        if row.text("status") in NO_DOCUMENT:
            continue
        if type in REVERSALS:
            made = [one for one in made if one.kind is DocumentKind.DELIVERY_NOTE]
        elif type in DOCUMENTS:
            number = row.text("numberWithPrefix") or row.text("number")
            at = row.some_moment("createdAt") or row.some_moment("displayDate")
            made.append(Document(key=row.code("id"), kind=DOCUMENTS[type], number=number, created_at=at))
    return iter(made)


def _parts(package: Fields, lines: Sequence[OrderLine], free: dict[str, Decimal]) -> tuple[Part, ...]:
    """What lies in a package, by line: packages know variations only, so lines of the same one fill up in turn.

    Empty when it holds something that no line explains: half of the truth would be worse than none.
    """
    found: list[Part] = []
    left = dict(free)
    for row in package.rows("items"):
        rest = row.some_amount("itemQuantity") or row.amount("quantity")
        variation = row.id("variationId") or row.id("itemVariationId")
        for line in lines:
            if rest > 0 and variation and line.extra.get("variation_id") == variation and left[line.key] > 0:
                taken = min(rest, left[line.key])
                left[line.key] -= taken
                rest -= taken
                found.append(Part(line=line.key, quantity=taken))
        if rest > 0:
            return ()
    free.update(left)
    return tuple(found)


def _addressed(order: Fields, type_id: int) -> Fields | None:
    wanted = next(
        (row.id("addressId") for row in order.rows("addressRelations") if row.id("typeId") == str(type_id)), None
    )
    for row in order.rows("addresses"):
        if wanted is not None and row.id("id") == wanted:
            return row
    for row in order.rows("addresses"):
        pivot = row.inner("pivot")
        if pivot is not None and pivot.id("typeId") == str(type_id):
            return row
    return None


def _customer(order: Fields, billing: Address | None) -> Customer:
    """The contact; of a return the sender. A guest's contact is there, too, and marked."""
    contact = order.inner("contactReceiver") or order.inner("contactSender")
    mail = billing.email if billing else None
    if contact is None:
        key = next(
            (row.id("referenceId") for row in order.rows("relations") if row.text("referenceType") == "contact"), None
        )
        first, last = (billing.first_name, billing.last_name) if billing else (None, None)
        return Customer(key=key, email=mail, first_name=first, last_name=last)
    options = {(row.text("typeId"), row.text("subTypeId")): row for row in contact.rows("options")}
    guest = GUEST in options and options[GUEST].flag("value")
    own = options[MAIL].text("value") if MAIL in options else None
    told = {"number": contact.text("number"), "external_id": contact.text("externalId"), "id": contact.id("id")}
    return Customer(
        key=None if guest else contact.id("id"),
        email=contact.text("email") or own or mail,
        group=contact.id("classId"),
        first_name=contact.text("firstName"),
        last_name=contact.text("lastName"),
        prefix=contact.text("title"),
        gender=contact.text("gender"),
        vat_id=billing.vat_id if billing else None,
        extra={name: value for name, value in told.items() if value},
    )


def _transaction(order: Fields) -> str | None:
    """The provider's id of the first payment that has one (payment property 1); payments are loaded only on demand."""
    for row in order.rows("payments"):
        if found := row.typed("properties", 1):
            return found
    return None


def _comments(order: Fields) -> Iterator[Comment]:
    for row in order.rows("comments"):
        text = unescape(re.sub(r"<[^>]*>", " ", row.text("text") or ""))
        if words := " ".join(text.split()):
            yield Comment(text=words, created_at=row.some_moment("createdAt"), by_customer=row.id("userId") is None)


def _attributes(order: Fields) -> Mapping[str, str]:
    """The order's properties by their type's id, as the catalogue `order_property` lists them."""
    return {id: value for row in order.rows("properties") if (id := row.id("typeId")) and (value := row.text("value"))}


def _extra(order: Fields, money: Fields, name: Callable[[str, str | None], str | None]) -> Mapping[str, object]:
    referrer = None if (id := order.text("referrerId")) is None else ident(id)
    placed = _addressed(order, DELIVERY) or _addressed(order, BILLING)
    told = {
        "referrer": referrer,
        "referrer_name": name("referrer", referrer),
        "country_id": placed.id("countryId") if placed else None,
        "type": order.code("typeId"),
        "lock_status": order.text("lockStatus"),
        "invoice_total": str(cents(money.amount("invoiceTotal"))),
        "net": money.flag("isNet") or order.flag("isNet"),
        "split": any(row.text("referenceType") == "split" for row in order.rows("originOrderReferences")) or None,
    }
    return {name: value for name, value in told.items() if value is not None}
