"""Every request that a test sends to a stand-in, held against the vendors' own descriptions.

The stand-ins record what they receive (`--record FILE`); `violations(file)` lists what the contracts do not know: paths,
missing required fields, unknown fields, wrong types. The known errors of the contracts are mended here, with the
paragraph of their SOURCE.md.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import shared
from tests.refurbed_contract import request_faults

# SOURCE.md of PlentyONE, 7 and 8: untyped arrays. Their elements' fields, from systems/plentyone.md sections 6 to 9.
ELEMENTS = {
    "orderItems": {
        *("id", "typeId", "referrerId", "itemVariationId", "quantity", "orderItemName", "attributeValues", "position"),
        *("shippingProfileId", "countryVatId", "vatField", "vatRate", "warehouseId", "amounts", "properties", "dates"),
        *("orderProperties", "references", "metaData"),
    },
    "amounts": {
        *("isSystemCurrency", "currency", "exchangeRate", "purchasePrice", "priceOriginalGross", "priceOriginalNet"),
        *("surcharge", "discount", "isPercentage"),
    },
    "properties": {"typeId", "value", "subTypeId"},
    "addressRelations": {"typeId", "addressId"},
    "relations": {"referenceType", "referenceId", "relation"},
    "options": {"typeId", "subTypeId", "value", "priority"},
    "dates": {"typeId", "date"},
    "orderProperties": {"propertyId", "value", "fileUrl"},
    "references": {"referenceOrderItemId", "referenceType"},
    "quantities": {"orderItemId", "quantity", "orderItemName"},
    "contactRelations": {"contactId", "typeId"},
    "payloads": {"resource", "method", "body"},
}
# systems/plentyone.md 8.1 and 9.1: fields that working clients send and the generated contract lost.
ALSO = {
    "POST /rest/accounts/contacts": {
        *("plentyId", "number", "externalId", "firstName", "lastName", "gender", "lang", "classId", "birthdayAt"),
    },
    "POST /rest/payments": {"receivedAt", "properties", "order", "contact", "isSystemCurrency", "regenerateHash"},
    "POST /rest/comments": {"userId"},
    "PUT /rest/orders/{orderId}": {"dates"},
    "GET /rest/orders": {
        "externalOrderId",
        "sortBy",
        "sortOrder",
        "with[]",
        "with",
        "page",
        "itemsPerPage",
        "clientId",
    },
}
NUMBERS = {
    "typeId",
    "statusId",
    "plentyId",
    "referrerId",
    "quantity",
    "amount",
    "itemVariationId",
    "vatRate",
    "addressId",
}
JSON_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


@functools.cache
def _plenty() -> dict[str, Any]:
    newest = json.loads((shared() / "contracts/plentyone/openApiV2WithExamples.min.json").read_text())
    named = json.loads((shared() / "contracts/plentyone/openApiV2.json").read_text())
    operations: dict[str, Any] = {}
    for source in (named, newest):
        for path, methods in source["paths"].items():
            for method, described in methods.items():
                made = operations.setdefault(f"{method.upper()} {path}", {"query": {}, "fields": {}, "required": set()})
                for parameter in described.get("parameters", ()):
                    if parameter["in"] == "query":
                        made["query"][parameter["name"].removesuffix("[]")] = parameter.get("type")
                    elif parameter["in"] == "body":
                        schema = parameter.get("schema", {})
                        made["fields"].update(schema.get("properties", {}))
                        made["required"] |= set(schema.get("required", ()))
                returned = described.get("responses", {}).get("200", {}).get("schema", {})
                name = returned.get("$ref", "").rsplit("/", 1)[-1]
                definition = source.get("definitions", {}).get(name, {})
                made.setdefault("returned", {}).update(definition.get("properties", {}))
    # SOURCE.md 13: the batch call is described as GET with a body; working clients use POST as well.
    operations["POST /rest/batch"] = operations["GET /rest/batch"]
    # SOURCE.md 5: names required inside a nested array are lifted to the outer list.
    operations["PUT /rest/payments"]["required"] = {"id"}
    return operations


@functools.cache
def _patterns(system: str) -> list[tuple[str, re.Pattern[str], str]]:
    keys = _plenty() if system == "plentyone" else _magento()
    made = []
    for key in keys:
        method, path = key.split(" ", 1)
        made.append((method, re.compile(re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(path)) + "/?$"), key))
    return sorted(made, key=lambda one: one[2].count("{"))


@functools.cache
def _schema() -> dict[str, Any]:
    """The whole contract: the subset for orders knows no carts."""
    file = shared() / "contracts/magento/admin-schema-2.4.9.yaml"
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return dict(yaml.load(file.read_text(), Loader=loader))


@functools.cache
def _magento() -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": described
        for path, methods in _schema()["paths"].items()
        for method, described in methods.items()
    }


def operation(system: str, method: str, path: str) -> str | None:
    for known, pattern, key in _patterns(system):
        if known == method and pattern.match(path):
            return key
    return None


def violations(record: Path) -> list[str]:
    """What the recorded requests contain that no contract knows, each kind once."""
    found: dict[str, None] = {}
    for line in record.read_text().splitlines():
        request = json.loads(line)
        if request["system"] == "refurbed":
            for said in request_faults(request["method"], request["path"], request["body"]):
                found.setdefault(f"refurbed {said}")
            continue
        check = _check_plenty if request["system"] == "plentyone" else _check_magento
        for said in check(request["method"], request["path"], _pairs(request["query"]), request["body"]):
            found.setdefault(f"{request['system']} {said}")
    return list(found)


def _pairs(query: Any) -> list[tuple[str, str]]:
    return [(str(key), str(value)) for key, value in (query.items() if isinstance(query, dict) else query or ())]


def _check_plenty(method: str, path: str, query: list[tuple[str, str]], body: Any) -> Iterator[str]:
    key = operation("plentyone", method, path)
    if key is None:
        yield f"{method} {path}: no such path"
        return
    known = _plenty()[key]
    for name, _ in query:
        plain = name.split("[")[0]
        if plain not in known["query"] and plain not in ALSO.get(key, ()) and plain not in ("page", "itemsPerPage"):
            yield f"{key}: query parameter {name!r} is unknown"
    if body is None:
        if known["required"]:
            yield f"{key}: a body with {sorted(known['required'])} is required"
        return
    rows = body if isinstance(body, list) else [body]
    for row in rows:
        yield from _check_fields(key, known, row)
    if key.endswith("/rest/batch"):
        for inner in body.get("payloads", ()):
            resource = inner.get("resource", "")
            target, _, asked = resource.partition("?")
            pairs = [tuple(part.partition("=")[::2]) for part in asked.split("&") if part]
            yield from _check_plenty(inner.get("method", "GET"), "/" + target.lstrip("/"), pairs, inner.get("body"))


def _check_fields(key: str, known: dict[str, Any], row: dict[str, Any]) -> Iterator[str]:
    described = {**known.get("returned", {}), **known["fields"]}
    for name in sorted(known["required"] - set(row)):
        yield f"{key}: required field {name!r} is missing"
    for name, value in row.items():
        if name not in described and name not in ALSO.get(key, ()):
            yield f"{key}: field {name!r} is unknown"
            continue
        said = described.get(name, {}).get("type")
        loose = name in NUMBERS or name in ("externalId", "number", "gender", "stateId")  # SOURCE.md 14: wrong types
        if said in JSON_TYPES and value is not None and not loose and not isinstance(value, JSON_TYPES[said]):
            yield f"{key}: field {name!r} should be {said}, got {value!r}"
        yield from _check_elements(key, name, value)


def _check_elements(path: str, name: str, value: Any) -> Iterator[str]:
    if name not in ELEMENTS or not isinstance(value, list):
        return
    for element in value:
        if not isinstance(element, dict):
            yield f"{path}: {name} holds {element!r}"
            continue
        for inner, content in element.items():
            if inner not in ELEMENTS[name]:
                yield f"{path}: {name}[].{inner} is unknown"
            if inner in NUMBERS and (isinstance(content, bool) or not isinstance(content, int | float)):
                yield f"{path}: {name}[].{inner} should be a number, got {content!r}"
            if inner == "value" and name == "properties" and not isinstance(content, str):
                yield f"{path}: {name}[].value should be a string, got {content!r}"
            yield from _check_elements(f"{path} {name}[]", inner, content)


CRITERIA = re.compile(
    r"^search_?[cC]riteria(\[(filter_?[gG]roups\]\[\d+\]\[filters\]\[\d+\]\[(field|value|condition_?[tT]ype)"
    r"|sort_?[oO]rders\]\[\d+\]\[(field|direction)|page_?[sS]ize|current_?[pP]age)\])?$"
)


def _check_magento(method: str, path: str, query: list[tuple[str, str]], body: Any) -> Iterator[str]:
    plain = re.sub(r"^(/index\.php)?/rest(/[a-z0-9_]+)?(?=/V1/)", "", path)
    key = operation("magento", method, plain)
    if key is None and path.rstrip("/") != "/magento_version":
        yield f"{method} {path}: no such path"
        return
    known = {
        one["name"].split("[")[0] for one in _magento().get(key or "", {}).get("parameters", ()) if one["in"] == "query"
    }
    for name, _ in query:
        # SOURCE.md 5: more indices, snake_case and `fields` are missing from the schema.
        if not CRITERIA.match(name) and name != "fields" and name.split("[")[0] not in known:
            yield f"{key}: query parameter {name!r} is unknown"
    for one in _magento().get(key or "", {}).get("parameters", ()):
        if one["in"] == "body" and body is not None:
            yield from _check_shape(str(key), one["schema"], body, "body")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda one: f"_{one[1].lower()}", name)


def _definitions() -> dict[str, Any]:
    return dict(_schema()["definitions"])


def _check_shape(key: str, schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    """A body against its definition. Names may be written in camelCase; numbers and texts of digits are the same to
    Magento (recordings send either)."""
    if "$ref" in schema:
        schema = _definitions().get(schema["$ref"].rsplit("/", 1)[-1], {})
    if schema.get("type") == "array" and isinstance(value, list):
        for element in value:
            yield from _check_shape(key, schema.get("items", {}), element, f"{at}[]")
    elif "properties" in schema and isinstance(value, dict):
        given = {_snake(name): inner for name, inner in value.items()}
        known = {_snake(name): inner for name, inner in schema["properties"].items()}
        # SOURCE.md 4: `required` describes PHP signatures; of an address in a cart it names what no country has.
        for name in () if "carts" in key else schema.get("required", ()):
            if _snake(name) not in given:
                yield f"{key}: required field {at}.{name} is missing"
        for name, inner in given.items():
            if name not in known:
                yield f"{key}: field {at}.{name} is unknown"
            elif inner is not None:
                yield from _check_shape(key, known[name], inner, f"{at}.{name}")
    elif schema.get("type") in JSON_TYPES and value is not None:
        wanted = JSON_TYPES[schema["type"]]
        digits = schema["type"] in ("integer", "number") and isinstance(value, str) and value.isdigit()
        if not digits and (not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted)):
            yield f"{key}: field {at} should be {schema['type']}, got {value!r}"
