"""Every path of the dashboard, walked as each role: it works, is refused, is not found, or leads to the sign-in page.

``PATHS`` is the table of the paths, and ``WorkspaceGuard`` and ``DashboardResponder`` decide about them. What an Owner, an
Admin and a Member may do is read from the table in `docs/authority.md`. Widths, input and scripts are spread over the
walks so that each pair of values meets.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from itertools import combinations, product

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from browser.conftest import DESKTOP, PLACE, ConsoleWatch
from browser.dashboard import REGENERATED, KeyPage, clipboard, expect_path
from browser.dashboard_server import DashboardServer
from browser.place import Place
from browser.product_site import Backend, ProductSite
from browser.test_keyboard import expect_visible_focus
from harness.accounts import KEY_PATTERN, Person
from harness.programs import REPOSITORY

PHONE = {"width": 360, "height": 740}
MOST_STOPS = 80

MEMBERS = ("owner", "admin", "member")
ROLES = (*MEMBERS, "portal visitor", "non-member", "signed out")
# Those who are refused most walk in every run; everybody does below a path, and where the long tests run.
IS_LONG = PLACE is not None or bool(os.environ.get("KEYBEARER_TEST_LONG"))
WALKERS = ROLES if IS_LONG else ("member", "portal visitor", "non-member")


def read_permissions() -> dict[str, set[str]]:
    """Which roles may do each action, from the table that a test compares with the server's own."""
    text = (REPOSITORY / "docs" / "authority.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \| (yes|no) \| (yes|no) \|", text, re.MULTILINE)
    return {
        action: {role for role, answer in zip(MEMBERS, answers, strict=True) if answer == "yes"}
        for action, *answers in rows
    }


PERMISSIONS = read_permissions()


class Outcome(Enum):
    """What a role meets on a path. A refusal's value is the status of its page."""

    WORKS = "works"
    REFUSED = 403
    NOT_FOUND = 404
    LEADS_TO_SIGN_IN = "leads to the sign-in page"


HEADINGS = {Outcome.REFUSED: "Not allowed", Outcome.NOT_FOUND: "Page not found"}


def outcome(role: str, action: str | None, path: str) -> Outcome:
    """What a role meets at a path that needs an action, or, without one, a session alone.

    A portal link opens the key page with its forms and its tab "Usage", and nothing else, whoever it signs in.
    """
    if role == "signed out":
        return Outcome.LEADS_TO_SIGN_IN
    if role == "portal visitor":
        return Outcome.WORKS if path in ("/", "/sign-out") or "/api-webhooks" in path else Outcome.REFUSED
    if action is None:
        return Outcome.WORKS
    if role == "non-member":
        return Outcome.NOT_FOUND
    return Outcome.WORKS if role in PERMISSIONS[action] else Outcome.REFUSED


@dataclass(frozen=True)
class Combination:
    """How a path is walked."""

    width: int
    input: str
    scripts: bool


COMBINATIONS = [Combination(*values) for values in product((1440, 360), ("mouse", "keyboard"), (True, False))]


def combination(role: str, number: int) -> Combination:
    """How a role walks the path of this number. The two roles of a pair, such as Owner and Admin, share no value there."""
    pair, is_second = divmod(ROLES.index(role), 2)
    index = (3 * number + 2 * pair) % len(COMBINATIONS)
    return COMBINATIONS[len(COMBINATIONS) - 1 - index if is_second else index]


PARTS = ("key", "members", "workspaces")


@dataclass(frozen=True)
class Screen:
    """A page that offers something, the action that opens it, and the part of the dashboard that it belongs to."""

    path: str
    action: str | None
    part: str


KEY = Screen("/workspaces/{workspace}/api-webhooks", "open_workspace", "key")
USAGE = Screen("/workspaces/{workspace}/api-webhooks/usage", "open_workspace", "key")
SERVICE_ACCOUNTS = Screen("/workspaces/{workspace}/service-accounts", "open_workspace", "members")
WEBHOOKS = Screen("/workspaces/{workspace}/webhooks", "open_workspace", "members")
WEBHOOK = Screen("/workspaces/{workspace}/webhooks/{webhook}", "view_webhooks", "members")
SERVICE_ACCOUNT = Screen("/workspaces/{workspace}/service-accounts/{account}", "manage_service_accounts", "members")
TEAM = Screen("/workspaces/{workspace}/team", "open_workspace", "members")
HOME = Screen("/", None, "workspaces")
NEW_WORKSPACE = Screen("/workspaces/new", None, "workspaces")
ACTIVITY = Screen("/workspaces/{workspace}/activity", "view_activity", "workspaces")
SETTINGS = Screen("/workspaces/{workspace}/settings", "open_workspace", "workspaces")
# What renames, moves or leaves a workspace does it to the second one, so that the others still find the first.
SECOND_SETTINGS = Screen("/workspaces/{second}/settings", "open_workspace", "workspaces")
SECOND_PLANS = Screen("/workspaces/{second}/plans", "open_workspace", "workspaces")
SECOND_TEAM = Screen("/workspaces/{second}/team", "open_workspace", "workspaces")
ACCOUNT = Screen("/account", None, "workspaces")


