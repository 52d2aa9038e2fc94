"""refurbed: a marketplace whose orders and returns are imported, and which is told what became of them."""

from __future__ import annotations

from collections.abc import Iterator

from connector import Catalogue, Client, Connector, ConnectorError, Entry, Finding
from connector.refurbed import account, checking
from connector.refurbed.answers import TokenRefused
from connector.refurbed.client import RefurbedClient
from connector.refurbed.orders import Orders
from connector.refurbed.parsing import ATTRIBUTES, CHANNEL, STORE
from connector.refurbed.procedures import Events
from connector.refurbed.returns import Returns
from connector.refurbed.shapes import ORDER_STATES, PAYMENT_METHODS, RETURN_STATES

FIXED = {
    "order_status": ORDER_STATES,
    "return_status": RETURN_STATES,
    "payment_method": PAYMENT_METHODS,
    "order_attribute": ATTRIBUTES,
    "store": {STORE: "refurbed"},
}  # lists of the contract itself


class Refurbed(Connector):
    """One merchant's account."""

    code = "refurbed"
    label = "refurbed"
    description = "The marketplace for renewed products: its orders and returns are imported."
    address_example = "https://api.refurbed.com"
    address_help = "The address of refurbed's merchant API, https://api.refurbed.com."
    Settings = account.AccountSettings
    resources = (Orders, Returns, Events)
    catalogues = (
        Catalogue(kind="carrier", label="AfterShip carriers"),
        Catalogue(kind="order_status", label="Order states"),
        Catalogue(kind="return_status", label="Return states"),
        Catalogue(kind="payment_method", label="Payment methods"),
        Catalogue(kind="order_attribute", label="Order fields"),
        Catalogue(kind="store", label="Stores"),
    )
    channel = CHANNEL
    deleted_inactive = True

    client: RefurbedClient

    def make_client(self) -> Client:
        return RefurbedClient(self.account, self.host)

    def check(self) -> list[Finding]:
        return checking.check(self.client)

    def duties(self) -> list[Finding]:
        return account.duties(self)

    def collect(self) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        """The carriers, which refurbed asks to keep, and the lists of the contract."""
        for kind, names in FIXED.items():
            yield kind, [Entry(id=id, name=name) for id, name in names.items()]
        try:
            found = dict(checking.listed(self.client.ask(*checking.CARRIERS)))
        except TokenRefused:
            raise
        except ConnectorError as error:
            yield "carrier", error
        else:
            yield "carrier", [Entry(id=slug, name=name) for slug, name in found.items()]


__all__ = ["Refurbed"]
