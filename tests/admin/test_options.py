"""The settings tab: scopes, lists, mapping tables with suggestions, incomplete set-ups, versions; all from declarations."""

from __future__ import annotations

import html
import re
import string
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from admin import derive
from admin.views import gaps, words
from admin.views.inputs import Item
from admin.views.suggest import HIGH, MEDIUM, Side, suggest
from connector.settings import Problem
from profiles.models import Audit, CatalogueEntry, Connection, Profile, SettingsVersion, SyncRecord
from profiles.settings import check
from profiles.wiring import declarations
from tests.admin import every_field
from tests.admin.conftest import HOSTILE, SECRETS, Browser, Seeded
from tests.admin.every_field import BAD, GOOD, HIDDEN_TEXT, STORED, readable
from tests.admin.test_pages import inherited_left_out, sent_by


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def stored(seeded: Seeded, profile: int | None = None) -> dict[str, Any]:
    with seeded.db.reading() as session:
        return readable(session.get_one(Profile, profile or seeded.profile).settings)


def change(seeded: Seeded, profile: int, **values: Any) -> None:
    with seeded.db.session() as session:
        session.execute(update(Profile).where(Profile.id == profile).values(**values))


def form_of(page: str) -> dict[str, list[str]]:
    """What a browser would send for the page's form as it came."""
    return inherited_left_out(sent_by(page[page.index('class="main-form') : page.index('class="savebar"')]))


def draw(browser: Browser, address: str) -> dict[str, list[str]]:
    return form_of(browser.get(address).get_data(as_text=True))


