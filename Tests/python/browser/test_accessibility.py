"""Every state of every page, light and dark, wide and narrow: axe finds nothing serious, and nothing scrolls sideways.

With `KEYBEARER_SCREENSHOTS` set to a folder, a picture of each is written there.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT as AXE
from playwright.sync_api import BrowserContext, Page

from browser import failure_states  # noqa: F401 (its states join the list)
from browser.conftest import DESKTOP, ConsoleWatch
from browser.dashboard_server import DashboardServer
from browser.identity_provider import HostileProvider, serve_with_provider
from browser.mail_states import MAIL_STATES, MailStage, serve_with_mail
from browser.page_states import STATES, Stage
from browser.portal_states import PORTAL_STATES, PortalStage
from browser.product_site import ProductSite
from browser.provider_states import PROVIDER_STATES, ProviderStage
from harness.mailbox import Mailbox

SCREENSHOTS = os.environ.get("KEYBEARER_SCREENSHOTS")
PHONE = {"width": 360, "height": 740}
# The elements that are wider than the window and not cut off.
BEYOND = """() => [...document.querySelectorAll('body *')]
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => `${element.tagName}.${element.className}`).slice(0, 8)"""
# Texts that have so little room that they stand letter by letter.
SQUEEZED = """() => [...document.querySelectorAll('body *')]
  .filter((element) => !element.children.length && element.textContent.trim().length > 8)
  .filter((element) => {
    const box = element.getBoundingClientRect();
    return box.width < 24 && box.height > 80;
  }).map((element) => `${element.tagName}: ${element.textContent.slice(0, 20)}`).slice(0, 8)"""
LOOKS = [("light", DESKTOP, True), ("light", PHONE, False), ("dark", DESKTOP, False), ("dark", PHONE, True)]


@pytest.mark.parametrize("name", STATES)
def test_state(
    server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch, name: str
):
    page = STATES[name](Stage(server, new_context, console))
    check(page, name)


class TestPortal:
    """The pages that a product's users see."""

    @pytest.fixture
    def server(self, portal_server: DashboardServer) -> DashboardServer:
        return portal_server

    @pytest.mark.parametrize("name", PORTAL_STATES)
    def test_state(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch,
        site: ProductSite, name: str,
    ):
        page = PORTAL_STATES[name](PortalStage(server, new_context, console, site))
        check(page, name)


@pytest.fixture(scope="module")
def provider_server(
    tmp_path_factory: pytest.TempPathFactory, module_provider: HostileProvider
) -> Iterator[DashboardServer]:
    server = serve_with_provider(tmp_path_factory.mktemp("provider") / "demo", module_provider.issuer)
    yield server
    server.stop()


class TestProvider:
    """The pages on the way to a provider and back."""

    @pytest.fixture
    def server(self, provider_server: DashboardServer) -> DashboardServer:
        return provider_server

    @pytest.mark.parametrize("name", PROVIDER_STATES)
    def test_state(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch,
        provider: HostileProvider, name: str,
    ):
        page = PROVIDER_STATES[name](ProviderStage(server, new_context, console, provider))
        check(page, name)


class TestMail:
    """The pages that there are where mails are sent."""

    @pytest.fixture
    def mailbox(self, tmp_path: Path) -> Iterator[Mailbox]:
        mailbox = Mailbox(tmp_path)
        mailbox.start()
        yield mailbox
        mailbox.stop()

    @pytest.fixture
    def server(self, directory: Path, mailbox: Mailbox) -> Iterator[DashboardServer]:
        server = serve_with_mail(directory, mailbox)
        yield server
        server.stop()

    @pytest.mark.parametrize("name", MAIL_STATES)
    def test_state(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch,
        mailbox: Mailbox, name: str,
    ):
        page = MAIL_STATES[name](MailStage(server, new_context, console, mailbox))
        check(page, name)


def test_sign_up_closed(
    server: DashboardServer, directory: Path, new_context: Callable[..., BrowserContext]
):
    production = DashboardServer.serve(directory, "--sign-up", "closed")
    try:
        page = new_context(origin=production.origin).new_page()
        page.goto("/sign-up")
        check(page, "sign-up-closed")
    finally:
        production.stop()


def check(page: Page, name: str) -> None:
    """Looks at one state in both themes and both widths; axe sees each theme and each width once."""
    problems = []
    page.evaluate(AXE)
    for theme, size, is_for_axe in LOOKS:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(size)
        where = f"{theme} at {size['width']} px"
        if SCREENSHOTS:
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}-{size['width']}-{theme}.png", full_page=True)
        if page.evaluate("document.scrollingElement.scrollWidth > innerWidth"):
            problems.append(f"{where}: scrolls sideways, because of {page.evaluate(BEYOND)}")
        if squeezed := page.evaluate(SQUEEZED):
            problems.append(f"{where}: no room for {squeezed}")
        if is_for_axe:
            problems += [f"{where}: {violation}" for violation in serious_violations(page)]
    assert not problems, "\n".join(problems)


def serious_violations(page: Page) -> list[str]:
    violations = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        f"{violation['id']} ({violation['impact']}) at {[node['target'] for node in violation['nodes']]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
