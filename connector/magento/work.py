"""One record on its way into an order of the shop: what every act needs at hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector import InDoubt, Known, Options, Payload, RecordFailed, RetryLater
from connector.magento.client import MagentoClient, criteria
from connector.magento.placed import Placed
from connector.records import DocumentKind, Order
from connector.settings import ident

PAPERS = 50  # so many invoices, shipments or credit memos of one order are read at once
MARK = re.compile(r"PlentyONE order (?P<key>[^\s;]+)(?P<rest>[^<]*)")


@dataclass(kw_only=True)
class Work:
    """The record, its settings, and the shop's order as last seen. `done` and `trouble` are sentences for people."""

    order: Order
    known: Known
    options: Options
    client: MagentoClient
    placed: Placed
    done: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)  # papers that an order on hold refuses
    setting: str | None = None  # that has to be changed for the first trouble
    reset: bool = False  # a paper was made: Magento has set the status of the state
    apart: bool = False  # a sale that was split off another one: a delivery with an invoice of its own
    ended: bool = False  # that paper may have been the order's last
    later: RetryLater | None = None  # what was set aside: it is tried again when all else is done
    billed: Decimal | None = None  # what has to be invoiced after a part was

    @property
    def name(self) -> str:
        return f"Order {self.order.number}"

    @property
    def doubt(self) -> bool:
        return self.known.doubt

    @property
    def dry(self) -> bool:
        return self.client.dry is not None

    def ref(self, key: str) -> str | None:
        return self.known.refs.get(key) or None

    def listed(self, key: str) -> list[str]:
        """A ref that holds several values."""
        return [one for one in (self.known.refs.get(key) or "").split(", ") if one]

    def status_in(self, name: str) -> bool:
        return status_in(self.order, self.options, name)

    def document(self, kind: DocumentKind) -> bool:
        return has_document(self.order, kind)

    # calls

    def ask(self, route: str, query: Any = None) -> Any:
        return self.client.ask("GET", route, query=query, reference=self.order.number).data

    def send(self, route: str, body: Payload | None = None) -> Any:
        """Raises RetryLater while a call whose answer was lost may still be at work in the shop: what was read before it
        ended does not show what it makes."""
        if self.doubt and self.known.doubt_age < self.client.lag:
            raise RetryLater(
                f"{self.name}: an earlier attempt may still be at work in Magento; it is looked at again before anything is "
                "sent again",
                after=self.client.lag - self.known.doubt_age + 0.5,
                counts=False,
            )
        return self.client.ask("POST", route, body=body, reference=self.order.number).data

    def make(self, route: str, body: Payload) -> str:
        """Make a paper. Answers are its id as JSON text or number."""
        answer = self.send(route, body)
        if isinstance(answer, Mapping):
            answer = answer.get("entity_id") or answer.get("id")
        id = str(answer).strip() if isinstance(answer, str | int) and not isinstance(answer, bool) else ""
        if not id:
            raise InDoubt(f"{self.name}: Magento answered to {route} without an id")
        self.reset = True
        return id

    def papers(self, route: str) -> list[Payload]:
        """The invoices, shipments or creditmemos of the order, oldest first."""
        query = criteria([("order_id", "eq", self.placed.id)], [("entity_id", "ASC")], size=PAPERS, page=1)
        rows = self.client.some(route, query)
        papers = [one for one in rows if isinstance(one, dict) and one.get("entity_id") is not None]
        # a shop, or a cache before it, that takes no notice of the filter tells of other orders
        return [one for one in papers if str(one.get("order_id") or self.placed.id) == self.placed.id]

    def reread(self) -> None:
        """What became of the order. A dry run has changed nothing that could be read."""
        if not self.dry:
            self.placed = Placed(read(self.client, self.placed.id, self.order.number))

    # our sign on papers: shown in the shop's admin alone

    def mark(self, rest: str = "") -> Payload:
        return {"comment": f"PlentyONE order {self.order.key}{rest}", "is_visible_on_front": 0}

    def mark_of(self, paper: Payload) -> tuple[str, str] | None:
        """(key of the record, what follows) that a paper was made for; None without our sign."""
        for one in paper["comments"] if isinstance(paper.get("comments"), list) else ():
            text = one.get("comment") if isinstance(one, Mapping) else None
            if isinstance(text, str) and (found := MARK.search(text)):
                return found["key"], found["rest"]
        return None

    def signed(self, papers: list[Payload]) -> bool:
        """Whether the shop sends the comments of papers at all: where it does, an unsigned one is not ours."""
        return any(isinstance(one.get("comments"), list) for one in papers)


def status_in(record: Order, options: Options, name: str) -> bool:
    """Whether the record's status is among those of a setting."""
    if record.status is None:
        return False
    return ident(record.status) in {ident(one) for one in options.get(name) or ()}


def has_document(record: Order, kind: DocumentKind) -> bool:
    return any(one.kind is kind for one in record.fulfilment.documents)


def read(client: MagentoClient, id: str, reference: str | None = None) -> Payload:
    """Raises NotFound, RecordFailed for what is no order, and RetryLater for another one."""
    data = client.ask("GET", f"orders/{id}", reference=reference).data
    if not isinstance(data, dict) or not isinstance(data.get("items"), list):
        raise RecordFailed(f"Order {reference or id}: Magento's answer to orders/{id} is no order.")
    if str(told := data.get("entity_id", id)) != id:
        raise RetryLater(f"Order {reference or id}: Magento was asked for its order {id} and answered with {told}")
    return data
