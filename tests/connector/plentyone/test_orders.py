"""An order on its way to PlentyONE, over HTTP against the stand-in."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import Entry, RecordFailed, SkipRecord
from connector.plentyone import PlentyOne
from connector.plentyone.orders import Orders
from connector.records import Comment, Deduction, DeductionKind, LineKind, Payment, Residual
from connector.testing import ConnectorContract, MemoryKnown, options_for
from tests.connector.plentyone.records import ANNA, BERT, line, order, registered, shipping
from tests.connector.plentyone.standin import MAPPED, Shop, StandIn
from tests.connector.plentyone.wire import Wire


class TestPlentyOne(ConnectorContract):
    connector = PlentyOne


def posted(plenty: StandIn, path: str = "/rest/orders") -> dict[str, Any]:
    """The last body that was posted there."""
    return dict([one for one in plenty.requests() if one["method"] == "POST" and one["path"] == path][-1]["body"])


def prop(entry: dict[str, Any], type_id: int) -> str | None:
    return next((one["value"] for one in entry.get("properties", ()) if one["typeId"] == type_id), None)


# calls


def test_a_new_guest_costs_five_writes_and_a_known_one_three_without_any_read(plenty: StandIn, shop: Shop) -> None:
    orders = [order(f"10000012{n}") for n in range(3)]
    shop.orders.prepare(orders, lambda _: shop.options())
    shop.called()
    shop.orders.write(orders[0], shop.known(), shop.options())
    first = [call for call in shop.called() if not call.startswith("GET /rest/payments/")]  # read once per connection
    assert first == [
        "POST /rest/accounts/contacts",
        "POST /rest/batch",
        "POST /rest/orders",
        "POST /rest/payments",
        "POST /rest/batch",
    ]
    for another in orders[1:]:
        shop.orders.write(another, shop.known(), shop.options())
        assert shop.called() == ["POST /rest/orders", "POST /rest/payments", "POST /rest/batch"]


def test_a_note_goes_along_with_the_relations_and_costs_no_write_of_its_own(plenty: StandIn, shop: Shop) -> None:
    told = (Comment(text="Please ring", by_customer=True), Comment(text="Twice", by_customer=True))
    shop.orders.prepare([order()], lambda _: shop.options())
    shop.called()
    shop.orders.write(order(comments=told), shop.known(), shop.options())
    calls = [call for call in shop.called() if not call.startswith("GET /rest/payments/")]
    assert len(calls) == 5
    assert "POST /rest/comments" not in calls
    counts = plenty.state()["counts"]
    assert (counts["comments"], counts["order_relations"], counts["contact_relations"]) == (2, 1, 1)


def test_a_note_goes_along_with_the_only_relation_of_an_order_without_a_contact(plenty: StandIn, shop: Shop) -> None:
    made = order(comments=(Comment(text="Please ring", by_customer=True),))
    shop.orders.write(made, shop.known(), shop.options(create_customer=False))
    assert shop.called().count("POST /rest/batch") == 1
    counts = plenty.state()["counts"]
    assert (counts["comments"], counts["order_relations"]) == (1, 1)


def test_a_note_of_an_order_without_a_payment_is_written_alone(plenty: StandIn, shop: Shop) -> None:
    made = order(comments=(Comment(text="Please ring", by_customer=True),), paid=Decimal(0))
    shop.orders.write(made, shop.known(), shop.options())
    assert shop.called()[-1] == "POST /rest/comments"
    assert plenty.state()["counts"]["comments"] == 1


def test_it_writes_an_order_with_all_its_parts(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    written = shop.orders.write(order(), known, shop.options())
    assert written.created
    assert written.message == f"Order {written.key} created: 2 items, 24.90 EUR, payment {known.refs['payment_id']}"
    assert set(known.refs) == {ref.key for ref in shop.orders.refs}
    assert known.refs["id"] == written.key
    assert known.refs["status_id"] == "5"
    assert known.refs["status_name"] == "[5] Cleared for shipping"
    state = plenty.state()
    assert state["counts"]["orders"] == state["counts"]["contacts"] == state["counts"]["payments"] == 1
    assert state["counts"]["addresses"] == 2
    assert state["counts"]["order_relations"] == state["counts"]["contact_relations"] == 1
    body = posted(plenty)
    assert body["plentyId"] == 12345
    assert body["statusId"] == 5
    assert prop(body, 7) == "100000123"
    assert prop(body, 3) == "0"
    assert prop(body, 2) == "6"
    assert prop(body, 6) == "de"
    item = body["orderItems"][0]
    assert prop(item, 41) == "11"
    assert (item["typeId"], item["countryVatId"], item["vatField"], item["vatRate"]) == (1, 1, 0, 19)
    assert item["warehouseId"] == 104


def test_without_batches_it_goes_on_by_single_calls_and_remembers(plenty: StandIn, shop: Shop) -> None:
    plenty.control("configure", {"batch": False})
    shop.orders.write(order("100000001"), shop.known(), shop.options())
    shop.called()
    shop.orders.write(order("100000002", customer=registered(email="b@example.com")), shop.known(), shop.options())
    calls = shop.called()
    assert "POST /rest/batch" not in calls
    assert plenty.state()["counts"]["addresses"] == 4
    assert plenty.state()["counts"]["contact_relations"] == 2


# people


def test_two_orders_of_one_guest_share_contact_and_addresses(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order("100000001"), shop.known(), shop.options())
    again = order("100000002", customer=replace(order().customer, email="ANNA@example.com"))
    shop.orders.write(again, shop.known(), shop.options())
    counts = plenty.state()["counts"]
    assert (counts["orders"], counts["contacts"]) == (2, 1)


def test_a_guest_contact_says_that_it_is_one(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order(), shop.known(), shop.options(customer_class_mapping={"0": 2}, default_customer_class=1))
    body = posted(plenty, "/rest/accounts/contacts")
    assert body["externalId"] == "guest-100000123"
    assert body["classId"] == 1
    told = {(one["typeId"], one["subTypeId"]): one["value"] for one in body["options"]}
    assert told == {(2, 4): "anna@example.com", (1, 4): "+49 000 0000000", (10, 11): "1"}


def test_a_registered_customer_is_looked_up_once_and_never_again(plenty: StandIn, shop: Shop) -> None:
    made = order("100000001", customer=registered())
    shop.orders.write(made, shop.known(), shop.options())
    assert [call for call in shop.called() if call == "GET /rest/accounts/contacts"]
    shop.orders.write(order("100000002", customer=registered()), shop.known(), shop.options())
    assert shop.called() == ["POST /rest/orders", "POST /rest/payments", "POST /rest/batch"]
    assert plenty.state()["counts"]["contacts"] == 1


def test_a_contact_that_exists_is_used(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order("100000001", customer=registered()), shop.known(), shop.options())
    fresh = Shop(plenty.url)  # nothing is remembered
    fresh.orders.write(order("100000002", customer=registered()), fresh.known(), fresh.options())
    other = registered(key="18", email="Anna@Example.com")  # the same person by e-mail
    fresh.orders.write(order("100000003", customer=other), fresh.known(), fresh.options())
    assert plenty.state()["counts"]["contacts"] == 1


def test_the_same_external_id_of_another_person_is_not_her(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order("100000001", customer=registered()), shop.known(), shop.options())
    fresh = Shop(plenty.url)
    stranger = registered(email="carl@example.com", first_name="Carl", last_name="Fremd")
    known = fresh.known()
    fresh.orders.write(order("100000002", customer=stranger), known, fresh.options())
    assert plenty.state()["counts"]["contacts"] == 2


def test_one_address_serves_for_billing_and_delivery_when_they_are_the_same(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    shop.orders.write(order(shipping=replace(ANNA, key="999")), known, shop.options())
    assert known.refs["billing_id"] == known.refs["shipping_id"]
    assert plenty.state()["counts"]["addresses"] == 1
    assert posted(plenty)["addressRelations"] == [
        {"typeId": 1, "addressId": int(known.refs["billing_id"])},
        {"typeId": 2, "addressId": int(known.refs["billing_id"])},
    ]


def test_without_customer_creation_the_order_has_addresses_and_no_contact(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    shop.orders.write(order(), known, shop.options(create_customer=False))
    assert plenty.state()["counts"]["contacts"] == 0
    assert "contact_id" not in known.refs
    assert "payment_contact_id" not in known.refs
    assert "relations" not in posted(plenty)
    guest = shop.known()
    shop.orders.write(order("100000124"), guest, shop.options(create_customer_for_guest=False))
    assert plenty.state()["counts"]["contacts"] == 0


def test_address_fields_go_where_the_setting_says(plenty: StandIn, shop: Shop) -> None:
    billing = replace(ANNA, company="Muster GmbH", middle_name="Maria", vat_id="DE123", region="Hessen", prefix="Frau")
    mapping = {"company": "name1", "firstname": "name2", "middlename": "name2", "lastname": "name3", "vat_id": "name4"}
    shop.orders.write(order(billing=billing, shipping=None), shop.known(), shop.options(address_field_mapping=mapping))
    path = next(one["path"] for one in plenty.requests() if one["path"].endswith("/addresses"))
    body = posted(plenty, path)
    assert [body[f"name{n}"] for n in range(1, 5)] == ["Muster GmbH", "Anna Maria", "Muster", "DE123"]
    assert (body["address1"], body["address2"]) == ("Musterweg", "1")
    assert body["gender"] == "female"
    assert body["stateId"] == 7
    assert {one["typeId"]: one["value"] for one in body["options"]} == {
        1: "DE123",
        2: "200001",
        4: "+49 000 0000000",
        5: "anna@example.com",
    }


def test_an_address_in_a_country_that_plentyone_does_not_know_fails_by_name(plenty: StandIn, shop: Shop) -> None:
    with pytest.raises(RecordFailed, match=r"no country 'XX'.*billing"):
        shop.orders.write(order(billing=replace(ANNA, country="XX")), shop.known(), shop.options())
    assert plenty.state()["counts"]["contacts"] == 0


def test_a_contact_number_that_is_taken_is_left_to_plentyone() -> None:
    wire = Wire()
    wire.on("GET /rest/accounts/contacts", (200, []))
    taken = {"validation_errors": {"number": ["The number has already been taken."]}}
    wire.on("POST /rest/accounts/contacts", (422, taken), (200, {"id": 40001}))
    wire.on("GET /rest/items/variations", (200, []))
    orders = Orders(wire.connector)
    wire.host.catalogues["webstore"] = [Entry(id="12345", name="Shop")]
    made = order(customer=registered())
    with pytest.raises(KeyError):  # the wire has no addresses
        orders.write(made, MemoryKnown(), options_for(Orders, MAPPED))
    bodies = [json.loads(one.body or "") for one in wire.sent if one.method == "POST" and "contacts" in str(one.url)]
    assert [("number" in body, body["externalId"]) for body in bodies[:2]] == [(True, "17"), (False, "17")]


@pytest.mark.parametrize("what", ["contact_id", "billing_id"])
def test_what_people_deleted_meanwhile_is_made_anew(plenty: StandIn, shop: Shop, what: str) -> None:
    refs, _ = exported(shop)
    kind = "contacts" if what == "contact_id" else "addresses"
    shop.orders.client.send("DELETE", f"/rest/accounts/{kind}/{refs[what]}")
    known = shop.known()
    written = shop.orders.write(order("100000124"), known, shop.options())
    assert written.created
    assert known.refs[what] != refs[what]
    assert "was deleted in PlentyONE" in known.notes[0]
    shop.called()
    shop.orders.write(order("100000125"), shop.known(), shop.options())
    assert shop.called() == ["POST /rest/orders", "POST /rest/payments", "POST /rest/batch"]


# items and money


def test_a_discount_becomes_one_coupon_for_each_vat_rate(plenty: StandIn, shop: Shop) -> None:
    lines = (
        line("1", "20.00", "2", discount=Decimal("5.00")),
        line("2", "10.00", sku="SKU-2", tax_rate=Decimal(7), discount=Decimal("1.00")),
        shipping("4.90", discount=Decimal("0.90")),
    )
    written = shop.orders.write(order(lines=lines, coupon="SPRING10"), shop.known(), shop.options())
    body = posted(plenty)
    coupons = [one for one in body["orderItems"] if one["typeId"] == 4]
    assert [(one["vatRate"], one["amounts"][0]["priceOriginalGross"]) for one in coupons] == [(19, -5.9), (7, -1)]
    assert (prop(body, 18), prop(body, 19)) == ("SPRING10", "fixed")
    assert "28.00 EUR" in written.message


def test_a_discount_may_stand_on_the_lines(plenty: StandIn, shop: Shop) -> None:
    lines = (line("1", "20.00", "3", discount=Decimal("5.00")), shipping())
    shop.orders.write(order(lines=lines), shop.known(), shop.options(discount_as="line"))
    items = posted(plenty)["orderItems"]
    assert [one["typeId"] for one in items] == [1, 6]
    assert items[0]["amounts"][0]["priceOriginalGross"] == 6.6667
    assert items[0]["amounts"][0]["discount"] == 1.6667


@pytest.mark.parametrize("lowers", [True, False])
def test_a_redeemed_gift_card_is_accepted_however_the_tenant_counts_it(
    plenty: StandIn, shop: Shop, lowers: bool
) -> None:
    plenty.control("configure", {"gift_card_lowers_total": lowers})
    card = Deduction(kind=DeductionKind.GIFT_CARD, amount=Decimal("10.00"), name="Gift card", code="GC1")
    known = shop.known()
    shop.orders.write(order(deductions=(card,)), known, shop.options())
    assert [one["typeId"] for one in posted(plenty)["orderItems"]] == [1, 6, 5]
    assert len(known.notes) == 1
    assert ("taken off" if lowers else "before the gift card") in known.notes[0]


def test_store_credit_is_a_negative_coupon(plenty: StandIn, shop: Shop) -> None:
    credit = Deduction(kind=DeductionKind.STORE_CREDIT, amount=Decimal("3.00"), name="Store credit")
    shop.orders.write(order(deductions=(credit,)), shop.known(), shop.options())
    item = posted(plenty)["orderItems"][-1]
    assert (item["typeId"], item["amounts"][0]["priceOriginalGross"], item["vatRate"]) == (4, -3, 0)


def test_an_unexplained_amount_stops_the_order_unless_a_setting_allows_it(plenty: StandIn, shop: Shop) -> None:
    odd = order(residual=Residual(amount=Decimal("1.50"), name="cod fee"))
    with pytest.raises(RecordFailed, match=r"1.50.*cod fee"):
        shop.orders.write(odd, shop.known(), shop.options())
    assert plenty.state()["counts"]["contacts"] == 0
    shop.orders.write(odd, shop.known(), shop.options(residual="line"))
    item = posted(plenty)["orderItems"][-1]
    assert (item["typeId"], item["orderItemName"], item["amounts"][0]["priceOriginalGross"]) == (7, "cod fee", 1.5)


def test_a_total_that_its_own_lines_do_not_give_is_never_sent(plenty: StandIn, shop: Shop) -> None:
    with pytest.raises(RecordFailed, match=r"come to 24.90 EUR.*25.00 EUR.*0.10 EUR"):
        shop.orders.write(order(grand_total=Decimal("25.00")), shop.known(), shop.options())
    assert plenty.state()["counts"] == {**plenty.state()["counts"], "orders": 0, "contacts": 0}


def test_an_unknown_sku_is_sent_unassigned_or_fails(plenty: StandIn, shop: Shop) -> None:
    strange = order(lines=(line(sku="NO-SUCH"), shipping()))
    with pytest.raises(RecordFailed, match="NO-SUCH"):
        shop.orders.write(strange, shop.known(), shop.options(unknown_sku="fail"))
    shop.orders.write(strange, shop.known(), shop.options())
    item = posted(plenty)["orderItems"][0]
    assert (item["typeId"], item["itemVariationId"], prop(item, 17)) == (9, 0, "NO-SUCH")


def bundle() -> tuple[Any, ...]:
    return (
        line("1", "30.00", sku="BUNDLE", kind=LineKind.BUNDLE, name="Set"),
        line("2", "0.00", "1", sku="PART-A", kind=LineKind.COMPONENT, parent="1", tax_rate=None),
        line("3", "0.00", "2", sku="PART-B", kind=LineKind.COMPONENT, parent="1", tax_rate=None),
        shipping(),
    )


def test_a_bundle_goes_as_its_parts_or_as_one(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order("100000001", lines=bundle()), shop.known(), shop.options())
    items = posted(plenty)["orderItems"]
    assert [(one["typeId"], one["quantity"], one["amounts"][0]["priceOriginalGross"]) for one in items] == [
        (1, 1, 10),
        (1, 2, 10),
        (6, 1, 4.9),
    ]
    assert {one["vatRate"] for one in items} == {19}
    shop.orders.write(order("100000002", lines=bundle()), shop.known(), shop.options(bundle_as="parent"))
    items = posted(plenty)["orderItems"]
    assert [(one["typeId"], one["amounts"][0]["priceOriginalGross"]) for one in items] == [(2, 30), (6, 4.9)]


def test_a_foreign_currency_carries_its_rate(plenty: StandIn, shop: Shop) -> None:
    foreign = order(currency="PLN", base_currency="EUR", exchange_rate=Decimal("4.25"))
    written = shop.orders.write(foreign, shop.known(), shop.options())
    amounts = posted(plenty)["orderItems"][0]["amounts"][0]
    assert (amounts["isSystemCurrency"], amounts["currency"], amounts["exchangeRate"]) == (False, "PLN", 4.25)
    assert "24.90 PLN" in written.message
    payment = posted(plenty, "/rest/payments")
    assert (payment["currency"], payment["exchangeRatio"], payment["isSystemCurrency"]) == ("PLN", 4.25, False)


def test_a_virtual_order_is_delivered_to_the_billing_address(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    shop.orders.write(order(shipping=None, shipping_method=None, lines=(line(),)), known, shop.options())
    assert known.refs["billing_id"] == known.refs["shipping_id"]


# payments


def test_an_unpaid_order_gets_no_payment_unless_the_method_says_so(plenty: StandIn, shop: Shop) -> None:
    unpaid = order(paid=Decimal(0), payment=Payment(method="checkmo"))
    written = shop.orders.write(unpaid, shop.known(), shop.options())
    assert written.message.endswith("no payment")
    assert plenty.state()["counts"]["payments"] == 0
    rows = {"checkmo": {"method_id": 0, "submit_unconfirmed": True}}
    known = shop.known()
    awaiting = order("100000124", paid=Decimal(0), payment=Payment(method="checkmo"))
    shop.orders.write(awaiting, known, shop.options(payment_mapping=rows))
    assert known.refs["payment_status_id"] == "1"


def test_no_payment_is_made_where_a_setting_says_no(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order("100000001"), shop.known(), shop.options(create_payment=False))
    rows = {"checkmo": {"method_id": 0, "create_payment": False}}
    shop.orders.write(order("100000002"), shop.known(), shop.options(payment_mapping=rows))
    assert plenty.state()["counts"]["payments"] == 0


def test_a_payment_carries_transaction_text_and_sender(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order(), shop.known(), shop.options())
    body = posted(plenty, "/rest/payments")
    assert {one["typeId"]: one["value"] for one in body["properties"]} == {
        1: "TX-100000123",
        3: "Order 100000123 TX-100000123",
        10: "100000123",
        11: "Anna Muster",
        12: "anna@example.com",
    }
    assert (body["status"], body["transactionType"], body["type"], body["amount"]) == (2, 2, "credit", 24.9)


def test_two_orders_paid_by_one_transaction_get_a_payment_each(plenty: StandIn, shop: Shop) -> None:
    for number in ("100000001", "100000002"):
        paid = order(number, payment=Payment(method="checkmo", transaction_id="SHARED"))
        shop.orders.write(paid, shop.known(), shop.options())
    assert plenty.state()["counts"]["payments"] == 2
    assert plenty.state()["counts"]["order_relations"] == 2


# settings


def test_missing_mappings_are_named_before_anything_is_sent(plenty: StandIn, shop: Shop) -> None:
    lacking = shop.options(status_mapping={}, payment_mapping={}, default_shipping_profile=None, warehouse_id=None)
    made = order(store="fr")
    told = shop.orders.check(made, lacking)
    assert told[:2] == [
        "order status 'processing' of store fr is not mapped",
        "payment method 'checkmo' of store fr is not mapped",
    ]
    assert told[2].startswith("default shipping profile of store fr is not set")
    assert told[3] == "main warehouse of store fr is not set"
    assert shop.orders.check(made, shop.options()) == []  # its client is the first one collected
    shop.host.catalogues["webstore"] = []
    assert shop.orders.check(made, shop.options()) == ["store fr is not mapped"]
    assert shop.called() == []
    with pytest.raises(RecordFailed, match="store fr is not mapped"):
        shop.orders.write(made, shop.known(), shop.options())


def test_an_order_without_a_status_needs_no_mapping_and_sends_none(plenty: StandIn, shop: Shop) -> None:
    made = order(status=None)
    assert shop.orders.check(made, shop.options(status_mapping={})) == []
    shop.orders.write(made, shop.known(), shop.options(status_mapping={}))
    assert "statusId" not in posted(plenty)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"warehouse_id": 99999}, "99999 (setting 'warehouse_id') is not in the collected list"),
        ({"status_mapping": {"processing": "five"}}, "'five' (setting 'status_mapping, processing')"),
        ({"status_mapping": {"processing": 99.9}}, "99.9 (setting"),
        ({"payment_mapping": {"checkmo": {"method_id": 999}}}, "999 (setting 'payment_mapping, checkmo')"),
        ({"store_mapping": {"de": {"webstore": 4}}}, "4 (setting 'store_mapping, de')"),
        ({"store_mapping": {"de": {"webstore": 12345, "language": "xx"}}}, "'xx' (setting"),
        ({"default_shipping_profile": 998}, "998 (setting 'default_shipping_profile')"),
        ({"shipping_mapping": {"flatrate_flatrate": 997}}, "997 (setting 'shipping_mapping, flatrate_flatrate')"),
        ({"referrer_id": 77.5}, "77.5 (setting 'referrer_id')"),
        ({"default_customer_class": 88}, "88 (setting 'default_customer_class')"),
        ({"attribute_mapping": {"gift": 7777}}, "7777 (setting 'attribute_mapping, gift')"),
    ],
)  # fmt: skip
def test_a_value_that_plentyone_does_not_have_is_refused_before_anything_is_sent(
    plenty: StandIn, shop: Shop, settings: dict[str, Any], said: str
) -> None:
    made = order(attributes={"gift": "yes"})
    (told,) = shop.orders.check(made, shop.options(**settings))
    assert told.startswith(said)
    assert told.setting == next(iter(settings))  # type: ignore[attr-defined]
    for kind in shop.host.catalogues:
        shop.host.catalogues[kind] = []
    shop.connector = PlentyOne(shop.connector.account, shop.host)
    assert not [one for one in Orders(shop.connector).check(made, shop.options(**settings)) if said in one]


def test_the_same_id_written_otherwise_is_the_same_value(plenty: StandIn, shop: Shop) -> None:
    given = {"warehouse_id": "104", "status_mapping": {"processing": "5.0"}, "referrer_id": 1.0}
    assert shop.orders.check(order(), shop.options(**given)) == []


def test_a_value_for_what_this_order_does_not_use_is_not_asked_about(plenty: StandIn, shop: Shop) -> None:
    given = {"attribute_mapping": {"gift": 7777}, "default_customer_class": 88, "create_customer": False}
    assert shop.orders.check(order(), shop.options(**given)) == []


def test_stores_without_a_row_may_be_left_out(plenty: StandIn, shop: Shop) -> None:
    only = shop.options(only_mapped_stores=True)
    assert shop.orders.check(order(store="fr", status="unheard of"), only) == []
    with pytest.raises(SkipRecord) as skipped:
        shop.orders.write(order(store="fr"), shop.known(), only)
    assert skipped.value.setting == "only_mapped_stores"


def test_attributes_become_order_properties(plenty: StandIn, shop: Shop) -> None:
    made = order(attributes={"extension_attributes.pickup": "S1", "gift": True, "empty": ""})
    mapping = {"extension_attributes.pickup": 1001, "gift": "1002", "empty": 1003, "absent": 1003}
    shop.orders.write(made, shop.known(), shop.options(attribute_mapping=mapping))
    body = posted(plenty)
    assert [prop(body, id) for id in (1001, 1002, 1003)] == ["S1", "1", None]


def test_the_warehouse_may_be_kept_off_the_items(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order(), shop.known(), shop.options(warehouse_on_items=False))
    body = posted(plenty)
    assert all("warehouseId" not in item and prop(item, 1) is None for item in body["orderItems"])
    assert {"referenceType": "warehouse", "referenceId": 104, "relation": "sender"} in body["relations"]


def test_a_mapped_shipping_method_and_referrer_are_used(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    options = shop.options(shipping_mapping={"flatrate_flatrate": 7}, referrer_id="4.01")
    shop.orders.write(order(), known, options)
    body = posted(plenty)
    assert prop(body, 2) == "7"
    assert body["referrerId"] == 4.01
    assert known.refs["referrer_id"] == "4.01"


# notes


def test_what_the_customer_wrote_becomes_a_note_once(plenty: StandIn, shop: Shop) -> None:
    made = order(comments=(Comment(text="Please <ring> & wait", by_customer=True), Comment(text="internal")))
    known = shop.known()
    plenty.control("configure", {"batch": False})
    shop.orders.write(made, known, shop.options())
    assert posted(plenty, "/rest/comments")["text"] == "<p>Please &lt;ring&gt; &amp; wait</p>"
    shop.orders.write(made, shop.known(dict(known.refs)), shop.options())
    assert plenty.state()["counts"]["comments"] == 1


# changes


def exported(shop: Shop, **given: Any) -> tuple[dict[str, str], Any]:
    made = order(**given)
    known = shop.known()
    shop.orders.write(made, known, shop.options())
    shop.called()
    return dict(known.refs), made


def test_an_unchanged_order_is_only_read(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    written = shop.orders.write(made, shop.known(refs), shop.options())
    assert not written.created
    assert written.message.endswith("nothing to change")
    assert not [call for call in shop.called() if not call.startswith("GET")]


def test_a_changed_status_is_sent_and_remembered(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    known = shop.known(refs)
    shop.orders.write(replace(made, status="complete"), known, shop.options())
    assert known.refs["status_id"] == "7"
    assert f"PUT /rest/orders/{refs['id']}" in shop.called()
    assert plenty.state()["orders"][0]["statusId"] == 7


def test_a_status_that_people_changed_in_plentyone_is_left_alone(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    plenty.control("set_status", {"id": int(refs["id"]), "statusId": 6})
    shop.orders.write(replace(made, paid=made.paid), shop.known(refs), shop.options())
    assert plenty.state()["orders"][0]["statusId"] == 6


def test_a_cancelled_order_is_cancelled(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    shop.orders.write(replace(made, status="canceled", cancelled=True), shop.known(refs), shop.options())
    assert f"PUT /rest/orders/{refs['id']}/cancel" in shop.called()
    assert plenty.state()["orders"][0]["statusId"] == 8


def test_money_that_comes_in_later_is_booked_once(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop, paid=Decimal(0))
    assert "payment_id" not in refs
    known = shop.known(refs)
    half = replace(made, paid=Decimal("10.00"))
    shop.orders.write(half, known, shop.options())
    assert known.refs["payment_order_id"]
    first = known.refs["payment_id"]
    written = shop.orders.write(replace(made, paid=made.grand_total), shop.known(dict(known.refs)), shop.options())
    assert "14.90 EUR added" in written.message
    again = shop.known(dict(known.refs))
    shop.orders.write(replace(made, paid=made.grand_total), again, shop.options())
    assert plenty.state()["counts"]["payments"] == 2
    assert plenty.state()["counts"]["order_relations"] == 2
    assert first


def test_a_payment_that_awaited_approval_is_approved(plenty: StandIn, shop: Shop) -> None:
    options = shop.options(payment_mapping={"checkmo": {"method_id": 0, "submit_unconfirmed": True}})
    known = shop.known()
    made = order(paid=Decimal(0))
    shop.orders.write(made, known, options)
    later = shop.known(dict(known.refs))
    shop.orders.write(replace(made, paid=made.grand_total), later, options)
    assert later.refs["payment_status_id"] == "2"
    assert plenty.state()["counts"]["payments"] == 1


def test_a_changed_address_is_a_new_address_of_the_order(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    known = shop.known(refs)
    shop.orders.write(replace(made, shipping=replace(BERT, city="Berlin")), known, shop.options())
    assert known.refs["billing_id"] == refs["billing_id"]
    assert known.refs["shipping_id"] not in (refs["shipping_id"], refs["billing_id"])
    assert plenty.state()["counts"]["addresses"] == 3


@pytest.mark.parametrize("create_customer", [True, False])
@pytest.mark.parametrize(
    "change",
    [{"company": "Neu GmbH"}, {"street": ("Neuer Weg 7",)}, {"postcode": "10117"}, {"last_name": "Neumann"}],
    ids=lambda change: next(iter(change)),
)
def test_an_address_of_which_one_line_changed_after_the_export_is_not_left_as_it_was(
    plenty: StandIn, shop: Shop, change: dict[str, Any], create_customer: bool
) -> None:
    options = shop.options(create_customer=create_customer)
    made, known = order(), shop.known()
    shop.orders.write(made, known, options)
    later = shop.known(dict(known.refs))
    shop.orders.write(replace(made, billing=replace(made.billing, **change)), later, options)
    assert later.refs["billing_id"] != known.refs["billing_id"]
    assert later.refs["shipping_id"] == known.refs["shipping_id"] or not create_customer
    sent = next(one for one in reversed(plenty.requests()) if one["method"] == "PUT" and "/rest/orders/" in one["path"])
    assert {"typeId": 1, "addressId": int(later.refs["billing_id"])} in sent["body"]["addressRelations"]


def test_a_changed_address_of_an_order_without_contact_is_seen_too(plenty: StandIn, shop: Shop) -> None:
    options = shop.options(create_customer=False)
    known = shop.known()
    made = order()
    shop.orders.write(made, known, options)
    again = shop.known(dict(known.refs))
    shop.orders.write(made, again, options)
    assert again.refs == known.refs
    shop.orders.write(replace(made, shipping=replace(BERT, city="Berlin")), again, options)
    assert again.refs["shipping_id"] != known.refs["shipping_id"]


def test_a_locked_order_keeps_its_address_and_says_so(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    plenty.control("lock", {"id": int(refs["id"])})
    known = shop.known(refs)
    changed = replace(made, status="complete", shipping=replace(BERT, city="Berlin"))
    shop.orders.write(changed, known, shop.options())
    assert "locked" in known.notes[0]
    assert plenty.state()["orders"][0]["statusId"] == 7
    assert known.refs["shipping_id"] == refs["shipping_id"]


def test_changed_lines_fail_with_both_numbers(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    changed = order(lines=(line("11", "30.00"), shipping()), status="complete")
    with pytest.raises(RecordFailed, match=r"24.90 EUR.*34.90 EUR.*by hand.*status 7"):
        shop.orders.write(replace(changed, paid=made.paid), shop.known(refs), shop.options())


def test_an_order_that_was_deleted_is_not_created_again(plenty: StandIn, shop: Shop) -> None:
    refs, made = exported(shop)
    shop.connector.client.send("DELETE", f"/rest/orders/{refs['id']}")
    with pytest.raises(RecordFailed, match="deleted"):
        shop.orders.write(made, shop.known(refs), shop.options())
    assert plenty.state()["counts"]["orders"] in (0, 1)


# dry run


def test_a_dry_run_sends_nothing_and_runs_through(plenty: StandIn, shop: Shop) -> None:
    shop.orders.prepare([order()], lambda _: shop.options())
    shop.orders.client.dry = shop.orders.pretend
    known = shop.known()
    written = shop.orders.write(order(), known, shop.options())
    assert written.key.startswith("dry-")
    assert {ref.key for ref in shop.orders.refs} - set(known.refs) <= {"status_name"}
    planned = [(method, path) for method, path, _ in shop.orders.client.planned]
    assert planned[0] == ("POST", "/rest/accounts/contacts")
    assert ("POST", "/rest/orders") in planned
    assert sum(plenty.state()["counts"][name] for name in ("orders", "contacts", "payments", "addresses")) == 0
