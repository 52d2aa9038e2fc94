"""Rules by which a stand-in misbehaves on purpose, the same way every time.

A rule says which calls it is for (`system`, `method`, `path`), how often it strikes (`after`, `times`, `rate`
with its own random numbers from `seed`) and what it does (`kind`). The first rule that strikes wins.
"""

import json
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from random import Random
from typing import Any

import yaml

SYSTEMS = ("magento", "plentyone", "refurbed")
READS = ("GET", "HEAD", "OPTIONS")


class BadFault(ValueError):
    """A rule cannot be used; the message says which and why."""


class Kind(StrEnum):
    """What goes wrong."""

    STATUS = "status"  # answer `status` with the vendor's JSON error, nothing executed
    PLAIN_429 = "plain_429"  # rate limit as plain text with Retry-After, nothing executed
    HTML_503 = "html_503"  # maintenance page, nothing executed
    HTML_200 = "html_200"  # an HTML page with status 200, nothing executed
    TIMEOUT = "timeout"  # hang `seconds`, then close; executes before only with `executed`
    DROP_BEFORE = "drop_before"  # close without executing
    DROP_AFTER = "drop_after"  # execute, then close without an answer
    TRUNCATED = "truncated"  # execute, send half the body under the full Content-Length, close
    SLOW = "slow"  # wait `seconds`, then as normal
    EXPIRED_TOKEN = "expired_token"  # 401; a token that the stand-in issued is really void afterwards
    ERROR_AFTER = "error_after"  # execute, then answer `status`
    LATE = "late"  # close without an answer and execute `seconds` later: whoever looks before sees nothing


SECONDS = {Kind.TIMEOUT: 120.0, Kind.SLOW: 2.0, Kind.PLAIN_429: 1.0, Kind.LATE: 3.0}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule, as it stands in a fault file.

    `path` is a glob (`*` also passes slashes) or, between two slashes, a regular expression that is searched.
    `method` may be "write" for everything that is not a read. `seconds` is the wait of `timeout`, `slow` and
    `late` and the Retry-After of `plain_429`.
    """

    kind: Kind
    system: str | None = None
    method: str | None = None
    path: str | None = None
    rate: float = 1.0
    times: int | None = None
    after: int = 0
    seed: int = 0
    status: int = 500
    seconds: float = 0.0
    executed: bool = False

    def concerns(self, system: str, method: str, path: str) -> bool:
        """Whether a call is one of those that this rule is for."""
        if self.system not in (None, system):
            return False
        if self.method == "write" and method in READS:
            return False
        if self.method not in (None, "write", method):
            return False
        if self.path is None:
            return True
        if len(self.path) > 2 and self.path.startswith("/") and self.path.endswith("/"):
            return re.search(self.path[1:-1], path) is not None
        return fnmatchcase(path, self.path)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "system": (lambda v: v is None or v in SYSTEMS, "must be magento, plentyone, refurbed or null"),
    "method": (lambda v: v is None or isinstance(v, str), 'must be a method, "write" or null'),
    "path": (lambda v: v is None or isinstance(v, str), "must be a glob or a /regular expression/"),
    "rate": (lambda v: _number(v) and 0 <= v <= 1, "must be a number from 0 to 1"),
    "times": (lambda v: v is None or (_whole(v) and v >= 1), "must be a whole number from 1 or null"),
    "after": (lambda v: _whole(v) and v >= 0, "must be a whole number from 0"),
    "seed": (_whole, "must be a whole number"),
    "status": (lambda v: _whole(v) and 400 <= v <= 599, "must be a status from 400 to 599"),
    "seconds": (lambda v: _number(v) and v >= 0, "must be a number of seconds from 0"),
    "executed": (lambda v: isinstance(v, bool), "must be true or false"),
}


def read_rule(number: int, given: Any) -> Rule:
    """A rule from JSON or YAML. BadFault names the rule by its number, counted from 1."""
    if not isinstance(given, dict):
        raise BadFault(f"Fault rule {number} must be an object, not {given!r}.")
    if unknown := sorted(str(key) for key in given if key not in {f.name for f in fields(Rule)}):
        raise BadFault(f"Fault rule {number} has unknown keys: {', '.join(unknown)}.")
    if given.get("kind") not in list(Kind):
        known = ", ".join(Kind)
        raise BadFault(f"Fault rule {number} has the unknown kind {given.get('kind')!r}; known are {known}.")
    kind = Kind(given["kind"])
    values = {"seconds": SECONDS.get(kind, 0.0), **given, "kind": kind}
    for key, (holds, sentence) in CHECKS.items():
        if key in values and not holds(values[key]):
            raise BadFault(f"Fault rule {number}: {key} {sentence}, not {values[key]!r}.")
    if isinstance(method := values.get("method"), str):
        values["method"] = "write" if method.lower() == "write" else method.upper()
    path = values.get("path")
    if isinstance(path, str) and len(path) > 2 and path.startswith("/") and path.endswith("/"):
        try:
            re.compile(path[1:-1])
        except re.error as error:
            raise BadFault(f"Fault rule {number}: {path!r} is not a regular expression: {error}.") from error
    return Rule(**values)


def read_rules(given: Any) -> list[Rule]:
    """Rules from a JSON or YAML list. BadFault when it is not one."""
    if not isinstance(given, list):
        raise BadFault("Fault rules must be a list.")
    return [read_rule(number, each) for number, each in enumerate(given, start=1)]


def load_rules(file: Path) -> list[Rule]:
    """Rules from a YAML or JSON file. BadFault when it cannot be read or used."""
    try:
        text = file.read_text(encoding="utf-8")
        given = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise BadFault(f"The fault file {file} cannot be read: {error.strerror}.") from error
    except (ValueError, yaml.YAMLError) as error:
        raise BadFault(f"The fault file {file} is neither YAML nor JSON: {error}") from error
    try:
        return read_rules(given or [])
    except BadFault as error:
        raise BadFault(f"In the fault file {file}: {error}") from error


class _Running:
    """A rule with what it has seen so far."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.random = Random(rule.seed)
        self.seen = 0
        self.hits = 0

    def strikes(self) -> bool:
        self.seen += 1
        if self.seen <= self.rule.after:
            return False
        if self.rule.times is not None and self.hits >= self.rule.times:
            return False
        if self.rule.rate < 1 and self.random.random() >= self.rule.rate:
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in force at one server."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._lock = threading.Lock()
        self._running = [_Running(rule) for rule in rules]

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put other rules in force, counted from the beginning."""
        with self._lock:
            self._running = [_Running(rule) for rule in rules]

    def rewind(self) -> None:
        """Count the same rules from the beginning."""
        self.replace([running.rule for running in self._running])

    def pick(self, system: str, method: str, path: str) -> Rule | None:
        """The rule that strikes this call, if any."""
        if not self._running:
            return None
        with self._lock:
            for running in self._running:
                if running.rule.concerns(system, method, path) and running.strikes():
                    return running.rule
        return None

    def describe(self) -> list[dict[str, Any]]:
        """The rules with the number of calls they were for (`seen`) and struck (`hits`)."""
        with self._lock:
            return [{**asdict(each.rule), "seen": each.seen, "hits": each.hits} for each in self._running]
