"""Who may do what: passwords, logins, and the one place that lets a request through.

Only wrong passwords and wrong codes count towards a lock-out, never an expired session. The lock grows: one minute
after the fifth wrong one in a row, twice as long after each further one, an hour at most; a login ends the count.

Made of well-kept parts: Flask-Login (who is logged in), argon2-cffi (password hashing), Flask-Limiter (logins per
address), Flask-WTF (CSRF), pyotp and segno (second factor). Flask-Security bundles them and was rejected: it has no
lock-out; its password reset goes by mail, which this host does not send; it wants its own user and role models with
their columns and brings templates and routes that would all be replaced, each one more door to keep shut.
"""

from __future__ import annotations

import functools
import os
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, Request, abort, current_app, g, jsonify, redirect, request, session, url_for
from flask.sessions import SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import LoginManager, current_user, login_user, logout_user
from markupsafe import Markup
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from admin import second_factor
from admin.audit import note
from admin.views.words import _
from profiles.db import Database, now
from profiles.models import User

ADMIN, OPERATOR, VIEWER = "admin", "operator", "viewer"
ROLES = (ADMIN, OPERATOR, VIEWER)
KIND = "user"  # of the audit
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 1024
FEWEST_SIGNS = 5  # different ones in a password
LONGEST_NAME = 128
EASY_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that is mistaken for another when read out
FREE_ATTEMPTS = 5
FIRST_LOCK = timedelta(minutes=1)
LONGEST_LOCK = timedelta(hours=1)
IDLE = timedelta(hours=8)  # a session ends so long after its last request
LONGEST_SESSION = timedelta(days=7)  # and so long after its login, however busy it was: pages ask by themselves
CODE_WITHIN = timedelta(minutes=5)  # of the right password
MOST_ENDED = 50  # sessions of a person remembered as logged out; beyond it all end
THEME, SYSTEM = "theme", "system"  # among the preferences
THEMES = (SYSTEM, "light", "dark")
ASKED = "asked"  # in the session: whose second factor is asked for, since when
ENDED = "ended"  # among the preferences: {session id: until when it is remembered}
STRANGER = "stranger"  # in the audit: nobody knows who it was

OPEN = frozenset({"static", "login.index", "login.code", "language.index", "hook"})  # all that a stranger may ask for
OWN = frozenset({"account"})  # the person's own page: every role may change what is there
FOR_ALL_ROLES = frozenset(
    {"records.columns", "records.views", "record_history.columns", "record_history.views"}  # one's own lists
) | frozenset({"login.out"})  # what a viewer may POST
BEFORE_ALL = OPEN | {"login.out", "account.choose"}  # for a person who must choose a new password first
ADMINS_ONLY = frozenset({"users", "audit"})  # views that others may not even read
OPERATED = frozenset(
    {"options", "profile", "procedures", "records", "tasks", "schedule", "dry_run", "orders"}
)  # operators change these
BY_OPERATORS = frozenset({"profiles.switch", "connections.check", "connections.collect"})  # and these single routes
BY_ADMINS = frozenset({"profile.duplicate", "profile.delete"})  # but not these
FORMS = frozenset(
    {"new_profile.index", "new_connection.index", "profiles.bring", "procedures.new"}
)  # pages that are a form and nothing else
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_hasher = PasswordHasher()


class Refused(Exception):
    """A user cannot be stored as given; the message says why."""


def hash_password(password: str) -> str:
    """Raises Refused when the password is too short or too simple to be one."""
    if len(password) < SHORTEST_PASSWORD:
        raise Refused(_("A password needs at least {n} characters.", n=SHORTEST_PASSWORD))
    if len(password) > LONGEST_PASSWORD:
        raise Refused(_("A password has at most {n} characters.", n=LONGEST_PASSWORD))
    if len(set(password)) < FEWEST_SIGNS:
        raise Refused(_("That password is too easy to guess: use more different characters."))
    return _hasher.hash(password)


def add_user(
    session: Session, name: str, password: str, role: str = ADMIN, *, one_time: bool = False, person: str | None = None
) -> User:
    """A new person who may log in; `one_time`: the password must be changed at the first login. Raises Refused.

    Here and below `person` is who does it, for the audit; None is the command line.
    """
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Refused(_("A user needs a name of at most {n} characters.", n=LONGEST_NAME))
    if role not in ROLES:
        raise Refused(_("There is no role {role!r}. Roles: {roles}.", role=role, roles=", ".join(ROLES)))
    if session.scalar(select(User.id).where(func.lower(User.name) == name.lower())) is not None:
        raise Refused(_("There is a user {name!r} already.", name=name))
    user = User(name=name, password=hash_password(password), role=role, created_at=now(), must_change=one_time)
    session.add(user)
    session.flush()
    note(session, person, "created", KIND, name, subject_id=user.id, after={"role": role, "must_change": one_time})
    return user


def find_user(session: Session, name: str) -> User:
    """Raises Refused when there is no such person."""
    user = session.scalar(select(User).where(User.name == name.strip()))
    if user is None:
        raise Refused(_("There is no user {name!r}.", name=name))
    return user


