"""The routes that come after the orders themselves: papers, sources, articles, carts, customers.

Each row: method, path below /V1, the right that it takes (None: everyone), the function that answers. `{id}` takes
digits, other places one path segment.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.magento import carts, catalog, columns, customers, documents, stock
from sandbox.magento.actions import either
from sandbox.magento.refusal import Refused, no_entity, required
from sandbox.message import BadJson, Request
from sandbox.money import number, plain

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop

Places = Mapping[str, str]
Answer = Callable[["Shop", Request, Places], Any]
Row = tuple[str, str, str | None, Answer]
Route = tuple[str, re.Pattern[str], str | None, Answer]

SALES, CART, INVENTORY = "Magento_Sales::", "Magento_Cart::manage", "Magento_InventoryApi::"
PRODUCTS, CUSTOMER = "Magento_Catalog::products", "Magento_Customer::customer"


def compiled(rows: Iterable[Row]) -> list[Route]:
    def place(found: re.Match[str]) -> str:
        takes = "[0-9]+" if found[1] == "id" else "[^/]+"
        return f"(?P<{found[1]}>{takes})"

    def pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\{(\w+)\}", place, path))

    return [(method, pattern(path), resource, answer) for method, path, resource, answer in rows]


def body_of(request: Request) -> dict[str, Any]:
    found = request.json() if request.body.strip() else {}
    if not isinstance(found, dict):
        raise BadJson("The body is no object.")
    return found


def _list(kind: str, table: Any) -> Answer:
    def answer(shop: "Shop", request: Request, places: Places) -> Any:
        rows = shop.papers.all(kind)
        if shop.settings.bare_papers:
            rows = [{name: value for name, value in row.items() if name not in ("items", "comments")} for row in rows]
        return shop.listing(request, rows, table)

    return answer


def _one(kind: str) -> Answer:
    return lambda shop, request, places: documents.find(shop, kind, places["id"])


def _comments(kind: str) -> Answer:
    def answer(shop: "Shop", request: Request, places: Places) -> Any:
        rows = documents.find(shop, kind, places["id"])["comments"]
        return {"items": rows, "total_count": len(rows)}

    return answer


def _add_comment(kind: str) -> Answer:
    """The id of the paper stands in the path, or as parent_id in the entity (invoices)."""

    def answer(shop: "Shop", request: Request, places: Places) -> Any:
        entity = body_of(request).get("entity")
        if not isinstance(entity, dict):
            raise required("entity")
        if "comment" not in entity:
            raise required("comment")
        wanted = places.get("id") or str(int(number(either(entity, "parent_id", "parentId"))))
        paper = documents.find(shop, kind, wanted)
        made = documents.add_comment(shop, paper, entity)
        if made["is_customer_notified"]:
            shop.mail(paper["order_id"], f"{kind.removesuffix('s')}_comment", paper["entity_id"])
        return made

    return answer


def _emails(kind: str) -> Answer:
    def answer(shop: "Shop", request: Request, places: Places) -> Any:
        paper = documents.find(shop, kind, places["id"])
        shop.mail(paper["order_id"], kind.removesuffix("s"), paper["entity_id"])
        return True

    return answer


def _refund_order(shop: "Shop", request: Request, places: Places) -> Any:
    return str(documents.refund(shop, shop.order(places), body_of(request))["entity_id"])


def _refund_invoice(shop: "Shop", request: Request, places: Places) -> Any:
    invoice = documents.find(shop, "invoices", places["id"])
    order = shop.orders.get(invoice["order_id"])
    shop.break_on([order])
    return str(documents.refund(shop, order, body_of(request), invoice)["entity_id"])


def _capture(shop: "Shop", request: Request, places: Places) -> Any:
    """Everything here is paid at once, so that nothing is left to capture."""
    documents.find(shop, "invoices", places["id"])
    raise Refused(400, "The invoice cannot be captured.")


def _store_order(shop: "Shop", request: Request, places: Places) -> Any:
    return carts.store_order(shop, body_of(request))


PAPERS: tuple[Row, ...] = (
    ("GET", "/invoices", SALES + "sales_invoice", _list("invoices", columns.INVOICES)),
    ("GET", "/invoices/{id}", SALES + "sales_invoice", _one("invoices")),
    ("GET", "/invoices/{id}/comments", SALES + "sales_invoice", _comments("invoices")),
    ("POST", "/invoices/comments", SALES + "sales_invoice", _add_comment("invoices")),
    ("POST", "/invoices/{id}/emails", SALES + "sales_invoice", _emails("invoices")),
    ("POST", "/invoices/{id}/capture", SALES + "sales_invoice", _capture),
    ("POST", "/invoice/{id}/refund", SALES + "sales_invoice", _refund_invoice),
    ("POST", "/order/{id}/refund", SALES + "creditmemo", _refund_order),
    ("GET", "/creditmemos", SALES + "sales_creditmemo", _list("creditmemos", columns.CREDITMEMOS)),
    ("GET", "/creditmemo/{id}", SALES + "sales_creditmemo", _one("creditmemos")),
    ("GET", "/creditmemo/{id}/comments", SALES + "sales_creditmemo", _comments("creditmemos")),
    ("POST", "/creditmemo/{id}/comments", SALES + "sales_creditmemo", _add_comment("creditmemos")),
    ("POST", "/creditmemo/{id}/emails", SALES + "sales_creditmemo", _emails("creditmemos")),
    ("GET", "/shipments", SALES + "shipment", _list("shipments", columns.SHIPMENTS)),
    ("POST", "/shipment", SALES + "shipment", lambda s, r, p: documents.save_shipment(s, body_of(r))),
    ("POST", "/shipment/track", SALES + "shipment", lambda s, r, p: documents.add_track(s, body_of(r))),
    ("DELETE", "/shipment/track/{id}", SALES + "shipment", lambda s, r, p: documents.remove_track(s, int(p["id"]))),
    ("GET", "/shipment/{id}", SALES + "shipment", _one("shipments")),
    ("GET", "/shipment/{id}/comments", SALES + "shipment", _comments("shipments")),
    ("POST", "/shipment/{id}/comments", SALES + "shipment", _add_comment("shipments")),
    ("POST", "/shipment/{id}/emails", SALES + "shipment", _emails("shipments")),
    ("PUT", "/orders/create", SALES + "create", _store_order),
    ("POST", "/orders", SALES + "api_actions", _store_order),
)


def _source(shop: "Shop", request: Request, places: Places) -> Any:
    for one in stock.sources():
        if one["source_code"] == places["code"]:
            return one
    raise no_entity()


def _put_sources(shop: "Shop", request: Request, places: Places) -> Any:
    rows = either(body_of(request), "sourceItems", "source_items")
    if not isinstance(rows, list):
        raise required("sourceItems")
    for row in rows:
        for snake, camel in (("sku", "sku"), ("source_code", "sourceCode"), ("quantity", "quantity")):
            if either(row, snake, camel) is None:
                raise required(snake)
        shop.stock.set(str(row["sku"]), str(either(row, "source_code", "sourceCode")), row["quantity"])
    return []


def _salable(shop: "Shop", request: Request, places: Places) -> Any:
    _counted(shop, places["sku"])
    return plain(shop.stock.salable(places["sku"]))


def _counted(shop: "Shop", sku: str) -> None:
    if catalog.find(sku) is None and not shop.stock.knows(sku):
        raise Refused(404, "The product that was requested doesn't exist. Verify the product and try again.")


def _product(shop: "Shop", request: Request, places: Places) -> Any:
    _counted(shop, places["sku"])
    article = catalog.find(places["sku"])
    if article is None:
        raise no_entity()
    return catalog.shown(article, shop.selling(request), shop.stock)


def _products(shop: "Shop", request: Request, places: Places) -> Any:
    rows = [catalog.shown(article, shop.selling(request), shop.stock) for article in catalog.BY_SKU.values()]
    return shop.listing(request, rows, columns.PRODUCTS)


def _stock_item(shop: "Shop", request: Request, places: Places) -> Any:
    return _product(shop, request, places)["extension_attributes"]["stock_item"]


def _customers(shop: "Shop", request: Request, places: Places) -> Any:
    return shop.listing(request, customers.everyone(shop), columns.CUSTOMERS)


def _cart(shop: "Shop", places: Places) -> carts.Cart:
    """The cart of a path: by its number, or by its mask where guests call."""
    if "mask" in places:
        return shop.carts.find(places["mask"], mask=True)
    return shop.carts.find(places["id"])


def _begin(shop: "Shop", request: Request, places: Places) -> Any:
    return shop.carts.begin(shop.store_of(request)).id


def _begin_guest(shop: "Shop", request: Request, places: Places) -> Any:
    return shop.carts.begin(shop.store_of(request)).mask


def _begin_customer(shop: "Shop", request: Request, places: Places) -> Any:
    customers.find(shop, int(places["id"]))
    return shop.carts.begin(shop.store_of(request), int(places["id"])).id


def _assign(shop: "Shop", request: Request, places: Places) -> Any:
    cart, body = _cart(shop, places), body_of(request)
    customer, store = (
        either(body, snake, camel) for snake, camel in (("customer_id", "customerId"), ("store_id", "storeId"))
    )
    for name, value in (("customerId", customer), ("storeId", store)):
        if value is None:
            raise required(name)
    shop.carts.assign(cart, int(number(customer)), int(number(store)))
    return True


def _item_sent(request: Request) -> Mapping[str, Any]:
    sent = either(body_of(request), "cartItem", "cart_item")
    if not isinstance(sent, dict):
        raise required("cartItem")
    return sent


def _add_item(shop: "Shop", request: Request, places: Places) -> Any:
    cart, sent = _cart(shop, places), _item_sent(request)
    if either(sent, "quote_id", "quoteId") is None:
        raise required("quoteId")
    return carts.item_shown(cart, shop.carts.put(cart, sent))


def _change_item(shop: "Shop", request: Request, places: Places) -> Any:
    cart, sent = _cart(shop, places), _item_sent(request)
    return carts.item_shown(cart, shop.carts.change(cart, int(places["item"]), sent))


def _delete_item(shop: "Shop", request: Request, places: Places) -> Any:
    cart = _cart(shop, places)
    cart.items.remove(shop.carts.item(cart, int(places["item"])))
    return True


def _billing(shop: "Shop", request: Request, places: Places) -> Any:
    cart, body = _cart(shop, places), body_of(request)
    carts.choose_billing(cart, body.get("address"))
    if either(body, "useForShipping", "use_for_shipping"):
        cart.shipping = cart.billing
    return str(cart.id * 10 + 1)


def _estimate(shop: "Shop", request: Request, places: Places) -> Any:
    sent = body_of(request).get("address")
    if not isinstance(sent, dict):
        raise required("address")
    return carts.shipping_methods(_cart(shop, places), either(sent, "country_id", "countryId"))


def _shipping(shop: "Shop", request: Request, places: Places) -> Any:
    cart = _cart(shop, places)
    carts.choose_shipping(cart, either(body_of(request), "addressInformation", "address_information"))
    return {"payment_methods": shop.carts.methods(cart), "totals": carts.totals(cart)}


def _method(shop: "Shop", request: Request, places: Places) -> Any:
    cart = _cart(shop, places)
    shop.carts.choose_method(cart, body_of(request).get("method"))
    return str(cart.id)


def _place(shop: "Shop", request: Request, places: Places) -> Any:
    """PUT …/order: the payment may come along."""
    cart = _cart(shop, places)
    payment = either(body_of(request), "paymentMethod", "payment_method")
    if payment is not None:
        shop.carts.choose_method(cart, payment)
    return str(shop.carts.place(cart))


def _pay(shop: "Shop", request: Request, places: Places) -> Any:
    """POST /guest-carts/{mask}/payment-information: payment, e-mail and billing address, and the order is placed."""
    cart, body = _cart(shop, places), body_of(request)
    if not body.get("email"):
        raise required("email")
    cart.email = str(body["email"])
    billing = either(body, "billingAddress", "billing_address")
    if billing:
        carts.choose_billing(cart, billing)
    shop.carts.choose_method(cart, either(body, "paymentMethod", "payment_method"))
    return str(shop.carts.place(cart))


def _no_coupon(shop: "Shop", request: Request, places: Places) -> Any:
    _cart(shop, places)
    raise Refused(404, "The coupon code isn't valid. Verify the code and try again.")


def _payment_details(shop: "Shop", request: Request, places: Places) -> Any:
    cart = _cart(shop, places)
    return {"payment_methods": shop.carts.methods(cart), "totals": carts.totals(cart)}


STOCK: tuple[Row, ...] = (
    (
        "GET",
        "/inventory/sources",
        INVENTORY + "source",
        lambda s, r, p: s.listing(r, stock.sources(), columns.SOURCES),
    ),
    ("GET", "/inventory/sources/{code}", INVENTORY + "source", _source),
    ("GET", "/inventory/stocks", INVENTORY + "stock", lambda s, r, p: s.listing(r, stock.stocks(), columns.STOCKS)),
    (
        "GET",
        "/inventory/source-items",
        INVENTORY + "source",
        lambda s, r, p: s.listing(r, s.stock.items(), columns.SOURCE_ITEMS),
    ),
    ("POST", "/inventory/source-items", INVENTORY + "source", _put_sources),
    ("GET", "/inventory/get-product-salable-quantity/{sku}/{id}", INVENTORY + "stock", _salable),
    ("GET", "/stockItems/{sku}", "Magento_CatalogInventory::cataloginventory", _stock_item),
    ("GET", "/products", PRODUCTS, _products),
    ("GET", "/products/{sku}", PRODUCTS, _product),
    ("GET", "/customers/search", CUSTOMER, _customers),
    ("POST", "/customers", None, lambda s, r, p: customers.create(s, body_of(r))),
    ("GET", "/customers/{id}", CUSTOMER, lambda s, r, p: customers.find(s, int(p["id"]))),
)


def _both(method: str, path: str, answer: Answer) -> tuple[Row, Row]:
    """A route of the admin's carts, and the same for guests, who need no right."""
    return (method, f"/carts/{{id}}{path}", CART, answer), (method, f"/guest-carts/{{mask}}{path}", None, answer)


