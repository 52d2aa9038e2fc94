"""The PlentyONE stand-in over real HTTP, against systems/plentyone.md."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sandbox.plentyone import build
from sandbox.server import Server

JSON = dict[str, Any]
SKUS = [("MUG-1", "Becher"), ("MUG-2", "Becher groß"), ("A,B", "Mit Komma")]


class Api:
    """A caller with a token."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = requests.Session()

    def login(self) -> JSON:
        answer: JSON = self.post("/rest/login", {"username": "connector", "password": "sandbox"}).json()
        self.http.headers["Authorization"] = f"Bearer {answer['accessToken']}"
        return answer

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.http.get(self.base + path, params=query, timeout=5)

    def post(self, path: str, body: Any = None) -> requests.Response:
        return self.http.post(self.base + path, json=body, timeout=5)

    def put(self, path: str, body: Any = None) -> requests.Response:
        return self.http.put(self.base + path, json=body, timeout=5)

    def delete(self, path: str) -> requests.Response:
        return self.http.delete(self.base + path, timeout=5)

    def control(self, action: str, body: Any = None) -> Any:
        answer = requests.post(f"{self.base}/_sandbox/control/{action}", json=body, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def state(self) -> JSON:
        state: JSON = requests.get(f"{self.base}/_sandbox/state", timeout=5).json()
        return state


@pytest.fixture
def api() -> Iterator[Api]:
    server = Server(build(skus=SKUS), 0)
    server.start()
    api = Api(server.base_url)
    api.login()
    yield api
    server.stop()


def contact(api: Api, **changes: Any) -> JSON:
    body = {"typeId": 1, "referrerId": 10, "plentyId": 12345, "externalId": "77", "firstName": "Anna"}
    options = [{"typeId": 2, "subTypeId": 4, "priority": 0, "value": "anna@example.com"}]
    answer = api.post("/rest/accounts/contacts", {**body, "lastName": "Muster", "options": options, **changes})
    assert answer.status_code == 200, answer.text
    created: JSON = answer.json()
    return created


ADDRESS = {"name2": "Anna", "name3": "Muster", "address1": "Weg", "address2": "1", "postalCode": "12345"}
ADDRESS |= {"town": "Musterstadt", "countryId": 1, "options": [{"typeId": 5, "value": "anna@example.com"}]}  # type: ignore[dict-item]


def address(api: Api, contact_id: int, kind: int = 1, **changes: Any) -> JSON:
    answer = api.post(f"/rest/accounts/contacts/{contact_id}/addresses?typeId={kind}", {**ADDRESS, **changes})
    assert answer.status_code == 200, answer.text
    created: JSON = answer.json()
    return created


def item(price: Any, *, quantity: Any = 1, kind: int = 1, amounts: JSON | None = None, **changes: Any) -> JSON:
    row = {"isSystemCurrency": True, "currency": "EUR", "exchangeRate": 1, "priceOriginalGross": price}
    body: JSON = {"typeId": kind, "quantity": quantity, "orderItemName": "Becher", "countryVatId": 1, "vatField": 0}
    body |= {"itemVariationId": 5001 if kind == 1 else 0, "vatRate": 19, "amounts": [amounts or row]}
    return {**body, **changes}


def order_body(*items: JSON, external: str = "100000001", **changes: Any) -> JSON:
    body: JSON = {"typeId": 1, "plentyId": 12345, "referrerId": 10, "statusId": 3, "orderItems": list(items)}
    body["properties"] = [{"typeId": 7, "value": external}, {"typeId": 3, "value": "6001"}]
    return {**body, **changes}


def order(api: Api, *items: JSON, **changes: Any) -> JSON:
    answer = api.post("/rest/orders", order_body(*(items or (item(24.95, quantity=2),)), **changes))
    assert answer.status_code == 200, answer.text
    created: JSON = answer.json()
    return created


def payment_body(amount: Any = 49.9, transaction: str = "TXN-1", **changes: Any) -> JSON:
    body = {"amount": amount, "exchangeRatio": 1, "mopId": 6001, "currency": "EUR", "type": "credit", "status": 2}
    body |= {"transactionType": 2, "receivedAt": "2026-05-19T16:50:00+02:00"}
    return {**body, "properties": [{"typeId": 1, "value": transaction}], **changes}


def payment(api: Api, *arguments: Any, **changes: Any) -> JSON:
    answer = api.post("/rest/payments", payment_body(*arguments, **changes))
    assert answer.status_code == 200, answer.text
    created: JSON = answer.json()
    return created


def errors(answer: requests.Response) -> JSON:
    """The validation errors of a refusal."""
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"] == {"message": "validation error found"}
    found: JSON = answer.json()["validation_errors"]
    return found


def values(record: JSON) -> dict[int, str]:
    return {row["typeId"]: row["value"] for row in record["properties"]}


# Login


def test_a_login_spells_its_fields_both_ways(api: Api) -> None:
    answer = api.login()
    assert answer["access_token"] == answer["accessToken"]
    assert (answer["expiresIn"], answer["token_type"], answer["max_current_sessions"]) == (86400, "Bearer", 40)


def test_a_login_may_be_a_form(api: Api) -> None:
    form = {"username": "connector", "password": "sandbox"}
    assert requests.post(f"{api.base}/rest/login", data=form, timeout=5).json()["refreshToken"]


def test_a_wrong_password_is_named_and_five_lock_the_user(api: Api) -> None:
    wrong = {"username": "connector", "password": "no"}
    first = api.post("/rest/login", wrong)
    assert (first.status_code, first.json()["error"]) == (401, "invalid_credentials")
    for _ in range(4):
        api.post("/rest/login", wrong)
    assert api.post("/rest/login", {"username": "connector", "password": "sandbox"}).status_code == 403
    api.control("unlock")
    api.login()
    assert api.state()["refused_logins"] == 6


def test_too_many_sessions_are_refused_with_json(api: Api) -> None:
    api.control("configure", {"max_sessions": 2})
    api.login()
    refused = api.post("/rest/login", {"username": "connector", "password": "sandbox"})
    assert refused.status_code == 429
    assert refused.json()["error"] == "too_many_concurrent_sessions"
    api.post("/rest/logout")
    api.login()


def test_it_wants_a_token_that_lives(api: Api) -> None:
    assert requests.get(f"{api.base}/rest/orders", timeout=5).status_code == 401
    assert api.get("/rest/users/me").json()["user"] == "connector"
    api.control("advance", {"seconds": 86400})
    assert api.get("/rest/users/me").status_code == 401


def test_a_refresh_replaces_the_token(api: Api) -> None:
    token = api.login()["refreshToken"]
    fresh = api.post("/rest/login/refresh", {"refreshToken": token}).json()["accessToken"]
    assert api.get("/rest/user").status_code == 401
    api.http.headers["Authorization"] = f"Bearer {fresh}"
    assert api.get("/rest/user").status_code == 200


def test_the_fault_expired_token_voids_it_really(api: Api) -> None:
    requests.put(f"{api.base}/_sandbox/faults", json=[{"kind": "expired_token", "times": 1}], timeout=5)
    assert [api.get("/rest/user").status_code for _ in range(2)] == [401, 401]
    api.login()
    assert api.get("/rest/user").status_code == 200


def test_a_missing_right_is_named(api: Api) -> None:
    api.control("forbid", {"permission": "stock.warehouse.show", "path": "/rest/warehouses*"})
    answer = api.get("/rest/warehouses")
    assert answer.status_code == 403
    assert "stock.warehouse.show" in answer.json()["error"]["missing_permissions"]
    assert api.get("/rest/stockmanagement/warehouses").status_code == 200
    api.control("allow", {"permission": "stock.warehouse.show"})
    assert api.get("/rest/warehouses").status_code == 200


# Budget


def test_reads_and_writes_have_budgets_of_their_own(api: Api) -> None:
    api.control("configure", {"read_limit": 2, "window_seconds": 30})
    headers = api.get("/rest/user").headers
    assert headers["X-Plenty-Global-Short-Period-Limit"] == "2"
    assert headers["X-Plenty-Global-Short-Period-Calls-Left"] == "1"
    api.get("/rest/user")
    refused = api.get("/rest/user")
    assert (refused.status_code, refused.text) == (429, "short period read limit reached")
    assert 0 < int(refused.headers["Retry-After"]) <= 30
    assert api.post("/rest/orders", {}).status_code == 422
    api.control("advance", {"seconds": 30})
    assert api.get("/rest/user").status_code == 200
    assert api.state()["too_many_requests"] == 1


def test_a_login_counts_as_a_write(api: Api) -> None:
    api.control("configure", {"write_limit": 1})
    answer = api.post("/rest/login", {"username": "connector", "password": "sandbox"})
    assert (answer.status_code, answer.text) == (429, "short period write limit reached")
    assert api.get("/rest/user").headers["X-Plenty-Global-Short-Period-Limit"] == "100000"


# Lists


@pytest.mark.parametrize(
    ("path", "key", "some"),
    [
        ("/rest/payments/methods", "id", {1, 5000, 6001}),
        ("/rest/orders/referrers", "id", {"0.00", "1.00", "10.00", "183.00"}),
        ("/rest/orders/shipping/presets", "id", {6, 7, 8, 9}),
        ("/rest/orders/shipping/shipping_service_providers", "backendName", {"DHL", "DPD", "UPS"}),
        ("/rest/orders/shipping/package_types", "id", {1}),
        ("/rest/webstores", "storeIdentifier", {12345, 12346}),
        ("/rest/stockmanagement/warehouses", "id", {104, 105}),
        ("/rest/orders/properties/types", "id", {7, 1001}),
        ("/rest/returns/reasons", "id", {1}),
        ("/rest/returns/status", "id", {1}),
        ("/rest/credit_notes/reasons", "id", {1}),
        ("/rest/tags", "id", {1}),
        ("/rest/payments", "id", set()),
    ],
)
def test_a_configuration_list_is_a_plain_array(api: Api, path: str, key: str, some: set[Any]) -> None:
    rows = api.get(path).json()
    assert isinstance(rows, list)
    assert some <= {row[key] for row in rows}


def test_statuses_come_in_an_envelope_with_ids_and_page_as_text(api: Api) -> None:
    answer = api.get("/rest/orders/statuses", itemsPerPage=10, page=1).json()
    assert (answer["page"], answer["itemsPerPage"], answer["isLastPage"]) == ("1", "10", False)
    assert answer["entries"][3]["statusId"] == "3.1"
    assert set(answer["entries"][3]["names"]) == {"de", "en"}


def test_a_page_beyond_the_last_is_the_last_again(api: Api) -> None:
    answer = api.get("/rest/vat", itemsPerPage=5, page=99).json()
    assert (answer["page"], answer["lastPageNumber"], answer["isLastPage"]) == (4, 4, True)
    assert [row["id"] for row in answer["entries"]] == [16, 17, 18]


def test_more_contacts_per_page_than_a_hundred_are_silently_capped(api: Api) -> None:
    assert api.get("/rest/accounts/contacts", itemsPerPage=500).json()["itemsPerPage"] == 100


def test_countries_carry_their_own_numbers_and_states_on_demand(api: Api) -> None:
    rows = {row["isoCode2"]: row for row in api.get("/rest/orders/shipping/countries", **{"with": "states"}).json()}
    own = {"DE": 1, "AT": 2, "FR": 10, "GB": 12, "PL": 23, "SG": 25, "US": 28}
    assert {code: rows[code]["id"] for code in own} == own
    assert {"AE", "SA", "BH", "CA", "AU", "CN", "JP"} <= set(rows)
    assert len({row["id"] for row in rows.values()}) == len(rows)
    assert len(rows["US"]["states"]) == 51
    assert "states" not in api.get("/rest/orders/shipping/countries").json()[0]


def test_a_variation_is_found_by_one_exact_number_only(api: Api) -> None:
    def numbers(**query: Any) -> list[str]:
        return [row["number"] for row in api.get("/rest/items/variations", **query).json()["entries"]]

    assert numbers(numberExact="MUG-1") == ["MUG-1"]
    assert numbers(numberExact="MUG-1,MUG-2") == []
    assert numbers(numberExact="A,B") == ["A,B"]
    assert numbers(numberFuzzy="mug") == ["MUG-1", "MUG-2"]
    assert numbers(id="5001,5002") == ["MUG-1", "MUG-2"]


# Contacts and addresses


def test_a_contact_is_read_with_what_its_options_say(api: Api) -> None:
    created = contact(api)
    read = api.get(f"/rest/accounts/contacts/{created['id']}").json()
    assert (read["fullName"], read["email"], read["externalId"]) == ("Anna Muster", "anna@example.com", "77")
    assert read["options"][0]["subTypeId"] == 4


def test_a_contact_is_not_unique_and_the_state_says_so(api: Api) -> None:
    first, second = contact(api), contact(api)
    assert api.state()["duplicates"]["contacts"] == [{"key": [12345, "77"], "ids": [first["id"], second["id"]]}]


def test_contacts_are_found_by_filters_and_unknown_filters_are_ignored(api: Api) -> None:
    one, two = contact(api), contact(api, externalId="78", options=[])

    def found(**query: Any) -> list[int]:
        return [row["id"] for row in api.get("/rest/accounts/contacts", **query).json()["entries"]]

    assert found(externalId="78") == [two["id"]]
    assert found(contactEmail="anna@") == [one["id"]]
    assert found(email="anna@") == []
    assert found(externalID="78") == [one["id"], two["id"]]


def test_a_contact_is_validated(api: Api) -> None:
    options = [{"typeId": 1, "subTypeId": 4, "value": "1"}, {"typeId": 1, "subTypeId": 4, "value": "2"}]
    found = errors(api.post("/rest/accounts/contacts", {"referrerId": 99, "title": None, "options": options}))
    assert found["title"] == ["The title must be a string."]
    assert found["typeId"] == ["The type id field is required."]
    assert found["referrerId"] == ["The selected referrer id is invalid."]
    assert "options.1.subTypeId" in found


def test_an_identical_address_of_a_contact_is_used_again(api: Api) -> None:
    person = contact(api)
    billing, delivery = address(api, person["id"], 1), address(api, person["id"], 2)
    other = address(api, person["id"], 2, address2="2")
    assert billing["id"] == delivery["id"] != other["id"]
    read = api.get(f"/rest/accounts/addresses/{billing['id']}", **{"with": "options,contactRelations"}).json()
    assert [row["typeId"] for row in read["contactRelations"]] == [1, 2]
    assert read["options"][0]["value"] == "anna@example.com"
    assert address(api, contact(api)["id"])["id"] not in (billing["id"], other["id"])


def test_a_free_address_is_always_new_and_is_related_by_an_array(api: Api) -> None:
    person = contact(api)
    ids = [api.post("/rest/accounts/addresses", ADDRESS).json()["id"] for _ in range(2)]
    assert ids[0] != ids[1]
    rows = [{"contactId": person["id"], "addressId": each, "typeId": 1} for each in ids]
    assert len(api.post("/rest/accounts/addresses/contact_relations", rows).json()) == 2
    assert errors(api.post("/rest/accounts/addresses/contact_relations", rows[0]))
    assert api.state()["duplicates"]["addresses"][0]["ids"] == ids


def test_an_address_is_validated(api: Api) -> None:
    found = errors(api.post("/rest/accounts/addresses", {"countryId": 9999, "postalCode": 12345, "stateId": 1}))
    assert set(found) == {"town", "countryId", "postalCode", "stateId"}
    assert found["postalCode"] == ["The postal code must be a string."]


# Orders


def test_an_order_is_read_in_the_recorded_shape(api: Api) -> None:
    person = contact(api)
    place = address(api, person["id"])
    created = order(
        api,
        item(24.95, quantity=2, shippingProfileId=6, properties=[{"typeId": 41, "value": "987"}]),
        ownerId=11,
        relations=[{"referenceType": "contact", "referenceId": person["id"], "relation": "receiver"}],
        addressRelations=[{"typeId": kind, "addressId": place["id"]} for kind in (1, 2)],
    )
    read = api.get(f"/rest/orders/{created['id']}", **{"with[]": ["addresses", "contactReceiver"]}).json()
    assert read["statusName"] == "[3] Waiting for payment "
    assert (read["ownerId"], read["locationId"], read["roundTotalsOnly"], read["numberOfDecimals"]) == (
        "11",
        "1",
        True,
        4,
    )
    assert {(row["referenceType"], row["relation"]) for row in read["relations"]} == {
        ("contact", "receiver"),
        ("warehouse", "sender"),
    }
    assert values(read) == {7: "100000001", 3: "6001", 66: "Rest", 68: "rest", 1: "104", 4: "unpaid", 2: "6", 65: "1"}
    assert [row["typeId"] for row in read["properties"] if "createdAt" not in row] == [1, 4, 2, 65]
    assert read["orderItems"][0]["position"] == "0"
    assert [row["id"] for row in read["addresses"]] == [place["id"]] * 2
    assert read["contactReceiver"]["email"] == "anna@example.com"
    assert read["createdAt"].endswith(("+01:00", "+02:00"))


def test_a_misspelt_key_makes_an_order_without_items_in_status_1(api: Api) -> None:
    body = order_body(item(10))
    body["orderitems"] = body.pop("orderItems")
    answer = api.post("/rest/orders", body)
    assert answer.status_code == 200
    assert (answer.json()["orderItems"], answer.json()["statusName"]) == ([], "[1] Incomplete data ")


def test_an_order_with_wrong_fields_is_refused_by_path_and_not_kept(api: Api) -> None:
    row = {"currency": "EUR", "priceOriginalGross": "x", "discount": "5.00"}
    wrong = [item(1), item(1, amounts=row, orderItemName=None, quantity="many", itemVariationId=1)]
    body = order_body(*wrong, statusId=25, plentyId=1, referrerId=999, addressRelations=[{"typeId": 1, "addressId": 1}])
    found = errors(api.post("/rest/orders", body))
    assert found["orderItems.1.orderItemName"] == ["The order items.1.order item name must be a string."]
    assert found["discount"] == ["Not a (strict) numeric value."]
    assert set(found) == {
        "plentyId",
        "statusId",
        "referrerId",
        "addressRelations.0.addressId",
        "orderItems.1.orderItemName",
        "orderItems.1.quantity",
        "orderItems.1.itemVariationId",
        "orderItems.1.amounts.0.priceOriginalGross",
        "discount",
    }
    assert api.state()["counts"]["orders"] == 0


def test_nothing_stops_a_second_order_with_the_same_external_id(api: Api) -> None:
    first, second = order(api), order(api)
    assert api.state()["duplicates"]["orders"] == [{"key": [12345, 1, "100000001"], "ids": [first["id"], second["id"]]}]


def test_gross_prices_give_net_and_tax_by_group(api: Api) -> None:
    coupon = item(-5.0, kind=4, orderItemName="SPRING10")
    created = order(api, item(24.95, quantity=2), coupon, item(4.9, kind=6, orderItemName="Versand"))
    amounts = created["amounts"]
    assert len(amounts) == 1
    assert amounts[0]["isNet"] is False
    picked = {name: amounts[0][name] for name in ("grossTotal", "netTotal", "vatTotal", "invoiceTotal")}
    assert picked == {"grossTotal": 49.8, "netTotal": 41.85, "vatTotal": 7.95, "invoiceTotal": 49.8}
    assert (amounts[0]["shippingCostsGross"], amounts[0]["shippingCostsNet"]) == (4.9, 4.12)
    assert created["orderItems"][0]["amounts"][0]["priceNet"] == 20.9664


def test_tax_is_kept_apart_by_rate(api: Api) -> None:
    created = order(api, item(11.9), item(10.7, vatField=1, vatRate=7))
    rows = {row["vatRate"]: (row["netTotal"], row["value"]) for row in created["amounts"][0]["vats"]}
    assert rows == {19: (10, 1.9), 7: (10, 0.7)}


def test_an_order_in_a_foreign_currency_gets_a_row_in_the_system_currency(api: Api) -> None:
    row = {"isSystemCurrency": False, "currency": "PLN", "exchangeRate": 4, "priceOriginalGross": 100}
    created = order(api, item(0, amounts=row))
    rows = [(each["currency"], each["isSystemCurrency"], each["invoiceTotal"]) for each in created["amounts"]]
    assert rows == [("EUR", True, 25), ("PLN", False, 100)]


def test_a_net_order_adds_the_tax(api: Api) -> None:
    row = {"isSystemCurrency": True, "currency": "EUR", "priceOriginalNet": 10.005}
    created = order(api, item(0, quantity=3, amounts=row))
    total = created["amounts"][0]
    assert (total["isNet"], total["netTotal"], total["vatTotal"], total["invoiceTotal"]) == (True, 30.02, 5.7, 35.72)


@pytest.mark.parametrize(
    ("surcharge", "discount", "percentage", "price"), [(2, 5, False, 17), (0, 10, True, 18), (2, 50, True, 11)]
)
def test_surcharge_and_discount_change_the_price(
    api: Api, surcharge: int, discount: int, percentage: bool, price: int
) -> None:
    row = {"isSystemCurrency": True, "currency": "EUR", "priceOriginalGross": 20, "isPercentage": percentage}
    created = order(api, item(0, amounts={**row, "surcharge": surcharge, "discount": discount}))
    assert created["orderItems"][0]["amounts"][0]["priceGross"] == price


def test_a_gift_card_lowers_the_total_unless_the_tenant_counts_otherwise(api: Api) -> None:
    created = order(api, item(50), item(-20, kind=5, vatRate=0))
    assert (created["amounts"][0]["invoiceTotal"], created["amounts"][0]["giftCardAmount"]) == (30, 20)
    api.control("configure", {"gift_card_lowers_total": False})
    assert api.get(f"/rest/orders/{created['id']}").json()["amounts"][0]["invoiceTotal"] == 50


def test_orders_are_listed_by_filters(api: Api) -> None:
    one = order(api, external="A1")
    two = order(api, external="A2", plentyId=12346, statusId=5)

    def found(**query: Any) -> list[int]:
        return [row["id"] for row in api.get("/rest/orders", **query).json()["entries"]]

    assert found(externalOrderId="A1") == [one["id"]]
    assert found(externalOrderId="A1,A2,A3") == [one["id"], two["id"]]
    assert found(externalOrderId="A") == []
    assert found(clientId=12346) == [two["id"]]
    assert found(statusFrom="5", statusTo="5.9") == [two["id"]]
    assert found(orderType=1, sortBy="id", sortOrder="desc") == [two["id"], one["id"]]
    assert found(updatedAtFrom=one["createdAt"], updatedAtTo=two["updatedAt"]) == [one["id"], two["id"]]
    assert found(updatedAtFrom="2099-01-01T00:00:00+01:00") == []
    assert found(paymentStatus="unpaid", orderIds=str(two["id"])) == [two["id"]]


def test_a_plus_that_became_a_space_is_refused(api: Api) -> None:
    answer = api.http.get(f"{api.base}/rest/orders?updatedAtFrom=2026-05-19T00:00:00+02:00", timeout=5)
    assert "updatedAtFrom" in errors(answer)


def test_orders_are_searched_in_both_forms(api: Api) -> None:
    person = contact(api)
    relation = {"referenceType": "contact", "referenceId": person["id"], "relation": "receiver"}
    one = order(api, external="A1", relations=[relation])
    two = order(api, external="A2", statusId=5)

    def complex_form(*fields: JSON, join: str = "and", groups: Any = ()) -> list[int]:
        body = {"conditionType": join, "fields": list(fields), "groups": list(groups)}
        answer = api.post("/rest/orders/search", body)
        assert answer.status_code == 200, answer.text
        return sorted(row["id"] for row in answer.json()["entries"])

    def simple(**query: str) -> list[int]:
        return sorted(row["id"] for row in api.get("/rest/orders/search", **query).json()["entries"])

    external = {"field": "orderProperty_7", "operator": "eq", "value": "A1"}
    status = {"field": "statusId", "operator": "between", "value": [4, 6]}
    assert complex_form(external) == [one["id"]]
    assert complex_form(status) == [two["id"]]
    assert complex_form(external, status) == []
    assert complex_form(groups=[{"conditionType": "or", "fields": [external, status]}]) == [one["id"], two["id"]]
    receiver = {"field": "relationReference_contact_receiver", "operator": "eq", "value": person["id"]}
    assert complex_form(receiver) == [one["id"]]
    window = {"field": "updatedAt", "operator": "between", "value": [one["updatedAt"], two["updatedAt"]]}
    assert complex_form(window) == [one["id"], two["id"]]
    assert simple(orderProperty_7="eq:A2", plentyId="eq:12345") == [two["id"]]
    assert simple(statusId="gte:3 AND lt:4") == [one["id"]]
    assert simple(orderProperty_7="eq:A1 OR eq:A2") == [one["id"], two["id"]]
    assert api.post("/rest/orders/search", {"fields": [{"field": "nonsense"}]}).status_code == 422


def test_a_search_returns_heads_unless_told_otherwise(api: Api) -> None:
    order(api)
    assert "orderItems" not in api.get("/rest/orders/search").json()["entries"][0]
    assert api.get("/rest/orders/search", lazyLoaded="false").json()["entries"][0]["orderItems"]


def test_a_new_order_is_found_by_id_before_lists_show_it(api: Api) -> None:
    api.control("configure", {"index_lag": 10})
    created = order(api)
    assert api.get(f"/rest/orders/{created['id']}").status_code == 200
    assert api.get("/rest/orders", externalOrderId="100000001").json()["entries"] == []
    assert api.get("/rest/orders/search", orderProperty_7="eq:100000001").json()["entries"] == []
    contact(api)
    payment(api)
    assert api.get("/rest/accounts/contacts", externalId="77").json()["entries"] == []
    assert api.get("/rest/payments/property/1/TXN-1").json() == []
    api.control("advance", {"seconds": 10})
    assert len(api.get("/rest/orders", externalOrderId="100000001").json()["entries"]) == 1
    assert len(api.get("/rest/payments/property/1/TXN-1").json()) == 1


def test_a_change_of_status_is_kept_in_the_history(api: Api) -> None:
    created = order(api)
    assert api.put(f"/rest/orders/{created['id']}", {"statusId": 5.1}).json()["statusId"] == 5.1
    assert api.put(f"/rest/orders/{created['id']}/cancel", {}).json()["statusName"] == "[8] Cancelled "
    history = api.get(f"/rest/orders/{created['id']}/status-history").json()
    assert [row["statusId"] for row in history] == [3, 5.1, 8]
    assert errors(api.put(f"/rest/orders/{created['id']}", {"statusId": 6.66}))


def test_a_locked_order_refuses_items_but_takes_a_status(api: Api) -> None:
    created = order(api)
    api.control("lock", {"externalId": "100000001"})
    path = f"/rest/orders/{created['id']}"
    assert api.put(path, {"orderItems": [item(1)]}).status_code == 422
    assert api.put(path, {"statusId": 5, "properties": [{"typeId": 6, "value": "de"}]}).json()["statusId"] == 5
    assert api.get(path).json()["lockStatus"] == "reversibleLocked"
    assert len(api.get(f"{path}/items").json()["entries"]) == 1


def test_an_order_may_be_changed_in_part(api: Api) -> None:
    created = order(api)
    line = created["orderItems"][0]["id"]
    path = f"/rest/orders/{created['id']}"
    changed = api.put(path, {"orderItems": [{"id": line, "quantity": 3}, item(1, kind=6)]}).json()
    assert [(row["id"] == line, row["quantity"]) for row in changed["orderItems"]] == [(True, 3), (False, 1)]
    assert changed["amounts"][0]["invoiceTotal"] == 75.85
    assert api.put(path, {"properties": [{"typeId": 4, "value": "fullyPaid"}]}).json()["amounts"][0]["paidAmount"] == 0
    assert values(api.get(path).json())[4] == "unpaid"


# Payments


def test_a_payment_counts_once_it_is_related(api: Api) -> None:
    person, created = contact(api), order(api)
    paid = payment(api, order={"orderId": created["id"]}, contact={"contactId": person["id"]})
    assert (paid["order"], paid["contact"], paid["receivedAt"]) == (None, None, "2026-05-19 16:50:00")
    assert values(api.get(f"/rest/orders/{created['id']}").json())[4] == "unpaid"
    relation = api.post(f"/rest/payment/{paid['id']}/order/{created['id']}").json()
    assert (relation["paymentId"], relation["orderId"]) == (paid["id"], created["id"])
    assert len(relation["assignedAt"]) == len("2026-05-19 16:55:21")
    assert api.post(f"/rest/payment/{paid['id']}/contact/{person['id']}").json()["contactId"] == person["id"]
    read = api.get(f"/rest/orders/{created['id']}").json()
    assert (values(read)[4], read["amounts"][0]["paidAmount"]) == ("fullyPaid", 49.9)
    assert 3 in [row["typeId"] for row in read["dates"]]
    assert [row["id"] for row in api.get(f"/rest/payments/orders/{created['id']}").json()] == [paid["id"]]
    api.delete(f"/rest/payment/{paid['id']}/order")
    assert values(api.get(f"/rest/orders/{created['id']}").json())[4] == "unpaid"


@pytest.mark.parametrize(("amount", "word"), [(1, "partlyPaid"), (49.9, "fullyPaid"), (50, "overpaid")])
def test_the_payment_status_follows_from_the_amount(api: Api, amount: float, word: str) -> None:
    created, paid = order(api), payment(api, amount)
    api.post(f"/rest/payment/{paid['id']}/order/{created['id']}")
    assert values(api.get(f"/rest/orders/{created['id']}").json())[4] == word


def test_a_payment_that_is_only_awaited_pays_nothing(api: Api) -> None:
    created, paid = order(api), payment(api, status=1)
    api.post(f"/rest/payment/{paid['id']}/order/{created['id']}")
    assert values(api.get(f"/rest/orders/{created['id']}").json())[4] == "unpaid"
    api.put("/rest/payments", {"id": paid["id"], "status": 2})
    assert values(api.get(f"/rest/orders/{created['id']}").json())[4] == "fullyPaid"


def test_the_same_payment_is_refused_unless_its_hash_is_made_anew(api: Api) -> None:
    payment(api)
    assert errors(api.post("/rest/payments", payment_body())) == {"hash": ["The hash has already been taken."]}
    payment(api, regenerateHash=True)
    payment(api, transaction="TXN-2")
    assert len(api.state()["duplicates"]["payments"]) == 1


def test_payments_are_found_by_property_and_searched_in_an_envelope(api: Api) -> None:
    one = payment(api, transaction="A/B 1")
    payment(api, transaction="TXN-2")
    assert [row["id"] for row in api.get("/rest/payments/property/1/A%2FB%201").json()] == [one["id"]]
    found = api.get("/rest/payments/search", transactionId="1,A/B", **{"with[]": "properties"}).json()
    assert (found["page"], [row["id"] for row in found["entries"]]) == ("1", [one["id"]])
    assert "properties" in found["entries"][0]


def test_a_payment_is_validated(api: Api) -> None:
    found = errors(api.post("/rest/payments", {"amount": -1, "currency": "euro", "type": "cash", "mopId": 4711}))
    assert set(found) == {"amount", "currency", "type", "mopId", "exchangeRatio", "status", "transactionType"}


def test_relations_made_twice_are_seen_in_the_state_and_pay_once(api: Api) -> None:
    created, paid = order(api), payment(api)
    for _ in range(2):
        api.post(f"/rest/payment/{paid['id']}/order/{created['id']}")
    assert len(api.state()["duplicates"]["order_relations"]) == 1
    assert api.state()["orders"][0]["paymentStatus"] == "fullyPaid"


# The rest


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_batch_answers_each_operation_with_json_inside_json(api: Api, method: str) -> None:
    created = order(api)
    payloads = [
        {"resource": f"rest/orders/{created['id']}", "method": "PUT", "body": {"statusId": 5.1}},
        {"resource": "rest/orders/1", "method": "GET"},
    ]
    answer = api.http.request(method, f"{api.base}/rest/batch", json={"payloads": payloads}, timeout=5).json()
    assert [row["resource"] for row in answer] == [row["resource"] for row in payloads]
    assert json.loads(answer[0]["content"])["statusId"] == 5.1
    assert json.loads(answer[1]["content"])["error"]["message"].startswith("No query results for model")
    assert "status" not in answer[1]


def test_a_batch_takes_twenty_and_may_be_absent_or_cost_every_call(api: Api) -> None:
    payloads = [{"resource": "rest/user", "method": "GET"}] * 21
    assert errors(api.post("/rest/batch", {"payloads": payloads}))
    api.control("configure", {"batch_costs": True, "read_limit": 5})
    contents = [row["content"] for row in api.post("/rest/batch", {"payloads": payloads[:10]}).json()]
    assert contents.count("short period read limit reached") == 5
    api.control("configure", {"batch": False})
    assert api.post("/rest/batch", {"payloads": payloads[:1]}).status_code == 404


def test_unknown_records_routes_and_methods_are_told_apart(api: Api) -> None:
    assert api.get("/rest/orders/1").json()["error"]["message"].startswith("No query results for model")
    assert api.get("/rest/orders/status").status_code == 404
    assert api.get("/rest/webhooks").status_code == 404
    assert api.post("/rest/webstores").status_code == 405
    assert api.get("/elsewhere").status_code == 404
    assert api.post("/rest/orders/1/warranties").status_code == 501


def test_a_malformed_body_is_an_error_500(api: Api) -> None:
    answer = api.http.post(f"{api.base}/rest/orders", data="{", timeout=5)
    assert (answer.status_code, answer.json()["error"]["message"]) == (500, "Syntax error")


def test_a_comment_is_found_at_its_order(api: Api) -> None:
    created = order(api)
    body = {"referenceType": "order", "referenceValue": created["id"], "text": "<p>x</p>", "isVisibleForContact": False}
    assert api.post("/rest/comments", body).status_code == 200
    assert api.get(f"/rest/comments/order/{created['id']}").json()[0]["text"] == "<p>x</p>"
    read = api.get(f"/rest/orders/{created['id']}", **{"with[]": "comments"}).json()
    assert len(read["comments"]) == 1


def test_the_control_page_shows_and_changes_an_order(api: Api) -> None:
    order(api, external="A1")
    assert api.control("set_status", {"externalId": "A1", "statusId": 7})["statusId"] == 7
    assert api.control("order", {"externalId": "A1", "plentyId": 12345})["statusId"] == 7
    assert len(api.control("orders")) == 1
    missing = requests.post(f"{api.base}/_sandbox/control/order", json={"externalId": "no"}, timeout=5)
    assert missing.status_code == 404
    wrong = requests.post(f"{api.base}/_sandbox/control/configure", json={"index_lga": 1}, timeout=5)
    assert (wrong.status_code, "index_lga" in wrong.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "settings",
    [{"batch": 1}, {"index_lag": "1"}, {"max_sessions": None}, {"write_limit": 1.5}, {"write_limit": True}, ["batch"]],
)
def test_a_setting_of_the_wrong_type_is_refused(api: Api, settings: Any) -> None:
    answer = requests.post(f"{api.base}/_sandbox/control/configure", json=settings, timeout=5)
    assert answer.status_code == 400


def test_a_reset_forgets_everything_but_the_articles(api: Api) -> None:
    order(api)
    api.control("configure", {"index_lag": 5})
    requests.post(f"{api.base}/_sandbox/reset", timeout=5).raise_for_status()
    state = api.state()
    assert (state["counts"]["orders"], state["counts"]["variations"], state["sessions"]) == (0, 3, 0)
    api.login()
    assert order(api)["id"] == 700001


def test_many_callers_at_once_get_numbers_of_their_own(api: Api) -> None:
    found: list[int] = []

    def run(name: int) -> None:
        for turn in range(10):
            answer = requests.post(
                f"{api.base}/rest/orders",
                json=order_body(item(1), external=f"{name}-{turn}"),
                headers={"Authorization": str(api.http.headers["Authorization"])},
                timeout=10,
            )
            found.append(answer.json()["id"])
            api.state()

    threads = [threading.Thread(target=run, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 60
    assert api.state()["duplicates"]["orders"] == []
