"""Systems that say less than ours: what a list leaves out is read, never assumed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from connector import RetryLater
from connector.records import Customer
from tests.connector.plentyone.records import order
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.test_exactly_once import complete, deliver


@pytest.fixture
def quick(shop: Shop) -> Shop:
    shop.connector.client.read_seconds = 1.0
    return shop


def through(shop: Shop, change: Callable[[str, str, Any], Any]) -> None:
    """Let `change(method, path, data)` alter what the system answers."""
    real = shop.connector.client.transport

    def altered(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        answer = real(request, timeout)
        text = b"".join(answer.iter_content(65536)).decode()
        path = str(request.url).split("/rest", 1)[1].split("?")[0]
        try:
            text = json.dumps(change(str(request.method), path, json.loads(text)))
        except ValueError:
            pass
        made = requests.Response()
        made.status_code = answer.status_code
        made.headers = answer.headers
        made.headers.pop("Content-Encoding", None)
        made.raw = io.BytesIO(text.encode())
        return made

    shop.connector.client.transport = altered


def without(*names: str, under: str) -> Callable[[str, str, Any], Any]:
    """Rows of the lists at `under` lack these fields; a single record has them."""

    def change(method: str, path: str, data: Any) -> Any:
        if method == "GET" and (path == under or path.startswith(f"{under}/contacts/")) and isinstance(data, dict):
            for row in data.get("entries", ()):
                for name in names:
                    row.pop(name, None)
        return data

    return change


def test_an_order_is_found_again_although_lists_show_heads_only(plenty: StandIn, quick: Shop) -> None:
    through(quick, without("properties", under="/orders"))
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "/rest/orders", "times": 1})
    deliver(quick, order())
    complete(plenty)


def test_an_order_never_goes_to_a_contact_whose_e_mail_a_list_leaves_out(plenty: StandIn, quick: Shop) -> None:
    """The list ignores the filter and hides e-mails: the first contact that it shows is a stranger's."""
    deliver(quick, order("100000001"))
    stranger = plenty.state()["counts"]["contacts"]
    hidden = without("email", "options", under="/accounts/contacts")

    def deaf(method: str, path: str, data: Any) -> Any:
        if method == "GET" and path == "/accounts/contacts":
            rows = plenty.control("contacts", {})
            rows = rows if isinstance(rows, list) else rows["contacts"]
            data = {"page": 1, "isLastPage": True, "lastPageNumber": 1, "totalsCount": len(rows), "entries": rows}
        return hidden(method, path, data)

    through(quick, deaf)
    customer = Customer(key="501", email="other@example.com", first_name="Otto", last_name="Other")
    deliver(quick, order("100000002", customer=customer))
    assert plenty.state()["counts"]["contacts"] == stranger + 1


@pytest.mark.parametrize("nothing", [None, [], "x"])
def test_an_answer_of_nothing_is_no_proof_that_the_order_was_deleted(
    plenty: StandIn, quick: Shop, nothing: Any
) -> None:
    known = quick.known()
    quick.orders.write(order(), known, quick.options())
    path = f"/orders/{known.refs['id']}"
    through(quick, lambda method, at, data: nothing if method == "GET" and at == path else data)
    with pytest.raises(RetryLater):
        quick.orders.write(order(status="complete"), quick.known(dict(known.refs)), quick.options())
