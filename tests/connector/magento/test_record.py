"""People, payment, comments and stores of an order: what is there is taken, what is absent is None, nothing is guessed."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from connector import Entry, RetryLater
from connector.magento.parsing import Parser
from connector.magento.stores import StoreViews
from connector.records import Order
from tests.connector.magento.orders import ADDRESS, order, row
from tests.connector.magento.test_parsing import payload

VIEWS = [Entry(id="de", name="Deutsch", extra={"store_id": 1, "website": "base"})]
THING = row(1, Decimal(10), Decimal(1), Decimal(19), Decimal(0), gross=True)


def parsed(**more: Any) -> Order:
    return Parser(StoreViews(lambda: VIEWS, list).find).parse(order([THING], **more))


def test_customer_zero_is_a_guest() -> None:
    assert parsed(customer_id=0, customer_is_guest=0).customer.guest
    assert parsed(customer_id=5, customer_is_guest=1).customer.key == "5"


@pytest.mark.parametrize(("code", "gender"), [(1, "male"), (2, "female"), (3, None), (0, None), (None, None)])
def test_a_gender_is_said_only_where_it_is_known(code: int | None, gender: str | None) -> None:
    assert parsed(customer_gender=code).customer.gender == gender


def test_a_customer_with_a_name_keeps_it_and_a_guest_takes_the_billing_addresss() -> None:
    assert parsed(customer_firstname="Eve").customer.first_name == "Eve"
    assert parsed(customer_firstname="Eve").customer.last_name is None
    assert parsed().customer.last_name == "Muster"


def test_vat_ids_of_the_customer_and_of_the_address_stay_apart() -> None:
    made = parsed(customer_taxvat="DE1", billing_address={**ADDRESS, "vat_id": "DE2", "company": " ACME "})
    assert (made.customer.vat_id, made.billing.vat_id, made.billing.company) == ("DE1", "DE2", "ACME")


def test_street_lines_are_kept_as_typed_and_empty_ones_are_left_out() -> None:
    assert parsed(billing_address={**ADDRESS, "street": ["12a", None, " ", "Main Road"]}).billing.street == (
        "12a",
        "Main Road",
    )
    assert parsed(billing_address={**ADDRESS, "street": "Main Road\n12a"}).billing.street == ("Main Road", "12a")


def test_fields_of_modules_on_an_address_are_kept_for_mapping() -> None:
    given = {**ADDRESS, "custom_attributes": [{"attribute_code": "house", "value": "7"}], "vat_is_valid": 1}
    assert parsed(billing_address=given).billing.extra == {"custom_attributes.house": "7", "vat_is_valid": 1}


def test_the_shop_tells_the_customer_and_its_notes_to_itself_stay_there() -> None:
    history = [
        {"comment": "Shipped!", "created_at": "2026-03-02 10:00:00", "is_visible_on_front": 1},
        {"comment": "Captured amount of 10 online", "created_at": "2026-03-01 11:00:00", "is_visible_on_front": 0},
        {"comment": None, "is_visible_on_front": 1},
        {"comment": "Thank you", "created_at": "2026-03-01 10:30:00", "is_visible_on_front": True},
        {"comment": "Please ring", "created_at": "2026-03-01 10:00:00", "is_visible_on_front": 1},
    ]
    gift = {"gift_message": {"sender": "Ada", "recipient": "Bo", "message": "Enjoy"}}
    made = parsed(customer_note="Please ring", status_histories=history, extension_attributes=gift)
    assert [(one.text, one.by_customer) for one in made.comments] == [
        ("Please ring", True),
        ("Gift message (Ada → Bo): Enjoy", True),
        ("Thank you", False),
        ("Shipped!", False),
    ]


def test_a_gift_message_of_one_line_says_for_which() -> None:
    one = {**THING, "extension_attributes": {"gift_message": {"message": "Enjoy"}}}
    made = Parser(lambda _: VIEWS[0]).parse(order([one]))
    assert [comment.text for comment in made.comments] == ["Gift message for Thing 1: Enjoy"]


def test_payment_information_keeps_its_keys_and_leaves_out_what_is_null() -> None:
    info = [
        {"key": "method_title", "value": "Invoice"},
        {"key": "token", "value": "null"},
        {"key": "plan", "value": "3x"},
    ]
    payment = {"method": "rates", "last_trans_id": "9-capture", "cc_trans_id": "other", "po_number": "PO 7"}
    made = parsed(payment=payment, extension_attributes={"payment_additional_info": info}, total_paid=10).payment
    assert (made.method, made.title, made.transaction_id, made.amount) == ("rates", "Invoice", "9-capture", 10)
    assert made.extra == {"cc_trans_id": "other", "po_number": "PO 7", "method_title": "Invoice", "plan": "3x"}
    assert made.paid_at is None
    assert parsed(payment={"method": "x", "cc_trans_id": "other"}).payment.transaction_id is None


def test_what_was_paid_is_in_the_orders_currency() -> None:
    assert parsed(payment={"method": "x", "amount_paid": 4, "base_amount_paid": 1}).paid == 4
    assert parsed().paid == 0


def test_several_coupons_are_all_named() -> None:
    assert parsed(coupon_code="A").coupon == "A"
    assert parsed(coupon_code="A", extension_attributes={"coupon_codes": ["A", "B"]}).coupon == "A, B"
    assert parsed(extension_attributes={"coupon_codes": ["B"]}).coupon == "B"


def test_an_order_on_hold_keeps_what_it_was_before() -> None:
    made = Parser(lambda _: VIEWS[0]).parse(payload("configurable_discount_on_hold_custom_status"))
    assert (made.status, made.state, made.cancelled) == ("holded", "holded", False)
    assert made.extra["hold_before_status"] == "in_production"


def test_cancelled_is_told_by_the_state_and_not_by_a_status_of_the_merchant() -> None:
    assert parsed(state="canceled", status="fraud_suspected").cancelled
    assert not parsed(state="processing", status="canceled").cancelled


def test_attributes_can_be_mapped_by_their_paths_and_hold_no_secret() -> None:
    extension = {"pickup_location_code": "leipzig", "company_order_attributes": {"company_name": "ACME"},
                 "payment_additional_info": [{"key": "po", "value": "7"}], "coupon_codes": ["A", "B"]}  # fmt: skip
    made = parsed(customer_note="Ring", protect_code="s3cret", extension_attributes=extension)
    assert made.attributes["customer_note"] == "Ring"
    assert made.attributes["payment.method"] == "checkmo"
    assert made.attributes["extension_attributes.pickup_location_code"] == "leipzig"
    assert made.attributes["extension_attributes.company_order_attributes.company_name"] == "ACME"
    assert made.attributes["extension_attributes.payment_additional_info.po"] == "7"
    assert made.attributes["extension_attributes.coupon_codes"] == "A, B"
    assert "s3cret" not in repr(made)


def test_the_same_order_parsed_from_stored_json_has_the_same_fingerprint() -> None:
    """Stored payloads come back with 5 where the shop wrote 5.0000."""
    given = order([THING])
    other = copy.deepcopy(given)
    other["grand_total"] = Decimal("10.0000")
    other["items"][0]["qty_ordered"] = Decimal("1.0000")
    other["items"][0]["tax_percent"] = Decimal("19.0000")
    other["base_to_order_rate"] = Decimal("1.0000")
    parser = Parser(lambda _: VIEWS[0])
    assert parser.parse(given).substance() == parser.parse(other).substance()


def test_a_shipping_address_that_was_not_sent_is_said() -> None:
    made = parsed()
    assert made.shipping == made.billing
    assert made.extra["notes"] == ("Magento did not send the shipping address; the billing address is taken.",)


# store views


def test_a_store_view_that_was_not_collected_is_asked_for_once() -> None:
    asked: list[int] = []

    def fetch() -> list[Entry]:
        asked.append(1)
        return [Entry(id="pl", name="Polski", extra={"store_id": 2, "website": "europe"})]

    views = StoreViews(lambda: VIEWS, fetch)
    assert views.find("1") is VIEWS[0]
    assert not asked
    found = views.find("2")
    assert found is not None
    assert found.id == "pl"
    assert views.find("3") is None
    assert views.find("4") is None
    assert views.find(None) is None
    assert asked == [1]


def test_a_store_list_that_fails_is_asked_for_again() -> None:
    answers: list[Any] = [RetryLater("busy"), VIEWS]

    def fetch() -> list[Entry]:
        given = answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return list(given)

    views = StoreViews(list, fetch)
    with pytest.raises(RetryLater):
        views.find("1")
    assert views.find("1") is VIEWS[0]
