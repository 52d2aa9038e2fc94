"""A shop's order with PlentyONE's record of it, and attempts at bringing the record there, as the engine makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

from connector import Counterpart, InDoubt, Options, RetryLater, Written
from connector.client import loads
from connector.magento import Magento
from connector.magento.options import OrderOptions
from connector.magento.orders import Orders
from connector.records import (
    Address,
    Customer,
    Document,
    DocumentKind,
    Fulfilment,
    LineKind,
    Order,
    OrderKind,
    OrderLine,
    Package,
    Part,
    Payment,
)
from connector.settings import defaults, load
from connector.testing import MemoryKnown, MemoryLinks
from tests.connector.magento.conftest import Shop

Json = dict[str, Any]
MOMENT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SALE = "700001"
WHERE = {"firstname": "Eva", "lastname": "Fremd", "street": ["Weg 1"], "city": "Ulm", "postcode": "89073"}
WHERE |= {"country_id": "DE", "telephone": "0731", "email": "eva@example.com"}


class Linked(MemoryKnown):
    """Known with the counterparts that other records and profiles have."""

    def __init__(self, links: MemoryLinks | None = None, **sales: Counterpart) -> None:
        super().__init__(links)
        self.sales = sales

    def counterpart(self, key: str) -> Counterpart | None:
        return self.sales.get(f"k{key}")


def link(entity_id: Any, *, ours: bool = True, refs: Mapping[str, str] | None = None) -> Counterpart:
    """As the export of this shop's orders knows the sale."""
    return Counterpart(
        key=str(entity_id),
        number=None,
        refs=refs or {},
        reverse=True,
        ours=ours,
        connection="shop",
        profile="Order export",
    )


def known(entity_id: Any, links: MemoryLinks | None = None, key: str = SALE, **refs: str) -> Linked:
    return Linked(links, **{f"k{key}": link(entity_id, refs=refs)})


def place(shop: Shop, *lines: tuple[str, int], store: str = "de", method: str = "checkmo") -> Json:
    """An order out of a cart, as the shop shows it."""
    client = shop.connector().client

    def call(verb: str, route: str, body: Any = None) -> Any:
        return client.ask(verb, route, body=body, store=store).data

    cart = call("POST", "carts/")
    for sku, quantity in lines or (("BECHER-W", 4),):
        call("POST", f"carts/{cart}/items", {"cartItem": {"sku": sku, "qty": quantity, "quote_id": cart}})
    information = {"shipping_address": WHERE, "billing_address": WHERE}
    information |= {"shipping_carrier_code": "flatrate", "shipping_method_code": "flatrate"}  # type: ignore[dict-item]
    call("POST", f"carts/{cart}/shipping-information", {"addressInformation": information})
    number = call("PUT", f"carts/{cart}/order", {"paymentMethod": {"method": method}})
    return look(shop, int(number))


def look(shop: Shop, entity_id: Any) -> Json:
    """The order as it is, with exact amounts."""
    answer = requests.post(f"{shop.url}/_sandbox/control/order", json={"entity_id": int(entity_id)}, timeout=30)
    found: Json = loads(answer.text)
    return found


def papers(shop: Shop, entity_id: Any) -> Json:
    answer = requests.post(f"{shop.url}/_sandbox/control/papers", json={"entity_id": int(entity_id)}, timeout=30)
    found: Json = loads(answer.text)
    return found


def state(shop: Shop) -> Json:
    found: Json = loads(requests.get(f"{shop.url}/_sandbox/state", timeout=30).text)
    return found


def made(shop: Shop, entity_id: Any) -> Json:
    """How many papers, tracks and mails calls have made of the order."""
    found = state(shop)["documents"].get(str(entity_id), {})
    mails = {kind: count for kind, count in found.get("mails", {}).items() if kind != "order"}
    return {
        "invoices": len(found.get("invoices", ())),
        "shipments": len(found.get("shipments", ())),
        "creditmemos": len(found.get("creditmemos", ())),
        "tracks": sorted(found.get("tracks", ())),
        "mails": mails,
    }


