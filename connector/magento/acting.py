"""What an order of the other side does to the shop's own order. Calls per record, besides those that match it by a search:

| what | calls |
|---|---|
| nothing to do; already done by people | 1 read |
| unhold, cancel, hold, status | 1 read and one write each |
| invoice; shipment; both | 2 reads and one write each (the order before and after) |
| a delivery's shipment | 1 read, 1 write (the last one: 2 reads) |
| a shop's own status that a paper resets | one write more |
| a tracking number that comes later | 2 reads, 1 write |
| credit memo offline / online | 2 / 3 reads, 1 write (one read more for a shop's own status, and of the last one) |
| a credit note that was made from the shop's own credit memo | none |

After doubt the shipments, invoices or credit memos of the order are read once more. The acts come in an order in which
none is in the way of the next: unhold, cancel, invoice, shipments, status, hold. What fails for itself does not stop what
comes after; it is said at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from connector import Counterpart, Known, Options, Payload, RecordFailed, RetryLater, SkipRecord, Written
from connector.magento import invoicing, refunding, shipping, standing
from connector.magento.answers import NotFound
from connector.magento.client import MagentoClient
from connector.magento.matching import Match
from connector.magento.placed import Placed
from connector.magento.work import Work, read
from connector.records import Order, OrderKind
from connector.settings import ident

INVOICE, SHIPMENT = invoicing.WAITS, shipping.WAITS
WAITING = {
    (INVOICE,): "the invoice waits",
    (SHIPMENT,): "the shipment waits",
    (INVOICE, SHIPMENT): "the invoice and the shipment wait",
}
HELD = "magento order"  # sale, deliveries and credit notes of one order come one after the other
HELD_WAIT = 3600.0  # seconds, unless a record of the same order is written before
IN_TURN = 2.0  # seconds after which a child asks again whether it is its turn


def settled(record: Order, known: Known, options: Options) -> Written | None:
    """What is written without looking at the order. Raises SkipRecord for what is not brought to the shop at all."""
    fulfilment = record.fulfilment
    if fulfilment.kind is OrderKind.RETURN:
        raise SkipRecord(f"return {record.key} of order {record.number}: returns are not brought to Magento")
    if options.only_mapped_stores and record.store not in (options.get("store_mapping") or {}):
        raise SkipRecord(
            f"order {record.number}: client {record.store} has no row in the store mapping",
            setting="only_mapped_stores",
        )
    if fulfilment.kind is not OrderKind.CREDIT:
        if fulfilment.kind is not OrderKind.SALE:
            _in_turn(record, known)
        return None
    if fulfilment.refund:
        known.learn(id=f"creditmemo/{fulfilment.refund}", creditmemo_id=fulfilment.refund)
        return Written(
            key=f"creditmemo/{fulfilment.refund}",
            created=False,
            message=f"It was made from the shop's credit memo {fulfilment.refund}.",
        )
    key = known.refs.get("id")
    if key and known.finished and not known.doubt:
        return Written(key=key, created=False, message="Nothing to do.")
    refunding.wanted(record, options)
    _in_turn(record, known)
    return None


def _in_turn(record: Order, known: Known) -> None:
    """A delivery or credit note comes after what its order has to be brought before: placed, taken off hold, invoiced,
    shipped. Magento ships nothing any more of what was refunded in full, and refunds nothing that is not invoiced."""
    if (other := known.earlier_due()) is not None:
        raise RetryLater(
            f"{record.fulfilment.kind} {record.key} of order {record.number} comes after PlentyONE order {other}, which is "
            "not through yet",
            after=IN_TURN,
            counts=False,
        )


def act(
    client: MagentoClient,
    match: Match,
    record: Order,
    known: Known,
    options: Options,
    *,
    created: bool = False,
    apart: bool = False,
) -> Written:
    """Bring the record's changes to the order. `created`: it was placed just now; `apart`: this delivery is a sale that was
    split off. Raises RecordFailed with all that failed, after all else was done."""
    with known.hold(HELD, match.id):
        work = Work(
            order=record,
            known=known,
            options=options,
            client=client,
            placed=Placed(match.payload or _order(client, match.id, record)),
            apart=apart,
        )
        if record.fulfilment.kind is OrderKind.SALE:
            return _sale(work, match.link, created)
        return _child(work)


def _order(client: MagentoClient, id: str, record: Order) -> Payload:
    try:
        return read(client, id, record.number)
    except NotFound as error:
        raise RecordFailed(f"Order {record.number}: Magento's order {id} cannot be read any more. {error}") from error


def _sale(work: Work, link: Counterpart | None, created: bool) -> Written:
    placed = work.placed
    work.known.learn(id=placed.id, number=placed.number)
    cancelled = False

    def cancel() -> None:
        nonlocal cancelled
        cancelled = True  # also when it fails: what is to be cancelled is not invoiced
        cancelled = standing.cancel(work)

    _try(work, lambda: standing.unhold(work))
    _try(work, cancel)
    if not cancelled and not work.order.cancelled:  # whether or not a setting has it cancelled here
        _papers(work)
    _try(work, lambda: standing.restate(work, _echo(link)))
    _try(work, lambda: standing.hold(work))
    _try(work, lambda: _attributes(work))
    work.known.learn(status=work.placed.status, state=work.placed.state)
    _waiting(work)
    return _written(work, placed.id, created=created)


def _papers(work: Work) -> None:
    """Invoice and shipment, and whether the invoice came out as it should."""
    before = work.ref("invoice_id")
    _try(work, lambda: invoicing.bring(work))
    _try(work, lambda: shipping.bring(work))
    if work.reset:
        work.reread()
        if work.ref("invoice_id") != before and not work.dry:
            _try(work, lambda: invoicing.verify(work))


def _child(work: Work) -> Written:
    """A delivery or a credit note. Its own status is not the order's."""
    kind = work.order.fulfilment.kind
    work.known.learn(order_id=work.placed.id, number=work.placed.number)
    total: list[Decimal | None] = [None]

    def refund() -> None:
        total[0] = refunding.bring(work)

    fresh = work.known.refs.get("id") is None
    if kind is OrderKind.CREDIT:
        _try(work, refund)
    elif work.apart and (work.order.cancelled or work.status_in("cancel_statuses")):
        _try(work, lambda: standing.cancel_part(work))
    elif work.apart:
        _papers(work)
    else:
        _try(work, lambda: shipping.bring(work))
    if work.ref("restore"):
        if work.reset:
            work.reread()
        _try(work, lambda: standing.keep(work))
        work.known.learn(restore="")
    elif work.reset and work.ended and not work.apart:
        work.reread()
    if work.reset and (work.ended or work.apart) and not work.dry:  # the export takes it for what it is: our doing
        work.known.learn_of(work.placed.id, status=work.placed.status or "", state=work.placed.state or "")
    _waiting(work)
    key = work.ref("id")
    if key is None and not work.trouble and work.later is None:
        if work.waits:  # its order is released by another record
            raise RetryLater(
                f"delivery {work.order.key} of order {work.order.number}: on hold, the shipment waits until it is released",
                after=HELD_WAIT,
                aside=True,
            )
        raise SkipRecord(f"delivery {work.order.key} of order {work.order.number}: nothing of it is to be shipped yet")
    return _written(work, key or "", created=fresh, total=total[0])


