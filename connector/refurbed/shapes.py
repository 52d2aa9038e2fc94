"""What refurbed's requests may hold, message by message, from its Swagger (refb.merchant.v1, version 1.0).

refurbed ignores what it does not know without a word: a misspelt filter lists everything, a misspelt state changes
nothing and answers 200. So each request is held against its shape before it is sent, and what does not fit is a fault of
ours that never leaves the house. Only the fields that are sent from here are declared.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

PACKAGE = "refb.merchant.v1"
PAGE_SIZE = 100
BATCH_SIZE = 50
MEGABYTE = 1024**2

ORDER_STATES: dict[str, str] = {
    "NEW": "New",
    "ACCEPTED": "Accepted",
    "SHIPPED": "Shipped",
    "FULFILLED": "Fulfilled",
    "PARTIALLY_FULFILLED": "Partially fulfilled",
    "RETURNED": "Returned",
    "REJECTED": "Rejected",
    "CANCELLED": "Cancelled",
    "UNFULFILLED": "Unfulfilled",
}
ITEM_STATES = ("NEW", "REJECTED", "CANCELLED", "ACCEPTED", "SHIPPED", "RETURNED")
RETURN_STATES: dict[str, str] = {
    "UNKNOWN": "Unknown",
    "INITIATED": "Initiated",
    "IN_TRANSIT": "In transit",
    "DELIVERED": "Delivered",
    "REFUNDED": "Refunded",
    "CONCLUDED": "Concluded",
}
PAYMENT_METHODS: dict[str, str] = {
    "SOFORT": "Sofort",
    "PAYPAL": "PayPal",
    "CASHPRESSO": "cashpresso",
    "STRIPE_DIGITAL_WALLET": "Digital wallet (Stripe)",
    "STRIPE_CARDS": "Card (Stripe)",
    "STRIPE_EPS": "EPS (Stripe)",
    "STRIPE_GIRO_PAY": "giropay (Stripe)",
    "STRIPE_IDEAL": "iDEAL (Stripe)",
    "STRIPE_MOBILE_PAY": "MobilePay (Stripe)",
    "STRIPE_P24": "Przelewy24 (Stripe)",
    "STRIPE_SOFORT": "Sofort (Stripe)",
    "STRIPE_KLARNA": "Klarna (Stripe)",
    "STRIPE_SWISH": "Swish (Stripe)",
    "STRIPE_MBWAY": "MB WAY (Stripe)",
    "STRIPE_REVOLUT_PAY": "Revolut Pay (Stripe)",
    "STRIPE_MONDU": "Mondu (Stripe)",
    "BRAINTREE_PAYPAL": "PayPal (Braintree)",
    "BRAINTREE_SATISPAY": "Satispay (Braintree)",
    "BRAINTREE_CARDS": "Card (Braintree)",
    "BRAINTREE_BANCONTACT": "Bancontact (Braintree)",
}


class Malformed(ValueError):
    """A request that is not of the contract: a fault of ours."""


Kind = Callable[[Any], bool]


@dataclass(frozen=True)
class Value:
    """One scalar: what it is called in a message, and whether a value is one."""

    name: str
    fits: Kind


@dataclass(frozen=True, kw_only=True)
class Message:
    """An object with these fields and no others."""

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Several:
    """A list of one shape."""

    of: Shape
    most: int | None = None


Shape = Value | Message | Several


def _money(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{1,15}(\.\d{1,2})?", value) is not None


def _moment(value: Any) -> bool:
    if not isinstance(value, str) or "T" not in value:
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _url(value: Any) -> bool:
    try:
        parts = urlsplit(value) if isinstance(value, str) and not re.search(r"\s", value) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname)


def _file(value: Any) -> bool:
    try:
        return isinstance(value, str) and len(base64.b64decode(value, validate=True)) <= MEGABYTE
    except binascii.Error:
        return False


def enum(*names: str) -> Value:
    return Value(f"one of {', '.join(names)}", lambda value: value in names)


ID = Value("an id (digits as text)", lambda value: isinstance(value, str) and value.isascii() and value.isdecimal())
TEXT = Value("a text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
MONEY = Value("an amount as text with at most two decimals", _money)
MOMENT = Value("a time with its offset, like 2026-02-01T00:00:00Z", _moment)
URL = Value("an address that begins with http:// or https://", _url)
FILE = Value("a file of at most 1 MB as base64", _file)
CURRENCY = Value(
    "a currency", lambda value: isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value, re.ASCII) is not None
)
SIZE = Value(
    f"a number from 1 to {PAGE_SIZE}",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= PAGE_SIZE,
)

PAGINATION = Message(fields={"limit": SIZE, "starting_after": ID, "ending_before": ID})
ORDER = enum("ASC", "DESC")
IDS = Message(fields={"any_of": Several(of=ID), "none_of": Several(of=ID)})
TEXTS = Message(fields={"any_of": Several(of=TEXT), "none_of": Several(of=TEXT)})
TIMES = Message(fields=dict.fromkeys(("gt", "ge", "le", "lt"), MOMENT))


def states(*names: str) -> Message:
    return Message(fields={"any_of": Several(of=enum(*names)), "none_of": Several(of=enum(*names))})


def listing(sorts: tuple[str, ...], filters: Mapping[str, Shape]) -> Message:
    return Message(
        fields={
            "pagination": PAGINATION,
            "sort": Message(fields={"order": ORDER, "by": enum(*sorts)}),
            "filter": Message(fields=filters),
        }
    )


IDENTIFIER = Message(
    fields={"identifier_type": enum("IMEI", "SERIAL_NUMBER"), "value": TEXT}, required=("identifier_type", "value")
)
ITEM: dict[str, Shape] = {
    "id": ID,
    "parcel_tracking_url": URL,
    "item_identifiers": Several(of=IDENTIFIER),
    "parcel_carrier_tracking_number": Message(
        fields={"carrier": TEXT, "tracking_number": TEXT}, required=("carrier", "tracking_number")
    ),
}
UPDATE = Message(fields=ITEM, required=("id",))
STATE_UPDATE = Message(fields={**ITEM, "state": enum(*ITEM_STATES)}, required=("id", "state"))
BY_ID = Message(fields={"id": ID}, required=("id",))
BY_ORDER = Message(fields={"order_id": ID}, required=("order_id",))
ITEM_REFUND = Message(
    fields={"id": ID, "currency_code": CURRENCY, "target_paid_amount": MONEY},
    required=("id", "currency_code", "target_paid_amount"),
)

REQUESTS: dict[str, Shape] = {
    "OrderService/ListOrders": listing(
        ("ID", "RELEASED_AT"), {"id": IDS, "released_at": TIMES, "state": states(*ORDER_STATES)}
    ),
    "OrderService/GetOrder": BY_ID,
    "OrderService/CalculateRefundOrder": BY_ID,
    "OrderService/RefundOrder": BY_ID,
    # a stream: first the order, then the file in parts
    "OrderService/SetOrderInvoiceStream": Several(of=Message(fields={"meta": BY_ORDER, "data": FILE})),
    "OrderService/GetOrderInvoice": BY_ORDER,
    "OrderItemService/GetOrderItem": BY_ID,
    "OrderItemService/UpdateOrderItem": UPDATE,
    "OrderItemService/UpdateOrderItemState": STATE_UPDATE,
    "OrderItemService/BatchUpdateOrderItems": Message(
        fields={"order_items": Several(of=UPDATE, most=BATCH_SIZE)}, required=("order_items",)
    ),
    "OrderItemService/BatchUpdateOrderItemsState": Message(
        fields={"updates": Several(of=STATE_UPDATE, most=BATCH_SIZE)}, required=("updates",)
    ),
    "OrderItemService/CalculateRefundOrderItem": ITEM_REFUND,
    "OrderItemService/RefundOrderItem": ITEM_REFUND,
    "OrderItemReturnService/ListOrderItemReturns": listing(
        ("ID", "RETURN_INITIATED_AT"),
        {
            "order_id": IDS,
            "order_item_identifier": TEXTS,
            "return_initiated_at": TIMES,
            "state": states(*RETURN_STATES),
            "tracking_number": TEXTS,
        },
    ),
    "ShippingProfileService/ListAvailableCarriers": Message(fields={}),
}


def check(call: str, body: Any) -> None:
    """Raise Malformed naming the field when a request is not what its message may hold."""
    shape = REQUESTS.get(call)
    if shape is None:
        raise Malformed(f"{call} is not one of the calls that are made")
    _check(shape, body, call)


def _check(shape: Shape, value: Any, at: str) -> None:
    if isinstance(shape, Value):
        if not shape.fits(value):
            raise Malformed(f"{at} must be {shape.name}, not {_short(value)}")
    elif isinstance(shape, Several):
        if not isinstance(value, list | tuple):
            raise Malformed(f"{at} must be a list, not {_short(value)}")
        if not value or (shape.most is not None and len(value) > shape.most):
            raise Malformed(f"{at} must have from 1 to {shape.most or 'any number of'} entries, not {len(value)}")
        for position, one in enumerate(value):
            _check(shape.of, one, f"{at}[{position}]")
    else:
        if not isinstance(value, Mapping):
            raise Malformed(f"{at} must be an object, not {_short(value)}")
        for name in shape.required:
            if name not in value:
                raise Malformed(f"{at}.{name} is missing")
        for name, one in value.items():
            if name not in shape.fields:
                raise Malformed(f"{at}.{name} is unknown: refurbed would ignore it without a word")
            _check(shape.fields[name], one, f"{at}.{name}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"


def money(amount: Decimal) -> str:
    """An amount as refurbed takes it, "123.45". Raises Malformed for parts of a cent."""
    if amount != round(amount, 2):
        raise Malformed(f"{amount} has parts of a cent")
    return f"{amount:.2f}"


def moment(at: datetime) -> str:
    """A time as refurbed takes it, UTC with a Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
