"""Reading a shop's orders by (updated_at, entity_id), completely, whatever the shop does while it is read.

Facts (Magento 2.3 to 2.4.9): `updated_at` has whole seconds, and many orders share one; a row that changes while we page
jumps to the end; a page past the end is empty in new shops and the last page again in old ones; a page may be shorter
than asked for; one broken order makes a list call fail as a whole. So nothing is paged: after each page the window begins
anew at its last row, by time and, in a crowded second, by id; rows seen before are passed over.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector import Found, Page, Payload, RetryLater
from connector.magento.client import MagentoClient, NotFound, PageTooLarge, TooSlow

OVERLAP = timedelta(minutes=5)
REMEMBERED = 5000
LAYOUT = "%Y-%m-%d %H:%M:%S"

Groups = list[list[tuple[str, str, str]]]


@dataclass(frozen=True, order=True)
class Mark:
    """How far the shop was read, in the shop's own time: the newest row that was seen."""

    updated_at: str
    entity_id: int

    def dump(self) -> str:
        return json.dumps({"updated_at": self.updated_at, "entity_id": self.entity_id})

    @staticmethod
    def load(text: str) -> Mark:
        found = json.loads(text)
        return Mark(found["updated_at"], int(found["entity_id"]))

    def less(self, span: timedelta) -> str:
        return (datetime.strptime(self.updated_at, LAYOUT) - span).strftime(LAYOUT)


def criteria(groups: Groups, *, size: int, sort: Sequence[str] = ()) -> list[tuple[str, str]]:
    """searchCriteria as query pairs. `groups` are joined by AND, the (field, condition, value) in one by OR."""
    pairs: list[tuple[str, str]] = []
    for group, filters in enumerate(groups):
        for position, (field, condition, value) in enumerate(filters):
            stem = f"searchCriteria[filter_groups][{group}][filters][{position}]"
            pairs += [(f"{stem}[field]", field), (f"{stem}[value]", value), (f"{stem}[condition_type]", condition)]
    for position, field in enumerate(sort):
        stem = f"searchCriteria[sortOrders][{position}]"
        pairs += [(f"{stem}[field]", field), (f"{stem}[direction]", "ASC")]
    return [*pairs, ("searchCriteria[pageSize]", str(size)), ("searchCriteria[currentPage]", "1")]


