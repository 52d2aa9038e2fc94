"""Orders: taking, changing and reading one."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists, money
from sandbox.plentyone.addresses import check as check_address
from sandbox.plentyone.addresses import store as store_address
from sandbox.plentyone.contacts import shown as contact_shown
from sandbox.plentyone.errors import UNKNOWN, Findings, missing_permission, not_found, plain
from sandbox.plentyone.order_check import check_order
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, iso, local, moment, number, number_text, short, text, whole

WAREHOUSE, SHIPPING_PROFILE, PAYMENT_STATUS, EXPRESS = 1, 2, 4, 65
DERIVED = (WAREHOUSE, PAYMENT_STATUS, SHIPPING_PROFILE, 33, EXPRESS)
MAIN_WAREHOUSE = 104

CREATED, PAID, UPDATED, COMPLETED = 2, 3, 4, 5
CREDIT_NOTE = 4


def create(call: Call) -> Any:
    """POST /rest/orders. No external id is unique; an order without items falls into status 1."""
    return shown(call.tenant, create_as(call, call.body()), set())


def create_as(call: Call, body: Record) -> Record:
    """A new order from a body."""
    tenant = call.tenant
    check_order(tenant, body, new=True)
    order = _blank(tenant, body)
    fresh = order["id"]
    take_dates(tenant, order, body.get("dates") or [])
    for kind in (66, 68):
        put_property(tenant, order, kind, "Rest" if kind == 66 else "rest")
    for row in body.get("properties") or []:
        put_property(tenant, order, whole(row["typeId"]) or 0, text(row.get("value")))
    take_relations(order, body.get("relations") or [])
    if not any(row["referenceType"] == "warehouse" for row in order["relations"]):
        sender = next(
            (whole(row.get("warehouseId")) for row in body.get("orderItems") or [] if row.get("warehouseId")), None
        )
        take_relations(
            order, [{"referenceType": "warehouse", "referenceId": sender or MAIN_WAREHOUSE, "relation": "sender"}]
        )
    take_addresses(tenant, order, body.get("addressRelations") or [])
    items = body.get("orderItems") or []
    order["isNet"] = money.is_net(row for item in items for row in item.get("amounts") or [])
    for item in items:
        add_item(tenant, order, item)
    if not items:
        order["statusId"] = 1
    tenant.orders[fresh] = order
    tenant.bear("order", fresh)
    note_status(tenant, order, call.user)
    reckon(tenant, order)
    return order


def _blank(tenant: Tenant, body: Record) -> Record:
    """An order of which only the head is known."""
    now = tenant.now
    return {
        "id": tenant.next_id("order"),
        "referrerId": short(number(body.get("referrerId")) or Decimal(0)),
        "roundTotalsOnly": True,
        "numberOfDecimals": 4,
        "plentyId": whole(body["plentyId"]),
        "typeId": whole(body["typeId"]),
        "lockStatus": "unlocked",
        "locationId": "1",
        "createdAt": now,
        "updatedAt": now,
        "statusId": short(number(body.get("statusId")) or Decimal(3)),
        "ownerId": None if body.get("ownerId") is None else text(body["ownerId"]),
        "relations": [],
        "properties": [],
        "dates": [],
        "amounts": [],
        "orderReferences": [],
        "orderItems": [],
        "addressRelations": [],
        "isNet": False,
        "express": False,
    }


def copy_head(tenant: Tenant, parent: Record, kind: int, status: Any, user: int) -> Record:
    """A stored order without items and properties, of the same client, parties, addresses and kind of price."""
    names = ("referrerId", "plentyId", "ownerId")
    order = _blank(tenant, {name: parent[name] for name in names} | {"typeId": kind, "statusId": status})
    order["isNet"] = parent["isNet"]
    take_dates(tenant, order, [])
    take_relations(order, parent["relations"])
    take_addresses(tenant, order, parent["addressRelations"])
    tenant.orders[order["id"]] = order
    tenant.bear("order", order["id"])
    note_status(tenant, order, user)
    return order


def take_dates(tenant: Tenant, order: Record, rows: list[Record]) -> None:
    """The dates of an order; creation and update are the server's own."""
    dates = {CREATED: order["createdAt"], UPDATED: order["updatedAt"]}
    for row in rows:
        kind, value = whole(row["typeId"]) or 0, moment(row["date"])
        if value and kind not in (CREATED, UPDATED):
            dates[kind] = iso(value)
        if value and kind == CREATED and tenant.settings.honour_created_date:
            dates[kind] = order["createdAt"] = iso(value)
    order["dates"] = [{"orderId": order["id"], "typeId": kind, "date": value} for kind, value in dates.items()]


