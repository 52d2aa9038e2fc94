"""Registered customers, as the orders know them, and the customer groups."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sandbox.magento.orders import Order, address, stamp
from sandbox.magento.refusal import Refused, required
from sandbox.magento.stores import Stores

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop

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


def find(shop: "Shop", wanted: int) -> dict[str, Any]:
    """A customer by id. Refused with 404 when there is none."""
    for one in everyone(shop):
        if one["id"] == wanted:
            return one
    text = "No such entity with %fieldName = %fieldValue"
    raise Refused(404, text, {"fieldName": "customerId", "fieldValue": wanted})


def everyone(shop: "Shop") -> list[dict[str, Any]]:
    """Those whom orders know, and those whom calls have made."""
    known = customers(shop.orders.all(), shop.stores)
    ids = {one["id"] for one in known}
    return [*known, *(one for one in shop.customers if one["id"] not in ids)]


def create(shop: "Shop", body: dict[str, Any]) -> dict[str, Any]:
    """POST /V1/customers: e-mail addresses are unique in a website."""
    sent = body.get("customer")
    if not isinstance(sent, dict):
        raise required("customer")
    for name in ("email", "firstname", "lastname"):
        if not sent.get(name):
            raise required(name)
    website = int(sent.get("website_id") or 1)
    for one in everyone(shop):
        if one["email"].casefold() == str(sent["email"]).casefold() and one["website_id"] == website:
            raise Refused(400, "A customer with the same email address already exists in an associated website.")
    fresh = max((one["id"] for one in everyone(shop)), default=0) + 1
    moment = stamp(shop.now())
    given = [one for one in sent.get("addresses") or [] if isinstance(one, dict)]
    addresses = [{**one, "id": fresh * 10 + place, "customer_id": fresh} for place, one in enumerate(given)]
    made = {
        "id": fresh,
        "group_id": sent.get("group_id") or 1,
        "created_at": moment,
        "updated_at": moment,
        "created_in": "Default Store View",
        **{name: sent[name] for name in ("prefix", "firstname", "middlename", "lastname", "taxvat") if sent.get(name)},
        "email": sent["email"],
        "store_id": sent.get("store_id") or 1,
        "website_id": website,
        "addresses": addresses,
        "disable_auto_group_change": 0,
        "extension_attributes": {"is_subscribed": False},
    }
    shop.customers.append(made)
    return made
