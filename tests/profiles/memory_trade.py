"""Two more systems in memory: an office whose orders are watched, and a market that is told what happens to them.

The market sells: its orders and returns are brought to the office. The office works on them, and what happens there
leads to the market's procedures. `EVENTS.told` counts what the market was told, so that a test can say "once".
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import fields

from connector import (
    Account,
    Catalogue,
    Connector,
    Entry,
    Finding,
    Found,
    Host,
    Known,
    Options,
    Page,
    Ref,
    Resource,
    Written,
)
from connector.procedures import (
    INVOICE,
    ORDER_TYPE,
    STATUS,
    Filter,
    Occurrence,
    Procedure,
    Procedures,
    Template,
    Watch,
)
from connector.records import (
    Address,
    Customer,
    Document,
    DocumentKind,
    Fulfilment,
    Identifier,
    LineKind,
    Order,
    OrderKind,
    OrderLine,
    Payback,
    Payment,
    Return,
    ReturnLine,
)
from connector.registry import Plugin, plugins
from connector.settings import ACCOUNT, SHIPMENT, Choice, Secret, Settings, setting
from profiles import models
from profiles.db import Database, now
from profiles.secrets import seal

REFERRER, OTHER_REFERRER = "4.01", "1"


@dataclass
class EventWorld:
    """What exists at both systems, and what goes wrong. One per test."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)  # the office's, of all kinds, by key
    sold: dict[str, dict[str, Any]] = field(default_factory=dict)  # the market's
    returned: dict[str, dict[str, Any]] = field(default_factory=dict)  # the market's
    told: list[tuple[str, str]] = field(default_factory=list)  # (procedure, key of the order)
    booked: list[Payback] = field(default_factory=list)
    trouble: Callable[[str, str], None] = lambda step, key: None  # raises what should go wrong
    guard: threading.RLock = field(default_factory=threading.RLock)
    clock: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(500))

    def place(self, key: str, **more: Any) -> None:
        """An order at the office. `number`, `status`, `kind`, `referrer`, `serials`, `invoices`, `paid`, `age`."""
        age = timedelta(seconds=more.pop("age", 0))
        usual = {"number": key, "status": "3", "kind": "sale", "referrer": REFERRER, "serials": (), "invoices": ()}
        with self.guard:
            self.orders[key] = {"paid": "0", "origin": None, **usual, **more, "key": key, "created": now() - age}
            self.touch(key)

    def touch(self, key: str, **changed: Any) -> None:
        with self.guard:
            self.orders[key].update(changed, at=next(self.clock), updated=now())

    def sell(self, key: str, **more: Any) -> None:
        with self.guard:
            self.sold[key] = {"number": key, "serials": (), **more, "key": key, "at": next(self.clock)}

    def send_back(self, key: str, of: str, **more: Any) -> None:
        with self.guard:
            self.returned[key] = {"order": of, "serials": (), **more, "key": key, "at": next(self.clock)}


EVENTS = EventWorld()


def _pages(
    rows: Sequence[dict[str, Any]], found: Callable[[dict[str, Any]], Found], since: str | None
) -> Iterator[Page]:
    with EVENTS.guard:
        wanted = sorted((dict(one) for one in rows if one["at"] >= int(since or 0) - 2), key=lambda one: one["at"])
    if wanted:
        yield Page(records=[found(one) for one in wanted], total=len(wanted), mark=str(wanted[-1]["at"]))


def _line(serials: Sequence[str]) -> OrderLine:
    marks = tuple(Identifier.of(one) for one in serials)
    return OrderLine(key="1", kind=LineKind.PRODUCT, name="A phone", gross=Decimal(10), identifiers=marks)


