"""Orders that come from another order: delivery orders, returns, credit notes and what a split takes away.

The `quantities` of the calls have no type in the contract; they are taken as `{orderItemId, quantity}`, the only
shape that was ever seen. A child carries its parent in `orderReferences`, each of its items the parent's item in
`references`; the parent's `updatedAt` moves (recorded: order_7126).
"""

from decimal import Decimal
from typing import Any

from sandbox.plentyone.errors import NOT_LIST, NOT_NUMBER, REQUIRED, UNKNOWN, Findings, plain
from sandbox.plentyone.order_check import check_order
from sandbox.plentyone.orders import (
    add_item,
    book,
    cancel_booking,
    change,
    copy_head,
    create_as,
    delete,
    find,
    put_item_property,
    put_property,
    reckon,
    set_date,
    shown,
    touch,
)
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, number, short, text, whole

SALES, DELIVERY, RETURN, CREDIT = 1, 2, 3, 4
GOODS = (1, 2, 3, 9, 13, 14)  # what can be packed; the rest are coupons, costs and surcharges
COUPON, SHIPPING = 4, 6
CANCELLED = Decimal(8), Decimal(9)
RETURNED_AT = 6
KEPT = (15, 16, 17, 22, 41, 98, 99)  # item properties that say what an item is elsewhere
TOO_MUCH = "The {} is greater than what is left of the item."

Quantities = dict[int, Decimal]


def children(tenant: Tenant, order: Record, kind: int | None = None) -> list[Record]:
    """The orders made directly from this one, oldest first."""
    return [
        other
        for _, other in sorted(tenant.orders.items())
        if kind in (None, other["typeId"])
        and any(row["referenceOrderId"] == order["id"] for row in other["orderReferences"])
    ]


def origin(order: Record) -> int:
    """The first order of the family."""
    found: int = next((row["originOrderId"] for row in order["orderReferences"]), order["id"])
    return found


def left(tenant: Tenant, order: Record, kind: int) -> Quantities:
    """What of each item no child of this kind has taken yet; cancelled children give theirs back."""
    taken = _taken(children(tenant, order, kind))
    rest = {item["id"]: Decimal(item["quantity"]) - taken.get(item["id"], Decimal(0)) for item in order["orderItems"]}
    return _sold(tenant, order, rest) if kind == RETURN and order["typeId"] in (SALES, DELIVERY) else rest


def _taken(orders: list[Record]) -> Quantities:
    found: Quantities = {}
    for child in orders:
        if CANCELLED[0] <= Decimal(child["statusId"]) < CANCELLED[1]:
            continue
        for item in child["orderItems"]:
            for row in item["references"]:
                key = row["referenceOrderItemId"]
                found[key] = found.get(key, Decimal(0)) + Decimal(item["quantity"])
    return found


def _sold(tenant: Tenant, order: Record, rest: Quantities) -> Quantities:
    """No more of an item goes back than was sold, be it from the sales order or from its delivery orders."""
    family = [other for other in tenant.orders.values() if origin(other) == origin(order)]
    items = {item["id"]: item for other in family for item in other["orderItems"]}
    above = {
        item["id"]: row["referenceOrderItemId"]
        for other in family
        if other["typeId"] == DELIVERY
        for item in other["orderItems"]
        for row in item["references"]
    }
    back: Quantities = {}
    for key, quantity in _taken([other for other in family if other["typeId"] == RETURN]).items():
        first = above.get(key, key)
        back[first] = back.get(first, Decimal(0)) + quantity

    def whole_left(item: int) -> Decimal:
        first = above.get(item, item)
        sold = Decimal(items[first]["quantity"]) if first in items else rest[item]
        return sold - back.get(first, Decimal(0))

    return {item: min(own, whole_left(item)) for item, own in rest.items()}


