"""Questions asked of the logs, and what people do to records: put back, retry, skip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, insert, or_, select, update
from sqlalchemy.orm import Session

from connector.records import bare
from profiles.db import now
from profiles.events import ENTITY
from profiles.ledger import DONE
from profiles.models import DataLog, Identifier, Profile, SyncHistory, SyncRecord, SyncStatus, Task

MOVED_AT_ONCE = 500
# what a record is, in words (`SyncRecord.kind`)
KINDS = {"delivery": "delivery", "return": "return", "credit": "credit note", "procedure": "event procedure"}
ORDERS = ("order", ENTITY)  # entities whose records are keyed by the order's own key
NUMBERED = (*ORDERS, "return")  # entities whose records bear the number of the order
# in which statuses a record may be skipped, retried, put back: none while it is being processed
UNDONE = (SyncStatus.FAILED, SyncStatus.PENDING)
UNSENT = (*UNDONE, SyncStatus.SKIPPED)
IDLE = (*DONE, *UNSENT)


@dataclass(frozen=True, kw_only=True)
class Story:
    """All that is known of one record in one profile: the answer to "where is it, and why?"."""

    profile: Profile
    record: SyncRecord
    history: Sequence[SyncHistory]
    tasks: Sequence[Task]
    calls: Sequence[DataLog]


def records(
    session: Session, profile_id: int, *, status: str | None = None, after: int = 0, limit: int | None = None
) -> Iterator[SyncRecord]:
    """The sync records of a profile by id, read in steps so that memory stays flat."""
    left = limit
    while left is None or left > 0:
        query = (
            select(SyncRecord)
            .where(SyncRecord.profile_id == profile_id, SyncRecord.id > after)
            .order_by(SyncRecord.id)
            .limit(min(500, left or 500))
        )
        if status is not None:
            query = query.where(SyncRecord.status == status)
        found = session.scalars(query).all()
        yield from found
        if len(found) < 500:
            return
        after = found[-1].id
        left = None if left is None else left - len(found)
        session.expunge_all()


def stories(session: Session, number: str, *, calls: int = 200) -> list[Story]:
    """Every profile's record with this number, source id or target id, else of the order that a device with this IMEI or
    serial number belongs to; newest calls last."""
    found = session.scalars(
        select(SyncRecord)
        .where(or_(SyncRecord.source_number == number, SyncRecord.target_id == number, SyncRecord.source_id == number))
        .order_by(SyncRecord.id)
        .limit(50)
    ).all()
    exact = [record for record in found if record.source_number == number] or found or _with_device(session, number)
    return [story(session, record, calls=calls) for record in exact]


def device(text: str) -> ColumnElement[bool]:
    """Where a device with this IMEI or serial number was seen, in whatever way either is written."""
    return and_(Identifier.bare == bare(text), Identifier.bare != "")


def _with_device(session: Session, text: str) -> Sequence[SyncRecord]:
    """The records of the orders that a device with this IMEI or serial number belongs to."""
    numbers = session.scalars(select(Identifier.source_number).where(device(text)).limit(50)).all()
    mine = SyncRecord.source_number.in_({one for one in numbers if one is not None})
    return session.scalars(select(SyncRecord).where(mine).order_by(SyncRecord.id).limit(50)).all()


def story(session: Session, record: SyncRecord, *, calls: int = 200) -> Story:
    lines = session.scalars(
        select(SyncHistory).where(SyncHistory.record_id == record.id).order_by(SyncHistory.id).limit(500)
    ).all()
    tasks = {line.task_id for line in lines if line.task_id is not None}
    profile = session.get_one(Profile, record.profile_id)
    logged = session.scalars(
        select(DataLog)
        .where(
            DataLog.reference == (record.source_number or record.source_id),
            DataLog.connection_id.in_([profile.from_id, profile.to_id]),
        )
        .order_by(DataLog.id.desc())
        .limit(calls)
    ).all()
    return Story(
        profile=profile,
        record=record,
        history=lines,
        tasks=session.scalars(select(Task).where(Task.id.in_(tasks)).order_by(Task.id)).all() if tasks else [],
        calls=list(reversed(logged)),
    )


def kin(session: Session, record: SyncRecord, *, limit: int = 20) -> list[SyncRecord]:
    """All records of the same order, whichever profile made them; the given one is among them, oldest first.

    The same order is what has the same number at the same source, and what is the other end of it: read from where this
    one was written, or written to where this one was read. So a credit note leads to its sale, and that to the export.
    What followed from events of the order, and the returns of it, belong to it as well.
    """
    profiles = session.scalars(select(Profile)).all()
    found, asked = {record.id: record}, set[int]()
    while (fresh := [one for one in found.values() if one.id not in asked]) and len(found) <= limit:
        for one in fresh:
            asked.add(one.id)
            for way in _ways(one, profiles):
                found.update({row.id: row for row in session.scalars(select(SyncRecord).where(way).limit(limit))})
    return sorted(found.values(), key=lambda one: one.id)


def _ways(record: SyncRecord, profiles: Sequence[Profile]) -> Iterator[ColumnElement[bool]]:
    """From one record to others of the same order."""
    own = next(one for one in profiles if one.id == record.profile_id)
    key = key_of(record, own)
    alike = ORDERS if own.entity in ORDERS else (own.entity,)
    kindred = NUMBERED if own.entity in NUMBERED else (own.entity,)
    from_source = [one for one in profiles if one.from_id == own.from_id]
    # what was written to a system may be an order there, whatever it was before; what was read is what it was; and the
    # id that an execution learned at its target may be one of anything
    written_as = ORDERS if own.entity in ORDERS else {*alike, *kindred}
    from_target = [one for one in profiles if one.from_id == own.to_id and one.entity in written_as]
    into_source = {*kindred} - {ENTITY} if own.entity in ORDERS else {*alike}
    to_source = [one.id for one in profiles if one.to_id == own.from_id and one.entity in into_source]
    # "+ 0" keeps the database from walking through these profiles instead of taking the index of the number
    of = SyncRecord.profile_id + 0
    yield from _read_as([one for one in from_source if one.entity in alike], key)
    if record.source_number:
        numbered = [one.id for one in from_source if one.entity in kindred]
        yield and_(SyncRecord.source_number == record.source_number, of.in_(numbered))
    if record.target_id and own.entity != ENTITY:
        yield from _read_as(from_target, record.target_id)
    if to_source:
        yield and_(SyncRecord.target_id == key, of.in_(to_source))


def key_of(record: SyncRecord, profile: Profile) -> str:
    """The key of the order, or whatever it is, at the source: an execution is keyed "order/event/procedure"."""
    return record.source_id.partition("/")[0] if profile.entity == ENTITY else record.source_id


def _read_as(profiles: Sequence[Profile], key: str) -> Iterator[ColumnElement[bool]]:
    """Records of these profiles that were read from their source by this key."""
    if profiles:
        yield and_(SyncRecord.profile_id.in_([one.id for one in profiles]), SyncRecord.source_id == key)
    if watching := [one.id for one in profiles if one.entity == ENTITY]:
        first, behind = f"{key}/", f"{key}0"  # 0 is the sign after the stroke: a range, that the index serves
        executions = and_(SyncRecord.source_id >= first, SyncRecord.source_id < behind)
        yield and_(SyncRecord.profile_id.in_(watching), executions)


def put_back(session: Session, record_ids: Sequence[int], by: str) -> int:
    """Make records pending again: the next run reads them afresh and sends what is missing or changed."""
    return _move(session, record_ids, by, SyncStatus.PENDING, "Put back to pending", forced=True)


def retry(session: Session, record_ids: Sequence[int], by: str) -> int:
    """Give records that were not sent a new set of attempts."""
    return _move(session, record_ids, by, SyncStatus.PENDING, "To be retried", only=UNSENT, forced=True)


def skip(session: Session, record_ids: Sequence[int], by: str) -> int:
    """Leave records alone until they change at the source. What was already sent stays as it is."""
    return _move(session, record_ids, by, SyncStatus.SKIPPED, "Skipped", only=UNDONE, forced=False)


def _move(
    session: Session,
    record_ids: Sequence[int],
    by: str,
    status: SyncStatus,
    said: str,
    *,
    forced: bool,
    only: Sequence[str] = IDLE,
) -> int:
    """One conditional update and one history line per record; a record that is being processed is left alone."""
    moment, moved = now(), 0
    message = f"{said} by {by}."
    directions = {row.id: row.direction for row in session.execute(select(Profile.id, Profile.direction))}
    for at in range(0, len(record_ids), MOVED_AT_ONCE):
        change = (
            update(SyncRecord)
            .where(SyncRecord.id.in_(record_ids[at : at + MOVED_AT_ONCE]), SyncRecord.status.in_(only))
            .values(
                status=status,
                message=message,
                tries=0,
                transient=False,
                next_attempt_at=None,
                payload=None,  # the next run reads the record afresh
                forced=forced,
                updated_at=moment,
            )
            .returning(
                SyncRecord.id,
                SyncRecord.profile_id,
                SyncRecord.source_id,
                SyncRecord.source_number,
                SyncRecord.target_id,
            )
        )
        rows = session.execute(change).all()
        moved += len(rows)
        if rows:
            session.execute(
                insert(SyncHistory),
                [
                    {
                        "profile_id": row.profile_id,
                        "record_id": row.id,
                        "source_id": row.source_id,
                        "source_number": row.source_number,
                        "target_id": row.target_id,
                        "status": status,
                        "direction": directions[row.profile_id],
                        "message": message,
                        "created_at": moment,
                    }
                    for row in rows
                ],
            )
    return moved
