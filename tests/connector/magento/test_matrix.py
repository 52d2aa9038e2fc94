"""Each paper, each condition: which of them has an invoice, a shipment or a credit memo made. One row is one case.

Conditions are joined by or; while none is switched on, the paper is made; a method that is excluded comes before all of
them. Each row is tried for the whole order and for a part of it (what remains of a sale that was split, a delivery, some
lines), once, again, and after an answer that was lost: what is made is made once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from connector import Known, RecordFailed, RetryLater, SkipRecord
from connector.records import DocumentKind, Order, OrderKind
from tests.connector.magento.acts import (
    MOMENT,
    child,
    known,
    look,
    made,
    package,
    paper,
    place,
    record,
    some,
    until_written,
    write,
)
from tests.connector.magento.conftest import Shop

Json = dict[str, Any]
MADE = "made"
NOTHING = "nothing to do"
INVOICE, SHIPMENT, CREDIT = "invoices", "shipments", "creditmemos"
BILL, NOTE, REFUND = (
    {"documents": paper(kind)} for kind in (DocumentKind.INVOICE, DocumentKind.DELIVERY_NOTE, DocumentKind.CREDIT_NOTE)
)
SHIPPED: Json = {"shipped_at": MOMENT}
LABELLED: Json = {"packages": (package("1", "JD1"),)}
ON_HOLD: Json = {"hold_order": True, "hold_statuses": [3]}

STATUS_5 = {"status_condition": True, "statuses": ["5.00"]}
STATUS_7 = {"status_condition": True, "statuses": [7]}
PAPER: Json = {"document_condition": True}
NUMBER: Json = {"tracking_condition": True}
FULL = {"payment_condition": True, "payment_statuses": ["fullyPaid"]}
OVER = {"payment_condition": True, "payment_statuses": ["overpaid"]}
ZERO: Json = {"zero_totals": True}

# The settings are those of the paper ("status_condition" is invoice_status_condition ...), the facts those of a record in
# status 5 that is paid in full and whose order was paid by checkmo; "kept back" means: nothing, and the reason is said.
# fmt: off
CASES: list[tuple[str, Json | None, Json, str]] = [
    # paper, its settings (None: it is switched off), facts of the order, what is expected
    (INVOICE,  None,                              {},                              NOTHING),
    (INVOICE,  {},                                {},                              MADE),
    (INVOICE,  STATUS_5,                          {},                              MADE),
    (INVOICE,  STATUS_7,                          {},                              NOTHING),
    (INVOICE,  FULL,                              {},                              MADE),
    (INVOICE,  OVER,                              {},                              NOTHING),
    (INVOICE,  OVER,                              {"payment_status": "overpaid"},  MADE),
    (INVOICE,  FULL,                              {"payment_status": "unpaid"},    NOTHING),
    (INVOICE,  FULL,                              {"payment_status": "partlyPaid"}, NOTHING),
    (INVOICE,  PAPER,                             BILL,                            MADE),
    (INVOICE,  PAPER,                             NOTE,                            NOTHING),
    (INVOICE,  PAPER,                             {},                              NOTHING),
    (INVOICE,  ZERO,                              {},                              NOTHING),
    (INVOICE,  ZERO,                              {"free": True},                  MADE),
    (INVOICE,  {**STATUS_7, **PAPER},             BILL,                            MADE),
    (INVOICE,  {**STATUS_5, **OVER, **PAPER},     {},                              MADE),
    (INVOICE,  {**STATUS_7, **OVER, **PAPER, **ZERO}, {},                          NOTHING),
    (INVOICE,  {"excluded_methods": ["checkmo"]}, {},                              NOTHING),
    (INVOICE,  {"excluded_methods": ["checkmo"], **STATUS_5, **PAPER}, BILL,       NOTHING),
    (INVOICE,  {"excluded_methods": ["banktransfer"]}, {},                         MADE),
    (INVOICE,  {"excluded_methods": ["banktransfer"], **STATUS_7}, {},             NOTHING),
    (INVOICE,  {},                                {"status": "3"},                 "until it is released"),
    (INVOICE,  {},                                {"held": True},                  "waits. Release it in Magento"),
    (INVOICE,  {},                                {"off": "0.01"},                 "Nothing is invoiced"),
    (SHIPMENT, None,                              SHIPPED,                         NOTHING),
    (SHIPMENT, {},                                {},                              NOTHING),
    (SHIPMENT, {},                                SHIPPED,                         MADE),
    (SHIPMENT, {},                                LABELLED,                        MADE),
    (SHIPMENT, {},                                {"packages": (package("1"),)},   NOTHING),
    (SHIPMENT, STATUS_5,                          {},                              MADE),
    (SHIPMENT, STATUS_7,                          {},                              NOTHING),
    (SHIPMENT, STATUS_7,                          SHIPPED,                         NOTHING),
    (SHIPMENT, PAPER,                             NOTE,                            MADE),
    (SHIPMENT, PAPER,                             {**BILL, **SHIPPED},             NOTHING),
    (SHIPMENT, NUMBER,                            LABELLED,                        MADE),
    (SHIPMENT, NUMBER,                            SHIPPED,                         NOTHING),
    (SHIPMENT, {**STATUS_7, **PAPER, **NUMBER},   NOTE,                            MADE),
    (SHIPMENT, {**STATUS_7, **PAPER, **NUMBER},   SHIPPED,                         NOTHING),
    (SHIPMENT, {},                                {**SHIPPED, "status": "3"},      "until it is released"),
    (SHIPMENT, {},                                {**SHIPPED, "held": True},       "waits. Release it in Magento"),
    (CREDIT,   None,                              {},                              "'Create credit memo' is off"),
    (CREDIT,   {},                                {},                              MADE),
    (CREDIT,   STATUS_5,                          {},                              MADE),
    (CREDIT,   STATUS_7,                          {},                              "no condition for a credit memo"),
    (CREDIT,   PAPER,                             REFUND,                          MADE),
    (CREDIT,   PAPER,                             BILL,                            "no condition for a credit memo"),
    (CREDIT,   {**STATUS_7, **PAPER},             REFUND,                          MADE),
    (CREDIT,   {**STATUS_7, **PAPER},             {},                              "no condition for a credit memo"),
    (CREDIT,   {},                                {"total": "0"},                  "is over 0.00"),
    (CREDIT,   {},                                {"total": "99"},                 "are paid and not refunded yet"),
    (CREDIT,   {},                                {"unbilled": True},              "waits for the invoice"),
    (CREDIT,   {},                                {"status": "3"},                 "until it is released"),
    (CREDIT,   {},                                {"held": True},                  "Release it there"),
]
# fmt: on
PREFIX = {INVOICE: "invoice_", SHIPMENT: "shipment_", CREDIT: "credit_memo_"}
SWITCH = {INVOICE: "create_invoice", SHIPMENT: "create_shipment", CREDIT: "create_credit_memo"}
ROUTE = {INVOICE: "*/invoice", SHIPMENT: "*/ship", CREDIT: "*/refund"}
KEPT = ("qty", "item", "sku", "prod", "name")  # of the rows of an order that costs nothing
WHOLE, PART = "whole", "part"
TIMES = ("once", "again", "after doubt")


@dataclass(frozen=True, kw_only=True)
class Case:
    what: str
    settings: Json | None
    facts: Json
    expected: str

    def options(self) -> Json:
        if self.settings is None:
            return {}
        own = {f"{PREFIX[self.what]}{name}": value for name, value in self.settings.items()}
        return {SWITCH[self.what]: True, **own, **(ON_HOLD if self.facts.get("status") == "3" else {})}

    def __str__(self) -> str:
        settings = "off" if self.settings is None else "-".join(self.settings) or "always"
        return f"{self.what} {settings} {'-'.join(self.facts)} {self.expected[:12]}"


def cases() -> Iterator[Any]:
    for row in CASES:
        case = Case(**dict(zip(("what", "settings", "facts", "expected"), row, strict=True)))
        for extent in (WHOLE, PART):
            if extent == PART and ("free" in case.facts or "packages" in case.facts):
                continue  # a part of nothing; parts by what is in packages are tests of their own
            for times in TIMES if case.expected == MADE else TIMES[:2]:
                yield pytest.param(case, extent, times, id=f"{case} {extent} {times}")


def prepared(shop: Shop, case: Case) -> Json:
    """The shop's order as the facts say."""
    order = place(shop, ("BECHER-W", 4), ("KAF-1000", 2))
    id = order["entity_id"]
    ask = shop.connector().client.ask
    if case.facts.get("free"):
        zero = {name: 0 for name, value in order.items() if isinstance(value, Decimal) and "rate" not in name}
        rows = [
            {key: _plain(value) if key.startswith(KEPT) else 0 for key, value in one.items()
             if not isinstance(value, dict | list)}
            for one in order["items"]
        ]  # fmt: skip
        shop.control("change_order", entity_id=id, set={**zero, "items": rows})
    if case.what == CREDIT and not case.facts.get("unbilled"):
        ask("POST", f"order/{id}/invoice", body={})
    if case.facts.get("held") or case.facts.get("status") == "3":
        ask("POST", f"orders/{id}/hold", body={})
    return look(shop, id)


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def told(order: Json, case: Case, extent: str) -> Order:
    """PlentyONE's record, of all or of a part."""
    story = {name: value for name, value in case.facts.items() if name in ("payment_status", "documents", "packages")}
    story |= {name: case.facts[name] for name in ("shipped_at",) if name in case.facts}
    whole = record(order, fulfilment=story, status=case.facts.get("status", "5"))
    if case.what == CREDIT:
        total = case.facts.get("total") or (order["grand_total"] if extent == WHOLE else "9.99")
        lines = () if extent == WHOLE else (some(whole.lines[0], 1),)
        return child(whole, OrderKind.CREDIT, "700009", *lines, total=total)
    if extent == PART and case.what == SHIPMENT:
        return child(whole, OrderKind.DELIVERY, "700002", some(whole.lines[0], 1), **story)
    off = Decimal(case.facts.get("off", 0))
    if extent == PART:
        lines = (some(whole.lines[0], 1), *whole.lines[1:])
        whole = replace(whole, lines=lines, grand_total=sum((one.total for one in lines), Decimal(0)))
    return replace(whole, grand_total=whole.grand_total + off)


