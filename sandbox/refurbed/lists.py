"""How lists are filtered, sorted and turned over.

A cursor is the id of a row that was seen. Sorted by something else than the id, it stands for that row's place; new
rows with a lower id than the cursor are never seen by whoever only turns over ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sandbox.refurbed.errors import invalid
from sandbox.refurbed.shapes import Given, Shape, decimal, int64, moment, name_of, text, truth

PAGE_SIZE = 100
PAGINATION: Shape = {"limit": int64, "starting_after": int64, "ending_before": int64}


class Numbered(Protocol):
    id: int


Row = TypeVar("Row", bound=Numbered)


@dataclass(frozen=True, kw_only=True)
class Filter:
    """What a filter may say, and whether a row's values (none, one or several) pass it."""

    shape: Shape
    passes: Callable[[Given, list[Any]], bool]


def _set(given: Given, values: list[Any]) -> bool:
    wanted, unwanted = given.get("any_of"), given.get("none_of") or ()
    every = all(each in values for each in given.get("all_of") or ())
    return every and (not wanted or any(v in wanted for v in values)) and not any(v in unwanted for v in values)


BOUNDS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": lambda value, bound: value > bound,
    "ge": lambda value, bound: value >= bound,
    "le": lambda value, bound: value <= bound,
    "lt": lambda value, bound: value < bound,
}


def _range(given: Given, values: list[Any]) -> bool:
    bounds = [(BOUNDS[name], bound) for name, bound in given.items() if name in BOUNDS]
    return _set(given, values) and (not bounds or any(all(test(v, b) for test, b in bounds) for v in values))


def _words(given: Given, values: list[Any]) -> bool:
    """Full text: every word of it occurs."""
    whole = " ".join(str(each) for each in values).lower()
    return all(word in whole for word in given.get("matches", "").lower().split())


def _text(given: Given, values: list[Any]) -> bool:
    low = [str(each).lower() for each in values]
    if "eq" in given and given["eq"].lower() not in low:
        return False
    if "contains" in given and not any(given["contains"].lower() in each for each in low):
        return False
    return _set(given, values)


def one_of(of: Shape) -> Filter:
    return Filter(shape={"any_of": [of], "none_of": [of]}, passes=_set)


def enum(*names: str) -> Filter:
    return one_of(name_of(*names))


def labelled(*names: str) -> Filter:
    own = [name_of(*names)]
    return Filter(shape={"all_of": own, "any_of": own, "none_of": own}, passes=_set)


def _between(of: Shape) -> Filter:
    return Filter(shape={**dict.fromkeys(BOUNDS, of), "any_of": [of], "none_of": [of]}, passes=_range)


IDS = one_of(int64)
TEXTS = one_of(text)
TIMES = _between(moment)
AMOUNTS = _between(decimal)
# An unset bool is false, and cannot be told from it.
FLAG = Filter(shape={"value": truth}, passes=lambda given, values: given.get("value", False) in values)
SKU = Filter(shape={"any_of": [text], "none_of": [text], "contains": text}, passes=_text)
WORDS = Filter(shape={"matches": text}, passes=_words)
LIKE = Filter(shape={"eq": text, "contains": text}, passes=_text)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list call: its filters and sort keys, each with how a row answers them."""

    name: str  # of the list in the answer
    filters: Mapping[str, tuple[Filter, Callable[[Any, Any], Any]]]
    keys: Mapping[str, Callable[[Any, Any], Any]]

    @property
    def shape(self) -> dict[str, Shape]:
        return {
            "pagination": PAGINATION,
            "sort": {"order": name_of("ASC", "DESC"), "by": name_of(*self.keys)},
            "filter": {name: each.shape for name, (each, _) in self.filters.items()},
        }

    def page(
        self, market: Any, given: Given, rows: Iterable[Row], every: Mapping[int, Row], show: Callable[[Any, Row], Any]
    ) -> Given:
        """The page asked for. `every` has the rows that a cursor may name, whether the filter shows them or not."""
        kept = [row for row in rows if self._passes(market, given.get("filter", {}), row)]
        chosen, more = self._turn(market, given, kept, every)
        return {self.name: [show(market, row) for row in chosen], "has_more": more}

    def _passes(self, market: Any, filters: Given, row: Row) -> bool:
        for name, given in filters.items():
            own, read = self.filters[name]
            value = read(market, row)
            values = value if isinstance(value, list) else [] if value is None else [value]
            if not own.passes(given, values):
                return False
        return True

    def _turn(
        self, market: Any, given: Given, rows: Sequence[Row], every: Mapping[int, Row]
    ) -> tuple[Sequence[Row], bool]:
        pagination, sort = given.get("pagination", {}), given.get("sort", {})
        limit = pagination.get("limit") or PAGE_SIZE
        after, before = pagination.get("starting_after"), pagination.get("ending_before")
        if not 1 <= limit <= PAGE_SIZE:
            raise invalid(f"pagination limit must be between 1 and {PAGE_SIZE}")
        if after and before:
            raise invalid('only one of "ending_before" and "starting_after" may be set')
        by, down = sort.get("by", "ID"), sort.get("order") == "DESC"

        def place(row: Row) -> tuple[Any, ...]:
            value = self.keys[by](market, row)
            return (value is not None, value, row.id) if value is not None else (False, row.id)

        def cursor(number: int) -> tuple[Any, ...]:
            if by == "ID":
                return (True, number, number)  # the row need not exist
            if number not in every:
                raise invalid(f"pagination cursor {number} is unknown")
            return place(every[number])

        ordered = sorted(rows, key=place, reverse=down)
        if before:
            mark = cursor(before)
            found = [row for row in ordered if (place(row) > mark if down else place(row) < mark)]
            return found[-limit:], len(found) > limit
        if after:
            mark = cursor(after)
            ordered = [row for row in ordered if (place(row) < mark if down else place(row) > mark)]
        return ordered[:limit], len(ordered) > limit
