"""The items of a PlentyONE order, made from the shop's lines, deductions and residual.

The sum of the items is the shop's grand total to the cent, in both ways in which PlentyONE may round; it is checked
here before anything is sent. Item types and properties as in the vendor's constants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum

from connector import Options, Payload, RecordFailed
from connector.plentyone.money import Priced, Pricer, Unpriceable, near, share, sums, whole_cents
from connector.plentyone.shapes import wire
from connector.plentyone.vat import Rates, rate_of
from connector.records import DeductionKind, LineKind, Order, OrderLine, cents

ONE = Decimal(1)
WAREHOUSE, PROFILE, EXTERNAL_ITEM, EXTERNAL_LINE = 1, 2, 17, 41  # item property types


class ItemType(IntEnum):
    VARIATION = 1
    BUNDLE = 2
    COUPON = 4
    GIFT_CARD = 5
    SHIPPING = 6
    SURCHARGE = 7
    UNASSIGNED = 9


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item as it is sent. `unit` is what a piece costs; `discount` was already taken off it, per piece."""

    type: ItemType
    name: str
    quantity: Decimal = ONE
    unit: Decimal
    discount: Decimal = Decimal(0)
    rate: Decimal
    variation: str | None = None
    key: str | None = None
    sku: str | None = None
    options: tuple[str, ...] = ()

    @property
    def priced(self) -> Priced:
        return Priced(self.quantity, self.unit)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What all items of an order share."""

    currency: str
    system: bool  # the currency is the system currency
    rate: Decimal  # order currency per system currency
    referrer: str
    profile: str
    warehouse: str | None  # None: not on items
    vat: Rates


@dataclass(kw_only=True)
class _Row:
    """A line on its way to an item: amounts in cents, sum by sum."""

    line: OrderLine
    gross: Decimal
    discount: Decimal
    rate: Decimal
    bundle: bool = False
    of: list[OrderLine] = field(default_factory=list)


def wanted_skus(order: Order, options: Options) -> set[str]:
    """The article numbers whose variations this order needs."""
    skip = LineKind.COMPONENT if options.bundle_as == "parent" else LineKind.BUNDLE
    parents = {line.parent for line in order.lines if line.kind is LineKind.COMPONENT}
    return {
        line.sku
        for line in order.lines
        if line.sku
        and line.kind not in (LineKind.SHIPPING, LineKind.SURCHARGE)
        and (line.kind is not skip or (line.kind is LineKind.BUNDLE and line.key not in parents))
    }


def items(order: Order, options: Options, vat: Rates, variation: Callable[[str], str | None]) -> list[Item]:
    """All items of the order. Raises RecordFailed when a SKU must be known and is not, or the cents do not add up."""
    _explained(order, options)
    rows = [row for row in _rows(order, options, vat) if row.line.quantity or row.gross or row.discount]
    as_line = options.discount_as == "line"
    pricer = Pricer()
    made: list[Item] = []
    unknown: list[str] = []
    for row in rows:
        found = variation(row.line.sku) if row.line.sku and _is_article(row) else None
        if found is None and _is_article(row):
            unknown.append(row.line.sku or row.line.name)
        made += _priced(order, row, found, pricer, as_line)
    if unknown and options.unknown_sku == "fail":
        raise RecordFailed(
            f"Order {order.number}: PlentyONE has no variation with the number {', '.join(dict.fromkeys(unknown))}. "
            "Create it there, correct the SKU, or set 'Unknown SKU' to 'Send without variation'."
        )
    if not as_line:
        made += _coupons(order, rows)
    made += _deductions(order)
    if order.residual is not None and (amount := cents(order.residual.amount)):
        rate = max((row.rate for row in rows), default=Decimal(0))
        made.append(Item(type=ItemType.SURCHARGE, name=order.residual.name or "Surcharge", unit=amount, rate=rate))
    _adds_up(order, made)
    return made


def _explained(order: Order, options: Options) -> None:
    """The grand total is the lines less the deductions, plus a residual that a setting allows."""
    explained = sum((line.total for line in order.lines), Decimal(0))
    explained -= sum((one.amount for one in order.deductions), Decimal(0))
    residual = order.residual.amount if order.residual else Decimal(0)
    off = order.grand_total - explained - residual
    if residual and options.residual != "line":
        raise RecordFailed(
            f"Order {order.number}: the grand total {order.grand_total} {order.currency} holds {residual} "
            f"{order.currency} that no line explains (likely: {order.residual.name if order.residual else '?'}). "
            "Correct the order, or set 'Unexplained amount' to 'Add a surcharge item'."
        )
    if abs(off) >= Decimal("0.005"):
        raise RecordFailed(
            f"Order {order.number}: its lines and deductions come to {explained + residual} {order.currency}, its "
            f"grand total is {order.grand_total} {order.currency}: {off} {order.currency} are unexplained."
        )


def _adds_up(order: Order, made: list[Item]) -> None:
    once, each = sums(item.priced for item in made)
    if once != order.grand_total or each != order.grand_total:
        raise RecordFailed(
            f"Order {order.number}: the items would come to {once} {order.currency} in PlentyONE ({each} where each "
            f"row is rounded), the grand total is {order.grand_total} {order.currency}. Nothing was sent."
        )


def _is_article(row: _Row) -> bool:
    return row.line.kind not in (LineKind.SHIPPING, LineKind.SURCHARGE)


def _rows(order: Order, options: Options, vat: Rates) -> list[_Row]:
    """Lines as they will be items: bundles as their parts or as one, amounts in whole cents."""
    parts: dict[str, list[OrderLine]] = defaultdict(list)
    bundles = {line.key for line in order.lines if line.kind is LineKind.BUNDLE}
    for line in order.lines:
        if line.kind is LineKind.COMPONENT and line.parent in bundles and line.parent is not None:
            parts[line.parent].append(line)
    rows: list[_Row] = []
    for line in order.lines:
        if line.kind is LineKind.COMPONENT and line.parent in parts:
            continue  # with its bundle
        if line.kind is LineKind.BUNDLE and parts[line.key]:
            rows += _bundle(line, parts[line.key], options, vat)
        else:
            rate = rate_of(line, vat.known)
            bundle = line.kind is LineKind.BUNDLE and options.bundle_as == "parent"
            rows.append(_Row(line=line, gross=line.gross, discount=line.discount, rate=rate, bundle=bundle))
    grosses, discounts = whole_cents([row.gross for row in rows]), whole_cents([row.discount for row in rows])
    for row, gross, discount in zip(rows, grosses, discounts, strict=True):
        row.gross, row.discount = gross, discount
    return rows


def _bundle(parent: OrderLine, parts: list[OrderLine], options: Options, vat: Rates) -> list[_Row]:
    """Amounts stand on the parent or on the parts; they are moved to whichever is sent."""
    known = vat.known
    own = rate_of(parent, known)
    if options.bundle_as == "parent":
        bearer = next((part for part in parts if part.total), parent)
        return [
            _Row(
                line=parent,
                gross=parent.gross + sum((part.gross for part in parts), Decimal(0)),
                discount=parent.discount + sum((part.discount for part in parts), Decimal(0)),
                rate=own if parent.total or parent.tax_rate is not None else rate_of(bearer, known),
                bundle=True,
            )
        ]
    weights = [part.gross for part in parts] if any(part.gross for part in parts) else [part.quantity for part in parts]
    gross, discount = share(parent.gross, weights), share(parent.discount, weights)
    bare = bool(parent.total)
    return [
        _Row(
            line=part,
            gross=part.gross + gross[n],
            discount=part.discount + discount[n],
            rate=own if bare and part.tax_rate is None else rate_of(part, known),
        )
        for n, part in enumerate(parts)
    ]


def _type(row: _Row, variation: str | None) -> ItemType:
    if row.line.kind is LineKind.SHIPPING:
        return ItemType.SHIPPING
    if row.line.kind is LineKind.SURCHARGE:
        return ItemType.SURCHARGE
    if variation is None:
        return ItemType.UNASSIGNED
    return ItemType.BUNDLE if row.bundle else ItemType.VARIATION


def _priced(order: Order, row: _Row, variation: str | None, pricer: Pricer, as_line: bool) -> Iterable[Item]:
    line = row.line
    quantity = line.quantity if line.quantity > 0 else ONE
    total = row.gross - row.discount if as_line else row.gross
    try:
        pieces = pricer.price(total, quantity)
    except Unpriceable as error:
        raise RecordFailed(
            f"Order {order.number}: no price of four decimals gives {total} {order.currency} for {quantity} pieces of "
            f"{line.name}."
        ) from error
    for piece in pieces:
        discount = Decimal(0)
        if as_line and row.discount:
            discount = max(Decimal(0), near(row.gross, quantity) - piece.price)
        yield Item(
            type=_type(row, variation),
            name=line.name.strip() or line.sku or "Item",
            quantity=piece.quantity,
            unit=piece.price,
            discount=discount,
            rate=row.rate,
            variation=variation,
            key=line.key,
            sku=line.sku if _is_article(row) else None,
            options=line.options,
        )


def _coupons(order: Order, rows: Iterable[_Row]) -> Iterable[Item]:
    """One negative item for each VAT rate that something was taken off."""
    taken: dict[Decimal, Decimal] = defaultdict(Decimal)
    for row in rows:
        taken[row.rate] += row.discount
    name = order.discount_title or order.coupon or "Discount"
    return [
        Item(type=ItemType.COUPON, name=name, unit=-discount, rate=rate)
        for rate, discount in sorted(taken.items(), reverse=True)
        if discount
    ]


def _deductions(order: Order) -> Iterable[Item]:
    """Gift cards, store credit and points pay, they lower no tax: VAT rate 0."""
    for one in order.deductions:
        if cents(one.amount):
            kind = ItemType.GIFT_CARD if one.kind is DeductionKind.GIFT_CARD else ItemType.COUPON
            name = f"{one.name} {one.code}" if one.code and one.code not in one.name else one.name
            yield Item(type=kind, name=name or kind.name, unit=-cents(one.amount), rate=Decimal(0))


def body(item: Item, frame: Frame) -> Payload:
    """The item as POST /rest/orders takes it."""
    shipped = item.type not in (ItemType.COUPON, ItemType.GIFT_CARD, ItemType.SURCHARGE)
    article = item.type in (ItemType.VARIATION, ItemType.BUNDLE, ItemType.UNASSIGNED)
    properties: list[Payload] = []
    made: Payload = {
        "typeId": int(item.type),
        "referrerId": wire(frame.referrer),
        "itemVariationId": wire(item.variation) if item.variation else 0,
        "quantity": item.quantity,
        "orderItemName": item.name,
        **frame.vat.of(item.rate).fields(),
    }
    if item.options:
        made["attributeValues"] = ", ".join(item.options)
    if article and frame.warehouse is not None:
        made["warehouseId"] = wire(frame.warehouse)
        properties.append({"typeId": WAREHOUSE, "value": frame.warehouse})
    if shipped:
        made["shippingProfileId"] = wire(frame.profile)
        properties.append({"typeId": PROFILE, "value": frame.profile})
    if item.type is ItemType.UNASSIGNED and item.sku:
        properties.append({"typeId": EXTERNAL_ITEM, "value": item.sku})
    if item.key is not None:
        properties.append({"typeId": EXTERNAL_LINE, "value": item.key})
    if properties:
        made["properties"] = properties
    made["amounts"] = [money(item, frame)]
    return made


def money(item: Item, frame: Frame) -> Mapping[str, object]:
    return {
        "isSystemCurrency": frame.system,
        "currency": frame.currency,
        "exchangeRate": frame.rate,
        "priceOriginalGross": item.unit + item.discount,
        "surcharge": 0,
        "discount": item.discount,
        "isPercentage": False,
    }