def set_date(order: Record, kind: int, value: str) -> None:
    """Set one date of an order."""
    for row in order["dates"]:
        if row["typeId"] == kind:
            row["date"] = value
            return
    order["dates"].append({"orderId": order["id"], "typeId": kind, "date": value})


def touch(tenant: Tenant, order: Record, by: str | None = None) -> None:
    """The order was changed now; what came to it `by` packages, documents and so on moves it where the tenant says so."""
    if by is not None and not getattr(tenant.settings, f"{by}_move_order"):
        return
    order["updatedAt"] = tenant.now
    set_date(order, UPDATED, order["updatedAt"])


def put_property(tenant: Tenant, order: Record, kind: int, value: str) -> None:
    """Set a property; the payment status follows from payments and cannot be set."""
    if kind == PAYMENT_STATUS:
        return
    for row in order["properties"]:
        if row["typeId"] == kind:
            row |= {"value": value, "updatedAt": tenant.now}
            return
    row = {"orderId": order["id"], "typeId": kind, "value": value, "createdAt": tenant.now, "updatedAt": tenant.now}
    order["properties"].append(row)


def property_of(order: Record, kind: int) -> str | None:
    """The value of a property, if the order has it."""
    return next((row["value"] for row in order["properties"] if row["typeId"] == kind), None)


def take_relations(order: Record, rows: list[Record]) -> None:
    """Who the order is from and to: one per type and direction."""
    for row in rows:
        order["relations"] = [
            each
            for each in order["relations"]
            if (each["referenceType"], each["relation"]) != (row["referenceType"], row["relation"])
        ]
        order["relations"].append(
            {
                "orderId": order["id"],
                "referenceType": row["referenceType"],
                "referenceId": whole(row["referenceId"]),
                "relation": row["relation"],
            }
        )


def related(order: Record, kind: str, relation: str) -> int | None:
    """The id of the contact or warehouse that sends or receives the order."""
    for row in order["relations"]:
        if (row["referenceType"], row["relation"]) == (kind, relation):
            number_: int = row["referenceId"]
            return number_
    return None


def take_addresses(tenant: Tenant, order: Record, rows: list[Record]) -> None:
    """The addresses of an order: one per type."""
    for row in rows:
        kind = whole(row["typeId"])
        order["addressRelations"] = [each for each in order["addressRelations"] if each["typeId"] != kind]
        order["addressRelations"].append(
            {
                "id": tenant.next_id("order_address"),
                "orderId": order["id"],
                "typeId": kind,
                "addressId": whole(row["addressId"]),
            }
        )


def vat_rate(tenant: Tenant, order: Record, item: Record) -> Decimal:
    """The rate that was sent, or that of the named VAT configuration, or the standard one's."""
    if (sent := number(item.get("vatRate"))) is not None:
        return sent
    wanted = whole(item.get("countryVatId")) or 1
    field = whole(item.get("vatField")) or 0
    for row in tenant.vats:
        if row["id"] == wanted:
            return next((Decimal(each["vatRate"]) for each in row["vatRates"] if each["id"] == field), Decimal(0))
    return Decimal(0)


def add_item(tenant: Tenant, order: Record, sent: Record) -> Record:
    """A further item of an order."""
    fresh = tenant.next_id("order_item")
    item: Record = {
        "id": fresh,
        "orderId": order["id"],
        "typeId": whole(sent["typeId"]),
        "referrerId": order["referrerId"],
        "itemVariationId": 0,
        "quantity": 1,
        "orderItemName": "",
        "attributeValues": None,
        "shippingProfileId": None,
        "countryVatId": 1,
        "vatField": 0,
        "vatRate": 0,
        "position": "0",
        "createdAt": tenant.now,
        "updatedAt": tenant.now,
        "warehouseId": related(order, "warehouse", "sender") if whole(sent["typeId"]) == 1 else None,
        "orderProperties": [],
        "properties": [],
        "dates": [],
        "amounts": [],
        "references": [],
    }
    order["orderItems"].append(item)
    fill_item(tenant, order, item, sent)
    return item


