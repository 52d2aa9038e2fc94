"""How an order stands: on hold, cancelled, and with which status."""

from __future__ import annotations

from connector import Options, RecordFailed, RetryLater
from connector.magento.answers import Refused
from connector.magento.options import MISMATCH
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

    `echo` is the status that was brought there from here. It is no news the first time that it is heard; people may
    come back to it later.
    """
    told = None if work.order.status is None else ident(work.order.status)
    changed = told is not None and told != work.ref("source_status")
    heard = told == echo and work.ref("echo") != echo
    news = changed and not heard
    wanted = wanted_status(work.options, told) if news or _lost(work, told) else None
    if wanted is not None and wanted != work.placed.status:
        if work.placed.reviewed:
            raise review(work, reason=f"its status {wanted!r} waits")
        try:
            comment(work, f"Status {work.order.fulfilment.status_name or told}", wanted)
        except Refused as error:
            said = (
                f"{work.name}: Magento did not take the status {wanted!r} for order {work.placed.number}, which is in the "
                f"state {work.placed.state!r}: a status must belong to the order's state (Stores > Order Status). {error}"
            )
            if news:
                raise RecordFailed(said, setting="status_mapping") from error
            work.known.note(said)  # it had it in the state before: that one is over
            work.known.learn(news="")
            keep(work)
        else:
            work.done.append(f"status {wanted}")
    elif wanted is None:
        keep(work)
    if changed:
        work.known.learn(source_status=told, echo=echo, news=told if news else "")
    if work.ref("restore"):
        work.known.learn(restore="")


def wanted_status(options: Options, told: str | None) -> str | None:
    """What the mapping makes of a status of the source."""
    rows = {ident(key): value for key, value in (options.get("status_mapping") or {}).items()}
    found = None if told is None else rows.get(told)
    return None if found is None else str(found)


def _lost(work: Work, told: str | None) -> bool:
    """Whether the order is to get the status again that it was given for this one: people, or the shop, took it away."""
    looked_for = work.options.incomplete_detection_enabled and MISMATCH in (
        work.options.get("incomplete_strategies") or ()
    )
    open_ = work.placed.state not in FINAL and not work.placed.held and not work.placed.reviewed
    return bool(looked_for and open_ and told is not None and told == work.ref("news"))


def keep(work: Work) -> None:
    """Set the shop's own status again that Magento has reset with a paper, while the order is in the same state."""
    kept = work.ref("restore")
    if kept is None or work.placed.state in ENDED:
        return
    state, _, status = kept.partition("/")
    if state == work.placed.state and status != work.placed.status:
        try:
            comment(work, "Status kept", status)
        except Refused as error:  # old versions had stored what does not belong to the state
            work.known.note(
                f"The shop's own status {status!r} was lost with a paper, and Magento does not take it again in the state "
                f"{state!r} (Stores > Order Status). {error}"
            )
            return
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
