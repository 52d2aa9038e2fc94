"""The stand-ins' new routes and answers, held against the vendors' own descriptions."""

import functools
import re
from typing import Any

import pytest
import requests
import yaml

from sandbox.magento import build as build_magento
from sandbox.magento.routes import ROWS
from sandbox.plentyone import build, children, documents, packages, serials
from sandbox.server import Server
from tests.conftest import shared
from tests.contracts import operation, violations
from tests.sandbox.conftest import Shop, query
from tests.sandbox.test_magento_carts import information
from tests.sandbox.test_magento_papers import place
from tests.sandbox.test_plentyone import SKUS, Api
from tests.sandbox.test_plentyone_children import PDF, cart, take

JSON = dict[str, Any]

PLENTYONE = [(method, path) for table in (children, packages, serials, documents) for method, path, _ in table.TABLE]


@functools.cache
def magento() -> JSON:
    """The whole schema: carts are not in the subset that tests/contracts.py reads."""
    text = (shared() / "contracts/magento/admin-schema-2.4.9.yaml").read_text()
    found: JSON = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


def known(method: str, path: str) -> bool:
    """Whether a route of ours is one of the schema; `/carts/mine` and the like are others."""
    own = re.sub(r"\{\w+\}", "X", path.rstrip("/"))
    for written, methods in magento()["paths"].items():
        if method.lower() in methods and re.sub(r"\{\w+\}", "X", written).rstrip("/") == f"/V1{own}":
            return True
    return False


@pytest.mark.parametrize(("method", "path"), PLENTYONE)
def test_plentyones_contract_has_the_route(method: str, path: str) -> None:
    plain = re.sub(r"\{type\}", "invoice", re.sub(r"\{\w+:int\}", "7", path))
    assert operation("plentyone", method, plain), f"{method} {path}"


@pytest.mark.parametrize(("method", "path"), [(method, path) for method, path, _, _ in ROWS])
def test_magentos_contract_has_the_route(method: str, path: str) -> None:
    assert known(method, path), f"{method} {path}"


def fields(name: str) -> set[str]:
    return set(magento()["definitions"][name]["properties"])


def test_magentos_papers_have_only_fields_of_the_schema() -> None:
    server = Server(build_magento(count=30, seed=1), 0)
    server.start()
    try:
        shop = Shop(server)
        number = place(shop, ("KAF-1000", 2))
        shop.post(f"order/{number}/invoice", {})
        tracks = [{"track_number": "1", "title": "DHL", "carrier_code": "custom"}]
        shop.post(f"order/{number}/ship", {"tracks": tracks, "comment": {"comment": "x", "is_visible_on_front": 0}})
        shop.post(f"order/{number}/refund", {"arguments": {"shipping_amount": 0}})
        for path, definition in (("invoices", "invoice"), ("shipments", "shipment"), ("creditmemos", "creditmemo")):
            for one in shop.get(path, query(("order_id", "eq", number))).json()["items"]:
                assert set(one) <= fields(f"sales-data-{definition}-interface"), path
                for line in one["items"]:
                    assert set(line) <= fields(f"sales-data-{definition}-item-interface"), path
                for track in one.get("tracks", ()):
                    assert set(track) == fields("sales-data-shipment-track-interface") - {"extension_attributes"}
        assert set(shop.get(f"orders/{number}").json()) <= fields("sales-data-order-interface")
        cart_id = shop.post("carts/").json()
        shop.post(f"carts/{cart_id}/items", {"cartItem": {"sku": "BECHER-W", "qty": 1, "quote_id": cart_id}})
        assert set(shop.get(f"carts/{cart_id}").json()) <= fields("quote-data-cart-interface")
        details = shop.post(f"carts/{cart_id}/shipping-information", information()).json()
        assert set(details["totals"]) <= fields("quote-data-totals-interface")
        assert set(details["totals"]["items"][0]) <= fields("quote-data-totals-item-interface")
        assert set(shop.get("products/BECHER-W").json()) <= fields("catalog-data-product-interface")
        sources = shop.get("inventory/sources", query(sort="")).json()["items"]
        assert set(sources[0]) <= fields("inventory-api-data-source-interface")
    finally:
        server.stop()


def test_what_these_tests_send_to_plentyone_is_in_its_contract(tmp_path: Any) -> None:
    record = tmp_path / "record.jsonl"
    server = Server(build(skus=SKUS), 0, record=record)
    server.start()
    try:
        api = Api(server.base_url)
        api.login()
        made = cart(api)
        path = f"/rest/orders/{made['id']}"
        some = {"quantities": take(made, 1)}
        api.post(f"{path}/delivery_orders", some)
        back = api.post(f"{path}/returns", {"statusId": 9, "warehouseId": 104, **some}).json()
        api.post(f"/rest/returns/{back['id']}/book", {"quantities": take(back, 1)})
        api.post(f"{path}/credit_notes", {"statusId": 11, "includeCouponsIntoOrderItemPrice": False, **some})
        api.post(f"{path}/shipping/packages", {"packageId": 1, "packageType": 0, "packageNumber": "JD1"})
        api.post(f"{path}/documents/invoiceExternal", {"documents": [{"content": PDF, "numberWithPrefix": "R1"}]})
        api.get("/rest/orders/documents/find", orderId=made["id"], page=1, itemsPerPage=10)
        api.get("/rest/orders", orderType="1,2,4", statusFrom=3, statusTo=12, packageNumber="JD1", parentOrderId=1)
        api.put(f"{path}/cancel", {"statusId": 8, "message": "x"})
        requests.get(f"{server.base_url}/_sandbox/state", timeout=5).raise_for_status()
    finally:
        server.stop()
    # SOURCE.md 5: what is required in an element of `documents` is lifted to the outer list.
    lifted = "required field 'content'", "required field 'numberWithPrefix'"
    assert [said for said in violations(record) if not any(words in said for words in lifted)] == []
