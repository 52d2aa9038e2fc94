"""A stand-in behind a real HTTP/1.1 server, with faults on demand and a control page below `/_sandbox`.

The protocol is read and written by hand: it costs a third of `http.server` and lets an answer be cut where a
fault wants it cut.
"""

import json
import logging
import math
import select
import socket
import socketserver
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol, runtime_checkable
from urllib.parse import parse_qsl, unquote

from sandbox import page
from sandbox.faults import READS, BadFault, Faults, Kind, Rule, read_rules
from sandbox.message import BadJson, Headers, Request, Response

__all__ = ["BadJson", "Headers", "Request", "Response", "Server", "StandIn"]

logger = logging.getLogger(__name__)

LOG_SIZE = 10_000
LINE_SIZE = 1 << 20


class StandIn(Protocol):
    """A vendor's system in memory. Every method may be called from several threads at once."""

    name: str  # "magento", "plentyone" or "refurbed"

    def handle(self, request: Request) -> Response:
        """Answer one call as the vendor would."""

    def state(self) -> dict[str, Any]:
        """What exists and how much of it, for the control page."""

    def control(self, action: str, body: Any) -> Any:
        """Do what a test asks; "reset" puts the stand-in back to its start.

        LookupError for an unknown action or record, ValueError for a body that cannot be used.
        """


@runtime_checkable
class KnowsErrors(Protocol):
    """A stand-in that can say how its vendor words an error status."""

    def error(self, status: int) -> Response: ...


