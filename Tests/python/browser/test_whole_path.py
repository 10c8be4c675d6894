"""The way of a new person: sign up, unlock, reveal, copy, call, regenerate."""

import re

from playwright.sync_api import Page, expect

from browser.dashboard import KeyPage, clipboard, expect_absent, expect_path, fill_sign_up, whole_page
from browser.dashboard_server import DashboardServer


def sign_up_as_grace(page: Page) -> None:
    page.goto("/sign-in")
    page.get_by_role("link", name="Create an account").click()
    fill_sign_up(page, "Grace", "grace@example.com", "a long enough secret")
    expect_path(page, "/workspaces/ws_[0-9A-Za-z]+/api-webhooks")


def test_a_new_account_starts_locked_and_its_owner_unlocks_it(server: DashboardServer, page: Page):
    """A new workspace is on Free: no key and no way to one in the page, until its Owner switches the plan."""
    sign_up_as_grace(page)
    key_page = KeyPage(page)
    key = server.commands.key_of("grace@example.com")

    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
    expect_absent(key, whole_page(page))
    assert page.locator("form[action$='/reveal'], [data-reveal-url]").count() == 0
    assert server.call_api(key).json["error"] == "FEATURE_LOCKED"

    key_page.switch_to_pro.click()

    expect(page.get_by_role("status").filter(has_text="This workspace is now on the Pro plan.")).to_be_visible()
    menu = page.get_by_role("navigation", name="Dashboard")
    expect(menu.get_by_role("link", name="API & Webhooks")).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("link", name="API Key")).to_have_attribute("aria-current", "page")
    key_page.expect_hidden()
    assert server.call_api(key).status == 200


def test_the_eye_reveals_and_hides_and_copy_copies(server: DashboardServer, page: Page):
    """The key is in the page only while it is shown; Copy gives exactly the key, shown or not."""
    sign_up_as_grace(page)
    key_page = KeyPage(page)
    key_page.switch_to_pro.click()
    key_page.expect_hidden()
    key = server.commands.key_of("grace@example.com")
    expect_absent(key, whole_page(page))

    assert key_page.reveal() == key
    expect(key_page.eye_hide).to_have_attribute("aria-pressed", "true")

    key_page.eye_hide.click()
    key_page.expect_hidden()
    expect_absent(key, whole_page(page))

    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    key_page.copy.click()
    expect(key_page.status).to_have_text("Copied to the clipboard.")
    expect(key_page.status).to_have_attribute("aria-live", "polite")
    expect(key_page.copy).to_have_text("Copied")
    assert clipboard(page) == key
    key_page.expect_hidden()
    expect_absent(key, whole_page(page))
    expect(key_page.copy).to_have_text("Copy")
    expect(key_page.status).to_be_empty()

    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    key_page.reveal()
    key_page.copy.click()
    expect(key_page.copy).to_have_text("Copied")
    assert clipboard(page) == key
    expect(key_page.field).to_have_value(key)


def test_a_regenerate_replaces_the_key_and_its_record(server: DashboardServer, page: Page):
    """Escape and Cancel change nothing; "Yes, regenerate" replaces the old key, and the rate limit goes on."""
    sign_up_as_grace(page)
    key_page = KeyPage(page)
    key_page.switch_to_pro.click()
    expect(key_page.fact("Last used")).to_have_text("Never used")
    expect(key_page.fact("Generated")).to_contain_text("UTC")
    first_key = key_page.reveal()
    first_prefix = key_page.fact("Prefix").inner_text()
    first_generated_at = key_page.generated_at()
    assert first_key.startswith(first_prefix) and first_prefix.startswith("tdc_") and len(first_prefix) < 13
    assert key_page.remaining() == 1000
    for _ in range(3):
        assert server.call_api(first_key).status == 200

    page.reload()
    expect(key_page.fact("Last used")).to_contain_text("UTC from 127.0.0.1")
    assert key_page.remaining() == 997
    expect(page.locator(".quota p")).to_have_text(re.compile(r"^997 of 1,000 left · more at \d\d:\d\d"))

    for close in (lambda: page.keyboard.press("Escape"), page.get_by_role("button", name="Cancel").click):
        key_page.regenerate.click()
        expect(key_page.dialog).to_contain_text("stops working immediately")
        expect(key_page.dialog).to_contain_text(first_prefix)
        close()
        expect(key_page.dialog).to_be_hidden()
    assert server.call_api(first_key).status == 200

    key_page.regenerate.click()
    page.get_by_role("button", name="Yes, regenerate").click()
    expect(page.get_by_role("status").filter(has_text="Key regenerated. The old key no longer works.")).to_be_visible()
    assert server.call_api(first_key).status == 401
    expect(key_page.fact("Last used")).to_have_text("Never used")
    # The rate limit goes on, and the refused call does not count.
    key_page.expect_remaining(996)
    key_page.expect_hidden()
    second_key = key_page.reveal()
    assert second_key != first_key
    assert second_key.startswith(key_page.fact("Prefix").inner_text())
    expect(key_page.fact("Prefix")).not_to_have_text(first_prefix)
    assert key_page.generated_at() > first_generated_at

    response = server.call_api(second_key)
    assert (response.status, response.value("x-ratelimit-remaining")) == (200, "995")
    page.reload()
    expect(key_page.fact("Last used")).to_contain_text("UTC from 127.0.0.1")
    expect(page.get_by_role("status").filter(has_text="Key regenerated")).to_have_count(0)


def test_a_regenerate_sent_twice_makes_one_new_key(server: DashboardServer, page: Page):
    """Two presses, or a page sent again, replace the key once."""
    cookie = server.sign_in(server.ada)
    path = f"/workspaces/{server.commands.workspaces_of(server.ada.email)[0]['id']}/api-webhooks/regenerate"
    page_text = server.request("GET", path, cookie=cookie).text
    token = page_text.split('name="idempotencyKey" value="')[1].split('"')[0]

    assert server.post(path, {"idempotencyKey": token}, cookie).status == 303
    once = server.commands.key_of(server.ada.email)
    assert server.post(path, {"idempotencyKey": token}, cookie).status == 303

    assert once != server.ada_key
    assert server.commands.key_of(server.ada.email) == once


def test_a_page_whose_key_was_replaced_replaces_no_other(server: DashboardServer):
    """Of two tabs that show one key, the second to regenerate sees that and replaces nothing."""
    cookie = server.sign_in(server.ada)
    path = f"/workspaces/{server.commands.workspaces_of(server.ada.email)[0]['id']}/api-webhooks/regenerate"
    tabs = [server.request("GET", path, cookie=cookie).text for _ in range(2)]
    forms = [{name: tab.split(f'name="{name}" value="')[1].split('"')[0] for name in ("version", "idempotencyKey")}
             for tab in tabs]

    assert server.post(path, forms[0], cookie).status == 303
    once = server.commands.key_of(server.ada.email)
    for stale in (forms[1], {**forms[1], "version": "9" * 40}, {**forms[1], "version": "x"}):
        refused = server.post(path, stale, cookie)
        assert refused.status == 409
        assert "regenerated by another request meanwhile" in refused.text
    assert server.commands.key_of(server.ada.email) == once
