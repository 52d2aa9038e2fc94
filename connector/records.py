"""The shared records: the shapes in which orders travel between systems.

Money is `Decimal` in the order's currency (`Order.currency`), gross unless the name says otherwise. Time is aware UTC.
Absent is None. What has no common name travels in `extra`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

CENT = Decimal("0.01")
IMEI_DIGITS = 15


def cents(amount: Decimal) -> Decimal:
    """THE rounding rule: half a cent goes away from zero, as shops, tax offices and both systems print it."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


class LineKind(StrEnum):
    """What a line is; the amounts of a line never count twice."""

    PRODUCT = "product"  # something sold: simple, virtual, or the chosen variant of a configurable
    BUNDLE = "bundle"  # a parent whose components follow; carries the amounts unless its components do
    COMPONENT = "component"  # a part of the bundle before it (see OrderLine.parent)
    GIFT_CARD = "gift_card"  # a gift card that is sold, not redeemed
    SHIPPING = "shipping"
    SURCHARGE = "surcharge"  # a fee whose name the source knows: cash on delivery, gift wrap, ...


class DeductionKind(StrEnum):
    """What lowers the amount to pay without lowering what was sold."""

    GIFT_CARD = "gift_card"
    STORE_CREDIT = "store_credit"
    REWARD = "reward"


@dataclass(frozen=True, kw_only=True)
class Address:
    company: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    street: tuple[str, ...] = ()  # as typed: the house number may stand in any line
    postcode: str | None = None
    city: str | None = None
    region: str | None = None
    region_code: str | None = None
    country: str | None = None  # ISO 3166, two letters
    phone: str | None = None
    fax: str | None = None
    email: str | None = None
    vat_id: str | None = None
    additional: str | None = field(default=None, repr=False)  # what else has to stand on it: a private VAT id
    key: str | None = None  # the source's id of this very address of this order
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Customer:
    key: str | None = None  # None: a guest
    email: str | None = None
    group: str | None = None
    first_name: str | None = None
    middle_name: str | None = None
    last_name: str | None = None
    prefix: str | None = None
    gender: str | None = None  # male, female, diverse
    vat_id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def guest(self) -> bool:
        return self.key is None


class IdentifierKind(StrEnum):
    """What tells one device from all others of its kind."""

    IMEI = "imei"  # of a telephone: 15 digits, the last one a check digit
    SERIAL = "serial_number"


def bare(number: str) -> str:
    """The number of a device as it is looked for: letters and digits alone, in one case. Two numbers may look alike so;
    they stay two, and both are found."""
    return "".join(one for one in number.casefold() if one.isalnum())


