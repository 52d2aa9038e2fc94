"""Orders as a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connector import Connector, Entry, Found, Options, Page, Payload, RecordFailed, Resource, SkipRecord
from connector.magento.catalogue import stores
from connector.magento.client import MagentoClient, NotFound
from connector.magento.cursor import Cursor, Mark, criteria, found
from connector.magento.parsing import Parser
from connector.records import Order
from connector.settings import ALL_SCOPES, STATUSES, Choices, Settings, setting

FILTER = "Process orders with status"


class Orders(Resource):
    """Sales orders: read by their time of change, never written (REST has no safe way to create one)."""

    entity = "order"
    label = "Orders"
    client: MagentoClient

    class SourceOptions(Settings):
        status_filter = setting(
            Choices("order_status", side="source"),
            section=STATUSES,
            label=FILTER,
            scopes=ALL_SCOPES,
            help="Only orders in these statuses are processed. Leave blank to process all.",
        )

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self.parser = Parser(self._stores)

    def _stores(self) -> Sequence[Entry]:
        """The collected store views; fetched once for this run where they were never collected."""
        return self.host.catalogue("store") or stores(self.client)

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        cursor = Cursor(self.client, "/orders", options.page_size)
        first = f"{options.initial_from} 00:00:00" if options.initial_from else None
        for page in cursor.pages(Mark.load(since) if since else None, first):
            self._learn(page.records)
            yield page

    def _learn(self, records: Iterable[Found]) -> None:
        """Magento lists neither statuses nor methods: what orders use is what there is."""
        seen: dict[str, dict[str, str]] = {"order_status": {}, "payment_method": {}, "shipping_method": {}}
        for record in records:
            payload = record.payload or {}
            status = payload.get("status")
            if isinstance(status, str):
                seen["order_status"][status] = status.replace("_", " ").capitalize()
            payment = payload.get("payment")
            if isinstance(payment, Mapping) and isinstance(payment.get("method"), str):
                seen["payment_method"][payment["method"]] = payment["method"]
            for method in _methods(payload):
                seen["shipping_method"][method] = str(payload.get("shipping_description") or method)
        for kind, values in seen.items():
            if values:
                self.host.learn(kind, [Entry(id=key, name=name) for key, name in values.items()])

    def get(self, key: str) -> Found | None:
        try:
            return found(self.client.call("GET", self.client.rest(f"/orders/{key}")).data)
        except NotFound:
            return None

    def number(self, number: str) -> Found | None:
        """The newest order of that number: stores may share numbers."""
        query = criteria([[("increment_id", "eq", number)]], size=10, sort=("entity_id",))
        rows = self.client.call("GET", self.client.rest("/orders"), query=query, reference=number).data
        items = rows.get("items") if isinstance(rows, Mapping) else None
        return found(items[-1]) if items else None

    def parse(self, payload: Payload) -> Order:
        return self.parser.parse(payload)

    def admits(self, record: Order, options: Options) -> None:
        if record.cancelled and record.replaced_by:
            raise SkipRecord(f"It was edited in the shop: order {record.replaced_by} took its place.")
        wanted = options.status_filter
        if wanted and record.status not in wanted:
            status = f"Status '{record.status}'" if record.status else "An order without status"
            raise SkipRecord(f'{status} is not chosen in "{FILTER}".', setting="status_filter")
        if not record.lines:
            raise RecordFailed(f"order {record.number}: it has no lines.")


def _methods(payload: Payload) -> Iterator[str]:
    extension = payload.get("extension_attributes")
    assignments: Any = extension.get("shipping_assignments") if isinstance(extension, Mapping) else None
    for one in assignments if isinstance(assignments, list) else ():
        shipping = one.get("shipping") if isinstance(one, Mapping) else None
        if isinstance(shipping, Mapping) and isinstance(shipping.get("method"), str):
            yield shipping["method"]
