"""Lists that an administrator sets up and a connector collects and maps."""

from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.countries import EU
from sandbox.plentyone.errors import NOT_TEXT, REQUIRED, UNKNOWN, Findings, not_found
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.values import Record, number, truth, whole


def statuses(call: Call) -> Any:
    """GET /rest/orders/statuses: an envelope of an older kind."""
    first, last = number(call.request.arg("statusIdFrom")), number(call.request.arg("statusIdTo"))
    rows = [
        row
        for row in call.tenant.statuses
        if (first is None or Decimal(row["statusId"]) >= first) and (last is None or Decimal(row["statusId"]) <= last)
    ]
    return paged(call.request, rows, default=50, cap=100, old=True)


def all_statuses(call: Call) -> Any:
    return call.tenant.statuses


def one_status(call: Call) -> Any:
    wanted = number(call.places["status"])
    for row in call.tenant.statuses:
        if Decimal(row["statusId"]) == wanted:
            return row
    raise not_found("Order\\Status\\Models\\OrderStatus", call.places["status"])


def _listed(call: Call) -> list[Record]:
    """The referrers that lists show: a market's may be left out until somebody makes it visible."""
    return [row for row in call.tenant.referrers if row["id"] not in call.tenant.unlisted]


def referrers(call: Call) -> Any:
    """GET /rest/orders/referrers: a plain array."""
    return _listed(call)


def search_referrers(call: Call) -> Any:
    """GET /rest/orders/referrers/search: an envelope."""
    return paged(call.request, _listed(call), default=20)


def one_referrer(call: Call) -> Any:
    """GET /rest/orders/referrers/{referrerId}: 183 or 183.00."""
    wanted = number(call.places["referrer"])
    for row in _listed(call):
        if Decimal(row["id"]) == wanted:
            return row
    raise not_found("Order\\Referrer\\Models\\OrderReferrer", call.places["referrer"])


def create_referrer(call: Call) -> Any:
    """POST /rest/orders/referrers/{parentReferrerId}: the next free number below the parent, or a main one."""
    body = call.body()
    parent = number(call.places["parent"]) or Decimal(0)
    used = {Decimal(row["id"]) for row in call.tenant.referrers}
    step = Decimal("0.01") if parent else Decimal(1)
    fresh = parent + step if parent else Decimal(200)
    while fresh in used:
        fresh += step
    row = {
        "id": f"{fresh:.2f}",
        "isEditable": True,
        "backendName": body.get("backendName") or body.get("name") or "",
        "name": body.get("name") or "",
        "orderOwnerId": None,
        "isFilterable": True,
        "origin": body.get("origin") or "",
        "showInLeads": False,
    }
    call.tenant.referrers.append(row)
    return row


def presets(call: Call) -> Any:
    rows = lists.presets()
    if "parcelServicePresetNames" not in call.withs(commas=True):
        for row in rows:
            del row["parcelServicePresetNames"]
    return rows


def one_preset(call: Call) -> Any:
    for row in lists.presets():
        if row["id"] == call.number("id"):
            return row
    raise not_found("Order\\Shipping\\ParcelService\\Models\\ParcelServicePreset", call.places["id"])


def providers(call: Call) -> Any:
    """GET /rest/orders/shipping/shipping_service_providers: seen as an array and as an envelope."""
    rows = lists.providers()
    return paged(call.request, rows) if call.tenant.settings.providers_enveloped else rows


def package_types(call: Call) -> Any:
    return lists.package_types()


def webstores(call: Call) -> Any:
    return lists.webstores()


def warehouses(call: Call) -> Any:
    return lists.warehouses()


def one_warehouse(call: Call) -> Any:
    for row in lists.warehouses():
        if row["id"] == call.number("id"):
            return row
    raise not_found("StockManagement\\Warehouse\\Models\\Warehouse", call.places["id"])


def vats(call: Call) -> Any:
    """GET /rest/vat: itemsPerPage comes as text (recorded)."""
    envelope = paged(call.request, call.tenant.vats, default=100, cap=100)
    envelope["itemsPerPage"] = str(envelope["itemsPerPage"])
    return envelope


