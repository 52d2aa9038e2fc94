"""The tab *Order synchronisation* and its history in a browser: filters, columns, views, CSV, and mass actions."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from profiles.models import SyncHistory, SyncRecord, User
from tests.admin.conftest import Seeded
from tests.browser.conftest import SIZES, Visitor


def tab(seeded: Seeded, name: str = "records") -> str:
    return f"/profiles/{seeded.profile}/{name}/"


def shown(page: Page) -> list[str]:
    return page.locator("table.grid tbody td.first a").all_inner_texts()


def heads(page: Page) -> list[str]:
    return page.locator("table.grid thead th[scope=col]").all_inner_texts()


def count(seeded: Seeded, status: str) -> int:
    with seeded.db.reading() as session:
        return session.scalar(select(func.count()).where(SyncRecord.status == status)) or 0


def test_each_filter_narrows_the_list_and_is_taken_back(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(tab(seeded))
    for label, value, found in (
        ("Order ID", "100000042", ["100000042"]),
        ("Customer ID", "240", ["100000040"]),
        ("Plenty Order ID", "50047", ["100000047"]),
    ):
        page.locator("summary", has_text="Filters").click()
        page.get_by_label(label, exact=True).and_(page.locator(".asks input")).fill(value)
        page.locator(".asks button.primary").click()
        page.wait_for_url("**/records/?*")
        assert shown(page) == found
        page.locator(".set .chip").click()
        expect(page.locator(".count")).to_have_text("130 entries")
    page.locator("summary", has_text="Filters").click()
    page.get_by_label("Words of the message").fill("klarna")
    page.get_by_label("Created At from").fill("2026-01-01")
    page.keyboard.press("Enter")
    page.wait_for_url("**text=klarna*")
    assert len(shown(page)) == 14
    assert "order=" not in page.url, "what is left empty does not stand in the address"
    page.get_by_role("link", name="skipped").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def test_a_row_opens_its_order_and_a_head_sorts(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(tab(seeded))
    page.get_by_role("link", name="Updated At").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Updated At")
    assert shown(page)[0] == "100000000"
    page.locator("table.grid tbody tr").first.locator("td").nth(3).click()
    expect(page.locator("h1")).to_have_text("Order 100000000")


def test_columns_are_chosen_and_moved_by_keyboard_alone(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(tab(seeded))
    page.locator("summary", has_text="Columns").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Status further to the front").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-moved]")).to_have_text("Status is number 2 now.")
    for label in ("Customer ID", "Plenty Referrer ID"):
        page.locator(".order label", has_text=label).locator("input").focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Show these").focus()
    page.keyboard.press("Enter")
    expect(page.locator("table.grid thead th[scope=col]")).to_have_count(17)
    assert heads(page)[:3] == ["Order ID", "Status", "Plenty Order ID"]
    with seeded.db.reading() as session:
        kept = session.scalars(select(User.preferences).where(User.name == "anna")).one()
    assert len(kept["columns"][f"records:{seeded.profile}"]) == 17
    page.locator("summary", has_text="Columns").click()
    page.keyboard.press("Escape")
    expect(page.locator("details[data-pop][open]")).to_have_count(0)


def test_a_view_is_kept_and_the_list_begins_with_it(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"{tab(seeded)}?status=failed")
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Keep what is shown now as").fill("Morning")
    page.get_by_label("This list begins with it").check()
    page.get_by_role("button", name="Keep the view").click()
    expect(page.locator("summary", has_text="View: Morning")).to_be_visible()
    page.goto(tab(seeded))
    assert len(shown(page)) == 14
    page.locator("summary", has_text="View: Morning").click()
    page.get_by_label("Name of this view").fill("Evening")
    page.get_by_role("button", name="Rename").click()
    page.locator("summary", has_text="View: Evening").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".count")).to_have_text("130 entries")


def test_the_csv_is_what_is_shown(anna: Visitor, seeded: Seeded, tmp_path: Path) -> None:
    page = anna.page
    page.goto(f"{tab(seeded)}?status=failed")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    file = tmp_path / "list.csv"
    waiting.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    assert [row[0] for row in rows] == ["Order ID", *shown(page)]
    assert rows[1][3].startswith("Order 100000121: no payment method")


@pytest.mark.parametrize(
    ("action", "was", "becomes"),
    [("Retry now", "failed", "pending"), ("Put back to pending", "complete", "pending"), ("Skip", "failed", "skipped")],
)
def test_chosen_rows_are_moved(anna: Visitor, seeded: Seeded, action: str, was: str, becomes: str) -> None:
    page = anna.page
    page.goto(f"{tab(seeded)}?status={was}")
    before = count(seeded, becomes)
    expect(page.locator("[data-chosen]")).to_be_hidden()
    page.locator("input[data-row]").nth(0).check()
    page.locator("input[data-row]").nth(1).check()
    expect(page.locator("[data-count]")).to_have_text("2")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("[data-chosen]").get_by_role("button", name=action).click()
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("2 records")
    assert count(seeded, becomes) == before + 2


def test_only_what_the_state_of_the_chosen_rows_allows_is_offered(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"{tab(seeded)}?sort=id.up")
    bar = page.locator("[data-chosen]")
    page.get_by_label("Choose 100000000").check()  # complete
    expect(bar.get_by_role("button")).to_have_text(["Put back to pending"])
    page.get_by_label("Choose 100000004").check()  # failed
    expect(bar.get_by_role("button")).to_have_text(["Retry now (1)", "Put back to pending", "Skip (1)"])
    page.get_by_label("Choose 100000000").uncheck()
    expect(bar.get_by_role("button")).to_have_text(["Retry now", "Put back to pending", "Skip"])


def test_all_of_one_cause_are_retried_together(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(tab(seeded))
    page.get_by_role("link", name="failed 14").click()
    page.get_by_role("button", name="Retry all 14").click()
    expect(page.get_by_role("heading", name="Retry 14 records now?")).to_be_visible()
    assert count(seeded, "failed") == 14
    anna.accessible()
    page.get_by_role("button", name="Retry 14 records").click()
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("14 records are tried again now.")
    assert count(seeded, "failed") == 0


def test_all_that_match_are_moved_after_a_question(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"{tab(seeded)}?status=skipped")
    page.locator("summary", has_text="All that match").click()
    page.locator(".pop[open]").get_by_role("button", name="Put back to pending").click()
    page.get_by_role("button", name="Put back 14 records").click()
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("14 records are pending again.")
    assert count(seeded, "skipped") == 0


def test_the_history_grows_while_one_looks(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(tab(seeded, "history"))
    expect(page.get_by_text("Live: new lines appear by themselves.")).to_be_visible()
    with seeded.db.session() as session:
        old = session.scalars(select(SyncHistory)).first()
        assert old is not None
        session.add(
            SyncHistory(
                profile_id=seeded.profile, record_id=old.record_id, source_id=old.source_id,
                source_number=old.source_number, status="complete", direction="export", message="Just now.",
                created_at=old.created_at,
            )
        )  # fmt: skip
    expect(page.get_by_text("Just now.")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_lists_are_accessible_with_everything_open(
    visit: Callable[..., Visitor], seeded: Seeded, scheme: str
) -> None:
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    for address, opened in (
        (f"{tab(seeded)}?status=failed&created_from=nonsense", ""),
        (f"{tab(seeded)}?customer=240", "Filters"),
        (f"{tab(seeded)}?status=failed", "Columns"),
        (f"{tab(seeded)}?status=failed", "Views"),
        (f"{tab(seeded)}?text=nothing", ""),
        (tab(seeded, "history"), "Filters"),
    ):
        page.goto(address)
        if opened:
            page.locator("summary", has_text=opened).click()
        visitor.accessible()


@pytest.mark.parametrize("size", SIZES)
def test_the_lists_and_their_sheets_fit(visit: Callable[..., Visitor], seeded: Seeded, size: str) -> None:
    width, height = SIZES[size]
    page = visit().login()
    page.set_viewport_size({"width": width, "height": height})
    for address, opened in (
        (f"{tab(seeded)}?status=failed", "Filters"),
        (tab(seeded), "Columns"),
        (tab(seeded), "Views"),
        (tab(seeded, "history"), "Filters"),
    ):
        page.goto(address)
        page.locator("summary", has_text=opened).click()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
        expect(page.locator(".pop[open] .sheet")).to_be_in_viewport()


def test_a_record_is_chosen_on_the_phone(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.set_viewport_size(dict(zip(("width", "height"), SIZES["phone"], strict=True)))  # type: ignore[arg-type]
    page.goto(f"/profiles/{seeded.profile}/records/")
    page.locator("[data-row]").first.check()
    bar = page.locator("[data-chosen]")
    expect(bar).to_be_visible()
    last = page.locator("[data-row]").last
    last.check()
    expect(bar).to_be_in_viewport(ratio=1)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    boxes = last.bounding_box(), bar.bounding_box()
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] + boxes[0]["height"] < boxes[1]["y"], "the bar covers no row at the end of the list"
    anna.accessible()


def test_a_message_is_readable_on_a_laptop_and_a_longer_one_opens_by_keyboard(anna: Visitor, seeded: Seeded) -> None:
    usual = "Order 100000007: the total differs by 0.42 EUR. " * 4
    long = "PlentyONE answered with a long explanation. " * 30
    with seeded.db.session() as session:
        for row in session.scalars(select(SyncRecord).where(SyncRecord.status == "failed").limit(2)):
            row.message = usual if row.id == seeded.failed else long
        session.get_one(SyncRecord, seeded.failed).message = usual
    page = anna.page
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{tab(seeded)}?status=failed")
    cut = "one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1"
    short = page.locator(".message", has_text="the total differs").first
    assert short.evaluate(cut) is False
    other = page.locator(".message", has_text="a long explanation").first
    assert other.evaluate(cut) is True
    other.focus()
    page.keyboard.press("Enter")
    assert other.evaluate(cut) is False
    anna.accessible()
