"""The command `connector`. Results go to stdout, words to stderr; no traceback reaches a person.

Exit codes: 0 done, 1 something that was tried failed (a record, a check), 2 it could not be done at all.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import click
from sqlalchemy import select
from sqlalchemy.exc import DatabaseError, IntegrityError, InternalError, OperationalError
from sqlalchemy.orm import Session

from admin import configuration, reports
from admin.configuration import Wrong
from admin.screen import Refused, mark, progress, say, show, show_json, table
from admin.serving import schedule, serve_pages, stopping_after_record
from connector.errors import ConnectorError
from profiles import models, wiring
from profiles.db import Database, DatabaseTrouble, home, now
from profiles.models import SyncStatus
from profiles.secrets import MissingSecret, redact_text
from profiles.sync import Result
from scheduler.worker import AlreadyRunning, run_now

log = logging.getLogger(__name__)

TOLD = (DatabaseTrouble, Wrong, configuration.Unknown, MissingSecret, ConnectorError, AlreadyRunning)
DATABASE_GONE = (DatabaseError, InternalError, OperationalError)
STOPPED = 130
FIRST_USER = "admin"
TALKATIVE = ("oauthlib", "requests_oauthlib", "urllib3")  # their DEBUG lines hold keys, tokens and signatures


def main(arguments: Sequence[str] | None = None) -> None:
    """The entry point."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal without ✓ gets a ?
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Whatever goes wrong is one sentence."""
    try:
        code = cli.main(
            args=None if arguments is None else list(arguments), prog_name="connector", standalone_mode=False
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code if error.exit_code != 1 else 2
    except (click.Abort, KeyboardInterrupt):
        say("Stopped.")
        return STOPPED
    except BrokenPipeError:
        return _nobody_reads()
    except Exception as error:
        say(explain(error))
        return 2


def _nobody_reads() -> int:
    """`connector records … | head` has all that it wanted: that is no failure."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def explain(error: BaseException) -> str:
    """What happened, as one sentence (or several lines of them). The unexpected goes to the log with its traceback."""
    if os.environ.get("CONNECTOR_DEBUG") == "1":
        say(redact_text("".join(traceback.format_exception(error)).rstrip()))
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, TOLD):
        return str(error.args[0]) if error.args else str(error)
    log.error("unexpected", exc_info=error)
    if type(error) in DATABASE_GONE:
        return f"The database cannot be used: {str(getattr(error, 'orig', error)).splitlines()[0]}."
    place = next((one.baseFilename for one in logging.getLogger().handlers if isinstance(one, _LogFile)), None)
    where = f"The details are in {place}." if place else "CONNECTOR_DEBUG=1 shows the details."
    return f"Something unexpected went wrong ({type(error).__name__}). {where}"


class _LogFile(RotatingFileHandler):
    """The log in the data folder, secrets hidden."""

    def format(self, record: logging.LogRecord) -> str:
        return redact_text(super().format(record))


