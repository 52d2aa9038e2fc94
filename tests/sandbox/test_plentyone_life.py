"""The life of a marketplace's order in the PlentyONE stand-in: history, serial numbers, parts, papers, money, return.

Shapes are held against the vendor's contract where it has one.
"""

import base64
import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.plentyone import build
from sandbox.plentyone.documents import pdf
from sandbox.plentyone.serials import imei
from sandbox.server import Server
from sandbox.warehouse import CannotWork, Warehouse, main
from tests.conftest import shared
from tests.contracts import violations
from tests.sandbox.test_plentyone import JSON, SKUS, Api, api, errors, order, payment, payment_body, values
from tests.sandbox.test_plentyone_children import cart, read, take

__all__ = ["api"]

IMEI = "356938035643809"


@functools.cache
def definitions() -> JSON:
    found: JSON = json.loads((shared() / "contracts/plentyone/openApiV2WithExamples.min.json").read_text())
    return dict(found["definitions"])


def fits(row: JSON, definition: str) -> None:
    """Every field of the definition is there, with its type or empty."""
    kinds: dict[str, Any] = {"integer": int, "string": str, "number": (int, float), "boolean": bool}
    for name, described in definitions()[definition]["properties"].items():
        assert name in row, f"{definition} without {name}"
        assert row[name] is None or isinstance(row[name], kinds[described["type"]]), f"{name} {row[name]!r}"


def history(api: Api, number: int) -> list[float]:
    return [row["statusId"] for row in api.get(f"/rest/orders/{number}/status-history").json()]


def moved(api: Api, number: int, act: Any) -> bool:
    """Whether `updatedAt` is another three seconds after something was done."""
    before = read(api, number)["updatedAt"]
    api.control("advance", {"seconds": 3})
    act()
    after = read(api, number)
    assert after["updatedAt"] == next(row["date"] for row in after["dates"] if row["typeId"] == 4)
    return bool(after["updatedAt"] > before)


def link(api: Api, paid: JSON, number: int) -> None:
    assert api.post(f"/rest/payment/{paid['id']}/order/{number}").status_code == 200


def debit(api: Api, amount: float, text: str, **changes: Any) -> requests.Response:
    properties = [{"typeId": 3, "value": text}]
    return api.post("/rest/payments", payment_body(amount, type="debit", status=9, properties=properties, **changes))


# Status history


def test_every_change_of_status_is_kept_with_who_and_why(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}"
    api.put(path, {"statusId": 5})
    api.put(path, {"statusId": 5})
    api.post(f"/rest/sales_orders/{made['id']}/book", {"message": "raus"})
    api.control("cancel", {"id": made["id"], "statusId": 8.1})
    api.put(f"{path}/cancel", {"statusId": 8, "message": "Kunde will nicht"})
    rows = api.get(f"{path}/status-history").json()
    assert [row["statusId"] for row in rows] == [3, 5, 7, 8.1, 8]
    assert [row["procedureText"] for row in rows] == ["", "", "raus", "", "Kunde will nicht"]
    assert [row["userId"] for row in rows] == [11, 11, 11, 1, 11]
    for row in rows:
        fits(row, "StatusHistoryEntry")


def test_what_the_tenant_does_by_itself_is_in_the_history_too(api: Api) -> None:
    api.control("configure", {"paid_status": "4"})
    made = cart(api)
    link(api, payment(api, 49.89), made["id"])
    assert history(api, made["id"]) == [3, 4]


