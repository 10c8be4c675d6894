"""The page "Team" (``TeamPageHandlers``) and invite links (``InvitationHandlers``), in browsers with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import clipboard, expect_path, fill_sign_up, sign_in
from browser.dashboard_server import DashboardServer

LINK = re.compile(r"https?://\S+/invitations\?code=kbv_[0-9A-Za-z]{53}")


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def new_page(new_context: Callable[..., BrowserContext], request: pytest.FixtureRequest) -> Callable[[], Page]:
    return lambda: new_context(java_script_enabled=request.param).new_page()


@pytest.fixture
def team(server: DashboardServer) -> str:
    """The path of the team of Ada's workspace on Pro."""
    workspaces = server.commands.workspaces_of(server.ada.email)
    return f"/workspaces/{next(each for each in workspaces if each['plan'] == 'pro')['id']}/team"


def invite(page: Page, email: str, role: str = "Member") -> str:
    """Invites somebody and returns the path of the link."""
    page.get_by_label("E-mail", exact=True).fill(email)
    page.get_by_label("Role", exact=True).select_option(role)
    page.get_by_role("button", name="Invite", exact=True).click()
    link = page.locator("#invite-link")
    expect(link).to_have_text(LINK)
    return link.inner_text().partition("/invitations")[1] + link.inner_text().partition("/invitations")[2]


def test_a_new_person_is_invited_and_joins(server: DashboardServer, new_page: Callable[[], Page], team: str):
    ada, grace = new_page(), new_page()
    sign_in(ada, server.ada, team)
    link = invite(ada, "Grace@Example.com", "Admin")
    ada.goto(team)
    expect(ada.locator("body")).not_to_contain_text("kbv_")

    grace.goto(link)
    expect(grace.locator("main")).to_contain_text("Ada (ada@example.com) invites grace@example.com")
    grace.get_by_role("link", name="Create an account").click()
    expect(grace.get_by_label("E-mail")).to_have_value("grace@example.com")
    fill_sign_up(grace, "Grace", "grace@example.com", "a long enough secret")
    grace.get_by_role("button", name="Join as grace@example.com").click()
    expect(grace.get_by_text("You are a member of this workspace now.")).to_be_visible()
    expect(grace.locator("li", has_text="grace@example.com")).to_contain_text("Admin")

    grace.goto(link)
    expect(grace.get_by_role("heading", name="You are already in")).to_be_visible()
    assert server.call_api(server.commands.key_of("grace@example.com")).status == 200


def test_the_link_is_copied(server: DashboardServer, page: Page, team: str):
    sign_in(page, server.ada, team)
    link = invite(page, "grace@example.com")
    page.get_by_role("button", name="Copy invite link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert clipboard(page).endswith(link)


def test_somebody_else_asks_and_is_invited(
    server: DashboardServer, new_page: Callable[[], Page], team: str, console: ConsoleWatch
):
    ada, bob = new_page(), new_page()
    sign_in(ada, server.ada, team)
    link = invite(ada, "grace@example.com")
    sign_in(bob, server.sign_up("Bob"))
    bob.goto(link)
    expect(bob.get_by_role("heading", name="This invitation is for somebody else")).to_be_visible()
    bob.get_by_role("button", name="Ask for a new invite").click()
    expect(bob.get_by_role("heading", name="You asked for a new invite")).to_be_visible()

    ada.goto(team)
    request = ada.locator("section", has_text="Asked for an invitation").locator("li", has_text="bob")
    request.get_by_role("button", name=re.compile("Invite")).click()
    expect(ada.locator("#invite-link")).to_have_text(LINK)
    expect(ada.get_by_role("heading", name="Asked for an invitation")).to_have_count(0)


def test_a_withdrawn_link_says_so(
    server: DashboardServer, new_page: Callable[[], Page], team: str, console: ConsoleWatch
):
    console.expect_status(410)
    ada, grace = new_page(), new_page()
    sign_in(ada, server.ada, team)
    link = invite(ada, "grace@example.com")
    ada.goto(team)
    ada.get_by_role("button", name=re.compile("Withdraw")).click()
    expect(ada.get_by_role("status").first).to_contain_text("The link no longer works.")
    grace.goto(link)
    expect(grace.get_by_role("heading", name="This invitation was withdrawn")).to_be_visible()
    expect(grace.locator("main")).to_contain_text("Ada (ada@example.com)")
    grace.get_by_role("button", name="Ask for a new invite").click()
    expect(grace.get_by_role("heading", name="You asked for a new invite")).to_be_visible()


def test_roles_change_and_members_go(server: DashboardServer, new_page: Callable[[], Page], team: str):
    bob = server.sign_up("Bob")
    server.commands.run("workspace", "add-member", team.split("/")[2], bob.email)
    key = server.commands.key_of(bob.email)
    assert server.call_api(key).status == 200
    page = new_page()
    sign_in(page, server.ada, team)
    expect(page.get_by_text("You are its last Owner, so you cannot leave.")).to_be_visible()
    page.get_by_label("Role of Bob").select_option("Admin")
    page.get_by_role("button", name="Change the role of Bob").click()
    expect(page.get_by_role("status").first).to_have_text("Role changed.")
    row = page.locator("li", has_text=bob.email)
    row.locator("summary").click()
    row.get_by_role("button", name="Yes, remove").click()
    expect(page.get_by_role("status").first).to_contain_text("Member removed.")
    assert server.call_api(key).status == 403


def test_a_member_leaves(server: DashboardServer, new_page: Callable[[], Page], team: str):
    bob = server.sign_up("Bob")
    server.commands.run("workspace", "add-member", team.split("/")[2], bob.email)
    page = new_page()
    sign_in(page, bob, team)
    expect(page.get_by_role("heading", name="Invite somebody")).to_have_count(0)
    page.locator("main summary").click()
    page.get_by_role("button", name="Yes, leave").click()
    expect_path(page, r"/account(\?left=1)?")
    expect(page.get_by_text("You left the workspace.")).to_be_visible()


def test_members_are_searched(server: DashboardServer, new_page: Callable[[], Page], team: str):
    for name in ["Grace", "Linus"]:
        person = server.sign_up(name)
        server.commands.run("workspace", "add-member", team.split("/")[2], person.email)
    page = new_page()
    sign_in(page, server.ada, team)
    page.get_by_label("Search by name or e-mail").fill("LINUS")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("1 member found")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("grace@")


def test_an_invitation_says_when_it_ends(server: DashboardServer, page: Page, team: str):
    sign_in(page, server.ada, team)
    invite(page, "grace@example.com")
    expect(page.get_by_text("Invited by Ada, ends in 7 days")).to_be_visible()
