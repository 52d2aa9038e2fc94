"""Carts of the admin and of guests, and the order that becomes of them.

Prices are the catalogue's: a `price` that a caller sends with an item is ignored, as Magento ignores it. A cart
becomes one order and no more: once placed it is not found again. The order keeps the cart's number as `quote_id`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from sandbox.cart import STORES, Line, Store, rate
from sandbox.magento import catalog
from sandbox.magento.actions import either
from sandbox.magento.customers import find as find_customer
from sandbox.magento.directory import REGIONS
from sandbox.magento.orders import stamp
from sandbox.magento.refusal import Refused, required
from sandbox.money import ZERO, cents, number, plain
from sandbox.numbering import Numbers
from sandbox.orders import CARRIERS
from sandbox.people import Person, Place
from sandbox.products import Product
from sandbox.rendering import METHODS, Deal, Stage, render
from sandbox.totals import Row, Totals, calculate

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop

Body = Mapping[str, Any]
SHIPPABLE = tuple(one for one in CARRIERS if not one.startswith("instore"))
NEEDED = ("firstname", "lastname", "street", "city", "postcode", "country_id", "telephone")


@dataclass(kw_only=True)
class CartItem:
    id: int
    article: catalog.Article
    quantity: Decimal


@dataclass(kw_only=True)
class Cart:
    """What somebody is about to order."""

    id: int
    mask: str
    store: int
    created: str
    guest: bool = True
    customer_id: int | None = None
    email: str | None = None
    items: list[CartItem] = field(default_factory=list)
    billing: dict[str, Any] | None = None
    shipping: dict[str, Any] | None = None
    carrier: str | None = None
    payment: dict[str, Any] | None = None
    active: bool = True

    @property
    def virtual(self) -> bool:
        return bool(self.items) and all(item.article.type in ("virtual", "downloadable") for item in self.items)


class Carts:
    """All carts of the shop."""

    def __init__(self, shop: "Shop") -> None:
        self.shop = shop
        self.all: dict[int, Cart] = {}

    def begin(self, store: int, customer_id: int | None = None) -> Cart:
        """A new cart, or the customer's active one."""
        if customer_id is not None:
            for cart in self.all.values():
                if cart.active and cart.customer_id == customer_id:
                    return cart
        taken = max(self.shop.orders.highest("quote_id"), max(self.all, default=0))
        cart = Cart(id=taken + 1, mask=token_hex(16), store=store or 1, created=stamp(self.shop.now()))
        self.all[cart.id] = cart
        if customer_id is not None:
            self.assign(cart, customer_id)
        return cart

    def find(self, wanted: str, *, mask: bool = False) -> Cart:
        """An active cart. Refused with 404 when there is none."""
        for cart in self.all.values():
            if cart.active and wanted == (cart.mask if mask else str(cart.id)):
                return cart
        text = "No such entity with %fieldName = %fieldValue"
        raise Refused(404, text, {"fieldName": "cartId", "fieldValue": wanted if mask else _whole(wanted)})

    def assign(self, cart: Cart, customer_id: int, store: int | None = None) -> None:
        """The cart is a customer's."""
        customer = find_customer(self.shop, customer_id)
        cart.customer_id, cart.guest, cart.email = customer_id, False, customer["email"]
        if store:
            cart.store = store

    def put(self, cart: Cart, sent: Body) -> CartItem:
        """Add to the cart: an item with the same article takes the quantity."""
        if "qty" not in sent:
            raise required("qty")
        quantity, sku = number(sent.get("qty")), str(sent.get("sku") or "")
        article = catalog.find(sku)
        if article is None:
            text = "The product that was requested doesn't exist. Verify the product and try again."
            raise Refused(404, text)
        if article.type in ("configurable", "bundle", "giftcard"):
            raise Refused(400, "You need to choose options for your item.")
        if quantity <= 0:
            raise Refused(400, "Please enter a number greater than 0 in this field.")
        known = next((item for item in cart.items if item.article is article), None)
        self._salable(article, quantity + (known.quantity if known else ZERO))
        if known:
            known.quantity += quantity
            return known
        ids = [item.id for each in self.all.values() for item in each.items]
        item = CartItem(id=max(ids, default=0) + 1, article=article, quantity=quantity)
        cart.items.append(item)
        return item

    def change(self, cart: Cart, item_id: int, sent: Body) -> CartItem:
        item = self.item(cart, item_id)
        quantity = number(sent.get("qty"))
        self._salable(item.article, quantity)
        item.quantity = quantity
        return item

    def item(self, cart: Cart, item_id: int) -> CartItem:
        for item in cart.items:
            if item.id == item_id:
                return item
        text = "The %1 Cart doesn't contain the %2 item."
        raise Refused(404, text, [cart.id, item_id])

    def _salable(self, article: catalog.Article, quantity: Decimal) -> None:
        stock = self.shop.stock
        if not stock.knows(article.sku):
            return
        if stock.salable(article.sku) <= 0:
            raise Refused(400, "Product that you are trying to add is not available.")
        if quantity > stock.salable(article.sku):
            raise Refused(400, "The requested qty is not available")

    def methods(self, cart: Cart) -> list[dict[str, Any]]:
        """The payment methods that this cart may use."""
        if cart.items and not _reckoned(cart).totals.grand:
            codes = ["free"]
        else:
            codes = self.shop.settings.payment_methods
        return [{"code": code, "title": METHODS.get(code, code)} for code in codes]

    def choose_method(self, cart: Cart, sent: Any) -> None:
        if not isinstance(sent, dict) or not sent.get("method"):
            raise required("method")
        if sent["method"] not in {one["code"] for one in self.methods(cart)}:
            raise Refused(400, "The requested Payment Method is not available.")
        cart.payment = dict(sent)

    def place(self, cart: Cart) -> int:
        """Make the order. Nothing that is missing is guessed."""
        self._complete(cart)
        for item in cart.items:
            self._salable(item.article, item.quantity)
        shop, now = self.shop, self.shop.now()
        order = _order(self, cart, now)
        shop.orders.put(order)
        shop.papers.know(order)
        pieces = {item.article.sku: item.quantity for item in cart.items}
        shop.stock.reserve(order["entity_id"], pieces)
        cart.active = False
        shop.placed.append(order["entity_id"])
        if shop.settings.new_order_mail:
            shop.mail(order["entity_id"], "order")
        number_: int = order["entity_id"]
        return number_

    def _complete(self, cart: Cart) -> None:
        if not cart.items:
            raise Refused(
                400, "A server error stopped your order from being placed. Please try to place your order again."
            )
        if not cart.virtual:
            if cart.shipping is None:
                raise Refused(400, "The shipping address is missing. Set the address and try again.")
            if cart.carrier is None:
                raise Refused(400, "The shipping method is missing. Select the shipping method and try again.")
        if cart.billing is None:
            raise Refused(400, "Please check the billing address information. %1", ["The billing address is missing."])
        if cart.payment is None:
            raise Refused(400, "Enter a valid payment method and try again.")
        if not (cart.email or cart.billing.get("email")):
            raise Refused(400, "Email has a wrong format")


