"""Disconnecting an identity on the page "Account & sessions", by mouse, by keyboard, and without scripts."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import expect_path, sign_in
from browser.dashboard_server import DashboardServer
from browser.identity_provider import NAME, HostileProvider, identities, import_user, serve_with_provider
from browser.test_keyboard import tab_to

ONLY_WAY = "This is your only way to sign in"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_provider: HostileProvider) -> Iterator[DashboardServer]:
    server = serve_with_provider(tmp_path_factory.mktemp("disconnect") / "demo", module_provider.issuer)
    yield server
    server.stop()


def enter(page: Page, provider: HostileProvider, subject: str, email: str) -> None:
    """Signs in at the provider, which sends the browser back immediately, and shows the account."""
    provider.claims = {"sub": subject, "email": email}
    page.goto("/sign-in?next=/account")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    expect_path(page, "/account")


def subjects(server: DashboardServer) -> list[str]:
    """Who Ada is at the provider."""
    return [subject for subject, email in identities(server) if email == server.ada.email]


def forget_proof(server: DashboardServer) -> None:
    """Every session's sign-in was an hour ago."""
    with sqlite3.connect(server.database, timeout=15) as database:
        database.execute("UPDATE sessions SET authenticated_at = authenticated_at - 3600000")
    database.close()


@pytest.mark.parametrize("scripts", [True, False])
def test_a_press_disconnects(
    server: DashboardServer, provider: HostileProvider, new_context: Callable[..., BrowserContext], scripts: bool
):
    page = new_context(java_script_enabled=scripts).new_page()
    for subject in ("one", "two"):
        enter(page, provider, subject, server.ada.email)
    rows = page.locator(".identities li")
    expect(rows).to_have_count(2)
    one = rows.filter(has_text="As one")
    expect(one).to_contain_text(NAME)

    one.get_by_role("button", name=re.compile(f"^Disconnect.*{NAME}, as one$")).click()

    expect(page.get_by_role("status")).to_have_text("Disconnected.")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("As two")
    assert subjects(server) == ["two"]
    rows.get_by_role("button", name="Disconnect").click()
    expect(rows).to_have_count(0)
    expect(page.get_by_role("heading", name="Connected sign-ins")).to_have_count(0)
    assert subjects(server) == []


def test_by_keyboard_after_the_proof_that_it_asks_for(server: DashboardServer, provider: HostileProvider, page: Page):
    enter(page, provider, "one", server.ada.email)
    forget_proof(server)
    tab_to(page, f"Disconnect\n: {NAME}, as one")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Confirm your password")).to_be_visible()
    assert subjects(server) == ["one"]
    page.get_by_label("Password").fill(server.ada.password)
    page.keyboard.press("Enter")
    expect_path(page, "/account")
    tab_to(page, f"Disconnect\n: {NAME}, as one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Disconnected.")
    assert subjects(server) == []


def test_the_only_way_to_sign_in_stays(
    server: DashboardServer, provider: HostileProvider, new_context: Callable[..., BrowserContext],
    console: ConsoleWatch,
):
    console.expect_status(409)
    import_user(server, "olga", "Olga")
    page = new_context().new_page()
    enter(page, provider, "first", "olga@example.com")
    expect(page.get_by_text(ONLY_WAY)).to_be_visible()
    expect(page.get_by_role("button", name="Disconnect")).to_have_count(0)

    # A page that was loaded while there were two, in two tabs.
    enter(page, provider, "second", "olga@example.com")
    other = page.context.new_page()
    other.goto("/account")
    page.locator("li", has_text="As first").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text(ONLY_WAY)).to_be_visible()
    other.locator("li", has_text="As second").get_by_role("button", name="Disconnect").click()
    expect(other.get_by_role("alert")).to_have_text("This is your only way to sign in, so it was not disconnected.")
    expect(other.get_by_role("button", name="Disconnect")).to_have_count(0)
    assert ("second", "olga@example.com") in identities(server)


def test_a_password_is_another_way(server: DashboardServer, provider: HostileProvider, page: Page):
    """Who signs in with the password disconnects what somebody else has connected."""
    provider.claims = {"sub": "mallory", "email": "mallory@example.com"}
    sign_in(page, server.ada, "/account")
    page.goto("/sign-in")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    page.get_by_role("button", name=f"Connect {NAME}").click()
    page.goto("/account")
    page.locator("li", has_text="As mallory").get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status")).to_have_text("Disconnected.")
    assert "mallory" not in dict(identities(server))
