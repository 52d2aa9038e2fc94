"""The pictures of the README, taken from a demo of its own: `make pictures` (python -m tests.browser.pictures)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "docs"
LOGIN = re.compile(r"(http://\S+)\s+user (\S+), password (\S+)")
PICTURES = ("dashboard", "profile", "order")


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        demo = subprocess.Popen(
            [sys.executable, "-m", "admin", "demo", "--orders", "200", "--port", "8765"],
            cwd=ROOT,
            env={**os.environ, "CONNECTOR_HOME": home, "CONNECTOR_DATABASE_URL": "", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert demo.stdout is not None
            found = next((match for line in demo.stdout if (match := LOGIN.search(line))), None)
            if found is None:
                raise SystemExit("The demo did not start.")
            _take(*found.groups())
        finally:
            demo.terminate()
            demo.wait(30)


def _take(address: str, user: str, password: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(base_url=address, viewport={"width": 1366, "height": 860}, locale="en-GB")
        page.goto("/login/")
        page.fill("[name=name]", user)
        page.fill("[name=password]", password)
        page.click("button.primary")
        page.wait_for_selector("nav.side")
        _shoot(page, "dashboard", "/")
        _shoot(page, "profile", "/profiles/1/records/")
        page.click("td.first a >> nth=0")
        _shoot(page, "order", page.url)
        browser.close()


def _shoot(page: Page, name: str, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=PLACE / f"{name}.png")
    print(f"docs/{name}.png")


if __name__ == "__main__":
    main()
