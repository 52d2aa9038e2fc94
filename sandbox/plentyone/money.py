"""What PlentyONE computes itself: item prices and order totals.

Item prices keep four decimals (`numberOfDecimals` 4), totals are rounded to two (`roundTotalsOnly` true). Tax is
computed per VAT group from the sum, not per item. Rates are units of the order's currency for one of the
system's.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.plentyone.lists import CURRENCIES, SYSTEM_CURRENCY
from sandbox.plentyone.values import Record, number, short

GIFT_CARD = 5
SHIPPING = 6

FOUR = Decimal("0.0001")
TWO = Decimal("0.01")

COUNTED = (2, 3, 4, 9, 10)  # payment statuses in which money has moved


def to_four(value: Decimal) -> Decimal:
    return value.quantize(FOUR, rounding=ROUND_HALF_UP)


def to_two(value: Decimal) -> Decimal:
    return value.quantize(TWO, rounding=ROUND_HALF_UP)


def amount(row: Record, name: str) -> Decimal:
    """A figure of a row that was already checked; zero when absent."""
    return number(row.get(name)) or Decimal(0)


def is_net(rows: Iterable[Record]) -> bool:
    """Whether an order is net: its items carry a net price and no gross one."""
    found = [
        row for row in rows if row.get("priceOriginalGross") is not None or row.get("priceOriginalNet") is not None
    ]
    return bool(found) and all(row.get("priceOriginalGross") is None for row in found)


def reduced(original: Decimal, row: Record) -> Decimal:
    """The price after surcharge and discount."""
    surcharge, discount = amount(row, "surcharge"), amount(row, "discount")
    if row.get("isPercentage") in (True, 1, "1"):
        return (original + surcharge) * (100 - discount) / 100
    return original + surcharge - discount


def priced(row: Record, rate: Decimal, *, net: bool) -> dict[str, Decimal]:
    """The four prices of an item amount row from the one that was sent."""
    factor = 1 + rate / 100
    if net:
        original_net = amount(row, "priceOriginalNet")
        original_gross = original_net * factor
        price_net = reduced(original_net, row)
        price_gross = price_net * factor
    else:
        original_gross = amount(row, "priceOriginalGross")
        if row.get("priceOriginalGross") is None:
            original_gross = amount(row, "priceOriginalNet") * factor
        original_net = original_gross / factor
        price_gross = reduced(original_gross, row)
        price_net = price_gross / factor
    return {
        "priceOriginalGross": to_four(original_gross),
        "priceOriginalNet": to_four(original_net),
        "priceGross": to_four(price_gross),
        "priceNet": to_four(price_net),
    }


def currency_of(row: Record) -> tuple[str, Decimal, bool]:
    """Currency, rate and whether it is the system's.

    A row that claims the system currency is taken by its word: its currency code is overwritten.
    """
    code = row.get("currency") or SYSTEM_CURRENCY
    system = row.get("isSystemCurrency")
    if system in (True, 1, "1") or (system is None and code == SYSTEM_CURRENCY) or code == SYSTEM_CURRENCY:
        return SYSTEM_CURRENCY, Decimal(1), True
    rate = amount(row, "exchangeRate")
    return code, rate if rate > 0 else Decimal(CURRENCIES.get(code, "1")), False


def item_rows(sent: list[Record], rate: Decimal, *, net: bool) -> list[Record]:
    """The amount rows of an item: as sent, and one in the system currency if that is missing."""
    rows: list[Record] = []
    for row in sent:
        code, exchange, system = currency_of(row)
        figures = priced(row, rate, net=net)
        percentage = row.get("isPercentage") in (True, 1, "1")
        rows.append(
            {
                "isSystemCurrency": system,
                "currency": code,
                "exchangeRate": exchange,
                "purchasePrice": amount(row, "purchasePrice"),
                **figures,
                "surcharge": amount(row, "surcharge"),
                "discount": amount(row, "discount"),
                "isPercentage": percentage,
            }
        )
    if rows and not any(row["isSystemCurrency"] for row in rows):
        foreign = rows[0]
        exchange = foreign["exchangeRate"]
        system_row = {**foreign, "isSystemCurrency": True, "currency": SYSTEM_CURRENCY, "exchangeRate": Decimal(1)}
        for name in ("purchasePrice", "priceOriginalGross", "priceOriginalNet", "priceGross", "priceNet", "surcharge"):
            system_row[name] = to_four(foreign[name] / exchange)
        if not foreign["isPercentage"]:
            system_row["discount"] = to_four(foreign["discount"] / exchange)
        rows.insert(0, system_row)
    return rows


def totals(items: list[Record], currency: str, *, net: bool, gift_card_lowers: bool) -> dict[str, Any]:
    """The sums of an order in one currency, from its items' rows in that currency."""
    groups: dict[tuple[Any, Any, Decimal], Decimal] = {}
    gift_card = shipping_gross = shipping_net = Decimal(0)
    for item in items:
        row = next((each for each in item["amounts"] if each["currency"] == currency), None)
        if row is None:
            continue
        quantity = Decimal(str(item["quantity"]))
        if item["typeId"] == GIFT_CARD:
            gift_card += abs(Decimal(row["priceGross"]) * quantity)
            continue
        key = (item["countryVatId"], item["vatField"], Decimal(item["vatRate"]))
        groups[key] = groups.get(key, Decimal(0)) + Decimal(row["priceNet" if net else "priceGross"]) * quantity
        if item["typeId"] == SHIPPING:
            shipping_gross += Decimal(row["priceGross"]) * quantity
            shipping_net += Decimal(row["priceNet"]) * quantity
    vats: list[Record] = []
    net_total = gross_total = Decimal(0)
    for (country_vat, field, rate), total in groups.items():
        if net:
            group_net = to_two(total)
            tax = to_two(total * rate / 100)
            group_gross = group_net + tax
        else:
            group_gross = to_two(total)
            group_net = to_two(total / (1 + rate / 100))
            tax = group_gross - group_net
        net_total, gross_total = net_total + group_net, gross_total + group_gross
        vats.append(
            {"countryVatId": country_vat, "vatField": field, "vatRate": rate, "value": tax}
            | {"netTotal": group_net, "grossTotal": group_gross}
        )
    gift_card = to_two(gift_card)
    return {
        "netTotal": net_total,
        "grossTotal": gross_total,
        "vatTotal": gross_total - net_total,
        "invoiceTotal": gross_total - gift_card if gift_card_lowers else gross_total,
        "giftCardAmount": gift_card,
        "shippingCostsGross": to_two(shipping_gross),
        "shippingCostsNet": to_two(shipping_net),
        "taxlessAmount": Decimal(0),
        "prepaidAmount": Decimal(0),
        "vats": vats,
    }


def paid(payments: Iterable[Record], currency: str, rate: Decimal) -> Decimal:
    """What payments come to in a currency whose rate to the system's is given; debits count against it."""
    total = Decimal(0)
    for payment in payments:
        if payment["status"] not in COUNTED or payment["deleted"] or payment["unaccountable"]:
            continue
        value = Decimal(payment["amount"])
        if payment["currency"] != currency:
            own = Decimal(str(payment["exchangeRatio"])) or Decimal(CURRENCIES.get(payment["currency"], "1"))
            value = value / own * rate
        total += value if payment["type"] == "credit" else -value
    return to_two(total)


def payment_status(invoice_total: Decimal, paid_amount: Decimal) -> str:
    """The word that order property 4 carries."""
    if paid_amount > invoice_total:
        return "overpaid"
    if paid_amount == invoice_total:
        return "fullyPaid"
    return "partlyPaid" if paid_amount > 0 else "unpaid"


def plain(record: Any) -> Any:
    """The same with every Decimal as the shortest JSON number."""
    if isinstance(record, Decimal):
        return short(record)
    if isinstance(record, dict):
        return {name: plain(value) for name, value in record.items()}
    if isinstance(record, list):
        return [plain(value) for value in record]
    return record
