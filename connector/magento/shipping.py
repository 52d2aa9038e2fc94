"""Shipments of an order and their tracking numbers: whole, in parts, and what follows later, each once.

A sale ships everything that is left, a delivery its own lines. While the goods have not all left, packages whose content
is known are shipped for themselves. Which package went with which shipment is kept (`packages`: "60001=12"), and stands
in the shipment's own comment, by which it is found again after doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector import Payload, RecordFailed
from connector.magento import standing
from connector.magento.answers import NotFound, Refused
from connector.magento.placed import Placed, items
from connector.magento.reading import ZERO, number, plain
from connector.magento.work import Work
from connector.records import DocumentKind, LineKind, Order, OrderKind, OrderLine, Package
from connector.settings import ident

COSTS = (LineKind.SHIPPING, LineKind.SURCHARGE)
TITLE = "PlentyONE"
CUSTOM = "custom"  # Magento's word for a carrier that it does not know
WAITS = "shipment"
WHOLE = "complete"


@dataclass(frozen=True, kw_only=True)
class Load:
    """One shipment to be. `quantities` by head; None: everything that is left."""

    quantities: dict[str, Decimal] | None
    packages: Sequence[Package]
    whole: bool


def bring(work: Work) -> None:
    """Raises RecordFailed naming the line, RetryLater, InDoubt."""
    fulfilment = work.order.fulfilment
    if fulfilment.shares:
        return  # its deliveries ship
    if work.options.create_shipment and _wanted(work):
        if work.doubt:
            _adopt(work, _candidates(work))
        load = _load(work)
        if load is not None:
            _ship(work, load)
    if work.options.import_tracking:
        _late_tracks(work)


def _wanted(work: Work) -> bool:
    options = work.options
    asked = []
    if options.shipment_status_condition:
        asked.append(work.status_in("shipment_statuses"))
    if options.shipment_document_condition:
        asked.append(work.document(DocumentKind.DELIVERY_NOTE))
    if options.shipment_tracking_condition:
        asked.append(_labelled(work.order) != [])
    if not asked:
        return work.order.fulfilment.shipped_at is not None or _labelled(work.order) != []
    return any(asked)


def _labelled(order: Order) -> list[Package]:
    return [one for one in order.fulfilment.packages if one.number]


def _everything(work: Work) -> bool:
    """Whether all goods have left; otherwise only packages that are labelled have."""
    if work.order.fulfilment.shipped_at is not None:
        return True
    if work.options.shipment_status_condition and work.status_in("shipment_statuses"):
        return True
    if work.options.shipment_document_condition and work.document(DocumentKind.DELIVERY_NOTE):
        return True
    return not all(one.parts for one in _labelled(work.order))


def _load(work: Work) -> Load | None:
    """What is to be shipped now; None when nothing is."""
    gone = _shipped_packages(work)
    fresh = [one for one in work.order.fulfilment.packages if one.key not in gone]
    if work.ref("shipped") == WHOLE:
        return None
    if not _everything(work):
        fresh = [one for one in fresh if one.number]
        parts = [(part.line, part.quantity) for one in fresh for part in one.parts]
        return _clipped(work, Load(quantities=pieces(work, parts), packages=fresh, whole=False)) if fresh else None
    if not _part(work):
        if not work.placed.to_ship:
            if fresh and not work.listed("shipment_ids") and _tracks(work, fresh):
                _adopt(work, _candidates(work), alone=True)  # shipped in the shop by hand
                if not work.listed("shipment_ids"):
                    numbers = ", ".join(str(one["track_number"]) for one in _tracks(work, fresh))
                    work.known.note(
                        f"Tracking number {numbers} is not in Magento: nothing is left to ship there, and no shipment "
                        "is known to be the one."
                    )
            return None
        return _allowed(work, Load(quantities=None, packages=fresh, whole=True))
    lines = [(line.key, line.quantity) for line in work.order.lines if goods(line, work.order)]
    before = [
        (part.line, -part.quantity) for one in work.order.fulfilment.packages if one.key in gone for part in one.parts
    ]
    load = _clipped(work, Load(quantities=pieces(work, lines + before), packages=fresh, whole=True))
    if load is None and not work.listed("shipment_ids") and not work.waits:
        _adopt(work, _candidates(work), alone=True)
    return load


def _part(work: Work) -> bool:
    """Whether the record is a part of the shop's order: a delivery, or a sale that another was split off from or that
    lines were taken out of. A sale with a line that is none of the shop's is taken for the whole order."""
    if work.order.fulfilment.kind is not OrderKind.SALE:
        return True
    lines = [line for line in work.order.lines if goods(line, work.order)]
    if not lines or any(work.placed.find(line.external, line.sku) is None for line in lines):
        return False
    held = pieces(work, [(line.key, line.quantity) for line in lines])
    return any(
        held.get(head.id, ZERO) < head.ordered - head.item.amount("qty_canceled") - head.item.amount("qty_refunded")
        for head in work.placed.heads
        if not head.item.flag("is_virtual")
    )


