"""Export and import of the same orders at the same time: what one of them did is no news to the other."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from profiles.models import SyncRecord
from tests.journey.conftest import Both, once_each
from tests.journey.test_answers_once import cents, shop_order

CENT = Decimal("0.01")
PARCELS = itertools.count(1)
LAST_EVENT, END = 25, 60  # rounds, a minute of both systems' clocks each
BY_DOCUMENT = {"invoice_status_condition": False, "invoice_document_condition": True}

# by the shop, whoever asks
REFUSED = ("cannot be cancelled (state", "captured online is refunded online", "are paid and not refunded yet")


def packages(order: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that bear a number."""
    return [one for one in order["shippingPackages"] if one["packageNumber"]]


def play(both: Both, dice: random.Random) -> None:
    """One thing that a warehouse, an accountant or a shop's admin does to one order."""
    order = dice.choice([one for one in both.orders() if one["statusId"] in (4, 5, 6)] or [None])
    if order is None:
        return
    act = dice.choice(["ship", "ship", "pack", "invoice", "pay", "credit", "cancel", "hold", "release", "note"])
    body: dict[str, Any] = {"id": order["id"]}
    if act in ("ship", "pack"):
        body["packageNumber"] = f"JD{order['id']}{next(PARCELS):04d}"
    if act == "note":
        act, body = "comment", {**body, "text": f"packed by Anna, note {next(PARCELS)}"}
    try:
        both.stand_ins.control("plentyone", act, body)
    except OSError:
        pass  # the stand-in says that this cannot be done to this order


def test_an_hour_of_both_directions_each_minute_dies_down_to_reads(both: Any) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    dice = random.Random(seed)
    run: Both = both("--orders", "12", "--seed", "7")
    quiet: list[Counter[str]] = []
    for minute in range(END):
        run.tick()
        if 0 < minute < LAST_EVENT:
            play(run, dice)
        results = run.run()
        assert all(one.could_run for one in results), [one.message for one in results]
        made = run.calls()
        if minute > LAST_EVENT + 3:
            quiet.append(made)
    assert sum(one["write"] for one in quiet) == 0, [one for one in quiet if one["write"]][:3]
    assert quiet[-1]["read"] <= 8, quiet[-1]
    assert once_each(run.stand_ins.state()) == {}
    assert once_each(run.stand_ins.state("magento")) == {}
    with run.database.reading() as session:
        failed = [str(one.message) for one in session.query(SyncRecord).filter_by(status="failed")]
    assert [one for one in failed if not any(said in one for said in REFUSED)] == []
    whole = run.stand_ins.control("plentyone", "orders")
    credited = {one["originOrderId"] for order in whole if order["typeId"] == 4 for one in order["orderReferences"]}
    labelled = {one["packageNumber"]: order["id"] for order in run.orders() for one in packages(order)}
    tracks = {one for papers in run.stand_ins.state("magento")["documents"].values() for one in papers["tracks"]}
    assert tracks <= set(labelled), f"seed {seed}"
    lost = {number: id for number, id in labelled.items() if number not in tracks}
    assert set(lost.values()) <= credited, f"seed {seed}: {lost}"  # Magento ships nothing of what was refunded in full


