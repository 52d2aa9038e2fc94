"""One HTTP session to one account: base address, time-outs, guarded addresses, errors in our words, calls on record.

`Client.call` is the one door; `Client.transport` behind it is the one seam where a test or a dry run replaces HTTP.
A connector subclasses Client to sign requests (`authorize`), to read its vendor's errors (`judge`) and to keep its
vendor's rate (`before`, `after`).
"""

from __future__ import annotations

import html
import json
import logging
import os
import random
import re
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from http.client import BadStatusLine, RemoteDisconnected
from http.client import IncompleteRead as BadIncompleteRead
from math import isfinite
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

import orjson
import requests
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, IncompleteRead, NewConnectionError, ReadTimeoutError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Retry, Timeout

from connector.errors import ConnectorError, InDoubt, RetryLater, StopRun, Unreachable
from connector.sockets import Adapter, PrivateAddress, refuse_address
from connector.veil import Veil

if TYPE_CHECKING:
    from connector.base import Account, Host

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
READ_SECONDS = float(os.environ.get("CONNECTOR_READ_SECONDS") or 20)
LARGEST_ANSWER = 64 * 1024 * 1024
LONGEST_PLANNED = 10_000  # characters of a text in a plan
READ_TRIES = 4
HEADERS = (("Accept", "application/json"), ("User-Agent", "connector-host"), ("Accept-Encoding", "gzip"))
NO_RETRIES = Retry(0, read=False)  # of urllib3: what may be repeated is decided here

Query = Mapping[str, Any] | Sequence[tuple[str, Any]]


@dataclass(frozen=True, kw_only=True)
class LoggedCall:
    """One remote call, as the data log keeps it. Bodies are given only when something failed or logging is on."""

    method: str
    path: str
    query: str
    status: int | None  # None: no answer
    seconds: float
    reference: str | None
    error: str | None = None
    request: str | None = None
    response: str | None = None


@dataclass(kw_only=True)
class Answer:
    """What came back. `data` is the decoded JSON (numbers with a point are Decimal), None when it is not JSON."""

    status: int
    headers: Mapping[str, str]
    text: str
    method: str
    path: str
    data: Any = None
    is_json: bool = False
    request: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def excerpt(self, length: int = 300) -> str:
        """The beginning of the text as people read it: of a web page its words (else its title), never its markup."""
        text = self.text
        if text.lstrip().startswith("<"):
            page = text[:20_000]
            title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
            words = re.sub(r"(?is)<(script|style|head)\b.*?</\1>|<!--.*?-->|<[^>]*(>|$)", " ", page).strip()
            text = html.unescape(words or (title[1] if title else "")) or "a web page without words"
        text = " ".join(text.split())
        return text if len(text) <= length else text[:length] + "…"


Transport = Callable[[requests.PreparedRequest, tuple[float, float]], requests.Response]


def encode(query: Query | None) -> str:
    """A query string: lists repeat their key, None is left out, blanks are %20."""
    pairs: list[str] = []
    for key, value in query.items() if isinstance(query, Mapping) else query or ():
        for one in value if isinstance(value, list | tuple) else (value,):
            if one is not None:
                text = str(one).lower() if isinstance(one, bool) else str(one)
                pairs.append(f"{quote(key, safe='')}={quote(text, safe='', errors='replace')}")
    return "&".join(pairs)


def dumps(body: Any) -> str:
    """JSON in which a Decimal is a plain number; amounts have at most a dozen digits, which a double holds exactly."""
    return _ENCODER.encode(body)


def brief(body: Any) -> Any:
    """A body for who reads a plan: a file in it is told by its beginning and its size."""
    if isinstance(body, str):
        return body if len(body) <= LONGEST_PLANNED else f"{body[:60]}… ({len(body):,} characters)"
    if isinstance(body, Mapping):
        return {key: brief(value) for key, value in body.items()}
    return [brief(value) for value in body] if isinstance(body, list | tuple) else body


