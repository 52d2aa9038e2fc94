"""The Flask application: every page behind the login."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask, Response, request
from flask_admin import Admin
from flask_admin.theme import Theme
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import IntegerConverter, Map

from admin import auth, hooks
from admin.views import base, errors, present, words
from admin.views.all import all_views
from admin.views.dashboard import own_things
from profiles.db import Database, DatabaseTrouble, home

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
LOGINS_PER_ADDRESS = "30 per minute"
GUESSED_AT = ("login.index", "login.code")  # one count for both, per process
ABILITIES = ", ".join(f"{one}=()" for one in ("camera", "geolocation", "microphone", "payment", "usb"))
YEAR_SECONDS = 365 * 24 * 3600
GREATEST_ID = 2**63 - 1
TRUSTED_PROXIES = "CONNECTOR_TRUSTED_PROXIES"


class RowId(IntegerConverter):
    """A number in an address: one that no database can hold leads nowhere, instead of to a fault."""

    def __init__(self, map: Map, *, max: int = GREATEST_ID) -> None:
        super().__init__(map, max=max)


def create_app(db: Database) -> Flask:
    """The application over one database, whose tables must be current (`Database.upgrade`)."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=4 * 2**20, MAX_FORM_MEMORY_SIZE=4 * 2**20, SEND_FILE_MAX_AGE_DEFAULT=31536000)
    app.url_map.converters["int"] = RowId
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    if trusted := trusted_proxies():
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=trusted, x_proto=trusted, x_host=0)  # type: ignore[method-assign]
    auth.protect(app, db, home())
    csrf = CSRFProtect(app)
    words.register(app, lambda: own_things(db))
    present.register(app)
    errors.register(app)
    app.jinja_env.globals.update(menu=base.menu, languages=words.LANGUAGES)
    app.after_request(_headers)
    dashboard, *others = all_views(db)
    admin = Admin(app, name="Connector", index_view=dashboard, theme=Theme("none", "layout.html"))
    admin.add_views(*others)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://", headers_enabled=False)
    slowed: Any = limiter.shared_limit(LOGINS_PER_ADDRESS, scope="login", methods=["POST"])
    for endpoint in GUESSED_AT:
        app.view_functions[endpoint] = slowed(app.view_functions[endpoint])
    hooks.register(app, db, csrf, limiter)
    return app


def trusted_proxies() -> int:
    """How many proxies of ours stand before this host: only what they say of address and TLS is believed.

    Without the variable nobody is believed: else any caller could choose the address that logins are counted by. The
    proxies must hand on the host name as it was asked for.
    """
    given = os.environ.get(TRUSTED_PROXIES, "").strip() or "0"
    if not given.isdecimal() or len(given) > 2:
        raise DatabaseTrouble(f"{TRUSTED_PROXIES} is the number of proxies before this host, not {given!r}.")
    return int(given)


def _headers(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    answer.headers["Permissions-Policy"] = ABILITIES
    if request.is_secure:
        answer.headers["Strict-Transport-Security"] = f"max-age={YEAR_SECONDS}"
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer
