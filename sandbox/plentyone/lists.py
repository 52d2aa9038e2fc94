"""Configuration of the tenant: what an administrator would have set up in the back end."""

from decimal import Decimal
from typing import Any

from sandbox.plentyone.values import Record

SET_UP = "2020-01-01T09:00:00+01:00"


def _names(de: str, en: str) -> dict[str, str]:
    return {"de": de, "en": en}


STATUSES: list[tuple[str, str, str]] = [
    ("1", "Unvollständige Daten", "Incomplete data"),
    ("2", "Warten auf Freischaltung", "Waiting for activation"),
    ("3", "Warten auf Zahlung", "Waiting for payment"),
    ("3.1", "Start PayPal Zahlungsprozess", "Start PayPal payment process"),
    ("3.2", "In Warteposition", "In waiting position"),
    ("3.3", "Sofort versenden", "Ready for shipping, waiting for payment"),
    ("3.4", "Mahnung versendet", "Dunning letter sent"),
    ("4", "In Versandvorbereitung", "In preparation for shipping"),
    ("5", "Freigabe Versand", "Cleared for shipping"),
    ("5.1", "Externe Abwicklung", "External processing"),
    ("6", "Gerade im Versand", "Currently being shipped"),
    ("7", "Warenausgang gebucht", "Outgoing items booked"),
    ("7.1", "Auftrag exportiert", "Order exported"),
    ("8", "Storniert", "Cancelled"),
    ("8.1", "Storniert durch Kunden", "Cancelled by customer"),
    ("9", "Retoure", "Return"),
    ("9.1", "Ware wird geprüft", "Checking items"),
    ("9.2", "Warten auf Retoure von Großhändler", "Waiting for return from wholesaler"),
    ("9.3", "Gewährleistung eingeleitet", "Warranty initiated"),
    ("9.4", "Umtausch eingeleitet", "Exchange initiated"),
    ("9.5", "Gutschrift angelegt", "Credit note created"),
    ("9.6", "Retoure in Ordnung", "Return accepted"),
    ("9.7", "Retoure beanstandet", "Return rejected"),
    ("10", "Gewährleistung", "Warranty"),
    ("11", "Gutschrift", "Credit note"),
    ("11.1", "Gutschrift ausbezahlt", "Credit note paid out"),
    ("12", "Reparatur", "Repair"),
    ("13", "Sammelauftrag", "Multi-order"),
    ("14", "Sammelgutschrift", "Multi credit note"),
]


def statuses() -> list[Record]:
    """Order statuses; their ids are text here, while orders carry numbers."""
    return [
        {
            "statusId": number,
            "isErasable": "." in number,
            "createdAt": SET_UP,
            "updatedAt": SET_UP,
            "isFrontendVisible": True,
            "isReorderVisible": False,
            "isRedistributionVisible": False,
            "color": "#c0c0c0",
            "names": _names(de, en),
        }
        for number, de, en in STATUSES
    ]


def payment_methods() -> list[Record]:
    """Payment methods; those of plugins start at 6000."""
    rows = [
        (0, "plenty", "PREPAYMENT", "Vorkasse"),
        (1, "plenty", "COD", "cash on delivery"),
        (2, "plenty", "INVOICE", "Rechnung"),
        (3, "plenty", "DEBIT", "Lastschrift"),
        (4, "plenty", "CASH", "Barzahlung"),
        (5000, "plenty", "MANUAL", "Manuell"),
        (5001, "plenty", "BANK", "Bankbuchung"),
        (5002, "plenty", "EBICS", "EBICS"),
        (5003, "plenty", "HBCI", "HBCI"),
        (6000, "plenty_paypal", "PAYPAL", "PayPal"),
        (6001, "plenty_paypal", "PAYPALPLUS", "PayPal PLUS"),
        (6002, "plenty_stripe", "CREDITCARD", "Kreditkarte"),
        (6003, "plenty_klarna", "KLARNA", "Klarna"),
        (6004, "plenty_sofort", "SOFORT", "Sofortüberweisung"),
        (6005, "plenty_prepayment", "PREPAYMENTPLUGIN", "Vorkasse (Plugin)"),
        (6006, "plenty_invoice", "INVOICEPLUGIN", "Rechnung (Plugin)"),
        (6007, "plenty_amazon", "AMAZONPAY", "Amazon Pay"),
    ]
    return [
        {"id": number, "pluginKey": plugin, "paymentKey": key, "name": name, "isDocumentBuilderActive": True}
        for number, plugin, key, name in rows
    ]


