"""The lists of one shop: websites, stores, store views, customer groups; and what can only be learned from its orders.

REST lists no order statuses, payment methods or shipping methods (section 0, finding 7); only Commerce as a Cloud
Service lists its statuses. The mapping screens need them before the first order is read, so the newest orders are asked.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from connector import Catalogue, ConnectorError, Entry, Payload, StopRun
from connector.magento.answers import PageTooLarge
from connector.magento.client import MagentoClient, criteria

log = logging.getLogger(__name__)

CATALOGUES = (
    Catalogue(kind="website", label="Websites"),
    Catalogue(kind="store_group", label="Stores"),
    Catalogue(kind="store", label="Store views"),
    Catalogue(kind="customer_group", label="Customer groups"),
    Catalogue(kind="order_status", label="Order statuses", learned=True),
    Catalogue(kind="payment_method", label="Payment methods", learned=True),
    Catalogue(kind="shipping_method", label="Shipping methods", learned=True),
    Catalogue(kind="prefix", label="Name prefixes", learned=True),
)
STATUSES = {
    "pending": "Pending",
    "pending_payment": "Pending payment",
    "processing": "Processing",
    "fraud": "Suspected fraud",
    "payment_review": "Payment review",
    "holded": "On hold",
    "complete": "Complete",
    "closed": "Closed",
    "canceled": "Canceled",
}  # what every shop begins with; merchants add their own
ADMIN = 0  # the id of the back office's own website, store and view: no order belongs to it
GROUP_PAGE = 100
NEWEST = 50
CODES = (
    "items[status,customer_group_id,billing_address[prefix],shipping_description,payment[method],extension_attributes[payment_additional_info[key,value],"
    "shipping_assignments[shipping[method]]]]"
)


def collect(client: MagentoClient) -> Iterator[tuple[str, list[Entry]]]:
    """Websites, store groups, store views and customer groups. A store view's id is its code."""
    yield "website", [_entry(one, website_id=one.get("id")) for one in _objects(client, "store/websites")]
    websites = _codes_by_id(client, "store/websites")
    yield (
        "store_group",
        [
            _entry(
                one,
                group_id=one.get("id"),
                website=websites.get(str(one.get("website_id"))),
                default_store_id=one.get("default_store_id"),
            )
            for one in _objects(client, "store/storeGroups")
        ],
    )
    yield "store", store_views(client)
    yield (
        "customer_group",
        [
            Entry(id=str(one.get("id")), name=str(one.get("code") or one.get("id")), extra=_tax_class(one))
            for one in _groups(client)
        ],
    )


def store_views(client: MagentoClient) -> list[Entry]:
    """By code. `extra`: store_id, website and group as codes, and the view's configuration (currencies, locale ...)."""
    websites, groups = _codes_by_id(client, "store/websites"), _codes_by_id(client, "store/storeGroups")
    configs = {str(one.get("id")): one for one in _objects(client, "store/storeConfigs")}
    return [
        _entry(
            one,
            store_id=one.get("id"),
            website=websites.get(str(one.get("website_id"))),
            group=groups.get(str(one.get("store_group_id"))),
            active=bool(one.get("is_active", 1)),
            **_config(configs.get(str(one.get("id")), {})),
        )
        for one in _objects(client, "store/storeViews")
        if one.get("code")
    ]


def _entry(one: Mapping[str, Any], **extra: Any) -> Entry:
    code = str(one.get("code") or one.get("id"))
    return Entry(id=code, name=str(one.get("name") or code), extra=extra)


def _codes_by_id(client: MagentoClient, route: str) -> dict[str, str]:
    return {str(one.get("id")): str(one.get("code") or one.get("id")) for one in _objects(client, route)}


def _objects(client: MagentoClient, route: str) -> list[dict[str, Any]]:
    data = client.ask("GET", route).data
    if not isinstance(data, list):
        raise StopRun(f"{client.account.name}: GET {route} answered without a list: {str(data)[:120]}")
    return [one for one in data if isinstance(one, dict) and str(one.get("id")) != str(ADMIN)]


