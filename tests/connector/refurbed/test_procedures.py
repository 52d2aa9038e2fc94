"""What refurbed is told of an order before its parcel leaves: confirmation, rejection, cancellation; and what all share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector import AccessDenied, Counterpart, InDoubt, RecordFailed, RetryLater, SkipRecord
from connector.procedures import INVOICE, STATUS
from connector.records import LineKind, OrderKind
from connector.refurbed import Refurbed
from connector.refurbed.procedures import Events
from tests.connector.refurbed.stage import NOTEBOOK, PHONE, SALE, WATCH, Stage, fulfilled, lines, running

BATCH = "*/refb.merchant.v1.OrderItemService/BatchUpdateOrderItemsState"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from running(tmp_path)


# the declarations


@pytest.mark.parametrize(
    ("code", "label", "event", "status", "types"),
    [
        ("confirm", "Send order confirmation to refurbed", STATUS, ("5",), ("sale",)),
        ("ship", "Send shipping confirmation to refurbed", STATUS, ("7",), ("sale", "delivery")),
        ("cancel", "Send order cancellation to refurbed", STATUS, ("8.1",), ("sale",)),
        ("invoice", "Send invoice to refurbed", INVOICE, (), ("sale",)),
        ("reject", "Send order rejection to refurbed", STATUS, ("8",), ("sale",)),
        ("refund", "Send refund to refurbed", STATUS, ("9.6",), ("sale", "return", "credit")),
    ],
)
def test_each_procedure_is_the_table_of_the_guide(
    code: str, label: str, event: str, status: tuple[str, ...], types: tuple[str, ...]
) -> None:
    one = next(one for one in Events.procedures if one.code == code)
    assert one.label == label
    assert one.help
    assert set(types) <= {str(kind) for kind in one.order_types}
    assert (one.template.event, one.template.status) == (event, status)
    assert one.template.filters == {"order_type": types, "referrer": ("refurbed",)}


def test_the_six_procedures_are_offered_by_the_connector() -> None:
    assert Events in Refurbed.resources
    assert [one.code for one in Events.procedures] == ["confirm", "ship", "cancel", "invoice", "reject", "refund"]


# which order


def test_an_order_of_another_account_is_left_alone(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stranger = replace(stage.known(order, "confirm").links_of["order", SALE], ours=False)
    for found in ({}, {("order", SALE): stranger}):
        known = stage.known(order, "confirm")
        known.links_of = dict[tuple[str, str], Counterpart](found)
        with pytest.raises(SkipRecord, match="did not come from this account"):
            stage.write("confirm", order)
    assert stage.calls() == []


def test_a_sale_that_was_split_off_is_found_by_its_origin(stage: Stage) -> None:
    placed = stage.place()
    order = stage.sale(placed)
    split = replace(fulfilled(order, origin=SALE), key="124", lines=order.lines[:1])
    stage.write("confirm", split)
    assert stage.states() == ["ACCEPTED", "NEW"]


def test_an_order_type_that_the_procedure_is_not_for_is_left_alone(stage: Stage) -> None:
    order = stage.sale(stage.place())
    returned = stage.child(order, OrderKind.RETURN, "124", order.lines)
    with pytest.raises(SkipRecord, match="order types"):
        stage.write("confirm", returned)
    assert stage.calls() == []


def test_an_order_whose_lines_name_no_item_is_a_matter_for_a_person(stage: Stage) -> None:
    order = stage.sale(stage.place())
    with pytest.raises(RecordFailed, match="none of its lines holds the id of an item"):
        stage.write("confirm", lines(order, {"external": None}, {"external": None}))
    assert stage.count("acceptances") == 0


def test_an_item_of_another_order_is_named_and_nothing_is_sent(stage: Stage) -> None:
    order = stage.sale(stage.place())
    with pytest.raises(RecordFailed, match="has no item 8800999"):
        stage.write("confirm", lines(order, {}, {"external": "8800999"}))
    assert stage.count("acceptances") == 0


# confirmation


def test_all_new_items_are_accepted_by_one_call(stage: Stage) -> None:
    order = stage.sale(stage.place())
    written = stage.write("confirm", order)
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]
    assert stage.calls() == ["GetOrder", "BatchUpdateOrderItemsState"]
    assert written.key == stage.key
    assert "accepted at refurbed" in written.message
    assert stage.known(order, "confirm").refs["id"] == stage.key


def test_costs_and_lines_of_ones_own_are_no_items(stage: Stage) -> None:
    order = stage.sale(stage.place())
    own = replace(order.lines[0], key="990", external=None, name="Case")
    costs = replace(order.lines[0], key="991", kind=LineKind.SHIPPING, external="6")
    stage.write("confirm", replace(order, lines=(*order.lines, own, costs)))
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("state", ["ACCEPTED", "SHIPPED", "RETURNED"])
def test_what_is_accepted_already_needs_no_call(stage: Stage, state: str) -> None:
    order = stage.sale(stage.place(state=state))
    assert "accepted already" in stage.write("confirm", order).message
    assert stage.calls() == ["GetOrder"]


def test_only_what_is_new_is_accepted(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.write("confirm", replace(order, lines=order.lines[:1]))
    stage.write("confirm", order, event="2")
    assert stage.count("acceptances") == 2
    assert not any(stage.state()["duplicates"].values())


def test_a_cancelled_item_is_named_for_a_person_and_the_others_are_accepted(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.write("cancel", replace(order, lines=order.lines[1:]))
    with pytest.raises(RecordFailed, match=r"'ThinkPad.*8800102.*can no longer be accepted: do not ship it"):
        stage.write("confirm", order)
    assert stage.states() == ["ACCEPTED", "CANCELLED"]


def test_more_than_fifty_items_go_in_batches_of_fifty(stage: Stage) -> None:
    order = stage.sale(stage.place(*[WATCH] * 101))
    written = stage.write("confirm", order)
    assert set(stage.states()) == {"ACCEPTED"}
    assert stage.calls().count("BatchUpdateOrderItemsState") == 3
    assert "+96" in written.message


def test_of_a_partly_done_batch_the_transient_rest_is_tried_again(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.control("fail_item", id=order.lines[1].external, code=14)
    with pytest.raises(RetryLater, match=r"accepted at refurbed: 'iPhone.*'ThinkPad.*8800102") as said:
        stage.write("confirm", order)
    assert said.value.counts
    assert stage.states() == ["ACCEPTED", "NEW"]
    stage.calls()
    stage.write("confirm", order)
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]
    assert stage.calls() == ["GetOrder", "BatchUpdateOrderItemsState"]
    assert stage.count("acceptances") == 2


def test_of_a_partly_done_batch_the_refused_item_is_named(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.control("fail_item", id=order.lines[0].external, code=9)
    with pytest.raises(RecordFailed, match=r"accepted at refurbed: 'ThinkPad.*refurbed refused 'iPhone.*8800101"):
        stage.write("confirm", order)
    assert stage.states() == ["NEW", "ACCEPTED"]


def test_what_is_tried_again_goes_before_what_needs_a_person(stage: Stage) -> None:
    order = stage.sale(stage.place(PHONE, NOTEBOOK, WATCH))
    stage.control("fail_item", id=order.lines[0].external, code=9, times=2)
    stage.control("fail_item", id=order.lines[1].external, code=14)
    with pytest.raises(RetryLater, match="refused 'iPhone"):
        stage.write("confirm", order)
    with pytest.raises(RecordFailed, match="refused 'iPhone"):
        stage.write("confirm", order)
    assert stage.states() == ["NEW", "ACCEPTED", "ACCEPTED"]


def test_an_item_that_somebody_else_accepted_meanwhile_is_accepted(stage: Stage) -> None:
    order = stage.sale(stage.place())
    read = stage.events.client.call

    def faster(method: str, path: str, **more: object) -> object:
        if path.endswith("BatchUpdateOrderItemsState"):
            stage.item(0).state = "ACCEPTED"
        return read(method, path, **more)  # type: ignore[arg-type]

    stage.events.client.call = faster  # type: ignore[assignment,method-assign]
    written = stage.write("confirm", order)
    assert "refused" not in written.message
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("odd", [{"id": "1"}, {"items": []}, {"items": [{"name": "no id"}]}, {"items": None}])
def test_an_answer_that_is_not_the_order_is_asked_for_again(
    stage: Stage, odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = stage.sale(stage.place())
    right = stage.events.client.ask  # type: ignore[attr-defined]
    monkeypatch.setattr(
        stage.events.client, "ask", lambda *asked, **more: {"order": right(*asked, **more)["order"] | odd}
    )
    with pytest.raises(RetryLater, match="answered oddly"):
        stage.write("confirm", order)
    assert stage.states() == ["NEW", "NEW"]
    monkeypatch.undo()
    stage.write("confirm", order)
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "drop_before"])
def test_after_a_lost_answer_the_items_say_what_is_missing(stage: Stage, kind: str) -> None:
    order = stage.sale(stage.place())
    stage.faults({"kind": kind, "path": BATCH, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("confirm", order)
    stage.write("confirm", order)
    assert stage.count("acceptances") == 2
    assert not stage.twice("acceptances")


def test_a_token_without_the_right_stops_the_run(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.control("forbid", path=BATCH)
    with pytest.raises(AccessDenied):
        stage.write("confirm", order)


# rejection


def test_new_items_are_rejected(stage: Stage) -> None:
    order = stage.sale(stage.place())
    assert "rejected at refurbed" in stage.write("reject", order).message
    assert stage.states() == ["REJECTED", "REJECTED"]
    assert "already" in stage.write("reject", order, event="2").message
    assert stage.count("rejections") == 2


def test_an_accepted_item_can_no_longer_be_rejected_which_is_said_before_anything_is_sent(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.write("confirm", replace(order, lines=order.lines[:1]))
    stage.calls()
    with pytest.raises(RecordFailed, match=r"'iPhone.*can no longer be rejected, only cancelled\. Nothing was sent"):
        stage.write("reject", order)
    assert stage.calls() == ["GetOrder"]
    assert stage.states() == ["ACCEPTED", "NEW"]


# cancellation


def test_new_and_accepted_items_are_cancelled(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.write("confirm", replace(order, lines=order.lines[:1]))
    assert "cancelled at refurbed" in stage.write("cancel", order).message
    assert stage.states() == ["CANCELLED", "CANCELLED"]
    assert "already" in stage.write("cancel", order, event="2").message
    assert stage.count("cancellations") == 2


def test_a_shipped_item_is_named_and_the_others_are_cancelled(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.item(0).state = "SHIPPED"
    with pytest.raises(RecordFailed, match=r"cancelled at refurbed: 'ThinkPad.*'iPhone.*is shipped"):
        stage.write("cancel", order)
    assert stage.states() == ["SHIPPED", "CANCELLED"]


# dry runs


def test_a_dry_run_plans_and_changes_nothing(stage: Stage) -> None:
    order = stage.sale(stage.place())
    stage.events.client.dry = stage.events.pretend
    assert "accepted at refurbed" in stage.write("confirm", order).message
    assert [path.rsplit("/", 1)[-1] for _, path, _ in stage.events.client.planned] == ["BatchUpdateOrderItemsState"]
    assert stage.states() == ["NEW", "NEW"]
