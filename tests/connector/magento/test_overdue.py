"""Orders that should have come further by now are found by the shop's own list, and put back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.magento.orders import Orders
from tests.connector.magento.acts import Json, calls, options, place
from tests.connector.magento.conftest import Shop

ON = {"incomplete_detection_enabled": True, "incomplete_max_age_days": 3650}


def found(shop: Shop, **given: Any) -> dict[str, str]:
    told = Orders(shop.connector()).unsettled(options(**{**ON, **given}), None, set)
    assert told is not None
    return dict(told)


def told_of(shop: Shop, refs: dict[str, dict[str, str]], **given: Any) -> dict[str, str]:
    """As the engine asks, which knows what is kept of each."""
    rows = Orders(shop.connector()).unsettled(
        options(**{**ON, **given}), None, lambda keys: {key: refs[key] for key in keys if key in refs}
    )
    assert rows is not None
    return dict(rows)


def old(shop: Shop, days: float = 10, **changes: Any) -> Json:
    order = place(shop)
    then = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S")
    given = {"created_at": then, "updated_at": then, **changes}
    shop.control("change_order", entity_id=order["entity_id"], set=given, touch=False)
    return order


def test_it_is_off_by_default_and_not_asked_all_the_time(shop: Shop) -> None:
    orders = Orders(shop.connector())
    assert orders.unsettled(options(), None, set) is None
    now = orders.host.now()
    assert orders.unsettled(options(**ON), now - timedelta(hours=1), set) is None
    assert orders.unsettled(options(**ON), now - timedelta(hours=5), set) is not None


@pytest.mark.parametrize(
    ("strategy", "changes", "said"),
    [
        ("missing_invoices", {}, "not invoiced in full"),
        ("missing_shipments", {"state": "processing", "status": "processing"}, "not shipped in full"),
        ("stuck_in_processing", {"state": "processing", "status": "processing"}, "in processing for long"),
        ("missing_creditmemos", {"state": "canceled", "status": "gone", "total_paid": 5}, "paid and ended"),
    ],
)
def test_each_strategy_finds_its_own(shop: Shop, strategy: str, changes: Json, said: str) -> None:
    order, done = old(shop, **changes), old(shop, state="complete", status="complete")
    given = {"incomplete_strategies": [strategy], "incomplete_max_age_days": 12, "incomplete_min_age_days": 8}
    told = found(shop, **given)
    assert said in told[str(order["entity_id"])]
    assert str(done["entity_id"]) not in told


def test_a_status_beyond_the_mapping_differs(shop: Shop) -> None:
    order = old(shop)
    given = {"incomplete_strategies": ["status_mismatch"], "incomplete_max_age_days": 12}
    assert str(order["entity_id"]) not in found(shop, **given)
    assert "'pending' is none" in found(shop, **given, status_mapping={"5": "packed"})[str(order["entity_id"])]


def test_age_status_and_number_are_limited(shop: Shop) -> None:
    young, order, ancient = old(shop, 1), old(shop, 10), old(shop, 40)
    told = found(shop, incomplete_max_age_days=30)
    assert str(order["entity_id"]) in told
    assert not {str(young["entity_id"]), str(ancient["entity_id"])} & set(told)
    assert str(order["entity_id"]) not in found(shop, incomplete_excluded_statuses=["pending"])
    assert len(found(shop, incomplete_batch_limit=3)) == 3


def test_a_long_list_is_read_page_by_page_without_repeats(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.control("configure", past_end="repeat")
    whole = found(shop)
    monkeypatch.setattr("connector.magento.overdue.PAGE", 7)
    calls(shop)
    assert found(shop) == whole
    assert len(calls(shop)) > 5


def test_orders_that_were_never_exported_do_not_use_up_the_limit(shop: Shop) -> None:
    made = [str(old(shop)["entity_id"]) for _ in range(4)]
    told = Orders(shop.connector()).unsettled(
        options(**ON, incomplete_batch_limit=1), None, lambda keys: {made[3]} & set(keys)
    )
    assert told is not None
    assert [id for id, _ in told] == [made[3]]


def test_orders_that_stay_as_they_are_do_not_keep_the_others_waiting(shop: Shop) -> None:
    whole = list(found(shop))
    orders, told = Orders(shop.connector()), list[list[str]]()
    limit = len(whole) // 2 + 1  # the second pass ends with the list, the third begins anew
    for _ in range(3):
        rows = orders.unsettled(options(**ON, incomplete_batch_limit=limit), None, set)
        assert rows is not None
        told.append([id for id, _ in rows])
    assert told == [whole[:limit], whole[limit:], whole[:limit]]


@pytest.mark.parametrize(
    ("kept", "differs"),
    [
        ({"source_status": "5", "news": "5"}, True),
        ({"source_status": "6", "news": "6"}, False),  # that one is mapped to what the order has
        ({"source_status": "5", "news": ""}, False),  # it came from the shop
        ({"source_status": "4", "news": "4"}, False),  # not mapped
        ({}, False),
    ],
)
def test_a_status_differs_from_what_the_mapping_makes_of_the_other_sides(
    shop: Shop, kept: dict[str, str], differs: bool
) -> None:
    key = str(old(shop)["entity_id"])
    given = {"incomplete_strategies": ["status_mismatch"], "status_mapping": {"5.00": "packed", "6": "pending"}}
    told = told_of(shop, {key: kept}, **given)
    assert (key in told) is differs
    assert not differs or "'pending' is not 'packed'" in told[key]


def test_missing_credit_memos_are_found_in_ended_orders_with_the_usual_exclusions(shop: Shop) -> None:
    closed = {"state": "closed", "status": "closed", "total_paid": 9, "total_refunded": 4}
    short, fee = old(shop, **closed), old(shop, **closed, adjustment_negative=5)
    done = old(shop, state="complete", status="complete", total_paid=9)
    strategies = ["missing_creditmemos", "missing_invoices", "stuck_in_processing"]
    told = found(shop, incomplete_strategies=strategies)
    assert told[str(short["entity_id"])].endswith(": paid and ended, but not refunded.")
    assert not {str(fee["entity_id"]), str(done["entity_id"])} & set(told)
    assert str(short["entity_id"]) not in found(shop, incomplete_strategies=strategies[1:])


def test_what_is_cancelled_on_the_other_side_and_paid_here_lacks_a_credit_memo(shop: Shop) -> None:
    key = str(old(shop, state="processing", status="processing", total_paid=9)["entity_id"])
    given = {"incomplete_strategies": ["missing_creditmemos"], "cancel_order": True, "cancel_statuses": ["8"]}
    assert "cancelled on the other side" in told_of(shop, {key: {"source_status": "8"}}, **given)[key]
    assert key not in told_of(shop, {key: {"source_status": "7"}}, **given)


def test_a_shop_that_limits_its_pages_is_looked_through_all_the_same(shop: Shop) -> None:
    whole = found(shop)
    assert len(whole) > 7
    shop.control("configure", max_page_size=7)
    assert found(shop) == whole


def test_a_list_that_the_shop_cannot_answer_keeps_no_run_from_its_work(shop: Shop) -> None:
    old(shop)
    shop.faults({"kind": "status", "status": 500, "method": "GET", "path": "*/orders"})
    assert found(shop) == {}