def _clipped(work: Work, load: Load) -> Load | None:
    """Never more than is left."""
    left = {head.id: head for head in work.placed.heads}
    kept: dict[str, Decimal] = {}
    for id, wanted in (load.quantities or {}).items():
        head = left[id]
        if head.item.flag("is_virtual"):
            continue
        quantity = min(wanted, head.to_ship if work.placed.to_ship else ZERO)
        if quantity < wanted:
            work.known.note(
                f"Of {head.sku} {plain(wanted)} left the warehouse, but only {plain(quantity)} are left to ship in Magento."
            )
        if quantity > 0:
            kept[id] = quantity
    if not kept:
        return None
    return _allowed(work, Load(quantities=kept, packages=load.packages, whole=load.whole))


def _allowed(work: Work, load: Load) -> Load | None:
    if work.placed.reviewed:
        raise standing.review(work, reason="the shipment waits")
    if work.placed.held:
        work.waits.append(WAITS)
        return None
    return load


def goods(line: OrderLine, order: Order) -> bool:
    """Parts of a bundle that the shop does not know of its own go with the bundle."""
    if line.kind in COSTS or line.quantity <= 0:
        return False
    keys = {one.key for one in order.lines}
    return not (line.kind is LineKind.COMPONENT and line.external is None and line.parent in keys)


