"""An order of another channel becomes an order of the shop: through a cart that Magento itself reckons and places.

What Magento's REST can do here, and what it cannot (systems: REST schema 2.4.6 to 2.4.9, core sources of
Magento_Quote and Magento_Checkout):

- `PUT /V1/orders/create` stores a row as it is sent: without stock, without prices reckoned, without payment, and its
  documents go wrong later. It is not used. A cart that is placed is an order like any other of the shop.
- **Stock**: the placed order reserves its goods (MSI) until they are shipped or it is cancelled. Where the stock of the
  shop is set by another system that has taken these goods off already, they are counted twice until then. What the shop
  says it has not got is refused.
- **Prices cannot be given.** A `price` sent with an item is ignored (magento2 issues 22215, 38985); prices, tax,
  discounts and the cost of shipping are the shop's own. So the cart's totals are compared with the order, currency and
  grand total, before anything is placed: unequal ones fail the record and nothing is ordered.
- **A cart cannot be deleted or shut** by REST. What could not be placed is emptied; the empty cart stays until Magento's
  own clean-up of quotes, and the next attempt uses it again.
- **Configurable articles and bundles** need choices that a SKU does not hold; their variants, by their own SKU, do not.
- **The customer's mail cannot be held back** by any call. Magento writes the order confirmation when the store view's
  Stores > Configuration > Sales > Sales Emails > Order says so, and `POST /V1/orders/{id}/emails` obeys the same switch: it
  could only write a second one. So nothing is sent from here; where "Send new order email" is off and Magento says that
  it has sent one, the record says so. Who wants none gives the channel a store view in which they are off.
- **Customer**: the one with the order's e-mail in the website of the store view, where the integration may see them;
  made when switched on (Magento writes a welcome mail then); else a guest. A customer has one open cart and may be
  filling it in the shop right now. A cart that holds anything else is never touched: the order is placed for a guest
  with the same e-mail. What a customer puts into the cart in the moment between the comparison of the totals and the
  placing cannot be told apart; the totals of the order are compared again after it, and a difference is said.
- **A payment** is not booked: the order has the mapped method, offline, as if the customer were to pay. The method must
  be enabled in the shop for this store view; core has none named "plentyone".
- **No origin field** can be written: what the order is stands in a comment that the customer does not see.
- **Rights** of the integration beyond those for reading orders: Magento_Catalog::products, Magento_Sales::comment, and for
  customers Magento_Customer::customer and Magento_Cart::manage. Carts of guests need none.

Exactly once: the cart's number is learned before anything is placed, and an order keeps it as quote_id. A later attempt
looks for such an order first, not before an answer that was lost had time to arrive, and then goes on with the same cart,
which Magento places once and no more.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from connector import (
    AccessDenied,
    ConnectorError,
    Host,
    Known,
    Options,
    Payload,
    RecordFailed,
    RetryLater,
    SkipRecord,
    StopRun,
)
from connector.magento import buyers, carts
from connector.magento.answers import NotFound, Refused
from connector.magento.carts import Cart, amount, pieces, pretended, rows
from connector.magento.client import MagentoClient, criteria
from connector.magento.work import status_in
from connector.records import LineKind, Order, OrderLine, cents
from connector.settings import mapped

GOODS = (LineKind.PRODUCT, LineKind.BUNDLE, LineKind.GIFT_CARD)  # components come with their bundle
CHOICES = ("configurable", "bundle", "grouped", "giftcard")  # types whose SKU alone does not say what is meant
NOT_SENT = ("virtual", "downloadable")
SKUS = 50  # asked for in one call: the address of a call has its limits
FREE = "free"  # the only method that Magento has for an order of zero


class Orders(Protocol):
    """What is needed of the resource."""

    @property
    def client(self) -> MagentoClient: ...

    @property
    def host(self) -> Host: ...


def unfinished(known: Known) -> bool:
    """Whether an earlier attempt asked Magento for the order and did not come to its end: `place` goes on with it, also
    when the order's id is known already (its comment may be missing). Nobody else's order may be taken for it then."""
    return bool(known.refs.get("placing")) and not known.refs.get("placed")


def place(orders: Orders, record: Order, known: Known, options: Options) -> str:
    """The entity_id of the order that was placed for this record, now or by an earlier attempt.

    Learns cart_id (and cart_mask for a guest), "placing", id, number, status, state, and "placed" at the end. Raises
    RetryLater, InDoubt, RecordFailed (an article or a setting is missing, totals differ ...), SkipRecord (it is cancelled),
    StopRun, AccessDenied.
    """
    work = _Placing(orders.client, orders.host, record, known, options)
    earlier = known.refs.get("id") or work.earlier()
    if earlier is None and (
        record.cancelled or (options.cancel_order and status_in(record, options, "cancel_statuses"))
    ):
        raise SkipRecord(f"order {record.number} is cancelled, so it is not placed in the shop")
    entity_id = earlier or work.anew()
    work.finish(entity_id, fresh=earlier is None)
    return entity_id


def of_shop(record: Order) -> Order:
    """The record of an order that was placed from here, or of a child: the ids that its lines bear are another channel's,
    which may well be numbers as the shop's are. An article is found by its SKU alone."""
    return replace(record, lines=tuple(replace(line, external=None) for line in record.lines))


