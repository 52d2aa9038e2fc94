"""All that is known of one order, in the order of time: over all profiles, of both systems, and of people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.audit import COMMAND_LINE
from admin.views.frame import Shown
from admin.views.present import STATUSES, when
from admin.views.words import _, told
from connector.procedures import STATUS, Watch
from profiles.db import now
from profiles.events import FACTS, happened
from profiles.models import Audit, DataLog, Heartbeat, SyncHistory, SyncRecord, SyncStatus, Task

MOST_LINES, MOST_CALLS, MOST_TASKS = 500, 300, 200
SILENT_AFTER = timedelta(seconds=60)  # the clock beats every few seconds
PLACED, SEEN, ASKED, TAKEN, CALLED, TOLD = range(6)  # of what happened in the same moment
OWN_LINES = ("retried", "put back", "skipped")  # actions of the audit that the history of the record tells anyway


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened. With a `call`, its bodies can be opened."""

    at: datetime
    rank: int
    title: str
    tone: str = "quiet"
    status: str = ""
    where: str = ""  # the profile or the system
    call: DataLog | None = None
    ids: Sequence[tuple[str, str]] = ()  # learned with it
    message: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """`cut`: there is more than is shown."""

    events: Sequence[Event]
    cut: bool = False


def timeline(session: Session, records: Sequence[SyncRecord], shown: Mapping[int, Shown], *, newest: bool) -> Timeline:
    """What happened to these records of one order; `shown` holds the profile of each."""
    ids = [one.id for one in records]
    wheres = _wheres(records, shown)
    lines = session.scalars(
        select(SyncHistory).where(SyncHistory.record_id.in_(ids)).order_by(SyncHistory.id.desc()).limit(MOST_LINES)
    ).all()
    calls = _calls(session, records, shown)
    tasks = _tasks(session, records, lines)
    events = [
        *_beginnings(records, shown),
        *_lines(lines, records, shown, wheres),
        *_taken(lines, calls, tasks, records, wheres),
        *_asked(tasks, records, wheres),
        *_calls_made(calls, shown),
        *_people(session, ids),
    ]
    events.sort(key=lambda event: (event.at, event.rank))
    return Timeline(events=events[::-1] if newest else events, cut=len(lines) >= MOST_LINES or len(calls) >= MOST_CALLS)


def _wheres(records: Sequence[SyncRecord], shown: Mapping[int, Shown]) -> dict[int, str]:
    """What tells a record from the others of the story: its profile, its kind; nothing where it is alone."""
    found = {}
    for one in records:
        profile = shown[one.profile_id].profile.name if len(shown) > 1 else ""
        named = shown[one.profile_id].named(one) if one.kind else ""
        found[one.id] = " · ".join(part for part in (profile, named) if part)
    return found


def _numbers(records: Iterable[SyncRecord]) -> set[str]:
    return {one.source_number or one.source_id for one in records}


def _calls(session: Session, records: Sequence[SyncRecord], shown: Mapping[int, Shown]) -> Sequence[DataLog]:
    connections = {id for one in shown.values() for id in (one.source.id, one.target.id)}
    query = select(DataLog).where(DataLog.reference.in_(_numbers(records)), DataLog.connection_id.in_(connections))
    return session.scalars(query.order_by(DataLog.id.desc()).limit(MOST_CALLS)).all()


def _tasks(session: Session, records: Sequence[SyncRecord], lines: Sequence[SyncHistory]) -> dict[int, Task]:
    """The runs that worked on it, and those that a person asked for."""
    worked = {line.task_id for line in lines if line.task_id is not None}
    found = {one.id: one for one in session.scalars(select(Task).where(Task.id.in_(worked)))} if worked else {}
    numbers = _numbers(records)
    for profile_id in {one.profile_id for one in records}:
        newest = select(Task).where(Task.profile_id == profile_id).order_by(Task.id.desc()).limit(MOST_TASKS)
        for task in session.scalars(newest):
            if task.asked_by and (task.request or {}).get("order") in numbers:
                found[task.id] = task
    return found


