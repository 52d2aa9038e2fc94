"""What a test or a person may do behind the API's back: as customer, as carrier, as refurbed itself."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sandbox.refurbed import made_up, returns, shown
from sandbox.refurbed.errors import HTTP, Refused
from sandbox.refurbed.marketplace import Item, Marketplace, Order, Record, Return
from sandbox.refurbed.refunds import book
from sandbox.refurbed.shapes import moment

SHIPMENT = (
    *("INFO_RECEIVED", "IN_TRANSIT", "OUT_FOR_DELIVERY", "AVAILABLE_FOR_PICKUP", "DELIVERED", "FAILED_ATTEMPT"),
    "EXCEPTION",
)


def _body(body: Any) -> Record:
    if not isinstance(body, dict):
        raise ValueError("This action takes an object.")
    return body


def _named(rows: dict[int, Any], what: str, number: Any) -> Any:
    if not str(number).isdigit() or int(number) not in rows:
        raise LookupError(f"There is no {what} {number!r}.")
    return rows[int(number)]


def _order(market: Marketplace, body: Any) -> Order:
    found: Order = _named(market.orders, "order", _body(body).get("id"))
    return found


def _item(market: Marketplace, body: Any, name: str = "id") -> Item:
    found: Item = _named(market.items, "item", _body(body).get(name))
    return found


def _time(body: Any, name: str, otherwise: datetime) -> datetime:
    try:
        return moment(body[name], name) if body.get(name) else otherwise
    except Refused as refused:
        raise ValueError(refused.message) from refused


def order(market: Marketplace, body: Any) -> Any:
    """An order as the API shows it, released or not, with what the API never shows again."""
    found = _order(market, body)
    carriers = {str(each.id): each.carrier for each in found.items}
    return {**shown.whole_order(market, found), "carriers": carriers}


def place(market: Marketplace, body: Any) -> Any:
    """Customers order: `count` times what `made_up.Wish` and `items` (sku, price in EUR, name, taxation) say.

    With `"released": false` the order has its id and waits for `release`.
    """
    given = dict(_body(body or {}))
    count = given.pop("count", 1)
    wish = made_up.wished(given)
    rng = Random(f"placed {len(market.orders)}")
    return [shown.whole_order(market, made_up.make(market, rng, wish)) for _ in range(int(count))]


def release(market: Marketplace, body: Any) -> Any:
    """Give an order to the merchant, now or at `released_at`; it keeps the id it got when it was placed."""
    found = _order(market, body)
    found.released_at = _time(body, "released_at", market.now)
    return shown.whole_order(market, found)


def ship_status(market: Marketplace, body: Any) -> Any:
    """The carrier reports; the item's state does not follow, as merchants have seen it."""
    found, status = _item(market, body), _body(body).get("status", "DELIVERED")
    if status not in SHIPMENT:
        raise ValueError(f"There is no shipment status {status!r}; there are {', '.join(SHIPMENT)}.")
    found.shipment_status = found.shipment_substatus = status
    return shown.order_item(market, found)


def send_back(market: Marketplace, body: Any) -> Any:
    """The customer returns an item, which must be shipped."""
    found = _item(market, body)
    if found.state not in ("SHIPPED", "RETURNED"):
        raise ValueError(f"The item {found.id} is {found.state}; only a shipped one comes back.")
    return shown.item_return(market, made_up.send_back(market, found, Random(found.id)))


def return_label(market: Marketplace, body: Any) -> Any:
    """A return label is issued, without a return yet."""
    found = _item(market, body)
    found.return_url = f"https://track.example.org/return/{made_up.parcel(market)}"
    return shown.order_item(market, found)


def _return(market: Marketplace, body: Any) -> Return:
    found: Return = _named(market.returns, "return", _body(body).get("id"))
    return found


def move_return(market: Marketplace, body: Any) -> Any:
    """The parcel travels: `state` is one of OrderItemReturnState."""
    found, state = _return(market, body), _body(body).get("state")
    if state not in returns.STATES:
        raise ValueError(f"There is no return state {state!r}; there are {', '.join(returns.STATES)}.")
    found.state = state
    if state == "DELIVERED":
        found.delivered_at = market.now
    return shown.item_return(market, found)


def confirm_refund(market: Marketplace, body: Any) -> Any:
    """refurbed confirms a return's refund: the return is REFUNDED. What is paid back stays as it is."""
    return move_return(market, {**_body(body), "state": "REFUNDED"})


def refund(market: Marketplace, body: Any) -> Any:
    """refurbed's own support pays an item back, all that is left or `amount` of it."""
    found = _item(market, body)
    amount = Decimal(str(body.get("amount", found.paid)))
    if not 0 < amount <= found.paid:
        raise ValueError(f"Of the item {found.id}, {found.paid} is paid; {amount} cannot be paid back.")
    book(market, found, amount, "marketplace", found.paid - amount)
    return shown.order_item(market, found)


def ticket(market: Marketplace, body: Any) -> Any:
    """A support ticket is opened for an item (with `ticket_required` it is needed for a refund)."""
    found = _item(market, body)
    found.ticket = bool(body.get("open", True))
    return shown.order_item(market, found)


def edit(market: Marketplace, body: Any) -> Any:
    """Set an order's `captured`, or `invoiceable` (null: as its age says)."""
    found = _order(market, body)
    for name, kinds in {"captured": (bool,), "invoiceable": (bool, type(None))}.items():
        if name in body:
            if not isinstance(body[name], kinds):
                raise ValueError(f"{name} cannot be {body[name]!r}.")
            setattr(found, name, body[name])
    return shown.whole_order(market, found)


def fail_item(market: Marketplace, body: Any) -> Any:
    """The next updates of an item fail with a `code`, once or `times`: a batch is done in part."""
    found, code, times = _item(market, body), body.get("code", 13), body.get("times", 1)
    if not isinstance(code, int) or code not in HTTP or not isinstance(times, int):
        raise ValueError("fail_item takes a gRPC code and a number of times.")
    market.failing[found.id] = (code, times)
    return {"id": found.id, "code": code, "times": times}


def forbid(market: Marketplace, body: Any) -> Any:
    """Take the token a right: calls whose path matches the glob answer PERMISSION_DENIED."""
    path = _body(body).get("path")
    if not isinstance(path, str):
        raise ValueError("forbid takes a path.")
    market.forbidden.append(path)
    return market.forbidden


def allow(market: Marketplace, body: Any) -> Any:
    """Give all rights back."""
    market.forbidden.clear()
    return market.forbidden


def configure(market: Marketplace, body: Any) -> Any:
    return market.settings.change(body)


def advance(market: Marketplace, body: Any) -> Any:
    """Put the clock forward, by `seconds` or to the moment `now`."""
    seconds = _body(body).get("seconds")
    if seconds is None:
        seconds = (_time(body, "now", market.now) - market.now).total_seconds()
    elif isinstance(seconds, bool) or not isinstance(seconds, int | Decimal) or seconds < 0:
        raise ValueError("advance takes a number of seconds from 0.")
    market.skipped += timedelta(seconds=float(seconds))
    return {"now": shown.utc(market.now)}


ACTIONS: dict[str, Callable[[Marketplace, Any], Any]] = {
    "order": order,
    "place": place,
    "release": release,
    "ship_status": ship_status,
    "return": send_back,
    "return_label": return_label,
    "move_return": move_return,
    "confirm_refund": confirm_refund,
    "refund": refund,
    "ticket": ticket,
    "edit": edit,
    "fail_item": fail_item,
    "forbid": forbid,
    "allow": allow,
    "configure": configure,
    "advance": advance,
}
