"""Every page, light and dark: no violation of WCAG 2.2 AA, no complaint of the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.admin.conftest import Seeded
from tests.admin.test_login import addresses
from tests.browser.conftest import Visitor

NO_PAGES = ("static", "login.index", "dashboard.static")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible(scheme: str, app: Flask, visit: Callable[..., Visitor], seeded: Seeded) -> None:
    visitor = visit(color_scheme=scheme)
    visitor.page.goto("/login/")
    visitor.accessible()
    visitor.login()
    for endpoint, address in addresses(app, seeded, "GET"):
        if endpoint in NO_PAGES or address.endswith((".json", ".csv", ".yaml")):
            continue
        visitor.page.goto(address)
        visitor.accessible()
