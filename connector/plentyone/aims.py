"""What the settings make of one order: its client, language, status, payment method, shipping profile, warehouse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector import Entry, Host, Missing, Options, RecordFailed, SkipRecord
from connector.plentyone.catalogues import CATALOGUES
from connector.plentyone.shapes import same
from connector.records import Order
from connector.settings import ident, mapped

NAMES = {one.kind: one.label for one in CATALOGUES}
WEB_SHOP = "1"  # the referrer that every system has
LATER = ("status_mapping", "referrer_id")  # only creating an order needs them


@dataclass(frozen=True, kw_only=True)
class Aim:
    """Where an order is to go. All ids as comparable texts."""

    plenty_id: str
    language: str
    currency: str | None  # the system currency, None when nobody knows it
    referrer: str
    status: str | None  # None: PlentyONE's own first status
    method: str
    pays: bool  # create a payment once something was paid
    unconfirmed: bool  # ... and one that awaits approval before
    profile: str
    warehouse: str


def set_value(value: Any) -> str | None:
    return None if value in (None, "") else ident(value)


def store_of(order: Order) -> str:
    return order.store or "default"


def plenty_id(order: Order, options: Options, host: Host) -> str | None:
    """The client (web store) of the order's store: as mapped, else the first one collected."""
    row = mapped(options, "store_mapping", order.store)
    if row and set_value(row.get("webstore")) is not None:
        return set_value(row["webstore"])
    return next((one.id for one in host.catalogue("webstore")), None)


def referrer_of(order: Order, options: Options, host: Host) -> str | None:
    """As set, else the one that bears the name of the market; None where PlentyONE has none of that name."""
    if (chosen := set_value(options.referrer_id)) is not None or order.channel is None:
        return chosen or WEB_SHOP
    entry = market(order.channel, host)
    return None if entry is None else ident(entry.id)


def market(channel: str, host: Host) -> Entry | None:
    """The order referrer of a market, by its name in the back end or its public one."""
    return named(channel, host.catalogue("referrer"))


def named(channel: str, referrers: Iterable[Entry]) -> Entry | None:
    wanted = channel.strip().casefold()
    for one in referrers:
        if wanted in (str(name).strip().casefold() for name in (one.name, one.extra.get("public"))):
            return one
    return None


def hidden(order: Order, options: Options, host: Host) -> str | None:
    """A sentence where the referrer of the market is not switched on in PlentyONE."""
    if order.channel is None or set_value(options.referrer_id) is not None:
        return None
    entry = market(order.channel, host)
    return None if entry is None else invisible(entry)


def invisible(entry: Entry) -> str | None:
    """A sentence where an order referrer is not switched on."""
    if entry.extra.get("filterable") is not False:
        return None
    return (
        f"The order referrer {entry.name} ({entry.id}) is not visible in PlentyONE: activate 'Visible in selection' under "
        "Setup » Orders » Order referrer, then collect the lists again."
    )


def missing(order: Order, options: Options, host: Host) -> list[Missing]:
    """Every required mapping that this order needs and the settings lack.

    A market's order goes on to states that its own event procedures bring about: those need no mapping, so that a status
    is asked for only when an order is created (`aim`).
    """
    if _unmapped(order, options):  # left out
        return []
    told = _lacking(order, options, host)
    return told if order.channel is None else [one for one in told if one.setting != "status_mapping"]


