"""The tab *Dry run*: what would be sent, value by value with its origin, and nothing sent."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import abort, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin import audit, rehearsal
from admin.views import stops
from admin.views.base import by, expose
from admin.views.collected import catalogues
from admin.views.frame import ProfilePage, Shown
from admin.views.inputs import Catalogues, columns_of
from admin.views.words import _
from connector import leaves
from connector.settings import Choice, Setting, ValueMap, ident
from profiles.models import DryRun, DryRunLine, Profile, TaskStatus
from profiles.secrets import redact
from profiles.settings import Resolved, resolve

PAGE = 25
SHOWN_RUNS = 8
USUAL_LAST = 20


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value that would be sent: its path in the call, and where it comes from."""

    path: str
    value: str
    name: str = ""  # what a number stands for, from the target's catalogue
    source: str = ""
    link: str = ""  # to the setting that made it
    fixed: bool = False


class DryRuns(ProfilePage):
    @expose("/", methods=["GET", "POST"])
    def index(self, profile_id: int) -> ResponseReturnValue:
        if request.method == "POST":
            return self._ask(profile_id)
        return self._page(profile_id)

    @expose("/live.json")
    def live(self, profile_id: int) -> ResponseReturnValue:
        html = self._render("profile/dry_run_parts.html", profile_id)
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    @expose("/stop", methods=["POST"])
    def stop(self, profile_id: int) -> ResponseReturnValue:
        with self.database.session() as session:
            self.show(session, profile_id)
            run = _chosen(session, profile_id)
            if run is not None:
                rehearsal.stop(session, run.id)
        flash(_("The dry run stops after the current record."), "good")
        return redirect(url_for(".index", profile_id=profile_id))

    @expose("/line/<int:line_id>/")
    def line(self, profile_id: int, line_id: int) -> ResponseReturnValue:
        """What would be sent of one record."""
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            row = session.get(DryRunLine, line_id)
            run = session.get(DryRun, row.dry_run_id) if row else None
            if row is None or run is None or run.profile_id != profile_id:
                abort(404)
            calls = _calls(session, shown, row.line)
            return self.render("profile/dry_run_line.html", shown=shown, row=row, run=run, calls=calls)

    def _ask(self, profile_id: int) -> ResponseReturnValue:
        asked, problem = _request()
        if problem:
            return self._page(profile_id, problem), 422
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            name = shown.profile.name
            audit.note(session, by(), "dry run", "profile", name, subject_id=profile_id, after=asked)
        try:
            rehearsal.ask(self.database, profile_id, by(), asked)
        except rehearsal.Busy:
            flash(_("A dry run of this profile is on its way already."), "bad")
        return redirect(url_for(".index", profile_id=profile_id))

    def _page(self, profile_id: int, problem: str = "") -> str:
        return self._render("profile/dry_run.html", profile_id, problem)

    def _render(self, template: str, profile_id: int, problem: str = "") -> str:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            run = _chosen(session, profile_id)
            wanted = request.args.get("action", "")
            page = request.args.get("page", "")
            start = int(page) * PAGE if page.isdecimal() and len(page) < 6 else 0
            lines: list[DryRunLine] = []
            counted: Counter[str] = Counter()
            if run is not None:
                mine = DryRunLine.dry_run_id == run.id
                tallied = select(DryRunLine.action, func.count()).where(mine).group_by(DryRunLine.action)
                counted.update({row[0]: row[1] for row in session.execute(tallied)})
                query = select(DryRunLine).where(mine).order_by(DryRunLine.position)
                if wanted in counted:
                    query = query.where(DryRunLine.action == wanted)
                # at most a thousand lines: a position is quick enough here
                lines = list(session.scalars(query.offset(start).limit(PAGE + 1)))
            return self.render(
                template,
                shown=shown,
                run=run,
                stopped=stops.find(session, [vars(run)] if run is not None else ()),
                silent=run is not None and rehearsal.silent(run),
                runs=_runs(session, profile_id),
                lines=lines[:PAGE],
                more=len(lines) > PAGE,
                page=start // PAGE,
                counted=counted,
                wanted=wanted if wanted in counted else "",
                problem=problem,
                form=_form(run.request if run is not None else {}),
                most=rehearsal.MOST_LAST,
                busy=run is not None and run.status == TaskStatus.PROCESSING and not rehearsal.silent(run),
            )


def _form(before: Mapping[str, Any] = MappingProxyType({})) -> dict[str, str]:
    """What the form shows: what was typed, or the order that a link named, or what the shown run was asked."""
    order = (request.form.get("order") or request.args.get("order") or "").strip()[:128]
    which = request.form.get("which") or ("order" if order else next(iter(before), "due"))
    last = request.form.get("last") or str(before.get("last") or USUAL_LAST)
    return {"which": which, "last": last, "order": order or str(before.get("order") or "")}


