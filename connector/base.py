"""The contract: what a system declares, and what the host gives it.

A **Connector** is one system; an instance of it is one *account* (a Connection) at work. Its **Resources** are its
entities: a source offers `read`, `get`, `number` and `parse`, a target offers `check`, `prepare` and `write`.
The host supplies everything else: forms, tabs, listings, retries, claims, logs, budgets.
"""

from __future__ import annotations

import threading
import time
from abc import ABC
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Protocol, TypeVar

from connector.client import Client, LoggedCall
from connector.errors import ConnectorError, RetryLater
from connector.settings import Options, Settings

Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Account:
    """One connection's facts: which system, where, and the decrypted settings of its account."""

    name: str
    base_url: str
    settings: Options
    allow_private: bool = False
    secrets: tuple[str, ...] = ()  # the values of its secret settings: hidden in what the system answers

    def __repr__(self) -> str:  # settings hold secrets
        return f"Account({self.name!r}, {self.base_url!r})"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of a collected catalogue: an order status, a warehouse, a store view. `id` is the system's own."""

    id: str
    name: str
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """Declares a catalogue: `kind` is what `Choice` and `ValueMap` refer to, `label` what people read (plural).

    `learned`: the system has no list; entries come from what was seen in records, and by hand. An entry that is taught
    before any record had it carries `seen: False` in its extras: pages do not ask for its mapping.
    """

    kind: str
    label: str
    learned: bool = False


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of a connection test: what was tried, whether it worked, and if not, what to do."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How many calls a vendor still allows, as last heard. `resets_at` in the past: a new window has begun since."""

    label: str  # what is counted: "Reads", "Writes"
    limit: int  # calls of one whole window
    left: int
    resets_at: datetime
    reserve: int = 0  # of them are kept for people


class Missing(str):
    """A sentence of `Resource.check` that also knows which setting has to be completed: pages lead there."""

    setting: str

    def __new__(cls, sentence: str, setting: str) -> Missing:
        made = super().__new__(cls, sentence)
        made.setting = setting
        return made


