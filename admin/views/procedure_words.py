"""Event procedures in words: what leads to them, whom they let through, what became of them, what to know before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.views.collected import catalogues
from admin.views.frame import Shown, shown_of
from admin.views.inputs import Catalogues, Item
from admin.views.words import _, later, told
from connector.procedures import ORDER_TYPE, STATUS, Event, Filter, Procedure
from connector.registry import plugins
from connector.settings import ident
from profiles.events import ENTITY, Declared, Match, declared, within
from profiles.models import EventProcedure, Profile, SyncRecord, SyncStatus

SOURCE = "source"  # filters and statuses are of the watched system
RECENT = 1000  # so many of the newest executions tell when each event procedure was carried out last
MOST_FAILED = 10_000
# what the configuration says of a wrong one, for the translators (`told` finds these patterns again)
_FAULTS = (
    later("Another event procedure has this name."),
    later("The range {range} ends before it begins."),
    later("Only a change of status has statuses."),
    later("A name is needed."),
)
# what the history says of an event, for the translators
_HAPPENED = (
    later("Order change:"),
    later("Status change:"),
    later("Event procedure '{name}' follows."),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A profile of events: what its two systems offer, and the collected lists. `told` None: one cannot be used now."""

    shown: Shown
    told: Declared | None
    entries: Catalogues
    rows: Sequence[EventProcedure]

    @property
    def id(self) -> int:
        return self.shown.profile.id

    @property
    def plugin(self) -> str:
        """As the guides call where a procedure comes from: "Plugins » acme"."""
        found = plugins().get(self.shown.target.connector)
        label = found.connector.label if found and found.connector else self.shown.target.connector
        name = self.shown.target.name
        return _("Plugins » {name}", name=label if name == label else f"{label} ({name})")

    @property
    def idle(self) -> str:
        """Why nothing happens here, whatever is set up; empty when something does."""
        for end in (self.shown.source, self.shown.target):
            if not end.active:
                return _("The connection {name} is not active: nothing is exchanged with it.", name=end.name)
        if not self.shown.profile.active:
            name = self.shown.profile.name
            return _("The profile {name} is not active: its event procedures wait until it is switched on.", name=name)
        return self.shown.trouble

    def event(self, code: str) -> Event | None:
        return self.told.events.get(code) if self.told else None

    def procedure(self, code: str) -> type[Procedure] | None:
        return self.told.procedures.get(code) if self.told else None


def places(session: Session, profile_id: int | None = None) -> list[Place]:
    """All profiles of events by name, or the one."""
    query = select(Profile).where(Profile.entity == ENTITY).order_by(Profile.name)
    if profile_id is not None:
        query = query.where(Profile.id == profile_id)
    return [place_of(session, profile) for profile in session.scalars(query)]


def place_of(session: Session, profile: Profile) -> Place:
    shown, row = shown_of(session, profile), EventProcedure
    try:
        offered = declared(shown.source.connector, shown.target.connector)
    except LookupError:
        offered = None  # `shown.trouble` says why
    query = select(row).where(row.profile_id == profile.id).order_by(row.position, row.id)
    return Place(shown=shown, told=offered, entries=catalogues(session, profile), rows=session.scalars(query).all())


# words


def event_words(place: Place, code: str) -> str:
    found = place.event(code)
    return _(found.label) if found else _("{code} (not known any more)", code=code)


def split(label: str) -> tuple[str, str]:
    """Heading and rest of "Order change: Status change"."""
    head, colon, rest = label.partition(": ")
    return (head, rest) if colon else ("", label)


def items_of(place: Place, one: Filter) -> Sequence[Item]:
    """What may be chosen in a filter."""
    if one.kind is not None:
        return place.entries(SOURCE, one.kind)
    return [Item(value=value, label=_(label), name=_(label)) for value, label in one.choices]


def status_words(place: Place, code: str, statuses: Sequence[str]) -> list[str]:
    """Statuses with their names; a range as "7 to 7.99"."""
    found = place.event(code)
    names = (
        {ident(item.value): item.label for item in place.entries(SOURCE, found.kind)} if found and found.kind else {}
    )
    return [range_words(one) or names.get(ident(one), one) for one in statuses]


def range_words(status: str) -> str:
    """ "7-7.99" as people read it; empty for what is a single status."""
    low, dash, high = status.partition("-")
    numbers = all(part.replace(".", "", 1).isdigit() for part in (low, high))
    return _("{low} to {high}", low=low, high=high) if dash and numbers else ""


def filter_words(place: Place, filters: Mapping[str, Sequence[Any]]) -> list[tuple[str, str]]:
    """(filter, its values) of each filter."""
    made = []
    for code, values in filters.items():
        one = place.told.filters.get(code) if place.told else None
        if one is None:
            made.append((_("{code} (not known any more)", code=code), ", ".join(map(str, values))))
            continue
        names = {ident(item.value): item.label for item in items_of(place, one)}
        made.append((_(one.label), ", ".join(names.get(ident(value), str(value)) for value in values)))
    return made