def fill_item(tenant: Tenant, order: Record, item: Record, sent: Record) -> None:
    """Take over what was sent for an item and compute its prices."""
    for name in ("itemVariationId", "countryVatId", "vatField", "warehouseId", "shippingProfileId"):
        if sent.get(name) is not None:
            item[name] = whole(sent[name])
    if sent.get("referrerId") is not None:
        item["referrerId"] = short(number(sent["referrerId"]) or Decimal(0))
    if sent.get("quantity") is not None:
        item["quantity"] = short(number(sent["quantity"]) or Decimal(0))
    for name in ("orderItemName", "attributeValues"):
        if name in sent:
            item[name] = sent[name]
    if sent.get("position") is not None:
        item["position"] = text(sent["position"])
    if {"vatRate", "vatField", "countryVatId"} & set(sent) or not item["amounts"]:
        item["vatRate"] = short(vat_rate(tenant, order, {**item, "vatRate": None, **sent}))
    for row in sent.get("properties") or []:
        put_item_property(tenant, item, whole(row["typeId"]) or 0, text(row.get("value")))
    if item["typeId"] == 1 and not any(row["typeId"] == 21 for row in item["properties"]):
        put_item_property(tenant, item, 21, number_text(item["quantity"]))
    if isinstance(sent.get("orderProperties"), list):
        item["orderProperties"] = sent["orderProperties"]
    for row in sent.get("dates") or []:
        value = moment(row["date"])
        item["dates"].append({"orderItemId": item["id"], "typeId": whole(row["typeId"]), "date": value and iso(value)})
    if sent.get("amounts"):
        rows = money.item_rows(sent["amounts"], Decimal(item["vatRate"]), net=order["isNet"])
        item["amounts"] = [
            {
                "id": tenant.next_id("item_amount"),
                "orderItemId": item["id"],
                **money.plain(row),
                "createdAt": tenant.now,
                "updatedAt": tenant.now,
            }
            for row in rows
        ]


def put_item_property(tenant: Tenant, item: Record, kind: int, value: str) -> None:
    """Set a property of an item; warehouse and shipping profile also show as fields."""
    if kind == WAREHOUSE:
        item["warehouseId"] = whole(value)
    if kind == SHIPPING_PROFILE:
        item["shippingProfileId"] = whole(value)
    for row in item["properties"]:
        if row["typeId"] == kind:
            row |= {"value": value, "updatedAt": tenant.now}
            return
    row = {"id": tenant.next_id("item_property"), "orderItemId": item["id"], "typeId": kind, "value": value}
    item["properties"].append({**row, "createdAt": tenant.now, "updatedAt": tenant.now})


def payments_of(tenant: Tenant, order: Record) -> list[Record]:
    """The payments that are linked to an order, each once."""
    numbers = dict.fromkeys(row["paymentId"] for row in tenant.order_relations if row["orderId"] == order["id"])
    return [tenant.payments[each] for each in numbers if each in tenant.payments]


def reckon(tenant: Tenant, order: Record) -> None:
    """Compute the order's amounts, what is paid of them, and the date of payment."""
    currencies: dict[str, Record] = {}
    for item in order["orderItems"]:
        for row in item["amounts"]:
            currencies.setdefault(row["currency"], row)
    currencies = currencies or {lists.SYSTEM_CURRENCY: {"isSystemCurrency": True, "exchangeRate": 1}}
    before = {row["currency"]: row for row in order["amounts"]}
    rows: list[Record] = []
    for currency, sample in sorted(currencies.items(), key=lambda each: not each[1]["isSystemCurrency"]):
        known = before.get(currency, {})
        fresh = known.get("id") or tenant.next_id("order_amount")
        sums = money.totals(
            order["orderItems"],
            currency,
            net=order["isNet"],
            gift_card_lowers=tenant.settings.gift_card_lowers_total,
        )
        paid = money.paid(payments_of(tenant, order), currency, Decimal(sample["exchangeRate"]))
        if order["typeId"] == CREDIT_NOTE:
            paid = -paid  # what goes out to the customer pays a credit note
        for row in sums["vats"]:
            row |= {"id": tenant.next_id("order_amount_vat"), "orderAmountId": fresh}
        rows.append(
            {
                "id": fresh,
                "orderId": order["id"],
                "isSystemCurrency": sample["isSystemCurrency"],
                "isNet": order["isNet"],
                "currency": currency,
                "exchangeRate": sample["exchangeRate"],
                "createdAt": known.get("createdAt", tenant.now),
                "updatedAt": tenant.now,
                "paidAmount": paid,
                **sums,
            }
        )
    order["amounts"] = money.plain(rows)
    if payment_status(order) in ("fullyPaid", "overpaid") and payments_of(tenant, order):
        if not any(row["typeId"] == PAID for row in order["dates"]):
            set_date(order, PAID, tenant.now)
            if tenant.settings.paid_status is not None:
                set_status(tenant, order, tenant.settings.paid_status, 0)
    else:
        order["dates"] = [row for row in order["dates"] if row["typeId"] != PAID]


