"""Reading fields of an order leniently: ids come as 5 or "5", flags as 1 or true, lists as arrays, envelopes or objects.

What is missing or mistyped, and cannot be done without, is said by name and value, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connector import RecordFailed
from connector.plentyone.shapes import amount, flag, same
from connector.settings import ident

ZERO = Decimal(0)
LARGEST = Decimal(10) ** 15  # what is larger is no amount, weight or quantity
NOTHING = (None, "", False)  # PHP writes an absent list or object in all these ways


class Fields:
    """One object of the payload. `path` names it in messages: "PlentyONE order 7126: orderItems[2].quantity …".

    Names are camelCase; a field that only came in snake_case is found, too.
    """

    def __init__(self, of: str, data: Any, path: str = "") -> None:
        self.of = of
        self.path = path
        if not isinstance(data, Mapping):
            raise RecordFailed(f"{of}: {path.rstrip('.') or 'the payload'} should be an object, got {_shown(data)}.")
        self.data = data

    def value(self, name: str) -> Any:
        return self.data[name] if name in self.data else self.data.get(snake(name))

    def has(self, name: str) -> bool:
        return self.value(name) is not None

    def wrong(self, name: str, expected: str) -> RecordFailed:
        value = self.value(name)
        if value is None:
            return RecordFailed(f"{self.of}: {self.path}{name} is missing.")
        return RecordFailed(f"{self.of}: {self.path}{name} should be {expected}, got {_shown(value)}.")

    def text(self, name: str) -> str | None:
        """Trimmed text; numbers are taken as text; empty is absent."""
        value = self.value(name)
        if value is None or isinstance(value, bool | Mapping | list):
            return None
        return str(value).strip() or None

    def id(self, name: str) -> str | None:
        """An id as one comparable text; 0 and nothing are none."""
        text = self.text(name)
        made = ident(text) if text else None
        return None if made in (None, "0") else made

    def code(self, name: str) -> str:
        """An id of which 0 is one, too. Raises RecordFailed."""
        text = self.text(name)
        if text is None or amount(text) is None:
            raise self.wrong(name, "a number")
        return ident(text)

    def flag(self, name: str) -> bool:
        return flag(self.value(name))

    def some_amount(self, name: str) -> Decimal | None:
        """A number, None where there is none. Raises RecordFailed for what is no number."""
        value = self.value(name)
        if value is None or value == "":
            return None
        made = amount(value)
        if made is None or abs(made) >= LARGEST:
            raise self.wrong(name, "a number")
        return made

    def amount(self, name: str) -> Decimal:
        """A number; absent is zero."""
        return self.some_amount(name) or ZERO

    def needed_amount(self, name: str) -> Decimal:
        made = self.some_amount(name)
        if made is None:
            raise self.wrong(name, "a number")
        return made

    def moment(self, name: str) -> datetime:
        made = self.some_moment(name)
        if made is None:
            raise self.wrong(name, "a time like 2026-05-19T16:55:15+02:00")
        return made

    def some_moment(self, name: str) -> datetime | None:
        return moment(self.value(name))

    def inner(self, name: str) -> Fields | None:
        """A nested object; None where there is none."""
        value = self.value(name)
        return None if value in NOTHING or value == [] else Fields(self.of, value, f"{self.path}{name}.")

    def rows(self, name: str) -> Iterator[Fields]:
        """The objects of a list. Raises RecordFailed for what is neither."""
        value = self.value(name)
        if isinstance(value, Mapping):
            value = value["entries"] if "entries" in value else list(value.values())
        if value in NOTHING:
            return
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        for position, row in enumerate(value):
            yield Fields(self.of, row, f"{self.path}{name}[{position}].")

    def typed(self, name: str, type_id: int, field: str = "value") -> str | None:
        """What the list holds under that type: the value of a property or option, the date of `dates`."""
        for row in self.rows(name):
            if same(row.value("typeId"), type_id) and (found := row.text(field)):
                return found
        return None


def moment(value: Any) -> datetime | None:
    """A time as aware UTC; None for what is none. Some times have no zone: they are taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        made = datetime.fromisoformat(value.strip())
        return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


def _shown(value: Any) -> str:
    text = repr(str(value)) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
