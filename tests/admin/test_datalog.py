"""The data log: filters that find exactly what they say, by an index or by looking; and one call whole."""

from __future__ import annotations

import datetime as dt
import html
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import event, insert, update

from admin.views import listing
from profiles.db import now
from profiles.models import Connection, DataLog, Profile, SyncRecord
from profiles.secrets import seal
from tests.admin.conftest import Browser, Seeded

BERLIN = ZoneInfo("Europe/Berlin")


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def found(browser: Browser, **asked: Any) -> list[int]:
    """The ids of the calls on all pages, in the order shown."""
    ids: list[int] = []
    address: str | None = "/log/"
    query: dict[str, Any] | None = asked
    while address:
        answer = browser.get(address, query_string=query) if query else browser.get(address)
        assert answer.status_code == 200
        page = text(answer)
        ids += [int(one) for one in re.findall(r'href="/log/(\d+)/"', page)]
        onwards = re.search(r'rel="next" href="([^"]+)"', page)
        address, query = onwards[1] if onwards else None, None
    return ids


@pytest.fixture
def calls(seeded: Seeded) -> dict[str, int]:
    """A few calls beside the seeded ones, by what is peculiar about them."""
    moment = now()
    common = {"connection_id": seeded.shop, "identifier": "strangershop", "method": "GET", "seconds": 0.1}
    rows = {
        "fine": {"status": 200, "path": "/rest/V1/stores"},
        "partly": {"status": 200, "path": "/rest/V1/batch", "method": "PATCH", "error": "entry 2: no such item"},
        "moved": {"status": 302, "path": "/rest/V1/moved"},
        "slow_down": {"status": 429, "path": "/rest/V1/orders/5", "error": "Too many calls"},
        "silent": {"status": None, "path": "/rest/V1/orders", "method": "PUT", "error": "no answer within 20 seconds"},
        "wrong": {
            "status": 400,
            "path": "/rest/V1/orders",
            "error": "The field 100%_sure is missing",
            "method": "POST",
        },
    }
    with seeded.db.session() as session:
        made = {}
        for at, (name, row) in enumerate(rows.items()):
            call = DataLog(**{**common, **row, "created_at": moment - dt.timedelta(days=10 - at)})
            session.add(call)
            session.flush()
            made[name] = call.id
    return made


def test_levels_are_told_apart_by_the_status(anna: Browser, calls: dict[str, int]) -> None:
    mine = set(calls.values())
    named = {number: name for name, number in calls.items()}
    levels = {
        level: {named[one] for one in found(anna, level=level) if one in mine} for level in ("ok", "warning", "error")
    }
    assert levels == {"ok": {"fine"}, "warning": {"moved", "slow_down"}, "error": {"partly", "silent", "wrong"}}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"method": "PUT"}, ["silent"]),
        ({"path": "/rest/V1/orders/"}, ["slow_down"]),
        ({"path": "/rest/V1/m"}, ["moved"]),
        ({"error": "100%_SURE"}, ["wrong"]),
        ({"error": "0%s"}, []),
        ({"error": "many", "level": "warning", "method": "GET", "path": "/rest"}, ["slow_down"]),
        ({"error": "many", "level": "ok"}, []),
    ],
)
def test_each_filter_finds_exactly_its_calls(
    anna: Browser, calls: dict[str, int], asked: dict[str, str], names: list[str]
) -> None:
    assert found(anna, **asked) == [calls[name] for name in names]


def test_a_reference_a_connection_and_a_system_are_found(anna: Browser, seeded: Seeded, calls: dict[str, int]) -> None:
    page = text(anna.get("/log/?reference=100000129"))
    assert page.count(">100000129</a>") == 2
    ours = found(anna, connection=seeded.shop)
    assert ours == sorted(ours, reverse=True)
    assert set(calls.values()) <= set(ours)
    assert len(ours) == 60 + len(calls)
    assert (
        ours == found(anna, identifier="strangershop") == found(anna, identifier="strangershop", connection=seeded.shop)
    )
    assert found(anna, identifier="strangererp", connection=seeded.shop) == []
    assert found(anna, identifier="nosystem") == []