def pieces(work: Work, parts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Quantities by head. The parts of a bundle count together: the bundle leaves with the first of them."""
    lines = {line.key: line for line in work.order.lines}
    rows: dict[tuple[str, str], Decimal] = {}
    for key, quantity in parts:
        line = lines.get(key)
        if line is None:
            raise RecordFailed(f"{work.name}: a package holds item {key!r}, which the order does not have.")
        if not goods(line, work.order):
            continue
        found = work.placed.find(line.external, line.sku)
        if found is None:
            raise RecordFailed(missing(work, line))
        head, row = found
        place = head.id, row.needed_text("item_id")
        rows[place] = rows.get(place, ZERO) + (quantity if not head.bundle else head.whole(row, quantity))
    quantities: dict[str, Decimal] = {}
    for (head_id, _row), quantity in rows.items():
        quantities[head_id] = max(quantities.get(head_id, ZERO), quantity)
    for head in work.placed.heads:
        if head.bundle and head.id in quantities and quantities[head.id] % 1:
            quantities[head.id] = quantities[head.id] // 1 + 1
    return {id: quantity for id, quantity in quantities.items() if quantity > 0}


def missing(work: Work, line: OrderLine) -> str:
    said = f"item {line.external}" if line.external else f"SKU {line.sku!r}" if line.sku else "neither item nor SKU"
    return (
        f"{work.name}: the line {line.name!r} ({said}) is none of Magento order {work.placed.number}, or several; ship or "
        "refund it there by hand."
    )


# sending


def _ship(work: Work, load: Load) -> None:
    options = work.options
    tracks = _tracks(work, load.packages)
    standing.remember(work)
    keys = ", ".join(one.key for one in load.packages)
    rest = f"; parcels {keys or 'none'}; {WHOLE if load.whole else 'in part'}"
    if load.quantities is not None:  # Magento would take it twice
        work.known.learn(shipping=f"{plain(_gone(work.placed))}{rest}")
    body: Payload = {
        "items": [] if load.quantities is None else items(load.quantities, work.placed),
        "notify": bool(options.send_shipment_email),
        "appendComment": False,
        "comment": work.mark(rest),
        "tracks": tracks,
    }
    source = _source(work)
    if source:
        body["arguments"] = {"extension_attributes": {"source_code": source}}
    try:
        id = work.make(f"order/{work.placed.id}/ship", body)
    except Refused as error:
        raise RecordFailed(
            f"{work.name}: Magento did not ship order {work.placed.number} from the inventory source "
            f"{source or 'default'!r}; it may lack the stock there, or not know the source. {error}",
            setting="source_mapping",
        ) from error
    _learn(work, id, load.packages, [str(one["track_number"]) for one in tracks], whole=load.whole)
    gone = load.quantities
    work.ended = gone is None or all(gone.get(head.id, ZERO) >= head.to_ship for head in work.placed.heads)
    count = len(tracks)
    if count > 1:
        work.done.append(f"shipment {id} with {count} tracking numbers")
    else:
        work.done.append(f"shipment {id} with one tracking number" if count else f"shipment {id}")


def _learn(work: Work, id: str, packages: Sequence[Package], numbers: Sequence[str], *, whole: bool) -> None:
    shipments = list(dict.fromkeys([*work.listed("shipment_ids"), id]))
    held = {**_shipped_packages(work), **{one.key: id for one in packages}}
    known = list(dict.fromkeys([*work.listed("tracks"), *numbers]))
    kind = work.order.fulfilment.kind
    work.known.learn(
        id=f"shipment/{shipments[0]}" if kind is OrderKind.DELIVERY else None,
        shipment_ids=", ".join(shipments),
        packages=", ".join(f"{key}={shipment}" for key, shipment in held.items()) or None,
        tracks=", ".join(known) or None,
        # a whole order's own rows say what is left of it, and people may add to it; a part is what it is
        shipped=WHOLE if whole and _part(work) else None,
        shipping="" if work.ref("shipping") else None,
    )


def _shipped_packages(work: Work) -> dict[str, str]:
    """Shipment by package."""
    return {key: id for one in work.listed("packages") for key, _, id in [one.partition("=")]}


def _source(work: Work) -> str | None:
    warehouse = work.order.fulfilment.warehouse
    if warehouse is None:
        return None
    rows = {ident(key): value for key, value in (work.options.get("source_mapping") or {}).items()}
    return str(rows.get(ident(warehouse)) or "").strip() or None


def _tracks(work: Work, packages: Iterable[Package]) -> list[Payload]:
    """Each number once, without those that are in the shop already."""
    if not work.options.import_tracking:
        return []
    known = set(work.listed("tracks"))
    numbers = dict.fromkeys(one.number for one in packages if one.number and one.number not in known)
    code, title = _carrier(work)
    by_number = {one.number: one for one in packages}
    return [
        {"track_number": number, "title": title or by_number[number].title or TITLE, "carrier_code": code}
        for number in numbers
    ]


def _carrier(work: Work) -> tuple[str, str | None]:
    options, record = work.options, work.order
    rows = {ident(key): row for key, row in (options.get("shipping_mapping") or {}).items()}
    row = rows.get(ident(record.shipping_method)) if record.shipping_method is not None else None
    row = row or {}
    code = (row.get("carrier_code") or options.get("default_carrier") or CUSTOM).strip()
    own = (row.get("title") or "").strip()
    profile = (record.shipping_title or "").strip()
    return code, (profile or own if options.use_profile_title else own or profile) or None


def _late_tracks(work: Work) -> None:
    """Numbers that came after their package was shipped. The shipment is read before: a call that adds one may repeat,
    and people enter numbers in the shop as well."""
    shipments = work.listed("shipment_ids")
    if not shipments:
        return
    held = _shipped_packages(work)
    for package in _labelled(work.order):
        for track in _tracks(work, [package]):
            id = held.get(package.key, shipments[0])
            if not any(_same_number(one, track) for one in _tracks_of(work, id)):
                _add_track(work, id, track, package)
            _learn(work, id, [package], [str(track["track_number"])], whole=False)


def _tracks_of(work: Work, id: str) -> list[Payload]:
    if work.dry and not id.isdigit():
        return []
    try:
        shipment = work.ask(f"shipment/{id}")
    except NotFound as error:
        raise RecordFailed(f"{work.name}: its shipment {id} does not exist in Magento any more. {error}") from error
    return _loose(shipment, "tracks")


def _add_track(work: Work, id: str, track: Payload, package: Package) -> None:
    kilos = Decimal(package.weight_grams or 0) / 1000
    entity = {
        "order_id": int(work.placed.id),
        "parent_id": int(id) if id.isdigit() else id,
        "weight": kilos,
        "qty": 1,
        "description": f"PlentyONE package {package.key}",
        **track,
    }
    work.send("shipment/track", {"entity": entity})
    work.done.append(f"tracking number {track['track_number']} added to shipment {id}")


def _same_number(one: Payload, track: Payload) -> bool:
    return str(one.get("track_number") or "").strip() == str(track["track_number"]).strip()


def _loose(paper: object, name: str) -> list[Payload]:
    rows = paper.get(name) if isinstance(paper, dict) else None
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []


# what is there already


def _candidates(work: Work) -> list[Payload]:
    """The order's shipments that no other record has made."""
    papers = work.papers("shipments")
    signed = work.signed(papers)
    kept = []
    for one in papers:
        mark = work.mark_of(one)
        if mark is not None and mark[0] != work.order.key:
            continue
        if str(one["entity_id"]) in work.listed("shipment_ids") or work.known.taken(f"shipment/{one['entity_id']}"):
            continue
        kept.append({**one, "signed": mark is not None, "signs": signed, "rest": mark[1] if mark else ""})
    return kept


def _adopt(work: Work, papers: Sequence[Payload], *, alone: bool = False) -> None:
    """Take over what an earlier attempt has made. `alone`: also the only shipment that nobody has made from here."""
    ours = [one for one in papers if one["signed"] or (not one["signs"] and _as_sent(work, one))] or _since(
        work, papers
    )
    if not ours and alone and len(papers) == 1:
        ours = list(papers)
    for one in ours:
        id, rest = str(one["entity_id"]), one["rest"]
        keys = {word.strip(" ,;") for word in rest.partition("parcels")[2].split()}
        packages = [two for two in work.order.fulfilment.packages if two.key in keys]
        numbers = [str(two.get("track_number") or "").strip() for two in _loose(one, "tracks")]
        packages = packages or [two for two in _labelled(work.order) if two.number in numbers]
        whole = WHOLE in rest or not (one["signed"] or rest)
        _learn(work, id, packages, [number for number in numbers if number], whole=whole)
        work.reset = work.reset or one["signed"]
        work.done.append(f"shipment {id} found in Magento")


def _since(work: Work, papers: Sequence[Payload]) -> list[Payload]:
    """The newest, where the shop shows no signs and more of the order is shipped than when ours was sent."""
    before, _, rest = (work.ref("shipping") or "").partition(";")
    unsigned = [one for one in papers if not one["signs"]]
    if not before or not unsigned or _gone(work.placed) <= Decimal(before):
        return []
    return [{**unsigned[-1], "rest": rest}]


def _gone(placed: Placed) -> Decimal:
    """Pieces shipped of all rows."""
    return sum((row.amount("qty_shipped") for head in placed.heads for row in (head.item, *head.below)), ZERO)


def _as_sent(work: Work, paper: Payload) -> bool:
    """Whether a shipment whose comments the shop does not show has our tracking numbers, or just what we would send."""
    numbers = {str(one.get("track_number") or "").strip() for one in _loose(paper, "tracks")}
    ours = {one.number for one in _labelled(work.order)}
    if numbers:
        return numbers <= ours
    if work.order.fulfilment.kind is OrderKind.SALE:
        return False
    lines = [(line.key, line.quantity) for line in work.order.lines if goods(line, work.order)]
    return pieces_of(paper, work.placed) == pieces(work, lines)


def pieces_of(paper: Payload, placed: Placed) -> dict[str, Decimal]:
    """Pieces by head that a shipment or credit memo names."""
    heads = {head.id for head in placed.heads}
    told: dict[str, Decimal] = {}
    for one in _loose(paper, "items"):
        key = str(one.get("order_item_id"))
        if key in heads:
            told[key] = told.get(key, ZERO) + (number(one.get("qty")) or ZERO)
    return {key: quantity for key, quantity in told.items() if quantity}
