"""Who an order is placed for: the addresses as a cart takes them, and the customer of the shop, if there is one.

What Magento demands and the source may lack: a telephone number, a first and a last name. A dash stands in for each
(a company's name for its last name); a country, a town, a street and an e-mail are never made up. A region is sent with
Magento's own id where the country has regions and the source names one. Where Magento is configured to demand a region
(Stores > Configuration > General > General > State Options; from 2.4 also for some countries of Europe) and the source
has none, it refuses the address, and the sentence says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connector import AccessDenied, Known, Options, Payload, RecordFailed
from connector.magento.answers import NotFound, Refused
from connector.magento.carts import rows
from connector.magento.client import MagentoClient, criteria
from connector.records import Address, Order
from connector.settings import ident

NOTHING = "-"  # for what Magento demands and nobody knows
STREET_LINES = 4  # as many as a shop can be set to show


def email(record: Order) -> str:
    """Raises RecordFailed when the order has none: Magento makes no order without it."""
    shipping = record.shipping.email if record.shipping else None
    found = (record.customer.email or record.billing.email or shipping or "").strip()
    if not found:
        raise RecordFailed(
            f"Order {record.number} has no e-mail address, and Magento makes no order without one. Enter one in the order's "
            "billing address."
        )
    return found


def fitted(given: Address, options: Options) -> Address:
    """With each field where the settings want it in the shop, and a prefix by the gender."""
    told = {
        "company": given.company,
        "firstname": given.first_name,
        "lastname": given.last_name,
        **{name: given.extra.get(name) for name in ("care_of", "contact_person", "post_number")},
    }
    places: dict[str, list[str]] = {}
    for name, place in (options.get("address_field_mapping") or {}).items():
        if text := _clean(str(told.get(name) or "")):
            places.setdefault(place, []).append(text)

    def joined(place: str, before: str | None = None) -> str | None:
        return " ".join(filter(None, [_clean(before), *places.get(place, ())])) or None

    prefix = joined("prefix", given.prefix) or (options.get("gender_mapping") or {}).get(given.extra.get("gender"))
    return replace(
        given,
        company=joined("company"),
        first_name=joined("firstname"),
        middle_name=joined("middlename", given.middle_name),
        last_name=joined("lastname"),
        prefix=prefix,
        suffix=joined("suffix", given.suffix),
        street=(*given.street, *places.get("street", ())),
    )


def address(client: MagentoClient, record: Order, given: Address, *, delivery: bool = False) -> Payload:
    """As a cart takes it. Raises RecordFailed naming what is missing."""
    street = [line.strip() for line in given.street if line.strip()]
    what = ""
    if not _clean(given.country):
        what = "a country"
    elif not _clean(given.city):
        what = "a town"
    elif not street:
        what = "a street"
    if what:
        text = "delivery address" if delivery else "billing address"
        raise RecordFailed(f"Order {record.number}: its {text} lacks {what}, and Magento makes no order without.")
    country = str(given.country).strip().upper()
    if len(street) > STREET_LINES:
        street[STREET_LINES - 1 :] = [", ".join(street[STREET_LINES - 1 :])]
    first, last = _clean(given.first_name), _clean(given.last_name) or _clean(given.company)
    optional = {
        "prefix": given.prefix,
        "middlename": given.middle_name,
        "suffix": given.suffix,
        "company": given.company,
        "fax": given.fax,
        "vat_id": given.vat_id,
        "postcode": given.postcode,
    }
    return {
        "firstname": first or NOTHING,
        "lastname": last or NOTHING,
        "street": street,
        "city": str(given.city).strip(),
        "country_id": country,
        "telephone": _clean(given.phone) or NOTHING,
        "email": email(record),
        **{name: value.strip() for name, value in optional.items() if value and value.strip()},
        **_region(client, country, given),
        "save_in_address_book": 0,
    }


def _clean(text: str | None) -> str:
    return (text or "").strip()


def _region(client: MagentoClient, country: str, given: Address) -> Payload:
    """Region, code and id by Magento's own list; as text where Magento has no such one."""
    names = {_clean(one).casefold() for one in (given.region, given.region_code) if _clean(one)}
    if not names:
        return {}
    plain = {"region": _clean(given.region) or _clean(given.region_code)}
    try:
        found = client.ask("GET", f"directory/countries/{country}").data
    except NotFound:
        return plain
    regions = found.get("available_regions") if isinstance(found, Mapping) else None
    for one in regions if isinstance(regions, list) else ():
        if isinstance(one, Mapping) and {str(one.get(key)).casefold() for key in ("code", "name")} & names:
            id = str(one.get("id"))
            known = {"region": one.get("name"), "region_code": one.get("code")}
            return {**known, "region_id": int(id)} if id.isdigit() else plain
    return plain


