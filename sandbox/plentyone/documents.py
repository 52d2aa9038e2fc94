"""Documents of orders: generated, uploaded, listed, downloaded.

Paths name a type in camelCase, or in snake_case where they generate; stored types are snake_case. A tax document
locks its order. A generated document may be pending for a while (setting `document_seconds`).
"""

import base64
import binascii
import io
import re
import zipfile
from datetime import timedelta
from typing import Any

from sandbox.message import Response
from sandbox.plentyone.errors import NOT_LIST, NOT_TEXT, REQUIRED, Findings, not_found, plain
from sandbox.plentyone.orders import find, put_property, related, touch
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, iso, moment, text, truth, whole

INVOICE, CREDIT_NOTE = "invoice", "credit_note"
UPLOADS = (
    *("invoiceExternal", "creditNoteExternal", "deliveryNote", "poDeliveryNote", "orderConfirmation", "offer"),
    *("dunningLetter", "reversalDunningLetter", "returnNote", "successConfirmation", "correction", "reorder"),
    "uploaded",
)
GENERATED = (
    *("invoice", "credit_note", "delivery_note", "order_confirmation", "return_note", "reversal_document"),
    *("correction_document", "dunning_letter", "multi_credit_note", "multi_invoice", "offer", "pickup_delivery"),
    *("po_delivery_note", "pro_forma_invoice", "reorder", "repair_bill", "reversal_dunning_letter"),
    *("success_confirmation", "order_custom", "reversal_refund"),
)
TAXED = ("invoice", "invoice_external", "credit_note", "credit_note_external")  # these lock their order
ONLY_FOR = {
    "invoice": (1, 5, 6, 8),
    "invoice_external": (1, 5, 6, 8),
    "credit_note": (4,),
    "credit_note_external": (4,),
    "return_note": (3,),
}
MAIN_NUMBER = 33
PAGE_CAP = 6000


