"""The test of a connection, in words: address, sign-in, each right that reading orders needs, and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connector import AccessDenied, ConnectorError, Finding, RetryLater, StopRun, Unreachable
from connector.magento.answers import NotFound, NotJson, ServerFault, Strange
from connector.magento.client import MagentoClient, criteria

CLOCK_SECONDS = 120.0  # a larger difference deserves a word; Magento refuses signatures 600 s in the future

STORES = ("Store views", "Magento_Backend::store", "store/storeViews", None)
ORDERS = (
    "Orders",
    "Magento_Sales::actions_view",
    "orders",
    criteria(sort=[("entity_id", "DESC")], size=1, page=1, fields="items[entity_id],total_count"),
)
GROUPS = ("Customer groups", "Magento_Customer::group", "customerGroups/search", criteria(size=1, page=1))
RIGHTS: tuple[tuple[str, str, str, Any], ...] = (STORES, ORDERS, GROUPS)


def check(client: MagentoClient) -> list[Finding]:
    """Address, sign-in, each right that reading orders needs, and the clock. Changes nothing, raises nothing."""
    return list(_findings(client))


def _findings(client: MagentoClient) -> Iterator[Finding]:
    if sentence := client.missing():
        yield Finding(name="Account", ok=False, message=sentence)
        return
    client.forget_refusal()
    refusals: list[str] = []
    tried: list[Finding] = []
    for label, right, route, query in RIGHTS:
        try:
            answer = client.ask("GET", route, query=query, tries=2)
            if not (isinstance(answer.data, list) or (isinstance(answer.data, dict) and "items" in answer.data)):
                raise StopRun(
                    f"{client.base_url} does not answer like Magento: GET {answer.path} gave {answer.excerpt(120)}. "
                    "Enter the shop's own address."
                )
        except Strange as error:
            yield Finding(name="Address", ok=False, message=str(error))
            return
        except AccessDenied as error:
            refusals.append(str(error))
            tried.append(Finding(name=label, ok=False, message=f"The right {right} is needed. {error}"))
            if "the right" not in str(error):  # the sign-in itself: the others would fail alike
                break
        except ServerFault as error:
            tried.append(Finding(name=label, ok=False, message=f"This list cannot be read: {error}"))
        except NotFound as error:
            if error.route:
                yield _no_route(client, route, error)
                return
            if error.strange:
                yield Finding(
                    name="Address",
                    ok=False,
                    message=f"{client.base_url} does not answer like Magento: {error}. Enter the shop's own address.",
                )
                return
            tried.append(Finding(name=label, ok=True, message=f"May be read (its newest entry cannot: {error})"))
        except (Unreachable, NotJson, RetryLater, StopRun) as error:
            yield Finding(name="Address", ok=False, message=str(error))
            return
        except ConnectorError as error:
            tried.append(Finding(name=label, ok=False, message=str(error)))
        else:
            tried.append(Finding(name=label, ok=True, message=f"May be read ({right})."))
    yield Finding(name="Address", ok=True, message=f"Magento answers at {client.base_url}.")
    signed_in = [said for said in refusals if "the right" not in said]
    if signed_in:
        yield Finding(name="Sign-in", ok=False, message=signed_in[0])
    else:
        yield Finding(name="Sign-in", ok=True, message=_signed_in(client, all_refused=len(refusals) == len(RIGHTS)))
        yield from tried
    yield _clock(client)


def _signed_in(client: MagentoClient, *, all_refused: bool) -> str:
    if client.auth == "oauth":
        said = "The OAuth signature"
    elif client.auth == "bearer":
        said = "The token"
    else:
        said = "The admin user"
    if all_refused:
        return f"{said} was not refused, but no right at all is granted."
    return f"{said} is accepted."


def _no_route(client: MagentoClient, route: str, error: NotFound) -> Finding:
    form = "saas" if client.saas else "paas"
    return Finding(
        name="Address",
        ok=False,
        message=f"Magento answers at {client.base_url}, but does not know {client.path(route)}: {error}. Is the address "
        f"form ({form}) right?",
    )


def _clock(client: MagentoClient) -> Finding:
    offset = client.clock_offset
    if abs(offset) <= CLOCK_SECONDS:
        return Finding(name="Clock", ok=True, message=f"The clocks differ by {abs(offset):.0f} seconds.")
    side = "ahead of" if offset > 0 else "behind"
    return Finding(
        name="Clock",
        ok=False,
        message=f"The shop's clock is {abs(offset):.0f} seconds {side} this server's. Set both by a time server: Magento "
        "refuses signatures that lie more than 600 seconds in its future.",
    )
