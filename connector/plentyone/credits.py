"""The shop's credit memos as credit notes (type 4) of the order: linked to it, each once, with the memo's total.

PlentyONE makes a credit note of quantities of the order's items, at their prices. What these do not come to is added in a
second call: the discount of the items, an adjustment, a rounding. The same call writes the memo's id to property 97
(external refund id), so that a note bearing it has its amounts too. That REST takes `quantities` as
`{orderItemId, quantity}`, and adds items by PUT, is assumed from plugins and clients; the total that the note shows
afterwards is held against the memo's in any case.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeGuard

from connector import InDoubt, Payload, RecordFailed
from connector.plentyone.answers import Refused
from connector.plentyone.existing import invoice_total
from connector.plentyone.following import is_echo, keep, kept
from connector.plentyone.lines import EXTERNAL_LINE, ItemType
from connector.plentyone.shapes import amount, key_of, rows, same, valued
from connector.plentyone.work import Work, number
from connector.records import LineKind, Order, Part, Refund, cents

CREDIT_NOTE = 4  # order type
EXTERNAL_REFUND = 97  # order property
ARTICLES = (ItemType.VARIATION, ItemType.BUNDLE, ItemType.UNASSIGNED)
OWN = (*ARTICLES, ItemType.COUPON, ItemType.GIFT_CARD, ItemType.SHIPPING, ItemType.SURCHARGE)  # items of our export
ADJUSTED = ("Adjustment refund", "Adjustment fee")  # as the shop's own papers name them
HELD = "credit note"
CREDITED = "credited"  # ref: keys of the memos that are done
CLOCKS = timedelta(minutes=10)
ROUNDING = Decimal("0.05")  # so far the shares of a discount may miss the memo's
ZERO = Decimal(0)


@dataclass(frozen=True)
class Taken:
    """So many of one item of the order."""

    item: Payload
    quantity: Decimal


@dataclass(frozen=True)
class Plan:
    """Which items the note takes. `by_amount`: the memo names none, and the one taken here goes again when the amount
    stands on the note; PlentyONE makes no credit note of nothing."""

    taken: Sequence[Taken]
    by_amount: bool = False

    @property
    def quantities(self) -> list[Payload]:
        return [{"orderItemId": number(str(key_of(one.item))), "quantity": one.quantity} for one in self.taken]


def bring(work: Work, order_id: str, order: Payload) -> list[str]:
    """Raises RecordFailed naming both amounts when a note does not come to its memo's total."""
    if not work.options.create_credit_note:
        return []
    told = []
    done = kept(work, CREDITED)
    for refund in work.order.fulfilment.refunds:
        if refund.key in done:
            continue
        ours = note_of(work, order_id, refund.key) is not None  # an import knows our own note by now, too
        if ours or not is_echo(work, "creditmemo", refund.key, refund.reason):
            note = _credit(work, order_id, order, refund)
            told.append(f"credit note {note} of {refund.total} {work.order.currency}")
        keep(work, CREDITED, refund.key)
    return told


def note_of(work: Work, order_id: str, memo: str) -> str | None:
    """The credit note that was made of a memo. No call."""
    return work.known.link(HELD, f"{order_id}:{memo}")


def whole(order: Order) -> bool:
    """Whether all that was paid went back."""
    refunds = order.fulfilment.refunds
    return bool(refunds) and sum((one.total for one in refunds), ZERO) >= max(order.grand_total, Decimal("0.01"))


def _named(refund: Refund) -> str:
    return refund.number or refund.key


def _credit(work: Work, order_id: str, order: Payload, refund: Refund) -> str:
    with work.known.hold(HELD, f"{order_id}:{refund.key}") as link:
        plan = planned(work.order, refund, order)
        fresh: Payload = {}
        if link.id is None:
            doubts = [link.doubt_age] * link.doubt + [work.known.doubt_age] * work.doubt
            new = not (doubts or work.known.finished or work.known.attempt > 1)  # the order was created just now
            id = None if new else _find(work, order_id, refund, plan, doubt=bool(doubts))
            if id is None:
                id = work.once(
                    f"the credit note of credit memo {_named(refund)}",
                    lambda: None,
                    lambda: _create(work, order_id, refund, plan, fresh),
                    doubt=bool(doubts),
                    doubt_age=min(doubts, default=work.lag),
                )
            link.learn(id)
        assert link.id is not None
        _complete(work, link.id, refund, plan, order, fresh)
        return link.id


