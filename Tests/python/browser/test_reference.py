"""The reference of the API in a browser (``ReferenceHandlers``): no scripts, one choice of language, by keyboard too."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from browser.dashboard import KeyPage
from browser.dashboard_server import DashboardServer
from browser.test_keyboard import expect_visible_focus


def expect_language(page: Page, language: str) -> None:
    """All examples are in one language."""
    for each in ("curl", "node", "python"):
        shown = page.locator(f"pre.language-{each}:visible")
        expect(shown).to_have_count(page.locator("pre.language-curl").count() if each == language else 0)


def test_the_language_is_chosen_without_scripts(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/docs")
    expect_language(page, "curl")
    page.get_by_label("curl").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Node.js")).to_be_checked()
    expect_language(page, "node")
    page.get_by_label("Python").check()
    expect_language(page, "python")


def test_it_is_linked_and_its_contents_lead_to_each_request(server: DashboardServer, page: Page):
    page.goto("/sign-in")
    page.get_by_role("link", name="API reference").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API reference")
    page.get_by_role("link", name="GET /me").focus()
    expect_visible_focus(page)
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{server.origin}/docs#get-me")
    expect(page.get_by_role("heading", name="Get the key's account")).to_be_in_viewport()
    assert page.locator("script").count() == 0


def test_the_page_of_the_key_links_it_and_stays(server: DashboardServer, key_page: KeyPage):
    with key_page.page.expect_popup() as opened:
        key_page.page.get_by_role("link", name="API reference").click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text("API reference")
    key_page.expect_hidden()
