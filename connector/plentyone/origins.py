"""Where the values of our calls come from: for dry runs, which show it beside each value.

A table of paths, `*` for any position. Values inside {"typeId": …, "value": …} lists are named by their type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector import Origin, leaves
from connector.plentyone.addresses import EMAIL, EXTERNAL_ID, PHONE, POST_NUMBER, VAT_NUMBER
from connector.plentyone.credits import ADJUSTED, EXTERNAL_REFUND
from connector.plentyone.lines import EXTERNAL_ITEM, EXTERNAL_LINE
from connector.plentyone.lines import PROFILE as ITEM_PROFILE
from connector.plentyone.lines import WAREHOUSE as ITEM_WAREHOUSE
from connector.plentyone.shapes import rows
from connector.records import Order

FIXED = Origin(said="a fixed value")
MADE = Origin(said="an id that PlentyONE gives")
REFUNDS = Origin(path="fulfilment.refunds")


def path(name: str) -> Origin:
    return Origin(path=name)


def of(address: str, body: Any, order: Order) -> dict[str, Origin]:
    """The origins of all values of one body, by path."""
    if address == "/rest/batch":
        found: dict[str, Origin] = {}
        for at, part in enumerate(rows(body.get("payloads") if isinstance(body, Mapping) else None)):
            inner = of("/" + str(part.get("resource", "")).lstrip("/").split("?")[0], part.get("body"), order)
            found |= {f"payloads.{at}.body.{name}": origin for name, origin in inner.items()}
            found |= {f"payloads.{at}.{name}": FIXED for name in ("resource", "method")}
        return found
    table = next((made for pattern, made in TABLES if pattern.search(address)), None)
    if table is None:
        return {}
    known = table(body, order)
    return {at: origin for at, _value in leaves(body) if (origin := _match(known, at)) is not None}


def _match(known: Mapping[str, Origin], at: str) -> Origin | None:
    return known.get(at) or known.get(re.sub(r"\.\d+(?=\.|$)", ".*", at)) or known.get(at.rsplit(".", 1)[-1])


def _typed(body: Any, at: str, named: Mapping[int, Origin]) -> dict[str, Origin]:
    """The values of a list of {"typeId", "value"}."""
    found = {}
    for position, row in enumerate(rows(body.get(at.rsplit(".", 1)[-1]) if isinstance(body, Mapping) else None)):
        try:
            origin = named.get(int(row["typeId"]))
        except (KeyError, TypeError, ValueError):
            continue
        if origin is not None:
            found[f"{at}.{position}.value"] = origin
    return found


def _order(body: Any, order: Order) -> dict[str, Origin]:
    billing, method = order.billing, order.payment.method
    properties = {
        7: path("number"),
        3: Origin(path="payment.method", setting="payment_mapping", row=method),
        2: Origin(path="shipping_method", setting="shipping_mapping", row=order.shipping_method),
        6: Origin(path="store", setting="store_mapping", row=order.store),
        8: path("customer.key"),
        18: path("coupon"),
        19: FIXED,
        34: path("billing.vat_id" if billing.vat_id else "customer.vat_id"),
        EXTERNAL_REFUND: REFUNDS,
    }
    known = {
        "typeId": FIXED,
        "plentyId": Origin(path="store", setting="store_mapping", row=order.store),
        "referrerId": Origin(path="channel" if order.channel else None, setting="referrer_id"),
        "statusId": Origin(path="status", setting="status_mapping", row=order.status),
        "relations.*.referenceId": MADE,
        "addressRelations.*.addressId": MADE,
        "referenceType": FIXED,
        "relation": FIXED,
        **_typed(body, "properties", properties),
    }
    for at, row in enumerate(rows(body.get("properties") if isinstance(body, Mapping) else None)):
        known.setdefault(f"properties.{at}.value", Origin(setting="attribute_mapping", row=str(row.get("typeId"))))
    for at, item in enumerate(rows(body.get("orderItems") if isinstance(body, Mapping) else None)):
        known |= _item(f"orderItems.{at}", item, order)
    return known


def _item(at: str, item: Mapping[str, Any], order: Order) -> dict[str, Origin]:
    key = next(
        (row.get("value") for row in rows(item.get("properties")) if str(row.get("typeId")) == str(EXTERNAL_LINE)), None
    )
    line = next((place for place, one in enumerate(order.lines) if one.key == key), None)
    if line is None:
        source = next((place for place, one in enumerate(order.lines) if one.name == item.get("orderItemName")), None)
        line = source
    if line is None:  # a discount, a deduction, a residual; an adjustment of a credit memo
        source_name = "deductions" if order.deductions else "discount_title"
        if item.get("orderItemName") in ADJUSTED:
            source_name = "fulfilment.refunds"
        name = money = path(source_name)
        sku = quantity = FIXED
    else:
        name, money = path(f"lines.{line}.name"), path(f"lines.{line}.gross")
        sku, quantity = path(f"lines.{line}.sku"), path(f"lines.{line}.quantity")
    return {
        f"{at}.typeId": FIXED if line is None else path(f"lines.{line}.kind"),
        f"{at}.referrerId": Origin(setting="referrer_id"),
        f"{at}.itemVariationId": Origin(path=sku.path, said="the variation with this number"),
        f"{at}.quantity": quantity,
        f"{at}.orderItemName": name,
        f"{at}.countryVatId": path("shipping.country" if order.shipping else "billing.country"),
        f"{at}.vatField": FIXED if line is None else path(f"lines.{line}.tax_rate"),
        f"{at}.vatRate": FIXED if line is None else path(f"lines.{line}.tax_rate"),
        f"{at}.shippingProfileId": Origin(
            path="shipping_method", setting="shipping_mapping", row=order.shipping_method
        ),
        f"{at}.warehouseId": Origin(setting="warehouse_id"),
        f"{at}.amounts.0.isSystemCurrency": path("currency"),
        f"{at}.amounts.0.currency": path("currency"),
        f"{at}.amounts.0.exchangeRate": path("exchange_rate"),
        f"{at}.amounts.0.priceOriginalGross": money,
        f"{at}.amounts.0.discount": FIXED if line is None else path(f"lines.{line}.discount"),
        f"{at}.amounts.0.surcharge": FIXED,
        f"{at}.amounts.0.isPercentage": FIXED,
        **{
            f"{at}.properties.{place}.value": {
                ITEM_WAREHOUSE: Origin(setting="warehouse_id"),
                ITEM_PROFILE: Origin(path="shipping_method", setting="shipping_mapping", row=order.shipping_method),
                EXTERNAL_ITEM: sku,
                EXTERNAL_LINE: FIXED if line is None else path(f"lines.{line}.key"),
            }.get(int(row.get("typeId") or 0), FIXED)
            for place, row in enumerate(rows(item.get("properties")))
        },
    }


def _contact(body: Any, order: Order) -> dict[str, Origin]:
    customer = order.customer
    options = {2: path("customer.email" if customer.email else "billing.email"), 1: path("billing.phone"), 10: FIXED}
    return {
        "typeId": FIXED,
        "subTypeId": FIXED,
        "priority": FIXED,
        "referrerId": Origin(setting="referrer_id"),
        "plentyId": Origin(path="store", setting="store_mapping", row=order.store),
        "externalId": path("customer.key" if customer.key else "customer.email"),
        "number": path("customer.key"),
        "firstName": path("customer.first_name" if customer.first_name else "billing.first_name"),
        "lastName": path("customer.last_name" if customer.last_name else "billing.last_name"),
        "lang": Origin(path="store", setting="store_mapping", row=order.store),
        "gender": Origin(path="customer.gender", setting="gender_mapping", row=customer.prefix or order.billing.prefix),
        "classId": Origin(path="customer.group", setting="customer_class_mapping", row=customer.group),
        **_typed(body, "options", options),
    }


def _address(body: Any, order: Order) -> dict[str, Origin]:
    shipping = order.shipping
    town = body.get("town") if isinstance(body, Mapping) else None
    street = " ".join(str(body.get(one) or "") for one in ("address1", "address2")) if isinstance(body, Mapping) else ""
    at = "billing"
    if shipping and ((shipping.city or "").strip(), _squeezed(shipping.street)) == (town, _squeezed((street,))):
        same = (order.billing.city or "").strip() == town and _squeezed(order.billing.street) == _squeezed((street,))
        at = "billing" if same else "shipping"
    options = {
        VAT_NUMBER: path(f"{at}.vat_id"),
        PHONE: path(f"{at}.phone"),
        EMAIL: path(f"{at}.email"),
        POST_NUMBER: path(f"{at}.street"),
        EXTERNAL_ID: path(f"{at}.key"),
    }
    named = {f"name{place}": Origin(path=f"{at}", setting="address_field_mapping") for place in (1, 2, 3, 4)}
    streets = {f"address{place}": path(f"{at}.street") for place in (1, 2, 3, 4)}
    return {
        **named,
        **streets,
        "gender": Origin(path=f"{at}.prefix", setting="gender_mapping"),
        "postalCode": path(f"{at}.postcode"),
        "town": path(f"{at}.city"),
        "countryId": path(f"{at}.country"),
        "stateId": path(f"{at}.region_code"),
        "typeId": FIXED,
        **_typed(body, "options", options),
    }


def _squeezed(parts: tuple[str, ...]) -> str:
    return "".join(" ".join(parts).split()).casefold()


def _payment(body: Any, order: Order) -> dict[str, Origin]:
    method = order.payment.method
    properties = {
        1: path("payment.transaction_id" if order.payment.transaction_id else "number"),
        3: path("number"),
        10: path("number"),
        11: path("billing.last_name" if order.billing.last_name else "billing.company"),
        12: path("customer.email" if order.customer.email else "billing.email"),
    }
    return {
        "amount": path("paid"),
        "exchangeRatio": path("exchange_rate"),
        "mopId": Origin(path="payment.method", setting="payment_mapping", row=method),
        "currency": path("currency"),
        "status": Origin(path="paid", setting="payment_mapping", row=method),
        "receivedAt": path("payment.paid_at"),
        "isSystemCurrency": path("currency"),
        "id": MADE,
        **dict.fromkeys(
            ("type", "transactionType", "unaccountable", "updateOrderPaymentStatus", "regenerateHash", "typeId"), FIXED
        ),
        **_typed(body, "properties", properties),
    }


def _comment(body: Any, order: Order) -> dict[str, Origin]:
    fixed = dict.fromkeys(("referenceType", "isVisibleForContact", "userId"), FIXED)
    return {"referenceValue": MADE, "text": path("comments"), **fixed}


def _relation(body: Any, order: Order) -> dict[str, Origin]:
    return {at: MADE for at, _value in leaves(body)}


def _credit(body: Any, order: Order) -> dict[str, Origin]:
    return {
        "quantities.*.orderItemId": MADE,
        "quantities.*.quantity": REFUNDS,
        "includeCouponsIntoOrderItemPrice": FIXED,
    }


def _package(body: Any, order: Order) -> dict[str, Origin]:
    return {
        "packageId": Origin(setting="default_shipping_package"),
        "packageType": FIXED,
        "packageNumber": path("fulfilment.shipments"),
        "weight": path("fulfilment.shipments"),
    }


def _tag(body: Any, order: Order) -> dict[str, Origin]:
    return {
        "tagId": Origin(path="status", setting="tag_mapping", row=order.status),
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