def payment_status(order: Record) -> str:
    """Unpaid to overpaid, judged in the order's own currency."""
    row = order["amounts"][-1]
    return money.payment_status(Decimal(row["invoiceTotal"]), Decimal(row["paidAmount"]))


def set_status(tenant: Tenant, order: Record, status: Any, user: int, message: str = "") -> None:
    """Change the status and write it into the history; then the tenant's own procedures follow, each at most once."""
    _enter(tenant, order, short(number(status) or Decimal(1)), user, message)


def _enter(
    tenant: Tenant, order: Record, status: Any, user: int, message: str, ran: frozenset[int] = frozenset()
) -> None:
    if status == order["statusId"]:
        return
    order["statusId"] = status
    note_status(tenant, order, user, message)
    touch(tenant, order)
    for row in tenant.procedures:
        fits = row["typeId"] in (None, order["typeId"]) and row["referrerId"] in (None, Decimal(order["referrerId"]))
        if row["id"] not in ran and fits and row["statusId"] == Decimal(status):
            _enter(tenant, order, short(row["then"]), 0, row["name"], ran | {row["id"]})
            return


def note_status(tenant: Tenant, order: Record, user: int, message: str = "") -> None:
    row = {"id": tenant.next_id("status_history"), "orderId": order["id"], "statusId": order["statusId"]}
    tenant.status_history.append({**row, "userId": user, "createdAt": tenant.now, "procedureText": message})


def status_name(tenant: Tenant, order: Record) -> str:
    """As read: the number in brackets, the name, and a space at the end (recorded)."""
    wanted = Decimal(order["statusId"])
    name = next((row["names"]["en"] for row in tenant.statuses if Decimal(row["statusId"]) == wanted), "")
    return f"[{number_text(order['statusId'])}] {name} "


def head(order: Record) -> Record:
    """Only the order itself, as a search without relations returns it."""
    return {name: order[name] for name in HEAD}


HEAD = (
    "id", "referrerId", "roundTotalsOnly", "numberOfDecimals", "plentyId", "typeId", "lockStatus", "locationId",
    "createdAt", "updatedAt", "statusId", "ownerId",
)  # fmt: skip


def properties(order: Record) -> list[Record]:
    """Stored properties with their dates, then the derived ones without."""
    rows = [row for row in order["properties"] if row["typeId"] not in DERIVED]
    profile = property_of(order, SHIPPING_PROFILE) or next(
        (str(item["shippingProfileId"]) for item in order["orderItems"] if item["shippingProfileId"]), None
    )
    warehouse = property_of(order, WAREHOUSE) or str(related(order, "warehouse", "sender") or MAIN_WAREHOUSE)
    derived: dict[int, str | None] = {
        WAREHOUSE: warehouse,
        PAYMENT_STATUS: payment_status(order),
        SHIPPING_PROFILE: profile,
        33: property_of(order, 33),
        EXPRESS: property_of(order, EXPRESS) or "1",
    }
    rows += [{"orderId": order["id"], "typeId": kind, "value": value} for kind, value in derived.items() if value]
    return rows


def shown(tenant: Tenant, order: Record, relations: set[str], *, items: bool = True) -> Record:
    """An order as it is read, with the relations asked for."""
    record = head(order)
    record["statusName"] = status_name(tenant, order)
    record["relations"] = order["relations"]
    record["properties"] = properties(order)
    record["dates"] = order["dates"]
    record["amounts"] = order["amounts"]
    record["orderReferences"] = order["orderReferences"]
    record["addressRelations"] = order["addressRelations"]
    if items:
        record["orderItems"] = [item_shown(tenant, item, relations) for item in order["orderItems"]]
    for name in sorted(relations & set(RELATIONS)):
        record[name] = RELATIONS[name](tenant, order)
    if "shippingPackages.items" in relations:
        record["shippingPackages"] = [
            {**row, "items": [each for each in tenant.package_items if each["packageId"] == row["id"]]}
            for row in _packages(tenant, order)
        ]
    return record


