"""What was packed for an order, and who carries it.

The carrier is not in a package: it follows from the shipping profile of the order. A package without a number is
normal before labelling.
"""

from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.errors import NOT_WHOLE, REQUIRED, Findings, not_found
from sandbox.plentyone.orders import find, property_of, touch
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, local, number, short, text, whole

STATUSES = ("open", "prepared", "registered")
DEFAULTS = {"packageId": 1, "packageType": 0, "weight": 0, "extraWeight": 0, "volume": 0}


def packages_of(tenant: Tenant, order: Record) -> list[Record]:
    """The packages of an order, oldest first, without those of its delivery orders."""
    return [row for row in tenant.packages.values() if row["orderId"] == order["id"]]


def numbers_of(tenant: Tenant, order: Record) -> list[str]:
    return [row["packageNumber"] for row in packages_of(tenant, order) if row["packageNumber"]]


def items_of(tenant: Tenant, package: Record) -> list[Record]:
    return [row for row in tenant.package_items if row["packageId"] == package["id"]]


def check(body: Record, *, new: bool) -> None:
    """Refuse a package that PlentyONE would refuse."""
    findings = Findings()
    for name in ("packageId", "packageType"):
        if body.get(name) is None:
            if new:
                findings.add(name, REQUIRED)
        elif whole(body[name]) is None:
            findings.add(name, NOT_WHOLE)
    for name in ("weight", "extraWeight", "itemsWeight"):
        if body.get(name) is not None and whole(body[name]) is None:
            findings.add(name, NOT_WHOLE)
    findings.refuse()


def fill(package: Record, body: Record) -> None:
    for name in ("packageId", "packageType", "weight", "extraWeight", "itemsWeight"):
        if body.get(name) is not None:
            package[name] = whole(body[name])
    if body.get("volume") is not None:
        package["volume"] = short(number(body["volume"]) or Decimal(0))
    for name in ("packageNumber", "labelPath", "returnPackageNumber"):
        if body.get(name) is not None:
            package[name] = text(body[name])


def add(tenant: Tenant, order: Record, body: Record) -> Record:
    """A further package; nothing stops a second one with the same number."""
    fresh, now = tenant.next_id("package"), local(tenant.exact_now)
    weights = {row["id"]: row["weightG"] for row in tenant.variations.values()}
    net = sum(Decimal(weights.get(row["itemVariationId"], 0)) * Decimal(row["quantity"]) for row in order["orderItems"])
    package: Record = {
        "id": fresh,
        "orderId": order["id"],
        **DEFAULTS,
        "itemsWeight": int(net),
        "packageNumber": "",
        "labelPath": "",
        "returnPackageNumber": "",
        "palletId": None,
        "isClosed": None,
        "packageSscc": "",
        "mrn": "",
        "atlasRegistration": 0,
        "tracking_status_id": None,
        "trackingStatusId": None,
        "createdAt": now,
        "updatedAt": now,
    }
    fill(package, body)
    package["weight"] = package["weight"] or package["itemsWeight"]
    tenant.packages[fresh] = package
    touch(tenant, order, by="packages")
    return package


def register(tenant: Tenant, order: Record, provider: str, transaction: str = "") -> Record:
    """The shipment is announced to the carrier."""
    known = tenant.shipping_information.get(order["id"], {})
    row = {
        "orderId": order["id"],
        "shippingServiceProvider": provider,
        "transactionId": transaction or known.get("transactionId", ""),
        "shippingStatus": "registered",
        "shippingCosts": known.get("shippingCosts", 0),
        "additionalData": known.get("additionalData"),
        "registrationAt": tenant.now,
        "shipmentAt": tenant.now,
    }
    tenant.shipping_information[order["id"]] = row
    touch(tenant, order, by="packages")
    return row