def packed(body: Any) -> bytes:
    """The JSON as it is sent. Half a character (a lone surrogate, which no UTF-8 can hold) becomes a question mark."""
    try:
        return orjson.dumps(body, default=_SENT, option=NOTHING_MORE)
    except TypeError:  # it refuses what the standard library takes: half a character, endless numbers, keys of numbers
        return dumps(body).encode(errors="replace")


def _plain(value: Any) -> Any:
    """What the encoder does not know itself."""
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{value!r} cannot be sent as JSON")


def _ended(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`make` for orjson, which would write null for NaN and Infinity: an amount that nobody can read would become none,
    which is zero. They are left to the standard library, which writes them. `loads` brings them as Decimals, so that
    they come by here."""

    def made(value: Any) -> Any:
        number = make(value)
        if isinstance(number, float) and not isfinite(number):
            raise TypeError(f"{value!r} is no number of JSON")
        return number

    return made


def kept(payload: Mapping[str, Any]) -> bytes:
    """The JSON in which a payload is kept until it is done with; `loads` brings all of it back, half characters too."""
    try:
        return orjson.dumps(payload, default=_KEPT, option=NOTHING_MORE)
    except TypeError:
        return _KEEPER.encode(payload).encode()


NOTHING_MORE = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME  # than JSON has
_SENT, _KEPT = _ended(_plain), _ended(float)
_KEEPER = json.JSONEncoder(default=float, separators=(",", ":"))
_ENCODER = json.JSONEncoder(default=_plain, separators=(",", ":"), ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=Decimal)


def loads(text: str | bytes) -> Any:
    if isinstance(text, str) and not text.startswith("\ufeff"):
        return _DECODER.decode(text)
    return json.loads(text, parse_float=Decimal, parse_constant=Decimal)


def check_base_url(url: str, *, allow_private: bool) -> str:
    """The address as it is used, without a trailing slash. Raises ValueError with a sentence.

    Resolves the name: an address in a loopback, private or link-local network is refused unless allowed, here and
    again whenever a connection is opened (a name may resolve to something else later). The addresses where clouds hand
    out a machine's credentials are refused always.
    """
    if any(sign.isspace() or not sign.isprintable() for sign in url.strip()):
        raise ValueError(f"The address {url!r} must not hold blanks or control characters.")
    try:
        parts = urlsplit(url.strip())
    except ValueError as error:
        raise ValueError(f"The address {url!r} cannot be read: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"The address {url!r} must begin with https:// (or http://) and name a host.")
    if parts.username or parts.password:
        raise ValueError("The address must not contain a user name or password; use the credentials fields.")
    if parts.query or parts.fragment:
        raise ValueError(f"The address {url!r} must not have a query or fragment.")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"The address {url!r} has a port that is not a number from 1 to 65535.") from error
    try:
        found = socket.getaddrinfo(
            parts.hostname,
            port or 443,
            type=socket.SOCK_STREAM,
            flags=socket.AI_NUMERICHOST if allow_private else 0,  # no name is looked up where any may be reached
        )
    except (OSError, UnicodeError):
        found = []  # the connection test says so in its words
    for *_, address in found:
        refuse_address(str(address[0]), parts.hostname, allow_private=allow_private)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


class Client:
    """One account's HTTP session; safe for several threads. Counts its calls: `calls["read"]`, `calls["write"]`."""

    read_seconds = READ_SECONDS
    largest_answer = LARGEST_ANSWER

    def __init__(self, account: Account, host: Host) -> None:
        self.account = account
        self.host = host
        self.base_url = account.base_url.rstrip("/")
        self.calls: Counter[str] = Counter()
        self.log_bodies = False
        self.dry: Callable[[str, str, Any], Any] | None = None  # set: changes are not sent but answered by this
        self.planned: list[tuple[str, str, Any]] = []
        self.veil = Veil(account.secrets)
        self.clock_offset = 0.0  # seconds that the system's clock is ahead of ours, from the Date header
        self._clock_read = float("-inf")
        self._adapter = Adapter(account.allow_private, size=32)
        self.transport: Transport = self._send

    # what a connector overrides

    def authorize(self, request: requests.PreparedRequest) -> None:
        """Sign or add the token; called anew for every try."""

    def before(self, write: bool) -> None:
        """Wait for the vendor's rate. Raises RetryLater when the wait would be unreasonable."""

    def after(self, answer: Answer, write: bool) -> None:
        """Learn from the answer's headers; called for every answer, good or bad."""

    def judge(self, answer: Answer, write: bool) -> None:
        """Raise the error that this answer means; return when it is good. Body first, status second."""
        if answer.ok and answer.is_json:
            return
        where = f"{self.account.name}: {answer.method} {answer.path}"
        if answer.status == 429:
            raise RetryLater(f"{where} was refused: too many calls", after=_seconds(answer.headers.get("Retry-After")))
        if answer.status >= 500 or answer.ok:
            said = f"{where} answered {answer.status}: {answer.excerpt()}"
            raise InDoubt(said) if write else RetryLater(said)
        raise StopRun(f"{where} answered {answer.status}: {answer.excerpt()}")

    def complaint(self, answer: Answer) -> str | None:
        """What an answer complains of, for the data log; None when it is good. A batch can fail in part and answer 200."""
        return None if answer.ok else answer.excerpt()

    def shown(self, path: str) -> str:
        """A path as it stands in messages and on record: without what gives access to something."""
        return path

    def renew(self, answer: Answer) -> bool:
        """After a 401: True when fresh credentials were obtained and the call may be sent once more."""
        return False

    # the one door

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        write: bool | None = None,
        reference: str | None = None,
        tries: int | None = None,
    ) -> Answer:
        """Send a call and return the good answer.

        `write` defaults to "not GET or HEAD". Reads are repeated a few times on transient errors (each signed anew);
        a write is repeated only when it certainly was not executed (no connection, rate refusal, renewed login).
        Raises RetryLater, InDoubt, Unreachable, RecordFailed, StopRun, AccessDenied.
        """
        changes = method not in ("GET", "HEAD") if write is None else write
        if changes and self.dry is not None:
            self.planned.append((method, path, brief(body)))
            data = self.dry(method, path, body)
            return Answer(status=200, headers={}, text="", method=method, path=path, data=data, is_json=True)
        self.host.settle()
        content = None if body is None else packed(body)
        limit = READ_TRIES if tries is None else tries
        tried, renewed, refused = 0, False, 0
        while True:
            tried += 1
            try:
                answer = self._once(method, path, query, content, changes, reference)
                if answer.status == 401 and not renewed and self.renew(answer):
                    renewed, tried = True, tried - 1
                    continue
                self._judge(answer, changes)
                return answer
            except InDoubt as error:
                if changes or tried >= limit:
                    raise
                wait = error.after
            except Unreachable as error:
                if tried >= limit:
                    raise
                wait = error.after
            except RetryLater as error:
                refused += 1
                if (changes and refused > 3) or (not changes and tried >= limit):
                    raise
                if error.after is not None and error.after > 90:
                    raise
                wait = error.after
            if self.host.stop.is_set():
                raise RetryLater("stopped by a person", counts=False)
            self.host.sleep(min(20.0, 0.25 * 2**tried) * random.uniform(0.5, 1.0) if wait is None else wait)

    def _judge(self, answer: Answer, write: bool) -> None:
        """`judge`; what a good-looking answer says in its error must not show our secrets either."""
        try:
            self.judge(answer, write)
        except ConnectorError as error:
            error.args = tuple(self.veil.text(one) if isinstance(one, str) else one for one in error.args)
            raise

    def _once(
        self,
        method: str,
        path: str,
        query: Query | None,
        content: bytes | None,
        write: bool,
        reference: str | None,
        *,
        secret: bool = False,
    ) -> Answer:
        """One try. `secret`: the bodies hold credentials and never go on record."""
        self.before(write)
        request = requests.PreparedRequest()
        encoded = encode(query)
        request.method = method
        request.url = f"{self.base_url}{path}" + (f"?{encoded}" if encoded else "")
        path = self.shown(path)
        request.headers = requests.structures.CaseInsensitiveDict()
        for name, value in HEADERS:
            request.headers[name] = value
        request.hooks = {"response": []}
        request._cookies = None  # type: ignore[attr-defined]
        request.body = content
        if content is not None:
            request.headers["Content-Type"] = "application/json"
            request.headers["Content-Length"] = str(len(content))
        elif method not in ("GET", "HEAD"):
            request.headers["Content-Length"] = "0"
        self.authorize(request)
        kind, _, token = str(request.headers.get("Authorization") or "").partition(" ")
        if kind == "Bearer":
            self.veil.add(token)
        if write:
            self.host.may_write()  # the last thing before it is sent: the waits and log-ins above may have taken long
        self.calls["write" if write else "read"] += 1
        began = time.monotonic()
        status: int | None = None
        error: str | None = None
        text = ""
        try:
            try:
                response = self.transport(request, (CONNECT_SECONDS, self.read_seconds))
                status = response.status_code
                text = self._body(response)
            except PrivateAddress:
                raise
            except requests.ConnectionError as failure:
                if _never_sent(failure):
                    raise Unreachable(
                        f"{self.account.name}: {self.base_url} cannot be reached: {_why(failure, self.base_url)}"
                    ) from failure
                raise self._lost(
                    write, method, path, f"the connection broke ({_why(failure, self.base_url)})"
                ) from failure
            except requests.Timeout as failure:
                raise self._lost(write, method, path, f"no answer within {self.read_seconds:.0f} seconds") from failure
            except (requests.RequestException, OSError) as failure:
                raise self._lost(
                    write, method, path, f"the answer broke off ({_why(failure, self.base_url)})"
                ) from failure
            answer = Answer(status=status, headers=response.headers, text=text, method=method, path=path)
            self._read_clock(response.headers.get("Date"))
            try:
                answer.data = loads(text)
                answer.is_json = True
            except ValueError:
                pass
            if not answer.ok and (shown := self.veil.text(text)) != text:
                answer.text, answer.data = shown, self.veil.data(answer.data)
            self.after(answer, write)
            error = self.complaint(answer)
            if status in (301, 302, 303, 307, 308):
                target = response.headers.get("Location", "another address")
                raise StopRun(
                    f"{self.account.name}: {self.base_url} redirects to {target.split('?')[0]}. "
                    "Enter the address that the system itself uses; redirects are not followed, changes would be lost."
                )
            return answer
        except Exception as failure:
            error = error or str(failure)
            raise
        finally:
            bodies = (self.log_bodies or error is not None) and not secret
            self.host.log(
                LoggedCall(
                    method=method,
                    path=path,
                    query=encoded,
                    status=status,
                    seconds=time.monotonic() - began,
                    reference=reference,
                    error=self.veil.text(error) if error else None,
                    request=self.veil.text(content.decode(errors="replace")) if bodies and content else None,
                    response=self.veil.text(text) if bodies else None,
                )
            )

    def _read_clock(self, text: str | None) -> None:
        if text and time.monotonic() - self._clock_read > 60:
            try:
                there = parsedate_to_datetime(text)
            except ValueError:
                return
            self._clock_read = time.monotonic()
            self.clock_offset = (there - datetime.now(there.tzinfo or UTC)).total_seconds() if there.tzinfo else 0.0

    def _lost(self, write: bool, method: str, path: str, why: str) -> RetryLater:
        said = f"{self.account.name}: {method} {path}: {why}"
        return InDoubt(f"{said}; whether the change was made is not known") if write else RetryLater(said)

    def _body(self, response: requests.Response) -> str:
        """The body as text, but never more than the largest answer."""
        if len(response.content) > self.largest_answer:
            raise StopRun(f"{self.account.name}: an answer is larger than {self.largest_answer:,} bytes")
        return response.content.decode("utf-8", errors="replace")

    @cached_property
    def _pool(self) -> HTTPConnectionPool:
        """The connections that requests itself would use for this account, with its certificates; asked for once."""
        request = requests.PreparedRequest()
        request.url = self.base_url
        pool = self._adapter.get_connection_with_tls_context(request, verify=True)
        self._adapter.cert_verify(pool, self.base_url, verify=True, cert=None)  # type: ignore[no-untyped-call]
        return cast(HTTPConnectionPool, pool)

    def _send(self, request: requests.PreparedRequest, timeout: tuple[float, float]) -> requests.Response:
        """Through the pool itself: what requests does around it costs more than the call, and is not used here
        (sessions, cookies, redirects, proxies). Its errors stay those of requests."""
        try:
            raw = self._pool.urlopen(
                str(request.method),
                request.path_url,
                request.body,
                dict(request.headers),
                retries=NO_RETRIES,
                redirect=False,
                assert_same_host=False,
                timeout=_timeout(*timeout),
                preload_content=False,
            )
            content = raw.read(self.largest_answer + 1, decode_content=True)
        except ReadTimeoutError as error:
            raise requests.ReadTimeout(error) from error
        except HTTPError as error:
            raise requests.ConnectionError(error) from error
        if len(content) > self.largest_answer:
            raw.close()
        return _Received(raw, content)

    def close(self) -> None:
        self._adapter.close()


