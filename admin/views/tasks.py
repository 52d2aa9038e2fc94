"""The tab *Schedule*: the tasks of a profile, Run now, Stop, Run again, and the live refresh."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from babel.dates import format_timedelta
from flask import abort, jsonify, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin import derive
from admin.audit import note
from admin.views.acts import answered
from admin.views.base import by, expose
from admin.views.frame import ProfilePage
from admin.views.listing import fetch
from admin.views.present import STATUSES, zone
from admin.views.stops import find as find_stops
from admin.views.words import _, later, locale, told
from admin.views.workers import plain
from profiles.db import now
from profiles.models import Profile, Task, TaskStatus
from scheduler import tasks
from scheduler.rows import PENDING, PROCESSING

# as a run goes through them, its trouble last
IN_ORDER = (
    TaskStatus.PENDING,
    TaskStatus.PROCESSING,
    TaskStatus.SUCCESS,
    TaskStatus.ERROR,
    TaskStatus.MISSED,
)

FIELDS = (
    Task.id,
    Task.profile_id,
    Task.status,
    Task.job_code,
    Task.asked_by,
    Task.created_at,
    Task.scheduled_at,
    Task.executed_at,
    Task.finished_at,
    Task.message,
    Task.counts,
    Task.request,
    Task.stop_asked,
    Task.worker,
)
PAST = (TaskStatus.SUCCESS, TaskStatus.ERROR, TaskStatus.MISSED)
TELLING = timedelta(seconds=3)  # so long a run must have worked before its pace says anything

# what the scheduler writes on tasks and into their history, for the translators (`told` finds these patterns again)
_SENTENCES = (
    later("Asked for by {person}."),
    later("Started by {worker}."),
    later("Planned for {time}."),
    later("Moved from {before} to {after}: the line is now {line}."),
    later("No longer planned: the profile is inactive."),
    later("No longer planned: planned twice."),
    later("The profile was still running."),
    later("The profile was still running (task {id}, since {time})."),
    later("The run due at {time} was still waiting for its turn."),
    later("It waited for a free worker, then nothing ran for too long."),
    later("{person} asked for it, but nothing ran for too long after that. Ask again."),
    later("It cannot be planned: {problem}"),
    later("Slept through 1 time, at {time}: nothing ran then. Next run {next}."),
    later("Slept through {number} times, from {first} to {last}: nothing ran then. Next run {next}."),
    later("Slept through {number} times, from {first}: nothing ran then. Next run {next}."),
    later("{person} asked it to stop."),
    later("Withdrawn by {person} before it began."),
    later("Its worker died."),
    later("Its worker died: no sign of life for {n} s."),
    later("Its worker died ({worker})."),
    later("It was interrupted."),
    later("It broke off unexpectedly ({kind}); the log of the host says where."),
    later("It was stopped before its end."),
    later(
        "Profile {name} is already waiting to be run: {person} asked for it at {time} UTC (task {id})."
    ),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Span:
    """The days that a list is narrowed to, as given, and as instants of the profile's zone."""

    since: str = ""
    until: str = ""
    start: datetime | None = None
    end: datetime | None = None

    def narrow(self, query: Any, moment: Any) -> Any:
        if self.start is not None:
            query = query.where(moment >= self.start)
        return query.where(moment < self.end) if self.end is not None else query


class Tasks(ProfilePage):
    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        return self._answer("profile/tasks.html", profile_id)

    @expose("/rows.json")
    def rows(self, profile_id: int) -> ResponseReturnValue:
        """The table as it is now, for the page that shows it; `mark` changes with it."""
        html = self._answer("profile/tasks_table.html", profile_id)
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    @expose("/run", methods=["POST"])
    def run(self, profile_id: int) -> ResponseReturnValue:
        address = url_for(".index", profile_id=profile_id)
        if request.form.get("back") == "profiles":
            address = url_for("profiles.index")
        with self.database.session() as session:
            profile = self.show(session, profile_id).profile
            said, good = ask(session, profile, {})
        return answered(said, address, good=good)

    @expose("/<int:task_id>/again", methods=["POST"])
    def again(self, profile_id: int, task_id: int) -> ResponseReturnValue:
        """A new task that asks for what the finished one was asked for."""
        with self.database.session() as session:
            profile = self.show(session, profile_id).profile
            query = select(Task).where(Task.id == task_id, Task.profile_id == profile_id)
            old = session.scalar(query)
            if old is None:
                abort(404)
            if old.status not in PAST:
                said, good = _("Task {id} has not ended yet.", id=task_id), False
            else:
                said, good = ask(session, profile, old.request or {}, again=task_id)
        return answered(said, url_for(".index", profile_id=profile_id), good=good)

    @expose("/<int:task_id>/stop", methods=["POST"])
    def stop(self, profile_id: int, task_id: int) -> ResponseReturnValue:
        with self.database.session() as session:
            mine = session.execute(
                select(Task.id, Task.status, Profile.name)
                .join(Profile, Profile.id == Task.profile_id)
                .where(Task.id == task_id, Task.profile_id == profile_id)
            ).first()
            stopped = mine is not None and tasks.stop(session, task_id, by())
            if mine is not None and stopped:
                note(session, by(), "stopped", "task", f"{mine.name} #{task_id}", subject_id=task_id)
        if not stopped:
            said = _("Task {id} can no longer be stopped.", id=task_id)
        elif mine is not None and mine.status == TaskStatus.PENDING:
            said = _("Task {id} was withdrawn before it began.", id=task_id)
        else:
            said = _("Task {id} ends after the record it is working on.", id=task_id)
        return answered(said, url_for(".index", profile_id=profile_id), good=stopped)

    def _answer(self, template: str, profile_id: int) -> str:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            status, span = status_asked(), span_asked(shown.profile.timezone)
            base = span.narrow(select(*FIELDS).where(Task.profile_id == profile_id), Task.scheduled_at)
            running = lines(session.execute(base.where(PROCESSING)).mappings().all())
            coming = lines(session.execute(base.where(PENDING).order_by(Task.scheduled_at)).mappings().all())
            looked_for = [Task.status == status] if status in PAST else []
            past = base.where(Task.status.in_(PAST))
            listing = fetch(session, past, (Task.scheduled_at.expression,), residual=looked_for)
            ended = session.scalar(
                select(Task)
                .where(Task.profile_id == profile_id, Task.status.in_((TaskStatus.SUCCESS, TaskStatus.ERROR)))
                .order_by(Task.scheduled_at.desc())
                .limit(1)
            )
            stops = find_stops(session, [*running, *coming, *lines(listing.rows)])
        first = listing.first is None
        rows = [
            *(running if first and status in ("", TaskStatus.PROCESSING) else []),
            *(coming if first and status in ("", TaskStatus.PENDING) else []),
            *(lines(listing.rows) if status not in (TaskStatus.PROCESSING, TaskStatus.PENDING) else []),
        ]
        return self.render(
            template,
            shown=shown,
            listing=listing,
            columns=derive.task_columns(),
            rows=rows,
            stops=stops,
            running=running[0] if running else None,
            coming=coming[0] if coming else None,
            said=announced(running, ended),
            paged=status not in (TaskStatus.PROCESSING, TaskStatus.PENDING),
            statuses=IN_ORDER,
            filters={"status": status, "since": span.since, "until": span.until},
        )


