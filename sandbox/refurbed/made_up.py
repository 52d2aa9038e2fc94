"""Invented orders: people of several countries and currencies, one unit per item, everything that a merchant meets.

The same seed makes the same orders; only their times follow the clock. Names, VAT ids and numbers belong to nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sandbox.money import ZERO, cents
from sandbox.refurbed.marketplace import Item, Marketplace, Order, Record, Return


@dataclass(frozen=True, kw_only=True)
class Country:
    """Where customers live. `rate` is one unit of the currency in EUR, `vat` a percentage."""

    currency: str
    rate: Decimal
    vat: int
    phone: str
    names: Sequence[tuple[str, str, str]]  # first, last, entity
    places: Sequence[tuple[str, str | None, str, str, str | None]]  # street, number, postcode, town, supplement
    payments: Sequence[str] = ("STRIPE_CARDS", "BRAINTREE_PAYPAL")


COUNTRIES = {
    "DE": Country(
        currency="EUR", rate=Decimal(1), vat=19, phone="+49 40 000000",
        names=[("Kim", "Muster", "FEMALE"), ("Jörg", "Groß", "MALE"), ("Özlem", "Weiß", "FEMALE")],
        places=[("Beispielallee", "7", "20999", "Hamburg", "Hinterhaus"),
                ("Straße des 17. Juni", "135a", "10623", "Berlin", None), ("Q7", "24", "68161", "Mannheim", None)],
        payments=["BRAINTREE_PAYPAL", "STRIPE_KLARNA", "STRIPE_CARDS"],
    ),
    "AT": Country(
        currency="EUR", rate=Decimal(1), vat=20, phone="+43 1 000000",
        names=[("Franz", "Hölzl", "MALE"), ("Resi", "Steinböck", "FEMALE")],
        places=[("Kärntner Straße", "21/4/8", "1010", "Wien", None), ("Getreidegasse", "9", "5020", "Salzburg", "Top 3")],
        payments=["STRIPE_EPS", "BRAINTREE_PAYPAL"],
    ),
    "IT": Country(
        currency="EUR", rate=Decimal(1), vat=22, phone="+39 06 000000",
        names=[("Niccolò", "D'Angelo", "MALE"), ("Chiara", "Esposito", "FEMALE")],
        places=[("Via Garibaldi", "3/B", "00153", "Roma", "Scala C"),
                ("Località Pian di Sotto", None, "53100", "Siena", None)],
        payments=["BRAINTREE_SATISPAY", "STRIPE_CARDS"],
    ),
    "FR": Country(
        currency="EUR", rate=Decimal(1), vat=20, phone="+33 3 000000",
        names=[("Élodie", "Lefèvre", "FEMALE"), ("François", "Muñoz", "MALE")],
        places=[("rue de l'Église", "12 bis", "67000", "Strasbourg", None),
                ("place Bellecour", "3", "69002", "Lyon", "Bât. C")],
    ),
    "SE": Country(
        currency="SEK", rate=Decimal("0.0887"), vat=25, phone="+46 8 000000",
        names=[("Åsa", "Öberg", "FEMALE"), ("Björn", "Lindqvist", "MALE")],
        places=[("Götgatan", "44", "118 26", "Stockholm", "lgh 1102")], payments=["STRIPE_SWISH", "STRIPE_CARDS"],
    ),
    "PL": Country(
        currency="PLN", rate=Decimal("0.2337"), vat=23, phone="+48 22 000000",
        names=[("Małgorzata", "Żak", "FEMALE"), ("Łukasz", "Król", "MALE")],
        places=[("Świętokrzyska", "14/3", "00-050", "Warszawa", None)], payments=["STRIPE_P24"],
    ),
    "CZ": Country(
        currency="CZK", rate=Decimal("0.0399"), vat=21, phone="+420 200 000",
        names=[("Jiří", "Dvořák", "MALE")], places=[("Vinohradská", "1511/230", "100 00", "Praha 10", None)],
    ),
    "CH": Country(
        currency="CHF", rate=Decimal("1.0627"), vat=8, phone="+41 44 000000",
        names=[("Urs", "Zürcher", "MALE"), ("Regula", "Meier-Brügger", "FEMALE")],
        places=[("Bahnhofstrasse", "3", "8001", "Zürich", None)], payments=["STRIPE_CARDS"],
    ),
}  # fmt: skip

COMPANIES = {
    "DE": ("Röstwerk Müller & Söhne GmbH", "DE000000001"),
    "AT": ("Kaffeehaus Weiß KG", "ATU00000001"),
    "FR": ("Atelier Lefèvre SARL", "FR00000000001"),
    "PL": ("Żak i Król sp. z o.o.", "PL0000000001"),
}


@dataclass(frozen=True, kw_only=True)
class Product:
    """What the merchant offers; the price is gross in EUR."""

    sku: str
    name: str
    price: Decimal
    phone: bool = False
    taxation: str = "MARGINAL"


PRODUCTS = (
    Product(sku="IP12-64-BLU-A", name="iPhone 12 | 64 GB | blue", price=Decimal("349.00"), phone=True),
    Product(sku="S21-128-GRY-B", name="Galaxy S21 | 128 GB | grey", price=Decimal("279.90"), phone=True),
    Product(sku="TP-T480-A", name="ThinkPad T480 | 16 GB | 256 GB SSD", price=Decimal("299.00"), taxation="GROSS"),
    Product(sku="MBA-M1-8-256-A", name="MacBook Air M1 | 8 GB | 256 GB SSD", price=Decimal("649.99")),
    Product(sku="AW-SE-40-B", name="Watch SE | 40 mm | silver", price=Decimal("159.49"), taxation="GROSS"),
    Product(sku="", name="iPad 9 | 64 GB | Wi-Fi", price=Decimal("229.00"), taxation="GROSS"),
)


def articles() -> list[tuple[str, str]]:
    """What can be ordered here, as (SKU, name); one offer has no SKU."""
    return [(each.sku, each.name) for each in PRODUCTS if each.sku]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What an order shall be like; what is not said is drawn."""

    country: str | None = None
    products: Sequence[Product] = ()
    company: bool = False
    personal_vatin: str | None = None
    elsewhere: bool = False  # delivered to somebody else
    discount: Decimal = ZERO
    state: str = "NEW"
    returned: bool = False
    released: bool = True
    captured: bool = True
    more: Record = field(default_factory=dict)


