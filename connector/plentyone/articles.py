"""The items of a PlentyONE order as the lines, deductions and residual of the shared record.

The sum of the lines less the deductions is the grand total to the cent. A coupon becomes a discount on the lines of its
VAT rate, as a shop shows it. A coupon without tax among taxed goods lowered no price: it paid (store credit, points).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector import RecordFailed
from connector.plentyone.lines import EXTERNAL_ITEM, EXTERNAL_LINE
from connector.plentyone.money import share
from connector.plentyone.reading import ZERO, Fields
from connector.plentyone.shapes import amount
from connector.plentyone.totals import Basis, Part, Reckoned, Row, reckon
from connector.records import Deduction, DeductionKind, Identifier, LineKind, OrderLine, Residual, cents
from connector.settings import ident

COUPON, GIFT_CARD, SHIPPING = "4", "5", "6"  # item types
KINDS = {
    "1": LineKind.PRODUCT,
    "2": LineKind.BUNDLE,
    "3": LineKind.COMPONENT,
    "4": LineKind.SURCHARGE,  # a coupon that adds: what one took off before comes back
    "5": LineKind.GIFT_CARD,
    "6": LineKind.SHIPPING,
    "7": LineKind.SURCHARGE,
    "8": LineKind.SURCHARGE,  # gift wrap
    "9": LineKind.PRODUCT,  # a variation that PlentyONE does not know
    "10": LineKind.SURCHARGE,  # deposit
    "11": LineKind.PRODUCT,
    "12": LineKind.SURCHARGE,  # dunning charge
    "13": LineKind.BUNDLE,  # item set
    "14": LineKind.COMPONENT,
    "15": LineKind.SURCHARGE,  # an order characteristic that costs something
}
PARTS = {LineKind.BUNDLE: Part.BUNDLE, LineKind.COMPONENT: Part.COMPONENT}
GOODS = (LineKind.PRODUCT, LineKind.BUNDLE, LineKind.COMPONENT, LineKind.GIFT_CARD)
WITHIN = ("bundle", "set", "order_property", "campaign")  # references between the items of one order
WEIGHT, RETURN_REASON, RETURN_CONDITION, SKU = 11, 35, 36, 98  # item properties
HUNDRED = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What an order sells and comes to, in its own currency."""

    currency: str
    total: Decimal
    lines: tuple[OrderLine, ...]
    deductions: tuple[Deduction, ...]
    residual: Residual | None
    discount_title: str | None


@dataclass(kw_only=True)
class _Item:
    """An item on its way to a line. `before` is its gross sum before its own discount, `row` what it comes to."""

    fields: Fields
    key: str
    type: str
    name: str
    quantity: Decimal
    rate: Decimal
    row: Row
    before: Row
    gross: Decimal = ZERO  # whole cents, before all discounts
    total: Decimal = ZERO  # whole cents, after its own discount
    coupon: Decimal = ZERO  # what coupons take off it
    kind: LineKind = field(init=False)

    def __post_init__(self) -> None:
        known = KINDS.get(self.type)
        self.kind = known or (LineKind.PRODUCT if self.fields.id("itemVariationId") else LineKind.SURCHARGE)


def bill(order: Fields, money: Fields, external: Callable[[Fields], str | None]) -> Bill:
    """`money`: the order's amounts in its own currency; `external` finds the shop's own key of an item."""
    currency = str(money.text("currency")).upper()
    invoice_total = cents(money.needed_amount("invoiceTotal" if money.has("invoiceTotal") else "grossTotal"))
    items = list(_items(order, currency))
    said = cents(abs(money.amount("giftCardAmount")))
    cards = [one for one in items if one.type == GIFT_CARD and _redeemed(one, items, said)]
    rest = [one for one in items if one not in cards]
    redeemed = sum((cents(abs(one.row.gross)) for one in cards), ZERO) or said
    net = money.flag("isNet") or order.flag("isNet")
    reckoned = reckon([one.row for one in rest], invoice_total, redeemed, net=net)
    _price(rest, reckoned)
    paid = list(_coupons([one for one in rest if one.type == COUPON and one.total < 0], rest))
    lines = tuple(_lines([one for one in rest if not (one.type == COUPON and one.total < 0)], reckoned, external))
    deductions = [*_cards(cards, redeemed), *paid]
    residual = Residual(amount=reckoned.left, name="Difference") if reckoned.left else None
    coupons = [one.name for one in rest if one.type == COUPON]
    return Bill(
        currency=currency,
        # a tenant that shows the total before gift cards is brought into line with those that take them off
        total=invoice_total if reckoned.lowered else invoice_total - redeemed,
        lines=lines,
        deductions=tuple(deductions),
        residual=residual,
        discount_title=coupons[0] if coupons else None,
    )


