"""Takes the house number out of street lines as people type them, and loses nothing of them.

"Musterstr. 12 a", "12 rue de la Paix", the number in a line of its own, "Packstation 123". Where no number is found the
line stays whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

NUMBER_FIRST = (  # countries whose house numbers stand before the street
    "FR", "GB", "IE", "US", "CA", "AU", "NZ", "LU", "MC", "MT", "CY", "ZA", "IN", "SG", "PH", "MY", "TH", "IL",
)  # fmt: skip
LONGEST = 150  # a longer line is prose
NUMBER = r"\d+(?:\s*[a-zA-Z](?![a-zA-Z]))?(?:\s*[-–/+&]\s*\d+(?:\s*[a-zA-Z](?![a-zA-Z]))?)*"
LAST = re.compile(rf"^(?P<street>.*?[^\d\s,/–-].*?|[A-Za-z]\s?\d{{1,2}})(?:\s*,\s*|\s+|(?<=\.))(?P<number>{NUMBER})$")
FIRST = re.compile(rf"^(?P<number>{NUMBER}(?:\s?(?:bis|ter|quater)\b)?)(?:\s*,\s*|\s+)(?P<street>\D.+)$", re.IGNORECASE)
ONLY = re.compile(rf"^(?:(?:nr|no|hausnummer|number|n°)\.?\s*)?(?P<number>{NUMBER})$", re.IGNORECASE)
KIND = r"^(?:(?:dhl|deutsche post)\s+)?(?P<kind>packstation|post-?filiale|paketbox)\s*(?:nr\.?|no\.?|#)?:?"
LOCKER = re.compile(KIND + r"\s*(?P<number>\d{1,4})$", re.IGNORECASE)
BARE = re.compile(KIND + "$", re.IGNORECASE)
HOUSE = re.compile(r"^(?:nr\.?|no\.?|#)?\s*(?P<number>\d{1,4})$", re.IGNORECASE)
POST_NUMBER = re.compile(r"^(?:(?:post|kunden)nummer|postnr\.?|dhl)?\s*:?\s*(?P<number>\d{6,10})$", re.IGNORECASE)


KINDS = ("PACKSTATION", "POSTFILIALE", "PAKETBOX")


@dataclass(frozen=True)
class Street:
    """`street` and `number` for address1 and address2, what else was typed in `more`; the `post_number` of DHL."""

    street: str
    number: str = ""
    more: tuple[str, ...] = ()
    post_number: str | None = None

    @property
    def is_locker(self) -> bool:
        return self.street in KINDS and bool(self.number)


def split(lines: tuple[str, ...], country: str | None) -> Street:
    """The parts of an address's street lines, as typed but trimmed."""
    clean = [" ".join(line.split()) for line in lines if line and line.strip()]
    if not clean:
        return Street("")
    if locker := _locker(clean):
        return locker
    first, rest = clean[0], clean[1:]
    if len(first) > LONGEST:
        return Street(first, "", tuple(rest))
    patterns = (FIRST, LAST) if country in NUMBER_FIRST else (LAST, FIRST)
    for pattern in patterns:
        if found := pattern.match(first):
            return Street(found["street"].strip(" ,"), found["number"].strip(), tuple(rest))
    if rest and (only := ONLY.match(rest[0])):
        return Street(first, only["number"], tuple(rest[1:]))
    if rest and ONLY.match(first):
        return Street(rest[0], first, tuple(rest[1:]))
    return Street(first, "", tuple(rest))


def post_number(text: str | None) -> str | None:
    """The post number of a DHL customer, where a text is nothing else: "12345678", "Postnummer 12345678"."""
    found = POST_NUMBER.match(" ".join((text or "").split()))
    return found["number"] if found else None


def _locker(clean: list[str]) -> Street | None:
    """A parcel locker or a post office, its number in the same line or in the next one."""
    for n, line in enumerate(clean):
        used = 1
        found = LOCKER.match(line)
        house = found
        if found is None and (found := BARE.match(line)) and n + 1 < len(clean):
            house, used = HOUSE.match(clean[n + 1]), 2
        if found is None or house is None:
            continue
        rest = clean[:n] + clean[n + used :]
        post = next((match for one in rest if (match := POST_NUMBER.match(one))), None)
        more = tuple(one for one in rest if post is None or one != post.string)
        kind = found["kind"].upper().replace("-", "")
        return Street(kind, house["number"], more, post["number"] if post else None)
    return None
