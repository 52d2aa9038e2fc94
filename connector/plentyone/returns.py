"""Returns of a market as return orders (type 3) of the sales order, each once.

PlentyONE makes a return of quantities of the order's items. The market's id goes to property 80 (external return id) by a
second call, so that an attempt after doubt finds what an earlier one made; a return that people had made already of just
these items is taken over. That REST takes `quantities` as `{orderItemId, quantity}` is assumed from plugins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape, unescape
from re import sub
from typing import Any, NoReturn

from connector import (
    AccessDenied,
    Account,
    Connector,
    InDoubt,
    Known,
    Missing,
    Options,
    Origin,
    Payload,
    RecordFailed,
    Ref,
    Resource,
    RetryLater,
    Written,
    find_or_create,
)
from connector.plentyone import existing
from connector.plentyone.aims import Lists, set_value
from connector.plentyone.answers import NotFound, Refused
from connector.plentyone.articles import GOODS, KINDS, identifiers
from connector.plentyone.client import PlentyClient
from connector.plentyone.comments import PATH as COMMENTS
from connector.plentyone.comments import named
from connector.plentyone.lines import EXTERNAL_LINE
from connector.plentyone.orders import Orders
from connector.plentyone.pretending import Pretence
from connector.plentyone.reading import Fields
from connector.plentyone.shapes import amount, key_of, rows, same, valued, wire
from connector.records import Identifier, LineKind, Return, ReturnLine
from connector.settings import STATUSES, WAREHOUSE, Choice, Settings, ident, setting

RETURN = 3  # order type
EXTERNAL_RETURN = 80  # order property
ORDERS = "/rest/orders"
WAITS_SECONDS, LONGEST_WAIT = 900.0, 21_600.0  # for an order that is not there: the longer, the less often it is sought
CLOCKS = timedelta(minutes=10)
NOTED, REFUNDED, BEFORE = "noted", "refunded_status", "status_before_refund"  # refs that no column shows


class ReturnOptions(Settings):
    """How returns are written to PlentyONE."""

    return_status = setting(
        Choice("order_status"),
        section=STATUSES,
        label="Status of new returns",
        help="Empty: PlentyONE's own first status of returns.",
    )
    refunded_status = setting(
        Choice("order_status"),
        section=STATUSES,
        label="Status for confirmed refunds",
        help="Which status a return gets once the market confirms that its customer has the money back. It is set once; "
        "what people change afterwards stays. Empty: the status is left alone.",
    )
    return_warehouse = setting(
        Choice("warehouse"),
        section=WAREHOUSE,
        label="Return warehouse",
        help="Where the goods come back to. Empty: PlentyONE chooses.",
    )


@dataclass(frozen=True)
class Taken:
    """So many of one item of the sales order."""

    item: Payload
    quantity: Decimal


class Returns(Resource):
    """Return orders (type 3), made from their sales orders."""

    entity = "return"
    label = "Returns"
    TargetOptions = ReturnOptions
    refs = (
        Ref(key="id", label="Plenty Return ID"),
        Ref(key="order_id", label="Plenty Order ID"),
        Ref(key="status_id", label="Plenty Status ID"),
        Ref(key="status_name", label="Plenty Status Name"),
    )
    key_ref = "id"

    client: PlentyClient

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self._pretence = Pretence()
        self._lists = Lists(self.host)

    @classmethod
    def page(cls, account: Account, key: str) -> str | None:
        return Orders.page(account, key)

    def check(self, record: Return, options: Options) -> list[str]:
        wanted = (
            ("order_status", "return_status"),
            ("order_status", "refunded_status"),
            ("warehouse", "return_warehouse"),
        )
        return [
            Missing(
                f"{options.get(name)!r} (setting '{name}') is not in the collected list of PlentyONE; choose another value, "
                "or collect the lists again",
                name,
            )
            for kind, name in wanted
            if self._lists.lack(kind, options.get(name))
        ]

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return self._pretence.answer(method, path, body)

    def origins(self, method: str, path: str, body: Any, record: Return, options: Options) -> Mapping[str, Origin]:
        made = Origin(said="an id that PlentyONE gives")
        found = {
            "statusId": Origin(setting="refunded_status" if method == "PUT" else "return_status"),
            "warehouseId": Origin(setting="return_warehouse"),
            "returnPackageNumber": Origin(path="tracking_number"),
            "properties.0.value": Origin(path="key"),
            "referenceValue": made,
        }
        for at, _ in enumerate(rows(body.get("quantities") if isinstance(body, Mapping) else None)):
            found[f"quantities.{at}.orderItemId"] = made
            found[f"quantities.{at}.quantity"] = Origin(path="lines")
        return found

    def write(self, record: Return, known: Known, options: Options) -> Written:
        return _Writing(self, record, known, options).done()


class _Writing:
    """One return on its way."""

    def __init__(self, resource: Returns, record: Return, known: Known, options: Options) -> None:
        self.client, self.host = resource.client, resource.host
        self.record, self.known, self.options = record, known, options
        self.key, self.number = record.key, record.number
        lag = resource.connector.account.settings.get("index_lag_seconds")
        self.lag = 15.0 if lag is None else float(lag)
        self.fresh = False  # made by this very call: nothing of it can be there already

    def done(self) -> Written:
        id = self.known.refs.get("id")
        created = id is None
        order = self.read(id) if id else self.make()
        id = str(key_of(order))
        done: list[str] = []
        self.mark(id, order)
        if noted := self.note(id):
            done.append("1 note added" if noted == 1 else f"{noted} notes added")
        if status := self.refund(id, order):
            done.append(f"status {status}")
        if created:
            items = "1 item" if len(self.record.lines) == 1 else f"{len(self.record.lines)} items"
            said = f"Return {id} created: {items}"
            return Written(key=id, created=True, message=", ".join([said, *done]))
        what = ", ".join(done) or "nothing to change"
        said = f"Return {id} updated: {what}" if done else f"Return {id} is up to date: {what}"
        return Written(key=id, created=False, message=said)

    # the order that it belongs to

    def sale(self) -> Payload:
        found = self.known.linked("order", self.record.order)
        if found is None or not found.ours:
            self.wait()
        order = self.get(f"{ORDERS}/{found.key}", {"with[]": "orderItems.serialNumbers"})
        if order is None or existing.deleted(order):
            raise RecordFailed(
                f"Return {self.key} of order {self.number}: its PlentyONE order {found.key} was deleted there. "
                "Restore it, or create the return by hand."
            )
        return order

    def wait(self) -> NoReturn:
        """Raise RetryLater. An order that was skipped is waited for, too: it may be imported later, and nothing else would
        tell the return."""
        why = self.known.declined("order", self.record.order)
        after = min(max(WAITS_SECONDS, self.known.age / 8), LONGEST_WAIT)
        if why is None:
            raise RetryLater(
                f"Return {self.key} of order {self.number}: its order is not in PlentyONE. It is created once "
                "the order was imported; see the order's own record",
                after=after,
                aside=True,
            )
        raise RetryLater(
            f"Return {self.key} of order {self.number}: its order is not brought to PlentyONE ({why.rstrip('.')}). It is "
            "created if the order is imported after all; skip it by hand if that will not be",
            after=after,
            aside=True,
        )

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Payload | None:
        """An order; without what is asked for along with it where the system refuses that."""
        try:
            data = self.client.find(path, query, self.number)
        except (AccessDenied, Refused):
            if query is None:
                raise
            return self.get(path)
        if data is not None and not (isinstance(data, dict) and key_of(data)):
            raise RetryLater(
                f"Return {self.key} of order {self.number}: PlentyONE answered oddly when asked for {path}"
            )
        return data

    def taken(self, order: Payload) -> list[Taken]:
        """The items that come back. Raises RecordFailed naming the line that PlentyONE's order does not have."""
        items = [item for item in rows(order.get("orderItems")) if KINDS.get(key_of(item, "typeId") or "") in GOODS]
        items = [item for item in items if KINDS[str(key_of(item, "typeId"))] is not LineKind.COMPONENT or _own(item)]
        left = {str(key_of(item)): amount(item.get("quantity")) or Decimal(0) for item in items}
        found: list[Taken] = []
        for line in self.record.lines:
            mine = [item for item in items if valued(item.get("properties"), EXTERNAL_LINE) == line.line]
            mine = mine or [item for item in items if set(_marks(item)) & set(line.identifiers)]
            rest = line.quantity
            for item in mine:
                part = min(rest, left[str(key_of(item))])
                if part > 0:
                    left[str(key_of(item))] -= part
                    rest -= part
                    found.append(Taken(item, part))
            if rest > 0:
                called = f"{line.line} {line.name}".strip()
                raise RecordFailed(
                    f"Return {self.key} of order {self.number}: PlentyONE's order {key_of(order)} has no item "
                    f"'{called}' of which {ident(rest)} could come back. Create the return there by hand."
                )
            self.compare(line, mine)
        if not found:
            raise RecordFailed(f"Return {self.key} of order {self.number} names no item that comes back.")
        return found

    def compare(self, line: ReturnLine, items: Sequence[Payload]) -> None:
        """Another device than the one that was sent is said, and no obstacle."""
        sent = {one for item in items for one in _marks(item)}
        odd = [one for one in line.identifiers if one not in sent]
        if sent and odd:
            self.known.note(
                f"Another device comes back than was sent: {named(odd)} instead of {named(sorted(sent, key=_value))}."
            )

    # making it

    def make(self) -> Payload:
        order = self.sale()
        id = str(key_of(order))
        taken = self.taken(order)
        made: dict[str, Payload] = {}

        def keep(found: Payload) -> str:
            key = str(key_of(found))
            made[key] = found
            self.learn(found, id)
            return key

        key = find_or_create(
            doubt=self.known.doubt,
            doubt_age=self.known.doubt_age,
            lag=self.lag,
            what=f"Return {self.key} of order {self.number}",
            find=lambda: keep(found) if (found := self.find(id, taken, doubt=True)) else None,
            create=lambda: keep(self.create(id, taken)),
        )
        return made[key]

    def create(self, order_id: str, taken: Sequence[Taken]) -> Payload:
        body: Payload = {
            "quantities": [{"orderItemId": wire(key_of(one.item)), "quantity": one.quantity} for one in taken]
        }
        if (status := set_value(self.options.get("return_status"))) is not None:
            body["statusId"] = wire(status)
        if (warehouse := set_value(self.options.get("return_warehouse"))) is not None:
            body["warehouseId"] = wire(warehouse)
        if self.record.tracking_number:
            body["returnPackageNumber"] = self.record.tracking_number
        try:
            answer = self.send("POST", f"{ORDERS}/{order_id}/returns", body)
        except NotFound:
            raise
        except Refused as error:
            there = self.find(order_id, taken, doubt=False)
            if there is None:
                raise RecordFailed(f"Return {self.key} of order {self.number} was not accepted: {error}") from error
            self.known.note(f"Return {key_of(there)} of the same items was in PlentyONE already and is taken for it.")
            return there
        if not isinstance(answer, dict) or key_of(answer) is None:
            raise InDoubt(f"Return {self.key} of order {self.number}: PlentyONE's answer to it has no id")
        self.fresh = True
        return answer

    def find(self, order_id: str, taken: Sequence[Taken], *, doubt: bool) -> Payload | None:
        """By property 80. Else one without it that is of just these items; after doubt only one that was made since."""
        query = {"parentOrderId": order_id, "orderType": RETURN}
        twin: Payload | None = None
        wanted = {key_of(one.item): one.quantity for one in taken}
        for row in self.client.entries(ORDERS, query, most=3, reference=self.number):
            id = key_of(row)
            if id is None or not same(row.get("typeId"), RETURN) or self.known.taken(id):
                continue
            whole = row if row.get("orderItems") and row.get("properties") is not None else self.get(f"{ORDERS}/{id}")
            if whole is None or existing.deleted(whole) or not _child(whole, order_id):
                continue
            mark = valued(whole.get("properties"), EXTERNAL_RETURN)
            if mark == self.record.key:
                return whole
            if mark is None and _takes(whole) == wanted and (not doubt or self.since(whole)):
                twin = twin or whole
        return twin

    def since(self, order: Payload) -> bool:
        """Whether it was made since the customer said that something comes back."""
        try:
            made = datetime.fromisoformat(str(order.get("createdAt")))
        except ValueError:
            return False
        return made.tzinfo is not None and made >= self.record.created_at - CLOCKS

    def learn(self, order: Payload, sale: str) -> None:
        name = order.get("statusName")
        self.known.learn(
            id=key_of(order),
            order_id=sale,
            status_id=key_of(order, "statusId"),
            status_name=str(name).strip() if name else None,
        )

    # what belongs to it

    def read(self, id: str) -> Payload:
        order = {"id": id} if self.made_up(id) else self.get(f"{ORDERS}/{id}")
        if order is None or existing.deleted(order):
            raise RecordFailed(
                f"Return {self.key} of order {self.number}: return {id} was deleted in PlentyONE. It is not "
                "created again by itself: restore it there, or skip the record."
            )
        return order

    def mark(self, id: str, order: Payload) -> None:
        """The market's id, by which it is found again."""
        if valued(order.get("properties"), EXTERNAL_RETURN) != self.record.key:
            self.send("PUT", f"{ORDERS}/{id}", {"properties": [{"typeId": EXTERNAL_RETURN, "value": self.record.key}]})

    def note(self, id: str) -> int:
        """What people should know of it, each text once; how many were written."""
        done = [one for one in (self.known.refs.get(NOTED) or "").split(",") if one]
        texts = [(name, text) for name, text in self.texts() if name not in done]
        if not texts:
            return 0
        there = set() if self.fresh or self.made_up(id) else self.noted(id)
        written = 0
        for name, text in texts:
            html = "<p>" + escape(text, quote=False).replace("\n", "<br>") + "</p>"
            if _squeezed(html) not in there:
                if self.known.doubt and not self.fresh and self.known.doubt_age < self.lag:
                    raise RetryLater(
                        f"Return {self.key} of order {self.number}: its note may have been written by an earlier "
                        "attempt; it is looked up again before it is sent again",
                        after=self.lag - self.known.doubt_age + 0.5,
                        counts=False,
                    )
                body = {"referenceType": "order", "referenceValue": wire(id), "text": html}
                self.send("POST", COMMENTS, body | {"isVisibleForContact": False})
                written += 1
            done.append(name)
            self.known.learn(**{NOTED: ",".join(done)})
        return written

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each with a name that it keeps, whatever its words become."""
        record = self.record
        if record.tracking_url:
            yield "tracking", f"Tracking of the return: {record.tracking_url}"
        told = [f"{line.name}: {named(line.identifiers)}".lstrip(": ") for line in record.lines if line.identifiers]
        if told:
            yield "identifiers", "\n".join(told)
        if record.reason:
            yield "reason", f"Reason of the return: {record.reason}"
        for at, comment in enumerate(record.comments):
            if comment.text.strip():
                yield f"comment{at}", comment.text.strip()

    def noted(self, id: str) -> set[str]:
        listed = self.client.entries(f"{COMMENTS}/order/{id}", paged=False, reference=self.number)
        return {_squeezed(str(row.get("text") or "")) for row in listed}

    def refund(self, id: str, order: Payload) -> str | None:
        """The status for a confirmed refund, once; after doubt only while nobody else has moved it."""
        status = set_value(self.options.get("refunded_status"))
        if not self.record.refunded or status is None or self.known.refs.get(REFUNDED):
            return None
        now, before = key_of(order, "statusId"), self.known.refs.get(BEFORE)
        tried = before is not None and self.known.doubt
        if same(now, status) or (tried and not same(now, before)):
            self.known.learn(**{REFUNDED: status})
            return None
        self.known.learn(**{BEFORE: now})
        answer = self.send("PUT", f"{ORDERS}/{id}", {"statusId": wire(status)})
        name = answer.get("statusName") if isinstance(answer, Mapping) else None
        names = {one.id: one.name for one in self.host.catalogue("order_status")}
        self.known.learn(
            **{REFUNDED: status}, status_id=status, status_name=str(name).strip() if name else names.get(status, status)
        )
        return status

    def made_up(self, id: str) -> bool:
        """An order of a dry run, which cannot be read."""
        return self.client.dry is not None and not id.isdigit()

    def send(self, method: str, path: str, body: Any) -> Any:
        return self.client.send(method, path, body, reference=self.number)


def _own(item: Payload) -> bool:
    """Whether a part of a bundle was sold as a line of its own."""
    return valued(item.get("properties"), EXTERNAL_LINE) is not None


def _marks(item: Payload) -> list[Identifier]:
    return list(identifiers(Fields(f"item {key_of(item)}", item)))


def _value(one: Identifier) -> str:
    return one.value


def _child(order: Payload, of: str) -> bool:
    return any(same(row.get("referenceOrderId"), of) for row in rows(order.get("orderReferences")))


def _takes(order: Payload) -> dict[str | None, Decimal]:
    """The items of the sales order that a return takes, and how many of each."""
    found: dict[str | None, Decimal] = {}
    for item in rows(order.get("orderItems")):
        key = next((key_of(row, "referenceOrderItemId") for row in rows(item.get("references"))), None)
        found[key] = found.get(key, Decimal(0)) + (amount(item.get("quantity")) or Decimal(0))
    return found


def _squeezed(html: str) -> str:
    return "".join(unescape(sub(r"<[^>]*>", "", html)).split())