# the customer


def customer(
    client: MagentoClient,
    record: Order,
    known: Known,
    options: Options,
    store: Mapping[str, Any],
    name: str,
    book: Sequence[Payload] = (),
) -> str | None:
    """The id of the shop's customer with this e-mail in the website of the store view (`store`: its facts, `name`: its
    name), made where there is none and settings allow it; None: the order is placed for a guest.

    `book`: billing and delivery address as the cart takes them, for the address book of a new customer.
    Magento writes a welcome mail to a customer that is made by REST, and no call can say otherwise.
    """
    mail, website = email(record), str(store.get("website_id") or "")
    make = bool(options.get("create_customer"))
    try:
        found = _find(client, mail, website)
    except (AccessDenied, NotFound):
        if make:
            raise
        found = None  # nobody asked for accounts: the integration need not have the right to see them
    if found or not make or (record.customer.guest and not options.get("create_customer_for_guest")):
        return found
    with known.hold("magento customer", f"{website}:{mail.casefold()}"):
        return _find(client, mail, website) or _create(client, record, known, options, store, name, book)


def _find(client: MagentoClient, mail: str, website: str) -> str | None:
    query = criteria([("email", "eq", mail)], size=20, page=1, fields="items[id,email,website_id],total_count")
    for one in rows(client.some("customers/search", query)):
        here = not website or str(one.get("website_id")) == website
        if here and str(one.get("email")).casefold() == mail.casefold():
            return str(one.get("id"))
    return None


def _booked(book: Sequence[Payload]) -> list[Payload]:
    """Addresses as an address book takes them; one that is both stands in it once."""
    billing, shipping = book[0], book[-1]
    told = [{**billing, "default_billing": True, "default_shipping": shipping == billing}]
    if shipping != billing:
        told.append({**shipping, "default_billing": False, "default_shipping": True})
    for one in told:
        region = {key: one.pop(key) for key in ("region", "region_code", "region_id") if key in one}
        for key in ("email", "save_in_address_book"):
            one.pop(key, None)
        if region:
            one["region"] = region
            one |= {"region_id": region["region_id"]} if "region_id" in region else {}
    return told


def _create(
    client: MagentoClient,
    record: Order,
    known: Known,
    options: Options,
    store: Mapping[str, Any],
    name: str,
    book: Sequence[Payload],
) -> str | None:
    who, where = record.customer, fitted(record.billing, options)
    made: Payload = {
        "email": email(record),
        "firstname": _clean(who.first_name) or _clean(where.first_name) or NOTHING,
        "lastname": _clean(who.last_name) or _clean(where.last_name) or _clean(where.company) or NOTHING,
    }
    for field, value in (("prefix", who.prefix or where.prefix), ("taxvat", who.vat_id or where.vat_id)):
        if _clean(value):
            made[field] = _clean(value)
    for field, value in (
        ("group_id", _group(record, options)),
        ("website_id", store.get("website_id")),
        ("store_id", store.get("store_id")),
    ):
        if value is not None and str(value).isdigit():
            made[field] = int(str(value))
    if book and options.get("create_address"):
        made["addresses"] = _booked(book)
    try:
        answer = client.ask("POST", "customers", body={"customer": made}, reference=record.number).data
    except Refused as error:
        if found := _find(client, email(record), str(store.get("website_id") or "")):
            return found  # made meanwhile, by an earlier attempt or by the customer
        known.note(
            f"Magento does not make a customer in the store view {name!r}, so the order is placed for a guest: {error}"
        )
        return None
    id = answer.get("id") if isinstance(answer, Mapping) else None
    if id is None:
        raise RecordFailed(
            f"Order {record.number}: Magento answered the new customer without an id: {str(answer)[:80]}"
        )
    return str(id)


def _group(record: Order, options: Options) -> Any:
    rows = {ident(key): value for key, value in (options.get("customer_group_mapping") or {}).items()}
    own = None if record.customer.group is None else rows.get(ident(record.customer.group))
    return own or options.get("default_customer_group")
