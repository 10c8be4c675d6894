"""What passes and what does not, as the client and the API see it behind each gateway."""

from __future__ import annotations

import pytest

from gateways.client import head
from gateways.expectations import RATE_LIMIT_FIELDS, expect_denied, expect_identity, expect_rate_limit
from gateways.gateways import Gateway
from gateways.keybearer_process import UNKNOWN_KEY, Account, Keybearer
from gateways.upstream import Upstream

NOBODYS_WORKSPACE = "ws_00000000000000000000"


def test_a_key_passes_and_its_owner_is_named(gateway: Gateway, account: Account, upstream: Upstream):
    answer = gateway.client.send(target="/things?page=2&q=a%20b", key=account.key)
    assert answer.status == 200
    received = upstream.take_one()
    assert (received.method, received.target) == ("GET", "/things?page=2&q=a%20b")
    expect_identity(received, account)


def test_the_hour_reaches_the_client(gateway: Gateway, account: Account, upstream: Upstream):
    """The gate's fields and not those that the API sends under the same names."""
    answer = gateway.client.send(key=account.key)
    upstream.take_one()
    if gateway.reports_rate_limit:
        left = expect_rate_limit(answer, limit=100_000)
        assert expect_rate_limit(gateway.client.send(key=account.key), limit=100_000) == left - 1
    else:
        assert not any("hourly" in value for name in RATE_LIMIT_FIELDS for value in answer.values(name))


def test_no_key(gateway: Gateway, account: Account, upstream: Upstream):
    answer = gateway.client.send()
    expect_denied(answer, upstream, 401, "UNAUTHORIZED")
    assert "error=" not in answer.value("www-authenticate")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "POST", "PURGE"])
def test_no_key_with_other_methods(gateway: Gateway, upstream: Upstream, method: str):
    answer = gateway.client.send(method)
    assert answer.status == 401
    assert answer.value("www-authenticate").startswith('Bearer realm="')
    assert upstream.take() == []


@pytest.mark.parametrize("key", [UNKNOWN_KEY, "tdc_short", "", "a b"])
def test_a_bad_key(gateway: Gateway, account: Account, upstream: Upstream, key: str):
    answer = gateway.client.send(key=key)
    expect_denied(answer, upstream, 401, "UNAUTHORIZED")


def test_two_keys_are_none(gateway: Gateway, account: Account, upstream: Upstream):
    """A gateway that picked one of them might pick another than the API."""
    fields = [("Authorization", f"Bearer {account.key}"), ("Authorization", f"Bearer {UNKNOWN_KEY}")]
    for order in (fields, fields[::-1], fields[:1] * 2):
        # nginx itself takes such a request for malformed.
        assert gateway.client.send(fields=order).status in (400, 401)
    assert upstream.take() == []


def test_the_scheme_in_any_case(gateway: Gateway, account: Account, upstream: Upstream):
    assert gateway.client.send(fields=[("authorization", f"bEARER {account.key}")]).status == 200
    expect_identity(upstream.take_one(), account)


def test_a_plan_without_the_api(gateway: Gateway, keybearer: Keybearer, upstream: Upstream):
    locked = keybearer.create_account("free")
    expect_denied(gateway.client.send(key=locked.key), upstream, 403, "FEATURE_LOCKED")


def test_a_used_up_hour(gateway: Gateway, keybearer: Keybearer, upstream: Upstream):
    keybearer.create_plan("tiny", 2)
    account = keybearer.create_account("tiny")
    for _ in range(2):
        assert gateway.client.send(key=account.key).status == 200
    assert len(upstream.take()) == 2
    answer = gateway.client.send(key=account.key)
    expect_denied(answer, upstream, 429, "RATE_LIMITED")
    assert expect_rate_limit(answer, limit=2) == 0
    seconds = int(answer.value("ratelimit").split(";t=")[1])
    assert int(answer.value("retry-after")) >= seconds > 0


def test_a_workspace_named_in_a_field(gateway: Gateway, account: Account, upstream: Upstream):
    answer = gateway.client.send(key=account.key, fields=[("x-workspace-ID", account.workspace)])
    assert answer.status == 200
    expect_identity(upstream.take_one(), account, named=True)


def test_a_workspace_named_in_the_path(gateway: Gateway, account: Account, upstream: Upstream):
    for target in (f"/workspaces/{account.workspace}", f"/workspaces/{account.workspace}/things?x=1"):
        assert gateway.client.send(target=target, key=account.key).status == 200
        received = upstream.take_one()
        assert received.target == target
        expect_identity(received, account, named=True)


