"""THE flow: read, decide, claim, write, verify, log. It knows no system, no page and no cron line.

    read     the source's pages are stored as sync records; the mark moves when all of a window is stored
    decide   a setting says no → skipped; nothing changed since it was written → left alone; too young → waits
    check    every mapping that any due record needs and the settings lack stops the run before the first remote write
    claim    one conditional update per record
    write    the target creates what is missing; after doubt it finds before it creates
    log      ids as soon as they are known, status and history together; one bad record never stops the rest

A dry run takes the same way with a target that records its changes instead of sending them, and stores nothing.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

from sqlalchemy import select

from connector import (
    AccessDenied,
    Connector,
    ConnectorError,
    Counterpart,
    Found,
    InDoubt,
    Known,
    Link,
    Missing,
    Options,
    Origin,
    RecordFailed,
    Resource,
    RetryLater,
    SkipRecord,
    StopRun,
    Unreachable,
    Written,
    leaves,
)
from connector.client import dumps
from connector.records import OrderKind
from profiles import models, wiring
from profiles.db import Database, DatabaseTrouble, insert_or_ignore, now
from profiles.fitting import ODD
from profiles.ledger import DONE, Decision, Facts, Ledger, Lost, fingerprint, fitted, unpack
from profiles.links import Links
from profiles.models import SyncStatus
from profiles.prepared import Transaction
from profiles.secrets import MissingSecret
from profiles.settings import resolve, scopes
from profiles.workers import core, keep_to, me

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 45.0  # a run waits so long for records that are to be tried again
RUN_PATIENCE_SECONDS = 180.0  # and so long in all
FRUITLESS_LIMIT = 10  # a record that ends its worker so often without progress is set aside
RENEWALS = 10  # new runs give a record that ran out of attempts so many new chances
UNREACHABLE_LIMIT = 5  # records in a row that find the system closed end the run
MAKING_SECONDS = 30.0  # so long a record waits that another profile may just have made
RECONSIDER_DAYS, RECONSIDER_LIMIT = 14, 1000
BUSY = (SyncStatus.PENDING, SyncStatus.PROCESSING)
COUNTED = ("complete", "updated", "skipped", "failed", "pending")
UP_TO_DATE = "up to date"  # of a dry run: a run would look at the record and send nothing
CACHED_RECORDS = 2000  # parsed records kept between reading and writing; memory does not grow beyond


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is. `total` None: not known yet."""

    done: int
    total: int | None
    counts: dict[str, int]
    text: str


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run came to. `status` is the task's: success or error. `could_run` False: it ended before its work."""

    status: str
    message: str
    counts: dict[str, int]
    seconds: float
    calls: dict[str, dict[str, int]]
    could_run: bool
    plan: list[dict[str, Any]] = field(default_factory=list)


class Attempt(Known):
    """What is known of one record while it is written, kept in the ledger."""

    def __init__(self, ledger: Ledger, links: Links, row: Any, claimed: Any, key_ref: str) -> None:
        self.ledger = ledger
        self.links = links
        self.row = row
        self.refs: dict[str, str] = dict(claimed.refs or {})
        self.key_ref = key_ref
        self.attempt = claimed.attempts
        self.doubt = claimed.doubt_at is not None
        self.doubt_age = (now() - claimed.doubt_at).total_seconds() if claimed.doubt_at else 0.0
        self.finished = row.digest is not None
        self.age = (now() - row.created_at).total_seconds()
        self.notes: list[str] = []
        self.progressed = False  # an id was committed: the count of tries began anew (`Ledger.learn`)
        self._linked: set[str] = set()  # ids that stand in the table of links already
        self.queue: Queue | None = None  # what its thread goes on with ...
        self.following: tuple[Any, Any] | None = None  # ... and what it was handed by it
        self.following_claimed: Any | None = None  # by the commit that ended this one

    @property
    def target_id(self) -> str | None:
        return self.refs.get(self.key_ref)

    def taken(self, key: str) -> bool:
        return self.ledger.taken(key, self.row.id)

    def counterpart(self, key: str) -> Counterpart | None:
        return self.ledger.counterparts([key]).get(key)

    def earlier_due(self) -> str | None:
        return self.ledger.earlier_due(self.row)

    def linked(self, entity: str, key: str) -> Counterpart | None:
        return self.ledger.counterparts([key], entity).get(key)

    def declined(self, entity: str, key: str) -> str | None:
        return self.ledger.declined(entity, key)

    def learn(self, **refs: str | None) -> None:
        """Committed before the next call; ids that a link keeps anyway go along with the next ones."""
        fresh = {key: str(value) for key, value in refs.items() if value is not None}
        if any(self.refs.get(key) != value for key, value in fresh.items()):
            self.refs.update(fresh)
            if not self._linked.issuperset(fresh.values()):
                self.ledger.learn(self.row.id, self.refs, self.target_id)
                self.progressed = True

    def learn_of(self, key: str, **refs: str) -> None:
        self.ledger.learn_of(key, refs)

    def link(self, kind: str, key: str) -> str | None:
        found = self.links.find(kind, key)
        if found is not None:
            self._linked.add(found)
        return found

    @contextmanager
    def hold(self, kind: str, key: str) -> Iterator[Link]:
        with self.links.hold(kind, key) as link:
            yield link
            if link.id is not None:
                self._linked.add(link.id)

    def note(self, message: str) -> None:
        self.notes.append(message)


class Queue:
    """The records of a batch on their way to the threads, in order."""

    def __init__(self, rows: Sequence[Any], records: Sequence[Any]) -> None:
        self._left: Iterator[tuple[Any, Any]] = iter(zip(rows, records, strict=True))
        self._guard = threading.Lock()

    def take(self) -> tuple[Any, Any] | None:
        with self._guard:
            return next(self._left, None)

    def close(self) -> None:
        with self._guard:
            self._left = iter(())


