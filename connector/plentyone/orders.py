"""Orders as a target: contact, addresses, order, payment, relations and notes, each exactly once; as a source, see `Source`.

These are separate calls without a transaction: every id is kept as soon as it is
known, an attempt after doubt finds before it creates, and the answer is compared with what was sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from connector import (
    AccessDenied,
    Account,
    Connector,
    Entry,
    Found,
    InDoubt,
    Known,
    Options,
    Origin,
    Page,
    Payload,
    RecordFailed,
    Ref,
    Resource,
    RetryLater,
    SkipRecord,
    Written,
)
from connector.plentyone import (
    addresses,
    comments,
    contacts,
    credits,
    documents,
    existing,
    following,
    lines,
    origins,
    packages,
    payments,
    tags,
)
from connector.plentyone.addresses import Wanted
from connector.plentyone.aims import Lists, aim, hidden, known_rate, missing, unknown
from connector.plentyone.answers import Invalid, NotFound, Refused
from connector.plentyone.client import PlentyClient
from connector.plentyone.countries import Countries
from connector.plentyone.existing import CUSTOMER_SIGN, EXTERNAL_ID, SALES_ORDER, Sent
from connector.plentyone.lines import Frame, Item
from connector.plentyone.options import OrderOptions
from connector.plentyone.pretending import Pretence
from connector.plentyone.shapes import amount, key_of, rows, same
from connector.plentyone.source import Source, SourceOptions
from connector.plentyone.variations import Variations
from connector.plentyone.vat import Rates
from connector.plentyone.work import Work, number
from connector.records import Order
from connector.settings import ident

log = logging.getLogger(__name__)

PROFILE, METHOD, LANGUAGE, COUPON, COUPON_TYPE, VAT_NUMBER = 2, 3, 6, 18, 19, 34  # order properties
AFTER = (tags.bring, credits.bring, packages.bring, documents.bring)  # documents last: an invoice locks the order


@dataclass(frozen=True)
class Gone:
    """Contact and addresses that were linked and that people deleted in PlentyONE meanwhile."""

    contact: str | None
    addresses: frozenset[str]

    def __str__(self) -> str:
        told = [f"contact {self.contact}"] if self.contact else []
        return ", ".join([*told, *(f"address {id}" for id in sorted(self.addresses))]).capitalize()


class Orders(Resource):
    """Sales orders (type 1); as a source also their deliveries (2) and credit notes (4)."""

    entity = "order"
    label = "Orders"
    SourceOptions = SourceOptions
    TargetOptions = OrderOptions
    refs = (
        Ref(key="id", label="Plenty Order ID"),
        Ref(key="status_id", label="Plenty Status ID"),
        Ref(key="status_name", label="Plenty Status Name"),
        Ref(key="referrer_id", label="Plenty Referrer ID"),
        Ref(key="contact_id", label="Plenty Contact ID"),
        Ref(key="billing_id", label="Plenty Billing ID"),
        Ref(key="shipping_id", label="Plenty Shipping ID"),
        Ref(key="payment_id", label="Plenty Payment ID"),
        Ref(key="payment_method_id", label="Plenty Payment Method ID"),
        Ref(key="payment_status_id", label="Plenty Payment Status ID"),
        Ref(key="payment_order_id", label="Plenty Payment Order Ass. ID"),
        Ref(key="payment_contact_id", label="Plenty Payment Contact Ass. ID"),
    )
    key_ref = "id"
    settles = False  # as a source: an order is there when it is shown

    client: PlentyClient

    def __init__(self, connector: Connector) -> None:
        super().__init__(connector)
        self.variations = Variations(self.client)
        self._source = Source(self.client, self.host)
        self._pretence = Pretence()
        self._lists = Lists(self.host)
        self._earlier = existing.Earlier(self.client, self.host)
        self._rates: dict[tuple[str, str], Rates] = {}
        self._exchange: dict[str, Decimal | None] = {}

    @classmethod
    def page(cls, account: Account, key: str) -> str | None:
        """In the order search of the back end, as its own links are formed (seen in 2026 in public browser extensions)."""
        return f"{account.base_url.rstrip('/')}/plenty/terra/order/order-ui/{key}" if key.isdigit() else None

    # as a source

    def read(self, since: str | None, options: Options) -> Iterator[Page]:
        return self._source.read(since, options, self.asked)

    def get(self, key: str) -> Found | None:
        return self._source.get(key)

    def number(self, number: str) -> Found | None:
        return self._source.number(number)

    def family(self, found: Found) -> Sequence[Found]:
        return self._source.family(found)

    def latest(self, count: int) -> Sequence[Found]:
        return self._source.latest(count)

    def parse(self, payload: Payload) -> Order:
        order = self._source.parser.parse(payload)
        for kind, value in self._source.values(order):
            self.host.learn(kind, [Entry(id=value, name=value)])
        return order

    def admits(self, record: Order, options: Options) -> None:
        self._source.admits(record, options)

    # as a target

    def asks(self, options: Options) -> frozenset[str]:
        return following.asks(options)

    def check(self, record: Order, options: Options) -> list[str]:
        return [*missing(record, options, self.host), *unknown(record, options, self._lists)]

    def prepare(self, records: Sequence[Order], options: Callable[[Order], Options]) -> None:
        skus = sorted({sku for one in records for sku in lines.wanted_skus(one, options(one))})
        try:
            self.variations.learn(skus)
        except RecordFailed as error:  # a number that PlentyONE cannot even look up; its order will say so itself
            log.info("not all variations could be looked up: %s", error)
        try:
            self._earlier.look(records)
        except RecordFailed as error:  # this system does not take several numbers at once
            log.info("orders that were there before could not be looked for: %s", error)

    def pretend(self, method: str, path: str, body: Any) -> Any:
        return self._pretence.answer(method, path, body)

    def origins(self, method: str, path: str, body: Any, record: Order, options: Options) -> Mapping[str, Origin]:
        return origins.of(path, body, record, options)

    def write(self, record: Order, known: Known, options: Options) -> Written:
        if self._was_there(record) and not known.doubt and not known.refs.get("id"):
            known.doubt, known.doubt_age = True, float("inf")  # found, or certainly not there
        work = self._work(record, known, options)
        return self._update(work) if work.ref("id") else self._create(work)

    def _was_there(self, order: Order) -> bool:
        return order.number in self._earlier.numbers

    # getting ready

    @cached_property
    def countries(self) -> Countries:
        return Countries(self.host.catalogue("country"))

    def _work(self, order: Order, known: Known, options: Options) -> Work:
        settings = self.connector.account.settings
        exists = bool(known.refs.get("id"))
        try:
            aimed = aim(order, options, self.host, settings.get("system_currency"), exists=exists)
        except SkipRecord as error:
            if not known.doubt:
                raise
            raise RecordFailed(
                f"Order {order.number}: {error}; an earlier attempt may have created it in PlentyONE all the same: look "
                "for it there, and cancel it by hand.",
                setting=error.setting,
            ) from error
        lag = settings.get("index_lag_seconds")
        rate = known_rate(order, aimed)
        if rate is None:
            rate = self._plenty_rate(order.currency) or order.exchange_rate
            if rate is not None and self._exchange[order.currency] is None:
                known.note(
                    f"The exchange rate {rate} is the shop's own ({order.currency} per {order.base_currency}): the "
                    f"rate to PlentyONE's system currency {aimed.currency} is not known."
                )
        return Work(
            order=order,
            known=known,
            options=options,
            aim=aimed,
            client=self.client,
            host=self.host,
            lag=15.0 if lag is None else float(lag),
            system=aimed.currency in (None, order.currency),
            rate=rate,
            doubt=known.doubt,
        )

    def _plenty_rate(self, currency: str) -> Decimal | None:
        """PlentyONE's own rate of a currency, asked once per run; None when it does not say."""
        if currency not in self._exchange:
            try:
                data = self.client.find(f"/rest/orders/currencies/{currency}/exchangeRate")
            except (AccessDenied, RecordFailed) as error:  # nothing depends on it but the books' own currency
                log.info("PlentyONE's exchange rate of %s is not known: %s", currency, error)
                data = None
            if isinstance(data, Mapping):
                data = next((data[name] for name in ("exchangeRate", "exchangeRatio", "rate") if name in data), None)
            rate = amount(data)
            self._exchange[currency] = rate if rate and rate > 0 else None
        return self._exchange[currency]

    def _vat(self, order: Order) -> Rates:
        where = (order.shipping or order.billing).country or ""
        day = order.created_at.date().isoformat()
        rates = self._rates.get((where, day))
        if rates is None:
            rates = Rates(self.host.catalogue("vat"), self.countries.id(where) or "", day)
            self._rates[where, day] = rates
        return rates

    def _sent(self, work: Work, vat: Rates) -> Sent:
        made = lines.items(work.order, work.options, vat, self.variations.id)
        return Sent(made, work.order.grand_total, work.order.currency)

    # creating

    def _create(self, work: Work) -> Written:
        work.rated()
        if told := hidden(work.order, work.options, self.host):
            work.known.note(told)
        vat = self._vat(work.order)
        sent = self._sent(work, vat)
        pair = addresses.wanted(work.order, work.options, self.countries)
        contact, answer, made = self._ordered(work, sent, pair, vat)
        existing.verify(work, sent, self._whole(work, answer, sent))
        all_there = not made and self._was_there(work.order)  # perhaps its payment, relations and notes as well
        return self._finish(work if all_there else work.sure(), answer, sent, contact)

    def _ordered(
        self, work: Work, sent: Sent, pair: tuple[Wanted, Wanted], vat: Rates, gone: Gone | None = None
    ) -> tuple[str | None, Payload, bool]:
        """Contact, addresses and the order itself, and whether it was made just now. What people deleted in PlentyONE
        meanwhile is made anew, once."""
        contact: str | None = None
        found: Payload = {}
        made: list[Payload] = []

        def post() -> Payload:
            made.append(self._post(work, body(work, sent.items, vat, found), found))
            return made[0]

        try:
            contact = contacts.bring(work, gone=gone.contact if gone else None)
            billing, shipping = addresses.bring(work, contact, pair, gone=gone.addresses if gone else ())
            found = {"contact_id": contact, "billing_id": billing, "shipping_id": shipping}
            answer = work.once("the order", lambda: self._find(work, sent, found), post)
            return contact, answer, bool(made)
        except (NotFound, Refused):
            if contact is None or gone is not None:
                raise
            gone = self._gone(work, contact, found)
            if not gone:
                raise
            work.known.note(f"{gone} was deleted in PlentyONE and is made anew.")
            return self._ordered(work, sent, pair, vat, gone)

    def _gone(self, work: Work, contact: str, found: Payload) -> Gone | None:
        """Which of the linked ids no longer exist; None when all do."""
        lost = contact if work.get(f"/rest/accounts/contacts/{contact}") is None else None
        ids = {found[name] for name in ("billing_id", "shipping_id") if found.get(name)}
        addresses_ = frozenset(id for id in ids if work.get(f"/rest/accounts/addresses/{id}") is None)
        return Gone(lost, addresses_) if lost or addresses_ else None

    def _find(self, work: Work, sent: Sent, found: Payload) -> Payload | None:
        answer = existing.find(work, sent, found)
        if answer is not None:
            self._learn(work, answer, found)
            work.known.note(f"Order {key_of(answer)} was found in PlentyONE: an earlier attempt had created it.")
            existing.verify(work, sent, answer, adopted=True)
        return answer

    def _post(self, work: Work, body: Payload, found: Payload) -> Payload:
        try:
            answer = work.send("POST", "/rest/orders", body)
        except Invalid as error:
            if any("itemVariationId" in path for path in error.fields):
                self.variations.forget(lines.wanted_skus(work.order, work.options))
            raise
        if not isinstance(answer, dict) or key_of(answer) is None:
            raise InDoubt(f"Order {work.order.number}: PlentyONE's answer to the order has no id")
        self._learn(work, answer, found)
        return answer

    def _learn(self, work: Work, answer: Payload, found: Payload) -> None:
        """Keep all ids by one commit: the links had kept those of contact and addresses before."""
        name = answer.get("statusName")
        work.known.learn(
            id=key_of(answer),
            status_id=key_of(answer, "statusId") or work.aim.status,
            status_name=str(name).strip() if name else None,
            referrer_id=key_of(answer, "referrerId") or work.aim.referrer,
            **found,
        )

    def _whole(self, work: Work, answer: Payload, sent: Sent) -> Payload:
        """The answer with items and amounts; read anew when it came without them."""
        if work.client.dry is None and not (rows(answer.get("orderItems")) and rows(answer.get("amounts"))):
            read = work.get(f"/rest/orders/{key_of(answer)}")
            return read if isinstance(read, dict) else answer
        return answer

    def _finish(self, work: Work, answer: Payload, sent: Sent, contact: str | None) -> Written:
        id = str(key_of(answer))
        notes = comments.new(work, id)
        payment = payments.bring(work, id, contact, notes)
        if not notes.written:
            comments.bring(work, id, look=work.doubt)
        after, wrong = following.bring(work, id, answer, AFTER)
        if not wrong and self._credited(work):
            after += filter(None, [self._cancel_credited(work, id)])
        items = "1 item" if len(sent.items) == 1 else f"{len(sent.items)} items"
        paid = f"payment {payment}" if payment else "no payment"
        if wrong:
            raise RecordFailed(f"{' '.join(wrong)} Order {id} itself was created: {items}, {paid}.")
        said = f"Order {id} created: {items}, {sent.total} {sent.currency}, {paid}"
        return Written(
            key=id,
            created=True,
            message=", ".join([said, *after]),
            total=self._computed(answer, sent),
        )

    def _computed(self, answer: Payload, sent: Sent) -> Decimal | None:
        """The total as PlentyONE's answer has it."""
        totals = [
            row.get("invoiceTotal") for row in rows(answer.get("amounts")) if row.get("currency") == sent.currency
        ]
        return amount(totals[0]) if totals else None

    # changing

    def _update(self, work: Work) -> Written:
        """Bring an order that exists up to date, and make up for what is missing of its creation; items stay."""
        id = str(work.ref("id"))
        order = work.get(f"/rest/orders/{id}")
        if order is not None and not (isinstance(order, dict) and order.get("id")):
            raise RetryLater(f"Order {work.order.number}: PlentyONE answered oddly when asked for its order {id}")
        if order is None or existing.deleted(order):
            if work.order.cancelled:
                raise SkipRecord(
                    f"order {work.order.number} is cancelled, and its PlentyONE order {id} was deleted there"
                )
            raise RecordFailed(
                f"Order {work.order.number}: its PlentyONE order {id} was deleted there. It is not created again by "
                "itself: restore it there, or skip the record."
            )
        unfinished = not work.known.finished and (work.doubt or work.known.attempt > 1)
        resumed = unfinished and work.ref("payment_order_id") is None
        done: list[str | None] = []
        if work.order.cancelled:  # first: whatever else may be wrong, it must not be shipped
            done.append(self._cancel(work, id, order))
        sent = self._sent(work, self._vat(work.order))
        contact = work.ref("contact_id") or (contacts.bring(work) if unfinished else None)
        done += [self._readdress(work, id, order, contact), *self._pay(work, id, contact, order)]
        after, wrong = following.bring(work, id, order, AFTER)
        done += after
        if not work.order.cancelled:
            credited = self._credited(work)
            done.append(self._restate(work, id) if not credited else None if wrong else self._cancel_credited(work, id))
        if written := comments.bring(work, id, look=True):
            done.append(f"{written} notes added" if written > 1 else "1 note added")
        told, _ = existing.differences(sent, order)
        if told and existing.split_off(work, id):
            work.known.note(f"Order {id} was split in PlentyONE; its items are not compared any more.")
            told = []
        if told:
            raise RecordFailed(
                f"Order {work.order.number} and its PlentyONE order {id} no longer agree: {'; '.join(told)}. Items are "
                "not rebuilt after the export: correct the order in PlentyONE by hand."
                + (f" Done: {', '.join(filter(None, done))}." if any(done) else "")
            )
        if wrong:
            raise RecordFailed(
                " ".join(wrong) + (f" Done: {', '.join(filter(None, done))}." if any(done) else ""),
            )
        what = ", ".join(filter(None, done)) or "nothing to change"
        if resumed and work.ref("payment_order_id") is not None:
            return Written(key=id, created=True, message=f"Order {id} created, finished now: {what}")
        said = f"Order {id} updated: {what}" if any(done) else f"Order {id} is up to date: {what}"
        return Written(key=id, created=False, message=said, total=self._computed(order, sent))

    def _pay(self, work: Work, id: str, contact: str | None, order: Payload) -> list[str | None]:
        before = work.ref("payment_id")
        if not work.doubt and payments.due(work) is not None:
            told = self._told_back(work)
            if told is not None and told.get("invoice_id"):  # by that invoice the shop shows the order as paid
                return [None]
        theirs = work.known.finished and before is None and not work.doubt
        came_in = existing.paid(order, work.order.currency) if theirs else Decimal(0)
        payment = payments.bring(work, id, contact, came_in=came_in)
        if before is None:
            return [f"payment {payment}" if payment else None]
        return [payments.more(work, id, contact)]

    def _restate(self, work: Work, id: str) -> str | None:
        """Send the status when the mapped one differs from what was last sent: people may have moved the order on."""
        status = work.aim.status
        if status is None:
            self._unmapped(work, id)
        if status is None or same(status, work.ref("status_id")):
            return None
        told = self._told_back(work)
        if told is not None and told.get("status") == work.order.status:
            return None
        return self._restated(work, work.send("PUT", f"/rest/orders/{id}", {"statusId": number(status)}), status)

    def _told_back(self, work: Work) -> Mapping[str, str] | None:
        """What an import told the shop about this order: the shop shows it now, and it is no news here."""
        back = work.known.counterpart(work.order.key)
        return back.refs if back is not None and back.reverse and back.ours else None

    def _cancel(self, work: Work, id: str, order: Payload) -> str | None:
        """Cancel it there. An order that was edited is cancelled even where its status is not mapped, into PlentyONE's
        own status: the one that took its place would be shipped beside it."""
        status, successor = work.aim.status, work.order.replaced_by
        if status is None and not successor:
            self._unmapped(work, id)
            return None
        if same(status, work.ref("status_id")) or (status is None and existing.cancelled(order)):
            return None
        told = self._told_back(work)
        if told is not None and told.get("status") == work.order.status:
            return None
        if notes := list(existing.credit_notes(work, id)):
            work.known.note(f"Order {id} has the credit note {', '.join(notes)} and is not cancelled.")
            return None
        message = f"Edited in the shop: order {successor} took its place" if successor else "Cancelled in the shop"
        body: Payload = {"message": message} if status is None else {"statusId": number(status), "message": message}
        return self._restated(work, work.send("PUT", f"/rest/orders/{id}/cancel", body), status)

    def _credited(self, work: Work) -> bool:
        """Whether the order is to be cancelled for its credit note, as a setting says; its status is left alone then."""
        options = work.options
        return bool(options.create_credit_note and options.cancel_on_credit_note) and credits.whole(work.order)

    def _cancel_credited(self, work: Work, id: str) -> str | None:
        """Into the status that is mapped, where that is one of cancelled orders, else into PlentyONE's own."""
        status = work.aim.status if existing.cancelled({"statusId": work.aim.status}) else None
        if existing.cancelled({"statusId": work.ref("status_id")}):
            return None
        body: Payload = {"message": "Refunded in the shop"} | ({} if status is None else {"statusId": number(status)})
        return self._restated(work, work.send("PUT", f"/rest/orders/{id}/cancel", body), status)

    def _restated(self, work: Work, answer: Any, status: str | None) -> str:
        told = answer if isinstance(answer, Mapping) else {}
        status, name = status or key_of(told, "statusId"), told.get("statusName")
        if status is None:
            return "cancelled"
        work.known.learn(status_id=status, status_name=str(name).strip() if name else self._status_name(status))
        return f"status {status}"

    def _unmapped(self, work: Work, id: str) -> None:
        if work.order.status is not None:
            work.known.note(f"Order {id} keeps its status: '{work.order.status}' is not mapped.")

    def _status_name(self, status: str) -> str:
        return next((one.name for one in self.host.catalogue("order_status") if one.id == status), status)

    def _readdress(self, work: Work, id: str, order: Payload, contact: str | None) -> str | None:
        pair = addresses.wanted(work.order, work.options, self.countries)
        old = (work.ref("billing_id"), work.ref("shipping_id"))
        if contact is None and all(old):
            if addresses.unchanged(work, (str(old[0]), str(old[1])), pair):
                return None
            new = addresses.anew(work, pair)
        else:
            new = addresses.bring(work, contact, pair)
        if new == old:
            return None
        if all(old) and existing.locked(order):
            work.known.note(f"Order {id} is locked in PlentyONE (an invoice exists): its changed address was not sent.")
            return None
        work.send("PUT", f"/rest/orders/{id}", {"addressRelations": relations(*new)})
        work.known.learn(billing_id=new[0], shipping_id=new[1])
        return "addresses changed"