# which items


def planned(order: Order, refund: Refund, plenty: Payload) -> Plan:
    """The items of PlentyONE's order that the memo's quantities are. Memos before this one have taken theirs."""
    before = []
    for one in order.fulfilment.refunds:
        if one.key == refund.key:
            break
        before.append(one)
    gone: dict[str, Decimal] = defaultdict(Decimal)
    for one in before:
        for key, quantity in _by_line(order, one.parts).items():
            gone[key] += quantity
    items = [item for item in rows(plenty.get("orderItems")) if amount(item.get("typeId")) in OWN]
    articles = [item for item in items if amount(item.get("typeId")) in ARTICLES]
    taken = [
        one
        for key, quantity in _by_line(order, refund.parts).items()
        for one in _of_line(articles, key, gone[key], quantity)
    ]
    if refund.shipping > 0 and not any(one.shipping > 0 for one in before):
        taken += [Taken(item, _quantity(item)) for item in items if amount(item.get("typeId")) == ItemType.SHIPPING]
    if not before and _all(articles, taken):
        everything = [Taken(item, _quantity(item)) for item in items]
        if _sum(everything, order.currency) == refund.total:
            return Plan(everything)
    if taken:
        return Plan(taken)
    left = {key_of(item): _quantity(item) for item in items}
    for key, quantity in gone.items():
        for used in _of_line(articles, key, ZERO, quantity):
            left[key_of(used.item)] -= used.quantity
    if any(one.shipping > 0 for one in before):
        left |= {key_of(item): ZERO for item in items if amount(item.get("typeId")) == ItemType.SHIPPING}
    able = (*ARTICLES, ItemType.SHIPPING)
    piece = next((one for one in items if amount(one.get("typeId")) in able and left[key_of(one)] >= 1), None)
    if piece is None:
        raise RecordFailed(
            f"Order {order.number}: credit memo {_named(refund)} gives back {refund.total} {order.currency}, and nothing is "
            f"left of the items of PlentyONE's order {key_of(plenty)} that a credit note could be made of: 0.00 "
            f"{order.currency} can be credited. Create the credit note there by hand."
        )
    return Plan([Taken(piece, Decimal(1))], by_amount=True)


def _by_line(order: Order, parts: Sequence[Part]) -> dict[str, Decimal]:
    """Quantities by the key of the line. A bundle and its parts stand for each other where only one of them is named."""
    named = {part.line: part.quantity for part in parts}
    lines = {line.key: line for line in order.lines}
    for line in order.lines:
        bundle = lines.get(line.parent or "")
        if line.kind is not LineKind.COMPONENT or bundle is None or not (bundle.quantity and line.quantity):
            continue
        each = line.quantity / bundle.quantity
        if bundle.key in named and line.key not in named:
            named[line.key] = named[bundle.key] * each
        elif line.key in named and bundle.key not in named:
            named[bundle.key] = named[line.key] / each
    return named


def _of_line(articles: Sequence[Payload], key: str, gone: Decimal, quantity: Decimal) -> Iterator[Taken]:
    """So many pieces of a line, which may be two items of different price; the first `gone` of them went before."""
    for item in articles:
        if valued(item.get("properties"), EXTERNAL_LINE) != key:
            continue
        there = _quantity(item)
        skipped = min(gone, there)
        taken = min(quantity, there - skipped)
        gone, quantity = gone - skipped, quantity - taken
        if taken > 0:
            yield Taken(item, taken)


def _all(articles: Sequence[Payload], taken: Sequence[Taken]) -> bool:
    return {key_of(one.item): one.quantity for one in taken if amount(one.item.get("typeId")) in ARTICLES} == {
        key_of(item): _quantity(item) for item in articles
    }


def _quantity(item: Payload) -> Decimal:
    return amount(item.get("quantity")) or ZERO


def _sum(taken: Sequence[Taken], currency: str) -> Decimal:
    return cents(sum((one.quantity * _price(one.item, currency) for one in taken), ZERO))


def _money(item: Payload, currency: str) -> Payload:
    return next((row for row in rows(item.get("amounts")) if row.get("currency") == currency), {})


def _price(item: Payload, currency: str) -> Decimal:
    row = _money(item, currency)
    shown = amount(row.get("priceGross"))
    return (
        (amount(row.get("priceOriginalGross")) or ZERO) - (amount(row.get("discount")) or ZERO)
        if shown is None
        else shown
    )


# making it


