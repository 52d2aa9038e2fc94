"""How an order stands: on hold, cancelled, and with which status."""

from __future__ import annotations

from connector import RecordFailed, RetryLater
from connector.magento.answers import Refused
from connector.magento.placed import ENDED, FINAL
from connector.magento.work import Work
from connector.settings import ident

REVIEW_WAIT = 3600.0  # seconds


def unhold(work: Work) -> None:
    if work.placed.held and work.options.unhold_order and work.status_in("unhold_statuses"):
        work.send(f"orders/{work.placed.id}/unhold")
        before = work.placed.fields
        work.placed = work.placed.changed(
            state=before.text("hold_before_state") or "processing", status=before.text("hold_before_status")
        )
        work.done.append("taken off hold")


def review(work: Work, *, reason: str) -> RetryLater:
    """That something waits for the decision on the order's payment."""
    return RetryLater(
        f"{work.name}: Magento order {work.placed.number} is in payment review; {reason} until its payment is accepted or "
        "denied there",
        after=REVIEW_WAIT,
        aside=True,
    )


def cancel(work: Work) -> bool:
    """Whether the record's status means that the order is cancelled: nothing is invoiced or shipped then. Raises
    RecordFailed, and RetryLater while the payment is reviewed."""
    if not work.options.cancel_order or not work.status_in("cancel_statuses"):
        return False
    if work.placed.state in ENDED:
        return True
    if work.placed.reviewed:
        raise review(work, reason="its cancellation waits")
    if work.placed.held:
        raise RecordFailed(
            f"{work.name}: it is to be cancelled, but Magento order {work.placed.number} is on hold, and Magento cancels "
            "nothing on hold. Release it there, or add this status to those in which orders are released.",
            setting="unhold_statuses",
        )
    if work.order.extra.get("split"):
        raise RecordFailed(
            f"{work.name}: PlentyONE order {work.order.key} is cancelled, but others were split off from it, and Magento "
            f"cancels no part of an order. See to order {work.placed.number} there by hand."
        )
    if not work.placed.can_cancel or work.send(f"orders/{work.placed.id}/cancel") is False:
        raise RecordFailed(
            f"{work.name}: Magento order {work.placed.number} cannot be cancelled (state {work.placed.state}); most likely "
            "all of it is invoiced. What was paid goes back by a credit memo."
        )
    work.placed = work.placed.changed(state="canceled", status="canceled")
    work.done.append("cancelled")
    return True


def cancel_part(work: Work) -> None:
    """What was split off and is cancelled: said while something of the order is still open."""
    if work.options.cancel_order and work.status_in("cancel_statuses") and work.placed.can_cancel:
        raise RecordFailed(
            f"{work.name}: PlentyONE order {work.order.key}, a part of Magento order {work.placed.number}, is cancelled, "
            "and Magento cancels no part of an order. Cancel or refund it there by hand."
        )


def hold(work: Work) -> None:
    if not work.options.hold_order or not work.status_in("hold_statuses"):
        return
    if work.placed.held or work.placed.state in FINAL:
        return
    if work.placed.reviewed:
        raise review(work, reason="the hold waits")
    work.send(f"orders/{work.placed.id}/hold")
    work.placed = work.placed.changed(
        state="holded",
        status="holded",
        hold_before_state=work.placed.state,
        hold_before_status=work.placed.status,
    )
    work.done.append("put on hold")


def restate(work: Work, echo: str | None = None) -> None:
    """Give the order the status that the mapping wants, or the shop's own that a paper has reset.

    `echo` is the status that was brought there from here: it is no news.
    """
    told = None if work.order.status is None else ident(work.order.status)
    wanted = None
    if told is not None and told != echo and told != work.ref("source_status"):
        rows = {ident(key): value for key, value in (work.options.get("status_mapping") or {}).items()}
        wanted = rows.get(told)
    if wanted is not None and str(wanted) != work.placed.status:
        if work.placed.reviewed:
            raise review(work, reason=f"its status {wanted!r} waits")
        try:
            comment(work, f"Status {work.order.fulfilment.status_name or told}", str(wanted))
        except Refused as error:
            raise RecordFailed(
                f"{work.name}: Magento did not take the status {wanted!r} for order {work.placed.number}, which is in the "
                f"state {work.placed.state!r}: a status must belong to the order's state (Stores > Order Status). {error}",
                setting="status_mapping",
            ) from error
        work.done.append(f"status {wanted}")
    elif wanted is None:
        keep(work)
    if told is not None:
        work.known.learn(source_status=told)
    if work.ref("restore"):
        work.known.learn(restore="")


def keep(work: Work) -> None:
    """Set the shop's own status again that Magento has reset with a paper, while the order is in the same state."""
    kept = work.ref("restore")
    if kept is None or work.placed.state in ENDED:
        return
    state, _, status = kept.partition("/")
    if state == work.placed.state and status != work.placed.status:
        comment(work, "Status kept", status)
        work.done.append(f"status {status} set again")


def remember(work: Work) -> None:
    """Before a paper is made: which status of the shop's own has to be set again, should this attempt not live to."""
    if work.placed.custom_status and not work.ref("restore"):
        work.known.learn(restore=f"{work.placed.state}/{work.placed.status}")


def comment(work: Work, text: str, status: str | None) -> None:
    """A comment that nobody but the shop's people sees. Without a status old shops would take the order's away."""
    entry = {
        **work.mark(f": {text}"),
        "is_customer_notified": 0,
        "parent_id": int(work.placed.id),
    }
    if status is not None:
        entry["status"] = status
    work.send(f"orders/{work.placed.id}/comments", {"statusHistory": entry})
    if status is not None:
        work.placed = work.placed.changed(status=status)
