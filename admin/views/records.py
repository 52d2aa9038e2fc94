"""The tab *Order synchronisation*: the state of every record of a profile, and what people do with chosen ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from admin import derive
from admin.views.base import by, expose, ids
from admin.views.frame import ProfilePage, Shown
from admin.views.listing import fetch, like, newest_only, starts_with
from admin.views.words import _
from profiles import history
from profiles.models import SyncRecord, SyncStatus

ACTIONS = {
    "retry": (history.retry, "to be retried"),
    "put_back": (history.put_back, "put back to pending"),
    "skip": (history.skip, "skipped"),
}

MOST_FOUND = 1000  # a search shows no more

FIELDS = (
    SyncRecord.id,
    SyncRecord.profile_id,
    SyncRecord.source_id,
    SyncRecord.source_number,
    SyncRecord.target_id,
    SyncRecord.customer,
    SyncRecord.status,
    SyncRecord.refs,
    SyncRecord.message,
    SyncRecord.amount,
    SyncRecord.attempts,
    SyncRecord.created_at,
    SyncRecord.updated_at,
    SyncRecord.processed_at,
)


class Records(ProfilePage):
    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        status, text = request.args.get("status", ""), request.args.get("q", "").strip()[:128]
        cause = request.args.get("cause", "")
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            query = select(*FIELDS).where(SyncRecord.profile_id == profile_id)
            keys: tuple[ColumnElement[Any], ...] = (SyncRecord.updated_at.expression, SyncRecord.id.expression)
            if status in set(SyncStatus):
                query = query.where(SyncRecord.status == status)
                keys = (SyncRecord.id.expression,)
            if cause:
                query = query.where(SyncRecord.cause == cause)
            bounded = False
            if text:
                query, bounded = matching(session, query, profile_id, text)
            listing = fetch(session, query, keys)
        refs = shown.declared.refs if shown.declared else ()
        key_ref = shown.declared.target.key_ref if shown.declared else ""
        return self.render(
            "profile/records.html",
            shown=shown,
            listing=listing,
            columns=derive.record_columns(shown.entity, refs, key_ref),
            rows=[row_of(row, key_ref) for row in listing.rows],
            statuses=list(SyncStatus),
            filters={"status": status, "q": text, "cause": cause},
            bounded=bounded,
        )

    @expose("/act", methods=["POST"])
    def act(self, profile_id: int) -> ResponseReturnValue:
        action = ACTIONS.get(request.form.get("action", ""))
        chosen = ids()
        if action is None:
            abort(400)
        do, said = action
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            mine = select(SyncRecord.id).where(SyncRecord.id.in_(chosen), SyncRecord.profile_id == profile_id)
            moved = do(session, list(session.scalars(mine)), by())
        flash(told(moved, len(chosen), _(said), shown), "good" if moved else "bad")
        back: dict[str, Any] = {
            key: value for key, value in request.args.items() if key in ("status", "q", "cause", "before", "after")
        }
        return redirect(url_for(".index", profile_id=profile_id, **back))


def told(moved: int, asked: int, said: str, shown: Shown | None = None) -> str:
    if not asked:
        return _("Nothing was chosen.")
    what = _("{moved} of {asked} {said}.", moved=moved, asked=asked, said=said)
    return what if moved == asked else f"{what} " + _("The others are in a state that does not allow it.")


def matching(
    session: Session, query: Select[*tuple[Any, ...]], profile_id: int, text: str
) -> tuple[Select[*tuple[Any, ...]], bool]:
    """By number, source id or target id, which indexes serve; else by words of the message among the newest rows.

    The ids are looked up first: sorted by time at once, a database would rather walk through the whole profile. The
    second value says whether the search was bounded to the newest.
    """
    record = SyncRecord
    mine = select(record.id).where(record.profile_id == profile_id)
    # "+ 0" keeps the database from walking through the profile instead of using the index of the number
    numbered = select(record.id).where(record.profile_id + 0 == profile_id)
    for named in (
        numbered.where(record.source_number == text),
        numbered.where(record.target_id == text),
        mine.where(record.source_id == text),
        numbered.where(starts_with(record.source_number.expression, text)),
    ):
        if found := session.scalars(named.limit(MOST_FOUND)).all():
            return query.where(record.id.in_(found)), False
    newest = newest_only(session, mine, record.updated_at.expression)
    words = newest.where(record.message.ilike(like(text), escape="!")).order_by(record.updated_at.desc())
    return query.where(record.id.in_(session.scalars(words.limit(MOST_FOUND)).all())), True


def row_of(row: Mapping[str, Any], key_ref: str) -> dict[str, Any]:
    """A record as the tab's columns name its values."""
    refs = {f"ref:{key}": value for key, value in (row["refs"] or {}).items()}
    if row["target_id"] and not refs.get(f"ref:{key_ref}"):
        refs[f"ref:{key_ref}"] = row["target_id"]
    return {**row, **refs, "number": row["source_number"] or row["source_id"], "record_id": row["id"]}
