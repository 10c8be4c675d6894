"""Where the key is used, what was refused, allowed networks and "Try it", with scripts and without."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import PLACE, ConsoleWatch
from browser.dashboard import KeyPage, expect_absent, reload_until, sign_in
from browser.dashboard_server import DashboardServer


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def page(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=request.param).new_page()


def test_sources_and_refusals(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    expect(page.get_by_text("No request has used this key yet.")).to_be_visible()
    expect(page.get_by_text("No request with this key was refused.")).to_be_visible()
    assert server.call_api(server.ada_key).status == 200
    refused = server.request(
        "GET", "/api/v1/me", {"Authorization": f"Bearer {server.ada_key}", "X-Workspace-Id": "ws_none"}
    )
    assert refused.status == 404
    reload_until(page, refused.json["requestId"])
    sources = page.get_by_role("region", name="Where it is used").get_by_role("row")
    expect(sources).to_have_count(2)
    expect(sources.nth(1)).to_contain_text("127.0.0.1")
    expect(page.get_by_text("Another workspace.")).to_be_visible()


def test_a_key_that_ended_is_still_tried(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    assert server.call_api(server.ada_key).status == 200
    reload_until(page, "127.0.0.1")
    server.commands.run("key", "regenerate", server.ada.email)
    for _ in range(3):
        assert server.call_api(server.ada_key).status == 401
    reload_until(page, "3 requests with the key that ended")
    expect(page.get_by_text("A key that ended is still tried.")).to_be_visible()
    page.get_by_text("The key before this one").click()
    expect(page.get_by_role("region", name="Where the key before this one was used")).to_contain_text("127.0.0.1")


def test_a_key_is_limited_to_networks(server: DashboardServer, page: Page, console: ConsoleWatch):
    """A list that would cut off a source is saved when it is sent a second time."""
    console.expect_status(422)
    assert server.call_api(server.ada_key).status == 200
    sign_in(page, server.ada)
    field = page.get_by_label("Networks, one in a line")
    field.fill("10.0.0.1/8")
    page.get_by_role("button", name="Save networks").click()
    expect(page.locator("#networks-error")).to_contain_text("host bits are set; write 10.0.0.0/8")
    expect(field).to_have_value("10.0.0.1/8")
    field.fill("203.0.113.0/24\n2001:db8::/32")
    page.get_by_role("button", name="Save networks").click()
    expect(page.get_by_role("alert")).to_contain_text("127.0.0.1")
    assert server.call_api(server.ada_key).status == 200
    page.get_by_role("button", name="Save as it is").click()
    expect(page.get_by_text("Allowed networks changed.")).to_be_visible()
    assert server.call_api(server.ada_key).json["error"] == "ADDRESS_NOT_ALLOWED"
    page.get_by_label("Networks, one in a line").fill("")
    page.get_by_role("button", name="Save networks").click()
    expect(page.get_by_text("The key may be used from every address again.")).to_be_visible()
    assert server.call_api(server.ada_key).status == 200


def test_the_sources_are_pinned_with_one_click(server: DashboardServer, page: Page):
    assert server.call_api(server.ada_key).status == 200
    sign_in(page, server.ada)
    reload_until(page, "Seen so far: 127.0.0.1/32")
    warning = "is a proxy of this service itself" if PLACE else "All requests so far came from one address."
    expect(page.get_by_text(warning)).to_be_visible()
    page.get_by_role("button", name="Allow these alone").click()
    expect(page.get_by_text("Allowed networks changed.")).to_be_visible()
    expect(page.locator(".networks li")).to_have_text(["127.0.0.1/32"])
    assert server.call_api(server.ada_key).status == 200


def test_try_it(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator(".trial-status")).to_have_text("200 OK")
    expect(page.locator(".trial-headers")).to_contain_text("X-RateLimit-Remaining")
    expect(page.locator(".trial-body")).to_contain_text(server.ada.email)
    expect_absent(server.ada_key, page.content())
    expect(page.locator(".quota p")).to_contain_text("999 of 1,000 left")
    KeyPage(page).expect_hidden()
