"""Reading the YAML file: every unknown key, every key that stands twice, every value of the wrong kind with its line.

A file is read to its end before anything is said. YAML is read as JSON has it (`no` is a word, `0123` is a text),
because a store may be called `no` and a postcode begins with 0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from admin.configuration import procedures
from admin.configuration.document import ConnectionSpec, Document, Fault, ProcedureSpec, ProfileSpec, Wrong, near

MOST_VALUES = 200_000  # aliases can make a small file endless
DEEPEST = 20


def read(text: str) -> Document:
    """The document of a file. Raises Wrong with everything that can be said without looking at the database."""
    document, faults = scan(text)
    if faults:
        raise Wrong(faults)
    return document


def scan(text: str) -> tuple[Document, list[Fault]]:
    """What could be read, and what is wrong with the rest. Raises Wrong when the text is not YAML at all."""
    reading = _Reading()
    root = _compose(text)
    if root is None:
        raise Wrong([Fault("", "The file is empty: it names neither connections nor profiles.")])
    values = reading.value(root, ())
    if not isinstance(values, dict):
        reading.fault((), "The file must hold the keys connections and profiles.")
        values = {}
    reading.only((), values, ("connections", "profiles"))
    connections = [reading.connection(at, one) for at, one in reading.items("connections", values)]
    profiles = [reading.profile(at, one) for at, one in reading.items("profiles", values)]
    lines = {".".join(path): line for path, line in reading.lines.items()}
    told = frozenset(".".join(path) for path, *_ in reading.found)
    document = Document(tuple(connections), tuple(profiles), lines, told)
    return document, reading.faults()


Path = tuple[str, ...]


class _Loader(yaml.SafeLoader):
    """YAML with the plain values of JSON only."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", list("-0123456789")),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+][0-9]+)?$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)

_PLAIN = {f"tag:yaml.org,2002:{tag}": tag for tag in ("null", "bool", "int", "float", "str", "seq", "map")}


