"""The shop itself: paths, rights, answers."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from sandbox.cart import Store
from sandbox.magento import actions, columns, controls, documents, projection, proof, search
from sandbox.magento.access import Access
from sandbox.magento.carts import Carts, store_of
from sandbox.magento.customers import GROUPS
from sandbox.magento.directory import COUNTRIES, MODULES, country, currency
from sandbox.magento.orders import Order, Orders, stamp
from sandbox.magento.refusal import (
    FIREWALL,
    GATEWAY_TIMEOUT,
    MAINTENANCE,
    Refused,
    deleted_product,
    html,
    internal_error,
    no_entity,
    no_route,
    required,
)
from sandbox.magento.routes import ROWS, body_of, compiled
from sandbox.magento.settings import Settings
from sandbox.magento.stock import Stock
from sandbox.magento.stores import Stores
from sandbox.message import BadJson, Request, Response, to_json

JSON = "application/json; charset=utf-8"
VIEW = "Magento_Sales::actions_view"

Rows = Iterable[dict[str, Any]]


class Shop:
    """A Magento shop in memory. Everything happens under one lock."""

    name = "magento"

    def __init__(self, payloads: list[Order]) -> None:
        self._start = payloads
        self._lock = threading.RLock()
        self.stock: Stock
        self.carts: Carts
        self.reset()

    def reset(self) -> None:
        """Back to the start: orders, switches, clock and counters."""
        self.settings = Settings()
        self.access = Access(self.settings)
        self.orders = Orders(self._start)
        self.stores = Stores(self._start)
        self.offset = timedelta(0)
        self.mails: list[dict[str, Any]] = []
        self.invoices: list[dict[str, Any]] = []
        self.shipments: list[dict[str, Any]] = []
        self.creditmemos: list[dict[str, Any]] = []
        self.papers = documents.Papers(self)
        self.stock = Stock()
        self.carts = Carts(self)
        self.customers: list[dict[str, Any]] = []  # those whom calls have made
        self.placed: list[int] = []  # orders that calls have made
        self.requests: Counter[str] = Counter()
        self._next_comment = 1_000_000

    def now(self) -> datetime:
        """The shop's own clock."""
        return datetime.now(UTC) + self.offset

    def skus(self) -> list[tuple[str, str]]:
        """SKU and name of every line of every order, children included, each once."""
        with self._lock:
            items = [item for order in self.orders.all() for item in order["items"]]
        return list(dict.fromkeys((item["sku"], item.get("name") or "") for item in items if item.get("sku")))

    def handle(self, request: Request) -> Response:
        """Answer as the shop would, dated by its clock."""
        with self._lock:
            response = self._answer(request)
            response.headers.setdefault("Date", format_datetime(self.now().replace(microsecond=0), usegmt=True))
            self.requests[str(response.status)] += 1
            return response

    def error(self, status: int) -> Response:
        """An error status in the shop's words, for a fault that a test asks for."""
        known = {404: no_entity(), 500: internal_error(f"{time.time_ns():x}"[:13])}
        if status == 503:
            return html(503, MAINTENANCE)
        if status in (502, 504):
            return html(status, GATEWAY_TIMEOUT)
        if status == 429:
            return Response(status=429, body={"message": "Too Many Requests"})
        if status in (401, 403):
            return Refused(
                status, "The consumer isn't authorized to access %resources.", {"resources": VIEW}
            ).response()
        return known.get(status, Refused(status, "The request could not be processed.")).response()

    def expire_token(self, request: Request) -> None:
        with self._lock:
            self.access.expire(request)

    def state(self) -> dict[str, Any]:
        """How much of everything there is."""
        with self._lock:
            orders = list(self.orders.all())
            types = Counter(str(item.get("product_type")) for order in orders for item in order["items"])
            return {
                "orders": len(orders),
                "by_status": dict(Counter(str(order.get("status")) for order in orders)),
                "by_state": dict(Counter(str(order.get("state")) for order in orders)),
                "by_store": dict(Counter(str(order.get("store_id")) for order in orders)),
                "by_type": dict(types),
                "invoices": len(self.invoices),
                "shipments": len(self.shipments),
                "creditmemos": len(self.creditmemos),
                "mails": list(self.mails),
                "mails_by_kind": dict(Counter(mail["kind"] for mail in self.mails)),
                "carts": len(self.carts.all),
                "placed": list(self.placed),
                "documents": proof.documents(self),
                "duplicates": proof.duplicates(self),
                "unequal": proof.unequal(self),
                "requests": dict(self.requests),
                "newest_updated_at": max((str(one.get("updated_at")) for one in orders), default=None),
                "clock": stamp(self.now()),
                "forbidden": sorted(self.access.forbidden),
            }

    def control(self, action: str, body: Any) -> Any:
        """Do what a test asks; see sandbox.magento.controls."""
        with self._lock:
            return controls.run(self, action, body)

    def _answer(self, request: Request) -> Response:
        if self.settings.maintenance:
            return html(503, MAINTENANCE)
        if self.settings.firewall:
            return html(200, FIREWALL)
        try:
            return self._dispatch(request)
        except Refused as refused:
            return refused.response()
        except search.UnknownColumn:
            return internal_error(f"{time.time_ns():x}"[:13]).response()
        except BadJson:
            return Refused(400, "Decoding error: %1%2%3%4", ["\n", "Syntax error", "\n", ""]).response()

    def _dispatch(self, request: Request) -> Response:
        path = request.path.removeprefix("/index.php").rstrip("/")
        if path == "/magento_version" and self.settings.version:
            return Response(body=self.settings.version, content_type="text/html; charset=UTF-8")
        if path == "/ims/token/v3" and self.settings.saas_tenant:
            body = {"access_token": self.settings.ims_token, "token_type": "bearer", "expires_in": 86399}
            return Response(body=body)
        route = self._service_path(path, request)
        accept = request.headers.get("accept", "*/*")
        if not any(word in accept for word in ("json", "*/*", "application/*")):
            raise Refused(406, "Server cannot match any of the given Accept HTTP header media type(s) from the request")
        wrong_method = False
        for method, pattern, resource, answer in ROUTES:
            match = pattern.fullmatch(route)
            if match and method == request.method:
                self.access.check(request, resource, self.now())
                return self._project(request, answer(self, request, match.groupdict()))
            wrong_method = wrong_method or bool(match)
        if wrong_method:
            raise Refused(405, "Request method is invalid.")
        raise no_route()

    def _service_path(self, path: str, request: Request) -> str:
        """What follows `/V1`; an unknown store code is taken for a part of the path and leads nowhere."""
        tenant = self.settings.saas_tenant
        if tenant:
            store = request.headers.get("store", "default")
            found = path.removeprefix(f"/{tenant}/V1")
            if found == path or not self.stores.knows(store):
                raise no_route()
            return found
        match = re.fullmatch(r"/rest(?:/(?P<store>[^/]+))?/V1(?P<rest>/.*)", path)
        if not match or (match["store"] is not None and not self.stores.knows(match["store"])):
            raise no_route()
        return match["rest"]

    def _project(self, request: Request, answer: Any) -> Response:
        if isinstance(answer, Response):
            return answer
        wanted = request.arg("fields")
        if wanted is None:
            return Response(body=to_json(answer), content_type=JSON)
        tree = projection.read(wanted)
        return Response(body=to_json([] if tree is None else projection.apply(answer, tree)), content_type=JSON)

    def page(
        self, request: Request, rows: Rows, table: search.Table
    ) -> tuple[list[dict[str, Any]], search.Criteria, int]:
        """The rows of the wanted page, the criteria and how many match in all."""
        criteria = search.read(request.query)
        limit, size = self.settings.max_page_size, criteria.page_size or self.settings.default_page_size
        if limit and size and size > limit:
            raise Refused(400, "Maximum SearchCriteria pageSize is %max", {"max": limit})
        found = search.select(rows, criteria, table)
        chosen = search.page(found, criteria, size=size, past_end=self.settings.past_end)
        return list(chosen), criteria, len(found)

    def listing(self, request: Request, rows: Rows, table: search.Table) -> dict[str, Any]:
        chosen, criteria, total = self.page(request, rows, table)
        return {"items": chosen, "search_criteria": criteria.echo(), "total_count": total}

    def order(self, parameters: Mapping[str, str]) -> Order:
        """The order that the path names; a broken one kills the answer."""
        found = self.orders.get(int(parameters["id"]))
        self.break_on([found])
        return found

    def break_on(self, orders: Iterable[Order]) -> None:
        broken = set(self.settings.broken_orders)
        if broken and any(order["entity_id"] in broken for order in orders):
            raise (
                deleted_product() if self.settings.broken_with == 404 else internal_error(f"{time.time_ns():x}"[:13])
            )

    def comment(self, entity_id: int, entry: Mapping[str, Any], *, touch: bool) -> None:
        """Put a comment on an order, with its status where it brings one, and write a mail when asked to."""
        self._next_comment += 1

        def mutate(order: Order) -> None:
            actions.comment(order, entry, self._next_comment, self.now())
            if entry.get("status") is not None:
                order["status"] = entry["status"]
            elif self.settings.old_comments:
                order.pop("status", None)

        self.orders.change(entity_id, mutate, self.now() if touch else None)
        if actions.either(entry, "is_customer_notified", "isCustomerNotified"):
            self.mail(entity_id, "comment")

    def mail(self, entity_id: int, kind: str, document: int | None = None) -> None:
        self.mails.append({"order_id": entity_id, "kind": kind, "document": document, "at": stamp(self.now())})

    def store_of(self, request: Request) -> int:
        """The view in the path; the default one where there is none, and for `all`."""
        match = re.match(r"/rest/([^/]+)/V1/", request.path.removeprefix("/index.php"))
        code = request.headers.get("store", "default") if self.settings.saas_tenant else match and match[1]
        return next((view.id for view in self.stores.views.values() if view.id and view.code == code), 1)

    def selling(self, request: Request) -> Store:
        """How the view in the path sells."""
        return store_of(self.store_of(request))


