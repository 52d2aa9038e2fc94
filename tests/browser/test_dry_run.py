"""The tab *Dry run* against real stand-ins: what would be sent and where it comes from, and that nothing is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from admin import auth, create_app
from profiles.db import Database
from tests.admin.conftest import PASSWORD
from tests.browser.conftest import Visitor
from tests.journey.conftest import Host, StandIns

TAB = "/profiles/1/dry-run/"
ORDERS = 30


@pytest.fixture
def stand_ins(tmp_path: Path) -> Iterator[StandIns]:
    made = StandIns(tmp_path, "--orders", str(ORDERS))
    yield made
    made.close()


@pytest.fixture
def app(tmp_path: Path, stand_ins: StandIns, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The host of a finished set-up, served by this process."""
    host = Host(tmp_path, stand_ins)
    host.apply()
    for name in ("CONNECTOR_HOME", "CONNECTOR_ALLOW_PRIVATE", "PLENTY_PASSWORD"):
        monkeypatch.setenv(name, host.environment[name])
    monkeypatch.delenv("CONNECTOR_DATABASE_URL", raising=False)
    database = Database()
    with database.session() as session:
        auth.add_user(session, "anna", PASSWORD)
        auth.add_user(session, "victor", PASSWORD, "viewer")
    made = create_app(database)
    made.config.update(RATELIMIT_ENABLED=False)
    yield made
    database.engine.dispose()


def writes(stand_ins: StandIns) -> list[str]:
    lines = [json.loads(line) for line in Path(stand_ins.record).read_text().splitlines()]
    return [one["path"] for one in lines if one["method"] != "GET" and "/login" not in one["path"]]


def start(page: Page) -> None:
    page.get_by_role("button", name="Start the dry run").click()
    expect(page.locator("[data-dry-run=success]")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("Nothing was sent.", exact=True)).to_be_visible()


def test_it_shows_what_would_be_sent_with_its_origin_and_sends_nothing(
    anna: Visitor, visit: Callable[..., Visitor], stand_ins: StandIns
) -> None:
    anna.allowed += ["422", "403"]
    page, planned = anna.page, anna.page.locator(".planned > li")
    page.goto(TAB)
    expect(page.get_by_text("No dry run yet")).to_be_visible()
    the_newest(page, anna)
    number = one_order(page, anna)
    page.get_by_role("radio", name="All that are due").check()
    start(page)
    expect(page.locator(".picks a").first).to_have_text(f"All {ORDERS}")
    page.locator(".picks a", has_text="would be created").click()
    expect(planned.first).to_contain_text("would be created")
    expect(planned.filter(has_not_text="would be created")).to_have_count(0)
    page.locator(".lines").get_by_role("link", name=number).first.click()
    expect(planned).to_have_count(1)
    refused_in_words(page)
    victor_only_looks(visit, number)
    assert writes(stand_ins) == []
    assert not stand_ins.state("plentyone")["orders"]


def the_newest(page: Page, anna: Visitor) -> None:
    page.get_by_label("How many of the newest").fill("7")
    expect(page.get_by_role("radio", name="The newest")).to_be_checked()
    start(page)
    planned = page.locator(".planned > li")
    expect(planned).to_have_count(7)
    created = planned.filter(has_text="would be created")
    for text in created.locator(".totals").all_inner_texts():
        source, target = re.findall(r"\d+\.\d\d", text)
        assert source == target
        assert "equal to the cent" in text
    created.first.locator("summary").click()
    inside = created.first.locator("[data-sent]")
    expect(inside.get_by_text("equal to the cent")).to_be_visible()
    assert all(said.strip() for said in inside.locator("table.values tbody td:nth-child(3)").all_inner_texts())
    method = inside.locator("tr", has_text="of Payment method mapping").first
    expect(method.locator("ins")).to_have_text("6000")
    expect(method).to_contain_text("PayPal")
    anna.accessible()
    method.get_by_role("link").click()
    page.wait_for_url("**#setting-payment_mapping")
    expect(page.locator("#setting-payment_mapping")).to_be_in_viewport()
    page.goto(TAB)


def one_order(page: Page, anna: Visitor) -> str:
    number = page.locator(".planned > li b.mono").first.inner_text()
    page.get_by_role("textbox", name="Number of the order").fill(number)
    start(page)
    expect(page.get_by_role("heading", name=f"Dry run of {number}")).to_be_visible()
    expect(page.locator(".planned > li")).to_have_count(1)
    anna.accessible()
    return number


def refused_in_words(page: Page) -> None:
    page.goto(TAB)
    page.get_by_role("radio", name="Only number").check()
    page.get_by_role("button", name="Start the dry run").click()
    expect(page.get_by_role("alert")).to_have_text("Type the number of the order.")


def victor_only_looks(visit: Callable[..., Visitor], number: str) -> None:
    victor = visit()
    victor.allowed.append("403")
    page = victor.login("victor")
    page.goto(TAB)
    expect(page.get_by_role("heading", name="Dry run of all that are due")).to_be_visible()
    expect(page.get_by_role("button", name="Start the dry run")).to_have_count(0)
    token = page.locator("[name=csrf_token]").first.get_attribute("value") or ""
    answer = victor.context.request.post(TAB, form={"which": "order", "order": number, "csrf_token": token})
    assert answer.status == 403
