"""Programs of a run: started, stopped, killed, suspended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cluster import cleanup

REPOSITORY = Path(__file__).resolve().parents[3]

# The variables of the one who runs the tests must not configure what is under test.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("KEYBEARER_", "PG")) and not name.lower().endswith("_proxy")
}

# The tests regenerate keys over the API.
ENVIRONMENT["KEYBEARER_REGENERATE_BY_KEY"] = "open"

_handed_out: set[int] = set()


def binary() -> Path:
    """The server under test."""
    path = Path(os.environ.get("KEYBEARER_BINARY", ".build/debug/keybearer"))
    return path if path.is_absolute() else REPOSITORY / path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, never the same one twice.

    It is below those that systems give to outgoing connections: a server that is started again finds it free.
    """
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _handed_out:
                _handed_out.add(port)
                return port


def eventually(condition: Callable[[], object], message: str, seconds: float = 30) -> None:
    """Returns as soon as the condition holds; fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {message}"
        pause.wait(0.02)


class Program:
    """A running program whose output goes to a file."""

    def __init__(self, arguments: list[str], log: Path, directory: Path | None = None):
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=ENVIRONMENT, cwd=directory,
                start_new_session=True,
            )
        cleanup.end_at_exit(self.process.pid)

    @property
    def log(self) -> str:
        """All that it said."""
        return self._log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def wait_until(self, condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        """Waits for a sign of the program, and fails early when it has ended."""

        def holds() -> object:
            assert self.is_running, f"it ended before {what}:\n{self.log[-3000:]}"
            return condition()

        try:
            eventually(holds, what, seconds)
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{self.log[-3000:]}") from None

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            self.process.send_signal(number)

    def end(self, number: signal.Signals, seconds: float = 30) -> int:
        """Sends the signal and waits for the end; kills it when that does not come in time."""
        self.signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
