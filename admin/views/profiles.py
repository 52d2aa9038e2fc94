"""The list of profiles: what runs, when next, what came of it; their switches, and the way in and out as YAML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, abort, flash, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from admin import auth, configuration
from admin.audit import note
from admin.configuration import Fault, Wrong
from admin.views import cron, week
from admin.views.acts import answered
from admin.views.base import View, by, expose
from admin.views.frame import entity_word, missing_settings
from admin.views.listing import MOST_COUNTED, clean, like
from admin.views.words import _, later, n_, told
from profiles.db import now
from profiles.models import Connection, Profile, SyncRecord, SyncStatus, Task, TaskStatus
from scheduler.cron import CronProblem
from scheduler.rows import PENDING, PROCESSING
from scheduler.tasks import keep_planned

SHOWN = 50
# what a file is said to be wrong about, and to change, for the translators (`told` finds these patterns again)
_OF_FILES = (
    later("connection '{name}'"),
    later("profile '{name}'"),
    later("connection {n}"),
    later("profile {n}"),
    later("connection '{name}': new, {system} at {address}"),
    later("profile '{name}': new, {entity} {direction} from {source} to {target}, {state}, {time}"),
    later("connection '{name}', {change}"),
    later("profile '{name}', {change}"),
    later("{setting}: not set → {value}"),
    later("{setting}: {value} → not set"),
    later("procedure"),
    later("filter"),
    later("read"),
    later("write"),
)
ENDED = (TaskStatus.SUCCESS, TaskStatus.ERROR, TaskStatus.MISSED)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One profile of the list."""

    profile: Profile
    entity: str
    source: Connection
    target: Connection
    words: str
    running: Any
    next_at: datetime | None
    last: Any
    failed: int
    days: Sequence[week.Day]

    @property
    def bars(self) -> list[week.Bar]:
        return week.bars(self.days)

    @property
    def week_in_words(self) -> str:
        return week.in_words(self.days)


class Profiles(View):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._weeks = week.Weeks()

    @expose("/")
    def index(self) -> ResponseReturnValue:
        return self._answer("profiles.html")

    @expose("/rows.json")
    def rows(self) -> ResponseReturnValue:
        """The list as it is now, for the page that shows it."""
        html = self._answer("profiles_table.html")
        return jsonify(mark=hashlib.sha256(html.encode()).hexdigest(), html=html)

    def _answer(self, template: str) -> str:
        searched, after = clean(request.args.get("q")), clean(request.args.get("after"))
        with self.database.reading() as session:
            rows = overview(session, self._weeks, searched, after)
            connections = session.scalar(select(func.count()).select_from(Connection)) or 0
            total = session.scalar(select(func.count()).select_from(Profile)) or 0
        more = len(rows) > SHOWN
        return self.render(
            template,
            rows=rows[:SHOWN],
            next_page=rows[SHOWN - 1].profile.name if more else None,
            searched=searched,
            after=after,
            connections=connections,
            total=total,
        )

    @expose("/cron.json")
    def cron(self) -> ResponseReturnValue:
        """What a line means, asked by forms while it is typed."""
        given = request.args.get("profile", "")
        profile_id = int(given) if given.isdecimal() and len(given) < 19 else None
        with self.database.reading() as session:
            found = cron.preview(
                session, request.args.get("cron", ""), request.args.get("timezone") or "UTC", profile_id
            )
        return jsonify(**cron.as_json(found), html=self.render("profile/preview.html", preview=found))

    @expose("/<int:profile_id>/switch", methods=["POST"])
    def switch(self, profile_id: int) -> ResponseReturnValue:
        active = request.form.get("active") == "yes"
        back = auth.local_path(request.form.get("next") or url_for(".index"))
        try:
            with self.database.session() as session:
                said = switch(session, profile_id, active)
        except CronProblem as error:
            return answered(_("It cannot be switched on: {problem}", problem=told(str(error))), back, good=False)
        return answered(said, back)

    @expose("/export.yaml")
    def export(self) -> ResponseReturnValue:
        with self.database.reading() as session:
            return as_file(configuration.export(session), "connector.yaml")

    @expose("/import", methods=["GET", "POST"])
    def bring(self) -> ResponseReturnValue:
        """First what a file would change, then, when it still would change just that, the change itself."""
        if request.method != "POST":  # HEAD reads too
            return self._bring("")
        text, problem = _text_given()
        if problem:
            return self._bring(text, faults=[Fault("", problem)]), 422
        try:
            with self.database.reading() as session:
                changes = configuration.diff(session, text)
                doubts = configuration.doubts(session, text)
            mark = hashlib.sha256("\n".join([text, *changes]).encode()).hexdigest()
            if not changes or request.form.get("seen") != mark:
                return self._bring(text, changes=changes, doubts=doubts, mark=mark)
            with self.database.session() as session:
                done = configuration.apply(session, text, by=by())
                note(session, by(), "imported", "configuration", "YAML", after={"changes": done})
                missing = configuration.missing_variables(session, text)
                doubts = configuration.doubts(session, text)  # also of what was new before
        except Wrong as error:
            return self._bring(text, faults=error.faults), 422
        flash(n_("{n} change was made.", "{n} changes were made.", len(done)), "good")
        if missing:
            named = ", ".join(missing)
            flash(_("Not set in this process, but needed where profiles run: {variables}.", variables=named), "bad")
        if doubts:
            flash(
                n_(
                    "{n} value is not among the collected lists. If it is new, collect the lists again.",
                    "{n} values are not among the collected lists. If they are new, collect the lists again.",
                    len(doubts),
                ),
                "warn",
            )
        return redirect(url_for(".index"))

    def _bring(
        self,
        text: str,
        *,
        faults: Sequence[Fault] = (),
        changes: Sequence[str] | None = None,
        doubts: Sequence[Fault] = (),
        mark: str = "",
    ) -> str:
        return self.render("profiles_import.html", text=text, faults=faults, changes=changes, doubts=doubts, mark=mark)