def _groups(client: MagentoClient) -> Iterator[dict[str, Any]]:
    """All customer groups. Sorted by `id`, the name that the REST field `id` has in this collection (Swagger)."""
    seen: set[str] = set()
    page, size = 1, GROUP_PAGE
    while True:
        query = criteria(sort=[("id", "ASC")], size=size, page=page)
        try:
            items, total = client.rows("customerGroups/search", query)
        except PageTooLarge as error:
            if page > 1 or not error.limit or error.limit >= size:
                raise
            size = error.limit
            continue
        fresh = [one for one in items if isinstance(one, dict) and str(one.get("id")) not in seen]
        yield from fresh
        seen.update(str(one.get("id")) for one in fresh)
        if not fresh or (total is not None and len(seen) >= total):
            return
        page += 1


def _config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "locale": config.get("locale"),
        "currency": config.get("default_display_currency_code"),
        "base_currency": config.get("base_currency_code"),
        "timezone": config.get("timezone"),
        "weight_unit": config.get("weight_unit"),
        "base_url": config.get("secure_base_url") or config.get("base_url"),
    }


def _tax_class(one: Mapping[str, Any]) -> dict[str, Any]:
    return {"tax_class_id": one.get("tax_class_id"), "tax_class": one.get("tax_class_name")}


# what is learned


def first_codes(client: MagentoClient) -> dict[str, list[Entry]]:
    """What the mapping screens can offer before any order was read: usual statuses, and the codes of the newest orders.

    An order list that fails is no reason to collect nothing: what is missing is learned while orders are read.
    """
    usual = [Entry(id=code, name=name) for code, name in STATUSES.items()]
    found: dict[str, dict[str, Entry]] = {"order_status": _unseen(usual)}
    try:
        if client.saas:
            found["order_status"] = _unseen(_statuses(client)) or found["order_status"]
        query = criteria(sort=[("entity_id", "DESC")], size=NEWEST, page=1, fields=CODES)
        rows, _ = client.rows("orders", query, tries=1)
    except ConnectorError as error:
        log.info("%s: no codes from the newest orders: %s", client.account.name, error)
        rows = []
    for kind, entry in codes(row for row in rows if isinstance(row, dict)):
        known = found.setdefault(kind, {}).get(entry.id)
        if known is None or known.extra:  # an order has it: it is no longer merely usual
            found[kind][entry.id] = Entry(id=entry.id, name=known.name if known else entry.name)
    return {kind: list(entries.values()) for kind, entries in found.items()}


def _unseen(entries: Iterable[Entry]) -> dict[str, Entry]:
    """Entries that may be mapped, though no order is known to have them."""
    return {one.id: Entry(id=one.id, name=one.name, extra={"seen": False}) for one in entries}


def _statuses(client: MagentoClient) -> list[Entry]:
    """Only Commerce as a Cloud Service lists them; a status of several states is listed several times."""
    found: dict[str, Entry] = {}
    for one in _objects(client, "order-statuses"):
        if code := str(one.get("status") or ""):
            found.setdefault(code, Entry(id=code, name=str(one.get("label") or code)))
    return list(found.values())


def codes(payloads: Iterable[Payload]) -> Iterator[tuple[str, Entry]]:
    """Status, customer group, name prefix, payment and shipping method of orders, with the names that the orders give."""
    for payload in payloads:
        status, payment, billing = (payload.get(name) for name in ("status", "payment", "billing_address"))
        extension = payload.get("extension_attributes")
        extension = extension if isinstance(extension, dict) else {}
        if isinstance(status, str) and status:
            yield "order_status", Entry(id=status, name=STATUSES.get(status) or status.replace("_", " ").capitalize())
        for kind, value in (
            ("customer_group", payload.get("customer_group_id")),
            ("prefix", billing.get("prefix") if isinstance(billing, dict) else None),
        ):
            if id := str("" if value is None else value).strip():
                yield kind, Entry(id=id, name=id)
        if isinstance(payment, dict) and isinstance(payment.get("method"), str) and payment["method"]:
            titles = [
                one["value"].strip()
                for one in _dicts(extension.get("payment_additional_info"))
                if one.get("key") == "method_title" and isinstance(one.get("value"), str) and one["value"].strip()
            ]
            yield "payment_method", Entry(id=payment["method"], name=(titles or [payment["method"]])[0])
        for one in _dicts(extension.get("shipping_assignments")):
            shipping = one.get("shipping")
            method = shipping.get("method") if isinstance(shipping, dict) else None
            if isinstance(method, str) and method:
                yield "shipping_method", Entry(id=method, name=str(payload.get("shipping_description") or method))


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
