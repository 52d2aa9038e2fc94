"""What a request may contain, and how it is read: as protobuf's JSON does, but deaf to what it does not know.

An unknown field is dropped without a word, which is the API's most expensive habit: the names of what was dropped are
kept, so that a test can ask for them. A known field of a wrong type is refused.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sandbox.refurbed.errors import Refused, invalid

Given = dict[str, Any]
# A reader of one value, a list (of one shape) or an object (of named shapes).
Shape = Callable[[Any, str], Any] | list[Any] | Mapping[str, Any]


def text(value: Any, at: str) -> str:
    if not isinstance(value, str):
        raise invalid(f"invalid value for string field {at}")
    return value


def truth(value: Any, at: str) -> bool:
    if not isinstance(value, bool):
        raise invalid(f"invalid value for bool field {at}")
    return value


def int64(value: Any, at: str) -> int:
    """A number or its text; both are taken."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,19}", str(value)):
        raise invalid(f"invalid value for int64 field {at}")
    return int(value)


def decimal(value: Any, at: str) -> Decimal:
    """A decimal number as text with at most two places, "123.45"."""
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}(\.\d{1,2})?", value):
        raise invalid(f"{at} is not a decimal number with at most two places")
    return Decimal(value)


def float32(value: Any, at: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid(f"invalid value for float field {at}")
    return Decimal(value)


def moment(value: Any, at: str) -> datetime:
    """RFC 3339 with an offset; fractions are taken."""
    try:
        found = datetime.fromisoformat(text(value, at))
    except ValueError:
        raise invalid(f"invalid timestamp in {at}") from None
    if found.tzinfo is None or "T" not in value:
        raise invalid(f"invalid timestamp in {at}")
    return found.astimezone(UTC)


def octets(value: Any, at: str) -> bytes:
    """Bytes as base64."""
    try:
        return base64.b64decode(text(value, at), validate=True)
    except binascii.Error:
        raise invalid(f"invalid base64 in {at}") from None


def name_of(*names: str) -> Callable[[Any, str], str]:
    """One of an enum's names."""

    def read(value: Any, at: str) -> str:
        if value not in names:
            raise invalid(f"invalid value for enum field {at}")
        return str(value)

    return read


def letters(count: int) -> Callable[[Any, str], str]:
    """A code of capital letters, as countries and currencies have."""

    def read(value: Any, at: str) -> str:
        if not isinstance(value, str) or not re.fullmatch(rf"[A-Z]{{{count}}}", value):
            raise invalid(f"invalid value for enum field {at}")
        return value

    return read


country, currency = letters(2), letters(3)


def read(shape: Shape, value: Any, at: str, ignored: Callable[[str], None]) -> Any:
    """The value in the shape's types. What is null counts as absent; `ignored` is told what nobody knows."""
    if callable(shape):
        return shape(value, at)
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise invalid(f"{at or 'body'} is not a list")
        return [read(shape[0], each, at, ignored) for each in value]
    if not isinstance(value, dict):
        raise invalid(f"{at or 'body'} is not an object")
    found: Given = {}
    for name, each in value.items():
        path = f"{at}.{name}" if at else name
        if name not in shape:
            ignored(path)
        elif each is not None:
            found[name] = read(shape[name], each, path, ignored)
    return found


def read_apart(shape: Shape, value: Any, at: str, ignored: Callable[[str], None]) -> tuple[Given, Refused | None]:
    """An entry of a batch, whose faults are its own."""
    try:
        return read(shape, value, at, ignored), None
    except Refused as refused:
        return {}, refused
