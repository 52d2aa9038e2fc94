"""Reads the order list from a place in the shop's own time to its end: every change once, nothing left out.

The place is (updated_at, entity_id) of the last row. Each call asks for the first page from the place on instead of
going deeper by page number: an order that is changed meanwhile moves to the end, and with page numbers all rows behind
it would move up by one and one of them would never be seen. It also makes both behaviours of pages past the end
harmless (section 0, finding 3), and memory stays flat, for what is not behind the place is new.

    FROM    updated_at >= T            the usual step; the few rows of second T that were seen are left out
    WITHIN  updated_at = T, id > E     inside a second that has more rows than fit on a page
    AFTER   updated_at > T             once such a second is done

What fails is asked for in smaller pages. What fails alone, while the list otherwise works, is found by halving first
the time and then the id, and handed on as a record with an error (section 7: a list call can fail with 404 because one
order holds a deleted product).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any, NoReturn

from connector import Found, Page, Payload, RecordFailed, RetryLater, StopRun
from connector.client import kept
from connector.magento.answers import (
    GatewayTimeout,
    NotFound,
    NotJson,
    PageTooLarge,
    ServerFault,
)
from connector.magento.client import Filter, MagentoClient, Sort, criteria

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=5)  # a transaction may be stored later than the time that it bears
AHEAD = timedelta(seconds=60)  # a mark never lies further in the shop's future: one mistyped date would hide the rest
SECOND = timedelta(seconds=1)
SORT: tuple[Sort, ...] = (("updated_at", "ASC"), ("entity_id", "ASC"))
FORMAT = "%Y-%m-%d %H:%M:%S"
LENGTH = len("2026-03-02 09:15:00")
GOOD_PAGES = 10  # after so many the page grows again
REMEMBERED = 1000  # rows without a place, so that the overlap of two pages does not report them twice
FIRST = datetime(2007, 1, 1, tzinfo=UTC)  # before any Magento; where a search begins that has no other place
LONGEST = 2**31  # seconds
LARGEST_ID = 2**40
NAMES = "items[entity_id,increment_id,updated_at],total_count"
FAULTS = (NotFound, ServerFault, GatewayTimeout, NotJson)  # what one order or too large a page may cause


class Step(StrEnum):
    """Which rows the next call asks for."""

    FROM = "from"
    WITHIN = "within"
    AFTER = "after"


@dataclass(frozen=True, order=True)
class Place:
    """A row's place in the list: its updated_at (aware UTC) and entity_id."""

    at: datetime
    id: int

    def mark(self) -> str:
        return json.dumps({"updated_at": self.at.strftime(FORMAT), "entity_id": self.id})

    @classmethod
    def of_mark(cls, mark: str | None) -> Place | None:
        """None for no mark and for one that cannot be read: then everything is read, which is slow but safe."""
        try:
            stored = json.loads(mark or "null")
            return cls(moment(stored["updated_at"]), int(stored["entity_id"])) if stored else None
        except (ValueError, KeyError, TypeError):
            log.warning("the mark %r cannot be read; everything is read again", mark)
            return None


def moment(text: Any) -> datetime:
    """Magento's `YYYY-MM-DD HH:MM:SS`, always UTC (section 5.1). Raises ValueError."""
    given = str(text)
    try:
        made = datetime.fromisoformat(given)  # a twentieth of the time of strptime, but it takes other forms as well
    except ValueError:
        made = None
    if made is None or len(given) != LENGTH or made.tzinfo is not None:
        made = datetime.strptime(given, FORMAT)
    return made.replace(tzinfo=UTC)


