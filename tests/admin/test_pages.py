"""What the pages show and do: the guide's columns, settings by scope, lists by key, and nothing that must not be seen."""

from __future__ import annotations

import datetime as dt
import enum
import html
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from marshmallow import fields, validate
from sqlalchemy import event, func, select, update

import admin
from admin import derive
from admin.views import inputs, listing
from connector.settings import (
    CONFIGURATION,
    Choice,
    Choices,
    Row,
    Secret,
    Setting,
    Settings,
    ValueMap,
    declared,
    load,
    one_of,
    setting,
    to_json,
)
from profiles.db import Database, now
from profiles.models import Connection, Heartbeat, Profile, SettingsVersion, SyncHistory, SyncRecord, Task
from profiles.secrets import opened, seal_text
from tests.admin.conftest import HOSTILE, PASSWORD, SECRETS, Browser, Seeded
from tests.admin.test_login import addresses

GUIDE_RECORDS = [
    "Order ID",
    "Customer ID",
    "Status",
    "Plenty Order ID",
    "Plenty Status ID",
    "Plenty Status Name",
    "Plenty Referrer ID",
    "Plenty Contact ID",
    "Plenty Billing ID",
    "Plenty Shipping ID",
    "Plenty Payment ID",
    "Plenty Payment Method ID",
    "Plenty Payment Status ID",
    "Plenty Payment Order Ass. ID",
    "Plenty Payment Contact Ass. ID",
    "Message",
    "Created At",
    "Updated At",
    "Processed At",
]
GUIDE_HISTORY = ["Order ID", "Plenty Order ID", "Status", "Direction", "Message", "Created At"]
GUIDE_SCHEDULE = [
    "Schedule id",
    "Status",
    "Job Code",
    "Created At",
    "Scheduled At",
    "Executed At",
    "Finished At",
    "Message",
]
GUIDE_SCHEDULE_HISTORY = ["Status", "Action", "Message", "Created At", "Performed At"]


