"""Invoices, shipments and credit memos of the Magento stand-in: money, state, mails, repeats."""

from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.sandbox.conftest import Shop, query

JSON = dict[str, Any]


SIZE = {"count": 220, "seed": 3}


def state(shop: Shop) -> JSON:
    found: JSON = requests.get(f"{shop.base}/_sandbox/state", timeout=10).json()
    return found


def some(shop: Shop, holds: Any) -> JSON:
    """The first order for which something holds."""
    found: JSON = next(order for order in shop.orders()["items"] if holds(order))
    return found


def heads(order: JSON) -> list[JSON]:
    return [item for item in order["items"] if "parent_item_id" not in item]


def offline(order: JSON) -> bool:
    return order["payment"]["method"] not in ("paypal_express", "braintree") and not any(
        order["extension_attributes"].get(name)
        for name in (
            "gift_cards_amount",
            "customer_balance_amount",
            "reward_currency_amount",
            "payment_surcharge_amount",
        )
    )


def open_order(shop: Shop, store: int = 2, lines: int = 2) -> JSON:
    """An order of which nothing is invoiced or sent, with as many ordinary lines."""
    return some(
        shop,
        lambda order: (
            order["state"] == "new"
            and order["store_id"] == store
            and len(heads(order)) >= lines
            and not order["is_virtual"]
            and all(item["product_type"] == "simple" for item in order["items"])
            and offline(order)
        ),
    )


def money(value: Any) -> Decimal:
    return Decimal(str(value or 0))


def place(
    shop: Shop, *lines: tuple[str, int], store: str = "de", method: str = "checkmo", customer: int | None = None
) -> int:
    """An order out of a cart; the entity_id."""
    base = f"/rest/{store}/V1"
    cart = shop.post(f"{base}/carts/").json()
    for sku, quantity in lines:
        answer = shop.post(f"{base}/carts/{cart}/items", {"cartItem": {"sku": sku, "qty": quantity, "quote_id": cart}})
        assert answer.status_code == 200, answer.text
    where = {"firstname": "Eva", "lastname": "Fremd", "street": ["Weg 1"], "city": "Ulm", "postcode": "89073"}
    where |= {"country_id": "DE", "telephone": "0731", "email": "eva@example.com"}
    information = {
        "shipping_address": where,
        "billing_address": where,
        "shipping_carrier_code": "flatrate",
        "shipping_method_code": "flatrate",
    }
    answer = shop.post(f"{base}/carts/{cart}/shipping-information", {"addressInformation": information})
    assert answer.status_code == 200, answer.text
    answer = shop._call("PUT", f"{base}/carts/{cart}/order", json={"paymentMethod": {"method": method}})
    assert answer.status_code == 200, answer.text
    return int(answer.json())


# Invoices


def test_parts_of_an_invoice_add_up_to_the_cent(shop: Shop) -> None:
    number = place(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    order = shop.get(f"orders/{number}").json()
    # 3 x 18.99 + 2 x 9.99 + 4.90
    assert order["grand_total"] == 81.85
    first, second = (item["item_id"] for item in order["items"])
    shop.post(f"order/{number}/invoice", {"items": [{"order_item_id": first, "qty": 1}]})
    part = shop.get("invoices/1").json()
    # 18.99 at 7 % and the shipping of 4.90 at 19 %, which the first invoice takes
    assert (part["grand_total"], part["shipping_incl_tax"], part["tax_amount"]) == (23.89, 4.9, 2.02)
    now = shop.get(f"orders/{number}").json()
    assert (now["state"], now["total_invoiced"], now["total_due"]) == ("processing", 23.89, 57.96)
    assert [item["qty_invoiced"] for item in now["items"]] == [1, 0]
    shop.post(f"order/{number}/invoice", {"items": [{"orderItemId": second, "qty": 2}]})
    shop.post(f"order/{number}/invoice", {})
    done = shop.get(f"orders/{number}").json()
    assert (done["total_invoiced"], done["total_due"], done["tax_invoiced"]) == (81.85, 0, order["tax_amount"])
    assert state(shop)["unequal"] == []


def test_a_partial_call_repeats_and_the_state_shows_it(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 4))
    item = shop.get(f"orders/{number}").json()["items"][0]["item_id"]
    body = {"items": [{"order_item_id": item, "qty": 2}]}
    assert [shop.post(f"order/{number}/ship", body).json() for _ in range(2)] == ["1", "2"]
    found = state(shop)
    assert found["documents"][str(number)]["shipments"] == [1, 2]
    assert found["duplicates"]["shipments"][0]["ids"] == [1, 2]
    third = shop.post(f"order/{number}/ship", body)
    assert (third.status_code, "does not allow a shipment" in third.json()["message"]) == (400, True)


