"""The tab *Schedule*: the tasks of a profile, Run now, Stop, and the live refresh."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin import derive
from admin.views.base import by, expose
from admin.views.frame import ProfilePage
from admin.views.listing import Listing, fetch
from admin.views.words import _
from profiles.models import Task, TaskStatus
from scheduler import tasks

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
    Task.stop_asked,
)


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
        try:
            with self.database.session() as session:
                profile = self.show(session, profile_id).profile
                tasks.ask(session, profile, by())
        except tasks.AlreadyWaiting as error:
            flash(str(error), "bad")
        else:
            flash(
                _("{name} runs as soon as it is free. The tab Schedule shows how it goes.", name=profile.name), "good"
            )
        if request.form.get("back") == "profiles":
            return redirect(url_for("profiles.index"))
        return redirect(url_for(".index", profile_id=profile_id))

    @expose("/<int:task_id>/stop", methods=["POST"])
    def stop(self, profile_id: int, task_id: int) -> ResponseReturnValue:
        with self.database.session() as session:
            mine = session.scalar(select(Task.id).where(Task.id == task_id, Task.profile_id == profile_id))
            stopped = mine is not None and tasks.stop(session, task_id, by())
        if stopped:
            flash(_("Task {id} ends after the record it is working on.", id=task_id), "good")
        else:
            flash(_("Task {id} can no longer be stopped.", id=task_id), "bad")
        return redirect(url_for(".index", profile_id=profile_id))

    def _answer(self, template: str, profile_id: int) -> str:
        status = request.args.get("status", "")
        query = select(*FIELDS).where(Task.profile_id == profile_id)
        if status in set(TaskStatus):
            query = query.where(Task.status == status)
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            listing = fetch(session, query, (Task.id.expression,))
        return self.render(
            template,
            shown=shown,
            listing=listing,
            columns=derive.task_columns(),
            rows=rows_of(listing),
            statuses=list(TaskStatus),
            filters={"status": status},
        )


def rows_of(listing: Listing) -> list[dict[str, Any]]:
    return [{**row, "progress": progress(row["counts"] or {})} for row in listing.rows]


def progress(counts: dict[str, Any]) -> tuple[int, int] | None:
    """How far a running task is: (done, of how many); None while nobody knows."""
    done, total = counts.get("done"), counts.get("total")
    return (done, total) if isinstance(done, int) and isinstance(total, int) and total > 0 else None
