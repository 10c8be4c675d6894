"""Portal pages in a frame of the product's page (``FramePolicy``, ``SessionCookie``): two sites over HTTPS, in a browser
that blocks third-party cookies."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from browser.conftest import DESKTOP, ConsoleWatch
from browser.dashboard import MASK
from browser.dashboard_server import DashboardServer
from browser.embedding import HOSTS, KEYS, PRODUCT, SIBLING, STRANGER, Certificate, FramingSite, SecureServer
from browser.product_site import Backend
from harness.accounts import KEY_PATTERN
from harness.http_client import request

KEY_PAGE = re.compile(rf"https://{re.escape(KEYS)}:\d+/workspaces/ws_[0-9A-Za-z]+/api-webhooks")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def browser(launch: Callable[..., Browser]) -> Iterator[Browser]:
    rules = ",".join(f"MAP {host} 127.0.0.1" for host in HOSTS)
    browser = launch(f"--host-resolver-rules={rules}", "--test-third-party-cookie-phaseout")
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def site(certificate: Certificate) -> Iterator[FramingSite]:
    site = FramingSite(certificate)
    yield site
    site.stop()


@pytest.fixture
def server(directory: Path, certificate: Certificate, site: FramingSite) -> Iterator[SecureServer]:
    demonstration = DashboardServer.demo(directory)
    demonstration.stop()
    server = SecureServer.start_at(
        directory, certificate, "--portal-return-urls", site.return_url,
        "--embed-origins", f"{site.origin(PRODUCT)},{site.origin(SIBLING)}",
    )
    server.ada = demonstration.ada
    yield server
    server.stop()


@pytest.fixture
def key(backend: Backend, site: FramingSite) -> str:
    """Uma's Secret Key. From now on the product's page has links for her."""
    key = backend.add_user()
    site.make_link = backend.link
    return key


@pytest.fixture
def context(browser: Browser, console: ConsoleWatch) -> Iterator[BrowserContext]:
    # What the browser says in every frame where a page has a field or a button with `autofocus`.
    console.expect_text("Blocked autofocusing on a <button> element in a cross-origin subframe.")
    context = browser.new_context(viewport=DESKTOP, ignore_https_errors=True)
    context.set_default_timeout(10_000)
    console.attach(context)
    yield context
    context.close()


class Framed:
    """The page of the key inside the product's page."""

    def __init__(self, page: Page):
        self.page = page
        self.frame: FrameLocator = page.frame_locator("iframe")
        self.field = self.frame.get_by_label("Secret Key", exact=True)

    def expect_open(self) -> None:
        expect(self.field).to_have_value(MASK)
        assert KEY_PAGE.match(self.page.frames[1].url)

    def reveal(self) -> str:
        self.frame.get_by_role("button", name="Show key").click()
        expect(self.field).to_have_value(KEY_PATTERN)
        return self.field.input_value()

    def regenerate(self) -> None:
        self.frame.get_by_text("Regenerate key", exact=True).click()
        self.frame.get_by_role("button", name="Yes, regenerate").click()
        expect(self.frame.get_by_text("Key regenerated.")).to_be_visible()


def open_in_frame(page: Page, site: FramingSite, host: str = PRODUCT) -> Framed:
    page.goto(f"{site.origin(host)}/settings")
    framed = Framed(page)
    framed.expect_open()
    return framed


def status_of(server: SecureServer, key: str) -> int:
    return request(server.address, "/api/v1/me", headers={"Authorization": f"Bearer {key}"}, tls=server.tls).status


def session_cookies(context: BrowserContext) -> dict[str, dict]:
    return {each["name"]: each for each in context.cookies() if each["domain"] == KEYS}


def test_this_browser_blocks_third_party_cookies(context: BrowserContext, site: FramingSite):
    page = context.new_page()
    for expected in ("none", "parted=1"):
        page.goto(f"{site.origin(PRODUCT)}/control")
        expect(page.frame_locator("iframe").locator("p")).to_have_text(expected)


@pytest.mark.parametrize("host", [PRODUCT, SIBLING])
def test_the_key_is_shown_and_regenerated_in_a_frame(
    server: SecureServer, site: FramingSite, context: BrowserContext, key: str, host: str
):
    """Also where the product's host is beside Keybearer's, and to the browser of the same site."""
    page = context.new_page()
    framed = open_in_frame(page, site, host)
    assert framed.reveal() == key
    framed.regenerate()
    assert status_of(server, key) == 401
    assert status_of(server, framed.reveal()) == 200

    # Loaded again, the frame is signed in as before.
    page.frames[1].evaluate("location.reload()")
    framed.expect_open()
    assert status_of(server, framed.reveal()) == 200
    cookie = session_cookies(context)["__Host-keybearer-frame"]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "None")
    assert cookie["partitionKey"]


