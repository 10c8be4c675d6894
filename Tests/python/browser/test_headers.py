"""What every response carries for the browser: the cookie, the policy, and what may be stored (``AssetHandlers``)."""

import re

import pytest
from playwright.sync_api import Page

from browser.dashboard import key_path, sign_in
from browser.dashboard_server import DashboardServer
from harness.http_client import Response

DIRECTIVES = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def directives(response: Response) -> dict[str, str]:
    parts = [part.strip().split(" ", 1) for part in response.value("content-security-policy").split(";")]
    return {name: value for name, value in parts}


def expect_page_headers(response: Response) -> str:
    """The headers that every page has; returns the page's nonce."""
    assert response.value("content-type") == "text/html; charset=utf-8"
    assert response.value("cache-control") == "no-store"
    assert response.value("x-content-type-options") == "nosniff"
    assert response.value("referrer-policy") == "same-origin"
    assert response.value("cross-origin-opener-policy") == "same-origin"
    assert not [name for name, _ in response.headers if name.startswith("access-control-")]
    policy = directives(response)
    script = policy.pop("script-src")
    assert policy == DIRECTIVES
    nonce = re.fullmatch(r"'nonce-([0-9A-Za-z]{22,})'", script).group(1)
    scripts = re.findall(r"<script[^>]*>", response.text)
    assert scripts and all(f'nonce="{nonce}"' in script for script in scripts)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", response.text), "Inline style or script."
    return nonce


def test_every_page_has_the_headers(server: DashboardServer):
    cookie = server.sign_in(server.ada)
    (pro, free) = sorted(server.commands.workspaces_of(server.ada.email), key=lambda each: each["plan"], reverse=True)
    pages = {
        "/account": 200, "/confirm": 200, "/nothing": 404, key_path(pro): 200, key_path(free): 200,
        f"{key_path(pro)}/regenerate": 200, f"{key_path(pro)}/reveal": 405,
    }
    responses = [(path, status, server.request("GET", path, cookie=cookie)) for path, status in pages.items()]
    responses += [(path, 200, server.request("GET", path)) for path in ("/sign-in", "/sign-up")]
    responses.append(("revealed", 200, server.post(f"{key_path(pro)}/reveal", {}, cookie)))
    responses.append(("refused", 401, server.post("/sign-in", {"email": "a@example.com", "password": "wrong"})))
    responses.append(("cross-site", 403, server.request("POST", "/sign-in", {}, {})))

    nonces = []
    for path, status, response in responses:
        assert response.status == status, path
        nonces.append(expect_page_headers(response))
    assert len(set(nonces)) == len(nonces), "A nonce is used once."


def test_redirects_and_revealed_keys_are_not_stored(server: DashboardServer):
    cookie = server.sign_in(server.ada)
    path = key_path(next(each for each in server.commands.workspaces_of(server.ada.email) if each["plan"] == "pro"))
    revealed = server.post(f"{path}/reveal", {}, cookie, Accept="application/json")
    assert revealed.json["data"]["key"] == server.ada_key
    for response in (revealed, server.request("GET", "/", cookie=cookie), server.request("GET", "/")):
        assert response.value("cache-control") == "no-store"
        assert response.value("x-content-type-options") == "nosniff"


def test_assets_are_stored_by_the_hash_in_their_address(server: DashboardServer):
    page = server.request("GET", "/sign-in").text
    for name, kind in (("dashboard.css", "text/css"), ("dashboard.js", "text/javascript")):
        response = server.request("GET", re.search(rf'"{server.path("")}(/assets/{re.escape(name)}\?v=[0-9a-f]+)"', page).group(1))
        assert response.status == 200, name
        assert response.value("content-type") == f"{kind}; charset=utf-8"
        assert "immutable" in response.value("cache-control")
        assert response.value("x-content-type-options") == "nosniff"


@pytest.mark.whole_host
def test_the_cookie(server: DashboardServer, page: Page):
    sign_in(page, server.ada)
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "__Host-keybearer"
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
    assert len(cookie["value"]) >= 22
    assert page.evaluate("document.cookie") == ""

    response = server.post("/sign-in", {"email": server.ada.email, "password": server.ada.password})
    attributes = {part.strip().split("=")[0] for part in response.value("set-cookie").split(";")[1:]}
    assert attributes == {"Path", "Secure", "HttpOnly", "SameSite", "Max-Age"}, "No Domain with __Host-."
    assert response.value("cache-control") == "no-store"