def standard_vat(call: Call) -> Any:
    """GET /rest/vat/standard?plentyId=: the configuration of the client's own country."""
    wanted = whole(call.request.arg("plentyId"))
    if wanted is not None and wanted not in {row["storeIdentifier"] for row in lists.webstores()}:
        raise not_found("System\\Models\\Webstore", wanted)
    return next(row for row in call.tenant.vats if row["isStandard"])


def country_vat(call: Call) -> Any:
    for row in call.tenant.vats:
        if row["locationId"] == call.number("location") and row["countryId"] == call.number("country"):
            return row
    raise not_found("Accounting\\Vat\\Models\\Vat", call.places["country"])


def location_vats(call: Call) -> Any:
    return [row for row in call.tenant.vats if row["locationId"] == call.number("location")]


def one_vat(call: Call) -> Any:
    for row in call.tenant.vats:
        if row["id"] == call.number("id"):
            return row
    raise not_found("Accounting\\Vat\\Models\\Vat", call.places["id"])


def countries(call: Call) -> Any:
    """GET /rest/orders/shipping/countries: states and names only when asked for."""
    asked = call.withs(commas=True)
    rows = [dict(row) for row in call.tenant.countries.values()]
    if truth(call.request.arg("onlyEUCountries"), False):
        rows = [row for row in rows if row["isoCode2"] in EU]
    for row in rows:
        if "states" not in asked:
            del row["states"]
        if "names" in asked:
            row["names"] = [{"countryId": row["id"], "language": "en", "name": row["name"]}]
    return rows


def contact_classes(call: Call) -> Any:
    """GET /rest/accounts/contacts/classes: an object of names by id."""
    return lists.contact_classes()


def contact_types(call: Call) -> Any:
    return [
        {"id": number, "nonErasable": 1, "position": number, "names": [{"typeId": number, "lang": "en", "name": name}]}
        for number, name in lists.CONTACT_TYPES.items()
    ]


def contact_option_types(call: Call) -> Any:
    return lists.option_types(lists.CONTACT_OPTION_TYPES)


def contact_option_sub_types(call: Call) -> Any:
    return lists.option_types(lists.CONTACT_OPTION_SUB_TYPES)


def address_option_types(call: Call) -> Any:
    return lists.option_types(lists.ADDRESS_OPTION_TYPES)


def property_types(call: Call) -> Any:
    return call.tenant.property_types


def create_property_type(call: Call) -> Any:
    """POST /rest/orders/properties/types: the next number from 1000."""
    body = call.body()
    findings = Findings()
    cast, names = body.get("cast"), body.get("names")
    if not cast:
        findings.add("cast", REQUIRED)
    elif not (cast in ("string", "int", "numeric", "bool") or str(cast).startswith("enum")):
        findings.add("cast", UNKNOWN)
    if not isinstance(names, list) or not names:
        findings.add("names", REQUIRED)
        names = []
    for place, each in enumerate(names):
        for key in ("lang", "name"):
            if not isinstance(each, dict) or not isinstance(each.get(key), str):
                findings.add(f"names.{place}.{key}", NOT_TEXT)
    findings.refuse()
    fresh = max([1000, *(row["id"] for row in call.tenant.property_types)]) + 1
    row = {
        "id": fresh,
        "isErasable": True,
        "position": whole(body.get("position")) or 0,
        "cast": cast,
        "names": [{"id": fresh * 10 + at, "typeId": fresh, **each} for at, each in enumerate(names)],
    }
    call.tenant.property_types.append(row)
    return row


def one_property_type(call: Call) -> Any:
    for row in call.tenant.property_types:
        if row["id"] == call.number("id"):
            return row
    raise not_found("Order\\Property\\Models\\OrderPropertyType", call.places["id"])


def return_reasons(call: Call) -> Any:
    return lists.reasons("reason", lists.RETURN_REASONS)


def return_statuses(call: Call) -> Any:
    return lists.reasons("status", lists.RETURN_STATUSES)


def credit_note_reasons(call: Call) -> Any:
    return lists.reasons("reason", lists.CREDIT_NOTE_REASONS)


def tags(call: Call) -> Any:
    return lists.TAGS


