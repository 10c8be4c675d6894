"""A page that was overtaken: another tab replaced the key, took the plan away, or signed out."""

import pytest
from playwright.sync_api import BrowserContext, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import (
    COME_BACK, KeyPage, clipboard, expect_absent, expect_path, hold_requests, key_path, pause_clock, sign_in,
    whole_page,
)
from browser.dashboard_server import DashboardServer

ELSEWHERE = "The key was regenerated elsewhere"


@pytest.fixture
def workspace(server: DashboardServer) -> dict:
    return next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "pro")


@pytest.fixture
def stale(server: DashboardServer, context: BrowserContext, workspace: dict) -> KeyPage:
    """A tab that shows the key."""
    page = context.new_page()
    sign_in(page, server.ada, key_path(workspace))
    KeyPage(page).reveal()
    return KeyPage(page)


def regenerate_elsewhere(server: DashboardServer, stale: KeyPage, workspace: dict) -> str:
    """Regenerates in a second tab; returns the new key."""
    page = stale.page.context.new_page()
    page.goto(key_path(workspace))
    KeyPage(page).press_regenerate()
    expect(page.get_by_text("Key regenerated.")).to_be_visible()
    key = server.commands.key_of(server.ada.email)
    assert key != server.ada_key
    page.close()
    stale.page.bring_to_front()
    return key


def expect_follows(stale: KeyPage, new_key: str, replaced_key: str) -> None:
    """The whole panel is about the new key, which is hidden."""
    stale.expect_hidden()
    expect_absent(replaced_key[8:], whole_page(stale.page))
    expect(stale.fact("Prefix")).to_have_text(new_key[:8])
    expect(stale.fact("Last used")).to_have_text("Never used")
    stale.regenerate.click()
    expect(stale.dialog).to_contain_text(new_key[:8])
    stale.page.keyboard.press("Escape")


def test_copy_never_copies_a_replaced_key(server: DashboardServer, stale: KeyPage, workspace: dict):
    server.call_api(server.ada_key)
    old_time = stale.generated_at()
    new_key = regenerate_elsewhere(server, stale, workspace)
    stale.page.evaluate("navigator.clipboard.writeText('nothing yet')")

    stale.copy.click()

    expect(stale.status).to_contain_text(ELSEWHERE)
    expect(stale.status).to_contain_text("Nothing was copied.")
    expect(stale.copy).to_have_text("Copy")
    assert clipboard(stale.page) == "nothing yet"
    expect_follows(stale, new_key, server.ada_key)
    assert stale.generated_at() > old_time

    stale.copy.click()
    expect(stale.copy).to_have_text("Copied")
    assert clipboard(stale.page) == new_key
    assert stale.reveal() == new_key


def test_a_hidden_key_is_copied_as_the_new_one(server: DashboardServer, stale: KeyPage, workspace: dict):
    stale.eye_hide.click()
    new_key = regenerate_elsewhere(server, stale, workspace)
    stale.copy.click()
    expect(stale.status).to_have_text("The key was regenerated since this page was loaded. The new one was copied.")
    assert clipboard(stale.page) == new_key
    expect_follows(stale, new_key, server.ada_key)


def test_show_shows_the_new_key_beside_its_own_record(server: DashboardServer, stale: KeyPage, workspace: dict):
    stale.eye_hide.click()
    new_key = regenerate_elsewhere(server, stale, workspace)
    assert stale.reveal() == new_key
    expect(stale.status).to_have_text("The key was regenerated since this page was loaded. This is the new one.")
    expect(stale.fact("Prefix")).to_have_text(new_key[:8])


def test_a_tab_that_comes_back_into_view_follows(server: DashboardServer, stale: KeyPage, workspace: dict):
    new_key = regenerate_elsewhere(server, stale, workspace)
    stale.page.evaluate(COME_BACK)
    expect(stale.status).to_contain_text(ELSEWHERE)
    expect_follows(stale, new_key, server.ada_key)


def test_a_regenerate_in_a_stale_tab_replaces_nothing_and_follows(
    server: DashboardServer, stale: KeyPage, workspace: dict, console: ConsoleWatch
):
    console.expect_status(409)
    new_key = regenerate_elsewhere(server, stale, workspace)
    stale.press_regenerate()

    expect(stale.status).to_contain_text("This press changed nothing. This page now shows the newer key’s record.")
    expect(stale.dialog).to_be_hidden()
    assert server.commands.key_of(server.ada.email) == new_key
    expect_follows(stale, new_key, server.ada_key)

    stale.press_regenerate()
    expect(stale.status).to_have_text("Key regenerated. The old key no longer works.")
    assert server.commands.key_of(server.ada.email) != new_key, "A page that has followed can regenerate."


def test_a_key_leaves_the_page_with_the_plan(
    server: DashboardServer, stale: KeyPage, workspace: dict, console: ConsoleWatch
):
    console.expect_status(403)
    for press in (stale.copy.click, lambda: stale.page.evaluate(COME_BACK)):
        server.commands.run("workspace", "set-plan", workspace["id"], "pro")
        stale.page.goto(key_path(workspace))
        stale.reveal()
        server.commands.run("workspace", "set-plan", workspace["id"], "free")
        stale.page.evaluate("navigator.clipboard.writeText('nothing yet')")
        press()
        expect(stale.page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
        assert clipboard(stale.page) == "nothing yet"
        expect_absent(server.ada_key, whole_page(stale.page))


def test_a_key_leaves_the_page_with_the_session(
    server: DashboardServer, context: BrowserContext, workspace: dict, console: ConsoleWatch
):
    console.expect_status(401)
    page = context.new_page()
    key_page = KeyPage(page)
    for press in (key_page.copy.click, lambda: page.evaluate(COME_BACK)):
        sign_in(page, server.ada, key_path(workspace))
        key_page.reveal()
        other = context.new_page()
        other.goto(key_path(workspace))
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_text("You are signed out.")).to_be_visible()
        other.close()
        page.bring_to_front()
        page.evaluate("navigator.clipboard.writeText('nothing yet')")
        press()
        expect(page.get_by_role("status")).to_contain_text("Sign in to continue.")
        assert clipboard(page) == "nothing yet"
        expect_path(page, r"/sign-in\?next=.*")
        expect_absent(server.ada_key, whole_page(page))


