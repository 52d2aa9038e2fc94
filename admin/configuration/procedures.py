"""The event procedures of a profile as they shall be: what is wrong with them, and what would change."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from admin.configuration.document import Fault, ProcedureSpec, near
from admin.configuration.words import differences, name_problems
from connector.procedures import STATUS
from connector.settings import Problem, declared, ident, load, to_json
from profiles import models
from profiles.db import now
from profiles.events import Declared, short_names

NUMBER = re.compile(r"\d+(?:\.\d+)?$")
STATUSES = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:[-–]\s*(\d+(?:\.\d+)?))?\s*$")
FIELDS = ("active", "event", "status", "filters", "procedure", "settings")


class Procedures:
    """All event procedures of one profile. `specs` None: they stay as they are."""

    def __init__(
        self,
        session: Session,
        profile: models.Profile | None,
        specs: Sequence[ProcedureSpec] | None,
        told: Declared | None,
        subject: str,
        source: str = "",
    ) -> None:
        self.faults: list[Fault] = []
        self.values = Values(session, source, told)
        self.subject = subject
        self.told = told
        row = models.EventProcedure
        query = select(row).where(row.profile_id == (profile.id if profile else 0)).order_by(row.position, row.id)
        self.stored = {one.name: one for one in session.scalars(query)}
        self.specs = specs
        self.called = [self._called(one) for one in specs or ()]
        self.wanted = [self._checked(number, one) for number, one in enumerate(specs or ())]
        if specs and told is None:
            self._fault("procedures", "Only a profile of events has event procedures.")

    def _called(self, spec: ProcedureSpec) -> str:
        """The name by which it is stored."""
        return spec.now_called if spec.now_called in self.stored else spec.name

    def _fault(self, path: str, sentence: str) -> None:
        self.faults.append(Fault(path, sentence, self.subject))

    def _checked(self, number: int, spec: ProcedureSpec) -> dict[str, Any]:
        """The row's values. Faults name their place in the file."""
        at = f"procedures.{number}"
        for sentence in name_problems(spec.name):
            self._fault(f"{at}.name", sentence)
        if spec.name in [one.name for one in (self.specs or ())[:number]]:
            self._fault(f"{at}.name", "Another event procedure has this name.")
        made = {
            "active": spec.active,
            "event": spec.event,
            "status": list(self._statuses(at, spec)),
            "filters": {code: self._filter(at, code, values) for code, values in spec.filters.items() if values},
            "procedure": spec.procedure,
            "settings": dict(spec.settings),
        }
        if self.told is None:
            return made
        for code, known, path in (
            (spec.event, self.told.events, "event"),
            (spec.procedure, self.told.procedures, "procedure"),
            *((code, self.told.filters, f"filters.{code}") for code in spec.filters),
        ):
            if code not in known:
                self._fault(
                    f"{at}.{path}",
                    f"There is no {path.partition('.')[0].rstrip('s')} {code!r}.{near(code, known)} "
                    f"Known are: {', '.join(known)}.",
                )
        self._check_choices(at, spec)
        found = self.told.procedures.get(spec.procedure)
        if found is not None:
            try:
                made["settings"] = {key: to_json(value) for key, value in load(spec.settings, found.Options).items()}
            except Problem as error:
                for path, sentences in error.problems.items():
                    self._fault(f"{at}.settings.{path}", " ".join(sentences))
            for one in declared(found.Options):
                if one.required and one.default is None and made["settings"].get(one.name) in (None, ""):
                    self._fault(f"{at}.settings.{one.name}", f"{one.label} is missing.")
        return made

    def _filter(self, at: str, code: str, values: Sequence[str]) -> list[str]:
        """The values as they are compared. Whether a list has them is not asked: it may be collected later."""
        made = [self.values.id(code, one) for one in values]
        for value, id in zip(values, made, strict=True):
            if self.values.no_number(code, id):
                ways = ", nor one of the short names of its list" if self.values.named(code) else ""
                said = f"{value!r} is not a number, as the ids of this list are{ways}."
                self._fault(f"{at}.filters.{code}", said)
        return made

    def _check_choices(self, at: str, spec: ProcedureSpec) -> None:
        """The filters with fixed choices; those of a catalogue may name what is collected later."""
        for code, values in spec.filters.items():
            known = {value for value, _ in self.told.filters[code].choices} if self._filter_of(code) else set()
            for value in values:
                if known and ident(value) not in known:
                    self._fault(
                        f"{at}.filters.{code}", f"{value!r} is none of: {', '.join(sorted(known))}.{near(value, known)}"
                    )

    def _filter_of(self, code: str) -> bool:
        return self.told is not None and code in self.told.filters and bool(self.told.filters[code].choices)

    def _statuses(self, at: str, spec: ProcedureSpec) -> Iterator[str]:
        known = self.told is None or spec.event in self.told.events
        if spec.status and spec.event != STATUS and known:
            self._fault(f"{at}.status", "Only a change of status has statuses.")
        for one in spec.status:
            found = STATUSES.match(one)
            if found is None:
                yield one.strip()  # a system may name its statuses in words
                if self.told is not None and self.told.numbered:
                    self._fault(f"{at}.status", f"{one!r} is not a status: a number, or a range as 7-7.99.")
                continue
            low, high = found.groups()
            if high is not None and float(high) < float(low):
                self._fault(f"{at}.status", f"The range {one} ends before it begins.")
            yield ident(low) if high is None else f"{ident(low)}-{ident(high)}"

    @property
    def rows(self) -> list[models.EventProcedure]:
        return list(self.stored.values())

    @property
    def wanted_named(self) -> list[dict[str, Any]]:
        return [{"name": spec.name, **values} for spec, values in zip(self.specs or (), self.wanted, strict=True)]

    @property
    def changes(self) -> list[str]:
        if self.specs is None:
            return []
        said = []
        for position, (spec, called, values) in enumerate(zip(self.specs, self.called, self.wanted, strict=True), 1):
            row = self.stored.get(called)
            label = f"event procedure {spec.name!r}"
            if row is None:
                said.append(f"{label}: new, {values['event']} → {values['procedure']}")
                continue
            if called != spec.name:
                said.append(f"{label}: it was {called!r}")
            before = {**_values(row), "position": row.position}
            after = {**values, "position": position}
            for key in after:
                said += [
                    f"{label}, {one}" for one in differences(key, (before[key], after[key]), (before[key], after[key]))
                ]
        kept = set(self.called)
        return said + [f"event procedure {name!r}: deleted" for name in self.stored if name not in kept]

    def write(self, session: Session, profile: models.Profile) -> None:
        if self.specs is None:
            return
        moment, kept = now(), set(self.called)
        for name, row in self.stored.items():
            if name not in kept:
                session.delete(row)
        session.flush()
        for position, (spec, called, values) in enumerate(zip(self.specs, self.called, self.wanted, strict=True), 1):
            found = self.stored.get(called)
            if found is None:
                found = models.EventProcedure(profile_id=profile.id, created_at=moment)
                session.add(found)
            same = (found.name, found.position) == (spec.name, position)
            if same and all(getattr(found, key, None) == values[key] for key in FIELDS):
                continue
            found.name, found.position, found.updated_at = spec.name, position, moment
            for key in FIELDS:
                setattr(found, key, values[key])


