"""The invoice on its way to refurbed: a PDF, in parts, once, complete, while refurbed takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector import AccessDenied, InDoubt, RecordFailed, RetryLater
from connector.records import Document, DocumentKind, Order, OrderKind
from tests.connector.refurbed.stage import PDF, Stage, fulfilled, invoice, running

MEGABYTE = 1024**2
UPLOAD = "*SetOrderInvoiceStream"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    yield from running(tmp_path)


def invoiced(stage: Stage, content: bytes = PDF) -> Order:
    order = stage.sale(stage.place())
    stage.desk.files["700"] = content
    return fulfilled(order, documents=(invoice(),))


def kept(stage: Stage) -> bytes | None:
    """What refurbed has as the order's invoice."""
    found = stage.market.orders[int(stage.key)].invoice
    return found.content if found else None


def test_the_pdf_is_uploaded_once(stage: Stage) -> None:
    order = invoiced(stage)
    assert "invoice RE-700 uploaded" in stage.write("invoice", order).message
    assert kept(stage) == PDF
    assert stage.known(order, "invoice").refs["invoice"] == "RE-700"
    stage.write("invoice", order)
    assert "already" in stage.write("invoice", order, event="2").message
    assert stage.count("invoices") == 1
    assert stage.desk.read == 1


@pytest.mark.parametrize("size", [MEGABYTE, MEGABYTE + 1, 2 * MEGABYTE])
def test_a_large_file_goes_in_messages_of_at_most_a_megabyte(stage: Stage, size: int) -> None:
    content = PDF.ljust(size, b"\0")
    stage.write("invoice", invoiced(stage, content))
    assert kept(stage) == content


def test_more_than_two_megabytes_are_refused_before_they_are_sent(stage: Stage) -> None:
    with pytest.raises(RecordFailed, match=r"has 2097153 bytes, refurbed takes 2097152 \(2 MB\) at most"):
        stage.write("invoice", invoiced(stage, PDF.ljust(2 * MEGABYTE + 1, b"\0")))
    assert stage.calls() == ["GetOrder"]


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x03\x04"])
def test_what_is_no_pdf_is_refused_before_it_is_sent(stage: Stage, content: bytes) -> None:
    with pytest.raises(RecordFailed, match="is no PDF"):
        stage.write("invoice", invoiced(stage, content))
    assert stage.calls() == ["GetOrder"]


def test_a_missing_right_for_documents_holds_up_the_invoice_and_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def content(order: Order, document: Document) -> bytes:
        raise AccessDenied("erp: the REST user lacks the right to show documents. Grant it.")

    order = invoiced(stage)
    monkeypatch.setattr(stage.desk, "content", content)
    with pytest.raises(RetryLater, match=r"RE-700 cannot be read and waits: erp: .* lacks the right") as waiting:
        stage.write("invoice", order)
    assert waiting.value.aside
    monkeypatch.undo()
    stage.write("invoice", order)
    assert kept(stage) == PDF


def test_an_order_that_is_too_old_takes_no_invoice(stage: Stage) -> None:
    order = invoiced(stage)
    stage.control("edit", id=stage.key, invoiceable=False)
    with pytest.raises(RecordFailed, match="takes no invoice for order"):
        stage.write("invoice", order)
    assert stage.calls() == ["GetOrder"]


def test_the_newest_invoice_is_the_one(stage: Stage) -> None:
    order = invoiced(stage)
    stage.desk.files["701"] = PDF + b"newer"
    note = Document(key="702", kind=DocumentKind.DELIVERY_NOTE, number="LS-1")
    order = fulfilled(order, documents=(invoice("701", "RE-701", hours=1), invoice(), note))
    stage.write("invoice", order)
    assert kept(stage) == PDF + b"newer"


def test_a_newer_document_takes_the_place_of_the_old_one(stage: Stage) -> None:
    order = invoiced(stage)
    stage.write("invoice", order)
    stage.desk.files["701"] = PDF + b"newer"
    order = fulfilled(order, documents=(invoice(), invoice("701", "RE-701", hours=1)))
    stage.write("invoice", order, event="2")
    assert kept(stage) == PDF + b"newer"
    assert "takes the place" in stage.known(order, "invoice", "2").notes[0]
    assert stage.count("invoices") == 2


def test_without_a_document_it_waits(stage: Stage) -> None:
    order = fulfilled(invoiced(stage), documents=())
    with pytest.raises(RetryLater, match="no invoice document yet") as said:
        stage.write("invoice", order)
    assert said.value.aside
    assert stage.calls() == []


def test_an_order_that_is_shipped_in_parts_has_one_complete_invoice(stage: Stage) -> None:
    stage.write("invoice", fulfilled(invoiced(stage), shares=True))
    assert kept(stage) == PDF


