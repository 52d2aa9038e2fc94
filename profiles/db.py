"""The database: engine, transactions, upgrade; and the data folder. Its troubles are told in sentences.

SQLite runs in WAL mode with foreign keys on, full synchronisation (a pulled plug loses nothing that was committed) and
a busy time-out; writers of one process queue at a lock of ours instead of polling the file. PostgreSQL is the other.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from profiles.prepared import Prepared, Transaction, Values

BUSY_SECONDS = 30
MIGRATIONS = Path(__file__).parent / "migrations"

ResultT = TypeVar("ResultT")


class DatabaseTrouble(Exception):
    """The database cannot be used; the message says why and what to do."""


def now() -> datetime:
    return datetime.now(UTC)


def home() -> Path:
    """The data folder, CONNECTOR_HOME (default `var/`); made when missing, readable by its owner only."""
    folder = Path(os.environ.get("CONNECTOR_HOME") or "var")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise DatabaseTrouble(
            f"The data folder {folder} cannot be made: {error.strerror}. Set CONNECTOR_HOME."
        ) from error
    return folder


def insert_or_ignore(table: Any, *, sqlite: bool) -> Any:
    """INSERT … ON CONFLICT DO NOTHING, on both databases."""
    if sqlite:
        from sqlalchemy.dialects.sqlite import insert
    else:  # only where it is used: it takes a while to load
        from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
    return insert(table).on_conflict_do_nothing()


class Database:
    """One database. `session()` is a transaction that writes, `reading()` one that only reads."""

    def __init__(self, url: str | None = None) -> None:
        self.url = url or os.environ.get("CONNECTOR_DATABASE_URL") or f"sqlite:///{(home() / 'connector.db').resolve()}"
        try:
            parsed = make_url(self.url)
        except ArgumentError as error:
            raise DatabaseTrouble(
                "CONNECTOR_DATABASE_URL is not a database address (sqlite:///… or postgresql://…)."
            ) from error
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.sqlite = parsed.get_backend_name() == "sqlite"
        if not self.sqlite and parsed.get_backend_name() != "postgresql":
            raise DatabaseTrouble(f"{parsed.get_backend_name()} is not supported: use sqlite:///… or postgresql://…")
        options: dict[str, Any] = {"pool_size": 20, "max_overflow": 40, "pool_timeout": 60}
        if self.sqlite:
            options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
            self.path: Path | None = Path(parsed.database) if parsed.database else None
        else:
            options.update(pool_pre_ping=True, isolation_level="READ COMMITTED")
            self.path = None
        self.engine: Engine = create_engine(parsed, **options)
        self._reading = self.engine.execution_options(immediate=False)
        self._writer = threading.RLock()
        self._units: deque[_Unit] = deque()
        self._here = threading.local()  # what this thread's next commit takes along (`later`)
        self._kept: tuple[int, Any, Transaction] | None = None  # SQLite's writer: its process, connection, cursor
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    def __repr__(self) -> str:
        return f"Database({make_url(self.url).render_as_string(hide_password=True)})"

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed at the end, rolled back on an error."""
        with self._serial(), _troubles(self), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def write(self, unit: Callable[[Transaction], ResultT], *, whole: bool = True) -> ResultT:
        """Run `unit` in a transaction of prepared statements; what it returns is committed. For what every record costs.

        SQLite has one writer and a commit waits for the disk, so whoever gets to write does so for all threads that
        wait meanwhile: one commit for several units. A unit that raises is undone alone; `whole` False: it raises only
        before it has changed anything, so that there is nothing to undo. PostgreSQL joins commits by itself.
        """
        mine = _Unit(unit, whole=whole)
        self._commit(mine)
        return cast(ResultT, mine.result())

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Within the block, what this thread writes by `later` waits for its next commit, at the latest the block's end."""
        self._here.waiting = waiting = _Waiting()
        try:
            yield
            self.flush()
        except Exception:
            with suppress(Exception):  # what went wrong first is told
                self.flush()
            raise
        finally:
            self._here.waiting = None
            waiting.release()

    def later(self, unit: Callable[[Transaction], Any]) -> None:
        """Run one statement with this thread's next commit: by `write` or `flush`, which raise what `unit` raises. At once
        where nobody is `gathering`."""
        waiting: _Waiting | None = getattr(self._here, "waiting", None)
        mine = _Unit(unit, whole=False, single=True)
        if waiting is not None:
            waiting.units.append(mine)
        else:
            self._commit(mine)
            mine.result()

    def then(self, action: Callable[[], None]) -> None:
        """Do this when all that this thread wrote by `later` is committed, or was refused."""
        waiting: _Waiting | None = getattr(self._here, "waiting", None)
        if waiting is None or not waiting.units:
            action()
        else:
            waiting.actions.append(action)

    def flush(self) -> None:
        """Commit what this thread wrote by `later`."""
        self._commit()

    def _commit(self, *units: _Unit) -> None:
        waiting: _Waiting | None = getattr(self._here, "waiting", None)
        before: list[_Unit] = []
        if waiting is not None and waiting.units:
            before, waiting.units = waiting.units, []
        mine = [*before, *units]
        if not mine:
            return
        try:
            if self.sqlite:
                self._units.extend(mine)
                with self._writer:
                    if not mine[-1].done:
                        self._write_all([self._units.popleft() for _ in range(len(self._units))])
            else:
                with _troubles(self), self._driven() as transaction:
                    _run_all(mine, transaction)
        finally:
            if waiting is not None:
                waiting.release()
        for one in before:
            one.result()

    def _write_all(self, units: Sequence[_Unit]) -> None:
        try:
            with _troubles(self), self._writing() as transaction:
                if len(units) > 1 or not units[0].single:  # a single statement is a transaction by itself
                    transaction.begin()
                _run_all(units, transaction)
        except BaseException as error:
            for one in units:
                one.error = error
            raise
        finally:
            for one in units:
                one.done = True

    @contextmanager
    def _writing(self) -> Iterator[Transaction]:
        """The one connection that writes to SQLite by prepared statements; made anew after an error."""
        if self._kept is None or self._kept[0] != os.getpid():  # another process's is not ours to use
            made = self.engine.raw_connection()
            made.detach()
            self._kept = os.getpid(), made, Transaction(made, self.engine.dialect)
        _, connection, transaction = self._kept
        try:
            yield transaction
        except BaseException as error:
            self._kept = None
            transaction.close()
            connection.close()  # not committed: rolled back
            if isinstance(error, transaction.troubles):
                raise self._told(error) from error
            raise

    def _told(self, error: Exception) -> BaseException:
        """An error of the driver as SQLAlchemy tells it."""
        dialect = self.engine.dialect
        return DBAPIError.instance(None, None, error, dialect.loaded_dbapi.Error, hide_parameters=True, dialect=dialect)

    def ask(self, statement: Prepared, values: Values) -> Any | None:
        """The first row of a prepared select."""
        with _troubles(self), self._driven() as transaction:
            return transaction.one(statement, values)

    @contextmanager
    def _driven(self) -> Iterator[Transaction]:
        """A connection of the pool without SQLAlchemy's; what is not committed is rolled back when it goes back."""
        connection = self.engine.raw_connection()
        transaction = Transaction(connection, self.engine.dialect)
        try:
            yield transaction
        except transaction.troubles as error:
            transaction.close()  # an open cursor would keep SQLite's file locked as long as somebody holds the error
            connection.invalidate(error)  # perhaps it is broken; a new one costs little
            raise self._told(error) from error
        finally:
            connection.close()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that only reads and never waits for writers."""
        with _troubles(self), Session(self._reading, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def _serial(self) -> Iterator[None]:
        if not self.sqlite:
            yield
            return
        with self._writer:
            yield

    def upgrade(self) -> str:
        """Bring the tables to this version; safe when several processes start at once. Returns what was done."""
        before = self.revision()
        _refuse_newer(before)
        head = _head()
        if before == head:
            return f"The database is up to date ({head})."
        from alembic import command  # only here: it takes long to load, and every command would wait for it
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with self._serial(), _troubles(self), self.engine.begin() as connection:
            if not self.sqlite:
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7305421)")
            config.attributes["connection"] = connection
            try:
                command.upgrade(config, "head")
            except DBAPIError as error:
                if not any(said in str(error.orig) for said in ("already exists", "duplicate column")):
                    raise
                raise DatabaseTrouble(
                    f"The database says that it is of version {before or 'none'}, but holds what a later one made: "
                    f"{str(error.orig).strip().splitlines()[0]}. Nothing was changed. "
                    "Restore the last backup."
                ) from error
        return f"The database was upgraded from {before or 'nothing'} to {head}."

    def require_current(self) -> None:
        """Raise DatabaseTrouble unless the tables are of this version."""
        found = self.revision()
        _refuse_newer(found)
        if found != _head():
            raise DatabaseTrouble("The database is older than this program. Run `connector db upgrade`.")

    def revision(self) -> str | None:
        """The version of the tables, None where there are none yet. Raises DatabaseTrouble when they do not tell it."""
        with _troubles(self), self._reading.connect() as connection:
            found = _stamps(connection)
            if not found and _has_tables(connection):
                found = _stamps(connection)  # another process may have made them just now
                if not found:
                    raise DatabaseTrouble(
                        "The database has tables, but does not say of which version they are: its table alembic_version is "
                        "empty or missing. Restore the last backup. Only if they were surely made by this version: put "
                        f"{_head()} into the column version_num of that table."
                    )
            if len(found) > 1:
                raise DatabaseTrouble(
                    f"The database names several versions ({', '.join(found)}). Restore the last backup."
                )
            return found[0] if found else None


class _Unit:
    """What one thread hands over to be committed, and what became of it."""

    def __init__(self, unit: Callable[[Transaction], Any], *, whole: bool = True, single: bool = False) -> None:
        self._unit = unit
        self.whole = whole
        self.single = single  # one statement
        self._made: Any = None
        self.error: BaseException | None = None
        self.done = False

    def run(self, transaction: Transaction, *, beside: bool) -> None:
        """`beside`: other units share the transaction."""
        if beside and self.whole:
            transaction.savepoint()
        try:
            self._made = self._unit(transaction)
        except transaction.troubles:
            raise  # of the database: nothing of any unit is committed
        except Exception as error:
            self.error = error
            if beside and self.whole:
                transaction.undo()

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self._made


class _Waiting:
    """What a thread's next commit takes along, and what is done after it."""

    def __init__(self) -> None:
        self.units: list[_Unit] = []
        self.actions: list[Callable[[], None]] = []

    def release(self) -> None:
        actions, self.actions = self.actions, []
        for one in actions:
            one()


