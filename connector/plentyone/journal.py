"""Which statuses orders passed, and when: PlentyONE's status history, where a system tells it.

One listing serves all orders of a window; it is read after them, so that it never knows less than they do. Many systems
refuse it: then nothing is known of statuses in between, and it is not asked for again for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from connector import AccessDenied, Payload, RecordFailed, RetryLater, Unreachable
from connector.plentyone import sights
from connector.plentyone.client import PlentyClient
from connector.plentyone.reading import moment
from connector.plentyone.shapes import amount, key_of
from connector.settings import ident

LIST = sights.HISTORY.path
# what an order's payload keeps of it: [{"id": "9", "statusId": "5", "createdAt": "2026-05-19T14:55:15+00:00"}]
PASSED = "passed"
OVERLAP = timedelta(minutes=5)  # as of the orders themselves
ASTRAY = timedelta(days=2)  # a system that shows what is so far off does not understand the question


class Journal:
    """The statuses of one reading, by order."""

    def __init__(self, client: PlentyClient) -> None:
        self.client = client
        self._by_order: dict[str, dict[str, Payload]] = {}
        self._read_to: datetime | None = None

    def begin(self, at: datetime) -> None:
        """A new reading: nothing before this is asked for."""
        self._by_order = {}
        self._read_to = at

    def read(self, end: datetime) -> None:
        """All up to here that was not read yet. Raises RetryLater."""
        assert self._read_to is not None
        begin, self._read_to = self._read_to, max(self._read_to, end - OVERLAP)
        if end <= begin or not self.told:
            return
        query = {"createdAtFrom": _w3c(begin), "createdAtTo": _w3c(end)}
        self._keep(self._rows(LIST, query), begin, end)

    def read_one(self, key: str) -> None:
        if self.told:
            self._keep(self._rows(f"/rest/orders/{key}/status-history", {}, order=key))

    def of(self, order: Payload) -> list[Payload]:
        """What an order passed, oldest first. A time without a zone is in the one of the order's own times."""
        zone = _zone(order)
        found = []
        for id, row in self._by_order.get(str(key_of(order)), {}).items():
            at = _moment(row["createdAt"], zone)
            if at is not None:
                told = {"id": key_of(row), "statusId": row["statusId"], "createdAt": at.isoformat()}
                found.append((at, amount(id) or 0, told))
        return [told for _, _, told in sorted(found, key=lambda one: one[:2])]

    @property
    def told(self) -> bool:
        """Whether the system was not refusing it lately."""
        return not sights.left(self.client, sights.HISTORY)

    @property
    def tells(self) -> bool:
        """Whether an order without an entry will get one: some order had one, so the history is kept."""
        return self.told and bool(self._by_order or self.client.traits().get("history_tells"))

    def _rows(self, path: str, query: dict[str, str], *, order: str | None = None) -> Iterator[Payload]:
        """The entries that say what is needed. None where the system does not tell them."""
        try:
            for row in self.client.entries(path, query, must=True):
                of, status = key_of(row, "orderId") or order, key_of(row, "statusId")
                if of is not None and status is not None and amount(status) is not None and row.get("createdAt"):
                    yield {**row, "orderId": of, "statusId": status}
        except Unreachable:
            raise
        except (AccessDenied, RecordFailed) as error:
            sights.leave(self.client, sights.HISTORY, str(error))
        except RetryLater as error:
            if not sights.failed(self.client, sights.HISTORY, str(error)):
                raise
        else:
            sights.worked(self.client, sights.HISTORY)

    def _keep(self, rows: Iterable[Payload], begin: datetime | None = None, end: datetime | None = None) -> None:
        for row in rows:
            at = _moment(row["createdAt"], UTC)
            if at is None:
                continue
            if (begin and at < begin - ASTRAY) or (end and at > end + ASTRAY):
                why = f"{LIST} shows what it was not asked for: {row['createdAt']}"
                sights.leave(self.client, sights.HISTORY, why)
                self._by_order = {}
                return
            name = key_of(row) or f"{row['statusId']}@{row['createdAt']}"
            self._by_order.setdefault(ident(row["orderId"]), {})[name] = row
        if self._by_order:
            self.client.learn(history_tells=True)


def _moment(text: object, zone: tzinfo) -> datetime | None:
    made = moment(text)
    if made is None or datetime.fromisoformat(str(text).strip()).tzinfo is not None:
        return made
    return made.replace(tzinfo=zone).astimezone(UTC)


def _zone(order: Payload) -> tzinfo:
    for name in ("updatedAt", "createdAt"):
        try:
            zone = datetime.fromisoformat(str(order.get(name)).strip()).tzinfo
        except ValueError:
            continue
        if zone is not None:
            return zone
    return UTC


def _w3c(at: datetime) -> str:
    return at.astimezone(UTC).replace(microsecond=0).isoformat()
