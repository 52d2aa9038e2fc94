"""What a customer puts into the cart, and which taxes and prices apply to it."""

from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from sandbox import products
from sandbox.money import ZERO, cents
from sandbox.products import Kind, Product
from sandbox.totals import Row

VAT = {
    "DE": ("DE MwSt.", {"standard": "19", "reduced": "7"}),
    "AT": ("AT USt.", {"standard": "20", "reduced": "10"}),
    "FR": ("FR TVA", {"standard": "20", "reduced": "5.5"}),
    "PL": ("PL VAT", {"standard": "23", "reduced": "8"}),
    "CH": ("CH Export", {}),
}


def rate(country: str, tax: str) -> Decimal:
    """Percent; nothing for exports and untaxed goods."""
    return Decimal(VAT[country][1].get(tax, "0")) if country in VAT else ZERO


@dataclass(frozen=True, kw_only=True)
class Store:
    """How one store view sells."""

    id: int
    name: str
    country: str  # whose tax the catalogue's prices contain
    inclusive: bool
    currency: str = "EUR"
    exchange: Decimal = Decimal(1)


STORES = {
    1: Store(id=1, name="Main Website\nMain Website Store\nDefault Store View", country="DE", inclusive=False),
    2: Store(id=2, name="Europe\nEurope Store\nDeutsch", country="DE", inclusive=True),
    3: Store(
        id=3,
        name="Europe\nEurope Store\nPolski",
        country="PL",
        inclusive=True,
        currency="PLN",
        exchange=Decimal("4.2755"),
    ),
}


@dataclass(kw_only=True)
class Line:
    """A line of an order: `row` in the order's currency, `base` in the shop's; none when it costs nothing itself."""

    type: str
    product: Product
    sku: str
    name: str
    quantity: Decimal
    row: Row | None = None
    base: Row | None = None
    list_price: Decimal | None = None  # net, in the order's currency
    parent: "Line | None" = None
    children: "list[Line]" = field(default_factory=list)
    options: dict[str, Any] | None = None
    id: int = 0
    product_id: int = 0

    @property
    def virtual(self) -> bool:
        return self.type in ("virtual", "downloadable", "giftcard")


@dataclass(frozen=True, kw_only=True)
class Shopping:
    """Fills carts for one store and one destination."""

    store: Store
    country: str
    taxed: bool
    rng: Random

    def fill(self, kind: str) -> list[Line]:
        """The lines of a cart of this kind, children after their parents."""
        rng, one = self.rng, products.SIMPLE
        match kind:
            case "several":
                chosen = rng.sample(one, rng.randint(2, 4))
            case "large":
                chosen = rng.sample(one, rng.randint(7, 12))
            case "mixed_tax":
                chosen = [rng.choice([p for p in one if p.tax == tax]) for tax in ("standard", "reduced")]
            case "configurable":
                chosen = [
                    rng.choice(products.of(Kind.CONFIGURABLE)),
                    *rng.sample(one, rng.choice((0, 0, 1, 2))),
                ]
            case "physical_and_virtual":
                chosen = [rng.choice(one), rng.choice(products.of(Kind.VIRTUAL))]
            case "dynamic_bundle":
                chosen = [rng.choice(products.of(Kind.DYNAMIC_BUNDLE)), *rng.sample(one, rng.choice((0, 1)))]
            case "fixed_bundle":
                chosen = [rng.choice(products.of(Kind.FIXED_BUNDLE)), *rng.sample(one, rng.choice((0, 1)))]
            case "virtual" | "downloadable" | "giftcard":
                chosen = [rng.choice(products.of(Kind(kind)))]
            case "measure":
                chosen = [rng.choice(products.BY_MEASURE)]
            case "unknown":
                chosen = [rng.choice(products.UNKNOWN), *rng.sample(one, rng.choice((0, 1)))]
            case _:
                chosen = [rng.choice(one)]
        return [line for product in chosen for line in self._lines(product)]

    def _lines(self, product: Product) -> list[Line]:
        rng = self.rng
        quantity = Decimal(rng.choice((1, 1, 1, 1, 2, 2, 3, 5) if product.gross < 100 else (1, 1, 1, 2)))
        if product.by_measure:
            quantity = Decimal(rng.choice(("1.5", "2.5", "0.75", "3.2")))
        head = Line(
            type=product.kind.value.removeprefix("dynamic_").removeprefix("fixed_"),
            product=product,
            sku=product.sku,
            name=product.name,
            quantity=quantity,
            product_id=product.id,
        )
        match product.kind:
            case Kind.CONFIGURABLE:
                self._configure(head)
            case Kind.DYNAMIC_BUNDLE | Kind.FIXED_BUNDLE:
                self._bundle(head)
            case Kind.DOWNLOADABLE:
                head.options = {"downloadable_option": {"downloadable_links": [product.id * 10]}}
            case Kind.GIFT_CARD:
                head.options = {"giftcard_item_option": _gift_card(product)}
        if product.kind is not Kind.DYNAMIC_BUNDLE:
            self._price(head)
        return [head, *head.children]

    def _price(self, line: Line) -> None:
        """Rows in both currencies; the Polish view has prices of its own."""
        product, store = line.product, self.store
        here = rate(self.country, product.tax) if self.taxed else ZERO
        home = rate(store.country, product.tax)

        def row(price: Decimal) -> Row:
            return Row(price=price, quantity=line.quantity, rate=here, home_rate=home)

        line.base = row(product.gross if store.inclusive else product.net)
        line.row = line.base if store.currency == "EUR" else row(product.zloty)
        if product.list_price is not None and store.currency == "EUR":
            line.list_price = cents(product.list_price / (1 + home / 100))

    def _configure(self, head: Line) -> None:
        product = head.product
        number = self.rng.randrange(len(product.variants))
        suffix, label = product.variants[number]
        head.sku = product.sku + suffix
        head.options = {
            "configurable_item_options": [
                {"option_id": "93", "option_value": 40 + number},
                {"option_id": "142", "option_value": 160 + number},
            ]
        }
        head.children = [
            Line(
                type="simple",
                product=product,
                sku=head.sku,
                name=product.name + label,
                quantity=head.quantity,
                parent=head,
                product_id=product.id * 100 + number,
            )
        ]

    def _bundle(self, head: Line) -> None:
        head.quantity = Decimal(self.rng.choice((1, 1, 1, 2)))
        parts = [(products.BY_SKU[sku], per) for sku, per in head.product.parts]
        head.options = {
            "bundle_options": [
                {"option_id": part.id, "option_qty": per, "option_selections": [part.id * 10]} for part, per in parts
            ]
        }
        for part, per in parts:
            child = Line(
                type="simple",
                product=part,
                sku=part.sku,
                name=part.name,
                quantity=head.quantity * per,
                parent=head,
                product_id=part.id,
            )
            if head.product.kind is Kind.DYNAMIC_BUNDLE:
                self._price(child)
            head.children.append(child)
        # A bundle's own SKU is followed by those of its parts.
        head.sku = "-".join([head.product.sku, *(part.sku for part, _ in parts)])


def _gift_card(product: Product) -> dict[str, Any]:
    return {
        "giftcard_amount": str(product.gross),
        "giftcard_sender_name": "Hanna Vogel",
        "giftcard_sender_email": "hanna.vogel@example.com",
        "giftcard_recipient_name": "Nils Vogel",
        "giftcard_recipient_email": "nils.vogel@example.com",
    }
