"""refurbed's own description as a measure: what a request or an answer contains that it does not know.

The known errors of the contract are mended here, with the paragraph of their SOURCE.md.
"""

import functools
import json
from collections.abc import Iterator
from typing import Any

from tests.conftest import shared

JSON = dict[str, Any]
PYTHON: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
# SOURCE.md 2: required fields whose type is an enum are missing from the Swagger's lists.
ALSO_REQUIRED = {
    "UpdateOrderItemStateRequest": ["state"],
    "BatchUpdateOrderItemsStateRequest.Update": ["state"],
    "RefundOrderItemRequest": ["currency_code"],
    "CalculateRefundOrderItemRequest": ["currency_code"],
}


@functools.cache
def swagger() -> JSON:
    found: JSON = json.loads((shared() / "contracts/refurbed/merchant-api.swagger.json").read_text())
    return found


def knows(path: str) -> bool:
    return path in swagger()["paths"]


def request_faults(method: str, path: str, body: Any) -> Iterator[str]:
    """What is wrong with a request; ids may be numbers, too."""
    if method != "POST" or not knows(path):
        yield f"{method} {path}: no such call"
        return
    schema = swagger()["paths"][path]["post"]["parameters"][0]["schema"]
    for said in faults(schema, body or {}, numbers=True):
        yield f"{path.rsplit('.', 1)[-1]}: {said}"


def answer_faults(path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer: ids are text, nothing is unknown."""
    responses = swagger()["paths"][path]["post"]["responses"]
    schema = responses["200" if status == 200 else "default"]["schema"]
    return list(faults(schema, body))


def faults(schema: JSON, value: Any, at: str = "", *, numbers: bool = False) -> Iterator[str]:
    name = schema.get("$ref", "").rsplit("/", 1)[-1]
    own = swagger()["definitions"][name] if name else schema
    kind = own.get("type")
    if kind == "array" and "items" not in own and "properties" in own:
        # SOURCE.md 1: a stream is declared as an array that carries its element's properties.
        own = {"type": "array", "items": {"type": "object", "properties": own["properties"]}}
    if kind is None and "properties" in own:
        kind = "object"  # SOURCE.md 3: schemas without a type
    text_as_number = numbers and own.get("format") == "int64" and isinstance(value, int)
    if kind and not text_as_number and (not isinstance(value, PYTHON[kind]) or (kind != "boolean" and value is True)):
        yield f"{at or 'body'} is {value!r}, not of type {kind}"
        return
    if "enum" in own and value not in own["enum"]:
        yield f"{at} is {value!r}, which is not one of {name}"
    if kind == "array":
        for number, each in enumerate(value):
            yield from faults(own["items"], each, f"{at}[{number}]", numbers=numbers)
    if kind == "object":
        within = f"{at}." if at else ""
        for required in [*own.get("required", ()), *ALSO_REQUIRED.get(name, ())]:
            if required not in value:
                yield f"required field {within}{required} is missing"
        for key, each in value.items():
            if key not in own.get("properties", {}):
                yield f"field {within}{key} is unknown"
            else:
                yield from faults(own["properties"][key], each, f"{within}{key}", numbers=numbers)