def _beginnings(records: Sequence[SyncRecord], shown: Mapping[int, Shown]) -> Iterable[Event]:
    placed: set[tuple[int, str | None]] = set()
    for record in sorted(records, key=lambda one: (one.source_created_at or one.created_at, one.id)):
        one = shown[record.profile_id]
        if one.of_events:
            yield from _event(record, one)
            continue
        origin = (one.source.id, record.source_id)
        new = origin not in placed  # what was brought there was not placed there
        placed |= {origin, (one.target.id, record.target_id)}
        if record.source_created_at and new:
            title = _("Placed in {system}.", system=one.source.name)
            if record.kind:
                title = _("{what} was made in {system}.", what=_capital(one.named(record)), system=one.source.name)
            yield Event(at=record.source_created_at, rank=PLACED, title=title, tone="info")
        title = _("Seen for the first time by the profile {profile}.", profile=one.profile.name)
        where = one.named(record) if record.kind else ""
        yield Event(at=record.created_at, rank=SEEN, title=title, where=where)


def _event(record: SyncRecord, shown: Shown) -> Iterable[Event]:
    """What happened, that an execution followed from; its first line of history says the rest."""
    had = happened(record.refs)
    if had is None or shown.declared is None or not issubclass(shown.declared.source, Watch):
        return
    label = next((_(one.label) for one in shown.declared.source.events if one.code == had.event), had.event)
    what = f"{label}: {had.before or '–'} → {had.status}" if had.event == STATUS else label
    title = _("{event}, in {system}.", event=what, system=shown.source.name)
    yield Event(at=had.at, rank=PLACED, title=title, where=shown.named(record), tone="info")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _lines(
    lines: Sequence[SyncHistory],
    records: Sequence[SyncRecord],
    shown: Mapping[int, Shown],
    wheres: Mapping[int, str],
) -> Iterable[Event]:
    by_id = {one.id: one for one in records}
    named: set[int] = set()  # records whose ids were told
    for line in reversed(lines):
        record = by_id[line.record_id]
        learned: list[tuple[str, str]] = []
        if line.target_id and line.record_id not in named:
            named.add(line.record_id)
            learned = labelled(shown[record.profile_id], record)
        yield Event(
            at=line.created_at,
            rank=TOLD,
            title="",
            status=line.status,
            tone=STATUSES.get(line.status, ("", "quiet"))[1],
            message=told(line.message),
            where=wheres[record.id],
            ids=learned,
        )


def labelled(shown: Shown, record: SyncRecord) -> list[tuple[str, str]]:
    """The ids that are known at the target, as its columns name them. What no column names is the target's own note."""
    refs = {key: str(value) for key, value in (record.refs or {}).items() if value not in (None, "")}
    if shown.declared is None:
        return [(key.replace("_", " "), value) for key, value in refs.items() if key != FACTS]
    key_ref = shown.declared.target.key_ref
    if record.target_id:
        refs.setdefault(key_ref, record.target_id)
    known = [(_(ref.label), refs[ref.key]) for ref in shown.declared.refs if ref.key in refs]
    if key_ref in refs and all(ref.key != key_ref for ref in shown.declared.refs):
        known.insert(0, (shown.key_label, refs[key_ref]))
    return known


def sought(records: Sequence[SyncRecord], shown: Mapping[int, Shown]) -> list[tuple[str, str]]:
    """What people look for first, from all records of the order: each value once, by label."""
    found: dict[str, dict[str, None]] = {}
    for record in records:
        declared = shown[record.profile_id].declared
        for ref in declared.refs if declared else ():
            if ref.sought and (value := (record.refs or {}).get(ref.key)):
                found.setdefault(_(ref.label), {}).update(dict.fromkeys(str(value).split(", ")))
    return [(label, ", ".join(values)) for label, values in found.items()]