def procedure_words(place: Place, code: str) -> str:
    found = place.procedure(code)
    return _(found.label) if found else _("{code} (not known any more)", code=code)


# what to know before it is switched on


def warnings(place: Place, row: EventProcedure) -> Iterator[str]:
    """What hinders nobody from saving, and that people rarely mean. `row` may not be stored yet."""
    made = place.procedure(row.procedure)
    if made is None or place.told is None:
        return
    labels = {value: _(label) for value, label in ORDER_TYPE.choices}
    able = {str(one) for one in made.order_types}
    chosen = {str(one) for one in row.filters.get(ORDER_TYPE.code, ())}
    unfit = [label for value, label in labels.items() if value in chosen - able]
    fit = ", ".join(label for value, label in labels.items() if value in able)
    name = _(made.label)
    if unfit:
        yield _("“{name}” can be used with {types} only, but {others} is chosen.", name=name, types=fit,
                others=", ".join(unfit))  # fmt: skip
    elif not chosen and labels.keys() - able and ORDER_TYPE.code in place.told.filters:
        yield _("“{name}” can be used with {types} only. Without a filter on the order type it is called for all others "
                "as well.", name=name, types=fit)  # fmt: skip
    for code, values in row.filters.items():
        one = place.told.filters.get(code)
        known = {ident(item.value) for item in items_of(place, one)} if one else set()
        strange = [str(value) for value in values if known and ident(value) not in known]
        if one is not None and strange:
            yield _("{filter}: {values} is not in the collected list, so no order has it.", filter=_(one.label),
                    values=", ".join(strange))  # fmt: skip
        elif one is not None and one.kind is not None and not known:
            yield _("{filter}: nothing is collected yet, so nobody knows whether {values} is right.",
                    filter=_(one.label), values=", ".join(map(str, values)))  # fmt: skip
    others = [other.name for other in place.rows if other.id != row.id and other.active and _meet(row, other)]
    if others:
        yield _("The same event also leads to {names}. All of them are carried out, in the order of the list.",
                names=", ".join(others))  # fmt: skip


def _meet(one: EventProcedure, other: EventProcedure) -> bool:
    """Whether one order may lead to both at once."""
    if one.event != other.event:
        return False
    if one.event == STATUS and one.status and other.status:
        pairs = [(a, b) for a in one.status for b in other.status]
        if not any(a == b or within(a, [b]) or within(b, [a]) for a, b in pairs):
            return False
    for code, values in one.filters.items():
        theirs = other.filters.get(code)
        if values and theirs and not {ident(value) for value in values} & {ident(value) for value in theirs}:
            return False
    return True


# what became of them


@dataclass(frozen=True, kw_only=True)
class Doings:
    """The executions of one event procedure: the last one, and how many wait for a person."""

    record_id: int | None = None
    status: str = ""
    at: datetime | None = None
    failed: int = 0


def doings(session: Session, profile_id: int) -> dict[int, Doings]:
    """By event procedure. Its id is the last part of the key of an execution."""
    record = SyncRecord
    newest = select(record.id, record.source_id, record.status, record.updated_at).where(
        record.profile_id == profile_id, record.source_id.like("%/%")
    )
    last: dict[int, Any] = {}
    for row in session.execute(newest.order_by(record.updated_at.desc(), record.id.desc()).limit(RECENT)):
        last.setdefault(procedure_of(row.source_id) or 0, row)
    failing = select(record.source_id).where(record.profile_id == profile_id, record.status == SyncStatus.FAILED)
    failed = Counter(procedure_of(key) or 0 for key in session.scalars(failing.limit(MOST_FAILED)))
    return {
        number: Doings(
            record_id=last[number].id if number in last else None,
            status=last[number].status if number in last else "",
            at=last[number].updated_at if number in last else None,
            failed=failed[number],
        )
        for number in {*last, *failed}
    }


def procedure_of(key: str) -> int | None:
    """The event procedure that an execution is of, by its key."""
    last = key.rpartition("/")[2]
    return int(last) if "/" in key and last.isdecimal() else None


def reason(match: Match, place: Place, row: EventProcedure) -> str:
    """Why an order would not lead to the procedure."""
    if match.matched:
        return ""
    if match.setting == STATUS:
        return _("It has not had one of the chosen statuses.")
    if match.setting == "event":
        return _("“{event}” has not happened to it.", event=split(event_words(place, row.event))[1])
    return _("The filter “{filter}” does not let it pass.", filter=_(match.reason) if match.reason else "")


def status_of(match: Match, place: Place) -> str:
    """The status of an order with its name."""
    order = match.order
    if order.status is None:
        return "–"
    if name := told(order.fulfilment.status_name or ""):
        return name if f"[{order.status}]" in name else f"{name} ({order.status})"
    return status_words(place, STATUS, [order.status])[0]
