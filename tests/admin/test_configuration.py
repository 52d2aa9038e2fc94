"""Connections and profiles as YAML: problems with their lines, all or nothing, round trip, no secret in clear."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from marshmallow import fields
from sqlalchemy import select

from admin import configuration
from admin.configuration import ConnectionSpec, ProfileSpec, Wrong
from connector import Connector, Page, Resource, Written, registry
from connector.settings import ACCOUNT, ALL_SCOPES, STATUSES, Choice, Row, Secret, Settings, ValueMap, setting
from profiles import models
from profiles.db import Database, now
from profiles.secrets import HIDDEN, opened, unseal


class Account(Settings):
    user = setting(fields.String(), section=ACCOUNT, label="User", required=True)
    password = setting(Secret(), section=ACCOUNT, label="Password", required=True)
    token = setting(Secret(), section=ACCOUNT, label="Token")


class Door(Settings):
    gate = setting(Choice("gate"), section=STATUSES, label="Gate")
    code = setting(Secret(), section=STATUSES, label="Code")


class Target(Settings):
    warehouse = setting(Choice("warehouse"), section=STATUSES, label="Warehouse", scopes=ALL_SCOPES)
    pin = setting(Secret(), section=STATUSES, label="Pin", scopes=ALL_SCOPES)
    statuses = setting(ValueMap("status", Choice("status")), section=STATUSES, label="Statuses", default={})
    doors = setting(ValueMap("door", Row(Door)), section=STATUSES, label="Doors", default={})
    spare = setting(fields.List(Secret()), section=STATUSES, label="Spare pins")
    note = setting(fields.String(), section=STATUSES, label="Note")


class Sending(Resource):
    entity, label = "order", "Orders"

    def read(self, since: Any, options: Any) -> Iterator[Page]:
        return iter(())


class Receiving(Resource):
    entity, label = "order", "Orders"
    TargetOptions = Target

    def write(self, record: Any, known: Any, options: Any) -> Written:
        raise NotImplementedError


class Till(Connector):
    code, label, Settings, resources = "till", "Till", Account, (Sending,)


class Depot(Connector):
    code, label, Settings, resources = "depot", "Depot", Account, (Receiving,)


FILE = """\
connections:
  - {name: shop, connector: till, base_url: "http://127.0.0.1:9101", credentials: {user: u1, password: first-secret}}
  - name: erp
    connector: depot
    base_url: "http://127.0.0.1:9102/"
    credentials:
      user: u2
      password: "env:DEPOT_PASSWORD"
profiles:
  - name: Order export
    entity: order
    direction: export
    from: shop
    to: erp
    active: true
    cron: "*/15 * * * *"
    timezone: Europe/Berlin
    settings:
      global:
        warehouse: 104
        statuses: {processing: 5, complete: 7}
      websites: {}
      stores: {no: {warehouse: "0105"}}
