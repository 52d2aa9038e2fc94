"""What a system shows of its orders beside them: statuses they passed, new documents, serial numbers.

Orders can be watched without each of these, and then something is lost. So what was refused is asked for again after a
while only, the connection test names it, and each run says what it went without.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector import ConnectorError, Finding, RetryLater
from connector.plentyone.client import PlentyClient

log = logging.getLogger(__name__)

REFUSED_SECONDS = 3600.0  # what was refused is asked for again after so long
FAILURES = 3
SERIALS_WITH = ("orderItems.serialNumbers", "orderItems.transactions")
ONE: Mapping[str, Any] = {"page": 1, "itemsPerPage": 1}


@dataclass(frozen=True, kw_only=True)
class Sight:
    """One of them. `said`: what does not happen without it."""

    code: str
    label: str
    path: str
    query: Mapping[str, Any] = field(default_factory=lambda: ONE)
    said: str


HISTORY = Sight(
    code="history",
    label="Status history of orders",
    path="/rest/orders/status-history",
    said="The status history of orders cannot be read: of several statuses that an order takes between two readings "
    "only the last one is an event, the others lead to no event procedure. Grant the REST user the right to see the status "
    "history of orders, then test the connection.",
)
PAPERS = Sight(
    code="papers",
    label="List of new documents",
    path="/rest/orders/documents/find",
    said="New documents cannot be listed: an invoice is an event only once its order changes in another way. Grant the "
    "REST user the right to see the documents of orders, then test the connection.",
)
SERIALS = Sight(
    code="serials",
    label="Serial numbers of order items",
    path="/rest/orders",
    query={**ONE, "with[]": SERIALS_WITH},
    said="Serial numbers of order items cannot be read: procedures tell no IMEI or serial number, and no order is found "
    "by one. Grant the REST user the right to see the serial numbers of order items, then test the connection.",
)
ALL = (HISTORY, PAPERS, SERIALS)


def left(client: PlentyClient, one: Sight) -> bool:
    """Whether it was refused not long ago."""
    return client.host.now().timestamp() < float(client.traits().get(f"no_{one.code}_until") or 0)


def leave(client: PlentyClient, one: Sight, why: str) -> None:
    log.info("%s: %s is not told: %s", client.account.name, one.label, why)
    until = round(client.host.now().timestamp() + REFUSED_SECONDS)
    client.learn(**{f"no_{one.code}_until": until, f"no_{one.code}_why": why[:500]})


def failed(client: PlentyClient, one: Sight, why: str) -> bool:
    """Whether it failed in so many readings one after the other that they go without it from now on."""
    count = int(client.traits().get(f"{one.code}_failed") or 0) + 1
    if count < FAILURES:
        client.learn(**{f"{one.code}_failed": count})
        return False
    worked(client, one)
    leave(client, one, why)
    return True


def worked(client: PlentyClient, one: Sight) -> None:
    if client.traits().get(f"{one.code}_failed"):
        client.learn(**{f"{one.code}_failed": 0})


def lacks(client: PlentyClient) -> list[str]:
    """What is lost just now, with what the system said."""
    return [_in_words(one, client.traits().get(f"no_{one.code}_why")) for one in ALL if left(client, one)]


def _in_words(one: Sight, why: object) -> str:
    return f"{one.said} {why or ''}".strip()


def check(client: PlentyClient) -> Iterator[Finding]:
    """Ask for each; what may be read is asked for by the next run, too."""
    for one in ALL:
        try:
            client.call("GET", one.path, query=one.query, tries=2)
        except RetryLater as error:  # it says nothing of rights
            yield Finding(name=one.label, ok=False, message=str(error))
        except ConnectorError as error:
            leave(client, one, str(error))
            yield Finding(name=one.label, ok=False, message=_in_words(one, error))
        else:
            client.learn(**{f"no_{one.code}_until": 0})
            yield Finding(name=one.label, ok=True, message="May be read.")