def tag_record(call: Call) -> Any:
    """POST /rest/tags/relationships: an existing tag on a record."""
    body = call.body()
    findings = Findings()
    if whole(body.get("tagId")) not in {row["id"] for row in lists.TAGS}:
        findings.add("tagId", UNKNOWN)
    for key in ("tagType", "relationshipValue"):
        if not body.get(key):
            findings.add(key, REQUIRED)
    findings.refuse()
    row = {
        "tagId": whole(body["tagId"]),
        "tagType": body["tagType"],
        "relationshipValue": str(body["relationshipValue"]),
        "createdAt": call.tenant.now,
    }
    if row not in call.tenant.tag_relations:
        call.tenant.tag_relations.append(row)
    return row


def tag_relations(call: Call) -> Any:
    """GET /rest/tags/relationships: a plain array."""
    rows = call.tenant.tag_relations
    for name in ("tagId", "tagType", "relationshipValue"):
        if value := call.request.arg(name):
            rows = [row for row in rows if str(row[name]) == value]
    return rows


def untag_record(call: Call) -> Any:
    """DELETE /rest/tags/relationships/{relationshipValue}/{tagType}/{id}."""
    key = (call.places["value"], call.places["kind"], call.number("tag"))
    left = [row for row in call.tenant.tag_relations if (row["relationshipValue"], row["tagType"], row["tagId"]) != key]
    gone = len(call.tenant.tag_relations) - len(left)
    call.tenant.tag_relations = left
    return {"affectedRows": gone}


def currencies(call: Call) -> Any:
    return [{"currency": code, "symbol": code, "isDefault": False} for code in lists.CURRENCIES]


def accounting_locations(call: Call) -> Any:
    return [{"id": 1, "clientId": 0, "plentyId": 12345, "countryId": 1, "name": "Hauptsitz"}]


TABLE: Table = [
    ("GET", "/rest/orders/statuses", statuses),
    ("GET", "/rest/orders/statuses/all", all_statuses),
    ("GET", "/rest/orders/statuses/{status}", one_status),
    ("GET", "/rest/orders/referrers", referrers),
    ("GET", "/rest/orders/referrers/search", search_referrers),
    ("POST", "/rest/orders/referrers/{parent}", create_referrer),
    ("GET", "/rest/orders/referrers/{referrer}", one_referrer),
    ("GET", "/rest/orders/shipping/presets", presets),
    ("GET", "/rest/orders/shipping/presets/{id:int}", one_preset),
    ("GET", "/rest/orders/shipping/shipping_service_providers", providers),
    ("GET", "/rest/orders/shipping/package_types", package_types),
    ("GET", "/rest/orders/shipping/countries", countries),
    ("GET", "/rest/orders/currencies", currencies),
    ("GET", "/rest/webstores", webstores),
    ("GET", "/rest/stockmanagement/warehouses", warehouses),
    ("GET", "/rest/stockmanagement/warehouses/{id:int}", one_warehouse),
    ("GET", "/rest/warehouses", warehouses),
    ("GET", "/rest/accounting/locations", accounting_locations),
    ("GET", "/rest/vat", vats),
    ("GET", "/rest/vat/standard", standard_vat),
    ("GET", "/rest/vat/{id:int}", one_vat),
    ("GET", "/rest/vat/locations/{location:int}", location_vats),
    ("GET", "/rest/vat/locations/{location:int}/countries/{country:int}", country_vat),
    ("GET", "/rest/accounts/contacts/classes", contact_classes),
    ("GET", "/rest/accounts/contacts/types", contact_types),
    ("GET", "/rest/accounts/contacts/option_types", contact_option_types),
    ("GET", "/rest/accounts/contacts/option_sub_types", contact_option_sub_types),
    ("GET", "/rest/accounts/addresses/option_types", address_option_types),
    ("GET", "/rest/orders/properties/types", property_types),
    ("POST", "/rest/orders/properties/types", create_property_type),
    ("GET", "/rest/orders/properties/types/{id:int}", one_property_type),
    ("GET", "/rest/returns/reasons", return_reasons),
    ("GET", "/rest/returns/status", return_statuses),
    ("GET", "/rest/credit_notes/reasons", credit_note_reasons),
    ("GET", "/rest/tags", tags),
    ("GET", "/rest/tags/relationships", tag_relations),
    ("POST", "/rest/tags/relationships", tag_record),
    ("DELETE", "/rest/tags/relationships/{value}/{kind}/{tag:int}", untag_record),
]
