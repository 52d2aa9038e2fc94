"""Two systems in memory for event procedures: a house whose orders are watched, and a market that is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from marshmallow import fields

from connector import Catalogue, Connector, Entry, Finding, Found, Known, Options, Page, RecordFailed, Ref, Written
from connector.procedures import ORDER_TYPE, Filter, Occurrence, Procedure, Procedures, Template, Watch
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
    Passed,
    Payment,
)
from connector.registry import Plugin, plugins
from connector.settings import ACCOUNT, CONFIGURATION, Secret, Settings, setting
from profiles import models
from profiles.db import Database, now
from profiles.secrets import seal


@dataclass
class House:
    """What the watched system holds, and what the market was told. One per test."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: bool = True  # it keeps the statuses that an order passed
    untold: int = 0  # so many of an order's last statuses its history does not tell yet
    lacks: tuple[str, ...] = ()  # what it does not show, in sentences
    told: list[tuple[str, str, str | None]] = field(default_factory=list)  # procedure, order, status of the event
    calls: Counter[str] = field(default_factory=Counter)
    trouble: Callable[[Occurrence], None] = lambda occurrence: None
    clock: datetime = field(default_factory=lambda: now().replace(microsecond=0))
    ticks: int = 0
    guard: threading.RLock = field(default_factory=threading.RLock)

    def at(self) -> datetime:
        return self.clock + timedelta(seconds=self.ticks)

    def place(self, key: str, *, status: str = "5", age_days: float = 0.0, **more: Any) -> None:
        with self.guard:
            self.ticks += 1
            at = self.at() - timedelta(days=age_days)
            self.orders[key] = {
                "key": key,
                "number": f"M{key}",
                "status": status,
                "created": at,
                "passed": [(status, at)],
                "kind": "sale",
                "referrer": "183",
                "paid": Decimal(0),
                "invoices": [],
                "identifiers": [],
                **more,
            }
            self._touch(key, at)

    def move(self, key: str, *statuses: str) -> None:
        """The order takes these statuses, a second apart."""
        for status in statuses:
            with self.guard:
                self.ticks += 1
                self.orders[key]["status"] = status
                self.orders[key]["passed"].append((status, self.at()))
                self._touch(key, self.at())

    def change(self, key: str, **changed: Any) -> None:
        with self.guard:
            self.ticks += 1
            self.orders[key].update(changed)
            self._touch(key, self.at())

    def _touch(self, key: str, at: datetime) -> None:
        self.orders[key]["updated"] = at
        self.orders[key]["version"] = self.orders[key].get("version", 0) + 1


HOUSE = House()


class HouseEvents(Watch):
    filters = (
        ORDER_TYPE,
        Filter(
            code="referrer",
            label="Order » Referrer",
            kind="referrer",
            of=lambda order: (str(order.extra.get("referrer")),),
        ),
        Filter(
            code="country",
            label="Order » Country",
            kind="country",
            of=lambda order: (str(order.extra.get("country")),),
            also=("iso2", "iso3"),
        ),
    )
    cron = "* * * * *"
    numbered = True
    history_lag = timedelta(minutes=3)

    def lacks(self) -> Sequence[str]:
        return HOUSE.lacks

    def _found(self, one: dict[str, Any]) -> Found:
        return Found(
            key=one["key"],
            number=one["number"],
            version=f"{one['version']}",
            updated_at=one["updated"],
            payload={"key": one["key"], "broken": one.get("broken", False)},
        )

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        HOUSE.calls["read"] += 1
        with HOUSE.guard:
            wanted = [self._found(one) for one in sorted(HOUSE.orders.values(), key=lambda one: one["key"])]
        for start in range(0, len(wanted), options.page_size):
            yield Page(records=wanted[start : start + options.page_size], mark="1")

    def get(self, key: str) -> Found | None:
        HOUSE.calls["get"] += 1
        return self._found(HOUSE.orders[key]) if key in HOUSE.orders else None

    def number(self, number: str) -> Found | None:
        return next((self._found(one) for one in HOUSE.orders.values() if one["number"] == number), None)

    def latest(self, count: int) -> Sequence[Found]:
        return [self._found(one) for one in list(HOUSE.orders.values())[-count:]]

    def parse(self, payload: dict[str, Any]) -> Order:
        if payload.get("broken"):
            raise RecordFailed(f"order {payload['key']}: it has no total")
        with HOUSE.guard:
            one = dict(HOUSE.orders[payload["key"]])
        told = one["passed"][: len(one["passed"]) - HOUSE.untold]
        passed = tuple(Passed(status=status, at=at, key=str(key)) for key, (status, at) in enumerate(told))
        documents = tuple(Document(key=key, kind=DocumentKind.INVOICE, created_at=at) for key, at in one["invoices"])
        return Order(
            key=one["key"],
            number=one["number"],
            created_at=one["created"],
            updated_at=one["updated"],
            status=one["status"],
            currency="EUR",
            grand_total=Decimal("10.00"),
            paid=one["paid"],
            customer=Customer(key="anna"),
            billing=Address(),
            lines=(
                OrderLine(
                    key="1",
                    kind=LineKind.PRODUCT,
                    name="Phone",
                    gross=Decimal("10.00"),
                    identifiers=tuple(map(Identifier.of, one["identifiers"])),
                ),
            ),
            payment=Payment(method="cash"),
            fulfilment=Fulfilment(
                kind=OrderKind(one["kind"]),
                number=one["number"],
                documents=documents,
                passed=passed if HOUSE.history else None,
            ),
            extra={"referrer": one["referrer"], "country": one.get("country")},
        )


