"""Suggestions for mapping tables: which entry of the target most likely means what an entry of the source means.

Names are compared, and ids where they are words ("cashondelivery"). What both sides call differently but the trade knows
as one thing stands in SYNONYMS. Only what is really similar is suggested: a wrong suggestion costs more than none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

HIGH, MEDIUM = "high", "medium"
SAME, ALIKE = 0.95, 0.6  # from this score on it is high, or medium
SPELLED = 0.84  # two words so alike are one word with a slip
COMPARED = 40_000  # so many pairs at most; beyond it nothing is suggested

SYNONYMS: tuple[tuple[str, ...], ...] = (  # each row means one thing; the first names it
    ("cod", "cash on delivery", "cashondelivery", "nachnahme"),
    ("prepayment", "vorkasse", "vorauskasse", "vorauszahlung", "prepaid", "cash in advance", "payment in advance"),
    ("banktransfer", "bank transfer", "wire transfer", "überweisung", "bankueberweisung", "banküberweisung"),
    ("invoice", "rechnung", "rechnungskauf", "kauf auf rechnung", "purchase on account", "purchase order"),
    ("creditcard", "credit card", "kreditkarte", "ccsave"),
    ("directdebit", "direct debit", "lastschrift", "sepa direct debit", "bankeinzug"),
    ("instalments", "installments", "ratenkauf", "ratenzahlung"),
    ("voucher", "gift card", "giftcard", "gutschein"),
    ("cheque", "check", "scheck", "money order", "checkmo"),
    ("cash", "bar", "barzahlung"),
    ("free", "kostenlos", "gratis", "versandkostenfrei", "freeshipping"),
    ("pickup", "pick up", "abholung", "selbstabholung", "in store pickup", "store pickup"),
    ("shipping", "versand", "delivery", "lieferung"),
    ("flatrate", "flat rate", "pauschale", "versandpauschale"),
    ("pending", "ausstehend", "offen", "open", "new", "neu"),
    ("waiting payment", "waiting for payment", "pending payment", "warten auf zahlung", "wartet auf zahlung"),
    ("processing", "in bearbeitung", "in process", "in progress"),
    ("cleared", "freigegeben", "ready for shipping", "versandbereit", "in versandvorbereitung"),
    ("shipped", "versendet", "versandt", "verschickt", "warenausgang gebucht", "outgoing items booked"),
    ("complete", "completed", "abgeschlossen", "vollständig", "erledigt", "finished"),
    ("canceled", "cancelled", "storniert", "storno", "abgebrochen"),
    ("closed", "geschlossen"),
    ("hold", "on hold", "holded", "zurückgestellt", "angehalten"),
    ("refunded", "erstattet", "gutgeschrieben", "credit note", "gutschrift"),
    ("return", "retoure", "rücksendung"),
    ("default", "standard"),
    ("retail", "einzelhandel", "endkunde", "endkunden", "b2c", "general", "allgemein"),
    ("wholesale", "grosshandel", "großhandel", "haendler", "händler", "wholesaler", "b2b"),
    ("guest", "gast", "not logged in", "nicht angemeldet"),
    ("german", "deutsch", "de", "germany", "deutschland"),
    ("english", "englisch", "en"),
    ("french", "französisch", "fr", "france", "frankreich"),
    ("warehouse", "lager"),
    ("main", "haupt"),
    ("male", "herr", "mr", "männlich"),
    ("female", "frau", "mrs", "ms", "miss", "weiblich"),
)
NOISE = frozenset(
    re.findall(
        r"\w+",
        "a an and auf bei by das der die for fuer in mit method methode nach of on oder or order bestellung payment per "
        "status store the und via view von with zahlung zahlungsart zur zum",
    )
)


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """The entry of the right side that is meant, and how sure that is."""

    value: str
    label: str
    confidence: str  # HIGH or MEDIUM

    @property
    def sure(self) -> bool:
        return self.confidence == HIGH


@dataclass(frozen=True, kw_only=True)
class Side:
    """An entry as it is compared: its id, its name, and the label that people read."""

    value: str
    name: str
    label: str


def suggest(lefts: Sequence[Side], rights: Sequence[Side]) -> dict[str, Suggestion]:
    """The best right side of each left one, by its id. Nothing is suggested where two are equally good."""
    if not rights or len(lefts) * len(rights) > COMPARED:
        return {}
    known = [(one, _readings(one)) for one in rights]
    found: dict[str, Suggestion] = {}
    for left in lefts:
        mine = _readings(left)
        scores = sorted(
            (
                (max((_alike(a, b) for a in mine for b in theirs), default=0.0), at)
                for at, (_, theirs) in enumerate(known)
            ),
            key=lambda one: -one[0],
        )
        best, at = scores[0]
        if best < ALIKE or (len(scores) > 1 and scores[1][0] == best):
            continue
        right = known[at][0]
        found[left.value] = Suggestion(
            value=right.value, label=right.label, confidence=HIGH if best >= SAME else MEDIUM
        )
    return found


Words = frozenset[str]


def _readings(one: Side) -> list[Words]:
    """Its name as words, and its id where that is a word and no number."""
    number = re.fullmatch(r"[\d.\s]*", one.value)
    name = re.sub(rf"[\[(]{re.escape(one.value)}[\])]", " ", one.name)  # "[5] Cleared" is "Cleared"
    texts = [name] if number else [name, one.value]
    return list(dict.fromkeys(words for text in texts if (words := _words(text))))


def plain(text: str) -> str:
    """Lower case, no accents, umlauts written out, one blank between words: "On-Hold" → "on hold"."""
    for umlaut, written in (("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss")):
        text = text.replace(umlaut, written).replace(umlaut.upper(), written)
    text = unicodedata.normalize("NFKD", text.lower()).encode("ascii", "ignore").decode()
    return " ".join(re.findall(r"[a-z0-9]+", text))


@cache
def _phrases() -> list[tuple[str, str]]:
    """(what is said, what it means), the longest first, so that "pending payment" is not "pending"."""
    made = [(plain(said), plain(row[0]).replace(" ", "")) for row in SYNONYMS for said in row]
    return sorted(made, key=lambda one: -len(one[0]))


@cache
def _phrase_pattern() -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(re.escape(said) for said, _ in _phrases()) + r")\b")


@cache
def _meanings() -> dict[str, str]:
    return dict(reversed(_phrases()))


def _words(text: str) -> Words:
    meant = _phrase_pattern().sub(lambda found: _meanings()[found[0]], plain(text[:200]))
    return frozenset(_telling(meant.split()))


def _telling(words: Iterable[str]) -> list[str]:
    """Without the words that say nothing, unless there are no others."""
    words = list(words)
    return [one for one in words if one not in NOISE] or words


def _alike(left: Words, right: Words) -> float:
    """1 for the same words; less by each word that only one side has; a right side within a longer left one is alike."""
    if left == right:
        return 1.0
    same = left & right
    if same == right and any(len(word) > 3 for word in same):  # "PayPal Express" is a "PayPal"
        return ALIKE + 0.2 * len(right) / len(left)
    slips = sum(max((_spelled(one, other) for other in right - left), default=0.0) for one in left - right)
    return (len(same) + slips) / (len(left | right) - slips)


@cache
def _spelled(one: str, other: str) -> float:
    if (
        one[0] != other[0]
        or min(len(one), len(other)) < 4
        or one.isdecimal()
        or other.isdecimal()
        or abs(len(one) - len(other)) > 3
    ):
        return 0.0
    matcher = SequenceMatcher(None, one, other)
    ratio = matcher.ratio() if matcher.real_quick_ratio() >= SPELLED and matcher.quick_ratio() >= SPELLED else 0.0
    return 0.9 * ratio if ratio >= SPELLED else 0.0