class OfficeWatch(Watch):
    filters = (
        ORDER_TYPE,
        Filter(
            code="referrer",
            label="Order » Referrer",
            of=lambda order: (order.extra["referrer"],),
            kind="referrer",
        ),
    )
    cron = "* * * * *"

    def _found(self, one: dict[str, Any]) -> Found:
        return Found(
            key=one["key"], number=one["number"], version=str(one["at"]), updated_at=one["updated"], payload=dict(one)
        )

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        EVENTS.trouble("read", "")
        yield from _pages(list(EVENTS.orders.values()), self._found, since)

    def get(self, key: str) -> Found | None:
        EVENTS.trouble("get", key)
        return self._found(EVENTS.orders[key]) if key in EVENTS.orders else None

    def number(self, number: str) -> Found | None:
        return next((self._found(one) for one in EVENTS.orders.values() if one["number"] == number), None)

    def latest(self, count: int) -> Sequence[Found]:
        EVENTS.trouble("latest", "")
        with EVENTS.guard:
            newest = sorted(EVENTS.orders.values(), key=lambda one: -one["at"])
            return [self._found(one) for one in newest[:count]]

    def parse(self, payload: dict[str, Any]) -> Order:
        return Order(
            key=payload["key"],
            number=payload["number"],
            created_at=payload["created"],
            updated_at=payload["updated"],
            status=payload["status"],
            currency="EUR",
            grand_total=Decimal(10),
            paid=Decimal(payload["paid"]),
            customer=Customer(key="anna"),
            billing=Address(),
            lines=(_line(payload["serials"]),),
            payment=Payment(method="cash"),
            fulfilment=Fulfilment(
                kind=OrderKind(payload["kind"]),
                origin=payload["origin"],
                documents=tuple(
                    Document(key=one, kind=DocumentKind.INVOICE, number=one, created_at=payload["updated"])
                    for one in payload["invoices"]
                ),
            ),
            extra={"referrer": payload["referrer"]},
        )

    def content(self, order: Order, document: Document) -> bytes:
        return b"%PDF-1.4 " + document.key.encode()

    def book(self, order: Order, payback: Payback, known: Known) -> str:
        EVENTS.booked.append(payback)
        return str(next(EVENTS.ids))


class OfficeOrders(Resource):
    """Orders of the market become orders of the office."""

    entity = "order"
    label = "Orders"
    refs = (Ref(key="id", label="Office ID"),)

    def write(self, record: Order, known: Known, options: Options) -> Written:
        key = known.refs.get("id") or str(next(EVENTS.ids))
        if key not in EVENTS.orders:
            EVENTS.place(key, number=record.number, serials=tuple(m.value for m in record.lines[0].identifiers))
        known.learn(id=key)
        return Written(key=key, created=True, message=f"Order {key} written.")


class OfficeReturns(Resource):
    entity = "return"
    label = "Returns"
    refs = (Ref(key="id", label="Office ID"),)

    def write(self, record: Return, known: Known, options: Options) -> Written:
        key = known.refs.get("id") or str(next(EVENTS.ids))
        sale = known.linked("order", record.order)
        if key not in EVENTS.orders:
            EVENTS.place(key, number=record.number, kind="return", origin=sale.key if sale else None)
        known.learn(id=key)
        return Written(key=key, created=True, message=f"Return {key} written.")


class MarketOrders(Resource):
    entity = "order"
    label = "Orders"
    settles = False

    def _found(self, one: dict[str, Any]) -> Found:
        return Found(key=one["key"], number=one["number"], version=str(one["at"]), updated_at=None, payload=dict(one))

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        yield from _pages(list(EVENTS.sold.values()), self._found, since)

    def get(self, key: str) -> Found | None:
        return self._found(EVENTS.sold[key]) if key in EVENTS.sold else None

    number = get

    def parse(self, payload: dict[str, Any]) -> Order:
        placed = datetime(2026, 3, 1, 12, tzinfo=UTC)
        return Order(
            key=payload["key"],
            number=payload["number"],
            created_at=placed,
            updated_at=placed + timedelta(seconds=payload["at"]),
            status="new",
            currency="EUR",
            grand_total=Decimal(10),
            customer=Customer(key="anna"),
            billing=Address(),
            lines=(_line(payload["serials"]),),
            payment=Payment(method="cash"),
        )


