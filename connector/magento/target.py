"""Orders as a target: matched to the shop's own, or placed, and then brought up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from connector import Connector, Known, Missing, Options, Origin, Ref, Resource, RetryLater, SkipRecord, Written
from connector.magento import acting, carts, catalogue, matching, overdue, placing, pretending
from connector.magento.client import MagentoClient
from connector.magento.matching import Match
from connector.magento.options import OrderOptions
from connector.magento.stores import StoreViews
from connector.records import Order, OrderKind
from connector.settings import declared

ASKED = {
    "documents": ("invoice_document_condition", "shipment_document_condition", "credit_memo_document_condition"),
    "shipments": ("create_shipment",),
    "articles": ("create_new_order",),
}  # what the source has to load, by the settings that need it


class OrderTarget(Resource):
    """The verbs of a target. Ids of deliveries and credit notes carry their kind: "shipment/12", "creditmemo/33"."""

    TargetOptions = OrderOptions
    refs = (
        Ref(key="id", label="Magento Order ID"),
        Ref(key="number", label="Magento Number"),
        Ref(key="status", label="Magento Status"),
        Ref(key="state", label="Magento State"),
        Ref(key="invoice_id", label="Invoice ID"),
        Ref(key="shipment_ids", label="Shipment IDs"),
        Ref(key="tracks", label="Tracking Numbers", sought=True),
        Ref(key="creditmemo_id", label="Credit Memo ID"),
    )
    key_ref = "id"
    takes_back = True  # an order that was exported is answered

    client: MagentoClient

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self._stores = StoreViews(lambda: self.host.catalogue("store"), lambda: catalogue.store_views(self.client))

    @cached_property
    def _pretence(self) -> pretending.Pretence:
        return pretending.Pretence()

    def asks(self, options: Options) -> frozenset[str]:
        return frozenset(what for what, settings in ASKED.items() if any(options.get(one) for one in settings))

    def check(self, record: Order, options: Options) -> list[str]:
        """A list of statuses that is switched on and empty would mean every status or none: it has to be filled."""
        labels = {one.name: one.label for one in declared(OrderOptions)}
        return [
            Missing(f"'{labels[list(one.when)[-1]]}' is on, but '{one.label}' is empty", one.name)
            for one in declared(OrderOptions)
            if one.required and one.matters(options) and not options.get(one.name)
        ]

    def unsettled(
        self, options: Options, last: datetime | None, ours: Callable[[Sequence[str]], Collection[str]]
    ) -> Iterator[tuple[str, str]] | None:
        if not options.incomplete_detection_enabled:
            return None
        now = self.host.now()
        if last is not None and now - last < overdue.EVERY:
            return None
        return overdue.orders(self.client, options, now, ours)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        made = carts.pretended(method, path, body)
        return self._pretence.answer(method, path, body) if made is None else made

    def origins(self, method: str, path: str, body: Any, record: Order, options: Options) -> Mapping[str, Origin]:
        return pretending.origins(path, body, record)

    def write(self, record: Order, known: Known, options: Options) -> Written:
        story = record.fulfilment
        apart = story.kind is OrderKind.SALE and story.origin is not None
        if apart:
            # split off from another sale: of the shop's order it is a part that leaves for itself
            record = replace(record, fulfilment=replace(story, kind=OrderKind.DELIVERY))
        if (written := acting.settled(record, known, options)) is not None:
            return written
        match = None
        if not placing.unfinished(known):
            match = matching.find(self.client, self._stores, record, known, options)
        created = match is None
        if match is None:
            match = self._place(record, known, options)
        if self.client.dry is not None and not match.id.isdigit():
            return Written(key=match.id, created=True, message="The order would be placed.")
        if known.refs.get("placed") or (match.link is not None and match.link.refs.get("placed")):
            record = placing.of_shop(record)
        return acting.act(self.client, match, record, known, options, created=created, apart=apart)

    def _place(self, record: Order, known: Known, options: Options) -> Match:
        """A new order in the shop. Raises SkipRecord where the settings do not want one."""
        if record.fulfilment.kind is not OrderKind.SALE:
            if options.create_new_order and options.import_foreign_orders:  # its sale may be placed at any moment
                raise RetryLater(
                    f"{record.fulfilment.kind} {record.key} waits for its order {record.fulfilment.origin}, which the shop "
                    "does not have yet",
                    after=30.0,
                )
            raise SkipRecord(f"the shop has no order yet that the {record.fulfilment.kind} {record.key} belongs to")
        if not options.import_foreign_orders:
            raise SkipRecord(f"order {record.number} did not come from this shop", setting="import_foreign_orders")
        if not options.create_new_order:
            raise SkipRecord(
                f"the shop has no order {record.number}, and 'Create new orders' is off", setting="create_new_order"
            )
        return Match(id=placing.place(self, record, known, options))
