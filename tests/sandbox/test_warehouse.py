"""The other side, played by hand or by a script: control actions, the page, `python -m sandbox.warehouse`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import page
from sandbox.magento import build as build_magento
from sandbox.server import Server
from sandbox.warehouse import CannotWork, Warehouse, main, read_line
from tests.sandbox.test_plentyone import JSON, Api, api, item, order, values
from tests.sandbox.test_plentyone_children import cart, read

__all__ = ["api"]


@pytest.fixture
def people(api: Api) -> Warehouse:
    return Warehouse(api.base)


def later(api: Api, number: int) -> str:
    """Three seconds later; the order's `updatedAt` until now."""
    api.control("advance", {"seconds": 3})
    moved: str = read(api, number)["updatedAt"]
    return moved


def dates(record: JSON) -> set[int]:
    return {row["typeId"] for row in record["dates"]}


ACTIONS: list[tuple[str, JSON]] = [
    ("pack", {"packageNumber": "JD01", "provider": "DPD"}),
    ("ship", {}),
    ("ship_part", {"lines": [{"sku": "MUG-1", "quantity": 1}]}),
    ("invoice", {}),
    ("delivery_note", {}),
    ("pay", {}),
    ("return", {"lines": [{"sku": "MUG-1", "quantity": 1}]}),
    ("credit", {}),
    ("split", {"lines": [{"sku": "MUG-1", "quantity": 1}]}),
    ("hold", {}),
    ("release", {}),
    ("cancel", {}),
    ("comment", {"text": "x"}),
    ("property", {"typeId": 1001, "value": "x"}),
    ("serial", {"sku": "MUG-1", "serialNumber": "S1"}),
    ("touch", {}),
]


@pytest.mark.parametrize(("action", "body"), ACTIONS)
def test_every_action_moves_the_order(api: Api, action: str, body: JSON) -> None:
    made = cart(api)
    before = later(api, made["id"])
    api.control(action, {"externalId": "100000001", **body})
    assert read(api, made["id"])["updatedAt"] > before


def test_an_order_is_packed_in_several_packages_with_a_carrier(api: Api, people: Warehouse) -> None:
    made = cart(api)
    packed = people.act("pack", id=made["id"], packages=[{"packageNumber": "A"}, {"weight": 900}], provider="UPS")
    assert [row["packageNumber"] for row in packed["shippingPackages"]] == ["A", ""]
    assert (values(packed)[2], packed["shippingInformation"]["shippingServiceProvider"]) == ("8", "UPS")
    assert packed["statusId"] == 3


def test_shipping_whole_books_the_goods_out(api: Api, people: Warehouse) -> None:
    made = cart(api)
    shipped = people.act("ship", id=made["id"], packageNumber="JD01")
    assert (shipped["statusId"], 5 in dates(shipped)) == (7, True)
    assert api.get(f"/rest/orders/{made['id']}/packagenumbers").json() == ["JD01"]


def test_shipping_in_parts_ends_with_the_last_part(api: Api, people: Warehouse) -> None:
    made = cart(api)
    first = people.act("ship_part", id=made["id"], lines=[{"sku": "MUG-1", "quantity": 1}], packageNumber="P1")
    assert (first["typeId"], first["statusId"], first["shippingPackages"][0]["packageNumber"]) == (2, 7, "P1")
    assert (read(api, made["id"])["statusId"], 5 in dates(read(api, made["id"]))) == (6, False)
    people.act("ship_part", id=made["id"], packageNumber="P2")
    done = read(api, made["id"])
    assert (done["statusId"], 5 in dates(done)) == (7, True)
    with pytest.raises(CannotWork, match="Nothing is left"):
        people.act("ship_part", id=made["id"])


