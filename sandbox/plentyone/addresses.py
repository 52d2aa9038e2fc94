"""Addresses and whose they are.

An address is one record that contacts and orders share. The server re-uses an identical address of the same
contact instead of storing it again.
"""

from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.errors import NOT_LIST, NOT_TEXT, NOT_WHOLE, REQUIRED, UNKNOWN, Findings, not_found
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, text, truth, whole

GENDERS = (None, "", "male", "female", "diverse", "notToSay")

TEXTS = (
    "name1", "name2", "name3", "name4", "address1", "address2", "address3", "address4", "postalCode", "town",
    "title", "contactPerson", "taxIdNumber",
)  # fmt: skip


def check(tenant: Tenant, body: Record, *, new: bool) -> None:
    """Refuse an address that PlentyONE would refuse."""
    findings = Findings()
    if new:
        for name in ("town", "countryId"):
            if body.get(name) in (None, ""):
                findings.add(name, REQUIRED)
    for name in TEXTS:
        if body.get(name) is not None and not isinstance(body[name], str):
            findings.add(name, NOT_TEXT)
    if body.get("gender") not in GENDERS:
        findings.add("gender", UNKNOWN)
    country = whole(body.get("countryId"))
    if body.get("countryId") not in (None, "") and country not in tenant.countries:
        findings.add("countryId", NOT_WHOLE if country is None else UNKNOWN)
    if body.get("stateId") not in (None, 0, ""):
        states = tenant.countries[country]["states"] if country in tenant.countries else []
        every = {state["id"] for row in tenant.countries.values() for state in row["states"]}
        known = {state["id"] for state in states} if new else every
        if whole(body["stateId"]) not in known:
            findings.add("stateId", UNKNOWN)
    check_options(findings, body.get("options"))
    findings.refuse()


def check_options(findings: Findings, options: Any) -> None:
    """Look at address options: a known type and a value."""
    if options is None:
        return
    if not isinstance(options, list):
        findings.add("options", NOT_LIST)
        return
    for at, option in enumerate(options):
        if not isinstance(option, dict):
            findings.add(f"options.{at}", NOT_LIST)
            continue
        if option.get("typeId") is None:
            findings.add(f"options.{at}.typeId", REQUIRED)
        elif whole(option["typeId"]) not in lists.ADDRESS_OPTION_TYPES:
            findings.add(f"options.{at}.typeId", UNKNOWN)
        if option.get("value") in (None, ""):
            findings.add(f"options.{at}.value", REQUIRED)
        elif not isinstance(option["value"], str):
            findings.add(f"options.{at}.value", NOT_TEXT)


def identity(address: Record) -> tuple[Any, ...]:
    """Everything by which two addresses are the same one."""
    fields = tuple(text(address.get(name)).strip() for name in ("gender", *TEXTS, "countryId", "stateId"))
    options = sorted((whole(row["typeId"]) or 0, row["value"]) for row in address.get("options") or [])
    return (*fields, tuple(options))


def fill(address: Record, body: Record) -> None:
    """Take over what was sent; unknown keys are silently dropped."""
    for name in TEXTS:
        if name in body:
            address[name] = text(body[name])
    if "gender" in body:
        address["gender"] = body["gender"] or ""
    if body.get("countryId") is not None:
        address["countryId"] = whole(body["countryId"])
    if "stateId" in body:
        address["stateId"] = whole(body["stateId"]) or None
    if "readOnly" in body:
        address["readOnly"] = bool(body["readOnly"])


def add_option(tenant: Tenant, address: Record, option: Record) -> Record:
    """A further option."""
    row = {
        "id": tenant.next_id("address_option"),
        "addressId": address["id"],
        "typeId": whole(option["typeId"]),
        "value": option["value"],
        "position": whole(option.get("position")) or 0,
        "createdAt": tenant.now,
        "updatedAt": tenant.now,
    }
    address["options"].append(row)
    return row


def store(tenant: Tenant, body: Record) -> Record:
    """A new address from a checked body."""
    fresh = tenant.next_id("address")
    address: Record = {"id": fresh, "gender": "", **dict.fromkeys(TEXTS, "")}
    address |= {"countryId": None, "stateId": None, "readOnly": False, "checkedAt": None}
    address |= {"createdAt": tenant.now, "updatedAt": tenant.now, "options": []}
    fill(address, body)
    for option in body.get("options") or []:
        add_option(tenant, address, option)
    tenant.addresses[fresh] = address
    tenant.bear("address", fresh)
    return address


