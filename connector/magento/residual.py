"""What may be the cause of an amount that no line explains: most often a module for surcharges, by its own attribute."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connector.magento.reading import Fields, number
from connector.records import cents

FEE = re.compile(r"(^|[._])(\w*fee|surcharge|charges?|cod|cash|extra|wrap\w*|donation|tip|insurance|rounding)($|[._])")
CREDIT = re.compile(r"balance|reward|gift|credit")  # a module that counts it elsewhere as well
AMOUNT = re.compile(r"amount|price|total|cost|discount|sum|value")
BASE = re.compile(r"(^|[._])base_")
SCALARS = (str, Decimal, int, float)
WORDS = ("description", "title", "label", "name")
NO_CAUSE = ("shipping_assignments", "payment_additional_info", "applied_taxes", "item_applied_taxes", "taxes",
            "additional_itemized_taxes")  # fmt: skip


def cause(order: Fields, extension: Fields, amount: Decimal, *, lines_fall_short: bool) -> str:
    """In words: the attribute that holds the amount, with what the module says of it."""
    told = dict(_candidates(order, extension))
    values = {path: cents(abs(value)) for path, given in told.items() if (value := number(given)) is not None}
    fitting = [path for path, value in values.items() if value == cents(abs(amount)) and _meant(path, told[path])]
    for path, value in values.items():  # a fee whose tax stands in an attribute of its own
        tax = values.get(path.replace("_amount", "_tax_amount")) or values.get(f"{path}_tax")
        if tax and value + tax == cents(abs(amount)):
            fitting.append(path)
    if fitting:
        path = min(fitting, key=lambda one: (bool(BASE.search(one)), not FEE.search(one), len(one)))
        words = _words(path, told)
        return f"{words} ({path})" if words else path
    if lines_fall_short:
        return "the lines do not come to the order's own subtotal, tax and discount: lines are missing or were changed"
    return "no field of the order holds this amount; probably a module adds it"


def _candidates(order: Fields, extension: Fields) -> Iterator[tuple[str, Any]]:
    own = {key: value for key, value in extension.data.items() if key not in NO_CAUSE}
    for path, value in flat(own, ""):
        if not isinstance(value, bool):
            yield path, value
    for key, value in order.data.items():
        named = FEE.search(key) or CREDIT.search(key)
        if named and isinstance(value, int | float | Decimal | str) and not isinstance(value, bool):
            yield key, value


def _meant(path: str, value: Any) -> bool:
    """A flag or an id that happens to be the same number is no cause."""
    return bool(FEE.search(path) or AMOUNT.search(path) or "." in str(value))


def _words(path: str, told: Mapping[str, Any]) -> str | None:
    stem = re.sub(r"^base_", "", re.sub(r"_(amount|value|total|price)$", "", path))
    for word in WORDS:
        for name in (f"{stem}_{word}", f"{path}_{word}", f"{path.rpartition('.')[0]}.{word}"):
            text = told.get(name)
            if isinstance(text, str) and text.strip() and number(text) is None:
                return " ".join(text.split())
    return None


def flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All scalars of a nested value by dotted path; rows of {key, value} or {attribute_code, value} by their key."""
    if value is None:
        return
    if isinstance(value, SCALARS):
        yield path, value
    elif isinstance(value, (dict, Mapping)):
        named = value.get("key", value.get("attribute_code"))
        if isinstance(named, str) and "value" in value:
            yield from flat(value["value"], f"{path}.{named}".lstrip("."))
            return
        for key, inner in value.items():
            at = f"{path}.{key}".lstrip(".")
            if isinstance(inner, SCALARS):
                yield at, inner
            elif inner is not None:
                yield from flat(inner, at)
    elif isinstance(value, list):
        if value and all(isinstance(one, (str, int, Decimal)) for one in value):
            yield path, ", ".join(str(one) for one in value)
            return
        for inner in value:
            if isinstance(inner, (dict, list, Mapping)):
                yield from flat(inner, path)
    else:
        yield path, value
