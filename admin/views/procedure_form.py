"""The form of one event procedure: drawn from what the two systems declare, and read again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from marshmallow import fields

from admin import derive
from admin.configuration import ProcedureSpec, Wrong
from admin.views.frame import faults_by_path
from admin.views.inputs import Form, Input, Item, draw, parse
from admin.views.options import lists_of
from admin.views.procedure_words import SOURCE, Place, items_of, range_words, split
from admin.views.words import _
from connector.procedures import STATUS, Event, Filter, Template
from connector.settings import Choices, declared, ident, one_of
from profiles.db import now
from profiles.models import EventProcedure

STATUS_INPUT, FILTER_INPUT = "status", "f."


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What stands in the form, stored or not."""

    name: str
    event: str
    procedure: str
    active: bool = False
    status: Sequence[str] = ()
    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    problems: Mapping[str, list[str]] = field(default_factory=dict)
    unplaced: Sequence[str] = ()  # problems that are not of this form
    overtaken: bool = False  # somebody else saved meanwhile

    def spec(self, now_called: str | None = None) -> ProcedureSpec:
        return ProcedureSpec(
            name=self.name,
            event=self.event,
            procedure=self.procedure,
            active=self.active,
            status=self.status,
            filters=self.filters,
            settings=self.settings,
            now_called=now_called,
        )

    def row(self, place: Place, procedure_id: int | None = None) -> EventProcedure:
        """As the engine takes it, not stored."""
        moment = now()
        return EventProcedure(
            id=procedure_id,
            profile_id=place.id,
            name=self.name,
            active=self.active,
            position=0,
            event=self.event,
            status=list(self.status),
            filters={code: list(values) for code, values in self.filters.items() if values},
            procedure=self.procedure,
            settings=dict(self.settings),
            created_at=moment,
            updated_at=moment,
        )

    def refused(self, error: Wrong, position: int) -> Draft:
        """With what is wrong, each problem at its input."""
        start, mine, others = f"procedures.{position}.", {}, []
        for path, said in faults_by_path(error.faults).items():
            if path.startswith(start):
                mine[path.removeprefix(start)] = said
            else:
                others += [f"{fault.subject}: {fault.sentence}" for fault in error.faults if fault.path == path]
        return replace(self, problems=mine, unplaced=others)


def draft_of(row: EventProcedure) -> Draft:
    return Draft(
        name=row.name,
        event=row.event,
        procedure=row.procedure,
        active=row.active,
        status=list(row.status),
        filters=dict(row.filters),
        settings=dict(row.settings),
    )


def spec_of(row: EventProcedure) -> ProcedureSpec:
    return draft_of(row).spec(row.name)


# reading


def read(place: Place, form: Form, row: EventProcedure) -> Draft:
    """What the form of this one says."""
    told, stored = place.told, row.settings
    assert told is not None

    def one(name: str) -> str:
        return (form.get(name) or ("",))[0].strip()

    event, procedure = one("event"), one("procedure")
    kind = told.events[event].kind if event in told.events else None
    status = list(_statuses(kind, form)) if kind else []
    chosen = {code: [ident(value) for value in _values(made, form)] for code, made in told.filters.items()}
    settings: Mapping[str, Any] = stored
    problems: Mapping[str, list[str]] = {}
    if procedure != one("settings_of"):
        settings = {}  # those of another one stand in the form
    elif made := told.procedures.get(procedure):
        known = declared(made.Options)
        given, problems = derive.read_form(known, form, stored, {each.name for each in known})
        usual = {each.name: each.default for each in known}
        settings = {name: value for name, value in given.items() if name in stored or value != usual[name]}
    return Draft(
        name=one("name"),
        event=event,
        procedure=procedure,
        active=one("active") == "yes",
        status=_as_stored(status, row.status),
        filters={code: _as_stored(values, row.filters.get(code, ())) for code, values in chosen.items() if values},
        settings=settings,
        problems={f"settings.{path}": said for path, said in problems.items()},
    )


def _as_stored(values: Sequence[str], stored: Sequence[str]) -> list[str]:
    """In the order in which they are stored, where they are the same: a form that changes nothing changes nothing."""
    return list(stored) if sorted(map(ident, values)) == sorted(map(ident, stored)) else list(values)


def _statuses(kind: str, form: Form) -> Iterator[str]:
    """The ticked and typed ones, each once, and the range."""
    given = [str(value) for value in parse(Choices(kind, side=SOURCE), STATUS_INPUT, form)]
    low, high = ((form.get(name) or ("",))[0].strip() for name in ("status_from", "status_to"))
    if low or high:
        given.append(f"{low or high}-{high or low}" if low != high else low)
    yield from dict.fromkeys(part.strip() for one in given for part in one.split(",") if part.strip())


def _values(one: Filter, form: Form) -> Sequence[Any]:
    return parse(_field(one), f"{FILTER_INPUT}{one.code}", form) or ()


