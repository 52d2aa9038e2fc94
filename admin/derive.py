"""From declarations to pages: whole forms and what they say when submitted, and the columns of a profile's tabs.

Nothing here knows a system; one field at a time is the business of `views.inputs`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from admin.views.inputs import (
    Catalogues,
    Form,
    Input,
    Line,
    as_stored,
    draw,
    in_words,
    lines_in_words,
    no_catalogues,
    parse,
    row_problems,
)
from admin.views.listing import Column
from admin.views.words import _, later
from connector import Ref
from connector.settings import GLOBAL, STORE, WEBSITE, Setting
from profiles.secrets import HIDDEN


@dataclass(frozen=True, kw_only=True)
class Group:
    """A section of the page with its inputs."""

    code: str
    label: str
    inputs: list[Input] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        return sum(1 for one in self.inputs if one.errors or any(line.errors for line in one.lines))

    @property
    def missing(self) -> int:
        """Needed and empty, or seen in records and not mapped."""
        return sum(one.unmapped or int(one.missing) for one in self.inputs)

    @property
    def own(self) -> int:
        """How many settings have a value of this scope."""
        return sum(1 for one in self.inputs if one.own)


@dataclass(frozen=True, kw_only=True)
class Words:
    """Puts a declared text into the reader's language, then what stands in for {direction}, {Direction}, {entity}."""

    direction: str = ""
    entity: str = ""

    def english(self, declared: str) -> str:
        """As stored sentences name it."""
        return _filled(declared, self._given())

    def _given(self) -> dict[str, str]:
        return {"direction": self.direction, "Direction": self.direction.capitalize(), "entity": self.entity}

    def __call__(self, declared: str) -> str:
        given = self._given()
        if self.direction and (whole := _(_filled(declared, given))) != _filled(declared, given):
            return whole  # "Export configuration" may be one word
        translated = {name: _(word) for name, word in given.items()}
        return _filled(_(declared), {**translated, "Direction": translated["direction"].capitalize()})


def _filled(text: str, words: Mapping[str, str]) -> str:
    made = re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], found[0]), text)
    return made[:1].upper() + made[1:]


def groups(
    settings: Sequence[Setting],
    values: Mapping[str, Any],
    *,
    words: Words = Words(),
    catalogues: Catalogues = no_catalogues,
    problems: Mapping[str, Sequence[str]] | None = None,
    inherited: Mapping[str, Any] | None = None,
    origins: Mapping[str, str] | None = None,
    narrower: Mapping[str, Sequence[str]] | None = None,
    level: str = GLOBAL,
) -> list[Group]:
    """The sections of a form in their order. With `inherited`, each input offers "use default" and says what it is;
    what cannot be set at this `level` is shown with what holds.

    `narrower` names, for each setting, the scopes below this one that have a value of their own.
    """
    made: dict[str, Group] = {}
    beside = {one.name: one.default for one in settings} | dict(inherited or {})
    beside |= {name: value for name, value in values.items() if value is not None}
    for one in settings:
        group = made.setdefault(one.section.code, Group(code=one.section.code, label=words(one.section.label)))
        if level in one.scopes:
            made_input = _setting(
                one, values, words, catalogues, problems or {}, inherited, origins or {}, beside, level
            )
            group.inputs.append(replace(made_input, narrower=(narrower or {}).get(one.name, ())))
        elif one.matters(beside):
            group.inputs.append(_fixed(one, words, catalogues, inherited or {}, origins or {}))
    return [group for group in made.values() if group.inputs]


def input_name(one: Setting) -> str:
    """Its name in forms, which also hold inputs of their own (the CSRF token among them)."""
    return f"s.{one.name}"


def _setting(
    one: Setting,
    values: Mapping[str, Any],
    words: Words,
    catalogues: Catalogues,
    problems: Mapping[str, Sequence[str]],
    inherited: Mapping[str, Any] | None,
    origins: Mapping[str, str],
    beside: Mapping[str, Any],
    level: str,
) -> Input:
    own = values.get(one.name)
    fallback = one.default if inherited is None else inherited.get(one.name)
    needed = one.required and one.matters(beside)
    made = draw(one.field, input_name(one), fallback if own is None else own, catalogues)
    made = replace(
        made,
        setting=one.name,
        label=words(one.label),
        help=words(one.help) if one.help else "",
        required=one.required,
        missing=needed and (fallback if own is None else own) in NOTHING,
        wants_all=made.kind == "table" and one.required,
        when=one.when or None,
        placeholder=made.placeholder or one.placeholder,
        errors=tuple(sentence for path, said in problems.items() if path == one.name for sentence in said),
        lines=[_with_errors(line, one.name, problems) for line in made.lines],
    )
    if made.kind != "table":
        deeper = (said for path, said in problems.items() if path.startswith(f"{one.name}."))
        made = replace(made, errors=(*made.errors, *(sentence for said in deeper for sentence in said)))
    if inherited is None:
        return made
    made = replace(made, own=own is not None, origin=DEFAULT)
    if not has_default(inherited.get(one.name), origins.get(one.name, DEFAULT), level):
        return made
    return replace(
        made,
        inherits=own is None,
        origin=origins.get(one.name, DEFAULT),
        inherited=in_words(one.field, inherited.get(one.name), catalogues),
    )


