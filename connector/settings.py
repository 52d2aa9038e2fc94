"""What a setting is: declared once, beside the code that reads it.

A `Settings` schema is a marshmallow schema whose fields are made with `setting(...)`. Form, tab, check, documentation
table and REST schema are derived from it; a value is stored as JSON per scope. A connector's author writes no form.

    class Options(Settings):
        warehouse_id = setting(Choice("warehouse"), section=WAREHOUSE, label="Main warehouse", required=True)
        status_mapping = setting(ValueMap("order_status", Choice("order_status")), section=STATUSES, ...)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as kept
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Any, TypeVar

from marshmallow import RAISE, Schema, ValidationError, fields, validate

GLOBAL, WEBSITE, STORE = "global", "website", "store"
ALL_SCOPES = (GLOBAL, WEBSITE, STORE)


@dataclass(frozen=True)
class Section:
    """A heading of the settings page; `position` gives the order of the vendor's guide."""

    code: str
    label: str
    position: int


ACCOUNT = Section("account", "Account", 0)
CONFIGURATION = Section("configuration", "{direction} configuration", 10)
API = Section("api", "API configuration", 20)
STORES = Section("store", "Store configuration", 30)
ACTIONS = Section("actions", "Actions", 35)
STATUSES = Section("statuses", "Order statuses", 40)
PAYMENT = Section("payment", "Payment", 50)
INVOICE = Section("invoice", "Invoice", 52)
SHIPMENT = Section("shipment", "Shipment", 54)
CREDIT_MEMO = Section("credit_memo", "Credit memo", 56)
SHIPPING = Section("shipping", "Shipping", 60)
CUSTOMER = Section("customer", "Customer", 70)
WAREHOUSE = Section("warehouse", "Warehouse", 80)
ITEMS = Section("items", "Items and totals", 90)
INCOMPLETE = Section("incomplete", "Incomplete orders", 95)
ATTRIBUTES = Section("attributes", "Attributes", 100)


class Settings(Schema):
    """Base of all declarations. Unknown keys are refused."""

    class Meta:
        unknown = RAISE

    @classmethod
    def upgrade(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Turn what an older version stored into today's keys; called before every load."""
        return stored


def ident(value: Any) -> str:
    """An id as one comparable text: 5, 5.0, "5.00" and Decimal("5") are all "5"; other texts stay as they are."""
    if type(value) is int:
        return str(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and value[0] != "0":
        return value
    if isinstance(value, bool):
        return str(value)
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        return str(value).strip()
    if not number.is_finite():
        return str(value).strip()
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Secret(fields.String):
    """Never shown, never exported in clear, encrypted where stored."""


class Choice(fields.Field[Any]):
    """One entry of a collected catalogue (`kind`) of the target, or of the source with side="source".

    The value is the entry's id, a number or a text, as its system writes it.
    """

    default_error_messages = {"invalid": "Expected an id (a number or a text), got {input!r}."}

    def __init__(self, kind: str, *, side: str = "target", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.side = side

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str) or value == "":
            raise self.make_error("invalid", input=value)
        if isinstance(value, float | Decimal):
            return int(value) if value == int(value) else float(value)
        return value


class Choices(fields.List[Any]):
    """Several entries of one catalogue; empty means all."""

    def __init__(self, kind: str, *, side: str = "target", **kwargs: Any) -> None:
        super().__init__(Choice(kind, side=side), **kwargs)
        self.kind = kind
        self.side = side


class Row(fields.Nested):
    """The right side of a value map with several columns, declared as a small Settings schema."""


class ValueMap(fields.Dict):
    """The table "theirs | ours": values of the source's catalogue `kind` on the left, `right` on the right.

    Keys may be typed in by hand: some systems have no list of what they use.
    """

    def __init__(self, kind: str, right: fields.Field[Any], **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), values=right, **kwargs)
        self.kind = kind
        self.right = right

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, Mapping):
            value = {str(key): item for key, item in value.items()}
        return super()._deserialize(value, attr, data, **kwargs)  # type: ignore[no-untyped-call]


FieldT = TypeVar("FieldT", bound="fields.Field[Any]")


def setting(
    field: FieldT,
    *,
    section: Section,
    label: str,
    help: str = "",
    default: Any = None,
    required: bool = False,
    scopes: tuple[str, ...] = (GLOBAL,),
    placeholder: str = "",
    when: Mapping[str, tuple[str | bool, ...]] | None = None,
) -> FieldT:
    """Declare a setting. `required` means: a run cannot start while it is empty (a scope may still leave it out).

    `when` says for which values of other settings of the schema it matters, `{"create_invoice": (True,)}`: forms hide
    it for all others, and it is not `required` then.
    """
    field.metadata = {
        "section": section,
        "label": label,
        "help": help,
        "default": default,
        "required": required,
        "scopes": scopes,
        "placeholder": placeholder,
        "when": dict(when or {}),
    }
    field.allow_none = True
    return field


