"""Reading a payload: what is missing or mistyped, and cannot be done without, is said by name and value, never guessed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self

from connector.errors import RecordFailed

ZERO = Decimal(0)
LARGEST = Decimal(10) ** 15  # what is larger is no amount, weight or quantity


class Fields:
    """One object of a payload. `of` names the record, `path` the place in it: "order 7126: orderItems[2].quantity …".

    A system whose payloads are more forgiving, or stricter, has a class of its own made from this one.
    """

    example: ClassVar[str] = "2026-02-01T10:15:30Z"  # of a time, as the system writes it

    def __init__(self, of: str, data: Any, path: str = "") -> None:
        self.of = of
        self.path = path
        if not isinstance(data, Mapping):
            raise RecordFailed(f"{of}: {path.rstrip('.') or 'the payload'} should be an object, got {_shown(data)}.")
        self.data = data

    def value(self, name: str) -> Any:
        return self.data.get(name)

    def wrong(self, name: str, expected: str) -> RecordFailed:
        value = self.value(name)
        if value in (None, ""):
            return RecordFailed(f"{self.of}: {self.path}{name} is missing.")
        return RecordFailed(f"{self.of}: {self.path}{name} should be {expected}, got {_shown(value)}.")

    def text(self, name: str) -> str | None:
        """Trimmed text; numbers are taken as text; empty is absent. Raises RecordFailed for what holds something else."""
        value = self.value(name)
        if value is None or isinstance(value, bool | Mapping | list):
            if value:
                raise self.wrong(name, "a text")
            return None
        return str(value).strip() or None

    def needed(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise self.wrong(name, "a text")
        return value

    def some_amount(self, name: str) -> Decimal | None:
        """A number, None where there is none. Raises RecordFailed for what is no number."""
        value = self.value(name)
        if value is None or value == "":
            return None
        made = number(value)
        if made is None:
            raise self.wrong(name, "a number")
        return made

    def amount(self, name: str) -> Decimal:
        """A number; absent is zero."""
        return self.some_amount(name) or ZERO

    def needed_amount(self, name: str) -> Decimal:
        if self.some_amount(name) is None:
            raise self.wrong(name, "a number")
        return self.amount(name)

    def some_moment(self, name: str) -> datetime | None:
        if self.text(name) is None:
            return None
        return self.moment(name)

    def moment(self, name: str) -> datetime:
        made = moment(self.value(name))
        if made is None:
            raise self.wrong(name, f"a time like {self.example}")
        return made

    def listed(self, name: str) -> Any:
        """What should be a list; nothing where it is absent."""
        return self.value(name) or []

    def rows(self, name: str) -> Iterator[Self]:
        """The objects of a list."""
        value = self.listed(name)
        if not isinstance(value, list):
            raise self.wrong(name, "a list")
        for position, row in enumerate(value):
            yield type(self)(self.of, row, f"{self.path}{name}[{position}].")


def number(value: Any) -> Decimal | None:
    """A number that came as number or text. None for what is neither, and for what is too large (a reference's digits)."""
    if value is None or isinstance(value, bool):
        return None
    try:
        made = value if type(value) is Decimal else Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return made if made.is_finite() and abs(made) < LARGEST else None


def moment(value: Any) -> datetime | None:
    """A time as aware UTC; None for what is none. One without a zone is taken as UTC."""
    if not isinstance(value, str):
        return None
    try:
        made = datetime.fromisoformat(value.strip())
        return made.astimezone(UTC) if made.tzinfo else made.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _shown(value: Any) -> str:
    text = repr(str(value)) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
