"""Finding orders: the list with its filters and the search in both its forms."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.plentyone.documents import INVOICE, current, documents_of, stored
from sandbox.plentyone.errors import Findings, plain
from sandbox.plentyone.lists import presets
from sandbox.plentyone.orders import (
    COMPLETED,
    PAID,
    SHIPPING_PROFILE,
    head,
    payment_status,
    properties,
    property_of,
    related,
    shown,
)
from sandbox.plentyone.packages import numbers_of
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, moment, number, text, truth, whole_list

PAGE_CAP = 250

Matches = Callable[[Tenant, Record, list[str]], bool]


def listed(call: Call) -> Any:
    """GET /rest/orders. Filters that do not exist are silently ignored; dates that are none are refused."""
    tenant, request = call.tenant, call.request
    findings = Findings()
    for name in (name for name, _ in request.query if re.search(r"At(From|To)$", name)):
        if moment(request.arg(name)) is None:
            findings.add(name, "The {} does not match the format Y-m-d\\TH:i:sP.")
    findings.refuse()
    rows = tenant.indexed("order", tenant.orders)
    for name, matches in FILTERS.items():
        values = [value for value in request.args(name) if value != ""]
        if values:
            rows = [row for row in rows if matches(tenant, row, values)]
    rows = in_order(rows, request.arg("sortBy"), request.arg("sortOrder"))
    envelope = paged(request, rows, default=50, cap=PAGE_CAP)
    items = truth(request.arg("addOrderItems"), True)
    envelope["entries"] = [shown(tenant, row, call.withs(), items=items) for row in envelope["entries"]]
    return envelope


def in_order(rows: list[Record], by: str | None, direction: str | None) -> list[Record]:
    """Sorted by id, status or creation; by id where nothing else is known."""
    key = by if by in ("id", "statusId", "createdAt", "updatedAt") else "id"
    down = (direction or "asc").lower() == "desc"
    return sorted(rows, key=lambda row: (moment(row[key]) if key.endswith("At") else row[key], row["id"]), reverse=down)


def of_contact(call: Call) -> Any:
    """GET /rest/orders/contacts/{contactId}: page and itemsPerPage are required."""
    call.required_numbers("page", "itemsPerPage")
    contact = call.number("contact")
    tenant = call.tenant
    rows = [
        row
        for row in tenant.indexed("order", tenant.orders)
        if contact in (related(row, "contact", "receiver"), related(row, "contact", "sender"))
    ]
    envelope = paged(call.request, rows, default=50, cap=PAGE_CAP)
    envelope["entries"] = [shown(tenant, row, call.withs()) for row in envelope["entries"]]
    return envelope


def batch(call: Call) -> Any:
    """GET /rest/orders/batch?orderIds[]=…: a plain array of those that exist."""
    wanted = whole_list(call.request.args("orderIds"))
    if not wanted:
        call.required_numbers("orderIds")
    items = truth(call.request.arg("addOrderItems"), True)
    orders = call.tenant.orders
    return [shown(call.tenant, orders[each], call.withs(), items=items) for each in sorted(wanted) if each in orders]


def _in(read: Callable[[Tenant, Record], Any]) -> Matches:
    """One of the values, which may also be separated by commas."""

    def matches(tenant: Tenant, order: Record, values: list[str]) -> bool:
        wanted = {part.strip() for value in values for part in value.split(",")}
        return any(_same(own, each) for own in _several(read(tenant, order)) for each in wanted)

    return matches


def _edge(read: Callable[[Tenant, Record], Any], *, after: bool) -> Matches:
    """A moment from or up to the value, both inclusive."""

    def matches(tenant: Tenant, order: Record, values: list[str]) -> bool:
        own, limit = moment(read(tenant, order)), moment(values[-1])
        if own is None or limit is None:
            return False
        return own >= limit if after else own <= limit

    return matches


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _same(own: Any, wanted: Any) -> bool:
    """Equality as the database sees it: numbers by value, text regardless of case."""
    if own is None or wanted is None:
        return own is wanted
    left, right = number(own), number(wanted)
    if left is not None and right is not None and not (isinstance(own, str) and isinstance(wanted, str)):
        return left == right
    return text(own).strip().lower() == text(wanted).strip().lower()


def _date(kind: int) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: next((row["date"] for row in order["dates"] if row["typeId"] == kind), None)


def _items(name: str) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: [item[name] for item in order["orderItems"]]


def _item_properties(kind: int) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: [
        row["value"] for item in order["orderItems"] for row in item["properties"] if row["typeId"] == kind
    ]


def _variations(name: str) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: [
        tenant.variations[item["itemVariationId"]][name]
        for item in order["orderItems"]
        if item["itemVariationId"] in tenant.variations
    ]


def _field(name: str) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: order[name]


def _related(kind: str, relation: str) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: related(order, kind, relation)


def _contacts(tenant: Tenant, order: Record) -> Any:
    return [row["referenceId"] for row in order["relations"] if row["referenceType"] == "contact"]


def _own_addresses(tenant: Tenant, order: Record, kinds: tuple[int, ...] = (1, 2)) -> list[Record]:
    return [
        tenant.addresses[row["addressId"]]
        for row in order["addressRelations"]
        if row["typeId"] in kinds and row["addressId"] in tenant.addresses
    ]


def _country(*kinds: int) -> Callable[[Tenant, Record], Any]:
    return lambda tenant, order: [row["countryId"] for row in _own_addresses(tenant, order, kinds)]


def _contact_words(tenant: Tenant, order: Record) -> str:
    words: list[str] = []
    for each in _contacts(tenant, order):
        contact = tenant.contacts.get(each)
        if contact:
            words += [text(contact[name]) for name in ("firstName", "lastName", "number", "externalId", "id")]
            words += [row["value"] for row in contact["options"]]
    return " ".join(words)


def _address_words(tenant: Tenant, order: Record) -> str:
    names = ("name1", "name2", "name3", "name4", "address1", "address2", "postalCode", "town")
    return " ".join(text(row[name]) for row in _own_addresses(tenant, order) for name in names)


def _words(read: Callable[[Tenant, Record], Any]) -> Matches:
    """Every word of the value occurs."""

    def matches(tenant: Tenant, order: Record, values: list[str]) -> bool:
        own = " ".join(text(each) for each in _several(read(tenant, order))).lower()
        return all(word in own for word in values[-1].lower().split())

    return matches


def _status_edge(*, lower: bool) -> Matches:
    def matches(tenant: Tenant, order: Record, values: list[str]) -> bool:
        limit, own = number(values[-1]), Decimal(order["statusId"])
        return limit is None or (own >= limit if lower else own <= limit)

    return matches


def _parent(tenant: Tenant, order: Record) -> Any:
    return [row["referenceOrderId"] for row in order["orderReferences"]]


def _created(tenant: Tenant, order: Record) -> Any:
    return order["createdAt"]


def _updated(tenant: Tenant, order: Record) -> Any:
    return order["updatedAt"]


def _provider(tenant: Tenant, order: Record) -> Any:
    wanted = {row["value"] for row in properties(order) if row["typeId"] == SHIPPING_PROFILE}
    return [row["parcelServiceId"] for row in presets() if str(row["id"]) in wanted]


def _document_types(tenant: Tenant, order: Record) -> Any:
    return [row["type"] for row in documents_of(tenant, order)]


def _document_numbers(tenant: Tenant, order: Record) -> Any:
    return [row["numberWithPrefix"] for row in documents_of(tenant, order)]


def _package_numbers(tenant: Tenant, order: Record) -> Any:
    return numbers_of(tenant, order)


def _has_document(tenant: Tenant, order: Record, values: list[str]) -> bool:
    """A type of document that the order has: in the words of the paths or as it is stored."""
    own = _document_types(tenant, order)
    return any(stored(part.strip()) in own for value in values for part in value.split(","))


FILTERS: dict[str, Matches] = {
    "shippingServiceProviderId": _in(_provider),
    "packageNumber": _in(_package_numbers),
    "hasDocument": _has_document,
    "hasDocumentNumber": _in(_document_numbers),
    "orderType": _in(_field("typeId")),
    "orderIds": _in(_field("id")),
    "externalOrderId": _in(lambda tenant, order: property_of(order, 7)),
    "contactId": _in(_contacts),
    "contactData": _words(_contact_words),
    "referrerId": _in(_field("referrerId")),
    "shippingProfileId": _in(
        lambda tenant, order: [row["value"] for row in properties(order) if row["typeId"] == SHIPPING_PROFILE]
    ),
    "ownerUserId": _in(_field("ownerId")),
    "warehouseId": _in(_related("warehouse", "sender")),
    "includedVariation": _in(_items("itemVariationId")),
    "includedItem": _in(_variations("itemId")),
    "variationNumber": _in(_variations("number")),
    "orderItemName": _words(_items("orderItemName")),
    "externalItemId": _in(_item_properties(17)),
    "countryId": _in(_country(1, 2)),
    "sender.contact": _in(_related("contact", "sender")),
    "sender.warehouse": _in(_related("warehouse", "sender")),
    "receiver.contact": _in(_related("contact", "receiver")),
    "receiver.warehouse": _in(_related("warehouse", "receiver")),
    "clientId": _in(_field("plentyId")),
    "paymentStatus": _in(lambda tenant, order: payment_status(order)),
    "parentOrderId": _in(_parent),
    "statusFrom": _status_edge(lower=True),
    "statusTo": _status_edge(lower=False),
    "updatedAtFrom": _edge(_updated, after=True),
    "updatedAtTo": _edge(_updated, after=False),
    "createdAtFrom": _edge(_created, after=True),
    "createdAtTo": _edge(_created, after=False),
    "paidAtFrom": _edge(_date(PAID), after=True),
    "paidAtTo": _edge(_date(PAID), after=False),
    "outgoingItemsBookedAtFrom": _edge(_date(COMPLETED), after=True),
    "outgoingItemsBookedAtTo": _edge(_date(COMPLETED), after=False),
}


# Search.

Read = Callable[[Tenant, Record], Any]

FIELDS: dict[str, Read] = {
    "orderId": _field("id"),
    "plentyId": _field("plentyId"),
    "orderTypeId": _field("typeId"),
    "statusId": _field("statusId"),
    "referrerId": _field("referrerId"),
    "ownerId": _field("ownerId"),
    "locationId": _field("locationId"),
    "updatedAt": _updated,
    "createdAt": _created,
    "lockStatus": _field("lockStatus"),
    "orderAddressData": _address_words,
    "contactData": _contact_words,
    "orderItemTypeId": _items("typeId"),
    "itemId": _variations("itemId"),
    "itemVariationId": _items("itemVariationId"),
    "variationNumber": _variations("number"),
    "orderItemName": _items("orderItemName"),
    "orderItemWarehouseId": _items("warehouseId"),
    "orderItemReferrerId": _items("referrerId"),
    "invoiceTotalSystemCurrency": lambda tenant, order: order["amounts"][0]["invoiceTotal"],
    "contactClassId": lambda tenant, order: [
        tenant.contacts[each]["classId"] for each in _contacts(tenant, order) if each in tenant.contacts
    ],
    "isGuestContact": lambda tenant, order: any(
        (row["typeId"], row["subTypeId"], row["value"]) == (10, 11, "1")
        for each in _contacts(tenant, order)
        if each in tenant.contacts
        for row in tenant.contacts[each]["options"]
    ),
    "redeemedCouponCode": lambda tenant, order: property_of(order, 18),
    "orderBillingAddressCountryId": _country(1),
    "orderDeliveryAddressCountryId": _country(2),
    "documentNumber": _document_numbers,
    "packageNumber": _package_numbers,
    "serialNumber": lambda tenant, order: [
        row["serialNumber"] for row in tenant.serials if row["orderId"] == order["id"]
    ],
    "hasValidInvoice": lambda tenant, order: current(tenant, order, INVOICE) is not None,
    "excludeMainOrders": lambda tenant, order: [],
    "shippingStatus": lambda tenant, order: tenant.shipping_information.get(order["id"], {}).get("shippingStatus"),
    "tag": lambda tenant, order: [
        row["tagId"]
        for row in tenant.tag_relations
        if (row["tagType"], row["relationshipValue"]) == ("order", str(order["id"]))
    ],
}

CONTAINED = ("orderAddressData", "contactData", "orderItemName")


def reader(field: str) -> Read | None:
    """How to read a search field; None when there is no such field."""
    if field in FIELDS:
        return FIELDS[field]
    if match := re.fullmatch(r"orderProperty_(\d+)", field):
        kind = int(match[1])
        return lambda tenant, order: [row["value"] for row in properties(order) if row["typeId"] == kind]
    if match := re.fullmatch(r"orderItemProperty_(\d+)", field):
        return _item_properties(int(match[1]))
    if match := re.fullmatch(r"orderDate_(\d+)", field):
        return _date(int(match[1]))
    if match := re.fullmatch(r"addressRelation_(\d+)", field):
        wanted = int(match[1])
        return lambda tenant, order: [row["addressId"] for row in order["addressRelations"] if row["typeId"] == wanted]
    if match := re.fullmatch(r"relationReference_(\w+?)_(sender|receiver)", field):
        return _related(match[1], match[2])
    if match := re.fullmatch(r"orderReference_(\w+)", field):
        name = match[1]
        return lambda tenant, order: [
            row["referenceOrderId"] for row in order["orderReferences"] if row["referenceType"] == name
        ]
    if match := re.fullmatch(r"orderItemReference_(\w+)", field):
        kind_name = match[1]
        return lambda tenant, order: [
            row["referenceOrderItemId"]
            for item in order["orderItems"]
            for row in item["references"]
            if row["referenceType"] == kind_name
        ]
    if match := re.fullmatch(r"documentNumber_(\w+)", field):
        document = stored(match[1])
        return lambda tenant, order: [
            row["numberWithPrefix"] for row in documents_of(tenant, order) if row["type"] == document
        ]
    return None


def is_date(field: str) -> bool:
    return field in ("updatedAt", "createdAt") or field.startswith("orderDate_")


def comparable(field: str, value: Any) -> Any:
    """A value that can be put in order: a moment, a number, or text."""
    if is_date(field):
        return moment(text(value))
    found = number(value)
    return text(value).lower() if found is None else found


def holds(field: str, own: list[Any], operator: str, value: Any) -> bool:
    """Whether a condition of the search holds for the values that an order has in a field."""
    wanted = value if isinstance(value, list) else [value]
    if is_date(field) and operator in ("eq", "not"):
        found = any(moment(text(each)) == moment(text(wanted[0])) for each in own if each is not None)
        return found is (operator == "eq")
    match operator:
        case "null" | "nn":
            return (not [each for each in own if each is not None]) is (operator == "null")
        case "eq" | "in" | "not" | "nin":
            if field in CONTAINED:
                found = any(text(each).lower() in text(mine).lower() for mine in own for each in wanted)
            else:
                found = any(_same(mine, each) for mine in own for each in wanted)
            return found is (operator in ("eq", "in"))
    edges = [comparable(field, each) for each in wanted]
    for each in own:
        mine = comparable(field, each)
        if mine is None or any(edge is None or type(edge) is not type(mine) for edge in edges):
            continue
        if (
            (operator == "lt" and mine < edges[0])
            or (operator == "lte" and mine <= edges[0])
            or (operator == "gt" and mine > edges[0])
            or (operator == "gte" and mine >= edges[0])
            or (operator == "between" and len(edges) == 2 and edges[0] <= mine <= edges[1])
        ):
            return True
    return False


OPERATORS = ("eq", "not", "in", "nin", "null", "nn", "lt", "lte", "gt", "gte", "between")


def search(call: Call) -> Any:
    """GET and POST /rest/orders/search. `lazyLoaded` (default) returns only the head of each order."""
    tenant = call.tenant
    body = call.body()
    options = {name: value for name, value in body.items() if name not in ("fields", "groups", "conditionType")}
    condition = _group(body) if body.get("fields") or body.get("groups") else None
    simple = [(name, value) for name, value in call.request.query if reader(name) is not None]
    rows = [
        row
        for row in tenant.indexed("order", tenant.orders)
        if (condition is None or condition(tenant, row)) and all(_simple(tenant, row, *pair) for pair in simple)
    ]

    def option(name: str) -> str | None:
        sent = call.request.arg(name)
        return sent if sent is not None else None if options.get(name) is None else _query_text(options[name])

    rows = in_order(
        rows, {"orderId": "id"}.get(option("sortBy") or "", option("sortBy")), option("sortOrder") or "desc"
    )
    envelope = paged(call.request, rows, default=50, cap=PAGE_CAP)
    relations = call.withs() | (
        {str(each) for each in options["with"]} if isinstance(options.get("with"), list) else set()
    )
    lazy = truth(option("lazyLoaded"), True)
    envelope["entries"] = [head(row) if lazy else shown(tenant, row, relations) for row in envelope["entries"]]
    if lazy and relations:
        envelope["entries"] = [
            {
                **row,
                **{
                    name: value
                    for name, value in shown(tenant, tenant.orders[row["id"]], relations).items()
                    if name in relations
                },
            }
            for row in envelope["entries"]
        ]
    return envelope


def _query_text(value: Any) -> str:
    return text(value).lower() if not isinstance(value, bool) else str(value).lower()


def _group(group: Any) -> Callable[[Tenant, Record], bool]:
    """A condition of the complex form. Refuses fields and operators that do not exist."""
    if not isinstance(group, dict):
        raise plain(422, "A group of search conditions must be an object.")
    join = any if str(group.get("conditionType", "and")).lower() == "or" else all
    parts: list[Callable[[Tenant, Record], bool]] = [_group(each) for each in group.get("groups") or []]
    for each in group.get("fields") or []:
        parts.append(_condition(each))
    return lambda tenant, order: join(part(tenant, order) for part in parts)


def _condition(sent: Any) -> Callable[[Tenant, Record], bool]:
    field = sent.get("field") if isinstance(sent, dict) else None
    read = reader(str(field))
    if read is None:
        raise plain(422, f"The search field {field!r} does not exist.")
    operator = sent.get("operator", "eq")
    if operator not in OPERATORS:
        raise plain(422, f"The search operator {operator!r} does not exist.")
    return lambda tenant, order: holds(str(field), _several(read(tenant, order)), operator, sent.get("value"))


def _simple(tenant: Tenant, order: Record, field: str, value: str) -> bool:
    """`op:value` with AND and OR inside the value; AND binds more closely."""
    read = reader(field)
    own = _several(read(tenant, order)) if read else []

    def one(part: str) -> bool:
        operator, colon, rest = part.strip().partition(":")
        if not colon or operator not in OPERATORS:
            operator, rest = "eq", part.strip()
        many = operator in ("in", "nin", "between")
        return holds(field, own, operator, [each.strip() for each in rest.split(",")] if many else rest)

    return any(all(one(part) for part in re.split(r"\s+AND\s+", side)) for side in re.split(r"\s+OR\s+", value))


TABLE: Table = [
    ("GET", "/rest/orders", listed),
    ("GET", "/rest/orders/search", search),
    ("POST", "/rest/orders/search", search),
    ("GET", "/rest/orders/batch", batch),
    ("GET", "/rest/orders/contacts/{contact:int}", of_contact),
]
