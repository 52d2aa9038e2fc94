"""Values of a profile that the collected lists do not know. They may be newer than the lists, so nothing is refused here:
whoever applies a file is told, and a run refuses what its target does not have before it sends anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import fields
from marshmallow.fields import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration.document import Fault, near
from admin.configuration.references import by_path, profile_settings
from admin.configuration.words import subject
from connector import registry
from connector.settings import Choice, ValueMap, ident
from profiles import models

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
            ask(at, "source", SCOPES[path[0]], path[1], " These settings apply to nothing.")
        for key, value in values.items():
            for where, side, kind, chosen in _chosen(known.get(key), value, f"{at}.{key}"):
                ask(where, side, kind, chosen)
    return faults


class _Lists:
    """What was collected of both connections. Lists that are learned from records know no value that is wrong."""

    def __init__(self, session: Session, ends: Mapping[str, models.Connection]) -> None:
        self._session = session
        self._ends = ends
        self._found: dict[tuple[str, str], dict[str, str]] = {}

    def doubt(self, side: str, kind: str, value: Any) -> str | None:
        label = self._label(side, kind)
        entries = self._entries(side, kind)
        if label is None or not entries or value in (None, "") or ident(value) in entries:
            return None
        name = self._ends[side].name
        return f"{value!r} is not among the lists of {name} ({label}).{near(value, entries.values())}"

    def _label(self, side: str, kind: str) -> str | None:
        try:
            listed = registry.connector(self._ends[side].connector).catalogues
        except LookupError:
            return None
        return next((one.label for one in listed if one.kind == kind and not one.learned), None)

    def _entries(self, side: str, kind: str) -> dict[str, str]:
        if (side, kind) not in self._found:
            entry = models.CatalogueEntry
            asked = select(entry.entry).where(entry.connection_id == self._ends[side].id, entry.kind == kind)
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
