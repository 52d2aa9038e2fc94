"""Payments and the two relations by which they belong to an order and to a contact."""

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

from sandbox.plentyone.errors import NOT_LIST, NOT_NUMBER, REQUIRED, UNKNOWN, Findings, not_found
from sandbox.plentyone.orders import assigned_at, reckon, touch
from sandbox.plentyone.paging import paged, sliced
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, local, moment, number, short, text, truth, whole

NEEDED = ("amount", "exchangeRatio", "mopId", "currency", "type", "status", "transactionType")
HASHED = (*NEEDED, "parentId", "receivedAt")


def check(tenant: Tenant, body: Record, *, new: bool) -> None:
    """Refuse a payment that PlentyONE would refuse."""
    findings = Findings()
    for name in NEEDED:
        if new and body.get(name) in (None, ""):
            findings.add(name, REQUIRED)
    known: dict[str, set[Any]] = {
        "mopId": {row["id"] for row in tenant.methods},
        "status": set(range(1, 12)),
        "transactionType": set(range(1, 5)),
        "unaccountable": {0, 1},
    }
    for name, values in known.items():
        if body.get(name) not in (None, "") and whole(body[name]) not in values:
            findings.add(name, UNKNOWN)
    for name in ("amount", "exchangeRatio"):
        if body.get(name) in (None, ""):
            continue
        value = number(body[name])
        if value is None:
            findings.add(name, NOT_NUMBER)
        elif value < 0 or value >= 10**9:
            findings.add(name, "The {} format is invalid.")
    currency = body.get("currency")
    if currency not in (None, "") and not re.fullmatch(r"[A-Z]{3}", text(currency)):
        findings.add("currency", "The {} format is invalid.")
    if body.get("type") not in (None, "", "credit", "debit"):
        findings.add("type", UNKNOWN)
    if body.get("receivedAt") and moment(body["receivedAt"]) is None:
        findings.add("receivedAt", "The {} is not a valid date.")
    rows = body.get("properties")
    if rows is not None and not isinstance(rows, list):
        findings.add("properties", NOT_LIST)
    for at, row in enumerate(rows if isinstance(rows, list) else []):
        kind = whole(row.get("typeId")) if isinstance(row, dict) else None
        if kind not in range(1, 37):
            findings.add(f"properties.{at}.typeId", REQUIRED if kind is None else UNKNOWN)
        elif row.get("value") in (None, "") or isinstance(row["value"], list | dict):
            findings.add(f"properties.{at}.value", REQUIRED)
    findings.refuse()


def hash_of(body: Record) -> str:
    """The fingerprint of what was sent: equal data, equal hash."""
    data: list[Any] = []
    for name in HASHED:
        value = number(body.get(name))
        data.append(str(value.normalize()) if value is not None else text(body.get(name)))
    data += sorted(f"{whole(row['typeId'])}={text(row['value'])}" for row in body.get("properties") or [])
    return hashlib.md5(json.dumps(data).encode(), usedforsecurity=False).hexdigest()


def create(call: Call) -> Any:
    """POST /rest/payments. A second one with the same hash is refused; `order` and `contact` link nothing."""
    tenant = call.tenant
    return shown(tenant, make(tenant, call.body()))


def make(tenant: Tenant, body: Record) -> Record:
    """A new payment, which belongs to nothing yet."""
    check(tenant, body, new=True)
    fresh = tenant.next_id("payment")
    fingerprint = hash_of(body)
    if body.get("regenerateHash") in (True, 1, "1", "true"):
        fingerprint = hashlib.md5(f"{fingerprint}{fresh}".encode(), usedforsecurity=False).hexdigest()
    elif any(row["hash"] == fingerprint for row in tenant.payments.values()):
        findings = Findings()
        findings.add("hash", "The {} has already been taken.")
        findings.refuse()
    now = tenant.exact_now
    payment: Record = {
        "id": fresh,
        "amount": short(number(body["amount"]) or Decimal(0)),
        "exchangeRatio": short(number(body["exchangeRatio"]) or Decimal(0)),
        "mopId": whole(body["mopId"]),
        "parentId": whole(body.get("parentId")),
        "deleted": None,
        "unaccountable": whole(body.get("unaccountable")) or 0,
        "currency": body["currency"],
        "type": body["type"],
        "hash": fingerprint,
        "receivedAt": local(moment(body.get("receivedAt")) or now),
        "importedAt": tenant.now,
        "status": whole(body["status"]),
        "transactionType": whole(body["transactionType"]),
        "isSystemCurrency": "0" if body.get("isSystemCurrency") in (False, 0, "0") else "1",
        "properties": [],
        "histories": [],
    }
    tenant.payments[fresh] = payment
    tenant.bear("payment", fresh)
    note(tenant, payment, 1, payment["receivedAt"])
    for row in body.get("properties") or []:
        put_property(tenant, payment, whole(row["typeId"]) or 0, text(row["value"]))
    return payment


