"""The tab *Schedule history*: what happened to tasks, line by line, live."""

from __future__ import annotations

import hashlib

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin import derive
from admin.views.base import expose
from admin.views.frame import ProfilePage
from admin.views.listing import clean, fetch, says
from admin.views.tasks import IN_ORDER, span_asked, status_asked
from admin.views.workers import plain
from profiles.models import TaskHistory


class TaskHistories(ProfilePage):
    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        return self._answer("profile/task_history.html", profile_id)

    @expose("/rows.json")
    def rows(self, profile_id: int) -> ResponseReturnValue:
        """The lines as they are now, for the page that shows them."""
        html = self._answer("profile/task_history_table.html", profile_id)
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    def _answer(self, template: str, profile_id: int) -> str:
        line = TaskHistory
        query = select(
            line.id, line.task_id, line.status, line.action, line.message, line.created_at, line.performed_at
        ).where(line.profile_id == profile_id)
        status, text = status_asked(), clean(request.args.get("text"))
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            span = span_asked(shown.profile.timezone)
            looked_for = []
            if status:
                looked_for.append(line.status == status)
            if text:
                looked_for.append(says(line.message.expression, text))
            if span.start is not None:
                looked_for.append(line.performed_at >= span.start)
            if span.end is not None:
                looked_for.append(line.performed_at < span.end)
            listing = fetch(session, query, (line.id.expression,), residual=looked_for)
        return self.render(
            template,
            shown=shown,
            listing=listing,
            columns=derive.task_history_columns(),
            rows=[{**row, "message": plain(row["message"])} for row in listing.rows],
            statuses=IN_ORDER,
            filters={"status": status, "text": text, "since": span.since, "until": span.until},
            filtered=bool(looked_for),
        )
