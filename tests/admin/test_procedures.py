"""Event procedures on pages: made as the guides' steps say, tried before they are switched on, and told on the order."""

from __future__ import annotations

import html
import re
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from admin import auth
from connector import AccessDenied
from profiles import history, sync
from profiles.models import Audit, Connection, EventProcedure, Profile, SyncRecord
from tests.admin.conftest import PASSWORD, Browser, Seeded
from tests.profiles import memory_trade as trade
from tests.profiles.memory_trade import EventWorld

IMEI = "356938035643809"


@pytest.fixture
def world(seeded: Seeded) -> EventWorld:
    return trade.fresh()


@pytest.fixture
def ends(seeded: Seeded, world: EventWorld) -> tuple[int, int]:
    """The office and the market, both collected."""
    return trade.connections(seeded.db)


@pytest.fixture
def watching(seeded: Seeded, ends: tuple[int, int]) -> int:
    """A profile of events from the office to the market."""
    return trade.profile(seeded.db, *ends)


@pytest.fixture
def olga(app: Flask, seeded: Seeded) -> Browser:
    with seeded.db.session() as session:
        auth.add_user(session, "olga", PASSWORD, "operator")
    made = Browser(app)
    made.login("olga")
    return made


def text(answer: Any) -> str:
    return html.unescape(str(answer.get_data(as_text=True)))


