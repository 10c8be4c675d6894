"""The key leaves the server only when a person presses for it, and only to that person."""

import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import MASK, KeyPage, clipboard, expect_absent, expect_path, key_path, sign_in, whole_page
from browser.dashboard_server import DashboardServer


@pytest.fixture
def path(server: DashboardServer) -> str:
    """The page of Ada's workspace on Pro."""
    return key_path(next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "pro"))


def record_requests(page: Page) -> list[Request]:
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    return requests


def reveals(requests: list[Request]) -> list[Request]:
    return [request for request in requests if request.url.endswith("/reveal")]


def test_nothing_is_requested_before_the_eye_is_pressed(server: DashboardServer, page: Page, path: str):
    requests = record_requests(page)
    sign_in(page, server.ada, path)
    key_page = KeyPage(page)
    key_page.expect_hidden()
    page.wait_for_load_state("networkidle")
    assert requests and not reveals(requests)
    assert {request.url.split("/")[2] for request in requests if not request.url.startswith("data:")} == {
        server.origin.split("/")[2]
    }, "A page asks another host for something."

    with page.expect_response("**/reveal") as response:
        key_page.reveal()
    assert response.value.request.method == "POST"
    assert response.value.headers["cache-control"] == "no-store"
    assert response.value.headers["content-type"].startswith("application/json")
    data = response.value.json()["data"]
    assert data["key"] == server.ada_key
    assert (data["version"], data["prefix"]) == (1, server.ada_key[:8])
    assert data["generatedAt"] == key_page.generated_at()
    assert len(reveals(requests)) == 1

    key_page.eye_hide.click()
    key_page.expect_hidden()
    assert len(reveals(requests)) == 1, "Hiding asks for nothing."
    assert all(server.ada_key not in request.url for request in requests), "The key is in a URL."


def test_the_key_is_stored_nowhere_in_the_browser(server: DashboardServer, page: Page, path: str):
    sign_in(page, server.ada, path)
    KeyPage(page).reveal()
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state])")
    expect_absent(server.ada_key, stored)


def test_leaving_the_page_hides_the_key(server: DashboardServer, page: Page, path: str):
    """Neither the Back button nor a reload brings a shown key back."""
    sign_in(page, server.ada, path)
    key_page = KeyPage(page)
    key_page.reveal()
    page.get_by_role("link", name="Account & sessions").click()
    expect(page.get_by_role("heading", name="Account & sessions")).to_be_visible()
    page.go_back()
    key_page.expect_hidden()
    expect_absent(server.ada_key, whole_page(page))

    key_page.reveal()
    page.reload()
    key_page.expect_hidden()
    expect_absent(server.ada_key, whole_page(page))


def test_a_refused_clipboard_selects_the_key_instead(server: DashboardServer, page: Page, path: str):
    page.add_init_script(
        "for (const name of ['write', 'writeText'])"
        " navigator.clipboard[name] = () => Promise.reject(new DOMException('', 'NotAllowedError'));"
    )
    sign_in(page, server.ada, path)
    key_page = KeyPage(page)
    key_page.copy.click()
    expect(key_page.status).to_contain_text("The browser refused the clipboard.")
    expect(key_page.field).to_be_focused()
    assert page.evaluate("getSelection().toString()") == server.ada_key


def test_a_failure_is_shown_and_no_key(
    server: DashboardServer, page: Page, path: str, console: ConsoleWatch
):
    console.expect_status(422)
    refusal = '{"ok":false,"error":"VALIDATION_FAILED","message":"Not today, please."}'
    page.route("**/reveal", lambda route: route.fulfill(status=422, content_type="application/json", body=refusal))
    sign_in(page, server.ada, path)
    key_page = KeyPage(page)
    key_page.eye_show.click()
    expect(key_page.status).to_have_text("Not today, please. Your key was not changed: showing it changes nothing.")
    key_page.expect_hidden()
    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    key_page.copy.click()
    expect(key_page.status).to_have_text("Not today, please. Nothing was copied, and your key was not changed.")
    expect(key_page.copy).to_have_text("Copy")
    key_page.expect_hidden()
    assert clipboard(page) == "nothing yet"

    page.unroute("**/reveal")
    assert key_page.reveal() == server.ada_key


def test_an_ended_session_leads_to_the_sign_in_and_back(
    server: DashboardServer, page: Page, path: str, console: ConsoleWatch
):
    console.expect_status(401)
    sign_in(page, server.ada, path)
    page.context.clear_cookies()
    KeyPage(page).eye_show.click()
    expect(page.get_by_role("status")).to_have_text(
        "Your session has ended. Nothing was changed. Sign in to continue."
    )
    page.get_by_label("E-mail").fill(server.ada.email)
    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Sign in").click()
    expect_path(page, path)
    assert KeyPage(page).reveal() == server.ada_key


