"""The door for translations: every text that a person reads on a page passes through here.

`_` for the texts of pages, `later` for those named when modules load, `told` for sentences that were stored (messages
of records, tasks and calls): they stand in the database in English and are translated when shown. The catalogues are
`admin/translations/<language>/LC_MESSAGES/messages.po`; a connector brings its own in its folder, in the same form.
"""

from __future__ import annotations

import re
import sys
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import LazyProxy
from flask import Flask, has_request_context, request
from flask_babel import Babel, get_locale
from flask_login import current_user

from connector import registry

LANGUAGES = {"en": "English", "de": "Deutsch"}
FOLDERS = (Path(__file__).parents[1] / "translations",)
SETTING = "language"  # among a person's preferences, and the cookie of somebody who is not logged in


def register(app: Flask) -> None:
    Babel(app, locale_selector=language)


def language() -> str:
    """The person's choice, else the browser's first that we speak."""
    preferences = getattr(current_user, "preferences", None) or {}
    for chosen in (preferences.get(SETTING), request.cookies.get(SETTING)):
        if chosen in LANGUAGES:
            return str(chosen)
    return request.accept_languages.best_match(LANGUAGES, "en") or "en"


def locale() -> Locale:
    """For numbers and dates; English outside of a request."""
    return (get_locale() if has_request_context() else None) or Locale("en")


def _(text: str, /, **values: object) -> str:
    """The text in the reader's language, with its {places} filled."""
    said = words(locale().language).get(text) or text if text else ""
    return said.format(**values) if values else said


def phrase(text: str, /, **english: str) -> str:
    """A text whose places hold words of the trade: translated as a whole where a catalogue knows it filled ("Order
    synchronisation" is one word in German), else the text and each word for itself."""
    filled = text.format(**english)
    return words(locale().language).get(filled) or _(text, **{name: _(word) for name, word in english.items()})


def n_(one: str, many: str, count: int, /, **values: object) -> str:
    """One of two texts by a count, which both may name as {n}."""
    return _(one if count == 1 else many, n=format_decimal(count, locale=locale()), **values)


def later(text: str, /, **values: object) -> Any:
    """A text named before any reader is known: translated whenever it is shown."""
    return LazyProxy(_, text, enable_cache=False, **values)


def told(sentence: str | None, spoken: str | None = None) -> str:
    """A stored sentence in the reader's language, as far as the catalogue knows its pattern; else as it stands."""
    spoken = spoken or locale().language
    if not sentence or spoken == "en":
        return sentence or ""
    exact = words(spoken).get(sentence)
    if exact:
        return exact
    for pattern, said in _patterns(spoken):
        if found := pattern.fullmatch(sentence):
            return _local(
                said.format(**{name: told(value, spoken) for name, value in found.groupdict().items()}), spoken
            )
    parts = re.split(r"(?<=[.!?:;])\s+", sentence)
    if len(parts) > 1:
        return " ".join(told(part, spoken) for part in parts)
    end = sentence[-1] if sentence[-1] in ".:;" else ""
    pieces = [_piece(piece, spoken) for piece in sentence.removesuffix(end).split(", ")]
    return ", ".join(pieces) + end if all(pieces) else _local(sentence, spoken)


def _piece(piece: str, spoken: str) -> str:
    """A part of a list: "5 failed", "3 items", "payment 300"; empty where nobody translated it."""
    if exact := words(spoken).get(piece):
        return exact
    if found := re.fullmatch(r"(\d+) (.+)", piece):
        count, thing = found.groups()
        if said := _ends(spoken).get(("", thing)):
            return said.format(count)
        return f"{count} {word}" if (word := words(spoken).get(thing)) else ""
    if (found := re.fullmatch(r"(.+) (\S*\d\S*)", piece)) and (said := _ends(spoken).get((found[1], ""))):
        return said.format(found[2])
    return ""


@cache
def _ends(spoken: str) -> dict[tuple[str, str], str]:
    """Short texts that begin or end with their only {place}, by what stands before and after it."""
    found = {}
    for text, said in words(spoken).items():
        if (match := re.fullmatch(r"(?:([^{}]+) )?\{\w+\}(?: ([^{}]+))?", text)) and len(text) < 40:
            found[match[1] or "", match[2] or ""] = re.sub(r"\{\w+\}", "{}", said)
    return found


def _local(text: str, spoken: str) -> str:
    """Days and amounts of money as they are written in that language."""
    text = re.sub(r"\b(\d{4})-(\d\d)-(\d\d)(?= \d\d:\d\d)", lambda day: _day(day, spoken), text)
    return re.sub(
        r"(?<![\d.])\d+\.\d\d(?= [A-Z]{3}\b)",
        lambda amount: format_decimal(Decimal(amount[0]), "#,##0.00", locale=spoken),
        text,
    )


def _day(found: re.Match[str], spoken: str) -> str:
    try:
        return format_date(date(*map(int, found.groups())), "medium", locale=spoken)
    except ValueError:
        return found[0]


@cache
def words(spoken: str) -> dict[str, str]:
    """All translations into a language, the connectors' own included; ours win."""
    found: dict[str, str] = {}
    for folder in (*_connectors(), *FOLDERS):
        file = folder / spoken / "LC_MESSAGES" / "messages.po"
        if file.is_file():
            with file.open("rb") as stream:
                catalogue = read_po(stream, locale=spoken)
            found.update({str(one.id): str(one.string) for one in catalogue if one.id and one.string and not one.fuzzy})
    return found


@cache
def _patterns(spoken: str) -> list[tuple[re.Pattern[str], str]]:
    """Sentences with {places} as patterns, the most telling first."""
    place = re.compile(r"\\\{(\w+)\\\}")
    known = [(text, said) for text, said in words(spoken).items() if re.search(r"\{\w+\}", text)]
    made = []
    for text, said in sorted(known, key=lambda one: -len(re.sub(r"\{\w+\}", "", one[0]))):
        names: set[str] = set()

        def group(found: re.Match[str], names: set[str] = names) -> str:
            if found[1] in names:
                return f"(?P={found[1]})"
            names.add(found[1])
            return f"(?P<{found[1]}>.+?)"

        fixed = re.sub(r"\{\w+\}", "", text)
        if len(fixed.strip(" .:,;'\"()")) >= 6:  # "{n} min" would match anything
            made.append((re.compile(place.sub(group, re.escape(text)), re.DOTALL), said))
    return made


def _connectors() -> list[Path]:
    modules = [sys.modules[one.connector.__module__] for one in registry.plugins().values() if one.connector]
    return [Path(one.__file__).parent / "translations" for one in modules if one.__file__]


# what a run says of itself at its end, in parts
_OF_RUNS = (
    later("nothing to do"),
    later("First reason:"),
    later("Before that:"),
    later("The plan:"),
    later("Dry run, nothing was sent:"),
)
