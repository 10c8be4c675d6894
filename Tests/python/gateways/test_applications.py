"""The examples for applications behind a gateway: who the client is, as the application reads it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateways.conftest import Certificate
from gateways.existing_product import ExistingNginx, ExistingTraefik, ProductGateway
from gateways.gate_server import GateServer
from harness.accounts import Account
from harness.connection import Connection, request_head
from harness.http_client import Headers, Response
from harness.ports import free_port, is_open
from harness.processes import Program
from harness.programs import GO, REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "applications"
APPLICATIONS = Path(__file__).parent / "applications"
TOKEN = [("Authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln")]


def built_for_go(directory: Path) -> Path:
    """The application of the Go example. Nothing is downloaded for it, and all processes of a run share it."""
    directory.mkdir(exist_ok=True)
    with open(directory / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "application").exists():
            (directory / "keybearer").mkdir(exist_ok=True)
            shutil.copy(EXAMPLES / "keybearer.go", directory / "keybearer")
            shutil.copy(APPLICATIONS / "main.go", directory)
            (directory / "go.mod").write_text("module application\n\ngo 1.22\n")
            environment = {
                **os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "CGO_ENABLED": "0",
                "GOCACHE": str(directory / "cache"), "GOPATH": str(directory / "path"),
            }
            subprocess.run([GO, "build", "-o", "application", "."], cwd=directory, env=environment, check=True)
    return directory / "application"


class Application:
    """A server with one of the examples, on a port of its own."""

    def __init__(self, name: str, directory: Path, mode: str, shared: Path):
        """- shared: a folder of all processes of this run."""
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        if name == "node":
            node = shutil.which("node")
            assert node, "there is no Node.js; scripts/install-dependencies --test installs it"
            arguments = [node, str(APPLICATIONS / "node.mjs"), str(self.port), mode, str(EXAMPLES / "keybearer.mjs")]
        elif name == "go":
            arguments = [str(built_for_go(shared / "go")), str(self.port), mode]
        else:
            arguments = [sys.executable, str(APPLICATIONS / f"{name}.py"), str(self.port), mode]
        self.program = Program(arguments, directory / f"{name}.log", environment={"PYTHONPATH": str(EXAMPLES)})
        self.program.wait_until(lambda: is_open(self.port), f"{name} listened")

    def send(self, headers: Headers) -> Response:
        """A request that no gateway has seen."""
        with Connection.to_port(self.port) as connection:
            sent = [("Host", "localhost"), ("Connection", "close"), *headers]
            return connection.round_trip(request_head("GET", "/", sent))


@pytest.fixture(params=["wsgi", "asgi", "node", "go"])
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def applications(
    name: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Application]]:
    """The same application twice: one that requires a key, one that does not."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    started = {mode: Application(name, tmp_path, mode, shared) for mode in ("required", "optional")}
    yield started
    for each in started.values():
        each.program.kill()


def expected(account: Account, has_workspace: bool = False) -> dict[str, str | bool | None]:
    identity = {name.removeprefix("x-keybearer-"): value for name, value in account.identity(has_workspace).items()}
    known = {name.replace("-", "_"): None if value == "-" else value for name, value in identity.items()}
    return {**known, "email_verified": known["email_verified"] == "true"}


@pytest.mark.parametrize(
    "kind, mode", [(ExistingNginx, "required"), (ExistingTraefik, "optional")], ids=["nginx", "traefik"]
)
def test_behind_a_gateway(
    kind: type[ProductGateway], mode: str, applications: dict[str, Application], tmp_path: Path,
    certificate: Certificate, keybearer: GateServer, account: Account,
):
    gateway = kind(tmp_path / kind.name, *certificate, keybearer.gate, applications[mode].address)
    try:
        passed = gateway.client.send(key=account.key)
        assert (passed.status, passed.json) == (200, expected(account))
        # Traefik itself cannot send it to the client.
        assert passed.value("x-request-id").startswith("req_")
        workspace = [("X-Workspace-Id", account.workspace)]
        assert gateway.client.send(key=account.key, headers=workspace).json == expected(account, has_workspace=True)
        forged = [(f"X-{name}", "usr_1") for name in ("Keybearer-User", "Keybearer_User", "Keybearer.User")]
        for target in ("/app/things", "/webhooks/in"):
            nobody = gateway.client.send(target=target, headers=[*TOKEN, *forged])
            if mode == "required":
                assert (nobody.status, nobody.json["error"]) == (401, "UNAUTHORIZED")
            else:
                assert (nobody.status, nobody.json) == (200, None)
    finally:
        gateway.stop()


def test_what_is_no_identity(applications: dict[str, Application], name: str, account: Account):
    """A header that is missing, empty, or there twice: none, though the request comes from where a gateway would be."""
    whole = [(name.title(), value) for name, value in account.identity().items()]
    cases = [whole[:at] + whole[at + 1:] for at in range(len(whole))]
    cases += [[], [*whole[1:], (whole[0][0], "")]]
    if name != "wsgi":
        # WSGI servers join them.
        cases += [[*whole, each] for each in whole]
    assert applications["required"].send(whole).json == expected(account)
    for headers in cases:
        refused = applications["required"].send(headers)
        assert (refused.status, refused.json["error"]) == (401, "UNAUTHORIZED")
        assert refused.value("www-authenticate") == 'Bearer realm="API"'
        assert applications["optional"].send(headers).json is None


def test_bytes_that_are_not_allowed_in_a_header(applications: dict[str, Application], account: Account):
    headers = [(name, value) for name, value in account.identity().items() if name != "x-keybearer-email"]
    response = applications["required"].send([*headers, ("X-Keybearer-Email", "j%C3%BCrgen%25@example.com")])
    assert response.json["email"] == "jürgen%@example.com"
