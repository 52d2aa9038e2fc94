"""Whatever is lost on the way, an order and its parts exist once. Over HTTP, with faults of the stand-in."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connector import InDoubt, RetryLater, Written
from connector.plentyone.orders import Orders
from connector.records import Comment, Order
from connector.testing import MemoryKnown
from tests.connector.plentyone.records import order, registered
from tests.connector.plentyone.standin import Shop, StandIn

LOST: list[dict[str, Any]] = [
    {"kind": "drop_after"},
    {"kind": "drop_before"},
    {"kind": "truncated"},
    {"kind": "error_after", "status": 500},
    {"kind": "error_after", "status": 504},
    {"kind": "timeout", "seconds": 3, "executed": True},
    {"kind": "timeout", "seconds": 3, "executed": False},
    {"kind": "html_503"},
    {"kind": "html_200"},
    {"kind": "status", "status": 500},
    {"kind": "plain_429", "seconds": 0.1},
    {"kind": "expired_token"},
]
STEPS = [
    ("/rest/accounts/contacts", 0),
    ("/rest/batch", 0),
    ("/rest/orders", 0),
    ("/rest/payments", 0),
    ("/rest/batch", 1),
]
SINGLE_STEPS = [
    ("*/addresses", 0),
    ("*/addresses", 1),
    ("/rest/payment/*/order/*", 0),
    ("/rest/payment/*/contact/*", 0),
    ("/rest/comments", 0),
]


def deliver(shop: Shop, made: Order, *, age: float = 60.0, tries: int = 8, **given: Any) -> Written:
    """Write as the flow does: after doubt the next attempt knows of it; ids are kept."""
    known = shop.known()
    for _ in range(tries):
        try:
            return shop.orders.write(made, known, shop.options(**given))
        except InDoubt:
            known = again(shop, known, age)
        except RetryLater:
            known = again(shop, known, age, doubt=known.doubt)
    raise AssertionError(f"{made.number} was not delivered in {tries} attempts")


def again(shop: Shop, known: MemoryKnown, age: float, *, doubt: bool = True) -> MemoryKnown:
    made = shop.known(dict(known.refs), doubt=doubt, attempt=known.attempt + 1)
    made.doubt_age = age if doubt else 0.0
    for row in shop.links.rows.values():
        row.doubt_age = age
    return made


def complete(plenty: StandIn, orders: int = 1, contacts: int = 1, addresses: int = 2) -> None:
    state = plenty.state()
    assert {name: rows for name, rows in state["duplicates"].items() if rows} == {}
    counts = state["counts"]
    assert {name: counts[name] for name in ("orders", "contacts", "addresses", "payments")} == {
        "orders": orders,
        "contacts": contacts,
        "addresses": addresses,
        "payments": orders,
    }
    assert (counts["order_relations"], counts["contact_relations"]) == (orders, orders)


@pytest.fixture
def quick(shop: Shop) -> Shop:
    """Does not wait long for an answer, and not at all between tries."""
    shop.orders.client.read_seconds = 0.5
    shop.host.sleep = lambda seconds: bool(shop.host.stop.wait(min(seconds, 0.02)))  # type: ignore[assignment]
    return shop


@pytest.mark.parametrize("fault", LOST, ids=lambda one: "-".join(str(value) for value in one.values()))
@pytest.mark.parametrize("step", STEPS, ids=lambda one: f"{one[0].rsplit('/', 1)[-1]}{one[1]}")
def test_a_lost_answer_leaves_everything_once(
    plenty: StandIn, quick: Shop, fault: dict[str, Any], step: tuple[str, int]
) -> None:
    path, after = step
    made = order(comments=(Comment(text="Please ring", by_customer=True),))
    plenty.faults({"method": "POST", "path": path, "after": after, "times": 1, **fault})
    deliver(quick, made)
    complete(plenty)
    assert plenty.state()["counts"]["comments"] == 1


@pytest.mark.parametrize("fault", LOST, ids=lambda one: "-".join(str(value) for value in one.values()))
@pytest.mark.parametrize("step", SINGLE_STEPS, ids=lambda one: f"{one[0].split('/')[-2]}{one[1]}")
def test_it_holds_without_batches_too(
    plenty: StandIn, quick: Shop, fault: dict[str, Any], step: tuple[str, int]
) -> None:
    plenty.control("configure", {"batch": False})
    path, after = step
    plenty.faults({"method": "POST", "path": path, "after": after, "times": 1, **fault})
    deliver(quick, order(comments=(Comment(text="Please ring", by_customer=True),)))
    complete(plenty)
    assert plenty.state()["counts"]["comments"] == 1


@pytest.mark.parametrize("path", ["/rest/accounts/addresses", "/rest/orders"])
def test_addresses_without_a_contact_are_found_again(plenty: StandIn, quick: Shop, path: str) -> None:
    plenty.faults({"kind": "drop_after", "method": "POST", "path": path, "times": 1})
    deliver(quick, order(), create_customer=False)
    assert plenty.state()["counts"]["addresses"] == 2
    assert plenty.state()["counts"]["orders"] == 1


@pytest.mark.parametrize("seed", range(6))
def test_many_faults_at_once_leave_everything_once(plenty: StandIn, quick: Shop, seed: int) -> None:
    chosen = random.Random(seed)
    rules = [
        {"method": "write", "path": "/^.rest.(?!login)/", "rate": 0.12, "seed": chosen.randrange(10**6), **fault}
        for fault in LOST
        if fault["kind"] != "timeout"
    ]
    plenty.faults(*rules)
    orders = [order(f"10000{n:04}", customer=registered(str(n % 3), f"c{n % 3}@example.com")) for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda made: deliver(quick, made, tries=40), orders))
    plenty.faults()
    complete(plenty, orders=12, contacts=3, addresses=6)


def test_parallel_orders_of_one_new_customer_share_one_contact(plenty: StandIn, shop: Shop) -> None:
    orders = [order(f"10000{n:04}", customer=registered()) for n in range(16)]
    shop.orders.prepare(orders, lambda _: shop.options())
    start = threading.Barrier(16)

    def write(made: Order) -> None:
        start.wait()
        shop.orders.write(made, shop.known(), shop.options())

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(write, orders))
    complete(plenty, orders=16)


# orders of another installation, or of this one before its database was lost


def test_an_order_that_is_there_already_is_taken_up_whole_after_one_look(plenty: StandIn, quick: Shop) -> None:
    made = [order(comments=(Comment(text="Ring twice"),)), order(number="100000124")]
    written = quick.orders.write(made[0], quick.known(), quick.options())
    before = plenty.state()["counts"]
    quick.links.rows.clear()
    quick.called()
    quick.orders.prepare(made, lambda _: quick.options())
    assert [one for one in quick.called() if "variations" not in one] == ["GET /rest/orders"]
    known = quick.known()
    assert quick.orders.write(made[0], known, quick.options()).key == written.key
    assert "was found in PlentyONE" in " ".join(known.notes)
    assert plenty.state()["counts"] == before
    quick.called()
    quick.orders.write(made[1], quick.known(), quick.options())
    assert [one for one in quick.called() if one.startswith("GET")] == []


def test_where_the_first_orders_were_not_there_nobody_looks_again(plenty: StandIn, quick: Shop) -> None:
    def looks(*numbers: int) -> int:
        quick.called()
        quick.orders = Orders(quick.another())  # as in another run
        quick.orders.prepare([order(number=f"1000{number:05d}") for number in numbers], lambda _: quick.options())
        return quick.called().count("GET /rest/orders")

    assert looks(1) == 1
    assert looks(2) == 0, "a single order costs no read"
    assert looks(*range(10, 70)) == 2
    assert looks(*range(100, 200)) == 0


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_a_system_that_does_not_let_itself_be_looked_through_keeps_no_order_back(
    plenty: StandIn, quick: Shop, status: int
) -> None:
    plenty.faults({"kind": "status", "status": status, "method": "GET", "path": "/rest/orders", "rate": 1})
    quick.orders.prepare([order()], lambda _: quick.options())
    quick.orders.write(order(), quick.known(), quick.options())
    complete(plenty)


# an index that lags


def test_it_does_not_believe_an_index_that_lags(plenty: StandIn, quick: Shop) -> None:
    """The order exists, no list shows it yet: the next attempt waits for the index instead of creating a second one."""
    plenty.control("configure", {"index_lag": 1000})
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "/rest/orders", "times": 1})
    known = quick.known()
    with pytest.raises(InDoubt):
        quick.orders.write(order(), known, quick.options())
    with pytest.raises(RetryLater) as waiting:
        quick.orders.write(order(), again(quick, known, 2.0), quick.options())
    assert waiting.value.after == pytest.approx(13.5)
    assert waiting.value.counts is False
    plenty.control("configure", {"index_lag": 0})
    quick.orders.write(order(), again(quick, known, 2.0), quick.options())
    complete(plenty)


def test_another_shops_order_with_the_same_number_is_not_adopted(plenty: StandIn, quick: Shop) -> None:
    other = quick.options(store_mapping={"de": {"webstore": 12346}})
    quick.orders.write(order(), quick.known(), other)
    plenty.faults({"kind": "drop_before", "method": "POST", "path": "/rest/orders", "times": 1})
    written = deliver(quick, order())
    assert written.key == "700002"
    assert plenty.state()["counts"]["orders"] == 2


def test_a_worker_that_was_killed_after_the_order_finishes_the_rest(plenty: StandIn, quick: Shop) -> None:
    known = quick.known()
    plenty.faults({"kind": "drop_before", "method": "POST", "path": "/rest/payments", "times": 1})
    with pytest.raises(InDoubt):
        quick.orders.write(order(), known, quick.options())
    assert known.refs["id"]
    written = quick.orders.write(order(), again(quick, known, 60.0), quick.options())
    assert written.created
    assert written.key == known.refs["id"]
    complete(plenty)


def test_an_adopted_order_is_verified_as_a_new_one(plenty: StandIn, quick: Shop) -> None:
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "/rest/orders", "times": 1})
    known = quick.known()
    with pytest.raises(InDoubt):
        quick.orders.write(order(), known, quick.options())
    second = again(quick, known, 60.0)
    written = quick.orders.write(order(), second, quick.options())
    assert "was found" in second.notes[0]
    assert "24.90 EUR" in written.message


def test_an_address_in_doubt_is_looked_up_and_not_sent_again(plenty: StandIn, quick: Shop) -> None:
    plenty.control("configure", {"batch": False})
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "*/addresses", "times": 1})
    deliver(quick, order())
    assert len([one for one in plenty.log() if one["method"] == "POST" and one["path"].endswith("/addresses")]) == 2


def test_a_twin_that_no_list_shows_yet_is_waited_for(plenty: StandIn, quick: Shop) -> None:
    """The payment was made, its answer lost, and the lists lag for longer than they should: it is not paid twice."""
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "/rest/payments", "times": 1})
    known = quick.known()
    with pytest.raises(InDoubt):
        quick.orders.write(order(), known, quick.options())
    plenty.control("configure", {"index_lag": 1000})
    with pytest.raises(RetryLater, match="has this payment already"):
        quick.orders.write(order(), again(quick, known, 60.0), quick.options())
    plenty.control("configure", {"index_lag": 0})
    quick.orders.write(order(), again(quick, known, 60.0), quick.options())
    complete(plenty)


def test_a_twin_payment_is_found_and_not_made_again(plenty: StandIn, quick: Shop) -> None:
    known = quick.known()
    quick.orders.write(order(), known, quick.options())
    refs = {key: value for key, value in known.refs.items() if not key.startswith("payment")}
    found = quick.known(refs)
    quick.orders.write(order(), found, quick.options())
    assert found.refs["payment_id"] == known.refs["payment_id"]
    assert plenty.state()["counts"]["payments"] == 1
