"""Sign-in with an OpenID Connect provider that lies: nothing that it says wrong signs anybody in (``OIDCClient``).

What `doctor` says of such a provider (``ProviderExamination``) is here too.
"""

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from browser.dashboard_server import DashboardServer
from browser.identity_provider import (
    CLIENT_SECRET, COOKIE, Browser, HostileProvider, identities, provider_settings, send, serve_with_provider,
)
from harness.http_client import Response


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, module_provider: HostileProvider) -> Iterator[DashboardServer]:
    directory = tmp_path_factory.mktemp("oidc") / "demo"
    server = serve_with_provider(directory, module_provider.issuer, "--trusted-proxies", "127.0.0.0/8")
    yield server
    server.stop()
    expect_no_secret(server.log, module_provider)


@pytest.fixture
def browser_of(server: DashboardServer, provider: HostileProvider) -> Callable[[], Browser]:
    return lambda: Browser(server, provider)


def expect_no_secret(log: str, provider: HostileProvider) -> None:
    """No code, no token, no verifier and no secret is in the log."""
    assert CLIENT_SECRET not in log and "an-access-token" not in log and "eyJ" not in log
    for form in provider.forms:
        assert form["code"] not in log and form["code_verifier"] not in log


def expect_refused(browser: Browser, response: Response, status: int) -> None:
    """A page that says so, without a session and without what the provider said."""
    assert response.status == status, response.text
    assert "<h1>" in response.text and "an-access-token" not in response.text
    assert response.value("referrer-policy") == "no-referrer"
    assert not browser.is_signed_in


CLAIMS = {
    "another issuer": {"iss": "https://login.example"},
    "an issuer with a slash more": "slash",
    "no issuer": {"iss": None},
    "another audience": {"aud": "another"},
    "no audience": {"aud": None},
    "several audiences without a party": {"aud": ["keybearer", "another"]},
    "another party": {"aud": ["keybearer", "another"], "azp": "another"},
    "the nonce of another sign-in": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "an expired token": {"exp": 121},
    "a token from the future": {"iat": -125},
    "a token that is not good yet": {"nbf": -125},
    "no end": {"exp": None},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject that is too long": {"sub": "a" * 256},
}


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_wrong(browser_of: Callable[[], Browser], provider: HostileProvider, name: str):
    claims = CLAIMS[name]
    if claims == "slash":
        claims = {"iss": provider.issuer + "/"}
    # Spans before now.
    times = {claim: int(time.time()) - value for claim, value in claims.items() if isinstance(value, int)}
    provider.claims = {**claims, **times}
    browser = browser_of()
    expect_refused(browser, browser.sign_in(), 401)


FORGERIES = ["unsigned", "signed_with_secret", "signed_with_public_key", "signed_with_another_key", "changed"]


@pytest.mark.parametrize("forgery", FORGERIES)
def test_signatures_that_are_wrong(browser_of: Callable[[], Browser], provider: HostileProvider, forgery: str):
    provider.forge = getattr(provider, forgery)
    browser = browser_of()
    expect_refused(browser, browser.sign_in(), 401)


def test_two_minutes_of_skew_and_two_algorithms_are_accepted(
    server: DashboardServer, browser_of: Callable[[], Browser], provider: HostileProvider
):
    now = int(time.time())
    for claims in ({"exp": now - 100}, {"iat": now + 100}, {"nbf": now + 100}, {"aud": ["x", "keybearer"], "azp": "keybearer"}):
        provider.claims = claims
        browser = browser_of()
        assert browser.sign_in("?next=/account").value("location") == "/account"
        assert browser.is_signed_in
    provider.claims = {}
    provider.key, provider.algorithm, provider.key_id = provider.ec, "ES256", "ec"
    browser = browser_of()
    browser.sign_in()
    assert browser.is_signed_in
    assert identities(server) == [("ada", server.ada.email)]