def _try(work: Work, act: Callable[[], object]) -> None:
    try:
        act()
    except RecordFailed as error:
        work.trouble.append(str(error).rstrip())
        if work.setting is None:
            work.setting = error.setting
    except RetryLater as error:
        if not error.aside:
            raise
        work.later = work.later or error  # what comes after does not wait for it


def _waiting(work: Work) -> None:
    """An order on hold refuses papers. By a status of ours, they wait; by somebody else's doing, somebody must act."""
    if not work.waits:
        return
    said = WAITING[tuple(work.waits)]
    if work.options.hold_order and work.status_in("hold_statuses"):
        work.done.append(f"on hold: {said} until it is released")
        return
    work.trouble.append(
        f"{work.name}: Magento order {work.placed.number} is on hold; {said}. Release it in Magento, or add this status to "
        "those in which orders are released."
    )


def _written(work: Work, key: str, *, created: bool, total: Decimal | None = None) -> Written:
    if work.trouble:
        said = f" Done: {', '.join(work.done)}." if work.done else ""
        raise RecordFailed(" ".join(work.trouble) + said, setting=work.setting)
    if work.later is not None:
        raise work.later
    done = ", ".join(work.done) or "nothing to do"
    return Written(key=key, created=created, message=f"Magento order {work.placed.number}: {done}.", total=total)


def _echo(link: Counterpart | None) -> str | None:
    """The status that was brought there from this shop."""
    if link is None or not link.reverse:
        return None
    told = link.refs.get("status_id")
    return None if told is None else ident(told)


def _attributes(work: Work) -> None:
    """Properties as lines of a comment, written when they are new or different."""
    rows: Mapping[str, Any] = work.options.get("attribute_mapping") or {}
    told = work.order.attributes
    lines = [f"{label}: {told[key]}" for key, label in rows.items() if label and told.get(key) not in (None, "")]
    text = "; ".join(lines)
    if not text or text == work.ref("attributes"):
        return
    said = {str(one.text("comment")) for one in work.placed.fields.loose_rows("status_histories")}
    if not any(one.endswith(text) for one in said):  # an earlier attempt may have
        standing.comment(work, text, work.placed.status)
        work.done.append("attributes written to the comments")
    work.known.learn(attributes=text)
