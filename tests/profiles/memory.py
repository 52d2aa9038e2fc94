"""Two systems in memory: a shop that has orders and a desk that takes them, with troubles that can be ordered.

The desk counts what it holds, so that a test can say "one target per source" without asking the engine.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
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
    InDoubt,
    Known,
    Options,
    Page,
    RecordFailed,
    Ref,
    Resource,
    SkipRecord,
    Written,
    find_or_create,
)
from connector.records import Address, Customer, LineKind, Order, OrderLine, Payment
from connector.registry import Plugin, plugins
from connector.settings import ACCOUNT, STATUSES, Choice, Choices, Secret, Settings, ValueMap, setting
from profiles import models
from profiles.db import Database, now
from profiles.secrets import seal

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class World:
    """What exists in both systems, and what goes wrong. One per test."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)  # the shop's, by key
    created: list[dict[str, Any]] = field(default_factory=list)  # the desk's orders
    contacts: list[str] = field(default_factory=list)  # the desk's contacts
    calls: Counter[str] = field(default_factory=Counter)
    working: Counter[str] = field(default_factory=Counter)
    overlaps: list[str] = field(default_factory=list)
    trouble: Callable[[str, str], None] = lambda step, number: None  # raises what should go wrong
    remarks: dict[str, str] = field(default_factory=dict)  # what the desk has to say of an order, by number
    lag: float = 0.0
    guard: threading.RLock = field(default_factory=threading.RLock)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1000))
    clock: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def place(
        self, number: str, *, customer: str = "anna", status: str = "new", total: str = "10.00", **more: str
    ) -> None:
        with self.guard:
            self.orders[number] = {"number": number, "customer": customer, "status": status, "total": total, **more}
            self.touch(number)

    def touch(self, number: str, **changed: Any) -> None:
        with self.guard:
            self.orders[number].update(changed, at=next(self.clock))


WORLD = World()


class ShopOrders(Resource):
    entity = "order"
    label = "Orders"

    class SourceOptions(Settings):
        status_filter = setting(
            Choices("order_status", side="source"), section=STATUSES, label="Status", scopes=("global", "store")
        )

    def _found(self, order: dict[str, Any]) -> Found:
        broken = order.get("broken")
        return Found(
            key=order["number"],
            number=order["number"],
            version=str(order["at"]),
            updated_at=START + timedelta(seconds=order["at"]),
            payload=None if broken else dict(order),
            error=broken,
            passing=order.get("passing") == "yes",
        )

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        with WORLD.guard:
            wanted = sorted((one for one in WORLD.orders.values() if one["at"] >= int(since or 0) - 2), key=_at)
            wanted = [dict(one) for one in wanted]
        for start in range(0, len(wanted), options.page_size):
            WORLD.calls["read"] += 1
            WORLD.trouble("read", "")
            page = wanted[start : start + options.page_size]
            yield Page(records=[self._found(one) for one in page], total=len(wanted), mark=str(page[-1]["at"]))

    def get(self, key: str) -> Found | None:
        WORLD.calls["get"] += 1
        return self._found(WORLD.orders[key]) if key in WORLD.orders else None

    number = get

    def parse(self, payload: dict[str, Any]) -> Order:
        if "total" not in payload:
            raise RecordFailed(f"order {payload['number']}: total is missing")
        total = Decimal(payload["total"])
        return Order(
            key=payload["number"],
            number=payload["number"],
            store=payload.get("store"),
            created_at=START,
            updated_at=START + timedelta(seconds=payload["at"]),
            status=payload["status"],
            currency="EUR",
            grand_total=total,
            customer=Customer(key=payload["customer"]),
            billing=Address(),
            lines=(OrderLine(key="1", kind=LineKind.PRODUCT, name="A thing", gross=total),),
            payment=Payment(method="cash"),
        )

    def admits(self, record: Order, options: Options) -> None:
        if options.status_filter and record.status not in options.status_filter:
            raise SkipRecord(f"Status '{record.status}' is not processed", setting="status_filter")


def _at(order: dict[str, Any]) -> int:
    return int(order["at"])