class MarketReturns(Resource):
    entity = "return"
    label = "Returns"
    settles = False
    cron = "0 * * * *"

    def _found(self, one: dict[str, Any]) -> Found:
        return Found(key=one["key"], number=one["order"], version=str(one["at"]), updated_at=None, payload=dict(one))

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        yield from _pages(list(EVENTS.returned.values()), self._found, since)

    def get(self, key: str) -> Found | None:
        return self._found(EVENTS.returned[key]) if key in EVENTS.returned else None

    def parse(self, payload: dict[str, Any]) -> Return:
        at = datetime(2026, 3, 2, 12, tzinfo=UTC)
        marks = tuple(Identifier.of(one) for one in payload["serials"])
        return Return(
            key=payload["key"],
            order=payload["order"],
            number=payload["order"],
            created_at=at,
            updated_at=at,
            lines=(ReturnLine(line="1", identifiers=marks),),
        )


class _Told(Procedure):
    def perform(self, occurrence: Occurrence, known: Known) -> Written:
        EVENTS.trouble(self.code, occurrence.order.key)
        if "done" not in known.refs:
            with EVENTS.guard:
                EVENTS.told.append((self.code, occurrence.order.key))
            known.learn(done="yes")
        return Written(key=occurrence.order.key, created=True, message=f"The market knows: {self.code}.")


class Confirm(_Told):
    code = "confirm"
    label = "Send confirmation to the market"
    help = "Accepts the order."
    template = Template(
        name="Confirm to the market",
        event=STATUS,
        status=("5",),
        filters={"order_type": ("sale",), "referrer": ("market",)},
    )


class Ship(_Told):
    class Options(Settings):
        carrier = setting(Choice("carrier"), section=SHIPMENT, label="Carrier", help="Who carries the parcels.")
        remark = setting(fields.String(), section=SHIPMENT, label="Remark")
        silent = setting(fields.Boolean(), section=SHIPMENT, label="Silent", default=False)

    code = "ship"
    label = "Send shipping to the market"
    help = "Needs a parcel."
    order_types = (OrderKind.SALE, OrderKind.DELIVERY)
    template = Template(
        name="Ship to the market",
        event=STATUS,
        status=("7",),
        filters={"order_type": ("sale", "delivery"), "referrer": ("market",)},
        settings={"silent": True},
    )


class Paper(_Told):
    code = "paper"
    label = "Send invoice to the market"
    template = Template(name="Invoice to the market", event=INVOICE, filters={"referrer": ("nobody",)})


class Plain(_Told):
    """A procedure that no guide proposes anything for."""

    code = "plain"
    label = "Greet the market"
    order_types = tuple(OrderKind)


class MarketProcedures(Procedures):
    refs = (Ref(key="id", label="Market ID"),)
    procedures = (Confirm, Ship, Paper, Plain)


class _Account(Settings):
    key = setting(Secret(), section=ACCOUNT, label="Key", required=True)


class _Memory(Connector):
    Settings = _Account

    def __init__(self, account: Account, host: Host) -> None:
        super().__init__(account, host)

    def check(self) -> list[Finding]:
        return [Finding(name="Host", ok=True, message="All right.")]


class Office(_Memory):
    code = "trade_office"
    label = "Office in memory"
    resources = (OfficeOrders, OfficeReturns, OfficeWatch)
    catalogues: ClassVar = (
        Catalogue(kind="order_status", label="Order statuses"),
        Catalogue(kind="referrer", label="Referrers"),
    )

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        yield "order_status", list(STATUSES)
        yield "referrer", [Entry(id=REFERRER, name="Market"), Entry(id=OTHER_REFERRER, name="Own shop")]


