"""Contacts, their options and companies."""

from decimal import Decimal
from typing import Any

from sandbox.plentyone import lists
from sandbox.plentyone.addresses import address_with_pivot
from sandbox.plentyone.errors import NOT_LIST, NOT_NUMBER, NOT_TEXT, REQUIRED, UNKNOWN, Findings, not_found, plain
from sandbox.plentyone.paging import paged
from sandbox.plentyone.routes import Call, Table
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, moment, number, short, text, truth, whole

GENDERS = ("", "male", "female", "diverse", "notToSay")

TEXTS = ("number", "externalId", "firstName", "lastName", "formOfAddress", "bookAccount", "lang", "leadStatusKey")
DATES = ("newsletterAllowanceAt", "birthdayAt", "lastLoginAt", "lastOrderAt")
NUMBERS = (
    "rating", "userId", "valuta", "discountDays", "discountPercent", "timeForPaymentAllowedDays",
    "salesRepresentativeContactId", "blocked",
)  # fmt: skip
NOT_NULL = {"bookAccount": "", "formOfAddress": "", "leadStatusKey": "", "blocked": 0, "rating": 0}

# Fields of a contact that are only views on its options, by type and sub-type.
FROM_OPTIONS = {
    "email": (2, 4), "privatePhone": (1, 4), "privateFax": (3, 4), "privateMobile": (1, 2), "ebayName": (8, 6),
    "paypalEmail": (7, 5), "paypalPayerId": (6, 5), "klarnaPersonalId": (6, 8), "dhlPostIdent": (6, 9),
    "singleAccess": (10, 11), "contactPerson": (11, 12), "marketplacePartner": (5, 13),
}  # fmt: skip


def check(tenant: Tenant, body: Record, *, new: bool) -> None:
    """Refuse a contact that PlentyONE would refuse."""
    findings = Findings()
    known: dict[str, set[Any]] = {
        "typeId": set(lists.CONTACT_TYPES),
        "referrerId": {number(row["id"]) for row in tenant.referrers},
    }
    for name, values in known.items():
        if body.get(name) is None:
            if new:
                findings.add(name, REQUIRED)
        elif (value := number(body[name])) is None:
            findings.add(name, NOT_NUMBER)
        elif value not in values:
            findings.add(name, UNKNOWN)
    if "title" in body and not isinstance(body["title"], str):
        findings.add("title", NOT_TEXT)
    for name in TEXTS:
        if isinstance(body.get(name), list | dict):
            findings.add(name, NOT_TEXT)
    if body.get("gender") is not None and body["gender"] not in GENDERS:
        findings.add("gender", UNKNOWN)
    if body.get("plentyId") not in (None, 0, "0") and whole(body["plentyId"]) not in client_ids():
        findings.add("plentyId", UNKNOWN)
    if body.get("classId") is not None and text(body["classId"]) not in lists.contact_classes():
        findings.add("classId", UNKNOWN)
    for name in DATES:
        if body.get(name) and moment(body[name]) is None:
            findings.add(name, "The {} is not a valid date.")
    check_options(findings, body.get("options"))
    findings.refuse()


def check_options(findings: Findings, options: Any, place: str = "options") -> None:
    """Look at contact options: known types, a value, each pair of types once."""
    if options is None:
        return
    if not isinstance(options, list):
        findings.add(place, NOT_LIST)
        return
    seen: set[tuple[int | None, int | None]] = set()
    for at, option in enumerate(options):
        path = f"{place}.{at}"
        if not isinstance(option, dict):
            findings.add(path, NOT_LIST)
            continue
        pair = (whole(option.get("typeId")), whole(option.get("subTypeId")))
        known_types = (set(lists.CONTACT_OPTION_TYPES), set(lists.CONTACT_OPTION_SUB_TYPES))
        for name, value, known in zip(("typeId", "subTypeId"), pair, known_types, strict=True):
            if option.get(name) is None:
                findings.add(f"{path}.{name}", REQUIRED)
            elif value not in known:
                findings.add(f"{path}.{name}", UNKNOWN)
        if option.get("value") in (None, ""):
            findings.add(f"{path}.value", REQUIRED)
        elif not isinstance(option["value"], str):
            findings.add(f"{path}.value", NOT_TEXT)
        if None not in pair and pair in seen:
            findings.add(f"{path}.subTypeId", "The combination of type and sub-type has already been taken.")
        seen.add(pair)


def client_ids() -> set[int]:
    """The plentyIds of the web stores."""
    return {row["storeIdentifier"] for row in lists.webstores()}


