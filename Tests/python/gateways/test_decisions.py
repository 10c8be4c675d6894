"""What passes and what does not, as the client and the API see it behind each gateway."""

from __future__ import annotations

import pytest

from gateways.expectations import RATE_LIMIT_HEADERS, expect_denied, expect_identity, expect_rate_limit
from gateways.gate_server import CLIENT_ADDRESS, GateServer
from gateways.gateways import Gateway
from gateways.upstream import Upstream
from harness.accounts import UNKNOWN_KEY, Account
from harness.connection import request_head

NOBODYS_WORKSPACE = "ws_00000000000000000000"


def test_a_key_passes_and_its_owner_is_named(gateway: Gateway, account: Account, upstream: Upstream):
    response = gateway.client.send(target="/things?page=2&q=a%20b", key=account.key)
    assert response.status == 200
    received = upstream.take_one()
    assert (received.method, received.target) == ("GET", "/things?page=2&q=a%20b")
    expect_identity(received, account)


def test_the_rate_limit_reaches_the_client(gateway: Gateway, account: Account, upstream: Upstream):
    """The gate's headers and not those that the API sends under the same names."""
    response = gateway.client.send(key=account.key)
    upstream.take_one()
    if gateway.reports_rate_limit:
        left = expect_rate_limit(response, limit=100_000)
        assert expect_rate_limit(gateway.client.send(key=account.key), limit=100_000) == left - 1
    else:
        assert not any("hourly" in value for name in RATE_LIMIT_HEADERS for value in response.values(name))


def test_no_key(gateway: Gateway, account: Account, upstream: Upstream):
    response = gateway.client.send()
    expect_denied(response, upstream, 401, "UNAUTHORIZED")
    assert "error=" not in response.value("www-authenticate")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PURGE"])
def test_no_key_with_other_methods(gateway: Gateway, upstream: Upstream, method: str):
    response = gateway.client.send(method)
    assert response.status == 401
    assert response.value("www-authenticate").startswith('Bearer realm="')
    assert upstream.take() == []


@pytest.mark.parametrize("key", [UNKNOWN_KEY, "tdc_short", "", "a b"])
def test_a_bad_key(gateway: Gateway, account: Account, upstream: Upstream, key: str):
    response = gateway.client.send(key=key)
    expect_denied(response, upstream, 401, "UNAUTHORIZED")


def test_two_keys_are_none(gateway: Gateway, account: Account, upstream: Upstream):
    """A gateway that picked one of them might pick another than the API."""
    headers = [("Authorization", f"Bearer {account.key}"), ("Authorization", f"Bearer {UNKNOWN_KEY}")]
    for order in (headers, headers[::-1], headers[:1] * 2):
        # nginx itself takes such a request for malformed.
        assert gateway.client.send(headers=order).status in (400, 401)
    assert upstream.take() == []


def test_the_scheme_in_any_case(gateway: Gateway, account: Account, upstream: Upstream):
    assert gateway.client.send(headers=[("authorization", f"bEARER {account.key}")]).status == 200
    expect_identity(upstream.take_one(), account)


def test_a_plan_without_the_api(gateway: Gateway, locked_account: Account, upstream: Upstream):
    expect_denied(gateway.client.send(key=locked_account.key), upstream, 403, "FEATURE_LOCKED")


def test_allowed_networks(gateway: Gateway, keybearer: GateServer, upstream: Upstream):
    account = keybearer.commands.create_account("pro")
    keybearer.commands.run("user", "set-networks", account.id, "203.0.113.0/24")
    expect_denied(gateway.client.send(key=account.key), upstream, 403, "ADDRESS_NOT_ALLOWED")
    keybearer.commands.run("user", "set-networks", account.id, f"{CLIENT_ADDRESS}/32")
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()


def test_a_used_up_rate_limit(gateway: Gateway, keybearer: GateServer, upstream: Upstream):
    keybearer.commands.create_plan("tiny", 2)
    account = keybearer.commands.create_account("tiny")
    for _ in range(2):
        assert gateway.client.send(key=account.key).status == 200
    assert len(upstream.take()) == 2
    response = gateway.client.send(key=account.key)
    expect_denied(response, upstream, 429, "RATE_LIMITED")
    assert expect_rate_limit(response, limit=2) == 0
    seconds = int(response.value("ratelimit").split(";t=")[1])
    assert int(response.value("retry-after")) >= seconds > 0


def test_a_workspace_named_in_a_header(gateway: Gateway, account: Account, upstream: Upstream):
    response = gateway.client.send(key=account.key, headers=[("x-workspace-ID", account.workspace)])
    assert response.status == 200
    expect_identity(upstream.take_one(), account, has_workspace=True)


def test_a_workspace_named_in_the_path(gateway: Gateway, account: Account, upstream: Upstream):
    for target in (f"/workspaces/{account.workspace}", f"/workspaces/{account.workspace}/things?x=1"):
        assert gateway.client.send(target=target, key=account.key).status == 200
        received = upstream.take_one()
        assert received.target == target
        expect_identity(received, account, has_workspace=True)