def made_from(item: Fields) -> Iterator[str]:
    """The items of other orders that this one was made from."""
    for row in item.rows("references"):
        other = row.id("referenceOrderItemId")
        if other and row.text("referenceType") not in WITHIN and other != item.id("id"):
            yield other


def _items(order: Fields, currency: str) -> Iterator[_Item]:
    used: set[str] = set()
    for position, fields in enumerate(order.rows("orderItems")):
        type = fields.code("typeId")
        key = fields.id("id") or f"{type}-{position}"  # PlentyONE has shown shipping costs with the id 0
        if key in used:
            raise RecordFailed(f"{order.of}: {fields.path}id {key} stands twice.")
        used.add(key)
        quantity, rate = fields.needed_amount("quantity"), fields.amount("vatRate")
        price, before = _prices(fields, currency, rate)
        part = PARTS.get(KINDS.get(type, LineKind.PRODUCT), Part.WHOLE)
        yield _Item(
            fields=fields,
            key=key,
            type=type,
            name=fields.text("orderItemName") or "",
            quantity=quantity,
            rate=rate,
            row=Row(gross=price[0] * quantity, net=price[1] * quantity, rate=rate, part=part),
            before=Row(gross=before[0] * quantity, net=before[1] * quantity, rate=rate),
        )


def _prices(item: Fields, currency: str, rate: Decimal) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
    """(gross, net) of one piece: what it costs, and what it would cost without its discount."""
    rows = list(item.rows("amounts"))
    if not rows:
        return (ZERO, ZERO), (ZERO, ZERO)
    same = [row for row in rows if (row.text("currency") or currency).upper() == currency]
    if not same:
        known = ", ".join(str(row.text("currency")) for row in rows)
        raise RecordFailed(f"{item.of}: {item.path}amounts has no row in {currency}, only in {known}.")
    row = next((one for one in same if not one.flag("isSystemCurrency")), same[0])
    factor = 1 + rate / HUNDRED
    surcharge = row.amount("surcharge")
    gross, net = row.some_amount("priceOriginalGross"), row.some_amount("priceOriginalNet")
    if gross is None:
        gross = net * factor if net is not None else row.some_amount("priceGross")
    if gross is None and (only_net := row.some_amount("priceNet")) is not None:
        gross = only_net * factor
    if gross is None:
        raise RecordFailed(f"{item.of}: {item.path}amounts holds no price.")
    net = gross / factor if net is None and factor else (net or ZERO)
    before = gross + surcharge, net + surcharge
    price = row.some_amount("priceGross")
    if price is None:
        price = _reduced(before[0], row)
    price_net = row.some_amount("priceNet")
    if price_net is None:
        price_net = price / factor if factor else ZERO
    return (price, price_net), before


def _reduced(price: Decimal, row: Fields) -> Decimal:
    discount = row.amount("discount")
    return price * (HUNDRED - discount) / HUNDRED if row.flag("isPercentage") else price - discount


def _redeemed(item: _Item, items: Sequence[_Item], said: Decimal) -> bool:
    """Whether a gift card pays, other than one that is sold."""
    whole = sum((abs(one.row.gross) for one in items if one.type == GIFT_CARD), ZERO)
    return item.row.gross < 0 or (said != 0 and said in (cents(whole), cents(abs(item.row.gross))))


def _price(items: Sequence[_Item], reckoned: Reckoned) -> None:
    for item, whole in zip(items, reckoned.amounts, strict=True):
        item.total = whole
        net = reckoned.basis is Basis.NET
        before, own = (item.before.net, item.row.net) if net else (item.before.gross, item.row.gross)
        off = cents(before - own)
        elsewhere = not whole and cents(own) != 0  # its bundle or its parts bear it
        item.gross = whole + off if off > 0 and not elsewhere else whole


def _coupons(coupons: Sequence[_Item], items: Sequence[_Item]) -> Iterator[Deduction]:
    """Divide coupons among the lines that they lower; yields those that lowered none."""
    for coupon in coupons:
        amount = -coupon.total
        lowered = _lowered(coupon, amount, items)
        if not lowered:
            yield Deduction(kind=DeductionKind.STORE_CREDIT, amount=amount, name=coupon.name or "Coupon")
            continue
        for item, part in zip(lowered, share(amount, [one.total - one.coupon for one in lowered]), strict=True):
            item.coupon += part