@dataclass(frozen=True, kw_only=True)
class Ref:
    """An id that a target learns while it writes; its label heads a column of the synchronisation tab.

    `sought`: people look for it first (a tracking number), so it stands at the top of a record's page as well.
    """

    key: str
    label: str
    sought: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """One source record as the source returned it. `error`: it could not even be read; a sentence naming it. `passing`:
    that may end by itself; the next runs ask for the record by its key."""

    key: str
    number: str | None
    version: str  # changes when the record changes
    updated_at: datetime | None
    payload: Payload | None
    error: str | None = None
    passing: bool = False
    kept: bytes | None = field(default=None, repr=False, compare=False)  # the payload by `client.kept`, if made already


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some records, oldest change first. `total` is the source's own estimate of all records of the window.

    `mark` is how far the source was read when this page and all before it are stored; opaque to the host.
    """

    records: Sequence[Found]
    total: int | None = None
    mark: str | None = None


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a write came to. `created` False means that it existed and was changed."""

    key: str
    created: bool
    message: str
    total: Decimal | None = None  # as the target computes it, in the record's currency


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a value of a call comes from: a path of the record ("billing.city"), a setting, or a fixed choice in words.

    `row` is the row of a mapping that was used ("checkmo"), `column` the cell of it where it has several. Several may be
    given: a setting applied to a path. What was made of a value before it is sent stands in `said`.
    """

    path: str | None = None
    setting: str | None = None
    row: str | None = None
    column: str | None = None
    said: str | None = None


class SharedState(Protocol):
    """Small facts that all threads and processes of a connection share: tokens, budgets, learned traits."""

    def read(self, key: str) -> dict[str, Any] | None: ...

    def change(
        self, key: str, change: Callable[[dict[str, Any] | None], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        """Atomically replace the fact by what `change` returns (None deletes it) and return that. Stored encrypted.

        `change` may be called more than once and must have no other effect.
        """

    def lock(self, key: str, seconds: float) -> AbstractContextManager[bool]:
        """Hold `key` for at most `seconds` across processes; waits while another holds it. Yields True when the
        holder before ended or nobody held it."""


class Link(Protocol):
    """A remote id that several records share, for example the contact of a customer, while it is held by one writer."""

    id: str | None
    digest: str | None  # of what was last written there
    doubt: bool  # an earlier writer may have created it
    doubt_age: float  # seconds since that was noticed

    def learn(self, id: str, digest: str | None = None) -> None:
        """Keep the id: committed before the next call begins."""


@dataclass(frozen=True, kw_only=True)
class Counterpart:
    """The same record at the other side, as some profile of this entity knows it.

    `ours` False: it belongs to another connection than this profile's; `connection` and `profile` name where.
    """

    key: str  # of the record at this profile's target
    number: str | None
    refs: Mapping[str, str]  # what that profile learned when it wrote
    reverse: bool  # known from a profile of the opposite direction: it was brought from there to here
    ours: bool
    connection: str
    profile: str


class Known(ABC):
    """What is known of one record on the target's side, during one attempt to write it."""

    refs: Mapping[str, str]
    doubt: bool  # an earlier attempt ended in doubt: find before create, for exactly the refs that are missing
    doubt_age: float  # seconds since that was noticed
    attempt: int  # 1 for the first
    finished: bool  # an earlier attempt wrote all of the record: what differs since is a change, no missing part
    age: float = 0.0  # seconds since the record was read for the first time

    def taken(self, key: str) -> bool:
        """Whether this record of the target belongs to another source record. For candidates that a look-up found;
        one read, no call."""
        raise NotImplementedError

    def counterpart(self, key: str) -> Counterpart | None:
        """What the source's record `key` is at the target: brought from there by a profile of the opposite direction
        between the same connections (its `refs` say what that one did), or written there by one of this direction. No
        call to a system.

        Other connections are looked at last (`ours` False): a record that came from another shop is nobody's here.
        """
        return None

    def linked(self, entity: str, key: str) -> Counterpart | None:
        """As `counterpart`, of the record `key` of another entity: which order at the target a return belongs to, or
        which order of a market an event is about. No call to a system."""
        return None

    def declined(self, entity: str, key: str) -> str | None:
        """Why the record `key` of another entity is not written to the target: each profile that could do it skipped it,
        and this is what the last one said. None: it was not skipped, or is not known. No call to a system."""
        return None

    def earlier_due(self) -> str | None:
        """The key of a record with the same number that was read before this one and is not through yet: it waits, is
        being written by another worker, or is to be tried again. For targets where what belongs together has to come in
        the order in which it arose. One read, no call."""
        return None

    def learn(self, **refs: str | None) -> None:
        """Keep ids: committed before the next call begins (`Client.call`), at the latest with the outcome, so that
        nothing is sent that builds on an id which a killed worker would lose."""
        raise NotImplementedError

    def learn_of(self, key: str, **refs: str) -> None:
        """Keep refs at the record of this profile that is `key` at the target, where there is one: a credit note knows
        what became of its sale."""

    def link(self, kind: str, key: str) -> str | None:
        """The shared remote id, if known. One read, no claim."""
        raise NotImplementedError

    def hold(self, kind: str, key: str) -> AbstractContextManager[Link]:
        """Hold a shared id so that no other thread or process creates it at the same time."""
        raise NotImplementedError

    def note(self, message: str) -> None:
        """Add a sentence to the record's history and message: a warning, a choice that was made."""
        raise NotImplementedError


ResultT = TypeVar("ResultT")


def find_or_create(
    *,
    doubt: bool,
    doubt_age: float,
    lag: float,
    what: str,
    find: Callable[[], ResultT | None],
    create: Callable[[], ResultT],
) -> ResultT:
    """Exactly once: after doubt look first, and believe "not there" only when the system's index had `lag` seconds.

    A clean first attempt pays no extra call. Raises RetryLater while a negative answer is too young to be trusted.
    """
    if doubt:
        found = find()
        if found is not None:
            return found
        if doubt_age < lag:
            raise RetryLater(
                f"{what} may have been created by an earlier attempt; it is looked up again before it is sent again",
                after=lag - doubt_age + 0.5,
                counts=False,
            )
    return create()


