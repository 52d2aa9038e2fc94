"""Accounts: active or not, what is mandatory for them, settings that choose from their own lists, and their deletion."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from admin import configuration
from admin.views import jobs
from profiles import sync
from profiles.models import Audit, Connection, Profile
from profiles.secrets import seal, unseal
from tests.admin.conftest import Browser, Seeded
from tests.profiles import memory_trade as trade
from tests.profiles.memory_trade import EventWorld

NEW = {"connection_name": "second", "connection_address": "https://m.example.com", "s.key": "k"}


@pytest.fixture
def world(seeded: Seeded) -> EventWorld:
    return trade.fresh()


@pytest.fixture
def ends(seeded: Seeded, world: EventWorld) -> tuple[int, int]:
    return trade.connections(seeded.db)


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def row(seeded: Seeded, connection_id: int) -> Connection:
    with seeded.db.reading() as session:
        return session.get_one(Connection, connection_id)


def account(seeded: Seeded, connection_id: int) -> dict[str, Any]:
    return dict(unseal(row(seeded, connection_id).credentials))


def mandatory(browser: Browser, connection_id: int) -> dict[str, str]:
    """The check list: name of a line → its word."""
    page = text(browser.get(f"/connections/{connection_id}/"))
    part = page.partition('id="mandatory"')[2].partition("</ul>")[0]
    lines = re.findall(r"</svg>([^<]+)</span><strong>([^<]+)</strong>", part)
    return {name: word for word, name in lines}


def form(**changed: str) -> dict[str, str]:
    given = {"connection_name": "market", "connection_address": "http://127.0.0.1:9", "connection_active": "yes"}
    return {**given, "s.key": "", "s.order_import": "no", "s.since": "", "s.carrier": "", **changed}


# active and inactive


def test_an_account_is_deactivated_and_activated_by_its_switch(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get("/connections/"))
    assert 'role="switch" aria-checked="true" aria-label="Active: market"' in page
    assert "Deactivate market? An inactive account exchanges nothing" in page
    answer = anna.post(f"/connections/{ends[1]}/switch", {"active": "no"})
    assert answer.headers["Location"] == "/connections/"
    assert not row(seeded, ends[1]).active
    assert 'aria-checked="false" aria-label="Active: market"' in text(anna.get("/connections/"))
    assert "This account is inactive: nothing is exchanged with it." in text(anna.get(f"/connections/{ends[1]}/"))
    anna.post(f"/connections/{ends[1]}/switch", {"active": "yes", "back": "one"})
    assert row(seeded, ends[1]).active
    with seeded.db.reading() as session:
        notes = session.scalars(select(Audit).where(Audit.kind == "connection").order_by(Audit.id)).all()
    assert [(one.before, one.after) for one in notes[-2:]] == [
        ({"active": True}, {"active": False}), ({"active": False}, {"active": True}),
    ]  # fmt: skip


def test_nobody_but_an_admin_switches_an_account(victor: Browser, seeded: Seeded, ends: tuple[int, int]) -> None:
    assert victor.post(f"/connections/{ends[1]}/switch", {"active": "no"}).status_code == 403
    assert row(seeded, ends[1]).active
    assert 'role="switch"' not in text(victor.get("/connections/"))


def test_an_account_whose_connector_is_gone_can_be_deactivated_all_the_same(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    with seeded.db.session() as session:
        session.get_one(Connection, ends[1]).connector = "gone"
    anna.post(f"/connections/{ends[1]}/switch", {"active": "no"})
    assert not row(seeded, ends[1]).active
    anna.post(f"/connections/{ends[1]}/switch", {"active": "yes"})
    assert not row(seeded, ends[1]).active
    assert "It cannot be activated: There is no connector 'gone'." in text(anna.get("/connections/"))


def test_an_inactive_account_exchanges_nothing_but_can_be_tested_and_collected(
    anna: Browser, seeded: Seeded, ends: tuple[int, int], world: EventWorld
) -> None:
    office, market = ends
    orders = trade.profile(seeded.db, market, office, entity="order", name="Market orders", direction="import")
    anna.post(f"/connections/{market}/switch", {"active": "no"})
    world.sell("1")
    result = sync.run(seeded.db, orders)
    assert "Connection market is not active" in result.message
    assert world.orders == {}
    for what in (jobs.TEST, jobs.COLLECT):
        ok, said = {jobs.TEST: jobs._test, jobs.COLLECT: jobs._collect}[what](
            seeded.db, market, "anna", lambda **told: None
        )
        assert (ok, said) == (True, "")
    draft = form(connection_active="no", do="test", **{"s.key": "k2"})
    assert "All right." in text(anna.post(f"/connections/{market}/edit/", draft))


def test_the_form_saves_whether_an_account_is_active(anna: Browser, seeded: Seeded, ends: tuple[int, int]) -> None:
    assert anna.post(f"/connections/{ends[1]}/edit/", form(connection_active="no")).status_code == 302
    assert not row(seeded, ends[1]).active
    page = text(anna.get(f"/connections/{ends[1]}/edit/"))
    assert 'id="connection_active" name="connection_active" value="yes">' in page
    without = {name: value for name, value in form().items() if name != "connection_active"}
    for active in (False, True):  # a form that does not ask for it changes nothing
        with seeded.db.session() as session:
            session.get_one(Connection, ends[1]).active = active
        assert anna.post(f"/connections/{ends[1]}/edit/", without).status_code == 302
        assert row(seeded, ends[1]).active is active


def test_a_new_account_is_active_unless_the_form_says_otherwise(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    for name, given, active in (("one", {}, True), ("two", {"connection_active": "no"}, False)):
        answer = anna.post("/connections/new/?connector=trade_market", {**NEW, "connection_name": name, **given})
        assert answer.status_code == 302
        with seeded.db.reading() as session:
            made = session.scalars(select(Connection).where(Connection.name == name)).one()
        assert made.active is active


# what is mandatory


def test_the_check_list_says_what_is_done_and_what_is_missing(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    office, market = ends
    trade.profile(seeded.db, market, office, entity="order", name="Market orders", direction="import")
    trade.profile(seeded.db, market, office, entity="return", name="Market returns", direction="import", active=False)
    assert mandatory(anna, market) == {
        "Active": "done",
        "Connection test": "done",
        "Parcel carrier": "missing",
        "Order: read from here": "done",
        "Return: read from here": "not active",
        "Event: written here": "no profile",
    }
    page = text(anna.get(f"/connections/{market}/"))
    assert "Select a carrier." in page
    assert "1 is missing" in page
    assert "Its lists were collected" in page
    with seeded.db.session() as session:
        session.get_one(Connection, market).collected_at = None
    assert "Not tested yet" in text(anna.get(f"/connections/{market}/"))
    assert mandatory(anna, market)["Connection test"] == "missing"
    with seeded.db.session() as session:
        found = session.get_one(Connection, market)
        found.credentials, found.active = seal({"key": "k", "carrier": "dhl"}), False
    assert mandatory(anna, market) | {"Active": "missing", "Parcel carrier": "done"} == mandatory(anna, market)


def test_the_check_list_believes_what_the_system_said_of_the_account_and_says_when(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    for ok, word, said in (
        (False, "missing", r"It failed \(.*2026.*:30:00.*\): market: the token is wrong"),
        (True, "done", r"It passed \(.*2026.*:30:00.*\)\."),
    ):
        with seeded.db.session() as session:
            found = session.get_one(Connection, ends[1])
            found.check_ok, found.check_message = ok, "market: the token is wrong or has expired."
            found.checked_at = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
        assert mandatory(anna, ends[1])["Connection test"] == word
        assert re.search(said, text(anna.get(f"/connections/{ends[1]}/")).partition('id="mandatory"')[2])


def test_a_value_that_the_own_list_lacks_is_refused_where_it_is_chosen(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    answer = anna.post(f"/connections/{ends[1]}/edit/", form(**{"s.carrier": "no-such"}))
    assert answer.status_code == 422
    assert "'no-such' is not among the lists of market (Carriers)." in text(answer)
    assert "carrier" not in account(seeded, ends[1])
    with seeded.db.session() as session:  # it was offered when it was chosen
        session.get_one(Connection, ends[1]).credentials = seal({"key": "k", "carrier": "gone"})
    changed = form(**{"s.carrier": "gone", "s.order_import": "yes"})
    assert anna.post(f"/connections/{ends[1]}/edit/", changed).status_code == 302


def test_a_file_with_a_value_that_the_own_list_lacks_raises_a_doubt(seeded: Seeded, ends: tuple[int, int]) -> None:
    told = """connections:
      - name: market
        connector: trade_market
        base_url: "http://127.0.0.1:9"
        credentials:
          key: k
          carrier: no-such
    """
    with seeded.db.session() as session:
        configuration.apply(session, told)
        doubts = [str(one) for one in configuration.doubts(session, told)]
    said = "'no-such' is not among the lists of market (Carriers)."
    assert doubts == [f"line 7: connection 'market', credentials.carrier: {said}"]


def test_the_check_list_leads_to_a_profile_with_the_usual_times_of_its_source(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get(f"/connections/{ends[1]}/"))
    links = re.findall(r'href="(/profiles/new/\?[^"]+)"', page)
    (returns,) = [one for one in links if "entity=return" in one]
    assert "from=market" in returns
    form_page = text(anna.get(returns))
    assert 'name="cron" value="0 * * * *"' in form_page
    assert '<option value="return" selected>' in form_page
    assert re.search(r'<option value="market" selected', form_page.partition('name="from"')[2])
    assert re.search(r'<option value="office" selected', form_page.partition('name="to"')[2])
    assert re.search(r'name="direction" value="import" checked', form_page)  # what a market gives comes into the shop
    events = text(anna.get(next(one for one in links if "entity=event" in one)))
    assert 'name="cron" value="* * * * *"' in events


def test_an_account_that_cannot_be_set_up_says_so_in_the_check_list(
    anna: Browser, seeded: Seeded, ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with seeded.db.session() as session:
        session.get_one(Connection, ends[1]).credentials = seal({"key": "env:NOT_SET_HERE"})
    page = text(anna.get(f"/connections/{ends[1]}/"))
    assert "NOT_SET_HERE" in page.partition('id="mandatory"')[2].partition("</ul>")[0]

    def broken(self: Any) -> list[Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(trade.Office, "duties", broken)
    assert "Its connector failed: ZeroDivisionError." in text(anna.get(f"/connections/{ends[0]}/"))


def test_what_the_address_of_a_new_profile_asks_for_in_vain_is_left_out(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get("/profiles/new/?entity=order&from=office&to=market&cron=nonsense"))
    assert 'name="cron" value="nonsense"' not in page
    assert not re.search(r'<option value="office" selected', page.partition('name="from"')[2])


def test_a_new_profile_is_told_how_often_each_source_is_usually_read(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get("/profiles/new/"))
    assert '"return/market": "0 * * * *"' in page
    assert '"event/office": "* * * * *"' in page


# the form's fields


def test_a_setting_chooses_from_the_lists_of_its_own_account(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get(f"/connections/{ends[1]}/edit/"))
    assert '<option value="ups">UPS Express (ups)</option>' in page
    assert 'name="s.carrier" id="s.carrier" value="" list="list-own-carrier" data-combo' in page
    assert anna.post(f"/connections/{ends[1]}/edit/", form(**{"s.carrier": "ups"})).status_code == 302
    assert account(seeded, ends[1])["carrier"] == "ups"
    assert 'data-known="UPS Express (ups)"' in text(anna.get(f"/connections/{ends[1]}/edit/"))


def test_before_its_list_is_collected_a_setting_is_a_text_with_a_hint(
    anna: Browser, seeded: Seeded, world: EventWorld
) -> None:
    _office, market = trade.connections(seeded.db, collected=False)
    page = text(anna.get(f"/connections/{market}/edit/"))
    assert "Its list is not collected yet. Press Collect on the page of the connection, or type the id." in page
    page = text(anna.get("/connections/new/?connector=trade_market"))
    assert "Its list is collected when the connection is saved. Choose then, or type the id now." in page
    assert anna.post(f"/connections/{market}/edit/", form(**{"s.carrier": "gls"})).status_code == 302
    assert account(seeded, market)["carrier"] == "gls"


def test_a_date_and_time_is_entered_in_utc_and_shown_so(anna: Browser, seeded: Seeded, ends: tuple[int, int]) -> None:
    given = form(**{"s.since": "2026-11-01T08:30", "s.order_import": "yes"})
    assert anna.post(f"/connections/{ends[1]}/edit/", given).status_code == 302
    kept = account(seeded, ends[1])
    assert (kept["since"], kept["order_import"]) == ("2026-11-01T08:30:00+00:00", True)
    page = text(anna.get(f"/connections/{ends[1]}/edit/"))
    assert re.search(r'<input type="datetime-local" name="s.since"[^>]* value="2026-11-01T08:30:00"', page)
    assert "In UTC." in page
    assert re.search(r'name="s.order_import" id="s.order_import" value="yes" checked', page)
    assert anna.post(f"/connections/{ends[1]}/edit/", {**given, "s.order_import": "no"}).status_code == 302
    assert account(seeded, ends[1])["order_import"] is False


# deleting


def test_only_an_inactive_account_without_orders_is_deleted(
    anna: Browser, seeded: Seeded, ends: tuple[int, int], world: EventWorld
) -> None:
    office, market = ends
    address = f"/connections/{market}/delete"
    assert "It is active. Deactivate it first" in text(anna.get(f"/connections/{market}/"))
    anna.post(address, {"confirm": "market"})
    assert row(seeded, market).name == "market"
    assert "It is active. Deactivate it first" in text(anna.get("/connections/"))
    orders = trade.profile(seeded.db, market, office, entity="order", name="Market orders", direction="import")
    world.sell("1")
    sync.run(seeded.db, orders)
    anna.post(f"/connections/{market}/switch", {"active": "no"})
    anna.post(address, {"confirm": "market"})
    assert row(seeded, market).name == "market"
    assert "1 order is connected with it, so it cannot be deleted." in text(anna.get(f"/connections/{market}/"))
    returns = trade.profile(seeded.db, market, office, entity="return", name="Market returns", direction="import")
    world.send_back("R1", "1")
    with seeded.db.session() as session:
        session.get_one(Connection, market).active = True
    sync.run(seeded.db, returns)
    anna.post(f"/connections/{market}/switch", {"active": "no"})
    assert "1 order is connected with it, so it cannot be deleted." in text(anna.get(f"/connections/{market}/"))
    with seeded.db.session() as session:
        session.delete(session.get_one(Profile, returns))
    with seeded.db.session() as session:
        session.delete(session.get_one(Profile, orders))
    assert "Type its name, market, to confirm." in text(anna.get(f"/connections/{market}/"))
    anna.post(address, {"confirm": "market"})
    with seeded.db.reading() as session:
        assert session.get(Connection, market) is None


def test_an_account_without_that_rule_is_deleted_although_it_is_active(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    anna.post(f"/connections/{ends[0]}/delete", {"confirm": "office"})
    with seeded.db.reading() as session:
        assert session.get(Connection, ends[0]) is None
