"""What a person sees: the pages behind the login. `create_app` makes the Flask application."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from flask_admin import Admin
from flask_admin.theme import Theme
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf import CSRFProtect

from admin import auth
from admin.views import base, errors, present, words
from admin.views.all import all_views
from profiles.db import Database, home

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


def create_app(db: Database) -> Flask:
    """The application over one database, whose tables must be current (`Database.upgrade`)."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=4 * 2**20, MAX_FORM_MEMORY_SIZE=4 * 2**20, SEND_FILE_MAX_AGE_DEFAULT=31536000)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    auth.protect(app, db, home())
    CSRFProtect(app)
    words.register(app)
    present.register(app)
    errors.register(app)
    app.jinja_env.globals.update(menu=base.menu, languages=words.LANGUAGES)
    app.after_request(_headers)
    dashboard, *others = all_views(db)
    admin = Admin(app, name="Connector", index_view=dashboard, theme=Theme("none", "layout.html"))
    admin.add_views(*others)
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://", headers_enabled=False)
    slowed: Any = limiter.limit(LOGINS_PER_ADDRESS, methods=["POST"])
    app.view_functions["login.index"] = slowed(app.view_functions["login.index"])
    return app


def _headers(answer: Response) -> Response:
    answer.headers.setdefault("Content-Security-Policy", POLICY)
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Referrer-Policy"] = "same-origin"
    answer.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer
