"""What the address of a list of records asks for, and the query that answers it by an index.

An index leads either to few records (a number, a customer, a rare status): those are taken and sorted; or along the
list itself (by time, or by status or customer and id): what else is asked is then looked for row by row, bounded.

A list can be sorted by any column, but by one that has no index only up to SORTED_FREELY records: each index would
cost a write per record, and sorting a million rows for one page would hold up everybody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Integer,
    Label,
    Select,
    Text,
    cast,
    false,
    func,
    literal,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.orm import Session

from admin.views.listing import at_most, clean, says, starts_with
from admin.views.present import zone
from admin.views.words import _
from profiles.models import Line, Moment, SyncHistory, SyncRecord, SyncStatus

FEW = 1000  # a search by a number shows no more; as many records are sorted in any order
TEXTS = ("q", "order", "customer", "target", "text", "cause")
TIMES = ("created", "updated", "processed")
ALONG = ("updated", "created", "number", "id")  # an index serves them, whatever the filters
SORTS = (*ALONG, "status")  # a list of any length can be sorted by these
SORTED_FREELY = 10_000  # as many records are sorted by a column without an index
SORTED_CHARACTERS = 80  # of a text: what begins alike stands together
MOMENTS = ("processed_at", "source_created_at", "next_attempt_at")
TEXTUAL = ("customer", "message", "kind", "amount", "store", "source_status")
REF = re.compile(r"ref:([\w.-]{1,64})", re.ASCII)
LONG_AGO = datetime(1900, 1, 1, tzinfo=UTC)  # sorts what has no time before all that has one
NUMBER = func.coalesce(SyncRecord.source_number, literal_column("''")).label("sorted_number")  # as its index has it
UP = ".up"  # behind a sort: oldest first
FAILED = SyncRecord.status == literal_column(
    "'failed'"
)  # word for word as in the index of the failed: it suffices then


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The filters of a list, read from its address. `problems` holds a sentence for what could not be understood."""

    texts: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    spans: Mapping[str, tuple[datetime | None, datetime | None]] = field(default_factory=dict)  # from, before
    given: Mapping[str, str] = field(default_factory=dict)  # days as typed
    sort: str = ""
    ascending: bool = False
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def narrowed(self) -> bool:
        return bool(self.status or any(self.texts.values()) or any(start or end for start, end in self.spans.values()))

    @property
    def more(self) -> int:
        """How many of the filters behind the button are set."""
        texts = sum(bool(self.texts.get(name)) for name in TEXTS if name not in ("q", "cause"))
        return texts + sum(bool(value) for value in self.given.values())

    def plain(self) -> dict[str, str]:
        """For forms and the audit: what is set, as it was given."""
        said = {**self.texts, "status": self.status, **self.given}
        return {name: value for name, value in said.items() if value}


def wanted(args: Mapping[str, str], timezone: str | None) -> Wanted:
    """Nothing in an address is a fault: what is unknown is left out, what is not a day gets a sentence."""
    spans: dict[str, tuple[datetime | None, datetime | None]] = {}
    given: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name in TIMES:
        ends: list[datetime | None] = []
        for end in ("from", "to"):
            key = f"{name}_{end}"
            given[key] = clean(args.get(key), 32)
            try:
                ends.append(_instant(given[key], timezone, last=end == "to"))
            except (ValueError, OverflowError):
                problems[key] = _("“{value}” is no day. Write it like 2026-11-21.", value=given[key])
                ends.append(None)
        spans[name] = (ends[0], ends[1])
    sort, ascending = args.get("sort", ""), False
    if sort.endswith(UP):
        sort, ascending = sort.removesuffix(UP), True
    status = args.get("status", "")
    return Wanted(
        texts={name: clean(args.get(name)) for name in TEXTS},
        status=status if status in set(SyncStatus) else "",
        spans=spans,
        given=given,
        sort=sort if _sortable(sort) else "",
        ascending=ascending and _sortable(sort),
        problems=problems,
    )


