"""One event on its way to refurbed: its order there as it is now, the items that it is about, what became of each.

What was done before is seen in the states of the items, which are read anew for each attempt: whoever repeats an event,
by hand or after a lost answer, only does what is still missing.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector import ConnectorError, InDoubt, Known, Payload, RecordFailed, RetryLater, SkipRecord, StopRun, Written
from connector.procedures import Occurrence, Procedure
from connector.records import Identifier, IdentifierKind, LineKind, Order, OrderKind, OrderLine
from connector.refurbed.client import Outcome, RefurbedClient
from connector.refurbed.reading import Fields, paid_and_refunded

NEW, ACCEPTED, SHIPPED, RETURNED, CANCELLED, REJECTED = (
    *("NEW", "ACCEPTED", "SHIPPED", "RETURNED", "CANCELLED", "REJECTED"),
)
COSTS = (LineKind.SHIPPING, LineKind.SURCHARGE)
STATES, VALUES = "BatchUpdateOrderItemsState", "BatchUpdateOrderItems"
IDENTIFIERS = {IdentifierKind.IMEI: "IMEI", IdentifierKind.SERIAL: "SERIAL_NUMBER"}
NAMED = 5  # so many items are named in one sentence
WAIT = 300.0  # seconds; a change of the order ends the wait at once


@dataclass(frozen=True, kw_only=True)
class Item:
    """One unit of the order, as refurbed shows it."""

    data: Mapping[str, Any] = field(repr=False)

    @property
    def id(self) -> str:
        return str(self.data["id"])

    @property
    def state(self) -> str:
        return str(self.data.get("state") or "")

    @property
    def label(self) -> str:
        return f"'{self.data.get('name') or self.data.get('sku') or '?'}' ({self.id})"

    @property
    def tracking_url(self) -> str:
        return str(self.data.get("parcel_tracking_url") or "")

    @property
    def identifiers(self) -> frozenset[tuple[str, str]]:
        rows = self.data.get("item_identifiers") or ()
        return frozenset((str(one.get("identifier_type")), str(one.get("value"))) for one in rows)

    @property
    def paid(self) -> Decimal:
        return self._money[0]

    @property
    def refunded(self) -> Decimal:
        return self._money[1]

    @property
    def _money(self) -> tuple[Decimal, Decimal]:
        return paid_and_refunded(Fields(f"refurbed's item {self.id}", self.data))


@dataclass(frozen=True, kw_only=True)
class Position:
    """What an order says of one item: the lines that stand for it."""

    item: Item
    lines: tuple[OrderLine, ...]

    @property
    def quantity(self) -> Decimal:
        return sum((line.quantity for line in self.lines), Decimal(0))

    @property
    def total(self) -> Decimal:
        return sum((line.total for line in self.lines), Decimal(0))

    @property
    def identifiers(self) -> tuple[Identifier, ...]:
        return tuple(dict.fromkeys(one for line in self.lines for one in line.identifiers))

    @property
    def several(self) -> bool:
        """Whether it is more than the one unit that an item of refurbed is."""
        kinds = [one.kind for one in self.identifiers]
        return self.quantity > 1 or len(kinds) > len(set(kinds))


@dataclass(kw_only=True)
class Work:
    """An occurrence, and refurbed's order as last read. `done`, `waits`, `trouble` are sentences for people."""

    occurrence: Occurrence
    known: Known
    client: RefurbedClient
    key: str  # of refurbed's order
    data: Payload = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)  # for something that no run can hurry
    trouble: list[str] = field(default_factory=list)
    again: list[RetryLater] = field(default_factory=list)  # what refurbed could not do just now
    noted: set[str] = field(default_factory=set)

    @property
    def order(self) -> Order:
        return self.occurrence.order

    @property
    def kind(self) -> OrderKind:
        return self.order.fulfilment.kind

    @property
    def name(self) -> str:
        return name(self.order)

    @property
    def dry(self) -> bool:
        return self.client.dry is not None

    def ref(self, key: str) -> str | None:
        return self.known.refs.get(key) or None

    def ask(self, service: str, method: str, body: Any, *, write: bool = False) -> Payload:
        return self.client.ask(service, method, body, write=write, reference=self.order.number)

    def read(self) -> None:
        """refurbed's order with its items as they are now. Raises RetryLater for what is not that order."""
        data = self.ask("OrderService", "GetOrder", {"id": self.key}).get("order")
        items = data.get("items") if isinstance(data, dict) and str(data.get("id")) == self.key else None
        whole = isinstance(items, list) and all(isinstance(one, dict) and one.get("id") for one in items)
        if not isinstance(data, dict) or not items or not whole:
            raise RetryLater(f"{self.name}: refurbed answered oddly when asked for its order {self.key}")
        self.data = data
        self.items = {str(one["id"]): Item(data=one) for one in items}

    def note(self, message: str) -> None:
        """Each warning once."""
        if message not in self.noted:
            self.noted.add(message)
            self.known.note(message)

    def goods(self) -> list[OrderLine]:
        return [line for line in self.order.lines if line.kind not in COSTS and line.quantity > 0]

    def positions(self) -> list[Position]:
        """The items that the order is about. Raises RecordFailed when it names none, or one that is not of it."""
        lines: dict[str, list[OrderLine]] = {}
        for line in self.goods():
            if line.external is not None:
                lines.setdefault(line.external, []).append(line)
        if not lines:
            raise RecordFailed(
                f"{self.name}: none of its lines holds the id of an item of refurbed order {self.key}, so nobody can say "
                "which items are meant. Nothing was sent."
            )
        if foreign := sorted(set(lines) - set(self.items)):
            raise RecordFailed(
                f"{self.name}: refurbed order {self.key} has no item {', '.join(foreign)}. Nothing was sent; correct the id "
                "at the line."
            )
        return [Position(item=self.items[id], lines=tuple(own)) for id, own in lines.items()]

    def single(self, positions: Iterable[Position]) -> None:
        """Raise RecordFailed naming the lines that stand for more than one unit each."""
        if several := [one.item for one in positions if one.several]:
            raise RecordFailed(
                f"{self.name}: {listed(several)} stands for several units or holds several serial numbers on one line, but "
                "an item of refurbed is one unit. Create two separate delivery orders for them, each with its own serial "
                "number. Nothing was sent."
            )

    def update(self, updates: Sequence[Payload], method: str, reached: Callable[[Item], bool]) -> list[Item]:
        """Change items in batches; those that are as wanted now, also where another one was faster. What could not be
        done stands in `again` and `trouble`, each item by its name."""
        if not updates:
            return []
        outcomes = self.client.batch(method, updates, self.order.number)
        refused = [one for one in outcomes if isinstance(one.error, RecordFailed)]
        if refused and not self.dry:
            self.read()
        made = [self.items[one.id] for one in outcomes if one.error is None]
        for one in outcomes:
            if one in refused and reached(self.items[one.id]):
                made.append(self.items[one.id])
            elif one.error is not None:
                self._failed(one)
        return made

    def _failed(self, one: Outcome) -> None:
        error: ConnectorError | None = one.error
        label = self.items[one.id].label
        if isinstance(error, StopRun):
            raise error
        if isinstance(error, RetryLater):
            said = f"{label} could not be changed: {error}"
            self.again.append(type(error)(said, after=error.after))
        else:
            self.trouble.append(f"refurbed refused {label}: {getattr(error, 'said', '') or error}")

    def written(self) -> Written:
        """The end of it. What is to be tried again goes before what needs a person, so that nothing is left undone.
        Raises RetryLater, RecordFailed."""
        told = "; ".join([*self.done, *self.trouble, *self.waits, *map(str, self.again)])
        said = f"{self.name}: {told}"
        if self.again:
            after = max((one.after for one in self.again if one.after is not None), default=None)
            kind = InDoubt if any(isinstance(one, InDoubt) for one in self.again) else RetryLater
            raise kind(said, after=after)
        if self.waits:
            raise RetryLater(said, after=WAIT, aside=True)
        if self.trouble:
            raise RecordFailed(f"{said}.")
        return Written(key=self.key, created=True, message=f"{said}.")


