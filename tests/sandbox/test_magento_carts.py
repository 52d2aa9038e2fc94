"""Orders that come into the Magento stand-in from outside: carts, customers, articles, rows as they are sent."""

from typing import Any

import pytest

from tests.sandbox.conftest import Shop, query
from tests.sandbox.test_magento_papers import JSON, place, state

WHERE = {"firstname": "Eva", "lastname": "Fremd", "street": ["Weg 1"], "city": "Ulm", "postcode": "89073"}
WHERE |= {"country_id": "DE", "telephone": "0731", "email": "eva@example.com"}  # type: ignore[dict-item]


SIZE = {"count": 40, "seed": 5}


def information(**changes: Any) -> JSON:
    sent: JSON = {"shipping_address": WHERE, "billing_address": WHERE}
    sent |= {"shipping_carrier_code": "flatrate", "shipping_method_code": "flatrate"}
    return {"addressInformation": sent | changes}


def test_an_admin_cart_becomes_one_order_and_reserves_its_goods(shop: Shop) -> None:
    number = place(shop, ("KAF-1000", 2), ("BECHER-W", 1))
    order = shop.get(f"orders/{number}").json()
    assert (order["state"], order["status"], order["store_id"], order["grand_total"]) == ("new", "pending", 2, 52.87)
    identity = order["subtotal"] + order["shipping_amount"] + order["tax_amount"] + order["discount_amount"]
    assert identity == pytest.approx(order["grand_total"])
    assert (order["customer_is_guest"], order["customer_email"]) == (1, "eva@example.com")
    assert order["extension_attributes"]["shipping_assignments"][0]["shipping"]["method"] == "flatrate_flatrate"
    assert shop.get("inventory/get-product-salable-quantity/KAF-1000/1").json() == 10_498
    found = shop.get("orders", query(("quote_id", "eq", order["quote_id"]))).json()["items"]
    assert [one["entity_id"] for one in found] == [number]
    again = shop._call("PUT", f"carts/{order['quote_id']}/order", json={"paymentMethod": {"method": "checkmo"}})
    assert (again.status_code, again.json()["parameters"]["fieldName"]) == (404, "cartId")
    shop.post(f"orders/{number}/cancel")
    assert shop.get("inventory/get-product-salable-quantity/KAF-1000/1").json() == 10_500


def test_a_guest_cart_needs_no_right_and_goes_by_its_mask(shop: Shop) -> None:
    base = "/rest/default/V1/guest-carts"
    mask = shop.post(base, auth=None).json()
    item = {"cartItem": {"sku": "kaf-1000", "qty": 1, "quote_id": mask, "price": 1}}
    made = shop.post(f"{base}/{mask}/items", item, auth=None).json()
    assert made["price"] == 17.75  # the catalogue's, net in this view: a price that is sent does not count
    totals = shop.post(f"{base}/{mask}/shipping-information", information(), auth=None).json()
    segments = {one["code"]: one["value"] for one in totals["totals"]["total_segments"]}
    assert segments["grand_total"] == 23.89
    assert totals["totals"]["grand_total"] == pytest.approx(23.89 - segments["tax"])
    assert {one["code"] for one in totals["payment_methods"]} >= {"checkmo", "plentyone"}
    body = {"email": "gast@example.com", "paymentMethod": {"method": "plentyone"}}
    number = int(shop.post(f"{base}/{mask}/payment-information", body, auth=None).json())
    order = shop.get(f"orders/{number}").json()
    assert (order["customer_email"], order["payment"]["method"], order["grand_total"]) == (
        "gast@example.com",
        "plentyone",
        23.89,
    )
    assert shop.get(f"{base}/{mask}", auth=None).status_code == 404


def test_a_polish_view_sells_in_its_own_currency(shop: Shop) -> None:
    order = shop.get(f"orders/{place(shop, ('BECHER-W', 1), store='pl')}").json()
    assert (order["order_currency_code"], order["base_currency_code"], order["store_id"]) == ("PLN", "EUR", 3)
    assert order["base_grand_total"] < order["grand_total"]


def test_a_cart_that_lacks_something_is_not_placed(shop: Shop) -> None:
    cart = shop.post("/rest/de/V1/carts/").json()
    path = f"carts/{cart}"

    def put() -> Any:
        answer = shop._call("PUT", f"{path}/order", json={"paymentMethod": {"method": "checkmo"}})
        return answer.status_code, answer.json()["message"].split(".")[0]

    assert put()[0] == 400
    shop.post(f"{path}/items", {"cartItem": {"sku": "BECHER-W", "qty": 1, "quote_id": cart}})
    assert put() == (400, "The shipping address is missing")
    incomplete = information(shipping_address={**WHERE, "telephone": ""})
    refused = shop.post(f"{path}/shipping-information", incomplete)
    assert (refused.status_code, '"telephone" is required' in refused.json()["parameters"][0]) == (400, True)
    unknown = information(shipping_carrier_code="brieftaube")
    assert shop.post(f"{path}/shipping-information", unknown).status_code == 404
    shop.post(f"{path}/shipping-information", information())
    answer = shop._call("PUT", f"{path}/order", json={"paymentMethod": {"method": "gold"}})
    assert answer.json()["message"] == "The requested Payment Method is not available."
    assert state(shop)["placed"] == []


