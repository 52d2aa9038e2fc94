"""A Magento shop as a stand-in: OAuth 1.0a, searchCriteria and orders as REST renders them.

Written from the vendor's documentation and recorded answers alone, never from the client that it rehearses.
"""

from datetime import UTC, datetime
from pathlib import Path

from sandbox import orders as source
from sandbox.magento.shop import Shop


def build(orders_from: Path | None = None, count: int = 200, seed: int = 1) -> Shop:
    """A shop with the orders of a folder, or with generated ones dated before this moment. ValueError when the folder has
    none."""
    if orders_from is not None:
        found = source.load(orders_from)
        if not found:
            raise ValueError(f"the folder {orders_from} holds no orders (files *.json, as GET /V1/orders gives them).")
        return Shop(found)
    return Shop(source.generate(count, seed, datetime.now(UTC)))