def _whole(text: str) -> Any:
    return int(text) if text.isdigit() else text


def address(sent: Any, kind: str) -> dict[str, Any]:
    """An address as sent, in snake_case. Refused when a needed field is missing."""
    if not isinstance(sent, dict):
        raise required("address")
    names = {"countryId": "country_id", "regionCode": "region_code", "regionId": "region_id", "vatId": "vat_id"}
    found = {names.get(str(name), str(name)): value for name, value in sent.items()}
    missing = [name for name in NEEDED if not found.get(name)]
    if found.get("country_id") in REGIONS and not found.get("region_id"):
        missing.append("regionId")
    if missing:
        lines = " ".join(f'"{name}" is required. Enter and try again.' for name in missing)
        raise Refused(400, f"Please check the {kind} address information. %1", [lines])
    return found


@dataclass(frozen=True, kw_only=True)
class Reckoned:
    lines: list[Line]
    totals: Totals
    base_totals: Totals
    store: Store


def store_of(number_: int) -> Store:
    """How a view sells; a view that is not of this shop sells like the first one."""
    return STORES.get(number_) or STORES[1]


def _row(product: Product, price: Decimal, quantity: Decimal, store: Store, country: str) -> Row:
    return Row(
        price=price,
        quantity=quantity,
        rate=rate(country, product.tax),
        home_rate=rate(store.country, product.tax),
    )


