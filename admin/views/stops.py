"""A run that stopped because the settings lack something: what is missing, by setting, each with the way to its field.

A run says all of it in one sentence ("Nothing was sent: …; …."), which people cannot read any more when forty values of
three stores are missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from admin.views import advice
from admin.views.frame import Shown, shown_of
from admin.views.words import later, n_, told
from profiles.models import Profile

STOPPED = re.compile(
    r"Nothing was sent: (?P<what>.+?)\. Complete the settings of this profile and run it again\.(?P<rest>.*)", re.DOTALL
)
LEAST = 2  # one thing is said well enough by its sentence
NEXT = re.compile(r"; (?!choose another value)")  # between two things; within one, a sentence goes on like that
NOT_LISTED = "is not in the collected list"
VALUE, STORE, MORE = re.compile(r"'(.*?)'"), re.compile(r"\bstore ([^\s,;']+)"), re.compile(r"and \d+ more")
_MORE = later("and {n} more")  # for the translators
READ = 20  # messages of one page whose profiles are looked at


@dataclass(kw_only=True)
class Lack:
    """What one setting lacks: `values` with the stores that had them. No `url`: nobody knows which setting is meant."""

    label: str
    url: str = ""
    values: dict[str, list[str]] = field(default_factory=dict)

    @property
    def said(self) -> list[str]:
        return [
            value if not stores else f"{value} ({', '.join(stores)})" if value else ", ".join(stores)
            for value, stores in self.values.items()
        ]


@dataclass(frozen=True, kw_only=True)
class Stop:
    """`sentence` is the head of the list, `rest` what the run said besides."""

    sentence: str
    lacks: list[Lack]
    rest: str


def find(session: Session, rows: Iterable[Mapping[str, Any]]) -> dict[int, Stop]:
    """By task, of those that stopped like this. `rows`: tasks with id, profile_id and message."""
    shown: dict[int, Shown] = {}
    made = {}
    for row in rows:
        if len(made) < READ and (found := STOPPED.fullmatch(row["message"] or "")):
            profile_id = row["profile_id"]
            if profile_id not in shown:
                shown[profile_id] = shown_of(session, session.get_one(Profile, profile_id))
            if stop := parse(shown[profile_id], found["what"], found["rest"]):
                made[row["id"]] = stop
    return made


def parse(shown: Shown, what: str, rest: str = "") -> Stop | None:
    pieces = NEXT.split(what)
    if len(pieces) < LEAST or shown.declared is None:
        return None
    known = {one.name: one for one in shown.declared.settings}
    lacks: dict[str, Lack] = {}
    more = ""
    for piece in pieces:
        if MORE.fullmatch(piece):
            more = told(piece)
            continue
        setting = advice.spoken_of(known, piece, shown)
        store, value = STORE.search(piece), VALUE.search(piece)
        name = setting.name if setting is not None else piece
        if name not in lacks:
            place = advice.place(shown, name, None, store[1] if store else None) if setting is not None else None
            lacks[name] = Lack(label=place.label, url=place.url) if place else Lack(label=told(piece))
        if setting is not None:
            said = told(piece) if NOT_LISTED in piece else value[1] if value and value[1] else ""
            stores = lacks[name].values.setdefault(said, [])
            if store and store[1] not in stores:
                stores.append(store[1])
    count = sum(len(one.values) or 1 for one in lacks.values())  # one value of three stores is mended once
    sentence = n_(
        "Nothing was sent: {n} thing is missing in the settings.",
        "Nothing was sent: {n} things are missing in the settings.",
        count,
    )
    return Stop(
        sentence=sentence,
        lacks=list(lacks.values()) + ([Lack(label=more)] if more else []),
        rest=told(rest.strip()),
    )
