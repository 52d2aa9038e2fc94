"""An order of another channel becomes an order of the shop: once, to the cent, with nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import requests
import yaml

from connector import AccessDenied, InDoubt, Options, RecordFailed, RetryLater, SkipRecord
from connector.client import loads
from connector.magento import Magento, carts, placing
from connector.magento.carts import amount
from connector.magento.options import OrderOptions
from connector.magento.orders import Orders
from connector.records import Address, Customer, LineKind, Order, OrderLine, Payment
from connector.settings import defaults, load
from connector.testing import MemoryHost, MemoryKnown, MemoryLinks
from tests.conftest import shared
from tests.connector.magento.conftest import Shop

MARK = "PlentyONE order 700001, referrer 4 (eBay)"


def line(sku: str | None, quantity: str, gross: str, **more: Any) -> OrderLine:
    return OrderLine(
        key=f"item-{sku}",
        kind=more.pop("kind", LineKind.PRODUCT),
        sku=sku,
        name=more.pop("name", f"Article {sku}"),
        quantity=Decimal(quantity),
        gross=Decimal(gross),
    )


def order(*lines: OrderLine, total: str = "52.87", **changes: Any) -> Order:
    """Two packs of coffee and a cup, sent for 4.90."""
    goods = lines or (line("KAF-1000", "2", "37.98"), line("BECHER-W", "1", "9.99"))
    freight = OrderLine(key="f", kind=LineKind.SHIPPING, name="Versand", gross=Decimal("4.90"))
    where = Address(
        first_name="Eva",
        last_name="Fremd",
        street=("Weg", "1"),
        city="Ulm",
        postcode="89073",
        country="DE",
        email="eva@example.com",
    )
    moment = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    given: dict[str, Any] = {
        "key": "700001",
        "number": "700001",
        "store": "1001",
        "created_at": moment,
        "updated_at": moment,
        "currency": "EUR",
        "grand_total": Decimal(total),
        "customer": Customer(key="5001", email="eva@example.com", first_name="Eva", last_name="Fremd"),
        "billing": where,
        "shipping": where,
        "lines": (*goods, freight),
        "payment": Payment(method="6001"),
        "extra": {"referrer": "4", "referrer_name": "eBay"},
    }
    return Order(**{**given, **changes})


def options(**changes: Any) -> Options:
    given = {
        "create_new_order": True,
        "store_mapping": {"1001": "de", "1002": "pl"},
        "default_shipping_method": "flatrate_flatrate",
        **changes,
    }
    return Options({**defaults(OrderOptions), **load(given, OrderOptions)})


def place(shop: Shop, record: Order, known: MemoryKnown, connector: Magento | None = None, **changes: Any) -> str:
    return placing.place(Orders(connector or shop.connector()), record, known, options(**changes))


def again(shop: Shop, record: Order, known: MemoryKnown, attempts: int = 6, **changes: Any) -> str:
    """Attempts as the engine makes them: what was learned stays, a lost answer leaves doubt."""
    for attempt in range(1, attempts + 1):
        known.attempt = attempt
        try:
            return place(shop, record, known, **changes)
        except RetryLater as error:
            known.doubt, known.doubt_age = known.doubt or isinstance(error, InDoubt), 100.0
            shop.connector().client.call(
                "GET", "/rest/all/V1/store/websites"
            )  # a fault that waits for reads is used up
    raise AssertionError("it never came to an end")


def state(shop: Shop) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{shop.url}/_sandbox/state", timeout=30).json()
    return found


def placed(shop: Shop) -> list[dict[str, Any]]:
    return [shop.control("order", entity_id=one) for one in state(shop)["placed"]]


def marks(one: dict[str, Any]) -> list[str]:
    return [entry["comment"] for entry in one["status_histories"] if "PlentyONE" in str(entry["comment"])]


def reserved(shop: Shop, sku: str) -> Decimal:
    """What is kept back of it: the sources hold 10,500 of everything."""
    answer = shop.connector().client.ask("GET", f"inventory/get-product-salable-quantity/{sku}/1")
    return Decimal(10_500) - Decimal(str(answer.data))


def filled(shop: Shop, cart_id: str) -> list[Any]:
    found: list[Any] = shop.connector().client.ask("GET", f"carts/{cart_id}/items").data
    return found


def failed(shop: Shop, record: Order, known: MemoryKnown | None = None, **changes: Any) -> RecordFailed:
    with pytest.raises(RecordFailed) as caught:
        place(shop, record, known or MemoryKnown(), **changes)
    assert state(shop)["placed"] == []
    return caught.value


# one order


def test_an_order_of_another_channel_becomes_a_guests_order_with_its_goods_reserved(shop: Shop) -> None:
    known = MemoryKnown()
    entity_id = place(shop, order(), known)
    (made,) = placed(shop)
    assert str(made["entity_id"]) == entity_id == known.refs["id"]
    assert (made["store_id"], made["order_currency_code"], made["grand_total"]) == (2, "EUR", 52.87)
    assert (made["customer_is_guest"], made["customer_email"]) == (1, "eva@example.com")
    assert made["payment"]["method"] == "plentyone"
    where = made["extension_attributes"]["shipping_assignments"][0]["shipping"]
    assert where["method"] == "flatrate_flatrate"
    assert (where["address"]["street"], where["address"]["telephone"]) == (["Weg", "1"], "-")
    assert {one["sku"]: one["qty_ordered"] for one in made["items"]} == {"KAF-1000": 2, "BECHER-W": 1}
    assert reserved(shop, "KAF-1000") == 2
    assert known.refs["cart_id"] == str(made["quote_id"])
    assert (known.refs["number"], known.refs["status"], known.refs["state"]) == (made["increment_id"], "pending", "new")
    assert not placing.unfinished(known)


def test_its_origin_stands_in_a_comment_that_the_customer_does_not_see(shop: Shop) -> None:
    place(shop, order(), MemoryKnown())
    (made,) = placed(shop)
    (entry,) = [one for one in made["status_histories"] if one["comment"] == MARK]
    assert (entry["is_visible_on_front"], entry["is_customer_notified"], entry["status"]) == (0, 0, "pending")


def test_the_comment_says_what_is_known_of_the_channel() -> None:
    assert placing.mark(order(extra={})) == "PlentyONE order 700001"
    assert placing.mark(order(extra={"referrer": "2.08"})) == "PlentyONE order 700001, referrer 2.08"


def test_a_method_of_the_mapping_comes_before_the_one_for_all_others(shop: Shop) -> None:
    place(shop, order(), MemoryKnown(), payment_mapping={"6001": "banktransfer"})
    place(shop, order(payment=Payment(method="7")), MemoryKnown(), payment_method_fallback=" CheckMo ")
    assert [one["payment"]["method"] for one in placed(shop)] == ["banktransfer", "checkmo"]


def test_the_store_view_of_its_client_sells_it_in_its_own_currency(shop: Shop) -> None:
    record = order(line("BECHER-W", "1", "42.90"), total="62.80", store="1002", currency="PLN")
    record = replace(record, billing=replace(record.billing, country="PL"), shipping=None)
    place(shop, record, MemoryKnown())
    (made,) = placed(shop)
    assert (made["store_id"], made["order_currency_code"], made["grand_total"]) == (3, "PLN", 62.8)


def test_what_is_not_shipped_needs_no_shipping_method(shop: Shop) -> None:
    record = replace(order(line("GARANTIE-3", "1", "39.00"), total="39.00"), shipping=None)
    place(shop, record, MemoryKnown(), default_shipping_method=None)
    (made,) = placed(shop)
    assert (made["is_virtual"], made["grand_total"]) == (1, 39)


def test_the_same_article_in_two_lines_is_ordered_once_with_the_sum(shop: Shop) -> None:
    place(shop, order(line("kaf-1000", "1", "18.99"), line("kaf-1000", "2", "56.97"), total="61.87"), MemoryKnown())
    (made,) = placed(shop)
    assert [(one["sku"], one["qty_ordered"]) for one in made["items"]] == [("KAF-1000", 3)]


def test_a_company_without_a_person_is_named_by_its_last_name(shop: Shop) -> None:
    where = replace(order().billing, first_name=None, last_name=None, company="Fremd GmbH", phone="0731 1")
    place(shop, order(billing=where, shipping=where), MemoryKnown())
    (made,) = placed(shop)
    billing = made["billing_address"]
    assert (billing["firstname"], billing["lastname"], billing["telephone"]) == ("-", "Fremd GmbH", "0731 1")


# what is missing or unequal


def test_a_cancelled_order_is_not_placed(shop: Shop) -> None:
    known = MemoryKnown()
    for one, given in (
        (order(status="8", cancelled=True), {}),
        (order(status="8.1"), {"cancel_order": True, "cancel_statuses": [8.1]}),
    ):
        with pytest.raises(SkipRecord, match="order 700001 is cancelled"):
            place(shop, one, known, **given)
    assert [one for one in shop.host.calls if one.method != "GET"] == []
    place(shop, order(status="5"), known)  # taken up again
    assert len(placed(shop)) == 1


def test_a_cancelled_order_whose_placing_is_in_doubt_is_found(shop: Shop) -> None:
    known = MemoryKnown()
    shop.faults({"kind": "drop_after", "method": "PUT", "path": "*/order", "times": 1})
    with pytest.raises(InDoubt):
        place(shop, order(), known)
    id = again(shop, order(status="8", cancelled=True), known)
    assert [str(one["entity_id"]) for one in placed(shop)] == [id]


def test_missing_articles_are_all_named_before_anything_is_made(shop: Shop) -> None:
    before = state(shop)["carts"]
    record = order(line("KAF-1000", "1", "18.99"), line("NOWHERE", "1", "1"), line("NIRGENDS", "1", "1"))
    error = failed(shop, record, create_customer=True)
    assert "700001" in str(error)
    assert "'NOWHERE', 'NIRGENDS'" in str(error)
    assert "KAF-1000" not in str(error)
    assert state(shop)["carts"] == before
    assert len([one for one in shop.host.calls if "/products" in one.path]) == 1
    assert not [one for one in shop.host.calls if one.method != "GET"]


def test_an_article_that_needs_choices_is_named(shop: Shop) -> None:
    error = failed(shop, order(line("SHIRT", "1", "24.90")))
    assert "'SHIRT' is of the type configurable" in str(error)


def test_a_line_without_a_sku_is_named(shop: Shop) -> None:
    assert "'Sonderposten'" in str(failed(shop, order(line(None, "1", "9.99", name="Sonderposten"))))


def test_a_cent_of_difference_places_nothing_and_empties_the_cart(shop: Shop) -> None:
    known = MemoryKnown()
    error = failed(shop, order(total="52.86"), known)
    said = str(error)
    assert "Magento reckons 52.87 EUR" in said
    assert "52.86 EUR" in said
    assert "difference +0.01" in said
    assert "takes no prices by its interface" in said
    assert filled(shop, known.refs["cart_id"]) == []
    assert f"empty cart {known.refs['cart_id']} stays" in known.notes[-1]
    assert reserved(shop, "KAF-1000") == 0


def test_what_a_cart_comes_to_is_with_the_tax(shop: Shop) -> None:
    cart = place_cart(shop)
    told = cart.totals()
    assert carts.total(told) == Decimal("14.89")
    assert amount(told["grand_total"]) == Decimal("14.89") - amount(told["tax_amount"])  # type: ignore[operator]
    bare = {"grand_total": 14.89}  # where the shop names no segments
    assert carts.total(bare) == Decimal("14.89")


def place_cart(shop: Shop) -> carts.Cart:
    """A guest's cart with a cup, ready to be ordered."""
    client = shop.connector().client
    mask = carts.of_guest(client, "de", None)
    cart = carts.Cart(client=client, view="de", id="0", mask=mask, reference=None)
    cart.add("BECHER-W", Decimal(1))
    where = {"firstname": "E", "lastname": "F", "street": ["W 1"], "city": "Ulm", "postcode": "1", "country_id": "DE"}
    where |= {"telephone": "1", "email": "eva@example.com"}
    cart.ship(where, where, "flatrate", "flatrate")
    return cart