def shipping_row(carrier: str | None, store: Store, country: str, *, own: bool) -> Row:
    """What the carrier takes, in the view's currency or the base one."""
    _, euros, zloty = CARRIERS[carrier] if carrier else ("", "0", "0")
    amount = Decimal(zloty if own and store.currency != "EUR" else euros)
    home = rate(store.country, "standard") if amount else ZERO
    return Row(
        price=amount if store.inclusive else cents(amount / Decimal("1.19")),
        quantity=Decimal(1),
        rate=rate(country, "standard") if amount else ZERO,
        home_rate=home,
    )


def _reckoned(cart: Cart, carrier: str | None = None) -> Reckoned:
    store = store_of(cart.store)
    place = (cart.billing if cart.virtual else cart.shipping) or cart.billing or {}
    country, carrier = str(place.get("country_id") or store.country), carrier or cart.carrier
    lines = []
    for item in cart.items:
        product, quantity = item.article.product, item.quantity
        line = Line(
            type=item.article.type,
            product=product,
            sku=item.article.sku,
            name=item.article.name,
            quantity=quantity,
            product_id=item.article.id,
        )
        line.base = _row(product, product.gross if store.inclusive else product.net, quantity, store, country)
        line.row = line.base
        if store.currency != "EUR":
            line.row = _row(product, product.zloty, quantity, store, country)
        lines.append(line)
    base_rows = [line.base for line in lines if line.base]
    base = calculate(base_rows, shipping_row(carrier, store, country, own=False), [], store.inclusive)
    totals = base
    if store.currency != "EUR":
        rows = [line.row for line in lines if line.row]
        totals = calculate(rows, shipping_row(carrier, store, country, own=True), [], store.inclusive)
    return Reckoned(lines=lines, totals=totals, base_totals=base, store=store)


def shipping_methods(cart: Cart, country: str | None = None) -> list[dict[str, Any]]:
    """What can carry this cart, with its price."""
    if not cart.items or cart.virtual:
        return []
    store = store_of(cart.store)
    place = country or (cart.shipping or {}).get("country_id") or store.country
    found = []
    for carrier in SHIPPABLE:
        own, base = (shipping_row(carrier, store, str(place), own=own) for own in (True, False))
        for row in (own, base):
            row.price_it(store.inclusive)
        carrier_code, _, method_code = carrier.partition("_")
        title, _, method = CARRIERS[carrier][0].partition(" - ")
        found.append(
            {
                "carrier_code": carrier_code,
                "method_code": method_code,
                "carrier_title": title,
                "method_title": method,
                "amount": plain(own.total),
                "base_amount": plain(base.total),
                "available": True,
                "error_message": "",
                "price_excl_tax": plain(own.total),
                "price_incl_tax": plain(own.total_incl_tax),
            }
        )
    return found


def choose_shipping(cart: Cart, sent: Any) -> None:
    """POST …/shipping-information: addresses and carrier."""
    if not isinstance(sent, dict):
        raise required("addressInformation")
    where = address(either(sent, "shipping_address", "shippingAddress"), "shipping")
    carrier = either(sent, "shipping_carrier_code", "shippingCarrierCode")
    method = either(sent, "shipping_method_code", "shippingMethodCode")
    for name, value in (("shipping_carrier_code", carrier), ("shipping_method_code", method)):
        if not value:
            raise required(name)
    if not cart.items:
        raise Refused(400, "The shipping method can't be set for an empty cart. Add an item to cart and try again.")
    if f"{carrier}_{method}" not in SHIPPABLE:
        raise Refused(404, "Carrier with such method not found: %1, %2", [carrier, method])
    cart.shipping, cart.carrier = where, f"{carrier}_{method}"
    billing = either(sent, "billing_address", "billingAddress")
    if billing:
        choose_billing(cart, billing)


def choose_billing(cart: Cart, sent: Any) -> None:
    cart.billing = address(sent, "billing")
    cart.email = cart.email or cart.billing.get("email")


