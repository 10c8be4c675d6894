"""Times are relative and in the reader's zone, with the exact local time and UTC behind them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from playwright.sync_api import BrowserContext, Locator, Page, expect

from browser.dashboard import KeyPage, sign_in
from browser.dashboard_server import DashboardServer

ZONES = {"Europe/Berlin": r"CES?T|GMT\+[12]", "Asia/Kathmandu": r"GMT\+5:45"}


def instant_of(time: Locator) -> datetime:
    return datetime.fromisoformat(time.get_attribute("datetime"))


def test_the_exact_time_is_behind_the_relative_one(
    server: DashboardServer, new_context: Callable[..., BrowserContext]
):
    for zone in ZONES:
        expect_exact_time_behind(server, new_context(timezone_id=zone).new_page(), zone)


def expect_exact_time_behind(server: DashboardServer, page: Page, zone: str) -> None:
    sign_in(page, server.ada)
    time = KeyPage(page).fact("Generated").locator("time")
    button = time.get_by_role("button", name=re.compile(r"just now|\d+ minutes? ago"))
    instant = instant_of(time)
    local = instant.astimezone(ZoneInfo(zone))
    exact = re.compile(
        rf"{local:%a}, {local.day} {local:%b} {local.year}.*{local:%H:%M:%S} (?:{ZONES[zone]})"
        rf" · {instant:%Y-%m-%d %H:%M:%S} UTC"
    )
    expect(button).to_have_accessible_description(exact)
    expect(time.locator(".time-exact")).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")

    button.focus()
    page.keyboard.press("Enter")
    expect(time.locator(".time-exact")).to_be_visible()
    expect(time.locator(".time-exact")).to_have_text(exact)
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Space")
    expect(time.locator(".time-exact")).to_be_hidden()


def test_it_stays_fresh_while_the_page_is_open(server: DashboardServer, page: Page):
    page.clock.install()
    server.call_api(server.ada_key)
    sign_in(page, server.ada)
    last_used = KeyPage(page).fact("Last used")
    expect(last_used.get_by_role("button")).to_have_text("just now")
    expect(page.locator(".quota p")).to_have_text(re.compile(r"^999 of 1,000 left · more at \d\d:\d\d"))
    for forward, text in (("05:10", "5 minutes ago"), ("02:00:00", "2 hours ago"), ("50:00:00", "2 days ago")):
        page.clock.fast_forward(forward)
        expect(last_used.get_by_role("button")).to_have_text(text)
    expect(last_used).to_contain_text(" from 127.0.0.1")
    expect(page.locator(".quota p")).to_have_text(re.compile(r"^999 of 1,000 left · more since \d\d:\d\d"))


def test_a_wrong_clock_in_the_browser_changes_nothing(
    server: DashboardServer, new_context: Callable[..., BrowserContext]
):
    """How long ago something was is counted from the time at which the server made the page."""
    for hours in (-30, 30):
        page = new_context().new_page()
        page.clock.install(time=datetime.now(timezone.utc) + timedelta(hours=hours))
        server.call_api(server.ada_key)
        sign_in(page, server.ada)
        expect(KeyPage(page).fact("Last used").get_by_role("button")).to_have_text("just now")


def test_sessions_too(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    page = new_context(timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, server.ada, "/account")
    times = page.locator(".sessions time")
    expect(times).to_have_count(2)
    for time in times.all():
        time.get_by_role("button").click()
        expect(time.locator(".time-exact")).to_contain_text("GMT+5:45")


def test_without_scripts_times_are_utc(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    page = new_context(java_script_enabled=False, timezone_id="Asia/Kathmandu").new_page()
    sign_in(page, server.ada)
    time = KeyPage(page).fact("Generated").locator("time")
    expect(time).to_have_text(f"{instant_of(time):%Y-%m-%d %H:%M:%S} UTC")
