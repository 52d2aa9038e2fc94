"""Orders read from files, for a rehearsal with a shop's own."""

import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

NEEDED = ("entity_id", "increment_id", "updated_at")


def is_order(value: Any) -> bool:
    """Whether this looks like an order of GET /V1/orders; invoices and shipments name theirs, an order does not."""
    return isinstance(value, dict) and isinstance(value.get("items"), list) and "order_id" not in value


def load(folder: Path) -> list[dict[str, Any]]:
    """The orders of every JSON file of a folder, as they are: an order, a list, or an answer of GET /V1/orders.

    What is no order, or lacks what a shop always sends, is left out with a warning that names the file. The second
    order with an entity_id gets a fresh one, so that both are served.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8-sig"), parse_float=Decimal)
        except (OSError, ValueError) as error:
            logger.warning("%s is left out: %s", path.name, error)
            continue
        found += [(path.name, order) for order in _orders(path.name, content)]
    taken: set[int] = set()
    fresh = max((order["entity_id"] for _, order in found), default=0) + 1
    for name, order in found:
        entity_id = order["entity_id"]
        if entity_id in taken:
            text = "%s: order %s shares entity_id %s with another and is served as %s"
            logger.warning(text, name, order["increment_id"], entity_id, fresh)
            order["entity_id"] = fresh
            fresh += 1
        taken.add(order["entity_id"])
    return [order for _, order in found]


def _orders(name: str, content: Any) -> list[dict[str, Any]]:
    rows = content if isinstance(content, list) else [content]
    if isinstance(content, dict) and ("total_count" in content or list(content) == ["items"]):
        rows = content["items"] if isinstance(content.get("items"), list) else []
    good, strangers = [], 0
    for row in rows:
        if isinstance(row, dict) and "increment_id" in row and "items" in row and not isinstance(row["items"], list):
            said = "%s: order %s is left out: its items are no list (%r)"
            logger.warning(said, name, row["increment_id"], str(row["items"])[:40])
            continue
        if is_order(row) and not all(isinstance(item, dict) for item in row["items"]):
            said = "%s: order %s is left out: one of its items is no object"
            logger.warning(said, name, row.get("increment_id", "?"))
            continue
        missing = [key for key in NEEDED if row.get(key) in (None, "")] if is_order(row) else list(NEEDED)
        if missing == list(NEEDED):
            strangers += 1
        elif missing:
            logger.warning("%s: an order lacks %s and is left out", name, ", ".join(missing))
        elif not isinstance(row["entity_id"], int):
            logger.warning("%s: entity_id %r is no whole number; its order is left out", name, row["entity_id"])
        else:
            good.append(row)
    if strangers or not rows:
        logger.warning("%s is left out as far as it holds no orders (%d entries)", name, strangers)
    return good
