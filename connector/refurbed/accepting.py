"""Before the parcel: an order is confirmed, rejected or cancelled, item by item.

What refurbed allows: NEW may become ACCEPTED, REJECTED or CANCELLED; ACCEPTED may become SHIPPED or CANCELLED; all else
is final or, after shipping, a return.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector import RecordFailed
from connector.procedures import STATUS, Template
from connector.records import OrderKind
from connector.refurbed.acting import (
    ACCEPTED,
    CANCELLED,
    NEW,
    REJECTED,
    RETURNED,
    SHIPPED,
    STATES,
    Act,
    Item,
    Work,
    listed,
)

REFERRER = ("refurbed",)
SALES = (str(OrderKind.SALE),)


def move(work: Work, items: Sequence[Item], state: str, also: Sequence[str] = ()) -> list[Item]:
    """Give items a state; `also`: states that are as good, where another one was faster."""
    wanted = (state, *also)
    return work.update([{"id": one.id, "state": state} for one in items], STATES, lambda item: item.state in wanted)


class Confirm(Act):
    """Table 4 of the guide."""

    code = "confirm"
    label = "Send order confirmation to refurbed"
    help = (
        "Accepts the items of the order at refurbed. While an active event procedure leads here or to the rejection, the "
        "order import no longer accepts orders by itself."
    )
    template = Template(
        name="Send order confirmation to refurbed",
        event=STATUS,
        status=("5",),
        filters={"order_type": SALES, "referrer": REFERRER},
    )

    def act(self, work: Work) -> None:
        items = [one.item for one in work.positions()]
        gone = [one for one in items if one.state in (REJECTED, CANCELLED)]
        made = move(work, [one for one in items if one.state == NEW], ACCEPTED, also=(SHIPPED, RETURNED))
        if made:
            work.done.append(f"accepted at refurbed: {listed(made)}")
        elif not gone and not work.again and not work.trouble:
            work.done.append("refurbed has it as accepted already")
        if gone:
            work.trouble.append(
                f"{listed(gone)} is cancelled or rejected at refurbed and can no longer be accepted: do not ship it"
            )


class Reject(Act):
    """Table 8 of the guide."""

    code = "reject"
    label = "Send order rejection to refurbed"
    help = (
        "Tells refurbed that you cannot fulfil the order. Only new items can be rejected: an accepted item can only be "
        "cancelled. While an active event procedure leads here, the order import no longer accepts orders by itself."
    )
    template = Template(
        name="Send order rejection to refurbed",
        event=STATUS,
        status=("8",),
        filters={"order_type": SALES, "referrer": REFERRER},
    )

    def act(self, work: Work) -> None:
        items = [one.item for one in work.positions()]
        if late := [one for one in items if one.state in (ACCEPTED, SHIPPED, RETURNED)]:
            raise RecordFailed(
                f"{work.name}: {listed(late)} is accepted at refurbed already; an accepted item can no longer be rejected, "
                "only cancelled. Nothing was sent. Use 'Send order cancellation to refurbed'."
            )
        made = move(work, [one for one in items if one.state == NEW], REJECTED, also=(CANCELLED,))
        if made:
            work.done.append(f"rejected at refurbed: {listed(made)}")
        elif not work.again and not work.trouble:
            work.done.append("refurbed has it as rejected or cancelled already")


class Cancel(Act):
    """Table 6 of the guide."""

    code = "cancel"
    label = "Send order cancellation to refurbed"
    help = (
        "Cancels the new and accepted items of the order at refurbed. It pays nothing back: combine it with 'Send refund "
        "to refurbed'."
    )
    template = Template(
        name="Send order cancellation to refurbed",
        event=STATUS,
        status=("8.1",),
        filters={"order_type": SALES, "referrer": REFERRER},
    )

    def act(self, work: Work) -> None:
        items = [one.item for one in work.positions()]
        late = [one for one in items if one.state in (SHIPPED, RETURNED)]
        made = move(work, [one for one in items if one.state in (NEW, ACCEPTED)], CANCELLED, also=(REJECTED,))
        if made:
            work.done.append(f"cancelled at refurbed: {listed(made)}")
        elif not late and not work.again and not work.trouble:
            work.done.append("refurbed has it as cancelled or rejected already")
        if late:
            work.trouble.append(
                f"{listed(late)} is shipped at refurbed and can no longer be cancelled: the customer has to return it"
            )
