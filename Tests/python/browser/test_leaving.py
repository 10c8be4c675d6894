"""A page that a person leaves: what its script was doing meanwhile leads nowhere else, and says nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import COME_BACK, KeyPage, hold_requests, pause_clock
from browser.dashboard_server import DashboardServer

SIGNED_OUT = {"ok": False, "error": "UNAUTHORIZED", "message": "Sign in to continue."}
# While a page is being left Playwright runs nothing in it. So the page itself tells when its script has read a response
# and has gone on, with what it says then; and F2 makes it come back into view.
REPORTS = f"""() => {{
  const report = (what) => {{
    const {{ port1, port2 }} = new MessageChannel();
    port1.onmessage = () => console.info(what + ': ' + document.querySelector('[data-key-status]').textContent);
    port2.postMessage('');
  }};
  const {{ json }} = Response.prototype;
  Response.prototype.json = function () {{
    const body = json.call(this);
    body.then(() => report('read'));
    return body;
  }};
  window.addEventListener('keydown', async (event) => {{
    if (event.key !== 'F2') return;
    {COME_BACK};
    window.dispatchEvent(new Event('focus'));
    await fetch(document.scripts[0].src);
    report('back');
  }});
}}"""
# When a page that was not left checks again, and a little.
STOPPED_SECONDS = 21


def press_without_waiting(page: Page, role: str, name: str) -> None:
    """Presses a link or a button. Playwright's own press waits until the browser has left."""
    page.get_by_role(role, name=name).dispatch_event("click")


# What begins a departure, the request that the test holds then, and what the next page says.
DEPARTURES: dict[str, tuple[Callable[[Page], None], str, str]] = {
    "sign-out": (
        lambda page: press_without_waiting(page, "button", "Sign out"), "**/sign-out", "You are signed out."),
    "link": (
        lambda page: press_without_waiting(page, "link", "Account & sessions"), "**/account", "Change password"),
    "reload": (
        lambda page: page.evaluate("void Promise.resolve().then(() => location.reload())"), "**/api-webhooks",
        "Keep it safe"),
}


@pytest.fixture
def held_page(key_page: KeyPage, console: ConsoleWatch) -> KeyPage:
    """A page whose deadlines do not pass, and which reports."""
    console.expect_status(401)
    pause_clock(key_page.page)
    key_page.page.evaluate(REPORTS)
    return key_page


def leave(page: Page, departure: str) -> Callable[[], None]:
    """Begins a departure whose next page does not come yet; returns what lets it come."""
    press, url, text = DEPARTURES[departure]
    held_requests = hold_requests(page, url)
    with page.expect_request(url):
        press(page)

    def go_on() -> None:
        with page.expect_navigation():
            held_requests[0].continue_()
        expect(page.get_by_text(text).first).to_be_visible()

    return go_on


@pytest.mark.parametrize("departure", DEPARTURES)
def test_a_check_that_is_answered_late_leads_nowhere(held_page: KeyPage, departure: str):
    page = held_page.page
    held_requests = hold_requests(page, "**/record")
    with page.expect_request("**/record"):
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    go_on = leave(page, departure)
    with page.expect_console_message(lambda message: message.text.startswith("read")):
        held_requests[0].fulfill(status=401, json=SIGNED_OUT)
    go_on()


def test_no_check_begins(held_page: KeyPage):
    page = held_page.page
    go_on = leave(page, "sign-out")
    held_requests = hold_requests(page, "**/record")
    with page.expect_console_message(lambda message: message.text.startswith("back")):
        page.keyboard.press("F2")
    assert not held_requests
    go_on()


def test_a_press_that_is_refused_late_leads_nowhere_and_says_nothing(held_page: KeyPage):
    page = held_page.page
    held_requests = hold_requests(page, "**/reveal")
    with page.expect_request("**/reveal"):
        held_page.eye_show.click()
    go_on = leave(page, "sign-out")
    with page.expect_console_message(lambda message: message.text.startswith("read")) as read:
        held_requests[0].fulfill(status=401, json=SIGNED_OUT)
    assert read.value.text == "read: "
    go_on()


def test_a_page_that_was_stopped_checks_again(held_page: KeyPage, console: ConsoleWatch):
    """The person has pressed Stop: the page stays, and the earlier press is told what became of it."""
    console.expect_network_failures()
    page = held_page.page
    held_reveals = hold_requests(page, "**/reveal")
    with page.expect_request("**/reveal"):
        held_page.eye_show.click()
    held_requests = hold_requests(page, "**/sign-out")
    with page.expect_request("**/sign-out"):
        press_without_waiting(page, "button", "Sign out")
    with page.expect_console_message(lambda message: message.text == "read: "):
        held_reveals[0].fulfill(status=401, json=SIGNED_OUT)
    held_requests[0].abort("aborted")
    page.clock.run_for(3_000)
    expect(held_page.status).to_have_text("Sign in to continue. Your key was not changed: showing it changes nothing.")

    page.clock.run_for(STOPPED_SECONDS * 1000)
    page.route("**/record", lambda route: route.fulfill(status=401, json=SIGNED_OUT))
    with page.expect_navigation():
        page.evaluate(COME_BACK)


def test_links_that_open_elsewhere_leave_nothing(server: DashboardServer, held_page: KeyPage):
    page = held_page.page
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="API reference").click()
    opened.value.close()
    press_without_waiting(page, "link", "Skip to content")
    with page.expect_request("**/record"):
        page.evaluate(COME_BACK)