def _fixed(
    one: Setting, words: Words, catalogues: Catalogues, holds: Mapping[str, Any], origins: Mapping[str, str]
) -> Input:
    """What cannot be set here: the value that holds, and where it is set instead."""
    return Input(
        name=input_name(one),
        kind="fixed",
        setting=one.name,
        label=words(one.label),
        help=words(one.help) if one.help else "",
        value=lines_in_words(one.field, holds.get(one.name), catalogues),
        origin=origins.get(one.name, DEFAULT),
        hint=_SETTABLE.get(one.scopes, ""),
    )


_SETTABLE = {
    (GLOBAL,): later("Can be set globally only."),
    (GLOBAL, WEBSITE): later("Can be set globally and for websites only."),
    (GLOBAL, STORE): later("Can be set globally and for stores only."),
}


def _with_errors(line: Line, name: str, problems: Mapping[str, Sequence[str]]) -> Line:
    path = f"{name}.{line.key}"
    said = [s for at, sentences in problems.items() if at == path or at.startswith(f"{path}.") for s in sentences]
    return replace(line, errors=tuple(said)) if said else line


USE_DEFAULT = "use_default"
DEFAULT = "default"  # the origin of what no scope sets
NOTHING: tuple[Any, ...] = (None, "", [], {})


def has_default(inherited: Any, origin: str, level: str) -> bool:
    """Whether "use default" means something: in each scope that has a wider one, and globally where a default is
    declared."""
    return level != GLOBAL or origin != DEFAULT or inherited not in NOTHING


def read_form(
    settings: Sequence[Setting], form: Form, stored: Mapping[str, Any], plain: Container[str] = ()
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """What a submitted form of these settings says: the JSON values, and problems that only the form can have.

    Settings marked "use default" are left out, and so are empty ones among the `plain`, which do not offer that.
    An empty secret keeps the stored one.
    """
    inherited = set(form.get(USE_DEFAULT) or ())
    values: dict[str, Any] = {}
    problems: dict[str, list[str]] = {}
    for one in settings:
        if one.name in inherited:
            continue
        value = parse(one.field, input_name(one), form)
        if one.secret and value == HIDDEN:
            value = stored.get(one.name)
        if one.name in plain and value in NOTHING and one.name not in stored:
            value = None
        if value is not None:
            values[one.name] = as_stored(one.field, value, stored.get(one.name))
        if said := row_problems(one.field, input_name(one), form):
            problems[one.name] = said
    return values, problems


def record_columns(number_label: str, refs: Sequence[Ref], key_ref: str = "id", status: str = "") -> list[Column]:
    """The synchronisation tab: the source's ids, every id the target declares, and what became of the record.

    With the status of records that were not sent the message comes early: it is what one looks for then.
    """
    first = [
        Column(key="number", label=number_label, kind="record", sort="number"),
        Column(key="customer", label=_("Customer ID"), sort="customer"),
        Column(key="status", label=_("Status"), kind="status", sort="status"),
    ]
    ids = [
        Column(
            key=f"ref:{ref.key}",
            label=_(ref.label),
            kind="id" if ref.key == key_ref else "minor",
            sort=f"ref:{ref.key}",
        )
        for ref in refs
    ]
    message = [Column(key="message", label=_("Message"), kind="message", sort="message")]
    times = [
        Column(key="created_at", label=_("Created At"), kind="time", sort="created"),
        Column(key="updated_at", label=_("Updated At"), kind="time", sort="updated"),
        Column(key="processed_at", label=_("Processed At"), kind="time", sort="processed_at"),
    ]
    early = status in ("failed", "skipped", "pending")
    return [*first, *message, *ids, *times] if early else [*first, *ids, *message, *times]


def more_record_columns() -> list[Column]:
    """What is known besides; shown to whoever chooses it."""
    return [
        Column(key="kind", label=_("Kind"), kind="kind", sort="kind"),
        Column(key="amount", label=_("Amount"), sort="amount"),
        Column(key="store", label=_("Store"), sort="store"),
        Column(key="source_status", label=_("Status at the source"), sort="source_status"),
        Column(key="source_created_at", label=_("Created at the source"), kind="time", sort="source_created_at"),
        Column(key="attempts", label=_("Attempts"), sort="attempts"),
        Column(key="next_attempt_at", label=_("Next attempt"), kind="time", sort="next_attempt_at"),
    ]


def history_columns(number_label: str, key_label: str) -> list[Column]:
    return [
        Column(key="number", label=number_label, kind="record"),
        Column(key="target_id", label=key_label, kind="id"),
        Column(key="status", label=_("Status"), kind="status"),
        Column(key="direction", label=_("Direction"), kind="word"),
        Column(key="message", label=_("Message"), kind="message"),
        Column(key="created_at", label=_("Created At"), kind="time"),
    ]


def task_columns() -> list[Column]:
    return [
        Column(key="id", label=_("Schedule id"), kind="id"),
        Column(key="status", label=_("Status"), kind="status"),
        Column(key="job_code", label=_("Job Code")),
        Column(key="created_at", label=_("Created At"), kind="time"),
        Column(key="scheduled_at", label=_("Scheduled At"), kind="time"),
        Column(key="executed_at", label=_("Executed At"), kind="time"),
        Column(key="finished_at", label=_("Finished At"), kind="time"),
        Column(key="message", label=_("Message"), kind="message"),
    ]


def task_history_columns() -> list[Column]:
    return [
        Column(key="status", label=_("Status"), kind="status"),
        Column(key="action", label=_("Action")),
        Column(key="message", label=_("Message"), kind="message"),
        Column(key="created_at", label=_("Created At"), kind="time"),
        Column(key="performed_at", label=_("Performed At"), kind="time"),
    ]