def totals(cart: Cart) -> dict[str, Any]:
    """The payload of GET …/totals."""
    if not cart.items:
        empty = {"grand_total": 0, "base_grand_total": 0, "subtotal": 0, "base_subtotal": 0, "items": []}
        return {**empty, "weee_tax_applied_amount": None, "total_segments": []}
    found = _reckoned(cart)
    payload: dict[str, Any] = {}
    for prefix, sums in (("", found.totals), ("base_", found.base_totals)):
        goods = sums.subtotal + sums.compensation - sums.discount
        payload |= {
            f"{prefix}grand_total": plain(sums.grand),
            f"{prefix}subtotal": plain(sums.subtotal),
            f"{prefix}discount_amount": plain(-sums.discount),
            f"{prefix}subtotal_with_discount": plain(goods),
            f"{prefix}shipping_amount": plain(sums.shipping.total),
            f"{prefix}shipping_discount_amount": plain(sums.shipping.discount),
            f"{prefix}tax_amount": plain(sums.tax),
            f"{prefix}shipping_tax_amount": plain(sums.shipping.tax),
            f"{prefix}subtotal_incl_tax": plain(sums.subtotal_incl_tax),
            f"{prefix}shipping_incl_tax": plain(sums.shipping.total_incl_tax),
        }
    payload["grand_total"] = plain(
        max(found.totals.grand - found.totals.tax, ZERO)
    )  # as core's CartTotalRepository says it
    segments = (
        ("subtotal", found.totals.subtotal),
        ("shipping", found.totals.shipping.total),
        ("tax", found.totals.tax),
        ("grand_total", found.totals.grand),
    )
    return payload | {
        "weee_tax_applied_amount": None,
        "base_currency_code": "EUR",
        "quote_currency_code": found.store.currency,
        "items_qty": plain(sum((item.quantity for item in cart.items), ZERO)),
        "items": [
            {
                "item_id": item.id,
                "name": item.article.name,
                "qty": plain(item.quantity),
                "options": "[]",
                "weee_tax_applied_amount": None,
                "weee_tax_applied": None,
                **_item_money(line.row, ""),
                **_item_money(line.base, "base_"),
            }
            for item, line in zip(cart.items, found.lines, strict=True)
        ],
        "total_segments": [{"code": code, "title": code, "value": plain(value)} for code, value in segments],
    }


def _item_money(row: Row | None, prefix: str) -> dict[str, Any]:
    if row is None:
        return {}
    return {
        f"{prefix}price": plain(row.unit),
        f"{prefix}row_total": plain(row.total),
        f"{prefix}tax_amount": plain(row.tax),
        f"{prefix}price_incl_tax": plain(row.unit_incl_tax),
        f"{prefix}row_total_incl_tax": plain(row.total_incl_tax),
        **({"tax_percent": plain(row.rate), "discount_amount": plain(row.discount)} if not prefix else {}),
    }


def item_shown(cart: Cart, item: CartItem) -> dict[str, Any]:
    store = store_of(cart.store)
    return {
        "item_id": item.id,
        "sku": item.article.sku,
        "qty": plain(item.quantity),
        "name": item.article.name,
        "price": plain(item.article.price(store)),
        "product_type": item.article.type,
        "quote_id": str(cart.id),
    }


def shown(cart: Cart) -> dict[str, Any]:
    """The payload of GET /V1/carts/{cartId}."""
    store = store_of(cart.store)
    return {
        "id": cart.id,
        "created_at": cart.created,
        "updated_at": cart.created,
        "is_active": cart.active,
        "is_virtual": cart.virtual,
        "items": [item_shown(cart, item) for item in cart.items],
        "items_count": len(cart.items),
        "items_qty": plain(sum((item.quantity for item in cart.items), ZERO)),
        "customer": {"email": cart.email, "id": cart.customer_id},
        "billing_address": cart.billing or {},
        "orig_order_id": 0,
        "currency": {
            "base_currency_code": "EUR",
            "global_currency_code": "EUR",
            "store_currency_code": "EUR",
            "quote_currency_code": store.currency,
            "base_to_quote_rate": plain(store.exchange),
        },
        "customer_is_guest": cart.guest,
        "customer_note_notify": True,
        "customer_tax_class_id": 3,
        "store_id": cart.store,
    }


