"""The host goes away while a long form is filled in: what was typed stays, the loss is said, and later it is saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from profiles.models import Connection, EventProcedure, Profile
from tests.admin.conftest import Seeded
from tests.browser.conftest import Visitor
from tests.profiles import memory_trade as trade

LOST = "The connection to the host is lost."
UNSENT = "Nothing was sent. What you typed is still here"
BACK = "The host answers again. What you typed is still here and not saved yet: send it again."


@contextmanager
def no_network(anna: Visitor) -> Iterator[None]:
    anna.allowed.append("ERR_INTERNET_DISCONNECTED")
    anna.context.set_offline(True)
    yield
    anna.context.set_offline(False)


@contextmanager
def no_host(anna: Visitor) -> Iterator[None]:
    """The network is there, and the host refuses every connection."""
    anna.allowed.append("ERR_CONNECTION_REFUSED")
    anna.context.route("**/*", lambda route: route.abort("connectionrefused"))
    yield
    anna.context.unroute("**/*")


@pytest.mark.parametrize("away", [no_network, no_host])
def test_settings_that_are_saved_while_the_host_is_away_stay_in_the_form_and_are_saved_later(
    anna: Visitor, seeded: Seeded, away: Callable[[Visitor], AbstractContextManager[None]]
) -> None:
    page = anna.page
    page.goto(f"/profiles/{seeded.profile}/options/?scope=stores.en")
    page.click("[data-open-all]")
    page.uncheck('#setting-note input[name="use_default"]')
    page.locator("[name='s.note']").fill("half a thought")
    here = page.url
    with away(anna):
        page.get_by_role("button", name="Save", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text(UNSENT)).to_be_visible()
        expect(page.get_by_text(LOST)).to_be_in_viewport()
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_focused()
        anna.accessible()
        page.keyboard.press("Enter")  # again, to no avail
        expect(page.get_by_text(UNSENT)).to_be_visible()
        assert page.url == here
        expect(page.locator("[name='s.note']")).to_have_value("half a thought")
        expect(page.locator("[data-changed-count]")).to_contain_text("not saved yet")
    expect(page.get_by_text(BACK)).to_be_visible()
    expect(page.get_by_text(LOST)).to_be_hidden()
    anna.accessible()
    page.keyboard.press("Enter")
    expect(page.locator(".flash.good:not([hidden])").first).to_contain_text("Saved.")
    with seeded.db.reading() as session:
        assert session.get_one(Profile, seeded.profile).settings["stores"]["en"]["note"] == "half a thought"


def test_the_forms_of_profiles_connections_and_event_procedures_wait_for_the_host_too(
    anna: Visitor, seeded: Seeded
) -> None:
    page = anna.page
    procedure = trade.procedure(seeded.db, trade.profile(seeded.db, *trade.connections(seeded.db)))
    forms = (
        (f"/profiles/{seeded.profile}/", "name", "Save", Profile.name),
        ("/profiles/new/?entity=event&from=office&to=market", "name", "Make the profile", Profile.name),
        (f"/connections/{seeded.erp}/edit", "connection_name", "Save", Connection.name),
        (f"/procedures/{procedure}/", "name", "Save", EventProcedure.name),
    )
    for at, (address, name, button, stored) in enumerate(forms):
        page.goto(address)
        field = page.locator(f"form[data-guard] [name={name}]")
        field.fill(f"Typed {at}")
        with no_network(anna):
            page.locator("form[data-guard] .savebar button", has_text=button).focus()
            page.keyboard.press("Enter")
            expect(page.get_by_text(UNSENT)).to_be_visible()
            expect(field).to_have_value(f"Typed {at}")
        expect(page.get_by_text(BACK)).to_be_visible()
        page.keyboard.press("Enter")
        expect(page.get_by_text(BACK)).to_be_hidden()
        expect(page.locator("h1")).to_contain_text(f"Typed {at}")
        with seeded.db.reading() as session:
            assert session.scalars(select(stored).where(stored == f"Typed {at}")).one()