def _sortable(sort: str) -> bool:
    return sort in (*SORTS, *MOMENTS, *TEXTUAL, "attempts") or REF.fullmatch(sort) is not None


def _instant(text: str, timezone: str | None, *, last: bool) -> datetime | None:
    """A day or a moment in the zone, as an instant; of a last day the end. Raises ValueError, OverflowError."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone))
        day = moment.date()
        if not 1900 <= day.year <= 9000:
            raise ValueError(text) from None
        return moment.astimezone(UTC)
    if not 1900 <= day.year <= 9000:
        raise ValueError(text)
    return datetime.combine(day + timedelta(days=1) if last else day, time(), zone(timezone)).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a list is read: a query that an index serves, its keys, and what is looked for row by row."""

    query: Select[*tuple[Any, ...]]
    keys: tuple[ColumnElement[Any], ...]
    ascending: bool = False
    residual: tuple[ColumnElement[bool], ...] = ()
    sort: str = ""
    cut: bool = False  # more records begin like this than are shown
    short: bool = True  # so few records that they can be sorted by any column
    refused: bool = False  # the order that was asked for needs a shorter list

    @property
    def by_time(self) -> bool:
        return self.sort in ("", "updated", "created", "id")

    def sorts(self, name: str) -> bool:
        """Can the list be sorted by this column?"""
        return self.short or name in SORTS

    @property
    def whole(self) -> Select[*tuple[Any, ...]]:
        """All conditions together, for reading everything."""
        return self.query.where(*self.residual)


def plan(session: Session, fields: Sequence[Any], profile_id: int, asked: Wanted, key_ref: str = "") -> Plan:
    """How the records of a profile are read that are asked for; `key_ref` is the ref that is the target's key as well."""
    record = SyncRecord
    few, looked_for, equalities = _pointed(session, profile_id, asked)
    cut = few is not None and len(few) >= FEW
    words = [says(record.message.expression, text) for text in looked_for]
    times = {name: _within(getattr(record, f"{name}_at"), asked.spans[name]) for name in TIMES if name in asked.spans}
    frequent: list[Equal] = []
    if few is None:
        # a rare value is taken whole, a frequent one is met often enough on the way
        for equal in equalities:
            mine = select(record.id).where(record.profile_id == profile_id, equal.led)
            found = session.scalars(mine.limit(FEW + 1)).all()
            if len(found) <= FEW:
                few = list(found)
                break
            frequent.append(equal)
    led = [record.profile_id == profile_id, *(frequent[0].led for _one in frequent[:1])]
    led += [] if frequent else times.get("updated") or times.get("created") or []
    short = few is not None or at_most(session, select(record.id).where(*led), SORTED_FREELY)
    sort = asked.sort or _natural(asked)
    refused = not short and sort not in SORTS
    if refused:
        sort = _natural(asked)
    keys = _keys(sort, key_ref)
    fields = (*fields, *(key for key in keys if isinstance(key, Label)))
    order: dict[str, Any] = {"ascending": asked.ascending and not refused, "sort": sort}
    order |= {"short": short, "refused": refused}
    everything = (*(one.free for one in equalities), *words, *(one for all in times.values() for one in all))
    if few is not None:
        # "+ 0" keeps the database from walking through the profile instead of taking these few
        query = select(*fields).where(record.profile_id + 0 == profile_id, record.id.in_(few) if few else false())
        return Plan(query=query.where(*everything), keys=keys, cut=cut, **order)
    if short and sort not in ALONG:
        return Plan(query=select(*fields).where(*led, *everything), keys=keys, **order)
    query = select(*fields).where(record.profile_id == profile_id)
    if sort == "number" or (sort == "status" and not asked.status):
        rest = [one for all in times.values() for one in all]
    elif frequent and sort != "updated" and not times.get("created"):
        # the id counts up as records are created, and stands in the indexes of status, customer and cause
        keys = (record.id.expression,)
        query, frequent = query.where(frequent[0].led), frequent[1:]
        rest = [*times.get("updated", ()), *times.get("processed", ())]
    else:
        keys = _keys(sort if sort == "updated" else "created")
        other = "created" if sort == "updated" else "updated"
        query = query.where(*times.get("updated" if sort == "updated" else "created", ()))
        rest = [*times.get(other, ()), *times.get("processed", ())]
        if sort == "updated":  # nothing is created or processed after it was last touched
            starts = [asked.spans[name][0] for name in ("created", "processed") if name in asked.spans]
            query = query.where(*(record.updated_at >= start for start in starts if start))
    residual = (*(one.free for one in frequent), *rest, *words)
    return Plan(query=query, keys=keys, residual=residual, **order)


