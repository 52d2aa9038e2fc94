"""Turns refurbed's orders and returns into the shared records.

An item is one unit: two equal telephones are two lines. `total_charged` is what the customer is charged for it; a coupon
lies within it (`total_paid` is "what the customer paid plus discount value", and charged is paid plus refunded), so a
discount is told and not deducted. Shipping is part of the price.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from connector import Payload, RecordFailed
from connector.records import (
    Address,
    Comment,
    Customer,
    IdentifierKind,
    LineKind,
    Order,
    OrderLine,
    Payment,
    Residual,
    Return,
    ReturnLine,
    cents,
)
from connector.refurbed.reading import CENT, ZERO, Fields, identifiers
from connector.refurbed.shapes import PAYMENT_METHODS, RETURN_STATES

STORE = "refurbed"
CHANNEL = "refurbed"
RATE_DIGITS = Decimal("0.0000000001")
NOT_DELIVERED = ("REJECTED", "CANCELLED")
OVER = (*NOT_DELIVERED, "UNFULFILLED")
GENDERS = {"MALE": ("male", "Mr"), "FEMALE": ("female", "Ms")}
NUMBER_FIRST = frozenset(("FR", "GB", "IE", "LU", "MC", "MT"))  # where the house number stands before the street
ATTRIBUTES: dict[str, str] = {
    "labels": "Labels",
    "state": "State",
    "payment_method": "Payment method",
    "customer_email": "E-mail",
    "total_charged": "Total charged",
    "total_discount": "Discount",
    "total_paid": "Total paid",
    "total_refunded": "Total refunded",
    "total_vat_charged": "VAT",
    "settlement_currency_code": "Settlement currency",
    "settlement_exchange_rate": "Settlement exchange rate",
    "settlement_total_charged": "Settlement: total charged",
    "settlement_total_discount": "Settlement: discount",
    "settlement_total_paid": "Settlement: total paid",
    "settlement_total_refunded": "Settlement: total refunded",
    "settlement_total_vat_charged": "Settlement: VAT",
    "settlement_total_commission": "Settlement: commission",
    "settlement_difference": "Settlement: difference to the exchange rate",
    "refund_eligibility": "Refund eligibility",
    "is_invoiceable": "Invoice may be uploaded",
    "has_invoice": "Invoice was uploaded",
}


def order(payload: Payload) -> Order:
    """Raises RecordFailed naming field and value."""
    number = Fields("An order", payload).needed("id")
    data = Fields(f"order {number}", payload)
    currency = data.needed("currency_code")
    released = data.moment("released_at")
    items = list(data.rows("items"))
    if not items:
        raise RecordFailed(f"Order {number} has no items.")
    lines = tuple(_line(item, currency) for item in items)
    total = data.needed_amount("total_charged")
    difference = total - sum((line.total for line in lines), ZERO)
    paid = data.amount("total_paid") + data.amount("total_refunded")
    billing = data.inner("invoice_address")
    shipping = data.inner("shipping_address")
    email = data.text("customer_email")
    gender, prefix = GENDERS.get(billing.text("entity") or "", (None, None))
    method = data.text("payment_method") or "UNSPECIFIED"
    state = data.text("state")
    settlement = _settlement(data, items, total)
    return Order(
        key=number,
        number=number,
        store=STORE,
        created_at=released,
        updated_at=released,
        status=state,
        state=state,
        cancelled=state in OVER,
        currency=currency,
        base_currency=data.text("settlement_currency_code"),
        exchange_rate=_per_base(data, currency),
        grand_total=total,
        paid=paid,
        customer=Customer(
            email=email,
            first_name=billing.text("first_name"),
            last_name=billing.text("family_name"),
            prefix=prefix,
            gender=gender,
            vat_id=billing.text("company_vatin"),
        ),
        billing=_address(billing, email),
        shipping=_address(shipping, email),
        lines=lines,
        residual=Residual(amount=difference, name="Difference to total_charged") if difference else None,
        payment=Payment(method=method, title=PAYMENT_METHODS.get(method), amount=paid, paid_at=released),
        comments=tuple(
            Comment(text=text, created_at=released) for text in (*_notes(items, lines), *_beyond(data, settlement))
        ),
        channel=CHANNEL,
        attributes=dict(_attributes(data, items, settlement[0])),
        extra={"states": {line.key: item.text("state") for item, line in zip(items, lines, strict=True)}},
    )


def _line(item: Fields, currency: str) -> OrderLine:
    if (own := item.text("currency_code")) is not None and own != currency:
        raise item.wrong("currency_code", f"the order's, {currency}")
    key = item.needed("id")
    taxation, charged = item.text("taxation"), item.needed_amount("total_charged")
    rate, tax = _plain(item.some_amount("vat_rate")), item.amount("vat_charged")
    if taxation == "MARGINAL" or (taxation == "NET" and not tax):
        rate, tax = ZERO, ZERO
    elif taxation not in ("GROSS", "NET"):
        raise item.wrong("taxation", "GROSS, MARGINAL or NET")
    weight = item.some_amount("weight_kg")
    return OrderLine(
        key=key,
        external=key,
        kind=LineKind.PRODUCT,
        sku=item.text("sku"),
        name=item.text("name") or item.text("sku") or f"item {key}",
        gross=charged,
        tax=tax,
        tax_rate=rate,
        identifiers=identifiers(item, "item_identifier"),
        weight_grams=None if weight is None else int(weight * 1000),
        extra={"taxation": taxation},
    )


def _plain(rate: Decimal | None) -> Decimal | None:
    """20 for 20.00, so that equal rates look alike."""
    if rate is None:
        return None
    return rate.quantize(Decimal(1)) if rate == rate.to_integral_value() else rate.normalize()


def _address(data: Fields, email: str | None) -> Address:
    street, number, country = data.text("street_name"), data.text("house_no"), data.text("country_code")
    parts = (number, street) if country in NUMBER_FIRST else (street, number)
    first = " ".join(one for one in parts if one)
    _, prefix = GENDERS.get(data.text("entity") or "", (None, None))
    apart = {"entity": data.text("entity"), "street_name": street, "house_no": number}
    return Address(
        company=data.text("company_name"),
        first_name=data.text("first_name"),
        last_name=data.text("family_name"),
        prefix=prefix,
        street=tuple(one for one in (first, data.text("supplement")) if one),
        postcode=data.text("post_code"),
        city=data.text("town"),
        country=country,
        phone=data.text("phone_number"),
        email=email,
        vat_id=data.text("company_vatin"),
        additional=data.text("personal_vatin"),
        extra={name: value for name, value in apart.items() if value is not None},
    )


def _per_base(data: Fields, currency: str) -> Decimal | None:
    """Order currency per settlement currency. refurbed tells the other way round: what converts into the settlement."""
    if data.text("settlement_currency_code") in (None, currency):
        return Decimal(1)
    rate = data.some_amount("settlement_exchange_rate")
    if not rate or rate < 0:
        return None
    return (1 / rate).quantize(RATE_DIGITS).normalize()


def _settlement(data: Fields, items: Sequence[Fields], total: Decimal) -> tuple[Decimal | None, bool]:
    """By how much the settled total differs from what the exchange rate makes of the total; None: the answer does not
    say. And whether that, or the sum of the items, is more than rounding."""
    rate, settled = data.some_amount("settlement_exchange_rate"), data.text("settlement_total_charged")
    if rate is None or settled is None:
        return None, False
    amount = data.amount("settlement_total_charged")
    difference = amount - cents(total * rate)
    exponent = rate.as_tuple().exponent
    blur = total * Decimal(5).scaleb(int(exponent) - 1) if rate != 1 else ZERO  # the rate itself is rounded
    rounding = CENT * len(items)
    summed = sum((item.amount("settlement_total_charged") for item in items), ZERO)
    return difference, abs(difference) > rounding + blur or abs(amount - summed) > rounding


def _beyond(data: Fields, settlement: tuple[Decimal | None, bool]) -> Iterator[str]:
    if settlement[1]:
        currency = data.text("settlement_currency_code") or ""
        yield (
            f"refurbed: the settled total of {data.text('settlement_total_charged')} {currency} is not what the exchange "
            f"rate {data.text('settlement_exchange_rate')} or the items come to."
        )


def _notes(items: Sequence[Fields], lines: Sequence[OrderLine]) -> Iterator[str]:
    """What people must see at the order: return labels, doubtful IMEIs, units that are not to be shipped."""
    for item, line in zip(items, lines, strict=True):
        named = f"{line.name} ({line.key})"
        if item.text("state") in NOT_DELIVERED:
            yield f"refurbed: {named} is {item.needed('state').lower()} and must not be shipped."
        if url := item.text("return_shipment_tracking_url"):
            yield f"refurbed: return label of {named}: {url}"
        told = {one.text("value") for one in item.rows("item_identifiers") if one.text("identifier_type") == "IMEI"}
        for one in line.identifiers:
            if one.kind is IdentifierKind.IMEI and not one.plausible:
                yield f"refurbed: please check the IMEI {one.value} of {named}: its check digit is wrong."
            elif one.kind is IdentifierKind.SERIAL and one.value in told:
                yield f"refurbed: please check the IMEI {one.value} of {named}: it has not 15 digits."


def _attributes(data: Fields, items: Sequence[Fields], difference: Decimal | None) -> Iterator[tuple[str, Any]]:
    own: dict[str, Any] = {
        **data.data,
        "labels": ", ".join(str(one) for one in data.data.get("labels") or ()),
        "settlement_total_commission": str(sum((one.amount("settlement_total_commission") for one in items), ZERO)),
        "settlement_difference": str(difference) if difference else None,
    }
    for name in ATTRIBUTES:
        if own.get(name) not in (None, ""):
            yield name, own[name]


def item_return(payload: Payload) -> Return:
    """One return of one unit. Raises RecordFailed naming field and value."""
    key = Fields("A return", payload).needed("id")
    data = Fields(f"return {key}", payload)
    number = data.needed("order_id")
    begun, delivered = data.moment("return_initiated_at"), data.some_moment("delivered_at")
    state = data.text("state")
    item = data.inner("order_item")
    refunded = state == "REFUNDED" or (state == "CONCLUDED" and item.amount("total_refunded") > 0)
    ticket = data.text("ticket_url")
    return Return(
        key=key,
        order=number,
        number=number,
        store=STORE,
        created_at=begun,
        updated_at=max(begun, delivered) if delivered else begun,
        status=state,
        status_name=RETURN_STATES.get(state or ""),
        lines=(
            ReturnLine(
                line=data.needed("order_item_id"),
                name=data.text("instance_name") or "",
                identifiers=identifiers(data, "order_item_identifier"),
            ),
        ),
        tracking_number=data.text("tracking_number"),
        tracking_url=data.text("tracking_url"),
        delivered_at=delivered,
        refunded=refunded,
        reason=data.text("ticket_topic"),
        comments=(Comment(text=f"refurbed: ticket {ticket}", created_at=begun),) if ticket else (),
    )
