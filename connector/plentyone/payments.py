"""The payment of an order, and its relations to the order and the contact. Each is made once.

A payment carries the shop's transaction id (property 1) and order number (10). PlentyONE hashes a payment and refuses a
second one with the same hash; what it refused is looked up. Amounts are in the order's currency.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from connector import ConnectorError, InDoubt, Payload, RecordFailed, RetryLater
from connector.plentyone.client import BatchRefused, Operation
from connector.plentyone.comments import Notes
from connector.plentyone.shapes import amount, key_of, rows, same, valued
from connector.plentyone.work import Work, number
from connector.records import cents

AWAITING, APPROVED = 1, 2  # payment status
BOOKED = 2  # transaction type
TRANSACTION, TEXT, REFERENCE, SENDER, SENDER_EMAIL = 1, 3, 10, 11, 12  # property types
GOOD = (2, 3, 4, 10)  # statuses of money that came in
DUPLICATE = re.compile(r"\bhash\b|duplicate|already exists", re.IGNORECASE)


def due(work: Work) -> tuple[Decimal, int] | None:
    """How much to book, and in which payment status; None when nothing is to be booked."""
    order = work.order
    if not work.aim.pays:
        return None
    paid = cents(max(order.paid, order.payment.amount))
    if paid > 0:
        return paid, APPROVED
    if work.aim.unconfirmed and order.grand_total > 0 and not order.cancelled:
        return order.grand_total, AWAITING
    return None


def bring(
    work: Work, order_id: str, contact: str | None, notes: Notes | None = None, *, came_in: Decimal = Decimal(0)
) -> str | None:
    """The payment's id, created and related to order and contact; None when there is nothing to book.

    `notes` go along with the relations where this system takes batches. `came_in` is what PlentyONE has as paid without
    us: a bank transfer that people booked there is not booked a second time.
    """
    booked = due(work)
    id = work.ref("payment_id")
    if id is None:
        if booked is not None and came_in > 0:
            booked = (booked[0] - came_in, booked[1])
        if booked is None or booked[0] <= 0:
            return None
        id = work.once(
            "its payment",
            lambda: _look_up(work, order_id, booked[0], {}),
            lambda: _create(work, order_id, *booked, {}),
        )
    relate(work, id, order_id, contact, notes)
    return id


def _learn(work: Work, data: Mapping[str, Any]) -> str:
    id = key_of(data)
    if id is None:
        raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to its payment has no id")
    # relations of an earlier payment are not this one's: forgotten by the same commit that names the new payment
    stale = {ref: "" for ref in ("payment_order_id", "payment_contact_id") if work.ref(ref)}
    work.known.learn(
        payment_id=id,
        payment_method_id=key_of(data, "mopId") or work.aim.method,
        payment_status_id=key_of(data, "status"),
        **stale,
    )
    return id


def _create(
    work: Work, order_id: str, sum: Decimal, status: int, counted: Mapping[str, Payload], again: bool = False
) -> str:
    made = {**body(work, sum, status), **({"regenerateHash": True} if again else {})}
    try:
        data = work.send("POST", "/rest/payments", made)
    except RecordFailed as error:
        if again or not DUPLICATE.search(str(error)):
            raise
        if _twin(work, sum, counted):  # refused because of an earlier one of equal data: this is another payment
            return _create(work, order_id, sum, status, counted, again=True)
        found = _look_up(work, order_id, sum, counted)
        if found is not None:
            return found
        if work.doubt:  # the twin may be our own, not listed yet: a new hash would pay twice
            raise RetryLater(
                f"Order {work.order.number}: PlentyONE has this payment already, but does not list it yet",
                after=work.lag,
            ) from error
        return _create(work, order_id, sum, status, counted, again=True)
    if not isinstance(data, Mapping):
        raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to its payment is no payment")
    return _learn(work, data)


def transaction(work: Work) -> str:
    return work.order.payment.transaction_id or work.order.number


def _sender_email(work: Work) -> str | None:
    return work.order.customer.email or work.order.billing.email


def body(work: Work, sum: Decimal, status: int) -> Payload:
    """The payment as POST /rest/payments takes it."""
    order = work.order
    code = transaction(work)
    name = " ".join(part for part in (order.billing.first_name, order.billing.last_name) if part)
    text = f"Order {order.number}" + (f" {code}" if code != order.number else "")
    told = (
        (TRANSACTION, code),
        (TEXT, text),
        (REFERENCE, order.number),
        (SENDER, name or order.billing.company),
        (SENDER_EMAIL, _sender_email(work)),
    )
    made: Payload = {
        "amount": sum,
        "exchangeRatio": work.rated(),
        "mopId": number(work.aim.method),
        "currency": order.currency,
        "type": "credit",
        "status": status,
        "transactionType": BOOKED,
        "unaccountable": 0,
        "updateOrderPaymentStatus": True,
        "properties": [{"typeId": type, "value": value} for type, value in told if value],
    }
    if not work.system:
        made["isSystemCurrency"] = False
    if status == APPROVED and order.payment.paid_at is not None:
        made["receivedAt"] = order.payment.paid_at.isoformat(timespec="seconds")
    return made


# finding


def _look_up(work: Work, order_id: str, sum: Decimal, counted: Mapping[str, Payload]) -> str | None:
    """A payment of this order and amount: assigned to it already, or known by its transaction id.

    Those in `counted` were booked before and are not looked for, however equal they are.
    """
    paths = (
        f"/rest/payments/orders/{order_id}",
        f"/rest/payments/property/{TRANSACTION}/{quote(transaction(work), safe='')}",
    )
    for path in paths:
        for row in work.client.entries(path, most=5, reference=work.order.number):
            if key_of(row) in counted or not _ours(work, row, order_id, sum):
                continue
            # lists need not say what a payment is assigned to; its own page does
            whole = row if "order" in row else work.get(f"/rest/payments/{key_of(row)}")
            if isinstance(whole, dict) and _ours(work, whole, order_id, sum):
                return _learn(work, whole)
    return None


def _ours(work: Work, row: Payload, order_id: str, sum: Decimal) -> bool:
    """Same money, and nothing says that it belongs to another order."""
    if amount(row.get("amount")) != sum or str(row.get("currency") or "").upper() != work.order.currency:
        return False
    if str(row.get("type") or "credit") != "credit" or row.get("deleted") in (1, True, "1"):
        return False
    sender, email = valued(row.get("properties"), SENDER_EMAIL), _sender_email(work)
    order = row.get("order")
    if isinstance(order, Mapping) and order.get("orderId"):
        return same(order["orderId"], order_id)
    if sender and email and sender.lower() != email.lower():
        return False  # of another order with the same number
    reference = valued(row.get("properties"), REFERENCE)
    code = valued(row.get("properties"), TRANSACTION)
    return reference == work.order.number if reference else code in (None, transaction(work))


def _twin(work: Work, sum: Decimal, counted: Mapping[str, Payload]) -> bool:
    """Whether a payment that was booked before looks the same to PlentyONE."""
    return any(
        amount(row.get("amount")) == sum and valued(row.get("properties"), TRANSACTION) in (None, transaction(work))
        for row in counted.values()
    )


# relating


def relate(work: Work, id: str, order_id: str, contact: str | None, notes: Notes | None = None) -> None:
    """Assign the payment to the order and to the contact, and write the notes; by one call where this system takes
    batches, else the notes are left to the caller."""
    notes = notes or Notes([])
    wanted = {"payment_order_id": ("order", "orderId", order_id)}
    if contact is not None:
        wanted["payment_contact_id"] = ("contact", "contactId", contact)
    wanted = {ref: one for ref, one in wanted.items() if work.ref(ref) is None}
    if wanted and work.doubt:
        _learn_relations(work, work.get(f"/rest/payments/{id}"), wanted)
        wanted = {ref: one for ref, one in wanted.items() if work.ref(ref) is None}
    if wanted and len(wanted) + len(notes.waiting) > 1 and not work.doubt and work.client.batches:
        _relate_by_batch(work, id, wanted, notes)
    for ref, (name, field, other) in wanted.items():
        if work.ref(ref) is None:
            data = work.send("POST", f"/rest/payment/{id}/{name}/{other}")
            work.known.learn(**{ref: _relation(work, data, name, field, other)})
    if wanted:
        _verify_once(work, id, order_id)


def _learn_relations(work: Work, payment: Any, wanted: Mapping[str, tuple[str, str, str]]) -> None:
    if not isinstance(payment, Mapping):
        return
    for ref, (name, field, other) in wanted.items():
        relation = payment.get(name)
        if isinstance(relation, Mapping) and same(relation.get(field), other):
            work.known.learn(**{ref: key_of(relation) or "0"})


def _relate_by_batch(work: Work, id: str, wanted: Mapping[str, tuple[str, str, str]], notes: Notes) -> None:
    operations = [Operation("POST", f"/rest/payment/{id}/{name}/{other}") for name, _, other in wanted.values()]
    try:
        contents = work.client.batch([*operations, *notes.waiting], work.order.number)
    except BatchRefused:
        return
    learned: dict[str, str | None] = {}
    trouble: ConnectorError | None = None
    for (ref, (name, field, other)), content in zip(wanted.items(), contents, strict=False):
        try:
            data = work.client.part(f"Order {work.order.number}: payment {id} to its {name}", content)
            learned[ref] = _relation(work, data, name, field, other)
        except ConnectorError as error:
            trouble = trouble or error
    if learned:
        work.known.learn(**learned)
    trouble = notes.judge(work, contents[len(operations) :]) or trouble
    if isinstance(trouble, RetryLater) and not isinstance(trouble, InDoubt) and notes.written:
        raise InDoubt(str(trouble), after=trouble.after) from trouble  # the next attempt must not miss the notes
    if trouble is not None:
        raise trouble


def _relation(work: Work, data: Any, name: str, field: str, other: str) -> str:
    """The id of the relation. Some answers are a list with one row."""
    row = data if isinstance(data, Mapping) and "id" in data else next(iter(rows(data)), data)
    if not isinstance(row, Mapping) or key_of(row) is None:
        raise InDoubt(f"Order {work.order.number}: the answer to the relation of its payment to its {name} has no id")
    if row.get(field) is not None and not same(row[field], other):
        raise InDoubt(f"Order {work.order.number}: its payment was related to {name} {row[field]} and not {other}")
    return str(key_of(row))


def _verify_once(work: Work, id: str, order_id: str) -> None:
    """Whether relations stick is read once for each system; nothing documents it."""
    if work.client.dry is not None or work.client.traits().get("relations_seen"):
        return
    payment = work.get(f"/rest/payments/{id}")
    relation = payment.get("order") if isinstance(payment, Mapping) else None
    if isinstance(relation, Mapping) and same(relation.get("orderId"), order_id):
        work.client.learn(relations_seen=True)
        return
    listed = work.client.entries(f"/rest/payments/orders/{order_id}", most=2, reference=work.order.number)
    if any(same(row.get("id"), id) for row in listed):
        work.client.learn(relations_seen=True)
    else:
        work.known.note(f"PlentyONE does not show payment {id} at order {order_id} yet; see whether it is assigned.")


# changing


def more(work: Work, order_id: str, contact: str | None) -> str | None:
    """For an order that has a payment: book what was paid since. Returns what was done, in words, None when nothing."""
    booked = due(work)
    id = work.ref("payment_id")
    if booked is None or id is None or booked[1] == AWAITING:
        return None
    listed = list(work.client.entries(f"/rest/payments/orders/{order_id}", most=5, reference=work.order.number))
    mine = next((row for row in listed if same(row.get("id"), id)), None)
    if mine is None:
        mine = work.get(f"/rest/payments/{id}")
        if not isinstance(mine, dict):
            work.known.note(f"Payment {id} no longer exists in PlentyONE; what was paid since is not booked.")
            return None
        listed.append(mine)
    if same(mine.get("status"), AWAITING) and amount(mine.get("amount")) == booked[0]:
        data = work.send(
            "PUT", "/rest/payments", {"id": number(id), "status": APPROVED, "updateOrderPaymentStatus": True}
        )
        status = key_of(data, "status") if isinstance(data, Mapping) else None
        work.known.learn(payment_status_id=status or str(APPROVED))
        return f"payment {id} approved"
    came_in = sum(
        (
            (amount(row.get("amount")) or Decimal(0)) * (1 if str(row.get("type") or "credit") == "credit" else 0)
            for row in listed
            if amount(row.get("status")) in GOOD
            and row.get("deleted") not in (1, True, "1")
            and str(row.get("currency") or work.order.currency).upper() == work.order.currency
        ),
        Decimal(0),
    )
    missing = booked[0] - cents(came_in)
    if missing <= 0:
        return None
    counted = {str(key_of(row)): row for row in listed}
    new = work.once(
        "its further payment",
        lambda: _look_up(work, order_id, missing, counted),
        lambda: _create(work, order_id, missing, APPROVED, counted),
    )
    relate(work, new, order_id, contact)
    return f"payment {new} of {missing} {work.order.currency} added"
