"""An order as Magento's REST renders it, with the traps of that rendering.

`row_total` is net of the discount; the child of a configurable or fixed bundle shows its parent's price while
its base price is 0; what is null is left out; flags are 0 or 1; a child embeds its parent; the delivery address
stands in the shipping assignment only.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sandbox import people
from sandbox.cart import VAT, Line, Store
from sandbox.lifecycle import Item, Order, cancel
from sandbox.money import ZERO, cents, plain
from sandbox.people import Person
from sandbox.products import Kind
from sandbox.totals import Row, Totals

BOTH = ("", "base_")
METHODS = {
    "checkmo": "Check / Money order",
    "banktransfer": "Bank Transfer Payment",
    "paypal_express": "PayPal Express Checkout",
    "free": "No Payment Information Required",
    "cashondelivery": "Cash On Delivery",
    "braintree": "Credit Card (Braintree)",
    "purchaseorder": "Purchase Order",
}
FREE = (
    "discount_amount",
    "discount_invoiced",
    "row_invoiced",
    "row_total",
    "row_total_incl_tax",
    "tax_amount",
    "tax_invoiced",
)
ONLINE = ("paypal_express", "braintree")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """How far an order has come."""

    state: str
    status: str | None
    invoiced: bool = False
    shipped: bool = False
    part_shipped: bool = False
    refunded: bool = False
    canceled: bool = False
    before_hold: tuple[str, str] | None = None


@dataclass(kw_only=True)
class Deal:
    """One order, decided and calculated; what reduces or raises the amount to pay is in both currencies."""

    store: Store
    buyer: Person
    lines: list[Line]
    totals: Totals
    base_totals: Totals
    stage: Stage
    created: str
    updated: str
    method: str
    carrier: str | None
    carrier_title: str | None
    gift_cards: list[dict[str, Any]] = field(default_factory=list)
    credits: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # name: (order, base)
    surcharge: Decimal = ZERO
    coupon: str | None = None
    rules: str | None = None
    note: str | None = None
    gift_message: str | None = None
    company_id: int | None = None
    custom_attributes: dict[str, Any] = field(default_factory=dict)
    entity_id: int = 0
    increment_id: str = ""
    quote_id: int = 0
    billing_id: int = 0
    history_id: int = 0
    protect_code: str = ""
    child_price: bool = True

    @property
    def virtual(self) -> bool:
        return all(line.virtual for line in self.lines if not line.children)

    def grand(self, base: bool = False) -> Decimal:
        """What is left to pay."""
        totals = self.base_totals if base else self.totals
        return totals.grand - sum((pair[base] for pair in self.credits.values()), ZERO) + self.surcharge


def render(deal: Deal) -> Order:
    """The payload of GET /V1/orders/{id}."""
    items = _items(deal)
    order: Order = {
        **_head(deal),
        **_money(deal),
        **_progress(deal),
        "items": items,
        "billing_address": people.address(deal.buyer, "billing", deal.billing_id, deal.entity_id),
        "payment": _payment(deal),
        "status_histories": _histories(deal),
    }
    order["extension_attributes"] = _extension(deal, items)
    if deal.stage.canceled:
        cancel(order, deal.updated)
    return order


def _head(deal: Deal) -> Order:
    buyer, stage = deal.buyer, deal.stage
    heads = [line for line in deal.lines if line.parent is None]
    head: dict[str, Any] = {
        "applied_rule_ids": deal.rules,
        "base_currency_code": "EUR",
        "base_to_global_rate": 1,
        "base_to_order_rate": plain(deal.store.exchange),
        "billing_address_id": deal.billing_id,
        "coupon_code": deal.coupon,
        "created_at": deal.created,
        "customer_email": buyer.email,
        "customer_firstname": buyer.first if buyer.customer_id else None,
        "customer_gender": buyer.gender,
        "customer_group_id": buyer.group if buyer.customer_id else 0,
        "customer_id": buyer.customer_id,
        "customer_is_guest": 0 if buyer.customer_id else 1,
        "customer_lastname": buyer.last if buyer.customer_id else None,
        "customer_note": deal.note,
        "customer_note_notify": 1,
        "customer_prefix": buyer.prefix if buyer.customer_id else None,
        "customer_taxvat": buyer.home.vat_id if buyer.customer_id else None,
        "discount_description": deal.coupon,
        "email_sent": 1,
        "entity_id": deal.entity_id,
        "global_currency_code": "EUR",
        "hold_before_state": stage.before_hold[0] if stage.before_hold else None,
        "hold_before_status": stage.before_hold[1] if stage.before_hold else None,
        "increment_id": deal.increment_id,
        "is_virtual": int(deal.virtual),
        "order_currency_code": deal.store.currency,
        "protect_code": deal.protect_code,
        "quote_id": deal.quote_id,
        "remote_ip": f"192.0.2.{deal.entity_id % 250 + 1}",
        "shipping_description": deal.carrier_title,
        "state": stage.state,
        "status": stage.status,
        "store_currency_code": "EUR",
        "store_id": deal.store.id,
        "store_name": deal.store.name,
        "store_to_base_rate": 0,
        "store_to_order_rate": 0,
        "total_item_count": len(heads),
        "total_qty_ordered": plain(sum((line.quantity for line in heads), ZERO)),
        "updated_at": deal.updated,
        "weight": plain(sum((_weight(line) * line.quantity for line in heads), ZERO)),
    }
    return {name: value for name, value in head.items() if value is not None}


def _shipping_fields(totals: Totals, base: bool) -> dict[str, Any]:
    prefix, row = BOTH[base], totals.shipping
    tail = "amnt" if base else "amount"  # the base twin is spelled short
    return {
        f"{prefix}shipping_amount": plain(row.total),
        f"{prefix}shipping_discount_amount": plain(row.discount),
        f"{prefix}shipping_discount_tax_compensation_{tail}": plain(row.compensation),
        f"{prefix}shipping_incl_tax": plain(row.total_incl_tax),
        f"{prefix}shipping_tax_amount": plain(row.tax),
    }


def _money(deal: Deal) -> Order:
    money: Order = {}
    for base, totals in ((False, deal.totals), (True, deal.base_totals)):
        prefix = BOTH[base]
        grand = deal.grand(base)
        money |= _shipping_fields(totals, base)
        money |= {
            f"{prefix}discount_amount": plain(-totals.discount),
            f"{prefix}discount_tax_compensation_amount": plain(totals.compensation),
            f"{prefix}grand_total": plain(grand),
            f"{prefix}subtotal": plain(totals.subtotal),
            f"{prefix}subtotal_incl_tax": plain(totals.subtotal_incl_tax),
            f"{prefix}tax_amount": plain(totals.tax),
            f"{prefix}total_due": 0 if deal.stage.invoiced else plain(grand),
        }
    return money


def _progress(deal: Deal) -> Order:
    """What was invoiced, paid and refunded; absent before it happened."""
    progress: Order = {}
    for base, totals in ((False, deal.totals), (True, deal.base_totals)):
        prefix, grand = BOTH[base], deal.grand(base)
        shares = {
            "discount": -totals.discount,
            "discount_tax_compensation": totals.compensation,
            "shipping": totals.shipping.total,
            "subtotal": totals.subtotal,
            "tax": totals.tax,
        }
        words = [word for word, done in (("invoiced", deal.stage.invoiced), ("refunded", deal.stage.refunded)) if done]
        for word in words:
            progress |= {f"{prefix}{name}_{word}": plain(value) for name, value in shares.items()}
            progress[f"{prefix}total_{word}"] = plain(grand)
        if deal.stage.invoiced and grand:
            progress[f"{prefix}total_paid"] = plain(grand)
        if deal.stage.refunded:
            progress[f"{prefix}total_offline_refunded"] = plain(grand)
    return progress


def _weight(line: Line) -> Decimal:
    """Of one piece, in kilograms; a dynamic bundle weighs what its parts weigh."""
    if line.product.kind is Kind.DYNAMIC_BUNDLE:
        return sum((_weight(child) * child.quantity for child in line.children), ZERO) / line.quantity
    return line.product.weight_kg


def _items(deal: Deal) -> list[Item]:
    items: list[Item] = []
    by_line: dict[int, Item] = {}
    shippable = [line for line in deal.lines if line.parent is None and not line.virtual]
    for line in deal.lines:
        head = line.parent or line
        shipped = deal.stage.shipped or (deal.stage.part_shipped and bool(shippable) and head is shippable[0])
        item = _item(deal, line, shipped and not line.virtual)
        if line.parent is not None:
            item["parent_item_id"] = line.parent.id
            item["parent_item"] = by_line[line.parent.id]
            item |= {
                "row_total_incl_tax": item["row_total_incl_tax"],
                "base_row_total_incl_tax": item["base_row_total_incl_tax"],
            }
        by_line[line.id] = item
        items.append(item)
    return items


def _item(deal: Deal, line: Line, shipped: bool) -> Item:
    stage, quantity, weight = deal.stage, line.quantity, _weight(line)
    item: Item = {
        "amount_refunded": 0,
        "base_amount_refunded": 0,
        "created_at": deal.created,
        "free_shipping": int(deal.carrier == "freeshipping_freeshipping"),
        "is_qty_decimal": int(line.product.by_measure),
        "is_virtual": int(line.virtual),
        "item_id": line.id,
        "name": line.name,
        "no_discount": 0,
        "order_id": deal.entity_id,
        "product_id": line.product_id,
        "product_type": line.type,
        "qty_canceled": 0,
        "qty_invoiced": plain(quantity) if stage.invoiced else 0,
        "qty_ordered": plain(quantity),
        "qty_refunded": plain(quantity) if stage.refunded else 0,
        "qty_shipped": plain(quantity) if shipped else 0,
        "quote_item_id": line.id + 5000,
        "row_weight": plain(weight * quantity) if line.parent is None else 0,
        "sku": line.sku,
        "store_id": deal.store.id,
        "updated_at": deal.updated,
    }
    if not line.virtual:
        item["weight"] = plain(weight)
    if deal.rules and line.row:
        item["applied_rule_ids"] = deal.rules
    if line.options:
        item["product_option"] = {"extension_attributes": line.options}
    if line.row and line.base:
        item |= _amounts(line.row, "", stage) | _amounts(line.base, "base_", stage)
        item["discount_percent"] = plain(min(line.row.percents, Decimal(100)))
        item["original_price"] = plain(line.list_price or line.row.unit)
        item["base_original_price"] = plain(line.list_price or line.base.unit)
        item["tax_percent"] = plain(line.row.rate)
    elif line.children:
        item |= _sums(line, "", stage) | _sums(line, "base_", stage)
    else:
        item |= _free(deal, line)
    return item


def _amounts(row: Row, prefix: str, stage: Stage) -> Item:
    """A row's money; REST takes the discount off the row totals."""
    left = max(row.total - row.discount, ZERO)
    left_incl_tax = max(row.total + row.tax + row.compensation - row.discount, ZERO)
    done = stage.invoiced
    amounts = {
        "discount_amount": row.discount,
        "discount_invoiced": row.discount if done else ZERO,
        "discount_tax_compensation_amount": row.compensation,
        "price": row.unit,
        "price_incl_tax": row.unit_incl_tax,
        "row_invoiced": row.total if done else ZERO,
        "row_total": left,
        "row_total_incl_tax": left_incl_tax,
        "tax_amount": row.tax,
        "tax_invoiced": row.tax if done else ZERO,
    }
    if done:
        amounts["discount_tax_compensation_invoiced"] = row.compensation
    if stage.refunded:
        amounts |= {"amount_refunded": row.total, "tax_refunded": row.tax, "discount_refunded": row.discount}
    return {f"{prefix}{name}": plain(value) for name, value in amounts.items()}


