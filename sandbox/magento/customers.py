"""Registered customers, as the orders know them, and the customer groups."""

from collections.abc import Iterable
from typing import Any

from sandbox.magento.orders import Order, address
from sandbox.magento.stores import Stores

GROUPS = [
    {"id": 0, "code": "NOT LOGGED IN", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 1, "code": "General", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 2, "code": "Wholesale", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 3, "code": "Retailer", "tax_class_id": 3, "tax_class_name": "Retail Customer"},
    {"id": 4, "code": "EU Business", "tax_class_id": 5, "tax_class_name": "EU Business without VAT"},
]
TAKEN = ("firstname", "lastname", "middlename", "prefix", "suffix", "company", "street", "city", "postcode")


def customers(orders: Iterable[Order], stores: Stores) -> list[dict[str, Any]]:
    """One per customer_id, from the newest order of each."""
    newest: dict[int, Order] = {}
    first: dict[int, str] = {}
    for order in orders:
        customer = order.get("customer_id")
        if isinstance(customer, int):
            newest[customer] = order
            first.setdefault(customer, order.get("created_at", ""))
    return [_customer(number, order, first[number], stores) for number, order in sorted(newest.items())]


def _customer(number: int, order: Order, created: str, stores: Stores) -> dict[str, Any]:
    view = stores.views.get(order.get("store_id", 0))
    billing, shipping = order.get("billing_address") or {}, address(order)
    addresses = [_address(number * 10, number, billing)]
    if shipping is None or _same(billing, shipping):
        addresses[0] |= {"default_billing": True, "default_shipping": True}
    else:
        addresses[0] |= {"default_billing": True}
        addresses.append(_address(number * 10 + 1, number, shipping) | {"default_shipping": True})
    names = ("prefix", "firstname", "middlename", "lastname", "suffix", "dob", "gender", "taxvat", "email")
    return {
        "id": number,
        "group_id": order.get("customer_group_id", 1),
        "default_billing": str(addresses[0]["id"]),
        "default_shipping": str(addresses[-1]["id"]),
        "created_at": created,
        "updated_at": order.get("updated_at"),
        "created_in": view.name if view else "Admin",
        **{name: order[f"customer_{name}"] for name in names if order.get(f"customer_{name}") is not None},
        "store_id": order.get("store_id"),
        "website_id": view.website_id if view else 1,
        "addresses": addresses,
        "disable_auto_group_change": 0,
        "extension_attributes": {"is_subscribed": number % 3 == 0},
    }


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in (*TAKEN, "country_id"))


def _address(number: int, customer: int, given: dict[str, Any]) -> dict[str, Any]:
    region = {
        "region_code": given.get("region_code"),
        "region": given.get("region"),
        "region_id": given.get("region_id", 0),
    }
    return {
        "id": number,
        "customer_id": customer,
        "region": region,
        "region_id": region["region_id"],
        "country_id": given.get("country_id"),
        **{name: given[name] for name in (*TAKEN, "telephone", "vat_id") if given.get(name) is not None},
    }