def _field(one: Filter) -> fields.Field[Any]:
    if one.kind is not None:
        return Choices(one.kind, side=SOURCE)
    values, labels = (tuple(each) for each in zip(*one.choices, strict=True)) if one.choices else ((), ())
    return fields.List(fields.String(validate=one_of(*values, labels=labels)))


# drawing


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """The inputs of the form."""

    status: Input | None
    statuses: Sequence[Item]  # for the ends of a range
    filters: Sequence[tuple[Filter, Input, bool]]  # with whether it is in use
    groups: Sequence[derive.Group]
    lists: Mapping[str, Sequence[Item]]


def drawn(place: Place, draft: Draft) -> Drawn:
    told = place.told
    assert told is not None
    status_event = next((one for one in told.events.values() if one.kind), None)
    status = _draw_status(place, draft, status_event) if status_event else None
    filters = []
    for one in told.filters.values():
        values = list(draft.filters.get(one.code, ()))
        made = draw(_field(one), f"{FILTER_INPUT}{one.code}", values, place.entries)
        said = tuple(s for path, all in draft.problems.items() if path.startswith(f"filters.{one.code}") for s in all)
        filters.append((one, replace(made, label=_(one.label), errors=said, listed=""), bool(values or said)))
    groups: list[derive.Group] = []
    if made_of := told.procedures.get(draft.procedure):
        inner = {
            path.removeprefix("settings."): said
            for path, said in draft.problems.items()
            if path.startswith("settings.")
        }
        groups = derive.groups(
            declared(made_of.Options), draft.settings, words=place.shown.words, catalogues=place.entries, problems=inner
        )
    return Drawn(
        status=status,
        statuses=place.entries(SOURCE, status_event.kind) if status_event and status_event.kind else (),
        filters=filters,
        groups=groups,
        lists=lists_of(groups),
    )


def _draw_status(place: Place, draft: Draft, event: Event) -> Input:
    """Boxes for single statuses and for the ranges that were made; a text where nothing is collected."""
    assert event.kind is not None
    ranges = [one for one in draft.status if range_words(one)]
    single = [one for one in draft.status if one not in ranges]
    made = draw(Choices(event.kind, side=SOURCE), STATUS_INPUT, single, place.entries)
    said = tuple(s for path, all in draft.problems.items() if path.startswith("status") for s in all)
    made = replace(made, label=_("Status"), errors=said, listed="")
    if made.kind != "checks":
        return replace(made, value="\n".join(draft.status))
    items = [Item(value=one, label=range_words(one)) for one in ranges]
    return replace(made, items=[*items, *made.items], value={*made.value, *ranges})


def grouped(events: Mapping[str, Event]) -> dict[str, list[tuple[str, str]]]:
    """Events as a guide groups them: heading → (code, label)."""
    made: dict[str, list[tuple[str, str]]] = {}
    for one in events.values():
        head, rest = split(_(one.label))
        made.setdefault(head, []).append((one.code, rest))
    return made


# templates


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A template that can be taken over."""

    place: Place
    code: str  # of the procedure
    template: Template
    label: str
    taken: bool  # an event procedure of this profile leads there already


def offers(place: Place) -> list[Offer]:
    led_to = {row.procedure for row in place.rows}
    return [
        Offer(place=place, code=code, template=template, label=_(made.label), taken=code in led_to)
        for code, made in (place.told.procedures if place.told else {}).items()
        if (template := getattr(made, "template", None)) is not None
    ]


def resolved(offer: Offer) -> Draft:
    """The template with the entries of the catalogues in place of their names. A name that no list has is kept, so that
    the filter lets nothing pass rather than everything."""
    place, template = offer.place, offer.template
    filters = {}
    for code, wanted in template.filters.items():
        one = place.told.filters.get(code) if place.told else None
        if one is not None:
            filters[code] = [_entry(items_of(place, one), value) for value in wanted]
    return Draft(
        name=free_name(place, _(template.name)),
        event=template.event,
        procedure=offer.code,
        status=list(template.status) if template.event == STATUS else [],
        filters=filters,
        settings=dict(template.settings),
    )


def _entry(items: Sequence[Item], wanted: str) -> str:
    """The id of the entry that is meant by its id or by its name."""
    by_id = [item.value for item in items if ident(item.value) == ident(wanted)]
    by_name = [item.value for item in items if (item.name or item.label).strip().casefold() == wanted.casefold()]
    return next(iter([*by_id, *by_name]), wanted)


def free_name(place: Place, name: str) -> str:
    """A name that no event procedure of the profile has yet."""
    taken = {row.name for row in place.rows}
    numbered = (name[:128], *(f"{name[:120]} ({number})" for number in range(2, 1000)))
    return next(one for one in numbered if one not in taken)


__all__ = [
    "Draft",
    "Drawn",
    "Offer",
    "draft_of",
    "drawn",
    "free_name",
    "grouped",
    "offers",
    "read",
    "resolved",
    "spec_of",
]
