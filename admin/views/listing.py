"""Long lists: pages by key, never by OFFSET, and a count that stops early: a million rows are as quick as ten."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import request, url_for
from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from profiles.models import Moment

PAGE_SIZE = 50
MOST_COUNTED = 10_000
FILTERS = ("q", "status", "cause", "connection", "reference", "result", "scope", "kind")
SCANNED = 50_000  # a search without an index looks at so many of the newest rows


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a list: `key` of the row's value, the heading, and how it looks (see cells.html)."""

    key: str
    label: str
    kind: str = "text"


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One page of a list, newest first."""

    rows: Sequence[Mapping[str, Any]]
    count: str
    newer: str | None  # addresses of the neighbouring pages
    older: str | None


def fetch(
    session: Session, query: Select[*tuple[Any, ...]], keys: Sequence[ColumnElement[Any]], size: int = PAGE_SIZE
) -> Listing:
    """The page that the request asks for (`before` or `after` a key), sorted by `keys` descending, the last unique.

    `query` selects labelled columns, the keys' names among them.
    """
    before, after = _cursor("before", keys), _cursor("after", keys)
    page = query
    if before:
        page = query.where(_beyond(keys, before, older=True))
    elif after:
        page = query.where(_beyond(keys, after, older=False))
    backwards = after is not None and before is None
    order = [key.asc() if backwards else key.desc() for key in keys]
    found = [dict(row) for row in session.execute(page.order_by(*order).limit(size + 1)).mappings()]
    more = len(found) > size
    rows = found[:size]
    if backwards:
        rows.reverse()
    has_newer = (more if backwards else before is not None) and bool(rows)
    has_older = (True if backwards else more) and bool(rows)
    return Listing(
        rows=rows,
        count=counted(session, query),
        newer=here(after=_pack(rows[0], keys)) if has_newer else None,
        older=here(before=_pack(rows[-1], keys)) if has_older else None,
    )


def counted(session: Session, query: Select[*tuple[Any, ...]]) -> str:
    """How many rows there are, as people read it; counting stops after MOST_COUNTED."""
    capped = query.order_by(None).limit(MOST_COUNTED + 1).subquery()
    count = session.scalar(select(func.count()).select_from(capped)) or 0
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


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


def starts_with(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Column begins with the text, as a range that an ordinary index serves."""
    return and_(column >= text, column < text[:-1] + chr(min(ord(text[-1]) + 1, 0x10FFFF)))


def _beyond(keys: Sequence[ColumnElement[Any]], values: Sequence[Any], *, older: bool) -> ColumnElement[bool]:
    first, value = keys[0], values[0]
    strict: ColumnElement[bool] = first < value if older else first > value
    if len(keys) == 1:
        return strict
    loose: ColumnElement[bool] = first <= value if older else first >= value
    return and_(loose, or_(strict, _beyond(keys[1:], values[1:], older=older)))


def _pack(row: Mapping[str, Any], keys: Sequence[ColumnElement[Any]]) -> str:
    values = [row[key.key or ""] for key in keys]
    plain = [{"t": value.isoformat()} if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps(plain).encode()).decode().rstrip("=")


def _cursor(name: str, keys: Sequence[ColumnElement[Any]]) -> list[Any] | None:
    """The key in the address; None when there is none, or none that can be read."""
    given = request.args.get(name)
    if not given:
        return None
    try:
        plain = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        return [_value(key, one) for key, one in zip(keys, plain, strict=True)]
    except (ValueError, TypeError, KeyError):
        return None


def _value(key: ColumnElement[Any], given: Any) -> Any:
    if isinstance(key.type, Moment):
        moment = datetime.fromisoformat(given["t"])
        if moment.tzinfo is None:
            raise ValueError(given)
        return moment
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) >= 2**63:
        raise ValueError(given)
    return given


def here(**changes: str | None) -> str:
    """The address of the page that is shown, its filters kept but for the changes; a cursor is kept only if given."""
    return _address("index" if request.path.endswith(".json") else None, **changes)


def route(name: str) -> str:
    """The address of another route of the view that is shown, for the same filters and the same page of the list."""
    return _address(name, before=request.args.get("before"), after=request.args.get("after"))


def _address(name: str | None = None, **changes: str | None) -> str:
    """Only known filters are taken over: a foreign key of the query string must not steer the address."""
    endpoint = f"{request.blueprint}.{name}" if name else request.endpoint or ""
    kept = {key: request.args.get(key) for key in FILTERS}
    values: dict[str, Any] = {key: value for key, value in {**kept, **changes}.items() if value}
    return url_for(endpoint, **values, **(request.view_args or {}))
