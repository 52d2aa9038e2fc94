"""Where the values of our calls come from: for dry runs, which show it beside each value.

Of each body a table of paths, `*` for any position. A path or a setting alone means that its value is sent as it is; what
was made of it is said beside it. Values inside {"typeId": …, "value": …} lists are named by their type.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from connector import Options, Origin, leaves
from connector.plentyone import contacts
from connector.plentyone.addresses import EMAIL, EXTERNAL_ID, PHONE, PLACES, POST_NUMBER, VAT_NUMBER
from connector.plentyone.aims import set_value
from connector.plentyone.comments import as_html, named
from connector.plentyone.credits import ADJUSTED, EXTERNAL_REFUND
from connector.plentyone.lines import EXTERNAL_ITEM, EXTERNAL_LINE, ItemType
from connector.plentyone.lines import PROFILE as ITEM_PROFILE
from connector.plentyone.lines import WAREHOUSE as ITEM_WAREHOUSE
from connector.plentyone.options import ADDRESS_FIELDS
from connector.plentyone.payments import AWAITING
from connector.plentyone.shapes import amount, rows, same, valued
from connector.records import Address, LineKind, Order, Refund, cents
from connector.settings import ident, mapped

FIXED = Origin(said="a fixed value")
MADE = Origin(said="an id that PlentyONE gives")
COUNTRY_VAT = Origin(said="where PlentyONE keeps this VAT rate")
CALL = Origin(said="the call itself")
FIELDS = {"firstname": "first_name", "middlename": "middle_name", "lastname": "last_name"}  # in the address mapping
STREET = {
    "address1": Origin(said="the street of it"),
    "address2": Origin(said="the house number in it"),
    "address3": Origin(said="what stands beside street and house number"),
    "address4": Origin(said="what stands beside street and house number"),
}


def path(name: str) -> Origin:
    return Origin(path=name)


def of(address: str, body: Any, order: Order, options: Options) -> dict[str, Origin]:
    """The origins of all values of one body, by path."""
    if address == "/rest/batch":
        found: dict[str, Origin] = {}
        for at, part in enumerate(_rows(body, "payloads")):
            inner = of("/" + str(part.get("resource", "")).lstrip("/").split("?")[0], part.get("body"), order, options)
            found |= {f"payloads.{at}.body.{name}": origin for name, origin in inner.items()}
            found |= {f"payloads.{at}.{name}": CALL for name in ("resource", "method")}
        return found
    table = next((made for pattern, made in TABLES if pattern.search(address)), None)
    if table is None:
        return {}
    known = table(body, order, options)
    return {at: origin for at, _value in leaves(body) if (origin := _match(known, at)) is not None}


def _match(known: Mapping[str, Origin], at: str) -> Origin | None:
    """By its own path, by that of any position (of the same item), by its name alone."""
    own = re.match(r"\w+\.\d+\.", at)
    head = own[0] if own else ""
    ways = (at, head + _starred(at[len(head) :]), _starred(at), at.rsplit(".", 1)[-1])
    return next((known[way] for way in ways if way in known), None)


def _starred(at: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", at)


def _rows(body: Any, name: str) -> list[dict[str, Any]]:
    return rows(body.get(name)) if isinstance(body, Mapping) else []


def _typed(body: Any, at: str, of_type: Mapping[int, Origin]) -> dict[str, Origin]:
    """The values of a list of {"typeId", "value"}."""
    found = {f"{at}.*.{name}": FIXED for name in ("typeId", "subTypeId", "priority")}
    for position, row in enumerate(_rows(body, at)):
        type = amount(row.get("typeId"))
        if type is not None and (origin := of_type.get(int(type))) is not None:
            found[f"{at}.{position}.value"] = origin
    return found


# from settings


def _row(options: Options, setting: str, at: str, row: str | None, *, column: str | None = None) -> Origin:
    return Origin(path=at, setting=setting, row=row, column=column if mapped(options, setting, row) else None)


def _is_mapped(options: Options, setting: str, row: str | None, column: str | None = None) -> bool:
    found = mapped(options, setting, row)
    return set_value((found or {}).get(column) if column else found) is not None


def _client(order: Order, options: Options) -> Origin:
    made = _row(options, "store_mapping", "store", order.store, column="webstore")
    if _is_mapped(options, "store_mapping", order.store, "webstore"):
        return made
    return replace(made, said="the first client that was collected")


def _language(order: Order, options: Options) -> Origin:
    made = _row(options, "store_mapping", "store", order.store, column="language")
    if _is_mapped(options, "store_mapping", order.store, "language"):
        return made
    return replace(made, said="the client's own language")


def _referrer(order: Order, options: Options) -> Origin:
    if set_value(options.referrer_id) is not None:
        return Origin(setting="referrer_id")
    if order.channel is not None:
        return Origin(path="channel", setting="referrer_id", said="the order referrer of this name")
    return Origin(setting="referrer_id", said="the web shop, where none is set")


def _method(order: Order, options: Options) -> Origin:
    return _row(options, "payment_mapping", "payment.method", order.payment.method, column="method_id")


def _profile(order: Order, options: Options) -> Origin:
    if _is_mapped(options, "shipping_mapping", order.shipping_method):
        return _row(options, "shipping_mapping", "shipping_method", order.shipping_method)
    return Origin(setting="default_shipping_profile")


def _status(order: Order, options: Options) -> Origin:
    return _row(options, "status_mapping", "status", order.status)


def _rate(order: Order, system: object, rate: Any) -> Origin:
    if system is not False:
        return Origin(path="currency", said="PlentyONE's own currency")
    if amount(rate) == order.exchange_rate:
        return path("exchange_rate")
    return Origin(path="currency", said="PlentyONE's own rate of this currency")


# the order


def _order(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    memo = valued(body.get("properties"), EXTERNAL_REFUND) if isinstance(body, Mapping) else None
    refund = next((at for at, one in enumerate(order.fulfilment.refunds) if memo is not None and one.key == memo), None)
    properties = {
        7: path("number"),
        3: _method(order, options),
        2: _profile(order, options),
        6: _language(order, options),
        8: path("customer.key"),
        18: path("coupon"),
        19: FIXED,
        34: path("billing.vat_id" if order.billing.vat_id else "customer.vat_id"),
    }
    for name, property in (options.attribute_mapping or {}).items():
        if order.attributes.get(name) not in (None, "", [], {}) and ident(property or "").isdigit():
            properties[int(ident(property))] = Origin(path=f"attributes.{name}", setting="attribute_mapping", row=name)
    if refund is not None:
        properties = {EXTERNAL_REFUND: path(f"fulfilment.refunds.{refund}.key")}
    reason = Origin(path="replaced_by", said="in a sentence") if order.replaced_by else FIXED
    known = {
        "typeId": FIXED,
        "plentyId": _client(order, options),
        "referrerId": _referrer(order, options),
        "statusId": _status(order, options),
        "message": reason,
        "relations.*.referenceType": FIXED,
        "relations.*.relation": FIXED,
        "addressRelations.*.typeId": FIXED,
        "addressRelations.*.addressId": MADE,
        **_typed(body, "properties", properties),
    }
    for at, row in enumerate(_rows(body, "relations")):
        warehouse = row.get("referenceType") == "warehouse"
        known[f"relations.{at}.referenceId"] = Origin(setting="warehouse_id") if warehouse else MADE
    for at, item in enumerate(_rows(body, "orderItems")):
        made = _item(item, order, options) if refund is None else _credited(item, order, refund)
        known |= {f"orderItems.{at}.{name}": origin for name, origin in made.items()}
    return known


def _item(item: Mapping[str, Any], order: Order, options: Options) -> dict[str, Origin]:
    key = valued(item.get("properties"), EXTERNAL_LINE)
    line = next((place for place, one in enumerate(order.lines) if one.key == key), None)
    money = next(iter(rows(item.get("amounts"))), {})
    country = "shipping.country" if order.shipping else "billing.country"
    return {
        **dict.fromkeys(("itemVariationId", "quantity", "amounts.*.discount"), FIXED),
        **dict.fromkeys(("amounts.*.surcharge", "amounts.*.isPercentage", "properties.*.typeId"), FIXED),
        "referrerId": _referrer(order, options),
        "countryVatId": replace(COUNTRY_VAT, path=country),
        "shippingProfileId": _profile(order, options),
        "warehouseId": Origin(setting="warehouse_id"),
        "amounts.*.isSystemCurrency": Origin(path="currency", said="whether it is PlentyONE's own currency"),
        "amounts.*.currency": path("currency"),
        "amounts.*.exchangeRate": _rate(order, money.get("isSystemCurrency"), money.get("exchangeRate")),
        **_typed(
            item,
            "properties",
            {
                ITEM_WAREHOUSE: Origin(setting="warehouse_id"),
                ITEM_PROFILE: _profile(order, options),
                EXTERNAL_ITEM: path(f"lines.{line}.sku"),
                EXTERNAL_LINE: path(f"lines.{line}.key"),
            },
        ),
        **(_other(item, money, order) if line is None else _of_line(item, money, order, line, options)),
    }


def _of_line(
    item: Mapping[str, Any], money: Mapping[str, Any], order: Order, at: int, options: Options
) -> dict[str, Origin]:
    line, here = order.lines[at], f"lines.{at}"
    bundle = next((n for n, one in enumerate(order.lines) if one.key == line.parent), None)
    shared = line.kind is LineKind.COMPONENT and bundle is not None and bool(order.lines[bundle].gross)
    joined = line.kind is LineKind.BUNDLE and options.bundle_as == "parent"

    def sum(name: str, sent: Any) -> Origin:
        if shared:
            return Origin(path=f"lines.{bundle}.{name}", said="the part's share of its bundle's")
        if joined and any(getattr(one, name) for one in order.lines if one.parent == line.key):
            return Origin(path=f"{here}.{name}", said="with its parts'")
        if getattr(line, name) == amount(sent):
            return path(f"{here}.{name}")
        if amount(item.get("quantity")) != 1:
            return Origin(path=f"{here}.{name}", said="of one piece")
        return Origin(path=f"{here}.{name}", said="so that all items come to the total")

    variation = Origin(path=f"{here}.sku", said="the variation with this number")
    if line.kind in (LineKind.SHIPPING, LineKind.SURCHARGE):
        variation = FIXED
    elif not item.get("itemVariationId"):
        variation = Origin(path=f"{here}.sku", setting="unknown_sku", said="PlentyONE has no variation of this number")
    quantity = path(f"{here}.quantity")
    if line.quantity <= 0:
        quantity = FIXED
    elif amount(item.get("quantity")) != line.quantity:
        quantity = Origin(path=f"{here}.quantity", said="a part of it, so that the price comes to the cent")
    discount = sum("discount", money.get("discount"))
    if line.discount and options.discount_as != "line":
        discount = Origin(setting="discount_as", said="it stands on items of its own")
    rate = path(f"{here}.tax_rate")
    if line.tax_rate is None or line.tax_rate != amount(item.get("vatRate")):
        rate = Origin(path=f"{here}.tax", said="the VAT rate that it comes to")
    name = path(f"{here}.name")
    if not line.name.strip():
        name = path(f"{here}.sku") if line.sku else FIXED
    return {
        "typeId": Origin(path=f"{here}.kind", said="the type of item for it"),
        "itemVariationId": variation,
        "quantity": quantity,
        "orderItemName": name,
        "attributeValues": Origin(path=f"{here}.options", said="what was chosen"),
        "vatRate": rate,
        "vatField": Origin(path=rate.path, said="where PlentyONE keeps this VAT rate"),
        "amounts.*.priceOriginalGross": sum("gross", money.get("priceOriginalGross")),
        "amounts.*.discount": discount,
    }


def _other(item: Mapping[str, Any], money: Mapping[str, Any], order: Order) -> dict[str, Origin]:
    """An item that no line became: a residual, a deduction, the discount of a VAT rate."""
    price, title = amount(money.get("priceOriginalGross")), str(item.get("orderItemName"))
    rest = order.residual
    if rest and item.get("typeId") == ItemType.SURCHARGE and price == cents(rest.amount):
        rate = Origin(path="lines.*.tax_rate", said="the highest one")
        return {
            "typeId": Origin(setting="residual", said="a surcharge item"),
            "orderItemName": path("residual.name") if rest.name else FIXED,
            "vatRate": rate,
            "vatField": Origin(path=rate.path, said="where PlentyONE keeps this VAT rate"),
            "amounts.*.priceOriginalGross": path("residual.amount"),
        }
    for at, one in enumerate(order.deductions):
        if price == -cents(one.amount) and title.startswith(one.name) and not amount(item.get("vatRate")):
            here = f"deductions.{at}"
            words = path(f"{here}.name") if one.name else Origin(path=f"{here}.kind", said="the type of item for it")
            return {
                "typeId": Origin(path=f"{here}.kind", said="the type of item for it"),
                "orderItemName": words if title in (one.name, "") else Origin(path=here, said="its name and its code"),
                **dict.fromkeys(("vatRate", "vatField"), Origin(path=f"{here}.kind", said="it lowers no VAT")),
                "amounts.*.priceOriginalGross": Origin(path=f"{here}.amount", said="taken off"),
            }
    rate = Origin(path="lines.*.tax_rate", said="the VAT rate that it was taken off")
    return {
        "typeId": Origin(setting="discount_as", said="it stands on items of its own"),
        "orderItemName": _discount_name(order),
        **dict.fromkeys(("vatRate", "vatField"), rate),
        "amounts.*.priceOriginalGross": Origin(path="lines.*.discount", said="the sum at this VAT rate, taken off"),
    }


def _discount_name(order: Order) -> Origin:
    return path("discount_title") if order.discount_title else path("coupon") if order.coupon else FIXED


def _credited(item: Mapping[str, Any], order: Order, at: int) -> dict[str, Origin]:
    """An item that a credit note has beside the order's own."""
    here, refund = f"fulfilment.refunds.{at}", order.fulfilment.refunds[at]
    money = next(iter(rows(item.get("amounts"))), {})
    there = Origin(said="as on PlentyONE's own order")
    adjusted = item.get("orderItemName") in ADJUSTED
    name = Origin(path=here, said="in words") if adjusted else _discount_name(order)
    return {
        **dict.fromkeys(("referrerId", "countryVatId", "vatField", "vatRate"), there),
        **dict.fromkeys(("amounts.*.isSystemCurrency", "amounts.*.exchangeRate"), there),
        **dict.fromkeys(("typeId", "itemVariationId", "quantity", "amounts.*.surcharge", "amounts.*.discount"), FIXED),
        "amounts.*.isPercentage": FIXED,
        "amounts.*.currency": path("currency"),
        "orderItemName": name,
        "amounts.*.priceOriginalGross": _adjustment(here, refund, money.get("priceOriginalGross"), adjusted),
    }


