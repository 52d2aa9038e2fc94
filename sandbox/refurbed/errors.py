"""The refusals of the API: google.rpc.Status as JSON, with the HTTP status that gRPC gateways give each code.

The contract names the codes of each call; neither the wording nor the HTTP statuses are recorded anywhere.
"""

from typing import Any

from sandbox.message import Response

OK = 0
INVALID_ARGUMENT = 3
NOT_FOUND = 5
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
UNAUTHENTICATED = 16

HTTP = {
    INVALID_ARGUMENT: 400,
    NOT_FOUND: 404,
    PERMISSION_DENIED: 403,
    RESOURCE_EXHAUSTED: 429,
    FAILED_PRECONDITION: 400,
    UNIMPLEMENTED: 501,
    INTERNAL: 500,
    UNAVAILABLE: 503,
    UNAUTHENTICATED: 401,
}
CODES = {**{status: code for code, status in HTTP.items()}, 400: INVALID_ARGUMENT, 504: 4, 409: 6}


class Refused(Exception):
    """The API answers with an error; within a batch, only this entry does."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> dict[str, Any]:
        return status(self.code, self.message)

    @property
    def response(self) -> Response:
        return Response(status=HTTP.get(self.code, 500), body=self.status)


def status(code: int = OK, message: str = "") -> dict[str, Any]:
    """A google.rpc.Status."""
    return {"code": code, "message": message, "details": []}


def invalid(message: str) -> Refused:
    return Refused(INVALID_ARGUMENT, message)


def not_found(what: str, key: object) -> Refused:
    return Refused(NOT_FOUND, f"{what} {key} not found")


def precondition(message: str) -> Refused:
    return Refused(FAILED_PRECONDITION, message)


def worded(http_status: int) -> Response:
    """An HTTP error status as the API words it."""
    code = CODES.get(http_status, INTERNAL if http_status >= 500 else INVALID_ARGUMENT)
    return Response(status=http_status, body=status(code, f"error {http_status}"))