@pytest.fixture
def things(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> int:
    """A profile between two accounts of a system with a setting of every field type."""
    return every_field.install(monkeypatch, seeded.db)


def thing_form(**changed: Any) -> dict[str, Any]:
    """All of GOOD; the engine's own settings by default. The seen values of the required table are mapped too."""
    names = [one.name for one in declarations("thing", "thing", "order").settings if one.name not in STORED]
    more = {
        f"s.plain_map.{at}.{part}": [text]
        for at, row in ((1, ("done", "7")), (2, ("cod", "9")))
        for part, text in zip(("key", "value"), row, strict=True)
    }
    return {"use_default": names, **GOOD, **more, **changed}


MAPPED = {"new": 3, "done": 7, "cod": 9}


# every field type, from the declaration alone


def test_every_field_type_has_its_input_and_label(anna: Browser, things: int) -> None:
    page = text(anna.get(f"/profiles/{things}/options/"))
    for one in declarations("thing", "thing", "order").settings:
        assert f'id="setting-{one.name}"' in page
    assert "Own export things" in page
    assert "For orders." in page
    assert "From 1 to 9." in page
    assert "At most 20 characters." in page
    assert "Very fast" in page


def test_every_field_type_is_stored_as_it_was_given(anna: Browser, seeded: Seeded, things: int) -> None:
    address = f"/profiles/{things}/options/"
    answer = anna.post(address, thing_form())
    assert answer.status_code == 302, text(answer)
    assert stored(seeded, things)["global"] == {**STORED, "plain_map": MAPPED}
    page = anna.get(address).get_data(as_text=True)
    assert HIDDEN_TEXT not in page
    assert "plain <words>" not in page


def test_a_form_of_every_field_type_that_changes_nothing_changes_nothing(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    address = f"/profiles/{things}/options/"
    anna.post(address, thing_form())
    before = stored(seeded, things)
    for at in (address, f"{address}?scope=websites.base", f"{address}?scope=stores.de"):
        assert anna.post(at, draw(anna, at)).status_code == 302
        assert stored(seeded, things) == before
        assert "Nothing was changed." in text(anna.get(at))


@pytest.mark.parametrize("name", BAD)
def test_every_field_type_refuses_what_it_cannot_be_at_its_field(
    anna: Browser, seeded: Seeded, things: int, name: str
) -> None:
    answer = anna.post(f"/profiles/{things}/options/", thing_form(**{name: [BAD[name]]}))
    page = text(answer)
    assert answer.status_code == 422
    setting = name.split(".")[1]
    field = page[page.index(f'id="setting-{setting}"') :]
    field = field[: field.index('id="setting-', 20)] if 'id="setting-' in field[20:] else field
    assert 'class="error"' in field
    assert stored(seeded, things) == {}
    if name.count(".") == 1:
        assert BAD[name] in page


def test_the_synchronisation_tab_has_the_ids_that_the_system_declares(anna: Browser, things: int) -> None:
    page = text(anna.get(f"/profiles/{things}/records/"))
    assert "Thing ID" in page
    assert "Thing Part ID" in page


# what is missing


def test_a_save_without_what_is_needed_is_refused_by_field_and_kept_as_a_draft(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    given = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map")}
    answer = anna.post(f"/profiles/{things}/options/", given)
    page = text(answer)
    assert answer.status_code == 422
    assert "Not saved: something that runs need is missing. Missing: A table." in re.sub(
        r"</?[bp]>|\s+", " ", page
    ).replace("  ", " ")
    assert 'value="plain <words>"' in page
    assert "Save as incomplete" in page
    assert stored(seeded, things) == {}


def test_a_value_that_was_seen_and_is_not_mapped_is_named_in_its_row(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    given = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map.2")}
    given["s.choices"] = []
    answer = anna.post(f"/profiles/{things}/options/", given)
    assert answer.status_code == 422
    page = text(answer)
    row = page[page.index('value="cod"', page.index('id="setting-plain_map"')) :]
    assert "Cash on delivery (cod) was seen and is not mapped." in row[: row.index("</tr>")]


def test_an_inactive_profile_may_be_saved_as_incomplete(anna: Browser, seeded: Seeded, things: int) -> None:
    given = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map")}
    address = f"/profiles/{things}/options/"
    assert anna.post(address, {**given, "incomplete": "yes"}).status_code == 302
    assert stored(seeded, things)["global"]["number"] == 7
    assert "Still missing: A table." in text(anna.get(address))


def test_what_was_typed_by_hand_and_is_not_in_the_collected_list_is_named_when_it_is_saved(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    address = f"/profiles/{things}/options/"
    assert anna.post(address, thing_form()).status_code == 302
    assert "Not in the collected list" not in text(anna.get(address))
    typed = {"s.choice": ["9999"], "s.plain_map.0.value": ["ver"], "s.row_map.0.method": ["Quatsch"]}
    assert anna.post(address, thing_form(**typed)).status_code == 302
    page = text(anna.get(address))
    assert "Saved. Nothing is missing" not in page
    said = page[page.index("Not in the collected list: ") :]
    said = said[: said.index("A run may stop at it")]
    for what in ("A choice (9999)", "A table (ver)", "A table with rows (Quatsch)"):
        assert what in said
    assert "typed by hand" not in said, "a list that was not collected tells nothing"


def test_an_active_profile_is_never_left_with_less_than_it_needs(anna: Browser, seeded: Seeded, things: int) -> None:
    address = f"/profiles/{things}/options/"
    anna.post(address, thing_form())
    change(seeded, things, active=True)
    before = stored(seeded, things)
    given = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map")}
    answer = anna.post(address, {**given, "incomplete": "yes"})
    assert answer.status_code == 422
    assert "switch the profile off first" in text(answer)
    assert "Save as incomplete" not in text(answer)
    assert stored(seeded, things) == before


def test_what_an_active_profile_lacked_before_does_not_keep_people_from_saving_the_rest(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    address = f"/profiles/{things}/options/"
    change(seeded, things, active=True)
    given = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map")}
    answer = anna.post(address, given)
    assert answer.status_code == 422
    assert "Save all the same" in text(answer)
    assert anna.post(address, {**given, "incomplete": "yes"}).status_code == 302


def test_rows_that_leave_a_mapping_are_asked_about_and_named_afterwards(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    address = f"/profiles/{things}/options/"
    whole = {**thing_form(), "s.choices": ["new"]}  # what else is mapped no run needs
    assert anna.post(address, whole).status_code == 302
    less = {key: value for key, value in whole.items() if not key.startswith("s.plain_map.1")}
    asked = anna.post(address, less)
    page = text(asked)
    assert asked.status_code == 422
    assert "mappings would lose rows" in page
    assert re.search(r'href="#setting-plain_map">A table</a>: Complete \(done\)', page)
    assert stored(seeded, things)["global"]["plain_map"] == MAPPED, "nothing is stored before it is said"
    mark = re.search(r'name="dropped" value="(\w+)"', page)
    assert mark
    fewer = {key: value for key, value in less.items() if not key.startswith("s.plain_map.2")}
    again = anna.post(address, {**fewer, "dropped": mark[1]})
    assert again.status_code == 422, "the answer holds for the rows that were asked about"
    assert anna.post(address, {**less, "dropped": mark[1]}).status_code == 302
    assert stored(seeded, things)["global"]["plain_map"] == {"new": 3, "cod": 9}
    assert "No longer mapped: A table (Complete (done))." in text(anna.get(address))
    assert anna.post(address, less).status_code == 302, "what is gone is not asked about again"


def test_a_store_that_replaces_an_inherited_mapping_is_asked_about_the_rows_it_leaves_out(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    assert anna.post(f"/profiles/{things}/options/", thing_form()).status_code == 302
    address = f"/profiles/{things}/options/?scope=stores.de"
    form = draw(anna, address)
    given = {key: value for key, value in form.items() if not key.startswith("s.row_map")}
    given["use_default"] = [name for name in form["use_default"] if name != "row_map"]
    row = {"key": ["inv"], "method": ["2"], "factor": ["1"], "create": ["no"]}
    given |= {f"s.row_map.0.{part}": value for part, value in row.items()}
    asked = anna.post(address, given)
    assert asked.status_code == 422
    assert ">A table with rows</a>: Cash On Delivery (cash)" in text(asked)
    assert not stored(seeded, things).get("stores")


def test_a_row_for_what_the_source_does_not_have_goes_without_a_word(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    address = f"/profiles/{things}/options/"
    odd = {**thing_form(), "s.choices": ["new"], "s.plain_map.3.key": ["mistyped"], "s.plain_map.3.value": ["9"]}
    assert anna.post(address, odd).status_code == 302
    assert anna.post(address, {**thing_form(), "s.choices": ["new"]}).status_code == 302
    assert stored(seeded, things)["global"]["plain_map"] == MAPPED


def test_a_filter_of_the_source_leaves_out_values_that_need_no_mapping(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    given = {
        key: value for key, value in thing_form().items() if not key.startswith(("s.plain_map.1", "s.plain_map.2"))
    }
    given["s.choices"] = ["new"]
    assert anna.post(f"/profiles/{things}/options/", given).status_code == 302
    given["s.choices"] = ["new", "done"]
    assert anna.post(f"/profiles/{things}/options/", given).status_code == 422


def test_unmapped_values_are_counted_on_the_tab_and_stand_on_top(anna: Browser, seeded: Seeded) -> None:
    assert ">Export settings</a>" in text(anna.get(f"/profiles/{seeded.profile}/"))
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(source_status="holded"))
        klarna = session.scalars(select(CatalogueEntry).where(CatalogueEntry.entry == "cash")).one()
        klarna.learned = True
    assert ">Export settings (2)</a>" in text(anna.get(f"/profiles/{seeded.profile}/"))
    page = text(anna.get(f"/profiles/{seeded.profile}/options/"))
    rows = page[page.index('id="s.status_mapping-rows"') :]
    assert re.findall(r'name="s\.status_mapping\.\d+\.key" value="([^"]+)"', rows)[0] == "holded"
    assert "seen, not mapped" in rows[: rows.index("processing")]
    rows = page[page.index('id="s.payment_mapping-rows"') :]
    assert re.findall(r'name="s\.payment_mapping\.\d+\.key" value="([^"]+)"', rows)[0] == "cash"


def test_what_a_source_teaches_before_it_saw_a_record_is_not_counted(seeded: Seeded, things: int) -> None:
    with seeded.db.session() as session:
        session.execute(update(CatalogueEntry).where(CatalogueEntry.learned).values(extra={"seen": False}))
        profile = session.get_one(Profile, things)
        assert gaps.count(session, profile, declarations("thing", "thing", "order")) == 0


def test_a_store_without_a_needed_value_is_named(seeded: Seeded) -> None:
    declared = declarations("strangershop", "strangererp", "order")
    with seeded.db.reading() as session:
        profile = session.get_one(Profile, seeded.profile)
        values = stored(seeded)
        values["global"] = {**values["global"], "warehouse_id": None}
        values["stores"] = {"de": {"warehouse_id": 104}}
        from admin.views.collected import catalogues, scopes

        found = gaps.find(declared, values, scopes(session, profile), catalogues(session, profile))
    assert [(gap.setting.name, gap.store) for gap in found] == [("warehouse_id", "en")]


def test_a_value_that_the_default_of_a_filter_leaves_out_needs_no_row() -> None:
    declared = declarations("refurbed", "plentyone", "order")
    mapping = next(one for one in declared.settings if one.name == "status_mapping")
    seen = [Item(value="NEW", label="New", seen=True), Item(value="SHIPPED", label="Shipped", seen=True)]

    def lacking(**chosen: Any) -> list[str]:
        return [one for one, _name in gaps.unmapped(mapping, declared, {"global": chosen}, lambda side, kind: seen)]

    assert lacking() == ["NEW"]
    assert lacking(state_filter=["SHIPPED"]) == ["SHIPPED"]
    assert lacking(state_filter=[]) == ["NEW", "SHIPPED"]


def test_values_of_a_mapping_that_runs_can_do_without_are_on_top_and_counted_on_the_tab(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    """`row_map` is optional; "inv" and "gift" were seen, and no other mapping asks for it."""
    anna.post(f"/profiles/{things}/options/", thing_form())
    with seeded.db.session() as session:
        source = session.get_one(Profile, things).from_id
        for entry, extra in (("gift", {"seen": True}), ("coin", {})):
            session.add(
                CatalogueEntry(
                    connection_id=source, kind="payment_method", entry=entry, name=entry.capitalize(), extra=extra,
                    collected_at=session.get_one(Profile, things).created_at,
                )
            )  # fmt: skip
    page = text(anna.get(f"/profiles/{things}/options/"))
    table = page[page.index('id="s.row_map-rows"') :]
    keys = re.findall(r'name="s\.row_map\.\d+\.key" value="([^"]+)"', table[: table.index("</table>")])
    assert keys == ["inv", "gift", "coin", "cash"], "seen ones first, what is mapped last"
    assert "Export settings (2)" in page
    assert '<a href="#setting-row_map">A table with rows (2)</a>' in page
    assert "its runs would stop" not in page


# scopes


def test_the_origin_of_an_inherited_value_and_the_scopes_with_another_one_are_named(
    anna: Browser, seeded: Seeded
) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/options/?scope=stores.de"))
    assert "From website Main website: from the website" in page
    assert "From global: Kassel (104)" in page
    page = text(anna.get(f"/profiles/{seeded.profile}/options/"))
    field = page[page.index('id="setting-referrer_id"') :]
    assert "Another value holds for German store." in field
    assert page.count("value set here") >= 1


@pytest.mark.parametrize("level", ["websites.base", "stores.de"])
def test_each_scope_offers_use_default_with_the_origin_for_every_setting_and_shows_what_is_set_elsewhere(
    anna: Browser, seeded: Seeded, things: int, level: str
) -> None:
    for profile in (seeded.profile, things):
        with seeded.db.reading() as session:
            row = session.get_one(Profile, profile)
            ends = [session.get_one(Connection, one).connector for one in (row.from_id, row.to_id)]
        page = text(anna.get(f"/profiles/{profile}/options/?scope={level}"))
        rows = dict(re.findall(r'id="setting-(\w+)"(.*?)(?=id="setting-|class="savebar")', page, flags=re.S))
        declared = declarations(ends[0], ends[1], row.entity).settings
        assert set(rows) == {one.name for one in declared if one.name in rows or not one.when}
        for one in declared:
            if one.name not in rows:
                continue
            if ("website" if level.startswith("websites") else "store") in one.scopes:
                assert f'name="use_default" value="{one.name}"' in rows[one.name]
                assert re.search(r'class="from">(Default: |From \w)', rows[one.name])
            else:
                assert "Can be set globally" in rows[one.name]
                assert re.search(r'class="from">(The default holds|From \w)', rows[one.name])
                assert f'name="s.{one.name}' not in rows[one.name]
                assert f'href="/profiles/{profile}/options/#setting-{one.name}"' in rows[one.name]


def test_what_cannot_be_set_in_a_scope_shows_the_value_that_holds(anna: Browser, seeded: Seeded, things: int) -> None:
    save(anna, things, **{"s.batch_size": ["77"], "use_default": []})
    page = text(anna.get(f"/profiles/{things}/options/?scope=stores.de"))
    field = page[page.index('id="setting-batch_size"') :]
    assert "<li>77</li>" in field[: field.index('id="setting-', 10)]
    assert "From global" in field[: field.index('id="setting-', 10)]


def test_who_saves_what_somebody_else_changed_meanwhile_is_told_and_loses_nothing(
    anna: Browser, seeded: Seeded
) -> None:
    address = f"/profiles/{seeded.profile}/options/"
    form = draw(anna, address)
    change(seeded, seeded.profile, settings_version=9)
    form["s.warehouse_id"] = ["105"]
    answer = anna.post(address, form)
    assert answer.status_code == 422
    assert "Somebody else saved these settings while you edited them." in text(answer)
    again = form_of(answer.get_data(as_text=True))
    assert again["s.warehouse_id"] == ["105"]
    assert anna.post(address, again).status_code == 302
    assert stored(seeded)["global"]["warehouse_id"] == 105


# lists


def test_an_empty_list_can_be_collected_from_the_right_connection(anna: Browser, seeded: Seeded, things: int) -> None:
    page = text(anna.get(f"/profiles/{things}/options/"))
    field = page[page.index('id="setting-unknown"') : page.index('id="setting-row_map"')]
    assert 'form="collect-target"' in field
    with seeded.db.reading() as session:
        target = session.scalars(select(Connection.id).where(Connection.name == "thing-two")).one()
    assert re.search(rf'<form id="collect-target" method="post" action="/connections/{target}/collect"', page)
    assert f'name="next" value="/profiles/{things}/options/"' in page


def test_the_lists_of_the_page_can_be_asked_for(anna: Browser, things: int) -> None:
    told = anna.get(f"/profiles/{things}/options/lists.json").get_json()
    assert ["104", "Warehouse 104 (104)"] in told["lists"]["list-target-warehouse"]
    assert told["lists"]["list-target-never_collected"] == []
    assert set(told["marks"]) == {"source", "target"}


def test_a_list_stands_once_in_the_page_however_many_rows_use_it(anna: Browser, things: int) -> None:
    page = anna.get(f"/profiles/{things}/options/").get_data(as_text=True)
    assert page.count('<datalist id="list-target-order_status"') == 1
    assert page.count("Warehouse 104") == 1


# suggestions


def sides(*names: tuple[str, str]) -> list[Side]:
    return [Side(value=value, name=name, label=f"{name} ({value})") for value, name in names]


ERP = sides(
    ("0", "Vorkasse"),
    ("1", "Nachnahme"),
    ("2", "Rechnung"),
    ("14", "PayPal"),
    ("41", "PayPal PLUS"),
    ("42", "Kreditkarte"),
)


@pytest.mark.parametrize(
    ("code", "name", "value", "confidence"),
    [
        ("cashondelivery", "Cash On Delivery", "1", HIGH),
        ("invoice", "Kauf auf Rechnung", "2", HIGH),
        ("paypal", "Pay with PayPal", "14", MEDIUM),
        ("x", "PayPal", "14", HIGH),
        ("paypal_plus", "Something", "41", HIGH),
        ("paypal_express", "PayPal Express Checkout", "14", MEDIUM),
        ("cc", "Kredit-Karte", None, None),
        ("y", "PayPall", "14", MEDIUM),
        ("checkmo", "Check / Money order", None, None),
        ("free", "No Payment Information Required", None, None),
        ("z", "", None, None),
    ],
)
def test_only_what_is_really_similar_is_suggested(
    code: str, name: str, value: str | None, confidence: str | None
) -> None:
    found = suggest(sides((code, name)), ERP).get(code)
    if value is None:
        assert found is None
    elif code == "paypal":
        assert found is not None
        assert found.value == "14"
    else:
        assert found is not None
        assert (found.value, found.confidence) == (value, confidence)


def test_nothing_is_suggested_where_two_are_equally_good_or_the_lists_are_huge() -> None:
    assert suggest(sides(("a", "Invoice")), sides(("1", "Rechnung"), ("2", "Rechnung"))) == {}
    many = sides(*((str(at), f"Thing {at}") for at in range(1000)))
    assert suggest(many, many) == {}


def test_an_id_in_brackets_is_no_part_of_a_name() -> None:
    found = suggest(sides(("pending_payment", "Pending payment")), sides(("3", "[3] Waiting for payment")))
    assert found["pending_payment"].confidence == HIGH


def test_suggestions_stand_in_their_rows_with_what_can_be_done(anna: Browser, things: int) -> None:
    page = text(anna.get(f"/profiles/{things}/options/"))
    row = page[page.index('data-for="plain_map.cod"') :][:1500]
    assert "Nachnahme (9)" in row
    assert "data-apply" in row
    assert "Ignore the suggestion for Cash on delivery (cod)" in row
    assert "Apply all sure ones" in page


# versions


def save(browser: Browser, profile: int, **changed: Any) -> None:
    assert browser.post(f"/profiles/{profile}/options/", thing_form(**changed)).status_code == 302


def test_every_version_is_listed_with_who_when_and_how_many_changes(anna: Browser, things: int) -> None:
    save(anna, things)
    save(anna, things, **{"s.number": ["8"], "s.plain_map.0.value": ["9"]})
    page = text(anna.get(f"/profiles/{things}/options/versions/"))
    assert "today's" in page
    assert "2 changes" in page
    assert page.count("anna") >= 2


def test_two_versions_are_compared_in_words_and_secrets_are_masked(anna: Browser, things: int) -> None:
    save(anna, things)
    save(anna, things, **{"s.pin": ["another-secret"], "s.choice": ["105"], "s.row_map.0.method": ["2"]})
    page = text(anna.get(f"/profiles/{things}/options/versions/?old=1&new=2"))
    compared = page[page.index('id="compared"') : page.index("</table>")]
    assert "3 differences" in page
    assert "Warehouse 104 (104)" in compared
    assert "Warehouse 105 (105)" in compared
    assert "Cash On Delivery (cash)" in compared
    assert "Method: Nachnahme (1); Factor: 2.5; Create it?: No" in compared
    assert "•••••••• (another)" in compared
    assert HIDDEN_TEXT not in page
    assert "another-secret" not in page


def test_a_version_is_restored_as_a_new_one_and_the_audit_says_so(anna: Browser, seeded: Seeded, things: int) -> None:
    save(anna, things)
    first = stored(seeded, things)
    save(anna, things, **{"s.number": ["8"], "s.pin": ["another-secret"]})
    answer = anna.post(f"/profiles/{things}/options/versions/restore", {"version": "1"})
    assert answer.status_code == 302
    assert stored(seeded, things) == first
    with seeded.db.reading() as session:
        versions = session.scalars(select(SettingsVersion.version).where(SettingsVersion.profile_id == things)).all()
        said = session.scalars(select(Audit).where(Audit.action == "restored")).one()
        told = [str((one.before, one.after)) for one in session.scalars(select(Audit))]
    assert sorted(versions) == [1, 2, 3]
    assert (said.person, said.subject, said.kind) == ("anna", "Things", "profile")
    assert not any(HIDDEN_TEXT in one or "another-secret" in one for one in told)


def test_restoring_a_version_that_lacks_what_runs_need_is_refused_by_field_and_it_is_the_draft(
    anna: Browser, seeded: Seeded, things: int
) -> None:
    """As every save: nothing is stored until what is missing is filled in, and then the rest of that version is back."""
    bare = {key: value for key, value in thing_form().items() if not key.startswith("s.plain_map")}
    anna.post(f"/profiles/{things}/options/", {**bare, "s.number": ["3"], "incomplete": "yes"})
    anna.post(f"/profiles/{things}/options/?scope=stores.de", {"s.text": ["of the store"], "use_default": []})
    with seeded.db.session() as session:  # the version has a scope of its own
        row = session.scalars(select(SettingsVersion).where(SettingsVersion.profile_id == things)).one()
        row.settings = {**row.settings, "stores": {"de": {"text": "of the store"}}}
    save(anna, things, **{"s.number": ["8"]})
    change(seeded, things, active=True)
    now = stored(seeded, things)
    answer = anna.post(f"/profiles/{things}/options/versions/restore", {"version": "1"})
    page = text(answer)
    assert answer.status_code == 422
    assert "Version 1 was not restored yet." in page
    assert "The profile is active, and its runs would stop." in page
    field = page[page.index('id="setting-plain_map"') :]
    assert 'class="error"' in field[: field.index('id="setting-', 10)]
    assert 'name="incomplete"' not in page
    assert stored(seeded, things) == now
    draft = form_of(answer.get_data(as_text=True))
    assert (draft["restores"], draft["s.number"]) == (["1"], ["3"])
    assert anna.post(f"/profiles/{things}/options/", draft).status_code == 422, "it still lacks the same"
    mapped = {key: value for key, value in thing_form().items() if key.startswith("s.plain_map")}
    draft = {key: value for key, value in draft.items() if not key.startswith("s.plain_map")}
    assert anna.post(f"/profiles/{things}/options/", {**draft, **mapped}).status_code == 302
    made = stored(seeded, things)
    assert (made["global"]["number"], made["global"]["plain_map"]) == (3, MAPPED)
    assert made["global"]["pin"] == now["global"]["pin"], "a secret of the version is kept"
    assert made["stores"] == {"de": {"text": "of the store"}}
    with seeded.db.reading() as session:
        assert session.scalars(select(Audit).where(Audit.action == "restored")).one().after == {"version": 1}


@pytest.mark.parametrize(
    "query", ["old=9&new=8", "old=x&new=-1", "from=0", "from=99999999999999", "from=2&old=1", "old=1"]
)
def test_no_query_of_the_versions_leads_to_a_fault(anna: Browser, things: int, query: str) -> None:
    assert anna.get(f"/profiles/{things}/options/versions/?{query}").status_code == 200
    save(anna, things)
    assert anna.get(f"/profiles/{things}/options/versions/?{query}").status_code == 200


def test_a_version_that_is_not_there_cannot_be_restored(anna: Browser, things: int) -> None:
    for version in ("7", "x", ""):
        anna.post(f"/profiles/{things}/options/versions/restore", {"version": version})
        assert "There is no such version." in text(anna.get("/"))


def test_settings_of_a_connector_that_is_gone_are_compared_without_showing_texts(anna: Browser, seeded: Seeded) -> None:
    old = {
        "global": {"hook_secret": SECRETS[1], "gone": "maybe-a-secret", "old_number": 1},
        "websites": {},
        "stores": {},
    }
    new = {"global": {"hook_secret": "x", "gone": "other-secret", "old_number": 2}, "websites": {}, "stores": {}}
    with seeded.db.session() as session:
        moment = session.get_one(Profile, seeded.profile).created_at
        for at, values in ((1, old), (2, new)):
            session.add(
                SettingsVersion(profile_id=seeded.profile, version=at, settings=values, author=None, created_at=moment)
            )
    page = text(anna.get(f"/profiles/{seeded.profile}/options/versions/"))
    assert "old_number" in page
    for hidden in (SECRETS[1], "maybe-a-secret", "other-secret"):
        assert hidden not in page


def test_a_viewer_reads_settings_and_versions_but_has_nothing_to_press(victor: Browser, seeded: Seeded) -> None:
    page = victor.get(f"/profiles/{seeded.profile}/options/").get_data(as_text=True)
    assert "<fieldset" in page
    assert 'class="savebar"' not in page
    assert "data-collect=" not in page
    assert victor.get(f"/profiles/{seeded.profile}/options/versions/").status_code == 200
    assert "Restore" not in text(victor.get(f"/profiles/{seeded.profile}/options/versions/"))


# words


def test_a_connectors_own_catalogue_translates_what_it_declares(
    app: Flask, anna: Browser, things: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {
        "A number": "Eine Zahl",
        "Own {direction} things": "Eigenes zum {direction}",
        "export": "Export",
        "For {entity}s.": "Nur {entity}.",
        "Thing Part ID": "Teil-Nummer",
        "Very fast": "Sehr schnell",
        "Method": "Verfahren",
    }
    known = words.words
    monkeypatch.setattr(words, "words", lambda spoken: {**known(spoken), **own} if spoken == "de" else {})
    german = {"Accept-Language": "de"}
    page = text(anna.get(f"/profiles/{things}/options/", headers=german))
    for said in ("Eine Zahl", "Eigenes zum Export", "Nur ", "Sehr schnell", "Verfahren"):
        assert said in page
    assert "Teil-Nummer" in text(anna.get(f"/profiles/{things}/records/", headers=german))


# fuzz

NAMES = [*GOOD, "use_default", "version", "incomplete", "s.", "s.plain_map.x.key", "s.row_map.7.key", "s.names"]
TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from([one for values in GOOD.values() for one in values]),
    st.sampled_from([*BAD.values()]),
    st.sampled_from(
        [HOSTILE, "[" * 3000, '"\\ud800"', "NaN", "1e999", "9" * 5000, "\x00", "-0", "٣", "0x10", "yes", "env:X"]
    ),
    st.text(string.printable, max_size=12),
)
FORMS = st.dictionaries(
    st.one_of(
        st.sampled_from(NAMES),
        st.from_regex(r"s\.(plain_map|row_map|word_map)\.[0-9]{1,7}\.(key|value|method|factor|create)", fullmatch=True),
        st.text(max_size=12),
    ),
    st.lists(TEXTS, min_size=1, max_size=3),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(form=FORMS, whole=st.booleans())
def test_no_form_leads_to_a_fault_or_is_reflected_as_a_script(
    anna: Browser, seeded: Seeded, things: int, form: dict[str, list[str]], whole: bool
) -> None:
    address = f"/profiles/{things}/options/"
    if not hasattr(anna, "known_token"):
        anna.known_token = anna.token(address)  # type: ignore[attr-defined]
    sent = {**(thing_form() if whole else {}), **form, "incomplete": ["yes"]}
    answer = anna.client.post(address, data={**sent, "csrf_token": anna.known_token})  # type: ignore[attr-defined]
    assert answer.status_code in (302, 422)
    page = answer.get_data(as_text=True)
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    if answer.status_code == 302:
        before = stored(seeded, things)
        drawn = draw(anna, address)
        assert (
            anna.client.post(address, data={**drawn, "incomplete": "yes", "csrf_token": anna.known_token}).status_code
            == 302
        )  # type: ignore[attr-defined]
        assert stored(seeded, things) == before


ENTRIES = {("target", "order_status"): ["3", "7"], ("source", "order_status"): ["new", "x.y", "done"]}


@pytest.mark.slow
@settings(max_examples=1200, deadline=None, suppress_health_check=list(HealthCheck))
@given(form=FORMS)
def test_whatever_a_form_says_is_refused_by_name_or_comes_back_as_it_was(
    app: Flask, things: int, form: dict[str, list[str]]
) -> None:
    declared = declarations("thing", "thing", "order")

    def entries(side: str, kind: str) -> list[Item]:
        return [Item(value=one, label=one) for one in ENTRIES.get((side, kind), [])]

    with app.test_request_context():
        values, _problems = derive.read_form(declared.settings, form, {})
        try:
            clean = check(declared.schemas, {"global": values})["global"]
        except Problem as error:
            for path in error.problems:
                assert path.startswith("global.")
            clean = values
        drawn = derive.groups(declared.settings, clean, catalogues=entries)
        assert sum(len(group.inputs) for group in drawn) == len(declared.settings)
