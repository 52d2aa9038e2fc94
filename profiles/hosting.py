"""What the host lends to a connector at work, kept in the database: shared facts, catalogues, the data log."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.orm import Session

from connector import Entry, Host, RetryLater
from connector.client import LoggedCall
from connector.registry import plugins
from profiles import models
from profiles.db import Database, insert_or_ignore, now
from profiles.prepared import Prepared
from profiles.secrets import redact_text, seal, unseal
from profiles.workers import alone, dead, me

LOG_BATCH = 100
LOG_SECONDS = 2.0
BODY_LIMIT = 64 * 1024

data_log = cast(Table, models.DataLog.__table__)
LOG = Prepared(insert(data_log), *(column.name for column in data_log.c if column.name != "id"))

Change = Callable[[dict[str, Any] | None], dict[str, Any] | None]


class State:
    """Shared facts of one connection (`connector.SharedState`): one encrypted row each, changed by compare-and-swap."""

    def __init__(self, database: Database, connection_id: int, stop: threading.Event) -> None:
        self.database = database
        self.connection_id = connection_id
        self.stop = stop

    def _row(self, key: str) -> tuple[str | None, int] | None:
        shared = models.Shared
        with self.database.reading() as session:
            found = session.execute(
                select(shared.value, shared.version).where(
                    shared.connection_id == self.connection_id, shared.key == key
                )
            ).first()
        return (found[0], found[1]) if found else None

    def read(self, key: str) -> dict[str, Any] | None:
        row = self._row(key)
        return unseal(row[0]) if row and row[0] else None

    def change(self, key: str, change: Change) -> dict[str, Any] | None:
        shared = cast(Table, models.Shared.__table__)
        while True:
            row = self._row(key)
            made = change(unseal(row[0]) if row and row[0] else None)
            value = None if made is None else seal(made)
            with self.database.session() as session:
                # RETURNING, not a row count: drivers do not agree on the count of an ignored insert
                if row is None:
                    statement: Any = insert_or_ignore(shared, sqlite=self.database.sqlite).values(
                        connection_id=self.connection_id, key=key, value=value, version=1
                    )
                else:
                    statement = (
                        update(shared)
                        .where(
                            shared.c.connection_id == self.connection_id,
                            shared.c.key == key,
                            shared.c.version == row[1],
                        )
                        .values(value=value, version=row[1] + 1)
                    )
                if session.execute(statement.returning(shared.c.key)).first() is not None:
                    return made
            time.sleep(random.uniform(0, 0.01))

    @contextmanager
    def lock(self, key: str, seconds: float) -> Iterator[bool]:
        """Held by one thread of one process; a dead holder's lock is taken over at once, another's when it expires."""
        with alone((self.database.url, self.connection_id, key)):
            self._take(f"lock:{key}", seconds)
            try:
                yield True
            finally:
                shared = models.Shared
                with self.database.session() as session:
                    session.execute(
                        delete(shared).where(
                            shared.connection_id == self.connection_id,
                            shared.key == f"lock:{key}",
                            shared.holder == me(),
                        )
                    )

    def _take(self, key: str, seconds: float) -> None:
        shared = cast(Table, models.Shared.__table__)
        give_up = time.monotonic() + seconds * 2
        mine = (shared.c.connection_id == self.connection_id, shared.c.key == key)
        while True:
            with self.database.session() as session:
                until = now() + timedelta(seconds=seconds)
                found = session.execute(select(shared.c.holder, shared.c.held_until).where(*mine)).first()
                if found and (found.held_until < now() or dead(found.holder) or found.holder == me()):
                    session.execute(delete(shared).where(*mine))
                    found = None
                if not found:
                    taken = insert_or_ignore(shared, sqlite=self.database.sqlite).values(
                        connection_id=self.connection_id, key=key, version=0, holder=me(), held_until=until
                    )
                    if session.execute(taken.returning(shared.c.key)).first() is not None:
                        return
            if self.stop.is_set() or time.monotonic() > give_up:
                raise RetryLater(f"another worker holds {key}", counts=False)
            self.stop.wait(0.1)


class Hosting(Host):
    """The host of one connection during one piece of work. `close` writes what is still in memory."""

    def __init__(
        self,
        database: Database,
        connection_id: int,
        identifier: str,
        *,
        task_id: int | None = None,
        stop: threading.Event | None = None,
        may_write: Callable[[], None] | None = None,
        dry_run_by: str | None = None,
    ) -> None:
        self.database = database
        self.connection_id = connection_id
        self.identifier = identifier
        self._may_write = may_write
        self.task_id = task_id
        self.dry_run_by = dry_run_by
        self.stop = stop or threading.Event()
        self.state = State(database, connection_id, self.stop)
        self._catalogues: dict[str, list[Entry]] = {}
        self._seen: dict[str, dict[str, bool]] = {}
        self._calls: list[dict[str, Any]] = []
        self._written = time.monotonic()
        self._guard = threading.Lock()

    def may_write(self) -> None:
        if self._may_write is not None:
            self._may_write()

    def settle(self) -> None:
        self.database.flush()

    def catalogue(self, kind: str) -> Sequence[Entry]:
        with self._guard:
            if kind not in self._catalogues:
                self._catalogues[kind] = catalogue(self.database, self.connection_id, kind)
            return self._catalogues[kind]

    def learn(self, kind: str, entries: Iterable[Entry]) -> None:
        if kind not in self._seen:
            with self.database.reading() as session:
                self._seen[kind] = _seen(session, self.connection_id, kind)
        known, fresh, met = self._seen[kind], [], []
        for one in entries:
            usual = one.extra.get("seen") is False  # it may be mapped, no record is known to have it
            if one.id and one.id not in known:
                fresh.append(one)
            elif one.id and not usual and not known[one.id]:
                met.append(one.id)
            else:
                continue
            known[one.id] = not usual
        if fresh:
            store_entries(self.database, self.connection_id, kind, fresh, learned=True)
        if met:
            _mark_seen(self.database, self.connection_id, kind, met)

    def channels(self) -> Collection[str]:
        profile, end = models.Profile, models.Connection
        query = (
            select(end.connector).join(profile, profile.from_id == end.id).where(profile.to_id == self.connection_id)
        )
        with self.database.reading() as session:
            found = {plugins().get(code) for code in session.scalars(query)}
        names = {one.connector.channel for one in found if one is not None and one.connector is not None}
        return {name for name in names if name}

    def reads(self) -> Collection[str]:
        profile = models.Profile
        with self.database.reading() as session:
            return set(session.scalars(select(profile.entity).where(profile.from_id == self.connection_id)))

    def procedures(self) -> Collection[str]:
        row, profile = models.EventProcedure, models.Profile
        query = select(row.procedure).join(profile, profile.id == row.profile_id)
        # also one whose profile is switched off just now: what it decides is left to people, and not done for them
        with self.database.reading() as session:
            return set(session.scalars(query.where(profile.to_id == self.connection_id, row.active.is_(True))))

    def log(self, call: LoggedCall) -> None:
        row = {
            "connection_id": self.connection_id,
            "task_id": self.task_id,
            "identifier": self.identifier,
            "path": _clip(call.path + (f"?{call.query}" if call.query else ""), 1024),
            "method": call.method,
            "status": call.status,
            "seconds": round(call.seconds, 4),
            "reference": call.reference,
            "dry_run_by": self.dry_run_by,
            "error": _clip(redact_text(call.error), 2000) if call.error else None,
            "request": _clip(redact_text(call.request), BODY_LIMIT) if call.request else None,
            "response": _clip(redact_text(call.response), BODY_LIMIT) if call.response else None,
            "created_at": now(),
        }
        with self._guard:
            self._calls.append(row)
            due = len(self._calls) >= LOG_BATCH or time.monotonic() - self._written > LOG_SECONDS
        if due:
            self.flush()

    def flush(self) -> None:
        with self._guard:
            rows, self._calls = self._calls, []
            self._written = time.monotonic()
        if rows:
            self.database.write(lambda transaction: transaction.many(LOG, rows))

    def close(self) -> None:
        self.flush()


def _clip(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def catalogue(database: Database, connection_id: int, kind: str) -> list[Entry]:
    """The collected and learned entries of a kind, in the system's own order."""
    row = models.CatalogueEntry
    with database.reading() as session:
        return [
            Entry(id=found.entry, name=found.name, extra=found.extra)
            for found in session.execute(
                select(row.entry, row.name, row.extra)
                .where(row.connection_id == connection_id, row.kind == kind)
                .order_by(row.id)
            )
        ]