def _create(work: Work, order_id: str, refund: Refund, plan: Plan, fresh: Payload) -> str:
    path = f"/rest/orders/{order_id}/credit_notes"
    try:
        answer = work.send("POST", path, {"quantities": plan.quantities, "includeCouponsIntoOrderItemPrice": False})
    except Refused as error:
        raise RecordFailed(
            f"Order {work.order.number}: credit memo {_named(refund)} of {refund.total} {work.order.currency} was not "
            f"accepted as a credit note: {error}"
        ) from error
    id = key_of(answer) if isinstance(answer, dict) else None
    if id is None:
        raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to its credit note has no id")
    fresh.update(answer)
    return id


def _find(work: Work, order_id: str, refund: Refund, plan: Plan, *, doubt: bool) -> str | None:
    """By property 97. Else one without it: made by people of the same items with the same total; or, after doubt, of
    just these items since the memo, because the second call to our own was never sent. Those of other memos are not
    looked at."""
    if _is_made_up(work, order_id):
        return None
    others = {note_of(work, order_id, one.key) for one in work.order.fulfilment.refunds if one.key != refund.key}
    query = {"parentOrderId": order_id, "orderType": CREDIT_NOTE}
    twins: list[str] = []
    for row in work.client.entries("/rest/orders", query, most=3, reference=work.order.number):
        id = key_of(row)
        if id is None or id in others or not same(row.get("typeId"), CREDIT_NOTE):
            continue
        note = row if row.get("orderItems") and row.get("properties") is not None else work.get(f"/rest/orders/{id}")
        if not isinstance(note, dict) or not _child(note, order_id):
            continue
        mark = valued(note.get("properties"), EXTERNAL_REFUND)
        if mark == refund.key:
            return id
        equal = invoice_total(note, work.order.currency) == cents(refund.total) and not plan.by_amount
        if mark is None and _takes(note) == _wants(plan) and (equal or (doubt and _since(note, refund))):
            twins.append(id)
    if twins and not doubt:
        work.known.note(
            f"Credit note {twins[0]} of the same items and total was in PlentyONE already and is taken for credit memo "
            f"{_named(refund)}."
        )
    return twins[0] if twins else None


def _child(note: Payload, order_id: str) -> bool:
    return any(same(row.get("referenceOrderId"), order_id) for row in rows(note.get("orderReferences")))


def _wants(plan: Plan) -> dict[str | None, Decimal]:
    return {key_of(one.item): one.quantity for one in plan.taken}


def _takes(note: Payload) -> dict[str | None, Decimal]:
    return {
        next((key_of(row, "referenceOrderItemId") for row in rows(item.get("references"))), None): _quantity(item)
        for item in rows(note.get("orderItems"))
    }


def _since(note: Payload, refund: Refund) -> bool:
    try:
        made = datetime.fromisoformat(str(note.get("createdAt")))
    except ValueError:
        return False
    return made.tzinfo is not None and refund.created_at is not None and made >= refund.created_at - CLOCKS


def _complete(work: Work, id: str, refund: Refund, plan: Plan, order: Payload, fresh: Payload) -> None:
    """Mark the note and bring it to the memo's total, then hold it against that. What is right already costs one read."""
    currency = work.order.currency
    note = fresh if _whole(fresh) else _read(work, id, refund)
    if not same(valued(note.get("properties"), EXTERNAL_REFUND), refund.key):
        total = invoice_total(note, currency)
        body: Payload = {"properties": [{"typeId": EXTERNAL_REFUND, "value": refund.key}]}
        if changes := _changes(work, refund, plan, order, _sum(plan.taken, currency) if total is None else total):
            body["orderItems"] = changes
        answer = work.send("PUT", f"/rest/orders/{id}", body)
        note = answer if _whole(answer) else _read(work, id, refund)
    if plan.by_amount and (over := _stand_ins(note)):
        for item in over:
            work.send("DELETE", f"/rest/orders/{id}/items/{item}")
        note = _read(work, id, refund)
    if _is_made_up(work, id):
        return
    total = invoice_total(note, currency)
    if total != cents(refund.total):
        shown = "no total" if total is None else f"{total} {currency}"
        raise RecordFailed(
            f"Order {work.order.number}: credit memo {_named(refund)} gives back {refund.total} {currency}, its credit note "
            f"{id} in PlentyONE comes to {shown}. Correct the credit note there, then retry the record."
        )