def _read(read: Callable[["Shop", carts.Cart], Any]) -> Answer:
    return lambda shop, request, places: read(shop, _cart(shop, places))


CARTS: tuple[Row, ...] = (
    ("POST", "/carts", CART, _begin),
    ("POST", "/guest-carts", None, _begin_guest),
    ("POST", "/customers/{id}/carts", CART, _begin_customer),
    ("PUT", "/carts/{id}", CART, _assign),
    ("POST", "/guest-carts/{mask}/payment-information", None, _pay),
    ("GET", "/guest-carts/{mask}/payment-information", None, _payment_details),
    *_both("GET", "", _read(lambda shop, cart: carts.shown(cart))),
    *_both("GET", "/items", _read(lambda shop, cart: [carts.item_shown(cart, item) for item in cart.items])),
    *_both("POST", "/items", _add_item),
    *_both("PUT", "/items/{item}", _change_item),
    *_both("DELETE", "/items/{item}", _delete_item),
    *_both("GET", "/billing-address", _read(lambda shop, cart: cart.billing or {})),
    *_both("POST", "/billing-address", _billing),
    *_both("POST", "/estimate-shipping-methods", _estimate),
    *_both("GET", "/shipping-methods", _read(lambda shop, cart: carts.shipping_methods(cart))),
    *_both("POST", "/shipping-information", _shipping),
    *_both("GET", "/payment-methods", _read(lambda shop, cart: shop.carts.methods(cart))),
    *_both("GET", "/selected-payment-method", _read(lambda shop, cart: cart.payment or {})),
    *_both("PUT", "/selected-payment-method", _method),
    *_both("GET", "/totals", _read(lambda shop, cart: carts.totals(cart))),
    *_both("PUT", "/coupons/{code}", _no_coupon),
    *_both("PUT", "/order", _place),
)

ROWS = (*PAPERS, *STOCK, *CARTS)
