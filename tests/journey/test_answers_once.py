"""Exactly once, the other way: whatever fails and whenever the worker is killed, what the warehouse did to an order is done
to the shop's order once, to the cent, and nothing of it is lost."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

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
        kills += kill(host, dice)
    while warehouse.left:
        warehouse.work()
    host.stand_ins.faults()
    return kills


def kill(host: Host, dice: random.Random) -> bool:
    """A run that ends at a random moment after it began to ask the shop. Whether it was still at work."""
    asked = host.stand_ins.state("magento")["requests"]
    process = host.start("run", "Order import", "--json")
    while process.poll() is None and host.stand_ins.state("magento")["requests"] == asked:
        time.sleep(0.1)
    time.sleep(dice.uniform(0.0, 1.2))
    alive = process.poll() is None
    if alive:
        os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    return alive


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


def opened(
    world: Makers, url: str | None, dice: random.Random, *, placed: int, faults: Sequence[Json] = ()
) -> tuple[StandIns, Host, Warehouse]:
    """Orders of a shop, exported, and what the warehouse is going to do to them. `faults` are those of the export."""
    stand_ins, host = world("--orders", "16", "--seed", "7", "--index-lag", "1", url=url)
    stand_ins.control("magento", "configure", {"refuse_offline_refund": False})
    fresh = [
        shop_order(stand_ins, ("BECHER-W", 4), ("BECHER-S", 2) if number % 2 else ("HONIG-500", 3))
        for number in range(placed)
    ]
    stand_ins.record.unlink(missing_ok=True)  # what the shop's customers sent is none of ours
    host.apply(dict(ANSWERS), residual="line", status_filter=["pending", "processing", "in_production"], workers=8)
    stand_ins.faults(*faults)
    for _ in range(4):
        told = host.run()
        if told["exit"] == 0 and not told["counts"]["pending"]:
            break
    assert told["exit"] == 0, told
    stand_ins.faults()
    assert once_each(stand_ins.state()) == {}
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
    return stand_ins, host, warehouse


def answered(world: Makers, url: str | None, *, placed: int, rounds: int) -> None:
    dice = random.Random(seed())
    stand_ins, host, warehouse = opened(world, url, dice, placed=placed)
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


LATE: Json = {"kind": "late", "method": "write", "seconds": 1.0}


def test_what_takes_effect_only_after_its_answer_was_lost_is_not_done_twice(world: Makers) -> None:
    """Whoever looks at once sees nothing of it: neither system may be sent the same again before it has had its time."""
    dice = random.Random(seed())
    late = {**LATE, "path": "/rest/[!l]*", "rate": 0.25}
    of_export = {**late, "system": "plentyone", "seed": dice.randrange(1 << 20)}
    stand_ins, host, warehouse = opened(world, None, dice, placed=6, faults=[of_export])
    hits = 0
    while warehouse.left:
        for _ in range(6):
            warehouse.work()
        stand_ins.faults({**late, "system": "magento", "seed": dice.randrange(1 << 20)})
        host.run(profile="Order import")
        hits += sum(one["hits"] for one in stand_ins._ask("magento", "faults"))
    stand_ins.faults()
    check(stand_ins, warehouse, finish(host))
    assert hits > 5


# orders of other channels


CHANNEL = {
    **ANSWERS,
    "create_new_order": True,
    "store_mapping": {"12345": "de"},
    "payment_method_fallback": "checkmo",
    "default_shipping_method": "flatrate_flatrate",
}
BASKETS = (
    [{"sku": "KAF-1000", "quantity": 2, "price": "18.99"}, {"sku": "BECHER-W", "quantity": 1, "price": "9.99"}],
    [{"sku": "BECHER-S", "quantity": 3, "price": "9.99"}],
    [{"sku": "HONIG-500", "quantity": 1, "price": "8.49"}],
)


def marketplace(world: Makers) -> tuple[StandIns, Host]:
    """A shop whose own orders are not exported, and a marketplace that sells at its prices."""
    stand_ins, host = world("--orders", "3", "--seed", "7", "--index-lag", "1")
    articles = [{"sku": row["sku"]} for basket in BASKETS for row in basket]
    stand_ins.control("plentyone", "articles", {"articles": articles})
    host.apply(dict(CHANNEL), residual="line", status_filter=["pending", "processing"], initial_from="2026-01-01")
    host.run()
    return stand_ins, host


def sell(stand_ins: StandIns, count: int) -> list[str]:
    """The PlentyONE ids of `count` orders of the marketplace."""
    sold = [
        stand_ins.control("plentyone", "place", {"lines": BASKETS[n % len(BASKETS)], "shipping": "4.90"})
        for n in range(count)
    ]
    return [str(one["id"]) for one in sold]


def placed_once(stand_ins: StandIns, host: Host, sold: list[str]) -> None:
    records = {one["source_id"]: one for one in host.records(profile="Order import")}
    assert {key: records[key]["message"] for key in sold if records[key]["status"] not in DONE} == {}
    entities = [int(records[key]["refs"]["id"]) for key in sold]
    assert sorted(entities) == sorted(stand_ins.state("magento")["placed"])
    sales = [str(one["id"]) for one in stand_ins.control("plentyone", "orders") if one["typeId"] == 1]
    exported = {one["target_id"] for one in host.records()}
    assert [one for one in sales if one not in sold and one not in exported] == []
    assert [one for one in host.records() if one["source_id"] in map(str, entities) and one["target_id"]] == []
    assert once_each(stand_ins.state()) == {}


def test_an_order_whose_placing_is_in_doubt_is_not_sent_back(world: Makers) -> None:
    """Between the placing and the answer that never came, the export sees an order that nobody has told of."""
    stand_ins, host = marketplace(world)
    sold = sell(stand_ins, 1)
    time.sleep(1.2)
    stand_ins.faults({"kind": "drop_after", "method": "PUT", "path": "*/order", "times": 1})
    asked = host.stand_ins.state("magento")["placed"]
    process = host.start("run", "Order import", "--json")
    while process.poll() is None and host.stand_ins.state("magento")["placed"] == asked:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = stand_ins.state()["counts"]["orders"]
    host.run()
    assert stand_ins.state()["counts"]["orders"] == before
    finish(host)
    host.run()
    placed_once(stand_ins, host, sold)


def test_orders_of_other_channels_are_placed_once_through_kills_and_faults(world: Makers) -> None:
    dice = random.Random(seed())
    stand_ins, host = marketplace(world)
    sold: list[str] = []
    for rule in dice.sample(FAULTS, 8):
        sold += sell(stand_ins, 1)
        seconds = {"seconds": min(rule["seconds"], 4)} if "seconds" in rule else {}
        stand_ins.faults({"path": "/rest/*", **rule, **seconds, "rate": 0.2, "seed": dice.randrange(1 << 20)})
        kill(host, dice)
        host.run() if dice.random() < 0.3 else None
    stand_ins.faults()
    finish(host)
    host.run()
    placed_once(stand_ins, host, sold)


# money


def test_credit_notes_of_all_kinds_are_given_back_to_the_cent(world: Makers) -> None:
    """Discounts, prices with and without tax, other currencies, bundles: by pieces, by amount, shipping alone, the rest."""
    dice = random.Random(seed())
    stand_ins, host = world("--orders", "40", "--seed", str(dice.randrange(1000)), "--index-lag", "1")
    stand_ins.control("magento", "configure", {"refuse_offline_refund": False})
    own = {one["status"]: 5 for one in stand_ins.control("magento", "orders") if one.get("status")}
    stores = {name: {"webstore": 12345, "language": "en"} for name in ("default", "de", "pl")}
    paid = [one for one in own if one not in ("pending", "pending_payment", "canceled", "holded", "closed")]
    host.apply(dict(ANSWERS), residual="line", status_filter=paid, status_mapping=own, store_mapping=stores)
    told = host.run()
    assert told["exit"] == 0, told
    shop_numbers = {one["target_id"]: one["source_number"] for one in host.records()}
    sales = [one for one in stand_ins.control("plentyone", "orders") if one["typeId"] == 1]
    for sale in sorted(sales, key=lambda one: shop_numbers[str(one["id"])]):  # the ids depend on which worker was first
        for body in credits_of(sale, dice):
            try:
                stand_ins.control("plentyone", "credit", {"id": sale["id"], **body})
            except OSError:
                continue  # nothing of that kind is left
    time.sleep(1.2)
    host.run(profile="Order import")
    records = host.records(profile="Order import")
    orders = {one["id"]: one for one in stand_ins.control("plentyone", "orders")}
    memos = {str(one["entity_id"]): one for one in stand_ins.control("magento", "papers")["creditmemos"]}
    wrong: list[str] = []
    done = 0
    for one in records:
        note = orders[int(one["source_id"])]
        if note["typeId"] != 4:
            continue
        refused = one["status"] == "failed" and any(said in one["message"] for said in IMPOSSIBLE)
        refused = refused or (one["status"] == "pending" and NOT_INVOICED in one["message"])
        done += not refused
        wanted = Decimal(0) if refused else cents(note["amounts"][-1]["invoiceTotal"])
        ids = [each for each in one["refs"].get("creditmemo_id", "").split(", ") if each]
        back = sum((cents(memos[each]["grand_total"]) for each in ids), Decimal(0))
        if back != wanted:
            wrong.append(f"{one['source_number']} {note['id']}: {back}, not {wanted}: {one['status']} {one['message']}")
    assert not wrong, "\n".join(wrong)
    assert done > len(sales) // 2
    assert stand_ins.state("magento")["unequal"] == []


NOT_INVOICED = "only 0.00"  # is paid so far of an order that has no invoice: its credit notes wait for that
IMPOSSIBLE = (  # what Magento cannot give back; nothing was, and a person is told
    "are paid and not refunded yet",
    "were paid by gift card, store credit or points",
    "no adjustment in the base currency makes up for the difference",
    "less than nothing",
)


def credits_of(sale: Json, dice: random.Random) -> list[Json]:
    """Credit notes of one sale, in an order in which all of them can be."""
    goods = [one for one in sale["orderItems"] if one["typeId"] in (1, 2, 3) and one["amounts"][0]["priceGross"]]
    made: list[Json] = []
    if goods and dice.random() < 0.7:
        one = dice.choice(goods)
        made.append({"lines": [{"orderItemId": one["id"], "quantity": 1}]})
    if dice.random() < 0.4:
        made.append({"only": "shipping"})
    if dice.random() < 0.4:
        made.append({"amount": f"{dice.randrange(1, 200) / 100:.2f}"})
    elif dice.random() < 0.7 or not made:
        made.append({})  # the rest
    return made
