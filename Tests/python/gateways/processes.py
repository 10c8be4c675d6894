"""Programs that the tests start: each on ports of its own, and each ended with the test that wanted it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
START_SECONDS = 20
STOP_SECONDS = 25


def program(variable: str, default: str) -> Path:
    """The program that a variable names, or its default inside the repository."""
    path = Path(os.environ.get(variable, default))
    return path if path.is_absolute() else REPOSITORY / path


KEYBEARER = program("KEYBEARER_BINARY", ".build/debug/keybearer")
NGINX = program("NGINX", "/usr/sbin/nginx")
HAPROXY = program("HAPROXY", "/usr/sbin/haproxy")
CADDY = program("CADDY", ".venv/bin/caddy")
ENVOY = program("ENVOY", ".venv/bin/envoy")
TRAEFIK = program("TRAEFIK", ".venv/bin/traefik")

# The variables of the one who runs the tests must not configure what is under test.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("KEYBEARER_", "CADDY_", "TRAEFIK_")) and not name.lower().endswith("_proxy")
}


def eventually(condition: Callable[[], object], message: str, seconds: float = 15) -> None:
    """Returns as soon as the condition holds; fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, message
        pause.wait(0.02)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A running program whose output goes to a file."""

    def __init__(self, arguments: list[str], log: Path, environment: dict[str, str] | None = None):
        self._log_path = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**ENVIRONMENT, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def signal(self, number: int) -> None:
        """Sends it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself."""
        return self._process.wait(seconds)

    @property
    def log(self) -> str:
        """All that it said."""
        return self._log_path.read_text(errors="replace")

    def wait_until(self, condition: Callable[[], object], what: str) -> None:
        """Waits for a sign of the program, and fails early when it has ended."""

        def holds() -> object:
            assert self._process.poll() is None, f"It ended before {what}:\n{self.log}"
            return condition()

        try:
            eventually(holds, what, START_SECONDS)
        except AssertionError as problem:
            self.kill()
            raise AssertionError(f"{problem}\n{self.log}") from None

    def stop(self) -> int:
        """Asks it to end as an operator does, and answers its exit code; minus 9 when it had to be killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._process.returncode

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stops it from running on until the block ends."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it at once, as a crash does, and waits until it is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
