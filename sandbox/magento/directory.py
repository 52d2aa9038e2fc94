"""Countries, currencies and modules."""

from decimal import Decimal
from typing import Any

from sandbox.magento.refusal import Refused
from sandbox.magento.stores import Stores

NAMES = (
    ("AT", "AUT", "Austria"),
    ("BE", "BEL", "Belgium"),
    ("CH", "CHE", "Switzerland"),
    ("CZ", "CZE", "Czechia"),
    ("DE", "DEU", "Germany"),
    ("DK", "DNK", "Denmark"),
    ("ES", "ESP", "Spain"),
    ("FR", "FRA", "France"),
    ("GB", "GBR", "United Kingdom"),
    ("IT", "ITA", "Italy"),
    ("LU", "LUX", "Luxembourg"),
    ("NL", "NLD", "Netherlands"),
    ("PL", "POL", "Poland"),
    ("US", "USA", "United States"),
)
COUNTRIES = [
    {
        "id": two,
        "two_letter_abbreviation": two,
        "three_letter_abbreviation": three,
        "full_name_locale": name,
        "full_name_english": name,
    }
    for two, three, name in NAMES
]
REGIONS = {  # of the countries where an address needs one, by the shop's first configuration
    "US": ((12, "CA", "California"), (43, "NY", "New York"), (57, "TX", "Texas")),
}
MODULES = (
    "Magento_Store",
    "Magento_Directory",
    "Magento_Backend",
    "Magento_Customer",
    "Magento_Catalog",
    "Magento_ConfigurableProduct",
    "Magento_Bundle",
    "Magento_Downloadable",
    "Magento_Sales",
    "Magento_SalesRule",
    "Magento_Tax",
    "Magento_InventoryApi",
    "Magento_InventoryInStorePickup",
    "Magento_GiftCard",
    "Magento_GiftCardAccount",
    "Magento_CustomerBalance",
    "Magento_Reward",
)
SYMBOLS = {"EUR": "€", "PLN": "zł", "USD": "$", "CHF": "CHF", "GBP": "£"}
RATES = {"EUR": Decimal(1), "PLN": Decimal("4.2755"), "CHF": Decimal("0.9412"), "USD": Decimal("1.0834")}


def currency(stores: Stores) -> dict[str, Any]:
    """What the default view sells in, and the rates of all currencies that any view sells in."""
    default = stores.views[1]
    codes = sorted({view.currency for view in stores.views.values() if view.id})
    return {
        "base_currency_code": default.base_currency,
        "base_currency_symbol": SYMBOLS.get(default.base_currency, default.base_currency),
        "default_display_currency_code": default.currency,
        "default_display_currency_symbol": SYMBOLS.get(default.currency, default.currency),
        "available_currency_codes": codes,
        "exchange_rates": [{"currency_to": code, "rate": RATES[code]} for code in codes if code in RATES],
    }


def country(code: str) -> dict[str, Any]:
    """One country with its regions. Refused with 404 when there is none."""
    for one in COUNTRIES:
        if one["id"] == code:
            regions = [{"id": str(id), "code": short, "name": name} for id, short, name in REGIONS.get(code, ())]
            return {**one, "available_regions": regions} if regions else one
    raise Refused(404, "The country isn't available.")
