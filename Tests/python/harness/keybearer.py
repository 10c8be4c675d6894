"""A real `keybearer serve`, which may be started again after a crash or a stop."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.accounts import expect_no_key
from harness.command_line import CommandLine
from harness.http_client import request
from harness.ports import free_port
from harness.processes import STOP_SECONDS, Program


class KeybearerServer:
    """One server on a database. It keeps its port and its log when it is started again."""

    # How long a start may take.
    start_seconds = 20
    # How clients reach one that has a certificate.
    tls: ssl.SSLContext | None = None

    def __init__(self, commands: CommandLine, log: Path, settings: Iterable[str] = ()):
        """- commands: the commands on its database.
        - settings: options of `serve` besides."""
        self.commands = commands
        self.log_path = log
        self.settings = list(settings)
        self.port = free_port()
        # Where a browser finds it.
        self.origin = f"http://localhost:{self.port}"
        # Variables of the server's environment besides.
        self.environment: dict[str, str] = {}
        self.program: Program | None = None
        self._is_killed = False

    def serve_arguments(self, port: int | None = None) -> list[str]:
        """The command that serves, on its own port for the API and the dashboard or on another."""
        return [
            self.commands.binary, "serve", *self.commands.store, "--address", f"127.0.0.1:{port or self.port}",
            "--log-format", "json", *self.settings,
        ]

    def start(self) -> None:
        """Serves, and waits until it is ready."""
        self._is_killed = False
        self.program = Program(
            self.serve_arguments(), self.log_path, environment=self.environment, directory=self.log_path.parent
        )
        self.program.wait_until(self.is_ready, f"{self.log_path.stem} was ready", self.start_seconds)

    @property
    def is_running(self) -> bool:
        return self.program is not None and self.program.is_running

    def readiness(self) -> str:
        """What it says about itself at `/readyz`; empty when it says nothing."""
        try:
            return request(f"127.0.0.1:{self.port}", "/readyz", timeout=8, tls=self.tls).text.strip()
        except (OSError, http.client.HTTPException):
            return ""

    def is_ready(self) -> bool:
        return self.readiness() == "ready"

    @property
    def log(self) -> str:
        """All that its servers wrote so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def log_records(self) -> list[dict]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.splitlines()]

    def kill(self) -> None:
        """A crash: returns when it is gone."""
        self._is_killed = True
        self.program.kill()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Takes the processor from it for a while, as a hypervisor may: it is there, and says nothing."""
        with self.program.suspended():
            yield

    def end(self, seconds: float = STOP_SECONDS) -> int:
        """Asks it to stop and returns its exit code; minus 9 when it did not stop within the time."""
        return self.program.end(signal.SIGTERM, seconds)

    def stop(self) -> None:
        """Asks it to stop; it must end cleanly, if it was not killed before, and no key may be in its log."""
        if self.program is None:
            return
        code = self.end()
        assert self._is_killed or code == 0, f"Keybearer ended with {code}.\n{self.log}"
        expect_no_key(self.log, "the log")
