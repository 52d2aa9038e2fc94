"""Sources and what lies in them. What a cart has ordered is reserved until it is shipped or canceled."""

from decimal import Decimal
from typing import Any

from sandbox import products
from sandbox.magento.refusal import Refused
from sandbox.money import ZERO, number, plain
from sandbox.products import Kind

SOURCES = (("default", "Default Source", "Leipzig", True), ("nord", "Lager Nord", "Hamburg", True),
           ("leipzig_markt", "Laden Leipzig", "Leipzig", True), ("alt", "Altes Lager", "Halle", False))  # fmt: skip
STOCK_ID = 1


def sku_list() -> list[str]:
    """Everything that can lie on a shelf."""
    found = []
    for product in products.PRODUCTS:
        if product.kind is Kind.CONFIGURABLE:
            found += [product.sku + suffix for suffix, _ in product.variants]
        elif product.kind is Kind.SIMPLE:
            found.append(product.sku)
    return found


class Stock:
    """Quantities by SKU and source. A SKU that no source knows is not counted."""

    def __init__(self) -> None:
        self.quantities: dict[tuple[str, str], Decimal] = {}
        for sku in sku_list():
            self.quantities[sku, "default"] = Decimal(10_000)
            self.quantities[sku, "nord"] = Decimal(500)
        self.reserved: dict[int, dict[str, Decimal]] = {}  # by order

    def knows(self, sku: str) -> bool:
        return any(one == sku for one, _ in self.quantities)

    def salable(self, sku: str) -> Decimal:
        """What can still be sold: the enabled sources less what is reserved."""
        enabled = {code for code, _, _, on in SOURCES if on}
        lying = sum((value for (one, code), value in self.quantities.items() if one == sku and code in enabled), ZERO)
        return lying - sum((order.get(sku, ZERO) for order in self.reserved.values()), ZERO)

    def check(self, source: str, pieces: dict[str, Decimal]) -> None:
        """Refused, in the only words that a shipment has for it, when the source cannot give so much."""
        known = source in {code for code, _, _, _ in SOURCES}
        short = [sku for sku, want in pieces.items() if self.knows(sku) and self._lying(sku, source) < want]
        if not known or short:
            raise Refused(400, "Could not save a shipment, see error log for details")

    def _lying(self, sku: str, source: str) -> Decimal:
        return self.quantities.get((sku, source), ZERO)

    def take(self, source: str, pieces: dict[str, Decimal], order: int) -> None:
        """Goods leave a source, and what was reserved for them is free."""
        for sku, quantity in pieces.items():
            if self.knows(sku):
                self.quantities[sku, source] = self._lying(sku, source) - quantity
            held = self.reserved.get(order, {})
            if sku in held:
                held[sku] = max(held[sku] - quantity, ZERO)

    def put_back(self, pieces: dict[str, Decimal]) -> None:
        """Returned goods lie in the default source again."""
        for sku, quantity in pieces.items():
            if self.knows(sku):
                self.quantities[sku, "default"] = self._lying(sku, "default") + quantity

    def reserve(self, order: int, pieces: dict[str, Decimal]) -> None:
        self.reserved[order] = {sku: quantity for sku, quantity in pieces.items() if self.knows(sku)}

    def release(self, order: int) -> None:
        self.reserved.pop(order, None)

    def set(self, sku: str, source: str, quantity: Any) -> None:
        self.quantities[sku, source] = number(quantity)

    def items(self) -> list[dict[str, Any]]:
        return [
            {"sku": sku, "source_code": code, "quantity": plain(value), "status": int(value > 0)}
            for (sku, code), value in self.quantities.items()
        ]


def sources() -> list[dict[str, Any]]:
    return [
        {
            "source_code": code,
            "name": name,
            "enabled": enabled,
            "description": name,
            "latitude": 0,
            "longitude": 0,
            "country_id": "DE",
            "city": city,
            "postcode": "04109",
            "use_default_carrier_config": True,
            "carrier_links": [],
            "extension_attributes": {"is_pickup_location_active": code == "leipzig_markt", "frontend_name": name},
        }
        for code, name, city, enabled in SOURCES
    ]


def stocks() -> list[dict[str, Any]]:
    channels = [{"type": "website", "code": code} for code in ("base", "europe")]
    return [{"stock_id": STOCK_ID, "name": "Default Stock", "extension_attributes": {"sales_channels": channels}}]
