"""A credit note becomes a credit memo over exactly its amount, once.

Lines are given back by quantity, all others are named with quantity 0 (a body with the refunded line alone gave back the
whole order's tax in some versions). Shipping goes back whole or not at all. What then still differs is an adjustment; a
credit note of which no line is the order's is an adjustment alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from connector import Options, Payload, RecordFailed, RetryLater, SkipRecord
from connector.magento import adjusting, standing
from connector.magento.answers import Refused
from connector.magento.placed import items
from connector.magento.reading import ZERO, number, plain
from connector.magento.shipping import pieces_of
from connector.magento.work import Work, has_document, status_in
from connector.records import CENT, DocumentKind, LineKind, Order, cents

ROUNDED = 2  # cents of a row that rounding may cost, amount by amount
SHORTEST_WAIT, LONGEST_WAIT = 60.0, 3600.0  # seconds, for an invoice that the shop has to make itself


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`quantities` by head; `everything`: nothing of the order is left afterwards, and Magento adds it up itself."""

    quantities: dict[str, Decimal]
    shipping: bool
    more: Decimal = ZERO  # adjustments, in the base currency
    less: Decimal = ZERO
    everything: bool = False
    ways: Mapping[str, Decimal] = field(default_factory=dict)  # what the pieces come to, as `adjusting.goods` says
    goods: Decimal = ZERO  # the one of them that is reckoned with


def wanted(record: Order, options: Options) -> None:
    """Raise SkipRecord while the settings do not ask for a credit memo."""
    said = f"credit note {record.key} of order {record.number}"
    if not options.create_credit_memo:
        raise SkipRecord(f"{said}: 'Create credit memo' is off", setting="create_credit_memo")
    asked = []
    if options.credit_memo_status_condition:
        asked.append(status_in(record, options, "credit_memo_statuses"))
    if options.credit_memo_document_condition:
        asked.append(has_document(record, DocumentKind.CREDIT_NOTE))
    if asked and not any(asked):
        raise SkipRecord(f"{said}: no condition for a credit memo is met yet")


def bring(work: Work) -> Decimal | None:
    """What was given back. Raises RecordFailed where the amount cannot be given back, or came out otherwise."""
    if work.doubt:
        _adopt(work)
    if not work.ref("creditmemo_id") and work.placed.fields.amount("total_refunded"):
        _made_there(work)
    plan: Plan | None = None
    if not work.listed("creditmemo_id"):
        _possible(work)
        plan = _plan(work)
        standing.remember(work)
        _keep(work, _send(work, plan))
    if work.dry:
        return None
    order = work.placed.fields
    work.ended = order.amount("total_refunded") + _total(work) >= order.amount("total_paid")
    total = sum((_read(work, id) for id in work.listed("creditmemo_id")), ZERO)
    short = _total(work) - total
    if plan is not None and plan.ways:
        adjusting.learn(work.client, plan.ways, plan.goods - short)
    if ZERO < short <= CENT * ROUNDED * len(work.placed.heads) and len(work.listed("creditmemo_id")) == 1:
        total += _make_up(work, short)
    if total != _total(work):
        raise RecordFailed(
            f"{work.name}: Magento's credit memo {work.ref('creditmemo_id')} is over {total} {work.placed.currency}, the "
            f"credit note {work.order.key} over {_total(work)} {work.order.currency}. Correct it in Magento by hand."
        )
    return total


def _keep(work: Work, id: str) -> None:
    ids = [*work.listed("creditmemo_id"), id]
    work.known.learn(id=f"creditmemo/{ids[0]}", creditmemo_id=", ".join(ids))
    work.done.append(f"credit memo {id}")


def _make_up(work: Work, short: Decimal) -> Decimal:
    """The cent by which the shop rounds otherwise than thought, without a mail."""
    found = adjusting.adjustment(short, _rate(work))
    if found is None:
        return ZERO
    id = _send(work, Plan(quantities={}, shipping=False, more=found[0], less=found[1]), quiet=True)
    _keep(work, id)
    return _read(work, id)