def _run_all(units: Sequence[_Unit], transaction: Transaction) -> None:
    """Each unit by itself, and one commit."""
    for one in units:
        one.run(transaction, beside=len(units) > 1)
    if len(units) == 1 and units[0].error is not None:
        transaction.rollback()
    else:
        transaction.commit()


def _revisions() -> list[str]:
    """The versions of the tables, by the names of their files: oldest first, without a gap."""
    return sorted(file.name.partition("_")[0] for file in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _head() -> str:
    return _revisions()[-1]


def _stamps(connection: Connection) -> list[str]:
    """The versions that the database says its tables are of: one, unless somebody changed it by hand."""
    if not inspect(connection).has_table("alembic_version"):
        return []
    found = connection.scalars(text("SELECT version_num FROM alembic_version ORDER BY version_num"))
    return [str(one) for one in found]


def _has_tables(connection: Connection) -> bool:
    from profiles.models import Base  # only here: it imports this module

    return not Base.metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and revision not in _revisions():
        raise DatabaseTrouble(
            f"The database was made by a newer version of this program (revision {revision}). "
            "Install that version, or restore the backup made before the upgrade."
        )


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite, not by the driver
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    # A writer takes the lock at once: a reader that later becomes a writer fails at once instead of waiting.
    immediate = connection.get_execution_options().get("immediate", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


@contextmanager
def _troubles(database: Database) -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise DatabaseTrouble(_explain(database, error)) from error
    except DBAPIError as error:
        text = str(error.orig)
        if "not a database" in text or "malformed" in text:
            raise DatabaseTrouble(_explain(database, error)) from error
        if "no such table" in text or "does not exist" in text:
            raise DatabaseTrouble("The database has no tables yet. Run `connector db upgrade`.") from error
        raise


def _explain(database: Database, error: DBAPIError) -> str:
    said = str(error.orig)
    if "locked" in said or "busy" in said:
        return f"The database is locked by another program for more than {BUSY_SECONDS} seconds."
    if "full" in said:
        return "The disk (or the database) is full: nothing can be stored. Make room and start again; nothing is lost."
    if "no such table" in said or "no such column" in said:
        return "The database is not of this program's version. Run `connector db upgrade`."
    if "readonly" in said or "unable to open" in said:
        return f"The database file {database.path} cannot be written: {said}."
    if "not a database" in said or "malformed" in said:
        return f"The file {database.path} is not a usable SQLite database: {said}."
    return f"The database does not answer: {said.strip().splitlines()[0]}"
