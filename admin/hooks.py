"""Webhooks as hints: a system says that something happened, so its profiles of events run now instead of later.

What a webhook says is not believed and not needed: the run asks the system itself, and without any webhook it would have
found the same by the clock. So a forged, doubled, late or lost one changes nothing but the time of a run. The address
holds a mark that only this host can make; who has it can ask for runs and do nothing else.
"""

from __future__ import annotations

from flask import Flask, jsonify
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_wtf import CSRFProtect
from sqlalchemy import select
from sqlalchemy.orm import Session

from profiles.db import Database
from profiles.events import ENTITY
from profiles.models import Connection, Profile
from profiles.secrets import mark, marked
from scheduler import tasks

ENDPOINT = "hook"
HINTS_PER_ADDRESS = "120 per minute"


def register(app: Flask, database: Database, csrf: CSRFProtect, limiter: Limiter) -> None:
    """Add the address to the application; it needs no login, but the mark."""

    @csrf.exempt
    @limiter.limit(HINTS_PER_ADDRESS)
    def hint(connection_id: int, given: str) -> ResponseReturnValue:
        if not marked(_purpose(connection_id), given):
            return jsonify(error="Unknown."), 404
        with database.session() as session:
            connection = session.get(Connection, connection_id)
            if connection is None:
                return jsonify(error="Unknown."), 404
            asked = ask(session, connection) if connection.active else 0
        return jsonify(asked=asked), 202

    app.add_url_rule("/hooks/<int:connection_id>/<given>", ENDPOINT, hint, methods=["POST"])


def ask(session: Session, connection: Connection) -> int:
    """Ask for a run of each active profile of events that watches this connection; how many did not wait already."""
    asked = 0
    mine = (Profile.from_id == connection.id, Profile.entity == ENTITY, Profile.active.is_(True))
    for profile in session.scalars(select(Profile).where(*mine)).all():
        try:
            tasks.ask(session, profile, f"webhook of {connection.name}")
            asked += 1
        except tasks.AlreadyWaiting:
            continue  # it comes in time
    return asked


def path(connection_id: int) -> str:
    """The address that a connection's system is to call, on this host."""
    return f"/hooks/{connection_id}/{mark(_purpose(connection_id))}"


def _purpose(connection_id: int) -> str:
    return f"hook {connection_id}"
