"""Where is order 100000123? The search, and the page of one order."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, select, update

from connector import Account, Found, Options, RecordFailed
from connector.magento.orders import Orders as MagentoOrders
from connector.plentyone.orders import Orders as PlentyOrders
from profiles.db import now
from profiles.ledger import pack
from profiles.models import DataLog, DryRun, DryRunLine, Profile, SyncHistory, SyncRecord, Task
from tests.admin.conftest import SECRETS, Browser, ErpOrders, Seeded, ShopOrders
from tests.admin.test_pages import text


def another_profile(seeded: Seeded, name: str = "Second", *, back: bool = False) -> int:
    with seeded.db.session() as session:
        old = session.get_one(Profile, seeded.profile)
        ends = (old.to_id, old.from_id) if back else (old.from_id, old.to_id)
        made = Profile(
            name=name, entity="order", direction="import" if back else "export", from_id=ends[0], to_id=ends[1],
            cron="* * * * *", created_at=now(), updated_at=now(),
        )  # fmt: skip
        session.add(made)
        session.flush()
        return made.id


def record_of(seeded: Seeded, profile: int, **values: Any) -> int:
    with seeded.db.session() as session:
        given = {"status": "complete", "created_at": now(), "updated_at": now(), **values}
        made = SyncRecord(profile_id=profile, **given)
        session.add(made)
        session.flush()
        session.add(
            SyncHistory(
                profile_id=profile, record_id=made.id, source_id=made.source_id, source_number=made.source_number,
                target_id=made.target_id, status=made.status, direction="export", message="Told by the other profile.",
                created_at=now(),
            )
        )  # fmt: skip
        return made.id


# search


@pytest.mark.parametrize("asked", ["100000004", "5", "204"])
def test_an_order_is_found_by_number_id_and_customer(anna: Browser, seeded: Seeded, asked: str) -> None:
    assert anna.get(f"/orders/?q={asked}").headers["Location"] == f"/orders/{seeded.failed}/"


def test_one_order_in_two_profiles_is_one_hit(anna: Browser, seeded: Seeded) -> None:
    twin = record_of(seeded, another_profile(seeded), source_id="5", source_number="100000004")
    assert anna.get("/orders/?q=100000004").headers["Location"] == f"/orders/{twin}/"
    page = text(anna.get(f"/orders/{seeded.failed}/"))
    assert "This order on its whole way" in page
    assert "Told by the other profile." in page, "the timeline is that of all profiles"


def test_several_orders_are_a_list(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id.in_([2, 3, 4])).values(customer="C7"))
    page = text(anna.get("/orders/?q=C7"))
    assert re.findall(r'href="/orders/(\d+)/"', page) == ["4", "3", "2"]


def test_amounts_of_the_list_are_written_as_the_reader_writes_them(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id.in_([2, 3])).values(customer="C7", amount="1234.50 EUR"))
    assert "1.234,50 EUR" in text(anna.get("/orders/?q=C7", headers={"Accept-Language": "de"}))


def test_the_way_back_is_the_same_order(anna: Browser, seeded: Seeded) -> None:
    record_of(
        seeded, another_profile(seeded, "Back", back=True), source_id="50000", source_number="50000", target_id="1"
    )
    assert "Told by the other profile." in text(anna.get(f"/orders/{seeded.complete}/"))


def test_an_order_that_is_not_known_is_looked_for_at_its_source(
    anna: Browser, victor: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShopOrders, "number", lambda self, number: None, raising=False)
    page = text(anna.get("/orders/?q=4711"))
    assert "No order is known by 4711" in page
    assert "in every profile" in page
    assert "Look for it in shop-de" in page
    assert "Look for it" not in text(victor.get("/orders/?q=4711"))
    asked = anna.post("/orders/fetch", {"number": "4711", "profile": seeded.profile})
    with seeded.db.reading() as session:
        task = session.scalars(select(Task).where(Task.asked_by == "anna", Task.status == "pending")).one()
        assert task.request == {"order": "4711"}
    waiting = text(anna.get(asked.headers["Location"]))
    assert "shop-de is asked for 4711" in waiting
    with seeded.db.session() as session:
        session.execute(
            update(Task).where(Task.id == task.id).values(status="error", message="It was not found there.")
        )
    address = f"/orders/sought.json?q=4711&task={task.id}"
    assert "It was not found there." in anna.get(address).get_json()["html"]
    made = record_of(seeded, seeded.profile, source_id="4711", source_number="4711")
    assert f'href="/orders/{made}/"' in anna.get(address).get_json()["html"]


# the page


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"status": "complete", "target_id": "45678"}, "is in erp as <b>45678</b>: complete"),
        ({"status": "failed", "target_id": None}, "is not in erp: it failed"),
        ({"status": "failed", "target_id": "45678"}, "is in erp as <b>45678</b>, but the last attempt failed"),
        ({"status": "pending", "target_id": None, "next_attempt_at": None}, "waits to be sent to erp."),
        ({"status": "processing"}, "is being sent to erp right now"),
        ({"status": "skipped", "target_id": None}, "was left out"),
    ],
)
def test_the_first_sentence_says_where_it_is(anna: Browser, seeded: Seeded, values: dict[str, Any], said: str) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(**values))
    page = text(anna.get(f"/orders/{seeded.failed}/"))
    assert said in page
    assert ("data-poll=" in page) is (values["status"] in ("pending", "processing"))


def test_the_timeline_tells_everything_in_the_order_of_time(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        record = session.get_one(SyncRecord, seeded.failed)
        session.add(
            DataLog(
                connection_id=seeded.erp, identifier="strangererp", path="/rest/orders", method="POST", status=422,
                seconds=0.5, reference=record.source_number, request="{}", response='{"token": "' + SECRETS[0] + '"}',
                created_at=record.updated_at - timedelta(seconds=1),
            )
        )  # fmt: skip
        record.refs = {"contact_id": "900"}
    anna.post("/orders/act", {"action": "retry", "id": seeded.failed})
    expected = ["Placed in shop-de.", "Seen for the first time", "/rest/orders", "Claimed by a run.",
                "klarna_pay_later", "To be retried by anna."]  # fmt: skip

    def places(query: str) -> list[int]:
        page = text(anna.get(f"/orders/{seeded.failed}/{query}"))
        inside = page[page.index('<ol class="timeline">') : page.index("</ol>")]
        assert SECRETS[0] not in inside
        return [inside.index(one) for one in expected]

    assert places("?dir=oldest") == sorted(places("?dir=oldest"))
    assert places("") == sorted(places(""), reverse=True)
    assert "anna asked for a run of this one" in text(anna.get(f"/orders/{seeded.failed}/"))


def test_ids_are_told_with_the_line_that_learned_them(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/orders/{seeded.complete}/"))
    inside = page[page.index('<ol class="timeline">') : page.index("</ol>")]
    assert "Plenty Contact ID <b>900</b>" in inside


@pytest.mark.parametrize(
    ("values", "name", "scope"),
    [
        ({"setting": "warehouse_id"}, "warehouse_id", None),
        ({"setting": "referrer_id", "store": "de"}, "referrer_id", "stores.de"),
        ({"message": "Order 1: payment method 'klarna' of store de is not mapped."}, "payment_mapping", None),
        ({"message": "Order 1: order status 'odd' of store de is not mapped."}, "status_mapping", None),
        ({"message": "Order 1: the main warehouse of store de is not set."}, "warehouse_id", None),
        ({"message": "Left out (setting status_filter)."}, "status_filter", None),
    ],
)
def test_a_failed_order_leads_to_the_very_setting(
    anna: Browser, seeded: Seeded, values: dict[str, Any], name: str, scope: str | None
) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(**values))
    page = text(anna.get(f"/orders/{seeded.failed}/"))
    query = f"?scope={scope}" if scope else ""
    address = f"/profiles/{seeded.profile}/options/{query}"
    assert f'href="{address}#setting-{name}"' in page
    assert f'id="setting-{name}"' in text(anna.get(address)), "the field is there"
    assert "What to do:" in page


def test_an_order_that_waits_says_that_the_last_run_stopped(anna: Browser, seeded: Seeded) -> None:
    said = "Nothing was sent: payment method 'x' of store de is not mapped. Complete the settings of this profile."
    with seeded.db.session() as session:
        session.execute(
            update(SyncRecord).where(SyncRecord.id == seeded.failed).values(
                status="pending", message="Read; to be sent.", created_at=now() - timedelta(days=1))
        )  # fmt: skip
        session.add(
            Task(profile_id=seeded.profile, status="error", job_code="order_export", created_at=now(),
                 scheduled_at=now(), executed_at=now(), finished_at=now(), message=said)
        )  # fmt: skip
    page = text(anna.get(f"/orders/{seeded.failed}/"))
    assert "The last run of this profile stopped:" in page
    assert "#setting-payment_mapping" in page


def test_the_order_is_linked_in_both_systems(anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Account] = []

    def page(account: Account, key: str) -> str:
        seen.append(account)
        return f"{account.base_url}/order/{key}"

    monkeypatch.setattr(ShopOrders, "page", staticmethod(page))
    monkeypatch.setattr(ErpOrders, "page", staticmethod(lambda account, key: f"javascript:{key}"))
    shown = text(anna.get(f"/orders/{seeded.complete}/"))
    assert 'href="https://shop.example.com/order/1"' in shown
    assert "javascript:" not in shown
    assert not seen[0].settings.get("token"), "the address is made without secrets"


def test_the_known_systems_say_how_their_addresses_are_formed() -> None:
    def account(url: str, **settings: Any) -> Account:
        return Account(name="a", base_url=url, settings=Options(settings))

    shop = "https://shop.example.com"
    assert MagentoOrders.page(account(shop), "7") is None, "the path of the admin is not known"
    assert MagentoOrders.page(account(shop, admin_path="/adm/"), "7") == f"{shop}/adm/sales/order/view/order_id/7/"
    assert MagentoOrders.page(account(shop, admin_path="adm", index_php=True), "7") == (
        f"{shop}/index.php/adm/sales/order/view/order_id/7/"
    )
    assert MagentoOrders.page(account(shop, admin_path="adm"), "../x") is None
    plenty = "https://p1.my.plentysystems.com"
    assert PlentyOrders.page(account(plenty), "45678") == f"{plenty}/plenty/terra/order/order-ui/45678"


def test_the_payload_is_shown_without_secrets_and_read_anew_on_demand(
    anna: Browser, victor: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/orders/{seeded.failed}/payload"
    assert "no longer kept" in text(anna.get(address))
    with seeded.db.session() as session:
        kept = pack({"increment_id": "100000004", "api_token": SECRETS[0]})
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(payload=kept))
    page = text(victor.get(address))
    assert "100000004" in page
    assert SECRETS[0] not in page
    assert victor.post(address).status_code == 403

    def get(self: Any, key: str) -> Found:
        if key == "5":
            payload = {"grand_total": 99, "password": SECRETS[0]}
            return Found(key=key, number="100000004", version="1", updated_at=None, payload=payload)
        raise RecordFailed("It cannot be read.")

    monkeypatch.setattr(ShopOrders, "get", get, raising=False)
    fresh = text(anna.post(address))
    assert "grand_total" in fresh
    assert SECRETS[0] not in fresh
    assert "It cannot be read." in text(anna.post(f"/orders/{seeded.complete}/payload"))


def test_a_dry_run_says_why_a_record_would_be_skipped_beside_its_totals(anna: Browser, seeded: Seeded) -> None:
    why = "Nothing changed since it was written, and nothing differs there."
    totals = {"source": "1234.50", "target": "1234.50", "currency": "EUR"}
    address = dry_line(seeded, "skip", message=why, totals=totals).partition("line/")[0]
    assert why in text(anna.get(address))
    assert "1.234,50 EUR → 1.234,50 EUR" in text(anna.get(address, headers={"Accept-Language": "de"}))


def test_what_a_dry_run_lacks_is_listed_by_setting_as_of_a_run(anna: Browser, seeded: Seeded) -> None:
    address = dry_line(seeded, "failed").partition("line/")[0]
    lacking = "payment method 'a' of store de is not mapped; payment method 'b' of store at is not mapped"
    with seeded.db.session() as session:
        run = session.scalars(select(DryRun)).one()
        run.status = "error"
        run.message = f"Nothing was sent: {lacking}. Complete the settings of this profile and run it again."
    page = text(anna.get(address))
    assert "Nothing was sent: 2 things are missing in the settings." in page
    assert re.search(r'<a href="[^"]*#setting-payment_mapping">[^<]*</a>: a \(de\), b \(at\)', page)


@pytest.mark.parametrize(
    ("by", "said"), [("anna", "dry run by anna"), ("command line", "dry run on the command line"), (None, "")]
)
def test_the_timeline_says_which_calls_were_a_dry_runs_and_whose(
    anna: Browser, seeded: Seeded, by: str | None, said: str
) -> None:
    with seeded.db.session() as session:
        call = session.get_one(DataLog, seeded.call)
        reference = call.reference
        call.dry_run_by, call.task_id = by, None
        mine = select(SyncRecord.id).where(SyncRecord.source_number == reference).order_by(SyncRecord.id)
        record = session.scalars(mine).first()
    page = text(anna.get(f"/orders/{record}/"))
    assert ("dry run by" in page or "dry run on" in page) is bool(said)
    assert said in page
    alone = text(anna.get(f"/log/{seeded.call}/"))
    assert said in alone
    assert ("outside of a run" in alone) is not bool(said)


def test_a_dry_run_from_the_command_line_is_not_told_as_a_run(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        task = session.get_one(Task, seeded.task)
        record = session.get_one(SyncRecord, seeded.complete)
        task.asked_by, task.request = "command line", {"order": record.source_number, "dry_run": True}
    page = text(anna.get(f"/orders/{seeded.complete}/"))
    assert "asked for a dry run of this one" in page
    assert "asked for a run of this one" not in page


def dry_line(seeded: Seeded, action: str, **given: Any) -> str:
    """The address of what a dry run says of one record."""
    with seeded.db.session() as session:
        run = DryRun(
            profile_id=seeded.profile, asked_by="anna", status="success", counts={}, beat_at=now(), created_at=now(),
            finished_at=now(),
        )  # fmt: skip
        session.add(run)
        session.flush()
        line = {"message": "Order 7", "calls": [], "notes": [], "kind": None, **given}
        row = DryRunLine(dry_run_id=run.id, position=0, source_number="7", action=action, line=line)
        session.add(row)
        session.flush()
        return f"/profiles/{seeded.profile}/dry-run/line/{row.id}/"


def test_a_record_for_which_nothing_would_be_sent_is_not_said_to_be_updated(anna: Browser, seeded: Seeded) -> None:
    address = dry_line(seeded, "up to date").partition("line/")[0]
    page = text(anna.get(address))
    assert "up to date, nothing to send" in page
    assert "would be updated" not in page
    assert "aktuell, nichts zu senden" in text(anna.get(address, headers={"Accept-Language": "de"}))


def test_a_value_bears_the_name_of_an_entry_only_where_its_cell_of_the_row_is_a_list(
    anna: Browser, seeded: Seeded
) -> None:
    told = {"path": "payment.method", "setting": "payment_mapping", "row": "paypal"}
    origins = {"mopId": {**told, "column": "method"}, "status": {**told, "column": "create"}}
    call = {"method": "POST", "path": "/pay", "body": {"mopId": 14, "status": 2}, "origins": origins}
    page = text(anna.get(dry_line(seeded, "create", calls=[call])))
    assert "PayPal" in page
    assert "Cash on delivery" not in page
    assert "row “paypal” of Payment method mapping, Create payment for this method?" in page


def test_a_dry_run_of_the_order_is_offered(anna: Browser, seeded: Seeded) -> None:
    assert f'href="/profiles/{seeded.profile}/dry-run/?order=100000004"' in text(anna.get(f"/orders/{seeded.failed}/"))


def test_a_page_that_asks_again_learns_of_changes(anna: Browser, seeded: Seeded) -> None:
    address = f"/orders/{seeded.failed}/now.json"
    first, again = anna.get(address).get_json(), anna.get(address).get_json()
    assert first["mark"] == again["mark"], "tokens of forms are no change"
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(status="complete"))
    assert anna.get(address).get_json()["mark"] != first["mark"]


def other_profile(seeded: Seeded, number: str, target: str) -> None:
    """Another profile between the same systems, which brought this order there."""
    with seeded.db.session() as session:
        mine = session.get_one(Profile, seeded.profile)
        values = {one.key: getattr(mine, one.key) for one in inspect(Profile).column_attrs if one.key != "id"}
        other = Profile(**{**values, "name": "Orders by night"})
        session.add(other)
        session.flush()
        record = session.get_one(SyncRecord, seeded.failed)
        session.add(
            SyncRecord(
                profile_id=other.id, source_id=record.source_id, source_number=number, target_id=target,
                status="complete", created_at=record.created_at, updated_at=record.updated_at,
            )
        )  # fmt: skip


def test_an_order_that_another_profile_brought_is_not_said_to_be_missing(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.reading() as session:
        number = session.get_one(SyncRecord, seeded.failed).source_number
    assert "is not in erp" in text(anna.get(f"/orders/{seeded.failed}/"))
    other_profile(seeded, str(number), "9876")
    page = text(anna.get(f"/orders/{seeded.failed}/"))
    assert "is not in erp" not in page
    assert "is in erp as <b>9876</b>, brought by the profile Orders by night. Here it failed" in page
    assert "not there yet" not in page


def test_a_payload_is_offered_only_where_there_is_one(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.failed).values(payload=pack({"a": 1})))
        session.execute(update(SyncRecord).where(SyncRecord.id == seeded.complete).values(payload=None))
    assert "Show payload" in text(victor.get(f"/orders/{seeded.failed}/"))
    assert "/payload" not in text(victor.get(f"/orders/{seeded.complete}/"))


def test_a_viewer_is_offered_nothing_that_would_be_refused(anna: Browser, victor: Browser, seeded: Seeded) -> None:
    assert "/dry-run/?order=" in text(anna.get(f"/orders/{seeded.failed}/"))
    assert "/dry-run/?order=" not in text(victor.get(f"/orders/{seeded.failed}/"))
    for address in ("/profiles/new/", "/connections/new/", "/profiles/import"):
        assert anna.get(address).status_code == 200
        assert victor.get(address).status_code == 403
        assert address not in text(victor.get("/profiles/")) + text(victor.get("/connections/")) + text(victor.get("/"))
