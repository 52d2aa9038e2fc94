"""The contact of an order's customer: found or created once for each customer, or guest e-mail, of a client.

Registered customers are looked up by external id, then by e-mail, before a contact is made for them; a guest's contact
is made without a look-up, and found by its external id "guest-..." after doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connector import InDoubt, Payload
from connector.plentyone.aims import set_value
from connector.plentyone.answers import Invalid
from connector.plentyone.shapes import key_of, rows, same
from connector.plentyone.work import Work, number
from connector.records import Address, Customer
from connector.settings import mapped

CONTACTS = "/rest/accounts/contacts"
CUSTOMER = 1  # contact type
PHONE, EMAIL, GUEST = (1, 4), (2, 4), (10, 11)  # option type and sub-type
GUEST_PREFIX = "guest-"


def bring(work: Work, *, gone: str | None = None) -> str | None:
    """The contact's id; None when a setting says that this order has none.

    `gone`: the id that was known so far; it was deleted in PlentyONE, and another one takes its place.
    """
    customer = work.order.customer
    if not work.options.create_customer or (customer.guest and not work.options.create_customer_for_guest):
        return None
    known = work.ref("contact_id")
    if known and known != gone:
        return known
    key = _key(work, customer)
    linked = work.known.link("contact", key)
    if linked and linked != gone:
        return linked
    with work.known.hold("contact", key) as link:
        if link.id and link.id != gone:
            return link.id
        doubt = link.doubt or work.doubt
        age = min([link.doubt_age] * link.doubt + [work.known.doubt_age] * work.doubt, default=work.lag)
        # a registered customer may be there already from other days, so the first one is always looked up
        id = work.once(
            "its contact",
            lambda: _look_up(work, customer),
            lambda: _create(work, customer),
            doubt=doubt or not customer.guest,
            doubt_age=age,
        )
        link.learn(id)
        return id


def _key(work: Work, customer: Customer) -> str:
    if customer.key is not None:
        return f"{work.aim.plenty_id}:customer:{customer.key}"
    email = _email(work)
    return f"{work.aim.plenty_id}:guest:{email.lower() if email else 'order ' + work.order.number}"


def _email(work: Work) -> str | None:
    order = work.order
    return (order.customer.email or order.billing.email or "").strip() or None


def _external_id(work: Work) -> str:
    return work.order.customer.key or f"{GUEST_PREFIX}{work.order.number}"


# finding


def _look_up(work: Work, customer: Customer) -> str | None:
    if customer.key is not None:
        for row in _of_client(work, {"externalId": customer.key}):
            if same(row.get("externalId"), customer.key) and _plausible(work, row):
                return key_of(row)
    email = _email(work)
    if email is None:
        return None
    same_email = [
        row
        for row in _of_client(work, {"contactEmail": email, "plentyId": work.aim.plenty_id})
        if _known_email(work, row) == email.lower()
    ]
    if customer.guest:
        found = [row for row in same_email if str(row.get("externalId") or "").startswith(GUEST_PREFIX)]
    else:
        found = sorted(same_email, key=lambda row: _strangeness(row, customer))
    return key_of(found[0]) if found else None


def _of_client(work: Work, query: Mapping[str, Any]) -> Iterable[Payload]:
    for row in work.client.entries(CONTACTS, {**query, "with": "options"}, most=5, reference=work.order.number):
        if row.get("plentyId") is None or same(row["plentyId"], work.aim.plenty_id):
            yield row


def _known_email(work: Work, row: Payload) -> str | None:
    """The contact's e-mail; where a list leaves it out, the contact itself is read: unknown is never equal."""
    found = _email_of(row)
    if found is None and row.get("options") is None and (id := key_of(row)):
        whole = work.get(f"{CONTACTS}/{id}", **{"with": "options"})
        found = _email_of(whole) if isinstance(whole, dict) else None
    return found


def _email_of(row: Payload) -> str | None:
    found = row.get("email") or next(
        (one.get("value") for one in rows(row.get("options")) if same(one.get("typeId"), EMAIL[0])), None
    )
    return str(found).strip().lower() if found else None


def _plausible(work: Work, row: Payload) -> bool:
    """The same external id may come from another shop: believed when e-mail or last name agree, or one is missing."""
    theirs, ours = _known_email(work, row), _email(work)
    if theirs is None or ours is None or theirs == ours.lower():
        return True
    name = work.order.customer.last_name or work.order.billing.last_name
    return bool(name) and str(row.get("lastName") or "").strip().casefold() == str(name).strip().casefold()


def _strangeness(row: Payload, customer: Customer) -> int:
    external = str(row.get("externalId") or "")
    if same(external or None, customer.key):
        return 0
    if not external:
        return 1
    return 2 if external.startswith(GUEST_PREFIX) else 3


# creating


def _create(work: Work, customer: Customer) -> str:
    made = body(work, customer)
    try:
        data = work.send("POST", CONTACTS, made)
    except Invalid as error:
        if set(error.fields) != {"number"} or "number" not in made:
            raise
        del made["number"]  # taken by another contact; the external id stays ours
        data = work.send("POST", CONTACTS, made)
    id = key_of(data) if isinstance(data, Mapping) else None
    if id is None:
        raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to its contact has no id")
    return id


def body(work: Work, customer: Customer) -> Payload:
    """The contact as POST /rest/accounts/contacts takes it."""
    billing: Address = work.order.billing
    made: Payload = {
        "typeId": CUSTOMER,
        "referrerId": number(work.aim.referrer),
        "plentyId": number(work.aim.plenty_id),
        "externalId": _external_id(work),
        "firstName": customer.first_name or billing.first_name or "",
        "lastName": customer.last_name or billing.last_name or "",
        "lang": work.aim.language,
    }
    if customer.key is not None:
        made["number"] = customer.key
    prefix = customer.prefix or billing.prefix
    gender = customer.gender or mapped(work.options, "gender_mapping", (prefix or "").strip() or None)
    if gender:
        made["gender"] = gender
    group = set_value(mapped(work.options, "customer_class_mapping", customer.group))
    group = group or set_value(work.options.default_customer_class)
    if group is not None:
        made["classId"] = number(group)
    told = [(EMAIL, _email(work)), (PHONE, billing.phone), (GUEST, "1" if customer.guest else None)]
    made["options"] = [
        {"typeId": option, "subTypeId": sub, "priority": 0, "value": value} for (option, sub), value in told if value
    ]
    return made