class Plan(Known):
    """What is known of one record in a dry run: read from the ledger, learned into the air."""

    def __init__(self, ledger: Ledger, links: Links, row: Any | None) -> None:
        self.ledger = ledger
        self.links = links
        self.row = row
        self.refs: dict[str, str] = dict((row.refs if row is not None else None) or {})
        self.doubt, self.doubt_age, self.attempt = False, 0.0, 1
        self.finished = row is not None and row.digest is not None
        self.notes: list[str] = []

    def taken(self, key: str) -> bool:
        return self.ledger.taken(key, None if self.row is None else self.row.id)

    def counterpart(self, key: str) -> Counterpart | None:
        return self.ledger.counterparts([key]).get(key)

    def linked(self, entity: str, key: str) -> Counterpart | None:
        return self.ledger.counterparts([key], entity).get(key)

    def declined(self, entity: str, key: str) -> str | None:
        return self.ledger.declined(entity, key)

    def learn(self, **refs: str | None) -> None:
        self.refs.update({key: str(value) for key, value in refs.items() if value is not None})

    def link(self, kind: str, key: str) -> str | None:
        return self.links.find(kind, key)

    @contextmanager
    def hold(self, kind: str, key: str) -> Iterator[Link]:
        yield _PlannedLink(self.links.find(kind, key))

    def note(self, message: str) -> None:
        self.notes.append(message)


class _PlannedLink:
    def __init__(self, id: str | None) -> None:
        self.id = id
        self.digest: str | None = None
        self.doubt, self.doubt_age = False, 0.0

    def learn(self, id: str, digest: str | None = None) -> None:
        self.id, self.digest = id, digest


def run(
    database: Database,
    profile_id: int,
    *,
    task_id: int | None = None,
    order: str | None = None,
    dry_run: bool = False,
    stop: threading.Event | None = None,
    progress: Callable[[Progress], None] = lambda progress: None,
    last: int | None = None,
    planned: Callable[[dict[str, Any]], None] | None = None,
    may_write: Callable[[], None] = lambda: None,
    by: str | None = None,
) -> Result:
    """Run a profile once. Expected troubles end in the Result; a fault of ours escapes to the worker.

    The caller makes sure that no other run of the profile is alive (`scheduler.tasks.claim`). `order` limits the run to
    the record with that number; `last` a dry run to the source's newest. `planned` is handed each line of a dry run;
    without it they stand in the result. `may_write` is asked right before each change that is sent or stored: it raises
    StopRun when the caller can no longer be sure that it is the only run (`scheduler.worker.Lease`). `by` asked for a
    dry run that is no task.
    """
    began = time.monotonic()
    stop = stop or threading.Event()
    with database.reading() as session:
        profile = session.get_one(models.Profile, profile_id)
        ends = [session.get_one(models.Connection, one) for one in (profile.from_id, profile.to_id)]
        if dry_run and task_id is not None:
            by = session.scalar(select(models.Task.asked_by).where(models.Task.id == task_id))
    dry_run_by = (by or "") if dry_run else None
    work: Run | None = None
    connectors: list[Connector] = []
    trouble: str | None = None
    started = False
    try:
        with ExitStack() as stack:
            told = wiring.declarations(ends[0].connector, ends[1].connector, profile.entity)
            _refuse_inactive(ends)
            for end in ends:
                made = stack.enter_context(
                    wiring.connected(
                        database, end.id, task_id=task_id, stop=stop, may_write=may_write, dry_run_by=dry_run_by
                    )
                )
                connectors.append(made)
                if end.collected_at is None:
                    wiring.collect_connection(database, end.id)
            work = _run_of(profile.entity)(
                database, profile, told, connectors[0], connectors[1], task_id, stop, progress, dry_run
            )
            work.planned, work.last, work.may_write = planned, last, may_write
            work.go(order)
            started = True
        _mark_working(database, ends)
    except AccessDenied as error:
        trouble = str(error)
        _mark_denied(database, ends, trouble)
    except Lost:
        trouble = "Another run has taken over the records of this profile; this one has stopped."
    except (ConnectorError, LookupError, MissingSecret, DatabaseTrouble) as error:
        trouble = str(error.args[0]) if error.args else type(error).__name__
        log.warning("profile %s: %s", profile.name, trouble)
    counts = work.counts() if work else Counter()
    failed = counts.get("failed", 0)
    message = trouble or (work.summary() if work else "")
    if trouble and work and work.tally:
        message = f"{trouble} {'The plan: ' if dry_run else 'Before that: '}{work.summary()}"
    return Result(
        status="error" if trouble or failed else "success",
        message=message,
        counts={name: counts.get(name, 0) for name in COUNTED}
        | ({UP_TO_DATE: counts[UP_TO_DATE]} if counts[UP_TO_DATE] else {}),
        seconds=round(time.monotonic() - began, 3),
        calls={end.name: {"read": 0, "write": 0} for end in ends}
        | {
            one.account.name: {"read": one.client.calls["read"], "write": one.client.calls["write"]}
            for one in connectors
        },
        could_run=started and trouble is None,
        plan=work.plan if work else [],
    )


def _run_of(entity: str) -> type[Run]:
    """How the records of an entity are found and done; all but events go the same way."""
    from profiles import events  # it builds on this module

    return events.EventRun if entity == events.ENTITY else Run


def _refuse_inactive(ends: Sequence[models.Connection]) -> None:
    """Raises StopRun: an inactive account exchanges nothing."""
    for end in ends:
        if not end.active:
            raise StopRun(f"Connection {end.name} is not active: nothing is exchanged with it.")


def _mark_working(database: Database, ends: Sequence[models.Connection]) -> None:
    """A run that came through proves that a connection which was marked as broken works again; not that it has the
    rights which the connection test missed."""
    for end in ends:
        if end.check_ok is False and not any(one.ok for one in wiring.last_findings(database, end)):
            wiring.mark(database, end.id, True, "A run came through.")


def _mark_denied(database: Database, ends: Sequence[models.Connection], message: str) -> None:
    for end in ends:
        if message.startswith(f"{end.name}:") or f"Connection {end.name}" in message:
            wiring.mark(database, end.id, False, message)


