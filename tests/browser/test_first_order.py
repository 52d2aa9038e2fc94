"""From an empty database to the first order, as a person does it who has read nothing: one journey, against a real host.

The host is a process of its own with pages, scheduler and workers; the two systems are the stand-ins in another one.
"""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import Visitor
from tests.contracts import violations
from tests.journey.conftest import Host, StandIns, once_each

OWN = "a password of my own"
LONG = 60_000
ORDERS = 40
STEPS = 90  # clicks and typed fields: more would not be ten minutes
PRINTED = re.compile(r"Log in as (\S+) with the password (\S+) ")


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """A host that was started for the first time, and what its terminal said."""

    address: str
    user: str
    password: str
    stand_ins: StandIns

    def writes(self) -> list[str]:
        """Every change that reached PlentyONE or Magento, but for logins."""
        lines = [json.loads(line) for line in Path(self.stand_ins.record).read_text().splitlines()]
        return [one["path"] for one in lines if one["method"] != "GET" and "/login" not in one["path"]]


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Fresh]:
    stand_ins = StandIns(tmp_path, "--orders", str(ORDERS), "--latency-ms", "25")
    try:
        with Host(tmp_path, stand_ins).start("serve", "--port", "0") as process:
            try:
                assert process.stderr is not None
                said = ""
                while "http://" not in said:
                    line = process.stderr.readline()
                    assert line, f"the host ended: {said}"
                    said += line
                threading.Thread(target=process.stderr.read, daemon=True).start()
                printed = PRINTED.search(said)
                assert printed, said
                address = said[said.index("http://") :].split()[0].rstrip("/")
                yield Fresh(address=address, user=printed[1], password=printed[2], stand_ins=stand_ins)
            finally:
                process.terminate()
                process.wait(40)
    finally:
        stand_ins.close()
    assert violations(stand_ins.record) == []