def test_after_a_failure_the_same_cart_is_used_again(shop: Shop) -> None:
    known = MemoryKnown()
    failed(shop, order(total="52.86"), known)
    cart_id, count = known.refs["cart_id"], state(shop)["carts"]
    assert not placing.unfinished(known)  # a person may have entered it by hand since: it is looked for as usual
    place(shop, order(), known)
    (made,) = placed(shop)
    assert (str(made["quote_id"]), state(shop)["carts"]) == (cart_id, count)


def test_goods_that_somebody_put_into_the_cart_meanwhile_are_noticed_where_the_total_fits(shop: Shop) -> None:
    connector, other = shop.connector(), shop.connector().client
    send = connector.client.transport

    def transport(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        path = str(request.path_url)
        if path.endswith("/totals"):
            cart = path.split("/")[-2]
            item = {"cartItem": {"sku": "BECHER-W", "qty": 1, "quote_id": cart}}
            other.ask("POST", f"guest-carts/{cart}/items", body=item, store="de")
        return send(request, timeout)

    connector.client.transport = transport
    with pytest.raises(RecordFailed, match="holds 4 pieces, the order has 3"):
        place(shop, order(total="62.86"), MemoryKnown(), connector)
    assert state(shop)["placed"] == []


def test_a_refusal_at_the_last_step_leaves_nothing_behind(shop: Shop) -> None:
    connector, known = shop.connector(), MemoryKnown()
    send = connector.client.transport

    def transport(request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        if str(request.path_url).endswith("/order"):  # somebody buys the last ones
            for source in ("default", "nord"):
                shop.control("stock", sku="KAF-1000", source_code=source, quantity=0)
        return send(request, timeout)

    connector.client.transport = transport
    with pytest.raises(RecordFailed, match="Order 700001: Magento does not place it"):
        place(shop, order(), known, connector)
    assert (state(shop)["placed"], filled(shop, known.refs["cart_id"])) == ([], [])
    assert not placing.unfinished(known)


def test_another_currency_places_nothing(shop: Shop) -> None:
    error = failed(shop, order(currency="PLN"))
    assert "its currency is PLN, and the store view sells in EUR" in str(error)
    assert error.setting == "store_mapping"


def test_what_is_out_of_stock_is_named_with_its_quantity(shop: Shop) -> None:
    known = MemoryKnown()
    error = failed(shop, order(line("KAF-1000", "1", "18.99"), line("BECHER-W", "99999", "1")), known)
    assert "99999 of the article 'BECHER-W'" in str(error)
    assert "requested qty is not available" in str(error)
    assert filled(shop, known.refs["cart_id"]) == []


def test_a_payment_method_that_is_not_offered_is_named_with_those_that_are(shop: Shop) -> None:
    error = failed(shop, order(), payment_method_fallback="gold")
    assert "'gold'" in str(error)
    assert "checkmo, banktransfer" in str(error)
    assert error.setting == "payment_method_fallback"
    assert failed(shop, order(), payment_mapping={"6001": "gold"}).setting == "payment_mapping"


def test_of_several_shipping_methods_a_person_chooses(shop: Shop) -> None:
    error = failed(shop, order(), default_shipping_method=None)
    assert "flatrate_flatrate, tablerate_bestway" in str(error)
    assert error.setting == "default_shipping_method"
    error = failed(shop, order(), default_shipping_method="pigeon_post_fast")
    assert "does not ship it by pigeon_post_fast to DE" in str(error)
    assert error.setting == "default_shipping_method"


def test_a_client_without_a_store_view_needs_the_mapping(shop: Shop) -> None:
    error = failed(shop, order(store="77"))
    assert "client 77" in str(error)
    assert error.setting == "store_mapping"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"country": None}, "billing address lacks a country"),
        ({"city": None, "street": ()}, "billing address lacks a town"),
        ({"email": None}, "has no e-mail address"),
    ],
)
def test_an_address_that_lacks_what_nobody_can_make_up_is_named(
    shop: Shop, changes: dict[str, Any], words: str
) -> None:
    where = replace(order().billing, **changes)
    error = failed(shop, order(billing=where, shipping=where, customer=Customer(key="5001")))
    assert words in str(error)
    assert not [one for one in shop.host.calls if one.method != "GET"]