def item_shown(tenant: Tenant, item: Record, relations: set[str]) -> Record:
    """An item with the relations asked for as `orderItems.…`."""
    asked = {name.removeprefix("orderItems.") for name in relations if name.startswith("orderItems.")}
    if not asked:
        return item
    record = dict(item)
    if "variation" in asked:
        record["variation"] = tenant.variations.get(item["itemVariationId"])
    for name in asked & {"giftCardCodes", "variationBarcodes"}:
        record[name] = []
    if "transactions" in asked:
        record["transactions"] = [row for row in tenant.transactions.values() if row["orderItemId"] == item["id"]]
    if "comments" in asked:
        record["comments"] = _comments_on(tenant, "order_item", item)
    if "serialNumbers" in asked:
        record["serialNumbers"] = [row for row in tenant.serials if row["orderItemId"] == item["id"]]
    return record


def _addresses(tenant: Tenant, order: Record) -> Any:
    return [
        {
            **tenant.addresses[row["addressId"]],
            "pivot": {"orderId": str(order["id"]), "addressId": row["addressId"], "typeId": row["typeId"]},
        }
        for row in order["addressRelations"]
        if row["addressId"] in tenant.addresses
    ]


def _payments(tenant: Tenant, order: Record) -> Any:
    hidden = ("properties", "histories")
    return [
        {name: value for name, value in payment.items() if name not in hidden}
        | {"pivot": {"orderId": str(order["id"]), "paymentId": str(payment["id"])}}
        for payment in payments_of(tenant, order)
    ]


def _contact(relation: str) -> Any:
    def read(tenant: Tenant, order: Record) -> Any:
        contact = tenant.contacts.get(related(order, "contact", relation) or 0)
        return contact and contact_shown(tenant, contact, {"options", "accounts"})

    return read


def _warehouse(relation: str) -> Any:
    def read(tenant: Tenant, order: Record) -> Any:
        wanted = related(order, "warehouse", relation)
        return next((row for row in lists.warehouses() if row["id"] == wanted), None)

    return read


def _comments(tenant: Tenant, order: Record) -> Any:
    return _comments_on(tenant, "order", order)


def _comments_on(tenant: Tenant, kind: str, record: Record) -> list[Record]:
    key = (kind, str(record["id"]))
    return [row for row in tenant.comments.values() if (row["referenceType"], row["referenceValue"]) == key]


def _origins(tenant: Tenant, order: Record) -> Any:
    return [
        row
        for other in tenant.orders.values()
        for row in other["orderReferences"]
        if row["originOrderId"] == order["id"]
    ]


def _packages(tenant: Tenant, order: Record) -> Any:
    return [row for row in tenant.packages.values() if row["orderId"] == order["id"]]


def _documents(tenant: Tenant, order: Record) -> Any:
    from sandbox.plentyone.documents import documents_of  # it stands on this module
    from sandbox.plentyone.documents import shown as document_shown

    return [document_shown(tenant, row, pivot=True) for row in documents_of(tenant, order)]


def _location(tenant: Tenant, order: Record) -> Any:
    return {"id": 1, "countryId": 1, "name": "Hauptsitz", "clientId": 0, "plentyId": order["plentyId"]}


RELATIONS: dict[str, Any] = {
    "addresses": _addresses,
    "payments": _payments,
    "comments": _comments,
    "location": _location,
    "documents": _documents,
    "contactSender": _contact("sender"),
    "contactReceiver": _contact("receiver"),
    "warehouseSender": _warehouse("sender"),
    "warehouseReceiver": _warehouse("receiver"),
    "originOrderReferences": _origins,
    "shippingPackages": _packages,
    "shippingPallets": lambda tenant, order: [],
    "shippingInformation": lambda tenant, order: tenant.shipping_information.get(order["id"]),
    "paymentTerms": lambda tenant, order: None,
}


def find(call: Call, place: str = "id") -> Record:
    """The order of a path. Refuses when there is none."""
    order = call.tenant.orders.get(call.number(place))
    if order is None:
        raise not_found("Order\\Models\\Order", call.places[place])
    return order


def unlocked(order: Record) -> None:
    """Refuse what a tax document forbids."""
    if order["lockStatus"] != "unlocked":
        raise plain(422, f"The order {order['id']} is locked and cannot be changed.")


def read(call: Call) -> Any:
    return shown(call.tenant, find(call), call.withs())


def read_items(call: Call) -> Any:
    """GET /rest/orders/{id}/items."""
    relations = {f"orderItems.{name}" for name in call.withs()}
    rows = [item_shown(call.tenant, item, relations) for item in find(call)["orderItems"]]
    if call.request.arg("sortOrder") == "desc":
        rows.reverse()
    return paged(call.request, rows, default=50, cap=250)


