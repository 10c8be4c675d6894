"""Workspaces (``WorkspacePageHandlers``): the list at the top left, settings, plans, and who may do what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, expect_path, key_path, sign_in
from browser.dashboard_server import DashboardServer

KEY_PAGE = "/workspaces/ws_[0-9A-Za-z]+/api-webhooks"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def page(new_context: Callable[..., BrowserContext], request: pytest.FixtureRequest) -> Page:
    return new_context(java_script_enabled=request.param).new_page()


def test_a_new_workspace_becomes_the_active_one(server: DashboardServer, page: Page, console: ConsoleWatch):
    console.expect_status(422)
    sign_in(page, server.ada)
    page.locator("summary").click()
    marked = page.locator(".workspaces a[aria-current=true]")
    expect(marked).to_have_text("Ada’s workspacePro")
    page.get_by_role("link", name="Add New Workspace").click()
    name = page.get_by_label("Name")
    name.evaluate("field => field.removeAttribute('minlength')")
    name.fill(" x ")
    page.get_by_role("button", name="Add workspace").click()
    expect(name).to_have_accessible_description("Use 2 or more characters.")
    name.fill("Staging")
    page.get_by_role("button", name="Add workspace").click()
    expect(page.get_by_role("status").first).to_have_text("Workspace added. You are its Owner.")
    page.locator("summary").click()
    expect(page.locator(".workspaces a[aria-current=true]")).to_have_text("StagingFree")


def test_rename_default_and_delete(server: DashboardServer, page: Page, console: ConsoleWatch):
    console.expect_status(422, 404)
    testing = next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "free")
    settings = f"/workspaces/{testing['id']}/settings"
    sign_in(page, server.ada, settings)
    page.get_by_label("Name of the workspace").fill("Sandbox")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("status")).to_have_text("Workspace renamed.")
    page.get_by_role("button", name="Make it my default").click()
    expect(page.get_by_role("button", name="Make it my default")).to_have_count(0)
    page.goto("/")
    expect_path(page, key_path(testing))
    page.goto(settings)
    page.get_by_label("Type Sandbox to confirm").fill("Testing")
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.get_by_label("Type Sandbox to confirm")).to_have_accessible_description(
        "This is not the workspace’s name.")
    page.get_by_label("Type Sandbox to confirm").fill("Sandbox")
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.get_by_role("status")).to_contain_text("Workspace deleted.")
    page.goto("/")
    expect_path(page, KEY_PAGE)
    assert page.goto(settings).status == 404


def test_a_downgrade_says_what_stops_and_stops_it(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    page.get_by_role("link", name="Workspace settings").click()
    page.get_by_role("link", name="Compare plans").click()
    free = page.locator(".plans li", has_text="Free")
    expect(free).to_contain_text("stops every request with a key in this workspace, immediately")
    assert server.call_api(server.ada_key).status == 200
    free.get_by_role("button", name="Switch to Free").click()
    expect(page.get_by_text("This workspace is now on the Free plan.")).to_be_visible()
    assert server.call_api(server.ada_key).status == 403


@pytest.mark.parametrize("role", ["admin", "member", "nobody"])
def test_what_others_see(server: DashboardServer, page: Page, console: ConsoleWatch, role: str):
    console.expect_status(404)
    workspace = server.commands.workspaces_of(server.ada.email)[0]["id"]
    bob = server.sign_up("Bob")
    if role != "nobody":
        server.commands.run("workspace", "add-member", workspace, bob.email, "--role", role)
    sign_in(page, bob)
    response = page.goto(f"/workspaces/{workspace}/settings")
    assert response.status == (404 if role == "nobody" else 200)
    expect(page.get_by_role("button", name="Rename")).to_have_count(1 if role == "admin" else 0)
    expect(page.get_by_role("button", name="Delete workspace")).to_have_count(0)
    if role != "nobody":
        page.goto(f"/workspaces/{workspace}/plans")
        expect(page.get_by_role("link", name="ada@example.com")).to_be_visible()
        expect(page.get_by_role("button", name="Switch to")).to_have_count(0)


def test_nobody_who_is_signed_out_sees_anything(server: DashboardServer, page: Page):
    workspace = server.commands.workspaces_of(server.ada.email)[0]["id"]
    for path in ["/workspaces/new", f"/workspaces/{workspace}/settings", f"/workspaces/{workspace}/team"]:
        page.goto(path)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_key_is_the_same_in_a_new_workspace(server: DashboardServer, page: Page):
    sign_in(page, server.ada, "/workspaces/new")
    page.get_by_label("Name").fill("Staging")
    page.get_by_role("button", name="Add workspace").click()
    expect_path(page, KEY_PAGE + r"(\?created=1)?")
    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
    KeyPage(page).switch_to_pro.click()
    assert KeyPage(page).reveal() == server.ada_key
