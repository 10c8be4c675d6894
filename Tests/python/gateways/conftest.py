"""Fixtures: one Keybearer, one API behind, and each gateway in front of it; or a set of one's own, to break."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateways.existing_product import EXISTING, ProductGateway
from gateways.gate_server import GateServer
from gateways.gateways import GATEWAYS, Gateway
from gateways.upstream import Upstream
from harness.accounts import Account
from harness.command_line import OPERATOR
from harness.programs import CADDY, ENVOY, HAPROXY, NGINX, TRAEFIK, keybearer_program, missing


def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if problem := missing(keybearer_program(), NGINX, HAPROXY, CADDY, TRAEFIK, ENVOY):
        pytest.exit(problem, returncode=3)


class Certificate(NamedTuple):
    """A self-signed certificate for `localhost`, and its key."""

    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    directory = tmp_path_factory.mktemp("tls")
    made = Certificate(directory / "certificate.pem", directory / "key.pem")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost", "-out", made.certificate, "-keyout", made.key,
        ],
        check=True, capture_output=True, timeout=60,
    )
    return made


@pytest.fixture(scope="session")
def upstream_of_session() -> Iterator[Upstream]:
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture
def upstream(upstream_of_session: Upstream) -> Upstream:
    """The API, with nothing of earlier tests."""
    upstream_of_session.take()
    return upstream_of_session


@pytest.fixture(scope="session")
def keybearer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GateServer]:
    keybearer = GateServer(tmp_path_factory.mktemp("shared") / "keybearer")
    try:
        keybearer.start()
        yield keybearer
    finally:
        keybearer.stop()


@pytest.fixture(scope="session", params=GATEWAYS, ids=lambda kind: kind.name)
def gateway(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificate: Certificate,
    keybearer: GateServer, upstream_of_session: Upstream,
) -> Iterator[Gateway]:
    """Each of the gateways, in front of the shared Keybearer and the shared API."""
    directory = tmp_path_factory.mktemp("gateway") / request.param.name
    gateway = request.param(directory, *certificate, keybearer.gate, upstream_of_session.address)
    yield gateway
    gateway.stop()


@pytest.fixture(scope="session", params=EXISTING, ids=lambda kind: kind.name)
def product(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, certificate: Certificate,
    keybearer: GateServer, upstream_of_session: Upstream,
) -> Iterator[ProductGateway]:
    """Each of the gateways in front of a product that was there before Keybearer."""
    directory = tmp_path_factory.mktemp("product") / request.param.name
    product = request.param(directory, *certificate, keybearer.gate, upstream_of_session.address)
    yield product
    product.stop()


@pytest.fixture(scope="session")
def account(keybearer: GateServer) -> Account:
    """Somebody on a plan with more requests than all tests need."""
    keybearer.commands.create_plan("generous", 100_000)
    return keybearer.commands.create_account("generous")


@pytest.fixture(scope="session")
def stranger(keybearer: GateServer) -> Account:
    """Somebody else, with a workspace that the account above is no member of."""
    return keybearer.commands.create_account("pro")


@pytest.fixture(scope="session")
def locked_account(keybearer: GateServer) -> Account:
    """Somebody whose plan lacks the API."""
    return keybearer.commands.create_account("free")


@pytest.fixture(scope="session")
def _changing_account(keybearer: GateServer) -> Account:
    return keybearer.commands.create_account("pro")


@pytest.fixture
def changing_account(keybearer: GateServer, _changing_account: Account) -> Account:
    """Somebody on Pro whose key, plan and state a test may change, with the key of now."""
    keybearer.commands.run("user", "enable", _changing_account.email)
    return keybearer.commands.account(_changing_account.email, "pro")


class Stack(NamedTuple):
    """A Keybearer with a gateway before it, for one test alone."""

    keybearer: GateServer
    gateway: Gateway
    account: Account


@pytest.fixture
def new_stack(
    tmp_path_factory: pytest.TempPathFactory, certificate: Certificate, upstream: Upstream
) -> Iterator[Callable[..., Stack]]:
    """Makes Keybearers and gateways that a test may kill, and ends them in any case."""
    stops: list[Callable[[], None]] = []

    def make(kind: type[Gateway], gate_socket: bool = False, api: str = upstream.address) -> Stack:
        # Short names: the path of a Unix socket may have a hundred characters.
        directory = tmp_path_factory.mktemp("own")
        keybearer = GateServer(directory / "kb", gate_socket)
        stops.append(keybearer.stop)
        keybearer.start()
        account = keybearer.commands.account(OPERATOR, "pro")
        gateway = kind(directory / kind.name, *certificate, keybearer.gate, api)
        stops.append(gateway.stop)
        return Stack(keybearer, gateway, account)

    yield make
    for stop in reversed(stops):
        stop()


@pytest.fixture(params=GATEWAYS, ids=lambda kind: kind.name)
def stack(request: pytest.FixtureRequest, new_stack: Callable[..., Stack]) -> Stack:
    """Each of the gateways, with a Keybearer of its own."""
    return new_stack(request.param)
