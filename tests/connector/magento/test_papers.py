"""Shipments, credit memos and invoices come along with their orders where they are asked for, and only there."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector import AccessDenied, Found, Options, Page
from connector.magento import Magento
from connector.magento.parsing import Parser
from connector.records import Fulfilment, Order
from tests.connector.magento.conftest import Shop
from tests.connector.magento.orders import order, row
from tests.connector.magento.test_cursor import asked, hook, orders, reply

EVERYTHING = frozenset({"shipments", "refunds", "documents"})
ALL = Options({"page_size": 50, "initial_from": None, "status_filter": []})


def reading(connector: Magento, since: str | None = None, *kinds: str) -> list[Page]:
    resource = orders(connector)
    resource.asked = frozenset(kinds) if kinds else EVERYTHING
    return list(resource.read(since, ALL))


def records(pages: list[Page]) -> dict[str, Found]:
    return {one.key: one for page in pages for one in page.records}


def parsed(connector: Magento, found: Found) -> Order:
    assert found.payload is not None, found.error
    return orders(connector).parse(found.payload)


def placed(shop: Shop) -> dict[str, Any]:
    """An order of simple articles that nothing was done with yet, paid and shipped by nobody."""
    for brief in reversed(shop.orders()):
        one: dict[str, Any] = shop.control("order", entity_id=brief["entity_id"])
        plain = all(item["product_type"] == "simple" for item in one["items"])
        if plain and one["state"] in ("new", "processing") and not any(
            item.get("qty_invoiced") or item.get("qty_shipped") for item in one["items"]
        ) and one.get("grand_total"):  # fmt: skip
            return one
    raise AssertionError("the stand-in has no such order")


def act(connector: Magento, route: str, body: dict[str, Any]) -> str:
    return str(connector.client.ask("POST", route, body=body).data)


def routes(shop: Shop) -> list[str]:
    found = [call.path.split("/V1/")[-1].split("?")[0] for call in shop.host.calls]
    shop.host.calls.clear()
    return found


def last_mark(pages: list[Page]) -> str:
    marks = [page.mark for page in pages if page.mark]
    return marks[-1]


def later(mark: str, seconds: int) -> str:
    """The mark as if the shop's newest order and papers were so much older or newer."""
    at = datetime.fromisoformat(json.loads(mark)["updated_at"]) + timedelta(seconds=seconds)
    return json.dumps({**json.loads(mark), "updated_at": f"{at:%Y-%m-%d %H:%M:%S}"})


def test_without_a_switch_it_is_not_one_call_more_and_nothing_is_known(shop: Shop) -> None:
    resource = orders(shop.connector())
    pages = list(resource.read(None, ALL))
    assert set(routes(shop)) == {"orders"}
    assert all("papers" not in (one.payload or {}) for page in pages for one in page.records)
    assert {resource.parse(one.payload).fulfilment for page in pages for one in page.records if one.payload} == {
        Fulfilment()
    }
    assert "papers" not in json.loads(last_mark(pages))


def test_orders_without_papers_stay_what_they_were(shop: Shop) -> None:
    connector = shop.connector()
    before = records(list(orders(connector).read(None, ALL)))
    after = records(reading(connector))
    assert before.keys() == after.keys()
    changed = {key for key in before if before[key].version != after[key].version}
    for key in before:
        assert (parsed(connector, after[key]).fulfilment != Fulfilment()) == (key in changed)
        if key not in changed:
            assert parsed(connector, before[key]).substance() == parsed(connector, after[key]).substance()
    assert 0 < len(changed) < len(before)


def test_the_papers_of_a_page_come_with_one_call_of_each_kind(shop: Shop) -> None:
    pages = [page for page in reading(shop.connector()) if page.records]
    called = routes(shop)
    for route in ("creditmemos", "invoices"):
        assert 0 < called.count(route) <= len(pages) + 1
    assert called.count("shipments") <= len(pages) + 2  # and a look at the newest


