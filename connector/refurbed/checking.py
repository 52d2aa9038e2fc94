"""The connection test, in words: address, token, and each right that the imports need. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector import AccessDenied, ConnectorError, Finding, RetryLater, StopRun, Unreachable
from connector.refurbed.account import no_token
from connector.refurbed.answers import TokenRefused
from connector.refurbed.client import RefurbedClient

ONE: Mapping[str, Any] = {"pagination": {"limit": 1}}
CARRIERS = ("ShippingProfileService", "ListAvailableCarriers")
RIGHTS: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
    ("AfterShip carriers", *CARRIERS, {}),
    ("Orders", "OrderService", "ListOrders", ONE),
    ("Returns", "OrderItemReturnService", "ListOrderItemReturns", ONE),
)


def check(client: RefurbedClient) -> list[Finding]:
    return list(_findings(client))


def _findings(client: RefurbedClient) -> Iterator[Finding]:
    name, chosen = client.account.name, client.account.settings.get("carrier")
    if not client.token:
        yield Finding(name="Token", ok=False, message=no_token(name))
        return
    tried: list[Finding] = []
    slugs: set[str] = set()
    for label, service, method, body in RIGHTS:
        try:
            data = client.ask(service, method, body, tries=2)
            if label == "AfterShip carriers":
                slugs = {slug for slug, _ in listed(data)}
        except TokenRefused as error:
            yield Finding(name="Address", ok=True, message=f"{name}: refurbed answers at {client.base_url}.")
            yield Finding(name="Token", ok=False, message=str(error))
            return
        except AccessDenied as error:
            tried.append(Finding(name=label, ok=False, message=str(error)))
        except (Unreachable, StopRun, RetryLater) as error:
            yield Finding(name="Address", ok=False, message=str(error))
            return
        except ConnectorError as error:
            tried.append(Finding(name=label, ok=False, message=f"This list cannot be read: {error}"))
        else:
            tried.append(Finding(name=label, ok=True, message="May be read."))
    yield Finding(name="Address", ok=True, message=f"{name}: refurbed answers at {client.base_url}.")
    yield Finding(name="Token", ok=True, message="The token is accepted.")
    yield from tried
    if chosen and slugs and str(chosen) not in slugs:
        yield Finding(
            name="AfterShip carrier",
            ok=False,
            message=f"The carrier '{chosen}' is not among those that refurbed offers. Select another one.",
        )


def listed(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Slug and name of each carrier."""
    for one in data.get("carriers") or ():
        if isinstance(one, Mapping) and one.get("slug"):
            yield str(one["slug"]), str(one.get("name") or one["slug"])
