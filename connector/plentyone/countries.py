"""PlentyONE's own country and state ids, found by ISO code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connector import Entry

ORDER = (
    "DE", "AT", "BE", "CH", "CY", "CZ", "DK", "ES", "EE", "FR", "FI", "GB", "GR", "HU",
    "IT", "IE", "LU", "LV", "MT", "NO", "NL", "PT", "PL", "SE", "SG", "SK", "SI", "US",
)  # fmt: skip
WELL_KNOWN = {code: str(id) for id, code in enumerate(ORDER, start=1)}
"""The ids of the vendor's guide, for a system whose list was not collected."""


class Countries:
    """The collected countries, indexed once."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._by_code: dict[str, Entry] = {}
        for entry in entries:
            for code in (entry.extra.get("iso3"), entry.extra.get("iso2")):
                if code:
                    self._by_code[str(code).upper()] = entry

    def id(self, code: str | None) -> str | None:
        code = (code or "").strip().upper()
        entry = self._by_code.get(code)
        return entry.id if entry else WELL_KNOWN.get(code)

    def state(self, country: str | None, code: str | None, name: str | None) -> str | None:
        """The state's id by its code ("BY", "DE-BY") or its name; None when the country has no such state."""
        entry = self._by_code.get((country or "").strip().upper())
        states: Sequence[Mapping[str, Any]] = entry.extra.get("states") or () if entry else ()
        wanted = {text.upper() for text in (code, f"{country}-{code}") if text} if code else set()
        for state in states:
            if wanted & set(state.get("codes") or ()):
                return str(state["id"])
        for state in states:
            if name and str(state.get("name", "")).casefold() == name.strip().casefold():
                return str(state["id"])
        return None
