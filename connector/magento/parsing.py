"""From an order as REST renders it to the shared record. Source: systems knowledge of Magento 2.3 to 2.4.9."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connector import Entry, Payload, RecordFailed
from connector.magento.money import (
    deductions,
    fees,
    flat,
    own_total,
    row_amounts,
    settle,
    shipping_amounts,
    shipping_rate,
    summed,
)
from connector.magento.reading import ZERO, Fields, number
from connector.records import Address, Comment, Customer, LineKind, Order, OrderLine, Payment

GENDERS = {"1": "male", "2": "female"}


class Parser:
    """Turns payloads into orders. `stores`: the collected store views (id = code, extra.store_id, extra.website)."""

    def __init__(self, stores: Callable[[], Sequence[Entry]]) -> None:
        self._stores = stores
        self._by_id: dict[str, Entry] | None = None

    def store(self, store_id: str | None) -> Entry | None:
        """The store view of that id; None when it was deleted, or is not collected."""
        if store_id is None:
            return None
        if self._by_id is None:
            self._by_id = {str(one.extra.get("store_id")): one for one in self._stores()}
        return self._by_id.get(store_id)

    def parse(self, payload: Payload) -> Order:
        """Raises RecordFailed naming the order, the field and the value received."""
        name = payload.get("increment_id") if isinstance(payload, Mapping) else None
        order = Fields(f"order {name or payload.get('entity_id', '?')}", payload)
        extension = order.inner("extension_attributes")
        number_ = order.needed_text("increment_id")
        billing = _address(order.inner("billing_address")) if order.data.get("billing_address") else None
        if billing is None:
            raise order.wrong("billing_address", "an address")
        shipping, method = _shipping(order, extension, billing)
        taken_off = deductions(extension)
        lines, weee = _priced(order, extension)
        lines, residual = settle(order, extension, lines, taken_off, weee)
        store_id = order.text("store_id")
        store = self.store(store_id)
        extra: dict[str, Any] = {}
        if store is None:
            extra["store_unknown"] = (
                f"store view {store_id} ({' / '.join(str(order.data.get('store_name') or '').split())})"
            )
        pickup = extension.text("pickup_location_code")
        if pickup:
            extra["pickup_location"] = pickup
        return Order(
            key=order.needed_text("entity_id"),
            number=number_,
            store=store.id if store else None,
            website=store.extra.get("website") if store else None,
            created_at=order.moment("created_at"),
            updated_at=order.some_moment("updated_at") or order.moment("created_at"),
            status=order.text("status"),
            state=order.text("state"),
            cancelled=order.text("state") == "canceled" or order.text("status") == "canceled",
            currency=order.needed_text("order_currency_code"),
            base_currency=order.text("base_currency_code"),
            exchange_rate=order.amount("base_to_order_rate") or Decimal(1),
            grand_total=order.needed_amount("grand_total"),
            paid=_paid(order),
            customer=_customer(order, billing),
            billing=billing,
            shipping=shipping,
            shipping_method=method,
            shipping_title=order.text("shipping_description"),
            lines=tuple(lines),
            deductions=taken_off,
            residual=residual,
            coupon=order.text("coupon_code"),
            discount_title=order.text("discount_description"),
            payment=_payment(order, extension),
            comments=_comments(order, extension),
            replaces=order.text("relation_parent_real_id"),
            replaced_by=order.text("relation_child_real_id"),
            attributes=_attributes(order, extension),
            extra=extra,
        )


def _priced(order: Fields, extension: Fields) -> tuple[list[OrderLine], Decimal]:
    """All lines with costs, in the reading of prices that sums up to the order's own totals, else in the first."""
    readings = []
    for by_gross in (False, True):
        lines, weee = _lines(order, by_gross)
        lines += _costs(order, extension, [line.tax_rate for line in lines if line.tax_rate])
        readings.append((lines, weee))
        if summed(lines) == own_total(order, lines):
            return lines, weee
    return readings[0]


