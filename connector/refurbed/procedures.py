"""The six things that refurbed can be told when something happened to an order elsewhere, and their templates.

Source: the vendor's guide, chapter 6, Tables 4 to 9.
"""

from __future__ import annotations

from typing import Any

from connector import Ref
from connector.procedures import Procedures
from connector.refurbed.accepting import Cancel, Confirm, Reject
from connector.refurbed.invoicing import SendInvoice
from connector.refurbed.refunding import Refund
from connector.refurbed.shipping import Ship


class Events(Procedures):
    """The target of order events."""

    label = "Order events"
    refs = (
        Ref(key="id", label="refurbed order ID", sought=True),
        Ref(key="tracking", label="Package number", sought=True),
        Ref(key="invoice", label="Invoice at refurbed"),
        Ref(key="refund", label="Payments of refunds"),
    )
    procedures = (Confirm, Ship, Cancel, SendInvoice, Reject, Refund)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        """What refurbed would answer. Of a refund, the procedure goes on with what the calculation said; of an invoice it
        asks nothing."""
        return {}
