"""How the head of an answer is read: as the standard library reads it, whatever a server writes."""

from __future__ import annotations

import http.client
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector import sockets
from connector.sockets import FIELD, header_fields, quicker

ORDINARY = (
    b"Content-Type: application/json\r\nContent-Length: 12\r\nX-Plenty-Route-Calls-Left:  77 \r\nSet-Cookie: a=1\r\n"
    b"Set-Cookie: b=2\r\nEmpty:\r\nDate: Sun, 22 Nov 2026 10:00:00 GMT\r\n\r\n"
)
NAMES = st.sampled_from(["Content-Type", "x", "Set-Cookie", "", "From ", "From", "Bad name", "Ünicode", "a:b"])
VALUES = st.text(st.sampled_from(list("a:; \t\r\x0b\x0c\x1c\x85é\0")), max_size=8)
LINES = st.tuples(NAMES, st.sampled_from([":", ": ", " :", "", "\n "]), VALUES, st.sampled_from(["\r\n", "\n"]))


def read(head: bytes) -> http.client.HTTPMessage:
    return header_fields(io.BytesIO(head))


@given(st.lists(LINES, max_size=5), st.sampled_from(["\r\n", "\n", "", "half: a line"]))
@example([("Content-Type", ": ", "multipart/mixed; boundary=x", "\r\n")], "\r\n")
@example([("Folded", ": ", "one", "\r\n"), ("", "", " two", "\r\n")], "\r\n")
def test_any_head_has_the_fields_that_the_standard_library_finds_in_it(
    lines: list[tuple[str, str, str, str]], end: str
) -> None:
    head = ("".join("".join(line) for line in lines) + end).encode("utf-8") + b"body"
    ours, theirs = read(head), http.client.parse_headers(io.BytesIO(head))
    assert ours.items() == theirs.items()
    for name in {*theirs, "absent"}:
        assert ours.get(name.upper(), "-") == theirs.get(name.upper(), "-")
        assert ours.get_all(name) == theirs.get_all(name)


def test_an_ordinary_head_is_read_without_the_library_for_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "Parser", None)
    assert read(ORDINARY).get_all("set-cookie") == ["a=1", "b=2"]
    assert read(ORDINARY)["content-length"] == "12"


def test_what_follows_the_head_is_left_in_the_stream() -> None:
    stream = io.BytesIO(ORDINARY + b'{"id": 1}')
    header_fields(stream)
    assert stream.read() == b'{"id": 1}'


def test_a_field_is_one_line_with_a_name_and_a_colon() -> None:
    assert not FIELD.findall("no colon\r\n a: folded\r\nhalf: a line")


@pytest.mark.parametrize("head", [b"a: b\r\n" * 200, b"a: " + b"b" * 70_000 + b"\r\n\r\n"])
def test_a_head_without_end_is_refused(head: bytes) -> None:
    with pytest.raises(http.client.HTTPException):
        read(head)


def test_a_python_that_reads_heads_in_another_way_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def newer(self: object, *, _max_headers: int | None = None) -> None:
        http.client.parse_headers(self, _max_headers=_max_headers)  # type: ignore[arg-type,call-arg]

    assert quicker(newer) is newer
    usual = http.client.HTTPResponse.begin
    monkeypatch.setattr(http.client, "_read_headers", lambda stream, limit: [])
    assert quicker(usual) is usual
    monkeypatch.delattr(http.client, "_read_headers")
    assert quicker(usual) is usual


@pytest.mark.skipif(http.client.HTTPResponse.begin.__code__.co_kwonlyargcount > 0, reason="reads heads in another way")
def test_an_answer_has_its_fields_from_here() -> None:
    begin = sockets._Response.begin
    assert begin.__globals__["parse_headers"] is header_fields
    assert begin.__code__ is http.client.HTTPResponse.begin.__code__