def test_a_workspace_of_somebody_else(gateway: Gateway, account: Account, stranger: Account, upstream: Upstream):
    for workspace in (stranger.workspace, NOBODYS_WORKSPACE):
        by_field = gateway.client.send(key=account.key, fields=[("X-Workspace-Id", workspace)])
        expect_denied(by_field, upstream, 404, "NOT_FOUND")
        by_path = gateway.client.send(target=f"/workspaces/{workspace}/things", key=account.key)
        expect_denied(by_path, upstream, 404, "NOT_FOUND")


def test_two_workspaces_at_once(gateway: Gateway, account: Account, stranger: Account, upstream: Upstream):
    own, theirs = ("X-Workspace-Id", account.workspace), ("X-Workspace-Id", stranger.workspace)
    for fields in ([own, theirs], [theirs, own]):
        expect_denied(gateway.client.send(key=account.key, fields=fields), upstream, 400, "BAD_REQUEST")
    answer = gateway.client.send(target=f"/workspaces/{account.workspace}", key=account.key, fields=[theirs])
    expect_denied(answer, upstream, 400, "BAD_REQUEST")


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
    answer = gateway.client.send(target=path.format(stranger.workspace), key=account.key)
    received = upstream.take()
    if answer.status == 200:
        # A gateway may have brought it to a plain form that names no workspace.
        assert [each.target for each in received] == ["/things"]
        expect_identity(received[0], account)
    else:
        assert answer.status in (400, 404)
        assert received == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_other_methods_and_bodies_pass_unchanged(gateway: Gateway, account: Account, upstream: Upstream, method: str):
    # More than a gateway's buffer, so that a body is not only passed on where it fits one.
    body = bytes(range(256)) * 400
    answer = gateway.client.send(method, "/things", key=account.key, body=body)
    assert answer.status == 200
    received = upstream.take_one()
    assert (received.method, received.target) == (method, "/things")
    assert received.body == body
    expect_identity(received, account)


def test_a_chunked_body_passes(gateway: Gateway, account: Account, upstream: Upstream):
    fields = [("Host", "localhost"), ("Authorization", f"Bearer {account.key}"), ("Transfer-Encoding", "chunked")]
    request = head("POST", "/things", [*fields, ("Connection", "close")]) + b"5\r\nhello\r\n6\r\n there\r\n0\r\n\r\n"
    assert gateway.client.send_bytes(request, "POST").status == 200
    received = upstream.take_one()
    assert received.body == b"hello there"
    expect_identity(received, account)


def test_head_passes_without_a_body(gateway: Gateway, account: Account, upstream: Upstream):
    answer = gateway.client.send("HEAD", key=account.key)
    assert (answer.status, answer.body) == (200, b"")
    assert upstream.take_one().method == "HEAD"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_the_apis_own_refusals_are_not_touched(gateway: Gateway, account: Account, upstream: Upstream, status: int):
    answer = gateway.client.send(key=account.key, fields=[("X-Wanted-Status", str(status))])
    assert answer.status == status
    assert answer.value("x-upstream") == "reached"
    assert answer.json["target"] == "/things"
    upstream.take_one()


def test_an_upgrade_needs_a_key_too(gateway: Gateway, upstream: Upstream):
    fields = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"), ("Sec-WebSocket-Key", "A" * 22 + "==")]
    assert gateway.client.send(fields=fields, connection="Upgrade").status in (401, 403)
    assert upstream.take() == []


def test_a_regenerated_key_is_dead_at_once(gateway: Gateway, keybearer: Keybearer, upstream: Upstream):
    account = keybearer.create_account()
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    new = keybearer.cli("key", "regenerate", account.email).strip()
    expect_denied(gateway.client.send(key=account.key), upstream, 401, "UNAUTHORIZED")
    assert gateway.client.send(key=new).status == 200
    assert dict(upstream.take_one().identity())["x-keybearer-key-prefix"] == new[:8]


def test_other_changes_hold_at_once(gateway: Gateway, keybearer: Keybearer, upstream: Upstream):
    account = keybearer.create_account()
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    keybearer.cli("workspace", "set-plan", account.workspace, "free")
    expect_denied(gateway.client.send(key=account.key), upstream, 403, "FEATURE_LOCKED")
    keybearer.cli("workspace", "set-plan", account.workspace, "pro")
    assert gateway.client.send(key=account.key).status == 200
    upstream.take_one()
    keybearer.cli("user", "disable", account.email)
    expect_denied(gateway.client.send(key=account.key), upstream, 401, "UNAUTHORIZED")
