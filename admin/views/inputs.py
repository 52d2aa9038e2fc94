"""One field of a declaration as an input: how it is drawn, and how what was typed is read.

A kind of field has one row in KINDS. A field of an unknown kind is edited as JSON, so that no stranger's declaration is
left without an input.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import Schema, fields, validate

from admin.views.suggest import Side, Suggestion, suggest
from admin.views.words import _, n_
from connector.settings import Choice, Choices, Secret, ValueMap, ident
from profiles.secrets import HIDDEN, REFERENCE

LONG_LIST = 200  # so many values of a catalogue that nothing is mapped for get a row of their own; others are added


@dataclass(frozen=True, kw_only=True)
class Item:
    """One entry that may be chosen: its id, and name and id as people read them."""

    value: str
    label: str
    name: str = ""  # without the id
    seen: bool = False  # a record had this value


Catalogues = Callable[[str, str], Sequence[Item]]
"""The collected entries of (side, kind); empty when never collected."""


def no_catalogues(side: str, kind: str) -> Sequence[Item]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Line:
    """One row of a table input: what is on the left, and the cells on the right."""

    key: str
    cells: tuple[Input, ...]
    mapped: bool = True
    known: str = ""  # the left side's name in the catalogue
    seen: bool = False  # records had this value
    suggestion: Suggestion | None = None  # for its first cell, while nothing is mapped
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Input:
    """One input of a form, ready for the template. `kind` chooses how it is drawn (see fields.html)."""

    name: str
    kind: str
    setting: str = ""  # the setting it belongs to
    label: str = ""
    help: str = ""
    value: Any = ""
    items: Sequence[Item] = ()
    lines: Sequence[Line] = ()
    listed: str = ""  # the id of the suggestions that the rows of a table share
    blank: Line | None = None  # the pattern of a row that is added
    heads: Sequence[str] = ()
    required: bool = False
    missing: bool = False  # needed, and nothing is set or inherited
    known: str = ""  # the name of the chosen entry, where its list has it
    collect: str = ""  # "source" or "target": its list is empty, and that side's connection can be asked for it
    wants_all: bool = False  # of a table: a value that was seen and is not mapped stops the runs
    narrower: Sequence[str] = ()  # the scopes below this one that have a value of their own, in words
    when: Mapping[str, Sequence[str | bool]] | None = None  # it matters only for these values of other settings
    placeholder: str = ""
    least: str = ""
    most: str = ""
    step: str = ""
    longest: str = ""
    errors: tuple[str, ...] = ()
    hint: str = ""
    own: bool = False  # this scope has a value of its own
    inherits: bool | None = None  # None: this input has no "use default"
    origin: str = ""
    inherited: str = ""  # the inherited value in words

    @property
    def unmapped(self) -> int:
        """Values that were seen in records and that nothing is mapped for, where that matters."""
        return sum(1 for line in self.lines if line.seen and not line.mapped) if self.wants_all else 0

    @property
    def range(self) -> str:
        """What may be entered, in words."""
        if self.least and self.most:
            return _("From {least} to {most}.", least=self.least, most=self.most)
        if self.least:
            return _("At least {least}.", least=self.least)
        if self.most:
            return _("At most {most}.", most=self.most)
        return n_("At most {n} character.", "At most {n} characters.", int(self.longest)) if self.longest else ""


Form = Mapping[str, Sequence[str]]
"""A submitted form: the values of each name."""


@dataclass(frozen=True)
class Kind:
    draw: Callable[[fields.Field[Any], str, Any, Catalogues], Input]
    read: Callable[[fields.Field[Any], str, Form], Any]  # None: empty


def draw(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues = no_catalogues) -> Input:
    """The input of a field, showing a JSON value (or the text that was typed and could not be read)."""
    return kind_of(one).draw(one, name, value, catalogues)


def parse(one: fields.Field[Any], name: str, form: Form) -> Any:
    """What the form says about a field, as JSON has it; None when it is empty. Checking is the declaration's business:
    what cannot be read stays the text that was typed."""
    return kind_of(one).read(one, name, form)


def _text_of(name: str, form: Form) -> str | None:
    text = (form.get(name) or ("",))[0].strip()
    return text or None


def _number(text: str | None) -> Any:
    """5 and 5.5 as numbers; everything else, 007 too, stays a text."""
    if text is None:
        return None
    if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d{1,10}", text):
        return float(text)
    return text


def shown(value: Any) -> str:
    """A JSON value as the text of an input."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _validators(one: fields.Field[Any]) -> Iterator[Any]:
    for check in one.validators:
        yield from check.validators if isinstance(check, validate.And) else (check,)


