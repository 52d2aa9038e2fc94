"""Event procedures: what happened to orders of a watched system is found, and leads to what people set up for it.

A system does not tell its events, so they are found by comparing what is read with what was seen last (`Seen`). What
was seen and the executions that follow from the difference are stored by one commit: an event is found once, also by a
process that is killed in the middle, and after a pause of days nothing is missing but statuses that the system itself
did not keep. Where it tells none, each run says so (`Watch.lacks`); where its history lags behind its orders, a changed
order is looked at again until both say the same (`Watch.history_lag`). An execution is a sync record of its own, keyed
"order/event/procedure": it is claimed, tried again, put back and told on the order's page like any other record.

Executions of one order are made in the order of its events, in one thread.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, cast

from sqlalchemy import Table, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from connector import Found, Options, RecordFailed, RetryLater, SkipRecord, StopRun
from connector.procedures import (
    CREATED,
    EVENTS,
    INVOICE,
    PAYMENT,
    RETURN_CREATED,
    STATUS,
    Event,
    Filter,
    Occurrence,
    Procedure,
    Procedures,
    Watch,
)
from connector.records import DocumentKind, Order, OrderKind
from connector.settings import Settings, defaults, ident, load
from profiles import models, wiring
from profiles.db import Database, DatabaseTrouble, now
from profiles.fitting import fit_key
from profiles.ledger import Facts, Lost, fitted, history, records
from profiles.models import LONGEST_KEY, SyncStatus
from profiles.sync import CACHED_RECORDS, Queue, Run

ENTITY = "event"
ORDERS = "order"  # the entity whose import makes the orders that are watched
KIND = "procedure"  # what its sync records are, in the words of `SyncRecord.kind`
HELD_SECONDS = 15.0  # an execution waits so long for an earlier one of its order that is to be tried again
BROUGHT_SECONDS = 60.0  # ... and so long for the import of its order to know what it made
FACTS = "event"  # the ref that keeps what happened: the payload of a record is dropped when it is done

# what was seen of an order is forgotten so long after it changed the last time (`scheduler.housekeeping`); no variable of
# the environment: whoever prolonged it would let what was forgotten happen again
REMEMBERED = timedelta(days=730)
AGAIN = "again "  # before the version of what is looked at again as soon as it is shown
log = logging.getLogger(__name__)

watched = cast(Table, models.Watched.__table__)


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One event of one order."""

    event: str
    at: datetime
    status: str | None = None
    before: str | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What an order looked like when it was last read. `marks` tell changes of the same second apart."""

    status: str | None
    at: datetime
    marks: tuple[str, ...] = ()
    invoices: tuple[str, ...] = ()
    paid: Decimal = Decimal(0)

    def stored(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "at": self.at.isoformat(),
            "marks": list(self.marks),
            "invoices": list(self.invoices),
            "paid": str(self.paid),
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Seen:
        return cls(
            status=stored["status"],
            at=datetime.fromisoformat(stored["at"]),
            marks=tuple(stored["marks"]),
            invoices=tuple(stored["invoices"]),
            paid=Decimal(stored["paid"]),
        )


class TooEarly(Exception):
    """The history does not tell yet how the order came to its status: it is looked at again."""


def compare(
    order: Order, seen: Seen | None, *, since: datetime, first: bool, settled: bool = True
) -> tuple[list[Happening], Seen]:
    """What happened to an order since it was seen, oldest first, and how it is seen from now on.

    `since`: when the profile was set up, by the clock of the watched system; what an order was before that is nobody's
    event. `first`: this is the profile's first look, so an older order that it does not know yet has nothing to tell
    but what its system dates itself. Later a look at an older order means that somebody changed it: then its status
    counts as new, which at worst has a procedure find that everything is done. Not `settled`: the history may lag behind
    the order. Raises TooEarly where the order has a status that its history does not tell yet.
    """
    fresh = seen is None and order.created_at >= since
    found: list[Happening] = []
    if fresh:
        created = RETURN_CREATED if order.fulfilment.kind is OrderKind.RETURN else CREATED
        found.append(Happening(event=created, at=order.created_at, status=order.status))
    start = seen or Seen(status=None, at=since)
    status, at, marks = start.status, start.at, list(start.marks)
    told = sorted(order.fulfilment.passed or (), key=lambda one: one.at)
    for one in told:
        plain = f"{one.status}@{one.at.isoformat()}"  # of an entry without a key
        if one.at < at or (one.at == at and not {one.key, plain}.isdisjoint(marks)):
            continue
        # seen at the order before its history told it
        same = one.status == status and (one.at == at or (seen is not None and not marks))
        if not same:
            found.append(Happening(event=STATUS, at=one.at, status=one.status, before=status))
        mark = one.key or plain
        marks = [mark] if one.at > at else [*marks, mark]
        status, at = one.status, one.at
    ahead = bool(told) and told[-1].at > order.updated_at  # it went on between the list and its history
    if order.status != status and not ahead:
        known = seen is not None or fresh or status is not None
        if known and not settled:
            raise TooEarly
        if known or not (first or told):
            found.append(Happening(event=STATUS, at=max(order.updated_at, at), status=order.status, before=status))
        status, at, marks = order.status, max(order.updated_at, at), []
    papers = {one.key: one for one in order.fulfilment.documents if one.kind is DocumentKind.INVOICE}
    for key, paper in papers.items():
        known = key in start.invoices if seen is not None else not fresh and (paper.created_at or since) <= since
        if not known:
            found.append(Happening(event=INVOICE, at=paper.created_at or order.updated_at))
    if order.paid > start.paid and (seen is not None or fresh):
        paid_at = order.payment.paid_at
        found.append(Happening(event=PAYMENT, at=paid_at if paid_at and paid_at >= at else order.updated_at))
    return sorted(found, key=lambda one: one.at), Seen(
        status=status, at=at, marks=tuple(marks), invoices=tuple(papers), paid=order.paid
    )


def within(status: str | None, wanted: Sequence[str]) -> bool:
    """Whether a status is one of these: "7", or "7-7.99" for a range. None wanted: any is."""
    if not wanted:
        return True
    if status is None:
        return False
    for one in wanted:
        low, dash, high = one.partition("-")
        if one == status:
            return True
        try:
            number = Decimal(status)
            if (Decimal(low) <= number <= Decimal(high)) if dash and low else Decimal(one) == number:
                return True
        except InvalidOperation:
            continue
    return False


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at an order: what happened since the one before (`before`: its row), and how it is seen from now on."""

    found: Found
    order: Order
    before: Any
    count: int  # of its events so far
    happened: Sequence[Happening]
    after: Seen
    version: str