"""


@pytest.fixture(autouse=True)
def install(bundled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Only these two connectors are installed; a test may install other ones."""
    for name in ("DEPOT_PASSWORD", "SHOP_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def installed(*names: str) -> None:
        points = [EntryPoint(name, f"{__name__}:{name.capitalize()}", registry.GROUP) for name in names]
        monkeypatch.setattr(registry, "entry_points", lambda group: points)
        registry.forget()

    installed("till", "depot")
    yield installed
    registry.forget()


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


Apply = Callable[[str], list[str]]


@pytest.fixture
def apply(database: Database) -> Apply:
    def applied(text: str) -> list[str]:
        with database.session() as session:
            return configuration.apply(session, text, by="test")

    return applied


def problems(text: str, database: Database) -> list[str]:
    with pytest.raises(Wrong) as caught, database.session() as session:
        configuration.apply(session, text)
    return caught.value.problems


def exported(database: Database) -> str:
    with database.reading() as session:
        return configuration.export(session)


def diff(database: Database, text: str) -> list[str]:
    with database.reading() as session:
        return configuration.diff(session, text)


def stored(database: Database) -> Any:
    with database.reading() as session:
        return configuration.profile(session, "Order export").settings


def credentials(database: Database, name: str) -> dict[str, Any]:
    with database.reading() as session:
        return dict(unseal(configuration.connection(session, name).credentials))


def test_a_file_is_stored_as_it_says(apply: Apply, database: Database) -> None:
    assert apply(FILE) == [
        "connection 'shop': new, till at http://127.0.0.1:9101",
        "connection 'erp': new, depot at http://127.0.0.1:9102",
        "profile 'Order export': new, order export from shop to erp, active, */15 * * * * (Europe/Berlin)",
    ]
    with database.reading() as session:
        row = configuration.profile(session, "Order export")
        assert row.settings == {
            "global": {"warehouse": 104, "statuses": {"processing": 5, "complete": 7}},
            "websites": {},
            "stores": {"no": {"warehouse": "0105"}},
        }
        assert (row.active, row.cron, row.timezone) == (True, "*/15 * * * *", "Europe/Berlin")
        versions = session.scalars(select(models.SettingsVersion)).all()
        assert [(one.version, one.author, one.settings) for one in versions] == [(1, "test", row.settings)]


def test_applying_twice_changes_nothing(apply: Apply, database: Database) -> None:
    apply(FILE)
    assert apply(FILE) == []
    with database.reading() as session:
        assert len(session.scalars(select(models.SettingsVersion)).all()) == 1


def test_an_active_profile_has_its_next_task_when_it_is_saved(apply: Apply, database: Database) -> None:
    apply(FILE)
    with database.reading() as session:
        assert [one.status for one in session.scalars(select(models.Task))] == ["pending"]
    apply(FILE.replace("active: true", "active: false"))
    with database.reading() as session:
        assert [one.status for one in session.scalars(select(models.Task))] == []


def test_changed_settings_are_a_new_version_and_a_changed_cron_line_is_not(apply: Apply, database: Database) -> None:
    apply(FILE)
    assert apply(FILE.replace("*/15", "*/20")) == ["profile 'Order export', cron: */15 * * * * → */20 * * * *"]
    assert apply(FILE.replace("*/15", "*/20").replace("104", "105")) == [
        "profile 'Order export', settings.global.warehouse: 104 → 105"
    ]
    with database.reading() as session:
        assert session.scalars(select(models.SettingsVersion.version)).all() == [1, 2]


def test_diff_says_what_apply_would_change_and_stores_nothing(apply: Apply, database: Database) -> None:
    apply(FILE)
    changed = (
        FILE.replace("complete: 7", "closed: 8").replace("active: true", "active: false").replace("no: {", "de: {")
    )
    said = [
        "profile 'Order export', active: true → false",
        "profile 'Order export', settings.global.statuses.complete: 7 → not set",
        "profile 'Order export', settings.global.statuses.closed: not set → 8",
        'profile \'Order export\', settings.stores.no: {"warehouse": "0105"} → not set',
        'profile \'Order export\', settings.stores.de: not set → {"warehouse": "0105"}',
    ]
    assert diff(database, changed) == said
    assert diff(database, changed) == said
    assert apply(changed) == said
    assert diff(database, changed) == []


def test_a_number_and_the_same_text_are_a_difference(apply: Apply, database: Database) -> None:
    apply(FILE)
    assert diff(database, FILE.replace("warehouse: 104", 'warehouse: "104"')) == [
        "profile 'Order export', settings.global.warehouse: 104 → \"104\""
    ]


def test_every_problem_of_a_file_is_named_with_its_line(database: Database) -> None:
    text = """\
connections:
  - name: shop
    conector: till
    base_url: 127.0.0.1:9101
    credentials: {user: [1], pasword: x}
  - name: shop
    connector: tilll
    base_url: "http://127.0.0.1"
profiles:
  - name: Order export
    entity: ordr
    direction: exprt
    from: shopp
    to: shop
    active: maybe
    cron: "61 * * * *"
    timezone: Europe/Berln
    settings: {globl: {}}
colour: red
"""
    said = problems(text, database)
    lines = [one.partition(":")[0] for one in said]
    assert lines == [
        "line 2", "line 3", "line 4", "line 6", "line 7", "line 12", "line 13", "line 15", "line 16", "line 17",
        "line 18", "line 19",
    ]  # fmt: skip
    assert (
        "line 3: connection 'shop', conector: The key 'conector' is not known here. Did you mean 'connector'?" in said
    )
    assert any("must begin with https://" in one for one in said)
    assert any("line 7" in one and "Did you mean 'till'?" in one for one in said)
    assert any("line 13" in one and "no connection 'shopp'" in one and "'shop'?" in one for one in said)
    assert any("line 15" in one and "true or false" in one for one in said)
    assert any("line 17" in one and "Berln" in one for one in said)
    assert any("line 18" in one and "'global'" in one for one in said)


def test_a_wrong_setting_is_named_with_the_line_of_its_value(database: Database) -> None:
    text = FILE.replace("warehouse: 104", "warehous: 104").replace("complete: 7", "complete: [7]")
    said = problems(text, database)
    assert [one.partition(":")[0] for one in said] == ["line 20", "line 21"]
    assert "settings.global.warehous: Unknown setting. Did you mean 'warehouse'?" in said[0]
    assert "settings.global.statuses.complete" in said[1]


def test_a_key_that_stands_twice_is_refused(database: Database) -> None:
    said = problems(FILE.replace("    to: erp\n", "    to: erp\n    from: erp\n"), database)
    assert said == ["line 15: profile 'Order export', from: This key stands twice; the first is on line 13."]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("connections: [", "line 1"),
        ("\n\nconnections: *x", "line 3"),
        ("profiles:\n\t- a", "line 2"),
        ("a: \x07", "line 1"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(text: str, line: str, database: Database) -> None:
    (said,) = problems(text, database)
    assert said.startswith(f"{line}: ")


def test_a_cron_line_without_quotes_is_explained(database: Database) -> None:
    (said,) = problems("profiles:\n  - cron: */15 * * * *\n", database)
    assert "must stand in quotes" in said


def test_yaml_tags_have_no_power(database: Database) -> None:
    said = problems("connections: !!python/object/apply:os.system ['true']\n", database)
    assert "tag" in said[0]


def test_a_file_that_refers_to_itself_ends(database: Database) -> None:
    assert "refers to itself" in problems("connections: &a [*a]\n", database)[0]


def test_a_small_file_that_grows_without_end_is_refused(database: Database) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))
    assert "too many values" in problems(f"a0: &a0 [1]\n{levels}\n", database)[0]


