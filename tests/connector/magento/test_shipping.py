"""Shipments and tracking numbers: whole, in parts, what follows later, and nothing twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import RecordFailed, SkipRecord
from connector.records import LineKind, OrderKind, OrderLine
from connector.testing import MemoryLinks
from tests.connector.magento.acts import (
    MOMENT,
    Json,
    calls,
    child,
    known,
    look,
    made,
    package,
    papers,
    place,
    record,
    some,
    state,
    until_written,
    write,
)
from tests.connector.magento.conftest import Shop

SHIP = {"create_shipment": True}


def shipped(shop: Shop, entity_id: Any) -> list[Any]:
    return [item.get("qty_shipped") or 0 for item in look(shop, entity_id)["items"]]


def last(shop: Shop, entity_id: Any) -> Json:
    found: Json = papers(shop, entity_id)["shipments"][-1]
    return found


def test_goods_that_left_are_shipped_whole_with_all_tracking_numbers(shop: Shop) -> None:
    order = place(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    story = {"shipped_at": MOMENT, "packages": (package("1", "JD1"), package("2", "JD2"), package("3"))}
    what, one = known(order["entity_id"]), record(order, fulfilment=story)
    calls(shop)
    assert "shipment 1 with 2 tracking numbers" in write(shop, one, what, **SHIP).message
    here = f"GET orders/{order['entity_id']}"
    assert calls(shop) == [here, f"POST order/{order['entity_id']}/ship", here]
    assert shipped(shop, order["entity_id"]) == [3, 2]
    assert [(t["track_number"], t["title"], t["carrier_code"]) for t in last(shop, order["entity_id"])["tracks"]] == [
        ("JD1", "DHL Paket", "custom"),
        ("JD2", "DHL Paket", "custom"),
    ]
    write(shop, one, what, **SHIP)
    assert calls(shop) == [here]
    assert made(shop, order["entity_id"])["shipments"] == 1


def test_packages_go_one_by_one_and_the_rest_follows(shop: Shop) -> None:
    order = place(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    coffee, cup = (f"9{item['item_id']}" for item in order["items"])
    one, two = package("1", "JD1", (coffee, 2)), package("2", None, (coffee, 1), (cup, 1))
    what = known(order["entity_id"])

    def now(*packages: Any, **story: Any) -> str:
        given = record(order, fulfilment={"packages": packages, **story})
        return write(shop, given, what, **SHIP, send_shipment_email=True).message

    now(one, two)
    assert shipped(shop, order["entity_id"]) == [2, 0]
    assert now(one, two).endswith("nothing to do.")
    two = replace(two, number="JD2")
    now(one, two)
    assert shipped(shop, order["entity_id"]) == [3, 1]
    now(one, two, package("3", "JD3"), shipped_at=MOMENT)
    assert shipped(shop, order["entity_id"]) == [3, 2]
    assert now(one, two, package("3", "JD3"), shipped_at=MOMENT).endswith("nothing to do.")
    assert made(shop, order["entity_id"])["tracks"] == ["JD1", "JD2", "JD3"]
    assert made(shop, order["entity_id"])["mails"] == {"shipment": 3}
    assert what.refs["packages"] == "1=1, 2=2, 3=3"


def test_a_tracking_number_that_comes_later_is_added_once(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    write(shop, record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1"),)}), what, **SHIP)
    late = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    calls(shop)
    assert "tracking number JD1 added to shipment 1" in write(shop, late, what, **SHIP).message
    assert calls(shop) == [f"GET orders/{order['entity_id']}", "GET shipment/1", "POST shipment/track"]
    write(shop, late, what, **SHIP)
    assert calls(shop) == [f"GET orders/{order['entity_id']}"]
    track = last(shop, order["entity_id"])["tracks"]
    assert [(one["track_number"], one["weight"], one["description"]) for one in track] == [
        ("JD1", Decimal("1.5"), "PlentyONE package 1")
    ]


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error_after", "truncated"])
def test_a_late_number_whose_answer_was_lost_is_not_added_again(shop: Shop, kind: str) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    write(shop, record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1"),)}), what, **SHIP)
    late = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    shop.faults({"kind": kind, "method": "POST", "path": "*/shipment/track", "times": 1})
    until_written(shop, late, what, **SHIP)
    assert made(shop, order["entity_id"])["tracks"] == ["JD1"]


def test_a_number_that_people_entered_in_the_shop_is_not_doubled(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    write(shop, record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1"),)}), what, **SHIP)
    entity = {"order_id": int(order["entity_id"]), "parent_id": 1, "weight": 1, "qty": 1, "description": ""}
    entity |= {"track_number": "JD1", "title": "DHL", "carrier_code": "custom"}
    shop.connector().client.ask("POST", "shipment/track", body={"entity": entity})
    late = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    write(shop, late, what, **SHIP)
    assert made(shop, order["entity_id"])["tracks"] == ["JD1"]
    assert what.refs["tracks"] == "JD1"


def test_what_people_shipped_in_the_shop_only_gets_its_numbers(shop: Shop) -> None:
    order = place(shop)
    shop.connector().client.ask("POST", f"order/{order['entity_id']}/ship", body={})
    what = known(order["entity_id"])
    late = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    for _ in range(2):
        write(shop, late, what, **SHIP)
    assert made(shop, order["entity_id"])["shipments"] == 1
    assert made(shop, order["entity_id"])["tracks"] == ["JD1"]
    calls(shop)
    write(shop, late, what, **SHIP)
    assert len(calls(shop)) == 1


def test_tracking_numbers_stay_out_where_the_setting_says_so(shop: Shop) -> None:
    order = place(shop)
    story = {"shipped_at": MOMENT, "packages": (package("1", "JD1"),)}
    write(shop, record(order, fulfilment=story), known(order["entity_id"]), **SHIP, import_tracking=False)
    assert (made(shop, order["entity_id"])["shipments"], made(shop, order["entity_id"])["tracks"]) == (1, [])


@pytest.mark.parametrize(
    ("given", "title", "wanted"),
    [
        ({}, "DHL Paket", ("custom", "DHL Paket")),
        ({}, None, ("custom", "PlentyONE")),
        ({"default_carrier": "dhl"}, "DHL Paket", ("dhl", "DHL Paket")),
        ({"shipping_mapping": {"6": {"carrier_code": "ups", "title": "UPS"}}}, "DHL Paket", ("ups", "UPS")),
        ({"shipping_mapping": {"6": {"carrier_code": "ups"}}}, "DHL Paket", ("ups", "DHL Paket")),
        (
            {"shipping_mapping": {"6.0": {"carrier_code": "ups", "title": "UPS"}}, "use_profile_title": True},
            "DHL Paket",
            ("ups", "DHL Paket"),
        ),
        ({"shipping_mapping": {"7": {"carrier_code": "ups"}}}, "DHL Paket", ("custom", "DHL Paket")),
    ],
)
def test_the_carrier_comes_from_the_mapping_or_the_profile(
    shop: Shop, given: Json, title: str | None, wanted: tuple[str, str]
) -> None:
    order = place(shop)
    one = record(order, shipping_title=title, fulfilment={"packages": (package("1", "JD1"),)})
    write(shop, one, known(order["entity_id"]), **SHIP, **given)
    track = last(shop, order["entity_id"])["tracks"][0]
    assert (track["carrier_code"], track["title"]) == wanted


def test_goods_are_taken_from_the_source_of_their_warehouse(shop: Shop) -> None:
    order, other = place(shop), place(shop)
    given = {**SHIP, "source_mapping": {"104": "nord"}}
    story = {"shipped_at": MOMENT, "warehouse": "104.0"}
    write(shop, record(order, fulfilment=story), known(order["entity_id"]), **given)
    assert last(shop, order["entity_id"])["extension_attributes"]["source_code"] == "nord"
    shop.control("stock", sku="BECHER-W", source_code="nord", quantity=0)
    with pytest.raises(RecordFailed, match="inventory source 'nord'; it may lack the stock") as caught:
        write(shop, record(other, fulfilment=story), known(other["entity_id"]), **given)
    assert caught.value.setting == "source_mapping"


# deliveries


def test_a_sale_whose_goods_leave_with_deliveries_ships_nothing_itself(shop: Shop) -> None:
    order = place(shop)
    one = record(order, fulfilment={"shipped_at": MOMENT, "shares": True, "packages": (package("1", "JD1"),)})
    write(shop, one, known(order["entity_id"]), **SHIP)
    assert made(shop, order["entity_id"])["shipments"] == 0


def test_deliveries_ship_their_own_lines_and_remember_their_shipment(shop: Shop) -> None:
    order = place(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    sale = record(order, fulfilment={"shares": True})
    coffee, cup = sale.lines[:2]
    story: Json = {"shipped_at": MOMENT, "shares": False}
    first = child(sale, OrderKind.DELIVERY, "700002", some(coffee, 2), **story, packages=(package("1", "JD1"),))
    second = child(sale, OrderKind.DELIVERY, "700003", some(coffee, 1), some(cup, 2), **story)
    one, two = known(order["entity_id"]), known(order["entity_id"])
    calls(shop)
    written = write(shop, first, one, **SHIP)
    assert calls(shop) == [f"GET orders/{order['entity_id']}", f"POST order/{order['entity_id']}/ship"]
    assert (written.key, one.refs["order_id"], written.created) == ("shipment/1", str(order["entity_id"]), True)
    assert shipped(shop, order["entity_id"]) == [2, 0]
    assert write(shop, second, two, **SHIP).key == "shipment/2"
    for done, what in ((first, one), (second, two)):
        assert write(shop, done, what, **SHIP).message.endswith("nothing to do.")
    assert shipped(shop, order["entity_id"]) == [3, 2]
    assert made(shop, order["entity_id"])["shipments"] == 2


def test_what_was_split_off_and_what_remains_ship_their_own_lines(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    whole = record(order)
    cups, coffee = whole.lines[:2]
    rest = replace(whole, lines=(some(cups, 3), coffee))
    story = replace(whole.fulfilment, origin=whole.key, parent=whole.key, shipped_at=MOMENT)
    off = replace(whole, key="700002", lines=(some(cups, 1),), status="5", fulfilment=story)
    of_rest, of_off = known(order["entity_id"]), known(order["entity_id"])
    written = write(shop, off, of_off, **SHIP)
    assert (written.key, shipped(shop, order["entity_id"])) == ("shipment/1", [1, 0])
    write(shop, replace(rest, fulfilment=replace(rest.fulfilment, shipped_at=MOMENT)), of_rest, **SHIP)
    assert shipped(shop, order["entity_id"]) == [4, 3]
    assert made(shop, order["entity_id"])["shipments"] == 2


def test_what_remains_after_a_split_never_ships_the_other_part(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    sale = record(order, fulfilment={"shipped_at": MOMENT})
    rest = replace(sale, lines=(some(sale.lines[0], 3), sale.lines[1]))
    what = known(order["entity_id"])
    for status in ("5", "7"):
        write(shop, replace(rest, status=status), what, **SHIP)
        assert shipped(shop, order["entity_id"]) == [3, 3]
    assert made(shop, order["entity_id"])["shipments"] == 1


def test_equal_deliveries_are_two_and_a_lost_answer_makes_no_third(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 6))
    sale = record(order, fulfilment={"shares": True})
    story: Json = {"shipped_at": MOMENT, "shares": False}
    parts = [child(sale, OrderKind.DELIVERY, f"70000{n}", some(sale.lines[0], 2), **story) for n in (2, 3)]
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/ship", "times": 2})
    for one in parts:
        until_written(shop, one, known(order["entity_id"]), **SHIP)
    assert shipped(shop, order["entity_id"]) == [4]
    assert made(shop, order["entity_id"])["shipments"] == 2


def test_a_shop_that_shows_no_comments_and_lines_of_shipments_gets_each_part_once(shop: Shop) -> None:
    shop.control("configure", bare_papers=True)
    order = place(shop, ("BECHER-W", 6))
    sale = record(order, fulfilment={"shares": True})
    story: Json = {"shipped_at": MOMENT, "shares": False}
    parts = [child(sale, OrderKind.DELIVERY, f"70000{n}", some(sale.lines[0], 2), **story) for n in (2, 3)]
    for kind, one in zip(("drop_after", "drop_before"), parts, strict=True):  # made, and not made
        shop.faults({"kind": kind, "method": "POST", "path": "*/ship", "times": 1})
        until_written(shop, one, known(order["entity_id"]), **SHIP)
    assert shipped(shop, order["entity_id"]) == [4]
    assert made(shop, order["entity_id"])["shipments"] == 2


def test_a_package_without_a_number_in_the_shop_is_not_shipped_again_after_doubt(shop: Shop) -> None:
    shop.control("configure", bare_papers=True)
    order = place(shop, ("BECHER-W", 6))
    one = record(order)
    one = record(order, fulfilment={"packages": (package("1", "JD1", (one.lines[0].key, 2)), package("2"))})
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/ship", "times": 1})
    what = known(order["entity_id"])
    until_written(shop, one, what, **SHIP, import_tracking=False)
    assert shipped(shop, order["entity_id"]) == [2]
    write(shop, one, what, **SHIP, import_tracking=False)
    assert made(shop, order["entity_id"])["shipments"] == 1


def test_sale_and_deliveries_at_the_same_time_ship_everything_once(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 6))
    sale = record(order, fulfilment={"shares": True})
    story: Json = {"shipped_at": MOMENT, "shares": False}
    links = MemoryLinks()
    parts = [child(sale, OrderKind.DELIVERY, f"70000{n}", some(sale.lines[0], 1), **story) for n in range(2, 8)]
    with ThreadPoolExecutor(max_workers=6) as pool:
        list(pool.map(lambda one: write(shop, one, known(order["entity_id"], links), **SHIP), parts))
    assert shipped(shop, order["entity_id"]) == [6]
    assert made(shop, order["entity_id"])["shipments"] == 6


def test_two_workers_never_reckon_with_the_same_pieces(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 3))
    sale = record(order, fulfilment={"shares": True})
    story: Json = {"shipped_at": MOMENT, "shares": False}
    shop.faults({"kind": "slow", "method": "GET", "path": "*/orders/*", "seconds": 0.2})
    links = MemoryLinks()

    def bring(key: int) -> str:
        one = child(sale, OrderKind.DELIVERY, str(key), some(sale.lines[0], 1), **story)
        try:
            return write(shop, one, known(order["entity_id"], links), **SHIP).key
        except SkipRecord:
            return "nothing left"

    with ThreadPoolExecutor(max_workers=5) as pool:
        told = sorted(pool.map(bring, range(700002, 700007)))
    assert told == ["nothing left", "nothing left", "shipment/1", "shipment/2", "shipment/3"]


def test_a_sale_never_takes_the_shipment_of_its_delivery(shop: Shop) -> None:
    order = place(shop)
    sale = record(order)
    one = child(sale, OrderKind.DELIVERY, "700002", some(sale.lines[0], 4), shipped_at=MOMENT)
    write(shop, one, known(order["entity_id"]), **SHIP)
    what = known(order["entity_id"])
    late = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    write(shop, late, what, **SHIP)
    assert "shipment_ids" not in what.refs
    assert what.notes[0].startswith("Tracking number JD1 is not in Magento")
    assert made(shop, order["entity_id"])["tracks"] == []


def test_never_more_is_shipped_than_is_left_and_that_is_said(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 3))
    sale = record(order)
    item = {"order_item_id": int(order["items"][0]["item_id"]), "qty": 2}
    shop.connector().client.ask("POST", f"order/{order['entity_id']}/ship", body={"items": [item]})
    what = known(order["entity_id"])
    write(shop, child(sale, OrderKind.DELIVERY, "700002", some(sale.lines[0], 2), shipped_at=MOMENT), what, **SHIP)
    assert shipped(shop, order["entity_id"]) == [3]
    assert what.notes == ["Of BECHER-W 2 left the warehouse, but only 1 are left to ship in Magento."]


def test_a_line_that_the_order_does_not_have_is_named(shop: Shop) -> None:
    order = place(shop)
    strange = OrderLine(key="1", kind=LineKind.PRODUCT, name="Tasse", sku="XX", external="4711")
    one = child(record(order), OrderKind.DELIVERY, "700002", strange, shipped_at=MOMENT)
    with pytest.raises(RecordFailed, match=r"'Tasse' \(item 4711\) is none of Magento order"):
        write(shop, one, known(order["entity_id"]), **SHIP)
    assert made(shop, order["entity_id"])["shipments"] == 0


def test_lines_without_an_id_are_found_by_an_unambiguous_sku(shop: Shop) -> None:
    order = place(shop, ("KAF-1000", 1), ("BECHER-W", 2))
    plain = OrderLine(key="1", kind=LineKind.PRODUCT, name="Tasse", sku="becher-w", quantity=Decimal(1))
    one = child(record(order), OrderKind.DELIVERY, "700002", plain, shipped_at=MOMENT)
    write(shop, one, known(order["entity_id"]), **SHIP)
    assert shipped(shop, order["entity_id"]) == [0, 1]


def test_a_delivery_that_has_not_left_is_skipped(shop: Shop) -> None:
    order = place(shop)
    with pytest.raises(SkipRecord, match="nothing of it is to be shipped yet"):
        write(shop, child(record(order), OrderKind.DELIVERY, "700002"), known(order["entity_id"]), **SHIP)


# configurables and bundles


def with_kind(shop: Shop, kind: str) -> Json:
    """An order of the stand-in that holds such a row, of which nothing was sent."""
    for row in shop.orders():
        order = look(shop, row["entity_id"])
        if order["state"] in ("new", "processing") and not any(item.get("qty_shipped") for item in order["items"]):
            heads = [one for one in order["items"] if one["product_type"] == kind]
            if heads and not heads[0].get("qty_refunded") and not heads[0].get("qty_canceled"):
                return order
    raise AssertionError(f"the stand-in has no open order with a {kind}")


def test_a_variant_is_shipped_by_the_row_of_the_configurable(shop: Shop) -> None:
    order = with_kind(shop, "configurable")
    head = next(one for one in order["items"] if one["product_type"] == "configurable")
    line = OrderLine(
        key="1",
        kind=LineKind.PRODUCT,
        name="x",
        quantity=Decimal(1),
        external=str(head["item_id"]),
    )
    one = child(record(order), OrderKind.DELIVERY, "700002", line, shipped_at=MOMENT)
    write(shop, one, known(order["entity_id"]), **SHIP)
    now = {item["item_id"]: item.get("qty_shipped") or 0 for item in look(shop, order["entity_id"])["items"]}
    assert now[head["item_id"]] == 1


@pytest.mark.parametrize("by", ["parts", "whole"])
def test_a_bundle_leaves_once_whether_its_parts_or_itself_are_lines(shop: Shop, by: str) -> None:
    order = with_kind(shop, "bundle")
    head = next(one for one in order["items"] if one["product_type"] == "bundle")
    below = [one for one in order["items"] if one.get("parent_item_id") == head["item_id"]]
    rows = below if by == "parts" else [head]
    lines = [
        OrderLine(
            key=f"9{one['item_id']}",
            kind=LineKind.COMPONENT if by == "parts" else LineKind.BUNDLE,
            name="x",
            quantity=Decimal(str(one["qty_ordered"])),
            external=str(one["item_id"]),
        )
        for one in rows
    ]
    what = known(order["entity_id"])
    one = child(record(order), OrderKind.DELIVERY, "700002", *lines, shipped_at=MOMENT)
    write(shop, one, what, **SHIP)
    now = {item["item_id"]: item.get("qty_shipped") or 0 for item in look(shop, order["entity_id"])["items"]}
    assert {key: now[key] for key in (head["item_id"], *(item["item_id"] for item in below))} == {
        item["item_id"]: item["qty_ordered"] for item in (head, *below)
    }
    assert what.notes == []


def test_no_test_above_has_left_a_shipment_twice(shop: Shop) -> None:
    assert state(shop)["duplicates"]["shipments"] == []
