"""Reads a list of refurbed without losing anything, although it cannot be asked what changed.

The lists know no "modified since", and the id is no order of time: an order that is released late has a lower id than
those that were seen. So each reading asks, by id inside closed windows of the time that the list does have:

1. what came since the mark, with an overlap; then the mark moves,
2. whatever is still open, however old,
3. all else of the last weeks, for it may have left the open states unseen: cancelled by the customer, concluded.

Rows that are known and did not change have the same fingerprint and cost the host nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connector import Options, Payload, RecordFailed, StopRun
from connector.refurbed import shapes
from connector.refurbed.client import RefurbedClient
from connector.refurbed.reading import moment

log = logging.getLogger(__name__)

OVERLAP = timedelta(hours=1)  # a release may be stored later than the time that it bears
AHEAD = timedelta(hours=1)  # refurbed's clock may be ahead of ours: what is released there "later" is read, too


@dataclass(frozen=True, kw_only=True)
class List:
    """A list call: `time` is the field that it can be filtered by, `still_open` the states that are never left alone,
    `recent` how long all states are read again."""

    service: str
    method: str
    name: str
    time: str
    still_open: tuple[str, ...]
    recent: timedelta


def pages(
    client: RefurbedClient, which: List, since: str | None, first: datetime | None, size: int
) -> Iterator[tuple[list[Payload], str | None]]:
    """Rows, each page with the mark that holds once it is stored. `first`: nothing older is ever read.

    Raises RetryLater, StopRun, AccessDenied.
    """
    limit = max(1, min(size, shapes.PAGE_SIZE))
    started = client.host.now()
    stored = until(since)
    begin = _latest(min(stored, started) - OVERLAP if stored else None, first)
    seen: set[str] = set()

    def listed(filters: Mapping[str, Any]) -> Iterator[list[Payload]]:
        try:
            for rows in client.rows(which.service, which.method, which.name, filters, limit=limit):
                fresh = [row for row in rows if str(row["id"]) not in seen]
                seen.update(str(row["id"]) for row in fresh)
                yield fresh
                if client.host.stop.is_set():
                    return
        except RecordFailed as error:
            raise StopRun(f"{error} The list of {which.name} cannot be read.") from error

    for rows in listed({which.time: _between(begin, started + AHEAD)}):
        yield rows, None
    if client.host.stop.is_set():
        return
    # a clock that says to be ahead moves no mark beyond our own time; what lies between the two is only read again
    mark = min(started, started + timedelta(seconds=client.clock_offset))
    yield [], json.dumps({"until": shapes.moment(mark)})
    if begin is None or begin == first:
        return  # that was everything
    for filters in (
        {which.time: _between(first, begin), "state": {"any_of": list(which.still_open)}},
        {which.time: _between(_latest(first, started - which.recent), begin)},
    ):
        for rows in listed(filters):
            yield rows, None


def _between(begin: datetime | None, end: datetime) -> dict[str, str]:
    low = {} if begin is None else {"ge": shapes.moment(begin)}
    return {**low, "le": shapes.moment(end)}


def _latest(*moments: datetime | None) -> datetime | None:
    return max((one for one in moments if one is not None), default=None)


def lower_bound(options: Options, own: datetime | None) -> datetime | None:
    """The later one of the account's start and the profile's "Read from" (a day, UTC)."""
    day = options.get("initial_from")
    if isinstance(day, str):
        read = moment(day)
        if read is None:
            raise StopRun(f"'Read from' is no date: {day!r}.")
        return _latest(own, read)
    if isinstance(day, date) and not isinstance(day, datetime):
        day = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return _latest(own, day)


def until(mark: str | None) -> datetime | None:
    """None for no mark and for one that cannot be read: then everything is read, which is slow but safe."""
    try:
        stored = json.loads(mark or "null")
        return moment(stored["until"]) if stored else None
    except (ValueError, KeyError, TypeError):
        log.warning("the mark %r cannot be read; everything is read again", mark)
        return None


def ids(rows: Sequence[Payload], name: str) -> list[str]:
    """The ids that a field of these rows names, each once."""
    return list(dict.fromkeys(str(row[name]) for row in rows if row.get(name)))
