"""Orders of one merchant: read by the time of their release, open ones again and again, accepted once they are stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property

from connector import (
    Entry,
    Found,
    InDoubt,
    Known,
    Options,
    Page,
    Payload,
    RecordFailed,
    Resource,
    RetryLater,
    SkipRecord,
    StopRun,
    Written,
)
from connector.records import Order
from connector.refurbed import parsing, sweep
from connector.refurbed.account import demand
from connector.refurbed.answers import NotFound
from connector.refurbed.client import Outcome, RefurbedClient
from connector.refurbed.reading import Fields, fingerprint, moment
from connector.refurbed.shapes import PAGE_SIZE
from connector.settings import STATUSES, Choices, Settings, setting

SERVICE = "OrderService"
LIST = sweep.List(
    service=SERVICE,
    method="ListOrders",
    name="orders",
    time="released_at",
    still_open=("NEW", "ACCEPTED"),
    recent=timedelta(days=60),
)
DECIDING = frozenset(("confirm", "reject"))  # procedures that accept or refuse orders in place of this


class SourceOptions(Settings):
    """Which orders are taken."""

    state_filter = setting(
        Choices("order_status", side="source"),
        section=STATUSES,
        label="Import orders in state",
        help="Leave blank to import all. It decides what is imported; what was imported is kept up to date.",
        default=["NEW", "ACCEPTED"],
    )


class Orders(Resource):
    """Orders as a source. refurbed lists only what is released, ready to be fulfilled."""

    entity = "order"
    label = "Orders"
    SourceOptions = SourceOptions
    settles = False

    client: RefurbedClient

    @property
    def start(self) -> datetime | None:
        """Nothing that was released before is imported."""
        made: datetime | None = self.connector.account.settings.get("order_import_from")
        return made

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        """By `released_at`, then open and recent orders again (see `sweep`)."""
        demand(self.connector, "order_import")
        size = int(options.get("page_size") or PAGE_SIZE)
        for rows, mark in sweep.pages(self.client, LIST, since, sweep.lower_bound(options, self.start), size):
            yield Page(records=[self._found(row) for row in rows], mark=mark)

    def get(self, key: str) -> Found | None:
        payload = self.payload(key)
        return None if payload is None else self._found(payload)

    def _found(self, row: Payload) -> Found:
        """An order that is to be accepted is another version of itself: nothing else changes when a procedure that
        decided about it is gone."""
        made = found(row)
        open = any(item.text("state") == "NEW" for item in Fields(f"order {made.key}", row).rows("items"))
        return replace(made, version=f"{made.version}:accept") if open and not self.decided else made

    @cached_property
    def decided(self) -> bool:
        """Whether an event procedure accepts or rejects orders in place of this; asked once for a run."""
        return self._deciding()

    def _deciding(self) -> bool:
        return bool(DECIDING & set(self.host.procedures()))

    def number(self, number: str) -> Found | None:
        """The number that people use is the id."""
        demand(self.connector, "order_import")
        return self.get(number) if _is_id(number) else None

    def latest(self, count: int) -> Sequence[Found]:
        demand(self.connector, "order_import")
        rows: list[Payload] = []
        listing = self.client.rows(
            SERVICE, LIST.method, LIST.name, {}, by="RELEASED_AT", order="DESC", limit=min(count, PAGE_SIZE), most=count
        )
        for page in listing:
            rows += page
        return [self._found(row) for row in rows[:count]]

    def parse(self, payload: Payload) -> Order:
        order = parsing.order(payload)
        self.host.learn("payment_method", [Entry(id=order.payment.method, name=order.payment.method)])
        return order

    def admits(self, record: Order, options: Options) -> None:
        if self.start is not None and record.created_at < self.start:
            raise SkipRecord(
                f"order {record.number} was released on {record.created_at:%Y-%m-%d %H:%M} UTC, before 'Import orders "
                "from' of the connection",
                only_new=True,
            )
        wanted = {str(one) for one in options.get("state_filter") or ()}
        if wanted and record.status not in wanted:
            raise SkipRecord(
                f"state {record.status} is not in 'Import orders in state'", setting="state_filter", only_new=True
            )

    # after the import

    def awaits(self, record: Order) -> bool:
        return not self.decided and "NEW" in record.extra["states"].values()

    def acknowledge(self, record: Order, written: Written, known: Known, options: Options) -> str | None:
        """Accept all NEW items, unless an event procedure decides about it. An item is accepted once: after doubt the
        order is read first, and what is refused is believed only when it was looked at.

        Raises RetryLater, InDoubt, RecordFailed naming each item that could not be accepted.
        """
        new = [key for key, state in record.extra["states"].items() if state == "NEW"]
        if not new:
            return None
        if self._deciding():  # asked anew: one may have been switched on since the order was read
            return "It is accepted or rejected at refurbed by event procedure."
        if known.doubt or known.finished or known.attempt > 1:
            states = self._states(record.key)
            new = [key for key in new if states.get(key) == "NEW"]
        made = self.client.batch(
            "BatchUpdateOrderItemsState",
            [{"id": key, "state": "ACCEPTED"} for key in new],
            reference=record.number,
        )
        refused = [one for one in made if one.error is not None]
        if refused:
            self._tell_refused(record, refused, len(made) - len(refused))
        accepted = len(made) - len(refused)
        if not accepted:
            return None
        return f"Items accepted at refurbed: {accepted}."

    def _tell_refused(self, record: Order, refused: Sequence[Outcome], accepted: int) -> None:
        """Raise what the items mean that were not accepted; return when each of them is decided already."""
        for one in refused:
            if isinstance(one.error, StopRun):
                raise one.error
        states = self._states(record.key)
        left = [one for one in refused if states.get(one.id) == "NEW"]
        if not left:
            return
        names = {line.key: line.name for line in record.lines}
        items = "; ".join(f"{names.get(one.id, 'item')} ({one.id}): {one.error}" for one in left)
        total = accepted + len(refused)
        said = f"Order {record.number}: {len(left)} of {total} items could not be accepted at refurbed: {items}"
        if any(isinstance(one.error, InDoubt) for one in left):
            raise InDoubt(said)
        if any(isinstance(one.error, RetryLater) for one in left):
            raise RetryLater(said)
        raise RecordFailed(said)

    def _states(self, key: str) -> dict[str, str | None]:
        """The states of an order's items as they are now."""
        payload = self.payload(key)
        if payload is None:
            raise RecordFailed(f"Order {key} no longer exists at refurbed.")
        return {item.needed("id"): item.text("state") for item in Fields(f"order {key}", payload).rows("items")}

    def payload(self, key: str) -> Payload | None:
        """The order as it is now; None when there is none."""
        if not _is_id(key):
            raise RecordFailed(f"Order {key!r} has no id of refurbed, so it cannot be fetched.")
        try:
            data = self.client.ask(SERVICE, "GetOrder", {"id": key}, reference=key)
        except NotFound:
            return None
        made = data.get("order")
        if not isinstance(made, dict) or str(made.get("id")) != key:
            raise RetryLater(f"{self.client.account.name}: refurbed answered oddly when asked for its order {key}")
        return made


def found(row: Payload) -> Found:
    key = str(row["id"])
    return Found(
        key=key,
        number=key,
        version=fingerprint(row),
        updated_at=moment(str(row.get("released_at"))),
        payload=dict(row),
    )


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 19
