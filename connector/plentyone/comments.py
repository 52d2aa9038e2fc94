"""What the customer wrote with the order (a comment, a gift message) as notes at the order. Written once."""

from __future__ import annotations

from html import escape, unescape
from re import sub

from connector import InDoubt, RetryLater
from connector.plentyone.work import Work, number


def words(work: Work) -> list[str]:
    """What the customer wrote, each text once."""
    told = [comment.text.strip() for comment in work.order.comments if comment.by_customer]
    return list(dict.fromkeys(text for text in told if text))


def bring(work: Work, order_id: str, *, look: bool) -> int:
    """Write what is missing. `look`: read first what is there (after doubt, or when the order existed already).

    Raises RetryLater while the list may not show yet what an attempt in doubt wrote.
    """
    texts = words(work)
    if not texts:
        return 0
    there = _there(work, order_id) if look else set()
    missing = [html for text in texts if _plain(html := _html(text)) not in there]
    if missing and look and work.doubt and work.known.doubt_age < work.lag:
        raise RetryLater(
            f"Order {work.order.number}: its note may have been written by an earlier attempt; it is looked up again "
            "before it is sent again",
            after=work.lag - work.known.doubt_age + 0.5,
            counts=False,
        )
    for written, html in enumerate(missing):
        note = {
            "referenceType": "order",
            "referenceValue": number(order_id),
            "text": html,
            "isVisibleForContact": False,
        }
        try:
            work.send("POST", "/rest/comments", note)
        except RetryLater as error:
            if written and not isinstance(error, InDoubt):  # the next attempt must not miss those before it
                raise InDoubt(str(error), after=error.after) from error
            raise
    return len(missing)


def _html(text: str) -> str:
    return "<p>" + escape(text, quote=False).replace("\n", "<br>") + "</p>"


def _there(work: Work, order_id: str) -> set[str]:
    path = f"/rest/comments/order/{order_id}"
    found = work.client.entries(path, paged=False, reference=work.order.number)
    return {_plain(str(row.get("text") or "")) for row in found}


def _plain(html: str) -> str:
    """The words without mark-up and spacing, to compare what is to be written with what is there."""
    return "".join(unescape(sub(r"<[^>]*>", "", html)).split())
