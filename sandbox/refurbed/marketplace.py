"""One merchant's part of the marketplace in memory: orders, items, returns, what was done to them, and the clock."""

import itertools
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.money import ZERO, cents
from sandbox.refurbed.errors import not_found

TOKEN = "00000000-0000-4000-8000-000000000183"
Record = dict[str, Any]


@dataclass(kw_only=True)
class Settings:
    """What a test may set by the control action `configure`; most of it is what the documents leave open."""

    token: str = TOKEN
    token_days: int = 60  # a token that is not used for so long is void
    rate_limit: int | None = 10  # requests per window; None sets no limit
    window_seconds: float = 1.0
    limit_header_counts: bool = False  # X-RateLimit-Limit says the calls made, as the vendor's README has it
    omit_empty: bool = False  # leave false, "" and [] out of answers
    marginal_shows_rate: bool = False  # vat_rate of a MARGINAL item is its country's instead of 0
    repeated_state_taken: bool = False  # an item may be given the state that it has
    repeated_refund_taken: bool = True  # a refund to what is already paid answers 0.00 instead of a refusal
    ticket_required: bool = False  # no refund without a ticket
    refund_days: int = 365
    invoice_days: int = 30
    any_carrier: bool = False  # take carriers that ListAvailableCarriers does not have

    def change(self, changes: Any) -> Record:
        """Set some of them. ValueError names a setting that does not exist or has the wrong type."""
        if not isinstance(changes, dict):
            raise ValueError("configure takes an object of settings.")
        kinds = {each.name: type(getattr(Settings(), each.name)) for each in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"There is no setting {name}; there are {', '.join(kinds)}.")
            right = isinstance(value, int | Decimal) if kinds[name] is float else type(value) is kinds[name]
            if not right and not (name == "rate_limit" and value is None):
                raise ValueError(f"The setting {name} cannot be {value!r}.")
        for name, value in changes.items():
            setattr(self, name, float(value) if kinds[name] is float else value)
        return {name: value for name, value in asdict(self).items() if name != "token"}


@dataclass(kw_only=True)
class Item:
    """One unit that was sold. Amounts are gross, in the order's currency."""

    id: int
    order_id: int
    name: str
    sku: str
    charged: Decimal
    taxation: str
    vat_rate: Decimal
    vat_country: str
    offer_id: int
    grading: str = "A"
    discount: Decimal = ZERO
    refunded: Decimal = ZERO
    state: str = "NEW"
    tracking_url: str | None = None
    carrier: Record | None = None  # carrier and tracking number; the API takes them but never shows them
    identifiers: list[Record] = field(default_factory=list)
    shipment_status: str | None = None
    shipment_substatus: str | None = None
    return_url: str | None = None
    return_initiated: bool = False
    weight_kg: Decimal | None = None
    manufacturing_country: str | None = None
    hs_code: str | None = None
    ticket: bool = False

    @property
    def paid(self) -> Decimal:
        return self.charged - self.refunded

    @property
    def vat(self) -> Decimal:
        """The VAT within the price; none is shown under differential taxation."""
        if self.taxation != "GROSS":
            return ZERO
        return cents(self.charged * self.vat_rate / (100 + self.vat_rate))


@dataclass(kw_only=True)
class Invoice:
    """The file that counts at present."""

    content: bytes
    crc32: str
    token: str
    valid_until: datetime


@dataclass(kw_only=True)
class Order:
    """An order; the merchant sees it once it is released, which may be long after its id was given."""

    id: int
    email: str
    shipping_address: Record
    invoice_address: Record
    currency: str
    rate: Decimal  # one unit of `currency` in the settlement currency
    payment_method: str
    created_at: datetime
    settlement: str = "EUR"
    released_at: datetime | None = None
    items: list[Item] = field(default_factory=list)
    invoice: Invoice | None = None
    invoiceable: bool | None = None  # None: as the age says
    captured: bool = True  # whether the marketplace has the payment for sure

    def settled(self, amount: Decimal) -> Decimal:
        return cents(amount * self.rate)


@dataclass(kw_only=True)
class Return:
    """A parcel on its way back, with one item in it."""

    id: int
    order_id: int
    item_id: int
    initiated_at: datetime
    tracking_number: str
    state: str = "INITIATED"
    delivered_at: datetime | None = None
    topic: str | None = None


class Marketplace:
    """Everything that exists, and the book of what the merchant did."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.skipped = timedelta()
        self.orders: dict[int, Order] = {}
        self.items: dict[int, Item] = {}
        self.returns: dict[int, Return] = {}
        self.moves: list[Record] = []  # every state that was asked for, done or refused
        self.refunds: list[Record] = []  # every refund that was carried out
        self.uploads: list[Record] = []  # every invoice that was taken
        self.ignored: Counter[tuple[str, str]] = Counter()  # call, field that nobody knows
        self.refusals: Counter[int] = Counter()  # code
        self.forbidden: list[str] = []  # patterns of paths
        self.failing: dict[int, tuple[int, int]] = {}  # by item: code, how many times still
        self._numbers = {kind: itertools.count(first) for kind, first in FIRST.items()}

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.skipped

    def next_id(self, kind: str) -> int:
        return next(self._numbers[kind])

    def released(self) -> list[Order]:
        """The orders that the merchant sees."""
        now = self.now
        return [each for each in self.orders.values() if each.released_at and each.released_at <= now]

    def order(self, number: int) -> Order:
        """One that the merchant sees. Refused otherwise."""
        found = self.orders.get(number)
        if found is None or found.released_at is None or found.released_at > self.now:
            raise not_found("order", number)
        return found

    def item(self, number: int) -> Item:
        """One that the merchant sees. Refused otherwise."""
        found = self.items.get(number)
        if found is None:
            raise not_found("order item", number)
        self.order(found.order_id)
        return found

    def add(self, order: Order) -> Order:
        self.orders[order.id] = order
        self.items.update({each.id: each for each in order.items})
        return order


# Kinds start far apart, so that a mixed-up id is noticed.
FIRST = {"order": 4_711_001, "item": 8_800_101, "return": 77_001, "offer": 990_001, "parcel": 1}