def plain(page: str) -> str:
    """The words of a page, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def stored(seeded: Seeded, procedure_id: int) -> EventProcedure:
    with seeded.db.reading() as session:
        return session.get_one(EventProcedure, procedure_id)


def names(seeded: Seeded, profile_id: int) -> list[str]:
    with seeded.db.reading() as session:
        row = EventProcedure
        return list(session.scalars(select(row.name).where(row.profile_id == profile_id).order_by(row.position)))


def form(**changed: Any) -> dict[str, Any]:
    """The form of an event procedure as it is drawn."""
    given: dict[str, Any] = {"name": "Confirm it", "event": "status", "procedure": "confirm", "settings_of": "confirm"}
    return {**given, "active": "yes", "status": ["5"], "do": "save", **changed}


def last_note(seeded: Seeded) -> Audit:
    with seeded.db.reading() as session:
        return session.scalars(select(Audit).order_by(Audit.id.desc())).first()  # type: ignore[return-value]


# adding


def test_an_event_procedure_is_made_by_name_event_and_profile_and_begins_inactive(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    page = text(anna.get("/procedures/new/"))
    assert '<optgroup label="Order change">' in page
    assert "Order change: Status change</option>" in page
    given = {"name": "Paid ones", "event": "invoice", "place": str(watching)}
    answer = anna.post("/procedures/new/", given, page="/procedures/new/")
    made = stored(seeded, int(answer.headers["Location"].rstrip("/").rpartition("/")[2]))
    assert (made.name, made.event, made.active, made.profile_id) == ("Paid ones", "invoice", False, watching)
    assert made.procedure == "paper"  # the one whose template is about invoices
    assert last_note(seeded).action == "changed event procedures"


def test_without_a_profile_of_events_one_is_made_for_a_pair_that_can_have_one(
    anna: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    page = text(anna.get("/procedures/new/"))
    assert "office → market" in page
    assert "market → office" not in page
    given = {"name": "First", "event": "status", "place": f"{ends[0]}-{ends[1]}"}
    assert anna.post("/procedures/new/", given, page="/procedures/new/").status_code == 302
    with seeded.db.reading() as session:
        profile = session.scalars(select(Profile).where(Profile.entity == "event")).one()
        assert (profile.from_id, profile.to_id, profile.cron, profile.active) == (*ends, "* * * * *", True)
    assert names(seeded, profile.id) == ["First"]
    assert "office → market" in text(anna.get("/procedures/new/"))  # now it is chosen as a profile
    given = {"name": "Second", "event": "status", "place": f"{ends[0]}-{ends[1]}"}
    assert anna.post("/procedures/new/", given, page="/procedures/new/").status_code == 422  # not a second profile


def test_an_operator_sets_up_event_procedures_but_makes_no_profile(
    olga: Browser, seeded: Seeded, ends: tuple[int, int]
) -> None:
    given = {"name": "First", "event": "status", "place": f"{ends[0]}-{ends[1]}"}
    assert olga.post("/procedures/new/", given).status_code == 403
    watching = trade.profile(seeded.db, *ends)
    assert olga.post("/procedures/new/", {**given, "place": str(watching)}).status_code == 302
    assert names(seeded, watching) == ["First"]


def test_a_viewer_reads_event_procedures_and_changes_none(victor: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching)
    assert victor.get(f"/procedures/{one}/").status_code == 200
    assert victor.get("/procedures/").status_code == 200
    for address in (
        f"/procedures/{one}/",
        f"/procedures/{one}/switch",
        f"/procedures/{one}/delete",
        "/procedures/take",
    ):
        assert victor.post(address, form()).status_code == 403
    assert stored(seeded, one).active


def test_a_second_event_procedure_of_the_same_name_is_refused_by_a_sentence(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    trade.procedure(seeded.db, watching, "Twice")
    given = {"name": "Twice", "event": "status", "place": str(watching)}
    answer = anna.post("/procedures/new/", given, page="/procedures/new/")
    assert answer.status_code == 422
    assert "Another event procedure has this name." in text(answer)
    assert names(seeded, watching) == ["Twice"]


# templates


def test_a_template_is_taken_over_with_the_entries_of_the_catalogues_in_place_of_names(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    assert "Confirm to the market" in text(anna.get("/procedures/"))
    answer = anna.post("/procedures/take", {"profile": str(watching), "procedure": "ship"}, page="/procedures/new/")
    made = stored(seeded, int(answer.headers["Location"].rstrip("/").rpartition("/")[2]))
    assert (made.name, made.event, made.status, made.active) == ("Ship to the market", "status", ["7"], False)
    assert made.filters == {"order_type": ["sale", "delivery"], "referrer": [trade.REFERRER]}
    assert made.settings["silent"] is True
    assert "Ship to the market" not in plain(text(anna.get("/procedures/")).partition("Templates")[2])


def test_a_name_that_no_list_has_stays_so_that_nothing_passes_and_the_page_says_so(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    answer = anna.post("/procedures/take", {"profile": str(watching), "procedure": "paper"}, page="/procedures/new/")
    page = text(anna.get(answer.headers["Location"]))
    assert "Order » Referrer: nobody is not in the collected list, so no order has it." in page


def test_a_procedure_without_a_template_offers_none(anna: Browser, watching: int) -> None:
    assert anna.post("/procedures/take", {"profile": str(watching), "procedure": "plain"}).status_code == 404


# the form


def test_statuses_filters_and_settings_are_saved_as_they_were_chosen(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching, procedure="ship")
    given = form(
        name="Shipped", procedure="ship", settings_of="ship", status=["7"], status_from="8", status_to="8.9",
        **{"f.order_type": ["sale", "delivery"], "f.referrer": ["4.01"], "s.carrier": "ups", "s.silent": "yes"},
    )  # fmt: skip
    assert anna.post(f"/procedures/{one}/", given).status_code == 302
    row = stored(seeded, one)
    assert (row.name, row.status, row.procedure, row.active) == ("Shipped", ["7", "8-8.9"], "ship", True)
    assert row.filters == {"order_type": ["sale", "delivery"], "referrer": ["4.01"]}
    assert row.settings == {"carrier": "ups", "silent": True}
    page = text(anna.get(f"/procedures/{one}/"))
    assert re.search(r'name="status" value="8-8.9" checked><span>8 to 8.9<', page)
    assert re.search(r'value="4.01" checked><span>Market \(4.01\)<', page)
    assert "UPS Express" in page
    assert anna.post(f"/procedures/{one}/", given | {"status": ["7", "8-8.9"], "status_from": "", "status_to": ""})
    assert stored(seeded, one).status == ["7", "8-8.9"]


def test_a_form_that_changes_nothing_changes_nothing(anna: Browser, seeded: Seeded, watching: int) -> None:
    """Whatever the order of the boxes on the page."""
    filters = {"referrer": ["4.01", "1"], "order_type": ["return", "sale"]}
    one = trade.procedure(seeded.db, watching, status=["7", "5", "8-9"], filters=filters)
    given = {"status": ["8-9", "5", "7"], "f.referrer": ["1", "4.01"], "f.order_type": ["sale", "return"]}
    answer = anna.post(f"/procedures/{one}/", form(**given), follow_redirects=True)
    assert "Nothing was changed." in text(answer)
    assert (stored(seeded, one).status, stored(seeded, one).filters) == (["7", "5", "8-9"], filters)


def test_a_renamed_event_procedure_stays_the_same_one(anna: Browser, seeded: Seeded, watching: int) -> None:
    """What waits for it is keyed by its id."""
    one = trade.procedure(seeded.db, watching, "Old")
    assert anna.post(f"/procedures/{one}/", form(name="New")).status_code == 302
    assert (stored(seeded, one).name, names(seeded, watching)) == ("New", ["New"])
    trade.procedure(seeded.db, watching, "Other", position=2)
    answer = anna.post(f"/procedures/{one}/", form(name="Other"))
    assert answer.status_code == 422
    assert sorted(names(seeded, watching)) == ["New", "Other"]


def test_a_status_is_no_matter_of_other_events(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching)
    assert anna.post(f"/procedures/{one}/", form(event="invoice", status=["5"], status_from="7")).status_code == 302
    assert (stored(seeded, one).event, stored(seeded, one).status) == ("invoice", [])


def test_another_procedure_shows_its_own_settings_and_keeps_what_was_typed(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching)
    assert "Who carries the parcels." not in text(anna.get(f"/procedures/{one}/"))
    page = text(anna.post(f"/procedures/{one}/", form(name="Half way", procedure="ship", do="redraw")))
    assert "Who carries the parcels." in page
    assert 'value="Half way"' in page
    assert "Needs a parcel." in page
    assert (stored(seeded, one).name, stored(seeded, one).procedure) == ("Confirm it", "confirm")


def test_the_settings_of_the_procedure_before_are_not_kept_for_another_one(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching, procedure="ship", settings={"carrier": "dhl"})
    assert anna.post(f"/procedures/{one}/", form(settings_of="ship", **{"s.carrier": "dhl"})).status_code == 302
    assert (stored(seeded, one).procedure, stored(seeded, one).settings) == ("confirm", {})


def test_a_wrong_range_is_said_at_the_statuses_and_nothing_is_saved(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching)
    answer = anna.post(f"/procedures/{one}/", form(name="Typed", status=[], status_from="9", status_to="7"))
    assert answer.status_code == 422
    assert "The range 9-7 ends before it begins." in text(answer)
    assert 'value="Typed"' in text(answer)
    assert stored(seeded, one).name == "Confirm it"


def test_a_save_over_the_save_of_somebody_else_is_asked_about(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching)
    seen = stored(seeded, one).updated_at.isoformat()
    assert anna.post(f"/procedures/{one}/", form(name="First", seen=seen)).status_code == 302
    answer = anna.post(f"/procedures/{one}/", form(name="Second", seen=seen))
    assert (answer.status_code, stored(seeded, one).name) == (422, "First")
    assert "Somebody else saved it while you edited it." in text(answer)
    again = re.search(r'name="seen" value="([^"]+)"', text(answer))
    assert again
    assert anna.post(f"/procedures/{one}/", form(name="Second", seen=again[1])).status_code == 302


def test_an_order_type_that_the_procedure_is_not_for_is_warned_of(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching, filters={"order_type": ["sale", "return"]})
    page = text(anna.get(f"/procedures/{one}/"))
    assert "“Send confirmation to the market” can be used with Order only, but Return is chosen." in page
    none = trade.procedure(seeded.db, watching, "Any", position=2)
    assert "Without a filter on the order type it is called for all others as well." in text(
        anna.get(f"/procedures/{none}/")
    )
    fit = trade.procedure(seeded.db, watching, "Fit", position=3, procedure="plain", status=["7"])
    assert "data-warning" not in text(anna.get(f"/procedures/{fit}/"))


def test_two_event_procedures_of_the_same_status_and_orders_are_pointed_out(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    sale, back = {"order_type": ["sale"]}, {"order_type": ["return"]}
    one = trade.procedure(seeded.db, watching, "One", status=["5"], filters=sale)
    trade.procedure(seeded.db, watching, "Two", position=2, status=["3-5.5"], filters=sale)
    trade.procedure(seeded.db, watching, "Off", position=3, status=["5"], filters=sale, active=False)
    trade.procedure(seeded.db, watching, "Other kind", position=4, status=["5"], filters=back)
    trade.procedure(seeded.db, watching, "Other status", position=5, status=["7"], filters=sale)
    page = text(anna.get(f"/procedures/{one}/"))
    assert "The same event also leads to Two. All of them are carried out, in the order of the list." in page


# the list


def test_the_list_says_event_filters_procedure_and_what_became_of_it(
    anna: Browser, seeded: Seeded, watching: int, world: EventWorld
) -> None:
    trade.procedure(seeded.db, watching, filters={"referrer": [trade.REFERRER]}, status=["5", "7-7.99"])
    world.place("500", number="M1")
    sync.run(seeded.db, watching)
    world.touch("500", status="5")
    sync.run(seeded.db, watching)
    page = plain(text(anna.get("/procedures/")))
    assert "Order change: Status change Cleared for shipping (5), 7 to 7.99" in page
    assert "Order » Referrer: Market (4.01)" in page
    assert "Send confirmation to the market Plugins » Market in memory (market)" in page
    assert "complete" in page
    assert world.told == [("confirm", "500")]


def test_failed_executions_are_counted_at_their_event_procedure(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching)
    trade.procedure(seeded.db, watching, "Never", position=2, status=["8"])
    moment = trade.now()
    with seeded.db.session() as session:
        for order in ("500", "501"):
            row = SyncRecord(profile_id=watching, source_id=f"{order}/1/{one}", source_number=order, kind="procedure")
            row.status, row.refs, row.created_at, row.updated_at = "failed", {}, moment, moment
            session.add(row)
    page = text(anna.get("/procedures/"))
    assert 'aria-label="2 failed executions of Confirm it"' in page
    assert "failed executions of Never" not in page


def test_moving_changes_the_order_in_which_they_are_carried_out(anna: Browser, seeded: Seeded, watching: int) -> None:
    trade.procedure(seeded.db, watching, "One")
    two = trade.procedure(seeded.db, watching, "Two", position=2)
    trade.procedure(seeded.db, watching, "Three", position=3)
    anna.post(f"/procedures/{two}/move", {"to": "up"})
    assert names(seeded, watching) == ["Two", "One", "Three"]
    anna.post(f"/procedures/{two}/move", {"to": "up"})  # it is the first already
    anna.post(f"/procedures/{two}/move", {"to": "sideways"})
    assert names(seeded, watching) == ["Two", "One", "Three"]
    anna.post(f"/procedures/{two}/move", {"to": "down"})
    assert names(seeded, watching) == ["One", "Two", "Three"]


def test_a_copy_has_the_same_settings_and_is_inactive(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(
        seeded.db, watching, procedure="ship", settings={"carrier": "dhl"}, filters={"referrer": ["1"]}
    )
    answer = anna.post(f"/procedures/{one}/duplicate", {})
    made = stored(seeded, int(answer.headers["Location"].rstrip("/").rpartition("/")[2]))
    assert (made.name, made.active, made.settings, made.filters) == (
        "Confirm it (copy)", False, stored(seeded, one).settings | {"carrier": "dhl"}, {"referrer": ["1"]},
    )  # fmt: skip


def test_deleting_one_leaves_the_others_and_is_audited(anna: Browser, seeded: Seeded, watching: int) -> None:
    one = trade.procedure(seeded.db, watching, "One")
    trade.procedure(seeded.db, watching, "Two", position=2)
    assert anna.post(f"/procedures/{one}/delete", {}).status_code == 302
    assert names(seeded, watching) == ["Two"]
    assert last_note(seeded).action == "changed event procedures"


def test_the_switch_of_the_list_says_when_nothing_happens_for_another_reason(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching, active=False)
    with seeded.db.session() as session:
        session.get_one(Profile, watching).active = False
    anna.post(f"/procedures/{one}/switch", {"active": "yes"})
    assert stored(seeded, one).active
    page = text(anna.get("/procedures/"))
    assert "The profile Order events is not active: its event procedures wait until it is switched on." in page


def test_to_switch_off_is_possible_although_another_one_cannot_be_saved_any_more(
    anna: Browser, seeded: Seeded, watching: int
) -> None:
    one = trade.procedure(seeded.db, watching)
    trade.procedure(seeded.db, watching, "Strange", position=2, procedure="gone", active=False)
    anna.post(f"/procedures/{one}/switch", {"active": "no"})
    assert not stored(seeded, one).active
    assert last_note(seeded).before == {"procedures": {"Confirm it": {"active": True}}}
    anna.post(f"/procedures/{one}/switch", {"active": "yes"})
    assert not stored(seeded, one).active
    assert "It cannot be switched on: There is no procedure 'gone'." in text(anna.get("/procedures/"))


def test_the_profile_of_events_leads_to_its_event_procedures(anna: Browser, seeded: Seeded, watching: int) -> None:
    trade.procedure(seeded.db, watching)
    page = text(anna.get(f"/profiles/{watching}/"))
    tabs = plain(page.partition('<nav class="tabs"')[2].partition("</nav>")[0])
    assert [word in tabs for word in ("Event procedures", "Settings", "Executions", "Execution history")] == [True] * 4
    assert f"/procedures/?profile_id={watching}" in page
    mine = text(anna.get(f"/procedures/?profile_id={watching}"))
    assert "Event procedures of Order events" in mine
    assert anna.get(f"/procedures/?profile_id={seeded.profile}").status_code == 404  # it is of orders


# the test


def tried(anna: Browser, one: int, **changed: Any) -> dict[str, Any]:
    """Press Test as the page's script does, and wait for what it says."""
    headers = {"X-Requested-With": "fetch"}
    job = anna.post(f"/procedures/{one}/", form(do="test", **changed), headers=headers).get_json()["job"]
    for _ in range(200):
        said: dict[str, Any] = anna.get(f"/procedures/test.json?job={job}").get_json()
        if not said["busy"]:
            return said
        time.sleep(0.02)
    raise AssertionError("the test did not end")


