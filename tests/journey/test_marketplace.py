"""The whole life of a marketplace's orders: imported, accepted, packed, shipped, invoiced, returned, refunded, booked.

The same life is lived in quiet, and under lost answers and kills: each effect at the market and in the ERP is there once.
"""

from __future__ import annotations

import os
import random
import time
from decimal import Decimal
from typing import Any

import pytest
import yaml

from sandbox.refurbed import TOKEN
from tests.journey.conftest import Host, Makers, StandIns, once_each

SALE, DELIVERY, RETURN, CREDIT = 1, 2, 3, 4
ITEMS = [
    {"sku": "IP13-128-BLK-A", "price": "349.00", "name": "iPhone 13 128 GB", "taxation": "MARGINAL"},
    {"sku": "IP13-128-BLK-A", "price": "349.00", "name": "iPhone 13 128 GB", "taxation": "MARGINAL"},
]
IMEIS = ("490154203237518", "356938035643809")


class Market:
    """Both systems, the host, and what people and customers do."""

    def __init__(self, stand_ins: StandIns, host: Host) -> None:
        self.stand_ins, self.host = stand_ins, host

    def apply(self, *, procedures: list[dict[str, Any]] | None = None) -> None:
        document = {
            "connections": [
                {
                    "name": "market",
                    "connector": "refurbed",
                    "base_url": self.stand_ins.address["refurbed"],
                    "credentials": {
                        "token": TOKEN,
                        "order_import": True,
                        "import_returns": True,
                        "carrier": "dhl",
                    },
                },
                {
                    "name": "erp",
                    "connector": "plentyone",
                    "base_url": self.stand_ins.address["plentyone"],
                    "credentials": {
                        "username": "connector",
                        "password": "env:PLENTY_PASSWORD",
                        "index_lag_seconds": 2,
                    },
                },
            ],
            "profiles": [
                {
                    "name": "Order import",
                    "entity": "order",
                    "direction": "import",
                    "from": "market",
                    "to": "erp",
                    "cron": "*/15 * * * *",
                    "settings": {
                        "global": {
                            "status_mapping": {"NEW": 3, "ACCEPTED": 3},
                            "payment_mapping": {method: {"method_id": 6000} for method in METHODS},
                            "default_shipping_profile": 6,
                            "warehouse_id": 104,
                            "store_mapping": {"refurbed": {"webstore": 12345, "language": "en"}},
                        }
                    },
                },
                {
                    "name": "Returns import",
                    "entity": "return",
                    "direction": "import",
                    "from": "market",
                    "to": "erp",
                    "cron": "0 * * * *",
                    "settings": {"global": {"return_status": 9, "refunded_status": 11}},
                },
                {
                    "name": "Order events",
                    "entity": "event",
                    "direction": "export",
                    "from": "erp",
                    "to": "market",
                    "cron": "* * * * *",
                    "procedures": PROCEDURES if procedures is None else procedures,
                },
            ],
        }
        file = self.host.folder / "market.yaml"
        file.write_text(yaml.safe_dump(document))
        done = self.host.call("apply", str(file))
        assert done.returncode == 0, done.stdout + done.stderr

    # what people, customers and carriers do

    def place(self, count: int = 1, items: list[dict[str, Any]] = ITEMS, **wish: Any) -> list[dict[str, Any]]:
        return list(
            self.stand_ins.control("refurbed", "place", {"count": count, "items": items, "country": "DE", **wish})
        )

    def order(self, id: Any) -> dict[str, Any]:
        return dict(self.stand_ins.control("refurbed", "order", {"id": id}))

    def erp(self, action: str, **given: Any) -> Any:
        return self.stand_ins.control("plentyone", action, given)

    def orders(self, kind: int = SALE) -> list[dict[str, Any]]:
        return [one for one in self.erp("orders") if one["typeId"] == kind]

    def states(self, id: Any) -> list[str]:
        return [item["state"] for item in self.order(id)["items"]]

    # what the host does

    def run(self, *names: str) -> list[dict[str, Any]]:
        return [self.host.run(profile=name) for name in names or ("Order import", "Returns import", "Order events")]

    def killed(self, chance: random.Random, *names: str) -> None:
        for name in names or ("Order import", "Returns import", "Order events"):
            process = self.host.start("run", name, "--json")
            time.sleep(chance.uniform(0.8, 3.0))
            process.kill()
            process.communicate()


