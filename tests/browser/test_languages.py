"""A German browser is spoken to in German, everywhere; another language is one choice away, and back."""

from __future__ import annotations

import re
from collections.abc import Callable

from flask import Flask
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from admin.views import words
from profiles.models import SyncRecord
from tests.admin.conftest import Seeded
from tests.browser.conftest import Visitor
from tests.browser.test_every_page import NO_PAGE, an_import, pages

__all__ = ["an_import"]

MENU = [
    "Übersicht",
    "Profile",
    "Aufträge",
    "Ereignisaktionen",
    "Zeitplan",
    "Verbindungen",
    "Datenprotokoll",
    "Benutzer",
]
TABS = ["Profileinstellungen", "Exporteinstellungen", "Auftragssynchronisierung", "Verlauf der Auftragssynchronisierung",
        "Zeitplan", "Zeitplanverlauf", "Probelauf"]  # fmt: skip
DATA = {"complete", "pending", "processing", "Profile", "command line"}  # the seed's own, or German as well
# the texts of a page in two languages: those that are the same in both
SAME = """async (pages) => {
  const texts = async (page, language) => {
    const answer = await fetch(page, { headers: { "Accept-Language": language } });
    const drawn = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = new Set();
    for (const one of drawn.querySelectorAll("body *:not(script)")) {
      const own = [...one.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data);
      for (const text of [...own, ...["aria-label", "title", "placeholder"].map((name) => one.getAttribute(name))]) {
        if (text && /[A-Za-z]{3}/.test(text)) found.add(text.trim().replace(/\\s+/g, " "));
      }
    }
    return found;
  };
  const same = {};
  for (const page of pages) {
    const [german, english] = [await texts(page, "de"), await texts(page, "en")];
    for (const text of german) if (english.has(text)) same[text] = page;
  }
  return same;
}"""


def choose(page: Page, language: str) -> None:
    with page.expect_navigation():
        page.locator("header select[name=language], select[name=language]").first.select_option(language)
    expect(page.locator("html")).to_have_attribute("lang", language)


def test_a_german_browser_gets_german_and_may_choose_english_and_go_back(
    visit: Callable[..., Visitor], seeded: Seeded
) -> None:
    with seeded.db.session() as session:
        one = session.get_one(SyncRecord, seeded.failed)
        same = {
            "profile_id": one.profile_id,
            "status": "skipped",
            "created_at": one.created_at,
            "updated_at": one.updated_at,
        }
        session.execute(insert(SyncRecord), [{**same, "source_id": f"more{at}"} for at in range(1200)])
    visitor = visit(locale="de-DE", timezone_id="Europe/Berlin")
    page = visitor.page
    page.goto("/login/")
    expect(page.get_by_role("button", name="Anmelden")).to_be_visible()
    visitor.login()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    said = page.locator("nav.side a").all_inner_texts()
    assert [one.strip() for one in said][: len(MENU)] == MENU
    page.goto(f"/profiles/{seeded.profile}/records/")
    assert [one.split("(")[0].strip() for one in page.locator("nav.tabs a").all_inner_texts()] == TABS
    for word in ("abgeschlossen", "fehlgeschlagen", "übersprungen", "ausstehend"):
        expect(page.locator("main").get_by_text(word).first).to_be_visible()
    expect(page.locator(".head .actions button").last).to_have_text("Jetzt ausführen")
    expect(page.locator(".count")).to_contain_text("1.330 Einträge")
    expect(page.locator("time").first).to_have_attribute("data-date", re.compile(r"^\d{1,2}\. (\w{3}\.|\w{3,5}) "))
    choose(page, "en")
    expect(page.locator(".count")).to_contain_text("1,330 entries")
    page.goto("/log/")
    expect(page.locator("main")).to_contain_text("1.3 s")
    choose(page, "de")
    expect(page.locator("main")).to_contain_text("1,3 s")
    page.goto(f"/log/{seeded.call}/")
    expect(page.locator("main")).to_contain_text(re.compile(r"\d{1,2}\. (\w{3}\.|\w{3,5}) \d{4}, \d\d:\d\d"))
    choose(page, "en")
    expect(page.locator("nav.side")).to_contain_text("Dashboard")
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    choose(page, "de")
    expect(page.get_by_role("heading", name="Übersicht")).to_be_visible()
    visitor.accessible()


def test_no_page_leaves_english_among_the_german(
    visit: Callable[..., Visitor],
    app: Flask,
    seeded: Seeded,
    an_import: int,
) -> None:
    """What stands in both languages and has a German of its own is left over."""
    visitor = visit(locale="de-DE")
    visitor.allowed.append("404")
    page = visitor.login()
    same = page.evaluate(SAME, [one for one in pages(app, seeded, an_import) if not one.endswith(NO_PAGE)])
    german = words.words("de")
    assert {text: where for text, where in same.items() if german.get(text, text) != text and text not in DATA} == {}
    page.goto("/no-such-page/")
    expect(page.get_by_role("heading", name="There is nothing here")).to_have_count(0)
