"""The form of a connection, derived from its connector's account settings. Secrets go in and never come out.

*Test* tries what stands in the form without storing it. What was typed into a secret's field and had to be shown again
stays here as a sealed text (encrypted with the host's key, for this person, for an hour), never in clear.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select

from admin import derive
from admin.configuration import ConnectionSpec, Wrong, save_connection
from admin.configuration.connections import ConnectionPlan
from admin.views import jobs
from admin.views.base import View, by, expose
from admin.views.collected import label
from admin.views.frame import faults_by_path
from admin.views.inputs import Catalogues, Input, Item, no_catalogues
from admin.views.options import lists_of
from admin.views.words import _, told
from connector import Connector, Finding
from connector.registry import connector as find_connector
from connector.registry import plugins
from connector.settings import declared
from profiles.db import Database, DatabaseTrouble
from profiles.models import CatalogueEntry, Connection
from profiles.secrets import HIDDEN, seal, unseal
from profiles.trying import check_unsaved

DRAFT_SECONDS = 3600.0
TEST, SAVE = "test", "save"  # what a button of the form asks for


class NewConnection(View):
    @expose("/", methods=["GET", "POST"])
    def index(self) -> ResponseReturnValue:
        """First the choice of a system, then its form."""
        code = request.values.get("connector", "")
        if code not in {plugin.code for plugin in plugins().values() if plugin.connector}:
            return self.render("connection_choose.html", systems=_systems(), broken=_broken())
        if request.method != "POST":  # HEAD reads too
            return _page(self, Draft(code=code))
        draft = _given(code, {})
        if request.form.get("do") == TEST:
            return _test(self, draft, None)
        try:
            with self.database.session() as session:
                save_connection(session, draft.spec, by())
                made = session.scalars(select(Connection.id).where(Connection.name == draft.spec.name)).one()
        except Wrong as error:
            return _page(self, replace(draft, problems=faults_by_path(error.faults))), 422
        if request.form.get("tested") == "yes":
            jobs.start(self.database, made, jobs.TEST, by())
            jobs.start(self.database, made, jobs.COLLECT, by())
        flash(_("The connection {name} is saved.", name=draft.spec.name), "good")
        return redirect(url_for("connections.ready", connection_id=made))

    @expose("/test.json")
    def trial(self) -> ResponseReturnValue:
        """How far the test of a form is."""
        trial = jobs.trials.look(by(), request.args.get("job", ""))
        if trial is None:
            return jsonify(known=False, busy=False)
        if trial.findings is None:
            return jsonify(known=True, busy=True, seconds=round(time.monotonic() - trial.began))
        return jsonify(
            known=True,
            busy=False,
            ok=all(one.ok for one in trial.findings),
            html=render_template("connection_findings.html", findings=trial.findings, said=_said(trial.findings)),
        )


class EditConnection(View):
    @expose("/", methods=["GET", "POST"])
    def index(self, connection_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            row = session.get(Connection, connection_id) if connection_id < 2**63 else None
        if row is None:
            abort(404)
        if row.connector not in plugins() or plugins()[row.connector].connector is None:
            flash(_("Its connector cannot be used now, so it cannot be changed here."), "bad")
            return redirect(url_for("connections.one", connection_id=connection_id))
        stored = unseal(row.credentials)
        if request.method != "POST":  # HEAD reads too
            return _page(self, Draft(code=row.connector, name=row.name, base_url=row.base_url, shown=stored, row=row))
        draft = replace(_given(row.connector, stored), row=row)
        if request.form.get("do") == TEST:
            return _test(self, draft, row.name)
        try:
            with self.database.session() as session:
                changes = save_connection(session, draft.spec, by(), now_called=row.name)
        except Wrong as error:
            return _page(self, replace(draft, problems=faults_by_path(error.faults))), 422
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        if changes and request.form.get("tested") == "yes":
            jobs.start(self.database, connection_id, jobs.TEST, by())
        return redirect(url_for("connections.one", connection_id=connection_id))


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What stands in the form. `shown`: values of the inputs, secrets among them only to say that there is one."""

    code: str
    name: str = ""
    base_url: str = ""
    active: bool | None = None  # None: as it is
    credentials: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    typed: Mapping[str, str] = field(default_factory=dict)  # secrets that were typed into this form
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    findings: Sequence[Finding] | None = None
    row: Connection | None = None

    @property
    def spec(self) -> ConnectionSpec:
        return ConnectionSpec(
            name=self.name,
            connector=self.code,
            base_url=self.base_url,
            credentials=dict(self.credentials),
            active=self.active,
        )