def lean(order: Payload) -> Payload:
    """The order without the embedded copies of its lines: items[].parent_item, shipping_assignments[].items.

    `protect_code` is left out, too: it opens a guest's order to whoever knows it, and some saves make a new one.
    """
    made = {key: value for key, value in order.items() if key != "protect_code"}
    items = order.get("items")
    if isinstance(items, list):
        made["items"] = [_without(one, "parent_item") for one in items]
    extension = order.get("extension_attributes")
    if isinstance(extension, dict) and isinstance(extension.get("shipping_assignments"), list):
        assignments = [_without(one, "items") for one in extension["shipping_assignments"]]
        made["extension_attributes"] = {**extension, "shipping_assignments": assignments}
    return made


def _without(one: Any, key: str) -> Any:
    return {name: value for name, value in one.items() if name != key} if isinstance(one, dict) else one


def found(row: Any) -> Found:
    """One entry of a list as a record. What has no identity is a record with an error that shows what was received."""
    if not isinstance(row, dict):
        shown = _shown(row)
        return _nameless(shown, None, f"Magento listed something that is no order: {shown}")
    number = str(row["increment_id"]) if row.get("increment_id") not in (None, "") else None
    key = _id(row.get("entity_id"))
    if key is None:
        named, shown = f"Order {number}" if number else "An order", _shown(row)
        return _nameless(shown, number, f"{named} was listed without an entity_id, received: {shown}")
    stamp = str(row.get("updated_at"))
    at = _moment(row.get("updated_at"))
    if number is None:
        error = f"The order with entity_id {key} was listed without an increment_id, received: {_shown(row)}"
        return Found(key=str(key), number=None, version=f"{stamp}:{key}", updated_at=at, payload=None, error=error)
    payload = lean(row)
    made = kept(payload)
    version = f"{stamp}:{key}:{fingerprint(made)}"
    return Found(key=str(key), number=number, version=version, updated_at=at, payload=payload, kept=made)


def _shown(row: Any) -> str:
    text = json.dumps(row, default=str, ensure_ascii=False)
    return text if len(text) <= 160 else text[:160] + "…"


