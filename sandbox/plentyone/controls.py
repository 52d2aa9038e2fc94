"""What a test may do to the tenant behind the API's back."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sandbox.plentyone import channel, warehouse
from sandbox.plentyone.orders import reckon, set_status, shown, touch
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, number
from sandbox.plentyone.warehouse import named

EVERYTHING = {
    *("addresses", "payments", "comments", "contactReceiver", "documents", "shippingPackages"),
    *("shippingInformation", "originOrderReferences", "orderItems.serialNumbers", "orderItems.transactions"),
}


def _body(body: Any) -> Record:
    if not isinstance(body, dict):
        raise ValueError("This action takes an object.")
    return body


def orders(tenant: Tenant, body: Any) -> Any:
    return [shown(tenant, order, EVERYTHING) for order in tenant.orders.values()]


def order(tenant: Tenant, body: Any) -> Any:
    return shown(tenant, named(tenant, body), EVERYTHING)


def change_status(tenant: Tenant, body: Any) -> Any:
    """A person changes the status of an order in the back end."""
    found = named(tenant, body)
    status = number(_body(body).get("statusId"))
    if status is None or status not in {Decimal(row["statusId"]) for row in tenant.statuses}:
        raise ValueError(f"There is no status {_body(body).get('statusId')!r}.")
    set_status(tenant, found, status, 1)
    touch(tenant, found)
    return shown(tenant, found, set())


def lock(tenant: Tenant, body: Any) -> Any:
    """A tax document locks an order; with `"locked": false` it is taken away again."""
    found = named(tenant, body)
    found["lockStatus"] = "reversibleLocked" if _body(body).get("locked", True) else "unlocked"
    touch(tenant, found)
    return shown(tenant, found, set())


def forbid(tenant: Tenant, body: Any) -> Any:
    """Take the user a right: calls whose path matches the glob answer 403."""
    given = _body(body)
    if not isinstance(given.get("permission"), str) or not isinstance(given.get("path"), str):
        raise ValueError("forbid takes a permission and a path.")
    tenant.forbidden.append((given["permission"], given["path"]))
    return [{"permission": permission, "path": path} for permission, path in tenant.forbidden]


def allow(tenant: Tenant, body: Any) -> Any:
    """Give one right back, or all when none is named."""
    permission = (body or {}).get("permission")
    tenant.forbidden = [row for row in tenant.forbidden if permission is not None and row[0] != permission]
    return [{"permission": name, "path": path} for name, path in tenant.forbidden]


def configure(tenant: Tenant, body: Any) -> Any:
    """Change settings; orders are reckoned anew."""
    result = tenant.settings.change(body)
    for each in tenant.orders.values():
        reckon(tenant, each)
    return result


def procedure(tenant: Tenant, body: Any) -> Any:
    """An event procedure of the tenant's own: an order that gets `statusId` goes on to `then` in the same second.

    `typeId` and `referrerId` narrow it, `name` is what the history says. `{"clear": true}` takes all away.
    """
    given = _body(body)
    if given.get("clear"):
        tenant.procedures.clear()
        return []
    known = {Decimal(row["statusId"]) for row in tenant.statuses}
    row: Record = {"id": tenant.next_id("procedure"), "name": str(given.get("name") or "Ereignisaktion")}
    for name in ("statusId", "then"):
        row[name] = number(given.get(name))
        if row[name] not in known:
            raise ValueError(f"There is no status {given.get(name)!r} for {name}.")
    row |= {"typeId": number(given.get("typeId")), "referrerId": number(given.get("referrerId"))}
    tenant.procedures.append(row)
    return tenant.procedures


def referrer(tenant: Tenant, body: Any) -> Any:
    """The back end's "Visible in selection" of the referrer `id`.

    No source says how it shows over REST: `"visible": false` turns `isFilterable` off, `"listed": false` leaves the
    referrer out of every list. Orders with it are taken all the same.
    """
    given = _body(body)
    wanted = number(given.get("id"))
    row = next((each for each in tenant.referrers if Decimal(each["id"]) == wanted), None)
    if row is None:
        raise LookupError(f"There is no referrer {given.get('id')!r}.")
    if "visible" in given:
        row["isFilterable"] = bool(given["visible"])
    if "listed" in given:
        (tenant.unlisted.discard if given["listed"] else tenant.unlisted.add)(row["id"])
    return {**row, "listed": row["id"] not in tenant.unlisted}


def status_history(tenant: Tenant, body: Any) -> Any:
    """Every change of status, also while the API refuses to show it."""
    wanted = None if body is None else named(tenant, body)["id"]
    return [row for row in tenant.status_history if wanted in (None, row["orderId"])]


def advance(tenant: Tenant, body: Any) -> Any:
    """Put the clock forward."""
    seconds = number(_body(body).get("seconds"))
    if seconds is None or seconds < 0:
        raise ValueError("advance takes a number of seconds from 0.")
    tenant.skipped += timedelta(seconds=float(seconds))
    return {"now": tenant.now}


def articles(tenant: Tenant, body: Any) -> Any:
    """Add articles by SKU and name; those that exist stay as they are."""
    known = {row["number"] for row in tenant.variations.values()}
    for row in _body(body).get("articles") or []:
        if row["sku"] not in known:
            tenant.add_variation(row["sku"], row.get("name") or row["sku"])
    return {"variations": len(tenant.variations)}


def contacts(tenant: Tenant, body: Any) -> Any:
    return list(tenant.contacts.values())


def addresses(tenant: Tenant, body: Any) -> Any:
    return list(tenant.addresses.values())


def payments(tenant: Tenant, body: Any) -> Any:
    return list(tenant.payments.values())


ACTIONS: dict[str, Callable[[Tenant, Any], Any]] = {
    "orders": orders,
    "order": order,
    "contacts": contacts,
    "addresses": addresses,
    "payments": payments,
    "set_status": change_status,
    "lock": lock,
    "forbid": forbid,
    "allow": allow,
    "configure": configure,
    "advance": advance,
    "procedure": procedure,
    "referrer": referrer,
    "status_history": status_history,
    "articles": articles,
    "place": channel.place,
    **warehouse.ACTIONS,
}
