"""What an order of the other side does to the shop's order: each act once, behind its switch, with few calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import AccessDenied, InDoubt, RecordFailed, RetryLater, SkipRecord
from connector.client import dumps, loads
from connector.magento import Magento
from connector.magento.orders import Orders
from connector.records import Fulfilment, LineKind, OrderKind, OrderLine
from connector.settings import ident
from connector.testing import ConnectorContract, MemoryKnown
from tests.connector.magento.acts import (
    MOMENT,
    SALE,
    Linked,
    calls,
    child,
    known,
    link,
    look,
    made,
    options,
    package,
    papers,
    place,
    record,
    some,
    state,
    until_written,
    write,
)
from tests.connector.magento.conftest import Shop
from tests.connector.magento.test_placing import order as foreign_order

SHIPPED = {"shipped_at": MOMENT}


class TestMagentoAsTarget(ConnectorContract):
    connector = Magento


def test_an_order_with_nothing_to_do_costs_one_read(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    calls(shop)
    written = write(shop, record(order), what, create_shipment=True)
    assert calls(shop) == [f"GET orders/{order['entity_id']}"]
    assert (written.key, written.created) == (str(order["entity_id"]), False)
    assert written.message == f"Magento order {order['increment_id']}: nothing to do."
    assert what.refs["number"] == order["increment_id"]
    assert (what.refs["status"], what.refs["state"]) == ("pending", "new")


# the invoice


def test_an_order_is_invoiced_once_and_to_the_cent(shop: Shop) -> None:
    order = place(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    what, one = known(order["entity_id"]), record(order)
    calls(shop)
    written = write(shop, one, what, create_invoice=True)
    told = [f"GET orders/{order['entity_id']}", f"POST order/{order['entity_id']}/invoice"]
    assert calls(shop) == [*told, told[0]]
    assert f"invoice {what.refs['invoice_id']}" in written.message
    assert write(shop, one, what, create_invoice=True).message.endswith("nothing to do.")
    assert calls(shop) == [told[0]]
    now = look(shop, order["entity_id"])
    assert now["total_invoiced"] == order["grand_total"]
    assert made(shop, order["entity_id"]) == {
        "invoices": 1,
        "shipments": 0,
        "creditmemos": 0,
        "tracks": [],
        "mails": {},
    }
    comment = papers(shop, order["entity_id"])["invoices"][0]["comments"][0]
    assert (comment["comment"], comment["is_visible_on_front"]) == ("PlentyONE order 700001", 0)
    assert (what.refs["state"], what.refs["status"]) == ("processing", "processing")


@pytest.mark.parametrize(
    ("paid", "word"), [("0", "unpaid"), ("5", "partlyPaid"), ("44.86", "fullyPaid"), ("50", "overpaid")]
)
def test_the_payment_status_is_read_from_the_amounts_where_it_is_not_said(shop: Shop, paid: str, word: str) -> None:
    order = place(shop)
    one = record(order, fulfilment={"payment_status": None}, paid=Decimal(paid))
    assert one.grand_total == Decimal("44.86")
    given = {"create_invoice": True, "invoice_payment_condition": True, "invoice_payment_statuses": [word]}
    write(shop, one, known(order["entity_id"]), **given)
    assert made(shop, order["entity_id"])["invoices"] == 1


def test_another_total_is_not_invoiced_and_both_are_named(shop: Shop) -> None:
    order = place(shop)
    one = record(order, grand_total=Decimal("44.85"))
    with pytest.raises(RecordFailed, match=r"44\.85 EUR.* is 44\.86 EUR"):
        write(shop, one, known(order["entity_id"]), create_invoice=True)
    assert made(shop, order["entity_id"])["invoices"] == 0


def test_a_failed_invoice_does_not_keep_the_shipment_back(shop: Shop) -> None:
    order = place(shop)
    one = record(order, grand_total=Decimal("44.85"), fulfilment=SHIPPED)
    with pytest.raises(RecordFailed, match=r"Done: shipment 1"):
        write(shop, one, known(order["entity_id"]), create_invoice=True, create_shipment=True)
    assert made(shop, order["entity_id"])["shipments"] == 1


def test_mails_go_out_only_where_they_are_switched_on(shop: Shop) -> None:
    quiet, loud = place(shop), place(shop)
    story = {"shipped_at": MOMENT, "packages": (package("1", "JD1"),)}
    both = {"create_invoice": True, "create_shipment": True}
    write(shop, record(quiet, fulfilment=story), known(quiet["entity_id"]), **both)
    one, what = record(loud, fulfilment=story), known(loud["entity_id"])
    for _ in range(2):
        write(shop, one, what, **both, send_invoice_email=True, send_shipment_email=True)
    assert made(shop, quiet["entity_id"])["mails"] == {}
    assert made(shop, loud["entity_id"])["mails"] == {"invoice": 1, "shipment": 1}


# hold, unhold, cancel


def test_hold_and_unhold_follow_the_status(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    given = {"hold_order": True, "hold_statuses": [3.1], "unhold_order": True, "unhold_statuses": [5]}
    calls(shop)
    write(shop, record(order, status="3.10"), what, **given)
    assert calls(shop) == [f"GET orders/{order['entity_id']}", f"POST orders/{order['entity_id']}/hold"]
    assert look(shop, order["entity_id"])["state"] == "holded"
    assert what.refs["status"] == "holded"
    write(shop, record(order, status="3.1"), what, **given)
    assert calls(shop) == [f"GET orders/{order['entity_id']}"]
    write(shop, record(order), what, **given)
    assert (look(shop, order["entity_id"])["state"], what.refs["status"]) == ("new", "pending")


def test_a_released_order_is_invoiced_in_the_same_attempt(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    write(shop, record(order, status="3"), what, hold_order=True, hold_statuses=[3])
    given = {"unhold_order": True, "unhold_statuses": [5], "create_invoice": True}
    assert "taken off hold, invoice" in write(shop, record(order), what, **given).message


def test_an_order_that_somebody_holds_is_named_and_nothing_is_tried(shop: Shop) -> None:
    order = place(shop)
    write(shop, record(order, status="3"), known(order["entity_id"]), hold_order=True, hold_statuses=[3])
    one = record(order, fulfilment=SHIPPED)
    calls(shop)
    with pytest.raises(RecordFailed, match="is on hold; the invoice and the shipment wait"):
        write(shop, one, known(order["entity_id"]), create_invoice=True, create_shipment=True)
    assert calls(shop) == [f"GET orders/{order['entity_id']}"]


@pytest.mark.parametrize(
    ("changes", "given", "what"),
    [
        ({}, {"create_invoice": True}, "the invoice"),
        ({"fulfilment": SHIPPED}, {"create_shipment": True}, "the shipment"),
        ({"status": "8"}, {"cancel_order": True, "cancel_statuses": [8], "create_invoice": True}, "its cancellation"),
        ({"status": "4"}, {"hold_order": True, "hold_statuses": [4]}, "the hold"),
        ({}, {"status_mapping": {"5": "processing"}}, "its status 'processing'"),
    ],
)
def test_what_a_payment_review_does_not_allow_waits_for_its_end(
    shop: Shop, changes: dict[str, Any], given: dict[str, Any], what: str
) -> None:
    order = place(shop)
    review = {"state": "payment_review", "status": "payment_review"}
    shop.control("change_order", entity_id=order["entity_id"], set=review)
    calls(shop)
    with pytest.raises(RetryLater, match=f"in payment review; {what} waits until") as caught:
        write(shop, record(order, **changes), known(order["entity_id"]), **given)
    assert caught.value.aside
    assert [one for one in calls(shop) if not one.startswith("GET")] == []
    shop.control("change_order", entity_id=order["entity_id"], set={"state": "new", "status": "pending"})
    given.pop("status_mapping", None)  # its state is another now
    write(shop, record(order, **changes), known(order["entity_id"]), **given)


def test_a_credit_note_waits_for_the_end_of_a_payment_review(shop: Shop) -> None:
    order = place(shop)
    write(shop, record(order), known(order["entity_id"]), create_invoice=True)
    shop.control("change_order", entity_id=order["entity_id"], set={"state": "payment_review"})
    memo = child(record(order), OrderKind.CREDIT, "700009", total=order["grand_total"])
    with pytest.raises(RetryLater, match="the credit memo waits") as caught:
        write(shop, memo, known(order["entity_id"]), create_credit_memo=True)
    assert caught.value.aside


def test_an_order_held_by_its_own_status_waits_without_failing(shop: Shop) -> None:
    order = place(shop)
    given = {"hold_order": True, "hold_statuses": [3]}
    what = known(order["entity_id"])
    write(shop, record(order, status="3"), what, **given)
    written = write(shop, record(order, status="3"), what, **given, create_invoice=True)
    assert "on hold: the invoice waits until it is released" in written.message


def test_a_cancelled_order_is_cancelled_once_and_never_invoiced(shop: Shop) -> None:
    order = place(shop)
    what, one = known(order["entity_id"]), record(order, status="8.0", fulfilment=SHIPPED)
    given = {"cancel_order": True, "cancel_statuses": [8], "create_invoice": True, "create_shipment": True}
    calls(shop)
    assert "cancelled" in write(shop, one, what, **given).message
    assert calls(shop) == [f"GET orders/{order['entity_id']}", f"POST orders/{order['entity_id']}/cancel"]
    assert look(shop, order["entity_id"])["state"] == "canceled"
    assert write(shop, one, what, **given).message.endswith("nothing to do.")
    assert calls(shop) == [f"GET orders/{order['entity_id']}"]
    assert made(shop, order["entity_id"])["invoices"] == 0


def test_what_cannot_be_cancelled_is_said(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    write(shop, record(order), what, create_invoice=True)
    with pytest.raises(RecordFailed, match=r"cannot be cancelled .*invoiced.*credit memo"):
        write(shop, record(order, status="8"), what, cancel_order=True, cancel_statuses=[8])
    assert look(shop, order["entity_id"])["state"] == "processing"


@pytest.mark.parametrize("shipped", [False, True])
def test_a_dry_run_says_as_well_what_cannot_be_cancelled(shop: Shop, shipped: bool) -> None:
    order = place(shop)
    done = record(order, fulfilment=SHIPPED if shipped else {})
    write(shop, done, known(order["entity_id"]), create_invoice=True, create_shipment=True)
    state = "complete" if shipped else "processing"
    connector = shop.connector()
    connector.client.dry = Orders(connector).pretend
    gone = record(order, status="8")
    for one in (connector, None):
        with pytest.raises(RecordFailed, match=rf"cannot be cancelled \(state {state}\)"):
            write(shop, gone, known(order["entity_id"]), one, cancel_order=True, cancel_statuses=[8])
    assert connector.client.planned == []
    assert look(shop, order["entity_id"])["state"] == state


def test_a_dry_run_says_what_would_be_cancelled(shop: Shop) -> None:
    order = place(shop)
    connector = shop.connector()
    connector.client.dry = Orders(connector).pretend
    given = {"cancel_order": True, "cancel_statuses": [8]}
    assert "cancelled" in write(shop, record(order, status="8"), known(order["entity_id"]), connector, **given).message
    assert look(shop, order["entity_id"])["state"] == "new"


def test_a_list_that_is_switched_on_and_empty_is_asked_for(shop: Shop) -> None:
    orders = Orders(shop.connector())
    told = orders.check(record(place(shop)), options(cancel_order=True))
    assert told == ["'Cancel order' is on, but 'Cancel in these statuses' is empty"]
    assert getattr(told[0], "setting") == "cancel_statuses"  # noqa: B009
    order = place(shop)
    write(shop, record(order, status="8"), known(order["entity_id"]), cancel_order=True)
    assert look(shop, order["entity_id"])["state"] == "new"


# statuses


def test_a_mapped_status_is_set_once_and_people_may_change_it(shop: Shop) -> None:
    order = place(shop)
    what, given = known(order["entity_id"]), {"status_mapping": {"5": "awaiting_stock"}}
    calls(shop)
    assert "status awaiting_stock" in write(shop, record(order, status="5.00"), what, **given).message
    assert calls(shop) == [f"GET orders/{order['entity_id']}", f"POST orders/{order['entity_id']}/comments"]
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "pending"})
    write(shop, record(order), what, **given)
    assert look(shop, order["entity_id"])["status"] == "pending"
    entry = look(shop, order["entity_id"])["status_histories"][0]
    assert entry["comment"] == "PlentyONE order 700001: Status Freigegeben"
    assert (entry["is_customer_notified"], entry["is_visible_on_front"]) == (0, 0)


def test_the_shops_own_status_survives_an_invoice_and_a_shipment(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 2), ("KAF-1000", 1))
    what = known(order["entity_id"])
    write(shop, record(order), what, create_invoice=True)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "packed"})
    parts = package("1", "JD1", (f"9{order['items'][0]['item_id']}", 1))
    calls(shop)
    written = write(shop, record(order, fulfilment={"packages": (parts,)}), what, create_shipment=True)
    assert "status packed set again" in written.message
    assert len(calls(shop)) == 4
    assert look(shop, order["entity_id"])["status"] == "packed"
    assert what.refs["status"] == "packed"


def test_the_mapped_status_wins_over_the_one_before(shop: Shop) -> None:
    order = place(shop)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "awaiting_stock"})
    given = {"create_invoice": True, "status_mapping": {"5": "in_production"}}
    write(shop, record(order), known(order["entity_id"]), **given)
    assert look(shop, order["entity_id"])["status"] == "in_production"


def test_a_status_of_another_state_is_said_after_all_else_was_done(shop: Shop) -> None:
    order = place(shop)
    one = record(order)
    with pytest.raises(RecordFailed, match=r"'complete'.*state 'processing'.*Done: invoice 1"):
        write(shop, one, known(order["entity_id"]), create_invoice=True, status_mapping={"5": "complete"})
    assert made(shop, order["entity_id"])["invoices"] == 1


def test_a_status_that_came_from_the_shop_is_no_news(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"], status_id="5.00")
    write(shop, record(order), what, status_mapping={"5": "awaiting_stock"})
    assert look(shop, order["entity_id"])["status"] == "pending"
    write(shop, record(order, status="4"), what, status_mapping={"4": "awaiting_stock"})
    assert look(shop, order["entity_id"])["status"] == "awaiting_stock"


def test_a_status_that_people_come_back_to_is_news_though_it_once_came_from_the_shop(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"], status_id="5.00")
    given = {"status_mapping": {"5": "pending", "6": "awaiting_stock"}}
    for status, shown in (("5", "pending"), ("6", "awaiting_stock"), ("5", "pending"), ("6", "awaiting_stock")):
        write(shop, record(order, status=status), what, **given)
        assert look(shop, order["entity_id"])["status"] == shown


def test_each_status_that_is_brought_from_the_shop_is_an_echo_once_more(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"], status_id="5")
    given = {"status_mapping": {"5": "in_production", "4": "awaiting_stock"}}
    for exported in ("5", "4", "5"):
        what.sales = {f"k{SALE}": link(order["entity_id"], refs={"status_id": exported})}
        write(shop, record(order, status=exported), what, **given)
        assert look(shop, order["entity_id"])["status"] == "pending"


def test_a_status_that_was_lost_is_given_again_where_incomplete_orders_are_looked_for_by_it(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    given = {"status_mapping": {"5": "awaiting_stock"}, "incomplete_detection_enabled": True}
    write(shop, record(order), what, **given)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "pending"})
    assert "status awaiting_stock" in write(shop, record(order), what, **given).message


def test_a_status_of_the_state_before_is_not_asked_for_again_and_again(shop: Shop) -> None:
    order = place(shop)
    what = known(order["entity_id"])
    given = {"status_mapping": {"5": "awaiting_stock"}, "incomplete_detection_enabled": True}
    write(shop, record(order), what, **given)
    changed = {"status": "payment_review", "state": "pending_payment"}
    shop.control("change_order", entity_id=order["entity_id"], set=changed)
    for _ in range(2):
        assert "nothing to do" in write(shop, record(order), what, **given).message
    assert [one for one in what.notes if "'awaiting_stock'" in one] == what.notes[:1]


def test_a_usual_status_that_is_not_the_one_of_its_state_survives_a_paper_as_well(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 2), ("KAF-1000", 1))
    what = known(order["entity_id"])
    write(shop, record(order), what, create_invoice=True)
    shop.control("configure", statuses={"fraud": "processing", "processing": "processing"})
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "fraud"})
    part = package("1", "JD1", (f"9{order['items'][0]['item_id']}", 1))
    written = write(shop, record(order, fulfilment={"packages": (part,)}), what, create_shipment=True)
    assert "status fraud set again" in written.message
    assert look(shop, order["entity_id"])["status"] == "fraud"


def test_a_status_that_the_shop_does_not_take_again_fails_nothing_and_is_said(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 2), ("KAF-1000", 1))
    what = known(order["entity_id"])
    write(shop, record(order), what, create_invoice=True)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "of_no_state"})
    part = package("1", "JD1", (f"9{order['items'][0]['item_id']}", 1))
    written = write(shop, record(order, fulfilment={"packages": (part,)}), what, create_shipment=True)
    assert "shipment" in written.message
    assert "does not take it again in the state 'processing'" in what.notes[0]
    assert not what.refs["restore"]


def test_papers_are_found_after_doubt_in_a_shop_that_limits_its_pages(shop: Shop) -> None:
    order = place(shop)
    shop.control("configure", max_page_size=1)
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/invoice", "times": 1})
    until_written(shop, record(order), known(order["entity_id"]), create_invoice=True)
    assert made(shop, order["entity_id"])["invoices"] == 1


def test_properties_are_written_to_the_comments_once(shop: Shop) -> None:
    order = place(shop)
    what, one = known(order["entity_id"]), record(order, attributes={"45": "TXN 7"})
    for _ in range(2):
        write(shop, one, what, attribute_mapping={"45": "Transaction", "46": "Nothing"})
    entries = look(shop, order["entity_id"])["status_histories"]
    assert [one["comment"] for one in entries][:-1] == ["PlentyONE order 700001: Transaction: TXN 7"]
    assert look(shop, order["entity_id"])["status"] == "pending"


# matching


def test_an_order_is_matched_by_number_and_mapped_store(shop: Shop) -> None:
    order = place(shop)
    what = MemoryKnown()
    calls(shop)
    written = write(shop, record(order), what, store_mapping={"1001": "de"}, create_invoice=True)
    assert written.key == str(order["entity_id"])
    assert calls(shop)[0] == "GET orders"
    assert made(shop, order["entity_id"])["invoices"] == 1


def test_a_store_mapping_in_the_words_of_the_export_is_understood() -> None:
    given = {"de": {"webstore": 1001, "language": "de"}, "at": {"webstore": "1001"}, "pl": {"webstore": 1002}}
    assert options(store_mapping=given)["store_mapping"] == {"1001": "de", "1002": "pl"}
    assert options(store_mapping={"1001": "de"})["store_mapping"] == {"1001": "de"}


def test_what_an_act_needs_is_loaded_whatever_else_is(shop: Shop) -> None:
    orders = Orders(shop.connector())
    assert orders.asks(options()) == frozenset()
    assert orders.asks(options(create_shipment=True)) == {"shipments"}
    assert orders.asks(options(create_invoice=True, invoice_document_condition=True)) == {"documents"}
    assert orders.asks(options(create_new_order=True)) == {"articles"}


def test_a_number_in_another_store_is_another_order(shop: Shop) -> None:
    order = place(shop)
    with pytest.raises(SkipRecord, match="has no order"):
        write(shop, record(order), MemoryKnown(), store_mapping={"1001": "pl"})


def test_what_the_shop_has_in_another_store_view_over_the_same_total_is_not_placed_again(shop: Shop) -> None:
    order = place(shop, store="pl")
    with pytest.raises(RecordFailed, match="Polski has an order of this number over the same total already") as caught:
        write(shop, record(order), MemoryKnown(), store_mapping={"1001": "de"}, create_new_order=True)
    assert (caught.value.setting, state(shop)["placed"]) == ("store_mapping", [order["entity_id"]])


def test_without_a_mapping_the_number_must_be_unique_and_the_total_agree(shop: Shop) -> None:
    order = place(shop)
    assert write(shop, record(order), MemoryKnown()).key == str(order["entity_id"])
    with pytest.raises(RecordFailed, match=r"over 44\.86 EUR, not over 40\.00 EUR.*store mapping") as caught:
        write(shop, record(order, grand_total=Decimal(40)), MemoryKnown())
    assert caught.value.setting == "store_mapping"
    twin = {**order, "store_id": 1, "entity_id": 99001}
    shop.control("add_order", order={key: _plain(value) for key, value in twin.items()})
    with pytest.raises(RecordFailed, match="2 orders with this number"):
        write(shop, record(order), MemoryKnown())
    assert write(shop, record(order), MemoryKnown(), store_mapping={"1001": "de"}).key == str(order["entity_id"])


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return {key: _plain(one) for key, one in value.items()} if isinstance(value, dict) else value


def test_an_order_is_matched_by_what_magento_calls_its_external_id(shop: Shop) -> None:
    order = place(shop)
    shop.control("change_order", entity_id=order["entity_id"], set={"ext_order_id": "700001"})
    one = record(order, fulfilment={"number": None}, number="700001")
    assert write(shop, one, MemoryKnown()).key == str(order["entity_id"])


def test_an_order_that_was_made_for_another_record_is_never_taken(shop: Shop) -> None:
    order = place(shop)
    what = MemoryKnown()
    what.others.add(str(order["entity_id"]))
    with pytest.raises(RecordFailed, match="belongs to another record"):
        write(shop, record(order), what)
    shop.control("change_order", entity_id=order["entity_id"], set={"ext_order_id": "700002"})
    with pytest.raises(SkipRecord, match="has no order"):
        write(shop, record(order), MemoryKnown())


def test_what_belongs_to_another_connection_is_left_alone(shop: Shop) -> None:
    order = place(shop)
    what = Linked(k700001=link(order["entity_id"], ours=False))
    with pytest.raises(SkipRecord, match="belongs to the connection 'shop'"):
        write(shop, record(order), what)


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        ({}, "create_new_order"),
        ({"import_foreign_orders": False, "create_new_order": True}, "import_foreign_orders"),
        ({"only_mapped_stores": True, "create_new_order": True}, "only_mapped_stores"),
    ],
)
def test_a_foreign_order_is_skipped_by_a_setting_that_is_named(shop: Shop, given: dict[str, Any], setting: str) -> None:
    one = record(place(shop), fulfilment={"number": None}, key="700009")
    with pytest.raises(SkipRecord) as caught:
        write(shop, one, MemoryKnown(), **given)
    assert caught.value.setting == setting


def test_children_without_an_order_and_returns_are_skipped(shop: Shop) -> None:
    sale = record(place(shop))
    for kind, said in ((OrderKind.DELIVERY, "has no order yet"), (OrderKind.RETURN, "returns are not brought")):
        with pytest.raises(SkipRecord, match=said):
            write(shop, child(sale, kind, "700002"), MemoryKnown(), create_shipment=True)


def test_a_delivery_waits_for_an_order_that_may_still_be_placed(shop: Shop) -> None:
    one = child(record(place(shop)), OrderKind.DELIVERY, "700002")
    with pytest.raises(RetryLater, match="delivery 700002 waits for its order 700001"):
        write(shop, one, MemoryKnown(), create_new_order=True)


def test_an_order_that_is_gone_is_named(shop: Shop) -> None:
    with pytest.raises(RecordFailed, match="order 99999 cannot be read"):
        write(shop, record(place(shop)), known(99999))


# after doubt


@pytest.mark.parametrize("kind", ["drop_after", "error_after", "truncated"])
@pytest.mark.parametrize("route", ["invoice", "ship", "comments", "hold"])
def test_a_lost_answer_repeats_nothing(shop: Shop, kind: str, route: str) -> None:
    order = place(shop)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "awaiting_stock"})
    story = {"shipped_at": MOMENT, "packages": (package("1", "JD1"), package("2", "JD2"))}
    given = {"create_invoice": True, "create_shipment": True, "status_mapping": {"5": "complete"}}
    given |= {"send_invoice_email": True, "send_shipment_email": True, "hold_order": True, "hold_statuses": [4]}
    shop.faults({"kind": kind, "method": "POST", "path": f"*/{route}", "times": 1})
    what = known(order["entity_id"])
    if route == "hold":
        until_written(shop, record(order, status="4"), what, **given)
        assert look(shop, order["entity_id"])["state"] == "holded"
        return
    until_written(shop, record(order, fulfilment=story), what, **given)
    assert made(shop, order["entity_id"]) == {
        "invoices": 1,
        "shipments": 1,
        "creditmemos": 0,
        "tracks": ["JD1", "JD2"],
        "mails": {"invoice": 1, "shipment": 1},
    }
    assert not any(state(shop)["duplicates"].values())
    assert (what.refs["invoice_id"], what.refs["shipment_ids"], what.refs["tracks"]) == ("1", "1", "JD1, JD2")
    assert look(shop, order["entity_id"])["status"] == "complete"


@pytest.mark.parametrize("kind", ["sale", "delivery", "credit"])
def test_nothing_is_sent_while_an_earlier_attempt_may_still_be_at_work_in_the_shop(shop: Shop, kind: str) -> None:
    order = place(shop)
    sale = record(order, fulfilment={"shipped_at": MOMENT, "packages": (package("1", "JD1"),)})
    given = {"create_invoice": True, "create_shipment": True, "create_credit_memo": True}
    one = {
        "sale": sale,
        "delivery": child(sale, OrderKind.DELIVERY, "700002", some(sale.lines[0], 1), shipped_at=MOMENT),
        "credit": child(sale, OrderKind.CREDIT, "700003", some(sale.lines[0], 1), total="9.99"),
    }[kind]
    if kind == "credit":
        write(shop, sale, known(order["entity_id"]), **given)
    what = known(order["entity_id"])
    what.doubt, what.doubt_age = True, 1.0
    calls(shop)
    with pytest.raises(RetryLater, match="may still be at work") as caught:
        write(shop, one, what, **given)
    assert (caught.value.counts, caught.value.after) == (False, 29.5)
    assert [one for one in calls(shop) if not one.startswith("GET")] == []
    what.doubt_age = 31.0
    write(shop, one, what, **given)
    assert made(shop, order["entity_id"])["creditmemos" if kind == "credit" else "shipments"] == 1


@pytest.mark.parametrize("kind", [OrderKind.DELIVERY, OrderKind.CREDIT])
def test_a_child_waits_until_what_its_order_has_to_be_before_is_through(shop: Shop, kind: OrderKind) -> None:
    """A full refund that comes before the shipment closes the order, and nothing of it can be shipped any more."""
    order = place(shop)
    sale = record(order, fulfilment={"shipped_at": MOMENT})
    write(shop, sale, known(order["entity_id"]), create_invoice=True)
    one = child(sale, kind, "700002", total=order["grand_total"], shipped_at=MOMENT)
    what = known(order["entity_id"])
    what.before = SALE
    calls(shop)
    with pytest.raises(RetryLater, match=f"{kind} 700002 .* comes after PlentyONE order {SALE}") as caught:
        write(shop, one, what, create_shipment=True, create_credit_memo=True)
    assert (caught.value.counts, calls(shop)) == (False, [])
    what.before = None
    write(shop, one, what, create_shipment=True, create_credit_memo=True)


def test_a_status_of_the_shop_is_set_again_also_when_the_attempt_did_not_live_to(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 2), ("KAF-1000", 1))
    what = known(order["entity_id"])
    write(shop, record(order), what, create_invoice=True)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "packed"})
    parts = package("1", "JD1", (f"9{order['items'][0]['item_id']}", 1))
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/ship", "times": 1})
    until_written(shop, record(order, fulfilment={"packages": (parts,)}), what, create_shipment=True)
    assert look(shop, order["entity_id"])["status"] == "packed"
    assert made(shop, order["entity_id"])["shipments"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_fifth_of_all_calls_may_fail(shop: Shop, seed: int) -> None:
    order = place(shop, ("BECHER-W", 3), ("KAF-1000", 2))
    first, second = (f"9{item['item_id']}" for item in order["items"])
    given = {
        "create_invoice": True,
        "create_shipment": True,
        "send_shipment_email": True,
        "status_mapping": {"7": "packed"},
    }
    shop.faults(
        *({"kind": kind, "rate": 0.2, "seed": seed * 10 + n, "method": "POST"}
          for n, kind in enumerate(("drop_after", "drop_before", "error_after"))),
        {"kind": "status", "status": 500, "rate": 0.2, "seed": seed},
    )  # fmt: skip
    what = known(order["entity_id"])
    one = package("1", "JD1", (first, 2))
    two = package("2", "JD2", (first, 1), (second, 1))
    until_written(shop, record(order, fulfilment={"packages": (one,)}), what, attempts=60, **given)
    until_written(shop, record(order, fulfilment={"packages": (one, two)}), what, attempts=60, **given)
    last = {"packages": (one, two, package("3", "JD3")), "shipped_at": MOMENT}
    until_written(shop, record(order, fulfilment=last), what, attempts=60, **given)
    shop.faults()
    assert made(shop, order["entity_id"]) == {
        "invoices": 1,
        "shipments": 3,
        "creditmemos": 0,
        "tracks": ["JD1", "JD2", "JD3"],
        "mails": {"shipment": 3},
    }
    assert look(shop, order["entity_id"])["state"] == "complete"


# a dry run


def test_a_dry_run_sends_nothing_and_says_where_values_come_from(shop: Shop) -> None:
    order = place(shop)
    story = {"shipped_at": MOMENT, "packages": (package("1", "JD1"),), "warehouse": "104"}
    connector = shop.connector()
    orders = Orders(connector)
    connector.client.dry = orders.pretend
    one = record(order, fulfilment=story)
    given = {"create_invoice": True, "create_shipment": True, "source_mapping": {"104": "nord"}}
    orders.write(one, known(order["entity_id"]), options(**given))
    assert [path.split("/V1/")[1] for _, path, _ in connector.client.planned] == [
        f"order/{order['entity_id']}/invoice",
        f"order/{order['entity_id']}/ship",
    ]
    assert made(shop, order["entity_id"])["invoices"] == 0
    method, path, body = connector.client.planned[1]
    told = orders.origins(method, path, body, one, options(**given))
    assert told["tracks.0.track_number"].path == "fulfilment.packages"
    assert told["arguments.extension_attributes.source_code"].row == "104"
    assert told["notify"].setting == "send_shipment_email"


def test_its_papers_have_pages_in_the_admin(shop: Shop) -> None:
    account = replace(shop.connector(admin_path="admin_x").account, base_url="https://shop.example")
    assert Orders.page(account, "7") == "https://shop.example/admin_x/sales/order/view/order_id/7/"
    assert Orders.page(account, "shipment/12") == "https://shop.example/admin_x/sales/shipment/view/shipment_id/12/"
    assert Orders.page(account, "creditmemo/3") == "https://shop.example/admin_x/sales/creditmemo/view/creditmemo_id/3/"
    assert Orders.page(account, "other/3") is None


def test_ids_compare_as_numbers(shop: Shop) -> None:
    assert ident("5.00") == ident(5)


# orders of other channels


def test_a_foreign_order_is_placed_invoiced_and_shipped_in_one_attempt(shop: Shop) -> None:
    given = {"create_new_order": True, "store_mapping": {"1001": "de"}, "default_shipping_method": "flatrate_flatrate"}
    given |= {"create_invoice": True, "create_shipment": True}  # type: ignore[dict-item]
    one = foreign_order(fulfilment=Fulfilment(shipped_at=MOMENT, packages=(package("1", "JD1"),)))
    what = MemoryKnown()
    written = write(shop, one, what, **given)
    assert (written.created, written.key) == (True, what.refs["id"])
    now = look(shop, written.key)
    assert (now["state"], now["total_invoiced"]) == ("complete", one.grand_total)
    assert made(shop, written.key)["tracks"] == ["JD1"]
    calls(shop)
    assert not write(shop, one, what, **given).created
    assert calls(shop) == [f"GET orders/{written.key}"]


def test_a_foreign_orders_own_item_ids_are_not_taken_for_the_shops(shop: Shop) -> None:
    """Ids of a marketplace's lines are numbers as Magento's are; the articles go by their SKU."""
    given: dict[str, Any] = {"create_new_order": True, "store_mapping": {"1001": "de"}}
    given |= {"default_shipping_method": "flatrate_flatrate", "create_invoice": True, "create_shipment": True}
    given |= {"create_credit_memo": True}
    one = foreign_order()
    lines = tuple(
        line if line.kind is LineKind.SHIPPING else replace(line, external=f"14000000{n:06}")
        for n, line in enumerate(one.lines)
    )
    one = replace(one, lines=lines)
    what = MemoryKnown()
    id = write(shop, one, what, **given).key
    piece = some(lines[0], 1)
    left = {"shipped_at": MOMENT, "packages": (package("1", "JD1"),)}
    for kind, key, more in ((OrderKind.DELIVERY, "700902", left), (OrderKind.CREDIT, "700903", {})):
        sale = replace(link(id, refs=what.refs), reverse=False)
        write(shop, child(one, kind, key, piece, total=piece.gross, **more), Linked(**{f"k{one.key}": sale}), **given)
    row = next(item for item in look(shop, id)["items"] if item["sku"] == piece.sku)
    assert (row["qty_shipped"], row["qty_refunded"]) == (1, 1)
    assert made(shop, id)["tracks"] == ["JD1"]


def test_a_dry_run_of_a_foreign_order_ends_where_it_would_be_placed(shop: Shop) -> None:
    connector = shop.connector()
    orders = Orders(connector)
    connector.client.dry = orders.pretend
    given = {"create_new_order": True, "store_mapping": {"1001": "de"}, "default_shipping_method": "flatrate_flatrate"}
    written = orders.write(foreign_order(), MemoryKnown(), options(**given))
    assert written.created
    assert connector.client.planned
    assert state(shop)["placed"] == []


def test_a_cancelled_order_is_never_invoiced_or_shipped_though_nothing_is_cancelled_here(shop: Shop) -> None:
    order = place(shop)
    one = record(order, status="8", cancelled=True, fulfilment=SHIPPED)
    write(shop, one, known(order["entity_id"]), create_invoice=True, create_shipment=True)
    assert made(shop, order["entity_id"]) == {
        "invoices": 0,
        "shipments": 0,
        "creditmemos": 0,
        "tracks": [],
        "mails": {},
    }


# shops that answer otherwise


class Odd:
    """A shop whose answers are changed on their way, as other versions and modules do."""

    def __init__(self, shop: Shop, change: Callable[[str, Any], Any]) -> None:
        self.connector = shop.connector()
        send = self.connector.client.transport

        def transport(request: Any, timeout: tuple[float, float]) -> Any:
            answer = send(request, timeout)
            route = str(request.url).split("/V1/")[-1].split("?")[0]
            if answer.ok:
                answer._content = dumps(change(f"{request.method} {route}", loads(answer.content))).encode()
            return answer

        self.connector.client.transport = transport


def test_ids_may_be_numbers_and_answers_may_hold_more(shop: Shop) -> None:
    order = place(shop)

    def numbers(route: str, data: Any) -> Any:
        if route.startswith("POST order/"):
            return int(data)
        return {**data, "custom": {"a": [1]}} if isinstance(data, dict) else data

    odd = Odd(shop, numbers)
    what = known(order["entity_id"])
    given = {"create_invoice": True, "create_shipment": True}
    write(shop, record(order, fulfilment=SHIPPED), what, odd.connector, **given)
    assert (what.refs["invoice_id"], what.refs["shipment_ids"]) == ("1", "1")


def test_an_answer_without_an_id_leaves_doubt_and_is_found(shop: Shop) -> None:
    order = place(shop)
    odd = Odd(shop, lambda route, data: None if route.endswith("/invoice") else data)
    what = known(order["entity_id"])
    with pytest.raises(InDoubt, match="without an id"):
        write(shop, record(order), what, odd.connector, create_invoice=True)
    what.doubt = True
    assert "invoice 1 found" in write(shop, record(order), what, create_invoice=True).message
    assert made(shop, order["entity_id"])["invoices"] == 1


def bare(route: str, data: Any) -> Any:
    """Lists of papers without comments."""
    if isinstance(data, dict) and isinstance(data.get("items"), list) and route in ("GET shipments", "GET creditmemos"):
        data["items"] = [{key: value for key, value in one.items() if key != "comments"} for one in data["items"]]
    return data


def test_papers_without_comments_are_known_by_what_they_hold(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 6))
    sale = record(order, fulfilment={"shares": True})
    line = some(sale.lines[0], 2)
    story: dict[str, Any] = {"shipped_at": MOMENT, "shares": False, "packages": (package("1", "JD1"),)}
    odd = Odd(shop, bare)
    for given in (story, {**story, "packages": ()}):
        shop.faults({"kind": "drop_after", "method": "POST", "path": "*/ship", "times": 1})
        what = known(order["entity_id"])
        one = child(sale, OrderKind.DELIVERY, "700002", line, **given)
        with pytest.raises(InDoubt):
            write(shop, one, what, odd.connector, create_shipment=True)
        what.doubt = True
        what.others = {"shipment/1"} if not given["packages"] else set()  # the first delivery has it
        write(shop, one, what, odd.connector, create_shipment=True)
    assert made(shop, order["entity_id"])["shipments"] == 2
    write(shop, replace(sale, status="5"), known(order["entity_id"]), create_invoice=True)
    memo = child(sale, OrderKind.CREDIT, "700009", line, total="19.98")
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/refund", "times": 1})
    what = known(order["entity_id"])
    with pytest.raises(InDoubt):
        write(shop, memo, what, odd.connector, create_credit_memo=True)
    what.doubt = True
    assert write(shop, memo, what, odd.connector, create_credit_memo=True).key == "creditmemo/1"
    assert made(shop, order["entity_id"])["creditmemos"] == 1


def test_papers_of_other_orders_in_a_list_are_not_looked_at(shop: Shop) -> None:
    """A credit note over an amount alone, as another order's memo is, in a shop that shows no comments."""
    memos, goodwill = [], OrderLine(key="1", kind=LineKind.SURCHARGE, name="Goodwill")
    for _ in range(2):
        order = place(shop)
        write(shop, record(order), known(order["entity_id"]), create_invoice=True)
        memos.append(child(record(order), OrderKind.CREDIT, "700009", goodwill, total="1.00"))
    first = order["entity_id"] - 1

    def all_of_them(route: str, data: Any) -> Any:
        if route == "GET creditmemos":
            data["items"] = papers(shop, first)["creditmemos"]
            data["items"] = [{key: value for key, value in one.items() if key != "comments"} for one in data["items"]]
        return data

    write(shop, memos[0], known(first), create_credit_memo=True)
    shop.faults({"kind": "drop_before", "method": "POST", "path": "*/refund", "times": 1})
    what, odd = known(order["entity_id"]), Odd(shop, all_of_them)
    with pytest.raises(InDoubt):
        write(shop, memos[1], what, odd.connector, create_credit_memo=True)
    what.doubt, what.doubt_age = True, 100.0
    assert write(shop, memos[1], what, odd.connector, create_credit_memo=True).key == "creditmemo/2"
    assert made(shop, order["entity_id"])["creditmemos"] == 1