def test_the_test_says_of_each_of_the_newest_orders_whether_it_would_match_and_why_not(
    anna: Browser, seeded: Seeded, watching: int, world: EventWorld
) -> None:
    one = trade.procedure(seeded.db, watching)
    world.place("1", number="A1", status="5")
    world.place("2", number="A2", status="3")
    world.place("3", number="A3", status="5", referrer="1")
    world.place("4", number="A4", status="5", kind="delivery")
    said = tried(anna, one, **{"f.referrer": ["4.01"], "f.order_type": ["sale"]})
    assert said["said"] == "1 of the last 4 orders would match."
    rows = [plain(row) for row in html.unescape(said["html"]).split("<tr>")[2:]]
    for row, number, why in zip(
        rows,
        ("A4", "A3", "A2", "A1"),
        (
            "“Order » Order type” does not let it pass",
            "“Order » Referrer” does not let it pass",
            "It has not had one of the chosen statuses.",
            " yes ",
        ),
        strict=True,
    ):
        assert (number in row, why in row) == (True, True)
    assert "Cleared for shipping (5)" in rows[3]
    assert world.told == []


def test_what_is_tried_is_what_stands_in_the_form(
    anna: Browser, seeded: Seeded, watching: int, world: EventWorld
) -> None:
    one = trade.procedure(seeded.db, watching, status=["8"])
    world.place("1", status="5")
    assert tried(anna, one, status=["8"])["said"] == "0 of the last 1 orders would match."
    assert tried(anna, one, status=["5"])["said"] == "1 of the last 1 orders would match."
    assert tried(anna, one, event="invoice", procedure="paper")["html"].count("has not happened to it") == 1
    assert stored(seeded, one).status == ["8"]


