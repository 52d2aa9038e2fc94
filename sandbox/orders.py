"""Varied orders of an invented shop, as Magento's REST renders them.

The same seed makes the same orders. Every sum is calculated (sandbox.totals), none is invented; only the few
orders with a payment surcharge do not add up, as in a shop whose module forgets to say so.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar

from sandbox import lifecycle, people
from sandbox.cart import STORES, Shopping, Store, rate
from sandbox.lifecycle import Order
from sandbox.loading import is_order, load
from sandbox.money import ZERO, cents, plain
from sandbox.numbering import Numbers
from sandbox.people import Person
from sandbox.rendering import ONLINE, Deal, Stage, render
from sandbox.totals import Row, Rule, calculate

__all__ = ["generate", "is_order", "load", "place", "successor"]

T = TypeVar("T")

DAYS = 14

# Out of about a thousand orders.
STORE_WEIGHTS = {2: 500, 1: 370, 3: 130}
CART_WEIGHTS = {
    "simple": 300,
    "several": 260,
    "configurable": 180,
    "mixed_tax": 70,
    "dynamic_bundle": 35,
    "fixed_bundle": 30,
    "physical_and_virtual": 25,
    "downloadable": 25,
    "large": 25,
    "unknown": 22,
    "virtual": 15,
    "giftcard": 8,
    "measure": 5,
}
DISCOUNT_WEIGHTS = {
    "none": 690,
    "percent": 110,
    "fixed": 80,
    "free_shipping": 50,
    "stacked": 50,
    "awkward": 12,
    "hundred": 8,
}
EXTRA_WEIGHTS = {
    "none": 925,
    "surcharge": 25,
    "gift_card": 20,
    "store_credit": 15,
    "reward": 10,
    "gift_card_all": 5,
}
LIFE_WEIGHTS = {
    "processing": 510,
    "complete": 330,
    "pending": 40,
    "canceled": 25,
    "custom": 25,
    "pending_payment": 20,
    "closed": 15,
    "holded": 15,
    "partly_shipped": 10,
    "no_status": 5,
    "edited": 5,
}
FRESH_WEIGHTS = {"processing": 850, "pending": 150}
BUYER_WEIGHTS = {"registered": 600, "guest": 400}
CARRIER_WEIGHTS = {
    "dhl_V01PAK": 400,
    "flatrate_flatrate": 300,
    "tablerate_bestway": 200,
    "freeshipping_freeshipping": 75,
    "instore_pickup": 25,
}
METHOD_WEIGHTS = {
    "paypal_express": 420,
    "braintree": 240,
    "banktransfer": 160,
    "checkmo": 80,
    "cashondelivery": 60,
    "purchaseorder": 40,
}
CARRIERS = {
    "flatrate_flatrate": ("Flat Rate - Fixed", "4.90", "19.90"),
    "tablerate_bestway": ("Best Way - Table Rate", "6.95", "29.90"),
    "freeshipping_freeshipping": ("Free Shipping - Free", "0", "0"),
    "dhl_V01PAK": ("DHL - Paket", "5.49", "24.90"),
    "instore_pickup": ("In-Store Pickup Delivery - Laden Leipzig", "0", "0"),
}
COUNTRY_WEIGHTS = {
    1: {"DE": 70, "AT": 14, "FR": 9, "CH": 7},
    2: {"DE": 82, "AT": 12, "CH": 6},
    3: {"PL": 95, "DE": 5},
}
COMMENTS = (
    "Bitte beim Nachbarn abgeben 🙏",
    "Klingel defekt, bitte anrufen!",
    "Geschenk – bitte ohne Rechnung ins Paket 🎁",
    "Lieferung erst ab nächster Woche.\nDanke & viele Grüße",
    "Proszę o fakturę VAT",
)
CUSTOMERS = 48


def generate(count: int, seed: int, now: datetime) -> list[Order]:
    """So many orders of the two weeks before `now`, oldest first."""
    return _Invention(seed, Numbers()).orders(count, now)


def place(existing: Sequence[Order], count: int, now: datetime, seed: int | None = None) -> list[Order]:
    """New orders dated now, numbered after the existing ones."""
    numbers = Numbers.after(existing)
    return _Invention(numbers.order if seed is None else seed, numbers).orders(count, now, fresh=True)


def successor(parent: Order, existing: Sequence[Order], now: datetime) -> Order:
    """The order that takes this one's place after an edit: same content, own ids, suffix `-1` (then `-2`, ...)."""
    return _successor(parent, Numbers.after(existing), _stamp(now))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _successor(parent: Order, numbers: Numbers, now: str) -> Order:
    child = copy.deepcopy(parent)
    original = str(parent.get("original_increment_id") or parent["increment_id"])
    edit = int(parent.get("edit_increment") or 0) + 1
    entity_id = numbers.take("order")
    for name in [name for name in child if re.search(r"_(canceled|invoiced|refunded|paid)$", name)]:
        del child[name]
    child |= {
        "entity_id": entity_id,
        "increment_id": f"{original}-{edit}",
        "original_increment_id": original,
        "edit_increment": edit,
        "relation_parent_id": str(parent["entity_id"]),
        "relation_parent_real_id": parent["increment_id"],
        "quote_id": numbers.take("quote"),
        "state": "new",
        "status": "pending",
        "created_at": now,
        "updated_at": now,
        "status_histories": [],
        "total_due": parent.get("grand_total", 0),
        "base_total_due": parent.get("base_grand_total", 0),
    }
    for name in ("relation_child_id", "relation_child_real_id", "hold_before_state", "hold_before_status"):
        child.pop(name, None)
    _renumber(child, numbers)
    return child


