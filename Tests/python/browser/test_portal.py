"""Sign-on from the product by portal links: entering, what a portal session shows, and the ways back."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import MASK, KeyPage, clipboard, expect_absent, expect_path, sign_in
from browser.dashboard_server import DashboardServer
from browser.product_site import Backend, ProductSite
from browser.test_keyboard import expect_visible_focus, tab_to

KEY_PATH = "/workspaces/ws_[0-9A-Za-z]+/api-webhooks"
CONTINUE = "Continue as uma@example.com"


@pytest.fixture
def server(portal_server: DashboardServer) -> DashboardServer:
    return portal_server


@pytest.fixture
def key(backend: Backend) -> str:
    """Uma's Secret Key."""
    return backend.add_user()


@pytest.fixture
def portal_page(backend: Backend, key: str, page: Page) -> KeyPage:
    """Uma's page with her key, opened by a link."""
    page.goto(backend.link())
    expect_path(page, KEY_PATH)
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    return KeyPage(page)


@pytest.mark.parametrize("seconds", [60, 120])
def test_a_young_link_presses_its_own_button(backend: Backend, key: str, page: Page, seconds: int):
    page.goto(backend.link(expiresIn=seconds))
    expect_path(page, KEY_PATH)
    KeyPage(page).expect_hidden()
    expect_absent(key, page.content())


@pytest.mark.parametrize("seconds", [121, 900])
def test_an_older_link_waits_for_a_press(backend: Backend, key: str, page: Page, seconds: int):
    """It may have been sent by mail, and scanners of mail run scripts."""
    page.goto(backend.link(expiresIn=seconds))
    expect(page.get_by_role("heading", level=1)).to_have_text("Continue to your API key")
    expect(page.get_by_text("You will be signed in as Uma")).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect_path(page, r"/portal\?code=kbl_[0-9A-Za-z]+")
    assert not page.context.cookies()

    page.get_by_role("button", name=CONTINUE).click()
    expect_path(page, KEY_PATH)
    KeyPage(page).expect_hidden()


def test_without_scripts_the_button_works(
    server: DashboardServer, backend: Backend, key: str, new_context: Callable[..., BrowserContext]
):
    page = new_context(java_script_enabled=False).new_page()
    page.goto(backend.link())
    page.get_by_role("button", name=CONTINUE).click()
    expect_path(page, KEY_PATH)
    assert KeyPage(page).reveal() == key
    KeyPage(page).eye_hide.click()
    KeyPage(page).expect_hidden()


def test_the_key_can_be_shown_copied_and_regenerated(server: DashboardServer, portal_page: KeyPage, key: str):
    """The link counts as a recent sign-in: nobody asks for a password, for there is none."""
    assert portal_page.reveal() == key
    portal_page.copy.click()
    expect(portal_page.status).to_have_text("Copied to the clipboard.")
    assert clipboard(portal_page.page) == key

    portal_page.press_regenerate()
    expect(portal_page.page.get_by_text("Key regenerated.")).to_be_visible()
    assert server.call_api(key).status == 401
    assert server.call_api(portal_page.reveal()).status == 200


def test_there_is_no_way_to_what_the_link_does_not_open(portal_page: KeyPage, console: ConsoleWatch):
    page = portal_page.page
    expect(page.get_by_role("link", name="API & Webhooks")).to_be_visible()
    expect(page.get_by_role("link", name="Account & sessions")).to_have_count(0)
    assert "/account" not in page.content()
    console.expect_status(403)
    assert page.goto("/account").status == 403
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_a_link_for_one_workspace_opens_no_other(
    backend: Backend, key: str, page: Page, console: ConsoleWatch
):
    uma = backend.call("GET", "/users/ext:u1")
    other = backend.call("POST", "/workspaces", {"name": "Other", "owner": uma["id"], "plan": "pro"})
    page.goto(backend.link(workspace=other["id"]))
    expect_path(page, f"/workspaces/{other['id']}/api-webhooks")
    expect(page.locator("summary")).to_have_count(0)
    console.expect_status(403)
    assert page.goto(f"/workspaces/{uma['workspaces'][0]['id']}/api-webhooks").status == 403


def test_back_leads_to_the_product(site: ProductSite, portal_page: KeyPage):
    portal_page.page.get_by_role("link", name="Back to").click()
    site.expect_led_back(portal_page.page, "")
    # No address of the dashboard's, and so no code.
    assert all(referrer is None for _, referrer in site.asked)


def test_a_second_use_leads_back(backend: Backend, key: str, site: ProductSite, page: Page):
    link = backend.link()
    page.goto(link)
    expect_path(page, KEY_PATH)
    page.goto(link)
    site.expect_led_back(page)
    # The session that the link opened is as good as before.
    page.goto("/")
    expect_path(page, KEY_PATH)


