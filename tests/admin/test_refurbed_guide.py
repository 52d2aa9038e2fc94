"""What refurbed's guide describes appears on the pages, from what its connector declares: no page knows its name."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sqlalchemy import select

from connector.plentyone import PlentyOne
from connector.refurbed import Refurbed
from connector.registry import Plugin, plugins
from profiles import wiring
from profiles.db import now
from profiles.models import CatalogueEntry, Connection, DataLog, EventProcedure
from profiles.secrets import seal, unseal
from sandbox.refurbed import TOKEN, build
from sandbox.server import Server
from tests.admin.conftest import Browser, Seeded
from tests.admin.test_connections import FETCH, ended, trial
from tests.profiles import memory_trade as trade

STATUSES = {
    "5": "Cleared for shipping",
    "7": "Outgoing items booked",
    "8": "Cancelled",
    "8.1": "Cancelled by customer",
    "9.6": "Return accepted",
}
TABLES = {
    "Send order confirmation to refurbed": ("Order change: Status change", "Cleared for shipping (5)", "Order"),
    "Send shipping confirmation to refurbed": (
        "Order change: Status change", "Outgoing items booked (7)", "Order, Delivery order",
    ),
    "Send order cancellation to refurbed": ("Order change: Status change", "Cancelled by customer (8.1)", "Order"),
    "Send invoice to refurbed": ("Order change: Invoice generated", None, "Order"),
    "Send order rejection to refurbed": ("Order change: Status change", "Cancelled (8)", "Order"),
    "Send refund to refurbed": (
        "Order change: Status change", "Return accepted (9.6)", "Order, Return, Credit note",
    ),
}  # fmt: skip


@pytest.fixture
def market(seeded: Seeded) -> Iterator[Server]:
    """The stand-in; both systems are known to this process."""
    for made in (Refurbed, PlentyOne):
        plugins()[made.code] = Plugin(code=made.code, package="tests", version="0", connector=made)
    server = Server(build(count=0, rate_limit=None), 0)
    server.start()
    yield server
    server.stop()


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def plain(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def form(server: Server, **changed: str) -> dict[str, str]:
    given = {"connection_name": "refurbed", "connection_address": server.base_url, "connection_active": "yes"}
    given |= {"s.token": TOKEN, "s.order_import": "yes", "s.import_returns": "yes"}
    return {**given, "s.order_import_from": "", "s.carrier": "", **changed}


def connection(seeded: Seeded, connector: str, address: str = "http://127.0.0.1:9", **settings: Any) -> int:
    moment = now()
    with seeded.db.session() as session:
        row = Connection(
            name=connector,
            connector=connector,
            base_url=address,
            credentials=seal(settings),
            created_at=moment,
            updated_at=moment,
        )
        session.add(row)
        session.flush()
        return int(row.id)


def test_an_account_asks_for_the_settings_of_the_guide_in_its_order(anna: Browser, market: Server) -> None:
    page = plain(text(anna.get("/connections/new/?connector=refurbed")).partition("<form")[2])
    words = (
        *("Name", "Active", "Token", "Order import", "Import orders from", "Import returns", "Shipping region"),
        "AfterShip carrier",
    )
    places = [page.find(f" {one} ") for one in words]
    assert -1 not in places, dict(zip(words, places, strict=True))
    assert places[2:] == sorted(places[2:])


def test_an_account_is_connected_by_its_token_which_is_checked_at_once(
    anna: Browser, seeded: Seeded, market: Server
) -> None:
    address = "/connections/new/?connector=refurbed"
    wrong = anna.post(address, form(market, do="test", **{"s.token": "wrong"}), headers=FETCH).get_json()
    said = trial(anna, wrong["job"])
    assert not said["ok"]
    assert "the token is wrong or has expired" in html.unescape(said["html"])
    right = anna.post(address, form(market, do="test"), headers=FETCH).get_json()
    assert trial(anna, right["job"])["ok"]
    answer = anna.post(address, form(market, do="save", tested="yes"))
    made = int(answer.headers["Location"].split("/")[-3])
    assert "AfterShip carriers" in ended(anna, made)["parts"]["collect"]["html"]
    page = text(anna.get(f"/connections/{made}/edit/"))
    assert '<option value="hermes-de">' in page  # the carriers that refurbed lists, kept
    with seeded.db.reading() as session:
        row = session.get_one(Connection, made)
        carriers = "/refb.merchant.v1.ShippingProfileService/ListAvailableCarriers"
        asked = session.scalars(select(DataLog.path).where(DataLog.connection_id == made)).all()
        assert asked.count(carriers) == 2, asked  # by the test and by collecting; no page asks again
        assert row.active
        assert TOKEN not in str(row.credentials)
        assert unseal(row.credentials)["token"] == TOKEN
    mandatory = plain(text(anna.get(f"/connections/{made}/")).partition('id="mandatory"')[2].partition("</ul>")[0])
    assert "no AfterShip carrier is selected. Select one in the connection." in mandatory


def test_the_six_procedures_are_offered_as_the_tables_of_the_guide(
    anna: Browser, seeded: Seeded, market: Server
) -> None:
    erp = connection(seeded, "plentyone", username="api", password="x")
    profile = trade.profile(seeded.db, erp, connection(seeded, "refurbed", market.base_url, token=TOKEN))
    lists = {"order_status": STATUSES, "referrer": {"1": "Webshop", "183": "refurbed"}}
    with seeded.db.session() as session:
        session.add_all(
            CatalogueEntry(connection_id=erp, kind=kind, entry=id, name=name, extra={}, collected_at=now())
            for kind, entries in lists.items()
            for id, name in entries.items()
        )
    page = text(anna.get("/procedures/"))
    tiles = {
        plain(tile.partition("</strong>")[0]).strip(): plain(tile)
        for tile in re.findall(r'<li class="tile offer">\s*<strong>(.*?)</li>', page, re.DOTALL)
    }
    assert list(tiles) == list(TABLES)
    for name, (event, status, types) in TABLES.items():
        tile = tiles[name]
        assert f"Event {event} " in tile, tile
        assert status is None or status in tile, tile
        assert f"Order » Order type {types} " in tile, tile
        assert re.search(r"Order » Referrer refurbed( \(183\))? ", tile), tile
        assert f"Procedure {name} " in tile, tile
    for code in ("confirm", "ship", "cancel", "invoice", "reject", "refund"):
        taken = anna.post("/procedures/take", {"profile": str(profile), "procedure": code}, page="/procedures/new/")
        made = text(anna.get(taken.headers["Location"]))
        assert '<optgroup label="Plugins » refurbed">' in made
    with seeded.db.reading() as session:
        rows = session.scalars(select(EventProcedure).order_by(EventProcedure.position)).all()
    assert [(one.name, one.status) for one in rows] == [
        (name, [re.sub(r".*\((.*)\)", r"\1", status)] if status else []) for name, (_, status, _) in TABLES.items()
    ]
    assert {tuple(one.filters["referrer"]) for one in rows} == {("183",)}
    assert not any(one.active for one in rows)


def test_errors_of_the_export_are_found_in_the_data_log_by_identifier_and_path(
    anna: Browser, seeded: Seeded, market: Server
) -> None:
    def control(action: str, **body: Any) -> Any:
        answer = requests.post(f"{market.base_url}/_sandbox/control/{action}", json=body, timeout=5)
        assert answer.status_code == 200, answer.text
        return answer.json()

    items = control("place", count=1, country="DE", items=[{"sku": "IP12-64-BLU-A"}, {"sku": "TP-T480-A"}])[0]["items"]
    control("fail_item", id=items[1]["id"], code=3)
    account = connection(seeded, "refurbed", market.base_url, token=TOKEN)
    with wiring.connected(seeded.db, account) as made:
        assert isinstance(made, Refurbed)
        made.client.batch(
            "BatchUpdateOrderItemsState",
            [{"id": one["id"], "state": "ACCEPTED"} for one in items],
            reference="4711",
        )
        made.client.ask("OrderService", "ListOrders", {})
    query = {"identifier": "refurbed", "path": "/refb.merchant.v1.OrderItemService/", "level": "error"}
    page = text(anna.get("/log/", query_string=query))
    rows = page.partition("<tbody>")[2].partition("</tbody>")[0]
    assert rows.count("<tr>") == 1
    assert ">4711</a>" in rows
    assert 'class="said" title="entry 2: ' in rows
    everything = text(anna.get("/log/?identifier=refurbed")).partition("<tbody>")[2].partition("</tbody>")[0]
    assert everything.count("<tr>") == 2