def mark(record: Order) -> str:
    """The comment that says where the order comes from."""
    parts = [f"PlentyONE order {record.key}"]
    if (referrer := record.extra.get("referrer")) is not None:
        name = record.extra.get("referrer_name")
        parts.append(f"referrer {referrer}" + (f" ({name})" if name else ""))
    return ", ".join(parts)


@dataclass(frozen=True)
class _Placing:
    """One record on its way."""

    client: MagentoClient
    host: Host
    record: Order
    known: Known
    options: Options

    # what an earlier attempt came to

    def earlier(self) -> str | None:
        """The order that an earlier attempt's cart became. Raises RetryLater while it may still become one."""
        cart_id = self.known.refs.get("cart_id")
        if not cart_id:
            return None
        if found := self._of_cart(cart_id):
            return found
        what = "the order"
        self._patience(what)
        return None

    def _of_cart(self, cart_id: str) -> str | None:
        """A guest's cart is ours alone. A customer may have ordered for himself with his: what was ordered decides."""
        for one in carts.orders_of(self.client, cart_id):
            if self.known.refs.get("cart_mask") or self._same(one):
                entity_id = str(one.get("entity_id"))
                self.known.learn(id=entity_id)
                return entity_id
        return None

    def _same(self, order: Payload) -> bool:
        """Whether an order of a customer's cart is this one. Raises RecordFailed when it holds more than this one."""
        heads = [one for one in rows(order.get("items")) if not one.get("parent_item_id")]
        there = pieces([{"sku": one.get("sku"), "qty": one.get("qty_ordered")} for one in heads])
        ours = _small(self._wanted())
        if there == ours:
            return True
        if any(there.get(sku, Decimal(0)) < quantity for sku, quantity in ours.items()):
            return False
        raise RecordFailed(
            f"Order {self.record.number}: the customer's cart became the order {order.get('increment_id')} in Magento, "
            "which holds its articles and others. Take these apart by hand."
        )

    def _patience(self, what: str) -> None:
        if self.known.doubt and self.known.doubt_age < self.client.lag:
            raise RetryLater(
                f"Order {self.record.number}: {what} may have been made by an earlier attempt; it is looked up again before "
                "it is sent again",
                after=self.client.lag - self.known.doubt_age + 0.5,
                counts=False,
            )

    # placing

    def anew(self) -> str:
        record = self.record
        wanted, needs_shipping = self._goods()
        view, facts, name = self._view()
        where = record.shipping or record.billing
        billing = buyers.address(self.client, record, buyers.fitted(record.billing, self.options))
        shipping = billing
        if where != record.billing:
            shipping = buyers.address(self.client, record, buyers.fitted(where, self.options), delivery=True)
        payment = self._payment()
        carrier = self._carrier_by_setting() if needs_shipping else None
        customer = None
        if not self.known.refs.get("cart_mask"):
            book = (billing, shipping)
            customer = buyers.customer(self.client, record, self.known, self.options, facts, name, book)
        with self._cart(view, customer, wanted) as (cart, used):
            try:
                self._fill(cart, wanted, used)
                if needs_shipping:
                    carrier = carrier or self._only_carrier(cart, shipping)
                    self._ship(cart, shipping, billing, carrier)
                else:
                    cart.bill(billing)
                self._pay(cart, payment)
                self._compare(cart, wanted)
            except (RecordFailed, StopRun):
                self._clear(cart, wanted)
                raise
            return self._order(cart, payment, wanted)

    def _wanted(self) -> dict[str, Decimal]:
        """The quantity of each SKU."""
        wanted: dict[str, Decimal] = {}
        for line in self.record.lines:
            if line.kind in GOODS and line.quantity > 0:
                sku = self._sku(line)
                wanted[sku] = wanted.get(sku, Decimal(0)) + line.quantity
        return wanted

    def _goods(self) -> tuple[dict[str, Decimal], bool]:
        """The quantity of each SKU, and whether anything of it is sent. Raises RecordFailed naming all that the shop lacks.

        Nothing was made when it raises.
        """
        number, wanted = self.record.number, self._wanted()
        if not wanted:
            raise RecordFailed(f"Order {number} has no articles, so there is nothing to order in Magento.")
        there = {str(one.get("sku")).casefold(): one for one in self._articles(list(wanted))}
        missing = [sku for sku in wanted if sku.casefold() not in there]
        if missing:
            what = ", ".join(repr(sku) for sku in missing)
            raise RecordFailed(
                f"Order {number} is not placed in Magento: the shop has no article with the SKU {what}. Create it there, or "
                "give the variation in PlentyONE the SKU of the shop as its number."
            )
        types = {sku: str(there[sku.casefold()].get("type_id")) for sku in wanted}
        for sku, type in types.items():
            if type in CHOICES:
                raise RecordFailed(
                    f"Order {number} is not placed in Magento: {sku!r} is of the type {type} there, and its SKU alone does "
                    "not say which variant or parts are meant. The SKU of a simple article is needed."
                )
        return wanted, any(type not in NOT_SENT for type in types.values())

    def _sku(self, line: OrderLine) -> str:
        if line.sku and line.sku.strip():
            return line.sku.strip()
        raise RecordFailed(
            f"Order {self.record.number} is not placed in Magento: its line {line.name!r} has no variation number, so the "
            "article cannot be found by its SKU."
        )

    def _articles(self, skus: Sequence[str]) -> Iterator[Payload]:
        """As many as are there, in one call. A comma parts the values of a list, so a SKU with one is asked for alone."""
        plain = [sku for sku in skus if "," not in sku]
        asks = [("in", ",".join(plain[at : at + SKUS]), SKUS) for at in range(0, len(plain), SKUS)]
        asks += [("eq", sku, 1) for sku in skus if "," in sku]
        for condition, value, size in asks:
            fields = "items[sku,type_id],total_count"
            query = criteria([("sku", condition, value)], size=size, page=1, fields=fields)
            yield from rows(self.client.some("products", query))

    def _view(self) -> tuple[str, dict[str, Any], str]:
        """The store view that sells it: its code, its facts (store_id, website_id ...) and its name."""
        client_id = self.record.store
        views = list(self.host.catalogue("store"))
        code = mapped(self.options, "store_mapping", client_id)
        if code is None and len(views) == 1:
            code = views[0].id
        if code is None:
            raise RecordFailed(
                f"Order {self.record.number}: the client {client_id or '-'} has no store view of Magento, and "
                "an order is placed in one. Complete the store mapping.",
                setting="store_mapping",
            )
        found = next((one for one in views if one.id == str(code)), None)
        if found is None:
            return str(code), {}, str(code)
        websites = {one.id: one.extra.get("website_id") for one in self.host.catalogue("website")}
        return str(code), {**found.extra, "website_id": websites.get(str(found.extra.get("website")))}, found.name

    def _payment(self) -> Payload:
        method = self.record.payment.method
        fallback = str(self.options.get("payment_method_fallback") or "plentyone").strip().lower()
        code = str(mapped(self.options, "payment_mapping", method) or fallback)
        if not self.record.grand_total:
            code = FREE
        return {"method": code, "po_number": self.record.number} if code == "purchaseorder" else {"method": code}

    def _carrier_by_setting(self) -> tuple[str, str] | None:
        """Carrier and method; they are written as one, and part at the first underscore."""
        chosen = str(self.options.get("default_shipping_method") or "").strip()
        if not chosen:
            return None
        carrier, _, method = chosen.partition("_")
        if not method:
            raise RecordFailed(
                f"Order {self.record.number}: the default shipping method {chosen!r} is none of Magento's: it is written as "
                "carrier and method with an underscore between, for example flatrate_flatrate.",
                setting="default_shipping_method",
            )
        return carrier, method

    def _only_carrier(self, cart: Cart, shipping: Payload) -> tuple[str, str]:
        found = [one for one in cart.carriers(shipping) if one.get("available", True) and not one.get("error_message")]
        if cart.pretended:
            self.known.note("Which shipping method Magento offers shows only when the order is placed")
        if len(found) == 1:
            return str(found[0].get("carrier_code")), str(found[0].get("method_code"))
        number, to = self.record.number, shipping["country_id"]
        if not found:
            raise RecordFailed(f"Order {number} is not placed: Magento has no shipping method for it to {to}.")
        codes = ", ".join(f"{one.get('carrier_code')}_{one.get('method_code')}" for one in found)
        raise RecordFailed(
            f"Order {number} is not placed: Magento offers several shipping methods for it ({codes}). Choose one as the "
            "default shipping method.",
            setting="default_shipping_method",
        )

    # the cart

    @contextmanager
    def _cart(self, view: str, customer: str | None, wanted: dict[str, Decimal]) -> Iterator[tuple[Cart, bool]]:
        """The cart of an earlier attempt if it is still open (and True), else a new one; known before anything is in it.

        A customer has one cart: who holds it, holds the customer, so that two orders never meet in it.
        """
        alone: AbstractContextManager[Any] = nullcontext()
        if customer is not None:
            alone = self.known.hold("magento customer's cart", customer)
        with alone:
            used = self._again(view, customer, wanted)
            yield (used, True) if used else (self._begin(view, customer), False)

    def _made(self, view: str, id: str, mask: str | None) -> Cart:
        return Cart(client=self.client, view=view, id=id, mask=mask, reference=self.record.number)

    def _again(self, view: str, customer: str | None, wanted: dict[str, Decimal]) -> Cart | None:
        id, mask = self.known.refs.get("cart_id"), self.known.refs.get("cart_mask")
        if mask:
            number = carts.number_of(self.client, view, mask, self.record.number)
            if number is None:
                return None
            self.known.learn(cart_id=number)
            cart = self._made(view, number, mask)
            return cart if cart.open() else None
        if not id or customer is None:
            return None
        cart = self._made(view, id, None)
        if not cart.open():
            return None
        return None if self._strange(cart, wanted) else cart

    def _begin(self, view: str, customer: str | None) -> Cart:
        number = self.record.number
        if customer is not None and (cart := self._of_customer(view, customer)) is not None:
            if not cart.items():
                self.known.learn(cart_id=cart.id)
                return cart
            self.known.note(
                f"The customer {customer} has a filled cart in the shop, which is left alone; the order is placed for a "
                "guest with the same e-mail"
            )
        mask = carts.of_guest(self.client, view, number)
        self.known.learn(cart_mask=mask)
        id = carts.number_of(self.client, view, mask, number)
        if id is None:
            raise RetryLater(f"Order {number}: Magento does not find the cart that it has just made")
        self.known.learn(cart_id=id)
        return self._made(view, id, mask)

    def _of_customer(self, view: str, customer: str) -> Cart | None:
        """None where the integration may not, and accounts are not asked for."""
        try:
            id = carts.of_customer(self.client, view, customer, self.record.number)
        except AccessDenied:
            if self.options.get("create_customer"):
                raise
            return None
        return self._made(view, id, None)

    def _strange(self, cart: Cart, wanted: dict[str, Decimal]) -> bool:
        """Whether a customer's cart holds what is none of ours; ours is then taken out of it."""
        there, ours = pieces(cart.items()), _small(wanted)
        if all(quantity <= ours.get(sku, Decimal(0)) for sku, quantity in there.items()):
            return False
        self._clear(cart, wanted)
        return True

    def _fill(self, cart: Cart, wanted: dict[str, Decimal], used: bool) -> None:
        """Bring the cart to exactly these goods, whatever an earlier attempt has put into it."""
        ours, right = _small(wanted), set[str]()
        for item in cart.items() if used else ():
            sku = str(item.get("sku")).casefold()
            if sku not in right and amount(item.get("qty")) == ours.get(sku):
                right.add(sku)
            else:
                cart.remove(item.get("item_id"))
        for sku, quantity in wanted.items():
            if sku.casefold() not in right:
                try:
                    cart.add(sku, quantity)
                except (Refused, NotFound) as error:
                    raise RecordFailed(
                        f"Order {self.record.number} is not placed: Magento does not take {_plain(quantity)} of the article "
                        f"{sku!r}: {error}"
                    ) from error

    def _ship(self, cart: Cart, shipping: Payload, billing: Payload, carrier: tuple[str, str]) -> None:
        number = self.record.number
        try:
            cart.ship(shipping, billing, *carrier)
        except (Refused, NotFound) as error:
            said = str(error)
            if re.search(r"region", said, re.IGNORECASE):
                raise RecordFailed(
                    f"Order {number} is not placed: Magento demands a region in addresses of {shipping['country_id']}, and "
                    "the order has none that it knows. Enter it in PlentyONE, or take the country out of Stores > "
                    f"Configuration > General > General > State Options in Magento: {said}"
                ) from error
            if isinstance(error, NotFound) or re.search(r"carrier|shipping method", said, re.IGNORECASE):
                raise RecordFailed(
                    f"Order {number} is not placed: Magento does not ship it by {'_'.join(carrier)} to "
                    f"{shipping['country_id']}: {said}",
                    setting="default_shipping_method",
                ) from error
            raise RecordFailed(f"Order {number} is not placed: Magento does not take its addresses: {said}") from error

    def _pay(self, cart: Cart, payment: Payload) -> None:
        try:
            cart.pay(payment)
        except (Refused, NotFound) as error:
            setting = "payment_method_fallback"
            if mapped(self.options, "payment_mapping", self.record.payment.method):
                setting = "payment_mapping"
            offered = ", ".join(cart.methods()) or "none"
            raise RecordFailed(
                f"Order {self.record.number} is not placed: Magento does not take the payment method {payment['method']!r} "
                f"for it. It offers: {offered}. Enable it for this store view, or choose another.",
                setting=setting,
            ) from error

    def _compare(self, cart: Cart, wanted: dict[str, Decimal]) -> None:
        """Raises RecordFailed unless Magento's total is the order's, to the cent."""
        if cart.pretended:
            self.known.note("Whether Magento's total equals the order's shows only when it is placed")
            return
        record, totals = self.record, cart.totals()
        total, currency = carts.total(totals), str(totals.get("quote_currency_code") or "")
        held, meant = amount(totals.get("items_qty")), sum(wanted.values(), Decimal(0))
        if held is None or int(held) != int(meant):  # REST cuts it to whole numbers
            raise RecordFailed(
                f"Order {record.number} is not placed: its cart in Magento holds {_plain(held)} pieces, the order has "
                f"{_plain(meant)}."
            )
        if currency.upper() != record.currency.upper():
            raise RecordFailed(
                f"Order {record.number} is not placed: its currency is {record.currency}, and the store view sells in "
                f"{currency or 'an unknown one'}. Choose a store view of that currency in the store mapping.",
                setting="store_mapping",
            )
        if total is None or cents(total) != cents(record.grand_total):
            goods, freight = amount(totals.get("subtotal_incl_tax")), amount(totals.get("shipping_incl_tax"))
            ours = sum((line.total for line in record.lines if line.kind is LineKind.SHIPPING), Decimal(0))
            off = "unknown" if total is None else f"{cents(total) - cents(record.grand_total):+}"
            raise RecordFailed(
                f"Order {record.number} is not placed: Magento reckons {_money(total)} {currency}, the order has "
                f"{_money(record.grand_total)} {record.currency} (difference {off}; in Magento goods {_money(goods)} and "
                f"shipping {_money(freight)}, in the order shipping {_money(ours)}). Magento takes no prices by its "
                "interface, but those of its own catalogue, taxes, discounts and shipping costs. Make them equal there, or "
                "enter the order by hand."
            )

    def _order(self, cart: Cart, payment: Payload, wanted: dict[str, Decimal]) -> str:
        self.known.learn(placing="yes")
        try:
            entity_id = cart.order(payment)
        except (Refused, NotFound) as error:
            if found := self._of_cart(cart.id):
                return found
            self.known.learn(placing="")
            self._clear(cart, wanted)
            raise RecordFailed(f"Order {self.record.number}: Magento does not place it: {error}") from error
        self.known.learn(id=entity_id)
        return entity_id

    def _clear(self, cart: Cart, wanted: dict[str, Decimal]) -> None:
        """Take our goods out of the cart again: most of all a customer must not find them there."""
        ours = _small(wanted)
        try:
            for item in cart.items():
                quantity = amount(item.get("qty")) or Decimal(0)
                if cart.mask or quantity <= ours.get(str(item.get("sku")).casefold(), Decimal(0)):
                    cart.remove(item.get("item_id"))
        except ConnectorError as error:
            self.known.note(f"Articles of this order may stand in the cart {cart.id} in Magento: {error}")
            return
        if cart.mask is None:
            self.known.learn(cart_id="")  # the customer goes on shopping with it: what becomes of it is none of ours
        if not cart.pretended:
            self.known.note(f"Nothing was ordered; the empty cart {cart.id} stays in Magento until its own clean-up")

    # afterwards

    def finish(self, entity_id: str, *, fresh: bool) -> None:
        """The comment, and what the order is like. `fresh`: this attempt has placed it, so no comment can be on its way.

        Raises RecordFailed when its total is another after all.
        """
        if self.client.dry is not None and not entity_id.isdigit():
            self._comment(entity_id, {})
            return
        order = self.client.ask("GET", f"orders/{entity_id}", reference=self.record.number).data
        order = order if isinstance(order, dict) else {}
        self.known.learn(
            number=_text(order, "increment_id"), status=_text(order, "status"), state=_text(order, "state")
        )
        if not any(_is_mark(self.record, one.get("comment")) for one in rows(order.get("status_histories"))):
            if not fresh:
                what = "the comment on its origin"
                self._patience(what)
            self._comment(entity_id, order)
        if order.get("email_sent") and not self.options.get("send_new_order_email"):
            self.known.note(
                "Magento says that it has sent its order confirmation; no call can hold it back. Switch it off for this "
                "store view under Stores > Configuration > Sales > Sales Emails > Order"
            )
        self.known.learn(placed="yes", cart_mask="")  # who has the mask may read the addresses of the cart
        total, currency = amount(order.get("grand_total")), order.get("order_currency_code")
        if total is None or cents(total) != cents(self.record.grand_total) or currency != self.record.currency:
            raise RecordFailed(
                f"Order {self.record.number}: the order {order.get('increment_id')} that was placed in Magento comes to "
                f"{_money(total)} {currency}, and not to {_money(self.record.grand_total)} {self.record.currency}. "
                "Compare the two, and cancel it there if it is wrong."
            )

    def _comment(self, entity_id: str, order: Payload) -> None:
        history: Payload = {"comment": mark(self.record), "is_customer_notified": 0, "is_visible_on_front": 0}
        history["parent_id"] = int(entity_id) if entity_id.isdigit() else entity_id
        if status := _text(order, "status"):
            history["status"] = status  # some versions store none where none is sent
        self.client.ask(
            "POST", f"orders/{entity_id}/comments", body={"statusHistory": history}, reference=self.record.number
        )


def _is_mark(record: Order, comment: Any) -> bool:
    """Whether this is our comment; what it says of the referrer may have another name by now."""
    text = html.unescape(str(comment or "")).strip()
    return re.fullmatch(rf"PlentyONE order {re.escape(record.key)}(, referrer .*)?", text) is not None


def _small(wanted: dict[str, Decimal]) -> dict[str, Decimal]:
    return pieces([{"sku": sku, "qty": quantity} for sku, quantity in wanted.items()])


def _text(order: Payload, name: str) -> str | None:
    value = order.get(name)
    return None if value in (None, "") else str(value)


def _plain(quantity: Decimal | None) -> str:
    return "no known number of" if quantity is None else f"{quantity.normalize():f}"


def _money(value: Decimal | None) -> str:
    return "an unknown amount" if value is None else f"{cents(value):.2f}"


__all__ = ["mark", "of_shop", "place", "pretended", "unfinished"]