def read_quantities(tenant: Tenant, order: Record, body: Record, kind: int, *, needed: bool) -> Quantities | None:
    """The quantities of a body, held against what is left. None when none were sent."""
    findings = Findings()
    rows = body.get("quantities")
    if not rows:
        if needed:
            findings.add("quantities", REQUIRED)
        findings.refuse()
        return None
    if not isinstance(rows, list):
        findings.add("quantities", NOT_LIST)
        findings.refuse()
    rest = left(tenant, order, kind)
    found: Quantities = {}
    for at, row in enumerate(rows):
        place = f"quantities.{at}"
        item = whole(row.get("orderItemId")) if isinstance(row, dict) else None
        wanted = number(row.get("quantity")) if isinstance(row, dict) else None
        if item is None:
            findings.add(f"{place}.orderItemId", REQUIRED)
        elif item not in rest:
            findings.add(f"{place}.orderItemId", UNKNOWN)
        elif wanted is None or wanted <= 0:
            findings.add(f"{place}.quantity", NOT_NUMBER)
        else:
            found[item] = found.get(item, Decimal(0)) + wanted
            if found[item] > rest[item]:
                findings.add(f"{place}.quantity", TOO_MUCH)
    findings.refuse()
    return found


def own_amount(item: Record, price: Decimal | None = None) -> list[Record]:
    """An item's amounts as a body would send them; with a price, that one in the order's currency."""
    rows = item["amounts"][-1:] if price is not None else item["amounts"]
    names = ("isSystemCurrency", "currency", "exchangeRate", "purchasePrice", "surcharge", "discount", "isPercentage")
    made = []
    for row in rows:
        amounts = {name: row[name] for name in names}
        amounts |= {"priceOriginalGross": row["priceOriginalGross"], "priceOriginalNet": row["priceOriginalNet"]}
        if price is not None:
            amounts |= {"priceOriginalGross": price, "priceOriginalNet": price, "surcharge": 0, "discount": 0}
        made.append(amounts)
    return made


def copy_item(tenant: Tenant, child: Record, item: Record, quantity: Decimal, price: Decimal | None = None) -> Record:
    """An item of the parent in the child, with what it is elsewhere and the reference to it."""
    names = (
        *("typeId", "itemVariationId", "orderItemName", "attributeValues", "position", "countryVatId", "vatField"),
        *("vatRate", "warehouseId", "shippingProfileId", "referrerId"),
    )
    sent = {name: item[name] for name in names} | {"quantity": quantity, "amounts": own_amount(item, price)}
    made = add_item(tenant, child, sent)
    for row in item["properties"]:
        if row["typeId"] in KEPT:
            put_item_property(tenant, made, row["typeId"], row["value"])
    made["references"] = [
        {"orderItemId": made["id"], "referenceOrderItemId": item["id"], "referenceType": "parent"},
    ]
    return made


def begin(tenant: Tenant, parent: Record, kind: int, status: Any, user: int, *, reference: str = "parent") -> Record:
    """A child without items: parties, addresses, client and currency are the parent's."""
    child = copy_head(tenant, parent, kind, status, user)
    child["orderReferences"] = [
        {
            "orderId": child["id"],
            "originOrderId": origin(parent),
            "referenceOrderId": parent["id"],
            "referenceType": reference,
        }
    ]
    for row in parent["properties"]:
        if row["typeId"] in (2, 3, 6, 66, 68) or (row["typeId"] == 7 and tenant.settings.children_carry_external_id):
            put_property(tenant, child, row["typeId"], row["value"])
    return child


def finish(tenant: Tenant, parent: Record, child: Record) -> Record:
    """Reckon the child and let the parent notice."""
    reckon(tenant, child)
    touch(tenant, parent, by="children")
    return child


def goods(order: Record) -> list[Record]:
    return [item for item in order["orderItems"] if item["typeId"] in GOODS]


def taking(tenant: Tenant, parent: Record, kind: int, quantities: Quantities | None, status: Any, user: int) -> Record:
    """A child that takes these quantities, or all that is left of everything that can be packed."""
    rest = quantities or {item["id"]: left(tenant, parent, kind)[item["id"]] for item in goods(parent)}
    if not any(value > 0 for value in rest.values()):
        raise plain(422, f"Nothing is left of the order {parent['id']}.")
    child = begin(tenant, parent, kind, status, user)
    for item in parent["orderItems"]:
        if rest.get(item["id"], Decimal(0)) > 0:
            copy_item(tenant, child, item, rest[item["id"]])
    return finish(tenant, parent, child)