def ask(session: Session, profile: Profile, wanted: Mapping[str, Any], again: int | None = None) -> tuple[str, bool]:
    """Run now: what to say, and whether it was accepted."""
    try:
        asked = tasks.ask(session, profile, by(), wanted)
    except tasks.AlreadyWaiting as error:
        return told(str(error)), False
    after = {**({"again": again} if again else {}), **wanted}
    action = "ran again" if again else "ran"
    note(session, by(), action, "profile", profile.name, subject_id=profile.id, after={"task": asked.id, **after})
    return _("{name} runs as soon as it is free.", name=profile.name), True


def status_asked() -> str:
    given = request.args.get("status", "")
    return given if given in set(TaskStatus) else ""


def span_asked(timezone: str) -> Span:
    """The days of the address; what is no day is no limit."""
    days: dict[str, date] = {}
    for name in ("since", "until"):
        try:
            days[name] = date.fromisoformat(request.args.get(name, ""))
        except ValueError:
            continue
    try:
        return Span(
            since=days["since"].isoformat() if "since" in days else "",
            until=days["until"].isoformat() if "until" in days else "",
            start=_midnight(days.get("since"), timezone),
            end=_midnight(days["until"] + timedelta(days=1), timezone) if "until" in days else None,
        )
    except OverflowError:
        return Span()


def _midnight(day: date | None, timezone: str) -> datetime | None:
    if day is None or not 1970 <= day.year <= 9000:
        return None
    return datetime.combine(day, time(), zone(timezone))


def lines(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Tasks as their table shows them."""
    made = []
    for row in rows:
        counts = row["counts"] or {}
        made.append(
            {
                **row,
                "message": plain(row["message"]),
                "progress": progress(counts),
                "tally": tally(counts),
                "left": left(row) if row["status"] == TaskStatus.PROCESSING else "",
                "dry": bool((row["request"] or {}).get("dry_run")),
            }
        )
    return made


def progress(counts: Mapping[str, Any]) -> tuple[int, int] | None:
    """How far a running task is: (done, of how many); None while nobody knows."""
    done, total = counts.get("done"), counts.get("total")
    return (min(done, total), total) if isinstance(done, int) and isinstance(total, int) and total > 0 else None


def tally(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """How many records had which outcome so far, in the order of the statuses."""
    found = counts.get("counts")
    given = found if isinstance(found, Mapping) else {}
    return [(status, many) for status in STATUSES if isinstance(many := given.get(status), int) and many]


def left(row: Mapping[str, Any]) -> str:
    """How long it will still take at the pace so far, as people say it; empty while nobody can know."""
    known, began = progress(row["counts"] or {}), row["executed_at"]
    if known is None or began is None or not 0 < known[0] < known[1]:
        return ""
    worked = now() - began
    if worked < TELLING:
        return ""
    seconds = worked.total_seconds() / known[0] * (known[1] - known[0])
    if seconds < 10:
        return _("a few seconds left")
    rounded = timedelta(seconds=round(seconds, -1))
    return _("about {time} left", time=format_timedelta(rounded, threshold=1.5, locale=locale()))


def announced(running: Sequence[Mapping[str, Any]], ended: Task | None) -> str:
    """What a screen reader is told: in steps of ten percent, and how it ended."""
    if running:
        known = running[0]["progress"]
        if known is None:
            return _("Task {id} is running.", id=running[0]["id"])
        return _("Task {id} is running, {percent} % done.", id=running[0]["id"], percent=10 * known[0] // known[1] * 10)
    if ended is None:
        return ""
    return _("Task {id} ended: {status}.", id=ended.id, status=_(ended.status))