def text(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def headings(page: str) -> list[str]:
    return [html.unescape(one).strip() for one in re.findall(r'<th scope="col"[^>]*>(?:<a [^>]*>)?([^<]*)<', page)]


def numbers(page: str) -> list[str]:
    return re.findall(r'href="/orders/\d+/" title="[^"]*">(\d+)</a>', page)


def link(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', page)
    return html.unescape(found[1]) if found else None


# the tabs are those of the guide


@pytest.mark.parametrize(
    ("tab", "columns"),
    [
        ("records", GUIDE_RECORDS),
        ("history", GUIDE_HISTORY),
        ("schedule", GUIDE_SCHEDULE),
        ("schedule-history", GUIDE_SCHEDULE_HISTORY),
    ],
)
def test_a_tab_has_exactly_the_columns_of_the_guide(
    anna: Browser, seeded: Seeded, tab: str, columns: list[str]
) -> None:
    assert headings(text(anna.get(f"/profiles/{seeded.profile}/{tab}/"))) == columns


def test_the_guide_lists_nineteen_columns() -> None:
    assert len(GUIDE_RECORDS) == 19


def test_the_tabs_take_their_words_from_the_profile(anna: Browser, seeded: Seeded) -> None:
    def tabs() -> list[str]:
        page = text(anna.get(f"/profiles/{seeded.profile}/"))
        return re.findall(r">([^<]+)</a>", page[page.index('class="tabs"') : page.index("<form", page.index("tabs"))])

    assert tabs()[:6] == [
        "Profile settings",
        "Export settings",
        "Order synchronisation",
        "Order synchronisation history",
        "Schedule",
        "Schedule history",
    ]
    with seeded.db.session() as session:
        session.execute(update(Profile).values(direction="import"))
    assert "Import settings" in tabs()


def test_nothing_in_admin_names_a_system() -> None:
    folder = Path(admin.__file__).parent
    files = [one for kind in ("*.py", "*.html", "*.js", "*.css") for one in (folder / "views").parent.rglob(kind)]
    pages = [one for one in files if one.parts[-2] in ("views", "templates", "profile", "static", "admin")]
    own = [one for one in pages if one.name in ("__init__.py", "auth.py", "derive.py") or one.parts[-2] != "admin"]
    named = [one.name for one in own if re.search(r"magento|plenty|refurbed|pixi|fulfillment", one.read_text(), re.I)]
    assert (len(own) > 50, named) == (True, [])


# nothing hostile gets out, nothing secret either


def all_pages(app: Flask, seeded: Seeded) -> list[str]:
    base = [one for _endpoint, one in addresses(app, seeded, "GET") if not one.endswith((".csv", ".yaml"))]
    profile = f"/profiles/{seeded.profile}"
    return [
        *base,
        f"{profile}/options/?scope=websites.base",
        f"{profile}/options/?scope=stores.de",
        f"{profile}/records/?q=klarna",
        f"{profile}/records/?q=script",
        f"{profile}/history/?q=100000129",
        f"{profile}/records/?status=failed&cause=no-payment-method",
        "/orders/?q=100",
        "/orders/?status=failed",
        f"/orders/?q={HOSTILE}",
        f"/log/?reference=100000129&connection={seeded.erp}&result=failed",
        f"/connections/{seeded.erp}/?kind=warehouse",
        f"/connections/{seeded.erp}/edit/",
        "/connections/new/?connector=strangershop",
        "/orders/130/",
        "/log/120/",
        "/no-such-page",
    ]


def test_hostile_names_and_messages_are_shown_as_text(app: Flask, seeded: Seeded, anna: Browser) -> None:
    with seeded.db.session() as session:
        session.execute(update(Profile).values(name=HOSTILE))
        session.execute(update(Connection).where(Connection.id == seeded.shop).values(name=HOSTILE))
        session.execute(update(Task).values(message=HOSTILE))
    shown = 0
    for address in all_pages(app, seeded):
        answer = anna.get(address, follow_redirects=True)
        if answer.mimetype == "application/json" and address.endswith("lists.json"):
            assert answer.headers["X-Content-Type-Options"] == "nosniff"  # the page's script sets it as text
            continue
        page = text(answer)
        assert "<script>alert" not in page, address
        assert "<img src=x" not in page, address
        shown += "&lt;script&gt;alert" in page
    assert shown > 15


def test_no_page_holds_a_secret(app: Flask, seeded: Seeded, anna: Browser) -> None:
    for address in all_pages(app, seeded):
        page = text(anna.get(address, follow_redirects=True))
        for secret in SECRETS:
            assert secret not in page, f"{address} shows {secret}"


def test_a_refused_form_does_not_send_back_the_secret_that_was_typed(anna: Browser, seeded: Seeded) -> None:
    given = {"connection_name": "", "connection_address": "nonsense", "s.user": "api", "s.token": "typed-secret"}
    answer = anna.post(f"/connections/{seeded.shop}/edit/", given)
    assert answer.status_code == 422
    assert "typed-secret" not in text(answer)
    assert SECRETS[0] not in text(answer)


@pytest.mark.slow
def test_pages_hold_no_inline_script_style_or_handler(app: Flask, seeded: Seeded, anna: Browser) -> None:
    for address in all_pages(app, seeded):
        if ".json" in address or "static" in address:
            continue
        page = text(anna.get(address, follow_redirects=True))
        assert re.search(r"<script(?![^>]*\ssrc=)", page) is None, address
        assert re.search(r"\s(style|on\w+)=\"", page) is None, address
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page), address


@pytest.mark.parametrize(
    "query",
    [
        "_scheme=javascript&_external=1",
        "profile_id=9&endpoint=x&values=1&_anchor=x&_method=POST",
        "before=garbage",
        "before=WzFd",
        "after=WyJ4Il0&before=W10",
        "before=WzEsIDk5OTk5OTk5OTk5OTk5OTk5OTk5OTldCg",
        "before=" + "A" * 4000,
        "status=nonsense&cause=%00",
        "q=%25_!%27%22",
        "q=\U0010ffff",
    ],
)
def test_no_query_string_breaks_or_steers_a_page(anna: Browser, seeded: Seeded, query: str) -> None:
    for address in ("/orders/", "/log/", "/schedule/", *(f"/profiles/{seeded.profile}/{t}/" for t in
                    ("records", "history", "schedule", "schedule-history"))):  # fmt: skip
        answer = anna.get(f"{address}?{query}")
        assert answer.status_code == 200, address
        assert "javascript:" not in text(answer)


# lists


def test_paging_by_key_shows_each_record_once_and_knows_no_offset(anna: Browser, seeded: Seeded) -> None:
    said: list[tuple[str, Any]] = []
    event.listen(seeded.db.engine, "before_cursor_execute", lambda *given: said.append((given[2], given[3])))
    for query in ("", "?status=complete"):
        seen: list[str] = []
        address: str | None = f"/profiles/{seeded.profile}/records/{query}"
        while address:
            page = text(anna.get(address))
            seen += numbers(page)
            address = link(page, "next")
        expected = [f"1000{at:05d}" for at in reversed(range(130))]
        if query:
            expected = [one for one in expected if int(one[4:]) % 9 in (0, 1, 2, 5, 7)]
        assert seen == expected
    assert any("sync_record" in statement for statement, _values in said)
    # SQLite's dialect writes OFFSET 0 behind every LIMIT; what counts is that nothing is ever passed over
    offsets = [values[-1] for statement, values in said if statement.rstrip(") ").endswith("OFFSET ?")]
    assert set(offsets) == {0}


def test_a_page_back_is_the_page_before(anna: Browser, seeded: Seeded) -> None:
    first = text(anna.get(f"/profiles/{seeded.profile}/records/"))
    second = text(anna.get(link(first, "next") or ""))
    third = text(anna.get(link(second, "next") or ""))
    assert link(third, "next") is None
    assert numbers(text(anna.get(link(third, "prev") or ""))) == numbers(second)
    assert numbers(text(anna.get(link(second, "prev") or ""))) == numbers(first)


def test_a_record_that_arrives_while_one_pages_moves_no_page(anna: Browser, seeded: Seeded) -> None:
    first = text(anna.get(f"/profiles/{seeded.profile}/records/"))
    before = numbers(text(anna.get(link(first, "next") or "")))
    with seeded.db.session() as session:
        session.add(
            SyncRecord(profile_id=seeded.profile, source_id="new", status="pending", created_at=now(), updated_at=now())
        )
    assert numbers(text(anna.get(link(first, "next") or ""))) == before


def test_counting_stops_early(anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"/profiles/{seeded.profile}/records/"
    assert "130 entries" in text(anna.get(address))
    monkeypatch.setattr(listing, "MOST_COUNTED", 100)
    assert "100+ entries" in text(anna.get(address))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=100000042", ["100000042"]),
        ("q=50047", ["100000047"]),  # the id at the target
        ("q=48", ["100000047"]),  # the id at the source
        ("q=10000012", [f"10000012{at}" for at in reversed(range(10))]),
        ("q=maintenance&status=failed", []),
        ("q=%25", []),  # no wildcard
        ("q=nothing+like+that", []),
    ],
)
def test_records_are_found_by_number_or_words(anna: Browser, seeded: Seeded, query: str, found: list[str]) -> None:
    assert numbers(text(anna.get(f"/profiles/{seeded.profile}/records/?{query}"))) == found


