"""Every address and every form is given nonsense and malice: no fault, no trace, no script that comes back.

The suite tries a part of it. `CONNECTOR_FUZZ=50000 pytest -s -p no:xdist tests/admin/test_fuzz.py` goes on for long;
`CONNECTOR_FUZZ_SEED=<the printed number>` does the same again.
"""

from __future__ import annotations

import logging
import os
import random
import re
import sqlite3
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st
from werkzeug.routing import Rule

from tests.admin.conftest import HOSTILE, Browser, Seeded
from tests.admin.test_login import addresses

EXAMPLES = int(os.environ.get("CONNECTOR_FUZZ", "400"))
SEED = int(os.environ.get("CONNECTOR_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
ADMIN = Path(__file__).parents[2] / "admin"
LEFT_ALONE = {"static", "login.out"}

MALICE = (
    HOSTILE, "</textarea><script>alert(2)</script>", "<svg onload=alert(3)>", "javascript:alert(4)", "{{7*7}}",
    "${7*7}", "' OR 1=1 --", '"; DROP TABLE users; --', "%", "_", "\\", "\x00", "a\x00b", "\r\nSet-Cookie: x=1",
    "\ud800", "\ufffe", "٣", "²", "½", "𝟙", "-1", "0", "1", "2147483648", "9223372036854775807",
    "9223372036854775808", "9" * 40, "9" * 5000, "1e999", "NaN", "-Infinity", "0x10", "1_000",
    "=cmd|' /C calc'!A0", "+1", "@SUM(A1)", "//evil.example", "/\\evil.example", "https://evil.example/",
    "http://169.254.169.254/latest", "file:///etc/passwd", "../../etc/passwd", "env:PATH", "2026-02-30",
    "2026-11-21", "0000-00-00", "9999-12-31", "2026-11-21T25:61", "1.1.1970", "* * * * *", "*/0 * * * *",
    "60 24 31 2 8", "0 0 31 2 *", "Europe/Berlin", "Mars/Olympus", "../etc/localtime", "[" * 3000,
    '{"a":' * 500, "- &a [*a]", "!!python/object:x []", "profiles:\n  - name: A\n    entity: order\n",
    "profiles: 5", "connections: [{}]", "a: b: c", "x" * 20000, "ß" * 300, "🛒" * 50, "e\u0301" * 20,
    "\u202eabc", "", " ", "true", "null", "yes", "no", "on", "all", "asc", "-created_at", "anna", "Orders DE",
)  # fmt: skip
SAID = re.compile(r"request\.(?:args|form|values|files)\.get(?:list)?\(\s*\"([^\"]+)\"|(?:args|form)\[\"([^\"]+)\"\]")
DRAWN = re.compile(r"name=\"([A-Za-z_][\w.\-\[\]]*)\"")


def names() -> list[str]:
    """Every name that a page asks for or draws."""
    found = {"page", "after", "before", "sort", "scope", "q", "next", "csrf_token[]", "a[]", "a[b]", "__proto__", ""}
    for file in ADMIN.rglob("*.py"):
        found |= {one or other for one, other in SAID.findall(file.read_text())}
    for file in ADMIN.rglob("*.html"):
        found |= set(DRAWN.findall(file.read_text()))
    return sorted(found - {"csrf_token"})


TEXTS = st.one_of(st.sampled_from(MALICE), st.text(max_size=40), st.integers().map(str), st.floats().map(str))
NAMED = st.one_of(st.sampled_from(names()), st.text(max_size=10))
VALUES = st.dictionaries(NAMED, st.lists(TEXTS, min_size=1, max_size=3), max_size=6)
NUMBERS = st.one_of(st.sampled_from([0, 1, 2, 3, 5, 12, 99999, 2**31, 2**63 - 1, 2**63, 10**30]), st.integers(0, 10**6))


class Forms(HTMLParser):
    """What a browser would send for each form of a page, by the path that it goes to."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.found: dict[str, list[tuple[str, str]]] = {}
        self.address, self.inside = address, None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = urlsplit(of.get("action") or self.address).path
            self.found.setdefault(self.inside, [])
        elif self.inside and of.get("name") and tag in ("input", "select", "textarea", "button"):
            self.found[self.inside].append((of["name"], of.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = None


@dataclass
class World:
    """A host as anna sees it, which is put back as it was after each example."""

    app: Flask
    client: FlaskClient
    file: Path
    known: dict[str, Any]
    rules: dict[str, list[Rule]]
    token: str = ""
    cookie: str = ""
    kept: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", check_same_thread=False))
    forms: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    raised: list[str] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("world")

    def restore(self) -> None:
        with sqlite3.connect(self.file, timeout=10) as target:
            self.kept.backup(target)
        target.close()
        for name in ("connector", "language"):
            self.client.delete_cookie(name)
        self.client.set_cookie("connector", self.cookie)

    def send(self, address: str, told: str, sent: list[str], **request: Any) -> None:
        self.raised.clear()
        answer = self.client.open(address, **request)
        body = answer.get_data(as_text=True)
        self.answers[f"{request['method']} {answer.status_code}"] += 1
        note(f"{request['method']} {told} answers {answer.status_code}; CONNECTOR_FUZZ_SEED={SEED}")
        assert answer.status_code < 500, f"{told}\n{self.raised[0] if self.raised else body[:300]}"
        assert "Traceback (most recent call last)" not in body
        assert "werkzeug" not in body.lower()
        if answer.mimetype == "text/html":
            for text in sent:
                assert not re.search("<(script|img|svg)", text) or text not in body, f"{told} gives a script back"
        else:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        there = answer.headers.get("Location", "/")
        assert re.match(r"/(?![/\\])", there), f"{told} leads away, to {there!r}"


@pytest.fixture
def world(app: Flask, anna: Browser, seeded: Seeded, tmp_path: Path) -> Iterator[World]:
    rules: dict[str, list[Rule]] = defaultdict(list)
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in LEFT_ALONE:
            for method in {"GET", "POST"} & (rule.methods or set()):
                rules[method].append(rule)
    made = World(app=app, client=anna.client, file=tmp_path / "pages.db", known={}, rules=rules)
    made.known = {
        "profile_id": seeded.profile, "connection_id": seeded.shop, "record_id": seeded.failed, "task_id": seeded.task,
        "call_id": seeded.call, "user_id": 2, "line_id": 1,
    }  # fmt: skip
    made.token = anna.token("/users/add")
    cookie = anna.client.get_cookie("connector")
    assert cookie
    made.cookie = cookie.value
    for _endpoint, address in addresses(app, seeded, "GET"):
        answer = anna.get(address)
        if answer.mimetype == "text/html":
            reader = Forms(address)
            reader.feed(answer.get_data(as_text=True))
            made.forms.update(reader.found)

    class Faults(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                made.raised.append("".join(traceback.format_exception(*record.exc_info, limit=-4)))

    faults, log = Faults(), logging.getLogger("admin.views.errors")
    with sqlite3.connect(made.file) as source:
        source.backup(made.kept)
    source.close()
    made.restore()
    log.addHandler(faults)
    print(f"CONNECTOR_FUZZ_SEED={SEED}")
    yield made
    log.removeHandler(faults)
    print(dict(sorted(made.answers.items())), "with", len(made.forms), "forms")


def some(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))


def address_of(world: World, data: st.DataObject, method: str) -> str:
    rule = data.draw(st.sampled_from(world.rules[method]))
    strange = data.draw(st.integers(0, 3)) == 0
    values: dict[str, Any] = {name: world.known.get(name, 1) for name in rule.arguments}
    if strange:
        for name in values:
            values[name] = data.draw(NUMBERS)
    with world.app.test_request_context():
        return url_for(rule.endpoint, **values)


@pytest.fixture(autouse=True)
def nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """No example starts work that goes on after it."""
    import admin.rehearsal

    monkeypatch.setattr(admin.rehearsal, "_begin", lambda *_any, **_more: None, raising=False)


@seed(SEED)
@some(EXAMPLES)
@given(data=st.data(), query=VALUES)
def test_no_address_and_no_query_leads_to_a_fault_or_gives_a_script_back(
    world: World, data: st.DataObject, query: dict[str, list[str]]
) -> None:
    address = address_of(world, data, "GET")
    clean = {name: [text.encode("utf-8", "replace") for text in texts] for name, texts in query.items()}
    sent = [text for texts in query.values() for text in texts]
    world.send(address, f"{address} {query!r:.600}", sent, method="GET", query_string=clean_names(clean))


@seed(SEED)
@some(EXAMPLES)
@given(data=st.data(), given_form=VALUES, as_json=st.integers(0, 15))
def test_no_form_leads_to_a_fault_or_gives_a_script_back(
    world: World, data: st.DataObject, given_form: dict[str, list[str]], as_json: int
) -> None:
    """Mostly what the page's own form would send with a few fields changed, sometimes anything at all."""
    address = address_of(world, data, "POST")
    form: dict[str, Any] = {}
    drawn = world.forms.get(address, [])
    if drawn and data.draw(st.booleans()):
        for name, text in drawn:
            form.setdefault(name, []).append(text)
        for name in data.draw(st.lists(st.sampled_from(sorted(form)), max_size=3)):
            form[name] = data.draw(st.lists(TEXTS, max_size=3))
    form.update(given_form)
    sent = [text for texts in form.values() for text in texts]
    told = f"{address} {form!r:.900}"
    request: dict[str, Any] = {"method": "POST", "headers": {"X-CSRFToken": world.token}}
    if as_json == 0:
        request["json"] = {name: texts for name, texts in given_form.items() if not broken(name + "".join(texts))}
    else:
        form["csrf_token"] = [world.token]
        request["data"] = clean_names({name: [safe(text) for text in texts] for name, texts in form.items()})
        if as_json == 1:
            request["data"]["file"] = (BytesIO(safe(sent[0] if sent else "").encode()), "x.yaml")
    try:
        world.send(address, told, sent, **request)
    finally:
        world.restore()


def broken(text: str) -> bool:
    return text != text.encode("utf-8", "replace").decode()


def safe(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def clean_names(values: dict[str, Any]) -> dict[str, Any]:
    return {safe(name): texts for name, texts in values.items()}
