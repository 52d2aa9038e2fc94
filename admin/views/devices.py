"""IMEI and serial numbers: which orders a device was seen in, and which devices belong to an order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from admin.views.words import _, later
from connector.records import IdentifierKind
from profiles import history
from profiles.events import ENTITY
from profiles.models import Connection, Identifier, Profile, SyncRecord

MOST = 100
WORDS = {IdentifierKind.IMEI: later("IMEI"), IdentifierKind.SERIAL: later("Serial number")}


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A device in an order that no profile has a record of."""

    value: str
    number: str
    system: str


def ways(session: Session, text: str) -> Iterator[ColumnElement[bool]]:
    """To the records of orders with this device: of the order itself, of what follows from its events, and of what
    brought it there."""
    record = SyncRecord
    into = record.profile_id + 0
    for one, profile in _rows(session, text):
        same = [other for other in session.scalars(select(Profile)) if other.from_id == profile.from_id]
        brought = [other.id for other in session.scalars(select(Profile)) if other.to_id == profile.from_id]
        yield and_(record.profile_id == one.profile_id, record.source_id == one.source_id)
        if one.source_number:
            numbered = [other.id for other in same if other.entity in history.NUMBERED]
            yield and_(record.source_number == one.source_number, into.in_(numbered))
        if profile.entity in history.ORDERS:
            yield and_(record.target_id == one.source_id, into.in_(brought))


def seen(session: Session, text: str) -> list[Sight]:
    """Where it was seen, for a device whose orders have no record here: nothing followed from them yet."""
    made = {}
    for one, profile in _rows(session, text):
        number, system = one.source_number or one.source_id, session.get_one(Connection, profile.from_id).name
        made[number, system] = Sight(value=one.value, number=number, system=system)
    return list(made.values())


def of(session: Session, records: Sequence[SyncRecord]) -> list[tuple[str, str]]:
    """The devices of an order, by kind: from all its records, as each system knows it."""
    profiles = {one.id: one for one in session.scalars(select(Profile))}
    at: set[tuple[int, str]] = set()  # connection, key of the order there
    for record in records:
        profile = profiles[record.profile_id]
        at.add((profile.from_id, history.key_of(record, profile)))
        if record.target_id and profile.entity != ENTITY:
            at.add((profile.to_id, record.target_id))
    one = Identifier
    conditions = [
        and_(one.source_id == key, one.profile_id.in_([p.id for p in profiles.values() if p.from_id == connection]))
        for connection, key in sorted(at)
    ]
    if not conditions:
        return []
    found: dict[str, dict[str, None]] = {}
    for row in session.scalars(select(one).where(or_(*conditions)).order_by(one.kind, one.value).limit(MOST)):
        found.setdefault(row.kind, {})[row.value] = None
    return [(_named(kind), ", ".join(values)) for kind, values in found.items()]


def _named(kind: str) -> str:
    return str(WORDS[IdentifierKind(kind)]) if kind in set(IdentifierKind) else _(kind)


def _rows(session: Session, text: str) -> list[tuple[Identifier, Profile]]:
    query = select(Identifier, Profile).join(Profile, Profile.id == Identifier.profile_id)
    rows = session.execute(query.where(history.device(text)).order_by(Identifier.id.desc()).limit(MOST))
    return [(row[0], row[1]) for row in rows]