def test_words_of_a_message_are_found(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/records/?q=klarna"))
    assert len(numbers(page)) == 14


def test_an_empty_list_says_what_to_do(anna: Browser, seeded: Seeded) -> None:
    assert "Nothing matches" in text(anna.get(f"/profiles/{seeded.profile}/records/?q=nothing"))
    with seeded.db.session() as session:
        session.execute(SyncRecord.__table__.delete())  # type: ignore[attr-defined]
    assert "as soon as the profile has run" in text(anna.get(f"/profiles/{seeded.profile}/records/"))


def test_times_are_shown_in_the_zone_of_the_profile_and_exactly_on_hover(anna: Browser, seeded: Seeded) -> None:
    moment = dt.datetime(2026, 7, 1, 12, 0, 5, tzinfo=dt.UTC)
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(created_at=moment))
    page = text(anna.get(f"/profiles/{seeded.profile}/records/?q=100000004"))
    assert ">Jul 1, 2026, 14:00</time>" in page
    assert "Jul 1, 2026, 14:00:05 Europe/Berlin\nJul 1, 2026, 12:00:05 UTC" in html.unescape(page)


# what people do with records and tasks


@pytest.mark.parametrize(
    ("action", "which", "becomes"),
    [("retry", "failed", "pending"), ("skip", "failed", "skipped"), ("put_back", "complete", "pending")],
)
def test_chosen_records_are_moved_and_the_history_says_by_whom(
    anna: Browser, seeded: Seeded, action: str, which: str, becomes: str
) -> None:
    record_id = getattr(seeded, which)
    answer = anna.post(f"/profiles/{seeded.profile}/records/act", {"action": action, "id": [record_id]})
    assert answer.status_code == 302
    with seeded.db.reading() as session:
        assert session.get_one(SyncRecord, record_id).status == becomes
        last = session.scalars(select(SyncHistory).where(SyncHistory.record_id == record_id)).all()[-1]
        assert "anna" in (last.message or "")


