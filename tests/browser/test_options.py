"""The settings tab in a browser: lists, suggestions, what guards unsaved changes, scopes, versions; by keyboard as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Dialog, Page, expect
from sqlalchemy import select, update

import connector.registry
from admin import create_app
from profiles.models import CatalogueEntry, Connection, Profile
from tests.admin import every_field
from tests.admin.conftest import Seeded
from tests.admin.every_field import STORED, readable
from tests.browser.conftest import SIZES, Visitor

KEPT = {"plain_map": {"new": 3, "done": 7, "cod": 9}}


@pytest.fixture
def things(seeded: Seeded) -> Iterator[int]:
    with pytest.MonkeyPatch.context() as patch:
        yield every_field.install(patch, seeded.db)
    connector.registry.forget()


@pytest.fixture
def app(seeded: Seeded, things: int) -> Flask:
    made = create_app(seeded.db)
    made.config.update(TESTING=False, RATELIMIT_ENABLED=False)
    return made


def settings(seeded: Seeded, profile: int) -> dict[str, Any]:
    with seeded.db.reading() as session:
        return readable(session.get_one(Profile, profile).settings)


def put(seeded: Seeded, profile: int, **values: Any) -> None:
    with seeded.db.session() as session:
        session.execute(update(Profile).where(Profile.id == profile).values(settings={"global": {**KEPT, **values}}))


def opened(anna: Visitor, profile: int, query: str = "") -> Page:
    anna.page.goto(f"/profiles/{profile}/options/{query}")
    anna.page.click("[data-open-all]")
    return anna.page


def combo(page: Page, setting: str, row: int = 0) -> Any:
    return page.locator(f"#setting-{setting} [role=combobox]").nth(row)


def save(page: Page) -> None:
    with page.expect_navigation():
        page.click(".savebar button.primary")


def test_every_field_type_is_filled_in_a_browser_and_stored(anna: Visitor, seeded: Seeded, things: int) -> None:
    page = opened(anna, things)
    for name in ("number", "ratio", "switch", "mode", "word_map"):
        page.uncheck(f'#setting-{name} input[name="use_default"]')
    for name in ("text", "pin", "number", "ratio", "day", "email", "url", "nested", "anything"):
        page.fill(f'[id="s.{name}"]', every_field.GOOD[f"s.{name}"][0])
    page.fill('[id="s.decimal"]', "12.5")
    page.fill('[id="s.time"]', "06:30:00")
    page.fill('[id="s.moment"]', "2026-03-29T01:30:00")
    page.fill('[id="s.names"]', "one\ntwo")
    page.uncheck('#setting-switch input[type="checkbox"][name="s.switch"]')
    page.select_option('[id="s.mode"]', "fast")
    page.select_option('[id="s.colour"]', "BLUE")
    page.select_option('[id="s.by_value"]', "red")
    combo(page, "choice").fill("Warehouse 104")
    combo(page, "unknown").fill("typed by hand")
    page.check('#setting-choices input[value="new"]')
    page.fill("#setting-choices [data-another]", "typed-one")
    page.press("#setting-choices [data-another]", "Enter")
    expect(page.locator('#setting-choices input[value="typed-one"]')).to_be_checked()
    combo(page, "plain_map").fill("3")
    combo(page, "row_map").fill("1")
    page.fill("#setting-row_map tbody tr:first-child input[type=number]", "2.5")
    page.uncheck("#setting-row_map tbody tr:first-child input[type=checkbox]")
    page.fill("#setting-word_map [data-key]", "left")
    page.fill("#setting-word_map td:nth-child(3) input", "right")
    save(page)
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("Saved.")
    made = settings(seeded, things)["global"]
    assert made == {**STORED, "plain_map": {"new": 3}}


def test_a_long_list_is_searched_and_chosen_from_by_keyboard(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    page = opened(anna, things)
    field = combo(page, "choice")
    field.focus()
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#listbox [role=option]").last).to_contain_text("240 more")
    page.keyboard.type("25")
    expect(page.locator("#listbox [role=option]")).to_have_count(13)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(field).to_have_attribute("aria-activedescendant", "listbox-1")
    anna.accessible()
    page.keyboard.press("Enter")
    expect(field).to_have_value("Warehouse 251 (251)")
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    save(page)
    assert settings(seeded, things)["global"]["choice"] == 251
    field = combo(opened(anna, things), "choice")
    expect(field).to_have_value("Warehouse 251 (251)")
    field.fill("made up")
    field.blur()
    expect(page.locator("#setting-choice")).to_contain_text("made up is not in the list. It is kept as you typed it.")
    save(page)
    assert settings(seeded, things)["global"]["choice"] == "made up"


def test_suggestions_are_applied_changed_ignored_and_applied_all_at_once(
    anna: Visitor, seeded: Seeded, things: int
) -> None:
    page = opened(anna, things)
    table = page.locator("#setting-plain_map")
    expect(table.locator("[data-suggest]:visible")).to_have_count(3)
    table.get_by_role("button", name="Apply Nachnahme (9) for Cash on delivery (cod)").click()
    expect(table.locator("tr:has(input[value=cod]) [role=combobox]")).to_have_value("Nachnahme (9)")
    expect(table.locator("[data-suggest]:visible")).to_have_count(2)
    table.get_by_role("button", name="Choose another one for New (new)").click()
    expect(page.locator("#listbox")).to_be_visible()
    page.locator("#listbox [role=option]", has_text="Nachnahme").click()
    expect(table.locator("tr:has(input[value=new]) [role=combobox]")).to_have_value("Nachnahme (9)")
    table.get_by_role("button", name="Ignore the suggestion for Complete (done)").click()
    expect(table.locator("[data-suggest]:visible")).to_have_count(0)
    expect(table.locator("[data-over]")).to_be_hidden()
    expect(page.locator(".savebar [data-changed-count]")).to_contain_text("1 setting changed")
    page.once("dialog", lambda dialog: dialog.accept())
    page = opened(anna, things)
    expect(table.locator("[data-suggest]:visible")).to_have_count(2)
    table.get_by_role("button", name="Apply all sure ones").click()
    expect(table.locator("tr:has(input[value=cod]) [role=combobox]")).to_have_value("Nachnahme (9)")
    expect(table.locator("tr:has(input[value=done]) [role=combobox]")).to_have_value("")
    combo(page, "plain_map", 1).fill("7")
    save(page)
    assert settings(seeded, things)["global"]["plain_map"] == {"new": 3, "done": 7, "cod": 9}
    expect(page.locator(".tabs [aria-current]")).to_have_text("Export settings (2)")  # of a table that is optional


def test_what_is_not_saved_is_guarded_counted_and_can_be_discarded(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    page = opened(anna, things)
    said = page.locator("[data-changed-count]")
    expect(said).to_have_text("")
    page.fill('[id="s.text"]', "new words")
    page.fill('[id="s.email"]', "a@example.com")
    expect(said).to_have_text("2 settings changed, not saved yet")
    page.fill('[id="s.email"]', "")
    expect(said).to_have_text("1 setting changed, not saved yet")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.click("nav.side a >> text=Orders")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    assert page.input_value('[id="s.text"]') == "new words"
    with page.expect_navigation():
        page.click("[data-discard]")
    expect(page.locator('[id="s.text"]')).to_have_value("")
    page.click("nav.side a >> text=Orders")
    page.wait_for_url("**/orders/")
    assert asked == ["beforeunload"], "nothing is left to ask about"


def test_a_draft_that_cannot_be_saved_stays_in_the_form_and_is_guarded(
    anna: Visitor, seeded: Seeded, things: int
) -> None:
    page = opened(anna, things)
    anna.allowed.append("422")
    page.fill('[id="s.text"]', "my draft")
    save(page)
    expect(page.locator("[data-refused]")).to_contain_text("Missing: A table.")
    expect(page.locator("#setting-plain_map")).to_contain_text("It is needed, and still empty.")
    expect(page.locator('[id="s.text"]')).to_have_value("my draft")
    expect(page.locator("[data-changed-count]")).to_have_text("1 setting changed, not saved yet")
    assert settings(seeded, things) == {}
    page.click("text=Save as incomplete")
    expect(page.locator(".flash.warn:not([hidden])").first).to_contain_text("Still missing: A table.")
    assert settings(seeded, things)["global"] == {"text": "my draft"}


def test_a_value_out_of_its_range_is_shown_even_in_a_closed_section(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    page = opened(anna, things)
    page.uncheck('#setting-number input[name="use_default"]')
    page.fill('[id="s.number"]', "10")
    page.click("[data-close-all]")
    page.click(".savebar button.primary")
    expect(page.locator('[id="s.number"]')).to_be_visible()
    assert "number" not in settings(seeded, things)["global"]


def test_a_store_overrides_its_website_with_one_click_and_goes_back(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things, text="everywhere")
    page = opened(anna, things, "?scope=websites.base")
    expect(page.locator("#setting-text .from")).to_have_text("From global: everywhere")
    page.uncheck('#setting-text input[name="use_default"]')
    page.fill('[id="s.text"]', "at the website")
    save(page)
    page = opened(anna, things, "?scope=stores.de")
    expect(page.locator("#setting-text .from")).to_have_text("From website Main website: at the website")
    expect(page.locator('[id="s.text"]')).to_be_disabled()
    page.uncheck('#setting-text input[name="use_default"]')
    page.fill('[id="s.text"]', "at the store")
    save(page)
    assert settings(seeded, things)["stores"] == {"de": {"text": "at the store"}}
    expect(page.locator(".scopes a.store", has_text="German store").locator(".badge")).to_contain_text("1")
    page = opened(anna, things)
    expect(page.locator("#setting-text .narrower")).to_have_text("Another value holds for Main website, German store.")
    page = opened(anna, things, "?scope=stores.de")
    page.check('#setting-text input[name="use_default"]')
    save(page)
    assert settings(seeded, things)["stores"] == {}


def test_an_older_version_is_compared_and_restored(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    for words in ("first words", "second words", "third words"):
        page = opened(anna, things)
        page.fill('[id="s.text"]', words)
        save(page)
    page.click("text=Saved versions")
    expect(page.locator("#compared")).to_contain_text("second words")
    page.locator("tr", has_text="3").locator("input[name=new]").first.check()
    page.locator("table.versions tbody tr").last.locator("input[name=old]").check()
    with page.expect_navigation():
        page.click("text=Compare the chosen two")
    expect(page.locator("#compared .was")).to_have_text("first words")
    expect(page.locator("#compared .is")).to_have_text("third words")
    anna.accessible()
    page.locator("table.versions tbody tr").last.get_by_role("button", name="Restore").click()
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("is restored, as a new version.")
    assert settings(seeded, things)["global"]["text"] == "first words"


def test_rows_are_added_and_removed_by_keyboard_alone(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    page = opened(anna, things)
    page.locator("#setting-plain_map [data-add-row]").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("fraud")
    page.keyboard.press("Tab")
    page.keyboard.type("Neu")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(combo(page, "plain_map")).to_have_value("Neu (3)")
    page.locator("#setting-plain_map tr:has(input[value=done]) [data-remove-row]").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.matches('[data-remove-row]')")
    page.keyboard.press("Tab")
    page.locator(".savebar button.primary").focus()
    anna.allowed.append("422")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    expect(page.locator("#setting-plain_map")).to_contain_text("Complete (done) was seen and is not mapped.")
    combo(page, "plain_map").focus()
    page.keyboard.type("Abge")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".savebar button.primary").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert settings(seeded, things)["global"]["plain_map"] == {"fraud": 3, "new": 3, "cod": 9, "done": 7}


def test_settings_are_found_by_words_and_sections_by_the_index(anna: Visitor, things: int) -> None:
    page = anna.page
    page.goto(f"/profiles/{things}/options/")
    page.fill("[data-find]", "e-mail")
    expect(page.locator("[data-field]:visible")).to_have_count(1)
    expect(page.locator("#setting-email")).to_be_visible()
    page.fill("[data-find]", "no such thing")
    expect(page.locator("[data-found]")).to_have_text("Nothing fits.")
    page.press("[data-find]", "Escape")
    page.click("[data-index] a >> text=Attributes")
    expect(page.locator("#attributes")).to_have_attribute("open", "")
    expect(page.locator("#attributes summary")).to_be_focused()
    page.click("[data-close-all]")
    page.goto(f"/profiles/{things}/options/#setting-email")
    page.reload()
    expect(page.locator("#setting-email")).to_be_in_viewport()


def test_an_empty_list_is_collected_without_losing_what_was_typed(anna: Visitor, seeded: Seeded, things: int) -> None:
    put(seeded, things)
    page = opened(anna, things)
    page.fill('[id="s.text"]', "not lost")

    def collected(route: Any) -> None:
        with seeded.db.session() as session:
            end = session.scalars(select(Connection).where(Connection.name == "thing-two")).one()
            assert route.request.url.endswith(f"/connections/{end.id}/collect")
            assert "csrf_token" in (route.request.post_data or "")
            end.collected_at = end.updated_at
            session.add(
                CatalogueEntry(
                    connection_id=end.id,
                    kind="never_collected",
                    entry="77",
                    name="Seventy-seven",
                    collected_at=end.updated_at,
                )
            )
        route.fulfill(status=202, body="")

    page.route("**/collect", collected)
    page.locator("#setting-unknown [data-collect]").click()
    expect(page.locator("#setting-unknown")).to_contain_text("The lists are up to date.")
    expect(page.locator('[id="s.text"]')).to_have_value("not lost")
    combo(page, "unknown").fill("seventy")
    page.locator("#listbox [role=option]", has_text="Seventy-seven").click()
    save(page)
    made = settings(seeded, things)["global"]
    assert (made["unknown"], made["text"]) == (77, "not lost")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_tab_is_accessible_and_fits_in_every_size(
    scheme: str, size: str, visit: Callable[..., Visitor], seeded: Seeded, things: int
) -> None:
    width, height = SIZES[size]
    visitor = visit(color_scheme=scheme)
    visitor.login().set_viewport_size({"width": width, "height": height})
    for query in ("", "?scope=stores.de"):
        page = visitor.page
        page.goto(f"/profiles/{things}/options/{query}")
        page.locator("[data-open-all]").click()
        visitor.accessible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.goto(f"/profiles/{things}/options/versions/")
    visitor.accessible()


def test_a_viewer_can_look_but_change_nothing(visit: Callable[..., Visitor], things: int) -> None:
    visitor = visit()
    visitor.login("victor")
    page = visitor.page
    page.goto(f"/profiles/{things}/options/")
    page.click("[data-open-all]")
    expect(page.locator('[id="s.text"]')).to_be_disabled()
    expect(page.locator(".savebar")).to_have_count(0)
    visitor.accessible()


def test_the_index_marks_the_section_that_a_link_led_to(anna: Visitor, things: int) -> None:
    page = opened(anna, things)
    links = page.locator("[data-index] a")
    for link in (links.last, links.nth(1)):
        link.click()
        page.wait_for_timeout(300)  # whatever scrolling sets off has come by then
        expect(page.locator("[data-index] a[aria-current]")).to_have_count(1)
        expect(link).to_have_attribute("aria-current", "true")
