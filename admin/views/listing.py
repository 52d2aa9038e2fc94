"""Long lists: pages by key, never by OFFSET, and a count that stops early: a million rows are as quick as ten."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from babel.numbers import format_decimal
from flask import request, url_for
from sqlalchemy import ColumnElement, Select, String, and_, func, literal_column, or_, select
from sqlalchemy.orm import Session

from admin.views import words
from profiles.db import Database
from profiles.models import Line, Moment

PAGE_SIZE = 50
MOST_COUNTED = 10_000
FILTERS: tuple[str, ...] = ("q", "status", "cause", "connection", "reference", "result", "scope", "kind")
FILTERS += ("order", "customer", "target", "text", "sort", "columns", "view", "profile", "dir", "deep", "live", "task")
FILTERS += (
    "created_from",
    "created_to",
    "updated_from",
    "updated_to",
    "processed_from",
    "processed_to",
    "since",
    "until",
)
FILTERS += ("identifier", "path", "level", "method", "error")
FILTERS += ("person", "action", "since", "until")
LONGEST_CURSOR = 1000
SCANNED = 50_000  # a search without an index looks at so many of the newest rows
LOOKED_AT, LOOKED_AT_FURTHER = 4_000, 100_000  # so many rows does one page of `fetch` with `residual` look at


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a list: `key` of the row's value, the heading, and how it looks (see cells.html)."""

    key: str
    label: str
    kind: str = "text"
    sort: str = ""  # the list can be sorted by it under this name


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of a list, newest first unless asked otherwise.

    `looked_at`: a condition had to be looked for row by row, in so many rows; `older` then goes on from there.
    """

    rows: Sequence[Mapping[str, Any]]
    count: str
    newer: str | None  # addresses of the neighbouring pages
    older: str | None
    looked_at: int | None = None
    first: str | None = None  # the address of the first page, where another one is shown


def fetch(
    session: Session,
    query: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any]],
    size: int = PAGE_SIZE,
    *,
    ascending: bool = False,
    residual: Sequence[ColumnElement[bool]] = (),
) -> Listing:
    """The page that the request asks for (`before` or `after` a key), sorted by `keys` descending, the last unique.

    `query` selects labelled columns, the keys' names among them; an index should serve its conditions and `keys`.
    `residual` are conditions that no index serves: they are looked for in the next LOOKED_AT rows only, so that a page
    takes the same time however many rows there are; where they fill no page, the next one goes on from there.
    """
    before, after = _cursor("before", keys), _cursor("after", keys)
    backwards = after is not None and before is None
    down = ascending is backwards  # towards smaller keys
    cursor = after if backwards else before
    page = query.where(_beyond(keys, cursor, older=down)) if cursor else query
    order = [key.desc() if down else key.asc() for key in keys]
    edge, looked_at = None, None
    if residual:
        looked_at = LOOKED_AT_FURTHER if request.args.get("deep") == "1" else LOOKED_AT
        edge = _edge(session, page, keys, order, looked_at, down=down)
        page = page.where(*residual)
        if edge:
            page = page.where(_not_beyond(keys, edge, older=down))
    found = [dict(row) for row in session.execute(page.order_by(*order).limit(size + 1)).mappings()]
    more = len(found) > size
    rows = found[:size]
    if backwards:
        rows.reverse()
    further = {"deep": "1"} if edge and not more else {}
    onwards = _pack(dict(zip((key.key or "" for key in keys), edge, strict=True)), keys) if further and edge else None
    last, first = (_pack(rows[-1], keys), _pack(rows[0], keys)) if rows else (None, None)
    has_newer = (more if backwards else before is not None) and bool(rows)
    has_older = (True if backwards else more) and bool(rows)
    newer = here(after=first) if has_newer else here(after=onwards, **further) if backwards and further else None
    older = here(before=last) if has_older else here(before=onwards, **further) if further and not backwards else None
    return Listing(
        rows=rows,
        count="" if residual else counted(session, query),
        newer=newer,
        older=older,
        looked_at=looked_at if edge else None,
        first=here(deep=None) if cursor else None,
    )


def counted(session: Session, query: Select[*tuple[Any, ...]]) -> str:
    """How many rows there are, as people read it; counting stops after MOST_COUNTED."""
    bare = query.with_only_columns(literal_column("1"), maintain_column_froms=True)
    capped = bare.order_by(None).limit(MOST_COUNTED + 1).subquery()
    count = session.scalar(select(func.count()).select_from(capped)) or 0
    shown = str(format_decimal(min(count, MOST_COUNTED), locale=words.locale()))
    return f"{shown}+" if count > MOST_COUNTED else shown


def at_most(session: Session, query: Select[*tuple[Any, ...]], most: int) -> bool:
    """Has the query no more rows than that? It stops looking when it knows."""
    capped = query.with_only_columns(literal_column("1"), maintain_column_froms=True).limit(most + 1).subquery()
    return (session.scalar(select(func.count()).select_from(capped)) or 0) <= most


def walk(
    database: Database,
    query: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any]],
    *,
    ascending: bool = False,
    size: int = 1000,
) -> Iterator[list[Mapping[str, Any]]]:
    """All rows in pieces, each in a short transaction of its own: memory stays flat and writers are never held up."""
    order = [key.asc() if ascending else key.desc() for key in keys]
    names = [key.key or "" for key in keys]
    last: list[Any] | None = None
    while True:
        page = query.where(_beyond(keys, last, older=not ascending)) if last else query
        with database.reading() as session:
            rows: list[Mapping[str, Any]] = list(session.execute(page.order_by(*order).limit(size)).mappings())
        if rows:
            last = [rows[-1][name] for name in names]
            yield rows
        if len(rows) < size:
            return


def clean(text: str | None, longest: int = 128) -> str:
    """A text of the query string that any database takes."""
    return (text or "").replace("\x00", "").strip()[:longest]


def newest_only(session: Session, query: Select[*tuple[Any, ...]], key: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """The query bounded to its newest SCANNED rows: for conditions that no index serves."""
    ids = query.with_only_columns(key.label("k"), maintain_column_froms=True).order_by(key.desc()).limit(SCANNED)
    ids_found = ids.subquery()
    least = session.scalar(select(func.min(ids_found.c.k)))
    return query if least is None else query.where(key >= least)


def like(text: str) -> str:
    """A LIKE pattern for "contains", to be used with escape="!"."""
    for sign in "!%_":
        text = text.replace(sign, f"!{sign}")
    return f"%{text}%"


def says(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """A stored message holds the text, or is shown with it in the reader's language."""
    patterns = ["%".join(["", *(like(part)[1:-1] for part in parts), ""]) for parts in words.stored_as(text)]
    return or_(*(column.ilike(pattern, escape="!") for pattern in (like(text), *patterns)))