def relate(tenant: Tenant, contact: int, address: int, kind: int, *, primary: bool = False) -> Record:
    """A row that gives an address to a contact as billing (1) or delivery (2) address."""
    fresh = tenant.next_id("address_relation")
    row = {"id": fresh, "contactId": contact, "typeId": kind, "addressId": address, "isPrimary": primary}
    tenant.address_relations[fresh] = row
    return row


def address_with_pivot(tenant: Tenant, relation: Record) -> Record:
    """An address as it appears at a contact."""
    pivot = {
        "contactId": relation["contactId"],
        "addressId": relation["addressId"],
        "id": relation["id"],
        "typeId": relation["typeId"],
        "isPrimary": int(relation["isPrimary"]),
    }
    return {**tenant.addresses[relation["addressId"]], "pivot": pivot}


def shown(tenant: Tenant, address: Record, relations: set[str]) -> Record:
    """An address as it is read, with the relations asked for."""
    record = dict(address)
    if "contactRelations" in relations:
        record["contactRelations"] = [
            row for row in tenant.address_relations.values() if row["addressId"] == address["id"]
        ]
    if "orderRelations" in relations:
        record["orderRelations"] = [
            row
            for order in tenant.orders.values()
            for row in order["addressRelations"]
            if row["addressId"] == address["id"]
        ]
    return record


def find(call: Call, place: str = "id") -> Record:
    """The address of a path. Refuses when there is none."""
    address = call.tenant.addresses.get(call.number(place))
    if address is None:
        raise not_found("Account\\Address\\Models\\Address", call.places[place])
    return address


def create_for_contact(call: Call) -> Any:
    """POST /rest/accounts/contacts/{id}/addresses?typeId=1|2: an identical address of the contact is re-used."""
    tenant, body, contact = call.tenant, call.body(), call.number("id")
    if contact not in tenant.contacts:
        raise not_found("Account\\Contact\\Models\\Contact", contact)
    kind = whole(call.request.arg("typeId") or body.get("typeId") or 1)
    check(tenant, body, new=True)
    if kind not in (1, 2):
        findings = Findings()
        findings.add("typeId", UNKNOWN)
        findings.refuse()
    own = [row for row in tenant.address_relations.values() if row["contactId"] == contact]
    wanted = identity({"gender": "", **body})
    same = (tenant.addresses[row["addressId"]] for row in own if row["addressId"] in tenant.addresses)
    address = next((each for each in same if identity(each) == wanted), None) or store(tenant, body)
    if not any(row["addressId"] == address["id"] and row["typeId"] == kind for row in own):
        primary = truth(call.request.arg("isPrimary"), False)
        relate(tenant, contact, address["id"], kind or 1, primary=primary)
    return shown(tenant, address, set())


def of_contact(call: Call) -> Any:
    """GET /rest/accounts/contacts/{id}/addresses/{addressTypeId}: a plain array."""
    return [
        address_with_pivot(call.tenant, row)
        for row in call.tenant.address_relations.values()
        if row["contactId"] == call.number("id") and row["typeId"] == call.number("kind")
    ]


def change_of_contact(call: Call) -> Any:
    """PUT /rest/accounts/contacts/{id}/addresses/{addressId}: changes the shared record."""
    related = {
        row["addressId"] for row in call.tenant.address_relations.values() if row["contactId"] == call.number("id")
    }
    if call.number("address") not in related:
        raise not_found("Account\\Address\\Models\\Address", call.places["address"])
    return _change(call, find(call, "address"))


def release(call: Call) -> Any:
    """DELETE /rest/accounts/contacts/{id}/addresses/{addressId}: takes the address from the contact."""
    rows = [
        number
        for number, row in call.tenant.address_relations.items()
        if row["contactId"] == call.number("id") and row["addressId"] == call.number("address")
    ]
    for number in rows:
        del call.tenant.address_relations[number]
    return {"affectedRows": len(rows)}


def create(call: Call) -> Any:
    """POST /rest/accounts/addresses: always a new record."""
    tenant, body = call.tenant, call.body()
    check(tenant, body, new=True)
    given = body.get("contactRelations") or []
    findings = Findings()
    for at, row in enumerate(given if isinstance(given, list) else []):
        if not isinstance(row, dict) or whole(row.get("contactId")) not in tenant.contacts:
            findings.add(f"contactRelations.{at}.contactId", UNKNOWN)
        elif whole(row.get("typeId")) not in (1, 2):
            findings.add(f"contactRelations.{at}.typeId", UNKNOWN)
    findings.refuse()
    address = store(tenant, body)
    for row in given if isinstance(given, list) else []:
        relate(tenant, whole(row["contactId"]) or 0, address["id"], whole(row["typeId"]) or 1)
    return shown(tenant, address, {"contactRelations"} if given else set())