def test_a_status_may_be_passed_through_in_one_second(api: Api) -> None:
    api.control("procedure", {"statusId": 5, "then": 5.1, "typeId": 1, "name": "Extern"})
    api.control("procedure", {"statusId": 5.1, "then": 6, "referrerId": 10})
    api.control("procedure", {"statusId": 6, "then": 5})
    made = cart(api)
    assert api.put(f"/rest/orders/{made['id']}", {"statusId": 5}).json()["statusId"] == 5
    rows = api.get(f"/rest/orders/{made['id']}/status-history").json()
    assert [row["statusId"] for row in rows] == [3, 5, 5.1, 6, 5]
    assert rows[2]["procedureText"] == "Extern"
    other = cart(api, external="2", referrerId=183)
    api.put(f"/rest/orders/{other['id']}", {"statusId": 5})
    assert history(api, other["id"]) == [3, 5, 5.1]
    api.control("procedure", {"clear": True})
    api.put(f"/rest/orders/{made['id']}", {"statusId": 5.1})
    assert history(api, made["id"])[-1] == 5.1


def test_the_whole_history_is_an_envelope_with_filters(api: Api) -> None:
    one, two = cart(api), cart(api, external="2")
    api.control("advance", {"seconds": 10})
    since = api.state()["now"]
    api.put(f"/rest/orders/{two['id']}", {"statusId": 5})
    api.control("cancel", {"id": one["id"]})

    def found(**query: Any) -> list[tuple[int, float]]:
        answer = api.get("/rest/orders/status-history", **query).json()
        assert {"page", "totalsCount", "isLastPage", "lastPageNumber"} <= set(answer)
        return [(row["orderId"], row["statusId"]) for row in answer["entries"]]

    assert found() == [(one["id"], 3), (two["id"], 3), (two["id"], 5), (one["id"], 8)]
    assert found(orderId=two["id"]) == [(two["id"], 3), (two["id"], 5)]
    assert found(statusId=5) == [(two["id"], 5)]
    assert found(createdAtFrom=since) == [(two["id"], 5), (one["id"], 8)]
    assert found(createdAtTo=one["createdAt"])[0] == (one["id"], 3)
    assert (two["id"], 5) not in found(createdAtTo=one["createdAt"])
    assert found(userId=1) == [(one["id"], 8)]
    assert found(itemsPerPage=1, page=3) == [(two["id"], 5)]
    broken = api.http.get(f"{api.base}/rest/orders/status-history?createdAtFrom=2026-05-19T00:00:00+02:00", timeout=5)
    assert list(errors(broken)) == ["createdAtFrom"]


@pytest.mark.parametrize("status", [403, 404])
def test_a_tenant_may_lack_the_right_to_its_history(api: Api, status: int) -> None:
    made = cart(api)
    paths = ("/rest/orders/status-history", f"/rest/orders/{made['id']}/status-history")
    api.control("configure", {"status_history": False, "status_history_refusal": status})
    for path in paths:
        refused = api.get(path)
        assert refused.status_code == status
        assert ("missing_permissions" in refused.json()["error"]) is (status == 403)
    api.put(f"/rest/orders/{made['id']}", {"statusId": 5})
    assert [row["statusId"] for row in api.control("status_history", {"id": made["id"]})] == [3, 5]
    api.control("configure", {"status_history": True})
    assert history(api, made["id"]) == [3, 5]


def test_the_history_of_one_order_may_come_in_an_envelope(api: Api) -> None:
    made = cart(api)
    api.control("configure", {"status_history_enveloped": True})
    answer = api.get(f"/rest/orders/{made['id']}/status-history").json()
    assert [row["statusId"] for row in answer["entries"]] == [3]
    wrong = requests.post(f"{api.base}/_sandbox/control/configure", json={"status_history_refusal": 500}, timeout=5)
    assert wrong.status_code == 400


# Serial numbers


