"""Which of the shop's orders a record means. By stored link, by its own number and client, by its id; never by guess."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from connector import Counterpart, Entry, Known, Options, Payload, RecordFailed, SkipRecord
from connector.magento.client import MagentoClient, criteria
from connector.magento.reading import Fields
from connector.magento.stores import StoreViews
from connector.records import Order, OrderKind, cents
from connector.settings import mapped

CANDIDATES = 10


@dataclass(frozen=True, kw_only=True)
class Match:
    """`payload` where a look-up returned the whole order. `link` is how another profile knows it."""

    id: str
    payload: Payload | None = None
    link: Counterpart | None = None


def find(client: MagentoClient, stores: StoreViews, record: Order, known: Known, options: Options) -> Match | None:
    """The order of a sale, or of the sale that a child belongs to; None when the shop has none.

    Raises SkipRecord for what is another connection's, RecordFailed where several could be meant.
    """
    child = record.fulfilment.kind is not OrderKind.SALE
    own = known.refs.get("order_id" if child else "id") or None
    key = record.fulfilment.origin if child else record.key
    link = known.counterpart(key) if key else None
    if own:
        return Match(id=own, link=link)
    if link is not None and not link.ours:
        raise SkipRecord(
            f"order {record.number} belongs to the connection {link.connection!r} (profile {link.profile!r})"
        )
    if link is not None:
        return Match(id=link.key, link=link)
    if child:
        return None
    return _by_number(client, stores, record, known, options) or _by_id(client, record, known)


def _by_number(
    client: MagentoClient, stores: StoreViews, record: Order, known: Known, options: Options
) -> Match | None:
    number = record.fulfilment.number
    if not number:
        return None
    rows = [one for one in _rows(client, "increment_id", number, record) if _may_be(one, record)]
    if not rows:
        return None
    view = mapped(options, "store_mapping", record.store)
    if view is not None:
        here = [one for one in rows if (store := _store(stores, one)) is not None and store.id == view]
        if not here:
            if options.create_new_order and (twin := next((one for one in rows if _equal(one, record)), None)):
                store = _store(stores, twin)
                raise RecordFailed(
                    f"Order {number}: it is not placed in Magento, for the store view {store.name if store else '-'} has an "
                    f"order of this number over the same total already, and the store mapping says {view!r} for the client "
                    f"{record.store}. Correct the mapping if it is the same order; else enter this one by hand.",
                    setting="store_mapping",
                )
            return None
        rows = here
    elif len(rows) > 1:
        raise RecordFailed(
            f"Order {number}: the shop has {len(rows)} orders with this number, in several stores. Enter the client "
            f"{record.store} in the store mapping: it decides which one is meant.",
            setting="store_mapping",
        )
    else:
        if not _equal(rows[0], record):
            theirs, currency = _total(rows[0])
            raise RecordFailed(
                f"Order {number}: the shop's order of this number is over {theirs} {currency}, not over "
                f"{cents(record.grand_total)} {record.currency}; it may be another one. Enter the client {record.store} in "
                "the store mapping if it is the same: it decides.",
                setting="store_mapping",
            )
    return _free(rows[0], record, known)


def _total(row: Payload) -> tuple[Decimal, str | None]:
    order = Fields(f"Magento order {row.get('increment_id')}", row)
    return cents(order.amount("grand_total")), order.text("order_currency_code")


def _equal(row: Payload, record: Order) -> bool:
    return _total(row) == (cents(record.grand_total), record.currency)


def _by_id(client: MagentoClient, record: Order, known: Known) -> Match | None:
    """By what Magento calls the external id of an order."""
    rows = _rows(client, "ext_order_id", record.key, record)
    if len(rows) > 1:
        raise RecordFailed(f"Order {record.number}: {len(rows)} orders of the shop have the external id {record.key}.")
    return _free(rows[0], record, known) if rows else None


def _rows(client: MagentoClient, field: str, value: str, record: Order) -> list[Payload]:
    query = criteria([(field, "eq", value)], [("entity_id", "DESC")], size=CANDIDATES, page=1)
    rows = client.some("orders", query)
    # some shops compare as MySQL does: without regard to case and blanks at the end
    return [one for one in rows if isinstance(one, dict) and str(one.get(field)) == value and one.get("entity_id")]


def _may_be(row: Payload, record: Order) -> bool:
    """An order that was made for another one of theirs is not meant."""
    return str(row.get("ext_order_id") or record.key) == record.key


def _store(stores: StoreViews, row: Payload) -> Entry | None:
    return stores.find(None if row.get("store_id") is None else str(row["store_id"]))


def _free(row: Payload, record: Order, known: Known) -> Match:
    id = str(row["entity_id"])
    if known.taken(id):
        raise RecordFailed(
            f"Order {record.number}: the shop's order {row.get('increment_id')} belongs to another record already."
        )
    return Match(id=id, payload=row)