def read(call: Call) -> Any:
    record = shown(call.tenant, find(call), call.withs(commas=True))
    if "options" not in call.withs(commas=True):
        del record["options"]
    return record


def change(call: Call) -> Any:
    """PUT /rest/accounts/addresses/{id}: the change shows wherever the address is used."""
    return _change(call, find(call))


def _change(call: Call, address: Record) -> Any:
    body = call.body()
    check(call.tenant, body, new=False)
    fill(address, body)
    if isinstance(body.get("options"), list):
        address["options"] = []
        for option in body["options"]:
            add_option(call.tenant, address, option)
    address["updatedAt"] = call.tenant.now
    return shown(call.tenant, address, set())


def delete(call: Call) -> Any:
    address = find(call)
    del call.tenant.addresses[address["id"]]
    for number, row in list(call.tenant.address_relations.items()):
        if row["addressId"] == address["id"]:
            del call.tenant.address_relations[number]
    return {"affectedRows": 1}


def listed(call: Call) -> Any:
    """GET /rest/accounts/addresses."""
    rows = call.tenant.indexed("address", call.tenant.addresses)
    envelope = paged(call.request, rows, default=50, cap=1000)
    envelope["entries"] = [
        shown(call.tenant, row, call.withs(commas=True) | {"options"}) for row in envelope["entries"]
    ]
    return envelope


def options(call: Call) -> Any:
    return find(call)["options"]


def add_options(call: Call) -> Any:
    """POST /rest/accounts/addresses/{id}/options: one option or a list of them."""
    address, sent = find(call), call.sent()
    many = isinstance(sent, list)
    given = sent if many else [sent]
    findings = Findings()
    check_options(findings, given)
    findings.refuse()
    rows = [add_option(call.tenant, address, option) for option in given]
    return rows if many else rows[0]


def relations(call: Call) -> Any:
    """GET /rest/accounts/addresses/contact_relations."""
    rows = list(call.tenant.address_relations.values())
    for name in ("id", "contactId", "typeId", "addressId"):
        if (wanted := whole(call.request.arg(name))) is not None:
            rows = [row for row in rows if row[name] == wanted]
    return paged(call.request, rows, default=50, cap=100)


def add_relations(call: Call) -> Any:
    """POST /rest/accounts/addresses/contact_relations: the body is an array; nothing is unique."""
    sent = call.sent()
    if not isinstance(sent, list):
        findings = Findings()
        findings.add("0", NOT_LIST)
        findings.refuse()
    findings = Findings()
    for at, row in enumerate(sent):
        known = {
            "contactId": call.tenant.contacts,
            "addressId": call.tenant.addresses,
            "typeId": {1, 2, 3, 4, 5},
        }
        for name, values in known.items():
            value = row.get(name) if isinstance(row, dict) else None
            if value is None:
                findings.add(f"{at}.{name}", REQUIRED)
            elif whole(value) not in values:
                findings.add(f"{at}.{name}", UNKNOWN)
    findings.refuse()
    return [
        relate(
            call.tenant,
            whole(row["contactId"]) or 0,
            whole(row["addressId"]) or 0,
            whole(row["typeId"]) or 0,
            primary=bool(row.get("isPrimary")),
        )
        for row in sent
    ]


def delete_relation(call: Call) -> Any:
    if call.tenant.address_relations.pop(call.number("id"), None) is None:
        raise not_found("Account\\Address\\Models\\AddressContactRelation", call.places["id"])
    return {"affectedRows": 1}


TABLE: Table = [
    ("POST", "/rest/accounts/contacts/{id:int}/addresses", create_for_contact),
    ("GET", "/rest/accounts/contacts/{id:int}/addresses/{kind:int}", of_contact),
    ("PUT", "/rest/accounts/contacts/{id:int}/addresses/{address:int}", change_of_contact),
    ("DELETE", "/rest/accounts/contacts/{id:int}/addresses/{address:int}", release),
    ("GET", "/rest/accounts/addresses", listed),
    ("POST", "/rest/accounts/addresses", create),
    ("GET", "/rest/accounts/addresses/contact_relations", relations),
    ("POST", "/rest/accounts/addresses/contact_relations", add_relations),
    ("DELETE", "/rest/accounts/addresses/contact_relations/{id:int}", delete_relation),
    ("GET", "/rest/accounts/addresses/{id:int}", read),
    ("PUT", "/rest/accounts/addresses/{id:int}", change),
    ("DELETE", "/rest/accounts/addresses/{id:int}", delete),
    ("GET", "/rest/accounts/addresses/{id:int}/options", options),
    ("POST", "/rest/accounts/addresses/{id:int}/options", add_options),
]
