"""The search and the page of one order in a browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from sqlalchemy import select, update

from profiles.models import SyncRecord, Task
from tests.admin.conftest import Seeded, ShopOrders
from tests.browser.conftest import SIZES, Visitor


def test_from_the_search_to_the_setting_in_three_clicks(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.locator("body").press("/")
    page.keyboard.type("100000004")
    page.keyboard.press("Enter")
    expect(page.locator(".answer")).to_contain_text("Order 100000004 is not in erp")
    expect(page.locator(".answer")).to_contain_text("klarna_pay_later")
    page.get_by_role("link", name="To the setting “Payment method mapping”").click()
    page.wait_for_url("**#setting-payment_mapping")
    expect(page.locator("#setting-payment_mapping")).to_be_in_viewport()


def test_the_timeline_opens_calls_and_turns_round(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/orders/122/")
    call = page.locator(".timeline details", has_text="/rest/orders").first
    call.locator("summary").click()
    expect(call.get_by_text("The server refused the order.")).to_be_visible()
    expect(call.get_by_text('"password": "•••"')).to_be_visible()
    expect(page.locator(".timeline > li").last).to_contain_text("Placed in shop-de.")
    page.get_by_role("link", name="Oldest first").click()
    expect(page.locator(".timeline > li").first).to_contain_text("Placed in shop-de.")


def test_a_retry_is_followed_to_its_end(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/orders/{seeded.failed}/")
    page.get_by_role("button", name="Retry now").click()
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("1 record is tried again now.")
    expect(page.locator(".answer")).to_contain_text("waits to be sent")
    page.locator("body").click(position={"x": 700, "y": 5})
    with seeded.db.session() as session:
        session.execute(
            update(SyncRecord).where(SyncRecord.id == seeded.failed).values(status="complete", target_id="45678")
        )
    expect(page.locator(".answer")).to_contain_text("is in erp as 45678", timeout=15_000)


def test_an_unknown_order_is_looked_for(anna: Visitor, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShopOrders, "number", lambda self, number: None, raising=False)
    page = anna.page
    page.goto("/orders/?q=4711")
    page.get_by_role("button", name="Look for it in shop-de").click()
    expect(page.get_by_text("shop-de is asked for 4711")).to_be_visible()
    with seeded.db.session() as session:
        mine = session.scalars(select(Task).where(Task.asked_by == "anna", Task.status == "pending")).one()
        mine.status, mine.message = "error", "Order 4711 was not found in shop-de."
    expect(page.get_by_text("Order 4711 was not found in shop-de.")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_order_and_the_search_are_accessible(visit: Callable[..., Visitor], seeded: Seeded, scheme: str) -> None:
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    for address in ("/orders/122/", f"/orders/{seeded.complete}/", "/orders/?q=4711", "/orders/?q=10000012",
                    f"/orders/{seeded.failed}/payload"):  # fmt: skip
        page.goto(address)
        for one in page.locator(".timeline details").all():
            one.locator("summary").click()
        visitor.accessible()


def test_the_order_fits_a_phone(visit: Callable[..., Visitor], seeded: Seeded) -> None:
    width, height = SIZES["phone"]
    page = visit().login()
    page.set_viewport_size({"width": width, "height": height})
    for address in ("/orders/122/", f"/orders/{seeded.complete}/", "/orders/", "/orders/?q=4711"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, address
