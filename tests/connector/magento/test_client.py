"""Addresses, signatures, tokens, and what each answer of a shop means."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connector import (
    AccessDenied,
    ConnectorError,
    Finding,
    InDoubt,
    RecordFailed,
    RetryLater,
    StopRun,
    Unreachable,
)
from connector.magento import Magento
from connector.magento.answers import (
    GatewayTimeout,
    NotFound,
    NotJson,
    PageTooLarge,
    Refused,
    ServerFault,
    TooManyCalls,
    complaint,
    fill,
)
from connector.magento.client import criteria
from connector.testing import ConnectorContract, MemoryHost, account
from tests.conftest import shared
from tests.connector.magento.conftest import SECRETS, Shop

ONE = criteria(size=1, page=1)
ADMIN = {"auth": "admin", "username": "admin", "password": "admin123"}


class TestMagento(ConnectorContract):
    connector = Magento


def offline(status: int, body: Any, headers: dict[str, str] | None = None, **settings: Any) -> Magento:
    """A connector whose every call gets this answer."""
    host = MemoryHost()
    host.sleep = lambda seconds: None  # type: ignore[method-assign]
    made = Magento(account(Magento, "https://shop.example", {**SECRETS, **settings}), host)

    def transport(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        answer = requests.Response()
        answer.status_code = status
        answer.raw = io.BytesIO((body if isinstance(body, str) else json.dumps(body)).encode())
        answer.headers.update(headers or {})
        return answer

    made.client.transport = transport
    return made


def error(status: int, body: Any, *, method: str = "GET", **settings: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        offline(status, body, **settings).client.ask(method, "orders/5", tries=1)
    return caught.value


def finding(connector: Magento, name: str) -> Finding:
    return next(one for one in connector.check() if one.name == name)


# where routes live


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "/rest/all/V1/orders/5"),
        ({"index_php": True}, "/index.php/rest/all/V1/orders/5"),
        ({"address_form": "saas", "auth": "bearer"}, "/V1/orders/5"),
    ],
)
def test_a_route_has_its_place_in_each_form_of_address(settings: dict[str, Any], path: str) -> None:
    assert offline(200, {}, **settings).client.path("orders/5") == path


def test_a_store_view_goes_into_the_path_or_into_the_header() -> None:
    cloud: dict[str, Any] = {"address_form": "saas", "auth": "bearer"}
    for settings, path, header in (({}, "/rest/de/V1/orders", None), (cloud, "/V1/orders", "de")):
        made = offline(200, {}, **settings)
        sent: list[requests.PreparedRequest] = []
        sign = made.client.authorize

        def noted(request: requests.PreparedRequest, sent: Any = sent, sign: Any = sign) -> None:
            sign(request)
            sent.append(request)

        made.client.authorize = noted  # type: ignore[method-assign]
        made.client.ask("GET", "orders", store="de")
        made.client.ask("GET", "orders")
        assert urlsplit(str(sent[0].url)).path == path
        assert sent[0].headers.get("Store") == header
        assert "Store" not in sent[1].headers


def test_every_filter_has_a_group_of_its_own() -> None:
    made = dict(criteria([("a", "eq", 1), ("b", "gt", 2)], [("c", "ASC")], size=5, page=2, fields="items[x]"))
    assert made["searchCriteria[filter_groups][1][filters][0][field]"] == "b"
    assert made["searchCriteria[filter_groups][1][filters][0][condition_type]"] == "gt"
    assert made["searchCriteria[sortOrders][0][field]"] == "c"
    assert made["searchCriteria[pageSize]"] == 5
    assert made["searchCriteria[currentPage]"] == 2
    assert made["fields"] == "items[x]"
    assert criteria() == [("searchCriteria", "")]


# signing in


def test_the_signature_covers_brackets_blanks_and_percent_signs(shop: Shop) -> None:
    query = criteria([("updated_at", "gteq", "2026-11-08 02:15:00"), ("increment_id", "like", "1%&+=ä")], size=1)
    rows, _ = shop.connector().client.rows("orders", query)
    assert rows == []


def test_every_try_is_signed_anew(shop: Shop) -> None:
    shop.faults({"kind": "status", "times": 2})
    connector = shop.connector()
    sent: list[str] = []
    real = connector.client.transport

    def transport(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        sent.append(str(request.headers["Authorization"]))
        return real(request, timeout)

    connector.client.transport = transport
    connector.client.rows("orders", ONE)
    nonces = re.findall(r'oauth_nonce="(\w+)"', " ".join(sent))
    assert len(set(nonces)) == 3
    assert all('oauth_signature_method="HMAC-SHA256"' in one for one in sent)


def test_a_nonce_that_was_used_is_replaced_once(shop: Shop) -> None:
    connector = shop.connector()
    real = connector.client.transport
    sent: list[requests.PreparedRequest] = []

    def twice(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        sent.append(request)
        if len(sent) == 1:
            real(request, timeout).close()  # a proxy that sends a call twice uses the nonce up
        return real(request, timeout)

    connector.client.transport = twice
    assert connector.client.rows("orders", ONE, tries=1)[0]
    assert len(sent) == 2


def test_blanks_around_a_pasted_secret_do_no_harm(shop: Shop) -> None:
    assert shop.connector(consumer_secret=" cs\n").client.rows("orders", ONE)[0]


def test_a_bearer_token_is_sent_as_it_is(shop: Shop) -> None:
    connector = shop.connector(auth="bearer")
    with pytest.raises(AccessDenied, match=r"2\.4\.4"):
        connector.client.rows("orders", ONE)
    shop.control("configure", integration_as_bearer=True)
    assert connector.client.rows("orders", ONE)[0]


def test_a_cloud_service_is_read_with_a_bearer_token(shop: Shop) -> None:
    shop.control("configure", saas_tenant="ten1")
    settings = {"auth": "bearer", "address_form": "saas", "access_token": "ims-token"}
    connector = shop.connector(f"{shop.url}/ten1", **settings)
    assert connector.client.rows("orders", ONE)[0]


def test_an_admin_token_is_fetched_once_and_shared(shop: Shop) -> None:
    first, second = shop.connector(**ADMIN), shop.connector(**ADMIN)
    for connector in (first, second, first):
        connector.client.rows("orders", ONE)
    paths = [one.path for one in shop.host.calls]
    assert paths.count("/rest/all/V1/integration/admin/token") == 1
    assert "admin123" not in repr(shop.host.calls)


def test_an_admin_token_that_ended_is_renewed_once(shop: Shop) -> None:
    connector = shop.connector(**ADMIN)
    connector.client.rows("orders", ONE)
    shop.faults({"kind": "expired_token", "times": 1, "path": "*/orders"})
    assert connector.client.rows("orders", ONE)[0]
    assert [one.path.split("/")[-1] for one in shop.host.calls] == ["token", "orders", "orders", "token", "orders"]
    shop.forbid("Magento_Sales::actions_view")
    before = len(shop.host.calls)
    with pytest.raises(AccessDenied, match="actions_view"):
        connector.client.rows("orders", ONE)
    assert len(shop.host.calls) - before <= 3


def test_a_refused_password_is_not_tried_again_by_anybody(shop: Shop) -> None:
    for _ in range(3):
        with pytest.raises(AccessDenied, match="sign-in was incorrect"):
            shop.connector(**{**ADMIN, "password": "no"}).client.rows("orders", ONE)
    assert len(shop.host.calls) == 1
    assert shop.connector(**ADMIN).client.rows("orders", ONE)[0]  # another password is


def test_a_shop_with_a_second_factor_is_told_apart(shop: Shop) -> None:
    shop.control("configure", two_factor=True)
    with pytest.raises(AccessDenied, match="second factor"):
        shop.connector(**ADMIN).client.rows("orders", ONE)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"consumer_secret": "", "access_token": " "}, "consumer secret and the access token"),
        ({"auth": "bearer", "access_token": ""}, "access token"),
        ({"auth": "admin"}, "user name and the password"),
        ({"address_form": "saas"}, "Access token alone"),
    ],
)
def test_what_is_missing_is_named_before_any_call(settings: dict[str, Any], words: str) -> None:
    made = offline(200, {}, **settings)
    with pytest.raises(StopRun, match=words):
        made.client.ask("GET", "orders")
    (only,) = made.check()
    assert not only.ok
    assert words in only.message
    assert "'oauth'" not in only.message


# what answers mean


@pytest.mark.parametrize(
    ("message", "parameters", "sentence"),
    [
        ("%1 of %2", ["a", "b"], "a of b"),
        ("%10 is not %1", [*"abcdefghi", "j"], "j is not a"),
        ("%fieldName is %field", {"field": "x", "fieldName": "y"}, "y is x"),
        ("%resources", {"resources": ["a", "b"]}, "a, b"),
        ("100% of %1 and %2", ["x"], "100% of x and %2"),
        ("plain %1", None, "plain %1"),
    ],
)
def test_placeholders_are_filled(message: str, parameters: Any, sentence: str) -> None:
    assert fill(message, parameters) == sentence


def test_every_recorded_error_body_becomes_a_sentence() -> None:
    recorded = json.loads((shared() / "fixtures/magento/error_bodies.json").read_text())
    for name, one in recorded.items():
        caught = error(one["http"], one["body"])
        assert re.search(r"%[a-z0-9]", str(caught)) is None, name
        assert len(str(caught)) > 30, name


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (400, {"message": "Invalid %1", "parameters": ["x"]}, Refused, "Invalid x"),
        (400, {"message": "A.", "errors": [{"message": "%f!", "parameters": {"f": "b"}}]}, Refused, "A. b!"),
        (400, {"message": "Lines:\nfirst\nsecond", "trace": "#0 /secret.php"}, Refused, "Lines: first second"),
        (401, {"message": "The signature is invalid."}, AccessDenied, "X-Forwarded-Proto"),
        (401, "oauth_problem=signature_invalid", AccessDenied, "consumer secret"),
        (401, "oauth_problem=consumer_key_rejected", AccessDenied, "consumer key"),
        (401, {"message": "Specified token does not exist"}, AccessDenied, "access token"),
        (400, {"message": "Incorrect timestamp value in the oauth_timestamp parameter"}, AccessDenied, "clock"),
        (
            401,
            {"message": "The consumer isn't authorized to access %resources.", "parameters": {"resources": "A::b"}},
            AccessDenied,
            "the right A::b is missing",
        ),
        (404, {"message": "Request does not match any route."}, NotFound, "address"),
        (404, {"message": "No such entity with %fieldName = %fieldValue", "parameters": {"fieldName": "id",
         "fieldValue": 5}}, NotFound, "id = 5"),
        (404, "<html><title>404 Not Found</title></html>", StopRun, "index.php"),
        (429, {"message": "Too Many Requests"}, TooManyCalls, "Too Many"),
        (500, {"message": "Internal Error. Report ID: webapi-5f0"}, ServerFault, "under webapi-5f0"),
        (500, {"messages": {"error": [{"code": 500, "message": "See api/12"}]}}, ServerFault, "See api/12"),
        (200, {"messages": {"error": [{"code": 500, "message": "See api/12"}]}}, ServerFault, "See api/12"),
        (200, {"message": "Internal Error"}, ServerFault, "Internal Error"),
        (502, "<html>Bad Gateway</html>", GatewayTimeout, "gateway"),
        (504, "", GatewayTimeout, "gateway"),
        (524, "<html>cloudflare timeout</html>", GatewayTimeout, "gateway"),
        (503, "<html><title>Down for works</title></html>", Unreachable, "maintenance"),
        (503, {"message": "busy"}, Unreachable, "busy"),
        (200, "<html><title>Shop</title></html>", NotJson, "own address"),
        (200, "", NotJson, "not JSON"),
        (200, "<html><title>Just a moment...</title></html>", Unreachable, "firewall"),
        (403, "<html><title>Attention Required! | Cloudflare</title></html>", Unreachable, "firewall"),
        (403, "<html><title>Sucuri WebSite Firewall - Access Denied</title></html>", Unreachable, "Sucuri"),
        (403, {"message": "no"}, AccessDenied, "no"),
    ],
)  # fmt: skip
def test_an_answer_becomes_the_error_of_its_consequence(
    status: int, body: Any, kind: type[ConnectorError], words: str
) -> None:
    caught = error(status, body)
    assert type(caught) is kind
    assert words in str(caught)
    assert "secret.php" not in str(caught)


@pytest.mark.parametrize("status", [200, 500, 502, 504])
def test_a_change_without_a_clear_answer_is_in_doubt(status: int) -> None:
    assert type(error(status, "<html>oops</html>", method="POST")) is InDoubt


def test_the_largest_page_is_read_from_the_refusal() -> None:
    body = {"message": "Maximum SearchCriteria pageSize is %max", "parameters": {"max": 300}}
    caught = error(400, body)
    assert isinstance(caught, PageTooLarge)
    assert caught.limit == 300


def test_a_missing_route_is_told_from_a_missing_entity() -> None:
    route = error(404, {"message": "Request does not match any route."})
    entity = error(404, {"message": "The entity that was requested doesn't exist."})
    assert isinstance(route, NotFound)
    assert isinstance(entity, NotFound)
    assert (route.route, entity.route) == (True, False)
    assert isinstance(entity, RecordFailed)


def test_retry_after_is_kept() -> None:
    with pytest.raises(RetryLater) as caught:
        offline(429, "slow down", {"Retry-After": "120"}).client.ask("GET", "orders")
    assert caught.value.after == 120


def test_trace_and_odd_shapes_are_no_sentence() -> None:
    assert complaint({"message": 5}) is None
    assert complaint([]) is None
    assert complaint({"messages": {"error": []}}) == "an error without a message"


def test_a_list_without_items_stops_the_run() -> None:
    with pytest.raises(StopRun, match="without a list"):
        offline(200, {"rows": []}).client.rows("orders", ONE)
    assert offline(200, {"items": None, "total_count": 0}).client.rows("orders", ONE) == ([], 0)


# the connection test


def test_a_good_connection_is_told_in_words(shop: Shop) -> None:
    findings = shop.connector().check()
    assert all(one.ok for one in findings), findings
    assert [one.name for one in findings] == ["Address", "Sign-in", "Store views", "Orders", "Customer groups", "Clock"]


@pytest.mark.parametrize("right", ["Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group"])
def test_a_missing_right_is_named(shop: Shop, right: str) -> None:
    shop.forbid(right)
    bad = [one for one in shop.connector().check() if not one.ok]
    assert len(bad) == 1
    assert right in bad[0].message


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"consumer_key": "x"}, "consumer key"),
        ({"access_token": "x"}, "access token"),
        ({"consumer_secret": "x"}, "X-Forwarded-Proto"),
        ({"access_token_secret": "x"}, "X-Forwarded-Proto"),
        ({"auth": "admin", "username": "admin", "password": "x"}, "sign-in was incorrect"),
    ],
)
def test_wrong_credentials_are_told_apart(shop: Shop, settings: dict[str, Any], words: str) -> None:
    connector = shop.connector(**settings)
    assert finding(connector, "Address").ok
    wrong = finding(connector, "Sign-in")
    assert not wrong.ok
    assert words in wrong.message


def test_a_proxy_that_hides_the_scheme_gets_a_hint(shop: Shop) -> None:
    shop.control("configure", wrong_scheme=True)
    assert "X-Forwarded-Proto" in finding(shop.connector(), "Sign-in").message


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://no-such-shop.invalid", "not known"),
        ("http://127.0.0.1:9", "nothing listens on port 9 there"),
    ],
)
def test_wrong_addresses_are_told_apart(shop: Shop, url: str, words: str) -> None:
    (only,) = shop.connector(url).check()
    assert not only.ok
    assert words in only.message


def test_a_port_without_tls_is_told(shop: Shop) -> None:
    (only,) = shop.connector(shop.url.replace("http:", "https:")).check()
    assert "TLS" in only.message


def test_maintenance_firewalls_and_other_sites_are_told_apart(shop: Shop) -> None:
    shop.control("configure", maintenance=True)
    assert "maintenance" in finding(shop.connector(), "Address").message
    shop.control("configure", maintenance=False, firewall=True)
    assert "firewall" in finding(shop.connector(), "Address").message
    for site in (offline(200, "<html><title>A blog</title></html>"), offline(404, "<html>?</html>")):
        (only,) = site.check()
        assert not only.ok
        assert "address" in only.message
    (only,) = offline(404, {"message": "Request does not match any route."}).check()
    assert "address form" in only.message


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, "<html>401 Authorization Required</html>"),
        (403, "Forbidden"),
        (401, {"error": "unauthorized"}),
        (403, {"message": "Forbidden"}),
        (404, {"detail": "Not Found"}),
        (200, {"status": "ok"}),
    ],
)
def test_a_host_that_is_no_magento_is_not_said_to_be_one(status: int, body: Any) -> None:
    (only,) = offline(status, body).check()
    assert (only.name, only.ok) == ("Address", False)
    assert "Magento answers at" not in only.message
    assert "the shop's own address" in only.message


def test_a_refusal_in_magentos_own_words_proves_the_address() -> None:
    refused = offline(401, {"message": "Der Zugriff ist nicht erlaubt.", "parameters": {"resources": "x"}})
    assert finding(refused, "Address").ok
    assert not finding(refused, "Sign-in").ok


def test_a_wrong_clock_is_told(shop: Shop) -> None:
    connector = shop.connector()
    real = connector.client.transport

    def late(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        answer = real(request, timeout)
        answer.headers["Date"] = format_datetime(connector.host.now() + timedelta(seconds=900), usegmt=True)
        return answer

    connector.client.transport = late
    clock = finding(connector, "Clock")
    assert not clock.ok
    assert "ahead of" in clock.message


def test_a_newest_order_that_cannot_be_shown_takes_no_right_away(shop: Shop) -> None:
    shop.control("configure", broken_orders=[max(one["entity_id"] for one in shop.orders())])
    assert finding(shop.connector(), "Orders").ok


# catalogues


def test_store_views_are_known_by_their_code(shop: Shop) -> None:
    connector = shop.connector()
    shop.host.collect(connector)
    views = {one.id: one for one in shop.host.catalogue("store")}
    assert views["de"].name == "Deutsch"
    extra = views["de"].extra
    assert (extra["store_id"], extra["website"], extra["group"]) == (2, "europe", "europe_store")
    assert (extra["locale"], extra["base_currency"], extra["timezone"]) == ("de_DE", "EUR", "Europe/Berlin")
    assert {one.id for one in shop.host.catalogue("website")} >= {"base", "europe"}
    assert {one.id for one in shop.host.catalogue("store_group")} >= {"main_website_store", "europe_store"}


@pytest.mark.parametrize("limit", [None, 2, 5])
def test_all_customer_groups_are_collected(shop: Shop, limit: int | None) -> None:
    shop.control("configure", max_page_size=limit)
    shop.host.collect(shop.connector())
    groups = {one.id: one.name for one in shop.host.catalogue("customer_group")}
    assert groups["0"] == "NOT LOGGED IN"
    assert len(groups) == 5


def test_many_threads_that_need_an_admin_token_sign_in_once(shop: Shop) -> None:
    connector = shop.connector(**ADMIN)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: connector.client.rows("orders", ONE)[0], range(16)))
    assert [one.path for one in shop.host.calls].count("/rest/all/V1/integration/admin/token") == 1