def test_another_order_in_the_answer_is_not_touched(shop: Shop) -> None:
    order, other = place(shop), place(shop)

    def mixed(route: str, data: Any) -> Any:
        return {**data, "entity_id": other["entity_id"]} if route == f"GET orders/{order['entity_id']}" else data

    with pytest.raises(RetryLater, match=f"its order {order['entity_id']} and answered with {other['entity_id']}"):
        write(shop, record(order), known(order["entity_id"]), Odd(shop, mixed).connector, create_invoice=True)
    assert [made(shop, one["entity_id"])["invoices"] for one in (order, other)] == [0, 0]


def test_an_order_without_a_status_and_with_sparse_rows_is_treated(shop: Shop) -> None:
    order = place(shop)

    def sparse(route: str, data: Any) -> Any:
        if route == f"GET orders/{order['entity_id']}":
            kept = ("item_id", "sku", "qty_ordered", "qty_invoiced", "qty_shipped", "product_type")
            data["items"] = [{key: one[key] for key in kept if key in one} for one in data["items"]]
            for name in ("status", "status_histories", "extension_attributes", "payment"):
                data.pop(name, None)
        return data

    odd = Odd(shop, sparse)
    given = {"create_invoice": True, "create_shipment": True, "invoice_excluded_methods": ["paypal"]}
    written = write(shop, record(order, fulfilment=SHIPPED), known(order["entity_id"]), odd.connector, **given)
    assert "invoice 1, shipment 1" in written.message


def test_a_right_that_is_missing_is_named_and_nothing_is_half_done_twice(shop: Shop) -> None:
    order = place(shop)
    shop.forbid("Magento_Sales::ship")
    what = known(order["entity_id"])
    given = {"create_invoice": True, "create_shipment": True}
    with pytest.raises(AccessDenied, match="Magento_Sales::ship"):
        write(shop, record(order, fulfilment=SHIPPED), what, **given)
    shop.control("allow", resource="Magento_Sales::ship")
    write(shop, record(order, fulfilment=SHIPPED), what, **given)
    assert (made(shop, order["entity_id"])["invoices"], made(shop, order["entity_id"])["shipments"]) == (1, 1)
