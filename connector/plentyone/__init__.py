"""PlentyONE: exports orders with their contacts, addresses and payments by its REST API, exactly once, to the cent."""

from __future__ import annotations

from collections.abc import Iterator

from marshmallow import fields

from connector import Budget, Client, Connector, ConnectorError, Entry, Finding, Options, SharedState
from connector.plentyone import aims, budget, catalogues, rights, sights
from connector.plentyone.client import PlentyClient
from connector.plentyone.orders import Orders
from connector.plentyone.returns import Returns
from connector.plentyone.watch import OrderEvents
from connector.settings import ACCOUNT, Secret, Settings, between, setting


class AccountSettings(Settings):
    """The REST user of one PlentyONE system."""

    username = setting(
        fields.String(),
        section=ACCOUNT,
        label="User name",
        help="A back-end user of access type REST-API, best one that only this connector uses. Each right that the "
        "connection test names must be granted to it.",
        required=True,
    )
    password = setting(Secret(), section=ACCOUNT, label="Password", required=True)
    system_currency = setting(
        fields.String(),
        section=ACCOUNT,
        label="System currency",
        help="The currency in which PlentyONE keeps its books, for example EUR. Leave it empty to use the default "
        "currency of the first client (web store) that is collected.",
        placeholder="EUR",
    )
    reserve_percent = setting(
        fields.Integer(validate=between(0, 50)),
        section=ACCOUNT,
        label="Calls left for people (%)",
        help="PlentyONE allows a number of calls per minute. This share of them is never used, so that people and "
        "other programs with the same user can go on working.",
        default=3,
    )
    index_lag_seconds = setting(
        fields.Integer(validate=between(0, 600)),
        section=ACCOUNT,
        label="Search delay (seconds)",
        help="How long PlentyONE may take until its lists show a new record. After a lost answer, 'not found' is "
        "believed only when so many seconds have passed.",
        default=15,
    )


class PlentyOne(Connector):
    """One PlentyONE system."""

    code = "plentyone"
    label = "PlentyONE"
    description = (
        "The ERP that takes your orders with their customers, addresses and payments (formerly plentymarkets)."
    )
    address_example = "https://p12345.my.plentysystems.com"
    address_help = (
        "The address of the PlentyONE system itself, as shown under Setup » Settings » API » Data, without /rest."
    )
    Settings = AccountSettings
    resources = (Orders, Returns, OrderEvents)
    catalogues = catalogues.CATALOGUES

    client: PlentyClient

    def make_client(self) -> Client:
        return PlentyClient(self.account, self.host)

    @classmethod
    def budget(cls, state: SharedState, account: Options) -> list[Budget]:
        percent = account.get("reserve_percent")
        return budget.seen(state, float(3 if percent is None else percent))

    def close(self) -> None:
        self.client.budget.tell()
        super().close()

    def check(self) -> list[Finding]:
        found = rights.check(self.client)
        watched = OrderEvents.entity in self.host.reads() and "Orders" in [one.name for one in found]  # it is logged in
        return [*found, *self._markets(), *(sights.check(self.client) if watched else ())]

    def _markets(self) -> Iterator[Finding]:
        """Whether the markets whose orders come here have a referrer that is active (guide: "activating the order
        referrer"). Only what is wrong is an own line, or that it is there."""
        for channel in sorted(self.host.channels()):
            name = f"Order referrer {channel}"
            try:
                found = aims.named(channel, catalogues.referrers(self.client))
            except ConnectorError:
                return  # that the list cannot be read is a finding of its own
            if found is None:
                said = (
                    f"There is no order referrer named {channel}. Make it under Setup » Orders » Order referrer, or choose "
                    "another one as 'Order referrer ID' of the profile."
                )
                yield Finding(name=name, ok=False, message=said)
            elif message := aims.invisible(found):
                yield Finding(name=name, ok=False, message=message)
            else:
                yield Finding(name=name, ok=True, message=f"{found.name} ({found.id}) is visible.")

    def collect(self) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        return catalogues.collect(self.client)
