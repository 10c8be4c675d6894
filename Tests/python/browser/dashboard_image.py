"""Takes the README's pictures of the dashboard again.

In Tests/python: `../../.venv/bin/python -m browser.dashboard_image`

Needs port 8080, so that the examples in the pictures read like those of a server with default settings.
"""

import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from browser.conftest import CHROMIUM, DESKTOP
from browser.dashboard import KeyPage, sign_in, usage_path
from browser.dashboard_server import DashboardServer
from harness.programs import REPOSITORY

PICTURES = REPOSITORY / "docs" / "images"


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        server = DashboardServer.demo(Path(directory), port=8080)
        try:
            assert server.call_api(server.ada_key).status == 200
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
            )
            page = browser.new_page(base_url=server.origin, viewport=DESKTOP, color_scheme="light")
            sign_in(page, server.ada)
            KeyPage(page).expect_hidden()
            page.screenshot(path=PICTURES / "dashboard.png")
            server.fill_usage()
            page.goto(usage_path(server) + "?range=30d")
            page.screenshot(path=PICTURES / "usage.png")
            browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
