"""A credit note becomes a credit memo over exactly its amount, once: by lines, in part, shipping alone, by amount."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import pytest

from connector import RecordFailed, RetryLater, SkipRecord
from connector.magento import adjusting
from connector.magento.placed import Placed
from connector.records import LineKind, Order, OrderKind, OrderLine, cents
from tests.connector.magento.acts import (
    Json,
    calls,
    child,
    heads,
    known,
    look,
    made,
    options,
    papers,
    place,
    record,
    some,
    state,
    until_written,
    write,
)
from tests.connector.magento.conftest import Shop

REFUND = {"create_credit_memo": True}
NOTE = "700009"


def paid(shop: Shop, *lines: tuple[str, int], **more: Any) -> Json:
    """An order that is invoiced."""
    order = place(shop, *lines, **more)
    shop.connector().client.ask("POST", f"order/{order['entity_id']}/invoice", body={})
    return look(shop, order["entity_id"])


def note(order: Json, total: Any, *lines: OrderLine, key: str = NOTE, **more: Any) -> Order:
    changes = {name: more.pop(name) for name in ("status", "currency") if name in more}
    return child(record(order, **changes), OrderKind.CREDIT, key, *lines, total=total, **more)


def freight(amount: Any) -> OrderLine:
    return OrderLine(key="8", kind=LineKind.SHIPPING, name="Versand", gross=Decimal(str(amount)))


def memo(shop: Shop, entity_id: Any, at: int = -1) -> Json:
    found: Json = papers(shop, entity_id)["creditmemos"][at]
    return found


def refunded(shop: Shop, entity_id: Any) -> list[Any]:
    return [item.get("qty_refunded") or 0 for item in look(shop, entity_id)["items"]]


def test_a_whole_order_is_refunded_once(shop: Shop) -> None:
    order = paid(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    what, one = known(order["entity_id"]), note(order, order["grand_total"])
    calls(shop)
    written = write(shop, one, what, **REFUND)
    here = order["entity_id"]
    told = [f"GET orders/{here}", f"POST order/{here}/refund", "GET creditmemo/1", f"GET orders/{here}"]
    assert calls(shop) == told
    assert what.told == {str(here): {"status": "closed", "state": "closed"}}
    assert (written.key, written.total, written.created) == ("creditmemo/1", order["grand_total"], True)
    assert "credit memo 1" in written.message
    assert look(shop, here)["total_refunded"] == order["grand_total"]
    assert refunded(shop, here) == [3, 2]
    assert memo(shop, here)["comments"][0]["comment"] == "PlentyONE order 700009"
    assert write(shop, one, what, **REFUND).message == "Nothing to do."
    assert calls(shop) == []
    assert made(shop, here)["creditmemos"] == 1
    assert made(shop, here)["mails"] == {}


def test_some_pieces_go_back_with_their_tax(shop: Shop) -> None:
    order = paid(shop, ("KAF-1000", 3), ("BECHER-W", 2))
    coffee, cup, _ = record(order).lines
    write(shop, note(order, "18.99", some(coffee, 1)), known(order["entity_id"]), **REFUND)
    assert refunded(shop, order["entity_id"]) == [1, 0]
    one = memo(shop, order["entity_id"])
    assert (one["grand_total"], one["adjustment"], one["shipping_amount"]) == (Decimal("18.99"), 0, 0)
    assert one["tax_amount"] == Decimal("1.24")
    second = note(order, "42.88", some(coffee, 2), freight("4.90"), key="700010")
    write(shop, second, known(order["entity_id"]), **REFUND)
    third = note(order, "19.98", cup, key="700011")
    write(shop, third, known(order["entity_id"]), **REFUND)
    now = look(shop, order["entity_id"])
    assert (refunded(shop, order["entity_id"]), now["total_refunded"]) == ([3, 2], order["grand_total"])
    assert [one["adjustment"] for one in papers(shop, order["entity_id"])["creditmemos"]] == [0, 0, 0]
    assert state(shop)["unequal"] == []


def test_shipping_alone_goes_back(shop: Shop) -> None:
    order = paid(shop)
    write(shop, note(order, "4.90", freight("4.90")), known(order["entity_id"]), **REFUND)
    one = memo(shop, order["entity_id"])
    assert (one["grand_total"], one["shipping_incl_tax"], one["adjustment"]) == (Decimal("4.9"), Decimal("4.9"), 0)
    assert refunded(shop, order["entity_id"]) == [0]


@pytest.mark.parametrize("amount", ["5.00", "0.01", "44.85"])
def test_an_amount_goes_back_as_an_adjustment(shop: Shop, amount: str) -> None:
    order = paid(shop)
    thanks = OrderLine(key="1", kind=LineKind.PRODUCT, name="Kulanz", gross=Decimal(amount))
    what = known(order["entity_id"])
    write(shop, note(order, amount, thanks), what, **REFUND)
    one = memo(shop, order["entity_id"])
    assert (one["grand_total"], one["adjustment_positive"]) == (Decimal(amount), Decimal(amount))
    assert (one["shipping_amount"], refunded(shop, order["entity_id"])) == (0, [0])
    assert what.notes == ["'Kulanz' is no line of the shop's order; it goes back as an adjustment."]


def test_a_fee_that_is_kept_is_a_negative_adjustment(shop: Shop) -> None:
    order = paid(shop)
    cup = record(order).lines[0]
    fee = OrderLine(key="7", kind=LineKind.SURCHARGE, name="Rücksendung", gross=Decimal("-3.50"))
    write(shop, note(order, "16.48", some(cup, 2), fee), known(order["entity_id"]), **REFUND)
    one = memo(shop, order["entity_id"])
    assert (one["grand_total"], one["adjustment_negative"]) == (Decimal("16.48"), Decimal("3.5"))
    assert refunded(shop, order["entity_id"]) == [2]


def test_a_credit_note_over_less_than_nothing_gives_nothing_back(shop: Shop) -> None:
    order = paid(shop)
    with pytest.raises(RecordFailed, match=r"credit note 700009 is over -0\.35 EUR, less than nothing"):
        write(shop, note(order, "-0.35", some(record(order).lines[0], 1)), known(order["entity_id"]), **REFUND)
    assert made(shop, order["entity_id"])["creditmemos"] == 0


def test_a_part_of_the_shipping_is_an_adjustment(shop: Shop) -> None:
    order = paid(shop)
    write(shop, note(order, "2.00", freight("2.00")), known(order["entity_id"]), **REFUND)
    one = memo(shop, order["entity_id"])
    assert (one["grand_total"], one["shipping_amount"], one["adjustment_positive"]) == (2, 0, 2)


@pytest.mark.parametrize("incl", [True, False])
def test_it_does_not_matter_whether_the_shop_counts_shipping_with_tax(shop: Shop, incl: bool) -> None:
    shop.control("configure", shipping_refund_incl_tax=incl)
    order = paid(shop)
    cup = record(order).lines[0]
    write(shop, note(order, "24.88", some(cup, 2), freight("4.90")), known(order["entity_id"]), **REFUND)
    assert memo(shop, order["entity_id"])["grand_total"] == Decimal("24.88")


def test_more_pieces_than_are_left_are_refunded_by_amount(shop: Shop) -> None:
    order = paid(shop)
    cup = record(order).lines[0]
    write(shop, note(order, "29.97", some(cup, 3)), known(order["entity_id"]), **REFUND)
    what = known(order["entity_id"])
    second = note(order, "14.00", some(cup, 2), key="700010")
    write(shop, second, what, **REFUND)
    assert refunded(shop, order["entity_id"]) == [4]
    assert memo(shop, order["entity_id"])["adjustment_positive"] == Decimal("4.01")
    assert what.notes[0].startswith("Of BECHER-W 2 are credited, but only 1 can be refunded in Magento")


def test_more_than_was_paid_is_not_tried(shop: Shop) -> None:
    order = paid(shop)
    with pytest.raises(RecordFailed, match=r"over 60\.00 EUR.*only 44\.86 EUR"):
        write(shop, note(order, "60"), known(order["entity_id"]), **REFUND)
    with pytest.raises(RecordFailed, match="was paid in EUR"):
        write(shop, note(order, "5", currency="PLN"), known(order["entity_id"]), **REFUND)
    assert made(shop, order["entity_id"])["creditmemos"] == 0


def test_a_credit_note_waits_for_the_invoice_longer_each_time_and_holds_nothing_up(shop: Shop) -> None:
    order = place(shop)
    what, one = known(order["entity_id"]), note(order, order["grand_total"])
    waits = []
    for attempt in (1, 2, 3, 40):
        what.attempt = attempt
        with pytest.raises(RetryLater, match=r"only 0\.00 EUR are paid.*It waits for the invoice") as caught:
            write(shop, one, what, **REFUND)
        assert caught.value.aside
        waits.append(caught.value.after)
    assert waits == [60.0, 120.0, 240.0, 3600.0]
    shop.connector().client.ask("POST", f"order/{order['entity_id']}/invoice", body={})
    assert write(shop, one, what, **REFUND).total == order["grand_total"]


def test_it_is_off_by_default_and_says_so(shop: Shop) -> None:
    order = paid(shop)
    calls(shop)
    with pytest.raises(SkipRecord) as caught:
        write(shop, note(order, "5"), known(order["entity_id"]))
    assert caught.value.setting == "create_credit_memo"
    assert calls(shop) == []


def test_a_credit_note_that_came_from_the_shop_is_not_brought_back(shop: Shop) -> None:
    order = paid(shop)
    what = known(order["entity_id"])
    calls(shop)
    assert write(shop, note(order, "5", refund="33"), what, **REFUND).key == "creditmemo/33"
    assert (calls(shop), what.refs["creditmemo_id"]) == ([], "33")


def test_a_mail_goes_out_only_where_it_is_switched_on(shop: Shop) -> None:
    order = paid(shop)
    write(shop, note(order, "5", freight(5)), known(order["entity_id"]), **REFUND, send_credit_memo_email=True)
    assert made(shop, order["entity_id"])["mails"] == {"creditmemo": 1}


def test_goods_lie_in_stock_again_only_where_it_is_switched_on(shop: Shop) -> None:
    def lying() -> Any:
        return next(
            one["quantity"]
            for one in shop.control("stock")
            if (one["sku"], one["source_code"]) == ("BECHER-W", "default")
        )

    for switch, more in ((False, 0), (True, 2)):
        order = paid(shop)
        before = lying()
        cup = record(order).lines[0]
        write(shop, note(order, "19.98", some(cup, 2)), known(order["entity_id"]), **REFUND, return_to_stock=switch)
        assert lying() - before == more


# online


def online(shop: Shop) -> Json:
    """An order that came captured online."""
    for row in shop.orders():
        order = look(shop, row["entity_id"])
        if order["payment"]["method"] == "braintree" and order["state"] in ("processing", "complete"):
            extension = order["extension_attributes"]
            if not order.get("total_refunded") and not any("gift" in name or "balance" in name for name in extension):
                return order
    raise AssertionError("the stand-in has none")


def test_online_money_goes_back_by_the_invoice_that_covers_it(shop: Shop) -> None:
    order = online(shop)
    what, one = known(order["entity_id"]), note(order, "1.00", freight("1.00"))
    with pytest.raises(RecordFailed, match="refunded online") as caught:
        write(shop, one, what, **REFUND)
    assert caught.value.setting == "refund_capture_case"
    calls(shop)
    write(shop, one, what, **REFUND, refund_capture_case="online")
    invoice = papers(shop, order["entity_id"])["invoices"][0]["entity_id"]
    assert calls(shop) == [
        f"GET orders/{order['entity_id']}",
        "GET invoices",
        f"POST invoice/{invoice}/refund",
        "GET creditmemo/1",
    ]
    now = look(shop, order["entity_id"])
    assert (now["total_online_refunded"], memo(shop, order["entity_id"])["grand_total"]) == (1, 1)


def test_what_did_not_come_in_online_goes_back_offline_whatever_the_setting_says(shop: Shop) -> None:
    order = paid(shop)
    write(shop, note(order, "5"), known(order["entity_id"]), **REFUND, refund_capture_case="online")
    now = look(shop, order["entity_id"])
    assert (now["total_offline_refunded"], now.get("total_online_refunded") or 0) == (5, 0)


# after doubt


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "error_after", "truncated"])
def test_a_lost_answer_makes_no_second_credit_memo(shop: Shop, kind: str) -> None:
    order = paid(shop)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "packed"})
    shop.faults({"kind": kind, "method": "POST", "path": "*/refund", "times": 1})
    what = known(order["entity_id"])
    one = note(order, "9.99", some(record(order).lines[0], 1))
    assert until_written(shop, one, what, **REFUND, send_credit_memo_email=True).key == "creditmemo/1"
    assert made(shop, order["entity_id"])["creditmemos"] == 1
    assert made(shop, order["entity_id"])["mails"] == {"creditmemo": 1}
    assert look(shop, order["entity_id"])["status"] == "packed"


def test_equal_credit_notes_are_two_also_after_doubt(shop: Shop) -> None:
    order = paid(shop)
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/refund", "times": 2})
    cup = record(order).lines[0]
    keys = []
    for key in ("700009", "700010"):
        what = known(order["entity_id"])
        keys.append(until_written(shop, note(order, "9.99", some(cup, 1), key=key), what, **REFUND).key)
    assert keys == ["creditmemo/1", "creditmemo/2"]
    assert refunded(shop, order["entity_id"]) == [2]


def by_hand(shop: Shop, order: Json, quantity: int, **arguments: Any) -> None:
    item = {"order_item_id": int(order["items"][0]["item_id"]), "qty": quantity}
    body = {"items": [item], "arguments": {"shipping_amount": 0, **arguments}}
    shop.connector().client.ask("POST", f"order/{order['entity_id']}/refund", body=body)


@pytest.mark.parametrize("doubt", [False, True])
def test_a_credit_memo_that_people_made_over_something_else_is_not_taken_for_this_one(shop: Shop, doubt: bool) -> None:
    order = paid(shop)
    by_hand(shop, order, 0, adjustment_positive=9.99)  # the same amount, but no piece came back
    what = known(order["entity_id"])
    what.doubt, what.doubt_age = doubt, 100.0
    write(shop, note(order, "9.99", some(record(order).lines[0], 1)), what, **REFUND)
    assert (refunded(shop, order["entity_id"]), what.refs["creditmemo_id"]) == ([1], "2")


@pytest.mark.parametrize("doubt", [False, True])
def test_what_was_refunded_in_the_shop_by_hand_is_not_refunded_a_second_time(shop: Shop, doubt: bool) -> None:
    order = paid(shop)
    by_hand(shop, order, 1)
    what = known(order["entity_id"])
    what.doubt, what.doubt_age = doubt, 100.0
    written = write(shop, note(order, "9.99", some(record(order).lines[0], 1)), what, **REFUND)
    assert (refunded(shop, order["entity_id"]), what.refs["creditmemo_id"]) == ([1], "1")
    assert "was made in the shop already" in written.message


def test_a_total_that_came_out_otherwise_is_named_and_not_repeated(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    order = paid(shop)
    monkeypatch.setattr(adjusting, "goods", lambda placed, quantities: {adjusting.USUAL: Decimal("9.00")})
    what = known(order["entity_id"])
    one = note(order, "9.99", some(record(order).lines[0], 1))
    for _ in range(2):
        with pytest.raises(RecordFailed, match=r"credit memo 1 is over 10\.98 EUR, the credit note 700009 over 9\.99"):
            write(shop, one, what, **REFUND)
    assert made(shop, order["entity_id"])["creditmemos"] == 1


# money


def test_the_shops_own_status_survives_a_refund(shop: Shop) -> None:
    order = paid(shop)
    shop.control("change_order", entity_id=order["entity_id"], set={"status": "packed"})
    written = write(shop, note(order, "4.90", freight("4.90")), known(order["entity_id"]), **REFUND)
    assert "status packed set again" in written.message
    assert look(shop, order["entity_id"])["status"] == "packed"


@pytest.mark.parametrize("store", ["de", "default", "pl"])
def test_any_division_of_an_order_is_refunded_to_the_cent(shop: Shop, store: str) -> None:
    """Prices with tax, without tax, and in a currency of its own; what a row comes to is what the customer paid."""
    dice = random.Random(store)
    for _ in range(4):
        order = paid(shop, ("KAF-1000", 3), ("BECHER-W", 5), store=store)
        left = {item["item_id"]: item["qty_ordered"] for item in heads(order)}
        back, number = Decimal(0), 700_100
        while back < order["grand_total"]:
            number += 1
            take = {key: dice.randint(0, int(quantity)) for key, quantity in left.items()}
            lines = [
                some(line, take[int(line.external)])
                for line in record(order).lines
                if line.external and take[int(line.external)]
            ]
            left = {key: quantity - take[key] for key, quantity in left.items()}
            kept = "1" if store == "pl" else dice.choice(["1", "0.9"])  # an adjustment is given in the base currency
            total = cents(sum((line.gross for line in lines), Decimal(0)) * Decimal(kept))
            if not any(left.values()):
                total, lines = order["grand_total"] - back, [*lines, freight(order["shipping_incl_tax"])]
            if not total:
                continue
            write(shop, note(order, total, *lines, key=str(number)), known(order["entity_id"]), **REFUND)
            back += total
            assert look(shop, order["entity_id"])["total_refunded"] == back
    assert state(shop)["unequal"] == []


def test_every_order_of_the_shop_can_be_credited_piece_by_piece(shop: Shop) -> None:
    """Discounts, bundles, gift cards, two tax rates, other currencies: one piece of a row, then all the rest."""
    seen = 0
    for row in shop.orders():
        order = look(shop, row["entity_id"])
        if order["state"] not in ("processing", "complete") or order.get("total_refunded"):
            continue
        if order.get("total_paid", 0) < order["grand_total"] or not order["grand_total"]:
            continue
        seen += 1
        rows = [line for line in record(order).lines if line.external]
        first = next(line for line in rows)
        method = "online" if order["payment"]["method"] in ("braintree", "paypal_express") else "offline"
        share = cents(Decimal(order["grand_total"]) / 3)
        if order["order_currency_code"] != order["base_currency_code"]:  # an adjustment is given in the latter
            share = adjusting.goods(Placed(order), {str(first.external): Decimal(1)})[adjusting.USUAL]
        given = {**REFUND, "refund_capture_case": method}
        if adjusting.credited(Placed(order)):  # a gift card has paid a part: all or nothing
            with pytest.raises(RecordFailed, match="gift card"):
                write(shop, note(order, share, some(first, 1)), known(order["entity_id"]), **given)
            share = Decimal(0)
        else:
            write(shop, note(order, share, some(first, 1)), known(order["entity_id"]), **given)
            assert look(shop, order["entity_id"])["total_refunded"] == share, order["increment_id"]
        rest = order["grand_total"] - share
        lines = [*(some(line, line.quantity - (1 if share and line is first else 0)) for line in rows), freight("99")]
        last = note(order, rest, *(line for line in lines if line.quantity), key="700010")
        write(shop, last, known(order["entity_id"]), **given)
        assert look(shop, order["entity_id"])["total_refunded"] == order["grand_total"], order["increment_id"]
    assert seen > 20
    assert state(shop)["unequal"] == []


@pytest.mark.parametrize("rate", ["1", "1.2", "0.8537", "4.2931", "23.4567", "0.0061"])
def test_an_adjustment_is_exact_in_both_currencies_or_there_is_none(rate: str) -> None:
    exchange = Decimal(rate)
    for amount in range(-300, 301, 7):
        wanted = Decimal(amount) / 100
        found = adjusting.adjustment(wanted, exchange)
        if found is not None:
            more, less = found
            assert cents(more * exchange) - cents(less * exchange) == wanted
            assert min(more, less) >= 0
        else:
            assert exchange > 1


def test_the_setting_for_online_is_offline_by_default() -> None:
    assert options().refund_capture_case == "offline"


def test_what_magento_will_come_to_is_known_before(shop: Shop) -> None:
    """One piece of a discounted row, in both kinds of catalogue: the pieces' own share, without an adjustment."""
    seen = {True: 0, False: 0}
    for row in shop.orders():
        order = look(shop, row["entity_id"])
        if order["state"] not in ("processing", "complete") or order.get("total_refunded"):
            continue
        for item in heads(order):
            many, off = item["qty_ordered"] > 1, item.get("discount_amount")
            if not (many and off) or item["product_type"] == "bundle" or not item.get("qty_invoiced"):
                continue
            if adjusting.credited(Placed(order)):
                continue
            piece = adjusting.goods(Placed(order), {str(item["item_id"]): Decimal(1)})
            method = "online" if order["payment"]["method"] in ("braintree", "paypal_express") else "offline"
            line = next(one for one in record(order).lines if one.external == str(item["item_id"]))
            one = note(order, piece[adjusting.USUAL], some(line, 1))
            write(shop, one, known(order["entity_id"]), **REFUND, refund_capture_case=method)
            assert (
                memo(shop, order["entity_id"])["adjustment"],
                len(papers(shop, order["entity_id"])["creditmemos"]),
            ) == (0, 1)
            seen[bool(item.get("discount_tax_compensation_amount"))] += 1
            break
    assert min(seen.values()) > 0


