"""From rows to live objects: a connection becomes a connector at work, a profile its two resources."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from connector import AccessDenied, Account, Budget, Connector, ConnectorError, Finding, Options, Ref, Resource, StopRun
from connector.client import check_base_url
from connector.registry import connector as find_connector
from connector.settings import Problem, Setting, Settings, declared, defaults, load
from profiles import models
from profiles.db import Database, now
from profiles.hosting import Hosting, State, store_entries
from profiles.secrets import MissingSecret, reveal, unseal
from profiles.settings import EngineOptions, SettledOptions, SettlingOptions

log = logging.getLogger(__name__)

READS, WRITES = "read", "write"
FINDINGS = "findings"  # the shared fact with the findings of the last test


def private_allowed() -> bool:
    return os.environ.get("CONNECTOR_ALLOW_PRIVATE", "").strip().lower() in ("1", "true", "yes", "on")


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """All that a pair of connectors declares for a profile."""

    source: type[Resource]
    target: type[Resource]
    schemas: tuple[type[Settings], ...]
    settings: list[Setting]
    refs: tuple[Ref, ...]


def declarations(source_code: str, target_code: str, entity: str) -> Declarations:
    """Raises LookupError with a sentence when a connector is not there or cannot do it."""
    source = _resource(source_code, entity, READS)
    target = _resource(target_code, entity, WRITES)
    schemas = (
        EngineOptions,
        SettlingOptions if source.settles else SettledOptions,
        source.SourceOptions,
        target.TargetOptions,
    )
    return Declarations(source=source, target=target, schemas=schemas, settings=declared(*schemas), refs=target.refs)


def _resource(code: str, entity: str, verb: str) -> type[Resource]:
    made = find_connector(code)
    for resource in made.resources:
        if resource.entity == entity:
            if not resource.offers(verb):
                raise LookupError(
                    f"{made.label} can {'write' if verb == READS else 'read'} {entity}s, but not {verb} them."
                )
            return resource
    able = ", ".join(one.entity for one in made.resources) or "nothing"
    raise LookupError(f"{made.label} has no {entity!r}. It has: {able}.")


def account(name: str, code: str, base_url: str, credentials: Mapping[str, Any]) -> Account:
    """The facts of a connection with its references revealed. Raises StopRun with a sentence."""
    try:
        schema = find_connector(code).Settings
        revealed = {key: reveal(value) for key, value in credentials.items()}
        values = {
            **defaults(schema),
            **{key: value for key, value in load(revealed, schema).items() if value is not None},
        }
        allowed = private_allowed()
        secrets = (values.get(one.name) for one in declared(schema) if one.secret)
        return Account(
            name=name,
            base_url=check_base_url(base_url, allow_private=allowed),
            settings=Options(values),
            allow_private=allowed,
            secrets=tuple(one for one in secrets if isinstance(one, str)),
        )
    except (LookupError, MissingSecret, ValueError) as error:
        raise StopRun(f"Connection {name}: {error.args[0]}") from error
    except Problem as error:
        raise StopRun(f"Connection {name}: {error}") from error


@contextmanager
def connected(
    database: Database,
    connection_id: int,
    *,
    task_id: int | None = None,
    stop: threading.Event | None = None,
    may_write: Callable[[], None] | None = None,
    dry_run_by: str | None = None,
) -> Iterator[Connector]:
    """The connector of a stored connection, at work until the block ends. Raises StopRun when it cannot be set up."""
    with database.reading() as session:
        row = session.get_one(models.Connection, connection_id)
    facts = account(row.name, row.connector, row.base_url, unseal(row.credentials))
    host = Hosting(
        database, row.id, row.connector, task_id=task_id, stop=stop, may_write=may_write, dry_run_by=dry_run_by
    )
    made = find_connector(row.connector)(facts, host)
    try:
        yield made
    finally:
        made.close()
        host.close()


def check_connection(database: Database, connection_id: int) -> list[Finding]:
    """The connection test; its outcome is kept on the connection."""
    try:
        with connected(database, connection_id) as made:
            findings = made.check()
    except ConnectorError as error:
        findings = [Finding(name="Connection", ok=False, message=str(error))]
    except Exception as error:  # a stranger's connector may break its word; the page must still answer
        log.exception("the connection test of connection %s failed", connection_id)
        findings = [Finding(name="Connection", ok=False, message=f"The test itself failed: {type(error).__name__}.")]
    bad = [one for one in findings if not one.ok]
    mark(database, connection_id, not bad, bad[0].message if bad else "All right.")
    kept = {"at": now().isoformat(), "findings": [asdict(one) for one in findings]}
    State(database, connection_id, threading.Event()).change(FINDINGS, lambda _: kept)
    return findings


def last_findings(database: Database, row: models.Connection) -> list[Finding]:
    """The findings of the last test, as long as nothing newer is known of the connection's health."""
    fact = State(database, row.id, threading.Event()).read(FINDINGS)
    if not fact or row.checked_at is None or datetime.fromisoformat(fact["at"]) < row.checked_at:
        return []
    return [Finding(**one) for one in fact["findings"]]


def budgets(database: Database, row: models.Connection) -> list[Budget]:
    """The rate budget of a connection as its workers last knew it; empty where nothing is known."""
    try:
        made = find_connector(row.connector)
        values = Options({**defaults(made.Settings), **unseal(row.credentials)})
        return made.budget(State(database, row.id, threading.Event()), values)
    except LookupError:
        return []
    except Exception:  # a stranger's connector may fail in any way; the page must still answer
        log.exception("the budget of connection %s cannot be read", row.id)
        return []


def mark(database: Database, connection_id: int, ok: bool, message: str) -> None:
    """Keep what is known of a connection's health."""
    with database.session() as session:
        row = session.get_one(models.Connection, connection_id)
        row.checked_at, row.check_ok, row.check_message = now(), ok, message


def collect_connection(
    database: Database,
    connection_id: int,
    progress: Callable[[str, int], None] = lambda kind, count: None,
    failed: Callable[[str, str], None] = lambda kind, reason: None,
) -> dict[str, int]:
    """Fetch all catalogues of a connection: kind → number of entries. Raises ConnectorError; what was fetched stays.

    `progress` hears of each list that is there, `failed` of each that could not be read while the others go on.
    """
    counts: dict[str, int] = {}
    with connected(database, connection_id) as made:
        try:
            for kind, entries in made.collect():
                if isinstance(entries, ConnectorError):
                    failed(kind, str(entries))
                    continue
                store_entries(database, connection_id, kind, entries)
                counts[kind] = len(entries)
                progress(kind, len(entries))
        except AccessDenied as error:
            mark(database, connection_id, False, str(error))
            raise
    with database.session() as session:
        session.get_one(models.Connection, connection_id).collected_at = now()
    return counts
