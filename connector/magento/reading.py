"""Reading fields of a payload: what is missing or mistyped is said by name and value, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connector import RecordFailed
from connector.fields import LARGEST, ZERO, number

NO_TEXT = (bool, Mapping, list)
NUMBERS = (int, Decimal)


class Fields:
    """One object of the payload. `path` names it in messages: "order 100000123: items[2].qty_ordered …".

    `loose`: third-party modules may have written it, and a text that is none is passed over.
    """

    def __init__(self, of: str, data: Any, path: str = "", *, loose: bool = False) -> None:
        self.of = of
        self.path = path
        self.loose = loose
        if not isinstance(data, (dict, Mapping)):  # a dict is known at once, another mapping costs much more
            raise RecordFailed(f"{of}: {path.rstrip('.') or 'the payload'} should be an object, got {_shown(data)}.")
        self.data = data

    def wrong(self, name: str, expected: str) -> RecordFailed:
        if self.data.get(name) is None:
            return RecordFailed(f"{self.of}: {self.path}{name} is missing.")
        return RecordFailed(f"{self.of}: {self.path}{name} should be {expected}, got {_shown(self.data[name])}.")

    def text(self, name: str) -> str | None:
        """Trimmed text; numbers are taken as text; empty is absent (PHP also writes an empty list or false for it)."""
        value = self.data.get(name)
        if isinstance(value, str):
            return value.strip() or None
        if value is None:
            return None
        if type(value) in NUMBERS:
            return str(value)
        if isinstance(value, NO_TEXT):
            if value and not self.loose:
                raise self.wrong(name, "a text")
            return None
        return str(value)

    def needed_text(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise self.wrong(name, "a text")
        return value

    def flag(self, name: str) -> bool:
        """Flags of orders are 0 and 1, those of other entities booleans."""
        return self.data.get(name) in (1, True, "1")

    def amount(self, name: str) -> Decimal:
        """An amount; absent is zero. Amounts come as numbers, from some modules as text."""
        value = self.data.get(name)
        if value is None or value == "":
            return ZERO
        try:
            if type(value) not in NUMBERS and isinstance(value, NO_TEXT):
                raise InvalidOperation
            made = value if isinstance(value, Decimal) else Decimal(str(value))
            if not made.is_finite() or abs(made) >= LARGEST:
                raise InvalidOperation
        except InvalidOperation:
            raise self.wrong(name, "an amount") from None
        return made

    def needed_amount(self, name: str) -> Decimal:
        if self.data.get(name) is None:
            raise self.wrong(name, "an amount")
        return self.amount(name)

    def moment(self, name: str) -> datetime:
        """Magento writes UTC without a zone: "2026-03-02 09:15:00"."""
        value = self.data.get(name)
        if isinstance(value, str):
            try:
                made = datetime.fromisoformat(value)
                return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)
            except ValueError:
                pass
        raise self.wrong(name, "a time like 2026-03-02 09:15:00")

    def some_moment(self, name: str) -> datetime | None:
        try:
            return self.moment(name)
        except RecordFailed:
            return None

    def inner(self, name: str) -> Fields:
        """A nested object; absent is empty (PHP also writes an empty object as an empty list)."""
        value = self.data.get(name)
        return Fields(self.of, {} if value in (None, [], "") else value, f"{self.path}{name}.")

    def rows(self, name: str) -> Iterator[Fields]:
        value = self.data.get(name)
        if value is None:
            return
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        for position, row in enumerate(value):
            yield Fields(self.of, row, f"{self.path}{name}[{position}].")

    def loose_rows(self, name: str) -> Iterator[Fields]:
        """Like `rows`, for what third-party modules may have written there: anything else is passed over."""
        value = self.data.get(name)
        for row in value if isinstance(value, list) else ():
            if isinstance(row, (dict, Mapping)):
                yield Fields(self.of, row, f"{self.path}{name}.", loose=True)


def plain(rate: Decimal) -> Decimal:
    """19 for 19.0000, so that equal rates look alike."""
    return rate.quantize(Decimal(1)) if rate == rate.to_integral_value() else rate.normalize()


def _shown(value: Any) -> str:
    text = repr(str(value)) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else text[:80] + "…"


__all__ = ["ZERO", "Fields", "number", "plain"]
