"""A workspace whose plan lacks the feature: no key in the page, for anybody, and the right way out."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, expect_absent, key_path, sign_in, whole_page
from browser.dashboard_server import DashboardServer
from harness.accounts import Person


@pytest.fixture
def testing(server: DashboardServer) -> dict:
    """Ada's workspace on Free."""
    return next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "free")


@pytest.fixture
def bob(server: DashboardServer, testing: dict) -> Person:
    """A Member of Ada's workspace on Free."""
    bob = server.sign_up("Bob")
    server.commands.run("workspace", "add-member", testing["id"], bob.email)
    return bob


def expect_locked(server: DashboardServer, page: Page, person: Person, path: str) -> None:
    """The overlay stands over controls that do nothing, and neither the page nor the response holds the key."""
    key = server.commands.key_of(person.email)
    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
    expect(page.locator(".lock-under")).to_have_attribute("inert", "")
    for button in page.locator(".lock-under button").all():
        expect(button).to_be_disabled()
    assert page.locator("[data-key-panel], form[action$='/reveal']").count() == 0
    response = server.request("GET", path, cookie=server.sign_in(person))
    assert response.status == 200
    expect_absent(key, whole_page(page), response.text)


def test_an_owner_is_offered_the_upgrade(server: DashboardServer, page: Page, testing: dict):
    sign_in(page, server.ada, key_path(testing))
    expect_locked(server, page, server.ada, key_path(testing))
    expect(page.get_by_text("Ask a workspace Owner")).to_have_count(0)
    KeyPage(page).switch_to_pro.click()
    KeyPage(page).expect_hidden()


def test_a_member_sees_whom_to_contact(server: DashboardServer, page: Page, testing: dict, bob: Person):
    sign_in(page, bob, key_path(testing))
    expect_locked(server, page, bob, key_path(testing))
    expect(page.get_by_text("Ask a workspace Owner to upgrade.")).to_be_visible()
    owner = page.locator(".owners li")
    expect(owner).to_have_count(1)
    expect(owner).to_contain_text("Ada")
    expect(owner.get_by_role("link", name="ada@example.com")).to_have_attribute("href", "mailto:ada@example.com")
    expect(KeyPage(page).switch_to_pro).to_have_count(0)


def test_a_member_cannot_switch_the_plan_nor_reveal(server: DashboardServer, testing: dict, bob: Person):
    cookie = server.sign_in(bob)
    workspace = f"/workspaces/{testing['id']}"
    assert server.post(f"{workspace}/plan", {"planID": "pro"}, cookie).status == 403
    response = server.post(f"{workspace}/api-webhooks/reveal", {}, cookie, Accept="application/json")
    assert (response.status, response.json["error"]) == (403, "FEATURE_LOCKED")
    page = server.post(f"{workspace}/api-webhooks/reveal", {}, cookie)
    assert page.status == 403
    expect_absent(server.commands.key_of(bob.email), response.text, page.text)


def test_a_stranger_sees_nothing_of_a_workspace(server: DashboardServer, testing: dict):
    """Somebody else's workspace and one that does not exist read the same."""
    cookie = server.sign_in(server.sign_up("Mallory"))
    theirs = server.request("GET", key_path(testing), cookie=cookie)
    nobodys = server.request("GET", "/workspaces/ws_00000000000000000000/api-webhooks", cookie=cookie)
    assert (theirs.status, nobodys.status) == (404, 404)
    assert "Testing" not in theirs.text and "Ada" not in theirs.text
    for step in ("reveal", "regenerate"):
        assert server.post(f"{key_path(testing)}/{step}", {}, cookie).status == 404
    assert server.post(f"/workspaces/{testing['id']}/plan", {"planID": "pro"}, cookie).status == 404


def test_regenerate_works_while_locked(
    server: DashboardServer, new_context: Callable[..., BrowserContext], testing: dict, bob: Person
):
    """A leaked key must not revive on an upgrade: for an Owner as for a Member."""
    for person in (server.ada, bob):
        page = new_context().new_page()
        old_key = server.commands.key_of(person.email)
        sign_in(page, person, key_path(testing))
        page.get_by_role("link", name="Regenerate it").click()
        expect(page.get_by_role("heading", name="Regenerate API key?")).to_be_visible()
        page.get_by_role("button", name="Yes, regenerate").click()
        expect(page.get_by_text("Key regenerated. The old key no longer works.")).to_be_visible()
        expect_locked(server, page, person, key_path(testing))
        assert server.call_api(old_key).status == 401
        assert server.commands.key_of(person.email) != old_key


def test_a_downgrade_while_the_page_is_open(
    server: DashboardServer, page: Page, console: ConsoleWatch
):
    """The eye no longer works, and the page turns into the locked one."""
    console.expect_status(403)
    pro = next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "pro")
    sign_in(page, server.ada)
    server.commands.run("workspace", "set-plan", pro["id"], "free")
    KeyPage(page).eye_show.click()
    expect_locked(server, page, server.ada, key_path(pro))
    assert server.call_api(server.ada_key).json["error"] == "FEATURE_LOCKED"


class TestWhereBillingDecides:
    """`keybearer serve`: no Owner can unlock a workspace by a form."""

    def test_an_owner_goes_to_the_billing_page_or_contacts_the_operator(
        self, server: DashboardServer, directory, new_context: Callable[..., BrowserContext], testing: dict
    ):
        server.commands.run(
            "plan", "put", "pro", "--name", "Pro", "--feature", "api_webhooks", "--position", "1",
            "--billing-url", "https://billing.example/pro",
        )
        server.commands.run("plan", "put", "team", "--name", "Team", "--feature", "api_webhooks", "--position", "2")
        production = DashboardServer.serve(directory, "--sign-up", "closed")
        try:
            page = new_context(origin=production.origin).new_page()
            sign_in(page, server.ada, key_path(testing))
            expect(page.get_by_role("link", name="Upgrade to Pro")).to_have_attribute(
                "href", "https://billing.example/pro"
            )
            expect(page.locator(".upgrades li").nth(1)).to_contain_text("Team includes it.")
            expect(KeyPage(page).switch_to_pro).to_have_count(0)
            cookie = production.sign_in(server.ada)
            assert production.post(f"/workspaces/{testing['id']}/plan", {"planID": "pro"}, cookie).status == 403

            page.goto("/sign-up")
            expect(page.get_by_role("heading", name="Sign-up is closed")).to_be_visible()
            page.goto("/sign-in")
            expect(page.get_by_role("link", name="Create an account")).to_have_count(0)
        finally:
            production.stop()
