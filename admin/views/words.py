"""The door for translations: every text that a person reads on a page passes through here.

`_` for the texts of pages, `later` for those named when modules load, `told` for sentences that were stored (messages
of records, tasks and calls): they stand in the database in English and are translated when shown. The catalogues are
`admin/translations/<language>/LC_MESSAGES/messages.po`; a connector brings its own in its folder, in the same form.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import LazyProxy
from flask import Flask, current_app, g, has_request_context, request
from flask_babel import Babel, get_locale
from flask_login import current_user

from connector import registry

LANGUAGES = {"en": "English", "de": "Deutsch"}
FOLDERS = (Path(__file__).parents[1] / "translations",)
FEW_PIECES = 8  # of a stored text; of a longer one, patterns are looked for over so many at most:
WIDEST = 5
PLAIN = re.compile(r"(?<![\w/.'-])[a-z]{2,}(?![\w/:'])")  # a word of prose, not a code or a path
STAMP = re.compile(r"(?<![\d:T-])(\d{4}-\d\d-\d\d )?(\d\d:\d\d(?::\d\d)?) (\(?)UTC\b")
LEAST_TELLING, SHORT = 6, 12  # fixed letters of a pattern
LEAST_SOUGHT, MOST_SOUGHT = 3, 40  # letters of what is looked for in messages, sentences that may be meant
SETTING = "language"  # among a person's preferences, and the cookie of somebody who is not logged in


@dataclass(frozen=True, kw_only=True)
class Own:
    """What people named (profiles, connections, event procedures), and the zone that most of their profiles are in."""

    names: Sequence[str] = ()
    zone: str = "UTC"


def register(app: Flask, own: Callable[[], Own] = Own) -> None:
    Babel(app, locale_selector=language)
    app.extensions["own"] = own


def _own() -> Own:
    """Asked once per request."""
    if not has_request_context() or "own" not in current_app.extensions:
        return Own()
    if "own" not in g:
        g.own = current_app.extensions["own"]()
    return cast(Own, g.own)


def zone_here() -> str:
    """Of the profile whose page it is, else of most of them."""
    return g.get("zone") or _own().zone if has_request_context() else "UTC"


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


def told(
    sentence: str | None, spoken: str | None = None, *, zone: str | None = None, near: datetime | None = None
) -> str:
    """A stored sentence in the reader's language, as far as the catalogue knows its pattern; else as it stands.

    Times that it says in UTC are those of the zone; one without a day is `near` that moment (now).
    """
    if not sentence:
        return ""
    spoken = spoken or locale().language
    place = zone or zone_here()
    if spoken == "en":
        return _zoned(sentence, place, near)
    return _local(_zoned(_translated(sentence, spoken), place, near), spoken)


def _translated(sentence: str, spoken: str) -> str:
    """Names that people gave stay what they are, also where they would mean something in the catalogue ("Order import"):
    they are hidden from it, unless the sentence then makes less sense (a profile may be called "Order")."""
    best, left = _best(sentence, spoken)
    hidden: dict[str, str] = {}
    masked = sentence
    for name in sorted((one for one in _own().names if _best(one, spoken)[0] != one), key=len, reverse=True):
        mark = f"\ue000{chr(0xE100 + len(hidden))}"
        masked, found = re.subn(rf"(?<!\w){re.escape(name)}(?!\w)", mark, masked)
        if found:
            hidden[mark] = name
    if not hidden:
        return best
    kept, unsaid = _best(masked, spoken)
    if unsaid > left:
        return best
    for mark, name in hidden.items():
        kept = kept.replace(mark, name)
    return kept


def _zoned(text: str, zone: str, near: datetime | None) -> str:
    if zone == "UTC" or "UTC" not in text:
        return text
    place, day = ZoneInfo(zone), (near or datetime.now(UTC)).astimezone(UTC).date()

    def moved(found: re.Match[str]) -> str:
        try:
            at = datetime.fromisoformat(f"{found[1] or f'{day} '}{found[2]}+00:00").astimezone(place)
        except ValueError:
            return found[0]
        date = f"{at:%Y-%m-%d} " if found[1] else ""
        return f"{date}{at:{'%H:%M:%S' if len(found[2]) > 5 else '%H:%M'}} {found[3]}{zone}"

    return STAMP.sub(moved, text)


def stored_as(text: str, spoken: str | None = None) -> list[list[str]]:
    """The stored sentences whose translation holds these words, each as the parts between its {places}: who looks for
    words that a page shows looks for what stands in the database."""
    spoken = spoken or locale().language
    wanted = text.strip().lower()
    if spoken == "en" or len(wanted) < LEAST_SOUGHT:
        return []
    found = [
        [part for part in re.split(r"\{\w+\}", english) if part]
        for english, said in words(spoken).items()
        if any(wanted in part.lower() for part in re.split(r"\{\w+\}", said))
    ]
    telling = [parts for parts in found if sum(len(part.strip()) for part in parts) >= LEAST_TELLING]
    return telling[:MOST_SOUGHT]


@lru_cache(8192)
def _best(text: str, spoken: str) -> tuple[str, int]:
    """The translation that leaves the fewest letters as they were, and how many it leaves: sentences are told within
    sentences ("Before that: …"), and many a pattern would fit over their borders."""
    parts = re.split(r"((?<=[.!?:;])\s+)", text)
    pieces, gaps = parts[::2], [*parts[1::2], ""]
    widest = len(pieces) if len(pieces) <= FEW_PIECES else WIDEST
    # of everything up to a piece: (letters left, fewer is better; pieces, more are better; translation)
    known: list[tuple[int, int, str]] = [(0, 0, "")]
    for end in range(1, len(pieces) + 1):
        ways = []
        for start in range(max(0, end - widest), end):
            span = "".join(piece + gap for piece, gap in zip(pieces[start:end], gaps[start:end], strict=True))
            said, left = _whole(span.rstrip() if end < len(pieces) else span, spoken)
            before = known[start]
            ways.append(
                (before[0] + left, before[1] - 1, before[2] + said + (gaps[end - 1] if end < len(pieces) else ""))
            )
        known.append(min(ways))
    return known[-1][2], known[-1][0]


@lru_cache(8192)
def _whole(text: str, spoken: str) -> tuple[str, int]:
    """The translation of what is one sentence or a part of one, and how many letters it leaves as they were."""
    bare, end = (text[:-1], text[-1]) if text[-1:] in (".", ";") else (text, "")
    if exact := _exact(spoken).get(text) or _exact(spoken).get(bare):
        return exact.rstrip(".") + end if end == "." else exact, 0
    ways = [(letters(text), 0, text)]
    for pattern in _patterns(spoken):
        if pattern.mark in bare and (found := pattern.form.fullmatch(bare)):
            values, left = _told_values(pattern, found.groupdict(), spoken)
            if values is not None:
                ways.append((left, -len(pattern.mark), pattern.said.format(**values) + end))
    colon = ":" if bare.endswith(":") else ""
    said = [_piece(piece, spoken) for piece in bare.removesuffix(colon).split(", ")]
    if all(said):
        ways.append((0, 0, ", ".join(said) + colon + end))
    if brackets := re.fullmatch(r"(.+?) \((.+)\)", bare, re.DOTALL):
        (outer, outside), (inner, inside) = (_best(part, spoken) for part in brackets.groups())
        ways.append((outside + inside, 0, f"{outer} ({inner}){end}"))
    left, _mark, best = min(ways)
    return best, left


def _told_values(pattern: Pattern, found: Mapping[str, str], spoken: str) -> tuple[dict[str, str] | None, int]:
    """What stands in the places of a pattern; None where it says so little that it means something else."""
    values, sum_left = {}, 0
    for name, value in found.items():
        said, left = (value, letters(value) if "; " in value else 0) if name in pattern.quoted else _best(value, spoken)
        if name == "worker":  # "shop-host · process 7"
            left = 0
        if pattern.short and left and name != pattern.speech and PLAIN.search(value):
            return None, 0  # "payment method …" is no payment
        values[name] = said
        sum_left += left + (re.search(r"[.!?]\s", value) is not None)  # rather no sentence within a place
    return values, sum_left


def letters(text: str) -> int:
    """How much of a text could be prose that was not translated; numbers, codes and paths are as they are."""
    return sum(len(word) for word in re.findall(r"(?<![\w/.'-])[A-Za-z][a-z]+(?![\w/])", text))


def _piece(piece: str, spoken: str) -> str:
    """A part of a list: "5 failed", "3 items", "payment 300", "payment 300 approved"; empty where nobody translated it."""
    if exact := _exact(spoken).get(piece):
        return exact
    if found := re.fullmatch(r"(\d+) (.+)", piece):
        count, thing = found.groups()
        if said := _ends(spoken).get(("", thing)):
            return said.format(count)
        return f"{count} {word}" if (word := words(spoken).get(thing)) else ""
    if (found := re.fullmatch(r"(.+) (\S*\d\S*)", piece)) and (said := _ends(spoken).get((found[1], ""))):
        return said.format(found[2])
    if (found := re.fullmatch(r"(status) (\w+)( .+)?", piece)) and (  # of a system: its code is as it is
        said := _ends(spoken).get((found[1], (found[3] or "").strip()))
    ):
        return said.format(found[2])
    if (found := re.fullmatch(r"(.+?) (\S*\d\S*) (.+)", piece)) and (said := _ends(spoken).get((found[1], found[3]))):
        return said.format(found[2])
    for pattern in _patterns(spoken):  # "tracking number 7 added to shipment 3"
        if pattern.mark in piece and (match := pattern.form.fullmatch(piece)):
            values, left = _told_values(pattern, match.groupdict(), spoken)
            if values is not None and not left:
                return pattern.said.format(**values)
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
def _exact(spoken: str) -> dict[str, str]:
    """By the text, and by the text without the blanks and the full stop around it."""
    found = {text.strip().removesuffix("."): said.strip().removesuffix(".") for text, said in words(spoken).items()}
    return {**found, **words(spoken)}


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """A text with {places}, to be found again in what was stored."""

    form: re.Pattern[str]
    mark: str  # its longest fixed part: looking for that first is quick
    said: str
    short: bool  # few letters: what stands in its places must be translated, or look like a number or a code
    speech: str  # the place behind a colon at the end: what somebody else said
    quoted: frozenset[str]  # places whose values are codes of a system or names of people, never words of ours


@cache
def _patterns(spoken: str) -> tuple[Pattern, ...]:
    """Texts with {places} as patterns."""
    made = []
    for text, said in words(spoken).items():
        text, said = text.strip().removesuffix("."), said.strip().removesuffix(".")
        fixed = re.split(r"\{\w+\}", text)
        telling = sum(len(part.strip(" .:,;'\"()")) for part in fixed)
        if len(fixed) == 1 or telling < LEAST_TELLING:  # "{n} min" would match anything
            continue
        names: set[str] = set()
        quoted = frozenset(re.findall(r"['“]\{(\w+)\}['”]", text))

        def group(found: re.Match[str], names: set[str] = names, quoted: frozenset[str] = quoted) -> str:
            if found[1] in names:
                return f"(?P={found[1]})"
            names.add(found[1])
            return f"(?P<{found[1]}>.{'*' if found[1] in quoted else '+'}?)"  # between quotes may stand nothing

        form = re.compile(re.sub(r"\\\{(\w+)\\\}", group, re.escape(text)), re.DOTALL)
        made.append(
            Pattern(
                form=form,
                mark=max(fixed, key=len),
                said=said,
                short=telling < SHORT,
                speech=last[1] if (last := re.search(r": \{(\w+)\}$", text)) else "",
                quoted=quoted | (names & {"person", "change"}),
            )
        )
    return tuple(made)


def _connectors() -> list[Path]:
    modules = [sys.modules[one.connector.__module__] for one in registry.plugins().values() if one.connector]
    return [Path(one.__file__).parent / "translations" for one in modules if one.__file__]


# what systems say was done, in one word
_DONE = (later("cancelled"),)
# what a run says of itself at its end, in parts
_OF_RUNS = (
    later("nothing to do"),
    later("up to date"),
    later("First reason:"),
    later("Before that:"),
    later("The plan:"),
    later("Dry run, nothing was sent:"),
)
