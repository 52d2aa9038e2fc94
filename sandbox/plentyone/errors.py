"""The refusals of PlentyONE, in its own words.

Bodies are those of systems/plentyone.md section 5. Statuses that no source records (validation 422, wrong
password 401, unknown record 404) are the presumed ones.
"""

import re
from typing import Any

from sandbox.message import Response


class Refused(Exception):
    """PlentyONE answers with an error instead of a result."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"{response.status} {response.body}")
        self.response = response


def plain(status: int, message: str) -> Refused:
    """An error that is only a message."""
    return Refused(Response(status=status, body={"error": {"message": message}}))


def not_found(model: str, key: object) -> Refused:
    """A record that does not exist; model as in "Order\\Models\\Order"."""
    return plain(404, f"No query results for model [Plenty\\Modules\\{model}] {key}")


def unauthenticated() -> Refused:
    """Token missing, unknown or expired."""
    return Refused(Response(status=401, body=WORDS[401]))


def missing_permission(permission: str) -> Refused:
    """The user lacks a right."""
    label = " » ".join(part.replace("_", " ").capitalize() for part in permission.split("."))
    error = {"message": "This action is unauthorized.", "missing_permissions": {permission: label}}
    return Refused(Response(status=403, body={"error": error}))


WORDS: dict[int, dict[str, Any]] = {
    400: {"error": {"message": "Bad request."}},
    401: {
        "error": "access_denied",
        "message": "The resource owner or authorization server denied the request.",
    },
    403: {"error": {"message": "This action is unauthorized.", "missing_permissions": {}}},
    404: {"error": {"message": "Resource not found."}},
    405: {"error": {"message": "Method not allowed."}},
    422: {"error": {"message": "validation error found"}, "validation_errors": {"data": ["The data is invalid."]}},
    429: {"error": {"message": "Too many requests."}},
    500: {"error": {"message": "Internal Server Error"}},
    503: {"error": {"message": "Service Unavailable"}},
}


def worded(status: int) -> Response:
    """An error status as PlentyONE words it."""
    return Response(status=status, body=WORDS.get(status, {"error": {"message": f"Error {status}"}}))


class Findings:
    """What is wrong with a body, by dotted path; refuses once everything has been looked at."""

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, path: str, sentence: str) -> None:
        """Note a sentence; `{}` in it becomes the path in words, as Laravel does it."""
        self.errors.setdefault(path, []).append(sentence.format(label(path)))

    def refuse(self) -> None:
        """Raise Refused if anything was found."""
        if self.errors:
            body = {"error": {"message": "validation error found"}, "validation_errors": self.errors}
            raise Refused(Response(status=422, body=body))


def label(path: str) -> str:
    """orderItems.1.orderItemName becomes "order items.1.order item name"."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f" {match[1].lower()}", path)


REQUIRED = "The {} field is required."
NOT_TEXT = "The {} must be a string."
NOT_NUMBER = "The {} must be a number."
NOT_WHOLE = "The {} must be an integer."
NOT_LIST = "The {} must be an array."
UNKNOWN = "The selected {} is invalid."
NOT_STRICT = "Not a (strict) numeric value."
