"""Where is order 100000123? The search over all profiles, and the whole answer on one page."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any

from flask import abort, current_app, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from admin.views import advice, devices, stops
from admin.views.base import by, expose, ids
from admin.views.frame import ProfilePage, Shown
from admin.views.listing import PAGE_SIZE, clean, fetch, starts_with
from admin.views.present import dated
from admin.views.records import ACTIONS, FIELDS, numbers_of, run_soon, say, write_down
from admin.views.timeline import answer, brought, clock_ticks, labelled, sought, stopped, timeline
from admin.views.words import _, told
from connector import Account, ConnectorError, Options, Resource
from connector.registry import connector as find_connector
from connector.settings import Secret, declared, defaults
from profiles import history, wiring
from profiles.ledger import unpack
from profiles.models import Connection, Profile, SyncRecord, SyncStatus, Task, TaskStatus
from profiles.secrets import MissingSecret, redact, unseal

MOST_FOUND = 100
LARGEST_ID = 2**63
DONE = (SyncStatus.COMPLETE, SyncStatus.UPDATED)
OPEN = (SyncStatus.PENDING, SyncStatus.PROCESSING)  # something is still to come
LARGEST_PAYLOAD = 400_000  # signs that are shown


@dataclass(frozen=True, kw_only=True)
class Link:
    """The record in the own back end of a system."""

    system: str
    url: str


class Orders(ProfilePage):
    @expose("/")
    def index(self) -> ResponseReturnValue:
        text, status = clean(request.args.get("q")), request.args.get("status", "")
        status = status if status in set(SyncStatus) else ""
        listing = None
        with self.database.reading() as session:
            profiles = {row.id: row for row in session.scalars(select(Profile).order_by(Profile.name))}
            profile = next((one for one in profiles.values() if str(one.id) == request.args.get("profile")), None)
            if text:
                rows = find(session, text, list(profiles))
                if rows and not status and (only := one_order(session, rows)):
                    return redirect(url_for(".record", record_id=only))
            elif profile is not None or not status:
                listing = self._all(session, profile, status)
                rows = list(listing.rows)
            else:
                rows = newest_of(session, list(profiles), status)
            return self.render(
                "orders.html",
                rows=rows,
                listing=listing,
                profiles=profiles,
                profile=profile,
                statuses=list(SyncStatus),
                filters={"q": text, "status": status, "profile": str(profile.id) if profile else ""},
                most=MOST_FOUND,
                places=self._places(session, profiles) if text and not rows else [],
                sought=self._sought(session, text) if text and not rows else None,
                seen=devices.seen(session, text) if text and not rows else [],
            )

    def _all(self, session: Session, profile: Profile | None, status: str) -> Any:
        query, record = select(*FIELDS), SyncRecord
        keys: tuple[ColumnElement[Any], ...] = (record.id.expression,)
        if profile is not None:
            query = query.where(record.profile_id == profile.id)
            if status:
                query = query.where(record.status == status)
            else:
                keys = (record.created_at.expression, record.id.expression)
        return fetch(session, query, keys)

    def _places(self, session: Session, profiles: dict[int, Profile]) -> list[Shown]:
        """Profiles whose source can be asked for one record by its number."""
        shown = [self.show(session, profile_id) for profile_id in profiles]
        return [one for one in shown if one.declared is not None and one.declared.source.offers("number")]

    @expose("/fetch", methods=["POST"])
    def fetch(self) -> ResponseReturnValue:
        """Ask for a run of one order that is not known here: it is looked for at the source."""
        number, given = clean(request.form.get("number"), 64), request.form.get("profile", "")
        if not number or not given.isdecimal() or len(given) > 18:
            abort(400)
        with self.database.session() as session:
            profile = session.get(Profile, int(given))
            if profile is None:
                abort(404)
            run_soon(session, profile, [number])
            waits = select(Task).where(Task.profile_id == profile.id, Task.asked_by.is_not(None))
            newest = session.scalars(waits.order_by(Task.id.desc()).limit(20)).all()
            task = next((one.id for one in newest if (one.request or {}).get("order") == number), None)
            task = task or next((one.id for one in newest), None)
        return redirect(url_for(".index", q=number, task=task))

    @expose("/sought.json")
    def sought(self) -> ResponseReturnValue:
        """How the look at the source goes, for the page that waits for it."""
        text = clean(request.args.get("q"))
        with self.database.reading() as session:
            sought = self._sought(session, text)
            return live(self.render("order_sought.html", sought=sought, filters={"q": text}) if sought else "")

    def _sought(self, session: Session, text: str) -> dict[str, Any] | None:
        given = request.args.get("task", "")
        if not given.isdecimal() or len(given) > 18:
            return None
        task = session.get(Task, int(given))
        if task is None or not task.asked_by:
            return None
        shown = self.show(session, task.profile_id)
        rows = find(session, text, [task.profile_id]) if text else []
        return {
            "task": task,
            "shown": shown,
            "record_id": rows[0]["id"] if rows else None,
            "open": task.status in (TaskStatus.PENDING, TaskStatus.PROCESSING),
            "ticks": clock_ticks(session),
        }

    @expose("/<int:record_id>/")
    def record(self, record_id: int) -> ResponseReturnValue:
        return self._draw("order.html", record_id)

    @expose("/<int:record_id>/now.json")
    def now(self, record_id: int) -> ResponseReturnValue:
        """The order as it is now, for the page that shows it."""
        return live(self._draw("order_parts.html", record_id))

    def _draw(self, template: str, record_id: int) -> str:
        with self.database.reading() as session:
            record = _record(session, record_id)
            shown = self.show(session, record.profile_id)
            kin = history.kin(session, record)
            all_shown = {one.profile_id: self.show(session, one.profile_id) for one in kin}
            other = brought(shown, record, kin, all_shown)
            halted = stopped(session, record)
            sentence = record.message if halted is None else halted.message
            newest = request.args.get("dir") != "oldest"
            return self.render(
                template,
                shown=shown,
                record=record,
                number=record.source_number or record.source_id,
                answer=answer(shown, record, other, all_shown[other.profile_id].profile.name if other else ""),
                brought=other,
                readable_now=bool(shown.declared and shown.declared.source.offers("get")),
                cause=told(record.message),
                halted=halted,
                stops=stops.find(session, [vars(halted)]) if halted else {},
                place=advice.place(shown, record.setting, sentence, record.store),
                to_do=advice.to_do(shown, record, advice.place(shown, record.setting, record.message, record.store)),
                timeline=timeline(session, kin, all_shown, newest=newest),
                newest=newest,
                refs=labelled(shown, record),
                missing=missing(shown, record),
                sought=[*devices.of(session, kin), *sought(kin, all_shown)],
                story=[(one, all_shown[one.profile_id]) for one in kin],
                links=links(shown, record),
                linkless=linkless(shown, record),
                open=record.status in OPEN,
                ticks=clock_ticks(session),
                dry_run="dry_run.index" in current_app.view_functions,
                dated=dated,
                others=_elsewhere(session, record, [one.id for one in kin]),
            )

    @expose("/<int:record_id>/payload", methods=["GET", "POST"])
    def payload(self, record_id: int) -> ResponseReturnValue:
        """The record as the source gave it: as it is kept, or (POST) read from the source now. Secrets are hidden."""
        said, problem = None, ""
        with self.database.reading() as session:
            record = _record(session, record_id)
            shown = self.show(session, record.profile_id)
        if request.method == "POST":
            try:
                with wiring.connected(self.database, shown.source.id) as source:
                    resource = source.resource(shown.profile.entity)
                    offered = resource.offers("get")
                    found = resource.get(history.key_of(record, shown.profile)) if offered else None
                if not offered:
                    problem = _("{source} cannot be asked for a single record.", source=shown.source.name)
                elif found is None:
                    problem = _("{source} no longer has it.", source=shown.source.name)
                else:
                    said, problem = found.payload, found.error or ""
            except (ConnectorError, LookupError) as error:
                problem = told(str(error.args[0]) if error.args else type(error).__name__)
        elif record.payload is not None:
            said = unpack(record.payload)
        text = json.dumps(redact(said), indent=2, ensure_ascii=False, default=str) if said is not None else ""
        return self.render(
            "order_payload.html",
            shown=shown,
            record=record,
            number=record.source_number or record.source_id,
            text=text[:LARGEST_PAYLOAD],
            cut=len(text) > LARGEST_PAYLOAD,
            problem=problem,
            fresh=request.method == "POST",
        )

    @expose("/act", methods=["POST"])
    def act(self) -> ResponseReturnValue:
        action, chosen = request.form.get("action", ""), ids()
        if action not in ACTIONS or len(chosen) != 1:
            abort(400)
        with self.database.session() as session:
            record = _record(session, chosen[0])
            profile = session.get_one(Profile, record.profile_id)
            moved = ACTIONS[action](session, chosen, by())
            write_down(session, profile, action, moved, record_ids=chosen)
            run = action == "retry" and moved and run_soon(session, profile, numbers_of(session, chosen))
        say(action, moved, 1, bool(run))
        return redirect(url_for(".record", record_id=chosen[0]))


def live(html: str) -> ResponseReturnValue:
    """For a part that asks again: `mark` changes with what is shown, not with the tokens of its forms."""
    plain = re.sub(r'name="csrf_token" value="[^"]*"', "", html)
    return jsonify(mark=hashlib.sha256(plain.encode()).hexdigest(), html=html)


def _record(session: Session, record_id: int) -> SyncRecord:
    record = session.get(SyncRecord, record_id) if record_id < LARGEST_ID else None
    if record is None:
        abort(404)
    return record


def find(session: Session, text: str, profile_ids: Sequence[int]) -> list[Any]:
    """Records with this number, id at the source or at the target, or customer, in these profiles, and of orders with a
    device of this IMEI or serial number; where there is none, those whose number begins like it."""
    record = SyncRecord
    mine = record.profile_id.in_(profile_ids)
    ways = (
        (record.source_number == text, record.id.desc()),
        (record.target_id == text, record.id.desc()),
        (mine & (record.source_id == text), record.id.desc()),
        (mine & (record.customer == text), record.id.desc()),
        *((way, record.id.desc()) for way in devices.ways(session, text)),
    )
    wanted = set(profile_ids)
    found: dict[int, Any] = {}
    for condition, order in ways:
        query = select(*FIELDS).where(condition).order_by(order).limit(MOST_FOUND)
        for row in session.execute(query).mappings():
            if row["profile_id"] in wanted:
                found.setdefault(row["id"], dict(row))
    if found:
        return list(found.values())[:MOST_FOUND]
    near = select(*FIELDS).where(starts_with(record.source_number.expression, text))
    rows = session.execute(near.order_by(record.source_number).limit(MOST_FOUND)).mappings()
    return [dict(row) for row in rows if row["profile_id"] in wanted]


def one_order(session: Session, rows: Sequence[Any]) -> int | None:
    """The record to show when all that was found is one and the same order: the one that was touched last, and rather
    the order itself than what belongs to it."""
    newest = max(rows, key=lambda row: (row["kind"] is None, row["updated_at"], row["id"]))
    if len(rows) == 1:
        return int(newest["id"])
    record = session.get(SyncRecord, newest["id"])
    same = {one.id for one in history.kin(session, record)} if record is not None else set()
    return int(newest["id"]) if same.issuperset(row["id"] for row in rows) else None


def newest_of(session: Session, profile_ids: list[int], status: str) -> list[Any]:
    """The newest records of a status over all profiles, read profile by profile as the index has them."""
    lists = []
    for profile_id in profile_ids:
        query = select(*FIELDS).where(SyncRecord.profile_id == profile_id, SyncRecord.status == status)
        found = session.execute(query.order_by(SyncRecord.id.desc()).limit(PAGE_SIZE)).mappings()
        lists.append([dict(row) for row in found])
    return list(islice(merge(*lists, key=lambda row: -row["id"]), PAGE_SIZE))


def missing(shown: Shown, record: SyncRecord) -> list[str]:
    """Ids that the target learns of a record, and that are still to come of this one."""
    if record.status in DONE or record.kind:
        return []
    known = {label for label, _value in labelled(shown, record)}
    return [_(ref.label) for ref in shown.declared.refs if _(ref.label) not in known] if shown.declared else []


def _elsewhere(session: Session, record: SyncRecord, kin: Sequence[int]) -> list[tuple[Any, Profile]]:
    """Other orders that happen to have the same number, for example of another shop."""
    if not record.source_number:
        return []
    same = select(SyncRecord.id, SyncRecord.status, SyncRecord.profile_id).where(
        SyncRecord.source_number == record.source_number, SyncRecord.id.not_in(kin)
    )
    return [(row, session.get_one(Profile, row.profile_id)) for row in session.execute(same.limit(20))]


def links(shown: Shown, record: SyncRecord) -> list[Link]:
    """The record in the back ends of both systems, where they say how their addresses are formed."""
    if shown.declared is None:
        return []
    ends = (
        (shown.source, shown.declared.source, history.key_of(record, shown.profile)),
        (shown.target, shown.declared.target, record.target_id),
    )
    made = [(end, _page(end, resource, key)) for end, resource, key in ends if key]
    return [Link(system=end.name, url=url) for end, url in made if url]


def linkless(shown: Shown, record: SyncRecord) -> list[Connection]:
    """Systems whose connector could link to the record, if its connection held all that this takes."""
    if shown.declared is None:
        return []
    ends = (
        (shown.source, shown.declared.source, history.key_of(record, shown.profile)),
        (shown.target, shown.declared.target, record.target_id),
    )
    able = [
        (end, _page(end, resource, key))
        for end, resource, key in ends
        if key and _own(resource.page) is not _own(Resource.page) and _incomplete(end)
    ]
    return [end for end, url in able if not url]


def _own(method: Any) -> Any:
    return getattr(method, "__func__", method)


def _incomplete(end: Connection) -> bool:
    """Whether a setting of the connection that matters with the others is empty."""
    try:
        schema = find_connector(end.connector).Settings
        kept = {name: value for name, value in unseal(end.credentials).items() if value is not None}
    except (LookupError, MissingSecret):
        return False
    values = {**defaults(schema), **kept}
    mattering = (one for one in declared(schema) if one.matters(values))
    return any(values.get(one.name) in (None, "") for one in mattering if not isinstance(one.field, Secret))


def _page(end: Connection, resource: Any, key: str) -> str | None:
    """What the connector says, with an account that holds no secret. A stranger's connector must not break the page."""
    try:
        schema = find_connector(end.connector).Settings
        secret = {one.name for one in declared(schema) if isinstance(one.field, Secret)}
        kept = {name: value for name, value in unseal(end.credentials).items() if name not in secret}
        values = {**defaults(schema), **{name: value for name, value in kept.items() if value is not None}}
        url = resource.page(Account(name=end.name, base_url=end.base_url, settings=Options(values)), key)
    except Exception:
        current_app.logger.exception("the address of %s in %s cannot be made", key, end.name)
        return None
    return url if isinstance(url, str) and url.startswith(("https://", "http://")) else None