def test_a_system_with_two_of_three_connections_is_found(anna: Browser, seeded: Seeded) -> None:
    moment = now()
    with seeded.db.session() as session:
        values = {"credentials": seal({}), "base_url": "https://x.example.com"}
        second = Connection(name="shop-at", connector="strangershop", created_at=moment, updated_at=moment, **values)
        session.add(second)
        session.flush()
        session.add(
            DataLog(
                connection_id=second.id,
                identifier="strangershop",
                path="/second",
                method="GET",
                status=200,
                seconds=0.1,
                created_at=moment,
            )
        )
    ours = found(anna, identifier="strangershop")
    assert len(ours) == 61
    assert len(found(anna, connection=second.id)) == 1


def test_a_time_range_is_meant_in_the_zone_that_the_page_names(
    anna: Browser, seeded: Seeded, calls: dict[str, int]
) -> None:
    assert "From (Europe/Berlin)" in text(anna.get("/log/"))
    at = dt.datetime(2024, 7, 1, 12, 0, tzinfo=BERLIN)
    with seeded.db.session() as session:
        session.execute(update(DataLog).where(DataLog.id == calls["wrong"]).values(created_at=at))
    assert found(anna, created_from="2024-07-01T12:00", created_to="2024-07-01T12:01") == [calls["wrong"]]
    assert found(anna, created_to="2024-07-01T12:00") == []
    assert found(anna, created_to="2024-07-02", level="error", connection=seeded.shop) == [calls["wrong"]]
    assert found(anna, created_to="2024-07-02", level="ok") == []
    assert calls["wrong"] not in found(anna, created_from="2024-07-01T12:01")


@pytest.mark.parametrize(
    "asked",
    [
        {"connection": "x"},
        {"connection": "9" * 18},
        {"level": "nonsense"},
        {"method": "BREW"},
        {"created_from": "yesterday", "created_to": "9999-99-99"},
        {"created_from": "0001-01-01", "created_to": "9999-12-31T23:59"},
        {"path": "\ud7ff\x00", "error": "%' OR 1=1 --", "reference": "\x00"},
        {"identifier": "<script>alert(1)</script>"},
        {"before": "nonsense", "deep": "x", "level": "ok"},
        {"connection": "²"},
    ],
)
def test_nonsense_in_the_address_is_no_fault(anna: Browser, asked: dict[str, str]) -> None:
    answer = anna.get("/log/", query_string=asked)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.get_data(as_text=True)


def fill(seeded: Seeded, many: int) -> None:
    moment = now() - dt.timedelta(days=30)
    rows = [
        {
            "connection_id": seeded.shop if at % 2 else seeded.erp,
            "identifier": "strangershop" if at % 2 else "strangererp",
            "path": f"/rest/orders/{at}",
            "method": "GET",
            "status": 200,
            "seconds": 0.1,
            "reference": str(at),
            "created_at": moment + dt.timedelta(seconds=at),
        }
        for at in range(many)
    ]
    with seeded.db.session() as session:
        session.execute(insert(DataLog), rows)


