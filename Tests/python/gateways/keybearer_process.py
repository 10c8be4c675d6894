"""A real `keybearer serve` with its gate, and the command line beside it."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateways.processes import ENVIRONMENT, KEYBEARER, Program, free_port

KEY_SHAPE = re.compile(r"tdc_[0-9A-Za-z]{38}")
# A key that looks like one and is none.
UNKNOWN_KEY = "tdc_" + "0" * 38
# The gateway's own address and no other: the tests' client comes from 127.0.0.2, as a stranger does.
TRUSTED = "127.0.0.1/32,::1/128"
CLIENT_ADDRESS = "127.0.0.2"
WORKSPACE_PATH = "/workspaces/{workspace}"


@dataclass(frozen=True)
class Account:
    """Somebody with a key, and the workspace that came with the account."""

    id: str
    email: str
    key: str
    key_prefix: str
    workspace: str
    plan: str

    def with_key(self, key: str) -> Account:
        """The same account after its key was regenerated."""
        return replace(self, key=key, key_prefix=key[:8])

    def identity(self, named: bool = False) -> dict[str, str]:
        """The identity fields that the gate answers with, by name in lower case."""
        return {
            "x-keybearer-user": self.id,
            "x-keybearer-email": self.email,
            "x-keybearer-workspace": self.workspace if named else "-",
            "x-keybearer-role": "owner" if named else "-",
            "x-keybearer-plan": self.plan,
            "x-keybearer-key-prefix": self.key_prefix,
        }


class Keybearer:
    """A database of its own with a server on it. `start`, `kill` and `stop` may follow one another."""

    def __init__(self, directory: Path, gate_socket: bool = False, settings: tuple[str, ...] = ()):
        directory.mkdir(parents=True)
        self.directory = directory
        self.database = directory / "keybearer.db"
        self._port = free_port()
        self._gate_port = free_port()
        self._socket = directory / "gate.sock" if gate_socket else None
        self._program: Program | None = None
        self._settings = settings
        self._accounts = 0
        self.cli("init", "--generate-password", "--email", "operator@example.com")

    @property
    def port(self) -> int:
        """Where the API and the dashboard listen, on 127.0.0.1."""
        return self._port

    @property
    def gate(self) -> str:
        """Where the gate listens: `host:port`, or `unix:` and a path."""
        return f"unix:{self._socket}" if self._socket else f"127.0.0.1:{self._gate_port}"

    @property
    def serve_arguments(self) -> list[str]:
        """The command that serves, on the same addresses each time."""
        return self.serve_arguments_at(self._port)

    def serve_arguments_at(self, port: int) -> list[str]:
        """The same with another port for the API and the dashboard."""
        return [
            str(KEYBEARER), "serve", *self._store, "--address", f"127.0.0.1:{port}", "--gate-address", self.gate,
            "--gate-trusted-proxies", TRUSTED, "--gate-workspace-path", WORKSPACE_PATH, "--log-format", "json",
            *self._settings,
        ]

    @property
    def log_path(self) -> Path:
        """The file with all that its servers said."""
        return self.directory / "log.jsonl"

    @property
    def log(self) -> list[dict]:
        """The lines of its log, of all its servers so far."""
        return [json.loads(line) for line in self.log_path.read_text().splitlines()]

    def start(self) -> None:
        """Serves, and waits until it is ready."""
        self._program = Program(self.serve_arguments, self.log_path)
        self._program.wait_until(self._is_ready, "Keybearer was ready")

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """A crash: nothing is said to anybody."""
        self._program.kill()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Takes the processor from it for a while, as a hypervisor may: it is there, and says nothing."""
        with self._program.suspended():
            yield

    def stop(self) -> None:
        """Asks it to stop; it must end cleanly, and no key may be in its log."""
        if self._program is None:
            return
        code = self._program.stop()
        log = self._program.log
        assert code in (0, -9), f"Keybearer ended with {code}.\n{log}"
        assert not KEY_SHAPE.search(log), "A Secret Key is in the log."

    @property
    def _store(self) -> list[str]:
        return ["--database", str(self.database), "--master-key-file", str(self.directory / "keybearer.keys")]

    def cli(self, *arguments: str) -> str:
        """Runs a command over the database and answers its standard output."""
        done = subprocess.run(
            [str(KEYBEARER), *arguments, *self._store], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, env=ENVIRONMENT,
        )
        assert done.returncode == 0, f"keybearer {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def create_account(self, plan: str = "pro") -> Account:
        """An account nobody has used, whose only workspace is on the plan."""
        self._accounts += 1
        email = f"account{self._accounts}@example.com"
        self.cli("user", "create", email, "--name", f"Account {self._accounts}", "--generate-password")
        shown = json.loads(self.cli("user", "show", email, "--json"))
        workspace = shown["workspaces"][0]["id"]
        self.cli("workspace", "set-plan", workspace, plan)
        return Account(shown["id"], email, self.key_of(email), shown["key"]["prefix"], workspace, plan)

    def create_plan(self, name: str, hourly_limit: int) -> None:
        """A plan with the API and a limit of its own."""
        self.cli(
            "plan", "put", name, "--name", name, "--hourly-limit", str(hourly_limit), "--feature", "api_webhooks"
        )

    def key_of(self, email: str) -> str:
        """The account's Secret Key."""
        key = self.cli("key", "show", email).strip()
        assert KEY_SHAPE.fullmatch(key)
        return key

    def last_used_ip(self, email: str) -> str | None:
        """The address that the key's last use came from; nil until it has been written down."""
        return json.loads(self.cli("user", "show", email, "--json"))["key"].get("lastUsedIp")
