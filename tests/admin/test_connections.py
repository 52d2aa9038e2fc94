"""Connections: the wizard's form, secrets that never come out, tests and collecting beside the request, the lists."""

from __future__ import annotations

import datetime as dt
import html
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, select

import admin
from admin import auth
from admin.views import connection_form, jobs
from connector import Account, Budget, ConnectorError, Entry, Finding, RecordFailed, StopRun
from connector.registry import plugins
from connector.sockets import PrivateAddress
from connector.testing import MemoryHost
from profiles.db import now
from profiles.hosting import State
from profiles.models import Audit, CatalogueEntry, Connection, Profile
from profiles.secrets import seal, unseal
from tests.admin.conftest import PASSWORD, SECRETS, Browser, Erp, Seeded, Shop

FETCH = {"X-Requested-With": "fetch"}


def text(answer: Any) -> str:
    return str(answer.get_data(as_text=True))


def credentials(seeded: Seeded, connection_id: int) -> dict[str, Any]:
    with seeded.db.reading() as session:
        return dict(unseal(session.get_one(Connection, connection_id).credentials))


def form(**changed: str) -> dict[str, str]:
    """The form of the seeded shop as it is drawn: secrets empty, the reference shown."""
    given = {"connection_name": "shop-de", "connection_address": "https://shop.example.com", "s.user": "api"}
    return {**given, "s.token": "", "s.key": "env:SHOP_KEY", **changed}


def state(browser: Browser, connection_id: int) -> dict[str, Any]:
    return dict(browser.get(f"/connections/{connection_id}/state.json").get_json())


def until(done: Callable[[], Any], seconds: float = 10.0) -> Any:
    """What `done` says as soon as it says something."""
    give_up = time.monotonic() + seconds
    while not (said := done()):
        assert time.monotonic() < give_up, "it did not end"
        time.sleep(0.02)
    return said


def ended(browser: Browser, connection_id: int) -> dict[str, Any]:
    return dict(until(lambda: (told := state(browser, connection_id)) and not told["busy"] and told))


def notes(seeded: Seeded, action: str) -> list[Audit]:
    with seeded.db.reading() as session:
        return list(session.scalars(select(Audit).where(Audit.action == action).order_by(Audit.id)))


def add(seeded: Seeded, connector: str = "strangershop", **values: Any) -> int:
    """One more connection, used by nobody."""
    moment = now()
    with seeded.db.session() as session:
        row = Connection(
            **{
                "name": "spare",
                "connector": connector,
                "base_url": "https://spare.example.com",
                "credentials": seal({"user": "api", "token": SECRETS[0]}),
                "created_at": moment,
                "updated_at": moment,
                **values,
            }
        )
        session.add(row)
        session.flush()
        return row.id


@pytest.fixture
def olga(app: Flask, seeded: Seeded) -> Browser:
    """An operator who is logged in."""
    with seeded.db.session() as session:
        auth.add_user(session, "olga", PASSWORD, "operator")
    made = Browser(app)
    made.login("olga")
    return made


# the form


def test_an_empty_secret_of_a_connection_is_kept_and_a_reference_is_shown(anna: Browser, seeded: Seeded) -> None:
    address = f"/connections/{seeded.shop}/edit/"
    assert 'value="env:SHOP_KEY"' in text(anna.get(address))
    assert anna.post(address, form(**{"s.user": "other"})).status_code == 302
    assert credentials(seeded, seeded.shop) == {"user": "other", "token": SECRETS[0], "key": "env:SHOP_KEY"}


def test_a_new_secret_replaces_the_stored_one(anna: Browser, seeded: Seeded) -> None:
    anna.post(f"/connections/{seeded.shop}/edit/", form(**{"s.token": "fresh"}))
    assert credentials(seeded, seeded.shop)["token"] == "fresh"


def test_a_new_connection_asks_for_what_its_connector_declares(anna: Browser, seeded: Seeded) -> None:
    assert "Stranger&#39;s Shop" in text(anna.get("/connections/new/"))
    given = {"connection_name": "second", "connection_address": "https://two.example.com", "s.user": "", "s.token": ""}
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 422
    assert "Access token is missing." in text(answer)
    given |= {"s.user": "api", "s.token": "env:TWO"}
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 302
    made = re.fullmatch(r"/connections/(\d+)/ready/", answer.headers["Location"])
    assert made
    assert credentials(seeded, int(made[1])) == {"user": "api", "token": "env:TWO"}


