"""Connections: the accounts at the systems, their state, the test, and what was collected from them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.orm import Session

from admin import audit, hooks
from admin.auth import may_here
from admin.configuration import ConnectionSpec, Wrong, delete_connection, kept_by_rule, save_connection
from admin.views import chores, jobs
from admin.views.base import View, by, expose
from admin.views.collected import label
from admin.views.gauges import gauges
from admin.views.listing import clean, like
from admin.views.profile import system_label
from admin.views.words import _, n_, told
from connector import Finding, registry
from connector.registry import Plugin, plugins
from profiles.db import insert_or_ignore, now
from profiles.events import ENTITY
from profiles.models import CatalogueEntry, Connection, Profile
from profiles.wiring import last_findings

ENTRIES_SHOWN = 200
LONGEST_ENTRY = 255


class Connections(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        found = plugins()
        with self.database.reading() as session:
            rows = session.scalars(select(Connection).order_by(Connection.name)).all()
            used = users_by_connection(session)
        return self.render(
            "connections.html",
            rows=[self._told(row, found) | {"users": used.get(row.id, [])} for row in rows],
            broken=[plugin for plugin in found.values() if plugin.connector is None],
        )

    @expose("/<int:connection_id>/")
    def one(self, connection_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            row = self._row(session, connection_id)
            kinds = kinds_of(session, row)
            known = [one["kind"] for one in kinds]
            kind = request.args.get("kind", "")
            kind = kind if kind in known else next((one["kind"] for one in kinds if one["count"]), "".join(known[:1]))
            text = clean(request.args.get("q"))
            entries, more = _entries(session, connection_id, kind, text)
            return self.render(
                "connection.html",
                **self._told(row, plugins()),
                kinds=kinds,
                kind=next((one for one in kinds if one["kind"] == kind), None),
                collected=sum(one["count"] for one in kinds),
                learned=learned_of(session, connection_id),
                entries=entries,
                q=text,
                more=more,
                beyond=bool(request.args.get("beyond")),
                users=users_of(session, connection_id),
                kept=kept_by_rule(session, row),
                duties=chores.mandatory(self.database, row),
                chores=chores.find(session, row),
                hook=_hook(row),
                named=label,
            )

    @expose("/<int:connection_id>/ready/")
    def ready(self, connection_id: int) -> ResponseReturnValue:
        """The last step of the wizard: collect, and what comes next."""
        with self.database.reading() as session:
            row = self._row(session, connection_id)
            others = session.scalar(select(func.count()).select_from(Connection).where(Connection.id != row.id)) or 0
        lacking = [one for one in chores.duties(self.database, row) if not one.ok]
        return self.render("connection_ready.html", **self._told(row, plugins()), alone=others == 0, lacking=lacking)

    @expose("/<int:connection_id>/state.json")
    def state(self, connection_id: int) -> ResponseReturnValue:
        """The live parts of the pages, as they stand now."""
        with self.database.reading() as session:
            row = self._row(session, connection_id)
            others = session.scalar(select(func.count()).select_from(Connection).where(Connection.id != row.id)) or 0
        told = self._told(row, plugins())
        lacking = [one for one in chores.duties(self.database, row) if not one.ok]
        html = render_template("connection_parts.html", **told, alone=others == 0, lacking=lacking)
        parts = dict(part.split("-->", 1) for part in html.split("<!--part:")[1:])
        return jsonify(
            busy=told["test"].busy or told["collect"].busy,
            collected=told["collect"].ended.isoformat() if told["collect"].ended else "",
            said=_said(told["test"], told["collect"]),
            parts={name: {"mark": _mark(text), "html": text} for name, text in parts.items()},
        )

    @expose("/<int:connection_id>/test", methods=["POST"])
    def check(self, connection_id: int) -> ResponseReturnValue:
        return self._start(connection_id, jobs.TEST)

    @expose("/<int:connection_id>/collect", methods=["POST"])
    def collect(self, connection_id: int) -> ResponseReturnValue:
        return self._start(connection_id, jobs.COLLECT)

    def _start(self, connection_id: int, what: str) -> ResponseReturnValue:
        with self.database.reading() as session:
            row = self._row(session, connection_id)
        reason = _reason(row.connector)
        if not reason:
            jobs.start(self.database, connection_id, what, by())
        if request.headers.get("X-Requested-With") == "fetch":
            return jsonify(started=not reason), 422 if reason else 202
        if reason:
            flash(reason, "bad")
        back = ".ready" if request.form.get("from") == "ready" else ".one"
        return redirect(url_for(back, connection_id=connection_id))

    @expose("/<int:connection_id>/switch", methods=["POST"])
    def switch(self, connection_id: int) -> ResponseReturnValue:
        """An inactive account exchanges nothing; it can still be tested and collected."""
        active = request.form.get("active") == "yes"
        try:
            with self.database.session() as session:
                row = self._row(session, connection_id)
                name, was = row.name, row.active
                spec = ConnectionSpec(name=name, connector=row.connector, base_url=row.base_url, active=active)
                save_connection(session, spec, by(), now_called=name)
        except Wrong as error:
            if active or not was:
                said = " ".join(told(fault.sentence) for fault in error.faults)
                flash(_("It cannot be activated: {problem}", problem=said), "bad")
                return self._back(connection_id)
            self._deactivate(connection_id)  # that must always be possible
        if active:
            flash(_("{name} is active.", name=name), "good")
        else:
            flash(_("{name} is inactive: nothing is exchanged with it.", name=name), "good")
        return self._back(connection_id)

    def _deactivate(self, connection_id: int) -> None:
        """Past the check of everything else in the connection."""
        with self.database.session() as session:
            row = self._row(session, connection_id)
            row.active, row.updated_at = False, now()
            changed = {"before": {"active": True}, "after": {"active": False}}
            audit.note(session, by(), "changed", "connection", row.name, subject_id=row.id, **changed)

    def _back(self, connection_id: int) -> ResponseReturnValue:
        if request.form.get("back") == "one":
            return redirect(url_for(".one", connection_id=connection_id))
        return redirect(url_for(".index"))

    @expose("/<int:connection_id>/values", methods=["POST"])
    def add_value(self, connection_id: int) -> ResponseReturnValue:
        """A value typed in by hand: for lists that a system does not have, or does not show."""
        entry, name = (request.form.get(field, "").replace("\x00", "").strip() for field in ("entry", "name"))
        kind = request.form.get("kind", "")
        with self.database.session() as session:
            row = self._row(session, connection_id)
            if kind not in {one["kind"] for one in kinds_of(session, row)}:
                abort(404)
            if not entry or len(entry) > LONGEST_ENTRY or len(name) > LONGEST_ENTRY:
                flash(_("Nothing was added: a value needs an id of at most {n} characters.", n=LONGEST_ENTRY), "bad")
                return redirect(url_for(".one", connection_id=connection_id, kind=kind))
            values = {
                "connection_id": row.id,
                "kind": kind,
                "entry": entry,
                "name": name or entry,
                "extra": {},
                "learned": True,
                "collected_at": now(),
            }
            adding = insert_or_ignore(CatalogueEntry.__table__, sqlite=self.database.sqlite).values(values)
            made = session.execute(adding.returning(CatalogueEntry.id)).first()
            if made is not None:
                after = {"list": kind, "id": entry, "name": name or entry}
                audit.note(session, by(), "added a value", "connection", row.name, subject_id=row.id, after=after)
        if made is None:
            flash(_("{id} is in this list already.", id=entry), "bad")
        else:
            flash(_("{id} was added.", id=entry), "good")
        return redirect(url_for(".one", connection_id=connection_id, kind=kind))

    @expose("/<int:connection_id>/values/remove", methods=["POST"])
    def remove_value(self, connection_id: int) -> ResponseReturnValue:
        given = request.form.get("entry_id", "")
        with self.database.session() as session:
            row = self._row(session, connection_id)
            found = session.get(CatalogueEntry, int(given)) if given.isdecimal() and len(given) < 19 else None
            if found is None or found.connection_id != connection_id or not found.learned:
                abort(404)
            before = {"list": found.kind, "id": found.entry, "name": found.name}
            session.delete(found)
            audit.note(session, by(), "removed a value", "connection", row.name, subject_id=row.id, before=before)
        flash(_("{id} was removed. It comes back when a record brings it again.", id=before["id"]), "good")
        return redirect(url_for(".one", connection_id=connection_id, kind=before["list"]))

    @expose("/<int:connection_id>/forget", methods=["POST"])
    def forget(self, connection_id: int) -> ResponseReturnValue:
        """Delete what was collected; what was learned from records or typed in stays unless that is asked for too."""
        with self.database.session() as session:
            row = self._row(session, connection_id)
            entry = CatalogueEntry
            mine = delete(entry).where(entry.connection_id == connection_id)
            if request.form.get("learned") != "yes":
                mine = mine.where(entry.learned.is_(False))
            gone = len(session.execute(mine.returning(entry.id)).all())
            row.collected_at = None
            before = {"entries": gone}
            audit.note(
                session, by(), "deleted collected data", "connection", row.name, subject_id=row.id, before=before
            )
        flash(n_("{n} collected value was deleted.", "{n} collected values were deleted.", gone), "good")
        return redirect(url_for(".one", connection_id=connection_id))

    @expose("/<int:connection_id>/delete", methods=["POST"])
    def delete(self, connection_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            name = self._row(session, connection_id).name
        if request.form.get("confirm", "").strip() != name:
            flash(_("The connection was not deleted: the name you typed is not {name}.", name=name), "bad")
            return redirect(url_for(".one", connection_id=connection_id))
        try:
            with self.database.session() as session:
                delete_connection(session, name, by())  # it leaves the line of the audit too
        except Wrong as error:
            flash(" ".join(told(fault.sentence) for fault in error.faults), "bad")
            return redirect(url_for(".one", connection_id=connection_id))
        flash(_("The connection {name} was deleted.", name=name), "good")
        return redirect(url_for(".index"))

    def _row(self, session: Session, connection_id: int) -> Connection:
        row = session.get(Connection, connection_id) if connection_id < 2**63 else None
        if row is None:
            abort(404)
        return row

    def _told(self, row: Connection, found: Mapping[str, Plugin]) -> dict[str, Any]:
        """What every page says of a connection."""
        plugin = found.get(row.connector)
        declared = plugin.connector.catalogues if plugin and plugin.connector else ()
        findings: list[Finding] = last_findings(self.database, row)
        return {
            "row": row,
            "label": system_label(found, row.connector),
            "reason": _reason(row.connector),
            "findings": findings,
            "test": jobs.look(self.database, row.id, jobs.TEST),
            "collect": jobs.look(self.database, row.id, jobs.COLLECT),
            "lists": [one for one in declared if not one.learned],
            "gauges": gauges(self.database, row),
        }


def _said(test: jobs.Job, collect: jobs.Job) -> str:
    """For the ear: what goes on, or how the last thing ended."""
    if test.busy:
        return _("The test is running.")
    if collect.busy:
        return _("Collecting is running.")
    last = max((one for one in (test, collect) if one.ended), key=lambda one: str(one.ended), default=None)
    if last is None:
        return ""
    if last.what == jobs.TEST:
        return _("The test ended: everything works.") if last.ok else _("The test ended: something does not work.")
    return _("Everything was collected.") if last.ok else _("Not everything could be collected.")


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _entries(session: Session, connection_id: int, kind: str, text: str) -> tuple[list[CatalogueEntry], int | None]:
    """The next entries of a kind in the system's own order, and where the ones after them begin."""
    entry = CatalogueEntry
    query: Select[tuple[CatalogueEntry]] = select(entry).where(entry.connection_id == connection_id, entry.kind == kind)
    if text:
        pattern = like(text.lower())
        query = query.where(
            or_(func.lower(entry.entry).like(pattern, escape="!"), func.lower(entry.name).like(pattern, escape="!"))
        )
    beyond = request.args.get("beyond", "")
    if beyond.isdecimal() and len(beyond) < 19:
        query = query.where(entry.id > int(beyond))
    found = list(session.scalars(query.order_by(entry.id).limit(ENTRIES_SHOWN + 1)).all())
    more = len(found) > ENTRIES_SHOWN
    return found[:ENTRIES_SHOWN], found[ENTRIES_SHOWN - 1].id if more else None


