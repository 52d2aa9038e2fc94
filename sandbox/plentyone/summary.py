"""What exists, for whoever wants to know whether everything arrived exactly once."""

from collections.abc import Callable, Hashable, Iterable
from typing import Any

from sandbox.plentyone.addresses import identity
from sandbox.plentyone.contacts import shown as contact_shown
from sandbox.plentyone.documents import documents_of
from sandbox.plentyone.orders import payment_status, property_of
from sandbox.plentyone.packages import numbers_of
from sandbox.plentyone.serials import serials_of
from sandbox.plentyone.tenant import Tenant
from sandbox.plentyone.values import Record


def summary(tenant: Tenant) -> dict[str, Any]:
    """Counts, short lists, and what exists more than once."""
    contacts = [contact_shown(tenant, row, set()) for row in tenant.contacts.values()]
    return {
        "counts": {
            "orders": len(tenant.orders),
            "contacts": len(tenant.contacts),
            "accounts": len(tenant.accounts),
            "addresses": len(tenant.addresses),
            "address_contact_relations": len(tenant.address_relations),
            "payments": len(tenant.payments),
            "order_relations": len(tenant.order_relations),
            "contact_relations": len(tenant.contact_relations),
            "comments": len(tenant.comments),
            "variations": len(tenant.variations),
            "packages": len(tenant.packages),
            "documents": len(tenant.documents),
            "serials": len(tenant.serials),
            "transactions": len(tenant.transactions),
            "delivery_orders": _of_type(tenant, 2),
            "returns": _of_type(tenant, 3),
            "credit_notes": _of_type(tenant, 4),
        },
        "orders": [_order(tenant, row) for row in tenant.orders.values()],
        "contacts": [
            {name: row[name] for name in ("id", "plentyId", "externalId", "number", "email", "typeId", "classId")}
            for row in contacts
        ],
        "addresses": [{"id": row["id"], "contactIds": _owners(tenant, row)} for row in tenant.addresses.values()],
        "payments": [_payment(tenant, row) for row in tenant.payments.values()],
        "order_relations": tenant.order_relations,
        "contact_relations": tenant.contact_relations,
        "duplicates": duplicates(tenant, contacts),
    }


def _order(tenant: Tenant, row: Record) -> Record:
    amounts = row["amounts"][-1]
    return {
        "id": row["id"],
        "plentyId": row["plentyId"],
        "externalId": property_of(row, 7),
        "typeId": row["typeId"],
        "statusId": row["statusId"],
        "items": len(row["orderItems"]),
        "currency": amounts["currency"],
        "invoiceTotal": amounts["invoiceTotal"],
        "paidAmount": amounts["paidAmount"],
        "paymentStatus": payment_status(row),
        "parentId": next((each["referenceOrderId"] for each in row["orderReferences"]), None),
        "packageNumbers": numbers_of(tenant, row),
        "documents": [each["type"] for each in documents_of(tenant, row)],
        "serialNumbers": [each["serialNumber"] for each in serials_of(tenant, row)],
        "updatedAt": row["updatedAt"],
    }


def _of_type(tenant: Tenant, kind: int) -> int:
    return sum(row["typeId"] == kind for row in tenant.orders.values())


def _property(row: Record, kind: int) -> str | None:
    return next((each["value"] for each in row["properties"] if each["typeId"] == kind), None)


def _transaction(row: Record) -> str | None:
    return _property(row, 1)


def _orders(tenant: Tenant, row: Record) -> list[int]:
    return [each["orderId"] for each in tenant.order_relations if each["paymentId"] == row["id"]]


def _debit_key(tenant: Tenant, row: Record) -> Hashable | None:
    """Money that went out for the same order, the same sum and the same reason: almost certainly twice."""
    orders = sorted(set(_orders(tenant, row)))
    if row["type"] != "debit" or not orders:
        return None
    return (*orders, str(row["amount"]), row["currency"], _property(row, 3))