class Rules:
    """The event procedures of one profile, and what its two systems declare for them."""

    def __init__(
        self,
        profile: models.Profile,
        rows: Sequence[models.EventProcedure],
        told: Declared,
        short: Mapping[str, Mapping[str, str]],
    ) -> None:
        self.profile = profile
        self.told = told
        self.short = short
        self.rows = {row.id: row for row in rows}
        self.active = [row for row in sorted(rows, key=lambda row: (row.position, row.id)) if row.active]

    def refused_by(self, row: models.EventProcedure, order: Order) -> str | None:
        """The label of the first filter that does not let this order pass. Raises StopRun."""
        for code, wanted in row.filters.items():
            one = self.told.filters.get(code)
            if one is None:
                raise StopRun(
                    f"Event procedure '{row.name}' asks for the filter '{code}', which no system has any more."
                )
            if wanted and not {str(value) for value in one.of(order)} & {self._id(row, one, str(id)) for id in wanted}:
                return one.label
        return None

    def _id(self, row: models.EventProcedure, one: Filter, value: str) -> str:
        """The id that a value stands for: a short name may have been written down before its list was collected."""
        found = self.short.get(one.code, {}).get(value.upper())
        if found is None and one.also and value.isalpha():
            raise StopRun(
                f"Event procedure '{row.name}' asks for '{value}' ({one.label}), which is not in the collected list. "
                "Correct it, or collect the lists again."
            )
        return found or value

    def follow(self, happening: Happening, order: Order) -> list[models.EventProcedure]:
        """The active event procedures that this event of this order leads to, in their order."""
        return [
            row
            for row in self.active
            if row.event == happening.event
            and (row.event != STATUS or within(happening.status, row.status))
            and self.refused_by(row, order) is None
        ]

    def settings(self, row: models.EventProcedure) -> Options:
        schema = self.told.procedures[row.procedure].Options if row.procedure in self.told.procedures else Settings
        return Options({**defaults(schema), **load(row.settings, schema)})


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a pair of systems offers for event procedures."""

    events: Mapping[str, Event]
    filters: Mapping[str, Filter]
    procedures: Mapping[str, type[Procedure]]
    numbered: bool = False  # as `Watch.numbered`


def declared(source_code: str, target_code: str) -> Declared:
    """Raises LookupError with a sentence when one of the systems has nothing to do with events."""
    told = wiring.declarations(source_code, target_code, ENTITY)
    source, target = told.source, told.target
    if not issubclass(source, Watch) or not issubclass(target, Procedures):
        raise LookupError(f"{source_code} and {target_code} have no event procedures with each other.")
    return Declared(
        events={one.code: one for one in source.events or EVENTS},
        filters={one.code: one for one in (*source.filters, *target.filters)},
        procedures={one.code: one for one in target.procedures},
        numbered=source.numbered,
    )


def rules(session: Session, profile: models.Profile) -> Rules:
    """Raises LookupError."""
    systems = [session.get_one(models.Connection, id).connector for id in (profile.from_id, profile.to_id)]
    row = models.EventProcedure
    rows = session.scalars(select(row).where(row.profile_id == profile.id).order_by(row.position, row.id)).all()
    told = declared(*systems)
    return Rules(
        profile, rows, told, {code: short_names(session, profile.from_id, one) for code, one in told.filters.items()}
    )


def short_names(session: Session, connection_id: int, one: Filter) -> dict[str, str]:
    """The ids of a filter's collected list, by what people may write in place of them, in capitals."""
    if not one.also:
        return {}
    entry = models.CatalogueEntry
    listed = select(entry.entry, entry.extra).where(entry.connection_id == connection_id, entry.kind == one.kind)
    found = session.execute(listed).all()
    return {str(extra[name]).upper(): ident(id) for id, extra in found for name in one.also if (extra or {}).get(name)}