def test_a_test_that_cannot_look_says_why(anna: Browser, seeded: Seeded, watching: int, world: EventWorld) -> None:
    one = trade.procedure(seeded.db, watching)

    def closed(step: str, key: str) -> None:
        if step == "latest":
            raise AccessDenied("The office refused the login.")

    world.trouble = closed
    assert "The office refused the login." in html.unescape(tried(anna, one)["html"])
    page = text(anna.post(f"/procedures/{one}/", form(do="test")))  # without a script
    assert "The orders cannot be looked at: The office refused the login." in page


def test_a_test_asks_no_inactive_account(
    anna: Browser, seeded: Seeded, watching: int, ends: tuple[int, int], world: EventWorld
) -> None:
    one = trade.procedure(seeded.db, watching)
    world.place("1", status="5")
    with seeded.db.session() as session:
        session.get_one(Connection, ends[0]).active = False
    assert "Connection office is not active: nothing is exchanged with it." in html.unescape(tried(anna, one)["html"])


def test_the_outcome_of_a_test_is_for_who_asked(
    anna: Browser, victor: Browser, seeded: Seeded, watching: int, world: EventWorld
) -> None:
    one = trade.procedure(seeded.db, watching)
    headers = {"X-Requested-With": "fetch"}
    job = anna.post(f"/procedures/{one}/", form(do="test"), headers=headers).get_json()["job"]
    assert victor.get(f"/procedures/test.json?job={job}").get_json() == {"known": False, "busy": False}


