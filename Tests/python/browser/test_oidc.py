"""Sign-in with a real OpenID Connect provider in a real browser, by the ``OIDCClient``."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, expect_path
from browser.dashboard_server import DashboardServer
from browser.identity_provider import NAME, identities, serve_with_provider, set_user, standard_provider
from harness.accounts import Person

KEY_PATH = "/workspaces/ws_[0-9A-Za-z]+/api-webhooks"


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with standard_provider() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def module_server(tmp_path_factory: pytest.TempPathFactory, issuer: str) -> Iterator[DashboardServer]:
    server = serve_with_provider(tmp_path_factory.mktemp("oidc") / "demo", issuer, "--oidc-provision", "open")
    yield server
    server.stop()


@pytest.fixture
def server(module_server: DashboardServer) -> DashboardServer:
    return module_server


@pytest.fixture(autouse=True)
def provider_without_its_style_sheet(console: ConsoleWatch) -> None:
    """The provider's own page wants a style sheet from the internet, and has no icon."""
    console.expect_network_failures()
    console.expect_status(404)


def sign_in_at_provider(page: Page, issuer: str, subject: str) -> None:
    """Presses the button of the sign-in page, and says at the provider who it is."""
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    give_proof(page, issuer, subject)


def give_proof(page: Page, issuer: str, subject: str) -> None:
    page.wait_for_url(f"{issuer}/**", wait_until="commit")
    page.locator("input[name=sub]").fill(subject)
    page.get_by_role("button", name="Authorize", exact=True).click()


def test_an_account_is_linked_and_found_again(
    server: DashboardServer, issuer: str, new_context: Callable[..., BrowserContext]
):
    """The address at the provider may change afterwards: it moves nobody, and changes nothing."""
    for email in (server.ada.email, "ada.married@example.com", "operator@example.com"):
        set_user(issuer, "ada", email=email, email_verified=True, name="Ada")
        page = new_context().new_page()
        page.goto("/sign-in?next=/account")
        sign_in_at_provider(page, issuer, "ada")
        expect_path(page, "/account")
        expect(page.locator(".facts")).to_contain_text(server.ada.email)
        assert ("ada", server.ada.email) in identities(server)
    page.goto("/")
    KeyPage(page).expect_hidden()
    assert KeyPage(page).reveal() == server.ada_key
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies(server.origin)}
    assert set(cookies) == {"__Host-keybearer"}


def test_a_stranger_with_the_address_gets_no_account(
    server: DashboardServer, issuer: str, page: Page, new_context: Callable[..., BrowserContext]
):
    """Who signed up with somebody's address keeps what is theirs; the person signs in to it first, or not at all."""
    person = server.sign_up("Uma")
    set_user(issuer, "uma", email=person.email, email_verified=True)
    page.goto("/sign-in")
    sign_in_at_provider(page, issuer, "uma")
    expect(page.get_by_text("No account here is connected with that sign-in yet.")).to_be_visible()
    assert "uma" not in dict(identities(server))

    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Connect {NAME}")
    assert "uma" not in dict(identities(server))
    page.get_by_role("button", name=f"Connect {NAME}").click()
    expect_path(page, KEY_PATH)
    assert ("uma", person.email) in identities(server)

    other = new_context().new_page()
    other.goto("/account")
    sign_in_at_provider(other, issuer, "uma")
    expect_path(other, "/account")
    expect(other.locator(".facts")).to_contain_text(person.email)


def test_an_address_that_the_provider_did_not_verify_is_no_way_in(server: DashboardServer, issuer: str, page: Page):
    person = Person("Vera", "vera@example.com", "")
    server.commands.create_user(person.email, person.name)
    for verified in (False, "true", None):
        claims = {"email": person.email} | ({} if verified is None else {"email_verified": verified})
        set_user(issuer, "mallory", **claims)
        page.goto("/sign-in")
        sign_in_at_provider(page, issuer, "mallory")
        expect(page.get_by_text("No account here is connected with that sign-in yet.")).to_be_visible()
    assert "mallory" not in dict(identities(server))


def test_a_new_person_gets_an_account_and_never_a_password_form(server: DashboardServer, issuer: str, page: Page):
    set_user(issuer, "new", email="new@example.com", email_verified=True, name="Nora New")
    page.goto("/sign-in?next=/account")
    sign_in_at_provider(page, issuer, "new")
    expect_path(page, "/account")
    expect(page.locator(".facts")).to_contain_text("Nora New")
    expect(page.locator("input[type=password]")).to_have_count(0)
    page.goto("/confirm?next=/account")
    expect(page.locator("input[type=password]")).to_have_count(0)
    page.get_by_role("link", name=f"Continue with {NAME}").click()
    give_proof(page, issuer, "new")
    expect_path(page, "/account")


def test_a_no_at_the_provider_leads_back_to_the_sign_in_page(page: Page, issuer: str, console: ConsoleWatch):
    console.expect_status(403, 400)
    page.goto("/sign-in")
    page.get_by_role("link", name=f"Sign in with {NAME}").click()
    page.wait_for_url(f"{issuer}/**", wait_until="commit")
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("link", name="Go to the start page").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_another_sites_link_asks_first(page: Page, issuer: str, server: DashboardServer):
    """A page of another site leads here: nobody is signed in without a press."""
    page.goto(issuer)
    page.evaluate("url => location.assign(url)", f"{server.origin}/sign-in/oidc?next=/account")
    expect(page.get_by_role("link", name=f"Continue with {NAME}")).to_be_visible()
    assert not page.context.cookies(server.origin)
    page.get_by_role("link", name=f"Continue with {NAME}").click()
    page.wait_for_url(f"{issuer}/**", wait_until="commit")


def test_disabled(server: DashboardServer, issuer: str, page: Page, console: ConsoleWatch):
    server.commands.create_user("dora@example.com", "Dora")
    set_user(issuer, "dora", email="dora@example.com", email_verified=True)
    page.goto("/sign-in?next=/account")
    sign_in_at_provider(page, issuer, "dora")
    expect_path(page, "/account")
    server.commands.run("user", "disable", "dora@example.com")
    console.expect_status(403)
    page.goto("/sign-in?next=/account")
    sign_in_at_provider(page, issuer, "dora")
    expect(page.get_by_text("This account is disabled.")).to_be_visible()
