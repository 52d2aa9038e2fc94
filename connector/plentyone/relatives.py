"""An order as it is kept: without what nobody needs, and with what it needs of the orders that it belongs to.

A delivery, return or credit note does not say which shop's order it belongs to: that stands in its origin, and where
its lines came from in the items of the orders that it was made from. A sale does not say whether its goods leave with
deliveries of their own. Both is fetched once per page and travels in the payload under `relatives`:

    {"id": "700001", "typeId": "1", "external": "100000123", "plentyId": "12345",
     "items": [{"id": "810001", "external": "11", "from": []}]}        an ancestor
    {"id": "700002", "typeId": "2"}                                     a child of a sale
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connector import Found, Payload
from connector.plentyone.articles import made_from
from connector.plentyone.client import PlentyClient
from connector.plentyone.existing import EXTERNAL_ID, deleted
from connector.plentyone.lines import EXTERNAL_LINE
from connector.plentyone.reading import Fields, moment
from connector.plentyone.shapes import key_of, rows, same, valued
from connector.settings import ident

RELATIVES = "relatives"
SALE = "1"
TOGETHER = 100  # so many orders are asked for by id at once
GENERATIONS = 4  # sale, delivery, return, credit note
CONTACT = (
    "id", "number", "externalId", "classId", "firstName", "lastName", "gender", "title", "email", "lang", "plentyId",
    "options",
)  # fmt: skip
VARIATION = ("id", "number", "itemId", "name", "weightG")
DROPPED = ("updatedAt", "updated_at", "purchasePrice")  # of everything inside an order: they say nothing that is used


def relatives(client: PlentyClient, orders: Sequence[Payload]) -> None:
    """Give each order its relatives; one call for a page, none where the page holds them itself, and one for each that the
    list does not show.

    What no longer exists is left out. Raises RetryLater, RecordFailed.
    """
    known = {str(key): one for one in orders if (key := key_of(one))}
    for generation in range(GENERATIONS):
        wanted = {id for one in orders for id in _missing(one, known, children=generation == 0)}
        if not wanted:
            break
        found = dict.fromkeys(wanted, Payload())  # asked for, so not again
        ordered = sorted(wanted, key=_number)
        for start in range(0, len(ordered), TOGETHER):
            asked = ordered[start : start + TOGETHER]
            query = {"orderIds": ",".join(asked), "itemsPerPage": TOGETHER}
            for row in client.entries("/rest/orders", query, most=2):
                if (key := key_of(row)) in found:
                    found[str(key)] = row
        for id in ordered:
            if not found[id]:  # made just now: the list shows it later than the order that names it
                one = client.find(f"/rest/orders/{id}")
                found[id] = one if isinstance(one, dict) and same(one.get("id"), id) and not deleted(one) else Payload()
        known |= found
    for one in orders:
        heads = [*_ancestors(one, known), *_children(one, known)]
        if heads:
            one[RELATIVES] = sorted(heads, key=lambda head: _number(head["id"]))


def _missing(order: Payload, known: Mapping[str, Payload], *, children: bool) -> Iterator[str]:
    seen, waiting = {str(key_of(order))}, list(_above(order))
    while waiting:
        id = waiting.pop()
        if id in seen:
            continue
        seen.add(id)
        if id not in known:
            yield id
        elif known[id]:
            waiting += _above(known[id])
    if children:
        yield from (id for id in _below(order) if id not in known)


def _above(order: Payload) -> Iterator[str]:
    """The orders that this one was made from."""
    own = key_of(order)
    for row in rows(order.get("orderReferences")):
        for name in ("originOrderId", "referenceOrderId"):
            if (id := key_of(row, name)) and id != own and id.isdecimal():
                yield id


def _below(order: Payload) -> Iterator[str]:
    """The orders made from this sale, where it does not say itself whether there are deliveries among them."""
    if key_of(order, "typeId") == SALE and order.get("hasDeliveryOrders") is None:
        for row in rows(order.get("originOrderReferences")):
            if (id := key_of(row, "orderId")) and id != key_of(order) and id.isdecimal():
                yield id


def _ancestors(order: Payload, known: Mapping[str, Payload]) -> Iterator[Payload]:
    seen, waiting = {str(key_of(order))}, list(_above(order))
    while waiting:
        id = waiting.pop(0)
        if id in seen:
            continue
        seen.add(id)
        if one := known.get(id):
            waiting += _above(one)
            yield {
                "id": id,
                "typeId": key_of(one, "typeId"),
                "plentyId": key_of(one, "plentyId"),
                "external": valued(one.get("properties"), EXTERNAL_ID),
                "items": [
                    {
                        "id": str(key_of(item)),
                        "external": valued(item.get("properties"), EXTERNAL_LINE),
                        "from": list(made_from(Fields(f"PlentyONE order {id}", item))),
                    }
                    for item in rows(one.get("orderItems"))
                    if key_of(item)
                ],
            }


def _children(order: Payload, known: Mapping[str, Payload]) -> Iterator[Payload]:
    for id in dict.fromkeys(_below(order)):
        if one := known.get(id):
            yield {"id": id, "typeId": key_of(one, "typeId")}


def lean(order: Payload) -> Payload:
    """The order without what changes by itself (when a customer last logged in) and what nobody needs."""
    made = {name: _lean(value) for name, value in order.items() if name != "location"}
    for name in ("contactReceiver", "contactSender"):
        if isinstance(one := made.get(name), dict):
            made[name] = {key: one[key] for key in CONTACT if key in one}
    for name in ("warehouseSender", "warehouseReceiver"):
        if isinstance(one := made.get(name), dict):
            made[name] = {key: one[key] for key in ("id", "name") if key in one}
    for item in rows(made.get("orderItems")):
        if isinstance(one := item.get("variation"), dict):
            item["variation"] = {key: one[key] for key in VARIATION if key in one}
    return made


def _lean(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _lean(inner) for name, inner in value.items() if name not in DROPPED}
    return [_lean(one) for one in value] if isinstance(value, list) else value


def found(order: Payload) -> Found:
    """An order with its relatives as a record. Its number is the one that its origin has at the shop."""
    key = str(key_of(order))
    at = order.get("updatedAt")
    return Found(
        key=key,
        number=_named(order, key),
        version=f"{at}:{fingerprint(order)}",
        updated_at=moment(at),
        payload=order,
    )


def _named(order: Payload, key: str) -> str:
    origins = {str(id) for row in rows(order.get("orderReferences")) if (id := key_of(row, "originOrderId"))} - {key}
    for one in rows(order.get(RELATIVES)):
        if one["id"] in origins and one.get("external"):
            return str(one["external"])
    return valued(order.get("properties"), EXTERNAL_ID) or min(origins, default=key, key=_number)


def fingerprint(order: Payload) -> str:
    """Packages and documents may appear while `updatedAt` stays: what is in the order decides whether it changed."""
    text = json.dumps(order, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()


def nameless(row: Any) -> Found:
    """What a list held that is no order, or has no id: a record with an error that shows what was received."""
    shown = json.dumps(row, default=str, ensure_ascii=False)
    shown = shown if len(shown) <= 160 else shown[:160] + "…"
    told = "an order without an id" if isinstance(row, dict) else "something that is no order"
    return Found(
        key=f"nameless {shown[:80]}",
        number=None,
        version=shown,
        updated_at=None,
        payload=None,
        error=f"PlentyONE listed {told}, received: {shown}",
    )


def is_order(row: Any) -> bool:
    return isinstance(row, dict) and (key_of(row) or "").isdecimal() and not same(row["id"], 0)


def sifted(listed: Iterable[Any]) -> tuple[list[Payload], list[Found]]:
    """The orders of a list, lean, and what else it held."""
    orders: list[Payload] = []
    odd: list[Found] = []
    for row in listed:
        if is_order(row):
            orders.append(lean(row))
        else:
            odd.append(nameless(row))
    return orders, odd


def _number(id: object) -> tuple[int, str]:
    text = ident(id)
    return (int(text) if text.isdecimal() else 0, text)
