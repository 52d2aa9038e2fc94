"""What becomes of an order in the shop follows it: credit notes, packages, documents, tags. Each once, to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connector import Counterpart, RecordFailed, RetryLater, Written
from connector.base import leaves
from connector.plentyone.following import asks
from connector.records import (
    Document,
    DocumentKind,
    Fulfilment,
    LineKind,
    Order,
    Package,
    Part,
    Refund,
    Shipment,
)
from connector.testing import MemoryKnown
from tests.connector.plentyone.records import line, order, shipping
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.test_exactly_once import LOST, again
from tests.connector.plentyone.test_later_changes import exported

ALL: dict[str, Any] = {
    "create_credit_note": True,
    "credit_note_document": True,
    "create_invoice_document": True,
    "create_delivery_note": True,
    "create_shipment": True,
    "tag_mapping": {"processing": {"tag": 1}, "complete": {"tag": 1, "second_tag": 2}},
}
CREDITS: dict[str, Any] = {"create_credit_note": True}
LINES = (
    line("11", "20.00", "2"),
    line("12", "9.99", "1", sku="SKU-2", name="Article B", tax_rate=Decimal(7)),
    shipping(),
)


def refund(key: str, total: str, *parts: tuple[str, str], **given: Any) -> Refund:
    values: dict[str, Any] = {
        "key": key,
        "number": f"00000{key}",
        "created_at": datetime.now(UTC) - timedelta(minutes=1),
        "total": Decimal(total),
        "parts": tuple(Part(line=one, quantity=Decimal(quantity)) for one, quantity in parts),
    }
    return Refund(**{**values, **given})


def refunded(*refunds: Refund, **given: Any) -> Order:
    return order(**{"lines": LINES, **given}, fulfilment=Fulfilment(refunds=refunds))


def parcel(key: str, number: str | None) -> Package:
    return Package(key=key, number=number, carrier="dhl", title="DHL")


def shipped(*packages: Package, comment: str | None = None, **given: Any) -> Order:
    shipment = Shipment(key="5", number="000000005", packages=packages, comment=comment)
    return order(**given, fulfilment=Fulfilment(shipments=(shipment,)))


def looked(shop: Shop) -> list[str]:
    """The calls since the last time, but for the look at what was paid so far."""
    return [call for call in shop.called() if "/rest/payments/orders/" not in call]


def notes(plenty: StandIn) -> list[dict[str, Any]]:
    return [one for one in plenty.control("orders") if one["typeId"] == 4]


def totals(plenty: StandIn) -> list[str]:
    return [f"{one['amounts'][-1]['invoiceTotal']:.2f}" for one in notes(plenty)]


def once(plenty: StandIn) -> None:
    assert {name: rows for name, rows in plenty.state()["duplicates"].items() if rows} == {}


def written(shop: Shop, known: MemoryKnown, made: Order, **given: Any) -> Written:
    return shop.orders.write(made, known, shop.options(**given))


def insist(shop: Shop, known: MemoryKnown, made: Order, **given: Any) -> MemoryKnown:
    """Write until it is done, as the engine does."""
    for _ in range(12):
        try:
            shop.orders.write(made, known, shop.options(**given))
            return known
        except RetryLater:
            known = again(shop, known, 60.0)
            known.finished = True
    raise AssertionError("it was never written")


@pytest.fixture
def quick(shop: Shop) -> Shop:
    shop.orders.client.read_seconds = 0.5
    shop.host.sleep = lambda seconds: bool(shop.host.stop.wait(min(seconds, 0.02)))  # type: ignore[assignment]
    return shop


# what is asked for


def test_nothing_is_asked_for_while_everything_is_off(shop: Shop) -> None:
    assert asks(shop.options()) == frozenset()
    assert asks(shop.options(**ALL)) == {"shipments", "refunds", "documents"}
    assert shop.orders.asks(shop.options(create_delivery_note=True)) == {"shipments"}


def test_what_is_off_is_not_sent(plenty: StandIn, shop: Shop) -> None:
    after = Fulfilment(
        shipments=(Shipment(key="5", packages=(parcel("7", "TRACK-1"),)),),
        refunds=(refund("33", "24.90", ("11", "1")),),
        documents=(Document(key="9", kind=DocumentKind.INVOICE),),
    )
    known = exported(shop, order())
    written(shop, known, order(fulfilment=after))
    assert [call for call in shop.called() if not call.startswith("GET")] == []


# credit notes


def test_a_credit_memo_becomes_a_linked_credit_note_of_the_same_total(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    memo = refund("33", "34.89", ("11", "2"), ("12", "1"), shipping=Decimal("4.90"))
    told = written(shop, known, refunded(memo), **CREDITS)
    (note,) = notes(plenty)
    assert note["orderReferences"][0]["referenceOrderId"] == int(known.refs["id"])
    assert [one["value"] for one in note["properties"] if one["typeId"] == 97] == ["33"]
    assert (totals(plenty), len(note["orderItems"])) == (["34.89"], 3)
    assert f"credit note {note['id']} of 34.89 EUR" in told.message


@pytest.mark.parametrize(
    ("memo", "kinds"),
    [
        (refund("33", "10.00", ("11", "1")), [1]),
        (refund("33", "14.90", ("11", "1"), shipping=Decimal("4.90")), [1, 6]),
        (refund("33", "4.90", shipping=Decimal("4.90")), [6]),
        (refund("33", "2.00", shipping=Decimal("2.00")), [6, 4]),
        (refund("33", "12.50", ("11", "1"), adjustment=Decimal("2.50")), [1, 7]),
        (refund("33", "7.50", ("11", "1"), adjustment=Decimal("-2.50")), [1, 4]),
        (refund("33", "3.33", adjustment=Decimal("3.33")), [7]),
        (refund("33", "0.01", adjustment=Decimal("0.01")), [7]),
    ],
    ids=["part", "part+shipping", "shipping", "part of shipping", "more", "fee", "adjustment", "cent"],
)
def test_what_items_do_not_come_to_is_an_item_of_its_own(
    plenty: StandIn, shop: Shop, memo: Refund, kinds: list[int]
) -> None:
    known = exported(shop, order(lines=LINES))
    written(shop, known, refunded(memo), **CREDITS)
    assert totals(plenty) == [f"{memo.total:.2f}"]
    assert [one["typeId"] for one in notes(plenty)[0]["orderItems"]] == kinds


@pytest.mark.parametrize("how", ["coupon", "line"])
def test_a_part_refund_takes_its_share_of_the_discount(plenty: StandIn, shop: Shop, how: str) -> None:
    """Two rates, and a discount that does not divide by three."""
    lines = (
        line("11", "30.00", "3", discount=Decimal("5.00")),
        line("12", "9.99", "1", sku="SKU-2", tax_rate=Decimal(7), discount=Decimal("1.00")),
        shipping(),
    )
    known = exported(shop, order(lines=lines), discount_as=how)
    first = refund("33", "17.32", ("11", "1"), ("12", "1"))
    second = refund("34", "8.34", ("11", "1"))
    third = refund("35", "13.23", ("11", "1"), shipping=Decimal("4.90"))
    given = {**CREDITS, "discount_as": how}
    for count in (1, 2, 3):
        written(shop, known, refunded(*(first, second, third)[:count], lines=lines), **given)
    assert totals(plenty) == ["17.32", "8.34", "13.23"]
    assert all(
        abs(one["vatRate"] - 19) < 1e-9 or abs(one["vatRate"] - 7) < 1e-9
        for note in notes(plenty)
        for one in note["orderItems"]
    )
    once(plenty)


def test_a_whole_refund_takes_the_coupon_with_it(plenty: StandIn, shop: Shop) -> None:
    lines = (line("11", "30.00", "3", discount=Decimal("5.00")), shipping())
    known = exported(shop, order(lines=lines))
    memo = refund("33", "29.90", ("11", "3"), shipping=Decimal("4.90"))
    written(shop, known, refunded(memo, lines=lines), **CREDITS)
    assert totals(plenty) == ["29.90"]
    assert sorted(one["typeId"] for one in notes(plenty)[0]["orderItems"]) == [1, 4, 6]
    assert all(one["references"] for one in notes(plenty)[0]["orderItems"])


@pytest.mark.parametrize("named", ["B", "C", "BC"])
@pytest.mark.parametrize("bundle_as", ["components", "parent"])
def test_a_bundle_goes_back_however_the_memo_names_it(plenty: StandIn, shop: Shop, bundle_as: str, named: str) -> None:
    lines = (
        line("B", "30.00", "2", sku="BUNDLE", kind=LineKind.BUNDLE),
        line("C", "0.00", "4", sku="PART-A", kind=LineKind.COMPONENT, parent="B"),
    )
    known = exported(shop, order(lines=lines), bundle_as=bundle_as)
    parts = [("B", "1")] * ("B" in named) + [("C", "2")] * ("C" in named)
    written(shop, known, refunded(refund("33", "15.00", *parts), lines=lines), **CREDITS, bundle_as=bundle_as)
    assert totals(plenty) == ["15.00"]
    assert len(notes(plenty)[0]["orderItems"]) == 1


def test_a_line_of_two_prices_goes_back_piece_by_piece(plenty: StandIn, shop: Shop) -> None:
    """300 pieces for 10.01: no price of four decimals fits all of them, so one stands apart."""
    lines = (line("11", "10.01", "300"),)
    known = exported(shop, order(lines=lines))
    memos = [
        refund("33", "3.33", ("11", "100")),
        refund("34", "6.63", ("11", "199")),
        refund("35", "0.05", ("11", "1")),
    ]
    for count in (1, 2, 3):
        written(shop, known, refunded(*memos[:count], lines=lines), **CREDITS)
    assert totals(plenty) == ["3.33", "6.63", "0.05"]
    assert [len(one["orderItems"]) for one in notes(plenty)] == [1, 1, 1]
    once(plenty)


def test_a_memory_that_was_lost_finds_its_credit_note_by_the_memos_id(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    made = refunded(refund("33", "12.50", ("11", "1"), adjustment=Decimal("2.50")))
    refs = dict(known.refs)
    written(shop, known, made, **CREDITS)
    shop.links.rows.clear()
    known = shop.known(refs)
    known.finished = True
    written(shop, known, made, **CREDITS)
    assert totals(plenty) == ["12.50"]


def test_a_foreign_currency_goes_back_in_it(plenty: StandIn, shop: Shop) -> None:
    chf = {"currency": "CHF", "base_currency": "EUR", "exchange_rate": Decimal("0.95")}
    known = exported(shop, order(lines=LINES, **chf))
    memo = refund("33", "11.11", ("11", "1"), adjustment=Decimal("1.11"))
    written(shop, known, refunded(memo, **chf), **CREDITS)
    (note,) = notes(plenty)
    assert [row["invoiceTotal"] for row in note["amounts"] if row["currency"] == "CHF"] == [11.11]


def test_a_memo_that_was_done_costs_nothing_more(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    memo = refund("33", "10.00", ("11", "1"))
    written(shop, known, refunded(memo), **CREDITS)
    shop.called()
    assert written(shop, known, refunded(memo), **CREDITS).message.endswith("nothing to change")
    assert looked(shop) == [f"GET /rest/orders/{known.refs['id']}"]


def test_a_clean_credit_note_takes_one_look_and_two_changes(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    written(shop, known, refunded(refund("33", "12.50", ("11", "1"))), **CREDITS)
    id, note = known.refs["id"], notes(plenty)[0]["id"]
    made = [f"GET /rest/orders/{id}", "GET /rest/orders", f"POST /rest/orders/{id}/credit_notes"]
    assert looked(shop) == [*made, f"PUT /rest/orders/{note}"]


@pytest.mark.parametrize("fault", LOST, ids=lambda one: "-".join(str(value) for value in one.values()))
@pytest.mark.parametrize("step", [("POST", "*/credit_notes"), ("PUT", "/rest/orders/*")], ids=["made", "completed"])
def test_a_lost_answer_leaves_one_credit_note(
    plenty: StandIn, quick: Shop, fault: dict[str, Any], step: tuple[str, str]
) -> None:
    known = exported(quick, order(lines=LINES))
    method, path = step
    plenty.faults({"method": method, "path": path, "times": 1, **fault})
    memos = [refund("33", "12.50", ("11", "1"), adjustment=Decimal("2.50")), refund("34", "12.50", ("11", "1"))]
    insist(quick, known, refunded(*memos), **CREDITS)
    assert totals(plenty) == ["12.50", "12.50"]
    once(plenty)


def test_it_waits_for_a_list_that_lags(plenty: StandIn, quick: Shop) -> None:
    known = exported(quick, order(lines=LINES))
    plenty.control("configure", {"index_lag": 1000})
    plenty.faults({"kind": "drop_after", "method": "POST", "path": "*/credit_notes", "times": 1})
    made = refunded(refund("33", "10.00", ("11", "1")))
    with pytest.raises(RetryLater):
        written(quick, known, made, **CREDITS)
    known = again(quick, known, 2.0)
    with pytest.raises(RetryLater, match="credit memo 0000033 may have been created") as waiting:
        written(quick, known, made, **CREDITS)
    assert waiting.value.counts is False
    plenty.control("configure", {"index_lag": 0})
    insist(quick, known, made, **CREDITS)
    assert totals(plenty) == ["10.00"]


def test_a_persons_credit_note_of_the_same_order_is_not_adopted(plenty: StandIn, quick: Shop) -> None:
    known = exported(quick, order(lines=LINES))
    plenty.control("credit", {"id": int(known.refs["id"]), "amount": 10})
    plenty.faults({"kind": "drop_before", "method": "POST", "path": "*/credit_notes", "times": 1})
    insist(quick, known, refunded(refund("33", "10.00", ("11", "1"))), **CREDITS)
    assert len(notes(plenty)) == 2


def test_one_that_people_made_of_the_same_items_and_total_is_the_one(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    plenty.control("credit", {"id": int(known.refs["id"]), "lines": [{"sku": "SKU-1", "quantity": 1}]})
    (made,) = notes(plenty)
    first, second = refund("33", "10.00", ("11", "1")), refund("34", "10.00", ("11", "1"))
    written(shop, known, refunded(first), **CREDITS)
    assert [one["id"] for one in notes(plenty)] == [made["id"]]
    assert "of the same items and total was in PlentyONE already" in known.notes[0]
    written(shop, known, refunded(first, second), **CREDITS)
    assert totals(plenty) == ["10.00", "10.00"]


def test_a_total_that_cannot_be_reached_names_both_amounts(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    real = shop.connector.client.send

    def without_items(method: str, path: str, body: Any = None, *more: Any, **named: Any) -> Any:
        if method == "PUT" and isinstance(body, Mapping):
            body = {key: value for key, value in body.items() if key != "orderItems"}
        return real(method, path, body, *more, **named)

    shop.connector.client.send = without_items  # type: ignore[method-assign]
    made = refunded(refund("33", "12.50", ("11", "1")))
    with pytest.raises(RecordFailed, match=r"memo 0000033 gives back 12.50 EUR, its credit note .* comes to 10.00 EUR"):
        written(shop, known, made, **CREDITS)
    shop.connector.client.send = real  # type: ignore[method-assign]
    note = notes(plenty)[0]
    with pytest.raises(RecordFailed, match=r"comes to 10.00 EUR"):
        written(shop, known, made, **CREDITS)
    item = {"id": note["orderItems"][0]["id"], "amounts": [{"currency": "EUR", "exchangeRate": 1, "isSystemCurrency": True,
            "priceOriginalGross": 12.5, "surcharge": 0, "discount": 0, "isPercentage": False}]}  # fmt: skip
    real("PUT", f"/rest/orders/{note['id']}", {"orderItems": [item]})
    written(shop, known, made, **CREDITS)  # a person corrected it
    assert totals(plenty) == ["12.50"]


@pytest.mark.parametrize("fault", LOST, ids=lambda one: "-".join(str(value) for value in one.values()))
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_amount_alone_takes_no_piece_from_a_later_refund(
    plenty: StandIn, quick: Shop, fault: dict[str, Any], method: str
) -> None:
    known = exported(quick, order(lines=LINES))
    amount = refund("33", "3.33", adjustment=Decimal("3.33"))
    rest = refund("34", "29.99", ("11", "2"), ("12", "1"))
    plenty.faults({"method": method, "path": "/^.rest.orders/", "times": 1, **fault})
    known = insist(quick, known, refunded(amount), **CREDITS)
    insist(quick, known, refunded(amount, rest), **CREDITS)
    assert totals(plenty) == ["3.33", "29.99"]
    assert [one["typeId"] for one in notes(plenty)[0]["orderItems"]] == [7]
    once(plenty)


def test_a_memo_for_which_nothing_is_left_is_told_with_its_amount(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    first = refund("33", "34.89", ("11", "2"), ("12", "1"), shipping=Decimal("4.90"))
    second = refund("34", "1.00", adjustment=Decimal("1.00"))
    with pytest.raises(RecordFailed, match=r"0000034 gives back 1.00 EUR.* 0.00 EUR can be credited") as told:
        written(shop, known, refunded(first, second), **CREDITS)
    assert totals(plenty) == ["34.89"]
    assert "by hand" in str(told.value)


def test_one_trouble_stops_nothing_else(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    plenty.faults({"kind": "status", "status": 422, "method": "POST", "path": "*/credit_notes"})
    made = replace(refunded(refund("33", "10.00", ("11", "1"))), status="complete")
    made = replace(
        made, fulfilment=replace(made.fulfilment, shipments=shipped(parcel("7", "T-1")).fulfilment.shipments)
    )
    with pytest.raises(RecordFailed, match=r"Done: .*package T-1 added.*status 7"):
        written(shop, known, made, **CREDITS, create_shipment=True)


class Echoing(MemoryKnown):
    """A profile of the opposite direction made these papers of the shop."""

    papers: tuple[str, ...] = ()

    def counterpart(self, key: str) -> Counterpart | None:
        if key not in self.papers:
            return None
        return Counterpart(
            key="700050", number=None, refs={}, reverse=True, ours=True, connection="plentyone", profile="import"
        )


@pytest.mark.parametrize("reason", [None, "PlentyONE order 700050"])
def test_what_an_import_made_in_the_shop_does_not_come_back(plenty: StandIn, shop: Shop, reason: str | None) -> None:
    before = exported(shop, order(lines=LINES))
    known = Echoing(shop.links, dict(before.refs))
    known.finished, known.papers = True, () if reason else ("creditmemo/33", "shipment/5")
    made = refunded(refund("33", "10.00", ("11", "1"), reason=reason))
    shipments = shipped(parcel("7", "T-1"), comment=reason).fulfilment.shipments
    made = replace(made, fulfilment=replace(made.fulfilment, shipments=shipments))
    written(shop, known, made, **{**ALL, "tag_mapping": {}})
    assert looked(shop) == [f"GET /rest/orders/{known.refs['id']}"]
    counts = plenty.state()["counts"]
    assert (counts["credit_notes"], counts["packages"], counts["documents"]) == (0, 0, 0)


def test_our_own_note_that_an_import_has_read_is_still_held_against_its_memo(plenty: StandIn, shop: Shop) -> None:
    before = exported(shop, order(lines=LINES))
    made = refunded(refund("33", "10.00", ("11", "1")))
    written(shop, before, made, **CREDITS)
    refs = {key: value for key, value in before.refs.items() if key != "credited"}
    known = Echoing(shop.links, refs)
    known.finished, known.papers = True, ("creditmemo/33",)
    (note,) = notes(plenty)
    item = {"id": note["orderItems"][0]["id"], "quantity": 2}
    shop.connector.client.send("PUT", f"/rest/orders/{note['id']}", {"orderItems": [item]})
    with pytest.raises(RecordFailed, match=r"comes to 20.00 EUR"):
        written(shop, known, made, **CREDITS)


def test_an_order_that_comes_refunded_gets_its_credit_note_with_it(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    told = written(shop, known, refunded(refund("33", "10.00", ("11", "1"))), **CREDITS)
    assert told.created
    assert "credit note" in told.message
    assert totals(plenty) == ["10.00"]


# cancelled with its credit note

WHOLE = refund("33", "34.89", ("11", "2"), ("12", "1"), shipping=Decimal("4.90"))


@pytest.mark.parametrize(
    ("given", "status"),
    [({}, 7), ({"cancel_on_credit_note": True}, 8)],
    ids=["its status is mapped", "it is cancelled"],
)
def test_a_refunded_order_is_cancelled_or_takes_its_status(
    plenty: StandIn, shop: Shop, given: dict[str, Any], status: int
) -> None:
    known = exported(shop, order(lines=LINES))
    made = refunded(WHOLE, status="complete")
    written(shop, known, made, **CREDITS, **given)
    assert plenty.state()["orders"][0]["statusId"] == status
    shop.called()
    written(shop, known, made, **CREDITS, **given)
    assert [call for call in shop.called() if not call.startswith("GET")] == []


def test_an_order_refunded_in_part_is_not_cancelled(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    made = refunded(refund("33", "10.00", ("11", "1")), status="complete")
    written(shop, known, made, **CREDITS, cancel_on_credit_note=True)
    assert plenty.state()["orders"][0]["statusId"] == 7


# packages


def test_each_tracking_number_becomes_a_package(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    given = {"create_shipment": True, "default_shipping_package": 2}
    told = written(shop, known, shipped(parcel("7", "T-1"), parcel("8", "T-2"), parcel("9", None)), **given)
    assert "package T-1, T-2 added" in told.message
    rows = plenty.control("order", {"id": int(known.refs["id"])})["shippingPackages"]
    assert [(one["packageNumber"], one["packageId"]) for one in rows] == [("T-1", 2), ("T-2", 2)]
    shop.called()
    written(shop, known, shipped(parcel("7", "T-1"), parcel("8", "T-2"), parcel("9", None)), **given)
    assert looked(shop) == [f"GET /rest/orders/{known.refs['id']}"]
    written(shop, known, shipped(parcel("7", "T-1"), parcel("8", "T-2"), parcel("9", "T-3")), **given)
    assert plenty.state()["counts"]["packages"] == 3


def test_a_number_that_is_there_already_is_not_added(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    body = {"packageId": 1, "packageType": 0, "packageNumber": "T 1"}
    shop.connector.client.send("POST", f"/rest/orders/{known.refs['id']}/shipping/packages", body)
    written(shop, known, shipped(parcel("7", "t1")), create_shipment=True)
    assert plenty.state()["counts"]["packages"] == 1


# documents


def test_documents_are_generated_once_the_shop_has_theirs(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    after = Fulfilment(
        shipments=(Shipment(key="5"),),
        refunds=(refund("33", "10.00", ("11", "1")),),
        documents=(Document(key="9", kind=DocumentKind.INVOICE),),
    )
    made = order(lines=LINES, fulfilment=after)
    written(shop, known, made, **ALL)
    orders = {one["typeId"]: one["documents"] for one in plenty.state()["orders"]}
    assert {kind: sorted(found) for kind, found in orders.items()} == {
        1: ["delivery_note", "invoice"],
        4: ["credit_note"],
    }
    shop.called()
    written(shop, known, made, **ALL)
    assert [call for call in looked(shop) if not call.startswith("GET /rest/orders/7")] == []


def test_a_document_that_people_made_there_is_not_made_again(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order())
    for kind in ("invoice", "delivery_note"):
        shop.connector.client.send("POST", f"/rest/orders/{known.refs['id']}/documents/{kind}/generate")
    after = Fulfilment(shipments=(Shipment(key="5"),), documents=(Document(key="9", kind=DocumentKind.INVOICE),))
    written(shop, known, order(fulfilment=after), **{**ALL, "tag_mapping": {}})
    assert plenty.state()["counts"]["documents"] == 2


# tags


def test_tags_come_with_the_status_and_stay(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    given = {"tag_mapping": ALL["tag_mapping"]}
    assert "tagged Magento" in written(shop, known, order(), **given).message
    written(shop, known, order(status="complete"), **given)
    found = shop.connector.client.get("/rest/tags/relationships", {"tagType": "order"})
    assert [(one["tagId"], one["relationshipValue"]) for one in found] == [(1, known.refs["id"]), (2, known.refs["id"])]
    shop.called()
    known.finished = True
    written(shop, known, order(status="complete"), **given)
    assert not [call for call in shop.called() if "tags" in call]


# hold


def test_a_hold_and_its_end_are_told(plenty: StandIn, shop: Shop) -> None:
    mapping = {"status_mapping": {"processing": 5, "holded": "3.1"}}
    known = exported(shop, order(), **mapping)
    seen = []
    for status, state in (("holded", "holded"), ("holded", "holded"), ("processing", "processing")):
        written(shop, known, order(status=status, state=state), **mapping)
        seen.append(plenty.state()["orders"][0]["statusId"])
    assert seen == [3.1, 3.1, 5]
    assert len([call for call in shop.called() if call.startswith("PUT")]) == 2


# everything at once, with lost answers


@pytest.mark.parametrize("seed", range(6))
def test_many_faults_leave_everything_once(plenty: StandIn, quick: Shop, seed: int) -> None:
    known = exported(quick, order(lines=LINES))
    rules = [
        {"method": "write", "path": "/^.rest.(?!login)/", "rate": 0.12, "seed": seed * 100 + n, **fault}
        for n, fault in enumerate(LOST)
        if fault["kind"] != "timeout"
    ]
    plenty.faults(*rules)
    memos = (refund("33", "12.50", ("11", "1"), adjustment=Decimal("2.50")), refund("34", "9.99", ("12", "1")))
    after = Fulfilment(
        shipments=(Shipment(key="5", packages=(parcel("7", "T-1"), parcel("8", "T-2"))),),
        refunds=memos,
        documents=(Document(key="9", kind=DocumentKind.INVOICE),),
    )
    made = order(lines=LINES, status="complete", fulfilment=after)
    for _ in range(60):
        try:
            quick.orders.write(made, known, quick.options(**ALL))
            break
        except (RetryLater, RecordFailed):
            known = again(quick, known, 60.0)
            known.finished = True
    plenty.faults()
    insist(quick, known, made, **ALL)
    once(plenty)
    counts = plenty.state()["counts"]
    assert (totals(plenty), counts["packages"], counts["documents"]) == (["12.50", "9.99"], 2, 4)


# a dry run


def test_a_dry_run_plans_everything_and_sends_nothing(plenty: StandIn, shop: Shop) -> None:
    known = exported(shop, order(lines=LINES))
    after = Fulfilment(
        shipments=(Shipment(key="5", packages=(parcel("7", "T-1"),)),),
        refunds=(refund("33", "12.50", ("11", "1"), adjustment=Decimal("2.50")), refund("34", "1.00")),
        documents=(Document(key="9", kind=DocumentKind.INVOICE),),
    )
    made = order(lines=LINES, fulfilment=after)
    before = plenty.state()["counts"]
    planned: list[tuple[str, str, Any]] = []

    def pretend(method: str, path: str, body: Any) -> Any:
        planned.append((method, path, body))
        return shop.orders.pretend(method, path, body)

    shop.orders.client.dry = pretend
    written(shop, known, made, **ALL)
    written(shop, shop.known(), replace(made, number="100000124"), **ALL)
    shop.orders.client.dry = None
    assert plenty.state()["counts"] == before
    paths = [path.split("/")[-1] for _, path, _ in planned]
    assert (paths.count("credit_notes"), paths.count("packages"), paths.count("generate")) == (4, 2, 8)
    for method, path, body in planned:
        told = shop.orders.origins(method, path, body, made, shop.options(**ALL))
        assert {at for at, _ in leaves(body)} - set(told) - {""} == set(), path