def _request() -> tuple[dict[str, Any], str]:
    form = _form()
    if form["which"] == "order":
        return ({"order": form["order"]}, "") if form["order"] else ({}, _("Type the number of the order."))
    if form["which"] == "last":
        text = form["last"].strip()
        if not text.isdecimal() or not 1 <= int(text[:9]) <= rehearsal.MOST_LAST:
            return {}, _("Type a number from 1 to {most}, not {given}.", most=rehearsal.MOST_LAST, given=text)
        return {"last": int(text)}, ""
    return {}, ""


def _runs(session: Session, profile_id: int) -> list[DryRun]:
    query = select(DryRun).where(DryRun.profile_id == profile_id).order_by(DryRun.id.desc()).limit(SHOWN_RUNS)
    return list(session.scalars(query))


def _chosen(session: Session, profile_id: int) -> DryRun | None:
    """The run that the address names, else the newest."""
    given = request.args.get("run", "")
    query = select(DryRun).where(DryRun.profile_id == profile_id)
    if given.isdecimal() and len(given) < 19:
        return session.scalar(query.where(DryRun.id == int(given)))
    return session.scalar(query.order_by(DryRun.id.desc()).limit(1))


# where values come from


def _calls(session: Session, shown: Shown, line: Mapping[str, Any]) -> list[dict[str, Any]]:
    declared = {one.name: one for one in shown.declared.settings} if shown.declared else {}
    entries = catalogues(session, shown.profile)
    scope = line.get("scope") or {}
    resolved = _resolved(shown.profile, shown, scope)
    made = []
    for call in line.get("calls") or ():
        origins = call.get("origins") or {}
        values = [
            _value(shown, at, value, origins.get(at) or {}, declared, entries, resolved, scope)
            for at, value in leaves(redact(call.get("body")))
            if at
        ]
        made.append({"method": call["method"], "path": call["path"], "system": call.get("system"), "values": values})
    return made


def _resolved(profile: Profile, shown: Shown, scope: Mapping[str, Any]) -> Resolved | None:
    if shown.declared is None:
        return None
    return resolve(shown.declared.schemas, profile.settings or {}, scope.get("website"), scope.get("store"))


def _value(
    shown: Shown,
    at: str,
    value: Any,
    origin: Mapping[str, str],
    declared: Mapping[str, Setting],
    entries: Catalogues,
    resolved: Resolved | None,
    scope: Mapping[str, Any],
) -> Value:
    parts, link, name = [], "", ""
    setting = declared.get(origin.get("setting", ""))
    if path := origin.get("path"):
        parts.append(f"{shown.profile.entity}.{path}")
    if setting is not None and resolved is not None:
        label = _(setting.label).format_map(_Blank())
        row, column = origin.get("row"), origin.get("column", "")
        scoped = resolved.origins.get(setting.name, "default")
        mapping = resolved.options.get(setting.name)
        if row and isinstance(mapping, Mapping):
            there = row in mapping
            cell = next((head for key, _cell, head in _cells(setting.field) if key == column), "")
            label = f"{label}, {cell}" if cell else label
            parts.append(_("row “{row}” of {label}", row=row, label=label) if there else
                         _("no row “{row}” in {label}: the default holds", row=row, label=label))  # fmt: skip
            parts += [_said(scoped)] if there else []
        else:
            parts += [label, _said(scoped)]
        link = _link(shown, setting, scoped)
        name = _named(setting, column, value, entries)
    if said := origin.get("said"):
        parts.append(_(said))
    return Value(
        path=at,
        value="" if value is None else json.dumps(value) if isinstance(value, bool) else str(value),
        name=name,
        source=" · ".join(parts),
        link=link,
        fixed=not link and not origin.get("path"),
    )


class _Blank(dict[str, str]):
    """The words of labels ({entity}) stand for themselves here."""

    def __missing__(self, key: str) -> str:
        return key


def _said(origin: str) -> str:
    word, _space, code = origin.partition(" ")
    if word == "website":
        return _("set for website {code}", code=code)
    if word == "store":
        return _("set for store {code}", code=code)
    return _("set for all stores") if word == "global" else _("the default")


def _link(shown: Shown, setting: Setting, origin: str) -> str:
    word, _space, code = origin.partition(" ")
    scope = {"website": f"websites.{code}", "store": f"stores.{code}"}.get(word)
    return url_for("options.index", profile_id=shown.profile.id, scope=scope, _anchor=f"setting-{setting.name}")


def _named(setting: Setting, column: str, value: Any, entries: Catalogues) -> str:
    """What a number stands for in the target: the name of the collected entry."""
    for one in _choices(setting.field, column):
        if one.side != "target":
            continue
        for item in entries(one.side, one.kind):
            if ident(item.value) == ident(value):
                return item.name
    return ""


def _choices(field: Any, column: str) -> list[Choice]:
    """The lists that a value may be of; those of one cell where it is known which one it was."""
    return [cell for key, cell, _head in _cells(field) if isinstance(cell, Choice) and column in ("", key)]


def _cells(field: Any) -> list[tuple[str, Any, str]]:
    """What a setting holds, of a mapping each cell of a row: key, field, heading; a lone one has neither."""
    return columns_of(field.right) if isinstance(field, ValueMap) else [("", field, "")]
