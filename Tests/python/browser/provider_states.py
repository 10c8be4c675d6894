"""The states of the pages on the way to an OpenID Connect provider and back."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import sign_in
from browser.dashboard_server import DashboardServer
from browser.identity_provider import NAME, HostileProvider, import_user
from browser.page_states import Stage

PROVIDER_STATES: dict[str, Callable[["ProviderStage"], Page]] = {}


class ProviderStage(Stage):
    """What the states are made with. The provider sends the browser back immediately."""

    def __init__(
        self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch,
        provider: HostileProvider,
    ):
        super().__init__(server, new_context, console)
        self.provider = provider


def state(make: Callable[[ProviderStage], Page]) -> Callable[[ProviderStage], Page]:
    PROVIDER_STATES[make.__name__.replace("_", "-")] = make
    return make


@state
def sign_in_with_provider(stage: ProviderStage) -> Page:
    page = stage.page()
    page.goto("/sign-in?connect=1&next=/account")
    expect(page.get_by_role("link", name=f"Sign in with {NAME}")).to_be_visible()
    return page


@state
def provider_from_another_site(stage: ProviderStage) -> Page:
    # The other site has no icon.
    stage.console.expect_status(404)
    page = stage.page()
    page.goto(stage.provider.issuer + "/.well-known/openid-configuration")
    page.evaluate("url => location.assign(url)", f"{stage.server.origin}/sign-in/oidc")
    expect(page.get_by_role("link", name=f"Continue with {NAME}")).to_be_visible()
    return page


@state
def provider_refused(stage: ProviderStage) -> Page:
    stage.console.expect_status(401)
    stage.provider.claims = {"exp": 0}
    page = stage.page()
    page.goto("/sign-in")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    expect(page.get_by_text("was not accepted")).to_be_visible()
    return page


@state
def connect_with_provider(stage: ProviderStage) -> Page:
    stage.provider.claims = {"sub": "w" * 80, "email": f"{'w' * 60}@{'w' * 60}.example"}
    page = stage.page()
    sign_in(page, stage.server.ada)
    page.goto("/sign-in")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    expect(page.get_by_role("button", name=f"Connect {NAME}")).to_be_visible()
    return page


@state
def account_connected(stage: ProviderStage) -> Page:
    """Twice, once under a long name."""
    for subject in ("ada", "w" * 200):
        stage.provider.claims = {"sub": subject}
        page = stage.page()
        page.goto("/sign-in?next=/account")
        page.get_by_role("link", name=f"Sign in with {NAME}").click()
        expect(page.get_by_role("heading", name="Connected sign-ins")).to_be_visible()
    expect(page.locator(".identities")).to_contain_text("w" * 200)
    return page


@state
def account_connected_with_the_only_way(stage: ProviderStage) -> Page:
    import_user(stage.server, "olga", "Olga")
    stage.provider.claims = {"sub": "olga", "email": "olga@example.com"}
    page = stage.page()
    page.goto("/sign-in?next=/account")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    expect(page.get_by_text("This is your only way to sign in")).to_be_visible()
    return page


@state
def confirm_at_provider(stage: ProviderStage) -> Page:
    page = stage.page()
    page.goto("/sign-in?next=/confirm")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    expect(page.get_by_role("link", name=f"Continue with {NAME}")).to_be_visible()
    return page
