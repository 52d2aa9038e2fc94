"""A running Magento stand-in and the ways to call it, signed by another implementation of OAuth than its own."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests_oauthlib import OAuth1

from sandbox.magento import build
from sandbox.server import Server

ALL = {"searchCriteria": ""}


class Shop:
    """A running stand-in and the ways to call it."""

    def __init__(self, server: Server) -> None:
        self.base = server.base_url
        self.auth = sign()

    def get(self, path: str, params: Any = None, **more: Any) -> requests.Response:
        return self._call("GET", path, params=params, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> requests.Response:
        return self._call("POST", path, json=body, **more)

    def orders(self, **criteria: Any) -> dict[str, Any]:
        answer = self.get("orders", query(**criteria))
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def control(self, action: str, **body: Any) -> Any:
        answer = requests.post(f"{self.base}/_sandbox/control/{action}", json=body, timeout=10)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        more.setdefault("auth", self.auth)
        url = f"{self.base}/{path[1:]}" if path.startswith("/") else f"{self.base}/rest/all/V1/{path}"
        return requests.request(method, url, timeout=10, **more)


def sign(**other: Any) -> OAuth1:
    secrets = {
        "client_key": "ck",
        "client_secret": "cs",
        "resource_owner_key": "at",
        "resource_owner_secret": "ats",
        "signature_method": "HMAC-SHA256",
    }
    return OAuth1(**(secrets | other))


def query(*filters: tuple[str, str, Any], sort: str = "entity_id ASC", size: int | None = None, page: int | None = None,
          any_of: list[tuple[str, str, Any]] | None = None) -> dict[str, Any]:  # fmt: skip
    """searchCriteria: `filters` all hold, and one of `any_of`."""
    groups = [[one] for one in filters] + ([any_of] if any_of else [])
    params: dict[str, Any] = {}
    for g, group in enumerate(groups):
        for f, (name, condition, value) in enumerate(group):
            head = f"searchCriteria[filter_groups][{g}][filters][{f}]"
            params |= {f"{head}[field]": name, f"{head}[condition_type]": condition, f"{head}[value]": value}
    for number, one in enumerate(sort.split(",") if sort else []):
        name, _, direction = one.strip().partition(" ")
        params[f"searchCriteria[sortOrders][{number}][field]"] = name
        if direction:
            params[f"searchCriteria[sortOrders][{number}][direction]"] = direction
    if size is not None:
        params["searchCriteria[pageSize]"] = size
    if page is not None:
        params["searchCriteria[currentPage]"] = page
    return params or dict(ALL)


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A shop of the size that the test's module names as SIZE."""
    running = Server(build(**request.module.SIZE), 0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def shop(server: Server) -> Shop:
    found = Shop(server)
    found.control("reset")
    return found
