"""What every answer carries for the browser: the cookie's attributes, the policy, and what may be kept."""

import re

from playwright.sync_api import Page

from browser.dashboard import key_path, sign_in
from browser.keybearer_process import Answer, KeybearerProcess

DIRECTIVES = {
    "default-src": "'none'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def directives(answer: Answer) -> dict[str, str]:
    parts = [part.strip().split(" ", 1) for part in answer.fields["content-security-policy"].split(";")]
    return {name: value for name, value in parts}


def expect_page_headers(answer: Answer) -> str:
    """The headers that every page has; answers the page's nonce."""
    assert answer.fields["content-type"] == "text/html; charset=utf-8"
    assert answer.fields["cache-control"] == "no-store"
    assert answer.fields["x-content-type-options"] == "nosniff"
    assert answer.fields["referrer-policy"] == "same-origin"
    assert answer.fields["cross-origin-opener-policy"] == "same-origin"
    assert not [name for name in answer.fields if name.startswith("access-control-")]
    policy = directives(answer)
    script = policy.pop("script-src")
    assert policy == DIRECTIVES
    nonce = re.fullmatch(r"'nonce-([0-9A-Za-z]{22,})'", script).group(1)
    scripts = re.findall(r"<script[^>]*>", answer.body)
    assert scripts and all(f'nonce="{nonce}"' in script for script in scripts)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", answer.body), "Inline style or script."
    return nonce


def test_every_page_has_the_headers(server: KeybearerProcess):
    cookie = server.sign_in(server.ada)
    (pro, free) = sorted(server.workspaces_of(server.ada.email), key=lambda each: each["plan"], reverse=True)
    pages = {
        "/account": 200, "/confirm": 200, "/nothing": 404, key_path(pro): 200, key_path(free): 200,
        f"{key_path(pro)}/regenerate": 200, f"{key_path(pro)}/reveal": 405,
    }
    answers = [(path, status, server.request("GET", path, cookie=cookie)) for path, status in pages.items()]
    answers += [(path, 200, server.request("GET", path)) for path in ("/sign-in", "/sign-up")]
    answers.append(("revealed", 200, server.post(f"{key_path(pro)}/reveal", {}, cookie)))
    answers.append(("refused", 401, server.post("/sign-in", {"email": "a@example.com", "password": "wrong"})))
    answers.append(("cross-site", 403, server.request("POST", "/sign-in", {}, {})))

    nonces = []
    for path, status, answer in answers:
        assert answer.status == status, path
        nonces.append(expect_page_headers(answer))
    assert len(set(nonces)) == len(nonces), "A nonce is used once."


def test_redirects_and_revealed_keys_are_not_kept(server: KeybearerProcess):
    cookie = server.sign_in(server.ada)
    path = key_path(next(each for each in server.workspaces_of(server.ada.email) if each["plan"] == "pro"))
    revealed = server.post(f"{path}/reveal", {}, cookie, Accept="application/json")
    assert revealed.json["data"]["key"] == server.ada_key
    for answer in (revealed, server.request("GET", "/", cookie=cookie), server.request("GET", "/")):
        assert answer.fields["cache-control"] == "no-store"
        assert answer.fields["x-content-type-options"] == "nosniff"


def test_assets_are_kept_by_the_hash_in_their_address(server: KeybearerProcess):
    page = server.request("GET", "/sign-in").body
    for name, kind in (("dashboard.css", "text/css"), ("dashboard.js", "text/javascript")):
        answer = server.request("GET", re.search(rf'"(/assets/{re.escape(name)}\?v=[0-9a-f]+)"', page).group(1))
        assert answer.status == 200, name
        assert answer.fields["content-type"] == f"{kind}; charset=utf-8"
        assert "immutable" in answer.fields["cache-control"]
        assert answer.fields["x-content-type-options"] == "nosniff"


def test_the_cookie(server: KeybearerProcess, page: Page):
    sign_in(page, server.ada)
    (cookie,) = page.context.cookies()
    assert cookie["name"] == "__Host-keybearer"
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    assert (cookie["domain"], cookie["path"]) == ("localhost", "/")
    assert len(cookie["value"]) >= 22
    assert page.evaluate("document.cookie") == ""

    answer = server.post("/sign-in", {"email": server.ada.email, "password": server.ada.password})
    attributes = {part.strip().split("=")[0] for part in answer.fields["set-cookie"].split(";")[1:]}
    assert attributes == {"Path", "Secure", "HttpOnly", "SameSite", "Max-Age"}, "No Domain with __Host-."
    assert answer.fields["cache-control"] == "no-store"
