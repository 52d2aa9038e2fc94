"""Remote ids that records share, created once by whoever comes first.

A row of `link` is held by one writer at a time: in this process by a lock, across processes by its holder. A holder
that died, or one whose creation ended in doubt, leaves the doubt on the row: the next writer finds before it creates.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any, cast

from sqlalchemy import Table, bindparam, select, update

from connector import InDoubt, RetryLater
from profiles import models
from profiles.db import Database, insert_or_ignore, now
from profiles.prepared import Prepared, Transaction
from profiles.workers import alone, dead, me

HOLD_SECONDS = 180.0
WAIT_SECONDS = 30.0

link_table = cast(Table, models.Link.__table__)


_named = (
    link_table.c.connection_id == bindparam("of"),
    link_table.c.kind == bindparam("kind"),
    link_table.c.key == bindparam("key"),
)
_NEW = ("connection_id", "kind", "key", "updated_at", "holder", "held_until")
FIND = Prepared(select(link_table.c.remote_id).where(*_named))
TAKE = Prepared(select(link_table).where(*_named).with_for_update())
HOLD = Prepared(
    update(link_table)
    .where(link_table.c.id == bindparam("row"))
    .values(holder=bindparam("mine"), held_until=bindparam("until"), doubt_at=bindparam("doubt"))
)


@functools.cache
def _add(*, sqlite: bool) -> Prepared:
    return Prepared(insert_or_ignore(link_table, sqlite=sqlite).returning(link_table.c.id), *_NEW)


@functools.cache
def _let_go(*names: str) -> Prepared:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return Prepared(
        update(link_table)
        .where(link_table.c.id == bindparam("row"), link_table.c.holder == bindparam("mine"))
        .values(holder=None, held_until=None, updated_at=bindparam("moment"), **values)
    )


class HeldLink:
    """One shared id while it is held (`connector.Link`)."""

    def __init__(self, links: Links, row_id: int, id: str | None, digest: str | None, doubt: float | None) -> None:
        self.links = links
        self.row_id = row_id
        self.id = id
        self.digest = digest
        self.doubt = doubt is not None
        self.doubt_age = doubt or 0.0
        self.released = False

    def learn(self, id: str, digest: str | None = None) -> None:
        self.id, self.digest, self.doubt = id, digest, False
        self.links.let_go(self.row_id, self.links.database.later, remote_id=id, digest=digest, doubt_at=None)
        self.released = True


class Links:
    """All shared ids of one connection."""

    def __init__(self, database: Database, connection_id: int, stop: threading.Event) -> None:
        self.database = database
        self.connection_id = connection_id
        self.stop = stop
        self._known: dict[tuple[str, str], str] = {}

    def find(self, kind: str, key: str) -> str | None:
        """The id, if known. Asked of the database once per process: an id never changes, and a miss is asked again."""
        known = self._known.get((kind, key))
        if known is None:
            row = self.database.ask(FIND, {"of": self.connection_id, "kind": kind, "key": key})
            if row is not None and row.remote_id is not None:
                known = str(row.remote_id)
                self._remember(kind, key, known)
        return known

    def _remember(self, kind: str, key: str, id: str) -> None:
        if len(self._known) > 20_000:  # memory does not grow with the number of customers
            self._known.clear()
        self._known[kind, key] = id

    @contextmanager
    def hold(self, kind: str, key: str) -> Iterator[HeldLink]:
        with ExitStack() as stack:
            name = (self.database.url, self.connection_id, kind, key)
            stack.enter_context(alone(name, self.database.flush))
            link = self._take(kind, key)
            try:
                yield link
            except BaseException as error:
                if not link.released:
                    self._leave(link, error)
                raise
            else:
                if not link.released:
                    self.let_go(link.row_id)
            finally:
                self.database.then(stack.pop_all().close)  # nobody else may take it before the row says that it is free
            if link.id is not None:
                self._remember(kind, key, link.id)

    def _leave(self, link: HeldLink, error: BaseException) -> None:
        if isinstance(error, InDoubt):
            self.let_go(link.row_id, doubt_at=now())
        elif isinstance(error, Exception):
            self.let_go(link.row_id)
        # anything else ends the process: the row stays held, and a dead holder means doubt

    def _take(self, kind: str, key: str) -> HeldLink:
        give_up = time.monotonic() + WAIT_SECONDS
        while True:
            link = self.database.write(lambda transaction: self._try(transaction, kind, key), whole=False)
            if link is not None:
                return link
            if self.stop.is_set() or time.monotonic() > give_up:
                raise RetryLater(f"another worker is creating the {kind} {key}", after=5, counts=False)
            self.stop.wait(0.1)

    def _try(self, transaction: Transaction, kind: str, key: str) -> HeldLink | None:
        """Take the link if nobody alive holds it."""
        moment = now()
        until = moment + timedelta(seconds=HOLD_SECONDS)
        fresh = {"connection_id": self.connection_id, "kind": kind, "key": key, "updated_at": moment}
        fresh |= {"holder": me(), "held_until": until}
        new = transaction.one(_add(sqlite=self.database.sqlite), fresh)
        if new is not None:
            return HeldLink(self, new.id, None, None, None)
        row: Any = transaction.one(TAKE, {"of": self.connection_id, "kind": kind, "key": key})
        lost = row.holder is not None and (row.holder == me() or dead(row.holder) or row.held_until < moment)
        if row.holder is not None and not lost:
            return None
        # the lost holder may have created it just now, however old the doubt was in which it began
        doubt_at = moment if lost and row.remote_id is None else row.doubt_at
        transaction.run(HOLD, {"row": row.id, "mine": me(), "until": until, "doubt": doubt_at})
        age = (moment - doubt_at).total_seconds() if doubt_at else None
        return HeldLink(self, row.id, row.remote_id, row.digest, age)

    def let_go(self, row_id: int, write: Callable[..., Any] | None = None, **values: object) -> None:
        given = {f"new_{name}": value for name, value in values.items()}
        given |= {"row": row_id, "mine": me(), "moment": now()}
        (write or self.database.write)(lambda transaction: transaction.run(_let_go(*values), given))
