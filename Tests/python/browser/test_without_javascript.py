"""Every step works as plain HTML, in a browser that runs no scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.dashboard import MASK, KeyPage, expect_absent, expect_path, fill_sign_up, sign_in
from browser.dashboard_server import DashboardServer


@pytest.fixture
def page(new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=False).new_page()


def test_sign_up_and_unlock(server: DashboardServer, page: Page):
    page.goto("/sign-up")
    fill_sign_up(page, "Grace", "grace@example.com", "a long enough secret")
    KeyPage(page).switch_to_pro.click()
    KeyPage(page).expect_hidden()


def test_reveal_and_hide(server: DashboardServer, page: Page):
    """The eye is a form: the key comes with the response and leaves with the next page."""
    sign_in(page, server.ada)
    key_page = KeyPage(page)
    expect(key_page.copy).to_be_hidden()
    expect_absent(server.ada_key, page.content())

    assert key_page.reveal() == server.ada_key
    expect_path(page, "/workspaces/ws_[0-9A-Za-z]+/api-webhooks/reveal")

    key_page.eye_hide.click()
    expect_path(page, r"/workspaces/ws_[0-9A-Za-z]+/api-webhooks\??")
    key_page.expect_hidden()
    expect_absent(server.ada_key, page.content())


def test_regenerate(server: DashboardServer, page: Page):
    """The confirmation is a page of its own."""
    sign_in(page, server.ada)
    key_page = KeyPage(page)

    key_page.regenerate.click()
    expect(page.get_by_role("heading", name="Regenerate API key?")).to_be_visible()
    expect_absent(server.ada_key[8:], page.content())
    page.get_by_role("link", name="Cancel").click()
    key_page.expect_hidden()
    assert server.call_api(server.ada_key).status == 200

    key_page.regenerate.click()
    page.get_by_role("button", name="Yes, regenerate").click()
    expect(page.get_by_text("Key regenerated. The old key no longer works.")).to_be_visible()
    assert server.call_api(server.ada_key).status == 401
    new_key = key_page.reveal()
    assert server.call_api(new_key).status == 200


def test_switch_workspaces_and_sign_out(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    page.locator("summary").click()
    page.get_by_role("link", name="Testing").click()
    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
    assert MASK in page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