@pytest.mark.parametrize(
    ("sku", "quantity", "status", "words"),
    [
        ("NOWHERE", 1, 404, "The product that was requested doesn't exist"),
        ("BECHER-W", 99_999, 400, "The requested qty is not available"),
        ("SHIRT", 1, 400, "You need to choose options"),
        ("BECHER-S", 1, 400, "Product that you are trying to add is not available"),
    ],
)
def test_what_cannot_be_sold_does_not_get_into_the_cart(
    shop: Shop, sku: str, quantity: int, status: int, words: str
) -> None:
    for source in ("default", "nord"):
        shop.control("stock", sku="BECHER-S", source_code=source, quantity=0)
    cart = shop.post("carts/").json()
    item = {"cartItem": {"sku": sku, "qty": quantity, "quote_id": cart}}
    answer = shop.post(f"carts/{cart}/items", item)
    assert (answer.status_code, words in answer.json()["message"]) == (status, True)


def test_items_of_a_cart_are_changed_and_removed(shop: Shop) -> None:
    cart = shop.post("carts/").json()
    item = {"cartItem": {"sku": "BECHER-W", "qty": 1, "quote_id": cart}}
    first = shop.post(f"carts/{cart}/items", item).json()["item_id"]
    assert shop.post(f"carts/{cart}/items", item).json()["qty"] == 2
    changed = shop._call("PUT", f"carts/{cart}/items/{first}", json={"cartItem": {"qty": 5, "quote_id": cart}})
    assert changed.json()["qty"] == 5
    assert shop.get(f"carts/{cart}").json()["items_qty"] == 5
    methods = shop.post(f"carts/{cart}/estimate-shipping-methods", {"address": WHERE}).json()
    assert {"flatrate", "dhl"} <= {one["carrier_code"] for one in methods}
    assert shop._call("DELETE", f"carts/{cart}/items/{first}").json() is True
    assert shop.get(f"carts/{cart}/totals").json()["grand_total"] == 0


def test_a_customer_is_made_once_per_website_and_found_by_mail(shop: Shop) -> None:
    person = {"email": "neu@example.com", "firstname": "Nele", "lastname": "Neu", "website_id": 2, "store_id": 2}
    made = shop.post("customers", {"customer": person}).json()
    assert shop.post("customers", {"customer": person}).status_code == 400
    found = shop.get("customers/search", query(("email", "eq", "NEU@example.com"), sort="")).json()["items"]
    assert [one["id"] for one in found] == [made["id"]]
    cart = shop.post(f"customers/{made['id']}/carts").json()
    assert shop.post(f"customers/{made['id']}/carts").json() == cart
    shop.post(f"carts/{cart}/items", {"cartItem": {"sku": "BECHER-W", "qty": 1, "quote_id": cart}})
    shop.post(f"carts/{cart}/shipping-information", information())
    number = shop._call("PUT", f"carts/{cart}/order", json={"paymentMethod": {"method": "checkmo"}}).json()
    order = shop.get(f"orders/{number}").json()
    assert (order["customer_id"], order["customer_is_guest"], order["customer_email"]) == (
        made["id"],
        0,
        "neu@example.com",
    )


def test_a_cart_is_given_to_a_customer(shop: Shop) -> None:
    known = next(one for one in shop.orders()["items"] if "customer_id" in one)
    cart = shop.post("carts/").json()
    body = {"customerId": known["customer_id"], "storeId": 2}
    assert shop._call("PUT", f"carts/{cart}", json=body).json() is True
    found = shop.get(f"carts/{cart}").json()
    assert (found["customer"]["id"], found["store_id"]) == (known["customer_id"], 2)
    assert shop._call("PUT", f"carts/{cart}", json={"customerId": 99_999, "storeId": 2}).status_code == 404


def test_an_article_is_found_by_its_sku_at_the_price_of_the_view(shop: Shop) -> None:
    assert shop.get("/rest/de/V1/products/BECHER-W").json()["price"] == 9.99
    assert shop.get("/rest/default/V1/products/BECHER-W").json()["price"] == 8.39
    variant = shop.get("products/SHIRT-S-BLU").json()
    assert (variant["type_id"], variant["extension_attributes"]["stock_item"]["is_in_stock"]) == ("simple", True)
    assert shop.get("products/NOWHERE").status_code == 404
    found = shop.get("products", query(("sku", "in", "BECHER-W,KAF-1000"), sort="")).json()
    assert found["total_count"] == 2


def test_a_row_that_is_stored_as_it_is_sent_takes_nothing_from_the_stock(shop: Shop) -> None:
    item = {"sku": "BECHER-W", "name": "Becher", "qty_ordered": 2, "price": 5, "base_price": 5, "row_total": 10}
    entity = {"store_id": 1, "base_grand_total": 10, "grand_total": 10, "customer_email": "x@example.com"}
    entity |= {"items": [item], "ext_order_id": "700001", "payment": {"method": "plentyone"}}
    made = shop._call("PUT", "orders/create", json={"entity": entity}).json()
    assert (made["state"], made["grand_total"], made["ext_order_id"]) == ("new", 10, "700001")
    assert shop.get("inventory/get-product-salable-quantity/BECHER-W/1").json() == 10_500
    assert state(shop)["mails"] == []
    shop._call("PUT", "orders/create", json={"entity": entity})
    assert state(shop)["duplicates"]["orders"][0]["key"] == ["ext_order_id", "700001"]
    broken = shop.post("orders", {"entity": {"entity_id": made["entity_id"], "status": "processing"}}).json()
    assert (broken["grand_total"], broken["protect_code"] != made["protect_code"]) == (None, True)


def test_placing_writes_a_mail_unless_the_shop_is_set_otherwise(shop: Shop) -> None:
    place(shop, ("BECHER-W", 1))
    shop.control("configure", new_order_mail=False)
    place(shop, ("BECHER-W", 1))
    assert state(shop)["mails_by_kind"] == {"order": 1}
    assert len(state(shop)["duplicates"]["orders"][0]["ids"]) == 2
