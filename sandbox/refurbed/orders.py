"""Orders: one, lists of them, and their items' lists. An order is there for the merchant once it is released."""

from typing import Any

from sandbox.refurbed import shown, states
from sandbox.refurbed.lists import AMOUNTS, FLAG, IDS, LIKE, SKU, TIMES, WORDS, Listing, enum, labelled, one_of
from sandbox.refurbed.marketplace import Item, Marketplace, Order, Record
from sandbox.refurbed.shapes import Given, country, currency, int64

TOTALS = [f"{prefix}total_{name}" for name in ("charged", "paid", "refunded") for prefix in ("", "settlement_")]
ENTITY = enum("MALE", "FEMALE", "COMPANY")
COMMISSIONS = [f"settlement_{name}_commission" for name in ("total", "base", "payout", "payment", "dynamic")]
ITEM_TOTALS = [
    *[f"{prefix}total_{name}" for name in ("charged", "charged_dynamic", "paid", "refunded")
      for prefix in ("", "settlement_")],
    *COMMISSIONS,
]  # fmt: skip


def _total(name: str) -> Any:
    return lambda market, order: shown.totals(order)[name]


def _amount(name: str) -> Any:
    return lambda market, item: shown.amounts(market.orders[item.order_id], item)[name]


def _addresses(order: Order) -> list[Record]:
    return [order.shipping_address, order.invoice_address]


def _label_used(market: Marketplace, order: Order) -> bool:
    return any(
        one.order_id == order.id and one.state not in ("UNKNOWN", "INITIATED") for one in market.returns.values()
    )


ORDERS = Listing(
    name="orders",
    filters={
        "id": (IDS, lambda market, order: order.id),
        "released_at": (TIMES, lambda market, order: order.released_at),
        "state": (enum(*states.ORDER_STATES), lambda market, order: states.order_state(order.items)),
        "labels": (labelled(*states.LABELS), lambda market, order: states.labels(order.items)),
        "customer_email": (LIKE, lambda market, order: order.email),
        "address": (WORDS, lambda market, order: [v for each in _addresses(order) for v in each.values()]),
        "address_phone_number": (LIKE, lambda market, order: [each["phone_number"] for each in _addresses(order)]),
        "shipping_address_entity": (ENTITY, lambda market, order: order.shipping_address["entity"]),
        "shipping_address_country_code": (
            one_of(country),
            lambda market, order: order.shipping_address["country_code"],
        ),
        "invoice_address": (WORDS, lambda market, order: list(order.invoice_address.values())),
        "invoice_address_entity": (ENTITY, lambda market, order: order.invoice_address["entity"]),
        "invoice_address_vatin": (
            LIKE,
            lambda market, order: [v for name, v in order.invoice_address.items() if name.endswith("_vatin")],
        ),
        "invoice_address_country_code": (one_of(country), lambda market, order: order.invoice_address["country_code"]),
        "currency_code": (one_of(currency), lambda market, order: order.currency),
        "settlement_currency_code": (one_of(currency), lambda market, order: order.settlement),
        **{name: (AMOUNTS, _total(name)) for name in TOTALS},
        "is_invoiceable": (FLAG, states.invoiceable),
        "has_invoice": (FLAG, lambda market, order: order.invoice is not None),
        "item_name": (WORDS, lambda market, order: [each.name for each in order.items]),
        "item_sku": (SKU, lambda market, order: [each.sku for each in order.items]),
        "item_offer_id": (IDS, lambda market, order: [each.offer_id for each in order.items]),
        "is_return_initiated": (FLAG, lambda market, order: any(each.return_initiated for each in order.items)),
        "is_return_shipment_label_used": (FLAG, _label_used),
    },
    keys={
        "ID": lambda market, order: order.id,
        "RELEASED_AT": lambda market, order: order.released_at,
        "CUSTOMER_EMAIL": lambda market, order: order.email,
        "CURRENCY_CODE": lambda market, order: order.currency,
        "SETTLEMENT_CURRENCY_CODE": lambda market, order: order.settlement,
        **{name.upper(): _total(name) for name in TOTALS},
    },
)

ITEMS = Listing(
    name="order_items",
    filters={
        "id": (IDS, lambda market, item: item.id),
        "name": (WORDS, lambda market, item: item.name),
        "state": (enum(*states.ITEM_STATES), lambda market, item: item.state),
        "sku": (SKU, lambda market, item: item.sku),
        "currency_code": (one_of(currency), lambda market, item: market.orders[item.order_id].currency),
        "settlement_currency_code": (one_of(currency), lambda market, item: market.orders[item.order_id].settlement),
        **{name: (AMOUNTS, _amount(name)) for name in ITEM_TOTALS},
        "taxation": (enum("GROSS", "MARGINAL", "NET"), lambda market, item: item.taxation),
        "is_refundable": (FLAG, lambda market, item: shown.order_item(market, item)["is_refundable"]),
        "is_parcel_tracking_url": (FLAG, lambda market, item: item.tracking_url is not None),
        "is_item_identifier": (FLAG, lambda market, item: bool(item.identifiers)),
        "linked_offer_data_offer_id": (IDS, lambda market, item: item.offer_id),
        "linked_offer_data_offer_warranty": (enum("M12", "M18", "M24", "M30", "M36"), lambda market, item: "M12"),
        "linked_offer_data_offer_grading": (enum("A", "B", "C", "AA"), lambda market, item: item.grading),
        "linked_offer_data_shipping_profile_id": (IDS, lambda market, item: 5501),
    },
    keys={
        "ID": lambda market, item: item.id,
        "NAME": lambda market, item: item.name,
        "STATE": lambda market, item: item.state,
        "SKU": lambda market, item: item.sku,
        "CURRENCY_CODE": lambda market, item: market.orders[item.order_id].currency,
        "SETTLEMENT_CURRENCY_CODE": lambda market, item: market.orders[item.order_id].settlement,
        **{name.upper(): _amount(name) for name in ITEM_TOTALS},
        "TAXATION": lambda market, item: item.taxation,
        "IS_REFUNDABLE": lambda market, item: shown.order_item(market, item)["is_refundable"],
    },
)


def list_orders(market: Marketplace, given: Given) -> Record:
    return ORDERS.page(market, given, market.released(), market.orders, shown.whole_order)


def get_order(market: Marketplace, given: Given) -> Record:
    return {"order": shown.whole_order(market, market.order(given.get("id", 0)))}


def list_items(market: Marketplace, given: Given) -> Record:
    """An unknown order has no items: the contract names no NOT_FOUND for this call."""
    rows: list[Item] = [
        each for order in market.released() if order.id == given.get("order_id") for each in order.items
    ]
    return ITEMS.page(market, given, rows, market.items, shown.order_item)


def get_item(market: Marketplace, given: Given) -> Record:
    return {"order_item": shown.order_item(market, market.item(given.get("id", 0)))}


TABLE = {
    "OrderService/ListOrders": (ORDERS.shape, list_orders),
    "OrderService/GetOrder": ({"id": int64}, get_order),
    "OrderItemService/ListOrderItemsByOrder": ({**ITEMS.shape, "order_id": int64}, list_items),
    "OrderItemService/GetOrderItem": ({"id": int64}, get_item),
}
