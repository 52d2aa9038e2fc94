"""The file of a document, as PlentyONE made it.

A generated document takes a while until its file is there (status `pending`). The download answers with the file itself;
where it does not, the list of the order's documents brings it along, in base64. Only a file that is not there yet is
waited for: what people uploaded as an invoice (`invoiceExternal`) may be no PDF, and never becomes one.
"""

from __future__ import annotations

import base64
import binascii

from connector import Payload, RecordFailed, RetryLater, Unreachable
from connector.plentyone.answers import NotFound, Refused
from connector.plentyone.client import PDF, PlentyClient
from connector.plentyone.reading import snake
from connector.plentyone.shapes import key_of
from connector.records import Document, Order

PENDING_SECONDS = 120.0
VOID = ("faulty", "deleted")


def content(client: PlentyClient, order: Order, document: Document) -> bytes:
    """The PDF. Raises RetryLater while it is being generated, RecordFailed when there is none, or something else."""
    listed = _listed(client, order, document)
    named = document.number or document.key
    if listed is None:
        raise RecordFailed(f"Document {named} of order {order.number} no longer exists in PlentyONE.")
    status = str(listed.get("status") or "done")
    if status in VOID:
        raise RecordFailed(
            f"Document {named} of order {order.number} has no file: its status in PlentyONE is {status}. "
            "Generate it anew there."
        )
    if status == "pending":
        raise RetryLater(
            f"Document {named} of order {order.number} is still being generated in PlentyONE",
            after=PENDING_SECONDS,
            aside=True,
        )
    try:
        found = client.file(f"/rest/documents/{document.key}", order.number)
    except Unreachable:
        raise
    except (NotFound, Refused, RetryLater) as error:
        found = _by_list(client, order, document, snake(str(listed.get("type") or "invoice")))
        if not found:
            raise RetryLater(
                f"Document {named} of order {order.number} has no file in PlentyONE yet: {error}",
                after=PENDING_SECONDS,
                aside=True,
            ) from error
    if not found.startswith(PDF):
        raise RecordFailed(
            f"The file of document {named} of order {order.number} is no PDF: it begins with {found[:8]!r}. Replace it in "
            "PlentyONE by a PDF."
        )
    return found


def _listed(client: PlentyClient, order: Order, document: Document) -> Payload | None:
    query = {"orderId": order.key}
    found = client.entries("/rest/orders/documents/find", query, most=5, reference=order.number)
    return next((row for row in found if key_of(row) == document.key), None)


def _by_list(client: PlentyClient, order: Order, document: Document, type: str) -> bytes:
    """Empty where it is not there yet."""
    path = f"/rest/orders/{order.key}/documents/{type}"
    for row in client.entries(path, {"withContent": True}, most=2, reference=order.number):
        if key_of(row) == document.key and isinstance(row.get("content"), str):
            try:
                return base64.b64decode(row["content"], validate=False)
            except binascii.Error:
                return str(row["content"]).encode()  # no PDF either
    return b""
