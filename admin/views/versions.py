"""Every saved version of a profile's settings: who saved it and when, and two side by side in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from marshmallow import fields
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration.references import by_scope, is_reference, secret_spots
from admin.derive import Words
from admin.views import gaps
from admin.views.base import expose
from admin.views.collected import PARTS, Scope, catalogues, scopes
from admin.views.frame import ProfilePage, Shown
from admin.views.inputs import Catalogues, in_words, right_of, shown
from admin.views.words import _
from connector.settings import GLOBAL, WEBSITE, Setting, ValueMap
from profiles.models import SettingsVersion
from profiles.secrets import HIDDEN

PAGE = 30
Settings = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that differs between two versions, in words."""

    scope: str
    section: str
    setting: str
    row: str  # of a mapping
    old: str
    new: str


class Versions(ProfilePage):
    """The pages of the versions, as a part of the settings tab."""

    @expose("/versions/")
    def versions(self, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            rows, older = _listed(session, profile_id)
            compare = _Comparing(session, shown)
            older_ones = [*rows[1:], None]
            counts = {
                row.version: len(list(compare.changes(old.settings if old else {}, row.settings)))
                for row, old in zip(rows, older_ones, strict=False)
            }
            chosen = _chosen(session, profile_id, rows)
            return self.render(
                "profile/versions.html",
                shown=shown,
                rows=rows[:PAGE],
                before=(rows[1:] or [])[:PAGE],
                counts=counts,
                older=older,
                chosen=chosen,
                changes=list(compare.changes(chosen[0].settings, chosen[1].settings)) if chosen else [],
            )


def named(lacking: Sequence[gaps.Gap], words: Words) -> str:
    """Gaps as people read them: the settings, and the values of mappings."""
    said = [f"{words(one.setting.label)} ({one.name})" if one.name else words(one.setting.label) for one in lacking]
    return ", ".join(dict.fromkeys(said))


def masked(known: Mapping[str, fields.Field[Any]], settings: Settings) -> dict[str, Any]:
    """The settings as they may be seen. What is not declared any more may have been a secret."""
    made = deepcopy(dict(settings))
    for _scope, values in by_scope(made):
        for spot in secret_spots(known, values):
            if not is_reference(spot.value):
                spot.put(HIDDEN)
    return made


class _Comparing:
    """Puts the differences of two versions of one profile into words."""

    def __init__(self, session: Session, shown: Shown) -> None:
        self.words = shown.words
        self.settings: Sequence[Setting] = shown.declared.settings if shown.declared else ()
        self.known = {one.name: one.field for one in self.settings}
        self.catalogues: Catalogues = catalogues(session, shown.profile)
        self.scopes = {one.path: _scope_words(one) for one in scopes(session, shown.profile)}

    def changes(self, old: Settings, new: Settings) -> Iterator[Change]:
        seen = masked(self.known, old), masked(self.known, new)
        for path in _paths(old, new):
            values = [_at(one, path) for one in (old, new, *seen)]
            scope = self.scopes.get(path) or path.partition(".")[2] or path
            for one in self.settings:
                yield from self._of_setting(one, scope, [value.get(one.name) for value in values])
            for name in dict.fromkeys(key for value in values[:2] for key in value if key not in self.known):
                if values[0].get(name) != values[1].get(name):
                    old_said, new_said = (_raw(value.get(name)) for value in values[2:])
                    yield Change(scope=scope, section="", setting=name, row="", old=old_said, new=new_said)

    def _of_setting(self, one: Setting, scope: str, values: list[Any]) -> Iterator[Change]:
        if values[0] == values[1]:
            return
        label, section = self.words(one.label), self.words(one.section.label)
        tables = [value for value in values if isinstance(value, Mapping) or value is None]
        if isinstance(one.field, fields.Dict) and len(tables) == 4 and any(values[:2]):
            right = right_of(one.field)
            names = {}
            if isinstance(one.field, ValueMap):
                names = {item.value: item.label for item in self.catalogues("source", one.field.kind)}
            rows = [value or {} for value in values]
            for key in dict.fromkeys([*rows[0], *rows[1]]):
                if rows[0].get(key) != rows[1].get(key):
                    said = self._pair(right, [row.get(key) for row in rows], _("not mapped"))
                    yield Change(scope=scope, section=section, setting=label, row=names.get(key, key), **said)
            return
        said = self._pair(one.field, values, _("not set here"))
        yield Change(scope=scope, section=section, setting=label, row="", **said)

    def _pair(self, field: fields.Field[Any], values: list[Any], nothing: str) -> dict[str, str]:
        old, new = (nothing if value is None else in_words(field, value, self.catalogues) for value in values[2:])
        if old == new and None not in values[:2]:
            new = _("{value} (another)", value=new)
        return {"old": old, "new": new}


def _scope_words(scope: Scope) -> str:
    if not scope.code:
        return _("Global")
    return _("Website {name}", name=scope.name) if scope.level == WEBSITE else _("Store {name}", name=scope.name)


def _raw(value: Any) -> str:
    return _("not set here") if value is None else shown(value)


def _paths(*settings: Settings) -> list[str]:
    """The scopes that any of them has, as paths: "global", "websites.base", "stores.de"."""
    found = {GLOBAL: None}
    for part in PARTS.values():
        found |= {f"{part}.{code}": None for one in settings for code in one.get(part) or {}}
    return list(found)


def _at(settings: Settings, path: str) -> dict[str, Any]:
    part, _dot, code = path.partition(".")
    found = settings.get(part) or {}
    return dict((found.get(code) if code else found) or {})


def version_number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else 0


def saved_version(session: Session, profile_id: int, number: int) -> SettingsVersion | None:
    mine = (SettingsVersion.profile_id == profile_id, SettingsVersion.version == number)
    return session.scalars(select(SettingsVersion).where(*mine)).first()


def _listed(session: Session, profile_id: int) -> tuple[list[SettingsVersion], int]:
    """A page of versions, newest first, and one more that the last is compared with; where the next page begins."""
    query = select(SettingsVersion).where(SettingsVersion.profile_id == profile_id)
    if start := version_number(request.args.get("from")):
        query = query.where(SettingsVersion.version <= start)
    rows = list(session.scalars(query.order_by(SettingsVersion.version.desc()).limit(PAGE + 1)))
    return rows, rows[PAGE].version if len(rows) > PAGE else 0


def _chosen(
    session: Session, profile_id: int, rows: Sequence[SettingsVersion]
) -> tuple[SettingsVersion, SettingsVersion] | None:
    """The two versions to compare, the older first: those asked for, otherwise the newest two of the page."""
    asked = [saved_version(session, profile_id, version_number(request.args.get(name))) for name in ("old", "new")]
    both = [one for one in asked if one is not None]
    if len(both) < 2:
        both = list(rows[:2])
    if len(both) < 2:
        return None
    both.sort(key=lambda one: one.version)
    return both[0], both[1]
