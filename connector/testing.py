"""For authors of connectors: a host in memory, and the tests that every connector inherits.

    class TestMagento(ConnectorContract):
        connector = Magento

`MemoryHost` and `MemoryKnown` behave like the host's own (shared facts, holds, learned ids) without a database.
"""

from __future__ import annotations

import inspect
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from connector.base import Account, Connector, Counterpart, Entry, Host, Known, Link, Resource
from connector.client import LoggedCall
from connector.errors import ConnectorError
from connector.settings import ALL_SCOPES, Choice, Choices, Options, Settings, ValueMap, declared, defaults, load

Change = Callable[[dict[str, Any] | None], dict[str, Any] | None]


class MemoryState:
    """Shared facts of one connection, for one process."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[str, Any]] = {}
        self._guard = threading.RLock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)

    def read(self, key: str) -> dict[str, Any] | None:
        with self._guard:
            return self._facts.get(key)

    def change(
        self, key: str, change: Callable[[dict[str, Any] | None], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        with self._guard:
            made = change(self._facts.get(key))
            if made is None:
                self._facts.pop(key, None)
            else:
                self._facts[key] = made
            return made

    @contextmanager
    def lock(self, key: str, seconds: float) -> Iterator[bool]:
        with self._guard:
            lock = self._locks[key]
        with lock:
            yield True


class MemoryHost(Host):
    """A host without a database. `calls` holds the logged remote calls, `catalogues` what was collected or learned."""

    def __init__(self, catalogues: dict[str, list[Entry]] | None = None) -> None:
        self.state = MemoryState()
        self.stop = threading.Event()
        self.calls: list[LoggedCall] = []
        self.catalogues: dict[str, list[Entry]] = dict(catalogues or {})
        self.active_procedures: set[str] = set()
        self.markets: set[str] = set()

    def catalogue(self, kind: str) -> Sequence[Entry]:
        return self.catalogues.get(kind, [])

    def learn(self, kind: str, entries: Iterable[Entry]) -> None:
        known = {one.id for one in self.catalogues.setdefault(kind, [])}
        self.catalogues[kind] += [one for one in entries if one.id not in known]

    def channels(self) -> Collection[str]:
        return self.markets

    def procedures(self) -> Collection[str]:
        return self.active_procedures

    def log(self, call: LoggedCall) -> None:
        self.calls.append(call)

    def collect(self, connector: Connector) -> None:
        """Fill the catalogues from the connector, as *Collect* does."""
        for kind, entries in connector.collect():
            if not isinstance(entries, ConnectorError):
                self.catalogues[kind] = entries


class MemoryLinks:
    """Ids that records share. One for all `MemoryKnown` of a test."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], MemoryLink] = {}
        self.guard = threading.Lock()


class MemoryLink:
    def __init__(self) -> None:
        self.id: str | None = None
        self.digest: str | None = None
        self.doubt = False
        self.doubt_age = 0.0
        self.lock = threading.Lock()

    def learn(self, id: str, digest: str | None = None) -> None:
        self.id, self.digest, self.doubt = id, digest, False


class MemoryKnown(Known):
    """What is known of one record. Set `doubt` and `doubt_age` to play a second attempt."""

    def __init__(self, links: MemoryLinks | None = None, refs: dict[str, str] | None = None) -> None:
        self.refs: dict[str, str] = dict(refs or {})
        self.links = links or MemoryLinks()
        self.doubt = False
        self.doubt_age = 0.0
        self.attempt = 1
        self.finished = False
        self.others: set[str] = set()  # keys of the target that other records have
        self.notes: list[str] = []
        self.links_of: dict[tuple[str, str], Counterpart] = {}  # by entity and key: what `linked` answers
        self.declined_of: dict[tuple[str, str], str] = {}  # by entity and key: what `declined` answers
        self.before: str | None = None  # a record of the same number that is not through yet
        self.told: dict[str, dict[str, str]] = {}  # what other records are to know, by their key at the target

    def taken(self, key: str) -> bool:
        return key in self.others

    def linked(self, entity: str, key: str) -> Counterpart | None:
        return self.links_of.get((entity, key))

    def declined(self, entity: str, key: str) -> str | None:
        return self.declined_of.get((entity, key))

    def earlier_due(self) -> str | None:
        return self.before

    def learn(self, **refs: str | None) -> None:
        self.refs.update({key: value for key, value in refs.items() if value is not None})

    def learn_of(self, key: str, **refs: str) -> None:
        self.told.setdefault(key, {}).update(refs)

    def link(self, kind: str, key: str) -> str | None:
        row = self.links.rows.get((kind, key))
        return row.id if row else None

    @contextmanager
    def hold(self, kind: str, key: str) -> Iterator[Link]:
        with self.links.guard:
            row = self.links.rows.setdefault((kind, key), MemoryLink())
        with row.lock:
            try:
                yield row
            except BaseException:
                if row.id is None:
                    row.doubt = True
                raise

    def note(self, message: str) -> None:
        self.notes.append(message)


