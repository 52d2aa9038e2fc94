"""Connections to addresses that were checked, and how their answers begin: what `Client` sends through.

It is requests' own adapter with its pools; only how a socket is opened and how header fields are read differ.
"""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
from email.parser import Parser
from functools import cache
from http.client import HTTPMessage
from types import FunctionType
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.util import connection as sockets

from connector.errors import StopRun

METADATA = ("169.254.169.254", "fd00:ec2::254")  # of clouds: they hand out the machine's own credentials
FIELD = re.compile(r"^([!-9;-~]+):[ \t]*([^\r\n]*)\r?\n", re.MULTILINE)


def refuse_address(address: str, host: str, *, allow_private: bool) -> None:
    """Raise ValueError with a sentence when this address must not be reached."""
    ip = ipaddress.ip_address(address.split("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    named = host if host == address else f"{host} ({address})"
    if str(ip) in METADATA:
        said = f"{named} is the address at which a cloud hands out this machine's own credentials. It is never called."
        raise ValueError(said)
    if not allow_private and (not ip.is_global or ip.is_multicast):
        said = (
            f"{named} is an address in a private network. "
            "Set CONNECTOR_ALLOW_PRIVATE=1 where systems in the own network are meant to be reached."
        )
        raise ValueError(said)


class PrivateAddress(StopRun):
    """A name resolved to an address that must not be reached when the connection was opened."""


def _guarded_socket(connection: HTTPConnection, allow_private: bool) -> socket.socket:
    """To the first address that answers; what is checked and what is used are the same."""
    host = connection._dns_host
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NewConnectionError(connection, f"the name {host} cannot be resolved") from error
    for *_, address in found:
        try:
            refuse_address(str(address[0]), host, allow_private=allow_private)
        except ValueError as error:
            raise PrivateAddress(str(error)) from error
    trouble: OSError | None = None
    for *_, address in found:
        try:
            return sockets.create_connection(
                (str(address[0]), connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            trouble = error
    raise NewConnectionError(connection, f"cannot connect to {host}") from trouble


class _Head(HTTPMessage):
    """The fields of a head: the library's own kind, of which each question looks through all of them."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__()
        self._headers = fields
        self._first = {name.lower(): value for name, value in reversed(fields)}

    def get(self, name: str, failobj: Any = None) -> Any:
        return self._first.get(name.lower(), failobj)

    def items(self) -> list[tuple[str, Any]]:
        return list(self._headers)


def header_fields(stream: Any) -> HTTPMessage:
    """As `http.client.parse_headers`, which reads every head as an e-mail, which cost a tenth of a run's CPU. A head in
    which each field has a line of its own, as all servers write it, is read by one expression; any other as ever.
    Raises HTTPException for a head without end."""
    lines = http.client._read_headers(stream)  # type: ignore[attr-defined]
    text = b"".join(lines).decode("iso-8859-1")
    fields = FIELD.findall(text)
    if len(fields) != len(lines) - 1:  # the last line is the empty one
        return Parser(_class=HTTPMessage).parsestr(text)
    return _Head(fields)


def quicker(begin: Any) -> Any:
    """`begin` of the library's answer, which asks a global name for the fields: another one here. Where it, or what reads
    the lines, takes more arguments, as from Python 3.15 on, it is left alone: its lines end otherwise."""
    code, lines = begin.__code__, getattr(http.client, "_read_headers", None)
    known = code.co_argcount == 1 and not code.co_kwonlyargcount and "parse_headers" in code.co_names
    if not known or lines is None or lines.__code__.co_argcount != 1:
        return begin
    return FunctionType(code, {**begin.__globals__, "parse_headers": header_fields})


class _Response(http.client.HTTPResponse):
    """The library's own answer, whose head is read by `header_fields`."""

    begin = quicker(http.client.HTTPResponse.begin)


class _Guarded(HTTPConnection):
    """To checked addresses only; a request leaves as one piece, where the library would send head and body apart."""

    allow_private = False
    response_class = _Response
    _pieces: list[bytes] | None = None

    def _new_conn(self) -> socket.socket:
        return _guarded_socket(self, self.allow_private)

    def request(self, *args: Any, **kwargs: Any) -> None:
        pieces: list[bytes] = []
        self._pieces = pieces
        try:
            super().request(*args, **kwargs)
        finally:
            self._pieces = None
        self.send(b"".join(pieces))

    def send(self, data: Any) -> None:
        if self._pieces is None:
            super().send(data)
        else:
            self._pieces.append(data)


@cache
def _pools(allow: bool) -> dict[str, type[HTTPConnectionPool]]:
    """By scheme; `allow`: addresses in private networks may be reached."""

    class Plain(_Guarded):
        allow_private = allow

    class Secure(_Guarded, HTTPSConnection):
        allow_private = allow

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class Adapter(HTTPAdapter):
    """requests' own adapter, which connects to checked addresses only."""

    def __init__(self, allow_private: bool, size: int) -> None:
        self.allow_private = allow_private
        super().__init__(pool_connections=2, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        manager: PoolManager = self.poolmanager
        manager.pool_classes_by_scheme = _pools(self.allow_private)
