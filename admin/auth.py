"""Who may do what: passwords, logins, and the one place that lets a request through.

Only wrong passwords count towards a lock-out, never an expired session. The lock grows: one minute after the fifth
wrong password in a row, twice as long after each further one, an hour at most; the right password ends the count.
"""

from __future__ import annotations

import functools
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, Request, abort, jsonify, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from admin.views.words import _
from profiles.db import Database, now
from profiles.models import User

ADMIN, OPERATOR, VIEWER = "admin", "operator", "viewer"
ROLES = (ADMIN, OPERATOR, VIEWER)
SHORTEST_PASSWORD = 10
FREE_ATTEMPTS = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
IDLE = timedelta(hours=8)

OPEN = frozenset({"static", "login.index"})  # all that a stranger may ask for
FOR_ALL_ROLES = frozenset({"login.out"})  # what a viewer may POST
ADMINS_ONLY = frozenset({"users", "audit"})  # views that others may not even read
OPERATED = frozenset(
    {"options", "profile", "records", "tasks", "schedule", "dry_run", "orders"}
)  # operators change these
BY_OPERATORS = frozenset({"profiles.switch", "connections.check", "connections.collect"})  # and these single routes
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_hasher = PasswordHasher()


class Refused(Exception):
    """A user cannot be stored as given; the message says why."""


def hash_password(password: str) -> str:
    """Raises Refused when the password is too short to be one."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(_("A password needs at least {n} characters.", n=SHORTEST_PASSWORD))
    return _hasher.hash(password)


def add_user(session: Session, name: str, password: str, role: str = ADMIN, *, one_time: bool = False) -> User:
    """A new person who may log in; `one_time`: the password must be changed at the first login. Raises Refused."""
    name = name.strip()
    if not name or len(name) > 128:
        raise Refused(_("A user needs a name of at most 128 characters."))
    if role not in ROLES:
        raise Refused(_("There is no role {role!r}. Roles: {roles}.", role=role, roles=", ".join(ROLES)))
    if session.scalar(select(User.id).where(User.name == name)) is not None:
        raise Refused(_("There is a user {name!r} already.", name=name))
    user = User(name=name, password=hash_password(password), role=role, created_at=now(), must_change=one_time)
    session.add(user)
    session.flush()
    return user


def set_password(user: User, password: str) -> None:
    """Change it, end every session of that user, and lift a lock."""
    user.password = hash_password(password)
    user.session_epoch += 1
    user.failed_logins, user.locked_until = 0, None


def verify(session: Session, name: str, password: str) -> User | None:
    """The user with that name and password, None for everything else: unknown, wrong, locked, switched off.

    The attempt is counted before the password is looked at, so that many at once are no way around the lock.
    """
    user = session.scalar(select(User).where(User.name == name.strip()))
    if user is None or not _claim_attempt(session, user):
        _matches(_nobody(), password)  # as slow as a real one: the time tells nothing
        return None
    if not _matches(user.password, password):
        return None
    session.refresh(user)
    user.failed_logins, user.locked_until, user.last_login_at = 0, None, now()
    if _hasher.check_needs_rehash(user.password):
        user.password = _hasher.hash(password)
    return user


def lock_after(failures: int) -> timedelta | None:
    if failures < FREE_ATTEMPTS:
        return None
    return min(LONGEST_LOCK, FIRST_LOCK * int(2 ** min(failures - FREE_ATTEMPTS, 12)))


def _claim_attempt(session: Session, user: User) -> bool:
    moment, failures = now(), user.failed_logins + 1
    lock = lock_after(failures)
    claimed = session.execute(
        update(User)
        .where(
            User.id == user.id,
            User.active,
            User.failed_logins == user.failed_logins,
            or_(User.locked_until.is_(None), User.locked_until <= moment),
        )
        .values(failed_logins=failures, locked_until=moment + lock if lock else None)
        .execution_options(synchronize_session=False)
    )
    return bool(claimed.rowcount)  # type: ignore[attr-defined]


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError):
        return False


@functools.cache
def _nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe())


class Person:
    """The logged-in user as pages know them; detached from the database."""

    is_authenticated = is_active = True
    is_anonymous = False

    def __init__(self, user: User) -> None:
        self.id, self.name, self.role, self.epoch = user.id, user.name, user.role, user.session_epoch
        self.preferences: dict[str, Any] = dict(user.preferences or {})

    def get_id(self) -> str:
        return f"{self.id}.{self.epoch}"

    @property
    def may_change(self) -> bool:
        return self.role == ADMIN


def may(person: Any, endpoint: str | None, method: str) -> bool:
    """THE decision: may this person use this route? Asked before every request and by the menu."""
    if endpoint in OPEN:
        return True
    if not person.is_authenticated:
        return False
    if person.role == ADMIN or endpoint in FOR_ALL_ROLES:
        return True
    view = (endpoint or "").partition(".")[0]
    if view in ADMINS_ONLY or person.role not in ROLES:
        return False
    return method in READING or (person.role == OPERATOR and (view in OPERATED or endpoint in BY_OPERATORS))


def may_here(endpoint: str, method: str = "POST") -> bool:
    """For templates: is this button this person's to press?"""
    return may(current_user, endpoint, method)


