"""The main flows by keyboard alone, with the focus to be seen wherever it goes.

Profiles, connections, mappings, users and columns have keyboard tests of their own beside their rooms.
"""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from profiles.models import Profile
from tests.admin.conftest import PASSWORD, Seeded
from tests.browser.conftest import Visitor
from tests.browser.test_profiles import quiet

# what shows where one is: an outline, a ring, a border or a ground that is there only with the focus
SHOWN = """(it) => {
  const box = it.getBoundingClientRect();
  const look = (one) => {
    const s = getComputedStyle(one);
    const outline = s.outlineStyle === 'none' ? '' : s.outlineWidth + s.outlineColor;
    return [outline, s.boxShadow, s.borderColor, s.backgroundColor].join('|');
  };
  const around = [it, it.parentElement, it.nextElementSibling].filter(Boolean);
  const focused = around.map(look).join();
  it.blur();
  const without = around.map(look).join();
  it.focus();
  return { seen: focused !== without, inside: box.bottom > 0 && box.top < innerHeight && box.width > 0 };
}"""


def tab_to(page: Page, wanted: Locator, most: int = 120, key: str = "Tab") -> None:
    """Press Tab until it has the focus; on the way there and at its end the focus can be seen."""
    for _ in range(most):
        page.keyboard.press(key)
        if wanted.evaluate("it => it === document.activeElement"):
            shown = wanted.evaluate(SHOWN)
            assert shown == {"seen": True, "inside": True}, f"the focus on {wanted} cannot be seen: {shown}"
            return
    raise AssertionError(f"{wanted} is not reached by {most} presses of {key}")


def test_every_stop_on_the_way_through_a_page_can_be_seen(anna: Visitor, seeded: Seeded) -> None:
    page = anna.page
    for address in ("/", "/profiles/", f"/profiles/{seeded.profile}/records/", f"/orders/{seeded.failed}/", "/log/",
                    f"/profiles/{seeded.profile}/options/", f"/connections/{seeded.shop}/"):  # fmt: skip
        page.goto(address)
        unseen = []
        for _ in range(45):
            page.keyboard.press("Tab")
            at = page.evaluate_handle("document.activeElement").as_element()
            assert at
            if at.evaluate("it => it === document.body"):
                break
            if not at.evaluate(SHOWN)["seen"]:
                unseen.append(at.evaluate("it => it.outerHTML.slice(0, 120)"))
        assert not unseen, f"{address}: the focus cannot be seen on\n" + "\n".join(unseen)


def test_the_day_of_an_admin_without_a_mouse(visit: Callable[..., Visitor], seeded: Seeded) -> None:
    """Log in, the menu, find an order and retry it, run a profile now, change a setting and save it, log out."""
    quiet(seeded)
    visitor = visit()
    page, keys = visitor.page, visitor.page.keyboard
    page.goto("/login/")
    expect(page.get_by_label("Name")).to_be_focused()
    keys.type("anna")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    page.wait_for_selector("nav.side")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.get_attribute("href", timeout=2000) == "#main", "the first stop leads past the menu"
    tab_to(page, page.locator("nav.side").get_by_role("link", name="Profiles"))
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Profiles")).to_be_visible()
    keys.press("/")
    keys.type("100000004")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Order 100000004")).to_be_visible()
    tab_to(page, page.get_by_role("button", name="Retry now"))
    keys.press("Enter")
    expect(page.locator(".flash.good:not([hidden])").first).to_contain_text("1 record is tried again now.")
    tab_to(page, page.locator("main .crumb").get_by_role("link", name="Orders DE"))
    keys.press("Enter")
    page.wait_for_url("**/records/")
    tab_to(page, page.get_by_role("button", name="Run now"))
    keys.press("Enter")
    expect(
        page.get_by_text("Orders DE runs as soon as it is free")
        .or_(page.get_by_text("is already waiting to be run"))
        .first
    ).to_be_visible()
    tab_to(page, page.locator("nav.tabs").get_by_role("link", name="Export settings"))
    keys.press("Enter")
    page.wait_for_url("**/options/")
    tab_to(page, page.locator("[data-find]"))
    keys.type("note")
    keys.press("Enter")
    note = page.get_by_label("Note", exact=True)
    expect(note).to_be_focused()
    keys.type("by keyboard")
    tab_to(page, page.get_by_role("button", name="Save", exact=True))
    visitor.allowed.append("422")
    keys.press("Enter")
    all_the_same = page.get_by_role("button", name="Save all the same")
    expect(page.locator(".flash:not([hidden])").first).to_be_visible()
    if all_the_same.count():
        tab_to(page, all_the_same)
        keys.press("Enter")
    expect(page.locator(".flash.good:not([hidden])").first).to_contain_text("Saved.")
    with seeded.db.reading() as session:
        assert session.get_one(Profile, seeded.profile).settings["global"]["note"] == "by keyboard"
    tab_to(page, page.get_by_role("button", name="Log out"))
    keys.press("Enter")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
