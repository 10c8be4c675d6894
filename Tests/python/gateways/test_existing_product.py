"""The examples for a product that already runs: paths that need a key, open paths, and the product's own tokens."""

from __future__ import annotations

import itertools
import posixpath
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateways.conftest import Certificate
from gateways.existing_product import EXISTING, ProductGateway
from gateways.expectations import RATE_LIMIT_HEADERS, expect_denied, expect_envelope, expect_identity, expect_rate_limit
from gateways.gate_server import CLIENT_ADDRESS, GateServer
from gateways.upstream import Received, Upstream
from harness.accounts import UNKNOWN_KEY, Account
from harness.http_client import Headers, Response
from harness.ports import free_port
from harness.waiting import eventually

# A path of each kind in the examples.
KEY, OTHER_HEADERS, OWN_TOKENS, BOTH = "/things", "/api/v1/things", "/app/things", "/graphql"
OPEN = ("/api/v1/status", "/webhooks/in", "/webhooks/a-b_c/d")
# What the product's own users send: a JWT may have the prefix of keys in it.
OWN = [
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "Bearer eyJhtdc_.tdc_eyJ.tdc_c2ln", "bearer  xtdc_1",
    "Token abc", "Bearer TDC_abc", "Bearer",
]
CASES = (str.title, str.lower, str.upper)


def forged_headers(account: Account) -> list[Headers]:
    """Claims to be somebody: in each, every header that Keybearer sends, with other separators between the words."""
    names = [*account.identity(), "x-keybearer-reason"]
    spellings = itertools.product("-_.", repeat=3)
    return [
        [(case(spelled(name, separators)), "usr_forged") for name, case in zip(names, itertools.cycle(CASES))]
        for separators in spellings
    ]


def spelled(name: str, separators: tuple[str, ...]) -> str:
    words = name.split("-")
    return words[0] + "".join(separator + word for separator, word in zip(separators, words[1:]))


def expect_open(received: Received, headers: Headers) -> None:
    """The product gets what the client sent, and no identity."""
    assert received.identity() == []
    for name in ("authorization", "x-api-key", "cookie"):
        sent = [value for each, value in headers if each.lower() == name and value]
        assert received.values(name) == sent


def expect_ids(product: ProductGateway, response: Response, received: Received, is_asked: bool) -> None:
    """One id, the same for the product and the client: Keybearer's, if it was asked."""
    if product.reports:
        assert response.values("x-request-id") == received.values("x-request-id")
    if is_asked:
        (found,) = received.values("x-request-id")
        assert found.startswith("req_")
    elif product.makes_ids:
        (found,) = received.values("x-request-id")
        assert len(found) >= 32 and not found.startswith("req_")


@pytest.mark.parametrize("target", [KEY, OTHER_HEADERS, OWN_TOKENS, BOTH])
def test_a_key_passes(product: ProductGateway, account: Account, upstream: Upstream, target: str):
    headers = [("X-Request-Id", "forged"), ("X-Forwarded-Proto", "http")]
    response = product.client.send(target=f"{target}?page=2", key=account.key, headers=headers)
    assert response.status == 200
    received = upstream.take_one()
    assert received.target == f"{target}?page=2"
    expect_identity(received, account)
    expect_ids(product, response, received, is_asked=True)
    if product.reports:
        expect_rate_limit(response, limit=100_000)
    named = product.client.send(target=target, key=account.key, headers=[("X-Workspace-Id", account.workspace)])
    assert named.status == 200
    expect_identity(upstream.take_one(), account, has_workspace=True)


def test_the_workspace_of_the_path(product: ProductGateway, account: Account, stranger: Account, upstream: Upstream):
    own, theirs = (f"/workspaces/{each.workspace}/things" for each in (account, stranger))
    for forged in ([], [("X-Forwarded-Uri", theirs), ("Forwarded", "proto=http")]):
        assert product.client.send(target=own, key=account.key, headers=forged).status == 200
        expect_identity(upstream.take_one(), account, has_workspace=True)
    denied = product.client.send(target=theirs, key=account.key, headers=[("X-Forwarded-Uri", own)])
    expect_denied(denied, upstream, 404, "NOT_FOUND")


