"""Orders of the shop that should have come further by now. Found by what the shop's own list says of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connector import Options, Payload
from connector.magento.client import MagentoClient, criteria
from connector.magento.cursor import FAULTS
from connector.magento.options import MISMATCH, UNREFUNDED
from connector.magento.placed import ENDED, FINAL, Placed
from connector.magento.reading import Fields
from connector.magento.standing import wanted_status
from connector.settings import ident

log = logging.getLogger(__name__)

PAGE = 100
EVERY = timedelta(hours=4)
LOOKED = "overdue"  # state: after which entity_id the next pass goes on, where the limit ended the last one
FIELDS = (
    "items[entity_id,increment_id,state,status,created_at,updated_at,grand_total,total_paid,total_invoiced,total_refunded,"
    "adjustment_negative,"
    "items[item_id,parent_item_id,product_type,is_virtual,base_price,qty_ordered,qty_invoiced,qty_shipped,qty_refunded,"
    "qty_canceled]],total_count"
)
STAMP = "%Y-%m-%d %H:%M:%S"


def orders(
    client: MagentoClient, options: Options, now: datetime, ours: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, str]]:
    """(entity_id, why) of orders that were exported, oldest first, no more than the settings allow. `ours` may tell as well
    what is kept of each ({entity_id: refs}): by it is known what the other side last said of an order.

    A pass goes on where the limit ended the one before: orders that stay as they are would keep all others waiting.
    """
    youngest = now - timedelta(days=options.incomplete_min_age_days)
    oldest = now - timedelta(days=options.incomplete_max_age_days)
    filters = [
        ("created_at", "gteq", oldest.astimezone(UTC).strftime(STAMP)),
        ("created_at", "lteq", youngest.astimezone(UTC).strftime(STAMP)),
    ]
    excluded = [str(one) for one in options.get("incomplete_excluded_statuses") or ()]
    unread = [one for one in excluded if one not in ENDED or UNREFUNDED not in _strategies(options)]
    if unread:
        filters.append(("status", "nin", ",".join(unread)))
    began = int((client.host.state.read(LOOKED) or {}).get("after") or 0)
    last, found = began, 0
    while True:
        query = criteria(
            [*filters, ("entity_id", "gt", last)], [("entity_id", "ASC")], size=PAGE, page=1, fields=FIELDS
        )
        try:
            rows = client.some("orders", query)
        except FAULTS as error:  # one order that cannot be read must not hold up what is due
            log.warning(
                "%s: incomplete orders cannot be looked for beyond order %s: %s", client.account.name, last, error
            )
            return
        fresh = [one for one in rows if isinstance(one, dict) and int(one.get("entity_id") or 0) > last]
        exported = ours([str(one["entity_id"]) for one in fresh]) if fresh else ()
        for one in fresh:
            id = str(one["entity_id"])
            if id not in exported:
                continue
            refs = exported[id] if isinstance(exported, Mapping) else None
            if why := _why(one, options, youngest, refs):
                yield id, f"Order {one.get('increment_id')}: {why}."
                found += 1
            if found >= options.incomplete_batch_limit:
                _looked(client, id)
                return
        last = max((int(one["entity_id"]) for one in fresh), default=last)
        if len(rows) < PAGE or not fresh:
            if began:
                _looked(client, None)
            return


def _looked(client: MagentoClient, after: str | None) -> None:
    client.host.state.change(LOOKED, lambda _: {"after": after} if after else None)


def _strategies(options: Options) -> set[str]:
    return set(options.get("incomplete_strategies") or ())


def _why(row: Payload, options: Options, youngest: datetime, refs: Mapping[str, str] | None) -> str | None:
    """Why an order is thought to be incomplete; None when nothing is looked for that it shows."""
    wanted = _strategies(options)
    placed = Placed(row)
    order: Fields = placed.fields
    if placed.status in (options.get("incomplete_excluded_statuses") or ()):
        wanted &= {UNREFUNDED}
    said: list[str] = []
    if "missing_shipments" in wanted and placed.state == "processing" and placed.to_ship:
        said.append("not shipped in full")
    if "missing_invoices" in wanted and placed.to_invoice and placed.grand_total > 0:
        said.append("not invoiced in full")
    if UNREFUNDED in wanted and _kept(order):
        if placed.state in ENDED:
            said.append("paid and ended, but not refunded")
        elif refs and _cancelled_there(refs, options):
            said.append("cancelled on the other side and paid, but not refunded")
    if "stuck_in_processing" in wanted and placed.state == "processing" and order.moment("updated_at") < youngest:
        said.append("in processing for long")
    if (
        MISMATCH in wanted
        and placed.state not in FINAL
        and not placed.held
        and (why := _differs(placed, options, refs))
    ):
        said.append(why)
    return ", ".join(said) or None


def _cancelled_there(refs: Mapping[str, str], options: Options) -> bool:
    """Whether the other side's status is one of those that cancel an order, as the settings say."""
    statuses = {ident(one) for one in options.get("cancel_statuses") or ()}
    return bool(options.cancel_order) and refs.get("source_status") in statuses


def _kept(order: Fields) -> bool:
    """Whether money stays with the shop. A fee that a credit memo has kept back is meant to."""
    return order.amount("total_paid") > order.amount("total_refunded") + order.amount("adjustment_negative")


def _differs(placed: Placed, options: Options, refs: Mapping[str, str] | None) -> str | None:
    """Whether the order lost the status that it was given for the other side's; of a status that came from here there is
    none."""
    if refs is None:
        mapping = {str(one) for one in (options.get("status_mapping") or {}).values()}
        if mapping and placed.status not in mapping:
            return f"its status {placed.status!r} is none of the status mapping"
        return None
    told = refs.get("source_status")
    status = wanted_status(options, told) if told and told == refs.get("news") else None
    if status is None or status == placed.status:
        return None
    return f"its status {placed.status!r} is not {status!r}, as the status mapping says for {told}"
