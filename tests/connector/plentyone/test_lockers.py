"""Parcel lockers and post offices: where people and modules leave the post number, and where PlentyONE wants it."""

from __future__ import annotations

from typing import Any

import pytest

from connector.plentyone.shapes import valued
from connector.records import Address
from tests.connector.plentyone.records import order
from tests.connector.plentyone.standin import Shop, StandIn

POST_NUMBER = 6  # address option


def locker(*street: str, **given: Any) -> Address:
    values = {"first_name": "Bert", "last_name": "Beispiel", "postcode": "54321", "city": "Bonn", "country": "DE"}
    return Address(**{**values, "street": street, **given})


@pytest.mark.parametrize(
    ("address", "settings"),
    [
        (locker("Packstation 123", "12345678"), {}),
        (locker("12345678", "Packstation 123"), {}),
        (locker("DHL Packstation Nr. 123", company="12345678"), {}),
        (locker("Packstation", "123", company="Postnummer 12345678"), {}),
        (locker("Packstation 123", extra={"dhl.post": 12345678}), {"post_number_field": "dhl.post"}),
        (locker("Packstation 123", extra={"dhl.post": "1234 5678"}), {"post_number_field": " dhl.post "}),
    ],
    ids=["street", "street first", "company", "apart", "field", "field with blanks"],
)
def test_a_lockers_post_number_goes_where_plentyone_wants_it(
    plenty: StandIn, shop: Shop, address: Address, settings: dict[str, Any]
) -> None:
    shop.orders.write(order(shipping=address), shop.known(), shop.options(**settings))
    (made,) = [one for one in plenty.control("addresses") if one["address1"] == "PACKSTATION"]
    assert (made["address2"], valued(made["options"], POST_NUMBER)) == ("123", "12345678")
    assert not made["name1"]


def test_a_post_office_is_told_from_a_street(plenty: StandIn, shop: Shop) -> None:
    shop.orders.write(order(shipping=locker("Postfiliale 502", "12345678")), shop.known(), shop.options())
    (made,) = [one for one in plenty.control("addresses") if one["address1"] == "POSTFILIALE"]
    assert (made["address2"], valued(made["options"], POST_NUMBER)) == ("502", "12345678")


def test_a_company_at_a_street_keeps_its_name_of_digits(plenty: StandIn, shop: Shop) -> None:
    address = locker("Am Markt 2", company="12345678")
    shop.orders.write(order(shipping=address), shop.known(), shop.options())
    assert "12345678" in [one["name1"] for one in plenty.control("addresses")]