def _sums(line: Line, prefix: str, stage: Stage) -> Item:
    """The head of a dynamic bundle repeats what its parts cost; the discount is theirs alone."""
    rows = [row for child in line.children if (row := child.base if prefix else child.row)]
    total = sum((row.total for row in rows), ZERO)
    incl_tax = sum((row.total_incl_tax for row in rows), ZERO)
    tax = sum((row.tax for row in rows), ZERO)
    amounts = {
        "discount_amount": ZERO,
        "discount_invoiced": ZERO,
        "discount_tax_compensation_amount": sum((row.compensation for row in rows), ZERO),
        "original_price": cents(total / line.quantity),
        "price": cents(total / line.quantity),
        "price_incl_tax": cents(incl_tax / line.quantity),
        "row_invoiced": total if stage.invoiced else ZERO,
        "row_total": total,
        "row_total_incl_tax": incl_tax,
        "tax_amount": tax,
        "tax_invoiced": tax if stage.invoiced else ZERO,
    }
    plain_ = {f"{prefix}{name}": plain(value) for name, value in amounts.items()}
    return plain_ if prefix else plain_ | {"discount_percent": 0}


def _free(deal: Deal, line: Line) -> Item:
    """The child of a configurable or a fixed bundle: only `price` looks like money."""
    head = line.parent.row if line.parent else None
    item: Item = {f"{prefix}{name}": 0 for prefix in BOTH for name in FREE}
    return item | {
        "base_price": 0,
        "discount_percent": 0,
        "original_price": 0,
        "price": plain(head.unit) if head and deal.child_price else 0,
        "tax_percent": 0,
    }


