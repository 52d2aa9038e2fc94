"""Who changed what: one line of the audit for every change that a person makes, on a page or by command."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from profiles.db import now
from profiles.models import Audit
from profiles.secrets import HIDDEN, redact

COMMAND_LINE = "command line"
LONGEST = 255
NEW_SECRET = f"{HIDDEN} (new)"  # in place of a secret that differs from the one before: neither is shown
Values = Mapping[str, Any]


def note(
    session: Session,
    person: str | None,
    action: str,
    kind: str,
    subject: str,
    *,
    subject_id: int | None = None,
    before: Values | None = None,
    after: Values | None = None,
    mask: Callable[[Values], Values] = dict,
) -> None:
    """Write the line in the transaction of the change itself: neither stands without the other.

    `person` None is whoever is logged in, else the command line. `action` is a verb in the past ("changed"), `kind`
    what it was done to ("profile"), `subject` its name. Of `before` and `after` only what differs is kept, however deep;
    secrets are masked by their names, and by `mask`, for those that only the caller knows.
    """
    older, newer = before, after
    if before is not None and after is not None:
        older, newer = differing(before, after)
    if older is not None:
        older = redact(mask(older))
    if newer is not None:
        newer = redact(mask(newer))
    if older is not None and newer is not None:
        newer = _told_apart(older, newer)
    session.add(
        Audit(
            person=(person or _logged_in() or COMMAND_LINE)[:128],
            action=action,
            kind=kind,
            subject_id=subject_id,
            subject=subject[:LONGEST],
            before=older,
            after=newer,
            created_at=now(),
        )
    )


def differing(before: Values, after: Values) -> tuple[dict[str, Any], dict[str, Any]]:
    """Only what is not the same in both, nested mappings as deep as they go."""
    older: dict[str, Any] = {}
    newer: dict[str, Any] = {}
    for key in dict.fromkeys([*before, *after]):
        if key not in after:
            older[key] = before[key]
        elif key not in before:
            newer[key] = after[key]
        elif isinstance(before[key], Mapping) and isinstance(after[key], Mapping):
            inner = differing(before[key], after[key])
            if any(inner):
                older[key], newer[key] = inner
        elif before[key] != after[key]:
            older[key], newer[key] = before[key], after[key]
    return older, newer


def _told_apart(older: Values, newer: Values) -> dict[str, Any]:
    """The new values, those marked that look like the old ones only because both are masked."""
    made = dict(newer)
    for key, value in newer.items():
        if isinstance(value, Mapping) and isinstance(older.get(key), Mapping):
            made[key] = _told_apart(older[key], value)
        elif key in older and older[key] == value:
            made[key] = NEW_SECRET
    return made


def _logged_in() -> str | None:
    if "flask" not in sys.modules:
        return None  # a command: no page was loaded, and none is for this
    from flask import has_request_context
    from flask_login import current_user

    return str(current_user.name) if has_request_context() and current_user.is_authenticated else None