def set_password(user: User, password: str, *, one_time: bool = False) -> None:
    """Change it, end every session of that user, and lift a lock. Raises Refused."""
    user.password = hash_password(password)
    user.must_change = one_time
    user.session_epoch += 1
    user.failed_logins, user.locked_until = 0, None


def one_time_password() -> str:
    """Four groups that can be read out on the telephone; 79 bits."""
    return "-".join("".join(secrets.choice(EASY_SIGNS) for _sign in range(4)) for _group in range(4))


def reset_password(session: Session, name: str, *, person: str | None = None) -> str:
    """A new random password that is good for one login, in which the person chooses their own. Raises Refused.

    It ends all sessions of that person and lifts a lock; a second factor stays.
    """
    user, password = find_user(session, name), one_time_password()
    set_password(user, password, one_time=True)
    note(session, person, "reset password", KIND, user.name, subject_id=user.id)
    return password


def unlock(session: Session, name: str, *, person: str | None = None) -> None:
    """Forget the wrong passwords of that person: the next attempt is looked at. Raises Refused."""
    user = find_user(session, name)
    if user.failed_logins or user.locked_until:
        user.failed_logins, user.locked_until = 0, None
        note(session, person, "unlocked", KIND, user.name, subject_id=user.id)


def remove_second_factor(session: Session, name: str, *, person: str | None = None) -> None:
    """The phone is lost: the password alone is enough again; all sessions end. Raises Refused."""
    user = find_user(session, name)
    if user.totp is not None:
        user.totp, user.totp_used = None, 0
        user.session_epoch += 1
        note(session, person, "removed second factor", KIND, user.name, subject_id=user.id)


def verify(session: Session, name: str, password: str) -> User | None:
    """The user with that name and password, None for everything else: unknown, wrong, locked, switched off.

    The attempt is counted before the password is looked at, so that many at once are no way around the lock. Where a
    second factor is asked for, the count ends with its code and not before: else the right password would buy any
    number of guesses.
    """
    user = session.scalar(select(User).where(User.name == name.strip()))
    if user is None or not _claim_attempt(session, user):
        _matches(_nobody(), password)  # as slow as a real one: the time tells nothing
        return None
    if not _matches(user.password, password):
        return None
    session.refresh(user)
    if user.totp is None:
        _arrived(user)
    else:
        user.failed_logins, user.locked_until = max(0, user.failed_logins - 1), None
    if _hasher.check_needs_rehash(user.password):
        user.password = _hasher.hash(password)
    return user


def verify_code(session: Session, user: User, code: str) -> bool:
    """Is it the code of the moment, or a recovery code that was not used yet? Wrong ones count like passwords."""
    if not _claim_attempt(session, user):
        return False
    session.refresh(user)
    if not take_code(session, user, code):
        return False
    session.refresh(user)
    _arrived(user)
    return True


def take_code(session: Session, user: User, code: str) -> bool:
    """Use the code up; False when it is wrong or was used before. Of two at once, one gets it."""
    if user.totp is None:
        return False
    factor, code = second_factor.opened(user.totp), second_factor.plain(code)
    step = factor.step_of(code, user.totp_used)
    mine = update(User).where(User.id == user.id, User.totp == user.totp)
    if step is not None:
        used = mine.where(User.totp_used < step).values(totp_used=step)
    elif (left := factor.without(code)) is not None:
        used = mine.values(totp=left.sealed())
    else:
        return False
    return bool(session.execute(used.execution_options(synchronize_session=False)).rowcount)  # type: ignore[attr-defined]


def knows_password(session: Session, user: User, password: str) -> bool:
    """For what a person must prove again on their own page. Wrong ones count towards the lock-out as at the login."""
    failures = user.failed_logins
    if not _claim_attempt(session, user):
        return False
    if not _matches(user.password, password):
        return False
    session.refresh(user)
    user.failed_logins, user.locked_until = failures, None
    return True


def same_password(user: User, password: str) -> bool:
    return _matches(user.password, password)


def _arrived(user: User) -> None:
    user.failed_logins, user.locked_until, user.last_login_at = 0, None, now()


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
        self.must_change, self.has_second_factor = user.must_change, user.totp is not None
        self.preferences: dict[str, Any] = dict(user.preferences or {})

    def get_id(self) -> str:
        return f"{self.id}.{self.epoch}"


def may(person: Any, endpoint: str | None, method: str) -> bool:
    """THE decision: may this person use this route? Asked before every request and by the menu."""
    if endpoint in OPEN:
        return True
    if not person.is_authenticated:
        return False
    if person.role == ADMIN or endpoint in FOR_ALL_ROLES:
        return True
    view = (endpoint or "").partition(".")[0]
    if view in OWN:
        return person.role in ROLES
    if view in ADMINS_ONLY or person.role not in ROLES:
        return False
    return (method in READING and endpoint not in FORMS) or (
        person.role == OPERATOR and endpoint not in BY_ADMINS and (view in OPERATED or endpoint in BY_OPERATORS)
    )


def may_here(endpoint: str, method: str = "POST") -> bool:
    """For templates: is this button this person's to press?"""
    return may(current_user, endpoint, method)


