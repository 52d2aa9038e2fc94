"""Event procedures and accounts as YAML: problems with their lines, round trip, and the rule of deletion."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from admin import configuration
from admin.configuration import Wrong
from profiles import models
from profiles.db import Database, now
from tests.profiles import memory_events

FILE = """\
connections:
  - {name: house, connector: memory_house, base_url: "http://127.0.0.1:9", credentials: {key: "env:A"}}
  - {name: market, connector: memory_market, base_url: "http://127.0.0.1:9", credentials: {key: "env:B"}}
profiles:
  - name: Order events
    entity: event
    direction: export
    from: house
    to: market
    active: true
    cron: "* * * * *"
    timezone: UTC
    procedures:
      - name: Tell it
        active: true
        event: status
        status: [7, "7.1 - 7.99"]
        filters: {order_type: [sale, delivery], referrer: 183}
        procedure: tell
        settings: {words: shipped}
      - {name: Shout, event: invoice, procedure: shout}
"""


@pytest.fixture(autouse=True)
def systems(monkeypatch: pytest.MonkeyPatch) -> None:
    memory_events.install()
    for name in "AB":
        monkeypatch.setenv(name, "k")


def applied(database: Database, text: str) -> list[str]:
    with database.session() as session:
        return configuration.apply(session, text, "anna")


def stored(database: Database) -> list[models.EventProcedure]:
    with database.reading() as session:
        return list(session.scalars(select(models.EventProcedure).order_by(models.EventProcedure.position)))


def test_event_procedures_are_applied_once_and_exported_as_they_were_given(database: Database) -> None:
    assert any("event procedure 'Tell it': new, status → tell" in one for one in applied(database, FILE))
    assert applied(database, FILE) == []
    first, second = stored(database)
    assert (first.status, first.filters) == (
        ["7", "7.1-7.99"],
        {"order_type": ["sale", "delivery"], "referrer": ["183"]},
    )
    assert (first.active, second.active, second.event) == (True, False, "invoice")
    with database.reading() as session:
        text = configuration.export(session)
        assert configuration.diff(session, text) == []


def test_a_changed_moved_or_missing_procedure_is_told_and_stored(database: Database) -> None:
    applied(database, FILE)
    changed = FILE.replace("words: shipped", "words: gone").replace(
        "      - {name: Shout, event: invoice, procedure: shout}\n", ""
    )
    said = applied(database, changed)
    assert any("event procedure 'Tell it', settings.words" in one for one in said)
    assert any("event procedure 'Shout': deleted" in one for one in said)
    assert [one.name for one in stored(database)] == ["Tell it"]
    with database.reading() as session:
        last = session.scalars(select(models.Audit).order_by(models.Audit.id.desc())).first()
        assert last is not None
        assert last.action == "changed event procedures"


def test_a_profile_without_the_key_keeps_its_procedures(database: Database) -> None:
    applied(database, FILE)
    assert applied(database, FILE[: FILE.index("    procedures:")]) == []
    assert len(stored(database)) == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("event: status", "event: stauts", 16, "Did you mean 'status'?"),
        ("procedure: tell", "procedure: tall", 19, "There is no procedure 'tall'. Did you mean 'tell'?"),
        ("referrer: 183", "colour: red", 18, "There is no filter 'colour'."),
        ("order_type: [sale, delivery]", "order_type: [sales]", 18, "'sales' is none of"),
        ("7.1 - 7.99", "8 - 7", 17, "ends before it begins"),
        ("words: shipped", "wrods: shipped", 20, "wrods"),
        ("procedure: shout}", "procedure: shout, status: 7}", 21, "Only a change of status has statuses."),
        ("name: Shout", "name: Tell it", 21, "stands twice"),
        ("procedure: shout}", "procedure: shout, colour: red}", 21, "'colour' is not known here"),
    ],
)
def test_what_is_wrong_with_a_procedure_is_said_with_its_line(
    database: Database, old: str, new: str, line: int, said: str
) -> None:
    with pytest.raises(Wrong) as caught:
        applied(database, FILE.replace(old, new))
    (problem,) = caught.value.problems
    assert problem.startswith(f"line {line}:"), problem
    assert said in problem
    assert stored(database) == []


def test_only_a_profile_of_events_has_event_procedures(database: Database) -> None:
    with pytest.raises(Wrong, match="Only a profile of events"):
        applied(database, FILE.replace("entity: event", "entity: order"))


def test_an_account_is_switched_off_and_that_is_exported(database: Database) -> None:
    applied(database, FILE)
    off = FILE.replace('credentials: {key: "env:B"}}', 'credentials: {key: "env:B"}, active: false}')
    assert applied(database, off) == ["connection 'market', active: true → false"]
    assert applied(database, FILE) == []  # the key is not given: it stays as it is
    with database.reading() as session:
        assert "active: false" in configuration.export(session)


def test_a_market_account_is_deleted_only_while_it_is_inactive_and_without_orders(database: Database) -> None:
    applied(database, FILE)
    with database.session() as session:
        configuration.delete_profile(session, "Order events")

    def refusal() -> str:
        with database.session() as session, pytest.raises(Wrong) as caught:
            configuration.delete_connection(session, "market")
        return str(caught.value)

    assert "It is active. Deactivate it first" in refusal()
    with database.session() as session:
        market, house = (
            session.scalars(select(models.Connection).where(models.Connection.name == name)).one()
            for name in ("market", "house")
        )
        market.active = False
        profile = models.Profile(
            name="Import", entity="order", direction="import", from_id=market.id, to_id=house.id, active=False,
            cron="* * * * *", settings={}, created_at=now(), updated_at=now(),
        )  # fmt: skip
        session.add(profile)
        session.flush()
        for key in ("1", "2"):
            session.add(
                models.SyncRecord(
                    profile_id=profile.id, source_id=key, status="complete", created_at=now(), updated_at=now()
                )
            )
    assert "2 orders are connected with it" in refusal()
    with database.session() as session:
        configuration.delete_profile(session, "Import")
        configuration.delete_connection(session, "market")
        assert session.scalars(select(models.Connection.name)).all() == ["house"]