def test_a_region_is_sent_as_magento_knows_it(shop: Shop) -> None:
    where = replace(order().billing, country="US", city="Austin", region="texas", postcode="73301")
    place(shop, order(billing=where, shipping=where, grand_total=untaxed()), MemoryKnown())
    (made,) = placed(shop)
    billing = made["billing_address"]
    assert (billing["region"], billing["region_code"], billing["region_id"]) == ("Texas", "TX", 57)


def test_a_region_that_magento_demands_and_nobody_knows_is_said(shop: Shop) -> None:
    where = replace(order().billing, country="US", city="Austin", postcode="73301")
    error = failed(shop, order(billing=where, shipping=where))
    assert "demands a region in addresses of US" in str(error)
    assert "State Options" in str(error)


def untaxed() -> Decimal:
    """What the order costs where no tax is taken: the catalogue's prices without the German one."""
    return Decimal("17.75") * 2 + Decimal("8.39") + Decimal("4.12")


# the customer


def test_a_customer_is_found_by_mail_and_made_once(shop: Shop) -> None:
    links = MemoryLinks()
    for _ in range(2):
        place(shop, order(), MemoryKnown(links), create_customer=True, default_customer_group="2")
    one, two = placed(shop)
    assert one["customer_id"] == two["customer_id"]
    assert one["customer_is_guest"] == 0
    made = shop.connector().client.ask("GET", f"customers/{one['customer_id']}").data
    assert (made["email"], made["group_id"], made["website_id"]) == ("eva@example.com", 2, 2)


