"""What travels between a caller and a stand-in: the request as received, the response as sent.

Numbers with a decimal point become `Decimal` on the way in and leave as plain JSON numbers, digit for digit.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from secrets import token_hex
from typing import Any


class BadJson(ValueError):
    """The body is not JSON."""


class Headers(Mapping[str, str]):
    """Header fields by name, upper and lower case alike."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = {name.lower(): value for name, value in pairs}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call: `path` is decoded, `raw_path` as received, both without the query string."""

    method: str
    path: str
    raw_path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=Headers)
    body: bytes = b""
    url: str = ""

    def json(self) -> Any:
        """The body as JSON, decimals exact. BadJson when it is not JSON."""
        try:
            return json.loads(self.body, parse_float=Decimal)
        except ValueError as error:
            raise BadJson(f"The body of {self.method} {self.path} is not JSON: {error}") from error

    def arg(self, name: str, default: str | None = None) -> str | None:
        """The last value of a query parameter, as PHP would take it."""
        for key, value in reversed(self.query):
            if key == name:
                return value
        return default

    def args(self, name: str) -> list[str]:
        """All values of a query parameter, in order, with and without the `[]` at its name's end."""
        return [value for key, value in self.query if key in (name, f"{name}[]")]


@dataclass(kw_only=True)
class Response:
    """An answer; a body that is neither bytes nor text is written as JSON."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str | None = None

    def payload(self) -> tuple[bytes, str]:
        """The bytes to send and their content type."""
        if isinstance(self.body, bytes):
            return self.body, self.content_type or "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), self.content_type or "text/plain; charset=UTF-8"
        return to_json(self.body).encode(), self.content_type or "application/json"


# json can not write a Decimal as a number: it goes out as a marked string whose quotes are taken off again.
# The mark is random, so that no text from outside can pass for a number.
_MARK = f"decimal-{token_hex(8)}:"
_MARKED = re.compile(f'"{_MARK}([^"]*)"')


def _mark(value: object) -> str:
    if isinstance(value, Decimal) and value.is_finite():
        return f"{_MARK}{value:f}"
    raise TypeError(f"{value!r} has no JSON form.")


def to_json(value: Any) -> str:
    """JSON text in which a Decimal is a plain number with all its digits."""
    return _MARKED.sub(r"\1", json.dumps(value, default=_mark, separators=(",", ":")))
