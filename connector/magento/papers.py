"""Shipments, credit memos and invoices of orders, read along where the other side asks for them.

Those of a whole page of orders come with one call of each kind, and only for orders that have any. A shipment, or a
track added to it later, need not move its order (section 4 of the knowledge on the shop): these lists have a place of
their own in the mark, and the newest shipments are looked at for tracks that came after them.

What an order has of them stands in its payload under `papers`; an order without any stays as the shop sent it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connector import Found, Page, Payload, RecordFailed, StopRun
from connector.client import loads
from connector.magento.answers import NotFound, PageTooLarge
from connector.magento.client import Filter, MagentoClient, Sort, criteria
from connector.magento.cursor import AHEAD, FAULTS, FORMAT, OVERLAP, Place, fingerprint, found, moment
from connector.magento.reading import number

log = logging.getLogger(__name__)

PAPERS = "papers"
AT_ONCE = 50  # orders whose papers are asked for by one call
SIZE = 100
NEWEST = 100  # so many of the newest shipments are looked at for later tracks
REMEMBERED = 60  # papers of the overlap that were seen already, kept in the mark
BY_TIME: Sequence[Sort] = (("updated_at", "ASC"), ("entity_id", "ASC"))
BY_ID: Sequence[Sort] = (("entity_id", "ASC"),)
HEADS = "items[entity_id,order_id,updated_at,tracks[entity_id,updated_at]],total_count"


@dataclass(frozen=True)
class Kind:
    """One list of papers. `asked` is what a target asks for by, `columns` are those of an order that has any."""

    asked: str
    route: str
    columns: tuple[str, ...]
    quantity: str
    names: tuple[str, ...]
    polled: bool = True  # its rows may change without their order

    def of(self, order: Payload) -> bool:
        """Whether the order has any of them, by its own figures."""
        rows = order.get("items")
        items = [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []
        told = [order.get(name) for name in self.columns] + [one.get(self.quantity) for one in items]
        return any(number(one) for one in told)


HEAD = ("entity_id", "increment_id", "created_at")
MONEY = ("grand_total", "shipping_amount", "shipping_tax_amount", "shipping_incl_tax", "adjustment",
         "adjustment_positive", "adjustment_negative")  # fmt: skip
KINDS = (
    Kind("shipments", "shipments", (), "qty_shipped", HEAD),
    Kind("refunds", "creditmemos", ("total_refunded", "base_total_refunded"), "qty_refunded", (*HEAD, "state", *MONEY)),
    Kind("documents", "invoices", ("total_invoiced", "base_total_invoiced"), "qty_invoiced", (*HEAD, "state"),
         polled=False),
)  # fmt: skip


def trimmed(kind: Kind, row: Payload) -> Payload:
    """What of a paper is kept. Without its own updated_at, which moves for a mail that was sent."""
    made = {name: row[name] for name in kind.names if row.get(name) is not None}
    if kind.route == "invoices":
        return made
    made["items"] = _rows(row, "items", ("order_item_id", "qty"))
    if kind.route == "shipments":
        made["tracks"] = _rows(row, "tracks", ("entity_id", "track_number", "title", "carrier_code"))
    if texts := [str(one["comment"]) for one in _list(row, "comments") if one.get("comment")]:
        made["comments"] = texts
    return made


def _list(row: Payload, name: str) -> list[Payload]:
    value = row.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _rows(row: Payload, name: str, names: tuple[str, ...]) -> list[Payload]:
    return [{key: one[key] for key in names if one.get(key) is not None} for one in _list(row, name)]


class Papers:
    """The papers of one reading. `shop_now` gives the time in the shop."""

    def __init__(self, client: MagentoClient, asked: frozenset[str], shop_now: Callable[[], datetime]) -> None:
        self.client = client
        self.kinds = [kind for kind in KINDS if kind.asked in asked]
        self.shop_now = shop_now
        self.size = SIZE
        self.places: dict[str, dict[str, Any]] = {}
        self.begun: datetime | None = None
        self.mark: str | None = None
        self._seen: set[str] = set()

    def begin(self, since: str | None) -> None:
        """Where an earlier reading of these lists ended; one that never was begins where that of the orders does."""
        place = Place.of_mark(since)
        self.mark = since
        self.begun = place.at if place else None
        if place and self.kinds:
            told = json.loads(since or "{}").get(PAPERS)
            self.places = {key: dict(at) for key, at in told.items()} if isinstance(told, Mapping) else {}
            self._seen = {one for at in self.places.values() for one in at.get("seen") or ()}

    # along with orders

    def along(self, page: Page) -> Page:
        """The page with the papers of its orders; their own places stand in its mark."""
        if not self.kinds:
            return page
        self.begun = self.begun or self.shop_now().replace(microsecond=0)
        return replace(page, records=self.of(page.records), mark=self._marked(page.mark))

    def of(self, records: Sequence[Found]) -> list[Found]:
        """Records whose papers cannot be read come back with an error; all others are whole."""
        made = list(records)
        for kind in self.kinds:
            having = {one.key for one in made if one.payload is not None and kind.of(one.payload)}
            papers: dict[str, list[Payload]] = {key: [] for key in having}
            broken: dict[str, str] = {}
            ids = sorted(having, key=int)
            for start in range(0, len(ids), AT_ONCE):
                self._fetch(kind, ids[start : start + AT_ONCE], papers, broken)
            made = [self._with(kind, one, papers, broken) for one in made]
        return made

    def _with(self, kind: Kind, one: Found, papers: Mapping[str, list[Payload]], broken: Mapping[str, str]) -> Found:
        if one.payload is None or (not papers.get(one.key) and one.key not in broken):
            return one
        if one.key in broken:
            said = f"Order {one.number}: its {kind.route} cannot be read. {broken[one.key]}"
            return replace(one, payload=None, error=said, version=f"{one.version}:no {kind.route}")
        rows = sorted(papers[one.key], key=lambda row: int(row.get("entity_id") or 0))
        told = {**one.payload.get(PAPERS, {}), kind.route: [trimmed(kind, row) for row in rows]}
        return found({**one.payload, PAPERS: told})

    def _fetch(self, kind: Kind, ids: list[str], papers: dict[str, list[Payload]], broken: dict[str, str]) -> None:
        """The papers of these orders. What fails is asked for in halves; an order that fails alone is named."""
        if not ids:
            return
        try:
            rows = list(self._rows(kind.route, [("order_id", "in", ",".join(ids))], BY_ID))
        except FAULTS as error:
            if isinstance(error, NotFound) and error.route:
                raise StopRun(str(error)) from error
            self._list(kind.route, criteria([("order_id", "eq", 0)], size=1, page=1))  # else the whole list is broken
            if len(ids) == 1:
                log.warning("%s: the %s of order %s cannot be read: %s", self.client.account.name, kind.route, ids[0],
                            error)  # fmt: skip
                broken[ids[0]] = str(error)
                return
            middle = len(ids) // 2
            self._fetch(kind, ids[:middle], papers, broken)
            self._fetch(kind, ids[middle:], papers, broken)
            return
        for row in rows:
            key = str(row.get("order_id"))
            if key in papers:
                papers[key].append(row)
                if self.begun and str(row.get("updated_at")) >= f"{self._from(kind):{FORMAT}}":
                    self._seen.add(_print(kind, row))

    def _rows(
        self, route: str, filters: Sequence[Filter], sort: Sequence[Sort], fields: str | None = None
    ) -> Iterator[Payload]:
        """All rows, page by page."""
        page, read = 1, 0
        while True:
            rows, total = self._list(route, criteria(filters, sort, size=self.size, page=page, fields=fields))
            yield from (row for row in rows if isinstance(row, dict))
            read += len(rows)
            if len(rows) < self.size or (total is not None and read >= total) or self.client.host.stop.is_set():
                return
            page += 1

    def _list(self, route: str, query: list[tuple[str, Any]]) -> tuple[list[Any], int | None]:
        try:
            return self.client.rows(route, query)
        except PageTooLarge as error:
            self.size = min(error.limit or self.size // 2, self.size - 1)
            if self.size < 1:
                raise StopRun(str(error)) from error
            smaller = [(name, self.size if name.endswith("[pageSize]") else value) for name, value in query]
            return self._list(route, smaller)
        except FAULTS:
            raise
        except RecordFailed as error:
            raise StopRun(str(error)) from error

    # changed without their orders

    def late(self, orders: Callable[[Sequence[str]], list[Found]]) -> Iterator[Page]:
        """Orders whose papers changed, though their own row did not move. The last page bears the mark."""
        polled = [kind for kind in self.kinds if kind.polled]
        if not polled or self.begun is None or self.client.host.stop.is_set():
            return
        changed: dict[str, None] = {}
        places: dict[str, dict[str, Any]] = {}
        for kind in polled:
            keys, places[kind.route] = self._poll(kind)
            changed.update(dict.fromkeys(keys))
        ids = list(changed)
        for start in range(0, len(ids), AT_ONCE):
            if self.client.host.stop.is_set():
                return
            yield Page(records=self.of(orders(ids[start : start + AT_ONCE])), mark=self.mark)
        self.places = places
        if self.mark is not None:
            yield Page(records=[], mark=self._marked(self.mark))

    def _poll(self, kind: Kind) -> tuple[list[str], dict[str, Any]]:
        """The orders of papers that changed since, and the list's new place."""
        begin = self._from(kind)
        try:
            rows = list(self._rows(kind.route, [("updated_at", "gteq", f"{begin:{FORMAT}}")], BY_TIME, HEADS))
            at = max([_stamp(row) for row in rows] + [f"{begin + OVERLAP:{FORMAT}}"])
            if kind.route == "shipments":
                newest = criteria([], [("entity_id", "DESC")], size=min(NEWEST, self.size), page=1, fields=HEADS)
                listed, _ = self._list(kind.route, newest)
                rows += [row for row in listed if isinstance(row, dict) and _stamp(row) >= f"{begin:{FORMAT}}"]
        except NotFound as error:
            raise StopRun(str(error)) from error
        fresh = [row for row in rows if _print(kind, row) not in self._seen]
        at = min(at, f"{self.shop_now() + AHEAD:{FORMAT}}")
        edge = f"{moment(at) - OVERLAP:{FORMAT}}"
        seen = dict.fromkeys(_print(kind, row) for row in rows if _stamp(row) >= edge)
        keys = dict.fromkeys(str(row["order_id"]) for row in fresh if row.get("order_id"))
        return list(keys), {"at": at, "seen": list(seen)[-REMEMBERED:]}

    def _from(self, kind: Kind) -> datetime:
        assert self.begun is not None
        try:
            return moment(self.places[kind.route]["at"]) - OVERLAP
        except (KeyError, ValueError):
            return self.begun - OVERLAP

    def _marked(self, mark: str | None) -> str | None:
        """The mark of the orders, with the places of these lists."""
        if mark is None:
            return None
        self.mark = json.dumps({**loads(mark), **({PAPERS: self.places} if self.places else {})})
        return self.mark


def _stamp(row: Payload) -> str:
    """When a paper changed last, a track that was added to it counted."""
    return max([str(row.get("updated_at") or "")] + [str(one.get("updated_at") or "") for one in _list(row, "tracks")])


def _print(kind: Kind, row: Payload) -> str:
    """Tells two states of a paper apart, in few letters."""
    tracks = sorted(str(one.get("entity_id")) for one in _list(row, "tracks"))
    return fingerprint(repr({"": [kind.route, row.get("entity_id"), row.get("updated_at"), tracks]}).encode())[:10]


__all__ = ["KINDS", "PAPERS", "Papers", "trimmed"]