def test_an_account_that_is_there_gets_the_order_though_none_is_created(shop: Shop) -> None:
    place(shop, order(), MemoryKnown(), create_customer=True)
    place(shop, order(), MemoryKnown())
    for right in ("Magento_Cart::manage", "Magento_Customer::customer"):
        shop.forbid(right)
        place(shop, order(), MemoryKnown())
        with pytest.raises(AccessDenied):
            place(shop, order(), MemoryKnown(), create_customer=True)
    other = order(customer=Customer(email="nobody@example.com"), billing=replace(order().billing, email=None))
    place(shop, other, MemoryKnown())
    assert [one["customer_is_guest"] for one in placed(shop)] == [0, 0, 1, 1, 1]


def test_a_new_customer_gets_the_group_of_the_class(shop: Shop) -> None:
    given = {"create_customer": True, "default_customer_group": "2", "customer_group_mapping": {"3": "4"}}
    for number, (group, wanted) in enumerate(((None, 2), ("3.0", 4), ("9", 2))):
        person = Customer(key="5001", email=f"eva{number}@example.com", group=group)
        place(shop, order(customer=person), MemoryKnown(), **given)
        made = shop.connector().client.ask("GET", f"customers/{placed(shop)[-1]['customer_id']}").data
        assert made["group_id"] == wanted, group