def fill(contact: Record, body: Record) -> None:
    """Take over what was sent; unknown keys are silently dropped."""
    for name in TEXTS:
        if name in body:
            contact[name] = None if body[name] is None else text(body[name])
    for name in ("typeId", "classId", "plentyId"):
        if body.get(name) is not None:
            contact[name] = whole(body[name])
    if body.get("referrerId") is not None:
        contact["referrerId"] = short(number(body["referrerId"]) or Decimal(0))
    for name in ("title", "gender", *DATES, *NUMBERS):
        if name in body:
            contact[name] = body[name]
    for name, otherwise in NOT_NULL.items():
        contact[name] = otherwise if contact.get(name) is None else contact[name]


def put_option(tenant: Tenant, contact: Record, option: Record) -> Record:
    """Add an option, or change the one with the same pair of types."""
    pair = (whole(option["typeId"]), whole(option["subTypeId"]))
    row: Record | None = next(
        (each for each in contact["options"] if (each["typeId"], each["subTypeId"]) == pair), None
    )
    if row is None:
        row = {
            "id": tenant.next_id("contact_option"),
            "contactId": contact["id"],
            "typeId": pair[0],
            "subTypeId": pair[1],
        }
        row["createdAt"] = tenant.now
        contact["options"].append(row)
    row |= {"value": option["value"], "priority": whole(option.get("priority")) or 0, "updatedAt": tenant.now}
    return row


def shown(tenant: Tenant, contact: Record, relations: set[str]) -> Record:
    """A contact as it is read, with the relations asked for."""
    options = {(row["typeId"], row["subTypeId"]): row["value"] for row in contact["options"]}
    record = {name: value for name, value in contact.items() if name not in ("options", "accountIds")}
    record |= {name: options.get(pair, "") for name, pair in FROM_OPTIONS.items()}
    record["fullName"] = " ".join(filter(None, (contact["firstName"], contact["lastName"])))
    if "options" in relations:
        record["options"] = contact["options"]
    if "accounts" in relations:
        record["accounts"] = [
            {
                **tenant.accounts[account],
                "pivot": {"contactId": str(contact["id"]), "accountId": str(account), "id": str(account)},
            }
            for account in contact["accountIds"]
        ]
    if "addresses" in relations:
        record["addresses"] = [
            address_with_pivot(tenant, row)
            for row in tenant.address_relations.values()
            if row["contactId"] == contact["id"] and row["addressId"] in tenant.addresses
        ]
    return record


def find(call: Call, place: str = "id") -> Record:
    """The contact of a path. Refuses when there is none."""
    contact = call.tenant.contacts.get(call.number(place))
    if contact is None:
        raise not_found("Account\\Contact\\Models\\Contact", call.places[place])
    return contact


def create(call: Call) -> Any:
    """POST /rest/accounts/contacts. Nothing is unique: neither e-mail nor externalId nor number."""
    tenant, body = call.tenant, call.body()
    check(tenant, body, new=True)
    fresh = tenant.next_id("contact")
    contact: Record = {"id": fresh, **dict.fromkeys((*TEXTS, "title", "gender", *DATES, *NUMBERS))}
    contact |= {"typeId": 1, "classId": 1, "plentyId": 0, "lang": "de", "title": "", "anonymizeAt": None}
    contact |= {"isLead": False, "inLeadStatusSince": 0, "createdAt": tenant.now, "updatedAt": tenant.now}
    contact |= {"options": [], "accountIds": []}
    fill(contact, body)
    tenant.contacts[fresh] = contact
    tenant.bear("contact", fresh)
    for option in body.get("options") or []:
        put_option(tenant, contact, option)
    return shown(tenant, contact, {"options"})


def read(call: Call) -> Any:
    return shown(call.tenant, find(call), call.withs(commas=True) | {"options"})


def change(call: Call) -> Any:
    """PUT /rest/accounts/contacts/{id}: partial; options are changed or added by their pair of types."""
    contact, body = find(call), call.body()
    check(call.tenant, body, new=False)
    fill(contact, body)
    for option in body.get("options") or []:
        put_option(call.tenant, contact, option)
    contact["updatedAt"] = call.tenant.now
    return shown(call.tenant, contact, {"options"})


def delete(call: Call) -> Any:
    """DELETE /rest/accounts/contacts/{id}; with checkExistingOrders refused while orders name the contact."""
    contact = find(call)
    named = any(
        relation["referenceType"] == "contact" and relation["referenceId"] == contact["id"]
        for order in call.tenant.orders.values()
        for relation in order["relations"]
    )
    if named and truth(call.request.arg("checkExistingOrders"), False):
        raise plain(422, "The contact has orders.")
    del call.tenant.contacts[contact["id"]]
    return {"affectedRows": 1}