# the order's page


@pytest.fixture
def journey(seeded: Seeded, ends: tuple[int, int], watching: int, world: EventWorld) -> dict[str, int]:
    """An order of the market that came to the office, was confirmed there, and comes back in part."""
    office, market = ends
    orders = trade.profile(seeded.db, market, office, entity="order", name="Market orders", direction="import")
    returns = trade.profile(seeded.db, market, office, entity="return", name="Market returns", direction="import")
    confirm = trade.procedure(seeded.db, watching)
    greet = trade.procedure(
        seeded.db, watching, "Greet", position=2, procedure="plain", event="return_created", status=[]
    )
    world.sell("1001", number="M1", serials=(IMEI,))
    sync.run(seeded.db, orders)
    sync.run(seeded.db, watching)
    world.touch("500", status="5")
    world.send_back("1001", "M1")  # the key of an order of the market is that of another one's return
    sync.run(seeded.db, returns)
    sync.run(seeded.db, watching)
    return {"orders": orders, "returns": returns, "events": watching, "confirm": confirm, "greet": greet}


def record_of(seeded: Seeded, profile_id: int, start: str = "") -> SyncRecord:
    with seeded.db.reading() as session:
        mine = select(SyncRecord).where(SyncRecord.profile_id == profile_id, SyncRecord.source_id.startswith(start))
        return session.scalars(mine.order_by(SyncRecord.id)).first()  # type: ignore[return-value]