def _taken(
    lines: Sequence[SyncHistory],
    calls: Sequence[DataLog],
    tasks: Mapping[int, Task],
    records: Sequence[SyncRecord],
    wheres: Mapping[int, str],
) -> Iterable[Event]:
    """When a run took it up: no line is written for that, but its first call or its beginning tell."""
    by_id = {one.id: one for one in records}
    told_already: set[int] = set()
    for line in reversed(lines):
        if line.task_id not in tasks or line.task_id in told_already:
            continue
        told_already.add(line.task_id)  # once, however many records of the order it worked on
        task = tasks[line.task_id]
        made = [call.created_at - timedelta(seconds=call.seconds) for call in calls if call.task_id == task.id]
        at = min([line.created_at, *made]) if made else min(task.executed_at or line.created_at, line.created_at)
        at = max(at, by_id[line.record_id].created_at)  # the run may have begun long before
        where = wheres[line.record_id].partition(" · ")[0]
        yield Event(at=at, rank=TAKEN, title=_run(task), where=where, tone="busy")
    for record in records:
        if record.status == SyncStatus.PROCESSING:
            title = _("Taken up; it is being sent now (attempt {n}).", n=record.attempts)
            yield Event(at=record.updated_at, rank=TAKEN, title=title, where=wheres[record.id], tone="busy")


def _run(task: Task) -> str:
    if task.asked_by:
        return _("Taken up by task {id}, which {person} asked for.", id=task.id, person=task.asked_by)
    return _("Taken up by task {id}, on schedule.", id=task.id)


def _asked(tasks: Mapping[int, Task], records: Sequence[SyncRecord], wheres: Mapping[int, str]) -> Iterable[Event]:
    numbers = _numbers(records)
    profiles = {one.profile_id: wheres[one.id] for one in reversed(records)}
    for task in tasks.values():
        if task.asked_by and (task.request or {}).get("order") in numbers:
            title = _("{person} asked for a run of this one (task {id}).", person=task.asked_by, id=task.id)
            if (task.request or {}).get("dry_run"):
                title = _("{person} asked for a dry run of this one (task {id}).", person=task.asked_by, id=task.id)
            if task.status == "error" and task.message:
                title = f"{title} {told(task.message)}"
            where = profiles[task.profile_id]
            tone = "bad" if task.status == "error" else "info"
            yield Event(at=task.created_at, rank=ASKED, title=title, where=where, tone=tone)


def _calls_made(calls: Sequence[DataLog], shown: Mapping[int, Shown]) -> Iterable[Event]:
    names = {end.id: end.name for one in shown.values() for end in (one.source, one.target)}
    for call in calls:
        bad = call.status is None or call.status >= 400
        tone = "bad" if bad else "quiet"
        where, note = names[call.connection_id], dry_run(call.dry_run_by)
        yield Event(at=call.created_at, rank=CALLED, title="", call=call, where=where, tone=tone, note=note)


def dry_run(by: str | None) -> str:
    """That a call was made for a dry run, and for whose; nothing for all others."""
    if by is None:
        return ""
    if by == COMMAND_LINE:
        return _("dry run on the command line")
    return _("dry run by {person}", person=by) if by else _("dry run")


