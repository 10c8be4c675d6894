"""The tab "Usage" (``UsagePageHandlers``): how many requests were admitted and refused, by whose clocks, and as CSV."""

import csv
import io
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from browser.conftest import ConsoleWatch
from browser.dashboard import sign_in, usage_path
from browser.dashboard_server import DashboardServer
from harness.waiting import eventually


def numbers(texts: list[str]) -> list[int]:
    return [int(text.replace(",", "")) for text in texts]


def total(page: Page) -> int:
    """What the page says in large figures."""
    return sum(numbers(page.locator(".totals dd").all_inner_texts()))


def rows(page: Page) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in page.locator(".counts tbody tr").all()]


def test_requests_appear_with_their_reasons(server: DashboardServer, page: Page):
    for _ in range(3):
        assert server.call_api(server.ada_key).status == 200
    path = usage_path(server)
    sign_in(page, server.ada, path.removesuffix("/usage"))
    page.get_by_role("link", name="Usage", exact=True).click()
    expect(page.get_by_role("link", name="Usage", exact=True)).to_have_attribute("aria-current", "page")
    admitted = page.locator(".totals dd").first

    def is_written() -> bool:
        page.reload()
        return admitted.inner_text() == "3"

    # The server writes about once a second.
    eventually(is_written, "the requests are counted", pause=0.2)
    expect(page.locator(".counts tbody tr").last).to_contain_text("not over yet")
    expect(page.locator(".counts tfoot td")).to_have_text(["3", "0", "0", "0", "0"])


@pytest.mark.parametrize("span, bars", [("24h", 24), ("30d", 30), ("12m", 12)])
def test_table_total_and_csv_agree(server: DashboardServer, page: Page, span: str, bars: int):
    server.fill_usage()
    sign_in(page, server.ada, f"{usage_path(server)}?range={span}&timeZone=Asia/Kathmandu")
    expect(page.locator(".counts tbody tr")).to_have_count(bars)
    table = rows(page)
    shown = sum(sum(numbers(cells[1:])) for cells in table)
    assert shown == total(page) == sum(numbers(page.locator(".counts tfoot td").all_inner_texts())) > 0

    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    assert download.value.suggested_filename == f"usage-{span}.csv"
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(io.StringIO(file.read())))
    assert len(lines) == bars
    assert sum(int(line["admitted"]) + int(line["refused"]) for line in lines) == shown
    assert {line["time_zone"] for line in lines} == {"Asia/Kathmandu"}
    assert [line["is_partial"] for line in lines] == ["false"] * (bars - 1) + ["true"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:00:00\+05:45", lines[0]["start"])


def test_range_and_zone_keep_each_other(server: DashboardServer, page: Page):
    sign_in(page, server.ada, usage_path(server))
    page.get_by_label("Time zone").select_option("America/St_Johns")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("Each begins by the clocks of America/St_Johns.")).to_be_visible()
    page.get_by_role("link", name="12 months").click()
    expect(page.get_by_role("heading", name="Requests in 12 months")).to_be_visible()
    expect(page.get_by_label("Time zone")).to_have_value("America/St_Johns")
    expect(page.get_by_role("navigation", name="Time range").locator("[aria-current]")).to_have_text("12 months")


def test_an_unknown_zone_is_named_and_utc_shown(server: DashboardServer, page: Page, console: ConsoleWatch):
    console.expect_status(400)
    sign_in(page, server.ada, usage_path(server) + "?range=24h&timeZone=Europe/Atlantis")
    expect(page.get_by_role("alert")).to_contain_text("timeZone must be a name of the IANA time zone database")
    expect(page.get_by_label("Time zone")).to_have_value("UTC")
    expect(page.locator(".counts tbody tr")).to_have_count(24)


def test_a_locked_workspace_shows_no_counts(server: DashboardServer, page: Page):
    server.fill_usage()
    free = next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "free")
    path = f"/workspaces/{free['id']}/api-webhooks/usage"
    sign_in(page, server.ada, path)
    expect(page.get_by_role("heading", name="API & Webhooks is not part of the Free plan")).to_be_visible()
    assert page.locator("table, svg.chart-picture").count() == 0
    assert server.request("GET", path + ".csv", cookie=server.sign_in(server.ada)).status == 403
    page.get_by_role("link", name="See how to unlock it").click()
    expect(page.get_by_role("button", name="Switch to Pro")).to_be_visible()


def test_it_works_without_scripts(server: DashboardServer, new_context: Callable[..., BrowserContext]):
    server.fill_usage()
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, server.ada, usage_path(server))
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("svg.chart-picture")).to_be_visible()
    expect(page.get_by_text("Each begins by the clocks of Europe/Berlin.")).to_be_visible()
    assert total(page) > 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_small_screen(
    server: DashboardServer, new_context: Callable[..., BrowserContext], scheme: str
):
    server.fill_usage()
    page = new_context(viewport={"width": 360, "height": 740}, color_scheme=scheme).new_page()
    sign_in(page, server.ada, usage_path(server) + "?range=24h&timeZone=America/St_Johns")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    expect(page.locator("svg.chart-picture")).to_be_visible()
