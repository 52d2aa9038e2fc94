"""The bare script that the host is measured beside: the same calls with requests, nothing logged, nothing kept.

    python bench/bare.py SHOP_URL ERP_URL VARIATION_ID

Reads all orders page by page (signed as the shop wants it) and for each one creates the contact and the address where they
are new, the order, the payment, and the two relations in one batch. It maps nothing, checks nothing and knows nothing
after it ends.
"""

from __future__ import annotations

import sys
from collections import Counter
from typing import Any

import requests
from requests_oauthlib import OAuth1

PAGE = 100
WANTED = "processing,complete"


def criteria(page: int) -> dict[str, str]:
    base = "searchCriteria"
    return {
        f"{base}[filter_groups][0][filters][0][field]": "status",
        f"{base}[filter_groups][0][filters][0][value]": WANTED,
        f"{base}[filter_groups][0][filters][0][condition_type]": "in",
        f"{base}[sortOrders][0][field]": "entity_id",
        f"{base}[sortOrders][0][direction]": "ASC",
        f"{base}[pageSize]": str(PAGE),
        f"{base}[currentPage]": str(page),
    }


def address(order: dict[str, Any]) -> dict[str, Any]:
    given = order["billing_address"]
    return {
        "name2": given.get("firstname") or "",
        "name3": given.get("lastname") or "",
        "address1": " ".join(given.get("street") or []),
        "postalCode": given.get("postcode") or "",
        "town": given.get("city") or "",
        "countryId": 1,
    }


def items(order: dict[str, Any], variation: int) -> list[dict[str, Any]]:
    amount = {"isSystemCurrency": True, "currency": "EUR", "exchangeRate": 1}
    lines = [
        {
            "typeId": 1,
            "itemVariationId": variation,
            "quantity": line["qty_ordered"],
            "orderItemName": line["name"],
            "countryVatId": 1,
            "vatRate": line.get("tax_percent", 0),
            "amounts": [{**amount, "priceOriginalGross": line.get("price_incl_tax") or 0}],
        }
        for line in order["items"]
        if not line.get("parent_item_id")
    ]
    shipping = {"typeId": 6, "itemVariationId": 0, "quantity": 1, "orderItemName": "Shipping", "countryVatId": 1}
    return [*lines, {**shipping, "amounts": [{**amount, "priceOriginalGross": order.get("shipping_incl_tax") or 0}]}]


def main(shop_url: str, erp_url: str, variation: int) -> Counter[str]:
    calls: Counter[str] = Counter()
    oauth = OAuth1("ck", "cs", "at", "ats", signature_method="HMAC-SHA256")
    shop, erp = requests.Session(), requests.Session()

    def post(path: str, body: Any) -> Any:
        calls["write"] += 1
        answer = erp.post(f"{erp_url}{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    token = post("/rest/login", {"username": "connector", "password": "sandbox"})["accessToken"]
    erp.headers["Authorization"] = f"Bearer {token}"
    customers: dict[str, int] = {}
    places: dict[tuple[Any, ...], int] = {}
    page, seen, total = 1, 0, None
    while total is None or seen < total:
        calls["read"] += 1
        found = shop.get(f"{shop_url}/rest/all/V1/orders", params=criteria(page), auth=oauth, timeout=60).json()
        total, page = found["total_count"], page + 1
        for order in found["items"]:
            seen += 1
            calls["orders"] += 1
            who = str(order.get("customer_id") or order["customer_email"].lower())
            if who not in customers:
                person = {"typeId": 1, "referrerId": 1, "plentyId": 12345, "externalId": who, "lastName": who}
                customers[who] = post("/rest/accounts/contacts", person)["id"]
            contact = customers[who]
            place = address(order)
            known = (contact, *place.values())
            if known not in places:
                places[known] = post(f"/rest/accounts/contacts/{contact}/addresses?typeId=1", place)["id"]
            made = post(
                "/rest/orders",
                {
                    "typeId": 1,
                    "plentyId": 12345,
                    "statusId": 5,
                    "referrerId": 1,
                    "relations": [{"referenceType": "contact", "referenceId": contact, "relation": "receiver"}],
                    "addressRelations": [{"typeId": one, "addressId": places[known]} for one in (1, 2)],
                    "properties": [{"typeId": 7, "value": f"bare-{order['increment_id']}"}],
                    "orderItems": items(order, variation),
                },
            )["id"]
            if not order.get("total_paid"):
                continue
            payment = post(
                "/rest/payments",
                {
                    "amount": order["total_paid"],
                    "exchangeRatio": 1,
                    "mopId": 2,
                    "currency": order["order_currency_code"],
                    "type": "credit",
                    "status": 2,
                    "transactionType": 2,
                    "properties": [{"typeId": 1, "value": f"bare-{order['increment_id']}"}],
                },
            )["id"]
            relations = [f"rest/payment/{payment}/order/{made}", f"rest/payment/{payment}/contact/{contact}"]
            post("/rest/batch", {"payloads": [{"resource": one, "method": "POST"} for one in relations]})
    return calls


if __name__ == "__main__":
    print(dict(main(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
