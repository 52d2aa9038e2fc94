"""Connections: the accounts at the systems, their state, the test, and what was collected from them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from admin.configuration import Wrong, delete_connection
from admin.views.base import View, expose
from admin.views.collected import label
from admin.views.profile import system_label
from admin.views.words import _
from connector import ConnectorError, Finding
from connector.registry import plugins
from profiles.models import CatalogueEntry, Connection, Profile
from profiles.wiring import check_connection, collect_connection

log = logging.getLogger(__name__)

ENTRIES_SHOWN = 500


class Connections(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        found = plugins()
        with self.database.reading() as session:
            rows = session.scalars(select(Connection).order_by(Connection.name)).all()
            used = {row.id: len(users_of(session, row.id)) for row in rows}
        return self.render(
            "connections.html",
            rows=rows,
            used=used,
            labels={row.id: system_label(found, row.connector) for row in rows},
            reasons={row.id: _reason(row.connector) for row in rows},
            broken=[plugin for plugin in found.values() if plugin.connector is None],
        )

    @expose("/<int:connection_id>/")
    def one(self, connection_id: int) -> ResponseReturnValue:
        return self._page(connection_id)

    @expose("/<int:connection_id>/test", methods=["POST"])
    def test(self, connection_id: int) -> ResponseReturnValue:
        self._existing(connection_id)
        return self._page(connection_id, findings=check_connection(self.database, connection_id))

    @expose("/<int:connection_id>/collect", methods=["POST"])
    def collect(self, connection_id: int) -> ResponseReturnValue:
        self._existing(connection_id)
        try:
            counts = collect_connection(self.database, connection_id, lambda kind, count: None)
        except ConnectorError as error:
            flash(_("Not everything could be collected: {reason}", reason=str(error)), "bad")
        except Exception as error:  # a stranger's connector may fail in any way; what was fetched stays
            log.exception("collecting connection %s failed", connection_id)
            flash(_("Collecting failed: {reason}. It is in the log.", reason=type(error).__name__), "bad")
        else:
            total = sum(counts.values())
            flash(_("Collected {n} entries of {kinds} lists.", n=total, kinds=len(counts)), "good")
        return redirect(url_for(".one", connection_id=connection_id))

    @expose("/<int:connection_id>/delete", methods=["POST"])
    def delete(self, connection_id: int) -> ResponseReturnValue:
        name = self._existing(connection_id)
        try:
            if request.form.get("confirm", "").strip() != name:
                flash(_("The connection was not deleted: the name you typed is not {name}.", name=name), "bad")
                return redirect(url_for(".one", connection_id=connection_id))
            with self.database.session() as session:
                delete_connection(session, name)
        except Wrong as error:
            flash(str(error), "bad")
            return redirect(url_for(".one", connection_id=connection_id))
        flash(_("The connection {name} was deleted.", name=name), "good")
        return redirect(url_for(".index"))

    def _existing(self, connection_id: int) -> str:
        with self.database.reading() as session:
            row = session.get(Connection, connection_id)
        if row is None:
            abort(404)
        return row.name

    def _page(self, connection_id: int, findings: Sequence[Finding] = ()) -> str:
        kind = request.args.get("kind", "")
        found = plugins()
        with self.database.reading() as session:
            row = session.get(Connection, connection_id)
            if row is None:
                abort(404)
            kinds = kinds_of(session, row)
            kind = kind if any(one["kind"] == kind for one in kinds) else (kinds[0]["kind"] if kinds else "")
            entries = session.scalars(
                select(CatalogueEntry)
                .where(CatalogueEntry.connection_id == connection_id, CatalogueEntry.kind == kind)
                .order_by(CatalogueEntry.id)
                .limit(ENTRIES_SHOWN)
            ).all()
            return self.render(
                "connection.html",
                row=row,
                label=system_label(found, row.connector),
                reason=_reason(row.connector),
                findings=findings,
                kinds=kinds,
                kind=kind,
                entries=entries,
                most=ENTRIES_SHOWN,
                users=users_of(session, connection_id),
                named=label,
            )


def kinds_of(session: Session, row: Connection) -> list[dict[str, Any]]:
    """The catalogues of a connection: those its connector declares, then any other that was collected."""
    query = select(CatalogueEntry.kind, func.count().label("entries")).where(CatalogueEntry.connection_id == row.id)
    counts = {row.kind: row.entries for row in session.execute(query.group_by(CatalogueEntry.kind))}
    plugin = plugins().get(row.connector)
    declared = plugin.connector.catalogues if plugin and plugin.connector else ()
    made = [
        {"kind": one.kind, "label": one.label, "learned": one.learned, "count": counts.get(one.kind, 0)}
        for one in declared
    ]
    known = {one.kind for one in declared}
    made += [
        {"kind": kind, "label": kind.replace("_", " ").capitalize(), "learned": False, "count": count}
        for kind, count in counts.items()
        if kind not in known
    ]
    return made


def users_of(session: Session, connection_id: int) -> Sequence[Profile]:
    """The profiles that send from or to a connection."""
    mine = or_(Profile.from_id == connection_id, Profile.to_id == connection_id)
    return session.scalars(select(Profile).where(mine).order_by(Profile.name)).all()


def _reason(code: str) -> str:
    """Why a connector cannot be used; empty when it can."""
    plugin = plugins().get(code)
    if plugin is None:
        return _("No connector {code!r} is installed.", code=code)
    return plugin.reason or "" if plugin.connector is None else ""