def _adjustment(here: str, refund: Refund, sent: Any, adjusted: bool) -> Origin:
    if not adjusted:
        return Origin(path=f"{here}.parts", said="the discount of these pieces, taken off")
    for name in ("adjustment", "total"):
        if amount(sent) == getattr(refund, name):
            return path(f"{here}.{name}")
    return Origin(path=f"{here}.total", said="what the items do not come to")


# contact and addresses


def _contact(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    customer, billing = order.customer, order.billing
    prefix = "customer.prefix" if customer.prefix else "billing.prefix"
    gender = _row(options, "gender_mapping", prefix, ((customer.prefix or billing.prefix or "").strip()) or None)
    group = Origin(setting="default_customer_class")
    if _is_mapped(options, "customer_class_mapping", customer.group):
        group = _row(options, "customer_class_mapping", "customer.group", customer.group)
    of_type = {
        contacts.EMAIL[0]: path("customer.email" if customer.email else "billing.email"),
        contacts.PHONE[0]: path("billing.phone"),
        contacts.GUEST[0]: Origin(path="customer.key", said="a guest has none"),
    }
    return {
        "typeId": FIXED,
        "referrerId": _referrer(order, options),
        "plentyId": _client(order, options),
        "externalId": path("customer.key") if customer.key else Origin(path="number", said="marked as a guest's"),
        "number": path("customer.key"),
        "firstName": path("customer.first_name" if customer.first_name else "billing.first_name"),
        "lastName": path("customer.last_name" if customer.last_name else "billing.last_name"),
        "lang": _language(order, options),
        "gender": path("customer.gender") if customer.gender else gender,
        "classId": group,
        **_typed(body, "options", of_type),
    }


def _address(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    body = body if isinstance(body, Mapping) else {}
    at, address = _which(body, order)
    post = valued(body.get("options"), POST_NUMBER)
    of_type = {
        VAT_NUMBER: path(f"{at}.vat_id"),
        PHONE: path(f"{at}.phone"),
        EMAIL: path(f"{at}.email" if address.email else "customer.email"),
        POST_NUMBER: _post(at, address, str(post), options),
        EXTERNAL_ID: path(f"{at}.key"),
    }
    return {
        **{place: _place(at, address, place, body.get(place), options) for place in PLACES},
        "gender": _row(options, "gender_mapping", f"{at}.prefix", (address.prefix or "").strip() or None),
        "postalCode": path(f"{at}.postcode"),
        "town": path(f"{at}.city"),
        "countryId": Origin(path=f"{at}.country", said="PlentyONE's id of it"),
        "stateId": Origin(
            path=f"{at}.region_code" if address.region_code else f"{at}.region", said="PlentyONE's id of it"
        ),
        **_typed(body, "options", of_type),
    }


def _which(body: Mapping[str, Any], order: Order) -> tuple[str, Address]:
    """The one that the body says most of; of two equal ones the billing address."""

    def agreement(address: Address) -> int:
        names = {"name1": address.company, "name2": address.first_name, "name3": address.last_name}
        told = {"town": address.city, "postalCode": address.postcode, **names}
        alike = sum(str(body.get(name) or "") == (value or "").strip() for name, value in told.items())
        street = _squeezed(str(body.get("address1") or ""))
        key = valued(body.get("options"), EXTERNAL_ID)
        return alike + 10 * (key == address.key) + (street in _squeezed(" ".join(address.street)))

    both = [("billing", order.billing), *([("shipping", order.shipping)] if order.shipping else [])]
    return max(both, key=lambda one: agreement(one[1]))


def _place(at: str, address: Address, place: str, sent: Any, options: Options) -> Origin:
    """name1 to address4, of the fields that are mapped to it."""
    mapping = options.address_field_mapping or ADDRESS_FIELDS
    names = [name for name, to in mapping.items() if to == place]
    beside = place == "name4" and address.additional and "additional" not in mapping
    if len(names) + bool(beside) > 1:
        return Origin(path=at, setting="address_field_mapping")
    if beside:
        return path(f"{at}.additional")
    if names:
        name = FIELDS.get(names[0], names[0])
        made = Origin(path=f"{at}.{name}", setting="address_field_mapping", row=names[0])
        if not hasattr(address, name):
            return replace(made, path=f"{at}.extra.{name}")
        if name == "company" and address.company and not sent:
            return replace(made, said="a post number, which stands by itself")
        return made
    if place in STREET and "street" not in mapping:
        return replace(STREET[place], path=f"{at}.street")
    return Origin(setting="address_field_mapping", said="no field is mapped to it")


def _post(at: str, address: Address, sent: str, options: Options) -> Origin:
    if sent in _squeezed(" ".join(address.street)):
        return Origin(path=f"{at}.street", said="the post number in it")
    if (field := str(options.get("post_number_field") or "").strip()) and address.extra.get(field) not in (None, ""):
        return Origin(path=f"{at}.extra.{field}", setting="post_number_field")
    return Origin(path=f"{at}.company", said="the post number in it")


def _squeezed(text: str) -> str:
    return "".join(text.split()).casefold()


# payments


def _payment(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    body = body if isinstance(body, Mapping) else {}
    billing, paid = order.billing, "paid" if order.paid >= order.payment.amount else "payment.amount"
    sender = Origin(path="billing", said="first and last name")
    if not (billing.first_name and billing.last_name):
        sender = path(
            f"billing.{next((one for one in ('first_name', 'last_name') if getattr(billing, one)), 'company')}"
        )
    properties = {
        1: path("payment.transaction_id" if order.payment.transaction_id else "number"),
        3: Origin(path="number", said="in a sentence"),
        10: path("number"),
        11: sender,
        12: path("customer.email" if order.customer.email else "billing.email"),
    }
    awaits = same(body.get("status"), AWAITING)
    sum = path("grand_total" if awaits else paid)
    if not awaits and amount(body.get("amount")) != cents(max(order.paid, order.payment.amount)):
        sum = Origin(path=paid, said="what PlentyONE has not booked yet")
    status = Origin(path=paid, said="approved, as the money came in")
    if awaits:
        status = replace(
            _row(options, "payment_mapping", "payment.method", order.payment.method, column="submit_unconfirmed"),
            said="awaits approval, as no money came in yet",
        )
    return {
        "amount": sum,
        "exchangeRatio": _rate(order, body.get("isSystemCurrency"), body.get("exchangeRatio")),
        "mopId": _method(order, options),
        "currency": path("currency"),
        "status": status,
        "receivedAt": path("payment.paid_at"),
        "isSystemCurrency": Origin(path="currency", said="whether it is PlentyONE's own currency"),
        "id": MADE,
        **dict.fromkeys(("type", "transactionType", "unaccountable", "updateOrderPaymentStatus"), FIXED),
        "regenerateHash": FIXED,
        **_typed(body, "properties", properties),
    }


# what comes after


def _comment(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    text = body.get("text") if isinstance(body, Mapping) else None
    fixed = dict.fromkeys(("referenceType", "isVisibleForContact", "userId"), FIXED)
    return {"referenceValue": MADE, "text": next(_notes(order, text), FIXED), **fixed}


def _notes(order: Order, text: Any) -> Iterator[Origin]:
    for at, one in enumerate(order.comments):
        if as_html(one.text.strip()) == text:
            yield Origin(path=f"comments.{at}.text", said="as a note")
    for at, line in enumerate(order.lines):
        if line.identifiers and as_html(f"{line.name}: {named(line.identifiers)}") == text:
            yield Origin(path=f"lines.{at}.identifiers", said="as a note")


def _relation(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    return {at: MADE for at, _value in leaves(body)}


def _credit(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    """Which memo it is for stands in the call that follows."""
    quantity = Origin(path="fulfilment.refunds", said="the quantities of the credit memo")
    if not any(one.parts or one.shipping for one in order.fulfilment.refunds):
        quantity = Origin(said="one piece bears the amount, and is taken off the note again")
    return {
        "quantities.*.orderItemId": MADE,
        "quantities.*.quantity": quantity,
        "includeCouponsIntoOrderItemPrice": FIXED,
    }


def _package(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    sent = body.get("packageNumber") if isinstance(body, Mapping) else None
    at = next((at for at, number in _numbers(order) if number == sent), None)
    kind = Origin(setting="default_shipping_package")
    if set_value(options.default_shipping_package) is None:
        kind = replace(kind, said="the first one that PlentyONE has")
    return {
        "packageId": kind,
        "packageType": FIXED,
        "packageNumber": path(f"{at}.number"),
        "weight": path(f"{at}.weight_grams"),
    }


def _numbers(order: Order) -> Iterable[tuple[str, str]]:
    for at, shipment in enumerate(order.fulfilment.shipments):
        for place, one in enumerate(shipment.packages):
            yield f"fulfilment.shipments.{at}.packages.{place}", (one.number or "").strip()


def _tag(body: Any, order: Order, options: Options) -> dict[str, Origin]:
    sent = body.get("tagId") if isinstance(body, Mapping) else None
    row = mapped(options, "tag_mapping", order.status) or {}
    column = next((one for one in ("tag", "second_tag") if same(row.get(one), sent)), None)
    return {
        "tagId": _row(options, "tag_mapping", "status", order.status, column=column),
        "tagType": FIXED,
        "relationshipValue": MADE,
    }


TABLES = (
    (re.compile(r"^/rest/orders/[^/]+/credit_notes$"), _credit),
    (re.compile(r"^/rest/orders/[^/]+/shipping/packages$"), _package),
    (re.compile(r"^/rest/tags/relationships$"), _tag),
    (re.compile(r"^/rest/orders(/\d+|/dry-\d+)?(/cancel)?$"), _order),
    (re.compile(r"^/rest/accounts/contacts$"), _contact),
    (re.compile(r"^/rest/accounts/(contacts/[^/]+/)?addresses(/[^/]+)?$"), _address),
    (re.compile(r"^/rest/payments$"), _payment),
    (re.compile(r"^/rest/comments$"), _comment),
    (re.compile(r"^/rest/(payment|accounts|orders)/"), _relation),
)
