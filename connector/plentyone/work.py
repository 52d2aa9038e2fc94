"""One order on its way: what every step of writing it needs at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from connector import Host, Known, Options, RecordFailed, find_or_create
from connector.plentyone.aims import Aim
from connector.plentyone.client import PlentyClient
from connector.plentyone.shapes import wire
from connector.records import Order

FoundT = TypeVar("FoundT")


@dataclass(frozen=True, kw_only=True)
class Work:
    """The record, what is known of it, its settings resolved, and the system that it goes to."""

    order: Order
    known: Known
    options: Options
    aim: Aim
    client: PlentyClient
    host: Host
    lag: float  # seconds until PlentyONE's lists show a new record
    system: bool  # the order's currency is PlentyONE's system currency
    rate: Decimal | None  # order currency per system currency; None: nobody knows it
    doubt: bool  # an earlier attempt may have made what is still missing; ends with the first step made or found anew

    def sure(self) -> Work:
        """The same from here on: a step was just made or found that an earlier attempt had not come past."""
        return replace(self, doubt=False)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.find(path, query or None, self.order.number)

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return self.client.send(method, path, body, query or None, self.order.number)

    def ref(self, key: str) -> str | None:
        return self.known.refs.get(key) or None

    def rated(self) -> Decimal:
        """The exchange rate, where one is to be sent. Raises RecordFailed."""
        if self.rate is None:
            order = self.order
            raise RecordFailed(
                f"Order {order.number}: the shop sent no exchange rate of {order.currency} per {order.base_currency}, "
                f"and PlentyONE knows none of {order.currency}. Enter the rate of {order.currency} in PlentyONE."
            )
        return self.rate

    def once(
        self,
        what: str,
        find: Callable[[], FoundT | None],
        create: Callable[[], FoundT],
        *,
        doubt: bool | None = None,
        doubt_age: float | None = None,
    ) -> FoundT:
        """Create, but after doubt find first; the record's own doubt unless another is given."""
        return find_or_create(
            doubt=self.doubt if doubt is None else doubt,
            doubt_age=self.known.doubt_age if doubt_age is None else doubt_age,
            lag=self.lag,
            what=f"Order {self.order.number}: {what}",
            find=find,
            create=create,
        )


def number(id: str) -> Any:
    """An id inside a body; the made-up ids of a dry run stay texts."""
    return wire(id)
