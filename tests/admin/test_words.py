"""Every text has its German, with the same places; stored sentences are translated when they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from admin.translations import extract
from admin.views import words
from tests.admin.conftest import Browser

PLACE = re.compile(r"\{\w*\}")


def forget() -> None:
    for one in (words.words, words._exact, words._ends, words._patterns, words._best, words._whole):
        getattr(one, "cache_clear", int)()  # one may be replaced


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The connectors that come with the program, whichever were tested before."""
    folders = [Path(extract.ROOT) / "connector" / name / "translations" for name in ("magento", "plentyone")]
    monkeypatch.setattr(words, "_connectors", lambda: folders)
    forget()
    yield
    forget()


def german(folder: Path) -> dict[str, str]:
    from babel.messages.pofile import read_po

    with (folder / "de" / "LC_MESSAGES" / "messages.po").open("rb") as stream:
        return {str(one.id): str(one.string) for one in read_po(stream, locale="de") if one.id}


@cache
def catalogues() -> dict[str, tuple[Path, list[str]]]:
    """By the name of the folder that they belong to. Read when a test asks: reading takes seconds."""
    return {folder.parent.name: (folder, texts) for folder, texts in extract.catalogues()}


def folders() -> list[str]:
    """Where translations are: in the pages' folder and in those of connectors."""
    found = [extract.PAGES, *sorted((extract.ROOT / "connector").iterdir())]
    return [one.name for one in found if (one / "translations").is_dir()]


def test_every_folder_of_texts_has_translations() -> None:
    assert set(catalogues()) <= set(folders()), "run `make words`"


@pytest.mark.parametrize("name", folders())
def test_every_text_has_its_german_with_the_same_places(name: str) -> None:
    if name not in catalogues():
        pytest.skip(f"{name} is not installed")
    folder, texts = catalogues()[name]
    said = german(folder)
    assert not [text for text in texts if not said.get(text)], "run `make words` and translate what is new"
    wrong = [text for text in texts if sorted(PLACE.findall(text)) != sorted(PLACE.findall(said[text]))]
    assert not wrong
    assert not set(said) - set(texts), "run `make words`: nobody says this any more"


def test_the_browser_chooses_the_language_and_a_person_may_choose_another(anna: Browser) -> None:
    page = anna.get("/profiles/", headers={"Accept-Language": "de-DE,de;q=0.9"}).get_data(as_text=True)
    assert '<html lang="de">' in page
    assert "Profile" in page
    anna.post("/language/", {"language": "en", "next": "/profiles/"})
    page = anna.get("/profiles/", headers={"Accept-Language": "de-DE,de;q=0.9"}).get_data(as_text=True)
    assert '<html lang="en">' in page


def test_a_status_that_stands_in_a_template_is_said_in_the_language_of_each_reader(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "de"}):
        made = app.jinja_env.from_string('{{ "processing"|chip }}')
        assert "in Arbeit" in made.render()
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert "processing" in made.render()


