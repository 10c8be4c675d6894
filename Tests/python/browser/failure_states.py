"""The states of pages that show failures, of another tab, of plain HTTP, and of exact times."""

from playwright.sync_api import Page, expect

from browser.conftest import OTHER_NAME
from browser.dashboard import KeyPage, sign_in
from browser.page_states import Stage, state


@state
def key_not_copied(stage: Stage) -> Page:
    stage.console.expect_network_failures()
    page = stage.as_ada()
    KeyPage(page).reveal()
    page.route("**/record", lambda route: route.abort())
    KeyPage(page).copy.click()
    expect(KeyPage(page).status).to_contain_text("Nothing was copied")
    return page


@state
def key_replaced_elsewhere(stage: Stage) -> Page:
    page = stage.as_ada()
    KeyPage(page).reveal()
    path = page.url.removeprefix(stage.server.origin) + "/regenerate"
    assert stage.server.post(path, {"version": "1"}, stage.server.sign_in(stage.server.ada)).status == 303
    KeyPage(page).copy.click()
    expect(KeyPage(page).status).to_contain_text("regenerated elsewhere")
    return page


@state
def regenerate_unknown(stage: Stage) -> Page:
    stage.console.expect_network_failures()
    page = stage.as_ada()
    page.route("**/regenerate", lambda route: route.abort())
    KeyPage(page).press_regenerate()
    expect(KeyPage(page).dialog_status).to_contain_text("It is not known")
    return page


@state
def regenerate_unknown_behind_the_dialog(stage: Stage) -> Page:
    page = regenerate_unknown(stage)
    page.keyboard.press("Escape")
    expect(KeyPage(page).status).to_contain_text("It is not known")
    return page


@state
def regenerate_unknown_on_its_own_page(stage: Stage) -> Page:
    stage.console.expect_network_failures()
    page = stage.as_ada(stage.free_path() + "/regenerate")
    page.route("**/regenerate", lambda route: route.abort())
    KeyPage(page).confirm_regenerate.click()
    expect(KeyPage(page).dialog_status).to_contain_text("It is not known")
    return page


@state
def regenerate_unknown_without_scripts(stage: Stage) -> Page:
    """The page that the form leads to, in a browser whose scripts can look at it."""
    stage.console.expect_status(503)
    stage.server.may_log_errors = True
    page = stage.as_ada()
    # A copy of the form has none of the script's listeners.
    page.locator("[data-regenerate-form]").evaluate("(form) => form.replaceWith(form.cloneNode(true))")
    with stage.server.without_writes():
        KeyPage(page).regenerate.click()
        KeyPage(page).confirm_regenerate.click(timeout=30_000)
        expect(page.get_by_role("button", name="Regenerate: send again")).to_be_visible(timeout=30_000)
    return page


@state
def session_ended_before_a_press(stage: Stage) -> Page:
    page = stage.page()
    page.goto("/sign-in?next=/account&ended=1")
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    return page


def open_times(page: Page) -> Page:
    """Presses every time on the page, once its script has made buttons of them."""
    expect(page.locator(".time-toggle")).not_to_have_count(0)
    for button in page.locator(".time-toggle").all():
        button.click()
    return page


@state
def times_opened(stage: Stage) -> Page:
    for _ in range(3):
        stage.server.call_api(stage.server.ada_key)
    page = stage.new_context(timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, stage.server.ada)
    return open_times(page)


@state
def times_opened_in_sessions(stage: Stage) -> Page:
    stage.server.sign_in(stage.server.ada)
    page = stage.new_context(timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, stage.server.ada, "/account")
    return open_times(page)


@state
def https_needed(stage: Stage) -> Page:
    stage.console.expect_status(403)
    origin = "http://" + stage.server.address.replace("localhost", OTHER_NAME)
    page = stage.new_context(origin=origin, bypass_csp=True).new_page()
    page.goto("/sign-in")
    expect(page.get_by_role("heading", level=1)).to_have_text("Signing in needs HTTPS here")
    return page
