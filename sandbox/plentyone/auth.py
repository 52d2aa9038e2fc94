"""Logging in and out, sessions, rights."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from secrets import token_hex
from typing import Any
from urllib.parse import parse_qsl

from sandbox.message import Request, Response
from sandbox.plentyone.errors import Findings, Refused, missing_permission, plain, unauthenticated
from sandbox.plentyone.tenant import Tenant

USER = "connector"
USER_ID = 11
OPEN = ("/rest/login", "/rest/login/refresh")


@dataclass(kw_only=True)
class Session:
    """One login."""

    access: str
    refresh: str
    until: datetime


@dataclass(kw_only=True)
class Gate:
    """Who is logged in."""

    tenant: Tenant
    sessions: list[Session] = field(default_factory=list)
    failures: int = 0
    logins: int = 0
    refused_logins: int = 0

    def check(self, request: Request) -> None:
        """Refuse a call without a valid token or without the right for its path."""
        if self.session(request) is None:
            raise unauthenticated()
        for permission, pattern in self.tenant.forbidden:
            if fnmatchcase(request.path, pattern):
                raise missing_permission(permission)

    def session(self, request: Request) -> Session | None:
        """The living session whose token a request carries."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        return next((each for each in self.living() if each.access == token.strip()), None)

    def living(self) -> list[Session]:
        """Sessions that have not expired; the others are forgotten."""
        now = self.tenant.exact_now
        self.sessions = [each for each in self.sessions if each.until > now]
        return self.sessions

    def log_in(self, request: Request) -> Any:
        """POST /rest/login. Takes JSON, a form, or the query string."""
        given = credentials(request)
        user, password = given.get("username"), given.get("password")
        findings = Findings()
        for name, value in (("username", user), ("password", password)):
            if not value:
                findings.add(name, "The {} field is required.")
        findings.refuse()
        settings = self.tenant.settings
        if self.failures >= settings.lock_after:
            self.refused_logins += 1
            raise plain(403, "The user account is locked because of too many failed login attempts.")
        if user != USER or password != settings.password:
            self.failures += 1
            self.refused_logins += 1
            raise Refused(Response(status=401, body=WRONG))
        self.failures = 0
        if len(self.living()) >= settings.max_sessions:
            self.refused_logins += 1
            raise Refused(Response(status=429, body=_too_many(settings.max_sessions)))
        self.logins += 1
        return self.open_session()

    def refresh(self, request: Request) -> Any:
        """POST /rest/login/refresh, by refresh token (JSON or form) or by the bearer token alone."""
        given = credentials(request)
        token = given.get("refreshToken") or given.get("refresh_token")
        found = next((each for each in self.living() if each.refresh == token), None) if token else None
        if found is None and not token:
            found = self.session(request)
        if found is None:
            raise unauthenticated()
        self.sessions.remove(found)
        return self.open_session()

    def open_session(self) -> dict[str, Any]:
        """A new session; its answer spells every field both ways."""
        seconds = self.tenant.settings.token_seconds
        session = Session(
            access=f"eyJ{token_hex(24)}",
            refresh=f"def5{token_hex(24)}",
            until=self.tenant.exact_now + timedelta(seconds=seconds),
        )
        self.sessions.append(session)
        return {
            "token_type": "Bearer",
            "expires_in": seconds,
            "access_token": session.access,
            "refresh_token": session.refresh,
            "user_id": USER_ID,
            "concurrent_sessions": len(self.sessions),
            "max_current_sessions": self.tenant.settings.max_sessions,
            "tokenType": "Bearer",
            "expiresIn": seconds,
            "accessToken": session.access,
            "refreshToken": session.refresh,
        }

    def log_out(self, request: Request) -> Any:
        """POST /rest/logout."""
        if session := self.session(request):
            self.sessions.remove(session)
        return {}

    def user(self, request: Request) -> Any:
        """The back-end user behind the token."""
        return {
            "id": USER_ID,
            "user": USER,
            "realName": "Connector",
            "lang": "de",
            "email": "connector@example.com",
            "timezone": "Europe/Berlin",
            "isAdmin": False,
            "permissions": [],
        }

    def limits(self, request: Request) -> Any:
        """GET /rest/session_limits."""
        return {
            "concurrent_sessions": len(self.living()),
            "max_current_sessions": self.tenant.settings.max_sessions,
        }

    def unlock(self, request: Request) -> Any:
        """POST /rest/users/{id}/reset_failed_attempts."""
        self.failures = 0
        return {"id": USER_ID, "failedAttempts": 0}


WRONG: dict[str, Any] = {
    "error": "invalid_credentials",
    "message": "The user credentials were incorrect.",
    "tokenType": None,
    "expiresIn": None,
    "accessToken": None,
    "refreshToken": None,
    "token_type": None,
    "expires_in": None,
    "access_token": None,
    "refresh_token": None,
}


def _too_many(limit: int) -> dict[str, Any]:
    return {
        "error": "too_many_concurrent_sessions",
        "max_current_sessions": limit,
        "message": f"Too many users. Only {limit} users can be logged in simultaneously in the back end.",
    }


def credentials(request: Request) -> dict[str, Any]:
    """What was sent to log in, wherever it stands."""
    found: dict[str, Any] = dict(request.query)
    try:
        sent = json.loads(request.body or b"{}")
        found.update(sent if isinstance(sent, dict) else {})
    except ValueError:
        found.update(parse_qsl(request.body.decode("utf-8", "replace")))
    return found