def test_records_of_another_profile_are_left_alone(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        old = session.get_one(Profile, seeded.profile)
        other = Profile(
            name="Other", entity="order", direction="export", from_id=old.from_id, to_id=old.to_id, cron="* * * * *",
            created_at=now(), updated_at=now(),
        )  # fmt: skip
        session.add(other)
        session.flush()
        other_id = other.id
    anna.post(f"/profiles/{other_id}/records/act", {"action": "retry", "id": [seeded.failed]})
    with seeded.db.reading() as session:
        assert session.get_one(SyncRecord, seeded.failed).status == "failed"


def test_an_unknown_action_is_refused(anna: Browser, seeded: Seeded) -> None:
    given = {"action": "delete", "id": [seeded.failed]}
    assert anna.post(f"/profiles/{seeded.profile}/records/act", given).status_code == 400
    assert anna.post("/orders/act", given).status_code == 400


# the search and the order's page


@pytest.mark.parametrize("asked", ["100000004", "5"])
def test_the_search_leads_to_the_one_order(anna: Browser, seeded: Seeded, asked: str) -> None:
    assert anna.get(f"/orders/?q={asked}").headers["Location"] == f"/orders/{seeded.failed}/"


def test_the_search_knows_the_id_at_the_target(anna: Browser) -> None:
    assert anna.get("/orders/?q=50001").headers["Location"] == "/orders/2/"


def test_the_search_offers_what_begins_like_it(anna: Browser) -> None:
    assert "10 entries" in text(anna.get("/orders/?q=10000012"))


def test_an_unknown_number_gets_an_answer_too(anna: Browser) -> None:
    assert "No order is known by 4711" in text(anna.get("/orders/?q=4711"))


def test_an_order_tells_everything_on_one_page(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.reading() as session:
        record = session.scalars(
            select(SyncRecord).where(SyncRecord.status == "failed").order_by(SyncRecord.id.desc())
        ).first()
        assert record is not None
    page = text(anna.get(f"/orders/{record.id}/"))
    for told in (
        record.source_number,
        record.amount,
        "no payment method is mapped",
        "Claimed by a run.",
        "by task 1",
        "/rest/orders",
        "422",
        "The server refused the order.",
        "Plenty Order ID",
        "Retry now",
    ):
        assert str(told) in page, told


# settings


def options(seeded: Seeded) -> dict[str, Any]:
    """The stored settings, with the secret opened."""
    with seeded.db.reading() as session:
        made = dict(session.get_one(Profile, seeded.profile).settings)
    values = dict(made["global"])
    return {**made, "global": values | {key: opened(values[key]) for key in ("hook_secret",) if key in values}}


def all_default(seeded: Seeded, *but: str) -> list[str]:
    from profiles.wiring import declarations

    return [one.name for one in declarations("strangershop", "strangererp", "order").settings if one.name not in but]


def test_the_sections_stand_in_the_order_of_the_guide(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/options/"))
    assert re.findall(r"<summary><h2>([^<]+)</h2>", page) == [
        "Export configuration",
        "API configuration",
        "Store configuration",
        "Order statuses",
        "Payment",
    ]
    assert "Enable order export" in page
    assert "For orders." in page


def test_choices_show_name_and_id_and_keep_what_is_no_longer_offered(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/options/"))
    assert re.search(r'name="s.warehouse_id"[^>]* value="104"[^>]* data-known="Kassel \(104\)"', page)
    assert "3.5 (not in the collected list)" in page


def test_values_that_are_not_mapped_stand_above_those_that_are(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/options/"))
    table = page[page.index('id="s.status_mapping-rows"') :]
    keys = re.findall(r'name="s\.status_mapping\.\d+\.key" value="([^"]+)"', table)
    assert keys == ["pending", "holded", "processing", "complete", "gone"]
    assert table[: table.index("</table>")].count("not mapped") == 2


def test_saving_changes_the_scope_and_leaves_the_rest(anna: Browser, seeded: Seeded) -> None:
    before = options(seeded)
    given = {
        "use_default": all_default(seeded, "batch_size", "status_mapping", "payment_mapping", "warehouse_id"),
        "s.batch_size": "75",
        "s.warehouse_id": "104",
        "s.payment_mapping.0.key": "paypal",
        "s.payment_mapping.0.method": "14",
        "s.payment_mapping.0.create": "yes",
        "s.status_mapping.0.key": "processing",
        "s.status_mapping.0.value": "5",
        "s.status_mapping.1.key": "holded",
        "s.status_mapping.1.value": "",
        "s.status_mapping.2.key": "complete",
        "s.status_mapping.2.value": "7",
        "s.status_mapping.100000.key": "typed_in",
        "s.status_mapping.100000.value": "7",
    }
    assert anna.post(f"/profiles/{seeded.profile}/options/", given).status_code == 302
    stored = options(seeded)
    assert stored["global"] == {
        "batch_size": 75,
        "status_mapping": {"processing": 5, "complete": 7, "typed_in": 7},
        "warehouse_id": 104,
        "payment_mapping": {"paypal": {"method": 14, "create": True}},
    }
    assert (stored["websites"], stored["stores"]) == (before["websites"], before["stores"])
    with seeded.db.reading() as session:
        version = session.scalars(select(SettingsVersion).order_by(SettingsVersion.id.desc())).first()
        assert version is not None
        assert version.author == "anna"


def test_a_form_that_is_sent_as_it_came_changes_nothing(anna: Browser, seeded: Seeded) -> None:
    before = options(seeded)
    address = f"/profiles/{seeded.profile}/options/"
    with seeded.db.session() as session:
        settings = {**before, "global": {**before["global"], "status_filter": ["complete", "pending"]}}
        sealed = {**settings, "global": {**settings["global"], "hook_secret": seal_text(SECRETS[1])}}
        session.execute(update(Profile).values(settings=sealed))
    drawn = text(anna.get(address))
    form = drawn[drawn.index('class="main-form') : drawn.index('class="savebar"')]
    answer = anna.post(address, inherited_left_out(sent_by(form)))
    assert answer.status_code == 302
    assert options(seeded) == settings
    assert "Nothing was changed." in text(anna.get(address))
    connection = f"/connections/{seeded.shop}/edit/"
    drawn = text(anna.get(connection))
    anna.post(connection, sent_by(drawn[drawn.index('<form method="post" class="form') :]))
    assert "Nothing was changed." in text(anna.get(connection))


def inherited_left_out(sent: dict[str, list[str]]) -> dict[str, list[str]]:
    """A browser does not send what the page has switched off: the inputs of inherited settings."""
    off = re.compile(rf"s\.({'|'.join(sent.get('use_default', ['-']))})(\..*)?")
    return {name: values for name, values in sent.items() if not off.fullmatch(name)}


def test_a_store_inherits_and_the_form_says_from_where(anna: Browser, seeded: Seeded) -> None:
    page = html.unescape(text(anna.get(f"/profiles/{seeded.profile}/options/?scope=stores.de")))
    assert "From website Main website: from the website" in page
    assert "From global: Kassel (104)" in page
    assert "Default: 1" in page


def test_a_store_goes_back_to_its_website(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/{seeded.profile}/options/?scope=stores.de"
    names = ["note", "warehouse_id", "referrer_id", "status_filter", "status_mapping"]
    assert anna.post(address, {"use_default": names}).status_code == 302
    assert options(seeded)["stores"] == {}


def test_a_store_sets_its_own_value(anna: Browser, seeded: Seeded) -> None:
    address = f"/profiles/{seeded.profile}/options/?scope=stores.en"
    names = ["note", "status_filter", "status_mapping", "referrer_id"]
    assert anna.post(address, {"use_default": names, "s.warehouse_id": "105"}).status_code == 302
    assert options(seeded)["stores"]["en"] == {"warehouse_id": 105}


def test_an_unknown_scope_has_no_page(anna: Browser, seeded: Seeded) -> None:
    assert anna.get(f"/profiles/{seeded.profile}/options/?scope=stores.nowhere").status_code == 404


def test_what_is_wrong_is_said_at_its_field_and_the_draft_is_kept(anna: Browser, seeded: Seeded) -> None:
    before = options(seeded)
    given = {
        "use_default": all_default(seeded, "batch_size", "referrer_id", "note"),
        "s.batch_size": "many",
        "s.referrer_id": "5000",
        "s.note": "a draft",
    }
    answer = anna.post(f"/profiles/{seeded.profile}/options/", given)
    page = html.unescape(text(answer))
    assert answer.status_code == 422
    assert "Not a valid integer." in page
    assert "Must be from 0 to 1000, not 5000" in page
    assert 'value="many"' in page
    assert 'value="a draft"' in page
    assert options(seeded) == before


@pytest.mark.parametrize(
    ("key", "said"), [("processing", "processing stands in two rows"), ("", "nothing on the left")]
)
def test_a_row_that_cannot_be_stored_is_refused(anna: Browser, seeded: Seeded, key: str, said: str) -> None:
    given = {
        "use_default": all_default(seeded, "status_mapping"),
        "s.status_mapping.0.key": "processing",
        "s.status_mapping.0.value": "5",
        "s.status_mapping.1.key": key,
        "s.status_mapping.1.value": "7",
    }
    answer = anna.post(f"/profiles/{seeded.profile}/options/", given)
    assert answer.status_code == 422
    assert said in text(answer)


def test_an_empty_secret_keeps_the_stored_one(anna: Browser, seeded: Seeded) -> None:
    needed_form = {
        "s.status_mapping.0.key": "processing",
        "s.status_mapping.0.value": "5",
        "s.status_mapping.1.key": "complete",
        "s.status_mapping.1.value": "7",
        "s.payment_mapping.0.key": "paypal",
        "s.payment_mapping.0.method": "14",
        "s.warehouse_id": "104",
    }
    named = all_default(seeded, "hook_secret", "status_mapping", "payment_mapping", "warehouse_id")
    given = {**needed_form, "use_default": named, "s.hook_secret": ""}
    anna.post(f"/profiles/{seeded.profile}/options/", given)
    assert options(seeded)["global"]["hook_secret"] == SECRETS[1]
    anna.post(f"/profiles/{seeded.profile}/options/", {**given, "s.hook_secret": "a new one"})
    assert options(seeded)["global"]["hook_secret"] == "a new one"


def test_a_profile_whose_connector_is_gone_still_has_its_pages(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Connection).where(Connection.id == seeded.erp).values(connector="brokensystem"))
    for tab in ("", "options/", "records/", "history/", "schedule/"):
        answer = anna.get(f"/profiles/{seeded.profile}/{tab}")
        assert answer.status_code == 200
        assert "cannot be used" in text(answer)


# the dashboard, the log, and what goes wrong


def test_the_dashboard_groups_failures_by_cause(anna: Browser, seeded: Seeded) -> None:
    page = html.unescape(text(anna.get("/")))
    assert f'href="/profiles/{seeded.profile}/records/?status=failed&cause=no-payment-method">14</a>' in page
    assert "no payment method is mapped" in page


def test_a_profile_that_runs_every_minute_leaves_room_for_the_last_runs_of_others(
    anna: Browser, seeded: Seeded
) -> None:
    with seeded.db.session() as session:
        old = session.get_one(Profile, seeded.profile)
        often = Profile(name="Every minute", entity="order", direction="export", from_id=old.from_id, to_id=old.to_id,
                        cron="* * * * *", timezone="UTC", created_at=now(), updated_at=now())  # fmt: skip
        session.add(often)
        session.flush()
        for minute in range(20):
            ran = now() - dt.timedelta(minutes=minute)
            session.add(Task(profile_id=often.id, status="success", job_code="order_export", created_at=ran,
                             scheduled_at=ran, executed_at=ran, finished_at=ran, message="nothing to do."))  # fmt: skip
    page = text(anna.get("/"))
    runs = re.findall(r'<td class="first"><a[^>]*>([^<]*)<', page[page.index("Last runs") :])
    assert runs == ["Orders DE", *["Every minute"] * 6, "Orders DE"], "what runs now, and the last end of each profile"


def test_the_dashboard_warns_when_the_clock_stands_still(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Heartbeat).values(beat_at=now()))
    assert "The scheduler is running" in text(anna.get("/"))
    with seeded.db.session() as session:
        session.execute(update(Heartbeat).values(beat_at=now() - dt.timedelta(minutes=5)))
    page = text(anna.get("/"))
    assert "The scheduler is not running" in page
    assert "The scheduler is running" not in page


def test_an_empty_host_says_how_to_begin(db: Database) -> None:
    with db.session() as session:
        admin.auth.add_user(session, "anna", PASSWORD)
    browser = Browser(admin.create_app(db))
    browser.login()
    page = text(browser.get("/"))
    assert "Three steps to the first order" in page
    for address in ("/profiles/", "/orders/", "/schedule/", "/connections/", "/log/", "/profiles/new/"):
        assert browser.get(address).status_code == 200


def test_what_is_not_there_has_a_friendly_page(anna: Browser) -> None:
    for address in ("/nowhere", "/profiles/999/", "/orders/999/", "/connections/999/", "/log/999/"):
        answer = anna.get(address)
        assert answer.status_code == 404
        assert "There is nothing here" in text(answer)


def test_a_fault_of_ours_shows_a_number_and_no_traceback(
    anna: Browser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: Any) -> None:
        raise TypeError("inner words that nobody should see")

    monkeypatch.setattr("admin.views.profiles.overview", fail)
    answer = anna.get("/profiles/")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in text(answer)
    assert "inner words" not in text(answer)
    assert "inner words that nobody should see" in caplog.text


# one field at a time


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Pair(Settings):
    method = setting(Choice("payment_method"), section=CONFIGURATION, label="Method")
    create = setting(fields.Boolean(), section=CONFIGURATION, label="Create", default=True)


EVERY_KIND: list[tuple[fields.Field[Any], Any]] = [
    (fields.String(), "plain words"),
    (fields.String(), "007"),
    (fields.String(validate=validate.Length(max=40)), 'with "quotes" & <signs>'),
    (fields.String(validate=one_of("append", "replace")), "replace"),
    (fields.Email(), "anna@example.com"),
    (fields.Url(), "https://example.com/x"),
    (fields.Integer(strict=True), 42),
    (fields.Integer(), -3),
    (fields.Float(), 2.5),
    (fields.Float(), 2.0),
    (fields.Decimal(as_string=True), 19.9),
    (fields.Boolean(), True),
    (fields.Boolean(), False),
    (fields.Date(), "2026-03-29"),
    (fields.Time(), "06:30:00"),
    (fields.AwareDateTime(default_timezone=dt.UTC), "2026-03-29T01:30:00+00:00"),
    (fields.Enum(Colour), "BLUE"),
    (fields.List(fields.String()), ["a", "b c"]),
    (fields.List(fields.Integer(strict=True)), [1, 2]),
    (fields.List(fields.String(validate=one_of("x", "y"))), ["y"]),
    (fields.Dict(keys=fields.String(), values=fields.String()), {"a": "1x", "b": "two"}),
    (fields.Dict(keys=fields.String(), values=fields.Integer(strict=True)), {"a": 1}),
    (fields.Raw(), {"any": ["json", 1]}),
    (Choice("warehouse"), 104),
    (Choice("warehouse"), "main"),
    (Choice("referrer"), 5.5),
    (Choices("order_status", side="source"), ["new", "complete"]),
    (Choices("order_status", side="source"), []),
    (Choices("never_collected"), [3, 5.5, "x"]),
    (ValueMap("order_status", Choice("order_status")), {"new": 3, "complete": 7}),
    (ValueMap("order_status", Row(Pair)), {"new": {"method": 14, "create": False}}),
    (ValueMap("order_status", fields.Boolean()), {"new": True, "complete": False}),
    (ValueMap("order_status", fields.String()), {"x.y": "dots", "with space": "ok"}),
    (Secret(), "env:NAME"),
]

ENTRIES = {
    ("target", "warehouse"): ["104", "main"],
    ("target", "referrer"): [str(at) for at in range(300)],
    ("source", "order_status"): ["new", "complete", "closed"],
    ("target", "order_status"): ["3", "7"],
    ("target", "payment_method"): ["14"],
}


def catalogues(side: str, kind: str) -> list[inputs.Item]:
    return [inputs.Item(value=entry, label=entry.title()) for entry in ENTRIES.get((side, kind), [])]


def sent_by(form: str) -> dict[str, list[str]]:
    """What a browser would send for this piece of a form."""
    form = re.sub(r"<(template|datalist).*?</\1>", "", form, flags=re.S)
    sent: dict[str, list[str]] = {}

    def send(name: str, value: str) -> None:
        if name != "csrf_token":
            sent.setdefault(html.unescape(name), []).append(html.unescape(value))

    for found in re.finditer(r"<(input|select|textarea)\b([^>]*)>(?:(.*?)</\1>)?", form, flags=re.S):
        tag, head, inside = found.groups()
        name = re.search(r'\bname="([^"]*)"', head)
        if name is None:
            continue
        value = re.search(r'\bvalue="([^"]*)"', head)
        if tag == "select":
            chosen = re.search(r'<option value="([^"]*)" selected>', inside)
            send(name[1], chosen[1] if chosen else "")
        elif tag == "textarea":
            send(name[1], inside)
        elif 'type="checkbox"' not in head or " checked" in head:
            send(name[1], value[1] if value else "on")
    return sent


def submitted(app: Flask, drawn: inputs.Input) -> dict[str, list[str]]:
    """What comes back from the template of one input."""
    with app.test_request_context():
        template = "{% import 'fields.html' as f with context %}{{ f.control(one) }}"
        return sent_by(app.jinja_env.from_string(template).render(one=drawn, left_word="", right_word=""))


@pytest.mark.parametrize(("field", "value"), EVERY_KIND, ids=lambda one: type(one).__name__)
def test_every_kind_of_field_comes_back_from_its_form_as_it_was(
    app: Flask, field: fields.Field[Any], value: Any
) -> None:
    setting(field, section=CONFIGURATION, label="Field")
    schema = type("Declared", (Settings,), {"field": field})
    (one,) = declared(schema)
    stored = to_json(load({"field": value}, schema)["field"]) if not isinstance(field, Secret) else value
    if isinstance(stored, enum.Enum):
        stored = stored.name
    (group,) = derive.groups([one], {"field": stored}, catalogues=catalogues)
    sent = submitted(app, group.inputs[0])
    values, problems = derive.read_form([one], sent, {"field": stored})
    assert problems == {}
    again = load(values, schema)
    assert again == load({"field": stored}, schema)


@pytest.mark.parametrize(
    ("field", "text_given", "read"),
    [
        (fields.Integer(), "many", "many"),
        (fields.Float(), "2,5", 2.5),
        (Choice("x"), "0012", "0012"),
        (Choice("x"), " 5 ", 5),
        (fields.String(), "   ", None),
        (fields.Raw(), "{broken", "{broken"),
        (fields.Date(), "tomorrow", "tomorrow"),
    ],
)
def test_what_is_typed_is_read_or_kept_as_it_was_typed(field: fields.Field[Any], text_given: str, read: Any) -> None:
    assert inputs.parse(field, "x", {"x": [text_given]}) == read


def test_a_setting_may_have_any_name(anna: Browser) -> None:
    made = type("Odd", (Settings,), {"csrf_token": setting(fields.String(), section=CONFIGURATION, label="Odd")})
    one: Setting = declared(made)[0]
    assert derive.input_name(one) == "s.csrf_token"


def test_the_dashboard_is_not_green_when_the_last_run_ended_with_an_error(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(SyncRecord.__table__.delete())  # type: ignore[attr-defined]
        session.execute(update(Connection).values(check_ok=True))
        session.execute(update(Heartbeat).values(beat_at=now()))
        session.execute(update(Task).where(Task.status.in_(["error", "missed"])).values(status="success"))
    green = text(anna.get("/"))
    with seeded.db.session() as session:
        newest = session.scalar(select(func.max(Task.id)).where(Task.status == "success"))
        session.execute(update(Task).where(Task.id == newest).values(status="error"))
    red = text(anna.get("/"))
    said = "The last run of Orders DE ended with an error."
    assert said not in green
    assert said in red
    assert "All is well" not in red
