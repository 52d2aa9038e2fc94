"""Both directions between the same two systems, as a shop's admin sees them: the settings of an import, and one order
that went out, was shipped there, and came back with its tracking number."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, Page, expect

from admin import auth
from profiles.db import Database
from sandbox.warehouse import Warehouse
from tests.admin.conftest import PASSWORD
from tests.browser.conftest import SIZES, Visitor
from tests.contracts import violations
from tests.journey.conftest import Host, StandIns

EXPORT, IMPORT = 1, 2  # the profiles, in the order in which they are applied
ANSWERS = {"create_shipment": True, "create_credit_memo": True, "refund_capture_case": "online"}
SECTIONS = [
    "Import configuration", "API configuration", "Store configuration", "Actions", "Customer", "Payment", "Invoice",
    "Shipment", "Credit memo", "Order statuses", "Incomplete orders", "Attributes",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Both:
    """A host whose export and import have run, and numbers of orders: `shipped` left in one parcel and its shipping was
    paid back, `parted` left with a delivery of its own, `waiting` was shipped after the import had run."""

    address: str
    shipped: str
    parted: str
    waiting: str


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    stand_ins = StandIns(folder, "--orders", "12", "--seed", "7", "--index-lag", "0")
    try:
        host = Host(folder, stand_ins)
        statuses = {one["status"]: 5 for one in stand_ins.control("magento", "orders") if one.get("status")}
        host.apply(ANSWERS, status_mapping=statuses, residual="line")
        for name in ("shop", "erp"):
            assert host.call("collect", name).returncode == 0
        assert host.run()["counts"]["complete"] >= 3
        warehouse = Warehouse(stand_ins.address["plentyone"])
        parted, shipped, waiting = sorted(warehouse.state()["orders"], key=lambda one: -int(one["items"]))[:3]
        warehouse.act("ship", id=shipped["id"], packageNumber="JD000100")
        warehouse.act("credit", id=shipped["id"], only="shipping")
        warehouse.act("ship_part", id=parted["id"], packageNumber="JD000200")
        assert host.run(profile="Order import")["counts"]["failed"] == 0
        warehouse.act("ship", id=waiting["id"], packageNumber="JD000300")
        numbers = {"shipped": shipped, "parted": parted, "waiting": waiting}
        with _serving(host) as address:
            yield Both(address=address, **{name: str(one["externalId"]) for name, one in numbers.items()})
    finally:
        stand_ins.close()
    assert violations(stand_ins.record) == []


@contextmanager
def _serving(host: Host) -> Iterator[str]:
    database = Database(f"sqlite:///{host.folder / 'home' / 'connector.db'}")
    with database.session() as session:
        auth.add_user(session, "anna", PASSWORD)
    database.engine.dispose()
    with host.start("serve", "--port", "0") as process:
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


@pytest.fixture
def address(both: Both) -> str:
    return both.address


def setting(page: Page, name: str) -> Locator:
    return page.locator(f"#setting-{name}")


def switch(page: Page, name: str) -> None:
    """Say yes to a setting, which no longer follows its default then."""
    field = setting(page, name)
    field.locator("[data-use-default]").uncheck()
    field.locator("label.switch").click()


def test_the_settings_come_in_the_order_of_an_import_and_only_those_that_matter(anna: Visitor) -> None:
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/options/")
    expect(page.get_by_role("link", name="Import settings")).to_have_attribute("aria-current", "page")
    page.locator("[data-open-all]").click()
    assert page.locator("[data-section] h2").all_text_contents() == SECTIONS
    expect(page.locator("#customer")).to_be_hidden()  # nothing in it matters while no order is placed
    expect(setting(page, "create_invoice")).to_be_visible()
    for hidden in ("invoice_status_condition", "invoice_statuses", "invoice_capture", "cancel_statuses"):
        expect(setting(page, hidden)).to_be_hidden()
    switch(page, "create_invoice")
    expect(setting(page, "invoice_capture")).to_be_visible()
    expect(setting(page, "invoice_statuses")).to_be_hidden()
    switch(page, "invoice_status_condition")
    expect(setting(page, "invoice_statuses")).to_be_visible()
    switch(page, "create_new_order")
    expect(page.locator("#customer")).to_be_visible()
    expect(page.locator("[data-index] a", has_text="Customer")).to_be_visible()


def test_a_switch_without_the_list_that_it_needs_is_not_saved(anna: Visitor) -> None:
    anna.allowed.append("422")
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/options/")
    page.locator("[data-open-all]").click()
    switch(page, "cancel_order")
    page.get_by_role("button", name="Save", exact=True).click()
    said = setting(page, "cancel_statuses")
    expect(said).to_be_visible()
    expect(said).to_contain_text("It is needed, and still empty.")
    expect(setting(page, "hold_statuses")).to_be_hidden()


def test_the_search_finds_what_does_not_matter_yet_and_a_link_leads_to_it(anna: Visitor) -> None:
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/options/")
    page.locator("[data-find]").fill("statuses for an invoice")
    expect(setting(page, "invoice_statuses")).to_be_visible()
    page.locator("[data-find]").fill("")
    expect(setting(page, "invoice_statuses")).to_be_hidden()
    page.goto(f"/profiles/{IMPORT}/options/?again#setting-hold_statuses")
    expect(setting(page, "hold_statuses")).to_be_visible()


def test_names_on_the_left_are_the_erps_and_on_the_right_the_shops(anna: Visitor) -> None:
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/options/")
    page.locator("[data-open-all]").click()
    anna.accessible()
    stores = setting(page, "store_mapping")
    expect(stores.locator("thead")).to_contain_text("In erp")
    expect(stores.locator("thead")).to_contain_text("In shop")
    expect(stores.locator("tbody tr").first).to_contain_text("(12345)")
    stores.get_by_role("combobox").first.click()
    expect(page.locator("#listbox")).to_contain_text("Default Store View")
    page.keyboard.press("Escape")
    statuses = setting(page, "status_mapping")
    expect(statuses.locator("tbody")).to_contain_text("Cleared for shipping")
    statuses.get_by_role("combobox").first.click()
    expect(page.locator("#listbox")).to_contain_text("Processing")
    page.keyboard.press("Escape")
    switch(page, "hold_order")
    expect(setting(page, "hold_statuses")).to_contain_text("[5]")
    expect(setting(page, "with_relations")).to_contain_text("Packages and tracking numbers")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_one_order_is_one_story_with_its_tracking_number_on_top(
    scheme: str, visit: Callable[..., Visitor], both: Both
) -> None:
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    page.locator("header [name=q]").fill(both.shipped)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(both.shipped)
    expect(page.locator(".answer")).to_contain_text("Tracking Numbers: JD000100")
    way = page.locator(".story li")
    expect(way).to_have_count(3)
    assert [re.split(r"\s\d", text)[0].strip() for text in way.locator(".what :is(a, b)").all_inner_texts()] == [
        "Order export", "Order import", "Order import: credit note"
    ]  # fmt: skip
    expect(way.nth(1)).to_have_attribute("aria-current", "true")
    expect(way.nth(1)).to_contain_text("one tracking number")
    told = page.locator(".timeline")
    expect(told.get_by_text("Placed in shop.")).to_have_count(1)
    expect(told.get_by_text("Placed in erp.")).to_have_count(0)
    expect(told).to_contain_text(re.compile(r"Credit note \d+ was made in erp"))
    visitor.accessible()
    page.set_viewport_size({"width": SIZES["phone"][0], "height": SIZES["phone"][1]})
    assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    way.nth(2).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(r"credit note \d+"))
    expect(page.locator(".answer")).to_contain_text("JD000100")


def test_the_list_says_what_is_a_delivery_and_what_a_credit_note(anna: Visitor, both: Both) -> None:
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/records/")
    row = page.locator("table.grid tbody tr")
    expect(row.filter(has_text="credit note")).to_have_count(1)
    expect(row.filter(has_text="credit note")).to_contain_text(both.shipped)
    expect(row.filter(has_text="delivery")).to_contain_text(both.parted)
    expect(page.locator("thead")).to_contain_text("Tracking Numbers")
    anna.accessible()


def test_a_dry_run_says_who_would_be_shipped(anna: Visitor, both: Both) -> None:
    page = anna.page
    page.goto(f"/profiles/{IMPORT}/dry-run/")
    page.get_by_role("button", name="Start the dry run").click()
    line = page.locator(".planned > li", has_text=both.waiting)
    expect(line).to_contain_text("shipment with one tracking number. 1 call")
    line.locator("summary").click()
    expect(line).to_contain_text("JD000300")
    anna.accessible()


def test_a_new_profile_knows_which_way_an_import_goes(anna: Visitor) -> None:
    page = anna.page
    page.goto("/profiles/new/")
    ends = page.get_by_label("From connection"), page.get_by_label("To connection")
    assert [one.input_value() for one in ends] == ["shop", "erp"]
    page.get_by_role("radio", name=re.compile("Import")).check()
    assert [one.input_value() for one in ends] == ["erp", "shop"]
    expect(page.get_by_label("Name", exact=True)).to_have_value("Order import 2")
    page.get_by_role("radio", name=re.compile("Export")).check()
    assert [one.input_value() for one in ends] == ["shop", "erp"]


def test_an_import_is_spoken_of_in_german(visit: Callable[..., Visitor], both: Both) -> None:
    page = visit(locale="de-DE").login()
    page.goto(f"/profiles/{IMPORT}/options/")
    expect(page.get_by_role("link", name="Importeinstellungen")).to_be_visible()
    page.locator("[data-open-all]").click()
    expect(setting(page, "create_shipment")).to_contain_text("Lieferung anlegen")
    page.goto(f"/orders/?q={both.shipped}")
    expect(page.locator(".answer")).to_contain_text("Sendungsnummern: JD000100")
    expect(page.locator(".story")).to_contain_text("Gutschrift")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_an_import_is_accessible_and_fits_a_phone(
    scheme: str, visit: Callable[..., Visitor], both: Both
) -> None:
    visitor = visit(color_scheme=scheme)
    page = visitor.login()
    profile = f"/profiles/{IMPORT}"
    tabs = (
        f"{profile}/",
        *(f"{profile}/{one}/" for one in ("options", "records", "history", "schedule", "schedule-history", "dry-run")),
    )
    for address in (*tabs, "/", "/profiles/", "/profiles/new/", "/schedule/", "/orders/"):
        page.set_viewport_size({"width": SIZES["laptop"][0], "height": SIZES["laptop"][1]})
        answer = page.goto(address)
        assert answer, address
        assert answer.status == 200, address
        visitor.accessible()
        page.set_viewport_size({"width": SIZES["phone"][0], "height": SIZES["phone"][1]})
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, address