def test_of_a_delivery_order_the_invoice_of_its_sales_order_is_sent_once(stage: Stage) -> None:
    order = invoiced(stage)
    stage.desk.orders[order.key] = order
    stage.desk.files["701"] = PDF + b"of the part"
    for key, line in zip(("124", "125"), order.lines, strict=True):
        own = fulfilled(stage.child(order, OrderKind.DELIVERY, key, [line]), documents=(invoice("701", "RE-701"),))
        assert "RE-700" in stage.write("invoice", own).message
    assert kept(stage) == PDF
    assert stage.count("invoices") == 1


def test_a_delivery_order_whose_sales_order_has_no_invoice_says_so_plainly(stage: Stage) -> None:
    order = invoiced(stage)
    stage.desk.orders[order.key] = fulfilled(order, documents=())
    part = fulfilled(stage.child(order, OrderKind.DELIVERY, "124", order.lines[:1]), documents=(invoice(),))
    with pytest.raises(RecordFailed, match="Delivery order 124: its invoice is none for the complete refurbed order"):
        stage.write("invoice", part)
    none = fulfilled(part, documents=())
    with pytest.raises(RetryLater, match="Delivery order 124: it has no invoice document yet"):
        stage.write("invoice", none, event="2")
    assert stage.count("invoices") == 0
    whole = fulfilled(stage.child(order, OrderKind.DELIVERY, "125", order.lines), documents=(invoice(),))
    stage.write("invoice", whole)
    assert kept(stage) == PDF


def test_the_invoice_of_a_part_is_refused_naming_what_is_missing(stage: Stage) -> None:
    order = invoiced(stage)
    with pytest.raises(RecordFailed, match=r"none for the complete refurbed order.*'ThinkPad"):
        stage.write("invoice", replace(order, lines=order.lines[:1]))
    assert stage.calls() == ["GetOrder"]


def test_what_was_cancelled_need_not_be_on_it(stage: Stage) -> None:
    order = invoiced(stage)
    stage.item(1).state = "CANCELLED"
    stage.write("invoice", replace(order, lines=order.lines[:1]))
    assert kept(stage) == PDF


@pytest.mark.parametrize("kind", ["drop_after", "truncated"])
def test_after_a_lost_answer_the_invoice_is_not_sent_again(stage: Stage, kind: str) -> None:
    order = invoiced(stage)
    stage.faults({"kind": kind, "path": UPLOAD, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("invoice", order)
    assert "an earlier attempt uploaded it" in stage.write("invoice", order).message
    assert "already" in stage.write("invoice", order, event="2").message
    assert stage.count("invoices") == 1


def test_after_a_lost_question_the_invoice_is_sent(stage: Stage) -> None:
    order = invoiced(stage)
    stage.faults({"kind": "drop_before", "path": UPLOAD, "times": 1})
    with pytest.raises(InDoubt):
        stage.write("invoice", order)
    stage.write("invoice", order)
    assert stage.count("invoices") == 1


def test_an_invoice_that_somebody_removed_there_can_be_sent_again(stage: Stage) -> None:
    order = invoiced(stage)
    stage.write("invoice", order)
    stage.market.orders[int(stage.key)].invoice = None
    stage.write("invoice", order, event="2")
    assert kept(stage) == PDF


def test_a_file_that_arrived_damaged_is_sent_again(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order = invoiced(stage)
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def damaged(service: str, method: str, body: object = None, **more: object) -> dict[str, object]:
        answer: dict[str, object] = right(service, method, body, **more)
        return {**answer, "crc32": "00000000"} if method == "SetOrderInvoiceStream" else answer

    monkeypatch.setattr(stage.events.client, "ask", damaged)
    with pytest.raises(RetryLater, match="It is sent again"):
        stage.write("invoice", order)
    monkeypatch.undo()
    assert "uploaded" in stage.write("invoice", order).message
    assert stage.count("invoices") == 2


def test_an_answer_without_size_and_sum_is_taken_as_it_is(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    order = invoiced(stage)
    right = stage.events.client.ask  # type: ignore[attr-defined]

    def silent(service: str, method: str, body: object = None, **more: object) -> dict[str, object]:
        answer: dict[str, object] = right(service, method, body, **more)
        return {"url": answer["url"]} if method == "SetOrderInvoiceStream" else answer

    monkeypatch.setattr(stage.events.client, "ask", silent)
    assert "uploaded" in stage.write("invoice", order).message
    assert stage.count("invoices") == 1


def test_a_dry_run_uploads_nothing(stage: Stage) -> None:
    order = invoiced(stage)
    stage.events.client.dry = stage.events.pretend
    assert "uploaded" in stage.write("invoice", order).message
    assert kept(stage) is None


def test_a_dry_run_plans_a_large_file_without_its_megabytes(stage: Stage) -> None:
    order = invoiced(stage, PDF.ljust(MEGABYTE + 5, b"\0"))
    stage.events.client.dry = stage.events.pretend
    stage.write("invoice", order)
    (planned,) = stage.events.client.planned
    told = [one.get("data") for one in planned[2]]
    assert told[1].startswith("JVBERi0x")
    assert told[1].endswith("… (1,398,104 characters)")
    assert told[2] == "AAAAAAA="