def provider_of(tenant: Tenant, order: Record) -> str:
    """The carrier's name: the profile of the order, or of its first item that has one, leads to it."""
    wanted = whole(property_of(order, 2)) or next(
        (item["shippingProfileId"] for item in order["orderItems"] if item["shippingProfileId"]), None
    )
    service = next((row["parcelServiceId"] for row in lists.presets() if row["id"] == wanted), None)
    return next((row["name"] for row in lists.providers() if row["id"] == service), "")


def _find(call: Call, order: Record | None) -> Record:
    package = call.tenant.packages.get(call.number("package"))
    if package is None or (order is not None and package["orderId"] != order["id"]):
        raise not_found("Order\\Shipping\\Package\\Models\\OrderShippingPackage", call.places["package"])
    return package


def _shown(call: Call, package: Record) -> Record:
    record = dict(package)
    if "items" in call.withs(commas=True):
        record["items"] = items_of(call.tenant, package)
    if "labelBase64" in call.withs(commas=True):
        record["labelBase64"] = ""
    return record


def listed(call: Call) -> Any:
    """GET /rest/orders/{id}/shipping/packages: a plain array."""
    return [_shown(call, row) for row in packages_of(call.tenant, find(call))]


def in_pages(call: Call) -> Any:
    """GET /rest/orders/{id}/shipping/packages_paginated."""
    return paged(call.request, listed(call))


def create(call: Call) -> Any:
    order, body = find(call), call.body()
    check(body, new=True)
    return add(call.tenant, order, body)


def read(call: Call) -> Any:
    return _shown(call, _find(call, find(call)))


def change(call: Call) -> Any:
    """PUT on a package, with or without its order in the path."""
    order = find(call) if "id" in call.places else None
    package, body = _find(call, order), call.body()
    check(body, new=False)
    fill(package, body)
    package["updatedAt"] = local(call.tenant.exact_now)
    if owner := call.tenant.orders.get(package["orderId"]):
        touch(call.tenant, owner, by="packages")
    return package


def delete(call: Call) -> Any:
    order = find(call)
    del call.tenant.packages[_find(call, order)["id"]]
    touch(call.tenant, order, by="packages")
    return {"affectedRows": 1}


def delete_all(call: Call) -> Any:
    order = find(call)
    gone = packages_of(call.tenant, order)
    for package in gone:
        del call.tenant.packages[package["id"]]
    touch(call.tenant, order, by="packages")
    return {"affectedRows": len(gone)}


def contents(call: Call) -> Any:
    """GET /rest/orders/shipping/packages/{packageId}/items: an envelope, as the other lists of items."""
    return paged(call.request, items_of(call.tenant, _find(call, None)))


def put_in(tenant: Tenant, package: Record, variation: int, quantity: Decimal) -> Record:
    """Note what lies in a package."""
    record = {
        "id": tenant.next_id("package_item"),
        "packageId": package["id"],
        "itemId": tenant.variations.get(variation, {}).get("itemId", 0),
        "variationId": variation,
        "itemQuantity": short(quantity),
    }
    tenant.package_items.append(record)
    return record


def add_contents(call: Call) -> Any:
    """POST /rest/orders/shipping/packages/{packageId}/items: no body is documented; rows of variation and quantity."""
    package, sent = _find(call, None), call.sent()
    rows = sent if isinstance(sent, list) else [sent]
    findings = Findings()
    for at, row in enumerate(rows):
        if not isinstance(row, dict) or whole(row.get("variationId")) is None:
            findings.add(f"{at}.variationId", REQUIRED)
        elif number(row.get("itemQuantity")) is None:
            findings.add(f"{at}.itemQuantity", REQUIRED)
    findings.refuse()
    return [
        put_in(call.tenant, package, whole(row["variationId"]) or 0, number(row["itemQuantity"]) or Decimal(0))
        for row in rows
    ]


def package_numbers(call: Call) -> Any:
    """GET /rest/orders/{id}/packagenumbers: only those that are there."""
    return numbers_of(call.tenant, find(call))


def information(call: Call) -> Any:
    """GET …/shipping_information; there is none before the shipment was prepared."""
    order = find(call)
    found = call.tenant.shipping_information.get(order["id"])
    if found is None:
        raise not_found("Order\\Shipping\\Information\\Models\\ShippingInformation", order["id"])
    return found


