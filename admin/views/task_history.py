"""The tab *Schedule history*: what happened to tasks, line by line."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin import derive
from admin.views.base import expose
from admin.views.frame import ProfilePage
from admin.views.listing import fetch, newest_only
from profiles.models import TaskHistory, TaskStatus


class TaskHistories(ProfilePage):
    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        status, line = request.args.get("status", ""), TaskHistory
        query = select(
            line.id, line.task_id, line.status, line.action, line.message, line.created_at, line.performed_at
        ).where(line.profile_id == profile_id)
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if status in set(TaskStatus):
                query = newest_only(session, query, line.id.expression).where(line.status == status)
            listing = fetch(session, query, (line.id.expression,))
        return self.render(
            "profile/task_history.html",
            shown=shown,
            listing=listing,
            columns=derive.task_history_columns(),
            rows=listing.rows,
            statuses=list(TaskStatus),
            filters={"status": status},
        )
