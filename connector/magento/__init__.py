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
        fields.String(
            validate=one_of(
                "oauth", "bearer", "admin", labels=("Integration (recommended)", "Access token alone", "Admin user")
            )
        ),
        section=ACCOUNT,
        label="Sign in by",
        help="Integration: its four values sign every call. Access token alone: since Magento 2.4.4 the shop must allow "
        "it. Admin user: user name and password of an admin user without two-factor login.",
        default="oauth",
    )
    consumer_key = setting(
        Secret(),
        section=ACCOUNT,
        label="Consumer key",
        help="In the shop's admin: System > Extensions > Integrations. Create an integration, grant it Sales > Orders > "
        "View, Stores > All Stores and Customers > Customer Groups, activate it, and copy its four values here. An order "
        "import also needs the actions of Sales > Orders: invoice, ship, hold, unhold, cancel, credit memos and comments.",
        required=True,
        when={"auth": ("oauth",)},
    )
    consumer_secret = setting(
        Secret(), section=ACCOUNT, label="Consumer secret", required=True, when={"auth": ("oauth",)}
    )
    access_token = setting(
        Secret(), section=ACCOUNT, label="Access token", required=True, when={"auth": ("oauth", "bearer")}
    )
    access_token_secret = setting(
        Secret(), section=ACCOUNT, label="Access token secret", required=True, when={"auth": ("oauth",)}
    )
    username = setting(
        fields.String(), section=ACCOUNT, label="Admin user name", required=True, when={"auth": ("admin",)}
    )
    password = setting(Secret(), section=ACCOUNT, label="Admin password", required=True, when={"auth": ("admin",)})
    address_form = setting(
        fields.String(
            validate=one_of(
                "paas", "saas", labels=("Own shop or Adobe Commerce Cloud", "Adobe Commerce as a Cloud Service")
            )
        ),
        section=ACCOUNT,
        label="Address form",
        help="For Adobe Commerce as a Cloud Service the address ends with the tenant's id.",
        default="paas",
    )
    index_php = setting(
        fields.Boolean(),
        section=ACCOUNT,
        label="Address with index.php",
        help="Switch on where the shop has no URL rewriting: /index.php/rest instead of /rest.",
        default=False,
    )
    admin_path = setting(
        fields.String(),
        section=ACCOUNT,
        label="Path of the admin",
        help="The last part of the address of the shop's admin, for example admin_1a2b3c. With it, an order's page links "
        "to the order in the shop. Magento opens such links only where Stores > Configuration > Advanced > Admin > "
        "Security > Add Secret Key to URLs is off.",
        placeholder="admin",
        when={"address_form": ("paas",)},
    )


class Magento(Connector):
    """One shop."""

    code = "magento"
    label = "Magento / Adobe Commerce"
    description = "The shop whose orders are read: Magento 2 Open Source, Adobe Commerce, also as a cloud service."
    address_example = "https://www.your-shop.com"
    address_help = "The address of the shop as customers type it, without /rest or /admin."
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
