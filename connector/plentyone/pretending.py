"""What PlentyONE would answer to a change: a dry run sends nothing and goes on with these."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connector import Payload
from connector.client import dumps
from connector.plentyone.shapes import amount, rows
from connector.records import cents

RELATION = re.compile(r"/rest/payment/(?P<payment>[^/]+)/(?P<name>order|contact)/(?P<other>[^/?]+)$")


class Pretence:
    """Made-up ids count up: dry-1, dry-2."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)

    def answer(self, method: str, path: str, body: Any) -> Any:
        if path == "/rest/batch":
            return [self._part(payload) for payload in rows(body.get("payloads"))]
        if found := RELATION.search(path):
            return {"id": self._id(), "paymentId": found["payment"], f"{found['name']}Id": found["other"]}
        if method == "POST" and path == "/rest/orders":
            return self._order(body)
        echoed = dict(body) if isinstance(body, Mapping) else {}
        return {"id": self._id(), **echoed} if method == "POST" else echoed

    def _id(self) -> str:
        return f"dry-{next(self._ids)}"

    def _part(self, payload: Payload) -> Payload:
        path = "/" + str(payload["resource"]).lstrip("/")
        content = dumps(self.answer(payload["method"], path.split("?")[0], payload.get("body")))
        return {"resource": payload["resource"], "method": payload["method"], "content": content}

    def _order(self, body: Mapping[str, Any]) -> Payload:
        """The order with its total, calculated as PlentyONE does."""
        id = self._id()
        items: list[Payload] = []
        total = Decimal(0)
        first: Payload = {}
        for item in rows(body.get("orderItems")):
            items.append({**item, "id": self._id(), "orderId": id})
            for row in rows(item.get("amounts"))[:1]:
                first = first or row
                price = (amount(row.get("priceOriginalGross")) or Decimal(0)) - (amount(row.get("discount")) or 0)
                total += (amount(item.get("quantity")) or Decimal(1)) * price
        row = {
            "isSystemCurrency": first.get("isSystemCurrency", True),
            "currency": first.get("currency"),
            "invoiceTotal": cents(total),
            "paidAmount": 0,
        }
        return {**body, "id": id, "orderItems": items, "amounts": [row], "lockStatus": "unlocked"}