def add_information(call: Call) -> Any:
    """POST /rest/orders/shipping/shipping_information: no body is documented; it is taken as the model."""
    tenant, body = call.tenant, call.body()
    order = tenant.orders.get(whole(body.get("orderId")) or 0)
    if order is None:
        raise not_found("Order\\Models\\Order", body.get("orderId"))
    _check_status(body)
    row = {
        "orderId": order["id"],
        "shippingServiceProvider": text(body.get("shippingServiceProvider")),
        "transactionId": text(body.get("transactionId")),
        "shippingStatus": body.get("shippingStatus") or "open",
        "shippingCosts": short(number(body.get("shippingCosts")) or Decimal(0)),
        "additionalData": body.get("additionalData"),
        "registrationAt": body.get("registrationAt"),
        "shipmentAt": body.get("shipmentAt"),
    }
    tenant.shipping_information[order["id"]] = row
    touch(tenant, order, by="packages")
    return row


def _check_status(body: Record) -> None:
    findings = Findings()
    if body.get("shippingStatus") not in (None, *STATUSES):
        findings.add("shippingStatus", "The selected {} is invalid.")
    findings.refuse()


def change_information(call: Call) -> Any:
    """PUT …/shipping_information/status."""
    order, body = find(call), call.body()
    _check_status(body)
    row = information(call)
    if body.get("shippingStatus"):
        row["shippingStatus"] = body["shippingStatus"]
    touch(call.tenant, order, by="packages")
    return row


def delete_information(call: Call) -> Any:
    """DELETE …/shipping_information, and DELETE …/reset_shipment: the shipment can be announced again."""
    order, row = find(call), information(call)
    del call.tenant.shipping_information[order["id"]]
    touch(call.tenant, order, by="packages")
    return row


def register_shipment(call: Call) -> Any:
    """POST …/register_shipment: the carrier gives every package without a number one."""
    tenant, order = call.tenant, find(call)
    for package in packages_of(tenant, order) or [add(tenant, order, {})]:
        if not package["packageNumber"]:
            package["packageNumber"] = f"TRACK{package['id']:06d}"
    register(tenant, order, call.request.arg("shippingProviderCode") or provider_of(tenant, order))
    return {}


def all_information(call: Call) -> Any:
    """GET /rest/orders/shipping/list_shipping_information."""
    rows = list(call.tenant.shipping_information.values())
    return paged(call.request, rows)


_PACKAGES = "/rest/orders/{id:int}/shipping/packages"
_INFORMATION = "/rest/orders/{id:int}/shipping/shipping_information"

TABLE: Table = [
    ("GET", _PACKAGES, listed),
    ("POST", _PACKAGES, create),
    ("DELETE", _PACKAGES, delete_all),
    ("GET", f"{_PACKAGES}_paginated", in_pages),
    ("GET", f"{_PACKAGES}/{{package:int}}", read),
    ("PUT", f"{_PACKAGES}/{{package:int}}", change),
    ("DELETE", f"{_PACKAGES}/{{package:int}}", delete),
    ("PUT", "/rest/orders/shipping/packages/{package:int}", change),
    ("GET", "/rest/orders/shipping/packages/{package:int}/items", contents),
    ("POST", "/rest/orders/shipping/packages/{package:int}/items", add_contents),
    ("GET", "/rest/orders/shipping/list_shipping_information", all_information),
    ("POST", "/rest/orders/shipping/shipping_information", add_information),
    ("GET", _INFORMATION, information),
    ("DELETE", _INFORMATION, delete_information),
    ("PUT", f"{_INFORMATION}/status", change_information),
    ("POST", "/rest/orders/{id:int}/shipping/register_shipment", register_shipment),
    ("DELETE", "/rest/orders/{id:int}/shipping/reset_shipment", delete_information),
    ("GET", "/rest/orders/{id:int}/packagenumbers", package_numbers),
]