def stored(kind: str) -> str:
    """creditNoteExternal is stored as credit_note_external."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: f"_{match[1].lower()}", kind)


def documents_of(tenant: Tenant, order: Record) -> list[Record]:
    """The documents of an order, oldest first."""
    return [row for number, row in tenant.documents.items() if tenant.document_orders[number] == order["id"]]


def ready(tenant: Tenant, document: Record) -> bool:
    """Whether the file is there: an uploaded one at once, a generated one after a while."""
    born = tenant.born["document", document["id"]]
    wait = timedelta(seconds=tenant.settings.document_seconds)
    return document["source"] != "admin" or tenant.exact_now >= born + wait


def shown(tenant: Tenant, document: Record, *, content: bool = False, pivot: bool = False) -> Record:
    """A document as it is read; a pending one has no file yet."""
    done = ready(tenant, document)
    record = {**document, "status": "done" if done else "pending", "path": document["path"] if done else None}
    if content and done:
        record["content"] = base64.b64encode(tenant.files[document["id"]]).decode()
    if pivot:
        record["pivot"] = {
            "plenty_document_reference_value": str(tenant.document_orders[document["id"]]),
            "plenty_document_reference_document_id": str(document["id"]),
        }
    return record


def pdf(title: str, size: int | None = None) -> bytes:
    """One page with a line of text, small and valid enough for a viewer; a comment fills it up to `size` bytes."""
    made = _pdf(title, 0)
    filling = (size or 0) - len(made)
    if filling <= 0:
        return made
    digits = len(_pdf(title, filling)) - len(made) - filling  # the place of the table got longer
    return _pdf(title, filling - digits)


def _pdf(title: str, filling: int) -> bytes:
    plain_title = title.encode("latin-1", "replace").replace(b"\\", b"").replace(b"(", b"").replace(b")", b"")
    stream = b"BT /F1 18 Tf 60 760 Td (" + plain_title + b") Tj ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    if filling:
        out += b"%" + b"." * (filling - 2) + b"\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table + end


def add(
    tenant: Tenant,
    order: Record,
    kind: str,
    *,
    number: str | None = None,
    content: bytes | None = None,
    source: str = "admin",
    display: str | None = None,
    size: int | None = None,
) -> Record:
    """A document of an order; the caller has looked whether there may be one."""
    fresh, now = tenant.next_id("document"), tenant.now
    number = number or str(tenant.next_id(f"number of {kind}"))
    day = tenant.exact_now.date()
    document: Record = {
        "id": fresh,
        "type": kind,
        "number": re.sub(r"\D", "", number) or number,
        "numberWithPrefix": number,
        "directoryId": None,
        "path": f"{day.year}/{kind}/{day}/{fresh}/{kind}_{number}.pdf",
        "userId": "11",
        "source": source,
        "createdAt": now,
        "updatedAt": now,
        "displayDate": display or now,
        "newOrderArchitecture": "1",
    }
    tenant.documents[fresh] = document
    tenant.document_orders[fresh] = order["id"]
    tenant.files[fresh] = content or pdf(
        f"{kind} {number}, order {order['id']}", size or tenant.settings.document_bytes
    )
    tenant.bear("document", fresh)
    if kind in TAXED:
        order["lockStatus"] = "reversibleLocked"
        put_property(tenant, order, MAIN_NUMBER, number)
    touch(tenant, order, by="documents")
    return document


def refuse_for(order: Record, kind: str) -> None:
    """Refuse a document that orders of this type do not have."""
    if order["typeId"] not in ONLY_FOR.get(kind, (order["typeId"],)):
        raise plain(422, f"A document of the type {kind} cannot belong to an order of the type {order['typeId']}.")


def current(tenant: Tenant, order: Record, kind: str) -> Record | None:
    """The last document of a kind that no reversal document has voided."""
    found = None
    for row in documents_of(tenant, order):
        if row["type"] == kind:
            found = row
        if row["type"] == "reversal_document":
            found = None
    return found


def generate(call: Call) -> Any:
    """POST …/documents/{type}/generate: answers with nothing; the document must be looked for."""
    order, kind, request = find(call), stored(call.places["type"]), call.request
    if kind not in GENERATED:
        raise plain(404, "Resource not found.")
    refuse_for(order, kind)
    if request.arg("documentDate") and moment(request.arg("documentDate")) is None:
        raise plain(422, "The documentDate is not a valid date.")
    if kind in (INVOICE, CREDIT_NOTE) and current(call.tenant, order, kind):
        raise plain(422, f"The order {order['id']} already has a document of the type {kind}.")
    day = moment(request.arg("documentDate"))
    add(call.tenant, order, kind, display=iso(day) if day else None)
    return {}


def upload(call: Call) -> Any:
    """POST …/documents/{type}: base64 content and a number with prefix per document; the answer is an array."""
    order, kind, body = find(call), stored(call.places["type"]), call.body()
    if call.places["type"] not in UPLOADS:
        raise plain(422, f"Documents of the type {call.places['type']} cannot be uploaded.")
    refuse_for(order, kind)
    rows, findings = body.get("documents"), Findings()
    if not isinstance(rows, list) or not rows:
        findings.add("documents", REQUIRED if not rows else NOT_LIST)
        rows = []
    contents = []
    for at, row in enumerate(rows):
        given = row if isinstance(row, dict) else {}
        for name in ("content", "numberWithPrefix"):
            if not given.get(name):
                findings.add(f"documents.{at}.{name}", REQUIRED)
            elif not isinstance(given[name], str):
                findings.add(f"documents.{at}.{name}", NOT_TEXT)
        try:
            contents.append(base64.b64decode(text(given.get("content")), validate=True))
        except (binascii.Error, ValueError):
            findings.add(f"documents.{at}.content", "The {} is not base64.")
    findings.refuse()
    made = []
    for row, content in zip(rows, contents, strict=True):
        day = moment(row.get("displayDate"))
        number = row["numberWithPrefix"]
        document = add(
            call.tenant, order, kind, number=number, content=content, source="rest", display=iso(day) if day else None
        )
        if row.get("number") is not None:
            document["number"] = text(row["number"])
        made.append(shown(call.tenant, document))
    return made


def _filtered(call: Call, rows: list[Record]) -> list[Record]:
    request = call.request
    for column in ("createdAt", "updatedAt", "displayDate"):
        for edge, after in ((f"{column}From", True), (f"{column}To", False)):
            limit = moment(request.arg(edge))
            if limit is not None:
                rows = [
                    row
                    for row in rows
                    if (own := moment(row[column])) is not None and (own >= limit if after else own <= limit)
                ]
    return rows


def _page(call: Call, rows: list[Record]) -> Any:
    by = call.request.arg("sortBy")
    by = by if by in ("id", "type", "number", "createdAt", "displayDate") else "id"
    down = (call.request.arg("sortOrder") or "desc") != "asc"
    rows = sorted(_filtered(call, rows), key=lambda row: (row[by], row["id"]), reverse=down)
    envelope = paged(call.request, rows, default=50, cap=PAGE_CAP)
    content = truth(call.request.arg("withContent"), False)
    envelope["entries"] = [shown(call.tenant, row, content=content, pivot=True) for row in envelope["entries"]]
    if "references" in call.withs():
        for row in envelope["entries"]:
            row["references"] = [
                {"documentId": row["id"], "type": "order", "value": str(call.tenant.document_orders[row["id"]])}
            ]
    return envelope


def of_order(call: Call) -> Any:
    """GET /rest/orders/{id}/documents/{type}."""
    kind = stored(call.places["type"])
    return _page(call, [row for row in documents_of(call.tenant, find(call)) if row["type"] == kind])


def newest(call: Call) -> Any:
    """GET …/{type}/current and …/{type}/recent: one document, 404 when there is none."""
    order, kind = find(call), stored(call.places["type"])
    found = current(call.tenant, order, kind)
    if found is None:
        raise not_found("Document\\Models\\Document", order["id"])
    return shown(call.tenant, found, content=truth(call.request.arg("withContent"), False))


def _visible(call: Call) -> list[Record]:
    """The documents that lists show already."""
    tenant, request = call.tenant, call.request
    rows = tenant.indexed("document", tenant.documents)
    wanted = whole(request.arg("orderId"))
    if wanted is not None:
        rows = [row for row in rows if tenant.document_orders[row["id"]] == wanted]
    orders = {row["id"]: tenant.orders.get(tenant.document_orders[row["id"]]) for row in rows}
    client, contact = whole(request.arg("plentyId")), whole(request.arg("contactId"))
    if client is not None:
        rows = [row for row in rows if (own := orders[row["id"]]) and own["plentyId"] == client]
    if contact is not None:
        rows = [row for row in rows if (own := orders[row["id"]]) and related(own, "contact", "receiver") == contact]
    return rows


def search(call: Call) -> Any:
    """GET /rest/orders/documents/find: page and itemsPerPage are required."""
    call.required_numbers("page", "itemsPerPage")
    rows, kind = _visible(call), call.request.arg("type")
    return _page(call, [row for row in rows if not kind or row["type"] == stored(kind)])


def listed(call: Call) -> Any:
    """GET /rest/orders/documents: its `type` is ignored (seen live)."""
    return _page(call, _visible(call))


def of_type(call: Call) -> Any:
    """GET /rest/orders/documents/{type}."""
    return _page(call, [row for row in _visible(call) if row["type"] == stored(call.places["type"])])


def _find(call: Call) -> Record:
    document = call.tenant.documents.get(call.number("document"))
    if document is None:
        raise not_found("Document\\Models\\Document", call.places["document"])
    return document


def read(call: Call) -> Any:
    return shown(call.tenant, _find(call), content=truth(call.request.arg("withContent"), False))


def download(call: Call) -> Any:
    """GET /rest/documents/{id}: the PDF itself."""
    document = _find(call)
    if not ready(call.tenant, document):
        raise plain(404, "The document has no content yet.")
    return Response(body=call.tenant.files[document["id"]], content_type="application/pdf")


def download_all(call: Call) -> Any:
    """GET /rest/orders/{id}/documents/downloads/{type}: a ZIP of PDFs."""
    kind, out = stored(call.places["type"]), io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row in documents_of(call.tenant, find(call)):
            if row["type"] == kind and ready(call.tenant, row):
                archive.writestr(f"{kind}_{row['numberWithPrefix']}.pdf", call.tenant.files[row["id"]])
    return Response(body=out.getvalue(), content_type="application/zip")


def status(call: Call) -> Any:
    """GET /rest/documents/{id}/status: a number, 0 while it is pending."""
    document = _find(call)
    return {"id": document["id"], "status": int(ready(call.tenant, document))}


def delete(call: Call) -> Any:
    """DELETE: the last tax document that goes unlocks its order."""
    tenant, document = call.tenant, _find(call)
    order = tenant.orders.get(tenant.document_orders[document["id"]])
    if "id" in call.places and (order is None or order["id"] != call.number("id")):
        raise not_found("Document\\Models\\Document", call.places["document"])
    del tenant.documents[document["id"]]
    if order:
        if not any(row["type"] in TAXED for row in documents_of(tenant, order)):
            order["lockStatus"] = "unlocked"
        touch(tenant, order, by="documents")
    return {"affectedRows": 1}


_ORDER = "/rest/orders/{id:int}/documents"

TABLE: Table = [
    ("GET", "/rest/orders/documents", listed),
    ("GET", "/rest/orders/documents/find", search),
    ("GET", "/rest/orders/documents/{document:int}", read),
    ("DELETE", "/rest/orders/documents/{document:int}", delete),
    ("GET", "/rest/orders/documents/{type}", of_type),
    ("DELETE", f"{_ORDER}/{{document:int}}", delete),
    ("GET", f"{_ORDER}/downloads/{{type}}", download_all),
    ("GET", f"{_ORDER}/{{type}}/current", newest),
    ("GET", f"{_ORDER}/{{type}}/recent", newest),
    ("POST", f"{_ORDER}/{{type}}/generate", generate),
    ("GET", f"{_ORDER}/{{type}}", of_order),
    ("POST", f"{_ORDER}/{{type}}", upload),
    ("GET", "/rest/documents/{document:int}", download),
    ("GET", "/rest/documents/{document:int}/status", status),
]
