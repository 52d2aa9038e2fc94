"""What an answer of Magento means, in our errors. The body decides first, the HTTP status second.

Shapes (systems/magento.md, section 7; every example of fixtures/magento/error_bodies.json): `message` with the
placeholders %1 or %name and `parameters` as list or object, `errors` with more of the same, {"messages": {"error":
[...]}} after a fatal fault, HTML from maintenance mode, gateways and firewalls, and the form-encoded `oauth_problem`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from connector import AccessDenied, Answer, InDoubt, RecordFailed, RetryLater, StopRun, Unreachable

NONCE_USED = re.compile(r"nonce_used|nonce is already being used", re.IGNORECASE)
NOT_AUTHORIZED = re.compile(r"(isn'?t|is not) authorized to access", re.IGNORECASE)
NO_ROUTE = re.compile(r"does not match any route", re.IGNORECASE)
PAGE_TOO_LARGE = re.compile(r"Maximum SearchCriteria pageSize is\s*(\d+)?", re.IGNORECASE)
REPORT_ID = re.compile(r"\b(webapi-[0-9a-f]+|api/\d+)\b")
FIREWALL = re.compile(
    r"cloudflare|sucuri|just a moment\.\.\.|checking your browser|attention required|access denied - |incapsula|"
    r"web application firewall|captcha",
    re.IGNORECASE,
)
PLACEHOLDER = re.compile(r"%(\w+)")
ERROR_KEYS = {"message", "parameters", "errors", "code", "trace"}
GATEWAY = (408, 502, 504, 520, 522, 524)  # the last three are Cloudflare's words for the same

SIGNATURE_SENTENCE = (
    "the OAuth signature does not match. Check the consumer secret and the access token secret. If they are right, the "
    "shop rebuilds the address from its own scheme and Host header: behind a proxy that ends TLS, the web server must "
    "pass X-Forwarded-Proto (and the original Host) on to Magento, and the address entered here must be the shop's own."
)
OAUTH: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"signature_invalid|signature is invalid|invalid signature", re.IGNORECASE), SIGNATURE_SENTENCE),
    (
        re.compile(r"signature_method_rejected|signature method .* not supported", re.IGNORECASE),
        "this shop does not take signatures of the method HMAC-SHA256; Magento 2.3 or newer is needed.",
    ),
    (
        re.compile(r"consumer_key_(rejected|invalid|expired)|consumer having the specified key|consumer key", re.I),
        "the consumer key is unknown. Copy the consumer key from System > Extensions > Integrations, and see that the "
        "integration is active.",
    ),
    (
        re.compile(r"token_(rejected|expired|revoke|used)|specified token|token (has expired|is not|was rev)", re.I),
        "the access token is unknown or was revoked. Copy the access token from System > Extensions > Integrations, or "
        "authorize the integration again there.",
    ),
    (
        re.compile(r"timestamp_refused|oauth_timestamp", re.IGNORECASE),
        "the time of the call was refused: the clock of this server or of the shop is wrong.",
    ),
    (
        re.compile(r"permission_(unknown|denied)", re.IGNORECASE),
        "the integration lacks a right. Grant it under System > Extensions > Integrations > API.",
    ),
)
TWO_FACTOR = re.compile(r"\b2fa\b|two[- ]factor", re.IGNORECASE)


class Strange(AccessDenied):
    """401 or 403 from something that does not answer like Magento: another host, or a gateway before the shop."""


class NotFound(RecordFailed):
    """404: the entity is missing, or something that a list needed; `route` when the address itself is unknown, `strange`
    when it is not said in Magento's way."""

    def __init__(self, message: str, *, route: bool = False, strange: bool = False) -> None:
        super().__init__(message)
        self.route = route
        self.strange = strange