def _payment(deal: Deal) -> dict[str, Any]:
    payment: dict[str, Any] = {
        "account_status": None,
        "additional_information": [value for _, value in _payment_information(deal)],
        "cc_last4": "1111" if deal.method == "braintree" else None,
        "entity_id": deal.entity_id,
        "method": deal.method,
        "parent_id": deal.entity_id,
    }
    if deal.method == "braintree":
        payment |= {"cc_type": "VI", "cc_exp_month": "9", "cc_exp_year": "2029"}
    if deal.method == "purchaseorder":
        payment["po_number"] = f"BE-{deal.entity_id:05d}"
    if deal.method in ONLINE and deal.stage.state != "pending_payment":
        transaction = f"{deal.protect_code[:17].upper()}"
        payment["last_trans_id"] = f"{transaction}-capture" if deal.method == "braintree" else transaction
    for base, prefix in enumerate(BOTH):
        totals, grand = (deal.base_totals if base else deal.totals), plain(deal.grand(bool(base)))
        payment[f"{prefix}amount_ordered"] = grand
        payment[f"{prefix}shipping_amount"] = plain(totals.shipping.total)
        if deal.stage.invoiced and grand:
            payment[f"{prefix}amount_paid"] = grand
            payment[f"{prefix}shipping_captured"] = plain(totals.shipping.total)
        if deal.stage.refunded:
            payment[f"{prefix}amount_refunded"] = grand
    return payment


