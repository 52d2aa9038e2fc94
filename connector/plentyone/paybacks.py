"""Money that went back at a market, booked in PlentyONE: a debit payment of the sales order, once.

It bears the payback's own id as its transaction id (property 1), by which an attempt after doubt finds it; PlentyONE
refuses a second payment of equal data (`hash`), and what it refused so is looked up. The shapes are those of the vendor's
payment model; `receivedAt` and `properties` are sent on create as working clients do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connector import InDoubt, Known, Payload, RecordFailed, RetryLater, find_or_create
from connector.plentyone.client import PlentyClient
from connector.plentyone.payments import BOOKED, DUPLICATE, GOOD, REFERENCE, TEXT, TRANSACTION
from connector.plentyone.shapes import amount, key_of, rows, same, valued, wire
from connector.records import Order, Payback
from connector.settings import ident

REFUNDED = 9  # payment status
HELD = "plenty_payback"
MADE_UP = "dry-payment"  # of a dry run


def book(client: PlentyClient, order: Order, payback: Payback, known: Known, *, lag: float) -> str:
    """The payment's id. Raises RetryLater, InDoubt, RecordFailed."""
    return _Booking(client, order, payback, known, lag).done()


class _Booking:
    """One payback on its way."""

    def __init__(self, client: PlentyClient, order: Order, payback: Payback, known: Known, lag: float) -> None:
        self.client, self.order, self.payback, self.known, self.lag = client, order, payback, known, lag
        self.sale = order.fulfilment.origin or order.key
        self.number = order.fulfilment.number or order.number
        self.code = f"refund-{self.sale}-{payback.key}"
        self.ref = f"payback_{payback.key}"
        self.fresh = False  # made by this very call, so related to nothing yet

    def done(self) -> str:
        ref, related = self.known.refs.get(self.ref), f"{self.ref}_order"
        if ref and self.known.refs.get(related):
            return ref
        with self.known.hold(HELD, self.code) as link:  # two procedures may tell of the same money
            id = ref or link.id
            if id is None:
                doubts = [link.doubt_age] * link.doubt + [self.known.doubt_age] * self.known.doubt
                id = find_or_create(
                    doubt=bool(doubts),
                    doubt_age=min(doubts, default=0.0),
                    lag=self.lag,
                    what=f"Order {self.number}: the payment of what was paid back ({self.payback.key})",
                    find=self.find,
                    create=lambda: self.create(doubt=bool(doubts)),
                )
            self.known.learn(**{self.ref: id})
            if self.client.dry is None:
                link.learn(id)
            self.known.learn(**{related: self.relate(id)})
        return id

    # finding

    def find(self) -> str | None:
        """By its transaction id, as the lists of this id and of the order show it."""
        paths = (
            f"/rest/payments/property/{TRANSACTION}/{quote(self.code, safe='')}",
            f"/rest/payments/orders/{self.sale}",
        )
        for path in paths:
            for row in self.client.entries(path, most=5, reference=self.number):
                if valued(row.get("properties"), TRANSACTION) == self.code and not _deleted(row):
                    return str(key_of(row))
        return None

    def received(self) -> Payload | None:
        """The payment that came in for the order: the largest in the currency, which names the method as well."""
        found = self.client.entries(f"/rest/payments/orders/{self.sale}", most=5, reference=self.number)
        came = [
            row
            for row in found
            if str(row.get("type") or "credit") == "credit"
            and not _deleted(row)
            and amount(row.get("status")) in GOOD
            and str(row.get("currency") or "").upper() == self.payback.currency
        ]
        return max(came, key=lambda row: amount(row.get("amount")) or Decimal(0), default=None)

    # making

    def create(self, *, doubt: bool, again: bool = False) -> str:
        body = self.body() | ({"regenerateHash": True} if again else {})
        try:
            data = self.client.send("POST", "/rest/payments", body, reference=self.number)
        except RecordFailed as error:
            if again or not DUPLICATE.search(str(error)):
                raise
            if (found := self.find()) is not None:
                return found
            if doubt:  # the twin may be our own, not listed yet: a new hash would book it twice
                raise RetryLater(
                    f"Order {self.number}: PlentyONE has this payment already, but does not list it yet", after=self.lag
                ) from error
            return self.create(doubt=doubt, again=True)
        if self.client.dry is not None:
            return MADE_UP
        id = key_of(data) if isinstance(data, Mapping) else None
        if id is None:
            raise InDoubt(f"Order {self.number}: PlentyONE's answer to the payment of its refund has no id")
        self.fresh = True
        return id

    def body(self) -> Payload:
        came = self.received()
        method = self.order.payment.method or (key_of(came, "mopId") if came else None)
        if not method:
            raise RecordFailed(
                f"Order {self.number}: PlentyONE's order {self.sale} has no payment method, so that the refund of "
                f"{self.payback.amount} {self.payback.currency} cannot be booked. Set one there."
            )
        foreign = self.order.base_currency not in (None, self.payback.currency)
        told = ((TRANSACTION, self.code), (TEXT, self.payback.reason), (REFERENCE, self.number))
        made: Payload = {
            "amount": self.payback.amount,
            "exchangeRatio": self.rate(foreign),
            "mopId": wire(method),
            "currency": self.payback.currency,
            "type": "debit",
            "status": REFUNDED,
            "transactionType": BOOKED,
            "unaccountable": 0,
            "receivedAt": self.payback.at.isoformat(timespec="seconds"),
            "updateOrderPaymentStatus": True,
            "properties": [{"typeId": type, "value": value} for type, value in told],
        }
        if came is not None:
            made["parentId"] = wire(key_of(came))
        if foreign:
            made["isSystemCurrency"] = False
        return made

    def rate(self, foreign: bool) -> Decimal:
        """Currency of the payback per system currency."""
        if not foreign:
            return Decimal(1)
        if self.payback.currency == self.order.currency and self.order.exchange_rate:
            return self.order.exchange_rate
        raise RecordFailed(
            f"Order {self.number}: {self.payback.amount} {self.payback.currency} went back, and the exchange rate of "
            f"{self.payback.currency} is not known: the order is in {self.order.currency}. Book the payment by hand."
        )

    # relating

    def relate(self, id: str) -> str:
        """Assign it to the sales order; a second assignment would be accepted, so what is there is read before."""
        if not self.fresh and id != MADE_UP and (there := self.related(id)) is not None:
            return there
        data: Any = self.client.send("POST", f"/rest/payment/{id}/order/{self.sale}", reference=self.number)
        row = data if isinstance(data, Mapping) else next(iter(rows(data)), {})
        return key_of(row) or "0"

    def related(self, id: str) -> str | None:
        payment = self.client.find(f"/rest/payments/{id}", reference=self.number)
        if payment is None:
            raise RecordFailed(
                f"Order {self.number}: payment {id} of its refund was deleted in PlentyONE. It is not booked again by "
                "itself."
            )
        for row in _relations(payment):
            if same(row.get("orderId"), self.sale):
                return key_of(row) or "0"
        return None


def _relations(payment: Any) -> Iterator[Mapping[str, Any]]:
    order = payment.get("order") if isinstance(payment, Mapping) else None
    if isinstance(order, Mapping) and "orderId" in order:
        yield order
    else:
        yield from rows(order)


def _deleted(row: Mapping[str, Any]) -> bool:
    return ident(row.get("deleted") or 0) in ("1", "True")
