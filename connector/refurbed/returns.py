"""Returns that customers began with a label of their own making: one unit each, read only.

A concluded return does not say whether the money went back, so the order's item is read along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from connector import Found, Options, Page, Payload, RecordFailed, Resource, StopRun
from connector.records import Return
from connector.refurbed import orders, parsing, sweep
from connector.refurbed.account import demand
from connector.refurbed.answers import Refused
from connector.refurbed.client import RefurbedClient
from connector.refurbed.reading import fingerprint, moment
from connector.refurbed.shapes import PAGE_SIZE

LIST = sweep.List(
    service="OrderItemReturnService",
    method="ListOrderItemReturns",
    name="returns",
    time="return_initiated_at",
    still_open=("UNKNOWN", "INITIATED", "IN_TRANSIT", "DELIVERED"),
    recent=timedelta(days=60),
)
CONCLUDED = "CONCLUDED"
KEPT = ("id", "state", "total_charged", "total_paid", "total_refunded", "currency_code")  # of the order's item


class Returns(Resource):
    """Returns as a source."""

    entity = "return"
    label = "Returns"
    cron = "0 * * * *"
    settles = False

    client: RefurbedClient

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        """By `return_initiated_at`, then open and recent returns again (see `sweep`)."""
        demand(self.connector, "import_returns")
        size = int(options.get("page_size") or PAGE_SIZE)
        for rows, mark in sweep.pages(self.client, LIST, since, sweep.lower_bound(options, None), size):
            yield Page(records=self._found(rows), mark=mark)

    def get(self, key: str) -> Found | None:
        """There is no call for one return: the list is asked for the first one after the id before."""
        if not (key.isascii() and key.isdecimal()) or int(key) < 1:
            raise RecordFailed(f"Return {key!r} has no id of refurbed, so it cannot be fetched.")
        body = {
            "pagination": {"limit": 1, "starting_after": str(int(key) - 1)},
            "sort": {"by": "ID", "order": "ASC"},
        }
        try:
            rows = self.client.ask(LIST.service, LIST.method, body).get(LIST.name) or []
        except Refused:  # a cursor that is no row may be refused: nothing is written about it
            rows = [row for page in self._rows({}) for row in page]
        return next(iter(self._found([row for row in rows if str(row.get("id")) == key])), None)

    def number(self, number: str) -> Found | None:
        """The newest return of the order that people name."""
        demand(self.connector, "import_returns")
        rows = self._of_order(number)
        return self._found(rows[-1:])[0] if rows else None

    def family(self, found: Found) -> Sequence[Found]:
        """The other returns of the same order: each is one unit."""
        return self._found([row for row in self._of_order(found.number or "") if str(row["id"]) != found.key])

    def latest(self, count: int) -> Sequence[Found]:
        demand(self.connector, "import_returns")
        limit = min(count, PAGE_SIZE)
        pages = self._rows({}, by="RETURN_INITIATED_AT", order="DESC", limit=limit, most=count)
        return self._found([row for page in pages for row in page][:count])

    def parse(self, payload: Payload) -> Return:
        return parsing.item_return(payload)

    def _of_order(self, number: str) -> list[Payload]:
        if not (number.isascii() and number.isdecimal()):
            return []
        return [row for page in self._rows({"order_id": {"any_of": [number]}}) for row in page]

    def _rows(self, filters: Mapping[str, Any], **more: Any) -> Iterator[list[Payload]]:
        return self.client.rows(LIST.service, LIST.method, LIST.name, filters, **more)

    def _found(self, rows: Sequence[Payload]) -> list[Found]:
        items = self._items([row for row in rows if row.get("state") == CONCLUDED])
        made = []
        for row in rows:
            item = items.get(str(row.get("order_item_id")))
            payload = {**row, "order_item": item} if item else dict(row)
            at = moment(str(row.get("delivered_at") or row.get("return_initiated_at")))
            number = str(row["order_id"]) if row.get("order_id") else None
            key = str(row["id"])
            made.append(Found(key=key, number=number, version=fingerprint(payload), updated_at=at, payload=payload))
        return made

    def _items(self, rows: Sequence[Payload]) -> dict[str, Payload]:
        """What the orders of these returns say of their items, by item; one call per page of returns."""
        wanted = sweep.ids(rows, "order_id")
        found: dict[str, Payload] = {}
        for start in range(0, len(wanted), PAGE_SIZE):
            filters = {"id": {"any_of": wanted[start : start + PAGE_SIZE]}}
            try:
                for page in self.client.rows(orders.SERVICE, orders.LIST.method, orders.LIST.name, filters):
                    for item in (one for row in page for one in row.get("items") or ()):
                        found[str(item.get("id"))] = {name: item[name] for name in KEPT if name in item}
            except Refused as error:
                raise StopRun(f"{error} The orders of returns cannot be read.") from error
        return found
