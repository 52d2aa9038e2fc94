"""The one login of a connection: a token that all threads and processes share, renewed before it ends.

PlentyONE counts sessions and locks accounts after a few wrong passwords, so nobody
logs in while another does, and a refused password is not tried again for a while, by anybody.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector import AccessDenied, Account, Answer, Host, InDoubt, RetryLater, StopRun, Unreachable
from connector.plentyone.answers import (
    RATE_SECONDS,
    SESSIONS_SECONDS,
    complaint,
    explain,
    is_rate_text,
    validation,
    wait_seconds,
)

LOGIN = "/rest/login"
EARLY_SECONDS = 5400.0  # a token of a day is renewed this long before it ends
REFUSED_SECONDS = 900.0  # how long a refused password is not tried again
PERSON_SECONDS = 30.0  # ... when a person presses "Test connection"
LOGINS, LOGINS_SECONDS = 60, 300.0  # more than so many logins in so many seconds is a loop
REFUSED_TOKENS = 5  # so many new tokens refused in a row are no accident
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class Token:
    value: str
    renew_at: float  # seconds since 1970, as `expires_at`
    expires_at: float


class Strange(AccessDenied):
    """The login was refused by something that does not answer like PlentyONE. As careful as with a wrong password: a
    gateway before PlentyONE may hide its words."""


class Session:
    """Hands out the token. `post` sends the login and returns its answer whatever its status."""

    def __init__(self, account: Account, host: Host, post: Any) -> None:
        self.account = account
        self.host = host
        self._post = post
        self._token: Token | None = None
        self._gate = threading.Lock()
        self._refused: set[str] = set()  # new tokens that were refused, since a call last came through
        self._worked = False
        user, password = account.settings["username"] or "", account.settings["password"] or ""
        self._digest = hashlib.sha256(f"{account.base_url}\n{user}\n{password}".encode()).hexdigest()[:24]

    def token(self) -> str:
        """A token that is good for now. Raises AccessDenied, RetryLater, Unreachable, StopRun."""
        token, now = self._token, self._now()
        if token and now < token.renew_at:
            return token.value
        if not (token and now < token.expires_at):
            with self._gate:
                return self._fresh(refused=None).value
        if not self._gate.acquire(blocking=False):
            return token.value  # somebody is renewing it; the old one is still good
        try:
            return self._fresh(refused=None).value
        except RetryLater:
            self._token = Token(token.value, min(token.expires_at, now + 60), token.expires_at)
            return token.value
        finally:
            self._gate.release()

    def renewed(self, refused: str) -> str:
        """Another token than the one that was just refused: what another worker got, else a new login."""
        with self._gate:
            return self._fresh(refused=refused).value

    def accepted(self) -> None:
        """A call came through: the tokens that were refused before it were merely old."""
        if self._refused:
            self._refused.clear()
        if not self._worked:
            self._worked = True
            if not self.host.state.read("worked"):
                self.host.state.change("worked", lambda _: {"worked": True})

    def refused(self, token: str, what: str) -> None:
        """A call was refused although its token was new. Sessions do get lost, so this is transient; but not at a
        system that never took a token, and not when several new ones in a row are refused."""
        self._refused.add(token)
        said = f"{self.account.name}: {what}: PlentyONE does not accept its own token"
        if len(self._refused) < REFUSED_TOKENS and self.host.state.read("worked"):
            raise RetryLater(f"{said}; its session was ended meanwhile")
        raise AccessDenied(f"{said}. See that the user {self.account.settings['username']!r} may use REST.")

    def forget_refusal(self) -> None:
        """Allow a person's test to try a password again that was refused a little while ago."""
        fact = self.host.state.read("login_refused")
        if fact and self._now() - float(fact["at"]) >= PERSON_SECONDS:
            self.host.state.change("login_refused", lambda _: None)

    def _now(self) -> float:
        return self.host.now().timestamp()

    def _fresh(self, refused: str | None) -> Token:
        shared = self._shared(refused)
        if shared is None:
            with self.host.state.lock("login", LOCK_SECONDS):
                shared = self._shared(refused) or self._login()
        self._token = shared
        return shared

    def _shared(self, refused: str | None) -> Token | None:
        fact = self.host.state.read("session")
        if not fact or fact.get("digest") != self._digest or fact.get("token") == refused:
            return None
        token = Token(str(fact["token"]), float(fact["renew_at"]), float(fact["expires_at"]))
        return token if self._now() < token.renew_at else None

    def _login(self) -> Token:
        now = self._now()
        fact = self.host.state.read("login_refused")
        if fact and fact.get("digest") == self._digest and now - float(fact["at"]) < REFUSED_SECONDS:
            raise AccessDenied(f"{fact['said']} (not tried again since; change the credentials or test the connection)")
        logins = [at for at in (self.host.state.read("logins") or {}).get("at", []) if now - at < LOGINS_SECONDS]
        if len(logins) >= LOGINS:
            raise RetryLater(
                f"{self.account.name}: PlentyONE ends every session at once ({len(logins)} logins in "
                f"{LOGINS_SECONDS / 60:.0f} minutes); waiting before the next login",
                after=120.0,
            )
        body = {"username": self.account.settings["username"], "password": self.account.settings["password"]}
        try:
            answer: Answer = self._post(body)
            data = self._accepted(answer)
        except AccessDenied as error:
            said = str(error)
            self.host.state.change("login_refused", lambda _: {"digest": self._digest, "at": now, "said": said})
            self.host.state.change("session", lambda _: None)
            raise
        lifetime = float(data.get("expires_in") or data.get("expiresIn") or 3600)
        expires_at = self._now() + lifetime
        token = Token(
            str(data.get("access_token") or data.get("accessToken")),
            expires_at - min(EARLY_SECONDS, lifetime * 0.1),
            expires_at,
        )
        fresh = {
            "token": token.value,
            "renew_at": token.renew_at,
            "expires_at": token.expires_at,
            "digest": self._digest,
        }
        self.host.state.change("session", lambda _: fresh)
        self.host.state.change("logins", lambda _: {"at": [*logins, now]})
        if fact:
            self.host.state.change("login_refused", lambda _: None)
        return token

    def _accepted(self, answer: Answer) -> Mapping[str, Any]:
        """The login's body when it holds a token; what went wrong, in words, when it does not."""
        name, user = self.account.name, self.account.settings["username"]
        data, said = answer.data, complaint(answer.data) or ""
        if isinstance(data, Mapping) and (data.get("access_token") or data.get("accessToken")):
            return data
        if fields := validation(data):
            raise AccessDenied(explain(f"{name}: the login", fields))
        if "invalid_credentials" in said:
            raise AccessDenied(f"{name}: PlentyONE does not accept the user name {user!r} with this password.")
        if said.startswith("access_denied"):  # about a token, of which a login has none: not our credentials
            raise RetryLater(f"{name}: the login was refused: {said}", after=2.0)
        if "too_many_concurrent_sessions" in said:
            most = data.get("max_current_sessions") if isinstance(data, Mapping) else None
            raise RetryLater(
                f"{name}: too many sessions are open in PlentyONE{f' (at most {most})' if most else ''}; "
                "log a user out there, or wait",
                after=SESSIONS_SECONDS,
            )
        if answer.status == 429 or (not answer.is_json and is_rate_text(answer.text)):
            after = wait_seconds(answer.headers)
            raise RetryLater(
                f"{name}: the login was refused: {said or answer.excerpt(80) or 'too many calls'}",
                after=RATE_SECONDS if after is None else after,
            )
        if answer.status >= 500:
            raise Unreachable(f"{name}: PlentyONE is closed or overloaded: {answer.status} {answer.excerpt(120)}")
        if answer.status in (401, 403) and not (said or self._plenty(answer)):
            remark = f"If it is, the user name {user!r} or the password are wrong."
            if answer.status == 403:
                remark = f"If it is, PlentyONE may have locked the user {user!r} or forbid it REST."
            said = (
                f"{name}: {self.account.base_url} refuses the login ({answer.status}: {answer.excerpt(120) or 'nothing'}) "
                "and does not answer like PlentyONE. See first that this is the address of the PlentyONE system itself."
            )
            raise Strange(f"{said} {remark}")
        if answer.status == 403:
            raise AccessDenied(
                f"{name}: PlentyONE has locked the user {user!r} or forbids it REST ({said or '403'}). Unlock it under "
                "Setup » Settings » User » Accounts and see that its access is REST-API."
            )
        if answer.status == 401 or (answer.is_json and answer.status in (200, 400, 422)):
            raise AccessDenied(f"{name}: PlentyONE does not accept the user name {user!r} with this password.")
        if self.host.state.read("logins"):  # it was PlentyONE before: a page that will go away
            raise Unreachable(f"{name}: the login answered {answer.status}: {answer.excerpt(120) or 'nothing'}")
        raise StopRun(
            f"{name}: {self.account.base_url} does not answer like PlentyONE (POST {LOGIN} gave {answer.status}: "
            f"{answer.excerpt(120) or 'nothing'}). Enter the address of the PlentyONE system itself."
        )

    def _plenty(self, answer: Answer) -> bool:
        """Whether it is known to be PlentyONE that answers: by its headers, or from earlier."""
        seen = any(name.lower().startswith("x-plenty") for name in answer.headers)
        return seen or bool(self.host.state.read("logins") or self.host.state.read("worked"))


def lost(error: InDoubt) -> RetryLater:
    """A login without an answer changes nothing that matters: try again."""
    return RetryLater(str(error).replace("; whether the change was made is not known", ""), after=error.after)
