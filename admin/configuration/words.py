"""How names, values and changes are put into words."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any

from admin.configuration.references import is_reference
from profiles.secrets import HIDDEN

LONGEST_NAME = 128


def name_problems(name: str) -> Iterator[str]:
    if not name.strip():
        yield "A name is needed."
    elif name != name.strip():
        yield "The name must not begin or end with a blank."
    if len(name) > LONGEST_NAME:
        yield f"The name is longer than {LONGEST_NAME} characters."
    if not name.isprintable():
        yield "The name holds characters that cannot be printed."


_ABSENT = object()


def differences(path: str, old: Any, new: Any, secret: Container[str] = ()) -> Iterator[str]:
    """Each value that differs: `settings.global.warehouse_id: 104 → 105`; of the `secret` keys only that they do."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(one for one in new if one not in old)]:
            yield from differences(f"{path}.{key}", old.get(key, _ABSENT), new.get(key, _ABSENT), secret)
    elif shown(old) != shown(new):
        before, after = (_masked(one) if path.rpartition(".")[2] in secret else shown(one) for one in (old, new))
        yield f"{path}: {before} → {after}"


def _masked(value: Any) -> str:
    known = value is _ABSENT or value is None or is_reference(value)
    return shown(value) if known else HIDDEN


def shown(value: Any) -> str:
    """A value as one text; values that differ are never the same text."""
    return "not set" if value is _ABSENT else json.dumps(value, ensure_ascii=False, sort_keys=True)


def plain(value: Any) -> str:
    """The value of a field of its own, where a text needs no quotes."""
    return "not set" if value is None else value if isinstance(value, str) else shown(value)


def subject(kind: str, name: str) -> str:
    return f"{kind} {name!r}"


def listed(names: Iterable[str]) -> str:
    *first, last = [repr(name) for name in names]
    return f"{', '.join(first)} and {last}" if first else last
