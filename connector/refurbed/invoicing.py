"""The invoice: one PDF for the complete order, in messages of at most 1 MB and 2 MB in all.

Which document was sent is kept for the order at refurbed, whichever event it was that sent it. After a lost answer the
order itself tells whether it has an invoice now; only where it had another one before, which the new one replaces, that
cannot be told: then the same file is sent once more, and takes its own place.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from datetime import UTC, datetime

from connector import AccessDenied, Known, Payload, RecordFailed, RetryLater, Written
from connector.procedures import INVOICE, Occurrence, Template
from connector.records import Document, DocumentKind, Order, OrderKind
from connector.refurbed.accepting import REFERRER, SALES
from connector.refurbed.acting import CANCELLED, REJECTED, WAIT, Act, Work, listed
from connector.refurbed.shapes import MEGABYTE

LARGEST = 2 * MEGABYTE
LINK = "invoice"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST, AGAIN, SENT = "first", "again", "sent"  # an upload that is begun, one that replaces another, one that is done


class SendInvoice(Act):
    """Table 7 of the guide."""

    code = "invoice"
    label = "Send invoice to refurbed"
    help = (
        "Uploads the newest invoice of the order as PDF (at most 2 MB), which refurbed passes on to the customer. One "
        "invoice for the complete order, also when it is shipped in several delivery orders: of a delivery order the "
        "invoice of its sales order is sent. refurbed takes it for about 30 days."
    )
    order_types = (OrderKind.SALE, OrderKind.DELIVERY)
    template = Template(
        name="Send invoice to refurbed",
        event=INVOICE,
        filters={"order_type": SALES, "referrer": REFERRER},
    )

    def perform(self, occurrence: Occurrence, known: Known) -> Written:
        """Of a delivery the sale's own invoice is meant; where the sale has none, one that the delivery has may hold all
        of it all the same."""
        above = occurrence.order.fulfilment.origin
        if occurrence.order.fulfilment.kind is OrderKind.DELIVERY and above is not None:
            sale = self.desk.order(above)
            if sale is not None and _newest(sale) is not None:
                occurrence = replace(occurrence, order=sale)
        return super().perform(occurrence, known)

    def ready(self, work: Work) -> None:
        if _newest(work.order) is None:
            raise RetryLater(f"{work.name}: it has no invoice document yet; it waits for one", after=WAIT, aside=True)

    def act(self, work: Work) -> None:
        document = _newest(work.order)
        assert document is not None
        paper = document.number or document.key
        before = self._before(work)
        if before == (document.key, SENT) and work.data.get("has_invoice"):
            work.done.append(f"refurbed has invoice {paper} already")
            return
        self._complete(work)
        if before == (document.key, FIRST) and work.data.get("has_invoice"):
            # there was none when the upload began: its answer was lost, or the worker ended before it was kept
            self._keep(work, document, SENT)
            work.done.append(f"invoice {paper} is at refurbed: an earlier attempt uploaded it")
            return
        if not work.data.get("is_invoiceable"):
            raise RecordFailed(
                f"{work.name}: refurbed takes no invoice for order {work.key} any more (it does for about 30 days after the "
                f"order came). Invoice {paper} was not sent; agree with refurbed how the customer gets it."
            )
        content = self._content(work, document, paper)
        _check(work, paper, content)
        if work.data.get("has_invoice"):
            work.note(f"Invoice {paper} takes the place of the one that refurbed had for order {work.key}.")
        self._keep(work, document, AGAIN if work.data.get("has_invoice") else FIRST)
        self._upload(work, document, content)
        self._keep(work, document, SENT)
        work.done.append(f"invoice {paper} uploaded to refurbed")

    def _content(self, work: Work, document: Document, paper: str) -> bytes:
        """A right that is missing for documents holds up nothing but this."""
        try:
            return self.desk.content(work.order, document)
        except AccessDenied as error:
            said = str(error).rstrip(".")
            raise RetryLater(
                f"{work.name}: invoice {paper} cannot be read and waits: {said}", after=WAIT, aside=True
            ) from error

    def _before(self, work: Work) -> tuple[str, str] | None:
        """Which document was sent last for this order, by any event, and how far that came."""
        with work.known.hold(LINK, work.key) as link:
            return (link.id, link.digest or "") if link.id else None

    def _keep(self, work: Work, document: Document, state: str) -> None:
        with work.known.hold(LINK, work.key) as link:
            link.learn(document.key, state)
        if state == SENT:
            work.known.learn(invoice=document.number or document.key)

    def _complete(self, work: Work) -> None:
        """Raises RecordFailed when the order holds only a part of refurbed's."""
        held = {one.item.id for one in work.positions()}
        missing = [one for id, one in work.items.items() if id not in held and one.state not in (REJECTED, CANCELLED)]
        if missing:
            raise RecordFailed(
                f"{work.name}: its invoice is none for the complete refurbed order {work.key}, {listed(missing)} is not on "
                "it. refurbed takes one invoice per order only. Nothing was sent."
            )

    def _upload(self, work: Work, document: Document, content: bytes) -> None:
        paper = document.number or document.key
        parts = [content[at : at + MEGABYTE] for at in range(0, len(content), MEGABYTE)]
        body: list[Payload] = [{"meta": {"order_id": work.key}}]
        body += [{"data": base64.b64encode(part).decode()} for part in parts]
        answer = work.ask("OrderService", "SetOrderInvoiceStream", body, write=True)
        if work.dry:
            return
        size, crc = str(answer.get("size") or ""), str(answer.get("crc32") or "").lower()
        if size not in ("", str(len(content))) or (crc and crc.zfill(8) != checksum(content)):
            self._keep(work, document, AGAIN)
            raise RetryLater(
                f"{work.name}: refurbed keeps {size or 'no'} bytes (CRC {crc}) of invoice {paper}, {len(content)} bytes "
                f"(CRC {checksum(content)}) were sent. It is sent again"
            )


def checksum(content: bytes) -> str:
    """As refurbed tells it: CRC-32 of the IEEE polynomial, in hex."""
    return f"{zlib.crc32(content):08x}"


def _newest(order: Order) -> Document | None:
    papers = [one for one in order.fulfilment.documents if one.kind is DocumentKind.INVOICE]
    return max(papers, key=lambda one: (one.created_at or EPOCH, one.key.zfill(20)), default=None)


def _check(work: Work, paper: str, content: bytes) -> None:
    """Raises RecordFailed for what refurbed would not take."""
    if not content.startswith(b"%PDF-"):
        raise RecordFailed(
            f"{work.name}: the file of invoice {paper} is no PDF, and refurbed takes nothing else. Nothing was sent."
        )
    if len(content) > LARGEST:
        raise RecordFailed(
            f"{work.name}: the PDF of invoice {paper} has {len(content)} bytes, refurbed takes {LARGEST} (2 MB) at most. "
            "Make its template smaller (the logo, mostly) and generate it anew. Nothing was sent."
        )
