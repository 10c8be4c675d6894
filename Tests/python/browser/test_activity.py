"""The pages "Activity" (``ActivityHandlers``): what happened, filters, and files."""

import json
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.dashboard import KeyPage, expect_absent, sign_in
from browser.dashboard_server import DashboardServer
from harness.waiting import eventually


@pytest.mark.parametrize("scripts", [True, False])
def test_what_happened_is_told_in_sentences(
    server: DashboardServer, new_context: Callable[..., BrowserContext], scripts: bool
):
    page = new_context(java_script_enabled=scripts).new_page()
    sign_in(page, server.ada)
    key = KeyPage(page).reveal()
    page.get_by_role("link", name="Activity").click()
    events = page.locator(".events li")
    expect(events.first).to_contain_text("You showed your key")
    expect(events.first).to_contain_text("from 127.0.0.1")
    expect_absent(key[8:], page.content())

    page.get_by_label("What").select_option(label="Plan changed")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_label("What")).to_have_value("workspace.plan_changed")
    for event in page.locator(".event").all():
        expect(event).to_contain_text("to the plan")
    page.get_by_role("link", name="Show all").click()
    expect(events.first).to_contain_text("You showed your key")


def test_ones_own_activity_has_failed_sign_ins(server: DashboardServer, page: Page):
    refused = server.post("/sign-in", {"email": server.ada.email, "password": "not the password"})
    assert refused.status == 401
    sign_in(page, server.ada, "/account")
    page.get_by_role("link", name="See the activity of your account").click()
    failed = page.locator(".events li", has_text="Somebody tried to sign in to your account and failed")

    def is_listed() -> bool:
        page.reload()
        return failed.count() > 0

    # It is written up to a second later.
    eventually(is_listed, "the failed sign-in is listed")
    expect(failed.first).to_contain_text("from 127.0.0.1")
    expect(page.locator(".event").first).to_have_text("You signed in")


def test_the_filtered_list_is_downloaded(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    KeyPage(page).reveal()
    page.get_by_role("link", name="Activity").click()
    page.get_by_label("What").select_option(label="Key shown")
    page.get_by_role("button", name="Show", exact=True).click()
    with page.expect_download() as lines:
        page.get_by_role("link", name="JSON Lines").click()
    with open(lines.value.path(), encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    assert events[0]["what"] == "You showed your key"
    assert {event["action"] for event in events} == {"key.revealed"}
    with page.expect_download() as table:
        page.get_by_role("link", name="CSV").click()
    assert table.value.suggested_filename == "activity.csv"
    with open(table.value.path(), encoding="utf-8", newline="") as file:
        assert file.readline().startswith("id,at,what,who,")
