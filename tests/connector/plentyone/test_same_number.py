"""Two store views, or two shops, of one client number their orders alike: nobody gets the other's order."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connector import InDoubt, RecordFailed
from connector.records import Order
from connector.testing import MemoryKnown
from tests.connector.plentyone.records import ANNA, line, order, registered, shipping
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.test_exactly_once import again, deliver
from tests.connector.plentyone.test_little_said import through

EVE = replace(ANNA, first_name="Eve", last_name="Other", street=("Nebenweg 9",), key="300001")
LOST = {"method": "POST", "path": "/rest/orders", "times": 1}


def second(**given: Any) -> Order:
    """Another order with the number of `order()`."""
    values: dict[str, Any] = {
        "key": "900",
        "lines": (line("91"), shipping()),
        "customer": registered("18", "eve@example.com", first_name="Eve", last_name="Other"),
        "billing": EVE,
        "shipping": EVE,
    }
    return order(**{**values, **given})


def doubted(plenty: StandIn, shop: Shop, made: Order, kind: str = "drop_before") -> MemoryKnown:
    """What is known of an order whose creation brought no answer."""
    plenty.faults({**LOST, "kind": kind})
    known = shop.known()
    with pytest.raises(InDoubt):
        shop.orders.write(made, known, shop.options())
    return again(shop, known, 60.0)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"customer": order().customer, "billing": ANNA, "shipping": order().shipping},  # the same person twice
        {"lines": (line("91", "30.00"), shipping())},
    ],
    ids=["other-customer", "same-customer", "other-total"],
)
def test_the_order_of_another_store_with_this_number_is_not_adopted(
    plenty: StandIn, shop: Shop, given: dict[str, Any]
) -> None:
    first = shop.orders.write(order(), shop.known(), shop.options())
    plenty.faults({**LOST, "kind": "drop_before"})
    written = deliver(shop, second(**given))
    assert written.key != first.key
    assert plenty.state()["counts"]["orders"] == 2


def test_an_order_that_another_record_has_is_not_adopted_however_alike_it_is(plenty: StandIn, shop: Shop) -> None:
    first = shop.orders.write(order(), shop.known(), shop.options())
    known = doubted(plenty, shop, order())
    known.others.add(first.key)
    written = shop.orders.write(order(), known, shop.options())
    assert written.key != first.key
    assert "same number" in " ".join(known.notes)


def test_without_ids_of_items_the_customer_the_address_and_the_total_decide(plenty: StandIn, shop: Shop) -> None:
    def silent(method: str, path: str, data: Any) -> Any:
        for one in [*data.get("entries", []), data] if isinstance(data, dict) and method == "GET" else ():
            for item in one.get("orderItems", ()):
                item.pop("properties", None)
        return data

    through(shop, silent)
    guest = order().customer
    first = shop.orders.write(order(customer=guest), shop.known(), shop.options())
    strange = second(customer=replace(guest, email="eve@example.com"))
    known = doubted(plenty, shop, strange)
    assert shop.orders.write(strange, known, shop.options()).key != first.key
    mine = order("100000555", customer=guest)
    known = doubted(plenty, shop, mine, "drop_after")
    shop.orders.write(mine, known, shop.options())
    assert plenty.state()["counts"]["orders"] == 3


def test_two_shops_with_equal_ids_of_items_are_told_apart_by_their_customers(plenty: StandIn, shop: Shop) -> None:
    first = shop.orders.write(order(customer=registered("17")), shop.known(), shop.options())
    twin = order(key="900", customer=registered("18"))
    known = doubted(plenty, shop, twin)
    assert shop.orders.write(twin, known, shop.options()).key != first.key


def test_an_order_that_is_older_than_the_shops_is_not_its(plenty: StandIn, shop: Shop) -> None:
    first = shop.orders.write(order(), shop.known(), shop.options())
    late = order(created_at=order().created_at + timedelta(days=3650))
    known = doubted(plenty, shop, late)
    assert shop.orders.write(late, known, shop.options()).key != first.key


def test_its_own_order_is_adopted_although_its_address_was_changed_meanwhile(plenty: StandIn, shop: Shop) -> None:
    known = doubted(plenty, shop, order(), "drop_after")
    shop.orders.write(order(billing=replace(ANNA, street=("Neuer Weg 7",))), known, shop.options())
    assert plenty.state()["counts"]["orders"] == 1


def test_nobody_is_told_to_delete_an_order_that_was_only_found(plenty: StandIn, shop: Shop) -> None:
    known = doubted(plenty, shop, order(), "drop_after")

    def dearer(method: str, path: str, data: Any) -> Any:
        if method == "GET" and re.match(r"/orders(/|$)", path) and isinstance(data, dict):
            for one in [*data.get("entries", []), data]:
                for row in one.get("amounts", ()):
                    row["invoiceTotal"] = 99.99
        return data

    through(shop, dearer)
    with pytest.raises(RecordFailed, match=r"was found in PlentyONE as 7\d+ .*99.99 EUR.*leave it as it is") as told:
        shop.orders.write(order(), known, shop.options())
    assert "delete" not in str(told.value).lower()
    assert known.refs["id"]


def test_a_payment_of_the_other_order_is_not_taken_for_its_own(plenty: StandIn, shop: Shop) -> None:
    """Both wait to be assigned, both bear the number and the amount; the sender differs."""
    given = {"payment": replace(order().payment, transaction_id=None)}
    plenty.faults({"kind": "drop_before", "method": "POST", "path": "/rest/payment/*", "times": 9},
                  {"kind": "drop_before", "method": "POST", "path": "/rest/batch", "after": 1, "times": 1})  # fmt: skip
    with pytest.raises(InDoubt):
        shop.orders.write(order(**given), shop.known(), shop.options())
    plenty.faults({"kind": "drop_before", "method": "POST", "path": "/rest/payments", "times": 1})
    deliver(shop, second(**given))
    assert plenty.state()["counts"]["payments"] == 2
