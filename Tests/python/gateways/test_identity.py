"""Who the client is, as the API reads it, comes from the gate alone."""

from __future__ import annotations

import itertools

import pytest

from gateways.expectations import expect_identity
from gateways.gateways import Gateway
from gateways.upstream import Received, Upstream
from harness.accounts import Account
from harness.connection import request_head

NAMES = ("User", "Email", "Workspace", "Role", "Plan", "Key-Prefix", "Reason")
# Every way to write the separators of X-Keybearer-User, in three cases of letters.
SPELLINGS = [
    case(f"X{first}Keybearer{second}User")
    for first, second in itertools.product("-_.", repeat=2)
    for case in (str.title, str.lower, str.upper)
]


def expect_genuine_or_refused(status: int, received: list[Received], account: Account) -> None:
    """A gateway may refuse a request that is odd; what it lets through carries the gate's headers and no others."""
    if status in (400, 401):
        assert received == []
        return
    assert status == 200
    assert len(received) == 1
    expect_identity(received[0], account)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_forged_name_in_any_spelling(gateway: Gateway, account: Account, upstream: Upstream, spelling: str):
    for values in (["usr_forged"], [""], ["usr_forged", "usr_again", ""], ["-"]):
        headers = [(spelling, value) for value in values]
        response = gateway.client.send(key=account.key, headers=headers)
        expect_genuine_or_refused(response.status, upstream.take(), account)
        # Without a key it reaches nobody, forged or not.
        assert gateway.client.send(headers=headers).status in (400, 401)
        assert upstream.take() == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("separators", ["---", "___", "...", "-_-", "_--", "--.", ".-_"])
def test_each_name_in_mixed_spellings(
    gateway: Gateway, account: Account, upstream: Upstream, name: str, separators: str
):
    spelled = f"x{separators[0]}keyBearer{separators[1]}{name.replace('-', separators[2])}"
    response = gateway.client.send(key=account.key, headers=[(spelled, "forged"), (f"X-Keybearer-{name}", "forged")])
    expect_genuine_or_refused(response.status, upstream.take(), account)


def test_all_together(gateway: Gateway, account: Account, upstream: Upstream):
    headers = [(spelling.replace("_", "."), "usr_forged") for spelling in SPELLINGS]
    response = gateway.client.send(key=account.key, headers=headers)
    expect_genuine_or_refused(response.status, upstream.take(), account)


def test_names_that_keybearer_does_not_send(gateway: Gateway, account: Account, upstream: Upstream):
    """nginx can remove only names in its configuration; an API behind it may read the six and no others."""
    response = gateway.client.send(key=account.key, headers=[("X-Keybearer-Admin", "1")])
    assert response.status == 200
    received = upstream.take_one()
    if gateway.removes_unknown_names:
        expect_identity(received, account)
    else:
        assert sorted({**account.identity(), "x-keybearer-admin": "1"}.items()) == received.identity()


@pytest.mark.parametrize(
    "listed",
    ["X-Keybearer-User, X-Keybearer-Role", "x-keybearer-workspace", "X-Forwarded-For, X-Forwarded-Proto, Host"],
)
def test_a_client_cannot_have_the_identity_removed(gateway: Gateway, account: Account, upstream: Upstream, listed: str):
    """Connection lists headers that go no further than the next hop; a gateway must not count its own among them."""
    for headers, connection in (([], f"close, {listed}"), ([("Connection", listed)], "close")):
        response = gateway.client.send(key=account.key, headers=headers, connection=connection)
        expect_genuine_or_refused(response.status, upstream.take(), account)


def test_trailers_carry_no_identity(gateway: Gateway, account: Account, upstream: Upstream):
    """Some servers merge the trailers of a chunked body into the headers."""
    for announced in ([], [("Trailer", "X-Keybearer-User, X_Keybearer_Role"), ("TE", "trailers")]):
        headers = [("Host", "localhost"), ("Authorization", f"Bearer {account.key}"), ("Connection", "close")]
        request = request_head("POST", "/things", [*headers, *announced, ("Transfer-Encoding", "chunked")])
        request += b"2\r\nhi\r\n0\r\nX-Keybearer-User: usr_forged\r\nX_Keybearer_Role: owner\r\n\r\n"
        response = gateway.client.send_bytes(request, "POST")
        expect_genuine_or_refused(response.status, upstream.take(), account)


@pytest.mark.parametrize(
    "line",
    [
        b"X-Keybearer-User : usr_forged", b" X-Keybearer-User: usr_forged", b"X-Keybearer-User\t: usr_forged",
        b"X-Odd: 1\r\n X-Keybearer-User: usr_forged", b"X-Odd: 1\nX-Keybearer-User: usr_forged",
        b"X-Odd: 1\rX-Keybearer-User: usr_forged", b"\x00X-Keybearer-User: usr_forged",
    ],
)
def test_malformed_lines_smuggle_nothing(gateway: Gateway, account: Account, upstream: Upstream, line: bytes):
    request = b"GET /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    request += b"Authorization: Bearer " + account.key.encode() + b"\r\n" + line + b"\r\n\r\n"
    response = gateway.client.send_bytes(request)
    expect_genuine_or_refused(response.status, upstream.take(), account)


def test_the_gateways_request_cannot_be_sent_from_outside(
    gateway: Gateway, account: Account, upstream: Upstream
):
    """nginx uses a path of its own, which no client reaches; elsewhere such a path is one of the API's."""
    for target in ("/_keybearer", "/gate", "/gate-nginx", "/gate/things"):
        response = gateway.client.send(target=target)
        assert response.status in (401, 404)
        assert response.values("x-keybearer-user") == []
        response = gateway.client.send(target=target, key=account.key)
        assert [each.target for each in upstream.take()] == ([target] if response.status == 200 else [])
        assert response.values("x-keybearer-user") == []
