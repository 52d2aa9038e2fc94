"""A profile as it shall be: what is wrong with it, and what would change."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from marshmallow.fields import Field
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from admin import audit
from admin.configuration.document import Fault, ProfileSpec, near
from admin.configuration.lookup import connection
from admin.configuration.procedures import Procedures, exported
from admin.configuration.references import (
    by_path,
    by_scope,
    is_reference,
    misspelt,
    secret_spots,
    settings_variable,
    stands_for,
    value_at,
)
from admin.configuration.words import differences, name_problems, plain, shown, subject
from connector.settings import Problem
from profiles import models
from profiles.db import now
from profiles.events import ENTITY, Declared, declared
from profiles.secrets import HIDDEN, SEALED, opened, seal_text
from profiles.settings import check as check_settings
from profiles.wiring import declarations
from scheduler import cron, tasks

DIRECTIONS = ("export", "import")
_ACTIONS = {frozenset({"name"}): "renamed", frozenset({"settings"}): "saved settings"}  # in the audit


class ProfilePlan:
    """One profile as it shall be: what is wrong with it, and what would change."""

    def __init__(
        self, session: Session, spec: ProfileSpec, systems: Mapping[str, str], now_called: str | None = None
    ) -> None:
        self.spec = spec
        self.faults: list[Fault] = []
        self.subject = subject("profile", spec.name)
        called = spec.name if now_called is None else now_called
        self.stored = session.scalar(select(models.Profile).where(models.Profile.name == called))
        for sentence in name_problems(spec.name):
            self._fault("name", sentence)
        taken = select(exists().where(models.Profile.name == spec.name))
        if called != spec.name and session.scalar(taken):
            self._fault("name", "Another profile has this name.")
        if spec.direction not in DIRECTIONS:
            hint = near(spec.direction, DIRECTIONS)
            self._fault("direction", f"It must be export or import, not {spec.direction!r}.{hint}")
        self._check_time()
        self._known: dict[str, Field[Any]] = {}
        self.settings = self._checked_settings(systems)
        told = self._offered(systems)
        self.procedures = Procedures(session, self.stored, spec.procedures, told, self.subject, spec.source)
        self.faults += self.procedures.faults
        self._before = self._stored_fields(session)
        self._check_move(session)
        self.changes = [] if self.faults else self._changes()

    def _fault(self, path: str, sentence: str) -> None:
        self.faults.append(Fault(path, sentence, self.subject))

    def _check_time(self) -> None:
        if problem := _cron_problem("* * * * *", self.spec.timezone):
            self._fault("timezone", problem)
        if problem := _cron_problem(self.spec.cron, "UTC"):
            self._fault("cron", problem)

    def _checked_settings(self, systems: Mapping[str, str]) -> dict[str, Any]:
        ends = (("from", self.spec.source), ("to", self.spec.target))
        for path, name in ends:
            if name not in systems:
                hint = near(name, systems) or (f" There are: {', '.join(systems)}." if systems else "")
                self._fault(path, f"There is no connection {name!r}.{hint}")
        if any(name not in systems for _, name in ends):
            return {}
        try:
            found = declarations(systems[self.spec.source], systems[self.spec.target], self.spec.entity)
        except LookupError as error:
            self._fault("entity", str(error.args[0]))
            return {}
        self._known = {one.name: one.field for one in found.settings}
        try:
            checked = check_settings(found.schemas, self._with_kept_values())
            self._check_references(checked)
            return self._sealed(checked)
        except Problem as error:
            for path, sentences in error.problems.items():
                self._fault(f"settings.{path}", " ".join(sentences))
            return {}

    def _offered(self, systems: Mapping[str, str]) -> Declared | None:
        """What the two systems offer for event procedures; None where this is no profile of events."""
        if self.spec.entity != ENTITY or {self.spec.source, self.spec.target} - systems.keys():
            return None
        try:
            return declared(systems[self.spec.source], systems[self.spec.target])
        except LookupError:
            return None  # said of the entity already

    def _check_references(self, settings: Mapping[str, Any]) -> None:
        for path, values in by_path(settings):
            for spot in secret_spots(self._known, values):
                if wrong := misspelt(spot.value):
                    self._fault(".".join(("settings", *path, *spot.path)), wrong)

    def _with_kept_values(self) -> dict[str, Any]:
        """The given settings; what is hidden in them, by a form or by export, is the stored value.

        Export hides every text of settings whose connector is gone. So any value may be one that is kept, and it is
        kept only where the very reference that export wrote stands in its place.
        """
        settings = deepcopy(dict(self.spec.settings))
        before = dict(by_scope(self.stored.settings)) if self.stored else {}
        for scope, values in by_scope(settings) if before else ():
            for spot in secret_spots({}, values):
                stored = value_at(before.get(scope), spot.path)
                hidden = spot.value == HIDDEN and stored is not None
                if hidden or stands_for(spot.value, settings_variable(self.spec.name, scope, spot.path), stored):
                    spot.put(stored)
        return settings

    def _sealed(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings with their secrets encrypted; one that says the same as before stays as it is stored."""
        before = dict(by_scope(self.stored.settings)) if self.stored else {}
        for scope, values in by_scope(settings):
            for spot in secret_spots(self._known, values):
                stored = value_at(before.get(scope), spot.path)
                if isinstance(stored, str) and stored.startswith(SEALED) and opened(stored) == spot.value:
                    spot.put(stored)
                elif isinstance(spot.value, str):
                    spot.put(seal_text(spot.value))
        return settings

    def _masked(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings as they may be seen."""
        shown = deepcopy(dict(settings))
        for _scope, values in by_scope(shown):
            for spot in secret_spots(self._known, values):
                if not is_reference(spot.value):
                    spot.put(HIDDEN)
        return shown

    def _stored_fields(self, session: Session) -> dict[str, Any]:
        row = self.stored
        if row is None:
            return {}
        return {
            "name": row.name,
            "entity": row.entity,
            "direction": row.direction,
            "from": session.get_one(models.Connection, row.from_id).name,
            "to": session.get_one(models.Connection, row.to_id).name,
            "active": row.active,
            "cron": row.cron,
            "timezone": row.timezone,
        }

    def _fields(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "name": spec.name,
            "entity": spec.entity,
            "direction": spec.direction,
            "from": spec.source,
            "to": spec.target,
            "active": spec.active,
            "cron": spec.cron,
            "timezone": spec.timezone,
        }

    def _check_move(self, session: Session) -> None:
        """A profile with records keeps its ends: their keys mean something at these two systems only. One that runs
        keeps them too: what it does, no other profile may do meanwhile."""
        if self.stored is None:
            return
        moved = [key for key in ("entity", "from", "to") if self._before[key] != self._fields()[key]]
        records = exists().where(models.SyncRecord.profile_id == self.stored.id)
        running = exists().where(models.Task.profile_id == self.stored.id, models.Task.status == "processing")
        if moved and session.scalar(select(records)):
            for key in moved:
                self._fault(key, "It cannot be changed: the profile has records already. Make a new profile.")
        elif moved and session.scalar(select(running)):
            for key in moved:
                self._fault(key, "It cannot be changed: the profile is running now. Stop the run first.")

    def _changes(self) -> list[str]:
        if self.stored is None:
            ends = f"{self.spec.entity} {self.spec.direction} from {self.spec.source} to {self.spec.target}"
            active = "active" if self.spec.active else "not active"
            new = f"{self.subject}: new, {ends}, {active}, {self.spec.cron} ({self.spec.timezone})"
            return [new, *(f"{self.subject}, {one}" for one in self.procedures.changes)]
        said = [
            f"{key}: {plain(self._before[key])} → {plain(value)}"
            for key, value in self._fields().items()
            if self._before[key] != value
        ]
        seen = (self._masked(self.stored.settings), self._masked(self.settings))
        said += differences("settings", (self.stored.settings, self.settings), seen)
        return [f"{self.subject}, {one}" for one in [*said, *self.procedures.changes]]

    def write(self, session: Session, by: str | None) -> None:
        moment, spec = now(), self.spec
        ends = [connection(session, name).id for name in (spec.source, spec.target)]
        row = self.stored
        before = {**self._before, "settings": row.settings} if row is not None else None
        if row is None:
            row = models.Profile(settings={}, settings_version=0, created_at=moment)
            session.add(row)
        row.name, row.entity, row.direction = spec.name, spec.entity, spec.direction
        row.from_id, row.to_id = ends
        row.active, row.cron, row.timezone, row.updated_at = spec.active, spec.cron, spec.timezone, moment
        versioned = row.settings_version == 0 or shown(row.settings) != shown(self.settings)
        if versioned:
            row.settings, row.settings_version = self.settings, row.settings_version + 1
        session.flush()
        if versioned:
            session.add(
                models.SettingsVersion(
                    profile_id=row.id,
                    version=row.settings_version,
                    settings=self.settings,
                    author=by,
                    created_at=moment,
                )
            )
        tasks.keep_planned(session, row)
        had = exported(self.procedures.rows) if before is not None else []
        self.procedures.write(session, row)
        self._note(session, row, by, before)
        self._note_procedures(session, row, by, had)
        session.flush()

    def _note(self, session: Session, row: models.Profile, by: str | None, before: dict[str, Any] | None) -> None:
        after = {**self._fields(), "settings": row.settings}
        if before is not None:
            before["settings"] = self._sealed_alike(before["settings"], row.settings)
        changed = set(after) if before is None else {key for key in after if before[key] != after[key]}
        if not changed:
            return
        action = "created" if before is None else _ACTIONS.get(frozenset(changed), "changed")
        if changed == {"active"}:
            action = "switched on" if row.active else "switched off"
        audit.note(
            session, by, action, "profile", row.name, subject_id=row.id, before=before, after=after, mask=self._seen
        )

    def _note_procedures(
        self, session: Session, row: models.Profile, by: str | None, before: list[dict[str, Any]]
    ) -> None:
        if self.procedures.changes:
            after = self.procedures.wanted_named
            audit.note(
                session,
                by,
                "changed event procedures",
                "profile",
                row.name,
                subject_id=row.id,
                before={"procedures": before},
                after={"procedures": after},
            )

    def _sealed_alike(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
        """The settings before; a secret that was only sealed since then did not change."""
        made, scopes = deepcopy(dict(before)), dict(by_scope(after))
        for scope, values in by_scope(made):
            for spot in secret_spots(self._known, values):
                new = value_at(scopes.get(scope), spot.path)
                if isinstance(new, str) and new.startswith(SEALED) and opened(new) == spot.value:
                    spot.put(new)
        return made

    def _seen(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the audit, secrets masked."""
        return {key: self._masked(value) if key == "settings" else value for key, value in values.items()}


def _cron_problem(expression: str, timezone: str) -> str | None:
    try:
        cron.check(expression, timezone)
    except cron.CronProblem as error:
        return str(error)
    return None
