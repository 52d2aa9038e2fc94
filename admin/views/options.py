"""The tab *Export settings* (*Import settings*): the declared settings of both sides, per scope, with inheritance.

What a save must not do (21 Nov 2026): leave a profile without what its runs need. Such a save is refused with 422, says
what is missing at each field, and keeps the draft in the form. Two ways lead past that, both by a button of their own:
an inactive profile may be saved as incomplete, because it is set up in several sittings and a run stops by name anyway;
and an active one where nothing is missing that was not missing before, because refusing would only keep people from
mending the rest. Rows that leave a mapping are asked about in the same way, and named once they are gone: what they
led elsewhere would go the default's way without a word. An older version that is restored is judged alike: it is the
draft in the form where it lacks something, and what it holds for other scopes is saved along with that form. Rejected:
saving drafts in the database, which would be a second truth that no run reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from admin import audit, derive
from admin.configuration import Wrong, save_profile
from admin.views import gaps
from admin.views.base import by, expose
from admin.views.collected import PARTS, Scope, catalogues, scopes
from admin.views.frame import Shown, faults_by_path
from admin.views.inputs import Input, Item
from admin.views.versions import Versions, named, saved_version, version_number
from admin.views.words import _
from connector.settings import GLOBAL, STORE, WEBSITE, Setting
from profiles.settings import resolve


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A submitted form that was not stored: what was typed, what is wrong with it, and whether it may be saved anyhow."""

    values: Mapping[str, Any]
    problems: Mapping[str, list[str]]
    lacking: Sequence[gaps.Gap] = ()
    may_be_incomplete: bool = False
    dropped: Sequence[gaps.Gap] = ()  # rows of mappings that the save would remove
    overtaken: bool = False  # somebody else saved meanwhile
    restores: int = 0  # the older version that it began with, whose other scopes are saved too

    @property
    def mark(self) -> str:
        """Of the rows that were asked about: the answer holds for no others."""
        return hashlib.sha256("\n".join(gap.path for gap in self.dropped).encode()).hexdigest()[:16]


class Refused(Exception):
    """Nothing may be stored; the transaction ends without effect."""

    def __init__(self, draft: Draft) -> None:
        super().__init__("not stored")
        self.draft = draft


