"""Which variation of PlentyONE an article number (SKU) is. Asked once, then remembered by all processes.

The shared memory is kept in a few dozen facts, so that one read brings the answers for many articles. What was not
found is believed for minutes only: a person may be creating it.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import quote

from connector import ConnectorError, RetryLater, StopRun
from connector.plentyone.client import BATCH_LARGEST, BatchRefused, Operation, PlentyClient
from connector.plentyone.shapes import key_of, rows

log = logging.getLogger(__name__)

VARIATIONS = "/rest/items/variations"
SHELVES = 32
FOUND_SECONDS = 86_400.0
MISSING_SECONDS = 300.0
FEW = 3  # so many are asked one by one: a batch costs the scarcer write budget


class Variations:
    """The memory of one connection, for several threads."""

    def __init__(self, client: PlentyClient) -> None:
        self.client = client
        self.host = client.host
        self._shelves: dict[int, dict[str, Any]] = {}
        self._guard = threading.Lock()

    def id(self, sku: str) -> str | None:
        """The variation's id; asks PlentyONE when nobody knows. None: there is no such variation."""
        entry = self._remembered(sku)
        if entry is None:
            self.learn([sku])
            entry = self._remembered(sku)
        return str(entry[0]) if entry and entry[0] is not None else None

    def learn(self, skus: Iterable[str]) -> None:
        """Look up all that nobody knows yet, by as few calls as this system allows."""
        unknown = [sku for sku in dict.fromkeys(skus) if self._remembered(sku) is None]
        if unknown:  # another process may have asked since
            with self._guard:
                for number in {_shelf(sku) for sku in unknown}:
                    self._shelves.pop(number, None)
            unknown = [sku for sku in unknown if self._remembered(sku) is None]
        while unknown:
            group, unknown = unknown[:BATCH_LARGEST], unknown[BATCH_LARGEST:]
            self._keep(self._ask(group))

    def forget(self, skus: Collection[str]) -> None:
        """An id was refused: ask again next time."""
        for number, names in self._by_shelf(skus).items():
            self._change(number, lambda old, names=names: {k: v for k, v in old.items() if k not in names})

    # asking

    def _ask(self, group: list[str]) -> dict[str, str | None]:
        each = self.client.traits().get("batch_cost") == "each"
        if len(group) > FEW and self.client.batches and not each:
            try:
                return self._ask_batch(group)
            except (BatchRefused, StopRun) as error:
                log.info("variations are looked up one by one: %s", error)
        return {sku: self._ask_one(sku) for sku in group}

    def _ask_batch(self, group: list[str]) -> dict[str, str | None]:
        operations = [
            Operation("GET", f"{VARIATIONS}?numberExact={quote(sku, safe='', errors='replace')}") for sku in group
        ]
        contents = self.client.batch(operations)
        found: dict[str, str | None] = {}
        for sku, content in zip(group, contents, strict=True):
            try:
                data = self.client.part(f"variation {sku}", content)
            except RetryLater:
                raise
            except ConnectorError:
                data = None
            listed = rows(data)
            # an answer about another article is no answer: ask for this one alone
            mine = not listed or any(_numbered(row, sku) for row in listed)
            found[sku] = _pick(listed, sku) if data is not None and mine else self._ask_one(sku)
        return found

    def _ask_one(self, sku: str) -> str | None:
        return _pick(rows(self.client.find(VARIATIONS, {"numberExact": sku})), sku)

    # remembering

    def _remembered(self, sku: str) -> list[Any] | None:
        entry = self._shelf(_shelf(sku)).get(sku)
        if entry is None:
            return None
        age = self.host.now().timestamp() - float(entry[1])
        return entry if age < (MISSING_SECONDS if entry[0] is None else FOUND_SECONDS) else None

    def _shelf(self, number: int) -> dict[str, Any]:
        shelf = self._shelves.get(number)
        if shelf is None:
            shelf = self._shelves[number] = dict(self.host.state.read(f"variations:{number}") or {})
        return shelf

    def _keep(self, found: Mapping[str, str | None]) -> None:
        now = round(self.host.now().timestamp())
        for number, skus in self._by_shelf(found).items():
            news = {sku: [found[sku], now] for sku in skus}
            self._change(number, lambda old, news=news: {**old, **news})

    def _change(self, number: int, change: Any) -> None:
        made = self.host.state.change(f"variations:{number}", lambda old: change(old or {}))
        with self._guard:
            self._shelves[number] = dict(made or {})

    def _by_shelf(self, skus: Iterable[str]) -> dict[int, list[str]]:
        shelves: dict[int, list[str]] = defaultdict(list)
        for sku in skus:
            shelves[_shelf(sku)].append(sku)
        return shelves


def _shelf(sku: str) -> int:
    return zlib.crc32(sku.encode(errors="replace")) % SHELVES


def _numbered(row: Mapping[str, Any], sku: str) -> bool:
    number = row.get("number")
    return number is None or str(number) == sku or str(number).casefold() == sku.casefold()


def _pick(listed: list[dict[str, Any]], sku: str) -> str | None:
    """The row with this very number; letters may differ in case when none is exact."""
    exact = [row for row in listed if str(row.get("number")) == sku]
    close = [row for row in listed if row.get("number") is not None and _numbered(row, sku)]
    silent = listed if len(listed) == 1 and listed[0].get("number") is None else []
    found = exact or close or silent
    return key_of(found[0]) if found else None