def brought(shop: Shop, one: Order, what: Known, options: Json, times: str) -> str:
    """What was said of it in the end."""
    said = ""
    for _ in range(2 if times == "again" else 1):
        try:
            written = (until_written if times == "after doubt" else write)(shop, one, what, **options)  # type: ignore[operator]
            said = written.message
            if times == "after doubt":  # the rows say what there is, and nothing is made again
                write(shop, one, what, **options)
        except (RecordFailed, SkipRecord, RetryLater) as error:
            said = str(error)
    return said


@pytest.mark.parametrize(("case", "extent", "times"), list(cases()))
def test_which_paper_is_made_when(shop: Shop, case: Case, extent: str, times: str) -> None:
    order = prepared(shop, case)
    before = made(shop, order["entity_id"])
    what = known(order["entity_id"])
    if times == "after doubt":
        shop.faults({"kind": "drop_after", "method": "POST", "path": ROUTE[case.what], "times": 1})
    mails = {f"send_{PREFIX[case.what].strip('_')}_email": True}
    said = brought(shop, told(order, case, extent), what, {**case.options(), **mails}, times)
    after = made(shop, order["entity_id"])
    fresh = {name: len(after[name]) - len(before[name]) if name == "tracks" else after[name] - before[name]
             for name in (INVOICE, SHIPMENT, CREDIT)}  # fmt: skip
    assert fresh == {**dict.fromkeys((INVOICE, SHIPMENT, CREDIT), 0), case.what: int(case.expected == MADE)}, said
    assert sum(after["mails"].values()) == int(case.expected == MADE)
    if case.expected == NOTHING:
        assert "nothing" in said.lower(), said  # to do, or of it is to be shipped yet
    elif case.expected == MADE:
        total = {INVOICE: "total_invoiced", CREDIT: "total_refunded"}.get(case.what)
        if total:
            assert look(shop, order["entity_id"])[total] == told(order, case, extent).grand_total
    else:
        assert case.expected in said
