"""What many threads hand to one writer: all of it is committed, and what fails is undone alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import DateTime, MetaData, Table, bindparam, create_engine, insert, select, text

from profiles import history, models
from profiles.db import MIGRATIONS, Database, DatabaseTrouble, now
from profiles.prepared import Prepared, Transaction

BEAT = models.Heartbeat.__table__
GONE = Table("no_such_table", MetaData())
ADD = Prepared(insert(models.Heartbeat), "host", "beat_at", "started_at")
FIND = Prepared(select(BEAT.c.host, BEAT.c.beat_at).where(BEAT.c.host == bindparam("host")))


def hosts(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(models.Heartbeat.host)))


@pytest.mark.parametrize("at", [datetime(2026, 3, 29, 2, 30), datetime(1999, 1, 1), datetime(2026, 1, 1, 0, 0, 0, 7)])
def test_a_moment_is_kept_in_utc_as_all_rows_before_it(at: datetime) -> None:
    sqlite = create_engine("sqlite://").dialect
    kept, usual = models.Moment().bind_processor(sqlite), DateTime().dialect_impl(sqlite).bind_processor(sqlite)
    assert kept is not None
    assert usual is not None
    here = at.replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert kept(here) == kept(here.astimezone(UTC)) == usual(here.astimezone(UTC).replace(tzinfo=None))
    assert kept(None) is None
    with pytest.raises(ValueError, match="no time zone"):
        kept(at)


def test_units_of_many_threads_are_committed_and_a_failing_one_is_undone_alone(database: Database) -> None:
    moment = now()
    failed: list[str] = []

    def add(name: str) -> None:
        def unit(transaction: Transaction) -> None:
            transaction.run(ADD, {"host": name, "beat_at": moment, "started_at": moment})
            if name.startswith("bad"):
                raise LookupError(name)

        try:
            database.write(unit)
        except LookupError as error:
            failed.append(str(error))

    names = [f"{'bad' if number % 3 == 0 else 'good'}{number}" for number in range(60)]
    with database.session():  # holds the writers of SQLite back, so that they are committed together
        threads = [threading.Thread(target=add, args=(name,)) for name in names]
        for one in threads:
            one.start()
    for one in threads:
        one.join()
    assert hosts(database) == {name for name in names if name.startswith("good")}
    assert sorted(failed) == sorted(name for name in names if name.startswith("bad"))


def test_a_prepared_statement_stores_and_gives_what_the_tables_do(database: Database) -> None:
    moment = now()
    values = {"host": "a", "beat_at": moment, "started_at": moment}
    assert database.write(lambda transaction: transaction.run(ADD, values)) == 1
    with database.reading() as session:
        assert session.get_one(models.Heartbeat, "a").beat_at == moment
    assert database.ask(FIND, {"host": "a"}) == ("a", moment)
    assert database.ask(FIND, {"host": "b"}) is None


def test_the_databases_own_trouble_is_told_as_ever(database: Database) -> None:
    with pytest.raises(DatabaseTrouble):
        database.write(
            lambda transaction: transaction.run(Prepared(select(bindparam("x")).select_from(GONE)), {"x": 1})
        )
    assert hosts(database) == set()


def add(name: str) -> Callable[[Transaction], int]:
    moment = now()
    return lambda transaction: transaction.run(ADD, {"host": name, "beat_at": moment, "started_at": moment})


def refuse(transaction: Transaction) -> None:
    raise LookupError("refused")


def test_what_is_written_later_goes_along_with_the_next_commit_of_its_thread(database: Database) -> None:
    done: list[str] = []
    with database.gathering():
        database.later(add("first"))
        database.then(lambda: done.append("told"))
        other = threading.Thread(target=lambda: database.write(add("other thread")))
        other.start()
        other.join()
        assert (hosts(database), done) == ({"other thread"}, [])
        database.write(add("second"))
        assert (hosts(database), done) == ({"other thread", "first", "second"}, ["told"])
        database.later(add("third"))
        database.flush()
        assert "third" in hosts(database)
        database.later(add("last"))
    assert "last" in hosts(database)
    database.later(add("outside"))
    assert "outside" in hosts(database)


def test_what_is_written_later_is_kept_when_its_block_ends_with_an_error(database: Database) -> None:
    done: list[str] = []

    def work() -> None:
        with database.gathering():
            database.later(add("kept"))
            database.then(lambda: done.append("told"))
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert (hosts(database), done) == ({"kept"}, ["told"])


def test_a_write_raises_what_was_refused_before_it_and_what_stands_beside_it_is_kept(database: Database) -> None:
    done: list[str] = []

    def work() -> None:
        with database.gathering():
            database.later(add("before"))
            database.later(refuse)
            database.then(lambda: done.append("told"))
            database.write(add("after"))

    with pytest.raises(LookupError):
        work()
    assert (hosts(database), done) == ({"before", "after"}, ["told"])


def test_the_writer_goes_on_after_an_error(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(DatabaseTrouble):
            database.write(
                lambda transaction: transaction.run(Prepared(select(bindparam("x")).select_from(GONE)), {"x": 1})
            )
        with pytest.raises(LookupError):
            database.write(refuse)
    database.write(add("after"))
    assert hosts(database) == {"after"}


def test_devices_that_an_older_version_kept_are_found_however_they_are_written(database_url: str) -> None:
    old = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    moment = "'2026-03-01 12:00:00'"
    with old.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        for statement in (
            "INSERT INTO connection (id, name, connector, base_url, active, credentials, created_at, updated_at) "
            f"VALUES (1, 'a', 'a', 'a', true, '', {moment}, {moment})",
            "INSERT INTO profile (id, name, entity, direction, from_id, to_id, active, cron, timezone, settings, "
            "settings_version, applied_version, created_at, updated_at) "
            f"VALUES (1, 'a', 'event', 'export', 1, 1, true, '* * * * *', 'UTC', '{{}}', 1, 0, {moment}, {moment})",
            "INSERT INTO identifier (profile_id, source_id, kind, value, seen_at) "
            f"VALUES (1, '7', 'serial_number', 'SN-ab 12', {moment})",
        ):
            connection.execute(text(statement))
    old.upgrade()
    with old.reading() as session:
        assert session.scalars(select(models.Identifier.bare)).all() == ["snab12"]
        assert session.scalar(select(models.Identifier.value).where(history.device("SN AB12"))) == "SN-ab 12"
    old.engine.dispose()


@pytest.mark.parametrize(
    ("done", "said"),
    [
        ("DELETE FROM alembic_version", "does not say of which version"),
        ("DROP TABLE alembic_version", "does not say of which version"),
        ("INSERT INTO alembic_version VALUES ('0001')", "names several versions (0001, "),
        ("UPDATE alembic_version SET version_num = '0001'", "says that it is of version 0001, but holds what a later"),
    ],
)
def test_a_database_that_does_not_tell_its_version_truly_is_refused_in_words(
    database_url: str, done: str, said: str
) -> None:
    database = Database(database_url)
    database.upgrade()
    with database.engine.begin() as connection:
        connection.execute(text(done))
    with pytest.raises(DatabaseTrouble) as refused:
        database.upgrade()
    assert said in str(refused.value)
    assert "Restore the last backup." in str(refused.value)
    with pytest.raises(DatabaseTrouble):
        database.require_current()
    database.engine.dispose()
