"""Every text has its German, with the same places; stored sentences are translated when they are shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from flask import Flask

from admin.translations import extract
from admin.views import words
from profiles.db import DatabaseTrouble
from profiles.models import Profile, SyncRecord
from tests.admin.conftest import Browser, Seeded

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
        ("Order 700 is up to date: nothing to change", "Auftrag 700 ist aktuell: nichts zu ändern"),
        (
            "Dry run, nothing was sent: 1 updated, 2 up to date.",
            "Probelauf, nichts wurde gesendet: 1 aktualisiert, 2 aktuell.",
        ),
        (
            "Order 700 updated: payment 31 approved, addresses changed, 1 note added",
            "Auftrag 700 aktualisiert: Zahlung 31 freigegeben, Adressen geändert, 1 Memo hinzugefügt",
        ),
        (
            "Hour '25' is not possible: 25 is too large; allowed is 0 to 23.",
            "Stunde '25' ist nicht möglich: 25 ist zu groß; erlaubt ist 0 bis 23.",
        ),
        (
            "Month '13' is not possible: 13 is too large; allowed is 1 to 12 or JAN to DEC.",
            "Monat '13' ist nicht möglich: 13 ist zu groß; erlaubt ist 1 bis 12 oder JAN bis DEC.",
        ),
        (
            "Minute '*/0' is not possible: a step of 0 leads nowhere, the smallest is 1.",
            "Minute '*/0' ist nicht möglich: Ein Schritt von 0 führt nirgendwohin, der kleinste ist 1.",
        ),
        (
            "Day of week 'MOX' is not possible: 'MOX' is no day of the week; allowed is 0 to 7 (Sunday is 0 or 7) or SUN to "
            "SAT, 5L for the last Friday, 1#2 for the second Monday.",
            "Wochentag 'MOX' ist nicht möglich: 'MOX' ist kein Wochentag; erlaubt ist 0 bis 7 (Sonntag ist 0 oder 7) oder "
            "SUN bis SAT, 5L für den letzten Freitag, 1#2 für den zweiten Montag.",
        ),
        ("Skipped by admin.", "Von admin übersprungen."),
        ("Put back to pending by order.", "Von order auf ausstehend zurückgesetzt."),
        ("Started by my-host · process 7.", "Gestartet von my-host · Prozess 7."),
        ("The OAuth signature is accepted.", "Die OAuth-Signatur: akzeptiert."),
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
        ("profile 'A', settings.global.x: not set → 105", "Profil „A“, settings.global.x: nicht gesetzt → 105"),
        ("profile 'A', cron: 5 * * * * → not set", "Profil „A“, cron: 5 * * * * → nicht gesetzt"),
        (
            "Month 'DEC-JAN' in '1,DEC-JAN' is not possible: a range goes from the smaller to the greater (write two parts "
            "with a comma); allowed is 1 to 12 or JAN to DEC.",
            "Monat 'DEC-JAN' in '1,DEC-JAN' ist nicht möglich: Ein Bereich geht vom kleineren zum größeren Wert (sonst zwei "
            "Teile mit Komma schreiben); erlaubt ist 1 bis 12 oder JAN bis DEC.",
        ),
    ],
)
def test_the_parts_of_a_stored_sentence_are_all_translated_or_none_is(stored: str, shown: str, bundled: None) -> None:
    assert words.told(stored, "de") == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (
            "Connection Order import is not active: nothing is exchanged with it.",
            "Verbindung Order import ist nicht aktiv: Es wird nichts mit ihr ausgetauscht.",
        ),
        ("Order import", "Order import"),
        ("Order 700 updated: nothing to change", "Auftrag 700 aktualisiert: nichts zu ändern"),
        ("Order is already running", "Order is already running"),
    ],
)
def test_names_that_people_gave_are_never_translated(
    stored: str, shown: str, bundled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a name is a word of the catalogue, and without losing what such a word means elsewhere."""
    monkeypatch.setattr(words, "_own", lambda: words.Own(names=("Order import", "Order", "shop")))
    assert words.told(stored, "de") == shown


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("Next attempt at 18:10:05 UTC.", "Next attempt at 20:10:05 Europe/Berlin."),
        ("Waits (setting 'a', 23:30 UTC).", "Waits (setting 'a', 01:30 Europe/Berlin)."),
        ("It ran until 2026-12-31 23:30 (UTC).", "It ran until 2027-01-01 00:30 (Europe/Berlin)."),
        ("No time, UTC alone, 25:61 UTC.", "No time, UTC alone, 25:61 UTC."),
    ],
)
def test_times_that_sentences_say_in_utc_are_told_in_the_zone(stored: str, shown: str) -> None:
    summer = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert words.told(stored, "en", zone="Europe/Berlin", near=summer) == shown
    assert words.told(stored, "en", zone="UTC") == stored


def test_a_time_of_a_translated_sentence_is_told_in_the_zone_too(bundled: None) -> None:
    near = datetime(2026, 11, 21, 12, tzinfo=UTC)
    said = words.told("The shop is away. Next attempt at 18:10:05 UTC.", "de", zone="Europe/Berlin", near=near)
    assert said.endswith("Nächster Versuch: 19:10:05 Europe/Berlin.")