def test_a_stored_sentence_is_translated_with_its_values(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "Order {a}: payment method '{b}' of store {c} is not mapped": "Auftrag {a}: Zahlungsart „{b}“ fehlt ({c})",
        "Nothing changed since it was written.": "Seit dem Schreiben unverändert.",
    }
    monkeypatch.setattr(words, "words", lambda spoken: known if spoken == "de" else {})
    forget()
    with app.test_request_context(headers={"Accept-Language": "de"}):
        said = words.told("Order 1: payment method 'x' of store de is not mapped")
        both = words.told("Nothing changed since it was written. Something that nobody translated.")
    forget()
    assert said == "Auftrag 1: Zahlungsart „x“ fehlt (de)"
    assert both == "Seit dem Schreiben unverändert. Something that nobody translated."


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("20 complete, 5 failed.", "20 abgeschlossen, 5 fehlgeschlagen."),
        ("nothing to do.", "nichts zu tun."),
        (
            "Order 700 created: 3 items, 1325.29 EUR, payment 31",
            "Auftrag 700 angelegt: 3 Positionen, 1.325,29 EUR, Zahlung 31",
        ),
        (
            "Order 700 created: 1 item, 7.00 PLN, no payment",
            "Auftrag 700 angelegt: 1 Position, 7,00 PLN, keine Zahlung",
        ),
        ("Order 700 updated: nothing to change", "Auftrag 700 aktualisiert: nichts zu ändern"),
        (
            "Order 700 updated: payment 31 approved, addresses changed, 1 note added",
            "Auftrag 700 aktualisiert: Zahlung 31 freigegeben, Adressen geändert, 1 Memo hinzugefügt",
        ),
        ("Hour '25' is not possible: allowed is 0 to 23.", "Stunde '25' ist nicht möglich: erlaubt ist 0 bis 23."),
        (
            "Month '13' is not possible: allowed is 1 to 12 or JAN to DEC.",
            "Monat '13' ist nicht möglich: erlaubt ist 1 bis 12 oder JAN bis DEC.",
        ),
        ("Planned for 2026-11-21 10:15 (Europe/Berlin).", "Geplant für 21.11.2026 10:15 (Europe/Berlin)."),
        ("Must be from 1 to 50, not 99.", "Muss von 1 bis 50 sein, nicht 99."),
        ("3 unknowns, 2 failed.", "3 unknowns, 2 failed."),
        ("Order 700 updated: cancelled", "Auftrag 700 aktualisiert: storniert"),
        (
            "Magento order 100001: taken off hold, cancelled, status complete.",
            "Magento-Bestellung 100001: freigegeben, storniert, Status complete.",
        ),
        (
            "Magento order 100001: status pending_payment set again.",
            "Magento-Bestellung 100001: Status pending_payment wieder gesetzt.",
        ),
        (
            "Magento order 200000005: invoice 1, shipment 900012 found in Magento, tracking number JD0000700013 added to "
            "shipment 900012.",
            "Magento-Bestellung 200000005: Rechnung 1, Lieferung 900012 in Magento gefunden, Sendungsnummer JD0000700013 zu "
            "Lieferung 900012 hinzugefügt.",
        ),
        ("Sign-in", "Anmeldung"),
        (
            "Month 'DEC-JAN' in '1,DEC-JAN' is not possible: a range goes from the smaller to the greater (write two parts "
            "with a comma), allowed is 1 to 12 or JAN to DEC.",
            "Monat 'DEC-JAN' in '1,DEC-JAN' ist nicht möglich: Ein Bereich geht vom kleineren zum größeren Wert (sonst zwei "
            "Teile mit Komma schreiben), erlaubt ist 1 bis 12 oder JAN bis DEC.",
        ),
    ],
)
def test_the_parts_of_a_stored_sentence_are_all_translated_or_none_is(stored: str, shown: str, bundled: None) -> None:
    assert words.told(stored, "de") == shown


def stored_sentences() -> list[str]:
    folders = ("profiles", "scheduler", "connector", "connector/magento", "connector/plentyone")
    files = [file for folder in folders for file in sorted((extract.ROOT / folder).glob("*.py"))]
    found = dict.fromkeys(text.strip() for file in files for text in extract.sentences(file))
    return [text for text in found if len(PLACE.sub("", text)) > 15]


def test_every_stored_sentence_is_told_whole_alone_and_within_what_a_run_says(bundled: None) -> None:
    german = words._exact("de")
    stored = [text for text in stored_sentences() if text.removesuffix(".") in german]
    assert len(stored) > 150
    wrong = []
    for text in stored:
        values = {name: f"X{at}x" for at, name in enumerate(dict.fromkeys(re.findall(r"\{(\w+)\}", text)))}
        english, said = (one.format(**values).removesuffix(".") for one in (text, german[text.removesuffix(".")]))
        pairs = [
            (f"{english}.", f"{said}."),
            (
                f"2 complete, 5 failed. First reason: 10001: {english}",
                f"2 abgeschlossen, 5 fehlgeschlagen. Erster Grund: 10001: {said}",
            ),
            (
                f"{english}. All records wait for the next run.",
                f"{said}. Alle Datensätze warten auf den nächsten Lauf.",
            ),
        ]
        wrong += [(words.told(stored, "de"), shown) for stored, shown in pairs if words.told(stored, "de") != shown]
    assert not wrong


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (
            "10001: payment method 'check mo' of store de is not mapped",
            "10001: Zahlungsart „check mo“ von Store de ist nicht zugeordnet",
        ),
        (
            "Nothing was sent: order status 'new' of store de is not mapped; store at is not mapped. "
            "Complete the settings of this profile and run it again.",
            "Nichts wurde gesendet: Auftragsstatus „new“ von Store de ist nicht zugeordnet; Store at ist nicht "
            "zugeordnet. Die Einstellungen dieses Profils vervollständigen und erneut ausführen.",
        ),
        ("payment method unknown", "payment method unknown"),
        ("erp: POST /a answered 422: the payment is odd", "erp: POST /a hat mit 422 geantwortet: the payment is odd"),
    ],
)
def test_what_stands_within_a_sentence_is_told_whole_or_not_at_all(stored: str, shown: str, bundled: None) -> None:
    assert words.told(stored, "de") == shown
