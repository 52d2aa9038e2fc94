"""Which VAT configuration and field of PlentyONE a line's rate is.

`countryVatId` is the id of a configuration (a country at one of the merchant's locations), `vatField` the index of the
rate in it. Percent as Decimal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector import Entry, Payload
from connector.plentyone.shapes import amount, same, wire
from connector.records import OrderLine, cents

NEARLY = Decimal("0.6")  # a rate computed from cents may be so far from the true one


@dataclass(frozen=True)
class Vat:
    """A rate, with where PlentyONE keeps it; both ids are None when it is set up nowhere."""

    rate: Decimal
    config_id: str | None = None
    field: str | None = None

    def fields(self) -> Payload:
        made: Payload = {"vatRate": self.rate}
        if self.config_id is not None and self.field is not None:
            made = {"countryVatId": wire(self.config_id), "vatField": wire(self.field), **made}
        return made


class Rates:
    """The VAT rates that apply to deliveries to one country on one day (ISO text)."""

    def __init__(self, entries: Iterable[Entry], country_id: str, day: str) -> None:
        valid = [one for one in entries if _valid(one.extra, day)]
        self._configs = [one for one in valid if same(one.extra.get("country_id"), country_id)]
        self._configs.sort(key=_preference)
        # another country's configuration is a guess; the standard location's is the best one
        self._others = sorted((one for one in valid if one.extra.get("standard")), key=_preference)

    def of(self, rate: Decimal) -> Vat:
        for config in (*self._configs, *self._others):
            for field, percent in (config.extra.get("rates") or {}).items():
                if amount(percent) == rate:
                    return Vat(rate, config.id, str(field))
        return Vat(rate)

    @property
    def known(self) -> list[Decimal]:
        config = next(iter(self._configs or self._others), None)
        rates = (config.extra.get("rates") or {}).values() if config else ()
        return [percent for one in rates if (percent := amount(one)) is not None]


def _valid(extra: Mapping[str, object], day: str) -> bool:
    started, ended = extra.get("started_at"), extra.get("invalid_from")
    return not (started and str(started)[:10] > day) and not (ended and str(ended)[:10] <= day)


def _preference(entry: Entry) -> tuple[bool, bool, int, Decimal]:
    """Not for digital goods only, of the standard location, the latest to begin, the lowest id."""
    begun = str(entry.extra.get("started_at") or "")[:10].replace("-", "")
    return (
        bool(entry.extra.get("digital")),
        not entry.extra.get("standard"),
        -int(begun) if begun.isdigit() else 0,
        amount(entry.id) or Decimal(0),
    )


def rate_of(line: OrderLine, known: Sequence[Decimal]) -> Decimal:
    """The line's rate: as the source says, else from its tax, else the first rate of the country."""
    if line.tax_rate is not None:
        return line.tax_rate.normalize() + 0
    net = line.total - line.tax
    if line.tax == 0:
        return Decimal(0) if line.total else next(iter(known), Decimal(0))
    if net <= 0:
        return next(iter(known), Decimal(0))
    rate = line.tax / net * 100
    nearest = min(known, key=lambda one: abs(one - rate), default=None)
    return nearest if nearest is not None and abs(nearest - rate) <= NEARLY else cents(rate)
