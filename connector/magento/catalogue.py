"""What a shop has to offer for mappings: websites, store groups, store views, customer groups. Also the connection test.

There is no list of order statuses, payment methods or shipping methods in Magento's REST: those are learned from orders.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connector import AccessDenied, ConnectorError, Entry, Finding, RetryLater, StopRun, Unreachable
from connector.magento.client import MagentoClient
from connector.magento.cursor import criteria

RIGHTS = (
    ("Orders", "/orders", "Magento_Sales::actions_view"),
    ("Stores", "/store/storeViews", "Magento_Backend::store"),
    ("Customer groups", "/customerGroups/search", "Magento_Customer::group"),
)
ADMIN_STORE = "admin"
CLOCK_SECONDS = 120


def rows(client: MagentoClient, path: str) -> list[Mapping[str, Any]]:
    answer = client.call("GET", client.rest(path)).data
    return [one for one in answer if isinstance(one, Mapping)] if isinstance(answer, list) else []


def stores(client: MagentoClient) -> list[Entry]:
    """Store views by code; `extra` has store_id, website, group, locale, currencies and time zone."""
    websites = {str(one.get("id")): str(one.get("code")) for one in rows(client, "/store/websites")}
    groups = {str(one.get("id")): str(one.get("name")) for one in rows(client, "/store/storeGroups")}
    configured = {str(one.get("code")): one for one in rows(client, "/store/storeConfigs")}
    made = []
    for one in rows(client, "/store/storeViews"):
        code = str(one.get("code"))
        if code == ADMIN_STORE:
            continue
        config = configured.get(code, {})
        extra = {
            "store_id": str(one.get("id")),
            "website": websites.get(str(one.get("website_id"))),
            "group": groups.get(str(one.get("store_group_id"))),
            "locale": config.get("locale"),
            "base_currency": config.get("base_currency_code"),
            "currency": config.get("default_display_currency_code"),
            "timezone": config.get("timezone"),
        }
        made.append(Entry(id=code, name=str(one.get("name") or code), extra=extra))
    return made


def collect(client: MagentoClient) -> Iterator[tuple[str, list[Entry]]]:
    websites = [one for one in rows(client, "/store/websites") if one.get("code") != ADMIN_STORE]
    yield (
        "website",
        [
            Entry(
                id=str(one["code"]), name=str(one.get("name") or one["code"]), extra={"website_id": str(one.get("id"))}
            )
            for one in websites
        ],
    )
    groups = [one for one in rows(client, "/store/storeGroups") if str(one.get("id")) != "0"]
    yield "store_group", [Entry(id=str(one["id"]), name=str(one.get("name") or one["id"])) for one in groups]
    yield "store", stores(client)
    yield "customer_group", customer_groups(client)


def customer_groups(client: MagentoClient) -> list[Entry]:
    made: dict[str, Entry] = {}
    page = 1
    while True:
        query = [pair for pair in criteria([], size=100, sort=("id",)) if "currentPage" not in pair[0]]
        query.append(("searchCriteria[currentPage]", str(page)))
        answer = client.call("GET", client.rest("/customerGroups/search"), query=query).data
        items = answer.get("items") or [] if isinstance(answer, Mapping) else []
        fresh = [one for one in items if str(one.get("id")) not in made]
        made.update({str(one["id"]): Entry(id=str(one["id"]), name=str(one.get("code") or one["id"])) for one in fresh})
        if not fresh or len(made) >= int(answer.get("total_count") or 0):
            return list(made.values())
        page += 1


def check(client: MagentoClient) -> list[Finding]:
    """Host, login and each right, in words. The first finding is the host and login."""
    findings: list[Finding] = []
    for name, path, right in RIGHTS:
        query = criteria([], size=1) if path in ("/orders", "/customerGroups/search") else None
        try:
            client.call("GET", client.rest(path), query=query, tries=1)
        except AccessDenied as error:
            if "lacks the right" in str(error) and not findings:
                findings.append(Finding(name="Login", ok=True, message="The shop answers and knows the credentials."))
            findings.append(Finding(name=name if findings else "Login", ok=False, message=f"{error} ({right})"))
            if "lacks the right" not in str(error):
                return findings
        except (Unreachable, StopRun) as error:
            return [*findings, Finding(name="Host", ok=False, message=str(error))]
        except RetryLater as error:
            return [*findings, Finding(name="Host", ok=False, message=f"The shop does not answer properly: {error}")]
        except ConnectorError as error:
            text = f"{error} Is the base address the shop's own, and is /rest reachable?"
            findings.append(Finding(name=name, ok=False, message=text))
        else:
            if not findings:
                findings.append(Finding(name="Login", ok=True, message="The shop answers and knows the credentials."))
            findings.append(Finding(name=name, ok=True, message=f"{name} can be read ({right})."))
    if abs(client.clock_offset) > CLOCK_SECONDS:
        text = f"The shop's clock differs from ours by {client.clock_offset:.0f} seconds; signatures may be refused."
        findings.append(Finding(name="Clock", ok=False, message=text))
    return findings
