"""The Magento stand-in over real HTTP, signed by another implementation of OAuth than its own."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.magento import build, projection
from sandbox.server import Server
from tests.sandbox.conftest import ALL, Shop, query, sign

SIZE = {"count": 60, "seed": 1}


def ids(answer: requests.Response | dict[str, Any]) -> list[int]:
    body = answer if isinstance(answer, dict) else answer.json()
    return [order["entity_id"] for order in body["items"]]


def test_a_signed_call_is_answered(shop: Shop) -> None:
    answer = shop.get("orders", query(size=5))
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == 5
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "GMT" in answer.headers["Date"]


@pytest.mark.parametrize("value", ["a b", "a+b", "ü&=%", "100%", "[x]", "2026-03-02 09:15:00", "~-._"])
def test_a_signature_covers_awkward_query_values(shop: Shop, value: str) -> None:
    assert shop.get("orders", query(("increment_id", "eq", value))).status_code == 200


def test_a_json_body_is_not_part_of_the_signature(shop: Shop) -> None:
    assert shop.post("orders/1/emails", {"any": "thing"}).json() is True


@pytest.mark.parametrize("wrong", ["client_secret", "resource_owner_secret"])
def test_a_wrong_secret_is_an_invalid_signature(shop: Shop, wrong: str) -> None:
    answer = shop.get("orders", ALL, auth=sign(**{wrong: "no"}))
    assert (answer.status_code, answer.json()) == (401, {"message": "The signature is invalid. Verify and try again."})


def test_a_query_changed_after_signing_is_an_invalid_signature(shop: Shop) -> None:
    request = requests.Request("GET", f"{shop.base}/rest/V1/orders", params=query(size=1), auth=shop.auth).prepare()
    request.url = str(request.url).replace("%5BpageSize%5D=1", "%5BpageSize%5D=2")
    answer = requests.Session().send(request, timeout=10)
    assert (answer.status_code, "signature is invalid" in answer.text) == (401, True)


def test_an_unknown_consumer_or_token_is_refused(shop: Shop) -> None:
    assert shop.get("orders", ALL, auth=sign(client_key="x")).status_code == 401
    assert shop.get("orders", ALL, auth=sign(resource_owner_key="x")).status_code == 401


@pytest.mark.parametrize("method", ["HMAC-SHA1", "PLAINTEXT", "HMAC-SHA512"])
def test_only_hmac_sha256_is_taken(shop: Shop, method: str) -> None:
    answer = shop.get("orders", ALL, auth=sign(signature_method=method))
    assert (answer.status_code, answer.json()["parameters"]) == (400, [method])


def test_a_nonce_is_used_once(shop: Shop) -> None:
    request = requests.Request("GET", f"{shop.base}/rest/V1/orders", params=query(size=1), auth=shop.auth).prepare()
    with requests.Session() as session:
        assert session.send(request, timeout=10).status_code == 200
        again = session.send(request, timeout=10)
    assert again.status_code == 401
    assert "nonce" in again.json()["message"]


def test_a_timestamp_may_be_ten_minutes_ahead(shop: Shop) -> None:
    assert shop.get("orders", ALL, auth=sign(timestamp=str(int(time.time()) + 590))).status_code == 200
    assert shop.get("orders", ALL, auth=sign(timestamp=str(int(time.time()) - 90_000))).status_code == 200
    assert shop.get("orders", ALL, auth=sign(timestamp=str(int(time.time()) + 700))).status_code == 400


def test_missing_parameters_are_named(shop: Shop) -> None:
    head = {"Authorization": 'OAuth oauth_consumer_key="ck", oauth_token="at"'}
    answer = shop.get("orders", ALL, auth=None, headers=head)
    assert answer.status_code == 400
    assert {error["parameters"]["fieldName"] for error in answer.json()["errors"]} == {
        "oauth_nonce", "oauth_signature_method", "oauth_signature", "oauth_timestamp",
    }  # fmt: skip


def test_without_credentials_the_right_is_missing(shop: Shop) -> None:
    answer = shop.get("orders", ALL, auth=None)
    assert answer.status_code == 401
    assert answer.json()["parameters"] == {"resources": "Magento_Sales::actions_view"}


def test_behind_a_proxy_that_hides_https_every_signature_fails(shop: Shop) -> None:
    shop.control("configure", wrong_scheme=True)
    assert "signature is invalid" in shop.get("orders", ALL).text


def test_an_integration_token_is_no_bearer_unless_the_merchant_allows_it(shop: Shop) -> None:
    head = {"Authorization": "Bearer at"}
    assert shop.get("orders", ALL, auth=None, headers=head).status_code == 401
    shop.control("configure", integration_as_bearer=True)
    assert shop.get("orders", ALL, auth=None, headers=head).status_code == 200


def test_an_admin_token_lasts_four_hours(shop: Shop) -> None:
    answer = shop.post("integration/admin/token", {"username": "admin", "password": "admin123"}, auth=None)
    head = {"Authorization": f"Bearer {answer.json()}"}
    assert shop.get("orders", ALL, auth=None, headers=head).status_code == 200
    shop.control("clock", offset=4 * 3600 + 1)
    assert shop.get("orders", ALL, auth=None, headers=head).status_code == 401


def test_with_two_factor_no_password_gets_a_token(shop: Shop) -> None:
    shop.control("configure", two_factor=True)
    body = {"username": "admin", "password": "admin123"}
    assert shop.post("integration/admin/token", body, auth=None).status_code == 401


def test_a_forbidden_right_is_named(shop: Shop) -> None:
    shop.control("forbid", resource="Magento_Sales::actions_view")
    answer = shop.get("orders", ALL)
    assert answer.status_code == 401
    assert answer.json()["message"].startswith("The consumer isn't authorized to access %resources")
    assert shop.get("store/storeViews").status_code == 200
    shop.control("allow", resource="Magento_Sales::actions_view")
    assert shop.get("orders", ALL).status_code == 200


@pytest.mark.parametrize(
    "prefix", ["/rest/V1", "/rest/all/V1", "/rest/default/V1", "/rest/de/V1", "/index.php/rest/pl/V1"]
)
def test_orders_are_the_same_under_every_store_code(shop: Shop, prefix: str) -> None:
    assert shop.get(f"{prefix}/orders", query(size=1)).json()["total_count"] == 60


@pytest.mark.parametrize("path", ["/rest/nowhere/V1/orders", "/rest/V1/nothing", "/rest/V2/orders", "/orders"])
def test_an_unknown_store_code_or_route_leads_nowhere(shop: Shop, path: str) -> None:
    answer = shop.get(path, ALL)
    assert (answer.status_code, answer.json()) == (404, {"message": "Request does not match any route."})


def test_the_cloud_service_has_a_tenant_and_a_store_header(shop: Shop) -> None:
    shop.control("configure", saas_tenant="acme")
    head = {"Authorization": "Bearer ims-token", "Store": "de"}
    assert shop.get("/acme/V1/orders", ALL, auth=None, headers=head).status_code == 200
    assert shop.get("/acme/V1/orders", ALL).status_code == 401
    assert shop.get("orders", ALL, auth=None, headers=head).status_code == 404


def test_a_list_without_criteria_is_refused(shop: Shop) -> None:
    answer = shop.get("orders")
    assert (answer.status_code, answer.json()["parameters"]) == (400, {"fieldName": "searchCriteria"})
    assert len(shop.get("orders", ALL).json()["items"]) == 60


def test_groups_are_and_filters_are_or(shop: Shop) -> None:
    everything = shop.orders()["items"]
    found = shop.get(
        "orders", query(("store_id", "eq", 2), any_of=[("status", "eq", "complete"), ("status", "eq", "canceled")])
    )
    expected = [o["entity_id"] for o in everything if o["store_id"] == 2 and o["status"] in ("complete", "canceled")]
    assert ids(found) == expected != []


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("eq", "5", [5]),
        ("neq", "5", [n for n in range(1, 61) if n != 5]),
        ("gt", "57", [58, 59, 60]),
        ("gteq", "58", [58, 59, 60]),
        ("moreq", "58", [58, 59, 60]),
        ("from", "58", [58, 59, 60]),
        ("lt", "3", [1, 2]),
        ("lteq", "2", [1, 2]),
        ("to", "2", [1, 2]),
        ("in", "3,60,999", [3, 60]),
        ("nin", ",".join(map(str, range(3, 61))), [1, 2]),
        ("finset", "7", [7]),
        ("like", "6_", [60]),
        ("like", "1%", [1, *range(10, 20)]),
        ("null", "", []),
        ("notnull", "", list(range(1, 61))),
    ],
)
def test_every_condition(shop: Shop, condition: str, value: str, expected: list[int]) -> None:
    assert ids(shop.get("orders", query(("entity_id", condition, value)))) == expected


def test_null_finds_what_rest_leaves_out(shop: Shop) -> None:
    guests = {o["entity_id"] for o in shop.orders()["items"] if "customer_id" not in o}
    assert set(ids(shop.get("orders", query(("customer_id", "null", ""))))) == guests != set()


def test_both_spellings_are_understood(shop: Shop) -> None:
    camel = {
        "searchCriteria[filterGroups][0][filters][0][field]": "entity_id",
        "searchCriteria[filterGroups][0][filters][0][value]": "58",
        "searchCriteria[filterGroups][0][filters][0][conditionType]": "gteq",
    }
    snake = {
        "searchCriteria[filter_groups][0][filters][0][field]": "entity_id",
        "searchCriteria[filter_groups][0][filters][0][value]": "58",
        "searchCriteria[filter_groups][0][filters][0][condition_type]": "gteq",
        "searchCriteria[page_size]": "2",
        "searchCriteria[current_page]": "2",
        "searchCriteria[sort_orders][0][field]": "entity_id",
        "searchCriteria[sort_orders][0][direction]": "asc",
    }
    assert ids(shop.get("orders", camel)) == [58, 59, 60]
    assert ids(shop.get("orders", snake)) == [60]


def test_the_direction_is_descending_unless_said(shop: Shop) -> None:
    assert ids(shop.get("orders", query(sort="entity_id", size=2))) == [60, 59]


def test_several_sorts_apply_in_turn(shop: Shop) -> None:
    found = shop.get("orders", query(sort="store_id DESC, entity_id ASC")).json()["items"]
    pairs = [(-order["store_id"], order["entity_id"]) for order in found]
    assert pairs == sorted(pairs)


def test_order_numbers_compare_as_text(shop: Shop) -> None:
    for number in ("9", "10"):
        shop.control("add_order", increment_id=number, updated_at="2026-01-01 00:00:00", items=[], store_id=1)
    found = shop.get("orders", query(("increment_id", "in", "9,10"), sort="increment_id ASC")).json()["items"]
    assert [order["increment_id"] for order in found] == ["10", "9"]


def test_pages_begin_at_one_and_zero_counts_as_one(shop: Shop) -> None:
    assert ids(shop.get("orders", query(size=25, page=0))) == ids(shop.get("orders", query(size=25, page=1)))
    assert ids(shop.get("orders", query(size=25, page=3))) == list(range(51, 61))


def test_past_the_end_is_empty_or_the_last_page_again(shop: Shop) -> None:
    assert ids(shop.get("orders", query(size=25, page=4))) == []
    shop.control("configure", past_end="repeat")
    assert ids(shop.get("orders", query(size=25, page=4))) == list(range(51, 61))


def test_the_criteria_are_echoed(shop: Shop) -> None:
    echo = shop.get("orders", query(("entity_id", "gt", "1"), size=2, page=1)).json()["search_criteria"]
    assert echo == {
        "filter_groups": [{"filters": [{"field": "entity_id", "value": "1", "condition_type": "gt"}]}],
        "sort_orders": [{"field": "entity_id", "direction": "ASC"}],
        "page_size": 2,
        "current_page": 1,
    }


def test_an_unknown_column_is_a_masked_error(shop: Shop) -> None:
    answer = shop.get("orders", query(("nonsense", "eq", "1")))
    assert (answer.status_code, "Report ID: webapi-" in answer.json()["message"]) == (500, True)


def test_a_page_size_limit_names_its_maximum(shop: Shop) -> None:
    shop.control("configure", max_page_size=30)
    answer = shop.get("orders", query(size=31))
    assert answer.status_code == 400
    assert answer.json() == {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": 30}}
    assert len(ids(shop.get("orders", query(size=30)))) == 30


def test_a_default_page_size_shortens_silently(shop: Shop) -> None:
    shop.control("configure", default_page_size=20)
    answer = shop.get("orders", ALL).json()
    assert (len(answer["items"]), answer["total_count"]) == (20, 60)


def test_fields_trim_the_answer(shop: Shop) -> None:
    params = query(size=2) | {"fields": "items[entity_id,billing_address[city]],total_count"}
    answer = shop.get("orders", params).json()
    assert list(answer) == ["items", "total_count"]
    assert [list(one) for one in answer["items"]] == [["entity_id", "billing_address"]] * 2
    assert list(answer["items"][0]["billing_address"]) == ["city"]


@pytest.mark.parametrize("wrong", ["items[entity_id", "items(entity_id)", "]", "a b"])
def test_malformed_fields_give_an_empty_list(shop: Shop, wrong: str) -> None:
    assert shop.get("orders", query(size=1) | {"fields": wrong}).json() == []
    assert projection.read(wrong) is None


def test_a_broken_order_kills_every_answer_that_it_is_in(shop: Shop) -> None:
    shop.control("configure", broken_orders=[7])
    answer = shop.get("orders", query(size=10))
    assert (answer.status_code, "requested product does not exist" in answer.text) == (404, True)
    assert shop.get("orders/7").status_code == 404
    assert shop.get("orders", query(("entity_id", "neq", "7"), size=10)).status_code == 200
    shop.control("configure", broken_with=500)
    assert shop.get("orders", query(size=10)).status_code == 500


def test_large_pages_die_in_the_gateway(shop: Shop) -> None:
    shop.control("configure", gateway_timeout_above=20)
    answer = shop.get("orders", query(size=40))
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (504, "text/html")
    assert shop.get("orders", query(size=20)).status_code == 200


@pytest.mark.parametrize(("switch", "status"), [("maintenance", 503), ("firewall", 200)])
def test_html_stands_where_json_was_expected(shop: Shop, switch: str, status: int) -> None:
    shop.control("configure", **{switch: True})
    answer = shop.get("orders", ALL)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (status, "text/html")


def test_one_order_is_the_same_as_in_the_list(shop: Shop) -> None:
    assert shop.get("orders/3").json() == shop.orders()["items"][2]
    assert shop.get("orders/3/statuses").json() == shop.orders()["items"][2]["status"]
    assert shop.get("orders/999").status_code == 404


def test_items_are_searchable_by_sku(shop: Shop) -> None:
    item = shop.orders()["items"][0]["items"][0]
    found = shop.get("orders/items", query(("sku", "eq", item["sku"]), sort="item_id ASC")).json()["items"]
    assert item in found
    assert shop.get(f"orders/items/{item['item_id']}").json() == item


def order_in(shop: Shop, state: str) -> dict[str, Any]:
    found: dict[str, Any] = next(o for o in shop.orders()["items"] if o["state"] == state)
    return found


def comment(text: str, **more: Any) -> dict[str, Any]:
    return {"statusHistory": {"comment": text, "is_customer_notified": 0, "is_visible_on_front": 0} | more}


def test_a_comment_keeps_the_status_and_stands_first(shop: Shop) -> None:
    before = order_in(shop, "processing")
    path = f"orders/{before['entity_id']}"
    assert shop.post(f"{path}/comments", comment("Exported ✓")).json() is True
    after = shop.get(path).json()
    assert (after["status"], after["updated_at"]) == (before["status"], before["updated_at"])
    assert after["status_histories"][0]["comment"] == "Exported ✓"
    assert shop.get(f"{path}/comments").json()["items"][0]["comment"] == "Exported ✓"


def test_a_comment_may_set_a_status_of_the_same_state_only(shop: Shop) -> None:
    path = f"orders/{order_in(shop, 'processing')['entity_id']}"
    assert shop.post(f"{path}/comments", comment("x", status="packed")).json() is True
    assert shop.get(f"{path}/statuses").json() == "packed"
    refused = shop.post(f"{path}/comments", comment("x", status="complete"))
    assert (refused.status_code, refused.json()["parameters"]) == (400, ["complete"])


def test_an_old_shop_loses_the_status_with_a_comment_without_one(shop: Shop) -> None:
    shop.control("configure", old_comments=True)
    shop.post("orders/1/comments", comment("x"))
    assert "status" not in shop.get("orders/1").json()


def test_a_notified_comment_writes_a_mail(shop: Shop) -> None:
    shop.post("orders/1/comments", comment("x", is_customer_notified=1))
    assert [mail["kind"] for mail in shop.control("mails")] == ["comment"]


def test_cancel_leaves_the_amount_due_and_answers_false_the_second_time(shop: Shop) -> None:
    before = order_in(shop, "new")
    path = f"orders/{before['entity_id']}"
    assert shop.post(f"{path}/cancel").json() is True
    after = shop.get(path).json()
    assert (after["state"], after["total_due"], after["total_canceled"]) == (
        "canceled", before["grand_total"], before["grand_total"],
    )  # fmt: skip
    assert after["updated_at"] > before["updated_at"]
    assert shop.post(f"{path}/cancel").json() is False


def test_hold_remembers_and_unhold_restores(shop: Shop) -> None:
    path = f"orders/{order_in(shop, 'processing')['entity_id']}"
    before = shop.get(path).json()
    assert shop.post(f"{path}/hold").json() is True
    held = shop.get(path).json()
    assert (held["state"], held["hold_before_status"]) == ("holded", before["status"])
    assert shop.post(f"{path}/unhold").json() is True
    assert shop.get(path).json()["status"] == before["status"]
    assert shop.post(f"{path}/unhold").status_code == 400


def test_invoice_and_ship_complete_an_order_once(shop: Shop) -> None:
    before = next(o for o in shop.orders()["items"] if o["state"] == "new" and not o["is_virtual"])
    number = before["entity_id"]
    assert shop.post(f"order/{number}/invoice", {"capture": True}).json() == "1"
    paid = shop.get(f"orders/{number}").json()
    assert (paid["state"], paid["total_paid"], paid["total_due"]) == ("processing", before["grand_total"], 0)
    tracks = [{"track_number": "JD01", "title": "DHL", "carrier_code": "custom"}]
    assert shop.post(f"order/{number}/ship", {"tracks": tracks, "notify": True}).json() == "1"
    assert shop.get(f"orders/{number}").json()["state"] == "complete"
    assert shop.get("shipment/1").json()["tracks"][0]["track_number"] == "JD01"
    again = shop.post(f"order/{number}/ship", {})
    assert (again.status_code, "does not allow a shipment" in again.json()["message"]) == (400, True)
    found = shop.get("shipments", query(("order_id", "eq", number))).json()
    assert found["total_count"] == 1


def test_store_lists_fit_together(shop: Shop) -> None:
    websites = {one["id"] for one in shop.get("store/websites").json()}
    groups = {one["id"]: one for one in shop.get("store/storeGroups").json()}
    views = shop.get("store/storeViews").json()
    assert {one["code"] for one in views} == {"admin", "default", "de", "pl"}
    assert all(one["website_id"] in websites and one["store_group_id"] in groups for one in views)
    configs = {one["code"]: one for one in shop.get("store/storeConfigs").json()}
    assert set(configs) == {"default", "de", "pl"}
    assert (configs["pl"]["base_currency_code"], configs["pl"]["default_display_currency_code"]) == ("EUR", "PLN")
    assert [one["code"] for one in shop.get("store/storeConfigs", {"storeCodes[]": "de"}).json()] == ["de"]


def test_customers_know_their_addresses(shop: Shop) -> None:
    order = next(o for o in shop.orders()["items"] if "customer_id" in o)
    found = shop.get(f"customers/{order['customer_id']}").json()
    assert found["email"] == order["customer_email"]
    assert found["default_billing"] == str(found["addresses"][0]["id"])
    listed = shop.get("customers/search", query(("email", "eq", found["email"]), sort="")).json()
    assert listed["total_count"] == 1
    assert shop.get("customers/99999").status_code == 404
    assert shop.get("customerGroups/search", ALL).json()["total_count"] == 5


def test_version_modules_and_directory(shop: Shop) -> None:
    assert shop.get("/magento_version").text.startswith("Magento/2.4")
    assert "Magento_Sales" in shop.get("modules", ALL).json()["items"]
    assert shop.get("directory/currency", auth=None).json()["available_currency_codes"] == ["EUR", "PLN"]
    assert {"DE", "PL"} <= {one["id"] for one in shop.get("directory/countries", auth=None).json()}


def test_placed_orders_are_the_newest(shop: Shop) -> None:
    newest = max(order["updated_at"] for order in shop.orders()["items"])
    placed = shop.control("place", count=3)
    found = shop.get("orders", query(("updated_at", "gteq", placed[0]["updated_at"]))).json()
    assert {order["entity_id"] for order in placed} <= set(ids(found))
    assert all(order["updated_at"] >= newest for order in placed)


def test_an_edit_cancels_and_adds_a_successor(shop: Shop) -> None:
    before = order_in(shop, "new")
    child = shop.control("edit_order", increment_id=before["increment_id"])
    assert child["increment_id"] == f"{before['increment_id']}-1"
    assert shop.get(f"orders/{before['entity_id']}").json()["relation_child_id"] == str(child["entity_id"])
    second = shop.control("edit_order", increment_id=child["increment_id"])
    assert second["increment_id"] == f"{before['increment_id']}-2"


def test_a_change_reaches_the_answer_and_moves_updated_at(shop: Shop) -> None:
    old = shop.get("orders/2").json()
    shop.control("change_order", entity_id=2, set={"billing_address.city": "Ulm", "customer_note": "neu"})
    new = shop.get("orders/2").json()
    assert (new["billing_address"]["city"], new["customer_note"]) == ("Ulm", "neu")
    assert new["updated_at"] > old["updated_at"]
    shop.control("change_order", entity_id=2, set={"status": None}, touch=False)
    assert "status" not in shop.get("orders/2").json()
    assert shop.get("orders/2").json()["updated_at"] == new["updated_at"]


def test_reset_brings_everything_back(shop: Shop) -> None:
    before = shop.orders()
    shop.control("change_order", entity_id=1, set={"items.0.name": "other"})
    shop.control("place", count=1)
    shop.control("reset")
    assert shop.orders() == before


def test_unknown_actions_and_settings_are_named(shop: Shop) -> None:
    answer = requests.post(f"{shop.base}/_sandbox/control/explode", json={}, timeout=10)
    assert (answer.status_code, "explode" in answer.text) == (404, True)
    answer = requests.post(f"{shop.base}/_sandbox/control/configure", json={"pastend": 1}, timeout=10)
    assert (answer.status_code, "pastend" in answer.text) == (400, True)


def test_the_state_counts(shop: Shop) -> None:
    state = requests.get(f"{shop.base}/_sandbox/state", timeout=10).json()
    assert state["orders"] == sum(state["by_status"].values()) == 60


def test_a_folder_of_orders_is_served_digit_for_digit(tmp_path: Path) -> None:
    text = '{"entity_id":7,"increment_id":"A7","store_id":9,"updated_at":"2026-01-01","grand_total":12.5000,"items":[]}'
    (tmp_path / "one.json").write_text(text)
    running = Server(build(tmp_path), 0)
    running.start()
    try:
        shop = Shop(running)
        assert shop.get("orders/7").text == text
        assert "store_9" in [one["code"] for one in shop.get("store/storeViews").json()]
        assert shop.get("/rest/store_9/V1/orders", ALL).json()["total_count"] == 1
        assert json.loads(text)["grand_total"] == 12.5
    finally:
        running.stop()


def test_a_page_of_a_hundred_is_cheap() -> None:
    running = Server(build(count=300, seed=2), 0)
    running.start()
    try:
        shop = Shop(running)
        shop.get("orders", query(size=100))
        started = time.monotonic()
        assert len(shop.get("orders", query(size=100)).content) > 300_000
        assert time.monotonic() - started < 0.5
    finally:
        running.stop()
