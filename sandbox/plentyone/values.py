"""Reading what callers send: numbers that may be text, dates, page numbers."""

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

BERLIN = ZoneInfo("Europe/Berlin")
Record = dict[str, Any]


def number(value: Any) -> Decimal | None:
    """A number or numeric text, as PHP's is_numeric takes it; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", value):
        return None
    try:
        return Decimal(str(value).strip())
    except InvalidOperation:
        return None


def strict_number(value: Any) -> Decimal | None:
    """A JSON number; None for numeric text."""
    return number(value) if isinstance(value, int | Decimal) else None


def whole(value: Any) -> int | None:
    """A whole number or its text; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def short(value: Decimal) -> int | Decimal:
    """The JSON number without superfluous zeros: 32.0000 is 32."""
    return int(value) if value == value.to_integral_value() else value.normalize()


def number_text(value: Any) -> str:
    """A number as text without superfluous zeros."""
    return format(Decimal(str(value)).normalize(), "f")


def text(value: Any) -> str:
    """What PHP would store in a text column."""
    if value is None:
        return ""
    return ("1" if value else "") if isinstance(value, bool) else str(value)


def whole_list(values: list[str]) -> set[int]:
    """Whole numbers from repeated or comma-separated parameters; others are ignored."""
    found = (whole(part) for value in values for part in value.split(","))
    return {each for each in found if each is not None}


def iso(moment: datetime) -> str:
    """A moment as the API writes it, with the offset of Berlin."""
    return moment.astimezone(BERLIN).isoformat(timespec="seconds")


def local(moment: datetime) -> str:
    """A moment as the API writes it where it leaves the zone out."""
    return moment.astimezone(BERLIN).strftime("%Y-%m-%d %H:%M:%S")


def moment(value: Any) -> datetime | None:
    """A W3C date, local time where it names no zone; None when it is none (a `+` that became a space, say)."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=BERLIN)


def truth(value: str | None, otherwise: bool) -> bool:
    """A flag from a query string."""
    return otherwise if value is None else value.strip().lower() not in ("", "0", "false")