def test_one_wrong_profile_leaves_everything_as_it_was(database: Database) -> None:
    problems(FILE.replace("to: erp", "to: nowhere"), database)
    with database.reading() as session:
        assert session.scalars(select(models.Connection)).all() == []


def test_what_export_writes_changes_nothing_when_it_is_applied(apply: Apply, database: Database) -> None:
    apply(FILE)
    text = exported(database)
    assert apply(text) == []
    assert exported(database) == text
    assert credentials(database, "shop") == {"user": "u1", "password": "first-secret"}


def test_one_profile_is_exported_with_its_two_connections(apply: Apply, database: Database) -> None:
    apply(FILE + FILE.partition("profiles:\n")[2].replace("Order export", "Another one"))
    apply(FILE.replace("name: shop", "name: market").replace("from: shop", "from: market").replace("Order ex", "Ex"))
    with database.reading() as session:
        document = configuration.read(configuration.export(session, profile="Export"))
    assert [one.name for one in document.profiles] == ["Export"]
    assert [one.name for one in document.connections] == ["erp", "market"]


def test_export_survives_names_and_values_that_yaml_reads_as_something_else(apply: Apply, database: Database) -> None:
    odd = FILE.replace("name: Order export", 'name: "yes: # - 12"').replace("no:", '"1.50":').replace("u1", '"0123"')
    apply(odd)
    assert apply(exported(database)) == []


def test_export_writes_a_reference_in_the_place_of_a_stored_secret(apply: Apply, database: Database) -> None:
    apply(FILE)
    lines = exported(database).splitlines()
    (line,) = [one for one in lines if "env:SHOP_PASSWORD" in one]
    assert "set SHOP_PASSWORD" in line
    (line,) = [one for one in lines if "env:DEPOT_PASSWORD" in one]
    assert line.strip() == "password: env:DEPOT_PASSWORD"