def note(tenant: Tenant, payment: Record, kind: int, value: str) -> None:
    """A line in the history of a payment."""
    row = {"id": tenant.next_id("payment_history"), "paymentId": str(payment["id"]), "typeId": str(kind)}
    payment["histories"].append({**row, "value": value, "user": "REST User: 11", "createdAt": tenant.now})


def put_property(tenant: Tenant, payment: Record, kind: int, value: str) -> Record:
    """Set a property of a payment."""
    for row in payment["properties"]:
        if row["typeId"] == kind:
            row |= {"value": value, "updatedAt": tenant.now}
            note(tenant, payment, 6, f"Updated property type id {kind}: {value}")
            found: Record = row
            return found
    row = {"id": tenant.next_id("payment_property"), "paymentId": payment["id"], "typeId": kind, "value": value}
    row |= {"createdAt": tenant.now, "updatedAt": tenant.now}
    payment["properties"].append(row)
    note(tenant, payment, 6, f"Created property type id {kind}: {value}")
    return row


def _last(rows: list[Record], payment: Record) -> Record | None:
    return next((row for row in reversed(rows) if row["paymentId"] == payment["id"]), None)


def shown(tenant: Tenant, payment: Record) -> Record:
    """A payment as it is read."""
    method = next((row for row in tenant.methods if row["id"] == payment["mopId"]), None)
    return {
        **payment,
        "parent": tenant.payments.get(payment["parentId"] or 0),
        "method": method and {name: method[name] for name in ("id", "pluginKey", "paymentKey", "name")},
        "order": _last(tenant.order_relations, payment),
        "contact": _last(tenant.contact_relations, payment),
        "children": [row["id"] for row in tenant.payments.values() if row["parentId"] == payment["id"]],
    }


def find(call: Call, place: str = "id") -> Record:
    """The payment of a path. Refuses when there is none."""
    payment = call.tenant.payments.get(call.number(place))
    if payment is None:
        raise not_found("Payment\\Models\\Payment", call.places[place])
    return payment


def read(call: Call) -> Any:
    return shown(call.tenant, find(call))


def change(call: Call) -> Any:
    """PUT /rest/payments: only `id` is required."""
    tenant, body = call.tenant, call.body()
    payment = tenant.payments.get(whole(body.get("id")) or 0)
    if payment is None:
        if body.get("id") is None:
            findings = Findings()
            findings.add("id", REQUIRED)
            findings.refuse()
        raise not_found("Payment\\Models\\Payment", body.get("id"))
    check(tenant, body, new=False)
    for name in ("status", "transactionType", "mopId", "parentId", "unaccountable"):
        if body.get(name) is not None and whole(body[name]) != payment[name]:
            payment[name] = whole(body[name])
            note(tenant, payment, 6, f"{name} to {payment[name]}")
    for name in ("amount", "exchangeRatio"):
        if body.get(name) is not None:
            payment[name] = short(number(body[name]) or Decimal(0))
    for name in ("currency", "type"):
        if body.get(name):
            payment[name] = body[name]
    if body.get("receivedAt") and (received := moment(body["receivedAt"])):
        payment["receivedAt"] = local(received)
    for row in body.get("properties") or []:
        put_property(tenant, payment, whole(row["typeId"]) or 0, text(row["value"]))
    settle(tenant, payment)
    return shown(tenant, payment)


def settle(tenant: Tenant, payment: Record) -> None:
    """Let the orders of a payment follow it."""
    for number_ in {row["orderId"] for row in tenant.order_relations if row["paymentId"] == payment["id"]}:
        if order := tenant.orders.get(number_):
            reckon(tenant, order)
            touch(tenant, order, by="payments")


def delete(call: Call) -> Any:
    payment = find(call)
    orders = [row["orderId"] for row in call.tenant.order_relations if row["paymentId"] == payment["id"]]
    del call.tenant.payments[payment["id"]]
    for rows in ("order_relations", "contact_relations"):
        kept = [row for row in getattr(call.tenant, rows) if row["paymentId"] != payment["id"]]
        setattr(call.tenant, rows, kept)
    _follow(call.tenant, orders)
    return {"affectedRows": 1}


def _follow(tenant: Tenant, orders: list[int]) -> None:
    for each in dict.fromkeys(orders):
        if order := tenant.orders.get(each):
            reckon(tenant, order)
            touch(tenant, order, by="payments")


def _rows(call: Call) -> list[Record]:
    return call.tenant.indexed("payment", call.tenant.payments)


def listed(call: Call) -> Any:
    """GET /rest/payments: a plain array of at most 100."""
    return sliced(call.request, [shown(call.tenant, row) for row in _rows(call)])


