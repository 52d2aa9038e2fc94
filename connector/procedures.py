"""Event procedures: something happened to an order at one system, so another one is told.

A system whose orders can be watched offers a `Watch`: the host polls it, compares what it reads with what it saw last
and finds the events; the system itself need not know the word. A system that has something to do then offers
`Procedures`. Which event leads to which procedure is set up by people (`profiles.events`), so neither knows the other:
both speak of the shared `Order`.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from connector.base import Known, Ref, Resource, Written
from connector.errors import RecordFailed
from connector.records import Document, Order, OrderKind, Payback
from connector.settings import Options, Settings

STATUS, INVOICE, CREATED, RETURN_CREATED, PAYMENT = "status", "invoice", "created", "return_created", "payment"


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that can happen to an order. `kind`: the catalogue that its value is one of; None: it has no value."""

    code: str
    label: str
    kind: str | None = None


EVENTS = (
    Event(code=STATUS, label="Order change: Status change", kind="order_status"),
    Event(code=INVOICE, label="Order change: Invoice generated"),
    Event(code=PAYMENT, label="Order change: Payment received"),
    Event(code=CREATED, label="Order generation: Order created"),
    Event(code=RETURN_CREATED, label="Order generation: Return created"),
)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A question about an order whose answers people choose from: a catalogue of the watched system (`kind`), or
    `choices` of (value, label). It lets an order pass that has one of the chosen values.

    `also`: extras of the catalogue's entries that people may write in place of the id, such as the ISO code of a country.
    """

    code: str
    label: str
    of: Callable[[Order], Collection[str]] = field(repr=False)
    kind: str | None = None
    choices: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()


ORDER_TYPES = (
    (str(OrderKind.SALE), "Order"),
    (str(OrderKind.DELIVERY), "Delivery order"),
    (str(OrderKind.RETURN), "Return"),
    (str(OrderKind.CREDIT), "Credit note"),
)
ORDER_TYPE = Filter(
    code="order_type",
    label="Order » Order type",
    of=lambda order: (str(order.fulfilment.kind),),
    choices=ORDER_TYPES,
)


@dataclass(frozen=True, kw_only=True)
class Template:
    """An event procedure as a vendor's guide proposes it: people take it over and change what does not suit them.

    `status` are ids of the watched system, as the guide names them; `filters` values by the code of the filter, or
    texts that the entry of its catalogue is found by (its name).
    """

    name: str
    event: str
    status: tuple[str, ...] = ()
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """An event that led to a procedure, with its order as it is now.

    `status` is the new status where the event is a change of it, `before` the old one, None where it is not known.
    """

    key: str
    event: str
    status: str | None = None
    before: str | None = None
    at: datetime
    order: Order
    procedure: str  # its code
    settings: Options = field(repr=False)
    name: str = ""  # as people called the event procedure

    @property
    def store(self) -> str | None:
        return self.order.store

    @property
    def website(self) -> str | None:
        return self.order.website

    @property
    def created_at(self) -> datetime:
        return self.at

    def substance(self) -> str:
        """An event is what it is; only a person has it performed again."""
        return hashlib.sha256(f"{self.key} {self.procedure}".encode()).hexdigest()


class Desk(Protocol):
    """What a procedure may ask of the system where the event happened."""

    def order(self, key: str) -> Order | None:
        """Another order of that system: the sale that a delivery belongs to. None when it is gone."""

    def content(self, order: Order, document: Document) -> bytes:
        """The file of a document, a PDF. Raises RetryLater, RecordFailed."""

    def book(self, order: Order, payback: Payback, known: Known) -> str:
        """Book money that went back elsewhere as an outgoing payment of the order, once; the payment's id."""


class Watch(Resource):
    """Orders of all kinds whose changes are events. `read`, `get`, `number`, `latest` and `parse` as for any source;
    `parse` yields an `Order`, with the statuses it passed (`Fulfilment.passed`) where the system keeps them.

    `history_lag`: so long after a change the system may not yet tell the status it passed, and so long `read` must show
    the order again: it is looked at until its history knows its status. After that its status as it is counts.
    """

    entity = "event"
    label = "Order events"
    settles = False
    events: ClassVar[tuple[Event, ...]] = EVENTS
    filters: ClassVar[tuple[Filter, ...]] = (ORDER_TYPE,)
    history_lag: ClassVar[timedelta] = timedelta(0)
    numbered: ClassVar[bool] = False  # the ids of its catalogues are numbers: what is none, is none of them

    def lacks(self) -> Sequence[str]:
        """What the system does not show just now, each as a sentence that says which events are lost by it and what to
        do. Makes no call; each run says it."""
        return ()

    def order(self, key: str) -> Order | None:
        found = self.get(key)
        return None if found is None or found.payload is None else self.parse(found.payload)

    def content(self, order: Order, document: Document) -> bytes:
        raise RecordFailed(
            f"{self.connector.label} cannot give the file of document {document.number or document.key}."
        )

    def book(self, order: Order, payback: Payback, known: Known) -> str:
        raise RecordFailed(f"{self.connector.label} cannot book the payment of {payback.amount} {payback.currency}.")


class Procedure(ABC):
    """One thing that a system can do when something happened to an order elsewhere."""

    code: ClassVar[str]
    label: ClassVar[str]
    help: ClassVar[str] = ""
    Options: ClassVar[type[Settings]] = Settings  # asked for where people set it up
    order_types: ClassVar[tuple[OrderKind, ...]] = (OrderKind.SALE,)  # it can be used with
    template: ClassVar[Template]

    def __init__(self, resource: Procedures) -> None:
        self.resource = resource
        self.connector = resource.connector
        self.client = resource.client
        self.host = resource.host

    @property
    def desk(self) -> Desk:
        return self.resource.desk

    @abstractmethod
    def perform(self, occurrence: Occurrence, known: Known) -> Written:
        """Do it, exactly once, whatever happened before. `known.linked("order", key)` says what the order is at this
        system. Raises RetryLater with `aside` where something is still missing that will come (a package number),
        SkipRecord where there is nothing to do (an order of another channel), RecordFailed where a person must act, and
        what `Resource.write` raises."""


class Procedures(Resource):
    """What a system offers to do: a target whose records are occurrences."""

    entity = "event"
    label = "Event procedures"
    key_ref = "id"
    refs: ClassVar[tuple[Ref, ...]] = ()
    procedures: ClassVar[tuple[type[Procedure], ...]] = ()
    filters: ClassVar[tuple[Filter, ...]] = ()  # beside those of the watched system
    desk: Desk  # given by the host for each run

    def write(self, record: Occurrence, known: Known, options: Options) -> Written:
        made = next((one for one in self.procedures if one.code == record.procedure), None)
        if made is None:
            raise RecordFailed(f"{self.connector.label} has no procedure '{record.procedure}' (any more).")
        return made(self).perform(record, known)


__all__ = [
    "CREATED",
    "EVENTS",
    "INVOICE",
    "ORDER_TYPE",
    "ORDER_TYPES",
    "PAYMENT",
    "RETURN_CREATED",
    "STATUS",
    "Desk",
    "Event",
    "Filter",
    "Occurrence",
    "Procedure",
    "Procedures",
    "Template",
    "Watch",
]