def test_a_broken_connector_is_a_card_with_its_reason(anna: Browser) -> None:
    for address in ("/connections/new/", "/connections/"):
        page = text(anna.get(address))
        assert "brokensystem" in page
        assert "has no attribute" in page


def test_a_card_says_what_can_be_read_and_written(anna: Browser) -> None:
    page = text(anna.get("/connections/new/"))
    assert "Orders: can be read" in page
    assert "Orders: can be written" in page


def test_the_base_address_is_explained_by_its_connector(anna: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shop, "address_help", "As customers type it.")
    monkeypatch.setattr(Shop, "address_example", "https://my-shop.example")
    page = text(anna.get("/connections/new/?connector=strangershop"))
    assert "As customers type it." in page
    assert 'placeholder="https://my-shop.example"' in page


PRIVATE = [
    "http://127.1",
    "http://[::1]/",
    "http://0x7f000001",
    "http://169.254.1.1/latest",
    "http://localhost:8080",
    "http://[::ffff:10.0.0.1]",
    "http://2130706433",
]


@pytest.mark.parametrize("address", PRIVATE)
@pytest.mark.parametrize("do", ["test", "save"])
def test_a_private_address_is_refused_at_its_field(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, address: str, do: str
) -> None:
    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    given = form(connection_name="inner", connection_address=address, do=do, **{"s.token": "t0ps3cret"})
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 422
    page = text(answer)
    field = page[page.index('id="connection_address"') : page.index('id="connection_name"')]
    assert "is an address in a private network" in html.unescape(field)
    with seeded.db.reading() as session:
        assert session.scalar(select(Connection).where(Connection.name == "inner")) is None


def test_the_address_of_a_clouds_credentials_is_refused_though_private_ones_are_allowed(anna: Browser) -> None:
    given = form(connection_name="inner", connection_address="http://169.254.169.254/latest", do="save")
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 422
    assert "a cloud hands out this machine's own credentials" in html.unescape(text(answer))


def test_a_name_that_leads_to_a_private_address_is_refused_at_save_and_at_connect(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = "93.184.215.14", "10.1.2.3"
    leads_to = [public]

    def resolve(host: str, port: int, *given: Any, **options: Any) -> list[Any]:
        assert host == "rebind.example.com"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (leads_to[0], port))]

    monkeypatch.delenv("CONNECTOR_ALLOW_PRIVATE")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    facts = Account(name="x", base_url="http://rebind.example.com", settings=Shop.Settings().load({}))  # type: ignore[arg-type]
    client = Shop(facts, MemoryHost()).client
    leads_to[0] = private
    with pytest.raises(PrivateAddress, match=r"10\.1\.2\.3"):
        client.call("GET", "/")
    given = form(connection_name="rebind", connection_address="http://rebind.example.com", **{"s.token": "x"})
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 422
    assert "rebind.example.com (10.1.2.3)" in text(answer)


def test_another_address_asks_for_the_secrets_again(anna: Browser, seeded: Seeded) -> None:
    address, foreign = f"/connections/{seeded.shop}/edit/", "https://evil.example.com"
    for do in ("save", "test"):
        answer = anna.post(address, form(connection_address=foreign, do=do))
        assert answer.status_code == 422
        assert "a stored secret is sent to no other address" in text(answer)
    assert credentials(seeded, seeded.shop)["token"] == SECRETS[0]
    answer = anna.post(address, form(connection_address=foreign, **{"s.token": "its own"}))
    assert answer.status_code == 302
    assert credentials(seeded, seeded.shop) == {"user": "api", "token": "its own", "key": "env:SHOP_KEY"}


def test_a_slash_at_the_end_is_no_other_address(anna: Browser, seeded: Seeded) -> None:
    answer = anna.post(f"/connections/{seeded.shop}/edit/", form(connection_address="https://shop.example.com/"))
    assert answer.status_code == 302