def guard() -> ResponseReturnValue | None:
    """Runs before every request, Flask-Admin's own routes included.

    Who it is, is asked anew: Flask-Login keeps the person in `g`, and a streamed answer that is still open in this
    thread would lend its `g` to the request that comes next.
    """
    g.pop("_login_user", None)
    if current_user.is_authenticated and current_user.must_change and request.endpoint not in BEFORE_ALL:
        if _wants_json(request):
            return jsonify(error=_("Please choose a new password first.")), 403
        return redirect(url_for("account.choose", next=asked_page()))
    if may(current_user, request.endpoint, request.method):
        return None
    if current_user.is_authenticated:
        abort(403)
    if _wants_json(request):
        return jsonify(error=_("Please log in.")), 401
    return redirect(url_for("login.index", next=asked_page(), ended=None if request.method in READING else "1"))


def asked_page() -> str | None:
    """Where to go on afterwards: the page that was asked for, or the one whose form was sent; None: the first page."""
    if request.method in READING:
        page = request.full_path.rstrip("?")
    else:
        sent_from = urlsplit(request.referrer or "")
        here = sent_from.netloc == request.host
        page = _readable(sent_from.path) if here else _readable(request.path)
        if here and page == sent_from.path and sent_from.query:
            page = f"{page}?{sent_from.query}"
    return page if page != "/" else None


def _readable(path: str) -> str:
    """The page at the path, or the nearest one above it: a form may be answered where nothing can be read."""
    routes = current_app.create_url_adapter(request)
    while routes is not None and path not in ("", "/"):
        try:
            endpoint, _values = routes.match(path, method="GET")
        except HTTPException:
            path = path.rstrip("/").rpartition("/")[0] + "/"
            continue
        return path if endpoint not in OPEN else "/"
    return "/"


def _wants_json(asked: Request) -> bool:
    return asked.path.endswith(".json") or asked.headers.get("X-Requested-With") == "fetch"


def local_path(address: str | None) -> str:
    """Where to go after the login: a path of this host, else the first page."""
    plain = "".join(sign for sign in address or "" if sign.isprintable())
    if plain == address and plain.startswith("/") and not plain.startswith("//") and "\\" not in plain:
        return plain
    return url_for("dashboard.index")


def enter(user: User) -> None:
    """Begin a session: nothing of the one before it survives, its id least of all."""
    session.clear()
    session["id"] = secrets.token_urlsafe(16)
    session["since"] = int(now().timestamp())
    session.permanent = True
    login_user(Person(user))


def ask_for_code(user: User) -> None:
    """The password was right; who it is remains to be proved. Nothing is open to this session yet."""
    session.clear()
    session[ASKED] = [user.id, user.session_epoch, int(now().timestamp())]
    session.permanent = True


def asked_for_code(transaction: Session) -> User | None:
    """Whose code this session was asked for; None when nobody's, or too long ago."""
    id, epoch, since = session.get(ASKED) or (0, 0, 0)
    if now().timestamp() - since > CODE_WITHIN.total_seconds():
        return None
    user = transaction.get(User, id)
    return user if user and user.active and user.totp and user.session_epoch == epoch else None


def leave(database: Database) -> None:
    """End this session on the server too: a copied cookie is worth nothing afterwards. Other sessions go on."""
    if current_user.is_authenticated:
        moment = int(now().timestamp())
        with database.session() as transaction:
            user = transaction.get(User, current_user.id, with_for_update=True)
            if user is not None:
                ended = {id: until for id, until in _ended(user).items() if until > moment}
                ended[str(session.get("id"))] = moment + int(IDLE.total_seconds()) + 60
                if len(ended) > MOST_ENDED:
                    ended, user.session_epoch = {}, user.session_epoch + 1
                user.preferences = {**(user.preferences or {}), ENDED: ended}
                note(transaction, user.name, "logged out", KIND, user.name, subject_id=user.id)
    logout_user()
    session.clear()


def _ended(user: User) -> dict[str, int]:
    return dict((user.preferences or {}).get(ENDED) or {})


def prefer(transaction: Session, user_id: int, **chosen: Any) -> None:
    """Keep choices of a person; None forgets one."""
    user = transaction.get_one(User, user_id, with_for_update=True)
    kept = {**(user.preferences or {}), **chosen}
    user.preferences = {key: value for key, value in kept.items() if value is not None}


def theme() -> str:
    """The person's choice; empty where there is none and the browser's own holds."""
    chosen = getattr(current_user, "preferences", {}).get(THEME)
    return str(chosen) if chosen in THEMES else ""


def theme_attributes() -> Markup:
    """For the first tag of a page: theme.js takes the choice over before anything is painted."""
    return Markup(' data-chosen="{}"').format(theme()) if theme() else Markup("")


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
        if user is None or not user.active or user.session_epoch != int(epoch) or session.get("id") in _ended(user):
            return None
        old = now().timestamp() - session.get("since", 0) > LONGEST_SESSION.total_seconds()
        return None if old else Person(user)

    app.before_request(guard)
    app.jinja_env.globals.update(may=may_here, theme_attributes=theme_attributes)


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
