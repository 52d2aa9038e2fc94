"""What happens to an order after its export: cancelled, edited, paid in parts; and a creation that took two attempts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import InDoubt, RecordFailed, RetryLater, SkipRecord
from connector.records import Comment, Order
from connector.testing import MemoryKnown
from tests.connector.plentyone.records import order
from tests.connector.plentyone.standin import MAPPED, Shop, StandIn
from tests.connector.plentyone.test_exactly_once import again
from tests.connector.plentyone.test_little_said import through

UNMAPPED = {"status_mapping": {"processing": 5}}
CANCELLED: dict[str, Any] = {"status": "canceled", "cancelled": True}


def exported(shop: Shop, made: Order, **given: Any) -> MemoryKnown:
    known = shop.known()
    shop.orders.write(made, known, shop.options(**given))
    later = shop.known(dict(known.refs), attempt=2)
    later.finished = True
    shop.called()
    return later


# cancelled and edited


def test_an_edited_order_is_cancelled_although_no_status_is_mapped(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    edited = order(**CANCELLED, replaced_by="100000123-1")
    written = shop.orders.write(edited, known, shop.options(**UNMAPPED))
    sent = next(one for one in plenty.requests() if one["path"].endswith("/cancel"))
    assert sent["body"] == {"message": "Edited in the shop: order 100000123-1 took its place"}
    assert known.refs["status_id"] == "8"
    assert "status 8" in written.message
    shop.called()
    shop.orders.write(edited, known, shop.options(**UNMAPPED))
    assert not [call for call in shop.called() if call.startswith("PUT")]


def test_an_edited_order_takes_the_status_that_is_mapped(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    mapping = {**MAPPED["status_mapping"], "canceled": "8.1"}
    edited = order(**CANCELLED, replaced_by="100000123-1")
    shop.orders.write(edited, known, shop.options(status_mapping=mapping))
    assert plenty.state()["orders"][0]["statusId"] == 8.1


@pytest.mark.parametrize("change", [CANCELLED, {"status": "odd"}])
def test_a_status_that_is_not_mapped_leaves_plentyones_and_is_said(
    plenty: StandIn, shop: Shop, change: dict[str, Any]
) -> None:
    known = exported(shop, order())
    shop.orders.write(order(**change), known, shop.options(**UNMAPPED))
    assert known.notes == [f"Order {known.refs['id']} keeps its status: '{change['status']}' is not mapped."]
    assert plenty.state()["orders"][0]["statusId"] == 5
    with pytest.raises(RecordFailed, match="is not mapped"):  # a new one needs its status
        shop.orders.write(order("100000124", **change), shop.known(), shop.options(**UNMAPPED))


def test_a_cancellation_waits_for_nothing_else_to_be_right(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    strange = order(**CANCELLED, grand_total=Decimal("99.00"))
    with pytest.raises(RecordFailed):
        shop.orders.write(strange, known, shop.options())
    assert plenty.state()["orders"][0]["statusId"] == 8


def test_an_order_of_a_store_that_is_left_out_now_is_still_cancelled(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(store="fr"))
    shop.orders.write(order(store="fr", **CANCELLED), known, shop.options(only_mapped_stores=True))
    assert plenty.state()["orders"][0]["statusId"] == 8


def test_an_order_of_a_store_that_is_left_out_now_is_still_kept_up_to_date(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(store="fr"))
    written = shop.orders.write(order(store="fr", status="complete"), known, shop.options(only_mapped_stores=True))
    assert not written.created
    assert plenty.state()["orders"][0]["statusId"] == 7


def test_an_order_of_a_store_left_out_that_may_exist_there_already_needs_a_person(plenty: StandIn, shop: Shop) -> None:
    known = shop.known(doubt=True)
    with pytest.raises(RecordFailed, match="an earlier attempt may have created it"):
        shop.orders.write(order(store="fr"), known, shop.options(only_mapped_stores=True))


def test_a_cancelled_order_that_was_deleted_there_is_done(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    shop.connector.client.send("DELETE", f"/rest/orders/{known.refs['id']}")
    with pytest.raises(SkipRecord, match="is cancelled, and its PlentyONE order"):
        shop.orders.write(order(**CANCELLED), known, shop.options())


# paid in parts


def partly(paid: str, transaction: str | None = None) -> Order:
    made = order()
    return replace(made, paid=Decimal(paid), payment=replace(made.payment, transaction_id=transaction))


def test_the_second_of_two_equal_part_payments_is_booked(plenty: StandIn, shop: Shop) -> None:
    """By bank, without a transaction id: PlentyONE refuses the second one for its hash until it is told to make another."""
    known = exported(shop, partly("12.45"))
    first = known.refs["payment_id"]
    written = shop.orders.write(partly("24.90"), known, shop.options())
    assert known.refs["payment_id"] != first
    assert f"payment {known.refs['payment_id']} of 12.45 EUR added" in written.message
    counts = plenty.state()["counts"]
    assert (counts["payments"], counts["order_relations"]) == (2, 2)


@pytest.mark.parametrize("transactions", [("TX-A", "TX-B"), (None, None), ("TX-A", "TX-A")])
@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "html_503"])
def test_it_is_booked_once_although_its_answer_is_lost(
    plenty: StandIn, shop: Shop, kind: str, transactions: tuple[str | None, str | None]
) -> None:
    known = exported(shop, partly("12.45", transactions[0]))
    plenty.faults({"kind": kind, "method": "POST", "path": "/rest/payments", "times": 1, "after": int(None in transactions
                   or transactions[0] == transactions[1])})  # fmt: skip
    full = partly("24.90", transactions[1])
    for _ in range(3):
        try:
            shop.orders.write(full, known, shop.options())
            break
        except RetryLater:
            known = again(shop, known, 60.0)
            known.finished = True
    counts = plenty.state()["counts"]
    assert (counts["payments"], counts["order_relations"]) == (2, 2)


# notes


@pytest.mark.parametrize("batch", [True, False])
def test_a_note_is_not_written_twice_while_the_list_lags(plenty: StandIn, shop: Shop, batch: bool) -> None:
    made = order(comments=(Comment(text="Please ring", by_customer=True),))
    plenty.control("configure", {"batch": batch})
    path, after = ("/rest/batch", 1) if batch else ("/rest/comments", 0)  # the first batch brings the addresses
    plenty.faults({"kind": "drop_after", "method": "POST", "path": path, "after": after, "times": 1})
    known = shop.known()
    with pytest.raises(InDoubt):
        shop.orders.write(made, known, shop.options())
    real = shop.connector.client.transport
    through(shop, lambda method, path, data: [] if method == "GET" and path.startswith("/comments") else data)
    with pytest.raises(RetryLater, match="its note may have been written") as waiting:
        shop.orders.write(made, again(shop, known, 2.0), shop.options())
    assert (waiting.value.counts, waiting.value.after) == (False, pytest.approx(13.5))
    shop.connector.client.transport = real
    shop.orders.write(made, again(shop, known, 2.0), shop.options())
    assert plenty.state()["counts"]["comments"] == 1


def test_the_second_of_two_notes_that_is_refused_leaves_the_first_one_alone(plenty: StandIn, shop: Shop) -> None:
    told = (Comment(text="Please ring", by_customer=True), Comment(text="Twice", by_customer=True))
    shop.host.sleep = lambda seconds: None  # type: ignore[method-assign]
    refused = {"kind": "plain_429", "seconds": 0.1, "method": "POST", "path": "/rest/comments", "after": 1, "times": 99}
    plenty.control("configure", {"batch": False})
    plenty.faults(refused)
    with pytest.raises(InDoubt):
        shop.orders.write(order(comments=told), shop.known(), shop.options())


def test_a_note_that_went_along_with_a_refused_relation_is_looked_for_before_it_is_sent_again(
    plenty: StandIn, shop: Shop
) -> None:
    made = order(comments=(Comment(text="Please ring", by_customer=True),))
    known = shop.known()

    def refuse(method: str, path: str, data: Any) -> Any:
        if path.startswith("/batch") and "payment" in str(data[0]["resource"]):
            data[0]["content"] = "short period write limit reached"
        return data

    real = shop.connector.client.transport
    through(shop, refuse)
    with pytest.raises(InDoubt, match="write limit reached"):
        shop.orders.write(made, known, shop.options())
    assert known.refs["payment_contact_id"]  # the part that came through is kept
    shop.connector.client.transport = real
    shop.orders.write(made, again(shop, known, 60.0), shop.options())
    state = plenty.state()
    assert state["counts"]["comments"] == 1
    assert not any(state["duplicates"].values())


# two attempts


def test_an_order_paid_after_its_export_is_updated_whatever_its_creation_took(plenty: StandIn, shop: Shop) -> None:
    unpaid = order(paid=Decimal(0))
    known = exported(shop, unpaid)
    known.attempt, known.doubt, known.doubt_age = 4, True, 60.0
    written = shop.orders.write(order(), known, shop.options())
    assert (written.created, "updated: payment" in written.message) == (False, True)
    known = shop.known()
    shop.orders.write(order("100000124", paid=Decimal(0)), known, shop.options())
    unfinished = shop.known(dict(known.refs), attempt=2)
    assert shop.orders.write(order("100000124"), unfinished, shop.options()).created


# exchange rates


def test_an_order_without_an_exchange_rate_takes_plentyones_or_is_not_sent(plenty: StandIn, shop: Shop) -> None:
    made = order(currency="CHF", base_currency="EUR", exchange_rate=None)
    shop.orders._exchange["CHF"] = None
    with pytest.raises(RecordFailed, match="no exchange rate of CHF per EUR"):
        shop.orders.write(made, shop.known(), shop.options())
    assert plenty.state()["counts"]["contacts"] == 0
    shop.orders._exchange["CHF"] = Decimal("0.95")
    shop.orders.write(made, shop.known(), shop.options())
    sent = next(one["body"] for one in plenty.requests() if (one["method"], one["path"]) == ("POST", "/rest/orders"))
    assert sent["orderItems"][0]["amounts"][0]["exchangeRate"] == 0.95
