"""The articles of the shop, as REST shows them; the price is that of the view in the path."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sandbox import products
from sandbox.cart import Store
from sandbox.magento.stock import Stock
from sandbox.money import plain
from sandbox.products import Kind, Product

CREATED = "2026-01-05 08:00:00"


@dataclass(frozen=True, kw_only=True)
class Article:
    """Something with a SKU: a product, or one variant of it."""

    id: int
    sku: str
    name: str
    product: Product
    type: str

    def price(self, store: Store) -> Decimal:
        """As this view's catalogue shows it: gross or net, in its currency."""
        if store.currency != "EUR":
            return self.product.zloty
        return self.product.gross if store.inclusive else self.product.net


def articles() -> list[Article]:
    """Products, and the variants of configurable ones beside them."""
    found = []
    for one in products.PRODUCTS:
        kind = one.kind.value.removeprefix("dynamic_").removeprefix("fixed_")
        found.append(Article(id=one.id, sku=one.sku, name=one.name, product=one, type=kind))
        if one.kind is Kind.CONFIGURABLE:
            for place, (suffix, label) in enumerate(one.variants):
                found.append(
                    Article(
                        id=one.id * 100 + place,
                        sku=one.sku + suffix,
                        name=one.name + label,
                        product=one,
                        type="simple",
                    )
                )
    return found


BY_SKU = {one.sku.casefold(): one for one in articles()}


def find(sku: str) -> Article | None:
    """By SKU, upper and lower case alike, as the database's collation has it."""
    return BY_SKU.get(sku.casefold())


def shown(article: Article, store: Store, stock: Stock) -> dict[str, Any]:
    """The payload of GET /V1/products/{sku}."""
    counted = stock.knows(article.sku)
    quantity = stock.salable(article.sku) if counted else Decimal(0)
    return {
        "id": article.id,
        "sku": article.sku,
        "name": article.name,
        "attribute_set_id": 4,
        "price": plain(article.price(store)),
        "status": 1,
        "visibility": 4,
        "type_id": article.type,
        "created_at": CREATED,
        "updated_at": CREATED,
        "weight": plain(article.product.weight_kg),
        "extension_attributes": {
            "website_ids": [1, 2],
            "stock_item": {
                "item_id": article.id,
                "product_id": article.id,
                "stock_id": 1,
                "qty": plain(quantity),
                "is_in_stock": quantity > 0 or not counted,
                "manage_stock": counted,
                "is_qty_decimal": article.product.by_measure,
            },
        },
        "product_links": [],
        "options": [],
        "media_gallery_entries": [],
        "tier_prices": [],
        "custom_attributes": [{"attribute_code": "tax_class_id", "value": "2"}],
    }
