"""Lists as CSV: streamed in pieces, safe to open in a spreadsheet, in the reader's way of writing."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response

from admin.views.listing import Column
from admin.views.present import zone
from admin.views.words import locale, told, words
from profiles.db import now
from profiles.history import KINDS

BOM = "\ufeff"  # without it Excel takes UTF-8 for something else
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def separator() -> str:
    """What spreadsheets of the reader's country expect: a semicolon where the comma stands in numbers."""
    symbols = locale().number_symbols
    decimal = (symbols.get("latn") or symbols).get("decimal", ".")
    return ";" if decimal == "," else ","


def harmless(value: Any) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_of(
    name: str, columns: Sequence[Column], pieces: Iterable[Sequence[Mapping[str, Any]]], timezone: str | None
) -> Response:
    """The download. `pieces` are read while it is sent: memory does not grow with the list."""
    place = zone(timezone)
    # All that needs the request is asked for now: the pieces are sent when it is over.
    heads = [harmless(f"{one.label} ({place.key})" if one.kind == "time" else one.label) for one in columns]
    content = _text(heads, columns, pieces, place, separator(), locale().language)
    answer = Response(content, mimetype="text/csv")
    file = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-") or "list"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}-{now():%Y-%m-%d}.csv"'
    return answer


def _text(
    heads: Sequence[str],
    columns: Sequence[Column],
    pieces: Iterable[Sequence[Mapping[str, Any]]],
    place: ZoneInfo,
    delimiter: str,
    spoken: str,
) -> Iterator[str]:
    def cell(column: Column, row: Mapping[str, Any]) -> str:
        value = row.get(column.key)
        if value is None:
            return ""
        if isinstance(value, datetime):
            return f"{value.astimezone(place):%Y-%m-%d %H:%M:%S}"
        if column.kind == "kind":
            value = KINDS.get(value, value)
            return words(spoken).get(value) or harmless(value)
        if column.kind in ("status", "word"):
            return words(spoken).get(value) or harmless(value)
        return harmless(told(value, spoken) if column.kind == "message" else value)

    sheet = io.StringIO()
    writer = csv.writer(sheet, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(heads)
    yield BOM + _taken(sheet)
    for rows in pieces:
        writer.writerows([cell(column, row) for column in columns] for row in rows)
        yield _taken(sheet)


def _taken(sheet: io.StringIO) -> str:
    text = sheet.getvalue()
    sheet.seek(0)
    sheet.truncate()
    return text
