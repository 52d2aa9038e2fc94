"""Orders as a source: sales, deliveries and credit notes, read by windows, each with what it needs of its family."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import Any

from marshmallow import fields

from connector import Found, Host, Options, Page, Payload, RecordFailed, RetryLater, SkipRecord, StopRun
from connector.plentyone import existing
from connector.plentyone.client import PlentyClient
from connector.plentyone.existing import EXTERNAL_ID
from connector.plentyone.parsing import Parser
from connector.plentyone.relatives import found, is_order, lean, relatives, sifted
from connector.plentyone.shapes import key_of, rows, same, valued
from connector.plentyone.windows import LIST, Windows
from connector.records import Order, OrderKind
from connector.settings import API, Choices, Settings, ident, one_of, setting

SALE, DELIVERY, RETURN, CREDIT = "1", "2", "3", "4"  # order types
READ = (SALE, DELIVERY, CREDIT)
PARENTS = (DELIVERY, RETURN)  # of which further children may be made
ALWAYS = ("relations", "addresses", "originOrderReferences")
RELATIONS = {
    "contactReceiver": "Customers",
    "orderItems.variation": "Variations (SKUs)",
    "documents": "Documents (invoices, delivery notes, credit notes)",
    "shippingPackages": "Packages and tracking numbers",
    "shippingPackages.items": "Contents of packages",
    "payments": "Payments",
    "comments": "Notes",
    "addresses": "Addresses (always loaded)",
    "relations": "Contact and warehouse IDs (always loaded)",
    "originOrderReferences": "Orders that belong together (always loaded)",
    "contactSender": "Senders",
    "warehouseSender": "Sending warehouses",
    "warehouseReceiver": "Receiving warehouses",
    "location": "Accounting locations",
    "shippingInformation": "Shipping information",
    "paymentTerms": "Payment terms",
}
NEEDED = tuple(RELATIONS)[:5]
FOR = {
    "documents": ("documents",),
    "shipments": ("shippingPackages", "shippingPackages.items"),
    "articles": ("orderItems.variation", "contactReceiver"),
}  # what a target asks
REFERENCES = ("originOrderId", "referenceOrderId")
FAMILY_PAGES = 5


class SourceOptions(Settings):
    """Which orders are taken, and what is loaded of them."""

    with_relations = setting(
        fields.List(fields.String(validate=one_of(*RELATIONS, labels=tuple(RELATIONS.values())))),
        section=API,
        label="Relations",
        help="What is loaded along with each order. Without its packages no tracking number is known, without its "
        "documents no invoice; fewer relations make PlentyONE answer faster. Addresses are always loaded.",
        default=list(NEEDED),
    )
    referrer_filter = setting(
        Choices("referrer", side="source"),
        section=API,
        label="Order referrers",
        help="Leave blank to import orders of all referrers. It decides what is imported; what was imported is kept up "
        "to date.",
    )


class Source:
    """The verbs of a source, for one account at work. `asked` is what the target needs of each record."""

    def __init__(self, client: PlentyClient, host: Host) -> None:
        self.client = client
        self.host = host
        self.loaded: Sequence[str] = NEEDED
        self.types: Sequence[str] = READ

    @cached_property
    def parser(self) -> Parser:
        return Parser(self.host.catalogue)

    def read(self, since: str | None, options: Options, asked: Iterable[str]) -> Iterator[Page]:
        """Orders by id inside windows of time; one call per page, and one for the families of its orders."""
        chosen = options.get("with_relations")
        self.loaded = tuple(
            dict.fromkeys(
                [*(NEEDED if chosen is None else chosen), *(one for name in asked for one in FOR.get(name, ()))]
            )
        )
        query = {**self._with(), "orderType": ",".join(self.types)}
        windows = Windows(self.client, int(options.get("page_size") or 100), self._now, query)
        for batch in windows.batches(since, options.get("initial_from")):
            yield Page(records=self._records(batch.rows), total=batch.total, mark=batch.mark)

    def values(self, order: Order) -> Iterator[tuple[str, str]]:
        """What an order has of the lists that people map, with the list of each."""
        person = order.shipping or order.billing
        found = {
            "webstore": order.store,
            "contact_class": order.customer.group,
            "payment_method": order.payment.method,
            "shipping_profile": order.shipping_method,
            "warehouse": order.fulfilment.warehouse,
            "gender": order.customer.gender or person.extra.get("gender"),
        }
        yield from ((kind, value) for kind, value in found.items() if value)

    def get(self, key: str) -> Found | None:
        """By PlentyONE id, whatever its type."""
        if not key.isdecimal():
            raise RecordFailed(f"Order {key!r} has no PlentyONE id, so it cannot be fetched.")
        data = self.client.find(f"{LIST}/{key}", self._with())
        if data is None:
            return None
        if not is_order(data) or not same(data["id"], key):
            raise RetryLater(f"{self.client.account.name}: PlentyONE answered oddly when asked for its order {key}")
        if existing.deleted(data):
            return None
        order = lean(data)
        relatives(self.client, [order])
        return found(order)

    def number(self, number: str) -> Found | None:
        """By the external order id, else by the PlentyONE id. Of several the newest that was not split off another."""
        query = {"externalOrderId": number, "orderType": SALE, "sortBy": "id", "sortOrder": "desc"}
        hits = [
            row
            for row in self._all({**query, **self._with()}, most=1)
            if is_order(row) and valued(row.get("properties"), EXTERNAL_ID) == number and not existing.deleted(row)
        ]
        if hits:
            best = max(hits, key=lambda row: (not rows(row.get("orderReferences")), int(str(key_of(row)))))
            return self._records([best])[0]
        return self.get(number) if number.isdecimal() else None

    def family(self, sale: Found) -> Sequence[Found]:
        """Deliveries and credit notes, also those that were made from a return or a delivery; by id."""
        made: dict[str, Payload] = {}
        waiting = [sale.key]
        while waiting:
            query = {"parentOrderId": waiting.pop(0), "orderType": ",".join((DELIVERY, RETURN, CREDIT))}
            for row in self._all({**query, **self._with()}, most=FAMILY_PAGES):
                key = key_of(row)
                above = {key_of(one, name) for one in rows(row.get("orderReferences")) for name in REFERENCES}
                if key is None or key in made or not above & {sale.key, *made}:
                    continue
                made[key] = row
                if key_of(row, "typeId") in PARENTS:
                    waiting.append(key)
        wanted = [row for row in made.values() if key_of(row, "typeId") in self.types]
        return self._records(sorted(wanted, key=lambda row: int(str(key_of(row)))))

    def latest(self, count: int) -> Sequence[Found]:
        query = {"orderType": ",".join(self.types), "sortBy": "id", "sortOrder": "desc", "itemsPerPage": count}
        return self._records(list(self._all({**query, **self._with()}, most=1))[:count])

    def admits(self, record: Order, options: Options) -> None:
        if record.fulfilment.kind is OrderKind.RETURN:
            raise SkipRecord(f"order {record.key} is a return: its credit note is imported, not the return itself")
        wanted = {ident(one) for one in options.get("referrer_filter") or ()}
        referrer = record.extra.get("referrer")
        if wanted and referrer not in wanted:
            said = (
                "it has no referrer, and 'Order referrers' is set"
                if referrer is None
                else f"referrer {referrer} is not in 'Order referrers'"
            )
            raise SkipRecord(said, setting="referrer_filter", only_new=True)

    def _now(self) -> Any:
        return self.host.now() + timedelta(seconds=self.client.clock_offset)

    def _with(self) -> Mapping[str, Any]:
        return {"with[]": list(dict.fromkeys([*ALWAYS, *self.loaded]))}

    def _all(self, query: Mapping[str, Any], *, most: int) -> Iterator[Payload]:
        return self.client.entries(LIST, query, most=most)

    def _records(self, listed: Sequence[Any]) -> list[Found]:
        orders, odd = sifted(listed)
        try:
            relatives(self.client, orders)
        except RecordFailed as error:
            raise StopRun(f"{error} The origins of deliveries and credit notes cannot be read.") from error
        return [*map(found, orders), *odd]
