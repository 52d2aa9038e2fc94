"""Orders made up by the vendor's own arithmetic, for both kinds of catalogue; written from the documents, not the code.

Prices including tax: the row is price × quantity, its net price is rounded, the discount is gross, and what the
discount takes off the tax comes back as compensation. Prices without tax: the row is net, the tax comes after it.
"""

from __future__ import annotations

import json
import random
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connector.client import loads

HUNDRED = Decimal(100)
ADDRESS = {"firstname": "Ada", "lastname": "Muster", "street": ["Weg 1"], "city": "Ulm", "country_id": "DE"}


def cent(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def row(key: int, price: Decimal, quantity: Decimal, rate: Decimal, off: Decimal, *, gross: bool) -> dict[str, Any]:
    """A row as REST shows it. `price` includes tax when `gross`; `to_pay` is the truth and is taken out again."""
    full = cent(price * quantity)
    discount = cent(full * off / HUNDRED)
    if gross:
        before = cent(full * rate / (HUNDRED + rate))
        tax = cent((full - discount) * rate / (HUNDRED + rate))
        net, incl, to_pay = full - before, price, full - discount
        unit, compensation = cent(net / quantity), before - tax
    else:
        tax = cent((full - discount) * rate / HUNDRED)
        net, unit, compensation = full, price, Decimal(0)
        incl, to_pay = cent(price * (HUNDRED + rate) / HUNDRED), full - discount + tax
    return {
        "item_id": key, "sku": f"S{key}", "name": f"Thing {key}", "product_type": "simple", "qty_ordered": quantity,
        "price": unit, "base_price": unit, "price_incl_tax": incl, "tax_percent": rate, "tax_amount": tax,
        "discount_amount": discount, "discount_tax_compensation_amount": compensation,
        "row_total": max(Decimal(0), net - discount), "net": net, "to_pay": to_pay,
    }  # fmt: skip


def order(rows: list[dict[str, Any]], shipping: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The order of these rows; totals by section 0, finding 8. `beyond` is added to the grand total alone."""
    ship = shipping or row(0, Decimal(0), Decimal(1), Decimal(0), Decimal(0), gross=False)
    beyond = more.pop("beyond", 0)
    counted = [one for one in rows if one.get("counts", True)]
    subtotal = sum((one["net"] for one in counted), Decimal(0))
    tax = sum((one["tax_amount"] for one in (*counted, ship)), Decimal(0))
    discount = sum((one["discount_amount"] for one in (*counted, ship)), Decimal(0))
    compensation = sum((one["discount_tax_compensation_amount"] for one in counted), Decimal(0))
    total = subtotal + ship["net"] + tax + compensation + ship["discount_tax_compensation_amount"] - discount
    made: dict[str, Any] = {
        "entity_id": 7, "increment_id": "100000007", "created_at": "2026-03-01 10:00:00",
        "updated_at": "2026-03-01 10:00:01", "status": "processing", "state": "processing", "store_id": 1,
        "order_currency_code": "EUR", "base_currency_code": "EUR", "base_to_order_rate": 1,
        "subtotal": subtotal, "tax_amount": tax, "discount_amount": -discount,
        "discount_tax_compensation_amount": compensation, "shipping_amount": ship["net"],
        "shipping_incl_tax": ship["net"] + ship["tax_amount"] + ship["discount_tax_compensation_amount"],
        "shipping_tax_amount": ship["tax_amount"], "shipping_discount_amount": ship["discount_amount"],
        "shipping_discount_tax_compensation_amount": ship["discount_tax_compensation_amount"],
        "grand_total": total + beyond, "billing_address": ADDRESS, "payment": {"method": "checkmo"},
        "items": [{key: value for key, value in one.items() if key not in ("net", "to_pay", "counts")} for one in rows],
    }  # fmt: skip
    made.update(more)
    return dict(loads(json.dumps(made, default=float)))


def bundle(
    key: int, parts: list[dict[str, Any]], *, dynamic: bool, price: Decimal = Decimal(0)
) -> list[dict[str, Any]]:
    """A bundle and its parts. Of a dynamic one the parts count, of a fixed one the bundle, whose price parts repeat."""
    parent = row(key, price, Decimal(1), Decimal(19), Decimal(0), gross=True)
    if dynamic:
        for name in ("net", "to_pay", "tax_amount", "price", "base_price"):
            parent[name] = sum((one[name] for one in parts), Decimal(0))
        parent["tax_percent"] = 0
    else:
        parts = [
            {**one, "price": parent["price"], "base_price": 0, "price_incl_tax": 0, "tax_amount": 0, "tax_percent": 0,
             "discount_amount": 0, "discount_tax_compensation_amount": Decimal(0), "to_pay": Decimal(0)}
            for one in parts
        ]  # fmt: skip
    children = [{**one, "parent_item_id": key, "counts": dynamic} for one in parts]
    return [{**parent, "product_type": "bundle", "counts": not dynamic}, *children]


def random_rows(chance: random.Random, *, gross: bool) -> list[dict[str, Any]]:
    """Up to six rows of two rates, with and without discount, some of many pieces."""
    off = Decimal(chance.choice([0, 0, 5, 10, 33, 100]))
    rates = chance.choice([(Decimal(19), Decimal(7)), (Decimal("8.25"),), (Decimal(0),), (Decimal("5.5"), Decimal(20))])
    return [
        row(
            key,
            Decimal(chance.randrange(1, 30000)) / 100,
            Decimal(chance.choice([1, 1, 1, 2, 3, 7, 100])),
            chance.choice(rates),
            off if chance.random() < 0.7 else Decimal(0),
            gross=gross,
        )
        for key in range(1, chance.randrange(2, 8))
    ]
