"""What an account still needs before data is exchanged: its mandatory settings, and a profile for each thing it offers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.views.frame import entity_word
from admin.views.present import exact
from admin.views.profile import End, ends, pairs
from admin.views.words import _, told
from connector import ConnectorError, Finding
from connector.registry import plugins
from profiles import wiring
from profiles.db import Database
from profiles.models import Connection, Profile
from profiles.wiring import READS, WRITES

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Chore:
    """One thing that a connection can give or take, with the profiles that do it. `url`: where to make one."""

    what: str
    profiles: Sequence[Profile]
    url: str = ""

    @property
    def done(self) -> bool:
        return any(one.active for one in self.profiles)


def duties(database: Database, row: Connection) -> list[Finding]:
    """The mandatory settings of an account, that it is active first. Makes no call."""
    active = Finding(name=_("Active"), ok=True, message=_("The account is active."))
    if not row.active:
        said = _("Activate the account: an inactive one exchanges nothing.")
        active = Finding(name=_("Active"), ok=False, message=said)
    try:
        with wiring.connected(database, row.id) as connector:
            return [active, *connector.duties()]
    except (ConnectorError, LookupError) as error:
        return [active, Finding(name=_("Account"), ok=False, message=str(error.args[0]) if error.args else "")]
    except Exception as error:  # a stranger's connector may fail in any way; the page must still answer
        log.exception("the mandatory settings of connection %s cannot be looked at", row.id)
        said = _("Its connector failed: {error}.", error=type(error).__name__)
        return [active, Finding(name=_("Account"), ok=False, message=said)]


def mandatory(database: Database, row: Connection) -> list[Finding]:
    """The same with what the last test came to, behind whether it is active."""
    active, *others = duties(database, row)
    return [active, _tested(row), *others]


def _tested(row: Connection) -> Finding:
    """Credentials that are entered may be wrong: what the system said of them when it was asked last."""
    name = _("Connection test")
    if row.checked_at is None and row.collected_at is not None:
        said = _(
            "Its lists were collected ({when}), so the system accepts what is entered.", when=exact(row.collected_at)
        )
        return Finding(name=name, ok=True, message=said)
    if row.checked_at is None:
        said = _("Not tested yet, so nobody knows whether the system accepts what is entered. Press Test.")
        return Finding(name=name, ok=False, message=said)
    if not row.check_ok:
        said = _("It failed ({when}): {said}", when=exact(row.checked_at), said=told(row.check_message))
        return Finding(name=name, ok=False, message=said)
    return Finding(name=name, ok=True, message=_("It passed ({when}).", when=exact(row.checked_at)))


def find(session: Session, row: Connection) -> list[Chore]:
    """What this connection can give to others and take from them, as far as others are there for it."""
    plugin = plugins().get(row.connector)
    if plugin is None or plugin.connector is None:
        return []
    others = ends(session)
    profiles = session.scalars(select(Profile).order_by(Profile.name)).all()
    made = []
    for resource in plugin.connector.resources:
        entity = resource.entity
        if resource.offers(READS):
            mine = [one for one in profiles if one.entity == entity and one.from_id == row.id]
            said = _("{entity}: read from here", entity=entity_word(entity))
            made.append(Chore(what=said, profiles=mine, url=_new(others, row.name, entity, resource.cron, gives=True)))
        if resource.offers(WRITES):
            mine = [one for one in profiles if one.entity == entity and one.to_id == row.id]
            said = _("{entity}: written here", entity=entity_word(entity))
            made.append(Chore(what=said, profiles=mine, url=_new(others, row.name, entity, "", gives=False)))
    return made


def _new(others: Sequence[End], name: str, entity: str, cron: str, *, gives: bool) -> str:
    """The form of a new profile for it; nothing where no other connection fits."""
    fitting = [pair for pair in pairs(others) if pair[0] == entity and pair[1 if gives else 2] == name]
    if not fitting:
        return ""
    (source, target) = fitting[0][1:]
    ask = {"entity": entity, "from": source if gives or len(fitting) == 1 else None,
           "to": target if not gives or len(fitting) == 1 else None, "cron": cron or None}  # fmt: skip
    return url_for("new_profile.index", **ask)
