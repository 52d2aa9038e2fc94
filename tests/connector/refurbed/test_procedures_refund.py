"""Money goes back at refurbed and is booked, each once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector import InDoubt, RecordFailed, RetryLater, SkipRecord
from connector.records import LineKind, Order, OrderKind
from connector.refurbed.refunding import explained
from tests.connector.refurbed.stage import NOTEBOOK, PHONE, WATCH, Killed, Stage, fulfilled, lines, running

REFUNDS = "*Service/Refund*"  # not their calculations
FIFTY = Decimal(50)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from running(tmp_path)


def shipped(stage: Stage, *skus: str, **wish: Any) -> Order:
    return stage.sale(stage.place(*skus, **{"state": "SHIPPED", **wish}))


def returned(stage: Stage, sale: Order, *at: int, key: str = "124") -> Order:
    return stage.child(sale, OrderKind.RETURN, key, [sale.lines[one] for one in at])


def credited(stage: Stage, sale: Order, *amounts: Decimal, key: str = "125") -> Order:
    """A credit note over so much of each line, from the first on."""
    made = [replace(one, gross=amount) for one, amount in zip(sale.lines, amounts, strict=False)]
    return stage.child(sale, OrderKind.CREDIT, key, made)


def booked(stage: Stage) -> list[tuple[str, str, str]]:
    return [(f"{one.amount:.2f}", one.currency, one.reason) for one in stage.desk.booked]


def refunded(stage: Stage) -> list[str]:
    return [one["total_refunded"] for one in stage.now()["items"]]


# a whole order


ZEROS = (None, "", "0", "0.00")


@pytest.mark.parametrize("kind", ["sale", "return"])
def test_an_amount_of_zero_or_a_currency_that_is_not_told_is_no_obstacle(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def told(service: str, method: str, *asked: Any, **more: Any) -> Any:
        answer = right(service, method, *asked, **more)
        for one in (answer["order"], *answer["order"]["items"]) if method == "GetOrder" else ():
            for name in ("total_paid", "total_refunded"):
                if one[name] in ZEROS:
                    del one[name]
            if one is not answer["order"]:
                del one["currency_code"]
        return answer

    monkeypatch.setattr(stage.events.client, "ask", told)
    order = shipped(stage)
    record = order if kind == "sale" else returned(stage, order, 0)
    stage.faults({"path": REFUNDS, "kind": "drop_after", "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", record)
    stage.write("refund", record)
    assert refunded(stage) == (["349.00", "299.00"] if kind == "sale" else ["349.00", "0.00"])
    paid = ("648.00", stage.key) if kind == "sale" else ("349.00", str(order.lines[0].external))
    assert booked(stage) == [(paid[0], "EUR", paid[1])]
    assert not stage.twice("refunds")


def test_an_order_is_refunded_as_a_whole_and_booked_with_its_id(stage: Stage) -> None:
    order = shipped(stage)
    written = stage.write("refund", order)
    assert stage.calls() == ["GetOrder", "CalculateRefundOrder", "RefundOrder"]
    assert refunded(stage) == ["349.00", "299.00"]
    assert booked(stage) == [("648.00", "EUR", stage.key)]
    assert datetime.now(UTC) - stage.desk.booked[0].at < timedelta(minutes=1)
    assert "payment 801 booked" in written.message
    assert stage.known(order, "refund").refs["refund"] == "801"


def test_a_refund_in_another_currency_is_booked_in_it(stage: Stage) -> None:
    order = shipped(stage, country="SE")
    stage.write("refund", order)
    assert booked(stage) == [(f"{order.grand_total}", "SEK", stage.key)]


def test_repeated_by_hand_nothing_goes_back_again(stage: Stage) -> None:
    order = shipped(stage)
    stage.write("refund", order)
    stage.calls()
    assert "648.00 EUR refunded" in stage.write("refund", order).message
    assert "by an earlier event already" in stage.write("refund", order, event="2").message
    assert stage.calls() == ["GetOrder", "GetOrder"]
    assert len(stage.desk.booked) == 1
    assert not stage.twice("refunds")


def test_a_cancellation_pays_nothing_back_until_the_refund_is_sent(stage: Stage) -> None:
    order = shipped(stage, state="ACCEPTED")
    stage.write("cancel", order)
    assert stage.states() == ["CANCELLED", "CANCELLED"]
    assert (refunded(stage), booked(stage)) == (["0.00", "0.00"], [])
    stage.write("refund", order, event="2")
    assert refunded(stage) == ["349.00", "299.00"]
    assert booked(stage) == [("648.00", "EUR", stage.key)]


def test_what_somebody_else_refunded_in_whole_is_not_booked(stage: Stage) -> None:
    order = shipped(stage)
    for at in (0, 1):
        stage.control("refund", id=order.lines[at].external)
    assert "nothing is left to refund" in stage.write("refund", order).message
    assert stage.calls() == ["GetOrder"]
    assert booked(stage) == []


def test_of_a_partly_refunded_order_the_rest_goes_back(stage: Stage) -> None:
    order = shipped(stage)
    stage.control("refund", id=order.lines[0].external, amount=49)
    stage.write("refund", order)
    assert booked(stage) == [("599.00", "EUR", stage.key)]


def test_a_sale_that_was_split_refunds_its_own_items_only(stage: Stage) -> None:
    order = shipped(stage)
    stage.write("refund", replace(order, lines=order.lines[:1]))
    assert refunded(stage) == ["349.00", "0.00"]
    assert booked(stage) == [("349.00", "EUR", str(order.lines[0].external))]


# returns


def test_a_return_is_reported_and_its_items_are_refunded(stage: Stage) -> None:
    sale = shipped(stage)
    stage.write("refund", returned(stage, sale, 1))
    assert stage.states() == ["SHIPPED", "RETURNED"]
    assert refunded(stage) == ["0.00", "299.00"]
    assert booked(stage) == [("299.00", "EUR", str(sale.lines[1].external))]
    assert stage.calls() == [
        *("GetOrder", "BatchUpdateOrderItemsState", "CalculateRefundOrderItem", "RefundOrderItem"),
    ]


def test_each_item_of_a_return_is_booked_with_its_own_id(stage: Stage) -> None:
    sale = shipped(stage, PHONE, NOTEBOOK, WATCH)
    stage.write("refund", returned(stage, sale, 0, 1))
    assert [reason for _, _, reason in booked(stage)] == [one.external for one in sale.lines[:2]]
    assert len({one.key for one in stage.desk.booked}) == 2


def test_a_return_of_the_complete_order_is_refunded_as_a_whole_and_booked_with_its_id(stage: Stage) -> None:
    sale = shipped(stage)
    back = returned(stage, sale, 0, 1)
    stage.faults({"kind": "drop_after", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", back)
    stage.write("refund", back)
    assert stage.states() == ["RETURNED", "RETURNED"]
    assert booked(stage) == [("648.00", "EUR", stage.key)]
    assert not stage.twice("refund_amounts")
    assert stage.calls().count("RefundOrder") == 1


def test_a_return_of_what_was_left_is_a_part(stage: Stage) -> None:
    sale = shipped(stage)
    stage.write("refund", returned(stage, sale, 0))
    stage.write("refund", returned(stage, sale, 1, key="126"))
    assert [reason for _, _, reason in booked(stage)] == [one.external for one in sale.lines]


def test_an_item_whose_id_is_that_of_its_order_is_not_taken_for_the_order(stage: Stage) -> None:
    stage.place(PHONE, NOTEBOOK, state="SHIPPED")
    stage.item(0).id = int(stage.key)
    stage.market.items[int(stage.key)] = stage.item(0)
    sale = stage.sale(stage.now())
    back = returned(stage, sale, 0)
    stage.faults({"kind": "drop_before", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", back)
    stage.write("refund", back)
    assert refunded(stage) == ["349.00", "0.00"]
    stage.write("refund", sale)
    assert [amount for amount, _, _ in booked(stage)] == ["349.00", "299.00"]
    assert len({one.key for one in stage.desk.booked}) == 2


def test_an_eligibility_that_is_not_told_is_left_to_the_calculation(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shipped(stage)
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def silent(service: str, method: str, body: object = None, **more: object) -> dict[str, Any]:
        answer: dict[str, Any] = right(service, method, body, **more)
        for one in (answer.get("order", {}), *answer.get("order", {}).get("items", ())):
            one["refund_eligibility"] = "UNSPECIFIED"
        return answer

    monkeypatch.setattr(stage.events.client, "ask", silent)
    stage.write("refund", order)
    assert booked(stage) == [("648.00", "EUR", stage.key)]


def test_the_report_can_be_switched_off(stage: Stage) -> None:
    stage.write("refund", returned(stage, shipped(stage), 0), report_return=False)
    assert stage.states() == ["SHIPPED", "SHIPPED"]
    assert refunded(stage)[0] == "349.00"


def test_what_came_back_already_is_not_reported_again(stage: Stage) -> None:
    sale = shipped(stage)
    stage.item(0).state = "RETURNED"
    stage.write("refund", returned(stage, sale, 0))
    assert stage.count("returns_reported") == 0
    assert refunded(stage)[0] == "349.00"


def test_what_was_never_shipped_cannot_come_back(stage: Stage) -> None:
    sale = shipped(stage, state="ACCEPTED")
    with pytest.raises(RecordFailed, match=r"'iPhone.*never reported as shipped"):
        stage.write("refund", returned(stage, sale, 0))
    assert stage.calls() == ["GetOrder"]


def test_while_the_report_fails_nothing_is_refunded(stage: Stage) -> None:
    sale = shipped(stage)
    stage.control("fail_item", id=sale.lines[0].external, code=14)
    back = returned(stage, sale, 0)
    with pytest.raises(RetryLater):
        stage.write("refund", back)
    assert refunded(stage)[0] == "0.00"
    stage.write("refund", back)
    assert stage.states()[0] == "RETURNED"
    assert booked(stage) == [("349.00", "EUR", str(sale.lines[0].external))]


def test_several_units_on_one_line_of_a_return_are_named(stage: Stage) -> None:
    back = lines(returned(stage, shipped(stage), 0), {"quantity": Decimal(2)})
    with pytest.raises(RecordFailed, match="an item of refurbed is one unit"):
        stage.write("refund", back)
    assert refunded(stage) == ["0.00", "0.00"]


# credit notes


def test_a_credit_note_pays_back_what_its_lines_say(stage: Stage) -> None:
    sale = shipped(stage)
    stage.write("refund", credited(stage, sale, FIFTY, Decimal("0.01")))
    assert refunded(stage) == ["50.00", "0.01"]
    assert booked(stage) == [
        ("50.00", "EUR", str(sale.lines[0].external)),
        ("0.01", "EUR", str(sale.lines[1].external)),
    ]
    assert stage.states() == ["SHIPPED", "SHIPPED"]


def test_two_credit_notes_of_one_item_both_pay(stage: Stage) -> None:
    sale = shipped(stage)
    stage.write("refund", credited(stage, sale, FIFTY, key="125"))
    stage.write("refund", credited(stage, sale, FIFTY, key="126"))
    assert refunded(stage)[0] == "100.00"
    assert len(booked(stage)) == 2


def test_a_second_event_of_the_same_credit_note_pays_nothing(stage: Stage) -> None:
    sale = shipped(stage)
    for amount in (FIFTY, Decimal(200)):  # the second time less is left than was paid back
        note = credited(stage, sale, amount, key=f"note-{amount}")
        stage.write("refund", note)
        assert "by an earlier event already" in stage.write("refund", note, event="2").message
    assert refunded(stage)[0] == "250.00"
    assert len(booked(stage)) == 2


def test_a_credit_note_after_a_whole_refund_pays_nothing(stage: Stage) -> None:
    sale = shipped(stage)
    stage.write("refund", returned(stage, sale, 0))
    assert "nothing is left to refund" in stage.write("refund", credited(stage, sale, FIFTY)).message
    assert len(booked(stage)) == 1


def test_more_than_was_paid_is_refused_before_any_refund(stage: Stage) -> None:
    sale = shipped(stage)
    with pytest.raises(RecordFailed, match=r"349.01 EUR shall go back.*but only 349.00 are paid"):
        stage.write("refund", credited(stage, sale, Decimal("349.01"), FIFTY))
    assert refunded(stage) == ["0.00", "0.00"]


def test_an_amount_of_no_item_is_refused_by_its_name(stage: Stage) -> None:
    sale = shipped(stage)
    note = credited(stage, sale, FIFTY)
    costs = replace(sale.lines[0], key="990", name="Return costs", kind=LineKind.SHIPPING, gross=FIFTY, external=None)
    note = replace(note, lines=(*note.lines, costs), grand_total=Decimal(100))
    with pytest.raises(RecordFailed, match=r"over 100.00 EUR, its items of refurbed come to 50.00.*Return costs"):
        stage.write("refund", note)
    assert refunded(stage) == ["0.00", "0.00"]


def test_another_currency_is_refused(stage: Stage) -> None:
    note = replace(credited(stage, shipped(stage), FIFTY), currency="SEK")
    with pytest.raises(RecordFailed, match=r"is in SEK, 'iPhone.*was paid in EUR"):
        stage.write("refund", note)
    assert refunded(stage) == ["0.00", "0.00"]


def test_a_credit_note_over_an_amount_of_no_item_says_how_to_make_one_that_can_be_paid(stage: Stage) -> None:
    note = credited(stage, shipped(stage), FIFTY)
    note = replace(note, lines=tuple(replace(line, external=None) for line in note.lines))
    with pytest.raises(RecordFailed, match="make a credit note over its items"):
        stage.write("refund", note)


def test_a_credit_note_over_nothing_is_left_alone(stage: Stage) -> None:
    with pytest.raises(SkipRecord):
        stage.write("refund", credited(stage, shipped(stage), Decimal(0)))


# eligibility, and the calculation before


def test_without_a_ticket_it_says_what_to_do_and_refunds_when_there_is_one(stage: Stage) -> None:
    sale = shipped(stage)
    stage.control("configure", ticket_required=True)
    back = returned(stage, sale, 0)
    with pytest.raises(RecordFailed, match=r"'iPhone.*Open a ticket at refurbed"):
        stage.write("refund", back)
    assert booked(stage) == []
    stage.control("ticket", id=sale.lines[0].external)
    stage.write("refund", back)
    assert booked(stage) == [("349.00", "EUR", str(sale.lines[0].external))]


def test_a_whole_order_is_not_refunded_in_part_because_one_item_cannot_be(stage: Stage) -> None:
    sale = shipped(stage)
    stage.control("configure", ticket_required=True)
    stage.control("ticket", id=sale.lines[0].external)
    with pytest.raises(RecordFailed, match=r"'ThinkPad.*Open a ticket"):
        stage.write("refund", sale)
    assert refunded(stage) == ["0.00", "0.00"]


def test_an_uncaptured_payment_is_said(stage: Stage) -> None:
    sale = shipped(stage, captured=False)
    with pytest.raises(RecordFailed, match="not collected the customer's payment yet"):
        stage.write("refund", sale)


def test_a_refund_that_is_too_late_is_said(stage: Stage) -> None:
    sale = shipped(stage)
    stage.control("configure", refund_days=0)
    with pytest.raises(RecordFailed, match="the order is too old"):
        stage.write("refund", sale)


@pytest.mark.parametrize(
    "name",
    [
        *("INELIGIBLE_UNKNOWN", "INELIGIBLE_PERIOD_EXPIRED", "INELIGIBLE_ALREADY_REFUNDED"),
        *("INELIGIBLE_UNCAPTURED_PAYMENT", "INELIGIBLE_NO_TICKET", "INELIGIBLE_SOMETHING_NEW"),
    ],
)
def test_every_reason_is_said_in_words(name: str) -> None:
    assert "INELIGIBLE" not in explained(name)
    assert explained(name).endswith(".")


def test_a_calculation_that_comes_to_something_else_ends_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    sale = shipped(stage)
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def other(service: str, method: str, body: object = None, **more: object) -> dict[str, object]:
        answer: dict[str, object] = right(service, method, body, **more)
        return {**answer, "refunded": "10.00"} if method.startswith("Calculate") else answer

    monkeypatch.setattr(stage.events.client, "ask", other)
    with pytest.raises(RecordFailed, match=r"refurbed would refund 10\.00"):
        stage.write("refund", sale)
    assert refunded(stage) == ["0.00", "0.00"]


def test_the_calculation_of_all_items_goes_before_the_first_refund(stage: Stage) -> None:
    sale = shipped(stage, PHONE, NOTEBOOK, WATCH, PHONE)
    stage.write("refund", returned(stage, sale, 0, 1, 2), report_return=False)
    assert stage.calls() == ["GetOrder", *["CalculateRefundOrderItem"] * 3, *["RefundOrderItem"] * 3]


# lost answers and killed workers


def shapes(stage: Stage) -> dict[str, Order]:
    sale = shipped(stage)
    return {"sale": sale, "return": returned(stage, sale, 0), "credit": credited(stage, sale, FIFTY)}


AMOUNTS = {"sale": "648.00", "return": "349.00", "credit": "50.00"}


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "drop_before", "error_after"])
@pytest.mark.parametrize("of", ["sale", "return", "credit"])
def test_after_a_lost_answer_it_is_refunded_and_booked_once(stage: Stage, of: str, kind: str) -> None:
    order = shapes(stage)[of]
    stage.faults({"kind": kind, "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", order)
    assert booked(stage) == []
    stage.write("refund", order)
    assert [amount for amount, _, _ in booked(stage)] == [AMOUNTS[of]]
    assert stage.now()["total_refunded"] == AMOUNTS[of]
    assert not stage.twice("refunds")
    assert not stage.twice("refund_amounts")


@pytest.mark.parametrize("of", ["sale", "return", "credit"])
def test_killed_right_after_the_refund_it_is_booked_by_the_next_attempt(
    stage: Stage, of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shapes(stage)[of]
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def deadly(service: str, method: str, body: object = None, **more: object) -> dict[str, object]:
        answer: dict[str, object] = right(service, method, body, **more)
        if method.startswith("Refund"):
            raise Killed
        return answer

    monkeypatch.setattr(stage.events.client, "ask", deadly)
    with pytest.raises(Killed):
        stage.write("refund", order)
    monkeypatch.undo()
    stage.write("refund", order)
    assert [amount for amount, _, _ in booked(stage)] == [AMOUNTS[of]]
    assert stage.now()["total_refunded"] == AMOUNTS[of]


@pytest.mark.parametrize("of", ["sale", "return", "credit"])
@pytest.mark.parametrize("trouble", [Killed(), InDoubt("lost"), RecordFailed("no such method of payment")])
def test_killed_before_the_booking_the_next_attempt_only_books(stage: Stage, of: str, trouble: BaseException) -> None:
    order = shapes(stage)[of]
    stage.desk.trouble = trouble
    with pytest.raises(type(trouble)):
        stage.write("refund", order)
    stage.calls()
    stage.write("refund", order)
    stage.write("refund", order)
    assert stage.calls() == ["GetOrder", "GetOrder"]
    assert [amount for amount, _, _ in booked(stage)] == [AMOUNTS[of]]


def test_what_is_known_to_be_refunded_is_booked_whatever_else_was_refunded_since(stage: Stage) -> None:
    sale = shipped(stage)
    note = credited(stage, sale, FIFTY)
    stage.desk.trouble = Killed()
    with pytest.raises(Killed):
        stage.write("refund", note)
    stage.control("refund", id=sale.lines[0].external, amount=20)
    stage.write("refund", note)
    assert [amount for amount, _, _ in booked(stage)] == ["50.00"]
    assert refunded(stage)[0] == "70.00"


def test_of_two_items_the_second_goes_on_where_the_first_one_ended(stage: Stage) -> None:
    sale = shipped(stage, PHONE, NOTEBOOK, WATCH)
    back = returned(stage, sale, 0, 1)
    stage.faults({"kind": "drop_after", "path": REFUNDS, "after": 1, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", back)
    stage.write("refund", back)
    assert [amount for amount, _, _ in booked(stage)] == ["349.00", "299.00"]
    assert stage.count("refunds") == 2


def test_what_was_begun_per_item_is_booked_per_item_though_the_rest_was_refunded_meanwhile(stage: Stage) -> None:
    sale = shipped(stage)
    part = replace(sale, lines=sale.lines[:1])
    stage.desk.trouble = Killed()
    with pytest.raises(Killed):
        stage.write("refund", part)
    stage.control("refund", id=sale.lines[1].external)
    stage.write("refund", part)
    assert booked(stage) == [("349.00", "EUR", str(sale.lines[0].external))]


def test_what_was_begun_as_a_whole_is_booked_as_a_whole_though_the_order_lost_a_line(stage: Stage) -> None:
    sale = shipped(stage)
    stage.faults({"kind": "drop_after", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", sale)
    stage.item(1).refunded -= 1  # as if something could still be refunded of what is not on the order any more
    stage.item(0).refunded += 1
    stage.write("refund", replace(sale, lines=sale.lines[:1]))
    assert booked(stage) == [("648.00", "EUR", stage.key)]


def test_while_the_first_event_is_in_doubt_a_second_one_pays_nothing(stage: Stage) -> None:
    note = credited(stage, shipped(stage), FIFTY)
    stage.faults({"kind": "drop_before", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", note)
    with pytest.raises(RecordFailed, match="was begun by another event"):
        stage.write("refund", note, event="2")
    assert refunded(stage)[0] == "0.00"
    stage.write("refund", note)
    assert len(booked(stage)) == 1


def test_a_refund_that_refurbed_refuses_frees_it_for_the_next_event(stage: Stage) -> None:
    note = credited(stage, shipped(stage), FIFTY)
    stage.faults({"kind": "status", "status": 400, "path": REFUNDS, "times": 1})
    with pytest.raises(RecordFailed, match=r"refurbed refused the refund of 'iPhone"):
        stage.write("refund", note)
    assert booked(stage) == []
    stage.write("refund", note, event="2")
    assert booked(stage)[0][0] == "50.00"
    assert "by an earlier event" in stage.write("refund", note).message
    assert refunded(stage)[0] == "50.00"


def test_what_somebody_refunded_meanwhile_is_for_a_person(stage: Stage) -> None:
    sale = shipped(stage)
    note = credited(stage, sale, FIFTY)
    stage.faults({"kind": "drop_before", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", note)
    stage.control("refund", id=sale.lines[0].external, amount=20)
    with pytest.raises(RecordFailed, match=r"20.00 EUR are refunded, neither the 0.00 of before nor the 50.00"):
        stage.write("refund", note)
    assert booked(stage) == []


@pytest.mark.parametrize("kind", ["sale", "return", "credit"])
def test_an_earlier_call_that_comes_through_before_the_calculation_is_booked(
    stage: Stage, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = shapes(stage)[kind]
    stage.faults({"kind": "drop_before", "path": REFUNDS, "times": 1})
    right, sent = stage.events.client.ask, []  # type: ignore[attr-defined]

    def late(service: str, method: str, body: object = None, **more: object) -> dict[str, Any]:
        if method.startswith("Refund"):
            sent.append((service, method, body))
        elif method.startswith("Calculate") and sent:
            right(*sent[-1], write=True)
        answer: dict[str, Any] = right(service, method, body, **more)
        return answer

    monkeypatch.setattr(stage.events.client, "ask", late)
    with pytest.raises(InDoubt):
        stage.write("refund", order)
    stage.write("refund", order)
    assert [amount for amount, _, _ in booked(stage)] == [AMOUNTS[kind]]
    assert len(sent) == 1


@pytest.mark.parametrize("taken", [True, False])
def test_an_earlier_call_that_is_still_at_work_is_not_paid_twice(
    stage: Stage, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes through after the order was read again and before the second one."""
    stage.control("configure", repeated_refund_taken=taken)
    note = credited(stage, shipped(stage), FIFTY)
    stage.faults({"kind": "drop_before", "path": REFUNDS, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("refund", note)
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def late(service: str, method: str, body: object = None, **more: object) -> dict[str, object]:
        if method == "RefundOrderItem":
            right(service, method, body, **more)
        answer: dict[str, object] = right(service, method, body, **more)
        return answer

    monkeypatch.setattr(stage.events.client, "ask", late)
    stage.write("refund", note)
    assert [amount for amount, _, _ in booked(stage)] == ["50.00"]
    assert refunded(stage)[0] == "50.00"


def test_a_dry_run_calculates_and_neither_refunds_nor_books(stage: Stage) -> None:
    sale = shipped(stage)
    stage.events.client.dry = stage.events.pretend
    for order in (sale, returned(stage, sale, 0), credited(stage, sale, FIFTY)):
        assert "refunded for" in stage.write("refund", order).message
    assert refunded(stage) == ["0.00", "0.00"]
    assert booked(stage) == []


def test_a_return_is_found_by_its_sale_also_when_it_was_made_from_a_delivery(stage: Stage) -> None:
    sale = shipped(stage)
    back = fulfilled(returned(stage, sale, 0), parent="777")
    stage.write("refund", back)
    assert len(booked(stage)) == 1