def test_the_password_is_required_again_where_the_server_wants_it(
    server: DashboardServer, page: Page, path: str, console: ConsoleWatch
):
    """The page follows the response of a server for which the sign-in is too old, and comes back."""
    console.expect_status(401, 403)
    confirm = server.path("/confirm?next=" + server.path(path))
    refusal = f'{{"ok":false,"error":"FORBIDDEN","message":"Confirm first.","confirmUrl":"{confirm}"}}'
    page.route("**/reveal", lambda route: route.fulfill(status=403, content_type="application/json", body=refusal))
    sign_in(page, server.ada, path)
    before = session_id(server, page)
    KeyPage(page).eye_show.click()
    expect(page.get_by_role("heading", name="Confirm your password")).to_be_visible()
    expect(page.get_by_label("Signed in as")).to_have_value(server.ada.email)
    page.unroute("**/reveal")

    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_have_text("That password is not right.")
    assert session_id(server, page) == before

    page.get_by_label("Password").fill(server.ada.password)
    page.get_by_role("button", name="Continue").click()
    expect_path(page, path)
    assert session_id(server, page) != before, "A session whose password was given again gets a new id."
    assert server.request("GET", path, cookie=before).status == 303, "The old id must be dead."
    assert KeyPage(page).reveal() == server.ada_key


def test_without_a_session_there_is_no_key(server: DashboardServer, path: str):
    script = server.post(f"{path}/reveal", {}, Accept="application/json")
    assert (script.status, script.json["error"]) == (401, "UNAUTHORIZED")
    form = server.post(f"{path}/reveal", {})
    assert (form.status, form.value("location")) == (303, server.path("/sign-in"))
    forged = server.post(f"{path}/reveal", {}, "A" * 43)
    assert forged.status == 303
    expect_absent(server.ada_key, script.text, form.text, forged.text)


def test_reveal_responds_to_a_post_only(server: DashboardServer, path: str):
    """A link, an image or a prefetch cannot fetch the key."""
    cookie = server.sign_in(server.ada)
    response = server.request("GET", f"{path}/reveal", cookie=cookie)
    assert (response.status, response.value("allow")) == (405, "POST")
    expect_absent(server.ada_key, response.text)


def test_another_sites_page_can_change_nothing(server: DashboardServer, path: str):
    """Even with the cookie, which SameSite keeps away as well."""
    cookie = server.sign_in(server.ada)
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "cross-site", "Origin": server.origin},
        {"Origin": "https://evil.example"},
        {"Origin": f"{server.origin}.evil.example"},
        {"Origin": "null"},
        {},
    ):
        for target in (f"{path}/reveal", f"{path}/regenerate", path.replace("api-webhooks", "plan"), "/sign-out",
                       "/account/password", "/sign-in", "/sign-up"):
            response = server.request("POST", target, headers, {"planID": "free"}, cookie)
            assert response.status == 403, (target, headers)
            assert not response.values("set-cookie")
            expect_absent(server.ada_key, response.text)
        assert server.commands.key_of(server.ada.email) == server.ada_key, headers
        assert server.call_api(server.ada_key).status == 200, headers


def test_another_sites_form_in_the_same_browser_is_refused(
    server: DashboardServer, context: BrowserContext, path: str, console: ConsoleWatch
):
    console.expect_status(403)
    page = context.new_page()
    sign_in(page, server.ada, path)
    context.route(
        "http://evil.example/",
        lambda route: route.fulfill(
            content_type="text/html",
            body=f"<!doctype html><link rel=icon href='data:,'><title>Evil</title>"
            f"<form method=post action='{server.origin}{path}/regenerate'><button>Win a prize</button></form>",
        ),
    )
    page.goto("http://evil.example/")
    page.get_by_role("button", name="Win a prize").click()
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    assert server.call_api(server.ada_key).status == 200


def test_two_tabs_do_not_disturb_each_other(server: DashboardServer, context: BrowserContext, path: str):
    """A tab that was open during a regenerate shows the new key, never the replaced one."""
    first, second = context.new_page(), context.new_page()
    sign_in(first, server.ada, path)
    second.goto(path)
    KeyPage(second).regenerate.click()
    second.get_by_role("button", name="Yes, regenerate").click()
    expect(second.get_by_text("Key regenerated.")).to_be_visible()
    first.bring_to_front()
    new_key = KeyPage(first).reveal()
    assert new_key != server.ada_key
    assert server.call_api(new_key).status == 200
    KeyPage(first).eye_hide.click()
    expect(KeyPage(first).field).to_have_value(MASK)


def session_id(server: DashboardServer, page: Page) -> str:
    (cookie,) = [cookie for cookie in page.context.cookies() if cookie["name"] == server.cookie_name]
    return cookie["value"]