METHODS = (
    *("SOFORT", "PAYPAL", "CASHPRESSO", "STRIPE_DIGITAL_WALLET", "STRIPE_CARDS", "STRIPE_EPS", "STRIPE_GIRO_PAY"),
    *("STRIPE_IDEAL", "STRIPE_MOBILE_PAY", "STRIPE_P24", "STRIPE_SOFORT", "STRIPE_KLARNA", "STRIPE_SWISH"),
    *("STRIPE_MBWAY", "STRIPE_REVOLUT_PAY", "STRIPE_MONDU", "BRAINTREE_PAYPAL", "BRAINTREE_SATISPAY"),
    *("BRAINTREE_CARDS", "BRAINTREE_BANCONTACT"),
)
REFERRER = {"referrer": [183]}
PROCEDURES: list[dict[str, Any]] = [
    {
        "name": "Confirm",
        "active": True,
        "event": "status",
        "status": [5],
        "filters": {"order_type": ["sale"], **REFERRER},
        "procedure": "confirm",
    },
    {
        "name": "Ship",
        "active": True,
        "event": "status",
        "status": [7],
        "filters": {"order_type": ["sale", "delivery"], **REFERRER},
        "procedure": "ship",
    },
    {
        "name": "Cancel",
        "active": True,
        "event": "status",
        "status": ["8.1"],
        "filters": {"order_type": ["sale"], **REFERRER},
        "procedure": "cancel",
    },
    {
        "name": "Invoice",
        "active": True,
        "event": "invoice",
        "filters": {"order_type": ["sale"], **REFERRER},
        "procedure": "invoice",
    },
    {
        "name": "Reject",
        "active": True,
        "event": "status",
        "status": [8],
        "filters": {"order_type": ["sale"], **REFERRER},
        "procedure": "reject",
    },
    {
        "name": "Refund",
        "active": True,
        "event": "status",
        "status": ["9.6"],
        "filters": {"order_type": ["sale", "return", "credit"], **REFERRER},
        "procedure": "refund",
    },
]


@pytest.fixture
def market(world: Makers) -> Market:
    stand_ins, host = world("--orders", "0", "--with", "refurbed", "--refurbed-orders", "0")
    return Market(stand_ins, host)


def well(*results: dict[str, Any]) -> None:
    assert [one["status"] for one in results] == ["success"] * len(results), results