def _lines(order: Fields, by_gross: bool) -> tuple[list[OrderLine], Decimal]:
    """The lines to export, and the sum of fixed product taxes.

    A configurable is one line: the parent's amounts, the variant's SKU and name. A bundle's amounts are carried by its
    components where those have a base price of their own (dynamic price), else by the bundle (fixed price).
    """
    if not isinstance(order.data.get("items"), list):
        raise order.wrong("items", "a list of items")
    items = list(order.rows("items"))
    children: dict[str, list[Fields]] = {}
    for item in items:
        parent = item.text("parent_item_id")
        if parent is None and isinstance(item.data.get("parent_item"), Mapping):
            parent = Fields(order.of, item.data["parent_item"]).text("item_id")
        if parent is not None:
            children.setdefault(parent, []).append(item)
    known = {item.text("item_id") for item in items}
    lines: list[OrderLine] = []
    weee = ZERO
    for item in items:
        key = item.needed_text("item_id")
        parent = item.text("parent_item_id")
        if parent is not None and parent in known:
            continue
        below = children.get(key, [])
        kind = item.text("product_type")
        weee += item.amount("weee_tax_applied_row_amount")
        if kind == "bundle" and below:
            lines += _bundle(item, key, below, by_gross)
        else:
            variant = below[0] if kind == "configurable" and below else item
            sold = LineKind.GIFT_CARD if kind == "giftcard" else LineKind.PRODUCT
            lines.append(_line(item, key, sold, by_gross, named=variant))
    return lines, weee


def _bundle(item: Fields, key: str, below: list[Fields], by_gross: bool) -> list[OrderLine]:
    dynamic = any(child.amount("base_price") > 0 for child in below)
    made = [_line(item, key, LineKind.BUNDLE, by_gross, priced=not dynamic)]
    for child in below:
        child_key = child.needed_text("item_id")
        made.append(_line(child, child_key, LineKind.COMPONENT, by_gross, priced=dynamic, parent=key))
    return made


def _line(
    item: Fields,
    key: str,
    kind: LineKind,
    by_gross: bool,
    *,
    named: Fields | None = None,
    priced: bool = True,
    parent: str | None = None,
) -> OrderLine:
    named = named or item
    quantity = item.needed_amount("qty_ordered")
    if quantity < 0:
        raise item.wrong("qty_ordered", "a quantity")
    amounts: dict[str, Any] = row_amounts(item, quantity, by_gross=by_gross) if priced else {}
    weight = item.amount("weight")
    rate = number(item.data.get("tax_percent"))
    product = named.text("product_id")
    return OrderLine(
        key=key,
        kind=kind,
        sku=named.text("sku") or item.text("sku"),
        name=named.text("name") or item.text("name") or named.text("sku") or f"Item {key}",
        quantity=quantity,
        tax_rate=rate,
        parent=parent,
        options=_options(item),
        weight_grams=int(weight * 1000) if weight else None,
        extra={"product_id": product} if product else {},
        **amounts,
    )


def _options(item: Fields) -> tuple[str, ...]:
    """What the customer chose, where it comes as words (option ids alone say nothing to anybody)."""
    option = item.data.get("product_option")
    inner = option.get("extension_attributes") if isinstance(option, Mapping) else None
    if not isinstance(inner, Mapping):
        return ()
    said: list[str] = []
    for one in inner.get("custom_options") or ():
        value = one.get("option_value") if isinstance(one, Mapping) else None
        if isinstance(value, str) and value.strip() and not value.strip().isdigit():
            said.append(value.strip())
    return tuple(said)


def _costs(order: Fields, extension: Fields, rates: list[Decimal]) -> list[OrderLine]:
    made: list[OrderLine] = []
    amounts: dict[str, Any] = dict(shipping_amounts(order))
    if amounts["gross"] or order.text("shipping_description"):
        made.append(
            OrderLine(
                key="shipping",
                kind=LineKind.SHIPPING,
                name=order.text("shipping_description") or "Shipping",
                tax_rate=shipping_rate(order, extension, rates),
                **amounts,
            )
        )
    for key, name, gross, tax in fees(extension):
        rate = (tax / (gross - tax) * 100).quantize(Decimal("0.01")) if tax and gross != tax else ZERO
        near = [one for one in rates if abs(one - rate) <= 1]
        made.append(
            OrderLine(
                key=key, kind=LineKind.SURCHARGE, name=name, gross=gross, tax=tax, tax_rate=near[0] if near else rate
            )
        )
    return made