@dataclass(frozen=True, kw_only=True)
class Match:
    """Whether an order as it is now would lead to a procedure. `reason`: why not."""

    order: Order
    matched: bool
    reason: str | None = None
    setting: str | None = None  # "event", or the code of the filter


def matching(database: Database, profile_id: int, row: models.EventProcedure, count: int = 50) -> list[Match]:
    """Which of the newest orders would match an event procedure, that may not be stored yet. Raises ConnectorError,
    LookupError."""
    with database.reading() as session:
        profile = session.get_one(models.Profile, profile_id)
        had = rules(session, profile)
    made: list[Match] = []
    with wiring.connected(database, profile.from_id) as connector:
        source = connector.resource(ENTITY)
        for found in source.latest(count):
            try:
                order = source.parse(found.payload or {})
            except RecordFailed:
                continue  # it fails by name in a run
            made.append(_match(had, row, order))
    return made


def _match(had: Rules, row: models.EventProcedure, order: Order) -> Match:
    label = had.told.events[row.event].label if row.event in had.told.events else row.event
    is_return = order.fulfilment.kind is OrderKind.RETURN
    happened = {
        STATUS: within(order.status, row.status)
        or any(within(one.status, row.status) for one in order.fulfilment.passed or ()),
        INVOICE: any(one.kind is DocumentKind.INVOICE for one in order.fulfilment.documents),
        PAYMENT: order.paid > 0,
        CREATED: not is_return,
        RETURN_CREATED: is_return,
    }
    if not happened.get(row.event, False):
        return Match(order=order, matched=False, reason=label, setting=STATUS if row.event == STATUS else "event")
    refused = had.refused_by(row, order)
    return Match(order=order, matched=refused is None, reason=refused, setting=None if refused is None else "filters")


