"""The sync records of one profile: the only hands that move them. Knows no system and calls nobody.

A row is claimed by one conditional update and written only by the worker that holds it: whoever lost it (a paused
process that comes back) changes nothing. Every move that people should see writes one line of history with it.
"""

from __future__ import annotations

import functools
import hashlib
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Integer, Table, and_, bindparam, case, delete, func, insert, literal, or_, select, update
from sqlalchemy.orm import Session, aliased

from connector import Counterpart, Found, Payload
from connector.client import kept, loads
from profiles import models
from profiles.db import Database, now
from profiles.fitting import fit_key
from profiles.models import LONGEST_KEY, SyncStatus
from profiles.prepared import Prepared, Transaction

records = cast(Table, models.SyncRecord.__table__)
history = cast(Table, models.SyncHistory.__table__)
written = cast(Table, models.Written.__table__)

DONE = (SyncStatus.COMPLETE, SyncStatus.UPDATED)
# what another profile of the same work takes over of a record whose profile was deleted
INHERITED = (
    *("source_id", "source_number", "target_id", "refs", "digest"),
    *("kind", "store", "source_status", "customer", "amount", "source_created_at"),
)


CLAIM = Prepared(
    update(records)
    .where(records.c.id == bindparam("row"), records.c.status == SyncStatus.PENDING)
    .values(
        status=SyncStatus.PROCESSING,
        worker=bindparam("mine"),
        attempts=records.c.attempts + 1,
        tries=records.c.tries + 1,
        updated_at=bindparam("moment"),
    )
    .returning(records.c.attempts, records.c.tries, records.c.doubt_at, records.c.refs, records.c.forced)
)


@functools.cache
def _change(*names: str, own: bool) -> Prepared:
    """An update of these columns of one row; `own`: if the worker `mine` holds it, else if no worker does.
    `tries_less` takes from `tries`."""
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names if name != "tries_less"}
    if "tries_less" in names:
        values["tries"] = records.c.tries - bindparam("new_tries_less", type_=Integer)
    held = records.c.worker == bindparam("mine") if own else records.c.status != SyncStatus.PROCESSING
    return Prepared(update(records).where(records.c.id == bindparam("row"), held).values(values))


@functools.cache
def _add(*names: str) -> Prepared:
    told = (records.c.id, records.c.source_id, records.c.source_number, records.c.target_id)
    return Prepared(insert(records).returning(*told), *names)


@functools.cache
def _tell(*names: str) -> Prepared:
    return Prepared(insert(history), *names)


