"""Chromium, driven by Playwright, on a served host: nothing may be logged, refused or fetched from elsewhere."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response, sync_playwright
from werkzeug.serving import make_server

from tests.admin.conftest import PASSWORD, app, db, pattern, seeded, two_systems
from tests.conftest import missing

__all__ = ["app", "db", "pattern", "seeded", "two_systems"]

SIZES = {"wide": (1440, 900), "laptop": (1366, 768), "phone": (390, 844)}
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium where it is present, otherwise the one that Playwright installs."""
    with sync_playwright() as playwright:
        found = shutil.which("chromium")
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        except Exception as error:
            missing(f"Chromium ({str(error).splitlines()[0]})")
        yield browser
        browser.close()


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The seeded host of tests/admin, served; `app` can be replaced by a test's own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


class Visitor:
    """A person with a browser of their own. What the browser complains about is kept in `complaints`."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        options.setdefault("viewport", {"width": SIZES["wide"][0], "height": SIZES["wide"][1]})
        options.setdefault("locale", "en-GB")
        self.address = address
        self.context = browser.new_context(base_url=address, **options)
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.complaints: list[str] = []
        self.allowed: list[str] = []  # parts of complaints that the test expects
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"console {message.type}: {message.text}")

    def _failed(self, request: Request) -> None:
        if "ERR_ABORTED" not in str(request.failure):  # a page that is left ends its own requests
            self.complaints.append(f"failed: {request.method} {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if urlsplit(response.url).netloc != urlsplit(self.address).netloc and response.url.startswith("http"):
            self.complaints.append(f"left the host: {response.url}")
        if response.status >= 500:
            self.complaints.append(f"{response.status}: {response.url}")

    def login(self, name: str = "anna", password: str = PASSWORD) -> Page:
        self.page.goto("/login/")
        self.page.fill("[name=name]", name)
        self.page.fill("[name=password]", password)
        self.page.click("main button.primary, button.primary")
        self.page.wait_for_selector("nav.side")
        return self.page

    def quiet(self) -> None:
        """Nothing was complained about, but for what the test allowed."""
        said = [one for one in self.complaints if not any(part in one for part in self.allowed)]
        assert not said, "\n".join(said)

    def accessible(self) -> None:
        """axe-core finds no violation of WCAG 2.2 AA on the page that is shown."""
        found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": WCAG}})
        assert found.violations_count == 0, f"{self.page.url}\n{found.generate_report()}"


@pytest.fixture
def visit(chromium: Browser, address: str) -> Iterator[Callable[..., Visitor]]:
    """`visit()` opens a browser that nobody is logged in to; options go to Playwright's context."""
    made: list[Visitor] = []

    def one(**options: Any) -> Visitor:
        made.append(Visitor(chromium, address, **options))
        return made[-1]

    yield one
    for visitor in made:
        visitor.context.close()
    for visitor in made:
        visitor.quiet()


@pytest.fixture
def anna(visit: Callable[..., Visitor]) -> Visitor:
    """An admin who is logged in."""
    visitor = visit()
    visitor.login()
    return visitor
