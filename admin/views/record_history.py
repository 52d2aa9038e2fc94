"""The tab *Order synchronisation history*: each action on a record, newest first."""

from __future__ import annotations

from flask import request
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select

from admin import derive
from admin.views.base import expose
from admin.views.frame import ProfilePage
from admin.views.listing import fetch, like, newest_only
from profiles.models import SyncHistory, SyncRecord, SyncStatus


class RecordHistory(ProfilePage):
    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        status, text = request.args.get("status", ""), request.args.get("q", "").strip()[:128]
        line = SyncHistory
        query = select(
            line.id,
            line.record_id,
            line.source_id,
            line.source_number,
            line.target_id,
            line.status,
            line.direction,
            line.message,
            line.created_at,
        ).where(line.profile_id == profile_id)
        bounded = False
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            if text:
                named = or_(
                    SyncRecord.source_number == text, SyncRecord.target_id == text, SyncRecord.source_id == text
                )
                mine = session.scalars(select(SyncRecord.id).where(SyncRecord.profile_id == profile_id, named)).all()
                if mine:
                    query = query.where(line.record_id.in_(mine))
                else:
                    bounded = True
            if bounded or (status and not text):  # no index leads to these: look at the newest lines only
                query = newest_only(session, query, line.id.expression)
            if bounded:
                query = query.where(line.message.ilike(like(text), escape="!"))
            if status in set(SyncStatus):
                query = query.where(line.status == status)
            listing = fetch(session, query, (line.id.expression,))
        return self.render(
            "profile/record_history.html",
            shown=shown,
            listing=listing,
            columns=derive.history_columns(shown.entity, shown.key_label),
            rows=[{**row, "number": row["source_number"] or row["source_id"]} for row in listing.rows],
            statuses=list(SyncStatus),
            filters={"status": status, "q": text},
            bounded=bounded,
        )
