"""The gate itself, asked as Envoy's HTTP ext_authz asks it.

The other files run one version of Envoy. Here its questions are made by hand, from what that version was seen to send,
so that what Envoy relies on is stated whatever a later version does around it: the original method, the prefix and the
original path, no body but a length of 0; and an answer of exactly 200, or a denial that goes to the client as it is.
"""

from __future__ import annotations

import socket

import pytest

from gateways.client import Answer, Fields, exchange, head
from gateways.expectations import expect_envelope, expect_rate_limit
from gateways.keybearer_process import CLIENT_ADDRESS, UNKNOWN_KEY, Account, Keybearer
from gateways.processes import eventually

CLIENT = "192.0.2.7"


def envoys_fields(key: str | None) -> Fields:
    """The fields of a question, in Envoy's order and spelling."""
    return [
        ("host", "api.example.com"),
        ("content-length", "0"),
        ("x-forwarded-for", CLIENT),
        ("x-forwarded-proto", "https"),
        *([("authorization", f"Bearer {key}")] if key is not None else []),
        ("x-envoy-internal", "true"),
        ("x-envoy-expected-rq-timeout-ms", "5000"),
    ]


def connect(keybearer: Keybearer, source: str = "127.0.0.1") -> socket.socket:
    host, port = keybearer.gate.split(":")
    return socket.create_connection((host, int(port)), timeout=30, source_address=(source, 0))


def ask(
    keybearer: Keybearer, key: str | None, target: str = "/gate/things", method: str = "GET", more: Fields | None = None
) -> Answer:
    fields = [*envoys_fields(key), *(more or [])]
    return exchange(connect(keybearer), head(method, target, fields), method)


def expect_identity(answer: Answer, account: Account, named: bool = False) -> None:
    """Envoy, like others, would let a client's own field through where the gate's were absent."""
    assert answer.status == 200
    identity = {name: answer.value(name) for name, _ in answer.fields if name.startswith("x-keybearer-")}
    assert identity == account.identity(named)
    assert all(identity.values())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_any_method_is_answered_alike(keybearer: Keybearer, account: Account, method: str):
    answer = ask(keybearer, account.key, method=method)
    expect_identity(answer, account)
    expect_rate_limit(answer, limit=100_000)
    assert answer.value("x-request-id").startswith("req_")
    assert answer.body == (b"" if method == "HEAD" else b'{"ok":true}')
    denied = ask(keybearer, None, method=method)
    assert denied.status == 401


@pytest.mark.parametrize("path", ["", "/", "/things", "/things?page=2", "/?x", "/a%20b", "/a//b", "/gate/gate"])
def test_any_path_is_answered_alike(keybearer: Keybearer, account: Account, path: str):
    answer = ask(keybearer, account.key, target=f"/gate{path}")
    if path == "/a//b":
        # With a pattern for workspaces, a path that can be read in two ways is refused: see WORKSPACE_PATH.
        expect_envelope(answer, 400, "BAD_REQUEST")
    else:
        expect_identity(answer, account)


@pytest.mark.parametrize(
    "target", ["/", "/things", "/gateway", "/gat", "/gate-nginxes", "/GATE", "/api/v1/me", "/readyz"]
)
def test_other_paths_are_no_gate(keybearer: Keybearer, account: Account, target: str):
    answer = ask(keybearer, account.key, target=target)
    expect_envelope(answer, 404, "NOT_FOUND")
    assert answer.values("x-keybearer-user") == []


def test_the_original_path_names_the_workspace(keybearer: Keybearer, account: Account, stranger: Account):
    """Envoy sends no X-Forwarded-Uri: what follows the prefix is the original path."""
    own = ask(keybearer, account.key, target=f"/gate/workspaces/{account.workspace}/things?x=1")
    expect_identity(own, account, named=True)
    theirs = ask(keybearer, account.key, target=f"/gate/workspaces/{stranger.workspace}/things")
    expect_envelope(theirs, 404, "NOT_FOUND")
    field = ask(keybearer, account.key, more=[("x-workspace-id", account.workspace)])
    expect_identity(field, account, named=True)


