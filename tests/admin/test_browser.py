"""A real browser walks all pages: nothing is refused by the policy, nothing is logged, the moving parts move."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from tests.admin.conftest import PASSWORD, Seeded
from tests.admin.test_login import addresses
from tests.conftest import missing

SIZES = {"wide": (1440, 900), "laptop": (1366, 768), "phone": (390, 844)}


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Any]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not chromedriver:
        missing("chromium with its chromedriver")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = str(chromium)
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={tmp_path / 'chromium'}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.add_argument("--window-size=1440,900")
    made = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(chromedriver)))
    yield made
    made.quit()


@pytest.fixture
def browser(driver: Any, address: str) -> Any:
    """Logged in as anna."""
    driver.get(f"{address}/login/")
    find(driver, "[name=name]").send_keys("anna")
    find(driver, "[name=password]").send_keys(PASSWORD)
    find(driver, "button.primary").click()
    wait(driver, "nav.side")
    return driver


def find(driver: Any, selector: str) -> Any:
    return driver.find_element("css selector", selector)


def press(driver: Any, selector: str) -> None:
    """Click what may lie below the bar at the bottom."""
    found = find(driver, selector)
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", found)
    found.click()


def wait(driver: Any, selector: str) -> Any:
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(driver, 10).until(lambda it: it.find_element("css selector", selector))


def until(driver: Any, script: str) -> None:
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(driver, 10).until(lambda it: it.execute_script(f"return {script}"))


def resize(driver: Any, width: int, height: int) -> None:
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
    )


def complaints(driver: Any) -> list[str]:
    return [one["message"] for one in driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]


def pages(app: Flask, seeded: Seeded) -> list[str]:
    plain = [page for endpoint, page in addresses(app, seeded, "GET") if endpoint not in ("static", "login.index")]
    profile = f"/profiles/{seeded.profile}"
    return [
        *(page for page in plain if not page.endswith((".json", ".csv"))),
        f"{profile}/options/?scope=stores.de",
        f"{profile}/records/?status=failed",
        f"{profile}/records/?q=nothing",
        "/orders/130/",
        "/connections/new/?connector=strangershop",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_no_page_breaks_the_policy_or_spills_over_in_light_and_dark(
    browser: Any, address: str, app: Flask, seeded: Seeded, size: str
) -> None:
    shots = os.environ.get("CONNECTOR_SCREENSHOTS")
    resize(browser, *SIZES[size])
    for theme in ("light", "dark"):
        browser.execute_script(f"localStorage.setItem('theme', '{theme}')")
        for page in pages(app, seeded):
            browser.get(address + page)
            assert complaints(browser) == [], page
            spilled = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
            assert spilled <= 0, f"{page} is {spilled} pixels too wide"
            assert browser.execute_script("return document.documentElement.dataset.theme") == theme
            if shots:
                name = page.strip("/").replace("/", "-").replace("?", "-") or "dashboard"
                browser.save_screenshot(str(Path(shots) / f"{name}-{size}-{theme}.png"))


def test_no_request_leaves_the_host(browser: Any, address: str, app: Flask, seeded: Seeded) -> None:
    import json

    for page in pages(app, seeded):
        browser.get(address + page)
    asked = [
        told["params"]["request"]["url"]
        for line in browser.get_log("performance")
        if (told := json.loads(line["message"])["message"])["method"] == "Network.requestWillBeSent"
    ]
    foreign = [url for url in asked if not url.startswith((address, "data:", "chrome:"))]
    assert len(asked) > 30
    assert foreign == []


def test_the_icons_are_really_drawn(browser: Any) -> None:
    width = browser.execute_script("return document.querySelector('nav.side svg use').getBBox().width")
    assert width > 5


def test_the_theme_switch_is_remembered(browser: Any, address: str) -> None:
    before = browser.execute_script("return getComputedStyle(document.body.parentElement).backgroundColor")
    find(browser, "[data-theme-switch]").click()
    browser.get(f"{address}/profiles/")
    after = browser.execute_script("return getComputedStyle(document.body.parentElement).backgroundColor")
    assert before != after


def test_the_menu_opens_on_a_phone(browser: Any, address: str) -> None:
    resize(browser, *SIZES["phone"])
    browser.get(f"{address}/profiles/")
    assert not find(browser, "nav.side a").is_displayed()
    find(browser, "[data-menu]").click()
    until(browser, "document.querySelector('nav.side').getBoundingClientRect().left === 0")
    assert find(browser, "nav.side a").is_displayed()


def test_the_slash_key_leads_to_the_search_and_the_search_to_the_order(browser: Any, address: str) -> None:
    from selenium.webdriver.common.keys import Keys

    find(browser, "body").send_keys("/")
    browser.switch_to.active_element.send_keys("100000004", Keys.ENTER)
    until(browser, "document.querySelector('h1').textContent === 'Order 100000004'")
