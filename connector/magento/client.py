"""How Magento is spoken to: signed requests, and its answers read by their body first.

Integration tokens are signed by OAuth 1.0a with HMAC-SHA256 (each try anew: a nonce is good for one use). Sending such a
token as Bearer is refused since 2.4.4 unless the shop allows it; an admin token needs two-factor login switched off.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping
from typing import Any

import requests
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256
from oauthlib.oauth1 import Client as Signer

from connector import AccessDenied, Answer, Client, InDoubt, RecordFailed, RetryLater, StopRun, Unreachable
from connector.client import dumps

PROXY_HINT = (
    "The shop rebuilds the address from its own scheme and host: behind a proxy that ends TLS, the web server must be told "
    "the original scheme (X-Forwarded-Proto). Also compare the four secrets character by character."
)
OAUTH_SECRETS = {
    "consumer_key_rejected": "The consumer key is unknown to the shop",
    "consumer_key_invalid": "The consumer key is not a valid one",
    "token_rejected": "The access token is unknown to the shop",
    "token_revoked": "The access token was revoked: activate the integration again",
    "token_revoke": "The access token was revoked: activate the integration again",
    "token_expired": "The access token has expired",
    "token_used": "The access token was used up",
    "timestamp_refused": "The shop refuses our time: the clocks differ by more than ten minutes",
    "signature_method_rejected": "The shop does not accept signatures by HMAC-SHA256",
}


class NotFound(RecordFailed):
    """No such record, or no such address."""


class TooSlow(RetryLater):
    """A gateway gave up waiting (502, 504), or the shop failed with a masked error (500): perhaps the page is too large."""


class PageTooLarge(RetryLater):
    """The shop limits pages to `largest` rows."""

    def __init__(self, message: str, largest: int) -> None:
        super().__init__(message)
        self.largest = largest


class MagentoClient(Client):
    """One shop. `rest(path)` gives the full path below the base address, for all store views."""

    @property
    def _given(self) -> Any:
        return self.account.settings

    def rest(self, path: str, store: str = "all") -> str:
        if self._given.address_form == "saas":
            return f"/V1{path}"
        return f"{'/index.php' if self._given.index_php else ''}/rest/{store}/V1{path}"

    # authorization

    def authorize(self, request: requests.PreparedRequest) -> None:
        if self._given.address_form == "saas":
            request.headers["Store"] = "all"
        if str(request.url).endswith("/integration/admin/token"):
            return
        kind = self._given.auth
        if kind == "bearer":
            request.headers["Authorization"] = f"Bearer {self._needed('access_token')}"
        elif kind == "admin":
            request.headers["Authorization"] = f"Bearer {self._admin_token()}"
        else:
            signer = Signer(
                self._needed("consumer_key"),
                client_secret=self._needed("consumer_secret"),
                resource_owner_key=self._needed("access_token"),
                resource_owner_secret=self._needed("access_token_secret"),
                signature_method=SIGNATURE_HMAC_SHA256,
            )
            # The JSON body is no part of the signature; the query is, as it is sent.
            _, headers, _ = signer.sign(str(request.url), http_method=str(request.method))
            request.headers["Authorization"] = headers["Authorization"]

    def _needed(self, name: str) -> str:
        value = self._given.get(name)
        if not value:
            raise AccessDenied(f"{self.account.name}: {name} is missing in the credentials (auth: {self._given.auth}).")
        return str(value)

    def _credentials(self) -> str:
        text = f"{self._needed('username')}\n{self._needed('password')}"
        return hashlib.sha256(text.encode()).hexdigest()

    def _admin_token(self) -> str:
        known = self.host.state.read("admin_token")
        if known and known.get("for") == self._credentials():
            return str(known["token"])
        with self.host.state.lock("admin_token", 60):
            known = self.host.state.read("admin_token")
            if known and known.get("for") == self._credentials():
                return str(known["token"])
            body = {"username": self._needed("username"), "password": self._needed("password")}
            answer = self._once("POST", self.rest("/integration/admin/token"), None, dumps(body).encode(), False, None)
            if not answer.ok or not isinstance(answer.data, str):
                raise AccessDenied(f"{self.account.name}: no admin token: {said(answer)}")
            token = {"token": answer.data, "for": self._credentials(), "at": time.time()}
            self.host.state.change("admin_token", lambda _: token)
            return answer.data

    def renew(self, answer: Answer) -> bool:
        text = answer.text.lower()
        if "nonce" in text:
            return True  # signed anew, with a fresh nonce
        if self._given.auth != "admin" or "isn't authorized" not in text.replace("\\u0027", "'"):
            return False
        used = self.host.state.read("admin_token")
        self.host.state.change("admin_token", lambda now: None if now == used else now)
        return used is not None

    # answers

    def judge(self, answer: Answer, write: bool) -> None:
        where = f"{self.account.name}: {answer.method} {answer.path}"
        if answer.ok and answer.is_json:
            return
        if not answer.is_json:
            raise self._not_json(answer, where, write)
        text = said(answer)
        if answer.status in (401, 403):
            raise AccessDenied(f"{self.account.name}: {denied(answer, text)}")
        if answer.status == 400:
            largest = re.search(r"pageSize is (\d+)", text)
            if largest:
                raise PageTooLarge(f"{where}: {text}", int(largest[1]))
            oauth = oauth_problem(answer)
            if oauth:
                raise AccessDenied(f"{self.account.name}: {oauth}")
        if answer.status == 404:
            raise NotFound(f"{where}: {text}")
        if answer.status == 429:
            wait = answer.headers.get("Retry-After", "")
            raise RetryLater(f"{where} was refused: too many calls", after=float(wait) if wait.isdigit() else 30.0)
        if answer.status in (502, 504):
            raise TooSlow(f"{where}: the shop's gateway gave up waiting ({answer.status})")
        if answer.status == 503:
            raise Unreachable(f"{where}: the shop is closed for maintenance ({text})", after=20)
        if answer.status >= 500:
            raise self.unsure(f"{where}: the shop failed: {text}", write)
        if write:
            raise RecordFailed(f"{where} was refused: {text}")
        raise StopRun(f"{where} was refused ({answer.status}): {text}")

    def unsure(self, message: str, write: bool) -> RetryLater:
        return InDoubt(f"{message}; whether the change was made is not known") if write else TooSlow(message)

    def _not_json(self, answer: Answer, where: str, write: bool) -> Exception:
        text = answer.text.lower()
        if "cloudflare" in text or "sucuri" in text or "access denied" in text or "captcha" in text:
            return AccessDenied(
                f"{self.account.name}: a web firewall stands before the shop ({answer.status}: {title(answer.text)}). "
                "Let this host's address pass to /rest."
            )
        if answer.status == 503 or "maintenance" in text:
            return Unreachable(
                f"{self.account.name}: the shop is closed for maintenance ({title(answer.text)})", after=20
            )
        if answer.status in (502, 504):
            return TooSlow(f"{where}: the shop's gateway gave up waiting ({answer.status})")
        if answer.status == 429:
            return RetryLater(f"{where} was refused: too many calls", after=30)
        if answer.status >= 500 or answer.ok:
            return self.unsure(f"{where}: expected JSON, got {answer.status} {title(answer.text)!r}", write)
        return StopRun(
            f"{self.account.name}: {self.base_url} answers {answer.status} with a web page ({title(answer.text)!r}). "
            "Is this the shop's own address, and is /rest reachable?"
        )


def title(html: str) -> str:
    """What a page calls itself, or how it begins."""
    found = re.search(r"<(title|h1)[^>]*>(.*?)</\1>", html, re.S | re.I)
    text = found[2] if found else re.sub(r"<[^>]+>", " ", html)
    return " ".join(text.split())[:120]


def said(answer: Answer) -> str:
    """Magento's message with its placeholders filled: %1 … from a list, %name from an object. Traces are left out."""
    data = answer.data
    if isinstance(data, Mapping) and isinstance(data.get("messages"), Mapping):
        errors = data["messages"].get("error") or []
        return "; ".join(fill(one) for one in errors if isinstance(one, Mapping)) or answer.excerpt()
    if not isinstance(data, Mapping) or not data.get("message"):
        return answer.excerpt()
    rows = [data, *(one for one in data.get("errors") or () if isinstance(one, Mapping))]
    return "; ".join(dict.fromkeys(fill(one) for one in rows))


