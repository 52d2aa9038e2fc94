"""The list of profiles and all that is done to one: switch, change, duplicate, delete, export, import."""

from __future__ import annotations

import html
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from flask import Flask
from sqlalchemy import event, func, select, update

import admin
from admin import auth
from admin.views import week
from profiles.db import Database, now
from profiles.models import Audit, Connection, Profile, SyncHistory, SyncRecord, Task
from profiles.secrets import opened
from tests.admin.conftest import HOSTILE, PASSWORD, SECRETS, Browser, Seeded


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def profile(seeded: Seeded, profile_id: int | None = None) -> Profile:
    with seeded.db.reading() as session:
        return session.get_one(Profile, profile_id or seeded.profile)


def named(seeded: Seeded, name: str) -> Profile | None:
    with seeded.db.reading() as session:
        return session.scalar(select(Profile).where(Profile.name == name))


def audited(seeded: Seeded, action: str) -> Audit:
    with seeded.db.reading() as session:
        return session.scalars(select(Audit).where(Audit.action == action).order_by(Audit.id.desc())).first() or Audit()


def profile_form(**changed: str) -> dict[str, str]:
    given = {"name": "Orders DE", "active": "yes", "cron": "0 6 * * *", "timezone": "Europe/Berlin"}
    return {**given, "from": "shop-de", "to": "erp", **changed}


def another(seeded: Seeded, name: str = "Another", **values: Any) -> int:
    with seeded.db.session() as session:
        old = session.get_one(Profile, seeded.profile)
        made = Profile(
            **{
                "name": name,
                "entity": "order",
                "direction": "export",
                "from_id": old.from_id,
                "to_id": old.to_id,
                "cron": "0 * * * *",
                "timezone": "Europe/Berlin",
                "settings": {"global": {}, "websites": {}, "stores": {}},
                "created_at": now(),
                "updated_at": now(),
                **values,
            }
        )
        session.add(made)
        session.flush()
        return made.id


def quiet(seeded: Seeded) -> None:
    """Nothing runs."""
    with seeded.db.session() as session:
        session.execute(update(Task).where(Task.id == seeded.task).values(status="success", finished_at=now()))


@pytest.fixture
def operator(app: Flask, seeded: Seeded) -> Browser:
    with seeded.db.session() as session:
        auth.add_user(session, "olga", PASSWORD, "operator")
    made = Browser(app)
    made.login("olga")
    return made


# the list


def test_the_list_tells_what_runs_when_and_what_came_of_it(anna: Browser, seeded: Seeded) -> None:
    quiet(seeded)
    page = text(anna.get("/profiles/"))
    for told in ("Orders DE", "Order · Export", "shop-de →", "erp", "Every 15 minutes", 'role="switch"'):
        assert told in page, told
    assert re.search(r">in \d min", page)
    assert 'aria-checked="true" aria-label="Active: Orders DE"' in page
    assert (
        f'href="/profiles/{seeded.profile}/records/?status=failed" aria-label="14 failed records of Orders DE">14</a>'
        in page
    )


def test_a_running_profile_says_so(anna: Browser) -> None:
    page = text(anna.get("/profiles/"))
    assert ">processing</span>" in page


def test_the_last_result_is_that_of_a_real_run(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Task).where(Task.id == seeded.task).values(
            status="error", message="a dry run", finished_at=now(), request={"dry_run": True}))  # fmt: skip
    page = text(anna.get("/profiles/"))
    assert "a dry run" not in page
    assert "4 orders read, 3 created, 1 skipped." in page


