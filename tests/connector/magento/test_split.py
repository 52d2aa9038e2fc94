"""A sale that was split before it was invoiced: each part is invoiced for itself, to the cent, or by a person."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import InDoubt, RecordFailed, RetryLater
from connector.records import Order, OrderLine, cents
from tests.connector.magento.acts import (
    MOMENT,
    Linked,
    known,
    look,
    made,
    papers,
    place,
    record,
    some,
    until_written,
    write,
)
from tests.connector.magento.conftest import Shop
from tests.connector.magento.test_acting import Odd

Json = dict[str, Any]
BILL = {"create_invoice": True}
OFF = "700002"


def divided(order: Json, *quantities: tuple[int, int]) -> tuple[Order, Order]:
    """What remains, with the shipping, and what was split off: `quantities` are (place of the line, pieces)."""
    whole = record(order)
    *goods, freight = whole.lines
    taken = dict(quantities)
    gone = [some(line, taken[at]) for at, line in enumerate(goods) if at in taken]
    kept = [_less(line, taken.get(at, 0)) for at, line in enumerate(goods)]
    story = replace(whole.fulfilment, origin=whole.key, parent=whole.key)
    rest = replace(whole, lines=(*(one for one in kept if one.quantity), freight))
    off = replace(whole, key=OFF, lines=tuple(gone), fulfilment=story)
    return replace(rest, grand_total=_sum(rest)), replace(off, grand_total=_sum(off))


def _less(line: OrderLine, pieces: int) -> OrderLine:
    return some(line, line.quantity - pieces)


def _sum(order: Order) -> Decimal:
    return sum((one.total for one in order.lines), Decimal(0))


def invoices(shop: Shop, order: Json) -> list[Any]:
    return [one["grand_total"] for one in papers(shop, order["entity_id"])["invoices"]]


@pytest.mark.parametrize("quantities", [((0, 4),), ((0, 1),), ((0, 2), (1, 1))])
@pytest.mark.parametrize("store", ["de", "pl"])
def test_both_parts_of_a_split_sale_are_invoiced_once_to_the_cent(
    shop: Shop, store: str, quantities: tuple[tuple[int, int], ...]
) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3), store=store)
    rest, off = divided(order, *quantities)
    of_rest, of_off = known(order["entity_id"]), known(order["entity_id"])
    for _ in range(2):
        write(shop, rest, of_rest, **BILL, send_invoice_email=True)
        written = write(shop, off, of_off, **BILL, send_invoice_email=True)
    assert (written.key, of_off.refs["invoice_id"]) == (of_off.refs["id"], of_off.refs["id"].removeprefix("invoice/"))
    assert invoices(shop, order) == [rest.grand_total, off.grand_total]
    assert look(shop, order["entity_id"])["total_invoiced"] == order["grand_total"]
    assert made(shop, order["entity_id"])["mails"] == {"invoice": 2}


def test_the_part_without_shipping_waits_for_the_one_with_it_and_is_shipped_meanwhile(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 4))
    off = replace(off, fulfilment=replace(off.fulfilment, shipped_at=MOMENT))
    of_off = known(order["entity_id"])
    for _ in range(2):
        with pytest.raises(RetryLater, match="waits for the invoice of the part with the shipping") as caught:
            write(shop, off, of_off, **BILL, create_shipment=True)
        assert caught.value.aside
    assert (made(shop, order["entity_id"])["shipments"], invoices(shop, order)) == (1, [])
    write(shop, rest, known(order["entity_id"]), **BILL)
    assert write(shop, off, of_off, **BILL, create_shipment=True).key == "shipment/1"
    assert invoices(shop, order) == [rest.grand_total, off.grand_total]


def test_a_part_whose_lines_come_to_something_else_is_not_invoiced(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 4))
    for one in (replace(rest, grand_total=rest.grand_total - Decimal("0.01")), replace(off, grand_total=Decimal(30))):
        with pytest.raises(RecordFailed, match=r"is a part of Magento order .* these lines come to .* by hand"):
            write(shop, one, known(order["entity_id"]), **BILL)
    assert invoices(shop, order) == []


def discounted(shop: Shop, amount: str, *lines: tuple[str, int]) -> tuple[Json, Order]:
    """An order with so much off its first line, and what remains of it when a piece of that is split off."""
    order = place(shop, *lines)
    off, row = float(amount), order["items"][0]
    changed = {"discount_amount": off, "base_discount_amount": off}
    items = [{**_plain(one), **(changed if one["item_id"] == row["item_id"] else {})} for one in order["items"]]
    totals = {name: float(order[name]) - off for name in ("grand_total", "base_grand_total")}
    shop.control("change_order", entity_id=order["entity_id"], set={**totals, "items": items, "discount_amount": -off})
    order = look(shop, order["entity_id"])
    rest, _ = divided(order, (0, 1))
    first, *others = rest.lines
    first = replace(first, discount=Decimal(amount) * first.quantity / row["qty_ordered"])
    rest = replace(rest, lines=(first, *others))
    return order, replace(rest, grand_total=cents(_sum(rest)))


def test_a_share_that_needs_rounding_is_invoiced_where_it_comes_out_the_same_either_way(shop: Shop) -> None:
    order, rest = discounted(shop, "1.00", ("BECHER-W", 3), ("KAF-1000", 1))
    assert _sum(rest) != rest.grand_total
    write(shop, rest, known(order["entity_id"]), **BILL)
    assert invoices(shop, order) == [rest.grand_total]


def test_a_share_whose_rounding_nobody_knows_is_left_to_people(shop: Shop) -> None:
    order, rest = discounted(shop, "0.02", ("BECHER-W", 3), ("KAF-1000", 1))
    with pytest.raises(RecordFailed, match="cannot be told to the cent"):
        write(shop, rest, known(order["entity_id"]), **BILL)
    assert invoices(shop, order) == []


def _plain(one: Any) -> Any:
    if isinstance(one, dict):
        return {key: _plain(value) for key, value in one.items()}
    if isinstance(one, list):
        return [_plain(value) for value in one]
    return float(one) if isinstance(one, Decimal) else one


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error_after", "truncated"])
def test_a_lost_answer_makes_no_second_invoice_of_a_part(shop: Shop, kind: str) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 2))
    shop.faults({"kind": kind, "method": "POST", "path": "*/invoice", "times": 2})
    for one in (rest, off):
        until_written(shop, one, known(order["entity_id"]), **BILL)
    assert invoices(shop, order) == [rest.grand_total, off.grand_total]


def bare(route: str, data: Any) -> Any:
    if route == "GET invoices":
        data["items"] = [{key: value for key, value in one.items() if key != "comments"} for one in data["items"]]
    return data


def in_doubt(shop: Shop, odd: Odd, order: Json, part: Order, kind: str) -> Linked:
    what = known(order["entity_id"])
    shop.faults({"kind": kind, "method": "POST", "path": "*/invoice", "times": 1})
    with pytest.raises(InDoubt):
        write(shop, part, what, odd.connector, **BILL)
    what.doubt, what.doubt_age = True, 100.0
    return what


def test_a_part_is_invoiced_once_in_a_shop_that_shows_no_comments(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 8), ("KAF-1000", 3))
    rest, off = divided(order, (0, 4))
    odd = Odd(shop, bare)
    write(shop, rest, known(order["entity_id"]), odd.connector, **BILL)
    one, two, three, four = (replace(_some_of(off, 1), key=f"70000{n}") for n in range(2, 6))
    what = in_doubt(shop, odd, order, one, "drop_after")
    write(shop, one, what, odd.connector, **BILL)
    assert what.refs["invoice_id"] == "2"
    what = in_doubt(shop, odd, order, two, "drop_before")  # one over the same amount was there before
    write(shop, two, what, odd.connector, **BILL)
    assert what.refs["invoice_id"] == "3"
    what = in_doubt(shop, odd, order, three, "drop_before")
    write(shop, four, known(order["entity_id"]), odd.connector, **BILL)  # and another part's came meanwhile
    what.others = {"invoice/2", "invoice/3", "invoice/4"}
    write(shop, three, what, odd.connector, **BILL)
    assert invoices(shop, order) == [rest.grand_total, *[one.grand_total] * 4]


def _some_of(order: Order, pieces: int) -> Order:
    made = replace(order, lines=tuple(some(line, pieces) for line in order.lines))
    return replace(made, grand_total=_sum(made))


def test_after_doubt_the_invoice_of_the_other_part_is_not_taken_for_ones_own(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 2))
    write(shop, rest, known(order["entity_id"]), **BILL)
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/invoice", "times": 1})
    what = known(order["entity_id"])
    with pytest.raises(InDoubt):
        write(shop, off, what, **BILL)
    what.doubt, what.doubt_age = True, 100.0
    write(shop, off, what, **BILL)
    assert invoices(shop, order) == [rest.grand_total, off.grand_total]
    assert what.refs["invoice_id"] == str(papers(shop, order["entity_id"])["invoices"][1]["entity_id"])


def test_a_part_that_was_cancelled_gets_no_papers(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 4))
    write(shop, rest, known(order["entity_id"]), **BILL)
    gone = replace(off, cancelled=True, status="8", fulfilment=replace(off.fulfilment, shipped_at=MOMENT))
    with pytest.raises(Exception, match="nothing of it is to be shipped"):
        write(shop, gone, known(order["entity_id"]), **BILL, create_shipment=True)
    assert made(shop, order["entity_id"])["shipments"] == 0


def test_a_part_that_is_cancelled_cancels_not_the_other_one(shop: Shop) -> None:
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 3))
    rest, off = divided(order, (0, 4))
    given: Json = {"cancel_order": True, "cancel_statuses": [8]}
    gone = {"cancelled": True, "status": "8"}
    with pytest.raises(RecordFailed, match="others were split off from it"):
        write(shop, replace(rest, **gone, extra={"split": True}), known(order["entity_id"]), **given)  # type: ignore[arg-type]
    with pytest.raises(RecordFailed, match=r"a part of Magento order .* cancels no part"):
        write(shop, replace(off, **gone), known(order["entity_id"]), **given)  # type: ignore[arg-type]
    assert look(shop, order["entity_id"])["state"] == "new"
