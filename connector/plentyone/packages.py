"""The parcels of the shop's shipments as packages of the order: one for each tracking number, once.

Nothing in PlentyONE stops a second package with the same number, so the order's packages are read before one is added.
"""

from __future__ import annotations

from connector import Payload, RetryLater
from connector.plentyone.following import is_echo, keep, kept
from connector.plentyone.shapes import rows
from connector.plentyone.work import Work, number
from connector.records import Package
from connector.settings import ident

UNPACKED = 0  # packageType
SENT = "tracked"  # ref: keys of the tracks that are there


def bring(work: Work, order_id: str, order: Payload) -> list[str]:
    """Raises RetryLater while the list may not show yet what an attempt in doubt added."""
    if not work.options.create_shipment:
        return []
    missing = _missing(work)
    if not missing:
        return []
    there = _there(work, order_id)
    added = []
    for one in missing:
        if _squeezed(one.number) not in there:
            if work.doubt and work.known.doubt_age < work.lag:
                raise RetryLater(
                    f"Order {work.order.number}: the package {one.number} may have been added by an earlier attempt; it is "
                    "looked up again before it is sent again",
                    after=work.lag - work.known.doubt_age + 0.5,
                    counts=False,
                )
            work.send("POST", f"/rest/orders/{order_id}/shipping/packages", body(work, one))
            there.add(_squeezed(one.number))
            added.append(str(one.number))
        keep(work, SENT, one.key)
    said = f"package {', '.join(added)} added"
    return [said] if added else []


def body(work: Work, package: Package) -> Payload:
    made: Payload = {
        "packageId": number(_kind(work)),
        "packageType": UNPACKED,
        "packageNumber": str(package.number).strip(),
    }
    if package.weight_grams:
        made["weight"] = package.weight_grams
    return made


def _kind(work: Work) -> str:
    chosen = work.options.default_shipping_package
    if chosen not in (None, ""):
        return ident(chosen)
    return next((one.id for one in work.host.catalogue("package_type")), "1")


def _missing(work: Work) -> list[Package]:
    done = kept(work, SENT)
    found = []
    for shipment in work.order.fulfilment.shipments:
        new = [one for one in shipment.packages if (one.number or "").strip() and one.key not in done]
        if new and is_echo(work, "shipment", shipment.key, shipment.comment):
            for one in new:
                keep(work, SENT, one.key)
        else:
            found += new
    return found


def _there(work: Work, order_id: str) -> set[str]:
    if work.client.dry is not None and not order_id.isdigit():
        return set()
    listed = work.client.entries(f"/rest/orders/{order_id}/shipping/packages", paged=False, reference=work.order.number)
    return {_squeezed(row.get("packageNumber")) for row in rows(list(listed))}


def _squeezed(text: object) -> str:
    return "".join(str(text or "").split()).upper()
