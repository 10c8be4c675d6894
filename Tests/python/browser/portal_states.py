"""The states of the pages that a product's users see: behind a portal link, and without a password."""

import sqlite3
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Route, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, sign_in
from browser.dashboard_server import DashboardServer
from browser.page_states import Stage
from browser.product_site import Backend, ProductSite

PORTAL_STATES: dict[str, Callable[["PortalStage"], Page]] = {}
LONG = ("W" * 80, f"{'w' * 60}@{'w' * 60}.{'w' * 60}.example")


class PortalStage(Stage):
    """What the states are made with. Uma is the product's user."""

    def __init__(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch, site: ProductSite
    ):
        super().__init__(server, new_context, console)
        self.backend = Backend(server, site)
        self.key = self.backend.add_user()

    def inside(self, external_id: str = "u1", **members: object) -> Page:
        """The page behind a new link."""
        page = self.page()
        page.goto(self.backend.link(external_id, **members))
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        return page


def state(make: Callable[[PortalStage], Page]) -> Callable[[PortalStage], Page]:
    PORTAL_STATES[make.__name__.replace("_", "-")] = make
    return make


@state
def portal_entry(stage: PortalStage) -> Page:
    page = stage.page()
    page.goto(stage.backend.link(expiresIn=900))
    return page


@state
def portal_entry_with_another_account(stage: PortalStage) -> Page:
    page = stage.as_ada()
    page.goto(stage.backend.link())
    expect(page.get_by_role("button", name="Sign out ada@example.com")).to_be_visible()
    return page


@state
def portal_entry_with_long_names(stage: PortalStage) -> Page:
    stage.backend.add_user("u2", *LONG)
    page = stage.page()
    sign_in(page, stage.server.sign_up("V" * 80, LONG[1].replace("w", "v")))
    page.goto(stage.backend.link("u2"))
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


@state
def portal_link_ended(stage: PortalStage) -> Page:
    stage.console.expect_status(410)
    page = stage.page()
    page.goto("/portal?code=kbl_nothing")
    expect(page.get_by_role("heading", name="This link has ended")).to_be_visible()
    return page


@state
def portal_link_ended_at_the_press(stage: PortalStage) -> Page:
    """The page goes on by itself: here it stays."""
    return stay(stage, lambda page: page.get_by_role("button", name="Continue as").click(), "This link has ended")


@state
def portal_session_ended_at_the_press(stage: PortalStage) -> Page:
    return stay(stage, lambda page: page.locator("form[action$='/sign-out'] button").click(), "Your session has ended")


def stay(stage: PortalStage, press: Callable[[Page], None], heading: str) -> Page:
    """Presses what is over by now. The page that comes goes on by itself, but not here."""
    stage.console.expect_status(410)
    page = stage.page()
    link = stage.backend.link(expiresIn=900)
    page.goto(link)
    if "session" in heading:
        page.get_by_role("button", name="Continue as").click()
        KeyPage(page).expect_hidden()
        stage.backend.revoke_token()
    else:
        other = stage.page()
        other.goto(link)
        other.get_by_role("button", name="Continue as").click()
        KeyPage(other).expect_hidden()

    def without_refresh(route: Route) -> None:
        # What browsers add only on the way.
        sent = {**route.request.headers, "sec-fetch-site": "same-origin"}
        url, host = stage.server.beside_the_browser(route.request.url)
        response = route.fetch(url=url, headers={**sent, "host": host}, max_redirects=0)
        headers = {name: value for name, value in response.headers.items() if name != "refresh"}
        route.fulfill(response=response, headers=headers)

    page.route("**/*", lambda route: without_refresh(route) if route.request.method == "POST" else route.continue_())
    press(page)
    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    return page


@state
def portal_key_hidden(stage: PortalStage) -> Page:
    page = stage.inside()
    KeyPage(page).expect_hidden()
    return page


@state
def portal_key_revealed(stage: PortalStage) -> Page:
    page = stage.inside()
    KeyPage(page).reveal()
    return page


@state
def portal_key_with_long_names(stage: PortalStage) -> Page:
    stage.backend.add_user("u2", *LONG)
    return stage.inside("u2")


@state
def portal_regenerate_page(stage: PortalStage) -> Page:
    page = stage.inside()
    page.goto(page.url + "/regenerate")
    expect(page.get_by_role("heading", name="Regenerate API key?")).to_be_visible()
    return page


@state
def portal_locked(stage: PortalStage) -> Page:
    stage.backend.call("PUT", "/users/ext:u3", {"email": "lea@example.com", "name": "Lea"})
    return stage.inside("u3")


@state
def portal_page_refused(stage: PortalStage) -> Page:
    stage.console.expect_status(403)
    page = stage.inside()
    page.goto("/account")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


@state
def portal_confirm(stage: PortalStage) -> Page:
    page = stage.inside()
    page.goto("/confirm")
    expect(page.get_by_role("heading", name="Sign in again")).to_be_visible()
    return page


@state
def portal_confirm_without_a_way_back(stage: PortalStage) -> Page:
    page = stage.inside(has_return_url=False)
    page.goto("/confirm")
    expect(page.get_by_role("heading", name="Sign in again")).to_be_visible()
    return page


@state
def account_without_a_password(stage: PortalStage) -> Page:
    """Nobody gets here by a portal link. Another way to sign in without a password shows this page."""
    page = stage.as_ada()
    with sqlite3.connect(stage.server.database, timeout=15) as database:
        database.execute("UPDATE users SET password_hash = '' WHERE email = ?", (stage.server.ada.email,))
    database.close()
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sessions", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Change password")).to_have_count(0)
    return page