class Host(ABC):
    """What the host lends to a connector at work."""

    state: SharedState
    stop: threading.Event

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait, but wake when the run is being stopped."""
        self.stop.wait(seconds)

    def monotonic(self) -> float:
        return time.monotonic()

    def may_write(self) -> None:
        """Asked right before each change is sent. Raises StopRun when this run may have lost its place to another one:
        its process slept longer than it may. Costs nothing as long as the run is in time."""

    def settle(self) -> None:
        """Called before each call, also before the waits for its turn: all that this thread learned is committed then."""

    def catalogue(self, kind: str) -> Sequence[Entry]:
        """What was collected (or learned) of this kind for this connection; empty when never collected."""
        raise NotImplementedError

    def learn(self, kind: str, entries: Iterable[Entry]) -> None:
        """Add values seen in records to a learned catalogue. Cheap when nothing is new."""
        raise NotImplementedError

    def channels(self) -> Collection[str]:
        """Markets whose orders some profile brings to this connection, by the name that people use (`Order.channel`)."""
        return ()

    def reads(self) -> Collection[str]:
        """Entities that some profile reads from this connection: "order", "event"."""
        return ()

    def procedures(self) -> Collection[str]:
        """Codes of the procedures of this connection that an active event procedure leads to."""
        return ()

    def log(self, call: LoggedCall) -> None:
        """Write one remote call to the data log."""
        raise NotImplementedError


class Resource(ABC):
    """One entity at one system. Override the verbs that it offers; `reads` and `writes` follow from that."""

    entity: ClassVar[str]  # "order", "return": the word of the profile
    label: ClassVar[str]
    SourceOptions: ClassVar[type[Settings]] = Settings
    TargetOptions: ClassVar[type[Settings]] = Settings
    refs: ClassVar[tuple[Ref, ...]] = ()  # learned ids, in the order of the tab's columns
    key_ref: ClassVar[str] = "id"  # which ref is the target's id of the record itself
    cron: ClassVar[str] = "*/15 * * * *"  # as a source: how often its profiles run where people choose nothing else
    settles: ClassVar[bool] = True  # as a source: new records may still be in the making and wait a while
    takes_back: ClassVar[bool] = False  # as a target: what was brought from it to the source is written to it as well
    asked: frozenset[str] = frozenset()  # as a source: what the target `asks` for

    def __init__(self, connector: Connector) -> None:
        self.connector = connector
        self.client = connector.client
        self.host = connector.host

    # as a source

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        """All records changed since the mark (with an overlap of the source's choosing), oldest change first.

        `since` None reads everything (from `options.initial_from` on). A record that cannot be read is a Found with an
        error; nothing is left out silently. Raises RetryLater, StopRun, AccessDenied.
        """
        raise NotImplementedError

    def get(self, key: str) -> Found | None:
        """One record by its key; None when it is gone."""
        raise NotImplementedError

    def number(self, number: str) -> Found | None:
        """One record by the number that people use."""
        raise NotImplementedError

    def family(self, found: Found) -> Sequence[Found]:
        """The records that go by the same number and belong to this one: deliveries and credit notes of a sale."""
        return ()

    def acknowledge(self, record: Any, written: Written, known: Known, options: Options) -> str | None:
        """Tell the source that the target has the record now, where it wants to know; a sentence about it for the
        record's message. Called after each write, perhaps again for the same record: it must do nothing twice."""
        return None

    def awaits(self, record: Any) -> bool:
        """As a source: whether it still has to be told (`acknowledge`) that the target has this record. Such a record is
        written once more though nothing changed; let its `Found.version` tell both states apart."""
        return False

    def latest(self, count: int) -> Sequence[Found]:
        """The newest records, whatever became of them: what a person tries a dry run with."""
        raise NotImplementedError

    def parse(self, payload: Payload) -> Any:
        """The shared record. Pure but for the collected catalogues. Raises RecordFailed naming field and value."""
        raise NotImplementedError

    def admits(self, record: Any, options: Options) -> None:
        """Raise SkipRecord when a setting of the source's side says no (a status filter, a replaced order).

        With `only_new` what was written before is still kept up to date; `check` is not asked then.
        """

    # as a target

    def asks(self, options: Options) -> frozenset[str]:
        """What it needs of each record besides the record itself, by the settings: "shipments", "refunds",
        "documents". A source that has them reads them along; asked once per run, for the settings of every scope that
        has some of its own."""
        return frozenset()

    def unsettled(
        self, options: Options, last: datetime | None, ours: Callable[[Sequence[str]], Mapping[str, Mapping[str, str]]]
    ) -> Iterator[tuple[str, str]] | None:
        """Keys of the target's own records that should have come further by now, each with a sentence that says why:
        their source's records are read and written anew. None: not now (a setting, or `last` time is not long ago).
        `ours` tells which of some keys have such a record at all, each with the refs that this profile keeps of it."""
        return None

    def check(self, record: Any, options: Options) -> list[str]:
        """Every required mapping that this record needs and the settings lack, each as a sentence, best as `Missing`.

        Called for all due records before the first remote write of a run. Makes no call for a single record.
        """
        return []

    def prepare(self, records: Sequence[Any], options: Callable[[Any], Options]) -> None:
        """Look up in bulk what the writes of these records will need (article ids ...), so that they need no reads."""

    def write(self, record: Any, known: Known, options: Options) -> Written:
        """Bring the record to the target, exactly once, whatever happened before.

        Each id is given to `known.learn` as soon as it is known; what is missing after doubt is found before it is
        created (`find_or_create`). Raises RetryLater, InDoubt, RecordFailed, SkipRecord, StopRun, AccessDenied.
        """
        raise NotImplementedError

    def origins(self, method: str, path: str, body: Any, record: Any, options: Options) -> Mapping[str, Origin]:
        """For dry runs: where the values of a planned call come from, by their paths ("orderItems.0.quantity")."""
        return {}

    @classmethod
    def page(cls, account: Account, key: str) -> str | None:
        """Where people see this record in the system's own back end; None: unknown. Built from the account's address and
        settings (its secrets may be absent); makes no call."""
        return None

    def pretend(self, method: str, path: str, body: Any) -> Any:
        """What the system would answer to a change: dry runs send nothing and go on with this."""
        return {}

    @classmethod
    def offers(cls, verb: str) -> bool:
        return getattr(cls, verb) is not getattr(Resource, verb)


class Connector(ABC):
    """One system. The class is the declaration, an instance is one account at work."""

    code: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str] = ""  # a sentence for who chooses a system
    address_example: ClassVar[str] = "https://"
    address_help: ClassVar[str] = ""  # which address is meant, and where to find it
    Settings: ClassVar[type[Settings]] = Settings  # of one account: credentials and what belongs to them
    resources: ClassVar[tuple[type[Resource], ...]] = ()
    catalogues: ClassVar[tuple[Catalogue, ...]] = ()
    channel: ClassVar[str | None] = None  # of a market: `Order.channel` of its orders
    # an account is deleted only while it is inactive and no record came from it
    deleted_inactive: ClassVar[bool] = False

    def __init__(self, account: Account, host: Host) -> None:
        self.account = account
        self.host = host
        self.client = self.make_client()

    def make_client(self) -> Client:
        """The HTTP session of this account; a connector adds its authorization and its reading of errors."""
        return Client(self.account, self.host)

    def check(self) -> list[Finding]:
        """The connection test, in words: host, login, each right. Raises nothing."""
        raise NotImplementedError

    def duties(self) -> list[Finding]:
        """The settings that must be made before it works, for people, each with whether it is. Makes no call."""
        return []

    def collect(self) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """Fetch each catalogue: (kind, entries), or (kind, why) for one that cannot be read while others can."""
        return iter(())

    @classmethod
    def budget(cls, state: SharedState, account: Options) -> list[Budget]:
        """What is known of the vendor's rate now, read from shared facts without a call; empty where it has none."""
        return []

    def resource(self, entity: str) -> Resource:
        for one in self.resources:
            if one.entity == entity:
                return one(self)
        raise LookupError(f"{self.label} has no {entity!r}")

    def close(self) -> None:
        self.client.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.account!r})"


def leaves(body: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a JSON body with their paths: ("orderItems.0.quantity", 2)."""
    if isinstance(body, Mapping) and body:
        for key, value in body.items():
            yield from leaves(value, f"{at}.{key}" if at else str(key))
    elif isinstance(body, list | tuple) and body:
        for position, value in enumerate(body):
            yield from leaves(value, f"{at}.{position}" if at else str(position))
    else:
        yield at, body


__all__ = [
    "Account",
    "Budget",
    "Catalogue",
    "Connector",
    "Counterpart",
    "Entry",
    "Finding",
    "Found",
    "Host",
    "Known",
    "Link",
    "Missing",
    "Origin",
    "Page",
    "Payload",
    "Ref",
    "Resource",
    "SharedState",
    "Written",
    "find_or_create",
    "leaves",
]