def test_a_custom_status_is_lost_with_every_paper(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 3))
    item = shop.get(f"orders/{number}").json()["items"][0]["item_id"]
    part = {"items": [{"order_item_id": item, "qty": 1}]}
    shop.post(f"order/{number}/invoice", part)
    for path in ("invoice", "ship", "refund"):
        comment = {"statusHistory": {"comment": "x", "status": "packed", "is_customer_notified": 0}}
        assert shop.post(f"orders/{number}/comments", comment).json() is True
        answer = shop.post(f"order/{number}/{path}", part)
        assert answer.status_code == 200, answer.text
        assert shop.get(f"orders/{number}/statuses").json() == "processing"


@pytest.mark.parametrize(
    ("state_of", "path", "words"),
    [
        ("canceled", "invoice", "An invoice cannot be created"),
        ("holded", "ship", "A shipment cannot be created"),
        ("closed", "refund", "A creditmemo can not be created"),
        ("new", "refund", "does not allow a creditmemo"),
        ("complete", "hold", "hold action is not available"),
        ("processing", "unhold", "cannot remove the hold"),
    ],
)
def test_a_state_refuses_what_it_does_not_allow(shop: Shop, state_of: str, path: str, words: str) -> None:
    order = some(shop, lambda one: one["state"] == state_of and offline(one))
    head = "orders" if "hold" in path else "order"
    answer = shop.post(f"{head}/{order['entity_id']}/{path}", {})
    assert (answer.status_code, words in answer.json()["message"]) == (400, True)


def test_an_order_that_came_paid_has_its_invoice(shop: Shop) -> None:
    order = some(shop, lambda one: one.get("total_invoiced") and one["payment"]["method"] == "braintree")
    found = shop.get("invoices", query(("order_id", "eq", order["entity_id"]))).json()["items"]
    assert [(one["grand_total"], one["state"]) for one in found] == [(order["total_invoiced"], 2)]
    assert found[0]["transaction_id"] == order["payment"]["last_trans_id"]
    assert state(shop)["invoices"] == 0


# Shipments


def test_a_shipment_carries_tracks_packages_source_and_comment(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 2))
    body = {
        "tracks": [{"track_number": n, "title": "DHL Paket", "carrier_code": "custom"} for n in ("JD1", "JD2")],
        "packages": [{}],
        "notify": True,
        "appendComment": True,
        "comment": {"comment": "unterwegs", "is_visible_on_front": 1},
        "arguments": {"extension_attributes": {"source_code": "nord"}},
    }
    assert shop.post(f"order/{number}/ship", body).json() == "1"
    made = shop.get("shipment/1").json()
    assert [track["track_number"] for track in made["tracks"]] == ["JD1", "JD2"]
    assert (made["extension_attributes"]["source_code"], made["comments"][0]["comment"]) == ("nord", "unterwegs")
    assert shop.get(f"orders/{number}").json()["status_histories"][0]["comment"] == "unterwegs"
    assert state(shop)["documents"][str(number)]["mails"] == {"order": 1, "shipment": 1}