def _shipping(order: Fields, extension: Fields, billing: Address) -> tuple[Address | None, str | None]:
    """Address and method of the one shipping assignment. An order that is not virtual ships somewhere: to the billing
    address where an endpoint left the assignments out."""
    for assignment in extension.loose_rows("shipping_assignments"):
        shipping = assignment.inner("shipping")
        given = shipping.data.get("address")
        address = _address(shipping.inner("address")) if isinstance(given, Mapping) and given else None
        method = shipping.text("method")
        if address or method:
            return address or (None if _virtual(order) else billing), method
    return (None, None) if _virtual(order) else (billing, None)


def _virtual(order: Fields) -> bool:
    return order.text("is_virtual") in ("1", "true", "True") or order.data.get("is_virtual") is True


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
        street=tuple(str(one).strip() for one in rows if one is not None and str(one).strip()),
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
    )


def _customer(order: Fields, billing: Address) -> Customer:
    """A missing customer id means a guest, whatever the flag says; names a guest lacks are the billing address's."""
    group = order.text("customer_group_id")
    named = order.text("customer_lastname") is not None
    return Customer(
        key=order.text("customer_id") if order.text("customer_id") != "0" else None,
        email=order.text("customer_email") or billing.email,
        group=group,
        first_name=order.text("customer_firstname") if named else billing.first_name,
        middle_name=order.text("customer_middlename") if named else billing.middle_name,
        last_name=order.text("customer_lastname") if named else billing.last_name,
        prefix=order.text("customer_prefix") or billing.prefix,
        gender=GENDERS.get(order.text("customer_gender") or ""),
        vat_id=order.text("customer_taxvat") or billing.vat_id,
        extra={key: value for key in ("customer_dob",) if (value := order.text(key))},
    )


def _paid(order: Fields) -> Decimal:
    """In the order's currency. `total_paid` is absent while nothing is paid."""
    return order.amount("total_paid") or order.inner("payment").amount("amount_paid")


def _payment(order: Fields, extension: Fields) -> Payment:
    given = order.inner("payment")
    keyed = {
        row.text("key") or "": row.data.get("value")
        for row in extension.loose_rows("payment_additional_info")
        if row.data.get("value") not in (None, "null", "")
    }
    title = keyed.get("method_title")
    method = given.text("method")
    if method is None:
        raise RecordFailed(f"{order.of}: payment.method is missing.")
    return Payment(
        method=method,
        title=str(title) if title else None,
        amount=_paid(order),
        transaction_id=given.text("last_trans_id") or given.text("cc_trans_id"),
        extra=keyed,
    )


def _comments(order: Fields, extension: Fields) -> tuple[Comment, ...]:
    """The customer's note, a gift message, and the shop's comments, oldest first."""
    made: list[Comment] = []
    note = order.text("customer_note")
    if note:
        made.append(Comment(text=note, created_at=order.some_moment("created_at"), by_customer=True))
    gift = extension.data.get("gift_message")
    if isinstance(gift, Mapping) and str(gift.get("message") or "").strip():
        names = " → ".join(str(gift[key]) for key in ("sender", "recipient") if gift.get(key))
        words = f"Gift message{f' ({names})' if names else ''}: {str(gift['message']).strip()}"
        made.append(Comment(text=words, created_at=order.some_moment("created_at"), by_customer=True))
    said = [
        Comment(text=text, created_at=row.some_moment("created_at"))
        for row in order.loose_rows("status_histories")
        if (text := row.text("comment")) and text != note
    ]
    return (*made, *reversed(said))


def _attributes(order: Fields, extension: Fields) -> dict[str, Any]:
    """The order's own scalars by dotted path, for the mapping of attributes to properties of the target."""
    found = {
        key: value for key, value in order.data.items() if not isinstance(value, Mapping | list) and value is not None
    }
    for part in ("payment", "billing_address"):
        found.update({f"{part}.{key}": value for key, value in order.inner(part).data.items() if _scalar(value)})
    found.update(
        {
            f"billing_address.{key}": value
            for key, value in order.inner("billing_address").data.items()
            if _scalar(value)
        }
    )
    own = {
        key: value
        for key, value in extension.data.items()
        if key
        not in ("shipping_assignments", "applied_taxes", "item_applied_taxes", "taxes", "additional_itemized_taxes")
    }
    found.update({f"extension_attributes.{path}": value for path, value in flat(own, "")})
    return found


def _scalar(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping | list)
