"""Refunds, of one item or of all that can be refunded, each with its dry run.

An item's refund names what the customer shall have paid in the end, so that a repeat takes nothing more. An order's
refund has no target: it takes whatever is left.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sandbox.money import ZERO, cents
from sandbox.refurbed.errors import invalid, precondition
from sandbox.refurbed.marketplace import Item, Marketplace, Record
from sandbox.refurbed.shapes import Given, currency, decimal, int64
from sandbox.refurbed.shown import money
from sandbox.refurbed.states import eligibility

# The documents do not say how the two share a refund.
SHARE_OF_REFURBED = Decimal("0.1")


def _answer(code: str, items: Iterable[Item], refunded: Decimal, ahead: Decimal) -> Record:
    """The six figures; `ahead` is what a dry run would refund still."""
    own = list(items)
    theirs = cents(refunded * SHARE_OF_REFURBED)
    return {
        "currency_code": code,
        "total_paid": money(sum((each.paid for each in own), ZERO) - ahead),
        "total_refunded": money(sum((each.refunded for each in own), ZERO) + ahead),
        "refunded": money(refunded),
        "refunded_refurbed": money(theirs),
        "refunded_merchant": money(refunded - theirs),
    }


def book(market: Marketplace, item: Item, amount: Decimal, by: str, target: Decimal) -> None:
    """Pay back and remember it."""
    item.refunded += amount
    entry = {"order_id": item.order_id, "item_id": item.id, "by": by}
    market.refunds.append({**entry, "target": money(target), "refunded": money(amount)})


def refund_item(market: Marketplace, given: Given, *, dry: bool = False) -> Record:
    item = market.item(given.get("id", 0))
    order, target = market.orders[item.order_id], given.get("target_paid_amount")
    if given.get("currency_code") != order.currency:
        raise invalid(f"currency_code must be {order.currency}")
    if target is None or target < 0:
        raise invalid("target_paid_amount must not be negative")
    if target > item.paid:
        raise invalid(f"target_paid_amount {target} is more than total_paid {money(item.paid)}")
    allowed = eligibility(market, order, item)
    if allowed != "ELIGIBLE":
        raise precondition(f"order item is not refundable: {allowed}")
    amount = item.paid - target
    if not amount and not market.settings.repeated_refund_taken:
        raise invalid("target_paid_amount equals total_paid")
    if not dry:
        book(market, item, amount, "item", target)
    return _answer(order.currency, [item], amount, amount if dry else ZERO)


def refund_order(market: Marketplace, given: Given, *, dry: bool = False) -> Record:
    order = market.order(given.get("id", 0))
    open_items = [each for each in order.items if eligibility(market, order, each) == "ELIGIBLE"]
    if not open_items:
        raise precondition("order is not refundable")
    amount = sum((each.paid for each in open_items), ZERO)
    if not dry:
        for each in open_items:
            book(market, each, each.paid, "order", ZERO)
    return _answer(order.currency, order.items, amount, amount if dry else ZERO)


def _dry(call: Any) -> Any:
    return lambda market, given: call(market, given, dry=True)


ITEM: dict[str, Any] = {"id": int64, "currency_code": currency, "target_paid_amount": decimal}
TABLE = {
    "OrderItemService/CalculateRefundOrderItem": (ITEM, _dry(refund_item)),
    "OrderItemService/RefundOrderItem": (ITEM, refund_item),
    "OrderService/CalculateRefundOrder": ({"id": int64}, _dry(refund_order)),
    "OrderService/RefundOrder": ({"id": int64}, refund_order),
}