def _payment_information(deal: Deal) -> list[tuple[str, Any]]:
    title = METHODS.get(deal.method, deal.method)
    match deal.method:
        case "paypal_express":
            return [
                ("paypal_express_checkout_shipping_method", deal.carrier or ""),
                ("paypal_payer_id", f"PAYER{deal.entity_id:08d}"),
                ("paypal_payer_email", deal.buyer.email),
                ("paypal_payer_status", "verified"),
                ("paypal_pending_reason", None),
                ("method_title", title),
            ]
        case "braintree":
            return [
                ("processorResponseCode", "1000"),
                ("cc_number", "xxxx-1111"),
                ("cc_type", "Visa"),
                ("method_title", title),
            ]
        case "banktransfer" | "cashondelivery":
            return [("method_title", title), ("instructions", "")]
        case _:
            return [("method_title", title)]


def _histories(deal: Deal) -> list[dict[str, Any]]:
    """Newest first."""
    entries: list[tuple[str, str | None, str]] = [("order", None, "pending")]
    if deal.stage.invoiced and deal.method in ONLINE:
        amount = f"{deal.grand(True):.2f} €"
        entries.append(("invoice", f"Captured amount of {amount} online.", "processing"))
    if deal.stage.status and deal.stage.status not in ("pending", "processing"):
        entries.append(("order", None, deal.stage.status))
    made = [
        {
            "comment": comment,
            "created_at": deal.created if number == 0 else deal.updated,
            "entity_id": deal.history_id + number,
            "entity_name": entity,
            "is_customer_notified": 1 if number == 0 else None,
            "is_visible_on_front": 0,
            "parent_id": deal.entity_id,
            "status": status,
        }
        for number, (entity, comment, status) in enumerate(entries)
    ]
    return made[::-1]