@pytest.mark.parametrize(
    ("body", "total"),
    [
        ({}, 49.89),
        ({"shipping": False}, 44.99),
        ({"only": "shipping"}, 4.9),
        ({"amount": 7.5}, 7.5),
        ({"lines": [{"sku": "MUG-1", "quantity": 1}]}, 20),
        ({"lines": [{"sku": "MUG-1", "quantity": 1}], "shipping": True}, 24.9),
        ({"includeCouponsIntoOrderItemPrice": True, "shipping": False}, 44.99),
    ],
)
def test_a_credit_note_is_of_all_of_lines_of_an_amount_or_of_shipping(
    api: Api, people: Warehouse, body: JSON, total: float
) -> None:
    made = cart(api)
    credit = people.act("credit", id=made["id"], document=True, pay_back=True, **body)
    assert (credit["typeId"], credit["amounts"][0]["invoiceTotal"], values(credit)[4]) == (4, total, "fullyPaid")
    assert [row["type"] for row in credit["documents"]] == ["credit_note"]


def test_money_comes_in_and_goes_out(api: Api, people: Warehouse) -> None:
    made = cart(api)
    people.act("pay", id=made["id"], amount=20, transactionId="T1")
    assert values(read(api, made["id"]))[4] == "partlyPaid"
    paid = people.act("pay", id=made["id"])
    assert (paid["amount"], values(read(api, made["id"]))[4]) == (29.89, "fullyPaid")
    assert people.act("pay_back", id=made["id"], amount=5)["type"] == "debit"
    assert read(api, made["id"])["amounts"][0]["paidAmount"] == 44.89


def test_a_return_carries_reason_and_condition(api: Api, people: Warehouse) -> None:
    made = cart(api)
    back = people.act("return", id=made["id"], lines=[{"sku": "MUG-2"}], reason=1, condition=2)
    assert (back["typeId"], values(back["orderItems"][0])[35], values(back["orderItems"][0])[36]) == (3, "1", "2")


def test_statuses_of_waiting_and_cancelling_are_the_tenants(api: Api, people: Warehouse) -> None:
    made = cart(api)
    moves = [people.act(action, id=made["id"])["statusId"] for action in ("hold", "release", "cancel")]
    assert moves == [3.2, 5, 8]
    assert people.act("cancel", id=made["id"], statusId=8.1)["statusId"] == 8.1


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("ship", {"id": 1}, "There is no order"),
        ("ship_part", {"lines": [{"sku": "NO", "quantity": 1}]}, "has no line"),
        ("ship_part", {"lines": [{"sku": "MUG-1", "quantity": 9}]}, "left, not 9"),
        ("pack", {"provider": "Brieftaube"}, "There is no provider"),
        ("hold", {"statusId": 77}, "There is no status"),
        ("split", {}, "names its lines"),
        ("credit", {"amount": -1}, "above 0"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    api: Api, people: Warehouse, action: str, body: JSON, words: str
) -> None:
    cart(api)
    with pytest.raises(CannotWork, match=words):
        people.act(action, **{"externalId": "100000001", **body})


def test_an_order_comes_from_another_channel(api: Api, people: Warehouse) -> None:
    lines = [{"sku": "MUG-1", "quantity": 2, "price": 12.5}, {"sku": "MUG-2", "price": 9.99, "vatRate": 7}]
    made = people.act("place", lines=lines, shipping=3.9, coupon=2, externalId="302-1", email="k@example.com")
    assert (made["referrerId"], made["statusId"], values(made)[7]) == (4.01, 5, "302-1")
    assert (made["amounts"][0]["invoiceTotal"], values(made)[4]) == (36.89, "fullyPaid")
    found = read(api, made["id"], "addresses", "contactReceiver", "payments")
    assert (found["addresses"][0]["town"], found["contactReceiver"]["email"]) == ("Hamburg", "k@example.com")
    foreign = people.act("place", currency="PLN", exchangeRate=4.3, lines=[{"sku": "MUG-1", "price": 43}], shipping=0)
    assert [row["currency"] for row in foreign["amounts"]] == ["EUR", "PLN"]