def starts_with(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Column begins with the text, as a range that an ordinary index serves."""
    following = ord(text[-1]) + 1
    if 0xD800 <= following <= 0xDFFF:  # no characters: databases refuse them
        following = 0xE000
    return and_(column >= text, column < text[:-1] + chr(min(following, 0x10FFFF)))


def _beyond(keys: Sequence[ColumnElement[Any]], values: Sequence[Any], *, older: bool) -> ColumnElement[bool]:
    first, value = keys[0], values[0]
    strict: ColumnElement[bool] = first < value if older else first > value
    if len(keys) == 1:
        return strict
    loose: ColumnElement[bool] = first <= value if older else first >= value
    return and_(loose, or_(strict, _beyond(keys[1:], values[1:], older=older)))


def _not_beyond(keys: Sequence[ColumnElement[Any]], edge: Sequence[Any], *, older: bool) -> ColumnElement[bool]:
    """Up to and including the edge, for a list that is read in that direction."""
    first, value = keys[0], edge[0]
    loose: ColumnElement[bool] = first >= value if older else first <= value
    if len(keys) == 1:
        return loose
    strict: ColumnElement[bool] = first > value if older else first < value
    return and_(loose, or_(strict, _not_beyond(keys[1:], edge[1:], older=older)))


def _edge(
    session: Session,
    page: Select[*tuple[Any, ...]],
    keys: Sequence[ColumnElement[Any]],
    order: Sequence[ColumnElement[Any]],
    limit: int,
    *,
    down: bool,
) -> list[Any] | None:
    """The keys of the last of the next `limit` rows; None when there are fewer. Read from the index alone."""
    bare = page.with_only_columns(*keys, maintain_column_froms=True).order_by(*order).limit(limit).subquery()
    furthest = func.min if down else func.max
    edge: list[Any] = []
    for key in keys:
        column = bare.c[key.key or ""]
        said = select(func.count(), furthest(column, type_=key.type)).where(
            *(bare.c[known.key or ""] == value for known, value in zip(keys, edge, strict=False))
        )
        count, value = session.execute(said).one()
        if not edge and count < limit:
            return None
        edge.append(value)
    return edge


def _pack(row: Mapping[str, Any], keys: Sequence[ColumnElement[Any]]) -> str:
    values = [row[key.key or ""] for key in keys]
    plain = [{"t": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _cursor(name: str, keys: Sequence[ColumnElement[Any]]) -> list[Any] | None:
    """The key in the address; None when there is none, or none that can be read."""
    given = request.args.get(name)
    if not given or len(given) > LONGEST_CURSOR:
        return None
    try:
        plain = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        return [_value(key, one) for key, one in zip(keys, plain, strict=True)]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None


def _value(key: ColumnElement[Any], given: Any) -> Any:
    if isinstance(key.type, Moment):
        moment = datetime.fromisoformat(given["t"])
        if moment.tzinfo is None:
            raise ValueError(given)
        return moment.astimezone(UTC)
    if isinstance(key.type, Line | String):
        if not isinstance(given, str) or "\x00" in given:
            raise ValueError(given)
        given.encode()
        return given
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= 2**63:
        raise ValueError(given)
    return given


def here(**changes: str | None) -> str:
    """The address of the page that is shown, its filters kept but for the changes; a cursor is kept only if given."""
    elsewhere = request.path.endswith(".json") or request.method == "POST"
    return _address("index" if elsewhere else None, **changes)


def route(name: str) -> str:
    """The address of another route of the view that is shown, for the same filters and the same page of the list."""
    return _address(name, before=request.args.get("before"), after=request.args.get("after"))


def _address(name: str | None = None, **changes: str | None) -> str:
    """Only known filters are taken over: a foreign key of the query string must not steer the address."""
    endpoint = f"{request.blueprint}.{name}" if name else request.endpoint or ""
    kept = {key: request.args.get(key) for key in FILTERS}
    values: dict[str, Any] = {key: value for key, value in {**kept, **changes}.items() if value}
    return url_for(endpoint, **values, **(request.view_args or {}))
