"""*Event procedures*: what shall happen elsewhere when something happened to an order, set up as the vendors' guides do.

Everything is saved through the configuration, as a file would be: checked whole, with a line of the audit. The order of
the list is the order in which several procedures of one event are carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import abort, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin import auth
from admin.audit import note
from admin.configuration import Fault, ProcedureSpec, ProfileSpec, Wrong, save_profile
from admin.views import jobs, procedure_form
from admin.views.base import View, by, expose
from admin.views.dashboard import usual_zone
from admin.views.frame import missing_settings
from admin.views.procedure_form import Draft, draft_of, drawn, free_name, grouped, offers, resolved, spec_of
from admin.views.procedure_words import (
    Place,
    doings,
    event_words,
    filter_words,
    place_of,
    places,
    procedure_words,
    reason,
    status_of,
    status_words,
    warnings,
)
from admin.views.profile import NEW, ends, pairs
from admin.views.words import _, n_, told
from connector import ConnectorError
from connector.procedures import ORDER_TYPE
from connector.registry import connector as find_connector
from profiles import events
from profiles.db import Database, now
from profiles.events import ENTITY, Match
from profiles.models import Connection, EventProcedure, Profile

TRIED = 50  # so many of the newest orders a test looks at
TEST, SAVE, REDRAW = "test", "save", "redraw"  # what a button of the form asks for
UP, DOWN = "up", "down"
NEW_PROFILE = "new_profile.index"  # who may make a profile, may make one along the way


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a test of an event procedure found. `problem`: why it could not look."""

    place: int = 0  # the profile
    draft: Draft | None = None
    matches: Sequence[Match] = ()
    problem: str = ""


trials: jobs.Trials[Tried] = jobs.Trials(lambda said: Tried(problem=said))


