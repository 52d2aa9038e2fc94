"""The stand-in of PlentyONE's REST API."""

import copy
import threading
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.message import Request, Response, to_json
from sandbox.plentyone import (
    addresses,
    articles,
    children,
    configuration,
    contacts,
    documents,
    order_lists,
    orders,
    packages,
    payments,
    serials,
)
from sandbox.plentyone.auth import OPEN, Gate
from sandbox.plentyone.budget import Budget
from sandbox.plentyone.controls import ACTIONS
from sandbox.plentyone.errors import Findings, Refused, plain, worded
from sandbox.plentyone.routes import Call, Router, Table, later
from sandbox.plentyone.summary import summary
from sandbox.plentyone.tenant import Settings, Tenant

BATCH_SIZE = 20

LATER = later(
    "POST /rest/orders/{id:int}/warranties",
    "POST /rest/orders/{id:int}/repairs",
    "POST /rest/orders/{id:int}/reorders",
    "POST /rest/orders/{id:int}/redistributions",
    "POST /rest/sales_orders/group",
    "POST /rest/orders/items/transactions/booking",
)


class PlentyOne:
    """One tenant behind its API."""

    name = "plentyone"

    def __init__(self, settings: Settings, skus: list[tuple[str, str]]) -> None:
        self._lock = threading.RLock()
        self._start = (settings, skus)
        self._begin()
        own: Table = [
            ("POST", "/rest/login", lambda call: self.gate.log_in(call.request)),
            ("POST", "/rest/login/refresh", lambda call: self.gate.refresh(call.request)),
            ("POST", "/rest/logout", lambda call: self.gate.log_out(call.request)),
            ("GET", "/rest/users/me", lambda call: self.gate.user(call.request)),
            ("GET", "/rest/authorized_user", lambda call: self.gate.user(call.request)),
            ("GET", "/rest/user", lambda call: self.gate.user(call.request)),
            ("GET", "/rest/session_limits", lambda call: self.gate.limits(call.request)),
            ("POST", "/rest/users/{id:int}/reset_failed_attempts", lambda call: self.gate.unlock(call.request)),
            ("GET", "/rest/batch", self._batch),
            ("POST", "/rest/batch", self._batch),
        ]
        themes = (
            *(configuration, articles, contacts, addresses, order_lists, orders, payments),
            *(children, packages, serials, documents),
        )
        self._router = Router([own, *(theme.TABLE for theme in themes), LATER])

    def _begin(self) -> None:
        settings, skus = self._start
        self.tenant = Tenant(settings=copy.copy(settings), skus=skus)
        self.gate = Gate(tenant=self.tenant)
        self.budget = Budget(tenant=self.tenant)

    def handle(self, request: Request) -> Response:
        """Answer one call, dated by the tenant's clock. The JSON is written under the lock, so that no other call changes
        it meanwhile."""
        with self._lock:
            if not (request.path == "/rest" or request.path.startswith("/rest/")):
                return worded(404)
            headers, refusal = self.budget.take(request.method)
            response = refusal or self._answer(request)
            dated = format_datetime(self.tenant.exact_now.replace(microsecond=0), usegmt=True)
            response.headers = {"Date": dated, **headers, **response.headers}
            if not isinstance(response.body, str | bytes):
                response.body, response.content_type = to_json(response.body), "application/json"
            return response

    def _answer(self, request: Request) -> Response:
        try:
            if request.raw_path.rstrip("/") not in OPEN and "reset_failed_attempts" not in request.path:
                self.gate.check(request)
            handler, places = self._router.find(request.method, request.raw_path)
            found = handler(Call(tenant=self.tenant, request=request, places=places))
            return found if isinstance(found, Response) else Response(body=found)
        except Refused as refused:
            return refused.response

    def _batch(self, call: Call) -> Any:
        """GET (with a body) and POST /rest/batch: each operation through the same routes, no status per operation."""
        if not self.tenant.settings.batch:
            raise plain(404, "Resource not found.")
        payloads = call.body().get("payloads")
        findings = Findings()
        if not isinstance(payloads, list) or not payloads:
            findings.add("payloads", "The {} field is required.")
        elif len(payloads) > BATCH_SIZE:
            findings.add("payloads", f"The {{}} may not have more than {BATCH_SIZE} items.")
        else:
            for at, each in enumerate(payloads):
                for name in ("resource", "method"):
                    if not isinstance(each, dict) or not isinstance(each.get(name), str):
                        findings.add(f"payloads.{at}.{name}", "The {} field is required.")
        findings.refuse()
        return [self._operation(call, each) for each in payloads or []]

    def _operation(self, call: Call, payload: dict[str, Any]) -> dict[str, Any]:
        resource, method = payload["resource"], payload["method"].upper()
        raw_path, _, query = ("/" + resource.lstrip("/")).partition("?")
        request = Request(
            method=method,
            path=unquote(raw_path),
            raw_path=raw_path,
            query=parse_qsl(query, keep_blank_values=True),
            headers=call.request.headers,
            body=to_json(payload["body"]).encode() if payload.get("body") is not None else b"",
            url=call.request.url,
        )
        refusal = self.budget.take(method)[1] if self.tenant.settings.batch_costs else None
        response = refusal or (worded(404) if raw_path == "/rest/batch" else self._answer(request))
        content = response.body.decode("latin-1") if isinstance(response.body, bytes) else response.body
        content = content if isinstance(content, str) else to_json(content)
        return {"resource": resource, "method": payload["method"], "content": content}

    def error(self, status: int) -> Response:
        """An error status in PlentyONE's words."""
        return worded(status)

    def expire_token(self, request: Request) -> None:
        """Void the token that a request carries."""
        with self._lock:
            if session := self.gate.session(request):
                self.gate.sessions.remove(session)

    def state(self) -> dict[str, Any]:
        """What exists, what exists twice, and how often somebody logged in or was refused."""
        with self._lock:
            found = {
                "system": self.name,
                "now": self.tenant.now,
                **summary(self.tenant),
                "logins": self.gate.logins,
                "refused_logins": self.gate.refused_logins,
                "sessions": len(self.gate.living()),
                "too_many_requests": self.budget.refused,
            }
            return copy.deepcopy(found)

    def control(self, action: str, body: Any) -> Any:
        """The actions of `controls`, and those on the login."""
        with self._lock:
            if action == "reset":
                self._begin()
                return {"reset": True}
            if action == "expire_tokens":
                gone = len(self.gate.sessions)
                self.gate.sessions.clear()
                return {"expired": gone}
            if action == "unlock":
                self.gate.failures = 0
                return {"failures": 0}
            if action not in ACTIONS:
                known = ", ".join(sorted([*ACTIONS, "expire_tokens", "unlock"]))
                raise LookupError(f"There is no action {action}; there are {known}.")
            try:
                return copy.deepcopy(ACTIONS[action](self.tenant, body))
            except Refused as refused:
                raise ValueError(to_json(refused.response.body)) from refused
