"""The people who may log in, one-time passwords, the own account, and the second factor."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pyotp
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from admin import auth, create_app, second_factor
from profiles.db import now
from profiles.models import Audit, User
from tests.admin.conftest import PASSWORD, Browser, Seeded

GOOD = "another good one"


def user(seeded: Seeded, name: str = "anna") -> User:
    with seeded.db.reading() as session:
        return session.scalars(select(User).where(User.name == name)).one()


def notes(seeded: Seeded) -> list[tuple[str, str, str]]:
    with seeded.db.reading() as session:
        rows = session.scalars(select(Audit).where(Audit.kind == "user").order_by(Audit.id)).all()
        return [(row.person, row.action, row.subject) for row in rows]


def change(seeded: Seeded, name: str, **values: Any) -> None:
    with seeded.db.session() as session:
        row = session.scalars(select(User).where(User.name == name)).one()
        for key, value in values.items():
            setattr(row, key, value)


def text_of(answer: Any) -> str:
    return html.unescape(answer.get_data(as_text=True))


def shown_once(answer: Any) -> str:
    found = re.search(r'id="word">([^<]+)<', text_of(answer))
    assert found, "no password is shown"
    return found[1]


# the calls of the command line


def test_a_reset_password_is_good_for_one_login_and_ends_what_was(seeded: Seeded, victor: Browser) -> None:
    change(seeded, "victor", failed_logins=9, locked_until=now() + timedelta(hours=1))
    with seeded.db.session() as session:
        password = auth.reset_password(session, "victor")
    assert victor.get("/").status_code == 302
    row = user(seeded, "victor")
    assert (row.must_change, row.failed_logins, row.locked_until) == (True, 0, None)
    assert victor.login("victor", password).status_code == 302
    assert ("command line", "reset password", "victor") in notes(seeded)
    assert password not in str(notes(seeded))


def test_one_time_passwords_are_never_the_same() -> None:
    made = {auth.one_time_password() for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", one) for one in made)


def test_unlocking_lets_a_person_try_again(seeded: Seeded) -> None:
    change(seeded, "victor", failed_logins=9, locked_until=now() + timedelta(hours=1))
    with seeded.db.session() as session:
        auth.unlock(session, "victor")
    assert (user(seeded, "victor").failed_logins, user(seeded, "victor").locked_until) == (0, None)
    assert ("command line", "unlocked", "victor") in notes(seeded)


@pytest.mark.parametrize("help", [auth.reset_password, auth.unlock, auth.remove_second_factor])
def test_who_does_not_exist_cannot_be_helped(seeded: Seeded, help: Any) -> None:
    with pytest.raises(auth.Refused, match="no user 'nobody'"), seeded.db.session() as session:
        help(session, "nobody")


@pytest.mark.parametrize("name", ["ANNA", " anna ", "an\x00na", "a\nb", "x" * 129, " "])
def test_names_that_would_be_mistaken_or_cannot_be_stored_are_refused(seeded: Seeded, name: str) -> None:
    if name == "a\nb":
        with seeded.db.session() as session:
            assert auth.add_user(session, name, GOOD).name == "a b"
        return
    with pytest.raises(auth.Refused), seeded.db.session() as session:
        auth.add_user(session, name, GOOD)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "abababababab", "x" * 2000])
def test_poor_passwords_are_refused(password: str) -> None:
    with pytest.raises(auth.Refused):
        auth.hash_password(password)


# a password that must be changed


@pytest.fixture
def newcomer(app: Flask, seeded: Seeded) -> Browser:
    with seeded.db.session() as session:
        auth.add_user(session, "nina", "given for once", "admin", one_time=True)
    made = Browser(app)
    assert made.login("nina", "given for once").status_code == 302
    return made


def test_nothing_opens_before_a_new_password_is_chosen(app: Flask, seeded: Seeded, newcomer: Browser) -> None:
    from tests.admin.test_login import addresses

    for method in ("GET", "POST"):
        for endpoint, address in addresses(app, seeded, method):
            if endpoint in auth.BEFORE_ALL:
                continue
            answer = newcomer.client.open(address, method=method)
            if address.endswith(".json"):
                assert answer.status_code == 403, address
            else:
                assert answer.headers["Location"].startswith("/account/choose"), f"{method} {address}"
    asked = newcomer.get("/orders/", headers={"X-Requested-With": "fetch"})
    assert (asked.status_code, asked.json) == (403, {"error": "Please choose a new password first."})


def choose(browser: Browser, new: str, again: str | None = None, address: str = "/account/choose") -> Any:
    return browser.post(address, {"new": new, "again": new if again is None else again}, page="/account/choose")


def test_the_new_password_opens_everything_and_leads_on(seeded: Seeded, newcomer: Browser) -> None:
    sent = newcomer.get("/orders/?q=1").headers["Location"]
    assert choose(newcomer, GOOD, address=sent).headers["Location"] == "/orders/?q=1"
    assert newcomer.get("/").status_code == 200
    assert not user(seeded, "nina").must_change
    assert newcomer.get("/account/choose").headers["Location"] == "/account/"
    assert newcomer.login("nina", "given for once").status_code == 401
    assert ("nina", "changed password", "nina") in notes(seeded)


@pytest.mark.parametrize(
    ("new", "again", "said"),
    [
        ("", "", "Type a new password"),
        ("short", "short", "at least 10 characters"),
        (GOOD, "something else", "not the same"),
        ("given for once", "given for once", "the password you were given"),
        ("aaaaaaaaaaaa", "aaaaaaaaaaaa", "easy to guess"),
    ],
)
def test_a_new_password_that_will_not_do_is_refused(newcomer: Browser, new: str, again: str, said: str) -> None:
    answer = choose(newcomer, new, again)
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert newcomer.get("/").status_code == 302


# the page of all users


def test_a_user_is_added_with_a_password_that_is_shown_once(anna: Browser, app: Flask, seeded: Seeded) -> None:
    answer = anna.post("/users/add", {"name": " ines  b ", "role": "viewer"}, page="/users/add")
    page = anna.get(answer.headers["Location"])
    password = shown_once(page)
    assert 'id="word"' not in text_of(anna.get(answer.headers["Location"]))
    row = user(seeded, "ines b")
    assert (row.role, row.must_change, row.password[:10]) == ("viewer", True, "$argon2id$")
    ines = Browser(app)
    assert ines.login("ines b", password).status_code == 302
    assert ines.get("/").headers["Location"] == "/account/choose"
    assert ("anna", "created", "ines b") in notes(seeded)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "anna", "role": "viewer"}, "already"),
        ({"name": "Anna", "role": "viewer"}, "already"),
        ({"name": "ines", "role": "god"}, "no role"),
        ({"name": " ", "role": "viewer"}, "needs a name"),
    ],
)
def test_a_user_who_cannot_be_is_refused_with_the_reason(anna: Browser, given: dict[str, str], said: str) -> None:
    answer = anna.post("/users/add", given, page="/users/add")
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert f'value="{given["name"]}"' in text_of(answer), "what was typed is still there"


def test_the_list_tells_who_is_locked_off_or_waiting(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        auth.add_user(session, "waiting", GOOD, "viewer", one_time=True)
        auth.add_user(session, "locked-out", GOOD, "viewer").locked_until = now() + timedelta(minutes=5)
        auth.add_user(session, "gone", GOOD, "viewer").active = False
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text_of(anna.get("/users/"))))
    assert re.search(r"gone\s+switched off", said)
    assert re.search(r"locked-out\s+locked", said)
    assert re.search(r"waiting\s+one-time password", said)
    assert re.search(r"anna\s+you\s+active", said)


def test_a_reset_on_the_page_shows_the_password_once_and_ends_the_sessions(
    anna: Browser, victor: Browser, seeded: Seeded
) -> None:
    id = user(seeded, "victor").id
    page = anna.get(anna.post(f"/users/{id}/reset", page=f"/users/{id}/").headers["Location"])
    password = shown_once(page)
    assert victor.get("/").status_code == 302
    assert victor.login("victor", PASSWORD).status_code == 401
    assert victor.login("victor", password).status_code == 302
    assert ("anna", "reset password", "victor") in notes(seeded)


def test_a_one_time_password_is_shown_on_no_other_users_page(anna: Browser, seeded: Seeded) -> None:
    id = user(seeded, "victor").id
    anna.post(f"/users/{id}/reset", page=f"/users/{id}/")
    assert 'id="word"' not in text_of(anna.get(f"/users/{user(seeded).id}/"))


def test_a_role_holds_from_the_next_click(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    id = user(seeded, "victor").id
    assert victor.get("/users/").status_code == 403
    anna.post(f"/users/{id}/role", {"role": "admin"}, page=f"/users/{id}/")
    assert victor.get("/users/").status_code == 200
    assert ("anna", "changed role", "victor") in notes(seeded)


def test_unlocking_and_switching_off_and_on_from_the_page(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    id = user(seeded, "victor").id
    page = f"/users/{id}/"
    assert 'unlock"' not in text_of(anna.get(page)), "nothing to unlock"
    change(seeded, "victor", failed_logins=7, locked_until=now() + timedelta(hours=1))
    assert 'unlock"' in text_of(anna.get(page))
    anna.post(f"{page}unlock", page=page)
    assert user(seeded, "victor").locked_until is None
    anna.post(f"{page}active", {"active": "no"}, page=page)
    assert victor.get("/").status_code == 302
    anna.post(f"{page}active", {"active": "yes"}, page=page)
    assert victor.get("/").status_code == 302, "the session that was ended stays ended"
    assert victor.login("victor").status_code == 302
    assert {"unlocked", "switched off", "switched on"} <= {action for _who, action, _whom in notes(seeded)}


def test_nobody_locks_themselves_out(anna: Browser, seeded: Seeded) -> None:
    id = user(seeded).id
    for route, data in (
        ("active", {"active": "no"}),
        ("role", {"role": "viewer"}),
        ("reset", {}),
        ("remove-second-factor", {}),
    ):
        answer = anna.post(f"/users/{id}/{route}", data, page="/users/")
        assert answer.status_code == 422, route
    row = user(seeded)
    assert (row.active, row.role, row.must_change) == (True, "admin", False)
    assert anna.get("/").status_code == 200


def test_the_last_active_admin_cannot_be_removed(anna: Browser, app: Flask, seeded: Seeded) -> None:
    """Anna loses her role while her request is under way: the one who is left must stay."""
    with seeded.db.session() as session:
        auth.add_user(session, "berta", PASSWORD)
    berta = Browser(app)
    berta.login("berta")
    token = berta.token("/users/")
    id = user(seeded, "anna").id
    change(seeded, "berta", active=True)
    with seeded.db.session() as session:  # berta counts no more, but her check has passed already
        session.scalars(select(User).where(User.name == "berta")).one().role = "viewer"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "may", lambda *_given: True)
        for route, data in (("active", {"active": "no"}), ("role", {"role": "viewer"})):
            answer = berta.client.post(f"/users/{id}/{route}", data={**data, "csrf_token": token})
            assert answer.status_code == 422
            assert "last active admin" in text_of(answer)
    assert (user(seeded).active, user(seeded).role) == (True, "admin")


@pytest.mark.parametrize("id", [999, 2**63, 10**30])
def test_a_user_who_is_not_there_is_not_found(anna: Browser, id: int) -> None:
    assert anna.get(f"/users/{id}/").status_code == 404
    assert anna.post(f"/users/{id}/reset", page="/users/").status_code == 404


# the own account


def test_the_own_password_is_changed_by_whoever_knows_the_old_one(anna: Browser, app: Flask, seeded: Seeded) -> None:
    phone = Browser(app)
    phone.login()
    given = {"old": PASSWORD, "new": GOOD, "again": GOOD}
    assert anna.post("/account/password", given, page="/account/").status_code == 302
    assert anna.get("/").status_code == 200, "this session goes on"
    assert phone.get("/").status_code == 302, "all others ended"
    assert phone.login("anna", GOOD).status_code == 302


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"old": "wrong", "new": GOOD, "again": GOOD}, "not your password"),
        ({"old": PASSWORD, "new": "short", "again": "short"}, "at least 10"),
        ({"old": PASSWORD, "new": GOOD, "again": "x"}, "not the same"),
        ({}, "Type a new password"),
    ],
)
def test_the_own_password_stays_when_something_is_wrong(
    anna: Browser, seeded: Seeded, given: dict[str, str], said: str
) -> None:
    before = user(seeded).password
    answer = anna.post("/account/password", given, page="/account/")
    assert answer.status_code == 422
    assert said in text_of(answer)
    assert user(seeded).password == before


def test_guessing_the_old_password_locks_like_the_login(anna: Browser, seeded: Seeded) -> None:
    for _ in range(5):
        anna.post("/account/password", {"old": "wrong", "new": GOOD, "again": GOOD}, page="/account/")
    assert user(seeded).locked_until is not None
    right = {"old": PASSWORD, "new": GOOD, "again": GOOD}
    assert anna.post("/account/password", right, page="/account/").status_code == 422
    assert notes(seeded).count(("anna", "failed to prove password", "anna")) == 6


def test_language_and_theme_are_kept_with_the_person(anna: Browser, app: Flask, seeded: Seeded) -> None:
    anna.post("/account/looks", {"language": "de", "theme": "dark"}, page="/account/")
    phone = Browser(app)
    phone.login()
    page = text_of(phone.get("/account/"))
    assert '<html lang="de" data-chosen="dark">' in page
    phone.post("/account/looks", {"language": "", "theme": "system"}, page="/account/")
    assert '<html lang="en" data-chosen="system">' in text_of(anna.get("/account/"))
    kept = anna.client.post("/account/theme", data={"theme": "light", "csrf_token": anna.token("/account/")})
    assert (kept.status_code, user(seeded).preferences["theme"]) == (200, "light")
    for wrong in ({"theme": "neon"}, {"theme": "dark", "language": "tlh"}, {}):
        assert anna.post("/account/looks", wrong, page="/account/").status_code == 422


def test_all_other_sessions_end_at_once(anna: Browser, app: Flask) -> None:
    phone = Browser(app)
    phone.login()
    anna.post("/account/sessions", page="/account/")
    assert phone.get("/").status_code == 302
    assert anna.get("/").status_code == 200


# the second factor


class Phone:
    """The authenticator app: it shows codes of a later and later time, so that each can be used."""

    def __init__(self, key: str) -> None:
        self.totp = pyotp.TOTP(key)
        self.steps = -1

    def code(self) -> str:
        self.steps += 1
        assert self.steps <= 1, "no more codes of this half minute"
        return self.totp.at(now(), counter_offset=self.steps)


def set_up(browser: Browser) -> tuple[Phone, list[str]]:
    browser.post("/account/second-factor", {"password": PASSWORD}, page="/account/")
    page = text_of(browser.get("/account/second-factor"))
    found = re.search(r"<code[^>]*>([A-Z2-7 ]+)</code>", page)
    assert found
    assert "<svg" in page
    assert "style=" not in page
    phone = Phone(found[1].replace(" ", ""))
    answer = browser.post("/account/second-factor", {"code": phone.code()}, page="/account/second-factor")
    codes = re.findall(r"<li>([a-z2-9]{5}-[a-z2-9]{5})</li>", text_of(answer))
    assert len(set(codes)) == second_factor.RECOVERY_CODES
    return phone, codes


@pytest.fixture
def factored(anna: Browser) -> tuple[Browser, Phone, list[str]]:
    phone, codes = set_up(anna)
    return anna, phone, codes


def code_page(app: Flask, name: str = "anna", back: str = "/orders/") -> Browser:
    browser = Browser(app)
    token = browser.token("/login/")
    data = {"name": name, "password": PASSWORD, "csrf_token": token}
    answer = browser.client.post("/login/", query_string={"next": back}, data=data)
    assert answer.headers["Location"].startswith("/login/code?next=")
    return browser


def give(browser: Browser, code: str) -> Any:
    return browser.post("/login/code?next=/orders/", {"code": code}, page="/login/code")


def test_the_key_is_sealed_and_the_recovery_codes_are_not_kept(
    factored: tuple[Browser, Phone, list[str]], seeded: Seeded
) -> None:
    _browser, phone, codes = factored
    stored = user(seeded).totp or ""
    assert phone.totp.secret not in stored
    opened = second_factor.opened(stored)
    assert opened.key == phone.totp.secret
    assert not set(codes) & set(opened.recovery)


def test_the_password_alone_opens_nothing(factored: Any, app: Flask, seeded: Seeded) -> None:
    browser = code_page(app)
    assert browser.get("/").headers["Location"] == "/login/"
    assert browser.get("/orders/").status_code == 302
    for method in ("GET", "HEAD", "OPTIONS"):
        browser.client.open("/login/code", method=method)
        assert browser.get("/orders/").status_code == 302, f"{method} is no way around the code"
    assert ("anna", "logged in", "anna") not in notes(seeded)[-1:]


def test_the_code_completes_the_login_and_leads_on(factored: tuple[Browser, Phone, list[str]], app: Flask) -> None:
    _browser, phone, _codes = factored
    browser = code_page(app)
    assert (
        give(browser, f" {phone.code()[:3]} {phone.totp.at(now(), counter_offset=1)[3:]} ").headers["Location"]
        == "/orders/"
    )
    assert browser.get("/").status_code == 200


def test_no_code_works_twice(factored: tuple[Browser, Phone, list[str]], app: Flask, seeded: Seeded) -> None:
    _browser, phone, codes = factored
    used = phone.totp.at(now(), counter_offset=0)  # it switched the second factor on
    assert give(code_page(app), used).status_code == 401
    code = phone.code()
    assert give(code_page(app), code).status_code == 302
    assert give(code_page(app), code).status_code == 401
    assert give(code_page(app), codes[0].upper().replace("-", " ")).status_code == 302
    assert give(code_page(app), codes[0]).status_code == 401
    assert give(code_page(app), codes[1]).status_code == 302
    assert len(second_factor.opened(user(seeded).totp or "").recovery) == second_factor.RECOVERY_CODES - 2


def test_of_two_uses_of_one_code_at_once_one_gets_in(
    factored: tuple[Browser, Phone, list[str]], seeded: Seeded
) -> None:
    _browser, phone, codes = factored
    for code in (phone.code(), codes[0]):
        late = user(seeded)  # what a second request had read before the first one wrote
        with seeded.db.session() as session:
            assert auth.take_code(session, session.merge(late, load=True), code)
        with seeded.db.session() as session:
            assert not auth.take_code(session, late, code)


def test_wrong_codes_lock_and_the_right_password_buys_no_more_of_them(
    factored: Any, app: Flask, seeded: Seeded
) -> None:
    for _ in range(auth.FREE_ATTEMPTS):
        assert give(code_page(app), "000000").status_code == 401
    locked = user(seeded)
    assert locked.failed_logins == auth.FREE_ATTEMPTS
    assert locked.locked_until is not None
    browser = Browser(app)
    assert browser.login().status_code == 401
    assert notes(seeded).count(("stranger", "failed to log in", "anna")) == auth.FREE_ATTEMPTS + 1


def test_the_code_must_come_within_minutes_of_the_password(
    factored: tuple[Browser, Phone, list[str]], app: Flask
) -> None:
    browser = code_page(app)
    with browser.client.session_transaction() as session:
        session[auth.ASKED][2] -= 301
        session.modified = True
    assert browser.get("/login/code").headers["Location"] == "/login/"
    assert Browser(app).get("/login/code").headers["Location"] == "/login/"


def test_codes_are_limited_by_address_together_with_passwords(seeded: Seeded) -> None:
    browser = Browser(create_app(seeded.db))
    token = browser.token("/login/")
    for at in range(32):
        address = "/login/" if at % 2 else "/login/code"
        answer = browser.client.post(address, data={"csrf_token": token, "code": "1"})
        assert (answer.status_code == 429) is (at >= 30)
    assert "Too many attempts" in text_of(answer)


def test_setting_up_needs_the_password_and_a_right_code(anna: Browser, seeded: Seeded) -> None:
    assert anna.post("/account/second-factor", {"password": "wrong"}, page="/account/").status_code == 422
    assert anna.get("/account/second-factor").headers["Location"] == "/account/"
    assert anna.post("/account/second-factor", {"code": "1"}, page="/account/").headers["Location"] == "/account/"
    anna.post("/account/second-factor", {"password": PASSWORD}, page="/account/")
    before = text_of(anna.get("/account/second-factor"))
    answer = anna.post("/account/second-factor", {"code": "000000"}, page="/account/second-factor")
    assert answer.status_code == 422
    key = re.compile(r"<code[^>]*>([A-Z2-7 ]+)</code>")
    assert key.findall(text_of(answer)) == key.findall(before), "the key on the phone is still the right one"
    assert user(seeded).totp is None


def test_switching_it_off_or_new_codes_need_the_password(
    factored: tuple[Browser, Phone, list[str]], app: Flask, seeded: Seeded
) -> None:
    anna, _phone, codes = factored
    for route in ("second-factor/off", "recovery-codes"):
        assert anna.post(f"/account/{route}", {"password": "wrong"}, page="/account/").status_code == 422
    answer = anna.post("/account/recovery-codes", {"password": PASSWORD}, page="/account/")
    fresh = re.findall(r"<li>([a-z2-9]{5}-[a-z2-9]{5})</li>", text_of(answer))
    assert not set(fresh) & set(codes)
    assert give(code_page(app), codes[0]).status_code == 401
    assert give(code_page(app), fresh[0]).status_code == 302
    anna.post("/account/second-factor/off", {"password": PASSWORD}, page="/account/")
    assert user(seeded).totp is None
    assert anna.get("/").status_code == 200
    assert Browser(app).login().headers["Location"] == "/"


def test_an_admin_removes_the_second_factor_of_a_lost_phone(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    set_up(victor)
    page = f"/users/{user(seeded, 'victor').id}/"
    assert anna.post(f"{page}remove-second-factor", page=page).status_code == 302
    assert user(seeded, "victor").totp is None
    assert victor.get("/").status_code == 302
    assert victor.login("victor").headers["Location"] == "/"
    assert ("anna", "removed second factor", "victor") in notes(seeded)


# thousands of odd inputs


ODD = st.one_of(
    st.text(max_size=60),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            "\"'><img src=x onerror=alert(1)>",
            "{{ 7*7 }}",
            "%s%n",
            "\x00",
            "\ud800",
            "' or 1=1 --",
            "javascript:alert(1)",
            "//evil.example",
            "٣" * 6,
            "²",
            "1" * 400,
        ]
    ),
)
FORMS = (
    ("/login/", ("name", "password", "next")),
    ("/login/code", ("code", "next")),
    ("/language/", ("language", "next")),
    ("/users/add", ("name", "role")),
    ("/users/2/role", ("role",)),
    ("/users/2/active", ("active",)),
    ("/account/looks", ("language", "theme")),
    ("/account/theme", ("theme",)),
    ("/account/password", ("old", "new", "again")),
    ("/account/second-factor", ("code",)),
    ("/account/recovery-codes", ("password",)),
)


def encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_odd_input_breaks_a_form_or_comes_back_as_a_script(data: st.DataObject, anna: Browser, app: Flask) -> None:
    token = anna.token("/account/")
    address, names = data.draw(st.sampled_from(FORMS))
    values = {name: encodable(data.draw(ODD)) for name in names}
    known = {"role": "admin", "active": "yes", "theme": "dark"}
    values = {
        name: known[name] if name in known and data.draw(st.booleans()) else value for name, value in values.items()
    }
    query = {"next": values["next"]} if "next" in values else {}
    client = app.test_client() if address.startswith("/login") else anna.client
    if client is not anna.client:
        page = client.get("/login/").get_data(as_text=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found
        token = found[1]
    answer = client.post(address, data={**values, "csrf_token": token}, query_string=query)
    assert answer.status_code < 500, (address, values)
    page = answer.get_data(as_text=True)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert ">49<" not in page
    sent = answer.headers.get("Location", "/")
    assert sent.startswith("/")
    assert not sent.startswith(("//", "/\\"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_odd_address_breaks_a_page_of_access(data: st.DataObject, anna: Browser) -> None:
    names = ("q", "person", "kind", "action", "since", "until", "before", "after", "next", "ended")
    address = data.draw(
        st.sampled_from(("/audit/", "/users/", "/users/add", "/account/", "/login/", "/account/choose"))
    )
    query = {name: encodable(data.draw(ODD)) for name in data.draw(st.sets(st.sampled_from(names), max_size=4))}
    answer = anna.get(address, query_string=query)
    assert answer.status_code < 500, (address, query)
    assert "<script>alert" not in answer.get_data(as_text=True)
    assert not answer.headers.get("Location", "/").startswith(("//", "http"))