PHONE, NOTEBOOK, WATCH = PRODUCTS[0], PRODUCTS[2], PRODUCTS[4]
CYCLE = (
    Wish(country="DE", products=(PHONE, NOTEBOOK)),
    Wish(country="AT", products=(PHONE, PHONE), elsewhere=True),
    Wish(country="FR", products=(NOTEBOOK,), company=True),
    Wish(country="IT", products=(PHONE,), personal_vatin="IT00000000000"),
    Wish(country="SE", products=(WATCH, PHONE, PHONE)),
    Wish(country="DE", products=(PRODUCTS[5],), discount=Decimal("20.00")),
    Wish(country="PL", products=(PRODUCTS[1],), state="ACCEPTED"),
    Wish(country="CH", products=(NOTEBOOK, PHONE), state="SHIPPED"),
    Wish(country="DE", products=(PHONE, WATCH), state="SHIPPED", returned=True),
    Wish(country="CZ", products=(PRODUCTS[3],), released=False),
    Wish(),
)  # fmt: skip


def _address(rng: Random, country: str, entity: str | None = None) -> Record:
    land = COUNTRIES[country]
    first, last, own = rng.choice(land.names)
    street, number, postcode, town, supplement = rng.choice(land.places)
    found = {"first_name": first, "family_name": last, "entity": entity or own, "country_code": country}
    found |= {"post_code": postcode, "town": town, "street_name": street}
    found |= {"house_no": number} if number else {}
    found |= {"supplement": supplement} if supplement else {}
    return {**found, "phone_number": f"{land.phone}{rng.randrange(10, 100)}"}


def make(market: Marketplace, rng: Random, wish: Wish, age: timedelta = timedelta()) -> Order:
    """A new order of this age, which is in the marketplace afterwards."""
    code = wish.country or rng.choice(list(COUNTRIES))
    land = COUNTRIES[code]
    invoice = _address(rng, code)
    if wish.company:
        invoice["entity"] = "COMPANY"
        invoice["company_name"], invoice["company_vatin"] = COMPANIES.get(code, (f"Beispiel {code}", f"{code}00000001"))
    elif wish.personal_vatin:
        invoice["personal_vatin"] = wish.personal_vatin
    shipping = _address(rng, code) if wish.elsewhere else dict(invoice)
    for name in ("company_vatin", "personal_vatin"):
        shipping.pop(name, None)  # only invoice addresses have them
    born = market.now - age
    order = Order(
        id=market.next_id("order"),
        email=f"customer{rng.randrange(10**6)}@example.org",
        shipping_address={**shipping, **wish.more.get("shipping_address", {})},
        invoice_address={**invoice, **wish.more.get("invoice_address", {})},
        currency=land.currency,
        rate=land.rate,
        payment_method=rng.choice(land.payments),
        created_at=born,
        released_at=born if wish.released else None,
        captured=wish.captured,
    )
    for product in wish.products or rng.choices(PRODUCTS, k=rng.randrange(1, 4)):
        order.items.append(_item(market, rng, order, product, wish, land, code))
    market.add(order)
    if wish.returned:
        send_back(market, order.items[0], rng)
    return order


