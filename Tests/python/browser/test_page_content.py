"""What the page says beside the key: the ``Examples``, the rate limit, the workspaces."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from playwright.sync_api import BrowserContext, Page, expect

from browser.dashboard import KeyPage, clipboard, expect_path, sign_in
from browser.dashboard_server import DashboardServer


def test_the_examples_name_this_server_and_can_be_copied(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    languages = {"cURL": "curl", "Node.js": "node", "Python": "python", "Go": "go", "Swift": "swift"}
    for name, language in languages.items():
        element = f"#{language}-example"
        page.get_by_role("radio", name=name, exact=True).check()
        assert page.locator(".example:visible").count() == 1
        example = page.locator(element).inner_text()
        page.get_by_role("button", name=f"Copy the {name} example").click()
        expect(page.locator(f"[data-copy={element[1:]}]")).to_have_text("Copied")
        assert clipboard(page) == example
        assert "tdc_YOUR_API_KEY" in example and server.ada_key not in example
        assert f"{server.origin}/api/v1/me" in example


def test_the_rate_limit_is_shown_in_words(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    """More is left within an hour and a little, at a time that the page shows."""
    page = new_context(timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, server.ada)
    quota = page.locator(".quota p")
    expect(quota).to_have_text("1,000 of 1,000 left")
    server.call_api(server.ada_key)
    page.reload()
    expect(quota).to_contain_text("999 of 1,000 left · more at")
    resets_at = datetime.fromisoformat(quota.locator("time").get_attribute("datetime"))
    assert timedelta(minutes=55) <= resets_at - datetime.now(timezone.utc) <= timedelta(minutes=65)
    # Rounded up to the minute, in the reader's own zone.
    clock = (resets_at + timedelta(seconds=59.999)).astimezone(ZoneInfo("Asia/Kathmandu"))
    expect(quota.get_by_role("button")).to_have_text(f"{clock:%H:%M}")

    page = new_context(java_script_enabled=False, timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, server.ada)
    # Every load names the same instant.
    assert datetime.fromisoformat(page.locator(".quota time").get_attribute("datetime")) == resets_at
    clock = clock.astimezone(timezone.utc)
    expect(page.locator(".quota p")).to_have_text(f"999 of 1,000 left · more at {clock:%H:%M} UTC")


def test_workspaces_are_listed_oldest_first(server: DashboardServer, page: Page):
    for number in range(6):
        server.commands.run("workspace", "create", f"Number {number}", "--owner", server.ada.email)
    sign_in(page, server.ada)
    page.locator("summary").click()
    names = page.locator(".workspaces li .workspace-name").all_inner_texts()
    assert names == ["Ada’s workspace", "Testing", *(f"Number {number}" for number in range(6))]


def test_the_menu_leads_to_a_workspace_in_which_the_key_works(server: DashboardServer, page: Page):
    """From the account page as from the start page, whichever workspace is the oldest."""
    plans = {"Ada’s workspace": "free", "Testing": "pro"}
    for each in range(2):
        for workspace in server.commands.workspaces_of(server.ada.email):
            server.commands.run("workspace", "set-plan", workspace["id"], plans[workspace["name"]])
        page.goto("/")
        if each == 0:
            sign_in(page, server.ada)
        KeyPage(page).expect_hidden()
        page.get_by_role("link", name="Account & sessions").click()
        page.get_by_role("link", name="API & Webhooks").click()
        expect(page.get_by_role("heading", name="API & Webhooks", exact=True)).to_be_visible()
        assert page.locator(".lock").count() == 0
        plans = {"Ada’s workspace": "pro", "Testing": "free"}


def test_a_reload_of_the_sign_in_page_still_knows_where_to_go(server: DashboardServer, page: Page):
    page.goto("/account")
    expect(page.get_by_text("Sign in to continue.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.locator("input[name=next]").count() == 1
    page.get_by_label("E-mail").fill(server.ada.email)
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    expect_path(page, "/account")


def test_a_disabled_account_is_signed_out(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    server.commands.run("user", "disable", server.ada.email)
    page.reload()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert server.call_api(server.ada_key).status == 401
