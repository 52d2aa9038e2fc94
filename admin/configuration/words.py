"""How names, values and changes are put into words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from profiles.secrets import HIDDEN

LONGEST_NAME = 128


def name_problems(name: str) -> list[str]:
    problems = []
    if not name.strip():
        problems.append("A name is needed.")
    elif name != name.strip():
        problems.append("The name must not begin or end with a blank.")
    if len(name) > LONGEST_NAME:
        problems.append(f"The name is longer than {LONGEST_NAME} characters.")
    if not name.isprintable():
        problems.append("The name holds characters that cannot be printed.")
    return problems


_ABSENT = object()


def differences(path: str, values: tuple[Any, Any], seen: tuple[Any, Any]) -> Iterator[str]:
    """Each value that differs between the two: `settings.global.warehouse_id: 104 → 105`.

    `seen` are the same values as they may be shown: two secrets that differ may look the same.
    """
    old, new = values
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(one for one in new if one not in old)]:
            yield from differences(f"{path}.{key}", _inner(values, key), _inner(seen, key))
    elif shown(old) != shown(new):
        before, after = (HIDDEN if one == HIDDEN else shown(one) for one in seen)
        yield f"{path}: {before} → {after}"


def _inner(both: tuple[Any, Any], key: Any) -> tuple[Any, Any]:
    old, new = both
    return old.get(key, _ABSENT), new.get(key, _ABSENT)


def shown(value: Any) -> str:
    """A value as one text; values that differ are never the same text."""
    return "not set" if value is _ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)


def plain(value: Any) -> str:
    """The value of a field of its own, where a text needs no quotes."""
    return "not set" if value is None else value if isinstance(value, str) else shown(value)


def subject(kind: str, name: str) -> str:
    return f"{kind} {name!r}"
