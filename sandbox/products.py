"""The articles of the shop, and how each is sold.

Prices are unit prices: `gross` in EUR as a tax-inclusive view shows it, `zloty` as the Polish view shows it,
rounded by a merchant and not by an exchange rate. A tax-exclusive view sells at `net`.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from sandbox.money import cents


class Kind(StrEnum):
    """How Magento sells it."""

    SIMPLE = "simple"  # one line
    CONFIGURABLE = "configurable"  # a line with one child, the chosen variant
    DYNAMIC_BUNDLE = "dynamic_bundle"  # priced by its parts
    FIXED_BUNDLE = "fixed_bundle"  # priced as a whole
    VIRTUAL = "virtual"  # a service, nothing to send
    DOWNLOADABLE = "downloadable"
    GIFT_CARD = "giftcard"  # a voucher as merchandise


STANDARD, REDUCED, UNTAXED = "standard", "reduced", "untaxed"


@dataclass(frozen=True, kw_only=True)
class Product:
    """One article; the parts of a bundle are (SKU, quantity per bundle)."""

    id: int
    sku: str
    name: str
    gross: Decimal
    zloty: Decimal
    kind: Kind = Kind.SIMPLE
    tax: str = STANDARD
    weight_kg: Decimal = Decimal("0.5")
    list_price: Decimal | None = None  # gross, before a special price
    variants: tuple[tuple[str, str], ...] = ()  # (suffix of the SKU, suffix of the name)
    parts: tuple[tuple[str, int], ...] = ()
    by_measure: bool = False  # sold by the metre

    @property
    def net(self) -> Decimal:
        rate = {STANDARD: Decimal("1.19"), REDUCED: Decimal("1.07"), UNTAXED: Decimal(1)}[self.tax]
        return cents(self.gross / rate)


def _product(number: int, sku: str, name: str, gross: str, zloty: str, weight: str = "0.5", **more: object) -> Product:
    return Product(
        id=number,
        sku=sku,
        name=name,
        gross=Decimal(gross),
        zloty=Decimal(zloty),
        weight_kg=Decimal(weight),
        **more,  # type: ignore[arg-type]
    )


SHIRT_SIZES = tuple(
    (f"-{size}-{code}", f"-{size}-{name}") for size in "SML" for code, name in (("BLU", "Blau"), ("SCH", "Schwarz"))
)
SHOE_SIZES = tuple((f"-{size}", f" Gr. {size}") for size in (38, 40, 42, 44))

PRODUCTS: tuple[Product, ...] = (
    _product(101, "KAF-1000", "Kaffeebohnen „Morgenröte“ 1 kg", "18.99", "79.90", "1.05", tax=REDUCED),
    _product(102, "KAF-0250", "Espresso ganze Bohne 250 g", "6.49", "27.90", "0.28", tax=REDUCED),
    _product(103, "TEE-GRN", "Grüner Tee Sencha 100 g", "7.95", "34.90", "0.13", tax=REDUCED),
    _product(104, "SCHOKO-70", "Zartbitterschokolade 70 %", "2.79", "11.90", "0.11", tax=REDUCED),
    _product(105, "HONIG-500", "Waldhonig 500 g", "8.49", "35.90", "0.75", tax=REDUCED),
    _product(106, "BUCH-KAF", "Das große Buch vom Kaffee", "29.90", "129.00", "1.2", tax=REDUCED),
    _product(107, "BUCH-BAK", "Backen für Anfänger & Könner", "19.99", "84.90", "0.9", tax=REDUCED),
    _product(111, "BECHER-W", "Kaffeebecher weiß 300 ml", "9.99", "42.90", "0.35"),
    _product(112, "BECHER-S", "Kaffeebecher schwarz 300 ml", "9.99", "42.90", "0.35"),
    _product(113, "MUEHLE-M", "Handkaffeemühle Edelstahl", "54.95", "235.00", "0.8"),
    _product(114, "FRENCH-1L", "French Press 1 Liter", "34.90", "149.00", "0.95"),
    _product(115, "FILTER-4", "Filterpapier Größe 4, 100 Stück", "3.49", "14.90", "0.2"),
    _product(116, "WAAGE-D", "Digitale Küchenwaage", "27.50", "117.00", "0.6"),
    _product(
        117,
        "KESSEL-E",
        "Schwanenhalskessel elektrisch",
        "89.00",
        "379.00",
        "1.9",
        list_price=Decimal("109.00"),
    ),
    _product(118, "TAMPER-58", "Tamper 58 mm", "24.95", "105.00", "0.45"),
    _product(119, "MILCH-K", "Milchkännchen 350 ml", "17.33", "73.90", "0.3"),
    _product(120, "TASSE-ESP", "Espressotasse mit Untertasse", "7.77", "32.90", "0.25"),
    _product(121, "DOSE-V", "Vorratsdose mit Ventil", "15.90", "67.90", "0.4"),
    _product(122, "TUCH-GES", "Geschirrtuch Leinen", "11.11", "46.90", "0.15", list_price=Decimal("13.90")),
    _product(123, "LAMPE-T", "Tischlampe „Ida“", "119.00", "509.00", "2.4"),
    _product(124, "KISSEN-40", "Sofakissen 40 × 40 cm", "22.45", "95.90", "0.5"),
    _product(125, "DECKE-W", "Wolldecke 150 × 200 cm", "69.95", "299.00", "1.6", list_price=Decimal("89.95")),
    _product(126, "KERZE-B", "Bienenwachskerze", "12.60", "53.90", "0.3"),
    _product(127, "REGAL-E", "Wandregal Eiche", "149.00", "639.00", "7.5"),
    _product(128, "SIEBTR-P", "Espressomaschine „Prima“", "649.00", "2790.00", "11.2"),
    _product(129, "ENTKALK", "Entkalker 500 ml", "8.90", "37.90", "0.55"),
    _product(130, "BUERSTE", "Reinigungsbürste", "4.05", "16.90", "0.08"),
    _product(131, "STOFF-L", "Leinenstoff, Meterware", "16.80", "71.90", "0.32", by_measure=True),
    _product(
        141,
        "SHIRT",
        "T-Shirt Bio-Baumwolle",
        "24.90",
        "105.00",
        "0.2",
        kind=Kind.CONFIGURABLE,
        variants=SHIRT_SIZES,
    ),
    _product(
        142,
        "HOODIE",
        "Kapuzenpullover",
        "59.95",
        "255.00",
        "0.6",
        kind=Kind.CONFIGURABLE,
        variants=SHIRT_SIZES,
    ),
    _product(143, "CLOG", "Hausschuh Filz", "44.50", "189.00", "0.55", kind=Kind.CONFIGURABLE, variants=SHOE_SIZES),
    _product(
        144,
        "SCHUERZE",
        "Schürze",
        "32.99",
        "139.00",
        "0.35",
        kind=Kind.CONFIGURABLE,
        variants=SHIRT_SIZES,
        list_price=Decimal("39.99"),
    ),
    _product(
        151,
        "SET-BARISTA",
        "Barista-Set nach Wahl",
        "0",
        "0",
        kind=Kind.DYNAMIC_BUNDLE,
        parts=(("TAMPER-58", 1), ("MILCH-K", 1), ("KAF-0250", 2)),
    ),
    _product(
        152,
        "SET-FRUEH",
        "Frühstücks-Set",
        "0",
        "0",
        kind=Kind.DYNAMIC_BUNDLE,
        parts=(("BECHER-W", 2), ("HONIG-500", 1), ("TEE-GRN", 1)),
    ),
    _product(
        153,
        "SET-START",
        "Starter-Paket Filterkaffee",
        "49.00",
        "209.00",
        "1.9",
        kind=Kind.FIXED_BUNDLE,
        parts=(("FRENCH-1L", 1), ("KAF-0250", 1), ("FILTER-4", 2)),
    ),
    _product(161, "KURS-LATTE", "Barista-Kurs Latte Art", "79.00", "339.00", "0", kind=Kind.VIRTUAL),
    _product(162, "GARANTIE-3", "Garantieverlängerung 3 Jahre", "39.00", "169.00", "0", kind=Kind.VIRTUAL),
    _product(
        171,
        "EBOOK-ROEST",
        "E-Book „Rösten zu Hause“",
        "12.99",
        "54.90",
        "0",
        kind=Kind.DOWNLOADABLE,
        tax=REDUCED,
    ),
    _product(172, "VIDEO-KURS", "Videokurs Espresso (Download)", "34.00", "145.00", "0", kind=Kind.DOWNLOADABLE),
    _product(181, "GUTSCHEIN", "Geschenkgutschein", "50.00", "215.00", "0", kind=Kind.GIFT_CARD, tax=UNTAXED),
    _product(191, "UNKNOWN-VASE", "Vase aus Nachlass", "38.50", "165.00", "1.3"),
    _product(192, "UNKNOWN-MUSTER", "Musterbeutel Röstung 50 g", "1.95", "8.90", "0.06", tax=REDUCED),
)

BY_SKU = {product.sku: product for product in PRODUCTS}
UNKNOWN_PREFIX = "UNKNOWN-"  # not known to the system that receives the orders


def of(kind: Kind) -> list[Product]:
    """The ordinary articles of a kind."""
    return [
        one for one in PRODUCTS if one.kind is kind and not one.by_measure and not one.sku.startswith(UNKNOWN_PREFIX)
    ]


SIMPLE = of(Kind.SIMPLE)
UNKNOWN = [one for one in PRODUCTS if one.sku.startswith(UNKNOWN_PREFIX)]
BY_MEASURE = [one for one in PRODUCTS if one.by_measure]