def _log_to_file(command: str) -> None:
    """Each command has its own file: processes of the same name are rarely two, and each may turn its file over."""
    root = logging.getLogger()
    for one in [one for one in root.handlers if isinstance(one, _LogFile)]:
        root.removeHandler(one)
        one.close()
    try:
        folder = home() / "log"
        folder.mkdir(exist_ok=True, mode=0o700)
        handler = _LogFile(
            folder / f"{command}.log",
            maxBytes=10_000_000,
            backupCount=3,
            delay=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except (OSError, DatabaseTrouble):
        root.addHandler(logging.NullHandler())  # the command says in its words that the data folder cannot be used
        return
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.addHandler(handler)
    logging.getLogger("alembic").setLevel("WARNING")
    for name in TALKATIVE:
        logging.getLogger(name).setLevel("INFO")
    root.setLevel("DEBUG" if os.environ.get("CONNECTOR_DEBUG") == "1" else "INFO")


def open_database() -> Database:
    """The database, made or upgraded when it is new or older. Raises DatabaseTrouble when it is newer."""
    database = Database()
    done = database.upgrade()
    if "from nothing" not in done and "up to date" not in done:
        say(done)
    return database


class Commands(click.Group):
    """click would end a command whose reader has gone with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            return _nobody_reads()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="connector-host", prog_name="connector")
@click.pass_context
def cli(context: click.Context) -> None:
    """Profiles send orders from one system to another, on schedule, exactly once, to the cent.

    Data lie in CONNECTOR_HOME (default var/), the database is CONNECTOR_DATABASE_URL (default SQLite in that folder).
    """
    _log_to_file(context.invoked_subcommand or "connector")


PORT = click.IntRange(0, 65535)


@cli.command()
@click.option("--orders", type=click.IntRange(1), default=200, show_default=True, help="So many made-up orders.")
@click.option(
    "--orders-from",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Orders as JSON files instead of made-up ones.",
)
@click.option("--port", type=PORT, default=8080, show_default=True, help="Port of the pages.")
@click.option("--once", is_flag=True, help="Run the profile once and end, serve no pages.")
@click.option(
    "--with",
    "market",
    metavar="MARKET",
    help="A market as well, whose orders come in and which is told what became of them.",
)
def demo(orders: int, orders_from: Path | None, port: int, once: bool, market: str | None) -> int:
    """Try it out: stand-ins for the systems, a profile, one run, and the pages to look at it."""
    from admin import demo as rehearsal

    if market is not None and market not in rehearsal.MARKETS:
        raise click.BadParameter(f"There is {', '.join(rehearsal.MARKETS)}, not {market!r}.", param_hint="--with")
    return rehearsal.run(open_database, orders=orders, orders_from=orders_from, port=port, once=once, market=market)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=8080, show_default=True)
def serve(host: str, port: int) -> None:
    """Pages, scheduler and workers in one process."""
    _serve(host, port, clock=True)


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=PORT, default=8080, show_default=True)
def web(host: str, port: int) -> None:
    """The pages alone."""
    _serve(host, port, clock=False)


def _serve(host: str, port: int, *, clock: bool) -> None:
    database = open_database()
    _first_admin(database)
    serve_pages(database, host, port, clock=clock)


def _first_admin(database: Database) -> None:
    """Where there is no user at all, one who can log in once, with a password that only this terminal shows."""
    from admin import auth

    password = auth.one_time_password()
    try:
        with database.session() as session:
            if session.scalar(select(models.User.id).limit(1)) is not None:
                return
            auth.add_user(session, FIRST_USER, password, auth.ADMIN, one_time=True)
    except (auth.Refused, IntegrityError):
        return  # another process was a moment faster, and told its own terminal
    say(f"There was no user yet. Log in as {FIRST_USER} with the password {password} and choose one of your own.")
    say("It is not shown again; `connector user reset admin` makes another one.")


@cli.command()
def scheduler() -> None:
    """Scheduler and workers alone."""
    schedule(open_database())


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def apply(file: Path) -> None:
    """Store the connections and profiles of a YAML FILE (- reads stdin). A second time changes nothing."""
    text = _read(file)
    database = open_database()
    with database.session() as session:
        changes = configuration.apply(session, text, by="command line")
    _tell("Applied", changes, "Nothing changed.")
    with database.reading() as session:
        for name in configuration.missing_variables(session, text):
            say(f"Note: the environment variable {name} is not set here; it must be where profiles run.")
    _doubt(database, text)


@cli.command()
@click.argument("file", type=click.Path(path_type=Path))
def diff(file: Path) -> None:
    """Show what `apply FILE` would change."""
    text = _read(file)
    database = open_database()
    with database.reading() as session:
        changes = configuration.diff(session, text)
    _tell("Would change", changes, "Nothing would change.")
    _doubt(database, text)


def _doubt(database: Database, text: str) -> None:
    """Values that the collected lists do not know: the lists may be older than they."""
    with database.reading() as session:
        found = configuration.doubts(session, text)
    for one in found:
        say(f"Note: {one}")
    if found:
        say("If these values are new, collect the lists again: connector collect.")


@cli.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def export(file: Path | None) -> None:
    """Write connections and profiles as YAML, secrets as references, to FILE or stdout."""
    with open_database().reading() as session:
        text = configuration.export(session)
    if file is None or str(file) == "-":
        click.echo(text, nl=False)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"The file {file} cannot be written: {error.strerror}.") from error
    say(f"Written to {file}.")


def _read(file: Path) -> str:
    try:
        return sys.stdin.buffer.read().decode() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Refused(f"The file {file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise Refused(f"The file {file} is not UTF-8 text (byte {error.start}).") from error


def _tell(done: str, changes: list[str], otherwise: str) -> None:
    for line in [f"{done}: {change}" for change in changes] or [otherwise]:
        show(line)


@cli.command()
@click.argument("connection", required=False)
def check(connection: str | None) -> int:
    """Test a connection, or all: address, login, rights."""
    database = open_database()
    good = True
    for row in _connections(database, connection):
        show(f"{row.name} ({row.connector}, {row.base_url})")
        for finding in wiring.check_connection(database, row.id):
            mark(finding.ok, f"{finding.name}: {finding.message}")
            good = good and finding.ok
    return 0 if good else 1


@cli.command()
@click.argument("connection", required=False)
def collect(connection: str | None) -> int:
    """Fetch the lists of a connection, or of all: statuses, payment methods, warehouses, stores."""
    database = open_database()
    good = True
    for row in _connections(database, connection):
        show(f"{row.name} ({row.connector}, {row.base_url})")
        try:
            wiring.collect_connection(database, row.id, lambda kind, count: mark(True, f"{kind}: {count}"))
        except ConnectorError as error:
            mark(False, explain(error))
            good = False
    return 0 if good else 1


@cli.command()
@click.argument("connection")
def hook(connection: str) -> None:
    """The address on this host that the system of CONNECTION may call (POST) when something happened to an order."""
    from admin import hooks

    with open_database().reading() as session:
        show(hooks.path(configuration.connection(session, connection).id))


def _connections(database: Database, name: str | None) -> Sequence[models.Connection]:
    with database.reading() as session:
        if name is not None:
            return [configuration.connection(session, name)]
        rows = session.scalars(select(models.Connection).order_by(models.Connection.name)).all()
    if not rows:
        say("There are no connections yet.")
    return rows


@cli.command()
@click.argument("profile")
@click.option("--dry-run", is_flag=True, help="Show what would be sent; send nothing.")
@click.option("--order", metavar="NUMBER", help="This order only, read anew.")
@click.option("--json", "as_json", is_flag=True, help="The result as one object on the last line of stdout.")
def run(profile: str, dry_run: bool, order: str | None, as_json: bool) -> int:
    """Run a profile now, in the foreground. Exit code 0: success, 1: a record failed, 2: it could not run,
    130: it was stopped before its end."""
    number = None if order is None else order.strip()
    asked: dict[str, Any] = {**({"order": number} if number else {}), **({"dry_run": True} if dry_run else {})}
    ends: list[str] = []
    try:
        if number == "":  # an unset variable in a script must not become a run of everything
            raise Refused("--order needs the number of an order; without --order the whole profile runs.")
        database = open_database()
        with database.reading() as session:
            row = configuration.profile(session, profile)
            names = select(models.Connection.name).where(models.Connection.id.in_([row.from_id, row.to_id]))
            ends = list(session.scalars(names))
        stop = threading.Event()
        with stopping_after_record(stop), progress() as tell:
            outcome = run_now(database, row, by="command line", request=asked, progress=tell, stop=stop)
    except Exception as error:
        if not as_json:
            raise
        sentence = explain(error)
        say(sentence)
        show_json(reports.unable(sentence, ends))
        return 2
    result = outcome.result or reports.nothing(outcome.message)
    if dry_run:
        _show_plan(result, order is not None, as_json)
    with database.reading() as session:
        for doubt in configuration.doubts_of_profile(session, row):
            say(f"Note: {doubt}")
    say(result.message)
    if as_json:
        show_json(reports.result(result))
    return exit_code(result) or (STOPPED if stop.is_set() else 0)


def exit_code(result: Result) -> int:
    """1 when a record failed, 2 when the run could not do its work for another reason."""
    if not result.could_run:
        return 2
    if result.counts.get("failed"):
        return 1
    return 0 if result.status == "success" else 2


def _show_plan(result: Result, whole: bool, as_json: bool) -> None:
    if as_json:
        for line in result.plan:
            show_json(line)
        return
    columns = ("number", "action", "calls", "message")
    table(
        columns,
        (
            (number, line.get("action"), len(line["calls"]), reports.bare(line.get("message"), number))
            for line in result.plan
            for number in (line["source_number"] or line["source_id"],)
        ),
    )
    if whole:
        for line in result.plan:
            for call in line["calls"]:
                show(f"{call['method']} {call['path']}")
                show_json(call["body"])


@cli.command()
@click.argument("profile")
@click.option("--status", type=click.Choice([one.value for one in SyncStatus]), help="Only those of this status.")
@click.option("--json", "as_json", is_flag=True, help="A list of objects.")
def records(profile: str, status: str | None, as_json: bool) -> None:
    """The synchronisation state of each record of a profile."""
    with open_database().reading() as session:
        found = reports.records(session, configuration.profile(session, profile).id, status)
        if as_json:
            reports.stream_json(found)
            return
        columns = ("number", "kind", "target", "status", "attempts", "updated", "message")
        keys = ("source_number", "kind", "target_id", "status", "attempts", "updated_at", "message")
        table(columns, (reports.cells({**one, "kind": reports.kind(one)}, keys) for one in found))


@cli.command()
@click.argument("profile")
def history(profile: str) -> None:
    """What happened to the records of a profile, the latest last."""
    with open_database().reading() as session:
        lines = reports.history(session, configuration.profile(session, profile).id)
        columns = ("time", "number", "target", "status", "message")
        keys = ("created_at", "source_number", "target_id", "status", "message")
        table(columns, (reports.cells(one, keys) for one in lines))


@cli.command()
@click.argument("number")
@click.option("--json", "as_json", is_flag=True, help="One object.")
def order(number: str, as_json: bool) -> None:
    """Where is order NUMBER? Its state in every profile, its history, its tasks and its remote calls."""
    with open_database().reading() as session:
        story = reports.order(session, number)
    if as_json:
        show_json(story)
        return
    for record in story["records"]:
        kind = f", {reports.kind(record)}" if record.get("kind") else ""
        show(f"{record['profile']}{kind}: {record['status']}, {record['message'] or 'no message'}")
        refs = ", ".join(f"{key} {value}" for key, value in record["refs"].items() if value)
        show(f"source {record['source_id']}, target {record['target_id'] or 'none'}{f', {refs}' if refs else ''}")
        show("")
        table(
            ("time", "status", "message"),
            ((one["created_at"], one["status"], one["message"]) for one in record["history"]),
        )
        show("")
    table(
        ("time", "system", "method", "path", "status", "seconds", "error"),
        (
            tuple(one[key] for key in ("created_at", "identifier", "method", "path", "status", "seconds", "error"))
            for one in story["calls"]
        ),
    )


@cli.command()
@click.option("--port", type=PORT, default=9101, show_default=True, help="The second stand-in takes the next port.")
@click.option("--orders", type=click.IntRange(0), default=0, show_default=True, help="So many made-up orders.")
@click.option("--orders-from", type=click.Path(path_type=Path), metavar="DIR", help="Orders as JSON files.")
@click.option("--latency-ms", type=click.IntRange(0), default=0, show_default=True, help="Wait before every answer.")
@click.option(
    "--faults", type=click.Path(path_type=Path), metavar="FILE", help="Rules by which the stand-ins misbehave."
)
@click.option("--with", "market", metavar="MARKET", help="One more stand-in, after the second.")
def sandbox(
    port: int, orders: int, orders_from: Path | None, latency_ms: int, faults: Path | None, market: str | None
) -> None:
    """Stand-ins for the systems, as HTTP servers on this machine."""
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--orders", str(orders)]
    command += ["--latency-ms", str(latency_ms)]
    command += ["--orders-from", str(orders_from)] if orders_from else []
    command += ["--faults", str(faults)] if faults else []
    command += ["--with", market] if market else []
    sys.stdout.flush()
    os.execv(sys.executable, command)


@cli.group("db")
def database_group() -> None:
    """The database."""


@database_group.command("upgrade")
def upgrade() -> None:
    """Make the tables, or bring them to this version."""
    show(Database().upgrade())


@cli.group()
def user() -> None:
    """People who may log in."""


@user.command("add")
@click.argument("name")
@click.option("--role", default="admin", show_default=True, metavar="admin|operator|viewer", help="What they may do.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
def add_user(name: str, role: str, password_stdin: bool) -> None:
    """Add a person; asks for the password."""
    from admin import auth

    database = open_database()
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    with _changing(database) as session:
        auth.add_user(session, name, password, role)
    show(f"User {name!r} was added ({role}).")


@user.command("reset")
@click.argument("name")
@click.option("--no-second-factor", is_flag=True, help="Also switch off the second factor: the phone is lost.")
def reset_user(name: str, no_second_factor: bool) -> None:
    """Give a person a new one-time password, and unlock them."""
    from admin import auth

    with _changing(open_database()) as session:
        _user(session, name)
        password = auth.reset_password(session, name)
        if no_second_factor:
            auth.remove_second_factor(session, name)
    say(f"The new password of {name!r} works for one login, in which it must be changed. It is not shown again:")
    show(password)


@user.command("unlock")
@click.argument("name")
def unlock_user(name: str) -> None:
    """Let a person try again who gave too many wrong passwords."""
    from admin import auth

    with _changing(open_database()) as session:
        _user(session, name)
        auth.unlock(session, name)
    show(f"User {name!r} may try again.")


@user.command("list")
def list_users() -> None:
    """Who may log in, and what stands in their way."""
    with open_database().reading() as session:
        rows = session.scalars(select(models.User).order_by(models.User.name)).all()
    table(("name", "role", "last login", "second factor", "notes"), (reports.user(row, now()) for row in rows))


@contextmanager
def _changing(database: Database) -> Iterator[Session]:
    """A transaction about people; what cannot be is said in one sentence."""
    from admin import auth

    try:
        with database.session() as session:
            yield session
    except auth.Refused as error:
        raise Refused(str(error)) from error


def _user(session: Session, name: str) -> None:
    """Refused, with a near name, when there is no such person."""
    names = session.scalars(select(models.User.name)).all()
    if name not in names:
        raise Refused(f"There is no user {name!r}.{configuration.near(name, names)}")


@cli.command()
@click.option("--port", type=PORT, help="Is this port free for `serve`?")
def doctor(port: int | None) -> int:
    """Is everything in order? Exit code 1 when something needs a person."""
    from admin.doctor import examine

    good = True
    for finding in examine(port):
        mark(finding.ok, f"{finding.name}: {finding.message}")
        good = good and finding.ok
    return 0 if good else 1
