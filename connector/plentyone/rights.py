"""The connection test: address, login, and each right that an export needs, in words. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector import AccessDenied, ConnectorError, Finding, RecordFailed, RetryLater, StopRun, Unreachable
from connector.plentyone.answers import NotFound
from connector.plentyone.client import PlentyClient
from connector.plentyone.sessions import Strange

ONE: Mapping[str, Any] = {"page": 1, "itemsPerPage": 1}
NOTES = "/rest/comments/order/1"  # whether there is such an order or not
RIGHTS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("Orders", "/rest/orders", ONE),
    ("Contacts", "/rest/accounts/contacts", ONE),
    ("Addresses", "/rest/accounts/addresses", ONE),
    ("Payments", "/rest/payments", ONE),
    ("Variations", "/rest/items/variations", ONE),
    ("Notes", NOTES, {}),
    ("Order statuses", "/rest/orders/statuses", {}),
    ("Payment methods", "/rest/payments/methods", {}),
    ("Referrers", "/rest/orders/referrers", {}),
    ("Shipping profiles", "/rest/orders/shipping/presets", {}),
    ("Shipping countries", "/rest/orders/shipping/countries", {}),
    ("Clients (web stores)", "/rest/webstores", {}),
    ("Warehouses", "/rest/stockmanagement/warehouses", {}),
    ("VAT", "/rest/vat", ONE),
)


def check(client: PlentyClient) -> list[Finding]:
    return list(_findings(client))


def _findings(client: PlentyClient) -> Iterator[Finding]:
    name = client.account.name
    try:
        client.session.forget_refusal()
        client.session.token()
    except Unreachable as error:
        yield Finding(name="Address", ok=False, message=str(error))
        return
    except Strange as error:
        yield Finding(name="Address", ok=False, message=str(error))
        return
    except AccessDenied as error:
        yield Finding(name="Address", ok=True, message=f"{name}: PlentyONE answers at {client.base_url}.")
        yield Finding(name="Login", ok=False, message=str(error))
        return
    except StopRun as error:
        yield Finding(name="Address", ok=False, message=str(error))
        return
    except RetryLater as error:
        yield Finding(name="Login", ok=False, message=str(error))
        return
    yield Finding(name="Address", ok=True, message=f"{name}: PlentyONE answers at {client.base_url}.")
    yield Finding(
        name="Login", ok=True, message=f"The user {client.account.settings['username']!r} is logged in over REST."
    )
    for label, path, query in RIGHTS:
        try:
            client.call("GET", path, query=query, tries=2)
        except RecordFailed as error:
            if path == NOTES and isinstance(error, NotFound):
                yield Finding(name=label, ok=True, message="May be read.")
                continue
            yield Finding(name=label, ok=False, message=f"This list cannot be read: {error}")
        except ConnectorError as error:
            yield Finding(name=label, ok=False, message=str(error))
        else:
            yield Finding(name=label, ok=True, message="May be read.")