def kinds_of(session: Session, row: Connection) -> list[dict[str, Any]]:
    """The catalogues of a connection: those its connector declares, then any other that was collected."""
    entry = CatalogueEntry
    query = select(entry.kind, func.count().label("entries"), func.max(entry.collected_at).label("at"))
    counts = {
        one.kind: (one.entries, one.at)
        for one in session.execute(query.where(entry.connection_id == row.id).group_by(entry.kind))
    }
    plugin = plugins().get(row.connector)
    declared = plugin.connector.catalogues if plugin and plugin.connector else ()
    known = {one.kind for one in declared}
    named = [(one.kind, one.label, one.learned) for one in declared]
    named += [(kind, kind.replace("_", " ").capitalize(), False) for kind in counts if kind not in known]
    return [
        {"kind": kind, "label": said, "learned": learned, "count": count, "at": at}
        for kind, said, learned in named
        for count, at in (counts.get(kind, (0, None)),)
    ]


def learned_of(session: Session, connection_id: int) -> int:
    """How many values were seen in records or typed in."""
    entry = CatalogueEntry
    query = select(func.count()).select_from(entry).where(entry.connection_id == connection_id, entry.learned)
    return session.scalar(query) or 0


def users_of(session: Session, connection_id: int) -> Sequence[Profile]:
    """The profiles that send from or to a connection."""
    mine = or_(Profile.from_id == connection_id, Profile.to_id == connection_id)
    return session.scalars(select(Profile).where(mine).order_by(Profile.name)).all()


def users_by_connection(session: Session) -> dict[int, list[str]]:
    """The names of the profiles of each connection."""
    found: dict[int, list[str]] = {}
    for name, source, target in session.execute(
        select(Profile.name, Profile.from_id, Profile.to_id).order_by(Profile.name)
    ):
        for one in {source, target}:
            found.setdefault(one, []).append(name)
    return found


def _reason(code: str) -> str:
    """Why a connector cannot be used; empty when it can."""
    plugin = plugins().get(code)
    if plugin is None:
        return _("No connector {code!r} is installed.", code=code)
    return plugin.reason or "" if plugin.connector is None else ""


def _hook(row: Connection) -> str | None:
    """The address for webhooks of a system that is watched; for who may change the connection, as it is a key."""
    if not may_here("edit_connection.index"):
        return None
    try:
        made = registry.connector(row.connector)
    except LookupError:
        return None
    if not any(one.entity == ENTITY and one.offers("read") for one in made.resources):
        return None
    return request.host_url.rstrip("/") + hooks.path(row.id)
