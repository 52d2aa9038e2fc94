"""The lines of an order: what was sold, shipping, fees, and what remains unexplained. Their sum is the grand total."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.magento import money, taxes
from connector.magento.parts import Part, parts
from connector.magento.reading import ZERO, Fields, number, plain
from connector.magento.residual import cause
from connector.records import Deduction, LineKind, OrderLine, Residual

GRAMS = {"kgs": Decimal(1000), "kg": Decimal(1000), "lbs": Decimal("453.59237"), "lb": Decimal("453.59237")}
KEPT = ("original_price", "qty_canceled", "qty_refunded", "qty_backordered")
WORDED = ("options", "additional_options", "attributes_info", "custom_options")  # lists of {label, value} by modules
GIFT_CARD_WORDS = (("giftcard_sender_name", "From"), ("giftcard_recipient_name", "To"),
                   ("giftcard_recipient_email", "To"), ("giftcard_message", "Message"))  # fmt: skip


def lines(
    order: Fields, extension: Fields, taken_off: Iterable[Deduction], weight_unit: str | None
) -> tuple[tuple[OrderLine, ...], Residual | None]:
    """All lines and the residual: Σ line totals − deductions + residual = grand total, exactly.

    `weight_unit` is the store view's own ("kgs", "lbs"); where it is unknown, so is the weight in grams.
    Raises RecordFailed naming the row and the field.
    """
    sold = parts(order)
    rates = taxes.occurring(order, extension)
    charged = list(money.fees(extension))
    carriage = money.shipping(order)
    costs = carriage.payable + sum((fee.gross for fee in charged), ZERO)
    wanted = order.needed_amount("grand_total") + sum((one.amount for one in taken_off), ZERO)
    bill = money.bill(order, sold, costs, charged, wanted)
    made = [_line(part, amounts, extension, rates, weight_unit) for part, amounts in zip(sold, bill.rows, strict=True)]
    if carriage.gross or order.text("shipping_description") or shipping_method(extension):
        told = taxes.applied(extension, "shipping")
        rate = taxes.rate_of(carriage, told, rates)
        name = order.text("shipping_description") or "Shipping"
        made.append(_cost("shipping", LineKind.SHIPPING, name, carriage, rate))
    for fee in charged:
        amounts = money.Amounts(gross=fee.gross, tax=fee.tax)
        made.append(_cost(fee.key, LineKind.SURCHARGE, fee.name, amounts, taxes.rate_of(amounts, None, rates)))
    off, rest = bill.rounding()
    if off and not _placed(made, off):
        rest += off
    if not rest:
        return tuple(made), None
    short = abs(bill.drift) >= abs(bill.beyond)
    return tuple(made), Residual(amount=money.exact(rest), name=cause(order, extension, rest, lines_fall_short=short))


def _placed(made: list[OrderLine], cents_off: Decimal) -> bool:
    """Rounding goes to the sold line with the largest amount (without one, to the largest line), if it can bear it."""
    sold = [n for n, line in enumerate(made) if line.kind not in (LineKind.SHIPPING, LineKind.SURCHARGE)]
    place = max(sold or range(len(made)), key=lambda n: made[n].total, default=None)
    if place is None or made[place].total + cents_off < 0:
        return False
    made[place] = replace(made[place], gross=money.exact(made[place].gross + cents_off))
    return True


def shipping_method(extension: Fields) -> str | None:
    for assignment in extension.loose_rows("shipping_assignments"):
        shipping = assignment.data.get("shipping")
        if isinstance(shipping, Mapping) and (method := Fields(extension.of, shipping).text("method")):
            return method
    return None


def _cost(key: str, kind: LineKind, name: str, amounts: money.Amounts, rate: Decimal | None) -> OrderLine:
    return OrderLine(
        key=key, kind=kind, name=name, gross=amounts.gross, discount=amounts.discount, tax=amounts.tax, tax_rate=rate
    )


def _line(
    part: Part, amounts: money.Amounts, extension: Fields, rates: Sequence[Decimal], weight_unit: str | None
) -> OrderLine:
    item, named = part.item, part.named
    quantity = item.needed_amount("qty_ordered")
    if quantity < 0:
        raise item.wrong("qty_ordered", "a quantity")
    if part.bears:
        rate = taxes.row_rate(item, extension, amounts, rates)
    else:  # a row without amounts says 0 percent when it means "see the other line"
        rate = plain(told) if (told := number(item.data.get("tax_percent"))) else None
    sku = named.text("sku") or item.text("sku")
    return OrderLine(
        key=part.key,
        kind=part.kind,
        sku=sku,
        name=named.text("name") or item.text("name") or sku or f"Item {part.key}",
        quantity=plain(quantity),
        gross=amounts.gross,
        discount=amounts.discount,
        tax=amounts.tax,
        tax_rate=rate,
        parent=part.parent,
        options=tuple(dict.fromkeys(_options(item))),
        weight_grams=_grams(named.data.get("weight", item.data.get("weight")), weight_unit),
        extra=dict(_extra(part)),
    )


def _grams(weight: Any, unit: str | None) -> int | None:
    """Of one piece."""
    factor, given = GRAMS.get((unit or "").lower()), number(weight)
    return int((given * factor).to_integral_value()) or None if factor and given else None


def _extra(part: Part) -> Iterator[tuple[str, Any]]:
    if product := part.named.text("product_id"):
        yield "product_id", product
    if part.named is not part.item and (above := part.item.text("product_id")):
        yield "configurable_product_id", above
    if kind := part.item.text("product_type"):
        yield "product_type", kind
    for name in KEPT:
        if value := number(part.item.data.get(name)):
            yield name, plain(value)
    note = part.item.data.get("extension_attributes")
    message = note.get("gift_message") if isinstance(note, Mapping) else None
    if isinstance(message, Mapping) and message.get("message"):
        yield "gift_message", {key: message[key] for key in ("sender", "recipient", "message") if message.get(key)}


def _options(item: Fields) -> Iterator[str]:
    """What the customer chose, where it comes as words: option ids alone say nothing to anybody (section 5.4)."""
    option, own = item.data.get("product_option"), item.data.get("extension_attributes")
    inner = option.get("extension_attributes") if isinstance(option, Mapping) else None
    for source in (inner, option, own):
        if not isinstance(source, Mapping):
            continue
        for name in WORDED:
            for one in source[name] if isinstance(source.get(name), list) else ():
                if isinstance(one, Mapping):
                    yield from _worded(one)
    card = inner.get("giftcard_item_option") if isinstance(inner, Mapping) else None
    for name, word in GIFT_CARD_WORDS if isinstance(card, Mapping) else ():
        if card and isinstance(card.get(name), str) and card[name].strip():
            yield f"{word}: {card[name].strip()}"


def _worded(one: Mapping[str, Any]) -> Iterator[str]:
    label, value = one.get("label"), one.get("value", one.get("option_value"))
    if not isinstance(value, str) or not value.strip():
        return
    if isinstance(label, str) and label.strip():
        yield f"{label.strip()}: {value.strip()}"
    elif not value.replace(",", "").strip().isdigit():  # ids of choices
        yield value.strip()
