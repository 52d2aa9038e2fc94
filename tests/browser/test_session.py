"""A session that ends while a long form is filled in; `test_access.py` has the other ways in which it may end."""

from __future__ import annotations

from playwright.sync_api import expect

from profiles.models import Profile
from tests.admin.conftest import Seeded
from tests.browser.conftest import Visitor
from tests.browser.test_access import end_sessions, log_in_here


def test_rows_that_were_added_come_back_after_the_session_ended_and_are_saved(anna: Visitor, seeded: Seeded) -> None:
    """With a row added, one removed and a value chosen from a list: after the login one click saves it all."""
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/options/")
    page.click("[data-open-all]")
    table = page.locator("#setting-status_mapping")
    table.get_by_role("button", name="Remove the row gone").click()
    table.get_by_role("button", name="Add a row").click()
    fresh = table.locator("tbody tr").first
    fresh.locator("[data-key]").fill("backorder")
    fresh.get_by_role("combobox").last.fill("Shipped (7)")
    pending = table.get_by_role("combobox", name="Pending (pending)")
    pending.fill("Waiting for payment (3)")
    end_sessions(seeded)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    log_in_here(anna)
    expect(page.get_by_text("What you typed before your session ended is back")).to_be_visible()
    expect(page.locator("[data-changed-count]")).to_contain_text("not saved yet")
    anna.allowed.append("422")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".flash:not([hidden])").first).to_be_visible()
    if page.get_by_role("button", name="Save all the same").count():
        page.get_by_role("button", name="Save all the same").click()
    expect(page.locator(".flash.good:not([hidden])").first).to_contain_text("Saved.")
    with seeded.db.reading() as session:
        stored = session.get_one(Profile, seeded.profile).settings["global"]["status_mapping"]
    assert {key: stored.get(key) for key in ("gone", "backorder", "pending")} == {
        "gone": None,
        "backorder": 7,
        "pending": 3,
    }