def test_the_last_use_has_the_clients_address(product: ProductGateway, keybearer: GateServer, upstream: Upstream):
    """As the gateway saw it, never as the client claims."""
    account = keybearer.commands.create_account()
    headers = [("X-Forwarded-For", "192.0.2.1"), ("Forwarded", "for=192.0.2.1"), ("X-Real-Ip", "192.0.2.1")]
    assert product.client.send(key=account.key, headers=headers).status == 200
    upstream.take_one()
    eventually(lambda: keybearer.commands.last_used_ip(account.email), "the last use was not recorded", 15)
    assert keybearer.commands.last_used_ip(account.email) == CLIENT_ADDRESS


@pytest.mark.parametrize("listed", ["X-Keybearer-User, X-Keybearer-Role", "x-keybearer-workspace", "X-Request-Id"])
def test_a_client_cannot_have_headers_removed(
    product: ProductGateway, account: Account, upstream: Upstream, listed: str
):
    """Connection lists headers that go no further than the next hop; a gateway must not count its own among them."""
    for headers, connection in (([], f"close, {listed}"), ([("Connection", listed)], "close")):
        response = product.client.send(key=account.key, headers=headers, connection=connection)
        if response.status == 200:
            received = upstream.take_one()
            expect_identity(received, account)
            expect_ids(product, response, received, is_asked=True)
        else:
            assert (response.status, upstream.take()) == (400, [])