def test_the_addresses_of_a_new_customer_are_saved_only_where_that_is_switched_on(shop: Shop) -> None:
    elsewhere = replace(order().billing, city="Bonn", postcode="53111", street=("Gasse 2",), region="Berlin")
    for number, (on, shipping, towns) in enumerate(
        ((False, elsewhere, []), (True, None, ["Ulm"]), (True, elsewhere, ["Ulm", "Bonn"]))
    ):
        one = order(customer=Customer(key="5001", email=f"eva{number}@example.com"))
        connector = shop.connector()
        connector.client.log_bodies = True
        shop.host.calls.clear()
        there = replace(one, shipping=shipping or one.billing)
        place(shop, there, MemoryKnown(), connector, create_customer=True, create_address=on)
        [told] = [call for call in shop.host.calls if call.method == "POST" and call.path.endswith("/customers")]
        book = json.loads(str(told.request))["customer"].get("addresses", [])
        assert [row["city"] for row in book] == towns
        assert [row["default_shipping"] for row in book] == [town == towns[-1] for town in towns]
        assert [row["default_billing"] for row in book] == [town == towns[0] for town in towns]
        assert not any({"email", "save_in_address_book"} & set(row) for row in book)
        assert [row.get("region", {}).get("region") for row in book] == [None, "Berlin"][: len(towns)]


def test_address_fields_go_where_the_settings_want_them(shop: Shop) -> None:
    where = replace(
        order().billing,
        company="Kaff GmbH",
        extra={"care_of": "bei Meier", "gender": "female", "contact_person": "Ada"},
    )
    place(shop, order(billing=where, shipping=where), MemoryKnown(), gender_mapping={"female": "Frau"})
    mapping = {"company": "street", "firstname": "firstname", "lastname": "lastname", "contact_person": "lastname"}
    place(shop, order(billing=where, shipping=where), MemoryKnown(), address_field_mapping=mapping)
    one, two = (made["billing_address"] for made in placed(shop))
    assert (one["prefix"], one["company"], one["street"]) == ("Frau", "Kaff GmbH", ["Weg", "1", "bei Meier"])
    assert (two["lastname"], two["street"], two.get("company")) == ("Fremd Ada", ["Weg", "1", "Kaff GmbH"], None)
    assert "prefix" not in two


def test_a_guest_gets_an_account_only_where_that_is_switched_on(shop: Shop) -> None:
    guest = order(customer=Customer(email="gast@example.com", first_name="G", last_name="Ast"))
    place(shop, guest, MemoryKnown(), create_customer=True, create_customer_for_guest=False)
    place(shop, guest, MemoryKnown(), create_customer=True)
    assert [one["customer_is_guest"] for one in placed(shop)] == [1, 0]


def shopping(shop: Shop) -> tuple[str, str]:
    """A customer who is filling the cart in the shop: id, and number of the cart."""
    client = shop.connector().client
    person = {"email": "eva@example.com", "firstname": "Eva", "lastname": "Fremd", "website_id": 2, "store_id": 2}
    id = str(client.ask("POST", "customers", body={"customer": person}).data["id"])
    cart = str(client.ask("POST", f"customers/{id}/carts", store="de").data)
    item = {"cartItem": {"sku": "LAMPE-T", "qty": 1, "quote_id": cart}}
    client.ask("POST", f"carts/{cart}/items", body=item, store="de")
    return id, cart


def checkout(shop: Shop, number: str) -> str:
    """The customer orders what is in the cart."""
    cart = carts.Cart(client=shop.connector().client, view="de", id=number, mask=None, reference=None)
    address = {"firstname": "E", "lastname": "F", "street": ["W 1"], "city": "Ulm", "postcode": "1", "country_id": "DE"}
    address |= {"telephone": "1", "email": "eva@example.com"}
    cart.ship(address, address, "flatrate", "flatrate")
    return cart.order({"method": "checkmo"})


def test_the_cart_that_a_customer_is_filling_is_left_alone(shop: Shop) -> None:
    _, cart = shopping(shop)
    known = MemoryKnown()
    place(shop, order(), known, create_customer=True)
    (made,) = placed(shop)
    assert (made["customer_is_guest"], made["customer_email"]) == (1, "eva@example.com")
    assert [one["sku"] for one in filled(shop, cart)] == ["LAMPE-T"]
    assert "filled cart in the shop, which is left alone" in known.notes[0]