class Person:
    """Does things on the page and counts them; takes a picture for whoever asks for them."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.page = visitor, visitor.page
        self.steps = self.pictures = 0

    def press(self, name: str | re.Pattern[str], role: str = "button", within: Locator | Page | None = None) -> None:
        self.steps += 1
        (within or self.page).get_by_role(role, name=name, exact=isinstance(name, str)).first.click()  # type: ignore[arg-type]

    def fill(self, label: str, text: str) -> None:
        self.steps += 1
        self.page.get_by_label(label, exact=True).fill(text)

    def choose(self, label: str, words: str) -> None:
        """In a list that is searched while one types."""
        self.steps += 2
        field = self.page.get_by_role("combobox", name=label, exact=True)
        field.click()
        self.page.keyboard.type(words)
        expect(self.page.locator("#listbox [role=option]").first).to_contain_text(words)
        self.page.locator("#listbox [role=option]").first.click()
        expect(field).to_have_value(re.compile(re.escape(words)))

    def look(self, name: str) -> None:
        self.visitor.accessible()
        self.pictures += 1
        if folder := os.environ.get("CONNECTOR_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{self.pictures:02}-{name}.png")


def test_the_first_order_arrives(chromium: Browser, fresh: Fresh) -> None:
    visitor = Visitor(chromium, fresh.address, viewport={"width": 1366, "height": 768})
    visitor.allowed.append("422")
    person, began = Person(visitor), time.monotonic()
    try:
        comes_in(person, fresh)
        connects(person, fresh)
        makes_a_profile(person)
        maps(person)
        tries_without_sending(person, fresh)
        number = runs(person, fresh)
        finds_the_order(person, number)
        mends_what_failed(person)
        assert not once_each(fresh.stand_ins.state("plentyone"))
        visitor.quiet()
        assert person.steps <= STEPS, f"{person.steps} clicks and fields"
        print(f"{person.steps} clicks and fields, {time.monotonic() - began:.0f} s")
    finally:
        visitor.context.close()


def comes_in(person: Person, fresh: Fresh) -> None:
    page = person.page
    page.goto("/")
    person.fill("Name", fresh.user)
    person.fill("Password", fresh.password)
    person.press("Log in")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    page.goto("/connections/")
    expect(page.get_by_role("heading", name="Choose a new password")).to_be_visible()
    person.fill("New password", OWN)
    person.fill("Repeat the new password", OWN)
    person.press(re.compile("Keep it"))
    page.goto("/")
    expect(page.get_by_role("heading", name="Three steps to the first order")).to_be_visible()
    expect(page.locator(".begin li")).to_have_count(3)
    person.look("dashboard")


def connects(person: Person, fresh: Fresh) -> None:
    page, addresses = person.page, fresh.stand_ins.address
    person.press(re.compile("New connection"), "link")
    person.press(re.compile("Magento"), "link")
    person.fill("Address", addresses["magento"])
    for label, text in (("Consumer key", "ck"), ("Consumer secret", "cs"), ("Access token", "at"),
                        ("Access token secret", "not this one")):  # fmt: skip
        person.fill(label, text)
    person.press("Test")
    expect(page.get_by_text("Not everything works yet.")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Check the consumer secret and the access token secret.")).to_be_visible()
    person.look("wrong-secret")
    person.fill("Access token secret", "ats")
    person.press("Test")
    expect(page.get_by_text("Everything works.")).to_be_visible(timeout=LONG)
    person.press("Save and collect")
    expect(page.get_by_text(re.compile(r"Collecting: \d+ of \d+ lists|Everything is collected")).first).to_be_visible()
    expect(page.get_by_role("heading", name="Next: connect the other system")).to_be_visible(timeout=LONG)
    person.press("Connect another system", "link")
    person.press(re.compile("PlentyONE"), "link")
    person.fill("Address", addresses["plentyone"])
    person.fill("User name", "connector")
    person.fill("Password", "sandbox")
    person.press("Test")
    expect(page.get_by_text("Everything works.")).to_be_visible(timeout=LONG)
    person.press("Save and collect")
    expect(page.get_by_role("heading", name="Next: make a profile")).to_be_visible(timeout=LONG)
    person.look("collected")


def makes_a_profile(person: Person) -> None:
    page = person.page
    person.press(re.compile("Make a profile"), "link")
    expect(page.get_by_label("From connection")).to_have_value(re.compile("Magento"))
    expect(page.get_by_label("To connection")).to_have_value(re.compile("PlentyONE"))
    expect(page.get_by_label("Name", exact=True)).to_have_value("Order export")
    person.look("new-profile")
    person.press("Make the profile")
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("Before its first run it needs:")


def maps(person: Person) -> None:
    """Suggestions first, then what they leave; what is missing counts down to nothing, and the save goes through."""
    page = person.page
    person.look("settings")
    lacks = page.locator("[data-index] .badge:visible")
    expect(lacks).to_have_text([re.compile(r"^5\s+missing"), re.compile("^6"), re.compile("^1"), re.compile("^1")])
    person.press("Save")
    expect(page.get_by_text("Not saved: something that runs need is missing.")).to_be_visible()
    expect(lacks).to_have_count(4)
    person.look("refused")
    for _section in range(3):
        sure = page.get_by_role("button", name="Apply all sure ones")
        if sure.count() and sure.first.is_visible():
            person.press("Apply all sure ones")
    for _row in range(8):
        likely = page.get_by_role("button", name=re.compile("^Apply .+ for "))
        if likely.count() and likely.first.is_visible():
            person.press(re.compile("^Apply .+ for "))
    statuses = page.locator("#setting-status_mapping tr.seen:not(.touched)")
    guesses = {"pending": "Waiting for payment", "processing": "Cleared", "complete": "Outgoing items", "closed": "Return",
               "in_production": "In preparation"}  # fmt: skip
    fill_in(person, statuses, guesses)
    fill_in(person, page.locator("#setting-payment_mapping tr.seen:not(.touched)"), {"": "Vorkasse (0)"})
    person.look("mapped")
    person.choose("Default shipping profile", "DHL")
    person.choose("Main warehouse ID", "104")
    expect(lacks).to_have_count(0)
    expect(page.locator("[data-changed-count]")).to_contain_text("settings changed, not saved yet")
    person.press("Save")
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("Saved.")
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("a dry run shows what would be sent")
    expect(page.get_by_text("not mapped yet")).to_have_count(0)
    person.look("saved")


def fill_in(person: Person, rows: Locator, guesses: dict[str, str]) -> None:
    """Each row that was seen in orders and has no value yet."""
    for _row in range(12):
        if not rows.count():
            return
        left = rows.first.locator("[name$='.key']").input_value()
        label = rows.first.get_by_role("combobox").get_attribute("aria-label") or ""
        person.choose(label, guesses.get(left) or guesses[""])
    expect(rows).to_have_count(0)


def tries_without_sending(person: Person, fresh: Fresh) -> None:
    page, before = person.page, fresh.writes()
    person.press(re.compile("Dry run"), "link")
    person.press("Start the dry run")
    expect(page.locator("[data-dry-run=success]")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Nothing was sent.", exact=True)).to_be_visible()
    expect(page.locator(".picks")).to_contain_text("would be created")
    person.look("dry-run")
    assert fresh.writes() == before
    assert fresh.stand_ins.state("plentyone")["orders"] in (0, [], {})


def runs(person: Person, fresh: Fresh) -> str:
    """With a bar that moves. The number of an order that was created."""
    page = person.page
    fresh.stand_ins.faults({"system": "plentyone", "kind": "slow", "seconds": 0.12, "method": "write"})
    person.press("Run now")
    bar = page.locator(".run [role=progressbar]")
    expect(bar).to_be_visible(timeout=30_000)
    first = bar.get_attribute("aria-valuenow") or ""
    person.look("running")
    expect(bar).not_to_have_attribute("aria-valuenow", first, timeout=20_000)
    expect(page.locator("tbody tr").first).to_contain_text(f"{ORDERS - 1} complete, 1 failed.", timeout=LONG)
    fresh.stand_ins.faults()
    person.look("ran")
    person.press("Order synchronisation", "link")
    complete = page.locator("tbody tr", has=page.locator(".chip", has_text="complete"))
    expect(complete.first).to_be_visible()
    person.look("records")
    return complete.first.locator("td.first a").inner_text()


def finds_the_order(person: Person, number: str) -> None:
    page = person.page
    page.locator("body").press("/")
    page.keyboard.type(number)
    page.keyboard.press("Enter")
    person.steps += 2
    expect(page.get_by_role("heading", name=f"Order {number}")).to_be_visible()
    expect(page.locator(".answer")).to_contain_text(re.compile(rf"Order {number} is in PlentyONE as \d+"))
    expect(page.locator(".timeline")).to_contain_text("Placed in Magento.")
    expect(page.locator(".timeline")).to_contain_text("/rest/orders")
    person.look("order")


def mends_what_failed(person: Person) -> None:
    """Three clicks from the first page to the cause and its setting; the retry ends well, and the profile is switched on."""
    page = person.page
    person.press("Dashboard", "link")
    person.look("dashboard-failed")
    person.press(re.compile("1 order of Order export has failed"), "link")
    person.look("failed")
    page.locator("tbody td.first a").first.click()
    expect(page.locator(".answer")).to_contain_text("that no line explains")
    person.look("failed-order")
    order = page.url
    person.press(re.compile("To the setting"), "link")
    setting = page.locator("[data-field].shown-to")
    expect(setting).to_be_in_viewport()
    setting.get_by_role("checkbox", name=re.compile("Use default")).uncheck()
    setting.locator("select").select_option("line")
    person.steps += 3
    person.press("Save")
    expect(page.locator(".flash.good:not([hidden])").first).to_contain_text("Saved.")
    page.goto(order)
    person.press("Retry now")
    expect(page.locator(".answer")).to_contain_text("is in PlentyONE as", timeout=LONG)
    person.look("mended")
    page.goto("/profiles/")
    person.press("Order export", "link")
    person.press("Switch on")
    expect(page.locator(".flash.good:not([hidden])")).to_contain_text("Order export is active. It runs: ")
    expect(page.locator(".head .chip")).to_have_text("active")
    person.press("Dashboard", "link")
    expect(page.get_by_text("All is well")).to_be_visible()
    person.look("all-is-well")
