"""One cart in the shop, by REST: filled, reckoned and made an order, or emptied and left behind.

A guest's cart goes by its mask: only `PUT guest-carts/{mask}/order` makes a guest's order that has the e-mail of the
billing address; the same by the cart's number makes one without an e-mail (Magento's GuestCartManagement sets the
checkout method, QuoteManagement::placeOrder takes the e-mail for that method alone). A customer's cart goes by its
number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from connector import InDoubt, Payload
from connector.magento.answers import NotFound
from connector.magento.client import MagentoClient, criteria

NUMBER = re.compile(r"[1-9][0-9]*")
PRETENDED = "dry"  # how the made-up ids of a dry run begin


@dataclass(frozen=True, kw_only=True)
class Cart:
    """`id` is the number that the order will keep as its quote_id; `mask` is a guest's, None for a customer's."""

    client: MagentoClient
    view: str  # code of the store view that it sells in
    id: str
    mask: str | None
    reference: str | None

    @property
    def _key(self) -> str:
        return self.mask or self.id

    def _route(self, tail: str = "") -> str:
        return f"guest-carts/{quote(self.mask, safe='')}{tail}" if self.mask else f"carts/{self.id}{tail}"

    def _ask(self, method: str, tail: str = "", body: Any = None, *, write: bool | None = None) -> Any:
        return self.client.ask(
            method, self._route(tail), body=body, store=self.view, write=write, reference=self.reference
        ).data

    def _read(self, tail: str = "") -> Any:
        if self.pretended:
            return pretended("GET", self.client.path(self._route(tail), self.view), None)
        return self._ask("GET", tail)

    @property
    def pretended(self) -> bool:
        """Whether this is a dry run: nothing of the cart can be read, and no call is sent that fills it."""
        return self.client.dry is not None

    def open(self) -> bool:
        """Whether it still can become an order. Some shops do not find a cart that became one, others show it shut."""
        try:
            found = self._read()
        except NotFound as error:
            if error.route or error.strange:
                raise
            return False
        return isinstance(found, Mapping) and found.get("is_active") is not False

    def items(self) -> list[Payload]:
        """item_id, sku, qty of each."""
        return rows(self._read("/items"))

    def add(self, sku: str, quantity: Decimal) -> None:
        self._ask("POST", "/items", {"cartItem": {"sku": sku, "qty": quantity, "quote_id": self._key}})

    def remove(self, item_id: Any) -> None:
        self._ask("DELETE", f"/items/{quote(str(item_id), safe='')}")

    def bill(self, address: Payload) -> None:
        """The billing address alone: for a cart of which nothing is shipped."""
        self._ask("POST", "/billing-address", {"address": address, "useForShipping": False})

    def carriers(self, address: Payload) -> list[Payload]:
        """What can carry it there. A POST that changes nothing, so it is sent again when an answer is lost."""
        found = self._ask("POST", "/estimate-shipping-methods", {"address": address}, write=self.pretended)
        return rows(found)

    def ship(self, shipping: Payload, billing: Payload, carrier: str, method: str) -> None:
        information = {
            "shipping_address": shipping,
            "billing_address": billing,
            "shipping_carrier_code": carrier,
            "shipping_method_code": method,
        }
        self._ask("POST", "/shipping-information", {"addressInformation": information})

    def methods(self) -> list[str]:
        """Codes of the payment methods that it may be paid with."""
        return [str(one.get("code")) for one in rows(self._read("/payment-methods"))]

    def pay(self, payment: Payload) -> None:
        self._ask("PUT", "/selected-payment-method", {"method": payment})

    def totals(self) -> Payload:
        found = self._read("/totals")
        return found if isinstance(found, dict) else {}

    def order(self, payment: Payload) -> str:
        """Make it an order; entity_id. Raises InDoubt, and what a refusal means: NotFound when it became one before."""
        made = self._ask("PUT", "/order", {"paymentMethod": payment})
        if self.pretended:
            return str(made)
        if not NUMBER.fullmatch(str(made)):
            raise InDoubt(
                f"{self.client.account.name}: the order of cart {self.id} was answered with {str(made)[:60]!r} in place "
                "of its id; whether it was made is not known"
            )
        return str(made)


def of_guest(client: MagentoClient, view: str, reference: str | None) -> str:
    """A new cart's mask."""
    return str(client.ask("POST", "guest-carts", store=view, reference=reference).data)


