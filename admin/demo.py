"""A rehearsal on this machine: stand-ins for the systems, a profile each way, and the pages to look at what happened.

The orders go out, the stand-in's warehouse sends some of them, and they come back with their tracking numbers.

What it sets up stands in `demo.yaml`, with a market in `demo_<market>.yaml`: its orders come in, and event procedures
tell it what became of them. It may be repeated on the same data folder: the stand-ins begin empty each time,
so what an earlier rehearsal knew about them is forgotten, with its calls; its history stays. The stand-ins end with this
process, however it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from itertools import islice
from pathlib import Path
from string import Template
from typing import IO, Any
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from admin import auth, configuration, reports, serving
from admin.configuration import Document, ProfileSpec
from admin.screen import Refused, progress, say, show
from connector import ConnectorError
from profiles import models, wiring
from profiles.db import Database
from profiles.settings import resolve
from profiles.sync import Result
from scheduler.worker import run_now

LOCAL = "127.0.0.1"
FIRST_PORT = 9101
USER, PASSWORD = "admin", "connector-demo"
SYSTEM_PASSWORD = "sandbox"
LEARNED_FROM = 5000  # so many orders are looked at for codes that no table names
SENT = 12  # so many orders the warehouse sends
MARKET_ORDERS = 24
CAUSES = 5  # of failures that are listed
MOST_SAID = 1 << 20  # bytes
WHO = "demo"

TABLES: dict[str, Callable[[Any], str | None]] = {
    "status_mapping": lambda order: order.status,
    "payment_mapping": lambda order: order.payment.method,
    "shipping_mapping": lambda order: order.shipping_method,
    "store_mapping": lambda order: order.store,
}


HERE = Path(__file__).parent
MARKETS = tuple(sorted(file.stem.removeprefix("demo_") for file in HERE.glob("demo_*.yaml")))


def run(
    open_database: Callable[[], Database],
    *,
    orders: int,
    orders_from: Path | None,
    port: int,
    once: bool,
    market: str | None = None,
) -> int:
    """The whole rehearsal. Its exit code: 0 when the profile could run, whatever became of single orders, else 2."""
    os.environ["CONNECTOR_ALLOW_PRIVATE"] = "1"  # the stand-ins are on this machine
    database = open_database()
    with serving.stopping_by_signal(), stand_ins(orders, orders_from, market) as addresses:
        document = _set_up(database, "demo.yaml", addresses)
        with database.session() as session:
            login = add_user(session)
        there, back = document.profiles
        learn(database, there)
        could_run = _run_and_tell(database, there.name)
        warehouse = next(one.base_url for one in document.connections if one.name == back.source)
        sent = play_warehouse(warehouse)
        show(f"The warehouse of {back.source} invoiced, packed and shipped {sent} orders.")
        could_run = _run_and_tell(database, back.name) and could_run
        if market:
            could_run = _play_market(database, f"demo_{market}.yaml", addresses, warehouse) and could_run
        if once:
            return 0 if could_run else 2
        show(f"Play the warehouse yourself: {warehouse}/_sandbox/")
        _serve(database, port, login)
    return 0


def _set_up(database: Database, file: str, addresses: dict[str, str]) -> Document:
    """Store what a file says, forget what was known of earlier stand-ins, and collect their lists."""
    text = scene(file, addresses)
    document = configuration.read(text)
    with database.session() as session:
        refuse_foreign(session, document)
        configuration.apply(session, text, by=WHO)
        forget(session, document)
    for spec in document.connections:
        _collect(database, spec.name)
    return document


def scene(file: str, addresses: dict[str, str]) -> str:
    """What a file sets up, with the addresses of the stand-ins."""
    return Template((HERE / file).read_text(encoding="utf-8")).substitute(addresses, password=SYSTEM_PASSWORD)


def _play_market(database: Database, file: str, addresses: dict[str, str], warehouse: str) -> bool:
    """A market's orders come in and leave the warehouse; the market is told. Each profile runs, the last one twice."""
    names = [spec.name for spec in _set_up(database, file, addresses).profiles]
    could_run = True
    for name in names:
        could_run = _run_and_tell(database, name) and could_run
    show(f"The warehouse sent {play_warehouse(warehouse)} more orders.")
    return _run_and_tell(database, names[-1]) and could_run


