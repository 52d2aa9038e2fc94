"""The form of a connection, derived from its connector's account settings. Secrets go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin import derive
from admin.configuration import ConnectionSpec, Wrong, save_connection
from admin.views.base import View, by, expose
from admin.views.frame import faults_by_path
from admin.views.words import _
from connector.registry import connector as find_connector
from connector.registry import plugins
from connector.settings import Setting, declared
from profiles.models import Connection
from profiles.secrets import HIDDEN, unseal


class NewConnection(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        """First the choice of a system, then its form."""
        code = request.values.get("connector", "")
        usable = [plugin.connector for plugin in plugins().values() if plugin.connector]
        if not any(one.code == code for one in usable):
            return self.render("connection_choose.html", connectors=usable)
        if request.method == "GET":
            return _form(self, code, "", "", {}, {})
        spec = _given(code, {})
        try:
            with self.database.session() as session:
                save_connection(session, spec, by())
                made = session.scalars(select(Connection.id).where(Connection.name == spec.name)).one()
        except Wrong as error:
            draft = {key: value for key, value in (spec.credentials or {}).items() if value != HIDDEN}
            return _form(self, code, spec.name, spec.base_url, draft, faults_by_path(error.faults)), 422
        flash(_("The connection {name} was made. Test it, then collect.", name=spec.name), "good")
        return redirect(url_for("connections.one", connection_id=made))


class EditConnection(View):
    @expose("/", methods=["GET", "POST"])
    def index(self, connection_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            row = session.get(Connection, connection_id)
        if row is None:
            abort(404)
        if row.connector not in plugins() or plugins()[row.connector].connector is None:
            flash(_("Its connector cannot be used now, so it cannot be changed here."), "bad")
            return redirect(url_for("connections.one", connection_id=connection_id))
        stored = unseal(row.credentials)
        if request.method == "GET":
            return _form(self, row.connector, row.name, row.base_url, stored, {}, row)
        spec = _given(row.connector, stored)
        try:
            with self.database.session() as session:
                changes = save_connection(session, spec, by(), now_called=row.name)
        except Wrong as error:
            draft = {**stored, **{key: value for key, value in (spec.credentials or {}).items() if value != HIDDEN}}
            return _form(self, row.connector, spec.name, spec.base_url, draft, faults_by_path(error.faults), row), 422
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        return redirect(url_for("connections.one", connection_id=connection_id))


def _given(code: str, stored: Mapping[str, Any]) -> ConnectionSpec:
    """What the form says. An empty secret keeps the stored one, or is left out where none is stored."""
    settings = declared(find_connector(code).Settings)
    given, _problems = derive.read_form(settings, request.form.to_dict(flat=False), {})
    usual = {one.name: one.default for one in settings}
    # what was merely shown as the default does not become a value of its own
    values = {name: value for name, value in given.items() if name in stored or value != usual[name]}
    kept = {one.name: HIDDEN for one in settings if one.secret and one.name not in values and one.name in stored}
    return ConnectionSpec(
        name=request.form.get("connection_name", "").strip(),
        connector=code,
        base_url=request.form.get("connection_address", "").strip(),
        credentials={**values, **kept},
    )


def _form(
    view: View,
    code: str,
    name: str,
    base_url: str,
    credentials: Mapping[str, Any],
    problems: Mapping[str, list[str]],
    row: Connection | None = None,
) -> str:
    settings: list[Setting] = declared(find_connector(code).Settings)
    inner = {
        path.removeprefix("credentials."): said for path, said in problems.items() if path.startswith("credentials.")
    }
    return view.render(
        "connection_form.html",
        row=row,
        code=code,
        label=find_connector(code).label,
        name=name,
        base_url=base_url,
        groups=derive.groups(settings, credentials, problems=inner),
        problems={path: said for path, said in problems.items() if not path.startswith("credentials.")},
    )