@dataclass(frozen=True)
class Path:
    """One row of the table."""

    name: str
    # What it needs; None for a session alone.
    action: str | None
    # Where it begins.
    screen: Screen
    # The form that does it, and what is in it; None where the page itself is all.
    sends: str | None
    form: dict[str, str]
    # What offers it on the page; None where the page itself is not opened to who may not do it.
    offers: Callable[[Page], Locator] | None
    # Does it, and checks that it was done.
    walk: Callable[[Walk], None]

    def outcome(self, role: str) -> Outcome:
        return outcome(role, self.action, self.sends or self.screen.path)


PATHS: list[Path] = []


def path(
    action: str | None, screen: Screen, sends: str | None = None, form: dict[str, str] | None = None,
    offers: Callable[[Page], Locator] | None = None,
) -> Callable:
    """Adds a row to the table. The paths are walked in the order in which they stand here."""

    def add(walk: Callable[[Walk], None]) -> Callable[[Walk], None]:
        PATHS.append(Path(walk.__name__.replace("_", " "), action, screen, sends, form or {}, offers, walk))
        return walk

    return add


# Which key goes from the focus to an element with fewer stops.
SHORTER_WAY = """element => {
  const stops = [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')];
  const forward = stops.indexOf(element) - stops.indexOf(document.activeElement);
  return (forward + stops.length) % stops.length <= stops.length / 2 ? 'Tab' : 'Shift+Tab';
}"""


class Hand:
    """Works a page with the mouse, or with the keyboard alone."""

    def __init__(self, page: Page, has_mouse: bool):
        self._page = page
        self._has_mouse = has_mouse

    def press(self, control: Locator) -> None:
        """Presses a button, a link or a summary."""
        if self._has_mouse:
            control.click()
        else:
            self._tab_to(control)
            self._page.keyboard.press("Enter")

    def write(self, field: Locator, text: str) -> None:
        """Writes a text in place of what is in a field."""
        if self._has_mouse:
            field.click()
            field.fill(text)
        else:
            self._tab_to(field)
            self._page.keyboard.press("ControlOrMeta+a")
            self._page.keyboard.type(text)

    def choose(self, field: Locator, option: str) -> None:
        """Chooses an option of a select field."""
        if self._has_mouse:
            field.select_option(label=option)
        else:
            self._tab_to(field)
            self._page.keyboard.type(option)
        expect(field.locator("option:checked")).to_have_text(option)

    def tick(self, box: Locator) -> None:
        """Checks a box."""
        if self._has_mouse:
            box.click()
        else:
            self._tab_to(box)
            self._page.keyboard.press("Space")

    def select_all(self, field: Locator) -> str:
        """Selects the text of a field, as before copying it by hand; returns what is selected."""
        if self._has_mouse:
            field.click(click_count=3)
        else:
            self._tab_to(field)
            self._page.keyboard.press("ControlOrMeta+a")
        return field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")

    def _tab_to(self, control: Locator) -> None:
        expect(control).to_be_visible()
        element = control.element_handle()
        key = element.evaluate(SHORTER_WAY)
        for _ in range(MOST_STOPS):
            if element.evaluate("element => element === document.activeElement"):
                expect_visible_focus(self._page)
                return
            self._page.keyboard.press(key)
        raise AssertionError(f"Tab never reaches {control}.")