@runtime_checkable
class IssuesTokens(Protocol):
    """A stand-in whose tokens can run out: voids the one that this request carries."""

    def expire_token(self, request: Request) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What leaves the server: an answer, half an answer (`cut`), or nothing but the end of the connection."""

    response: Response | None = None
    cut: bool = False


class Server:
    """One stand-in on one port; port 0 takes a free one."""

    def __init__(
        self,
        stand_in: StandIn,
        port: int = 0,
        host: str = "127.0.0.1",
        faults: Faults | None = None,
        latency_ms: int = 0,
        record: Path | None = None,
    ) -> None:
        self.stand_in = stand_in
        self.faults = faults or Faults()
        self.latency = latency_ms / 1000
        self.record = record
        self.stopping = threading.Event()
        self.connections: set[socket.socket] = set()
        self.late: set[threading.Timer] = set()  # what was accepted and is not executed yet
        self._log: deque[dict[str, Any]] = deque(maxlen=LOG_SIZE)
        self._count = 0
        self._lock = threading.Lock()
        self._listener = _Listener((host, port), _Connection)
        self._listener.server = self
        self.host = host
        self.port: int = self._listener.server_address[1]
        self.base_url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(
            target=self._listener.serve_forever, kwargs={"poll_interval": 0.2}, name=stand_in.name, daemon=True
        )

    def start(self) -> None:
        """Begin to answer; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and close every open connection."""
        self.stopping.set()
        self.forget()
        if self._thread.is_alive():
            self._listener.shutdown()
        self._listener.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was closed meanwhile
        if self._thread.is_alive():
            self._thread.join()

    def answer(self, request: Request, connection: socket.socket) -> Sent:
        """Answer one call, with a fault where a rule says so."""
        if request.path == "/_sandbox" or request.path.startswith("/_sandbox/"):
            return Sent(response=self._control(request))
        if request.method == "GET" and (place := page.back_end(self.stand_in.name, request.path)):
            return Sent(response=Response(status=302, headers={"Location": place}))
        if self.latency:
            self.stopping.wait(self.latency)
        rule = self.faults.pick(self.stand_in.name, request.method, request.path)
        sent = EFFECTS[rule.kind](self, rule, request, connection) if rule else self._normal(request)
        self._note(request, sent, rule)
        return sent

    def execute(self, request: Request) -> Response:
        """The stand-in's own answer; its bugs become the vendor's error 500, with a traceback in the log."""
        try:
            return self.stand_in.handle(request)
        except BadJson:
            return self.error(400)
        except Exception:
            logger.exception("%s failed on %s %s", self.stand_in.name, request.method, request.path)
            return self.error(500)

    def execute_later(self, request: Request, seconds: float) -> None:
        """As a call that still waits in a queue of the vendor's after its caller was cut off."""

        def run() -> None:
            self.late.discard(timer)
            if not self.stopping.is_set():
                self.execute(request)

        timer = threading.Timer(seconds, run)
        timer.daemon = True
        self.late.add(timer)
        timer.start()

    def forget(self) -> None:
        """Nothing of what waits is executed any more."""
        for timer in list(self.late):
            timer.cancel()
        self.late.clear()

    def error(self, status: int) -> Response:
        """An error status in the vendor's words."""
        if isinstance(self.stand_in, KnowsErrors):
            return self.stand_in.error(status)
        phrase = HTTPStatus(status).phrase if status in list(HTTPStatus) else "Error"
        return Response(status=status, body={"message": phrase})

    def hang(self, seconds: float, connection: socket.socket) -> None:
        """Wait, but no longer than the caller and the server themselves."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self.stopping.is_set():
            readable, _, _ = select.select([connection], [], [], min(left, 0.25))
            if readable:
                try:
                    if connection.recv(1, socket.MSG_PEEK) == b"":
                        return
                except OSError:
                    return
                self.stopping.wait(min(left, 0.25))

    def _normal(self, request: Request) -> Sent:
        return Sent(response=self.execute(request))

    def _note(self, request: Request, sent: Sent, rule: Rule | None) -> None:
        entry: dict[str, Any] = {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "status": sent.response.status if sent.response else None,
            "fault": rule.kind if rule else None,
        }
        with self._lock:
            self._count += 1
            self._log.append({"n": self._count, "time": datetime.now(UTC).isoformat(), **entry})
            if self.record:
                line = {"system": self.stand_in.name, **entry, "body": _json_or_none(request.body)}
                with self.record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")

    def _control(self, request: Request) -> Response:
        action = request.path.removeprefix("/_sandbox").removeprefix("/")
        try:
            if (request.method, action) == ("GET", ""):
                return Response(body=page.html(self.stand_in.name), content_type="text/html; charset=UTF-8")
            return Response(body=self._act(request.method, action, request))
        except (BadJson, BadFault, ValueError, TypeError) as error:
            return Response(status=400, body={"error": str(error)})
        except LookupError as error:
            return Response(status=404, body={"error": str(error.args[0]) if error.args else str(error)})

    def _act(self, method: str, action: str, request: Request) -> Any:
        match method, action:
            case "GET", "state":
                return self.stand_in.state()
            case "GET", "faults":
                return self.faults.describe()
            case "PUT", "faults":
                self.faults.replace(read_rules(json.loads(request.body or b"[]")))
                return self.faults.describe()
            case "GET", "log":
                since = int(request.arg("since") or 0)
                with self._lock:
                    return [entry for entry in self._log if entry["n"] > since]
            case "POST", "reset":
                self.forget()
                self.stand_in.control("reset", None)
                self.faults.rewind()
                with self._lock:
                    self._log.clear()
                return {"reset": True}
            case "POST", _ if action.startswith("control/"):
                body = request.json() if request.body.strip() else None
                return self.stand_in.control(action.removeprefix("control/"), body)
        raise LookupError(f"There is no {method} /_sandbox/{action}.")


def _json_or_none(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


Effect = Callable[[Server, Rule, Request, socket.socket], Sent]

MAINTENANCE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body><h1>Back soon</h1></body></html>"


def _status(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    return Sent(response=server.error(rule.status))


def _plain_429(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    direction = "read" if request.method in READS else "write"
    wait = {"Retry-After": str(math.ceil(rule.seconds))}
    return Sent(response=Response(status=429, body=f"short period {direction} limit reached", headers=wait))


def _html(status: int) -> Effect:
    def effect(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
        return Sent(response=Response(status=status, body=MAINTENANCE, content_type="text/html; charset=UTF-8"))

    return effect


def _timeout(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    if rule.executed:
        server.execute(request)
    server.hang(rule.seconds, connection)
    return Sent()


def _drop_before(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    return Sent()


def _drop_after(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    server.execute(request)
    return Sent()


def _truncated(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    return Sent(response=server.execute(request), cut=True)


def _slow(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    server.hang(rule.seconds, connection)
    return Sent(response=server.execute(request))


def _expired_token(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    if isinstance(server.stand_in, IssuesTokens):
        server.stand_in.expire_token(request)
    return Sent(response=server.error(401))


def _error_after(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    server.execute(request)
    return Sent(response=server.error(rule.status))


def _late(server: Server, rule: Rule, request: Request, connection: socket.socket) -> Sent:
    server.execute_later(request, rule.seconds)
    return Sent()


EFFECTS: dict[Kind, Effect] = {
    Kind.STATUS: _status,
    Kind.PLAIN_429: _plain_429,
    Kind.HTML_503: _html(503),
    Kind.HTML_200: _html(200),
    Kind.TIMEOUT: _timeout,
    Kind.DROP_BEFORE: _drop_before,
    Kind.DROP_AFTER: _drop_after,
    Kind.TRUNCATED: _truncated,
    Kind.SLOW: _slow,
    Kind.EXPIRED_TOKEN: _expired_token,
    Kind.ERROR_AFTER: _error_after,
    Kind.LATE: _late,
}


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    server: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.exception("A connection of %s broke", self.server.stand_in.name)


class _Malformed(Exception):
    """What came in is not HTTP."""


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Listener

    def handle(self) -> None:
        server = self.server.server
        server.connections.add(self.connection)
        try:
            while not server.stopping.is_set() and self._one(server):
                pass
        except _Malformed as error:
            self._send(Response(status=400, body={"error": str(error)}), keep=False, head=False, cut=False)
        except OSError:
            pass  # the caller went away; nobody is left to be told
        finally:
            server.connections.discard(self.connection)

    def _one(self, server: Server) -> bool:
        """Read and answer one request; whether the connection stays open."""
        received = _read_head(self.rfile)
        if received is None:
            return False
        method, target, version, headers = received
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        raw_path, _, query = target.partition("?")
        host = headers.get("host") or f"{server.host}:{server.port}"
        request = Request(
            method=method,
            path=unquote(raw_path),
            raw_path=raw_path,
            query=parse_qsl(query, keep_blank_values=True),
            headers=headers,
            body=_read_body(self.rfile, headers),
            url=f"http://{host}{raw_path}",
        )
        sent = server.answer(request, self.connection)
        if sent.response is None:
            return False
        wish = headers.get("connection", "").lower()
        keep = not sent.cut and wish != "close" and (version != "HTTP/1.0" or wish == "keep-alive")
        self._send(sent.response, keep=keep, head=method == "HEAD", cut=sent.cut)
        return keep

    def _send(self, response: Response, *, keep: bool, head: bool, cut: bool) -> None:
        payload, content_type = response.payload()
        phrase = HTTPStatus(response.status).phrase if response.status in _STATUSES else "Unknown"
        lines = {
            "Date": _http_date(),
            "Content-Type": content_type,
            **response.headers,
            "Content-Length": str(len(payload)),
            "Connection": "keep-alive" if keep else "close",
        }
        fields = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        out = f"HTTP/1.1 {response.status} {phrase}\r\n{fields}\r\n".encode("latin-1", "replace")
        self.wfile.write(out if head else out + payload[: len(payload) // 2 if cut else None])


_STATUSES = frozenset(int(status) for status in HTTPStatus)


def _http_date() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())


def _read_head(stream: BufferedIOBase) -> tuple[str, str, str, Headers] | None:
    """The request line and headers; None at the end of the connection."""
    line = stream.readline(LINE_SIZE)
    if line in (b"\r\n", b"\n"):
        line = stream.readline(LINE_SIZE)
    if not line:
        return None
    words = line.decode("latin-1").split()
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise _Malformed("The request line is malformed.")
    pairs: list[tuple[str, str]] = []
    while (line := stream.readline(LINE_SIZE)) not in (b"\r\n", b"\n"):
        if not line:
            return None
        name, colon, value = line.decode("latin-1").partition(":")
        if not colon:
            raise _Malformed("A header line is malformed.")
        pairs.append((name.strip(), value.strip()))
    return words[0], words[1], words[2], Headers(pairs)


def _read_body(stream: BufferedIOBase, headers: Headers) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        chunks = []
        while size := _chunk_size(stream.readline(LINE_SIZE)):
            chunks.append(stream.read(size))
            stream.readline(LINE_SIZE)
        while stream.readline(LINE_SIZE) not in (b"\r\n", b"\n", b""):
            pass  # trailers
        return b"".join(chunks)
    try:
        length = int(headers.get("content-length") or 0)
    except ValueError as error:
        raise _Malformed("Content-Length is not a number.") from error
    body = stream.read(length) if length > 0 else b""
    if len(body) < length:
        raise ConnectionError("The caller went away in the middle of its request.")
    return body


def _chunk_size(line: bytes) -> int:
    try:
        return int(line.split(b";")[0], 16)
    except ValueError as error:
        raise _Malformed("A chunk has no size.") from error