def _serve(database: Database, port: int, login: str) -> None:
    chosen = serving.next_free(LOCAL, port)
    if chosen != port:
        say(f"Port {port} is taken; the pages are served on {chosen}.")

    def tell(address: str) -> None:
        show(f"{address}  {login}")
        sys.stdout.flush()

    serving.serve_pages(database, LOCAL, chosen, told=tell)


@contextmanager
def stand_ins(orders: int, orders_from: Path | None, market: str | None = None) -> Iterator[dict[str, str]]:
    """The stand-ins as a child process: their addresses by name, as the child tells them. Ended with the block."""
    chosen = ["--orders-from", str(orders_from)] if orders_from else ["--orders", str(orders)]
    chosen += ["--with", market, f"--{market}-orders", str(MARKET_ORDERS)] if market else []
    usual = serving.free(LOCAL, FIRST_PORT) and serving.free(LOCAL, FIRST_PORT + 1)
    if not usual:
        say(f"Port {FIRST_PORT} or {FIRST_PORT + 1} is taken; the stand-ins take two others.")
    with tempfile.TemporaryFile("w+") as complaints:
        for port in (FIRST_PORT, 0) if usual else (0,):  # somebody else may take the usual ports just now
            command = [sys.executable, "-m", "sandbox", "--port", str(port), "--with-parent"]
            command += ["--plenty-password", SYSTEM_PASSWORD, *chosen]
            # A session of its own: Ctrl-C reaches this process only, which ends the child when the run has ended.
            # Its stdin is a pipe that nobody writes to: it ends when this process does, even by SIGKILL.
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                text=True,
                start_new_session=True,
            )
            try:
                addresses = dict(_told(child))
                if addresses:
                    for line in _complained(complaints):
                        say(line)  # an order of one's own that was left out, and why
                    yield addresses
                    return
            finally:
                _end(child)
        said = _complained(complaints)
        crashed = any(line.startswith("Traceback") for line in said)
        raise Refused("\n".join(said[-1:] if crashed else dict.fromkeys(said)) or "The stand-ins did not start.")


def _complained(complaints: IO[str]) -> list[str]:
    """What the child wrote to its stderr so far. Not by `seek`: the place in the file is the child's own too."""
    return os.pread(complaints.fileno(), MOST_SAID, 0).decode(errors="replace").strip().splitlines()


def _end(child: subprocess.Popen[str]) -> None:
    with child:  # closes its pipes
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()


