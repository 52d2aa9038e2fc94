"""The tab *Order synchronisation*: the state of every record of a profile, and what people do with chosen ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape
from sqlalchemy import func, literal_column, select
from sqlalchemy.orm import Session

from admin import derive
from admin.audit import note
from admin.views import advice
from admin.views.base import by, expose, ids
from admin.views.criteria import FAILED, TIMES, Plan, Wanted, plan, wanted
from admin.views.export import csv_of
from admin.views.frame import ProfilePage, Shown
from admin.views.listing import MOST_COUNTED, Column, fetch, route, walk
from admin.views.present import when
from admin.views.saved import Saved, Trouble
from admin.views.words import _, later, n_
from profiles import history
from profiles.db import now
from profiles.models import Profile, SyncRecord, SyncStatus, Task, TaskStatus
from scheduler import tasks

ACTIONS = {"retry": history.retry, "put_back": history.put_back, "skip": history.skip}
# what the history says of them, for the translators
_MOVED = (
    later("Put back to pending by {person}."),
    later("To be retried by {person}."),
    later("Skipped by {person}."),
)
ALLOWED = {"retry": history.UNSENT, "put_back": history.IDLE, "skip": history.UNDONE}  # in these statuses
DONE_WORDS = {"retry": "retried", "put_back": "put back", "skip": "skipped"}  # as the audit says it
NAMED = 20  # numbers of records that the audit names
MOST_CAUSES = 40
MOST_FAILED = 999  # counted for the button of the failed

FIELDS = (
    SyncRecord.id,
    SyncRecord.profile_id,
    SyncRecord.source_id,
    SyncRecord.source_number,
    SyncRecord.kind,
    SyncRecord.target_id,
    SyncRecord.customer,
    SyncRecord.status,
    SyncRecord.refs,
    SyncRecord.message,
    SyncRecord.amount,
    SyncRecord.attempts,
    SyncRecord.store,
    SyncRecord.source_status,
    SyncRecord.source_created_at,
    SyncRecord.next_attempt_at,
    SyncRecord.created_at,
    SyncRecord.updated_at,
    SyncRecord.processed_at,
)


class Records(Saved, ProfilePage):
    def page(self, *, profile_id: int) -> str:
        return f"records:{profile_id}"

    @expose("/")
    def index(self, profile_id: int) -> ResponseReturnValue:
        return self.begin(self.page(profile_id=profile_id)) or self._answer(profile_id=profile_id)

    def _answer(self, trouble: Trouble = Trouble(), *, profile_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            asked = wanted(request.args, shown.profile.timezone)
            way = plan(session, FIELDS, profile_id, asked, key_ref(shown))
            listing = fetch(session, way.query, way.keys, ascending=way.ascending, residual=way.residual)
            kept = self.kept(session, self.page(profile_id=profile_id), *all_columns(shown, asked.status), trouble)
            cause = asked.texts["cause"]
            return self.render(
                "profile/records.html",
                shown=shown,
                listing=listing,
                columns=kept.columns,
                rows=[row_of(row, key_ref(shown)) for row in listing.rows],
                statuses=list(SyncStatus),
                asked=asked,
                way=way,
                kept=kept,
                times=times(),
                allowed=ALLOWED,
                failed=failed(session, profile_id),
                causes=causes(session, shown, cause) if asked.status == SyncStatus.FAILED or cause else [],
            )

    @expose("/export.csv")
    def export(self, profile_id: int) -> ResponseReturnValue:
        """All records that the filters fit, with the columns that are shown."""
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            asked = wanted(request.args, shown.profile.timezone)
            way = plan(session, FIELDS, profile_id, asked, key_ref(shown))
            kept = self.kept(session, self.page(profile_id=profile_id), *all_columns(shown, asked.status), Trouble())
        key = key_ref(shown)
        pieces = walk(self.database, way.whole, way.keys, ascending=way.ascending)
        rows = ([row_of(row, key) for row in piece] for piece in pieces)
        return csv_of(shown.profile.name, kept.columns, rows, shown.profile.timezone)

    @expose("/act", methods=["POST"])
    def act(self, profile_id: int) -> ResponseReturnValue:
        """What is done to the chosen records, or, after a question with their number, to all that the filters fit."""
        action = request.form.get("action", "")
        if action not in ACTIONS:
            abort(400)
        if request.form.get("all"):
            return self._all(profile_id, action)
        chosen = ids()
        with self.database.session() as session:
            shown = self.show(session, profile_id)
            query = select(SyncRecord.id).where(SyncRecord.id.in_(chosen), SyncRecord.profile_id == profile_id)
            mine = list(session.scalars(query))
            moved = ACTIONS[action](session, mine, by())
            write_down(session, shown.profile, action, moved, record_ids=mine)
            run = action == "retry" and moved and run_soon(session, shown.profile, numbers_of(session, mine))
        say(action, moved, len(chosen), bool(run))
        return redirect(route("index"))

    def _all(self, profile_id: int, action: str) -> ResponseReturnValue:
        with self.database.reading() as session:
            shown = self.show(session, profile_id)
            asked = wanted(request.args, shown.profile.timezone)
            if asked.problems:
                abort(400)
            # in the list's own order: nothing that is moved may come again further on
            asked = replace(asked, sort="", ascending=False)
            way = plan(session, (SyncRecord.id, SyncRecord.updated_at, SyncRecord.created_at), profile_id, asked)
            found = way.whole.with_only_columns(SyncRecord.status, maintain_column_froms=True).order_by(None).subquery()
            allowed = func.count().filter(found.c.status.in_(ALLOWED[action]))
            fitting, count = session.execute(select(func.count(), allowed).select_from(found)).one()
        if not count:
            said = _("Nothing was done: {rest}", rest=not_allowed(action, fitting)) if fitting else ""
            flash(said or _("No record fits these filters any more."), "bad")
            return redirect(route("index") if fitting else url_for(".index", profile_id=profile_id, view="0"))
        if request.form.get("confirmed") != str(count):  # asked for the first time, or the number changed meanwhile
            again = "confirmed" in request.form
            return self.render(
                "profile/records_confirm.html",
                shown=shown,
                action=action,
                count=count,
                asked=asked,
                again=again,
                times=times(),
                rest=not_allowed(action, fitting - count) if fitting > count else "",
            )
        moved = self._move_all(way, action, count)
        with self.database.session() as session:
            profile = session.get_one(Profile, profile_id)
            write_down(session, profile, action, moved, filters=asked)
            run = action == "retry" and moved and run_soon(session, profile)
        say(action, moved, count, bool(run))
        return redirect(url_for(".index", profile_id=profile_id, view="0"))

    def _move_all(self, way: Plan, action: str, count: int) -> int:
        """In pieces, each a transaction of its own, newest first: what was moved does not come again."""
        moved = done = 0
        these = way.whole.where(SyncRecord.status.in_(ALLOWED[action]))
        for piece in walk(self.database, these, way.keys, size=history.MOVED_AT_ONCE):
            with self.database.session() as session:
                moved += ACTIONS[action](session, [row["id"] for row in piece], by())
            done += len(piece)
            if done >= count:
                break
        return moved


def all_columns(shown: Shown, status: str = "") -> tuple[list[Column], list[Column]]:
    """The usual columns of the tab, and those that can be chosen besides."""
    refs = shown.declared.refs if shown.declared else ()
    return derive.record_columns(shown.number_label, refs, key_ref(shown), status), derive.more_record_columns()


def key_ref(shown: Shown) -> str:
    return shown.declared.target.key_ref if shown.declared else ""


def times() -> dict[str, str]:
    return dict(zip(TIMES, (_("Created At"), _("Updated At"), _("Processed At")), strict=True))


def failed(session: Session, profile_id: int) -> str:
    """How many records have failed, for the button that shows them; counting stops early."""
    mine = select(SyncRecord.id).where(SyncRecord.profile_id == profile_id, SyncRecord.status == SyncStatus.FAILED)
    count = session.scalar(select(func.count()).select_from(mine.limit(MOST_FAILED + 1).subquery())) or 0
    return f"{MOST_FAILED}+" if count > MOST_FAILED else str(count) if count else ""


def causes(session: Session, shown: Shown, cause: str = "") -> Sequence[Any]:
    """Failed records by cause, the most frequent first, each with its newest record's sentence, and since when.

    From cause to cause by the index, and counting stops early: a million failures are told as quickly as ten.
    """
    record = SyncRecord
    mine = (record.profile_id == shown.profile.id, FAILED)
    known: list[str] = []
    last = ""
    while not cause and len(known) < MOST_CAUSES:
        following = session.scalar(select(func.min(record.cause)).where(*mine, record.cause > last))
        if following is None:
            break
        known.append(following)
        last = following
    found = []
    for one in [cause] if cause else known:
        these = (*mine, record.cause == one)
        capped = select(literal_column("1")).select_from(record).where(*these).limit(MOST_COUNTED + 1).subquery()
        count = session.scalar(select(func.count()).select_from(capped)) or 0
        ends = [
            session.execute(
                select(record.message, record.setting, record.store, record.updated_at)
                .where(*these)
                .order_by(record.cause, order)
                .limit(1)
            ).first()
            for order in (record.id.desc(), record.id)
        ]
        if ends[0] is None or ends[1] is None:
            continue
        newest, oldest = ends[0], ends[1]
        found.append(
            {
                "cause": one,
                "count": min(count, MOST_COUNTED),
                "more": count > MOST_COUNTED,
                "newest": newest,
                "setting": advice.place(shown, newest.setting, newest.message, newest.store),
                "since": since(*sorted((oldest.updated_at, newest.updated_at)), shown.profile.timezone),
            }
        )
    return sorted(found, key=lambda one: -one["count"])


def since(first: datetime, last: datetime, timezone: str) -> Markup:
    """From when to when a cause was met."""
    if first == last:
        return when(last, timezone)
    return escape(_("first {first}, last {last}")).format(first=when(first, timezone), last=when(last, timezone))


def numbers_of(session: Session, record_ids: Sequence[int]) -> list[str]:
    query = select(SyncRecord.source_number).where(SyncRecord.id.in_(record_ids[:2]))
    return [number for number in session.scalars(query) if number] if len(record_ids) == 1 else []


def run_soon(session: Session, profile: Profile, numbers: Sequence[str] = ()) -> bool:
    """Ask for a run at once: of one record where its number is given, else of the whole profile. False: one waits."""
    request = {"order": numbers[0]} if len(numbers) == 1 else {}
    try:
        tasks.ask(session, profile, by(), request)
    except tasks.AlreadyWaiting:
        waits = (Task.profile_id == profile.id, Task.status == TaskStatus.PENDING, Task.asked_by.is_not(None))
        if any(not other or other == request for other in session.scalars(select(Task.request).where(*waits))):
            return False
        tasks.add_asked(session, profile, by(), request, now())  # what waits is a run of another record
    return True


def write_down(
    session: Session,
    profile: Profile,
    action: str,
    moved: int,
    *,
    record_ids: Sequence[int] = (),
    filters: Wanted | None = None,
) -> None:
    """One line of the audit for what was done, with how many."""
    if not moved:
        return
    after: dict[str, Any] = {"profile": profile.name, "records": moved}
    if filters is not None:
        after["filter"] = filters.plain()
    names = session.execute(
        select(SyncRecord.source_number, SyncRecord.source_id).where(SyncRecord.id.in_(record_ids[:NAMED]))
    ).all()
    numbers = [row.source_number or row.source_id for row in names]
    if numbers:
        after["numbers"] = numbers
    one = len(record_ids) == 1
    note(
        session,
        by(),
        DONE_WORDS[action],
        "record",
        numbers[0] if one and numbers else profile.name,
        subject_id=record_ids[0] if one else None,
        after=after,
    )


def say(action: str, moved: int, asked: int, run: bool) -> None:
    """What came of it, on the next page."""
    if not asked:
        flash(_("Nothing was chosen."), "bad")
        return
    if action == "skip":
        said = n_("{n} record is skipped.", "{n} records are skipped.", moved)
    elif action == "put_back":
        said = n_("{n} record is pending again.", "{n} records are pending again.", moved)
    elif run:
        said = n_("{n} record is tried again now.", "{n} records are tried again now.", moved)
    else:
        said = n_(
            "{n} record is tried again by the run that waits.",
            "{n} records are tried again by the run that waits.",
            moved,
        )
    if moved < asked:
        rest = n_(
            "{n} is in a state that does not allow it.", "{n} are in a state that does not allow it.", asked - moved
        )
        said = f"{said} {rest}" if moved else rest
    flash(said, "good" if moved else "bad")


def not_allowed(action: str, count: int) -> str:
    """Why records that were asked for are left as they are."""
    if action == "skip":
        return n_(
            "{n} record is finished, skipped already or in work and stays as it is.",
            "{n} records are finished, skipped already or in work and stay as they are.",
            count,
        )
    if action == "retry":
        return n_(
            "{n} record is finished or in work and stays as it is.",
            "{n} records are finished or in work and stay as they are.",
            count,
        )
    return n_("{n} record is in work and stays as it is.", "{n} records are in work and stay as they are.", count)


def row_of(row: Mapping[str, Any], key_ref: str) -> dict[str, Any]:
    """A record as the tab's columns name its values."""
    refs = {f"ref:{key}": value for key, value in (row["refs"] or {}).items()}
    if row["target_id"] and not refs.get(f"ref:{key_ref}"):
        refs[f"ref:{key_ref}"] = row["target_id"]
    return {**row, **refs, "number": row["source_number"] or row["source_id"], "record_id": row["id"]}
