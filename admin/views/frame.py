"""The frame of one profile: its head, its tabs, and what its connectors declare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import abort, g
from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration import ProfileSpec
from admin.derive import Words
from admin.views import gaps
from admin.views.base import View
from admin.views.collected import catalogues
from admin.views.present import kind
from admin.views.words import _, later, phrase
from connector.settings import Setting
from profiles import history
from profiles.events import ENTITY as EVENT
from profiles.models import Connection, EventProcedure, Profile, SyncRecord
from profiles.settings import resolve
from profiles.wiring import Declarations, declarations


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A profile as its pages need it. `declared` is None when a connector is missing; `trouble` says why."""

    profile: Profile
    source: Connection
    target: Connection
    declared: Declarations | None
    trouble: str = ""
    words: Words = field(default_factory=Words)
    unmapped: int = 0  # values that records had and that no needed mapping knows
    defaulted: Sequence[tuple[Setting, int]] = ()  # how many go the default's way for want of a row, by mapping
    procedures: Mapping[int, str] = field(default_factory=dict)  # names of its event procedures, by id

    @property
    def entity(self) -> str:
        return entity_word(self.profile.entity)

    @property
    def key_label(self) -> str:
        """What the target calls its id of the record."""
        if self.declared is not None:
            for ref in self.declared.refs:
                if ref.key == self.declared.target.key_ref:
                    return _(ref.label)
        return _("Target ID")

    @property
    def of_events(self) -> bool:
        """Its records are executions of event procedures."""
        return self.profile.entity == EVENT

    @property
    def subject(self) -> str:
        """What the number of a record is of: an event happens to an order, and a return goes by the order's number."""
        return _(self._subject)

    @property
    def number_label(self) -> str:
        """The column of that number, as the guide calls it."""
        return phrase("{entity} ID", entity=self._subject)

    @property
    def _subject(self) -> str:
        return "Order" if self.profile.entity in history.NUMBERED else english(self.profile.entity).capitalize()

    def named(self, record: SyncRecord) -> str:
        """Of what belongs to an order: its kind and its own id, "credit note 700030"; an event procedure by its name."""
        if not self.of_events:
            return f"{kind(record.kind)} {record.source_id}"
        _order, stroke, last = record.source_id.rpartition("/")
        name = self.procedures.get(int(last)) if stroke and last.isdecimal() else None
        return _("event procedure “{name}”", name=name or _("deleted"))

    @property
    def records_word(self) -> str:
        """The tab with the state of all records."""
        if self.of_events:
            return _("Executions")
        return phrase("{entity} synchronisation", entity=english(self.profile.entity).capitalize())

    @property
    def history_word(self) -> str:
        if self.of_events:
            return _("Execution history")
        return phrase("{entity} synchronisation history", entity=english(self.profile.entity).capitalize())

    def tabs(self) -> list[tuple[str, str]]:
        settings = _("Import settings") if self.profile.direction == "import" else _("Export settings")
        if self.of_events:
            settings = _("Settings")
        if open := self.unmapped + sum(count for _one, count in self.defaulted):
            settings = _("{tab} ({n})", tab=settings, n=open)
        return [
            ("profile.index", _("Profile settings")),
            *([("procedures.index", _("Event procedures"))] if self.of_events else []),
            ("options.index", settings),
            ("records.index", self.records_word),
            ("record_history.index", self.history_word),
            ("tasks.index", _("Schedule")),
            ("task_history.index", _("Schedule history")),
            ("dry_run.index", _("Dry run")),
        ]

    def spec(self, **changed: Any) -> ProfileSpec:
        """The profile as `configuration` takes it, with some values changed."""
        row = self.profile
        values: dict[str, Any] = {
            "name": row.name,
            "entity": row.entity,
            "direction": row.direction,
            "source": self.source.name,
            "target": self.target.name,
            "cron": row.cron,
            "active": row.active,
            "timezone": row.timezone,
            "settings": row.settings,
        }
        return ProfileSpec(**{**values, **changed})


# what the words of entities and directions make, for the translators
PHRASES = (
    later("{entity} synchronisation"), later("{entity} synchronisation history"),
    later("Order synchronisation"), later("Order synchronisation history"),
    later("Order ID"), later("Return ID"), later("{entity} ID"),
    later("Order"), later("order"), later("export"), later("import"), later("Return"), later("return"),
    later("Event"), later("event"), later("Return synchronisation"), later("Return synchronisation history"),
)  # fmt: skip


class ProfilePage(View):
    """A tab of one profile; its address holds `<int:profile_id>`."""

    def show(self, session: Session, profile_id: int) -> Shown:
        profile = session.get(Profile, profile_id)
        if profile is None:
            abort(404)
        g.zone = profile.timezone  # times that stored sentences say
        return shown_of(session, profile)


def shown_of(session: Session, profile: Profile) -> Shown:
    source = session.get_one(Connection, profile.from_id)
    target = session.get_one(Connection, profile.to_id)
    words = Words(direction=profile.direction, entity=english(profile.entity))
    try:
        found, trouble = declarations(source.connector, target.connector, profile.entity), ""
    except LookupError as error:
        found, trouble = None, str(error.args[0])
    entries = catalogues(session, profile)
    return Shown(
        profile=profile,
        source=source,
        target=target,
        declared=found,
        trouble=trouble,
        words=words,
        unmapped=gaps.count(profile, found, entries) if found else 0,
        defaulted=gaps.defaulted(profile, found, entries) if found else (),
        procedures=_procedures(session, profile),
    )


def _procedures(session: Session, profile: Profile) -> Mapping[int, str]:
    if profile.entity != EVENT:
        return {}
    row = EventProcedure
    return {one.id: one.name for one in session.scalars(select(row).where(row.profile_id == profile.id))}


def english(entity: str) -> str:
    """The entity as declarations name it: credit_note → credit note."""
    return entity.replace("_", " ")


def entity_word(entity: str) -> str:
    """The word of the tabs: order → Order."""
    return _(english(entity).capitalize())


def missing_settings(session: Session, profile: Profile) -> list[str]:
    """The labels of what must be set before the first run and is not; nothing where a connector is gone."""
    ends = [session.get_one(Connection, one).connector for one in (profile.from_id, profile.to_id)]
    try:
        found = declarations(ends[0], ends[1], profile.entity)
    except LookupError:
        return []
    words = Words(direction=profile.direction, entity=english(profile.entity))
    options = resolve(found.schemas, profile.settings or {}).options
    return [
        words(_(one.label))
        for one in found.settings
        if one.required and options.get(one.name) in (None, "", [], {}) and one.matters(options)
    ]


def faults_by_path(faults: Any) -> dict[str, list[str]]:
    """The problems of a refused form by the path of each value."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.path, []).append(fault.sentence)
    return found