def test_order_return_and_executions_are_one_story_from_wherever_one_begins(
    seeded: Seeded, journey: dict[str, int]
) -> None:
    with seeded.db.reading() as session:
        rows = session.scalars(select(SyncRecord).where(SyncRecord.source_number == "M1")).all()
        assert sorted(one.profile_id for one in rows) == sorted(
            [journey["orders"], journey["returns"], journey["events"], journey["events"]]
        )
        for one in rows:
            assert {kin.id for kin in history.kin(session, one)} == {kin.id for kin in rows}, one.source_id


def test_a_return_with_the_key_of_an_order_is_not_taken_for_it(seeded: Seeded, journey: dict[str, int]) -> None:
    """Return 1001 is of order M1; order 1001 of the same market may be quite another one."""
    moment = trade.now()
    with seeded.db.session() as session:
        other = SyncRecord(profile_id=journey["orders"], source_id="77", source_number="M77", target_id="777", refs={},
                           status="complete", created_at=moment, updated_at=moment)  # fmt: skip
        back = SyncRecord(profile_id=journey["returns"], source_id="77", source_number="M1", target_id="778", refs={},
                          kind="return", status="complete", created_at=moment, updated_at=moment)  # fmt: skip
        session.add_all([other, back])
        session.flush()
        assert {one.id for one in history.kin(session, other)} == {other.id}
        assert other.id not in {one.id for one in history.kin(session, back)}


def test_an_execution_of_order_50_is_no_part_of_order_500(seeded: Seeded, journey: dict[str, int]) -> None:
    moment = trade.now()
    with seeded.db.session() as session:
        other = SyncRecord(profile_id=journey["events"], source_id="50/1/1", source_number="Z", kind="procedure", refs={},
                           status="complete", created_at=moment, updated_at=moment)  # fmt: skip
        longer = SyncRecord(profile_id=journey["events"], source_id="5001/1/1", source_number="Z2", kind="procedure",
                            refs={}, status="complete", created_at=moment, updated_at=moment)  # fmt: skip
        session.add_all([other, longer])
        session.flush()
        order = session.scalars(select(SyncRecord).where(SyncRecord.profile_id == journey["orders"])).one()
        assert not {other.id, longer.id} & {one.id for one in history.kin(session, order)}


