"""The tab *Order synchronisation* and its history: filters, sorting, columns, views, CSV, and what people do to many."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, event, func, select, update
from sqlalchemy import text as sql

from admin import derive
from admin.views import criteria, listing, records, words
from admin.views.export import harmless
from profiles.db import Database, now
from profiles.models import Audit, Connection, Profile, SavedView, SyncHistory, SyncRecord, Task, User
from tests.admin.conftest import Browser, ErpOrders, Seeded
from tests.admin.test_pages import headings, link, numbers, text


@pytest.fixture
def tab(seeded: Seeded) -> str:
    return f"/profiles/{seeded.profile}/records/"


def act(browser: Browser, tab: str, action: str, query: str = "", **form: Any) -> Any:
    return browser.post(f"{tab}act{query}", {"action": action, **form})


def statuses(seeded: Seeded) -> dict[str, int]:
    with seeded.db.reading() as session:
        query = select(SyncRecord.status, func.count()).group_by(SyncRecord.status)
        return {row[0]: row[1] for row in session.execute(query)}


# filters


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("order=100000042", ["100000042"]),
        ("order=43", ["100000042"]),
        ("order=10000012", [f"10000012{at}" for at in reversed(range(10))]),
        ("customer=242", []),
        ("customer=240", ["100000040"]),
        ("customer=24", ["100000049", "100000047", "100000046", "100000044", "100000043", "100000041", "100000040"]),
        ("target=50047", ["100000047"]),
        ("target=5004&status=updated", ["100000048"]),
        ("text=maintenance&status=failed", []),
        ("text=klarna&order=100000121", ["100000121"]),
        ("text=100%25", []),
        ("order=100000042&customer=1", []),
        ("order=nonsense", []),
    ],
)
def test_each_filter_finds_its_records(anna: Browser, tab: str, query: str, found: list[str]) -> None:
    assert numbers(text(anna.get(f"{tab}?{query}"))) == found


@pytest.mark.parametrize("column", ["created", "updated", "processed"])
def test_days_narrow_a_list_from_both_ends(anna: Browser, tab: str, seeded: Seeded, column: str) -> None:
    with seeded.db.session() as session:
        at = getattr(SyncRecord, f"{column}_at")
        session.execute(update(SyncRecord).values({at: now() - timedelta(days=40)}))
        session.execute(update(SyncRecord).where(SyncRecord.id.in_([7, 9])).values({at: now() - timedelta(days=10)}))
        if column == "created":
            session.execute(update(SyncRecord).values(updated_at=now() - timedelta(days=1)))
    start, end = f"{now() - timedelta(days=12):%Y-%m-%d}", f"{now() - timedelta(days=8):%Y-%m-%d}"
    within = numbers(text(anna.get(f"{tab}?{column}_from={start}&{column}_to={end}")))
    assert sorted(within) == ["100000006", "100000008"]
    assert numbers(text(anna.get(f"{tab}?{column}_from={end}"))) == []
    assert len(numbers(text(anna.get(f"{tab}?{column}_to={start}")))) == 50
    both = numbers(text(anna.get(f"{tab}?{column}_from={start}&status=failed&sort=updated")))
    assert both == []


def test_a_day_ends_in_the_zone_of_the_profile(anna: Browser, tab: str, seeded: Seeded) -> None:
    from datetime import UTC, datetime

    with seeded.db.session() as session:
        late = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)  # half past midnight in Berlin
        session.execute(update(SyncRecord).where(SyncRecord.id == 7).values(created_at=late, updated_at=late))
    assert numbers(text(anna.get(f"{tab}?created_from=2026-07-02&created_to=2026-07-02"))) == ["100000006"]
    assert numbers(text(anna.get(f"{tab}?created_from=2026-07-01&created_to=2026-07-01"))) == []


def test_what_is_no_day_is_said_at_the_field_and_kept(anna: Browser, tab: str) -> None:
    answer = anna.get(f"{tab}?created_from=yesterday&customer=240")
    page = text(answer)
    assert answer.status_code == 200
    assert "“yesterday” is no day" in page
    assert 'value="yesterday"' in page
    assert numbers(page) == ["100000040"]


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("updated", "100000129", "100000080"),
        ("updated.up", "100000000", "100000049"),
        ("created", "100000129", "100000080"),
        ("created.up", "100000000", "100000049"),
        ("number", "100000129", "100000080"),
        ("number.up", "100000000", "100000049"),
        ("id", "100000129", "100000080"),
        ("id.up", "100000000", "100000049"),
        ("nonsense", "100000129", "100000080"),
    ],
)
def test_a_list_is_sorted_both_ways_and_paged_by_key(anna: Browser, tab: str, sort: str, first: str, last: str) -> None:
    for status in ("", "&status=complete"):
        seen: list[str] = []
        address: str | None = f"{tab}?sort={sort}{status}"
        pages = []
        while address:
            page = text(anna.get(address))
            pages.append(numbers(page))
            seen += pages[-1]
            address = link(page, "next")
        assert len(seen) == len(set(seen)) == (130 if not status else 73)
        assert seen == sorted(seen, reverse=not sort.endswith(".up"))
        if not status:
            assert (pages[0][0], pages[0][-1]) == (first, last)
        back = link(text(anna.get(link(text(anna.get(f"{tab}?sort={sort}{status}")), "next") or "")), "prev")
        assert numbers(text(anna.get(back or ""))) == pages[0]


def test_the_numbers_are_sorted_as_they_are_shown_whatever_order_they_came_in(
    anna: Browser, tab: str, seeded: Seeded
) -> None:
    with seeded.db.session() as session:
        rows = list(session.scalars(select(SyncRecord).where(SyncRecord.source_number.like("1000001%"))))
        for row in rows:  # the newest have the smallest numbers, and one has none at all
            row.source_number = f"0{row.source_number}"
        rows[0].source_number = None
        without = rows[0].source_id
    seen: list[str] = []
    address: str | None = f"{tab}?sort=number.up"
    while address:
        page = text(anna.get(address))
        seen += numbers(page)
        address = link(page, "next")
    assert seen[0] == without
    assert seen[1:] == sorted(seen[1:])
    assert len(seen) == 130
    assert 'aria-sort="ascending"' in page


EVERY_SORT = {
    column.sort for column in (*derive.record_columns("Order", ErpOrders.refs), *derive.more_record_columns())
}


def walked(browser: Browser, address: str | None) -> list[str]:
    """The numbers of a whole list, page by page."""
    seen: list[str] = []
    while address:
        page = text(browser.get(address))
        seen += numbers(page)
        address = link(page, "next")
        assert len(seen) <= 130, "the list goes round in circles"
    return seen


def test_a_short_list_is_sorted_by_each_of_its_columns(anna: Browser, tab: str) -> None:
    page = text(anna.get(tab))
    assert len(re.findall('<th scope="col" class="sorts', page)) == len(headings(page)) == 19
    assert len(EVERY_SORT) == 26
    for sort in sorted(EVERY_SORT):
        columns = f"columns=number,{COLUMN_OF[sort][0]}"

        def exported(query: str, columns: str = columns) -> list[str]:
            return [row[0] for row in table(anna.get(f"{tab}export.csv?{columns}&{query}"))[1:]]

        down, up = exported(f"sort={sort}"), exported(f"sort={sort}.up")
        assert len(set(down)) == 130, sort
        assert up == down[::-1], sort
        found = exported(f"sort={sort}&text=klarna")
        assert found == [number for number in down if number in set(found)], sort
        assert len(found) == 14, sort
        if sort in ("ref:order_id", "message", "processed_at", "attempts", "status", "customer"):
            assert walked(anna, f"{tab}?sort={sort}.up&{columns}") == up, sort
            assert 'aria-sort="descending"' in text(anna.get(f"{tab}?sort={sort}&{columns}")), sort


COLUMN_OF = {
    column.sort: [column.key]
    for column in (*derive.record_columns("Order", ErpOrders.refs), *derive.more_record_columns())
}


@pytest.mark.parametrize(
    ("sort", "values"),
    [
        ("ref:order_id", [None, "9", "10", "100"]),
        ("amount", ["9.90 EUR", "19.90 EUR", "100.00 EUR", "1000.00 EUR"]),
        ("store", [None, "9", "de", "en"]),
        ("message", [None, "A", "B", "Ä" * 3000]),
        ("attempts", [1, 2, 9, 10]),
        ("processed_at", [None, datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]),
        ("status", ["complete", "failed", "pending", "skipped"]),
    ],
)
def test_a_column_is_sorted_as_people_sort_it_on_both_engines(database: Database, sort: str, values: list[Any]) -> None:
    digits_first = [None, "de", "en", "9"] if sort == "store" else values
    with database.session() as session:
        stamps: dict[str, Any] = {"created_at": now(), "updated_at": now()}
        ends = [Connection(name=name, connector="x", base_url="", **stamps) for name in ("from", "to")]
        session.add_all(ends)
        session.flush()
        profile = Profile(
            name="P",
            entity="order",
            direction="export",
            from_id=ends[0].id,
            to_id=ends[1].id,
            cron="0 * * * *",
            **stamps,
        )
        session.add(profile)
        session.flush()
        for at, value in enumerate(reversed(values)):
            given = {"refs": {} if value is None else {"order_id": value}} if sort.startswith("ref:") else {sort: value}
            own = {"status": "complete", "refs": {}, **stamps, **given}
            session.add(SyncRecord(profile_id=profile.id, source_id=str(at), **own))
        session.flush()
        key = COLUMN_OF[sort][0]
        asked = criteria.wanted({"sort": f"{sort}.up"}, "UTC")
        way = criteria.plan(session, records.FIELDS, profile.id, asked, "order_id")
        profile_id = profile.id
    rows = [row for piece in listing.walk(database, way.query, way.keys, ascending=True, size=1) for row in piece]
    assert [records.row_of(row, "order_id").get(key) for row in rows] == digits_first
    assert {row["profile_id"] for row in rows} == {profile_id}


def test_the_key_at_the_target_is_sorted_where_only_the_record_knows_it(
    anna: Browser, tab: str, seeded: Seeded
) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == 1).values(refs={}, target_id="999999"))
    assert walked(anna, f"{tab}?sort=ref:order_id")[0] == "100000000"


def test_a_long_list_is_sorted_by_what_an_index_serves_and_says_so_of_the_others(
    anna: Browser, tab: str, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(criteria, "SORTED_FREELY", 100)
    monkeypatch.setattr(criteria, "FEW", 5)
    page = text(anna.get(tab))
    heads = re.findall(r'<th scope="col"( class="[^"]*")?( title="[^"]*")?[^>]*>(?:<a [^>]*>)?([^<]*)<', page)
    assert [name for kind, why, name in heads if "sorts" in kind] == ["Order ID", "Status", "Created At", "Updated At"]
    assert all("up to 10,000" in why for kind, why, name in heads if "sorts" not in kind)
    refused = text(anna.get(f"{tab}?sort=ref:order_id.up"))
    assert "too long to be sorted by that column" in refused
    assert walked(anna, f"{tab}?sort=ref:order_id.up") == walked(anna, tab)
    assert "too long" not in page
    by_status = walked(anna, f"{tab}?sort=status.up")
    kept = states(seeded)
    assert [kept[number] for number in by_status] == sorted(kept.values())
    assert "too long" not in text(anna.get(f"{tab}?status=complete&sort=ref:order_id")), "73 are few enough"
    assert walked(anna, f"{tab}?status=complete&sort=amount.up") == sorted(
        number for number, status in kept.items() if status == "complete"
    )


def states(seeded: Seeded) -> dict[str, str]:
    with seeded.db.reading() as session:
        query = select(SyncRecord.source_number, SyncRecord.status)
        return {str(row[0]): row[1] for row in session.execute(query)}


def test_no_sort_of_a_long_list_reads_it_all(anna: Browser, tab: str, seeded: Seeded) -> None:
    """The database walks along an index: it never sorts."""
    for sort in ("", *criteria.SORTS):
        with seeded.db.reading() as session:
            way = criteria.plan(session, records.FIELDS, seeded.profile, criteria.wanted({"sort": sort}, "UTC"))
            page = way.query.order_by(*(key.desc() for key in way.keys)).limit(51)
            said = str(page.compile(seeded.db.engine, compile_kwargs={"literal_binds": True}))
            steps = [row[-1] for row in session.execute(sql(f"EXPLAIN QUERY PLAN {said}"))]
        assert not [step for step in steps if "TEMP B-TREE" in step], (sort, steps)


def test_all_that_match_are_moved_once_however_they_are_sorted(anna: Browser, tab: str, seeded: Seeded) -> None:
    for sort in ("status.up", "attempts", "ref:order_id"):
        query = f"?text=klarna&sort={sort}"
        assert act(anna, tab, "put_back", query, all="1", confirmed="14").status_code == 302
        with seeded.db.session() as session:
            again = select(func.count()).where(SyncHistory.message.like("% by anna."))
            assert session.scalar(again) == 14
            session.execute(update(SyncRecord).where(SyncRecord.message.like("%by anna%")).values(status="failed"))
            session.execute(delete(SyncHistory))
            moved = update(SyncRecord).where(SyncRecord.cause == "no-payment-method")
            session.execute(moved.values(status="failed", message="klarna"))


def test_what_no_index_serves_is_looked_for_piece_by_piece(
    anna: Browser, tab: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "LOOKED_AT", 30)
    monkeypatch.setattr(listing, "LOOKED_AT_FURTHER", 40)
    monkeypatch.setattr("admin.views.criteria.FEW", 5)
    seen: list[str] = []
    address: str | None = f"{tab}?text=klarna"
    pages = 0
    while address:
        page = text(anna.get(address))
        seen += numbers(page)
        address = link(page, "next")
        pages += 1
        assert not address or "Look further back" in page
    assert pages == 4
    assert seen == [f"1000{at:05d}" for at in reversed(range(130)) if at % 9 == 4]


@pytest.mark.parametrize("sort", ["", "updated", "updated.up", "created"])
@pytest.mark.parametrize("status", ["failed", "complete"])
def test_a_frequent_status_is_listed_like_a_rare_one(
    anna: Browser, tab: str, monkeypatch: pytest.MonkeyPatch, sort: str, status: str
) -> None:
    def everything() -> list[str]:
        seen: list[str] = []
        address: str | None = f"{tab}?status={status}&sort={sort}&created_from=2026-01-01&customer="
        while address:
            page = text(anna.get(address))
            seen += numbers(page)
            address = link(page, "next")
        return seen

    rare = everything()
    monkeypatch.setattr("admin.views.criteria.FEW", 3)
    assert everything() == rare
    assert len(rare) == {"failed": 14, "complete": 73}[status]


def test_the_message_comes_early_where_failures_are_looked_at(anna: Browser, tab: str) -> None:
    assert headings(text(anna.get(f"{tab}?status=failed")))[3] == "Message"
    assert headings(text(anna.get(f"{tab}?status=complete")))[3] == "Plenty Order ID"


def test_failures_are_grouped_by_cause_with_the_way_to_the_setting(anna: Browser, tab: str, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(cause="other", message="Odd."))
    page = text(anna.get(f"{tab}?status=failed"))
    assert re.findall(r'<span class="badge bad">(\d+)</span>', page[page.index("by cause") :])[:2] == ["13", "1"]
    assert "Retry all 13" in page
    assert "Retry it" in page
    assert "#setting-payment_mapping" in page
    one = text(anna.get(f"{tab}?status=failed&cause=other"))
    assert numbers(one) == ["100000004"]
    assert "This cause" in one


# columns and views belong to a person


def test_columns_are_kept_per_person_in_their_order(anna: Browser, victor: Browser, tab: str) -> None:
    chosen = ["number", "message", "status", "amount", "nonsense"]
    assert anna.post(f"{tab}columns?status=failed", {"column": chosen}).headers["Location"] == f"{tab}?status=failed"
    assert headings(text(anna.get(tab))) == ["Order ID", "Message", "Status", "Amount"]
    assert len(headings(text(victor.get(tab)))) == 19
    assert victor.post(f"{tab}columns", {"column": ["status"]}).status_code == 302
    assert headings(text(victor.get(tab))) == ["Order ID", "Status"], "the way into the record cannot be hidden"
    anna.post(f"{tab}columns", {"reset": "1"})
    assert len(headings(text(anna.get(tab)))) == 19


def test_a_view_is_kept_applied_renamed_and_deleted(anna: Browser, victor: Browser, tab: str, seeded: Seeded) -> None:
    anna.post(f"{tab}columns", {"column": ["number", "message"]})
    made = anna.post(f"{tab}views?status=failed&sort=updated", {"do": "add", "name": "Morning"})
    view = re.search(r"view=(\d+)", made.headers["Location"])
    assert view, made.headers["Location"]
    anna.post(f"{tab}columns", {"reset": "1"})
    page = text(anna.get(made.headers["Location"]))
    assert "View: Morning" in page
    assert headings(page) == ["Order ID", "Message"]
    assert len(numbers(page)) == 14
    assert "Morning" not in text(victor.get(tab))
    assert "changed" in text(anna.get(f"{tab}?status=skipped&view={view[1]}"))
    anna.post(f"{tab}views?status=skipped&view={view[1]}", {"do": "change", "view": view[1]})
    anna.post(f"{tab}views", {"do": "rename", "view": view[1], "name": "Left out"})
    with seeded.db.reading() as session:
        kept = session.get_one(SavedView, int(view[1]))
        assert (kept.name, "status=skipped" in kept.query) == ("Left out", True)
    victor.post(f"{tab}views", {"do": "delete", "view": view[1]})
    with seeded.db.reading() as session:
        assert session.get(SavedView, int(view[1])), "nobody deletes another one's view"
    anna.post(f"{tab}views", {"do": "delete", "view": view[1]})
    with seeded.db.reading() as session:
        assert session.get(SavedView, int(view[1])) is None


def test_a_list_begins_with_the_default_view_until_it_is_left(anna: Browser, tab: str) -> None:
    anna.post(f"{tab}views?status=failed", {"do": "add", "name": "Failed", "default": "yes"})
    begun = anna.get(tab)
    assert begun.status_code == 302
    assert "status=failed" in begun.headers["Location"]
    assert anna.get(f"{tab}?view=0").status_code == 200
    assert anna.get(f"{tab}?status=skipped").status_code == 200
    view = re.search(r"view=(\d+)", begun.headers["Location"])
    assert view
    anna.post(f"{tab}views", {"do": "no_default", "view": view[1]})
    assert anna.get(tab).status_code == 200
    anna.post(f"{tab}views", {"do": "default", "view": view[1]})
    anna.post(f"{tab}views", {"do": "delete", "view": view[1]})
    assert anna.get(tab).status_code == 200


@pytest.mark.parametrize(
    ("name", "said"), [("", "needs a name"), ("x" * 61, "at most 60"), ("Twice", "already"), ("\x00", "needs a name")]
)
def test_a_view_that_cannot_be_kept_is_refused_at_its_field(anna: Browser, tab: str, name: str, said: str) -> None:
    anna.post(f"{tab}views", {"do": "add", "name": "Twice"})
    answer = anna.post(f"{tab}views?status=failed", {"do": "add", "name": name})
    assert answer.status_code == 422
    page = text(answer)
    assert said in page
    assert f'name="name" value="{name.strip(chr(0))}"' in page
    assert len(numbers(page)) == 14, "the list that is to be kept is still shown"


# CSV


def table(answer: Any, separator: str = ",") -> list[list[str]]:
    raw = answer.get_data()
    assert raw.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=separator))


def test_the_csv_holds_all_that_the_filters_fit_with_the_columns_that_are_shown(anna: Browser, tab: str) -> None:
    answer = anna.get(f"{tab}export.csv?status=complete")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = table(answer)
    assert len(rows) == 74
    assert rows[0][:3] == ["Order ID", "Customer ID", "Status"]
    assert rows[0][-1] == "Processed At (Europe/Berlin)"
    assert {row[2] for row in rows[1:]} == {"complete"}
    anna.post(f"{tab}columns", {"column": ["number", "amount"]})
    assert table(anna.get(f"{tab}export.csv?order=100000042")) == [["Order ID", "Amount"], ["100000042", "61.90 EUR"]]


def test_no_cell_of_the_csv_is_a_formula(anna: Browser, tab: str, seeded: Seeded) -> None:
    evil = ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "\t=1", "\r=1"]
    with seeded.db.session() as session:
        for at, one in enumerate(evil, start=1):
            session.execute(update(SyncRecord).where(SyncRecord.id == at).values(message=one, customer=one))
    rows = table(anna.get(f"{tab}export.csv?sort=id.up"))
    for at, one in enumerate(evil, start=1):
        assert f"'{one}" in rows[at]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert harmless("ordinary - text") == "ordinary - text"


def test_the_csv_is_written_as_its_reader_expects(anna: Browser, tab: str, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.scalars(select(User).where(User.name == "anna")).one().preferences = {"language": "de"}
    rows = table(anna.get(f"{tab}export.csv?order=100000042"), ";")
    assert len(rows[0]) == 19


def test_the_csv_is_read_in_pieces(anna: Browser, tab: str, seeded: Seeded) -> None:
    said: list[str] = []
    event.listen(seeded.db.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    walked = list(listing.walk(seeded.db, select(SyncRecord.id), (SyncRecord.id.expression,), size=50))
    assert [len(piece) for piece in walked] == [50, 50, 30]
    assert len({row["id"] for piece in walked for row in piece}) == 130
    assert len([one for one in said if one.startswith("SELECT")]) == 3


# what people do to many


def test_retry_puts_back_and_asks_for_a_run_of_the_one_order(anna: Browser, tab: str, seeded: Seeded) -> None:
    act(anna, tab, "retry", id=[seeded.failed])
    with seeded.db.reading() as session:
        assert session.get_one(SyncRecord, seeded.failed).status == "pending"
        task = session.scalars(select(Task).where(Task.asked_by == "anna", Task.status == "pending")).one()
        assert task.request == {"order": "100000004"}
        line = session.scalars(select(Audit).where(Audit.kind == "record")).one()
        assert (line.person, line.action, line.subject, line.subject_id) == ("anna", "retried", "100000004", 5)
        assert line.after == {"profile": "Orders DE", "records": 1, "numbers": ["100000004"]}


def test_a_second_retry_finds_the_run_that_waits_or_asks_for_its_own(anna: Browser, tab: str, seeded: Seeded) -> None:
    act(anna, tab, "retry", id=[seeded.failed])
    act(anna, tab, "retry", id=[seeded.failed])
    act(anna, tab, "retry", id=[seeded.failed + 9])
    with seeded.db.reading() as session:
        asked = select(Task.request).where(Task.asked_by == "anna", Task.status == "pending")
        assert session.scalars(asked.order_by(Task.id)).all() == [{"order": "100000004"}, {"order": "100000013"}]


@pytest.mark.parametrize(
    ("action", "query", "count", "becomes"),
    [
        ("retry", "?status=failed&cause=no-payment-method", 14, "pending"),
        ("skip", "?status=failed", 14, "skipped"),
        ("put_back", "?status=complete", 73, "pending"),
        ("put_back", "?text=klarna", 14, "pending"),
        ("put_back", "?status=complete&sort=updated.up", 73, "pending"),
    ],
)
def test_all_that_match_are_moved_after_a_question_with_their_number(
    anna: Browser, tab: str, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, action: str, query: str, count: int,
    becomes: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("profiles.history.MOVED_AT_ONCE", 10)
    before = statuses(seeded)
    question = act(anna, tab, action, query, all="1")
    assert question.status_code == 200
    assert f"{count} records" in text(question)
    assert statuses(seeded) == before, "a question changes nothing"
    assert act(anna, tab, action, query, all="1", confirmed=str(count)).status_code == 302
    after = statuses(seeded)
    assert after.get(becomes, 0) == before.get(becomes, 0) + count
    with seeded.db.reading() as session:
        line = session.scalars(select(Audit).where(Audit.kind == "record")).one()
        assert line.after is not None
        assert line.after["records"] == count
        assert line.after["filter"]
        written = select(func.count()).where(SyncHistory.message.like("% by anna."))
        assert session.scalar(written) == count
        asked = session.scalars(select(Task).where(Task.asked_by == "anna", Task.status == "pending")).all()
        assert [one.request for one in asked] == ([{}] if action == "retry" else [])


def test_what_a_state_does_not_allow_is_not_offered_and_not_asked_about(
    anna: Browser, tab: str, seeded: Seeded
) -> None:
    def offered(query: str) -> list[str]:
        page = text(anna.get(f"{tab}{query}"))
        sheet = page[page.index("You are asked again") : page.index("data-chosen")]
        return re.findall(r'name="action" value="(\w+)"', sheet)

    assert offered("") == offered("?status=failed") == ["retry", "put_back", "skip"]
    assert offered("?status=complete") == ["put_back"]
    assert offered("?status=skipped") == ["retry", "put_back"]
    page = text(anna.get(tab))
    assert '"skip" data-fits="failed pending"' in page
    assert 'data-row="complete"' in page

    before = statuses(seeded)
    mixed = text(act(anna, tab, "skip", "?q=1000000", all="1"))  # all 100 whose number begins like that
    fitting = len([at for at in range(100) if at % 9 in (4, 8)])
    assert f"Skip {fitting} records?" in mixed
    assert f"{100 - fitting} records are finished, skipped already or in work and stay as they are." in mixed
    assert act(anna, tab, "skip", "?q=1000000", all="1", confirmed=str(fitting)).status_code == 302
    assert statuses(seeded)["skipped"] == before["skipped"] + fitting
    refused = act(anna, tab, "skip", "?status=complete", all="1")
    assert refused.status_code == 302
    assert "Nothing was done: 73 records are finished" in text(anna.get(refused.headers["Location"]))
    assert statuses(seeded)["complete"] == 73


def test_a_number_that_changed_meanwhile_is_asked_for_again(anna: Browser, tab: str, seeded: Seeded) -> None:
    answer = act(anna, tab, "skip", "?status=failed", all="1", confirmed="13")
    assert "has changed in the meantime" in text(answer)
    assert statuses(seeded)["failed"] == 14


def test_a_viewer_looks_keeps_views_and_moves_nothing(victor: Browser, tab: str, seeded: Seeded) -> None:
    page = text(victor.get(f"{tab}?status=failed"))
    assert "Retry" not in page
    assert "data-row " not in page
    assert act(victor, tab, "retry", "?status=failed", all="1", confirmed="14").status_code == 403
    assert victor.post(f"{tab}views?status=failed", {"do": "add", "name": "Mine"}).status_code == 302
    assert statuses(seeded)["failed"] == 14


# history


def test_the_history_is_filtered_by_status_order_words_and_days(anna: Browser, seeded: Seeded) -> None:
    tab = f"/profiles/{seeded.profile}/history/"

    def lines(query: str) -> int:
        return len(re.findall(r'<td data-label="Direction"', text(anna.get(f"{tab}?{query}"))))

    assert lines("order=100000042") == 2
    assert lines("target=50047") == 2
    assert lines("status=failed") == 14
    assert lines("text=klarna") == 14
    assert lines("q=klarna&status=processing") == 0
    with seeded.db.session() as session:
        session.execute(update(SyncHistory).where(SyncHistory.id <= 6).values(created_at=now() - timedelta(days=20)))
    assert lines(f"created_to={now() - timedelta(days=10):%Y-%m-%d}") == 6
    assert lines(f"created_from={now() - timedelta(days=10):%Y-%m-%d}") == 50
    assert lines(f"created_from={now() + timedelta(days=10):%Y-%m-%d}") == 0
    rows = table(anna.get(f"{tab}export.csv?status=failed"))
    assert rows[0] == ["Order ID", "Plenty Order ID", "Status", "Direction", "Message", "Created At (Europe/Berlin)"]
    assert len(rows) == 15
    live = anna.get(f"{tab}rows.json?status=failed").get_json()
    assert "100000004" in live["html"]


# any address


WORDS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "0001-01-01", "9999-12-31", "2026-02-30",
         "2026-11-21T10:00:00+14:00", "\x00", "\ud7ff", "\U0010ffff", "%", "!", "999999999999999999999999", "-1", "1e9",
         "failed", "updated.up", "id.up", ".up", "number,status", ",,,", "W10", "W251bGxd", "javascript:alert(1)"]
    ),
)  # fmt: skip
QUERY = st.dictionaries(
    st.sampled_from([*listing.FILTERS, "before", "after", "_external", "_scheme", "endpoint"]), WORDS, max_size=5
)
QUIET = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
LISTS = (
    "/profiles/1/records/",
    "/profiles/1/records/export.csv",
    "/profiles/1/history/",
    "/profiles/1/history/rows.json",
)
PAGES = (
    *LISTS,
    "/profiles/1/history/export.csv",
    "/orders/",
    "/orders/sought.json",
    "/orders/5/",
    "/orders/5/now.json",
)
FORMS = ("/profiles/1/records/act", "/profiles/1/records/columns", "/profiles/1/records/views", "/orders/act",
         "/profiles/1/history/columns", "/profiles/1/history/views", "/orders/fetch")  # fmt: skip
FIELDS = ("action", "all", "confirmed", "id", "do", "name", "view", "column", "reset", "number", "profile")
FORM = st.dictionaries(
    st.sampled_from(FIELDS),
    st.one_of(WORDS, st.sampled_from(["retry", "skip", "put_back", "add", "rename", "change", "default", "1", "5"])),
    max_size=5,
)


@pytest.mark.slow
@QUIET
@given(query=QUERY, address=st.sampled_from(PAGES))
def test_no_query_breaks_a_page_or_comes_back_as_a_script(
    anna: Browser, seeded: Seeded, query: dict[str, str], address: str
) -> None:
    assert (seeded.profile, seeded.failed) == (1, 5)
    answer = anna.get(address, query_string=query)
    assert answer.status_code in (200, 302), (address, query)
    page = text(answer)
    if answer.mimetype == "text/html":
        inside = page.replace("&lt;script&gt;", "")
        assert "<script>alert" not in inside
        assert "<img src=x" not in inside
        assert 'href="javascript:' not in inside
    if answer.status_code == 302:
        assert answer.headers["Location"].startswith("/")
        assert not answer.headers["Location"].startswith("//")


@pytest.mark.slow
@QUIET
@given(query=QUERY, form=FORM, address=st.sampled_from(FORMS))
def test_no_form_breaks_a_page(
    app: Flask, anna: Browser, query: dict[str, str], form: dict[str, str], address: str
) -> None:
    app.config["WTF_CSRF_ENABLED"] = False
    answer = anna.client.post(address, query_string=query, data=form)
    assert answer.status_code in (200, 302, 400, 404, 422), (address, query, form)
    assert "<script>alert" not in text(answer)
    if answer.status_code == 302:
        assert answer.headers["Location"].startswith("/")


@pytest.mark.parametrize("address", ["/orders/99999999999999999999/", "/orders/99999999999999999999/payload",
                                     "/orders/99999999999999999999/now.json"])  # fmt: skip
def test_a_number_beyond_all_ids_is_not_found(anna: Browser, address: str) -> None:
    assert anna.get(address).status_code == 404


def test_counting_the_failed_stops_early(anna: Browser, tab: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_FAILED", 9)
    assert ">9+</span>" in text(anna.get(tab))


@pytest.mark.parametrize("place", ["records", "history"])
def test_a_message_is_found_by_the_words_that_its_reader_sees(anna: Browser, seeded: Seeded, place: str) -> None:
    stored = "It ended its worker 4 times without progress and is set aside."
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(message=stored))
        line = session.scalars(select(SyncHistory).where(SyncHistory.record_id == seeded.failed)).first()
        assert line is not None
        line.message = stored
        number = session.get_one(SyncRecord, seeded.failed).source_number
    word = max(words.told(stored, "de").split(), key=len)
    assert word not in stored
    address = f"/profiles/{seeded.profile}/{place}/?text={word}"
    assert numbers(text(anna.get(address, headers={"Accept-Language": "de"}))) == [number]
    assert numbers(text(anna.get(address))) == []