def _item(
    market: Marketplace, rng: Random, order: Order, product: Product, wish: Wish, land: Country, code: str
) -> Item:
    item = Item(
        id=market.next_id("item"),
        order_id=order.id,
        name=product.name,
        sku=product.sku,
        charged=cents(product.price / land.rate),
        discount=cents(wish.discount / land.rate),
        taxation="NET" if wish.company and code != "DE" and product.taxation == "GROSS" else product.taxation,
        vat_rate=Decimal(land.vat),
        vat_country=code,
        offer_id=990_001 + (PRODUCTS.index(product) if product in PRODUCTS else len(PRODUCTS)),
        state=wish.state,
    )
    if wish.state in ("SHIPPED", "RETURNED"):
        item.tracking_url = f"https://track.example.org/parcel/{parcel(market)}"
        item.shipment_status = item.shipment_substatus = "IN_TRANSIT"
        item.identifiers = [identifier(rng, phone=product.phone)]
    return item


def parcel(market: Marketplace) -> str:
    return f"{340_000_000_000_000_000 + market.next_id('parcel'):020d}"


def identifier(rng: Random, *, phone: bool) -> Record:
    """An IMEI with its check digit (Luhn) for a telephone, a serial number for all else."""
    if not phone:
        return {"identifier_type": "SERIAL_NUMBER", "value": f"SN{rng.randrange(10**10):010d}"}
    digits = f"49015420{rng.randrange(10**6):06d}"
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(digits)]
    check = -sum(value - 9 if value > 9 else value for value in doubled) % 10
    return {"identifier_type": "IMEI", "value": f"{digits}{check}"}


def send_back(market: Marketplace, item: Item, rng: Random) -> Return:
    """The customer makes a return label; a ticket comes with it."""
    number = parcel(market)
    item.return_initiated = item.ticket = True
    item.return_url = f"https://track.example.org/return/{number}"
    made = Return(
        id=market.next_id("return"),
        order_id=item.order_id,
        item_id=item.id,
        initiated_at=market.now,
        tracking_number=number,
        topic=rng.choice((None, "example-topic")),
    )
    market.returns[made.id] = made
    return made


def fill(market: Marketplace, count: int, seed: int) -> None:
    """Made-up orders, a quarter of an hour apart, the newest a quarter of an hour old."""
    rng = Random(f"refurbed {seed}")
    for at in range(count):
        make(market, rng, CYCLE[at % len(CYCLE)], timedelta(minutes=15 * (count - at)))


def wished(given: Any) -> Wish:
    """A wish from what a test sends. ValueError names what cannot be used."""
    body = given if isinstance(given, dict) else {}
    known = {
        *("country", "company", "personal_vatin", "elsewhere", "state", "released", "captured", "items", "discount"),
        *("shipping_address", "invoice_address", "returned"),
    }
    if unknown := sorted(set(body) - known):
        raise ValueError(f"An order knows no {', '.join(unknown)}; it knows {', '.join(sorted(known))}.")
    if body.get("country") not in (None, *COUNTRIES):
        raise ValueError(f"There is no country {body['country']!r}; there are {', '.join(COUNTRIES)}.")
    plain = {name: body[name] for name in known & set(body) if name not in ("items", "discount")}
    more: Record = {name: plain.pop(name) for name in ("shipping_address", "invoice_address") if name in plain}
    products = tuple(_product(each) for each in body.get("items", ()))
    return Wish(**plain, discount=Decimal(str(body.get("discount", 0))), products=products, more=more)


def _product(given: Record) -> Product:
    """An offer by its SKU, with another price (in EUR), name or taxation where they are given."""
    found = next((each for each in PRODUCTS if each.sku == given.get("sku")), None)
    price = given.get("price", found.price if found else 99)
    return Product(
        sku=given.get("sku", ""),
        name=given.get("name", found.name if found else "Made-up item"),
        price=Decimal(str(price)),
        phone=bool(found and found.phone),
        taxation=given.get("taxation", found.taxation if found else "GROSS"),
    )