class EventProcedures(View):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        with self.database.reading() as session:
            given = request.args.get("profile_id", "")
            chosen = int(given) if given.isdecimal() and len(given) < 19 else None
            found = places(session, chosen)
            if chosen is not None and not found:
                abort(404)
            done = {place.id: doings(session, place.id) for place in found}
            return self.render(
                "procedures.html",
                places=found,
                rows=[
                    _told(place, row) | {"done": done[place.id].get(row.id)} for place in found for row in place.rows
                ],
                offers=[offer for place in found for offer in offers(place) if not offer.taken],
                one=found[0] if chosen is not None else None,
                possible=bool(found or possible(session)),
                event_words=event_words,
                status_words=status_words,
                filter_words=filter_words,
            )

    @expose("/new/", methods=["GET", "POST"])
    def new(self) -> ResponseReturnValue:
        """Name, event and profile; what is special to them is asked for on the page that follows."""
        if request.method != "POST":  # HEAD reads too
            return self._new()
        name, event = (request.form.get(key, "").strip() for key in ("name", "event"))
        chosen = request.form.get("place", "")
        try:
            with self.database.session() as session:
                place = self._place_given(session, chosen)
                draft = Draft(name=name, event=event, procedure=_first(place, event))
                self._refuse_double(place, name)
                made = _add(session, place, draft)
        except Wrong as error:
            problems = {fault.path.rpartition(".")[2]: told(fault.sentence) for fault in error.faults}
            return self._new(name, event, chosen, problems), 422
        flash(_("{name} was made. Choose what it needs below, then switch it on.", name=name), "good")
        return redirect(url_for(".one", procedure_id=made))

    def _new(self, name: str = "", event: str = "", chosen: str = "", problems: dict[str, str] | None = None) -> str:
        with self.database.reading() as session:
            found = [place for place in places(session) if place.told]
            fresh = possible(session) if auth.may(current_user, NEW_PROFILE, "POST") else []
            known = {code: one for place in found for code, one in (place.told.events if place.told else {}).items()}
            for source, target in fresh:
                known |= events.declared(source.connector, target.connector).events
            return self.render(
                "procedures_new.html",
                places=found,
                fresh=fresh,
                groups=grouped(known),
                name=name,
                event=event,
                chosen=chosen or request.args.get("place", ""),
                problems=problems or {},
                offers=[offer for place in found for offer in offers(place)],
                event_words=event_words,
                status_words=status_words,
                filter_words=filter_words,
                resolved=resolved,
            )

    @expose("/take", methods=["POST"])
    def take(self) -> ResponseReturnValue:
        """A template becomes an event procedure, not active yet."""
        code, given = request.form.get("procedure", ""), request.form.get("profile", "")
        try:
            with self.database.session() as session:
                place = self._place(session, int(given) if given.isdecimal() and len(given) < 19 else 0)
                offer = next((one for one in offers(place) if one.code == code), None)
                if offer is None:
                    abort(404)
                made = _add(session, place, resolved(offer))
        except Wrong as error:
            flash(" ".join(told(fault.sentence) for fault in error.faults), "bad")
            return redirect(url_for(".index"))
        flash(_("The template was taken over. Change what does not suit you, then switch it on."), "good")
        return redirect(url_for(".one", procedure_id=made))

    @expose("/<int:procedure_id>/", methods=["GET", "POST"])
    def one(self, procedure_id: int) -> ResponseReturnValue:
        with self.database.reading() as session:
            place, row = self._found(session, procedure_id)
            if request.method != "POST" or place.told is None:  # HEAD reads too
                if request.method == "POST":
                    abort(404)
                return self._page(session, place, row, draft_of(row))
            draft = procedure_form.read(place, request.form.to_dict(flat=False), row)
            wanted = request.form.get("do", SAVE)
            if wanted == REDRAW:
                return self._page(session, place, row, draft, drafted=True)
        if wanted == TEST:
            return self._test(place, procedure_id, draft)
        try:
            if draft.problems:
                return self._refused(procedure_id, draft)
            with self.database.session() as session:
                place, row = self._found(session, procedure_id)
                seen = request.form.get("seen", "")
                if seen and seen != row.updated_at.isoformat():
                    return self._refused(procedure_id, replace(draft, overtaken=True))
                position = list(place.rows).index(row)
                specs = [spec_of(one) if one.id != row.id else draft.spec(row.name) for one in place.rows]
                changes = _save(session, place, specs)
        except Wrong as error:
            return self._refused(procedure_id, draft.refused(error, position))
        flash(_("Saved.") if changes else _("Nothing was changed."), "good")
        return redirect(url_for(".one", procedure_id=procedure_id))

    def _refused(self, procedure_id: int, draft: Draft) -> ResponseReturnValue:
        with self.database.reading() as session:
            place, row = self._found(session, procedure_id)
            return self._page(session, place, row, draft, drafted=True), 422

    def _page(
        self,
        session: Session,
        place: Place,
        row: EventProcedure,
        draft: Draft,
        *,
        drafted: bool = False,
        tried: Tried | None = None,
    ) -> str:
        known = place.told is not None
        return self.render(
            "procedures_one.html",
            place=place,
            row=row,
            draft=draft,
            drafted_form=drafted,
            drawn=drawn(place, draft) if known else None,
            groups=grouped(place.told.events) if place.told else {},
            kinds={one.code for one in place.told.events.values() if one.kind} if place.told else set(),
            procedures=list(place.told.procedures.values()) if place.told else [],
            made=place.procedure(draft.procedure),
            fits=_fits(place, draft.procedure),
            warnings=list(warnings(place, draft.row(place, row.id))) if known else [],
            done=doings(session, place.id).get(row.id),
            event_words=event_words,
            procedure_words=procedure_words,
            collectors=[("source", place.shown.source), ("target", place.shown.target)],
            tried=in_words(place, tried) if tried else None,
            most=TRIED,
        )

    @expose("/<int:procedure_id>/lists.json")
    def lists(self, procedure_id: int) -> ResponseReturnValue:
        """The collected lists that the page's inputs offer, and a mark that changes when something was collected."""
        with self.database.reading() as session:
            place, row = self._found(session, procedure_id)
            if place.told is None:
                abort(404)
            made = drawn(place, draft_of(row)).lists
            ends = (("source", place.shown.source), ("target", place.shown.target))
            return jsonify(
                marks={side: str(end.collected_at or "") for side, end in ends},
                lists={name: [[one.value, one.label] for one in items] for name, items in made.items()},
            )

    def _test(self, place: Place, procedure_id: int, draft: Draft) -> ResponseReturnValue:
        """Which of the newest orders would match what stands in the form."""
        wanted, database = draft.row(place, procedure_id), self.database

        def work() -> Tried:
            return _try(database, place, draft, wanted)

        if request.headers.get("X-Requested-With") == "fetch":
            return jsonify(job=trials.start(by(), work))
        tried = work()
        with self.database.reading() as session:
            place, row = self._found(session, procedure_id)
            return self._page(session, place, row, draft, drafted=True, tried=tried)

    @expose("/test.json")
    def trial(self) -> ResponseReturnValue:
        """How far a test is."""
        trial = trials.look(by(), request.args.get("job", ""))
        if trial is None:
            return jsonify(known=False, busy=False)
        if trial.findings is None:
            return jsonify(known=True, busy=True)
        with self.database.reading() as session:
            profile = session.get(Profile, trial.findings.place)
            place = place_of(session, profile) if profile else None
            said = in_words(place, trial.findings)
        html = render_template("procedures_test.html", tried=said, most=TRIED)
        return jsonify(known=True, busy=False, html=html, said=said["said"])

    @expose("/<int:procedure_id>/switch", methods=["POST"])
    def switch(self, procedure_id: int) -> ResponseReturnValue:
        active = request.form.get("active") == "yes"
        try:
            with self.database.session() as session:
                place, row = self._found(session, procedure_id)
                name, was = row.name, row.active
                specs = [
                    replace(spec_of(one), active=active) if one.id == row.id else spec_of(one) for one in place.rows
                ]
                _save(session, place, specs)
        except Wrong as error:
            if active or not was:
                flash(_("It cannot be switched on: {problem}", problem=_said(error)), "bad")
                return self._back(procedure_id)
            self._switch_off(procedure_id)  # to switch off must always be possible
        said = _("{name} is active.", name=name) if active else _("{name} is inactive.", name=name)
        if active and place.idle:
            said = f"{said} {place.idle}"
        flash(said, "warn" if active and place.idle else "good")
        return self._back(procedure_id)

    def _switch_off(self, procedure_id: int) -> None:
        """Past the check of everything else in the profile."""
        with self.database.session() as session:
            place, row = self._found(session, procedure_id)
            row.active, row.updated_at = False, now()
            before, after = {"procedures": {row.name: {"active": True}}}, {"procedures": {row.name: {"active": False}}}
            name = place.shown.profile.name
            note(
                session,
                by(),
                "changed event procedures",
                "profile",
                name,
                subject_id=place.id,
                before=before,
                after=after,
            )

    @expose("/<int:procedure_id>/move", methods=["POST"])
    def move(self, procedure_id: int) -> ResponseReturnValue:
        with self.database.session() as session:
            place, row = self._found(session, procedure_id)
            rows = list(place.rows)
            at = rows.index(row)
            to = at + {UP: -1, DOWN: 1}.get(request.form.get("to", ""), 0)
            if to == at or not 0 <= to < len(rows):
                return self._back(procedure_id)
            rows[at], rows[to] = rows[to], rows[at]
            try:
                _save(session, place, [spec_of(one) for one in rows])
                flash(_("{name} is number {n} now.", name=row.name, n=to + 1), "good")
            except Wrong as error:
                flash(_said(error), "bad")
        return self._back(procedure_id)

    @expose("/<int:procedure_id>/duplicate", methods=["POST"])
    def duplicate(self, procedure_id: int) -> ResponseReturnValue:
        try:
            with self.database.session() as session:
                place, row = self._found(session, procedure_id)
                copy = replace(draft_of(row), name=free_name(place, f"{row.name[:110]} ({_('copy')})"), active=False)
                made = _add(session, place, copy)
        except Wrong as error:
            flash(_said(error), "bad")
            return self._back(procedure_id)
        flash(
            _("{name} was made with the same settings. It is inactive until you switch it on.", name=copy.name), "good"
        )
        return redirect(url_for(".one", procedure_id=made))

    @expose("/<int:procedure_id>/delete", methods=["POST"])
    def delete(self, procedure_id: int) -> ResponseReturnValue:
        try:
            with self.database.session() as session:
                place, row = self._found(session, procedure_id)
                name = row.name
                _save(session, place, [spec_of(one) for one in place.rows if one.id != row.id])
        except Wrong as error:
            flash(_said(error), "bad")
            return self._back(procedure_id)
        flash(_("The event procedure {name} was deleted.", name=name), "good")
        return redirect(url_for(".index"))

    def _back(self, procedure_id: int) -> ResponseReturnValue:
        if request.form.get("back") == "one":
            return redirect(url_for(".one", procedure_id=procedure_id))
        given = request.form.get("profile_id", "")
        return redirect(
            url_for(".index", profile_id=given if given.isdecimal() else None, _anchor=f"procedure-{procedure_id}")
        )

    def _found(self, session: Session, procedure_id: int) -> tuple[Place, EventProcedure]:
        row = session.get(EventProcedure, procedure_id)
        if row is None:
            abort(404)
        return self._place(session, row.profile_id), row

    def _place(self, session: Session, profile_id: int) -> Place:
        profile = session.get(Profile, profile_id)
        if profile is None or profile.entity != ENTITY:
            abort(404)
        return place_of(session, profile)

    def _place_given(self, session: Session, chosen: str) -> Place:
        """The profile that was chosen: one that exists, or a new one between two connections (`1-2`)."""
        if chosen.isdecimal() and len(chosen) < 19:
            return self._place(session, int(chosen))
        if not auth.may(current_user, NEW_PROFILE, "POST"):
            abort(403)
        for source, target in possible(session):
            if chosen == f"{source.id}-{target.id}":
                return place_of(session, make_profile(session, source, target))
        raise Wrong([Fault("place", _("Choose where it belongs."))])

    def _refuse_double(self, place: Place, name: str) -> None:
        """Said here and not by the unique key of the table: a new one must not take the place of another."""
        if any(row.name == name for row in place.rows):
            raise Wrong([Fault("name", "Another event procedure has this name.")])