# The form that no page offers, as a stale page or a forged one of this server would send it.
SEND = """([action, fields]) => {
  const form = document.createElement('form');
  [form.method, form.action] = ['post', action];
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement('input');
    [field.type, field.name, field.value] = ['hidden', name, value];
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


class Stage:
    """Two workspaces on Pro that Grace owns, Mia as another member of the first, and a visitor of the role.

    The visitor of a portal link and the one who is signed out are Owners, so that nothing is refused to their role.
    """

    def __init__(self, server: DashboardServer, backend: Backend, role: str, part: str):
        self.server = server
        self._backend = backend
        tag = f"{role}-{part}".replace(" ", "-")
        self.person = Person("Robin", f"robin-{tag}@example.com", "a long enough secret")
        self.visitor = self._add_visitor(role, tag)
        self.grace = self._add_user("Grace", tag)
        self.mia = self._add_user("Mia", tag)
        self.name = "First"
        self.workspace = self._add_workspace(self.name)
        self.second = self._add_workspace("Second")
        self.set_role(self.workspace, self.mia, "member")
        if role != "non-member":
            for workspace in (self.workspace, self.second):
                self.set_role(workspace, self.visitor, role if role in MEMBERS else "owner")
        self.account = backend.call("POST", f"/workspaces/{self.workspace}/service-accounts", {"name": "Testing"})["id"]
        # Nobody is there: what is sent fails.
        webhook = {"name": "Hooks", "url": "https://1.1.1.1/hooks", "events": ["*"], "workspace": self.workspace}
        self.webhook = backend.call("POST", "/webhooks", webhook)["id"]

    def _add_visitor(self, role: str, tag: str) -> str:
        if role == "portal visitor":
            self._external_id = tag
            body = {"email": self.person.email, "name": self.person.name, "externalId": tag}
            return self._backend.call("POST", "/users", body)["id"]
        self.server.sign_up(self.person.name, self.person.email)
        return self._backend.call("GET", f"/users?email={self.person.email}")[0]["id"]

    def _add_user(self, name: str, tag: str) -> str:
        return self._backend.call("POST", "/users", {"email": f"{name.lower()}-{tag}@example.com", "name": name})["id"]

    def _add_workspace(self, name: str) -> str:
        return self._backend.call("POST", "/workspaces", {"name": name, "owner": self.grace, "plan": "pro"})["id"]

    def set_role(self, workspace: str, user: str, role: str) -> None:
        self._backend.call("PUT", f"/workspaces/{workspace}/members/{user}", {"role": role})

    def key_of(self, user: str) -> str:
        return self._backend.call("POST", f"/users/{user}/key/reveal")["key"]

    def portal_link(self) -> str:
        """It waits for a press, with scripts too."""
        return self._backend.link(self._external_id, has_return_url=False, expiresIn=900)

    def fill(self, pattern: str) -> str:
        """A path, or a value of a form, with the ids of this stage."""
        return pattern.format(
            workspace=self.workspace, second=self.second, account=self.account,
            webhook=self.webhook, mia=self.mia, name=self.name)

    def shared(self) -> list[object]:
        """What of the workspaces is not the visitor's own."""
        records = [self._backend.call("GET", f"/users/{user}") for user in (self.grace, self.mia)]
        lists = [f"/workspaces/{self.workspace}/service-accounts", f"/webhooks?workspace={self.workspace}"]
        return [*records, *(self._backend.call("GET", path) for path in lists)]


