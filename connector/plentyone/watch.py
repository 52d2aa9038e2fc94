"""Order events: sales, deliveries, returns and credit notes of all channels, read every minute with what procedures need.

PlentyONE calls nobody when something happened to an order (its event procedures reach plugins only), so changes are read
by `updatedAt`. Beside an order come its documents, packages and serial numbers, and the statuses that it passed. A new
document does not move `updatedAt` in every system: what was invoiced is asked for as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connector import (
    Account,
    Connector,
    Found,
    Known,
    Options,
    Page,
    Payload,
    RecordFailed,
    RetryLater,
    StopRun,
    Unreachable,
)
from connector.plentyone import files, paybacks, sights
from connector.plentyone.client import PlentyClient
from connector.plentyone.journal import PASSED, Journal
from connector.plentyone.orders import Orders
from connector.plentyone.parsing import DOCUMENTS
from connector.plentyone.reading import moment, snake
from connector.plentyone.relatives import TOGETHER
from connector.plentyone.shapes import key_of, rows
from connector.plentyone.sights import PAPERS, SERIALS, SERIALS_WITH
from connector.plentyone.source import CREDIT, DELIVERY, NEEDED, RETURN, SALE, Source
from connector.plentyone.windows import FIRST, LIST, OVERLAP, PAGES, Batch, Windows, first_moment, until, w3c
from connector.procedures import ORDER_TYPE, Filter, Watch
from connector.records import Document, DocumentKind, Order, Payback
from connector.settings import API, Choices, Settings, ident, setting

TYPES = (SALE, DELIVERY, RETURN, CREDIT)
FIRST_DAYS = 90  # a first reading goes back so far where people say nothing else
FIRST_HISTORY = timedelta(days=1)  # ... and needs the history of statuses of what happened just now only

PAYMENT_STATUSES = (
    ("unpaid", "Unpaid"),
    ("partlyPaid", "Partly paid"),
    ("fullyPaid", "Fully paid"),
    ("overpaid", "Overpaid"),
)


def _told(value: object) -> tuple[str, ...]:
    return () if value in (None, "") else (str(value),)


FILTERS = (
    ORDER_TYPE,
    Filter(
        code="referrer",
        label="Order » Referrer",
        of=lambda order: _told(order.extra.get("referrer")),
        kind="referrer",
    ),
    Filter(code="client", label="Order » Client", of=lambda order: _told(order.store), kind="webstore"),
    Filter(
        code="country",
        label="Order » Country of delivery",
        of=lambda order: _told(order.extra.get("country_id")),
        kind="country",
        also=("iso2", "iso3"),
    ),
    Filter(code="status", label="Order » Status", of=lambda order: _told(order.status), kind="order_status"),
    Filter(
        code="payment_status",
        label="Order » Payment status",
        of=lambda order: _told(order.fulfilment.payment_status),
        choices=PAYMENT_STATUSES,
    ),
    Filter(
        code="payment_method",
        label="Order » Payment method",
        of=lambda order: _told(order.payment.method),
        kind="payment_method",
    ),
    Filter(
        code="shipping_profile",
        label="Order » Shipping profile",
        of=lambda order: _told(order.shipping_method),
        kind="shipping_profile",
    ),
    Filter(
        code="warehouse",
        label="Order » Warehouse",
        of=lambda order: _told(order.fulfilment.warehouse),
        kind="warehouse",
    ),
)


class WatchOptions(Settings):
    """Which orders are watched."""

    watched_referrers = setting(
        Choices("referrer", side="source"),
        section=API,
        label="Watched order referrers",
        help="Only orders of these referrers are read for events, which saves calls where many others change. Leave blank "
        "to watch orders of all referrers. The event procedures' own filters apply as well.",
    )


class Watched(Source):
    """Orders of all four types, with serial numbers where the system tells them, and the statuses that they passed."""

    def __init__(self, client: PlentyClient, host: Any) -> None:
        super().__init__(client, host)
        self.types = TYPES
        self.loaded = NEEDED if sights.left(client, SERIALS) else (*NEEDED, *SERIALS_WITH)
        self.journal = Journal(client)
        self._looked = FIRST  # for invoices, up to here

    def watch(self, since: str | None, options: Options) -> Iterator[Page]:
        """Pages of a window are kept until it was read to its end: the statuses are listed once, after its orders."""
        wanted = {ident(one) for one in options.get("watched_referrers") or ()}
        now = self._now()
        stored = until(since)
        first = options.get("initial_from") or (now - timedelta(days=FIRST_DAYS)).isoformat()
        start = min(stored, now) - OVERLAP if stored else max(first_moment(first), now - FIRST_HISTORY)
        self.journal.begin(start)
        self._looked = start
        held: list[Batch] = []
        for batch in self._batches(since, first, wanted, int(options.get("page_size") or 100)):
            held.append(batch)
            if batch.mark or len(held) >= PAGES:
                yield from self._pages(held, wanted)
                held = []
        if held:
            yield from self._pages(held, wanted)

    def _batches(self, since: str | None, first: Any, wanted: set[str], size: int) -> Iterator[Batch]:
        """As `Windows.batches`; a system that refuses serial numbers is read without them."""
        begun = False
        try:
            for batch in self._windows(size, wanted).batches(since, first):
                begun = True
                yield batch
            return
        except StopRun as error:
            if begun or not self._asks_serials():
                raise
            refusal = str(error)
        self.loaded = NEEDED
        for batch in self._windows(size, wanted).batches(since, first):
            if not begun:
                sights.leave(self.client, SERIALS, refusal)
            begun = True
            yield batch

    def _windows(self, size: int, wanted: set[str]) -> Windows:
        query: dict[str, Any] = {**self._with(), "orderType": ",".join(self.types)}
        if len(wanted) == 1:
            query["referrerId"] = next(iter(wanted))
        return Windows(self.client, size, self._now, query)

    def _pages(self, held: Sequence[Batch], wanted: set[str]) -> Iterator[Page]:
        end = held[-1].end or self._now()
        invoiced = self._invoiced(end) - {
            key_of(row) for batch in held for row in batch.rows if isinstance(row, Mapping)
        }
        if invoiced:
            held = [Batch(list(self._by_id(invoiced))), *held]
        if any(batch.rows for batch in held):
            self.journal.read(end)
        for batch in held:
            listed = [row for row in batch.rows if not wanted or _referred(row, wanted)]
            yield Page(records=[self._passed(one) for one in self._records(listed)], total=batch.total, mark=batch.mark)

    def _invoiced(self, end: datetime) -> set[str | None]:
        """Orders that got an invoice since this was looked for the last time; none where the system does not list them."""
        begin, self._looked = self._looked, max(self._looked, end - OVERLAP)
        if end <= begin or sights.left(self.client, PAPERS):
            return set()
        query = {"createdAtFrom": w3c(begin), "createdAtTo": w3c(end)}
        try:
            papers = list(self.client.entries(PAPERS.path, query, must=True))
        except (StopRun, RecordFailed) as error:
            sights.leave(self.client, PAPERS, str(error))
            return set()
        except RetryLater as error:
            if isinstance(error, Unreachable) or not sights.failed(self.client, PAPERS, str(error)):
                raise
            return set()
        sights.worked(self.client, PAPERS)
        invoices = [row for row in papers if DOCUMENTS.get(snake(str(row.get("type")))) is DocumentKind.INVOICE]
        return {id for row in invoices for id in _orders_of(row) if begin <= (moment(row.get("createdAt")) or begin)}

    def _by_id(self, ids: set[str | None]) -> Iterator[Payload]:
        ordered = sorted(str(id) for id in ids)
        for start in range(0, len(ordered), TOGETHER):
            query = {"orderIds": ",".join(ordered[start : start + TOGETHER]), "itemsPerPage": TOGETHER}
            for row in self._all({**query, **self._with(), "orderType": ",".join(self.types)}, most=2):
                if key_of(row) in ids:
                    yield row

    def _passed(self, one: Found) -> Found:
        """With the statuses it passed. Its version says nothing of them: how many are read depends on the reading."""
        if one.payload is not None and self.journal.tells:
            one.payload[PASSED] = self.journal.of(one.payload)
        return one

    def get(self, key: str) -> Found | None:
        try:
            one = super().get(key)
        except (StopRun, RecordFailed) as error:
            if not self._asks_serials():
                raise
            self.loaded = NEEDED
            one = super().get(key)
            sights.leave(self.client, SERIALS, str(error))
        if one is not None and one.payload is not None:
            self._add_serials(one.payload)
        return one

    def number(self, number: str) -> Found | None:
        one = super().number(number)
        return None if one is None else self._read_one(one)

    def family(self, sale: Found) -> Sequence[Found]:
        return [self._read_one(one) for one in super().family(sale)]

    def _read_one(self, one: Found) -> Found:
        if one.payload is not None:
            self.journal.read_one(one.key)
        return self._passed(one)

    # serial numbers

    def _asks_serials(self) -> bool:
        return SERIALS_WITH[0] in self.loaded

    def _add_serials(self, order: Payload) -> None:
        """By a call of their own, where the order came without."""
        items = rows(order.get("orderItems"))
        if not items or all("serialNumbers" in item for item in items) or sights.left(self.client, SERIALS):
            return
        try:
            listed = list(self.client.entries(f"{LIST}/{order['id']}/items/serialNumbers", paged=False, must=True))
        except (StopRun, RecordFailed) as error:
            sights.leave(self.client, SERIALS, str(error))
            return
        for item in items:
            item["serialNumbers"] = [row for row in listed if key_of(row, "orderItemId") == key_of(item)]


def _orders_of(paper: Payload) -> Iterator[str]:
    """The orders that a document belongs to."""
    pivot = paper.get("pivot")
    told = [pivot.get("plenty_document_reference_value")] if isinstance(pivot, Mapping) else []
    told += [row.get("value") for row in rows(paper.get("references")) if row.get("type") == "order"]
    yield from (ident(one) for one in told if one not in (None, "") and ident(one).isdecimal())


def _referred(row: Any, wanted: set[str]) -> bool:
    """Whether it has one of these referrers; what is no order is told as such."""
    return not isinstance(row, Mapping) or key_of(row, "referrerId") in wanted


class OrderEvents(Watch):
    """What happens to orders in PlentyONE."""

    SourceOptions = WatchOptions
    cron = "* * * * *"
    filters = FILTERS
    numbered = True
    history_lag = timedelta(minutes=3)  # less than the `OVERLAP` that shows a changed order again

    client: PlentyClient

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self._source = Watched(self.client, self.host)

    @classmethod
    def page(cls, account: Account, key: str) -> str | None:
        return Orders.page(account, key)

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        return self._source.watch(since, options)

    def get(self, key: str) -> Found | None:
        return self._source.get(key)

    def number(self, number: str) -> Found | None:
        return self._source.number(number)

    def family(self, found: Found) -> Sequence[Found]:
        return self._source.family(found)

    def latest(self, count: int) -> Sequence[Found]:
        return self._source.latest(count)

    def parse(self, payload: Payload) -> Order:
        return self._source.parser.parse(payload)

    def lacks(self) -> Sequence[str]:
        return sights.lacks(self.client)

    # what a procedure may ask for

    def content(self, order: Order, document: Document) -> bytes:
        return files.content(self.client, order, document)

    def book(self, order: Order, payback: Payback, known: Known) -> str:
        lag = self.connector.account.settings.get("index_lag_seconds")
        return paybacks.book(self.client, order, payback, known, lag=15.0 if lag is None else float(lag))