def heads(order: Json) -> list[Json]:
    return [item for item in order["items"] if not item.get("parent_item_id")]


def record(order: Json, **changes: Any) -> Order:
    """PlentyONE's record of the order: its lines know the shop's rows."""
    lines = [
        OrderLine(
            key=f"9{item['item_id']}",
            kind=LineKind.PRODUCT,
            sku=item["sku"],
            name=item.get("name") or item["sku"],
            quantity=Decimal(str(item["qty_ordered"])),
            gross=Decimal(str(item.get("row_total_incl_tax") or 0)),
            external=str(item["item_id"]),
        )
        for item in heads(order)
    ]
    freight = OrderLine(
        key="8", kind=LineKind.SHIPPING, name="Versand", gross=Decimal(str(order.get("shipping_incl_tax") or 0))
    )
    facts: Json = {
        "key": SALE,
        "number": order["increment_id"],
        "store": "1001",
        "created_at": MOMENT,
        "updated_at": MOMENT,
        "status": "5",
        "currency": order["order_currency_code"],
        "grand_total": Decimal(str(order["grand_total"])),
        "paid": Decimal(str(order["grand_total"])),
        "customer": Customer(email="eva@example.com"),
        "billing": Address(country="DE"),
        "lines": (*lines, freight),
        "payment": Payment(method="6001"),
        "shipping_method": "6",
        "shipping_title": "DHL Paket",
    }
    story = {"number": order["increment_id"], "status_name": "Freigegeben", "payment_status": "fullyPaid"}
    story |= changes.pop("fulfilment", {})
    return Order(**{**facts, **changes}, fulfilment=Fulfilment(**story))


def child(sale: Order, kind: OrderKind, key: str, *lines: OrderLine, total: Any = "0", **more: Any) -> Order:
    """A delivery, return or credit note of a sale."""
    story = replace(sale.fulfilment, kind=kind, origin=sale.key, parent=sale.key, packages=(), shipped_at=None)
    return replace(
        sale, key=key, lines=lines or sale.lines, grand_total=Decimal(str(total)), fulfilment=replace(story, **more)
    )


def some(line: OrderLine, quantity: Any) -> OrderLine:
    return replace(line, quantity=Decimal(str(quantity)), gross=line.gross / line.quantity * Decimal(str(quantity)))


def package(key: str, number: str | None = None, *parts: tuple[str, Any]) -> Package:
    held = tuple(Part(line=line, quantity=Decimal(str(quantity))) for line, quantity in parts)
    return Package(key=key, number=number, parts=held, weight_grams=1500)


def paper(kind: DocumentKind) -> tuple[Document, ...]:
    return (Document(key="1", kind=kind),)


def options(**given: Any) -> Options:
    return Options({**defaults(OrderOptions), **load(given, OrderOptions)})


def write(shop: Shop, one: Order, what: MemoryKnown, connector: Magento | None = None, **given: Any) -> Written:
    written = Orders(connector or shop.connector()).write(one, what, options(**given))
    what.finished, what.doubt = True, False
    return written


def until_written(shop: Shop, one: Order, what: MemoryKnown, attempts: int = 8, **given: Any) -> Written:
    """Attempts as the engine makes them: what was learned stays, a lost answer leaves doubt."""
    for attempt in range(1, attempts + 1):
        what.attempt = attempt
        try:
            return write(shop, one, what, **given)
        except RetryLater as error:
            what.doubt, what.doubt_age = what.doubt or isinstance(error, InDoubt), 100.0
    raise AssertionError("it never came to an end")


def calls(shop: Shop) -> list[str]:
    """What was called since the last look, as method and route."""
    told = [f"{one.method} {one.path.split('/V1/')[-1]}" for one in shop.host.calls]
    shop.host.calls.clear()
    return told
