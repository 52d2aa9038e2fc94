"""What is set up in one PlentyONE system: statuses, payment methods, web stores, VAT rates and the like.

Each reader takes the rows of one list and makes entries of them; ids are normalised, names are in the language of the
admin (English, else German). Shapes as in the vendor's REST guide.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector import AccessDenied, Catalogue, ConnectorError, Entry, Payload, RecordFailed, StopRun
from connector.plentyone.client import PlentyClient
from connector.plentyone.shapes import amount, flag, key_of, rows, same, wording
from connector.settings import ident

log = logging.getLogger(__name__)

CATALOGUES = (
    Catalogue(kind="order_status", label="Order statuses"),
    Catalogue(kind="payment_method", label="Payment methods"),
    Catalogue(kind="shipping_profile", label="Shipping profiles"),
    Catalogue(kind="referrer", label="Referrers"),
    Catalogue(kind="webstore", label="Clients (web stores)"),
    Catalogue(kind="warehouse", label="Warehouses"),
    Catalogue(kind="country", label="Countries"),
    Catalogue(kind="vat", label="VAT configurations"),
    Catalogue(kind="contact_class", label="Contact classes"),
    Catalogue(kind="order_property", label="Order properties"),
    Catalogue(kind="return_reason", label="Return reasons"),
    Catalogue(kind="return_status", label="Return item statuses"),
    Catalogue(kind="language", label="Languages"),
    Catalogue(kind="package_type", label="Packages"),
    Catalogue(kind="tag", label="Tags"),
)

LANGUAGES = {
    "de": "German", "en": "English", "bg": "Bulgarian", "fr": "French", "it": "Italian", "es": "Spanish",
    "tr": "Turkish", "nl": "Dutch", "pl": "Polish", "nn": "Norwegian", "da": "Danish", "se": "Swedish",
    "cz": "Czech", "ru": "Russian", "sk": "Slovak", "cn": "Chinese", "vn": "Vietnamese", "pt": "Portuguese",
    "ro": "Romanian",
}  # fmt: skip
"""PlentyONE's own codes, some unlike ISO 639."""


@dataclass(frozen=True)
class Listing:
    """How one catalogue is read. `needed`: orders cannot be exported without it."""

    kind: str
    path: str
    read: Callable[[Payload], Entry | None]
    query: Mapping[str, Any] = field(default_factory=dict)
    paged: bool = False
    needed: bool = True


def _named(row: Payload, *names: str, **extra: Any) -> Entry | None:
    id = key_of(row, "id", "statusId")
    if id is None:
        return None
    translated = next(
        (said for name in ("names", "parcelServicePresetNames") if (said := wording(row.get(name)))), None
    )
    plain = next((str(row[name]) for name in names if row.get(name)), None)
    return Entry(id=id, name=translated or plain or id, extra={k: v for k, v in extra.items() if v is not None})


def _status(row: Payload) -> Entry | None:
    made = _named({**row, "id": row.get("statusId", row.get("id"))}, "name", "backendName", color=row.get("color"))
    return made and Entry(id=made.id, name=f"[{made.id}] {made.name}", extra=made.extra)


def _payment_method(row: Payload) -> Entry | None:
    return _named(row, "name", "paymentKey", plugin_key=row.get("pluginKey"), payment_key=row.get("paymentKey"))


def _referrer(row: Payload) -> Entry | None:
    """`filterable` False: it is not visible in selections, so nobody has activated it."""
    shown = row.get("isFilterable")
    filterable = None if shown is None else flag(shown)
    return _named(row, "backendName", "name", public=row.get("name") or None, filterable=filterable)


def _webstore(row: Payload) -> Entry | None:
    id = key_of(row, "storeIdentifier", "plentyId")
    if id is None:
        return None
    set_up = row.get("configuration")
    set_up = set_up if isinstance(set_up, Mapping) else {}
    name = str(row.get("name") or set_up.get("name") or id)
    extra = {"currency": set_up.get("defaultCurrency"), "language": set_up.get("defaultLanguage")}
    return Entry(id=id, name=name, extra={key: str(value) for key, value in extra.items() if value})


def _vat(row: Payload) -> Entry | None:
    """A country's rates at one location. `rates` maps the field index (vatField) to percent, both as text."""
    id = key_of(row)
    if id is None:
        return None
    rates = {
        ident(rate.get("id", index)): ident(percent)
        for index, rate in enumerate(rows(row.get("vatRates")))
        if (percent := amount(rate.get("vatRate"))) is not None
    }
    country, location = key_of(row, "countryId"), key_of(row, "locationId")
    told = ", ".join(f"{rate} %" for rate in dict.fromkeys(rates.values()))
    extra = {
        "country_id": country,
        "location_id": location,
        "started_at": row.get("startedAt"),
        "invalid_from": row.get("invalidFrom"),
        "standard": row.get("isStandard") in (True, 1, "1"),
        "digital": row.get("isRestrictedToDigitalItems") in (True, 1, "1"),
        "rates": rates,
    }
    return Entry(id=id, name=f"Country {country}, location {location}: {told or 'no rates'}", extra=extra)