def folded(order: Record) -> dict[int, Decimal]:
    """The unit price of each item with its share of the coupons taken off, in the order's own currency."""
    rows, price = order["orderItems"], "priceNet" if order["isNet"] else "priceGross"

    def row_of(item: Record) -> Decimal:
        return Decimal(item["amounts"][-1][price]) * Decimal(item["quantity"])

    coupons = sum((row_of(item) for item in rows if item["typeId"] == COUPON), Decimal(0))
    whole_sum = sum((row_of(item) for item in rows if item["typeId"] in GOODS), Decimal(0))
    if not whole_sum or not coupons:
        return {}
    return {
        item["id"]: Decimal(item["amounts"][-1][price]) * (1 + coupons / whole_sum)
        for item in rows
        if item["typeId"] in GOODS
    }


def credit(
    tenant: Tenant,
    parent: Record,
    quantities: Quantities | None,
    status: Any,
    user: int,
    *,
    fold_coupons: bool = False,
    shipping: bool | None = None,
) -> Record:
    """A credit note: what is named, or all that is left. `shipping` adds the costs of shipping or leaves them out."""
    rest = left(tenant, parent, CREDIT)
    taken = dict(quantities) if quantities is not None else dict(rest)
    for item in parent["orderItems"]:
        if item["typeId"] == SHIPPING and shipping is not None:
            taken[item["id"]] = rest[item["id"]] if shipping else Decimal(0)
        if item["typeId"] == COUPON and fold_coupons:
            taken[item["id"]] = Decimal(0)
    if not any(value > 0 for value in taken.values()):
        raise plain(422, f"Nothing is left to credit of the order {parent['id']}.")
    prices = folded(parent) if fold_coupons else {}
    child = begin(tenant, parent, CREDIT, status, user)
    for item in parent["orderItems"]:
        if taken.get(item["id"], Decimal(0)) > 0:
            copy_item(tenant, child, item, taken[item["id"]], prices.get(item["id"]))
    return finish(tenant, parent, child)


def credit_amount(tenant: Tenant, parent: Record, amount: Decimal, status: Any, user: int, name: str) -> Record:
    """A credit note over a gross amount: one item of no article, which refers to none of the parent's."""
    sample = next((item for item in goods(parent)), parent["orderItems"][0])
    price = amount / (1 + Decimal(sample["vatRate"]) / 100) if parent["isNet"] else amount
    child = begin(tenant, parent, CREDIT, status, user)
    sent = {name_: sample[name_] for name_ in ("countryVatId", "vatField", "vatRate", "referrerId")}
    sent |= {"typeId": 9, "quantity": 1, "orderItemName": name, "amounts": own_amount(sample, price)}
    add_item(tenant, child, sent)
    return finish(tenant, parent, child)


def divide(tenant: Tenant, parent: Record, quantities: Quantities, status: Any, user: int) -> Record:
    """A split: the items go over into a new sales order and leave the old one."""
    child = begin(tenant, parent, SALES, status, user, reference="split")
    kept = []
    for item in parent["orderItems"]:
        moved = quantities.get(item["id"], Decimal(0))
        if moved > 0:
            copy_item(tenant, child, item, moved)
            item |= {"quantity": short(Decimal(item["quantity"]) - moved), "updatedAt": tenant.now}
        if item["quantity"] or not moved:
            kept.append(item)
    parent["orderItems"] = kept
    reckon(tenant, parent)
    return finish(tenant, parent, child)


def _parent(call: Call, *kinds: int) -> Record:
    order = find(call)
    if order["typeId"] not in kinds:
        raise plain(422, f"The order {order['id']} has the type {order['typeId']}, which cannot be a parent here.")
    return order


def deliver(call: Call) -> Any:
    """POST /rest/orders/{id}/delivery_orders: a type 2 order for a part of the goods."""
    tenant, order = call.tenant, _parent(call, SALES)
    quantities = read_quantities(tenant, order, call.body(), DELIVERY, needed=True)
    return shown(tenant, taking(tenant, order, DELIVERY, quantities, order["statusId"], call.user), set())


def deliver_all(call: Call) -> Any:
    """POST /rest/orders/{id}/delivery_orders/automatic: one delivery order for all that is left."""
    tenant, order = call.tenant, _parent(call, SALES)
    return [shown(tenant, taking(tenant, order, DELIVERY, None, order["statusId"], call.user), set())]