def test_denials_go_to_the_client_as_they_are(keybearer: Keybearer, account: Account, stranger: Account):
    for key, challenge in ((None, 'Bearer realm="Keybearer"'), (UNKNOWN_KEY, 'error="invalid_token"')):
        answer = ask(keybearer, key)
        expect_envelope(answer, 401, "UNAUTHORIZED")
        assert challenge in answer.value("www-authenticate")
    expect_envelope(ask(keybearer, keybearer.create_account("free").key), 403, "FEATURE_LOCKED")
    foreign = ask(keybearer, account.key, more=[("x-workspace-id", stranger.workspace)])
    expect_envelope(foreign, 404, "NOT_FOUND")
    twice = [("x-workspace-id", account.workspace), ("x-workspace-id", stranger.workspace)]
    expect_envelope(ask(keybearer, account.key, more=twice), 400, "BAD_REQUEST")
    # Envoy joins fields that stand more than once.
    joined = [("authorization", f"Bearer {account.key},Bearer {account.key}")]
    expect_envelope(ask(keybearer, None, more=joined), 401, "UNAUTHORIZED")


def test_a_used_up_hour(keybearer: Keybearer):
    keybearer.create_plan("single", 1)
    account = keybearer.create_account("single")
    assert ask(keybearer, account.key).status == 200
    answer = ask(keybearer, account.key)
    expect_envelope(answer, 429, "RATE_LIMITED")
    assert expect_rate_limit(answer, limit=1) == 0
    assert int(answer.value("retry-after")) > 0
    nginx = ask(keybearer, account.key, target="/gate-nginx")
    expect_envelope(nginx, 403, "RATE_LIMITED")
    assert nginx.value("x-keybearer-reason") == "RATE_LIMITED"
    assert int(nginx.value("retry-after")) > 0


def test_nginx_gets_401_and_403_alone(keybearer: Keybearer, account: Account, stranger: Account):
    """For comparison: the same denials as auth_request can carry them, with the reason in a field."""
    expect_identity(ask(keybearer, account.key, target="/gate-nginx"), account)
    locked = keybearer.create_account("free")
    cases: list[tuple[str | None, Fields, int, str]] = [
        (None, [], 401, "UNAUTHORIZED"),
        (locked.key, [], 403, "FEATURE_LOCKED"),
        (account.key, [("x-workspace-id", stranger.workspace)], 403, "NOT_FOUND"),
        (account.key, [("x-workspace-id", account.workspace)] * 2, 403, "BAD_REQUEST"),
    ]
    for key, more, status, reason in cases:
        answer = ask(keybearer, key, target="/gate-nginx", more=more)
        expect_envelope(answer, status, reason)
        assert answer.value("x-keybearer-reason") == reason


@pytest.mark.parametrize("fields", [[], [("x-forwarded-proto", "http")], [("x-forwarded-proto", "https, http")]])
def test_plain_http_is_refused(keybearer: Keybearer, account: Account, fields: Fields):
    request = [("host", "api.example.com"), ("authorization", f"Bearer {account.key}"), *fields]
    answer = exchange(connect(keybearer), head("GET", "/gate/things", request))
    expect_envelope(answer, 403, "HTTPS_REQUIRED")


def test_nobody_but_a_gateway_is_believed(keybearer: Keybearer, account: Account):
    """A peer that is not in --gate-trusted-proxies cannot say that its client came over HTTPS, nor from where."""
    request = head("GET", "/gate/things", envoys_fields(account.key))
    answer = exchange(connect(keybearer, CLIENT_ADDRESS), request)
    expect_envelope(answer, 403, "HTTPS_REQUIRED")


def test_the_last_use_is_noted_with_the_clients_address(keybearer: Keybearer):
    account = keybearer.create_account()
    assert ask(keybearer, account.key).status == 200
    eventually(lambda: keybearer.last_used_ip(account.email), "the last use was not written down")
    assert keybearer.last_used_ip(account.email) == CLIENT


def test_one_connection_carries_many_questions(keybearer: Keybearer, account: Account, stranger: Account):
    """Envoy keeps connections: no answer may hold anything of the one before."""
    connection = connect(keybearer)
    with connection:
        for each in (account, stranger, account):
            answer = exchange(connection.dup(), head("GET", "/gate/things", envoys_fields(each.key)))
            expect_identity(answer, each)
        assert exchange(connection.dup(), head("GET", "/gate/things", envoys_fields(None))).status == 401
