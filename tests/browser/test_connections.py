"""Connections in a browser, against the stand-ins: from an empty database through the wizard to a collected system."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import select

import connector.registry
from admin import auth, create_app, demo
from profiles.db import Database
from profiles.models import CatalogueEntry, Connection, DataLog
from tests.admin.conftest import PASSWORD, Seeded
from tests.browser.conftest import SIZES, Visitor

LONG = 30_000  # a whole round of calls on a busy machine


@pytest.fixture(scope="module")
def systems() -> Iterator[dict[str, str]]:
    """The stand-ins in a process of their own: their addresses by name."""
    with demo.stand_ins(30, None) as addresses:
        yield addresses


@pytest.fixture
def empty(home: Path) -> Iterator[Database]:
    """A host on an empty database with one admin; the systems are those that are really installed."""
    home.mkdir(exist_ok=True)
    connector.registry.forget()
    made = Database(f"sqlite:///{home / 'wizard.db'}")
    made.upgrade()
    with made.session() as session:
        auth.add_user(session, "anna", PASSWORD)
    yield made
    made.engine.dispose()


class TestTheWizard:
    @pytest.fixture
    def app(self, empty: Database) -> Flask:
        made = create_app(empty)
        made.config.update(RATELIMIT_ENABLED=False)
        return made

    def test_it_leads_from_nothing_to_two_collected_systems(
        self, anna: Visitor, empty: Database, systems: dict[str, str]
    ) -> None:
        page = anna.page
        page.goto("/connections/")
        anna.accessible()
        shot(page, "1-empty")
        page.get_by_role("link", name="New connection").click()
        anna.accessible()
        shot(page, "2-choose")
        page.get_by_role("link", name=re.compile("Magento")).click()
        shot(page, "3-form")
        expect(page.get_by_label("Admin password")).to_be_hidden()
        page.get_by_label("Sign in by").select_option(label="Admin user")
        expect(page.get_by_label("Admin password")).to_be_visible()
        expect(page.get_by_label("Consumer key")).to_be_hidden()
        page.get_by_label("Sign in by").select_option(label="Integration (recommended)")
        expect(page.get_by_label("Name", exact=True)).to_have_value("Magento")
        page.get_by_label("Address", exact=True).fill(systems["magento"])
        for label, value in (
            ("Consumer key", "ck"),
            ("Consumer secret", "cs"),
            ("Access token", "at"),
            ("Access token secret", "ats"),
        ):
            page.get_by_label(label, exact=True).fill(value)
        expect(page.get_by_role("button", name="Save without a test")).to_be_visible()
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text("Everything works.")).to_be_visible(timeout=LONG)
        for line in ("Address", "Sign-in", "Orders", "Customer groups"):
            expect(page.locator(".findings strong", has_text=line).first).to_be_visible()
        anna.accessible()
        shot(page, "4-tested")
        page.get_by_role("button", name="Save and collect").click()
        expect(page.get_by_text(re.compile("Everything is collected: [0-9]+ values"))).to_be_visible(timeout=LONG)
        expect(page.get_by_role("heading", name="Next: connect the other system")).to_be_visible()
        anna.accessible()
        shot(page, "5-ready")

        page.get_by_role("link", name="Connect another system").click()
        page.get_by_role("link", name=re.compile("PlentyONE")).click()
        page.get_by_label("Address", exact=True).fill(systems["plentyone"])
        page.get_by_label("User name").fill("connector")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text("does not accept the user name 'connector' with this password")).to_be_visible(
            timeout=LONG
        )
        shot(page, "6-wrong")
        with empty.reading() as session:
            assert [one.name for one in session.scalars(select(Connection))] == ["Magento"], "a test stores nothing"
        page.get_by_label("Password").fill("sandbox")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text("Everything works.")).to_be_visible(timeout=LONG)
        page.get_by_role("button", name="Save and collect").click()
        expect(page.get_by_role("heading", name="Next: make a profile")).to_be_visible(timeout=LONG)
        page.get_by_role("link", name="See what was collected").click()
        page.get_by_role("link", name=re.compile("Warehouses")).click()
        expect(page.locator("[data-entries] tbody tr").first).to_be_visible()
        expect(page.get_by_text(re.compile("[0-9,]+ of 100,000 calls left"))).to_have_count(2)
        page.evaluate("scrollTo(0, 0)")  # nothing lies below the bar at the top
        anna.accessible()
        shot(page, "7-detail")
        page.goto("/connections/")
        expect(page.get_by_text("works")).to_have_count(2)
        shot(page, "8-list")
        anna.accessible()
        with empty.reading() as session:
            assert session.scalars(select(CatalogueEntry.id)).all()
            calls = session.scalars(select(DataLog)).all()
        assert "sandbox" not in " ".join(f"{one.request} {one.response}" for one in calls)

    def test_the_keyboard_alone_is_enough(self, anna: Visitor, systems: dict[str, str]) -> None:
        page, keys = anna.page, anna.page.keyboard
        page.goto("/connections/")

        def reach(name: str) -> None:
            """Press Tab until the control of that name has the focus."""
            for _ in range(80):
                keys.press("Tab")
                said = page.evaluate(
                    "(() => { const it = document.activeElement; return [it.getAttribute('aria-label') || "
                    "(it.labels && it.labels[0] ? it.labels[0].textContent : it.innerText) || '', "
                    "it.matches(':focus-visible')]; })()"
                )
                if said[0].strip().startswith(name):
                    assert said[1], f"the focus on {name} cannot be seen"
                    return
            raise AssertionError(f"{name} cannot be reached")

        reach("New connection")
        keys.press("Enter")
        page.wait_for_url("**/connections/new/")
        reach("P\nPlentyONE")
        keys.press("Enter")
        page.wait_for_url("**connector=plentyone")
        for name, value in (("Address", systems["plentyone"]), ("User name", "connector"), ("Password", "sandbox")):
            reach(name)
            keys.type(value)
        keys.press("Enter")  # in a field: the test, never the saving
        expect(page.get_by_text("Everything works.")).to_be_visible(timeout=LONG)
        reach("Save and collect")
        keys.press("Enter")
        expect(page.get_by_text(re.compile("Everything is collected"))).to_be_visible(timeout=LONG)
        reach("Test")
        keys.press("Enter")
        expect(page.locator("[data-said]")).to_have_text("The test ended: everything works.", timeout=LONG)
        assert page.evaluate("document.activeElement.textContent").strip() == "Test", "the focus stays where it was"

    def test_what_is_wrong_is_said_at_its_field_and_nothing_typed_is_lost(self, anna: Visitor) -> None:
        page = anna.page
        anna.allowed.append("422")
        page.goto("/connections/new/?connector=plentyone")
        page.get_by_label("Address", exact=True).fill("p12345")
        page.get_by_label("Password").fill("s3cret-words")
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.get_by_text("must begin with https://")).to_be_visible()
        expect(page.get_by_text("User name is missing.")).to_be_visible()
        expect(page.get_by_label("Address", exact=True)).to_be_focused()
        expect(page.get_by_label("Password")).to_have_value("s3cret-words")
        page.get_by_role("button", name="Save without a test").click()
        expect(page.get_by_text("Nothing was saved yet")).to_be_visible()
        expect(page.get_by_text("Kept as you typed it")).to_be_visible()
        assert "s3cret-words" not in page.content()


def test_a_result_of_the_past_is_not_taken_for_the_changed_form(anna: Visitor) -> None:
    page = anna.page
    page.goto("/connections/new/?connector=strangershop")
    page.get_by_label("Address", exact=True).fill("https://two.example.com")
    page.get_by_label("User").fill("api")
    page.get_by_label("Access token").fill("x")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_role("button", name="Save and collect")).to_be_visible()
    page.get_by_label("User").fill("another")
    expect(page.get_by_text("You changed something since the test.")).to_be_visible()
    expect(page.get_by_role("button", name="Save without a test")).to_be_visible()


def test_another_address_is_said_while_it_is_typed(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/connections/{seeded.shop}/edit/")
    said = page.get_by_text("Another address: enter the secrets again.")
    expect(said).to_be_hidden()
    page.get_by_label("Address", exact=True).fill("https://shop.example.com/")
    expect(said).to_be_hidden()
    page.get_by_label("Address", exact=True).fill("https://evil.example.com")
    expect(said).to_be_visible()
    anna.accessible()


def test_the_list_tests_and_collects_without_a_reload(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/connections/")
    page.evaluate("window.kept = true")
    row = page.locator("tr", has_text="erp")
    row.get_by_role("button", name="Collect: erp").or_(row.get_by_role("button", name="Collect again: erp")).click()
    expect(page.locator("[data-said]")).to_have_text("Everything was collected.")
    row.get_by_role("button", name="Test erp").click()
    expect(page.locator("[data-said]")).to_have_text("The test ended: something does not work.")
    expect(row.get_by_text("fails")).to_be_visible()
    assert page.evaluate("window.kept")


def test_a_collected_list_is_narrowed_while_one_types(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/connections/{seeded.shop}/?kind=order_status")
    rows = page.locator("[data-entries] tbody tr")
    expect(rows).to_have_count(4)
    page.get_by_label("Search in Order statuses by name or id").press_sequentially("hol")
    expect(rows).to_have_count(1)
    assert page.url.endswith("q=hol")
    page.get_by_role("button", name="Collect again").click()
    expect(page.locator("[data-said]")).to_have_text("Everything was collected.")
    page.get_by_label("Search in Order statuses by name or id").fill("")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Delete collected data").click()
    dialog = page.get_by_role("dialog")
    anna.accessible()
    shot(page, "9-dialog")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Delete collected data").click()
    dialog.get_by_role("button", name="Delete collected data").click()
    expect(page.get_by_text(re.compile("collected values were deleted"))).to_be_visible()


def test_a_recorded_body_is_copied(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/log/{seeded.call}/")
    anna.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: Request").click()
    expect(page.get_by_text("Copied")).to_be_visible()
    assert '"typeId": 1' in page.evaluate("navigator.clipboard.readText()")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_of_the_room_scrolls_sideways(
    visit: Callable[..., Visitor], seeded: Seeded, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    page.set_viewport_size({"width": width, "height": height})
    for name, address in {
        "list": "/connections/",
        "choose": "/connections/new/",
        "form": "/connections/new/?connector=strangershop",
        "one": f"/connections/{seeded.erp}/",
        "edit": f"/connections/{seeded.shop}/edit/",
        "ready": f"/connections/{seeded.shop}/ready/",
        "log": "/log/",
        "searched": "/log/?level=error&error=nothing",
        "call": f"/log/{seeded.call}/",
        "unkept": f"/log/{seeded.call - 1}/",
    }.items():
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
        visitor.accessible()
        shot(page, f"{name}-{size}-{scheme}")


def shot(page: Page, name: str) -> None:
    """A picture for whoever asks for them."""
    folder = os.environ.get("CONNECTOR_SCREENSHOTS")
    if folder:
        page.screenshot(path=str(Path(folder) / f"{name}.png"))