def test_the_plot_counts_each_record_once_per_day_and_outcome(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(SyncHistory.__table__.delete())  # type: ignore[attr-defined]
        lines = [("complete", 1), ("updated", 2), ("failed", 3), ("failed", 3), ("skipped", 4), ("processing", 5)]
        for status, record in lines:
            session.add(SyncHistory(profile_id=seeded.profile, record_id=record, source_id=str(record), status=status,
                                    direction="export", created_at=now()))  # fmt: skip
    with seeded.db.reading() as session:
        days = week.Weeks().of(session, [session.get_one(Profile, seeded.profile)])[seeded.profile]
    assert len(days) == 7
    assert [(day.done, day.failed) for day in days] == [(0, 0)] * 6 + [(2, 1)]
    page = text(anna.get("/profiles/"))
    label = re.search(r'class="week"[^>]*role="img" aria-label="([^"]+)"', page)
    assert label
    assert label[1].startswith("Last seven days. ")
    assert label[1].endswith("2 done, 1 failed")


def test_days_that_are_over_are_counted_once(seeded: Seeded) -> None:
    weeks, said = week.Weeks(), []
    with seeded.db.reading() as session:
        row = session.get_one(Profile, seeded.profile)
        first = weeks.of(session, [row])
        event.listen(seeded.db.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
        assert weeks.of(session, [row]) == first
    assert len(said) <= 6, "at most yesterday (where it has just ended) and today, and where they begin"


def test_the_days_of_a_plot_begin_at_midnight_of_the_profile(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(week, "now", lambda: datetime(2026, 3, 31, 22, 30, tzinfo=UTC))  # 00:30 on 1 April in Berlin
    starts = week._starts("Europe/Berlin")
    assert starts[-2] == datetime(2026, 3, 31, 22, tzinfo=UTC)
    assert starts[0] == datetime(2026, 3, 25, 23, tzinfo=UTC), "the clocks went forward on the 29th"
    assert len(starts) == 8


def test_a_small_number_beside_a_great_one_can_still_be_seen() -> None:
    bars = week.bars([week.Day(label="a", done=10_000, failed=1), week.Day(label="b", done=0, failed=0)])
    assert bars[0].failed == 2.0
    assert bars[0].done + bars[0].failed <= week.HEIGHT
    assert (bars[1].done, bars[1].failed) == (0, 0)


def test_the_list_is_found_by_name_and_has_pages(anna: Browser, seeded: Seeded) -> None:
    for number in range(60):
        another(seeded, f"Profile {number:02d}")
    first = text(anna.get("/profiles/"))
    assert "Profile 48" in first
    assert "Profile 49" not in first
    onwards = re.search(r'rel="next" href="([^"]+)"', first)
    assert onwards
    second = text(anna.get(onwards[1]))
    assert "Profile 49" in second
    assert "Profile 48" not in second
    assert "Profile 07" in text(anna.get("/profiles/?q=file+07"))
    assert "Nothing matches" in text(anna.get("/profiles/?q=%25"))


def test_an_empty_list_leads_to_connections_first(db: Database) -> None:
    with db.session() as session:
        auth.add_user(session, "anna", PASSWORD)
    browser = Browser(admin.create_app(db))
    browser.login()
    page = text(browser.get("/profiles/"))
    assert "No profiles yet" in page
    assert 'class="button primary" href="/connections/new/"' in page
    assert 'href="/profiles/new/"' not in page
    assert "needs two connections" in text(browser.get("/profiles/new/"))
    with db.session() as session:
        for name, code in (("one", "strangershop"), ("two", "strangererp")):
            session.add(Connection(name=name, connector=code, base_url="https://x.example", credentials="",
                                   created_at=now(), updated_at=now()))  # fmt: skip
    assert 'class="button primary" href="/profiles/new/"' in text(browser.get("/profiles/"))


# the switch


def test_the_switch_plans_and_unplans_and_is_audited(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/{seeded.profile}/switch"
    answer = anna.post(address, {"active": "no"}, headers={"X-Requested-With": "fetch"})
    assert answer.get_json()["tone"] == "good"
    assert "inactive" in answer.get_json()["said"]
    assert not profile(seeded).active
    with seeded.db.reading() as session:
        assert session.scalar(select(func.count()).where(Task.status == "pending")) == 0
    note = audited(seeded, "switched off")
    assert (note.person, note.subject, note.before, note.after) == (
        "anna",
        "Orders DE",
        {"active": True},
        {"active": False},
    )
    assert anna.post(address, {"active": "yes"}).headers["Location"] == "/profiles/"
    assert profile(seeded).active
    with seeded.db.reading() as session:
        assert session.scalar(select(func.count()).where(Task.status == "pending")) == 1


def test_the_switch_says_what_is_still_missing(anna: Browser, seeded: Seeded) -> None:
    made = another(seeded)
    answer = anna.post(f"/profiles/{made}/switch", {"active": "yes"}, headers={"X-Requested-With": "fetch"})
    said = answer.get_json()["said"]
    assert "settings are still missing: " in said
    assert "Main warehouse" in said


def test_a_profile_whose_connector_is_gone_can_be_switched_off(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Connection).values(connector="brokensystem"))
    anna.post(f"/profiles/{seeded.profile}/switch", {"active": "no"})
    assert not profile(seeded).active


def test_a_line_that_no_version_can_read_is_not_switched_on(anna: Browser, seeded: Seeded) -> None:
    made = another(seeded, cron="99 * * * *")
    answer = anna.post(f"/profiles/{made}/switch", {"active": "yes"}, headers={"X-Requested-With": "fetch"})
    assert answer.get_json()["tone"] == "bad"
    assert "Minute '99'" in answer.get_json()["said"]
    assert not profile(seeded, made).active


def test_operators_switch_and_run_but_neither_make_nor_delete(operator: Browser, seeded: Seeded) -> None:
    assert operator.post(f"/profiles/{seeded.profile}/switch", {"active": "no"}).status_code == 302
    assert not profile(seeded).active
    assert operator.post(f"/profiles/{seeded.profile}/schedule/run").status_code == 302
    assert operator.post(f"/profiles/{seeded.profile}/", profile_form()).status_code == 302
    for address, given in (
        ("/profiles/new/", profile_form(name="x", entity="order", direction="export")),
        (f"/profiles/{seeded.profile}/duplicate", {"copy_name": "x"}),
        (f"/profiles/{seeded.profile}/delete", {"confirm": "Orders DE"}),
        ("/profiles/import", {"text": "profiles: []"}),
    ):
        assert operator.post(address, given).status_code == 403, address
    pages = text(operator.get("/profiles/")) + text(operator.get(f"/profiles/{seeded.profile}/"))
    for button in ("Duplicate", "Delete", "Import YAML", "New profile"):
        assert button not in pages, button


def test_a_viewer_is_shown_no_form(victor: Browser, seeded: Seeded) -> None:
    for address in ("/profiles/", "/profiles/import", "/profiles/new/", f"/profiles/{seeded.profile}/",
                    f"/profiles/{seeded.profile}/schedule/", "/schedule/"):  # fmt: skip
        page = text(victor.get(address))
        main = page[page.index("<main") :]
        assert not re.search(r'<form[^>]*method="post"[^>]*>\s*<input[^>]*name="csrf_token"', main), address


# the settings of a profile


def test_a_profile_is_changed(anna: Browser, seeded: Seeded) -> None:
    assert anna.post(f"/profiles/{seeded.profile}/", profile_form(name="Orders Germany")).status_code == 302
    row = profile(seeded)
    assert (row.name, row.cron) == ("Orders Germany", "0 6 * * *")
    assert row.settings["global"]["warehouse_id"] == 104


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"cron": "61 * * * *"}, "Minute '61'"),
        ({"cron": "* * * *"}, "five are needed"),
        ({"timezone": "Mars/Base"}, "Mars/Base"),
        ({"name": ""}, "A name is needed"),
    ],
)
def test_a_profile_that_cannot_be_is_refused_at_the_field_and_once(
    anna: Browser, seeded: Seeded, changed: dict[str, str], said: str
) -> None:
    answer = anna.post(f"/profiles/{seeded.profile}/", profile_form(**changed))
    page = text(answer)
    assert answer.status_code == 422
    assert len(re.findall(rf'class="error"[^>]*>[^<]*{re.escape(said)}', page)) == 1 + ("timezone" in changed)
    for value in changed.values():
        assert f'value="{value}"' in page
    assert profile(seeded).cron == "*/15 * * * *"


