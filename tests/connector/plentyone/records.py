"""Orders as the tests need them; every field may be given."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from connector.records import Address, Customer, LineKind, Order, OrderLine, Payment

NOW = datetime(2026, 5, 19, 16, 55, 15, tzinfo=UTC)
ANNA = Address(
    first_name="Anna",
    last_name="Muster",
    street=("Musterweg 1",),
    postcode="12345",
    city="Kassel",
    country="DE",
    phone="+49 000 0000000",
    key="200001",
)
BERT = Address(
    first_name="Bert", last_name="Beispiel", street=("Am Markt 2 b",), postcode="54321", city="Bonn", country="DE"
)


def line(key: str = "11", gross: str = "20.00", quantity: str = "1", **given: Any) -> OrderLine:
    values: dict[str, Any] = {
        "kind": LineKind.PRODUCT,
        "sku": "SKU-1",
        "name": "Article A",
        "tax_rate": Decimal(19),
        "key": key,
        "gross": Decimal(gross),
        "quantity": Decimal(quantity),
    }
    return OrderLine(**{**values, **given})


def shipping(gross: str = "4.90", **given: Any) -> OrderLine:
    values: dict[str, Any] = {"kind": LineKind.SHIPPING, "sku": None, "name": "Flat rate"}
    return line("shipping", gross, **{**values, **given})


def order(number: str = "100000123", **given: Any) -> Order:
    """A paid guest order; the grand total follows from lines, deductions and residual unless it is given."""
    lines = given.get("lines", (line(), shipping()))
    total = sum((one.total for one in lines), Decimal(0))
    total -= sum((one.amount for one in given.get("deductions", ())), Decimal(0))
    if given.get("residual"):
        total += given["residual"].amount
    total = given.get("grand_total", total)
    values: dict[str, Any] = {
        "key": number.lstrip("1").lstrip("0") or "1",
        "number": number,
        "store": "de",
        "created_at": NOW,
        "updated_at": NOW,
        "status": "processing",
        "currency": "EUR",
        "base_currency": "EUR",
        "grand_total": total,
        "paid": total,
        "customer": Customer(email="anna@example.com", first_name="Anna", last_name="Muster"),
        "billing": ANNA,
        "shipping": BERT,
        "shipping_method": "flatrate_flatrate",
        "lines": lines,
        "payment": Payment(method="checkmo", transaction_id=f"TX-{number}"),
    }
    return Order(**{**values, **given})


def registered(key: str = "17", email: str = "anna@example.com", **given: Any) -> Customer:
    return Customer(**{"key": key, "email": email, "first_name": "Anna", "last_name": "Muster", **given})