OWN = f"{adjusting.BY_ROW} {adjusting.REACHED}"  # the way of this shop


def test_a_shop_that_gives_the_share_of_the_whole_row_gives_no_cent_too_much(shop: Shop) -> None:
    """Seven pieces for a price that seven does not divide: after some are given back, what is left divides otherwise."""

    def differing(order: Json, sku: str) -> tuple[int, int] | None:
        for first in range(1, 12):
            row = next(one for one in heads(order) if one["sku"] == sku)
            gross = Decimal(str(row["row_invoiced"])) + row["tax_invoiced"] - row.get("discount_invoiced", 0)
            many = Decimal(row["qty_invoiced"])
            back = cents(gross * first / many)
            for second in range(1, int(many) - first):
                reached = cents(gross * (first + second) / many) - back
                if reached > cents((gross - back) * second / (many - first)):
                    return first, second
        return None

    for many in range(5, 60):
        order = paid(shop, ("KAF-1000", many), store="default")
        if found := differing(order, "KAF-1000"):
            break
    line = record(order).lines[0]
    gross = Decimal(str(order["grand_total"])) - Decimal(str(order["shipping_incl_tax"]))
    first = cents(gross * found[0] / many)
    second = cents(gross * sum(found) / many) - first
    for key, amount, pieces in (("1", first, found[0]), ("2", second, found[1])):
        write(shop, note(order, amount, some(line, pieces), key=key), known(order["entity_id"]), **REFUND)
    assert look(shop, order["entity_id"])["total_refunded"] == first + second