@dataclass(frozen=True, kw_only=True)
class Equal:
    """A condition that an index serves, and the same in a form that lures no database away from the list's order."""

    led: ColumnElement[bool]
    free: ColumnElement[bool]


def _natural(asked: Wanted) -> str:
    """The order of a list for which none was chosen: that of the days asked for, else what was touched last."""
    if asked.given.get("updated_from") or asked.given.get("updated_to"):
        return "updated"
    if asked.given.get("processed_from") or asked.given.get("processed_to"):
        return "updated"
    if asked.given.get("created_from") or asked.given.get("created_to"):
        return "created"
    return "id" if asked.status else "updated"


def _keys(sort: str, key_ref: str = "") -> tuple[ColumnElement[Any], ...]:
    """What a list is sorted by, the last unique. Nothing of it is ever null: a page goes on behind its last row."""
    record = SyncRecord
    if sort in TEXTUAL:
        return (*_human(getattr(record, sort)), record.id.expression)
    if ref := REF.fullmatch(sort):
        value = record.refs[ref[1]].as_string()
        return (*_human(func.coalesce(value, record.target_id) if ref[1] == key_ref else value), record.id.expression)
    if sort in MOMENTS:
        known = func.coalesce(getattr(record, sort), literal(LONG_AGO, Moment()))
        return (known.label("sorted_time"), record.id.expression)
    plain = {"number": NUMBER, "status": record.status, "attempts": record.attempts, "updated": record.updated_at}
    first = plain.get(sort, record.created_at)
    return (first if isinstance(first, Label) else first.expression, record.id.expression)


def _human(value: Any) -> tuple[ColumnElement[Any], ...]:
    """A text as people sort it: 9 before 10, 19.90 EUR before 100.00 EUR, what is no number before all that is one."""
    text = func.substr(func.coalesce(cast(value, Text), ""), 1, SORTED_CHARACTERS)
    digits = func.length(text) - func.length(func.ltrim(text, "0123456789"))
    return (
        type_coerce(digits, Integer).label("sorted_digits"),
        type_coerce(text, Line(SORTED_CHARACTERS)).label("sorted_text"),
    )


def _within(column: Any, span: tuple[datetime | None, datetime | None]) -> list[ColumnElement[bool]]:
    start, end = span
    return [*([column >= start] if start else []), *([column < end] if end else [])]


def _equal(column: Any, value: str) -> Equal:
    return Equal(led=column == value, free=func.coalesce(column, "") == value)