def _given(code: str, stored: Mapping[str, Any]) -> Draft:
    """What the form says. An empty secret keeps the one that was typed before or is stored, else it is left out."""
    settings = declared(find_connector(code).Settings)
    given, _problems = derive.read_form(settings, request.form.to_dict(flat=False), {})
    usual = {one.name: one.default for one in settings}
    typed = _opened(code)
    secret = {one.name for one in settings if one.secret}
    for name in secret & typed.keys() - given.keys():
        given[name] = typed[name]
    settings = [one for one in settings if one.matters({**usual, **given})]
    # what was merely shown as the default does not become a value of its own
    values = {
        one.name: given[one.name]
        for one in settings
        if one.name in given and (one.name in stored or given[one.name] != one.default)
    }
    kept = {one.name: HIDDEN for one in settings if one.secret and one.name not in values and one.name in stored}
    return Draft(
        code=code,
        name=request.form.get("connection_name", "").strip(),
        base_url=request.form.get("connection_address", "").strip(),
        active={"yes": True, "no": False}.get(request.form.get("connection_active", "")),
        credentials={**values, **kept},
        shown={**stored, **{name: value for name, value in given.items() if value != HIDDEN}},
        typed={name: given[name] for name in secret & given.keys() if isinstance(given[name], str)},
    )


# secrets that were typed into a form that is shown again


def _sealed(draft: Draft) -> str:
    if not draft.typed:
        return ""
    return seal({"by": current_user.get_id(), "code": draft.code, "at": time.time(), "typed": dict(draft.typed)})


def _opened(code: str) -> dict[str, str]:
    """What `_sealed` kept for this person; nothing when it is old, foreign or no text of ours."""
    given = request.form.get("draft", "")
    if not given:
        return {}
    try:
        kept = unseal(given)
    except DatabaseTrouble:
        return {}
    if not isinstance(kept, dict) or (kept.get("by"), kept.get("code")) != (current_user.get_id(), code):
        return {}
    if not time.time() - DRAFT_SECONDS < kept.get("at", 0) <= time.time():
        return {}
    return dict(kept["typed"])


# testing what is not stored


def _test(view: View, draft: Draft, now_called: str | None) -> ResponseReturnValue:
    fetched = request.headers.get("X-Requested-With") == "fetch"
    label = find_connector(draft.code).label
    with view.database.session() as session:
        spec = replace(draft.spec, name=draft.name or label)
        plan = ConnectionPlan(session, spec, now_called=now_called)
        problems = faults_by_path(fault for fault in plan.faults if fault.path != "name")  # it is asked when saving
        if not problems:
            facts = {"connector": draft.code, "base_url": plan.base_url}
            jobs.tried(session, by(), draft.name, facts)
    if problems:
        if fetched:
            return jsonify(problems=_by_input(problems)), 200
        return _page(view, replace(draft, problems=problems)), 422
    name, code, base_url, credentials = spec.name, draft.code, plan.base_url, plan.credentials
    if fetched:
        word = jobs.trials.start(by(), lambda: check_unsaved(name, code, base_url, credentials))
        return jsonify(job=word)
    return _page(view, replace(draft, findings=check_unsaved(name, code, base_url, credentials)))


