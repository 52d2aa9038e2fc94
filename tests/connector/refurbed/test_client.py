"""The session to refurbed: the shapes of requests, what answers mean, the rate, and the token that nobody sees."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests

from connector import AccessDenied, InDoubt, RetryLater, StopRun, Unreachable
from connector.refurbed import shapes
from connector.refurbed.answers import NotFound, Refused, TokenRefused
from connector.refurbed.client import AGENT, RefurbedClient
from connector.refurbed.rate import KEY
from connector.testing import account
from sandbox.refurbed import TOKEN
from tests.connector.refurbed.market import Market
from tests.refurbed_contract import ALSO_REQUIRED, request_faults, swagger

CARRIERS = ("ShippingProfileService", "ListAvailableCarriers")
STATES = "BatchUpdateOrderItemsState"


@pytest.fixture
def client(market: Market) -> RefurbedClient:
    return market.connector().client


# shapes


def message(call: str) -> dict[str, Any]:
    path = f"/refb.merchant.v1.{call}"
    schema = swagger()["paths"][path]["post"]["parameters"][0]["schema"]
    return dict(swagger()["definitions"][schema["$ref"].rsplit("/", 1)[-1]]) if "$ref" in schema else dict(schema)


def differences(shape: shapes.Shape, schema: dict[str, Any], at: str) -> Iterator[str]:
    """What a shape says that the Swagger does not."""
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    own = swagger()["definitions"][name] if name else schema
    if own.get("type") == "array" and "items" not in own and "properties" in own:  # SOURCE.md 1
        own = {"type": "array", "items": {"type": "object", "properties": own["properties"]}}
    if isinstance(shape, shapes.Several):
        if own.get("type") != "array":
            yield f"{at} is no list"
        else:
            yield from differences(shape.of, own["items"], f"{at}[]")
        return
    if isinstance(shape, shapes.Value):
        values = re.findall(r"[A-Z][A-Z0-9_]+", shape.name) if shape.name.startswith("one of") else []
        if own.get("type") in ("object", "array"):
            yield f"{at} is no single value"
        yield from (f"{at}: {one} is not of {name}" for one in values if one not in own.get("enum", ()))
        if (shape is shapes.ID) != (own.get("format") == "int64" and own.get("type") == "string"):
            yield f"{at} is an id on one side only"
        return
    properties = own.get("properties", {})
    for field, inner in shape.fields.items():
        if field not in properties:
            yield f"{at}.{field} is unknown"
        else:
            yield from differences(inner, properties[field], f"{at}.{field}")
    for field in [*own.get("required", ()), *ALSO_REQUIRED.get(name, ())]:
        if field not in shape.required:
            yield f"{at}.{field} is required"


@pytest.mark.parametrize("call", shapes.REQUESTS)
def test_each_request_that_is_sent_is_a_message_of_the_contract(call: str) -> None:
    schema = swagger()["paths"][f"/refb.merchant.v1.{call}"]["post"]["parameters"][0]["schema"]
    assert list(differences(shapes.REQUESTS[call], schema, call)) == []


def test_the_states_and_payment_methods_are_those_of_the_contract() -> None:
    definitions = swagger()["definitions"]
    for names, enum in (
        (shapes.ORDER_STATES, "OrderState"),
        (shapes.ITEM_STATES, "OrderItemState"),
        (shapes.RETURN_STATES, "OrderItemReturnState"),
        (shapes.PAYMENT_METHODS, "PaymentMethod"),
    ):
        assert set(names) == set(definitions[enum]["enum"]) - {"UNSPECIFIED"}


UPDATE = {"id": "8800101", "state": "SHIPPED", "parcel_tracking_url": "https://track.example.org/1"}
LISTING = {"pagination": {"limit": 100, "starting_after": "4711000"}, "sort": {"by": "ID", "order": "ASC"}}


@pytest.mark.parametrize(
    ("call", "body"),
    [
        ("OrderService/ListOrders", {**LISTING, "filter": {"released_at": {"ge": "2026-02-01T00:00:00Z"}}}),
        ("OrderService/GetOrder", {"id": "4711001"}),
        ("OrderItemService/BatchUpdateOrderItemsState", {"updates": [UPDATE] * 50}),
        (
            "OrderItemService/UpdateOrderItem",
            {
                "id": "8800101",
                "item_identifiers": [{"identifier_type": "IMEI", "value": "490154203237518"}],
                "parcel_carrier_tracking_number": {"carrier": "dhl", "tracking_number": "0034"},
            },
        ),
        (
            "OrderItemService/RefundOrderItem",
            {"id": "8800101", "currency_code": "EUR", "target_paid_amount": shapes.money(Decimal("299"))},
        ),
        (
            "OrderService/SetOrderInvoiceStream",
            [{"meta": {"order_id": "4711001"}}, {"data": base64.b64encode(b"%PDF").decode()}],
        ),
        ("ShippingProfileService/ListAvailableCarriers", {}),
    ],
)
def test_what_the_contract_allows_passes(call: str, body: Any) -> None:
    shapes.check(call, body)
    assert list(request_faults("POST", f"/refb.merchant.v1.{call}", body)) == []


@pytest.mark.parametrize(
    ("call", "body", "said"),
    [
        ("OrderService/ListOrders", {"sort": {"field": "id"}}, "sort.field is unknown"),
        ("OrderService/ListOrders", {"pagination": {"page_size": 25}}, "pagination.page_size is unknown"),
        ("OrderService/ListOrders", {"state_filters": ["NEW"]}, "state_filters is unknown"),
        ("OrderService/ListOrders", {"pagination": {"limit": 101}}, "limit must be a number from 1 to 100"),
        ("OrderService/ListOrders", {"filter": {"state": {"any_of": ["SENT"]}}}, "any_of[0] must be one of NEW"),
        ("OrderService/GetOrder", {"id": 4711001}, "id must be an id"),
        ("OrderService/GetOrder", {}, "id is missing"),
        ("OrderService/GetOrder", {"order_item_id": "1", "id": "1"}, "order_item_id is unknown"),
        ("OrderItemService/BatchUpdateOrderItemsState", {"order_item_updates": [UPDATE]}, "updates is missing"),
        ("OrderItemService/BatchUpdateOrderItemsState", {"updates": [UPDATE] * 51}, "from 1 to 50 entries, not 51"),
        ("OrderItemService/BatchUpdateOrderItemsState", {"updates": []}, "from 1 to 50 entries, not 0"),
        ("OrderItemService/UpdateOrderItem", {"id": "1", "parcel_tracking_url": "track.example.org"}, "http"),
        (
            "OrderItemService/RefundOrderItem",
            {"id": "1", "currency_code": "EUR", "target_paid_amount": "123.456"},
            "two decimals",
        ),
        ("OrderItemService/RefundOrderItem", {"id": "1", "target_paid_amount": "1"}, "currency_code is missing"),
        (
            "OrderService/SetOrderInvoiceStream",
            [{"data": base64.b64encode(bytes(1024**2 + 1)).decode()}],
            "at most 1 MB",
        ),
        ("OrderService/DeleteEverything", {}, "not one of the calls"),
    ],
)
def test_what_refurbed_would_ignore_never_leaves_the_house(market: Market, call: str, body: Any, said: str) -> None:
    client = market.connector().client
    service, method = call.split("/")
    with pytest.raises(shapes.Malformed, match=re.escape(said)):
        client.ask(service, method, body, write=True)
    assert client.calls.total() == 0
    assert market.host.calls == []


def test_an_amount_with_parts_of_a_cent_is_a_fault() -> None:
    assert shapes.money(Decimal("299")) == "299.00"
    with pytest.raises(shapes.Malformed):
        shapes.money(Decimal("299.001"))
    assert shapes.moment(datetime(2026, 2, 1, tzinfo=UTC)) == "2026-02-01T00:00:00.000000Z"


# calls


def test_a_call_is_a_post_that_says_who_asks(market: Market, client: RefurbedClient) -> None:
    assert {one["slug"] for one in client.ask(*CARRIERS)["carriers"]} >= {"dhl", "ups"}
    call = market.host.calls[0]
    assert (call.method, call.path) == ("POST", "/refb.merchant.v1.ShippingProfileService/ListAvailableCarriers")
    assert AGENT in market.state()["user_agents"]


def test_a_read_is_repeated_although_it_is_a_post(market: Market, client: RefurbedClient) -> None:
    market.faults({"kind": "drop_after", "times": 2})
    assert client.ask(*CARRIERS)["carriers"]
    assert client.calls == {"read": 3}


def test_a_write_is_never_repeated_and_stays_in_doubt(market: Market, client: RefurbedClient) -> None:
    item = market.place()["items"][0]["id"]
    market.faults({"kind": "drop_after", "times": 1})
    with pytest.raises(InDoubt, match="whether the change was made is not known"):
        client.ask("OrderItemService", "UpdateOrderItemState", {"id": item, "state": "ACCEPTED"}, write=True)
    assert client.calls == {"write": 1}
    assert len(market.sent("OrderItemService/UpdateOrderItemState")) <= 1
    assert market.state()["counts"]["acceptances"] == 1


@pytest.mark.parametrize("kind", ["status", "error_after", "html_200", "html_503", "truncated"])
def test_after_any_odd_answer_a_write_is_in_doubt_or_refused_but_sent_once(
    market: Market, client: RefurbedClient, kind: str
) -> None:
    item = market.place()["items"][0]["id"]
    market.faults({"kind": kind, "times": 1, "status": 503})
    with pytest.raises(InDoubt):
        client.ask("OrderItemService", "UpdateOrderItemState", {"id": item, "state": "ACCEPTED"}, write=True)
    assert client.calls == {"write": 1}


def test_a_dry_run_reads_and_keeps_its_changes_to_itself(market: Market, client: RefurbedClient) -> None:
    order = market.place()
    client.dry = lambda method, path, body: {}
    assert client.ask("OrderService", "GetOrder", {"id": order["id"]})["order"]["state"] == "NEW"
    made = client.batch(STATES, [{"id": order["items"][0]["id"], "state": "ACCEPTED"}])
    assert [one.error for one in made] == [None]
    assert [path for _, path, _ in client.planned] == [f"/refb.merchant.v1.OrderItemService/{STATES}"]
    assert market.state()["counts"]["acceptances"] == 0


def test_pages_are_read_to_their_end_by_the_id_of_the_last_row(market: Market, client: RefurbedClient) -> None:
    market.control("place", count=205, country="DE", items=[{"sku": "TP-T480-A"}])
    pages = list(client.rows("OrderService", "ListOrders", "orders", {}))
    assert [len(page) for page in pages] == [100, 100, 5]
    assert len({row["id"] for page in pages for row in page}) == 205
    assert client.calls == {"read": 3}


def test_an_answer_without_its_empty_fields_is_read_as_well(market: Market, client: RefurbedClient) -> None:
    market.control("configure", omit_empty=True)
    assert list(client.rows("OrderService", "ListOrders", "orders", {})) == []
    market.place()
    assert [len(page) for page in client.rows("OrderService", "ListOrders", "orders", {})] == [1]


# batches


def test_a_batch_goes_out_in_fifties_and_tells_of_each_item(market: Market, client: RefurbedClient) -> None:
    orders = market.control("place", count=60, country="DE", items=[{"sku": "TP-T480-A"}])
    ids = [order["items"][0]["id"] for order in orders]
    market.control("fail_item", id=ids[55], code=3)
    market.control("fail_item", id=ids[56], code=13)
    made = client.batch(STATES, [{"id": one, "state": "ACCEPTED"} for one in ids])
    assert [one.id for one in made] == ids
    assert [len(body["updates"]) for body in market.sent(f"OrderItemService/{STATES}")] == [50, 10]
    failed = {one.id: one.error for one in made if one.error is not None}
    assert set(failed) == {ids[55], ids[56]}
    refused = failed[ids[55]]
    assert isinstance(refused, Refused)
    assert refused.code == 3
    assert isinstance(failed[ids[56]], InDoubt)
    assert ids[55] in str(failed[ids[55]])
    assert all(one.item and one.item["state"] == "ACCEPTED" for one in made if one.error is None)


def test_the_data_log_has_refurbeds_words_also_where_only_a_part_of_a_batch_failed(
    market: Market, client: RefurbedClient
) -> None:
    items = [market.place()["items"][0]["id"] for _ in range(3)]
    market.control("fail_item", id=items[1], code=3)
    client.batch(STATES, [{"id": one, "state": "ACCEPTED"} for one in items])
    with pytest.raises(NotFound):
        client.ask("OrderService", "GetOrder", {"id": "1"})
    partly, whole = market.host.calls[-2:]
    assert (partly.status, partly.path) == (200, f"/refb.merchant.v1.OrderItemService/{STATES}")
    assert str(partly.error).startswith("entry 2: ")
    assert ";" not in str(partly.error)
    assert items[1] in str(partly.request)
    assert (whole.status, "{" in str(whole.error)) == (404, False)
    client.batch(STATES, [{"id": items[1], "state": "ACCEPTED"}])
    assert market.host.calls[-1].error is None


# errors


def test_an_unknown_id_is_not_found(client: RefurbedClient) -> None:
    with pytest.raises(NotFound, match="GetOrder"):
        client.ask("OrderService", "GetOrder", {"id": "1"})


def test_an_illegal_move_is_refused_in_refurbeds_words(market: Market, client: RefurbedClient) -> None:
    item = market.place()["items"][0]["id"]
    with pytest.raises(Refused, match="illegal state transition") as caught:
        client.ask("OrderItemService", "UpdateOrderItemState", {"id": item, "state": "RETURNED"}, write=True)
    assert caught.value.code == 3


def test_an_expired_token_stops_everything_and_says_where_to_get_a_new_one(
    market: Market, client: RefurbedClient
) -> None:
    market.control("advance", seconds=61 * 86_400)
    with pytest.raises(TokenRefused) as caught:
        client.ask(*CARRIERS)
    assert isinstance(caught.value, AccessDenied)
    assert "not used for two months" in str(caught.value)
    assert "supplier.refurbed.com/api-token-request" in str(caught.value)
    assert client.calls == {"read": 1}


def test_a_right_that_is_lacking_is_no_wrong_token(market: Market, client: RefurbedClient) -> None:
    market.control("forbid", path="*/ListOrders")
    with pytest.raises(AccessDenied, match=r"ListOrders.*lacks the right") as caught:
        client.ask("OrderService", "ListOrders", {})
    assert not isinstance(caught.value, TokenRefused)


def test_without_a_token_nothing_is_sent(market: Market) -> None:
    client = market.connector(token=None).client
    with pytest.raises(StopRun, match="Enter the token"):
        client.ask(*CARRIERS)
    assert market.host.calls == []


def test_another_web_page_is_not_taken_for_refurbed(market: Market) -> None:
    client = market.connector().client
    answered(client, 404, "<html>a shop</html>")
    with pytest.raises(StopRun, match="Enter the address of refurbed's merchant API"):
        client.ask(*CARRIERS)
    market.faults({"kind": "html_200"})
    with pytest.raises(RetryLater, match="not refurbed's"):
        market.connector().client.ask(*CARRIERS, tries=1)


def answered(client: RefurbedClient, status: int, text: str, **headers: str) -> None:
    """Every call of this client is answered with this."""

    def transport(request: requests.PreparedRequest, timeout: Any) -> requests.Response:
        made = requests.Response()
        made.status_code = status
        made._content = text.encode()
        made.headers.update(headers)
        return made

    client.transport = transport


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (200, '{"code": 16, "message": "no"}', TokenRefused),  # the body decides, whatever stands above it
        (500, '{"code": 7, "message": "no"}', AccessDenied),
        (500, '{"code": 5, "message": "no"}', NotFound),
        (500, '{"code": 9, "message": "no", "details": []}', Refused),
        (400, '{"code": 6, "message": "no"}', Refused),
        (400, '{"code": 14, "message": "closed"}', InDoubt),
        (401, "", TokenRefused),
        (501, '{"code": 12, "message": "no"}', StopRun),
        (403, "<html>firewall</html>", StopRun),
        (502, "<html>bad gateway</html>", InDoubt),
        (200, "[]", InDoubt),
    ],
)
def test_the_body_decides_first(client: RefurbedClient, status: int, text: str, error: type[Exception]) -> None:
    answered(client, status, text)
    with pytest.raises(error):
        client.ask("OrderItemService", "UpdateOrderItemState", {"id": "1", "state": "ACCEPTED"}, write=True)


def test_a_host_that_is_not_there_is_unreachable(market: Market) -> None:
    with pytest.raises(Unreachable):
        market.connector("http://127.0.0.1:9").client.ask(*CARRIERS, tries=1)


@pytest.mark.parametrize("text", ['{"results": []}', '{"results": [{}, {}]}', '{"results": 1}', "{}"])
def test_a_batch_whose_answer_does_not_tell_of_each_item_is_in_doubt(client: RefurbedClient, text: str) -> None:
    answered(client, 200, text)
    with pytest.raises(InDoubt, match="results for 1 items"):
        client.batch(STATES, [{"id": "1", "state": "ACCEPTED"}])


@pytest.mark.parametrize(
    ("item", "said"),
    [({"id": "2", "state": "ACCEPTED"}, "id 2, 1 was asked for"), ({"id": "1", "state": "NEW"}, "state NEW, ACCEPTED")],
)
def test_an_entry_that_shows_another_item_or_state_than_was_asked_for_is_in_doubt(
    client: RefurbedClient, item: dict[str, str], said: str
) -> None:
    answered(client, 200, json.dumps({"results": [{"status": {"code": 0}, "order_item": item}]}))
    (made,) = client.batch(STATES, [{"id": "1", "state": "ACCEPTED"}])
    assert isinstance(made.error, InDoubt)
    assert said in str(made.error)


# the rate


def test_nine_calls_start_at_once_and_the_tenth_waits_for_its_second(market: Market) -> None:
    began = datetime.now(UTC)
    market.host.now = lambda: began + (datetime.fromtimestamp(market.passed, UTC) - datetime.fromtimestamp(0, UTC))  # type: ignore[method-assign]
    first, second = market.connector().client, market.connector().client  # two processes of one connection
    for number in range(9):
        (first, second)[number % 2].ask(*CARRIERS)
    assert market.slept == []
    first.ask(*CARRIERS)
    assert market.slept == [pytest.approx(1.0, abs=0.01)]


def test_many_calls_in_a_row_are_never_refused(market: Market) -> None:
    market.control("configure", rate_limit=10, window_seconds=1.0, limit_header_counts=True)
    real = market.connector().client
    del market.host.sleep  # it waits as it does at work
    market.host.now = lambda: datetime.now(UTC)  # type: ignore[method-assign]
    for _ in range(25):
        real.ask(*CARRIERS)
    assert market.state()["refusals"] == {}


def test_a_refused_call_is_repeated_when_the_window_is_over(market: Market, client: RefurbedClient) -> None:
    item = market.place()["items"][0]["id"]
    market.faults({"kind": "status", "status": 429, "times": 1})
    client.ask("OrderItemService", "UpdateOrderItemState", {"id": item, "state": "ACCEPTED"}, write=True)
    assert client.calls == {"write": 2}  # a refused call was not executed
    assert market.state()["counts"]["acceptances"] == 1
    assert max(market.slept) >= 1.0


def test_nobody_calls_before_the_end_of_a_window_that_is_used_up(market: Market, client: RefurbedClient) -> None:
    date = "Sun, 01 Feb 2026 10:00:00 GMT"
    ends = datetime(2026, 2, 1, 10, 0, 7, tzinfo=UTC).timestamp()
    headers = {"Date": date, "X-RateLimit-Limit": "3", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(ends)}
    answered(client, 200, "{}", **headers)
    client.ask(*CARRIERS)
    market.connector().client.ask(*CARRIERS)  # another process waits, too
    assert market.slept == [pytest.approx(7.0, abs=0.2)]


def test_a_limit_header_that_lies_changes_nothing(market: Market, client: RefurbedClient) -> None:
    answered(client, 200, "{}", **{"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "7"})
    for _ in range(5):
        client.ask(*CARRIERS)
    assert market.slept == []


def test_a_long_wait_is_left_to_the_next_run(market: Market, client: RefurbedClient) -> None:
    market.host.state.change(KEY, lambda fact: {"taken": [], "until": market.host.now().timestamp() + 3600})
    with pytest.raises(RetryLater, match="used up") as caught:
        client.ask(*CARRIERS)
    assert caught.value.after == pytest.approx(3600, abs=2)
    assert not caught.value.counts
    assert (market.host.state.read(KEY) or {})["taken"] == []  # who does not call takes no place


# the token is shown to nobody


def test_the_token_is_in_no_log_no_message_and_no_repr(market: Market) -> None:
    connector = market.connector()
    client = connector.client
    client.log_bodies = True
    answered(client, 400, f'{{"code": 3, "message": "token {TOKEN} is odd"}}')
    with pytest.raises(Refused) as caught:
        client.ask(*CARRIERS)
    shown = [str(caught.value), caught.value.said, repr(connector), repr(client.account), repr(market.host.calls)]
    assert market.host.calls[0].response
    assert not [one for one in shown if TOKEN in one]


def test_a_connector_without_the_token_in_its_secrets_hides_it_all_the_same(market: Market) -> None:
    made = account(type(market.connector()), market.url, {"token": TOKEN})
    assert made.secrets == ()
    client = RefurbedClient(made, market.host)
    assert client.veil.text(f"Plain {TOKEN}") == "Plain •••"
