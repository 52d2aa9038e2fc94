"""From an order as REST renders it to the shared record. Source: systems knowledge of Magento 2.3 to 2.4.9, section 5.

What has no common name travels in `extra` and, by the shop's own names, in `attributes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from connector import Entry, Payload
from connector.magento.fulfilment import fulfilment
from connector.magento.lines import lines, shipping_method
from connector.magento.money import deductions, exact, exchange_rate
from connector.magento.reading import ZERO, Fields, number
from connector.magento.residual import flat
from connector.records import Address, Comment, Customer, Order, Payment

GENDERS = {"1": "male", "2": "female"}  # 3 is "not specified"
NESTED = (dict, list, type(None))
SECRET = ("protect_code",)  # opens a guest's order to whoever knows it
BULKY = ("shipping_assignments", "applied_taxes", "item_applied_taxes", "taxes", "additional_itemized_taxes")
ADDRESS_FIELDS = ("company", "street", "postcode", "city", "region", "region_id", "region_code", "country_id",
                  "firstname", "middlename", "lastname", "prefix", "suffix", "telephone", "fax", "email", "vat_id",
                  "entity_id", "parent_id", "address_type")  # fmt: skip
PAYMENT_FIELDS = ("po_number", "cc_type", "cc_last4", "cc_trans_id", "amount_authorized", "amount_refunded")
ORDER_FIELDS = ("store_id", "hold_before_state", "hold_before_status", "original_increment_id", "total_refunded")


class Parser:
    """Turns payloads into orders. `store` finds the store view of a number (its id is the code)."""

    def __init__(self, store: Callable[[str | None], Entry | None]) -> None:
        self._store = store

    def parse(self, payload: Payload) -> Order:
        """Raises RecordFailed naming the order, the field and the value received."""
        name = payload.get("increment_id") or payload.get("entity_id", "?") if isinstance(payload, Mapping) else "?"
        order = Fields(f"order {name}", payload)
        extension = order.inner("extension_attributes")
        if not order.data.get("billing_address"):
            raise order.wrong("billing_address", "an address")
        billing = _address(order.inner("billing_address"))
        shipping = _shipping_address(extension)
        notes: list[str] = []
        if shipping is None and not order.flag("is_virtual"):
            shipping = billing
            notes.append("Magento did not send the shipping address; the billing address is taken.")
        store_id = order.text("store_id")
        store = self._store(store_id)
        if store is None:
            said = " / ".join(str(order.data.get("store_name") or "").split("\n")) or "without a name"
            notes.append(f"Store view {store_id or 'without number'} ({said}) does not exist any more.")
        taken_off = deductions(extension)
        made, residual = lines(order, extension, taken_off, store.extra.get("weight_unit") if store else None)
        state = order.text("state")
        return Order(
            key=order.needed_text("entity_id"),
            number=order.needed_text("increment_id"),
            store=store.id if store else None,
            website=store.extra.get("website") if store else None,
            created_at=order.moment("created_at"),
            updated_at=order.moment("updated_at" if order.data.get("updated_at") else "created_at"),
            status=order.text("status"),
            state=state,
            cancelled=(state or order.text("status")) == "canceled",
            currency=_currency(order),
            base_currency=order.text("base_currency_code"),
            exchange_rate=exchange_rate(order),
            grand_total=exact(order.needed_amount("grand_total")),
            paid=_paid(order),
            customer=_customer(order, billing),
            billing=billing,
            shipping=shipping,
            shipping_method=shipping_method(extension),
            shipping_title=order.text("shipping_description"),
            lines=made,
            deductions=taken_off,
            residual=residual,
            coupon=_coupon(order, extension),
            discount_title=order.text("discount_description"),
            payment=_payment(order, extension),
            comments=tuple(_comments(order, extension)),
            replaces=order.text("relation_parent_real_id"),
            replaced_by=order.text("relation_child_real_id"),
            traces=(f"cart_id={cart}",) if (cart := order.text("quote_id")) else (),
            fulfilment=fulfilment(order, made),
            attributes=attributes(order, extension),
            extra=dict(_extra(order, extension, notes)),
        )


def _currency(order: Fields) -> str:
    code = order.needed_text("order_currency_code")
    if len(code) != 3 or not code.isalpha():
        raise order.wrong("order_currency_code", "a currency of three letters")
    return code.upper()


def _shipping_address(extension: Fields) -> Address | None:
    """Of the one shipping assignment (core makes exactly one); there is no such field at the top level."""
    for assignment in extension.loose_rows("shipping_assignments"):
        shipping = assignment.data.get("shipping")
        address = shipping.get("address") if isinstance(shipping, Mapping) else None
        if isinstance(address, Mapping) and address:
            return _address(Fields(extension.of, address, "shipping.address."))
    return None


def _address(given: Fields) -> Address:
    street = given.data.get("street")
    rows = street if isinstance(street, list) else str(street or "").split("\n")
    return Address(
        company=given.text("company"),
        first_name=given.text("firstname"),
        middle_name=given.text("middlename"),
        last_name=given.text("lastname"),
        prefix=given.text("prefix"),
        suffix=given.text("suffix"),
        street=tuple(text for one in rows if one is not None and (text := str(one).strip())),
        postcode=given.text("postcode"),
        city=given.text("city"),
        region=given.text("region"),
        region_code=given.text("region_code"),
        country=(given.text("country_id") or "").upper() or None,
        phone=given.text("telephone"),
        fax=given.text("fax"),
        email=given.text("email"),
        vat_id=given.text("vat_id"),
        key=given.text("entity_id"),
        extra={path: value for path, value in flat(given.data, "") if path not in ADDRESS_FIELDS},
    )


def _customer(order: Fields, billing: Address) -> Customer:
    """A missing customer id means a guest, whatever the flag says; the names a guest lacks are the billing address's."""
    named = order.text("customer_firstname") is not None or order.text("customer_lastname") is not None
    key = order.text("customer_id")
    return Customer(
        key=None if key == "0" else key,
        email=order.text("customer_email") or billing.email,
        group=order.text("customer_group_id"),
        first_name=order.text("customer_firstname") if named else billing.first_name,
        middle_name=order.text("customer_middlename") if named else billing.middle_name,
        last_name=order.text("customer_lastname") if named else billing.last_name,
        prefix=order.text("customer_prefix") or (None if named else billing.prefix),
        gender=GENDERS.get(order.text("customer_gender") or ""),
        vat_id=order.text("customer_taxvat") or billing.vat_id,
        extra={
            name: value
            for name in ("customer_dob", "customer_suffix", "ext_customer_id", "customer_gender")
            if (value := order.text(name))
        },
    )


