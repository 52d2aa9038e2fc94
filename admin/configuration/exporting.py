"""All connections and profiles as the text that `apply` reads; no secret stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration import procedures
from admin.configuration.references import (
    account_settings,
    by_scope,
    is_reference,
    profile_settings,
    secret_spots,
    settings_variable,
    variable,
)
from profiles import models
from profiles.events import ENTITY
from profiles.secrets import unseal


def export(session: Session, *, profile: str | None = None) -> str:
    """All of it, or one profile with its two connections."""
    chosen = select(models.Profile).order_by(models.Profile.name)
    ends = select(models.Connection).order_by(models.Connection.name)
    if profile is not None:
        chosen = chosen.where(models.Profile.name == profile)
        pair = [end for row in session.scalars(chosen) for end in (row.from_id, row.to_id)]
        ends = ends.where(models.Connection.id.in_(pair))
    rows = session.scalars(ends).all()
    names = {row.id: row.name for row in rows}
    systems = {row.id: row.connector for row in rows}
    hidden: set[str] = set()
    connections = [
        {
            "name": row.name,
            "connector": row.connector,
            "base_url": row.base_url,
            "credentials": dict(_exported(row, hidden)),
            **({} if row.active else {"active": False}),
        }
        for row in rows
    ]
    profiles = [
        {
            "name": row.name,
            "entity": row.entity,
            "direction": row.direction,
            "from": names[row.from_id],
            "to": names[row.to_id],
            "active": row.active,
            "cron": row.cron,
            "timezone": row.timezone,
            "settings": _settings(row, systems, hidden),
            **_procedures(session, row),
        }
        for row in session.scalars(chosen)
    ]
    text = yaml.dump(
        {"connections": connections, "profiles": profiles},
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return "".join(f"{_commented(line, hidden)}\n" for line in text.splitlines())


def _procedures(session: Session, row: models.Profile) -> dict[str, Any]:
    """A profile of events says its procedures, also that it has none."""
    if row.entity != ENTITY:
        return {}
    one = models.EventProcedure
    query = select(one).where(one.profile_id == row.id).order_by(one.position, one.id)
    return {"procedures": procedures.exported(session.scalars(query).all())}


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key, and nothing written as a reference to another part."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _exported(row: models.Connection, hidden: set[str]) -> Iterator[tuple[str, Any]]:
    """The credentials as they may be seen; `hidden` learns the references that stand for a stored value."""
    public = {one.name for one in account_settings(row.connector) if not one.secret}
    for name, value in unseal(row.credentials).items():
        if name in public or is_reference(value):
            yield name, value
        else:
            hidden.add(f"env:{variable(row.name, name)}")
            yield name, f"env:{variable(row.name, name)}"


def _settings(row: models.Profile, systems: Mapping[int, str], hidden: set[str]) -> dict[str, Any]:
    """The settings as they may be seen. Of those that no connector declares any more every text may be a secret."""
    settings = {part: deepcopy(row.settings.get(part) or {}) for part in ("global", "websites", "stores")}
    known = profile_settings(systems[row.from_id], systems[row.to_id], row.entity)
    for scope, values in by_scope(settings):
        for spot in secret_spots(known, values):
            if not is_reference(spot.value):
                spot.put(f"env:{settings_variable(row.name, scope, spot.path)}")
                hidden.add(spot.value)
    return settings


def _commented(line: str, hidden: set[str]) -> str:
    value = line.rpartition(": ")[2]
    if value not in hidden:
        return line
    return f"{line}  # the stored value is not written here; where it is not stored, set {value.removeprefix('env:')}"
