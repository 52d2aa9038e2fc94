"""The whole life of a marketplace's order, as a shop's admin follows it: one page tells all that became of it.

The host and both systems are processes of their own. The warehouse and the customer are played by the stand-ins'
controls; whatever the program does is started and looked at on its pages.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from admin import auth
from profiles.db import Database
from tests.admin.conftest import PASSWORD
from tests.browser.conftest import SIZES, Visitor
from tests.contracts import violations
from tests.journey.conftest import Host, StandIns
from tests.journey.test_marketplace import IMEIS, RETURN, Market, settled

ORDERS, RETURNS, EVENTS = 1, 2, 3  # the profiles, in the order in which they are applied
PARCEL = "00340000000000000017"
LONG = 30_000
PICTURES = os.environ.get("CONNECTOR_PICTURES", "")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Market]:
    folder = tmp_path_factory.mktemp("market")
    stand_ins = StandIns(folder, "--orders", "0", "--with", "refurbed", "--refurbed-orders", "0")
    try:
        made = Market(stand_ins, Host(folder, stand_ins))
        made.apply()
        for name in ("market", "erp"):
            assert made.host.call("collect", name).returncode == 0
        yield made
    finally:
        stand_ins.close()
    assert violations(stand_ins.record) == []


@pytest.fixture(scope="module")
def address(market: Market) -> Iterator[str]:
    """The host with its pages and workers. Its profiles are switched off: they run when somebody presses the button."""
    database = Database(f"sqlite:///{market.host.folder / 'home' / 'connector.db'}")
    with database.session() as session:
        auth.add_user(session, "anna", PASSWORD)
    database.engine.dispose()
    with market.host.start("serve", "--port", "0") as process:
        try:
            assert process.stderr is not None
            said = ""
            while "http://" not in said:
                line = process.stderr.readline()
                assert line, f"the host ended: {said}"
                said += line
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield said[said.index("http://") :].split()[0].rstrip("/")
        finally:
            process.terminate()
            process.wait(40)


def look(visitor: Visitor, name: str) -> None:
    visitor.accessible()
    if PICTURES:
        visitor.page.screenshot(path=str(Path(PICTURES) / f"market-{name}.png"), full_page=True)


def run(page: Page, profile: int, status: str = "success") -> str:
    """Press Run now and wait for the end. What the run says."""
    page.goto(f"/profiles/{profile}/schedule/")
    ended = page.locator("tbody tr", has=page.locator(".chip", has_text=re.compile("success|error")))
    before = ended.count()
    page.get_by_role("button", name="Run now").click()
    expect(ended).to_have_count(before + 1, timeout=LONG)
    expect(ended.first.locator(".chip").first).to_have_text(status)
    return ended.first.inner_text()


def story(page: Page, words: str) -> Locator:
    """A line of the whole way of an order."""
    return page.locator(".story li", has_text=words)


def find(page: Page, text: str) -> None:
    """By the search that every page has."""
    page.locator("body").press("/")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def test_one_page_tells_the_whole_life_of_an_order_from_the_market(
    anna: Visitor, market: Market, visit: Callable[..., Visitor]
) -> None:
    page = anna.page
    page.goto("/connections/1/")
    expect(page.locator("section[aria-labelledby=mandatory]")).to_contain_text("nothing is missing")
    look(anna, "account")

    # imported; nobody has accepted it yet
    (placed,) = market.place()
    assert "1 complete" in run(page, ORDERS)
    find(page, placed["id"])
    expect(page.get_by_role("heading", name=f"Order {placed['id']}")).to_be_visible()
    (order,) = market.orders()
    expect(page.locator(".answer")).to_contain_text(f"is in erp as {order['id']}")
    expect(page.locator(".timeline")).to_contain_text("Placed in market.")
    here = page.url

    # cleared for shipping: the event procedure accepts it
    market.erp("set_status", id=order["id"], statusId=5)
    run(page, EVENTS)
    assert market.states(placed["id"]) == ["ACCEPTED", "ACCEPTED"]

    # the devices are scanned, the outgoing items booked, but the parcel has no number yet: the page says what is missing
    lines = [one for one in market.erp("order", id=order["id"])["orderItems"] if one["typeId"] in (1, 9)]
    for line, number in zip(lines, IMEIS, strict=True):
        market.erp("scan", id=order["id"], orderItemId=line["id"], serialNumber=number)
    market.erp("set_status", id=order["id"], statusId=7)
    run(page, EVENTS)
    page.goto(here)
    expect(story(page, "“Confirm”").locator(".chip")).to_have_text("complete")
    expect(story(page, "“Ship”").locator(".chip")).to_have_text("pending")
    expect(story(page, "“Ship”")).to_contain_text("package number")
    look(anna, "waits")

    # it has one now, and the invoice is made
    market.erp("ship", id=order["id"], packageNumber=PARCEL)
    market.erp("invoice", id=order["id"])
    run(page, EVENTS)
    page.goto(here)
    expect(story(page, "“Ship”").locator(".chip")).to_have_text("complete")
    expect(story(page, "“Invoice”").locator(".chip")).to_have_text("complete")
    assert market.states(placed["id"]) == ["SHIPPED", "SHIPPED"]
    assert market.order(placed["id"])["has_invoice"] is True

    # one of two comes back, is accepted, paid back and booked
    item = next(one for one in market.order(placed["id"])["items"] if one["item_identifiers"][0]["value"] == IMEIS[0])
    market.stand_ins.control("refurbed", "return", {"id": item["id"]})
    run(page, RETURNS)
    (back,) = market.orders(RETURN)
    market.erp("set_status", id=back["id"], statusId="9.6")
    run(page, EVENTS)
    (debit,) = [one for one in market.erp("payments") if one["type"] == "debit"]
    assert market.order(placed["id"])["has_invoice"] is True

    # whoever asks for one of the devices finds the order, and on its page everything
    find(page, IMEIS[0])
    page.get_by_role("link", name=str(placed["id"])).first.click() if "?q=" in page.url else None
    expect(page.locator("h1")).to_contain_text(str(placed["id"]))
    for number in IMEIS:
        expect(page.locator(".answer")).to_contain_text(number)
    for done in ("Order import", "“Confirm”", "“Ship”", "“Invoice”", "Returns import", "“Refund”"):
        expect(story(page, done).locator(".chip")).to_have_text("complete")
    expect(story(page, "“Refund”")).to_contain_text(f"payment {debit['id']} booked")
    expect(story(page, "Returns import")).to_contain_text(str(back["id"]))
    expect(page.locator(".timeline")).to_contain_text("Order change: Status change: 5 → 7")
    look(anna, "whole")

    # its way is told in German as well, and fits a phone
    german = visit(locale="de-DE")
    german.login().set_viewport_size({"width": SIZES["phone"][0], "height": SIZES["phone"][1]})
    german.page.goto(here)
    told = german.page.locator(".timeline")
    expect(told).to_contain_text("Auftragsänderung: Statuswechsel: 5 → 7. Ereignisaktion „Ship“ folgt.")
    assert german.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    look(german, "phone")

    # repeated by hand: it is carried out again, and nothing is done twice
    page.goto(here)
    story(page, "“Refund”").get_by_role("link").first.click()
    page.once("dialog", lambda asked: asked.accept())
    page.get_by_role("button", name="Repeat").click()
    expect(page.locator(".head .chip").last).to_have_text("pending")
    run(page, EVENTS)
    assert [one["id"] for one in market.erp("payments") if one["type"] == "debit"] == [debit["id"]]
    assert sorted(one["total_refunded"] for one in market.order(placed["id"])["items"]) == ["0.00", "349.00"]
    assert settled(market)


def test_what_failed_is_found_in_the_data_log_of_the_market_in_words(anna: Visitor, market: Market) -> None:
    """An accepted order can no longer be rejected: the run, the order and the first page say so."""
    page = anna.page
    (placed,) = market.place()
    run(page, ORDERS)
    order = max(market.orders(), key=lambda one: int(one["id"]))
    market.erp("set_status", id=order["id"], statusId=5)
    run(page, EVENTS)
    market.erp("set_status", id=order["id"], statusId=8)
    assert "1 failed" in run(page, EVENTS, "error")
    page.goto("/")
    expect(page.locator(".verdict")).to_contain_text("has failed")
    find(page, str(placed["id"]))
    page.get_by_role("link", name=str(placed["id"])).first.click() if "?q=" in page.url else None
    expect(story(page, "“Reject”").locator(".chip")).to_have_text("failed")
    expect(story(page, "“Reject”")).to_contain_text("cancel")
    look(anna, "failed")


def test_an_account_with_orders_is_kept_and_an_inactive_one_exchanges_nothing(anna: Visitor, market: Market) -> None:
    page = anna.page
    page.goto("/connections/1/")
    expect(page.locator("#delete")).to_contain_text("Deactivate it first: only an inactive account can be deleted.")
    page.once("dialog", lambda asked: asked.accept())
    page.get_by_role("switch", name=re.compile("Active")).click()
    expect(page.locator(".flash.warn")).to_contain_text("nothing is exchanged with it")
    expect(page.locator("section[aria-labelledby=mandatory]")).to_contain_text("1 is missing")
    look(anna, "inactive")
    (placed,) = market.place()
    run(page, ORDERS, "error")
    assert market.states(placed["id"]) == ["NEW", "NEW"]
    page.goto("/connections/1/")
    page.get_by_role("switch", name=re.compile("Active")).click()
    expect(page.locator("section[aria-labelledby=mandatory]")).to_contain_text("nothing is missing")
    assert "1 complete" in run(page, ORDERS)