@pytest.mark.parametrize("target", [KEY, OTHER_HEADERS, "/", "/api/v1/statuses", "/api/v1/status/", "/webhook", "/ap"])
def test_nothing_passes_without_a_key(product: ProductGateway, upstream: Upstream, target: str):
    expect_denied(product.client.send(target=target), upstream, 401, "UNAUTHORIZED")
    for authorization in OWN:
        response = product.client.send(target=target, headers=[("Authorization", authorization)])
        expect_denied(response, upstream, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("target", [KEY, OTHER_HEADERS, OWN_TOKENS, BOTH])
def test_a_bad_key_never_passes(product: ProductGateway, account: Account, upstream: Upstream, target: str):
    """Not as a token of the product's either: whatever has a key in it is Keybearer's."""
    for authorization in (
        f"Bearer {UNKNOWN_KEY}", "Bearer tdc_short", f"Bearer {account.key} x", f"Bearer {account.key},x",
        f"Bearer x, Bearer {account.key}", f'Digest username="{account.key}"', account.key, f"Token {account.key}",
    ):
        response = product.client.send(target=target, headers=[("Authorization", authorization)])
        expect_denied(response, upstream, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("target", [KEY, OTHER_HEADERS, OWN_TOKENS, BOTH])
def test_a_key_and_a_token_are_neither(product: ProductGateway, account: Account, upstream: Upstream, target: str):
    headers = [("Authorization", f"Bearer {account.key}"), ("Authorization", OWN[0])]
    for order in (headers, headers[::-1]):
        # nginx itself takes such a request for malformed.
        assert product.client.send(target=target, headers=order).status in (400, 401)
        assert upstream.take() == []


@pytest.mark.parametrize("target", [OWN_TOKENS, BOTH])
def test_the_products_own_tokens_pass_untouched(
    product: ProductGateway, account: Account, upstream: Upstream, target: str
):
    others: list[Headers] = [[], [("Cookie", "session=1")], [("X-Api-Key", "pk_1")]]
    for headers in [[("Authorization", each)] for each in OWN] + others:
        response = product.client.send(target=target, headers=headers)
        assert response.status == 200
        received = upstream.take_one()
        expect_open(received, headers)
        expect_ids(product, response, received, is_asked=False)
        # The limits are the product's own.
        assert response.values("ratelimit") == ['"upstream";r=1;t=1']
        assert not any("hourly" in value for name in RATE_LIMIT_HEADERS for value in response.values(name))


@pytest.mark.parametrize("target", [OWN_TOKENS, BOTH, *OPEN])
def test_nobody_is_known_without_keybearer(
    product: ProductGateway, account: Account, upstream: Upstream, target: str
):
    """A client's own identity headers are removed in every spelling, or the request is refused."""
    for forged in forged_headers(account):
        response = product.client.send(target=target, headers=[("Authorization", OWN[0]), *forged])
        received = upstream.take()
        if response.status == 200:
            assert len(received) == 1
            expect_open(received[0], [("Authorization", OWN[0])])
        else:
            assert (response.status, received) == (400, [])


@pytest.mark.parametrize("target", OPEN)
def test_open_paths_need_no_key(product: ProductGateway, account: Account, upstream: Upstream, target: str):
    for headers in ([], [("Authorization", OWN[0])], [("Authorization", "Basic YTpi"), ("X-Api-Key", "pk_1")]):
        response = product.client.send("POST", f"{target}?a=/../b", headers=headers, body=b"hello")
        assert response.status == 200
        received = upstream.take_one()
        assert (received.target, received.body) == (f"{target}?a=/../b", b"hello")
        expect_open(received, headers)
        expect_ids(product, response, received, is_asked=False)
    # Keybearer is not asked: a key that is not valid changes nothing.
    assert product.client.send(target=target, key=UNKNOWN_KEY).status == 200
    assert upstream.take_one().identity() == []


@pytest.mark.parametrize(
    "target",
    [
        "/webhooks/../things", "/webhooks/%2e%2e/things", "/webhooks/..%2fthings", "/webhooks/%2E%2E%2Fthings",
        "/webhooks/..;/things", "/webhooks/..\\things", "/webhooks/..%5cthings", "/webhooks/%252e%252e/things",
        "/things/../webhooks/in", "/things/%2e%2e/webhooks/in", "/things/..;/webhooks/in", "/things//../webhooks/in",
        "//webhooks/in", "/./webhooks/in", "/webhooks//in", "/things/..%2fwebhooks/in", "/webhooks%2f..%2fthings",
        "/api/v1/status/../things", "/things/../api/v1/status", "/api//v1/status", "/api/v1/./status",
        "/app/../things", "/things/../app/x", "/things/..;/app/x", "/app/..;/things", "/app/..%2fthings",
        "/app//../things", "/things/..%2fapp/x", "/app/..%5cthings", "/app/%2e%2e%2fthings", "/app/%2E%2E%5Cthings",
        "/app/%252e%252e/things", "/app/..\\things", "https://localhost/things/../app/x",
    ],
)
def test_a_path_in_disguise_opens_nothing(product: ProductGateway, upstream: Upstream, target: str):
    """Whatever the product gets without a key is an open path, however laxly the product reads it."""
    response = product.client.send(target=target)
    received = upstream.take()
    if response.status != 200:
        assert response.status in (400, 401, 404, 307, 308)
        assert received == []
        return
    (only,) = received
    assert only.identity() == []
    plain = posixpath.normpath(unquote(unquote(only.target)).replace("\\", "/").replace(";", ""))
    for path in (plain, "/" + plain.lstrip("/"), only.target):
        assert path.startswith(("/webhooks/", "/app/")) or path == "/api/v1/status"


@pytest.mark.parametrize("kind", EXISTING, ids=lambda kind: kind.name)
def test_the_gate_is_down(kind: type[ProductGateway], tmp_path: Path, certificate: Certificate, upstream: Upstream):
    """What Keybearer decides is refused, and everything else works."""
    product = kind(tmp_path / kind.name, *certificate, f"127.0.0.1:{free_port()}", upstream.address)
    try:
        for target in (KEY, OTHER_HEADERS, OWN_TOKENS, BOTH):
            response = product.client.send(target=target, key=UNKNOWN_KEY)
            assert response.status == kind.unreachable_status
            if kind.unreachable_status == 503:
                expect_envelope(response, 503, "UNAVAILABLE")
                assert response.value("x-request-id") == response.json["requestId"]
        assert upstream.take() == []
        for target in (OWN_TOKENS, BOTH, *OPEN):
            headers = [("Authorization", OWN[0])]
            assert product.client.send(target=target, headers=headers).status == 200
            expect_open(upstream.take_one(), headers)
    finally:
        product.stop()
