"""The one door to a remote system, over real sockets."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pytest
import requests

from connector import Account, ConnectorError, InDoubt, Options, RetryLater, StopRun, Unreachable
from connector.client import Client, check_base_url, dumps, encode, kept, loads, packed
from connector.testing import MemoryHost

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A server whose answers a test chooses, one behaviour per request; the last one stays."""

    def __init__(self) -> None:
        self.behaviours: list[Behaviour] = []
        self.seen: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                outer.seen.append(f"{self.command} {self.path}")
                act = outer.behaviours.pop(0) if len(outer.behaviours) > 1 else outer.behaviours[0]
                act(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"


def say(status: int, body: str, **headers: str) -> Behaviour:
    def act(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return act


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def half(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b'{"id": 1, "na')
    hang_up(handler)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def client(url: str, *, allow_private: bool = True) -> Client:
    host = MemoryHost()
    host.sleep = lambda seconds: None  # type: ignore[method-assign]
    return Client(Account(name="erp", base_url=url, settings=Options({}), allow_private=allow_private), host)


def test_numbers_with_a_point_come_back_as_decimals(server: Server) -> None:
    server.behaviours = [say(200, '{"total": 64.9900, "id": 7}')]
    answer = client(server.url).call("GET", "/x")
    assert str(answer.data["total"]) == "64.9900"
    assert dumps({"a": loads("10.50"), "b": loads("3.00")}) == '{"a":10.5,"b":3}'


def test_a_read_is_repeated_and_every_try_is_counted_and_logged(server: Server) -> None:
    server.behaviours = [say(500, "oops"), hang_up, half, say(200, "{}")]
    made = client(server.url)
    made.call("GET", "/x", reference="100")
    assert made.calls["read"] == 4
    assert len(made.host.calls) == 4  # type: ignore[attr-defined]
    assert {one.reference for one in made.host.calls} == {"100"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("trouble", [hang_up, half, say(500, "{}"), say(503, "<html>"), say(200, "<html>")])
def test_a_write_without_a_trustworthy_answer_is_in_doubt_and_not_repeated(server: Server, trouble: Behaviour) -> None:
    server.behaviours = [trouble, say(200, "{}")]
    made = client(server.url)
    with pytest.raises(InDoubt, match="erp"):
        made.call("POST", "/x", body={})
    assert len(server.seen) == 1


def test_a_slow_write_is_in_doubt(server: Server) -> None:
    wait = threading.Event()
    server.behaviours = [lambda handler: wait.wait(5) and None]
    made = client(server.url)
    made.read_seconds = 0.2
    with pytest.raises(InDoubt, match="no answer within"):
        made.call("POST", "/x", body={})
    wait.set()


def test_a_refused_connection_changes_nothing_and_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        made = client(f"http://127.0.0.1:{port}")
        with pytest.raises(Unreachable, match=f"cannot be reached: nothing listens on port {port} there") as caught:
            made.call("POST", "/x", body={})
    assert "Errno" not in str(caught.value)


@pytest.mark.parametrize("allow_private", [True, False])
def test_an_unknown_host_says_its_name(allow_private: bool) -> None:
    with pytest.raises(Unreachable, match=r"the name no-such-host\.invalid is not known \(DNS\)") as caught:
        client("http://no-such-host.invalid", allow_private=allow_private).call("GET", "/x")
    assert "Errno" not in str(caught.value)


def test_tls_where_none_is_spoken_is_said_in_words(server: Server) -> None:
    address = server.url.replace("http:", "https:")
    with pytest.raises(RetryLater, match=r"does not speak TLS on port|the other side closed") as caught:
        client(address).call("GET", "/x", tries=1)
    assert "SSL" not in str(caught.value)


@pytest.mark.parametrize(
    ("trouble", "said"), [(hang_up, "the other side closed the connection"), (half, "ended too early")]
)
def test_a_broken_connection_is_told_in_words(server: Server, trouble: Behaviour, said: str) -> None:
    server.behaviours = [trouble]
    with pytest.raises(RetryLater, match=said) as caught:
        client(server.url).call("GET", "/x", tries=1)
    assert not re.search(r"Error|Exception|Remote end|\(\'|Incomplete", str(caught.value))


def test_every_address_of_a_name_is_tried(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    port = int(server.url.rsplit(":", 1)[1])

    def two(host: str, *rest: Any, **more: Any) -> Any:
        if host != "two.example":
            return real(host, *rest, **more)
        return [*real("127.0.0.9", port, type=socket.SOCK_STREAM), *real("127.0.0.1", port, type=socket.SOCK_STREAM)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    server.behaviours = [say(200, "{}")]
    assert client(f"http://two.example:{port}").call("GET", "/x").data == {}


def test_a_rate_refusal_waits_and_repeats_even_a_write(server: Server) -> None:
    server.behaviours = [say(429, "short period write limit reached", Retry_After="1"), say(200, "{}")]
    made = client(server.url)
    made.call("POST", "/x", body={})
    assert len(server.seen) == 2
    server.behaviours = [say(429, "later", Retry_After="3600")]
    with pytest.raises(RetryLater) as caught:
        made.call("POST", "/x", body={})
    assert caught.value.after == 3600


def test_redirects_are_refused_with_the_address_to_enter(server: Server) -> None:
    server.behaviours = [say(301, "", Location="https://other.example/rest?token=abc")]
    with pytest.raises(StopRun, match=r"https://other\.example/rest") as caught:
        client(server.url).call("POST", "/x", body={})
    assert "abc" not in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1", "http://127.1", "http://[::1]", "http://10.0.0.7", "http://169.254.0.7", "http://localhost",
     "http://0x7f000001", "http://192.168.1.1:8080", "http://[::ffff:10.0.0.1]", "http://0.0.0.0"],
)  # fmt: skip
def test_private_addresses_are_refused_unless_allowed(address: str) -> None:
    with pytest.raises(ValueError, match="private network"):
        check_base_url(address, allow_private=False)
    assert check_base_url(address, allow_private=True)


@pytest.mark.parametrize(
    "address", ["shop.example", "ftp://shop.example", "https://", "https://a:b@shop.example", "http://x:y"]
)
def test_an_address_that_cannot_be_one_is_refused_in_words(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|Address"):
        check_base_url(address, allow_private=True)


def test_a_name_that_turns_private_after_the_check_is_refused_when_connecting(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    port = int(server.url.rsplit(":", 1)[1])
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", port, type=socket.SOCK_STREAM)
    )
    server.behaviours = [say(200, "{}")]
    with pytest.raises(StopRun, match="private network"):
        client(f"http://shop.example:{port}", allow_private=False).call("GET", "/x")
    assert server.seen == []


@pytest.mark.parametrize(
    "address",
    ["http://169.254.169.254", "http://0xa9fea9fe", "http://[fd00:ec2::254]", "http://[::ffff:169.254.169.254]"],
)
def test_the_address_of_a_clouds_credentials_is_refused_whatever_is_allowed(address: str) -> None:
    for allowed in (True, False):
        with pytest.raises(ValueError, match="a cloud hands out this machine's own credentials"):
            check_base_url(address, allow_private=allowed)


def test_a_name_that_leads_to_a_clouds_credentials_is_refused_when_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *rest, **more: real("169.254.169.254", 80, type=socket.SOCK_STREAM)
    )
    with pytest.raises(StopRun, match="a cloud hands out this machine's own credentials"):
        client("http://shop.example", allow_private=True).call("GET", "/x")


def test_a_query_repeats_its_lists_and_leaves_out_what_is_none() -> None:
    assert encode({"with[]": ["a", "b"], "x": None, "y": True, "t": "2026-01-01T00:00:00+02:00 z"}) == (
        "with%5B%5D=a&with%5B%5D=b&y=true&t=2026-01-01T00%3A00%3A00%2B02%3A00%20z"
    )


def test_an_answer_that_is_too_large_ends_the_call(server: Server) -> None:
    server.behaviours = [say(200, "x" * 5000)]
    made = client(server.url)
    made.largest_answer = 1000
    with pytest.raises(StopRun, match="larger"):
        made.call("GET", "/x")


def test_a_dry_client_sends_no_change(server: Server) -> None:
    server.behaviours = [say(200, "{}")]
    made = client(server.url)
    made.dry = lambda method, path, body: {"id": "dry-1"}
    assert made.call("POST", "/orders", body={"a": 1}).data == {"id": "dry-1"}
    assert made.call("GET", "/orders").data == {}
    assert server.seen == ["GET /orders"]
    assert made.planned == [("POST", "/orders", {"a": 1})]


class Steps(Client):
    """Notes in which order things are done around a call."""

    def __init__(self, url: str) -> None:
        super().__init__(Account(name="erp", base_url=url, settings=Options({}), allow_private=True), MemoryHost())
        self.steps: list[str] = []
        self.host.may_write = lambda: self.steps.append("may it?")  # type: ignore[method-assign]
        send = self.transport
        self.transport = lambda *given: (self.steps.append("sent"), send(*given))[1]

    def before(self, write: bool) -> None:
        self.steps.append("waited")

    def authorize(self, request: requests.PreparedRequest) -> None:
        self.steps.append("signed")


def test_whether_a_change_may_be_sent_is_asked_at_the_last_moment_and_anew_for_every_try(server: Server) -> None:
    made = Steps(server.url)
    made.host.sleep = lambda seconds: None  # type: ignore[method-assign]
    server.behaviours = [say(429, "{}", Retry_After="0"), say(200, "{}")]
    made.call("POST", "/orders", body={})
    assert made.steps == ["waited", "signed", "may it?", "sent"] * 2
    made.steps.clear()
    made.call("POST", "/lookup", body={}, write=False)
    made.call("GET", "/orders")
    assert made.steps == ["waited", "signed", "sent"] * 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_run_that_lost_its_place_sends_nothing(server: Server, method: str) -> None:
    def no() -> None:
        raise StopRun("Another run has taken over.")

    server.behaviours = [say(200, "{}")]
    made = client(server.url)
    made.host.may_write = no  # type: ignore[method-assign]
    with pytest.raises(StopRun, match="taken over"):
        made.call(method, "/orders", body={})
    assert (server.seen, dict(made.calls)) == ([], {})


SECRET = 'pl4nted!"ä/x'


@pytest.mark.parametrize("status", [401, 422, 500])
@pytest.mark.parametrize("shape", [SECRET, '"{}"', '{"message": "key {}", "parameters": {"x": ["{}"]}}', "?p={}&q=1"])
def test_a_secret_that_the_server_repeats_is_shown_nowhere(server: Server, status: int, shape: str) -> None:
    account = Account(
        name="erp", base_url=server.url, settings=Options({}), allow_private=True, secrets=(SECRET, "short")
    )
    made = Client(account, MemoryHost())
    made.log_bodies = True
    written = quote(SECRET, "") if shape.startswith("?") else dumps(SECRET)[1:-1]
    server.behaviours = [say(status, shape.replace("{}", written) + " short")]
    with pytest.raises(ConnectorError) as caught:
        made.call("POST", "/login", body={"password": SECRET})
    assert isinstance(made.host, MemoryHost)
    (call,) = made.host.calls
    seen = f"{caught.value} {call}"
    assert not any(form in seen for form in (SECRET, written, quote(SECRET, ""), "pl4nted"))
    assert "short" in seen


def test_a_good_answer_keeps_what_happens_to_look_like_a_secret(server: Server) -> None:
    account = Account(name="erp", base_url=server.url, settings=Options({}), allow_private=True, secrets=("100000001",))
    server.behaviours = [say(200, '{"number": "100000001", "id": 100000001}')]
    assert Client(account, MemoryHost()).call("GET", "/x").data == {"number": "100000001", "id": 100000001}


def test_a_token_that_the_server_repeats_is_hidden_as_well(server: Server) -> None:
    class Signing(Client):
        def authorize(self, request: requests.PreparedRequest) -> None:
            request.headers["Authorization"] = "Bearer t0ken-of-today"

    server.behaviours = [say(403, '{"error": "t0ken-of-today may not"}')]
    made = Signing(Account(name="erp", base_url=server.url, settings=Options({}), allow_private=True), MemoryHost())
    with pytest.raises(StopRun, match="••• may not"):
        made.call("GET", "/x")


@pytest.mark.parametrize("url", ["https://shop example.de", "https://shop.example.de/a\tb", "https://shop\x00.de"])
def test_an_address_with_blanks_or_control_characters_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="blanks or control characters"):
        check_base_url(url, allow_private=True)


def test_half_a_character_stops_no_call(server: Server) -> None:
    server.behaviours = [say(200, "{}")]
    made = client(server.url)
    made.call("POST", "/orders", body={"name": "x\ud800"}, query={"sku": "x\ud800"})
    assert server.seen == ["POST /orders?sku=x%3F"]


@pytest.mark.parametrize("odd", ["x\ud800", 2**70, Decimal("12.30"), {"7": [None, True]}, "Grüße"])
def test_a_payload_is_kept_as_it_was_read(odd: Any) -> None:
    assert loads(kept({"odd": odd})) == {"odd": odd}


@pytest.mark.parametrize("sent", [2**70, Decimal("12.30"), Decimal("3.00"), {7: "a"}, MappingProxyType({"a": 1})])
def test_what_one_encoder_refuses_the_other_one_sends(sent: Any) -> None:
    assert loads(packed({"sent": sent})) == loads(dumps({"sent": sent}))


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_an_amount_without_end_is_not_kept_or_sent_as_none_which_would_be_zero(amount: str) -> None:
    payload = loads(f'{{"amount": {amount}}}')
    assert loads(kept(payload))["amount"].is_finite() is False
    assert b"null" not in packed(payload)


def test_what_cannot_be_sent_as_json_is_named() -> None:
    with pytest.raises(TypeError, match=r"datetime\.date\(2026, 11, 22\) cannot be sent"):
        packed({"at": date(2026, 11, 22)})


def test_head_and_body_of_a_request_leave_as_one_piece() -> None:
    first: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            taken, _ = listening.accept()
            with taken:
                first.append(taken.recv(65536))
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        thread = threading.Thread(target=answer)
        thread.start()
        client(f"http://127.0.0.1:{listening.getsockname()[1]}").call("POST", "/orders", body={"name": "one"})
        thread.join()
    assert first[0].startswith(b"POST /orders HTTP/1.1\r\n")
    assert first[0].endswith(b'\r\n\r\n{"name":"one"}')


def test_what_was_learned_is_settled_before_a_call_waits_for_its_turn(server: Server) -> None:
    made = Steps(server.url)
    made.host.settle = lambda: made.steps.append("settled")  # type: ignore[method-assign]
    server.behaviours = [say(200, "{}")]
    made.call("POST", "/orders", body={})
    made.call("GET", "/orders")
    assert made.steps == ["settled", "waited", "signed", "may it?", "sent", "settled", "waited", "signed", "sent"]


def test_a_connection_is_used_again_until_the_other_side_closes_it(server: Server) -> None:
    ports: list[int] = []

    def note(handler: BaseHTTPRequestHandler) -> None:
        ports.append(handler.client_address[1])
        say(200, "{}", **({"Connection": "close"} if len(ports) == 2 else {}))(handler)

    server.behaviours = [note]
    made = client(server.url)
    for _ in range(4):
        made.call("GET", "/x")
    assert ports[0] == ports[1] != ports[2] == ports[3]


@pytest.mark.parametrize("path", ["/a b", "/ü", "/x?y=<1>"])
def test_a_path_that_needs_quoting_is_quoted(server: Server, path: str) -> None:
    server.behaviours = [say(200, "{}")]
    client(server.url).call("GET", path)
    assert server.seen == [f"GET {quote(path, safe='/?=')}"]


@pytest.mark.parametrize("beside", [1, 2**70])  # which the one encoder writes, or the other
@pytest.mark.parametrize(
    "secret", ['quo"te back\\slash', "ümläut-geheim", "sla/sh/secret", "line\nctl\x01\x7f", "emo😀ji-key"]
)
@pytest.mark.parametrize("php", [True, False])
def test_a_secret_is_hidden_in_logged_bodies_however_json_writes_it(
    server: Server, secret: str, beside: int, php: bool
) -> None:
    said = json.dumps({"password": secret}, ensure_ascii=php)
    server.behaviours = [say(200, said.replace("/", "\\/") if php else said)]
    made = client(server.url)
    made.veil.add(secret)
    made.log_bodies = True
    made.call("POST", "/login", body={"password": secret, "beside": beside})
    [call] = made.host.calls  # type: ignore[attr-defined]
    assert call.request == f'{{"password":"•••","beside":{beside}}}'
    assert call.response == '{"password": "•••"}'