def _rate(work: Work) -> Decimal:
    rate = work.placed.fields.amount("base_to_order_rate")
    return rate if rate > 0 else Decimal(1)


def _total(work: Work) -> Decimal:
    return abs(cents(work.order.grand_total))


def _possible(work: Work) -> None:
    placed, total = work.placed, _total(work)
    if placed.reviewed:
        raise standing.review(work, reason="the credit memo waits")
    if placed.held and work.options.hold_order:  # by a status of the sale, whose record releases it
        raise RetryLater(
            f"{work.name}: Magento order {placed.number} is on hold; the credit memo waits until it is released",
            after=LONGEST_WAIT,
            aside=True,
        )
    if placed.held:
        raise RecordFailed(
            f"{work.name}: Magento order {placed.number} is on hold, and Magento refunds nothing on hold. Release it there."
        )
    if work.order.currency != placed.currency:
        raise RecordFailed(
            f"{work.name}: credit note {work.order.key} is over {total} {work.order.currency}, Magento order "
            f"{placed.number} was paid in {placed.currency}."
        )
    if work.order.grand_total < 0:
        raise RecordFailed(
            f"{work.name}: credit note {work.order.key} is over {cents(work.order.grand_total)} {work.order.currency}, less "
            "than nothing, so nothing is given back. Correct it in PlentyONE."
        )
    if not total:
        raise SkipRecord(f"credit note {work.order.key} of order {work.order.number} is over 0.00 {placed.currency}")
    left = cents(placed.fields.amount("total_paid") - placed.fields.amount("total_refunded"))
    if total > left and placed.to_invoice:
        raise RetryLater(
            f"{work.name}: credit note {work.order.key} is over {total} {work.order.currency}; of Magento order "
            f"{placed.number}, which is not invoiced in full yet, only {left} {placed.currency} are paid and not refunded. "
            "It waits for the invoice",
            after=_wait(work),
            aside=True,
        )
    if total > left:
        raise RecordFailed(
            f"{work.name}: credit note {work.order.key} is over {total} {work.order.currency}, but of Magento order "
            f"{placed.number} only {left} {placed.currency} are paid and not refunded yet. Is its invoice missing?"
        )


def _wait(work: Work) -> float:
    """Longer with each attempt. An invoice that the import makes itself ends the wait at once."""
    return min(LONGEST_WAIT, SHORTEST_WAIT * 2.0 ** min(work.known.attempt - 1, 10))


