"""The tabs *Schedule* and *Schedule history* of a profile, and the schedule of all."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from admin.views import schedule, tasks
from admin.views.workers import place, plain
from profiles.db import now
from profiles.models import Audit, Heartbeat, Profile, Task, TaskHistory
from profiles.workers import me
from tests.admin.conftest import HOSTILE, Browser, Seeded


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def tab(seeded: Seeded, query: str = "") -> str:
    return f"/profiles/{seeded.profile}/schedule/{query}"


def ids(page: str) -> list[int]:
    return [int(one) for one in re.findall(r'data-key="task-(\d+)"', page)]


def statuses(seeded: Seeded, page: str) -> list[str]:
    with seeded.db.reading() as session:
        found = dict(session.execute(select(Task.id, Task.status)).tuples().all())
    return [found[one] for one in ids(page)]


def change(seeded: Seeded, **values: Any) -> None:
    with seeded.db.session() as session:
        session.execute(update(Task).where(Task.id == seeded.task).values(**values))


def audits(seeded: Seeded, action: str) -> list[Audit]:
    with seeded.db.reading() as session:
        return list(session.scalars(select(Audit).where(Audit.action == action)))


# the tab


def test_what_runs_stands_first_then_what_comes_then_what_was(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(tab(seeded)))
    assert statuses(seeded, page) == ["processing", "pending", *["success"] * 3, "error", *["success"] * 2, "missed",
                                      *["success"] * 4]  # fmt: skip
    past = ids(page)[2:]
    with seeded.db.reading() as session:
        due = {row.id: row.scheduled_at for row in session.scalars(select(Task))}
    assert past == sorted(past, key=lambda one: due[one], reverse=True)


def test_a_run_asked_for_before_a_planned_one_stands_below_it(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        latest = session.scalars(select(Task).where(Task.status == "success").order_by(Task.id.desc())).first()
        assert latest is not None
        early = Task(profile_id=seeded.profile, status="success", job_code="order_export", asked_by="anna",
                     created_at=now(), scheduled_at=latest.scheduled_at - timedelta(minutes=5))  # fmt: skip
        session.add(early)
        session.flush()
        order = [latest.id, early.id]
    assert ids(text(anna.get(tab(seeded))))[2:4] == order


def test_past_tasks_have_pages_by_key_and_only_the_first_shows_what_runs(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        for number in range(120):
            due = now() - timedelta(days=2, minutes=number)
            session.add(Task(profile_id=seeded.profile, status="success", job_code="order_export", created_at=due,
                             scheduled_at=due, finished_at=due))  # fmt: skip
    seen: list[int] = []
    address: str | None = tab(seeded)
    pages = 0
    while address:
        page = text(anna.get(address))
        assert ("processing" in statuses(seeded, page)) is (pages == 0)
        seen += ids(page)
        onwards = re.search(r'rel="next" href="([^"]+)"', page)
        address, pages = (onwards[1] if onwards else None), pages + 1
    assert pages == 3
    assert len(seen) == len(set(seen)) == 133


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?status=processing", ["processing"]),
        ("?status=pending", ["pending"]),
        ("?status=error", ["error"]),
        ("?status=missed", ["missed"]),
        ("?since=2999-01-01", []),
        ("?until=2000-01-01", []),
        ("?status=error&since=2999-01-01", []),
    ],
)
def test_tasks_are_filtered_by_status_and_day(anna: Browser, seeded: Seeded, query: str, found: list[str]) -> None:
    page = text(anna.get(tab(seeded, query)))
    assert statuses(seeded, page) == found
    assert ("Nothing matches" in page) is (found == [])


def test_a_day_is_a_day_of_the_profiles_zone(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Profile).values(timezone="Pacific/Auckland"))
        due = datetime(2026, 6, 30, 12, 30, tzinfo=UTC)  # 00:30 on 1 July in Auckland
        session.add(Task(profile_id=seeded.profile, status="success", job_code="x", created_at=due, scheduled_at=due))
    assert len(ids(text(anna.get(tab(seeded, "?since=2026-07-01&until=2026-07-01"))))) == 1
    assert ids(text(anna.get(tab(seeded, "?since=2026-06-30&until=2026-06-30")))) == []


@pytest.mark.parametrize("query", ["since=tomorrow", "until=9999-12-31", "since=0001-01-01", "since=2026-02-31", "status=x",
                                   "since=%00", "before=x&since=9999-12-31", "until=0001-01-01"])  # fmt: skip
def test_no_filter_breaks_a_page(anna: Browser, seeded: Seeded, query: str) -> None:
    for address in (tab(seeded), f"/profiles/{seeded.profile}/schedule-history/", "/schedule/"):
        assert anna.get(f"{address}?{query}").status_code == 200, address


# progress


def test_a_run_shows_its_progress_its_outcomes_and_the_time_left(anna: Browser, seeded: Seeded) -> None:
    counts = {"done": 40, "total": 120, "counts": {"complete": 38, "failed": 2}}
    change(seeded, counts=counts, executed_at=now() - timedelta(seconds=60))
    page = text(anna.get(tab(seeded)))
    assert 'role="progressbar"' in page
    assert 'aria-valuemax="120" aria-valuenow="40"' in page
    assert "40 / 120" in page
    assert "about 2 minutes left" in page
    assert re.search(r">complete</span><b>38</b>", page)
    assert re.search(r">failed</span><b>2</b>", page)


@pytest.mark.parametrize(
    ("done", "total", "worked", "said"),
    [
        (40, 120, 60, "about 2 minutes left"),
        (119, 120, 119, "a few seconds left"),
        (10, 20, 40, "about 40 seconds left"),
        (0, 120, 60, ""),
        (120, 120, 60, ""),
        (1, 120, 1, ""),
        (130, 120, 60, ""),
        (None, None, 60, ""),
    ],
)
def test_the_time_left_is_told_from_the_pace_so_far(done: Any, total: Any, worked: int, said: str) -> None:
    row = {"counts": {"done": done, "total": total}, "executed_at": now() - timedelta(seconds=worked)}
    assert tasks.left(row) == said


def test_what_a_screen_reader_is_told_changes_in_steps_of_ten_percent(seeded: Seeded) -> None:
    def said(done: int) -> str:
        return tasks.announced([{"id": 7, "progress": (done, 100)}], None)

    assert said(31) == said(39) == "Task 7 is running, 30 % done."
    assert said(40) != said(39)


def test_the_schedule_is_refreshed_in_place(anna: Browser, seeded: Seeded) -> None:
    address = tab(seeded, "rows.json?status=processing")
    first = anna.get(address).get_json()
    assert "37 / 120" in first["html"]
    assert "rows.json" not in first["html"]
    change(seeded, counts={"done": 38, "total": 120})
    second = anna.get(address).get_json()
    assert "38 / 120" in second["html"]
    assert second["mark"] != first["mark"]


# buttons


def test_run_now_adds_a_task_once_and_is_audited(anna: Browser, seeded: Seeded) -> None:
    def asked() -> int:
        with seeded.db.reading() as session:
            query = select(func.count()).where(Task.status == "pending", Task.asked_by == "anna")
            return session.scalar(query) or 0

    for _ in range(2):
        assert anna.post(tab(seeded, "run")).headers["Location"] == tab(seeded)
    assert asked() == 1
    assert "already waiting" in text(anna.get("/"))
    (note,) = audits(seeded, "ran")
    assert (note.person, note.kind, note.subject, note.subject_id) == ("anna", "profile", "Orders DE", seeded.profile)


def test_a_button_of_a_live_page_is_answered_with_what_to_say(anna: Browser, seeded: Seeded) -> None:
    fetched = {"X-Requested-With": "fetch"}
    first = anna.post(tab(seeded, "run"), {"back": "profiles"}, headers=fetched).get_json()
    assert first == {"said": "Orders DE runs as soon as it is free.", "tone": "good"}
    assert anna.post(tab(seeded, "run"), headers=fetched).get_json()["tone"] == "bad"
    assert "runs as soon" not in text(anna.get("/")), "nothing is left over for another page"


def test_a_running_task_is_asked_to_stop(anna: Browser, seeded: Seeded) -> None:
    anna.post(tab(seeded, f"{seeded.task}/stop"))
    with seeded.db.reading() as session:
        assert session.get_one(Task, seeded.task).stop_asked
    page = text(anna.get(tab(seeded)))
    assert "It ends after the current record." in page
    assert f"Stop task {seeded.task}" not in page
    (note,) = audits(seeded, "stopped")
    assert (note.kind, note.subject_id, note.subject) == ("task", seeded.task, f"Orders DE #{seeded.task}")


def test_a_task_that_has_ended_cannot_be_stopped_and_nothing_is_audited(anna: Browser, seeded: Seeded) -> None:
    change(seeded, status="success")
    answer = anna.post(tab(seeded, f"{seeded.task}/stop"), headers={"X-Requested-With": "fetch"})
    assert answer.get_json()["tone"] == "bad"
    assert audits(seeded, "stopped") == []


def test_a_task_is_run_again_with_what_it_was_asked_for(anna: Browser, seeded: Seeded) -> None:
    change(seeded, status="error", finished_at=now(), request={"order": "100000042"})
    anna.post(tab(seeded, f"{seeded.task}/again"))
    with seeded.db.reading() as session:
        made = session.scalars(select(Task).where(Task.status == "pending", Task.asked_by == "anna")).one()
    assert made.request == {"order": "100000042"}
    (note,) = audits(seeded, "ran again")
    assert note.after == {"task": made.id, "again": seeded.task, "order": "100000042"}


def test_only_a_finished_task_of_this_profile_is_run_again(anna: Browser, seeded: Seeded) -> None:
    answer = anna.post(tab(seeded, f"{seeded.task}/again"), headers={"X-Requested-With": "fetch"})
    assert answer.get_json() == {"said": f"Task {seeded.task} has not ended yet.", "tone": "bad"}
    assert anna.post(tab(seeded, "999/again")).status_code == 404
    with seeded.db.session() as session:
        old = session.get_one(Profile, seeded.profile)
        other = Profile(name="Other", entity="order", direction="export", from_id=old.from_id, to_id=old.to_id,
                        cron="* * * * *", created_at=now(), updated_at=now())  # fmt: skip
        session.add(other)
        session.flush()
        other_id = other.id
    assert anna.post(f"/profiles/{other_id}/schedule/1/again").status_code == 404


def test_a_dry_run_is_marked_as_one(anna: Browser, seeded: Seeded) -> None:
    change(seeded, request={"dry_run": True})
    assert text(anna.get(tab(seeded))).count("dry run") == 2


# the history


def test_the_history_names_a_worker_by_host_and_process(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.add(TaskHistory(profile_id=seeded.profile, task_id=1, status="processing", action="order_export",
                                message=f"Started by {me()}.", created_at=now(), performed_at=now()))  # fmt: skip
    page = text(anna.get(f"/profiles/{seeded.profile}/schedule-history/"))
    assert me() not in page
    assert re.search(r"Started by [\w.-]+ · process \d+\.", page)


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        ("shop-1.local:a6c2e0b1:4026531836:4711:1763712000.12", "shop-1.local · process 4711"),
        ("web:a6c2e0b1:0:9:1.50#thread-3", "web · process 9"),
        ("one", "one"),
        (None, ""),
    ],
)
def test_a_worker_is_told_as_people_read_it(worker: str | None, said: str) -> None:
    assert place(worker) == said


def test_other_colons_in_a_message_stay() -> None:
    for said in ("Order 1: no method.", "at 10:15:30", "http://127.0.0.1:9101/rest", "12:34:56:78"):
        assert plain(said) == said


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 13), ("?status=missed", 1), ("?text=slept", 0), ("?text=klarna", 0), ("?text=3+times", 1), ("?text=%25", 0),
     ("?text=MISSED", 1), ("?since=2999-01-01", 0), ("?status=error&text=failed", 1)],
)  # fmt: skip
def test_the_history_is_filtered(anna: Browser, seeded: Seeded, query: str, count: int) -> None:
    page = text(anna.get(f"/profiles/{seeded.profile}/schedule-history/{query}"))
    assert page.count('data-key="line-') == count
    assert ("Nothing matches" in page) is (count == 0)
    rows = anna.get(f"/profiles/{seeded.profile}/schedule-history/rows.json{query}").get_json()
    assert rows["html"].count('data-key="line-') == count


# all profiles


def test_the_schedule_of_all_shows_what_runs_comes_and_was_missed(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get("/schedule/"))
    assert "37 / 120" in page
    assert re.search(r">in \d min", page)
    assert "Missed 3 times while the host was not running." in page
    hours = re.search(r'class="hours"[^>]*aria-label="([^"]+)"', page)
    assert hours
    assert ": 4 runs" in hours[1]
    assert len(re.findall(r"<title>\d\d:\d\d: \d+ runs?</title>", page)) == 24


def test_it_says_whether_the_scheduler_runs_in_words_an_admin_knows(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(Heartbeat).values(host="web:a6c2e0b1:0:9:1.50", beat_at=now()))
    page = text(anna.get("/schedule/"))
    assert "The scheduler is running" in page
    assert "web · process 9" in page
    with seeded.db.session() as session:
        session.execute(update(Heartbeat).values(beat_at=now() - timedelta(minutes=5)))
    page = text(anna.get("/schedule/"))
    assert "The scheduler has stopped." in page
    assert "5 min. ago" in page or "5 min ago" in page
    assert "is running</span>" not in page
    with seeded.db.session() as session:
        session.execute(Heartbeat.__table__.delete())  # type: ignore[attr-defined]
    assert "The scheduler has not been started yet." in text(anna.get("/schedule/"))
    assert "tick" not in page


def test_past_runs_of_all_are_filtered_and_run_again_from_there(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get("/schedule/?status=error"))
    assert statuses(seeded, page) == ["error"]
    assert f"/profiles/{seeded.profile}/schedule/{ids(page)[0]}/again" in page
    assert "pending" not in statuses(seeded, text(anna.get("/schedule/?status=pending")))


def test_runs_of_the_next_hours_are_counted_per_hour(seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "now", lambda: datetime(2026, 3, 28, 12, 20, tzinfo=UTC))
    rows = [Profile(cron="*/15 * * * *", timezone="UTC"), Profile(cron="0 14 * * *", timezone="Europe/Berlin"),
            Profile(cron="broken", timezone="UTC")]  # fmt: skip
    hours, whole = schedule._hours(rows, "UTC")
    assert whole
    assert [hour.runs for hour in hours][:3] == [2, 5, 4]
    assert sum(hour.runs for hour in hours) == 2 + 23 * 4 + 1
    assert max(hour.tall for hour in hours) == 40


def test_hostile_messages_are_text_in_live_parts_too(anna: Browser, seeded: Seeded) -> None:
    change(seeded, status="error", message=HOSTILE, finished_at=now())
    for address in (tab(seeded, "rows.json"), "/schedule/rows.json", "/profiles/rows.json"):
        assert "<script>alert" not in anna.get(address).get_json()["html"]


def test_what_a_stopped_run_lacks_is_listed_by_setting_with_the_way_to_each(anna: Browser, seeded: Seeded) -> None:
    lacking = [
        f"payment method 'pay {at}' of store {store} is not mapped" for at in range(20) for store in ("de", "at")
    ]
    lacking += ["order status 'odd' of store de is not mapped", "and 7 more"]
    message = f"Nothing was sent: {'; '.join(lacking)}. Complete the settings of this profile and run it again."
    with seeded.db.session() as session:
        task = session.scalars(select(Task).where(Task.status == "error")).first()
        assert task is not None
        task.message = f"{message} Before that: 2 complete."
    for address in (f"/profiles/{seeded.profile}/schedule/", "/schedule/", "/"):
        page = text(anna.get(address))
        inside = page[page.index('<details class="stopped">') :]
        inside = inside[: inside.index("</details>")]
        assert "Nothing was sent: 21 things are missing in the settings." in inside
        assert inside.count("<a href=") == 2
        assert "#setting-payment_mapping" in inside
        assert "#setting-status_mapping" in inside
        assert "pay 0 (de, at), pay 1 (de, at)" in inside
        assert "Before that: 2 complete." in inside


def test_a_value_that_the_collected_list_lacks_is_one_thing_and_said_whole(anna: Browser, seeded: Seeded) -> None:
    unlisted = "is not in the collected list of PlentyONE's {}; choose another value, or collect the lists again"
    lacking = (
        f"9999 (setting 'default_shipping_profile') {unlisted.format('Shipping profiles')}",
        f"'odd' (setting 'payment_mapping, checkmo') {unlisted.format('Payment methods')}",
    )
    with seeded.db.session() as session:
        task = session.scalars(select(Task).where(Task.status == "error")).first()
        assert task is not None
        task.message = (
            f"Nothing was sent: {'; '.join(lacking)}. Complete the settings of this profile and run it again."
        )
    page = text(anna.get(f"/profiles/{seeded.profile}/schedule/"))
    inside = page[page.index('<details class="stopped">') :]
    inside = inside[: inside.index("</details>")]
    assert "Nothing was sent: 2 things are missing in the settings." in inside
    assert inside.count("<li>") == 2
    assert all(one in html.unescape(inside) for one in lacking)
