"""Event procedures and accounts as YAML: problems with their lines, round trip, and the rule of deletion."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from admin import configuration
from admin.configuration import Wrong
from profiles import models, wiring
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


def collected(database: Database) -> None:
    with database.reading() as session:
        ids = session.scalars(select(models.Connection.id)).all()
    for id in ids:
        wiring.collect_connection(database, id)


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
        ("7.1 - 7.99", "abc", 17, "'abc' is not a status: a number, or a range as 7-7.99."),
        ("referrer: 183", "referrer: [abc]", 18, "'abc' is not a number, as the ids of this list are."),
        (
            "referrer: 183",
            "country: [D-E]",
            18,
            "'D-E' is not a number, as the ids of this list are, nor one of the short",
        ),
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


def test_a_country_is_understood_by_its_iso_code_also_before_its_list_is_collected(database: Database) -> None:
    text = FILE.replace("referrer: 183", "country: [at, AUT, 3]")
    applied(database, text)
    assert stored(database)[0].filters["country"] == ["at", "AUT", "3"]
    collected(database)
    applied(database, text)
    assert stored(database)[0].filters["country"] == ["2", "2", "3"]
    assert applied(database, text) == []
    with pytest.raises(Wrong, match="'XX' is not a number, as the ids of this list are, nor one of the short"):
        applied(database, text.replace("AUT", "XX"))


def test_a_number_that_the_collected_lists_lack_is_doubted_and_hinders_nothing(database: Database) -> None:
    applied(database, FILE)
    collected(database)
    text = FILE.replace("referrer: 183", "referrer: [183, 99], country: [AT, 7]").replace("status: [7,", "status: [77,")
    applied(database, text)
    with database.reading() as session:
        told = [str(one) for one in configuration.doubts(session, text)]
    assert told == [
        "line 17: profile 'Order events', procedures.0.status: '77' is not among the lists of house (Order statuses). "
        "Did you mean '7'?",
        "line 18: profile 'Order events', procedures.0.filters.referrer: '99' is not among the lists of house (Referrers).",
        "line 18: profile 'Order events', procedures.0.filters.country: '7' is not among the lists of house (Countries).",
    ]


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
        for key, target in (("1", "T1"), ("2", "T2"), ("3", None)):
            session.add(
                models.SyncRecord(
                    profile_id=profile.id, source_id=key, target_id=target, refs={},
                    status="complete" if target else "skipped", created_at=now(), updated_at=now(),
                )
            )  # fmt: skip
    assert "2 orders are connected with it" in refusal()
    with database.session() as session:  # who deletes the profile does not get around the rule
        configuration.delete_profile(session, "Import")
    assert "2 orders are connected with it" in refusal()
    with database.session() as session:
        again = models.Profile(
            name="Again", entity="order", direction="import", from_id=market.id, to_id=house.id, active=False,
            cron="* * * * *", settings={}, created_at=now(), updated_at=now(),
        )  # fmt: skip
        session.add(again)
        session.flush()
        session.add(
            models.SyncRecord(profile_id=again.id, source_id="1", status="skipped", created_at=now(), updated_at=now())
        )
    assert "2 orders are connected with it" in refusal()  # each is counted once
    with database.session() as session:
        configuration.delete_profile(session, "Again")
        session.execute(delete(models.Written))  # as if nothing had been written
        configuration.delete_connection(session, "market")
        assert session.scalars(select(models.Connection.name)).all() == ["house"]
