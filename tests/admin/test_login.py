"""Who gets in, who stays in, and that nothing is to be had without a login."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from admin import auth, create_app
from profiles.db import now
from profiles.models import User
from tests.admin.conftest import PASSWORD, Browser, Seeded


def addresses(app: Flask, seeded: Seeded, method: str) -> list[tuple[str, str]]:
    """(endpoint, address) of every registered route that answers the method, with ids that exist."""
    known = {
        "profile_id": seeded.profile,
        "connection_id": seeded.shop,
        "record_id": seeded.failed,
        "task_id": seeded.task,
        "call_id": seeded.call,
        "user_id": 2,
        "filename": "app.css",
    }
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if method in (rule.methods or ()):
                values = {name: known[name] for name in rule.arguments}
                found.append((rule.endpoint, app.url_for(rule.endpoint, **values)))
    assert found
    return found


def test_every_route_needs_a_login_but_the_login_and_static_files(
    app: Flask, seeded: Seeded, stranger: Browser
) -> None:
    for method in ("GET", "POST", "HEAD"):
        for endpoint, address in addresses(app, seeded, method):
            if endpoint in auth.OPEN:
                continue
            answer = stranger.client.open(address, method=method)
            assert answer.status_code in (302, 401), f"{method} {address} answers {answer.status_code}"
            if answer.status_code == 302:
                assert answer.headers["Location"].startswith("/login/")


def test_only_the_login_and_static_files_are_open() -> None:
    assert {"static", "login.index", "language.index"} == auth.OPEN


def test_an_address_that_does_not_exist_tells_a_stranger_nothing(stranger: Browser) -> None:
    assert stranger.get("/no-such-page").status_code == 302


def test_flask_admin_serves_no_files_of_its_own(app: Flask) -> None:
    assert [rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.endswith("static")] == ["static"]


def test_the_login_leads_to_the_dashboard(stranger: Browser) -> None:
    answer = stranger.login()
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert "Dashboard" in stranger.get("/").get_data(as_text=True)


def test_the_login_leads_back_to_the_page_that_was_asked_for(stranger: Browser) -> None:
    sent = stranger.get("/orders/?q=100").headers["Location"]
    answer = stranger.post(sent, {"name": "anna", "password": PASSWORD}, page="/login/")
    assert answer.headers["Location"] == "/orders/?q=100"


@pytest.mark.parametrize(
    "address", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_the_login_leads_to_no_foreign_host(stranger: Browser, address: str) -> None:
    answer = stranger.client.post(
        "/login/",
        query_string={"next": address},
        data={"name": "anna", "password": PASSWORD, "csrf_token": stranger.token("/login/")},
    )
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize(("name", "password"), [("anna", "wrong"), ("nobody", "wrong"), ("nobody", PASSWORD), ("", "")])
def test_a_refusal_does_not_tell_whether_the_name_exists(stranger: Browser, name: str, password: str) -> None:
    answer = stranger.login(name, password)
    assert answer.status_code == 401
    assert "Name or password is wrong" in answer.get_data(as_text=True)
    assert stranger.get("/").status_code == 302


def test_the_session_id_changes_at_the_login(stranger: Browser) -> None:
    stranger.token("/login/")
    with stranger.client.session_transaction() as session:
        session["id"] = "planted"
        before = session["csrf_token"]
    stranger.login()
    with stranger.client.session_transaction() as session:
        assert session["id"] != "planted"
        assert session.get("csrf_token") != before


def test_the_cookie_is_out_of_reach_of_scripts_and_secure_over_tls(stranger: Browser, app: Flask) -> None:
    cookie = stranger.login().headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    over_tls = app.test_client().get("/login/", base_url="https://localhost").headers["Set-Cookie"]
    assert "Secure" in over_tls


def test_logout_ends_the_session_on_the_server_too(anna: Browser, app: Flask) -> None:
    cookie = anna.client.get_cookie("connector")
    assert cookie is not None
    assert anna.post("/login/out").status_code == 302
    assert anna.get("/").status_code == 302
    thief = app.test_client()
    thief.set_cookie("connector", cookie.value)
    assert thief.get("/").status_code == 302


def test_logout_works_by_post_only(anna: Browser) -> None:
    assert anna.get("/login/out").status_code == 405
    assert anna.get("/").status_code == 200


def user(seeded: Seeded, name: str = "anna") -> User:
    with seeded.db.reading() as session:
        return session.scalars(select(User).where(User.name == name)).one()


def test_the_fifth_wrong_password_locks_and_the_lock_grows(seeded: Seeded) -> None:
    def wrong() -> None:
        with seeded.db.session() as session:
            assert auth.verify(session, "anna", "wrong") is None

    for _ in range(4):
        wrong()
    assert user(seeded).locked_until is None
    wrong()
    locked = user(seeded).locked_until
    assert locked is not None
    assert timedelta(seconds=50) < locked - now() <= timedelta(minutes=1)
    with seeded.db.session() as session:
        assert auth.verify(session, "anna", PASSWORD) is None, "the right password is no way around the lock"
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == "anna")).one().locked_until = now() - timedelta(seconds=1)
    wrong()
    again = user(seeded).locked_until
    assert again is not None
    assert timedelta(seconds=110) < again - now() <= timedelta(minutes=2)
    assert auth.lock_after(500) == timedelta(hours=1)


def test_the_right_password_ends_the_count(seeded: Seeded) -> None:
    with seeded.db.session() as session:
        auth.verify(session, "anna", "wrong")
    with seeded.db.session() as session:
        assert auth.verify(session, "anna", PASSWORD) is not None
    assert (user(seeded).failed_logins, user(seeded).locked_until) == (0, None)


def test_a_session_that_ended_never_counts_as_a_wrong_password(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == "anna")).one().session_epoch += 1
    for _ in range(10):
        assert anna.get("/").status_code == 302
    assert user(seeded).failed_logins == 0


def test_many_logins_from_one_address_are_slowed_down(seeded: Seeded) -> None:
    browser = Browser(create_app(seeded.db))
    token = browser.token("/login/")
    codes = [
        browser.client.post("/login/", data={"name": "x", "password": "", "csrf_token": token}).status_code
        for _ in range(32)
    ]
    assert codes[:30] == [401] * 30
    assert codes[30:] == [429, 429]


def test_a_user_who_is_switched_off_is_out_at_once(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    answer = anna.post(f"/users/{user(seeded, 'victor').id}/active", {"active": "no"}, page="/users/")
    assert answer.status_code == 302
    assert victor.get("/").status_code == 302
    assert victor.login("victor").status_code == 401


def test_a_new_password_ends_the_sessions_of_that_user(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    changed = {"password": "another good one"}
    anna.post(f"/users/{user(seeded, 'victor').id}/password", changed, page="/users/")
    assert victor.get("/").status_code == 302
    assert victor.login("victor", "another good one").status_code == 302


def test_who_changes_the_own_password_stays_logged_in(anna: Browser, seeded: Seeded) -> None:
    anna.post(f"/users/{user(seeded).id}/password", {"password": "another good one"}, page="/users/")
    assert anna.get("/").status_code == 200


def test_nobody_can_lock_out_the_last_admin_or_themselves(anna: Browser, seeded: Seeded) -> None:
    anna.post(f"/users/{user(seeded).id}/active", {"active": "no"}, page="/users/")
    assert user(seeded).active


def test_users_are_added_with_a_role(anna: Browser, seeded: Seeded) -> None:
    given = {"name": "ines", "password": "a long password", "role": "viewer"}
    assert anna.post("/users/add", given, page="/users/").status_code == 302
    assert user(seeded, "ines").role == "viewer"
    assert user(seeded, "ines").password.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "ines", "password": "short", "role": "viewer"}, "at least 10 characters"),
        ({"name": "anna", "password": "a long password", "role": "viewer"}, "already"),
        ({"name": "ines", "password": "a long password", "role": "god"}, "no role"),
        ({"name": " ", "password": "a long password", "role": "viewer"}, "needs a name"),
    ],
)
def test_a_user_who_cannot_be_is_refused_with_the_reason(anna: Browser, given: dict[str, str], said: str) -> None:
    answer = anna.post("/users/add", given, page="/users/")
    assert answer.status_code == 422
    assert said in answer.get_data(as_text=True)


def test_every_post_needs_the_token_of_a_page(app: Flask, seeded: Seeded, anna: Browser) -> None:
    for _endpoint, address in addresses(app, seeded, "POST"):
        answer = anna.client.post(address, data={"confirm": "Orders DE", "name": "anna", "action": "retry"})
        assert answer.status_code == 400, f"POST {address} answers {answer.status_code}"
        assert "too old" in answer.get_data(as_text=True)


def test_nothing_changes_by_get(app: Flask, seeded: Seeded, anna: Browser) -> None:
    def all_rows() -> list[Any]:
        with seeded.db.engine.connect() as connection:
            dump = connection.connection.driver_connection.iterdump()  # type: ignore[union-attr]
            return list(dump)

    before = all_rows()
    for _endpoint, address in addresses(app, seeded, "GET"):
        anna.get(address)
    assert all_rows() == before


def test_a_viewer_reads_everything_but_users_and_changes_nothing(app: Flask, seeded: Seeded, victor: Browser) -> None:
    token = victor.token("/")
    for endpoint, address in addresses(app, seeded, "POST"):
        if endpoint in auth.OPEN | auth.FOR_ALL_ROLES:
            continue
        answer = victor.client.post(address, data={"csrf_token": token})
        assert answer.status_code == 403, f"POST {address} answers {answer.status_code}"
    for endpoint, address in addresses(app, seeded, "GET"):
        expected = {403} if endpoint.startswith("users.") else {200, 302}
        assert victor.get(address).status_code in expected, address


def test_a_viewer_sees_no_button_that_would_refuse(app: Flask, seeded: Seeded, victor: Browser) -> None:
    for address in (
        "/profiles/",
        f"/profiles/{seeded.profile}/schedule/",
        f"/orders/{seeded.failed}/",
        "/connections/",
    ):
        html = victor.get(address).get_data(as_text=True)
        assert html.count('method="post"') == 1, f"{address}: only the logout is a form"
        assert ">Users<" not in html


def test_every_page_carries_the_headers_that_keep_scripts_out(app: Flask, seeded: Seeded, anna: Browser) -> None:
    for _endpoint, address in [*addresses(app, seeded, "GET"), ("", "/no-such-page")]:
        headers = anna.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_are_never_kept_by_a_cache_but_static_files_are(anna: Browser) -> None:
    assert anna.get("/").headers["Cache-Control"] == "no-store"
    assert "max-age=31536000" in anna.get("/static/app.css").headers["Cache-Control"]


def test_the_key_of_sessions_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = auth.session_key(tmp_path)
    assert auth.session_key(tmp_path) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "session.key").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["session.key"]