def _given_back(work: Work) -> tuple[dict[str, Decimal], Decimal]:
    """Pieces by head, and what goes back of the shipping."""
    placed = work.placed
    quantities: dict[str, Decimal] = {}
    shipping = ZERO
    for line in work.order.lines:
        if line.kind is LineKind.SHIPPING:
            shipping += abs(line.total)
        elif line.kind is not LineKind.SURCHARGE and line.quantity > 0:
            found = placed.find(line.external, line.sku)
            if found is None:
                if line.total:
                    work.known.note(f"{line.name!r} is no line of the shop's order; it goes back as an adjustment.")
                continue
            head, row = found
            pieces = head.whole(row, line.quantity) if head.bundle else line.quantity
            if head.bundle and row is not head.item:
                quantities[head.id] = max(quantities.get(head.id, ZERO), pieces // 1 if pieces >= 1 else ZERO)
            else:
                quantities[head.id] = quantities.get(head.id, ZERO) + pieces
    return quantities, shipping


def _plan(work: Work) -> Plan:
    placed, total = work.placed, _total(work)
    quantities, shipping = _given_back(work)
    for head in placed.heads:
        if (pieces := quantities.get(head.id, ZERO)) > head.to_refund:
            work.known.note(
                f"Of {head.sku} {plain(pieces)} are credited, but only {plain(head.to_refund)} can be refunded in Magento; "
                "the rest goes back as an adjustment."
            )
            quantities[head.id] = head.to_refund
    quantities = {id: pieces for id, pieces in quantities.items() if pieces > 0}
    left = adjusting.shipping(placed)
    whole_shipping = bool(left) and cents(shipping) >= left
    return _adjusted(work, quantities, whole_shipping, total)


def _adjusted(work: Work, quantities: dict[str, Decimal], shipping: bool, total: Decimal) -> Plan:
    placed = work.placed
    left = adjusting.shipping(placed)
    everything = all(quantities.get(head.id, ZERO) >= head.to_refund for head in placed.heads)
    everything = everything and (shipping or not left)
    order = placed.fields
    ways = adjusting.goods(placed, quantities)
    pieces = adjusting.expected(work.client, ways)
    comes_to = pieces + (left if shipping else ZERO)
    credit = adjusting.credited(placed)
    difference = total - comes_to
    rest = total == cents(order.amount("total_paid") - order.amount("total_refunded"))
    if credit and not (everything and rest):
        raise RecordFailed(
            f"{work.name}: {credit} {placed.currency} of Magento order {placed.number} were paid by gift card, store "
            "credit or points, which Magento gives back first. How much of a part goes back in money is for a person to "
            "say: refund it in Magento by hand."
        )
    if everything and (not difference or credit):
        return Plan(quantities=quantities, shipping=shipping, everything=True, ways=ways, goods=pieces)
    rate = _rate(work)
    found = adjusting.adjustment(difference, rate)
    if found is None:
        raise RecordFailed(
            f"{work.name}: credit note {work.order.key} is over {total} {work.order.currency}, the lines come to {comes_to} "
            f"in Magento, and at the rate {plain(rate)} no adjustment in the base currency makes up for the difference. "
            "Refund it in Magento by hand."
        )
    more, less = found
    return Plan(quantities=quantities, shipping=shipping, more=more, less=less, ways=ways, goods=pieces)


def _send(work: Work, plan: Plan, *, quiet: bool = False) -> str:
    options, placed = work.options, work.placed
    captured = _captured(work) if options.refund_capture_case == "online" else []
    arguments: Payload = {}
    if not plan.shipping:  # left out, all of it goes back, whether the shop counts it with or without tax
        arguments["shipping_amount"] = 0
    if plan.more:
        arguments["adjustment_positive"] = plan.more
    if plan.less:
        arguments["adjustment_negative"] = plan.less
    if options.return_to_stock and plan.quantities:
        rows = (
            row
            for head in placed.heads
            if head.id in plan.quantities
            for row in (head.item, *head.below)
            if not row.flag("is_virtual")
        )
        arguments["extension_attributes"] = {"return_to_stock_items": [int(row.needed_text("item_id")) for row in rows]}
    body: Payload = {
        "items": [] if plan.everything else items(plan.quantities, placed, zeros=True),
        "notify": bool(options.send_credit_memo_email) and not quiet,
        "appendComment": False,
        "comment": work.mark(),
        "arguments": arguments,
    }
    if not captured:  # what did not come in online cannot go back online
        try:
            return work.make(f"order/{placed.id}/refund", body)
        except Refused as error:
            raise _refused(work, error) from error
    return work.make(f"invoice/{_invoice(work, captured, plan)}/refund", {**body, "isOnline": True})


def _refused(work: Work, error: Refused) -> RecordFailed:
    placed, order = work.placed, work.placed.fields
    base = cents(order.amount("base_total_paid") - order.amount("base_total_refunded"))
    if base < cents(_total(work) / _rate(work)):  # each currency is rounded for itself, by Magento too
        return RecordFailed(
            f"{work.name}: credit note {work.order.key} is over {_total(work)} {work.order.currency}, but in the shop's "
            f"base currency only {base} {order.text('base_currency_code') or ''} of order {placed.number} are paid and not "
            f"refunded yet. Refund it in Magento by hand. {error}"
        )
    if _captured(work):
        return RecordFailed(
            f"{work.name}: Magento refused the offline credit memo for order {placed.number}. What was captured online "
            f"is refunded online ('Refund'). {error}",
            setting="refund_capture_case",
        )
    return RecordFailed(f"{work.name}: Magento refused the credit memo for order {placed.number}. {error}")


def _captured(work: Work) -> list[Payload]:
    """The invoices whose money came in online."""
    return [one for one in work.papers("invoices") if one.get("transaction_id")]


def _invoice(work: Work, online: list[Payload], plan: Plan) -> str:
    """The invoice that covers the amount and the pieces. Raises RecordFailed when none does."""
    covering = [one for one in online if _left(one) >= _total(work) and _holds(work, one, plan)]
    if found := covering or (online if len(online) == 1 else []):  # of a single one, Magento itself says what is left
        return str(found[0]["entity_id"])
    raise RecordFailed(
        f"{work.name}: no invoice of Magento order {work.placed.number} that was captured online covers "
        f"{_total(work)} {work.order.currency}; refund it there by hand, or set 'Refund' to offline.",
        setting="refund_capture_case",
    )


def _left(invoice: Payload) -> Decimal:
    """What is not refunded of an invoice, in the order's currency; Magento keeps what is in the base currency alone."""
    whole, base = (number(invoice.get(f"{prefix}grand_total")) or ZERO for prefix in ("", "base_"))
    back = number(invoice.get("base_total_refunded")) or ZERO
    return cents(whole - (back * whole / base if base else ZERO))


def _holds(work: Work, invoice: Payload, plan: Plan) -> bool:
    held: dict[str, Decimal] = {}
    for one in _rows(invoice):
        key = str(one.get("order_item_id"))
        held[key] = held.get(key, ZERO) + (number(one.get("qty")) or ZERO)
    return all(
        held.get(row.text("item_id") or "", ZERO) >= head.share(row, plan.quantities[head.id])
        for head in work.placed.heads
        if head.id in plan.quantities
        for row in head.bearers
    )


def _rows(paper: Payload) -> list[Payload]:
    rows = paper.get("items")
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []


def _adopt(work: Work) -> None:
    """After doubt: what an earlier attempt has made, by our sign; by its total where the shop shows none."""
    papers = work.papers("creditmemos")
    signed = work.signed(papers)
    free = [one for one in papers if not work.known.taken(f"creditmemo/{one['entity_id']}")]
    ours = [one for one in free if (mark := work.mark_of(one)) is not None and mark[0] == work.order.key]
    if not ours and not signed:
        ours = [one for one in free if cents(number(one.get("grand_total")) or ZERO) == _total(work)]
        if len(ours) > 1:
            raise RecordFailed(
                f"{work.name}: an earlier attempt may have made a credit memo; Magento order {work.placed.number} has "
                f"{len(ours)} over {_total(work)} {work.order.currency}. See which one is meant there."
            )
    if ours:
        ids = ", ".join(str(one["entity_id"]) for one in ours)
        work.known.learn(id=f"creditmemo/{ours[0]['entity_id']}", creditmemo_id=ids)
        work.reset = True
        work.done.append(f"credit memo {ids} found, which an earlier attempt had made")


def _made_there(work: Work) -> None:
    """People, or the export that is just making this credit note from it, have it in the shop already: a memo without our
    sign over the same pieces and the same amount. Nothing goes back twice."""
    for one in work.papers("creditmemos"):
        id = str(one["entity_id"])
        if work.mark_of(one) is not None or cents(number(one.get("grand_total")) or ZERO) != _total(work):
            continue
        pieces = {head: count for head, count in _given_back(work)[0].items() if count}
        if pieces_of(one, work.placed) == pieces and not work.known.taken(f"creditmemo/{id}"):
            work.known.learn(id=f"creditmemo/{id}", creditmemo_id=id)
            work.done.append(f"credit memo {id} was made in the shop already")
            return


def _read(work: Work, id: str) -> Decimal:
    memo = work.ask(f"creditmemo/{id}")
    total = number(memo.get("grand_total")) if isinstance(memo, dict) else None
    if total is None:
        raise RecordFailed(f"{work.name}: Magento's credit memo {id} says no total; see it there.")
    return cents(total)
