"""What the merchant says of an item: its state, its parcel, its identifiers. One at a time or fifty at once."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from sandbox.refurbed.errors import Refused, invalid, status
from sandbox.refurbed.marketplace import Item, Marketplace, Record
from sandbox.refurbed.shapes import Given, Shape, country, float32, int64, name_of, read_apart, text
from sandbox.refurbed.shown import order_item
from sandbox.refurbed.states import ITEM_STATES, MOVES

BATCH_SIZE = 50
CARRIERS = (
    ("DHL", "dhl"),
    ("DPD", "dpd"),
    ("GLS", "gls"),
    ("Hermes", "hermes-de"),
    ("Österreichische Post", "austrian-post-registered"),
    ("UPS", "ups"),
)
UPDATE: dict[str, Shape] = {
    "id": int64,
    "parcel_tracking_url": text,
    "item_identifier": text,
    "item_identifiers": [{"identifier_type": name_of("IMEI", "SERIAL_NUMBER"), "value": text}],
    "weight_kg": float32,
    "manufacturing_country": country,
    "hs_code": text,
    "parcel_carrier_tracking_number": {"carrier": text, "tracking_number": text},
}
STATE_UPDATE: dict[str, Shape] = {**UPDATE, "state": name_of(*ITEM_STATES)}


def _check(market: Marketplace, given: Given) -> None:
    if "parcel_tracking_url" in given and not _is_url(given["parcel_tracking_url"]):
        raise invalid("parcel_tracking_url is not a valid HTTP(S) URL")
    if any("identifier_type" not in one or not one.get("value") for one in given.get("item_identifiers", ())):
        raise invalid("item_identifiers need identifier_type and value")
    if carrier := given.get("parcel_carrier_tracking_number"):
        if not carrier.get("tracking_number"):
            raise invalid("parcel_carrier_tracking_number needs a tracking_number")
        if carrier.get("carrier") not in {slug for _, slug in CARRIERS} and not market.settings.any_carrier:
            raise invalid(f"carrier {carrier.get('carrier', '')} is unknown")


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", url)


def _write(item: Item, given: Given) -> None:
    """What is not given stays; an empty list cannot be told from none."""
    item.tracking_url = given.get("parcel_tracking_url") or item.tracking_url
    item.carrier = given.get("parcel_carrier_tracking_number") or item.carrier
    if old := given.get("item_identifier"):
        kind = "IMEI" if re.fullmatch(r"\d{15}", old) else "SERIAL_NUMBER"
        item.identifiers = [{"identifier_type": kind, "value": old}]
    item.identifiers = given.get("item_identifiers") or item.identifiers
    for name in ("weight_kg", "manufacturing_country", "hs_code"):
        setattr(item, name, given.get(name, getattr(item, name)))


def _fail(market: Marketplace, item: Item) -> None:
    """The failure that a test ordered for this item."""
    code, left = market.failing.get(item.id, (0, 0))
    if left:
        market.failing[item.id] = (code, left - 1)
        raise Refused(code, "update failed")


def update(market: Marketplace, given: Given) -> Record:
    item = market.item(given.get("id", 0))
    _fail(market, item)
    _check(market, given)
    _write(item, given)
    return {"order_item": order_item(market, item)}


def update_state(market: Marketplace, given: Given) -> Record:
    """A move that the states allow; everything else of the request is taken only together with it."""
    item = market.item(given.get("id", 0))
    wanted = given.get("state")
    entry = {"item_id": item.id, "from": item.state, "to": wanted, "done": False}
    market.moves.append(entry)
    _fail(market, item)
    if wanted is None:
        raise invalid("state is required")
    same = wanted == item.state and market.settings.repeated_state_taken
    if not same and wanted not in MOVES.get(item.state, ()):
        raise invalid(f"illegal state transition from {item.state} to {wanted}")
    _check(market, given)
    if wanted == "SHIPPED" and not given.get("parcel_tracking_url") and not item.tracking_url:
        raise invalid("parcel_tracking_url is required for state SHIPPED")
    _write(item, given)
    item.state = wanted
    if wanted == "SHIPPED" and item.shipment_status is None:
        item.shipment_status = item.shipment_substatus = "INFO_RECEIVED"
    entry["done"] = True
    return {"order_item": order_item(market, item)}


def _batch(name: str, shape: Shape, one: Callable[[Marketplace, Given], Record]) -> tuple[Shape, Any]:
    """A call that does its entries one by one and tells of each. Without a single entry it does nothing, politely."""

    def as_sent(value: Any, at: str) -> Any:
        if not isinstance(value, dict):
            raise invalid(f"{at} is not an object")
        return value

    def call(market: Marketplace, given: Given) -> Record:
        entries = given.get(name, [])
        if len(entries) > BATCH_SIZE:
            raise invalid(f"{name} must have between 1 and {BATCH_SIZE} entries")
        return {"results": [result(market, at, entry) for at, entry in enumerate(entries)]}

    def result(market: Marketplace, at: int, sent: Given) -> Record:
        try:
            entry, refused = read_apart(shape, sent, f"{name}[{at}]", lambda path: _note(market, path))
            if refused:
                raise refused
            return {"status": status(), **one(market, entry)}
        except Refused as refused:
            market.refusals[refused.code] += 1
            return {"status": refused.status}

    def _note(market: Marketplace, path: str) -> None:
        market.ignored[f"batch of {name}", re.sub(r"\[\d+\]", "[]", path)] += 1

    return {name: [as_sent]}, call


def list_carriers(market: Marketplace, given: Given) -> Record:
    return {"carriers": [{"name": name, "slug": slug} for name, slug in CARRIERS]}


TABLE = {
    "OrderItemService/UpdateOrderItem": (UPDATE, update),
    "OrderItemService/UpdateOrderItemState": (STATE_UPDATE, update_state),
    "OrderItemService/BatchUpdateOrderItems": _batch("order_items", UPDATE, update),
    "OrderItemService/BatchUpdateOrderItemsState": _batch("updates", STATE_UPDATE, update_state),
    "ShippingProfileService/ListAvailableCarriers": ({}, list_carriers),
}
