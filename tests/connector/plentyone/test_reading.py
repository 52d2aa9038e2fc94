"""What PlentyONE returns is read leniently: catalogues, VAT, variations."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connector import ConnectorError, Entry, StopRun
from connector.plentyone.catalogues import LISTINGS, PROFILES, PROVIDERS
from connector.plentyone.countries import Countries
from connector.plentyone.existing import invoice_total
from connector.plentyone.shapes import amount, rows, same, valued, wire, wording
from connector.plentyone.variations import Variations
from connector.plentyone.vat import Rates, rate_of
from connector.testing import MemoryHost
from tests.conftest import shared
from tests.connector.plentyone.records import line, order
from tests.connector.plentyone.standin import Shop, StandIn
from tests.connector.plentyone.wire import Wire


def fixture(name: str) -> Any:
    return json.loads((shared() / "fixtures/plentyone" / name).read_text(), parse_float=Decimal)


def test_ids_are_the_same_however_they_are_written() -> None:
    assert same(5, "5.00")
    assert same(Decimal("8.1"), "8.10")
    assert not same("8.01", "8.1")
    assert not same(None, None)
    assert wire("5.7") == Decimal("5.7")
    assert wire("10.00") == 10
    assert amount("1,5") is None


def test_names_come_in_the_admins_language() -> None:
    assert wording({"de": "Bezahlt", "en": "Paid"}) == "Paid"
    assert wording([{"lang": "de", "name": "Bezahlt"}]) == "Bezahlt"
    assert wording([{"lang": "fr", "reason": "Cassé"}], "reason") == "Cassé"
    assert wording([]) is None


# catalogues


def plain(kind_rows: dict[str, Any]) -> Wire:
    wire = Wire()
    for listing in (*LISTINGS, PROFILES):
        wire.on(f"GET {listing.path}", (200, kind_rows.get(listing.kind, [])))
    wire.on(f"GET {PROVIDERS}", (200, kind_rows.get("providers", [])))
    return wire


def collected(wire: Wire) -> dict[str, list[Entry]]:
    return {kind: found for kind, found in wire.connector.collect() if not isinstance(found, ConnectorError)}


def test_recorded_lists_become_catalogues() -> None:
    wire = plain({"webstore": fixture_text("webstores_response.json"), "vat": fixture_text("vat_response.json")})
    found = collected(wire)
    assert found["webstore"][0].id == "12345"
    assert found["webstore"][0].extra == {"currency": "EUR", "language": "de"}
    assert found["vat"][1].extra["rates"] == {"0": "20", "1": "0", "2": "0", "3": "0"}
    assert found["vat"][0].extra["country_id"] == "10"


def fixture_text(name: str) -> Any:
    return json.loads((shared() / "fixtures/plentyone" / name).read_text())


def test_statuses_carry_their_number_and_their_name() -> None:
    names = {"de": "Bezahlt", "en": "Paid"}
    wire = plain({"order_status": {"page": 1, "isLastPage": True, "entries": [{"statusId": "5.70", "names": names}]}})
    assert [(one.id, one.name) for one in collected(wire)["order_status"]] == [("5.7", "[5.7] Paid")]


@pytest.mark.parametrize("enveloped", [True, False])
def test_shipping_profiles_are_named_with_their_carrier(enveloped: bool) -> None:
    providers: Any = [{"id": "101", "backendName": "dhl", "names": [{"lang": "de", "name": "DHL Versenden"}]}]
    if enveloped:
        providers = {"page": 1, "isLastPage": True, "entries": providers}
    presets = [{"id": 6, "parcelServiceId": 101, "backendName": "Paket"}]
    found = collected(plain({"shipping_profile": presets, "providers": providers}))["shipping_profile"]
    assert found[0].name == "Paket (DHL Versenden)"
    assert found[0].extra["carrier"] == "DHL Versenden"


@pytest.mark.parametrize(
    "classes", [[{"id": 1, "name": "A"}], {"1": "A"}, ["A"], {"entries": [{"id": "1", "name": "A"}]}]
)
def test_contact_classes_come_in_many_shapes(classes: Any) -> None:
    assert [(one.id, one.name) for one in collected(plain({"contact_class": classes}))["contact_class"]] == [("1", "A")]


def test_a_list_that_may_not_be_read_does_not_stop_the_others() -> None:
    wire = plain({})
    refused = {"error": {"message": "This action is unauthorized.", "missing_permissions": {"x.y": "Reasons"}}}
    wire.on("GET /rest/returns/reasons", (403, refused))
    found = collected(wire)
    assert "return_reason" not in found
    (said,) = [str(one) for kind, one in wire.connector.collect() if kind == "return_reason"]
    assert "lacks the right Reasons (x.y)" in said
    assert "return_status" in found
    wire.on("GET /rest/webstores", (403, refused))
    kinds: list[str] = []
    with pytest.raises(StopRun, match=r"Reasons \(x\.y\)"):
        kinds.extend(kind for kind, _ in wire.connector.collect())
    assert "shipping_profile" in kinds


def test_every_declared_catalogue_is_collected(plenty: StandIn) -> None:
    shop = Shop(plenty.url)
    assert set(shop.host.catalogues) == {one.kind for one in shop.connector.catalogues}
    assert all(shop.host.catalogues.values())


# countries and VAT


def test_a_country_is_found_by_its_code_collected_or_not() -> None:
    countries = Countries([Entry(id="99", name="Germany", extra={"iso2": "DE", "iso3": "DEU"})])
    assert countries.id("de") == "99"
    assert countries.id("AT") == "2"
    assert countries.id("US") == "28"
    assert countries.id("XX") is None


def vat(id: str, country: str, rates: dict[str, str], **extra: Any) -> Entry:
    return Entry(id=id, name=id, extra={"country_id": country, "rates": rates, **extra})


def test_a_rate_is_found_in_the_configuration_of_the_country_that_is_valid_that_day() -> None:
    entries = [
        vat("1", "1", {"0": "19", "1": "7"}, standard=True),
        vat("2", "2", {"0": "20", "1": "10"}),
        vat("3", "2", {"0": "21"}, started_at="2027-01-01T00:00:00+01:00"),
        vat("4", "2", {"0": "20"}, digital=True),
    ]
    rates = Rates(entries, "2", "2026-05-19")
    assert rates.of(Decimal(10)).fields() == {"countryVatId": 2, "vatField": 1, "vatRate": Decimal(10)}
    assert rates.of(Decimal("20.0000")).fields()["countryVatId"] == 2
    assert rates.of(Decimal(7)).fields() == {"countryVatId": 1, "vatField": 1, "vatRate": Decimal(7)}
    assert rates.of(Decimal(25)).fields() == {"vatRate": Decimal(25)}
    assert rates.of(Decimal(21)).fields() == {"vatRate": Decimal(21)}  # its configuration begins later
    assert Rates(entries, "2", "2027-01-01").of(Decimal(21)).fields()["countryVatId"] == 3


def test_a_rate_that_the_shop_does_not_say_follows_from_the_tax() -> None:
    known = [Decimal(19), Decimal(7)]
    assert rate_of(line(gross="11.90", tax_rate=None, tax=Decimal("1.90")), known) == 19
    assert rate_of(line(gross="1.00", tax_rate=None, tax=Decimal("0.16")), known) == 19
    assert rate_of(line(gross="10.00", tax_rate=None), known) == 0
    assert rate_of(line(gross="0", tax_rate=None), known) == 19
    assert rate_of(line(tax_rate=Decimal("20.0000")), known) == 20


def test_the_total_is_read_in_the_orders_currency() -> None:
    recorded = fixture("order_7126.json")
    assert invoice_total(recorded, "GBP") == 35
    assert invoice_total(recorded, "EUR") is None
    assert valued(recorded["properties"], 7) == "4000000015"
    assert rows(recorded["orderItems"])


# variations


class Shelf(Wire):
    """Variations by number; counts who asked for what."""

    def __init__(self, known: dict[str, int], batches: bool = True) -> None:
        super().__init__()
        self.known = known
        self.on("GET /rest/items/variations", self.single)
        self.on("POST /rest/batch", self.several if batches else (405, {"error": "no"}))

    def found(self, url: str) -> dict[str, Any]:
        number = parse_qs(urlsplit(url).query)["numberExact"][0]
        entries = [{"id": self.known[number], "number": number}] if number in self.known else []
        return {"page": 1, "isLastPage": True, "entries": entries}

    def single(self) -> Any:
        return (200, self.found(self.sent[-1].url or ""))

    def several(self) -> Any:
        payloads = json.loads(self.sent[-1].body or "")["payloads"]
        parts = [
            {"resource": one["resource"], "method": "GET", "content": json.dumps(self.found(one["resource"]))}
            for one in payloads
        ]
        return (200, list(reversed(parts)))


def test_many_articles_are_asked_twenty_at_a_time() -> None:
    wire = Shelf({f"A/{n} ü": n for n in range(1, 46)})
    variations = Variations(wire.connector.client)
    variations.learn([f"A/{n} ü" for n in range(1, 47)])
    assert wire.calls("/rest/batch") == 3
    assert variations.id("A/7 ü") == "7"
    assert variations.id("A/46 ü") is None
    assert wire.calls("/rest/items/variations") == 0


@pytest.mark.parametrize("batches", [True, False])
def test_a_number_that_is_no_text_hinders_no_other(batches: bool) -> None:
    wire = Shelf({f"S{n}": n for n in range(1, 9)}, batches=batches)
    variations = Variations(wire.connector.client)
    variations.learn(["x\ud800", *(f"S{n}" for n in range(1, 9))])
    assert (variations.id("S8"), variations.id("x\ud800")) == ("8", None)


def test_without_batches_they_are_asked_one_by_one() -> None:
    wire = Shelf({f"S{n}": n for n in range(1, 9)}, batches=False)
    variations = Variations(wire.connector.client)
    variations.learn([f"S{n}" for n in range(1, 9)])
    assert (wire.calls("/rest/batch"), wire.calls("/rest/items/variations")) == (1, 8)
    variations.learn([f"T{n}" for n in range(1, 9)])
    assert wire.calls("/rest/batch") == 1


def test_what_one_process_learned_the_others_know() -> None:
    wire = Shelf({"S1": 1})
    Variations(wire.connector.client).learn(["S1"])
    asked = len(wire.sent)
    assert Variations(wire.another().client).id("S1") == "1"
    assert len(wire.sent) == asked


def test_an_article_that_is_missing_is_asked_for_again_after_minutes() -> None:
    wire = Shelf({})
    variations = Variations(wire.connector.client)
    assert variations.id("NEW") is None
    assert variations.id("NEW") is None
    assert wire.calls("/rest/items/variations") == 1
    wire.known["NEW"] = 9
    wire.passed = 400
    assert variations.id("NEW") == "9"


def test_an_answer_about_other_articles_is_not_believed() -> None:
    wire = Wire()
    every = {"page": 1, "isLastPage": True, "entries": [{"id": 1, "number": "X"}, {"id": 2, "number": "s1"}]}
    wire.on("GET /rest/items/variations", (200, every))
    variations = Variations(wire.connector.client)
    assert variations.id("S1") == "2"  # only the case differs
    assert variations.id("S2") is None


def test_the_steady_state_reads_nothing(plenty: StandIn) -> None:
    shop = Shop(plenty.url)
    made = [order("100000001"), order("100000002")]
    shop.orders.prepare(made, lambda _: shop.options())
    shop.orders.write(made[0], shop.known(), shop.options())
    shop.called()
    shop.orders.prepare(made, lambda _: shop.options())
    shop.orders.write(made[1], shop.known(), shop.options())
    assert not [call for call in shop.called() if call.startswith("GET")]


def test_a_host_without_catalogues_sends_what_it_knows(plenty: StandIn) -> None:
    shop = Shop(plenty.url)
    shop.orders.host = MemoryHost()
    assert shop.orders.check(order(store="fr"), shop.options()) == ["store fr is not mapped"]
