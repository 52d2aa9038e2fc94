"""Invoices and shipments that calls have made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandbox.magento import actions
from sandbox.magento.orders import Order, address, stamp
from sandbox.money import ZERO, number, plain

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop


def invoice(shop: "Shop", order: Order, body: Mapping[str, Any]) -> dict[str, Any]:
    """Invoice what the body names and file the invoice."""
    now, quantities = shop.now(), {}

    def mutate(one: Order) -> None:
        quantities.update(actions.invoice(one, body, now))

    before = number(order.get("total_invoiced"))
    changed = shop.orders.change(order["entity_id"], mutate, now)
    names = (
        "base_currency_code",
        "order_currency_code",
        "global_currency_code",
        "store_id",
        "billing_address_id",
    )
    made: dict[str, Any] = {
        "entity_id": len(shop.invoices) + 1,
        "increment_id": f"{len(shop.invoices) + 1:09d}",
        "order_id": order["entity_id"],
        "state": 2,
        "created_at": stamp(now),
        "updated_at": stamp(now),
        "grand_total": plain(number(changed["total_invoiced"]) - before),
        "total_qty": plain(sum(quantities.values(), ZERO)),
        **{name: order[name] for name in names if name in order},
        "items": _lines(order, quantities),
        "comments": [],
    }
    shop.invoices.append(made)
    _tell(shop, order, body, "invoice")
    return made


def ship(shop: "Shop", order: Order, body: Mapping[str, Any]) -> dict[str, Any]:
    """Ship what the body names; the order's updated_at moves only when its own row was written."""
    now, quantities, written = shop.now(), {}, []

    def mutate(one: Order) -> None:
        done, moved = actions.ship(one, body, now)
        quantities.update(done)
        written.append(moved)
        if moved:
            one["updated_at"] = stamp(now)

    shop.orders.change(order["entity_id"], mutate)
    arguments = body.get("arguments") or {}
    extra = actions.either(arguments, "extension_attributes", "extensionAttributes") or {}
    entity_id = len(shop.shipments) + 1
    delivery = address(order)
    made: dict[str, Any] = {
        "entity_id": entity_id,
        "increment_id": f"{entity_id:09d}",
        "order_id": order["entity_id"],
        "store_id": order.get("store_id"),
        "billing_address_id": order.get("billing_address_id"),
        **({"shipping_address_id": delivery.get("entity_id")} if delivery else {}),
        "created_at": stamp(now),
        "updated_at": stamp(now),
        "total_qty": plain(sum(quantities.values(), ZERO)),
        "items": _lines(order, quantities),
        "tracks": [_track(order, entity_id, position, one) for position, one in enumerate(body.get("tracks") or [], 1)],
        "comments": [],
        "extension_attributes": {
            "source_code": actions.either(extra, "source_code", "sourceCode") or "default",
        },
    }
    shop.shipments.append(made)
    _tell(shop, order, body, "shipment")
    return made


def _lines(order: Order, quantities: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "order_item_id": item["item_id"],
            "sku": item["sku"],
            "name": item.get("name"),
            "price": item.get("price"),
            "product_id": item.get("product_id"),
            "qty": plain(quantities[str(item["item_id"])]),
        }
        for item in order["items"]
        if str(item["item_id"]) in quantities
    ]


def _track(order: Order, parent: int, position: int, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "entity_id": parent * 100 + position,
        "parent_id": parent,
        "order_id": order["entity_id"],
        "track_number": actions.either(given, "track_number", "trackNumber"),
        "title": given.get("title"),
        "carrier_code": actions.either(given, "carrier_code", "carrierCode"),
        "weight": None,
        "qty": None,
        "description": None,
    }


def _tell(shop: "Shop", order: Order, body: Mapping[str, Any], kind: str) -> None:
    """The mail that `notify` asks for, and the comment that comes with it."""
    if body.get("notify"):
        shop.mail(order["entity_id"], kind)
    text = body.get("comment")
    if isinstance(text, dict) and body.get("appendComment"):
        shop.comment(
            order["entity_id"],
            {**text, "status": shop.orders.get(order["entity_id"]).get("status")},
            touch=False,
        )