def test_without_scripts(browser: Browser, site: FramingSite, key: str):
    context = browser.new_context(ignore_https_errors=True, java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{site.origin(PRODUCT)}/settings")
        framed = Framed(page)
        framed.frame.get_by_role("button", name="Continue as uma@example.com").click()
        framed.expect_open()
        assert framed.reveal() == key
        framed.regenerate()
        assert framed.reveal() != key
    finally:
        context.close()


def test_a_page_that_loads_again_with_the_same_link_goes_on(
    backend: Backend, site: FramingSite, context: BrowserContext, key: str
):
    link = backend.link()
    site.make_link = lambda: link
    page = context.new_page()
    open_in_frame(page, site)
    open_in_frame(page, site)


def test_a_page_that_is_not_listed_shows_nothing(
    server: SecureServer, backend: Backend, site: FramingSite, context: BrowserContext, key: str,
    console: ConsoleWatch,
):
    page = context.new_page()
    link = backend.link()
    site.make_link = lambda: link
    with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        page.goto(f"{site.origin(STRANGER)}/settings")
    assert not page.frames[1].url.startswith(server.origin)
    assert not session_cookies(context)
    console.complaints.clear()
    # The link was not used.
    open_in_frame(page, site)


@pytest.mark.parametrize("host", [PRODUCT, SIBLING])
def test_a_session_of_a_window_is_in_no_frame_and_stays(
    server: SecureServer, site: FramingSite, context: BrowserContext, key: str, console: ConsoleWatch, host: str
):
    console.expect_status(410)
    page = context.new_page()
    page.goto(f"{server.origin}/sign-in")
    page.get_by_label("E-mail").fill(server.ada.email)
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".signed-in")).to_contain_text(server.ada.email)

    # No link: the page itself, by its address.
    site.make_link = lambda: page.url
    other = context.new_page()
    other.goto(f"{site.origin(host)}/settings")
    expect(other.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("Your session has ended")


def test_both_sessions_live_side_by_side(
    server: SecureServer, backend: Backend, site: FramingSite, context: BrowserContext, key: str
):
    page = context.new_page()
    page.goto(f"{server.origin}/sign-in")
    page.get_by_label("E-mail").fill(server.ada.email)
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".signed-in")).to_contain_text(server.ada.email)
    other = context.new_page()
    framed = open_in_frame(other, site, SIBLING)
    expect(framed.frame.locator(".signed-in")).to_contain_text("uma@example.com")
    assert framed.reveal() == key
    assert {"__Host-keybearer", "__Host-keybearer-frame"} <= set(session_cookies(context))
    framed.frame.get_by_role("button", name="Sign out").click()
    expect(framed.frame.get_by_role("heading", level=1)).to_have_text("You are signed out")
    page.reload()
    expect(page.locator(".signed-in")).to_contain_text(server.ada.email)


def test_back_leads_the_whole_window(site: FramingSite, context: BrowserContext, key: str):
    page = context.new_page()
    framed = open_in_frame(page, site, SIBLING)
    framed.frame.get_by_role("link", name="Back to").click()
    expect(page).to_have_url(site.return_url)


def test_an_ended_session_has_a_link_that_leads_the_whole_window(
    backend: Backend, site: FramingSite, context: BrowserContext, key: str, console: ConsoleWatch
):
    console.expect_status(401, 410)
    page = context.new_page()
    framed = open_in_frame(page, site)
    backend.revoke_token()
    framed.frame.get_by_role("button", name="Show key").click()
    expect(framed.frame.get_by_role("heading", level=1)).to_have_text("Your session has ended")
    assert page.url == site.return_url
    framed.frame.get_by_role("link", name="Go back and sign in again").click()
    expect(page).to_have_url(site.return_url + "?reason=session_expired")


def test_a_form_of_the_page_around_the_frame_is_refused(
    server: SecureServer, site: FramingSite, context: BrowserContext, key: str, console: ConsoleWatch
):
    """A listed page can send a form into the frame, with the frame's cookie: ``CrossSiteCheck`` refuses it."""
    console.expect_status(403)
    page = context.new_page()
    framed = open_in_frame(page, site)
    target = page.frames[1].url + "/regenerate"
    with page.expect_response("**/regenerate") as sent:
        page.evaluate(
            """(target) => {
                const form = document.createElement('form');
                Object.assign(form, { method: 'post', action: target, target: 'inside' });
                document.body.append(form);
                form.submit();
            }""",
            target,
        )
    headers = sent.value.request.all_headers()
    assert "__Host-keybearer-frame=" in headers.get("cookie", ""), "the browser sent the frame's cookie"
    assert sent.value.status == 403
    assert status_of(server, key) == 200
    expect(framed.frame.get_by_role("heading", level=1)).to_have_text("Not allowed")
