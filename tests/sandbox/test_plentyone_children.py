"""Deliveries, returns, credit notes, packages and documents of the PlentyONE stand-in, against its document's 11 to 13."""

import base64
from typing import Any

import pytest

from tests.sandbox.test_plentyone import JSON, Api, api, errors, item, order, payment_body, values

__all__ = ["api"]

PDF = base64.b64encode(b"%PDF-1.4 ours").decode()


def cart(api: Api, **changes: Any) -> JSON:
    """Two articles, a coupon and shipping: 2 x 20.00 + 9.99 - 5.00 + 4.90 = 49.89."""
    rows = (
        item(20, quantity=2),
        item(9.99, itemVariationId=5002, orderItemName="Becher groß"),
        item(-5, kind=4, orderItemName="SPRING"),
        item(4.9, kind=6, orderItemName="Versand", shippingProfileId=6),
    )
    return order(api, *rows, **changes)


def take(made: JSON, *quantities: Any) -> list[JSON]:
    pairs = zip(made["orderItems"], quantities, strict=False)
    return [{"orderItemId": row["id"], "quantity": quantity} for row, quantity in pairs if quantity]


def read(api: Api, number: int, *relations: str) -> JSON:
    found: JSON = api.get(f"/rest/orders/{number}", **{"with[]": list(relations)}).json()
    return found


# Children


def test_a_delivery_order_takes_a_part_and_refers_to_its_parent(api: Api) -> None:
    made = cart(api)
    child = api.post(f"/rest/orders/{made['id']}/delivery_orders", {"quantities": take(made, 1)}).json()
    assert (child["typeId"], len(child["orderItems"]), child["orderItems"][0]["quantity"]) == (2, 1, 1)
    assert child["orderReferences"] == [
        {
            "orderId": child["id"],
            "originOrderId": made["id"],
            "referenceOrderId": made["id"],
            "referenceType": "parent",
        }
    ]
    assert child["orderItems"][0]["references"][0]["referenceOrderItemId"] == made["orderItems"][0]["id"]
    assert [row["orderId"] for row in read(api, made["id"], "originOrderReferences")["originOrderReferences"]] == [
        child["id"]
    ]
    listed = api.get("/rest/orders", parentOrderId=made["id"], orderType=2).json()["entries"]
    assert [row["id"] for row in listed] == [child["id"]]


def test_no_more_is_delivered_or_returned_than_was_ordered(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}"
    api.post(f"{path}/delivery_orders", {"quantities": take(made, 1)})
    assert list(errors(api.post(f"{path}/delivery_orders", {"quantities": take(made, 2)}))) == ["quantities.0.quantity"]
    assert list(errors(api.post(f"{path}/returns", {"quantities": take(made, 3)}))) == ["quantities.0.quantity"]
    assert list(errors(api.post(f"{path}/returns", {}))) == ["quantities"]
    wrong = [{"orderItemId": 1, "quantity": 1}]
    assert list(errors(api.post(f"{path}/returns", {"quantities": wrong}))) == ["quantities.0.orderItemId"]
    assert api.post(f"{path}/returns/validate", {"quantities": take(made, 2)}).json() == []
    assert api.state()["counts"]["returns"] == 0