def _lowered(coupon: _Item, amount: Decimal, items: Sequence[_Item]) -> Sequence[_Item]:
    """The lines of its rate that can bear it: goods, else also costs. Without tax among taxed goods it pays."""
    open_ = [one for one in items if one.type != COUPON and one.total > one.coupon]
    goods = [one for one in open_ if one.kind in GOODS]
    if not coupon.rate and goods and all(one.rate for one in goods):
        return ()
    for group in (
        [one for one in goods if one.rate == coupon.rate],
        [one for one in open_ if one.rate == coupon.rate],
        goods,
        open_,
    ):
        if sum((one.total - one.coupon for one in group), ZERO) >= amount:
            return group
    return ()


def _cards(cards: Sequence[_Item], redeemed: Decimal) -> Iterator[Deduction]:
    for card in cards:
        if amount := cents(abs(card.row.gross)):
            yield Deduction(kind=DeductionKind.GIFT_CARD, amount=amount, name=card.name or "Gift card")
    if redeemed and not any(card.row.gross for card in cards):
        yield Deduction(kind=DeductionKind.GIFT_CARD, amount=redeemed, name="Gift card")


def _lines(items: Sequence[_Item], reckoned: Reckoned, external: Callable[[Fields], str | None]) -> Iterator[OrderLine]:
    bundle: str | None = None
    keys = {one.key for one in items}
    for item in items:
        if item.kind is LineKind.BUNDLE:
            bundle = item.key
        total = item.total - item.coupon
        taxed = reckoned.basis is not Basis.NET and item.rate > -HUNDRED
        yield OrderLine(
            key=item.key,
            kind=item.kind,
            sku=_sku(item.fields),
            name=item.name,
            quantity=item.quantity,
            gross=item.gross,
            discount=item.gross - total,
            tax=cents(total * item.rate / (HUNDRED + item.rate)) if taxed else ZERO,
            tax_rate=_plain(item.rate),
            parent=_bundle(item.fields, keys, bundle) if item.kind is LineKind.COMPONENT else None,
            external=external(item.fields),
            identifiers=tuple(identifiers(item.fields)),
            options=tuple(filter(None, (item.fields.text("attributeValues"),))),
            weight_grams=_weight(item.fields),
            extra=_extra(item),
        )


def identifiers(item: Fields) -> Iterator[Identifier]:
    """The serial numbers and IMEIs of an item; of one without any what its movements were identified by."""
    told = [row.text("serialNumber") or _inner_serial(row) for row in item.rows("serialNumbers")]
    if not any(told):
        moved = (row for row in item.rows("transactions") if row.text("status") != "cancelled")
        told = [row.text("identification") for row in moved]
    yield from dict.fromkeys(Identifier.of(one) for one in told if one)


def _inner_serial(row: Fields) -> str | None:
    """The number itself, or the record of the item's number that holds it."""
    if isinstance(inner := row.value("itemSerialNumber"), Mapping):
        return Fields(row.of, inner, row.path).text("serialNumber")
    return row.text("itemSerialNumber")


def _bundle(item: Fields, keys: set[str], before: str | None) -> str | None:
    """The line that a component belongs to: by its reference, else the bundle before it."""
    for row in item.rows("references"):
        other = row.id("referenceOrderItemId")
        if row.text("referenceType") in ("bundle", "set") and other in keys:
            return other
    return before


def _sku(item: Fields) -> str | None:
    """The variation's number; of an item without one what our export left there, or a sales channel."""
    variation = item.inner("variation")
    return (
        (variation.text("number") if variation else None)
        or item.typed("properties", EXTERNAL_ITEM)
        or item.typed("properties", SKU)
    )


def _weight(item: Fields) -> int | None:
    variation = item.inner("variation")
    grams = (variation.some_amount("weightG") if variation else None) or amount(item.typed("properties", WEIGHT))
    return int(grams) if grams else None


def _extra(item: _Item) -> dict[str, Any]:
    told = {
        "variation_id": item.fields.id("itemVariationId"),
        "warehouse": item.fields.id("warehouseId"),
        "type": item.type,
        "reason": item.fields.typed("properties", RETURN_REASON),
        "condition": item.fields.typed("properties", RETURN_CONDITION),
    }
    return {name: value for name, value in told.items() if value is not None}


def _plain(rate: Decimal) -> Decimal:
    return Decimal(ident(rate))


__all__ = ["EXTERNAL_LINE", "Bill", "bill", "made_from"]