# saving


def _save(session: Session, place: Place, specs: Sequence[ProcedureSpec]) -> list[str]:
    profile = place.shown.profile
    return save_profile(session, place.shown.spec(procedures=list(specs)), by(), now_called=profile.name)


def _add(session: Session, place: Place, draft: Draft) -> int:
    """One more at the end of the list; its id."""
    _save(session, place, [*(spec_of(one) for one in place.rows), draft.spec()])
    mine = select(EventProcedure.id).where(EventProcedure.profile_id == place.id, EventProcedure.name == draft.name)
    return session.scalars(mine).one()


def possible(session: Session) -> list[tuple[Connection, Connection]]:
    """The pairs of connections that a profile of events could be made for, and that have none yet."""
    rows = {row.name: row for row in session.scalars(select(Connection))}
    taken = {
        (one.from_id, one.to_id)
        for one in session.execute(select(Profile.from_id, Profile.to_id).where(Profile.entity == ENTITY))
    }
    found = [(rows[a], rows[b]) for entity, a, b in pairs(ends(session)) if entity == ENTITY]
    return [(a, b) for a, b in found if (a.id, b.id) not in taken]


def make_profile(session: Session, source: Connection, target: Connection) -> Profile:
    """A profile that watches the orders of one connection for the other. It is active: without an active event procedure
    it only looks, and the switch of the event procedure is the only one that people then have to think of."""
    names = set(session.scalars(select(Profile.name)))
    watch = next(one for one in find_connector(source.connector).resources if one.entity == ENTITY)
    usual = f"{_(watch.label)} {source.name} – {target.name}"[:120]
    name = next(one for one in (_(watch.label), usual, *(f"{usual} {n}" for n in range(2, 1000))) if one not in names)
    spec = ProfileSpec(
        name=name,
        entity=ENTITY,
        direction="export",
        source=source.name,
        target=target.name,
        cron=watch.cron,
        active=True,
        timezone=usual_zone(list(session.scalars(select(Profile)))),
    )
    save_profile(session, spec, by(), now_called=NEW)
    profile = session.scalars(select(Profile).where(Profile.name == name)).one()
    flash(_("The profile {name} was made: it watches the orders of {source}.", name=name, source=source.name), "good")
    if missing := missing_settings(session, profile):
        flash(_("Before its first run it needs: {settings}.", settings=", ".join(missing)), "warn")
    return profile