def test_the_whole_life_of_an_order_from_the_market_to_the_booked_refund(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    id = placed["id"]

    # imported, to the cent, and left to the event procedure: nobody has accepted it yet
    well(*market.run())
    (order,) = market.orders()
    whole = market.erp("order", id=order["id"])
    assert Decimal(str(whole["amounts"][-1]["invoiceTotal"])) == Decimal(placed["total_charged"]) == Decimal("698.00")
    assert {str(item["vatRate"]) for item in whole["orderItems"]} <= {"0", "0.0"}
    assert (whole["referrerId"], market.states(id)) == (183, ["NEW", "NEW"])

    # cleared for shipping: accepted
    market.erp("set_status", id=order["id"], statusId=5)
    well(*market.run())
    assert market.states(id) == ["ACCEPTED", "ACCEPTED"]

    # the devices are scanned, the outgoing items booked before the parcel has its number: it waits and says so
    lines = [item for item in whole["orderItems"] if item["typeId"] in (1, 9)]
    for line, number in zip(lines, IMEIS, strict=True):
        market.erp("scan", id=order["id"], orderItemId=line["id"], serialNumber=number)
    market.erp("set_status", id=order["id"], statusId=7)
    (waiting,) = market.run("Order events")
    assert (waiting["status"], waiting["counts"]["pending"]) == ("success", 1)
    assert market.states(id) == ["ACCEPTED", "ACCEPTED"]
    assert any(
        "package number" in str(one["message"]) for one in market.host.records("pending", profile="Order events")
    )

    # the number is there: shipped, each item with its own device
    market.erp("ship", id=order["id"], packageNumber="00340000000000000017")
    well(*market.run("Order events"))
    assert market.states(id) == ["SHIPPED", "SHIPPED"]
    told = [one["value"] for item in market.order(id)["items"] for one in item["item_identifiers"]]
    assert sorted(told) == sorted(IMEIS)
    assert all("00340000000000000017" in item["parcel_tracking_url"] for item in market.order(id)["items"])

    # invoiced
    market.erp("invoice", id=order["id"])
    well(*market.run("Order events"))
    assert market.order(id)["has_invoice"] is True

    # one of the two comes back
    item = next(one for one in market.order(id)["items"] if one["item_identifiers"][0]["value"] == IMEIS[0])
    market.stand_ins.control("refurbed", "return", {"id": item["id"]})
    well(*market.run("Returns import"))
    (back,) = market.orders(RETURN)
    returned = market.erp("order", id=back["id"])
    assert len([one for one in returned["orderItems"] if one["typeId"] in (1, 9)]) == 1
    assert returned["orderReferences"][0]["originOrderId"] == order["id"]

    # accepted by the warehouse: reported, refunded, booked
    market.erp("set_status", id=back["id"], statusId="9.6")
    well(*market.run("Order events"))
    after = {one["id"]: one for one in market.order(id)["items"]}
    assert (after[item["id"]]["state"], after[item["id"]]["total_refunded"]) == ("RETURNED", "349.00")
    assert sorted(one["total_refunded"] for one in after.values()) == ["0.00", "349.00"]
    (debit,) = [one for one in market.erp("payments") if one["type"] == "debit"]
    assert (Decimal(str(debit["amount"])), debit["status"]) == (Decimal("349.00"), 9)
    assert item["id"] in [one["value"] for one in debit["properties"] if one["typeId"] == 3]

    # the market confirms, the return gets its status; and then the traffic dies down to reads
    number = market.order(id)
    assert number["id"] == id
    (listed,) = market.stand_ins.state("refurbed")["orders"][0]["returns"]
    market.stand_ins.control("refurbed", "confirm_refund", {"id": listed["id"]})
    well(*market.run("Returns import"))
    assert market.erp("order", id=back["id"])["statusId"] == 11
    calm = [market.run() for _ in range(2)][-1]
    assert [sum(one["write"] for one in result["calls"].values()) for result in calm] == [0, 0, 0]
    assert settled(market)

    # one screen tells it all, also by the number of the device
    story = market.host.call("order", id, "--json").stdout
    parts = ("Order import", "Returns import", "Order events", debit_id(debit), str(back["id"]), "00340000000000000017")
    for said in parts:
        assert said in story, said


def debit_id(payment: dict[str, Any]) -> str:
    return str(payment["id"])


def settled(market: Market) -> bool:
    """Whether nothing is there twice, at either side."""
    doubled = {kind: found for kind, found in market.stand_ins.state("refurbed")["duplicates"].items() if found}
    doubled.pop("refund_amounts", None)  # two items of one price
    assert doubled == {}
    assert once_each(market.stand_ins.state("plentyone")) == {}
    return True


def test_without_an_event_procedure_orders_are_accepted_when_they_are_imported(market: Market) -> None:
    market.apply(procedures=[])
    placed = market.place(3)
    well(*market.run("Order import"))
    assert [market.states(one["id"]) for one in placed] == [["ACCEPTED", "ACCEPTED"]] * 3
    well(*market.run("Order import"))
    assert settled(market)


def test_orders_that_waited_for_a_procedure_are_accepted_when_it_is_gone(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    well(*market.run("Order import"))
    assert market.states(placed["id"]) == ["NEW", "NEW"]
    market.apply(procedures=[])
    well(*market.run("Order import"))
    assert market.states(placed["id"]) == ["ACCEPTED", "ACCEPTED"]
    (again,) = market.run("Order import")
    assert [one["write"] for one in again["calls"].values()] == [0, 0]
    assert settled(market)


def test_an_accepted_order_is_not_rejected_and_a_person_is_told_what_can_be_done(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    well(*market.run("Order import"))
    (order,) = market.orders()
    market.erp("set_status", id=order["id"], statusId=5)
    well(*market.run("Order events"))
    market.erp("set_status", id=order["id"], statusId=8)
    (result,) = market.run("Order events")
    assert (result["status"], result["exit"]) == ("error", 1)
    assert "cancel" in result["message"]
    assert market.states(placed["id"]) == ["ACCEPTED", "ACCEPTED"]
    market.erp("set_status", id=order["id"], statusId="8.1")
    market.run("Order events")
    assert market.states(placed["id"]) == ["CANCELLED", "CANCELLED"]


def test_a_cancelled_order_is_paid_back_by_the_refund_and_by_nothing_before(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    well(*market.run("Order import"))
    (order,) = market.orders()
    market.erp("set_status", id=order["id"], statusId="8.1")
    well(*market.run("Order events"))
    assert market.states(placed["id"]) == ["CANCELLED", "CANCELLED"]
    assert [one for one in market.erp("payments") if one["type"] == "debit"] == []
    market.erp("set_status", id=order["id"], statusId="9.6")
    well(*market.run("Order events"))
    assert [one["total_refunded"] for one in market.order(placed["id"])["items"]] == ["349.00", "349.00"]
    (debit,) = [one for one in market.erp("payments") if one["type"] == "debit"]
    assert Decimal(str(debit["amount"])) == Decimal("698.00")
    assert placed["id"] in [one["value"] for one in debit["properties"] if one["typeId"] == 3]
    assert settled(market)


def test_a_whole_order_that_comes_back_becomes_one_return_for_each_item(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    well(*market.run("Order import"))
    (order,) = market.orders()
    market.erp("set_status", id=order["id"], statusId=5)
    well(*market.run("Order events"))
    market.erp("ship", id=order["id"], packageNumber="00340000000000000031")
    market.erp("set_status", id=order["id"], statusId=7)
    well(*market.run("Order events"))
    for item in placed["items"]:
        market.stand_ins.control("refurbed", "return", {"id": item["id"]})
    well(*market.run("Returns import"))
    backs = market.orders(RETURN)
    assert {market.erp("order", id=one["id"])["orderReferences"][0]["originOrderId"] for one in backs} == {order["id"]}
    assert len(backs) == 2
    for one in backs:
        market.erp("set_status", id=one["id"], statusId="9.6")
    well(*market.run("Order events"))
    assert market.states(placed["id"]) == ["RETURNED", "RETURNED"]
    debits = [one for one in market.erp("payments") if one["type"] == "debit"]
    reasons = [row["value"] for one in debits for row in one["properties"] if row["typeId"] == 3]
    assert sorted(reasons) == sorted(item["id"] for item in placed["items"])
    assert settled(market)


def test_events_of_a_pause_are_made_up_for_in_their_order(market: Market) -> None:
    market.apply()
    (placed,) = market.place()
    well(*market.run("Order import"))
    (order,) = market.orders()
    well(*market.run("Order events"))
    for status in (5, 6):
        market.erp("set_status", id=order["id"], statusId=status)
    market.erp("ship", id=order["id"], packageNumber="00340000000000000024")
    market.erp("set_status", id=order["id"], statusId=7)
    market.erp("advance", seconds=3 * 86400)
    well(*market.run("Order events"))
    assert market.states(placed["id"]) == ["SHIPPED", "SHIPPED"]
    assert settled(market)


FAULTS = [
    {"kind": kind, "method": "write", "path": path, "rate": 0.12, "seed": n, "system": system}
    for system, path in (("refurbed", "/^.refb/"), ("plentyone", "/^.rest.(?!login)/"))
    for n, kind in enumerate(("drop_after", "drop_before", "html_503"))
]


def test_under_faults_and_kills_each_effect_at_both_sides_is_there_once(market: Market) -> None:
    seed = int(os.environ.get("TEST_SEED") or random.randrange(1 << 30))
    print(f"TEST_SEED={seed}")
    chance = random.Random(seed)
    market.apply()
    placed = [one["id"] for one in market.place(4)]

    def weather(until: Any) -> None:
        """Runs under faults and kills, then quiet ones until what is wanted is there."""
        market.stand_ins.faults(*FAULTS)
        market.killed(chance)
        market.killed(chance, "Order import", "Order events")
        market.run()
        market.stand_ins.faults()
        for _ in range(12):
            market.run()
            if until():
                return
            time.sleep(3)
        raise AssertionError([market.states(one) for one in placed])

    weather(lambda: len(market.orders()) == 4)
    orders = {one["id"]: market.erp("order", id=one["id"]) for one in market.orders()}
    for id in orders:
        market.erp("set_status", id=id, statusId=5)
    weather(lambda: all(market.states(one) == ["ACCEPTED"] * 2 for one in placed))
    for n, (id, whole) in enumerate(orders.items()):
        lines = [item for item in whole["orderItems"] if item["typeId"] in (1, 9)]
        for at, line in enumerate(lines):
            market.erp("scan", id=id, orderItemId=line["id"], serialNumber=f"SN-{n}-{at}")
        market.erp("ship", id=id, packageNumber=f"0034000000000000{n:04}")
        market.erp("invoice", id=id)
        market.erp("set_status", id=id, statusId=7)
    weather(lambda: all(market.states(one) == ["SHIPPED"] * 2 and market.order(one)["has_invoice"] for one in placed))
    for one in placed:
        market.stand_ins.control("refurbed", "return", {"id": market.order(one)["items"][0]["id"]})
    weather(lambda: len(market.orders(RETURN)) == 4)
    for back in market.orders(RETURN):
        market.erp("set_status", id=back["id"], statusId="9.6")
    weather(lambda: len([one for one in market.erp("payments") if one["type"] == "debit"]) == 4)
    for _ in range(2):
        market.run()
    for one in placed:
        assert sorted(item["total_refunded"] for item in market.order(one)["items"]) == ["0.00", "349.00"]
    debits = [one for one in market.erp("payments") if one["type"] == "debit"]
    assert sorted(str(one["amount"]) for one in debits) == ["349"] * 4 or len(debits) == 4
    failed = [
        one
        for name in ("Order import", "Returns import", "Order events")
        for one in market.host.records("failed", profile=name)
    ]
    assert failed == []
    assert settled(market)