def test_keys_rotate_and_are_fetched_again_once_a_minute(browser_of: Callable[[], Browser], provider: HostileProvider):
    browser = browser_of()
    browser.sign_in()
    assert browser.is_signed_in
    before = provider.asked.count("/keys")
    provider.key_id, provider.published = "two", [*provider.published, ("two", provider.rsa)]
    browser = browser_of()
    browser.sign_in()
    assert browser.is_signed_in and provider.asked.count("/keys") == before + 1
    # Another one within the minute: the provider is not asked again, whoever asks for it.
    provider.key_id, provider.published = "three", [*provider.published, ("three", provider.rsa)]
    for _ in range(3):
        browser = browser_of()
        expect_refused(browser, browser.sign_in(), 401)
    assert provider.asked.count("/keys") == before + 1


def test_the_state_binds_the_answer_to_the_browser(browser_of: Callable[[], Browser], provider: HostileProvider):
    """A thief's own answer signs nobody else in, and an answer that was seen is worth nothing."""
    thief, victim = browser_of(), browser_of()
    seen = thief.begin()
    expect_refused(victim, victim.get(seen, site="cross-site"), 400)
    victim.begin()
    expect_refused(victim, victim.get(seen, site="cross-site"), 400)
    assert COOKIE in victim.cookies, "the victim's own attempt lives on"
    code = seen.split("code=")[1].split("&")[0]
    own = victim.begin().split("&state=")[1]
    # The thief's code with the victim's state: the verifier is another.
    expect_refused(victim, victim.get(f"/sign-in/oidc/callback?code={code}&state={own}", site="cross-site"), 401)
    # Every attempt is good for one answer.
    path = victim.begin()
    cookie = victim.cookies[COOKIE]
    assert victim.get(path, site="cross-site").status == 303
    other = browser_of()
    other.cookies[COOKIE] = cookie
    expect_refused(other, other.get(path, site="cross-site"), 400)
    other.cookies[COOKIE] = cookie[:-1] + ("A" if cookie[-1] != "A" else "B")
    expect_refused(other, other.get(path, site="cross-site"), 400)


def test_an_address_counts_as_verified_by_true_alone(
    server: DashboardServer, browser_of: Callable[[], Browser], provider: HostileProvider
):
    for verified in (False, None, "true", "True", 1, ["true"]):
        provider.claims = {"sub": "mallory", "email_verified": verified}
        browser = browser_of()
        assert browser.sign_in().value("location") == "/sign-in?connect=1&next=/sign-in/oidc/link"
        assert not browser.is_signed_in
    assert "mallory" not in dict(identities(server))


def test_the_address_comes_from_the_userinfo_endpoint_where_the_token_has_none(
    server: DashboardServer, browser_of: Callable[[], Browser], provider: HostileProvider
):
    server.commands.create_user("ida@example.com", "Ida")
    provider.claims = {"sub": "ida", "email": None, "email_verified": None}
    # Of somebody else it says nothing that counts.
    provider.user_info = {"sub": "eve", "email": "ida@example.com", "email_verified": True}
    browser = browser_of()
    assert "connect=1" in browser.sign_in().value("location") and not browser.is_signed_in
    provider.user_info["sub"] = "ida"
    browser = browser_of()
    browser.sign_in()
    assert browser.is_signed_in and ("ida", "ida@example.com") in identities(server)


def test_confirming_wants_proof_that_was_given_again(browser_of: Callable[[], Browser], provider: HostileProvider):
    browser = browser_of()
    browser.sign_in()
    session = browser.cookies["__Host-keybearer"]
    browser.begin("?confirm=1&next=/account")
    assert provider.last_query["prompt"] == "login" and provider.last_query["max_age"] == "0"
    for claims in ({"auth_time": None}, {"auth_time": int(time.time()) - 130}):
        provider.claims = claims
        assert browser.sign_in("?confirm=1&next=/account").status == 401
    provider.claims = {"sub": "mallory"}
    assert browser.sign_in("?confirm=1&next=/account").status == 403
    assert browser.cookies["__Host-keybearer"] == session and browser.is_signed_in
    provider.claims = {}
    assert browser.sign_in("?confirm=1&next=/account").value("location") == "/account"
    assert browser.cookies["__Host-keybearer"] != session and browser.is_signed_in


