"""The states of the pages, each made in a browser, for tests that look at all of them."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from browser.authenticator import turn_on
from browser.conftest import ConsoleWatch
from browser.dashboard import KeyPage, fill_sign_up, key_path, reload_until, sign_in, usage_path
from browser.dashboard_server import DashboardServer

STATES: dict[str, Callable[["Stage"], Page]] = {}


class Stage:
    """What the states are made with."""

    def __init__(self, server: DashboardServer, new_context: Callable[..., BrowserContext], console: ConsoleWatch):
        self.server = server
        self.new_context = new_context
        self.console = console

    def page(self) -> Page:
        return self.new_context().new_page()

    def as_ada(self, path: str = "/") -> Page:
        page = self.page()
        sign_in(page, self.server.ada, path)
        return page

    def pro_path(self) -> str:
        return usage_path(self.server).removesuffix("/usage")

    def free_path(self) -> str:
        workspaces = self.server.commands.workspaces_of(self.server.ada.email)
        return key_path(next(each for each in workspaces if each["plan"] == "free"))


def state(make: Callable[[Stage], Page]) -> Callable[[Stage], Page]:
    STATES[make.__name__.replace("_", "-")] = make
    return make


@state
def sign_in_page(stage: Stage) -> Page:
    page = stage.page()
    page.goto("/sign-in?next=/account")
    return page


@state
def reference(stage: Stage) -> Page:
    page = stage.page()
    page.goto("/docs")
    return page


@state
def reference_in_python(stage: Stage) -> Page:
    page = stage.page()
    page.goto("/docs#put-operator-users-user")
    page.get_by_label("Python").check()
    return page


@state
def sign_in_refused(stage: Stage) -> Page:
    stage.console.expect_status(401)
    page = stage.page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    return page


@state
def sign_up_page(stage: Stage) -> Page:
    page = stage.page()
    page.goto("/sign-up")
    return page


@state
def sign_up_refused(stage: Stage) -> Page:
    stage.console.expect_status(422)
    page = stage.page()
    page.goto("/sign-up")
    fill_sign_up(page, "  ", f"{'g' * 65}@example.com", "password123")
    expect(page.locator(".field-error")).to_have_count(3)
    return page


@state
def key_hidden(stage: Stage) -> Page:
    return stage.as_ada()


@state
def key_used_and_revealed(stage: Stage) -> Page:
    for _ in range(3):
        stage.server.call_api(stage.server.ada_key)
    page = stage.as_ada()
    KeyPage(page).reveal()
    return page


@state
def key_copied(stage: Stage) -> Page:
    page = stage.page()
    # "Copied" stays until the picture is taken.
    page.clock.install()
    sign_in(page, stage.server.ada)
    KeyPage(page).copy.click()
    expect(KeyPage(page).copy).to_have_text("Copied")
    return page


@state
def key_not_fetched(stage: Stage) -> Page:
    stage.console.expect_status(503)
    page = stage.page()
    page.route("**/reveal", lambda route: route.fulfill(status=503, content_type="text/plain", body="no"))
    sign_in(page, stage.server.ada)
    KeyPage(page).eye_show.click()
    expect(KeyPage(page).status).to_contain_text("Your key was not changed")
    return page


@state
def key_with_history(stage: Stage) -> Page:
    """Sources, refusals, a key that ended and is still tried, and networks."""
    server = stage.server
    server.call_api(server.ada_key)
    server.request("GET", "/api/v1/me", {"Authorization": f"Bearer {server.ada_key}", "X-Workspace-Id": "ws_none"})
    page = stage.as_ada()
    reload_until(page, "Seen so far")
    server.commands.run("key", "regenerate", server.ada.email)
    server.call_api(server.ada_key)
    reload_until(page, "1 request with the key that ended")
    page.get_by_text("The key before this one").click()
    return page


@state
def networks_not_saved_yet(stage: Stage) -> Page:
    stage.server.call_api(stage.server.ada_key)
    page = stage.as_ada()
    page.get_by_label("Networks, one in a line").fill("203.0.113.0/24")
    page.get_by_role("button", name="Save networks").click()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    page.get_by_role("button", name="Save as it is").click()
    page.get_by_label("Networks, one in a line").fill("198.51.100.0/24")
    page.get_by_role("button", name="Save networks").click()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    return page


@state
def networks_refused(stage: Stage) -> Page:
    stage.console.expect_status(422)
    page = stage.as_ada()
    page.get_by_label("Networks, one in a line").fill("10.0.0.1/8")
    page.get_by_role("button", name="Save networks").click()
    expect(page.locator("#networks-error")).to_be_visible()
    return page


@state
def key_tried(stage: Stage) -> Page:
    page = stage.as_ada()
    page.get_by_role("button", name="Send the request").click()
    expect(page.locator(".trial-status")).to_have_text("200 OK")
    return page


@state
def usage(stage: Stage) -> Page:
    stage.server.fill_usage()
    return stage.as_ada(stage.pro_path() + "/usage?range=30d&timeZone=Europe/Berlin")


@state
def usage_of_hours(stage: Stage) -> Page:
    stage.server.fill_usage()
    return stage.as_ada(stage.pro_path() + "/usage?range=24h&timeZone=Asia/Kathmandu")


@state
def usage_empty(stage: Stage) -> Page:
    return stage.as_ada(stage.pro_path() + "/usage?range=12m")


@state
def usage_locked(stage: Stage) -> Page:
    return stage.as_ada(stage.free_path() + "/usage")


@state
def usage_of_unknown_zone(stage: Stage) -> Page:
    stage.console.expect_status(400)
    return stage.as_ada(stage.pro_path() + "/usage?timeZone=Europe/Atlantis")


@state
def regenerate_dialog(stage: Stage) -> Page:
    page = stage.as_ada()
    KeyPage(page).regenerate.click()
    expect(KeyPage(page).dialog).to_be_visible()
    return page


@state
def regenerate_page(stage: Stage) -> Page:
    return stage.as_ada(stage.free_path() + "/regenerate")


@state
def regenerated(stage: Stage) -> Page:
    page = stage.as_ada()
    KeyPage(page).regenerate.click()
    page.get_by_role("button", name="Yes, regenerate").click()
    expect(page.get_by_text("Key regenerated.")).to_be_visible()
    return page


@state
def list_of_workspaces(stage: Stage) -> Page:
    page = stage.as_ada()
    page.locator("summary").click()
    expect(page.get_by_role("link", name="Testing")).to_be_visible()
    return page


@state
def locked_owner(stage: Stage) -> Page:
    return stage.as_ada(stage.free_path())


@state
def locked_owner_without_a_form(stage: Stage) -> Page:
    stage.server.commands.run("plan", "put", "pro", "--name", "Pro", "--position", "1")
    return stage.as_ada(stage.free_path())


@state
def locked_member(stage: Stage) -> Page:
    bob = stage.server.sign_up("Bob")
    path = stage.free_path()
    stage.server.commands.run("workspace", "add-member", path.split("/")[2], bob.email)
    page = stage.page()
    sign_in(page, bob, path)
    return page


@state
def long_names(stage: Stage) -> Page:
    """Nothing in a page grows with what people type."""
    person = stage.server.sign_up("W" * 80, f"{'w' * 60}@{'w' * 60}.{'w' * 60}.example")
    workspace = stage.server.commands.workspaces_of(person.email)[0]
    stage.server.commands.run("workspace", "create", "V" * 80, "--owner", person.email)
    stage.server.commands.run("workspace", "set-plan", workspace["id"], "pro")
    page = stage.page()
    sign_in(page, person)
    page.locator("summary").click()
    return page


@state
def long_names_account(stage: Stage) -> Page:
    person = stage.server.sign_up("W" * 80, f"{'w' * 60}@{'w' * 60}.{'w' * 60}.example")
    page = stage.page()
    sign_in(page, person, "/account")
    return page


@state
def long_names_locked_member(stage: Stage) -> Page:
    owner = stage.server.sign_up("W" * 80, f"{'w' * 60}@{'w' * 60}.{'w' * 60}.example")
    bob = stage.server.sign_up("Bob")
    workspace = stage.server.commands.workspaces_of(owner.email)[0]
    stage.server.commands.run("workspace", "add-member", workspace["id"], bob.email)
    page = stage.page()
    sign_in(page, bob, key_path(workspace))
    return page


@state
def account(stage: Stage) -> Page:
    stage.server.sign_in(stage.server.ada)
    return stage.as_ada("/account")


@state
def account_refused(stage: Stage) -> Page:
    stage.console.expect_status(422)
    page = stage.as_ada("/account")
    page.get_by_label("Current password").fill("not the password")
    page.get_by_label("New password").fill("password123")
    page.get_by_role("button", name="Change password").click()
    expect(page.locator(".field-error")).not_to_have_count(0)
    return page


@state
def confirm_refused(stage: Stage) -> Page:
    stage.console.expect_status(401)
    page = stage.as_ada()
    page.goto("/confirm")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    return page


@state
def second_factor_setup(stage: Stage) -> Page:
    return stage.as_ada("/account/second-factor")


@state
def second_factor_codes(stage: Stage) -> Page:
    page = stage.as_ada("/account/second-factor")
    turn_on(page)
    return page


@state
def second_factor_refused(stage: Stage) -> Page:
    stage.console.expect_status(422)
    page = second_factor_codes(stage)
    page.goto("/account/second-factor")
    page.get_by_label("A code of your app, or a recovery code").fill("000000")
    page.get_by_role("button", name="Turn off").click()
    expect(page.locator(".field-error")).to_be_visible()
    return page


@state
def sign_in_code_refused(stage: Stage) -> Page:
    stage.console.expect_status(401)
    second_factor_codes(stage).context.close()
    page = stage.page()
    page.goto("/sign-in")
    page.get_by_label("E-mail").fill(stage.server.ada.email)
    page.get_by_label("Password").fill(stage.server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    return page


@state
def confirm_with_code(stage: Stage) -> Page:
    page = second_factor_codes(stage)
    page.goto("/confirm")
    return page


@state
def error_404(stage: Stage) -> Page:
    stage.console.expect_status(404)
    page = stage.as_ada()
    page.goto("/nothing")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    return page


@state
def new_workspace_refused(stage: Stage) -> Page:
    stage.console.expect_status(422)
    page = stage.as_ada("/workspaces/new")
    page.get_by_label("Name").evaluate("field => field.removeAttribute('minlength')")
    page.get_by_label("Name").fill("x")
    page.get_by_role("button", name="Add workspace").click()
    expect(page.locator(".field-error")).to_be_visible()
    return page


@state
def workspace_settings(stage: Stage) -> Page:
    return stage.as_ada(stage.free_path().replace("api-webhooks", "settings"))


@state
def plans_compared(stage: Stage) -> Page:
    page = stage.as_ada()
    page.get_by_role("link", name="Workspace settings").click()
    page.get_by_role("link", name="Compare plans").click()
    expect(page.get_by_role("heading", name="Plans")).to_be_visible()
    return page


@state
def activity(stage: Stage) -> Page:
    page = stage.as_ada()
    KeyPage(page).reveal()
    page.get_by_role("link", name="Activity").click()
    expect(page.locator(".event").first).to_have_text("You showed your key")
    return page


@state
def team_with_everything(stage: Stage) -> Page:
    """Members, invitations, a request, and a link that was made just now."""
    path = stage.free_path().replace("api-webhooks", "team")
    for name in ["Bob", "W" * 80]:
        person = stage.server.sign_up(name, f"{name[:20].lower()}@example.com")
        stage.server.commands.run("workspace", "add-member", path.split("/")[2], person.email)
    page = stage.as_ada(path)
    for email in ["grace@example.com", f"{'v' * 60}@{'v' * 60}.example.com"]:
        page.get_by_label("E-mail", exact=True).fill(email)
        page.get_by_role("button", name="Invite", exact=True).click()
        expect(page.locator("#invite-link")).to_be_visible()
    return page


@state
def activity_nothing_fits(stage: Stage) -> Page:
    page = stage.as_ada("/account/activity?what=user.disabled&since=2026-01-01")
    expect(page.get_by_text("Nothing fits this filter.")).to_be_visible()
    return page


@state
def invitation_for_somebody_else(stage: Stage) -> Page:
    path = stage.free_path().replace("api-webhooks", "team")
    page = stage.as_ada(path)
    page.get_by_label("E-mail", exact=True).fill("grace@example.com")
    page.get_by_role("button", name="Invite", exact=True).click()
    page.goto("/invitations" + page.locator("#invite-link").inner_text().partition("/invitations")[2])
    expect(page.get_by_role("heading", name="This invitation is for somebody else")).to_be_visible()
    return page


@state
def invitation_of_somebody_who_is_signed_out(stage: Stage) -> Page:
    page = invitation_for_somebody_else(stage)
    link = page.url
    page.context.clear_cookies()
    page.goto(link)
    expect(page.get_by_role("link", name="Create an account")).to_be_visible()
    return page


@state
def activity_refused_filter(stage: Stage) -> Page:
    stage.console.expect_status(400)
    page = stage.as_ada("/account/activity?since=2026-02-02&until=2026-01-01")
    expect(page.get_by_role("alert")).to_be_visible()
    return page


@state
def service_accounts_empty(stage: Stage) -> Page:
    return stage.as_ada(stage.pro_path().replace("api-webhooks", "service-accounts"))


@state
def service_accounts_refused(stage: Stage) -> Page:
    """Two that are there, one of them disabled, and a name that is none."""
    stage.console.expect_status(422)
    path = stage.pro_path().replace("api-webhooks", "service-accounts")
    for name in ["Testing", "W" * 80]:
        account = stage.server.commands.make_service_account(path.split("/")[2], name)
    stage.server.commands.run("user", "disable", account)
    page = stage.as_ada(path)
    page.get_by_label("Name of an environment or a machine").fill(" ")
    page.get_by_role("button", name="Add service account").click()
    expect(page.locator(".field-error")).to_be_visible()
    return page


@state
def service_accounts_of_a_member(stage: Stage) -> Page:
    path = stage.pro_path().replace("api-webhooks", "service-accounts")
    bob = stage.server.sign_up("Bob")
    stage.server.commands.run("workspace", "add-member", path.split("/")[2], bob.email)
    stage.server.commands.make_service_account(path.split("/")[2], "Testing")
    page = stage.page()
    sign_in(page, bob, path)
    return page


@state
def service_account_key(stage: Stage) -> Page:
    page = service_accounts_empty(stage)
    page.get_by_role("button", name="Add “Testing”").click()
    KeyPage(page).reveal()
    return page


@state
def service_account_locked(stage: Stage) -> Page:
    path = stage.free_path().replace("api-webhooks", "service-accounts")
    account = stage.server.commands.make_service_account(path.split("/")[2], "Testing")
    return stage.as_ada(f"{path}/{account}")


@state
def service_account_usage(stage: Stage) -> Page:
    page = service_account_key(stage)
    page.get_by_role("link", name="Usage").click()
    expect(page.get_by_text("No request was made")).to_be_visible()
    return page


@state
def keys_to_replace(stage: Stage) -> Page:
    """After an Admin left who was shown two keys."""
    path = stage.pro_path().replace("api-webhooks", "service-accounts")
    bob = stage.server.sign_up("Bob")
    stage.server.commands.run("workspace", "add-member", path.split("/")[2], bob.email, "--role", "admin")
    page = stage.page()
    sign_in(page, bob, path)
    for name in ["Testing", "Production"]:
        page.goto(path)
        page.get_by_role("button", name=f"Add “{name}”").click()
        KeyPage(page).reveal()
    page.context.close()
    stage.server.commands.run("workspace", "remove-member", path.split("/")[2], bob.email)
    page = stage.as_ada(path.replace("service-accounts", "team"))
    expect(page.get_by_role("heading", name="Keys to replace")).to_be_visible()
    return page


def webhooks_path(stage: Stage) -> str:
    return stage.pro_path().replace("api-webhooks", "webhooks")


def add_webhook(stage: Stage) -> Page:
    """The page of one that was just added, with its secret."""
    page = stage.as_ada(webhooks_path(stage))
    page.get_by_label("Name", exact=True).fill("Orders")
    page.get_by_label("URL", exact=True).fill("https://1.1.1.1/webhooks")
    page.get_by_label("All events").check()
    page.get_by_role("button", name="Add webhook").click()
    expect(page.locator("#webhook-secret")).to_be_visible()
    return page


@state
def webhooks_empty(stage: Stage) -> Page:
    return stage.as_ada(webhooks_path(stage))


@state
def webhooks_refused(stage: Stage) -> Page:
    page = stage.as_ada(webhooks_path(stage))
    stage.console.expect_status(422)
    page.get_by_label("Name", exact=True).fill("Orders")
    page.get_by_label("URL", exact=True).fill("https://127.1/")
    page.get_by_role("button", name="Add webhook").click()
    expect(page.locator("#webhook-url-error")).to_be_visible()
    return page


@state
def webhooks_locked(stage: Stage) -> Page:
    return stage.as_ada(stage.free_path().replace("api-webhooks", "webhooks"))


@state
def webhook_added(stage: Stage) -> Page:
    return add_webhook(stage)


@state
def webhooks_filled(stage: Stage) -> Page:
    page = add_webhook(stage)
    page.get_by_role("link", name="← Webhooks").click()
    expect(page.get_by_role("link", name="Open Orders")).to_be_visible()
    return page


@state
def webhook_delivery(stage: Stage) -> Page:
    """A message that did not arrive: nobody is there."""
    page = add_webhook(stage)
    page.get_by_role("button", name="Send test event").click()
    page.get_by_role("link", name="← Webhooks").click()
    page.get_by_role("link", name="Open Orders").click()
    reload_until(page, "1 attempt")
    page.get_by_role("link", name="webhook.test").first.click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    page.get_by_text("Request headers and response").first.click()
    return page
