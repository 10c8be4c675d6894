"""The page "Account & sessions" (``AccountPageHandlers``): the password, and the browsers that are signed in."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import sign_in
from browser.dashboard_server import DashboardServer
from harness.accounts import Person

NEW_PASSWORD = "another long secret"


def change_password(page: Page, current: str, new: str) -> None:
    page.get_by_label("Current password").fill(current)
    page.get_by_label("New password").fill(new)
    page.get_by_role("button", name="Change password").click()


def test_the_page_names_the_account(server: DashboardServer, page: Page):
    sign_in(page, server.ada, "/account")
    expect(page.locator(".facts dd")).to_have_text(["Ada", "ada@example.com"])
    expect(page.get_by_role("navigation", name="Dashboard").locator("[aria-current=page]")).to_have_text(
        "Account & sessions"
    )


def test_a_new_password_replaces_the_old_one_and_ends_other_sessions(
    server: DashboardServer, page: Page, new_context: Callable[..., BrowserContext]
):
    other = new_context().new_page()
    sign_in(other, server.ada)
    sign_in(page, server.ada, "/account")
    expect(page.locator(".sessions li")).to_have_count(2)

    change_password(page, server.ada.password, NEW_PASSWORD)

    expect(page.get_by_role("status")).to_have_text("Password changed.")
    expect(page.locator(".sessions li")).to_have_count(1)
    other.goto("/account")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    refused = server.post("/sign-in", {"email": server.ada.email, "password": server.ada.password})
    assert refused.status == 401
    sign_in(other, Person("Ada", server.ada.email, NEW_PASSWORD))
    assert server.call_api(server.ada_key).status == 200, "The key is not the password's."


def test_a_refused_password_says_why(server: DashboardServer, page: Page, console: ConsoleWatch):
    console.expect_status(422)
    sign_in(page, server.ada, "/account")

    change_password(page, "not the password", NEW_PASSWORD)
    current = page.get_by_label("Current password")
    expect(current).to_have_attribute("aria-invalid", "true")
    expect(current).to_have_accessible_description("This is not your current password.")
    expect(current).to_be_focused()
    expect(page).to_have_title(f"Error: Account & sessions · {server.product}")

    change_password(page, server.ada.password, "password123")
    new = page.get_by_label("New password")
    expect(new).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#newPassword-error")).to_contain_text("among the most common ones")
    expect(new).to_be_focused()
    assert server.sign_in(server.ada)


def test_another_session_is_listed_and_can_be_ended(
    server: DashboardServer, page: Page, new_context: Callable[..., BrowserContext]
):
    firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
    other = new_context(user_agent=firefox).new_page()
    sign_in(other, server.ada)
    sign_in(page, server.ada, "/account")
    rows = page.locator(".sessions li")
    expect(rows).to_have_count(2)
    expect(rows.filter(has_text="this one")).to_have_count(1)
    theirs = rows.filter(has_text="Firefox on Windows")
    expect(theirs).to_contain_text("From 127.0.0.1")
    expect(theirs.get_by_text("this one")).to_have_count(0)

    theirs.get_by_role("button", name=re.compile("^End session.*Firefox on Windows, from 127.0.0.1")).click()

    expect(page.get_by_role("status")).to_have_text("Session ended.")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("this one")
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


def test_nobody_ends_the_session_of_another_account(server: DashboardServer, page: Page):
    sign_in(page, server.ada, "/account")
    path = page.locator(".sessions form").get_attribute("action")
    mallory = server.sign_in(server.sign_up("Mallory"))
    server.post(path, {}, mallory)
    page.reload()
    expect(page.get_by_role("heading", name="Account & sessions")).to_be_visible()