def change(call: Call) -> Any:
    """PUT /rest/orders/{id}: partial. An item with an `id` is changed, one without is added."""
    tenant, order, body = call.tenant, find(call), call.body()
    check_order(tenant, body, new=False)
    if body.get("orderItems") or body.get("addressRelations"):
        unlocked(order)
    own = {item["id"]: item for item in order["orderItems"]}
    findings = Findings()
    for at, sent in enumerate(body.get("orderItems") or []):
        if sent.get("id") is not None and whole(sent["id"]) not in own:
            findings.add(f"orderItems.{at}.id", UNKNOWN)
    findings.refuse()
    if body.get("plentyId") is not None:
        order["plentyId"] = whole(body["plentyId"])
    if body.get("ownerId") is not None:
        order["ownerId"] = text(body["ownerId"])
    if body.get("referrerId") is not None:
        order["referrerId"] = short(number(body["referrerId"]) or Decimal(0))
    for row in body.get("properties") or []:
        put_property(tenant, order, whole(row["typeId"]) or 0, text(row.get("value")))
    for row in body.get("dates") or []:
        kind, value = whole(row["typeId"]) or 0, moment(row["date"])
        if value and kind not in (CREATED, UPDATED):
            set_date(order, kind, iso(value))
    take_relations(order, body.get("relations") or [])
    take_addresses(tenant, order, body.get("addressRelations") or [])
    for sent in body.get("orderItems") or []:
        if sent.get("id") is None:
            add_item(tenant, order, sent)
        else:
            item = own[whole(sent["id"]) or 0]
            fill_item(tenant, order, item, sent)
            item["updatedAt"] = tenant.now
    if body.get("statusId") is not None:
        set_status(tenant, order, body["statusId"], call.user)
    reckon(tenant, order)
    touch(tenant, order)
    return shown(tenant, order, set())


def cancel(call: Call) -> Any:
    """PUT /rest/orders/{id}/cancel, into status 8 unless another is named."""
    tenant, order, body = call.tenant, find(call), call.body()
    check_order(tenant, {"statusId": body.get("statusId")}, new=False)
    set_status(tenant, order, body.get("statusId") or 8, call.user, text(body.get("message")))
    touch(tenant, order)
    return shown(tenant, order, set())


def book(call: Call) -> Any:
    """POST /rest/sales_orders/{id}/book and …/delivery_orders/{id}/book: outgoing items booked, status 7."""
    tenant, order, body = call.tenant, find(call), call.body()
    set_date(order, COMPLETED, iso(moment(body.get("bookingDate")) or tenant.exact_now))
    set_status(tenant, order, 7, call.user, text(body.get("message")))
    touch(tenant, order)
    return shown(tenant, order, set())


def delete(call: Call) -> Any:
    """DELETE /rest/orders/{id}: refused on locked orders."""
    order = find(call)
    unlocked(order)
    del call.tenant.orders[order["id"]]
    call.tenant.order_relations = [row for row in call.tenant.order_relations if row["orderId"] != order["id"]]
    return {"affectedRows": 1}


def delete_item(call: Call) -> Any:
    """DELETE /rest/orders/{id}/items/{orderItemId}."""
    order = find(call)
    unlocked(order)
    left = [item for item in order["orderItems"] if item["id"] != call.number("item")]
    if len(left) == len(order["orderItems"]):
        raise not_found("Order\\Models\\OrderItem", call.places["item"])
    order["orderItems"] = left
    reckon(call.tenant, order)
    touch(call.tenant, order)
    return {"affectedRows": 1}


def may_read_history(tenant: Tenant) -> None:
    """Refuse where the user lacks the right, or the tenant the route."""
    if tenant.settings.status_history:
        return
    if tenant.settings.status_history_refusal == 403:
        raise missing_permission("order.status_history.show")
    raise plain(404, "Resource not found.")


def status_history(call: Call) -> Any:
    """GET /rest/orders/{id}/status-history: an array, oldest first; in an envelope where the tenant is set so."""
    may_read_history(call.tenant)
    order = find(call)
    rows = [row for row in call.tenant.status_history if row["orderId"] == order["id"]]
    return paged(call.request, rows) if call.tenant.settings.status_history_enveloped else rows


