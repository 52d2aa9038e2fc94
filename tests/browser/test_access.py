"""Login, account, users and audit as people use them, and what was typed when a session ended."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pyotp
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from admin import auth
from profiles.db import now
from profiles.models import User
from tests.admin.conftest import PASSWORD, Seeded
from tests.browser.conftest import Visitor

GOOD = "another good one"
Visit = Callable[..., Visitor]


def end_sessions(seeded: Seeded, name: str = "anna") -> None:
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == name)).one().session_epoch += 1


def log_in_here(visitor: Visitor, name: str = "anna", password: str = PASSWORD) -> None:
    """On the login page that is shown."""
    visitor.page.fill("[name=name]", name)
    visitor.page.fill("[name=password]", password)
    visitor.page.click("button.primary")


def test_a_newcomer_must_choose_a_password_and_goes_on_where_they_wanted_to(seeded: Seeded, visit: Visit) -> None:
    visitor = visit()
    visitor.allowed.append("422")
    with seeded.db.session() as session:
        auth.add_user(session, "nina", "given for once", "admin", one_time=True)
    page = visitor.page
    page.goto("/log/?result=ok")
    log_in_here(visitor, "nina", "given for once")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    visitor.accessible()
    page.get_by_label("New password", exact=True).fill("given for once")
    page.get_by_label("Repeat the new password").fill("given for once")
    page.get_by_role("button", name="Keep it and go on").click()
    expect(page.get_by_text("the password you were given")).to_be_visible()
    visitor.accessible()
    page.get_by_label("New password", exact=True).fill(GOOD)
    page.get_by_label("Repeat the new password").fill(GOOD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/log/?result=ok")


def test_a_user_is_added_helped_and_switched_off_by_keyboard_alone(anna: Visitor, visit: Visit) -> None:
    page = anna.page
    page.goto("/users/add")
    expect(page.locator("[name=name]")).to_be_focused()
    page.keyboard.type("ines")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")
    expect(page.get_by_role("radio", name="Operator")).to_be_checked()
    page.keyboard.press("Enter")
    word = page.locator("#word").inner_text()
    anna.accessible()
    ines = visit()
    ines.page.goto("/")
    log_in_here(ines, "ines", word)
    expect(ines.page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.reload()
    expect(page.locator("#word")).to_have_count(0)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Switch off").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("ines may no longer log in")).to_be_visible()
    ines.page.reload()
    expect(ines.page.get_by_role("button", name="Log in")).to_be_visible()
    page.goto("/audit/?q=ines")
    expect(page.locator(".what", has_text="switched off").first).to_be_visible()
    page.locator("details.audit-row summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("table.changes").first).to_be_visible()
    anna.accessible()


def test_the_second_factor_is_set_up_asked_for_and_switched_off(anna: Visitor, visit: Visit) -> None:
    anna.allowed.append("401")
    page = anna.page
    page.goto("/")
    page.get_by_role("link", name="anna").click()
    expect(page.get_by_role("heading", name="Your account")).to_be_visible()
    box = page.locator("section", has=page.get_by_role("heading", name="Second factor"))
    box.get_by_label("Your password").fill(PASSWORD)
    box.get_by_role("button", name="Set up").click()
    picture = page.get_by_role("img", name="QR code for your authenticator app")
    expect(picture).to_be_visible()
    assert picture.bounding_box()["width"] >= 180  # type: ignore[index]
    anna.accessible()
    phone = pyotp.TOTP(page.locator("code").inner_text().replace(" ", ""))
    page.get_by_role("textbox", name="Code").fill(phone.now())
    page.get_by_role("button", name="Switch on").click()
    codes = page.locator("#codes li").all_inner_texts()
    assert len(codes) == 10
    anna.accessible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 recovery codes are left.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    log_in_here(anna)
    expect(page.get_by_role("heading", name="One more step")).to_be_visible()
    anna.accessible()
    page.get_by_role("textbox", name="Code").fill("000000")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    page.get_by_role("textbox", name="Code").fill(codes[0])
    page.keyboard.press("Enter")
    page.wait_for_selector("nav.side")
    page.goto("/account/")
    expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
    box.get_by_label("Your password").fill(PASSWORD)
    box.get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("your password alone is enough again")).to_be_visible()


def test_the_theme_goes_with_the_person_and_holds_before_the_next_login(anna: Visitor, visit: Visit) -> None:
    page = anna.page
    page.goto("/account/")
    page.get_by_role("radio", name="Dark").check()
    page.locator("form[action='/account/looks'] button").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    laptop = visit(color_scheme="light")
    laptop.login()
    expect(laptop.page.locator("html")).to_have_attribute("data-theme", "dark")
    laptop.page.get_by_role("button", name="Log out").click()
    expect(laptop.page.locator("html")).to_have_attribute("data-theme", "dark")
    with page.expect_response("**/account/theme") as kept:
        page.get_by_role("button", name="Light or dark").click()
    assert kept.value.status == 200
    page.reload()
    expect(page.get_by_role("radio", name="Light")).to_be_checked()


def test_the_account_speaks_the_chosen_language(anna: Visitor) -> None:
    page = anna.page
    page.goto("/account/")
    page.locator("form[action='/account/looks'] [name=language]").select_option("de")
    page.locator("form[action='/account/looks'] button").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.goto("/account/")
    page.locator("form[action='/account/looks'] [name=language]").select_option("")
    page.locator("form[action='/account/looks'] button").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_what_was_typed_comes_back_after_the_session_ended(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/users/add")
    page.get_by_label("Name").fill("ines of the night shift")
    page.get_by_role("radio", name="Admin").check()
    end_sessions(seeded)
    page.get_by_role("button", name="Add the user").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(page.get_by_text("What you typed is kept")).to_be_visible()
    anna.accessible()
    anna.allowed.append("401")
    log_in_here(anna, password="wrong")
    log_in_here(anna)
    expect(page.get_by_text("What you typed before your session ended is back")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("ines of the night shift")
    expect(page.get_by_role("radio", name="Admin")).to_be_checked()
    page.reload()
    expect(page.get_by_label("Name")).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0


def test_settings_with_rows_and_defaults_come_back_too_but_no_secret(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/options/")
    form = page.locator("form.main-form")
    form.locator("[name=use_default][value=batch_size]").uncheck(force=True)
    form.locator("[name='s.batch_size']").fill("77")
    typed = {"s.note": "half a thought", "s.hook_secret": "must not be kept", "s.status_mapping.0.value": "7"}
    for name, value in typed.items():  # some stand in sections that are shut
        form.locator(f"[name='{name}']").evaluate(
            "(field, value) => { field.value = value; field.dispatchEvent(new Event('input', { bubbles: true })) }",
            value,
        )
    form.locator("[name='s.status_filter'][value=complete]").evaluate("field => field.click()")
    end_sessions(seeded)
    form.evaluate("form => form.requestSubmit()")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    kept = page.evaluate("sessionStorage.getItem('draft')")
    assert "half a thought" in kept
    assert "must not be kept" not in kept
    log_in_here(anna)
    expect(page.get_by_text("What you typed before your session ended is back")).to_be_visible()
    expect(form.locator("[name=use_default][value=batch_size]")).not_to_be_checked()
    expect(form.locator("[name='s.batch_size']")).to_have_value("77")
    expect(form.locator("[name='s.batch_size']")).to_be_enabled()
    expect(form.locator("[name='s.note']")).to_have_value("half a thought")
    expect(form.locator("[name='s.status_filter'][value=complete]")).to_be_checked()
    expect(form.locator("[name='s.status_mapping.0.value']")).to_have_value("7")
    expect(form.locator("[name='s.hook_secret']")).to_have_value("")


def test_a_page_that_is_left_by_itself_keeps_what_was_typed(anna: Visitor, seeded: Seeded) -> None:
    """A live part asks the host, hears that nobody is logged in, and loads the page again."""
    page = anna.page
    page.goto("/users/add")
    page.get_by_label("Name").fill("half typed")
    end_sessions(seeded)
    anna.allowed.append("401")
    page.evaluate("window.host.ask('/schedule/rows.json')")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    log_in_here(anna)
    expect(page.get_by_label("Name")).to_have_value("half typed")


def test_what_one_person_typed_is_never_shown_to_the_next(anna: Visitor, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        auth.add_user(session, "berta", PASSWORD)
    page = anna.page
    page.goto("/users/add")
    page.get_by_label("Name").fill("of anna")
    end_sessions(seeded)
    page.get_by_role("button", name="Add the user").click()
    log_in_here(anna, "berta")
    expect(page.get_by_label("Name")).to_have_value("")
    assert page.evaluate("sessionStorage.length") == 0


def test_a_form_that_was_sent_or_left_on_purpose_does_not_come_back(anna: Visitor) -> None:
    page = anna.page
    page.goto("/users/add")
    page.get_by_label("Name").fill("left")
    page.goto("/users/")
    page.goto("/users/add")
    expect(page.get_by_label("Name")).to_have_value("")
    page.get_by_label("Name").fill("logged out")
    page.get_by_role("button", name="Log out").click()
    log_in_here(anna)
    page.goto("/users/add")
    expect(page.get_by_label("Name")).to_have_value("")


def test_a_form_of_an_older_session_is_refused_and_comes_back_filled(anna: Visitor) -> None:
    page = anna.page
    page.goto("/users/add")
    page.get_by_label("Name").fill("from before")
    other = anna.context.new_page()
    other.goto("/account/")
    other.get_by_role("button", name="End all other sessions").click()
    expect(other.get_by_text("other sessions have ended")).to_be_visible()
    other.close()
    anna.allowed.append("400")
    page.get_by_role("button", name="Add the user").click()
    expect(page.get_by_text("too old")).to_be_visible()
    page.get_by_role("link", name="Open the page again").click()
    expect(page.get_by_label("Name")).to_have_value("from before")


def test_each_role_sees_its_places_and_a_refusal_in_words(seeded: Seeded, visit: Visit) -> None:
    with seeded.db.session() as session:
        auth.add_user(session, "olga", PASSWORD, "operator")
    for name in ("olga", "victor"):
        visitor = visit()
        visitor.allowed.append("403")
        visitor.login(name)
        places = visitor.page.locator("nav.side").inner_text()
        assert "Users" not in places
        assert "Audit" not in places
        visitor.page.goto("/users/")
        expect(visitor.page.get_by_text("You may not do that")).to_be_visible()
        visitor.accessible()


def test_too_many_logins_get_a_friendly_page(visit: Visit) -> None:
    visitor = visit()
    visitor.allowed += ["401", "429"]
    page = visitor.page
    page.goto("/login/")
    token = page.locator("[name=csrf_token]").first.get_attribute("value")
    for _attempt in range(30):
        visitor.context.request.post("/login/", form={"name": "x", "password": "x", "csrf_token": token or ""})
    log_in_here(visitor)
    expect(page.get_by_text("Too many attempts")).to_be_visible()
    visitor.accessible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["laptop", "phone"])
def test_the_pages_of_access_fit_and_are_accessible(scheme: str, size: str, visit: Visit, seeded: Seeded) -> None:
    from tests.browser.conftest import SIZES

    with seeded.db.session() as session:
        locked = auth.add_user(session, "an extraordinarily-long-name-" + "x" * 60, PASSWORD, "viewer")
        locked.locked_until, locked.failed_logins = now() + timedelta(minutes=5), 6
    width, height = SIZES[size]
    visitor = visit(color_scheme=scheme, viewport={"width": width, "height": height})
    page = visitor.page
    for address in ("/login/", "/users/", "/users/add", "/users/2/", "/users/3/", "/account/", "/audit/"):
        page.goto(address)
        if page.url.find("/login/?") > 0:
            log_in_here(visitor)
            page.wait_for_url(re.compile(re.escape(address) + "$"))
        visitor.accessible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{address} scrolls sideways"
