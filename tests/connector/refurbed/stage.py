"""Events brought to an account at the refurbed stand-in, and a desk that stands for the system where they happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

from connector import Counterpart, Known, Options, Written
from connector.procedures import STATUS, Occurrence
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
    Package,
    Part,
    Payback,
    Payment,
)
from connector.refurbed import Refurbed
from connector.refurbed.procedures import Events
from connector.settings import defaults, load
from connector.testing import MemoryHost, MemoryKnown, MemoryLinks, account
from sandbox.refurbed import TOKEN, build
from sandbox.refurbed.marketplace import Item, Marketplace
from sandbox.refurbed.refurbed import Refurbed as StandIn
from sandbox.server import Server
from tests.contracts import violations

JSON = dict[str, Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SALE = "123"  # key of the sales order at the desk
IMEI, SERIAL = "490154203237518", "SN-0001"
NUMBER = "00340000000000000017"
PDF = b"%PDF-1.4\n%EOF\n"
PHONE, NOTEBOOK, WATCH = "IP12-64-BLU-A", "TP-T480-A", "AW-SE-40-B"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Desk:
    """What the system of the event keeps. `booked`: a payment for each time that it was asked to book."""

    files: dict[str, bytes] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    booked: list[Payback] = field(default_factory=list)
    trouble: BaseException | None = None  # raised by the next booking
    read: int = 0

    def order(self, key: str) -> Order | None:
        return self.orders.get(key)

    def content(self, order: Order, document: Document) -> bytes:
        self.read += 1
        return self.files[document.key]

    def book(self, order: Order, payback: Payback, known: Known) -> str:
        if (trouble := self.trouble) is not None:
            self.trouble = None
            raise trouble
        self.booked.append(payback)
        return f"80{len(self.booked)}"


class Stage:
    """An account at the stand-in. Each `write` is one attempt; the same order, event and procedure is the same record."""

    def __init__(self, server: Server, stand_in: StandIn) -> None:
        self.server = server
        self.stand_in = stand_in
        self.host = MemoryHost()
        self.host.sleep = lambda seconds: None  # type: ignore[method-assign]
        self.connector = self.another()
        self.events = Events(self.connector)
        self.desk = Desk()
        self.events.desk = self.desk
        self.links = MemoryLinks()
        self.knowns: dict[str, MemoryKnown] = {}
        self.key = ""  # of the market's order that the events are about

    def another(self, **settings: Any) -> Refurbed:
        given = {"token": TOKEN, "carrier": "dhl", **settings}
        return Refurbed(account(Refurbed, self.server.base_url, given), self.host)

    # the market

    @property
    def market(self) -> Marketplace:
        return self.stand_in.market

    def control(self, action: str, **body: Any) -> Any:
        answer = requests.post(f"{self.server.base_url}/_sandbox/control/{action}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> JSON:
        found: JSON = requests.get(f"{self.server.base_url}/_sandbox/state", timeout=5).json()
        return found

    def faults(self, *rules: JSON) -> None:
        answer = requests.put(f"{self.server.base_url}/_sandbox/faults", json=list(rules), timeout=5)
        assert answer.status_code == 200, answer.text

    def place(self, *skus: str, **wish: Any) -> JSON:
        """An order of a customer; from now on events are about it."""
        items = [{"sku": sku} for sku in skus or (PHONE, NOTEBOOK)]
        found: JSON = self.control("place", **{"country": "DE", "items": items, **wish})[0]
        self.key = found["id"]
        return found

    def now(self) -> JSON:
        found: JSON = self.control("order", id=self.key)
        return found

    def item(self, at: int) -> Item:
        return self.market.orders[int(self.key)].items[at]

    def states(self) -> list[str]:
        return [one["state"] for one in self.now()["items"]]

    def count(self, what: str) -> int:
        found: int = self.state()["counts"][what]
        return found

    def twice(self, what: str) -> list[JSON]:
        found: list[JSON] = self.state()["duplicates"][what]
        return found

    def calls(self) -> list[str]:
        """The calls since the last time, by their methods."""
        found = [call.path.rsplit("/", 1)[-1] for call in self.host.calls]
        self.host.calls.clear()
        return found

    # the desk's side

    def sale(self, placed: JSON) -> Order:
        """The order as the desk has it: one line per item."""
        made = tuple(
            OrderLine(
                key=str(900 + at),
                kind=LineKind.PRODUCT,
                name=one["name"],
                gross=Decimal(one["total_charged"]),
                external=one["id"],
            )
            for at, one in enumerate(placed["items"])
        )
        return Order(
            key=SALE,
            number=placed["id"],
            created_at=NOW,
            updated_at=NOW,
            currency=placed["currency_code"],
            customer=Customer(),
            billing=Address(),
            payment=Payment(method="5000"),
            fulfilment=Fulfilment(number=placed["id"]),
            grand_total=Decimal(placed["total_charged"]),
            lines=made,
        )

    def child(self, sale: Order, kind: OrderKind, key: str, lines: Sequence[OrderLine]) -> Order:
        """A delivery, return or credit note of a sale."""
        total = sum((one.total for one in lines), Decimal(0))
        fulfilment = Fulfilment(kind=kind, origin=sale.key, parent=sale.key, number=sale.number)
        return replace(sale, key=key, lines=tuple(lines), fulfilment=fulfilment, grand_total=total)

    def known(self, order: Order, procedure: str, event: str = "1") -> MemoryKnown:
        name = f"{order.key}/{event}/{procedure}"
        if name not in self.knowns:
            made = MemoryKnown(self.links)
            made.links_of["order", SALE] = Counterpart(
                key=self.key, number=self.key, refs={}, reverse=True, ours=True, connection="refurbed", profile="Orders"
            )
            self.knowns[name] = made
        return self.knowns[name]

    def write(self, procedure: str, order: Order, *, event: str = "1", **settings: Any) -> Written:
        """One attempt of one event; the next one of the same event knows what this one learned."""
        schema = next(one for one in Events.procedures if one.code == procedure).Options
        occurrence = Occurrence(
            key=f"{order.key}/{event}/{procedure}",
            event=STATUS,
            status="5",
            at=NOW,
            order=order,
            procedure=procedure,
            settings=Options({**defaults(schema), **load(settings, schema)}),
        )
        return self.events.write(occurrence, self.known(order, procedure, event), Options({}))


def lines(order: Order, *changes: JSON) -> Order:
    """The order with its lines changed, one after the other."""
    made = tuple(replace(one, **change) for one, change in zip(order.lines, changes, strict=True))
    return replace(order, lines=made)


def fulfilled(order: Order, **more: Any) -> Order:
    return replace(order, fulfilment=replace(order.fulfilment, **more))


def parcel(number: str | None = NUMBER, *held: OrderLine, key: str = "1") -> Package:
    return Package(key=key, number=number, parts=tuple(Part(line=one.key, quantity=Decimal(1)) for one in held))


def invoice(key: str = "700", number: str = "RE-700", hours: int = 0) -> Document:
    return Document(key=key, kind=DocumentKind.INVOICE, number=number, created_at=NOW + timedelta(hours=hours))


def device(*values: str) -> tuple[Identifier, ...]:
    return tuple(Identifier.of(value) for value in values)


def running(folder: Path) -> Iterator[Stage]:
    """A stand-in of the test's own. Whatever was sent must be known to the vendor's contract."""
    record = folder / "requests.jsonl"
    stand_in = build(count=0, rate_limit=None)
    server = Server(stand_in, 0, record=record)
    server.start()
    made = Stage(server, stand_in)
    try:
        yield made
        assert made.state()["ignored_fields"] == []
        assert not record.exists() or violations(record) == []
    finally:
        made.connector.close()
        server.stop()