def test_a_cancelled_delivery_gives_its_goods_back(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/delivery_orders"
    child = api.post(path, {"quantities": take(made, 2)}).json()
    assert api.post(path, {"quantities": take(made, 1)}).status_code == 422
    api.put(f"/rest/orders/{child['id']}/cancel")
    assert api.post(path, {"quantities": take(made, 1)}).status_code == 200


def test_a_return_turns_the_parties_round_and_keeps_what_the_items_are_elsewhere(api: Api) -> None:
    first = item(20, quantity=2, properties=[{"typeId": 41, "value": "987"}])
    made = order(api, first)
    child = api.post(
        f"/rest/orders/{made['id']}/returns", {"statusId": 9.1, "quantities": take(made, 1), "warehouseId": 105}
    ).json()
    assert (child["typeId"], child["statusId"]) == (3, 9.1)
    assert {(row["referenceType"], row["relation"]) for row in child["relations"]} == {("warehouse", "receiver")}
    properties = values(child["orderItems"][0])
    assert (properties[41], properties[1]) == ("987", "105")
    reason = {"orderItems": [{"id": child["orderItems"][0]["id"], "properties": [{"typeId": 35, "value": "2"}]}]}
    changed = api.put(f"/rest/returns/{child['id']}", reason).json()
    assert values(changed["orderItems"][0])[35] == "2"
    assert api.put(f"/rest/credit_notes/{child['id']}", {}).status_code == 422
    assert api.post(f"/rest/returns/{child['id']}/book", {"quantities": take(child, 1)}).status_code == 200
    assert 6 in {row["typeId"] for row in read(api, child["id"])["dates"]}


def test_a_credit_note_of_all_comes_to_the_cent_of_the_order(api: Api) -> None:
    made = cart(api)
    credit = api.post(f"/rest/orders/{made['id']}/credit_notes", {}).json()
    assert (credit["typeId"], credit["statusId"]) == (4, 11)
    assert credit["amounts"][0]["invoiceTotal"] == made["amounts"][0]["invoiceTotal"] == 49.89
    assert api.post(f"/rest/orders/{made['id']}/credit_notes", {}).status_code == 422


def test_a_credit_note_of_lines_may_fold_the_coupon_into_their_prices(api: Api) -> None:
    made = cart(api)
    body = {"quantities": take(made, 1), "includeCouponsIntoOrderItemPrice": True}
    credit = api.post(f"/rest/orders/{made['id']}/credit_notes", body).json()
    # 20.00 less its share of the 5.00: 20 x (1 - 5 / 49.99)
    assert credit["amounts"][0]["invoiceTotal"] == 18.0
    assert [row["typeId"] for row in credit["orderItems"]] == [1]


def test_a_credit_note_of_a_return_has_the_sales_order_as_its_origin(api: Api) -> None:
    made = cart(api)
    back = api.post(f"/rest/orders/{made['id']}/returns", {"quantities": take(made, 2)}).json()
    credit = api.post(f"/rest/orders/{back['id']}/credit_notes", {}).json()
    reference = credit["orderReferences"][0]
    assert (reference["originOrderId"], reference["referenceOrderId"]) == (made["id"], back["id"])
    tree = api.get(f"/rest/orders/{credit['id']}/family", **{"with": "tree"}).json()
    assert (tree["originOrderId"], tree["tree"]["children"][0]["children"][0]["orderId"]) == (made["id"], credit["id"])


def test_a_debit_pays_a_credit_note(api: Api) -> None:
    made = cart(api)
    credit = api.post(f"/rest/orders/{made['id']}/credit_notes", {}).json()
    debit = api.post("/rest/payments", payment_body(49.89, "TXN-R", type="debit")).json()
    api.post(f"/rest/payment/{debit['id']}/order/{credit['id']}")
    found = read(api, credit["id"], "payments")
    assert (found["amounts"][0]["paidAmount"], values(found)[4]) == (49.89, "fullyPaid")
    assert found["payments"][0]["type"] == "debit"


@pytest.mark.parametrize("carried", [True, False])
def test_children_carry_the_external_id_or_not(api: Api, carried: bool) -> None:
    api.control("configure", {"children_carry_external_id": carried})
    made = cart(api)
    credit = api.post(f"/rest/orders/{made['id']}/credit_notes", {}).json()
    assert (7 in values(credit)) is carried
    assert len(api.get("/rest/orders", externalOrderId="100000001").json()["entries"]) == 1 + carried
    assert api.state()["duplicates"]["orders"] == []


def test_a_split_moves_items_into_another_sales_order(api: Api) -> None:
    made = cart(api)
    rest, moved = api.post(f"/rest/sales_orders/{made['id']}/split", {"quantities": take(made, 1, 1)}).json()
    assert (rest["id"], moved["typeId"], moved["orderReferences"][0]["referenceType"]) == (made["id"], 1, "split")
    assert rest["amounts"][0]["invoiceTotal"] + moved["amounts"][0]["invoiceTotal"] == pytest.approx(49.89)
    assert [row["quantity"] for row in rest["orderItems"]] == [1, 1, 1]


def test_a_preview_keeps_nothing(api: Api) -> None:
    before = api.state()["counts"]["orders"]
    seen = api.post("/rest/sales_orders/preview", {"plentyId": 12345, "orderItems": [item(10)]}).json()
    assert (seen["amounts"][0]["invoiceTotal"], api.state()["counts"]["orders"]) == (10, before)


def test_a_new_child_is_hidden_from_lists_while_the_index_lags(api: Api) -> None:
    made = cart(api)
    api.control("configure", {"index_lag": 3600.0})
    child = api.post(f"/rest/orders/{made['id']}/delivery_orders", {"quantities": take(made, 1)}).json()
    assert api.get("/rest/orders", orderType=2).json()["entries"] == []
    assert api.get(f"/rest/orders/{child['id']}").status_code == 200
    api.control("advance", {"seconds": 3601})
    assert len(api.get("/rest/orders", orderType=2).json()["entries"]) == 1


# Packages


def test_each_package_that_is_posted_is_one_more(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/shipping/packages"
    for number in ("JD01", "JD02", "JD02"):
        answer = api.post(path, {"packageId": 1, "packageType": 0, "packageNumber": number})
        assert (answer.status_code, answer.json()["packageNumber"]) == (200, number)
    assert [row["packageNumber"] for row in api.get(path).json()] == ["JD01", "JD02", "JD02"]
    assert api.get(f"/rest/orders/{made['id']}/packagenumbers").json() == ["JD01", "JD02", "JD02"]
    assert api.state()["duplicates"]["packages"][0]["key"] == [made["id"], "JD02"]
    assert set(errors(api.post(path, {}))) == {"packageId", "packageType"}


def test_a_package_gets_its_number_later_and_moves_the_order(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/shipping/packages"
    package = api.post(path, {"packageId": 1, "packageType": 0}).json()
    assert (package["packageNumber"], package["weight"]) == ("", 1500)
    assert api.get(f"/rest/orders/{made['id']}/packagenumbers").json() == []
    api.control("advance", {"seconds": 5})
    api.post(path, {"packageId": 1, "packageType": 0})
    before = read(api, made["id"])["updatedAt"]
    assert before > made["updatedAt"]
    api.control("advance", {"seconds": 5})
    assert api.put(f"{path}/{package['id']}", {"packageNumber": "JD09"}).json()["packageNumber"] == "JD09"
    after = read(api, made["id"], "shippingPackages")
    assert (after["shippingPackages"][0]["packageNumber"], after["updatedAt"] > before) == ("JD09", True)
    assert len(api.get("/rest/orders", packageNumber="JD09").json()["entries"]) == 1
    assert api.delete(f"{path}/{package['id']}").json() == {"affectedRows": 1}


def test_a_registered_shipment_names_its_carrier_and_numbers_its_packages(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/shipping"
    assert api.get(f"{path}/shipping_information").status_code == 404
    api.post(f"{path}/register_shipment")
    information = api.get(f"{path}/shipping_information").json()
    assert (information["shippingServiceProvider"], information["shippingStatus"]) == ("DHL", "registered")
    assert len(api.get(f"/rest/orders/{made['id']}/packagenumbers").json()) == 1
    changed = api.put(f"{path}/shipping_information/status", {"shippingStatus": "open"}).json()
    assert changed["shippingStatus"] == "open"


def test_a_serial_number_belongs_to_an_item(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/items/{made['orderItems'][0]['id']}/serialNumbers"
    assert api.post(path, {"serialNumber": "IMEI-1"}).json()["serialNumber"] == "IMEI-1"
    assert [row["serialNumber"] for row in api.get(path).json()] == ["IMEI-1"]
    assert len(api.get(f"/rest/orders/{made['id']}/items/serialNumbers").json()) == 1


def test_outgoing_items_are_booked_and_taken_back(api: Api) -> None:
    made = cart(api)
    api.post(f"/rest/sales_orders/{made['id']}/book", {})
    booked = read(api, made["id"])
    assert (booked["statusId"], 5 in {row["typeId"] for row in booked["dates"]}) == (7, True)
    api.post(f"/rest/sales_orders/{made['id']}/cancel_booking", {"changeStatus": True})
    taken = read(api, made["id"])
    assert (taken["statusId"], 5 in {row["typeId"] for row in taken["dates"]}) == (5, False)


# Documents


def test_a_generated_invoice_is_looked_for_downloaded_and_locks_the_order(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/documents"
    api.control("configure", {"document_seconds": 30.0})
    assert api.post(f"{path}/invoice/generate").json() == {}
    pending = api.get(f"{path}/invoice").json()["entries"][0]
    assert (pending["status"], pending["type"], pending["path"]) == ("pending", "invoice", None)
    assert api.get(f"/rest/documents/{pending['id']}/status").json() == {"id": pending["id"], "status": 0}
    api.control("advance", {"seconds": 31})
    found = api.get("/rest/orders/documents/find", orderId=made["id"], page=1, itemsPerPage=100).json()["entries"][0]
    assert (found["status"], found["pivot"]["plenty_document_reference_value"]) == ("done", str(made["id"]))
    answer = api.get(f"/rest/documents/{found['id']}")
    assert (answer.headers["Content-Type"], answer.content[:5]) == ("application/pdf", b"%PDF-")
    order_now = read(api, made["id"], "documents")
    assert (order_now["lockStatus"], order_now["documents"][0]["id"]) == ("reversibleLocked", found["id"])
    assert api.put(f"/rest/orders/{made['id']}", {"orderItems": [item(1)]}).status_code == 422
    assert api.post(f"{path}/invoice/generate").status_code == 422


def test_an_uploaded_document_comes_back_byte_for_byte(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/documents"
    body = {"documents": [{"content": PDF, "numberWithPrefix": "INV-1001", "number": 1001}]}
    uploaded = api.post(f"{path}/invoiceExternal", body).json()[0]
    assert (uploaded["type"], uploaded["numberWithPrefix"], uploaded["number"]) == (
        "invoice_external",
        "INV-1001",
        "1001",
    )
    assert api.get(f"/rest/documents/{uploaded['id']}").content == b"%PDF-1.4 ours"
    assert api.get(f"{path}/invoiceExternal", withContent="true").json()["entries"][0]["content"] == PDF
    assert api.get("/rest/orders", hasDocument="invoice_external").json()["totalsCount"] == 1
    empty = errors(api.post(f"{path}/invoiceExternal", {"documents": [{"content": "?"}]}))
    assert set(empty) == {"documents.0.content", "documents.0.numberWithPrefix"}
    assert api.post(f"{path}/invoice", body).status_code == 422


def test_a_credit_note_document_exists_only_on_a_credit_note(api: Api) -> None:
    made = cart(api)
    assert api.post(f"/rest/orders/{made['id']}/documents/credit_note/generate").status_code == 422
    credit = api.post(f"/rest/orders/{made['id']}/credit_notes", {}).json()
    assert api.post(f"/rest/orders/{credit['id']}/documents/credit_note/generate").status_code == 200
    assert api.get(f"/rest/orders/{credit['id']}/documents/creditNote/current").json()["type"] == "credit_note"
    assert api.get(f"/rest/orders/{made['id']}/documents/creditNote/current").status_code == 404


def test_the_list_of_documents_ignores_a_type(api: Api) -> None:
    made = cart(api)
    api.post(f"/rest/orders/{made['id']}/documents/delivery_note/generate")
    assert api.get("/rest/orders/documents", type="invoice", page=1).json()["totalsCount"] == 1
    assert api.get("/rest/orders/documents/invoice", page=1).json()["totalsCount"] == 0
    assert list(errors(api.get("/rest/orders/documents/find"))) == ["page", "itemsPerPage"]


def test_a_document_that_goes_unlocks_its_order(api: Api) -> None:
    made = cart(api)
    api.post(f"/rest/orders/{made['id']}/documents/invoice/generate")
    document = read(api, made["id"], "documents")["documents"][0]
    assert api.delete(f"/rest/orders/documents/{document['id']}").json() == {"affectedRows": 1}
    assert read(api, made["id"])["lockStatus"] == "unlocked"


# The rest


def test_a_tag_is_put_on_an_order_and_taken_off(api: Api) -> None:
    made = cart(api)
    api.post("/rest/tags/relationships", {"tagId": 1, "tagType": "order", "relationshipValue": made["id"]})
    assert len(api.get("/rest/tags/relationships", tagType="order", relationshipValue=made["id"]).json()) == 1
    assert api.delete(f"/rest/tags/relationships/{made['id']}/order/1").json() == {"affectedRows": 1}


def test_contacts_are_searched_by_conditions_and_variations_scrolled_by_a_cursor(api: Api) -> None:
    api.control("place", {"email": "eva@example.com"})
    body = {"conditionType": "and", "fields": [{"field": "email", "operator": "eq", "value": "eva@example.com"}]}
    assert api.post("/rest/accounts/contacts/search", body).json()["totalsCount"] == 1
    first = api.get("/rest/pim/variations/scroll", itemsPerPage=2, **{"with": "base"}).json()
    assert [row["base"]["number"] for row in first["entries"]] == ["MUG-1", "MUG-2"]
    rest = api.get("/rest/pim/variations/scroll", cursor=first["cursor"]).json()
    assert (len(rest["entries"]), rest["cursor"]) == (1, None)


def test_dates_of_an_order_are_set_and_read(api: Api) -> None:
    made = cart(api)
    api.put(f"/rest/orders/{made['id']}", {"dates": [{"typeId": 8, "date": "2026-12-01T00:00:00+01:00"}]})
    assert api.get(f"/rest/orders/{made['id']}/dates/8").json()["date"].startswith("2026-12-01")
    assert api.get(f"/rest/orders/{made['id']}/dates/9").status_code == 404