class Run:
    """One run of one profile."""

    def __init__(
        self,
        database: Database,
        profile: models.Profile,
        told: wiring.Declarations,
        source: Connector,
        target: Connector,
        task_id: int | None,
        stop: threading.Event,
        progress: Callable[[Progress], None],
        dry_run: bool,
    ) -> None:
        self.database = database
        self.profile = profile
        self.told = told
        self.source: Resource = source.resource(profile.entity)
        self.target: Resource = target.resource(profile.entity)
        self.stop = stop
        self.report = progress
        self.dry_run = dry_run
        self.worker = f"{me()}#{task_id or 0}-{random.randrange(1 << 30)}"
        self.ledger = Ledger(database, profile.id, profile.direction, self.worker, task_id)
        self.links = Links(database, profile.to_id, stop)
        self.tally: Counter[str] = Counter()
        self.reasons: list[str] = []
        self.plan: list[dict[str, Any]] = []
        self.planned: Callable[[dict[str, Any]], None] | None = None
        self.may_write: Callable[[], None] = lambda: None
        self.last: int | None = None
        self.total: int | None = None
        self.done = 0
        self.unreachable = 0
        self._core: int | None = None  # on which its threads run
        self._aside = False  # whether records may be set aside: those of a number wake when one of them was written
        self.halt: ConnectorError | None = None
        self._options: dict[tuple[str | None, str | None], Options] = {}
        self._parsed: OrderedDict[str, tuple[str | None, Any]] = OrderedDict()
        self._came_back: Mapping[str, Counterpart] = {}  # of the page that is decided
        self._guard = threading.Lock()
        self.began = now()
        for connector in (source, target):
            connector.client.log_bodies = bool(self.options().log_response)
        self.source.asked = self._asked()

    # settings

    def options(self, record: Any = None) -> Options:
        scope = (getattr(record, "website", None), getattr(record, "store", None))
        found = self._options.get(scope)
        if found is None:
            found = resolve(self.told.schemas, self.profile.settings, *scope, secrets=True).options
            self._options[scope] = found
        return found

    def _asked(self) -> frozenset[str]:
        """What the target needs of any record, whatever its website and store: a switch may be on in one place alone."""
        made: frozenset[str] = frozenset()
        for website, store in scopes(self.profile.settings):
            found = resolve(self.told.schemas, self.profile.settings, website, store)
            made |= self.target.asks(found.options)
        return made

    # the steps

    def go(self, order: str | None) -> None:
        if not self.options().enabled and order is None:
            self.tell("Nothing was done: it is switched off in the settings of the profile.")
            self.reasons.append("Nothing was done: it is switched off in the settings of the profile.")
            return
        if self.dry_run:
            self._dry(order)
            return
        self.may_write()
        self.ledger.take_over()
        self._inherit()
        only: list[int] | None = None
        unread: ConnectorError | None = None
        if order is not None:
            only = self._fetch(order)
        else:
            self.ledger.renew_failed(self.options().retry_max_attempts * RENEWALS)
            if self.profile.applied_version != self.profile.settings_version:
                self.ledger.reconsider(self.began - timedelta(days=RECONSIDER_DAYS), RECONSIDER_LIMIT)
                with self.database.session() as session:
                    session.get_one(models.Profile, self.profile.id).applied_version = self.profile.settings_version
            unread = self._read()
            if unread is None and not self.stop.is_set():
                try:
                    self._recheck()
                except ConnectorError as error:
                    log.warning("profile %s: unfinished records cannot be looked for: %s", self.profile.name, error)
                    unread = error
        if not self.stop.is_set():
            self._write(only)
        if unread is not None:
            raise unread

    def _inherit(self) -> None:
        """What profiles of the same work left behind that were deleted is kept up to date, or finished, by this one."""
        self.ledger.inherit()

    def _recheck(self) -> None:
        """What the target finds unfinished at itself is put back to pending, whatever became of it before."""
        with self.database.reading() as session:
            last = session.get_one(models.Profile, self.profile.id).rechecked_at
        unsettled = self.target.unsettled(self.options(), last, self._kept_of)
        if unsettled is None:
            return
        reasons = dict(unsettled)
        for key, source in self.ledger.sources_of(list(reasons)).items():
            if self.stop.is_set():
                return
            found = self.source.get(source)
            if found is None:
                continue
            self._put_back(found, BUSY, reasons[key])
            for child in self.source.family(found):  # one that is done is not what is missing
                self._put_back(child, (*BUSY, *DONE), reasons[key])
        with self.database.session() as session:
            session.get_one(models.Profile, self.profile.id).rechecked_at = now()

    def _kept_of(self, keys: Sequence[str]) -> dict[str, dict[str, str]]:
        """Of the target's records those that are the source's, each with the refs that this profile keeps of it."""
        sources = self.ledger.sources_of(keys)
        with self.database.reading() as session:
            rows = self.ledger.known(session, list(sources.values()))
        return {key: dict(rows[source].refs or {}) if source in rows else {} for key, source in sources.items()}

    def _put_back(self, found: Found, settled: Sequence[SyncStatus], reason: str) -> None:
        found = fitted(found)
        with self.database.reading() as session:
            row = self.ledger.known(session, [found.key]).get(found.key)
        if row is None or row.status not in settled:
            self.may_write()
            self.ledger.put_back(found, row, f"{reason} Put back to pending.")

    def _since(self) -> str | None:
        return None if self.options().api_behaviour == "replace" else self.profile.mark

    def _read(self) -> ConnectorError | None:
        """Store the window, and check what all due records need. Returns why it could not be read to its end: what was
        stored before is written all the same, the mark stays, and the next run reads the window again."""
        missing: OrderedDict[str, None] = OrderedDict()
        trouble: ConnectorError | None = None
        try:
            self._read_window(missing)
        except ConnectorError as error:
            log.warning("profile %s: reading broke off: %s", self.profile.name, error)
            trouble = error
        self._check_older(missing)
        self._refuse(missing)
        return trouble

    def _read_window(self, missing: OrderedDict[str, None]) -> None:
        """All pages; the mark moves when each record in them is stored."""
        mark: str | None = None
        read = 0
        for page in self.source.read(self._since(), self.options()):
            self._store(page.records, missing)
            read += len(page.records)
            mark = page.mark or mark
            self.tell("Reading", done=read, total=page.total)
            if self.stop.is_set():
                return
        with self.database.session() as session:
            row = session.get_one(models.Profile, self.profile.id)
            row.mark, row.read_at = mark or row.mark, now()

    def _refuse(self, missing: Mapping[str, None]) -> None:
        if missing:
            named = list(missing)
            shown = "; ".join(named[:50]) + (f"; and {len(named) - 50} more" if len(named) > 50 else "")
            raise StopRun(f"Nothing was sent: {shown}. Complete the settings of this profile and run it again.")

    def _store(self, page: Sequence[Found], missing: OrderedDict[str, None]) -> None:
        page = [fitted(found) for found in page]
        rows = self._known(page)
        decided: list[tuple[Found, Any, Decision | None]] = []
        for found in page:
            row = rows.get(found.key)
            if row is not None and row.version == found.version and row.status != SyncStatus.PROCESSING:
                continue  # read before: the overlap of two windows
            decided.append((found, row, self._decide(found, row, missing)))
        if not decided:
            return
        self._keep(decided)
        for found, _, _ in decided:
            if cached := self._parsed.get(found.key):
                self._identified(found, cached[1])

    def _identified(self, found: Found, record: Any) -> None:
        """Keep the numbers of the devices in a record: people look its order up by them."""
        marks = {one for line in getattr(record, "lines", ()) for one in line.identifiers}
        if not marks:
            return
        moment = now()
        rows = [
            {
                "profile_id": self.profile.id,
                "source_id": found.key,
                "source_number": found.number,
                "kind": str(one.kind),
                "value": one.value,
                "seen_at": moment,
            }
            for one in marks
        ]
        with self.database.session() as session:
            session.execute(insert_or_ignore(models.Identifier.__table__, sqlite=self.database.sqlite), rows)

    def _known(self, page: Sequence[Found]) -> dict[str, Any]:
        """The rows of a page, by source key; and which of its new records came from the target in the first place."""
        with self.database.reading() as session:
            rows = self.ledger.known(session, [found.key for found in page])
        new = [found.key for found in page if not _written(rows.get(found.key))]
        self._came_back = self._counterparts(new)
        return rows

    @cached_property
    def _opposed(self) -> bool:
        """Whether records may have come from this target to this source by another profile, and must not go back."""
        return not self.target.takes_back and self.ledger.opposed()

    @cached_property
    def _shared(self) -> bool:
        """Whether another profile does the same work, or did it before it was deleted. Only one of them runs at a time
        (`scheduler.tasks.claim`), so nothing that they know changes meanwhile."""
        return not self.target.takes_back and self.ledger.shared()

    def _counterparts(self, keys: Sequence[str]) -> Mapping[str, Counterpart]:
        """What these records are at the target, where one of them may have come from there or been written already."""
        return self.ledger.counterparts(keys) if keys and (self._opposed or self._shared) else {}

    def _refuse_returned(self, key: str, number: str | None, row: Any, counterparts: Mapping[str, Counterpart]) -> None:
        """A record that came from the target, or that another profile wrote, is not created there a second time. Raises
        SkipRecord."""
        origin = counterparts.get(key)
        if origin is None or not origin.ours:
            return
        name = f"{self.profile.entity} {number or key}"
        if origin.reverse and self._opposed and _untouched(row):
            raise SkipRecord(
                f"{name} is {origin.key} of {origin.connection} already (profile {origin.profile}) and is not sent back "
                "there."
            )
        if not origin.reverse and not _written(row):
            raise SkipRecord(
                f"{name} is {origin.key} of {origin.connection} already (profile {origin.profile}) and is not sent there "
                "a second time."
            )

    def _take_up(self, row: Any, known: Attempt) -> None:
        """Another profile may have written this record and not know of it: find before creating, as if we had."""
        begun = self.ledger.begun_elsewhere(row.source_id) if self._shared and _untouched(row) else None
        if begun is not None:
            refs, since = begun
            known.refs = {**refs, **known.refs}
            known.doubt, known.doubt_age = True, (now() - since).total_seconds()

    def _in_the_making(self, record: Any, row: Any) -> str | None:
        """Why a record waits that another profile may just have made here, and does not know yet."""
        traces = getattr(record, "traces", ())
        if not traces or not self._opposed or not _untouched(row):
            return None
        made = self.ledger.in_the_making()
        number = next((made[one] for one in traces if one in made), None)
        if number is None:
            return None
        return f"It may be {number} of {self.target.connector.account.name}, which is being brought here just now; it waits."

    def _keep(self, decided: Sequence[tuple[Found, Any, Decision | None]]) -> None:
        """Store what was decided, a page at once; one by one where the database refuses it, so that one odd record
        fails by name and stops no other."""
        self.may_write()
        try:
            self.database.write(partial(self._put, decided))
        except (DatabaseTrouble, Lost):
            raise
        except Exception as error:
            log.warning("profile %s: a page is stored one by one: %s", self.profile.name, type(error).__name__)
            for found, _, decision in decided:
                self._keep_alone(found, decision)

    def _put(self, decided: Sequence[tuple[Found, Any, Decision | None]], transaction: Transaction) -> None:
        for found, row, decision in decided:
            if decision is None:
                self.ledger.unchanged(transaction, row, found)
            else:
                self.ledger.store(transaction, found, row, decision)

    def _keep_alone(self, found: Found, decision: Decision | None) -> None:
        with self.database.reading() as session:
            row = self.ledger.known(session, [found.key]).get(found.key)
        try:
            self.database.write(partial(self._put, [(found, row, decision)]))
        except (DatabaseTrouble, Lost):
            raise
        except Exception as error:
            name = f"{self.profile.entity} {found.number or found.key}"
            log.exception("%s cannot be stored", name)
            said = f"it cannot be stored as it was received ({type(error).__name__}); the log has the details."
            failed = self._failed(name, said)
            self.database.write(partial(self._put, [(replace(found, payload=None), row, failed)]))

    def _decide(
        self, found: Found, row: Any, missing: OrderedDict[str, None], *, asked: bool = False
    ) -> Decision | None:
        """What becomes of a record that was read; None: nothing changed since it was written."""
        name = f"{self.profile.entity} {found.number or found.key}"
        if found.error is not None or found.payload is None:
            failed = self._failed(name, found.error or "it has no content")
            return replace(failed, transient=found.passing)
        try:
            record = self.source.parse(found.payload)
        except RecordFailed as error:
            return self._failed(name, str(error), error.setting)
        except Exception as error:  # a payload that nobody foresaw fails by name; the rest goes on
            log.exception("%s cannot be read", name)
            return self._failed(name, f"it cannot be read ({type(error).__name__}: {error})")
        try:
            return self._decide_of(found, row, record, missing, asked=asked)
        except RecordFailed as error:
            return self._failed(name, str(error), error.setting)
        except (ConnectorError, DatabaseTrouble):
            raise
        except Exception as error:
            log.exception("%s cannot be judged", name)
            return self._failed(name, f"it cannot be judged ({type(error).__name__}: {error})")

    def _decide_of(
        self, found: Found, row: Any, record: Any, missing: OrderedDict[str, None], *, asked: bool
    ) -> Decision | None:
        """As `_decide`, of a record that could be read. Raises RecordFailed."""
        facts, seen = facts_of(record), record.substance()
        if row is not None and row.digest == seen and row.status in DONE and not row.forced:
            if self.source.awaits(record):
                self._remember(found.key, seen, record)
                return Decision(status=SyncStatus.PENDING, message="Its source waits for word.", facts=facts, seen=seen)
            self.tally["skipped"] += 1
            return None
        options = self.options(record)
        try:
            self._refuse_returned(found.key, found.number, row, self._came_back)
            anew = self._admits(record, options, row)
        except SkipRecord as error:
            self.tally["skipped"] += 1
            return Decision(
                status=SyncStatus.SKIPPED, message=str(error), setting=error.setting, facts=facts, seen=seen
            )
        if said := self._in_the_making(record, row):
            at = now() + timedelta(seconds=MAKING_SECONDS)
            return Decision(status=SyncStatus.PENDING, message=said, next_attempt_at=at, facts=facts, seen=seen)
        told = self.target.check(record, options) if anew else []
        if odd := [sentence for sentence in told if ODD.search(sentence)]:
            raise RecordFailed("; ".join(odd))  # nobody can map a value that cannot be written down
        for sentence in told:
            missing.setdefault(sentence)
        self._remember(found.key, seen, record)
        wait = self._settles_at(record, options) if row is None or row.target_id is None else None
        if wait and not asked:
            text = f"Waits until it has settled ({wait:%H:%M:%S} UTC, setting 'Settling period')."
            return Decision(
                status=SyncStatus.PENDING,
                message=text,
                next_attempt_at=wait,
                setting="settle_seconds",
                facts=facts,
                seen=seen,
            )
        text = "Changed at the source." if row is not None and row.target_id else "Read; to be sent."
        return Decision(status=SyncStatus.PENDING, message=text, facts=facts, seen=seen)

    def _admits(self, record: Any, options: Options, row: Any | None) -> bool:
        """Whether the source would have the record written anew. False: it would not, but the target has it already,
        and it is only kept up to date. Raises SkipRecord, RecordFailed."""
        try:
            self.source.admits(record, options)
        except SkipRecord as error:
            if not error.only_new or row is None or (row.target_id is None and row.doubt_at is None):
                raise
            if row.target_id is None:
                raise RecordFailed(
                    f"{error}; an earlier attempt may have created it in {self.target.connector.account.name} all the "
                    "same: look for it there, and cancel it by hand.",
                    setting=error.setting,
                ) from error
            return False
        return True

    def _failed(self, name: str, message: str, setting: str | None = None) -> Decision:
        said = message if name.split()[-1] in message else f"{name}: {message}"
        self.tally["failed"] += 1
        self._because(said)
        return Decision(status=SyncStatus.FAILED, message=said, cause=fingerprint(said), setting=setting)

    def _settles_at(self, record: Any, options: Options) -> datetime | None:
        created: datetime | None = getattr(record, "created_at", None)
        if created is None or not options.get("settle_seconds"):
            return None
        offset = timedelta(seconds=self.source.client.clock_offset)  # the shop's clock decides
        settled = created + timedelta(seconds=options.settle_seconds) - offset
        return settled if settled > now() else None

    def _remember(self, key: str, seen: str | None, record: Any) -> None:
        self._parsed[key] = (seen, record)
        if len(self._parsed) > CACHED_RECORDS:
            self._parsed.popitem(last=False)

    def _check_older(self, missing: OrderedDict[str, None]) -> None:
        """Records that were waiting before this run need their mappings as well."""
        after = 0
        while rows := self.ledger.due(after, self.options().batch_size):
            after = rows[-1].id
            back = self._counterparts([row.source_id for row in rows if not _written(row)])
            for row in rows:
                if row.updated_at >= self.began and row.payload is not None:
                    continue  # read by this run, and checked when it was
                record = self._load(row)
                if isinstance(record, Exception):
                    continue  # it fails by name when its turn comes
                self._remember(row.source_id, row.seen, record)
                try:
                    self._refuse_returned(row.source_id, row.source_number, row, back)
                    if self._in_the_making(record, row):
                        continue
                    anew = self._admits(record, self.options(record), row)
                    for sentence in self.target.check(record, self.options(record)) if anew else ():
                        missing.setdefault(sentence)
                except (SkipRecord, RecordFailed):
                    continue
                except (ConnectorError, DatabaseTrouble):
                    raise
                except Exception:
                    continue  # it fails by name when its turn comes

    def _fetch(self, number: str) -> list[int]:
        """Read one record by its number, and those that belong to it, now; returns their rows."""
        missing: OrderedDict[str, None] = OrderedDict()
        page = self._named(number)
        rows = self._known(page)
        for found in page:
            decision = self._decide(found, rows.get(found.key), missing, asked=True)
            self._keep([(found, rows.get(found.key), decision)])
            if decision is None:
                said = f"{self.profile.entity} {found.number or found.key}: nothing changed since it was written."
                self.reasons.append(said)
        self._refuse(missing)
        with self.database.reading() as session:
            return [int(row.id) for row in self.ledger.known(session, [found.key for found in page]).values()]

    def _named(self, number: str) -> list[Found]:
        found = self.source.number(number)
        if found is None:
            raise StopRun(f"{self.profile.entity} {number} was not found in {self.source.connector.account.name}.")
        return [fitted(one) for one in (found, *self.source.family(found))]

    # writing

    def _write(self, only: Sequence[int] | None) -> None:
        patience = time.monotonic() + RUN_PATIENCE_SECONDS
        self._aside = self.ledger.any_aside()
        workers = self.options().workers
        with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="record") as pool:
            while True:
                self.total = self.done + self.ledger.count_due(only=only)
                self._pass(pool, only)
                if self.halt is not None:
                    raise self.halt
                if self.stop.is_set():
                    return
                left = min(PATIENCE_SECONDS, patience - time.monotonic())
                retry = self.ledger.next_retry(now() + timedelta(seconds=left), only=only) if left > 0 else None
                if retry is None:
                    return
                self.tell("Waiting to try again")
                self.stop.wait(max(0.2, (retry - now()).total_seconds()))

    def _pass(self, pool: ThreadPoolExecutor, only: Sequence[int] | None) -> None:
        """All due records once, in batches, oldest first."""
        after = 0
        while rows := self.ledger.due(after, self.options().batch_size, only=only):
            after = rows[-1].id
            loaded = self._load_all(pool, rows)
            ready = [record for record in loaded if not isinstance(record, Exception)]
            try:
                if ready:
                    self.target.prepare(ready, self.options)
            except (AccessDenied, StopRun, DatabaseTrouble):
                raise
            except RetryLater as error:
                raise StopRun(f"{_said(error)}. All records wait for the next run.") from error
            except Exception:  # of one record perhaps, which will say so itself when it is written
                log.exception("profile %s: not all could be looked up in advance", self.profile.name)
            self._core = core()  # chosen anew for each batch: something else may need the old one
            list(pool.map(self._attempts, self._queues(rows, loaded, self.options().workers)))
            if self.halt is not None or self.stop.is_set():
                return

    def _load_all(self, pool: ThreadPoolExecutor, rows: Sequence[Any]) -> list[Any]:
        """The shared records of the rows: of those that this run has just read as it knows them, of others side by side."""
        known = [self._recall(row) for row in rows]
        others = iter(pool.map(self._load, [row for row, record in zip(rows, known, strict=True) if record is None]))
        return [next(others) if record is None else record for record in known]

    def _recall(self, row: Any) -> Any | None:
        """The shared record of a row as this run parsed it, if it still knows it."""
        cached = self._parsed.pop(row.source_id, None)
        return cached[1] if cached is not None and cached[0] == row.seen else None

    def _queues(self, rows: Sequence[Any], loaded: Sequence[Any], workers: int) -> Sequence[Queue]:
        """What each thread works on: all on the same."""
        return [Queue(rows, loaded)] * min(workers, len(rows))

    def _load(self, row: Any) -> Any:
        """The shared record of a row, or the exception that says why there is none."""
        try:
            if (known := self._recall(row)) is not None:
                return known
            if row.payload is not None:
                return self.source.parse(unpack(row.payload))
            found = self.source.get(row.source_id)
            if found is None:
                name = f"{self.profile.entity} {row.source_number or row.source_id}"
                raise RecordFailed(f"{name} no longer exists in {self.source.connector.account.name}.")
            if found.error is not None or found.payload is None:
                raise RecordFailed(found.error or "it has no content")
            return self.source.parse(found.payload)
        except Exception as error:
            return error

    def _attempts(self, queue: Queue) -> None:
        """One thread's share: claim, write, log, record by record. The commit that ends one claims the next."""
        keep_to(self._core)
        try:
            given, claimed = queue.take(), None
            while given is not None:
                row, record = given
                claimed = claimed or (self.ledger.claim(row) if self._goes_on() else None)
                given, claimed = self._attempt(row, record, claimed, queue) if claimed else (queue.take(), None)
        finally:
            queue.close()  # it is empty, or nothing else may begin

    def _goes_on(self) -> bool:
        """Whether another record may be begun."""
        if self.halt is not None or self.stop.is_set():
            return False
        try:
            self.may_write()
        except StopRun as error:
            self._end_all(error)
            return False
        return True

    def _attempt(self, row: Any, record: Any, claimed: Any, queue: Queue) -> tuple[tuple[Any, Any] | None, Any | None]:
        """Write and log one record; returns the next one, and what it was claimed with. Nothing that a record does stops
        the others."""
        known = Attempt(self.ledger, self.links, row, claimed, self.target.key_ref)
        known.queue = queue
        try:
            with self.database.gathering():
                outcome = self._outcome(row, record, known, claimed)
        except Lost:
            log.warning("%s %s was taken over by another run", self.profile.entity, row.source_number)
        else:
            self._count(outcome)
        return known.following or queue.take(), known.following_claimed

    def _outcome(self, row: Any, record: Any, known: Attempt, claimed: Any) -> str:
        end = partial(self._finish, row, known)
        options = self.options(None if isinstance(record, Exception) else record)
        limit = options.retry_max_attempts
        try:
            if claimed.tries > FRUITLESS_LIMIT:
                raise RecordFailed(f"It ended its worker {claimed.tries - 1} times without progress and is set aside.")
            if isinstance(record, Exception):
                raise record
            back = self._counterparts([row.source_id] if not _written(row) else [])
            self._refuse_returned(row.source_id, row.source_number, row, back)
            if said := self._in_the_making(record, row):
                raise RetryLater(said.rstrip("."), after=MAKING_SECONDS, counts=False)
            if self._admits(record, options, row) and (missing := self.target.check(record, options)):
                raise RecordFailed(
                    f"{self.profile.entity} {row.source_number}: {'; '.join(missing)}.",
                    setting=next((one.setting for one in missing if isinstance(one, Missing)), None),
                )
            self._take_up(row, known)
            self._before_write(row, known)
            written: Written = self.target.write(record, known, options)
            if (told := self.source.acknowledge(record, written, known, options)) is not None:
                known.note(told)
            status = SyncStatus.COMPLETE if written.created or row.digest is None else SyncStatus.UPDATED
            self.unreachable = 0
            digest = record.substance() if row.seen is None or row.payload is None else row.seen
            return end(status, _sentences(written.message, known.notes), digest=digest)
        except Lost:
            raise
        except SkipRecord as error:
            return end(SyncStatus.SKIPPED, str(error), setting=error.setting)
        except RecordFailed as error:
            return end(SyncStatus.FAILED, str(error), setting=error.setting)
        except Unreachable as error:
            with self._guard:
                self.unreachable += 1
                if self.unreachable >= UNREACHABLE_LIMIT and self.halt is None:
                    self.halt = StopRun(f"{_said(error)}. All records wait for the next run.")
            return end(SyncStatus.PENDING, f"{_said(error)}. It is tried again.", after=5.0, uncount=True)
        except RetryLater as error:
            doubt = isinstance(error, InDoubt)
            if self.stop.is_set():
                return end(SyncStatus.PENDING, f"{_said(error)}. The run was stopped.", doubt=doubt, uncount=True)
            tries = 1 if known.progressed else claimed.tries
            if error.counts and tries >= limit:
                said = f"{_said(error)}. {tries} attempts without success; the next run tries again."
                return end(SyncStatus.FAILED, said, transient=True, doubt=doubt)
            after = error.after if error.after is not None else min(60.0, 2.0**tries) * random.uniform(0.7, 1.3)
            at = now() + timedelta(seconds=after)
            # what was set aside says the same each time, so that it is told once
            said = f"{_said(error)}." if error.aside else f"{_said(error)}. Next attempt at {at:%H:%M:%S} UTC."
            self._aside = self._aside or error.aside
            more = {"doubt": doubt, "after": after, "uncount": not error.counts, "transient": error.aside}
            return end(SyncStatus.PENDING, said, **more)
        except StopRun as error:
            self._end_all(error)
            return end(SyncStatus.PENDING, f"The run stopped: {error}", uncount=True)
        except DatabaseTrouble:
            raise
        except Exception as error:
            log.exception("%s %s", self.profile.entity, row.source_number)
            return end(SyncStatus.FAILED, f"An unexpected fault ({type(error).__name__}); the log has the details.")

    def _before_write(self, row: Any, known: Known) -> None:
        """Raise what keeps this record from being written just now."""

    def _end_all(self, error: ConnectorError) -> None:
        """Nothing in this run can succeed any more: what is on its way ends, nothing else begins."""
        with self._guard:
            self.halt = self.halt or error

    def _finish(self, row: Any, known: Attempt, status: SyncStatus, message: str, **more: Any) -> str:
        known.following = known.queue.take() if known.queue and self._goes_on() else None
        row_after = known.following[0] if known.following else None
        known.following_claimed = self.ledger.finish(
            row, status, message, refs=known.refs, target_id=known.target_id, following=row_after, **more
        )
        if self._aside and status != SyncStatus.PENDING:
            self.ledger.wake(row)
        if status == SyncStatus.FAILED:
            with self._guard:
                self._because(message, row.source_number or row.source_id)
        return str(status)

    def _count(self, status: str) -> None:
        with self._guard:
            if status != SyncStatus.PENDING:
                self.tally[status] += 1
                self.done += 1
        self.tell("Sending")

    # a dry run

    def _dry(self, order: str | None) -> None:
        self.target.client.dry = self.target.pretend
        self.source.client.dry = lambda method, path, body: {}  # nothing is changed there either
        missing: OrderedDict[str, None] = OrderedDict()
        self._plan_all(order, missing)
        self._refuse(missing)  # as the run would; what it would do with the others stands in the plan

    def _plan_all(self, order: str | None, missing: OrderedDict[str, None]) -> None:
        if order is not None:
            self._plan(self._named(order), missing, asked=True)
            return
        if self.last is not None:
            if not self.source.offers("latest"):
                raise StopRun(f"{self.source.connector.label} cannot be asked for its newest records.")
            self._plan(self.source.latest(self.last), missing, asked=True)
            return
        read = 0
        seen: set[str] = set()
        for page in self.source.read(self._since(), self.options()):
            self._plan(page.records, missing)
            seen.update(found.key for found in page.records)
            read += len(page.records)
            self.tell("Planning", done=read, total=page.total)
            if self.stop.is_set():
                return
        after = 0
        while rows := self.ledger.due(after, self.options().batch_size):
            after = rows[-1].id
            waiting = [self._waiting(row) for row in rows if row.source_id not in seen]
            self._plan([one for one in waiting if one is not None], missing)
            if self.stop.is_set():
                return

    def _waiting(self, row: Any) -> Found | None:
        """A record that waits, as it was read; one whose payload was dropped is read anew."""
        if row.payload is None:
            return self.source.get(row.source_id)
        return Found(
            key=row.source_id,
            number=row.source_number,
            version=row.version or "",
            updated_at=None,
            payload=unpack(row.payload),
        )

    def _plan(self, page: Sequence[Found], all_missing: OrderedDict[str, None], *, asked: bool = False) -> None:
        """What would be done with these records; of those that are done only when a person asked for them."""
        page = [fitted(found) for found in page]
        rows = self._known(page)
        for found in page:
            if self.stop.is_set():
                return
            row = rows.get(found.key)
            done = row is not None and row.status not in (SyncStatus.PENDING, SyncStatus.FAILED)
            if row is not None and done and row.version == found.version and not asked:
                continue
            line: dict[str, Any] = {"source_id": found.key, "source_number": found.number, "calls": []}
            missing: OrderedDict[str, None] = OrderedDict()
            decision = self._decide(found, row, missing)
            line["kind"] = decision.facts.kind if decision is not None else row.kind if row is not None else None
            if decision is None:
                line.update(action="skip", message="Nothing changed since it was written.")
                if asked and row is not None and row.target_id:
                    self._plan_unchanged(found, row, line)
            elif decision.status != SyncStatus.PENDING:
                action = "skip" if decision.status == SyncStatus.SKIPPED else str(decision.status)
                line.update(action=action, message=decision.message, setting=decision.setting)
            elif missing:
                all_missing.update(missing)
                self.tally["failed"] += 1
                line.update(action="failed", message="; ".join(missing))
            elif decision.next_attempt_at is not None and not asked:
                self.tally["pending"] += 1
                line.update(action="pending", message=decision.message, setting=decision.setting)
            else:
                self._plan_write(found, row, line)
                if decision.next_attempt_at is not None:
                    said = f"A run by the clock would leave it for now: {decision.message}"
                    line["message"] = f"{line['message']} {said}"
            if self.planned is None:
                self.plan.append(line)
            else:
                self.planned(line)

    def _plan_unchanged(self, found: Found, row: Any, line: dict[str, Any]) -> None:
        """What differs at the target from what was written there: a run leaves it, until a person puts it back."""
        tally, reasons = Counter(self.tally), list(self.reasons)
        record = self.source.parse(found.payload) if found.payload is not None else None
        if record is None:
            return
        self._remember(found.key, record.substance(), record)
        self._plan_write(found, row, line)
        self.tally, self.reasons = tally, reasons
        if line["action"] in ("create", "update", UP_TO_DATE):
            said = "Nothing changed since it was written, and nothing differs there."
            if line["calls"]:
                said = "Nothing changed since it was written, so a run leaves it. Put back to pending, it would be sent so."
            line["message"] = said
        line["action"] = "skip"

    def _plan_write(self, found: Found, row: Any, line: dict[str, Any]) -> None:
        record = self._parsed.pop(found.key)[1]
        known = Plan(self.ledger, self.links, row)
        options = self.options(record)
        for client in (self.source.client, self.target.client):
            client.planned.clear()
        try:
            self.target.prepare([record], self.options)
            written = self.target.write(record, known, options)
            if (told := self.source.acknowledge(record, written, known, options)) is not None:
                known.note(told)
            status, action = ("complete", "create") if written.created else ("updated", "update")
            if not (written.created or self.target.client.planned or self.source.client.planned):
                status = action = UP_TO_DATE
            line.update(action=action, message=written.message, refs=known.refs)
            line["totals"] = _totals(record, written)
        except SkipRecord as error:
            status = "skipped"
            line.update(action="skip", message=str(error), setting=error.setting)
        except (RecordFailed, RetryLater) as error:
            status = "pending" if isinstance(error, RetryLater) and error.aside else "failed"
            if status == "failed":
                self._because(str(error), found.number)
            line.update(action=status, message=str(error))
        except (ConnectorError, DatabaseTrouble):
            raise
        except Exception as error:
            log.exception("%s %s", self.profile.entity, found.number)
            status, said = "failed", f"An unexpected fault ({type(error).__name__}); the log has the details."
            self._because(said, found.number)
            line.update(action="failed", message=said)
        self.tally[status] += 1
        line["notes"] = known.notes
        line["scope"] = {"website": getattr(record, "website", None), "store": getattr(record, "store", None)}
        line["calls"] = [
            self._planned_call(*call, self.target.origins(*call, record, options))
            for call in self.target.client.planned
        ]
        for method, path, body in self.source.client.planned:  # the source is told that the target has it
            own = dict.fromkeys((at for at, _value in leaves(body)), Origin(said="told to the source itself"))
            made = self._planned_call(method, path, body, own)
            line["calls"].append({**made, "system": self.source.connector.account.name})

    def _planned_call(self, method: str, path: str, body: Any, origins: Mapping[str, Origin]) -> dict[str, Any]:
        """A call with, of each value in its body by its path, where it comes from."""
        told = {
            at: {key: value for key, value in vars(one).items() if value is not None} for at, one in origins.items()
        }
        return {"method": method, "path": path, "body": json.loads(dumps(body)), "origins": told}  # as it is sent

    # telling

    def _because(self, reason: str, number: str | None = None) -> None:
        """The number goes before a reason that does not name it itself."""
        if len(self.reasons) < 20:
            self.reasons.append(reason if not number or number in reason else f"{number}: {reason}")

    def counts(self) -> Counter[str]:
        counts = Counter(self.tally)
        if not self.dry_run:
            counts["pending"] = self.ledger.count_pending()
        return counts

    def tell(self, text: str, *, done: int | None = None, total: int | None = None) -> None:
        self.report(
            Progress(
                done=self.done if done is None else done,
                total=self.total if done is None else total,
                counts=dict(self.tally),
                text=text,
            )
        )

    def summary(self) -> str:
        """The run in one line, with the first reason of a failure."""
        counts = self.counts()
        said = ", ".join(f"{counts[one]} {one}" for one in (*COUNTED, UP_TO_DATE) if counts[one])
        text = f"{'Dry run, nothing was sent: ' if self.dry_run else ''}{said or 'nothing to do'}."
        if self.stop.is_set():
            text += " It was stopped before its end."
        if not self.reasons:
            return text
        return f"{text} {'First reason: ' if counts['failed'] else ''}{self.reasons[0]}"