class Lists:
    """What was collected from PlentyONE, to see whether a set value is among it. A list that was not collected refuses
    nothing."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ids: dict[str, frozenset[str]] = {}

    def lack(self, kind: str, value: Any) -> bool:
        if set_value(value) is None:
            return False
        if kind not in self._ids:
            self._ids[kind] = frozenset(ident(one.id) for one in self._host.catalogue(kind))
        return bool(self._ids[kind]) and ident(value) not in self._ids[kind]


def unknown(order: Order, options: Options, lists: Lists) -> list[Missing]:
    """Every value of the settings that this order would use and that PlentyONE does not have: it would refuse the order
    when half of it is written."""
    if _unmapped(order, options):
        return []
    told: list[Missing] = []

    def look(kind: str, value: Any, setting: str, row: str | None = None) -> None:
        if lists.lack(kind, value):
            at = f"{setting}, {row}" if row else setting
            told.append(
                Missing(
                    f"{value!r} (setting '{at}') is not in the collected list of PlentyONE's {NAMES[kind]}; choose another "
                    "value, or collect the lists again",
                    setting,
                )
            )

    row = mapped(options, "store_mapping", order.store) or {}
    look("webstore", row.get("webstore"), "store_mapping", order.store)
    look("language", row.get("language"), "store_mapping", order.store)
    look("referrer", options.referrer_id, "referrer_id")
    status = mapped(options, "status_mapping", order.status)
    look("order_status", status, "status_mapping", order.status)
    method = (mapped(options, "payment_mapping", order.payment.method) or {}).get("method_id")
    look("payment_method", method, "payment_mapping", order.payment.method)
    profile = mapped(options, "shipping_mapping", order.shipping_method)
    if set_value(profile) is None:
        look("shipping_profile", options.default_shipping_profile, "default_shipping_profile")
    else:
        look("shipping_profile", profile, "shipping_mapping", order.shipping_method)
    look("warehouse", options.warehouse_id, "warehouse_id")
    guest = order.customer.guest
    if options.create_customer and (not guest or options.create_customer_for_guest):
        group = mapped(options, "customer_class_mapping", order.customer.group)
        if set_value(group) is None:
            look("contact_class", options.default_customer_class, "default_customer_class")
        else:
            look("contact_class", group, "customer_class_mapping", order.customer.group)
    for path, property in (options.attribute_mapping or {}).items():
        if order.attributes.get(path) not in (None, "", [], {}):
            look("order_property", property, "attribute_mapping", path)
    return told


def _lacking(order: Order, options: Options, host: Host) -> list[Missing]:
    store = store_of(order)
    told: list[Missing] = []
    if plenty_id(order, options, host) is None:
        told.append(Missing(f"store {store} is not mapped", "store_mapping"))
    if order.status is not None and set_value(mapped(options, "status_mapping", order.status)) is None:
        told.append(Missing(f"order status '{order.status}' of store {store} is not mapped", "status_mapping"))
    if referrer_of(order, options, host) is None:
        told.append(
            Missing(
                f"{order.channel} is not among PlentyONE's collected order referrers: activate it there under Setup » "
                "Orders » Order referrer and collect the lists again, or choose an order referrer",
                "referrer_id",
            )
        )
    row = mapped(options, "payment_mapping", order.payment.method)
    if not row or set_value(row.get("method_id")) is None:
        told.append(
            Missing(f"payment method '{order.payment.method}' of store {store} is not mapped", "payment_mapping")
        )
    if _profile(order, options) is None:
        told.append(
            Missing(
                f"default shipping profile of store {store} is not set, and shipping method "
                f"'{order.shipping_method or ''}' is not mapped",
                "default_shipping_profile",
            )
        )
    if set_value(options.warehouse_id) is None:
        told.append(Missing(f"main warehouse of store {store} is not set", "warehouse_id"))
    return told


def aim(order: Order, options: Options, host: Host, system_currency: str | None, *, exists: bool = False) -> Aim:
    """Raises SkipRecord for a store that is left out, RecordFailed naming each mapping that is missing.

    `exists`: it was exported before. Then it is kept up to date whatever is left out, and an unmapped status is no
    obstacle.
    """
    if _unmapped(order, options) and not exists:
        raise SkipRecord(f"store {store_of(order)} is not mapped", setting="only_mapped_stores")
    told = [one for one in _lacking(order, options, host) if not (exists and one.setting in LATER)]
    if told:
        raise RecordFailed(f"Order {order.number}: {'; '.join(told)}", setting=told[0].setting)
    store = mapped(options, "store_mapping", order.store) or {}
    row = mapped(options, "payment_mapping", order.payment.method)
    client, profile = plenty_id(order, options, host), _profile(order, options)
    assert client is not None
    assert profile is not None
    entry = next((one for one in host.catalogue("webstore") if same(one.id, client)), None)
    extra = entry.extra if entry else {}
    first = next(iter(host.catalogue("webstore")), None)
    currency = system_currency or (first.extra.get("currency") if first else None)
    pays = bool(options.create_payment) and row.get("create_payment", True) is not False
    return Aim(
        plenty_id=client,
        language=str(store.get("language") or extra.get("language") or "de"),
        currency=str(currency).strip().upper() if currency else None,
        referrer=referrer_of(order, options, host) or WEB_SHOP,
        status=set_value(mapped(options, "status_mapping", order.status)),
        method=ident(row["method_id"]),
        pays=pays,
        unconfirmed=pays and bool(row.get("submit_unconfirmed")),
        profile=profile,
        warehouse=ident(options.warehouse_id),
    )


def known_rate(order: Order, aim: Aim) -> Decimal | None:
    """Order currency per system currency: 1 where they are the same, None where the shop cannot know it."""
    if aim.currency is None or order.currency == aim.currency:
        return Decimal(1)
    return order.exchange_rate if order.base_currency in (None, aim.currency) else None


def _unmapped(order: Order, options: Options) -> bool:
    return bool(options.only_mapped_stores) and not mapped(options, "store_mapping", order.store)


def _profile(order: Order, options: Options) -> str | None:
    return set_value(mapped(options, "shipping_mapping", order.shipping_method)) or set_value(
        options.default_shipping_profile
    )
