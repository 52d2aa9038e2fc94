"""The HTTP session to one PlentyONE system: signs, keeps the rate, reads errors, pages lists, batches calls."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from connector import Account, Answer, Client, Host, InDoubt, Payload, RetryLater
from connector.client import Query, dumps
from connector.plentyone import answers
from connector.plentyone.answers import Invalid, NotFound, Refused, explain
from connector.plentyone.budget import Budget, Flight
from connector.plentyone.sessions import LOGIN, Session, lost
from connector.plentyone.shapes import rows, same

BATCH = "/rest/batch"
BATCH_LARGEST = 20
REFUSED_SECONDS = 86_400.0  # batches are tried again after so long where there are none
ODD_SECONDS = 600.0  # ... and where one of them answered oddly
PAGE_SIZE = 100
PDF = b"%PDF"
SAYINGS = (
    "",
    "application/json",
    "application/problem+json",
    "text/html",
    "text/plain",
)  # what is no file but an answer
NUMBERED = re.compile(r"/\d+(?=/|$)")


@dataclass(frozen=True)
class Operation:
    """One call inside a batch."""

    method: str
    path: str
    body: Any = None

    def payload(self) -> Payload:
        made: Payload = {"resource": self.path.lstrip("/"), "method": self.method}
        if self.body is not None:
            made["body"] = self.body
        return made


class BatchRefused(Exception):
    """This system takes no batch calls; nothing was executed."""


class PlentyClient(Client):
    """One account's session, for several threads."""

    def __init__(self, account: Account, host: Host) -> None:
        super().__init__(account, host)
        self.session = Session(account, host, self._post_login)
        percent = account.settings.get("reserve_percent")
        self.budget = Budget(host, float(3 if percent is None else percent))
        self._here = threading.local()
        self._traits: dict[str, Any] | None = None

    # what the base asks

    def authorize(self, request: requests.PreparedRequest) -> None:
        if token := getattr(self._here, "token", None):
            request.headers["Authorization"] = f"Bearer {token}"

    def before(self, write: bool) -> None:
        self._here.flight = self._here.side.take(self._here.weight, self._here.route)

    def after(self, answer: Answer, write: bool) -> None:
        flight: Flight | None = self._here.flight
        if flight is None:
            return
        if self._here.weight > 1 and answer.ok:
            self._learn_cost(self._here.side.cost(flight, answer.headers))
        self._here.side.land(flight, answer.headers, self._refusal(answer))
        if self._here.token and answer.status != 401:
            self.session.accepted()

    def _body(self, response: requests.Response) -> str:
        """A file is kept as it is; what stands for it in the data log says how large it is."""
        text = super()._body(response)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_file = getattr(self._here, "awaits_file", False) and response.ok and kind not in SAYINGS
        if not response.content.startswith(PDF) and not is_file:
            return text
        self._here.file = response.content
        return json.dumps({"file": f"{kind or 'a PDF'}, {len(response.content):,} bytes"})

    def judge(self, answer: Answer, write: bool) -> None:
        if answer.status == 401 and self._here.token:
            self.session.refused(self._here.token, f"{answer.method} {answer.path}")
        answers.judge(self.account.name, answer, write)

    def renew(self, answer: Answer) -> bool:
        refused = getattr(self._here, "token", None)
        return refused is not None and self.session.renewed(refused) != refused

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
        here = self._here
        here.token = None if path == LOGIN else self.session.token()
        here.weight = getattr(here, "batch", 1) if path == BATCH else 1
        here.route = f"{method} {NUMBERED.sub('/{id}', path)}"
        here.side = self.budget.side(method not in ("GET", "HEAD"))  # by the method, as PlentyONE counts
        here.flight = None
        try:
            return super()._once(method, path, query, content, write, reference, secret=secret)
        finally:
            if here.flight is not None:
                here.side.land(here.flight, None)

    def _post_login(self, body: Payload) -> Answer:
        """Send the login: never simulated, never on record with its bodies, counted as the write that it is."""
        try:
            return self._once("POST", LOGIN, None, dumps(body).encode(), True, None, secret=True)
        except InDoubt as error:
            raise lost(error) from error

    def _refusal(self, answer: Answer) -> float | None:
        if answer.status != 429 or "concurrent_sessions" in answer.text:
            return None
        after = answers.wait_seconds(answer.headers)
        return answers.RATE_SECONDS if after is None else after

    # verbs of the resources

    def get(self, path: str, query: Query | None = None, reference: str | None = None) -> Any:
        answer = self.call("GET", path, query=query, reference=reference)
        if answer.data is None and self.dry is None:  # "null" is no record and no list, and no proof that there is none
            raise RetryLater(f"{self.account.name}: GET {path} answered with nothing")
        return answer.data

    def find(self, path: str, query: Query | None = None, reference: str | None = None) -> Any:
        """As `get`, None when there is no such record."""
        try:
            return self.get(path, query, reference)
        except NotFound:
            return None

    def file(self, path: str, reference: str | None = None) -> bytes:
        """A file, whatever it is. Raises RetryLater when an answer in words comes in its place."""
        self._here.file, self._here.awaits_file = None, True
        try:
            answer = self.call("GET", path, reference=reference, tries=2)
        finally:
            self._here.awaits_file = False
        found, self._here.file = self._here.file, None
        if not found:
            raise RetryLater(f"{self.account.name}: GET {path} answered without a file: {answer.excerpt(120)}")
        return bytes(found)

    def send(
        self, method: str, path: str, body: Any = None, query: Query | None = None, reference: str | None = None
    ) -> Any:
        """A change. A validation error names each field with the value that was sent."""
        try:
            return self.call(method, path, query=query, body=body, reference=reference).data
        except Invalid as error:
            said = explain(f"{self.account.name}: {method} {path}", error.fields, body)
            raise Invalid(said, error.fields, error.status) from error

    def entries(
        self,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        paged: bool = True,
        most: int | None = None,
        must: bool = False,
        reference: str | None = None,
    ) -> Iterator[Payload]:
        """All rows of a list: an array, or the pages of an envelope to their end, which some systems repeat for ever.

        `paged` False: the list's first page takes no page number. `most` ends after so many pages. `must`: NotFound where
        there is no such list, which is an empty one otherwise.
        """
        page = 1
        seen: list[Payload] | None = None
        while most is None or page <= most:
            asked = {**(query or {})}
            if paged or page > 1:
                asked["page"] = page
            if paged:
                asked.setdefault("itemsPerPage", PAGE_SIZE)
            data = (self.get if must else self.find)(path, asked, reference)
            found = rows(data)
            if not isinstance(data, Mapping):
                yield from found
                return
            if (page > 1 and data.get("page") is not None and not same(data["page"], page)) or found == seen:
                return
            yield from found
            last = data.get("lastPageNumber")
            if not found or data.get("isLastPage") in (True, 1, "1", "true"):
                return
            if last is not None and page >= int(last):
                return
            if last is None and data.get("isLastPage") is None:
                return
            seen = found
            page += 1

    # batches

    def traits(self) -> dict[str, Any]:
        """What was learned of this system: whether it takes batches, what they cost."""
        if self._traits is None:
            self._traits = dict(self.host.state.read("traits") or {})
        return self._traits

    def learn(self, **facts: Any) -> None:
        if self.dry is None and any(self.traits().get(name) != value for name, value in facts.items()):
            self._traits = self.host.state.change("traits", lambda old: {**(old or {}), **facts}) or {}

    def _learn_cost(self, cost: str | None) -> None:
        if cost:
            self.learn(batch_cost=cost)

    @property
    def batches(self) -> bool:
        """Whether batch calls are worth trying."""
        return self.host.now().timestamp() >= float(self.traits().get("no_batches_until") or 0)

    def _avoid_batches(self, seconds: float) -> None:
        self.learn(no_batches_until=round(self.host.now().timestamp() + seconds))

    def batch(self, operations: Sequence[Operation], reference: str | None = None) -> list[Any]:
        """Send up to 20 calls as one; their answers (not yet judged) in the order of the operations.

        Answers are matched by resource and method, not by position alone. Raises BatchRefused when the system takes no
        batches: then nothing was executed. An answer of the wrong shape is in doubt when the batch changes something.
        """
        changes = any(one.method not in ("GET", "HEAD") for one in operations)
        self._here.batch = 1 if self.traits().get("batch_cost") == "one" else len(operations)
        try:
            body = {"payloads": [one.payload() for one in operations]}
            data = self.call("POST", BATCH, body=body, write=changes, reference=reference).data
        except (NotFound, Refused) as error:
            if isinstance(error, NotFound) or error.status in (400, 404, 405, 422, 501):
                self._avoid_batches(REFUSED_SECONDS)
                raise BatchRefused(str(error)) from error
            raise
        finally:
            self._here.batch = 1
        parts = _parts(data)
        matched = _matched(operations, parts)
        if matched is None:
            self._avoid_batches(REFUSED_SECONDS)
            said = f"{self.account.name}: POST {BATCH} answered {len(parts)} parts for {len(operations)} calls"
            if changes:
                raise InDoubt(f"{said}; whether they were executed is not known")
            raise BatchRefused(said)
        return matched

    def part(self, where: str, content: Any) -> Any:
        """One element of a batch's answer, judged. After an odd one, single calls are used for a while."""
        try:
            return answers.judge_part(where, content)
        except InDoubt:
            self._avoid_batches(ODD_SECONDS)
            raise


def _parts(data: Any) -> list[Payload]:
    if isinstance(data, Mapping) and not isinstance(data.get("entries"), list):
        lists = [value for value in data.values() if isinstance(value, list)]
        data = lists[0] if len(lists) == 1 else []
    return rows(data)


def _matched(operations: Sequence[Operation], parts: list[Payload]) -> list[Any] | None:
    """The content of each operation, None when the answer does not fit the question.

    By resource and method; without the query string where that is not repeated; else by position, so that every
    caller also compares what the content says with what it asked.
    """
    if len(parts) != len(operations) or any("content" not in part for part in parts):
        return None
    for bare in (False, True):
        waiting: dict[tuple[str, str], list[Any]] = {}
        for part in parts:
            waiting.setdefault(_name(part.get("method"), part.get("resource"), bare), []).append(part["content"])
        wanted = [_name(one.method, one.path, bare) for one in operations]
        if all(len(waiting.get(name, [])) == wanted.count(name) for name in wanted):
            return [waiting[name].pop(0) for name in wanted]
    return [part["content"] for part in parts]


def _name(method: Any, resource: Any, bare: bool) -> tuple[str, str]:
    text = str(resource or "").strip("/")
    return str(method or "").upper(), text.split("?")[0] if bare else text