def test_a_customers_cart_does_not_keep_goods_that_were_not_ordered(shop: Shop) -> None:
    known = MemoryKnown()
    failed(shop, order(total="1.00"), known, create_customer=True)
    cart = next(one.path.split("/")[5] for one in shop.host.calls if one.path.endswith("/totals"))
    assert filled(shop, cart) == []
    assert not known.refs["cart_id"]  # what the customer orders with it later is none of ours


def test_what_a_customer_orders_with_the_cart_is_not_taken_for_ours(shop: Shop) -> None:
    customer, cart = shopping(shop)
    known = MemoryKnown(refs={"cart_id": cart})  # an earlier attempt began with it, and was killed
    own = checkout(shop, cart)
    entity_id = place(shop, order(), known, create_customer=True)
    assert entity_id != own
    assert len(placed(shop)) == 2
    assert {str(one["customer_id"]) for one in placed(shop)} == {customer}


def test_an_order_that_holds_more_than_ours_is_for_a_person(shop: Shop) -> None:
    _, cart = shopping(shop)
    for sku, quantity in (("KAF-1000", 2), ("BECHER-W", 1)):
        item = {"cartItem": {"sku": sku, "qty": quantity, "quote_id": cart}}
        shop.connector().client.ask("POST", f"carts/{cart}/items", body=item, store="de")
    checkout(shop, cart)
    with pytest.raises(RecordFailed, match="holds its articles and others"):
        place(shop, order(), MemoryKnown(refs={"cart_id": cart}), create_customer=True)
    assert len(placed(shop)) == 1


def test_goods_of_a_killed_attempt_do_not_stay_in_the_cart_that_the_customer_fills(shop: Shop) -> None:
    _, cart = shopping(shop)
    item = {"cartItem": {"sku": "KAF-1000", "qty": 2, "quote_id": cart}}
    shop.connector().client.ask("POST", f"carts/{cart}/items", body=item, store="de")
    place(shop, order(), MemoryKnown(refs={"cart_id": cart}), create_customer=True)
    assert [one["sku"] for one in filled(shop, cart)] == ["LAMPE-T"]
    assert placed(shop)[0]["customer_is_guest"] == 1


def test_two_orders_of_one_customer_never_meet_in_one_cart(shop: Shop) -> None:
    links = MemoryLinks()
    person = {"email": "eva@example.com", "firstname": "Eva", "lastname": "Fremd", "website_id": 2, "store_id": 2}
    shop.connector().client.ask("POST", "customers", body={"customer": person})
    records = [replace(order(), key=str(key), number=str(key)) for key in range(700001, 700005)]

    def work(record: Order) -> str:
        return place(shop, record, MemoryKnown(links), create_customer=True)

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(work, records))
    assert len(set(ids)) == len(placed(shop)) == 4
    assert {one["grand_total"] for one in placed(shop)} == {52.87}
    assert {one["customer_is_guest"] for one in placed(shop)} == {0}


# mails


def test_the_confirmation_that_magento_sends_is_said_where_it_is_not_wanted(shop: Shop) -> None:
    quiet, wanted = MemoryKnown(), MemoryKnown()
    place(shop, order(), quiet)
    place(shop, order(), wanted, send_new_order_email=True)
    assert "no call can hold it back" in quiet.notes[0]
    assert wanted.notes == []
    assert [one["kind"] for one in shop.control("mails")] == ["order", "order"]  # one each, by Magento itself


# exactly once

STEPS = (
    ("POST", "*/guest-carts"),
    ("POST", "*/items"),
    ("POST", "*/shipping-information"),
    ("PUT", "*/selected-payment-method"),
    ("PUT", "*/order"),
    ("POST", "*/comments"),
)
LOST = ("drop_before", "drop_after", "truncated", "error_after", "html_200")


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize(("method", "path"), STEPS)
def test_a_lost_answer_leads_to_one_order_and_one_comment(shop: Shop, method: str, path: str, kind: str) -> None:
    shop.faults({"kind": kind, "method": method, "path": path, "times": 1})
    known = MemoryKnown()
    entity_id = again(shop, order(), known)
    (made,) = placed(shop)
    assert (str(made["entity_id"]), made["grand_total"]) == (entity_id, 52.87)
    assert {one["sku"]: one["qty_ordered"] for one in made["items"]} == {"KAF-1000": 2, "BECHER-W": 1}
    assert marks(made) == [MARK]
    assert len(shop.control("mails")) == 1
    assert reserved(shop, "KAF-1000") == 2


