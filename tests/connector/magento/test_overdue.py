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