def test_a_press_that_comes_second_leads_back(
    backend: Backend, key: str, site: ProductSite, page: Page, new_context: Callable[..., BrowserContext],
    console: ConsoleWatch,
):
    """Two windows show the page of one link."""
    console.expect_status(410)
    link = backend.link(expiresIn=900)
    late = new_context().new_page()
    for each in (page, late):
        each.goto(link)
    page.get_by_role("button", name=CONTINUE).click()
    expect_path(page, KEY_PATH)
    late.get_by_role("button", name=CONTINUE).click()
    site.expect_led_back(late)
    assert not late.context.cookies()


def test_a_link_without_a_way_back_says_that_it_has_ended(
    backend: Backend, key: str, page: Page, console: ConsoleWatch
):
    console.expect_status(410)
    link = backend.link(has_return_url=False)
    page.goto(link)
    expect_path(page, KEY_PATH)
    expect(page.get_by_role("link", name="Back to")).to_have_count(0)
    assert page.goto(link).status == 410
    expect(page.get_by_role("heading", level=1)).to_have_text("This link has ended")
    assert page.goto("/portal?code=kbl_nothing").status == 410
    expect(page.get_by_role("heading", level=1)).to_have_text("This link has ended")


def test_another_account_is_signed_out_only_by_a_press(
    server: DashboardServer, backend: Backend, key: str, page: Page
):
    sign_in(page, server.ada)
    page.goto(backend.link())
    button = page.get_by_role("button", name=f"Sign out {server.ada.email} and continue as uma@example.com")
    expect(button).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect_path(page, r"/portal\?code=kbl_[0-9A-Za-z]+")
    page.goto("/account")
    expect(page.get_by_text(server.ada.email).first).to_be_visible()

    page.go_back()
    button.click()
    expect_path(page, KEY_PATH)
    expect(page.locator(".signed-in")).to_contain_text("uma@example.com")
    assert KeyPage(page).reveal() == key


def test_a_press_replaces_nobody_who_was_not_named(
    server: DashboardServer, backend: Backend, key: str, context: BrowserContext, page: Page
):
    """Somebody signs in, in another tab, while the link's page is open."""
    page.goto(backend.link(expiresIn=900))
    sign_in(context.new_page(), server.ada)
    page.get_by_role("button", name=CONTINUE).click()
    button = page.get_by_role("button", name=f"Sign out {server.ada.email} and continue as uma@example.com")
    expect(button).to_be_visible()
    button.click()
    expect_path(page, KEY_PATH)
    expect(page.locator(".signed-in")).to_contain_text("uma@example.com")


def test_a_link_for_the_same_account_goes_on(backend: Backend, portal_page: KeyPage):
    portal_page.page.goto(backend.link())
    expect_path(portal_page.page, KEY_PATH)


def test_a_session_that_was_ended_leads_back(backend: Backend, site: ProductSite, portal_page: KeyPage):
    backend.revoke_token()
    portal_page.page.reload()
    site.expect_led_back(portal_page.page)


def test_the_eye_of_a_session_that_was_ended_leads_back(
    backend: Backend, site: ProductSite, portal_page: KeyPage, console: ConsoleWatch
):
    console.expect_status(401)
    backend.revoke_token()
    portal_page.eye_show.click()
    site.expect_led_back(portal_page.page)


def test_a_form_of_a_session_that_was_ended_leads_back(
    backend: Backend, key: str, site: ProductSite, new_context: Callable[..., BrowserContext], console: ConsoleWatch
):
    console.expect_status(410)
    page = new_context(java_script_enabled=False).new_page()
    page.goto(backend.link())
    page.get_by_role("button", name=CONTINUE).click()
    KeyPage(page).expect_hidden()
    backend.revoke_token()
    KeyPage(page).eye_show.click()
    site.expect_led_back(page)


def test_signing_out_ends_a_portal_session(portal_page: KeyPage):
    page = portal_page.page
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert not page.context.cookies()


def test_by_keyboard(backend: Backend, key: str, site: ProductSite, page: Page):
    page.goto(backend.link(expiresIn=900))
    tab_to(page, CONTINUE)
    page.keyboard.press("Enter")
    expect_path(page, KEY_PATH)

    tab_to(page, "Show key")
    page.keyboard.press("Space")
    expect(KeyPage(page).field).to_have_value(key)
    expect_visible_focus(page)
    page.keyboard.press("Enter")
    expect(KeyPage(page).field).to_have_value(MASK)
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    tab_to(page, "Copy")
    page.keyboard.press("Enter")
    expect(KeyPage(page).status).to_have_text("Copied to the clipboard.")
    assert clipboard(page) == key
    tab_to(page, page.get_by_role("link", name="Back to").inner_text(), "Shift+Tab")
    page.keyboard.press("Enter")
    site.expect_led_back(page, "")