def guard() -> ResponseReturnValue | None:
    """Runs before every request, Flask-Admin's own routes included."""
    if may(current_user, request.endpoint, request.method):
        return None
    if current_user.is_authenticated:
        abort(403)
    if _wants_json(request):
        return jsonify(error=_("Please log in.")), 401
    back = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("login.index", next=back if back != "/" else None))


def _wants_json(asked: Request) -> bool:
    return asked.path.endswith(".json") or asked.headers.get("X-Requested-With") == "fetch"


def local_path(address: str | None) -> str:
    """Where to go after the login: a path of this host, else the first page."""
    if address and address.startswith("/") and not address.startswith(("//", "/\\")) and "\\" not in address:
        return "".join(sign for sign in address if sign.isprintable())
    return url_for("dashboard.index")


def enter(user: User) -> None:
    """Begin a session: nothing of the one before it survives, its id least of all."""
    session.clear()
    session["id"] = secrets.token_urlsafe(16)
    session.permanent = True
    login_user(Person(user))


def leave(database: Database) -> None:
    """End the session on the server too: a copied cookie is worth nothing afterwards."""
    if current_user.is_authenticated:
        with database.session() as transaction:
            user = transaction.get(User, current_user.id)
            if user is not None:
                user.session_epoch += 1
    logout_user()
    session.clear()


class _Sessions(SecureCookieSessionInterface):
    """The cookie is marked Secure whenever the request came over TLS, so that a first trial on plain HTTP works."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure or super().get_cookie_secure(app)


def protect(app: Flask, database: Database, folder: Path) -> None:
    """Put every route of the app behind the login."""
    app.config.update(
        SECRET_KEY=session_key(folder),
        SESSION_COOKIE_NAME="connector",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=IDLE,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
    )
    app.session_interface = _Sessions()
    manager = LoginManager(app)

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(key: str) -> Person | None:
        id, _dot, epoch = key.partition(".")
        if not (id.isdecimal() and epoch.isdecimal()):
            return None
        with database.reading() as transaction:
            user = transaction.get(User, int(id))
        return Person(user) if user and user.active and user.session_epoch == int(epoch) else None

    app.before_request(guard)
    app.jinja_env.globals["may"] = may_here


def session_key(folder: Path) -> str:
    """The key that signs sessions; made once, readable by its owner only, whole even if two processes start at once."""
    file = folder / "session.key"
    if not file.exists():
        draft = folder / f".session.key.{os.getpid()}.{secrets.token_hex(4)}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_hex(32))
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return file.read_text().strip()
