"""Magento 2 and Adobe Commerce: orders of a shop, by its REST API."""

from __future__ import annotations

from collections.abc import Iterator

from marshmallow import fields

from connector import Catalogue, Connector, Entry, Finding
from connector.magento import catalogue
from connector.magento.client import MagentoClient
from connector.magento.orders import Orders
from connector.settings import ACCOUNT, Secret, Settings, one_of, setting

WHERE = "System » Extensions » Integrations, shown once when the integration is activated."


class ShopAccount(Settings):
    """What one shop needs: an integration's four secrets, or another kind of login."""

    auth = setting(
        fields.String(validate=one_of("oauth", "bearer", "admin")),
        section=ACCOUNT,
        label="Kind of login",
        default="oauth",
        help="oauth: the four secrets of an integration (recommended). bearer: its access token alone, where the shop "
        "allows it. admin: user name and password, only without two-factor login.",
    )
    consumer_key = setting(Secret(), section=ACCOUNT, label="Consumer key", help=WHERE)
    consumer_secret = setting(Secret(), section=ACCOUNT, label="Consumer secret", help=WHERE)
    access_token = setting(Secret(), section=ACCOUNT, label="Access token", help=WHERE)
    access_token_secret = setting(Secret(), section=ACCOUNT, label="Access token secret", help=WHERE)
    username = setting(fields.String(), section=ACCOUNT, label="User name", help="Only for the login 'admin'.")
    password = setting(Secret(), section=ACCOUNT, label="Password", help="Only for the login 'admin'.")
    address_form = setting(
        fields.String(validate=one_of("paas", "saas")),
        section=ACCOUNT,
        label="Form of the address",
        default="paas",
        help="paas: a shop of your own or in the Commerce cloud (…/rest/all/V1). saas: Commerce as a Cloud Service.",
    )
    index_php = setting(
        fields.Boolean(),
        section=ACCOUNT,
        label="Address with /index.php",
        default=False,
        help="Only where the shop does not rewrite its addresses.",
    )


class Magento(Connector):
    code = "magento"
    label = "Magento / Adobe Commerce"
    resources = (Orders,)
    catalogues = (
        Catalogue(kind="website", label="Websites"),
        Catalogue(kind="store_group", label="Stores"),
        Catalogue(kind="store", label="Store views"),
        Catalogue(kind="customer_group", label="Customer groups"),
        Catalogue(kind="order_status", label="Order statuses", learned=True),
        Catalogue(kind="payment_method", label="Payment methods", learned=True),
        Catalogue(kind="shipping_method", label="Shipping methods", learned=True),
    )
    client: MagentoClient

    Settings = ShopAccount

    def make_client(self) -> MagentoClient:
        return MagentoClient(self.account, self.host)

    def check(self) -> list[Finding]:
        return catalogue.check(self.client)

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        return catalogue.collect(self.client)


__all__ = ["Magento"]
