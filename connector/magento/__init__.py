"""Magento 2 and Adobe Commerce: reads orders by the REST API, every change once and in the shop's own order of time."""

from __future__ import annotations

from collections.abc import Iterator

from marshmallow import fields

from connector import Client, Connector, Entry, Finding
from connector.magento import catalogue, checking
from connector.magento.client import MagentoClient
from connector.magento.orders import Orders
from connector.settings import ACCOUNT, Secret, Settings, one_of, setting


class ShopAccount(Settings):
    """How to sign in to one shop. Which values are needed depends on `auth`."""

    auth = setting(
        fields.String(validate=one_of("oauth", "bearer", "admin")),
        section=ACCOUNT,
        label="Sign in by",
        help="oauth: an integration with its four values (recommended). bearer: the access token alone; since Magento "
        "2.4.4 the shop must allow it. admin: user name and password of an admin user without two-factor login.",
        default="oauth",
    )
    consumer_key = setting(
        Secret(),
        section=ACCOUNT,
        label="Consumer key",
        help="In the shop's admin: System > Extensions > Integrations. Create an integration, grant it Sales > Orders > "
        "View, Stores > All Stores and Customers > Customer Groups, activate it, and copy its four values here.",
    )
    consumer_secret = setting(Secret(), section=ACCOUNT, label="Consumer secret")
    access_token = setting(
        Secret(), section=ACCOUNT, label="Access token", help="For 'bearer', this is the only value needed."
    )
    access_token_secret = setting(Secret(), section=ACCOUNT, label="Access token secret")
    username = setting(
        fields.String(), section=ACCOUNT, label="Admin user name", help="Only for signing in by 'admin'."
    )
    password = setting(Secret(), section=ACCOUNT, label="Admin password", help="Only for signing in by 'admin'.")
    address_form = setting(
        fields.String(validate=one_of("paas", "saas")),
        section=ACCOUNT,
        label="Address form",
        help="paas: a shop of your own or in Adobe's cloud (/rest/all/V1). saas: Adobe Commerce as a Cloud Service; the "
        "address then ends with the tenant's id.",
        default="paas",
    )
    index_php = setting(
        fields.Boolean(),
        section=ACCOUNT,
        label="Address with index.php",
        help="Switch on where the shop has no URL rewriting: /index.php/rest instead of /rest.",
        default=False,
    )


class Magento(Connector):
    """One shop."""

    code = "magento"
    label = "Magento / Adobe Commerce"
    Settings = ShopAccount
    resources = (Orders,)
    catalogues = catalogue.CATALOGUES

    client: MagentoClient

    def make_client(self) -> Client:
        return MagentoClient(self.account, self.host)

    def check(self) -> list[Finding]:
        return checking.check(self.client)

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        """The shop's lists; what it has no list of is learned, at first from its newest orders."""
        yield from catalogue.collect(self.client)
        for kind, entries in catalogue.first_codes(self.client).items():
            self.host.learn(kind, entries)


__all__ = ["Magento"]
