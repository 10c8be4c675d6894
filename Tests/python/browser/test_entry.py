"""Signing up, signing in, being slowed down, and signing out."""

from playwright.sync_api import Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import expect_path, fill_sign_up, sign_in
from browser.dashboard_server import DashboardServer
from harness.accounts import Person
from harness.waiting import eventually

FREE_FAILURES = 5


def try_to_sign_in(page: Page, email: str, password: str) -> None:
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_refused_sign_in_does_not_show_who_has_an_account(
    server: DashboardServer, page: Page, console: ConsoleWatch
):
    console.expect_status(401)
    for email in ("ada@example.com", "nobody@example.com"):
        page.goto("/sign-in")
        try_to_sign_in(page, email, "not the password")
        expect(page.get_by_role("alert")).to_have_text("The e-mail or the password is not right.")
        expect(page).to_have_title(f"Error: Sign in · {server.product}")
        expect(page.get_by_label("E-mail")).to_have_value(email)
        expect(page.get_by_label("Password")).to_have_value("")
        expect(page.get_by_label("Password")).to_be_focused()
        expect(page.get_by_label("Password")).to_have_accessible_description("The e-mail or the password is not right.")
        assert "not the password" not in page.content()


def test_guessing_is_slowed_down(server: DashboardServer, page: Page, console: ConsoleWatch):
    """After the free failures a wait is required, even with the right password; afterwards that works."""
    console.expect_status(401, 429)
    page.goto("/sign-in")
    failures = 0
    status = 401
    while status == 401:
        with page.expect_response(lambda response: response.request.method == "POST") as response:
            try_to_sign_in(page, server.ada.email, f"guess number {failures}")
        status = response.value.status
        failures += 1
        # A slow machine may let a wait pass; the next one is twice as long.
        assert failures < FREE_FAILURES + 8, "Guessing is not slowed down."
    assert status == 429
    assert failures > FREE_FAILURES
    assert int(response.value.headers["retry-after"]) >= 1
    expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Try again in")
    expect(page.get_by_role("alert")).to_contain_text("second")

    form = {"email": server.ada.email, "password": server.ada.password}
    eventually(lambda: server.post("/sign-in", form).status == 303, "The wait never ends.", seconds=60)


def test_guessing_at_one_account_leaves_others_alone(server: DashboardServer, page: Page):
    grace = server.sign_up("Grace")
    for number in range(FREE_FAILURES + 1):
        server.post("/sign-in", {"email": server.ada.email, "password": f"guess number {number}"})
    sign_in(page, grace)


def test_a_page_that_needs_a_session_comes_after_the_sign_in(server: DashboardServer, page: Page):
    page.goto("/account")
    expect(page.get_by_role("status")).to_have_text("Sign in to continue.")
    try_to_sign_in(page, server.ada.email, server.ada.password)
    expect_path(page, "/account")


def test_a_sign_in_never_leads_to_another_site(server: DashboardServer):
    for target in ("//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        form = {"email": server.ada.email, "password": server.ada.password, "next": target}
        response = server.post("/sign-in", form)
        assert (response.status, response.value("location")) == (303, server.path("/")), target


def test_a_refused_sign_up_says_what_is_wrong_at_the_field(
    server: DashboardServer, page: Page, console: ConsoleWatch
):
    console.expect_status(409, 422)
    for field, name, email, password, sentence in (
        ("Name", "   ", "grace@example.com", "a long enough secret", "Enter a name."),
        ("E-mail", "Grace", f"{'g' * 65}@example.com", "a long enough secret", "Enter an e-mail address such as"),
        ("E-mail", "Grace", "ada@example.com", "a long enough secret", "There is an account with this address"),
        ("Password", "Grace", "grace@example.com", "password123", "This password is among the most common ones."),
        ("Password", "Grace", "grace@example.com", "grace@example.com", "Do not use your name or address"),
    ):
        page.goto("/sign-up")
        fill_sign_up(page, name, email, password)
        wrong = page.get_by_label(field)
        expect(wrong).to_have_attribute("aria-invalid", "true")
        described_by = wrong.get_attribute("aria-describedby").split()[-1]
        expect(page.locator(f"#{described_by}")).to_contain_text(sentence)
        expect(page.locator("[aria-invalid]")).to_have_count(1)
        expect(page.get_by_label("Name")).to_have_value(name)
        expect(page.get_by_label("E-mail")).to_have_value(email)
        expect(page.get_by_label("Password")).to_have_value("")
        expect(page).to_have_title(f"Error: Create an account · {server.product}")
        assert not page.context.cookies()


def test_the_first_wrong_field_of_a_refused_sign_up_has_the_focus(
    server: DashboardServer, page: Page, console: ConsoleWatch
):
    console.expect_status(422)
    page.goto("/sign-up")
    fill_sign_up(page, " ", f"{'g' * 65}@example.com", "password123")
    expect(page.locator(".field-error")).to_have_count(3)
    expect(page.get_by_label("Name")).to_be_focused()


def test_the_browser_stops_a_short_password(server: DashboardServer, page: Page):
    page.goto("/sign-up")
    fill_sign_up(page, "Grace", "grace@example.com", "1234567")
    expect_path(page, "/sign-up")
    expect(page.locator("#password:invalid")).to_have_count(1)


def test_names_are_text_and_never_markup(server: DashboardServer, page: Page):
    """Somebody's name does not become a part of the page."""
    name = """<script>alert(1)</script>"><img src=x onerror=alert(1)>{{email}}"""
    page.goto("/sign-up")
    fill_sign_up(page, name, "mallory@example.com", "a long enough secret")
    expect(page.locator("summary .workspace-name")).to_have_text(f"{name}’s workspace")
    page.goto("/account")
    expect(page.locator(".facts dd").first).to_have_text(name)


def test_signing_out_ends_the_session(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    (cookie,) = page.context.cookies()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status")).to_have_text("You are signed out.")
    assert not page.context.cookies()
    expect_path(page, "/sign-in")
    page.goto("/account")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    response = server.request("GET", "/account", cookie=cookie["value"])
    assert response.status == 303, "The old cookie must be worthless."


def test_every_sign_in_has_an_id_of_its_own(server: DashboardServer):
    ada = Person("Ada", server.ada.email, server.ada.password)
    assert len({server.sign_in(ada) for _ in range(3)}) == 3
