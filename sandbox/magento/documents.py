"""Invoices, shipments and credit memos: those that calls have made, and those that orders had from the beginning.

An order that comes into the shop paid or sent has its papers too; they are written down when somebody first looks,
numbered apart (900000 and up), so that what a call makes begins at 1.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.lifecycle import lines
from sandbox.magento import actions, figures
from sandbox.magento.figures import BOTH, Part
from sandbox.magento.orders import Order, address, stamp
from sandbox.magento.refusal import Refused, no_entity, required
from sandbox.money import ZERO, cents, number, plain
from sandbox.rendering import ONLINE

if TYPE_CHECKING:
    from sandbox.magento.shop import Shop

HISTORY = 900_000
PAID, REFUNDED = 2, 2
Paper = dict[str, Any]


CURRENCIES = (
    *("base_currency_code", "order_currency_code", "global_currency_code", "store_currency_code"),
    *("base_to_global_rate", "base_to_order_rate", "store_to_base_rate", "store_to_order_rate"),
)


def _head(shop: "Shop", order: Order, entity_id: int, at: str | None = None, *, money: bool = True) -> Paper:
    names = ("store_id", "billing_address_id", *(CURRENCIES if money else ()))
    delivery = address(order)
    moment = at or stamp(shop.now())
    return {
        "entity_id": entity_id,
        "increment_id": f"{entity_id:09d}",
        "order_id": order["entity_id"],
        "created_at": moment,
        "updated_at": moment,
        **{name: order[name] for name in names if name in order},
        **({"shipping_address_id": delivery["entity_id"]} if delivery and "entity_id" in delivery else {}),
        "items": [],
        "comments": [],
    }


def _number_lines(paper: Paper) -> None:
    for position, line in enumerate(paper["items"], 1):
        line |= {"entity_id": paper["entity_id"] * 1000 + position, "parent_id": paper["entity_id"]}


class Papers:
    """What every order had when it came."""

    def __init__(self, shop: "Shop") -> None:
        self.shop = shop
        self.seen: set[int] = set()
        self.invoices: list[Paper] = []
        self.shipments: list[Paper] = []
        self.creditmemos: list[Paper] = []

    def all(self, kind: str) -> list[Paper]:
        """The papers of a kind, old ones and those of calls."""
        for order in list(self.shop.orders.all()):
            self.know(order)
        made: list[Paper] = getattr(self.shop, kind)
        return [*getattr(self, kind), *made]

    def know(self, order: Order) -> None:
        """Write down what this order has, once."""
        if order["entity_id"] in self.seen:
            return
        self.seen.add(order["entity_id"])
        for kind, column in (
            ("invoices", "qty_invoiced"),
            ("shipments", "qty_shipped"),
            ("creditmemos", "qty_refunded"),
        ):
            quantities = {item["item_id"]: number(item.get(column)) for item in order["items"]}
            if any(quantities.values()):
                getattr(self, kind).append(self._old(kind, order, quantities))

    def _old(self, kind: str, order: Order, quantities: dict[int, Decimal]) -> Paper:
        paper = _head(
            self.shop, order, HISTORY + order["entity_id"], order.get("updated_at"), money=kind != "shipments"
        )
        taken = [item for item in order["items"] if quantities[item["item_id"]]]
        if kind == "shipments":
            heads = [item for item in taken if not item.get("parent_item_id")]
            paper["items"] = [_shipped(item, quantities[item["item_id"]]) for item in heads]
            paper |= {"total_qty": _sum(paper["items"]), "tracks": [], "packages": []}
            paper["extension_attributes"] = {"source_code": "default"}
        else:
            word, fields = ("invoiced", figures.INVOICED) if kind == "invoices" else ("refunded", figures.REFUNDED)
            for item in taken:
                parts = {prefix: _kept(item, fields, prefix) for prefix in BOTH}
                paper["items"].append(figures.shown_line(item, parts, quantities[item["item_id"]]))
            for prefix in BOTH:
                part = _of_order(order, prefix, word)
                paper |= figures.shown(part, prefix)
                paper[f"{prefix}grand_total"] = plain(number(order.get(f"{prefix}total_{word}")))
            paper["state"] = PAID
            if kind == "invoices":
                paper["total_qty"] = plain(sum((quantities[one["item_id"]] for one in lines(order)), ZERO))
                if transaction := _captured(order):
                    paper["transaction_id"] = transaction
        _number_lines(paper)
        return paper


def _kept(item: dict[str, Any], fields: dict[str, str], prefix: str) -> Part:
    part = Part()
    for name, field in fields.items():
        setattr(part, name, number(item.get(f"{prefix}{field}")))
    return part


def _of_order(order: Order, prefix: str, word: str) -> Part:
    part = figures.stored(order, prefix, word)
    shipping = figures.shipping_of(order, prefix)
    if part.shipping:
        part.tax -= shipping.shipping_tax
        part.discount -= shipping.shipping_discount
        part.shipping_tax, part.shipping_discount = shipping.shipping_tax, shipping.shipping_discount
        part.shipping_compensation = shipping.shipping_compensation
    return part


def _captured(order: Order) -> str | None:
    """The transaction of a payment that was taken online."""
    payment = order.get("payment") or {}
    found = payment.get("last_trans_id") if payment.get("method") in ONLINE else None
    return str(found) if found else None


def _sum(rows: list[dict[str, Any]]) -> Any:
    return plain(sum((number(row["qty"]) for row in rows), ZERO))


def invoice(shop: "Shop", order: Order, body: Mapping[str, Any]) -> Paper:
    """Invoice what the body names and file the invoice."""
    shop.papers.know(order)
    now, done = shop.now(), []

    def mutate(one: Order) -> None:
        done.append(actions.invoice(one, body, now))

    changed = shop.orders.change(order["entity_id"], mutate, now)
    made = _head(shop, order, len(shop.invoices) + 1)
    _fill(made, done[0])
    made |= {
        "state": PAID,
        "total_qty": plain(sum(done[0].quantities.values(), ZERO)),
        "email_sent": int(bool(body.get("notify"))),
    }
    if body.get("capture") and (order.get("payment") or {}).get("method") in ONLINE:
        made["transaction_id"] = _captured(changed) or f"TXN{made['entity_id']:08d}-capture"
    shop.invoices.append(made)
    _tell(shop, order, body, "invoice", made)
    return made


def _fill(paper: Paper, done: actions.Done) -> None:
    paper["items"] = done.lines
    for prefix in BOTH:
        paper |= figures.shown(done.parts[prefix], prefix)
        paper[f"{prefix}grand_total"] = plain(done.grand[prefix])
    _number_lines(paper)


def ship(shop: "Shop", order: Order, body: Mapping[str, Any]) -> Paper:
    """Ship what the body names; the order's updated_at moves only when its own row was written."""
    shop.papers.know(order)
    now, quantities = shop.now(), {}

    def mutate(one: Order) -> None:
        done, moved = actions.ship(one, body, now)
        quantities.update(done)
        shop.stock.check(_source(body), _pieces(one, done))
        if moved:
            one["updated_at"] = stamp(now)

    changed = shop.orders.change(order["entity_id"], mutate)
    shop.stock.take(_source(body), _pieces(changed, quantities), order["entity_id"])
    made = _shipment(shop, order, body, [item for item in order["items"] if str(item["item_id"]) in quantities])
    for line in made["items"]:
        line["qty"] = plain(quantities[str(line["order_item_id"])])
    made["total_qty"] = _sum(made["items"])
    _tell(shop, order, body, "shipment", made)
    return made


