"""When a press fails, the page says within three seconds what still holds, and nothing half done stays in it."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import (
    REGENERATED, UNCHANGED, UNKNOWN, KeyPage, clipboard, expect_absent, key_path, sign_in, whole_page,
)
from browser.dashboard_server import DashboardServer

NEVER_TWO = "pressing again on this page never makes two keys"


def envelope(status: int, code: str, **headers: str) -> Callable[[Route], None]:
    body = f'{{"ok":false,"error":"{code}","message":"The server says {code}."}}'
    return lambda route: route.fulfill(
        status=status, content_type="application/json", body=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


def proxy_page(status: int) -> Callable[[Route], None]:
    return lambda route: route.fulfill(status=status, content_type="text/html", body="<h1>Bad Gateway</h1>")


class Replacement(NamedTuple):
    """A response in place of the server's."""

    fulfill: Callable[[Route], None]
    """Responds to a request."""
    cause: str
    """What the page says of it."""
    is_unknown: bool
    """Whether a regenerate's outcome is unknown then."""
    status: int = 200

    def allow(self, console: ConsoleWatch) -> None:
        """The browser logs an error for it."""
        console.expect_status(self.status)
        if self.cause == "The server cannot be reached.":
            console.expect_network_failures()


UNAVAILABLE = "The service is not available for the moment."
NOT_OURS = "The answer did not come from this service."
REPLACEMENTS = {
    "network down": Replacement(lambda route: route.abort(), "The server cannot be reached.", True),
    "503": Replacement(envelope(503, "UNAVAILABLE"), UNAVAILABLE, True, 503),
    "500": Replacement(envelope(500, "INTERNAL"), UNAVAILABLE, True, 500),
    "proxy's 502": Replacement(proxy_page(502), NOT_OURS, True, 502),
    "proxy's 200": Replacement(proxy_page(200), NOT_OURS, True),
    "403": Replacement(envelope(403, "FORBIDDEN"), "The server says FORBIDDEN.", False, 403),
    "422": Replacement(envelope(422, "VALIDATION_FAILED"), "The server says VALIDATION_FAILED.", False, 422),
    "429": Replacement(
        envelope(429, "RATE_LIMITED", retry_after="7"), "Too many requests. Try again in 7 seconds.", False, 429),
}


def each_replacement(key_page: KeyPage, console: ConsoleWatch, url: str) -> Iterator[Replacement]:
    """Replaces the responses of a URL in each of these ways, one after the other, and then no longer."""
    for response in REPLACEMENTS.values():
        response.allow(console)
        key_page.page.route(url, response.fulfill)
        yield response
        key_page.page.unroute(url)