def _renumber(child: Order, numbers: Numbers) -> None:
    """Own ids for everything that belongs to the copy."""
    entity_id = child["entity_id"]
    ids = {item["item_id"]: numbers.take("item") for item in child["items"]}
    seen: set[int] = set()
    extension = child.get("extension_attributes", {})
    assignments = extension.get("shipping_assignments") or []
    embedded = [item for one in assignments for item in one.get("items", [])]
    embedded += [item["parent_item"] for item in (*child["items"], *embedded) if "parent_item" in item]
    for item in (*child["items"], *embedded):
        if id(item) in seen:
            continue
        seen.add(id(item))
        item["item_id"] = ids.get(item["item_id"], item["item_id"])
        item["order_id"] = entity_id
        if "parent_item_id" in item:
            item["parent_item_id"] = ids.get(item["parent_item_id"], item["parent_item_id"])
        item |= {name: 0 for name in item if re.fullmatch(r"qty_(canceled|invoiced|refunded|shipped)", name)}
        item |= {name: 0 for name in item if re.fullmatch(r".*_(invoiced|refunded)", name)}
        item.pop("tax_canceled", None)
        item |= {"created_at": child["created_at"], "updated_at": child["updated_at"]}
    for entry in extension.get("item_applied_taxes") or []:
        if "item_id" in entry:
            entry["item_id"] = ids.get(entry["item_id"], entry["item_id"])
    for assignment in assignments:
        address = assignment.get("shipping", {}).get("address")
        if address:
            address |= {"entity_id": numbers.take("address"), "parent_id": entity_id}
    child["billing_address_id"] = numbers.take("address")
    child["billing_address"] |= {"entity_id": child["billing_address_id"], "parent_id": entity_id}
    child["payment"] |= {"entity_id": entity_id, "parent_id": entity_id}
    for name in ("amount_paid", "base_amount_paid", "shipping_captured", "base_shipping_captured"):
        child["payment"].pop(name, None)


def _deck(rng: Random, weights: dict[T, int], count: int) -> list[T]:
    """`count` cards in the proportion of the weights, shuffled; of a hundred or more every kind is there."""
    total = sum(weights.values())
    cards: list[T] = []
    for card, weight in weights.items():
        share = count * weight // total
        cards += [card] * max(share, 1 if count >= 100 else 0)
    kinds, chances = list(weights), list(weights.values())
    cards += rng.choices(kinds, chances, k=max(count - len(cards), 0))
    cards = cards[len(cards) - count :]  # the commonest kind stands first and gives way
    rng.shuffle(cards)
    return cards


