"""Every page below a path of the product's host, with the product's brand: nothing leads outside the path, and nothing says
Keybearer. ``Place``, ``BrandLogo`` and ``AccentColor`` in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, Response, expect

from browser import failure_states  # noqa: F401 (its states join the list)
from browser.conftest import PLACE, ConsoleWatch
from browser.dashboard import KeyPage, sign_in
from browser.dashboard_server import DashboardServer
from browser.page_states import STATES, Stage
from browser.place import BASE, HOST, SUPPORT_URL, URL, Place
from browser.portal_states import PORTAL_STATES, PortalStage
from browser.product_site import Backend, ProductSite
from browser.test_accessibility import check

# Those with parts that are in no other: axe looks at the brand's colour in them. Where all tests run below a path, all states
# are walked through; else these, and every link of every page.
COLOURED = {"sign-in-page", "key-used-and-revealed", "list-of-workspaces", "locked-owner", "account", "portal-entry"}
# Everything in a page that leads somewhere, as the browser reads it.
LINKS = """() => [...document.querySelectorAll('*')].flatMap((element) =>
  ['href', 'src', 'action', 'formaction', 'poster', 'data-page-url', 'data-reveal-url']
    .filter((name) => element.hasAttribute(name))
    .map((name) => new URL(element.getAttribute(name), document.baseURI).href))"""


@pytest.fixture(params=["stripped"])
def place(request: pytest.FixtureRequest, tmp_path: Path, place_port: int) -> Iterator[Place]:
    """Behind an nginx that strips the path, unless a test says otherwise."""
    with Place(tmp_path / "place", place_port, strips=request.param == "stripped") as place:
        yield place


def chosen(states: dict[str, object]) -> list[str]:
    return [name for name in states if PLACE or name in COLOURED]


both = pytest.mark.parametrize("place", ["stripped", "whole"], indirect=True)


class Crawler:
    """Watches what a browser is sent, and looks at pages."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.cookies = 0

    def watch(self, context: BrowserContext) -> BrowserContext:
        context.on("response", self._look)
        return context

    def _look(self, response: Response) -> None:
        if urlsplit(response.url).hostname != HOST:
            return
        self._expect_inside(response.url)
        headers = response.headers
        location = headers.get("location", URL)
        if location.startswith("/") or HOST in location:
            self._expect_inside(f"https://{HOST}{location}" if location.startswith("/") else location)
        for name in ("location", "set-cookie", "www-authenticate", "refresh"):
            self._expect_no_name(f"{name}: {headers.get(name, '')}")

    def look(self, page: Page) -> None:
        """Everything that a page shows and leads to, and the cookies of its browser."""
        for url in page.evaluate(LINKS):
            if urlsplit(url).hostname == HOST:
                self._expect_inside(url)
        html = page.content()
        self._expect_no_name(html)
        for found in re.findall(rf"https?://{re.escape(HOST)}[^\"'\s<]*", html):
            self._expect_inside(found)
        for cookie in page.context.cookies():
            self.cookies += 1
            self._expect_no_name(cookie["name"])
            seen = (cookie["domain"], cookie["path"], cookie["secure"], cookie["httpOnly"], cookie["sameSite"])
            if seen != (HOST, BASE, True, True, "Lax"):
                self.problems.append(f"cookie {cookie['name']}: {seen}")

    def _expect_inside(self, url: str) -> None:
        if not re.match(rf"{re.escape(URL)}([/?#]|$)", url):
            self.problems.append(f"{url} is outside of {URL}")

    def _expect_no_name(self, text: str) -> None:
        found = re.search(r".{0,40}keybearer.{0,40}", text, re.IGNORECASE)
        if found:
            self.problems.append(f"the name Keybearer: {found[0]}")

    def expect_nothing(self) -> None:
        assert not self.problems, "\n".join(sorted(set(self.problems)))


@pytest.fixture
def crawler() -> Iterator[Crawler]:
    crawler = Crawler()
    yield crawler
    crawler.expect_nothing()


def crawl(crawler: Crawler, page: Page, name: str) -> None:
    if urlsplit(page.url).hostname == HOST:
        crawler.look(page)
        expect(page).to_have_title(re.compile(r" · Acme$"))
    if name in COLOURED:
        check(page, f"brand-{name}")


@pytest.mark.parametrize("name", chosen(STATES))
def test_state(
    server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch, crawler: Crawler, name: str
):
    page = STATES[name](Stage(server, lambda **options: crawler.watch(new_context(**options)), console))
    crawl(crawler, page, name)