@dataclass(frozen=True, kw_only=True)
class Identifier:
    kind: IdentifierKind
    value: str

    @classmethod
    def of(cls, value: str) -> Identifier:
        """Fifteen digits are an IMEI, whatever stands between them for the eye; everything else a serial number."""
        digits = re.sub(r"[\s./-]", "", value)
        if len(digits) == IMEI_DIGITS and digits.isdecimal() and digits.isascii():
            return cls(kind=IdentifierKind.IMEI, value=digits)
        return cls(kind=IdentifierKind.SERIAL, value=value.strip())

    @property
    def plausible(self) -> bool:
        """Whether the check digit of an IMEI is right (Luhn); a serial number has none."""
        if self.kind is not IdentifierKind.IMEI:
            return True
        doubled = (int(one) * (2 if at % 2 else 1) for at, one in enumerate(self.value))
        return sum(one // 10 + one % 10 for one in doubled) % 10 == 0


@dataclass(frozen=True, kw_only=True)
class OrderLine:
    """One line. `gross` is the whole row before discount, `discount` (positive) what is taken off it, both with tax.

    What the customer pays for the line is `total`; the sum over all lines less the deductions is the grand total.
    """

    key: str
    kind: LineKind
    sku: str | None = None
    name: str
    quantity: Decimal = Decimal(1)
    gross: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    tax: Decimal = Decimal(0)  # part of `total`
    tax_rate: Decimal | None = None  # percent; None where the source does not say
    parent: str | None = None  # key of the bundle line this is a component of
    external: str | None = field(default=None, repr=False)  # key of this line at the system that the order came from
    identifiers: tuple[Identifier, ...] = field(default=(), repr=False)  # of the very devices, where they are known
    options: tuple[str, ...] = ()  # what the customer chose, as words
    weight_grams: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return self.gross - self.discount


@dataclass(frozen=True, kw_only=True)
class Deduction:
    """A redeemed gift card, store credit or points. `amount` is positive."""

    kind: DeductionKind
    amount: Decimal
    name: str
    code: str | None = None


@dataclass(frozen=True, kw_only=True)
class Residual:
    """What the grand total holds beyond lines and deductions, with its likely cause. May be negative."""

    amount: Decimal
    name: str


@dataclass(frozen=True, kw_only=True)
class Payment:
    method: str
    title: str | None = None
    amount: Decimal = Decimal(0)  # what was paid so far, in the order's currency
    transaction_id: str | None = None
    paid_at: datetime | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Comment:
    text: str
    created_at: datetime | None = None
    by_customer: bool = False


class OrderKind(StrEnum):
    """What a record of the entity "order" is. All but a sale belong to one (`Fulfilment.origin`)."""

    SALE = "sale"
    DELIVERY = "delivery"  # a part of a sale that is shipped for itself
    RETURN = "return"
    CREDIT = "credit"  # a credit note: money that goes back


class DocumentKind(StrEnum):
    INVOICE = "invoice"
    DELIVERY_NOTE = "delivery_note"
    CREDIT_NOTE = "credit_note"


@dataclass(frozen=True, kw_only=True)
class Part:
    """So many of one order line."""

    line: str  # `OrderLine.key`
    quantity: Decimal


@dataclass(frozen=True, kw_only=True)
class Package:
    """One parcel. `number` is the tracking number, None before it is labelled."""

    key: str
    number: str | None = None
    carrier: str | None = None  # the source's own code of the carrier
    title: str | None = None  # of the carrier or of the service, for people
    weight_grams: int | None = None
    parts: tuple[Part, ...] = ()  # what is in it; empty: the source does not say


@dataclass(frozen=True, kw_only=True)
class Document:
    """A paper that exists at the source."""

    key: str
    kind: DocumentKind
    number: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """Goods that left, as a shop keeps it: some quantities and their parcels."""

    key: str
    number: str | None = None
    created_at: datetime | None = None
    parts: tuple[Part, ...] = ()
    packages: tuple[Package, ...] = ()
    comment: str | None = None  # what was written to it


@dataclass(frozen=True, kw_only=True)
class Refund:
    """Money that went back, as a shop keeps it (a credit memo). Amounts are gross and positive.

    `total` = the lines of `parts` + `shipping` + `adjustment` (which may be negative: a fee that was kept).
    """

    key: str
    number: str | None = None
    created_at: datetime | None = None
    parts: tuple[Part, ...] = ()
    total: Decimal
    shipping: Decimal = Decimal(0)
    adjustment: Decimal = Decimal(0)
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Passed:
    """A status that an order took, and when. `key` of the entry tells changes of the same second apart."""

    status: str
    at: datetime
    key: str | None = None


@dataclass(frozen=True, kw_only=True)
class Payback:
    """Money that went back to the customer at one system, to be booked at another. `amount` is positive.

    `reason` is what people read on the payment, `key` what tells it apart from other paybacks of the same order.
    """

    amount: Decimal
    currency: str
    at: datetime
    reason: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Fulfilment:
    """What became of an order after it was placed. Empty where a source does not follow it."""

    kind: OrderKind = OrderKind.SALE
    origin: str | None = None  # key of the sale that this delivery, return or credit note belongs to
    parent: str | None = None  # key of the order it was made from: the origin, or for example a return
    number: str | None = None  # the number that the system it came from gave it (its external order id)
    refund: str | None = None  # a credit note's: key of the shop's own refund that it was made for
    status_name: str | None = None  # of `Order.status`, for people
    payment_status: str | None = None  # unpaid, partlyPaid, fullyPaid, overpaid
    shipped_at: datetime | None = None  # when the outgoing items were booked
    warehouse: str | None = None
    shares: bool = False  # its goods leave with deliveries of their own
    documents: tuple[Document, ...] = ()
    packages: tuple[Package, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    refunds: tuple[Refund, ...] = ()
    # oldest first; None: the system does not tell
    passed: tuple[Passed, ...] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A sales order, or one of those that belong to it (see `Fulfilment.kind`).

    `status` is the source's own code; the profile maps it. `store` and `website` are codes and choose the scope of the
    settings. Deductions and `residual` are kept apart from `lines` so that a target can show them as what
    they are.
    """

    key: str
    number: str
    store: str | None = None
    website: str | None = None
    created_at: datetime
    updated_at: datetime
    status: str | None = None
    state: str | None = None
    cancelled: bool = False
    currency: str
    base_currency: str | None = None
    exchange_rate: Decimal | None = Decimal(1)  # order currency per base currency; None: the source does not say
    grand_total: Decimal
    paid: Decimal = Decimal(0)
    customer: Customer
    billing: Address
    shipping: Address | None = None  # None: nothing is shipped (virtual)
    shipping_method: str | None = None  # carrier_method
    shipping_title: str | None = None
    lines: tuple[OrderLine, ...] = ()
    deductions: tuple[Deduction, ...] = ()
    residual: Residual | None = None
    coupon: str | None = None
    discount_title: str | None = None
    payment: Payment
    comments: tuple[Comment, ...] = ()
    replaces: str | None = None  # number of the order that this one took the place of
    replaced_by: str | None = None  # number of the order that took its place
    fulfilment: Fulfilment = field(default=Fulfilment(), repr=False)
    channel: str | None = field(default=None, repr=False)  # the market it was sold on, by the name that people use
    # what it was made from ("cart_id=55"), as a profile that is just making it would have learned it before
    traces: tuple[str, ...] = field(default=(), repr=False)
    attributes: Mapping[str, Any] = field(default_factory=dict)  # the source's own fields by path, for mapping
    extra: Mapping[str, Any] = field(default_factory=dict)

    def substance(self) -> str:
        """A fingerprint of what a target would be told; a moved `updated_at` alone does not change it.

        `attributes` and `extra` are left out: they hold whatever the source's modules write there, touched or not.
        """
        payment = replace(self.payment, extra={})
        plain = replace(self, updated_at=self.created_at, attributes={}, extra={}, payment=payment)
        told = repr(plain)
        if self.fulfilment != Fulfilment():  # apart, so that the fingerprint of all other orders stays what it was
            told += repr(self.fulfilment)
        if marks := [(line.key, line.identifiers) for line in self.lines if line.identifiers]:
            told += repr(marks)
        if beside := [one.additional for one in (self.billing, self.shipping) if one and one.additional]:
            told += repr(beside)
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ReturnLine:
    """So many of one line of the order that come back, and which ones."""

    line: str  # `OrderLine.key` at the same source
    quantity: Decimal = Decimal(1)
    name: str = ""
    identifiers: tuple[Identifier, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Return:
    """Goods that come back from a customer.

    `order` is the key of its order at the same source, `number` the number that people know that order by.
    """

    key: str
    order: str
    number: str
    store: str | None = None
    website: str | None = None
    created_at: datetime
    updated_at: datetime
    status: str | None = None  # the source's own code
    status_name: str | None = None  # for people
    lines: tuple[ReturnLine, ...] = ()
    tracking_number: str | None = None
    tracking_url: str | None = None
    delivered_at: datetime | None = None  # when the goods came back
    refunded: bool = False  # the customer has the money back, as the source says
    reason: str | None = None
    comments: tuple[Comment, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> OrderKind:
        return OrderKind.RETURN

    def substance(self) -> str:
        """As `Order.substance`."""
        plain = replace(self, updated_at=self.created_at, extra={})
        return hashlib.sha256(repr(plain).encode()).hexdigest()