def test_a_shipment_and_a_credit_memo_are_read_as_the_shop_keeps_them(shop: Shop) -> None:
    connector, one = shop.connector(), placed(shop)
    id, first = one["entity_id"], one["items"][0]
    act(connector, f"order/{id}/invoice", {"capture": False, "notify": False})
    tracks = [{"track_number": "T-1", "title": "DHL", "carrier_code": "dhl"}]
    part = [{"order_item_id": first["item_id"], "qty": 1}]
    act(connector, f"order/{id}/ship", {"items": part, "tracks": tracks, "comment": {"comment": "Off it goes"}})
    rest = [{"order_item_id": item["item_id"], "qty": 0} for item in one["items"][1:]]
    arguments = {"shipping_amount": 0, "adjustment_positive": 1.5, "adjustment_negative": 0}
    act(connector, f"order/{id}/refund", {"items": [*part, *rest], "arguments": arguments})
    made = parsed(connector, records(reading(connector))[str(id)])
    (shipment,) = made.fulfilment.shipments
    assert [(one.line, one.quantity) for one in shipment.parts] == [(str(first["item_id"]), 1)]
    assert [(one.number, one.carrier, one.title) for one in shipment.packages] == [("T-1", "dhl", "DHL")]
    assert shipment.comment == "Off it goes"
    (refund,) = made.fulfilment.refunds
    line = next(line for line in made.lines if line.key == str(first["item_id"]))
    assert [(one.line, one.quantity) for one in refund.parts] == [(line.key, 1)]
    assert (refund.adjustment, refund.shipping) == (Decimal("1.50"), 0)
    assert abs(refund.total - line.total / line.quantity - refund.adjustment) <= Decimal("0.01")
    assert len(made.fulfilment.documents) == 1
    assert orders(connector).get(str(id)) is not None
    alone = orders(connector)
    alone.asked = EVERYTHING
    found = alone.get(str(id))
    assert found is not None
    assert parsed(connector, found).fulfilment == made.fulfilment


def test_the_same_papers_from_stored_json_have_the_same_fingerprint(shop: Shop) -> None:
    given = {"papers": {"creditmemos": [{"entity_id": 3, "state": 2, "grand_total": 10, "shipping_incl_tax": 4.9,
             "adjustment": "0.0000", "items": [{"order_item_id": 1, "qty": 1}]}]}}  # fmt: skip
    stored = {"papers": {"creditmemos": [{"entity_id": "3", "state": "2", "grand_total": Decimal("10.0000"),
              "shipping_incl_tax": Decimal("4.90000"),
              "items": [{"order_item_id": "1", "qty": Decimal("1.0000")}]}]}}  # fmt: skip
    thing = row(1, Decimal(10), Decimal(1), Decimal(19), Decimal(0), gross=True)
    parser = Parser(lambda _: None)
    one, other = (parser.parse({**order([thing]), **papers}) for papers in (given, stored))
    assert one.substance() == other.substance()
    assert one.fulfilment.refunds[0].total == 10


@pytest.mark.parametrize("rows", [[(1, 1)], [(2, 1)], [(1, 1), (2, 1)]], ids=["parent", "variant", "both"])
def test_a_configurable_is_one_line_however_a_paper_names_it(rows: list[tuple[int, int]]) -> None:
    thing = row(1, Decimal(10), Decimal(1), Decimal(19), Decimal(0), gross=True)
    child = {**row(2, Decimal(0), Decimal(1), Decimal(0), Decimal(0), gross=True), "parent_item_id": 1, "counts": False}
    given = order([{**thing, "product_type": "configurable"}, child])
    items = [{"order_item_id": id, "qty": quantity} for id, quantity in rows]
    made = Parser(lambda _: None).parse({**given, "papers": {"shipments": [{"entity_id": 5, "items": items}]}})
    assert [(one.line, one.quantity) for one in made.fulfilment.shipments[0].parts] == [("1", 1)]


def test_a_cancelled_credit_memo_is_none() -> None:
    thing = row(1, Decimal(10), Decimal(1), Decimal(19), Decimal(0), gross=True)
    memo = {"entity_id": 3, "state": 3, "grand_total": 10, "items": []}
    made = Parser(lambda _: None).parse({**order([thing]), "papers": {"creditmemos": [memo]}})
    assert made.fulfilment.refunds == ()


# changed without their order


def shipped(shop: Shop, connector: Magento) -> tuple[str, str, dict[str, Any]]:
    """An order of which a part is shipped; its id, the shipment's, and the order."""
    one = placed(shop)
    act(connector, f"order/{one['entity_id']}/invoice", {"capture": False})
    part = [{"order_item_id": one["items"][0]["item_id"], "qty": 1}]
    return str(one["entity_id"]), act(connector, f"order/{one['entity_id']}/ship", {"items": part}), one


