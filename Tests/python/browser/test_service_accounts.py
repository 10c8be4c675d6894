"""Service accounts (``ServiceAccountPageHandlers``), in browsers with and without scripts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, clipboard, expect_path, sign_in
from browser.dashboard_server import DashboardServer

ONE = "/workspaces/ws_[0-9A-Za-z]+/service-accounts/usr_[0-9A-Za-z]+"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def new_page(new_context: Callable[..., BrowserContext], request: pytest.FixtureRequest) -> Callable[[], Page]:
    return lambda: new_context(java_script_enabled=request.param).new_page()


@pytest.fixture
def workspace(server: DashboardServer) -> str:
    """Ada's workspace on Pro."""
    workspaces = server.commands.workspaces_of(server.ada.email)
    return next(each for each in workspaces if each["plan"] == "pro")["id"]


def reveal(page: Page) -> str:
    """Presses the eye, which without scripts loads the page again."""
    KeyPage(page).eye_show.click()
    expect(KeyPage(page).eye_hide).to_be_visible()
    return KeyPage(page).field.input_value()


def test_testing_and_production_apart_in_two_presses_each(
    server: DashboardServer, new_page: Callable[[], Page], workspace: str
):
    page = new_page()
    sign_in(page, server.ada, f"/workspaces/{workspace}/api-webhooks")
    keys = []
    for name in ["Testing", "Production"]:
        page.goto(f"/workspaces/{workspace}/api-webhooks")
        page.get_by_role("link", name="Service accounts", exact=True).click()
        page.get_by_role("button", name=f"Add “{name}”").click()
        expect_path(page, ONE + r"(\?added=1)?")
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        keys.append(reveal(page))
    assert len({server.ada_key, *keys}) == 3
    for key in keys:
        assert server.call_api(key).status == 200


def test_the_page_of_a_key_does_what_a_persons_does(
    server: DashboardServer, new_page: Callable[[], Page], workspace: str
):
    page = new_page()
    account = server.commands.make_service_account(workspace, "Testing")
    sign_in(page, server.ada, f"/workspaces/{workspace}/service-accounts/{account}")
    old = reveal(page)
    assert server.call_api(old).status == 200
    KeyPage(page).press_regenerate()
    expect(page.get_by_text("Key regenerated.")).to_be_visible()
    expect_path(page, ONE + r"(\?regenerated=1)?")
    assert server.call_api(old).status == 401
    assert server.call_api(server.ada_key).status == 200
    new = reveal(page)
    assert server.call_api(new).status == 200
    page.get_by_label("Name", exact=True).fill("Staging")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Staging", exact=True)).to_be_visible()
    page.get_by_role("button", name="Disable: refuse the key for now").click()
    expect(page.get_by_text("Service account disabled.")).to_be_visible()
    assert server.call_api(new).status == 401
    page.get_by_role("button", name="Enable: let the key pass again").click()
    expect(page.get_by_text("Service account enabled.")).to_be_visible()
    assert server.call_api(new).status == 200
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_text("All requests with the keys of this service account.")).to_be_visible()
    page.get_by_role("link", name="← Service accounts").click()
    page.get_by_role("link", name="Open Staging").click()
    page.locator("summary", has_text="Delete service account").click()
    page.get_by_role("button", name="Yes, delete").click()
    expect(page.get_by_text("Service account deleted.")).to_be_visible()
    assert server.call_api(new).status == 401


def test_its_key_is_copied(server: DashboardServer, page: Page, workspace: str):
    account = server.commands.make_service_account(workspace, "Testing")
    sign_in(page, server.ada, f"/workspaces/{workspace}/service-accounts/{account}")
    KeyPage(page).copy.click()
    expect(KeyPage(page).copy).to_have_text("Copied")
    assert clipboard(page) == server.commands.key_of(account)


def test_a_member_sees_names_alone(
    server: DashboardServer, new_page: Callable[[], Page], workspace: str, console: ConsoleWatch
):
    console.expect_status(403)
    account = server.commands.make_service_account(workspace, "Testing")
    bob = server.sign_up("Bob")
    server.commands.run("workspace", "add-member", workspace, bob.email)
    page = new_page()
    path = f"/workspaces/{workspace}/service-accounts"
    sign_in(page, bob, path)
    expect(page.locator("main")).to_contain_text("Testing")
    expect(page.get_by_role("link", name="Testing")).to_have_count(0)
    expect(page.get_by_role("button", name="Add service account")).to_have_count(0)
    assert page.goto(f"{path}/{account}").status == 403


def test_who_left_with_a_key_is_named_and_one_press_replaces_it(
    server: DashboardServer, new_page: Callable[[], Page], workspace: str
):
    account = server.commands.make_service_account(workspace, "Testing")
    bob = server.sign_up("Bob")
    server.commands.run("workspace", "add-member", workspace, bob.email, "--role", "admin")
    page = new_page()
    sign_in(page, bob, f"/workspaces/{workspace}/service-accounts/{account}")
    key = reveal(page)
    ada = new_page()
    sign_in(ada, server.ada, f"/workspaces/{workspace}/team")
    expect(ada.get_by_role("heading", name="Keys to replace")).to_have_count(0)
    row = ada.locator("li", has_text=bob.email)
    row.locator("summary").click()
    row.get_by_role("button", name="Yes, remove").click()
    expect(ada.get_by_role("heading", name="Keys to replace")).to_be_visible()
    expect(ada.locator("section", has_text="Keys to replace")).to_contain_text("Bob saw it")
    assert server.call_api(key).status == 200
    ada.get_by_role("button", name="Regenerate the key of Testing").click()
    expect(ada.get_by_text("Key regenerated.")).to_be_visible()
    assert server.call_api(key).status == 401
    ada.goto(f"/workspaces/{workspace}/team")
    expect(ada.get_by_role("heading", name="Keys to replace")).to_have_count(0)


def test_a_new_workspace_with_a_key_of_its_own(server: DashboardServer, new_page: Callable[[], Page]):
    page = new_page()
    sign_in(page, server.ada, "/workspaces/new")
    page.get_by_label("Name").fill("Staging")
    page.get_by_label("Give it a key of its own").check()
    page.get_by_role("button", name="Add workspace").click()
    expect_path(page, ONE + r"(\?created=1)?")
    expect(page.get_by_role("heading", name="Staging", exact=True)).to_be_visible()
