"""An order's invoice: a PDF in messages of at most 1 MB, 2 MB in all, while the order is invoiceable.

A new one takes the place of the old one. Its address carries a key that is good for a day.
"""

import hashlib
import zlib
from datetime import timedelta

from sandbox.message import Request, Response
from sandbox.refurbed.errors import PERMISSION_DENIED, Refused, invalid, not_found, precondition
from sandbox.refurbed.marketplace import Invoice, Marketplace, Order, Record
from sandbox.refurbed.shapes import Given, int64, octets
from sandbox.refurbed.states import invoiceable

MEGABYTE = 1024**2
FILES = "/files/invoices/"


def upload(market: Marketplace, given: list[Given]) -> Record:
    """The first message says for which order; the others carry the file."""
    first, *rest = given or [{}]
    if "meta" not in first:
        raise invalid("the first message must be meta")
    order = market.order(first["meta"].get("order_id", 0))
    if any("meta" in each for each in rest):
        raise invalid("only the first message may be meta")
    parts = [each.get("data", b"") for each in given]
    if any(len(part) > MEGABYTE for part in parts):
        raise precondition("a data message exceeds 1 MB")
    content = b"".join(parts)
    if len(content) > 2 * MEGABYTE:
        raise precondition("the invoice exceeds 2 MB")
    if not content.startswith(b"%PDF-"):
        raise invalid("the invoice format is not supported")
    if not invoiceable(market, order):
        raise precondition("order is not invoiceable")
    checksum = f"{zlib.crc32(content):08x}"
    order.invoice = Invoice(content=content, crc32=checksum, token="", valid_until=market.now)
    market.uploads.append({"order_id": order.id, "size": len(content), "crc32": checksum})
    return {"size": str(len(content)), "crc32": checksum, "url": _address(market, order, order.invoice)}


def _address(market: Marketplace, order: Order, invoice: Invoice) -> str:
    """A path here; whoever answers puts the host before it."""
    moment = market.now
    invoice.token = hashlib.sha256(f"{order.id} {moment.isoformat()}".encode()).hexdigest()[:32]
    invoice.valid_until = moment + timedelta(hours=24)
    return f"{FILES}{order.id}?token={invoice.token}"


def _found(market: Marketplace, given: Given) -> tuple[Order, Invoice]:
    order = market.order(given.get("order_id", 0))
    if order.invoice is None:
        raise not_found("invoice of order", order.id)
    return order, order.invoice


def get(market: Marketplace, given: Given) -> Record:
    return {"url": _address(market, *_found(market, given))}


def delete(market: Marketplace, given: Given) -> Record:
    order, _ = _found(market, given)
    order.invoice = None
    return {}


def download(market: Marketplace, request: Request) -> Response:
    """The file behind the address."""
    number = request.path.removeprefix(FILES)
    order = market.orders.get(int(number)) if number.isdigit() else None
    if order is None or order.invoice is None:
        raise not_found("file", number)
    if request.arg("token") != order.invoice.token or market.now > order.invoice.valid_until:
        raise Refused(PERMISSION_DENIED, "the address has expired")
    return Response(body=order.invoice.content, content_type="application/pdf")


TABLE = {
    "OrderService/SetOrderInvoiceStream": ([{"meta": {"order_id": int64}, "data": octets}], upload),
    "OrderService/GetOrderInvoice": ({"order_id": int64}, get),
    "OrderService/DeleteOrderInvoice": ({"order_id": int64}, delete),
}