def test_a_serial_number_is_read_at_its_item_at_its_order_and_in_a_search(api: Api) -> None:
    made, other = cart(api), cart(api, external="2")
    item = made["orderItems"][0]["id"]
    path = f"/rest/orders/{made['id']}/items"
    bound = api.post(f"{path}/{item}/serialNumbers", {"serialNumber": IMEI}).json()
    fits(bound, "OrderSerialNumber")
    assert (bound["orderId"], bound["orderItemId"], bound["serialNumber"]) == (made["id"], item, IMEI)
    assert api.get(f"{path}/serialNumbers").json() == [bound] == api.get(f"{path}/{item}/serialNumbers").json()
    assert api.get(f"{path}/{made['orderItems'][1]['id']}/serialNumbers").json() == []
    assert api.get(f"{path}/{other['orderItems'][0]['id']}/serialNumbers").status_code == 404
    assert errors(api.post(f"{path}/{item}/serialNumbers", {}))
    items = read(api, made["id"], "orderItems.serialNumbers")["orderItems"]
    assert [row["serialNumbers"] for row in items] == [[bound], [], [], []]
    assert "serialNumbers" not in read(api, made["id"])["orderItems"][0]
    listed = api.get("/rest/orders", **{"with[]": "orderItems.serialNumbers"}).json()["entries"]
    assert listed[0]["orderItems"][0]["serialNumbers"] == [bound]
    simple = api.get("/rest/orders/search", serialNumber=f"eq:{IMEI}").json()["entries"]
    body = {"fields": [{"field": "serialNumber", "operator": "eq", "value": IMEI}]}
    assert [row["id"] for row in simple] == [made["id"]]
    assert [row["id"] for row in api.post("/rest/orders/search", body).json()["entries"]] == [made["id"]]
    assert api.get("/rest/orders/search", serialNumber="eq:1").json()["entries"] == []


def test_the_same_number_twice_is_taken_and_seen_in_the_state(api: Api) -> None:
    made = cart(api)
    for _ in range(2):
        api.control("scan", {"id": made["id"], "sku": "MUG-1", "serialNumber": IMEI})
    item = made["orderItems"][0]["id"]
    assert api.state()["duplicates"]["serials"][0]["key"] == [item, IMEI]
    assert api.state()["orders"][0]["serialNumbers"] == [IMEI, IMEI]


def test_a_movement_of_an_item_carries_an_identification(api: Api) -> None:
    made = cart(api)
    item = made["orderItems"][0]["id"]
    path = f"/rest/orders/items/{item}/transactions"
    body = {"orderItemId": item, "quantity": 1, "direction": "out", "status": "regular", "identification": IMEI}
    moved_out = api.post(path, body).json()
    fits(moved_out, "OrderItemTransaction")
    assert (moved_out["orderItemId"], moved_out["identification"], moved_out["direction"]) == (item, IMEI, "out")
    example = json.loads((shared() / "fixtures/plentyone/docs_examples/order_item_transaction_create.json").read_text())
    assert api.post(path, example).json()["userId"] == 3
    assert [row["identification"] for row in api.get(path).json()] == [IMEI, None]
    found = read(api, made["id"], "orderItems.transactions")["orderItems"]
    assert [len(row["transactions"]) for row in found] == [2, 0, 0, 0]
    assert set(errors(api.post(path, {"direction": "up"}))) == {"quantity", "direction", "status"}
    assert api.post("/rest/orders/items/1/transactions", body).status_code == 404


def test_movements_are_made_together_searched_changed_and_deleted(api: Api) -> None:
    made = cart(api)
    ids = [row["id"] for row in made["orderItems"][:2]]
    path = "/rest/orders/items/transactions"
    rows = [{"orderItemId": each, "quantity": 1, "direction": "out", "status": "regular"} for each in ids]
    assert list(errors(api.post(path, [rows[0], {**rows[1], "orderItemId": 1}]))) == ["1.orderItemId"]
    assert api.state()["counts"]["transactions"] == 0
    first, second = api.post(path, rows).json()
    assert api.get(path, orderId=made["id"], direction="out").json()["totalsCount"] == 2
    assert [row["id"] for row in api.get(path, orderItemId=ids[1]).json()["entries"]] == [second["id"]]
    changed = api.put(f"{path}/{first['id']}", {"batch": "B1", "quantity": 9}).json()
    assert (changed["batch"], changed["quantity"]) == ("B1", 1)
    assert api.delete(f"{path}/{first['id']}").json() == {"affectedRows": 1}
    assert api.get(path).json()["totalsCount"] == 1