class Cursor:
    """One reading of one shop's orders."""

    def __init__(self, client: MagentoClient, path: str, size: int, name: str = "order") -> None:
        self.client = client
        self.path = client.rest(path)
        self.size = self.asked = size
        self.name = name
        self.good = 0
        self.broken: dict[int, Found] = {}  # orders that no list can show; all further calls leave them out
        self._told: set[int] = set()
        self._seen: OrderedDict[tuple[int, str], None] = OrderedDict()

    def pages(self, mark: Mark | None, first: str | None) -> Iterator[Page]:
        """All rows from the mark less the overlap (else from `first`, a time, else from the beginning), in order."""
        since = mark.less(OVERLAP) if mark else first
        newest, total, read, after = mark, 0, 0, 0
        while True:
            rows, left = self._rows(self._window(since, after))
            fresh = [row for row in rows if self._new(row)]
            troubled = [self.broken[key] for key in self.broken if key not in self._told]
            self._told.update(self.broken)
            places = [place for place in map(_place, rows) if place is not None]
            if places:
                newest = max([*places, *([newest] if newest else [])])
            read += len(fresh) + len(troubled)
            total = max(total, left, read)
            if fresh or troubled:
                records = [*(found(row, self.name) for row in fresh), *troubled]
                yield Page(records=records, total=total, mark=newest.dump() if newest else None)
            if after > 0 and not rows:  # this second is read to its end: on to the later ones
                after = -1
                continue
            if not rows or (left <= len(rows) and after <= 0) or not places:
                return
            last = max(places)
            # A page of nothing but one second may hide more of it: then its ids are walked one after the other.
            within = after > 0 or (not fresh and not troubled) or {one.updated_at for one in places} == {since}
            since, after = last.updated_at, last.entity_id if within else 0

    def _window(self, since: str | None, after: int) -> Groups:
        """`after` 0: from that second on; positive: in that second, beyond that id; negative: later than that second."""
        groups: Groups = []
        if since is not None and after > 0:
            groups = [[("updated_at", "eq", since)], [("entity_id", "gt", str(after))]]
        elif since is not None:
            groups = [[("updated_at", "gt" if after < 0 else "gteq", since)]]
        return groups

    def _new(self, row: Any) -> bool:
        if not isinstance(row, Mapping):
            return True
        key = (_int(row.get("entity_id")), str(row.get("updated_at")))
        if key in self._seen:
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:  # rows lie close together: older ones do not come back in one reading
            self._seen.popitem(last=False)
        return True

    def _query(self, groups: Groups, size: int) -> list[tuple[str, str]]:
        without = [[("entity_id", "nin", ",".join(map(str, self.broken)))]] if self.broken else []
        return criteria([*groups, *without], size=size, sort=("updated_at", "entity_id"))

    def _rows(self, groups: Groups) -> tuple[list[Any], int]:
        """One page. A page that is refused or fails is asked for again, smaller; at last the order is found that does it."""
        while True:
            try:
                answer = self.client.call("GET", self.path, query=self._query(groups, self.size), tries=2).data
            except PageTooLarge as error:
                self.size = self.asked = max(1, min(error.largest, self.size - 1))
            except (TooSlow, NotFound) as error:
                self.good = 0
                if self.size == 1:
                    self._isolate(groups, error)
                    self.size = self.asked
                else:
                    self.size = max(1, self.size // 2)
            else:
                self.good += 1
                if self.good >= 20 and self.size < self.asked:  # it went well for a while: larger again
                    self.size, self.good = min(self.asked, self.size * 2), 0
                return _listed(answer, self.path)

    def _isolate(self, groups: Groups, error: Exception) -> None:
        """The first row makes the call fail: find its id by halving ranges of ids, and leave it out from now on.

        `fields` does not help: Magento trims the answer after it built the whole order. Raises RetryLater when it is
        not one order's fault.
        """
        if self._fails([[("entity_id", "eq", "0")]]):
            raise RetryLater(f"{error}. Even an empty list fails: the shop itself is in trouble.", after=60)
        low, high = 0, 1024
        while not self._fails([*groups, [("entity_id", "lteq", str(high))]]):
            low, high = high, high * 4
            if high > 1 << 40:
                raise RetryLater(f"{error}. It does not fail for any order alone.", after=30)
        while high - low > 1:
            middle = (low + high) // 2
            if self._fails([*groups, [("entity_id", "gt", str(low))], [("entity_id", "lteq", str(middle))]]):
                high = middle
            else:
                low = middle
        if not self._fails([[("entity_id", "eq", str(high))]]):
            raise RetryLater(f"{error}. It does not fail for order id {high} alone.", after=30)
        number = self._number(high)
        shown = f"{self.name} {number} (id {high})" if number else f"{self.name} with id {high}"
        self.broken[high] = Found(
            key=str(high),
            number=number,
            version=f"broken:{high}",
            updated_at=None,
            payload=None,
            error=f"{shown}: the shop cannot list it: {error}",
        )

    def _fails(self, groups: Groups) -> bool:
        for _ in range(2):  # once may be chance
            try:
                self.client.call("GET", self.path, query=self._query(groups, 1), tries=1)
            except (TooSlow, NotFound):
                continue
            return False
        return True

    def _number(self, key: int) -> str | None:
        """Its number, from its items' list or its own fields, where the shop still gives them."""
        try:
            answer = self.client.call("GET", f"{self.path}/{key}", query={"fields": "increment_id"}, tries=1).data
        except (RetryLater, NotFound):
            return None
        return str(answer["increment_id"]) if isinstance(answer, Mapping) and answer.get("increment_id") else None


def found(row: Any, name: str = "order") -> Found:
    """A listed row as the host takes it; what it lacks is said."""
    if not isinstance(row, Mapping):
        return Found(key=f"?{hash(str(row))}", number=None, version="", updated_at=None, payload=None,
                     error=f"An {name} of the list should be an object, got {str(row)[:60]!r}.")  # fmt: skip
    key, number = row.get("entity_id"), row.get("increment_id")
    at = str(row.get("updated_at") or row.get("created_at") or "")
    version = f"{at}:{key}"
    shown = f"{name} {number or f'with id {key}'}"
    error: str | None = None
    if not _int(key):
        error = f"{shown}: entity_id should be a number, got {key!r}."
    elif number in (None, ""):
        error = f"{shown}: increment_id is missing."
    try:
        moment = datetime.fromisoformat(f"{at}+00:00") if at else None
    except ValueError:
        moment = None
    return Found(
        key=str(key) if key is not None else f"?{number}",
        number=str(number) if number is not None else None,
        version=version,
        updated_at=moment,
        payload=None if error else slim(row),
        error=error,
    )


def slim(row: Mapping[str, Any]) -> Payload:
    """The order without the copies that Magento embeds: each child's parent, and all items once more per shipment."""
    made = dict(row)
    items = made.get("items")
    if isinstance(items, list):
        made["items"] = [
            {key: value for key, value in item.items() if key != "parent_item" or not item.get("parent_item_id")}
            if isinstance(item, Mapping)
            else item
            for item in items
        ]
    extension = made.get("extension_attributes")
    if isinstance(extension, Mapping) and isinstance(extension.get("shipping_assignments"), list):
        made["extension_attributes"] = {
            **extension,
            "shipping_assignments": [
                {key: value for key, value in one.items() if key != "items"} if isinstance(one, Mapping) else one
                for one in extension["shipping_assignments"]
            ],
        }
    return made


def _listed(answer: Any, path: str) -> tuple[list[Any], int]:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("items"), list | None):
        raise RetryLater(f"{path}: expected a list of items, got {str(answer)[:80]!r}")
    rows = list(answer.get("items") or [])
    return rows, _int(answer.get("total_count")) or len(rows)


def _place(row: Any) -> Mark | None:
    if isinstance(row, Mapping) and row.get("updated_at") and _int(row.get("entity_id")):
        return Mark(str(row["updated_at"]), _int(row["entity_id"]))
    return None


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
