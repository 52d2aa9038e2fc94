"""Who changed what: that each change leaves one line, what the line holds, and how it is found again."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from admin import audit, configuration
from admin.views.audit import changes
from profiles.models import Audit, Connection, Profile
from tests.admin.conftest import SECRETS, Browser, Seeded


def lines(seeded: Seeded) -> list[Audit]:
    with seeded.db.reading() as session:
        return list(session.scalars(select(Audit).order_by(Audit.id)))


def clear(seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(delete(Audit))


def page_of(browser: Browser, **query: Any) -> str:
    answer = browser.get("/audit/", query_string=query)
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


def subjects(page: str) -> list[str]:
    return re.findall(r'class="subject"><span[^>]*>[^<]*</span>\s*<(?:a[^>]*|b|span[^>]*)>([^<]+)</', page)


def spec_of(seeded: Seeded, **changed: Any) -> configuration.ProfileSpec:
    with seeded.db.reading() as session:
        row = session.get_one(Profile, seeded.profile)
        values: dict[str, Any] = {
            "name": row.name,
            "entity": row.entity,
            "direction": row.direction,
            "source": "shop-de",
            "target": "erp",
            "cron": row.cron,
            "active": row.active,
            "timezone": row.timezone,
            "settings": row.settings,
        }
    return configuration.ProfileSpec(**{**values, **changed})


def save(seeded: Seeded, **changed: Any) -> None:
    with seeded.db.session() as session:
        configuration.save_profile(session, spec_of(seeded, **changed), "anna", now_called="Orders DE")


@pytest.mark.parametrize(
    ("changed", "action", "before", "after"),
    [
        ({"name": "Orders"}, "renamed", {"name": "Orders DE"}, {"name": "Orders"}),
        ({"active": False}, "switched off", {"active": True}, {"active": False}),
        (
            {"cron": "0 3 * * *", "active": False},
            "changed",
            {"cron": "*/15 * * * *", "active": True},
            {"cron": "0 3 * * *", "active": False},
        ),
    ],
)
def test_a_changed_profile_leaves_a_line_with_what_differs(
    seeded: Seeded, changed: dict[str, Any], action: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    clear(seeded)
    save(seeded, **changed)
    (line,) = lines(seeded)
    assert (line.person, line.action, line.kind, line.subject_id) == ("anna", action, "profile", seeded.profile)
    assert (line.before, line.after) == (before, after)


def test_saved_settings_leave_only_the_values_that_differ_and_no_secret(seeded: Seeded) -> None:
    clear(seeded)
    settings = spec_of(seeded).settings
    new = {
        **settings,
        "global": {**settings["global"], "warehouse_id": 105, "hook_secret": "quite another one"},
        "stores": {},
    }
    new["global"]["status_mapping"] = {**settings["global"]["status_mapping"], "complete": 8}
    save(seeded, settings=new)
    (line,) = lines(seeded)
    assert line.action == "saved settings"
    told = {one.path: (one.before, one.after) for one in changes(line.before, line.after)}
    assert told[("settings", "global", "warehouse_id")] == ("104", "105")
    assert told[("settings", "global", "status_mapping", "complete")] == ("7", "8")
    assert ("settings", "global", "status_mapping", "processing") not in told
    assert told[("settings", "stores", "de", "referrer_id")] == ("2.5", None)
    assert told[("settings", "global", "hook_secret")] == ("•••", audit.NEW_SECRET)
    assert not {SECRETS[1], "quite another one"} & set(str((line.before, line.after)).split("'"))


def test_a_profile_that_is_new_or_deleted_leaves_all_its_facts(seeded: Seeded) -> None:
    clear(seeded)
    with seeded.db.session() as session:
        configuration.save_profile(session, spec_of(seeded, name="Second", active=False), "anna")
        configuration.delete_profile(session, "Second", "anna")
    made, gone = lines(seeded)
    assert (made.action, made.before) == ("created", None)
    assert made.after is not None
    assert made.after["from"] == "shop-de"
    assert SECRETS[1] not in str(made.after)
    assert (gone.action, gone.subject, gone.after) == ("deleted", "Second", None)
    assert gone.before is not None
    assert gone.before["cron"] == "*/15 * * * *"


def test_a_connection_leaves_its_changes_and_never_a_secret(seeded: Seeded) -> None:
    clear(seeded)
    with seeded.db.session() as session:
        stored = {"user": "api", "token": SECRETS[0], "key": "env:SHOP_KEY"}
        values = {"name": "shop-de", "connector": "strangershop", "base_url": "https://shop.example.com"}
        for number, changed in enumerate(
            (
                {"base_url": "https://new.example.com"},
                {
                    "base_url": "https://new.example.com",
                    "credentials": {**stored, "user": "other", "token": "new-token-77"},
                },
            )
        ):
            spec = configuration.ConnectionSpec(**{**values, "credentials": stored, **changed})
            assert configuration.save_connection(session, spec, "anna"), number
    first, second = lines(seeded)
    assert (first.action, first.before, first.after) == (
        "changed",
        {"base_url": "https://shop.example.com"},
        {"base_url": "https://new.example.com"},
    )
    assert second.after == {"account": {"user": "other", "token": audit.NEW_SECRET}}
    assert "new-token-77" not in str([(one.before, one.after) for one in lines(seeded)])


def test_what_changes_nothing_leaves_no_line(seeded: Seeded) -> None:
    clear(seeded)
    save(seeded)
    assert lines(seeded) == []


def test_what_is_refused_leaves_no_line(seeded: Seeded) -> None:
    clear(seeded)
    with pytest.raises(configuration.Wrong):
        save(seeded, cron="never")
    assert lines(seeded) == []


def test_applying_a_file_notes_who_did_it(seeded: Seeded) -> None:
    with seeded.db.reading() as session:
        text = configuration.export(session)
    clear(seeded)
    with seeded.db.session() as session:
        configuration.apply(session, text.replace("*/15 * * * *", "0 4 * * *"))
    (line,) = lines(seeded)
    assert (line.person, line.after) == (audit.COMMAND_LINE, {"cron": "0 4 * * *"})


def test_a_line_without_a_person_is_of_whoever_is_logged_in(anna: Browser, seeded: Seeded) -> None:
    clear(seeded)
    address = f"/profiles/{seeded.profile}/delete"
    anna.post(address, {"confirm": "Orders DE"}, page=f"/profiles/{seeded.profile}/")
    for line in lines(seeded):
        assert line.person == "anna"


def test_one_deed_on_a_page_leaves_one_line(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        configuration.save_connection(
            session,
            configuration.ConnectionSpec(
                name="spare",
                connector="strangershop",
                base_url="https://x.example.com",
                credentials={"user": "a", "token": "b"},
            ),
        )
        id = session.scalars(select(Connection.id).where(Connection.name == "spare")).one()
    clear(seeded)
    anna.post(f"/connections/{id}/delete", {"confirm": "spare"}, page=f"/connections/{id}/")
    assert [(one.person, one.action, one.kind) for one in lines(seeded)] == [("anna", "deleted", "connection")]
    clear(seeded)
    anna.post("/profiles/switch", {"id": seeded.profile, "active": "no"}, page="/profiles/")
    assert len(lines(seeded)) <= 1


def test_logins_are_noted_without_what_strangers_typed_as_a_name(stranger: Browser, seeded: Seeded) -> None:
    clear(seeded)
    stranger.login("my-password-by-mistake", "x")
    stranger.login("anna", "wrong")
    stranger.login()
    stranger.post("/login/out")
    said = [(one.person, one.action, one.subject) for one in lines(seeded)]
    assert said == [
        ("stranger", "failed to log in", "stranger"),
        ("stranger", "failed to log in", "anna"),
        ("anna", "logged in", "anna"),
        ("anna", "logged out", "anna"),
    ]
    assert lines(seeded)[0].after == {"address": "127.0.0.1"}


# the page


@pytest.fixture
def told(seeded: Seeded) -> Seeded:
    """Lines of two persons over three days, each with a value of its own."""
    clear(seeded)
    first = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with seeded.db.session() as session:
        for number in range(120):
            session.add(
                Audit(
                    person="anna" if number % 2 else "olga",
                    action="changed" if number % 3 else "deleted",
                    kind="profile" if number % 5 else "connection",
                    subject_id=seeded.profile if number % 5 else 987,
                    subject=f"subject-{number}",
                    before={"settings": {"global": {"colour": f"rot-{number}"}}},
                    after={"settings": {"global": {"colour": f"grün-{number}"}}},
                    created_at=first + timedelta(minutes=number * 36),  # three days: 40 lines a day
                )
            )
    return seeded


def test_the_page_shows_each_value_before_and_after(anna: Browser, told: Seeded) -> None:
    page = page_of(anna, q="subject-77")
    assert "Settings › Global › colour" in page
    assert "<del>rot-77</del>" in page
    assert "<ins>grün-77</ins>" in page


def test_a_line_leads_to_its_subject_while_that_is_there(anna: Browser, told: Seeded) -> None:
    page = page_of(anna, kind="profile")
    assert f'href="/profiles/{told.profile}/"' in page
    assert "<b>subject-115</b>" in page_of(anna, kind="connection", q="subject-115"), "that one is gone: no link"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"person": "olga"}, 60),
        ({"kind": "connection"}, 24),
        ({"action": "deleted"}, 40),
        ({"person": "anna", "action": "deleted", "kind": "profile"}, 16),
        ({"q": "subject-11"}, 11),
        ({"q": "SUBJECT-118"}, 1),
        ({"q": "rot-50"}, 1),
        ({"q": "grün-50"}, 1),
        ({"q": "%"}, 0),
        ({"since": "2026-03-02"}, 101),  # days of Europe/Berlin, as the page shows them
        ({"until": "2026-03-01"}, 19),
        ({"since": "2026-03-02", "until": "2026-03-02"}, 40),
        ({"since": "2030-01-01"}, 0),
        ({"until": "2020-01-01"}, 0),
        ({"since": "no day", "until": "9999-12-31"}, 120),
        ({"until": "0001-01-01"}, 0),
        ({"since": "0001-01-01"}, 120),
        ({"person": "nobody"}, 0),
    ],
)
def test_the_filters_find_what_they_say(anna: Browser, told: Seeded, query: dict[str, str], expected: int) -> None:
    page = page_of(anna, **query)
    assert re.search(rf'class="count">{expected}\b', page), re.search(r'class="count">[^<]*', page)
    assert len(subjects(page)) == min(expected, 50)


def test_the_pages_follow_each_other_by_key_with_their_filters(anna: Browser, told: Seeded) -> None:
    address, seen = "/audit/?person=olga", []
    for _page in range(3):
        page = html.unescape(anna.get(address).get_data(as_text=True))
        seen += subjects(page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        if older is None:
            break
        address = older[1]
        assert "person=olga" in address
    assert seen == [f"subject-{number}" for number in range(118, -1, -2)]


def test_only_admins_see_the_audit(victor: Browser) -> None:
    assert victor.get("/audit/").status_code == 403
    assert ">Audit<" not in victor.get("/").get_data(as_text=True)


def test_an_empty_audit_and_an_empty_search_say_so(anna: Browser, seeded: Seeded) -> None:
    assert "Nothing matches" in page_of(anna, q="nothing like this")
    clear(seeded)
    assert "No change yet" in page_of(anna)


def test_nested_lists_and_empty_values_are_told_in_words() -> None:
    found = changes({"a": [1, 2], "b": {}, "c": [{"x": 1}]}, {"a": [1], "b": {"y": True}, "c": [{"x": 2}], "d": None})
    assert {(one.path, one.before, one.after) for one in found} == {
        (("a",), "1, 2", "1"),
        (("b",), "empty", None),
        (("b", "y"), None, "yes"),
        (("c", "1", "x"), "1", "2"),
        (("d",), None, "empty"),
    }
