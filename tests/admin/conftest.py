"""A host with two systems of a stranger, seeded by hand, and a browser's client for it; and the command."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from marshmallow import fields, validate

import connector.registry
from admin import auth, cli, create_app
from connector import Catalogue, Connector, Entry, Finding, Ref, Resource
from connector.settings import (
    ACCOUNT,
    CONFIGURATION,
    GLOBAL,
    PAYMENT,
    STATUSES,
    STORE,
    STORES,
    WEBSITE,
    Choice,
    Choices,
    Row,
    Secret,
    Settings,
    ValueMap,
    between,
    one_of,
    setting,
)
from profiles.db import Database, now
from profiles.models import (
    CatalogueEntry,
    Connection,
    DataLog,
    Heartbeat,
    Profile,
    SyncHistory,
    SyncRecord,
    Task,
    TaskHistory,
)
from profiles.secrets import seal

PASSWORD = "correct horse battery"
SECRETS = ("pl4nted-t0ken-in-credentials", "pl4nted-option-secret", "pl4nted-bearer-abcdef0123")
HOSTILE = "<script>alert('x')</script>\"'><img src=x onerror=alert(1)>"
ALL = (GLOBAL, WEBSITE, STORE)


class PaymentRow(Settings):
    method = setting(Choice("payment_method"), section=PAYMENT, label="Payment method")
    create = setting(fields.Boolean(), section=PAYMENT, label="Create payment for this method?", default=True)


class ShopAccount(Settings):
    user = setting(fields.String(), section=ACCOUNT, label="User", required=True)
    token = setting(Secret(), section=ACCOUNT, label="Access token", required=True)
    key = setting(Secret(), section=ACCOUNT, label="Signature key")


class ShopOptions(Settings):
    status_filter = setting(
        Choices("order_status", side="source"), section=STATUSES, label="Process orders with status", scopes=ALL
    )
    since = setting(fields.Date(), section=CONFIGURATION, label="Orders since")
    note = setting(
        fields.String(validate=validate.Length(max=40)), section=STORES, label="Note", scopes=ALL, help="For {entity}s."
    )
    mode = setting(fields.String(validate=one_of("fast", "safe")), section=CONFIGURATION, label="Mode", default="safe")
    hook_secret = setting(Secret(), section=CONFIGURATION, label="Hook secret")


class ErpOptions(Settings):
    status_mapping = setting(
        ValueMap("order_status", Choice("order_status")),
        section=STATUSES,
        label="Order status mapping",
        required=True,
        scopes=ALL,
    )
    payment_mapping = setting(
        ValueMap("payment_method", Row(PaymentRow)), section=PAYMENT, label="Payment method mapping", required=True
    )
    warehouse_id = setting(
        Choice("warehouse"),
        section=STORES,
        label="Main warehouse",
        required=True,
        scopes=ALL,
        help="Where stock leaves.",
    )
    referrer_id = setting(
        fields.Float(validate=between(0, 1000)), section=STORES, label="Order referrer ID", default=1.0, scopes=ALL
    )


class ShopOrders(Resource):
    entity = "order"
    label = "Orders"
    SourceOptions = ShopOptions

    def read(self, since: Any, options: Any) -> Any:
        return iter(())


class ErpOrders(Resource):
    entity = "order"
    label = "Orders"
    TargetOptions = ErpOptions
    key_ref = "order_id"
    refs = (
        Ref(key="order_id", label="Plenty Order ID"),
        Ref(key="status_id", label="Plenty Status ID"),
        Ref(key="status_name", label="Plenty Status Name"),
        Ref(key="referrer_id", label="Plenty Referrer ID"),
        Ref(key="contact_id", label="Plenty Contact ID"),
        Ref(key="billing_id", label="Plenty Billing ID"),
        Ref(key="shipping_id", label="Plenty Shipping ID"),
        Ref(key="payment_id", label="Plenty Payment ID"),
        Ref(key="payment_method_id", label="Plenty Payment Method ID"),
        Ref(key="payment_status_id", label="Plenty Payment Status ID"),
        Ref(key="payment_order_id", label="Plenty Payment Order Ass. ID"),
        Ref(key="payment_contact_id", label="Plenty Payment Contact Ass. ID"),
    )

    def write(self, record: Any, known: Any, options: Any) -> Any:
        raise NotImplementedError


class Shop(Connector):
    code = "strangershop"
    label = "Stranger's Shop"
    Settings = ShopAccount
    resources = (ShopOrders,)
    catalogues = (
        Catalogue(kind="order_status", label="Order statuses"),
        Catalogue(kind="payment_method", label="Payment methods", learned=True),
    )

    def check(self) -> list[Finding]:
        return [Finding(name="Login", ok=True, message="It works.")]

    def collect(self) -> Iterator[tuple[str, list[Entry]]]:
        yield "order_status", [Entry(id="new", name="New"), Entry(id="complete", name="Complete")]


class Erp(Connector):
    code = "strangererp"
    label = "Stranger's ERP"
    Settings = ShopAccount
    resources = (ErpOrders,)
    catalogues = (
        Catalogue(kind="order_status", label="Order statuses"),
        Catalogue(kind="warehouse", label="Warehouses"),
    )

    def check(self) -> list[Finding]:
        return [Finding(name="Login", ok=False, message="The password is wrong.")]


class Compiled(BytecodeCache):
    """Templates that are compiled once, not anew for the app of each test: that was half of the tests' time."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self.kept:
            bucket.bytecode_from_string(self.kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


def _points(group: str) -> list[EntryPoint]:
    here = __name__
    return [
        EntryPoint("brokensystem", f"{here}:Nothing", group),
        EntryPoint("strangererp", f"{here}:Erp", group),
        EntryPoint("strangershop", f"{here}:Shop", group),
    ]


@pytest.fixture
def two_systems(tmp_path: Path) -> Iterator[None]:
    """Only the stranger's connectors are installed, one of them broken; the data folder is a fresh one."""
    with pytest.MonkeyPatch.context() as patch:
        _install(patch, tmp_path)
        yield
    connector.registry.forget()


def _install(patch: pytest.MonkeyPatch, folder: Path) -> None:
    patch.setattr(auth, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    patch.setenv("CONNECTOR_HOME", str(folder))
    patch.setenv("CONNECTOR_ALLOW_PRIVATE", "1")
    patch.setenv("SHOP_KEY", "from-the-environment")
    for name in ("CONNECTOR_DATABASE_URL", "CONNECTOR_SECRET_KEY"):
        patch.delenv(name, raising=False)
    patch.setattr(connector.registry, "entry_points", _points)
    patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": COMPILED})
    connector.registry.forget()


@dataclass
class Seeded:
    """What the seed put where."""

    db: Database
    shop: int
    erp: int
    profile: int
    failed: int
    complete: int
    task: int
    call: int


@pytest.fixture
def db(two_systems: None, tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'pages.db'}")
    made.upgrade()
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Seeded]:
    """A data folder with a seeded database, made once and copied for each test."""
    return _pattern(tmp_path_factory.getbasetemp())


@cache  # the browser's tests have the fixture too, and one folder does for all
def _pattern(place: Path) -> tuple[Path, Seeded]:
    folder = place / "pattern"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        _install(patch, folder)
        database = Database(f"sqlite:///{folder / 'pages.db'}")
        database.upgrade()
        seeded = seed(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.engine.dispose()
    connector.registry.forget()
    return folder, seeded


@pytest.fixture
def seeded(two_systems: None, tmp_path: Path, pattern: tuple[Path, Seeded]) -> Iterator[Seeded]:
    folder, made = pattern
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    database = Database(f"sqlite:///{tmp_path / 'pages.db'}")
    yield replace(made, db=database)
    database.engine.dispose()


def seed(db: Database) -> Seeded:
    moment = now()
    with db.session() as session:
        auth.add_user(session, "anna", PASSWORD)
        auth.add_user(session, "victor", PASSWORD, "viewer")
        shop = Connection(
            name="shop-de",
            connector="strangershop",
            base_url="https://shop.example.com",
            credentials=seal({"user": "api", "token": SECRETS[0], "key": "env:SHOP_KEY"}),
            created_at=moment - timedelta(days=40),
            updated_at=moment - timedelta(days=3),
            checked_at=moment - timedelta(hours=2),
            check_ok=True,
            check_message="All right.",
            collected_at=moment - timedelta(hours=2),
        )
        erp = Connection(
            name="erp",
            connector="strangererp",
            base_url="https://erp.example.com",
            credentials=seal({"user": "api", "token": SECRETS[0]}),
            created_at=moment - timedelta(days=40),
            updated_at=moment - timedelta(days=3),
            checked_at=moment - timedelta(minutes=12),
            check_ok=False,
            check_message="The REST user may not read warehouses.",
            collected_at=moment - timedelta(hours=2),
        )
        session.add_all([shop, erp])
        session.flush()
        session.add_all(_catalogues(shop.id, erp.id, moment))
        profile = Profile(
            name="Orders DE",
            entity="order",
            direction="export",
            from_id=shop.id,
            to_id=erp.id,
            active=True,
            cron="*/15 * * * *",
            timezone="Europe/Berlin",
            settings={
                "global": {
                    "status_mapping": {"processing": 5, "complete": 7, "gone": 3.5},
                    "payment_mapping": {"paypal": {"method": 14, "create": True}},
                    "warehouse_id": 104,
                    "hook_secret": SECRETS[1],
                },
                "websites": {"base": {"note": "from the website"}},
                "stores": {"de": {"referrer_id": 2.5}},
            },
            created_at=moment - timedelta(days=30),
            updated_at=moment - timedelta(days=1),
        )
        session.add(profile)
        session.flush()
        tasks = _tasks(profile.id, moment)
        session.add_all(tasks)
        session.flush()
        records = _records(profile.id, moment)
        session.add_all(records)
        session.flush()
        session.add_all(_histories(profile.id, records, tasks, moment))
        calls = _calls(shop.id, erp.id, records, moment)
        session.add_all(calls)
        session.add(Heartbeat(host="one", beat_at=moment, started_at=moment - timedelta(hours=5)))
        session.flush()
        return Seeded(
            db=db,
            shop=shop.id,
            erp=erp.id,
            profile=profile.id,
            failed=next(one.id for one in records if one.status == "failed"),
            complete=next(one.id for one in records if one.status == "complete"),
            task=next(one.id for one in tasks if one.status == "processing"),
            call=calls[-1].id,
        )


def _catalogues(shop: int, erp: int, moment: datetime) -> list[CatalogueEntry]:
    told: dict[tuple[int, str], list[tuple[str, str]]] = {
        (shop, "website"): [("base", "Main website")],
        (shop, "store"): [("de", "German store"), ("en", "English store")],
        (shop, "order_status"): [
            ("pending", "Pending"),
            ("processing", "Processing"),
            ("complete", "Complete"),
            ("holded", "On hold"),
        ],
        (shop, "payment_method"): [
            ("paypal", "PayPal"),
            ("banktransfer", "Bank transfer"),
            ("cash", "Cash on delivery"),
        ],
        (erp, "order_status"): [("3", "Waiting for payment"), ("5", "Cleared"), ("7", "Shipped"), ("8", "Cancelled")],
        (erp, "payment_method"): [("0", "Invoice"), ("2", "Cash on delivery"), ("14", "PayPal")],
        (erp, "warehouse"): [("104", "Kassel"), ("105", HOSTILE)],
    }
    return [
        CatalogueEntry(
            connection_id=connection,
            kind=kind,
            entry=entry,
            name=name,
            extra={"website": "base"} if kind == "store" else {},
            collected_at=moment,
        )
        for (connection, kind), entries in told.items()
        for entry, name in entries
    ]


def _tasks(profile: int, moment: datetime) -> list[Task]:
    made = []
    for at in range(12, 1, -1):
        due = moment - timedelta(minutes=15 * at)
        status, message = ("success", "4 orders read, 3 created, 1 skipped.")
        if at == 5:
            status, message = "error", "2 of 5 orders failed, the first: order 100000042: no payment method is mapped."
        if at == 8:
            status, message = "missed", "Missed 3 times while the host was not running."
        made.append(
            Task(
                profile_id=profile,
                status=status,
                job_code="order_export",
                created_at=due - timedelta(minutes=15),
                scheduled_at=due,
                executed_at=None if status == "missed" else due + timedelta(milliseconds=40),
                finished_at=None if status == "missed" else due + timedelta(seconds=7.3),
                message=message,
            )
        )
    running = moment - timedelta(seconds=20)
    made.append(
        Task(
            profile_id=profile,
            status="processing",
            job_code="order_export",
            asked_by="anna",
            created_at=running,
            scheduled_at=running,
            executed_at=running,
            counts={"done": 37, "total": 120},
        )
    )
    made.append(
        Task(
            profile_id=profile,
            status="pending",
            job_code="order_export",
            created_at=moment,
            scheduled_at=moment + timedelta(minutes=9),
        )
    )
    return made


OUTCOMES: dict[str, str] = {
    "complete": "Created with contact, addresses and payment.",
    "updated": "The status was changed from 5 to 7.",
    "pending": "Waits for its next attempt: the system answers 503 (maintenance).",
    "skipped": "Its status “pending” is not among those to be processed (setting status_filter).",
    "failed": "Order {number}: no payment method is mapped for “klarna_pay_later”. Map it in the export settings.",
}


def _records(profile: int, moment: datetime) -> list[SyncRecord]:
    statuses = ["complete", "complete", "complete", "updated", "failed", "complete", "skipped", "complete", "pending"]
    made = []
    for at in range(130):
        status = statuses[at % len(statuses)]
        number = f"1000{at:05d}"
        done = status in ("complete", "updated")
        touched = moment - timedelta(minutes=7 * (130 - at))
        refs = {
            "order_id": str(50000 + at),
            "status_id": "5",
            "status_name": "Cleared",
            "referrer_id": "1",
            "contact_id": str(900 + at),
            "billing_id": str(3000 + at),
            "shipping_id": str(3000 + at),
            "payment_id": str(7000 + at),
            "payment_method_id": "14",
            "payment_status_id": "2",
            "payment_order_id": str(7000 + at),
            "payment_contact_id": str(7000 + at),
        }
        made.append(
            SyncRecord(
                profile_id=profile,
                source_id=str(at + 1),
                source_number=number,
                target_id=refs["order_id"] if done else None,
                status=status,
                message=OUTCOMES[status].format(number=number),
                cause="no-payment-method" if status == "failed" else None,
                setting="status_filter" if status == "skipped" else None,
                attempts=3 if status == "failed" else 1,
                refs=refs if done else {},
                store="de",
                source_status="processing",
                customer=str(200 + at) if at % 3 else None,
                amount=f"{19 + at}.90 EUR",
                source_created_at=touched - timedelta(minutes=30),
                created_at=touched - timedelta(minutes=4),
                updated_at=touched,
                processed_at=touched if status != "pending" else None,
            )
        )
    made[-1].message = HOSTILE
    made[-1].customer = HOSTILE
    return made


def _histories(profile: int, records: list[SyncRecord], tasks: list[Task], moment: datetime) -> list[Any]:
    lines: list[Any] = []
    for record in records:
        for status, message in (("processing", "Claimed by a run."), (record.status, record.message)):
            lines.append(
                SyncHistory(
                    profile_id=profile,
                    record_id=record.id,
                    task_id=tasks[0].id,
                    source_id=record.source_id,
                    source_number=record.source_number,
                    target_id=record.target_id,
                    status=status,
                    direction="export",
                    message=message,
                    created_at=record.updated_at,
                )
            )
    lines += [
        TaskHistory(
            profile_id=profile,
            task_id=task.id,
            status=task.status,
            action="order_export",
            message=task.message or "Claimed by a worker.",
            created_at=task.created_at,
            performed_at=task.scheduled_at,
        )
        for task in tasks
    ]
    return lines


def _calls(shop: int, erp: int, records: list[SyncRecord], moment: datetime) -> list[DataLog]:
    made = []
    for record in records[-60:]:
        bad = record.status == "failed"
        made.append(
            DataLog(
                connection_id=shop,
                identifier="strangershop",
                path="/rest/V1/orders",
                method="GET",
                status=200,
                seconds=0.21,
                reference=record.source_number,
                created_at=record.updated_at,
            )
        )
        made.append(
            DataLog(
                connection_id=erp,
                identifier="strangererp",
                path="/rest/orders",
                method="POST",
                status=422 if bad else None if record.status == "pending" else 200,
                seconds=1.34,
                reference=record.source_number,
                error="The server refused the order." if bad else None,
                request=f'{{"typeId": 1, "password": "{SECRETS[0]}", "note": "{HOSTILE[:8]}"}}',
                response=f"Authorization: Bearer {SECRETS[2]} {HOSTILE}",
                created_at=record.updated_at,
            )
        )
    return made


@pytest.fixture
def app(seeded: Seeded) -> Flask:
    made = create_app(seeded.db)
    made.config.update(TESTING=False, RATELIMIT_ENABLED=False)
    return made


class Browser:
    """A client that sends the CSRF token of the page it saw last, as a browser would."""

    def __init__(self, app: Flask) -> None:
        self.client: FlaskClient = app.test_client()

    def get(self, address: str, **kwargs: Any) -> Any:
        return self.client.get(address, **kwargs)

    def token(self, address: str = "/") -> str:
        html = self.client.get(address, follow_redirects=True).get_data(as_text=True)
        found = re.search(r'name="csrf_token" value="([^"]+)"', html)
        assert found, f"{address} holds no form"
        return found[1]

    def post(self, address: str, data: dict[str, Any] | None = None, page: str = "/", **kwargs: Any) -> Any:
        return self.client.post(address, data={**(data or {}), "csrf_token": self.token(page)}, **kwargs)

    def login(self, name: str = "anna", password: str = PASSWORD) -> Any:
        return self.post("/login/", {"name": name, "password": password}, page="/login/")


@pytest.fixture
def stranger(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def anna(app: Flask) -> Browser:
    made = Browser(app)
    assert made.login().status_code == 302
    return made


@pytest.fixture
def victor(app: Flask) -> Browser:
    made = Browser(app)
    assert made.login("victor").status_code == 302
    return made


@pytest.fixture
def bundled(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, and no others than the bundled connectors."""
    for name in ("CONNECTOR_DEBUG", "PLENTY_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    connector.registry.forget()
    return home


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(bundled: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process."""

    def run(*arguments: str) -> Said:
        capsys.readouterr()
        code = cli.run_command(arguments)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err + printed.out
        return Said(code=code, out=printed.out, err=printed.err)

    return run


@pytest.fixture
def alone(bundled: Path) -> Command:
    """Run the command in a process of its own."""

    def run(*arguments: str) -> Said:
        done = subprocess.run(
            [sys.executable, "-m", "admin", *arguments], capture_output=True, text=True, timeout=120, check=False
        )
        assert "Traceback" not in done.stderr + done.stdout
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


class Running:
    """A command that goes on until it is told to end."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "admin", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.said = ""

    def read_until(self, word: str) -> str:
        assert self.process.stdout is not None
        while word not in self.said:
            line = self.process.stdout.readline()
            assert line, self.said
            self.said += line
        return self.said

    def end(self, number: int) -> int:
        """Send it the signal; its exit code, when it has said its last."""
        self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=30)
        self.said += out
        return self.process.returncode


@pytest.fixture
def running(bundled: Path) -> Iterator[Callable[..., Running]]:
    """Start the command as a process; whatever the test finds out, it does not outlive it."""
    started: list[Running] = []

    def start(*arguments: str) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield start
    for one in started:
        with one.process:
            one.process.kill()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield int(taken.getsockname()[1])


@pytest.fixture
def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])
