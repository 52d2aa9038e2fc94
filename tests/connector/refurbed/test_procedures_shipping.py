"""What refurbed is told when a parcel leaves: number, link, carrier, IMEI or serial number, item by item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connector import InDoubt, RecordFailed, RetryLater
from connector.records import Order, OrderKind
from connector.refurbed import tracking
from connector.refurbed.procedures import Events
from connector.settings import Problem
from tests.connector.refurbed.stage import (
    IMEI,
    NUMBER,
    PHONE,
    SERIAL,
    WATCH,
    Stage,
    device,
    fulfilled,
    lines,
    parcel,
    running,
)

URL = f"https://www.dhl.com/global-en/home/tracking.html?tracking-id={NUMBER}"
OTHER = "00340000000000000024"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from running(tmp_path)


def accepted(stage: Stage, *skus: str) -> Order:
    """An accepted order of two items with one parcel."""
    order = stage.sale(stage.place(*skus, state="ACCEPTED"))
    return fulfilled(order, packages=(parcel(),))


def test_the_items_are_shipped_with_number_link_and_carrier(stage: Stage) -> None:
    order = accepted(stage)
    assert "shipped at refurbed" in stage.write("ship", order).message
    assert stage.states() == ["SHIPPED", "SHIPPED"]
    assert stage.item(0).tracking_url == URL
    assert stage.item(1).carrier == {"carrier": "dhl", "tracking_number": NUMBER}
    assert stage.calls() == ["GetOrder", "BatchUpdateOrderItemsState"]


def test_an_imei_and_a_serial_number_travel_to_their_items(stage: Stage) -> None:
    order = lines(accepted(stage), {"identifiers": device(IMEI)}, {"identifiers": device(SERIAL)})
    stage.write("ship", order)
    assert stage.item(0).identifiers == [{"identifier_type": "IMEI", "value": IMEI}]
    assert stage.item(1).identifiers == [{"identifier_type": "SERIAL_NUMBER", "value": SERIAL}]
    assert stage.known(order, "ship").notes == []


def test_an_imei_with_a_wrong_check_digit_is_sent_with_a_warning(stage: Stage) -> None:
    order = lines(accepted(stage), {"identifiers": device("490154203237519")}, {})
    stage.write("ship", order)
    assert stage.item(0).identifiers[0]["value"] == "490154203237519"
    assert "check digit of IMEI 490154203237519" in stage.known(order, "ship").notes[0]


@pytest.mark.parametrize("packages", [(), (parcel(None),), (parcel("  "),)])
def test_without_a_package_number_it_waits_without_a_call_and_says_so(stage: Stage, packages: tuple[object]) -> None:
    order = fulfilled(accepted(stage), packages=packages)
    with pytest.raises(RetryLater, match="no package number yet") as said:
        stage.write("ship", order)
    assert said.value.aside
    assert stage.calls() == []


def test_new_items_wait_until_they_are_accepted_and_the_others_are_shipped(stage: Stage) -> None:
    order = fulfilled(stage.sale(stage.place()), packages=(parcel(),))
    stage.item(0).state = "ACCEPTED"
    with pytest.raises(RetryLater, match=r"'ThinkPad.*is not accepted at refurbed yet") as said:
        stage.write("ship", order)
    assert said.value.aside
    assert stage.states() == ["SHIPPED", "NEW"]
    stage.item(1).state = "ACCEPTED"
    stage.write("ship", order)
    assert stage.states() == ["SHIPPED", "SHIPPED"]
    assert not stage.twice("shipments")


def test_a_cancelled_item_is_named_so_that_its_parcel_is_kept_back(stage: Stage) -> None:
    order = accepted(stage)
    stage.item(1).state = "CANCELLED"
    with pytest.raises(RecordFailed, match=r"shipped at refurbed: 'iPhone.*'ThinkPad.*keep the parcel back"):
        stage.write("ship", order)


# delivery orders


def test_a_delivery_order_ships_its_own_items_only(stage: Stage) -> None:
    sale = accepted(stage)
    first = fulfilled(stage.child(sale, OrderKind.DELIVERY, "124", sale.lines[:1]), packages=(parcel(),))
    second = fulfilled(stage.child(sale, OrderKind.DELIVERY, "125", sale.lines[1:]), packages=(parcel(OTHER),))
    stage.write("ship", first)
    assert stage.states() == ["SHIPPED", "ACCEPTED"]
    stage.write("ship", second)
    assert stage.states() == ["SHIPPED", "SHIPPED"]
    assert OTHER in str(stage.item(1).tracking_url)


def test_a_sale_with_delivery_orders_waits_for_what_they_report(stage: Stage) -> None:
    sale = fulfilled(accepted(stage), shares=True)
    with pytest.raises(RetryLater, match="leaves with a delivery order of its own") as said:
        stage.write("ship", sale)
    assert said.value.aside
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]
    stage.item(0).state = stage.item(1).state = "SHIPPED"
    assert "shipped already" in stage.write("ship", sale).message
    assert stage.count("shipments") == 0


def test_a_sale_with_delivery_orders_ships_what_lies_in_packages_of_its_own(stage: Stage) -> None:
    sale = accepted(stage)
    sale = fulfilled(sale, shares=True, packages=(parcel(NUMBER, sale.lines[1]),))
    with pytest.raises(RetryLater, match=r"shipped at refurbed: 'ThinkPad.*'iPhone.*delivery order of its own"):
        stage.write("ship", sale)
    assert stage.states() == ["ACCEPTED", "SHIPPED"]


@pytest.mark.parametrize(
    "change",
    [
        {"quantity": Decimal(2)},
        {"identifiers": device("SN-1", "SN-2")},
        {"identifiers": device(IMEI, "490154203237526")},
    ],
)
def test_several_units_on_one_line_need_two_delivery_orders(stage: Stage, change: dict[str, object]) -> None:
    order = lines(accepted(stage), change, {})
    with pytest.raises(RecordFailed, match=r"'iPhone.*Create two separate delivery orders"):
        stage.write("ship", order)
    assert stage.calls() == ["GetOrder"]
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


def test_two_lines_of_one_item_are_several_units(stage: Stage) -> None:
    order = accepted(stage)
    again = replace(order.lines[0], key="990")
    with pytest.raises(RecordFailed, match="two separate delivery orders"):
        stage.write("ship", replace(order, lines=(*order.lines, again)))


def test_a_phone_may_have_an_imei_and_a_serial_number(stage: Stage) -> None:
    order = lines(accepted(stage), {"identifiers": device(IMEI, SERIAL)}, {})
    stage.write("ship", order)
    assert [one["identifier_type"] for one in stage.item(0).identifiers] == ["IMEI", "SERIAL_NUMBER"]


# several packages


def test_each_item_gets_the_number_of_the_package_that_holds_it(stage: Stage) -> None:
    order = accepted(stage)
    held = (parcel(OTHER, order.lines[1], key="2"), parcel(NUMBER, order.lines[0]))
    stage.write("ship", fulfilled(order, packages=held))
    assert NUMBER in str(stage.item(0).tracking_url)
    assert OTHER in str(stage.item(1).tracking_url)
    assert stage.known(order, "ship").notes == []


def test_an_item_whose_package_has_no_number_yet_waits_and_the_others_are_shipped(stage: Stage) -> None:
    order = accepted(stage)
    held = (parcel(None, order.lines[1], key="2"), parcel(NUMBER, order.lines[0]))
    with pytest.raises(RetryLater, match=r"'ThinkPad.*in no package that has a number yet") as said:
        stage.write("ship", fulfilled(order, packages=held))
    assert said.value.aside
    assert stage.states() == ["SHIPPED", "ACCEPTED"]


def test_where_nobody_says_what_is_in_them_the_first_number_goes_to_all_with_a_note(stage: Stage) -> None:
    order = fulfilled(accepted(stage), packages=(parcel(NUMBER), parcel(OTHER, key="2")))
    stage.write("ship", order)
    assert [NUMBER in str(stage.item(at).tracking_url) for at in (0, 1)] == [True, True]
    assert len(stage.known(order, "ship").notes) == 1


# what follows later


def test_what_is_shipped_with_the_same_number_needs_no_call(stage: Stage) -> None:
    order = lines(accepted(stage), {"identifiers": device(IMEI)}, {})
    stage.write("ship", order)
    stage.calls()
    assert "shipped already" in stage.write("ship", order, event="2").message
    stage.item(1).tracking_url = f"https://elsewhere.example/{NUMBER}"  # the same parcel, as somebody else wrote it
    stage.write("ship", order, event="3")
    assert stage.calls() == ["GetOrder", "GetOrder"]


def test_another_number_is_told_as_a_change_of_the_item(stage: Stage) -> None:
    order = accepted(stage)
    stage.write("ship", order)
    stage.calls()
    changed = fulfilled(order, packages=(parcel(OTHER),))
    assert "changed at refurbed" in stage.write("ship", changed, event="2").message
    assert stage.calls() == ["GetOrder", "BatchUpdateOrderItems"]
    assert OTHER in str(stage.item(0).tracking_url)
    assert not stage.twice("shipments")


def test_a_serial_number_that_came_later_is_added(stage: Stage) -> None:
    order = accepted(stage)
    stage.write("ship", order)
    stage.write("ship", lines(order, {"identifiers": device(IMEI)}, {}), event="2")
    assert stage.item(0).identifiers == [{"identifier_type": "IMEI", "value": IMEI}]
    assert stage.count("shipments") == 2


def test_after_a_lost_answer_nothing_is_shipped_twice(stage: Stage) -> None:
    order = accepted(stage)
    stage.faults({"kind": "drop_after", "path": "*BatchUpdateOrderItemsState", "times": 1})
    with pytest.raises(InDoubt):
        stage.write("ship", order)
    stage.write("ship", order)
    assert stage.states() == ["SHIPPED", "SHIPPED"]
    assert not stage.twice("shipments")


def test_a_partly_done_batch_goes_on_with_the_rest(stage: Stage) -> None:
    order = accepted(stage, *[WATCH] * 60)
    stage.control("fail_item", id=order.lines[55].external, code=14)
    with pytest.raises(RetryLater, match="8800156"):
        stage.write("ship", order)
    assert stage.states().count("SHIPPED") == 59
    stage.write("ship", order)
    assert stage.states().count("SHIPPED") == 60
    assert stage.count("shipments") == 60


# carriers and links


def test_the_carrier_of_a_shipping_profile_and_a_link_of_ones_own_go_first(stage: Stage) -> None:
    order = replace(accepted(stage, PHONE), shipping_method="6")
    own = {"carriers": {"6": "gls"}, "tracking_urls": {"gls": "https://track.example.org/{number}?from=shop"}}
    stage.write("ship", fulfilled(order, packages=(parcel("A/1"),)), **own)
    assert stage.item(0).tracking_url == "https://track.example.org/A%2F1?from=shop"
    assert stage.item(0).carrier == {"carrier": "gls", "tracking_number": "A/1"}


def test_a_carrier_without_a_known_link_names_the_setting(stage: Stage) -> None:
    order = replace(accepted(stage), shipping_method="6")
    with pytest.raises(RecordFailed, match="No tracking link is known for the carrier 'bob'") as said:
        stage.write("ship", order, carriers={"6": "bob"})
    assert said.value.setting == "tracking_urls"
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


def test_a_carrier_that_refurbed_does_not_offer_is_refused_by_name(stage: Stage) -> None:
    order = replace(accepted(stage), shipping_method="6")
    stage.host.collect(stage.connector)
    with pytest.raises(RecordFailed, match="does not offer the carrier 'bob'") as said:
        stage.write("ship", order, carriers={"6": "bob"}, tracking_urls={"bob": "https://bob.example/{number}"})
    assert said.value.setting == "carriers"
    assert stage.states() == ["ACCEPTED", "ACCEPTED"]


def test_without_a_carrier_nothing_is_sent(stage: Stage) -> None:
    order = accepted(stage)
    bare = Events(stage.another(carrier=None))
    bare.desk = stage.desk
    stage.events = bare
    with pytest.raises(RecordFailed, match="no AfterShip carrier is chosen"):
        stage.write("ship", order)
    assert stage.calls() == []


@pytest.mark.parametrize("given", ["ftp://x.example/{number}", "https://x.example/", "{number}", "https:///{number}"])
def test_a_link_must_be_an_address_with_a_place_for_the_number(stage: Stage, given: str) -> None:
    with pytest.raises(Problem, match="Must begin with https://"):
        stage.write("ship", accepted(stage), tracking_urls={"dhl": given})


def test_all_built_in_links_can_be_used() -> None:
    for carrier, template in tracking.WELL_KNOWN.items():
        assert tracking.usable(template), carrier
        assert urlsplit(tracking.url(carrier, "A1", {})).scheme == "https"
        assert "A1" in tracking.url(carrier, "A1", {})
    for slug in ("dhl", "dpd", "gls", "hermes-de", "austrian-post-registered", "ups"):  # those that the stand-in lists
        assert slug in tracking.WELL_KNOWN
