"""Refunds: money goes back to the customer at refurbed, once, and is booked as an outgoing payment of the order.

A sale, or a return of all its items, pays back all that is left; another return its items, a credit note what its lines
say. refurbed has no key by which it would know a repetition, and its target amounts protect only who keeps them: so what
an item (or the order) shall have refunded in the end is kept before the call. After a lost answer `total_refunded` tells
whether it came to that. A second event of the same return or credit note finds the first one's claim and pays nothing.

The booking follows each refund at once. What was refunded, and when, is kept before it, so that a worker that is killed
in between is followed by one that only books.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from marshmallow import fields

from connector import InDoubt, Payload, RecordFailed, SkipRecord
from connector.procedures import STATUS, Template
from connector.records import OrderKind, Payback, cents
from connector.refurbed.accepting import REFERRER, move
from connector.refurbed.acting import (
    ACCEPTED,
    CANCELLED,
    COSTS,
    NEW,
    REJECTED,
    RETURNED,
    SHIPPED,
    Act,
    Item,
    Position,
    Work,
    listed,
)
from connector.refurbed.answers import Refused
from connector.refurbed.reading import Fields, paid_and_refunded
from connector.refurbed.shapes import money
from connector.settings import CREDIT_MEMO, Settings, setting

ZERO = Decimal(0)
LINK = "refund"
WHOLE = "order"
ALREADY = "INELIGIBLE_ALREADY_REFUNDED"
NO_OBSTACLE = (None, "", "UNSPECIFIED", "ELIGIBLE", ALREADY)  # what is not told, the calculation tells
FREE = "-"  # a claim that was given up: refurbed refused


class RefundOptions(Settings):
    """What people set up at an event procedure that refunds."""

    report_return = setting(
        fields.Boolean(),
        section=CREDIT_MEMO,
        label="Report the return as received",
        help="For returns: before the refund, refurbed is told that the items came back.",
        default=True,
    )


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One refund to be: of an item, or of all that is left of the order (`item` None)."""

    key: str
    label: str
    item: Item | None
    currency: str
    paid: Decimal  # as it is now
    refunded: Decimal  # as it is now
    amount: Decimal  # that shall go back

    @property
    def name(self) -> str:
        """By which it is kept: the id of an item may be that of an order, too."""
        return self.key if self.item is not None else WHOLE

    @property
    def request(self) -> Payload:
        if self.item is None:
            return {"id": self.key}
        return {"id": self.key, "currency_code": self.currency, "target_paid_amount": money(self.paid - self.amount)}

    @property
    def service(self) -> str:
        return "OrderService" if self.item is None else "OrderItemService"

    @property
    def method(self) -> str:
        return "RefundOrder" if self.item is None else "RefundOrderItem"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What `total_refunded` was, and what it shall be: "0.00/50.00"."""

    before: Decimal
    after: Decimal

    @classmethod
    def of(cls, text: str | None) -> Kept | None:
        if not text or text == FREE:
            return None
        before, _, after = text.partition("/")
        return cls(before=Decimal(before), after=Decimal(after))

    def __str__(self) -> str:
        return f"{money(self.before)}/{money(self.after)}"


class Refund(Act):
    """Table 9 of the guide."""

    code = "refund"
    label = "Send refund to refurbed"
    help = (
        "Pays the customer back at refurbed: all of an order, the items of a return, the amounts of a credit note. Then the "
        "amount is booked as an outgoing payment. A refund cancels nothing: combine it with 'Send order cancellation to "
        "refurbed'."
    )
    order_types = (OrderKind.SALE, OrderKind.RETURN, OrderKind.CREDIT)
    Options = RefundOptions
    template = Template(
        name="Send refund to refurbed",
        event=STATUS,
        status=("9.6",),
        filters={
            "order_type": (str(OrderKind.SALE), str(OrderKind.RETURN), str(OrderKind.CREDIT)),
            "referrer": REFERRER,
        },
    )

    def act(self, work: Work) -> None:
        if work.kind is OrderKind.CREDIT and not any(line.external for line in work.goods()):
            raise RecordFailed(
                f"{work.name} is over an amount and over no item of refurbed order {work.key}. refurbed refunds per item "
                "only: make a credit note over its items, with the amount of each. Nothing was refunded."
            )
        positions = work.positions()
        if work.kind is OrderKind.RETURN:
            _single(work, positions)
            if work.occurrence.settings.get("report_return", True):
                self._report(work, positions)
                if work.again or work.trouble:
                    return
        due = []
        for aim in [one for one in _aims(work, positions) if self._due(work, one)]:
            _eligible(work, aim)
            if self._try(work, aim):
                due.append(aim)
        for aim in due:
            self._pay(work, aim)

    def _report(self, work: Work, positions: list[Position]) -> None:
        """The goods are back: SHIPPED items become RETURNED, which is for refurbed the report of the return."""
        items = [one.item for one in positions]
        if early := [one for one in items if one.state in (NEW, ACCEPTED)]:
            raise RecordFailed(
                f"{work.name}: {listed(early)} was never reported as shipped to refurbed, so it cannot come back. Send the "
                "shipping confirmation first, then repeat this. Nothing was refunded."
            )
        if odd := [one for one in items if one.state in (CANCELLED, REJECTED)]:
            work.note(f"{listed(odd)} is cancelled or rejected at refurbed: its return cannot be reported there.")
        made = move(work, [one for one in items if one.state == SHIPPED], RETURNED)
        if made:
            work.done.append(f"return reported to refurbed: {listed(made)}")

    def _due(self, work: Work, aim: Aim) -> bool:
        """Whether a refund is still to be made; of one that was made before, at least the booking is. Raises
        RecordFailed where it cannot be told."""
        if work.ref(f"refunded_{aim.name}"):
            self._book(work, aim)
            return False
        kept = Kept.of(work.ref(f"refund_{aim.name}"))
        if kept is not None:
            return self._unfinished(work, aim, kept)
        claim = self._claim(work, aim)
        if claim is not None and aim.refunded >= claim[1].after:
            work.done.append(f"{aim.label} was refunded by an earlier event already")
            return False
        if claim is not None:
            raise RecordFailed(
                f"{work.name}: the refund of {aim.label} was begun by another event ({claim[0]}) and is not through. Repeat "
                "that one, not this; nothing was refunded."
            )
        if not aim.paid and aim.refunded >= aim.amount:
            work.done.append(
                f"nothing is left to refund of {aim.label}: {money(aim.refunded)} {aim.currency} went back"
            )
            return False
        if aim.amount > aim.paid:
            raise RecordFailed(
                f"{work.name}: {money(aim.amount)} {aim.currency} shall go back for {aim.label}, but only {money(aim.paid)} "
                "are paid and not refunded yet. Nothing was refunded; correct the credit note."
            )
        return True

    def _unfinished(self, work: Work, aim: Aim, kept: Kept) -> bool:
        """An earlier attempt of this event sent it, or was just going to."""
        if aim.refunded == kept.after:
            self._refunded(work, aim, kept.after - kept.before)
            self._book(work, aim)
            return False
        if aim.refunded == kept.before:
            return True
        raise RecordFailed(
            f"{work.name}: of {aim.label}, {money(aim.refunded)} {aim.currency} are refunded, neither the "
            f"{money(kept.before)} of before nor the {money(kept.after)} that were intended. Somebody else refunded "
            "meanwhile: compare refurbed with the payments of the order and finish it by hand."
        )

    def _try(self, work: Work, aim: Aim) -> bool:
        """The dry run at refurbed, which must come to the same; whether the refund is still to be made after it. Raises
        RecordFailed."""
        try:
            told = work.ask(aim.service, f"Calculate{aim.method}", aim.request)
        except Refused as error:
            if self._late(work, aim):
                return False
            raise RecordFailed(
                f"{work.name}: refurbed does not allow the refund of {aim.label}: {error.said}. Nothing was refunded."
            ) from error
        would = Fields("refurbed's calculation", told).needed_amount("refunded")
        if would == aim.amount and str(told.get("currency_code") or aim.currency) == aim.currency:
            return True
        if self._late(work, aim):
            return False
        raise RecordFailed(
            f"{work.name}: {money(aim.amount)} {aim.currency} of {aim.label} were to be refunded, refurbed would refund "
            f"{would} {told.get('currency_code')}. Nothing was refunded; see it at refurbed."
        )

    def _late(self, work: Work, aim: Aim) -> bool:
        """Whether an earlier call of this event, that was at work still, came through since the order was read."""
        kept = Kept.of(work.ref(f"refund_{aim.name}"))
        if kept is None or not self._reached(work, aim, kept):
            return False
        self._refunded(work, aim, kept.after - kept.before)
        self._book(work, aim)
        return True

    def _pay(self, work: Work, aim: Aim) -> None:
        kept = Kept(before=aim.refunded, after=aim.refunded + aim.amount)
        with work.known.hold(LINK, self._name(work, aim)) as link:
            link.learn(work.occurrence.key, str(kept))
        work.known.learn(**{f"refund_{aim.name}": str(kept)})
        try:
            answer = work.ask(aim.service, aim.method, aim.request, write=True)
        except Refused as error:
            self._refused(work, aim, kept, error.said)
            return
        if work.dry:
            work.done.append(f"{money(aim.amount)} {aim.currency} refunded for {aim.label}")
            return
        try:
            back = Fields("refurbed's answer", answer).needed_amount("refunded")
        except RecordFailed as error:
            raise InDoubt(f"{work.name}: {error} Whether {aim.label} was refunded is not known") from error
        if not back:
            self._refused(work, aim, kept, "refunded 0.00")
            return
        if back != aim.amount:
            work.note(
                f"refurbed refunded {money(back)} {aim.currency} for {aim.label}, {money(aim.amount)} were intended."
            )
        self._refunded(work, aim, back)
        self._book(work, aim)

    def _refused(self, work: Work, aim: Aim, kept: Kept, said: str) -> None:
        """Nothing went back by this call: because an earlier one, whose answer was lost, was at work still, or for good."""
        if self._reached(work, aim, kept):
            self._refunded(work, aim, kept.after - kept.before)
            self._book(work, aim)
        else:
            self._give_up(work, aim)
            work.trouble.append(f"refurbed refused the refund of {aim.label}: {said}")

    def _reached(self, work: Work, aim: Aim, kept: Kept) -> bool:
        work.read()
        data = work.data if aim.item is None else work.items[aim.key].data
        return paid_and_refunded(Fields(aim.label, data))[1] == kept.after

    def _refunded(self, work: Work, aim: Aim, back: Decimal) -> None:
        work.known.learn(**{f"refunded_{aim.name}": f"{money(back)} {aim.currency} {self.host.now().isoformat()}"})

    def _book(self, work: Work, aim: Aim) -> None:
        """The outgoing payment, with the order id as its reason, for a part the item id."""
        back, currency, at = str(work.ref(f"refunded_{aim.name}")).split(" ")
        work.done.append(f"{back} {currency} refunded for {aim.label}")
        if work.ref(f"payment_{aim.name}") or work.dry:
            return
        payback = Payback(
            amount=Decimal(back),
            currency=currency,
            at=datetime.fromisoformat(at),
            reason=aim.key,
            key=self._name(work, aim),
        )
        id = self.desk.book(work.order, payback, work.known)
        work.known.learn(**{f"payment_{aim.name}": id}, refund=_more(work.ref("refund"), id))
        work.done.append(f"payment {id} booked")

    # which event pays

    def _name(self, work: Work, aim: Aim) -> str:
        return f"{work.order.key}-{aim.name}"

    def _claim(self, work: Work, aim: Aim) -> tuple[str, Kept] | None:
        """The other event of this very record that began this refund, and what it keeps of it."""
        with work.known.hold(LINK, self._name(work, aim)) as link:
            kept = Kept.of(link.digest)
            other = link.id if link.id not in (None, FREE, work.occurrence.key) else None
            return (other, kept) if other and kept else None

    def _give_up(self, work: Work, aim: Aim) -> None:
        with work.known.hold(LINK, self._name(work, aim)) as link:
            link.learn(FREE, FREE)
        work.known.learn(**{f"refund_{aim.name}": FREE})


def _more(listed: str | None, id: str) -> str:
    return f"{listed}, {id}" if listed else id


def _aims(work: Work, positions: list[Position]) -> Iterator[Aim]:
    if work.kind is OrderKind.CREDIT:
        yield from _credited(work, positions)
        return
    held = {one.item.id for one in positions}
    paid = {id for id, one in work.items.items() if one.paid}
    every = paid if work.kind is OrderKind.SALE else set(work.items)  # a return of what is left is one of a part
    whole = Kept.of(work.ref(f"refund_{WHOLE}")) is not None  # what an attempt began, the next one goes on with
    apart = any(work.ref(f"refund_{id}") for id in held)
    if whole or (every <= held and not apart):
        yield _whole(work)
    else:  # a return of a part, or a sale that was split: all of its own items, nothing of the others
        for one in positions:
            yield _of_item(work, one.item, one.item.paid)


def _whole(work: Work) -> Aim:
    paid, refunded = paid_and_refunded(Fields(f"refurbed's order {work.key}", work.data))
    return Aim(
        key=work.key,
        label=f"Order {work.key}",
        item=None,
        currency=str(work.data.get("currency_code")),
        paid=paid,
        refunded=refunded,
        amount=paid,
    )


def _of_item(work: Work, item: Item, back: Decimal) -> Aim:
    return Aim(
        key=item.id,
        label=item.label,
        item=item,
        currency=_currency(work, item),
        paid=item.paid,
        refunded=item.refunded,
        amount=back,
    )


def _credited(work: Work, positions: list[Position]) -> Iterator[Aim]:
    """A credit note pays back what its lines say, each of its own item. Raises RecordFailed for amounts of no item."""
    order = work.order
    total = cents(order.grand_total)
    if not total:
        raise SkipRecord(f"{work.name} is over 0.00 {order.currency}.")
    known = cents(sum((one.total for one in positions), ZERO))
    if known != total or any(one.total < 0 for one in positions):
        apart = [line.name for line in order.lines if line.total and (line.external is None or line.kind in COSTS)]
        raise RecordFailed(
            f"{work.name} is over {total} {order.currency}, its items of refurbed come to {known}. refurbed refunds per "
            f"item only: put the whole amount on the items ({', '.join(apart) or 'no other lines'}). Nothing was refunded."
        )
    for one in positions:
        item, back = one.item, cents(one.total)
        if (currency := _currency(work, item)) != order.currency:
            raise RecordFailed(
                f"{work.name} is in {order.currency}, {item.label} was paid in {currency}. Nothing was refunded."
            )
        if back:
            yield _of_item(work, item, back)


def _currency(work: Work, item: Item) -> str:
    """The item's, which is its order's."""
    return str(item.data.get("currency_code") or work.data.get("currency_code"))


def _single(work: Work, positions: list[Position]) -> None:
    if several := [one.item for one in positions if one.quantity > 1]:
        raise RecordFailed(
            f"{work.name}: {listed(several)} stands for several units on one line, but an item of refurbed is one unit. Put "
            "each on a line of its own. Nothing was refunded."
        )


def _eligible(work: Work, aim: Aim) -> None:
    """Raise RecordFailed, saying what to do, when refurbed allows no refund."""
    items = [aim.item] if aim.item is not None else list(work.items.values())
    for item in items:
        found = item.data.get("refund_eligibility")
        if found not in NO_OBSTACLE:
            why = explained(str(found))
            raise RecordFailed(f"{work.name}: {item.label} cannot be refunded: {why} Nothing was refunded.")
    found = work.data.get("refund_eligibility")
    if aim.item is None and found not in NO_OBSTACLE:
        why = explained(str(found))
        raise RecordFailed(f"{work.name}: {aim.label} cannot be refunded: {why} Nothing was refunded.")


def explained(eligibility: str) -> str:
    """Why refurbed allows no refund, and what to do."""
    if eligibility == "INELIGIBLE_NO_TICKET":
        return "there is no ticket for it. Open a ticket at refurbed, then repeat this."
    if eligibility == "INELIGIBLE_PERIOD_EXPIRED":
        return "the order is too old. Agree with refurbed's support how the customer gets the money."
    if eligibility == "INELIGIBLE_UNCAPTURED_PAYMENT":
        return "refurbed has not collected the customer's payment yet. Repeat this when it has."
    if eligibility == ALREADY:
        return "everything was refunded already."
    return "refurbed gives no reason. Ask refurbed's support, then repeat this."


__all__ = ["Aim", "Kept", "Refund", "RefundOptions", "explained"]
