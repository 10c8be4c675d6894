"""A server with its listeners, without TLS or with it, whose limits are seconds."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gateways.gate_server import GateServer
from gateways.stages import LISTENERS, Listener, connect, over_tls
from harness.connection import Connection, Malformed, request_head
from harness.ports import free_port
from harness.processes import Program

HEAD_SECONDS = 2
IDLE_SECONDS = 4
REQUEST_SECONDS = 6
BODY_SECONDS = 10
STOP_SECONDS = 5


class ListeningServer:
    """A server with all listeners, on a database of its own."""

    def __init__(self, directory: Path, certificate: tuple[Path, Path] | None, files: int | None = None):
        settings = [
            "--idle-timeout", f"{IDLE_SECONDS}s", "--stop-timeout", f"{STOP_SECONDS}s",
            "--head-timeout", f"{HEAD_SECONDS}s", "--request-timeout", f"{REQUEST_SECONDS}s",
        ]
        if certificate:
            settings += ["--tls-certificate", str(certificate[0]), "--tls-key", str(certificate[1])]
        operators, metrics = free_port(), free_port()
        if not certificate:
            settings += ["--operator-address", f"127.0.0.1:{operators}", "--metrics-address", f"127.0.0.1:{metrics}"]
        keybearer = GateServer(directory / "kb", gate_socket=certificate is not None, settings=tuple(settings))
        self._arguments = keybearer.serve_arguments()
        if files:
            self._arguments = ["/bin/sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *self._arguments]
        self._log = keybearer.log_path
        gate = keybearer.gate
        self.addresses: dict[str, int | str] = (
            {
                "public over TLS, HTTP/1.1": keybearer.port, "public over TLS, HTTP/2": keybearer.port,
                "gate on a Unix socket": gate.removeprefix("unix:"),
            }
            if certificate
            else {
                "public": keybearer.port, "operators": operators, "metrics": metrics,
                "gate": int(gate.split(":")[1]),
            }
        )
        self.start()

    def start(self) -> None:
        self._first_memory: int | None = None
        self.program = Program(self._arguments, self._log)
        self.program.wait_until(lambda: self.responds(self.listeners[0]), "Keybearer was ready")

    @property
    def listeners(self) -> list[Listener]:
        return [listener for listener in LISTENERS if listener.name in self.addresses]

    def responds(self, listener: Listener, seconds: float = 5) -> bool:
        """Whether a good request is answered within a time: 200 by the probe or the document, 401 by the gate without a
        key."""
        deadline = time.monotonic() + seconds
        is_gate = listener.name.startswith("gate")
        path = "/gate" if is_gate else "/openapi.json" if listener.name == "operators" else "/healthz"
        try:
            connection = connect(self.addresses[listener.name], seconds)
            if listener.protocol:
                connection = over_tls(connection, "http/1.1")
            with Connection(connection) as connection:
                headers = [("Host", "localhost"), ("X-Forwarded-Proto", "https"), ("Connection", "close")]
                response = connection.round_trip(request_head("GET", path, headers))
                return response.status == (401 if is_gate else 200) and time.monotonic() < deadline
        except (OSError, Malformed):
            return False

    @property
    def memory(self) -> int:
        """What it holds in memory, in bytes."""
        status = Path(f"/proc/{self.program.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    @property
    def first_memory(self) -> int:
        """What it held when this was first read since its start."""
        if self._first_memory is None:
            self._first_memory = self.memory
        return self._first_memory

    def stop(self) -> None:
        self.program.kill()


def in_parallel(run: Callable[..., None], cases: list[tuple]) -> None:
    """Runs each case in a thread of its own, and fails as the first that failed."""
    with ThreadPoolExecutor(len(cases)) as pool:
        for done in [pool.submit(run, *case) for case in cases]:
            done.result()
