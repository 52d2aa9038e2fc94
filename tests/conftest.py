"""What all tests share: a data folder of their own, a database on both engines, and what is missing where."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from profiles.db import Database

POSTGRES = os.environ.get("CONNECTOR_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")


def missing(what: str) -> None:
    """Skip on a user's machine, fail where everything must be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing", pytrace=False)
    pytest.skip(f"{what} is missing")


def shared() -> Path:
    """The folder with the vendors' contracts and fixtures."""
    folder = Path(os.environ.get("CONNECTOR_SHARED") or Path(__file__).parents[2] / "shared").resolve()
    if not (folder / "contracts").is_dir():
        missing(f"the folder of contracts and fixtures ({folder})")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, private addresses allowed."""
    folder = tmp_path / "home"
    monkeypatch.setenv("CONNECTOR_HOME", str(folder))
    monkeypatch.setenv("CONNECTOR_ALLOW_PRIVATE", "1")
    monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
    monkeypatch.delenv("CONNECTOR_SECRET_KEY", raising=False)
    return folder


def postgres() -> Iterator[str]:
    """The address of a PostgreSQL database made for one test and removed after it."""
    admin = create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    name = f"connector_test_{uuid.uuid4().hex[:12]}"
    try:
        with admin.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
    except OperationalError:
        admin.dispose()
        missing("PostgreSQL on 127.0.0.1:5432")
    try:
        yield admin.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        admin.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an empty database, once on each engine; processes started by the test find it too."""
    if request.param == "sqlite":
        url = f"sqlite:///{home / 'test.db'}"
        home.mkdir(exist_ok=True)
        monkeypatch.setenv("CONNECTOR_DATABASE_URL", url)
        yield url
    else:
        for url in postgres():
            monkeypatch.setenv("CONNECTOR_DATABASE_URL", url)
            yield url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with all tables, migrated once and copied for each test: migrating takes 70 ms, a copy none."""
    file = tmp_path_factory.mktemp("migrated") / "pattern.db"
    made = Database(f"sqlite:///{file}")
    made.upgrade()
    with made.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    made.engine.dispose()
    return file


@pytest.fixture
def database(database_url: str, migrated: Path) -> Iterator[Database]:
    """A database with all tables, on both engines."""
    made = Database(database_url)
    if made.sqlite:
        shutil.copyfile(migrated, str(made.engine.url.database))
    else:
        made.upgrade()
    yield made
    made.engine.dispose()


@pytest.fixture
def sqlite(home: Path, migrated: Path) -> Iterator[Database]:
    """A SQLite database with all tables, where the engine makes no difference."""
    home.mkdir(exist_ok=True)
    shutil.copyfile(migrated, home / "test.db")
    made = Database(f"sqlite:///{home / 'test.db'}")
    yield made
    made.engine.dispose()