@dataclass
class Walk:
    """A page of the visitor's, and the hand that works it."""

    stage: Stage
    page: Page
    hand: Hand
    scripts: bool

    @property
    def key_page(self) -> KeyPage:
        return KeyPage(self.page)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    def press(self, name: str) -> None:
        """Presses the button of this name."""
        self.hand.press(self.button(name))

    def write(self, label: str, text: str) -> None:
        """Writes into the field of this label."""
        self.hand.write(self.page.get_by_label(label, exact=True), text)

    def expect_status(self, text: str) -> None:
        """Waits until the page says what was done."""
        expect(self.page.get_by_role("status").filter(has_text=text)).to_be_visible()

    def sign_in(self) -> None:
        """Signs in on the sign-in page, and waits for the page behind it."""
        self.write("E-mail", self.stage.person.email)
        self.write("Password", self.stage.person.password)
        self.press("Sign in")
        expect(self.button("Sign out")).to_be_visible()

    def sign_out(self) -> None:
        self.press("Sign out")
        expect(self.page.get_by_text("You are signed out.")).to_be_visible()

    def send(self, path: str, form: dict[str, str]) -> int:
        """Sends a form that the page does not have, and returns the status of the page that comes."""
        values = {name: self.stage.fill(value) for name, value in form.items()}
        with self.page.expect_navigation() as navigation:
            self.page.evaluate(SEND, [self.stage.server.path(self.stage.fill(path)), values])
        return navigation.value.status

    def show_key(self) -> str:
        """Presses the eye, which without scripts loads another page."""
        self.hand.press(self.key_page.eye_show)
        expect(self.key_page.eye_hide).to_be_visible()
        key = self.key_page.field.input_value()
        assert KEY_PATTERN.fullmatch(key)
        return key

    def replace_key(self, user: str) -> None:
        """Regenerates the key of the page: the old one ends, and the new one passes."""
        old = self.stage.key_of(user)
        self.hand.press(self.key_page.regenerate)
        self.hand.press(self.key_page.confirm_regenerate)
        expect(self.page.get_by_text(REGENERATED)).to_be_visible()
        assert self.stage.server.call_api(old).status == 401
        assert self.stage.server.call_api(self.stage.key_of(user)).status == 200

    def limit_networks(self, user: str) -> None:
        """Limits the key of the page to a network: it is listed, and the key passes from there."""
        self.write("Networks, one in a line", "127.0.0.0/8")
        self.press("Save networks")
        self.expect_status("Allowed networks changed.")
        expect(self.page.locator(".networks li")).to_have_text(["127.0.0.0/8"])
        assert self.stage.server.call_api(self.stage.key_of(user)).status == 200


def button(name: str) -> Callable[[Page], Locator]:
    """The buttons whose names contain this."""
    return lambda page: page.get_by_role("button", name=name)


def summary(name: str) -> Callable[[Page], Locator]:
    """What opens the question of this name."""
    return lambda page: page.locator("summary", has_text=name)


# The key page.


@path("reveal_key", KEY, KEY.path + "/reveal", offers=button("Show key"))
def show_and_hide_the_key(walk: Walk) -> None:
    assert walk.show_key() == walk.stage.key_of(walk.stage.visitor)
    walk.hand.press(walk.key_page.eye_hide)
    walk.key_page.expect_hidden()


@path("reveal_key", KEY, KEY.path + "/reveal", offers=lambda page: page.locator("[data-key-copy]"))
def copy_the_key(walk: Walk) -> None:
    """Without scripts there is no button: the key that is shown can be selected."""
    key = walk.stage.key_of(walk.stage.visitor)
    if walk.scripts:
        walk.page.evaluate("navigator.clipboard.writeText('nothing yet')")
        walk.hand.press(walk.key_page.copy)
        expect(walk.key_page.status).to_have_text("Copied to the clipboard.")
        assert clipboard(walk.page) == key
    else:
        expect(walk.key_page.copy).to_be_hidden()
        walk.show_key()
        assert walk.hand.select_all(walk.key_page.field) == key


@path("regenerate_key", KEY, KEY.path + "/regenerate", offers=lambda page: KeyPage(page).regenerate)
def regenerate_the_key(walk: Walk) -> None:
    walk.replace_key(walk.stage.visitor)


@path("change_networks", KEY, KEY.path + "/networks", offers=button("Save networks"))
def limit_the_key_to_networks(walk: Walk) -> None:
    walk.limit_networks(walk.stage.visitor)


@path("reveal_key", KEY, KEY.path + "/try", offers=button("Send the request"))
def try_the_key(walk: Walk) -> None:
    walk.press("Send the request")
    expect(walk.page.locator(".trial-status")).to_have_text("200 OK")


@path("open_workspace", USAGE)
def see_the_usage(walk: Walk) -> None:
    walk.hand.press(walk.link("12 months"))
    expect(walk.page.get_by_role("heading", name="Requests in 12 months")).to_be_visible()


# Service accounts.


@path("manage_service_accounts", SERVICE_ACCOUNTS, SERVICE_ACCOUNTS.path, {"name": "Robots"}, button("Add"))
def add_a_service_account(walk: Walk) -> None:
    walk.write("Name of an environment or a machine", "Robots")
    walk.press("Add service account")
    walk.expect_status("Service account added.")
    expect(walk.page.get_by_role("heading", name="Robots", exact=True)).to_be_visible()


@path("manage_service_accounts", SERVICE_ACCOUNT)
def open_a_service_account(walk: Walk) -> None:
    walk.page.goto(walk.stage.fill(SERVICE_ACCOUNTS.path))
    walk.hand.press(walk.link("Open Testing"))
    expect_path(walk.page, walk.stage.fill(SERVICE_ACCOUNT.path))
    expect(walk.page.get_by_role("heading", name="Testing", exact=True)).to_be_visible()