def _written(row: Any | None) -> bool:
    """Whether the record is at the target for certain."""
    return row is not None and row.target_id is not None


def _untouched(row: Any | None) -> bool:
    """Whether nothing of the record can be at the target yet."""
    return not _written(row) and (row is None or row.doubt_at is None)


def _said(error: Exception) -> str:
    """An error as the beginning of a sentence that goes on."""
    return str(error).rstrip(".")


def _sentences(said: str, notes: Sequence[str]) -> str:
    """One message, each note a sentence of its own: translations are found sentence by sentence."""
    if notes and not said.endswith((".", "!", "?")):
        said = f"{said}."
    return " ".join([said, *notes])


def _totals(record: Any, written: Written) -> dict[str, str] | None:
    """The record's total on both sides, as texts; None where the target computes none."""
    total = getattr(record, "grand_total", None)
    if total is None or written.total is None:
        return None
    return {"source": f"{total:.2f}", "target": f"{written.total:.2f}", "currency": str(record.currency)}


def facts_of(record: Any) -> Facts:
    """What the listing shows; absent fields stay empty."""
    customer = getattr(record, "customer", None)
    total, currency = getattr(record, "grand_total", None), getattr(record, "currency", None)
    kind = getattr(getattr(record, "fulfilment", record), "kind", OrderKind.SALE)
    return Facts(
        kind=None if kind == OrderKind.SALE else str(kind),
        store=getattr(record, "store", None),
        status=getattr(record, "status", None),
        customer=getattr(customer, "key", None),
        amount=f"{total:.2f} {currency}" if total is not None else None,
        created_at=getattr(record, "created_at", None),
    )