class EventRun(Run):
    """A run of a profile of events: orders are read, their events found, and what follows from them is done."""

    source: Watch
    target: Procedures

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        with self.database.reading() as session:
            self.rules = rules(session, self.profile)
        self.target.desk = self.source
        self._orders: OrderedDict[str, Order] = OrderedDict()  # with executions due, as this run read them

    # finding

    @property
    def _first(self) -> bool:
        return self.profile.read_at is None

    @property
    def _set_up(self) -> datetime:
        """When the profile was made, by the watched system's clock, which tells whole seconds."""
        offset = timedelta(seconds=self.source.client.clock_offset)
        return (self.profile.created_at + offset).replace(microsecond=0) - timedelta(seconds=1)

    @property
    def _forgotten_at(self) -> datetime | None:
        """An order that was made before this, and of which nothing is known, may have been forgotten: a day on the safe
        side, for the clocks. What it was before this is nobody's event any more."""
        return self.profile.read_at and self.profile.read_at - REMEMBERED + timedelta(days=1)

    def _compare(self, order: Order, seen: Seen | None, settled: bool = True) -> tuple[list[Happening], Seen]:
        """As `compare`. Raises TooEarly."""
        since, first, forgotten = self._set_up, self._first, self._forgotten_at
        if seen is None and forgotten is not None and order.created_at < forgotten:
            since, first = max(since, forgotten), True
        return compare(order, seen, since=since, first=first, settled=settled)

    def _settled(self, order: Order) -> bool:
        """Whether its history has had the time to tell all that happened to the order. A time in the future is no
        measure: then what it tells now is believed."""
        if order.fulfilment.passed is None or (not order.fulfilment.passed and order.updated_at == order.created_at):
            return True  # none is kept, or nothing happened to the order but that it was made
        age = now() + timedelta(seconds=self.source.client.clock_offset) - order.updated_at
        return abs(age) >= self.source.history_lag

    def summary(self) -> str:
        """What the watched system does not show is said by each run, whatever else there is to say."""
        return " ".join([super().summary(), *self.source.lacks()])

    def _inherit(self) -> None:
        """Nothing: what a deleted profile was doing were its own procedures."""

    def _store(self, page: Sequence[Found], missing: Any) -> None:
        page = [fitted(found) for found in page]
        with self.database.reading() as session:
            known = self._seen(session, [found.key for found in page])
            rows = self.ledger.known(session, [found.key for found in page])
        looks: list[Look] = []
        for found in page:
            before = known.get(found.key)
            if before is not None and before.version == found.version:
                continue
            order = self._read_order(found, rows.get(found.key))
            look = None if order is None else self._look(found, order, before)
            if look is not None:
                looks.append(look)
        if not looks:
            return
        for look in looks:
            self._identified(look.found, look.order)
        self.may_write()
        try:
            self._find(looks)
        except (DatabaseTrouble, Lost):
            raise
        except Exception as error:
            log.warning("profile %s: a page is stored one by one: %s", self.profile.name, type(error).__name__)
            for look in looks:
                self._find([look])

    def _seen(self, session: Session, keys: Sequence[str]) -> dict[str, Any]:
        mine = select(watched).where(watched.c.profile_id == self.profile.id, watched.c.source_id.in_(keys))
        return {row.source_id: row for row in session.execute(mine)}

    def _read_order(self, found: Found, row: Any) -> Order | None:
        """The order, or None: it cannot be read and stands in the list as failed until it can."""
        missing: Any = {}
        try:
            if found.error is not None or found.payload is None:
                raise RecordFailed(found.error or "it has no content")
            order = self.source.parse(found.payload)
        except Exception as error:
            if row is None or row.version != found.version:
                decision = self._decide(found, row, missing)  # says what is wrong with it
                if decision is not None and decision.status == SyncStatus.FAILED:
                    self._keep([(replace(found, payload=None), row, decision)])
                elif not isinstance(error, RecordFailed):
                    raise
            return None
        if row is not None and row.status == SyncStatus.FAILED:
            self._readable(row)
        return cast(Order, order)

    def _readable(self, row: Any) -> None:
        moment, said = now(), "It can be read again."
        with self.database.session() as session:
            values = {"status": SyncStatus.SKIPPED, "message": said, "cause": None, "updated_at": moment}
            session.execute(update(records).where(records.c.id == row.id).values(**values))
            session.execute(insert(history), [self.ledger._line(row, SyncStatus.SKIPPED, said, moment)])

    def _look(self, found: Found, order: Order, before: Any) -> Look | None:
        """What is new of an order; None where there is nothing to keep, or nothing to be said yet."""
        seen = Seen.of(before.seen) if before is not None else None
        settled = self._settled(order)
        try:
            happened, after = self._compare(order, seen, settled)
        except TooEarly:
            return None
        version = found.version if settled else fit_key(AGAIN + found.version, LONGEST_KEY)
        if before is not None and before.version == version and after == seen:
            return None
        forgotten = before is None and order.created_at < (self._forgotten_at or order.created_at)
        count = before.events if before is not None else self._numbered(found.key) if forgotten else 0
        return Look(
            found=found, order=order, before=before, count=count, happened=happened, after=after, version=version
        )

    def _numbered(self, key: str) -> int:
        """The last number that an event of an order got which was forgotten: its executions stay."""
        mine = (records.c.profile_id == self.profile.id, records.c.source_id.startswith(f"{key}/", autoescape=True))
        with self.database.reading() as session:
            return max(
                (int(id.split("/")[1]) for id in session.scalars(select(records.c.source_id).where(*mine))), default=0
            )

    def _find(self, looks: Sequence[Look]) -> None:
        """Keep what is seen and what follows from it, by one commit; nothing when another run was faster."""
        with self.database.session() as session:
            due = [look for look in looks if self._keep_look(session, look)]
        self._orders |= {look.found.key: look.order for look in due}
        while len(self._orders) > CACHED_RECORDS:
            self._orders.popitem(last=False)

    def _keep_look(self, session: Session, look: Look) -> bool:
        """Whether something follows from it."""
        before, found, moment = look.before, look.found, now()
        values = {"version": look.version, "seen": look.after.stored(), "updated_at": moment}
        values["events"] = look.count + len(look.happened)
        if before is None:
            session.execute(
                insert(watched).values(profile_id=self.profile.id, source_id=found.key, **values)
            )  # the unique key refuses a second one
        else:
            mine = (watched.c.id == before.id, watched.c.version == before.version, watched.c.events == before.events)
            changed = session.execute(update(watched).where(*mine).values(**values))
            if changed.rowcount != 1:  # type: ignore[attr-defined]
                raise Lost(f"order {found.key}")
        due = list(self._executions(look.happened, look.order, found, look.count))
        for row in due:
            new = session.execute(insert(records).values(**row).returning(*records.c[*_TOLD])).one()
            session.execute(insert(history), [self.ledger._line(new, SyncStatus.PENDING, row["message"], moment)])
        if found.number is not None:
            session.execute(
                update(records)
                .where(
                    records.c.profile_id == self.profile.id,
                    records.c.status == SyncStatus.PENDING,
                    records.c.transient.is_(True),
                    records.c.source_number == found.number,
                )
                .values(next_attempt_at=moment)
            )  # what waits for something of this order: perhaps that is what changed
        return bool(due)

    def _executions(
        self, happened: Sequence[Happening], order: Order, found: Found, count: int
    ) -> Iterator[dict[str, Any]]:
        """The sync records of what follows from these events."""
        moment = now()
        for at, one in enumerate(happened, count + 1):
            for row in self.rules.follow(one, order):
                facts = self._facts(order)
                yield {
                    "profile_id": self.profile.id,
                    "source_id": f"{found.key}/{at}/{row.id}",
                    "source_number": found.number,
                    "status": SyncStatus.PENDING,
                    "message": f"{self._told(one, order)} Event procedure '{row.name}' follows.",
                    "kind": KIND,
                    "store": facts.store,
                    "source_status": one.status or order.status,
                    "customer": facts.customer,
                    "amount": facts.amount,
                    "source_created_at": one.at,
                    "refs": {FACTS: _packed(one)},
                    "attempts": 0,
                    "tries": 0,
                    "transient": False,
                    "forced": False,
                    "created_at": moment,
                    "updated_at": moment,
                }

    def _facts(self, order: Order) -> Facts:
        return Facts(
            kind=KIND,
            store=order.store,
            customer=order.customer.key,
            amount=f"{order.grand_total:.2f} {order.currency}",
        )

    def _told(self, one: Happening, order: Order) -> str:
        """An event in words, for the history."""
        label = self.rules.told.events[one.event].label if one.event in self.rules.told.events else one.event
        if one.event != STATUS:
            return f"{label}."
        return f"{label}: {one.before or '–'} → {one.status}."

    # doing

    def _check_older(self, missing: Any) -> None:
        """Event procedures were checked when they were saved; each execution reads its order itself."""

    def _load(self, row: Any) -> Any:
        """The occurrence of a row with its order as it is now, or the exception that says why there is none."""
        try:
            key, _, procedure_id = [*row.source_id.split("/"), "", ""][:3]
            if not procedure_id:
                return RecordFailed(row.message or f"order {row.source_number or key} cannot be read")
            rule = self.rules.rows.get(int(procedure_id))
            if rule is None:
                raise SkipRecord("Its event procedure was deleted.")
            if not rule.active:
                raise SkipRecord(f"Event procedure '{rule.name}' is switched off.")
            one = _unpacked(row.refs[FACTS])
            order = self._orders.pop(key, None) if row.attempts == 0 else None
            return Occurrence(
                key=row.source_id,
                event=one.event,
                status=one.status,
                before=one.before,
                at=one.at,
                order=order or self._again(key, row),
                procedure=rule.procedure,
                settings=self.rules.settings(rule),
                name=rule.name,
            )
        except Exception as error:
            return error

    def _again(self, key: str, row: Any) -> Order:
        found = self.source.get(key)
        if found is None:
            where = self.source.connector.account.name
            raise RecordFailed(f"order {row.source_number or key} ({key}) no longer exists in {where}.")
        if found.error is not None or found.payload is None:
            raise RecordFailed(found.error or "it has no content")
        order = cast(Order, self.source.parse(found.payload))
        self._identified(found, order)
        return order

    def _queues(self, rows: Sequence[Any], loaded: Sequence[Any], workers: int) -> list[Queue]:
        """What belongs to one order stays in one thread, in its order."""
        lanes: list[tuple[list[Any], list[Any]]] = [([], []) for _ in range(min(workers, len(rows)))]
        for row, record in zip(rows, loaded, strict=True):
            mine = lanes[zlib.crc32(str(row.source_number or row.source_id.split("/")[0]).encode()) % len(lanes)]
            mine[0].append(row)
            mine[1].append(record)
        return [Queue(*lane) for lane in lanes]

    def _before_write(self, row: Any, known: Any) -> None:
        if (number := self._being_brought(row)) is not None:
            where = self.target.connector.account.name
            said = f"It may be {number} of {where}, which is being brought here just now; it waits"
            raise RetryLater(said, after=BROUGHT_SECONDS, aside=True)
        earlier = self.ledger.earlier_due(row)
        if earlier is not None and "/" in earlier:
            raise RetryLater("It waits for what happened to its order before", after=HELD_SECONDS, counts=False)

    def _being_brought(self, row: Any) -> str | None:
        """The target's order of this number that an order import may just have made here, and does not know yet: it is at
        work, or was interrupted. What happened to such an order is nobody else's."""
        if row.source_number is None:
            return None
        profile = cast(Table, models.Profile.__table__)
        doubtful = or_(records.c.transient.is_(True), records.c.doubt_at.is_not(None))
        query = (
            select(records.c.source_number)
            .join(profile, profile.c.id == records.c.profile_id)
            .where(
                profile.c.from_id == self.profile.to_id,
                profile.c.to_id == self.profile.from_id,
                profile.c.entity == ORDERS,
                records.c.source_number == row.source_number,
                records.c.target_id.is_(None),
                or_(
                    records.c.status.in_((SyncStatus.PROCESSING, SyncStatus.PENDING)),
                    and_(records.c.status == SyncStatus.FAILED, doubtful),
                ),
            )
        )
        with self.database.reading() as session:
            return session.scalar(query.limit(1))

    def _fetch(self, number: str) -> list[int]:
        page = self._named(number)
        self._store(page, {})
        keys = {found.key for found in page}
        with self.database.reading() as session:
            own = select(records.c.id, records.c.source_id).where(
                records.c.profile_id == self.profile.id,
                records.c.source_number.in_({found.number for found in page}),
                records.c.status == SyncStatus.PENDING,
            )
            found = [int(row.id) for row in session.execute(own) if row.source_id.split("/")[0] in keys]
        if not found:
            self.reasons.append(f"order {number}: nothing happened that an event procedure waits for.")
        return found

    # a dry run

    def _plan(self, page: Sequence[Found], all_missing: Any, *, asked: bool = False) -> None:
        """What would follow from what is new; asked for one order, what would follow from its status as it is."""
        with self.database.reading() as session:
            known = self._seen(session, [found.key for found in page])
        for found in map(fitted, page):
            if self.stop.is_set():
                return
            before = known.get(found.key)
            if before is not None and before.version == found.version and not asked:
                continue
            try:
                order = cast(Order, self.source.parse(found.payload or {}))
            except RecordFailed as error:
                self.tally["failed"] += 1
                self._because(str(error), found.number)
                self._planned_line(found, action="failed", message=str(error))
                continue
            seen = Seen.of(before.seen) if before is not None else None
            happened, _ = self._compare(order, seen)
            if asked and not happened:
                happened = list(_now(order))
            for at, one in enumerate(happened, 1):
                for rule in self.rules.follow(one, order):
                    self._plan_one(found, order, one, rule, at)

    def _plan_one(self, found: Found, order: Order, one: Happening, rule: models.EventProcedure, at: int) -> None:
        key = f"{found.key}/planned {at}/{rule.id}"
        occurrence = Occurrence(
            key=key,
            event=one.event,
            status=one.status,
            before=one.before,
            at=one.at,
            order=order,
            procedure=rule.procedure,
            settings=self.rules.settings(rule),
            name=rule.name,
        )
        line: dict[str, Any] = {"source_id": found.key, "source_number": found.number, "calls": [], "kind": KIND}
        self._remember(key, None, occurrence)
        self._plan_write(replace(found, key=key), None, line)
        line["message"] = f"{self._told(one, order)} {rule.name}: {line['message']}"
        self._tell_plan(line)

    def _planned_line(self, found: Found, **told: Any) -> None:
        self._tell_plan({"source_id": found.key, "source_number": found.number, "calls": [], "kind": KIND, **told})

    def _tell_plan(self, line: dict[str, Any]) -> None:
        if self.planned is None:
            self.plan.append(line)
        else:
            self.planned(line)

    def _waiting(self, row: Any) -> Found | None:
        """An execution that waits is tried by a run; a dry run speaks of what is new."""
        return None