@path("reveal_service_key", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/reveal")
def show_the_key_of_a_service_account(walk: Walk) -> None:
    key = walk.show_key()
    assert key == walk.stage.key_of(walk.stage.account)
    assert walk.stage.server.call_api(key).status == 200


@path("regenerate_service_key", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/regenerate")
def regenerate_the_key_of_a_service_account(walk: Walk) -> None:
    walk.replace_key(walk.stage.account)


@path("change_service_networks", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/networks", {"networks": "192.0.2.0/24"})
def limit_the_key_of_a_service_account_to_networks(walk: Walk) -> None:
    walk.limit_networks(walk.stage.account)


@path("manage_service_accounts", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/rename", {"name": "Taken over"})
def rename_a_service_account(walk: Walk) -> None:
    walk.write("Name", "Staging")
    walk.press("Rename")
    walk.expect_status("Service account renamed.")
    expect(walk.page.get_by_role("heading", name="Staging", exact=True)).to_be_visible()


@path("manage_service_accounts", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/disable")
def disable_and_enable_a_service_account(walk: Walk) -> None:
    key = walk.stage.key_of(walk.stage.account)
    walk.press("Disable: refuse the key for now")
    walk.expect_status("Service account disabled.")
    assert walk.stage.server.call_api(key).status == 401
    walk.press("Enable: let the key pass again")
    walk.expect_status("Service account enabled.")
    assert walk.stage.server.call_api(key).status == 200


@path("manage_service_accounts", SERVICE_ACCOUNT, SERVICE_ACCOUNT.path + "/delete")
def delete_a_service_account(walk: Walk) -> None:
    key = walk.stage.key_of(walk.stage.account)
    walk.hand.press(summary("Delete service account")(walk.page))
    walk.press("Yes, delete")
    walk.expect_status("Service account deleted.")
    assert walk.stage.server.call_api(key).status == 401


# Webhooks.


@path("view_webhooks", WEBHOOK)
def open_a_webhook(walk: Walk) -> None:
    walk.page.goto(walk.stage.fill(WEBHOOKS.path))
    walk.hand.press(walk.link("Open Hooks"))
    expect_path(walk.page, walk.stage.fill(WEBHOOK.path))
    expect(walk.page.get_by_role("heading", name="Hooks", exact=True)).to_be_visible()


@path(
    "manage_webhooks", WEBHOOKS, WEBHOOKS.path, {"name": "Robots", "url": "https://1.1.1.1/robots", "all": "1"},
    button("Add webhook"),
)
def add_a_webhook(walk: Walk) -> None:
    walk.write("Name", "Robots")
    walk.write("URL", "https://1.1.1.1/robots")
    walk.hand.tick(walk.page.get_by_label("All events"))
    walk.press("Add webhook")
    walk.expect_status("Webhook added.")
    expect(walk.page.locator("#webhook-secret")).to_have_text(re.compile(r"^whsec_[0-9A-Za-z+/]{43}=$"))


@path("manage_webhooks", WEBHOOK, WEBHOOK.path, {"name": "Taken over", "url": "https://1.1.1.1/", "all": "1"})
def change_a_webhook(walk: Walk) -> None:
    walk.write("Name", "Orders")
    walk.press("Save")
    walk.expect_status("Saved.")
    expect(walk.page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()


@path("manage_webhooks", WEBHOOK, WEBHOOK.path + "/rotate-secret")
def replace_the_secret_of_a_webhook(walk: Walk) -> None:
    walk.press("Replace secret")
    walk.expect_status("The secret was replaced.")
    expect(walk.page.locator("#webhook-secret")).to_have_text(re.compile(r"^whsec_"))


@path("manage_webhooks", WEBHOOK, WEBHOOK.path + "/test")
def send_a_test_event(walk: Walk) -> None:
    walk.press("Send test event")
    walk.expect_status("A test event is on its way.")


@path("stop_webhooks", WEBHOOK, WEBHOOK.path + "/disable")
def disable_and_enable_a_webhook(walk: Walk) -> None:
    walk.press("Disable")
    walk.expect_status("Disabled.")
    walk.press("Enable")
    walk.expect_status("Enabled.")


@path("stop_webhooks", WEBHOOK, WEBHOOK.path + "/delete")
def delete_a_webhook(walk: Walk) -> None:
    walk.hand.press(summary("Delete webhook")(walk.page))
    walk.press("Yes, delete")
    walk.expect_status("Webhook deleted.")


# The team.


@path(
    "invite_members", TEAM, "/workspaces/{workspace}/invitations", {"email": "eve@example.com", "role": "member"},
    button("Invite"),
)
def invite_somebody(walk: Walk) -> None:
    walk.write("E-mail", "linus@example.com")
    walk.hand.choose(walk.page.get_by_label("Role", exact=True), "Admin")
    walk.press("Invite")
    expect(walk.page.locator("#invite-link")).to_contain_text("/invitations?code=")
    expect(walk.page.get_by_role("region", name="Invitations", exact=True)).to_contain_text("linus@example.com Admin")


@path(
    "manage_members", TEAM, "/workspaces/{workspace}/members/{mia}/role", {"role": "admin"},
    button("Change the role of Mia"),
)
def change_a_role(walk: Walk) -> None:
    give_role(walk, "Admin")


@path(
    "manage_owners", TEAM, "/workspaces/{workspace}/members/{mia}/role", {"role": "owner"},
    lambda page: page.get_by_label("Role of Mia").locator("option", has_text="Owner"),
)
def make_somebody_an_owner(walk: Walk) -> None:
    give_role(walk, "Owner")


def give_role(walk: Walk, role: str) -> None:
    walk.hand.choose(walk.page.get_by_label("Role of Mia"), role)
    walk.press("Change the role of Mia")
    walk.expect_status("Role changed.")
    expect(mia(walk.page).locator(".plan")).to_have_text(role)


def mia(page: Page) -> Locator:
    """The row of Mia."""
    return page.get_by_role("listitem").filter(has_text="mia-")


@path(
    "manage_members", TEAM, "/workspaces/{workspace}/members/{mia}/remove",
    offers=lambda page: mia(page).locator("summary"),
)
def remove_a_member(walk: Walk) -> None:
    walk.hand.press(mia(walk.page).locator("summary"))
    walk.press("Yes, remove Mia")
    walk.expect_status("Member removed.")
    expect(mia(walk.page)).to_have_count(0)


# Workspaces, their plans and their activity.


@path(None, NEW_WORKSPACE, "/workspaces", {"name": "Annex"})
def make_a_workspace(walk: Walk) -> None:
    walk.page.goto("/")
    walk.hand.press(walk.page.locator("summary").first)
    walk.hand.press(walk.link("Add New Workspace"))
    walk.write("Name", "Annex")
    walk.press("Add workspace")
    walk.expect_status("Workspace added. You are its Owner.")
    expect(walk.page.locator(".workspaces summary")).to_contain_text("Annex")


@path("rename_workspace", SECOND_SETTINGS, "/workspaces/{second}/rename", {"name": "Taken over"}, button("Rename"))
def rename_a_workspace(walk: Walk) -> None:
    walk.write("Name of the workspace", "Renamed")
    walk.press("Rename")
    walk.expect_status("Workspace renamed.")
    expect(walk.page.locator(".workspaces summary")).to_contain_text("Renamed")


@path("open_workspace", SECOND_SETTINGS, "/workspaces/{second}/default", offers=button("Make it my default"))
def make_a_workspace_the_default(walk: Walk) -> None:
    walk.press("Make it my default")
    expect(walk.page.get_by_text("The dashboard begins with this workspace when you sign in.")).to_be_visible()
    walk.page.goto("/")
    expect_path(walk.page, walk.stage.fill("/workspaces/{second}/api-webhooks"))


@path("change_plan", SECOND_PLANS, "/workspaces/{second}/plan", {"planID": "free"}, button("Switch to"))
def change_the_plan(walk: Walk) -> None:
    walk.press("Switch to Free")
    walk.expect_status("This workspace is now on the Free plan.")
    expect(walk.page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()


@path("leave_workspace", SECOND_TEAM, "/workspaces/{second}/leave", offers=summary("Leave workspace"))
def leave_a_workspace(walk: Walk) -> None:
    walk.hand.press(summary("Leave workspace")(walk.page))
    walk.press("Yes, leave")
    walk.expect_status("You left the workspace.")


@path("view_activity", ACTIVITY)
def filter_the_activity(walk: Walk) -> None:
    walk.page.goto(walk.stage.fill(KEY.path))
    walk.show_key()
    walk.hand.press(walk.link("Activity"))
    walk.hand.choose(walk.page.get_by_label("What"), "Key shown")
    walk.press("Show")
    expect(walk.page.get_by_label("What")).to_have_value("key.revealed")
    expect(walk.page.locator(".event", has_text="You showed your key")).not_to_have_count(0)
    expect(walk.page.locator(".event", has_not_text="showed")).to_have_count(0)


# The account.


@path(
    None, ACCOUNT, "/account/password", {"currentPassword": "a long enough secret", "newPassword": "another long secret"}
)
def end_a_session_of_the_account(walk: Walk) -> None:
    walk.stage.server.sign_in(walk.stage.person)
    walk.page.reload()
    expect(walk.page.locator(".facts dd")).to_have_text([walk.stage.person.name, walk.stage.person.email])
    others = walk.page.locator(".sessions li", has_text="Unknown browser")
    before = others.count()
    walk.hand.press(others.first.get_by_role("button", name="End session"))
    walk.expect_status("Session ended.")
    expect(others).to_have_count(before - 1)


# What ends a role comes last.


@path(
    "delete_workspace", SETTINGS, "/workspaces/{workspace}/delete", {"name": "{name}"},
    button("Delete workspace"),
)
def delete_a_workspace(walk: Walk) -> None:
    walk.write(f"Type {walk.stage.name} to confirm", walk.stage.name)
    walk.press("Delete workspace")
    walk.expect_status("Workspace deleted.")
    expect(walk.page.locator(".workspaces a", has_text=walk.stage.name)).to_have_count(0)


@path(None, HOME, "/sign-out")
def sign_out(walk: Walk) -> None:
    walk.sign_out()
    walk.page.goto("/")
    expect_path(walk.page, "/sign-in")


class Visitor:
    """Somebody of a role, with a browser that runs scripts and one that does not. Each is signed in at its first path."""

    def __init__(self, role: str, stage: Stage, new_context: Callable[..., BrowserContext]):
        self.role = role
        self.stage = stage
        self._new_context = new_context
        self._pages: dict[bool, Page] = {}
        # The pages that were refused, or reached by signing in: once is enough for all of their forms.
        self._met: set[Screen] = set()

    def meet(self, path: Path, how: Combination) -> None:
        """Walks a path, or is refused there."""
        walk = self._begin(how)
        result = path.outcome(self.role)
        if result is Outcome.WORKS:
            walk.page.goto(self.stage.fill(path.screen.path))
            if path.offers is not None:
                expect(path.offers(walk.page)).not_to_have_count(0)
            path.walk(walk)
        elif result is Outcome.LEADS_TO_SIGN_IN:
            self._be_led_to_sign_in(path, walk)
        else:
            self._be_refused(path, walk, result)

    def _begin(self, how: Combination) -> Walk:
        size = DESKTOP if how.width == DESKTOP["width"] else PHONE
        is_new = how.scripts not in self._pages
        if is_new:
            context = self._new_context(java_script_enabled=how.scripts, viewport=size)
            self._pages[how.scripts] = context.new_page()
        page = self._pages[how.scripts]
        page.set_viewport_size(size)
        walk = Walk(self.stage, page, Hand(page, how.input == "mouse"), how.scripts)
        if is_new and self.role == "portal visitor":
            page.goto(self.stage.portal_link())
            walk.press(f"Continue as {self.stage.person.email}")
            walk.key_page.expect_hidden()
        elif is_new and self.role != "signed out":
            page.goto("/sign-in")
            walk.sign_in()
        return walk

    def _be_refused(self, path: Path, walk: Walk, result: Outcome) -> None:
        """Nothing offers it, the form is refused all the same, and the page that says so leads back."""
        page, local = walk.page, self.stage.fill(path.screen.path)

        def expect_refusal(status: int) -> None:
            assert status == result.value
            expect(page.get_by_role("heading", level=1)).to_have_text(HEADINGS[result])

        if outcome(self.role, path.screen.action, path.screen.path) is Outcome.WORKS:
            assert page.goto(local).status == 200
            expect(path.offers(page)).to_have_count(0)
        elif path.sends is None or path.screen not in self._met:
            page.goto(self.stage.fill(self._way_to(path.screen).path))
            expect(walk.button("Sign out")).to_be_visible()
            expect(page.locator(f"a[href='{self.stage.server.path(local)}']")).to_have_count(0)
            expect_refusal(page.goto(local).status)
            walk.hand.press(walk.link("Go to the start page"))
            expect(walk.button("Sign out")).to_be_visible()
        self._met.add(path.screen)
        if path.sends is not None:
            expect_refusal(walk.send(path.sends, path.form))

    def _way_to(self, screen: Screen) -> Screen:
        """A page that the role may see, and that has a link to the screen for who may see that."""
        ways = [SERVICE_ACCOUNTS, KEY] if screen is SERVICE_ACCOUNT else [KEY]
        return next((way for way in ways if outcome(self.role, way.action, way.path) is Outcome.WORKS), HOME)

    def _be_led_to_sign_in(self, path: Path, walk: Walk) -> None:
        """A page is reached after signing in; a form is not sent on."""
        page, local = walk.page, self.stage.fill(path.screen.path)
        page.goto(local)
        expect_path(page, r"/sign-in" if local == "/" else r"/sign-in\?next=[^?&]+")
        if path.screen not in self._met:
            self._met.add(path.screen)
            walk.sign_in()
            expect_path(page, r"/workspaces/\w+/api-webhooks" if local == "/" else local)
            walk.sign_out()
        if path.sends is not None:
            walk.send(path.sends, path.form)
            expect_path(page, "/sign-in")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, place_port: int) -> Iterator[DashboardServer]:
    """A demonstration, where plans are switched, for all roles."""
    directory = tmp_path_factory.mktemp("roles")
    with ExitStack() as stack:
        place = None
        if PLACE is not None:
            place = stack.enter_context(Place(directory / "place", place_port, strips=PLACE == "stripped"))
        server = DashboardServer.demo(directory / "demo", place=place)
        if place is not None:
            place.start(server.address)
        yield server
        server.stop()


@pytest.fixture(scope="module")
def backend(server: DashboardServer, site: ProductSite) -> Backend:
    """What makes people and workspaces."""
    return Backend(server, site)


@pytest.fixture
def new_watched_context(
    server: DashboardServer, new_context: Callable[..., BrowserContext]
) -> Iterator[Callable[..., BrowserContext]]:
    """Makes browsers, none of which may ask for anything at another origin."""
    asked: list[str] = []

    def make(**options) -> BrowserContext:
        context = new_context(**options)
        context.on("request", lambda request: asked.append(request.url))
        return context

    yield make
    outside = [url for url in asked if not f"{url}/".startswith(f"{server.origin}/")]
    assert asked and not outside, f"Requests that left {server.origin}: {outside}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("role", WALKERS)
def test_each_path(
    server: DashboardServer, backend: Backend, console: ConsoleWatch,
    new_watched_context: Callable[..., BrowserContext], role: str, part: str,
):
    """What a role may do works; all else is not offered, is refused with a page, and changes nothing."""
    stage = Stage(server, backend, role, part)
    visitor = Visitor(role, stage, new_watched_context)
    before = stage.shared()
    paths = [(number, path) for number, path in enumerate(PATHS) if path.screen.part == part]
    # The browser logs the status of a refused page. An Owner meets none.
    console.expect_status(*{path.outcome(role).value for _, path in paths if path.outcome(role) in HEADINGS})
    for number, path in paths:
        how = combination(role, number)
        try:
            visitor.meet(path, how)
        except Exception as problem:
            problem.add_note(f"As {role}: {path.name}, which {path.outcome(role).name}, with {how}")
            raise
    if role not in PERMISSIONS["manage_members"]:
        assert stage.shared() == before


def test_each_pair_of_values_meets():
    """Path, role, width, input and scripts are pairwise complete; what both an Owner and an Admin may do works with each."""
    walks = [
        (path.name, role, how.width, how.input, how.scripts)
        for number, path in enumerate(PATHS)
        for role in ROLES
        for how in [combination(role, number)]
    ]
    values = [set(column) for column in zip(*walks, strict=True)]
    assert [len(each) for each in values] == [len(PATHS), len(ROLES), 2, 2, 2]
    for first, second in combinations(range(len(values)), 2):
        assert {(walk[first], walk[second]) for walk in walks} == set(product(values[first], values[second]))
    for number in range(len(PATHS)):
        owner, admin = (combination(role, number) for role in ("owner", "admin"))
        assert (owner.width != admin.width, owner.input != admin.input, owner.scripts != admin.scripts) == (True,) * 3


def test_each_action_of_the_table_is_walked():
    """A new action needs a row here."""
    assert {path.action for path in PATHS} - {None} == set(PERMISSIONS)
