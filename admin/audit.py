"""Who changed what: one line of the audit for every change that a person makes, on a page or by command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from profiles.db import now
from profiles.models import Audit
from profiles.secrets import redact

COMMAND_LINE = "command line"
LONGEST = 255


def note(
    session: Session,
    person: str | None,
    action: str,
    kind: str,
    subject: str,
    *,
    subject_id: int | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write the line in the transaction of the change itself: neither stands without the other.

    `action` is a verb in the past ("changed"), `kind` what it was done to ("profile"), `subject` its name. Of `before`
    and `after` only what differs is kept; secrets are masked.
    """
    older, newer = dict(before or {}), dict(after or {})
    if before is not None and after is not None:
        same = {key for key in older if key in newer and older[key] == newer[key]}
        older = {key: value for key, value in older.items() if key not in same}
        newer = {key: value for key, value in newer.items() if key not in same}
    session.add(
        Audit(
            person=(person or COMMAND_LINE)[:128],
            action=action,
            kind=kind,
            subject_id=subject_id,
            subject=subject[:LONGEST],
            before=redact(older) if before is not None else None,
            after=redact(newer) if after is not None else None,
            created_at=now(),
        )
    )
