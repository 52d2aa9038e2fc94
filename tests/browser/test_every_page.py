"""Every page, light and dark, wide and on a phone: no violation of WCAG 2.2 AA, nothing too wide, no complaint."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from playwright.sync_api import expect

from tests.admin.conftest import Seeded
from tests.admin.test_login import addresses
from tests.browser.conftest import SIZES, Visitor

NO_PAGES = ("static", "login.index", "login.code", "dashboard.static")
NO_PAGE = (".json", ".csv", ".yaml", "/live", "/rows", "/parts")


def pages(app: Flask, seeded: Seeded) -> list[str]:
    """The address of every page, and of those states of a page that look otherwise."""
    plain = [page for endpoint, page in addresses(app, seeded, "GET") if endpoint not in NO_PAGES]
    profile = f"/profiles/{seeded.profile}"
    return [
        *(page for page in plain if not page.endswith(NO_PAGE)),
        f"{profile}/options/?scope=stores.de",
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
    scheme: str, app: Flask, visit: Callable[..., Visitor], seeded: Seeded
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
    for address in pages(app, seeded):
        page.set_viewport_size(sizes["wide"])
        answer = page.goto(address)
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