def referrers() -> list[Record]:
    """Order referrers; their ids are text with two digits here, while orders carry numbers."""
    rows = [
        ("0.00", "Manuelle Eingabe", "manual"),
        ("1.00", "Mandant (Shop)", "webshop"),
        ("1.01", "Mandant (Shop) 2", "webshop"),
        ("2.00", "eBay", "ebay"),
        ("4.01", "Amazon Germany", "amazon"),
        ("9.00", "Telefon", "phone"),
        ("10.00", "Magento", "magento"),
        ("183.00", "refurbed", "refurbed"),
    ]
    return [
        {
            "id": number,
            "isEditable": float(number) >= 9,
            "backendName": name,
            "name": name,
            "orderOwnerId": None,
            "isFilterable": True,
            "origin": origin,
            "showInLeads": False,
        }
        for number, name, origin in rows
    ]


def presets() -> list[Record]:
    """Shipping profiles."""
    rows = [
        (6, 101, "DHL Paket", 0),
        (7, 102, "DPD Classic", 0),
        (8, 103, "UPS Standard", 0),
        (9, 104, "Click & Collect", 0),
        (10, 101, "DHL Nachnahme", 1),
        (11, 101, "DHL Paket International", 0),
        (12, 105, "GLS", 0),
        (13, 106, "Spedition", 0),
        (14, 107, "E-Mail-Versand", 0),
    ]
    return [
        {
            "id": number,
            "parcelServiceId": provider,
            "backendName": name,
            "flag": 0,
            "priority": 1,
            "category": 1,
            "isInsured": 0,
            "isExpress": 0,
            "isPostident": 0,
            "islandFee": 0,
            "isCod": cod,
            "supportedMultishop": ["-1"],
            "supportedReferrer": ["-1"],
            "excludedPaymentMethods": [],
            "excludedCustomerGroups": [],
            "shippingGroup": "",
            "updatedAt": SET_UP,
            "parcelServicePresetNames": [
                {"id": number * 10 + place, "parcelServicePresetId": number, "lang": lang, "name": name}
                for place, lang in enumerate(("de", "en"))
            ],
        }
        for number, provider, name, cod in rows
    ]


def providers() -> list[Record]:
    """Shipping service providers."""
    rows = [
        (101, "DHL"),
        (102, "DPD"),
        (103, "UPS"),
        (104, "Selbstabholer"),
        (105, "GLS"),
        (106, "Spedition"),
        (107, "Versand per E-Mail"),
    ]
    return [
        {
            "id": number,
            "backendName": name,
            "name": name,
            "names": [
                {"id": number * 10, "lang": "de", "name": name},
                {"id": number * 10 + 1, "lang": "en", "name": name},
            ],
            "pluginId": None,
            "icon": "",
            "trackingUrl": "",
            "createdAt": SET_UP,
            "updatedAt": SET_UP,
        }
        for number, name in rows
    ]


def package_types() -> list[Record]:
    """Boxes: lengths in millimetres, weights in grams."""
    rows = [(1, "Paket S", 200, 350, 150), (2, "Paket M", 350, 450, 250), (3, "Umschlag", 250, 350, 20)]
    return [
        {
            "id": number,
            "name": name,
            "width": width,
            "length": length,
            "height": height,
            "individualWeight": 120,
            "unit": "",
            "maxWeight": 31500,
            "maxVolume": 0,
            "volumeType": 0,
        }
        for number, name, width, length, height in rows
    ]


def webstores() -> list[Record]:
    """Clients; `storeIdentifier` is the plentyId of orders and contacts."""
    rows = [(0, 12345, "Standard Shop", "de, en"), (1, 12346, "Zweiter Shop", "de, en, fr")]
    return [
        {
            "id": number,
            "type": "plentymarkets",
            "storeIdentifier": identifier,
            "name": name,
            "pluginSetId": 7 + number,
            "configuration": {
                "name": name,
                "defaultLanguage": "de",
                "defaultShippingCountryId": 1,
                "languageList": languages,
                "domain": f"http://shop{number}.example.com",
                "domainSsl": f"https://shop{number}.example.com",
                "currencyConversion": 1,
                "defaultCurrency": "EUR",
                "defaultWarehouseId": 104,
            },
        }
        for number, identifier, name, languages in rows
    ]


def warehouses() -> list[Record]:
    """Warehouses; 104 is the main one."""
    return [
        {
            "id": number,
            "name": name,
            "note": "",
            "typeId": kind,
            "onStockAvailability": 1,
            "outOfStockAvailability": 5,
            "splitByShippingProfile": False,
            "storageLocationType": "large",
            "storageLocationZone": 0,
            "repairWarehouseId": 105,
            "isInventoryModeActive": False,
            "logisticsType": "own",
            "createdAt": SET_UP,
            "updatedAt": SET_UP,
            "allocationReferrerIds": ["-1"],
            "address": {
                "name1": name,
                "address1": "Lagerstraße",
                "address2": "1",
                "postalCode": "34117",
                "town": "Kassel",
                "countryId": 1,
                "options": [],
            },
        }
        for number, name, kind in ((104, "Hauptlager", 0), (105, "Reparaturlager", 1))
    ]


