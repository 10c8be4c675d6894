"""Fixtures: a server and a browser for every test, and a watch over every page's console."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from browser.dashboard import KeyPage, sign_in
from browser.dashboard_server import DashboardServer
from browser.identity_provider import HostileProvider
from browser.place import HOST, URL, Place
from browser.product_site import Backend, ProductSite
from harness.ports import free_port
from harness.programs import CHROMIUM, NGINX, keybearer_program, missing

OTHER_NAME = "yourapp.test"
DESKTOP = {"width": 1440, "height": 900}

expect.set_options(timeout=10_000)


# `stripped` or `whole`: all tests run below a path, behind an nginx that strips it or does not.
PLACE = os.environ.get("KEYBEARER_TEST_PLACE")


def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if problem := missing(keybearer_program(), CHROMIUM, NGINX):
        pytest.exit(problem, returncode=3)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a server that has the whole host are none of a server below a path."""
    if PLACE is None:
        return
    other = [item for item in items if item.get_closest_marker("whole_host")]
    config.hook.pytest_deselected(items=other)
    items[:] = [item for item in items if item not in other]


@pytest.fixture(scope="session")
def place_port() -> int:
    """Where a browser finds the product's host."""
    return free_port()


@pytest.fixture
def place(tmp_path: Path, place_port: int) -> Iterator[Place | None]:
    """Where the server is for its clients; None where it has the whole host."""
    if PLACE is None:
        yield None
    else:
        with Place(tmp_path / "place", place_port, strips={"stripped": True, "whole": False}[PLACE]) as place:
            yield place


@pytest.fixture(scope="session")
def launch() -> Iterator[Callable[..., Browser]]:
    """Starts Chromium with these options besides."""
    with sync_playwright() as playwright:

        def launch(*options: str) -> Browser:
            # Chromium refuses its sandbox to root, as in most containers.
            arguments = [*options, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
            return playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)

        yield launch


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser], place_port: int) -> Iterator[Browser]:
    # A name that is not localhost, for what a browser does there over plain HTTP.
    rules = f"MAP {OTHER_NAME} 127.0.0.1, MAP {HOST} 127.0.0.1:{place_port}"
    browser = launch(f"--host-resolver-rules={rules}")
    yield browser
    browser.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "demo"


@pytest.fixture(scope="session")
def site() -> Iterator[ProductSite]:
    """The product's pages, to which portal links lead back."""
    site = ProductSite()
    yield site
    site.stop()


@pytest.fixture
def server(directory: Path, place: Place | None) -> Iterator[DashboardServer]:
    """A demonstration: Ada, with a workspace on Pro and one named Testing on Free."""
    server = DashboardServer.demo(directory, place=place)
    if place is not None:
        place.start(server.address)
    yield server
    server.stop()


@pytest.fixture
def portal_server(directory: Path, site: ProductSite, place: Place | None) -> Iterator[DashboardServer]:
    """`keybearer serve` on the data of a demonstration, for a product that makes portal links."""
    demonstration = DashboardServer.demo(directory)
    demonstration.stop()
    server = DashboardServer.serve(directory, "--portal-return-urls", site.return_url, place=place)
    server.ada, server.ada_key = demonstration.ada, demonstration.ada_key
    if place is not None:
        place.start(server.address)
    yield server
    server.stop()


@pytest.fixture
def backend(server: DashboardServer, site: ProductSite) -> Backend:
    """The product's backend."""
    return Backend(server, site)


class ConsoleWatch:
    """Collects what pages complain about: errors, warnings, uncaught exceptions and violations of the CSP."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self._expected_statuses: set[int] = set()
        self._expected_texts: set[str] = set()
        self._may_fail_to_connect = False

    def expect_status(self, *statuses: int) -> None:
        """The browser logs every 4xx and 5xx; these are what the test is about."""
        self._expected_statuses.update(statuses)

    def expect_text(self, text: str) -> None:
        """The browser says exactly this of every page of the kind."""
        self._expected_texts.add(text)

    def expect_network_failures(self) -> None:
        """The test takes the server away."""
        self._may_fail_to_connect = True

    def attach(self, context: BrowserContext) -> None:
        context.add_init_script(
            "document.addEventListener('securitypolicyviolation', (event) =>"
            " console.error(`CSP: ${event.violatedDirective} ${event.blockedURI}`))"
        )
        context.on("console", lambda message: self._add(message.type, message.text))
        context.on("weberror", lambda problem: self.complaints.append(f"uncaught: {problem.error}"))

    def _add(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def check(self) -> None:
        def is_expected(complaint: str) -> bool:
            if complaint in self._expected_texts:
                return True
            if self._may_fail_to_connect and complaint.startswith("Failed to load resource: net::"):
                return True
            found = re.search(r"Failed to load resource: the server responded with a status of (\d+)", complaint)
            return found is not None and int(found.group(1)) in self._expected_statuses

        unexpected = [complaint for complaint in self.complaints if not is_expected(complaint)]
        assert not unexpected, f"The browser's console: {unexpected}"


@pytest.fixture
def console() -> Iterator[ConsoleWatch]:
    watch = ConsoleWatch()
    yield watch
    watch.check()


@pytest.fixture
def new_context(
    browser: Browser, server: DashboardServer, console: ConsoleWatch
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers that share nothing, watched, with leave to use the clipboard."""
    contexts: list[BrowserContext] = []

    def make(origin: str = server.origin, **options) -> BrowserContext:
        # Nobody signed the certificate of the tests' nginx.
        options = {"viewport": DESKTOP, "base_url": origin, "ignore_https_errors": origin == URL, **options}
        context = browser.new_context(**options)
        # Over plain HTTP and under a name there is no clipboard to allow.
        if OTHER_NAME not in origin:
            permissions = ["clipboard-read", "clipboard-write"]
            context.grant_permissions(permissions, origin=origin.removesuffix(server.path("")))
        if origin == URL:
            open_below_the_path(context)
        context.set_default_timeout(10_000)
        console.attach(context)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


def open_below_the_path(context: BrowserContext) -> None:
    """From now on the pages of a browser read a path, such as `/account`, as one of the server's own."""
    new_page = context.new_page

    def new_page_at_place() -> Page:
        page = new_page()
        goto = page.goto
        page.goto = lambda url, **options: goto(URL + url if url.startswith("/") else url, **options)
        return page

    context.new_page = new_page_at_place


@pytest.fixture
def context(new_context: Callable[..., BrowserContext]) -> BrowserContext:
    return new_context()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def key_page(server: DashboardServer, page: Page) -> KeyPage:
    """Ada's page with her key, hidden, and a clipboard that does not hold it."""
    sign_in(page, server.ada)
    KeyPage(page).expect_hidden()
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    return KeyPage(page)


@pytest.fixture(scope="module")
def module_provider() -> Iterator[HostileProvider]:
    """An OpenID Connect provider of the tests' own, for all tests of a file."""
    provider = HostileProvider()
    yield provider
    provider.stop()


@pytest.fixture
def provider(module_provider: HostileProvider) -> HostileProvider:
    """The same, as it was when it started."""
    module_provider.reset()
    return module_provider
