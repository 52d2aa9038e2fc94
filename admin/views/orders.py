"""Where is order 100000123? The search over all profiles, and the whole answer on one page."""

from __future__ import annotations

from heapq import merge
from itertools import islice
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from admin.views.base import by, expose, ids
from admin.views.frame import ProfilePage
from admin.views.listing import PAGE_SIZE, fetch, starts_with
from admin.views.records import ACTIONS, FIELDS, told
from admin.views.words import _
from profiles import history
from profiles.models import Profile, SyncRecord, SyncStatus

MOST_FOUND = 100


class Orders(ProfilePage):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        text, status = request.args.get("q", "").strip()[:128], request.args.get("status", "")
        listing = None
        with self.database.reading() as session:
            profiles = {row.id: row for row in session.scalars(select(Profile))}
            if text:
                rows = find(session, text)
                if len(rows) == 1 and not status:
                    return redirect(url_for(".record", record_id=rows[0]["id"]))
            elif status in set(SyncStatus):
                rows = newest_of(session, list(profiles), status)
            else:
                listing = fetch(session, select(*FIELDS), (SyncRecord.id.expression,))
                rows = list(listing.rows)
        return self.render(
            "orders.html",
            rows=rows,
            listing=listing,
            profiles=profiles,
            statuses=list(SyncStatus),
            filters={"q": text, "status": status},
            most=MOST_FOUND,
        )

    @expose("/<int:record_id>/")
    def record(self, record_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            record = session.get(SyncRecord, record_id)
            if record is None:
                abort(404)
            shown = self.show(session, record.profile_id)
            story = history.story(session, record)
            number = record.source_number
            same = select(SyncRecord).where(SyncRecord.source_number == number).limit(MOST_FOUND)
            others = session.scalars(same).all() if number else []
            refs = _refs(shown.declared.refs if shown.declared else (), record.refs or {})
            return self.render(
                "order.html",
                shown=shown,
                record=record,
                story=story,
                refs=refs,
                missing=[label for label, value in refs if value in (None, "")],
                others=[
                    (other, session.get_one(Profile, other.profile_id)) for other in others if other.id != record.id
                ],
            )

    @expose("/act", methods=["POST"])
    def act(self) -> ResponseReturnValue:
        action, chosen = ACTIONS.get(request.form.get("action", "")), ids()
        if action is None or len(chosen) != 1:
            abort(400)
        do, said = action
        with self.database.session() as session:
            moved = do(session, chosen, by())
        flash(
            told(moved, 1, _(said)) if moved else _("The order's state does not allow it."), "good" if moved else "bad"
        )
        return redirect(url_for(".record", record_id=chosen[0]))


def find(session: Session, text: str) -> list[Any]:
    """Records with this number, id or target id in any profile; those that begin with it where none has it."""
    record = SyncRecord
    exact = or_(
        record.source_number == text,
        record.target_id == text,
        record.profile_id.in_(select(Profile.id)) & (record.source_id == text),
    )
    near = starts_with(record.source_number.expression, text)
    for condition, order in ((exact, record.id.desc()), (near, record.source_number)):
        query = select(*FIELDS).where(condition).order_by(order).limit(MOST_FOUND)
        if rows := [dict(row) for row in session.execute(query).mappings()]:
            return rows
    return []


def newest_of(session: Session, profile_ids: list[int], status: str) -> list[Any]:
    """The newest records of a status over all profiles, read profile by profile as the index has them."""
    lists = []
    for profile_id in profile_ids:
        query = select(*FIELDS).where(SyncRecord.profile_id == profile_id, SyncRecord.status == status)
        found = session.execute(query.order_by(SyncRecord.id.desc()).limit(PAGE_SIZE)).mappings()
        lists.append([dict(row) for row in found])
    return list(islice(merge(*lists, key=lambda row: -row["id"]), PAGE_SIZE))


def _refs(declared: Any, known: dict[str, Any]) -> list[tuple[str, Any]]:
    """Each declared id with its value, then those that were kept by another version."""
    named = {ref.key: ref.label for ref in declared}
    rest = [(key.replace("_", " "), value) for key, value in known.items() if key not in named and value]
    return [(label, known.get(key)) for key, label in named.items()] + rest
