"""The addresses of an order: built as PlentyONE wants them, created once, used again where the content is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from connector import ConnectorError, InDoubt, Link, Options, Payload, RecordFailed
from connector.plentyone.client import BatchRefused, Operation
from connector.plentyone.countries import Countries
from connector.plentyone.options import ADDRESS_FIELDS
from connector.plentyone.shapes import key_of, rows, same, valued, wire
from connector.plentyone.street import Street, post_number, split
from connector.plentyone.work import Work
from connector.records import Address, Order
from connector.settings import mapped

BILLING, DELIVERY = 1, 2  # address types
VAT_NUMBER, EXTERNAL_ID, PHONE, EMAIL, POST_NUMBER = 1, 2, 4, 5, 6  # option types
PLACES = ("name1", "name2", "name3", "name4", "address1", "address2", "address3", "address4")
CONTENT = ("gender", *PLACES, "postalCode", "town", "countryId", "stateId")


@dataclass(frozen=True)
class Wanted:
    """An address to be had: its body, and a digest of what it says (without the shop's id of it)."""

    type: int
    body: Payload
    digest: str


def wanted(order: Order, options: Options, countries: Countries) -> tuple[Wanted, Wanted]:
    """Billing and delivery. Raises RecordFailed for an unknown country or a missing town."""
    billing = _wanted(BILLING, order.billing, order, options, countries)
    if order.shipping is None:
        return billing, billing
    delivery = _wanted(DELIVERY, order.shipping, order, options, countries)
    return billing, billing if delivery.digest == billing.digest else delivery


def _wanted(type: int, address: Address, order: Order, options: Options, countries: Countries) -> Wanted:
    kind = "billing" if type == BILLING else "delivery"
    country = countries.id(address.country)
    if country is None:
        raise RecordFailed(
            f"Order {order.number}: PlentyONE has no country {address.country!r} (country of the {kind} address)"
        )
    town = (address.city or "").strip()
    if not town:
        raise RecordFailed(f"Order {order.number}: the {kind} address has no city; PlentyONE demands one")
    body: Payload = {}
    gender = mapped(options, "gender_mapping", (address.prefix or "").strip() or None)
    if gender:
        body["gender"] = gender
    parts = split(address.street, address.country)
    post, address = _posted(address, parts, options)
    body |= _places(address, options.address_field_mapping or ADDRESS_FIELDS, parts.street, parts.number, parts.more)
    body |= {"postalCode": (address.postcode or "").strip(), "town": town, "countryId": wire(country)}
    state = countries.state(address.country, address.region_code, address.region)
    if state is not None:
        body["stateId"] = wire(state)
    email = address.email or order.customer.email
    told = (
        (VAT_NUMBER, address.vat_id),
        (PHONE, address.phone),
        (EMAIL, email),
        (POST_NUMBER, post),
    )
    options_ = [{"typeId": option, "value": value} for option, value in told if value]
    digest = hashlib.sha256(json.dumps([body, options_], sort_keys=True, default=str).encode()).hexdigest()[:32]
    if address.key:
        options_.append({"typeId": EXTERNAL_ID, "value": address.key})
    if options_:
        body["options"] = options_
    return Wanted(type, body, digest)


def _posted(address: Address, parts: Street, options: Options) -> tuple[str | None, Address]:
    """The post number of a parcel locker's address, and the address without it where it was typed as the company."""
    if not parts.is_locker or parts.post_number:
        return parts.post_number, address
    told = address.extra.get(str(options.get("post_number_field") or "").strip())
    if told not in (None, ""):
        return "".join(str(told).split()), address
    typed = post_number(address.company)
    return typed, replace(address, company=None) if typed else address


def _places(
    address: Address, mapping: Mapping[str, str], street: str, house: str, more: Sequence[str]
) -> dict[str, str]:
    """name1 to address4, each from the fields that are mapped to it."""
    fields: dict[str, str | None] = {
        "company": address.company,
        "firstname": address.first_name,
        "middlename": address.middle_name,
        "lastname": address.last_name,
        "prefix": address.prefix,
        "suffix": address.suffix,
        "street": " ".join(address.street),
        "region": address.region,
        "phone": address.phone,
        "fax": address.fax,
        "vat_id": address.vat_id,
        "additional": address.additional,
    }
    filled: dict[str, list[str]] = {place: [] for place in PLACES}
    for name, place in mapping.items():
        value = fields.get(name, fields.get(name.replace("_", "")))
        if value is None:
            value = address.extra.get(name)
        if value not in (None, "") and place in filled:
            filled[place].append(str(value).strip())
    if address.additional and "additional" not in mapping:
        filled["name4"].append(address.additional.strip())
    if "street" not in mapping:
        for place, value in (
            ("address1", street),
            ("address2", house),
            ("address3", more[0] if more else ""),
            ("address4", ", ".join(more[1:])),
        ):
            if value:
                filled[place].append(value)
    return {place: " ".join(values) for place, values in filled.items()}


def bring(
    work: Work, contact: str | None, pair: tuple[Wanted, Wanted], *, gone: Container[str] = ()
) -> tuple[str, str]:
    """The ids of billing and delivery address, created where they do not exist yet.

    `gone`: ids that were known so far and were deleted in PlentyONE.
    """
    distinct = list({one.digest: one for one in pair}.values())
    if contact is None:
        found = _without_contact(work, distinct)
    else:
        linked = {one.digest: work.known.link("address", _key(contact, one)) for one in distinct}
        found = {digest: id for digest, id in linked.items() if id and id not in gone}
        if absent := [one for one in distinct if one.digest not in found]:
            found |= _of_contact(work, contact, absent, gone)
    return found[pair[0].digest], found[pair[1].digest]


def _key(contact: str, one: Wanted) -> str:
    return f"{contact}:{one.digest}"


def _of_contact(work: Work, contact: str, absent: Sequence[Wanted], gone: Container[str]) -> dict[str, str]:
    """Hold all addresses that are new (in one order, so that two writers never wait for each other) and create them."""
    found: dict[str, str] = {}
    links: dict[str, Link] = {}
    with ExitStack() as holds:
        for one in sorted(absent, key=lambda each: each.digest):
            link = holds.enter_context(work.known.hold("address", _key(contact, one)))
            if link.id and link.id not in gone:
                found[one.digest] = link.id
            else:
                links[one.digest] = link
        new = [one for one in absent if one.digest in links]
        doubtful = work.doubt or any(link.doubt for link in links.values())
        if len(new) > 1 and not doubtful and work.client.batches:
            found |= _batch(work, contact, new, links)
        for one in new:
            if one.digest in found:
                continue
            link = links[one.digest]
            age = min([link.doubt_age] * link.doubt + [work.known.doubt_age] * work.doubt, default=0.0)
            id = work.once(
                f"its {_kind(one)} address",
                lambda one=one: _look_up(work, contact, one),  # type: ignore[misc]
                lambda one=one: _create(work, contact, one),  # type: ignore[misc]
                doubt=link.doubt or work.doubt,
                doubt_age=age,
            )
            link.learn(id, one.digest)
            found[one.digest] = id
    return found


def _kind(one: Wanted) -> str:
    return "billing" if one.type == BILLING else "delivery"


def _path(contact: str) -> str:
    return f"/rest/accounts/contacts/{contact}/addresses"


def _create(work: Work, contact: str, one: Wanted) -> str:
    return _id(work, work.send("POST", _path(contact), one.body, typeId=one.type), one)


def _batch(work: Work, contact: str, new: Sequence[Wanted], links: Mapping[str, Link]) -> dict[str, str]:
    """Two new addresses by one call. What did not come back right is left to single calls, or is in doubt."""
    operations = [Operation("POST", f"{_path(contact)}?typeId={one.type}", one.body) for one in new]
    try:
        contents = work.client.batch(operations, work.order.number)
    except BatchRefused:
        return {}
    made: dict[str, str] = {}
    failure: ConnectorError | None = None
    answers: list[Any] = []
    for one, content in zip(new, contents, strict=True):
        try:
            answers.append(work.client.part(f"Order {work.order.number}: its {_kind(one)} address", content))
        except ConnectorError as error:
            failure = failure or error
    for one in new:
        data = next((data for data in answers if says(data, one.body)), None)
        if data is not None:
            answers.remove(data)
            made[one.digest] = _id(work, data, one)
            links[one.digest].learn(made[one.digest], one.digest)
    if failure is not None:
        raise failure
    if len(made) < len(new):
        raise InDoubt(f"Order {work.order.number}: the answer to its two addresses shows other addresses")
    return made


def _id(work: Work, data: Any, one: Wanted) -> str:
    id = key_of(data) if isinstance(data, Mapping) else None
    if id is None:
        raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to its {_kind(one)} address has no id")
    return id


def says(found: Any, body: Payload) -> bool:
    """Whether an address of PlentyONE says what the body says (empty and absent are the same)."""
    if not isinstance(found, Mapping):
        return False
    for name in CONTENT:
        ours, theirs = body.get(name), found.get(name)
        if name not in found or (name == "stateId" and ours is None):
            continue
        if name in ("countryId", "stateId"):
            if not same(ours, theirs):
                return False
        elif str(ours or "").strip() != str(theirs or "").strip():
            return False
    listed = rows(found.get("options"))
    return not listed or all(
        valued(listed, option["typeId"]) == str(option["value"])
        for option in body.get("options", ())
        if option["typeId"] != EXTERNAL_ID
    )


def _look_up(work: Work, contact: str, one: Wanted) -> str | None:
    """Among the contact's addresses of this type; each kind of list is tolerated."""
    for row in work.client.entries(f"{_path(contact)}/{one.type}", most=10, reference=work.order.number):
        if says(row, one.body):
            return key_of(row)
    return None


def _without_contact(work: Work, distinct: Sequence[Wanted]) -> dict[str, str]:
    """Addresses that belong to the order alone; the shop's id of them (option 2) tells them apart after doubt."""
    found: dict[str, str] = {}
    for one in distinct:
        key = "billing_id" if one.type == BILLING else "shipping_id"
        id = work.ref(key)
        if id is None:
            id = work.once(
                f"its {_kind(one)} address",
                lambda one=one: _look_up_free(work, one),  # type: ignore[misc]
                lambda one=one: _id(work, work.send("POST", "/rest/accounts/addresses", one.body), one),  # type: ignore[misc]
            )
            work.known.learn(**{key: id})
        found[one.digest] = id
    return found


def _look_up_free(work: Work, one: Wanted) -> str | None:
    since = work.host.now() - timedelta(seconds=work.known.doubt_age + 900)
    for row in _recent(work, since.isoformat(timespec="seconds")):
        ours = valued(one.body.get("options"), EXTERNAL_ID)
        if says(row, one.body) and valued(row.get("options"), EXTERNAL_ID) == ours:
            return key_of(row)
    return None


def _recent(work: Work, since: str) -> Iterator[Payload]:
    query = {"createdFrom": since, "with": "options"}
    return work.client.entries("/rest/accounts/addresses", query, most=10, reference=work.order.number)


def unchanged(work: Work, ids: tuple[str, str], pair: tuple[Wanted, Wanted]) -> bool:
    """Whether the addresses of an order without a contact still say what the shop says."""
    return all(says(work.get(f"/rest/accounts/addresses/{id}"), one.body) for id, one in zip(ids, pair, strict=True))


def anew(work: Work, pair: tuple[Wanted, Wanted]) -> tuple[str, str]:
    """New addresses for an order without a contact: other orders may use the old ones."""
    made = {
        one.digest: work.once(
            f"its {_kind(one)} address",
            lambda one=one: _look_up_free(work, one),  # type: ignore[misc]
            lambda one=one: _id(work, work.send("POST", "/rest/accounts/addresses", one.body), one),  # type: ignore[misc]
        )
        for one in {one.digest: one for one in pair}.values()
    }
    return made[pair[0].digest], made[pair[1].digest]