def _draw(rng: Random, weights: dict[T, int]) -> T:
    return rng.choices(list(weights), list(weights.values()))[0]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What one order is to be."""

    store: Store
    cart: str
    discount: str
    extra: str
    life: str
    buyer: str
    carrier: str
    method: str


class _Invention:
    """Makes up orders, one after the other."""

    def __init__(self, seed: int, numbers: Numbers) -> None:
        self.rng = Random(seed)
        self.numbers = numbers
        everyone = Random("the customers of this shop")  # the same people whatever the seed
        self.customers: dict[int, list[Person]] = {store: [] for store in STORES}
        for number in range(1, CUSTOMERS + 1):
            store = 3 if number % 8 == 0 else 1 + number % 2
            country = "AT" if number % 10 == 2 else _draw(everyone, COUNTRY_WEIGHTS[store])
            self.customers[store].append(people.registered(everyone, country, number))

    def orders(self, count: int, now: datetime, fresh: bool = False) -> list[Order]:
        rng = self.rng
        plans = self._plans(count, fresh)
        times = [now] * count if fresh else self._times(count, now)
        made: list[Order] = []
        for plan, created in zip(plans, times, strict=True):
            if len(made) >= count:
                break
            deal = self._deal(plan, created, now, fresh)
            order = render(deal)
            made.append(order)
            if plan.life == "edited":
                edited = min(created + timedelta(minutes=rng.randint(5, 90)), now)
                made.append(self._edit(order, _stamp(edited)))
            elif rng.random() < 0.01:
                order["store_name"] = order["store_name"].rsplit("\n", 1)[0] + "\n"
        return made[:count]

    def _edit(self, parent: Order, when: str) -> Order:
        """Cancel the order and put its successor beside it."""
        child = _successor(parent, self.numbers, when)
        lifecycle.cancel(parent, when)
        parent |= {
            "edit_increment": child["edit_increment"],
            "relation_child_id": str(child["entity_id"]),
            "relation_child_real_id": child["increment_id"],
            "updated_at": when,
        }
        return child

    def _plans(self, count: int, fresh: bool) -> list[_Plan]:
        rng = self.rng
        decks: list[list[Any]] = [
            _deck(rng, weights, count)
            for weights in (
                STORE_WEIGHTS,
                CART_WEIGHTS,
                DISCOUNT_WEIGHTS,
                EXTRA_WEIGHTS,
                FRESH_WEIGHTS if fresh else LIFE_WEIGHTS,
                BUYER_WEIGHTS,
                CARRIER_WEIGHTS,
                METHOD_WEIGHTS,
            )
        ]
        return [
            _Plan(
                store=STORES[store],
                cart=cart,
                discount=discount,
                extra=extra,
                life=life,
                buyer=buyer,
                carrier=carrier,
                method=method,
            )
            for store, cart, discount, extra, life, buyer, carrier, method in zip(*decks, strict=True)
        ]

    def _times(self, count: int, now: datetime) -> list[datetime]:
        """Ascending moments of the last days; here and there several orders share a second."""
        span = DAYS * 86_400 - 60
        seconds = sorted(self.rng.randrange(span) for _ in range(count))
        for index in range(1, count):
            if self.rng.random() < 0.06:
                seconds[index] = seconds[index - 1]
        start = now - timedelta(seconds=span + 60)
        return [start.replace(microsecond=0) + timedelta(seconds=second) for second in seconds]

    def _buyer(self, plan: _Plan) -> Person:
        """Some order often: the first of the list more than the last."""
        rng = self.rng
        if plan.buyer == "registered":
            known = self.customers[plan.store.id]
            return known[int(len(known) * rng.random() ** 2)]
        return people.person(rng, _draw(rng, COUNTRY_WEIGHTS[plan.store.id]))

    def _deal(self, plan: _Plan, created: datetime, now: datetime, fresh: bool) -> Deal:
        rng, store = self.rng, plan.store
        buyer = self._buyer(plan)
        pickup = plan.carrier == "instore_pickup"
        if pickup:
            buyer = replace(buyer, delivery=people.SHOP_PICKUP, delivery_name=None)
        shopping = Shopping(store=store, country="DE", taxed=True, rng=rng)
        virtual = plan.cart in ("virtual", "downloadable", "giftcard")
        goes_to = (buyer.home if virtual or buyer.delivery is None else buyer.delivery).country
        shopping = replace(shopping, country=goes_to, taxed=buyer.group != 4)
        lines = shopping.fill(plan.cart)
        for line in lines:
            line.id = self.numbers.take("item")
        carrier = None if virtual else plan.carrier
        if plan.discount == "free_shipping" and carrier not in (None, "instore_pickup"):
            carrier = "freeshipping_freeshipping"
        title, euros, zloty = CARRIERS[carrier] if carrier else (None, "0", "0")

        def shipping(price: str) -> Row:
            amount = Decimal(price)
            home = rate(store.country, "standard")
            here = rate(goes_to, "standard") if shopping.taxed and amount else ZERO
            return Row(
                price=amount if store.inclusive else cents(amount / Decimal("1.19")),
                quantity=Decimal(1),
                rate=here,
                home_rate=home if amount else ZERO,
            )

        rules, coupon, rule_ids = self._rules(plan)
        base_rows = [line.base for line in lines if line.base]
        base_totals = calculate(base_rows, shipping(euros), rules, store.inclusive)
        totals = base_totals
        if store.currency != "EUR":
            own = [replace(rule, fixed=cents(rule.fixed * store.exchange)) for rule in rules]
            rows = [line.row for line in lines if line.row]
            totals = calculate(rows, shipping(zloty), own, store.inclusive)
        deal = Deal(
            store=store,
            buyer=buyer,
            lines=lines,
            totals=totals,
            base_totals=base_totals,
            stage=Stage(state="new", status="pending"),
            created=_stamp(created),
            updated=_stamp(created),
            method=plan.method,
            carrier=carrier,
            carrier_title=title,
            coupon=coupon,
            rules=rule_ids,
            note=rng.choice(COMMENTS) if rng.random() < 0.08 else None,
            gift_message="Alles Gute zum Geburtstag! 🎂" if rng.random() < 0.03 else None,
            company_id=buyer.customer_id if buyer.home.company and buyer.customer_id else None,
            custom_attributes={"delivery_wish": "0"} if rng.random() < 0.04 else {},
            entity_id=self.numbers.take("order"),
            increment_id=self.numbers.increment(store.id),
            quote_id=self.numbers.take("quote"),
            billing_id=self.numbers.take("address") + 1,
            protect_code=f"{rng.getrandbits(128):032x}",
            child_price=rng.random() < 0.7,
        )
        self.numbers.take("address")
        self._credit(deal, plan.extra)
        deal.method = self._method(deal, plan)
        if plan.extra == "surcharge" and deal.grand() and plan.life != "edited":
            deal.method, deal.surcharge = "cashondelivery", Decimal("4.95")
        deal.stage = self._stage(deal, plan.life)
        deal.updated = _stamp(created if fresh else self._updated(deal, created, now))
        deal.history_id = self.numbers.take("history")
        self.numbers.history += 2
        return deal

    def _rules(self, plan: _Plan) -> tuple[list[Rule], str | None, str | None]:
        """The cart price rules, their coupon and their ids."""
        rng = self.rng
        match plan.discount:
            case "percent":
                percent, coupon = rng.choice(((10, "WELCOME10"), (15, "HERBST15"), (20, None), (5, "NEWS5")))
                return [Rule(percent=Decimal(percent))], coupon, str(percent)
            case "fixed":
                return [Rule(fixed=Decimal(rng.choice((5, 10))))], "DANKE", "31"
            case "free_shipping":
                return [], rng.choice(("VERSANDFREI", None)), "32"
            case "stacked":
                return [Rule(percent=Decimal(10)), Rule(fixed=Decimal("3.33"))], "STAPEL", "10,33"
            case "awkward":
                return [Rule(percent=Decimal("7.77")), Rule(percent=Decimal("3.5"))], "KRUMM", "34,35"
            case "hundred":
                return [Rule(percent=Decimal(100), shipping_too=True)], "GESCHENKT", "36"
            case _:
                return [], None, None

    def _credit(self, deal: Deal, extra: str) -> None:
        """What the shop's own money pays for; only in its base currency."""
        due = deal.totals.grand
        if deal.store.currency != "EUR" or not due:
            return
        match extra:
            case "gift_card" | "gift_card_all":
                amount = due if extra == "gift_card_all" else min(due, Decimal(self.rng.choice(("10", "25", "12.34"))))
                number = self.numbers.take("gift")
                card = {"id": number, "code": f"GC-{deal.protect_code[:8].upper()}"}
                deal.gift_cards = [card | {"amount": plain(amount), "base_amount": plain(amount)}]
                deal.credits["gift_cards"] = (amount, amount)
            case "store_credit" if deal.buyer.customer_id:
                amount = min(due, Decimal("7.50"))
                deal.credits["credit"] = (amount, amount)
            case "reward" if deal.buyer.customer_id:
                amount = min(due, Decimal("3.21"))
                deal.credits["reward"] = (amount, amount)

    def _method(self, deal: Deal, plan: _Plan) -> str:
        if not deal.grand():
            return "free"
        later = ("banktransfer", "checkmo", "purchaseorder", "cashondelivery")
        if plan.life in ("pending", "edited", "canceled") and plan.method in ONLINE:
            return self.rng.choice(later[:3])
        if plan.life == "pending_payment":
            return self.rng.choice(ONLINE)
        return "banktransfer" if deal.virtual and plan.method == "cashondelivery" else plan.method

    def _stage(self, deal: Deal, life: str) -> Stage:
        unpaid = deal.method == "cashondelivery"  # paid to the carrier
        done = "complete" if deal.virtual else "processing"
        match life:
            case "complete":
                return Stage(state="complete", status="complete", invoiced=True, shipped=True)
            case "closed":
                return Stage(state="closed", status="closed", invoiced=True, shipped=True, refunded=True)
            case "canceled":
                return Stage(state="canceled", status="canceled", canceled=True)
            case "pending_payment" if deal.grand():
                return Stage(state="pending_payment", status="pending_payment")
            case "holded":
                return Stage(
                    state="holded",
                    status="holded",
                    invoiced=not unpaid,
                    before_hold=("processing", "processing"),
                )
            case "custom" if not deal.virtual:
                status = self.rng.choice(("in_production", "packed"))
                return Stage(state="processing", status=status, invoiced=not unpaid)
            case "no_status":
                return Stage(state=done, status=None, invoiced=True)
            case "partly_shipped" if not deal.virtual:
                return Stage(state="processing", status="processing", invoiced=True, part_shipped=True)
            case "pending" | "edited" if deal.grand():
                return Stage(state="new", status="pending")
        if unpaid:
            return Stage(state="processing", status="processing", shipped=True)
        return Stage(state=done, status=done, invoiced=True)

    def _updated(self, deal: Deal, created: datetime, now: datetime) -> datetime:
        """Some time later; a nightly job touches many in the same second."""
        rng = self.rng
        if deal.stage.state in ("new", "pending_payment"):
            return created + timedelta(seconds=rng.choice((0, 0, 1, 2)))
        if rng.random() < 0.15:
            nightly = (created + timedelta(days=1)).replace(hour=2, minute=15, second=0)
            if nightly <= now:
                return nightly
        later = created + timedelta(seconds=rng.randint(1, 3 * 86_400 if deal.stage.shipped else 7_200))
        return min(later, now.replace(microsecond=0))