def give_back(call: Call) -> Any:
    """POST /rest/orders/{id}/returns: a type 3 order from a sales order; the reason comes later, item by item."""
    tenant, order, body = call.tenant, _parent(call, SALES, DELIVERY), call.body()
    check_order(tenant, {name: body.get(name) for name in ("statusId", "ownerId")}, new=False)
    quantities = read_quantities(tenant, order, body, RETURN, needed=True)
    made = make_return(tenant, order, quantities, body.get("statusId") or 9, call.user)
    warehouse = whole(body.get("warehouseId"))
    if warehouse is not None:
        for item in made["orderItems"]:
            put_item_property(tenant, item, 1, str(warehouse))
    if body.get("returnPackageNumber"):
        tenant.return_labels.append(_label(tenant, made, None, text(body["returnPackageNumber"]), ""))
    return shown(tenant, made, set())


def make_return(tenant: Tenant, order: Record, quantities: Quantities | None, status: Any, user: int) -> Record:
    """A return; who sent the goods now gets them."""
    made = taking(tenant, order, RETURN, quantities, status, user)
    turned = {"sender": "receiver", "receiver": "sender"}
    made["relations"] = [{**row, "relation": turned[row["relation"]]} for row in made["relations"]]
    return made


def credit_note(call: Call) -> Any:
    """POST /rest/orders/{id}/credit_notes: a type 4 order from a sales order or a return."""
    tenant, order, body = call.tenant, _parent(call, SALES, RETURN), call.body()
    check_order(tenant, {name: body.get(name) for name in ("statusId", "ownerId")}, new=False)
    quantities = read_quantities(tenant, order, body, CREDIT, needed=False)
    fold = body.get("includeCouponsIntoOrderItemPrice") in (True, 1)
    made = credit(tenant, order, quantities, body.get("statusId") or 11, call.user, fold_coupons=fold)
    return shown(tenant, made, set())


def validated(kind: int, *, needed: bool) -> Any:
    """POST …/validate: the same look at the quantities, and nothing is made."""

    def answer(call: Call) -> Any:
        read_quantities(call.tenant, find(call), call.body(), kind, needed=needed)
        return []

    return answer


def standing_free(kind: int) -> Any:
    """POST /rest/returns and /rest/credit_notes: no body is documented; it is taken as that of an order."""

    def answer(call: Call) -> Any:
        return shown(call.tenant, create_as(call, {**call.body(), "typeId": kind}), set())

    return answer


def of_type(kind: int, then: Any) -> Any:
    """The same as for every order, but only for one type."""

    def answer(call: Call) -> Any:
        if find(call)["typeId"] != kind:
            raise plain(422, f"The order {call.number('id')} is not of the type {kind}.")
        return then(call)

    return answer


def book_return(call: Call) -> Any:
    """POST /rest/returns/{id}/book: the goods are back in stock."""
    tenant, order = call.tenant, find(call)
    quantities = _booked(call)
    row = {"orderId": order["id"], "quantities": {str(key): short(value) for key, value in quantities.items()}}
    tenant.bookings.append({**row, "bookedAt": tenant.now})
    set_date(order, RETURNED_AT, tenant.now)
    touch(tenant, order)
    return {}


def _booked(call: Call) -> Quantities:
    order = find(call)
    if order["typeId"] != RETURN:
        raise plain(422, f"The order {order['id']} is not of the type {RETURN}.")
    # Nothing comes from a return of this kind, so that what is left is what it holds.
    return read_quantities(call.tenant, order, call.body(), RETURN, needed=True) or {}


def check_booking(call: Call) -> Any:
    _booked(call)
    return []


def split(call: Call) -> Any:
    """POST /rest/sales_orders/{id}/split: no body is documented; it is taken as `quantities`. All orders answer."""
    tenant, order = call.tenant, _parent(call, SALES)
    if order["lockStatus"] != "unlocked":
        raise plain(422, f"The order {order['id']} is locked and cannot be changed.")
    quantities = read_quantities(tenant, order, call.body(), DELIVERY, needed=True) or {}
    child = divide(tenant, order, quantities, order["statusId"], call.user)
    return [shown(tenant, order, set()), shown(tenant, child, set())]