def _place_of(sent: dict[str, Any]) -> Place:
    region = sent.get("region")
    name = region.get("region") if isinstance(region, dict) else region
    street = sent["street"] if isinstance(sent["street"], list) else [sent["street"]]
    code = sent.get("region_code") or name
    return Place(
        street=tuple(str(line) for line in street),
        postcode=str(sent["postcode"]),
        city=str(sent["city"]),
        country=str(sent["country_id"]),
        region=(str(name), str(code), int(number(sent.get("region_id")))) if name else None,
        company=sent.get("company") or None,
        vat_id=sent.get("vat_id") or None,
    )


def _order(carts: Carts, cart: Cart, now: datetime) -> dict[str, Any]:
    found, billing = _reckoned(cart), cart.billing or {}
    shipping = cart.shipping or billing
    customer = find_customer(carts.shop, cart.customer_id) if cart.customer_id else None
    buyer = Person(
        first=str(billing["firstname"]),
        last=str(billing["lastname"]),
        email=str(cart.email or billing.get("email")),
        home=_place_of(billing),
        phone=billing.get("telephone"),
        prefix=billing.get("prefix") or None,
        delivery=_place_of(shipping),
        delivery_name=(str(shipping["firstname"]), str(shipping["lastname"])),
        customer_id=cart.customer_id,
        group=int(customer["group_id"]) if customer else 0,
    )
    numbers = Numbers.after(list(carts.shop.orders.all()))
    for line in found.lines:
        line.id = numbers.take("item")
    payment = cart.payment or {}
    carrier = None if cart.virtual else cart.carrier
    deal = Deal(
        store=found.store,
        buyer=buyer,
        lines=found.lines,
        totals=found.totals,
        base_totals=found.base_totals,
        stage=Stage(state="new", status="pending"),
        created=stamp(now),
        updated=stamp(now),
        method=str(payment.get("method")),
        carrier=carrier,
        carrier_title=CARRIERS[carrier][0] if carrier else None,
        entity_id=numbers.take("order"),
        increment_id=numbers.increment(found.store.id),
        quote_id=cart.id,
        billing_id=numbers.take("address") + 1,
        history_id=numbers.take("history"),
        protect_code=token_hex(16),
    )
    order = render(deal)
    if order["payment"]["method"] == "purchaseorder":
        order["payment"]["po_number"] = payment.get("po_number")
    if cart.store in STORES or cart.store not in carts.shop.stores.views:
        return order
    return order | {"store_id": cart.store, "store_name": carts.shop.stores.views[cart.store].name}


def store_order(shop: "Shop", body: Body) -> dict[str, Any]:
    """PUT /V1/orders/create and POST /V1/orders: a row as it is sent. No stock, no price, no payment, no mail.

    For an order that exists: what is sent is written, a guest's protect_code is made anew, and the answer has lost
    its totals (recorded).
    """
    entity = body.get("entity")
    if not isinstance(entity, dict):
        raise required("entity")
    wanted = int(number(either(entity, "entity_id", "entityId")))
    if wanted and wanted in shop.orders:
        changed = shop.orders.change(
            wanted, lambda order: order.update({**entity, "protect_code": token_hex(16)}), shop.now()
        )
        lost = {"base_grand_total": None, "grand_total": None, "customer_email": None, "total_due": 0}
        return {**changed, **lost}
    for name in ("base_grand_total", "grand_total", "customer_email", "items"):
        if entity.get(name) is None:
            raise required(name)
    numbers, moment = Numbers.after(list(shop.orders.all())), stamp(shop.now())
    order = {
        "store_id": 1,
        "state": "new",
        "status": "pending",
        **entity,
        "entity_id": numbers.take("order"),
        "created_at": entity.get("created_at") or moment,
        "updated_at": moment,
        "protect_code": token_hex(16),
    }
    order.setdefault("increment_id", numbers.increment(int(number(order["store_id"]))))
    order["items"] = [
        {"product_type": "simple", "qty_invoiced": 0, "qty_shipped": 0, "qty_refunded": 0, "qty_canceled": 0}
        | dict(item)
        | {"item_id": numbers.take("item"), "order_id": order["entity_id"]}
        for item in entity["items"]
    ]
    order["payment"] = {"account_status": None, "cc_last4": None, **(entity.get("payment") or {})}
    order.setdefault("status_histories", [])
    shop.orders.put(order)
    shop.papers.know(order)
    shop.placed.append(order["entity_id"])
    return order
