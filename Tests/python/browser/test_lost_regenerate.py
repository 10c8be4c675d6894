"""A regenerate that the server made, and whose response the page never got."""

from playwright.sync_api import Route, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import REGENERATED, UNKNOWN, KeyPage, come_back
from browser.dashboard_server import DashboardServer


def lose_a_regenerate(server: DashboardServer, key_page: KeyPage, console: ConsoleWatch) -> str:
    """The server regenerates, and the page never gets the response; returns the new key."""

    def lose(route: Route) -> None:
        url, host = server.beside_the_browser(route.request.url)
        assert route.fetch(url=url, headers={**route.request.headers, "host": host}).status == 200
        route.abort()

    console.expect_network_failures()
    old_key = server.commands.key_of(server.ada.email)
    key_page.page.route("**/regenerate", lose)
    key_page.press_regenerate()
    expect(key_page.dialog_status).to_contain_text(UNKNOWN)
    key_page.page.unroute("**/regenerate")
    new_key = server.commands.key_of(server.ada.email)
    assert new_key != old_key
    return new_key


def test_a_regenerate_whose_response_was_lost_is_the_same_when_pressed_again(
    server: DashboardServer, key_page: KeyPage, console: ConsoleWatch
):
    """Even when the page has seen the new record since. The press after that is a regenerate of its own."""
    new_key = lose_a_regenerate(server, key_page, console)
    come_back(key_page.page)
    # Not "elsewhere": it may have been this page.
    expect(key_page.status).to_have_text("The key was regenerated. This page now shows the new key’s record.")
    expect(key_page.fact("Prefix")).to_have_text(new_key[:8])

    key_page.confirm_regenerate.click()
    expect(key_page.status).to_have_text(
        "Your earlier press regenerated the key: the old key no longer works. This press changed nothing."
    )
    assert server.commands.key_of(server.ada.email) == new_key, "The second press made a second key."
    assert key_page.reveal() == new_key

    key_page.press_regenerate()
    expect(key_page.status).to_have_text(REGENERATED)
    key = server.commands.key_of(server.ada.email)
    assert key != new_key, "The page says that a key was regenerated, and it lives."


def test_a_regenerate_whose_response_was_lost_and_that_was_overtaken(
    server: DashboardServer, key_page: KeyPage, console: ConsoleWatch
):
    """The page knows the newest key before the press that resolves it. The press after that is about this key."""
    console.expect_status(409)
    lose_a_regenerate(server, key_page, console)
    path = key_page.page.url.removeprefix(server.origin) + "/regenerate"
    assert server.post(path, {"version": "2"}, server.sign_in(server.ada)).status == 303
    newest = server.commands.key_of(server.ada.email)
    come_back(key_page.page)
    expect(key_page.fact("Prefix")).to_have_text(newest[:8])

    key_page.confirm_regenerate.click()
    expect(key_page.status).to_have_text(
        "The key was regenerated elsewhere. This press changed nothing. This page now shows the newer key’s record."
    )
    assert server.commands.key_of(server.ada.email) == newest

    key_page.press_regenerate()
    expect(key_page.status).to_have_text(REGENERATED)
    assert server.commands.key_of(server.ada.email) != newest
