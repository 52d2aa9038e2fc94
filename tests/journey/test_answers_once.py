"""Exactly once, the other way: whatever fails and whenever the worker is killed, what the warehouse did to an order is done
to the shop's order once, to the cent, and nothing of it is lost."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector.magento import Magento
from connector.testing import MemoryHost, account
from tests.conftest import postgres
from tests.journey.conftest import Host, Makers, StandIns, once_each
from tests.journey.test_once import FAULTS, seed

Json = dict[str, Any]
CENT = Decimal("0.01")
SECRETS = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ats"}
HOME = {"firstname": "Eva", "lastname": "Fremd", "street": ["Weg 1"], "city": "Ulm", "postcode": "89073"}
HOME |= {"country_id": "DE", "telephone": "0731", "email": "eva@example.com"}  # type: ignore[dict-item]
ANSWERS = {
    "create_invoice": True,
    "invoice_document_condition": True,
    "send_invoice_email": True,
    "create_shipment": True,
    "send_shipment_email": True,
    "create_credit_memo": True,
    "send_credit_memo_email": True,
    "cancel_order": True,
    "cancel_statuses": [8],
    "hold_order": True,
    "hold_statuses": [3.2],
    "unhold_order": True,
    "unhold_statuses": [5, 6, 7, 8],
    "status_mapping": {"6": "packed"},
    "workers": 6,
    "retry_max_attempts": 8,
}
DONE = {"complete", "updated", "skipped"}


def shop_order(stand_ins: StandIns, *lines: tuple[str, int], store: str = "de") -> str:
    """An order that a guest places in the shop and has not paid; its number."""
    client = Magento(account(Magento, stand_ins.address["magento"], SECRETS), MemoryHost()).client

    def call(verb: str, route: str, body: Any = None) -> Any:
        return client.ask(verb, route, body=body, store=store).data

    cart = call("POST", "guest-carts")
    for sku, quantity in lines:
        call("POST", f"guest-carts/{cart}/items", {"cartItem": {"sku": sku, "qty": quantity, "quote_id": cart}})
    information = {"shipping_address": HOME, "billing_address": HOME}
    information |= {"shipping_carrier_code": "flatrate", "shipping_method_code": "flatrate"}  # type: ignore[dict-item]
    call("POST", f"guest-carts/{cart}/shipping-information", {"addressInformation": information})
    entity = call("PUT", f"guest-carts/{cart}/order", {"paymentMethod": {"method": "checkmo"}})
    client.close()
    return str(stand_ins.control("magento", "order", {"entity_id": int(entity)})["increment_id"])


class Warehouse:
    """What is done to each order, in its own order, between those of all others. `seen` is what has to come of it."""

    def __init__(self, stand_ins: StandIns, dice: random.Random) -> None:
        self.stand_ins = stand_ins
        self.dice = dice
        self.steps: dict[str, list[tuple[str, Json]]] = {}
        self.wanted: dict[str, Json] = {}

    def plan(self, number: str, kind: str, *, invoiced: bool) -> None:
        order = self.stand_ins.control("plentyone", "order", {"externalId": number})
        goods = [one for one in order["orderItems"] if one["typeId"] in (1, 2, 3)]
        first = {"orderItemId": goods[0]["id"], "quantity": 1}
        label = f"JD{number}"
        bill: list[tuple[str, Json]] = [] if invoiced else [("invoice", {})]
        ship = ("ship", {"packageNumber": f"{label}A"})
        tracks, shipments, memos = [f"{label}A"], 1, 1
        if kind == "whole":
            steps = [*bill, ship, ("credit", {})]
        elif kind == "parts":
            several = Decimal(str(goods[0]["quantity"])) > 2
            letters = "ABC" if several else "AB"
            tracks = [f"{label}{letter}" for letter in letters]
            steps = [("ship_part", {"lines": [first], "packageNumber": one}) for one in tracks[:-1]]
            steps = [*bill, *steps, ("ship_part", {"packageNumber": tracks[-1]})]
            steps += [("credit", {"lines": [first]}), ("credit", {})]
            shipments, memos = len(tracks), 2
        elif kind == "held":
            tracks = [f"{label}A", f"{label}B"]
            packages = {"packages": [{"packageNumber": one} for one in tracks]}
            steps = [("hold", {}), ("release", {}), *bill, ("ship", packages), ("credit", {"amount": "1.23"})]
            steps += [("credit", {"amount": "1.23"})]
            memos = 2
        elif kind == "cancelled":
            steps, tracks, shipments, memos = [("hold", {}), ("release", {}), ("cancel", {})], [], 0, 0
        elif kind == "shipping":
            steps = [ship, *bill, ("credit", {"only": "shipping"})]
        else:  # late: the number comes after the goods have left
            steps = [*bill, ("pack", {}), ("ship", {}), ("pack", {"packageNumber": f"{label}A"})]
            memos = 0
        self.steps[number] = steps
        self.wanted[number] = {
            "shipments": shipments,
            "tracks": sorted(tracks),
            "creditmemos": memos,
            "invoices": 0 if kind == "cancelled" or invoiced else 1,
            "cancelled": kind == "cancelled",
        }

    @property
    def left(self) -> bool:
        return any(self.steps.values())

    def work(self) -> None:
        """One step of one order."""
        waiting = [number for number, steps in self.steps.items() if steps]
        if waiting:
            number = self.dice.choice(waiting)
            action, body = self.steps[number].pop(0)
            self.stand_ins.control("plentyone", action, {"externalId": number, **body})


def kill_often(host: Host, warehouse: Warehouse, dice: random.Random, rounds: int) -> int:
    """Runs that do not live to their end, each under another fault at a fifth of all calls."""
    kills = 0
    faults = dice.sample(FAULTS, len(FAULTS))
    each = max(1, round(sum(len(steps) for steps in warehouse.steps.values()) / rounds) + 1)
    for round_ in range(rounds):
        rule = {"path": "/rest/*", **faults[round_ % len(faults)], "rate": 0.2, "seed": dice.randrange(1 << 20)}
        if "seconds" in rule:
            rule["seconds"] = min(rule["seconds"], 4)
        host.stand_ins.faults(rule)
        for _ in range(each):
            warehouse.work()
        process = host.start("run", "Order import", "--json")
        time.sleep(dice.uniform(1.0, 2.6))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    while warehouse.left:
        warehouse.work()
    host.stand_ins.faults()
    return kills


def finish(host: Host) -> list[Json]:
    """The import runs until nothing is due any more. Its records."""
    for _ in range(6):
        time.sleep(1.2)  # the source reads what its index shows by now
        host.run(profile="Order import")
        records = host.records(profile="Order import")
        if {one["status"] for one in records} <= DONE:
            break
    return records


def cents(value: Any) -> Decimal:
    return Decimal(str(value or 0)).quantize(CENT)


def check(stand_ins: StandIns, warehouse: Warehouse, records: list[Json]) -> None:
    assert [(one["source_id"], one["status"], one["message"]) for one in records if one["status"] not in DONE] == []
    state = stand_ins.state("magento")
    orders = {str(one["id"]): one for one in stand_ins.control("plentyone", "orders")}
    wrong: list[str] = []
    for number, wanted in warehouse.wanted.items():
        ours = stand_ins.control("magento", "order", {"increment_id": number})
        papers = state["documents"].get(str(ours["entity_id"]), {})
        sale = next(
            one
            for one in orders.values()
            if one["typeId"] == 1 and any(row["typeId"] == 7 and row["value"] == number for row in one["properties"])
        )
        for kind in ("invoices", "shipments", "creditmemos"):
            if len(papers.get(kind, ())) != wanted[kind]:
                wrong.append(f"{number}: {papers.get(kind)} {kind}, not {wanted[kind]}")
        if sorted(papers.get("tracks", ())) != wanted["tracks"]:
            wrong.append(f"{number}: tracks {papers.get('tracks')}, not {wanted['tracks']}")
        mails = {kind: count for kind, count in papers.get("mails", {}).items() if kind != "order"}
        if mails != {name: wanted[kind] for name, kind in MAILS.items() if wanted[kind]}:
            wrong.append(f"{number}: mails {mails}")
        credits = [
            one
            for one in orders.values()
            if one["typeId"] == 4 and any(row["originOrderId"] == sale["id"] for row in one["orderReferences"])
        ]
        back = sum((cents(one["amounts"][-1]["invoiceTotal"]) for one in credits), Decimal(0))
        if cents(ours.get("total_refunded")) != back:
            wrong.append(f"{number}: {ours.get('total_refunded')} refunded, not {back}")
        billed = Decimal(0) if wanted["cancelled"] else cents(sale["amounts"][-1]["invoiceTotal"])
        if cents(ours.get("total_invoiced")) != billed:
            wrong.append(f"{number}: {ours.get('total_invoiced')} invoiced, not {billed}")
        if (ours["state"] == "canceled") is not wanted["cancelled"] or ours["state"] == "holded":
            wrong.append(f"{number}: state {ours['state']}")
        said = Counter(str(one["comment"]) for one in ours.get("status_histories") or ())
        if twice := {text: count for text, count in said.items() if count > 1 and ": Status kept" not in text}:
            wrong.append(f"{number}: comments {twice}")
    assert not wrong, "\n".join(wrong)
    assert state["unequal"] == []
    assert {kind: found for kind, found in once_each(state).items() if kind in ("mails", "tracks", "invoices")} == {}


MAILS = {"invoice": "invoices", "shipment": "shipments", "creditmemo": "creditmemos"}
KINDS = ("whole", "parts", "held", "shipping", "late")


def answered(world: Makers, url: str | None, *, placed: int, rounds: int) -> None:
    made = seed()
    dice = random.Random(made)
    stand_ins, host = world("--orders", "16", "--seed", "7", "--index-lag", "1", url=url)
    stand_ins.control("magento", "configure", {"refuse_offline_refund": False})
    fresh = [
        shop_order(stand_ins, ("BECHER-W", 4), ("BECHER-S", 2) if number % 2 else ("HONIG-500", 3))
        for number in range(placed)
    ]
    stand_ins.record.unlink(missing_ok=True)  # what the shop's customers sent is none of ours
    host.apply(dict(ANSWERS), residual="line", status_filter=["pending", "processing", "in_production"], workers=8)
    told = host.run()
    assert told["exit"] == 0, told
    warehouse = Warehouse(stand_ins, dice)
    open_ = {
        one["increment_id"]
        for one in stand_ins.control("magento", "orders")
        if one["state"] == "processing" and one["increment_id"] not in fresh
    }
    for place, number in enumerate(sorted(open_)[:placed]):
        warehouse.plan(number, KINDS[place % len(KINDS)], invoiced=True)
    for place, number in enumerate(fresh):
        warehouse.plan(number, ("cancelled", *KINDS)[place % 6], invoiced=False)
    kills = kill_often(host, warehouse, dice, rounds)
    before = stand_ins.state("magento")
    print(f"{kills} kills hit a running worker; until then {[before[kind] for kind in MAILS.values()]}")
    check(stand_ins, warehouse, finish(host))
    assert kills >= rounds // 3


def test_what_the_warehouse_did_is_done_once_in_the_shop_through_kills_and_faults(world: Makers) -> None:
    answered(world, None, placed=12, rounds=12)


def test_the_same_on_postgresql(world: Makers) -> None:
    for url in postgres():
        answered(world, url, placed=6, rounds=6)
