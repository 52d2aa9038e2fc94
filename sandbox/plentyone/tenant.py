"""One PlentyONE tenant in memory: its records, its settings and its clock.

Records are JSON-able dictionaries in the shape in which they are read, dates already as text.
"""

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.countries import COUNTRIES
from sandbox.plentyone.values import Record, iso


@dataclass(kw_only=True)
class Settings:
    """What a test may set, by command line or by the control action `configure`."""

    password: str = "sandbox"
    write_limit: int | None = None  # writes per window; None sets no limit
    read_limit: int | None = None
    window_seconds: float = 60.0
    index_lag: float = 0.0  # seconds until lists and searches show a new record
    max_sessions: int = 40
    token_seconds: int = 86_400
    lock_after: int = 5  # failed logins until the user is locked
    batch: bool = True
    batch_costs: bool = False  # whether every operation of a batch costs a call of its own
    gift_card_lowers_total: bool = True
    honour_created_date: bool = False  # whether `dates` typeId 2 of a create sets createdAt
    paid_status: str | None = None  # order status after full payment
    children_carry_external_id: bool = True  # whether property 7 goes along into returns, credit notes, splits
    document_seconds: float = 0.0  # seconds until a generated document is done
    document_bytes: int | None = None  # size of a generated PDF; None makes a small one
    providers_enveloped: bool = False  # shipping service providers in the page envelope
    status_history: bool = True  # whether the user may read the status history at all
    status_history_refusal: int = 403  # what it answers without: 403 or 404
    status_history_enveloped: bool = False  # one order's history in the page envelope instead of an array
    # No source says whether these move an order's `updatedAt` in every tenant: a reader must bear both.
    packages_move_order: bool = True
    documents_move_order: bool = True
    serials_move_order: bool = True
    payments_move_order: bool = True
    children_move_order: bool = True  # recorded: order_7126
    comments_move_order: bool = False

    def change(self, changes: Any) -> Record:
        """Set some of them. ValueError names a setting that does not exist or has the wrong type."""
        if not isinstance(changes, dict):
            raise ValueError("configure takes an object of settings.")
        checked = {name: self._checked(name, value) for name, value in changes.items()}
        for name, value in checked.items():
            setattr(self, name, value)
        return {name: value for name, value in asdict(self).items() if name != "password"}

    def _checked(self, name: str, value: Any) -> Any:
        kinds = {each.name: str(each.type) for each in fields(self)}
        if name not in kinds:
            raise ValueError(f"There is no setting {name}; there are {', '.join(kinds)}.")
        kind = kinds[name]
        if value is None and "None" in kind:
            return None
        if "bool" in kind and isinstance(value, bool):
            return value
        if "float" in kind and isinstance(value, int | Decimal) and not isinstance(value, bool):
            return float(value)
        if name == "status_history_refusal" and value not in (403, 404):
            raise ValueError(f"The status history is refused with 403 or 404, not {value!r}.")
        if "int" in kind and isinstance(value, int) and not isinstance(value, bool):
            return value
        if "str" in kind and isinstance(value, str):
            return value
        raise ValueError(f"The setting {name} cannot be {value!r}.")


@dataclass(kw_only=True)
class Tenant:
    """Everything that exists."""

    settings: Settings
    skus: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.skipped = timedelta()
        self.numbers: dict[str, Iterator[int]] = {}
        self.born: dict[tuple[str, int], datetime] = {}
        self.contacts: dict[int, Record] = {}
        self.accounts: dict[int, Record] = {}
        self.addresses: dict[int, Record] = {}
        self.address_relations: dict[int, Record] = {}  # address to contact
        self.orders: dict[int, Record] = {}
        self.payments: dict[int, Record] = {}
        self.order_relations: list[Record] = []  # payment to order
        self.contact_relations: list[Record] = []  # payment to contact
        self.comments: dict[int, Record] = {}
        self.status_history: list[Record] = []
        self.procedures: list[Record] = []  # the tenant's own: from which status on to which
        self.transactions: dict[int, Record] = {}  # of order items
        self.tag_relations: list[Record] = []
        self.packages: dict[int, Record] = {}
        self.package_items: list[Record] = []
        self.shipping_information: dict[int, Record] = {}  # by order
        self.serials: list[Record] = []
        self.return_labels: list[Record] = []
        self.bookings: list[Record] = []  # returned goods that are back in stock
        self.documents: dict[int, Record] = {}
        self.document_orders: dict[int, int] = {}
        self.files: dict[int, bytes] = {}  # the content of each document
        self.statuses = lists.statuses()
        self.methods = lists.payment_methods()
        self.referrers = lists.referrers()
        self.unlisted: set[str] = set()  # referrers that exist and that no list shows
        self.property_types = lists.property_types()
        self.countries = {row["id"]: row for row in COUNTRIES}
        self.vats = lists.vats()
        self.variations: dict[int, Record] = {}
        self.forbidden: list[tuple[str, str]] = []  # permission, path pattern
        for sku, name in self.skus:
            self.add_variation(sku, name)

    @property
    def exact_now(self) -> datetime:
        """The tenant's clock."""
        return datetime.now(UTC) + self.skipped

    @property
    def now(self) -> str:
        """The clock as the API writes it."""
        return iso(self.exact_now)

    def next_id(self, kind: str) -> int:
        """The next number of a kind; kinds start far apart so that a mixed-up id is noticed."""
        if kind not in self.numbers:
            self.numbers[kind] = itertools.count(FIRST_IDS.get(kind, 1))
        return next(self.numbers[kind])

    def bear(self, kind: str, number: int) -> None:
        """Remember when a record came into being, for the lag of the index."""
        self.born[kind, number] = self.exact_now

    def indexed(self, kind: str, rows: dict[int, Record]) -> list[Record]:
        """The records that lists and searches show already, by ascending id."""
        if not self.settings.index_lag:
            return [rows[number] for number in sorted(rows)]
        limit = self.exact_now - timedelta(seconds=self.settings.index_lag)
        return [rows[number] for number in sorted(rows) if self.born[kind, number] <= limit]

    def add_variation(self, sku: str, name: str) -> Record:
        """A new article with one variation."""
        number = self.next_id("variation")
        record = lists.variation(number, sku, name, self.now)
        self.variations[number] = record
        return record


FIRST_IDS = {
    "contact": 40_001,
    "contact_option": 90_001,
    "account": 7_001,
    "address": 520_001,
    "address_option": 610_001,
    "address_relation": 630_001,
    "order": 700_001,
    "order_item": 810_001,
    "order_amount": 910_001,
    "item_amount": 950_001,
    "item_property": 970_001,
    "order_address": 990_001,
    "payment": 300_001,
    "payment_property": 320_001,
    "payment_history": 340_001,
    "comment": 5_501,
    "variation": 5_001,
    "package": 60_001,
    "package_item": 65_001,
    "return_label": 66_001,
    "serial": 67_001,
    "transaction": 68_001,
    "document": 901,
    "number of invoice": 331,
    "number of delivery_note": 405,
    "number of credit_note": 51,
}