def _people(session: Session, ids: Sequence[int]) -> Iterable[Event]:
    query = select(Audit).where(Audit.kind == "record", Audit.subject_id.in_(ids), Audit.action.not_in(OWN_LINES))
    for line in session.scalars(query.order_by(Audit.id.desc()).limit(MOST_TASKS)):
        title = _("{person}: {action}", person=line.person, action=_(line.action))
        yield Event(at=line.created_at, rank=ASKED, title=title, tone="info")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Where the order is, in one sentence, for the top of its page."""

    tone: str
    icon: str
    sentence: Markup


def brought(
    shown: Shown, record: SyncRecord, kin: Sequence[SyncRecord], all_shown: Mapping[int, Shown]
) -> SyncRecord | None:
    """The record of another profile that brought the same order into the same system, where this one did not."""
    if shown.of_events or record.target_id not in (None, ""):
        return None
    there = (one for one in kin if one.id != record.id and one.target_id not in (None, ""))
    return next((one for one in there if all_shown[one.profile_id].target.id == shown.target.id), None)


def answer(shown: Shown, record: SyncRecord, other: SyncRecord | None = None, by: str = "") -> Answer:
    """The whole truth in one sentence. `other`: the record with which the profile `by` brought the order there."""
    icon, tone = STATUSES.get(record.status, ("dot", "quiet"))
    zone = shown.profile.timezone
    there = record.target_id not in (None, "")
    facts: dict[str, Any] = {
        "entity": shown.entity,
        "number": Markup("<b>{}</b>").format(
            record.source_id
            if record.kind and shown.entity != shown.subject
            else record.source_number or record.source_id
        ),
        "system": shown.target.name,
        "source": shown.source.name,
        "id": Markup("<b>{}</b>").format(record.target_id or (other.target_id if other else "") or ""),
        "profile": by,
        "since": when(record.processed_at or record.updated_at, zone),
        "status": _(record.status),
        "next": when(record.next_attempt_at, zone) if record.next_attempt_at else "",
    }
    if shown.of_events:
        return Answer(tone=tone, icon=icon, sentence=_of_event(shown, record, facts))
    if record.status in (SyncStatus.COMPLETE, SyncStatus.UPDATED):
        said = _("{entity} {number} is in {system} as {id}: {status}, {since}.")
        if not there:
            said = _("{entity} {number} is in {system}: {status}, {since}.")
    elif record.status == SyncStatus.FAILED:
        said = _("{entity} {number} is not in {system}: it failed {since}.")
        if other is not None:
            said = _(
                "{entity} {number} is in {system} as {id}, brought by the profile {profile}. Here it failed {since}."
            )
        if there:
            said = _("{entity} {number} is in {system} as {id}, but the last attempt failed {since}.")
    elif record.status == SyncStatus.SKIPPED:
        said = _("{entity} {number} was left out {since}.")
        if other is not None:
            said = _(
                "{entity} {number} is in {system} as {id}, brought by the profile {profile}. Here it was left out {since}."
            )
        if there:
            said = _("{entity} {number} is in {system} as {id}; its last change was left out {since}.")
    elif record.status == SyncStatus.PROCESSING:
        said = _("{entity} {number} is being sent to {system} right now.")
    else:
        said = _("{entity} {number} waits to be sent to {system}.")
        if record.next_attempt_at and record.next_attempt_at > now():
            said = _("{entity} {number} waits to be sent to {system}; the next attempt is {next}.")
        elif there:
            said = _("{entity} {number} is in {system} as {id} and waits to be brought up to date.")
    return Answer(tone=tone, icon=icon, sentence=escape(said).format(**facts))


def _of_event(shown: Shown, record: SyncRecord, facts: Mapping[str, Any]) -> Markup:
    """What became of an event procedure, in one sentence."""
    number = Markup("<b>{}</b>").format(record.source_number or record.source_id)
    said = {
        SyncStatus.COMPLETE: _("The {procedure} was carried out for order {number} {since}."),
        SyncStatus.UPDATED: _("The {procedure} was carried out for order {number} {since}."),
        SyncStatus.FAILED: _("The {procedure} for order {number} failed {since}."),
        SyncStatus.SKIPPED: _("The {procedure} was left out for order {number} {since}."),
        SyncStatus.PROCESSING: _("The {procedure} for order {number} is being carried out right now."),
    }.get(SyncStatus(record.status), _("The {procedure} waits to be carried out for order {number}."))
    if record.status == SyncStatus.PENDING and record.next_attempt_at and record.next_attempt_at > now():
        said = _("The {procedure} waits to be carried out for order {number}; the next attempt is {next}.")
    return escape(said).format(**{**facts, "procedure": shown.named(record), "number": number})


def stopped(session: Session, record: SyncRecord) -> Task | None:
    """The last run of the profile, where it ended in an error and a record waits since: it is why it waits."""
    if record.status != SyncStatus.PENDING:
        return None
    ended = select(Task).where(Task.profile_id == record.profile_id, Task.finished_at.is_not(None))
    task = session.scalars(ended.order_by(Task.id.desc()).limit(1)).first()
    if task is None or task.status != "error" or not task.message or (task.finished_at or now()) < record.created_at:
        return None
    return task


def clock_ticks(session: Session) -> bool:
    beat = session.scalar(select(Heartbeat.beat_at).order_by(Heartbeat.beat_at.desc()).limit(1))
    return beat is not None and now() - beat < SILENT_AFTER
