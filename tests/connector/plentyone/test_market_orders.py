"""Orders of a market: their referrer, what the market says of them, orders without VAT, foreign currencies. Over HTTP."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector import Entry, Missing, RecordFailed
from connector.plentyone.orders import Orders
from connector.records import Comment, Identifier, Order
from tests.connector.plentyone.records import ANNA, BERT, line, order
from tests.connector.plentyone.standin import Shop, StandIn


def placed(**given: Any) -> Order:
    told: dict[str, Any] = {"channel": "Refurbed", "lines": (line("8800101", tax_rate=Decimal(0)),)}
    return order(given.pop("number", "880010"), **{**told, **given})


def shown(plenty: StandIn, id: str) -> dict[str, Any]:
    return dict(plenty.control("order", {"id": int(id)}))


def notes(plenty: StandIn, id: str) -> list[str]:
    return [re.sub("<[^>]*>", "", one["text"]) for one in shown(plenty, id)["comments"]]


def test_the_referrer_is_the_one_of_the_markets_name(plenty: StandIn, shop: Shop) -> None:
    made = shown(plenty, shop.orders.write(placed(), shop.known(), shop.options()).key)
    assert (made["referrerId"], made["orderItems"][0]["referrerId"]) == (183, 183)
    assert made["contactReceiver"]["referrerId"] in (183, "183")


def test_a_referrer_that_is_set_comes_before_it_and_orders_of_no_market_keep_the_shops(
    plenty: StandIn, shop: Shop
) -> None:
    chosen = shop.orders.write(placed(), shop.known(), shop.options(referrer_id=10)).key
    assert shown(plenty, chosen)["referrerId"] == 10
    own = shop.orders.write(order(), shop.known(), shop.options()).key
    assert shown(plenty, own)["referrerId"] == 1


def test_the_client_of_an_account_is_the_one_that_its_store_is_mapped_to(plenty: StandIn, shop: Shop) -> None:
    mapping = {"de": {"webstore": 12345}, "refurbed": {"webstore": 12346}}
    shop.host.catalogues["webstore"] = [Entry(id="12345", name="Shop"), Entry(id="12346", name="Markets")]
    made = shown(
        plenty, shop.orders.write(placed(store="refurbed"), shop.known(), shop.options(store_mapping=mapping)).key
    )
    assert made["plentyId"] == 12346


def test_a_market_without_a_referrer_is_said_before_the_first_write(plenty: StandIn, shop: Shop) -> None:
    plenty.control("referrer", {"id": 183, "listed": False})
    shop.host.collect(shop.connector)
    told = Orders(shop.connector).check(placed(), shop.options())
    assert [str(one) for one in told] == [
        "Refurbed is not among PlentyONE's collected order referrers: activate it there under Setup » Orders » Order "
        "referrer and collect the lists again, or choose an order referrer"
    ]
    assert isinstance(told[0], Missing)
    assert told[0].setting == "referrer_id"
    with pytest.raises(RecordFailed, match="Refurbed is not among"):
        shop.orders.write(placed(), shop.known(), shop.options())


def test_a_referrer_that_nobody_made_visible_is_a_warning(plenty: StandIn, shop: Shop) -> None:
    quiet = shop.known()
    shop.orders.write(placed(), quiet, shop.options())
    assert quiet.notes == []
    plenty.control("referrer", {"id": 183, "visible": False})
    shop.host.collect(shop.connector)
    known = shop.known()
    written = shop.orders.write(placed(number="880011", key="880011"), known, shop.options())
    assert shown(plenty, written.key)["referrerId"] == 183
    assert any("Visible in selection" in one for one in known.notes)


def test_the_private_vat_id_stands_in_name4_beside_what_is_mapped_there(plenty: StandIn, shop: Shop) -> None:
    private = replace(ANNA, additional="IT RSSMRA80A01H501U", middle_name="Maria")
    wanted = placed(billing=private, shipping=replace(BERT, additional="IT RSSMRA80A01H501U"))
    fields = {"firstname": "name2", "lastname": "name3", "middlename": "name4"}
    known = shop.known()
    shop.orders.write(wanted, known, shop.options(address_field_mapping=fields))
    names = {one["id"]: one["name4"] for one in plenty.control("addresses")}
    assert names[int(known.refs["billing_id"])] == "Maria IT RSSMRA80A01H501U"
    assert names[int(known.refs["shipping_id"])] == "IT RSSMRA80A01H501U"


def test_what_the_market_says_stands_as_notes_and_a_shops_own_comments_do_not(plenty: StandIn, shop: Shop) -> None:
    label = Comment(text="Return label: https://labels.example/1.pdf")
    marked = line("8800101", tax_rate=Decimal(0), identifiers=(Identifier.of("490154203237518"), Identifier.of("SN-1")))
    known = shop.known()
    id = shop.orders.write(placed(comments=(label,), lines=(marked,)), known, shop.options()).key
    assert sorted(notes(plenty, id)) == [
        "Article A: IMEI 490154203237518, serial number SN-1",
        "Return label: https://labels.example/1.pdf",
    ]
    own = shop.orders.write(order(comments=(label,)), shop.known(), shop.options()).key
    assert notes(plenty, own) == []


def test_serial_numbers_that_come_back_from_the_market_are_no_news(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    id = shop.orders.write(placed(), known, shop.options()).key
    known.finished = True
    label = Comment(text="Return label: https://labels.example/1.pdf")
    marked = line("8800101", tax_rate=Decimal(0), identifiers=(Identifier.of("490154203237518"),))
    shop.orders.write(placed(comments=(label,), lines=(marked,)), known, shop.options())
    assert notes(plenty, id) == ["Return label: https://labels.example/1.pdf"]


@pytest.mark.parametrize(
    ("country", "currency", "rate"), [("DE", "EUR", "1"), ("PL", "PLN", "4.2719"), ("SE", "SEK", "11.0317")]
)
def test_differential_taxation_has_no_vat_and_the_total_to_the_cent(
    plenty: StandIn, shop: Shop, country: str, currency: str, rate: str
) -> None:
    where = replace(ANNA, country=country)
    lines = (
        line("1", "1033.33", tax_rate=Decimal(0)),
        line("2", "0.07", tax_rate=Decimal(0)),
        line("3", "249.99", tax_rate=Decimal(19)),
    )
    wanted = placed(
        lines=lines, currency=currency, base_currency="EUR", exchange_rate=Decimal(rate), billing=where, shipping=where
    )
    written = shop.orders.write(wanted, shop.known(), shop.options())
    assert written.total == Decimal("1283.39")
    made = shown(plenty, written.key)
    assert [(Decimal(str(one["vatRate"]))) for one in made["orderItems"]] == [0, 0, 19]
    own = made["amounts"][-1]
    assert (own["currency"], Decimal(str(own["invoiceTotal"]))) == (currency, Decimal("1283.39"))
    marks = [{row["typeId"]: row["value"] for row in one["properties"]}[41] for one in made["orderItems"]]
    assert marks == ["1", "2", "3"]


def test_a_state_that_is_not_mapped_hinders_no_later_change_of_a_markets_order(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    id = shop.orders.write(placed(), known, shop.options()).key
    known.finished = True
    moved = placed(status="SHIPPED", comments=(Comment(text="Return label: https://labels.example/1.pdf"),))
    assert shop.orders.check(moved, shop.options()) == []
    shop.orders.write(moved, known, shop.options())
    assert shown(plenty, id)["statusId"] == 5
    assert notes(plenty, id) == ["Return label: https://labels.example/1.pdf"]
    with pytest.raises(RecordFailed, match="order status 'SHIPPED' of store de is not mapped") as told:
        shop.orders.write(placed(number="880011", key="880011", status="SHIPPED"), shop.known(), shop.options())
    assert told.value.setting == "status_mapping"


def test_a_market_whose_referrer_is_gone_hinders_no_later_change(plenty: StandIn, shop: Shop) -> None:
    known = shop.known()
    shop.orders.write(placed(), known, shop.options())
    known.finished = True
    shop.host.catalogues["referrer"] = []
    assert not shop.orders.write(placed(), known, shop.options()).created


def test_the_connection_test_says_whether_the_referrer_of_a_market_is_active(plenty: StandIn, shop: Shop) -> None:
    shop.host.markets = {"refurbed"}

    def said() -> list[tuple[bool, str]]:
        return [(one.ok, one.message) for one in shop.connector.check() if one.name == "Order referrer refurbed"]

    assert said() == [(True, "refurbed (183) is visible.")]
    plenty.control("referrer", {"id": 183, "visible": False})
    ((ok, message),) = said()
    assert not ok
    assert "activate 'Visible in selection'" in message
    plenty.control("referrer", {"id": 183, "listed": False})
    ((ok, message),) = said()
    assert not ok
    assert "There is no order referrer named refurbed" in message