class Refused(RecordFailed):
    """Magento refused the call by a rule and did nothing; `status` is the HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class PageTooLarge(Refused):
    """The shop limits pages to `limit` rows; None when it does not say how many."""

    def __init__(self, message: str, limit: int | None) -> None:
        super().__init__(message, 400)
        self.limit = limit


class GatewayTimeout(RetryLater):
    """A gateway before the shop lost patience with a read: ask for less."""


class ServerFault(RetryLater):
    """Magento failed inside while it read (500): transient, or caused by one record."""


class NotJson(RetryLater):
    """A good status with something that is not JSON."""


class TooManyCalls(RetryLater):
    """429."""


def fill(message: str, parameters: Any) -> str:
    """The message with its placeholders replaced: %1..%n from a list, %name from an object; unknown ones stay."""
    if isinstance(parameters, list):
        values = {str(number): value for number, value in enumerate(parameters, 1)}
    elif isinstance(parameters, Mapping):
        values = {str(name): value for name, value in parameters.items()}
    else:
        return message

    def word(found: re.Match[str]) -> str:
        value = values.get(found[1], found[0])
        return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)

    return PLACEHOLDER.sub(word, message)


def complaint(data: Any) -> str | None:
    """What an error body says, in one sentence; None when it is no error body."""
    if not isinstance(data, Mapping):
        return None
    messages = data.get("messages")
    if isinstance(messages, Mapping) and isinstance(messages.get("error"), list):
        told = [str(one.get("message", one)) if isinstance(one, Mapping) else str(one) for one in messages["error"]]
        return "; ".join(told) or "an error without a message"
    if not isinstance(data.get("message"), str):
        return None
    said = [fill(data["message"], data.get("parameters"))]
    for one in data["errors"] if isinstance(data.get("errors"), list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("message"), str):
            said.append(fill(one["message"], one.get("parameters")))
    return " ".join(line.strip() for text in said for line in text.splitlines() if line.strip())


def is_error(answer: Answer) -> bool:
    """An error body under a good status: the fatal envelope, or nothing but error keys."""
    data = answer.data
    if not isinstance(data, Mapping):
        return False
    fatal = isinstance(data.get("messages"), Mapping) and "error" in data["messages"]
    return fatal or ("message" in data and set(data) <= ERROR_KEYS)


def judge(name: str, answer: Answer, write: bool, auth: str = "oauth") -> None:
    """Raise the error that this answer means; return when it is good.

    Raises AccessDenied, StopRun, NotFound, PageTooLarge, Refused, Unreachable, TooManyCalls; on reads GatewayTimeout,
    ServerFault, NotJson, in whose place a write raises InDoubt.
    """
    where = f"{name}: {answer.method} {answer.path}"
    if answer.ok and answer.is_json and not is_error(answer):
        return
    if not answer.is_json:
        _judge_page(where, answer, write)
    status = answer.status
    said = complaint(answer.data) or answer.excerpt() or "nothing"
    if status == 429:
        raise TooManyCalls(f"{where} was refused: {said}", after=_seconds(answer.headers.get("Retry-After")))
    if status in (400, 401, 403):
        _judge_access(where, status, said, auth, strange=_strange(answer))
    if status == 400 and (found := PAGE_TOO_LARGE.search(said)):
        raise PageTooLarge(f"{where}: {said}", int(found[1]) if found[1] else None)
    if status == 404:
        if NO_ROUTE.search(said):
            raise NotFound(f"{where}: the shop does not know this address ({said})", route=True)
        raise NotFound(f"{where}: {said}", strange=complaint(answer.data) is None)
    if status == 503:
        raise Unreachable(
            f"{name} is closed for maintenance or overloaded: {said}", after=_seconds(answer.headers.get("Retry-After"))
        )
    if status in GATEWAY:
        raise _unsure(GatewayTimeout, f"{where}: a gateway before the shop gave up ({status}: {said})", write)
    if status >= 500 or answer.ok:
        report = REPORT_ID.search(said)
        hint = f" Whoever runs the shop finds the cause in its log under {report[1]}." if report else ""
        raise _unsure(ServerFault, f"{where}: Magento failed inside ({status}): {said.rstrip('.')}.{hint}", write)
    raise Refused(f"{where} was refused with {status}: {said}", status)


def _unsure(kind: type[RetryLater], said: str, write: bool) -> RetryLater:
    return InDoubt(f"{said} Whether the change was made is not known.") if write else kind(said)


def _judge_page(where: str, answer: Answer, write: bool) -> None:
    """An answer that is not JSON. Returns when its text may still hold words for the others to read."""
    name = where.split(":", 1)[0]
    status, html = answer.status, "<" in answer.text[:200] and ">" in answer.text
    firewall = FIREWALL.search(answer.text[:20_000]) or answer.headers.get("cf-mitigated")
    if html and firewall and status in (200, 401, 403, 405, 406, 429, 503):
        raise Unreachable(
            f"{name}: a web firewall before the shop answered {status} instead of Magento: {_title(answer)}. "
            "Ask the shop's host to let this server's address through to /rest."
        )
    if status == 503:
        raise Unreachable(
            f"{name} is closed for maintenance (503: {_title(answer)})",
            after=_seconds(answer.headers.get("Retry-After")),
        )
    if status in GATEWAY or status == 429 or status >= 500:
        return
    if answer.ok:
        what = "an HTML page" if html else "something that is not JSON"
        raise _unsure(
            NotJson,
            f"{where} answered {status} with {what}: {_title(answer)}. Is this the shop's own address, "
            "and does /rest reach Magento?",
            write,
        )
    if status == 404:
        raise StopRun(
            f"{where} was not found by the web server ({_title(answer)}). Check the shop's address; where the shop has "
            "no URL rewriting, switch on 'Address with index.php'."
        )


def _strange(answer: Answer) -> bool:
    """Whether a refusal is not said in Magento's way: no error body, or one that says no more than the status does."""
    said = complaint(answer.data)
    return said is None or said.strip(" .!").lower() == HTTPStatus(answer.status).phrase.lower()


