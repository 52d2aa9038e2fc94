"""What an answer of PlentyONE means, in our errors. The body decides first, the HTTP status second.

Shapes: a validation error has `validation_errors` with dotted field paths; `error` is an object, a text or absent;
a rate refusal is plain text or JSON; maintenance is an HTML page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from connector import AccessDenied, Answer, InDoubt, RecordFailed, RetryLater
from connector.client import loads

SESSIONS_SECONDS = 120.0  # how long to leave a system alone that has too many sessions
RATE_SECONDS = 20.0  # after a rate refusal that says nothing about when
LIMIT_TEXT = re.compile(r"\b(short|long)[ _]period\b.{0,20}\blimit\b|too many (requests|attempts|calls)", re.IGNORECASE)
SHORT = "X-Plenty-Global-Short-Period"
ROUTE = "X-Plenty-Route"


class NotFound(RecordFailed):
    """The record or the route does not exist."""


class Refused(RecordFailed):
    """PlentyONE refused the call and did nothing; `status` is the HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Invalid(Refused):
    """Validation errors: `fields` maps the dotted path of each field to sentences."""

    def __init__(self, message: str, fields: Mapping[str, list[str]], status: int = 0) -> None:
        super().__init__(message, status)
        self.fields = dict(fields)


def explain(where: str, fields: Mapping[str, list[str]], body: Any = None) -> str:
    """The validation errors in one sentence, each with the value that was sent."""
    told = []
    for path, sentences in fields.items():
        sent = _sent(body, path)
        told.append(f"{path}: {' '.join(sentences)}" + ("" if sent is None else f" (sent: {sent!r})"))
    return f"{where} was refused: {'; '.join(told)}"


def _sent(body: Any, path: str) -> Any:
    for part in path.split("."):
        if isinstance(body, Mapping) and part in body:
            body = body[part]
        elif isinstance(body, list) and part.isdigit() and int(part) < len(body):
            body = body[int(part)]
        else:
            return None
    return body if isinstance(body, str | int | float) else str(body) if body is not None else None


def validation(data: Any) -> dict[str, list[str]]:
    """The validation errors of a body, empty when it has none."""
    found = data.get("validation_errors") if isinstance(data, Mapping) else None
    if isinstance(found, Mapping):
        return {
            str(path): [str(one) for one in (said if isinstance(said, list) else [said])]
            for path, said in found.items()
        }
    if isinstance(found, list):
        return {"request": [str(one) for one in found]} if found else {}
    return {"request": [str(found)]} if found else {}


def complaint(data: Any) -> str | None:
    """The text of `error`, wherever it stands; None when the body is no complaint."""
    if not isinstance(data, Mapping) or not data.get("error"):
        return None
    error = data["error"]
    if isinstance(error, Mapping):
        return str(error.get("message") or error.get("code") or "error without a message")
    said = data.get("message")
    return f"{error}: {said}" if said else str(error)


def missing_rights(data: Any) -> dict[str, str]:
    error = data.get("error") if isinstance(data, Mapping) else None
    found = error.get("missing_permissions") if isinstance(error, Mapping) else None
    if isinstance(found, Mapping):
        return {str(right): str(label) for right, label in found.items()}
    return {str(right): str(right) for right in found} if isinstance(found, list) else {}


def in_words(rights: Mapping[str, str]) -> str:
    return ", ".join(f"{label} ({code})" if label and label != code else code for code, label in rights.items())


def wait_seconds(headers: Mapping[str, str]) -> float | None:
    """How long a refusal asks to wait: Retry-After, else the decay of the window that is used up."""
    names = ["Retry-After"]
    names += [f"{prefix}-Decay" for prefix in (ROUTE, SHORT) if headers.get(f"{prefix}-Calls-Left", "").strip() == "0"]
    for name in [*names, f"{SHORT}-Decay"]:
        try:
            return max(0.0, float(headers.get(name) or ""))
        except ValueError:
            continue
    return None


def is_rate_text(text: str) -> bool:
    return len(text) < 2000 and LIMIT_TEXT.search(text) is not None


def judge_body(where: str, data: Any, text: str, status: int) -> None:
    """Raise what the body alone makes certain; return when it leaves the question open."""
    if fields := validation(data):
        raise Invalid(explain(where, fields), fields, status)
    if rights := missing_rights(data):
        raise AccessDenied(
            f"{where} was refused: the REST user lacks the right {in_words(rights)}. "
            "Grant it in PlentyONE under Setup » Settings » User » Rights » User."
        )
    said = complaint(data)
    if said and "too_many_concurrent_sessions" in said:
        raise RetryLater(f"{where} was refused: {said}", after=SESSIONS_SECONDS)
    if status == 429 or (status != 200 and is_rate_text(text)):
        return
    if said and re.search(r"no query results|resource not found", said, re.IGNORECASE):
        raise NotFound(f"{where}: {said}")


def judge(name: str, answer: Answer, write: bool) -> None:
    """Raise the error that this answer means; return when it is good."""
    where = f"{name}: {answer.method} {answer.path}"
    judge_body(where, answer.data, answer.text, answer.status)
    said = complaint(answer.data)
    status = answer.status
    if status == 429 or (not answer.is_json and is_rate_text(answer.text)):
        after = wait_seconds(answer.headers)
        raise RetryLater(
            f"{where} was refused: {said or answer.excerpt(80) or 'too many calls'}",
            after=RATE_SECONDS if after is None else after,
        )
    if answer.ok and not said:
        if answer.is_json or status == 204:
            return
        told = f"{where} answered {status} with something that is not JSON: {answer.excerpt(120) or 'nothing at all'}"
        raise InDoubt(f"{told}; whether the change was made is not known") if write else RetryLater(told)
    if status >= 500:
        told = f"{where} answered {status}: {said or answer.excerpt(200) or 'nothing'}"
        raise InDoubt(f"{told}; whether the change was made is not known") if write else RetryLater(told)
    if status == 401:
        raise AccessDenied(f"{where}: the login is not accepted ({said or answer.excerpt(120)}).")
    if status == 403:
        raise AccessDenied(f"{where} was refused: {said or answer.excerpt(120)}. Check the rights of the REST user.")
    if status == 404:
        raise NotFound(f"{where} does not exist: {said or answer.excerpt(120)}")
    if said and re.search(r"unauthori[sz]ed", said, re.IGNORECASE):
        raise AccessDenied(f"{where} was refused: {said}. Check the rights of the REST user.")
    raise Refused(f"{where} was refused with {status}: {said or answer.excerpt(200)}", status)


def judge_part(where: str, content: Any) -> Any:
    """One element of a batch answer: its decoded content when it is good. It has no status, so its shape decides."""
    text = content if isinstance(content, str) else ""
    data = content
    if isinstance(content, str):
        try:
            data = loads(content)
        except ValueError:
            data = None
    if data is None:
        if is_rate_text(text):
            raise RetryLater(f"{where} was refused: {text[:80]}", after=RATE_SECONDS)
        raise InDoubt(f"{where} answered something that is not JSON: {text[:120] or 'nothing'}")
    judge_body(where, data, text, 0)
    if said := complaint(data):
        if is_rate_text(said):
            raise RetryLater(f"{where} was refused: {said}", after=RATE_SECONDS)
        if re.search(r"unauthori[sz]ed", said, re.IGNORECASE):
            raise AccessDenied(f"{where} was refused: {said}. Check the rights of the REST user.")
        raise InDoubt(f"{where} answered: {said}; whether the change was made is not known")
    return data
