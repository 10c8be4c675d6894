"""The gate itself, with requests as Envoy's HTTP ext_authz sends them.

The other files run one version of Envoy. Here its requests are made by hand, from what that version was seen to send,
so that what Envoy relies on is stated whatever a later version does around it: the original method, the prefix and the
original path, no body but a length of 0; and a response of exactly 200, or a denial that goes to the client as it is.
"""

from __future__ import annotations

import socket

import pytest

from gateways.expectations import expect_envelope, expect_rate_limit
from gateways.gate_server import CLIENT_ADDRESS, GateServer
from harness.accounts import UNKNOWN_KEY, Account
from harness.connection import Connection, request_head
from harness.http_client import Headers, Response
from harness.waiting import eventually

CLIENT = "192.0.2.7"


def envoys_headers(key: str | None) -> Headers:
    """The headers of a request, in Envoy's order and spelling."""
    return [
        ("host", "api.example.com"),
        ("content-length", "0"),
        ("x-forwarded-for", CLIENT),
        ("x-forwarded-proto", "https"),
        *([("authorization", f"Bearer {key}")] if key is not None else []),
        ("x-envoy-internal", "true"),
        ("x-envoy-expected-rq-timeout-ms", "5000"),
    ]


def connect(keybearer: GateServer, source: str = "127.0.0.1") -> Connection:
    host, port = keybearer.gate.split(":")
    return Connection(socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0)))


def request_gate(
    keybearer: GateServer, key: str | None, target: str = "/gate/things", method: str = "GET",
    more: Headers | None = None,
) -> Response:
    headers = [*envoys_headers(key), *(more or [])]
    with connect(keybearer) as connection:
        return connection.round_trip(request_head(method, target, headers), is_head=method == "HEAD")


def expect_identity(response: Response, account: Account, has_workspace: bool = False) -> None:
    """Envoy, like others, would let a client's own header through where the gate's were absent."""
    assert response.status == 200
    identity = {name: response.value(name) for name, _ in response.headers if name.startswith("x-keybearer-")}
    assert identity == account.identity(has_workspace)
    assert all(identity.values())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_gets_the_same_response(keybearer: GateServer, account: Account, method: str):
    response = request_gate(keybearer, account.key, method=method)
    expect_identity(response, account)
    expect_rate_limit(response, limit=100_000)
    assert response.value("x-request-id").startswith("req_")
    assert response.body == (b"" if method == "HEAD" else b'{"ok":true}')
    denied = request_gate(keybearer, None, method=method)
    assert denied.status == 401


@pytest.mark.parametrize("path", ["", "/", "/things", "/things?page=2", "/?x", "/a%20b", "/a//b", "/gate/gate"])
def test_any_path_gets_the_same_response(keybearer: GateServer, account: Account, path: str):
    response = request_gate(keybearer, account.key, target=f"/gate{path}")
    if path == "/a//b":
        # With a pattern for workspaces, a path that can be read in two ways is refused: see WORKSPACE_PATH.
        expect_envelope(response, 400, "BAD_REQUEST")
    else:
        expect_identity(response, account)


@pytest.mark.parametrize(
    "target", ["/", "/things", "/gateway", "/gat", "/gate-nginxes", "/GATE", "/api/v1/me", "/readyz"]
)
def test_other_paths_are_no_gate(keybearer: GateServer, account: Account, target: str):
    response = request_gate(keybearer, account.key, target=target)
    expect_envelope(response, 404, "NOT_FOUND")
    assert response.values("x-keybearer-user") == []


def test_the_original_path_names_the_workspace(keybearer: GateServer, account: Account, stranger: Account):
    """Envoy sends no X-Forwarded-Uri: what follows the prefix is the original path."""
    own = request_gate(keybearer, account.key, target=f"/gate/workspaces/{account.workspace}/things?x=1")
    expect_identity(own, account, has_workspace=True)
    theirs = request_gate(keybearer, account.key, target=f"/gate/workspaces/{stranger.workspace}/things")
    expect_envelope(theirs, 404, "NOT_FOUND")
    by_header = request_gate(keybearer, account.key, more=[("x-workspace-id", account.workspace)])
    expect_identity(by_header, account, has_workspace=True)


