"""Over plain HTTP and under a name, a browser stores no session: the page says so before a password is typed."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, expect

from browser.conftest import OTHER_NAME, ConsoleWatch
from browser.dashboard import KeyPage, sign_in
from browser.dashboard_server import DashboardServer

pytestmark = pytest.mark.whole_host


def test_a_page_explains_itself(
    server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch
):
    console.expect_status(403)
    port = server.origin.rsplit(":", 1)[1]
    page = new_context(origin=f"http://{OTHER_NAME}:{port}").new_page()
    response = page.goto("/account")
    assert response.status == 403
    expect(page).to_have_title("HTTPS is needed · Keybearer")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signing in needs HTTPS here")
    main = page.get_by_role("main")
    for text in (f"{OTHER_NAME}:{port}", "tls-certificate", "tls-key", "trusted-proxies", "X-Forwarded-Proto: https"):
        expect(main).to_contain_text(text)
    expect(page.get_by_role("link", name=f"https://{OTHER_NAME}/")).to_be_visible()
    expect(page.locator("form, input, script")).to_have_count(0)
    # The style sheet has arrived with the page.
    assert page.evaluate("getComputedStyle(document.querySelector('.card')).borderRadius") == "14px"


def test_the_link_to_this_machine_leads_to_a_sign_in_that_works(
    server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch
):
    console.expect_status(403)
    port = server.origin.rsplit(":", 1)[1]
    page = new_context(origin=f"http://{OTHER_NAME}:{port}").new_page()
    page.goto("/sign-in")
    link = page.get_by_role("link", name=f"{server.origin}/")
    assert link.get_attribute("href") == f"{server.origin}/"
    link.click()
    page.get_by_label("E-mail").fill(server.ada.email)
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    KeyPage(page).expect_hidden()


def test_names_of_this_machine_need_no_https(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    """Chromium stores the cookie under each of them."""
    for host in ("127.0.0.1", "localhost", "keys.localhost"):
        page = new_context(origin=server.origin.replace("localhost", host)).new_page()
        sign_in(page, server.ada)


def test_a_password_that_is_sent_all_the_same_gets_the_page(server: DashboardServer):
    form = {"email": server.ada.email, "password": server.ada.password}
    response = server.post("/sign-in", form, Host=f"{OTHER_NAME}:8080", Origin=f"http://{OTHER_NAME}:8080")
    assert response.status == 403
    assert "Signing in needs HTTPS here" in response.text and not response.values("set-cookie")
    assert server.ada.password not in response.text


def test_a_script_gets_the_code(server: DashboardServer):
    response = server.request("GET", "/account", {"Host": OTHER_NAME, "Accept": "application/json"})
    assert (response.status, response.json["error"]) == (403, "HTTPS_REQUIRED")