def test_a_workspace_of_somebody_else(gateway: Gateway, account: Account, stranger: Account, upstream: Upstream):
    for workspace in (stranger.workspace, NOBODYS_WORKSPACE):
        by_header = gateway.client.send(key=account.key, headers=[("X-Workspace-Id", workspace)])
        expect_denied(by_header, upstream, 404, "NOT_FOUND")
        by_path = gateway.client.send(target=f"/workspaces/{workspace}/things", key=account.key)
        expect_denied(by_path, upstream, 404, "NOT_FOUND")


def test_two_workspaces_in_one_request(gateway: Gateway, account: Account, stranger: Account, upstream: Upstream):
    own, theirs = ("X-Workspace-Id", account.workspace), ("X-Workspace-Id", stranger.workspace)
    for headers in ([own, theirs], [theirs, own]):
        expect_denied(gateway.client.send(key=account.key, headers=headers), upstream, 400, "BAD_REQUEST")
    response = gateway.client.send(target=f"/workspaces/{account.workspace}", key=account.key, headers=[theirs])
    expect_denied(response, upstream, 400, "BAD_REQUEST")


@pytest.mark.parametrize(
    "path",
    [
        "/x/../workspaces/{}", "/x/%2e%2e/workspaces/{}", "//workspaces/{}", "/./workspaces/{}", "/%77orkspaces/{}",
        "/workspaces//{}", "/workspaces/{}/../../things", "/workspaces%2f{}", "/workspaces\\{}",
        "/workspaces/%2577s/../{}", "https://localhost/workspaces/{}",
    ],
)
def test_a_path_in_disguise(gateway: Gateway, account: Account, stranger: Account, upstream: Upstream, path: str):
    """Whatever path the API gets, it is the one that was judged: never one that comes to somebody else's workspace."""
    response = gateway.client.send(target=path.format(stranger.workspace), key=account.key)
    received = upstream.take()
    if response.status == 200:
        # A gateway may have brought it to a plain form that names no workspace.
        assert [each.target for each in received] == ["/things"]
        expect_identity(received[0], account)
    else:
        assert response.status in (400, 404)
        assert received == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_other_methods_and_bodies_pass_unchanged(gateway: Gateway, account: Account, upstream: Upstream, method: str):
    # More than a gateway's buffer, so that a body is not only passed on where it fits one.
    body = bytes(range(256)) * 400
    response = gateway.client.send(method, "/things", key=account.key, body=body)
    assert response.status == 200
    received = upstream.take_one()
    assert (received.method, received.target) == (method, "/things")
    assert received.body == body
    expect_identity(received, account)


def test_a_chunked_body_passes(gateway: Gateway, account: Account, upstream: Upstream):
    headers = [("Host", "localhost"), ("Authorization", f"Bearer {account.key}"), ("Transfer-Encoding", "chunked")]
    request = request_head("POST", "/things", [*headers, ("Connection", "close")])
    request += b"5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n"
    assert gateway.client.send_bytes(request, "POST").status == 200
    received = upstream.take_one()
    assert received.body == b"hello there"
    expect_identity(received, account)


def test_head_passes_without_a_body(gateway: Gateway, account: Account, upstream: Upstream):
    response = gateway.client.send("HEAD", key=account.key)
    assert (response.status, response.body) == (200, b"")
    assert upstream.take_one().method == "HEAD"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_the_apis_own_refusals_are_not_touched(gateway: Gateway, account: Account, upstream: Upstream, status: int):
    response = gateway.client.send(key=account.key, headers=[("X-Wanted-Status", str(status))])
    assert response.status == status
    assert response.value("x-upstream") == "reached"
    assert response.json["target"] == "/things"
    upstream.take_one()


def test_an_upgrade_needs_a_key_too(gateway: Gateway, upstream: Upstream):
    headers = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "A" * 22 + "==")]
    assert gateway.client.send(headers=headers, connection="Upgrade").status in (401, 403)
    assert upstream.take() == []


def test_a_regenerated_key_is_rejected_immediately(
    gateway: Gateway, keybearer: GateServer, changing_account: Account, upstream: Upstream
):
    account = changing_account
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    new = keybearer.commands.run("key", "regenerate", account.email).strip()
    expect_denied(gateway.client.send(key=account.key), upstream, 401, "UNAUTHORIZED")
    assert gateway.client.send(key=new).status == 200
    assert dict(upstream.take_one().identity())["x-keybearer-key-prefix"] == new[:8]


def test_other_changes_hold_immediately(
    gateway: Gateway, keybearer: GateServer, changing_account: Account, upstream: Upstream
):
    account = changing_account
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    keybearer.commands.run("workspace", "set-plan", account.workspace, "free")
    expect_denied(gateway.client.send(key=account.key), upstream, 403, "FEATURE_LOCKED")
    keybearer.commands.run("workspace", "set-plan", account.workspace, "pro")
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    keybearer.commands.run("user", "disable", account.email)
    expect_denied(gateway.client.send(key=account.key), upstream, 401, "UNAUTHORIZED")
