"""Invented people and their addresses, with the ways in which real ones are written."""

import unicodedata
from dataclasses import dataclass, replace
from random import Random
from typing import Any

Entry = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Place:
    """A postal address; the house number stands in the street line or in a line of its own."""

    street: tuple[str, ...]
    postcode: str
    city: str
    country: str
    region: tuple[str, str, int] | None = None  # name, code, id
    company: str | None = None
    vat_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who orders; `customer_id` only for registered ones, `delivery` only where it differs."""

    first: str
    last: str
    email: str
    home: Place
    phone: str | None = None
    prefix: str | None = None
    delivery: Place | None = None
    delivery_name: tuple[str, str] | None = None
    customer_id: int | None = None
    gender: int | None = None
    group: int = 1


BERLIN, BAYERN = ("Berlin", "BER", 82), ("Bayern", "BAY", 81)
SACHSEN, WIEN = ("Sachsen", "SAS", 91), ("Wien", "WI", 95)

GERMAN = (
    Place(street=("Ahornallee 12",), postcode="10115", city="Berlin", country="DE", region=BERLIN),
    Place(street=("Lindenstraße 5a",), postcode="80331", city="München", country="DE", region=BAYERN),
    Place(street=("Am Mühlbach", "7"), postcode="01067", city="Dresden", country="DE", region=SACHSEN),
    Place(street=("Größlerweg 101", "Hinterhaus, 3. OG"), postcode="50667", city="Köln", country="DE"),
    Place(street=("Rüdesheimer Str. 23-25",), postcode="65185", city="Wiesbaden", country="DE"),
    Place(street=("Q7, 24",), postcode="68161", city="Mannheim", country="DE"),
    Place(street=("Straße des 17. Juni 135",), postcode="10623", city="Berlin", country="DE", region=BERLIN),
    Place(street=("Dorfstr.", "1 b"), postcode="17489", city="Greifswald", country="DE"),
    Place(
        street=("c/o Bäcker", "Hauptstraße 88"),
        postcode="04109",
        city="Leipzig",
        country="DE",
        region=SACHSEN,
    ),
    Place(street=("Zum Öhmdwald 3",), postcode="72072", city="Tübingen", country="DE"),
    Place(street=("Elbchaussee 401",), postcode="22609", city="Hamburg", country="DE"),
    Place(street=("Schloßplatz 1",), postcode="70173", city="Stuttgart", country="DE"),
)
PACKSTATION = Place(street=("Packstation 145", "1234567890"), postcode="53113", city="Bonn", country="DE")
COMPANIES = (
    Place(
        street=("Industriestraße 17",), postcode="90441", city="Nürnberg", country="DE", region=BAYERN,
        company="Röstwerk Müller & Söhne GmbH", vat_id="DE000000001",
    ),
    Place(
        street=("Werkhof 2", "Tor 4"), postcode="28195", city="Bremen", country="DE",
        company="Café Hafenblick OHG",
    ),
    Place(
        street=("Mariahilfer Straße 99/12",), postcode="1060", city="Wien", country="AT", region=WIEN,
        company="Kaffeehaus Weiß KG", vat_id="ATU00000001",
    ),
)  # fmt: skip
ABROAD = {
    "AT": (
        Place(street=("Kärntner Straße 21/4/8",), postcode="1010", city="Wien", country="AT", region=WIEN),
        Place(street=("Getreidegasse 9",), postcode="5020", city="Salzburg", country="AT"),
    ),
    "CH": (
        Place(
            street=("Bahnhofstrasse 3",),
            postcode="8001",
            city="Zürich",
            country="CH",
            region=("Zürich", "ZH", 130),
        ),
        Place(street=("Rue du Rhône", "14"), postcode="1204", city="Genève", country="CH"),
    ),
    "FR": (
        Place(street=("12 bis, rue de l'Église",), postcode="67000", city="Strasbourg", country="FR"),
        Place(street=("3 place Bellecour", "Bât. C"), postcode="69002", city="Lyon", country="FR"),
    ),
    "PL": (
        Place(street=("ul. Świętokrzyska 14/3",), postcode="00-050", city="Warszawa", country="PL"),
        Place(street=("Długa", "17"), postcode="31-147", city="Kraków", country="PL"),
        Place(street=("al. Niepodległości 606",), postcode="81-855", city="Sopot", country="PL"),
        Place(street=("Piotrkowska 120 m. 5",), postcode="90-006", city="Łódź", country="PL"),
    ),
}
SHOP_PICKUP = Place(street=("Marktplatz 2",), postcode="04109", city="Leipzig", country="DE", region=SACHSEN)

GERMAN_FIRST = [
    "Anna",
    "Björn",
    "Cäcilie",
    "Dörte",
    "Emil",
    "Friederike",
    "Günther",
    "Hanna",
    "Ingo",
    "Jörg",
    "Käthe",
    "Lukas",
    "Mia",
    "Nils",
    "Özlem",
    "Paul",
]
GERMAN_LAST = [
    "Müller",
    "Schröder",
    "Weiß",
    "Krüger",
    "Schäfer",
    "Groß",
    "Jäger",
    "Öztürk",
    "Vogel",
    "Lindner",
    "König",
    "Böhm",
    "Huber",
    "Franke",
    "Voß",
]
FOREIGN = {
    "AT": (("Franz", "Resi", "Leopold"), ("Gruber", "Hölzl", "Steinböck")),
    "CH": (("Urs", "Regula", "Beat"), ("Zürcher", "Ämisegger", "Meier-Brügger")),
    "FR": (("Élodie", "François", "Chloé"), ("Lefèvre", "D'Arcy", "Muñoz")),
    "PL": (("Małgorzata", "Łukasz", "Zofia", "Wojciech"), ("Wiśniewska", "Dąbrowski", "Żak", "Król")),
}


def _plain(text: str) -> str:
    """For an e-mail address: letters without their marks."""
    kept = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss").replace("ł", "l"))
    return "".join(char for char in kept if char.isascii() and (char.isalnum() or char == "-"))


def person(rng: Random, country: str) -> Person:
    """A guest living in this country."""
    firsts, lasts = FOREIGN.get(country, (GERMAN_FIRST, GERMAN_LAST))
    first, last = rng.choice(firsts), rng.choice(lasts)
    home = rng.choice(GERMAN if country == "DE" else ABROAD[country])
    email = f"{_plain(first)}.{_plain(last)}{rng.randrange(1, 9999)}@example.com"
    codes = {"DE": "+49 30", "AT": "+43 1", "CH": "+41 44", "FR": "+33 3", "PL": "+48 22"}
    phone = rng.choice((f"{codes[country]} {rng.randrange(10**6, 10**7)}", f"0{rng.randrange(10**8, 10**9)}", None))
    return Person(first=first, last=last, email=email, home=home, phone=phone, prefix=rng.choice((None, None, "Dr.")))


def registered(rng: Random, country: str, number: int) -> Person:
    """A customer with an account; some are companies, some have things sent elsewhere."""
    one = replace(person(rng, country), customer_id=number, gender=rng.choice((1, 2, 3)))
    draw = number % 10
    if country == "DE" and draw == 1:
        return replace(one, home=COMPANIES[number % 2], group=2)
    if country == "AT" and draw in (1, 2):
        return replace(one, home=COMPANIES[2], group=4)
    if country == "DE" and draw == 3:
        return replace(one, delivery=PACKSTATION)
    if country == "DE" and draw in (4, 5):
        other = rng.choice([place for place in GERMAN if place != one.home])
        return replace(one, delivery=other, delivery_name=(rng.choice(GERMAN_FIRST), one.last))
    return one


def address(one: Person, kind: str, entity_id: int, parent: int) -> Entry:
    """A billing or shipping address as REST renders it: what is empty is left out."""
    shipping = kind == "shipping" and one.delivery is not None
    place = one.delivery if shipping and one.delivery else one.home
    first, last = one.delivery_name if shipping and one.delivery_name else (one.first, one.last)
    entry: Entry = {"address_type": kind, "city": place.city}
    if place.company:
        entry["company"] = place.company
    entry |= {"country_id": place.country, "email": one.email, "entity_id": entity_id, "firstname": first}
    entry |= {"lastname": last, "parent_id": parent, "postcode": place.postcode}
    if one.prefix:
        entry["prefix"] = one.prefix
    if place.region:
        entry["region"], entry["region_code"], entry["region_id"] = place.region
    entry |= {"street": list(place.street), "telephone": one.phone}
    if place.vat_id:
        entry |= {"vat_id": place.vat_id, "vat_is_valid": 1}
    return entry
