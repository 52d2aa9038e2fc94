"""An order import as shops are set up: prices without tax, inventory sources, a day from which orders are taken."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tests.journey.conftest import Both
from tests.journey.test_answers_once import cents, shop_order

ALL = {"status_filter": ["pending", "processing"]}


def test_a_shop_with_prices_without_tax_is_invoiced_and_refunded_to_the_cent(both: Any) -> None:
    run: Both = both("--orders", "6", "--seed", "7", answers={"invoice_status_condition": False}, **ALL)
    number = shop_order(run.stand_ins, ("BECHER-W", 3), ("HONIG-500", 7), ("KAF-1000", 1), store="default")
    run.stand_ins.record.unlink(missing_ok=True)  # what the shop's customers sent is none of ours
    control = run.stand_ins.control
    before = control("magento", "order", {"increment_id": number})
    row = before["items"][0]
    assert cents(row["price"]) * 3 == cents(row["row_total"])  # a net price of whole cents: the tax comes on top
    run.run()
    sale = control("plentyone", "order", {"externalId": number})
    honey = max(sale["orderItems"], key=lambda one: one["quantity"])
    for body in ({"lines": [{"orderItemId": honey["id"], "quantity": 2}]}, {"only": "shipping"}, {"amount": "1.01"}):
        control("plentyone", "credit", {"id": sale["id"], **body})
    run.tick()
    [told] = run.run()[1:]
    assert (told.status, told.counts["pending"]) == ("success", 0), told
    ours = control("magento", "order", {"increment_id": number})
    assert cents(ours["total_invoiced"]) == cents(sale["amounts"][-1]["invoiceTotal"]) == cents(before["grand_total"])
    notes = [one for one in control("plentyone", "orders") if one["typeId"] == 4]
    back = sorted(cents(one["grand_total"]) for one in run.papers(ours)["creditmemos"])
    assert back == sorted(cents(one["amounts"][-1]["invoiceTotal"]) for one in notes)
    assert (len(back), cents(ours["total_refunded"])) == (3, sum(back, Decimal(0)))
    assert run.stand_ins.state("magento")["unequal"] == []


def test_goods_are_taken_from_the_inventory_source_of_their_warehouse(both: Any) -> None:
    answers = {"source_mapping": {"104": "nord"}, "create_invoice": False}
    run: Both = both("--orders", "6", "--seed", "7", answers=answers, **ALL)
    number = shop_order(run.stand_ins, ("BECHER-W", 3))
    run.stand_ins.record.unlink(missing_ok=True)
    control = run.stand_ins.control
    control("magento", "stock", {"sku": "BECHER-W", "source_code": "nord", "quantity": 2})
    run.run()
    control("plentyone", "ship", {"externalId": number, "packageNumber": "JD77"})
    run.tick()
    [told] = run.run()[1:]
    assert told.status == "error"
    assert f"did not ship order {number} from the inventory source 'nord'; it may lack the stock" in told.message
    control("magento", "stock", {"sku": "BECHER-W", "source_code": "nord", "quantity": 5})
    control("plentyone", "comment", {"externalId": number, "text": "counted again"})
    control("plentyone", "property", {"externalId": number, "typeId": 66, "value": "counted"})
    run.tick()
    [told] = run.run()[1:]
    assert told.status == "success", told
    ours = control("magento", "order", {"increment_id": number})
    [shipment] = run.papers(ours)["shipments"]
    assert shipment["extension_attributes"]["source_code"] == "nord"
    assert [one["track_number"] for one in shipment["tracks"]] == ["JD77"]
    lying = {one["source_code"]: one["quantity"] for one in control("magento", "stock") if one["sku"] == "BECHER-W"}
    assert (lying["nord"], lying["default"]) == (2, 10_000)


def test_a_first_import_begins_where_the_setting_says_and_later_ones_take_every_change(both: Any) -> None:
    run: Both = both("--orders", "3", "--seed", "7", **ALL)
    control = run.stand_ins.control
    old = control("plentyone", "place", {"lines": [{"sku": "BECHER-W", "quantity": 1, "price": "9.99"}]})
    noon = control("plentyone", "advance", {"seconds": 12 * 3600})["now"]
    new = control("plentyone", "place", {"lines": [{"sku": "BECHER-W", "quantity": 2, "price": "9.99"}]})
    run.set("Order import", initial_from=noon)
    run.run()
    read = {one.source_id for one in run.records("Order import")}
    assert (str(old["id"]) in read, str(new["id"]) in read) == (False, True)
    run.tick()
    control("plentyone", "set_status", {"id": old["id"], "statusId": 6})
    run.run()
    found = {one.source_id: one.status for one in run.records("Order import")}
    assert (found[str(old["id"])], found[str(new["id"])]) == ("skipped", "skipped")  # of a channel; none is created