def _first(place: Place, event: str) -> str:
    """The procedure to begin with: one whose template is about this event."""
    known = place.told.procedures if place.told else {}
    fitting = [code for code, one in known.items() if getattr(getattr(one, "template", None), "event", "") == event]
    return next(iter([*fitting, *known]), "")


def _said(error: Wrong) -> str:
    return " ".join(told(fault.sentence) for fault in error.faults)


# words


def _told(place: Place, row: EventProcedure) -> dict[str, Any]:
    """A line of the list."""
    return {
        "row": row,
        "place": place,
        "event": event_words(place, row.event),
        "status": status_words(place, row.event, row.status),
        "filters": filter_words(place, row.filters),
        "procedure": procedure_words(place, row.procedure),
        "first": row is place.rows[0],
        "last": row is place.rows[-1],
    }


def _fits(place: Place, code: str) -> list[str]:
    """The order types that a procedure can be used with, in words; empty where that is all of them."""
    made = place.procedure(code)
    able = {str(one) for one in made.order_types} if made else set()
    labels = [_(label) for value, label in ORDER_TYPE.choices if value in able]
    return labels if len(labels) < len(ORDER_TYPE.choices) else []


def _try(database: Database, place: Place, draft: Draft, row: EventProcedure) -> Tried:
    source = place.shown.source
    asked = Tried(place=place.id, draft=draft)
    if not source.active:
        return replace(asked, problem=f"Connection {source.name} is not active: nothing is exchanged with it.")
    try:
        return replace(asked, matches=events.matching(database, place.id, row, TRIED))
    except ConnectorError as error:
        return replace(asked, problem=str(error))
    except LookupError as error:
        return replace(asked, problem=str(error.args[0]))


def in_words(place: Place | None, tried: Tried) -> dict[str, Any]:
    """What a test found, for the page."""
    if tried.problem or place is None or tried.draft is None:
        said = told(tried.problem) or _("The profile is gone.")
        return {"problem": said, "said": said, "rows": []}
    row = tried.draft.row(place)
    labels = dict(ORDER_TYPE.choices)
    rows = [
        {
            "number": one.order.number or one.order.key,
            "key": one.order.key,
            "type": _(labels.get(str(one.order.fulfilment.kind), str(one.order.fulfilment.kind))),
            "status": status_of(one, place),
            "matched": one.matched,
            "reason": reason(one, place, row),
        }
        for one in tried.matches
    ]
    many = sum(1 for one in tried.matches if one.matched)
    said = n_(
        "{n} of the last {all} orders would match.", "{n} of the last {all} orders would match.", many, all=len(rows)
    )
    return {"problem": "", "said": said if rows else _("There is no order yet."), "rows": rows}