def _draw_text(kind: str, step: str = "") -> Callable[..., Input]:
    def draw_text(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
        for check in _validators(one):
            if isinstance(check, validate.OneOf):
                return Input(name=name, kind="select", value=shown(value), items=_with_current(_items(check), value))
        made = Input(name=name, kind=kind, value=shown(value), step=step)
        for check in _validators(one):
            if isinstance(check, validate.Range):
                made = replace(made, least=shown(check.min), most=shown(check.max))
            elif isinstance(check, validate.Length) and kind != "lines":
                made = replace(made, longest=shown(check.equal or check.max))
        return made

    return draw_text


def _items(check: validate.OneOf) -> list[Item]:
    """What may be chosen; a choice without a label is its own."""
    labels = list(check.labels) + [shown(item) for item in check.choices][len(list(check.labels)) :]
    return [Item(value=shown(item), label=_(said)) for item, said in zip(check.choices, labels, strict=True)]


def _read_text(one: fields.Field[Any], name: str, form: Form) -> Any:
    return _text_of(name, form)


def _read_number(one: fields.Field[Any], name: str, form: Form) -> Any:
    text = _text_of(name, form)
    if text and re.fullmatch(r"-?\d+,\d+", text):
        text = text.replace(",", ".")  # a decimal comma
    return _number(text)


def _read_exact(one: fields.Field[Any], name: str, form: Form) -> Any:
    """A Decimal stays a text, so that no digit is lost."""
    text = _text_of(name, form)
    return text.replace(",", ".") if text and re.fullmatch(r"-?\d+,\d+", text) else text


def _draw_switch(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    return Input(name=name, kind="switch", value=value is True or shown(value) in ("yes", "true", "on", "1"))


def _read_switch(one: fields.Field[Any], name: str, form: Form) -> Any:
    text = _text_of(name, form)
    return {"yes": True, "no": False, None: None}.get(text, text)


def _draw_secret(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    """A reference is shown, a stored secret never: neither here nor in what a faulty form shows again."""
    if isinstance(value, str) and REFERENCE.match(value):
        return Input(name=name, kind="secret", value=value, hint=_("Read from the environment."))
    stored = value not in (None, "")
    hint = _("Stored. Leave it empty to keep it, or type a new one.") if stored else ""
    return Input(name=name, kind="secret", value="", hint=hint, placeholder="••••••••" if stored else "")


def _read_secret(one: fields.Field[Any], name: str, form: Form) -> Any:
    return _text_of(name, form) or HIDDEN  # HIDDEN keeps what is stored


def list_name(side: str, kind: str) -> str:
    """The id of a page's one list of a catalogue, which all inputs share."""
    return f"list-{side}-{kind}"


def _draw_choice(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    assert isinstance(one, Choice)
    items = catalogues(one.side, one.kind)
    same = _same(items, value)
    return Input(
        name=name,
        kind="suggest",
        value=same,
        items=items,
        listed=list_name(one.side, one.kind),
        known=next((item.label for item in items if item.value == same), ""),
        collect="" if items else one.side,
        hint="" if items else _("Nothing is collected for this yet. Collect it now, or type the id."),
    )


def _read_choice(one: fields.Field[Any], name: str, form: Form) -> Any:
    return _number(_text_of(name, form))


def _draw_choices(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    assert isinstance(one, Choices)
    chosen = value if isinstance(value, list) else [] if value in (None, "") else [value]
    items = catalogues(one.side, one.kind)
    if not items:
        hint = _("One id per line. Nothing is collected for this yet.")
        text = "\n".join(shown(item) for item in chosen)
        return Input(name=name, kind="lines", value=text, hint=hint, collect=one.side)
    for item in chosen:
        items = _with_current(items, item)
    ticked = {_same(items, item) for item in chosen}
    return Input(name=name, kind="checks", value=ticked, items=items, listed=list_name(one.side, one.kind))


def _read_choices(one: fields.Field[Any], name: str, form: Form) -> Any:
    return [_number(text) for text in _several(name, form)]


def _several(name: str, form: Form) -> list[str]:
    """Ticked boxes, or the lines of a text."""
    given = [line.strip() for text in form.get(name) or () for line in text.splitlines()]
    return [line for line in given if line]


def _draw_list(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    assert isinstance(one, fields.List)
    if isinstance(one.inner, fields.Nested | fields.Dict | fields.List):
        return _draw_json(one, name, value, catalogues)
    given = value if isinstance(value, list) else [] if value in (None, "") else [value]
    options = next((check for check in _validators(one.inner) if isinstance(check, validate.OneOf)), None)
    if options is not None:
        items: Sequence[Item] = _items(options)
        for item in given:
            items = _with_current(items, item)
        return Input(name=name, kind="checks", value={shown(item) for item in given}, items=items)
    text = "\n".join(shown(item) for item in given)
    return Input(name=name, kind="lines", value=text, hint=_("One per line."))


def _read_list(one: fields.Field[Any], name: str, form: Form) -> Any:
    assert isinstance(one, fields.List)
    if isinstance(one.inner, fields.Nested | fields.Dict | fields.List):
        return _read_json(one, name, form)
    return [parse(one.inner, "", {"": [text]}) for text in _several(name, form)]


def _draw_json(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
    return Input(name=name, kind="json", value=text, hint=_("JSON"))


def _read_json(one: fields.Field[Any], name: str, form: Form) -> Any:
    """What no database or browser would take (NaN, halves of characters) stays the text that was typed, and is refused."""
    text = _text_of(name, form)
    try:
        made = None if text is None else json.loads(text, parse_constant=_refuse)
        json.dumps(made, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return text
    return made


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _draw_moment(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    """A browser's date-and-time input knows no zone: it is filled and read as UTC, and says so."""
    text = shown(value)
    try:
        moment = dt.datetime.fromisoformat(text)
        text = moment.astimezone(dt.UTC).replace(tzinfo=None).isoformat() if moment.tzinfo else moment.isoformat()
    except ValueError:
        pass
    return Input(name=name, kind="datetime-local", value=text, step="1", hint=_("In UTC."))


def _read_moment(one: fields.Field[Any], name: str, form: Form) -> Any:
    text = _text_of(name, form)
    try:
        moment = dt.datetime.fromisoformat(text) if text else None
    except ValueError:
        return text
    if moment is None or moment.tzinfo is not None or isinstance(one, fields.NaiveDateTime):
        return text
    return moment.replace(tzinfo=dt.UTC).isoformat()


def _draw_enum(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    assert isinstance(one, fields.Enum)
    known = [shown(item.value) if one.by_value else item.name for item in one.enum]
    items = [Item(value=item, label=_(item.replace("_", " ").capitalize())) for item in known]
    return Input(name=name, kind="select", value=shown(value), items=_with_current(items, value))


def _read_enum(one: fields.Field[Any], name: str, form: Form) -> Any:
    assert isinstance(one, fields.Enum)
    text = _text_of(name, form)
    if text is None or not one.by_value:
        return text
    return next((item.value for item in one.enum if shown(item.value) == text), text)


def _with_current(items: Sequence[Item], value: Any) -> Sequence[Item]:
    """The items, and the stored value even if it is no longer offered: saving must not change it silently."""
    if value in (None, "") or any(ident(item.value) == ident(value) for item in items):
        return items
    return [*items, Item(value=shown(value), label=_("{value} (not in the collected list)", value=shown(value)))]


def _same(items: Sequence[Item], value: Any) -> str:
    """The item that means this value ("5", 5 and 5.0 are one id), as the list spells it."""
    if value in (None, ""):
        return ""
    return next((item.value for item in items if ident(item.value) == ident(value)), shown(value))


def right_of(one: fields.Field[Any]) -> fields.Field[Any]:
    if isinstance(one, ValueMap):
        return one.right
    made = getattr(one, "value_field", None)
    return made if made is not None else fields.Raw()


def columns_of(right: fields.Field[Any]) -> list[tuple[str, fields.Field[Any], str]]:
    """The right side of a table: (key, field, heading) of each column; a lone column has the key ""."""
    if not isinstance(right, fields.Nested):
        return [("", right, "")]
    schema: Schema = right.schema
    # a schema sorts nothing: its columns stand as they were declared
    return [
        (name, one, _(one.metadata.get("label") or name.replace("_", " ").capitalize()))
        for name, one in schema.fields.items()
    ]


def _cell_name(name: str, index: str, key: str) -> str:
    return f"{name}.{index}.{key or 'value'}"


def _draw_map(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    assert isinstance(one, fields.Dict)
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    left = catalogues("source", one.kind) if isinstance(one, ValueMap) else ()
    columns = columns_of(right_of(one))
    known = {item.value: item for item in left}
    open_items = [item for item in left if item.value not in given]
    asked = [item for item in open_items if item.seen]
    others = [item for item in open_items if not item.seen][:LONG_LIST]
    suggested = _suggested([*asked, *others], columns, catalogues)

    def line(index: str, key: str, right: Any, mapped: bool) -> Line:
        cells = []
        for column, cell, head in columns:
            at = right.get(column) if column and isinstance(right, Mapping) else None if column else right
            if not mapped and _is_switch(cell, columns):
                at = cell.metadata.get("default")
            made = draw(_in_table(cell, columns), _cell_name(name, index, column), at, catalogues)
            help = cell.metadata.get("help") or ""
            cells.append(replace(made, label=head, help=_(help), listed=made.listed or f"{name}.{column}-list"))
        item = known.get(key)
        return Line(
            key=key,
            cells=tuple(cells),
            mapped=mapped,
            known=item.label if item else "",
            seen=item.seen if item else False,
            suggestion=None if mapped else suggested.get(key),
        )

    rows = [(item.value, None, False) for item in (*asked, *others)]  # what orders wait for on top
    rows += [(str(key), right, True) for key, right in given.items()]
    lines = [line(str(at), key, right, mapped) for at, (key, right, mapped) in enumerate(rows)]
    return Input(
        name=name,
        kind="table",
        items=left,
        lines=lines,
        listed=list_name("source", one.kind) if isinstance(one, ValueMap) else f"{name}-left",
        blank=line("__row__", "", None, False),
        heads=[head for _column, _cell, head in columns],
    )


def _suggested(
    items: Sequence[Item], columns: Sequence[tuple[str, fields.Field[Any], str]], catalogues: Catalogues
) -> dict[str, Suggestion]:
    """What the first column most likely is for each value; nothing where it holds no choice."""
    first = next((cell for _column, cell, _head in columns if not _is_switch(cell, columns)), None)
    if first is None:
        return {}
    if isinstance(first, Choice):
        offered: Sequence[Item] = catalogues(first.side, first.kind)
    else:
        offered = (
            draw(_in_table(first, columns), "", None, catalogues).items if isinstance(first, fields.String) else ()
        )
    return suggest([_side(item) for item in items], [_side(item) for item in offered])


def _side(item: Item) -> Side:
    return Side(value=item.value, name=item.name or item.label, label=item.label)


def _in_table(cell: fields.Field[Any], columns: Sequence[tuple[str, fields.Field[Any], str]]) -> fields.Field[Any]:
    """A yes/no that stands alone becomes a list with an empty entry: else nobody could leave its row unmapped."""
    return _Answer() if all(isinstance(one, fields.Boolean) for _key, one, _head in columns) else cell


class _Answer(fields.Boolean):
    """yes, no, or not answered."""


def _draw_answer(one: fields.Field[Any], name: str, value: Any, catalogues: Catalogues) -> Input:
    items = (Item(value="yes", label=_("Yes")), Item(value="no", label=_("No")))
    return Input(name=name, kind="select", value=shown(value), items=items)


def _read_map(one: fields.Field[Any], name: str, form: Form) -> Any:
    """Rows with a left and a right side. A row without a right side is not mapped, and left out."""
    columns = columns_of(right_of(one))
    made: dict[str, Any] = {}
    for index in _rows(name, form):
        key = _text_of(f"{name}.{index}.key", form)
        values = {
            column: parse(_in_table(cell, columns), _cell_name(name, index, column), form)
            for column, cell, _head in columns
        }
        told = [values[column] for column, cell, _head in columns if not _is_switch(cell, columns)]
        if all(value in (None, "", []) for value in told):
            continue
        made[key or ""] = (
            values[""] if "" in values else {at: value for at, value in values.items() if value is not None}
        )
    return made


def _is_switch(cell: fields.Field[Any], columns: Sequence[tuple[str, fields.Field[Any], str]]) -> bool:
    return isinstance(cell, fields.Boolean) and not isinstance(_in_table(cell, columns), _Answer)


def _rows(name: str, form: Form) -> list[str]:
    """The row numbers that the form holds, in the order of the page."""
    pattern = re.compile(rf"{re.escape(name)}\.(\d{{1,6}})\.key")
    return [found[1] for key in form if key and (found := pattern.fullmatch(key))]


def row_problems(one: fields.Field[Any], name: str, form: Form) -> list[str]:
    """What is wrong with the rows of a table before its values are looked at: no left side, or the same one twice."""
    if not isinstance(one, fields.Dict):
        return []
    seen: set[str] = set()
    said = []
    for index in _rows(name, form):
        alone = {other: values for other, values in form.items() if other.startswith(f"{name}.{index}.")}
        for key in _read_map(one, name, alone):
            if not key:
                said.append(_("A row has a right side but nothing on the left."))
            elif key in seen:
                said.append(_("{key} stands in two rows; keep one of them.", key=key))
            seen.add(key)
    return said


KINDS: tuple[tuple[type[Any], Kind], ...] = (  # the first that fits
    (Secret, Kind(_draw_secret, _read_secret)),
    (Choice, Kind(_draw_choice, _read_choice)),
    (Choices, Kind(_draw_choices, _read_choices)),
    (_Answer, Kind(_draw_answer, _read_switch)),
    (fields.Dict, Kind(_draw_map, _read_map)),
    (fields.List, Kind(_draw_list, _read_list)),
    (fields.Enum, Kind(_draw_enum, _read_enum)),
    (fields.Boolean, Kind(_draw_switch, _read_switch)),
    (fields.Integer, Kind(_draw_text("number", "1"), _read_number)),
    (fields.Float, Kind(_draw_text("number", "any"), _read_number)),
    (fields.Decimal, Kind(_draw_text("number", "any"), _read_exact)),
    (fields.Time, Kind(_draw_text("time", "1"), _read_text)),
    (fields.Date, Kind(_draw_text("date"), _read_text)),
    (fields.DateTime, Kind(_draw_moment, _read_moment)),
    (fields.Email, Kind(_draw_text("email"), _read_text)),
    (fields.Url, Kind(_draw_text("url"), _read_text)),
    (fields.String, Kind(_draw_text("text"), _read_text)),
    (fields.Field, Kind(_draw_json, _read_json)),
)


def kind_of(one: fields.Field[Any]) -> Kind:
    return next(kind for made, kind in KINDS if isinstance(one, made))


def as_stored(one: fields.Field[Any], value: Any, stored: Any) -> Any:
    """The value spelled as it is stored where both mean the same choice: a form that changes nothing changes nothing."""
    if isinstance(one, Choice):
        return stored if stored is not None and value is not None and ident(value) == ident(stored) else value
    if isinstance(one, Choices) and isinstance(value, list) and isinstance(stored, list):
        return stored if sorted(map(ident, value)) == sorted(map(ident, stored)) else value
    if isinstance(one, fields.Dict) and isinstance(value, Mapping) and isinstance(stored, Mapping):
        right = right_of(one)
        return {key: as_stored(right, item, stored.get(key)) for key, item in value.items()}
    if isinstance(one, fields.Nested) and isinstance(value, Mapping) and isinstance(stored, Mapping):
        cells = {key: cell for key, cell, _head in columns_of(one)}
        return {key: as_stored(cells[key], item, stored.get(key)) for key, item in value.items()}
    return value


def in_words(one: fields.Field[Any], value: Any, catalogues: Catalogues = no_catalogues) -> str:
    """A value as people read it: names of choices, never a secret."""
    if value in (None, "", [], {}):
        return _("empty")
    if isinstance(one, Secret):
        return value if REFERENCE.match(str(value)) else "••••••••"
    if isinstance(one, Choice | Choices):
        names = {ident(item.value): item.label for item in catalogues(one.side, one.kind)}
        several = value if isinstance(value, list) else [value]
        return ", ".join(names.get(ident(item), shown(item)) for item in several)
    if isinstance(one, fields.Nested) and isinstance(value, Mapping):
        cells = [(head, cell, value.get(key)) for key, cell, head in columns_of(one)]
        return "; ".join(f"{head}: {in_words(cell, at, catalogues)}" for head, cell, at in cells if at is not None)
    if isinstance(value, Mapping):
        return n_("{n} row", "{n} rows", len(value))
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, str):
        return next((item.label for item in draw(one, "", value).items if item.value == value), value)
    if isinstance(value, list):
        labels = {item.value: item.label for item in draw(one, "", value).items}
        return ", ".join(labels.get(shown(item), shown(item)) for item in value)
    return shown(value)


def lines_in_words(one: fields.Field[Any], value: Any, catalogues: Catalogues = no_catalogues) -> list[str]:
    """As `in_words`, each row of a mapping for itself."""
    if not isinstance(one, fields.Dict) or not isinstance(value, Mapping) or not value:
        return [in_words(one, value, catalogues)]
    left = catalogues("source", one.kind) if isinstance(one, ValueMap) else ()
    names, right = {item.value: item.label for item in left}, right_of(one)
    return [f"{names.get(str(key), key)} → {in_words(right, cell, catalogues)}" for key, cell in value.items()]