def of_order(call: Call) -> Any:
    """GET /rest/payments/orders/{orderId}: a plain array."""
    wanted = {row["paymentId"] for row in call.tenant.order_relations if row["orderId"] == call.number("order")}
    return sliced(call.request, [shown(call.tenant, row) for row in _rows(call) if row["id"] in wanted])


def by_property(call: Call) -> Any:
    """GET /rest/payments/property/{typeId}/{value}: a plain array of exact matches."""
    key = (call.number("kind"), call.places["value"])
    rows = [row for row in _rows(call) if any((each["typeId"], each["value"]) == key for each in row["properties"])]
    return sliced(call.request, [shown(call.tenant, row) for row in rows])


def by_status(call: Call) -> Any:
    return sliced(
        call.request, [shown(call.tenant, row) for row in _rows(call) if row["status"] == call.number("status")]
    )


def search(call: Call) -> Any:
    """GET /rest/payments/search: an envelope of an older kind; text filters are written `typeId,value`."""
    tenant = call.tenant
    rows = [shown(tenant, row) for row in _rows(call)]

    def orders(row: Record) -> set[int]:
        return {each["orderId"] for each in tenant.order_relations if each["paymentId"] == row["id"]}

    wanted: Any
    for name, value in call.request.query:
        if name in ("status", "mopId", "transactionType") and (wanted := whole(value)) is not None:
            rows = [row for row in rows if row[name] == wanted]
        elif name == "paymentId":
            ids = {whole(each) for each in value.split(",")}
            rows = [row for row in rows if row["id"] in ids]
        elif name in ("type", "currency"):
            rows = [row for row in rows if row[name].lower() == value.lower()]
        elif name == "orderId":
            ids = {whole(each) for each in value.split(",")}
            rows = [row for row in rows if ids & orders(row)]
        elif name == "assignment":
            rows = [row for row in rows if bool(orders(row)) is truth(value, True)]
        elif name in ("transactionId", "referenceId", "bookingText", "transactionCode"):
            kind, comma, part = value.partition(",")
            kind, part = (kind, part) if comma else (TEXT_KINDS[name], value)
            rows = [
                row
                for row in rows
                if any(
                    str(each["typeId"]) == kind and part.lower() in each["value"].lower() for each in row["properties"]
                )
            ]
        elif name == "amount":
            low, _, high = value.removeprefix("between:").partition(",")
            lower, upper = number(low.partition(":")[2] or low), number(high or low.partition(":")[2] or low)
            if lower is not None and upper is not None:
                rows = [row for row in rows if lower <= Decimal(row["amount"]) <= upper]
        elif name in ("receivedAt", "importedAt"):
            first, _, last = value.partition(",")
            start, end = moment(first), moment(last) or tenant.exact_now
            if start:
                rows = [row for row in rows if (own := moment(row[name])) is not None and start <= own <= end]
        elif name == "orderBy":
            column, _, direction = value.partition(":")
            if rows and column in rows[0]:
                rows.sort(key=lambda row: (row[column] is None, row[column]), reverse=direction == "desc")
    envelope = paged(call.request, rows, default=50, cap=100, old=True)
    relations = call.withs(commas=True)
    hidden = {"parent", "method", "histories", "properties", "order", "contact", "children"} - relations
    envelope["entries"] = [
        {name: value for name, value in row.items() if name not in hidden} for row in envelope["entries"]
    ]
    return envelope


TEXT_KINDS = {"transactionId": "1", "referenceId": "2", "bookingText": "3", "transactionCode": "5"}


def link_order(call: Call) -> Any:
    """POST /rest/payment/{paymentId}/order/{orderId}: nothing stops a second relation."""
    tenant, payment = call.tenant, find(call)
    order = tenant.orders.get(call.number("order"))
    if order is None:
        raise not_found("Order\\Models\\Order", call.places["order"])
    return link(tenant, payment, order)


def link(tenant: Tenant, payment: Record, order: Record) -> Record:
    """The payment belongs to the order from now on."""
    row = {"id": tenant.next_id("order_relation"), "paymentId": payment["id"], "orderId": order["id"]}
    row["assignedAt"] = assigned_at(tenant)
    tenant.order_relations.append(row)
    note(tenant, payment, 3, str(order["id"]))
    payment["unaccountable"] = 0
    reckon(tenant, order)
    touch(tenant, order, by="payments")
    return row


def link_contact(call: Call) -> Any:
    """POST /rest/payment/{paymentId}/contact/{contactId}: nothing stops a second relation."""
    tenant, payment = call.tenant, find(call)
    if call.number("contact") not in tenant.contacts:
        raise not_found("Account\\Contact\\Models\\Contact", call.places["contact"])
    row = {"id": tenant.next_id("contact_relation"), "paymentId": payment["id"], "contactId": call.number("contact")}
    row["assignedAt"] = assigned_at(tenant)
    tenant.contact_relations.append(row)
    return row


