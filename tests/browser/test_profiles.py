"""Profiles in a browser: the list that lives, cron lines while they are typed, new ones, duplicates, deletion."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import select, update

from profiles.db import now
from profiles.models import Profile, Task
from tests.admin.conftest import Seeded
from tests.browser.conftest import SIZES, Visitor


def stored(seeded: Seeded, name: str = "Orders DE") -> Profile | None:
    with seeded.db.reading() as session:
        return session.scalar(select(Profile).where(Profile.name == name))


def tab_to(page: Page, wanted: Locator, most: int = 80) -> None:
    """With the Tab key alone."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"{wanted} is not reached by {most} presses of Tab")


def quiet(seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Task).where(Task.id == seeded.task).values(status="success", finished_at=now()))


def test_the_switch_works_without_reload_by_keyboard_and_keeps_the_focus(anna: Visitor, seeded: Seeded) -> None:
    quiet(seeded)
    page = anna.page
    page.goto("/profiles/")
    page.evaluate("window.same = true")
    switch = page.get_by_role("switch", name="Active: Orders DE")
    tab_to(page, switch)
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false")
    expect(page.get_by_role("status").filter(has_text="Orders DE is inactive")).to_be_visible()
    expect(page.get_by_text("not planned")).to_be_visible()
    expect(switch).to_be_focused()
    row = stored(seeded)
    assert row is not None
    assert not row.active
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "true")
    assert page.evaluate("window.same"), "the page was never loaded again"


def test_the_menu_of_a_profile_opens_and_closes_by_keyboard(anna: Visitor) -> None:
    page = anna.page
    page.goto("/profiles/")
    button = page.get_by_role("button", name="More for Orders DE")
    tab_to(page, button)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Export settings")).to_be_focused()
    anna.accessible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Export settings")).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    page.get_by_role("link", name="Delete …").click()
    expect(page.locator("#confirm")).to_be_visible()


