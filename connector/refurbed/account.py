"""One account at refurbed: its settings in the words of the guide (Tables 2 and 3), and what of them is still missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from marshmallow import fields

from connector import Connector, Finding, StopRun
from connector.settings import ACCOUNT, Choice, Secret, Section, Settings, setting

ORDERS = Section("refurbed_orders", "Orders", 2)
RETURNS = Section("refurbed_returns", "Importing returns", 4)
REGION = Section("refurbed_region", "Shipping region", 6)


class AccountSettings(Settings):
    """The token, and what is exchanged."""

    token = setting(
        Secret(),
        section=ACCOUNT,
        label="Token",
        help="The token that you received from refurbed (supplier.refurbed.com/api-token-request). It expires when it is "
        "not used for two months.",
        required=True,
    )
    order_import = setting(
        fields.Boolean(),
        section=ORDERS,
        label="Order import",
        help="Activate the order import to import orders from refurbed.",
        default=False,
    )
    order_import_from = setting(
        fields.AwareDateTime(default_timezone=UTC),
        section=ORDERS,
        label="Import orders from",
        help="Optional start date and start time: orders that refurbed released before are not imported. This helps when "
        "you change from another integration.",
    )
    import_returns = setting(
        fields.Boolean(),
        section=RETURNS,
        label="Import returns",
        help="Activate the import of returns to import returns from refurbed.",
        default=False,
    )
    carrier = setting(
        Choice("carrier", side="own"),
        section=REGION,
        label="AfterShip carrier",
        help="The carrier of your parcels, from the list that refurbed offers once the account is connected.",
    )


def duties(connector: Connector) -> list[Finding]:
    """The mandatory settings of the guide, each with whether it is made. That the account is active, and what its last
    test said of the token, is the host's own."""
    settings = connector.account.settings
    wrong = _carrier(connector)
    return [
        Finding(name="Connected", ok=True, message="A token is entered.")
        if settings.get("token")
        else Finding(name="Connected", ok=False, message="Connect the account by entering the token."),
        Finding(name="Order import", ok=True, message="Orders are imported.")
        if settings.get("order_import")
        else Finding(name="Order import", ok=False, message="Switch on 'Order import' to import orders."),
        Finding(name="Import returns", ok=True, message="Returns are imported.")
        if settings.get("import_returns")
        else Finding(name="Import returns", ok=False, message="Switch on 'Import returns' to import returns."),
        Finding(name="AfterShip carrier", ok=wrong is None, message=wrong or "A carrier is selected."),
    ]


def demand(connector: Connector, switch: str) -> None:
    """Raise StopRun naming each setting that an import needs and that is not made. `switch`: its toggle button."""
    if said := list(_lacking(connector, switch)):
        raise StopRun(" ".join(said))


def _lacking(connector: Connector, switch: str) -> Iterator[str]:
    name, settings = connector.account.name, connector.account.settings
    if not settings.get("token"):
        yield no_token(name)
    if switch == "order_import" and not settings.get(switch):
        said = f"{name}: 'Order import' is switched off. Switch it on in the connection."
        yield said
    if switch == "import_returns" and not settings.get(switch):
        said = f"{name}: 'Import returns' is switched off. Switch it on in the connection."
        yield said
    if wrong := _carrier(connector):
        yield wrong


def _carrier(connector: Connector) -> str | None:
    """What is wrong with the account's carrier."""
    chosen = connector.account.settings.get("carrier")
    said = f"{connector.account.name}: no AfterShip carrier is selected. Select one in the connection."
    return unknown(connector, str(chosen)) if chosen else said


def unknown(connector: Connector, carrier: str) -> str | None:
    """A sentence where refurbed offers no such carrier, as far as its list was collected."""
    offered = {one.id for one in connector.host.catalogue("carrier")}
    if not offered or carrier in offered:
        return None
    name = connector.account.name
    return f"{name}: refurbed does not offer the carrier '{carrier}'. Select another one, or collect the lists again."


def no_token(name: str) -> str:
    return f"{name}: the account is not connected. Enter the token that refurbed gave you in the connection."
