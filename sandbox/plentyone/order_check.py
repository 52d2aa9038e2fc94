"""What PlentyONE looks at before it takes an order, and what it does not.

Known keys are checked by type and existence; unknown keys are silently dropped, which is how an order with a
misspelt `orderItems` comes into being without items.
"""

import re
from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.contacts import client_ids
from sandbox.plentyone.errors import (
    NOT_LIST,
    NOT_NUMBER,
    NOT_STRICT,
    NOT_TEXT,
    NOT_WHOLE,
    REQUIRED,
    UNKNOWN,
    Findings,
)
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, moment, number, strict_number, whole

ORDER_TYPES = set(range(1, 16))
ITEM_TYPES = set(range(1, 16))
WITH_VARIATION = {1, 2, 3, 13, 14}
ADDRESS_TYPES = set(range(1, 9))


def check_order(tenant: Tenant, body: Record, *, new: bool) -> None:
    """Refuse an order, or a change of one, that PlentyONE would refuse."""
    findings = Findings()
    _number(findings, body, "typeId", ORDER_TYPES, required=new)
    _number(findings, body, "plentyId", client_ids(), required=new)
    _status(tenant, findings, body)
    referrers = {number(row["id"]) for row in tenant.referrers}
    _number(findings, body, "referrerId", referrers, whole_only=False)
    _number(findings, body, "ownerId", None)
    for name in ("properties", "dates", "relations", "addressRelations", "orderItems"):
        if body.get(name) is not None and not isinstance(body[name], list):
            findings.add(name, NOT_LIST)
    check_properties(tenant, findings, body.get("properties"), "properties")
    _dates(findings, body.get("dates"), "dates")
    for path, row in rows_of(findings, body.get("relations"), "relations"):
        _relation(tenant, findings, path, row)
    for path, row in rows_of(findings, body.get("addressRelations"), "addressRelations"):
        _number(findings, row, "typeId", ADDRESS_TYPES, path=path, required=True)
        _number(findings, row, "addressId", set(tenant.addresses), path=path, required=True)
    for path, row in rows_of(findings, body.get("orderItems"), "orderItems"):
        _item(tenant, findings, path, row, referrers, new=new or row.get("id") is None)
    findings.refuse()


def rows_of(findings: Findings, rows: Any, place: str) -> list[tuple[str, Record]]:
    """The objects of a list with their paths; elements that are none are noted."""
    found = []
    for at, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            found.append((f"{place}.{at}", row))
        else:
            findings.add(f"{place}.{at}", NOT_LIST)
    return found


def check_properties(tenant: Tenant, findings: Findings, rows: Any, place: str) -> None:
    """Look at properties: a type that exists (any below 1000, the tenant's own above) and a scalar value."""
    own = {row["id"] for row in tenant.property_types}
    for path, row in rows_of(findings, rows, place):
        kind = whole(row.get("typeId"))
        if row.get("typeId") is None:
            findings.add(f"{path}.typeId", REQUIRED)
        elif kind is None:
            findings.add(f"{path}.typeId", NOT_WHOLE)
        elif kind < 1 or (kind >= 1000 and kind not in own):
            findings.add(f"{path}.typeId", UNKNOWN)
        if isinstance(row.get("value"), list | dict):
            findings.add(f"{path}.value", NOT_TEXT)


def _number(
    findings: Findings,
    row: Record,
    name: str,
    known: Any,
    *,
    path: str = "",
    required: bool = False,
    whole_only: bool = True,
) -> None:
    place = f"{path}.{name}" if path else name
    value = row.get(name)
    if value is None:
        if required:
            findings.add(place, REQUIRED)
        return
    found = whole(value) if whole_only else number(value)
    if found is None:
        findings.add(place, NOT_WHOLE if whole_only else NOT_NUMBER)
    elif known is not None and found not in known:
        findings.add(place, UNKNOWN)


def _status(tenant: Tenant, findings: Findings, body: Record) -> None:
    if body.get("statusId") is None:
        return
    value = number(body["statusId"])
    if value is None:
        findings.add("statusId", NOT_NUMBER)
    elif not 1 <= value <= Decimal("19.9999"):
        findings.add("statusId", "The {} must be between 1 and 19.9999.")
    elif value not in {Decimal(row["statusId"]) for row in tenant.statuses}:
        findings.add("statusId", UNKNOWN)


def _relation(tenant: Tenant, findings: Findings, path: str, row: Record) -> None:
    known: dict[Any, set[int]] = {
        "contact": set(tenant.contacts),
        "account": set(tenant.accounts),
        "warehouse": {each["id"] for each in lists.warehouses()},
    }
    if row.get("referenceType") not in known:
        findings.add(f"{path}.referenceType", REQUIRED if row.get("referenceType") is None else UNKNOWN)
    else:
        _number(findings, row, "referenceId", known[row["referenceType"]], path=path, required=True)
    if row.get("relation") not in ("sender", "receiver"):
        findings.add(f"{path}.relation", REQUIRED if row.get("relation") is None else UNKNOWN)


def _dates(findings: Findings, rows: Any, place: str) -> None:
    for path, row in rows_of(findings, rows, place):
        _number(findings, row, "typeId", set(range(1, 21)), path=path, required=True)
        if moment(row.get("date")) is None:
            findings.add(f"{path}.date", "The {} is not a valid date.")


def _item(tenant: Tenant, findings: Findings, path: str, row: Record, referrers: Any, *, new: bool) -> None:
    _number(findings, row, "typeId", ITEM_TYPES, path=path, required=new)
    name = row.get("orderItemName")
    if name == "" or (name is None and new and "orderItemName" not in row):
        findings.add(f"{path}.orderItemName", REQUIRED)
    elif not isinstance(name, str) and "orderItemName" in row:
        findings.add(f"{path}.orderItemName", NOT_TEXT)
    _number(findings, row, "quantity", None, path=path, required=new, whole_only=False)
    _number(findings, row, "referrerId", referrers, path=path, whole_only=False)
    if whole(row.get("typeId")) in WITH_VARIATION:
        _number(findings, row, "itemVariationId", set(tenant.variations), path=path, required=new)
    _number(findings, row, "countryVatId", {each["id"] for each in tenant.vats}, path=path)
    _number(findings, row, "vatField", set(range(6)), path=path)
    _number(findings, row, "vatRate", None, path=path, whole_only=False)
    _number(findings, row, "shippingProfileId", {0, *(each["id"] for each in lists.presets())}, path=path)
    _number(findings, row, "warehouseId", {each["id"] for each in lists.warehouses()}, path=path)
    check_properties(tenant, findings, row.get("properties"), f"{path}.properties")
    _dates(findings, row.get("dates"), f"{path}.dates")
    if row.get("amounts") is not None and not isinstance(row["amounts"], list):
        findings.add(f"{path}.amounts", NOT_LIST)
    for place, figures in rows_of(findings, row.get("amounts"), f"{path}.amounts"):
        _amounts(findings, place, figures)


def _amounts(findings: Findings, path: str, row: Record) -> None:
    for name in ("priceOriginalGross", "priceOriginalNet", "purchasePrice", "exchangeRate"):
        _number(findings, row, name, None, path=path, whole_only=False)
    for name in ("discount", "surcharge"):
        # Recorded under the bare name, without the path of the item.
        if row.get(name) is not None and strict_number(row[name]) is None:
            findings.add(name, NOT_STRICT)
    currency = row.get("currency")
    if currency is not None and (not isinstance(currency, str) or re.fullmatch(r"[A-Z]{3}", currency) is None):
        findings.add(f"{path}.currency", UNKNOWN)