def test_the_list_is_fresh_without_reload(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/profiles/")
    expect(page.locator("main .chip", has_text="processing")).to_be_visible()
    quiet(seeded)
    expect(page.locator("main .chip", has_text="processing")).to_have_count(0, timeout=12_000)


def test_a_cron_line_is_explained_while_it_is_typed_and_a_bad_one_named_once(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/")
    line, words = page.get_by_label("When it runs"), page.locator("[data-words]")
    line.fill("30 2 * * *")
    expect(words).to_have_text("At 02:30 every day")
    expect(page.locator("[data-runs] li")).to_have_count(10)
    line.fill("30 25 * * *")
    expect(words).to_contain_text("Hour '25' is not possible")
    expect(line).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[data-runs] li")).to_have_count(0)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Nothing was saved yet")).to_be_visible()
    expect(page.get_by_text("Hour '25'")).to_have_count(1)
    expect(line).to_have_value("30 25 * * *")
    anna.allowed.append("422")
    anna.accessible()
    page.get_by_role("button", name="Nightly").click()
    expect(words).to_have_text("At 03:15 every day")
    expect(page.get_by_role("button", name="Nightly")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    row = stored(seeded)
    assert row is not None
    assert row.cron == "15 3 * * *"


def test_an_unknown_zone_is_told_and_a_known_one_moves_the_runs(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/")
    zone = page.get_by_label("Time zone")
    zone.fill("Europe/Berln")
    expect(page.locator("[data-words]")).to_contain_text("'Europe/Berln' is not known")
    expect(zone).to_have_attribute("aria-invalid", "true")
    page.get_by_label("When it runs").fill("0 12 * * *")
    zone.fill("Asia/Tokyo")
    expect(page.locator("[data-runs] li").first).to_contain_text("03:00 UTC")


def test_changes_that_are_not_saved_are_not_lost_by_a_click(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/")
    asked: list[str] = []

    def stay(dialog: object) -> None:
        asked.append(dialog.type)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.get_by_label("Name", exact=True).press_sequentially("X")
    page.once("dialog", stay)
    page.get_by_role("link", name="Dashboard").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("XOrders DE")
    assert asked == ["beforeunload"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("link", name="Dashboard").click()
    page.wait_for_url("**/")


def test_a_profile_is_made_by_keyboard_alone(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/profiles/new/")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_have_value("Order export")
    expect(page.locator("#to option[value=shop-de]")).to_have_count(0)  # it takes nothing
    anna.accessible()
    tab_to(page, page.get_by_role("radio", name="Export"))
    page.keyboard.press("ArrowRight")
    expect(name).to_have_value("Order import")
    page.keyboard.press("ArrowLeft")
    tab_to(page, name)
    page.keyboard.type("By keyboard")
    tab_to(page, page.get_by_role("button", name="Hourly"))
    page.keyboard.press("Space")
    expect(page.locator("[data-words]")).to_have_text("Every hour, on the hour")
    tab_to(page, page.get_by_role("button", name="Make the profile"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/options/")
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("Before its first run it needs:")
    row = stored(seeded, "By keyboard")
    assert row is not None
    assert (row.active, row.cron) == (False, "0 * * * *")


def test_the_first_profile_begins_in_the_zone_of_its_maker(visit: Callable[..., Visitor], seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(Profile.__table__.delete())  # type: ignore[attr-defined]
    visitor = visit(timezone_id="America/New_York")
    visitor.login()
    visitor.page.goto("/profiles/new/")
    expect(visitor.page.get_by_label("Time zone")).to_have_value("America/New_York")


def test_a_profile_is_duplicated_and_deleted_by_its_name(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/")
    page.get_by_role("button", name="Duplicate").click()
    expect(page.get_by_role("heading", name="Orders DE (copy)")).to_be_visible()
    expect(page.locator(".head .chip")).to_have_text("inactive")
    anna.allowed.append("422")
    page.get_by_label("Delete", exact=True).fill("Orders DE")
    page.get_by_role("button", name="Delete the profile").click()
    expect(page.get_by_text("the name you typed is not Orders DE (copy)")).to_be_visible()
    page.get_by_label("Delete", exact=True).fill("Orders DE (copy)")
    page.get_by_role("button", name="Delete the profile").click()
    expect(page.get_by_text("The profile Orders DE (copy) was deleted.")).to_be_visible()
    assert stored(seeded, "Orders DE (copy)") is None
    assert stored(seeded) is not None


def test_what_was_exported_is_changed_and_imported(anna: Visitor, seeded: Seeded, tmp_path: Path) -> None:
    page = anna.page
    page.goto("/profiles/")
    with page.expect_download() as waited:
        page.get_by_role("link", name="Export all as YAML").click()
    file = tmp_path / "connector.yaml"
    waited.value.save_as(file)
    file.write_text(file.read_text().replace("*/15 * * * *", "0 4 * * *"))
    page.get_by_role("link", name="Import YAML").click()
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name=re.compile(r"^\d changes?$"))).to_be_visible()
    expect(page.locator(".changes")).to_contain_text("*/15 * * * * → 0 4 * * *")
    anna.accessible()
    page.get_by_role("button", name="Make these changes").click()
    expect(page.get_by_text(re.compile(r"\d changes? (was|were) made."))).to_be_visible()
    expect(page.get_by_text("At 04:00 every day")).to_be_visible()


def test_faults_of_an_import_stand_with_their_lines(anna: Visitor) -> None:
    anna.allowed.append("422")
    page = anna.page
    page.goto("/profiles/import")
    page.get_by_label("Or its text").fill("profiles:\n  - name: A\n    entity: order\n")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_text("Line 2").first).to_be_visible()
    expect(page.get_by_label("Or its text")).to_have_value(re.compile("entity: order"))
    anna.accessible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_no_page_spills_over(visit: Callable[..., Visitor], seeded: Seeded, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    visitor = visit(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = visitor.page
    page.goto("/login/")
    page.fill("[name=name]", "anna")
    page.fill("[name=password]", "correct horse battery")
    page.click("button.primary")
    page.wait_for_selector("nav.side", state="attached")
    for address in ("/profiles/", "/profiles/new/", "/profiles/import", f"/profiles/{seeded.profile}/", "/schedule/",
                    f"/profiles/{seeded.profile}/schedule/", f"/profiles/{seeded.profile}/schedule-history/"):  # fmt: skip
        page.goto(address)
        spilled = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert spilled <= 0, f"{address} is {spilled} pixels too wide"