def test_denials_go_to_the_client_as_they_are(
    keybearer: GateServer, account: Account, stranger: Account, locked_account: Account
):
    for key, challenge in ((None, 'Bearer realm="Keybearer"'), (UNKNOWN_KEY, 'error="invalid_token"')):
        response = request_gate(keybearer, key)
        expect_envelope(response, 401, "UNAUTHORIZED")
        assert challenge in response.value("www-authenticate")
    expect_envelope(request_gate(keybearer, locked_account.key), 403, "FEATURE_LOCKED")
    foreign = request_gate(keybearer, account.key, more=[("x-workspace-id", stranger.workspace)])
    expect_envelope(foreign, 404, "NOT_FOUND")
    twice = [("x-workspace-id", account.workspace), ("x-workspace-id", stranger.workspace)]
    expect_envelope(request_gate(keybearer, account.key, more=twice), 400, "BAD_REQUEST")
    # Envoy joins headers that stand more than once.
    joined = [("authorization", f"Bearer {account.key},Bearer {account.key}")]
    expect_envelope(request_gate(keybearer, None, more=joined), 401, "UNAUTHORIZED")


def test_a_used_up_rate_limit(keybearer: GateServer):
    keybearer.commands.create_plan("single", 1)
    account = keybearer.commands.create_account("single")
    assert request_gate(keybearer, account.key).status == 200
    response = request_gate(keybearer, account.key)
    expect_envelope(response, 429, "RATE_LIMITED")
    assert expect_rate_limit(response, limit=1) == 0
    assert int(response.value("retry-after")) > 0
    nginx = request_gate(keybearer, account.key, target="/gate-nginx")
    expect_envelope(nginx, 403, "RATE_LIMITED")
    assert nginx.value("x-keybearer-reason") == "RATE_LIMITED"
    assert int(nginx.value("retry-after")) > 0


def test_nginx_gets_401_and_403_alone(
    keybearer: GateServer, account: Account, stranger: Account, locked_account: Account
):
    """For comparison: the same denials as auth_request can carry them, with the reason in a header."""
    expect_identity(request_gate(keybearer, account.key, target="/gate-nginx"), account)
    cases: list[tuple[str | None, Headers, int, str]] = [
        (None, [], 401, "UNAUTHORIZED"),
        (locked_account.key, [], 403, "FEATURE_LOCKED"),
        (account.key, [("x-workspace-id", stranger.workspace)], 403, "NOT_FOUND"),
        (account.key, [("x-workspace-id", account.workspace)] * 2, 403, "BAD_REQUEST"),
    ]
    for key, more, status, reason in cases:
        response = request_gate(keybearer, key, target="/gate-nginx", more=more)
        expect_envelope(response, status, reason)
        assert response.value("x-keybearer-reason") == reason


@pytest.mark.parametrize("headers", [[], [("x-forwarded-proto", "http")], [("x-forwarded-proto", "https, http")]])
def test_plain_http_is_refused(keybearer: GateServer, account: Account, headers: Headers):
    request = [("host", "api.example.com"), ("authorization", f"Bearer {account.key}"), *headers]
    with connect(keybearer) as connection:
        response = connection.round_trip(request_head("GET", "/gate/things", request))
    expect_envelope(response, 403, "HTTPS_REQUIRED")


def test_nobody_but_a_gateway_is_believed(keybearer: GateServer, account: Account):
    """A peer that is not in --gate-trusted-proxies cannot say that its client came over HTTPS, nor from where."""
    request = request_head("GET", "/gate/things", envoys_headers(account.key))
    with connect(keybearer, CLIENT_ADDRESS) as connection:
        response = connection.round_trip(request)
    expect_envelope(response, 403, "HTTPS_REQUIRED")


def test_the_last_use_is_recorded_with_the_clients_address(keybearer: GateServer):
    account = keybearer.commands.create_account()
    assert request_gate(keybearer, account.key).status == 200
    eventually(lambda: keybearer.commands.last_used_ip(account.email), "the last use was not recorded", 15)
    assert keybearer.commands.last_used_ip(account.email) == CLIENT


def test_one_connection_carries_many_requests(keybearer: GateServer, account: Account, stranger: Account):
    """Envoy leaves connections open: no response may hold anything of the one before."""
    with connect(keybearer) as connection:
        for each in (account, stranger, account):
            response = connection.round_trip(request_head("GET", "/gate/things", envoys_headers(each.key)))
            expect_identity(response, each)
        assert connection.round_trip(request_head("GET", "/gate/things", envoys_headers(None))).status == 401