def unlink_order(call: Call) -> Any:
    """DELETE /rest/payment/{paymentId}/order."""
    tenant, payment = call.tenant, find(call)
    orders = [row["orderId"] for row in tenant.order_relations if row["paymentId"] == payment["id"]]
    tenant.order_relations = [row for row in tenant.order_relations if row["paymentId"] != payment["id"]]
    for each in orders:
        note(tenant, payment, 4, str(each))
    _follow(tenant, orders)
    return {"affectedRows": len(orders)}


def unlink_contact(call: Call) -> Any:
    """DELETE /rest/payment/{paymentId}/contact."""
    tenant, payment = call.tenant, find(call)
    left = [row for row in tenant.contact_relations if row["paymentId"] != payment["id"]]
    gone = len(tenant.contact_relations) - len(left)
    tenant.contact_relations = left
    return {"affectedRows": gone}


def unlink_all(call: Call) -> Any:
    """DELETE /rest/payments/order/{orderId}."""
    tenant, order = call.tenant, call.number("order")
    left = [row for row in tenant.order_relations if row["orderId"] != order]
    gone = len(tenant.order_relations) - len(left)
    tenant.order_relations = left
    _follow(tenant, [order])
    return {"affectedRows": gone}


def methods(call: Call) -> Any:
    return call.tenant.methods


def backend_methods(call: Call) -> Any:
    """GET /rest/payments/methods/list/backend_active/{language}: an object of names by id."""
    return {str(row["id"]): row["name"] for row in call.tenant.methods}


def plugin_methods(call: Call) -> Any:
    return [row for row in call.tenant.methods if row["pluginKey"] == call.places["plugin"]]


def one_method(call: Call) -> Any:
    for row in call.tenant.methods:
        if row["id"] == call.number("id"):
            return row
    raise not_found("Payment\\Models\\PaymentMethod", call.places["id"])


def create_method(call: Call) -> Any:
    """POST /rest/payments/methods."""
    body = call.body()
    findings = Findings()
    for name in ("name", "pluginKey", "paymentKey"):
        if not isinstance(body.get(name), str) or not body[name]:
            findings.add(name, REQUIRED)
    findings.refuse()
    row = {
        "id": max(each["id"] for each in call.tenant.methods) + 1,
        **{name: body[name] for name in ("pluginKey", "paymentKey", "name")},
        "isDocumentBuilderActive": False,
    }
    call.tenant.methods.append(row)
    return row


def property_rows(call: Call) -> Any:
    return find(call)["properties"]


def add_property(call: Call) -> Any:
    """POST /rest/payments/properties."""
    body = call.body()
    payment = call.tenant.payments.get(whole(body.get("paymentId")) or 0)
    if payment is None:
        raise not_found("Payment\\Models\\Payment", body.get("paymentId"))
    check(call.tenant, {"properties": [body]}, new=False)
    return put_property(call.tenant, payment, whole(body["typeId"]) or 0, text(body["value"]))


TABLE: Table = [
    ("GET", "/rest/payments", listed),
    ("POST", "/rest/payments", create),
    ("PUT", "/rest/payments", change),
    ("GET", "/rest/payments/search", search),
    ("POST", "/rest/payments/search", search),
    ("GET", "/rest/payments/methods", methods),
    ("POST", "/rest/payments/methods", create_method),
    ("GET", "/rest/payments/methods/{id:int}", one_method),
    ("GET", "/rest/payments/methods/plugins/{plugin}", plugin_methods),
    ("GET", "/rest/payments/methods/list/backend_active/{language}", backend_methods),
    ("POST", "/rest/payments/properties", add_property),
    ("PUT", "/rest/payments/properties", add_property),
    ("GET", "/rest/payments/{id:int}", read),
    ("DELETE", "/rest/payments/{id:int}", delete),
    ("GET", "/rest/payments/{id:int}/properties", property_rows),
    ("GET", "/rest/payments/orders/{order:int}", of_order),
    ("GET", "/rest/payments/status/{status:int}", by_status),
    ("GET", "/rest/payments/property/{kind:int}/{value}", by_property),
    ("DELETE", "/rest/payments/order/{order:int}", unlink_all),
    ("POST", "/rest/payment/{id:int}/order/{order:int}", link_order),
    ("POST", "/rest/payment/{id:int}/order/{order:int}/validation", link_order),
    ("DELETE", "/rest/payment/{id:int}/order", unlink_order),
    ("POST", "/rest/payment/{id:int}/contact/{contact:int}", link_contact),
    ("DELETE", "/rest/payment/{id:int}/contact", unlink_contact),
]