class Act(Procedure):
    """What the six procedures share: finding the order, and doing nothing for one that is not of this account."""

    def perform(self, occurrence: Occurrence, known: Known) -> Written:
        order = occurrence.order
        if order.fulfilment.kind not in self.order_types:
            raise SkipRecord(f"{name(order)} is none of the order types that '{self.label}' is for.")
        work = Work(occurrence=occurrence, known=known, client=self._client(), key=self._market_key(order, known))
        known.learn(id=work.key)
        self.ready(work)
        work.read()
        self.act(work)
        return work.written()

    def _client(self) -> RefurbedClient:
        assert isinstance(self.client, RefurbedClient)
        return self.client

    def _market_key(self, order: Order, known: Known) -> str:
        """The key of refurbed's order. Raises SkipRecord for an order that no order import of this account brought."""
        own = order.key if order.fulfilment.kind is OrderKind.SALE else None
        for key in dict.fromkeys((own, order.fulfilment.origin, order.fulfilment.parent)):
            found = known.linked("order", key) if key else None
            if found is not None and found.ours:
                return found.key
        raise SkipRecord(f"{name(order)} did not come from this account ({self.connector.account.name}).")

    def ready(self, work: Work) -> None:
        """What can be said without a call. Raises RetryLater, RecordFailed, SkipRecord."""

    @abstractmethod
    def act(self, work: Work) -> None:
        """Do what is still missing. Sentences about it go into `work`."""


def name(order: Order) -> str:
    """A record as people call it."""
    if order.fulfilment.kind is OrderKind.DELIVERY:
        return f"Delivery order {order.key}"
    if order.fulfilment.kind is OrderKind.RETURN:
        return f"Return {order.key}"
    if order.fulfilment.kind is OrderKind.CREDIT:
        return f"Credit note {order.key}"
    return f"Order {order.number}"


def listed(items: Iterable[Item]) -> str:
    """Items by their names, the first few of many."""
    labels = [one.label for one in items]
    more = len(labels) - NAMED
    return ", ".join(labels[:NAMED]) + (f" +{more}" if more > 0 else "")
