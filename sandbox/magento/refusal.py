"""How Magento says no: the body with placeholders that the caller has to fill."""

from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.message import Response

MAINTENANCE = (
    "<!DOCTYPE html><html><head><title>503: Service Unavailable</title></head>"
    "<body><h1>Service Temporarily Unavailable</h1></body></html>"
)
GATEWAY_TIMEOUT = (
    "<html><head><title>504 Gateway Time-out</title></head>"
    "<body><center><h1>504 Gateway Time-out</h1></center><hr><center>nginx</center></body></html>"
)
FIREWALL = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head>"
    "<body><h1>Checking your browser before accessing the shop</h1></body></html>"
)

Parameters = Mapping[str, Any] | Sequence[Any]


class Refused(Exception):
    """The call ends here, with this status and message."""

    def __init__(self, status: int, message: str, parameters: Parameters | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message}
        if parameters is not None:
            self.body["parameters"] = parameters
        self.body.update(more)

    def response(self) -> Response:
        return Response(status=self.status, body=self.body)


def html(status: int, text: str) -> Response:
    return Response(status=status, body=text, content_type="text/html; charset=UTF-8")


def no_route() -> Refused:
    return Refused(404, "Request does not match any route.")


def no_entity() -> Refused:
    return Refused(404, "The entity that was requested doesn't exist. Verify the entity and try again.")


def deleted_product() -> Refused:
    return Refused(404, "The requested product does not exist. Please check the product and try again.")


def internal_error(report: str) -> Refused:
    """The masked 500; the report names the entry in the shop's own log."""
    return Refused(500, f"Internal Error. Details are available in Magento log file. Report ID: webapi-{report}")


def required(field: str) -> Refused:
    return Refused(400, '"%fieldName" is required. Enter and try again.', {"fieldName": field})


def not_allowed(resource: str) -> Refused:
    """The same words for a missing right and for missing credentials."""
    return Refused(401, "The consumer isn't authorized to access %resources.", {"resources": resource})
