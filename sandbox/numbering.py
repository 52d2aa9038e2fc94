"""The numbers of an invented shop's records."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(kw_only=True)
class Numbers:
    """The next free number of everything that is numbered; order numbers begin with their store's."""

    order: int = 1
    item: int = 1
    address: int = 1
    history: int = 1
    quote: int = 501
    gift: int = 1
    increments: dict[int, int] = field(default_factory=dict)

    @classmethod
    def after(cls, orders: Sequence[dict[str, Any]]) -> "Numbers":
        """Those that follow on what these orders use."""
        numbers = cls()
        for order in orders:
            numbers.order = max(numbers.order, int(order["entity_id"]) + 1)
            numbers.quote = max(numbers.quote, int(order.get("quote_id") or 0) + 1)
            numbers.address = max(numbers.address, int(order.get("billing_address_id") or 0) + 1)
            for item in order["items"]:
                numbers.item = max(numbers.item, int(item.get("item_id") or 0) + 1)
            for entry in order.get("status_histories") or []:
                numbers.history = max(numbers.history, int(entry.get("entity_id") or 0) + 1)
            store, number = order.get("store_id"), str(order.get("increment_id"))
            if isinstance(store, int) and re.fullmatch(r"\d+", number):
                numbers.increments[store] = max(numbers.increments.get(store, 0), int(number) + 1)
        return numbers

    def take(self, name: str) -> int:
        value: int = getattr(self, name)
        setattr(self, name, value + 1)
        return value

    def increment(self, store: int) -> str:
        value = self.increments.get(store, store * 100_000_000 + 1)
        self.increments[store] = value + 1
        return str(value)