def test_a_shop_that_rounds_row_by_row_gives_the_missing_cent_back_once(shop: Shop) -> None:
    def differing(order: Json) -> dict[str, Decimal] | None:
        placed = Placed(order)
        for first in range(1, 5):
            for second in range(1, 8):
                pieces = {str(one["item_id"]): Decimal(n) for one, n in zip(heads(order), (first, second), strict=True)}
                ways = adjusting.goods(placed, pieces)
                if ways[adjusting.USUAL] > ways[OWN]:
                    return pieces
        return None

    tried = ((("KAF-1000", a), ("BECHER-W", b)) for a in (5, 6, 7) for b in (8, 9, 11))
    made_orders = (paid(shop, *lines, store="default") for lines in tried)
    order, pieces = next((one, found) for one in made_orders if (found := differing(one)))
    rows = {line.external: line for line in record(order).lines}
    lines = [some(rows[key], quantity) for key, quantity in pieces.items()]
    total = adjusting.goods(Placed(order), pieces)[adjusting.USUAL]
    what = known(order["entity_id"])
    write(shop, note(order, total, *lines), what, **REFUND, send_credit_memo_email=True)
    told = papers(shop, order["entity_id"])["creditmemos"]
    assert [one["grand_total"] for one in told] == [total - Decimal("0.01"), Decimal("0.01")]
    assert what.refs["creditmemo_id"] == "1, 2"
    assert made(shop, order["entity_id"])["mails"] == {"creditmemo": 1}
    again = place(shop, *((item["sku"], int(item["qty_ordered"])) for item in heads(order)), store="default")
    shop.connector().client.ask("POST", f"order/{again['entity_id']}/invoice", body={})
    rows = {line.sku: line for line in record(again).lines}
    skus = {str(item["item_id"]): item["sku"] for item in heads(order)}
    lines = [some(rows[skus[key]], quantity) for key, quantity in pieces.items()]
    write(shop, note(look(shop, again["entity_id"]), total, *lines), known(again["entity_id"]), **REFUND)
    assert [one["grand_total"] for one in papers(shop, again["entity_id"])["creditmemos"]] == [total]
