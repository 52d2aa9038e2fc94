"""What became of an order in the shop, brought after it: credit notes, packages, documents, tags.

Each is made once. What is done stands in the record's refs, so that a record with nothing new costs no call; what was
made by an import from here is the shop's echo and is not sent back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from connector import Options, Payload, RecordFailed
from connector.plentyone.work import Work

MARK = re.compile(r"\bPlentyONE order \d+")  # in the comment of what an import made in a shop
ASKED = {
    "shipments": ("create_shipment", "create_delivery_note"),
    "refunds": ("create_credit_note",),
    "documents": ("create_invoice_document",),
}
Step = Callable[[Work, str, Payload], Sequence[str]]


def asks(options: Options) -> frozenset[str]:
    """What the source has to read along, by the settings."""
    return frozenset(what for what, settings in ASKED.items() if any(options.get(one) for one in settings))


def bring(work: Work, order_id: str, order: Payload, steps: Sequence[Step]) -> tuple[list[str], list[str]]:
    """What was done and what went wrong, in sentences. One step that needs a person does not stop the others."""
    done: list[str] = []
    wrong: list[str] = []
    for step in steps:
        try:
            done += step(work, order_id, order)
        except RecordFailed as error:
            wrong.append(str(error))
    return done, wrong


def is_echo(work: Work, kind: str, key: str, words: str | None) -> bool:
    """Whether a paper of the shop ("creditmemo", "12") came from here: known by its record, or by its own mark."""
    if MARK.search(words or ""):
        return True
    back = work.known.counterpart(f"{kind}/{key}")
    return back is not None and back.reverse and back.ours


def kept(work: Work, ref: str) -> list[str]:
    """The keys that a ref lists."""
    return [one for one in (work.ref(ref) or "").split(",") if one]


def keep(work: Work, ref: str, key: str) -> None:
    """Add a key to those that a ref lists; committed at once."""
    listed = kept(work, ref)
    if key not in listed:
        work.known.learn(**{ref: ",".join([*listed, key])})
