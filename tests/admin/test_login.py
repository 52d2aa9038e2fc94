"""Who gets in, who stays in, and that nothing is to be had without a login."""

from __future__ import annotations

import re
import stat
import threading
import urllib.request
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import waitress
from flask import Flask, g, request
from sqlalchemy import select

from admin import auth, create_app, hooks, serving
from profiles.db import DatabaseTrouble, now
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
        "line_id": 1,
        "procedure_id": 1,
        "filename": "app.css",
    }
    found = []
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if method in (rule.methods or ()) and rule.endpoint != hooks.ENDPOINT:  # see test_hooks
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


def test_only_the_login_static_files_and_webhooks_are_open() -> None:
    assert {"static", "login.index", "login.code", "language.index", hooks.ENDPOINT} == auth.OPEN


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
    for method in ("GET", "HEAD"):
        for _endpoint, address in addresses(app, seeded, method):
            anna.client.open(address, method=method).close()
    assert all_rows() == before


READING = ("GET", "HEAD")
OWN = ("account.", "login.", "language.")  # what every role may use: it is about themselves


def expected(role: str, endpoint: str, method: str) -> bool:
    """What a role may do, told independently of auth.may: by the views that the issue names."""
    view = endpoint.partition(".")[0]
    if endpoint == "static" or endpoint.startswith(OWN) or role == "admin":
        return True
    if view in ("users", "audit"):
        return False
    if endpoint in ("new_profile.index", "new_connection.index", "profiles.bring"):
        return False  # nothing but a form whose POST is refused
    if endpoint == "procedures.new":
        return role == "operator"  # the same, but operators set up event procedures
    own_lists = {f"{one}.{what}" for one in ("records", "record_history") for what in ("columns", "views")}
    if method in READING or endpoint in own_lists:
        return True
    if endpoint in ("profile.delete", "profile.duplicate"):
        return False
    runs_and_settings = {"options", "profile", "records", "tasks", "schedule", "dry_run", "orders"}
    single = {"profiles.switch", "connections.check", "connections.collect", *auth.BY_OPERATORS}
    return role == "operator" and (view in runs_and_settings | auth.OPERATED or endpoint in single)


def test_every_route_lets_in_whom_it_should_and_nobody_else(app: Flask, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        auth.add_user(session, "olga", PASSWORD, "operator")
    names = {"admin": "anna", "operator": "olga", "viewer": "victor"}
    people = {role: Browser(app) for role in names}
    for role, browser in people.items():
        assert browser.login(names[role]).status_code == 302
    asked = 0
    for method in ("GET", "HEAD", "POST"):
        for endpoint, address in addresses(app, seeded, method):
            stranger = app.test_client().open(address, method=method)
            if endpoint in auth.OPEN:
                # without the token of a page a POST of anybody is refused; the code page leads back to the login
                assert stranger.status_code in (200, 302, 400), f"stranger {method} {address}: {stranger.status_code}"
            else:
                assert stranger.status_code in (302, 401), f"stranger {method} {address}: {stranger.status_code}"
                assert stranger.headers.get("Location", "/login/").startswith("/login/")
            for role, browser in people.items():
                answer = browser.client.open(address, method=method)  # a POST has no token: it must not do anything
                answer.close()  # a streamed one holds the thread's context
                refused = answer.status_code == 403
                allowed = expected(role, endpoint, method)
                assert refused is not allowed, f"{role} {method} {address}: {answer.status_code}"
                assert answer.status_code < 500, f"{role} {method} {address}: {answer.status_code}"
                asked += 1
    assert asked > 150


def test_an_answer_that_is_still_open_lends_its_person_to_nobody(app: Flask, seeded: Seeded) -> None:
    with app.app_context():
        g._login_user = auth.Person(user(seeded))
        assert app.test_client().get("/").status_code == 302


def test_an_unknown_role_may_do_nothing(seeded: Seeded, victor: Browser) -> None:
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == "victor")).one().role = "owner"
    assert victor.get("/").status_code == 403
    assert victor.get("/account/").status_code == 403


def test_a_viewer_sees_no_button_that_would_refuse(app: Flask, seeded: Seeded, victor: Browser) -> None:
    for address in (
        "/profiles/",
        f"/profiles/{seeded.profile}/schedule/",
        f"/orders/{seeded.failed}/",
        "/connections/",
    ):
        html = victor.get(address).get_data(as_text=True)
        sent = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', html)
        assert set(sent) == {"/login/out", "/language/"}, f"{address}: only what is the viewer's own is a form"
        assert ">Users<" not in html


def test_the_address_for_the_next_page_must_be_ours_and_printable(app: Flask) -> None:
    with app.test_request_context():
        for address in (
            "//evil",
            "/\\evil",
            "\\/evil",
            "/\t/evil",
            "/\n/evil",
            "https:evil",
            "",
            None,
            "evil",
            "/ok\x00",
        ):
            assert auth.local_path(address) == "/", address
        assert auth.local_path("/orders/?q=1&x=ä") == "/orders/?q=1&x=ä"


