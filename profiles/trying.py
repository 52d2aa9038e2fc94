"""The test of a connection that is not stored: what is in a form, tried with nothing kept but in this process's memory.

The same words apply as for a stored one. A password that was refused is remembered for a while, so that pressing the
button again and again locks no account.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections.abc import Mapping
from typing import Any

from connector import ConnectorError, Finding
from connector.registry import connector as find_connector
from connector.testing import MemoryHost, MemoryState
from profiles.wiring import account

log = logging.getLogger(__name__)

KEPT_SECONDS = 900.0
MOST_KEPT = 200


class _Facts(MemoryState):
    """Shared facts of one draft; `used` says when it was last tried."""

    def __init__(self) -> None:
        super().__init__()
        self.used = time.monotonic()


_drafts: dict[str, _Facts] = {}
_guard = threading.Lock()


def _facts_of(code: str, base_url: str, credentials: Mapping[str, Any]) -> _Facts:
    """The memory of this draft, the same one for the same credentials at the same place."""
    told = json.dumps([code, base_url, dict(credentials)], sort_keys=True, default=str)
    key = hashlib.sha256(told.encode()).hexdigest()
    now = time.monotonic()
    with _guard:
        for old in [one for one, facts in _drafts.items() if now - facts.used > KEPT_SECONDS]:
            del _drafts[old]
        while len(_drafts) >= MOST_KEPT:
            del _drafts[next(iter(_drafts))]
        found = _drafts.setdefault(key, _Facts())
        found.used = now
        return found


def check_unsaved(name: str, code: str, base_url: str, credentials: Mapping[str, Any]) -> list[Finding]:
    """The connection test of what is in a form. Raises nothing, stores nothing."""
    try:
        facts = account(name, code, base_url, credentials)
        host = MemoryHost()
        host.state = _facts_of(code, facts.base_url, credentials)
        made = find_connector(code)(facts, host)
        try:
            return made.check()
        finally:
            made.close()
    except ConnectorError as error:
        return [Finding(name="Connection", ok=False, message=str(error))]
    except Exception as error:  # a stranger's connector may break its word; the page must still answer
        log.exception("the connection test of a draft for %s failed", code)
        return [Finding(name="Connection", ok=False, message=f"The test itself failed: {type(error).__name__}.")]
