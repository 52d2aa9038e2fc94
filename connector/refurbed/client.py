"""The HTTP session to one merchant's account at refurbed: every call is a POST of JSON to its gRPC service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, cast

import requests

from connector import Account, Answer, Client, ConnectorError, Host, InDoubt, Payload, StopRun
from connector.refurbed import answers, shapes
from connector.refurbed.account import no_token
from connector.refurbed.answers import Refused
from connector.refurbed.rate import Rate

AGENT = f"connector-host - connector-refurbed/{metadata.version('connector-host')}"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one entry of a batch: the item as it is now, or the error that speaks against it."""

    id: str
    item: Payload | None = None
    error: ConnectorError | None = None


class RefurbedClient(Client):
    """One account's session, for several threads. Calls are made by `ask`."""

    def __init__(self, account: Account, host: Host) -> None:
        super().__init__(account, host)
        self.token = str(account.settings.get("token") or "").strip()
        self.veil.add(self.token)
        self.rate = Rate(host)

    # what the base asks

    def authorize(self, request: requests.PreparedRequest) -> None:
        request.headers["User-Agent"] = AGENT
        request.headers["Authorization"] = f"Plain {self.token}"

    def before(self, write: bool) -> None:
        self.rate.take()

    def after(self, answer: Answer, write: bool) -> None:
        found = answers.status(answer.data)
        over = answer.status == 429 or (found is not None and found[0] == answers.EXHAUSTED)
        self.rate.learn(answer.headers, (answers.wait(answer) or answers.REFUSAL_SECONDS) if over else None)

    def judge(self, answer: Answer, write: bool) -> None:
        answers.judge(self.account.name, answer, write)

    def complaint(self, answer: Answer) -> str | None:
        return answers.complaint(answer.data) or super().complaint(answer)

    # verbs of the resources

    def ask(
        self,
        service: str,
        method: str,
        body: Mapping[str, Any] | Sequence[Any] | None = None,
        *,
        write: bool = False,
        reference: str | None = None,
        tries: int | None = None,
    ) -> Payload:
        """Call a method: `ask("OrderService", "GetOrder", {"id": "4711001"})`.

        Every call is a POST, so `write` says whether it changes something: reads are repeated, writes never. Raises
        shapes.Malformed for what the message does not know, Refused and NotFound for what refurbed refuses of it, and
        what `Client.call` raises.
        """
        call, body = f"{service}/{method}", {} if body is None else body
        shapes.check(call, body)
        if not self.token:
            raise StopRun(no_token(self.account.name))
        path = f"/{shapes.PACKAGE}.{call}"
        return cast(
            Payload, self.call("POST", path, body=body, write=write, reference=reference, tries=tries).data or {}
        )

    def rows(
        self,
        service: str,
        method: str,
        name: str,
        filters: Mapping[str, Any],
        *,
        by: str = "ID",
        order: str = "ASC",
        limit: int = shapes.PAGE_SIZE,
        most: int | None = None,
    ) -> Iterator[list[Payload]]:
        """The pages of a list to its end. The cursor is the last row's id, which means something in this listing only."""
        after: str | None = None
        while True:
            body: dict[str, Any] = {"pagination": {"limit": limit}, "sort": {"by": by, "order": order}}
            if filters:
                body["filter"] = dict(filters)
            if after is not None:
                body["pagination"]["starting_after"] = after
            data = self.ask(service, method, body)
            found = data.get(name) or []
            if not isinstance(found, list) or not all(isinstance(row, Mapping) and row.get("id") for row in found):
                raise StopRun(f"{self.account.name}: {service}/{method} answered without a list of {name}.")
            if found:
                yield found
            most = None if most is None else most - len(found)
            last = str(found[-1]["id"]) if found else None
            if not data.get("has_more") or last is None or last == after or (most is not None and most <= 0):
                return
            after = last

    def batch(self, method: str, updates: Sequence[Mapping[str, Any]], reference: str | None = None) -> list[Outcome]:
        """BatchUpdateOrderItemsState or BatchUpdateOrderItems, fifty entries at a time; what became of each.

        One entry's refusal stops no other. Raises InDoubt when an answer does not tell of each entry.
        """
        name = "updates" if method == "BatchUpdateOrderItemsState" else "order_items"
        made: list[Outcome] = []
        for start in range(0, len(updates), shapes.BATCH_SIZE):
            part = updates[start : start + shapes.BATCH_SIZE]
            data = self.ask("OrderItemService", method, {name: part}, write=True, reference=reference)
            results = data.get("results")
            if self.dry is not None and not results:
                results = [{"order_item": dict(one)} for one in part]
            count = len(results) if isinstance(results, list) else 0
            if not isinstance(results, list) or count != len(part):
                raise InDoubt(
                    f"{self.account.name}: {method} answered {count} results "
                    f"for {len(part)} items; whether all of them were changed is not known"
                )
            made += [self._outcome(method, one, result) for one, result in zip(part, results, strict=True)]
        return made

    def _outcome(self, method: str, asked: Mapping[str, Any], result: Any) -> Outcome:
        id = str(asked["id"])
        where = f"{self.account.name}: {method}, item {id}"
        if not isinstance(result, Mapping):
            return Outcome(id=id, error=InDoubt(f"{where} was answered with nothing"))
        code, said = answers.status(result.get("status") or {}) or (answers.OK, "")
        error = answers.meaning(where, code, self.veil.text(said), True)
        item = result.get("order_item")
        if error is not None or not isinstance(item, dict):
            return Outcome(id=id, error=error)
        shown = {name: str(item[name]) for name in ("id", "state") if item.get(name) and name in asked}
        if odd := [name for name, value in shown.items() if value != str(asked[name])]:
            told = f"{where} was answered with {odd[0]} {shown[odd[0]]}, {asked[odd[0]]} was asked for"
            return Outcome(id=id, error=InDoubt(f"{told}; whether the change was made is not known"))
        return Outcome(id=id, item=item)


__all__ = ["AGENT", "Outcome", "RefurbedClient", "Refused"]
