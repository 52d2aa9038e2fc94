"""The orders of the shop as REST renders them, each with its bytes ready to send."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sandbox.magento.refusal import no_entity
from sandbox.message import to_json

CACHED = 10_000

Order = dict[str, Any]


def stamp(moment: datetime) -> str:
    """A moment as Magento writes it: UTC without a zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Orders:
    """Orders by entity_id. A payload is never changed in place: a change puts a copy in its stead."""

    def __init__(self, payloads: Iterable[Order] = ()) -> None:
        self._payloads: dict[int, Order] = {}
        self._encoded: OrderedDict[int, bytes] = OrderedDict()
        for payload in payloads:
            self.put(payload)

    def __len__(self) -> int:
        return len(self._payloads)

    def __contains__(self, entity_id: int) -> bool:
        return entity_id in self._payloads

    def all(self) -> Iterable[Order]:
        return self._payloads.values()

    def get(self, entity_id: int) -> Order:
        """Refused with 404 when there is none."""
        if entity_id not in self._payloads:
            raise no_entity()
        return self._payloads[entity_id]

    def find(self, wanted: dict[str, Any]) -> Order:
        """The order that a control body names by entity_id or increment_id; the newest when several share it."""
        if "entity_id" in wanted:
            found = self._payloads.get(int(wanted["entity_id"]))
            if found is not None:
                return found
            raise LookupError(f"There is no order with entity_id {wanted['entity_id']}.")
        number = str(wanted.get("increment_id", ""))
        for payload in reversed(self._payloads.values()):
            if str(payload.get("increment_id")) == number:
                return payload
        raise LookupError(f"There is no order with increment_id {number!r}.")

    def put(self, payload: Order) -> None:
        """Take a new order or a new version of one."""
        entity_id = int(payload["entity_id"])
        self._payloads[entity_id] = payload
        self._encoded.pop(entity_id, None)

    def remove(self, entity_id: int) -> None:
        del self._payloads[entity_id]
        self._encoded.pop(entity_id, None)

    def change(self, entity_id: int, mutate: Callable[[Order], None], touched: datetime | None = None) -> Order:
        """Put a changed copy in the order's stead; `touched` is the new updated_at, None leaves it."""
        payload = copy.deepcopy(self.get(entity_id))
        mutate(payload)
        if touched is not None:
            payload["updated_at"] = stamp(touched)
        self.put(payload)
        return payload

    def encoded(self, payload: Order) -> bytes:
        """The payload's JSON, kept for the next time."""
        entity_id = int(payload["entity_id"])
        known = self._encoded.get(entity_id)
        if known is None:
            known = self._encoded[entity_id] = to_json(payload).encode()
            if len(self._encoded) > CACHED:
                self._encoded.popitem(last=False)
        return known

    def highest(self, name: str) -> int:
        """The highest value of a number column, 0 without orders."""
        return max((int(payload.get(name) or 0) for payload in self.all()), default=0)


def address(payload: Order) -> dict[str, Any] | None:
    """The delivery address, where the order has one."""
    assignments = payload.get("extension_attributes", {}).get("shipping_assignments") or [{}]
    found = assignments[0].get("shipping", {}).get("address")
    return found if isinstance(found, dict) else None
