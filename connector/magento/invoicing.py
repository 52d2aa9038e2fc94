"""The invoice of an order: everything that is not invoiced yet, once. Of a sale that was split each part for itself."""

from __future__ import annotations

from decimal import Decimal

from connector import Payload, RecordFailed
from connector.magento import portions, standing
from connector.magento.placed import items
from connector.magento.reading import ZERO, number
from connector.magento.work import Work
from connector.records import DocumentKind, Order, OrderKind, cents

WAITS = "invoice"
PART = "part"


def bring(work: Work) -> None:
    """Raises RecordFailed when the amounts differ, RetryLater, InDoubt."""
    options, placed = work.options, work.placed
    if not options.create_invoice:
        return
    if work.doubt and not work.ref("invoice_id") and placed.fields.amount("total_invoiced") and _adopt(work):
        return
    if not placed.to_invoice:
        return
    excluded = {str(one) for one in options.get("invoice_excluded_methods") or ()}
    if placed.method in excluded or not _wanted(work):
        return
    if work.ref("invoiced") == PART:
        return
    if placed.reviewed:
        raise standing.review(work, reason="the invoice waits")
    if placed.held:
        work.waits.append(WAITS)
        return
    part = portions.portion(work)
    if part is None and (work.order.currency, cents(work.order.grand_total)) != (
        placed.currency,
        cents(placed.grand_total),
    ):
        raise RecordFailed(
            f"{work.name}: PlentyONE's total is {cents(work.order.grand_total)} {work.order.currency}, that of Magento "
            f"order {placed.number} is {cents(placed.grand_total)} {placed.currency}. Nothing is invoiced; correct one."
        )
    standing.remember(work)
    body = {
        "capture": options.invoice_capture == "online",
        # everything left: what was invoiced already, Magento refuses
        "items": [] if part is None else items(part.quantities, placed),
        "notify": bool(options.send_invoice_email),
        "appendComment": False,
        "comment": work.mark(),
    }
    if part is not None:  # Magento would take it twice
        before = cents(placed.fields.amount("total_invoiced"))
        work.billed = before + part.amount
        work.known.learn(invoicing=str(before))
    id = work.make(f"order/{placed.id}/invoice", body)
    _keep(work, id, part)
    work.done.append(f"invoice {id}")


def _keep(work: Work, id: str, part: portions.Portion | None = None) -> None:
    child = work.order.fulfilment.kind is not OrderKind.SALE and work.ref("id") is None
    work.known.learn(
        invoice_id=id,
        invoiced=None if part is None else PART,
        id=f"invoice/{id}" if child else None,
        invoicing="" if work.ref("invoicing") else None,
    )


def verify(work: Work) -> None:
    """After an invoice: all that the order or the part comes to is invoiced. Needs the order as it is now."""
    invoiced = cents(work.placed.fields.amount("total_invoiced"))
    due = cents(work.order.grand_total) - cents(work.placed.fields.amount("total_canceled"))
    if invoiced != (due if work.billed is None else work.billed):
        raise RecordFailed(
            f"{work.name}: {invoiced} {work.placed.currency} are invoiced in Magento, PlentyONE's total is "
            f"{cents(work.order.grand_total)} {work.order.currency}. Correct it in Magento by hand."
        )


def payment_status(order: Order) -> str:
    """As the source says, otherwise as the amounts say."""
    told = order.fulfilment.payment_status
    if told is not None:
        return told
    if order.paid > order.grand_total:
        return "overpaid"
    if order.paid == order.grand_total:
        return "fullyPaid"
    return "partlyPaid" if order.paid > 0 else "unpaid"


def _wanted(work: Work) -> bool:
    """The conditions that are switched on, joined by or; none is always."""
    options = work.options
    asked = []
    if options.invoice_status_condition:
        asked.append(work.status_in("invoice_statuses"))
    if options.invoice_payment_condition:
        wanted = {str(one).casefold() for one in options.get("invoice_payment_statuses") or ()}
        asked.append(payment_status(work.order).casefold() in wanted)
    if options.invoice_zero_totals:
        asked.append(work.order.grand_total == 0)
    if options.invoice_document_condition:
        asked.append(work.document(DocumentKind.INVOICE))
    return any(asked) or not asked


def _adopt(work: Work) -> bool:
    """After doubt: the id of the invoice that an earlier attempt has made. Whether there is one."""
    papers = work.papers("invoices")
    ours = [one for one in papers if (mark := work.mark_of(one)) is not None and mark[0] == work.order.key]
    if not ours and not work.signed(papers):
        ours = _since(work, papers)
    for paper in ours[:1]:
        id = str(paper["entity_id"])
        _keep(work, id)
        if _over(work, paper):
            work.billed = cents(work.placed.fields.amount("total_invoiced"))
            work.known.learn(invoiced=PART if work.placed.to_invoice else None)
        work.reset = True
        work.done.append(f"invoice {id} found, which an earlier attempt had made")
        return True
    return False


def _over(work: Work, paper: Payload) -> bool:
    return cents(number(paper.get("grand_total")) or ZERO) == cents(work.order.grand_total)


def _since(work: Work, papers: list[Payload]) -> list[Payload]:
    """The newest over our amount, where the shop shows no signs and more is invoiced than when ours was sent."""
    before = work.ref("invoicing")
    if before is None or cents(work.placed.fields.amount("total_invoiced")) <= Decimal(before):
        return []
    free = [one for one in papers if _over(work, one) and not work.known.taken(f"invoice/{one['entity_id']}")]
    return free[-1:]
