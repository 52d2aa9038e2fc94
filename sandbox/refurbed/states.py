"""Which state an item may take, and what the states of its items make of an order."""

from collections.abc import Sequence

from sandbox.refurbed.marketplace import Item, Marketplace, Order

ITEM_STATES = ("NEW", "REJECTED", "CANCELLED", "ACCEPTED", "SHIPPED", "RETURNED")
ORDER_STATES = (*ITEM_STATES, "FULFILLED", "UNFULFILLED", "PARTIALLY_FULFILLED")
# An accepted item can no longer be rejected.
MOVES = {
    "NEW": ("ACCEPTED", "REJECTED", "CANCELLED"),
    "ACCEPTED": ("SHIPPED", "CANCELLED"),
    "SHIPPED": ("RETURNED",),
}
LABELS = (
    *("PROCESSING", "PARTIALLY_REJECTED", "PARTIALLY_CANCELLED", "PARTIALLY_SHIPPED", "PARTIALLY_RETURNED"),
    *("MISSING_PARCEL_TRACKING_URLS", "MISSING_ITEM_IDENTIFIERS"),
)


def order_state(items: Sequence[Item]) -> str:
    states = {each.state for each in items}
    for open_state in ("NEW", "ACCEPTED"):
        if open_state in states:
            return open_state
    if len(states) == 1:
        return states.pop()
    if states <= {"SHIPPED", "RETURNED"}:
        return "FULFILLED"
    return "UNFULFILLED" if states <= {"REJECTED", "CANCELLED"} else "PARTIALLY_FULFILLED"


def labels(items: Sequence[Item]) -> list[str]:
    states = [each.state for each in items]
    holds = {"PROCESSING": any(one in MOVES and one != "SHIPPED" for one in states) and set(states) != {"NEW"}}
    for state in ("REJECTED", "CANCELLED", "SHIPPED", "RETURNED"):
        holds[f"PARTIALLY_{state}"] = 0 < states.count(state) < len(states)
    holds["MISSING_PARCEL_TRACKING_URLS"] = not all(each.tracking_url for each in items)
    holds["MISSING_ITEM_IDENTIFIERS"] = not all(each.identifiers for each in items)
    return [label for label in LABELS if holds[label]]


def invoiceable(market: Marketplace, order: Order) -> bool:
    if order.invoiceable is not None:
        return order.invoiceable
    return order.released_at is not None and (market.now - order.released_at).days < market.settings.invoice_days


def eligibility(market: Marketplace, order: Order, item: Item) -> str:
    """Whether an item can be refunded, in the words of RefundEligibility."""
    if not item.paid:
        return "INELIGIBLE_ALREADY_REFUNDED"
    if not order.captured:
        return "INELIGIBLE_UNCAPTURED_PAYMENT"
    if (market.now - order.created_at).days >= market.settings.refund_days:
        return "INELIGIBLE_PERIOD_EXPIRED"
    return "INELIGIBLE_NO_TICKET" if market.settings.ticket_required and not item.ticket else "ELIGIBLE"


def order_eligibility(market: Marketplace, order: Order) -> str:
    """That of the whole: eligible as soon as one item is."""
    found = [eligibility(market, order, each) for each in order.items]
    return "ELIGIBLE" if "ELIGIBLE" in found else next((one for one in found if "ALREADY" not in one), found[0])
