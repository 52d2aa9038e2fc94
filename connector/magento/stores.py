"""Which store view an order belongs to: orders name it by number, settings by code."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from connector import Entry


class StoreViews:
    """The store views by their number. Taken from what was collected; asked of the shop, once, for one that is missing
    there (never collected, or opened since)."""

    def __init__(self, collected: Callable[[], Sequence[Entry]], fetch: Callable[[], Sequence[Entry]]) -> None:
        self._collected = collected
        self._fetch = fetch
        self._known: dict[str, Entry] | None = None
        self._fetched = False
        self._guard = threading.Lock()

    def find(self, store_id: str | None) -> Entry | None:
        """None for the number of a deleted view, or none. Raises what the call to the shop raises."""
        if store_id is None:
            return None
        with self._guard:
            if self._known is None:
                self._known = _by_number(self._collected())
            if store_id not in self._known and not self._fetched:
                self._known.update(_by_number(self._fetch()))
                self._fetched = True
            return self._known.get(store_id)


def _by_number(entries: Sequence[Entry]) -> dict[str, Entry]:
    return {str(one.extra["store_id"]): one for one in entries if one.extra.get("store_id") is not None}
