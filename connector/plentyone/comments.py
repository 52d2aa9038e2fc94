"""What the customer wrote with the order (a comment, a gift message) as notes at the order. Written once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape, unescape
from re import sub
from typing import Any

from connector import ConnectorError, InDoubt, Payload, RetryLater
from connector.plentyone.client import Operation
from connector.plentyone.work import Work, number
from connector.records import Identifier, IdentifierKind

PATH = "/rest/comments"
MARKS = {IdentifierKind.IMEI: "IMEI", IdentifierKind.SERIAL: "serial number"}


@dataclass
class Notes:
    """The notes of an order that was just created: they go along with another call where there is one."""

    bodies: Sequence[Payload]
    written: int = 0  # so many are there for certain

    @property
    def waiting(self) -> Sequence[Operation]:
        return [] if self.written else [Operation("POST", PATH, one) for one in self.bodies]

    def judge(self, work: Work, contents: Sequence[Any]) -> ConnectorError | None:
        """Take the answers to `waiting`; the first trouble with them."""
        trouble: ConnectorError | None = None
        for content in contents:
            try:
                work.client.part(f"Order {work.order.number}: its note", content)
                self.written += 1
            except ConnectorError as error:
                trouble = trouble or error
        return trouble


def new(work: Work, order_id: str) -> Notes:
    """What is to be written to a new order; nothing after doubt, when it is to be looked for first (`bring`)."""
    return Notes([] if work.doubt else [_body(order_id, as_html(text)) for text in words(work)])


def words(work: Work) -> list[str]:
    """What the customer wrote, of a market's order also what the market says, each text once. Serial numbers that a new
    order brings along stand there as well; later they come from PlentyONE itself."""
    order = work.order
    told = [comment.text.strip() for comment in order.comments if comment.by_customer or order.channel is not None]
    if not work.known.finished:
        told += [f"{line.name}: {named(line.identifiers)}" for line in order.lines if line.identifiers]
    return list(dict.fromkeys(text for text in told if text))


def named(told: Iterable[Identifier]) -> str:
    """Serial numbers in words."""
    return ", ".join(f"{MARKS[one.kind]} {one.value}" for one in told)


def bring(work: Work, order_id: str, *, look: bool) -> int:
    """Write what is missing. `look`: read first what is there (after doubt, or when the order existed already).

    Raises RetryLater while the list may not show yet what an attempt in doubt wrote.
    """
    texts = words(work)
    if not texts:
        return 0
    there = _there(work, order_id) if look else set()
    missing = [html for text in texts if _plain(html := as_html(text)) not in there]
    if missing and look and work.doubt and work.known.doubt_age < work.lag:
        raise RetryLater(
            f"Order {work.order.number}: its note may have been written by an earlier attempt; it is looked up again "
            "before it is sent again",
            after=work.lag - work.known.doubt_age + 0.5,
            counts=False,
        )
    for written, html in enumerate(missing):
        try:
            work.send("POST", PATH, _body(order_id, html))
        except RetryLater as error:
            if written and not isinstance(error, InDoubt):  # the next attempt must not miss those before it
                raise InDoubt(str(error), after=error.after) from error
            raise
    return len(missing)


def _body(order_id: str, html: str) -> Payload:
    return {
        "referenceType": "order",
        "referenceValue": number(order_id),
        "text": html,
        "isVisibleForContact": False,
    }


def as_html(text: str) -> str:
    return "<p>" + escape(text, quote=False).replace("\n", "<br>") + "</p>"


def _there(work: Work, order_id: str) -> set[str]:
    path = f"/rest/comments/order/{order_id}"
    found = work.client.entries(path, paged=False, reference=work.order.number)
    return {_plain(str(row.get("text") or "")) for row in found}


def _plain(html: str) -> str:
    """The words without mark-up and spacing, to compare what is to be written with what is there."""
    return "".join(unescape(sub(r"<[^>]*>", "", html)).split())