def test_a_worker_scans_what_is_on_the_box(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    made = cart(api)
    people = Warehouse(api.base)
    assert people.scan(made["id"], "MUG-1", IMEI)["serialNumber"] == IMEI
    assert [row["serialNumber"] for row in people.scan(made["id"], "MUG-2", "S1", "S2")] == ["S1", "S2"]
    made_up = people.scan(made["id"], "MUG-1")["serialNumber"]
    assert re.fullmatch(r"\d{15}", made_up)
    both = people.scan(made["id"], "MUG-1", "S3", **{"as": "both"})
    assert (both[0]["serialNumber"], both[1]["identification"]) == ("S3", "S3")
    moved_out = people.scan(made["id"], "MUG-1", "S4", **{"as": "transaction"})
    assert (moved_out["identification"], moved_out["direction"], moved_out["status"]) == ("S4", "out", "regular")
    arguments = ["--order", str(made["id"]), "--line", "MUG-2", "--serial", "012345678901237"]
    assert main(["scan", "--url", api.base, *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["serialNumber"] == "012345678901237"
    assert api.state()["orders"][0]["serialNumbers"] == [IMEI, "S1", "S2", made_up, "S3", "012345678901237"]
    people.act("unscan", id=made["id"], serialNumber=IMEI)
    assert IMEI not in api.state()["orders"][0]["serialNumbers"]


@pytest.mark.parametrize(
    ("action", "body", "words"),
    [
        ("scan", {"sku": "NO", "serialNumber": "1"}, "has no line"),
        ("scan", {"lines": [{"sku": "MUG-1"}, {"sku": "MUG-2"}]}, "names one line"),
        ("scan", {"sku": "MUG-1", "as": "photo"}, "not 'photo'"),
        ("unscan", {"serialNumber": "1"}, "no serial number 1"),
        ("invoice", {"bytes": 0}, "bytes is a whole number"),
        ("procedure", {"statusId": 77, "then": 5}, "There is no status 77"),
        ("referrer", {"id": 4711}, "There is no referrer 4711"),
    ],
)
def test_what_these_actions_cannot_do_is_said(api: Api, action: str, body: JSON, words: str) -> None:
    made = cart(api)
    named = {} if action in ("procedure", "referrer") else {"externalId": values(made)[7]}
    with pytest.raises(CannotWork, match=words):
        Warehouse(api.base).act(action, **named, **body)


def test_a_made_up_imei_passes_luhn() -> None:
    assert imei(564380) == IMEI


# Deliveries


def test_different_serial_numbers_go_in_delivery_orders_of_their_own(api: Api) -> None:
    made = cart(api)
    people = Warehouse(api.base)
    parts = [
        people.act(
            "ship_part",
            id=made["id"],
            lines=[{"sku": "MUG-1", "quantity": 1, "serialNumber": number}],
            packageNumber=f"JD-{number}",
        )
        for number in ("S1", "S2")
    ]
    for part, number in zip(parts, ("S1", "S2"), strict=True):
        seen = read(api, part["id"], "orderItems.serialNumbers", "shippingPackages")
        assert (seen["typeId"], len(seen["orderItems"])) == (2, 1)
        assert (seen["orderItems"][0]["quantity"], seen["referrerId"]) == (1, 10)
        assert [row["serialNumber"] for row in seen["orderItems"][0]["serialNumbers"]] == [number]
        assert [row["packageNumber"] for row in seen["shippingPackages"]] == [f"JD-{number}"]
        assert seen["orderReferences"][0]["referenceOrderId"] == made["id"]
        assert seen["orderItems"][0]["references"][0]["referenceOrderItemId"] == made["orderItems"][0]["id"]
        assert history(api, part["id"])[-1] == 7
    assert api.get(f"/rest/orders/{made['id']}/packagenumbers").json() == []
    assert api.get(f"/rest/orders/{made['id']}/items/serialNumbers").json() == []


def test_a_delivery_order_is_changed_and_booked_by_its_own_routes(api: Api) -> None:
    made = cart(api)
    part = api.post(f"/rest/orders/{made['id']}/delivery_orders", {"quantities": take(made, 1)}).json()
    path = f"/rest/delivery_orders/{part['id']}"
    assert api.put(path, {"statusId": 6}).json()["statusId"] == 6
    assert api.post(f"{path}/book", {}).status_code == 200
    booked = read(api, part["id"])
    assert (booked["statusId"], 5 in {row["typeId"] for row in booked["dates"]}) == (7, True)
    assert history(api, part["id"]) == [3, 6, 7]
    assert read(api, made["id"])["statusId"] == 3
    assert api.post(f"{path}/cancel_booking", {}).status_code == 200
    assert api.post(f"/rest/delivery_orders/{made['id']}/book", {}).status_code == 422
    assert api.delete(path).json() == {"affectedRows": 1}


# Documents


def test_a_generated_invoice_is_pending_and_then_a_pdf(api: Api) -> None:
    api.control("configure", {"document_seconds": 60.0})
    made = cart(api)
    path = f"/rest/orders/{made['id']}/documents/invoice"
    api.post(f"{path}/generate")
    pending = api.get(path, withContent="true").json()["entries"][0]
    assert (pending["status"], "content" in pending) == ("pending", False)
    fits({"content": None, **pending, "number": int(pending["number"]), "userId": 11}, "Document")
    assert api.get(f"/rest/documents/{pending['id']}").status_code == 404
    fits(api.get(f"/rest/documents/{pending['id']}/status").json(), "DocumentGeneration")
    api.control("advance", {"seconds": 60})
    done = api.get(path, withContent="true").json()["entries"][0]
    assert (done["status"], done["numberWithPrefix"]) == ("done", "331")
    answer = api.get(f"/rest/documents/{done['id']}")
    assert answer.headers["Content-Type"] == "application/pdf"
    assert base64.b64decode(done["content"]) == answer.content
    assert answer.content.startswith(b"%PDF-1.")
    assert answer.content.rstrip().endswith(b"%%EOF")
    assert values(read(api, made["id"]))[33] == "331"


@pytest.mark.parametrize("size", [None, 4_000, 1_048_576, 1_048_577, 2_097_153])
def test_a_pdf_is_as_big_as_asked_for_and_its_table_is_right(size: int | None) -> None:
    made = pdf("invoice 331", size)
    assert len(made) == size if size else len(made) < 1_000
    start = int(made.rsplit(b"startxref\n", 1)[1].split()[0])
    assert made[start:].startswith(b"xref")
    for number, place in enumerate(re.findall(rb"(\d{10}) 00000 n", made[start:]), 1):
        assert made[int(place) :].startswith(b"%d 0 obj" % number)


def test_an_invoice_may_be_bigger_than_a_marketplace_takes(api: Api) -> None:
    big, every = cart(api), cart(api, external="2")
    people = Warehouse(api.base)
    document = people.act("invoice", id=big["id"], bytes=1_500_000, number="R-1")
    assert (len(api.get(f"/rest/documents/{document['id']}").content), document["numberWithPrefix"]) == (
        1_500_000,
        "R-1",
    )
    api.control("configure", {"document_bytes": 2_200_000})
    api.post(f"/rest/orders/{every['id']}/documents/invoice/generate")
    found = api.get(f"/rest/orders/{every['id']}/documents/invoice/current", withContent="true").json()
    assert len(base64.b64decode(found["content"])) == 2_200_000


# Payments


def test_a_debit_lowers_what_is_paid_and_names_its_parent(api: Api) -> None:
    made = cart(api)
    paid = payment(api, 49.89)
    link(api, paid, made["id"])
    answer = debit(api, 20, str(made["orderItems"][0]["id"]), parentId=paid["id"])
    refund = answer.json()
    assert (refund["type"], refund["status"], refund["parentId"], refund["parent"]["id"]) == (
        "debit",
        9,
        paid["id"],
        paid["id"],
    )
    for name in ("id", "amount", "mopId", "parentId", "currency", "type", "hash", "receivedAt", "status"):
        assert name in definitions()["Payment"]["properties"]
        assert refund[name] is not None
    assert re.fullmatch("[0-9a-f]{32}", refund["hash"])
    assert read(api, made["id"])["amounts"][0]["paidAmount"] == 49.89
    link(api, refund, made["id"])
    after = read(api, made["id"])
    assert (after["amounts"][0]["paidAmount"], values(after)[4]) == (29.89, "partlyPaid")
    assert {row["id"] for row in api.get(f"/rest/payments/orders/{made['id']}").json()} == {paid["id"], refund["id"]}
    assert api.get(f"/rest/payments/{paid['id']}").json()["children"] == [refund["id"]]
    relation = api.get(f"/rest/payments/{refund['id']}").json()["order"]
    fits(relation, "PaymentOrderRelation")


def test_the_same_debit_is_refused_unless_its_reason_differs_or_its_hash_is_made_anew(api: Api) -> None:
    made = cart(api)
    first, other = (str(row["id"]) for row in made["orderItems"][:2])
    assert debit(api, 5, first).status_code == 200
    assert errors(debit(api, 5, first)) == {"hash": ["The hash has already been taken."]}
    assert debit(api, 5, other).status_code == 200
    again = debit(api, 5, first, regenerateHash=True).json()
    twice = [row for row in api.state()["payments"] if row["bookingText"] == first]
    assert len(twice) == 2
    for row in twice:
        link(api, row, made["id"])
    assert [row["ids"] for row in api.state()["duplicates"]["debits"]] == [[twice[0]["id"], again["id"]]]


def test_a_debit_is_found_by_its_transaction(api: Api) -> None:
    payment(api, 5, "refund/1", type="debit", status=9)
    found = api.get("/rest/payments/property/1/refund%2F1").json()
    assert [(row["type"], row["amount"]) for row in found] == [("debit", 5)]
    assert api.get("/rest/payments/property/1/refund").json() == []


# Returns


def test_a_return_refers_to_what_was_sold_and_carries_reason_condition_and_number(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/returns"
    assert api.post(f"{path}/validate", {"quantities": take(made, 1)}).json() == []
    back = api.post(path, {"statusId": 9.1, "quantities": take(made, 1, 1)}).json()
    reasons = [{"id": row["id"], "properties": [{"typeId": 35, "value": "1"}, {"typeId": 36, "value": "2"}]}
               for row in back["orderItems"]]  # fmt: skip
    api.put(f"/rest/returns/{back['id']}", {"orderItems": reasons, "properties": [{"typeId": 80, "value": "R-7"}]})
    url = "<p>https://track.example.com/1</p>"
    comment = {"referenceType": "order", "referenceValue": back["id"], "text": url, "isVisibleForContact": False}
    assert api.post("/rest/comments", comment).status_code == 200
    seen = api.get("/rest/orders", orderType=3, parentOrderId=made["id"], **{"with[]": "comments"}).json()["entries"][0]
    assert (seen["id"], seen["typeId"], seen["statusId"], values(seen)[80]) == (back["id"], 3, 9.1, "R-7")
    assert [row["text"] for row in seen["comments"]] == [url]
    reference = seen["orderReferences"][0]
    assert (reference["originOrderId"], reference["referenceOrderId"]) == (made["id"], made["id"])
    sold = [row["id"] for row in made["orderItems"][:2]]
    assert [row["references"][0]["referenceOrderItemId"] for row in seen["orderItems"]] == sold
    assert [(values(row)[35], values(row)[36]) for row in seen["orderItems"]] == [("1", "2")] * 2
    for name in definitions()["Order"]["properties"].keys() & {"id", "typeId", "statusId", "plentyId", "referrerId"}:
        assert seen[name] is not None
    assert api.get("/rest/orders/search", orderProperty_80="eq:R-7").json()["totalsCount"] == 1


def test_no_more_comes_back_than_was_sold_until_a_return_is_deleted(api: Api) -> None:
    made = cart(api)
    path = f"/rest/orders/{made['id']}/returns"
    for place in (path, f"{path}/validate"):
        assert list(errors(api.post(place, {"quantities": take(made, 3)}))) == ["quantities.0.quantity"]
    back = api.post(path, {"quantities": take(made, 2)}).json()
    assert list(errors(api.post(path, {"quantities": take(made, 1)}))) == ["quantities.0.quantity"]
    assert api.delete(f"/rest/returns/{made['id']}").status_code == 422
    assert api.delete(f"/rest/returns/{back['id']}").json() == {"affectedRows": 1}
    assert api.get(f"/rest/orders/{back['id']}").status_code == 404
    assert api.post(path, {"quantities": take(made, 2)}).status_code == 200


def test_a_piece_comes_back_once_be_it_from_the_delivery_or_from_the_sale(api: Api) -> None:
    made = cart(api)
    part = api.post(f"/rest/orders/{made['id']}/delivery_orders", {"quantities": take(made, 1)}).json()
    sale, delivery = f"/rest/orders/{made['id']}/returns", f"/rest/orders/{part['id']}/returns"
    assert list(errors(api.post(delivery, {"quantities": take(part, 2)}))) == ["quantities.0.quantity"]
    assert api.post(delivery, {"quantities": take(part, 1)}).status_code == 200
    assert api.post(sale, {"quantities": take(made, 2)}).status_code == 422
    assert api.post(sale, {"quantities": take(made, 1)}).status_code == 200
    assert api.post(sale, {"quantities": take(made, 1)}).status_code == 422


# Referrers


def test_the_referrer_of_the_marketplace_may_be_hidden(api: Api) -> None:
    def shown() -> dict[str, bool]:
        return {row["id"]: row["isFilterable"] for row in api.get("/rest/orders/referrers").json()}

    assert {"0.00", "1.00", "4.01"} <= set(shown())
    assert shown()["183.00"] is True
    one = api.get("/rest/orders/referrers/183").json()
    fits({**one, "id": 183}, "OrderReferrer")
    api.control("referrer", {"id": 183, "visible": False})
    assert (shown()["183.00"], shown()["4.01"]) == (False, True)
    api.control("referrer", {"id": "183.00", "listed": False})
    assert "183.00" not in shown()
    assert api.get("/rest/orders/referrers/183").status_code == 404
    assert order(api, referrerId=183)["referrerId"] == 183
    api.control("referrer", {"id": 183, "visible": True, "listed": True})
    assert shown()["183.00"] is True


# Moving


def acts(api: Api, made: JSON) -> dict[str, Any]:
    path = f"/rest/orders/{made['id']}"
    item = made["orderItems"][0]["id"]
    movement = {"orderItemId": item, "quantity": 1, "direction": "out", "status": "regular"}
    note = {"referenceType": "order", "referenceValue": made["id"], "text": "x", "isVisibleForContact": False}
    return {
        "packages": [
            lambda: api.post(f"{path}/shipping/packages", {"packageId": 1, "packageType": 0}),
            lambda: api.control("pack", {"id": made["id"], "packageNumber": "JD1"}),
        ],
        "documents": [
            lambda: api.post(f"{path}/documents/invoice/generate"),
            lambda: api.control("delivery_note", {"id": made["id"]}),
        ],
        "serials": [
            lambda: api.post(f"{path}/items/{item}/serialNumbers", {"serialNumber": "1"}),
            lambda: api.post(f"/rest/orders/items/{item}/transactions", movement),
            lambda: api.control("scan", {"id": made["id"], "sku": "MUG-1"}),
        ],
        "payments": [lambda: link(api, payment(api, 1), made["id"]), lambda: api.control("pay", {"id": made["id"]})],
        "children": [
            lambda: api.post(f"{path}/returns", {"quantities": take(made, 1)}),
            lambda: api.post(f"{path}/delivery_orders", {"quantities": take(made, 1)}),
        ],
        "comments": [lambda: api.post("/rest/comments", note)],
    }


@pytest.mark.parametrize("kind", ["packages", "documents", "serials", "payments", "children", "comments"])
@pytest.mark.parametrize("moves", [True, False])
def test_what_comes_to_an_order_moves_it_or_not(api: Api, kind: str, moves: bool) -> None:
    made = cart(api)
    api.control("configure", {f"{kind}_move_order": moves})
    assert [moved(api, made["id"], act) for act in acts(api, made)[kind]] == [moves] * len(acts(api, made)[kind])


def test_a_change_of_status_always_moves_the_order(api: Api) -> None:
    api.control("configure", {"payments_move_order": False, "paid_status": "4"})
    made = cart(api)
    assert moved(api, made["id"], lambda: link(api, payment(api, 49.89), made["id"]))
    assert moved(api, made["id"], lambda: api.put(f"/rest/orders/{made['id']}", {"statusId": 5}))


# All together


def test_a_life_from_sale_to_refund_asks_only_what_the_contract_knows(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    server = Server(build(skus=SKUS), 0, record=record)
    server.start()
    try:
        api = Api(server.base_url)
        api.login()
        made = cart(api, referrerId=183)
        path, item = f"/rest/orders/{made['id']}", made["orderItems"][0]["id"]
        link(api, payment(api, 49.89), made["id"])
        api.put(path, {"statusId": 5})
        api.post(f"{path}/items/{item}/serialNumbers", {"serialNumber": IMEI})
        movement = {"orderItemId": item, "quantity": 1, "direction": "out", "status": "regular", "identification": IMEI}
        api.post(f"/rest/orders/items/{item}/transactions", movement)
        api.get("/rest/orders/search", serialNumber=f"eq:{IMEI}")
        part = api.post(f"{path}/delivery_orders", {"quantities": take(made, 2, 1)}).json()
        package = {"packageId": 1, "packageType": 0, "packageNumber": "JD1"}
        api.post(f"/rest/orders/{part['id']}/shipping/packages", package)
        api.post(f"/rest/delivery_orders/{part['id']}/book", {"message": "x"})
        api.post(f"{path}/documents/invoice/generate")
        api.get(f"{path}/documents/invoice/current", withContent="true")
        api.post(f"/rest/sales_orders/{made['id']}/book", {})
        back = api.post(f"{path}/returns", {"statusId": 9, "quantities": take(made, 1)}).json()
        api.put(f"/rest/orders/{back['id']}", {"properties": [{"typeId": 80, "value": "R-7"}]})
        link(api, debit(api, 20, str(item)).json(), made["id"])
        api.put(path, {"statusId": 9.6})
        query = {"createdAtFrom": made["createdAt"], "orderId": made["id"], "statusId": 7, "page": 1, "userId": 11}
        assert api.get("/rest/orders/status-history", **query).json()["totalsCount"] == 1
        assert history(api, made["id"]) == [3, 5, 7, 9.6]
        api.get("/rest/orders/referrers/183")
        state = api.state()
        assert {name: groups for name, groups in state["duplicates"].items() if groups} == {}
        assert state["orders"][0]["paidAmount"] == 29.89
    finally:
        server.stop()
    refused = [line for line in map(json.loads, record.read_text().splitlines()) if line["status"] != 200]
    assert refused == []
    assert violations(record) == []