class Market(_Memory):
    class Settings(_Account):
        order_import = setting(fields.Boolean(), section=ACCOUNT, label="Order import", default=False)
        since = setting(fields.AwareDateTime(default_timezone=UTC), section=ACCOUNT, label="Import orders from")
        carrier = setting(Choice("carrier", side="own"), section=ACCOUNT, label="Parcel carrier")

    code = "trade_market"
    label = "Market in memory"
    resources = (MarketOrders, MarketReturns, MarketProcedures)
    catalogues: ClassVar = (Catalogue(kind="carrier", label="Carriers"),)
    deleted_inactive = True

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        yield "carrier", [Entry(id="dhl", name="DHL"), Entry(id="ups", name="UPS Express")]

    def duties(self) -> list[Finding]:
        chosen = self.account.settings.get("carrier")
        said = "A carrier is selected." if chosen else "Select a carrier."
        return [Finding(name="Parcel carrier", ok=bool(chosen), message=said)]


STATUSES = (
    Entry(id="3", name="Waiting for payment"),
    Entry(id="5", name="Cleared for shipping"),
    Entry(id="7", name="Outgoing items booked"),
    Entry(id="8", name="Cancelled"),
    Entry(id="8.1", name="Cancelled by customer"),
)


def install() -> None:
    """Make both systems known to this process, as if their package were installed."""
    for made in (Office, Market):
        plugins()[made.code] = Plugin(code=made.code, package="tests", version="0", connector=made)


def connections(database: Database, *, collected: bool = True) -> tuple[int, int]:
    """The ids of a connection to the office and one to the market."""
    install()
    moment = now()
    with database.session() as session:
        ends = [
            models.Connection(
                name=name,
                connector=made.code,
                base_url="http://127.0.0.1:9",
                credentials=seal({"key": "k"}),
                collected_at=moment if collected else None,
                created_at=moment,
                updated_at=moment,
            )
            for name, made in (("office", Office), ("market", Market))
        ]
        session.add_all(ends)
        session.flush()
        if collected:
            for end, made in zip(ends, (Office, Market), strict=True):
                for kind, entries in made.collect(None):  # type: ignore[arg-type]
                    session.add_all(
                        models.CatalogueEntry(
                            connection_id=end.id,
                            kind=kind,
                            entry=one.id,
                            name=one.name,
                            extra={},
                            collected_at=moment,
                        )
                        for one in entries
                    )
        return int(ends[0].id), int(ends[1].id)


def profile(
    database: Database, from_id: int, to_id: int, *, entity: str = "event", name: str = "Order events", **more: Any
) -> int:
    """A profile between two connections; its id."""
    moment = now()
    with database.session() as session:
        made = models.Profile(
            **{
                "name": name,
                "entity": entity,
                "direction": "export",
                "from_id": from_id,
                "to_id": to_id,
                "active": True,
                "cron": "* * * * *",
                "timezone": "UTC",
                "settings": {"global": {}, "websites": {}, "stores": {}},
                "created_at": moment - timedelta(minutes=1),
                "updated_at": moment,
                **more,
            }
        )
        session.add(made)
        session.flush()
        return int(made.id)


def procedure(database: Database, profile_id: int, name: str = "Confirm it", **more: Any) -> int:
    """An active event procedure; its id."""
    moment = now()
    with database.session() as session:
        made = models.EventProcedure(
            **{
                "profile_id": profile_id,
                "name": name,
                "active": True,
                "position": 1,
                "event": STATUS,
                "status": ["5"],
                "filters": {},
                "procedure": "confirm",
                "settings": {},
                "created_at": moment,
                "updated_at": moment,
                **more,
            }
        )
        session.add(made)
        session.flush()
        return int(made.id)


def fresh() -> EventWorld:
    """A new, empty world; the resources look at the module's one."""
    EVENTS.__init__()  # type: ignore[misc]
    return EVENTS


__all__ = ["EVENTS", "EventWorld", "connections", "fresh", "install", "procedure", "profile"]