class Values:
    """The values that people may give to filters of one watched connection, and the lists that they are from."""

    def __init__(self, session: Session, source: str, told: Declared | None) -> None:
        self._session = session
        self._source = source
        self._told = told
        self._short: dict[str, Mapping[str, str]] = {}

    def named(self, code: str) -> bool:
        """Whether people may write something else than ids."""
        return self._told is not None and code in self._told.filters and bool(self._told.filters[code].also)

    def no_number(self, code: str, value: str) -> bool:
        """Whether it can be no id of the list, whatever was collected. A short name may be, until the list is."""
        one = self._told.filters.get(code) if self._told is not None and self._told.numbered else None
        if one is None or one.kind is None or NUMBER.match(value):
            return False
        return not (self.named(code) and value.isalpha() and not self._names(code))

    def id(self, code: str, value: str) -> str:
        """An id as it is compared: of the entry that bears this short name, else what was given."""
        found = self._names(code).get(value.strip().upper()) if self.named(code) else None
        return found or ident(value)

    def _names(self, code: str) -> Mapping[str, str]:
        if code not in self._short:
            assert self._told is not None
            row = self._session.scalar(select(models.Connection.id).where(models.Connection.name == self._source))
            self._short[code] = short_names(self._session, row or 0, self._told.filters[code])
        return self._short[code]


def _values(row: models.EventProcedure) -> dict[str, Any]:
    return {key: getattr(row, key) for key in FIELDS}


def exported(rows: Sequence[models.EventProcedure]) -> list[dict[str, Any]]:
    """Event procedures as `apply` reads them."""
    made = []
    for row in rows:
        one: dict[str, Any] = {"name": row.name, "active": row.active, "event": row.event}
        if row.status:
            one["status"] = list(row.status)
        if row.filters:
            one["filters"] = {code: list(values) for code, values in row.filters.items()}
        one["procedure"] = row.procedure
        if row.settings:
            one["settings"] = dict(row.settings)
        made.append(one)
    return made


def texts(given: Any) -> Sequence[str] | None:
    """A list of texts or numbers, or a single one; None when it is neither."""
    many = given if isinstance(given, list) else [given]
    if any(isinstance(one, bool) or not isinstance(one, str | int | float) for one in many):
        return None
    return [ident(one) if not isinstance(one, str) else one for one in many]


def filters(given: Any) -> Mapping[str, Sequence[str]] | None:
    """Values by filter; None when it is not of that shape."""
    if not isinstance(given, Mapping):
        return None
    made = {str(code): texts(values) for code, values in given.items() if values is not None}
    return None if None in made.values() else made  # type: ignore[return-value]
