"""refurbed as a connector: what it declares, its connection test, its lists, and the guide's table of mandatory settings."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from connector import ConnectorError, Options, StopRun
from connector.refurbed import Refurbed
from connector.refurbed.answers import TokenRefused
from connector.refurbed.orders import Orders
from connector.refurbed.returns import Returns
from connector.registry import plugins
from connector.settings import Problem, load
from connector.testing import ConnectorContract
from sandbox.refurbed import TOKEN
from tests.connector.refurbed.market import JSON, Market


class TestRefurbed(ConnectorContract):
    connector = Refurbed


def test_it_is_found_by_its_entry_point() -> None:
    assert plugins()["refurbed"].connector is Refurbed


def findings(market: Market, **settings: Any) -> dict[str, tuple[bool, str]]:
    return {one.name: (one.ok, one.message) for one in market.connector(**settings).check()}


def test_the_connection_test_names_address_token_and_each_right(market: Market) -> None:
    found = findings(market)
    assert list(found) == ["Address", "Token", "AfterShip carriers", "Orders", "Returns"]
    assert all(ok for ok, _ in found.values())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("*/ListAvailableCarriers", "AfterShip carriers"),
        ("*/ListOrders", "Orders"),
        ("*/ListOrderItemReturns", "Returns"),
    ],
)
def test_the_connection_test_names_the_right_that_is_lacking(market: Market, path: str, name: str) -> None:
    market.control("forbid", path=path)
    found = findings(market)
    assert [one for one, (ok, _) in found.items() if not ok] == [name]
    assert "lacks the right" in found[name][1]


def test_the_connection_test_says_that_a_token_expired(market: Market) -> None:
    market.control("expire_token")
    found = findings(market)
    assert found["Address"][0]
    assert not found["Token"][0]
    assert "not used for two months" in found["Token"][1]
    assert TOKEN not in str(found)
    assert list(found) == ["Address", "Token"]


def test_the_connection_test_says_that_there_is_no_token(market: Market) -> None:
    assert findings(market, token=None) == {
        "Token": (
            False,
            "refurbed: the account is not connected. Enter the token that refurbed gave you in the connection.",
        )
    }


def test_the_connection_test_says_that_something_else_answers(market: Market) -> None:
    market.faults({"kind": "html_200"})
    found = findings(market)
    assert list(found) == ["Address"]
    assert not found["Address"][0]


def test_the_connection_test_says_that_the_chosen_carrier_is_not_offered(market: Market) -> None:
    found = findings(market, carrier="pigeon")
    assert found["AfterShip carrier"] == (
        False,
        "The carrier 'pigeon' is not among those that refurbed offers. Select another one.",
    )


def test_the_lists_are_collected(market: Market) -> None:
    made = market.connector()
    market.host.collect(made)
    lists = market.host.catalogues
    assert set(lists) == {one.kind for one in Refurbed.catalogues}
    assert ("dhl", "DHL") in {(one.id, one.name) for one in lists["carrier"]}
    assert [one.id for one in lists["store"]] == ["refurbed"]
    assert {"NEW", "ACCEPTED", "SHIPPED"} <= {one.id for one in lists["order_status"]}
    assert "BRAINTREE_PAYPAL" in {one.id for one in lists["payment_method"]}
    assert len(market.host.calls) == 1


def test_the_fixed_lists_are_collected_although_the_carriers_cannot(market: Market) -> None:
    market.control("forbid", path="*/ListAvailableCarriers")
    found = dict(market.connector().collect())
    assert isinstance(found.pop("carrier"), ConnectorError)
    assert not [one for one in found.values() if isinstance(one, ConnectorError)]
    market.control("allow")
    market.control("expire_token")
    with pytest.raises(TokenRefused):
        dict(market.connector().collect())


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, []),
        ({"token": None}, ["Connected"]),
        ({"order_import": False}, ["Order import"]),
        ({"import_returns": None}, ["Import returns"]),
        ({"carrier": None}, ["AfterShip carrier"]),
        (
            {"token": None, "order_import": None, "import_returns": None, "carrier": None},
            ["Connected", "Order import", "Import returns", "AfterShip carrier"],
        ),
    ],
)
def test_the_mandatory_settings_of_the_guide_are_a_check_list(
    market: Market, settings: JSON, missing: list[str]
) -> None:
    duties = market.connector(**settings).duties()
    assert [one.name for one in duties] == ["Connected", "Order import", "Import returns", "AfterShip carrier"]
    assert [one.name for one in duties if not one.ok] == missing
    assert market.host.calls == []


def test_a_carrier_that_refurbed_does_not_offer_is_missing_and_nothing_runs_with_it(market: Market) -> None:
    made = market.connector(carrier="no-such")
    assert [one.name for one in made.duties() if not one.ok] == []  # what it offers is not known yet
    market.host.collect(made)
    market.host.calls.clear()
    said = "refurbed does not offer the carrier 'no-such'. Select another one, or collect the lists again."
    assert [one.message.partition(": ")[2] for one in made.duties() if not one.ok] == [said]
    for resource in (Orders(made), Returns(made)):
        for attempt in (partial(resource.read, None, Options({})), partial(resource.latest, 1)):
            with pytest.raises(StopRun, match="does not offer the carrier 'no-such'"):
                list(attempt())
    assert market.host.calls == []


def test_only_an_inactive_account_without_orders_may_be_deleted() -> None:
    assert Refurbed.deleted_inactive


def test_the_start_of_the_order_import_is_a_time_with_its_zone() -> None:
    made = load({"order_import_from": "2026-02-01T08:00:00+01:00"}, Refurbed.Settings)
    assert made["order_import_from"] == datetime(2026, 2, 1, 7, tzinfo=UTC)
    assert load({"order_import_from": "2026-02-01T08:00:00"}, Refurbed.Settings)["order_import_from"] == datetime(
        2026, 2, 1, 8, tzinfo=UTC
    )
    with pytest.raises(Problem):
        load({"order_import_from": "soon"}, Refurbed.Settings)
