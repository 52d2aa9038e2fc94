"""Reading PlentyONE leniently: ids come as 5, "5" or "5.00", lists as arrays or in the page envelope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connector import Payload
from connector.fields import number
from connector.settings import ident

amount = number


def wire(value: Any) -> Any:
    """An id or amount as PlentyONE wants it written: a plain number where it is one, else the text itself."""
    if type(value) is int:
        return value
    text = ident(value)
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    return int(number) if number == number.to_integral_value() else number


def flag(value: Any) -> bool:
    """True, 1 and "1" are yes."""
    return value is True or ident(value if value is not None else 0) in ("1", "true", "True")


def same(one: Any, other: Any) -> bool:
    """Whether two ids are the same, however they are written; nothing is never the same."""
    return one is not None and other is not None and ident(one) == ident(other)


def rows(data: Any) -> list[Payload]:
    """The rows of a list, whether it is an array or an envelope. Anything else holds none."""
    if isinstance(data, Mapping):
        data = data.get("entries", [])
    if isinstance(data, Mapping):
        data = list(data.values())
    return [row for row in data if isinstance(row, dict)] if isinstance(data, list) else []


def key_of(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of the named fields that holds something, as a comparable id."""
    for name in names or ("id",):
        value = row.get(name)
        if value is not None and value != "":
            return ident(value)
    return None


def valued(typed: Any, type_id: int) -> str | None:
    """The value of a property or option of that type, for example the external order id (7)."""
    for one in rows(typed):
        if same(one.get("typeId"), type_id) and one.get("value") not in (None, ""):
            return str(one["value"])
    return None


def wording(names: Any, *keys: str, languages: Iterable[str] = ("en", "de")) -> str | None:
    """A name in the first language that has one. Names come as {"en": "..."} or as rows with `lang` and the name."""
    found: dict[str, str] = {}
    if isinstance(names, Mapping):
        found = {str(lang): str(name) for lang, name in names.items() if name}
    elif isinstance(names, list):
        for row in rows(names):
            name = next((row[key] for key in (*keys, "name") if row.get(key)), None)
            if name:
                found.setdefault(str(row.get("lang") or row.get("language") or ""), str(name))
    for language in languages:
        if language in found:
            return found[language]
    return next(iter(found.values()), None)