class ExportSettings(Versions):
    @expose("/", methods=["GET", "POST"])
    def index(self, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                if request.method == "POST":
                    abort(404)
                return self.render("profile/options.html", shown=shown, groups=[], scopes=[], scope=None)
            scope, all_scopes = _chosen(session, shown)
            if request.method != "POST":  # HEAD reads too
                return self._page(session, shown, scope, all_scopes)
            restores = 0 if scope.code else version_number(request.form.get("restores"))
            stored = _stored(_base(session, shown, restores), scope)
        above, settable = _above(shown, scope), _settable(shown, scope)
        plain = {
            one.name
            for one in settable
            if not derive.has_default(above.options.get(one.name), above.origins[one.name], scope.level)
        }
        values, problems = derive.read_form(settable, request.form.to_dict(flat=False), stored, plain)
        draft = Draft(values=values, problems=problems, restores=restores)
        try:
            if problems:
                raise Refused(draft)
            changes, lacking, dropped = self._save(profile_id, scope, draft, request.form.get("version", ""))
        except Refused as refused:
            return self._refused(profile_id, scope, refused.draft)
        strange = self._strange(profile_id)
        if changes and not lacking and not strange and not shown.profile.active:
            flash(
                _("Saved. Nothing is missing: a dry run shows what would be sent. Then press Run now, or Switch on."),
                "good",
            )
        else:
            flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        self._mention(dropped, lacking, strange, shown)
        return redirect(url_for(".index", profile_id=profile_id, scope=scope.path if scope.code else None))

    def _strange(self, profile_id: int) -> list[gaps.Gap]:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                return []
            return gaps.strange(shown.declared, shown.profile.settings or {}, catalogues(session, shown.profile))

    def _mention(
        self, dropped: Sequence[gaps.Gap], lacking: Sequence[gaps.Gap], strange: Sequence[gaps.Gap], shown: Shown
    ) -> None:
        if dropped:
            flash(_("No longer mapped: {what}.", what=named(dropped, shown.words)), "warn")
        if lacking:
            flash(_("Still missing: {what}.", what=named(lacking, shown.words)), "warn")
        if strange:
            flash(
                _(
                    "Not in the collected list: {what}. A run may stop at it: choose another value, or collect the lists "
                    "again.",
                    what=named(strange, shown.words),
                ),
                "warn",
            )

    def _refused(self, profile_id: int, scope: Scope, draft: Draft) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            return self._page(session, shown, scope, scopes(session, shown.profile), draft), 422

    @expose("/versions/restore", methods=["POST"])
    def restore(self, profile_id: int) -> ResponseReturnValue:
        """The settings of an older version become a new one, by the rules of every save."""
        asked = version_number(request.form.get("version"))
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                abort(404)
            row = saved_version(session, profile_id, asked)
            if row is None:
                flash(_("There is no such version."), "bad")
                return redirect(url_for(".versions", profile_id=profile_id))
            draft = Draft(values=_stored(row.settings, Scope()), problems={}, restores=asked)
        try:
            changes, lacking, dropped = self._save(profile_id, Scope(), draft)
        except Refused as refused:
            return self._refused(profile_id, Scope(), refused.draft)
        if not changes:
            flash(_("Version {n} holds the settings of today already.", n=asked), "good")
            return redirect(url_for(".versions", profile_id=profile_id))
        flash(_("Version {n} is restored, as a new version.", n=asked), "good")
        self._mention(dropped, lacking, self._strange(profile_id), shown)
        return redirect(url_for(".index", profile_id=profile_id))

    @expose("/lists.json")
    def lists(self, profile_id: int) -> ResponseReturnValue:
        """The collected lists that the page's inputs offer, and a mark that changes when something was collected."""
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                abort(404)
            drawn = derive.groups(
                shown.declared.settings, {}, words=shown.words, catalogues=catalogues(session, shown.profile)
            )
            return jsonify(
                marks={side: str(end.collected_at or "") for side, end in _ends(shown)},
                lists={name: [[one.value, one.label] for one in items] for name, items in lists_of(drawn).items()},
            )

    def _save(
        self, profile_id: int, scope: Scope, draft: Draft, version: str = ""
    ) -> tuple[list[str], list[gaps.Gap], list[gaps.Gap]]:
        """What changed, what is missing still, and the rows that mappings lost. Raises Refused, and nothing is stored.

        `version`: the one that the form was opened on.
        """
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            if shown.declared is None:
                abort(404)
            was = shown.profile.settings_version
            if version and version != str(was):
                raise Refused(replace(draft, overtaken=True))
            before = dict(shown.profile.settings or {})
            places, entries = scopes(session, shown.profile), catalogues(session, shown.profile)
            lacked = {gap.key for gap in gaps.find(shown.declared, before, places, entries)}
            spec = shown.spec(settings=_with_scope(_base(session, shown, draft.restores), scope, draft.values))
            try:
                changes = save_profile(session, spec, by(), now_called=shown.profile.name)
            except Wrong as error:
                raise Refused(replace(draft, problems=_of_scope(faults_by_path(error.faults), scope))) from error
            lacking = gaps.find(shown.declared, shown.profile.settings, places, entries)
            worse = [gap for gap in lacking if gap.key not in lacked]
            concerned = [gap for gap in lacking if _concerns(gap, scope, places) or gap in worse]
            allowed = not shown.profile.active or not worse
            if concerned and not (allowed and request.form.get("incomplete") == "yes"):
                said: dict[str, list[str]] = {}
                for gap in concerned:
                    said.setdefault(gap.path, []).append(gap.sentence)
                raise Refused(replace(draft, problems=said, lacking=concerned, may_be_incomplete=allowed))
            if draft.restores and changes:
                facts = {"before": {"version": was}, "after": {"version": draft.restores}}  # the values stand beside it
                audit.note(session, by(), "restored", "profile", shown.profile.name, subject_id=profile_id, **facts)
            dropped = [
                gap
                for place in (places if draft.restores else (scope,))
                for gap in gaps.dropped(shown.declared, before, shown.profile.settings, place, entries)
            ]
            told = {gap.key for gap in lacking} | {(gap.setting.name, "", "") for gap in lacking if not gap.value}
            draft = replace(draft, dropped=[gap for gap in dropped if not {gap.key, (gap.setting.name, "", "")} & told])
            if draft.dropped and not draft.restores and request.form.get("dropped") != draft.mark:
                raise Refused(draft)
            return changes, lacking, dropped

    def _page(
        self, session: Session, shown: Shown, scope: Scope, all_scopes: list[Scope], draft: Draft | None = None
    ) -> str:
        settings = _settable(shown, scope)
        stored = _stored(shown.profile.settings or {}, scope)
        values, problems = (draft.values, draft.problems) if draft else (stored, {})
        above = _above(shown, scope)
        assert shown.declared is not None
        groups = derive.groups(
            shown.declared.settings,
            values,
            words=shown.words,
            catalogues=catalogues(session, shown.profile),
            problems=problems,
            inherited=above.options,
            origins={name: _origin(origin, all_scopes) for name, origin in above.origins.items()},
            narrower=_narrower(shown, scope, all_scopes),
            level=scope.level,
        )
        placed = {one.name for one in settings}
        return self.render(
            "profile/options.html",
            shown=shown,
            groups=groups,
            lists=lists_of(groups),
            scope=scope,
            scopes=all_scopes,
            collectors=_ends(shown),
            settable=bool(settings),
            draft=draft,
            drafted={name for name in placed if values.get(name) != stored.get(name)} if draft else set(),
            unplaced=[s for path, said in problems.items() if path.split(".")[0] not in placed for s in said],
            wrong=sum(group.wrong for group in groups),
            lacking=named(draft.lacking, shown.words) if draft and draft.lacking else "",
            dropped=_by_setting(draft.dropped) if draft else [],
        )


def _by_setting(rows: Sequence[gaps.Gap]) -> list[tuple[Setting, str]]:
    """Each mapping that loses rows, with their names."""
    names: dict[str, list[str]] = {}
    for gap in rows:
        names.setdefault(gap.setting.name, []).append(gap.name)
    return [(one, ", ".join(names[one.name])) for one in {gap.setting.name: gap.setting for gap in rows}.values()]


def lists_of(groups: Sequence[derive.Group]) -> dict[str, Sequence[Item]]:
    """Every list that inputs of the page share, by its id in the page."""
    found: dict[str, Sequence[Item]] = {}
    for one in (one for group in groups for one in _inputs(group)):
        if one.listed:
            found.setdefault(one.listed, one.items)
    return found


def _inputs(group: derive.Group) -> Iterator[Input]:
    for one in group.inputs:
        yield one
        if one.blank is not None:
            yield from (cell for cell in one.blank.cells if cell.kind == "suggest")


def _ends(shown: Shown) -> list[tuple[str, Any]]:
    return [("source", shown.source), ("target", shown.target)]


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


def _base(session: Session, shown: Shown, restores: int) -> Mapping[str, Any]:
    """The settings that a save changes: today's, or those of the version that is restored."""
    row = saved_version(session, shown.profile.id, restores) if restores else None
    return row.settings if row is not None else shown.profile.settings or {}


def _stored(settings: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
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


def _origin(origin: str, places: Sequence[Scope]) -> str:
    """Where a value comes from as people read it; "default" stays that word, for the page to tell."""
    level, _blank, code = origin.partition(" ")
    if level == GLOBAL:
        return _("global")
    if not code:
        return origin
    name = next((place.name for place in places if place.level == level and place.code == code), code)
    return _("website {name}", name=name) if level == WEBSITE else _("store {name}", name=name)


def _narrower(shown: Shown, scope: Scope, places: Sequence[Scope]) -> dict[str, list[str]]:
    """For each setting, the scopes below this one where another value holds."""
    found: dict[str, list[str]] = {}
    for place in places:
        if place.level == STORE and scope.level == WEBSITE and place.website == scope.code:
            pass
        elif scope.code or not place.code:
            continue
        for name, value in _stored(shown.profile.settings or {}, place).items():
            if value is not None:
                found.setdefault(name, []).append(place.name)
    return found


def _concerns(gap: gaps.Gap, scope: Scope, places: Sequence[Scope]) -> bool:
    """Whether a gap is to be mended on the page of this scope."""
    if not scope.code:
        return True
    if scope.level == STORE:
        return gap.store == scope.code
    return any(place.code == gap.store and place.website == scope.code for place in places if place.level == STORE)


def _of_scope(problems: Mapping[str, list[str]], scope: Scope) -> dict[str, list[str]]:
    """Paths as this page's inputs know them; problems of other scopes keep their whole path."""
    start = f"settings.{scope.path}."
    return {path.removeprefix(start): said for path, said in problems.items()}