def options_for(resource: type[Resource], given: dict[str, Any], *, side: str = "target") -> Options:
    """The options of one side as the engine would resolve them: defaults, then what is given (checked)."""
    schema = resource.TargetOptions if side == "target" else resource.SourceOptions
    return Options({**defaults(schema), **load(given, schema)})


def account(connector: type[Connector], base_url: str, settings: dict[str, Any]) -> Account:
    values = {**defaults(connector.Settings), **load(settings, connector.Settings)}
    return Account(name=connector.code, base_url=base_url, settings=Options(values), allow_private=True)


class ConnectorContract:
    """Inherit this and set `connector`; add tests only for what is peculiar."""

    connector: ClassVar[type[Connector]]

    def schemas(self) -> Iterator[type[Settings]]:
        yield self.connector.Settings
        for resource in self.connector.resources:
            yield from (resource.SourceOptions, resource.TargetOptions)

    def test_it_has_a_code_and_a_label(self) -> None:
        assert self.connector.code.isidentifier()
        assert self.connector.code == self.connector.code.lower()
        assert self.connector.label.strip()

    def test_its_module_says_what_it_is_for(self) -> None:
        assert (inspect.getdoc(inspect.getmodule(self.connector)) or "").strip()

    def test_every_setting_has_a_label_a_section_and_legal_scopes(self) -> None:
        for schema in self.schemas():
            for one in declared(schema):
                assert one.label.strip(), one.name
                assert set(one.scopes) <= set(ALL_SCOPES), one.name
                assert one.scopes, one.name

    def test_every_field_of_its_settings_is_declared_with_a_section(self) -> None:
        for schema in self.schemas():
            assert set(schema._declared_fields) == {one.name for one in declared(schema)}

    def test_every_default_passes_its_own_check(self) -> None:
        for schema in self.schemas():
            given = {name: value for name, value in defaults(schema).items() if value is not None}
            load(given, schema)

    def test_every_choice_refers_to_a_catalogue(self) -> None:
        """Its own side's kinds must be declared by the connector; the other side's kinds are checked at pairing."""
        kinds = {one.kind for one in self.connector.catalogues}
        for resource in self.connector.resources:
            for schema, side in ((resource.SourceOptions, "source"), (resource.TargetOptions, "target")):
                for one in declared(schema):
                    field = one.field
                    if isinstance(field, ValueMap) and isinstance(field.right, Choice):
                        field = field.right
                    if isinstance(field, Choice | Choices) and field.side == side:
                        assert field.kind in kinds, f"{one.name}: no catalogue {field.kind!r}"

    def test_a_resource_reads_or_writes_and_declares_its_key(self) -> None:
        for resource in self.connector.resources:
            assert resource.entity
            assert resource.label
            reads, writes = resource.offers("read"), resource.offers("write")
            assert reads or writes
            if reads:
                assert resource.offers("parse")
            if writes and resource.refs:
                assert resource.key_ref in {ref.key for ref in resource.refs}

    def test_its_secrets_are_not_in_its_repr(self) -> None:
        planted = {one.name: f"planted-{one.name}" for one in declared(self.connector.Settings) if one.secret}
        values = {**defaults(self.connector.Settings), **planted}
        shown = repr(
            self.connector(Account(name="x", base_url="https://shop.example", settings=Options(values)), MemoryHost())
        )
        assert not [value for value in planted.values() if value in shown]

    def test_a_wrong_host_is_a_finding_and_not_an_exception(self) -> None:
        planted = {one.name: f"planted-{one.name}" for one in declared(self.connector.Settings) if one.secret}
        values = {**defaults(self.connector.Settings), **planted}
        made = self.connector(
            Account(name="x", base_url="http://127.0.0.1:9", settings=Options(values), allow_private=True), MemoryHost()
        )
        findings = made.check()
        assert findings
        assert not findings[0].ok
        assert "planted" not in " ".join(one.message for one in findings)