def _extension(deal: Deal, items: list[Item]) -> dict[str, Any]:
    extension: dict[str, Any] = {
        "shipping_assignments": [{"shipping": _shipping(deal), "items": items}],
        "payment_additional_info": [
            {"key": key, "value": "null" if value is None else value} for key, value in _payment_information(deal)
        ],
        **_taxes(deal),
        "converting_from_quote": bool(deal.totals.tax),
    }
    if deal.gift_cards:
        extension["gift_cards"] = deal.gift_cards
    names = {
        "gift_cards": "gift_cards_amount",
        "credit": "customer_balance_amount",
        "reward": "reward_currency_amount",
    }
    for name, (amount, base_amount) in deal.credits.items():
        extension |= {names[name]: plain(amount), f"base_{names[name]}": plain(base_amount)}
        if name == "reward":
            extension["reward_points_balance"] = int(base_amount * 100)
    if not deal.credits and deal.entity_id % 3 == 0:
        extension |= {
            "gift_cards": [],
            "gift_cards_amount": 0,
            "base_gift_cards_amount": 0,
            "gw_price": "",
            "gw_base_price": "",
        }
    if deal.surcharge:
        fee = f"{deal.surcharge:.4f}"
        extension |= {
            "payment_surcharge_amount": fee,
            "base_payment_surcharge_amount": fee,
            "payment_surcharge_description": "Nachnahmegebühr",
        }
    if deal.gift_message:
        extension["gift_message"] = {
            "gift_message_id": deal.entity_id,
            "customer_id": deal.buyer.customer_id or 0,
            "sender": deal.buyer.first,
            "recipient": "Oma Käthe",
            "message": deal.gift_message,
        }
    if deal.carrier == "instore_pickup":
        extension |= {"pickup_location_code": "leipzig_markt", "notification_sent": 0, "send_notification": 0}
    if deal.company_id:
        company = {
            "order_id": deal.entity_id,
            "company_id": deal.company_id,
            "company_name": deal.buyer.home.company,
        }
        extension["company_order_attributes"] = company
    if deal.coupon:
        extension["coupon_codes"] = [deal.coupon]
    return extension | deal.custom_attributes


def _shipping(deal: Deal) -> dict[str, Any]:
    """Without address and method when there is nothing to send."""
    total = _shipping_fields(deal.totals, False) | _shipping_fields(deal.base_totals, True)
    if deal.virtual:
        return {"total": total}
    address = people.address(deal.buyer, "shipping", deal.billing_id - 1, deal.entity_id)
    return {"address": address, "method": deal.carrier, "total": total}


def _taxes(deal: Deal) -> dict[str, Any]:
    country = (deal.buyer.delivery or deal.buyer.home).country if not deal.virtual else deal.buyer.home.country
    title = VAT[country][0] if country in VAT else f"{country} Export"
    rows: list[tuple[dict[str, Any], Row, Row]] = [
        ({"type": "product", "item_id": line.id}, line.row, line.base)
        for line in deal.lines
        if line.row and line.base and line.row.rate
    ]
    if deal.totals.shipping.rate and deal.totals.shipping.total:
        rows.append(({"type": "shipping"}, deal.totals.shipping, deal.base_totals.shipping))

    def tax(rate: Decimal, amount: Decimal, base_amount: Decimal) -> dict[str, Any]:
        name = f"{title} {plain(rate)} %"
        return {
            "code": name,
            "title": name,
            "percent": plain(rate),
            "amount": plain(amount),
            "base_amount": plain(base_amount),
        }

    rates: Iterable[Decimal] = dict.fromkeys(row.rate for _, row, _ in rows)
    return {
        "applied_taxes": [
            tax(
                rate,
                sum((row.tax for _, row, _ in rows if row.rate == rate), ZERO),
                sum((base.tax for _, row, base in rows if row.rate == rate), ZERO),
            )
            for rate in rates
        ],
        "item_applied_taxes": [
            entry | {"applied_taxes": [tax(row.rate, row.tax, base.tax)]} for entry, row, base in rows
        ],
    }
