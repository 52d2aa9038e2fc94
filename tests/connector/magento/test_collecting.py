"""What a shop offers for mappings is collected, and what it has no list of is learned from its orders."""

from __future__ import annotations

import pytest
import requests

from connector import AccessDenied, Options, RecordFailed, SkipRecord
from connector.testing import MemoryHost
from tests.connector.magento.conftest import Shop
from tests.connector.magento.orders import order
from tests.connector.magento.test_cursor import SECOND, reply

ALL = Options({"page_size": 50, "initial_from": None, "status_filter": []})


def fresh(shop: Shop) -> MemoryHost:
    shop.host = MemoryHost()
    shop.host.sleep = lambda seconds: None  # type: ignore[method-assign]
    return shop.host


def test_a_store_views_id_is_its_code_and_the_back_office_is_none(shop: Shop) -> None:
    stores = {one.id: one for one in shop.host.catalogues["store"]}
    assert "admin" not in stores
    assert stores["de"].extra["website"] in {one.id for one in shop.host.catalogues["website"]}
    assert stores["de"].extra["group"] in {one.id for one in shop.host.catalogues["store_group"]}
    assert {"store_id", "locale", "currency", "base_currency", "timezone", "weight_unit"} <= set(stores["de"].extra)
    assert "0" in {one.id for one in shop.host.catalogues["customer_group"]}, "NOT LOGGED IN is a group like others"


def test_the_mapping_screens_have_codes_before_the_first_order_was_read(shop: Shop) -> None:
    kinds = shop.host.catalogues
    assert {"pending", "processing", "complete", "holded"} <= {one.id for one in kinds["order_status"]}
    assert {one.name for one in kinds["order_status"] if one.id == "holded"} == {"On hold"}
    assert "Check / Money order" in {one.name for one in kinds["payment_method"]}
    assert "flatrate_flatrate" in {one.id for one in kinds["shipping_method"]}


def test_a_broken_order_list_is_no_reason_to_collect_nothing(shop: Shop) -> None:
    shop.control("configure", broken_orders=[one["entity_id"] for one in shop.orders()])
    host = fresh(shop)
    host.collect(shop.connector())
    assert host.catalogues["store"]
    assert "processing" in {one.id for one in host.catalogues["order_status"]}


def test_codes_are_learned_once_from_what_is_read(shop: Shop) -> None:
    host = fresh(shop)
    taught: list[str] = []
    learn = host.learn
    host.learn = lambda kind, entries: (taught.extend(one.id for one in entries), learn(kind, entries))[1]  # type: ignore[method-assign,func-returns-value]
    list(shop.connector().resource("order").read(None, ALL))
    assert len(taught) == len(set(taught)) > 8


def test_groups_and_prefixes_of_the_orders_that_are_read_are_told_as_what_people_map(shop: Shop) -> None:
    host = fresh(shop)
    pages = list(shop.connector().resource("order").read(None, ALL))
    rows = [one.payload for page in pages for one in page.records if one.payload is not None]
    groups = {str(one["customer_group_id"]) for one in rows if one.get("customer_group_id") is not None}
    prefixes = {one["billing_address"]["prefix"] for one in rows if one["billing_address"].get("prefix")}
    assert groups
    assert {one.id for one in host.catalogues["customer_group"]} == groups
    assert {one.id for one in host.catalogues.get("prefix", [])} == prefixes


def test_store_views_that_were_never_collected_are_asked_for_before_the_first_page(shop: Shop) -> None:
    fresh(shop)
    orders = shop.connector().resource("order")
    found = [one for page in orders.read(None, ALL) for one in page.records]
    asked = [call.path for call in shop.host.calls if "/store/" in call.path]
    assert len(asked) == 4
    assert {orders.parse(one.payload).store for one in found if one.payload} >= {"default", "de"}
    assert [call.path for call in shop.host.calls if "/store/" in call.path] == asked


def test_a_missing_right_for_stores_stops_the_reading_and_fails_no_order(shop: Shop) -> None:
    """Read without it, orders would be handled by the settings of no store."""
    fresh(shop)
    shop.forbid("Magento_Backend::store")
    with pytest.raises(AccessDenied, match="Magento_Backend::store"):
        list(shop.connector().resource("order").read(None, ALL))


def test_only_commerce_as_a_service_lists_its_statuses(shop: Shop) -> None:
    connector = shop.connector(auth="bearer", address_form="saas")
    rows = [{"status": "boxed", "label": "Boxed", "state": "processing"}, {"status": "boxed", "state": "complete"}]

    def answer(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        listed = "customerGroups" in str(request.url) or "/orders" in str(request.url)
        if "order-statuses" in str(request.url):
            return reply(200, rows)
        return reply(200, {"items": [], "total_count": 0} if listed else [])

    connector.client.transport = answer
    host = MemoryHost()
    connector.host = host
    host.collect(connector)
    assert {one.id: one.name for one in host.catalogues["order_status"]}["boxed"] == "Boxed"


def test_an_order_that_holds_nothing_but_shipping_is_skipped_only_when_it_costs_nothing(shop: Shop) -> None:
    orders = shop.connector().resource("order")
    free = order([], shipping_description="Parcel", shipping_amount=0, grand_total=0)
    with pytest.raises(SkipRecord, match="no lines"):
        orders.admits(orders.parse(free), ALL)
    paid = order([], shipping_description="Parcel", shipping_amount=5, grand_total=5)
    with pytest.raises(RecordFailed, match=r"has no items, but a total of 5\.00 EUR"):
        orders.admits(orders.parse(paid), ALL)


def test_orders_that_share_a_number_are_told(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    for store in (1, 2):
        shop.control("add_order", increment_id="twin", updated_at=SECOND, items=[], store_id=store)
    keys = [str(one["entity_id"]) for one in shop.orders() if one["increment_id"] == "twin"]
    orders = shop.connector().resource("order")
    found = orders.number("twin")
    assert found is not None
    assert found.key == keys[1]
    assert found.payload is not None
    assert [str(one) for one in found.payload["also_numbered"]] == [keys[0]]
    assert "2 orders have the number twin" in caplog.text