def _judge_access(where: str, status: int, said: str, auth: str, *, strange: bool) -> None:
    if NOT_AUTHORIZED.search(said):
        right = re.split(r"authorized to access", said, maxsplit=1, flags=re.IGNORECASE)[-1].strip().rstrip(".")
        hint = {
            "oauth": "Grant it under System > Extensions > Integrations > API and authorize the integration again; if it "
            "is granted, the web server may be dropping the Authorization header.",
            "bearer": "Grant it, see that the token is right, and that the shop allows integration tokens as Bearer "
            "(Stores > Configuration > Services > OAuth; off by default since 2.4.4).",
            "admin": "Grant it to the role of this admin user.",
        }.get(auth, "")
        raise AccessDenied(f"{where} was refused: the right {right} is missing. {hint}".strip())
    if TWO_FACTOR.search(said):
        raise AccessDenied(
            f"{where} was refused: this shop asks admin users for a second factor ({said}), which a server cannot give. "
            "Use an integration (OAuth) instead."
        )
    if NONCE_USED.search(said):
        raise RetryLater(f"{where}: {said}")
    if status != 400 or "oauth" in said.lower() or "signature" in said.lower():
        remark = f"Magento said: {said}"
        for pattern, sentence in OAUTH:
            if pattern.search(said):
                raise AccessDenied(f"{where} was refused: {sentence} {remark}")
    if status in (401, 403) and strange:
        told = (
            f"{where} was refused ({status}: {said}), and not in Magento's words. See that this is the shop's own address, "
            "and that no password or firewall of the web server stands before /rest."
        )
        raise Strange(told)
    if status in (401, 403):
        raise AccessDenied(f"{where} was refused ({status}): {said}")


def _title(answer: Answer) -> str:
    """A page's title, else the beginning of its text."""
    found = re.search(r"<title>(.*?)</title>", answer.text, re.IGNORECASE | re.DOTALL)
    title = " ".join(found[1].split()) if found else ""
    return repr(title) if title else answer.excerpt(120) or "an empty answer"


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