def _by_input(problems: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Problems by the id of the input that they stand at; "" for those of the whole form."""
    names = {"name": "connection_name", "base_url": "connection_address"}
    made: dict[str, list[str]] = {}
    for path, said in problems.items():
        inner = path.removeprefix("credentials.").split(".")[0]
        at = names.get(path) or (f"s.{inner}" if path.startswith("credentials.") else "")
        made.setdefault(at, []).extend(told(sentence) for sentence in said)
    return made


def _said(findings: Sequence[Finding]) -> str:
    bad = sum(1 for one in findings if not one.ok)
    if not bad:
        return _("Everything works. Save the connection, then its lists are collected.")
    return _("Not everything works yet. What to do stands beside each line.")


# the page


def _page(view: View, draft: Draft) -> str:
    made = find_connector(draft.code)
    settings = declared(made.Settings)
    inner = {
        path.removeprefix("credentials."): said
        for path, said in draft.problems.items()
        if path.startswith("credentials.")
    }
    entries = _own(view.database, draft.row)
    groups = derive.groups(settings, draft.shown, problems=inner, catalogues=entries)
    for group in groups:
        group.inputs[:] = [_said_of(one, draft) for one in group.inputs]
    return view.render(
        "connection_form.html",
        row=draft.row,
        code=draft.code,
        made=made,
        label=made.label,
        name=draft.name if draft.row or draft.name or draft.problems else _free_name(view.database, made),
        base_url=draft.base_url,
        active=(draft.row is None or draft.row.active) if draft.active is None else draft.active,
        groups=groups,
        lists=lists_of(groups),
        problems={path: said for path, said in draft.problems.items() if not path.startswith("credentials.")},
        wrong=bool(draft.problems),
        findings=draft.findings,
        said=_said(draft.findings or ()),
        tested=draft.findings is not None and all(one.ok for one in draft.findings),
        draft=_sealed(draft),
    )


def _said_of(one: Input, draft: Draft) -> Input:
    """With what there is to know about it in this form."""
    if one.kind == "secret" and one.setting in draft.typed and not one.value:
        return replace(one, hint=_("Kept as you typed it. Leave it empty, or type another one."))
    if one.collect and draft.row is None:
        said = _("Its list is collected when the connection is saved. Choose then, or type the id now.")
        return replace(one, hint=said, collect="")
    if one.collect:
        said = _("Its list is not collected yet. Press Collect on the page of the connection, or type the id.")
        return replace(one, hint=said, collect="")
    return one


def _own(database: Database, row: Connection | None) -> Catalogues:
    """What was collected from this connection itself: settings of an account choose from its own lists."""
    if row is None:
        return no_catalogues

    def entries(side: str, kind: str) -> Sequence[Item]:
        entry = CatalogueEntry
        mine = select(entry).where(entry.connection_id == row.id, entry.kind == kind).order_by(entry.id)
        with database.reading() as session:
            found = session.scalars(mine).all()
        return [Item(value=one.entry, label=label(one.entry, one.name), name=one.name) for one in found]

    return entries


def _free_name(database: Database, made: type[Connector]) -> str:
    """A name to begin with: the system's, with a number where it is taken."""
    with database.reading() as session:
        taken = set(session.scalars(select(Connection.name)).all())
    name = made.label.split(" / ")[0]
    return next(one for one in (name, *(f"{name} {n}" for n in range(2, 999))) if one not in taken)


def _systems() -> list[dict[str, Any]]:
    """The systems that can be chosen, with what each is for."""
    found = []
    for plugin in plugins().values():
        if (made := plugin.connector) is None:
            continue
        verbs = [(one.label, [verb for verb in ("read", "write") if one.offers(verb)]) for one in made.resources]
        found.append({"code": made.code, "label": made.label, "description": made.description, "verbs": verbs})
    return found


def _broken() -> list[Any]:
    return [plugin for plugin in plugins().values() if plugin.connector is None]