class _Received(requests.Response):
    """An answer that was read to its end, without what requests keeps beside it: cookies, history, the stream."""

    raw = None
    encoding = "utf-8"

    def __init__(self, raw: BaseHTTPResponse, content: bytes) -> None:
        self.status_code = raw.status
        self.reason = raw.reason or ""
        self.url = ""
        self.headers = raw.headers  # type: ignore[assignment]  # as blind to case as requests' own
        self._content, self._content_consumed = content, True


@cache
def _timeout(connect: float, read: float) -> Timeout:
    return Timeout(connect=connect, read=read)


def _seconds(text: str | None) -> float | None:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


def _chain(failure: BaseException) -> list[BaseException]:
    """The error and all that stands behind it: requests and urllib3 wrap each other's in several ways."""
    seen: list[BaseException] = []
    todo: list[Any] = [failure]
    while todo:
        one = todo.pop(0)
        if isinstance(one, BaseException) and not any(one is other for other in seen):
            seen.append(one)
            todo += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]
    return seen


def _never_sent(failure: BaseException) -> bool:
    """True when no connection was made at all, so that nothing can have been executed."""
    kinds = (NewConnectionError, ConnectTimeoutError, requests.ConnectTimeout)
    return any(isinstance(one, kinds) for one in _chain(failure))


