"""Two-step sign-in in a browser, with scripts and without: the ``SecondFactorPage`` and the ``CodePage``."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.authenticator import RECOVERY_CODE, Authenticator, turn_on
from browser.conftest import ConsoleWatch
from browser.dashboard import expect_path, sign_in
from browser.dashboard_server import DashboardServer
from harness.accounts import Person


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def page(request: pytest.FixtureRequest, new_context: Callable[..., BrowserContext]) -> Page:
    return new_context(java_script_enabled=request.param).new_page()


def give_password(page: Page, person: Person) -> None:
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Enter your code")).to_be_visible()


def give_code(page: Page, code: str) -> None:
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Sign in").click()


def test_its_whole_life(server: DashboardServer, page: Page, console: ConsoleWatch):
    """Set up by the picture, sign in with a code, with a recovery code once, confirm, turn off."""
    console.expect_status(401)
    sign_in(page, server.ada, "/account")
    page.get_by_role("link", name="Set up").click()
    _, issuer, account = Authenticator.scan(page)
    assert (issuer, account) == (server.product, server.ada.email)
    authenticator, codes = turn_on(page)
    assert len(set(codes)) == 10 and all(RECOVERY_CODE.fullmatch(code) for code in codes)
    page.get_by_role("link", name="I have saved them").click()
    expect(page.locator("section", has_text="Two-step sign-in")).to_contain_text("10 recovery codes are left.")
    page.get_by_role("button", name="Sign out").click()

    page.goto("/account")
    give_password(page, server.ada)
    give_code(page, "000000")
    expect(page.get_by_role("alert")).to_contain_text("That code is not right")
    give_code(page, authenticator.code())
    expect_path(page, "/account")
    page.get_by_role("button", name="Sign out").click()

    for message in (None, "That code is not right"):
        page.goto("/sign-in")
        give_password(page, server.ada)
        give_code(page, codes[0].upper())
        if message is None:
            expect(page.get_by_role("button", name="Sign out")).to_be_visible()
            page.get_by_role("button", name="Sign out").click()
        else:
            expect(page.get_by_role("alert")).to_contain_text(message)
    give_code(page, codes[1])

    page.goto("/confirm?next=" + server.path("/account/second-factor"))
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_label("Code of your authenticator app").fill(codes[2])
    page.get_by_role("button", name="Continue").click()
    expect_path(page, "/account/second-factor")
    expect(page.get_by_text("7 recovery codes are left.")).to_be_visible()
    page.get_by_label("A code of your app, or a recovery code").fill(codes[3])
    page.get_by_role("button", name="Make new recovery codes").click()
    expect(page.get_by_text("The old ones no longer work.")).to_be_visible()
    fresh = page.locator(".recovery-codes code").all_text_contents()
    page.goto("/account/second-factor")
    page.get_by_label("A code of your app, or a recovery code").fill(fresh[0])
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_role("status")).to_have_text("Two-step sign-in is off.")
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, server.ada)


def test_an_operator_turns_it_off(server: DashboardServer, page: Page):
    sign_in(page, server.ada, "/account/second-factor")
    turn_on(page)
    server.commands.run("user", "reset-totp", server.ada.email)
    page.goto("/account/second-factor")
    expect(page.get_by_role("heading", name="Set up an authenticator app")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, server.ada)


def test_a_wrong_code_at_setup_keeps_the_secret(server: DashboardServer, page: Page, console: ConsoleWatch):
    console.expect_status(422)
    sign_in(page, server.ada, "/account/second-factor")
    secret = page.locator("input[name=secret]").input_value()
    page.get_by_label("The code that the app shows").fill("000000")
    page.get_by_role("button", name="Turn on").click()
    code = page.get_by_label("The code that the app shows")
    expect(code).to_have_accessible_description(
        "This is not the code that the app shows now. If it stays, check the clock of your device."
    )
    assert page.locator("input[name=secret]").input_value() == secret
