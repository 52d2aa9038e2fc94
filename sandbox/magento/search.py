"""searchCriteria: which rows match, in which order, which page of them.

Rows are payload dictionaries; a column that a row lacks is NULL, and NULL matches nothing but `null`.
Text compares without case, as the database's usual collation does; numbers by value, times as text.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox.magento.refusal import Refused, required

Row = dict[str, Any]
Test = Callable[[Any], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: bool(a == b),
    "neq": lambda a, b: bool(a != b),
    "gt": lambda a, b: bool(a > b),
    "gteq": lambda a, b: bool(a >= b),
    "moreq": lambda a, b: bool(a >= b),
    "from": lambda a, b: bool(a >= b),
    "lt": lambda a, b: bool(a < b),
    "lteq": lambda a, b: bool(a <= b),
    "to": lambda a, b: bool(a <= b),
}
CONDITIONS = {*_COMPARE, "in", "nin", "finset", "nfinset", "like", "nlike", "null", "notnull"}


class UnknownColumn(Exception):
    """The database has no such column; the shop answers with its masked error."""


@dataclass(frozen=True, kw_only=True)
class Filter:
    field: str
    value: Any
    condition: str = "eq"

    def echo(self) -> dict[str, Any]:
        return {"field": self.field, "value": self.value, "condition_type": self.condition}


@dataclass(frozen=True, kw_only=True)
class Sort:
    field: str
    direction: str = "DESC"


@dataclass(frozen=True, kw_only=True)
class Criteria:
    groups: tuple[tuple[Filter, ...], ...] = ()
    sorts: tuple[Sort, ...] = ()
    page_size: int | None = None
    page: int | None = None

    def echo(self) -> dict[str, Any]:
        """As the answer repeats it."""
        answer: dict[str, Any] = {
            "filter_groups": [{"filters": [one.echo() for one in group]} for group in self.groups]
        }
        if self.sorts:
            answer["sort_orders"] = [{"field": one.field, "direction": one.direction} for one in self.sorts]
        if self.page_size is not None:
            answer["page_size"] = self.page_size
        if self.page is not None:
            answer["current_page"] = self.page
        return answer


@dataclass(frozen=True, kw_only=True)
class Table:
    """What the database knows about a kind of row: its key and its columns."""

    key: str
    columns: frozenset[str]
    text: frozenset[str]  # the others are numbers
    times: frozenset[str] = field(default=frozenset({"created_at", "updated_at"}))


def php_query(query: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Query parameters as PHP nests them: `a[b][0]=c` becomes {"a": {"b": {"0": "c"}}}."""
    root: dict[str, Any] = {}
    for name, value in query:
        match = re.match(r"([^\[]+)((?:\[[^\]]*\])*)", name)
        if not match:
            continue
        keys = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
        place = root
        for given in keys[:-1]:
            key = given or str(len(place))
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                inner = place[key] = {}
            place = inner
        place[keys[-1] or str(len(place))] = value
    return root


def read(query: Iterable[tuple[str, str]]) -> Criteria:
    """The criteria of a request; refused when it names none, though an empty one is enough."""
    tree = php_query(query)
    given = tree.get("searchCriteria", tree.get("search_criteria"))
    if given is None:
        raise required("searchCriteria")
    if not isinstance(given, dict):
        return Criteria()
    return Criteria(
        groups=tuple(_group(one) for one in _children(given, "filter_groups", "filterGroups")),
        sorts=tuple(_sort(one) for one in _children(given, "sort_orders", "sortOrders")),
        page_size=_integer(given, "page_size", "pageSize"),
        page=_integer(given, "current_page", "currentPage"),
    )


def _either(tree: dict[str, Any], *names: str) -> Any:
    return next((tree[name] for name in names if name in tree), None)