_TOLD = ("id", "source_id", "source_number", "target_id")


def _now(order: Order) -> Iterator[Happening]:
    """What an order could be said to have gone through, by what it is."""
    is_return = order.fulfilment.kind is OrderKind.RETURN
    yield Happening(event=RETURN_CREATED if is_return else CREATED, at=order.created_at, status=order.status)
    yield Happening(event=STATUS, at=order.updated_at, status=order.status)
    if any(one.kind is DocumentKind.INVOICE for one in order.fulfilment.documents):
        yield Happening(event=INVOICE, at=order.updated_at)
    if order.paid > 0:
        yield Happening(event=PAYMENT, at=order.updated_at)


def _packed(one: Happening) -> str:
    return json.dumps([one.event, one.at.isoformat(), one.status, one.before])


def happened(refs: Mapping[str, Any] | None) -> Happening | None:
    """What an execution followed from, by the refs of its record; None where that was not kept."""
    text = (refs or {}).get(FACTS)
    return _unpacked(text) if text else None


def _unpacked(text: str) -> Happening:
    event, at, status, before = json.loads(text)
    return Happening(event=event, at=datetime.fromisoformat(at), status=status, before=before)


__all__ = [
    *("EventRun", "Happening", "Match", "Rules", "Seen", "compare", "declared", "happened", "matching", "rules"),
    "short_names",
]