def test_the_page_of_the_order_tells_its_executions_and_devices(
    anna: Browser, seeded: Seeded, journey: dict[str, int]
) -> None:
    page = plain(text(anna.get(f"/orders/{record_of(seeded, journey['orders']).id}/")))
    assert f"IMEI: {IMEI}" in page
    assert "Order events: event procedure “Confirm it”" in page
    assert "Order change: Status change: 3 → 5, in office." in page
    assert "The market knows: confirm." in page
    assert "Market returns: return 1001" in page


def test_the_page_of_an_execution_says_what_was_carried_out_and_repeats_it(
    anna: Browser, seeded: Seeded, journey: dict[str, int]
) -> None:
    one = record_of(seeded, journey["events"], "500/")
    page = text(anna.get(f"/orders/{one.id}/"))
    assert "<h1>Order M1" in page
    assert "The event procedure “Confirm it” was carried out for order <b>M1</b>" in page
    assert ">Repeat</button>" in page
    assert "Put back to pending" not in page
    anna.post("/orders/act", {"action": "put_back", "id": str(one.id)})
    assert record_of(seeded, journey["events"], "500/").status == "pending"


def test_the_page_of_a_return_calls_it_one(anna: Browser, seeded: Seeded, journey: dict[str, int]) -> None:
    page = plain(text(anna.get(f"/orders/{record_of(seeded, journey['returns']).id}/")))
    assert "Order M1 return 1001" in page
    assert "Return 1001 is in office as 501" in page


@pytest.mark.parametrize("asked", [IMEI, "35 693803-564380 9", "35-693803-564380-9"])
def test_an_imei_finds_the_order_however_it_is_written(
    anna: Browser, seeded: Seeded, journey: dict[str, int], asked: str
) -> None:
    answer = anna.get("/orders/", query_string={"q": asked})
    assert answer.status_code == 302  # all that was found is one order
    found = anna.get(answer.headers["Location"])
    assert "M1" in text(found)
    assert anna.get("/orders/", query_string={"q": "356938035643808"}).status_code == 200


def test_a_serial_number_of_an_order_that_nothing_followed_from_is_told_where_it_was_seen(
    anna: Browser, seeded: Seeded, watching: int, world: EventWorld
) -> None:
    world.place("900", number="S9", serials=("SN-ab 12",))
    sync.run(seeded.db, watching)
    page = text(anna.get("/orders/", query_string={"q": "SN-ab 12"}))
    said = "The device SN-ab 12 was seen in order S9 of office; nothing followed from it yet."
    assert said in page
    for asked in ("snab12", "SN AB-12", "sn-AB12"):
        assert said in text(anna.get("/orders/", query_string={"q": asked}))


# all pages of profiles of other entities


def test_the_pages_of_a_return_and_of_an_event_profile_say_what_they_are_about(
    anna: Browser, seeded: Seeded, journey: dict[str, int]
) -> None:
    for tab in ("", "options/", "records/", "history/", "schedule/", "schedule-history/", "dry-run/"):
        for profile in ("returns", "events"):
            answer = anna.get(f"/profiles/{journey[profile]}/{tab}")
            assert answer.status_code == 200, (profile, tab)
            words = plain(text(answer))
            assert "Enable order" not in words, (profile, tab)
            assert "Order synchronisation" not in words, (profile, tab)
    assert "Enable return import" in text(anna.get(f"/profiles/{journey['returns']}/options/"))
    assert "Enable event export" in text(anna.get(f"/profiles/{journey['events']}/options/"))
    assert "Return synchronisation" in text(anna.get(f"/profiles/{journey['returns']}/records/"))
    assert ">Order ID<" in text(anna.get(f"/profiles/{journey['events']}/records/"))
    assert "event procedure</span>" in text(anna.get(f"/profiles/{journey['events']}/records/"))
    assert ">Repeat" in text(anna.get(f"/profiles/{journey['events']}/records/"))
    for address in ("/", "/schedule/", "/profiles/", "/orders/", f"/profiles/{journey['events']}/dry-run/"):
        assert anna.get(address).status_code == 200, address


def test_failures_on_the_dashboard_are_called_by_what_failed(
    anna: Browser, seeded: Seeded, journey: dict[str, int]
) -> None:
    with seeded.db.session() as session:
        for row in session.scalars(select(SyncRecord).where(SyncRecord.source_number == "M1")):
            row.status = "failed"
    page = text(anna.get("/"))
    assert "2 executions of Order events have failed." in page
    assert "1 return of Market returns has failed." in page
    assert "1 order of Market orders has failed." in page