def test_a_setting_that_does_not_matter_is_neither_asked_for_nor_kept(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = Shop.Settings._declared_fields["key"]
    monkeypatch.setitem(key.metadata, "when", {"user": ("signer",)})
    page = html.unescape(text(anna.get(f"/connections/{seeded.shop}/edit/")))
    assert 'data-when="{"user": ["signer"]}"' in page
    anna.post(f"/connections/{seeded.shop}/edit/", form())
    assert credentials(seeded, seeded.shop) == {"user": "api", "token": SECRETS[0]}


# secrets that were typed


def sealed(answer: Any) -> str:
    found = re.search(r'name="draft" value="([^"]*)"', text(answer))
    assert found
    return found[1]


def test_a_typed_secret_is_kept_sealed_while_the_form_is_mended(anna: Browser, seeded: Seeded) -> None:
    wrong = form(connection_name="", connection_address="https://two.example.com", **{"s.token": "typed-once"})
    answer = anna.post("/connections/new/?connector=strangershop", wrong)
    assert answer.status_code == 422
    assert "typed-once" not in text(answer)
    assert "Kept as you typed it" in text(answer)
    mended = {**wrong, "connection_name": "two", "s.token": "", "draft": sealed(answer)}
    answer = anna.post("/connections/new/?connector=strangershop", mended)
    assert answer.status_code == 302
    with seeded.db.reading() as session:
        row = session.scalars(select(Connection).where(Connection.name == "two")).one()
    assert unseal(row.credentials)["token"] == "typed-once"


def test_a_sealed_draft_is_worth_nothing_to_others_later_or_for_another_system(
    anna: Browser, app: Flask, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = form(connection_name="", connection_address="https://two.example.com", **{"s.token": "typed-once"})
    draft = sealed(anna.post("/connections/new/?connector=strangershop", wrong))
    given = {**wrong, "connection_name": "two", "s.token": "", "draft": draft}

    def refused(browser: Browser, code: str = "strangershop") -> bool:
        return "Access token is missing." in text(browser.post(f"/connections/new/?connector={code}", given))

    with seeded.db.session() as session:
        auth.add_user(session, "berta", PASSWORD, "admin")
    berta = Browser(app)
    berta.login("berta")
    assert refused(berta)
    assert refused(anna, "strangererp")
    with monkeypatch.context() as patch:
        patch.setattr(connection_form, "DRAFT_SECONDS", 0.0)
        assert refused(anna)
    for nonsense in ("", "x", seal("a text"), seal({"by": "somebody"}), seal([1])):
        given["draft"] = nonsense
        assert refused(anna)


# testing what is not stored


def trial(browser: Browser, word: str) -> dict[str, Any]:
    address = f"/connections/new/test.json?job={word}"
    return dict(until(lambda: (told := browser.get(address).get_json()) and not told["busy"] and told))


def test_a_test_from_the_form_stores_nothing_and_says_each_finding(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    def check(self: Shop) -> list[Finding]:
        used.append(self.account.settings.token)
        self.host.state.change("login_refused", lambda _: {"at": 1})
        return [
            Finding(name="Address", ok=True, message="The shop answers."),
            Finding(name="Login", ok=False, message="Ask for the right <b>orders</b>."),
        ]

    monkeypatch.setattr(Shop, "check", check)
    given = form(connection_name="", do="test", **{"s.token": "typed-once"})
    asked = anna.post("/connections/new/?connector=strangershop", given, headers=FETCH).get_json()
    told = trial(anna, asked["job"])
    assert not told["ok"]
    assert "The shop answers." in told["html"]
    assert "Ask for the right &lt;b&gt;orders&lt;/b&gt;." in told["html"]
    assert used == ["typed-once"]
    assert "typed-once" not in told["html"]
    with seeded.db.reading() as session:
        assert len(session.scalars(select(Connection)).all()) == 2
    (note,) = notes(seeded, "tested")
    assert (note.person, note.subject_id, note.after) == (
        "anna",
        None,
        {"connector": "strangershop", "base_url": "https://shop.example.com"},
    )


def test_a_test_of_a_changed_connection_uses_the_stored_secret_at_its_own_address(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[tuple[str, str]] = []

    def check(self: Shop) -> list[Finding]:
        used.append((self.account.settings.user, self.account.settings.token))
        return [Finding(name="Login", ok=True, message="Fine.")]

    monkeypatch.setattr(Shop, "check", check)
    given = form(do="test", **{"s.user": "another"})
    asked = anna.post(f"/connections/{seeded.shop}/edit/", given, headers=FETCH).get_json()
    assert trial(anna, asked["job"])["ok"]
    assert used == [("another", SECRETS[0])]
    assert credentials(seeded, seeded.shop)["user"] == "api"


def test_a_test_with_a_faulty_form_names_the_inputs(anna: Browser) -> None:
    given = form(connection_name="", connection_address="nonsense", do="test")
    told = anna.post("/connections/new/?connector=strangershop", given, headers=FETCH).get_json()
    assert set(told["problems"]) == {"connection_address", "s.token"}


def test_the_test_from_the_form_works_without_scripts(anna: Browser) -> None:
    given = form(do="test", **{"s.token": "typed-once"})
    answer = anna.post("/connections/new/?connector=strangershop", given)
    assert answer.status_code == 200
    assert "It works." in text(answer)
    assert "Save and collect" in text(answer)
    assert "typed-once" not in text(answer)
    assert sealed(answer)


def test_nobody_sees_the_test_of_somebody_else(anna: Browser, app: Flask, seeded: Seeded) -> None:
    given = form(do="test", **{"s.token": "typed-once"})
    asked = anna.post("/connections/new/?connector=strangershop", given, headers=FETCH).get_json()
    trial(anna, asked["job"])
    victor = Browser(app)
    victor.login("victor")
    assert victor.get(f"/connections/new/test.json?job={asked['job']}").get_json() == {"known": False, "busy": False}
    assert anna.get("/connections/new/test.json?job=nonsense").get_json()["known"] is False


def test_a_connector_that_breaks_its_word_is_a_finding(anna: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: Shop) -> list[Finding]:
        raise ValueError("inner words")

    monkeypatch.setattr(Shop, "check", check)
    given = form(do="test", **{"s.token": "typed-once"})
    page = text(anna.post("/connections/new/?connector=strangershop", given))
    assert "The test itself failed: ValueError." in page
    assert "inner words" not in page


def test_a_password_that_was_refused_is_remembered_between_tests_of_a_form(
    anna: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def check(self: Shop) -> list[Finding]:
        seen.append(self.host.state.read("refused"))
        self.host.state.change("refused", lambda _: {"token": self.account.settings.token})
        return []

    monkeypatch.setattr(Shop, "check", check)
    for token in ("first", "first", "second"):
        anna.post("/connections/new/?connector=strangershop", form(do="test", **{"s.token": token}))
    assert seen == [None, {"token": "first"}, None]


# the wizard's last steps


def test_saving_without_a_test_says_so(anna: Browser, seeded: Seeded) -> None:
    given = form(connection_name="two", do="save", **{"s.token": "x"})
    answer = anna.post("/connections/new/?connector=strangershop", given, follow_redirects=True)
    assert "saved without a successful test" in text(answer)
    assert notes(seeded, "collected") == []


def test_saving_after_a_good_test_collects_and_leads_on(anna: Browser, seeded: Seeded) -> None:
    given = form(connection_name="two", do="save", tested="yes", **{"s.token": "x"})
    answer = anna.post("/connections/new/?connector=strangershop", given)
    made = int(answer.headers["Location"].split("/")[-3])
    told = ended(anna, made)
    assert "Everything is collected: 2 values." in told["parts"]["collect"]["html"]
    assert "Make a profile" in told["parts"]["next"]["html"]
    page = text(anna.get(f"/connections/{made}/ready/"))
    assert "Everything is collected: 2 values." in page
    assert "Make a profile" in page


# test and collect of what is stored


def test_the_test_says_what_failed_and_the_page_keeps_saying_it(anna: Browser, seeded: Seeded) -> None:
    answer = anna.post(f"/connections/{seeded.erp}/test")
    assert answer.status_code == 302
    assert "The password is wrong." in ended(anna, seeded.erp)["parts"]["test"]["html"]
    assert "The password is wrong." in text(anna.get(answer.headers["Location"]))
    (note,) = notes(seeded, "tested")
    assert (note.person, note.subject, note.subject_id) == ("anna", "erp", seeded.erp)
    assert note.after == {"works": False, "said": "The password is wrong."}


def test_findings_give_way_to_what_a_run_found_later(anna: Browser, seeded: Seeded) -> None:
    anna.post(f"/connections/{seeded.shop}/test")
    assert "It works." in ended(anna, seeded.shop)["parts"]["test"]["html"]
    with seeded.db.session() as session:
        row = session.get_one(Connection, seeded.shop)
        row.checked_at, row.check_ok = now() + dt.timedelta(seconds=1), False
        row.check_message = "The token was taken back."
    page = text(anna.get(f"/connections/{seeded.shop}/"))
    assert "The token was taken back." in page
    assert "It works." not in page


def test_collecting_shows_each_list_while_it_goes_on_and_after_a_reload(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    half, go_on = threading.Event(), threading.Event()

    def collect(self: Erp) -> Iterator[tuple[str, list[Entry] | ConnectorError]]:
        yield "order_status", [Entry(id="1", name="One"), Entry(id="2", name="Two")]
        half.set()
        assert go_on.wait(10)
        yield "warehouse", RecordFailed("The right stock.show is missing.")

    monkeypatch.setattr(Erp, "collect", collect)
    answer = anna.post(f"/connections/{seeded.erp}/collect", headers=FETCH)
    assert answer.status_code == 202
    assert half.wait(10)
    told = until(lambda: (found := state(anna, seeded.erp)) and "1 of 2" in found["parts"]["collect"]["html"] and found)
    assert told["busy"]
    assert "Collecting: 1 of 2 lists" in text(anna.get(f"/connections/{seeded.erp}/"))
    anna.post(f"/connections/{seeded.erp}/collect")  # pressed twice, begun once
    go_on.set()
    told = ended(anna, seeded.erp)
    assert "The right stock.show is missing." in told["parts"]["collect"]["html"]
    assert len(notes(seeded, "collected")) == 1
    assert notes(seeded, "collected")[0].after == {"lists": 1, "entries": 2}


@pytest.mark.parametrize(
    ("error", "said"),
    [(StopRun("Grant the right."), "Grant the right."), (ValueError("inner"), "The connector failed: ValueError.")],
)
def test_collecting_that_fails_keeps_what_was_fetched_and_says_why(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def collect(self: Erp) -> Iterator[tuple[str, list[Entry]]]:
        yield "order_status", [Entry(id="77", name="Kept")]
        raise error

    monkeypatch.setattr(Erp, "collect", collect)
    anna.post(f"/connections/{seeded.erp}/collect")
    part = ended(anna, seeded.erp)["parts"]["collect"]["html"]
    assert said in part
    assert "not fetched" in part
    page = text(anna.get(f"/connections/{seeded.erp}/?kind=order_status"))
    assert "Kept" in page
    assert said in page


def test_a_job_whose_process_is_gone_is_said_and_can_be_begun_again(anna: Browser, seeded: Seeded) -> None:
    gone = {"by": "anna", "worker": "here:1:2:999999:0.00", "began": now().isoformat(), "beat": now().isoformat()}
    fact = State(seeded.db, seeded.shop, threading.Event())
    long_ago = (now() - dt.timedelta(hours=1)).isoformat()
    fact.change("job:collect", lambda _: {**gone, "beat": long_ago})
    assert not state(anna, seeded.shop)["busy"]
    assert "It did not end" in text(anna.get(f"/connections/{seeded.shop}/"))
    anna.post(f"/connections/{seeded.shop}/collect")
    assert "Everything is collected" in ended(anna, seeded.shop)["parts"]["collect"]["html"]


def test_a_late_thread_does_not_write_over_the_next_job(seeded: Seeded) -> None:
    fact = State(seeded.db, seeded.shop, threading.Event())
    fact.change("job:test", lambda _: {"worker": "another", "began": now().isoformat(), "beat": now().isoformat()})
    jobs._guarded(jobs._test, seeded.db, seeded.shop, "anna", "mine")
    assert fact.read("job:test") == fact.change("job:test", lambda now_there: now_there)
    assert (fact.read("job:test") or {})["worker"] == "another"
    assert "ended" not in (fact.read("job:test") or {})


def test_an_operator_tests_and_collects_but_changes_nothing(olga: Browser, seeded: Seeded) -> None:
    page = text(olga.get(f"/connections/{seeded.shop}/"))
    assert page.count("data-job") == 2
    assert "Edit" not in page
    assert "Delete this connection" not in page
    assert olga.post(f"/connections/{seeded.shop}/test").status_code == 302
    ended(olga, seeded.shop)
    for what in ("delete", "forget", "values", "values/remove", "edit/"):
        assert olga.post(f"/connections/{seeded.shop}/{what}").status_code == 403


def test_a_viewer_sees_states_and_no_button(victor: Browser, seeded: Seeded) -> None:
    for address in ("/connections/", f"/connections/{seeded.shop}/", f"/connections/{seeded.shop}/ready/"):
        page = text(victor.get(address))
        assert "data-job" not in page
        assert "New connection" not in page


# the list


def test_the_list_says_how_many_profiles_use_a_connection(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get("/connections/"))
    assert page.count('title="Orders DE">1</td>') == 2


def test_an_empty_list_invites(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.execute(delete(Profile))
        session.execute(delete(Connection))
    page = text(anna.get("/connections/"))
    assert "Connect your first system" in page
    assert "/connections/new/" in page


# the rate budget


def test_a_budget_is_shown_as_it_stands_and_full_when_its_window_is_over(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def budget(cls: type[Erp], state: Any, account: Any) -> list[Budget]:
        fact = state.read("calls") or {}
        return (
            [Budget(label="Writes", limit=150, left=fact["left"], resets_at=fact_end(fact), reserve=4)] if fact else []
        )

    def fact_end(fact: dict[str, Any]) -> dt.datetime:
        return dt.datetime.fromisoformat(fact["ends"])

    monkeypatch.setattr(Erp, "budget", classmethod(budget))
    assert "has not said yet how many calls" in text(anna.get(f"/connections/{seeded.erp}/"))
    shared = State(seeded.db, seeded.erp, threading.Event())
    shared.change("calls", lambda _: {"left": 37, "ends": (now() + dt.timedelta(minutes=1)).isoformat()})
    for address in (f"/connections/{seeded.erp}/", "/connections/"):
        assert "37 of 150" in text(anna.get(address))
    shared.change("calls", lambda _: {"left": 37, "ends": (now() - dt.timedelta(minutes=1)).isoformat()})
    assert "a new window has begun" in text(anna.get(f"/connections/{seeded.erp}/"))
    assert "150 of 150 calls left" in text(anna.get(f"/connections/{seeded.erp}/"))


def test_a_budget_that_cannot_be_read_takes_no_page_down(
    anna: Browser, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def budget(cls: type[Erp], state: Any, account: Any) -> list[Budget]:
        raise RuntimeError("inner words")

    monkeypatch.setattr(Erp, "budget", classmethod(budget))
    assert anna.get("/connections/").status_code == 200


# what was collected


def test_collected_values_are_searched_by_name_and_id(anna: Browser, seeded: Seeded) -> None:
    address = f"/connections/{seeded.shop}/"
    assert all(name in text(anna.get(f"{address}?kind=order_status")) for name in ("On hold", "Complete"))
    for asked in ("on HOLD", "holded"):
        page = text(anna.get(address, query_string={"kind": "order_status", "q": asked}))
        assert "On hold" in page
        assert ">complete<" not in page
    assert "Nothing matches" in text(anna.get(address, query_string={"kind": "order_status", "q": "100%"}))


def test_a_long_list_is_paged_by_key(anna: Browser, seeded: Seeded) -> None:
    with seeded.db.session() as session:
        session.add_all(
            CatalogueEntry(
                connection_id=seeded.shop, kind="order_status", entry=f"n{at:04}", name=f"N {at}", collected_at=now()
            )
            for at in range(450)
        )
    seen: list[str] = []
    address: str | None = f"/connections/{seeded.shop}/?kind=order_status&q=n0"
    while address:
        page = html.unescape(text(anna.get(address)))
        seen += re.findall(r'<td class="first mono">(\w+)</td>', page)
        found = re.search(r'rel="next" href="([^"#]+)', page)
        address = found[1] if found else None
    assert seen == [f"n{at:04}" for at in range(450)]


def test_a_value_is_added_and_removed_by_hand_and_survives_collecting(anna: Browser, seeded: Seeded) -> None:
    home = f"/connections/{seeded.shop}/"
    anna.post(f"{home}values", {"kind": "order_status", "entry": "fraud", "name": "Suspected fraud"})
    anna.post(f"{home}collect")
    ended(anna, seeded.shop)
    assert "Suspected fraud" in text(anna.get(f"{home}?kind=order_status"))
    assert "in this list already" in text(
        anna.post(f"{home}values", {"kind": "order_status", "entry": "fraud"}, follow_redirects=True)
    )
    with seeded.db.reading() as session:
        rows = {one.entry: one for one in session.scalars(select(CatalogueEntry).where(CatalogueEntry.learned))}
        collected = session.scalars(select(CatalogueEntry.id).where(CatalogueEntry.entry == "new")).one()
    assert anna.post(f"{home}values/remove", {"entry_id": str(collected)}).status_code == 404
    assert anna.post(f"/connections/{seeded.erp}/values/remove", {"entry_id": rows["fraud"].id}).status_code == 404
    assert anna.post(f"{home}values/remove", {"entry_id": str(rows["fraud"].id)}).status_code == 302
    assert "Suspected fraud" not in text(anna.get(f"{home}?kind=order_status"))
    assert [one.after for one in notes(seeded, "added a value")] == [
        {"list": "order_status", "id": "fraud", "name": "Suspected fraud"}
    ]
    assert len(notes(seeded, "removed a value")) == 1


@pytest.mark.parametrize("entry", ["", "  ", "x" * 256])
def test_a_value_without_a_usable_id_is_refused(anna: Browser, seeded: Seeded, entry: str) -> None:
    given = {"kind": "order_status", "entry": entry}
    answer = anna.post(f"/connections/{seeded.shop}/values", given, follow_redirects=True)
    assert "Nothing was added" in text(answer)
    assert anna.post(f"/connections/{seeded.shop}/values", {"kind": "nonsense", "entry": "x"}).status_code == 404


@pytest.mark.parametrize(("also", "left"), [("", {"seen"}), ("yes", set())])
def test_collected_data_is_deleted_and_what_was_learned_only_if_asked(
    anna: Browser, seeded: Seeded, also: str, left: set[str]
) -> None:
    anna.post(f"/connections/{seeded.shop}/values", {"kind": "order_status", "entry": "seen"})
    anna.post(f"/connections/{seeded.shop}/forget", {"learned": also})
    with seeded.db.reading() as session:
        mine = select(CatalogueEntry.entry).where(CatalogueEntry.connection_id == seeded.shop)
        assert set(session.scalars(mine)) == left
        assert session.get_one(Connection, seeded.shop).collected_at is None
        others = select(CatalogueEntry.id).where(CatalogueEntry.connection_id == seeded.erp)
        assert session.scalars(others).all()
    assert len(notes(seeded, "deleted collected data")) == 1


# deleting


def test_a_connection_in_use_is_not_deleted_and_the_profiles_are_named(anna: Browser, seeded: Seeded) -> None:
    page = text(anna.get(f"/connections/{seeded.shop}/"))
    assert "cannot be deleted while this profile uses it" in page
    answer = anna.post(f"/connections/{seeded.shop}/delete", {"confirm": "shop-de"}, follow_redirects=True)
    assert "It is used by" in text(answer)
    assert "Orders DE" in text(answer)
    assert notes(seeded, "deleted") == []


def test_a_connection_is_deleted_only_by_its_name(anna: Browser, seeded: Seeded) -> None:
    spare = add(seeded)
    anna.post(f"/connections/{spare}/delete", {"confirm": "spar"})
    assert anna.get(f"/connections/{spare}/").status_code == 200
    anna.post(f"/connections/{spare}/delete", {"confirm": "spare"})
    assert anna.get(f"/connections/{spare}/").status_code == 404
    (note,) = notes(seeded, "deleted")
    assert (note.person, note.kind, note.subject) == ("anna", "connection", "spare")
    assert note.before == {"connector": "strangershop", "base_url": "https://spare.example.com"}


def test_a_connection_without_its_connector_is_still_shown(anna: Browser, seeded: Seeded) -> None:
    gone = add(seeded, connector="departed")
    assert "departed" not in plugins()
    for address in ("/connections/", f"/connections/{gone}/", f"/connections/{gone}/ready/"):
        assert "no connector" in text(anna.get(address))
    assert anna.post(f"/connections/{gone}/test", headers=FETCH).status_code == 422
    assert anna.get(f"/connections/{gone}/edit/").status_code == 302


def test_ids_beyond_any_database_are_not_found(anna: Browser) -> None:
    for address in ("", "edit/", "ready/", "state.json"):
        assert anna.get(f"/connections/{2**70}/{address}").status_code == 404


def test_the_first_connection_leads_to_the_second(db: Any) -> None:
    with db.session() as session:
        auth.add_user(session, "anna", PASSWORD)
    browser = Browser(admin.create_app(db))
    browser.login()
    given = form(connection_name="one", do="save", tested="yes", **{"s.token": "x"})
    answer = browser.post("/connections/new/?connector=strangershop", given)
    made = int(answer.headers["Location"].split("/")[-3])
    ended(browser, made)
    assert "Connect another system" in text(browser.get(f"/connections/{made}/ready/"))