class TestPortal:
    """The pages that a product's users see."""

    @pytest.fixture
    def server(self, portal_server: DashboardServer) -> DashboardServer:
        return portal_server

    @pytest.mark.parametrize("name", chosen(PORTAL_STATES))
    def test_state(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch,
        site: ProductSite, crawler: Crawler, name: str,
    ):
        stage = PortalStage(server, lambda **options: crawler.watch(new_context(**options)), console, site)
        crawl(crawler, PORTAL_STATES[name](stage), name)

    @both
    def test_a_link_leads_in_and_back(self, server: DashboardServer, crawler: Crawler, context: BrowserContext, site: ProductSite):
        backend = Backend(server, site)
        key = backend.add_user()
        page = crawler.watch(context).new_page()
        link = backend.link()
        assert link.startswith(f"{URL}/portal?code=")
        page.goto(link)
        assert KeyPage(page).reveal() == key
        crawler.look(page)
        assert crawler.cookies == 1
        page.get_by_role("link", name="Back to Acme").click()
        site.expect_led_back(page, "")


@both
def test_a_walk_through_all_pages(
    server: DashboardServer, place: Place, context: BrowserContext, console: ConsoleWatch, crawler: Crawler
):
    """From signing in to signing out, over every link that a page has."""
    console.expect_status(401, 404)
    page = crawler.watch(context).new_page()
    page.goto(f"https://{HOST}{BASE}")
    expect(page).to_have_url(f"{URL}/sign-in")
    page.goto("/sign-up")
    crawler.look(page)
    sign_in(page, server.ada, "/account?x=1")
    expect(page).to_have_url(f"{URL}/account?x=1")
    seen: set[str] = set()
    waiting = [page.url]
    while waiting:
        url = waiting.pop()
        # For the document, which is no page and names no icon, a browser asks the host for one.
        if url in seen or urlsplit(url).hostname != HOST or "/assets/" in url or url.endswith("/openapi.json"):
            continue
        seen.add(url)
        page.goto(url)
        crawler.look(page)
        pages = "[...document.links].filter((link) => !link.hasAttribute('download')).map((link) => link.href)"
        waiting += [link.split("#")[0] for link in page.evaluate(pages)]
    assert len(seen) >= 6, seen

    page.goto("/")
    expect(page.get_by_role("link", name="Get help")).to_have_attribute("href", SUPPORT_URL)
    key_page = KeyPage(page)
    assert key_page.reveal() == server.ada_key
    assert f"{URL}/api/v1/me" in page.locator("#curl-example").inner_text()
    key_page.press_regenerate()
    expect(page.get_by_text("Key regenerated.").first).to_be_visible()
    new_key = server.commands.key_of(server.ada.email)
    call = "(key) => fetch('/developers/api/v1/me', {headers: {authorization: `Bearer ${key}`}})"
    assert page.evaluate(f"async () => (await ({call})('{new_key}')).status") == 200
    realm = page.evaluate(f"async () => (await ({call})('{server.ada_key}')).headers.get('www-authenticate')")
    assert realm == 'Bearer realm="Acme", error="invalid_token"'
    document = page.evaluate("async () => (await fetch('/developers/openapi.json')).text()")
    assert "keybearer" not in document.lower()
    assert json.loads(document)["servers"] == [{"url": URL}]

    page.goto("/nothing")
    crawler.look(page)
    page.get_by_role("link", name="Go to the start page").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_url(re.compile(rf"{URL}/sign-in.*"))
    assert not page.context.cookies()
    assert all(line.split(" ")[1].startswith(BASE) for line in place.asked) and len(place.asked) > 20


def test_the_cookie_goes_to_no_other_page_of_the_host(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    for path, count in ((BASE, 1), (f"{BASE}/account", 1), ("/", 0), ("/developersx", 0), ("/app", 0)):
        assert len(page.context.cookies(f"https://{HOST}{path}")) == count, path


def test_no_script_of_a_logo_runs(server: DashboardServer, place: Place, page: Page, console: ConsoleWatch):
    """The tests' logo asks for /developers/assets/has-run if one does."""
    page.goto("/sign-in")
    logo = page.locator("img.logo")
    expect(logo).to_be_visible()
    assert logo.evaluate("(picture) => picture.naturalWidth") > 0
    page.goto(urlsplit(logo.evaluate("(picture) => picture.src")).path.removeprefix(BASE))
    page.goto("/sign-in")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert any(line.startswith(f"GET {BASE}/assets/logo") for line in place.asked)
    assert not [line for line in place.asked if "has-run" in line]
    # The browser says that it ran none.
    assert all("script" in complaint.lower() for complaint in console.complaints), console.complaints
    console.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colour_is_the_products(server: DashboardServer, page: Page, scheme: str):
    page.emulate_media(color_scheme=scheme)
    page.goto("/sign-in")
    button = page.get_by_role("button", name="Sign in")
    assert button.evaluate("(button) => getComputedStyle(button).backgroundColor") == "rgb(194, 24, 91)"
