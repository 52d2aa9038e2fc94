"""A connection as it shall be: what is wrong with it, and what would change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from admin import audit
from admin.configuration.document import ConnectionSpec, Fault, near
from admin.configuration.lookup import systems
from admin.configuration.references import is_reference, misspelt, references, stands_for, variable
from admin.configuration.words import name_problems, plain, subject
from connector import registry
from connector.client import check_base_url
from connector.settings import Problem, Secret, Setting, declared, load, to_json
from profiles import models
from profiles.db import now
from profiles.secrets import HIDDEN, seal, unseal
from profiles.wiring import private_allowed


class ConnectionPlan:
    """One connection as it shall be: what is wrong with it, and what would change."""

    def __init__(
        self,
        session: Session,
        spec: ConnectionSpec,
        known: Mapping[str, str] | None = None,
        now_called: str | None = None,
    ) -> None:
        self.spec = spec
        self.faults: list[Fault] = []
        self.subject = subject("connection", spec.name)
        others = dict(systems(session) if known is None else known)
        called = spec.name if now_called is None else now_called
        self.stored = session.scalar(select(models.Connection).where(models.Connection.name == called))
        others.pop(called, None)
        self._check_name(others)
        self.base_url = self._address()
        self._before: dict[str, Any] = unseal(self.stored.credentials) if self.stored else {}
        self.settings = self._declared()
        self.credentials = self._credentials()
        self.changes = [] if self.faults else self._changes()

    def _fault(self, path: str, sentence: str) -> None:
        self.faults.append(Fault(path, sentence, self.subject))

    def _check_name(self, others: Mapping[str, str]) -> None:
        for sentence in name_problems(self.spec.name):
            self._fault("name", sentence)
        if self.spec.name in others:
            self._fault("name", "Another connection has this name.")
            return
        mine = references(self.spec.name, self.spec.connector)
        for name, code in others.items():
            if not mine.keys().isdisjoint(references(name, code)):
                self._fault("name", f"It is too like {name!r}: the references of their secrets would be the same.")

    def _address(self) -> str:
        url = self.spec.base_url
        if len(url) > 512:
            self._fault("base_url", "The address is longer than 512 characters.")
        try:
            address = check_base_url(url, allow_private=True)
            if self.stored and self.stored.base_url == address:
                return address  # a stored one hinders no other change; whether it may be reached is asked in a run
            return check_base_url(url, allow_private=private_allowed())
        except ValueError as error:
            # Whatever stands before an @ or after a ? may be a password or a token.
            shown = f"{re.sub('^.*@', '', url).split('?')[0]}"
            self._fault("base_url", str(error).replace(repr(url), repr(shown)))
            return url

    def _declared(self) -> dict[str, Setting] | None:
        """The settings of the account by name; None when the connector cannot be used."""
        if self.stored and self.stored.connector != self.spec.connector:
            self._fault(
                "connector",
                f"It is a connection to {self.stored.connector} and cannot become one to {self.spec.connector}. "
                "Give the new one another name.",
            )
        try:
            return {one.name: one for one in declared(registry.connector(self.spec.connector).Settings)}
        except LookupError as error:
            self._fault("connector", f"{error.args[0]}{near(self.spec.connector, registry.plugins())}")
            return None

    def _credentials(self) -> dict[str, Any]:
        if self.spec.credentials is None and self.stored:
            for name in self._before:
                self._stays_here(name)
            return self._before
        if self.settings is None:
            return {}
        kept: dict[str, Any] = {}
        literal: dict[str, Any] = {}
        for name, value in (self.spec.credentials or {}).items():
            one = self.settings.get(name)
            if one is None:
                hint = near(name, self.settings) or f" Known are: {', '.join(self.settings)}."
                self._fault(f"credentials.{name}", f"{self.spec.connector} has no such setting.{hint}")
            elif value == HIDDEN and name not in self._before:
                self._fault(f"credentials.{name}", "No value is stored that could be kept. Enter it.")
            elif value == HIDDEN or stands_for(value, variable(self.spec.name, name), self._before.get(name)):
                self._stays_here(name)
                kept[name] = self._before[name]
            elif is_reference(value):
                kept[name] = value
            elif wrong := misspelt(value):
                self._fault(f"credentials.{name}", wrong)
            elif isinstance(value, dict | list):
                self._fault(f"credentials.{name}", "Expected one value.")
            else:
                literal[name] = _as_text(value) if isinstance(one.field, Secret) else value
        try:
            checked = load(literal, registry.connector(self.spec.connector).Settings)
            kept.update({name: to_json(value) for name, value in checked.items()})
        except Problem as error:
            for path, sentences in error.problems.items():
                self._fault(f"credentials.{path}", " ".join(sentences))
            kept.update(literal)  # nothing is stored now; what was given is not called missing
        given = {path.removeprefix("credentials.") for path in (fault.path for fault in self.faults)}
        for one in self.settings.values():
            needed = one.required and one.default is None and self._matters(one, kept)
            if needed and kept.get(one.name) in (None, "") and one.name not in given:
                self._fault(f"credentials.{one.name}", f"{one.label} is missing.")
        return {name: kept[name] for name in self.settings if kept.get(name) not in (None, "")}

    @property
    def chosen_anew(self) -> dict[str, Any]:
        """What is not as it was stored."""
        return {name: value for name, value in self.credentials.items() if self._before.get(name) != value}

    def _matters(self, one: Setting, values: Mapping[str, Any]) -> bool:
        """Whether it is used beside the values of the others."""
        return one.matters({**{name: other.default for name, other in (self.settings or {}).items()}, **values})

    def _stays_here(self, name: str) -> None:
        """A stored secret goes to the address that it was given for, and to no other."""
        one = (self.settings or {}).get(name)
        moved = self.stored is not None and self.stored.base_url != self.base_url
        if moved and (one is None or one.secret) and not is_reference(self._before[name]):
            self._fault(
                f"credentials.{name}",
                "The address is another one now, and a stored secret is sent to no other address: enter it again.",
            )

    def _changes(self) -> list[str]:
        if self.stored is None:
            return [f"{self.subject}: new, {self.spec.connector} at {self.base_url}"]
        said = []
        if self.stored.name != self.spec.name:
            said.append(f"name: {self.stored.name} → {self.spec.name}")
        if self.stored.base_url != self.base_url:
            said.append(f"base_url: {self.stored.base_url} → {self.base_url}")
        if self.spec.active is not None and self.stored.active != self.spec.active:
            said.append(f"active: {plain(self.stored.active)} → {plain(self.spec.active)}")
        for name in sorted(self._before.keys() | self.credentials.keys()):
            old, new = self._before.get(name), self.credentials.get(name)
            if old != new:
                said.append(f"credentials.{name}: {self._seen(name, old)} → {self._seen(name, new)}")
        return [f"{self.subject}, {one}" for one in said]

    def _seen(self, name: str, value: Any) -> str:
        one = (self.settings or {}).get(name)
        secret = one is None or one.secret
        return HIDDEN if secret and value is not None and not is_reference(value) else plain(value)

    def write(self, session: Session, by: str | None) -> None:
        moment = now()
        row = self.stored
        before = None
        if row is not None:
            before = {
                "name": row.name,
                "connector": row.connector,
                "base_url": row.base_url,
                "active": row.active,
                "account": self._before,
            }
        if row is None:
            row = models.Connection(connector=self.spec.connector, created_at=moment, active=True)
            session.add(row)
        elif (row.base_url, self._before) != (self.base_url, self.credentials):
            # What was found out with the old address and credentials says nothing of the new ones.
            row.checked_at = row.check_ok = row.check_message = None
            shared = models.Shared
            session.execute(delete(shared).where(shared.connection_id == row.id, shared.holder.is_(None)))
        if self.spec.active is not None:
            row.active = self.spec.active
        row.name, row.base_url, row.updated_at = self.spec.name, self.base_url, moment
        if self._before != self.credentials or not row.credentials:
            row.credentials = seal(self.credentials)
        session.flush()
        self._note(session, row, by, before)

    def _note(self, session: Session, row: models.Connection, by: str | None, before: dict[str, Any] | None) -> None:
        after = {
            "name": row.name,
            "connector": row.connector,
            "base_url": row.base_url,
            "active": row.active,
            "account": self.credentials,
        }
        action = "created" if before is None else "changed"
        if before is not None and before["name"] != row.name and {**before, "name": row.name} == after:
            action = "renamed"
        audit.note(
            session,
            by,
            action,
            "connection",
            row.name,
            subject_id=row.id,
            before=before,
            after=after,
            mask=self._masked,
        )

    def _masked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the audit, secrets masked."""
        account = values.get("account")
        if account is None:
            return dict(values)
        seen = {name: self._seen_value(name, value) for name, value in account.items()}
        return {**values, "account": seen}

    def _seen_value(self, name: str, value: Any) -> Any:
        one = (self.settings or {}).get(name)
        return HIDDEN if (one is None or one.secret) and not is_reference(value) else value


def _as_text(value: Any) -> Any:
    """A password of digits is a text. An amount with a point is not: 1.10 was read as 1.1."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
