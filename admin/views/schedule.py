"""All tasks of all profiles: what is due, what runs, what ran."""

from __future__ import annotations

import hashlib

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from admin.views.base import View, expose
from admin.views.dashboard import clock
from admin.views.listing import fetch, newest_only
from admin.views.tasks import FIELDS, rows_of
from profiles.models import Profile, Task, TaskStatus


class Schedule(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._answer("schedule.html")

    @expose("/rows.json")
    def rows(self) -> ResponseReturnValue:
        html = self._answer("schedule_table.html")
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    def _answer(self, template: str) -> str:
        status = request.args.get("status", "")
        query = select(*FIELDS)
        with self.database.reading() as session:
            profiles = {row.id: row for row in session.scalars(select(Profile))}
            if status in set(TaskStatus):
                query = newest_only(session, query, Task.id.expression).where(Task.status == status)
            listing = fetch(session, query, (Task.id.expression,))
            pulse = clock(session)
        return self.render(
            template,
            listing=listing,
            rows=rows_of(listing),
            profiles=profiles,
            statuses=list(TaskStatus),
            filters={"status": status},
            clock=pulse,
        )
