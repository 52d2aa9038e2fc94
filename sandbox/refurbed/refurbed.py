"""The stand-in of refurbed's merchant API: the calls of one merchant, over HTTP as JSON."""

import copy
import threading
from dataclasses import replace
from email.utils import format_datetime
from typing import Any

from sandbox.message import BadJson, Request, Response, to_json
from sandbox.refurbed import invoices, items, orders, refunds, returns
from sandbox.refurbed.access import Access, exhausted
from sandbox.refurbed.controls import ACTIONS
from sandbox.refurbed.errors import NOT_FOUND, UNIMPLEMENTED, Refused, invalid, worded
from sandbox.refurbed.made_up import articles, fill
from sandbox.refurbed.marketplace import Marketplace, Settings
from sandbox.refurbed.shapes import read
from sandbox.refurbed.shown import utc, without_empty
from sandbox.refurbed.summary import summary

PREFIX = "/refb.merchant.v1."
CALLS: dict[str, tuple[Any, Any]] = {
    PREFIX + name: call
    for theme in (orders, items, refunds, invoices, returns)
    for name, call in theme.TABLE.items()
}  # fmt: skip


class Refurbed:
    """One merchant behind its API."""

    name = "refurbed"

    def __init__(self, settings: Settings, count: int = 0, seed: int = 0) -> None:
        self._lock = threading.RLock()
        self._start = (settings, count, seed)
        self._begin()

    def _begin(self) -> None:
        settings, count, seed = self._start
        self.market = Marketplace(replace(settings))
        fill(self.market, count, seed)
        self.access = Access(self.market)

    def skus(self) -> list[tuple[str, str]]:
        """The articles that are ordered here, as (SKU, name)."""
        return articles()

    def handle(self, request: Request) -> Response:
        """Answer one call, dated by the marketplace's clock; written under the lock, so that no other call changes it."""
        with self._lock:
            headers = {"Date": format_datetime(self.market.now.replace(microsecond=0), usegmt=True)}
            try:
                if request.path.startswith(invoices.FILES):
                    return invoices.download(self.market, request)
                limits, over = self.access.count()
                headers |= limits
                response = self._answer(request, over)
            except Refused as refused:
                self.market.refusals[refused.code] += 1
                response = refused.response
            response.headers |= headers
            response.body, response.content_type = to_json(response.body), "application/json"
            return response

    def _answer(self, request: Request, over: bool) -> Response:
        if over:
            raise exhausted()
        self.access.check(request)
        if not request.path.startswith(PREFIX):
            raise Refused(NOT_FOUND, "not found")
        if request.method != "POST" or request.path not in CALLS:
            raise Refused(UNIMPLEMENTED, f"{request.method} {request.path} is not implemented")
        shape, call = CALLS[request.path]
        found = call(self.market, read(shape, self._sent(request), "", lambda field: self._ignore(request, field)))
        if isinstance(url := found.get("url"), str) and url.startswith("/"):
            found["url"] = f"http://{request.headers.get('host', 'localhost')}{url}"
        return Response(body=without_empty(found) if self.market.settings.omit_empty else found)

    def _sent(self, request: Request) -> Any:
        try:
            return request.json() if request.body.strip() else {}
        except BadJson:
            raise invalid("the body is not JSON") from None

    def _ignore(self, request: Request, field: str) -> None:
        self.market.ignored[request.path.removeprefix(PREFIX), field] += 1

    def error(self, status: int) -> Response:
        """An error status in the API's words."""
        return worded(status)

    def expire_token(self, request: Request) -> None:
        """Void the token, whichever the request carries: a merchant has one."""
        with self._lock:
            self.access.void = True

    def state(self) -> dict[str, Any]:
        """What exists, what was done twice, and how often somebody was refused."""
        with self._lock:
            found = {"system": self.name, "now": utc(self.market.now), **summary(self.market)}
            return copy.deepcopy({**found, "user_agents": sorted(self.access.agents)})

    def control(self, action: str, body: Any) -> Any:
        """The actions of `controls`, and those on the token."""
        with self._lock:
            if action == "reset":
                self._begin()
                return {"reset": True}
            if action == "expire_token":
                self.access.void = True
                return {"expired": True}
            if action == "issue_token":
                return self._issue(body)
            if action not in ACTIONS:
                known = ", ".join(sorted([*ACTIONS, "expire_token", "issue_token"]))
                raise LookupError(f"There is no action {action}; there are {known}.")
            try:
                return copy.deepcopy(ACTIONS[action](self.market, body))
            except (ArithmeticError, AttributeError) as error:  # no number, no object
                raise ValueError(f"{action} cannot use {to_json(body)}.") from error

    def _issue(self, body: Any) -> Any:
        """The merchant gets a token: the old one works again, or another `token` in its place."""
        token = (body or {}).get("token", self.market.settings.token)
        if not isinstance(token, str) or not token:
            raise ValueError("issue_token takes a token.")
        self.market.settings.token, self.access.void, self.access.used = token, False, self.market.now
        return {"token": token}