def _orders(shop: Shop, request: Request, _: Mapping[str, str]) -> Any:
    chosen, criteria, total = shop.page(request, shop.orders.all(), columns.ORDERS)
    limit = shop.settings.gateway_timeout_above
    size = criteria.page_size or shop.settings.default_page_size or total
    if limit is not None and size > limit:
        return html(504, GATEWAY_TIMEOUT)
    shop.break_on(chosen)
    if request.arg("fields") is not None:
        return {"items": chosen, "search_criteria": criteria.echo(), "total_count": total}
    items = b",".join(shop.orders.encoded(one) for one in chosen)
    tail = f'],"search_criteria":{to_json(criteria.echo())},"total_count":{total}}}'
    return Response(body=b'{"items":[' + items + tail.encode(), content_type=JSON)


def _order(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    found = shop.order(parameters)
    if request.arg("fields") is not None:
        return found
    return Response(body=shop.orders.encoded(found), content_type=JSON)


def _items(shop: Shop, request: Request, _: Mapping[str, str]) -> Any:
    rows = [item for order in shop.orders.all() for item in order["items"]]
    return shop.listing(request, rows, columns.ITEMS)


def _item(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    wanted = int(parameters["id"])
    for order in shop.orders.all():
        for item in order["items"]:
            if item.get("item_id") == wanted:
                return item
    raise no_entity()


def _status(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    return shop.order(parameters).get("status")


def _comments(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    histories = shop.order(parameters).get("status_histories") or []
    return {"items": histories, "search_criteria": search.Criteria().echo(), "total_count": len(histories)}


def _add_comment(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    order = shop.order(parameters)
    entry = actions.either(body_of(request), "statusHistory", "status_history")
    if not isinstance(entry, dict):
        raise required("statusHistory")
    if "comment" not in entry:
        raise required("comment")
    status = entry.get("status")
    old = shop.settings.old_comments
    if status is not None and not old and shop.settings.statuses.get(status) != order.get("state"):
        text = 'Unable to add comment: The status "%1" is not part of the order status history.'
        raise Refused(400, text, [status])
    if status is None and not old and order.get("status") is not None:
        entry = {**entry, "status": order["status"]}
    changed = status is not None and status != order.get("status")
    shop.comment(order["entity_id"], entry, touch=changed or shop.settings.comment_touches)
    return True


def _cancel(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    order = shop.order(parameters)
    if not actions.can_cancel(order):
        return False
    now = shop.now()
    shop.orders.change(order["entity_id"], lambda one: actions.cancel(one, now), now)
    shop.stock.release(order["entity_id"])
    return True


def _hold(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    shop.orders.change(shop.order(parameters)["entity_id"], actions.hold, shop.now())
    return True


def _unhold(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    shop.orders.change(shop.order(parameters)["entity_id"], actions.unhold, shop.now())
    return True


def _emails(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    shop.mail(shop.order(parameters)["entity_id"], "order")
    return True


def _invoice(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    return str(documents.invoice(shop, shop.order(parameters), body_of(request))["entity_id"])


def _ship(shop: Shop, request: Request, parameters: Mapping[str, str]) -> Any:
    return str(documents.ship(shop, shop.order(parameters), body_of(request))["entity_id"])


def _token(shop: Shop, request: Request, _: Mapping[str, str]) -> Any:
    if shop.settings.saas_tenant:
        raise no_route()
    body = body_of(request)
    for name in ("username", "password"):
        if name not in body:
            raise required(name)
    return shop.access.issue(body["username"], body["password"], shop.now())


def _modules(shop: Shop, request: Request, _: Mapping[str, str]) -> Any:
    return shop.listing(request, [], columns.GROUPS) | {"items": list(MODULES), "total_count": len(MODULES)}


def _origin(request: Request) -> str:
    return "/".join(request.url.split("/")[:3])


def _configs(shop: Shop, request: Request, _: Mapping[str, str]) -> Any:
    codes = [value for name, value in request.query if re.fullmatch(r"storeCodes(\[\d*\])?", name)]
    return shop.stores.configs(_origin(request), codes)


SALES, STORE = "Magento_Sales::", "Magento_Backend::store"
ROUTES = compiled(
    (
        # What stands first is found first.
        ("GET", "/orders", VIEW, _orders),
        ("GET", "/orders/items", VIEW, _items),
        ("GET", "/orders/items/{id}", VIEW, _item),
        ("GET", "/orders/{id}", VIEW, _order),
        ("GET", "/orders/{id}/statuses", VIEW, _status),
        ("GET", "/orders/{id}/comments", VIEW, _comments),
        ("POST", "/orders/{id}/comments", SALES + "comment", _add_comment),
        ("POST", "/orders/{id}/cancel", SALES + "cancel", _cancel),
        ("POST", "/orders/{id}/hold", SALES + "hold", _hold),
        ("POST", "/orders/{id}/unhold", SALES + "unhold", _unhold),
        ("POST", "/orders/{id}/emails", SALES + "emails", _emails),
        ("POST", "/order/{id}/invoice", SALES + "invoice", _invoice),
        ("POST", "/order/{id}/ship", SALES + "ship", _ship),
        ("GET", "/store/websites", STORE, lambda s, r, p: s.stores.websites()),
        ("GET", "/store/storeGroups", STORE, lambda s, r, p: s.stores.groups()),
        ("GET", "/store/storeViews", STORE, lambda s, r, p: s.stores.store_views()),
        ("GET", "/store/storeConfigs", STORE, _configs),
        (
            "GET",
            "/customerGroups/search",
            "Magento_Customer::group",
            lambda s, r, p: s.listing(r, GROUPS, columns.GROUPS),
        ),
        ("GET", "/modules", "Magento_Backend::admin", _modules),
        ("GET", "/directory/currency", None, lambda s, r, p: currency(s.stores)),
        ("GET", "/directory/countries", None, lambda s, r, p: COUNTRIES),
        ("GET", "/directory/countries/{code}", None, lambda s, r, p: country(p["code"])),
        ("POST", "/integration/admin/token", None, _token),
        *ROWS,
    )
)
