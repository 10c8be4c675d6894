"""The dashboard as a person sees it: what the tests press, read and compare."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from playwright.sync_api import Locator, Page, Route, expect

from browser.dashboard_server import DashboardServer
from browser.place import URL
from harness.accounts import KEY_PATTERN, Person

COME_BACK = "document.dispatchEvent(new Event('visibilitychange'))"
MASK = "•" * 42
# What the page says when a press failed, when its outcome is unknown, and when it succeeded.
UNCHANGED = "Your key was not changed"
UNKNOWN = "It is not known whether the key was regenerated."
REGENERATED = "Key regenerated. The old key no longer works."


def sign_in(page: Page, person: Person, path: str = "/") -> None:
    """Opens a page that needs a session, signs in, and waits for that page."""
    page.goto(path)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def reload_until(page: Page, text: str) -> None:
    """Waits for what the server writes about a second after it has seen it."""
    for _ in range(100):
        if text in page.locator("main").inner_text():
            return
        page.wait_for_timeout(100)
        page.reload()
    raise AssertionError(f"The page never says {text}")


def fill_sign_up(page: Page, name: str, email: str, password: str) -> None:
    """Fills in the sign-up form and sends it."""
    page.get_by_label("Name").fill(name)
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Create account").click()


def key_path(workspace: dict) -> str:
    """The path of a workspace's page "API & Webhooks"."""
    return f"/workspaces/{workspace['id']}/api-webhooks"


def usage_path(server: DashboardServer) -> str:
    """The path of the tab "Usage" of Ada's workspace whose plan includes the API."""
    workspaces = server.commands.workspaces_of(server.ada.email)
    return key_path(next(each for each in workspaces if each["plan"] != "free")) + "/usage"


class KeyPage:
    """The page "API & Webhooks" with the tab "API Key"."""

    def __init__(self, page: Page):
        self.page = page
        self.field: Locator = page.get_by_role("textbox", name="Secret Key", exact=True)
        self.eye_show: Locator = page.get_by_role("button", name="Show key")
        self.eye_hide: Locator = page.get_by_role("button", name="Hide key")
        self.copy: Locator = page.locator("[data-key-copy]")
        self.status: Locator = page.locator("[data-key-status]")
        self.regenerate: Locator = page.get_by_text("Regenerate key", exact=True)
        self.dialog: Locator = page.get_by_role("dialog", name="Regenerate API key?")
        self.confirm_regenerate: Locator = page.get_by_role("button", name="Yes, regenerate")
        self.dialog_status: Locator = page.locator("[data-regenerate-status]")
        self.switch_to_pro: Locator = page.get_by_role("button", name="Switch to Pro")

    def reveal(self) -> str:
        """Presses the eye and returns the key."""
        self.eye_show.click()
        expect(self.eye_hide).to_be_visible()
        key = self.field.input_value()
        assert KEY_PATTERN.fullmatch(key)
        return key

    def press_regenerate(self) -> None:
        """Opens the dialog and confirms it."""
        self.regenerate.click()
        self.confirm_regenerate.click()

    def expect_hidden(self) -> None:
        """The mask stands where the key would be, and the eye offers to show it."""
        expect(self.field).to_have_value(MASK)
        expect(self.eye_show).to_have_attribute("aria-pressed", "false")

    def fact(self, name: str) -> Locator:
        """The value beside Prefix, Generated or Last used."""
        return self.page.locator(".facts > div", has=self.page.locator("dt", has_text=name)).locator("dd")

    def generated_at(self) -> str:
        """When the key was made, to the millisecond."""
        return self.fact("Generated").locator("time").get_attribute("datetime")

    def expect_remaining(self, number: int) -> None:
        """Waits until the page shows this many requests as left."""
        expect(self.page.locator("meter")).to_have_attribute("value", str(number))

    def remaining(self) -> int:
        """The requests that are left."""
        return int(self.page.locator("meter").get_attribute("value"))


def expect_absent(key: str, *texts: str) -> None:
    """None of the texts holds the key, nor any six of its characters in a row after its prefix."""
    secret = key.removeprefix("tdc_")
    parts = [secret[start : start + 6] for start in range(len(secret) - 5)]
    for text in texts:
        found = [part for part in parts if part in text]
        assert not found, "Characters of the Secret Key are in the page."


def whole_page(page: Page) -> str:
    """All that the page holds: its markup, and what its inputs have been given since."""
    return page.content() + page.evaluate(
        "[...document.querySelectorAll('input, textarea')]"
        ".map((field) => [field.value, field.defaultValue, field.textContent].join(' ')).join(' ')"
    )


def come_back(page: Page) -> None:
    """The page comes back into view, and fetches the key's record."""
    with page.expect_response("**/record"):
        page.evaluate(COME_BACK)


def hold_requests(page: Page, url: str) -> list[Route]:
    """From now on requests for the URL wait in this list for the test to respond to them."""
    held_requests: list[Route] = []
    # A bound method of a list is nothing that Playwright can take.
    page.route(url, lambda route: held_requests.append(route))
    return held_requests


def pause_clock(page: Page) -> None:
    """No deadline of the page's passes any more, however slow the machine is."""
    page.clock.install()
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))


def clipboard(page: Page) -> str:
    """What the clipboard holds."""
    return page.evaluate("navigator.clipboard.readText()")


def expect_path(page: Page, pattern: str) -> None:
    """Waits until the browser is at a path (and query) that matches as a whole, wherever the server is."""
    expect(page).to_have_url(re.compile(rf"(http://localhost:\d+|{re.escape(URL)}){pattern}$"))
