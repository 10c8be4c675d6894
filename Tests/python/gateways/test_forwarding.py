"""What the gate believes of the client's address, scheme and path is what the gateway saw."""

from __future__ import annotations

import pytest

from gateways.expectations import expect_denied, expect_identity
from gateways.gate_server import CLIENT_ADDRESS, GateServer
from gateways.gateways import Gateway
from gateways.upstream import Upstream
from harness.accounts import Account
from harness.http_client import Headers
from harness.waiting import eventually

FORGED_ADDRESSES: list[Headers] = [
    [],
    [("X-Forwarded-For", "192.0.2.1")],
    [("X-Forwarded-For", "192.0.2.1, 127.0.0.1")],
    [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")],
    [("Forwarded", "for=192.0.2.1;proto=https")],
    [("Forwarded", "for=192.0.2.1"), ("X-Forwarded-For", "192.0.2.1"), ("X-Real-IP", "192.0.2.1")],
    [("X-Forwarded-For", "nonsense")],
]


def test_the_last_use_is_recorded_with_the_real_address(gateway: Gateway, keybearer: GateServer, upstream: Upstream):
    """Each request is from the same place, whatever it says of itself, or the wrong address would be recorded once."""
    account = keybearer.commands.create_account()
    for headers in FORGED_ADDRESSES:
        assert gateway.client.send(key=account.key, headers=headers).status == 200
        eventually(lambda: keybearer.commands.last_used_ip(account.email), "the last use was not recorded", 15)
        assert keybearer.commands.last_used_ip(account.email) == CLIENT_ADDRESS, headers
        # A new key has no last use, so that the next look finds the next request.
        keybearer.commands.run("key", "regenerate", account.email)
        account = account.with_key(keybearer.commands.key_of(account.email))


def test_the_api_gets_the_real_address(gateway: Gateway, account: Account, upstream: Upstream):
    for headers in FORGED_ADDRESSES:
        assert gateway.client.send(key=account.key, headers=headers).status == 200
        received = upstream.take_one()
        chain = ",".join(received.values("x-forwarded-for")).replace(" ", "").split(",")
        assert chain[-1] == CLIENT_ADDRESS
        assert received.values("x-real-ip") in ([], [CLIENT_ADDRESS])
        assert received.values("forwarded") == []


@pytest.mark.parametrize("name", ["X-Forwarded-Proto", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https"])
@pytest.mark.parametrize("value", ["http", "https", "https, http", "off"])
def test_a_forged_scheme_changes_nothing(
    gateway: Gateway, account: Account, upstream: Upstream, name: str, value: str
):
    assert gateway.client.send(key=account.key, headers=[(name, value)]).status == 200
    received = upstream.take_one()
    assert received.values("x-forwarded-proto") == ["https"]
    expect_identity(received, account)


@pytest.mark.parametrize(
    "name",
    ["X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Original-Uri", "X-Original-Url", "X-Rewrite-Url"],
)
def test_a_forged_path_chooses_no_workspace(
    gateway: Gateway, account: Account, stranger: Account, upstream: Upstream, name: str
):
    own, theirs = f"/workspaces/{account.workspace}", f"/workspaces/{stranger.workspace}"
    assert gateway.client.send(key=account.key, headers=[(name, own)]).status == 200
    expect_identity(upstream.take_one(), account)
    for forged in ("/things", own):
        response = gateway.client.send(target=theirs, key=account.key, headers=[(name, forged), (name, forged)])
        expect_denied(response, upstream, 404, "NOT_FOUND")


@pytest.mark.parametrize("name", ["X-Forwarded-Method", "X-Original-Method", "X-HTTP-Method-Override"])
def test_a_forged_method_changes_no_decision(gateway: Gateway, account: Account, upstream: Upstream, name: str):
    expect_denied(gateway.client.send(headers=[(name, "OPTIONS")]), upstream, 401, "UNAUTHORIZED")
    assert gateway.client.send("POST", key=account.key, headers=[(name, "DELETE")], body=b"x").status == 200
    assert upstream.take_one().method == "POST"