@pytest.mark.parametrize("kind", LOST)
@pytest.mark.parametrize("path", ["*/customers", "*/customers/*/carts", "*/items", "*/order"])
def test_a_lost_answer_leads_to_one_order_of_one_customer(shop: Shop, path: str, kind: str) -> None:
    shop.faults({"kind": kind, "method": "write", "path": path, "times": 1})
    again(shop, order(), MemoryKnown(), create_customer=True)
    (made,) = placed(shop)
    assert (made["customer_is_guest"], made["grand_total"], marks(made)) == (0, 52.87, [MARK])


@pytest.mark.parametrize("seed", range(6))
def test_among_faults_everywhere_it_is_placed_once(shop: Shop, seed: int) -> None:
    kinds = ("drop_before", "drop_after", "truncated", "error_after", "status")
    shop.faults(*({"kind": kind, "rate": 0.06, "seed": seed * 10 + place} for place, kind in enumerate(kinds)))
    known = MemoryKnown()
    for _ in range(3):
        again(shop, order(), known, attempts=40)
    shop.faults()
    (made,) = placed(shop)
    assert (made["grand_total"], marks(made), len(shop.control("mails"))) == (52.87, [MARK], 1)


def test_a_repeated_attempt_places_nothing_more(shop: Shop) -> None:
    known = MemoryKnown()
    first = place(shop, order(), known)
    known.doubt, known.doubt_age = True, 100.0
    assert place(shop, order(), known) == first
    assert len(placed(shop)) == 1
    assert marks(placed(shop)[0]) == [MARK]


def test_a_worker_killed_after_placing_finds_its_order_by_the_cart(shop: Shop) -> None:
    known = MemoryKnown()
    shop.faults({"kind": "status", "method": "GET", "path": "*/orders/*"})
    with pytest.raises(RetryLater):
        place(shop, order(), known)
    shop.faults()
    entity_id = known.refs.pop("id")  # it was killed right before it learned this
    later = MemoryKnown(refs=known.refs)
    assert placing.unfinished(later)
    assert place(shop, order(), later) == entity_id == later.refs["id"]
    assert len(placed(shop)) == 1
    assert marks(placed(shop)[0]) == [MARK]


def test_the_mask_by_which_anybody_reads_a_guests_cart_is_not_kept(shop: Shop) -> None:
    known = MemoryKnown()
    place(shop, order(), known)
    assert not known.refs["cart_mask"]


@pytest.mark.parametrize("kind", ["drop_after", "truncated", "error_after"])
def test_the_mask_stands_in_no_message_and_no_line_of_the_log(shop: Shop, kind: str) -> None:
    known, connector = MemoryKnown(), shop.connector()
    said = [str(failed(shop, order(), known, payment_method_fallback="gold"))]
    shop.faults({"kind": kind, "method": "PUT", "path": "*/order", "times": 1})
    with pytest.raises(InDoubt) as caught:
        place(shop, order(), known, connector)
    said.append(str(caught.value))
    host = connector.client.host
    assert isinstance(host, MemoryHost)
    said += [f"{call.path} {call.error}" for call in host.calls]
    assert any("/guest-carts/.../order" in one for one in said)
    assert [one for one in said if known.refs["cart_mask"] in one] == []


@pytest.mark.parametrize("kept", [("cart_mask",), ("cart_mask", "cart_id")])
def test_a_worker_killed_while_filling_goes_on_with_the_same_cart(shop: Shop, kept: tuple[str, ...]) -> None:
    known = MemoryKnown()
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/shipping-information"})
    with pytest.raises(InDoubt):
        place(shop, order(), known)
    shop.faults()
    count = state(shop)["carts"]
    place(shop, order(), MemoryKnown(refs={key: known.refs[key] for key in kept}))
    (made,) = placed(shop)
    assert (state(shop)["carts"], made["grand_total"]) == (count, 52.87)


def test_an_answer_that_may_still_come_is_waited_for(shop: Shop) -> None:
    known = MemoryKnown()
    shop.faults({"kind": "drop_before", "method": "PUT", "path": "*/order", "times": 1})
    with pytest.raises(InDoubt):
        place(shop, order(), known)
    assert placing.unfinished(known)
    known.doubt, known.doubt_age = True, 5.0
    with pytest.raises(RetryLater) as caught:
        place(shop, order(), known)
    assert not isinstance(caught.value, InDoubt)
    assert (caught.value.counts, caught.value.after) == (False, 25.5)
    assert state(shop)["placed"] == []
    known.doubt_age = 31.0
    place(shop, order(), known)
    assert len(placed(shop)) == 1


def test_a_placed_order_of_another_total_is_said_and_not_placed_again(shop: Shop) -> None:
    known = MemoryKnown()
    shop.faults({"kind": "drop_after", "method": "POST", "path": "*/comments", "times": 1})
    with pytest.raises(InDoubt):
        place(shop, order(), known)
    shop.control("change_order", entity_id=int(known.refs["id"]), set={"grand_total": 53.87})
    known.doubt, known.doubt_age = True, 100.0
    with pytest.raises(RecordFailed, match=r"comes to 53\.87 EUR, and not to 52\.87 EUR"):
        place(shop, order(), known)
    assert marks(placed(shop)[0]) == [MARK]


