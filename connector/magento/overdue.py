"""Orders of the shop that should have come further by now. Found by what the shop's own list says of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from connector import Options, Payload
from connector.magento.client import MagentoClient, criteria
from connector.magento.placed import ENDED, Placed
from connector.magento.reading import Fields

PAGE = 100
EVERY = timedelta(hours=4)
LOOKED = "overdue"  # state: after which entity_id the next pass goes on, where the limit ended the last one
FIELDS = (
    "items[entity_id,increment_id,state,status,created_at,updated_at,grand_total,total_paid,total_invoiced,total_refunded,"
    "items[item_id,parent_item_id,product_type,is_virtual,base_price,qty_ordered,qty_invoiced,qty_shipped,qty_refunded,"
    "qty_canceled]],total_count"
)
STAMP = "%Y-%m-%d %H:%M:%S"


def orders(
    client: MagentoClient, options: Options, now: datetime, ours: Callable[[Sequence[str]], Collection[str]]
) -> Iterator[tuple[str, str]]:
    """(entity_id, why) of orders that were exported, oldest first, no more than the settings allow.

    A pass goes on where the limit ended the one before: orders that stay as they are would keep all others waiting.
    """
    youngest = now - timedelta(days=options.incomplete_min_age_days)
    oldest = now - timedelta(days=options.incomplete_max_age_days)
    filters = [
        ("created_at", "gteq", oldest.astimezone(UTC).strftime(STAMP)),
        ("created_at", "lteq", youngest.astimezone(UTC).strftime(STAMP)),
    ]
    excluded = [str(one) for one in options.get("incomplete_excluded_statuses") or ()]
    if excluded:
        filters.append(("status", "nin", ",".join(excluded)))
    began = int((client.host.state.read(LOOKED) or {}).get("after") or 0)
    last, found = began, 0
    while True:
        query = criteria(
            [*filters, ("entity_id", "gt", last)], [("entity_id", "ASC")], size=PAGE, page=1, fields=FIELDS
        )
        rows, _ = client.rows("orders", query)
        fresh = [one for one in rows if isinstance(one, dict) and int(one.get("entity_id") or 0) > last]
        reasons = {
            str(one["entity_id"]): f"Order {one.get('increment_id')}: {why}."
            for one in fresh
            if (why := _why(one, options, youngest))
        }
        exported = set(ours(list(reasons))) if reasons else set()
        for id in (one for one in reasons if one in exported):
            yield id, reasons[id]
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


def _why(row: Payload, options: Options, youngest: datetime) -> str | None:
    """Why an order is thought to be incomplete; None when nothing is looked for that it shows."""
    wanted = set(options.get("incomplete_strategies") or ())
    placed = Placed(row)
    order: Fields = placed.fields
    said: list[str] = []
    if "missing_shipments" in wanted and placed.state == "processing" and placed.to_ship:
        said.append("not shipped in full")
    if "missing_invoices" in wanted and placed.to_invoice and placed.grand_total > 0:
        said.append("not invoiced in full")
    kept = order.amount("total_paid") > order.amount("total_refunded")
    if "missing_creditmemos" in wanted and placed.state in ENDED and kept:
        said.append("paid and ended, but not refunded")
    if "stuck_in_processing" in wanted and placed.state == "processing" and order.moment("updated_at") < youngest:
        said.append("in processing for long")
    mapping = {str(one) for one in (options.get("status_mapping") or {}).values()}
    if "status_mismatch" in wanted and mapping and placed.status not in mapping:
        said.append(f"its status {placed.status!r} is none of the status mapping")
    return ", ".join(said) or None