def _source(body: Mapping[str, Any]) -> str:
    arguments = body.get("arguments") or {}
    extra = actions.either(arguments, "extension_attributes", "extensionAttributes") or {}
    return str(actions.either(extra, "source_code", "sourceCode") or "default")


def _pieces(order: Order, quantities: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """What leaves the shelf, by SKU: the parts of a bundle, the variant of a configurable."""
    pieces: dict[str, Decimal] = {}
    for item in lines(order):
        quantity = quantities.get(str(item["item_id"]), ZERO)
        below = figures.children(order, item)
        for one in below or [item]:
            if not one.get("is_virtual") and quantity:
                part = number(one.get("qty_ordered")) * quantity / number(item["qty_ordered"])
                pieces[one["sku"]] = pieces.get(one["sku"], ZERO) + part
    return pieces


def _shipped(item: dict[str, Any], quantity: Decimal) -> dict[str, Any]:
    names = ("sku", "name", "price", "product_id", "weight")
    line = {name: item[name] for name in names if item.get(name) is not None}
    return {"order_item_id": item["item_id"], **line, "qty": plain(quantity)}


def _shipment(shop: "Shop", order: Order, body: Mapping[str, Any], items: list[dict[str, Any]]) -> Paper:
    made = _head(shop, order, len(shop.shipments) + 1, money=False)
    made["items"] = [_shipped(item, ZERO) for item in items]
    _number_lines(made)
    if "customer_id" in order:
        made["customer_id"] = order["customer_id"]
    made |= {
        "email_sent": int(bool(body.get("notify"))),
        "packages": body.get("packages") or [],
        "tracks": [],
        "extension_attributes": {"source_code": _source(body)},
    }
    for given in body.get("tracks") or []:
        _add_track(shop, made, given)
    shop.shipments.append(made)
    return made


def _add_track(shop: "Shop", shipment: Paper, given: Mapping[str, Any]) -> dict[str, Any]:
    """A track on a shipment; nothing stops a second one with the same number."""
    for snake, camel in (("track_number", "trackNumber"), ("title", "title"), ("carrier_code", "carrierCode")):
        if actions.either(given, snake, camel) is None:
            raise required(snake)
    ids = [track["entity_id"] for track in shipment["tracks"]]
    track = {
        "order_id": shipment["order_id"],
        "created_at": stamp(shop.now()),
        "entity_id": max(ids, default=shipment["entity_id"] * 100) + 1,
        "parent_id": shipment["entity_id"],
        "updated_at": stamp(shop.now()),
        "weight": given.get("weight"),
        "qty": given.get("qty"),
        "description": given.get("description"),
        "track_number": actions.either(given, "track_number", "trackNumber"),
        "title": given.get("title"),
        "carrier_code": actions.either(given, "carrier_code", "carrierCode"),
    }
    shipment["tracks"].append(track)
    return track


def add_track(shop: "Shop", body: Mapping[str, Any]) -> dict[str, Any]:
    """POST /V1/shipment/track: the order's row is not touched. The schema demands weight, qty and description."""
    given = body.get("entity")
    if not isinstance(given, dict):
        raise required("entity")
    for snake, camel in (("order_id", "orderId"), ("parent_id", "parentId")):
        if actions.either(given, snake, camel) is None:
            raise required(snake)
    parent = number(actions.either(given, "parent_id", "parentId"))
    shipment = next((one for one in shop.papers.all("shipments") if one["entity_id"] == parent), None)
    if shipment is None or shipment["order_id"] != number(actions.either(given, "order_id", "orderId")):
        raise Refused(400, "Could not save the shipment tracking.")
    return _add_track(shop, shipment, given)


def remove_track(shop: "Shop", entity_id: int) -> bool:
    """DELETE /V1/shipment/track/{id}."""
    for shipment in shop.papers.all("shipments"):
        for track in shipment["tracks"]:
            if track["entity_id"] == entity_id:
                shipment["tracks"].remove(track)
                return True
    raise no_entity()


def save_shipment(shop: "Shop", body: Mapping[str, Any]) -> Paper:
    """POST /V1/shipment/: a row, no more. Quantities are not looked at and the order stays as it was."""
    given = body.get("entity")
    if not isinstance(given, dict):
        raise required("entity")
    order = shop.orders.get(int(number(actions.either(given, "order_id", "orderId"))))
    shop.papers.know(order)
    wanted = {}
    for one in given.get("items") or []:
        wanted[int(number(actions.either(one, "order_item_id", "orderItemId")))] = number(one.get("qty"))
    made = _shipment(shop, order, given, [item for item in order["items"] if item["item_id"] in wanted])
    for line in made["items"]:
        line["qty"] = plain(wanted[line["order_item_id"]])
    made["total_qty"] = _sum(made["items"])
    return made


def refund(shop: "Shop", order: Order, body: Mapping[str, Any], invoice: Paper | None = None) -> Paper:
    """Refund an order offline, or an invoice offline or online."""
    shop.papers.know(order)
    title = "Creditmemo Document Validation Error(s):\n"
    online = bool(actions.either(body, "isOnline", "is_online")) if invoice else False
    invoices = [one for one in shop.papers.all("invoices") if one["order_id"] == order["entity_id"]]
    if online and invoice and not invoice.get("transaction_id"):
        raise Refused(400, f"{title}The invoice was not captured online.")  # documented, but not in which words
    if not invoice and shop.settings.refuse_offline_refund and any(one.get("transaction_id") for one in invoices):
        raise Refused(400, f"{title}The order was captured online; refund its invoice.")  # likewise
    now, done = shop.now(), []
    earlier = [
        one for one in shop.papers.all("creditmemos") if invoice and one.get("invoice_id") == invoice["entity_id"]
    ]
    limits, shipping = _limits(invoice, earlier) if invoice else (None, None)

    def mutate(one: Order) -> None:
        done.append(
            actions.refund(one, body, now, shop.settings, online=online, limits=limits, shipping_limit=shipping)
        )

    changed = shop.orders.change(order["entity_id"], mutate, now)
    made = _head(shop, order, len(shop.creditmemos) + 1)
    _fill(made, done[0])
    arguments = body.get("arguments") or {}
    rate = number(order.get("base_to_order_rate") or 1)
    for prefix, factor in (("base_", Decimal(1)), ("", rate)):
        more, less = (
            cents(number(actions.either(arguments, snake, camel)) * factor)
            for snake, camel in (
                ("adjustment_positive", "adjustmentPositive"),
                ("adjustment_negative", "adjustmentNegative"),
            )
        )
        made |= {
            f"{prefix}adjustment": plain(more - less),
            f"{prefix}adjustment_positive": plain(more),
            f"{prefix}adjustment_negative": plain(less),
        }
    made |= {"state": REFUNDED, "email_sent": int(bool(body.get("notify")))}
    if invoice:
        made["invoice_id"] = invoice["entity_id"]
        before = number(invoice.get("base_total_refunded"))
        invoice["base_total_refunded"] = plain(before + done[0].grand["base_"])
        invoice["is_used_for_refund"] = 1
    if online and invoice:
        made["transaction_id"] = f"{invoice['transaction_id']}-refund-{made['entity_id']}"
    shop.creditmemos.append(made)
    extra = actions.either(arguments, "extension_attributes", "extensionAttributes") or {}
    back = {int(one) for one in actions.either(extra, "return_to_stock_items", "returnToStockItems") or []}
    returned = {key: value for key, value in done[0].quantities.items() if _named(changed, int(key), back)}
    shop.stock.put_back(_pieces(changed, returned))
    _tell(shop, order, body, "creditmemo", made)
    return made


def _named(order: Order, head: int, wanted: set[int]) -> bool:
    """Whether a head, or one of its children, is among those that go back on the shelf."""
    return head in wanted or any(
        one["item_id"] in wanted for one in order["items"] if one.get("parent_item_id") == head
    )


def _limits(invoice: Paper, earlier: list[Paper]) -> tuple[dict[str, Decimal], Decimal]:
    """What of an invoice can still go back: pieces, and net shipping in the base currency."""
    limits = {str(line["order_item_id"]): number(line["qty"]) for line in invoice["items"]}
    shipping = number(invoice.get("base_shipping_amount"))
    for memo in earlier:
        shipping -= number(memo.get("base_shipping_amount"))
        for line in memo["items"]:
            key = str(line["order_item_id"])
            limits[key] = limits.get(key, ZERO) - number(line["qty"])
    return limits, shipping


def _tell(shop: "Shop", order: Order, body: Mapping[str, Any], kind: str, paper: Paper) -> None:
    """The mail that `notify` asks for, and the comment that comes with it."""
    text = body.get("comment")
    if isinstance(text, dict):
        add_comment(shop, paper, text)
    if body.get("notify"):
        shop.mail(order["entity_id"], kind, paper["entity_id"])
    if isinstance(text, dict) and actions.either(body, "appendComment", "append_comment"):
        shop.comment(
            order["entity_id"],
            {**text, "status": shop.orders.get(order["entity_id"]).get("status")},
            touch=False,
        )


def add_comment(shop: "Shop", paper: Paper, given: Mapping[str, Any]) -> dict[str, Any]:
    """A comment on a paper."""
    entry = {
        "entity_id": paper["entity_id"] * 1000 + len(paper["comments"]) + 1,
        "parent_id": paper["entity_id"],
        "comment": given.get("comment"),
        "is_customer_notified": int(bool(actions.either(given, "is_customer_notified", "isCustomerNotified"))),
        "is_visible_on_front": int(bool(actions.either(given, "is_visible_on_front", "isVisibleOnFront"))),
        "created_at": stamp(shop.now()),
    }
    paper["comments"].append(entry)
    return entry


def find(shop: "Shop", kind: str, wanted: str) -> Paper:
    """A paper by its id. Refused with 404 when there is none."""
    for paper in shop.papers.all(kind):
        if paper["entity_id"] == int(wanted):
            return paper
    raise no_entity()
