"""Event procedures and accounts in a browser: the guide's steps, the test, the keyboard, light and dark, on a phone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from profiles import sync
from profiles.models import Connection, EventProcedure, Profile
from tests.admin.conftest import Seeded
from tests.browser.conftest import SIZES, Visitor
from tests.profiles import memory_trade as trade
from tests.profiles.memory_trade import EventWorld

PICTURES = os.environ.get("CONNECTOR_PICTURES", "")


@pytest.fixture
def world(seeded: Seeded) -> EventWorld:
    return trade.fresh()


@pytest.fixture
def ends(seeded: Seeded, world: EventWorld) -> tuple[int, int]:
    return trade.connections(seeded.db)


def shot(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=str(Path(PICTURES) / f"procedures-{name}.png"), full_page=True)


def stored(seeded: Seeded) -> EventProcedure:
    with seeded.db.reading() as session:
        return session.scalars(select(EventProcedure).order_by(EventProcedure.id)).one()


def fits_a_phone(page: Page) -> None:
    width, height = SIZES["phone"]
    page.set_viewport_size({"width": width, "height": height})
    spilled = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    assert spilled <= 0, f"{page.url} scrolls sideways by {spilled} pixels"
    page.set_viewport_size({"width": SIZES["wide"][0], "height": SIZES["wide"][1]})


def test_the_steps_of_the_guide_lead_from_nothing_to_an_active_event_procedure(
    anna: Visitor, seeded: Seeded, ends: tuple[int, int], world: EventWorld
) -> None:
    page = anna.page
    world.place("1", number="A1", status="7", kind="delivery")
    world.place("2", number="A2", status="3")
    page.goto("/")
    page.locator("nav.side").get_by_role("link", name="Event procedures").click()
    anna.accessible()
    page.get_by_role("link", name="Add event procedure").first.click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill("Tell it is shipped")
    page.get_by_label("Event", exact=True).select_option(label="Order change: Status change")
    anna.accessible()
    shot(page, "1-new")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Tell it is shipped")).to_be_visible()

    page.get_by_label("Outgoing items booked (7)").check()
    page.get_by_label("from", exact=True).fill("8")
    page.get_by_label("to", exact=True).fill("8.9")
    page.get_by_label("Event", exact=True).select_option(label="Order change: Invoice generated")
    expect(page.get_by_label("Outgoing items booked (7)")).to_be_hidden()  # only a change of status has statuses
    page.get_by_label("Event", exact=True).select_option(label="Order change: Status change")

    expect(page.get_by_label("Delivery order")).to_be_hidden()
    page.get_by_label("Add filter").select_option(label="Order » Order type")
    page.get_by_label("Delivery order").check()
    page.get_by_label("Add filter").select_option(label="Order » Referrer")
    page.get_by_label("Own shop (1)").check()
    page.get_by_role("button", name="Remove the filter Order » Referrer").click()
    expect(page.get_by_label("Own shop (1)")).to_be_hidden()

    page.get_by_label("Procedure", exact=True).select_option(label="Send shipping to the market")
    expect(page.get_by_text("Needs a parcel.")).to_be_visible()
    expect(page.get_by_label("Outgoing items booked (7)")).to_be_checked()  # what was typed is still there
    expect(page.get_by_label("8 to 8.9")).to_be_checked()
    page.get_by_role("combobox", name="Carrier").fill("ups")
    page.get_by_role("option", name="UPS Express").click()
    anna.accessible()
    shot(page, "2-form")

    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("1 of the last 2 orders would match.")).to_be_visible()
    expect(page.get_by_text("The filter “Order » Order type” does not let it pass.")).to_have_count(0)
    expect(page.get_by_text("It has not had one of the chosen statuses.")).to_be_visible()
    anna.accessible()
    shot(page, "3-tested")
    page.locator("label.switch", has=page.locator("#active")).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    row = stored(seeded)
    assert (row.active, sorted(row.status), row.procedure) == (True, ["7", "8-8.9"], "ship")
    assert (row.filters, row.settings) == ({"order_type": ["delivery"]}, {"carrier": "ups"})

    page.goto("/procedures/")
    expect(page.get_by_role("switch", name="Active: Tell it is shipped")).to_be_checked()
    shot(page, "4-list")
    anna.accessible()


def test_a_change_that_is_not_saved_is_asked_about_but_a_test_saves_nothing(
    anna: Visitor, seeded: Seeded, ends: tuple[int, int], world: EventWorld
) -> None:
    one = trade.procedure(seeded.db, trade.profile(seeded.db, *ends))
    page = anna.page
    page.goto(f"/procedures/{one}/")
    page.get_by_label("Name", exact=True).fill("Other")
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("There is no order yet.")).to_be_visible()
    expect(page.get_by_text("Not saved yet", exact=True)).to_be_visible()
    assert stored(seeded).name == "Confirm it"
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto("/procedures/")
    assert asked == ["beforeunload"]


def test_a_template_is_taken_over_and_switched_on_by_keyboard_alone(
    anna: Visitor, seeded: Seeded, ends: tuple[int, int]
) -> None:
    trade.profile(seeded.db, *ends)
    page, keys = anna.page, anna.page.keyboard
    page.goto("/procedures/")

    def press(name: str) -> None:
        for _ in range(80):
            keys.press("Tab")
            said = page.evaluate(
                "(() => { const it = document.activeElement; return [it.getAttribute('aria-label') || it.innerText || '', "
                "it.matches(':focus-visible')]; })()"
            )
            if said[0].strip().startswith(name):
                assert said[1], f"the focus on {name} cannot be seen"
                keys.press("Enter")
                return
        raise AssertionError(f"{name} cannot be reached")

    press("Take over: Confirm to the market")
    expect(page.get_by_role("heading", name="Confirm to the market")).to_be_visible()
    expect(page.get_by_label("Market (4.01)")).to_be_checked()
    expect(page.get_by_label("Cleared for shipping (5)")).to_be_checked()
    page.goto("/procedures/")
    press("Active: Confirm to the market")
    expect(page.get_by_role("switch", name="Active: Confirm to the market")).to_be_checked()
    assert stored(seeded).active


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit_a_phone(
    scheme: str, visit: Callable[..., Visitor], seeded: Seeded, ends: tuple[int, int], world: EventWorld
) -> None:
    office, market = ends
    watching = trade.profile(seeded.db, *ends)
    orders = trade.profile(seeded.db, market, office, entity="order", name="Market orders", direction="import")
    one = trade.procedure(seeded.db, watching, filters={"order_type": ["return"], "referrer": ["nobody"]})
    trade.procedure(seeded.db, watching, "A second one with quite a long name for a small screen", position=2)
    world.sell("M1", serials=("356938035643809",))
    sync.run(seeded.db, orders)
    sync.run(seeded.db, watching)
    world.touch("500", status="5")
    sync.run(seeded.db, watching)
    with seeded.db.session() as session:
        session.get_one(Connection, market).active = False
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    for name, address in (
        ("list", "/procedures/"),
        ("new", "/procedures/new/"),
        ("one", f"/procedures/{one}/"),
        ("options", f"/profiles/{watching}/options/"),
        ("records", f"/profiles/{watching}/records/"),
        ("account", f"/connections/{market}/"),
        ("accounts", "/connections/"),
        ("edit", f"/connections/{market}/edit/"),
        ("order", "/orders/?q=356938035643809"),
    ):
        page.goto(address)
        visitor.accessible()
        fits_a_phone(page)
        shot(page, f"{scheme}-{name}")
        width, height = SIZES["phone"]
        page.set_viewport_size({"width": width, "height": height})
        shot(page, f"{scheme}-{name}-phone")
        page.set_viewport_size({"width": SIZES["wide"][0], "height": SIZES["wide"][1]})
    expect(page.get_by_text("356938035643809").first).to_be_visible()


def test_an_account_is_deactivated_only_when_the_question_is_answered(
    anna: Visitor, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = anna.page
    page.goto("/connections/")
    asked: list[str] = []
    answers = iter([False, True])

    def answer(dialog: object) -> None:
        asked.append(dialog.message)  # type: ignore[attr-defined]
        dialog.accept() if next(answers) else dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", answer)
    switch = page.get_by_role("switch", name="Active: market")
    switch.click()
    expect(switch).to_be_checked()
    switch.click()
    expect(switch).not_to_be_checked()
    assert all("An inactive account exchanges nothing" in one for one in asked)
    assert len(asked) == 2
    switch.click()  # to activate needs no question
    expect(switch).to_be_checked()


def test_a_carrier_is_chosen_from_the_accounts_own_list(anna: Visitor, seeded: Seeded, ends: tuple[int, int]) -> None:
    page = anna.page
    page.goto(f"/connections/{ends[1]}/edit/")
    carrier = page.get_by_role("combobox", name="Parcel carrier")
    carrier.fill("exp")
    page.get_by_role("option", name="UPS Express (ups)").click()
    expect(carrier).to_have_value("UPS Express (ups)")
    expect(page.get_by_text("In UTC.")).to_be_visible()
    page.get_by_role("button", name="Test", exact=True).click()
    expect(page.get_by_text("Everything works.")).to_be_visible()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("A carrier is selected.")).to_be_visible()
    expect(page.get_by_text("nothing is missing")).to_be_visible()


def test_a_new_profile_runs_as_often_as_its_source_is_usually_read(
    anna: Visitor, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = anna.page
    page.goto("/profiles/new/")
    line = page.get_by_label("When it runs")
    page.get_by_label("Entity").select_option(label="Return")
    expect(line).to_have_value("0 * * * *")
    page.get_by_label("Entity").select_option(label="Event")
    expect(line).to_have_value("* * * * *")
    line.fill("5 4 * * *")
    page.get_by_label("Entity").select_option(label="Return")
    expect(line).to_have_value("5 4 * * *")  # what somebody typed stays
    with seeded.db.reading() as session:
        assert len(session.scalars(select(Profile)).all()) == 1