def seen(learned: bool, extra: Mapping[str, Any] | None) -> bool:
    """Whether a record had this value: it was learned from one, or it was collected and one was met later. What may be
    mapped before any record was read (usual values) says `seen: False`."""
    said = (extra or {}).get("seen")
    return learned if said is None else bool(said)


def _seen(session: Session, connection_id: int, kind: str) -> dict[str, bool]:
    row = models.CatalogueEntry
    query = select(row.entry, row.learned, row.extra).where(row.connection_id == connection_id, row.kind == kind)
    return {one.entry: seen(one.learned, one.extra) for one in session.execute(query)}


def _mark_seen(database: Database, connection_id: int, kind: str, ids: Sequence[str]) -> None:
    row = models.CatalogueEntry
    query = select(row).where(row.connection_id == connection_id, row.kind == kind, row.entry.in_(ids))
    with database.session() as session:
        for one in session.scalars(query):
            one.extra = {**(one.extra or {}), "seen": True}


def store_entries(
    database: Database, connection_id: int, kind: str, entries: Sequence[Entry], *, learned: bool = False
) -> None:
    """Keep entries. Collected ones replace what was collected before, but for what records were seen to have; learned
    ones are only added."""
    row = cast(Table, models.CatalogueEntry.__table__)
    moment: datetime = now()
    unique = {one.id: one for one in entries}
    with database.session() as session:
        met: set[str] = set()
        if not learned:
            met = {id for id, was in _seen(session, connection_id, kind).items() if was}
            session.execute(
                delete(row).where(row.c.connection_id == connection_id, row.c.kind == kind, row.c.learned.is_(False))
            )
            session.execute(
                delete(row).where(
                    row.c.connection_id == connection_id, row.c.kind == kind, row.c.entry.in_(list(unique)[:5000])
                )
            )
        if unique:
            session.execute(
                insert_or_ignore(row, sqlite=database.sqlite),
                [
                    {
                        "connection_id": connection_id,
                        "kind": kind,
                        "entry": one.id,
                        "name": one.name,
                        "extra": {**one.extra, "seen": True} if one.id in met else dict(one.extra),
                        "learned": learned,
                        "collected_at": moment,
                    }
                    for one in unique.values()
                ],
            )


__all__ = ["Hosting", "State", "catalogue", "store_entries"]
