"""References: the names of environment variables that stand in the place of secrets."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from connector import registry
from connector.settings import Secret, Setting, declared
from profiles.secrets import REFERENCE, REFERRING
from profiles.settings import EngineOptions, SettlingOptions
from profiles.wiring import declarations


def account_settings(code: str) -> list[Setting]:
    try:
        return declared(registry.connector(code).Settings)
    except LookupError:
        return []  # then everything counts as secret


def profile_settings(source: str, target: str, entity: str) -> dict[str, Field[Any]]:
    """What a profile between two systems may hold, by name; where a connector is gone, what every profile has."""
    try:
        found = declarations(source, target, entity).settings
    except LookupError:
        found = declared(EngineOptions, SettlingOptions)
    return {one.name: one.field for one in found}


def references(name: str, code: str) -> dict[str, str]:
    """The variables that export would name for the secrets of a connection, and of which key."""
    return {variable(name, one.name): one.name for one in account_settings(code) if one.secret}


def variable(connection_name: str, key: str) -> str:
    """`shop`, `access_token` → SHOP_ACCESS_TOKEN."""
    plain = unicodedata.normalize("NFKD", f"{connection_name}_{key}").encode("ascii", "ignore").decode()
    made = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_").upper()
    return f"_{made}" if made[:1].isdigit() else made


def by_scope(settings: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The values of each scope of a profile with a name for the scope, which is empty for the global one."""
    for path, values in by_path(settings):
        yield "" if path == ("global",) else f"{path[0][:-1]}_{path[1]}", values


def by_path(settings: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The same with the path of each scope: `global`, then `stores`, `de`."""
    yield ("global",), settings.get("global") or {}
    for part in ("websites", "stores"):
        for code, values in (settings.get(part) or {}).items():
            yield (part, code), values


@dataclass(frozen=True)
class Spot:
    """One value among the settings of a scope: what holds it, under which key, and its path."""

    holder: Any
    key: Any
    path: tuple[str, ...]

    @property
    def value(self) -> Any:
        return self.holder[self.key]

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def secret_spots(known: Mapping[str, Field[Any]], values: dict[str, Any]) -> Iterator[Spot]:
    """The values that must not be seen, also those within tables and lists.

    Of a setting that is not `known` (its connector is gone) every text is one. Numbers never are: a Secret is a text.
    """
    for name in list(values):
        yield from _spots(known.get(name), Spot(values, name, (name,)))


def _spots(declared: Field[Any] | None, spot: Spot) -> Iterator[Spot]:
    value = spot.value
    if isinstance(value, Mapping):
        for key in list(value):
            yield from _spots(_within(declared, key), Spot(value, key, (*spot.path, str(key))))
    elif isinstance(value, list):
        for at in range(len(value)):
            yield from _spots(_within(declared, at), Spot(value, at, (*spot.path, str(at))))
    elif isinstance(value, str) and (declared is None or isinstance(declared, Secret)):
        yield spot


def _within(declared: Field[Any] | None, key: Any) -> Field[Any] | None:
    """What is declared of an item of a list, of a row of a table, or of the column of that name."""
    if isinstance(declared, fields.List):
        return declared.inner
    if isinstance(declared, fields.Tuple):
        return declared.tuple_fields[key] if key < len(declared.tuple_fields) else None
    if isinstance(declared, fields.Nested) and isinstance(key, str):
        return declared.schema.fields.get(key)
    if isinstance(declared, fields.Dict):
        return declared.value_field or declared
    return declared


def value_at(values: Any, path: Sequence[str]) -> Any:
    """The value at a path; None where there is none."""
    for key in path:
        if isinstance(values, Mapping):
            values = values.get(key)
        elif isinstance(values, list) and key.isdecimal() and int(key) < len(values):
            values = values[int(key)]
        else:
            return None
    return values


def settings_variable(profile: str, scope: str, path: Sequence[str]) -> str:
    """`Order export`, `store_de`, (`pin`) → ORDER_EXPORT_STORE_DE_PIN."""
    return variable(f"{profile}_{scope}", "_".join(path))


def stands_for(value: Any, name: str, stored: Any) -> bool:
    """Whether the value is the reference that export wrote in the place of a stored secret, and nobody has set it."""
    return value == f"env:{name}" and name not in os.environ and stored is not None and not is_reference(stored)


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and REFERENCE.match(value) is not None


def misspelt(value: Any) -> str | None:
    """What is wrong with a reference that names no variable; None for references and for all that is none."""
    if not isinstance(value, str) or not value.strip().startswith(REFERRING) or is_reference(value):
        return None
    return "After env: stands the name of an environment variable: letters, digits and _, not beginning with a digit."
