"""A system that nobody knows, with a setting of every field type: what the pages make of it is declared here alone."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from marshmallow import fields, validate

import connector.registry
from connector import Catalogue, Connector, Entry, Ref, Resource
from connector.settings import (
    ALL_SCOPES,
    ATTRIBUTES,
    CONFIGURATION,
    STATUSES,
    Choice,
    Choices,
    Row,
    Secret,
    Section,
    Settings,
    ValueMap,
    between,
    one_of,
    setting,
)
from profiles.db import Database, now
from profiles.models import CatalogueEntry, Connection, Profile, SyncRecord
from profiles.secrets import SEALED, opened, seal
from tests.admin import conftest

OWN = Section("own", "Own {direction} things", 95)
HIDDEN_TEXT = "pl4nted-secret-of-thing"


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class ThingRow(Settings):
    method = setting(Choice("payment_method", required=True), section=OWN, label="Method", required=True)
    factor = setting(fields.Float(validate=between(0, 10)), section=OWN, label="Factor")
    create = setting(fields.Boolean(load_default=True), section=OWN, label="Create it?", default=True)


class ThingOptions(Settings):
    text = setting(
        fields.String(validate=validate.Length(max=20)), section=CONFIGURATION, label="A text", scopes=ALL_SCOPES
    )
    pin = setting(Secret(), section=CONFIGURATION, label="A secret", scopes=ALL_SCOPES)
    number = setting(
        fields.Integer(strict=True, validate=between(1, 9)), section=CONFIGURATION, label="A number", default=3
    )
    decimal = setting(fields.Decimal(places=2), section=CONFIGURATION, label="A decimal")
    ratio = setting(fields.Float(validate=between(0, 1)), section=CONFIGURATION, label="A range", default=0.5)
    switch = setting(fields.Boolean(), section=CONFIGURATION, label="A switch", default=True, scopes=ALL_SCOPES)
    mode = setting(
        fields.String(validate=one_of("fast", "safe", labels=("Very fast", "Very safe"))),
        section=CONFIGURATION,
        label="A choice of words",
        default="safe",
    )
    choice = setting(Choice("warehouse"), section=OWN, label="A choice", scopes=ALL_SCOPES)
    unknown = setting(Choice("never_collected"), section=OWN, label="A choice without a list")
    plain_map = setting(
        ValueMap("order_status", Choice("order_status")), section=STATUSES, label="A table", required=True
    )
    row_map = setting(
        ValueMap("payment_method", Row(ThingRow)), section=OWN, label="A table with rows", scopes=ALL_SCOPES
    )
    word_map = setting(ValueMap("word", fields.String()), section=OWN, label="A table of words", default={"a": "b"})
    names = setting(fields.List(fields.String()), section=OWN, label="A list")
    day = setting(fields.Date(), section=ATTRIBUTES, label="A day")
    moment = setting(fields.AwareDateTime(), section=ATTRIBUTES, label="A moment")
    time = setting(fields.Time(), section=ATTRIBUTES, label="A time of day")
    email = setting(fields.Email(), section=ATTRIBUTES, label="An e-mail address")
    url = setting(fields.Url(), section=ATTRIBUTES, label="An address")
    colour = setting(fields.Enum(Colour), section=ATTRIBUTES, label="A colour")
    by_value = setting(fields.Enum(Colour, by_value=True), section=ATTRIBUTES, label="A colour by value")
    nested = setting(fields.List(fields.Nested(ThingRow)), section=ATTRIBUTES, label="Nested JSON")
    anything = setting(fields.Raw(), section=ATTRIBUTES, label="Any JSON", help="For {entity}s.")


GOOD: dict[str, list[str]] = {
    "s.text": ["plain <words>"],
    "s.pin": [HIDDEN_TEXT],
    "s.number": ["7"],
    "s.decimal": ["12,50"],
    "s.ratio": ["0.25"],
    "s.switch": ["no"],
    "s.mode": ["fast"],
    "s.choice": ["104"],
    "s.unknown": ["typed by hand"],
    "s.choices": ["new", "typed-one"],
    "s.plain_map.0.key": ["new"],
    "s.plain_map.0.value": ["3"],
    "s.row_map.0.key": ["cash"],
    "s.row_map.0.method": ["1"],
    "s.row_map.0.factor": ["2.5"],
    "s.row_map.0.create": ["no"],
    "s.word_map.0.key": ["left"],
    "s.word_map.0.value": ["right"],
    "s.names": ["one\ntwo"],
    "s.day": ["2026-03-29"],
    "s.moment": ["2026-03-29T01:30:00"],
    "s.time": ["06:30:00"],
    "s.email": ["anna@example.com"],
    "s.url": ["https://example.com/x"],
    "s.colour": ["BLUE"],
    "s.by_value": ["red"],
    "s.nested": ['[{"method": 5, "create": true}]'],
    "s.anything": ['{"deep": [1, null]}'],
}
STORED: dict[str, Any] = {
    "text": "plain <words>",
    "pin": HIDDEN_TEXT,
    "number": 7,
    "decimal": 12.5,
    "ratio": 0.25,
    "switch": False,
    "mode": "fast",
    "choice": 104,
    "unknown": "typed by hand",
    "choices": ["new", "typed-one"],
    "plain_map": {"new": 3},
    "row_map": {"cash": {"method": 1, "factor": 2.5, "create": False}},
    "word_map": {"left": "right"},
    "names": ["one", "two"],
    "day": "2026-03-29",
    "moment": "2026-03-29T01:30:00+00:00",
    "time": "06:30:00",
    "email": "anna@example.com",
    "url": "https://example.com/x",
    "colour": "BLUE",
    "by_value": "red",
    "nested": [{"method": 5, "create": True}],
    "anything": {"deep": [1, None]},
}
BAD: dict[str, str] = {  # what each of them refuses
    "s.text": "x" * 21,
    "s.number": "10",
    "s.decimal": "much",
    "s.ratio": "1.5",
    "s.mode": "slow",
    "s.day": "tomorrow",
    "s.moment": "later",
    "s.time": "noon",
    "s.email": "nobody",
    "s.url": "nowhere",
    "s.colour": "GREEN",
    "s.by_value": "green",
    "s.nested": "{broken",
    "s.plain_map.0.key": "",
    "s.row_map.0.method": "",
    "s.row_map.0.factor": "11",
}


def readable(settings: dict[str, Any]) -> dict[str, Any]:
    """The stored settings with the secret opened."""
    made = dict(settings)
    values = made.get("global") or {}
    if str(values.get("pin")).startswith(SEALED):  # a reference stays what it is
        made["global"] = {**values, "pin": opened(values["pin"])}
    return made


class ThingFilters(Settings):
    choices = setting(Choices("order_status", side="source"), section=STATUSES, label="Some choices", scopes=ALL_SCOPES)


class ThingOrders(Resource):
    entity = "order"
    label = "Orders"
    SourceOptions = ThingFilters
    TargetOptions = ThingOptions
    key_ref = "thing_id"
    refs = (Ref(key="thing_id", label="Thing ID"), Ref(key="part_id", label="Thing Part ID"))

    def read(self, since: Any, options: Any) -> Any:
        return iter(())

    def write(self, record: Any, known: Any, options: Any) -> Any:
        raise NotImplementedError


class Thing(Connector):
    code = "thing"
    label = "A Thing"
    resources = (ThingOrders,)
    catalogues = (Catalogue(kind="order_status", label="Order statuses"),)

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        yield "never_collected", [Entry(id="77", name="Seventy-seven")]
        yield "order_status", [Entry(id="new", name="New"), Entry(id="3", name="Three")]


def install(patch: pytest.MonkeyPatch, db: Database) -> int:
    """Make the system known and a profile with it on both sides; its id."""
    mine = EntryPoint("thing", f"{__name__}:Thing", "connector.plugins")
    patch.setattr(connector.registry, "entry_points", lambda group: [mine, *conftest._points(group)])
    connector.registry.forget()
    moment = now()
    with db.session() as session:
        ends = [
            Connection(
                name=name,
                connector="thing",
                base_url="https://thing.example.com",
                credentials=seal({}),
                created_at=moment,
                updated_at=moment,
            )
            for name in ("thing-one", "thing-two")
        ]
        session.add_all(ends)
        session.flush()
        told = {
            (0, "website"): [("base", "Main website")],
            (0, "store"): [("de", "German store"), ("en", "English store")],
            (0, "order_status"): [("new", "New"), ("done", "Complete"), ("cod", "Cash on delivery")],
            (0, "payment_method"): [("cash", "Cash On Delivery"), ("inv", "Invoice")],
            (1, "order_status"): [("3", "Neu"), ("7", "Abgeschlossen"), ("9", "Nachnahme")],
            (1, "payment_method"): [("1", "Nachnahme"), ("2", "Rechnung (Kauf)")],
            (1, "warehouse"): [(str(at), f"Warehouse {at}") for at in range(100, 400)],
        }
        session.add_all(
            CatalogueEntry(
                connection_id=ends[side].id,
                kind=kind,
                entry=entry,
                name=name,
                learned=side == 0 and kind in ("order_status", "payment_method"),
                extra={"website": "base"} if kind == "store" else {},
                collected_at=moment,
            )
            for (side, kind), entries in told.items()
            for entry, name in entries
        )
        profile = Profile(
            name="Things",
            entity="order",
            direction="export",
            from_id=ends[0].id,
            to_id=ends[1].id,
            active=False,
            cron="*/15 * * * *",
            timezone="Europe/Berlin",
            settings={},
            settings_version=0,
            created_at=moment,
            updated_at=moment,
        )
        session.add(profile)
        session.flush()
        session.add(
            SyncRecord(
                profile_id=profile.id,
                source_id="1",
                source_number="T1",
                status="complete",
                created_at=moment,
                updated_at=moment,
            )
        )
        return profile.id
