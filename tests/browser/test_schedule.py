"""The schedule in a browser: a real worker against the stand-ins, live without reload; focus, scrolling, lost hosts."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from profiles.db import now
from profiles.models import Heartbeat, Task, TaskHistory
from tests.admin.conftest import PASSWORD, Seeded
from tests.browser.conftest import Visitor
from tests.browser.test_profiles import tab_to
from tests.journey.conftest import ROOT, Host, StandIns


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A host as its users start it: pages, scheduler and workers in one process, slow stand-ins behind it."""
    stand_ins = StandIns(tmp_path, "--orders", "60", "--latency-ms", "120")
    host = Host(tmp_path, stand_ins)
    try:
        host.apply()
        command = [sys.executable, "-m", "admin", "user", "add", "anna", "--password-stdin"]
        subprocess.run(command, input=PASSWORD, env=host.environment, cwd=ROOT, text=True, check=True, timeout=60)
        with host.start("serve", "--port", "0") as process:
            try:
                assert process.stderr is not None
                address = ""
                for line in process.stderr:
                    if "http://" in line:
                        address = line[line.index("http://") :].split()[0].rstrip("/")
                        break
                assert address
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield address
            finally:
                process.terminate()
                process.wait(40)
    finally:
        stand_ins.close()


def running(page: Page) -> int:
    return int(page.locator(".run [role=progressbar]").get_attribute("aria-valuenow") or 0)


def test_a_run_is_started_watched_stopped_and_run_again_to_success(chromium: Browser, served: str) -> None:
    visitor = Visitor(chromium, served)
    try:
        page = visitor.login()
        page.goto("/profiles/")
        page.get_by_role("link", name="Order export").first.click()
        page.get_by_role("link", name="Schedule", exact=True).last.click()
        page.evaluate("window.same = true")
        page.get_by_role("button", name="Run now").click()
        expect(page.locator(".told")).to_contain_text("Order export runs as soon as it is free.")
        bar = page.locator(".run [role=progressbar]")
        expect(bar).to_be_visible(timeout=30_000)
        visitor.accessible()
        first = running(page)
        expect(bar).not_to_have_attribute("aria-valuenow", str(first), timeout=20_000)
        second = running(page)
        if second < first:  # reading was over, and sending has begun to count anew
            expect(bar).not_to_have_attribute("aria-valuenow", str(second), timeout=20_000)
            first = second
        assert running(page) > first
        page.locator(".run").get_by_role("button", name="Stop").click()
        expect(page.locator(".run")).to_contain_text("It ends after the current record.")
        row = page.locator("tr", has_text="It was stopped before its end.")
        expect(row).to_be_visible(timeout=30_000)
        expect(page.locator(".run")).to_have_count(0)
        row.get_by_role("button", name="Run task").click()
        done = page.locator("tbody tr").first
        expect(done.locator(".chip", has_text="success")).to_be_visible(timeout=90_000)
        expect(page.locator("main p[role=status]")).to_contain_text("ended: success.")
        assert page.evaluate("window.same"), "the page was never loaded again"
        page.get_by_role("link", name="Schedule history").click()
        expect(page.get_by_text("· process").first).to_be_visible()
        page.goto("/audit/")
        for action in ("ran again", "stopped", "ran"):
            expect(page.locator("main")).to_contain_text(action)
        visitor.quiet()
    finally:
        visitor.context.close()


def progress(seeded: Seeded, done: int) -> None:
    with seeded.db.session() as session:
        values = {"counts": {"done": done, "total": 120, "counts": {"complete": done}}}
        session.execute(update(Task).where(Task.id == seeded.task).values(**values))


def test_only_what_changed_is_drawn_again_so_focus_and_scrolling_stay(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/schedule/")
    again = page.get_by_role("button", name="Run task 3 again")
    tab_to(page, again)
    again.evaluate("it => { window.button = it; window.row = it.closest('tr'); }")
    table = page.locator("[data-keep]")
    table.evaluate("it => { it.scrollTop = 40; }")
    scrolled = table.evaluate("it => it.scrollTop")
    progress(seeded, 99)
    expect(page.locator(".run")).to_contain_text("99 / 120")
    with seeded.db.session() as session:
        due = now()
        session.add(Task(profile_id=seeded.profile, status="missed", job_code="order_export", created_at=due,
                         scheduled_at=due, message="A new row above."))  # fmt: skip
    expect(page.get_by_text("A new row above.")).to_be_visible()
    expect(again).to_be_focused()
    assert page.evaluate("window.button === document.activeElement")
    assert page.evaluate("window.row.isConnected && window.row.dataset.key === 'task-3'")
    assert table.evaluate("it => it.scrollTop") == scrolled


def test_a_message_that_was_opened_stays_open(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/schedule/")
    message = page.locator(".message", has_text="2 of 5 orders failed").first
    message.click()
    progress(seeded, 80)
    expect(page.locator(".run")).to_contain_text("80 / 120")
    expect(message).to_have_class("message open")


def test_a_screen_reader_hears_every_ten_percent_and_the_end(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/schedule/")
    heard = page.locator("main > p[role=status]")
    progress(seeded, 38)
    expect(page.locator(".run")).to_contain_text("38 / 120")
    expect(heard).to_have_text("")
    progress(seeded, 60)
    expect(heard).to_have_text(f"Task {seeded.task} is running, 50 % done.")
    with seeded.db.session() as session:
        values = {"status": "success", "finished_at": now()}
        session.execute(update(Task).where(Task.id == seeded.task).values(**values))
    expect(heard).to_have_text(f"Task {seeded.task} ended: success.")


def test_a_lost_host_is_said_and_its_return_seen(anna: Visitor, seeded: Seeded) -> None:
    anna.allowed += ["ERR_INTERNET_DISCONNECTED"]
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/schedule/")
    banner = page.get_by_text("The connection to the host is lost")
    expect(banner).to_be_hidden()
    anna.context.set_offline(True)
    expect(banner).to_be_visible()
    progress(seeded, 77)
    anna.context.set_offline(False)
    expect(banner).to_be_hidden()
    expect(page.locator(".run")).to_contain_text("77 / 120")


def test_filters_of_the_history_keep_each_other_and_new_lines_arrive(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/schedule-history/")
    page.get_by_label("Words of the message").fill("times")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="missed", exact=True).click()
    expect(page.get_by_label("Words of the message")).to_have_value("times")
    with seeded.db.session() as session:
        session.add(TaskHistory(profile_id=seeded.profile, task_id=1, status="missed", action="order_export",
                                message="Missed 9 times.", created_at=now(), performed_at=now()))  # fmt: skip
    expect(page.get_by_text("Missed 9 times.")).to_be_visible(timeout=12_000)
    page.get_by_role("link", name="error", exact=True).click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()


def test_the_schedule_of_all_tells_when_the_scheduler_stops(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    page.goto("/schedule/")
    with seeded.db.session() as session:
        session.execute(update(Heartbeat).values(beat_at=now()))
    expect(page.get_by_text("The scheduler is running")).to_be_visible()
    anna.accessible()
    with seeded.db.session() as session:
        session.execute(Heartbeat.__table__.delete())  # type: ignore[attr-defined]
    expect(page.get_by_text("The scheduler has not been started yet.")).to_be_visible()
    page.locator(".run").get_by_role("button", name="Stop").click()
    expect(page.locator(".run")).to_contain_text("is stopping")
