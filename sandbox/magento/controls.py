"""What a test can do to the shop from outside, by action name."""

import copy
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox import orders as generator
from sandbox.magento import actions
from sandbox.magento.orders import Order, stamp

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop


def run(shop: "Shop", action: str, body: Any) -> Any:
    """LookupError for an unknown action or record, ValueError for a body that cannot be used."""
    if action not in ACTIONS:
        raise LookupError(f"Magento's stand-in has no control action {action!r}; it has {', '.join(ACTIONS)}.")
    if body is not None and not isinstance(body, dict):
        raise ValueError(f"The body of {action} is an object, not {body!r}.")
    return ACTIONS[action](shop, body or {})


def _brief(order: Order) -> dict[str, Any]:
    names = (
        "entity_id",
        "increment_id",
        "store_id",
        "state",
        "status",
        "created_at",
        "updated_at",
        "grand_total",
    )
    return {name: order[name] for name in names if name in order}


def _orders(shop: "Shop", body: dict[str, Any]) -> Any:
    return [_brief(order) for order in shop.orders.all()]


def _order(shop: "Shop", body: dict[str, Any]) -> Any:
    return shop.orders.find(body)


def _add_order(shop: "Shop", body: dict[str, Any]) -> Any:
    payload = dict(body.get("order", body))
    if not generator.is_order(payload) or "increment_id" not in payload or "updated_at" not in payload:
        raise ValueError("An order has increment_id, updated_at and items.")
    if "entity_id" not in payload or int(payload["entity_id"]) in shop.orders:
        payload["entity_id"] = shop.orders.highest("entity_id") + 1
    shop.orders.put(payload)
    shop.stores.learn(payload)
    return _brief(payload)


def _change_order(shop: "Shop", body: dict[str, Any]) -> Any:
    order = shop.orders.find(body)
    touched = shop.now() if body.get("touch", True) else None

    def mutate(one: Order) -> None:
        for path, value in (body.get("set") or {}).items():
            _set(one, path.split("."), value)

    return _brief(shop.orders.change(order["entity_id"], mutate, touched))


def _set(place: Any, path: list[str], value: Any) -> None:
    """Set a value below objects and lists; None takes the key away, as REST leaves nulls out."""
    for key in path[:-1]:
        place = place[int(key)] if isinstance(place, list) else place.setdefault(key, {})
    last = path[-1]
    if isinstance(place, list):
        place[int(last)] = value
    elif value is None:
        place.pop(last, None)
    else:
        place[last] = value


def _place(shop: "Shop", body: dict[str, Any]) -> Any:
    placed = generator.place(list(shop.orders.all()), int(body.get("count", 1)), shop.now(), seed=body.get("seed"))
    for payload in placed:
        shop.orders.put(payload)
    return [_brief(payload) for payload in placed]


def _edit_order(shop: "Shop", body: dict[str, Any]) -> Any:
    """The edit of the admin: a new order with the suffix -1, the old one canceled."""
    parent = shop.orders.find(body)
    now = shop.now()
    child = generator.successor(parent, list(shop.orders.all()), now)
    for path, value in (body.get("set") or {}).items():
        _set(child, path.split("."), value)

    def retire(order: Order) -> None:
        actions.cancel(order, now)
        order["edit_increment"] = child["edit_increment"]
        order["relation_child_id"] = str(child["entity_id"])
        order["relation_child_real_id"] = child["increment_id"]

    shop.orders.change(parent["entity_id"], retire, now)
    shop.orders.put(child)
    return _brief(child)


def _remove_order(shop: "Shop", body: dict[str, Any]) -> Any:
    order = shop.orders.find(body)
    shop.orders.remove(order["entity_id"])
    return _brief(order)


def _configure(shop: "Shop", body: dict[str, Any]) -> Any:
    shop.settings.change(body)
    return copy.copy(vars(shop.settings))


def _resources(body: dict[str, Any]) -> list[str]:
    given = body.get("resource", body.get("resources"))
    if not given:
        raise ValueError("Name a resource, for example Magento_Sales::actions_view.")
    return [given] if isinstance(given, str) else list(given)


def _forbid(shop: "Shop", body: dict[str, Any]) -> Any:
    shop.access.forbid(_resources(body), True)
    return {"forbidden": sorted(shop.access.forbidden)}


def _allow(shop: "Shop", body: dict[str, Any]) -> Any:
    shop.access.forbid(_resources(body), False)
    return {"forbidden": sorted(shop.access.forbidden)}


def _clock(shop: "Shop", body: dict[str, Any]) -> Any:
    shop.offset = timedelta(seconds=float(body.get("offset", 0)))
    return {"now": stamp(shop.now())}


def _mails(shop: "Shop", body: dict[str, Any]) -> Any:
    return shop.mails


def _stock(shop: "Shop", body: dict[str, Any]) -> Any:
    """Set what lies in a source, or show everything."""
    if body.get("sku"):
        shop.stock.set(str(body["sku"]), str(body.get("source_code") or "default"), body.get("quantity", 0))
    return shop.stock.items()


def _papers(shop: "Shop", body: dict[str, Any]) -> Any:
    """The invoices, shipments and credit memos of an order, or of all, with those that they had from the beginning."""
    wanted = shop.orders.find(body)["entity_id"] if body else None
    return {
        kind: [one for one in shop.papers.all(kind) if wanted in (None, one["order_id"])]
        for kind in ("invoices", "shipments", "creditmemos")
    }


def _reset(shop: "Shop", body: dict[str, Any]) -> Any:
    shop.reset()
    return {"orders": len(shop.orders)}


ACTIONS: dict[str, Callable[["Shop", dict[str, Any]], Any]] = {
    "orders": _orders,
    "order": _order,
    "add_order": _add_order,
    "change_order": _change_order,
    "remove_order": _remove_order,
    "place": _place,
    "edit_order": _edit_order,
    "configure": _configure,
    "forbid": _forbid,
    "allow": _allow,
    "clock": _clock,
    "mails": _mails,
    "stock": _stock,
    "papers": _papers,
    "reset": _reset,
}
