"""Returns that customers began with a label of their own making. The merchant reads them and can change nothing."""

from sandbox.refurbed import shown
from sandbox.refurbed.lists import IDS, TEXTS, TIMES, Listing, enum
from sandbox.refurbed.marketplace import Marketplace, Record
from sandbox.refurbed.shapes import Given

STATES = ("UNKNOWN", "INITIATED", "IN_TRANSIT", "DELIVERED", "REFUNDED", "CONCLUDED")

RETURNS = Listing(
    name="returns",
    filters={
        "order_id": (IDS, lambda market, one: one.order_id),
        "order_item_identifier": (
            TEXTS,
            lambda market, one: [each["value"] for each in market.items[one.item_id].identifiers],
        ),
        "return_initiated_at": (TIMES, lambda market, one: one.initiated_at),
        "state": (enum(*STATES), lambda market, one: one.state),
        "delivered_at": (TIMES, lambda market, one: one.delivered_at),
        "tracking_number": (TEXTS, lambda market, one: one.tracking_number),
    },
    keys={
        "ID": lambda market, one: one.id,
        "ORDER_ID": lambda market, one: one.order_id,
        "RETURN_INITIATED_AT": lambda market, one: one.initiated_at,
        "DELIVERED_AT": lambda market, one: one.delivered_at,
        "TRACKING_NUMBER": lambda market, one: one.tracking_number,
    },
)


def list_returns(market: Marketplace, given: Given) -> Record:
    return RETURNS.page(market, given, market.returns.values(), market.returns, shown.item_return)


TABLE = {"OrderItemReturnService/ListOrderItemReturns": (RETURNS.shape, list_returns)}