VATS: list[tuple[int, int, tuple[str, ...], str]] = [
    # id, country, rates, marked as standard for location
    (1, 1, ("19", "7", "0", "0"), "DE123456789"),
    (2, 2, ("20", "10", "13", "0"), "ATU12345678"),
    (3, 10, ("20", "5.5", "10", "2.1"), "FR12345678901"),
    (4, 22, ("23", "8", "5", "0"), "PL1234567890"),
    (5, 28, ("0", "0", "0", "0"), ""),
    (6, 12, ("20", "5", "0", "0"), "GB123456789"),
    (7, 4, ("8.1", "2.6", "3.8", "0"), ""),
    (8, 21, ("21", "9", "0", "0"), "NL123456789B01"),
    (9, 3, ("21", "6", "12", "0"), "BE0123456789"),
    (10, 15, ("22", "4", "5", "10"), "IT12345678901"),
    (11, 8, ("21", "4", "10", "0"), "ESX1234567X"),
    (12, 7, ("25", "0", "0", "0"), ""),
    (13, 24, ("25", "6", "12", "0"), ""),
    (14, 17, ("17", "3", "8", "14"), ""),
    (15, 6, ("21", "12", "0", "0"), ""),
    (16, 16, ("23", "9", "13.5", "0"), ""),
    (17, 11, ("25.5", "10", "14", "0"), ""),
    (18, 20, ("25", "12", "15", "0"), ""),
]


def vats() -> list[Record]:
    """VAT configurations: `countryVatId` of an item is the id, `vatField` the id of a rate in it."""
    return [
        {
            "id": number,
            "countryId": country,
            "taxIdNumber": tax_number,
            "startedAt": "2013-01-01T00:00:00+01:00",
            "locationId": 1,
            "marginScheme": "none",
            "isRestrictedToDigitalItems": False,
            "isStandard": country == 1,
            "invalidFrom": None,
            "createdAt": SET_UP,
            "updatedAt": SET_UP,
            "vatRates": [
                {"id": place, "name": "ABCDEF"[place], "vatRate": f"{Decimal(rate):.2f}"}
                for place, rate in enumerate(rates)
            ],
        }
        for number, country, rates, tax_number in VATS
    ]


def contact_classes() -> dict[str, str]:
    """Contact classes by id."""
    return {"1": "Endkunden", "2": "Firmenkunden", "3": "Händler"}


CONTACT_TYPES = {1: "Customer", 2: "Lead", 3: "Sales representative", 4: "Supplier", 5: "Manufacturer", 6: "Partner"}

CONTACT_OPTION_TYPES = {
    1: "Telephone", 2: "Email", 3: "Telefax", 4: "Web page", 5: "Marketplace", 6: "Identification number",
    7: "Payment", 8: "User name", 9: "Group", 10: "Access", 11: "Additional", 12: "Salutation", 13: "Converted by",
}  # fmt: skip

CONTACT_OPTION_SUB_TYPES = {
    1: "Work", 2: "Mobile private", 3: "Mobile work", 4: "Private", 5: "PayPal", 6: "eBay", 7: "Amazon", 8: "Klarna",
    9: "DHL", 10: "Forum", 11: "Guest", 12: "Contact person", 13: "Marketplace partner", 14: "Default payment method",
    15: "User", 16: "Mollie", 17: "Follow-up date", 501: "Support pin",
}  # fmt: skip

ADDRESS_OPTION_TYPES = {
    1: "VAT number", 2: "External address ID", 3: "Entry certificate", 4: "Telephone", 5: "Email", 6: "Post number",
    7: "Personal ID", 8: "FSK", 9: "Birthday", 10: "Session ID", 11: "Title", 12: "Contact person",
    13: "External customer ID", 100: "Buyer reference", 101: "GLN", 1001: "Abteilung",
}  # fmt: skip

PROPERTY_TYPES: list[tuple[int, str, str]] = [
    (1, "string", "Warehouse"), (2, "string", "Shipping profile"), (3, "string", "Payment method"),
    (4, "string", "Payment status"), (5, "string", "External shipping profile"), (6, "string", "Document language"),
    (7, "string", "External order ID"), (8, "string", "Customer sign"), (9, "string", "Dunning level"),
    (10, "string", "Seller account"), (11, "string", "Weight"), (15, "string", "Flag"), (18, "string", "Coupon code"),
    (19, "string", "Coupon type"), (33, "string", "Main document number"), (34, "string", "VAT number"),
    (35, "string", "Return reason"), (36, "string", "Return item status"), (41, "string", "External order item ID"),
    (45, "string", "Payment transaction ID"), (46, "string", "Sold coupon code"), (66, "string", "Order origin"),
    (68, "string", "Origin interface"), (80, "string", "External return ID"), (97, "string", "External refund ID"),
    (1001, "string", "Magento Versandart"), (1002, "string", "Geschenknachricht"), (1003, "int", "Magento Store-ID"),
]  # fmt: skip


