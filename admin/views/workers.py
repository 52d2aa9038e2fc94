"""Who does the work, as people read it: `host:boot:namespace:pid:start` of a worker becomes "host · process 4711"."""

from __future__ import annotations

import re

from admin.views.words import _

WORKER = re.compile(r"(?P<host>[\w.-]+):[\w-]+:\d+:(?P<process>\d+):\d+\.\d+(?:#[\w.-]+)?")


def place(worker: str | None) -> str:
    """Host and process of a worker; what cannot be taken apart stays as it is."""
    if not worker:
        return ""
    found = WORKER.fullmatch(worker)
    if found is None:
        return worker
    return _("{host} · process {process}", host=found["host"], process=found["process"])


def plain(message: str | None) -> str:
    """A stored sentence whose worker is named as people read it."""
    return WORKER.sub(lambda found: place(found[0]), message or "")
