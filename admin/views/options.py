"""The tab *Export settings* (*Import settings*): the declared settings of both sides, per scope, with inheritance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from admin import derive
from admin.configuration import Wrong, save_profile
from admin.views.base import by, expose
from admin.views.collected import PARTS, Scope, catalogues, scopes
from admin.views.frame import ProfilePage, Shown, faults_by_path
from admin.views.words import _
from connector.settings import GLOBAL, STORE, Setting
from profiles.settings import resolve


class ExportSettings(ProfilePage):
    @expose("/", methods=["GET", "POST"])
    def index(self, profile_id: int) -> ResponseReturnValue:
        if request.method == "GET":
            with self.database.reading() as session:
                shown = self.show(session, profile_id)
                if shown.declared is None:
                    return self.render("profile/options.html", shown=shown, groups=[], scopes=[], scope=None)
                scope, all_scopes = _chosen(session, shown)
                return self._page(session, shown, scope, all_scopes, _stored(shown, scope), {})
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                abort(404)
            scope, all_scopes = _chosen(session, shown)
        stored = _stored(shown, scope)
        values, problems = derive.read_form(_settable(shown, scope), request.form.to_dict(flat=False), stored)
        changes: list[str] = []
        if not problems:
            try:
                changes = self._save(profile_id, scope, values)
            except Wrong as error:
                problems = _of_scope(faults_by_path(error.faults), scope)
        if problems:
            with self.database.reading() as session:
                return self._page(session, shown, scope, all_scopes, values, problems), 422
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        return redirect(url_for(".index", profile_id=profile_id, scope=scope.path if scope.code else None))

    def _save(self, profile_id: int, scope: Scope, values: Mapping[str, Any]) -> list[str]:
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            spec = shown.spec(settings=_with_scope(shown.profile.settings or {}, scope, values))
            return save_profile(session, spec, by(), now_called=shown.profile.name)

    def _page(
        self,
        session: Session,
        shown: Shown,
        scope: Scope,
        all_scopes: list[Scope],
        values: Mapping[str, Any],
        problems: Mapping[str, list[str]],
    ) -> str:
        settings = _settable(shown, scope)
        above = _above(shown, scope)
        groups = derive.groups(
            settings,
            values,
            words=shown.words,
            catalogues=catalogues(session, shown.profile),
            problems=problems,
            inherited=above.options,
            origins=above.origins,
        )
        placed = {one.name for one in settings}
        return self.render(
            "profile/options.html",
            shown=shown,
            groups=groups,
            scope=scope,
            scopes=all_scopes,
            elsewhere=len([one for one in shown.declared.settings if one.name not in placed]) if shown.declared else 0,
            problems={path: said for path, said in problems.items() if path.split(".")[0] not in placed},
            wrong=sum(group.wrong for group in groups),
        )


def _chosen(session: Session, shown: Shown) -> tuple[Scope, list[Scope]]:
    """The scope that the address names. Only known scopes have a page."""
    found = scopes(session, shown.profile)
    asked = request.args.get("scope") or GLOBAL
    scope = next((one for one in found if one.path == asked), None)
    if scope is None:
        abort(404)
    return scope, found


def _settable(shown: Shown, scope: Scope) -> list[Setting]:
    assert shown.declared is not None
    return [one for one in shown.declared.settings if scope.level in one.scopes]


def _stored(shown: Shown, scope: Scope) -> dict[str, Any]:
    settings = shown.profile.settings or {}
    found = (settings.get(PARTS[scope.level]) or {}).get(scope.code) if scope.code else settings.get(GLOBAL)
    return dict(found or {})


def _with_scope(settings: Mapping[str, Any], scope: Scope, values: Mapping[str, Any]) -> dict[str, Any]:
    """All settings with those of one scope replaced; a scope without values of its own is left out."""
    made: dict[str, Any] = {GLOBAL: dict(settings.get(GLOBAL) or {})}
    for part in PARTS.values():
        made[part] = dict(settings.get(part) or {})
    if not scope.code:
        made[GLOBAL] = dict(values)
    elif values:
        made[PARTS[scope.level]][scope.code] = dict(values)
    else:
        made[PARTS[scope.level]].pop(scope.code, None)
    return made


def _above(shown: Shown, scope: Scope) -> Any:
    """What holds where this scope sets nothing, with the origin of each value."""
    assert shown.declared is not None
    settings = shown.profile.settings or {}
    if not scope.code:
        return resolve(shown.declared.schemas, {})
    return resolve(shown.declared.schemas, settings, scope.website if scope.level == STORE else None)


def _of_scope(problems: Mapping[str, list[str]], scope: Scope) -> dict[str, list[str]]:
    """Paths as this page's inputs know them; problems of other scopes keep their whole path."""
    start = f"settings.{scope.path}."
    return {path.removeprefix(start): said for path, said in problems.items()}
