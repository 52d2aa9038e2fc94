"""Webhooks as hints: they ask for a run and change nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from admin import cli, hooks
from admin.app import create_app
from profiles import models
from profiles.db import Database
from tests.admin.conftest import Command
from tests.admin.test_cli import FILE
from tests.profiles import memory_events


@pytest.fixture
def profile(database: Database) -> int:
    memory_events.fresh()
    return memory_events.profile(database)


def asked(database: Database) -> list[str | None]:
    with database.reading() as session:
        return list(session.scalars(select(models.Task.asked_by).where(models.Task.asked_by.is_not(None))))


def test_a_webhook_asks_for_one_run_of_the_events_however_often_it_comes(database: Database, profile: int) -> None:
    client = create_app(database).test_client()
    with database.reading() as session:
        house = session.get_one(models.Profile, profile).from_id
    address = hooks.path(house)
    answers = [client.post(address, json={"event": "anything", "id": n}) for n in range(3)]
    assert [(one.status_code, one.json) for one in answers] == [
        (202, {"asked": 1}),
        (202, {"asked": 0}),
        (202, {"asked": 0}),
    ]
    assert asked(database) == ["webhook of memory_house of Order events"]


def test_an_address_without_the_right_mark_leads_nowhere_and_to_one_system_only(
    database: Database, profile: int
) -> None:
    client = create_app(database).test_client()
    with database.reading() as session:
        row = session.get_one(models.Profile, profile)
    other = hooks.path(row.to_id).rpartition("/")[2]
    for given in ("x", other, "ü"):
        assert client.post(f"/hooks/{row.from_id}/{given}").status_code == 404
    assert client.get(hooks.path(row.from_id)).status_code in (302, 405)
    assert asked(database) == []


def test_the_command_tells_the_address_that_a_system_may_call(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(FILE)
    assert command("apply", str(file)).code == 0
    address = command("hook", "erp").out.strip()
    client = create_app(cli.open_database()).test_client()
    assert client.post(address).json == {"asked": 0}
    assert client.post(address[:-1]).status_code == 404
    said = command("hook", "epr")
    assert said.code != 0
    assert "Did you mean 'erp'?" in said.err


def test_an_inactive_connection_and_a_profile_that_is_off_are_not_asked(database: Database, profile: int) -> None:
    client = create_app(database).test_client()
    with database.session() as session:
        row = session.get_one(models.Profile, profile)
        house = session.get_one(models.Connection, row.from_id)
        house.active = False
        address = hooks.path(house.id)
    assert client.post(address).json == {"asked": 0}
    with database.session() as session:
        session.get_one(models.Connection, house.id).active = True
        session.get_one(models.Profile, profile).active = False
    assert client.post(address).json == {"asked": 0}
    assert asked(database) == []


def test_the_mark_of_an_old_key_still_holds_while_it_decrypts(
    database: Database, profile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.fernet import Fernet

    from profiles.secrets import mark, marked

    old, new = (Fernet.generate_key().decode() for _ in range(2))
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", old)
    given = mark("hook 1")
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", f"{new},{old}")
    assert marked("hook 1", given)
    assert mark("hook 1") != given
    monkeypatch.setenv("CONNECTOR_SECRET_KEY", new)
    assert not marked("hook 1", given)


def test_the_page_of_a_watched_system_shows_its_address_to_admins_only(database: Database, profile: int) -> None:
    from admin import auth
    from tests.admin.conftest import Browser

    with database.session() as session:
        row = session.get_one(models.Profile, profile)
        ends = (row.from_id, row.to_id)
        for role in ("admin", "viewer"):
            auth.add_user(session, role, "a-long-password", role)
    app = create_app(database)
    shown = {}
    for role in ("admin", "viewer"):
        browser = Browser(app)
        browser.login(role, "a-long-password")
        shown[role] = [hooks.path(id) in browser.get(f"/connections/{id}/").text for id in ends]
    assert shown == {"admin": [True, False], "viewer": [False, False]}
