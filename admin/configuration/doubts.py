"""Values of a profile or an account that the collected lists do not know. They may be newer than the lists, so nothing is
refused here: whoever applies a file is told, and a run refuses what its target does not have before it sends anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from marshmallow import fields
from marshmallow.fields import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration.document import Fault, ProcedureSpec, near
from admin.configuration.procedures import NUMBER, Values
from admin.configuration.references import by_path, profile_settings
from admin.configuration.words import subject
from connector import registry
from connector.settings import Choice, ValueMap, declared, ident
from profiles import models
from profiles.events import Declared

SCOPES = {"websites": "website", "stores": "store"}  # parts of the settings, and the source's lists of their codes


def doubts_of(
    session: Session, name: str, ends: tuple[models.Connection, models.Connection], entity: str, settings: Any
) -> list[Fault]:
    """Each value of the profile's settings that a collected list lacks. What was never collected is not asked."""
    lists = _Lists(session, dict(zip(("source", "target"), ends, strict=True)))
    known = profile_settings(ends[0].connector, ends[1].connector, entity)
    faults: list[Fault] = []

    def ask(path: str, side: str, kind: str, value: Any, hint: str = "") -> None:
        if said := lists.doubt(side, kind, value):
            faults.append(Fault(path, f"{said}{hint}", subject("profile", name)))

    for path, values in by_path(settings):
        at = ".".join(("settings", *path))
        if len(path) == 2:
            ask(at, "source", SCOPES[path[0]], path[1], hint=" These settings apply to nothing.")
        for key, value in values.items():
            for where, side, kind, chosen in _chosen(known.get(key), value, f"{at}.{key}"):
                ask(where, side, kind, chosen)
    return faults


def doubts_of_account(session: Session, row: models.Connection, settings: Mapping[str, Any]) -> list[Fault]:
    """The same of an account's settings, which choose from its own lists."""
    try:
        known = declared(registry.connector(row.connector).Settings)
    except LookupError:
        return []
    lists = _Lists(session, {"own": row})
    faults: list[Fault] = []
    for one in known:
        for where, side, kind, chosen in _chosen(one.field, settings.get(one.name), f"credentials.{one.name}"):
            if side in lists.ends and (said := lists.doubt(side, kind, chosen)):
                faults.append(Fault(where, said, subject("connection", row.name)))
    return faults


def doubts_of_procedures(
    session: Session, profile: str, source: models.Connection, specs: Sequence[ProcedureSpec], told: Declared
) -> list[Fault]:
    """The same of event procedures, which choose statuses and filters from the lists of the watched system."""
    lists, values = _Lists(session, {"source": source}), Values(session, source.name, told)
    faults: list[Fault] = []
    for number, spec in enumerate(specs):
        event = told.events.get(spec.event)
        asked = [("status", event.kind, one) for one in spec.status if event is not None and NUMBER.match(one)]
        for code, given in spec.filters.items():
            kind = told.filters[code].kind if code in told.filters else None
            asked += [(f"filters.{code}", kind, values.id(code, one)) for one in given]
        for path, kind, value in asked:
            if kind is not None and (said := lists.doubt("source", kind, value)):
                faults.append(Fault(f"procedures.{number}.{path}", said, subject("profile", profile)))
    return faults


class _Lists:
    """What was collected of the connections. Lists that are learned from records know no value that is wrong."""

    def __init__(self, session: Session, ends: Mapping[str, models.Connection]) -> None:
        self._session = session
        self.ends = ends
        self._found: dict[tuple[str, str], dict[str, str]] = {}

    def doubt(self, side: str, kind: str, value: Any) -> str | None:
        label = self._label(side, kind)
        entries = self._entries(side, kind)
        if label is None or not entries or value in (None, "") or ident(value) in entries:
            return None
        name = self.ends[side].name
        return f"{value!r} is not among the lists of {name} ({label}).{near(value, entries.values())}"

    def _label(self, side: str, kind: str) -> str | None:
        try:
            listed = registry.connector(self.ends[side].connector).catalogues
        except LookupError:
            return None
        return next((one.label for one in listed if one.kind == kind and not one.learned), None)

    def _entries(self, side: str, kind: str) -> dict[str, str]:
        if (side, kind) not in self._found:
            entry = models.CatalogueEntry
            asked = select(entry.entry).where(entry.connection_id == self.ends[side].id, entry.kind == kind)
            self._found[side, kind] = {ident(one): one for one in self._session.scalars(asked)}
        return self._found[side, kind]


def _chosen(one: Field[Any] | None, value: Any, at: str) -> Iterator[tuple[str, str, str, Any]]:
    """Each value that was chosen from a list: its path, whose list, which, and the value."""
    if isinstance(one, Choice):
        yield at, one.side, one.kind, value
    elif isinstance(one, ValueMap) and isinstance(value, Mapping):
        for key, right in value.items():
            yield f"{at}.{key}", "source", one.kind, key
            yield from _chosen(one.right, right, f"{at}.{key}")
    elif isinstance(one, fields.List) and isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _chosen(one.inner, inner, f"{at}.{position}")
    elif isinstance(one, fields.Nested) and isinstance(value, Mapping):
        for name, inner in one.schema.fields.items():
            yield from _chosen(inner, value.get(name), f"{at}.{name}")