@dataclass(frozen=True)
class Setting:
    """One declaration, as forms, documents and checks read it."""

    name: str
    field: fields.Field[Any]
    section: Section
    label: str
    help: str
    default: Any
    required: bool
    scopes: tuple[str, ...]
    placeholder: str = ""
    when: Mapping[str, tuple[str | bool, ...]] = kept(default_factory=dict)

    @property
    def secret(self) -> bool:
        return isinstance(self.field, Secret)

    def matters(self, values: Mapping[str, Any]) -> bool:
        """Whether it is used beside these values of the other settings (their defaults where nothing is set)."""
        return all(values.get(other) in wanted for other, wanted in self.when.items())


def declared(*schemas: type[Settings]) -> list[Setting]:
    """All settings of the schemas in the order of the page: by section, then as declared. A name stands once."""
    found: dict[str, Setting] = {}
    for schema in schemas:
        for name, field in schema._declared_fields.items():
            if "section" not in field.metadata:
                continue
            if name in found:
                raise TypeError(f"setting {name!r} is declared twice: by {schema.__name__} and another schema")
            found[name] = Setting(name=name, field=field, **field.metadata)
    return sorted(found.values(), key=lambda one: one.section.position)


class Problem(Exception):
    """What is wrong with given settings: `problems` maps the path of each value to sentences."""

    def __init__(self, problems: Mapping[str, list[str]]) -> None:
        self.problems = dict(problems)
        super().__init__("; ".join(f"{path}: {' '.join(said)}" for path, said in self.problems.items()))


def load(given: Mapping[str, Any], *schemas: type[Settings], scope: str = GLOBAL) -> dict[str, Any]:
    """Check one scope's values against the declarations and return them normalised.

    Raises Problem, naming each unknown key, each wrong value, and each setting that this scope does not allow.
    """
    known = {one.name: one for one in declared(*schemas)}
    problems: dict[str, list[str]] = {}
    clean: dict[str, Any] = {}
    for schema in schemas:
        given = schema.upgrade(dict(given))
    for name, value in given.items():
        one = known.get(name)
        if one is None:
            near = get_close_matches(str(name), known, 1)
            problems[str(name)] = ["Unknown setting." + (f" Did you mean {near[0]!r}?" if near else "")]
        elif scope not in one.scopes:
            problems[name] = [f"May be set for {', '.join(one.scopes)} only, not for a {scope}."]
        elif unclear := dict(_no_switch(one.field, value, name)):
            problems.update(unclear)
        else:
            try:
                clean[name] = one.field.deserialize(value, name, given)
            except ValidationError as error:
                problems.update(_flat(name, error.messages))
    if problems:
        raise Problem(problems)
    return clean


def _no_switch(field: fields.Field[Any], value: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """What is neither true nor false where one of them is expected: marshmallow would take 1, "yes" and "f" for one."""
    if isinstance(field, fields.Boolean):
        if not isinstance(value, bool | None) and str(value).lower() not in ("true", "false"):  # as env: brings them
            yield path, [f"Expected true or false, got {value!r}."]
    elif isinstance(field, fields.Nested) and isinstance(value, Mapping):
        for name, inner in field.schema.fields.items():
            yield from _no_switch(inner, value.get(name), f"{path}.{name}")
    elif isinstance(field, fields.Dict) and isinstance(value, Mapping) and field.value_field is not None:
        for key, one in value.items():
            yield from _no_switch(field.value_field, one, f"{path}.{key}")
    elif isinstance(field, fields.List) and isinstance(value, list):
        for at, one in enumerate(value):
            yield from _no_switch(field.inner, one, f"{path}.{at}")


def _flat(path: str, said: Any) -> Iterator[tuple[str, list[str]]]:
    if isinstance(said, Mapping):
        for key, inner in said.items():
            yield from _flat(path if key == "_schema" or key == "value" else f"{path}.{key}", inner)
    else:
        yield path, [str(one) for one in (said if isinstance(said, list) else [said])]


def defaults(*schemas: type[Settings]) -> dict[str, Any]:
    return {one.name: one.default for one in declared(*schemas)}


def to_json(value: Any) -> Any:
    """What a loaded value is stored as: dates as ISO text, all else as JSON has it."""
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


class Options(Mapping[str, Any]):
    """Resolved settings as a connector reads them: `options.warehouse_id` or `options["warehouse_id"]`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"no setting {name!r}") from None

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def mapped(options: Mapping[str, Any], name: str, value: str | None) -> Any:
    """The right side of a value map for `value`, None when it is not mapped."""
    return None if value is None else (options.get(name) or {}).get(value)


def between(low: int, high: int) -> validate.Range:
    return validate.Range(min=low, max=high, error=f"Must be from {low} to {high}, not {{input}}.")


def one_of(*choices: str, labels: tuple[str, ...] = ()) -> validate.OneOf:
    """`labels` are what people choose from, in the same order; without them, the choices themselves."""
    return validate.OneOf(choices, labels, error=f"Must be one of {', '.join(choices)}, not {{input}}.")