class Tell(Procedure):
    code = "tell"
    label = "Tell the market"
    template = Template(
        name="Tell", event="status", status=("7",), filters={"order_type": ("sale",), "referrer": ("Market",)}
    )

    class Options(Settings):
        words = setting(fields.String(), section=CONFIGURATION, label="Words", default="hello")

    def perform(self, occurrence: Occurrence, known: Known) -> Written:
        HOUSE.trouble(occurrence)
        with HOUSE.guard:
            HOUSE.told.append((self.code, occurrence.order.key, occurrence.status))
        known.learn(id=f"T{occurrence.order.key}")
        return Written(key=f"T{occurrence.order.key}", created=True, message=f"Told {occurrence.settings.words}.")


class Shout(Tell):
    code = "shout"
    label = "Shout at the market"


class MarketProcedures(Procedures):
    refs = (Ref(key="id", label="Market ID"),)
    procedures = (Tell, Shout)


class _Memory(Connector):
    class Settings(Settings):
        key = setting(Secret(), section=ACCOUNT, label="Key")

    def check(self) -> list[Finding]:
        return [Finding(name="Host", ok=True, message="All right.")]


class HouseSystem(_Memory):
    code = "memory_house"
    label = "House in memory"
    resources = (HouseEvents,)
    catalogues: ClassVar = (
        Catalogue(kind="order_status", label="Order statuses"),
        Catalogue(kind="referrer", label="Referrers"),
        Catalogue(kind="country", label="Countries"),
    )

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        names = {"5": "Cleared", "6": "Packing", "7": "Shipped", "7.1": "Shipped abroad", "8": "Cancelled"}
        yield "order_status", [Entry(id=id, name=name) for id, name in names.items()]
        yield "referrer", [Entry(id="1", name="Web shop"), Entry(id="183", name="Market")]
        yield "country", [Entry(id="2", name="Austria", extra={"iso2": "AT", "iso3": "AUT"})]


class MarketSystem(_Memory):
    code = "memory_market"
    label = "Market in memory"
    resources = (MarketProcedures,)
    deleted_inactive = True


def install() -> None:
    for made in (HouseSystem, MarketSystem):
        plugins()[made.code] = Plugin(code=made.code, package="tests", version="0", connector=made)


def fresh() -> House:
    HOUSE.__init__()  # type: ignore[misc]
    return HOUSE


def profile(database: Database, *rules: dict[str, Any], name: str = "Order events", **settings: Any) -> int:
    """Two connections, a profile of events and its event procedures; returns the profile's id."""
    install()
    moment = HOUSE.clock
    with database.session() as session:
        ends = [
            models.Connection(
                name=f"{made.code} of {name}",
                connector=made.code,
                base_url="http://127.0.0.1:9",
                credentials=seal({"key": "k"}),
                active=True,
                created_at=moment,
                updated_at=moment,
            )
            for made in (HouseSystem, MarketSystem)
        ]
        session.add_all(ends)
        session.flush()
        made = models.Profile(
            name=name,
            entity="event",
            direction="export",
            from_id=ends[0].id,
            to_id=ends[1].id,
            active=True,
            cron="* * * * *",
            timezone="UTC",
            settings={"global": {**settings}, "websites": {}, "stores": {}},
            created_at=moment,
            updated_at=moment,
        )
        session.add(made)
        session.flush()
        for position, rule in enumerate(rules, 1):
            values = {
                "name": f"Rule {position}",
                "position": position,
                "event": "status",
                "status": [],
                "filters": {},
                "procedure": "tell",
                "settings": {},
                "active": True,
            }
            session.add(
                models.EventProcedure(profile_id=made.id, created_at=moment, updated_at=moment, **{**values, **rule})
            )
        session.flush()
        return int(made.id)