def test_show(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    for response in each_replacement(key_page, console, "**/reveal"):
        key_page.eye_show.click()
        expect(key_page.status).to_have_text(f"{response.cause} {UNCHANGED}: showing it changes nothing.")
        key_page.expect_hidden()
        expect_absent(server.ada_key, whole_page(key_page.page))
    assert key_page.reveal() == server.ada_key
    expect(key_page.status).to_be_empty()


def test_copy_of_a_hidden_key(key_page: KeyPage, console: ConsoleWatch):
    for response in each_replacement(key_page, console, "**/reveal"):
        key_page.copy.click()
        expect(key_page.status).to_have_text(f"{response.cause} Nothing was copied, and your key was not changed.")
        expect(key_page.copy).to_have_text("Copy")
        assert clipboard(key_page.page) == "nothing yet"


def test_copy_of_a_shown_key(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    """A key that may have been replaced is not copied; it stays in view, and the page says how to copy it by hand."""
    key_page.reveal()
    for response in each_replacement(key_page, console, "**/record"):
        key_page.copy.click()
        expect(key_page.status).to_have_text(
            f"{response.cause} Nothing was copied, because it is not known whether the key above is still yours. "
            "To copy it all the same, select it and press Ctrl+C."
        )
        expect(key_page.copy).to_have_text("Copy")
        expect(key_page.field).to_have_value(server.ada_key)
        assert clipboard(key_page.page) == "nothing yet"
    key_page.copy.click()
    expect(key_page.copy).to_have_text("Copied")
    assert clipboard(key_page.page) == server.ada_key


def test_regenerate(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    """The dialog stays, with what is known; so does the line beside the key when the dialog is closed."""
    key = server.ada_key
    for response in REPLACEMENTS.values():
        response.allow(console)
        key_page.page.reload()
        key_page.page.route("**/regenerate", response.fulfill)
        key_page.press_regenerate()
        expect(key_page.dialog_status).to_contain_text(
            f"{response.cause} {UNKNOWN if response.is_unknown else UNCHANGED}")
        if response.is_unknown:
            expect(key_page.dialog_status).to_contain_text(NEVER_TWO)
        key_page.page.keyboard.press("Escape")
        expect(key_page.status).to_contain_text(UNKNOWN if response.is_unknown else UNCHANGED)
        assert server.commands.key_of(server.ada.email) == key

        key_page.page.unroute("**/regenerate")
        key_page.press_regenerate()
        expect(key_page.status).to_have_text(REGENERATED)
        expect(key_page.dialog).to_be_hidden()
        old_key, key = key, server.commands.key_of(server.ada.email)
        assert key != old_key


def test_three_seconds_without_a_response(server: DashboardServer, page: Page, console: ConsoleWatch):
    """By the page's own clock, so that a slow machine changes nothing."""
    console.expect_network_failures()
    page.clock.install()
    sign_in(page, server.ada)
    page.route("**/reveal", lambda route: None)
    page.route("**/regenerate", lambda route: None)
    key_page = KeyPage(page)
    for press, status, sentence in (
        (key_page.eye_show.click, key_page.status, f"{UNCHANGED}: showing it changes nothing."),
        (key_page.copy.click, key_page.status, "Nothing was copied, and your key was not changed."),
        (key_page.press_regenerate, key_page.dialog_status, UNKNOWN),
    ):
        page.reload()
        with page.expect_request("**/re*"):
            press()
        page.clock.run_for(3000)
        expect(status).to_contain_text(f"The server did not answer in time. {sentence}")
        expect(page.locator("[aria-busy=true]")).to_have_count(0)


def test_a_database_that_takes_no_writes(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    """What came of the press is unknown; when the database is back, pressing again resolves it with one new key."""
    console.expect_status(503)
    server.may_log_errors = True
    with server.without_writes():
        key_page.eye_show.click()
        expect(key_page.status).to_contain_text(UNCHANGED)
        key_page.press_regenerate()
        expect(key_page.dialog_status).to_contain_text(UNKNOWN)
    key_page.confirm_regenerate.click()
    expect(key_page.status).to_have_text(REGENERATED)
    key = server.commands.key_of(server.ada.email)
    assert key != server.ada_key
    key_page.page.reload()
    expect(key_page.page.locator("[data-version]")).to_have_attribute("data-version", "2")
    assert server.commands.key_of(server.ada.email) == key


# Behind a proxy it is the proxy that answers.
@pytest.mark.whole_host
def test_a_stopped_server(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    console.expect_network_failures()
    key_page.reveal()
    server.stop()
    key_page.copy.click()
    expect(key_page.status).to_contain_text("The server cannot be reached. Nothing was copied")
    assert clipboard(key_page.page) == "nothing yet"
    key_page.eye_hide.click()
    key_page.expect_hidden()
    key_page.eye_show.click()
    expect(key_page.status).to_have_text(
        f"The server cannot be reached. {UNCHANGED}: showing it changes nothing."
    )
    key_page.press_regenerate()
    expect(key_page.dialog_status).to_contain_text(f"The server cannot be reached. {UNKNOWN}")


def test_a_session_that_ended_before_a_regenerate(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    console.expect_status(401)
    key_page.page.context.clear_cookies()
    key_page.press_regenerate()
    notice = "Your session has ended. Nothing was changed. Sign in to continue."
    expect(key_page.page.get_by_text(notice)).to_be_visible()
    assert server.commands.key_of(server.ada.email) == server.ada_key


def test_a_recent_sign_in_is_required_before_a_regenerate(
    server: DashboardServer, key_page: KeyPage, console: ConsoleWatch
):
    console.expect_status(403)
    confirm = server.path("/confirm?next=" + server.path("/account"))
    refusal = f'{{"ok":false,"error":"FORBIDDEN","message":"Confirm first.","confirmUrl":"{confirm}"}}'
    key_page.page.route("**/regenerate", lambda route: route.fulfill(
        status=403, content_type="application/json", body=refusal))
    key_page.press_regenerate()
    expect(key_page.page.get_by_role("heading", name="Confirm your password")).to_be_visible()


def test_the_clipboard_that_never_responds(server: DashboardServer, page: Page):
    page.clock.install()
    page.add_init_script(
        "for (const name of ['write', 'writeText']) navigator.clipboard[name] = () => new Promise(() => {});"
    )
    sign_in(page, server.ada)
    key_page = KeyPage(page)
    with page.expect_response("**/reveal"):
        key_page.copy.click()
    page.wait_for_function("document.querySelector('[data-key-copy]').getAttribute('aria-busy') === 'true'")
    page.clock.run_for(3000)
    expect(key_page.status).to_contain_text("The browser refused the clipboard. Press Ctrl+C")
    expect(key_page.field).to_be_focused()


def test_the_confirmation_on_its_own_page(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch):
    """Where the plan is locked, and a leaked key must still be replaced."""
    console.expect_network_failures()
    page = key_page.page
    free = next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "free")
    page.goto(key_path(free) + "/regenerate")
    page.route("**/regenerate", lambda route: route.abort())
    key_page.confirm_regenerate.click()
    expect(key_page.dialog_status).to_contain_text(UNKNOWN)
    page.unroute("**/regenerate")
    key_page.confirm_regenerate.click()
    expect(page.get_by_role("status").filter(has_text="Key regenerated.")).to_be_visible()
    assert server.commands.key_of(server.ada.email) != server.ada_key


def test_without_scripts(server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch):
    """The pages that the forms lead to say the same, and one press sends the same regenerate again."""
    console.expect_status(503)
    server.may_log_errors = True
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, server.ada)
    path = page.url
    with server.without_writes():
        KeyPage(page).eye_show.click(timeout=30_000)
        expect(page.get_by_text("The key could not be shown. It was not changed")).to_be_visible(timeout=30_000)
        page.goto(path + "/regenerate")
        KeyPage(page).confirm_regenerate.click(timeout=30_000)
        expect(page.get_by_text(UNKNOWN)).to_be_visible(timeout=30_000)
    again = page.get_by_role("button", name="Regenerate: send again")
    token = page.locator("[name=idempotencyKey]").get_attribute("value")
    again.click()
    expect(page.get_by_text(REGENERATED)).to_be_visible()
    key = server.commands.key_of(server.ada.email)
    assert key != server.ada_key
    cookie = next(each["value"] for each in page.context.cookies())
    form = {"version": "1", "idempotencyKey": token}
    response = server.post(path.removeprefix(server.origin) + "/regenerate", form, cookie)
    assert response.status == 303
    assert server.commands.key_of(server.ada.email) == key, "It was not the same request."
