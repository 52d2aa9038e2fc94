"""What refurbed's answers mean, in our errors.

The body decides first: a refusal is a google.rpc.Status, `{"code", "message", "details"}`, whose code is the same in a
whole answer and in one entry of a batch. The HTTP status decides only where the body is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from connector import AccessDenied, Answer, ConnectorError, InDoubt, RecordFailed, RetryLater, StopRun

OK, INVALID, NOT_FOUND, EXISTS, DENIED, EXHAUSTED, PRECONDITION = 0, 3, 5, 6, 7, 8, 9
OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED = 11, 12, 16
REFUSAL_SECONDS = 1.1  # after a refused call that does not say when: the window is a second long
CODES = {401: UNAUTHENTICATED, 429: EXHAUSTED}  # of a body that says nothing


class TokenRefused(AccessDenied):
    """The token itself is not taken: wrong, voided, or expired."""


class Refused(RecordFailed):
    """refurbed refused the call and did nothing; `code` is its gRPC code, `said` its own words."""

    def __init__(self, message: str, *, code: int, said: str) -> None:
        super().__init__(message)
        self.code = code
        self.said = said


class NotFound(Refused):
    """There is no such order, item or invoice, or it is not this merchant's."""


def status(data: Any) -> tuple[int, str] | None:
    """Code and words of a google.rpc.Status; None when it is something else."""
    if not isinstance(data, Mapping) or not set(data) <= {"code", "message", "details"}:
        return None
    code, said = data.get("code", OK if "message" in data or "details" in data else None), data.get("message") or ""
    return (code, str(said)) if isinstance(code, int) and not isinstance(code, bool) else None


def meaning(where: str, code: int, said: str, write: bool, *, after: float | None = None) -> ConnectorError | None:
    """The error that a status stands for, None when all is well."""
    told = f"{where} was refused: {said or f'code {code}'}"
    if code == OK:
        return None
    if code == UNAUTHENTICATED:
        text = (
            f"{where} was refused: the token is wrong or has expired ({said or 'not accepted'}). refurbed voids a token "
            "that was not used for two months. Request a new one at supplier.refurbed.com/api-token-request and enter it "
            "in the connection."
        )
        return TokenRefused(text)
    if code == DENIED:
        return AccessDenied(f"{where} was refused: the token lacks the right for this call ({said or 'denied'}).")
    if code == EXHAUSTED:
        return RetryLater(f"{where} was refused: too many calls", after=REFUSAL_SECONDS if after is None else after)
    if code == NOT_FOUND:
        text = f"{where} does not find it: {said or 'not found'}"
        return NotFound(text, code=code, said=said)
    if code in (INVALID, EXISTS, PRECONDITION, OUT_OF_RANGE):
        return Refused(told, code=code, said=said)
    if code == UNIMPLEMENTED:
        return StopRun(f"{told}. Is the address of the connection that of refurbed's merchant API?")
    text = f"{where} failed: {said or f'code {code}'}"
    return InDoubt(f"{text}; whether the change was made is not known") if write else RetryLater(text)


def judge(name: str, answer: Answer, write: bool) -> None:
    """Raise the error that this answer means; return when it is good."""
    where = f"{name}: {answer.path.rsplit('.', 1)[-1]}"
    found = status(answer.data)
    if found is None and not answer.ok and answer.status in CODES:
        found = (CODES[answer.status], answer.excerpt(120))
    if found is not None and (found[0] != OK or not answer.ok):
        error = meaning(where, found[0] or 2, found[1], write, after=wait(answer))
        if error is not None:
            raise error
    if answer.ok and isinstance(answer.data, Mapping):
        return
    said = f"{where} answered {answer.status} with something that is not refurbed's: {answer.excerpt(120) or 'nothing'}"
    if answer.ok or answer.status >= 500:
        raise InDoubt(f"{said}; whether the change was made is not known") if write else RetryLater(said)
    raise StopRun(f"{said}. Enter the address of refurbed's merchant API, https://api.refurbed.com.")


def complaint(data: Any) -> str | None:
    """refurbed's own words against a call, or against single entries of a batch, which answers 200 all the same."""
    found = status(data)
    if found is not None:
        return None if found[0] == OK else found[1] or f"code {found[0]}"
    results = data.get("results") if isinstance(data, Mapping) else None
    if not isinstance(results, list):
        return None
    each = [status(one.get("status") or {}) if isinstance(one, Mapping) else None for one in results]
    said = [f"entry {at}: {one[1] or f'code {one[0]}'}" for at, one in enumerate(each, 1) if one and one[0] != OK]
    return "; ".join(said) or None


def wait(answer: Answer) -> float | None:
    """Seconds until a refused call may be repeated: Retry-After, else the end of the window by refurbed's own clock."""
    try:
        return max(0.0, float(answer.headers.get("Retry-After") or ""))
    except ValueError:
        pass
    left = until_reset(answer.headers)
    return None if left is None else max(REFUSAL_SECONDS, left)


def until_reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until X-RateLimit-Reset, which is a unix time of refurbed's clock; None where the answer does not say."""
    try:
        ends = float(headers.get("X-RateLimit-Reset") or "")
        now = parsedate_to_datetime(headers.get("Date") or "").timestamp()
    except (ValueError, TypeError):
        return None
    return max(0.0, ends - now)
