"""Orders of one shop: read by the cursor, fetched by id or number, parsed, and admitted by the profile's settings."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from connector import Account, Connector, Entry, Found, Options, Page, Payload, RecordFailed, SkipRecord
from connector.magento import catalogue
from connector.magento.answers import NotFound, PageTooLarge
from connector.magento.client import MagentoClient, criteria
from connector.magento.cursor import FAULTS, Cursor, found
from connector.magento.papers import Papers
from connector.magento.parsing import Parser
from connector.magento.target import OrderTarget
from connector.records import LineKind, Order
from connector.settings import ALL_SCOPES, STATUSES, Choices, Settings, setting

log = logging.getLogger(__name__)

COSTS = (LineKind.SHIPPING, LineKind.SURCHARGE)
PAGES = {
    "": "order/view/order_id",
    "shipment": "shipment/view/shipment_id",
    "invoice": "invoice/view/invoice_id",
    "creditmemo": "creditmemo/view/creditmemo_id",
}  # by what stands before the id
SAME_NUMBER = 10  # so many orders of one number are looked at


class SourceOptions(Settings):
    """Which orders are taken."""

    status_filter = setting(
        Choices("order_status", side="source"),
        section=STATUSES,
        label="Process orders with status",
        help="Leave blank to process all. It decides what is exported; what was exported is kept up to date.",
        scopes=ALL_SCOPES,
    )


class Orders(OrderTarget):
    """Sales orders, as a source; as a target see `OrderTarget`."""

    entity = "order"
    label = "Orders"
    SourceOptions = SourceOptions

    client: MagentoClient

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self._parser = Parser(self._stores.find)
        self._taught: set[tuple[str, str]] = set()

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        """Orders as the API returns them, less the embedded copies, in the order of (updated_at, entity_id); then
        those of which only a shipment or a credit memo changed, where these are asked for."""
        first = options.get("initial_from")
        cursor = Cursor(self.client, int(options.get("page_size") or 100), self._shop_now)
        papers = Papers(self.client, self.asked, self._shop_now)
        papers.begin(since)
        for page in cursor.pages(since, None if first is None else str(first)):
            page = papers.along(page)
            self._prepare(page.records)
            yield page
        for page in papers.late(self._by_ids):
            self._prepare(page.records)
            yield page

    def _by_ids(self, keys: Sequence[str]) -> list[Found]:
        """These orders, in one call; one by one where the list fails, so that one broken order is named."""
        try:
            query = criteria([("entity_id", "in", ",".join(keys))], [("entity_id", "ASC")], size=len(keys), page=1)
            return [found(row) for row in self.client.rows("orders", query, tries=1)[0]]
        except (*FAULTS, PageTooLarge):
            made: list[Found] = []
            for key in keys:
                try:
                    made.append(found(self.client.ask("GET", f"orders/{key}").data))
                except NotFound as error:
                    log.warning("%s: order %s, whose papers changed, cannot be read: %s",
                                self.connector.account.name, key, error)  # fmt: skip
            return made

    def get(self, key: str) -> Found | None:
        """By entity_id. A 404 alone does not mean that it is gone: a deleted product in it is answered alike."""
        if not key.isdigit():
            raise RecordFailed(f"Order {key!r} has no entity_id in Magento, so it cannot be fetched.")
        try:
            answer = self.client.ask("GET", f"orders/{key}")
        except NotFound:
            query = criteria([("entity_id", "eq", key)], size=1, page=1)
            items, _ = self.client.rows("orders", query)
            if not items:
                return None
            return self._one(items[0])
        return self._one(answer.data)

    def number(self, number: str) -> Found | None:
        """By increment_id, which is unique only within one store: of several the newest, whose `also_numbered` then
        holds the ids of the others."""
        query = criteria([("increment_id", "eq", number)], [("entity_id", "DESC")], size=SAME_NUMBER, page=1)
        items, _ = self.client.rows("orders", query)
        if not items:
            return None
        others = [one.get("entity_id") for one in items[1:] if isinstance(one, dict)]
        if not others or not isinstance(items[0], dict):
            return self._one(items[0])
        log.warning("%s: %d orders have the number %s; the newest is taken", self.connector.account.name,
                    len(items), number)  # fmt: skip
        return self._one({**items[0], "also_numbered": others})

    def latest(self, count: int) -> list[Found]:
        items = self.client.some("orders", criteria([], [("entity_id", "DESC")], size=count, page=1))
        return [self._one(item) for item in items]

    @classmethod
    def page(cls, account: Account, key: str) -> str | None:
        """In the shop's admin, whose path every shop chooses itself."""
        path = str(account.settings.get("admin_path") or "").strip().strip("/")
        kind, _, id = key.rpartition("/")
        if not path or not id.isdigit() or kind not in PAGES or account.settings.get("address_form") == "saas":
            return None
        start = account.base_url.rstrip("/") + ("/index.php" if account.settings.get("index_php") else "")
        return f"{start}/{quote(path)}/sales/{PAGES[kind]}/{id}/"

    def parse(self, payload: Payload) -> Order:
        return self._parser.parse(payload)

    def admits(self, record: Order, options: Options) -> None:
        if record.cancelled and record.replaced_by:
            raise SkipRecord(
                f"order {record.number} was edited: order {record.replaced_by} took its place", only_new=True
            )
        bare = all(line.kind in COSTS for line in record.lines)
        if bare and not record.grand_total:
            raise SkipRecord(f"order {record.number} has no lines")
        wanted = {str(one) for one in options.get("status_filter") or ()}
        if wanted and record.status is None:
            raise SkipRecord(
                f'order {record.number} has no status, and "Process orders with status" is set',
                setting="status_filter",
                only_new=True,
            )
        if wanted and record.status not in wanted:
            raise SkipRecord(
                f'status {record.status!r} is not in "Process orders with status"',
                setting="status_filter",
                only_new=True,
            )
        if bare:
            raise RecordFailed(
                f"Order {record.number} has no items, but a total of {record.grand_total:.2f} {record.currency}: the shop "
                "sent it without what was bought. See the order in Magento; it is not exported."
            )

    def _one(self, row: Any) -> Found:
        one = Papers(self.client, self.asked, self._shop_now).of([found(row)])[0]
        self._prepare([one])
        return one

    def _prepare(self, records: Iterable[Found]) -> None:
        """What parsing will need: their store views are asked for here, where a call that fails stops the reading."""
        payloads = [one.payload for one in records if one.payload is not None]
        for store_id in {str(one["store_id"]) for one in payloads if one.get("store_id") is not None}:
            self._stores.find(store_id)
        self._teach(payloads)

    def _shop_now(self) -> datetime:
        return self.host.now() + timedelta(seconds=self.client.clock_offset)

    def _teach(self, payloads: Iterable[Payload]) -> None:
        """Add codes that were not seen before to the learned catalogues: Magento has no list of them (finding 7)."""
        new: dict[str, list[Entry]] = {}
        for kind, entry in catalogue.codes(payloads):
            if (kind, entry.id) not in self._taught:
                self._taught.add((kind, entry.id))
                new.setdefault(kind, []).append(entry)
        for kind, entries in new.items():
            self.host.learn(kind, entries)
