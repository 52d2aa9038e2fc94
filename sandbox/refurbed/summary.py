"""What exists and what was done, for whoever wants to know whether everything happened exactly once."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from sandbox.refurbed.marketplace import Marketplace, Record
from sandbox.refurbed.shown import money, totals
from sandbox.refurbed.states import order_state

MOVES = {
    "acceptances": "ACCEPTED",
    "rejections": "REJECTED",
    "cancellations": "CANCELLED",
    "shipments": "SHIPPED",
    "returns_reported": "RETURNED",
}


def summary(market: Marketplace) -> Record:
    """Counts, short lists, what happened twice, and what callers sent that nobody knows."""
    done = [each for each in market.moves if each["done"]]
    return {
        "counts": {
            "orders": len(market.orders),
            "released": len(market.released()),
            "items": len(market.items),
            "returns": len(market.returns),
            **{name: sum(each["to"] == state for each in done) for name, state in MOVES.items()},
            "refunds": len(market.refunds),
            "invoices": len(market.uploads),
        },
        "orders": [_order(market, number) for number in market.orders],
        "moves": market.moves,
        "refunds": market.refunds,
        "uploads": market.uploads,
        "duplicates": duplicates(market),
        "ignored_fields": [
            {"call": call, "field": name, "times": times} for (call, name), times in sorted(market.ignored.items())
        ],
        "refusals": {str(code): times for code, times in sorted(market.refusals.items())},
    }


def _order(market: Marketplace, number: int) -> Record:
    order = market.orders[number]
    amounts = totals(order)
    return {
        "id": number,
        "released": any(each.id == number for each in market.released()),
        "state": order_state(order.items),
        "currency": order.currency,
        "country": order.shipping_address["country_code"],
        "items": [each.id for each in order.items],
        "states": [each.state for each in order.items],
        "charged": money(amounts["total_charged"]),
        "refunded": money(amounts["total_refunded"]),
        "has_invoice": order.invoice is not None,
        "returns": [{"id": one.id, "state": one.state} for one in market.returns.values() if one.order_id == number],
    }


def duplicates(market: Marketplace) -> dict[str, list[Record]]:
    """Groups of deeds that look like one, each with the key by which they do; `at` counts in their book from 1.

    A state that was asked for twice counts even where the second time was refused. `refunds` go to the same target
    or are a whole order's again; `refund_amounts` pay the same sum of an item twice, which may be right. `invoices`
    are the same file twice, `invoices_replaced` different files of one order.
    """
    paid = [each for each in market.refunds if each["by"] != "marketplace"]
    files = {each["order_id"]: each["crc32"] for each in market.uploads}
    replaced = {each["order_id"] for each in market.uploads if each["crc32"] != files[each["order_id"]]}
    return {
        **{name: _groups(market.moves, _move(state)) for name, state in MOVES.items()},
        "refunds": _groups(paid, lambda row: (row["item_id"], row["target"])),
        "refund_amounts": _groups(
            paid, lambda row: (row["item_id"], row["refunded"]) if row["refunded"] != "0.00" else None
        ),
        "invoices": _groups(market.uploads, lambda row: (row["order_id"], row["crc32"])),
        "invoices_replaced": _groups(
            market.uploads, lambda row: (row["order_id"],) if row["order_id"] in replaced else None
        ),
        "identifiers": _groups(
            [
                {"value": each["value"], "item_id": item.id}
                for item in market.items.values()
                for each in item.identifiers
            ],
            lambda row: (row["value"],),
        ),
    }


def _move(state: str) -> Callable[[Record], Hashable | None]:
    return lambda row: (row["item_id"],) if row["to"] == state else None


def _groups(rows: Iterable[Record], key: Callable[[Record], Hashable | None]) -> list[Record]:
    found: dict[Any, list[int]] = {}
    for at, row in enumerate(rows, start=1):
        if (own := key(row)) is not None:
            found.setdefault(own, []).append(at)
    return [{"key": own, "at": at} for own, at in found.items() if len(at) > 1]