def _compose(text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        # The quoted part of a sentence about an alias or tag may be a password that was not put in quotes.
        said = re.sub(r"'[^<'][^']{3,}'", "…", error.problem or "it cannot be read").rstrip(".")
        hint = ""
        if "alias" in (error.context or "") + said:
            hint = " A value that begins with * (as many cron lines do) or & must stand in quotes."
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        # Not `from error`: that one quotes the line, and in a traceback a password with it.
        raise Wrong([Fault("", f"This is not YAML: {said}.{hint}", line=line)]) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise Wrong([Fault("", "A character stands here that YAML does not allow.", line=line)]) from error
    except RecursionError as error:
        raise Wrong([Fault("", "The file is nested too deeply.")]) from error


class _Reading:
    """One reading of a file: collects values, the line of each, and faults."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.found: list[tuple[Path, str, int | None]] = []
        self._subjects: dict[Path, str] = {}
        self._values = 0
        self._loader = _Loader("")

    def fault(self, path: Path, sentence: str, line: int | None = None) -> None:
        """Something is wrong at the path; the line is that of the value, or of what should hold it."""
        at = path
        while at and at not in self.lines:
            at = at[:-1]
        self.found.append((path, sentence, line or self.lines.get(at)))

    def faults(self) -> list[Fault]:
        """In the order of the file; told when all is read, because only then every entry has its name."""
        made = []
        for path, sentence, line in self.found:
            subject = self._subjects.get(path[:2], "")
            made.append(Fault(".".join(path[2:] if subject else path), sentence, subject, line))
        return sorted(made, key=lambda fault: fault.line or 0)

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The node as JSON has it; the keys of mappings are always texts."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._values += 1
        if self._values > MOST_VALUES or len(path) > DEEPEST:
            raise Wrong([Fault("", "The file holds too many values, or refers to itself.", line=line)])
        if node.tag not in _PLAIN:
            self.fault(path, "A YAML tag (!…) has no meaning here.", line)
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(one, (*path, str(at))) for at, one in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.fault(path, f"This is not a value of the kind {_PLAIN[node.tag]}.", line)
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.fault(path, "A key must be a single word or text.", line)
                continue
            inner = (*path, key.value)
            if key.value in values:
                self.fault(inner, f"This key stands twice; the first is on line {self.lines[inner]}.", line)
                continue
            self.lines[inner] = line
            values[key.value] = self.value(value, inner)
        return values

    def only(self, path: Path, values: Mapping[str, Any], known: tuple[str, ...]) -> None:
        for key in values:
            if key not in known:
                hint = near(key, known) or f" Known are: {', '.join(known)}."
                self.fault((*path, key), f"The key {key!r} is not known here.{hint}")

    def items(self, key: str, values: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Each entry of the list `key` with its path, told apart by name in every fault about it."""
        given = values.get(key)
        if given is None:
            return
        if not isinstance(given, list):
            self.fault((key,), "This must be a list: each entry begins with a dash.")
            return
        names: dict[str, Path] = {}
        for number, one in enumerate(given):
            path = (key, str(number))
            kind = key[:-1]
            if not isinstance(one, dict):
                self.fault(path, f"Entry {number + 1} must have keys and values.")
                continue
            name = one.get("name")
            self._subjects[path] = f"{kind} {name!r}" if isinstance(name, str) else f"{kind} {number + 1}"
            if isinstance(name, str) and name in names:
                first = self.lines[names[name]]
                self.fault((*path, "name"), f"This name stands twice; the first is on line {first}.")
            elif isinstance(name, str):
                names[name] = (*path, "name")
            yield path, one

    def text(self, path: Path, values: Mapping[str, Any], key: str, default: str | None = None) -> str:
        """A text; empty (and a fault) when it is missing and has no default."""
        given = values.get(key)
        if given is not None and not isinstance(given, str):
            self.fault((*path, key), f"Expected a text, got {_kind(given)}.{_quote(given)}")
        elif given and given.strip():
            return given.strip()
        elif default is None:
            self.fault((*path, key), f"The key {key} is missing." if given is None else f"The key {key} is empty.")
        return default or ""

    def connection(self, path: Path, values: Mapping[str, Any]) -> ConnectionSpec:
        self.only(path, values, ("name", "connector", "base_url", "credentials", "active"))
        credentials = values.get("credentials")
        if credentials is not None and not isinstance(credentials, dict):
            self.fault((*path, "credentials"), "Expected keys and values.")
            credentials = None
        return ConnectionSpec(
            name=self.text(path, values, "name"),
            connector=self.text(path, values, "connector"),
            base_url=self.text(path, values, "base_url"),
            credentials=credentials,
            active=self._switch(path, values),
        )

    def _switch(self, path: Path, values: Mapping[str, Any]) -> bool | None:
        active = values.get("active")
        if not isinstance(active, bool | None):
            self.fault((*path, "active"), f"Expected true or false, got {_kind(active)}.")
            return None
        return active

    def profile(self, path: Path, values: Mapping[str, Any]) -> ProfileSpec:
        known = ("name", "entity", "direction", "from", "to", "active", "cron", "timezone", "settings", "procedures")
        self.only(path, values, known)
        return ProfileSpec(
            name=self.text(path, values, "name"),
            entity=self.text(path, values, "entity"),
            direction=self.text(path, values, "direction"),
            source=self.text(path, values, "from"),
            target=self.text(path, values, "to"),
            cron=self.text(path, values, "cron"),
            active=self._switch(path, values) is True,
            timezone=self.text(path, values, "timezone", "UTC"),
            settings=self._settings((*path, "settings"), values.get("settings")),
            procedures=self._procedures((*path, "procedures"), values.get("procedures")),
        )

    def _procedures(self, path: Path, given: Any) -> tuple[ProcedureSpec, ...] | None:
        if given is None:
            return None
        if not isinstance(given, list):
            self.fault(path, "This must be a list: each entry begins with a dash.")
            return None
        made = [self._procedure((*path, str(number)), one) for number, one in enumerate(given)]
        names = [one.name for one in made if one is not None]
        for number, name in enumerate(names):
            if name and name in names[:number]:
                self.fault((*path, str(number), "name"), f"The name {name!r} stands twice.")
        return tuple(one for one in made if one is not None)

    def _procedure(self, path: Path, given: Any) -> ProcedureSpec | None:
        if not isinstance(given, dict):
            self.fault(path, "An event procedure has keys and values.")
            return None
        self.only(path, given, ("name", "active", "event", "status", "filters", "procedure", "settings"))
        status = procedures.texts(given["status"]) if given.get("status") is not None else ()
        if status is None:
            self.fault((*path, "status"), "Expected a status, a range (7-7.99), or a list of them.")
        filters = procedures.filters(given.get("filters") or {})
        if filters is None:
            self.fault((*path, "filters"), "Expected filters, each with a value or a list of values.")
        return ProcedureSpec(
            name=self.text(path, given, "name"),
            event=self.text(path, given, "event"),
            procedure=self.text(path, given, "procedure"),
            active=self._switch(path, given) is True,
            status=status or (),
            filters=filters or {},
            settings=self._inner((*path, "settings"), given.get("settings")),
        )

    def _settings(self, path: Path, given: Any) -> dict[str, Any]:
        """The settings by scope; what is not of that shape is left out and a fault."""
        settings: dict[str, Any] = {"global": {}, "websites": {}, "stores": {}}
        if given is None:
            return settings
        if not isinstance(given, dict):
            self.fault(path, "Expected the keys global, websites and stores.")
            return settings
        self.only(path, given, tuple(settings))
        settings["global"] = self._inner((*path, "global"), given.get("global"))
        for scope in ("websites", "stores"):
            for code, inner in self._inner((*path, scope), given.get(scope)).items():
                settings[scope][code] = self._inner((*path, scope, code), inner)
        return settings

    def _inner(self, path: Path, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, dict):
            self.fault(path, f"Expected keys and values, got {_kind(given)}.")
            return {}
        return given


def _kind(value: Any) -> str:
    """A value in words. Only numbers and the like are shown: a text might be a secret in the wrong place."""
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return "a text"
    return json.dumps(value)


def _quote(value: Any) -> str:
    if isinstance(value, bool | int | float):
        return " Put it in quotes."
    return ""
