"""What the gateways of a product that already runs write down: who it was and with which key, and no key."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateways.conftest import Certificate
from gateways.existing_product import EXISTING, ProductGateway
from gateways.gate_server import GateServer
from gateways.upstream import Upstream
from harness.accounts import Account
from harness.http_client import Headers
from harness.ports import free_port
from harness.waiting import eventually

TARGETS = ("/things", "/api/v1/things", "/app/things", "/graphql", "/api/v1/status", "/webhooks/in")


def ways_to_send(key: str) -> list[Headers]:
    """Headers with the key in each place where a client may send it, right or wrong."""
    pairs = [(key, ""), (key, "x"), ("api", key), ("", key), (key, key), (key + "x", "")]
    basics = [base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in pairs]
    return [
        [("Authorization", f"Bearer {key}")], [("X-Api-Key", key)], [("Authorization", key)],
        *[[("Authorization", f"Basic {each}")] for each in basics],
        [("Authorization", f"Bearer {key}"), ("X-Api-Key", key)], [("Authorization", f"Bearer {key}x")],
        [("X-Api-Key", key), ("X-Api-Key", key)], [("X_Api_Key", key)], [("X.Api.Key", key)],
        [("Proxy-Authorization", key)],
        [("Authorization", f"Basic {basics[0]}"), ("X-Api-Key", basics[0])],
    ]


def traces(key: str) -> list[str]:
    """What of a key would be in a text: the key, and the part of its base64 that holds wherever it begins."""
    padded = [base64.b64encode(b"x" * at + key.encode()).decode().rstrip("=") for at in range(3)]
    return [key, *(each[4:-4] for each in padded)]


def expect_no_trace(directory: Path, key: str) -> None:
    """No file of the gateway has the key; the failure does not show it."""
    for file in directory.rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            found = [number for number, trace in enumerate(traces(key)) if trace in text]
            assert not found, f"The key is in {file}, in the forms {found}."


def requests_of(log: str, marker: str) -> list[str]:
    """The lines of the requests whose path has the marker."""
    return [line for line in log.splitlines() if marker in line]


@pytest.mark.parametrize("kind", EXISTING, ids=lambda kind: kind.name)
@pytest.mark.parametrize("is_up", [True, False], ids=["product up", "product down"])
def test_no_key_is_logged(
    kind: type[ProductGateway], is_up: bool, tmp_path: Path, certificate: Certificate, keybearer: GateServer,
    account: Account, upstream: Upstream,
):
    """Wherever the key is sent, whatever becomes of the request: in no file that the gateway writes."""
    directory = tmp_path / kind.name
    address = upstream.address if is_up else f"127.0.0.1:{free_port()}"
    product = kind(directory, *certificate, keybearer.gate, address)
    statuses = set()
    try:
        for target in TARGETS:
            for headers in ways_to_send(account.key):
                statuses.add(product.client.send(target=f"{target}?marker", headers=headers).status)
        # One more, which nothing is wrong with: when it is written, so are those before.
        product.client.send(target="/things?last", key=account.key)
        eventually(lambda: requests_of(product.access_log, "?last"), "the last request was not logged", 15)
    finally:
        product.stop()
    assert {401, 200 if is_up else 502} <= statuses or {401, 503} <= statuses, statuses
    assert len(requests_of(product.access_log, "?marker")) >= len(TARGETS) * len(ways_to_send(account.key)) * 0.8
    expect_no_trace(directory, account.key)
    upstream.take()


def test_the_traces_are_found(account: Account):
    """The search above would find what it looks for."""
    for headers in ways_to_send(account.key):
        assert any(trace in value for _, value in headers for trace in traces(account.key))


def test_the_user_is_logged(product: ProductGateway, account: Account, upstream: Upstream):
    """Keybearer's user and key prefix, and never what a client claims to be."""
    forged = [("X-Keybearer-User", "usr_forged"), ("X-Keybearer-Key-Prefix", "tdc_forg"), ("X-Request-Id", "forged")]
    requests = [(account.key, "/things"), (None, "/things"), (None, "/app/x"), (None, "/webhooks/x")]
    for number, (key, target) in enumerate(requests):
        product.client.send(target=f"{target}?line{number}", key=key, headers=forged)
    eventually(lambda: requests_of(product.access_log, "?line3"), "the last request was not logged", 15)
    (passed,), (refused,), *others = [requests_of(product.access_log, f"?line{number}") for number in range(4)]
    (request_id,) = upstream.take()[0].values("x-request-id")
    for found in (account.id, account.key_prefix, request_id):
        assert found in passed
    for line in (passed, refused, *others):
        assert "usr_forged" not in line
        assert "tdc_forg" not in line or (line == refused and product.logs_claims)
        assert line == passed or account.id not in line


def test_the_id_of_a_refusal_is_logged(product: ProductGateway, upstream: Upstream):
    refused = product.client.send(target="/things?refused").value("x-request-id")
    eventually(lambda: requests_of(product.access_log, "?refused"), "the request was not logged", 15)
    (line,) = requests_of(product.access_log, "?refused")
    assert refused in line


@pytest.mark.parametrize("target", ["/portal?code=kbl_SECRET", "/portal?later=1&code=kbl_SECRET&x=1"])
def test_one_time_codes_are_not_logged(product: ProductGateway, upstream: Upstream, target: str):
    """The code of a link that signs somebody in is good until it is used. Traefik and Envoy write it down: the page says so."""
    product.client.send(target=target)
    product.client.send(target="/things?last")
    eventually(lambda: requests_of(product.access_log, "?last"), "the last request was not logged", 15)
    assert requests_of(product.access_log, "/portal"), product.access_log
    assert ("kbl_SECRET" in product.access_log) != (product.name in ("nginx", "caddy"))
    upstream.take()