def test_a_track_that_comes_later_brings_its_order_again(shop: Shop) -> None:
    """Neither the order nor the shipment moves for it, and others were shipped since."""
    connector = shop.connector()
    shop.control("clock", offset=-500)
    id, shipment, _ = shipped(shop, connector)
    shop.control("clock", offset=0)
    connector = shop.connector()  # whose clock is right again
    newer, _, _ = shipped(shop, connector)
    assert newer != id
    mark = last_mark(reading(connector))
    entity = {"order_id": int(id), "parent_id": int(shipment), "track_number": "T-9", "title": "DHL",
              "carrier_code": "dhl", "qty": 1, "weight": 1, "description": ""}  # fmt: skip
    act(connector, "shipment/track", {"entity": entity})
    found = records(reading(connector, mark))
    assert [one.number for one in parsed(connector, found[id]).fulfilment.shipments[0].packages] == ["T-9"]


def test_a_part_shipment_that_moves_no_order_brings_it_again(shop: Shop) -> None:
    connector = shop.connector()
    shop.control("clock", offset=-500)
    id, _, one = shipped(shop, connector)
    touched = shop.control("order", entity_id=int(id))["updated_at"]
    shop.control("clock", offset=0)
    connector = shop.connector()
    shipped(shop, connector)
    mark = last_mark(reading(connector))
    left = [item for item in one["items"] if item["qty_ordered"] > 1] or one["items"][1:]
    part = [{"order_item_id": left[0]["item_id"], "qty": 1}]
    act(connector, f"order/{id}/ship", {"items": part})
    shop.control("change_order", entity_id=int(id), set={"updated_at": touched}, touch=False)
    found = records(reading(connector, mark))
    assert len(parsed(connector, found[id]).fulfilment.shipments) == 2


def test_a_quiet_shop_is_asked_for_its_lists_and_for_no_order(shop: Shop) -> None:
    connector = shop.connector()
    shipped(shop, connector)
    mark = last_mark(reading(connector))
    for _ in range(3):
        routes(shop)
        pages = reading(connector, mark)
        mark = last_mark(pages)
    called = routes(shop)
    along = sum(1 for page in pages if page.records)
    assert called.count("orders") == 1
    assert called.count("shipments") - 2 <= along
    assert called.count("creditmemos") - 1 <= along


def test_the_mark_can_still_be_read_when_the_switches_go_off(shop: Shop) -> None:
    connector = shop.connector()
    mark = last_mark(reading(connector))
    assert json.loads(mark)["papers"].keys() == {"shipments", "creditmemos"}
    off = orders(connector)
    pages = list(off.read(mark, ALL))
    assert "papers" not in json.loads(last_mark(pages))


# trouble


def test_an_order_whose_papers_break_the_list_is_named_and_all_others_go_on(shop: Shop) -> None:
    connector = shop.connector()
    id, _, _ = shipped(shop, connector)

    def broken(request: Any) -> Any:
        value = asked(request).get("searchCriteria[filter_groups][0][filters][0][value]", "")
        if "/shipments" in request.url and id in value.split(","):
            return reply(404, {"message": "The requested product does not exist"})
        return None

    hook(connector, broken)
    found = records(reading(connector))
    assert found[id].error is not None
    assert "its shipments cannot be read" in found[id].error
    assert len([one for one in found.values() if one.error]) == 1
    assert len(found) == 120


def test_a_list_that_may_not_be_read_stops_the_reading_by_the_name_of_the_right(shop: Shop) -> None:
    shop.forbid("Magento_Sales::shipment")
    with pytest.raises(AccessDenied, match="Magento_Sales::shipment"):
        reading(shop.connector(), None, "shipments")
    assert len(records(reading(shop.connector(), None, "refunds"))) == 120


@pytest.mark.parametrize("limit", [20, 3])
def test_a_shop_that_limits_its_pages_is_read_all_the_same(shop: Shop, limit: int) -> None:
    connector = shop.connector()
    whole = records(reading(connector))
    shop.control("configure", max_page_size=limit)
    found = records(reading(connector))
    assert {key: one.version for key, one in found.items()} == {key: one.version for key, one in whole.items()}


def test_faults_leave_nothing_out(shop: Shop) -> None:
    connector = shop.connector()
    whole = records(reading(connector))
    shop.faults({"kind": "status", "status": 500, "method": "GET", "rate": 0.2, "seed": 5},
                {"kind": "truncated", "method": "GET", "rate": 0.1, "seed": 6})  # fmt: skip
    found = records(reading(connector))
    assert {key: one.version for key, one in found.items()} == {key: one.version for key, one in whole.items()}
