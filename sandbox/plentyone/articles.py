"""Variations, as far as an order connector looks for them.

`numberExact` takes exactly one number: a comma in it is part of the number. Several variations at a time are only
to be had by id (`id`, `itemId` with commas here, `ids` at the newer route).
"""

from typing import Any

from sandbox.plentyone.errors import not_found
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.values import Record, truth, whole, whole_list


def listed(call: Call) -> Any:
    """GET /rest/items/variations. Filters that do not exist are silently ignored."""
    request = call.request
    rows = [call.tenant.variations[each] for each in sorted(call.tenant.variations)]
    for name, column in (("id", "id"), ("itemId", "itemId")):
        if values := [value for value in request.args(name) if value]:
            wanted = whole_list(values)
            rows = [row for row in rows if row[column] in wanted]
    if exact := request.arg("numberExact"):
        rows = [row for row in rows if row["number"].lower() == exact.lower()]
    if fuzzy := request.arg("numberFuzzy"):
        rows = [row for row in rows if fuzzy.lower() in row["number"].lower()]
    if name_part := request.arg("itemName"):
        rows = [row for row in rows if name_part.lower() in row["itemName"].lower()]
    for name in ("isMain", "isActive"):
        if (flag := request.arg(name)) is not None:
            rows = [row for row in rows if row[name] is truth(flag, True)]
    envelope = paged(request, rows, default=50, cap=250)
    envelope["entries"] = [_with(row, call.withs(commas=True)) for row in envelope["entries"]]
    return envelope


EMPTY = (
    "properties", "variationProperties", "variationBarcodes", "variationBundleComponents", "variationSalesPrices",
    "marketItemNumbers", "variationCategories", "variationClients", "variationMarkets", "variationDefaultCategory",
    "variationSuppliers", "variationWarehouses", "images", "variationAttributeValues", "variationSkus", "stock",
)  # fmt: skip


def _with(row: Record, relations: set[str]) -> Record:
    record = dict(row)
    for name in relations & set(EMPTY):
        record[name] = []
    if "itemTexts" in relations or "itemText" in relations:
        record["itemTexts"] = [{"lang": "de", "name1": row["name"], "itemId": row["itemId"]}]
    if "item" in relations:
        record["item"] = {"id": row["itemId"], "itemType": "default", "mainVariationId": row["id"]}
    return record


def one(call: Call) -> Any:
    """GET /rest/items/{id}/variations/{variationId}."""
    row = call.tenant.variations.get(call.number("variation"))
    if row is None or row["itemId"] != call.number("item"):
        raise not_found("Item\\Variation\\Models\\Variation", call.places["variation"])
    return _with(row, call.withs(commas=True))


def of_item(call: Call) -> Any:
    """GET /rest/items/{id}/variations."""
    rows = [row for row in call.tenant.variations.values() if row["itemId"] == call.number("item")]
    return paged(call.request, rows)


def pim(call: Call) -> Any:
    """GET /rest/pim/variations: with `ids` no other filter counts; the number stands in `base`."""
    request = call.request
    rows = [call.tenant.variations[each] for each in sorted(call.tenant.variations)]
    if ids := [value for value in request.args("ids") if value]:
        wanted = whole_list(ids)
        rows = [row for row in rows if row["id"] in wanted]
    else:
        for name in ("itemId", "itemIds"):
            if values := [value for value in request.args(name) if value]:
                items = whole_list(values)
                rows = [row for row in rows if row["itemId"] in items]
        if exact := request.arg("number"):
            rows = [row for row in rows if row["number"].lower() == exact.lower()]
    if (request.arg("sortBy") or "").startswith("id_desc"):
        rows.reverse()
    envelope = paged(request, rows, default=50, cap=250)
    relations = call.withs(commas=True)
    envelope["entries"] = [_pim(row, relations) for row in envelope["entries"]]
    return envelope


def scroll(call: Call) -> Any:
    """GET /rest/pim/variations/scroll: by a cursor instead of pages; the last answer has none."""
    rows = [call.tenant.variations[each] for each in sorted(call.tenant.variations)]
    after = whole(call.request.arg("cursor")) or 0
    if exact := call.request.arg("number"):
        rows = [row for row in rows if row["number"].lower() == exact.lower()]
    rows = [row for row in rows if row["id"] > after]
    size = min(max(whole(call.request.arg("itemsPerPage")) or 50, 1), 250)
    relations = call.withs(commas=True)
    more = len(rows) > size
    return {
        "cursor": str(rows[size - 1]["id"]) if more else None,
        "totalsCount": len(rows),
        "entries": [_pim(row, relations) for row in rows[:size]],
    }


def _pim(row: Record, relations: set[str]) -> Record:
    names = (
        "id",
        "itemId",
        "isMain",
        "isActive",
        "number",
        "name",
        "position",
        "mainVariationId",
        "externalId",
        "model",
    )
    record = {"id": row["id"]}
    if not relations or "base" in relations:
        record["base"] = {**{name: row[name] for name in names}, "updatedAt": row["updatedAt"]}
    return record


def scan(call: Call) -> Any:
    """GET /rest/items: items with their main variation."""
    rows = [
        {"id": row["itemId"], "itemType": "default", "mainVariationId": row["id"], "createdAt": row["createdAt"]}
        for row in call.tenant.variations.values()
    ]
    if (wanted := whole(call.request.arg("id"))) is not None:
        rows = [row for row in rows if row["id"] == wanted]
    return paged(call.request, rows)


TABLE: Table = [
    ("GET", "/rest/items", scan),
    ("GET", "/rest/items/variations", listed),
    ("GET", "/rest/items/{item:int}/variations", of_item),
    ("GET", "/rest/items/{item:int}/variations/{variation:int}", one),
    ("GET", "/rest/pim/variations", pim),
    ("GET", "/rest/pim/variations/scroll", scroll),
]