def _pointed(session: Session, profile_id: int, asked: Wanted) -> tuple[list[int] | None, list[str], list[Equal]]:
    """The few records that a number or an id leads to (None: none was given), the words to look for in messages, and
    the equalities, those first that usually fit fewer."""
    words = [asked.texts["text"]] if asked.texts.get("text") else []
    found: list[list[int]] = []
    equalities: list[Equal] = []
    if cause := asked.texts.get("cause"):
        one = _equal(SyncRecord.cause, cause)
        free = _equal(SyncRecord.status, SyncStatus.FAILED).free & one.free
        equalities.append(Equal(led=FAILED & one.led, free=free))
    if quick := asked.texts.get("q"):
        named = _named(session, profile_id, quick, ("number", "target", "key", "customer", "number like"))
        if named:
            found.append(named)
        else:
            words.append(quick)
    for name, ways in (("order", ("number", "key", "number like")), ("target", ("target", "target like"))):
        if text := asked.texts.get(name):
            found.append(_named(session, profile_id, text, ways))
    if customer := asked.texts.get("customer"):
        if _named(session, profile_id, customer, ("customer",), 1):
            equalities.append(_equal(SyncRecord.customer, customer))
        else:
            found.append(_named(session, profile_id, customer, ("customer like",)))
    if asked.status:
        equalities.append(_equal(SyncRecord.status, asked.status))
    few = sorted(set(found[0]).intersection(*found[1:])) if found else None
    return few, words, equalities


def _named(session: Session, profile_id: int, text: str, ways: Sequence[str], most: int = FEW) -> list[int]:
    """Ids of records with this name, looked up in the first way that finds any; never more than FEW.

    The ids are looked up first: sorted by time at once, a database would rather walk through the whole profile.
    """
    record = SyncRecord
    mine = select(record.id).where(record.profile_id == profile_id)
    anyone = select(record.id).where(record.profile_id + 0 == profile_id)  # by the index of the name alone
    known = {
        "number": anyone.where(record.source_number == text),
        "target": anyone.where(record.target_id == text),
        "key": mine.where(record.source_id == text),
        "customer": mine.where(record.customer == text).order_by(record.id.desc()),
        "number like": anyone.where(starts_with(record.source_number.expression, text)),
        "target like": anyone.where(starts_with(record.target_id.expression, text)),
        "customer like": mine.where(starts_with(record.customer.expression, text)),
    }
    for way in ways:
        if found := session.scalars(known[way].limit(most)).all():
            return list(found)
    return []


def history_plan(session: Session, fields: Sequence[Any], profile_id: int, asked: Wanted) -> Plan:
    """How the history lines of a profile are read that are asked for: by id, which counts up with time."""
    line = SyncHistory
    words = [asked.texts[name] for name in ("text",) if asked.texts.get(name)]
    records: list[int] | None = None
    for name, ways in (("q", ("number", "target", "key")), ("order", ("number", "key", "number like"))):
        if text := asked.texts.get(name):
            found = _named(session, profile_id, text, ways)
            if name == "q" and not found:
                words.append(text)
            else:
                records = found if records is None else [one for one in records if one in set(found)]
    if target := asked.texts.get("target"):
        found = _named(session, profile_id, target, ("target", "target like"))
        records = found if records is None else [one for one in records if one in set(found)]
    conditions = [says(line.message.expression, text) for text in words]
    if asked.status:
        conditions.append(func.coalesce(line.status, "") == asked.status)
    start, end = asked.spans.get("created", (None, None))
    conditions += _within(line.created_at, (start, end))
    keys = (line.id.expression,)
    if records is not None:
        query = select(*fields).where(line.profile_id + 0 == profile_id)
        query = query.where(line.record_id.in_(records) if records else false(), *conditions)
        return Plan(query=query, keys=keys, ascending=asked.ascending, sort="id")
    query = select(*fields).where(line.profile_id == profile_id)
    # lines are written in the order of time, but for those of a few seconds that several writers wrote at once
    slack = timedelta(minutes=1)
    if start and (least := _line_at(session, start - slack)) is not None:
        query = query.where(line.id >= least)
    elif start:
        query = query.where(line.id < 0)
    if end and (most := _line_at(session, end + slack)) is not None:
        query = query.where(line.id <= most)
    return Plan(query=query, keys=keys, ascending=asked.ascending, residual=tuple(conditions), sort="id")


def _line_at(session: Session, moment: datetime) -> int | None:
    """The first line of history from then on; None when there is none yet."""
    line = SyncHistory
    query = select(line.id).where(line.created_at >= moment).order_by(line.created_at, line.status, line.id).limit(1)
    return session.scalar(query)