def test_what_no_index_serves_is_looked_for_in_steps_and_the_page_says_so(
    anna: Browser, seeded: Seeded, calls: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", 100)
    monkeypatch.setattr(listing, "LOOKED_AT_FURTHER", 200)
    fill(seeded, 400)
    page = text(anna.get("/log/?method=PUT"))
    assert "Nothing found so far" in page
    assert "100 calls were looked through" in page
    assert "Look further back" in page
    assert found(anna, method="PUT") == [calls["silent"]]


def test_no_filter_reads_more_than_its_steps(anna: Browser, seeded: Seeded) -> None:
    """SQLite's own plan of every query of the page: an index or the key, never the whole table."""
    fill(seeded, 50)
    asked = [
        {},
        {"reference": "7"},
        {"connection": seeded.shop},
        {"identifier": "strangershop"},
        {"created_from": "2026-01-01"},
        {"created_from": "2026-01-01", "connection": seeded.shop, "level": "error"},
        {"level": "error", "path": "/rest", "method": "GET", "error": "x"},
        {"connection": seeded.shop, "level": "ok"},
    ]
    seen: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "data_log" in statement and statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(seeded.db.engine, "before_cursor_execute", note)
    for one in asked:
        anna.get("/log/", query_string=one)
    event.remove(seeded.db.engine, "before_cursor_execute", note)
    assert len(seen) >= len(asked)
    with seeded.db.engine.connect() as connection:
        for statement, parameters in seen:
            plan = " ".join(
                str(row[-1]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            )
            assert "TEMP B-TREE FOR ORDER BY" not in plan, f"{statement}\n{plan}"
            assert "LIMIT" in statement or "SEARCH" in plan, f"{statement}\n{plan}"


# one call


def test_a_recorded_body_is_redacted_once_more_and_can_be_copied(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/log/{seeded.call}/"))
    assert "•••" in page
    assert "typeId" in page
    assert 'data-copy="request"' in page
    assert 'data-copy="response"' in page


def test_what_is_not_kept_says_which_setting_keeps_it(anna: Browser, seeded: Seeded, calls: dict[str, int]) -> None:
    page = text(anna.get(f"/log/{calls['fine']}/"))
    assert "They are not kept for this call." in page
    assert f'href="/profiles/{seeded.profile}/options/#s.log_response">Orders DE » Log export response</a>' in page
    assert "is on now" not in page
    with seeded.db.session() as session:
        row = session.get_one(Profile, seeded.profile)
        row.settings = {**row.settings, "global": {**row.settings["global"], "log_response": True}}
    assert "is on now" in text(anna.get(f"/log/{calls['fine']}/"))


def test_a_call_names_its_system_as_the_list_does(anna: Browser, calls: dict[str, int]) -> None:
    found = re.search(r"<dt>Identifier</dt><dd>(.+?)</dd>", text(anna.get(f"/log/{calls['fine']}/")))
    assert found is not None
    assert f'<td data-label="Identifier">{found[1]}</td>' in text(anna.get("/log/"))


def test_a_call_leads_to_its_order_and_its_run(anna: Browser, seeded: Seeded, calls: dict[str, int]) -> None:
    with seeded.db.session() as session:
        number = session.get_one(SyncRecord, seeded.failed).source_number
        call = session.get_one(DataLog, calls["wrong"])
        call.reference, call.task_id = number, seeded.task
    page = text(anna.get(f"/log/{calls['wrong']}/"))
    assert f'href="/orders/{seeded.failed}/"' in page
    assert f'href="/profiles/{seeded.profile}/schedule/?task={seeded.task}"' in page
    assert "The field 100%_sure is missing" in page
    with seeded.db.session() as session:
        session.get_one(DataLog, calls["wrong"]).task_id = 10**9
    assert "no longer kept" in text(anna.get(f"/log/{calls['wrong']}/"))


def test_a_call_that_is_not_there_is_a_friendly_page(anna: Browser) -> None:
    for number in (10**9, 2**70):
        assert anna.get(f"/log/{number}/").status_code == 404


def test_a_query_is_shown_as_people_read_it(anna: Browser, seeded: Seeded) -> None:
    coded = "/rest/V1/orders?searchCriteria%5BpageSize%5D=5&field=%3Cb%3E%0A"
    with seeded.db.session() as session:
        session.execute(update(DataLog).where(DataLog.id == seeded.call).values(path=coded))
    for address in ("/log/", f"/log/{seeded.call}/"):
        page = anna.get(address).get_data(as_text=True)
        assert "/rest/V1/orders?searchCriteria[pageSize]=5&amp;field=&lt;b&gt;\ufffd" in page
        assert "%5B" not in page