class DeskOrders(Resource):
    entity = "order"
    label = "Orders"
    refs = (Ref(key="id", label="Desk ID"), Ref(key="contact", label="Desk contact"), Ref(key="note", label="Note"))

    class TargetOptions(Settings):
        status_mapping = setting(
            ValueMap("order_status", Choice("order_status")),
            section=STATUSES,
            label="Statuses",
            required=True,
            scopes=("global", "store"),
        )

    def check(self, record: Order, options: Options) -> list[str]:
        mapped = options.status_mapping
        if mapped is not None and record.status not in mapped:
            return [f"order status '{record.status}' of store {record.store} is not mapped"]
        return []

    def write(self, record: Order, known: Known, options: Options) -> Written:
        with WORLD.guard:
            WORLD.working[record.number] += 1
            if WORLD.working[record.number] > 1:
                WORLD.overlaps.append(record.number)
        try:
            return self._write(record, known)
        finally:
            with WORLD.guard:
                WORLD.working[record.number] -= 1

    def _write(self, record: Order, known: Known) -> Written:
        existed = "id" in known.refs
        customer = str(record.customer.key)
        contact = known.link("contact", customer)
        if contact is None:
            with known.hold("contact", customer) as link:
                if link.id is None:
                    made = find_or_create(
                        doubt=link.doubt,
                        doubt_age=link.doubt_age,
                        lag=WORLD.lag,
                        what=f"contact {customer}",
                        find=lambda: self._found(WORLD.contacts, customer),
                        create=lambda: self._send(
                            "contact", record.number, lambda: WORLD.contacts.append(customer), customer
                        ),
                    )
                    link.learn(made)
                contact = link.id
        known.learn(contact=contact)
        if not existed:
            key = find_or_create(
                doubt=known.doubt,
                doubt_age=known.doubt_age,
                lag=WORLD.lag,
                what=f"order {record.number}",
                find=lambda: next((one["id"] for one in WORLD.created if one["number"] == record.number), None),
                create=lambda: self._create(record),
            )
            known.learn(id=key)
        else:
            key = known.refs["id"]
            self._send("update", record.number, lambda: self._change(record), key)
        if "note" not in known.refs:
            known.learn(note=self._send("note", record.number, lambda: None, f"note-{record.number}"))
        if remark := WORLD.remarks.get(record.number):
            known.note(remark)
            return Written(key=key, created=not existed, message=f"Order {key} written")
        return Written(key=key, created=not existed, message=f"Order {key} written.")

    def _found(self, held: list[str], name: str) -> str | None:
        return name if name in held else None

    def _create(self, record: Order) -> str:
        key = str(next(WORLD.ids))
        order = {"id": key, "number": record.number, "total": record.grand_total, "status": record.status}
        return self._send("order", record.number, lambda: WORLD.created.append(order), key)

    def _change(self, record: Order) -> None:
        next(one for one in WORLD.created if one["number"] == record.number).update(
            total=record.grand_total, status=record.status
        )

    def _send(self, step: str, number: str, change: Callable[[], None], answer: str) -> str:
        self.host.settle()  # as `Client.call` does
        with WORLD.guard:
            WORLD.calls["write"] += 1
        WORLD.trouble(f"{step} before", number)
        with WORLD.guard:
            change()
        WORLD.trouble(f"{step} after", number)
        return answer


class _Memory(Connector):
    class Settings(Settings):
        key = setting(Secret(), section=ACCOUNT, label="Key")

    def __init__(self, account: Account, host: Host) -> None:
        super().__init__(account, host)

    def check(self) -> list[Finding]:
        return [Finding(name="Host", ok=True, message="All right.")]

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        yield "order_status", [Entry(id="new", name="New"), Entry(id="paid", name="Paid")]


class Shop(_Memory):
    code = "memory_shop"
    label = "Shop in memory"
    resources = (ShopOrders,)
    catalogues = (Catalogue(kind="order_status", label="Order statuses"),)


class Desk(_Memory):
    code = "memory_desk"
    label = "Desk in memory"
    resources = (DeskOrders,)
    catalogues: ClassVar = (Catalogue(kind="order_status", label="Order statuses"),)


def install() -> None:
    """Make both systems known to this process, as if their package were installed."""
    for made in (Shop, Desk):
        plugins()[made.code] = Plugin(code=made.code, package="tests", version="0", connector=made)


def profile(database: Database, settings: dict[str, Any] | None = None, name: str = "Order export") -> int:
    """Two connections and a profile between them; returns the profile's id."""
    install()
    moment = now()
    with database.session() as session:
        ends = [
            models.Connection(
                name=f"{label} of {name}",
                connector=made.code,
                base_url="http://127.0.0.1:9",
                credentials=seal({"key": "k"}),
                created_at=moment,
                updated_at=moment,
            )
            for label, made in (("shop", Shop), ("desk", Desk))
        ]
        session.add_all(ends)
        session.flush()
        made = models.Profile(
            name=name,
            entity="order",
            direction="export",
            from_id=ends[0].id,
            to_id=ends[1].id,
            active=True,
            cron="*/15 * * * *",
            timezone="UTC",
            settings={"global": {"settle_seconds": 0, **(settings or {})}, "websites": {}, "stores": {}},
            created_at=moment,
            updated_at=moment,
        )
        session.add(made)
        session.flush()
        return int(made.id)


def rows(database: Database, profile_id: int) -> dict[str, models.SyncRecord]:
    with database.reading() as session:
        found = session.query(models.SyncRecord).filter_by(profile_id=profile_id).all()
        return {str(one.source_number): one for one in found}


def fresh() -> World:
    """A new, empty world; the resources look at the module's one."""
    WORLD.__init__()  # type: ignore[misc]
    return WORLD


__all__ = ["WORLD", "Choice", "InDoubt", "World", "fields", "fresh", "install", "profile", "rows"]