def test_the_connections_of_a_profile_with_records_are_fixed_and_it_says_why(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/"))
    assert '<select id="from"' not in page
    assert "They cannot be changed any more" in page
    fresh = text(anna.get(f"/profiles/{another(seeded)}/"))
    assert '<select id="from"' in fresh


def test_a_forged_change_of_the_connections_is_refused_at_the_field(anna: Browser, seeded: Seeded) -> None:
    answer = anna.post(f"/profiles/{seeded.profile}/", profile_form(**{"from": "erp", "to": "nowhere"}))
    assert answer.status_code == 422
    assert "no connection 'nowhere'" in text(answer)


# a new profile


def test_a_profile_is_made_inactive_and_leads_to_its_settings_with_what_is_missing(
    anna: Browser, seeded: Seeded
) -> None:
    given = profile_form(name="Second", entity="order", direction="export")
    del given["active"]
    answer = anna.post("/profiles/new/", given)
    made = named(seeded, "Second")
    assert made is not None
    assert not made.active
    assert answer.headers["Location"] == f"/profiles/{made.id}/options/"
    with anna.client.session_transaction() as session:
        said = str(session["_flashes"])
    assert "Before its first run it needs: " in said
    for setting in ("Order status mapping", "Payment method mapping", "Main warehouse"):
        assert setting in said


def test_several_profiles_of_one_kind_are_possible_but_not_two_of_one_name(anna: Browser, seeded: Seeded) -> None:
    given = profile_form(name="Second", entity="order", direction="export")
    assert anna.post("/profiles/new/", given).status_code == 302
    answer = anna.post("/profiles/new/", given)
    assert answer.status_code == 422
    assert "has this name" in text(answer)
    assert 'value="Second"' in text(answer)


def test_a_new_profile_offers_what_the_connections_can_do(anna: Browser) -> None:
    page = text(anna.get("/profiles/new/"))
    begin = page.index('<select id="from"')
    source = page[begin : page.index("</select>", begin)]
    assert '<option value="shop-de" selected data-can="order">' in source, "the only pair that is possible"
    assert 'value="erp"' not in source, "it gives nothing that another one takes"
    begin = page.index('<select id="to"')
    target = page[begin : page.index("</select>", begin)]
    assert '<option value="erp" selected data-can="order">' in target
    assert 'value="shop-de"' not in target
    able = page[page.index('class="able"') :]
    rows = re.findall(r'<th scope="row">([^<]+)</th><td>(.*?)</td><td>(.*?)</td>', able)
    found = {name: tuple(re.sub("<[^>]+>", "", one) for one in cells) for name, *cells in rows}
    assert found == {"erp": ("–", "Order"), "shop-de": ("Order", "–")}


def test_what_the_connectors_cannot_do_is_refused_in_words(anna: Browser) -> None:
    given = profile_form(name="Wrong way", entity="order", direction="export", **{"from": "erp", "to": "shop-de"})
    answer = anna.post("/profiles/new/", given)
    assert answer.status_code == 422
    assert "not read them" in text(answer)


# the whole profile


def test_a_duplicate_has_the_settings_but_is_inactive_and_empty(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/{seeded.profile}/duplicate"
    assert 'value="Orders DE (copy)"' in text(anna.get(f"/profiles/{seeded.profile}/"))
    assert anna.post(address, {"copy_name": "Orders DE (copy)"}).status_code == 302
    made = named(seeded, "Orders DE (copy)")
    assert made is not None
    assert (made.active, made.mark) == (False, None)
    copied, original = made.settings["global"], profile(seeded).settings["global"]
    assert {**copied, "hook_secret": ""} == {**original, "hook_secret": ""}
    assert opened(copied["hook_secret"]) == SECRETS[1]
    with seeded.db.reading() as session:
        assert not session.scalar(select(SyncRecord.id).where(SyncRecord.profile_id == made.id))
    assert audited(seeded, "duplicated").after == {"from": "Orders DE"}
    assert 'value="Orders DE (copy 2)"' in text(anna.get(f"/profiles/{seeded.profile}/"))
    answer = anna.post(address, {"copy_name": "Orders DE (copy)"})
    assert answer.status_code == 422
    assert 'value="Orders DE (copy)"' in text(answer)
    assert "has this name" in text(answer)


def test_a_profile_is_deleted_only_by_its_name_and_not_while_it_runs(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/{seeded.profile}/delete"
    page = text(anna.get(f"/profiles/{seeded.profile}/"))
    assert "130 records with 260 lines of history, and 13 tasks" in page
    assert "Nothing changes in shop-de and erp" in page
    answer = anna.post(address, {"confirm": "Orders DE"})
    assert answer.status_code == 422
    assert "It is running now" in text(answer)
    quiet(seeded)
    answer = anna.post(address, {"confirm": "Orders"})
    assert answer.status_code == 422
    assert "the name you typed is not Orders DE" in text(answer)
    assert anna.get(f"/profiles/{seeded.profile}/").status_code == 200
    assert anna.post(address, {"confirm": "Orders DE"}).status_code == 302
    assert anna.get(f"/profiles/{seeded.profile}/").status_code == 404
    note = audited(seeded, "deleted")
    assert (note.person, note.subject, (note.before or {})["cron"]) == ("anna", "Orders DE", "*/15 * * * *")


# YAML


def test_all_profiles_and_one_are_downloaded_without_secrets(anna: Browser, seeded: Seeded) -> None:
    another(seeded)
    everything = anna.get("/profiles/export.yaml")
    one = anna.get(f"/profiles/{seeded.profile}/export.yaml")
    assert everything.headers["Content-Disposition"] == "attachment; filename=connector.yaml"
    assert 'filename="Orders DE.yaml"' in one.headers["Content-Disposition"]
    assert [row["name"] for row in yaml.safe_load(everything.data)["profiles"]] == ["Another", "Orders DE"]
    assert [row["name"] for row in yaml.safe_load(one.data)["profiles"]] == ["Orders DE"]
    assert [row["name"] for row in yaml.safe_load(one.data)["connections"]] == ["erp", "shop-de"]
    for secret in SECRETS:
        assert secret not in text(everything) + text(one)


def test_a_profile_of_any_name_can_be_downloaded(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Profile).values(name=f"Ümläut {HOSTILE}"))
    assert anna.get(f"/profiles/{seeded.profile}/export.yaml").status_code == 200


def test_an_import_is_shown_first_and_made_only_when_it_was_seen(anna: Browser, seeded: Seeded) -> None:
    given = anna.get("/profiles/export.yaml").get_data(as_text=True).replace("*/15 * * * *", "0 4 * * *")
    page = text(anna.post("/profiles/import", {"text": given}))
    assert re.search(r"\d changes?<", page)
    assert "profile 'Orders DE', cron: */15 * * * * → 0 4 * * *" in page
    assert profile(seeded).cron == "*/15 * * * *"
    mark = re.search(r'name="seen" value="(\w+)"', page)
    assert mark
    other = given.replace("0 4 * * *", "0 5 * * *")
    assert "0 5 * * *" in text(anna.post("/profiles/import", {"text": other, "seen": mark[1]}))
    assert profile(seeded).cron == "*/15 * * * *", "another text was never seen"
    as_browsers_send_it = given.replace("\n", "\r\n")
    assert anna.post("/profiles/import", {"text": as_browsers_send_it, "seen": mark[1]}).status_code == 302
    assert profile(seeded).cron == "0 4 * * *"
    assert "profile 'Orders DE', cron: */15 * * * * → 0 4 * * *" in (audited(seeded, "imported").after or {})["changes"]
    assert "Nothing would change" in text(anna.post("/profiles/import", {"text": given}))


def test_values_that_no_collected_list_knows_are_told_before_and_after_and_hinder_nothing(
    anna: Browser, seeded: Seeded
) -> None:
    everything = yaml.safe_load(anna.get("/profiles/export.yaml").data)
    everything["profiles"][0]["settings"]["global"]["warehouse_id"] = 1044
    given = yaml.safe_dump(everything)
    line = given[: given.index("1044")].count("\n") + 1
    page = text(anna.post("/profiles/import", {"text": given}))
    assert "3 values are not among the collected lists" in page, "two of them stood there before"
    assert re.search(rf'badge warn">Line {line}<.*?1044 is not among the lists of erp \(Warehouses\)', page, re.S)
    assert "Make these changes" in page
    german = text(anna.client.post("/profiles/import", data={"text": given, "csrf_token": anna.token()},
                                   headers={"Accept-Language": "de"}))  # fmt: skip
    assert "1044 steht nicht in den Listen von erp" in german
    mark = re.search(r'name="seen" value="(\w+)"', page)
    assert mark
    done = anna.post("/profiles/import", {"text": given, "seen": mark[1]})
    assert done.status_code == 302
    assert "3 values are not among the collected lists" in text(anna.get("/profiles/"))
    del everything["profiles"][0]["settings"]["global"]["warehouse_id"]
    del everything["profiles"][0]["settings"]["global"]["status_mapping"]["gone"]
    page = text(anna.post("/profiles/import", {"text": yaml.safe_dump(everything)}))
    assert "Make these changes" in page
    assert "collected lists" not in page


def test_a_file_is_imported_as_well_as_text(anna: Browser) -> None:
    file = (io.BytesIO(b"\xef\xbb\xbf" + anna.get("/profiles/export.yaml").data.replace(b"*/15", b"*/20")), "c.yaml")
    page = text(anna.post("/profiles/import", {"file": file}, content_type="multipart/form-data"))
    assert "*/20 * * * *" in page


def test_every_fault_of_an_import_is_told_with_its_line_and_the_text_is_kept(anna: Browser, seeded: Seeded) -> None:
    wrong = ("name: A", "entity: order", "direction: exprt", "from: shop", "to: erp", "cron: '61 * * * *'")
    given = "profiles:\n  - " + "\n    ".join(wrong)
    answer = anna.post("/profiles/import", {"text": given})
    page = text(answer)
    assert answer.status_code == 422
    assert re.findall(r'badge bad">(Line \d+)', page) == ["Line 4", "Line 5", "Line 7"]
    assert "Did you mean 'shop-de'?" in page
    assert "direction: exprt" in page
    assert named(seeded, "A") is None


@pytest.mark.parametrize("given", ["", "   ", "{", "- 1", "\x00", "a: &a [*a]", "profiles: 7"])
def test_a_text_that_is_no_configuration_is_refused(anna: Browser, given: str) -> None:
    assert anna.post("/profiles/import", {"text": given}).status_code == 422


def test_a_file_that_is_no_text_is_refused(anna: Browser) -> None:
    file = (io.BytesIO(b"\xff\xfe\x00"), "c.yaml")
    answer = anna.post("/profiles/import", {"file": file}, content_type="multipart/form-data")
    assert answer.status_code == 422
    assert "not a text in UTF-8" in text(answer)


# cron lines


def test_a_cron_line_is_explained_while_it_is_typed(anna: Browser) -> None:
    told = anna.get("/profiles/cron.json?cron=30+2+*+*+*&timezone=Europe/Berlin").get_json()
    assert told["words"] == "At 02:30 every day"
    assert len(told["runs"]) == 10
    assert told["runs"][0]["utc"].endswith("UTC")
    assert told["html"].count("<li>") == 10


@pytest.mark.parametrize(
    ("query", "problem", "field"),
    [
        ("cron=30+25+*+*+*", "Hour '25'", "cron"),
        ("cron=", "empty", "cron"),
        ("", "empty", "cron"),
        ("cron=" + "9" * 300, "300 characters", "cron"),
        ("cron=*+*+*+*+*&timezone=Mars", "'Mars' is not known", "timezone"),
    ],
)
def test_a_bad_line_is_refused_by_naming_the_part_and_the_field(
    anna: Browser, query: str, problem: str, field: str
) -> None:
    told = anna.get(f"/profiles/cron.json?{query}").get_json()
    assert problem in told["problem"]
    assert told["field"] == field


def test_a_preview_names_what_else_runs_in_the_minute(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/cron.json?cron=0+3+*+*+*&timezone=Europe/Berlin&profile={seeded.profile}"
    assert "At the same time" not in anna.get(address).get_json()["html"]
    another(seeded, "Every hour", active=True)
    another(seeded, "Switched off", active=False)
    another(seeded, "Two o'clock in London", active=True, cron="0 2 * * *", timezone="Europe/London")
    another(seeded, "Half past", active=True, cron="30 3 * * *")
    said = html.unescape(anna.get(address).get_json()["html"])
    assert said.count("At the same time: Every hour, Two o'clock in London<") == 1, "the same at all ten: said once"
    twice = html.unescape(anna.get(address.replace("0+3", "0,30+3")).get_json()["html"])
    assert twice.count("At the same time: Every hour, Two o'clock in London<") == 5
    assert twice.count("At the same time: Half past<") == 5
    for number in range(3):
        another(seeded, f"Zebra {number}", active=True)
    said = html.unescape(anna.get(address).get_json()["html"])
    assert "At the same time: Every hour, Two o'clock in London, Zebra 0 and 2 more profiles" in said


def test_a_day_on_which_the_clocks_change_is_flagged(anna: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.views.cron.now", lambda: datetime(2026, 10, 24, 6, tzinfo=UTC))
    told = anna.get("/profiles/cron.json?cron=30+2+*+*+*&timezone=Europe/Berlin").get_json()
    assert told["runs"][0]["note"].endswith("02:30 comes twice; it runs once, at the first.")
    assert [bool(run["note"]) for run in told["runs"]].count(True) == 1


def test_the_words_of_a_line_are_in_the_readers_language(anna: Browser) -> None:
    answer = anna.get("/profiles/", headers={"Accept-Language": "de"})
    assert "Alle 15 Minuten" in text(answer)
    asked = anna.get("/profiles/cron.json?cron=*/15+*+*+*+*", headers={"Accept-Language": "de"})
    assert asked.get_json()["words"] == "Alle 15 Minuten"


def test_rows_of_the_list_are_refreshed_in_place(anna: Browser, seeded: Seeded) -> None:
    first = anna.get("/profiles/rows.json").get_json()
    with seeded.db.session() as session:
        session.execute(update(Profile).values(cron="0 4 * * *", updated_at=now() + timedelta(seconds=1)))
    second = anna.get("/profiles/rows.json").get_json()
    assert "At 04:00 every day" in second["html"]
    assert first["mark"] != second["mark"]
