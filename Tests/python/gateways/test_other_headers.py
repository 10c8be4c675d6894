"""Keys in X-Api-Key or in HTTP Basic, where the examples for a product that already runs take them."""

from __future__ import annotations

import base64

import pytest

from gateways.existing_product import ProductGateway
from gateways.expectations import expect_denied, expect_identity
from gateways.upstream import Upstream
from harness.accounts import UNKNOWN_KEY, Account
from harness.http_client import Headers

TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"
# A path without them, with them, and with them beside the product's own tokens.
KEY, OTHER_HEADERS, BOTH = "/things", "/api/v1/things", "/graphql"


def basic(user: str, password: str = "") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def expect_alone(product: ProductGateway, account: Account, upstream: Upstream, target: str, headers: Headers) -> None:
    """It passes as the account, and the product sees no credential."""
    response = product.client.send(target=target, headers=headers)
    assert response.status == 200
    received = upstream.take_one()
    expect_identity(received, account)
    assert received.values("x-api-key") == []


def expect_refused(product: ProductGateway, upstream: Upstream, target: str, headers: Headers) -> None:
    expect_denied(product.client.send(target=target, headers=headers), upstream, 401, "UNAUTHORIZED")


@pytest.mark.parametrize("target", [OTHER_HEADERS, BOTH])
@pytest.mark.parametrize("name", ["X-Api-Key", "x-api-key", "X-API-KEY"])
def test_a_key_in_x_api_key(product: ProductGateway, account: Account, upstream: Upstream, target: str, name: str):
    expect_alone(product, account, upstream, target, [(name, account.key)])
    expect_refused(product, upstream, target, [(name, UNKNOWN_KEY)])
    for value in (f"Bearer {account.key}", f"{account.key} x", f"{account.key},x", f"{account.key},{account.key}"):
        expect_refused(product, upstream, target, [(name, value)])


@pytest.mark.parametrize("target", [OTHER_HEADERS, BOTH])
def test_a_key_in_basic(product: ProductGateway, account: Account, upstream: Upstream, target: str):
    for value in (basic(account.key), basic(account.key, "x"), basic(account.key).replace("Basic", "bASIC")):
        expect_alone(product, account, upstream, target, [("Authorization", value)])
    password = [("Authorization", basic("api", account.key))]
    if product.reads_passwords:
        expect_alone(product, account, upstream, target, password)
        expect_refused(product, upstream, target, [("Authorization", basic(account.key, account.key))])
    else:
        expect_refused(product, upstream, target, password)
        # The user name alone decides, and the password goes no further.
        expect_alone(product, account, upstream, target, [("Authorization", basic(account.key, UNKNOWN_KEY))])
    for value in (
        basic(UNKNOWN_KEY), basic("", UNKNOWN_KEY), basic("ann", "secret"), basic(""), "Basic", "Basic !!!", "Basic a",
        basic(f"{account.key} x"), basic(f"Bearer {account.key}"), basic(f"{account.key}\r\nX-Keybearer-User: usr_1"),
        f"Basic {account.key}", f"{basic(account.key)} x", f"{basic(account.key)}, {basic(account.key)}",
    ):
        if not (target == BOTH and value == "Basic"):
            expect_refused(product, upstream, target, [("Authorization", value)])


@pytest.mark.parametrize("target", [OTHER_HEADERS, BOTH])
def test_of_two_credentials_neither_is_chosen(
    product: ProductGateway, account: Account, stranger: Account, upstream: Upstream, target: str
):
    """Two keys, a key and a bad one, or a key and a token of the product's: refused, in both orders."""
    key = account.key
    for authorization, api_key in (
        (f"Bearer {key}", key), (f"Bearer {key}", stranger.key), (f"Bearer {key}", UNKNOWN_KEY),
        (f"Bearer {key}", "pk_1"), (f"Bearer {UNKNOWN_KEY}", key), (TOKEN, key), (basic(key), key),
        (basic(key), "pk_1"), (basic(UNKNOWN_KEY), key), (basic("ann", "secret"), key), (basic("ann", key), key),
    ):
        headers = [("Authorization", authorization), ("X-Api-Key", api_key)]
        expect_refused(product, upstream, target, headers)
        expect_refused(product, upstream, target, headers[::-1])


@pytest.mark.parametrize("target", [OTHER_HEADERS, BOTH])
def test_x_api_key_twice(
    product: ProductGateway, account: Account, stranger: Account, upstream: Upstream, target: str
):
    """Refused; or nginx before 1.23 takes the first, and drops the second."""
    for keys in ([account.key, UNKNOWN_KEY], [account.key, stranger.key], [account.key, account.key]):
        headers = [("X-Api-Key", key) for key in keys]
        response = product.client.send(target=target, headers=headers)
        if response.status == 200:
            assert product.name == "nginx"
            received = upstream.take_one()
            expect_identity(received, account)
            assert received.values("x-api-key") == []
        else:
            assert (response.status, upstream.take()) == (401, [])


@pytest.mark.parametrize("target", [KEY, OTHER_HEADERS, BOTH])
@pytest.mark.parametrize(
    "name", ["X-Api-Key", "X_Api_Key", "X.Api.Key", "x-api_key", "X_API-KEY", "x.api-key", "X-API.key"]
)
def test_a_second_key_goes_no_further(
    product: ProductGateway, account: Account, stranger: Account, upstream: Upstream, target: str, name: str
):
    """The product does not see it, in any spelling: it could take it for another user's."""
    response = product.client.send(target=target, key=account.key, headers=[(name, stranger.key)])
    received = upstream.take()
    if response.status == 200:
        (only,) = received
        expect_identity(only, account)
        assert only.values("x-api-key") == []
    else:
        # In its own spelling it is a second credential. Envoy refuses names with "_".
        assert received == []
        assert response.status == (401 if name == "X-Api-Key" else 400)


def test_the_other_headers_are_off(product: ProductGateway, account: Account, upstream: Upstream):
    """Where the configuration does not take them, a key in them is no key, and decides nothing beside one."""
    for headers in ([("X-Api-Key", account.key)], [("Authorization", basic(account.key))]):
        expect_refused(product, upstream, KEY, headers)
        expect_refused(product, upstream, "/app/things", headers)
    expect_alone(product, account, upstream, KEY, [("Authorization", f"Bearer {account.key}"), ("X-Api-Key", "pk_1")])