def anonymize(call: Call) -> Any:
    """PUT /rest/accounts/contacts/{id}/anonymize."""
    contact = find(call)
    contact |= dict.fromkeys(("firstName", "lastName", "number", "externalId"), "")
    contact |= {"options": [], "anonymizeAt": call.tenant.now, "updatedAt": call.tenant.now}
    return shown(call.tenant, contact, {"options"})


def listed(call: Call) -> Any:
    """GET /rest/accounts/contacts: unknown filters are silently ignored; a page holds at most 100."""
    rows = [shown(call.tenant, row, {"options"}) for row in call.tenant.indexed("contact", call.tenant.contacts)]
    for name, matches in FILTERS.items():
        value = call.request.arg(name)
        if value is not None and value != "":
            rows = [row for row in rows if matches(call.tenant, row, value)]
    relations = call.withs(commas=True)
    envelope = paged(call.request, rows, default=50, cap=100)
    envelope["entries"] = [
        shown(call.tenant, call.tenant.contacts[row["id"]], relations) for row in envelope["entries"]
    ]
    return envelope


def search(call: Call) -> Any:
    """POST /rest/accounts/contacts/search: conditions joined by and or or; only the commonest fields."""
    body, tenant = call.body(), call.tenant
    conditions = [row for row in body.get("fields") or [] if isinstance(row, dict)]
    for row in conditions:
        if row.get("field") not in SEARCHED:
            raise plain(422, f"The search field {row.get('field')!r} does not exist.")
    join = any if str(body.get("conditionType", "and")).lower() == "or" else all

    def holds(record: Record, row: Record) -> bool:
        own = text(record[SEARCHED[row["field"]]]).lower()
        wanted = row.get("value")
        words = [text(each).lower() for each in (wanted if isinstance(wanted, list) else [wanted])]
        if row.get("operator", "eq") == "like":
            return any(word in own for word in words)
        return (own in words) is (row.get("operator") not in ("nin", "not"))

    rows = [shown(tenant, row, {"options"}) for row in tenant.indexed("contact", tenant.contacts)]
    rows = [row for row in rows if not conditions or join(holds(row, each) for each in conditions)]
    return paged(call.request, rows, default=50, cap=100)


SEARCHED = {
    "contactId": "id",
    "email": "email",
    "name": "fullName",
    "firstName": "firstName",
    "lastName": "lastName",
    "number": "number",
    "externalId": "externalId",
    "clientId": "plentyId",
    "typeId": "typeId",
    "classId": "classId",
    "phone": "privatePhone",
}


def _equal(name: str) -> Any:
    return lambda tenant, row, value: text(row[name]).lower() == value.lower()


def _contains(name: str) -> Any:
    return lambda tenant, row, value: value.lower() in text(row[name]).lower()


def _number(name: str) -> Any:
    return lambda tenant, row, value: number(row[name]) == number(value)


def _date(name: str, after: bool) -> Any:
    def matches(tenant: Tenant, row: Record, value: str) -> bool:
        limit, own = moment(value), moment(row[name])
        if limit is None or own is None:
            return False
        return own >= limit if after else own <= limit

    return matches


def _address(name: str) -> Any:
    def matches(tenant: Tenant, row: Record, value: str) -> bool:
        return any(
            text(tenant.addresses[each["addressId"]][name]).lower() == value.lower()
            for each in tenant.address_relations.values()
            if each["contactId"] == row["id"] and each["addressId"] in tenant.addresses
        )

    return matches


def _full_text(tenant: Tenant, row: Record, value: str) -> bool:
    words = " ".join(text(row[name]) for name in ("fullName", "email", "number", "externalId", "id"))
    return value.lower() in words.lower()


FILTERS = {
    "contactEmail": _contains("email"),
    "email": _equal("email"),
    "externalId": _equal("externalId"),
    "number": _equal("number"),
    "plentyId": _number("plentyId"),
    "typeId": _number("typeId"),
    "classId": _number("classId"),
    "rating": _number("rating"),
    "referrerId": _number("referrerId"),
    "contactId": _number("id"),
    "userId": _number("userId"),
    "name": _contains("fullName"),
    "privatePhone": _contains("privatePhone"),
    "fullText": _full_text,
    "nameOrId": _full_text,
    "postalCode": _address("postalCode"),
    "town": _address("town"),
    "countryId": _address("countryId"),
    "createdAtAfter": _date("createdAt", True),
    "createdAtBefore": _date("createdAt", False),
    "updatedAtAfter": _date("updatedAt", True),
    "updatedAtBefore": _date("updatedAt", False),
}


