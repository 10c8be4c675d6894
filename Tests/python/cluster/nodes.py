"""Several real nodes on one database, each behind proxies of its own, and the command line beside them."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cluster import cleanup
from cluster.client import Client
from cluster.postgres import DATABASE, USER, Server
from cluster.processes import ENVIRONMENT, Program, binary, eventually, free_port
from cluster.proxy import Proxy

LEASE_SECONDS = 2.0
# How much longer a lease is waited for than it lasts, for clocks that run at other rates.
LEASE_WAIT_SECONDS = LEASE_SECONDS * 1.01


def address(ports: list[int]) -> str:
    """A connection string for one PostgreSQL that answers on one of the ports."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgres://{USER}@{hosts}/{DATABASE}?sslmode=disable&gssencmode=disable"


@dataclass(frozen=True)
class Account:
    """Somebody with a key, on a plan with the API."""

    id: str
    email: str
    key: str


class Node:
    """One server, which keeps its port when it is started again."""

    def __init__(self, name: str, directory: Path, servers: list[Server]):
        self.name = name
        self.proxies = [Proxy(server.port) for server in servers]
        self.port, self.gate_port = free_port(), free_port()
        self._directory = directory
        self._program: Program | None = None
        # Goes up whenever something is done to it or to its network: an answer is judged by its time only if not.
        self.disturbances = 0
        self.is_awake = True
        self.is_connected = True

    def start(self) -> None:
        self._program = Program(
            [str(binary()), "serve", "--database", address([proxy.port for proxy in self.proxies]),
             "--master-key-file", str(self._directory / "keybearer.keys"), "--lease", f"{LEASE_SECONDS:g}s",
             "--address", f"127.0.0.1:{self.port}", "--gate-address", f"127.0.0.1:{self.gate_port}",
             "--log-format", "json", "--regenerate-by-key", "open"],
            self._directory / f"{self.name}.log", directory=self._directory)
        self._program.wait_until(self.is_ready, f"{self.name} was ready", 60)
        self.is_awake = True

    @property
    def is_running(self) -> bool:
        return self._program is not None and self._program.is_running

    def mend(self) -> None:
        """Whatever was done to it is undone."""
        self.restore()
        self.resume() if self.is_running else self.start()

    @property
    def log(self) -> str:
        return self._program.log if self._program else ""

    def readiness(self) -> str:
        """What it says about itself; empty when it says nothing."""
        probe = Client(self.port, timeout=8)
        answer = probe.get(path="/readyz")
        probe.close()
        return answer.body.decode().strip()

    def is_ready(self) -> bool:
        return self.readiness() == "ready"

    def kill(self) -> None:
        """A crash: returns when it is gone."""
        self._begin_disturbance()
        self._program.end(signal.SIGKILL)

    def suspend(self) -> None:
        """Takes the processor from it, as a hypervisor may, until `resume`. When this returns it stands still."""
        self._begin_disturbance()
        self._program.signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self._program.process.pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", f"{self.name} stands still")

    def resume(self) -> None:
        self._program.signal(signal.SIGCONT)
        self.is_awake = True
        self.disturbances += 1

    def stop(self) -> int:
        return self._program.end(signal.SIGTERM)

    def cut(self, only: str | None = None) -> None:
        """Silences the network to the database: all of it, or the connections of that application_name."""
        self.disturbances += 1
        self.is_connected = False
        for proxy in self.proxies:
            proxy.cut(only)

    def delay(self, seconds: float, only: str | None = None) -> None:
        self.disturbances += 1
        for proxy in self.proxies:
            proxy.delay(seconds, only)

    def restore(self) -> None:
        for proxy in self.proxies:
            proxy.restore()
        self.is_connected = True
        self.disturbances += 1

    def _begin_disturbance(self) -> None:
        self.disturbances += 1
        self.is_awake = False


class Cluster:
    """A deployment with its nodes. What is started is ended by `close`, or at the end of the process."""

    def __init__(self, servers: list[Server], count: int = 3):
        self.directory = cleanup.temporary_directory()
        self._servers = servers
        self._accounts = 0
        self.cli("init", "--email", "operator@example.com", "--generate-password")
        self.nodes = [Node(f"node{number}", self.directory, servers) for number in range(1, count + 1)]

    def start(self) -> Cluster:
        for node in self.nodes:
            node.start()
        return self

    def close(self) -> None:
        for node in self.nodes:
            node.restore()
            if node.is_running:
                node.resume()
                node.stop()
            for proxy in node.proxies:
                proxy.close()

    def awake(self) -> list[Node]:
        """The nodes that are neither dead nor suspended by a test."""
        return [node for node in self.nodes if node.is_awake]

    def all_ready(self) -> bool:
        return all(node.is_ready() for node in self.nodes)

    def await_ready(self, seconds: float = 30) -> None:
        eventually(self.all_ready, f"ready: {[node.readiness() for node in self.nodes]}", seconds)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command over the database, past the proxies."""
        return subprocess.run(
            [str(binary()), *arguments, "--database", address([server.port for server in self._servers]),
             "--master-key-file", str(self.directory / "keybearer.keys"), "--lease", f"{LEASE_SECONDS:g}s"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90, env=ENVIRONMENT, cwd=self.directory)

    def cli(self, *arguments: str) -> str:
        """The same for a command that must succeed; answers its standard output."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"keybearer {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def create_plan(self, name: str, hourly_limit: int) -> None:
        self.cli("plan", "put", name, "--name", name, "--hourly-limit", str(hourly_limit), "--feature", "api_webhooks")

    def create_account(self, plan: str) -> Account:
        self._accounts += 1
        email = f"account{self._accounts}@example.com"
        self.cli("user", "create", email, "--name", f"Account {self._accounts}", "--generate-password")
        return self.account(email, plan)

    def account(self, email: str, plan: str) -> Account:
        """An account that is there already, moved to the plan."""
        shown = self.show(email)
        self.cli("workspace", "set-plan", shown["workspaces"][0]["id"], plan)
        return Account(shown["id"], email, self.cli("key", "show", email).strip())

    def show(self, email: str) -> dict:
        return json.loads(self.cli("user", "show", email, "--json"))

    def registered(self) -> set[str]:
        """The ids of the nodes that the database knows."""
        return {node["id"] for node in json.loads(self.cli("node", "list", "--json"))}