def _told(child: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    """`name address` lines up to `ready`; nothing when the child ends before."""
    assert child.stdout is not None
    lines: list[str] = []
    for line in child.stdout:
        if line.strip() == "ready":
            for one in lines:
                name, _, address = one.strip().partition(" ")
                yield name, address
            return
        lines.append(line)


def refuse_foreign(session: Session, document: Document) -> None:
    """A connection of the same name that leads elsewhere is somebody's own and must not be bent."""
    for spec in document.connections:
        row = session.scalar(select(models.Connection).where(models.Connection.name == spec.name))
        if row is not None and urlsplit(row.base_url).hostname != LOCAL:
            raise Refused(
                f"The data folder has a connection {spec.name!r} to {row.base_url} already. "
                "Set CONNECTOR_HOME to another folder for the demo."
            )


def forget(session: Session, document: Document) -> None:
    """The stand-ins begin empty: ids that an earlier rehearsal got from them mean nothing now."""
    ids = [configuration.connection(session, spec.name).id for spec in document.connections]
    for spec in document.profiles:
        row = configuration.profile(session, spec.name)
        session.execute(delete(models.SyncRecord).where(models.SyncRecord.profile_id == row.id))
        session.execute(delete(models.Watched).where(models.Watched.profile_id == row.id))
        row.mark = row.read_at = None
    for table in (models.Link, models.DataLog):
        session.execute(delete(table).where(table.connection_id.in_(ids)))
    session.execute(delete(models.Written).where(models.Written.from_id.in_(ids)))
    session.execute(delete(models.Shared).where(models.Shared.connection_id.in_(ids)))


def add_user(session: Session) -> str:
    """The user of the demo; how to log in, in words."""
    row = session.scalar(select(models.User).where(models.User.name == USER))
    if row is None:
        row = auth.add_user(session, USER, PASSWORD, "admin")
    try:
        PasswordHasher().verify(row.password, PASSWORD)
    except VerificationError:
        return f"user {USER}, with the password that was given to it"
    return f"user {USER}, password {PASSWORD}"


def _collect(database: Database, name: str) -> None:
    with database.reading() as session:
        row = configuration.connection(session, name)
    if wrong := [one.message for one in wiring.check_connection(database, row.id) if not one.ok]:
        raise Refused(f"{name}: {wrong[0]}")
    try:
        counts = wiring.collect_connection(database, row.id)
    except ConnectorError as error:
        raise Refused(str(error)) from error
    say(f"{name} at {row.base_url}: {sum(counts.values())} values in {len(counts)} lists collected.")


def learn(database: Database, spec: ProfileSpec) -> ProfileSpec:
    """The profile with every code that the orders bring: a rehearsal with own orders must not end at a mapping."""
    taught = replace(spec, settings=taught_settings(spec.settings, islice(_orders(database, spec), LEARNED_FROM)))
    with database.session() as session:
        configuration.save_profile(session, taught, by=WHO)
    return taught


def taught_settings(settings: Any, orders: Iterable[Any]) -> dict[str, Any]:
    """Unknown codes are treated as the first one of their table; an unknown status is exported as well."""
    taught: dict[str, Any] = deepcopy(dict(settings))
    common = taught["global"]
    for order in orders:
        for table, code_of in TABLES.items():
            code = code_of(order)
            if code is None or code in common[table]:
                continue
            common[table][code] = deepcopy(next(iter(common[table].values())))
            if table == "status_mapping":
                common["status_filter"].append(code)
    return taught


def _orders(database: Database, spec: ProfileSpec) -> Iterator[Any]:
    with database.reading() as session:
        row = configuration.profile(session, spec.name)
        ends = [configuration.connection(session, one) for one in (spec.source, spec.target)]
    told = wiring.declarations(ends[0].connector, ends[1].connector, spec.entity)
    options = resolve(told.schemas, row.settings).options
    with wiring.connected(database, ends[0].id) as system:
        source = system.resource(spec.entity)
        for page in source.read(None, options):
            for found in page.records:
                try:
                    yield source.parse(found.payload or {})
                except Exception:
                    continue  # the run says what is wrong with it


def play_warehouse(address: str) -> int:
    """Let the stand-in's warehouse send some orders; how many it did."""
    command = [sys.executable, "-m", "sandbox.warehouse", "work", "--url", address, "--limit", str(SENT)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Refused(f"The warehouse could not work: {done.stderr.strip()}")
    return len(done.stdout.split())


def _run_and_tell(database: Database, name: str) -> bool:
    result = _run(database, name)
    _tell(database, name, result)
    return result.could_run


def _run(database: Database, name: str) -> Result:
    with database.reading() as session:
        row = configuration.profile(session, name)
    stop = threading.Event()
    with serving.stopping_after_record(stop), progress() as tell:
        outcome = run_now(database, row, by=WHO, progress=tell, stop=stop)
    if outcome.result is None:
        raise Refused(outcome.message)
    return outcome.result


def _tell(database: Database, name: str, result: Result) -> None:
    """What happened, in four lines; one more for each further cause of failures."""
    calls = "; ".join(
        f"{who} {one.get('read', 0)} read, {one.get('write', 0)} write" for who, one in result.calls.items()
    )
    show(f"{name}: {result.message}")
    show(f"It took {result.seconds:.1f} seconds. Calls: {calls or 'none'}.")
    with database.reading() as session:
        profile = configuration.profile(session, name)
        show(f"Skipped: {_skipped(session, profile.id) or 'none'}.")
        failures = reports.failures(session, profile.id)
    causes = [f"{one.count} × {one.message.rstrip('.')} (for example {one.number})" for one in failures[:CAUSES]]
    causes += [f"and {len(failures) - CAUSES} other causes"] if len(failures) > CAUSES else []
    for number, cause in enumerate(causes or ["none"]):
        show(f"{'        ' if number else 'Failed: '}{cause}.")


def _skipped(session: Session, profile_id: int) -> str:
    """How many records each setting skipped, the first three of them."""
    record = models.SyncRecord
    count = func.count()
    rows = session.execute(
        select(record.setting, count)
        .where(record.profile_id == profile_id, record.status == models.SyncStatus.SKIPPED)
        .group_by(record.setting)
        .order_by(count.desc())
    ).all()
    return ", ".join(f"{many} by {setting or 'their content'}" for setting, many in rows[:3])