def test_orders_of_a_channel_are_no_duplicates_and_two_equal_credit_notes_are(api: Api, people: Warehouse) -> None:
    first = people.act("place")
    people.act("place")
    assert {name: groups for name, groups in api.state()["duplicates"].items() if groups} == {}
    for _ in range(2):
        people.act("credit", id=first["id"], amount=3)
    assert len(api.state()["duplicates"]["children"][0]["ids"]) == 2
    assert api.state()["counts"]["credit_notes"] == 2


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "html_503", "plain_429", "truncated", "error_after"])
def test_a_fault_strikes_the_new_routes_as_the_old(api: Api, kind: str) -> None:
    made = cart(api)
    rule = {"kind": kind, "method": "POST", "path": "/rest/orders/*/shipping/packages", "times": 1}
    requests.put(f"{api.base}/_sandbox/faults", json=[rule], timeout=5)
    try:
        api.post(f"/rest/orders/{made['id']}/shipping/packages", {"packageId": 1, "packageType": 0})
    except requests.RequestException:
        pass
    assert api.state()["counts"]["packages"] == (kind in ("drop_after", "truncated", "error_after"))


def test_a_day_of_work_sends_what_is_ready_and_nothing_twice(api: Api, people: Warehouse) -> None:
    waiting, ready = cart(api), order(api, item(5), external="100000002", statusId=5)
    assert people.work() == [ready["id"]]
    assert people.work() == []
    done = read(api, ready["id"], "documents", "shippingPackages")
    assert (done["statusId"], [row["type"] for row in done["documents"]]) == (7, ["invoice"])
    assert read(api, waiting["id"])["statusId"] == 3


# The script


def test_the_script_does_one_action_per_call(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    made = cart(api)
    url = ["--url", api.base]
    assert (
        main(["ship_part", *url, "--external", "100000001", "--line", "MUG-1=1", "--number", "A", "--number", "B"]) == 0
    )
    answer = json.loads(capsys.readouterr().out)
    assert [row["packageNumber"] for row in answer["shippingPackages"]] == ["A", "B"]
    assert (
        main(["credit", *url, "--order", str(made["id"]), "--amount", "5", "--document", "--set", "name=Kulanz"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["orderItems"][0]["orderItemName"] == "Kulanz"
    assert main(["list", *url]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert main(["ship", *url, "--order", "1"]) == 1
    assert "There is no order" in capsys.readouterr().err


def test_the_script_says_that_nobody_is_there() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.warehouse", "list", "--url", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(page.__file__).parents[1],
    )
    assert (done.returncode, "does not answer" in done.stderr) == (1, True)


def test_a_line_is_read_with_its_quantity() -> None:
    assert read_line("MUG-1=2") == {"sku": "MUG-1", "quantity": 2}
    assert read_line("810001=1.5") == {"orderItemId": 810001, "quantity": 1.5}
    assert read_line("MUG-1") == {"sku": "MUG-1", "quantity": 1}


# The page


def test_the_page_is_one_file_that_loads_nothing(api: Api) -> None:
    for path in ("/_sandbox", "/_sandbox/"):
        answer = requests.get(api.base + path, timeout=5)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    text = answer.text
    assert "http://" not in text
    assert "https://" not in text
    assert "src=" not in text
    assert "innerHTML" not in text
    for action in ("pack", "ship", "ship_part", "invoice", "pay", "return", "credit", "split", "cancel", "hold"):
        assert f"'{action}'" in text


def test_the_shop_has_a_page_too() -> None:
    server = Server(build_magento(count=3, seed=1), 0)
    server.start()
    try:
        answer = requests.get(f"{server.base_url}/_sandbox/", timeout=5)
        assert (answer.status_code, "Magento stand-in" in answer.text) == (200, True)
        found: dict[str, Any] = requests.get(f"{server.base_url}/_sandbox/state", timeout=5).json()
        assert {"documents", "duplicates", "creditmemos", "mails"} <= set(found)
    finally:
        server.stop()