def _country(row: Payload) -> Entry | None:
    states = [
        {
            "id": key_of(state),
            "name": str(state.get("name") or ""),
            "codes": [str(state[code]).upper() for code in ("isoCode", "isoCode3166") if state.get(code)],
        }
        for state in rows(row.get("states"))
    ]
    iso2, iso3 = (str(row[name]).upper() if row.get(name) else None for name in ("isoCode2", "isoCode3"))
    return _named(row, "name", "isoCode2", iso2=iso2, iso3=iso3, states=states or None)


def _reason(row: Payload) -> Entry | None:
    said = wording(row.get("names"), "reason", "status")
    plain = row.get("reason") or row.get("status")
    id = key_of(row)
    return Entry(id=id, name=said or str(plain or id)) if id is not None else None


LISTINGS = (
    Listing("order_status", "/rest/orders/statuses", _status),
    Listing("payment_method", "/rest/payments/methods", _payment_method),
    Listing("referrer", "/rest/orders/referrers", _referrer),
    Listing("webstore", "/rest/webstores", _webstore),
    Listing("warehouse", "/rest/stockmanagement/warehouses", lambda row: _named(row, "name")),
    Listing("country", "/rest/orders/shipping/countries", _country, {"with": "states"}),
    Listing("vat", "/rest/vat", _vat, paged=True),
    Listing("contact_class", "/rest/accounts/contacts/classes", lambda row: _named(row, "name"), needed=False),
    Listing("order_property", "/rest/orders/properties/types", lambda row: _named(row, "name"), needed=False),
    Listing("return_reason", "/rest/returns/reasons", _reason, needed=False),
    Listing("return_status", "/rest/returns/status", _reason, needed=False),
    Listing("package_type", "/rest/orders/shipping/package_types", lambda row: _named(row, "name"), needed=False),
    Listing("tag", "/rest/tags", lambda row: _named(row, "name", "tagName"), needed=False),
)
PROFILES = Listing(
    "shipping_profile",
    "/rest/orders/shipping/presets",
    lambda row: _named(row, "backendName", "name"),
    {"with": "parcelServicePresetNames"},
)
PROVIDERS = "/rest/orders/shipping/shipping_service_providers"


def collect(client: PlentyClient) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
    """Every catalogue. A list that may not be read is told at the end, when all others have been fetched.

    Raises StopRun naming the lists without which no order can be exported.
    """
    client.session.token()  # a refused login is one trouble, not one of every list
    yield "language", [Entry(id=code, name=name) for code, name in LANGUAGES.items()]
    failed: list[str] = []
    for listing in (*LISTINGS, PROFILES):
        try:
            found = _profiles(client) if listing is PROFILES else _read(client, listing)
        except (AccessDenied, RecordFailed) as error:
            log.warning("%s could not be collected: %s", listing.kind, error)
            if listing.needed:
                failed.append(str(error))
            yield listing.kind, error
            continue
        yield listing.kind, found
    if failed:
        raise StopRun("Not everything could be collected. " + " ".join(failed))


def _read(client: PlentyClient, listing: Listing) -> list[Entry]:
    found: dict[str, Entry] = {}
    for row in _rows(client, listing):
        entry = listing.read(row)
        if entry is not None:
            found[entry.id] = entry
    return list(found.values())


def referrers(client: PlentyClient) -> list[Entry]:
    """The order referrers as they are now."""
    return _read(client, next(one for one in LISTINGS if one.kind == "referrer"))


def _rows(client: PlentyClient, listing: Listing) -> Iterable[Payload]:
    if listing.kind == "contact_class":
        return _classes(client.find(listing.path, listing.query))
    return client.entries(listing.path, listing.query, paged=listing.paged)


def _classes(data: Any) -> list[Payload]:
    """Contact classes also come as an object or array of names: {"1": "Private customers"}."""
    found = rows(data)
    if found or data is None:
        return found
    if isinstance(data, Mapping):
        return [{"id": id, "name": name} for id, name in data.items() if isinstance(name, str)]
    return [{"id": index, "name": name} for index, name in enumerate(data, 1) if isinstance(name, str)]


def _profiles(client: PlentyClient) -> list[Entry]:
    """Shipping profiles, each with its carrier's name: "DHL parcel (DHL)"."""
    providers = {key_of(row): row for row in client.entries(PROVIDERS, paged=False)}
    found: list[Entry] = []
    for row in client.entries(PROFILES.path, PROFILES.query, paged=False):
        entry = PROFILES.read(row)
        if entry is None:
            continue
        provider = providers.get(key_of(row, "parcelServiceId"))
        if provider is not None:
            carrier = wording(provider.get("names")) or provider.get("backendName") or provider.get("name")
            extra = {**entry.extra, "carrier": str(carrier or ""), "provider_id": key_of(row, "parcelServiceId")}
            name = f"{entry.name} ({carrier})" if carrier and str(carrier) not in entry.name else entry.name
            entry = Entry(id=entry.id, name=name, extra=extra)
        if not any(same(entry.id, one.id) for one in found):
            found.append(entry)
    return found
