"""Connections and profiles by name."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration.document import near
from profiles import models


class Unknown(LookupError):
    """No connection or profile of that name; the message names near ones."""


def connection(session: Session, name: str) -> models.Connection:
    """The connection of that name. Raises Unknown."""
    row = session.scalar(select(models.Connection).where(models.Connection.name == name))
    if row is None:
        raise _unknown("connection", name, session.scalars(select(models.Connection.name)).all())
    return row


def profile(session: Session, name: str) -> models.Profile:
    """The profile of that name. Raises Unknown."""
    row = session.scalar(select(models.Profile).where(models.Profile.name == name))
    if row is None:
        raise _unknown("profile", name, session.scalars(select(models.Profile.name)).all())
    return row


def _unknown(kind: str, name: str, names: Sequence[str]) -> Unknown:
    hint = near(name, names) or (f" There are: {', '.join(sorted(names))}." if names else " There are none yet.")
    return Unknown(f"There is no {kind} {name!r}.{hint}")


def systems(session: Session) -> dict[str, str]:
    """Connector codes by the names of the connections."""
    rows = session.execute(select(models.Connection.name, models.Connection.connector))
    return {row.name: row.connector for row in rows}
