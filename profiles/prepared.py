"""Statements that every record costs: written with SQLAlchemy, compiled once, run on the driver's own cursor.

For an update of one row by its key, what SQLAlchemy does around it (cache keys, events, contexts, result objects)
takes several times as long as the database itself; for all else nobody notices, and `Database.session` is used.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Dialect, Insert, Select, Update
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


class Prepared:
    """A statement for both databases. `names`: the columns that an insert fills; it must name them all."""

    def __init__(self, statement: Select[Any] | Insert | Update, *names: str) -> None:
        self.statement = statement
        self.names = names
        self._compiled: dict[str, _Compiled] = {}

    def on(self, dialect: Dialect) -> _Compiled:
        made = self._compiled.get(dialect.name)
        if made is None:
            made = self._compiled[dialect.name] = _Compiled(self, dialect)
        return made


class _Compiled:
    """What one driver needs: its SQL, its order of the values, and what becomes of values on the way in and out."""

    def __init__(self, prepared: Prepared, dialect: Dialect) -> None:
        statement = prepared.statement.inline() if isinstance(prepared.statement, Insert) else prepared.statement
        made: Any = statement.compile(dialect=dialect, column_keys=list(prepared.names) or None)
        assert not [*made.insert_prefetch, *made.update_prefetch], "a default of Python's side would be left out"
        self.sql = str(made)
        self._named = made.positiontup is None
        self._in: list[tuple[str, Any, Convert | None]] = [
            (name, made.params[name], _processor(made.binds[name].type, dialect, "bind"))
            for name in made.positiontup or made.params
        ]
        columns = statement.exported_columns
        self._row = _shape(columns.keys())
        self._out = [_processor(column.type, dialect, "result") for column in columns]

    def values(self, given: Values) -> Any:
        """In the driver's shape. A value that the statement itself fixes need not be given."""
        pairs = [
            (name, convert(value) if convert and value is not None else value)
            for name, fixed, convert in self._in
            for value in (given.get(name, fixed),)
        ]
        return dict(pairs) if self._named else [value for _, value in pairs]

    def row(self, found: Any) -> Any:
        return self._row._make(
            convert(value) if convert and value is not None else value
            for convert, value in zip(self._out, found, strict=True)
        )


def _shape(names: Iterable[Any]) -> Any:
    return namedtuple("Row", names)


def _processor(type: TypeEngine[Any], dialect: Dialect, direction: str) -> Convert | None:
    own: Any = type.dialect_impl(dialect)
    made: Convert | None = own.bind_processor(dialect) if direction == "bind" else own.result_processor(dialect, None)
    return made


class Transaction:
    """A transaction of prepared statements (`Database.write`)."""

    def __init__(self, connection: PoolProxiedConnection, dialect: Dialect) -> None:
        self._dialect = dialect
        self.troubles = dialect.loaded_dbapi.Error
        self._cursor: Any = connection.cursor()
        self.commit = connection.commit
        self.rollback = connection.rollback
        self.close = self._cursor.close

    def begin(self) -> None:
        """Take SQLite's lock of writers at once; PostgreSQL's driver begins by itself."""
        self._cursor.execute("BEGIN IMMEDIATE")

    def savepoint(self) -> None:
        """What follows can be undone alone."""
        self._cursor.execute("SAVEPOINT unit")

    def undo(self) -> None:
        self._cursor.execute("ROLLBACK TO unit")

    def run(self, statement: Prepared, values: Values) -> int:
        """How many rows were changed."""
        made = statement.on(self._dialect)
        self._cursor.execute(made.sql, made.values(values))
        return int(self._cursor.rowcount)

    def many(self, statement: Prepared, rows: Iterable[Values]) -> None:
        made = statement.on(self._dialect)
        self._cursor.executemany(made.sql, [made.values(row) for row in rows])

    def one(self, statement: Prepared, values: Values) -> Any | None:
        """The first row of a select, or of what a change returns; None when there is none."""
        made = statement.on(self._dialect)
        self._cursor.execute(made.sql, made.values(values))
        found = self._cursor.fetchall()  # all: SQLite commits nothing while a statement has rows to give
        return made.row(found[0]) if found else None
