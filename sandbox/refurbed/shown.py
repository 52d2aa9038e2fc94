"""Orders, items and returns as the API writes them: ids and amounts as text, times in UTC, absent what is not set."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.money import cents
from sandbox.refurbed.marketplace import Item, Marketplace, Order, Record, Return
from sandbox.refurbed.states import eligibility, invoiceable, labels, order_eligibility, order_state

TRIAL_DAYS = 35
# Parts of the settled price that the merchant pays as commission.
COMMISSION = {"base": Decimal("0.086"), "payout": Decimal("0.006"), "payment": Decimal("0.0083"), "dynamic": Decimal(0)}


def money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def plain(value: Decimal) -> str:
    """A rate without superfluous zeros."""
    return f"{value.normalize():f}"


def amounts(order: Order, item: Item) -> dict[str, Decimal]:
    """An item's totals by name, in both currencies."""
    own = {"charged": item.charged, "discount": item.discount, "charged_dynamic": Decimal(0)}
    found: dict[str, Decimal] = {}
    for name, amount in {**own, "refunded": item.refunded}.items():
        found[f"total_{name}"], found[f"settlement_total_{name}"] = amount, order.settled(amount)
    found["total_paid"] = item.paid
    found["settlement_total_paid"] = found["settlement_total_charged"] - found["settlement_total_refunded"]
    parts = {name: cents(found["settlement_total_charged"] * part) for name, part in COMMISSION.items()}
    found["settlement_total_commission"] = sum(parts.values(), Decimal(0))
    found |= {f"settlement_{name}_commission": part for name, part in parts.items()}
    return found


def totals(order: Order) -> dict[str, Decimal]:
    """An order's totals: the sums of its items, in the settlement currency too, where each item was rounded."""
    names = ("charged", "discount", "paid", "refunded")
    wanted = [name for one in names for name in (f"total_{one}", f"settlement_total_{one}")]
    each = [amounts(order, item) for item in order.items]
    found = {name: sum((one[name] for one in each), Decimal(0)) for name in wanted}
    found["total_vat_charged"] = sum((item.vat for item in order.items), Decimal(0))
    found["settlement_total_vat_charged"] = sum((order.settled(item.vat) for item in order.items), Decimal(0))
    return found


def order_item(market: Marketplace, item: Item) -> Record:
    order = market.orders[item.order_id]
    allowed = eligibility(market, order, item)
    rate = item.vat_rate if item.taxation == "GROSS" or market.settings.marginal_shows_rate else Decimal(0)
    found: Record = {
        "id": str(item.id),
        "order_id": str(order.id),
        "name": item.name,
        "state": item.state,
        "sku": item.sku,
        "currency_code": order.currency,
        "settlement_currency_code": order.settlement,
        **{name: money(amount) for name, amount in amounts(order, item).items()},
        "taxation": item.taxation,
        "is_refundable": allowed == "ELIGIBLE",
        "refund_eligibility": allowed,
        "offer_data": {
            "offer_id": str(item.offer_id),
            "offer_version": "3",
            "offer_order_exchange_rate": plain(order.rate),
            "offer_warranty": "M12",
            "offer_grading": item.grading,
            "shipping_profile_id": "5501",
            "shipping_profile_version": "2",
            "shipping_costs": "0.00",
        },
        "parcel_tracking_url": item.tracking_url,
        "return_shipment_tracking_url": item.return_url,
        "item_identifier": item.identifiers[0]["value"] if item.identifiers else None,
        "item_identifiers": [dict(each) for each in item.identifiers],
        "shipment_status": item.shipment_status,
        "shipment_substatus": item.shipment_substatus,
        "return_initiated": item.return_initiated,
        "vat_rate": plain(rate),
        "vat_country": item.vat_country,
        "vat_charged": money(item.vat),
        "settlement_vat_charged": money(order.settled(item.vat)),
        "weight_kg": item.weight_kg,
        "manufacturing_country": item.manufacturing_country,
        "hs_code": item.hs_code,
    }
    return without_none(found)


def whole_order(market: Marketplace, order: Order) -> Record:
    allowed = order_eligibility(market, order)
    return {
        "id": str(order.id),
        "released_at": utc(order.released_at or order.created_at),
        "state": order_state(order.items),
        "labels": labels(order.items),
        "customer_email": order.email,
        "shipping_address": dict(order.shipping_address),
        "invoice_address": dict(order.invoice_address),
        "currency_code": order.currency,
        "settlement_currency_code": order.settlement,
        "settlement_exchange_rate": plain(order.rate),
        **{name: money(amount) for name, amount in totals(order).items()},
        "is_refundable": allowed == "ELIGIBLE",
        "refund_eligibility": allowed,
        "is_invoiceable": invoiceable(market, order),
        "has_invoice": order.invoice is not None,
        "items": [order_item(market, each) for each in order.items],
        "payment_method": order.payment_method,
    }


def item_return(market: Marketplace, one: Return) -> Record:
    item, order = market.items[one.item_id], market.orders[one.order_id]
    found: Record = {
        "id": str(one.id),
        "order_id": str(order.id),
        "order_item_id": str(item.id),
        "instance_name": item.name,
        "order_item_identifier": item.identifiers[0]["value"] if item.identifiers else None,
        "item_identifiers": [dict(each) for each in item.identifiers],
        "return_initiated_at": utc(one.initiated_at),
        "state": one.state,
        "delivered_at": utc(one.delivered_at) if one.delivered_at else None,
        "tracking_number": one.tracking_number,
        "tracking_url": item.return_url,
        "ticket_topic": one.topic,
        "ticket_url": f"https://tickets.example.org/{one.id}",
        "item_within_trial_period": (market.now - order.created_at).days <= TRIAL_DAYS,
    }
    return without_none(found)


def without_none(found: Record) -> Record:
    return {name: value for name, value in found.items() if value is not None}


def without_empty(value: Any) -> Any:
    """Without what protobuf may leave out: false, empty text, empty lists."""
    if isinstance(value, dict):
        kept = ((name, without_empty(each)) for name, each in value.items())
        return {name: each for name, each in kept if each not in ("", [], None) and each is not False}
    return _each(value) if isinstance(value, list) else value


def _each(values: Iterable[Any]) -> list[Any]:
    return [without_empty(each) for each in values]