def test_a_track_is_added_later_and_leaves_the_order_untouched(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 1))
    shop.post(f"order/{number}/ship", {})
    before = shop.get(f"orders/{number}").json()["updated_at"]
    entity = {"order_id": number, "parent_id": 1, "qty": 1, "weight": 0, "description": "", "title": "DHL"}
    entity |= {"track_number": "JD9", "carrier_code": "custom"}
    first = shop.post("shipment/track", {"entity": entity}).json()
    second = shop.post("shipment/track", {"entity": entity}).json()
    assert first["entity_id"] != second["entity_id"]
    assert shop.get(f"orders/{number}").json()["updated_at"] == before
    assert state(shop)["duplicates"]["tracks"][0]["key"] == [number, "JD9"]
    assert shop._call("DELETE", f"shipment/track/{second['entity_id']}").json() is True
    assert state(shop)["duplicates"]["tracks"] == []
    assert shop.post("shipment/track", {"entity": {**entity, "parent_id": 77}}).status_code == 400


def test_a_saved_shipment_is_only_a_row(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 1))
    item = shop.get(f"orders/{number}").json()["items"][0]["item_id"]
    entity = {"order_id": number, "items": [{"order_item_id": item, "qty": 99}]}
    assert shop.post("shipment/", {"entity": entity}).json()["total_qty"] == 99
    order = shop.get(f"orders/{number}").json()
    assert (order["state"], order["items"][0]["qty_shipped"]) == ("new", 0)


def test_a_source_gives_what_lies_in_it(shop: Shop) -> None:
    shop.control("stock", sku="BECHER-W", source_code="nord", quantity=1)
    number = place(shop, ("BECHER-W", 2))
    salable = shop.get("inventory/get-product-salable-quantity/BECHER-W/1").json()
    assert salable == 10_000 + 1 - 2
    from_nord = {"arguments": {"extension_attributes": {"source_code": "nord"}}}
    refused = shop.post(f"order/{number}/ship", from_nord)
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "Could not save a shipment, see error log for details",
    )
    nowhere = {"arguments": {"extension_attributes": {"source_code": "mars"}}}
    assert shop.post(f"order/{number}/ship", nowhere).status_code == 400
    assert state(shop)["shipments"] == 0
    shop.post(f"order/{number}/ship", {})
    found = shop.get("inventory/source-items", query(("sku", "eq", "BECHER-W"), sort="")).json()["items"]
    assert {one["source_code"]: one["quantity"] for one in found} == {"default": 9998, "nord": 1}
    assert shop.get("inventory/get-product-salable-quantity/BECHER-W/1").json() == salable
    codes = [
        one["source_code"]
        for one in shop.get("inventory/sources", query(("enabled", "eq", "1"), sort="")).json()["items"]
    ]
    assert codes == ["default", "nord", "leipzig_markt"]


# Credit memos


def refund(shop: Shop, number: int, **body: Any) -> JSON:
    answer = shop.post(f"order/{number}/refund", body)
    assert answer.status_code == 200, answer.text
    found: JSON = shop.get(f"creditmemo/{answer.json()}").json()
    return found


def paid(shop: Shop, *lines: tuple[str, int], **more: Any) -> JSON:
    number = place(shop, *lines, **more)
    shop.post(f"order/{number}/invoice", {})
    order: JSON = shop.get(f"orders/{number}").json()
    return order


