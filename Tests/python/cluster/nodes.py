"""Several real nodes on one database, each behind proxies of its own, and the command line beside them."""

from __future__ import annotations

import signal
from pathlib import Path

from cluster.proxy import Proxy
from harness import cleanup
from harness.command_line import CommandLine
from harness.keybearer import KeybearerServer
from harness.ports import free_port
from harness.postgres import DATABASE, USER, PostgresServer
from harness.waiting import eventually

LEASE_SECONDS = 2.0
# How much longer a lease is waited for than it lasts, for clocks that run at other rates.
LEASE_WAIT_SECONDS = LEASE_SECONDS * 1.01
LEASE = ["--lease", f"{LEASE_SECONDS:g}s"]


def connection_string(ports: list[int]) -> str:
    """For one PostgreSQL that listens on one of the ports."""
    hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
    return f"postgres://{USER}@{hosts}/{DATABASE}?sslmode=disable&gssencmode=disable"


class Node(KeybearerServer):
    """One server, whose network to the database can be broken."""

    start_seconds = 60

    def __init__(self, name: str, directory: Path, servers: list[PostgresServer]):
        self.name = name
        self.proxies = [Proxy(server.port) for server in servers]
        self.gate_port = free_port()
        commands = CommandLine(
            connection_string([proxy.port for proxy in self.proxies]), directory / "keybearer.keys", LEASE)
        settings = ["--gate-address", f"127.0.0.1:{self.gate_port}", "--regenerate-by-key", "open"]
        super().__init__(commands, directory / f"{name}.log", settings)
        # Goes up whenever something is done to it or to its network: a response is judged by its time only if not.
        self.disturbances = 0
        self.is_awake = True
        self.is_connected = True

    def start(self) -> None:
        super().start()
        self.is_awake = True

    def repair(self) -> None:
        """Undoes whatever was done to it."""
        self.restore()
        self.resume() if self.is_running else self.start()

    def kill(self) -> None:
        """A crash: returns when it is gone."""
        self._begin_disturbance()
        super().kill()

    def suspend(self) -> None:
        """Takes the processor from it, as a hypervisor may, until `resume`. When this returns it stands still."""
        self._begin_disturbance()
        self.program.suspend()

    def resume(self) -> None:
        self.program.send_signal(signal.SIGCONT)
        self.is_awake = True
        self.disturbances += 1

    def stop(self) -> None:
        """Asks it to stop, whatever state a test left it in."""
        self.end(30)

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

    def __init__(self, servers: list[PostgresServer], count: int = 3):
        directory = cleanup.temporary_directory()
        # They go past the proxies.
        database = connection_string([server.port for server in servers])
        self.commands = CommandLine(database, directory / "keybearer.keys", LEASE)
        self.commands.create_database()
        self.nodes = [Node(f"node{number}", directory, servers) for number in range(1, count + 1)]

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
        """The nodes that are neither killed nor suspended by a test."""
        return [node for node in self.nodes if node.is_awake]

    def all_ready(self) -> bool:
        return all(node.is_ready() for node in self.nodes)

    def await_ready(self, seconds: float = 30) -> None:
        eventually(self.all_ready, f"ready: {[node.readiness() for node in self.nodes]}", seconds)

    def registered(self) -> set[str]:
        """The ids of the nodes that the database knows."""
        return {node["id"] for node in self.commands.json("node", "list")}