def _children(tree: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    found = _either(tree, *names)
    return [one for one in found.values() if isinstance(one, dict)] if isinstance(found, dict) else []


def _integer(tree: dict[str, Any], *names: str) -> int | None:
    value = _either(tree, *names)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except (TypeError, ValueError):
        text = 'The "%1" value\'s type is invalid. The "%2" type was expected. Verify and try again.'
        raise Refused(400, text, [str(value), "int"]) from None


def _group(tree: dict[str, Any]) -> tuple[Filter, ...]:
    filters = []
    for one in _children(tree, "filters"):
        if "field" not in one:
            raise required("field")
        condition = _either(one, "condition_type", "conditionType") or "eq"
        if condition not in CONDITIONS:
            raise Refused(400, 'The "%1" condition type is not supported.', [condition])
        filters.append(Filter(field=one["field"], value=one.get("value", ""), condition=condition))
    return tuple(filters)


def _sort(tree: dict[str, Any]) -> Sort:
    if "field" not in tree:
        raise required("field")
    direction = str(tree.get("direction") or "DESC").upper()
    if direction not in ("ASC", "DESC"):
        raise Refused(400, "The sort order has to be set to %1 or %2.", ["ASC", "DESC"])
    return Sort(field=tree["field"], direction=direction)


def select(rows: Iterable[Row], criteria: Criteria, table: Table) -> list[Row]:
    """All rows that match, sorted; UnknownColumn when a filter or sort names one."""
    named = [one.field for group in criteria.groups for one in group] + [one.field for one in criteria.sorts]
    for name in named:
        if name not in table.columns:
            raise UnknownColumn(name)
    groups = [[(one.field, _test(one, table)) for one in group] for group in criteria.groups if group]
    found = [row for row in rows if all(any(test(row.get(name)) for name, test in group) for group in groups)]
    # One stable pass per key from the last to the first; the primary key decides what is left.
    found.sort(key=lambda row: _number(row.get(table.key)) or Decimal(0))
    for sort in reversed(criteria.sorts):
        found.sort(key=_sort_key(sort.field, table), reverse=sort.direction == "DESC")
    return found


def _sort_key(name: str, table: Table) -> Callable[[Row], Any]:
    value: Callable[[Any], Any] = _text if name in table.text or name in table.times else _number

    def key(row: Row) -> tuple[bool, Any]:
        found = value(row.get(name))
        return (found is not None, found if found is not None else 0)

    return key


def page(found: Sequence[Row], criteria: Criteria, *, size: int | None, past_end: str) -> Sequence[Row]:
    """One page; past the end it is empty, or the last page again in old shops."""
    if not size or size < 0:
        return found
    number = max(criteria.page or 1, 1)
    if past_end == "repeat" and found:
        number = min(number, -(-len(found) // size))
    return found[(number - 1) * size : number * size]


def _text(value: Any) -> str | None:
    return None if value is None else str(value).casefold()


def _number(value: Any) -> Decimal | None:
    """As MySQL reads a number: the digits at the beginning, 0 when there are none."""
    if value is None:
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    match = re.match(r"\s*([-+]?(?:\d+\.?\d*|\.\d+))", str(value), re.ASCII)
    return Decimal(match[1]) if match else Decimal(0)


def _time(value: Any) -> str | None:
    if value is None:
        return None
    text = str(value).strip().replace("T", " ")
    return f"{text} 00:00:00" if len(text) == 10 else text


def _test(filter_: Filter, table: Table) -> Test:
    name, wanted, condition = filter_.field, filter_.value, filter_.condition
    read_as: Callable[[Any], Any] = _time if name in table.times else _text if name in table.text else _number
    if condition == "null":
        return lambda value: value is None
    if condition == "notnull":
        return lambda value: value is not None
    if condition in ("in", "nin"):
        listed = wanted.values() if isinstance(wanted, dict) else str(wanted).split(",")
        values = {read_as(str(one).strip()) for one in listed}
        return lambda value: value is not None and (read_as(value) in values) is (condition == "in")
    if condition in ("like", "nlike"):
        pattern = _like(str(wanted))
        return lambda value: value is not None and bool(pattern.fullmatch(str(value))) is (condition == "like")
    if condition in ("finset", "nfinset"):
        one = str(wanted).casefold()
        within = condition == "finset"
        return lambda value: value is not None and (one in str(value).casefold().split(",")) is within
    other, compare = read_as(wanted), _COMPARE[condition]
    return lambda value: value is not None and compare(read_as(value), other)


def _like(pattern: str) -> re.Pattern[str]:
    parts = [".*" if char == "%" else "." if char == "_" else re.escape(char) for char in pattern]
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