def stored_sentences() -> list[str]:
    folders = ("profiles", "scheduler", "connector", "connector/magento", "connector/plentyone", "admin/configuration")
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
        (
            "default shipping profile of store de is not set, and shipping method '' is not mapped; order status 'new' of "
            "store de is not mapped; default shipping profile of store at is not set, and shipping method 'x' is not mapped",
            "Standard-Versandprofil von Store de ist nicht gesetzt, und Versandart „“ ist nicht zugeordnet; Auftragsstatus "
            "„new“ von Store de ist nicht zugeordnet; Standard-Versandprofil von Store at ist nicht gesetzt, und Versandart "
            "„x“ ist nicht zugeordnet",
        ),
        (
            "shop: GET /V1/orders was refused: the consumer key is unknown. Copy the consumer key from System > "
            "Extensions > Integrations, and see that the integration is active. Magento said: key_rejected",
            "shop: GET /V1/orders wurde abgelehnt: der Consumer Key ist unbekannt. Den Consumer Key aus System > Extensions "
            "> Integrations kopieren und darauf achten, dass die Integration aktiv ist. Magento meldete: key_rejected",
        ),
        (
            "shop: GET /V1/orders: no answer within 30 seconds",
            "shop: GET /V1/orders: keine Antwort innerhalb von 30 Sekunden",
        ),
        ("Shipping countries", "Lieferländer"),
        ("payment method unknown", "payment method unknown"),
        ("erp: POST /a answered 422: the payment is odd", "erp: POST /a hat mit 422 geantwortet: the payment is odd"),
    ],
)
def test_what_stands_within_a_sentence_is_told_whole_or_not_at_all(stored: str, shown: str, bundled: None) -> None:
    assert words.told(stored, "de") == shown


def test_a_message_says_its_times_in_the_profiles_zone_and_in_utc_on_hover(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        row = session.get_one(SyncRecord, seeded.failed)
        row.message, row.status = "The shop is away. Next attempt at 18:10:05 UTC.", "pending"
        profile = session.get_one(Profile, seeded.profile)
        profile.timezone = "Asia/Tokyo"  # one without summer time
    for tab in ("records/?status=pending", "records/?text=The+shop+is+away"):
        page = anna.get(f"/profiles/{seeded.profile}/{tab}").get_data(as_text=True)
        (cell,) = re.findall(r'<span class="message" title="([^"]*18:10:05[^"]*)">([^<]*)<', page)
        assert cell[0].endswith("Next attempt at 18:10:05 UTC.")
        assert cell[1].endswith("Next attempt at 03:10:05 Asia/Tokyo.")


def test_a_database_of_another_version_is_said_in_german_too(
    anna: Browser, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise DatabaseTrouble("The database is older than this program. Run `connector db upgrade`.")

    monkeypatch.setitem(app.view_functions, "dashboard.index", fail)
    answer = anna.get("/", headers={"Accept-Language": "de"})
    assert answer.status_code == 503
    assert "Die Datenbank ist älter als dieses Programm." in answer.get_data(as_text=True)


def test_the_columns_bear_the_words_of_the_trade(anna: Browser, seeded: Seeded) -> None:
    page = anna.get(f"/profiles/{seeded.profile}/records/", headers={"Accept-Language": "de"}).get_data(as_text=True)
    assert ">Auftrags-ID</a>" in page
    assert "Auftrag-ID" not in page


def test_what_the_configuration_refuses_is_said_in_german(anna: Browser, seeded: Seeded) -> None:
    def page(address: str, given: dict[str, str]) -> str:
        said = anna.post(address, given, headers={"Accept-Language": "de"}, follow_redirects=True)
        return html.unescape(said.get_data(as_text=True))

    profile = {"name": "Orders DE", "cron": "0 6 * * *", "timezone": "UTC", "from": "shop-de", "to": "erp"}
    moved = page(f"/profiles/{seeded.profile}/", {**profile, "from": "erp", "to": "shop-de"})
    assert "Das ist nicht mehr zu ändern: Das Profil hat schon Datensätze." in moved
    unnamed = page(f"/profiles/{seeded.profile}/", {**profile, "name": "x" * 200})
    assert "Der Name ist länger als 128 Zeichen." in unnamed
    copied = page(f"/profiles/{seeded.profile}/duplicate", {"copy_name": "Orders DE"})
    assert "Ein anderes Profil heißt schon so." in copied
    used = page(f"/connections/{seeded.shop}/delete", {"confirm": "shop-de"})
    assert "Verwendet von 'Orders DE': Dort zuerst ändern oder löschen." in used
    stored = {
        "connection_name": "erp",
        "connection_address": "shop.example.com",
        "s.user": "api",
        "s.key": "env:SHOP_KEY",
    }
    taken = page(f"/connections/{seeded.shop}/edit/", stored)
    assert "Eine andere Verbindung heißt schon so." in taken
    assert "Die Adresse 'shop.example.com' muss mit https:// (oder http://) beginnen und einen Host nennen." in taken
    file = "profiles:\n  - {name: New, entity: order, direction: export, from: shop-d, to: erp, crn: 1}\n"
    wrong = page("/profiles/import", {"text": file})
    assert "<b>Profil „New“</b>" in wrong
    assert "Der Schlüssel 'crn' ist hier nicht bekannt. Meinten Sie 'cron'?" in wrong
    assert "Der Schlüssel cron fehlt." in wrong
    changes = page(
        "/profiles/import", {"text": file.replace("shop-d,", "shop-de,").replace("crn: 1", 'cron: "5 * * * *"')}
    )
    assert "Profil „New“: neu, Auftrag Export von shop-de nach erp, inaktiv, 5 * * * * (UTC)" in changes
