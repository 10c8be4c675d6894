"""Everything can be reached and worked with the keyboard alone, and shows where the focus is."""

from playwright.sync_api import Page, expect

from browser.dashboard import KeyPage, clipboard, expect_path, sign_in
from browser.dashboard_server import DashboardServer

MOST_STOPS = 40


def focused(page: Page) -> str:
    """What has the focus, as a person hears it."""
    return page.evaluate(
        "(() => { const element = document.activeElement;"
        " return element.getAttribute('aria-label') || element.labels?.[0]?.innerText"
        " || element.innerText || element.value || element.tagName; })()"
    ).strip()


def expect_visible_focus(page: Page) -> None:
    """The focus is seen: a visible element with an outline."""
    seen = page.evaluate(
        "(() => { const element = document.activeElement; const style = getComputedStyle(element);"
        " const box = element.getBoundingClientRect();"
        " return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2"
        " && box.width > 1 && box.height > 1 && box.right > 0 && box.bottom > 0; })()"
    )
    assert seen, f"The focus on {focused(page)!r} cannot be seen."


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Presses Tab until the focus is on what is called so."""
    passed = []
    for _ in range(MOST_STOPS):
        page.keyboard.press(key)
        if page.evaluate("document.activeElement === document.body"):
            continue
        expect_visible_focus(page)
        passed.append(focused(page))
        if passed[-1] == name:
            return
    raise AssertionError(f"Tab never reaches {name!r}, only {passed}.")


def test_from_sign_in_to_sign_out_by_keyboard(server: DashboardServer, page: Page):
    key_page = KeyPage(page)
    page.goto("/sign-in")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.keyboard.type(server.ada.email)
    tab_to(page, "Password")
    page.keyboard.type(server.ada.password)
    page.keyboard.press("Enter")
    key_page.expect_hidden()

    tab_to(page, "Show key")
    page.keyboard.press("Space")
    expect(key_page.field).to_have_value(server.ada_key)
    expect(key_page.eye_hide).to_be_focused()
    page.keyboard.press("Enter")
    key_page.expect_hidden()

    page.evaluate("navigator.clipboard.writeText('nothing yet')")
    tab_to(page, "Copy")
    page.keyboard.press("Enter")
    expect(key_page.status).to_have_text("Copied to the clipboard.")
    assert clipboard(page) == server.ada_key
    expect(key_page.copy).to_be_focused()

    tab_to(page, "Regenerate key", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(key_page.dialog).to_be_hidden()
    expect(key_page.regenerate).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(key_page.dialog).to_be_hidden()
    expect(key_page.regenerate).to_be_focused()
    assert server.call_api(server.ada_key).status == 200

    page.keyboard.press("Enter")
    expect(key_page.dialog).to_be_visible()
    tab_to(page, "Yes, regenerate", "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Key regenerated. The old key no longer works.")).to_be_visible()
    assert server.call_api(server.ada_key).status == 401

    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def test_the_open_dialog_holds_the_focus(server: DashboardServer, page: Page):
    """No control behind the dialog can be reached while it is open."""
    sign_in(page, server.ada)
    KeyPage(page).regenerate.click()
    for _ in range(8):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
        ), f"The focus left the dialog for {focused(page)!r}."


def test_the_skip_link_and_the_list_of_workspaces(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    page.reload()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to content"
    expect_visible_focus(page)
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()

    page.reload()
    summary = page.locator("summary")
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Testing")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Testing")).to_be_hidden()
    expect(summary).to_be_focused()
    page.keyboard.press("Enter")
    tab_to(page, page.get_by_role("link", name="Testing").inner_text())
    page.keyboard.press("Enter")
    expect_path(page, "/workspaces/ws_[0-9A-Za-z]+/api-webhooks")
    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
