"""What people do in the warehouse and in the back office, for whoever plays their part.

Each action names an order by `id`, or by `externalId` (and `plentyId`), and moves its `updatedAt` unless the setting
of its kind (`packages_move_order` and the like) says otherwise. Lines are named as `[{"orderItemId" or "sku",
"quantity"}]`; without them everything that is left.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.plentyone import children, documents, lists, packages, payments, serials
from sandbox.plentyone.orders import (
    COMPLETED,
    property_of,
    put_item_property,
    put_property,
    set_date,
    set_status,
    shown,
    touch,
)
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, number, text, whole

WORKER = 1  # the user who plays these parts
PREPARING, PACKING, SHIPPED, CANCELLED, WAITING, CLEARED = 4, 6, 7, 8, "3.2", 5
SEEN = {"payments", "documents", "shippingPackages", "shippingInformation", "comments"}


def named(tenant: Tenant, body: Any) -> Record:
    """The order that a body names by id, or by external id: then the first, which no other order led to."""
    if not isinstance(body, dict):
        raise ValueError("This action takes an object.")
    for order in tenant.orders.values():
        if body.get("id") is not None:
            if order["id"] == whole(body["id"]):
                return order
        elif property_of(order, 7) == str(body.get("externalId")) and body.get("plentyId") in (None, order["plentyId"]):
            return order
    raise LookupError(f"There is no order {body!r}.")


def lines(tenant: Tenant, order: Record, body: Record, kind: int) -> children.Quantities | None:
    """The quantities of a body. ValueError for a line that the order lacks or that has not so much left."""
    rows = body.get("lines", body.get("quantities"))
    if rows is None:
        return None
    if not isinstance(rows, list) or not rows:
        raise ValueError('lines is a list like [{"sku": "MUG-1", "quantity": 1}].')
    left = children.left(tenant, order, kind)
    found: children.Quantities = {}
    for row in rows:
        item = _item(tenant, order, row)
        quantity = number(row.get("quantity", 1))
        found[item["id"]] = found.get(item["id"], Decimal(0)) + (quantity or Decimal(0))
        if quantity is None or quantity <= 0 or found[item["id"]] > left[item["id"]]:
            raise ValueError(
                f"Of {item['orderItemName']} there are {left[item['id']]} left, not {row.get('quantity')}."
            )
    return found


def _item(tenant: Tenant, order: Record, row: Any) -> Record:
    for item in order["orderItems"]:
        variation = tenant.variations.get(item["itemVariationId"], {})
        if item["id"] == whole(row.get("orderItemId")) or (row.get("sku") and row["sku"] == variation.get("number")):
            found: Record = item
            return found
    raise ValueError(f"The order {order['id']} has no line {row!r}.")


def seen(tenant: Tenant, order: Record) -> Record:
    return shown(tenant, order, SEEN)


def move(tenant: Tenant, order: Record, status: Any) -> None:
    """Another status. ValueError when the tenant has no such."""
    value = number(status)
    if value is None or value not in {Decimal(row["statusId"]) for row in tenant.statuses}:
        raise ValueError(f"There is no status {status!r}.")
    set_status(tenant, order, value, WORKER)
    touch(tenant, order)


def wrap(tenant: Tenant, order: Record, body: Record) -> None:
    """Put packages on an order: `packageNumber`, or `packages` with one object each, and the carrier."""
    profile = whole(body.get("shippingProfileId"))
    if body.get("provider"):
        profile = _profile(text(body["provider"]))
    if profile is not None:
        put_property(tenant, order, 2, str(profile))
    given = body.get("packages") or [{"packageNumber": body.get("packageNumber") or ""}]
    for row in given:
        sent: Record = row if isinstance(row, dict) else {"packageNumber": text(row)}
        made = packages.add(tenant, order, {**sent, "packageId": sent.get("packageId", 1)})
        for each in sent.get("items") or []:
            item = _item(tenant, order, each)
            packages.put_in(tenant, made, item["itemVariationId"], number(each.get("quantity", 1)) or Decimal(1))
    if any(packages.numbers_of(tenant, order)):
        packages.register(tenant, order, packages.provider_of(tenant, order))


def _profile(name: str) -> int:
    """The first shipping profile of a carrier."""
    wanted = {row["id"] for row in lists.providers() if row["name"].lower() == name.lower()}
    for row in lists.presets():
        if row["parcelServiceId"] in wanted or row["backendName"].lower() == name.lower():
            found: int = row["id"]
            return found
    known = ", ".join(row["name"] for row in lists.providers())
    raise ValueError(f"There is no provider {name!r}; there are {known}.")


def pack(tenant: Tenant, body: Any) -> Any:
    """A package, with a number or still without one; status only when `statusId` says so."""
    order = named(tenant, body)
    wrap(tenant, order, body)
    if body.get("statusId") is not None:
        move(tenant, order, body["statusId"])
    return seen(tenant, order)


def send(tenant: Tenant, order: Record, status: Any = None) -> None:
    """Outgoing items booked."""
    set_date(order, COMPLETED, tenant.now)
    move(tenant, order, status or SHIPPED)


def ship(tenant: Tenant, body: Any) -> Any:
    """The whole order leaves; packed first when a number or packages are given."""
    order = named(tenant, body)
    if body.get("packageNumber") or body.get("packages"):
        wrap(tenant, order, body)
    send(tenant, order, body.get("statusId"))
    return seen(tenant, order)


def ship_part(tenant: Tenant, body: Any) -> Any:
    """A delivery order for these lines, packed and sent, unless `"book": false`. The last one ends the sales order.

    A line's `serialNumber`, or `serialNumbers`, is scanned onto the delivery order's item.
    """
    order = named(tenant, body)
    quantities = lines(tenant, order, body, children.DELIVERY)
    scanned = [
        (_item(tenant, order, row)["id"], _numbers(row)) for row in body.get("lines", body.get("quantities")) or []
    ]
    child = children.taking(tenant, order, children.DELIVERY, quantities, PREPARING, WORKER)
    taken = {row["referenceOrderItemId"]: item["id"] for item in child["orderItems"] for row in item["references"]}
    for item, numbers in scanned:
        for each in numbers:
            serials.put(tenant, child, taken[item], each)
    if body.get("packageNumber") or body.get("packages"):
        wrap(tenant, child, body)
    if body.get("book", True):
        send(tenant, child, body.get("statusId"))
        rest = children.left(tenant, order, children.DELIVERY)
        done = not any(rest[item["id"]] > 0 for item in children.goods(order))
        if done and all(_sent(each) for each in children.children(tenant, order, children.DELIVERY)):
            send(tenant, order)
        else:
            move(tenant, order, PACKING)
    return seen(tenant, child)


def _sent(order: Record) -> bool:
    return any(row["typeId"] == COMPLETED for row in order["dates"])


def invoice(tenant: Tenant, body: Any) -> Any:
    """The invoice as a document, with a `number` and a size in `bytes`; the order is locked from now on."""
    return _document(tenant, body, documents.INVOICE)


def delivery_note(tenant: Tenant, body: Any) -> Any:
    return _document(tenant, body, "delivery_note")


def _document(tenant: Tenant, body: Any, kind: str) -> Any:
    order = named(tenant, body)
    documents.refuse_for(order, kind)
    if documents.current(tenant, order, kind):
        raise ValueError(f"The order {order['id']} already has a document {kind}.")
    size = whole(body.get("bytes"))
    if body.get("bytes") is not None and (size is None or size < 1):
        raise ValueError(f"bytes is a whole number above 0, not {body['bytes']!r}.")
    made = documents.add(tenant, order, kind, number=body.get("number") and text(body["number"]), size=size)
    return documents.shown(tenant, made, pivot=True)


def move_money(tenant: Tenant, order: Record, body: Record, direction: str) -> Record:
    amounts = order["amounts"][-1]
    due = Decimal(amounts["invoiceTotal"]) - Decimal(amounts["paidAmount"])
    sent = {
        "amount": number(body.get("amount")) or abs(due),
        "exchangeRatio": amounts["exchangeRate"],
        "mopId": whole(body.get("mopId")) or whole(property_of(order, 3)) or 5000,
        "currency": amounts["currency"],
        "type": direction,
        "status": whole(body.get("status")) or 2,
        "transactionType": 2,
        "isSystemCurrency": amounts["isSystemCurrency"],
        "parentId": body.get("parentId"),
        "regenerateHash": True,
        "properties": [
            {"typeId": kind, "value": text(body[name])}
            for kind, name in ((1, "transactionId"), (3, "bookingText"))
            if body.get(name)
        ],
    }
    payment = payments.make(tenant, sent)
    payments.link(tenant, payment, order)
    return payments.shown(tenant, payment)


def pay(tenant: Tenant, body: Any) -> Any:
    """Money comes in: what is still due, or `amount`."""
    return move_money(tenant, named(tenant, body), body, "credit")


def pay_back(tenant: Tenant, body: Any) -> Any:
    """Money goes out, a debit: on a credit note what it comes to, or `amount`, with `status`, `parentId`, `bookingText`."""
    return move_money(tenant, named(tenant, body), body, "debit")


def take_back(tenant: Tenant, body: Any) -> Any:
    """A return of these lines, with a `reason` and a `condition` on each."""
    order = named(tenant, body)
    quantities = lines(tenant, order, body, children.RETURN)
    made = children.make_return(tenant, order, quantities, body.get("statusId") or 9, WORKER)
    for item in made["orderItems"]:
        for kind, name in ((35, "reason"), (36, "condition")):
            if body.get(name) is not None:
                put_item_property(tenant, item, kind, text(body[name]))
    return seen(tenant, made)


def credit(tenant: Tenant, body: Any) -> Any:
    """A credit note: of everything, of `lines`, over an `amount`, or of `"only": "shipping"`.

    `"shipping": true` or false adds the costs of shipping or leaves them out: with `lines` they are left out unless
    asked for, without lines they are in unless refused. `"document": true` makes its document, `"pay_back": true`
    pays it out.
    """
    order = named(tenant, body)
    status, shipping = body.get("statusId") or 11, body.get("shipping")
    quantities = lines(tenant, order, body, children.CREDIT)
    if body.get("amount") is not None:
        amount = number(body["amount"])
        if amount is None or amount <= 0:
            raise ValueError(f"An amount is a number above 0, not {body['amount']!r}.")
        name = text(body.get("name")) or "Gutschrift"
        made = children.credit_amount(tenant, order, amount, status, WORKER, name)
    elif body.get("only") == "shipping":
        made = children.credit(tenant, order, {}, status, WORKER, shipping=True)
    else:
        fold = body.get("includeCouponsIntoOrderItemPrice") is True
        made = children.credit(tenant, order, quantities, status, WORKER, fold_coupons=fold, shipping=shipping)
    if body.get("document"):
        documents.add(tenant, made, documents.CREDIT_NOTE)
    if body.get("pay_back"):
        move_money(tenant, made, {}, "debit")
    return seen(tenant, made)


def split(tenant: Tenant, body: Any) -> Any:
    """These lines become a sales order of their own."""
    order = named(tenant, body)
    quantities = lines(tenant, order, body, children.DELIVERY)
    if not quantities:
        raise ValueError("A split names its lines.")
    if order["lockStatus"] != "unlocked":
        raise ValueError(f"The order {order['id']} is locked.")
    child = children.divide(tenant, order, quantities, order["statusId"], WORKER)
    return [seen(tenant, order), seen(tenant, child)]


def cancel(tenant: Tenant, body: Any) -> Any:
    order = named(tenant, body)
    move(tenant, order, body.get("statusId") or CANCELLED)
    return seen(tenant, order)


def hold(tenant: Tenant, body: Any) -> Any:
    """A status in which the order waits."""
    order = named(tenant, body)
    move(tenant, order, body.get("statusId") or WAITING)
    return seen(tenant, order)


def release(tenant: Tenant, body: Any) -> Any:
    """Out of waiting again: cleared for shipping."""
    order = named(tenant, body)
    move(tenant, order, body.get("statusId") or CLEARED)
    return seen(tenant, order)


def note(tenant: Tenant, body: Any) -> Any:
    """A comment on the order."""
    order = named(tenant, body)
    fresh = tenant.next_id("comment")
    row = {
        "id": fresh,
        "userId": WORKER,
        "text": text(body.get("text")) or "<p>…</p>",
        "isVisibleForContact": bool(body.get("visible")),
        "createdAt": tenant.now,
        "updatedAt": tenant.now,
        "referenceType": "order",
        "referenceValue": str(order["id"]),
    }
    tenant.comments[fresh] = row
    touch(tenant, order)
    return row


def set_property(tenant: Tenant, body: Any) -> Any:
    """`typeId` and `value` of an order property."""
    order = named(tenant, body)
    kind = whole(body.get("typeId"))
    if kind is None:
        raise ValueError("A property has a typeId and a value.")
    put_property(tenant, order, kind, text(body.get("value")))
    touch(tenant, order)
    return seen(tenant, order)


def touch_only(tenant: Tenant, body: Any) -> Any:
    """`updatedAt` moves and nothing else does, as after a nightly job."""
    order = named(tenant, body)
    touch(tenant, order)
    return seen(tenant, order)


def _numbers(body: Record) -> list[str]:
    """The serial numbers of a body, or of a line."""
    found = body.get("serialNumbers", [body["serialNumber"]] if body.get("serialNumber") else [])
    if not isinstance(found, list) or not all(found):
        raise ValueError('serialNumbers is a list like ["356938035643809"].')
    return [text(each) for each in found]


def scan(tenant: Tenant, body: Any) -> Any:
    """A worker scans `serialNumber`, or `serialNumbers`, onto a line; without one, a made-up IMEI.

    The line is `sku` or `orderItemId`, or the only one of `lines`. `"as": "transaction"` writes an outgoing movement
    with the number as its identification instead, `"as": "both"` does both. One number answers with its row.
    """
    order = named(tenant, body)
    rows = body.get("lines") or [body]
    if not isinstance(rows, list) or len(rows) != 1:
        raise ValueError("A scan names one line.")
    item, way = _item(tenant, order, rows[0]), body.get("as") or "serial"
    if way not in ("serial", "transaction", "both"):
        raise ValueError(f"A number is scanned as serial, transaction or both, not {way!r}.")
    made = []
    for each in _numbers(body) or [serials.imei(tenant.next_id("imei"))]:
        if way != "transaction":
            made.append(serials.put(tenant, order, item["id"], each))
        if way != "serial":
            sent = {"quantity": 1, "direction": "out", "status": "regular", "identification": each}
            made.append(serials.move(tenant, order, item, sent, WORKER))
    return made[0] if len(made) == 1 else made


def unscan(tenant: Tenant, body: Any) -> Any:
    """A worker takes `serialNumber` off the order again."""
    order, gone = named(tenant, body), set(_numbers(body))
    kept = [row for row in tenant.serials if row["orderId"] != order["id"] or row["serialNumber"] not in gone]
    if len(kept) == len(tenant.serials):
        raise ValueError(f"The order {order['id']} has no serial number {', '.join(sorted(gone)) or 'without a name'}.")
    tenant.serials = kept
    touch(tenant, order, by="serials")
    return seen(tenant, order)


ACTIONS: dict[str, Callable[[Tenant, Any], Any]] = {
    "pack": pack,
    "ship": ship,
    "ship_part": ship_part,
    "invoice": invoice,
    "delivery_note": delivery_note,
    "pay": pay,
    "pay_back": pay_back,
    "return": take_back,
    "credit": credit,
    "split": split,
    "cancel": cancel,
    "hold": hold,
    "release": release,
    "comment": note,
    "property": set_property,
    "serial": scan,
    "scan": scan,
    "unscan": unscan,
    "touch": touch_only,
}