def test_a_page_from_the_back_button_is_loaded_again(server: DashboardServer, stale: KeyPage, workspace: dict):
    """Where a browser has stored it; Chromium stores no page that is `no-store`."""
    new_key = regenerate_elsewhere(server, stale, workspace)
    with stale.page.expect_navigation():
        stale.page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    expect(stale.fact("Prefix")).to_have_text(new_key[:8])
    stale.expect_hidden()


def test_copy_is_about_the_key_that_was_shown_at_the_press(
    server: DashboardServer, stale: KeyPage, workspace: dict
):
    """The press also brought the tab back into view; that request was answered first and has hidden the key."""
    pause_clock(stale.page)
    new_key = regenerate_elsewhere(server, stale, workspace)
    stale.page.evaluate("navigator.clipboard.writeText('nothing yet')")
    held_requests = hold_requests(stale.page, "**/record")
    with stale.page.expect_request("**/record"):
        stale.page.evaluate(COME_BACK)
    with stale.page.expect_request("**/record"):
        stale.copy.click()
    held_requests[0].continue_()
    expect(stale.fact("Prefix")).to_have_text(new_key[:8])
    held_requests[1].continue_()
    expect(stale.status).to_contain_text("Nothing was copied. Press “Copy” again for the new key.")
    assert clipboard(stale.page) == "nothing yet"
    stale.expect_hidden()


# It asks beside the browser, which alone knows where the product's host is.
@pytest.mark.whole_host
def test_a_late_response_does_not_bring_the_old_record_back(server: DashboardServer, stale: KeyPage, workspace: dict):
    """A request that was sent before another one, and answered after it, changes nothing in the page."""
    pause_clock(stale.page)
    stale.eye_hide.click()
    old = stale.page.request.get(key_path(workspace) + "/record").json()
    held_requests = hold_requests(stale.page, "**/record")
    with stale.page.expect_request("**/record"):
        stale.page.evaluate(COME_BACK)
    new_key = regenerate_elsewhere(server, stale, workspace)
    assert stale.reveal() == new_key
    # The script reads a response with this, and goes on before anybody else does.
    stale.page.evaluate(
        "() => { const { json } = Response.prototype;"
        " Response.prototype.json = function () { return (window.lastAnswer = json.call(this)); }; }"
    )
    held_requests[0].fulfill(json=old)
    stale.page.wait_for_function("window.lastAnswer?.then(() => true)")
    expect(stale.fact("Prefix")).to_have_text(new_key[:8])
    expect(stale.field).to_have_value(new_key)


# It asks beside the browser, which alone knows where the product's host is.
@pytest.mark.whole_host
def test_a_late_response_is_no_key_to_show_or_copy(server: DashboardServer, stale: KeyPage, workspace: dict):
    """The page itself has regenerated while a request was on its way."""
    page, path = stale.page, key_path(workspace)
    pause_clock(page)
    presses = [
        ("record", stale.copy.click, "Nothing was copied. Press “Copy” again for the new key."),
        ("reveal", stale.copy.click, "Nothing was copied. Press “Copy” again for the new key."),
        ("reveal", stale.eye_show.click, "Press “Show key” again for the new key."),
    ]
    for name, press, advice in presses:
        page.evaluate("navigator.clipboard.writeText('nothing yet')")
        replaced_key = server.commands.key_of(server.ada.email)
        headers = {"Accept": "application/json", "Origin": server.origin}
        old = page.request.fetch(f"{path}/{name}", method="GET" if name == "record" else "POST", headers=headers).json()
        held_requests = hold_requests(page, f"**/{name}")
        with page.expect_request(f"**/{name}"):
            press()
        stale.press_regenerate()
        expect(stale.status).to_have_text("Key regenerated. The old key no longer works.")
        held_requests[0].fulfill(json=old)
        expect(stale.status).to_have_text(f"The key was regenerated meanwhile. {advice}")
        page.unroute(f"**/{name}")
        assert clipboard(page) == "nothing yet"
        stale.expect_hidden()
        expect_absent(replaced_key, whole_page(page))
        expect(stale.fact("Prefix")).to_have_text(server.commands.key_of(server.ada.email)[:8])


def test_the_record_holds_no_key(server: DashboardServer, workspace: dict):
    server.call_api(server.ada_key)
    cookie = server.sign_in(server.ada)
    response = server.request("GET", key_path(workspace) + "/record", cookie=cookie)
    assert response.status == 200 and response.value("cache-control") == "no-store"
    assert response.json["data"].keys() == {"version", "prefix", "generatedAt", "lastUsedAt", "lastUsedFrom"}
    assert response.json["data"]["lastUsedFrom"] == "127.0.0.1"
    expect_absent(server.ada_key[8:], response.text)
