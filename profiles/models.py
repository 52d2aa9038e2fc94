"""The tables. Names and status words are those of the design; a plugin needs no migration.

Every index says which question it serves. Times are aware UTC (`Moment`), secrets are encrypted (`profiles.secrets`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from connector.records import bare
from profiles.fitting import fit, fit_key

LONGEST_KEY = 128  # of a source record and of its version
Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only an INTEGER key


class Moment(TypeDecorator[datetime]):
    """An instant: aware UTC in Python, in the database without zone. A naive value is a fault and refused."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _without_zone(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """SQLite keeps text; the standard library writes the same one as SQLAlchemy in a quarter of the time."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)
        return lambda value: value and _without_zone(value).isoformat(" ", "microseconds")

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None else None


def _without_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone")
    return value.astimezone(UTC).replace(tzinfo=None)


class Words(TypeDecorator[str]):
    """A text that came from outside, of any length."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else fit(value)


class Line(TypeDecorator[str]):
    """A text that came from outside, clipped to the length of its column."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else fit(value, self.length)


class Key(Line):
    """A text that came from outside and tells records apart: two that differ stay different."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else fit_key(value, self.length)


class SyncStatus(StrEnum):
    COMPLETE = "complete"  # created on the other side, with all its parts
    UPDATED = "updated"  # it existed there and was changed
    PENDING = "pending"  # known to need work: new, changed, put back, or waiting for its next attempt
    PROCESSING = "processing"  # claimed by a run
    SKIPPED = "skipped"  # nothing to do, or a setting says no; the message names the setting
    FAILED = "failed"  # a person must act, or attempts are used up


class TaskStatus(StrEnum):
    ERROR = "error"  # it stopped, or a record failed in it, or its worker died
    MISSED = "missed"  # its time passed while nothing ran, or its profile was still running; it never ran
    PENDING = "pending"  # due later, or asked for
    PROCESSING = "processing"  # a worker holds it
    SUCCESS = "success"  # it ended and no record failed in it


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment(), dict[str, Any]: JSON()}


class Connection(Base):
    """One account at one system."""

    __tablename__ = "connection"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    connector: Mapped[str] = mapped_column(String(64))
    base_url: Mapped[str] = mapped_column(String(512))
    active: Mapped[bool] = mapped_column(Boolean, default=True)  # an inactive account exchanges nothing
    credentials: Mapped[str] = mapped_column(Text, default="")  # encrypted JSON; may hold references (env:NAME)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    check_ok: Mapped[bool | None]
    check_message: Mapped[str | None] = mapped_column(Words)
    collected_at: Mapped[datetime | None]


class CatalogueEntry(Base):
    """One collected (or learned) value of a connection: an order status, a warehouse, a store view."""

    __tablename__ = "catalogue_entry"
    # serves: all entries of a kind for a form or a mapping; and one row per value
    __table_args__ = (UniqueConstraint("connection_id", "kind", "entry"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(64))
    entry: Mapped[str] = mapped_column(Key(255))
    name: Mapped[str] = mapped_column(Line(255), default="")
    extra: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    learned: Mapped[bool] = mapped_column(Boolean, default=False)  # seen in a record or typed in, not collected
    collected_at: Mapped[datetime]


class Shared(Base):
    """A small fact that all processes of a connection share (token, rate budget, lock), encrypted."""

    __tablename__ = "shared"

    connection_id: Mapped[int] = mapped_column(
        Id, ForeignKey("connection.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer, default=0)  # compare-and-swap
    holder: Mapped[str | None] = mapped_column(String(255))
    held_until: Mapped[datetime | None]


class Link(Base):
    """A remote id that several records share: the contact of a customer, an address of a contact."""

    __tablename__ = "link"
    # prevents: two contacts for one customer, created by two writers at once
    __table_args__ = (UniqueConstraint("connection_id", "kind", "key"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(Key(255))
    remote_id: Mapped[str | None] = mapped_column(String(128))
    digest: Mapped[str | None] = mapped_column(String(64))
    holder: Mapped[str | None] = mapped_column(String(255))
    held_until: Mapped[datetime | None]
    doubt_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Profile(Base):
    """Entity and direction between two connections, with its settings and its cron line."""

    __tablename__ = "profile"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    entity: Mapped[str] = mapped_column(String(32))
    direction: Mapped[str] = mapped_column(String(8))  # export, import
    from_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="RESTRICT"))
    to_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="RESTRICT"))
    active: Mapped[bool] = mapped_column(Boolean, default=False)
    cron: Mapped[str] = mapped_column(String(255))
    timezone: Mapped[str] = mapped_column(String(64), default="UTC")
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # {global, websites, stores}
    settings_version: Mapped[int] = mapped_column(Integer, default=1)
    applied_version: Mapped[int] = mapped_column(Integer, default=0)  # of the settings, by the last run
    mark: Mapped[str | None] = mapped_column(Words)  # how far the source was read; opaque
    read_at: Mapped[datetime | None]  # when it was last read to its end
    rechecked_at: Mapped[datetime | None]  # when the target was last asked what is unfinished there
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


def same_work(one: type[Profile], other: type[Profile]) -> ColumnElement[bool]:
    """Whether two profiles take the same entity between the same connections, or are one. Only one of them runs at a
    time (`scheduler.tasks.claim`), so that each knows for certain what the others wrote."""
    return and_(one.from_id == other.from_id, one.to_id == other.to_id, one.entity == other.entity)


class Written(Base):
    """What a profile that was deleted wrote, or may have written, until another one of the same work takes it over."""

    __tablename__ = "written"
    __table_args__ = (
        # serves: was this record written already?
        UniqueConstraint("from_id", "to_id", "entity", "source_id"),
        Index("ix_written_target", "to_id", "target_id"),  # serves: matching back
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    from_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="CASCADE"))
    to_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="CASCADE"))
    entity: Mapped[str] = mapped_column(String(32))
    profile: Mapped[str] = mapped_column(String(128))  # its name
    # as of the sync record
    source_id: Mapped[str] = mapped_column(Key(LONGEST_KEY))
    source_number: Mapped[str | None] = mapped_column(Line(128))
    target_id: Mapped[str | None] = mapped_column(Key(128))
    refs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    digest: Mapped[str | None] = mapped_column(String(64))
    kind: Mapped[str | None] = mapped_column(Line(16))
    store: Mapped[str | None] = mapped_column(Line(128))
    source_status: Mapped[str | None] = mapped_column(Line(64))
    customer: Mapped[str | None] = mapped_column(Line(128))
    amount: Mapped[str | None] = mapped_column(Line(40))
    source_created_at: Mapped[datetime | None]
    finished: Mapped[bool] = mapped_column(
        Boolean
    )  # False: begun, and perhaps more of it is at the target than is known
    updated_at: Mapped[datetime]


class EventProcedure(Base):
    """An event, filters and the procedure that they lead to, as people set it up in a profile of events."""

    __tablename__ = "event_procedure"
    __table_args__ = (UniqueConstraint("profile_id", "name"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(128))
    active: Mapped[bool] = mapped_column(Boolean, default=False)
    position: Mapped[int] = mapped_column(Integer, default=0)  # of several for one event the lower one comes first
    event: Mapped[str] = mapped_column(String(32))
    status: Mapped[list[str]] = mapped_column(JSON, default=list)  # of a status change: "7", "7-7.99"; empty: any
    filters: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # code of the filter: its chosen values
    procedure: Mapped[str] = mapped_column(String(64))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # of the procedure
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Watched(Base):
    """What a profile of events saw of an order when it last looked: what differs from it later is an event."""

    __tablename__ = "watched"
    # prevents: one order seen twice, and its events found twice
    __table_args__ = (UniqueConstraint("profile_id", "source_id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    source_id: Mapped[str] = mapped_column(Key(LONGEST_KEY))
    version: Mapped[str] = mapped_column(Key(LONGEST_KEY))
    seen: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # `events.Seen`
    events: Mapped[int] = mapped_column(Integer, default=0)  # so many were found so far; numbers them
    updated_at: Mapped[datetime]


def _bare(context: Any) -> str:
    return bare(context.get_current_parameters()["value"])


class Identifier(Base):
    """An IMEI or serial number that was seen in a record of an order: people look an order up by it."""

    __tablename__ = "identifier"
    __table_args__ = (
        UniqueConstraint("profile_id", "source_id", "value"),
        Index("ix_identifier_bare", "bare"),  # serves: which order has the device with this number?
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    source_id: Mapped[str] = mapped_column(Key(LONGEST_KEY))  # of the order, delivery or return
    source_number: Mapped[str | None] = mapped_column(Line(128))
    kind: Mapped[str] = mapped_column(String(16))  # imei, serial_number
    value: Mapped[str] = mapped_column(Key(128))
    bare: Mapped[str] = mapped_column(Key(128), default=_bare)  # the value as it is looked for, however it is written
    seen_at: Mapped[datetime]


class SettingsVersion(Base):
    """Every saved version of a profile's settings."""

    __tablename__ = "settings_version"
    __table_args__ = (UniqueConstraint("profile_id", "version"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON)
    author: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[datetime]


class Task(Base):
    """One scheduled execution of a profile: queue entry before, result after (the guide's *Schedule* tab)."""

    __tablename__ = "task"
    __table_args__ = (
        # prevents: one due instant of a profile planned twice, by any number of hosts
        UniqueConstraint("profile_id", "scheduled_at"),
        # serves: the clock: which tasks are due? (only pending rows are in it, so it stays small)
        Index(
            "ix_task_due",
            "scheduled_at",
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
        # prevents: two runs of one profile at the same time
        Index(
            "uq_task_running",
            "profile_id",
            unique=True,
            postgresql_where=text("status = 'processing'"),
            sqlite_where=text("status = 'processing'"),
        ),
        # serves: the Schedule tab, newest first, by key
        Index("ix_task_profile", "profile_id", "id"),
        # serves: clean-up by age
        Index("ix_task_finished", "finished_at"),
        {"sqlite_autoincrement": True},  # prevents: a new row with the id, and so the history, of a deleted one
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(16))
    job_code: Mapped[str] = mapped_column(String(128))  # entity_direction, for example order_export
    asked_by: Mapped[str | None] = mapped_column(String(128))  # a person or the command line; None: the cron line
    created_at: Mapped[datetime]
    scheduled_at: Mapped[datetime]
    executed_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    message: Mapped[str | None] = mapped_column(Words)
    worker: Mapped[str | None] = mapped_column(String(255))
    lease_until: Mapped[datetime | None]
    epoch: Mapped[int] = mapped_column(Integer, default=0)  # a late writer with an old epoch changes nothing
    stop_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    request: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # what Run now asked for, e.g. {"order": "…"}
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # done so far, total, per status, calls


class TaskHistory(Base):
    """What happened to tasks, line by line (the guide's *Schedule history* tab). Append-only."""

    __tablename__ = "task_history"
    __table_args__ = (
        Index("ix_task_history_profile", "profile_id", "id"),  # serves: the tab, newest first, by key
        Index("ix_task_history_created", "created_at"),  # serves: clean-up by age
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    task_id: Mapped[int | None] = mapped_column(Id)
    status: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(128))
    message: Mapped[str | None] = mapped_column(Words)
    created_at: Mapped[datetime]
    performed_at: Mapped[datetime]


class SyncRecord(Base):
    """The state of one source record in one profile (the guide's *Order synchronisation* tab)."""

    __tablename__ = "sync_record"
    __table_args__ = (
        # prevents: one source record standing twice in a profile
        UniqueConstraint("profile_id", "source_id"),
        # serves: which records are due? (only those in work are in it)
        Index(
            "ix_sync_record_work",
            "profile_id",
            "status",
            "next_attempt_at",
            "id",
            postgresql_where=text("status in ('pending', 'processing')"),
            sqlite_where=text("status in ('pending', 'processing')"),
        ),
        Index("ix_sync_record_status", "profile_id", "status", "id"),  # serves: the tab filtered by status, by key
        Index("ix_sync_record_updated", "profile_id", "updated_at", "id"),  # serves: the tab sorted by time, by key
        Index("ix_sync_record_number", "source_number"),  # serves: "where is order 100000123?"
        # serves: the tab sorted by number, by key (a record without one is shown by its id, behind all others)
        Index("ix_sync_record_order", "profile_id", text("coalesce(source_number, '')"), "id"),
        Index("ix_sync_record_customer", "profile_id", "customer", "id"),  # serves: the tab filtered by customer
        Index("ix_sync_record_created", "profile_id", "created_at", "id"),  # serves: the tab sorted by creation
        # serves: failed records grouped by cause (only they are in it)
        Index(
            "ix_sync_record_failed",
            "profile_id",
            "cause",
            "id",
            postgresql_where=text("status = 'failed'"),
            sqlite_where=text("status = 'failed'"),
        ),
        Index("ix_sync_record_target", "target_id"),  # serves: the same question by the target's id; matching back
        {"sqlite_autoincrement": True},  # prevents: a new row with the id, and so the history, of a deleted one
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    source_id: Mapped[str] = mapped_column(Key(LONGEST_KEY))
    source_number: Mapped[str | None] = mapped_column(Line(128))
    target_id: Mapped[str | None] = mapped_column(Key(128))
    kind: Mapped[str | None] = mapped_column(Line(16))  # what belongs to a sale: delivery, credit ...; None: itself one
    status: Mapped[str] = mapped_column(String(16))
    message: Mapped[str | None] = mapped_column(Words)
    setting: Mapped[str | None] = mapped_column(String(64))  # the setting that made it skipped
    cause: Mapped[str | None] = mapped_column(String(64))  # fingerprint of the failure, for grouping
    # failed because attempts were used up; pending: set aside, for what it waits for is no matter of time
    transient: Mapped[bool] = mapped_column(Boolean, default=False)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    tries: Mapped[int] = mapped_column(Integer, default=0)  # attempts since the last progress
    refs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    store: Mapped[str | None] = mapped_column(Line(128))
    source_status: Mapped[str | None] = mapped_column(Line(64))
    customer: Mapped[str | None] = mapped_column(Line(128))
    amount: Mapped[str | None] = mapped_column(Line(40))  # grand total and currency, as people read it
    version: Mapped[str | None] = mapped_column(Key(LONGEST_KEY))  # of the source record as last read
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)  # as last read, compressed; dropped when it is done
    seen: Mapped[str | None] = mapped_column(String(64))  # fingerprint of the source record as last read
    digest: Mapped[str | None] = mapped_column(String(64))  # fingerprint of what was last written to the target
    forced: Mapped[bool] = mapped_column(Boolean, default=False)  # a person put it back: an equal digest does not skip
    worker: Mapped[str | None] = mapped_column(String(255))
    doubt_at: Mapped[datetime | None]  # an attempt ended with an unknown outcome
    next_attempt_at: Mapped[datetime | None]  # None: at once
    source_created_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    processed_at: Mapped[datetime | None]


class SyncHistory(Base):
    """Each action on a record (the guide's *Order synchronisation history* tab). Append-only."""

    __tablename__ = "sync_history"
    __table_args__ = (
        Index("ix_sync_history_profile", "profile_id", "id"),  # serves: the tab, newest first, by key
        Index("ix_sync_history_record", "record_id", "id"),  # serves: one order's timeline
        # serves: clean-up by age, and the dashboard's orders per hour by status without a look at the rows
        Index("ix_sync_history_hours", "created_at", "status"),
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    record_id: Mapped[int] = mapped_column(Id)
    task_id: Mapped[int | None] = mapped_column(Id)
    source_id: Mapped[str] = mapped_column(Key(128))
    source_number: Mapped[str | None] = mapped_column(Line(128))
    target_id: Mapped[str | None] = mapped_column(Key(128))
    status: Mapped[str] = mapped_column(String(16))
    direction: Mapped[str] = mapped_column(String(8))
    message: Mapped[str | None] = mapped_column(Words)
    created_at: Mapped[datetime]


class DataLog(Base):
    """One remote call. Bodies are kept for failures, and for all calls where switched on; always redacted."""

    __tablename__ = "data_log"
    __table_args__ = (
        Index("ix_data_log_reference", "reference", "id"),  # serves: the calls of one order
        Index("ix_data_log_connection", "connection_id", "id"),  # serves: the log of one system, newest first
        Index("ix_data_log_created", "created_at"),  # serves: clean-up by age
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    connection_id: Mapped[int] = mapped_column(Id, ForeignKey("connection.id", ondelete="CASCADE"))
    task_id: Mapped[int | None] = mapped_column(Id)
    identifier: Mapped[str] = mapped_column(String(64))  # the system
    path: Mapped[str] = mapped_column(Line(1024))  # the integration path
    method: Mapped[str] = mapped_column(String(8))
    status: Mapped[int | None] = mapped_column(Integer)
    seconds: Mapped[float] = mapped_column(Float)
    reference: Mapped[str | None] = mapped_column(Line(128))  # the record's number
    dry_run_by: Mapped[str | None] = mapped_column(String(128))  # who asked for the dry run that it was made for
    error: Mapped[str | None] = mapped_column(Words)
    request: Mapped[str | None] = mapped_column(Words)
    response: Mapped[str | None] = mapped_column(Words)
    created_at: Mapped[datetime]


class Heartbeat(Base):
    """That the clock of a host ticks."""

    __tablename__ = "heartbeat"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    beat_at: Mapped[datetime]
    started_at: Mapped[datetime]
    address: Mapped[str | None] = mapped_column(String(255))  # where this host serves pages, if it does


class DryRun(Base):
    """One dry run asked for on a page: what would be sent, and nothing sent. Its lines are `DryRunLine`."""

    __tablename__ = "dry_run"
    # serves: the tab, newest first; and clean-up
    __table_args__ = (Index("ix_dry_run_profile", "profile_id", "id"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    profile_id: Mapped[int] = mapped_column(Id, ForeignKey("profile.id", ondelete="CASCADE"))
    asked_by: Mapped[str] = mapped_column(String(128))
    request: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # {}: all due; {"last": 20}; {"order": "…"}
    status: Mapped[str] = mapped_column(String(16))  # processing, success, error: the words of a task
    message: Mapped[str | None] = mapped_column(Words)
    counts: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    stop_asked: Mapped[bool] = mapped_column(Boolean, default=False)
    beat_at: Mapped[datetime]  # renewed while it runs: an old one means that its process died
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class DryRunLine(Base):
    """What a dry run would do with one record."""

    __tablename__ = "dry_run_line"
    __table_args__ = (UniqueConstraint("dry_run_id", "position"),)  # serves: the lines in their order

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    dry_run_id: Mapped[int] = mapped_column(Id, ForeignKey("dry_run.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    source_number: Mapped[str | None] = mapped_column(Line(128))
    action: Mapped[str] = mapped_column(String(16))  # create, update, skip, failed, pending
    line: Mapped[dict[str, Any]] = mapped_column(JSON)  # message, setting, calls with the origin of each value, totals


class Audit(Base):
    """Who changed what: every change that a person made, before and after, secrets masked. Append-only."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_created", "created_at"),  # serves: clean-up by age
        Index("ix_audit_subject", "kind", "subject_id", "id"),  # serves: what was done to this one
        Index("ix_audit_person", "person", "id"),  # serves: what this person did
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    person: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(64))  # a verb: created, changed, deleted, ran, retried, logged in
    kind: Mapped[str] = mapped_column(String(32))  # profile, connection, user, task, record
    subject_id: Mapped[int | None] = mapped_column(Id)
    subject: Mapped[str] = mapped_column(String(255))  # its name then
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    created_at: Mapped[datetime]


class SavedView(Base):
    """A person's named filters, sorting and columns of a list."""

    __tablename__ = "saved_view"
    __table_args__ = (UniqueConstraint("user_id", "page", "name"),)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    user_id: Mapped[int] = mapped_column(Id, ForeignKey("user_account.id", ondelete="CASCADE"))
    page: Mapped[str] = mapped_column(String(64))  # the list: its view, and the profile where it has one
    name: Mapped[str] = mapped_column(String(128))
    query: Mapped[str] = mapped_column(Text)  # the query string of the list's address


class User(Base):
    """A person who may log in."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(String(128), unique=True)
    password: Mapped[str] = mapped_column(String(255))  # argon2 hash
    role: Mapped[str] = mapped_column(String(16), default="admin")
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    session_epoch: Mapped[int] = mapped_column(Integer, default=0)  # raised to end all sessions
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(Integer, default=0)
    locked_until: Mapped[datetime | None]
    must_change: Mapped[bool] = mapped_column(Boolean, default=False)  # the password was given for one login only
    totp: Mapped[str | None] = mapped_column(Text)  # encrypted key of the second factor; None: not used
    totp_used: Mapped[int] = mapped_column(Integer, default=0)  # time step of the last code: none works twice
    preferences: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)  # language, theme, columns of lists