# dry runs and the contract


def test_a_dry_run_plans_every_call_and_sends_none(shop: Shop) -> None:
    for changes in ({}, {"create_customer": True}, {"default_shipping_method": None}):
        connector, known = shop.connector(), MemoryKnown()
        connector.client.dry = placing.pretended
        shop.host.calls.clear()
        place(shop, order(), known, connector, **changes)
        assert {one.method for one in shop.host.calls} == {"GET"}
        steps = [f"{method} {path.rsplit('/', 1)[1]}" for method, path, _ in connector.client.planned]
        filling = ["POST items", *["POST estimate-shipping-methods"] * ("default_shipping_method" in changes)]
        placing_it = ["POST shipping-information", "PUT selected-payment-method", "PUT order", "POST comments"]
        assert steps[-len(filling + placing_it) :] == filling + placing_it
        assert "shows only when it is placed" in " ".join(known.notes)
    assert (state(shop)["placed"], state(shop)["carts"]) == ([], 0)


def test_other_calls_are_not_pretended() -> None:
    assert placing.pretended("POST", "/rest/all/V1/order/5/invoice", {}) is None
    assert placing.pretended("POST", "/rest/all/V1/orders/5/comments", {}) is None


@cache
def contract() -> dict[str, Any]:
    """The whole schema, made strict about names and lenient about what is left out (its `required` are PHP's)."""
    text = (shared() / "contracts/magento/admin-schema-2.4.9.yaml").read_text()
    found: dict[str, Any] = yaml.load(text, Loader=yaml.CSafeLoader)

    def strict(node: Any) -> None:
        if isinstance(node, dict):
            node.pop("required", None) if isinstance(node.get("required"), list) else None
            if node.get("type") == "object" and isinstance(node.get("properties"), dict):
                node["additionalProperties"] = False
            for inner in node.values():
                strict(inner)
        elif isinstance(node, list):
            for inner in node:
                strict(inner)

    strict(found)
    return found


def described(method: str, path: str) -> dict[str, Any] | None:
    plain = re.sub(r"^/rest/\w+", "", path).rstrip("/")
    for written, methods in contract()["paths"].items():
        if "/mine" not in written and method.lower() in methods:
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(written.rstrip("/")))
            if re.fullmatch(pattern, plain):
                found: dict[str, Any] = methods[method.lower()]
                return found
    return None


def test_every_request_is_one_of_the_contract(shop: Shop) -> None:
    connectors = [shop.connector() for _ in range(4)]
    for one in connectors:
        one.client.log_bodies = True
    place(shop, order(), MemoryKnown(), connectors[0], create_customer=True, create_address=True)
    place(shop, order(), MemoryKnown(), connectors[1], payment_method_fallback="purchaseorder")
    virtual = replace(order(line("GARANTIE-3", "1", "39.00"), total="39.00"), shipping=None)
    place(shop, virtual, MemoryKnown(), connectors[2])
    with pytest.raises(RecordFailed):
        place(shop, order(), MemoryKnown(), connectors[3], default_shipping_method=None)
    bodies = 0
    for call in shop.host.calls:
        known = described(call.method, call.path)
        assert known is not None, f"{call.method} {call.path}"
        if call.request:
            body = next(one["schema"] for one in known["parameters"] if one["in"] == "body")
            check = jsonschema.Draft4Validator({**body, "definitions": contract()["definitions"]})
            wrong = [f"{call.method} {call.path}: {one.message}" for one in check.iter_errors(loads(call.request))]
            assert wrong == []
            bodies += 1
    assert bodies > 15


def test_the_remote_calls_of_one_order_are_these(shop: Shop) -> None:
    place(shop, order(), MemoryKnown())
    tail: Callable[[str], str] = lambda path: re.sub(r"/\.\.\.|/\d+", "/#", path.split("/V1/")[1])  # noqa: E731
    assert [f"{one.method} {tail(one.path)}" for one in shop.host.calls] == [
        "GET products",
        "GET customers/search",
        "POST guest-carts",
        "GET guest-carts/#",
        "POST guest-carts/#/items",
        "POST guest-carts/#/items",
        "POST guest-carts/#/shipping-information",
        "PUT guest-carts/#/selected-payment-method",
        "GET guest-carts/#/totals",
        "PUT guest-carts/#/order",
        "GET orders/#",
        "POST orders/#/comments",
    ]
    assert {one.path.split("/")[2] for one in shop.host.calls if "cart" in one.path} == {"de"}
