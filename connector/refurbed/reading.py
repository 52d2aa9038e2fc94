"""Reading refurbed's messages: ids, amounts and times come as text; what is missing or mistyped is said by name.

Fields that are unset may be absent, so an absent amount that need not be there is nothing, and an absent text is None.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from connector import Payload, RecordFailed
from connector.records import Identifier, IdentifierKind

ZERO = Decimal(0)
CENT = Decimal("0.01")
LARGEST = Decimal(10) ** 15


class Fields:
    """One message. `of` names the record, `path` the place in it: "order 4711001: items[1].total_charged …"."""

    def __init__(self, of: str, data: Any, path: str = "") -> None:
        self.of = of
        self.path = path
        if not isinstance(data, Mapping):
            raise RecordFailed(f"{of}: {path.rstrip('.') or 'the payload'} should be an object, got {_shown(data)}.")
        self.data = data

    def wrong(self, name: str, expected: str) -> RecordFailed:
        if self.data.get(name) in (None, ""):
            return RecordFailed(f"{self.of}: {self.path}{name} is missing.")
        return RecordFailed(f"{self.of}: {self.path}{name} should be {expected}, got {_shown(self.data[name])}.")

    def text(self, name: str) -> str | None:
        value = self.data.get(name)
        if value is None or isinstance(value, bool | Mapping | list):
            if value in (None, False, [], {}):
                return None
            raise self.wrong(name, "a text")
        return str(value).strip() or None

    def needed(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise self.wrong(name, "a text")
        return value

    def number(self, name: str) -> Decimal | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            made = Decimal(value)
        except InvalidOperation:
            made = Decimal("NaN")
        if not made.is_finite() or abs(made) >= LARGEST:
            raise self.wrong(name, "a number")
        return made

    def amount(self, name: str) -> Decimal:
        """An amount of money, which has whole cents; absent is zero."""
        made = self.number(name) or ZERO
        if made != made.quantize(CENT):
            raise self.wrong(name, "an amount with at most two decimals")
        return made.quantize(CENT)

    def needed_amount(self, name: str) -> Decimal:
        if self.text(name) is None:
            raise self.wrong(name, "an amount")
        return self.amount(name)

    def some_moment(self, name: str) -> datetime | None:
        value = self.text(name)
        if value is None:
            return None
        made = moment(value)
        if made is None:
            raise self.wrong(name, "a time like 2026-02-01T10:15:30Z")
        return made

    def moment(self, name: str) -> datetime:
        made = self.some_moment(name)
        if made is None:
            raise self.wrong(name, "a time like 2026-02-01T10:15:30Z")
        return made

    def inner(self, name: str) -> Fields:
        """A message within; absent is empty."""
        value = self.data.get(name)
        return Fields(self.of, {} if value is None else value, f"{self.path}{name}.")

    def rows(self, name: str) -> Iterator[Fields]:
        value = self.data.get(name) or []
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        for position, row in enumerate(value):
            yield Fields(self.of, row, f"{self.path}{name}[{position}].")


def moment(text: str) -> datetime | None:
    """A time as refurbed writes it, aware UTC; None when it is none."""
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        return None
    return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)


def identifiers(item: Fields, old: str) -> tuple[Identifier, ...]:
    """Of the very device. `old` names the deprecated field, which is read where the list is empty."""
    made = [_identifier(one) for one in item.rows("item_identifiers") if one.text("value")]
    if not made and (value := item.text(old)):
        made.append(Identifier.of(value))
    return tuple(dict.fromkeys(made))


def _identifier(one: Fields) -> Identifier:
    """What is called an IMEI and has not its 15 digits is kept, as a serial number."""
    value = one.needed("value")
    if one.text("identifier_type") == "SERIAL_NUMBER":
        return Identifier(kind=IdentifierKind.SERIAL, value=value)
    return Identifier.of(value)


def fingerprint(payload: Payload) -> str:
    """The lists have no version and no time of the last change."""
    text = json.dumps(payload, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
