"""Work that a page asks for and that outlasts its request: the test of a connection, the collecting of its lists.

A thread of this process does it. How far it is stands in the database beside the connection, so every process of the
host can say it, a page that is loaded again finds it, and pressing twice starts it once. What is tried from a form that
is not saved yet is known in this process only, for a quarter of an hour.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from sqlalchemy.orm import Session

from admin import audit
from connector import ConnectorError, Finding
from profiles.db import Database, now
from profiles.hosting import State
from profiles.models import Connection
from profiles.wiring import check_connection, collect_connection
from profiles.workers import dead, me

log = logging.getLogger(__name__)

TEST, COLLECT = "test", "collect"
SILENT_FOR = timedelta(minutes=10)  # a process on another machine that said nothing for so long is taken for dead
KEPT_SECONDS = 900.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """How far it is. `lists`: entries of each list that is fetched; `failed`: why a list could not be."""

    what: str
    by: str = ""
    began: datetime | None = None
    ended: datetime | None = None
    ok: bool | None = None
    message: str = ""
    lists: dict[str, int] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    broken: bool = False  # its process is gone: it will not end by itself

    @property
    def busy(self) -> bool:
        return self.began is not None and self.ended is None and not self.broken


def start(database: Database, connection_id: int, what: str, by: str) -> None:
    """Begin it, unless it is going on already."""
    state, began = _state(database, connection_id), now()
    mine = {"by": by, "worker": f"{me()}#{secrets.token_hex(4)}", "began": began.isoformat(), "beat": began.isoformat()}
    told = state.change(_key(what), lambda fact: fact if _busy(fact) else mine)
    if told is None or told["worker"] != mine["worker"]:
        return
    work = {TEST: _test, COLLECT: _collect}[what]
    threading.Thread(
        target=_guarded, args=(work, database, connection_id, by, mine["worker"]), name=f"job-{what}", daemon=True
    ).start()


def look(database: Database, connection_id: int, what: str) -> Job:
    """How far the last one is; one that never began says nothing."""
    fact = _state(database, connection_id).read(_key(what))
    if not fact:
        return Job(what=what)
    return Job(
        what=what,
        by=str(fact.get("by") or ""),
        began=datetime.fromisoformat(fact["began"]),
        ended=datetime.fromisoformat(fact["ended"]) if fact.get("ended") else None,
        ok=fact.get("ok"),
        message=str(fact.get("message") or ""),
        lists=dict(fact.get("lists") or {}),
        failed=dict(fact.get("failed") or {}),
        broken=not fact.get("ended") and not _busy(fact),
    )


def _key(what: str) -> str:
    return f"job:{what}"


def _state(database: Database, connection_id: int) -> State:
    return State(database, connection_id, threading.Event())


def _busy(fact: dict[str, Any] | None) -> bool:
    if not fact or fact.get("ended") or dead(fact["worker"]):
        return False
    return bool(datetime.fromisoformat(fact["beat"]) > now() - SILENT_FOR)


Tell = Callable[..., None]
Work = Callable[[Database, int, str, Tell], tuple[bool, str]]


def _guarded(work: Work, database: Database, connection_id: int, by: str, worker: str) -> None:
    """The thread: whatever happens, the job ends and says how."""
    state, what = _state(database, connection_id), TEST if work is _test else COLLECT

    def tell(**changed: Any) -> None:
        def change(fact: dict[str, Any] | None) -> dict[str, Any] | None:
            if fact is None or fact.get("worker") != worker:
                return fact  # another one began meanwhile
            for name in ("lists", "failed"):
                if name in changed:
                    fact = {**fact, name: {**(fact.get(name) or {}), **changed[name]}}
            rest = {name: value for name, value in changed.items() if name not in ("lists", "failed")}
            return {**fact, **rest, "beat": now().isoformat()}

        state.change(_key(what), change)

    try:
        ok, message = work(database, connection_id, by, tell)
    except Exception as error:  # the database, or a fault of ours
        log.exception("the job %s of connection %s failed", what, connection_id)
        ok, message = False, f"It ended with a fault of ours ({type(error).__name__}); it is in the log."
    try:
        tell(ok=ok, message=message, ended=now().isoformat())
    except Exception:  # deleted meanwhile, or no database
        log.exception("the end of job %s of connection %s could not be told", what, connection_id)


def _test(database: Database, connection_id: int, by: str, tell: Tell) -> tuple[bool, str]:
    findings = check_connection(database, connection_id)
    bad = [one for one in findings if not one.ok]
    message = bad[0].message if bad else ""
    _note(database, connection_id, by, "tested", {"works": not bad, "said": message or "All right."})
    return not bad, message


def _collect(database: Database, connection_id: int, by: str, tell: Tell) -> tuple[bool, str]:
    counts: dict[str, int] = {}

    def fetched(kind: str, count: int) -> None:
        counts[kind] = count
        tell(lists={kind: count})

    said = ""
    try:
        collect_connection(database, connection_id, fetched, lambda kind, reason: tell(failed={kind: reason}))
    except ConnectorError as error:
        said = str(error)
    except Exception as error:  # a stranger's connector may fail in any way; what was fetched stays
        log.exception("collecting connection %s failed", connection_id)
        said = f"The connector failed: {type(error).__name__}. It is in the log."
    after = {"lists": len(counts), "entries": sum(counts.values())}
    _note(database, connection_id, by, "collected", {**after, "said": said} if said else after)
    return not said, said


def _note(database: Database, connection_id: int, by: str, action: str, after: dict[str, Any]) -> None:
    with database.session() as session:
        row = session.get(Connection, connection_id)
        if row is not None:
            audit.note(session, by, action, "connection", row.name, subject_id=row.id, after=after)


# what is tried from a form, before anything is saved


FoundT = TypeVar("FoundT")


@dataclass(kw_only=True)
class Trial(Generic[FoundT]):
    """One test of what stands in a form. `findings` None: it goes on."""

    by: str
    began: float = field(default_factory=time.monotonic)
    findings: FoundT | None = None


class Trials(Generic[FoundT]):
    """The tests of forms in this process. `broken` makes a finding of a sentence, for one that ended with a fault."""

    def __init__(self, broken: Callable[[str], FoundT]) -> None:
        self._broken = broken
        self._kept: dict[str, Trial[FoundT]] = {}
        self._guard = threading.Lock()

    def start(self, by: str, work: Callable[[], FoundT]) -> str:
        """Begin it; the word to ask for it with."""
        word, trial = secrets.token_urlsafe(16), Trial[FoundT](by=by)
        with self._guard:
            for old in [one for one, kept in self._kept.items() if time.monotonic() - kept.began > KEPT_SECONDS]:
                del self._kept[old]
            self._kept[word] = trial

        def run() -> None:
            try:
                trial.findings = work()
            except Exception as error:
                log.exception("the test of a form failed")
                said = f"The test itself failed: {type(error).__name__}."
                trial.findings = self._broken(said)

        threading.Thread(target=run, name="trial", daemon=True).start()
        return word

    def look(self, by: str, word: str) -> Trial[FoundT] | None:
        """None: not known here, or somebody else's."""
        with self._guard:
            found = self._kept.get(word)
        return found if found and found.by == by else None


trials: Trials[list[Finding]] = Trials(lambda said: [Finding(name="Connection", ok=False, message=said)])


def tried(session: Session, by: str, name: str, facts: dict[str, Any]) -> None:
    """The audit of a test from a form: whose credentials went where."""
    audit.note(session, by, "tested", "connection", name or "(new)", after=facts)
