"""Is everything in order? Each part of the installation in one line, in words."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from admin.serving import free
from connector import Finding
from connector.client import check_base_url
from connector.registry import plugins
from profiles import models
from profiles.db import Database, DatabaseTrouble, home, now
from profiles.secrets import unseal
from profiles.wiring import private_allowed
from profiles.workers import dead

QUIET = timedelta(minutes=2)  # a clock that did not beat for so long stands still
LATE = timedelta(minutes=10)  # a task that waits so long past its time is not being taken
LEAST_ROOM = 500 * 1024 * 1024
PACKAGE = "connector-host"


def examine(port: int | None = None, host: str = "127.0.0.1") -> Iterator[Finding]:
    """Everything that can be looked at without calling a system; nothing is changed. `port`: may it be taken?"""
    yield _python()
    yield _packages()
    yield from _folder()
    yield from _connectors()
    yield from _database()
    if port is not None:
        yield _port(host, port)


def _python() -> Finding:
    ok = sys.version_info >= (3, 11)
    return Finding(name="Python", ok=ok, message=f"{platform.python_version()}{'' if ok else ', needs 3.11 or newer'}")


def _packages() -> Finding:
    """Every package that ours requires, by its own metadata."""
    try:
        required = importlib.metadata.requires(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return Finding(name="Packages", ok=False, message=f"{PACKAGE} is not installed. Run `make install`.")
    names = [re.split(r"[^\w.-]", one)[0] for one in required if "extra ==" not in one]
    missing = [name for name in names if not _installed(name)]
    if missing:
        said = f"missing: {', '.join(missing)}. Run `make install`."
        return Finding(name="Packages", ok=False, message=said)
    version = importlib.metadata.version(PACKAGE)
    return Finding(name="Packages", ok=True, message=f"{PACKAGE} {version} with {len(names)} required packages")


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _folder() -> Iterator[Finding]:
    try:
        folder = home()
    except DatabaseTrouble as error:
        yield Finding(name="Data folder", ok=False, message=str(error))
        return
    writable = os.access(folder, os.W_OK | os.X_OK)
    said = f"{folder.resolve()}{'' if writable else ' cannot be written'}"
    yield Finding(name="Data folder", ok=writable, message=said)
    room = shutil.disk_usage(folder).free
    short = "" if room >= LEAST_ROOM else "; make room before the database cannot grow"
    yield Finding(name="Disk", ok=room >= LEAST_ROOM, message=f"{room / 2**30:.1f} GiB are free{short}")
    for name in ("secret.key", "session.key"):
        yield from _key(folder / name)


def _key(file: Path) -> Iterator[Finding]:
    """A key that others can read opens everything that it encrypts."""
    if not file.exists():
        return
    mode = stat.S_IMODE(file.stat().st_mode)
    ok = not mode & 0o077
    said = f"{file.name} is readable by its owner only"
    if not ok:
        said = f"{file.name} can be read by others (mode {mode:o}). Run `chmod 600 {file.resolve()}`."
    yield Finding(name="Key", ok=ok, message=said)


def _connectors() -> Iterator[Finding]:
    if not plugins():
        yield Finding(name="Connectors", ok=False, message="none is installed. Run `make install`.")
    for plugin in plugins().values():
        if plugin.connector is None:
            said = f"{plugin.code} of {plugin.package} cannot be used: {plugin.reason}"
        else:
            said = f"{plugin.connector.label} ({plugin.code}, {plugin.package} {plugin.version})"
        yield Finding(name="Connector", ok=plugin.connector is not None, message=said)


def _database() -> Iterator[Finding]:
    try:
        database = Database()
        revision = database.revision()
        if revision is None:
            yield Finding(name="Database", ok=False, message="It has no tables yet. Run `connector db upgrade`.")
            return
        database.require_current()
        kind = "SQLite" if database.sqlite else "PostgreSQL"
        place = f" in {database.path}" if database.path else ""
        yield Finding(name="Database", ok=True, message=f"{kind}{place}, version {revision}")
        with database.reading() as session:
            for look in (_users, _clock, _pages, _backlog, _connections, _private):
                yield look(session)
    except DatabaseTrouble as error:
        yield Finding(name="Database", ok=False, message=str(error))


def _users(session: Session) -> Finding:
    count = session.scalar(select(func.count()).select_from(models.User).where(models.User.active)) or 0
    said = f"{count} may log in" if count else "Nobody can log in. Run `connector user add NAME`."
    return Finding(name="Users", ok=count > 0, message=said)


def _clock(session: Session) -> Finding:
    """A standing clock is trouble only where a profile waits for it."""
    beats = _beats(session)
    alive = next((one for one in beats if _alive(one)), None)
    active = session.scalar(select(func.count()).select_from(models.Profile).where(models.Profile.active)) or 0
    if alive is not None:
        return Finding(name="Scheduler", ok=True, message=f"is running; its last beat is {_ago(alive)} old")
    last = f"it was last alive {_ago(beats[0])} ago" if beats else "it never ran"
    said = f"is not running ({last}), and {active} active profiles wait for it. Run `connector serve`."
    if not active:
        said = f"is not running ({last}); no profile is active"
    return Finding(name="Scheduler", ok=not active, message=said)


def _pages(session: Session) -> Finding:
    """Where a running `serve` shows them. Who serves the pages alone (`connector web`) leaves no trace."""
    served = _served(session)
    said = f"are served at {', '.join(served)}" if served else "no running `connector serve` tells of them"
    return Finding(name="Pages", ok=True, message=said)


def _served(session: Session) -> list[str]:
    return [one.address for one in _beats(session) if one.address and _alive(one)]


def _port(host: str, port: int) -> Finding:
    if free(host, port):
        return Finding(name="Port", ok=True, message=f"{port} is free")
    try:
        with Database().reading() as session:
            ours = port in [urlsplit(address).port for address in _served(session)]
    except (DatabaseTrouble, DatabaseError):
        ours = False
    said = "is in use by the pages themselves" if ours else "is in use. Choose another one, or end what uses it."
    return Finding(name="Port", ok=ours, message=f"{port} {said}")


def _beats(session: Session) -> Sequence[models.Heartbeat]:
    return session.scalars(select(models.Heartbeat).order_by(models.Heartbeat.beat_at.desc())).all()


def _alive(beat: models.Heartbeat) -> bool:
    return now() - beat.beat_at < QUIET and not dead(beat.host)


def _backlog(session: Session) -> Finding:
    task, record = models.Task, models.SyncRecord
    late = session.scalar(
        select(func.count())
        .select_from(task)
        .where(task.status == models.TaskStatus.PENDING, task.scheduled_at < now() - LATE)
    )
    pending = session.scalar(select(func.count()).select_from(record).where(record.status == models.SyncStatus.PENDING))
    said = f"{pending} records are pending, {late or 'no'} tasks are more than 10 minutes late"
    return Finding(name="Backlog", ok=not late, message=said)


def _connections(session: Session) -> Finding:
    row = models.Connection
    bad = session.execute(select(row.name, row.check_message).where(row.check_ok.is_(False)).order_by(row.name)).all()
    if bad:
        why = " ".join(one.check_message for one in bad if one.check_message)
        said = f"the last test failed for {', '.join(one.name for one in bad)}. Run `connector check`. {why}"
        return Finding(name="Connections", ok=False, message=said)
    stored = session.execute(select(row.name, row.credentials).where(row.credentials != "").order_by(row.name)).all()
    key = home() / "secret.key"
    if stored and not os.environ.get("CONNECTOR_SECRET_KEY") and not key.exists():  # `unseal` would make a new one
        said = f"{key} is missing: the stored credentials cannot be read. Restore it, or enter the credentials again."
        return Finding(name="Connections", ok=False, message=said)
    for name, sealed in stored:
        try:
            unseal(sealed)
        except DatabaseTrouble as error:
            return Finding(name="Connections", ok=False, message=f"the credentials of {name} cannot be used: {error}")
    count = session.scalar(select(func.count()).select_from(row)) or 0
    return Finding(name="Connections", ok=True, message=f"{count}, none with a failed test")


def _private(session: Session) -> Finding:
    """A stored connection whose address may not be reached fails each run; better to hear it here."""
    name = "Addresses in private networks"
    if private_allowed():
        return Finding(name=name, ok=True, message="may be reached (CONNECTOR_ALLOW_PRIVATE)")
    row = models.Connection
    stored = session.execute(select(row.name, row.base_url).order_by(row.name))
    bad = [f"{one.name} ({one.base_url})" for one in stored if _is_private(one.base_url)]
    if not bad:
        return Finding(name=name, ok=True, message="are refused; no connection has one")
    said = f"are refused, but these connections have one: {', '.join(bad)}. Set CONNECTOR_ALLOW_PRIVATE=1 to allow it."
    return Finding(name=name, ok=False, message=said)


def _is_private(base_url: str) -> bool:
    try:
        check_base_url(base_url, allow_private=False)
    except ValueError:
        return True
    return False


def _ago(beat: models.Heartbeat) -> str:
    seconds = int((now() - beat.beat_at).total_seconds())
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"
