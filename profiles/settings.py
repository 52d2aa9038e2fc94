"""A profile's settings: stored per scope, resolved for a record's store, each value with its origin.

Stored shape: {"global": {key: value}, "websites": {code: {key: value}}, "stores": {code: {key: value}}}.
A value not set is inherited: store, then website, then global, then the declared default.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields

from connector.settings import (
    API,
    CONFIGURATION,
    GLOBAL,
    STORE,
    WEBSITE,
    Options,
    Problem,
    Secret,
    Settings,
    between,
    declared,
    load,
    one_of,
    setting,
    to_json,
)
from profiles.secrets import opened


class EngineOptions(Settings):
    """What every profile has, whatever it connects: read by the flow itself."""

    enabled = setting(
        fields.Boolean(),
        section=CONFIGURATION,
        label="Enable {entity} {direction}",
        default=True,
        help="Off: scheduled runs of this profile do nothing.",
    )
    batch_size = setting(
        fields.Integer(strict=True, validate=between(1, 1000)),
        section=CONFIGURATION,
        label="{Direction} batch size per process",
        default=50,
        help="So many records are worked on at a time; a run goes on with the next batch until nothing is due.",
    )
    log_response = setting(
        fields.Boolean(),
        section=CONFIGURATION,
        label="Log {direction} response",
        default=False,
        help="For developers: keeps request and response of every remote call in the data log, secrets hidden.",
    )
    workers = setting(
        fields.Integer(strict=True, validate=between(1, 16)),
        section=CONFIGURATION,
        label="Records at the same time",
        default=4,
        help="They share one rate budget, so more of them do not call more often than the system allows.",
    )
    retry_max_attempts = setting(
        fields.Integer(strict=True, validate=between(1, 20)),
        section=CONFIGURATION,
        label="Attempts per run",
        default=3,
        help="So often a record is tried in a run without progress before it counts as failed.",
    )
    api_behaviour = setting(
        fields.String(validate=one_of("append", "replace", labels=("Only what changed", "Everything again"))),
        section=API,
        label="API collection behaviour",
        default="append",
        help="What a run reads: only what changed since the last run, or everything again. Neither sends twice.",
    )
    page_size = setting(
        fields.Integer(strict=True, validate=between(1, 300)),
        section=API,
        label="API collection size per page",
        default=100,
        help="So many records are asked for at once. Smaller pages help shops that answer slowly.",
    )
    initial_from = setting(
        fields.Date(),
        section=API,
        label="Read from",
        default=None,
        help="The first run reads records changed since this day (UTC); empty reads all.",
    )


def _settling(default: int) -> fields.Integer:
    return setting(
        fields.Integer(strict=True, validate=between(0, 86400)),
        section=CONFIGURATION,
        label="Settling period (seconds)",
        default=default,
        help="A new record waits until it is this old, so that a payment in progress can settle. It is never skipped.",
    )


class SettlingOptions(Settings):
    """Of a source whose new records may still be in the making."""

    settle_seconds = _settling(60)


class SettledOptions(Settings):
    """Of a source that shows records when they are ready: they wait only where somebody wants it."""

    settle_seconds = _settling(0)


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """Values for one store, and where each comes from: "default", "global", "website CODE" or "store CODE"."""

    options: Options
    origins: Mapping[str, str]


def check(schemas: Sequence[type[Settings]], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are stored. Raises Problem with paths like "global.batch_size", "stores.de.referrer_id"."""
    problems: dict[str, list[str]] = {}
    known = {one.name: one.field for one in declared(*schemas)}
    made: dict[str, Any] = {"global": {}, "websites": {}, "stores": {}}
    for part in settings:
        if part not in made:
            problems[str(part)] = ["Unknown part; expected global, websites and stores."]

    def one_scope(path: str, values: Any, scope: str) -> dict[str, Any]:
        if not isinstance(values, Mapping):
            problems[path] = [f"Expected settings (key: value), got {values!r}."]
            return {}
        try:
            return {key: _stored(known[key], key, value) for key, value in load(values, *schemas, scope=scope).items()}
        except Problem as error:
            problems.update({f"{path}.{key}": said for key, said in error.problems.items()})
            return {}

    made["global"] = one_scope("global", settings.get("global") or {}, GLOBAL)
    for part, scope in (("websites", WEBSITE), ("stores", STORE)):
        given = settings.get(part) or {}
        if not isinstance(given, Mapping):
            problems[part] = [f"Expected a {scope} code and its settings, got {given!r}."]
            continue
        made[part] = {str(code): one_scope(f"{part}.{code}", values or {}, scope) for code, values in given.items()}
    if problems:
        raise Problem(problems)
    return made


def _stored(field: fields.Field[Any], name: str, value: Any) -> Any:
    """As JSON has it; what `to_json` does not know (an enumeration, a time of day), as its field writes it."""
    made = to_json(value)
    try:
        json.dumps(made)
    except TypeError:
        return to_json(field.serialize(name, {name: value}))
    return made


def resolve(
    schemas: Sequence[type[Settings]],
    settings: Mapping[str, Any],
    website: str | None = None,
    store: str | None = None,
    *,
    secrets: bool = False,
) -> Resolved:
    """The values that hold for a record of this website and store, each with its origin. None in a scope inherits.

    `secrets`: in clear, for a connector at work; else as they are stored. Raises MissingSecret then.
    """
    layers = [("global", settings.get("global") or {})]
    if website is not None:
        layers.append((f"website {website}", (settings.get("websites") or {}).get(website) or {}))
    if store is not None:
        layers.append((f"store {store}", (settings.get("stores") or {}).get(store) or {}))
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for one in declared(*schemas):
        values[one.name], origins[one.name] = one.default, "default"
        for origin, layer in layers:
            if layer.get(one.name) is not None:
                values[one.name], origins[one.name] = layer[one.name], origin
        if secrets and origins[one.name] != "default":
            values[one.name] = _clear(one.field, values[one.name])
    return Resolved(options=Options(values), origins=origins)


def scopes(settings: Mapping[str, Any]) -> Iterator[tuple[str | None, str | None]]:
    """(website, store) of every place for which the settings may hold something else; which store is of which website is
    not known here."""
    stores = [None, *(settings.get("stores") or {})]
    for website in [None, *(settings.get("websites") or {})]:
        yield from ((website, store) for store in stores)


def _clear(field: Any, value: Any) -> Any:
    """The value with the secrets in it opened, also those within tables and lists."""
    if isinstance(field, Secret):
        return opened(value)
    if isinstance(field, fields.List) and isinstance(value, list):
        return [_clear(field.inner, one) for one in value]
    if isinstance(field, fields.Nested) and isinstance(value, Mapping):
        cells = field.schema.fields
        return {key: _clear(cells[key], one) if key in cells else one for key, one in value.items()}
    if isinstance(field, fields.Dict) and isinstance(value, Mapping):
        return {key: _clear(field.value_field, one) for key, one in value.items()}
    return value
