"""The refurbed stand-in over real HTTP, against systems/refurbed.md; every call is held against the vendor's Swagger."""

import base64
import json
import zlib
from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.__main__ import main
from sandbox.refurbed import TOKEN, build
from sandbox.refurbed.marketplace import Settings
from sandbox.refurbed.refurbed import CALLS
from sandbox.refurbed.states import ITEM_STATES, order_state
from sandbox.server import Server
from tests.conftest import shared
from tests.contracts import violations
from tests.refurbed_contract import answer_faults, knows, request_faults
from tests.sandbox.test_server import start

JSON = dict[str, Any]
PDF = b"%PDF-1.4\n%EOF\n"
URL = "https://track.example.org/parcel/00340000000000000017"
ORDERS, ORDER = "OrderService/ListOrders", "OrderService/GetOrder"
STATE, STATES = "OrderItemService/UpdateOrderItemState", "OrderItemService/BatchUpdateOrderItemsState"
UPDATE, UPDATES = "OrderItemService/UpdateOrderItem", "OrderItemService/BatchUpdateOrderItems"
REFUND, DRY = "OrderItemService/RefundOrderItem", "OrderItemService/CalculateRefundOrderItem"
INVOICE, RETURNS = "OrderService/SetOrderInvoiceStream", "OrderItemReturnService/ListOrderItemReturns"
CARRIERS = "ShippingProfileService/ListAvailableCarriers"


