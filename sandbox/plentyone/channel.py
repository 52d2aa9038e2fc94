"""An order that another sales channel leaves at the tenant, for who wants to see it arrive elsewhere."""

from decimal import Decimal
from typing import Any

from sandbox.message import Request, to_json
from sandbox.plentyone import addresses, contacts, lists
from sandbox.plentyone.orders import create_as
from sandbox.plentyone.routes import Call
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record, number, text, whole
from sandbox.plentyone.warehouse import CLEARED, WORKER, move_money, seen

CUSTOMER = {"firstName": "Chiara", "lastName": "Kanal"}
HOME = {"address1": "Marktgasse", "address2": "3", "postalCode": "20095", "town": "Hamburg", "countryId": 1}


def place(tenant: Tenant, body: Any) -> Any:
    """An order of another channel: `lines` of sku, quantity and gross price; the rest has a default.

    `referrerId` 4.01, `plentyId` 12345, `externalId`, `currency` with `exchangeRate`, `shipping` gross, `coupon`
    gross, `email`, `firstName`, `lastName`, `address` (fields of an address), `statusId` 5, `paid` true, `mopId`.
    """
    given = body if isinstance(body, dict) else {}
    numbers = {row["number"]: row for row in tenant.variations.values()}
    rows = given.get("lines") or [{"sku": sku, "price": 19.9} for sku in list(numbers)[:1]]
    currency, referrer = given.get("currency", "EUR"), given.get("referrerId", Decimal("4.01"))
    profile = whole(given.get("shippingProfileId")) or 6

    def line(kind: int, name: str, price: Any, quantity: Any = 1, **more: Any) -> Record:
        amounts = {"isSystemCurrency": currency == "EUR", "currency": currency, "priceOriginalGross": price}
        amounts["exchangeRate"] = given.get("exchangeRate", lists.CURRENCIES.get(currency, 1))
        record = {"typeId": kind, "orderItemName": name, "quantity": quantity, "referrerId": referrer}
        record |= {"countryVatId": 1, "vatField": 0, "shippingProfileId": profile, "amounts": [amounts]}
        return record | more

    items = []
    for row in rows:
        known = numbers.get(row.get("sku"))
        more = {"vatRate": row["vatRate"]} if "vatRate" in row else {}
        kind, variation = (1, known["id"]) if known else (9, 0)
        name = row.get("name") or (known and known["name"]) or text(row.get("sku"))
        items.append(
            line(kind, name, row.get("price", 19.9), row.get("quantity", 1), itemVariationId=variation, **more)
        )
    if given.get("coupon"):
        items.append(line(4, "Coupon", -abs(number(given["coupon"]) or Decimal(0)), itemVariationId=0))
    items.append(line(6, "Versand", given.get("shipping", 4.9), itemVariationId=0))
    external = text(given.get("externalId")) or f"CH-{tenant.next_id('channel order'):06d}"
    mail = f"{external.lower()}@marketplace.example"  # marketplaces give every order an address of its own
    person = {name: given.get(name, value) for name, value in {**CUSTOMER, "email": mail}.items()}
    contact = _contact(tenant, given, person, referrer)
    address = _address(tenant, given, person)
    for kind in (1, 2):
        addresses.relate(tenant, contact, address, kind)
    order = create_as(
        _call(tenant, {}),
        {
            "typeId": 1,
            "plentyId": whole(given.get("plentyId")) or 12345,
            "referrerId": referrer,
            "statusId": given.get("statusId", CLEARED),
            "properties": [
                {"typeId": 7, "value": external},
                {"typeId": 3, "value": text(given.get("mopId", 6007))},
                {"typeId": 2, "value": str(profile)},
                {"typeId": 6, "value": "de"},
            ],
            "relations": [{"referenceType": "contact", "referenceId": contact, "relation": "receiver"}],
            "addressRelations": [{"typeId": kind, "addressId": address} for kind in (1, 2)],
            "orderItems": items,
        },
    )
    if given.get("paid", True):
        move_money(tenant, order, {"transactionId": f"TXN-{external}"}, "credit")
    return seen(tenant, order)


def _contact(tenant: Tenant, given: Record, person: Record, referrer: Any) -> int:
    body = {"typeId": 1, "referrerId": referrer, "plentyId": whole(given.get("plentyId")) or 12345, **person}
    body["options"] = [{"typeId": 2, "subTypeId": 4, "priority": 0, "value": body.pop("email")}]
    made: int = contacts.create(_call(tenant, body))["id"]
    return made


def _address(tenant: Tenant, given: Record, person: Record) -> int:
    body = {"name2": person["firstName"], "name3": person["lastName"], **HOME, **(given.get("address") or {})}
    body["options"] = [{"typeId": 5, "value": person["email"]}]
    made: int = addresses.store(tenant, body)["id"]
    return made


def _call(tenant: Tenant, body: Record) -> Call:
    """The channel's own call: what it sends is looked at as everything else."""
    request = Request(method="POST", path="/", raw_path="/", body=to_json(body).encode())
    return Call(tenant=tenant, request=request, user=WORKER)