def _paid(order: Fields) -> Decimal:
    """In the order's currency. `total_paid` is absent while nothing is paid."""
    return exact(order.amount("total_paid") or order.inner("payment").amount("amount_paid"))


def _coupon(order: Fields, extension: Fields) -> str | None:
    codes = extension.data.get("coupon_codes")
    several = [str(one).strip() for one in codes if str(one or "").strip()] if isinstance(codes, list) else []
    return ", ".join(several) if len(several) > 1 else order.text("coupon_code") or next(iter(several), None)


def _payment(order: Fields, extension: Fields) -> Payment:
    """Keys of the additional information are only in the extension attribute; its nulls come as the text "null"."""
    given = order.inner("payment")
    method = given.text("method")
    if method is None:
        raise given.wrong("method", "a text")
    keyed = {
        key: row.data["value"]
        for row in extension.loose_rows("payment_additional_info")
        if (key := row.text("key")) and row.data.get("value") not in (None, "null", "")
    }
    more = {name: value for name in PAYMENT_FIELDS if (value := given.text(name)) and number(value) != ZERO}
    title = keyed.get("method_title")
    return Payment(
        method=method,
        title=title.strip() or None if isinstance(title, str) else None,
        amount=_paid(order),
        transaction_id=given.text("last_trans_id"),
        extra={**more, **dict(sorted(keyed.items()))},
    )


def _comments(order: Fields, extension: Fields) -> Iterator[Comment]:
    """The customer's note, gift messages, then what the shop let the customer read, oldest first."""
    at = order.some_moment("created_at")
    note = order.text("customer_note")
    if note:
        yield Comment(text=note, created_at=at, by_customer=True)
    messages = [("", extension.data.get("gift_message"))]
    for item in order.loose_rows("items"):
        own = item.data.get("extension_attributes")
        if own and isinstance(own, Mapping):
            messages.append((f" for {item.text('name') or item.text('sku')}", own.get("gift_message")))
    for what, gift in messages:
        if gift and isinstance(gift, Mapping) and str(gift.get("message") or "").strip():
            names = " → ".join(str(gift[key]).strip() for key in ("sender", "recipient") if gift.get(key))
            text = f"Gift message{what}{f' ({names})' if names else ''}: {str(gift['message']).strip()}"
            yield Comment(text=text, created_at=at, by_customer=True)
    for row in reversed(list(order.loose_rows("status_histories"))):
        said = row.text("comment")
        if said and said != note and row.flag("is_visible_on_front"):
            yield Comment(text=said, created_at=row.some_moment("created_at"))


def _extra(order: Fields, extension: Fields, notes: list[str]) -> Iterator[tuple[str, Any]]:
    if notes:
        yield "notes", tuple(notes)
    for name in ORDER_FIELDS:
        if value := order.text(name):
            yield name, value
    for name in ("pickup_location_code", "company_order_attributes"):
        if value := extension.data.get(name):
            yield name, value
    if several := order.data.get("also_numbered"):
        yield "also_numbered", several


def attributes(order: Fields, extension: Fields) -> dict[str, Any]:
    """The order's own scalars by dotted path, for the mapping of attributes to properties of the target."""
    own = {key: value for key, value in extension.data.items() if key not in BULKY}
    found = {key: value for key, value in order.data.items() if type(value) not in NESTED and key not in SECRET}
    for name in ("payment", "billing_address"):
        inner = order.inner(name).data.items()
        found.update({f"{name}.{key}": value for key, value in inner if type(value) not in NESTED})
    found.update({f"extension_attributes.{path}": value for path, value in flat(own, "")})
    found.update({f"custom_attributes.{path}": value for path, value in flat(order.data.get("custom_attributes"), "")})
    return found