def whole_status_history(call: Call) -> Any:
    """GET /rest/orders/status-history: an envelope; dates that are none are refused, as in the list of orders."""
    may_read_history(call.tenant)
    findings = Findings()
    for name in ("createdAtFrom", "createdAtTo"):
        if call.request.arg(name) and moment(call.request.arg(name)) is None:
            findings.add(name, "The {} does not match the format Y-m-d\\TH:i:sP.")
    findings.refuse()
    rows: Iterable[Record] = call.tenant.status_history
    if (user := whole(call.request.arg("userId"))) is not None:
        rows = [row for row in rows if row["userId"] == user]
    if (wanted := whole(call.request.arg("orderId"))) is not None:
        rows = [row for row in rows if row["orderId"] == wanted]
    if (status := number(call.request.arg("statusId"))) is not None:
        rows = [row for row in rows if Decimal(row["statusId"]) == status]
    for name, after in (("createdAtFrom", True), ("createdAtTo", False)):
        if limit := moment(call.request.arg(name)):
            rows = [
                row
                for row in rows
                if (own := moment(row["createdAt"])) is not None and (own >= limit if after else own <= limit)
            ]
    return paged(call.request, list(rows))


def address_of(call: Call) -> Any:
    """GET /rest/orders/{id}/addresses/{typeId}."""
    for row in find(call)["addressRelations"]:
        if row["typeId"] == call.number("kind") and row["addressId"] in call.tenant.addresses:
            return call.tenant.addresses[row["addressId"]]
    raise not_found("Account\\Address\\Models\\Address", call.places["kind"])


def new_address(call: Call) -> Any:
    """POST /rest/orders/{id}/addresses/{typeId}: a new address for this order only."""
    order, body = find(call), call.body()
    unlocked(order)
    check_address(call.tenant, body, new=True)
    address = store_address(call.tenant, body)
    take_addresses(call.tenant, order, [{"typeId": call.number("kind"), "addressId": address["id"]}])
    touch(call.tenant, order)
    return address


def replace_address(call: Call) -> Any:
    """PUT /rest/orders/{id}/addresses/{addressId}/{typeId}: another address instead, the old record stays."""
    order, body = find(call), call.body()
    unlocked(order)
    old = call.tenant.addresses.get(call.number("address"))
    if old is None:
        raise not_found("Account\\Address\\Models\\Address", call.places["address"])
    check_address(call.tenant, body, new=False)
    address = store_address(call.tenant, {**old, **body})
    take_addresses(call.tenant, order, [{"typeId": call.number("kind"), "addressId": address["id"]}])
    touch(call.tenant, order)
    return address


def dates(call: Call) -> Any:
    return find(call)["dates"]


def one_date(call: Call) -> Any:
    """GET /rest/orders/{id}/dates/{typeId}."""
    for row in find(call)["dates"]:
        if row["typeId"] == call.number("kind"):
            return row
    raise not_found("Order\\Date\\Models\\OrderDate", call.places["kind"])


def cancel_booking(call: Call) -> Any:
    """POST /rest/sales_orders/{id}/cancel_booking: the goods are not gone after all."""
    tenant, order, body = call.tenant, find(call), call.body()
    order["dates"] = [row for row in order["dates"] if row["typeId"] != COMPLETED]
    if body.get("changeStatus"):
        set_status(tenant, order, 5, call.user)
    touch(tenant, order)
    return {}


def one_property(call: Call) -> Any:
    """GET /rest/orders/{id}/properties/{typeId}."""
    return [row for row in properties(find(call)) if row["typeId"] == call.number("kind")]


def set_property(call: Call) -> Any:
    """POST and PUT on a property of an order: deprecated, but alive."""
    order, body = find(call), call.body()
    kind = whole(call.places.get("kind") or body.get("typeId")) or 0
    put_property(call.tenant, order, kind, text(body.get("value")))
    touch(call.tenant, order)
    return next((row for row in properties(order) if row["typeId"] == kind), {})


def assign_variation(call: Call) -> Any:
    """POST /rest/sales_orders/items/{orderItemId}/assign_variation: an unassigned item gets its article."""
    body = call.body()
    variation = whole(body.get("itemVariationId") or body.get("variationId"))
    for order in call.tenant.orders.values():
        for item in order["orderItems"]:
            if item["id"] == call.number("item"):
                findings = Findings()
                if variation not in call.tenant.variations:
                    findings.add("itemVariationId", UNKNOWN)
                findings.refuse()
                item |= {"itemVariationId": variation, "typeId": 1, "updatedAt": call.tenant.now}
                touch(call.tenant, order)
                return item
    raise not_found("Order\\Models\\OrderItem", call.places["item"])


