"""A real `keybearer serve` with its gate, on a database of its own."""

from __future__ import annotations

from pathlib import Path

from harness.command_line import CommandLine
from harness.keybearer import KeybearerServer
from harness.ports import free_port

# The gateway's own address and no other: the tests' client comes from 127.0.0.2, as a stranger does.
TRUSTED = "127.0.0.1/32,::1/128"
CLIENT_ADDRESS = "127.0.0.2"
WORKSPACE_PATH = "/workspaces/{workspace}"


class GateServer(KeybearerServer):
    """Listens for gateways at `gate`, and trusts them. `start`, `kill` and `stop` may follow one another."""

    def __init__(self, directory: Path, gate_socket: bool = False, settings: tuple[str, ...] = ()):
        directory.mkdir(parents=True)
        self.database = directory / "keybearer.db"
        # `host:port`, or `unix:` and a path.
        self.gate = f"unix:{directory / 'gate.sock'}" if gate_socket else f"127.0.0.1:{free_port()}"
        gate = ["--gate-address", self.gate, "--gate-trusted-proxies", TRUSTED, "--gate-workspace-path", WORKSPACE_PATH]
        commands = CommandLine(self.database, directory / "keybearer.keys")
        super().__init__(commands, directory / "log.jsonl", [*gate, *settings])
        commands.create_database()
