"""Shipping: the items of an order or a delivery order become SHIPPED, each with its parcel and its own number.

A delivery order speaks for its own lines. A sale whose goods leave with delivery orders speaks only for what lies in
packages of its own; for the rest it waits until its delivery orders have reported it, so that nothing is reported by two
and nothing is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from marshmallow import ValidationError, fields

from connector import Payload, RecordFailed, RetryLater
from connector.procedures import STATUS, Template
from connector.records import OrderKind, OrderLine, Package
from connector.refurbed import tracking
from connector.refurbed.accepting import REFERRER
from connector.refurbed.account import unknown
from connector.refurbed.acting import (
    ACCEPTED,
    CANCELLED,
    IDENTIFIERS,
    NEW,
    REJECTED,
    RETURNED,
    SHIPPED,
    STATES,
    VALUES,
    WAIT,
    Act,
    Item,
    Position,
    Work,
    listed,
)
from connector.settings import SHIPMENT, Choice, Settings, ValueMap, setting


def _template(value: str) -> None:
    if not tracking.usable(value):
        raise ValidationError(
            message="Must begin with https:// (or http://) and hold {number} where the package number belongs."
        )


class ShipOptions(Settings):
    """What people set up at an event procedure that ships."""

    carriers = setting(
        ValueMap("shipping_profile", Choice("carrier")),
        section=SHIPMENT,
        label="Carriers by shipping profile",
        help="Only where not all parcels go with the AfterShip carrier of the account.",
    )
    tracking_urls = setting(
        ValueMap("carrier", fields.String(validate=_template)),
        section=SHIPMENT,
        label="Tracking links",
        help="Where customers follow a parcel, by the carrier's code at refurbed (for example dhl). The links of well-known "
        "carriers are built in; enter only others. {number} stands for the package number.",
    )


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """How an item travels, as refurbed is told."""

    number: str
    carrier: str
    url: str

    @property
    def payload(self) -> Payload:
        return {
            "parcel_tracking_url": self.url,
            "parcel_carrier_tracking_number": {"carrier": self.carrier, "tracking_number": self.number},
        }

    def follows(self, item: Item) -> bool:
        """Whether refurbed shows this parcel; it never shows the number itself."""
        return item.tracking_url == self.url or self.number in item.tracking_url


class Ship(Act):
    """Table 5 of the guide."""

    code = "ship"
    label = "Send shipping confirmation to refurbed"
    help = (
        "Reports the items of the order or delivery order as shipped, with package number, tracking link and IMEI or "
        "serial number. It waits until a package number is there. Different serial numbers of one line need two "
        "separate delivery orders."
    )
    order_types = (OrderKind.SALE, OrderKind.DELIVERY)
    Options = ShipOptions
    template = Template(
        name="Send shipping confirmation to refurbed",
        event=STATUS,
        status=("7",),
        filters={"order_type": (str(OrderKind.SALE), str(OrderKind.DELIVERY)), "referrer": REFERRER},
    )

    def ready(self, work: Work) -> None:
        if not _numbered(work) and not work.order.fulfilment.shares:
            raise RetryLater(f"{work.name}: it has no package number yet; it waits for one", after=WAIT, aside=True)
        self._carrier(work)

    def act(self, work: Work) -> None:
        positions = work.positions()
        if not work.order.fulfilment.shares:
            work.single(positions)
        gone = [one.item for one in positions if one.item.state in (CANCELLED, REJECTED)]
        going = [one for one in positions if one.item.state in (NEW, ACCEPTED, SHIPPED)]
        parcels = {one.item.id: parcel for one in going if (parcel := self._parcel(work, one)) is not None}
        if work.order.fulfilment.shares:
            work.single(one for one in going if one.item.id in parcels)
        self._tell(work, [one for one in going if one.item.id in parcels], parcels)
        if parcels:
            work.known.learn(tracking=", ".join(sorted({one.number for one in parcels.values()})))
        self._wait(work, [one for one in going if one.item.id not in parcels])
        if gone and not work.order.fulfilment.shares:
            work.trouble.append(
                f"{listed(gone)} is cancelled or rejected at refurbed and cannot be shipped: keep the parcel back"
            )
        if not (work.done or work.waits or work.trouble or work.again):
            work.done.append("refurbed has it as shipped already")

    def _tell(self, work: Work, going: list[Position], parcels: dict[str, Parcel]) -> None:
        fresh = [one for one in going if one.item.state == ACCEPTED]
        late = [one for one in going if one.item.state == SHIPPED and not _shown(one, parcels[one.item.id])]
        updates = {one.item.id: _payload(work, one, parcels[one.item.id]) for one in (*fresh, *late)}
        shipped = work.update(
            [{**updates[one.item.id], "state": SHIPPED} for one in fresh],
            STATES,
            lambda item: item.state in (SHIPPED, RETURNED),
        )
        changed = work.update(
            [updates[one.item.id] for one in late], VALUES, lambda item: parcels[item.id].follows(item)
        )
        if shipped:
            work.done.append(f"shipped at refurbed: {listed(shipped)}")
        if changed:
            work.done.append(f"parcel or serial number changed at refurbed: {listed(changed)}")
        if new := [one.item for one in going if one.item.state == NEW]:
            work.waits.append(f"{listed(new)} is not accepted at refurbed yet; it waits for the order confirmation")

    def _wait(self, work: Work, left: list[Position]) -> None:
        """For what no package with a number holds."""
        waiting = [one.item for one in left if one.item.state != SHIPPED]
        if waiting and work.order.fulfilment.shares:
            work.waits.append(
                f"{listed(waiting)} leaves with a delivery order of its own and waits until that is reported"
            )
        elif waiting:
            work.waits.append(f"{listed(waiting)} is in no package that has a number yet; it waits for one")

    def _parcel(self, work: Work, position: Position) -> Parcel | None:
        """The parcel of an item: the package that holds its line, else the one that does not say what is in it."""
        packages = work.order.fulfilment.packages
        holding = [one for one in packages if _holds(one, position.lines)]
        if not holding and work.order.fulfilment.shares:
            return None
        silent = [one for one in packages if not one.parts]
        numbered = [one for one in holding or silent if one.number]
        if not numbered:
            return None
        if len({one.number for one in numbered}) > 1:
            work.note(
                f"{work.name} has several packages that do not say what is in them: package number {numbered[0].number} is "
                "sent for all items of it."
            )
        number, carrier = str(numbered[0].number).strip(), self._carrier(work)
        own = work.occurrence.settings.get("tracking_urls") or {}
        return Parcel(number=number, carrier=carrier, url=tracking.url(carrier, number, own))

    def _carrier(self, work: Work) -> str:
        own = work.occurrence.settings.get("carriers") or {}
        mapped = own.get(work.order.shipping_method or "")
        found = mapped or self.connector.account.settings.get("carrier")
        if not found:
            raise RecordFailed(
                f"{work.name}: no AfterShip carrier is chosen. Choose one in the connection "
                f"{self.connector.account.name}."
            )
        if wrong := unknown(self.connector, str(found)):
            raise RecordFailed(f"{wrong} Nothing was sent.", setting="carriers" if mapped else None)
        return str(found)


def _numbered(work: Work) -> list[Package]:
    return [one for one in work.order.fulfilment.packages if (one.number or "").strip()]


def _holds(package: Package, lines: Iterable[OrderLine]) -> bool:
    keys = {line.key for line in lines}
    return any(part.line in keys and part.quantity > 0 for part in package.parts)


def _wanted(position: Position) -> list[Payload]:
    return [{"identifier_type": IDENTIFIERS[one.kind], "value": one.value} for one in position.identifiers]


def _shown(position: Position, parcel: Parcel) -> bool:
    """Whether refurbed has all that the order says of the item."""
    wanted = {(IDENTIFIERS[one.kind], one.value) for one in position.identifiers}
    return parcel.follows(position.item) and wanted <= position.item.identifiers


def _payload(work: Work, position: Position, parcel: Parcel) -> Payload:
    for one in position.identifiers:
        if not one.plausible:
            work.note(f"The check digit of IMEI {one.value} of {position.item.label} is wrong; it is sent as it is.")
    made = {"id": position.item.id, **parcel.payload}
    if wanted := _wanted(position):  # an empty list is no wish to take away what refurbed has
        made["item_identifiers"] = wanted
    return made