def _why(failure: BaseException, url: str) -> str:
    """What went wrong on the way, in words."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    chain = _chain(failure)

    def any_of(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in chain if isinstance(one, kinds)), None)

    system = next((one for one in chain if isinstance(one, OSError) and one.strerror), None)
    said = str(system.strerror) if system else type(chain[-1]).__name__
    if any_of(socket.gaierror, UnicodeError):
        said = f"the name {parts.hostname} is not known (DNS); check it for a typing error"
    elif any_of(ConnectionRefusedError):
        said = f"nothing listens on port {port} there, or a firewall is in between"
    elif refused := any_of(ssl.SSLCertVerificationError):
        said = f"its TLS certificate is not trusted ({getattr(refused, 'verify_message', '') or 'unverified'})"
    elif any_of(ssl.SSLError) and not any_of(ssl.SSLEOFError):
        said = (
            f"it does not speak TLS on port {port}; check whether the address begins with http:// or has another port"
        )
    elif any_of(ConnectTimeoutError, requests.ConnectTimeout):
        said = f"no connection within {CONNECT_SECONDS:.0f} seconds; check the address, and firewalls in between"
    elif any_of(ConnectionResetError, ConnectionAbortedError, BrokenPipeError, RemoteDisconnected, ssl.SSLEOFError):
        said = "the other side closed the connection"
    elif any_of(IncompleteRead, BadIncompleteRead):
        said = "the answer ended too early"
    elif any_of(BadStatusLine):
        said = f"what answers on port {port} does not speak HTTP"
    elif any_of(TimeoutError, ReadTimeoutError):
        said = "it took too long"
    return said