class Api:
    """A merchant's program. What it sends is of the contract, unless it says that it is `wild`."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Plain {TOKEN}"

    def send(self, name: str, body: Any = None, *, wild: bool = False, **more: Any) -> requests.Response:
        path = f"/refb.merchant.v1.{name}"
        sent = {} if body is None else body
        assert wild or list(request_faults("POST", path, sent)) == []
        answer = self.http.post(self.base + path, json=sent, timeout=5, **more)
        assert answer_faults(path, answer.status_code, answer.json()) == []
        return answer

    def call(self, name: str, body: Any = None, **more: Any) -> JSON:
        answer = self.send(name, body, **more)
        assert answer.status_code == 200, answer.text
        found: JSON = answer.json()
        return found

    def refused(self, name: str, body: Any = None, **more: Any) -> tuple[int, int, str]:
        """HTTP status, gRPC code and message of a refusal."""
        answer = self.send(name, body, **more)
        assert answer.status_code >= 400, answer.text
        said = answer.json()
        assert said["details"] == []
        return answer.status_code, said["code"], said["message"]

    def control(self, action: str, **body: Any) -> Any:
        answer = requests.post(f"{self.base}/_sandbox/control/{action}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def state(self) -> JSON:
        found: JSON = requests.get(f"{self.base}/_sandbox/state", timeout=5).json()
        return found

    def place(self, **wish: Any) -> JSON:
        found: JSON = self.control("place", **{"country": "DE", **wish})[0]
        return found

    def phone(self, **wish: Any) -> JSON:
        """The only item, of 349.00 EUR, of a new order."""
        item: JSON = self.place(items=[{"sku": "IP12-64-BLU-A"}], **wish)["items"][0]
        return item

    def order(self, number: str) -> JSON:
        found: JSON = self.call(ORDER, {"id": number})["order"]
        return found

    def ids(self, body: JSON) -> list[str]:
        return [each["id"] for each in self.call(ORDERS, body)["orders"]]

    def ship(self, item: JSON, **more: Any) -> JSON:
        self.call(STATE, {"id": item["id"], "state": "ACCEPTED"})
        given = {"id": item["id"], "state": "SHIPPED", "parcel_tracking_url": URL, **more}
        found: JSON = self.call(STATE, given)["order_item"]
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server(build(count=10, seed=1), 0)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def api(server: Server) -> Api:
    requests.post(f"{server.base_url}/_sandbox/reset", timeout=5).raise_for_status()
    server.faults.replace([])
    found = Api(server.base_url)
    found.control("configure", rate_limit=None)
    return found


# The door


def test_every_call_is_one_of_the_contract() -> None:
    assert [path for path in CALLS if not knows(path)] == []


@pytest.mark.parametrize("header", [None, "", TOKEN, f"Bearer {TOKEN}", "Plain", "Plain wrong"])
def test_without_the_right_token_everything_is_refused(api: Api, header: str | None) -> None:
    api.http.headers.pop("Authorization")
    headers = {} if header is None else {"Authorization": header}
    assert api.refused(CARRIERS, headers=headers)[:2] == (401, 16)
    assert api.refused(ORDER, {"id": "1"}, headers=headers)[:2] == (401, 16)


def test_a_token_dies_after_two_months_without_use(api: Api) -> None:
    api.control("advance", seconds=59 * 86_400)
    api.call(CARRIERS)
    api.control("advance", seconds=59 * 86_400)
    api.call(CARRIERS)
    api.control("advance", seconds=61 * 86_400)
    assert api.refused(CARRIERS)[:2] == (401, 16)
    api.control("issue_token", token="new")
    assert api.refused(CARRIERS)[:2] == (401, 16)
    api.call(CARRIERS, headers={"Authorization": "Plain new"})


def test_a_token_can_be_voided_by_control_and_by_fault(api: Api, server: Server) -> None:
    api.control("expire_token")
    assert api.refused(CARRIERS)[:2] == (401, 16)
    api.control("issue_token")
    rules = [{"kind": "expired_token", "system": "refurbed", "times": 1}]
    requests.put(f"{server.base_url}/_sandbox/faults", json=rules, timeout=5).raise_for_status()
    assert api.refused(CARRIERS)[:2] == (401, 16)
    assert api.refused(CARRIERS)[:2] == (401, 16)


def test_a_right_that_the_token_lacks_is_refused_for_its_calls_only(api: Api) -> None:
    api.control("forbid", path="*/RefundOrderItem")
    item = api.phone()
    given = {"id": item["id"], "currency_code": "EUR", "target_paid_amount": "0"}
    assert api.refused(REFUND, given)[:2] == (403, 7)
    api.call(DRY, given)
    api.control("allow")
    api.call(REFUND, given)


def test_the_eleventh_request_of_a_second_is_refused(api: Api) -> None:
    api.control("configure", rate_limit=10, window_seconds=60.0)
    left = [api.send(CARRIERS).headers["X-RateLimit-Remaining"] for _ in range(10)]
    assert left == [str(number) for number in range(9, -1, -1)]
    answer = api.send(CARRIERS)
    assert (answer.status_code, answer.json()["code"]) == (429, 8)
    assert answer.headers["X-RateLimit-Limit"] == "10"
    assert "Retry-After" not in answer.headers
    assert int(answer.headers["X-RateLimit-Reset"]) > 0
    api.control("advance", seconds=60)
    api.call(CARRIERS)


def test_the_limit_header_can_count_as_the_vendors_readme_has_it(api: Api) -> None:
    api.control("configure", rate_limit=10, window_seconds=60.0, limit_header_counts=True)
    api.control("advance", seconds=60)
    assert [api.send(CARRIERS).headers["X-RateLimit-Limit"] for _ in range(3)] == ["1", "2", "3"]


def test_only_known_calls_by_post_are_answered(api: Api) -> None:
    for method, path, status, code in [
        ("GET", "/refb.merchant.v1.OrderService/ListOrders", 501, 12),
        ("POST", "/refb.merchant.v1.OrderService/ListEverything", 501, 12),
        ("POST", "/v1/orders", 404, 5),
    ]:
        answer = api.http.request(method, api.base + path, json={}, timeout=5)
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


def test_what_is_no_json_or_of_a_wrong_type_is_refused(api: Api) -> None:
    path = f"{api.base}/refb.merchant.v1.{ORDERS}"
    assert api.http.post(path, data="{", timeout=5).json()["code"] == 3
    wrong: list[Any] = [
        [],
        {"filter": []},
        {"filter": {"state": {"any_of": ["SENT"]}}},
        {"filter": {"state": {"any_of": "NEW"}}},
        {"filter": {"id": {"any_of": ["x"]}}},
        {"filter": {"released_at": {"ge": "2026-02-01"}}},
        {"filter": {"released_at": {"ge": "2026-02-01T00:00:00"}}},
        {"filter": {"total_paid": {"ge": 10}}},
        {"filter": {"total_paid": {"ge": "123.456"}}},
        {"sort": {"by": "NAME"}},
        {"sort": {"order": "asc"}},
    ]
    for body in wrong:
        assert api.refused(ORDERS, body, wild=True)[:2] == (400, 3), body


def test_unknown_fields_are_ignored_without_a_word_and_noted(api: Api) -> None:
    body = json.loads((shared() / "fixtures/refurbed/antipattern_request_ignored_fields.json").read_text())
    assert len(api.call(ORDERS, body, wild=True)["orders"]) == 9
    noted = {(each["call"], each["field"]) for each in api.state()["ignored_fields"]}
    assert noted == {
        (ORDERS, name) for name in ("sort.field", "pagination.page_size", "pagination.page_token", "state_filters")
    }


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("list_orders_by_ids", ORDERS),
        ("list_orders_by_state", ORDERS),
        ("list_orders_id_cursor", ORDERS),
        ("list_orders_released_at", ORDERS),
        ("list_available_carriers", CARRIERS),
        ("update_order_item_state_accepted", STATE),
        ("update_order_item_state_shipped_legacy_identifier", STATE),
        ("batch_update_order_items_state_identifiers", STATES),
        ("batch_update_order_items_state_shipped", STATES),
        ("set_order_invoice_stream", INVOICE),
    ],
)
def test_requests_that_working_clients_send_are_taken(api: Api, name: str, call: str) -> None:
    body = json.loads((shared() / f"fixtures/refurbed/observed_request_{name}.json").read_text())
    if "SHIPPED" in json.dumps(body):
        for number in ("8800101", "8800102"):
            api.call(STATE, {"id": number, "state": "ACCEPTED"})
    found = api.call(call, body)
    assert all(each["status"]["code"] == 0 for each in found.get("results", ()))
    assert api.state()["ignored_fields"] == []


def test_answers_have_the_fields_of_the_composed_ones(api: Api) -> None:
    def composed(name: str) -> JSON:
        found: JSON = json.loads((shared() / f"fixtures/refurbed/synthetic_response_{name}.json").read_text())
        return found

    ours, theirs = api.order("4711001"), composed("list_orders")["orders"][0]
    assert set(ours) == set(theirs)
    assert [set(each) for each in ours["items"]] == [set(each) for each in theirs["items"]]
    item = api.ship(ours["items"][0], item_identifiers=[{"identifier_type": "IMEI", "value": "490154203237518"}])
    assert set(item) == set(composed("update_order_item_state")["order_item"])
    assert set(composed("list_order_item_returns")["returns"][0]) <= {
        name for each in api.call(RETURNS)["returns"] for name in each
    } | {"ticket_topic"}


def test_what_is_empty_can_be_left_out(api: Api) -> None:
    api.control("configure", omit_empty=True)
    assert api.call(ORDERS, {"filter": {"id": {"any_of": ["1"]}}}) == {}
    order = api.order("4711001")
    assert "has_invoice" not in order
    assert "item_identifiers" not in order["items"][0]
    assert order["total_refunded"] == "0.00"


# Lists


def test_pages_have_at_most_a_hundred_rows_and_one_cursor(api: Api) -> None:
    assert api.refused(ORDERS, {"pagination": {"limit": 101}})[:2] == (400, 3)
    assert api.refused(ORDERS, {"pagination": {"limit": -1}})[:2] == (400, 3)
    both = {"pagination": {"starting_after": "1", "ending_before": "9"}}
    for call in (ORDERS, RETURNS):
        assert api.refused(call, both)[:2] == (400, 3)
    api.control("place", count=120)
    found = api.call(ORDERS)
    assert (len(found["orders"]), found["has_more"]) == (100, True)


@pytest.mark.parametrize(
    ("by", "order"), [*product(["ID", "RELEASED_AT", "TOTAL_CHARGED", "CURRENCY_CODE"], ["ASC", "DESC"])]
)
def test_cursors_show_every_row_once_forwards_and_backwards(api: Api, by: str, order: str) -> None:
    sort = {"by": by, "order": order}
    whole = api.ids({"sort": sort})
    assert len(whole) == 9
    forwards: list[str] = []
    while True:
        pagination = {"limit": 3, **({"starting_after": forwards[-1]} if forwards else {})}
        page = api.call(ORDERS, {"sort": sort, "pagination": pagination})
        forwards += [each["id"] for each in page["orders"]]
        if not page["has_more"]:
            break
    assert forwards == whole
    back = api.call(ORDERS, {"sort": sort, "pagination": {"limit": 4, "ending_before": whole[-1]}})
    assert ([each["id"] for each in back["orders"]], back["has_more"]) == (whole[-5:-1], True)
    first = api.call(ORDERS, {"sort": sort, "pagination": {"limit": 4, "ending_before": whole[2]}})
    assert ([each["id"] for each in first["orders"]], first["has_more"]) == (whole[:2], False)


def test_an_order_released_late_hides_behind_the_id_cursor_but_not_from_its_release(api: Api) -> None:
    early = api.control("place", released=False)[0]["id"]
    seen = api.place()
    assert early < seen["id"]
    assert early not in api.ids({})
    assert api.refused(ORDER, {"id": early})[:2] == (404, 5)
    api.control("advance", seconds=60)
    api.control("release", id=early)
    by_cursor = {"pagination": {"starting_after": seen["id"]}, "sort": {"by": "ID", "order": "ASC"}}
    assert api.ids(by_cursor) == []
    assert early in api.ids({"filter": {"released_at": {"gt": seen["released_at"]}}})


def test_a_release_may_lie_before_a_watermark_that_was_already_read(api: Api) -> None:
    early = api.control("place", released=False)[0]["id"]
    seen = api.place()
    before = "2026-01-01T00:00:00Z"
    api.control("release", id=early, released_at=before)
    assert early not in api.ids({"filter": {"released_at": {"ge": seen["released_at"]}}})
    assert early in api.ids({"filter": {"state": {"any_of": ["NEW"]}}})
    assert api.order(early)["released_at"] == "2026-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"id": {"any_of": ["4711001", 4711003]}}, {1, 3}),
        ({"id": {"none_of": ["4711001"]}, "state": {"any_of": ["NEW"]}}, {2, 3, 4, 5, 6}),
        ({"state": {"any_of": []}}, {1, 2, 3, 4, 5, 6, 7, 8, 9}),
        ({"state": {"any_of": ["SHIPPED", "ACCEPTED"]}}, {7, 8, 9}),
        ({"labels": {"all_of": ["PROCESSING"]}}, {7}),
        ({"customer_email": {"contains": "@EXAMPLE.org"}, "currency_code": {"any_of": ["SEK"]}}, {5}),
        ({"address": {"matches": "götgatan stockholm"}}, {5}),
        ({"shipping_address_country_code": {"any_of": ["PL", "CH"]}}, {7, 8}),
        ({"invoice_address_entity": {"any_of": ["COMPANY"]}}, {3}),
        ({"invoice_address_vatin": {"contains": "it000"}}, {4}),
        ({"total_charged": {"ge": "609.77", "lt": "648"}}, {8}),
        ({"total_charged": {"any_of": ["648"]}}, {1}),
        ({"has_invoice": {"value": True}}, set()),
        ({"is_return_initiated": {"value": True}}, {9}),
        ({"is_return_shipment_label_used": {"value": True}}, set()),
        ({"item_name": {"matches": "ipad"}}, {6}),
        ({"item_sku": {"any_of": [""]}}, {6}),
        ({"item_sku": {"contains": "s21"}}, {7}),
        ({"item_offer_id": {"any_of": ["990005"]}}, {5, 9}),
        ({"settlement_currency_code": {"none_of": ["EUR"]}}, set()),
    ],
)  # fmt: skip
def test_orders_are_filtered(api: Api, given: JSON, expected: set[int]) -> None:
    assert {int(number) - 4_711_000 for number in api.ids({"filter": given})} == expected


def test_items_of_an_order_are_listed_and_those_of_an_unknown_one_are_none(api: Api) -> None:
    call = "OrderItemService/ListOrderItemsByOrder"
    found = api.call(call, {"order_id": "4711001", "filter": {"taxation": {"any_of": ["MARGINAL"]}}})
    assert [each["sku"] for each in found["order_items"]] == ["IP12-64-BLU-A"]
    assert api.call(call, {"order_id": "1"}) == {"order_items": [], "has_more": False}
    assert api.refused("OrderItemService/GetOrderItem", {"id": "1"})[:2] == (404, 5)


# States

LEGAL = {
    *(("NEW", "ACCEPTED"), ("NEW", "REJECTED"), ("NEW", "CANCELLED")),
    *(("ACCEPTED", "SHIPPED"), ("ACCEPTED", "CANCELLED"), ("SHIPPED", "RETURNED")),
}


@pytest.mark.parametrize(("now", "then"), [*product(ITEM_STATES, ITEM_STATES)])
def test_an_item_moves_only_as_documented(api: Api, now: str, then: str) -> None:
    item = api.phone(state=now)
    given = {"id": item["id"], "state": then, "parcel_tracking_url": URL}
    if (now, then) in LEGAL:
        assert api.call(STATE, given)["order_item"]["state"] == then
    else:
        assert api.refused(STATE, given) == (400, 3, f"illegal state transition from {now} to {then}")
        assert api.order(item["order_id"])["items"][0]["state"] == now


def test_an_accepted_item_is_no_longer_rejected_but_can_be_cancelled(api: Api) -> None:
    item = api.phone()
    api.call(STATE, {"id": item["id"], "state": "ACCEPTED"})
    assert api.refused(STATE, {"id": item["id"], "state": "REJECTED"})[:2] == (400, 3)
    api.call(STATE, {"id": item["id"], "state": "CANCELLED"})
    assert api.order(item["order_id"])["state"] == "CANCELLED"


def test_the_same_state_again_can_be_taken(api: Api) -> None:
    api.control("configure", repeated_state_taken=True)
    item = api.phone()
    for _ in range(2):
        api.call(STATE, {"id": item["id"], "state": "ACCEPTED"})


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("NEW SHIPPED", "NEW"),
        ("ACCEPTED SHIPPED", "ACCEPTED"),
        ("SHIPPED SHIPPED", "SHIPPED"),
        ("SHIPPED RETURNED", "FULFILLED"),
        ("REJECTED CANCELLED", "UNFULFILLED"),
        ("SHIPPED CANCELLED", "PARTIALLY_FULFILLED"),
        ("RETURNED RETURNED", "RETURNED"),
    ],
)
def test_an_orders_state_follows_from_its_items(states: str, expected: str) -> None:
    order = build(count=1).market.orders[4_711_001]
    for item, state in zip(order.items, states.split(), strict=True):
        item.state = state
    assert order_state(order.items) == expected


def test_labels_say_what_is_done_in_part_and_what_is_missing(api: Api) -> None:
    order = api.order("4711001")
    assert order["labels"] == ["MISSING_PARCEL_TRACKING_URLS", "MISSING_ITEM_IDENTIFIERS"]
    phone, notebook = order["items"]
    api.ship(phone, item_identifiers=[{"identifier_type": "IMEI", "value": "490154203237518"}])
    theirs = json.loads(
        (shared() / "fixtures/refurbed/synthetic_response_get_order_partially_shipped.json").read_text()
    )
    api.call(STATE, {"id": notebook["id"], "state": "ACCEPTED"})
    assert api.order("4711001")["labels"] == theirs["order"]["labels"]


@pytest.mark.parametrize("url", [None, "", "track.example.org/1", "ftp://track.example.org", "https://", "https://a b"])
def test_shipping_needs_a_tracking_url(api: Api, url: str | None) -> None:
    item = api.phone(state="ACCEPTED")
    given = {"id": item["id"], "state": "SHIPPED"} | ({} if url is None else {"parcel_tracking_url": url})
    given["parcel_carrier_tracking_number"] = {"carrier": "dhl", "tracking_number": "0034"}
    assert api.refused(STATE, given)[:2] == (400, 3)
    assert api.order(item["order_id"])["items"][0]["state"] == "ACCEPTED"


def test_a_tracking_url_set_before_is_enough_and_can_be_replaced_after_shipping(api: Api) -> None:
    item = api.phone(state="ACCEPTED")
    api.call(UPDATE, {"id": item["id"], "parcel_tracking_url": URL})
    assert api.call(STATE, {"id": item["id"], "state": "SHIPPED"})["order_item"]["parcel_tracking_url"] == URL
    other = api.call(UPDATE, {"id": item["id"], "parcel_tracking_url": f"{URL}9"})["order_item"]
    assert (other["parcel_tracking_url"], other["state"]) == (f"{URL}9", "SHIPPED")


def test_identifiers_are_kept_as_given_and_the_old_field_shows_the_first(api: Api) -> None:
    item, number = api.phone(state="ACCEPTED"), {"identifier_type": "IMEI", "value": "not fifteen digits"}
    found = api.call(UPDATE, {"id": item["id"], "item_identifiers": [number]})["order_item"]
    assert (found["item_identifiers"], found["item_identifier"]) == ([number], "not fifteen digits")
    found = api.call(UPDATE, {"id": item["id"], "item_identifier": "490154203237518"})["order_item"]
    assert found["item_identifiers"] == [{"identifier_type": "IMEI", "value": "490154203237518"}]


def test_a_carrier_is_one_of_the_list_and_is_never_shown_again(api: Api) -> None:
    slugs = [each["slug"] for each in api.call(CARRIERS)["carriers"]]
    item, number = api.phone(state="ACCEPTED"), {"carrier": slugs[0], "tracking_number": "0034"}
    found = api.ship(api.phone(), parcel_carrier_tracking_number=number)
    assert "0034" not in json.dumps(found).replace(URL, "")
    shown = api.control("order", id=found["order_id"])["carriers"]
    assert shown == {found["id"]: number}
    given = {"id": item["id"], "parcel_carrier_tracking_number": {"carrier": "pigeon", "tracking_number": "1"}}
    assert api.refused(UPDATE, given)[:2] == (400, 3)


def test_a_delivered_parcel_does_not_move_the_orders_state(api: Api) -> None:
    item = api.phone(state="ACCEPTED")
    api.control("ship_status", id=item["id"], status="DELIVERED")
    order = api.order(item["order_id"])
    assert (order["state"], order["items"][0]["shipment_status"]) == ("ACCEPTED", "DELIVERED")


# Batches


def test_a_batch_is_done_in_part_and_answers_in_order(api: Api) -> None:
    first, second, third = (api.phone(), api.phone(state="SHIPPED"), api.phone())
    updates = [{"id": each["id"], "state": "ACCEPTED"} for each in (first, second, third)]
    results = api.call(STATES, {"updates": [*updates, {"id": "1", "state": "ACCEPTED"}]})["results"]
    assert [each["status"]["code"] for each in results] == [0, 3, 0, 5]
    assert [each.get("order_item", {}).get("id") for each in results] == [first["id"], None, third["id"], None]


def test_a_batch_has_at_most_fifty_entries_and_one_more_does_nothing(api: Api) -> None:
    item = api.phone()
    updates = [{"id": item["id"], "state": "ACCEPTED"}, *({"id": "1", "state": "ACCEPTED"} for _ in range(50))]
    assert api.refused(STATES, {"updates": updates})[:2] == (400, 3)
    assert api.order(item["order_id"])["state"] == "NEW"
    assert len(api.call(STATES, {"updates": updates[:50]})["results"]) == 50
    entries = {"order_items": [{"id": item["id"], "parcel_tracking_url": URL}] * 51}
    assert api.refused(UPDATES, entries)[:2] == (400, 3)


def test_a_batch_under_the_wrong_name_answers_200_and_does_nothing(api: Api) -> None:
    item = api.phone()
    entries = [{"id": item["id"], "state": "ACCEPTED"}]
    for call, name in ((STATES, "order_items"), (STATES, "order_item_updates"), (UPDATES, "updates")):
        assert api.call(call, {name: entries}, wild=True) == {"results": []}
        assert {"call": call, "field": name, "times": 1} in api.state()["ignored_fields"]
    assert api.order(item["order_id"])["state"] == "NEW"


def test_a_faulty_entry_spoils_only_itself(api: Api) -> None:
    item = api.phone()
    updates = [{"id": item["id"], "state": "SENT"}, {"order_item_id": item["id"], "state": "ACCEPTED"}]
    updates.append({"id": item["id"], "state": "ACCEPTED"})
    results = api.call(STATES, {"updates": updates}, wild=True)["results"]
    assert [each["status"]["code"] for each in results] == [3, 5, 0]


def test_an_entry_can_be_made_to_fail_once(api: Api) -> None:
    items = [api.phone(), api.phone()]
    api.control("fail_item", id=items[1]["id"], code=13)
    updates = {"updates": [{"id": each["id"], "state": "ACCEPTED"} for each in items]}
    assert [each["status"]["code"] for each in api.call(STATES, updates)["results"]] == [0, 13]
    assert [each["status"]["code"] for each in api.call(STATES, updates)["results"]] == [3, 0]


# Refunds


def wanted(item: JSON, target: str, currency: str = "EUR") -> JSON:
    return {"id": item["id"], "currency_code": currency, "target_paid_amount": target}


def test_a_refund_goes_to_a_target_and_its_dry_run_changes_nothing(api: Api) -> None:
    item = api.phone()
    expected = {
        "currency_code": "EUR",
        "total_paid": "299.00",
        "total_refunded": "50.00",
        "refunded": "50.00",
        "refunded_refurbed": "5.00",
        "refunded_merchant": "45.00",
    }
    assert api.call(DRY, wanted(item, "299.00")) == expected
    assert api.order(item["order_id"])["total_refunded"] == "0.00"
    assert api.call(REFUND, wanted(item, "299.00")) == expected
    order = api.order(item["order_id"])
    assert (order["total_charged"], order["total_paid"], order["total_refunded"]) == ("349.00", "299.00", "50.00")


def test_a_repeated_refund_takes_nothing_more_or_is_refused(api: Api) -> None:
    item = api.phone()
    api.call(REFUND, wanted(item, "299.00"))
    again = api.call(REFUND, wanted(item, "299.00"))
    assert (again["refunded"], again["total_refunded"]) == ("0.00", "50.00")
    assert len(api.state()["duplicates"]["refunds"]) == 1
    api.control("configure", repeated_refund_taken=False)
    assert api.refused(REFUND, wanted(item, "299.00"))[:2] == (400, 3)
    api.call(REFUND, wanted(item, "0"))
    assert api.refused(REFUND, wanted(item, "0")) == (
        *(400, 9),
        "order item is not refundable: INELIGIBLE_ALREADY_REFUNDED",
    )


def test_a_refund_names_the_orders_currency_and_a_payable_amount(api: Api) -> None:
    item = api.phone()
    for given in (wanted(item, "0", "SEK"), wanted(item, "349.01"), wanted(item, "-1"), wanted(item, "1.234")):
        for call in (DRY, REFUND):
            assert api.refused(call, given)[:2] == (400, 3), given
    assert api.refused(REFUND, {"id": item["id"], "currency_code": "EUR", "target_paid_amount": 0}, wild=True)[1] == 3


def test_what_is_not_eligible_is_not_refunded_and_says_why(api: Api) -> None:
    def why(item: JSON) -> str:
        order = api.order(item["order_id"])
        assert order["is_refundable"] is order["items"][0]["is_refundable"] is False
        assert api.refused(DRY, wanted(item, "0"))[:2] == (400, 9)
        assert api.refused(REFUND, wanted(item, "0"))[:2] == (400, 9)
        assert api.refused("OrderService/RefundOrder", {"id": item["order_id"]})[:2] == (400, 9)
        return str(order["refund_eligibility"])

    assert why(api.phone(captured=False)) == "INELIGIBLE_UNCAPTURED_PAYMENT"
    item = api.phone()
    api.control("configure", ticket_required=True)
    assert why(item) == "INELIGIBLE_NO_TICKET"
    api.control("ticket", id=item["id"])
    api.call(DRY, wanted(item, "0"))
    api.control("advance", seconds=366 * 86_400)
    api.control("issue_token")
    assert why(item) == "INELIGIBLE_PERIOD_EXPIRED"


def test_an_orders_refund_takes_all_that_is_left(api: Api) -> None:
    order = api.order("4711001")
    api.call(REFUND, wanted(order["items"][0], "299.00"))
    given = {"id": order["id"]}
    dry = api.call("OrderService/CalculateRefundOrder", given)
    assert (dry["refunded"], dry["total_paid"], dry["total_refunded"]) == ("598.00", "0.00", "648.00")
    assert api.call("OrderService/RefundOrder", given) == dry
    assert api.refused("OrderService/RefundOrder", given)[:2] == (400, 9)
    assert api.order(order["id"])["refund_eligibility"] == "INELIGIBLE_ALREADY_REFUNDED"


def test_refurbed_may_pay_back_on_its_own(api: Api) -> None:
    item = api.phone()
    api.control("refund", id=item["id"], amount=49)
    assert api.order(item["order_id"])["total_paid"] == "300.00"
    assert api.state()["duplicates"]["refunds"] == []


def test_settled_totals_are_the_sums_of_rounded_items(api: Api) -> None:
    order = api.order("4711005")
    assert (order["currency_code"], order["settlement_currency_code"]) == ("SEK", "EUR")
    for name in ("charged", "paid", "refunded", "discount"):
        for prefix in ("total_", "settlement_total_"):
            parts = sum(Decimal(each[prefix + name]) for each in order["items"])
            assert Decimal(order[prefix + name]) == parts
    api.call(REFUND, wanted(order["items"][0], "100.01", "SEK"))
    for one in (order := api.order("4711005"), *order["items"]):
        for prefix in ("total_", "settlement_total_"):
            charged, paid, refunded = (Decimal(one[prefix + name]) for name in ("charged", "paid", "refunded"))
            assert (charged, refunded > 0) == (paid + refunded, one in (order, order["items"][0]))
    whole = (Decimal(order["total_charged"]) * Decimal(order["settlement_exchange_rate"])).quantize(Decimal("0.01"))
    assert abs(whole - Decimal(order["settlement_total_charged"])) <= Decimal("0.02")


# Invoices


def stream(number: str, *parts: bytes) -> list[JSON]:
    return [{"meta": {"order_id": number}}, *({"data": base64.b64encode(part).decode()} for part in parts)]


def test_an_invoice_is_taken_in_parts_and_can_be_fetched_for_a_day(api: Api) -> None:
    made = api.call(INVOICE, stream("4711001", PDF[:6], PDF[6:]))
    assert (made["size"], made["crc32"]) == (str(len(PDF)), f"{zlib.crc32(PDF):08x}")
    assert requests.get(made["url"], timeout=5).content == PDF
    assert api.order("4711001")["has_invoice"] is True
    url = api.call("OrderService/GetOrderInvoice", {"order_id": "4711001"})["url"]
    api.control("advance", seconds=25 * 3600)
    assert requests.get(url, timeout=5).status_code == 403
    assert api.call("OrderService/DeleteOrderInvoice", {"order_id": "4711001"}) == {}
    assert api.refused("OrderService/GetOrderInvoice", {"order_id": "4711001"})[:2] == (404, 5)


def test_a_message_has_one_megabyte_and_an_invoice_two(api: Api) -> None:
    mega = PDF + b" " * (1024**2 - len(PDF))
    rest = b" " * 1024**2
    assert api.call(INVOICE, stream("4711001", mega, rest))["size"] == str(2 * 1024**2)
    assert api.refused(INVOICE, stream("4711001", mega + b" "))[:2] == (400, 9)
    assert api.refused(INVOICE, stream("4711001", mega, rest, b" "))[:2] == (400, 9)


def test_only_a_pdf_for_a_known_order_is_an_invoice(api: Api) -> None:
    assert api.refused(INVOICE, stream("4711001", b"PK"))[:2] == (400, 3)
    assert api.refused(INVOICE, stream("4711001"))[:2] == (400, 3)
    assert api.refused(INVOICE, stream("4711001", PDF)[1:])[:2] == (400, 3)
    assert api.refused(INVOICE, [*stream("4711001", PDF), *stream("4711002", PDF)])[:2] == (400, 3)
    assert api.refused(INVOICE, {"meta": {"order_id": "4711001"}}, wild=True)[:2] == (400, 3)
    assert api.refused(INVOICE, stream("1", PDF))[:2] == (404, 5)
    assert api.state()["uploads"] == []


def test_an_order_is_invoiceable_for_thirty_days(api: Api) -> None:
    order = api.place()
    api.control("advance", seconds=29 * 86_400)
    api.call(INVOICE, stream(order["id"], PDF))
    api.control("advance", seconds=86_400)
    assert api.order(order["id"])["is_invoiceable"] is False
    assert api.refused(INVOICE, stream(order["id"], PDF))[:2] == (400, 9)
    api.control("edit", id=order["id"], invoiceable=True)
    api.call(INVOICE, stream(order["id"], PDF + b"new"))
    twice = api.state()["duplicates"]
    assert (len(twice["invoices"]), len(twice["invoices_replaced"])) == (0, 1)


# Returns


def test_a_return_travels_from_label_to_refund(api: Api) -> None:
    item = api.ship(api.phone(), item_identifiers=[{"identifier_type": "IMEI", "value": "490154203237518"}])
    made = api.control("return", id=item["id"])
    assert (made["state"], made["order_item_id"], made["order_id"]) == ("INITIATED", item["id"], item["order_id"])
    shown = api.order(item["order_id"])["items"][0]
    assert (shown["return_initiated"], shown["return_shipment_tracking_url"]) == (True, made["tracking_url"])
    mine = {"filter": {"order_item_identifier": {"any_of": ["490154203237518"]}}}
    for state in ("IN_TRANSIT", "DELIVERED"):
        api.control("move_return", id=made["id"], state=state)
    found = api.call(RETURNS, mine)["returns"]
    assert [each["state"] for each in found] == ["DELIVERED"]
    assert found[0]["delivered_at"]
    api.control("confirm_refund", id=made["id"])
    open_ones = {"filter": {"state": {"none_of": ["REFUNDED", "CONCLUDED"]}}}
    assert made["id"] not in [each["id"] for each in api.call(RETURNS, open_ones)["returns"]]
    late = {"filter": {"delivered_at": {"lt": "2020-01-01T00:00:00Z"}}, "sort": {"by": "DELIVERED_AT"}}
    assert api.call(RETURNS, late)["returns"] == []


def test_the_trial_period_ends_after_thirty_five_days(api: Api) -> None:
    within = [each["item_within_trial_period"] for each in api.call(RETURNS)["returns"]]
    api.control("advance", seconds=36 * 86_400)
    after = [each["item_within_trial_period"] for each in api.call(RETURNS)["returns"]]
    assert (within, after) == ([True], [False])


def test_what_was_recorded_is_held_against_the_contract(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    running = Server(build(count=1), 0, record=record)
    running.start()
    try:
        api = Api(running.base_url)
        api.call(ORDERS, {"pagination": {"limit": 5, "starting_after": 1}})
        api.call(INVOICE, stream("4711001", PDF))
        assert violations(record) == []
        api.call(ORDERS, {"pagination": {"page_size": 5}}, wild=True)
        api.refused(STATE, {"id": "8800101"}, wild=True)
    finally:
        running.stop()
    assert violations(record) == [
        "refurbed OrderService/ListOrders: field pagination.page_size is unknown",
        "refurbed OrderItemService/UpdateOrderItemState: required field state is missing",
    ]


# Made-up orders, the state and the command


def test_the_same_seed_makes_the_same_orders() -> None:
    def made(seed: int) -> list[Any]:
        market = build(count=22, seed=seed).market
        return [(each.email, each.shipping_address, [one.sku for one in each.items]) for each in market.orders.values()]

    assert made(7) == made(7) != made(8)


def test_made_up_orders_have_what_merchants_meet(api: Api) -> None:
    orders = api.call(ORDERS)["orders"]
    items = [item for order in orders for item in order["items"]]
    assert {each["taxation"] for each in items} == {"GROSS", "MARGINAL", "NET"}
    assert {each["vat_rate"] for each in items if each["taxation"] == "MARGINAL"} == {"0"}
    assert len({each["currency_code"] for each in orders}) > 3
    assert len({each["shipping_address"]["country_code"] for each in orders}) > 6
    addresses = [each["invoice_address"] for each in orders]
    assert any("company_vatin" in each for each in addresses)
    assert any("personal_vatin" in each for each in addresses)
    assert not any("vatin" in name for each in orders for name in each["shipping_address"])
    kinds = {one["identifier_type"] for each in items for one in each["item_identifiers"]}
    assert kinds == {"IMEI", "SERIAL_NUMBER"}
    two = api.order("4711002")["items"]
    assert two[0]["sku"] == two[1]["sku"]
    assert two[0]["id"] != two[1]["id"]
    api.control("configure", marginal_shows_rate=True)
    assert api.order("4711001")["items"][0]["vat_rate"] == "19"


def test_imeis_have_fifteen_digits_and_a_right_check_digit(api: Api) -> None:
    for order in api.call(ORDERS)["orders"]:
        for one in (one for each in order["items"] for one in each["item_identifiers"]):
            if one["identifier_type"] == "IMEI":
                doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(one["value"])]
                assert len(doubled) == 15
                assert sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def test_the_state_tells_what_was_done_twice(api: Api) -> None:
    assert not any(api.state()["duplicates"].values())
    item = api.phone()
    api.ship(item)
    api.refused(STATE, {"id": item["id"], "state": "ACCEPTED"})
    api.call(REFUND, wanted(item, "339.00"))
    api.call(REFUND, wanted(item, "329.00"))
    for _ in range(2):
        api.call(INVOICE, stream(item["order_id"], PDF))
    twice = api.state()["duplicates"]
    assert {name for name, groups in twice.items() if groups} == {"acceptances", "refund_amounts", "invoices"}
    assert (
        api.state()["counts"] | {"acceptances": 1, "shipments": 1, "refunds": 2, "invoices": 2} == api.state()["counts"]
    )


def test_controls_say_what_they_cannot_use(api: Api) -> None:
    for action, body, status, part in [
        ("release", {"id": 1}, 404, "There is no order 1."),
        ("place", {"country": "XX"}, 400, "There is no country 'XX'"),
        ("place", {"items": [{"price": "dear"}]}, 400, "place cannot use"),
        ("place", {"colour": "red"}, 400, "An order knows no colour"),
        ("return", {"id": 8800101}, 400, "only a shipped one comes back"),
        ("configure", {"speed": 1}, 400, "There is no setting speed"),
        ("configure", {"ticket_required": 1}, 400, "cannot be 1"),
        ("explode", {}, 404, "There is no action explode"),
    ]:
        answer = requests.post(f"{api.base}/_sandbox/control/{action}", json=body, timeout=5)
        assert (answer.status_code, part in answer.json()["error"]) == (status, True), answer.text


def test_every_setting_can_be_set(api: Api) -> None:
    fields = {name: value for name, value in vars(Settings()).items() if name != "token"}
    assert api.control("configure", **fields) == fields


def test_the_page_plays_the_marketplace(server: Server) -> None:
    answer = requests.get(f"{server.base_url}/_sandbox/", timeout=5)
    assert "the marketplace" in answer.text


def test_the_command_adds_refurbed_after_plentyone_when_asked() -> None:
    process, addresses = start("--port", "0", "--with", "refurbed", "--refurbed-orders", "2")
    try:
        assert list(addresses) == ["magento", "plentyone", "refurbed"]
        assert len(Api(addresses["refurbed"]).call(ORDERS)["orders"]) == 2
        login = {"username": "connector", "password": "from the environment"}
        token = requests.post(f"{addresses['plentyone']}/rest/login", json=login, timeout=5).json()["accessToken"]
        found = requests.get(
            f"{addresses['plentyone']}/rest/items/variations",
            params={"numberExact": "IP12-64-BLU-A"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        )
        assert [each["number"] for each in found.json()["entries"]] == ["IP12-64-BLU-A"]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_the_command_starts_refurbed_alone() -> None:
    process, addresses = start("--only", "refurbed", "--port", "0", "--refurbed-token", "own")
    try:
        assert list(addresses) == ["refurbed"]
        api = Api(addresses["refurbed"])
        assert api.refused(CARRIERS)[:2] == (401, 16)
        api.call(CARRIERS, headers={"Authorization": "Plain own"})
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_one_alone_and_one_more_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "plentyone", "--with", "refurbed"]) == 2
    assert capsys.readouterr().err == "--only plentyone starts nothing else; leave --with refurbed out.\n"