def _whole(answer: object) -> TypeGuard[Payload]:
    return isinstance(answer, dict) and bool(rows(answer.get("orderItems")) and rows(answer.get("amounts")))


def _is_made_up(work: Work, id: str) -> bool:
    """A note of a dry run, which cannot be read."""
    return work.client.dry is not None and not id.isdigit()


def _read(work: Work, id: str, refund: Refund) -> Payload:
    note = {} if _is_made_up(work, id) else work.get(f"/rest/orders/{id}")
    if not isinstance(note, dict):
        raise RecordFailed(
            f"Order {work.order.number}: credit note {id} of credit memo {_named(refund)} was deleted in PlentyONE. It is "
            "not created again by itself."
        )
    return note


def _stand_ins(note: Payload) -> list[str]:
    """The pieces of the order on a note that is to hold an amount alone."""
    return [id for item in rows(note.get("orderItems")) if rows(item.get("references")) and (id := key_of(item))]


def _changes(work: Work, refund: Refund, plan: Plan, order: Payload, total: Decimal) -> list[Payload]:
    """The items that bring the note from its total to the memo's."""
    sample = next(
        (item for item in rows(order.get("orderItems")) if amount(item.get("typeId")) in ARTICLES), plan.taken[0].item
    )
    if plan.by_amount:
        return [_added(sample, ItemType.SURCHARGE, _adjusted(refund.total), refund.total, None, work.order.currency)]
    rest = cents(refund.total) - total
    if not rest:
        return []
    discounts = _discounts(work, refund) if work.options.discount_as == "coupon" else {}
    adjusted = rest + sum(discounts.values(), ZERO)
    if discounts and abs(adjusted - refund.adjustment) <= ROUNDING:
        largest = max(discounts, key=lambda rate: discounts[rate])
        discounts[largest] -= adjusted - refund.adjustment
        adjusted = refund.adjustment
    name = work.order.discount_title or work.order.coupon or "Discount"
    made = [
        _added(_taxed(order, rate) or sample, ItemType.COUPON, name, -discount, rate, work.order.currency)
        for rate, discount in sorted(discounts.items(), reverse=True)
        if discount
    ]
    if adjusted:
        kind = ItemType.SURCHARGE if adjusted > 0 else ItemType.COUPON
        made.append(_added(sample, kind, _adjusted(adjusted), adjusted, None, work.order.currency))
    return made


def _taxed(order: Payload, rate: Decimal) -> Payload | None:
    """An item of this VAT rate, which knows the ids that belong to it."""
    return next((item for item in rows(order.get("orderItems")) if amount(item.get("vatRate")) == rate), None)


def _adjusted(sum: Decimal) -> str:
    return ADJUSTED[0] if sum > 0 else ADJUSTED[1]


def _discounts(work: Work, refund: Refund) -> dict[Decimal, Decimal]:
    """What was taken off the refunded pieces, by VAT rate."""
    quantities = _by_line(work.order, refund.parts)
    found: dict[Decimal, Decimal] = defaultdict(Decimal)
    for line in work.order.lines:
        if line.discount and line.quantity and line.key in quantities:
            found[line.tax_rate or ZERO] += line.discount * quantities[line.key] / line.quantity
        elif line.discount and line.kind is LineKind.SHIPPING and refund.shipping:
            found[line.tax_rate or ZERO] += line.discount
    return {rate: cents(sum) for rate, sum in found.items()}


def _added(sample: Payload, kind: ItemType, name: str, sum: Decimal, rate: Decimal | None, currency: str) -> Payload:
    """A further item, taxed as the sample is, or by a rate of its own."""
    made: Payload = {
        "typeId": int(kind),
        "itemVariationId": 0,
        "quantity": 1,
        "orderItemName": name,
        **{
            key: sample[key]
            for key in ("countryVatId", "vatField", "vatRate", "referrerId")
            if sample.get(key) is not None
        },
        "amounts": [_amounts(sample, sum, currency)],
    }
    if rate is not None and amount(made.get("vatRate")) != rate:
        made.pop("vatField", None)
        made["vatRate"] = rate
    return made


def _amounts(sample: Payload, sum: Decimal, currency: str) -> Payload:
    row: Mapping[str, object] = _money(sample, currency)
    return {
        "isSystemCurrency": row.get("isSystemCurrency", True),
        "currency": currency,
        "exchangeRate": row.get("exchangeRate", 1),
        "priceOriginalGross": sum,
        "surcharge": 0,
        "discount": 0,
        "isPercentage": False,
    }
