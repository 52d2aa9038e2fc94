"""From method and path to the function that answers.

Each theme brings its own table of routes. A place in braces takes one path segment; `{id:int}` only digits.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from sandbox.message import BadJson, Request
from sandbox.plentyone.errors import Findings, plain
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import whole


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call on its way to its function: the places of the path by name, the request, the tenant."""

    tenant: Tenant
    request: Request
    places: dict[str, str] = field(default_factory=dict)
    user: int = 11

    def number(self, name: str) -> int:
        """A place that only takes digits."""
        return int(self.places[name])

    def sent(self) -> Any:
        """The body as JSON; an empty one is an empty object. Refuses like PHP when it is not JSON."""
        if not self.request.body.strip():
            return {}
        try:
            return self.request.json()
        except BadJson:
            raise plain(500, "Syntax error") from None

    def body(self) -> dict[str, Any]:
        """The body as an object. Refuses anything else like PHP."""
        sent = self.sent()
        if sent == []:
            return {}  # PHP knows no difference
        if not isinstance(sent, dict):
            raise plain(500, f"Too few arguments to function Rest\\Controller::{self.request.method.lower()}()")
        return sent

    def withs(self, *, commas: bool = False) -> set[str]:
        """The relations asked for: `with[]=a&with[]=b`, or `with=a,b` where the route takes a comma list."""
        found = [value for name, value in self.request.query if re.fullmatch(r"with(\[\d*\])?", name)]
        return {part.strip() for value in found for part in (value.split(",") if commas else [value])}

    def required_numbers(self, *names: str) -> None:
        """Refuse when one of these parameters is no whole number."""
        findings = Findings()
        for name in names:
            if whole(self.request.arg(name)) is None:
                findings.add(name, "The {} field is required.")
        findings.refuse()


Handler = Callable[[Call], Any]
Table = list[tuple[str, str, Handler]]


class Router:
    """All tables together."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._static: dict[str, dict[str, Handler]] = {}
        self._patterns: dict[re.Pattern[str], dict[str, Handler]] = {}
        for method, path, handler in (row for table in tables for row in table):
            if "{" in path:
                self._patterns.setdefault(_compile(path), {})[method] = handler
            else:
                self._static.setdefault(path, {})[method] = handler

    def find(self, method: str, raw_path: str) -> tuple[Handler, dict[str, str]]:
        """The function for a call and its places. Refuses with 404, 405 or 501."""
        path = raw_path.rstrip("/")
        methods: set[str] = set()
        method = "GET" if method == "HEAD" else method
        if path in self._static:
            if method in self._static[path]:
                return self._static[path][method], {}
            methods.update(self._static[path])
        for pattern, handlers in self._patterns.items():
            if match := pattern.fullmatch(path):
                if method in handlers:
                    return handlers[method], {name: unquote(value) for name, value in match.groupdict().items()}
                methods.update(handlers)
        if methods:
            raise plain(405, "Method not allowed.")
        raise plain(404, "Resource not found.")


def _compile(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:int)?\}", path)
    pattern = ""
    for at in range(0, len(parts), 3):
        pattern += re.escape(parts[at])
        if at + 1 < len(parts):
            pattern += f"(?P<{parts[at + 1]}>{'[0-9]+' if parts[at + 2] else '[^/]+'})"
    return re.compile(pattern)


def later(*rows: str) -> Table:
    """Routes that exist in PlentyONE and that this stand-in does not play yet: "METHOD path"."""

    def answer(call: Call) -> Any:
        raise plain(501, f"The stand-in does not play {call.request.method} {call.request.path} yet.")

    return [(method, path, answer) for method, _, path in (row.partition(" ") for row in rows)]