def test_credit_notes_that_come_before_the_invoice_wait_for_it_and_keep_no_run_busy(both: Any) -> None:
    run: Both = both("--orders", "6", "--seed", "7", answers=BY_DOCUMENT, status_filter=["pending"])
    number = shop_order(run.stand_ins, ("BECHER-W", 4), ("KAF-1000", 1))
    run.stand_ins.record.unlink(missing_ok=True)  # what the shop's customers sent is none of ours
    run.run()
    control = run.stand_ins.control
    sale = control("plentyone", "order", {"externalId": number})
    cups = max(sale["orderItems"], key=lambda one: one["quantity"])
    for _ in range(3):
        control("plentyone", "credit", {"id": sale["id"], "lines": [{"orderItemId": cups["id"], "quantity": 1}]})
    run.tick()
    [told] = run.run()[1:]
    assert (told.status, told.seconds < 30) == ("success", True), told
    notes = run.records("Order import", kind="credit")
    assert [(one.status, "waits for the invoice" in str(one.message)) for one in notes] == [("pending", True)] * 3
    control("plentyone", "invoice", {"id": sale["id"]})
    run.tick()
    [told] = run.run()[1:]
    assert (told.status, told.seconds < 30, told.counts["pending"]) == ("success", True, 0), told
    ours = control("magento", "order", {"increment_id": number})
    back = sum(Decimal(str(one["grand_total"])) for one in run.papers(ours)["creditmemos"])
    assert (len(run.papers(ours)["creditmemos"]), cents(ours["total_refunded"])) == (3, cents(back))
    assert cents(ours["total_invoiced"]) == cents(ours["grand_total"])


def test_an_order_that_was_split_is_invoiced_part_by_part_to_the_cent(both: Any) -> None:
    run: Both = both("--orders", "6", "--seed", "7", answers=BY_DOCUMENT, status_filter=["pending", "processing"])
    number = shop_order(run.stand_ins, ("BECHER-W", 4), ("KAF-1000", 1))
    run.stand_ins.record.unlink(missing_ok=True)
    run.run()
    control = run.stand_ins.control
    sale = control("plentyone", "order", {"externalId": number})
    cups = max(sale["orderItems"], key=lambda one: one["quantity"])
    rest, off = control("plentyone", "split", {"id": sale["id"], "lines": [{"orderItemId": cups["id"], "quantity": 1}]})
    control("plentyone", "invoice", {"id": off["id"]})
    run.tick()
    [told] = run.run()[1:]
    assert (told.status, told.counts["pending"], told.seconds < 30) == ("success", 1, True), told
    control("plentyone", "invoice", {"id": rest["id"]})
    for _ in range(3):
        run.tick()
        results = run.run()
        assert [one.status for one in results] == ["success", "success"], results
    ours = control("magento", "order", {"increment_id": number})
    billed = sorted(cents(one["grand_total"]) for one in run.papers(ours)["invoices"])
    assert billed == sorted(cents(one["amounts"][-1]["invoiceTotal"]) for one in (rest, off))
    assert (sum(billed), ours["state"]) == (cents(ours["grand_total"]), "processing")
    run.calls()
    run.tick()
    run.run()
    assert run.calls()["write"] == 0
    control("plentyone", "cancel", {"id": rest["id"]})
    run.tick()
    [told] = run.run()[1:]
    assert "others were split off from it, and Magento cancels no part of an order" in told.message


@pytest.mark.parametrize("act", ["credit", "ship_part"])
def test_what_a_child_makes_of_the_order_in_the_shop_is_no_news_to_the_export(both: Any, act: str) -> None:
    """A refund closes the order, a last delivery completes it: the export does not tell PlentyONE of its own doing."""
    run: Both = both("--orders", "6", "--seed", "7", answers=BY_DOCUMENT, status_filter=["pending", "processing"])
    number = shop_order(run.stand_ins, ("BECHER-W", 4))
    run.stand_ins.record.unlink(missing_ok=True)
    run.run()
    control = run.stand_ins.control
    sale = control("plentyone", "order", {"externalId": number})
    control("plentyone", "invoice", {"id": sale["id"]})
    if act == "credit":
        control("plentyone", "ship", {"id": sale["id"]})
    run.tick()
    run.run()
    control("plentyone", act, {"id": sale["id"], **({"statusId": 6} if act == "ship_part" else {})})
    run.tick()
    run.run()
    ours = control("magento", "order", {"increment_id": number})
    assert ours["state"] == ("closed" if act == "credit" else "complete")
    run.calls()
    for _ in range(3):
        run.tick()
        assert [one.status for one in run.run()] == ["success", "success"]
    made = run.calls()
    assert made["write"] == 0, made
