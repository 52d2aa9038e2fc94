"""Reads changed orders in closed windows of `updatedAt`: every change once, nothing left out.

The list has no order by time, so a window is walked by id, page by page. Whatever is changed meanwhile leaves the
window, all rows behind it move up, and one of them slips from a page that is still to come into one that was read: the
total tells, and the walk goes back by as many rows. A row that came in late (a transaction that was stored after the
time that it bears) can stand anywhere: then the window is walked again. What was seen is not reported twice.

Only where all of a window was read does the mark move to its end. Windows with many orders are halved, so that a
reading that breaks off has not been in vain; of a window of several pages, its last minute is read by itself, for
there rows still come and go.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connector import RecordFailed, RetryLater, StopRun
from connector.plentyone.client import PlentyClient
from connector.plentyone.reading import moment
from connector.plentyone.relatives import fingerprint
from connector.plentyone.shapes import amount, flag, key_of

log = logging.getLogger(__name__)

LIST = "/rest/orders"
OVERLAP = timedelta(minutes=5)  # a transaction may be stored later than the time that it bears
AHEAD = timedelta(
    days=1
)  # the last window ends here: PlentyONE's clock may be ahead of ours, and the mark stays at now
FRESH = timedelta(minutes=1)
SHORTEST = timedelta(seconds=2)  # a window that is not halved any more: a bulk change of one moment
PAGES = 20  # a window of more pages is halved
TURNS = 50  # so often a walk goes back before the window is left for the next run
FIRST = datetime(2000, 1, 1, tzinfo=UTC)  # where halving begins in a window without a beginning


@dataclass(frozen=True)
class Window:
    """From `begin` (None: everything before) to `end`, both included."""

    begin: datetime | None
    end: datetime

    def query(self) -> Mapping[str, str]:
        begin = {"updatedAtFrom": w3c(self.begin)} if self.begin else {}
        return {**begin, "updatedAtTo": w3c(self.end)}

    def cut(self, at: datetime) -> list[Window]:
        """Two windows; none of the seconds between them is left out."""
        return [Window(self.begin, at), Window(at, self.end)]


@dataclass(frozen=True)
class Listed:
    """One page as it came. `total` and `page` None: the answer does not say."""

    rows: Sequence[Any]
    total: int | None
    page: int | None
    last: bool
    size: int


@dataclass
class Batch:
    """Some rows of the list. `mark`: how far everything was read with them; `total`: about how many there are; `end`: of
    the window that they were found in."""

    rows: list[Any]
    mark: str | None = None
    total: int | None = None
    end: datetime | None = None


def w3c(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()


class Windows:
    """One reading of the list. `now` is PlentyONE's own time as far as it was heard; `query` what every call asks."""

    def __init__(self, client: PlentyClient, size: int, now: Callable[[], datetime], query: Mapping[str, Any]) -> None:
        self.client = client
        self.size = max(1, size)
        self.now = now
        self.query = query
        self.read = 0
        self.expected: int | None = None
        self.seen: set[tuple[str, str]] = set()
        self.before: set[tuple[str, str]] = set()

    def batches(self, since: str | None, initial_from: Any = None) -> Iterator[Batch]:
        """All orders changed since the mark; the last batch of a window bears the new mark.

        Raises RetryLater, StopRun (AccessDenied).
        """
        host = self.client.host
        stored = until(since)
        started = host.now()
        begin = min(stored, started) - OVERLAP if stored else first_moment(initial_from) if initial_from else None
        waiting = [Window(begin, max(max(self.now(), started) + AHEAD, begin or FIRST))]
        limit: datetime | None = None
        while waiting:
            window = waiting.pop()
            if host.stop.is_set():
                return
            first = self._list(window, 1)
            if limit is None:  # by the first answer PlentyONE's clock is known, whatever was believed before
                # A clock that says to be ahead moves no mark beyond our own time: a proxy may say a wrong date, and what
                # lies between the two is only read again.
                limit = started + timedelta(seconds=min(0.0, self.client.clock_offset))
                self.expected = first.total
            if parts := self._parts(window, first, limit):
                waiting += reversed(parts)
                continue
            last = Batch([], end=window.end)
            whole = False
            for rows in self._walk(window, first):
                if rows is None:
                    whole = True
                    break
                if last.rows:
                    yield last
                last = self._batch(rows, window.end)
            if whole:
                last.mark = json.dumps({"until": w3c(min(window.end, limit))})
            if last.rows or last.mark:
                yield last
            if not whole:
                return
            self.before, self.seen = self.seen, set()

    def _batch(self, rows: list[Any], end: datetime) -> Batch:
        self.read += len(rows)
        total = max(self.expected, self.read) if self.expected is not None else None
        return Batch(rows, total=total, end=end)

    def _parts(self, window: Window, first: Listed, now: datetime) -> list[Window]:
        """Smaller windows in place of this one; none where it is read as it is."""
        if first.last or first.total is None or first.total <= len(first.rows):
            return []
        begin = window.begin or FIRST
        calm = (now - FRESH).replace(microsecond=0)
        if window.end > calm > begin:
            return window.cut(calm)
        if first.total > PAGES * first.size and window.end - begin > SHORTEST:
            return window.cut((begin + (window.end - begin) / 2).replace(microsecond=0))
        return []

    def _walk(self, window: Window, listed: Listed) -> Iterator[list[Any] | None]:
        """The pages of a window, None at its end; it breaks off when the window never comes to rest."""
        page, turns, total, before = 1, 0, listed.total, None
        while True:
            yield self._fresh(listed.rows)
            gone = (total - listed.total) if total is not None and listed.total is not None else 0
            beyond = listed.page is not None and listed.page < page
            if gone:
                turns += 1
                total = listed.total
                if turns > TURNS:
                    log.warning("%s: orders change faster than they are read", self.client.account.name)
                    return
                page = max(1, page - max(1, -(-gone // listed.size))) if gone > 0 else 1
            elif listed.last or not listed.rows or beyond or listed.rows == before:
                yield None
                return
            else:
                page += 1
            if self.client.host.stop.is_set():
                return
            before = listed.rows
            listed = self._list(window, page)

    def _fresh(self, rows: Sequence[Any]) -> list[Any]:
        fresh = []
        for row in rows:
            name = identity(row)
            if name not in self.seen and name not in self.before:
                self.seen.add(name)
                fresh.append(row)
        return fresh

    def _list(self, window: Window, page: int) -> Listed:
        query = {**self.query, **window.query(), "sortBy": "id", "sortOrder": "asc"}
        try:
            data = self.client.get(LIST, {**query, "page": page, "itemsPerPage": self.size})
        except RecordFailed as error:
            raise StopRun(f"{error} No changed orders can be read.") from error
        return listed(self.client.account.name, data, self.size)


def listed(name: str, data: Any, size: int) -> Listed:
    """A page out of an envelope; an array is one, too. Raises RetryLater for anything else."""
    rows = data.get("entries") if isinstance(data, Mapping) else data
    if isinstance(rows, Mapping):
        rows = list(rows.values())
    if not isinstance(rows, list):
        raise RetryLater(f"{name}: GET {LIST} answered without a list of orders")
    if not isinstance(data, Mapping):
        return Listed(rows, None, None, len(rows) < size, size)
    total, page, pages, shown = (
        None if (found := amount(data.get(field))) is None else int(found)
        for field in ("totalsCount", "page", "lastPageNumber", "itemsPerPage")
    )
    told = data.get("isLastPage")
    last = flag(told) or (pages is not None and page is not None and page >= pages)
    if told is None and pages is None:
        last = len(rows) < (shown or size)
    return Listed(rows, total, page, last, max(1, shown or size))


def identity(row: Any) -> tuple[str, str]:
    """The same order as it was changed at the same time is read once."""
    if isinstance(row, dict) and (key := key_of(row)):
        return key, str(row.get("updatedAt"))
    return "", fingerprint({"row": row})


def until(mark: str | None) -> datetime | None:
    """None for no mark and for one that cannot be read: then everything is read, which is slow but safe."""
    try:
        stored = json.loads(mark or "null")
        return moment(stored["until"]) if stored else None
    except (ValueError, KeyError, TypeError):
        log.warning("the mark %r cannot be read; everything is read again", mark)
        return None


def first_moment(text: Any) -> datetime:
    """Where a first reading begins: a day or a time in ISO form, UTC unless it says otherwise. Raises StopRun."""
    made = moment(str(text))
    if made is None:
        raise StopRun(f"'Read from' is no date: {text!r}.")
    return made
