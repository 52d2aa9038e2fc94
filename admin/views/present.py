"""How values look: times, durations, statuses. Registered as template filters."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_skeleton, format_timedelta
from babel.numbers import format_decimal
from flask import Flask, current_app, url_for
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from admin.views.listing import here, route
from admin.views.words import _, later, locale, n_, told, zone_here
from profiles.db import now
from profiles.history import KINDS
from profiles.secrets import redact_text

# the words of the statuses, for the translators
_WORDS = (later("complete"), later("updated"), later("pending"), later("processing"), later("skipped"), later("failed"))
_WORDS += (later("error"), later("missed"), later("success"))
_WORDS += (later("delivery"), later("return"), later("credit note"), later("event procedure"))

# status → (icon of icons.svg, tone of app.css)
STATUSES = {
    "complete": ("check", "good"),
    "success": ("check", "good"),
    "updated": ("pen", "info"),
    "pending": ("clock", "quiet"),
    "processing": ("spin", "busy"),
    "skipped": ("skip", "quiet"),
    "missed": ("missed", "warn"),
    "failed": ("cross", "bad"),
    "error": ("cross", "bad"),
}
# what belongs to a record of the same entity (`SyncRecord.kind`)
RELATIVE_FOR = 36 * 3600  # seconds; older times are shown as a date


def zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def dated(value: datetime, timezone: str | None = None, *, seconds: bool = False) -> str:
    """A time in a zone as its reader writes it: "21 Nov 2026, 07:56" or "21. Nov. 2026, 07:56"."""
    local = value.astimezone(zone(timezone))
    return f"{_day(local.date(), str(locale()))}, {local:{'%H:%M:%S' if seconds else '%H:%M'}}"


@functools.lru_cache(1024)
def _day(day: date, language: str) -> str:
    """Lists say the same few days again and again, and Babel takes its time."""
    return str(format_skeleton("yMMMd", day, locale=language))


def exact(value: datetime, timezone: str | None = None) -> str:
    return f"{dated(value, timezone, seconds=True)} {timezone or 'UTC'}"


def when(value: datetime | None, timezone: str | None = None) -> Markup:
    """A time as people read it: "5 min. ago", older ones by date in the given zone, or in that of most profiles; exact in
    that zone and UTC on hover.

    The text is kept fresh by app.js.
    """
    if value is None:
        return Markup('<span class="absent">–</span>')
    timezone = timezone or zone_here()
    title = exact(value)
    if timezone and timezone != "UTC":
        title = f"{exact(value, timezone)}\n{title}"
    date = dated(value, timezone)
    return Markup('<time datetime="{}" data-date="{}" title="{}">{}</time>').format(
        f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", date, title, relative(value, date)
    )


def relative(value: datetime, otherwise: str) -> str:
    away = value - now()
    if abs(away.total_seconds()) >= RELATIVE_FOR:
        return otherwise
    if timedelta(seconds=-45) < away < timedelta(seconds=45):
        return _("just now") if away <= timedelta() else _("in a moment")
    said = format_timedelta(
        away, granularity="minute", threshold=1.5, add_direction=True, format="short", locale=locale()
    )
    return str(said)


def lasting(seconds: float | None) -> str:
    """A duration: "85 ms", "3.2 s", "4 min 10 s"."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{number(round(seconds, 1))} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def between(start: datetime | None, end: datetime | None) -> str:
    return lasting((end - start).total_seconds()) if start and end else "–"


def chip(status: str | None) -> Markup:
    """A status with icon, word and colour; never colour alone."""
    picture, tone = STATUSES.get(status or "", ("dot", "quiet"))
    return Markup('<span class="chip {}">{}{}</span>').format(tone, icon(picture), _(status) if status else "–")


def kind(code: str | None) -> str:
    """What a record is, beside the one that it belongs to; empty where it is itself that one."""
    return _(KINDS.get(code, code)) if code else ""


def undummied(text: str) -> str:
    """What a plan says, without the ids that stand for those which the target would give."""
    return re.sub(r" ?\bdry-\d+\b", "", text)


def icon(name: str) -> Markup:
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(asset("icons.svg"), name)


@functools.cache
def _mark(name: str) -> str:
    content = (Path(current_app.static_folder or "") / name).read_bytes()
    return hashlib.sha256(content).hexdigest()[:10]


def asset(name: str) -> str:
    """The address of a static file, changing with its content so that browsers may keep it for a year."""
    return url_for("static", filename=name, v=_mark(name))


def call_status(status: int | None) -> Markup:
    """The HTTP status of a remote call; None: no answer came."""
    if status is None:
        return Markup('<span class="chip bad">{}{}</span>').format(icon("cross"), _("no answer"))
    tone = "good" if status < 300 else "warn" if status < 400 or status == 429 else "bad"
    return Markup('<span class="chip {}">{}{}</span>').format(
        tone, icon("check" if tone == "good" else "cross"), status
    )


def body(text: str | None) -> str:
    """A recorded body: redacted once more, JSON laid out for reading."""
    if not text:
        return ""
    clean = redact_text(text)
    try:
        return json.dumps(json.loads(clean), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return clean


def readable(path: str) -> str:
    """The path and query of a call without their percent signs, for reading: [field]=updated_at, not %5Bfield%5D=…."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in unquote(path, errors="replace"))


def number(value: int | float | Decimal) -> str:
    """In the reader's way of writing numbers: 1,234.5 or 1.234,5."""
    return str(format_decimal(value, locale=locale()))


def marked(text: Any, timezone: str | None = None, near: datetime | None = None) -> Markup:
    """A message in a cell, which opens on a click where it is long; with times in UTC on hover."""
    if not text:
        return Markup("")
    said, exactly = told(str(text), zone=timezone, near=near), told(str(text), zone="UTC")
    return Markup('<span class="message" title="{}">{}</span>').format(exactly, said)


@pass_context
def _chip(context: Context, status: str | None) -> Markup:
    """For templates. The context keeps Jinja from drawing a constant status once and for all, in its first reader's
    language."""
    return chip(status)


def register(app: Flask) -> None:
    app.jinja_env.filters.update(
        when=when,
        lasting=lasting,
        chip=_chip,
        exact=exact,
        dated=dated,
        kind=kind,
        undummied=undummied,
        call_status=call_status,
        body=body,
        readable=readable,
        message=marked,
        number=number,
        told=told,
    )
    app.jinja_env.globals.update(
        _=_, n_=n_, locale=locale, zone_here=zone_here, icon=icon, between=between, asset=asset, here=here, route=route
    )
