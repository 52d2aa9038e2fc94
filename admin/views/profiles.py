"""The list of profiles: what runs, when next, what came of it."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from admin.views import cron
from admin.views.base import View, expose
from admin.views.frame import entity_word
from admin.views.listing import MOST_COUNTED
from profiles.models import Connection, Profile, SyncRecord, SyncStatus, Task, TaskStatus


class Profiles(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        with self.database.reading() as session:
            rows = overview(session)
        return self.render("profiles.html", rows=rows)

    @expose("/cron.json")
    def cron(self) -> ResponseReturnValue:
        """What a line means, asked by forms while it is typed."""
        return jsonify(cron.preview(request.args.get("cron", ""), request.args.get("timezone") or "UTC"))


def overview(session: Session) -> list[dict[str, Any]]:
    source, target = aliased(Connection), aliased(Connection)
    found = session.execute(
        select(Profile, source.name, target.name)
        .join(source, source.id == Profile.from_id)
        .join(target, target.id == Profile.to_id)
        .order_by(Profile.name)
    ).all()
    return [
        {
            "profile": profile,
            "entity": entity_word(profile.entity),
            "source": came_from,
            "target": goes_to,
            "words": cron.words(profile.cron),
            "next": _next(session, profile.id),
            "last": _last(session, profile.id),
            "failed": failed_now(session, profile.id),
        }
        for profile, came_from, goes_to in found
    ]


def _next(session: Session, profile_id: int) -> Task | None:
    mine = select(Task).where(Task.profile_id == profile_id)
    running = session.scalar(mine.where(Task.status == TaskStatus.PROCESSING))
    if running is not None:
        return running
    return session.scalar(mine.where(Task.status == TaskStatus.PENDING).order_by(Task.scheduled_at).limit(1))


def _last(session: Session, profile_id: int) -> Task | None:
    done = (TaskStatus.SUCCESS, TaskStatus.ERROR, TaskStatus.MISSED)
    query = select(Task).where(Task.profile_id == profile_id, Task.status.in_(done))
    return session.scalar(query.order_by(Task.id.desc()).limit(1))


def failed_now(session: Session, profile_id: int) -> int:
    """How many records wait for a person; counting stops after MOST_COUNTED."""
    failed = select(SyncRecord.id).where(SyncRecord.profile_id == profile_id, SyncRecord.status == SyncStatus.FAILED)
    return session.scalar(select(func.count()).select_from(failed.limit(MOST_COUNTED).subquery())) or 0