def test_a_full_refund_closes_the_order_and_puts_goods_back(shop: Shop) -> None:
    order = paid(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    number = order["entity_id"]
    shop.post(f"order/{number}/ship", {})
    back = {"extension_attributes": {"return_to_stock_items": [order["items"][1]["item_id"]]}}
    memo = refund(shop, number, arguments=back, notify=True)
    assert (memo["grand_total"], memo["state"], "invoice_id" in memo) == (81.85, 2, False)
    after = shop.get(f"orders/{number}").json()
    assert (after["state"], after["total_refunded"], after["total_offline_refunded"]) == ("closed", 81.85, 81.85)
    assert (after["tax_refunded"], after["shipping_refunded"]) == (order["tax_amount"], order["shipping_amount"])
    found = shop.get("inventory/source-items", query(("source_code", "eq", "default"), sort="")).json()["items"]
    lying = {one["sku"]: one["quantity"] for one in found}
    assert (lying["BECHER-W"], lying["KAF-1000"]) == (10_000, 9997)
    assert state(shop)["mails_by_kind"] == {"order": 1, "creditmemo": 1}


def test_lines_shipping_and_an_amount_are_refunded_one_by_one(shop: Shop) -> None:
    order = paid(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    number, (coffee, cup) = order["entity_id"], [item["item_id"] for item in order["items"]]
    one = refund(shop, number, items=[{"order_item_id": coffee, "qty": 1}], arguments={"shipping_amount": 0})
    assert (one["grand_total"], one["tax_amount"], one["shipping_amount"]) == (18.99, 1.24, 0)
    nothing = [{"order_item_id": coffee, "qty": 0}]
    freight = refund(shop, number, items=nothing, arguments={"shipping_amount": order["shipping_amount"]})
    assert (freight["grand_total"], freight["shipping_incl_tax"]) == (4.9, 4.9)
    assert [line["qty"] for line in freight["items"]] == [0]
    allowance = refund(shop, number, items=nothing, arguments={"shipping_amount": 0, "adjustment_positive": 3.5})
    assert (allowance["grand_total"], allowance["adjustment_positive"]) == (3.5, 3.5)
    less = refund(
        shop,
        number,
        items=[{"order_item_id": cup, "qty": 2}],
        arguments={"shipping_amount": 0, "adjustment_negative": 5},
    )
    assert less["grand_total"] == 14.98
    after = shop.get(f"orders/{number}").json()
    assert (after["total_refunded"], after["state"]) == (42.37, "processing")
    assert (after["adjustment_positive"], after["adjustment_negative"]) == (3.5, 5)
    assert (after["items"][0]["qty_refunded"], after["items"][0]["amount_refunded"]) == (1, 17.75)
    assert state(shop)["unequal"] == []


def test_money_alone_that_comes_to_all_closes_an_order_only_when_everything_is_sent(shop: Shop) -> None:
    for sent, expected in ((False, "processing"), (True, "closed")):
        order = paid(shop, ("KAF-1000", 3))
        number = order["entity_id"]
        if sent:
            shop.post(f"order/{number}/ship", {})
        nothing = [{"order_item_id": order["items"][0]["item_id"], "qty": 0}]
        refund(
            shop, number, items=nothing, arguments={"shipping_amount": 0, "adjustment_positive": order["grand_total"]}
        )
        assert shop.get(f"orders/{number}").json()["state"] == expected


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"items": [{"qty": 4}]}, "must not be greater than the unrefunded quantity"),
        ({"items": [{"qty": 0}], "arguments": {"shipping_amount": 0}}, "total must be positive"),
        ({"items": [{"qty": 0}], "arguments": {"shipping_amount": 9}}, "Maximum shipping amount allowed to refund"),
        ({"arguments": {"adjustment_positive": 1}}, "The most money available to refund is %1"),
    ],
)
def test_no_more_is_refunded_than_there_was(shop: Shop, body: JSON, words: str) -> None:
    order = paid(shop, ("KAF-1000", 3))
    items = [{"order_item_id": order["items"][0]["item_id"], **item} for item in body.get("items", ())]
    answer = shop.post(f"order/{order['entity_id']}/refund", body | ({"items": items} if items else {}))
    assert (answer.status_code, words in answer.json()["message"]) == (400, True)
    assert "total_refunded" not in shop.get(f"orders/{order['entity_id']}").json()


def test_an_invoice_is_refunded_online_only_when_it_was_captured_online(shop: Shop) -> None:
    order = some(
        shop,
        lambda one: (
            one["payment"]["method"] == "paypal_express" and one["state"] == "processing" and one["grand_total"]
        ),
    )
    number = order["entity_id"]
    assert shop.post(f"order/{number}/refund", {}).status_code == 400
    invoice = shop.get("invoices", query(("order_id", "eq", number))).json()["items"][0]
    answer = shop.post(f"invoice/{invoice['entity_id']}/refund", {"isOnline": True, "notify": False})
    assert answer.status_code == 200, answer.text
    memo = shop.get(f"creditmemo/{answer.json()}").json()
    assert (memo["invoice_id"], memo["transaction_id"].startswith(invoice["transaction_id"])) == (
        invoice["entity_id"],
        True,
    )
    after = shop.get(f"orders/{number}").json()
    assert after["total_online_refunded"] == order["grand_total"]
    paper = paid(shop, ("BECHER-W", 1))
    mine = shop.get("invoices", query(("order_id", "eq", paper["entity_id"]))).json()["items"][0]
    assert shop.post(f"invoice/{mine['entity_id']}/refund", {"isOnline": True}).status_code == 400
    assert shop.post(f"invoice/{mine['entity_id']}/refund", {}).status_code == 200


