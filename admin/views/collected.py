"""What was collected from connections, as forms need it: entries to choose from, and the scopes of a shop.

A value counts as seen when a record had it: the source said so while it read, or it is the status or store of a recent
record.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.views.inputs import Catalogues, Item
from connector.settings import GLOBAL, STORE, WEBSITE
from profiles.hosting import seen as met
from profiles.models import CatalogueEntry, Profile, SyncRecord

RECENT = 500  # so many of the newest records tell which statuses and stores are in use
PARTS = {WEBSITE: "websites", STORE: "stores"}  # where a profile's settings keep a scope


@dataclass(frozen=True, kw_only=True)
class Scope:
    """One place of the scope switcher. `website` is the one that a store belongs to, where the source says so."""

    level: str = GLOBAL
    code: str = ""
    name: str = ""
    website: str | None = None
    own: int = 0  # how many values are set here

    @property
    def path(self) -> str:
        """As in the address and in the paths of problems: "global", "stores.de"."""
        return f"{PARTS[self.level]}.{self.code}" if self.code else GLOBAL


def catalogues(session: Session, profile: Profile) -> Catalogues:
    """The entries by (side, kind), each kind read once. Those of the source know whether they were seen in records."""
    kept: dict[tuple[str, str], Sequence[Item]] = {}
    recent = functools.cache(lambda: seen_recently(session, profile))

    def entries(side: str, kind: str) -> Sequence[Item]:
        if (side, kind) not in kept:
            rows = _rows(session, profile.from_id if side == "source" else profile.to_id, kind)
            seen = recent().get(kind, set()) if side == "source" else set()
            made = [
                Item(
                    value=row.entry,
                    label=label(row.entry, row.name),
                    name=row.name,
                    seen=side == "source" and (row.entry in seen or met(row.learned, row.extra)),
                )
                for row in rows
            ]
            known = {item.value for item in made}
            made += [Item(value=value, label=value, name=value, seen=True) for value in sorted(seen - known)]
            kept[side, kind] = made
        return kept[side, kind]

    return entries


def seen_recently(session: Session, profile: Profile) -> dict[str, set[str]]:
    """What the newest records of a profile were: the statuses of its entity, and the stores, by catalogue."""
    query = select(SyncRecord.source_status, SyncRecord.store).where(SyncRecord.profile_id == profile.id)
    rows = session.execute(query.order_by(SyncRecord.updated_at.desc(), SyncRecord.id.desc()).limit(RECENT)).all()
    return {
        f"{profile.entity}_status": {row.source_status for row in rows if row.source_status},
        STORE: {row.store for row in rows if row.store},
    }


def label(entry: str, name: str) -> str:
    """Name and id; the id is not repeated where the name holds it."""
    if not name or name == entry:
        return entry
    return name if f"[{entry}]" in name or f"({entry})" in name else f"{name} ({entry})"


def scopes(session: Session, profile: Profile) -> list[Scope]:
    """Global, each website with its stores; those that only the settings name come last."""
    settings = profile.settings or {}

    def own(level: str, code: str) -> int:
        values = (settings.get(PARTS[level]) or {}).get(code) or {}
        return sum(1 for value in values.values() if value is not None)

    stores = [
        Scope(
            level=STORE,
            code=row.entry,
            name=row.name or row.entry,
            website=_website(row),
            own=own(STORE, row.entry),
        )
        for row in _rows(session, profile.from_id, STORE)
    ]
    found = [Scope(own=sum(1 for value in (settings.get(GLOBAL) or {}).values() if value is not None))]
    for row in _rows(session, profile.from_id, WEBSITE):
        found.append(Scope(level=WEBSITE, code=row.entry, name=row.name or row.entry, own=own(WEBSITE, row.entry)))
        found += [store for store in stores if store.website == row.entry]
    found += [store for store in stores if store not in found]
    known = {scope.path for scope in found}
    for level, part in PARTS.items():
        for code in settings.get(part) or {}:
            if f"{part}.{code}" not in known:
                found.append(Scope(level=level, code=code, name=code, own=own(level, code)))
    return found


def _website(row: CatalogueEntry) -> str | None:
    code = (row.extra or {}).get(WEBSITE)
    return str(code) if code not in (None, "") else None


def _rows(session: Session, connection_id: int, kind: str) -> Sequence[CatalogueEntry]:
    query = select(CatalogueEntry).where(CatalogueEntry.connection_id == connection_id, CatalogueEntry.kind == kind)
    return session.scalars(query.order_by(CatalogueEntry.id)).all()