def of_customer(client: MagentoClient, view: str, customer_id: str, reference: str | None) -> str:
    """The customer's open cart, or a new one: its number."""
    return str(client.ask("POST", f"customers/{customer_id}/carts", store=view, reference=reference).data)


def number_of(client: MagentoClient, view: str, mask: str, reference: str | None) -> str | None:
    """The number of the cart with this mask; None when it is not found any more."""
    if client.dry is not None:
        return mask
    try:
        found = client.ask("GET", f"guest-carts/{quote(mask, safe='')}", store=view, reference=reference).data
    except NotFound as error:
        if error.route or error.strange:
            raise
        return None
    number = str(found.get("id")) if isinstance(found, Mapping) else ""
    return number if NUMBER.fullmatch(number) else None


def total(totals: Payload) -> Decimal | None:
    """What has to be paid. `grand_total` itself is without the tax (core: CartTotalRepository); the segment of that name,
    which the checkout shows, is with it."""
    segment = next((one for one in rows(totals.get("total_segments")) if one.get("code") == "grand_total"), totals)
    return amount(segment.get("value", totals.get("grand_total")))


def orders_of(client: MagentoClient, cart_id: str) -> list[Payload]:
    """What became of the cart: the orders that keep its number as quote_id, oldest first."""
    if not NUMBER.fullmatch(cart_id):
        return []
    query = criteria([("quote_id", "eq", cart_id)], [("entity_id", "ASC")], size=5, page=1)
    found, _ = client.rows("orders", query)
    return [one for one in rows(found) if str(one.get("quote_id")) == cart_id]


def rows(value: Any) -> list[Payload]:
    """The objects of a list; nothing where there is none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def amount(value: Any) -> Decimal | None:
    """A number of an answer; None when it is none."""
    try:
        return None if value is None or isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        return None


def pieces(items: Sequence[Payload]) -> dict[str, Decimal]:
    """How much of each SKU, written small: Magento's database tells no large letters from small ones."""
    found: dict[str, Decimal] = {}
    for one in items:
        sku = str(one.get("sku") or "").casefold()
        found[sku] = found.get(sku, Decimal(0)) + (amount(one.get("qty")) or Decimal(0))
    return found


def _answers() -> Iterator[tuple[str, re.Pattern[str], Any]]:
    cart = r"/V1/(?:guest-carts|carts)/[^/]+"
    yield "POST", re.compile(r"/V1/guest-carts$"), f"{PRETENDED}-cart"
    yield "POST", re.compile(r"/V1/customers/[^/]+/carts$"), f"{PRETENDED}-cart"
    yield "POST", re.compile(r"/V1/customers$"), {"id": f"{PRETENDED}-customer"}
    yield "GET", re.compile(cart + "$"), {"id": f"{PRETENDED}-cart", "is_active": True}
    yield "GET", re.compile(cart + "/(?:items|payment-methods)$"), []
    yield "GET", re.compile(cart + "/totals$"), {}
    yield "POST", re.compile(cart + "/items$"), {"item_id": f"{PRETENDED}-item"}
    yield "DELETE", re.compile(cart + "/items/[^/]+$"), True
    yield "POST", re.compile(cart + "/billing-address$"), f"{PRETENDED}-address"
    carrier = {"carrier_code": "", "method_code": "", "available": True}
    yield "POST", re.compile(cart + "/estimate-shipping-methods$"), [carrier]
    yield "POST", re.compile(cart + "/shipping-information$"), {"payment_methods": [], "totals": {}}
    yield "PUT", re.compile(cart + "/selected-payment-method$"), f"{PRETENDED}-cart"
    yield "PUT", re.compile(cart + "/order$"), f"{PRETENDED}-order"


ANSWERS = tuple(_answers())


def pretended(method: str, path: str, body: Any) -> Any:
    """What Magento would answer to a call of this module or of `placing`: dry runs go on with it. None: not ours."""
    for verb, pattern, answer in ANSWERS:
        if verb == method and pattern.search(path):
            return answer
    return None