def _text_given() -> tuple[str, str]:
    """The text of the file, or the one that was pasted; and what is wrong with it."""
    file = request.files.get("file")
    if file is not None and file.filename:
        try:
            return _lines_of(file.read().decode("utf-8-sig")), ""
        except UnicodeDecodeError:
            return "", _("The file is not a text in UTF-8. Choose the YAML file itself.")
    text = _lines_of(request.form.get("text", ""))
    return text, "" if text.strip() else _("Choose a file, or paste its text.")


def _lines_of(text: str) -> str:
    """With line ends of one kind: browsers send their own, and a text that was seen must still be the same one."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def as_file(text: str, name: str) -> Response:
    answer = Response(text, mimetype="application/yaml")
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def switch(session: Session, profile_id: int, active: bool) -> str:
    """Make a profile active or not, whatever its settings are like: to switch off must always be possible."""
    profile = session.get(Profile, profile_id)
    if profile is None:
        abort(404)
    if profile.active == active:
        return _("{name} is active.", name=profile.name) if active else _("{name} is inactive.", name=profile.name)
    profile.active, profile.updated_at = active, now()
    note(
        session,
        by(),
        "switched on" if active else "switched off",
        "profile",
        profile.name,
        subject_id=profile.id,
        before={"active": not active},
        after={"active": active},
    )
    keep_planned(session, profile)
    if not active:
        return _("{name} is inactive: it runs only when somebody presses Run now.", name=profile.name)
    if missing := missing_settings(session, profile):
        listed = ", ".join(missing)
        return _("{name} is active, but settings are still missing: {settings}.", name=profile.name, settings=listed)
    return _("{name} is active. It runs: {words}.", name=profile.name, words=cron.words(profile.cron))


def overview(session: Session, weeks: week.Weeks, searched: str = "", after: str = "") -> list[Row]:
    """Up to one more profile than a page shows, by name."""
    query = select(Profile).order_by(Profile.name).limit(SHOWN + 1)
    if searched:
        query = query.where(Profile.name.ilike(like(searched), escape="!"))
    if after:
        query = query.where(Profile.name > after)
    profiles = list(session.scalars(query))
    ids = [profile.id for profile in profiles]
    ends = {row.id: row for row in session.scalars(select(Connection))}
    running = {row.profile_id: row for row in session.scalars(select(Task).where(PROCESSING))}
    due = _next(session, ids)
    days = weeks.of(session, profiles)
    return [
        Row(
            profile=profile,
            entity=entity_word(profile.entity),
            source=ends[profile.from_id],
            target=ends[profile.to_id],
            words=cron.words(profile.cron),
            running=running.get(profile.id),
            next_at=due.get(profile.id),
            last=last_run(session, profile.id),
            failed=failed_now(session, profile.id),
            days=days[profile.id],
        )
        for profile in profiles
    ]


def _next(session: Session, ids: Sequence[int]) -> Mapping[int, datetime]:
    first = func.min(Task.scheduled_at, type_=Task.scheduled_at.type).label("first")
    query = select(Task.profile_id, first).where(PENDING, Task.profile_id.in_(ids)).group_by(Task.profile_id)
    return {row.profile_id: row.first for row in session.execute(query)}


def last_run(session: Session, profile_id: int) -> Task | None:
    """The last task that ended, dry runs left out: they say nothing about what was sent."""
    dry = func.coalesce(Task.request["dry_run"].as_boolean(), False)
    query = select(Task).where(Task.profile_id == profile_id, Task.status.in_(ENDED), ~dry)
    return session.scalar(query.order_by(Task.scheduled_at.desc()).limit(1))


def failed_now(session: Session, profile_id: int) -> int:
    """How many records wait for a person; counting stops after MOST_COUNTED."""
    failed = select(SyncRecord.id).where(SyncRecord.profile_id == profile_id, SyncRecord.status == SyncStatus.FAILED)
    return session.scalar(select(func.count()).select_from(failed.limit(MOST_COUNTED).subquery())) or 0
