"""What a profile's settings lack, so that a run could not start or would leave records: by setting, and by value.

Needed is a required setting that matters, for every store; and of a required mapping a row for each value that records
had, unless a filter of the same catalogue leaves those records out. A value that any scope maps counts as mapped: which
store it belongs to is known only when the record is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from admin.views.collected import PARTS, Scope
from admin.views.inputs import Catalogues, shown
from admin.views.words import _
from connector.settings import GLOBAL, STORE, Choice, Choices, Row, Setting, ValueMap, ident
from profiles.models import Profile
from profiles.settings import resolve
from profiles.wiring import Declarations


@dataclass(frozen=True, kw_only=True)
class Gap:
    """One thing that is missing: a setting (for a store, or everywhere), or in a mapping the row of one value."""

    setting: Setting
    store: str = ""
    name: str = ""  # of the store, or of the value
    value: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.setting.name, self.store, self.value

    @property
    def path(self) -> str:
        return f"{self.setting.name}.{self.value}" if self.value else self.setting.name

    @property
    def sentence(self) -> str:
        if self.value:
            return _("{value} was seen and is not mapped.", value=self.name)
        if self.store:
            return _("It is needed, and still empty for {store}.", store=self.name)
        return _("It is needed, and still empty.")


def find(
    declared: Declarations, settings: Mapping[str, Any], places: Sequence[Scope], entries: Catalogues
) -> list[Gap]:
    """All gaps of these settings. `places` are the scopes of the profile."""
    stores = [place for place in places if place.level == STORE]
    everywhere = resolve(declared.schemas, settings).options
    within = {place.code: resolve(declared.schemas, settings, place.website, place.code).options for place in stores}
    made: list[Gap] = []
    for one in declared.settings:
        if not one.required:
            continue
        lacking = [place for place in stores if _lacks(one, within[place.code])]
        if _lacks(one, everywhere) and (not stores or len(lacking) == len(stores) or STORE not in one.scopes):
            made.append(Gap(setting=one))
            continue
        made += [Gap(setting=one, store=place.code, name=place.name) for place in lacking]
        made += [Gap(setting=one, value=value, name=name) for value, name in unmapped(one, declared, settings, entries)]
    return made


def dropped(
    declared: Declarations, before: Mapping[str, Any], after: Mapping[str, Any], scope: Scope, entries: Catalogues
) -> list[Gap]:
    """The rows that people had given mappings in this scope and that are gone. What the source lacks is not missed."""
    website = scope.website if scope.level == STORE else scope.code or None
    store = scope.code if scope.level == STORE else None
    was, is_now = (resolve(declared.schemas, one, website, store) for one in (before, after))
    made = []
    for one in declared.settings:
        if not isinstance(one.field, ValueMap) or scope.level not in one.scopes or was.origins[one.name] == "default":
            continue
        if not one.matters(is_now.options):
            continue
        names = {item.value: item.label for item in entries("source", one.field.kind)}
        gone = [key for key in _keys(was.options.get(one.name)) if key not in set(_keys(is_now.options.get(one.name)))]
        made += [Gap(setting=one, value=key, name=names.get(key, key)) for key in gone if key in names or not names]
    return made


def strange(declared: Declarations, settings: Mapping[str, Any], entries: Catalogues) -> list[Gap]:
    """Values that were typed by hand and that the target's collected list does not have: a run may stop at them."""
    options = resolve(declared.schemas, settings).options
    made: dict[tuple[str, str], Gap] = {}
    for one in (one for one in declared.settings if one.matters(options)):
        for values in _scopes(settings):
            for kind, value in _chosen(one.field, values.get(one.name)):
                known = {ident(item.value) for item in entries("target", kind)}
                if known and ident(value) not in known:
                    made[one.name, shown(value)] = Gap(setting=one, value=shown(value), name=shown(value))
    return list(made.values())


def _chosen(field: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """(catalogue, entry) of what is chosen from lists of the target, in the rows of a mapping too."""
    if _empty(value):
        return
    if isinstance(field, Choice) and field.side == "target":
        yield field.kind, value
    elif isinstance(field, ValueMap) and isinstance(value, Mapping):
        for right in value.values():
            yield from _chosen(field.right, right)
    elif isinstance(field, Row) and isinstance(value, Mapping):
        for name, cell in field.schema.fields.items():
            yield from _chosen(cell, value.get(name))


def unmapped(
    one: Setting, declared: Declarations, settings: Mapping[str, Any], entries: Catalogues
) -> Iterator[tuple[str, str]]:
    """(value, name) that records had and no scope maps."""
    if not isinstance(one.field, ValueMap):
        return
    mapped = {str(key) for values in _scopes(settings) for key in _keys(values.get(one.name))}
    if all(values.get(one.name) is None for values in _scopes(settings)):
        mapped |= {str(key) for key in _keys(one.default)}
    wanted = _admitted(one.field.kind, declared, settings)
    for item in entries("source", one.field.kind):
        if item.seen and item.value not in mapped and (not wanted or ident(item.value) in wanted):
            yield item.value, item.label


def count(profile: Profile, declared: Declarations, entries: Catalogues) -> int:
    """How many values were seen and are not mapped where that stops runs."""
    required = [one for one in declared.settings if one.required]
    return sum(sum(1 for _value in unmapped(one, declared, profile.settings or {}, entries)) for one in required)


def defaulted(profile: Profile, declared: Declarations, entries: Catalogues) -> list[tuple[Setting, int]]:
    """Mappings that runs can do without, each with how many values that records had go the default's way. A value that
    another mapping of its catalogue knows is not asked for twice."""
    settings = profile.settings or {}
    options = resolve(declared.schemas, settings).options
    left: dict[str, list[tuple[Setting, set[str]]]] = {}
    for one in declared.settings:
        if isinstance(one.field, ValueMap) and one.matters(options):
            values = {value for value, _name in unmapped(one, declared, settings, entries)}
            left.setdefault(one.field.kind, []).append((one, values))
    found = [(one, set.intersection(*(v for _, v in same))) for same in left.values() for one, _ in same]
    return [(one, len(values)) for one, values in found if values and not one.required]


def _scopes(settings: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield settings.get(GLOBAL) or {}
    for part in PARTS.values():
        yield from ((values or {}) for values in (settings.get(part) or {}).values())


def _keys(value: Any) -> Iterable[Any]:
    return [key for key, right in value.items() if not _empty(right)] if isinstance(value, Mapping) else ()


def _admitted(kind: str, declared: Declarations, settings: Mapping[str, Any]) -> set[str]:
    """The values that the source's filters of this catalogue let through; empty: all (see `Choices`)."""
    admitted: set[str] = set()
    filters = declared.source.SourceOptions._declared_fields
    for one in declared.settings:
        if isinstance(one.field, Choices) and one.name in filters and one.field.kind == kind:
            if not (settings.get(GLOBAL) or {}).get(one.name) and not one.default:
                return set()
            if (settings.get(GLOBAL) or {}).get(one.name) is None:
                admitted |= {ident(value) for value in one.default or ()}
            for values in _scopes(settings):
                chosen = values.get(one.name)
                if chosen == []:
                    return set()  # this scope takes all
                admitted |= {ident(value) for value in chosen or ()}
    return admitted


def _lacks(one: Setting, options: Mapping[str, Any]) -> bool:
    return _empty(options.get(one.name)) and one.matters(options)


def _empty(value: Any) -> bool:
    return value in (None, "", [], {})