def relations(billing: str, shipping: str) -> list[Payload]:
    return [
        {"typeId": addresses.BILLING, "addressId": number(billing)},
        {"typeId": addresses.DELIVERY, "addressId": number(shipping)},
    ]


def body(work: Work, items: Sequence[Item], vat: Rates, found: Payload) -> Payload:
    """The order as POST /rest/orders takes it.

    Without `dates`: that PlentyONE takes the shop's own date (type 2) over REST is not proven, the contract has no such
    field, and a system that refuses it would refuse every order.
    """
    order, aimed = work.order, work.aim
    on_items = bool(work.options.warehouse_on_items)
    frame = Frame(
        currency=order.currency,
        system=work.system,
        rate=work.rated(),
        referrer=aimed.referrer,
        profile=aimed.profile,
        warehouse=aimed.warehouse if on_items else None,
        vat=vat,
    )
    made: Payload = {"typeId": SALES_ORDER, "plentyId": number(aimed.plenty_id), "referrerId": number(aimed.referrer)}
    if aimed.status is not None:
        made["statusId"] = number(aimed.status)
    related = []
    if not on_items:
        related.append({"referenceType": "warehouse", "referenceId": number(aimed.warehouse), "relation": "sender"})
    if found["contact_id"] is not None:
        related.append({"referenceType": "contact", "referenceId": number(found["contact_id"]), "relation": "receiver"})
    if related:
        made["relations"] = related
    made["addressRelations"] = relations(found["billing_id"], found["shipping_id"])
    made["properties"] = properties(work)
    made["orderItems"] = [lines.body(item, frame) for item in items]
    return made


def properties(work: Work) -> list[Payload]:
    """Order properties; values are always texts."""
    order, aimed = work.order, work.aim
    told: dict[int, str | None] = {
        EXTERNAL_ID: order.number,
        METHOD: aimed.method,
        PROFILE: aimed.profile,
        LANGUAGE: aimed.language,
        CUSTOMER_SIGN: order.customer.key,
        COUPON: order.coupon,
        COUPON_TYPE: "fixed" if order.coupon else None,
        VAT_NUMBER: order.billing.vat_id or order.customer.vat_id,
    }
    for path, property in (work.options.attribute_mapping or {}).items():
        value = order.attributes.get(path)
        id = ident(property) if property not in (None, "") else ""
        if value not in (None, "", [], {}) and id.isdigit():
            told[int(id)] = _text(value)
    return [{"typeId": type, "value": value} for type, value in told.items() if value]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