def test_the_second_invoice_has_no_shipping_to_refund(shop: Shop) -> None:
    number = place(shop, ("BECHER-W", 2))
    item = shop.get(f"orders/{number}").json()["items"][0]["item_id"]
    for _ in range(2):
        shop.post(f"order/{number}/invoice", {"items": [{"order_item_id": item, "qty": 1}]})
    refused = shop.post("invoice/2/refund", {"arguments": {"shipping_amount": 1}})
    assert (refused.status_code, refused.json()["parameters"]) == (400, ["0.00"])
    answer = shop.post("invoice/2/refund", {})
    assert shop.get(f"creditmemo/{answer.json()}").json()["grand_total"] == 9.99


@pytest.mark.slow
def test_every_order_of_the_shop_is_divided_without_losing_a_cent(shop: Shop) -> None:
    """One piece at a time, invoiced and refunded, in both currencies, with discounts, taxes, bundles and credits."""
    shop.control("configure", refuse_offline_refund=False)
    tried = 0
    for order in shop.orders()["items"]:
        number, path = order["entity_id"], f"order/{order['entity_id']}"
        if order["state"] == "new":
            for item in heads(order):
                body = {"items": [{"order_item_id": item["item_id"], "qty": min(1, item["qty_ordered"])}]}
                assert shop.post(f"{path}/invoice", body).status_code == 200
            shop.post(f"{path}/invoice", {})  # refused where nothing is left
        elif order["state"] not in ("processing", "complete") or not order.get("total_paid"):
            continue
        whole = shop.get(f"orders/{number}").json()
        assert whole["total_invoiced"] == whole["grand_total"], number
        assert whole["base_total_invoiced"] == whole["base_grand_total"], number
        if not offline(order) and order["payment"]["method"] == "cashondelivery":
            continue  # a surcharge is not in the lines
        tried += 1
        for item in heads(whole):
            body = {"items": [{"order_item_id": item["item_id"], "qty": min(1, item["qty_invoiced"])}]}
            shop.post(f"{path}/refund", body | {"arguments": {"shipping_amount": 0}})
        shop.post(f"{path}/refund", {})
        after = shop.get(f"orders/{number}").json()
        if offline(order):
            assert after["total_refunded"] == order["grand_total"], number
            assert after["base_total_refunded"] == order["base_grand_total"], number
            assert abs(after["discount_refunded"]) == abs(order["discount_amount"]), number
            assert after["tax_refunded"] == order["tax_amount"], number
    found = state(shop)
    assert tried > 100
    assert found["unequal"] == []


# Faults


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "html_503", "status", "truncated", "error_after"])
@pytest.mark.parametrize("path", ["invoice", "ship"])
def test_a_fault_strikes_these_calls_as_any_other(shop: Shop, kind: str, path: str) -> None:
    number = place(shop, ("BECHER-W", 1))
    rule = {"kind": kind, "method": "POST", "path": f"*/order/*/{path}", "times": 1}
    requests.put(f"{shop.base}/_sandbox/faults", json=[rule], timeout=5)
    try:
        shop.post(f"order/{number}/{path}", {"notify": True})
    except requests.RequestException:
        pass
    finally:
        requests.put(f"{shop.base}/_sandbox/faults", json=[], timeout=5)
    executed = kind in ("drop_after", "truncated", "error_after")
    papers = state(shop)["documents"][str(number)]["invoices" if path == "invoice" else "shipments"]
    assert (len(papers), state(shop)["mails_by_kind"].get(path.replace("ship", "shipment"), 0)) == (executed, executed)