def options(call: Call) -> Any:
    return find(call)["options"]


def add_options(call: Call) -> Any:
    """POST /rest/accounts/contacts/{id}/options: one option or a list of them; a pair that exists is refused."""
    contact, sent = find(call), call.sent()
    many = isinstance(sent, list)
    given = sent if many else [sent]
    findings = Findings()
    check_options(findings, given)
    taken = {(row["typeId"], row["subTypeId"]) for row in contact["options"]}
    for at, option in enumerate(given):
        if isinstance(option, dict) and (whole(option.get("typeId")), whole(option.get("subTypeId"))) in taken:
            findings.add(f"options.{at}.subTypeId", "The combination of type and sub-type has already been taken.")
    findings.refuse()
    rows = [put_option(call.tenant, contact, option) for option in given]
    contact["updatedAt"] = call.tenant.now
    return rows if many else rows[0]


def change_option(call: Call) -> Any:
    """PUT …/options/{optionId}: needs typeId, subTypeId, value and priority."""
    body, option_id = call.body(), call.number("option")
    for contact in call.tenant.contacts.values():
        for row in contact["options"]:
            if row["id"] == option_id and contact["id"] == whole(call.places.get("id", contact["id"])):
                findings = Findings()
                check_options(findings, [body])
                if body.get("priority") is None:
                    findings.add("priority", REQUIRED)
                findings.refuse()
                row |= {"typeId": whole(body["typeId"]), "subTypeId": whole(body["subTypeId"]), "value": body["value"]}
                row |= {"priority": whole(body["priority"]), "updatedAt": call.tenant.now}
                return row
    raise not_found("Account\\Contact\\Models\\ContactOption", option_id)


def delete_option(call: Call) -> Any:
    option_id = call.number("option")
    for contact in call.tenant.contacts.values():
        for row in contact["options"]:
            if row["id"] == option_id:
                contact["options"].remove(row)
                return {"affectedRows": 1}
    raise not_found("Account\\Contact\\Models\\ContactOption", option_id)


def new_account(call: Call) -> Record:
    """A company from what was sent."""
    body = call.body()
    findings = Findings()
    if not isinstance(body.get("companyName"), str) or not body["companyName"]:
        findings.add("companyName", REQUIRED)
    findings.refuse()
    fresh = call.tenant.next_id("account")
    account: Record = {
        "id": fresh,
        "number": body.get("number"),
        "companyName": body["companyName"],
        "taxIdNumber": text(body.get("taxIdNumber")),
        "valuta": "0",
        "discountDays": "0",
        "discountPercent": "0.00",
        "timeForPaymentAllowedDays": "0",
        "salesRepresentativeContactId": None,
        "userId": None,
        "deliveryTime": "0",
        "dealerMinOrderValue": "0.00",
        "createdAt": call.tenant.now,
        "updatedAt": call.tenant.now,
        "supplierCurrency": None,
    }
    call.tenant.accounts[fresh] = account
    return account


def create_account(call: Call) -> Any:
    return new_account(call)


def create_contact_account(call: Call) -> Any:
    """POST /rest/accounts/contacts/{id}/accounts."""
    contact = find(call)
    account = new_account(call)
    contact["accountIds"].append(account["id"])
    return account


def accounts(call: Call) -> Any:
    return paged(call.request, list(call.tenant.accounts.values()))


TABLE: Table = [
    ("GET", "/rest/accounts", accounts),
    ("POST", "/rest/accounts", create_account),
    ("GET", "/rest/accounts/contacts", listed),
    ("POST", "/rest/accounts/contacts/search", search),
    ("POST", "/rest/accounts/contacts", create),
    ("GET", "/rest/accounts/contacts/{id:int}", read),
    ("PUT", "/rest/accounts/contacts/{id:int}", change),
    ("DELETE", "/rest/accounts/contacts/{id:int}", delete),
    ("PUT", "/rest/accounts/contacts/{id:int}/anonymize", anonymize),
    ("GET", "/rest/accounts/contacts/{id:int}/options", options),
    ("POST", "/rest/accounts/contacts/{id:int}/options", add_options),
    ("PUT", "/rest/accounts/contacts/{id:int}/options/{option:int}", change_option),
    ("DELETE", "/rest/accounts/contacts/{id:int}/options/{option:int}", delete_option),
    ("PUT", "/rest/accounts/contacts/options/{option:int}", change_option),
    ("DELETE", "/rest/accounts/contacts/options/{option:int}", delete_option),
    ("POST", "/rest/accounts/contacts/{id:int}/accounts", create_contact_account),
]