def fill(given: Mapping[str, Any]) -> str:
    text = str(given.get("message", ""))
    parameters = given.get("parameters")
    if isinstance(parameters, list):
        parameters = {str(position): value for position, value in enumerate(parameters, 1)}
    if isinstance(parameters, Mapping):
        for name in sorted(map(str, parameters), key=len, reverse=True):
            text = text.replace(f"%{name}", str(parameters[name]))
    return " ".join(text.split())


def oauth_problem(answer: Answer) -> str | None:
    """What an OAuth error code in the body means, or None."""
    text = answer.text
    if isinstance(answer.data, Mapping):
        text += str(answer.data.get("oauth_problem") or "")
    for code, meaning in OAUTH_SECRETS.items():
        if code in text:
            return f"{meaning} ({code})."
    return None


def denied(answer: Answer, text: str) -> str:
    known = oauth_problem(answer)
    if known:
        return known
    lower = text.lower()
    if "signature" in lower:
        return f"The shop does not accept our signature: {text} {PROXY_HINT}"
    resource = None
    parameters = answer.data.get("parameters") if isinstance(answer.data, Mapping) else None
    if isinstance(parameters, Mapping):
        resource = parameters.get("resources") or parameters.get("resource")
    elif isinstance(parameters, list) and parameters:
        resource = parameters[0]
    if resource is None:
        found = re.search(r"[A-Z][A-Za-z]+_[A-Z][A-Za-z]+::\w+", text)
        resource = found[0] if found else None
    if resource and "self" not in str(resource):
        return f"The integration lacks the right {resource}: allow it under System » Integrations » API, then activate."
    return f"The shop refuses the credentials: {text}"


__all__ = ["MagentoClient", "NotFound", "PageTooLarge", "TooSlow", "denied", "fill", "said", "title"]