def fingerprint(content: bytes) -> str:
    """Two saves within one second have the same `updated_at`; their contents differ (section 0, finding 10). That the
    same content in another order counts as a change does no harm."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _nameless(shown: str, number: str | None, error: str) -> Found:
    key = f"number {number}" if number else f"nameless {shown[:80]}"
    return Found(key=key, number=number, version=shown, updated_at=None, payload=None, error=error)


def _id(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _moment(value: Any) -> datetime | None:
    try:
        return moment(value)
    except ValueError:
        return None


def place_of(row: Any) -> Place | None:
    """Where a row stands in the list; None when it does not say."""
    if not isinstance(row, dict):
        return None
    key, at = _id(row.get("entity_id")), _moment(row.get("updated_at"))
    return None if key is None or at is None else Place(at, key)


def _lost(error: RetryLater) -> None:
    """Raise GatewayTimeout for an answer that was lost on its way: the same is to be done."""
    if type(error) is RetryLater and error.counts and error.after is None:
        raise GatewayTimeout(str(error)) from error


class Healed(Exception):
    """While the broken order was looked for, the list worked again."""


class Cursor:
    """One reading of the list, for one thread. `size` is the number of rows per page to begin with.

    `shop_now` gives the time in the shop, as its Date header tells it.
    """

    def __init__(self, client: MagentoClient, size: int, shop_now: Callable[[], datetime]) -> None:
        self.client = client
        self.asked = self.size = max(1, size)
        self.descent: int | None = None  # the size before it was halved
        self.shop_now = shop_now
        self.step = Step.FROM
        self.place: Place | None = None  # the last row; before the first row, `begin` alone says where to start
        self.begin: datetime | None = None
        self.newest: Place | None = None
        self.page = 1  # more than 1 only to get past pages that hold no usable row
        self.expected: int | None = None
        self.read = 0
        self.good = 0
        self.stuck = 0
        self.unplaced: OrderedDict[str, None] = OrderedDict()

    def pages(self, since: str | None, initial_from: str | None = None) -> Iterator[Page]:
        """All orders changed since the mark, oldest change first. The last page may be empty: it bears the mark.

        Raises RetryLater (Unreachable ...) when the whole list fails, StopRun (AccessDenied) when a person must act.
        """
        self.newest = Place.of_mark(since)
        if self.newest is not None:
            self.begin = self.newest.at - OVERLAP
        elif initial_from:
            self.begin = first_moment(initial_from)
        while True:
            if self.client.host.stop.is_set():
                return
            try:
                rows, total = self._fetch()
            except FAULTS as error:
                if not self._smaller(error) and (broken := self._isolate(error)):
                    yield self._made(broken)
                continue
            fresh = self._fresh(rows)
            over = self._advance(rows, fresh, total)
            if fresh or over:
                yield self._made([found(row) for row in fresh])
            if over or self._chasing():
                return

    # one call

    def _filters(self) -> list[Filter]:
        if self.place is None:
            return [("updated_at", "gteq", self.begin.strftime(FORMAT))] if self.begin else []
        at = self.place.at.strftime(FORMAT)
        if self.step is Step.WITHIN:
            return [("updated_at", "eq", at), ("entity_id", "gt", self.place.id)]
        return [("updated_at", "gteq" if self.step is Step.FROM else "gt", at)]

    def _fetch(self) -> tuple[list[Any], int | None]:
        for _ in range(3):
            rows, total = self._list(self._filters(), self.size, self.page, tries=None if self.stuck else 1)
            places = [place for row in rows if (place := place_of(row))]
            if all(one.at <= other.at for one, other in pairwise(places)):
                return rows, total
        raise StopRun(
            f"{self.client.account.name}: the order list is not sorted by updated_at as asked (a module changes it?), "
            "so that changed orders could be overlooked."
        )

    def _list(
        self, filters: Sequence[Filter], size: int, page: int = 1, *, tries: int | None = 1
    ) -> tuple[list[Any], int | None]:
        """One page. A fault is not tried again (but for `tries` None): less is asked for instead. All else is.

        Raises FAULTS, RetryLater, StopRun.
        """
        query = criteria(filters, SORT, size=size, page=page)
        try:
            try:
                return self.client.rows("orders", query, tries=tries)
            except FAULTS:
                raise
            except RetryLater as error:
                if size > 1:
                    _lost(error)
                if error.after is not None and error.after > 90:
                    raise
                self.client.host.sleep(0.5 if error.after is None else error.after)
                try:
                    return self.client.rows("orders", query)
                except RetryLater as again:
                    _lost(again)
                    raise
        except PageTooLarge as error:
            self.asked = self.size = min(error.limit or size // 2, size - 1)
            self.page = 1
            if self.size < 1:
                raise StopRun(str(error)) from error
            return self._list(filters, self.size)
        except NotFound as error:
            if error.route:
                raise StopRun(f"{error}. Check the address and its form.") from error
            raise
        except RecordFailed as error:
            raise StopRun(str(error)) from error

    def _smaller(self, error: Exception) -> bool:
        """Halve the page; False when it is down to one row."""
        self.good = 0
        if self.size == 1:
            return False
        self.descent = self.descent or self.size
        self.size //= 2
        self.page = 1
        log.info("pages of %d orders from now on: %s", self.size, error)
        return True

    # what a page means

    def _fresh(self, rows: list[Any]) -> list[Any]:
        fresh = []
        for row in rows:
            place = place_of(row)
            if place is None:
                one = found(row)
                known = f"{one.key} {one.version}"
                if known not in self.unplaced:
                    self.unplaced[known] = None
                    fresh.append(row)
                    if len(self.unplaced) > REMEMBERED:
                        self.unplaced.popitem(last=False)
            elif self.place is None or place > self.place:
                fresh.append(row)
        return fresh

    def _advance(self, rows: list[Any], fresh: list[Any], total: int | None) -> bool:
        """Move the place behind the page and choose the next step. True when the list was read to its end."""
        full = len(rows) >= self.size  # then a total that is only the page's length is not believed
        self.good += 1
        if self.good >= GOOD_PAGES and self.size < self.asked:
            self.size, self.good, self.descent = min(self.asked, self.size * 2), 0, None
        if self.expected is None and total is not None and self.step is not Step.WITHIN:
            self.expected = self.read + total
        places = [place for row in fresh if (place := place_of(row))]
        seen_before = (self.page - 1) * self.size
        told = total is not None and (not full or self.page > 1) and len(rows) <= total <= seen_before + len(rows)
        all_of_it = not rows or told
        if self.step is Step.WITHIN:
            if places:
                self._reach(places)
            if all_of_it or not places:
                self.step = Step.AFTER
            return False
        if all_of_it:
            if places:
                self._reach(places)
            return True
        if places:
            self._reach(places)
            same = sum(1 for row in rows if (place := place_of(row)) and place.at == places[-1].at)
            self.step = Step.WITHIN if 2 * same > len(rows) else Step.FROM
            return False
        if not any(place_of(row) for row in rows):  # nothing here says where it stands: go past it by its number
            if not fresh and (total is None or total < len(rows)):
                return True  # the last page, repeated
            self.page += 1
            return False
        if self.step is Step.FROM and self.place is not None:
            self.step = Step.WITHIN
            return False
        raise StopRun(
            f"{self.client.account.name}: the order list ignores the filter on updated_at (a module changes it?), "
            "so that it cannot be read to its end."
        )

    def _reach(self, places: list[Place]) -> None:
        self.place = places[-1]
        self.page, self.stuck = 1, 0
        self._note(self.place)

    def _note(self, place: Place) -> None:
        """Keep the newest place for the mark, but never a time that has not come yet in the shop."""
        latest = self.shop_now() + AHEAD
        if place.at > latest:
            place = Place(latest.replace(microsecond=0), 0)
        if self.newest is None or place > self.newest:
            self.newest = place

    def _made(self, records: list[Found]) -> Page:
        self.read += len(records)
        expected = max(self.expected, self.read) if self.expected is not None else None
        return Page(records=records, total=expected, mark=self.newest.mark() if self.newest else None)

    def _chasing(self) -> bool:
        """Whether orders change faster than they are read. Then the rest is the next run's; the mark is behind it."""
        far = self.expected is not None and self.read > 2 * self.expected + 10 * self.asked + 1000
        if far:
            log.warning("%s: orders change while they are read; going on in the next run", self.client.account.name)
        return far

    # one order that breaks the list

    def _isolate(self, error: Exception) -> list[Found]:
        """The next row alone cannot be read. Find which it is, go past it, and return it: whole if it can be fetched
        by its id, else with its error. Empty when the list works again.

        Raises the error when the list fails whatever is asked.
        """
        if self.step is Step.FROM and self.place is not None:
            self.step = Step.WITHIN  # leave out what was read: then the very next row is the one
            return []
        self.stuck += 1
        if self.stuck > 3:
            self._give_up(error)
        self.client.host.sleep(0.5)
        try:
            self.client.rows("orders", criteria([("entity_id", "eq", 0)], size=1, page=1))
        except FAULTS as always:
            self._give_up(always)
        number: str | None = None
        try:
            if not self._fails(self._filters(), surely=True):
                return []
            place, number = self._listed()
            place = place or self._searched()
            if not self._fails([("entity_id", "eq", place.id)], surely=True):
                return []  # it is gone
        except Healed:  # it was chance, not the size
            self.size, self.descent = self.descent or self.size, None
            return []
        log.warning("%s: the order with entity_id %d breaks the list: %s", self.client.account.name, place.id, error)
        record = self._alone(place, number, error)
        self.step = Step.WITHIN
        self._reach([place])
        self.size, self.descent = self.descent or self.size, None
        return [record]

    def _give_up(self, error: Exception) -> NoReturn:
        if isinstance(error, NotFound):
            raise StopRun(f"{error} No single order is the cause; the list fails whatever is asked.") from error
        raise error

    def _fails(self, filters: Sequence[Filter], *, surely: bool = False) -> bool:
        """Whether the broken order is among these: True when they fail, False when there are none. `surely`: it is
        tried a few times, since one failure may be chance.

        Raises Healed when they can be read, for the broken order would be the first of them.
        """
        if self.client.host.stop.is_set():
            raise RetryLater("stopped by a person", counts=False)
        try:
            rows, _ = self._list(filters, 1)
        except FAULTS:
            if not surely:
                return True
            try:
                rows, _ = self.client.rows("orders", criteria(filters, SORT, size=1, page=1))
            except FAULTS:
                return True
        if rows:
            raise Healed
        return False

    def _listed(self) -> tuple[Place | None, str | None]:
        """The order by a list of three fields. Magento trims after the whole order was built, so it seldom helps."""
        query = criteria(self._filters(), SORT, size=1, page=1, fields=NAMES)
        try:
            rows, _ = self.client.rows("orders", query, tries=1)
        except FAULTS:
            return None, None
        place = place_of(rows[0]) if rows else None
        if place is None or (self.place is not None and place <= self.place):
            return None, None
        return place, str(rows[0].get("increment_id") or "") or None

    def _searched(self) -> Place:
        """The order by halving: the broken one is the first of the window, so it is the first of every part it is in.

        Some forty small calls, half of them empty. Raises Healed.
        """
        if self.step is Step.WITHIN and self.place is not None:
            at, low = self.place.at, self.place.id
        else:
            start = self.place.at if self.place else (self.begin - SECOND if self.begin else FIRST)

            def by_time(low: int, high: int) -> bool:
                after, until = (f"{start + one * SECOND:{FORMAT}}" for one in (low, high))
                return self._fails([("updated_at", "gt", after), ("updated_at", "lteq", until)])

            at, low = start + _first(by_time, 0, LONGEST) * SECOND, 0
        same = ("updated_at", "eq", f"{at:{FORMAT}}")

        def by_id(low: int, high: int) -> bool:
            return self._fails([same, ("entity_id", "gt", low), ("entity_id", "lteq", high)])

        near = self.newest.id if self.newest else 0  # ids grow with time: it is probably not far from here
        if near > low and not by_id(low, near):
            low = near
        return Place(at, _first(by_id, low, LARGEST_ID))

    def _alone(self, place: Place, number: str | None, error: Exception) -> Found:
        try:
            data = self.client.ask("GET", f"orders/{place.id}", tries=1).data
        except (*FAULTS, RecordFailed, RetryLater) as alone:
            error = alone
        else:
            if isinstance(data, dict):
                return found(data)
        named = f"Order {number} (entity_id {place.id})" if number else f"The order with entity_id {place.id}"
        return Found(
            key=str(place.id),
            number=number,
            version=f"unreadable:{place.at:{FORMAT}}:{place.id}",
            updated_at=place.at,
            payload=None,
            error=f"{named}, changed {place.at:{FORMAT}}, cannot be read; it is left out and all others go on. {error}",
            passing=not isinstance(error, RecordFailed),
        )


def _first(fails: Callable[[int, int], bool], low: int, limit: int) -> int:
    """The least n above `low` for which fails(low, n), where fails(a, b) looks at a < n <= b. Steps double, then halve.

    Raises Healed when there is none up to `limit`.
    """
    step = 1
    while not fails(low, low + step):
        low, step = low + step, step * 2
        if low > limit:
            raise Healed
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        if fails(low, middle):
            high = middle
        else:
            low = middle
    return high


def first_moment(text: Any) -> datetime:
    """Where a first reading begins: a day or a time in ISO form, UTC unless it says otherwise. Raises StopRun."""
    try:
        made = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise StopRun(f"'Read from' is no date: {text!r}.") from error
    return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)
