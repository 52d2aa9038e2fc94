"""What a file or a form says: connections, profiles, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One problem: whose (`connection 'shop'`), of which value (`credentials.password`), on which line of a file."""

    path: str
    sentence: str
    subject: str = ""
    line: int | None = None

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.subject, self.path) if part)
        said = f"{where}: {self.sentence}" if where else self.sentence
        return said if self.line is None else f"line {self.line}: {said}"


class Wrong(Exception):
    """What was given cannot be used. `problems` are whole sentences, `faults` the same with the path of each value."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.problems))

    @property
    def problems(self) -> list[str]:
        return [str(fault) for fault in self.faults]


@dataclass(frozen=True, kw_only=True)
class ConnectionSpec:
    """A connection as a file or a form gives it.

    `credentials` None keeps those that are stored. A value may be a reference (env:NAME); HIDDEN keeps the stored one.
    """

    name: str
    connector: str
    base_url: str
    credentials: Mapping[str, Any] | None = field(default=None, repr=False)
    active: bool | None = None  # None: as it is; a new one is active


@dataclass(frozen=True, kw_only=True)
class ProcedureSpec:
    """An event procedure as a file or a form gives it. `status`: "7", or "7-7.99" for a range."""

    name: str
    event: str
    procedure: str
    active: bool = False
    status: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    now_called: str | None = None  # its name before it is renamed


@dataclass(frozen=True, kw_only=True)
class ProfileSpec:
    """A profile as a file or a form gives it; `source` and `target` are names of connections."""

    name: str
    entity: str
    direction: str
    source: str
    target: str
    cron: str
    active: bool = False
    timezone: str = "UTC"
    settings: Mapping[str, Any] = field(default_factory=dict)
    procedures: Sequence[ProcedureSpec] | None = None  # in their order; None: as they are


@dataclass(frozen=True)
class Document:
    """What a file holds. Paths are like `profiles.0.settings.global.warehouse_id`.

    `told` are the paths of which the reading itself said what is wrong.
    """

    connections: tuple[ConnectionSpec, ...]
    profiles: tuple[ProfileSpec, ...]
    lines: Mapping[str, int] = field(repr=False)
    told: frozenset[str] = field(repr=False)

    def locate(self, fault: Fault, root: str) -> Fault:
        """The fault with the line of its value; of what holds the value where it is missing."""
        path = f"{root}.{fault.path}"
        while path not in self.lines and "." in path:
            path = path.rpartition(".")[0]
        return replace(fault, line=self.lines.get(path))


def near(given: object, known: Iterable[str]) -> str:
    """` Did you mean 'shop'?` when something is close, else nothing."""
    names = list(known)
    lower = {name.lower(): name for name in names}
    found = get_close_matches(str(given), names, 1) or [
        lower[one] for one in get_close_matches(str(given).lower(), lower, 1)
    ]
    if not found:
        return ""
    return f" Did you mean {found[0]!r}?"