def query_of(answer: Any) -> dict[str, str]:
    address = urlsplit(answer.headers["Location"])
    assert address.path == "/login/"
    return dict(parse_qsl(address.query))


def test_a_form_that_is_sent_after_the_session_ended_leads_back_to_its_page(seeded: Seeded, anna: Browser) -> None:
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == "anna")).one().session_epoch += 1
    page = f"/profiles/{seeded.profile}/options/?scope=global"
    sent = anna.client.post(f"/profiles/{seeded.profile}/options/", headers={"Referer": f"http://localhost{page}"})
    assert query_of(sent) == {"next": page, "ended": "1"}
    assert "Your session has ended" in anna.get(sent.headers["Location"]).get_data(as_text=True)
    # an answer to a form stands at an address that cannot be read: the nearest page above it can
    answer = anna.client.post("/users/2/role", headers={"Referer": "http://localhost/users/2/role"})
    assert query_of(answer) == {"next": "/users/2/", "ended": "1"}
    foreign = anna.client.post("/users/add", headers={"Referer": "https://evil.example/users/"})
    assert query_of(foreign) == {"next": "/users/add", "ended": "1"}


def test_a_logout_ends_no_other_session_of_that_person(app: Flask, anna: Browser) -> None:
    phone = Browser(app)
    phone.login()
    anna.post("/login/out")
    assert anna.get("/").status_code == 302
    assert phone.get("/").status_code == 200


def test_very_many_logouts_end_every_session_and_leave_no_long_list(app: Flask, seeded: Seeded, anna: Browser) -> None:
    future = int(now().timestamp()) + 9999
    with seeded.db.session() as session:
        row = session.scalars(select(User).where(User.name == "anna")).one()
        row.preferences = {auth.ENDED: {str(one): future for one in range(auth.MOST_ENDED)}}
    phone = Browser(app)
    phone.login()
    anna.post("/login/out")
    assert user(seeded).preferences[auth.ENDED] == {}
    assert phone.get("/").status_code == 302


def test_no_session_lasts_longer_than_a_week_however_busy_it_is(anna: Browser) -> None:
    with anna.client.session_transaction() as session:
        session["since"] -= int(auth.LONGEST_SESSION.total_seconds()) - 60
    assert anna.get("/").status_code == 200
    with anna.client.session_transaction() as session:
        session["since"] -= 120
    assert anna.get("/").status_code == 302


def test_what_a_proxy_says_is_believed_only_where_it_is_trusted(
    seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    plain = create_app(seeded.db).test_client().get("/login/", headers=said)
    assert "Secure" not in plain.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in plain.headers
    monkeypatch.setenv("CONNECTOR_TRUSTED_PROXIES", "1")
    trusting = create_app(seeded.db)
    behind = trusting.test_client().get("/login/", headers=said)
    assert "Secure" in behind.headers["Set-Cookie"]
    assert behind.headers["Strict-Transport-Security"].startswith("max-age=")
    # of several addresses only the one that our own proxy added counts: a caller invents the others
    with trusting.test_client() as client:
        client.get("/login/", headers={**said, "X-Forwarded-For": "198.51.100.1, 203.0.113.9"})
        assert request.remote_addr == "203.0.113.9"
    monkeypatch.setenv("CONNECTOR_TRUSTED_PROXIES", "yes")
    with pytest.raises(DatabaseTrouble, match="number of proxies"):
        create_app(seeded.db)


def test_a_served_host_hands_on_what_a_trusted_proxy_says(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    """waitress drops the headers of proxies by itself: where they are trusted it must not."""
    for trusted, secure in (("0", False), ("1", True)):
        monkeypatch.setenv("CONNECTOR_TRUSTED_PROXIES", trusted)
        server = waitress.create_server(
            create_app(seeded.db), port=0, clear_untrusted_proxy_headers=serving.strip_proxy_headers()
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.effective_port}/login/"
            asked = urllib.request.Request(address, headers={"X-Forwarded-Proto": "https"})
            with urllib.request.urlopen(asked, timeout=10) as answer:
                assert ("Secure" in answer.headers["Set-Cookie"]) is secure
        finally:
            server.close()


def test_every_page_carries_the_headers_that_keep_scripts_out(app: Flask, seeded: Seeded, anna: Browser) -> None:
    for _endpoint, address in [*addresses(app, seeded, "GET"), ("", "/no-such-page")]:
        headers = anna.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "camera=()" in headers["Permissions-Policy"]


def test_pages_are_never_kept_by_a_cache_but_static_files_are(anna: Browser) -> None:
    assert anna.get("/").headers["Cache-Control"] == "no-store"
    assert "max-age=31536000" in anna.get("/static/app.css").headers["Cache-Control"]


def test_the_key_of_sessions_is_kept_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    first = auth.session_key(tmp_path)
    assert auth.session_key(tmp_path) == first
    assert len(first) == 64
    assert stat.S_IMODE((tmp_path / "session.key").stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["session.key"]