def comment(call: Call) -> Any:
    """POST /rest/comments."""
    tenant, body = call.tenant, call.body()
    findings = Findings()
    kinds = ("order", "order_item", "contact", "item_variation", "category", "register_incoming_items")
    if body.get("referenceType") not in kinds:
        findings.add("referenceType", UNKNOWN)
    if body.get("referenceValue") in (None, ""):
        findings.add("referenceValue", "The {} field is required.")
    if not isinstance(body.get("text"), str) or not body["text"]:
        findings.add("text", "The {} field is required.")
    if not isinstance(body.get("isVisibleForContact"), bool | int):
        findings.add("isVisibleForContact", "The {} field must be true or false.")
    findings.refuse()
    if body["referenceType"] == "order" and whole(body["referenceValue"]) not in tenant.orders:
        raise not_found("Order\\Models\\Order", body["referenceValue"])
    fresh = tenant.next_id("comment")
    row = {
        "id": fresh,
        "userId": whole(body.get("userId")) or call.user,
        "text": body["text"],
        "isVisibleForContact": bool(body["isVisibleForContact"]),
        "createdAt": tenant.now,
        "updatedAt": tenant.now,
        "referenceType": body["referenceType"],
        "referenceValue": str(body["referenceValue"]),
    }
    tenant.comments[fresh] = row
    if body["referenceType"] == "order":
        touch(tenant, tenant.orders[whole(body["referenceValue"]) or 0], by="comments")
    return row


def comments(call: Call) -> Any:
    """GET /rest/comments/{referenceType}/{referenceValue}: a plain array."""
    key = (call.places["kind"], call.places["value"])
    return [row for row in call.tenant.comments.values() if (row["referenceType"], row["referenceValue"]) == key]


def one_comment(call: Call) -> Any:
    if (row := call.tenant.comments.get(call.number("id"))) is None:
        raise not_found("Comment\\Models\\Comment", call.places["id"])
    return row


def delete_comment(call: Call) -> Any:
    if call.tenant.comments.pop(call.number("id"), None) is None:
        raise not_found("Comment\\Models\\Comment", call.places["id"])
    return {"affectedRows": 1}


def assigned_at(tenant: Tenant) -> str:
    """The moment of an assignment, written without a zone (recorded)."""
    return local(tenant.exact_now)


TABLE: Table = [
    ("POST", "/rest/orders", create),
    ("POST", "/rest/sales_orders", create),
    ("GET", "/rest/orders/status-history", whole_status_history),
    ("GET", "/rest/orders/{id:int}", read),
    ("PUT", "/rest/orders/{id:int}", change),
    ("PUT", "/rest/sales_orders/{id:int}", change),
    ("DELETE", "/rest/orders/{id:int}", delete),
    ("DELETE", "/rest/sales_orders/{id:int}", delete),
    ("PUT", "/rest/orders/{id:int}/cancel", cancel),
    ("POST", "/rest/sales_orders/{id:int}/book", book),
    ("GET", "/rest/orders/{id:int}/items", read_items),
    ("DELETE", "/rest/orders/{id:int}/items/{item:int}", delete_item),
    ("GET", "/rest/orders/{id:int}/status-history", status_history),
    ("GET", "/rest/orders/{id:int}/dates", dates),
    ("GET", "/rest/orders/{id:int}/dates/{kind:int}", one_date),
    ("POST", "/rest/sales_orders/{id:int}/cancel_booking", cancel_booking),
    ("GET", "/rest/orders/{id:int}/addresses/{kind:int}", address_of),
    ("POST", "/rest/orders/{id:int}/addresses/{kind:int}", new_address),
    ("PUT", "/rest/orders/{id:int}/addresses/{address:int}/{kind:int}", replace_address),
    ("POST", "/rest/orders/{id:int}/properties", set_property),
    ("GET", "/rest/orders/{id:int}/properties/{kind:int}", one_property),
    ("PUT", "/rest/orders/{id:int}/properties/{kind:int}", set_property),
    ("POST", "/rest/sales_orders/items/{item:int}/assign_variation", assign_variation),
    ("POST", "/rest/comments", comment),
    ("GET", "/rest/comments/{id:int}", one_comment),
    ("DELETE", "/rest/comments/{id:int}", delete_comment),
    ("GET", "/rest/comments/{kind}/{value}", comments),
]