def drip(handler) -> None:
    """A byte at a time, for longer than anybody waits."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    while not handler.server_release.wait(0.2):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return


RESPONSES = {
    "a redirect": (lambda handler: send(handler, 302, {}, Location="http://127.0.0.1:1/"), 503),
    "more than a megabyte": (lambda handler: send(handler, 200, b"[" + b" " * 1_100_000 + b"]"), 503),
    "no JSON": (lambda handler: send(handler, 200, b"<html>"), 401),
    "no ID token": (lambda handler: send(handler, 200, {"access_token": "x"}), 401),
    "a token that is none": (lambda handler: send(handler, 200, {"id_token": "a.b.c"}), 401),
    "a refusal": (lambda handler: send(handler, 400, {"error": "<script>"}), 401),
    "a fault": (lambda handler: send(handler, 500, {}), 503),
    "a cut connection": (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), 503),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_answers_of_the_token_endpoint(browser_of: Callable[[], Browser], provider: HostileProvider, name: str):
    respond, status = RESPONSES[name]
    provider.responses["/token"] = respond
    browser = browser_of()
    expect_refused(browser, browser.sign_in(), status)


def test_a_slow_provider_is_not_waited_for(browser_of: Callable[[], Browser], provider: HostileProvider):
    """Each part comes in time, and all of them together do not."""
    def respond(handler) -> None:
        handler.server_release = provider.released
        drip(handler)

    provider.responses["/token"] = respond
    browser = browser_of()
    expect_refused(browser, browser.sign_in(), 503)
    provider.released.set()


DOCUMENTS = {
    "another issuer": {"issuer": "https://login.example"},
    "plain HTTP elsewhere": {"token_endpoint": "http://login.example/token"},
    "no keys": {"jwks_uri": None},
    "another scheme": {"authorization_endpoint": "javascript:alert(1)"},
}


def test_doctor_says_what_is_wrong_with_a_provider(server: DashboardServer, provider: HostileProvider):
    settings = provider_settings(server.directory, provider.issuer, server.origin)

    def finding(*options: str) -> dict:
        done = server.commands.attempt("doctor", "--json", *settings, *options)
        found = [each for each in json.loads(done.stdout) if each["subject"] == "oidc"]
        assert (done.returncode == 78) == (found[0]["state"] == "broken"), done.stdout
        return found[0]

    assert finding()["state"] == "ok" and "has 2 keys" in finding()["message"]
    for name, change in DOCUMENTS.items():
        provider.metadata = change
        assert finding()["state"] == "broken", name
    provider.metadata = {}
    provider.published = []
    assert finding()["state"] == "broken"
    provider.reset()
    secret = Path(settings[settings.index("--oidc-client-secret-file") + 1])
    secret.chmod(0o644)
    assert "chmod 600" in finding()["message"]
    secret.chmod(0o600)


def test_a_provider_that_is_down(tmp_path: Path):
    """The sign-in page works, and so does the password."""
    provider = HostileProvider()
    server = serve_with_provider(tmp_path / "demo", provider.issuer, "--trusted-proxies", "127.0.0.0/8")
    browser = Browser(server, provider)
    provider.stop()
    response = browser.get("/sign-in/oidc")
    assert response.status == 503 and "Example cannot be reached" in response.text and not browser.cookies
    assert browser.get("/sign-in").status == 200
    signed_in = browser.post("/sign-in", {"email": server.ada.email, "password": server.ada.password})
    assert signed_in.status == 303 and browser.is_signed_in
    server.stop()