def preview(call: Call) -> Any:
    """POST /rest/sales_orders/preview: what the order would come to; nothing is kept."""
    tenant = call.tenant
    order = create_as(call, {**call.body(), "typeId": SALES})
    seen = shown(tenant, order, set())
    del tenant.orders[order["id"]]
    tenant.status_history = [row for row in tenant.status_history if row["orderId"] != order["id"]]
    return {**seen, "id": None}


def family(call: Call) -> Any:
    """GET /rest/orders/{id}/family; `with=tree` shows all orders below the first."""
    tenant, order = call.tenant, find(call)
    first = origin(order)
    record: Record = {"originOrderId": first, "mainSalesOrderId": first}

    def branch(one: Record) -> Record:
        below = [branch(child) for child in children(tenant, one)]
        return {"orderId": one["id"], "typeId": one["typeId"], "statusId": one["statusId"], "children": below}

    if "tree" in call.withs(commas=True) and first in tenant.orders:
        record["tree"] = branch(tenant.orders[first])
    return record


def _label(tenant: Tenant, order: Record, provider: Any, external: str, content: str) -> Record:
    return {
        "id": tenant.next_id("return_label"),
        "orderId": origin(order),
        "returnsOrderId": order["id"] if order["typeId"] == RETURN else None,
        "providerId": whole(provider),
        "fileName": f"return_{external}.pdf" if content else "",
        "externalNumber": external,
        "externalData": "",
    }


def add_label(call: Call) -> Any:
    """POST /rest/orders/{id}/shipping/returns: everything stands in the query, with stray dollars (SOURCE.md 15)."""
    tenant, order, request = call.tenant, find(call), call.request
    found = [request.arg(f"${name}") or request.arg(name) or "" for name in ("externalNumber", "base64Label")]
    label = _label(tenant, order, request.arg("$providerId") or request.arg("providerId"), *found)
    tenant.return_labels.append(label)
    touch(tenant, order)
    return label


def labels(call: Call) -> Any:
    """GET /rest/orders/{id}/shipping/returns."""
    wanted = find(call)["id"]
    rows = [row for row in call.tenant.return_labels if wanted in (row["orderId"], row["returnsOrderId"])]
    return paged(call.request, rows)


TABLE: Table = [
    ("POST", "/rest/orders/{id:int}/delivery_orders", deliver),
    ("POST", "/rest/orders/{id:int}/delivery_orders/automatic", deliver_all),
    ("POST", "/rest/orders/{id:int}/delivery_orders/validate", validated(DELIVERY, needed=True)),
    ("PUT", "/rest/delivery_orders/{id:int}", of_type(DELIVERY, change)),
    ("DELETE", "/rest/delivery_orders/{id:int}", of_type(DELIVERY, delete)),
    ("POST", "/rest/delivery_orders/{id:int}/book", of_type(DELIVERY, book)),
    ("POST", "/rest/delivery_orders/{id:int}/cancel_booking", of_type(DELIVERY, cancel_booking)),
    ("POST", "/rest/orders/{id:int}/returns", give_back),
    ("POST", "/rest/orders/{id:int}/returns/validate", validated(RETURN, needed=True)),
    ("POST", "/rest/orders/{id:int}/credit_notes", credit_note),
    ("POST", "/rest/orders/{id:int}/credit_notes/validate", validated(CREDIT, needed=False)),
    ("POST", "/rest/returns", standing_free(RETURN)),
    ("PUT", "/rest/returns/{id:int}", of_type(RETURN, change)),
    ("DELETE", "/rest/returns/{id:int}", of_type(RETURN, delete)),
    ("POST", "/rest/returns/{id:int}/book", book_return),
    ("POST", "/rest/returns/{id:int}/book/validate", check_booking),
    ("POST", "/rest/credit_notes", standing_free(CREDIT)),
    ("PUT", "/rest/credit_notes/{id:int}", of_type(CREDIT, change)),
    ("DELETE", "/rest/credit_notes/{id:int}", of_type(CREDIT, delete)),
    ("POST", "/rest/sales_orders/preview", preview),
    ("POST", "/rest/sales_orders/{id:int}/split", split),
    ("GET", "/rest/orders/{id:int}/family", family),
    ("GET", "/rest/orders/{id:int}/shipping/returns", labels),
    ("POST", "/rest/orders/{id:int}/shipping/returns", add_label),
]
