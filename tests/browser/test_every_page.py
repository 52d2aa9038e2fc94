"""Every page, light and dark, wide and on a phone: no violation of WCAG 2.2 AA, nothing too wide, no complaint."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest
from flask import Flask
from playwright.sync_api import expect
from sqlalchemy import select

import connector.registry
from profiles.db import now
from profiles.models import CatalogueEntry, Connection, Profile, Task
from profiles.secrets import seal
from tests.admin import conftest
from tests.admin.conftest import Seeded
from tests.admin.test_login import addresses
from tests.browser.conftest import SIZES, Visitor

NO_PAGES = ("static", "login.index", "login.code", "dashboard.static")
NO_PAGE = (".json", ".csv", ".yaml", "/live", "/rows", "/parts")


COLLECTED = {  # of PlentyONE, then of the shop
    (0, "webstore"): [("12345", "Germany"), ("12346", "Poland")],
    (0, "order_status"): [("5", "Cleared"), ("7", "Shipped"), ("8", "Cancelled")],
    (0, "payment_method"): [("0", "Invoice"), ("2", "Cash on delivery")],
    (0, "shipping_profile"): [("6", "DHL")],
    (1, "store"): [("de", "German store"), ("pl", "Polish store")],
    (1, "website"): [("base", "Main website")],
    (1, "order_status"): [("processing", "Processing"), ("complete", "Complete")],
    (1, "payment_method"): [("checkmo", "Check / money order")],
}


@pytest.fixture
def an_import(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> int:
    """A profile that brings the orders of PlentyONE to Magento: its settings are a tab that no export has."""
    bundled = ("magento", "Magento"), ("plentyone", "PlentyOne")
    points = [EntryPoint(code, f"connector.{code}:{name}", "connector.plugins") for code, name in bundled]
    monkeypatch.setattr(connector.registry, "entry_points", lambda group: [*points, *conftest._points(group)])
    connector.registry.forget()
    stamps = {"created_at": now(), "updated_at": now()}
    with seeded.db.session() as session:
        ends = [
            Connection(name=code, connector=code, base_url="https://example.com", credentials=seal({}), **stamps)
            for code in ("plentyone", "magento")
        ]
        session.add_all(ends)
        session.flush()
        session.add_all(
            CatalogueEntry(connection_id=ends[side].id, kind=kind, entry=entry, name=name, collected_at=now())
            for (side, kind), entries in COLLECTED.items()
            for entry, name in entries
        )
        profile = Profile(name="Order import", entity="order", direction="import", from_id=ends[0].id, to_id=ends[1].id,
                          cron="*/15 * * * *", timezone="Europe/Berlin", **stamps)  # fmt: skip
        session.add(profile)
        session.flush()
        return int(profile.id)


def pages(app: Flask, seeded: Seeded, an_import: int) -> list[str]:
    """The address of every page, and of those states of a page that look otherwise."""
    plain = [page for endpoint, page in addresses(app, seeded, "GET") if endpoint not in NO_PAGES]
    profile = f"/profiles/{seeded.profile}"
    return [
        *(page for page in plain if not page.endswith(NO_PAGE)),
        f"{profile}/options/?scope=stores.de",
        f"/profiles/{an_import}/options/",
        f"/profiles/{an_import}/options/?scope=stores.12345",
        f"/profiles/{an_import}/records/",
        f"{profile}/records/?status=failed",
        f"{profile}/records/?number=nothing",
        f"{profile}/dry-run/?order=100000004",
        f"/orders/{seeded.complete}/",
        "/orders/?q=nothing-of-this-kind",
        "/connections/new/?connector=strangershop",
        "/connections/new/?connector=brokensystem",
        "/log/?level=error",
        "/no-such-page/",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(
    scheme: str, app: Flask, visit: Callable[..., Visitor], seeded: Seeded, an_import: int
) -> None:
    """All pages are looked at before the faults are told, together."""
    visitor = visit(color_scheme=scheme)
    visitor.allowed.append("404")
    page = visitor.page
    sizes = {name: {"width": width, "height": height} for name, (width, height) in SIZES.items()}
    page.goto("/login/")
    visitor.accessible()
    visitor.login()
    faults = []
    for address in pages(app, seeded, an_import):
        page.set_viewport_size(sizes["wide"])
        answer = page.goto(address)
        if address == f"/profiles/{an_import}/options/":
            expect(page.get_by_role("link", name="Import settings")).to_have_attribute("aria-current", "page")
            for one in page.locator("details[data-section]").all():  # closed sections are looked at as well
                one.evaluate("it => { it.open = true; }")
        if answer is None or "text/html" not in answer.headers.get("content-type", ""):
            continue
        try:
            visitor.accessible()
        except AssertionError as error:
            faults.append(str(error))
        page.set_viewport_size(sizes["phone"])
        spilled = page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
        if spilled > 0:
            faults.append(f"{address} scrolls sideways on a phone by {spilled} pixels")
    assert not faults, "\n\n".join(faults)


def test_what_scrolls_can_be_reached_by_keyboard(anna: Visitor, seeded: Seeded) -> None:
    for address, width, height, scrolls in (
        ("/", *SIZES["phone"], "figure"),
        (f"/profiles/{seeded.profile}/schedule-history/", 1280, 480, ".scroll"),
    ):
        anna.page.set_viewport_size({"width": width, "height": height})
        anna.page.goto(address)
        place = anna.page.locator(scrolls).first
        assert place.evaluate("it => it.scrollWidth > it.clientWidth || it.scrollHeight > it.clientHeight"), address
        anna.accessible()


def test_why_a_run_stopped_is_read_whole_on_a_laptop(anna: Visitor, seeded: Seeded) -> None:
    lacking = "payment method 'a' of store de is not mapped; payment method 'b' of store de is not mapped"
    with seeded.db.session() as session:
        task = session.scalars(select(Task).where(Task.status == "error")).first()
        assert task is not None
        task.message = f"Nothing was sent: {lacking}. Complete the settings of this profile and run it again."
    anna.page.set_viewport_size({"width": 1280, "height": 800})
    for address in ("/", "/schedule/", f"/profiles/{seeded.profile}/schedule/"):
        anna.page.goto(address)
        said = anna.page.locator("td .stopped summary").first
        expect(said).to_contain_text("2 things are missing")
        assert said.evaluate("it => it.scrollWidth <= it.closest('td').clientWidth"), address
        assert said.evaluate("it => getComputedStyle(it).whiteSpace") == "normal", address


def test_the_words_of_plots_can_be_read_on_a_phone(visit: Callable[..., Visitor]) -> None:
    page = visit().login()
    page.set_viewport_size(dict(zip(("width", "height"), SIZES["phone"], strict=True)))
    for address, words in (("/", ".plot text"), ("/schedule/", "svg.hours text")):
        page.goto(address)
        drawn = page.locator(words).evaluate_all(
            "them => them.map(it => parseFloat(getComputedStyle(it).fontSize) * it.getScreenCTM().a)"
        )
        assert drawn
        assert min(drawn) >= 9, address


def test_the_menu_opens_on_a_phone_and_the_icons_are_drawn(visit: Callable[..., Visitor], seeded: Seeded) -> None:
    width, height = SIZES["phone"]
    page = visit().login()
    drawn = page.locator("nav.side svg use").first.evaluate("it => it.getBBox().width")
    assert drawn > 5
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/profiles/")
    place = page.locator("nav.side").get_by_role("link", name="Connections")
    expect(place).not_to_be_in_viewport()
    page.locator("[data-menu]").click()
    expect(place).to_be_in_viewport(ratio=1)
    place.click()
    expect(page.get_by_role("heading", name="Connections")).to_be_visible()