def _payment(tenant: Tenant, row: Record) -> Record:
    return {
        "id": row["id"],
        "mopId": row["mopId"],
        "type": row["type"],
        "status": row["status"],
        "amount": row["amount"],
        "currency": row["currency"],
        "transactionId": _transaction(row),
        "bookingText": _property(row, 3),
        "parentId": row["parentId"],
        "receivedAt": row["receivedAt"],
        "orderIds": _orders(tenant, row),
        "contactIds": [each["contactId"] for each in tenant.contact_relations if each["paymentId"] == row["id"]],
    }


def _owners(tenant: Tenant, row: Record) -> list[int]:
    return sorted({each["contactId"] for each in tenant.address_relations.values() if each["addressId"] == row["id"]})


def duplicates(tenant: Tenant, contacts: list[Record]) -> dict[str, list[Record]]:
    """Groups of records that look like one, each with the key by which they do.

    Contacts of one e-mail address may be right (guests), so they stand apart from those of one external id.
    Equal addresses count when they belong to the same contacts.
    """
    owned = {row["id"]: _owners(tenant, row) for row in tenant.addresses.values()}
    return {
        "orders": _groups(
            tenant.orders.values(),
            # What PlentyONE itself made of an order carries the same external id and is no duplicate.
            lambda row: (
                (row["plentyId"], row["typeId"], property_of(row, 7))
                if property_of(row, 7) and not row["orderReferences"]
                else None
            ),
        ),
        "children": _groups(tenant.orders.values(), _child_key),
        "packages": _groups(
            tenant.packages.values(),
            lambda row: (row["orderId"], row["packageNumber"]) if row["packageNumber"] else None,
        ),
        "documents": _groups(
            tenant.documents.values(),
            lambda row: (tenant.document_orders[row["id"]], row["type"], row["numberWithPrefix"]),
        ),
        "contacts": _groups(contacts, lambda row: (row["plentyId"], row["externalId"]) if row["externalId"] else None),
        "contacts_by_email": _groups(
            contacts, lambda row: (row["plentyId"], row["email"].lower()) if row["email"] else None
        ),
        "addresses": _groups(tenant.addresses.values(), lambda row: (*owned[row["id"]], *identity(row))),
        "payments": _groups(
            tenant.payments.values(),
            lambda row: (row["mopId"], row["type"], _transaction(row)) if _transaction(row) else None,
        ),
        "debits": _groups(tenant.payments.values(), lambda row: _debit_key(tenant, row)),
        "serials": _groups(tenant.serials, lambda row: (row["orderItemId"], row["serialNumber"]), "serialNumberId"),
        "comments": _groups(
            tenant.comments.values(), lambda row: (row["referenceType"], row["referenceValue"], row["text"])
        ),
        "order_relations": _groups(tenant.order_relations, lambda row: (row["paymentId"],)),
        "contact_relations": _groups(tenant.contact_relations, lambda row: (row["paymentId"],)),
        "address_contact_relations": _groups(
            tenant.address_relations.values(), lambda row: (row["contactId"], row["addressId"], row["typeId"])
        ),
    }


def _child_key(row: Record) -> Hashable | None:
    """Credit notes and returns of one parent that take the same: almost certainly one that was made twice."""
    if row["typeId"] not in (3, 4) or not row["orderReferences"]:
        return None
    external = property_of(row, 97 if row["typeId"] == 4 else 80)
    lines = sorted(
        (each["references"][0]["referenceOrderItemId"] if each["references"] else 0, str(each["quantity"]))
        for each in row["orderItems"]
    )
    parent = row["orderReferences"][0]["referenceOrderId"]
    return (parent, row["typeId"], external, str(row["amounts"][-1]["invoiceTotal"]), tuple(lines))


def _groups(rows: Iterable[Record], key: Callable[[Record], Hashable | None], name: str = "id") -> list[Record]:
    found: dict[Hashable, list[int]] = {}
    for row in rows:
        if (own := key(row)) is not None:
            found.setdefault(own, []).append(row[name])
    return [{"key": own, "ids": ids} for own, ids in found.items() if len(ids) > 1]
