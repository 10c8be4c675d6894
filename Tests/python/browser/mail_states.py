"""The states of the pages that there are where mails are sent, on a server whose mails arrive in a mailbox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from browser.authenticator import turn_on
from browser.conftest import ConsoleWatch
from browser.dashboard import fill_sign_up
from browser.dashboard_server import DashboardServer
from browser.page_states import Stage
from harness.mailbox import Mailbox, link

MAIL_STATES: dict[str, Callable[["MailStage"], Page]] = {}


def serve_with_mail(directory: Path, mailbox: Mailbox) -> DashboardServer:
    """`keybearer serve` on the data of a demonstration, with a mail program. Ada's address is verified."""
    demonstration = DashboardServer.demo(directory)
    demonstration.stop()
    server = DashboardServer(directory, directory / "serve-log.jsonl", ())
    server.ada, server.ada_key = demonstration.ada, demonstration.ada_key
    server.settings = ["--public-url", server.origin, *mailbox.settings]
    server.start()
    return server


class MailStage(Stage):
    """What the states are made with."""

    # How many people signed up.
    count = 0

    def __init__(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch, mailbox: Mailbox
    ):
        super().__init__(server, new_context, console)
        self.mailbox = mailbox

    def signed_up(self) -> tuple[Page, str]:
        """Somebody who signed up just now, and the address."""
        MailStage.count += 1
        email = f"grace{MailStage.count}@example.com"
        page = self.page()
        page.goto("/sign-up")
        fill_sign_up(page, "Grace", email, "a long enough secret")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        return page, email

    def reset_link(self) -> str:
        """The link that resets Ada's password."""
        count = len(self.mailbox.mails(self.server.ada.email, "Reset your password"))
        page = self.page()
        page.goto("/forgot-password")
        page.get_by_label("E-mail").fill(self.server.ada.email)
        page.get_by_role("button", name="Send the link").click()
        expect(page.get_by_text("Look into your mail")).to_be_visible()
        return link(self.mailbox.wait(self.server.ada.email, "Reset your password", count + 1))


def state(make: Callable[[MailStage], Page]) -> Callable[[MailStage], Page]:
    MAIL_STATES[make.__name__.replace("_", "-")] = make
    return make


@state
def sign_in_with_reset(stage: MailStage) -> Page:
    page = stage.page()
    page.goto("/sign-in?reset=1")
    expect(page.get_by_role("link", name="Forgot your password?")).to_be_visible()
    return page


@state
def forgot_password(stage: MailStage) -> Page:
    page = stage.page()
    page.goto("/forgot-password")
    return page


@state
def forgot_password_sent(stage: MailStage) -> Page:
    page = stage.page()
    page.goto("/forgot-password")
    page.get_by_label("E-mail").fill(f"{'w' * 60}@example.com")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("Look into your mail")).to_be_visible()
    return page


@state
def reset_password(stage: MailStage) -> Page:
    page = stage.page()
    page.goto(stage.reset_link())
    expect(page.get_by_label("New password")).to_be_visible()
    return page


@state
def reset_password_refused(stage: MailStage) -> Page:
    stage.console.expect_status(422)
    page = stage.page()
    page.goto(stage.reset_link())
    page.get_by_label("New password").fill("password123")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".field-error")).to_have_count(1)
    return page


@state
def reset_password_ended(stage: MailStage) -> Page:
    stage.console.expect_status(410)
    page = stage.page()
    page.goto("/reset-password?code=used")
    expect(page.get_by_role("link", name="Send another link")).to_be_visible()
    return page


@state
def account_unverified(stage: MailStage) -> Page:
    page, email = stage.signed_up()
    stage.mailbox.wait(email)
    page.goto("/account")
    expect(page.get_by_role("button", name="Send the mail again")).to_be_visible()
    return page


@state
def account_new_address_refused(stage: MailStage) -> Page:
    stage.console.expect_status(422)
    page = stage.as_ada("/account")
    page.get_by_text("Change the address").click()
    page.get_by_label("New address").fill(stage.server.ada.email)
    page.get_by_role("button", name="Send the link").click()
    expect(page.locator(".field-error")).to_have_count(1)
    return page


@state
def account_new_address_asked(stage: MailStage) -> Page:
    page = stage.as_ada("/account")
    page.get_by_text("Change the address").click()
    page.get_by_label("New address").fill("ada.lovelace@example.org")
    page.get_by_role("button", name="Send the link").click()
    expect(page.get_by_text("A mail with a link is on its way")).to_be_visible()
    return page


@state
def verify_email(stage: MailStage) -> Page:
    page, email = stage.signed_up()
    page.goto(link(stage.mailbox.wait(email)))
    expect(page.get_by_role("button", name=f"Verify {email}")).to_be_visible()
    return page


@state
def verify_email_signed_out(stage: MailStage) -> Page:
    _, email = stage.signed_up()
    page = stage.page()
    page.goto(link(stage.mailbox.wait(email)))
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    return page


@state
def verify_email_as_another(stage: MailStage) -> Page:
    _, email = stage.signed_up()
    page = stage.as_ada("/account")
    page.goto(link(stage.mailbox.wait(email)))
    expect(page.get_by_text("You are signed in as")).to_be_visible()
    return page


@state
def reset_password_of_unverified(stage: MailStage) -> Page:
    _, email = stage.signed_up()
    stage.mailbox.wait(email)
    page = stage.page()
    page.goto("/forgot-password")
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Send the link").click()
    page.goto(link(stage.mailbox.wait(email, "Reset your password")))
    expect(page.get_by_text("the API key is replaced")).to_be_visible()
    return page


@state
def verify_email_done(stage: MailStage) -> Page:
    page = verify_email(stage)
    page.get_by_role("button").click()
    expect(page.get_by_text("is verified")).to_be_visible()
    return page


@state
def verify_email_unknown(stage: MailStage) -> Page:
    stage.console.expect_status(404)
    page = stage.page()
    page.goto("/verify-email?code=x")
    return page


@state
def invitation_mailed(stage: MailStage) -> Page:
    page = stage.as_ada(stage.pro_path().replace("/api-webhooks", "/team"))
    page.get_by_label("E-mail", exact=True).fill("guest@example.com")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_text("is on its way to them")).to_be_visible()
    return page


@state
def reset_password_with_code(stage: MailStage) -> Page:
    # The last one: Ada has an app from here on.
    stage.console.expect_status(422)
    page = stage.as_ada("/account/second-factor")
    turn_on(page)
    page = stage.page()
    page.goto(stage.reset_link())
    page.get_by_label("New password").fill("a long enough secret")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator("#otp-error")).to_be_visible()
    return page
