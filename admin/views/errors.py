"""Friendly pages for what goes wrong; never a traceback."""

from __future__ import annotations

import logging
import secrets

from flask import Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from admin.auth import asked_page
from admin.views.words import _, later, told
from profiles.db import DatabaseTrouble

log = logging.getLogger(__name__)

SAID = {
    400: (later("That request could not be understood"), later("Go back and try again.")),
    403: (later("You may not do that"), later("Your role does not include that. Ask an admin if you need more.")),
    404: (later("There is nothing here"), later("It may have been deleted, or the address is not complete.")),
    405: (later("That does not work here"), later("Go back and use the buttons of the page.")),
    413: (later("That is too much at once"), later("The form holds more than can be taken in one go.")),
    429: (later("Too many attempts"), later("Wait a minute, then try again.")),
    500: (
        later("Something went wrong on our side"),
        later("Nothing was changed by this page. It is in the log under the number below."),
    ),
    503: (later("The database does not answer"), ""),
}


def register(app: Flask) -> None:
    app.register_error_handler(CSRFError, _stale)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(DatabaseTrouble, _database)
    app.register_error_handler(Exception, _fault)


def _page(
    code: int, hint: str | None = None, number: str | None = None, form: str | None = None
) -> ResponseReturnValue:
    title, usual = SAID.get(code, SAID[400])
    if request.path.endswith(".json"):
        return jsonify(error=str(title)), code
    return render_template("error.html", code=code, title=title, hint=hint or usual, number=number, form=form), code


def _stale(error: CSRFError) -> ResponseReturnValue:
    """`form` is the page that was sent: opened again it holds what was typed (keep.js)."""
    said = _("The page was too old to be sent: open it again and repeat what you did.")
    return _page(400, said, form=asked_page() or "/")


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error.get_response()
    return _page(error.code)


def _database(error: DatabaseTrouble) -> ResponseReturnValue:
    log.error("%s", error)
    try:
        return _page(503, told(str(error)))
    except DatabaseTrouble:  # the frame of the page asks who is logged in
        return _("The database does not answer: {reason}", reason=told(str(error))), 503, {"Content-Type": "text/plain"}


def _fault(error: Exception) -> ResponseReturnValue:
    number = secrets.token_hex(4)
    log.error("fault %s at %s %s", number, request.method, request.path, exc_info=error)
    return _page(500, number=number)
