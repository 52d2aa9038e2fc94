"""What all processes of a connection share, on both databases."""

from __future__ import annotations

import base64
import json
import threading
import time
from typing import Any

from sqlalchemy import select

from connector import Entry
from profiles import hosting, models
from profiles.db import Database, now
from profiles.hosting import Hosting, State
from profiles.secrets import HIDDEN, redact_text
from tests.profiles.memory import profile


def state(database: Database) -> State:
    made = profile(database)
    with database.reading() as session:
        connection = session.get_one(models.Profile, made).to_id
    return State(database, connection, threading.Event())


def test_a_fact_is_kept_changed_and_forgotten_and_never_in_clear(database: Database) -> None:
    facts = state(database)
    assert facts.read("token") is None
    facts.change("token", lambda known: {"value": "planted-secret"})
    assert facts.read("token") == {"value": "planted-secret"}
    with database.reading() as session:
        assert "planted" not in str(session.query(models.Shared).one().value)
    facts.change("token", lambda known: None)
    assert facts.read("token") is None


def test_changes_of_many_threads_lose_none(database: Database) -> None:
    facts = state(database)

    def add(known: dict[str, Any] | None) -> dict[str, Any]:
        return {"count": (known or {"count": 0})["count"] + 1}

    threads = [threading.Thread(target=lambda: [facts.change("n", add) for _ in range(5)]) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert facts.read("n") == {"count": 30}


def test_a_lock_is_held_by_one_at_a_time_and_given_back(database: Database) -> None:
    facts = state(database)
    other = State(database, facts.connection_id, threading.Event())
    inside: list[int] = []
    most: list[int] = []

    def work(mine: State) -> None:
        with mine.lock("login", 20):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work, args=(one,)) for one in (facts, other, facts, other)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert max(most) == 1
    began = time.monotonic()
    work(other)
    assert time.monotonic() - began < 5


def test_a_lock_of_a_dead_worker_is_taken_over_at_once(database: Database, monkeypatch: Any) -> None:
    facts = state(database)
    with database.session() as session:
        session.add(
            models.Shared(
                connection_id=facts.connection_id,
                key="lock:login",
                version=0,
                holder="gone",
                held_until=now().replace(year=2099),
            )
        )
    monkeypatch.setattr(hosting, "dead", lambda worker: worker == "gone")
    began = time.monotonic()
    with facts.lock("login", 30):
        assert time.monotonic() - began < 5


def test_a_collected_value_that_a_record_has_is_seen_and_stays_so_when_it_is_collected_again(
    database: Database,
) -> None:
    facts = state(database)

    def seen() -> dict[str, bool]:
        row = models.CatalogueEntry
        with database.reading() as session:
            return {one.entry: hosting.seen(one.learned, one.extra) for one in session.scalars(select(row))}

    groups = [Entry(id="0", name="Guests"), Entry(id="1", name="General", extra={"tax": 3})]
    hosting.store_entries(database, facts.connection_id, "customer_group", groups)
    assert seen() == {"0": False, "1": False}
    host = Hosting(database, facts.connection_id, "desk")
    host.learn("customer_group", [Entry(id="1", name="1")])
    assert seen() == {"0": False, "1": True}
    hosting.store_entries(database, facts.connection_id, "customer_group", groups)
    assert seen() == {"0": False, "1": True}
    (kept,) = [one for one in hosting.catalogue(database, facts.connection_id, "customer_group") if one.id == "1"]
    assert (kept.name, kept.extra["tax"]) == ("General", 3)


def test_a_usual_value_is_seen_once_a_record_has_it(database: Database) -> None:
    facts = state(database)
    usual = Entry(id="holded", name="On hold", extra={"seen": False})
    for entry, expected in ((usual, False), (usual, False), (Entry(id="holded", name="holded"), True), (usual, True)):
        Hosting(database, facts.connection_id, "desk").learn("order_status", [entry])
        with database.reading() as session:
            one = session.scalars(select(models.CatalogueEntry)).one()
        assert hosting.seen(one.learned, one.extra) is expected
        assert one.name == "On hold"


def test_learned_entries_are_added_once_and_collected_ones_replace(database: Database) -> None:
    facts = state(database)
    host = Hosting(database, facts.connection_id, "desk")
    for _ in range(2):
        host.learn("payment_method", [Entry(id="checkmo", name="checkmo")])
    hosting.store_entries(
        database, facts.connection_id, "order_status", [Entry(id="1", name="One"), Entry(id="2", name="Two")]
    )
    hosting.store_entries(database, facts.connection_id, "order_status", [Entry(id="2", name="Second")])
    host = Hosting(database, facts.connection_id, "desk")
    assert [one.id for one in host.catalogue("payment_method")] == ["checkmo"]
    assert [(one.id, one.name) for one in host.catalogue("order_status")] == [("2", "Second")]


def test_a_file_of_two_megabytes_goes_on_record_in_no_time() -> None:
    """In base64 it is one word of a million letters: a careless pattern looks at it for hours."""
    body = json.dumps([{"meta": {"token": "abc"}}, {"data": base64.b64encode(bytes(2 * 1024**2)).decode()}])
    began = time.monotonic()
    made = redact_text(body)
    assert redact_text(body[1:]).count(HIDDEN) == made.count(HIDDEN) == 1
    assert time.monotonic() - began < 10
