"""Reading fields of an order leniently: ids come as 5 or "5", flags as 1 or true, lists as arrays, envelopes or objects."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connector import fields
from connector.fields import ZERO, moment
from connector.plentyone.shapes import amount, flag, same
from connector.settings import ident

NOTHING = (None, "", False)  # PHP writes an absent list or object in all these ways


class Fields(fields.Fields):
    """One object of the payload. Names are camelCase; a field that only came in snake_case is found, too."""

    example = "2026-05-19T16:55:15+02:00"

    def value(self, name: str) -> Any:
        return self.data[name] if name in self.data else self.data.get(snake(name))

    def has(self, name: str) -> bool:
        return self.value(name) is not None

    def text(self, name: str) -> str | None:
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

    def some_moment(self, name: str) -> datetime | None:
        return moment(self.value(name))

    def inner(self, name: str) -> Fields | None:
        """A nested object; None where there is none."""
        value = self.value(name)
        return None if value in NOTHING or value == [] else Fields(self.of, value, f"{self.path}{name}.")

    def listed(self, name: str) -> Any:
        value = self.value(name)
        if isinstance(value, Mapping):
            value = value["entries"] if "entries" in value else list(value.values())
        return [] if value in NOTHING else value

    def typed(self, name: str, type_id: int, field: str = "value") -> str | None:
        """What the list holds under that type: the value of a property or option, the date of `dates`."""
        for row in self.rows(name):
            if same(row.value("typeId"), type_id) and (found := row.text(field)):
                return found
        return None


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: f"_{found[1].lower()}", name)


__all__ = ["ZERO", "Fields", "moment", "snake"]