def test_a_reference_that_is_set_takes_the_place_of_the_stored_secret(
    apply: Apply, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(FILE)
    monkeypatch.setenv("SHOP_PASSWORD", "another")
    assert apply(exported(database)) == ["connection 'shop', credentials.password: ••• → env:SHOP_PASSWORD"]
    assert credentials(database, "shop")["password"] == "env:SHOP_PASSWORD"


def test_five_planted_secrets_appear_in_no_text(apply: Apply, database: Database) -> None:
    planted = ["s3cret-one", "s3cret-two", "s3cret-three", "s3cret-four", "s3cret-five"]
    one, two, three, four, five = planted
    text = FILE.replace("first-secret", f"{one}, token: {two}").replace("env:DEPOT_PASSWORD", three)
    shown = apply(text)
    shown.append(exported(database))
    shown += diff(database, text.replace(one, four).replace(two, five))
    shown += apply(text.replace(one, four).replace(three, five))
    shown.append(exported(database))
    wrong = text.replace("connector: till", "connector: tilt").replace("user: u2", f"user: u2\n      tokn: {five}")
    shown += problems(wrong, database)
    shown += problems(text.replace(f"password: {one}", f"password: *{one}"), database)
    shown += problems(text.replace(f"password: {one}", f"password: !{one} x"), database)
    shown += problems(text.replace(f"password: {one}", f"password: [{one}]"), database)
    shown += problems(text.replace("http://127.0.0.1:9101", f"me:{two}@127.0.0.1"), database)
    shown += problems(text.replace("http://127.0.0.1:9101", f"https://me:{two}@127.0.0.1"), database)
    shown += problems(text.replace("http://127.0.0.1:9101", f"https://127.0.0.1?token={two}"), database)
    with database.reading() as session:
        shown += [repr(configuration.read(text)), *session.scalars(select(models.Connection.credentials))]
    everything = "\n".join(shown)
    assert [secret for secret in planted if secret in everything] == []


def test_a_secret_among_the_settings_of_a_profile_is_hidden_and_kept(apply: Apply, database: Database) -> None:
    text = FILE.replace("warehouse: 104", "pin: s3cret-pin").replace('{warehouse: "0105"}', "{pin: s3cret-store}")
    apply(text)
    written = exported(database)
    assert "pin: env:ORDER_EXPORT_PIN" in written
    assert "pin: env:ORDER_EXPORT_STORE_NO_PIN" in written
    assert apply(written) == []
    shown = apply(text.replace("s3cret-pin", "s3cret-other"))
    assert shown == ["profile 'Order export', settings.global.pin: ••• → •••"]
    assert "s3cret" not in written + exported(database)


NESTED = """\
        doors: {front: {gate: 1, code: s3cret-front}, back: {gate: 2, code: "env:BACK_CODE"}}
        spare: [s3cret-first, s3cret-second]
"""


def test_secrets_within_tables_and_lists_are_hidden_and_kept(apply: Apply, database: Database) -> None:
    text = FILE.replace("        warehouse: 104\n", NESTED)
    shown = apply(text)
    written = exported(database)
    for name in ("DOORS_FRONT_CODE", "SPARE_0", "SPARE_1"):
        assert f"env:ORDER_EXPORT_{name}" in written
    assert "env:BACK_CODE" in written
    assert apply(written) == []
    shown += apply(text.replace("s3cret-first", "s3cret-other").replace("s3cret-front", "env:FRONT_CODE"))
    assert shown[-2:] == [
        "profile 'Order export', settings.global.doors.front.code: ••• → \"env:FRONT_CODE\"",
        'profile \'Order export\', settings.global.spare: ["•••", "•••"] → ["•••", "•••"]',
    ]
    assert "s3cret" not in "".join(shown) + written + exported(database)
    spare = stored(database)["global"]["spare"]
    assert "s3cret" not in str(stored(database))
    assert [opened(one) for one in spare] == ["s3cret-other", "s3cret-second"]


def test_a_secret_of_a_store_that_comes_or_goes_is_not_shown(apply: Apply, database: Database) -> None:
    apply(FILE)
    with_pin = FILE.replace('{warehouse: "0105"}', '{warehouse: "0105"}, de: {pin: s3cret-store}')
    assert apply(with_pin) == ['profile \'Order export\', settings.stores.de: not set → {"pin": "•••"}']
    assert apply(FILE) == ['profile \'Order export\', settings.stores.de: {"pin": "•••"} → not set']


def test_where_a_connector_is_gone_no_text_of_its_settings_is_shown(
    apply: Apply, database: Database, install: Callable[..., None]
) -> None:
    apply(FILE.replace("warehouse: 104", "pin: s3cret-pin\n        note: kept\n        workers: 2"))
    before = stored(database)
    install("till")
    written = exported(database)
    assert "s3cret" not in written
    assert "kept" not in written
    assert "workers: 2" in written
    install("till", "depot")
    assert apply(written) == []  # and nothing is lost when it comes back
    assert stored(database) == before


def test_a_password_of_digits_is_a_text(apply: Apply, database: Database) -> None:
    apply(FILE.replace("first-secret", "123456"))
    assert credentials(database, "shop")["password"] == "123456"


def test_a_password_that_yaml_would_round_is_refused(database: Database) -> None:
    (said,) = problems(FILE.replace("first-secret", "1.10"), database)
    assert "credentials.password" in said


def test_a_missing_credential_is_named(database: Database) -> None:
    (said,) = problems(FILE.replace(", password: first-secret", ""), database)
    assert said == "line 2: connection 'shop', credentials.password: Password is missing."


def test_a_connection_without_credentials_in_the_file_keeps_its_own(apply: Apply, database: Database) -> None:
    apply(FILE)
    assert apply(FILE.replace(", credentials: {user: u1, password: first-secret}", "")) == []
    assert credentials(database, "shop")["password"] == "first-secret"


def test_a_hidden_secret_of_a_form_keeps_the_stored_one(apply: Apply, database: Database) -> None:
    apply(FILE)
    spec = ConnectionSpec(
        name="shop",
        connector="till",
        base_url="http://127.0.0.1:9101",
        credentials={"user": "other", "password": HIDDEN, "token": None},
    )
    with database.session() as session:
        assert configuration.save_connection(session, spec) == ["connection 'shop', credentials.user: u1 → other"]
    assert credentials(database, "shop") == {"user": "other", "password": "first-secret"}


def test_two_connections_whose_secrets_would_have_one_reference_are_refused(database: Database) -> None:
    (said,) = problems(FILE.replace("name: erp", "name: SHOP").replace("to: erp", "to: SHOP"), database)[:1]
    assert "too like" in said


def test_a_private_address_is_refused_unless_it_is_allowed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    said = problems(FILE, database)
    assert [one.partition(":")[0] for one in said] == ["line 2", "line 5"]
    assert "private network" in said[0]


def test_a_private_address_that_is_stored_hinders_no_other_change(
    apply: Apply, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(FILE)
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    assert diff(database, FILE) == []
    assert apply(FILE.replace("warehouse: 104", "warehouse: 105").replace("first-secret", "second-secret")) == [
        "connection 'shop', credentials.password: ••• → •••",
        "profile 'Order export', settings.global.warehouse: 104 → 105",
    ]
    (said,) = problems(FILE.replace("127.0.0.1:9101", "127.0.0.1:9201"), database)
    assert said.startswith("line 2: ")
    (said,) = problems(FILE.replace("name: erp", "name: erp2").replace("to: erp", "to: erp2"), database)
    assert said.startswith("line 5: ")


@pytest.mark.parametrize("line", ['"61 * * * *"', '"* * *"', '""', "15", "[1]", "~"])
def test_a_bad_cron_line_is_said_once(database: Database, line: str) -> None:
    (said,) = problems(FILE.replace('"*/15 * * * *"', line), database)
    assert said.startswith("line 16: profile 'Order export', cron: ")


def test_new_credentials_make_the_last_test_of_a_connection_void(apply: Apply, database: Database) -> None:
    apply(FILE)
    with database.session() as session:
        row = configuration.connection(session, "shop")
        row.checked_at, row.check_ok, row.check_message = now(), True, "All right."
        session.add(models.Shared(connection_id=row.id, key="token", value="x"))
    apply(FILE.replace("first-secret", "second-secret"))
    with database.reading() as session:
        row = configuration.connection(session, "shop")
        assert (row.checked_at, row.check_ok, row.check_message) == (None, None, None)
        assert session.scalars(select(models.Shared)).all() == []


def test_a_connection_does_not_become_one_to_another_system(apply: Apply, database: Database) -> None:
    apply(FILE)
    said = problems(FILE.replace("connector: till", "connector: depot"), database)
    assert any("cannot become one to depot" in one for one in said)


def test_a_profile_with_records_keeps_its_ends(apply: Apply, database: Database) -> None:
    apply(FILE)
    other = FILE.replace("name: shop", "name: shop2").replace("from: shop", "from: shop2")
    assert diff(database, other)
    with database.session() as session:
        profile = configuration.profile(session, "Order export")
        moment = now()
        session.add(
            models.SyncRecord(
                profile_id=profile.id, source_id="1", status="complete", created_at=moment, updated_at=moment
            )
        )
    (said,) = problems(other, database)
    assert "from: It cannot be changed" in said


def test_a_connector_that_cannot_write_the_entity_is_refused(database: Database) -> None:
    (said,) = problems(FILE.replace("to: erp", "to: shop"), database)
    assert said.startswith("line 11: profile 'Order export', entity: Till can")


def test_a_connection_that_is_used_is_not_deleted(apply: Apply, database: Database) -> None:
    apply(FILE)
    with pytest.raises(Wrong, match="used by 'Order export'"), database.session() as session:
        configuration.delete_connection(session, "shop")
    with database.session() as session:
        configuration.delete_profile(session, "Order export")
        configuration.delete_connection(session, "shop")
        assert session.scalars(select(models.Connection.name)).all() == ["erp"]


def test_a_connection_and_a_profile_can_be_renamed(apply: Apply, database: Database) -> None:
    apply(FILE)
    spec = configuration.read(FILE).profiles[0]
    renamed = ProfileSpec(**{**vars(spec), "name": "Orders"})
    with database.session() as session:
        assert configuration.save_profile(session, renamed, now_called="Order export") == [
            "profile 'Orders', name: Order export → Orders"
        ]
        shop = ConnectionSpec(name="store", connector="till", base_url="http://127.0.0.1:9101")
        assert configuration.save_connection(session, shop, now_called="shop") == [
            "connection 'store', name: shop → store"
        ]
        assert session.scalars(select(models.Profile.name)).all() == ["Orders"]


def test_an_unknown_name_brings_a_near_one(apply: Apply, database: Database) -> None:
    apply(FILE)
    with database.reading() as session:
        with pytest.raises(configuration.Unknown, match="Did you mean 'Order export'"):
            configuration.profile(session, "order exprt")
        with pytest.raises(configuration.Unknown, match="There are: erp, shop"):
            configuration.connection(session, "warehouse9")


def test_references_that_are_not_set_are_listed(
    apply: Apply, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(FILE)
    with database.reading() as session:
        assert configuration.missing_variables(session, FILE) == ["DEPOT_PASSWORD"]
        monkeypatch.setenv("DEPOT_PASSWORD", "x")
        assert configuration.missing_variables(session, FILE) == []
    changed = FILE.replace("warehouse: 104", 'pin: "env:GATE_PIN"')
    apply(changed)
    with database.reading() as session:
        assert configuration.missing_variables(session, changed) == ["GATE_PIN"]


@pytest.mark.parametrize("given", ["env:", "env:a b", "env: DEPOT_PASSWORD", "env:1ST", "env:A-B"])
def test_a_misspelt_reference_is_no_password(database: Database, given: str) -> None:
    lines = problems(FILE.replace("env:DEPOT_PASSWORD", given).replace("warehouse: 104", f'pin: "{given}"'), database)
    assert [one.split(": ")[:2] for one in lines] == [
        ["line 8", "connection 'erp', credentials.password"],
        ["line 20", "profile 'Order export', settings.global.pin"],
    ]
    assert all("name of an environment variable" in one for one in lines)


@pytest.mark.parametrize("address", ["http://127.0.0.1 :9102/", "http://127.0.0.1:9102/a\\tb", "http://a b/"])
def test_an_address_with_a_blank_is_refused_with_its_line(database: Database, address: str) -> None:
    (line,) = problems(FILE.replace("http://127.0.0.1:9102/", address), database)
    assert line.startswith("line 5: connection 'erp', base_url: The address ")
    assert line.endswith("must not hold blanks or control characters.")


def test_a_broken_file_is_not_quoted_in_a_traceback(database: Database) -> None:
    text = FILE.replace("first", "pl4nted").replace("secret}", "secret: {")
    with pytest.raises(Wrong) as caught, database.session() as session:
        configuration.apply(session, text)
    assert "pl4nted-secret" in text
    assert "pl4nted-secret" not in "".join(traceback.format_exception(caught.value))