def property_types() -> list[Record]:
    """Order property types; those from 1000 belong to the tenant."""
    return [
        {
            "id": number,
            "isErasable": number >= 1000,
            "position": place,
            "cast": cast,
            "names": [
                {"id": number * 10 + at, "typeId": number, "lang": lang, "name": name}
                for at, lang in enumerate(("de", "en"))
            ],
        }
        for place, (number, cast, name) in enumerate(PROPERTY_TYPES)
    ]


def option_types(rows: dict[int, str]) -> list[Record]:
    """A list of option types with names in two languages."""
    return [
        {
            "id": number,
            "nonErasable": int(number < 1000),
            "position": place,
            "names": [
                {"id": number * 10 + at, "typeId": number, "lang": lang, "name": name}
                for at, lang in enumerate(("de", "en"))
            ],
        }
        for place, (number, name) in enumerate(rows.items(), start=1)
    ]


def reasons(field: str, rows: list[tuple[int, str, str]]) -> list[Record]:
    """Return reasons and the like: the word under `field`, and again per language."""
    return [
        {
            "id": number,
            field: de,
            "names": [{"id": number * 10 + at, "lang": lang, field: name} for at, (lang, name) in enumerate(pair)],
        }
        for number, de, en in rows
        for pair in [(("de", de), ("en", en))]
    ]


RETURN_REASONS = [
    (1, "Defekt", "Defective"),
    (2, "Gefällt nicht", "Not as expected"),
    (3, "Falsch geliefert", "Wrong item"),
]
RETURN_STATUSES = [(1, "A-Ware", "Like new"), (2, "B-Ware", "Used"), (3, "Defekt", "Defective")]
CREDIT_NOTE_REASONS = [(1, "Rückgabe", "Return"), (2, "Nachlass", "Allowance")]

TAGS: list[Record] = [
    {"id": 1, "name": "Magento", "color": "#ff6600", "createdAt": SET_UP, "updatedAt": SET_UP},
    {"id": 2, "name": "Prüfen", "color": "#cc0000", "createdAt": SET_UP, "updatedAt": SET_UP},
]

CURRENCIES: dict[str, str] = {
    "EUR": "1", "USD": "1.08", "GBP": "0.85", "CHF": "0.95", "PLN": "4.30", "SEK": "11.40", "DKK": "7.46",
    "NOK": "11.70", "CZK": "25.00", "HUF": "395", "JPY": "162", "BHD": "0.41", "KWD": "0.33", "AED": "3.97",
    "CAD": "1.48", "AUD": "1.65", "CNY": "7.80",
}  # fmt: skip
"""Units of a currency for one unit of the system currency."""

SYSTEM_CURRENCY = "EUR"


def variation(number: int, sku: str, name: str, now: str) -> Record:
    """A variation as GET /rest/items/variations returns it."""
    record: dict[str, Any] = {
        "id": number,
        "isMain": True,
        "mainVariationId": None,
        "itemId": number - 4_900,
        "categoryVariationId": number,
        "marketVariationId": number,
        "clientVariationId": number,
        "salesPriceVariationId": number,
        "supplierVariationId": number,
        "warehouseVariationId": number,
        "position": 0,
        "isActive": True,
        "number": sku,
        "model": "",
        "externalId": "",
        "parentVariationId": None,
        "parentVariationQuantity": None,
        "availability": 1,
        "estimatedAvailableAt": None,
        "purchasePrice": 0,
        "createdAt": now,
        "updatedAt": now,
        "relatedUpdatedAt": now,
        "priceCalculationId": None,
        "picking": None,
        "stockLimitation": 0,
        "isVisibleIfNetStockIsPositive": False,
        "isInvisibleIfNetStockIsNotPositive": False,
        "isAvailableIfNetStockIsPositive": False,
        "isUnavailableIfNetStockIsNotPositive": False,
        "mainWarehouseId": 104,
        "maximumOrderQuantity": None,
        "minimumOrderQuantity": None,
        "intervalOrderQuantity": None,
        "availableUntil": None,
        "releasedAt": None,
        "unitCombinationId": 1,
        "name": name,
        "weightG": 500,
        "weightNetG": 0,
        "widthMM": 0,
        "lengthMM": 0,
        "heightMM": 0,
        "bundleType": None,
        "itemName": name,
        "vatId": 0,
        "isHiddenInCategoryList": False,
    }
    return record