def _new(values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


class Lost(Exception):
    """The row is no longer ours: another run took it over."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the listing shows of a record, besides keys: taken from the shared record."""

    kind: str | None = None
    store: str | None = None
    status: str | None = None
    customer: str | None = None
    amount: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What was decided of a record that was read: its status, and why."""

    status: SyncStatus
    message: str | None = None
    setting: str | None = None
    cause: str | None = None
    next_attempt_at: datetime | None = None
    facts: Facts = Facts()
    seen: str | None = None  # fingerprint
    transient: bool = False  # of a failure: the next runs try it again by themselves


def pack(payload: Payload, made: bytes | None = None) -> bytes:
    """The payload for the column. `made`: its JSON, where the source has it already."""
    return zlib.compress(made or kept(payload), 1)


def unpack(packed: bytes) -> Payload:
    return cast(Payload, loads(zlib.decompress(packed)))


def fingerprint(message: str) -> str:
    """Equal for messages that differ only in numbers and quoted values: the cause that failures are grouped by."""
    plain = re.sub(r"'[^']*'|\"[^\"]*\"|\d+(?:[.,]\d+)*", "#", message)
    return hashlib.sha1(plain.encode(errors="replace")).hexdigest()[:16]


def fitted(found: Found) -> Found:
    """The record with a key and a version as the ledger will know them: they are compared, so they must not be clipped
    on their way to it."""
    key, version = fit_key(found.key, LONGEST_KEY), fit_key(found.version, LONGEST_KEY)
    return found if (key, version) == (found.key, found.version) else replace(found, key=key, version=version)


def keep_written(session: Session, profile: models.Profile) -> None:
    """Remember what a profile wrote, or may have written, that is about to be deleted with its records."""
    work = (profile.from_id, profile.to_id, profile.entity)
    mine = (
        records.c.profile_id == profile.id,
        or_(
            records.c.target_id.is_not(None),
            records.c.doubt_at.is_not(None),
            records.c.status == SyncStatus.PROCESSING,
        ),
    )
    # what it took over from an earlier one that was deleted, it knows better
    known = (written.c.from_id, written.c.to_id, written.c.entity)
    known_before = and_(*(column == value for column, value in zip(known, work, strict=True)))
    sources = select(records.c.source_id).where(*mine)
    session.execute(delete(written).where(known_before, written.c.source_id.in_(sources)))
    fixed = (*work, profile.name, now())
    told = select(
        *(
            literal(value, column.type)
            for value, column in zip(fixed, (*known, written.c.profile, written.c.updated_at), strict=True)
        ),
        *(records.c[name] for name in INHERITED),
        records.c.status.in_(DONE),
    ).where(*mine)
    names = ("from_id", "to_id", "entity", "profile", "updated_at", *INHERITED, "finished")
    session.execute(insert(written).from_select(names, told))


class Ledger:
    """One profile's sync records, for one run."""

    def __init__(self, database: Database, profile_id: int, direction: str, worker: str, task_id: int | None) -> None:
        self.database = database
        self.profile_id = profile_id
        self.direction = direction
        self.worker = worker
        self.task_id = task_id
        self._written = False

    def _line(self, row: Any, status: str, message: str | None, moment: datetime, **changed: Any) -> dict[str, Any]:
        return {
            "profile_id": self.profile_id,
            "record_id": row.id,
            "task_id": self.task_id,
            "source_id": row.source_id,
            "source_number": row.source_number,
            "target_id": changed.get("target_id", row.target_id),
            "status": status,
            "direction": self.direction,
            "message": message,
            "created_at": moment,
        }

    # reading

    def known(self, session: Session, keys: Sequence[str]) -> dict[str, Any]:
        """The rows of these source keys, without payloads."""
        columns = [column for column in records.c if column.name != "payload"]
        found = session.execute(
            select(*columns).where(records.c.profile_id == self.profile_id, records.c.source_id.in_(keys))
        )
        return {row.source_id: row for row in found}

    def store(self, transaction: Transaction, found: Found, row: Any | None, decision: Decision) -> None:
        """Write what was read and decided. Raises Lost when a worker holds the row: another run is at work on it."""
        moment = now()
        values: dict[str, Any] = {
            "source_number": found.number,
            "version": found.version,
            "status": decision.status,
            "message": decision.message,
            "setting": decision.setting,
            "cause": decision.cause,
            "next_attempt_at": decision.next_attempt_at,
            "tries": 0,
            "transient": decision.transient,
            "seen": decision.seen,
            "kind": decision.facts.kind,
            "store": decision.facts.store,
            "source_status": decision.facts.status,
            "customer": decision.facts.customer,
            "amount": decision.facts.amount,
            "source_created_at": decision.facts.created_at,
            "payload": pack(found.payload, found.kept)
            if decision.status == SyncStatus.PENDING and found.payload
            else None,
            "updated_at": moment,
        }
        if row is None:
            values |= {"profile_id": self.profile_id, "source_id": found.key, "created_at": moment}
            values |= {"refs": {}, "attempts": 0, "forced": False}
            row = transaction.one(_add(*values), values)
        else:
            if transaction.run(_change(*values, own=False), {"row": row.id, **_new(values)}) != 1:
                raise Lost(f"sync record {row.id}")
        if decision.status != SyncStatus.PENDING:
            line = self._line(row, decision.status, decision.message, moment)
            transaction.run(_tell(*line), line)

    def unchanged(self, transaction: Transaction, row: Any, found: Found) -> None:
        """The source touched the record without changing what matters."""
        transaction.run(_change("version", own=False), {"row": row.id, "new_version": found.version})

    # work

    def take_over(self) -> int:
        """At the start of a run: rows that a dead or lost run was working on become pending, their outcome in doubt."""
        moment = now()
        with self.database.session() as session:
            rows = session.execute(
                select(records).where(
                    records.c.profile_id == self.profile_id, records.c.status == SyncStatus.PROCESSING
                )
            ).all()
            for row in rows:
                message = "The worker ended in the middle; what it created is looked up before anything is sent again."
                session.execute(
                    update(records)
                    .where(records.c.id == row.id, records.c.worker == row.worker)
                    .values(
                        status=SyncStatus.PENDING,
                        worker=None,
                        doubt_at=moment,
                        next_attempt_at=None,
                        message=message,
                        updated_at=moment,
                    )
                )
                session.execute(insert(history), [self._line(row, SyncStatus.PENDING, message, moment)])
        return len(rows)

    def inherit(self) -> None:
        """At the start of a run: take over what profiles of the same work wrote, or began, that were deleted."""
        while True:
            with self.database.session() as session:
                gone = session.execute(
                    self._same_work(models.Written, *written.c).order_by(written.c.id).limit(500)
                ).all()
                if not gone:
                    return
                mine = self.known(session, [row.source_id for row in gone])
                for row in gone:
                    self._inherit(session, row, mine.get(row.source_id))
                session.execute(delete(written).where(written.c.id.in_([row.id for row in gone])))

    def _inherit(self, session: Session, gone: Any, mine: Any | None) -> None:
        if mine is not None and mine.target_id is not None:
            return
        moment = now()
        values = {name: getattr(gone, name) for name in INHERITED}
        if gone.finished:
            message = f"Taken over from profile {gone.profile}, which was deleted."
            values |= {"status": SyncStatus.COMPLETE, "doubt_at": None}
        else:
            message = (
                f"Profile {gone.profile} was deleted before it had finished it; what it created is looked up first."
            )
            values |= {"status": SyncStatus.PENDING, "doubt_at": gone.updated_at}
        values |= {"message": message, "setting": None, "cause": None, "next_attempt_at": None, "updated_at": moment}
        values |= {"version": None, "payload": None, "tries": 0, "transient": False}  # it is read and decided anew
        if mine is None:
            values |= {"profile_id": self.profile_id, "created_at": moment, "attempts": 0, "forced": False}
            told = (records.c.id, records.c.source_id, records.c.source_number, records.c.target_id)
            mine = session.execute(insert(records).values(values).returning(*told)).one()
        else:
            session.execute(update(records).where(records.c.id == mine.id).values(values))
        line = self._line(mine, values["status"], message, moment, target_id=gone.target_id)
        session.execute(insert(history), [line])

    def renew_failed(self, limit: int) -> int:
        """Records that only ran out of attempts get new ones in a new run, for the first `limit` attempts in all."""
        with self.database.session() as session:
            done = session.execute(
                update(records)
                .where(
                    records.c.profile_id == self.profile_id,
                    records.c.status == SyncStatus.FAILED,
                    records.c.transient.is_(True),
                    records.c.attempts < limit,
                )
                .values(status=SyncStatus.PENDING, tries=0, transient=False, next_attempt_at=None, updated_at=now())
            )
        return int(done.rowcount)  # type: ignore[attr-defined]

    def reconsider(self, since: datetime, limit: int) -> int:
        """The settings changed: what a setting had skipped lately is decided anew, and what had failed is tried anew."""
        with self.database.session() as session:
            ids = session.scalars(
                select(records.c.id)
                .where(
                    records.c.profile_id == self.profile_id,
                    or_(
                        and_(records.c.status == SyncStatus.SKIPPED, records.c.setting.is_not(None)),
                        records.c.status == SyncStatus.FAILED,
                    ),
                    records.c.updated_at >= since,
                )
                .order_by(records.c.id.desc())
                .limit(limit)
            ).all()
            if ids:
                session.execute(
                    update(records)
                    .where(records.c.id.in_(ids))
                    .values(
                        status=SyncStatus.PENDING,
                        setting=None,
                        tries=0,
                        transient=False,
                        next_attempt_at=None,
                        message="The settings changed; it is decided anew.",
                        updated_at=now(),
                    )
                )
        return len(ids)

    def _due(self, moment: datetime) -> Any:
        return and_(
            records.c.profile_id == self.profile_id,
            records.c.status == SyncStatus.PENDING,
            or_(records.c.next_attempt_at.is_(None), records.c.next_attempt_at <= moment),
        )

    def due(self, after: int, limit: int, *, only: Sequence[int] | None = None) -> list[Any]:
        """Rows to work on now, with payloads, by id beyond `after`."""
        query = select(records).where(self._due(now()), records.c.id > after).order_by(records.c.id).limit(limit)
        if only is not None:
            query = query.where(records.c.id.in_(only))
        with self.database.reading() as session:
            return list(session.execute(query).all())

    def count_due(self, *, only: Sequence[int] | None = None) -> int:
        query = select(func.count()).select_from(records).where(self._due(now()))
        if only is not None:
            query = query.where(records.c.id.in_(only))
        with self.database.reading() as session:
            return int(session.scalar(query) or 0)

    def count_pending(self) -> int:
        with self.database.reading() as session:
            return int(
                session.scalar(
                    select(func.count())
                    .select_from(records)
                    .where(records.c.profile_id == self.profile_id, records.c.status == SyncStatus.PENDING)
                )
                or 0
            )

    def next_retry(self, until: datetime, *, only: Sequence[int] | None = None) -> datetime | None:
        """When the next record that was already tried is due, if that is before `until`."""
        query = select(func.min(records.c.next_attempt_at)).where(
            records.c.profile_id == self.profile_id,
            records.c.status == SyncStatus.PENDING,
            records.c.attempts > 0,
            # no run waits for what was set aside: it takes it along when it is due anyway
            records.c.next_attempt_at <= case((records.c.transient, now()), else_=until),
        )
        if only is not None:
            query = query.where(records.c.id.in_(only))
        with self.database.reading() as session:
            return cast("datetime | None", session.scalar(query))

    def claim(self, row: Any) -> Any | None:
        """One conditional update: processing, attempt + 1. None: somebody else has it, or it is no longer due."""
        return self.database.write(lambda transaction: self._claim(transaction, row), whole=False)

    def _claim(self, transaction: Transaction, row: Any) -> Any | None:
        return transaction.one(CLAIM, {"row": row.id, "mine": self.worker, "moment": now()})

    def learn(self, row_id: int, refs: Mapping[str, str], target_id: str | None) -> None:
        """Keep learned ids with the next commit (`Database.later`). Progress: the count of fruitless tries begins anew.
        Raises Lost."""
        values = {"refs": dict(refs), "target_id": target_id, "tries": 1, "updated_at": now()}
        self.database.later(lambda transaction: self._change(transaction, row_id, values))

    def learn_of(self, target_id: str, refs: Mapping[str, str]) -> None:
        """Refs for the profile's record of this target, unless a worker is at it: that one learns for itself."""
        mine = and_(
            records.c.profile_id == self.profile_id,
            records.c.target_id == target_id,
            records.c.status != SyncStatus.PROCESSING,
        )
        with self.database.session() as session:
            row = session.execute(select(records.c.id, records.c.refs).where(mine)).first()
            if row is not None and dict(row.refs or {}) | dict(refs) != row.refs:
                told = {**(row.refs or {}), **refs}
                session.execute(update(records).where(records.c.id == row.id, mine).values(refs=told))

    def _change(self, transaction: Transaction, row_id: int, values: Mapping[str, Any]) -> None:
        """Write to a row that is ours. Raises Lost."""
        given = {"row": row_id, "mine": self.worker, **_new(values)}
        if transaction.run(_change(*values, own=True), given) != 1:
            raise Lost(f"sync record {row_id}")

    def finish(
        self,
        row: Any,
        status: SyncStatus,
        message: str,
        *,
        refs: Mapping[str, str],
        target_id: str | None,
        setting: str | None = None,
        transient: bool = False,
        doubt: bool | None = None,
        after: float | None = None,
        uncount: bool = False,
        digest: str | None = None,
        following: Any | None = None,
    ) -> Any | None:
        """End an attempt: refs, status, message and one history line in one transaction. Raises Lost.

        By the same commit the row `following` is claimed; returns what `claim` does.
        """
        moment = now()
        values: dict[str, Any] = {
            "status": status,
            "message": message,
            "refs": dict(refs),
            "target_id": target_id,
            "setting": setting,
            "cause": fingerprint(message) if status == SyncStatus.FAILED else None,
            "transient": transient,
            "worker": None,
            "next_attempt_at": moment + timedelta(seconds=after) if after else None,
            "updated_at": moment,
        }
        if status != SyncStatus.PENDING:
            values["processed_at"] = moment
        if status in DONE:
            values.update(digest=digest, payload=None, forced=False, doubt_at=None, tries=0)
        elif status == SyncStatus.SKIPPED:
            values.update(payload=None, tries=0)
        if doubt:
            values["doubt_at"] = moment
        if uncount:
            values["tries_less"] = 1
        line = self._line(row, status, message, moment, target_id=target_id)
        told = transient and status == SyncStatus.PENDING and message == row.message  # it waits for the same as before

        def end(transaction: Transaction) -> Any | None:
            self._change(transaction, row.id, values)
            if not told:
                transaction.run(_tell(*line), line)
            return None if following is None else self._claim(transaction, following)

        return self.database.write(end, whole=False)

    def any_aside(self) -> bool:
        query = select(records.c.id).where(self._aside())
        with self.database.reading() as session:
            return session.scalar(query.limit(1)) is not None

    def _aside(self) -> Any:
        return and_(
            records.c.profile_id == self.profile_id,
            records.c.status == SyncStatus.PENDING,
            records.c.transient.is_(True),
        )

    def wake(self, row: Any) -> None:
        """What was set aside and goes by the number of this row, which was just written, is due at once."""
        if row.source_number is None:
            return
        with self.database.session() as session:
            session.execute(
                update(records)
                .where(self._aside(), records.c.source_number == row.source_number, records.c.id != row.id)
                .values(next_attempt_at=now())
            )

    def taken(self, target_id: str, row_id: int | None) -> bool:
        """Whether another record, of any profile of this entity to the same connection, has this target."""
        profile = cast(Table, models.Profile.__table__)
        own = profile.alias()
        query = (
            select(records.c.id)
            .join(profile, profile.c.id == records.c.profile_id)
            .join(own, and_(own.c.to_id == profile.c.to_id, own.c.entity == profile.c.entity))
            .where(records.c.target_id == target_id, records.c.id != (row_id or 0), own.c.id == self.profile_id)
        )
        with self.database.reading() as session:
            return session.scalar(query.limit(1)) is not None

    def earlier_due(self, row: Any) -> str | None:
        """The first record of the same number before this row that waits, is being written, or will be tried again;
        but for what was set aside."""
        if row.source_number is None:
            return None
        unfinished = or_(
            records.c.status == SyncStatus.PROCESSING,
            and_(records.c.status == SyncStatus.PENDING, records.c.transient.is_(False)),
            and_(records.c.status == SyncStatus.FAILED, records.c.transient.is_(True)),
        )
        query = select(records.c.source_id).where(
            records.c.profile_id == self.profile_id,
            records.c.source_number == row.source_number,
            records.c.id < row.id,
            unfinished,
        )
        with self.database.reading() as session:
            return session.scalar(query.order_by(records.c.id).limit(1))

    def counterparts(self, keys: Sequence[str], entity: str | None = None) -> dict[str, Counterpart]:
        """What these records of the profile's source are at its target, as far as any profile of the entity knows: of
        its own, or of another one.

        Looked for in this order: brought from the target by a profile of the opposite direction; written there by one of
        this direction; brought to the source from another connection (`ours` False).
        """
        ways = ("elsewhere", "forward", "reverse")
        with self.database.reading() as session:
            # the living first: what is deleted meanwhile is told by both, never by neither
            living = {way: self._told(session, records, way, keys, entity) for way in ways}
            kept = ways if self._any_written(session) else ()
            gone = {way: self._told(session, written, way, keys, entity) for way in kept}
        found: dict[str, Counterpart] = {}
        for way in ways:
            found |= gone.get(way, {}) | living[way]
        return found

    def _told(
        self, session: Session, kept: Table, way: str, keys: Sequence[str], entity: str | None
    ) -> dict[str, Counterpart]:
        forth = way == "forward"
        return {
            row.source_id if forth else row.target_id: Counterpart(
                key=row.target_id if forth else row.source_id,
                number=None if forth else row.source_number,
                refs=dict(row.refs or {}),
                reverse=not forth,
                ours=way != "elsewhere",
                connection=row.connection,
                profile=row.profile,
            )
            for row in session.execute(self._counterparts(kept, way, keys, entity))
        }

    def _any_written(self, session: Session) -> bool:
        """Whether there ever was a profile that was deleted with what it wrote; one may be while this one runs."""
        self._written = self._written or session.scalar(select(written.c.id).limit(1)) is not None
        return self._written

    def _counterparts(self, kept: Table, way: str, keys: Sequence[str], entity: str | None) -> Any:
        """What the records of living profiles, or what was `written` by those that are gone, tell of one way."""
        profile, other = cast(Table, models.Profile.__table__), cast(Table, models.Connection.__table__)
        own = profile.alias("own")
        ends = profile if kept is records else written
        source, target = own.c.from_id, own.c.to_id
        where, column, end = {
            "forward": (and_(ends.c.from_id == source, ends.c.to_id == target), kept.c.source_id, ends.c.to_id),
            "reverse": (and_(ends.c.from_id == target, ends.c.to_id == source), kept.c.target_id, ends.c.from_id),
            "elsewhere": (and_(ends.c.from_id != target, ends.c.to_id == source), kept.c.target_id, ends.c.from_id),
        }[way]
        name = profile.c.name if kept is records else written.c.profile
        told = (kept.c.source_id, kept.c.source_number, kept.c.target_id, kept.c.refs)
        query = select(*told, name.label("profile"), other.c.name.label("connection")).select_from(kept)
        if kept is records:
            query = query.join(profile, profile.c.id == records.c.profile_id)
        else:
            query = query.where(written.c.finished)
        return (
            query.join(own, own.c.id == self.profile_id)
            .join(other, other.c.id == end)
            .where(
                ends.c.entity == (own.c.entity if entity is None else entity),
                where,
                column.in_(keys),
                kept.c.target_id.is_not(None),
            )
            .order_by(kept.c.id.desc())
        )

    def shared(self) -> bool:
        """Whether another profile does the same work, or did it until it was deleted."""
        with self.database.reading() as session:
            other = self._same_work(models.Profile, models.Profile.id).where(models.Profile.id != self.profile_id)
            gone = self._same_work(models.Written, models.Written.id)
            return any(session.scalar(query.limit(1)) is not None for query in (other, gone))

    def declined(self, entity: str, source_id: str) -> str | None:
        """Why no profile of that entity between the same connections writes this record: all skipped it."""
        own = aliased(models.Profile)
        between = and_(models.Profile.from_id == own.from_id, models.Profile.to_id == own.to_id)
        query = (
            select(records.c.status, records.c.message)
            .join(models.Profile, models.Profile.id == records.c.profile_id)
            .join(own, between)
            .where(own.id == self.profile_id, models.Profile.entity == entity, records.c.source_id == source_id)
            .order_by(records.c.updated_at)
        )
        with self.database.reading() as session:
            found = session.execute(query).all()
        if not found or {row.status for row in found} != {SyncStatus.SKIPPED}:
            return None
        return found[-1].message or ""

    def begun_elsewhere(self, source_id: str) -> tuple[dict[str, str], datetime] | None:
        """Where such a profile began to write this record and its outcome is not known: what it learned, and when."""
        doubt = or_(records.c.status == SyncStatus.PROCESSING, records.c.doubt_at.is_not(None))
        living = (
            self._same_work(models.Profile, records.c.refs, records.c.updated_at)
            .join(records, records.c.profile_id == models.Profile.id)
            .where(models.Profile.id != self.profile_id, records.c.target_id.is_(None), doubt)
            .where(records.c.source_id == source_id)
        )
        gone = self._same_work(models.Written, written.c.refs, written.c.updated_at).where(
            written.c.source_id == source_id, written.c.finished.is_(False)
        )
        with self.database.reading() as session:
            found = session.execute(living).first() or session.execute(gone).first()
        return None if found is None else (dict(found.refs or {}), found.updated_at)

    def _same_work(self, of: Any, *columns: Any) -> Any:
        own = aliased(models.Profile)
        return select(*columns).select_from(of).join(own, models.same_work(own, of)).where(own.id == self.profile_id)

    def opposed(self) -> bool:
        """Whether a profile of the entity goes the opposite way between the same connections."""
        profile = cast(Table, models.Profile.__table__)
        own = profile.alias("own")
        query = select(profile.c.id).join(
            own, and_(own.c.from_id == profile.c.to_id, own.c.to_id == profile.c.from_id)
        )  # fmt: skip
        with self.database.reading() as session:
            wanted = query.where(own.c.id == self.profile_id, own.c.entity == profile.c.entity).limit(1)
            return session.scalar(wanted) is not None

    def in_the_making(self) -> dict[str, str]:
        """What profiles of the opposite direction are making at this profile's source just now, or may have made when
        they were interrupted: each ref that they learned ("cart_id=55") → the record's number."""
        profile = cast(Table, models.Profile.__table__)
        own = profile.alias("own")
        query = (
            select(records.c.source_number, records.c.source_id, records.c.refs)
            .join(profile, profile.c.id == records.c.profile_id)
            .join(own, and_(own.c.from_id == profile.c.to_id, own.c.to_id == profile.c.from_id))
            .where(
                own.c.id == self.profile_id,
                own.c.entity == profile.c.entity,
                records.c.target_id.is_(None),
                or_(
                    records.c.status == SyncStatus.PROCESSING,
                    and_(records.c.status == SyncStatus.PENDING, records.c.doubt_at.is_not(None)),
                ),
            )
        )
        with self.database.reading() as session:
            return {
                f"{name}={value}": row.source_number or row.source_id
                for row in session.execute(query)
                for name, value in (row.refs or {}).items()
            }

    def sources_of(self, keys: Sequence[str]) -> dict[str, str]:
        """The source's records that are, or became, these records of the target: target key → source key."""
        profile = cast(Table, models.Profile.__table__)
        own = profile.alias("own")
        found: dict[str, str] = {}
        with self.database.reading() as session:
            for way, theirs, ours in (
                (
                    and_(profile.c.from_id == own.c.to_id, profile.c.to_id == own.c.from_id),
                    records.c.source_id,
                    records.c.target_id,
                ),
                (profile.c.id == own.c.id, records.c.target_id, records.c.source_id),
            ):
                rows = session.execute(
                    select(theirs, ours)
                    .join(profile, profile.c.id == records.c.profile_id)
                    .join(own, and_(own.c.id == self.profile_id, own.c.entity == profile.c.entity))
                    .where(way, theirs.in_(keys), ours.is_not(None))
                ).all()
                found.update({row[0]: row[1] for row in rows})
        return found

    def put_back(self, found: Found, row: Any | None, message: str) -> None:
        """Work on a record again although nothing changed at its source. Raises Lost when a worker holds it."""
        decision = Decision(status=SyncStatus.PENDING, message=message)
        values = {
            "status": SyncStatus.PENDING,
            "message": message,
            "forced": True,
            "tries": 0,
            "transient": False,
            "next_attempt_at": None,
            "payload": pack(found.payload, found.kept) if found.payload else None,
            "updated_at": now(),
        }

        def put(transaction: Transaction) -> None:
            if row is None:
                self.store(transaction, found, None, decision)
                return
            if transaction.run(_change(*values, own=False), {"row": row.id, **_new(values)}) != 1:
                raise Lost(f"sync record {row.id}")
            line = self._line(row, SyncStatus.PENDING, message, now())
            transaction.run(_tell(*line), line)

        self.database.write(put)

    def by_number(self, number: str) -> list[Any]:
        with self.database.reading() as session:
            return list(
                session.execute(
                    select(records).where(records.c.profile_id == self.profile_id, records.c.source_number == number)
                ).all()
            )
