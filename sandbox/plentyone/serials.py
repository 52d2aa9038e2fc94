"""What tells one piece of an article from another: serial numbers of order items, and their transactions.

A serial number is bound to an item of an order; the body of the POST is documented nowhere. A transaction is a movement
of an item in or out, whose `identification` may be any text (systems/plentyone.md section 13; contract
OrderItemTransaction). Nothing stops the same number twice.
"""

from decimal import Decimal
from typing import Any

from sandbox.plentyone.errors import NOT_NUMBER, NOT_TEXT, REQUIRED, UNKNOWN, Findings, not_found
from sandbox.plentyone.orders import find, touch
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, number, short, whole

DIRECTIONS, STATUSES = ("in", "out"), ("regular", "cancelled")
WORDS = ("identification", "batch", "bestBeforeDate", "deliveryNoteNumber")
NUMBERS = ("userId", "receiptId", "warehouseLocationId")
CHANGEABLE = ("warehouseLocationId", "batch", "bestBeforeDate", "deliveryNoteNumber")


def imei(serial: int) -> str:
    """A made-up IMEI: 15 digits, the last one after Luhn."""
    digits = f"35693803{serial % 1_000_000:06d}"
    total = sum(sum(divmod(int(digit) * (1 + place % 2), 10)) for place, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def serials_of(tenant: Tenant, order: Record) -> list[Record]:
    """The serial numbers of an order's items, without those of its delivery orders."""
    return [row for row in tenant.serials if row["orderId"] == order["id"]]


def put(tenant: Tenant, order: Record, item: int, value: str) -> Record:
    """Bind a number to an item."""
    row = {
        "serialNumberId": tenant.next_id("serial"),
        "orderId": order["id"],
        "orderItemId": item,
        "serialNumber": value,
        "itemSerialNumber": value,
    }
    tenant.serials.append(row)
    touch(tenant, order, by="serials")
    return row


def move(tenant: Tenant, order: Record, item: Record, sent: Record, user: int) -> Record:
    """A movement of an item."""
    fresh, now = tenant.next_id("transaction"), tenant.now
    row: Record = {
        "id": fresh,
        "orderItemId": item["id"],
        "quantity": short(number(sent["quantity"]) or Decimal(0)),
        "direction": sent["direction"],
        "status": sent["status"],
        **{name: whole(sent.get(name)) for name in NUMBERS},
        **{name: sent.get(name) for name in WORDS},
        "batchBestBeforeDateId": None,
        "createdAt": now,
        "updatedAt": now,
    }
    row["userId"] = row["userId"] or user
    tenant.transactions[fresh] = row
    touch(tenant, order, by="serials")
    return row


def _item(call: Call, order: Record) -> Record:
    for item in order["orderItems"]:
        if item["id"] == call.number("item"):
            found: Record = item
            return found
    raise not_found("Order\\Models\\OrderItem", call.places["item"])


def _owner(tenant: Tenant, item: int | None) -> tuple[Record, Record] | None:
    return next(
        ((order, row) for order in tenant.orders.values() for row in order["orderItems"] if row["id"] == item), None
    )


def _found(call: Call) -> tuple[Record, Record]:
    if (found := _owner(call.tenant, call.number("item"))) is None:
        raise not_found("Order\\Models\\OrderItem", call.places["item"])
    return found


def of_order(call: Call) -> Any:
    """GET /rest/orders/{id}/items/serialNumbers: a plain array."""
    return serials_of(call.tenant, find(call))


def of_item(call: Call) -> Any:
    """GET /rest/orders/{id}/items/{item}/serialNumbers: a plain array."""
    order = find(call)
    wanted = _item(call, order)["id"]
    return [row for row in serials_of(call.tenant, order) if row["orderItemId"] == wanted]


def add(call: Call) -> Any:
    """POST: no body is documented; `serialNumber`, or several as `serialNumbers`."""
    order, body = find(call), call.body()
    item = _item(call, order)
    sent = body.get("serialNumbers") or [body.get("serialNumber")]
    findings = Findings()
    if not isinstance(sent, list) or not all(isinstance(each, str) and each for each in sent):
        findings.add("serialNumber", REQUIRED)
    findings.refuse()
    rows = [put(call.tenant, order, item["id"], each) for each in sent]
    return rows[0] if len(rows) == 1 else rows


def check(findings: Findings, sent: Record, place: str = "") -> None:
    """Note what PlentyONE would refuse in a transaction."""
    if sent.get("quantity") is None:
        findings.add(f"{place}quantity", REQUIRED)
    elif number(sent["quantity"]) is None:
        findings.add(f"{place}quantity", NOT_NUMBER)
    for name, known in (("direction", DIRECTIONS), ("status", STATUSES)):
        if sent.get(name) not in known:
            findings.add(f"{place}{name}", REQUIRED if sent.get(name) is None else UNKNOWN)
    for name in WORDS:
        if not isinstance(sent.get(name), str | None):
            findings.add(f"{place}{name}", NOT_TEXT)


def transactions(call: Call) -> Any:
    """GET /rest/orders/items/{orderItemId}/transactions: a plain array."""
    _, item = _found(call)
    return [row for row in call.tenant.transactions.values() if row["orderItemId"] == item["id"]]


def add_transaction(call: Call) -> Any:
    """POST …/transactions. The contract requires `orderItemId` in the body, too; the guide's example leaves it out."""
    order, item = _found(call)
    body, findings = call.body(), Findings()
    check(findings, body)
    findings.refuse()
    return move(call.tenant, order, item, body, call.user)


def add_transactions(call: Call) -> Any:
    """POST /rest/orders/items/transactions: an array, each row with its `orderItemId`; all or none."""
    sent, findings = call.sent(), Findings()
    rows = [row for row in sent if isinstance(row, dict)] if isinstance(sent, list) else [sent]
    owners = [_owner(call.tenant, whole(row.get("orderItemId"))) for row in rows]
    for at, row in enumerate(rows):
        if owners[at] is None:
            findings.add(f"{at}.orderItemId", REQUIRED if row.get("orderItemId") is None else UNKNOWN)
        check(findings, row, f"{at}.")
    findings.refuse()
    return [move(call.tenant, *owner, row, call.user) for owner, row in zip(owners, rows, strict=True) if owner]


def search(call: Call) -> Any:
    """GET /rest/orders/items/transactions: an envelope, by item, order, direction and status."""
    tenant, request = call.tenant, call.request
    rows = sorted(tenant.transactions.values(), key=lambda row: (row["orderItemId"], row["id"]))
    if (item := whole(request.arg("orderItemId"))) is not None:
        rows = [row for row in rows if row["orderItemId"] == item]
    if (order := whole(request.arg("orderId"))) is not None:
        own = {row["id"] for row in tenant.orders.get(order, {}).get("orderItems", ())}
        rows = [row for row in rows if row["orderItemId"] in own]
    for name in ("direction", "status"):
        if wanted := request.arg(name):
            rows = [row for row in rows if row[name] == wanted]
    return paged(request, rows)


def _transaction(call: Call) -> Record:
    if (row := call.tenant.transactions.get(call.number("transaction"))) is None:
        raise not_found("Order\\Models\\OrderItemTransaction", call.places["transaction"])
    return row


def change_transaction(call: Call) -> Any:
    """PUT /rest/orders/items/transactions/{transactionId}: place, batch and delivery note; the rest stays."""
    row, body = _transaction(call), call.body()
    row |= {name: body[name] for name in CHANGEABLE if name in body} | {"updatedAt": call.tenant.now}
    return row


def delete_transaction(call: Call) -> Any:
    del call.tenant.transactions[_transaction(call)["id"]]
    return {"affectedRows": 1}


TABLE: Table = [
    ("GET", "/rest/orders/{id:int}/items/serialNumbers", of_order),
    ("GET", "/rest/orders/{id:int}/items/{item:int}/serialNumbers", of_item),
    ("POST", "/rest/orders/{id:int}/items/{item:int}/serialNumbers", add),
    ("GET", "/rest/orders/items/transactions", search),
    ("POST", "/rest/orders/items/transactions", add_transactions),
    ("GET", "/rest/orders/items/{item:int}/transactions", transactions),
    ("POST", "/rest/orders/items/{item:int}/transactions", add_transaction),
    ("PUT", "/rest/orders/items/transactions/{transaction:int}", change_transaction),
    ("DELETE", "/rest/orders/items/transactions/{transaction:int}", delete_transaction),
]
