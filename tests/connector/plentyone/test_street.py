"""House numbers, as people type them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.plentyone.street import split


@pytest.mark.parametrize(
    ("lines", "country", "street", "number"),
    [
        (("Musterstr. 12 a",), "DE", "Musterstr.", "12 a"),
        (("Musterstraße 12a",), "DE", "Musterstraße", "12a"),
        (("Musterstr.12",), "DE", "Musterstr.", "12"),
        (("Musterstraße, 12",), "IT", "Musterstraße", "12"),
        (("Am Markt 12-14",), "DE", "Am Markt", "12-14"),
        (("Am Markt 12 - 14 b",), "DE", "Am Markt", "12 - 14 b"),
        (("Weg 5/7/3",), "AT", "Weg", "5/7/3"),
        (("Straße des 17. Juni 135",), "DE", "Straße des 17. Juni", "135"),
        (("Straße des 17. Juni",), "DE", "Straße des 17. Juni", ""),
        (("Q7, 24",), "DE", "Q7", "24"),
        (("12 rue de la Paix",), "FR", "rue de la Paix", "12"),
        (("10 bis rue Victor",), "FR", "rue Victor", "10 bis"),
        (("12 rue du 8 mai 1945",), "FR", "rue du 8 mai 1945", "12"),
        (("123 Main St Apt 4",), "US", "Main St Apt 4", "123"),
        (("5th Avenue 10",), "US", "5th Avenue", "10"),
        (("221B Baker Street",), "GB", "Baker Street", "221B"),
        (("Musterweg", "7b"), "DE", "Musterweg", "7b"),
        (("42", "Hauptstr."), "DE", "Hauptstr.", "42"),
        (("Hauptstraße",), "DE", "Hauptstraße", ""),
        (("Packstation 123",), "DE", "PACKSTATION", "123"),
        (("Postfiliale 501",), "DE", "POSTFILIALE", "501"),
        (("DHL Packstation Nr. 123",), "DE", "PACKSTATION", "123"),
        (("Deutsche Post Filiale 5",), "DE", "Deutsche Post Filiale", "5"),
        (("Post-Filiale", "501"), "DE", "POSTFILIALE", "501"),
        (("Packstation",), "DE", "Packstation", ""),
        (("42",), "DE", "42", ""),
        ((), "DE", "", ""),
    ],
)
def test_the_number_is_taken_out(lines: tuple[str, ...], country: str, street: str, number: str) -> None:
    found = split(lines, country)
    assert (found.street, found.number) == (street, number)


def test_what_is_left_over_is_kept() -> None:
    assert split(("Am Markt 2", "Hinterhaus", "3. OG"), "DE").more == ("Hinterhaus", "3. OG")


@pytest.mark.parametrize("lines", [("12345678", "Packstation 123"), ("Packstation 123", "Postnummer 12345678")])
def test_a_post_number_belongs_to_the_locker(lines: tuple[str, ...]) -> None:
    found = split(lines, "DE")
    assert (found.street, found.number, found.post_number, found.more) == ("PACKSTATION", "123", "12345678", ())


@given(st.lists(st.text(max_size=60), max_size=4), st.sampled_from(["DE", "FR", None]))
def test_nothing_that_was_typed_is_lost(lines: list[str], country: str | None) -> None:
    found = split(tuple(lines), country)
    told = f"{found.street} {found.number} {' '.join(found.more)} {found.post_number or ''}".lower()
    told += f" {found.street}{found.number}".lower()
    for word in " ".join(lines).replace(",", " ").split():
        assert word.lower() in told or "nummer" in word.lower() or word.lower().strip(":.") in ("nr", "no", "dhl", "n°")


def test_a_strange_line_takes_no_time() -> None:
    began = time.perf_counter()
    for line in ("1 " * 75, "1/" * 75, "a1" * 75, "1a " * 50, "x" * 150 + "1" * 300, " 1-" * 50):
        split((line,), "DE")
        split((line,), "FR")
    assert time.perf_counter() - began < 0.5
