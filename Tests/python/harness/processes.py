"""Programs of a run: started, stopped, killed, suspended."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from harness import cleanup
from harness.programs import ENVIRONMENT
from harness.waiting import Failure, eventually

Value = TypeVar("Value")
STOP_SECONDS = 25


def _stands_still(thread: Path) -> bool:
    """Whether a thread is stopped, by its folder in /proc; one that has ended stands still too."""
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return True


class Program:
    """A running program in a process group of its own, whose output goes to a file."""

    def __init__(
        self, arguments: list[str], log: Path, *, output: Path | None = None,
        environment: Mapping[str, str] | None = None, directory: Path | None = None,
    ):
        """- output: where its standard output goes, if not to the log as well.
        - environment: variables on top of what all programs get."""
        # What failures call it.
        self.name = Path(arguments[0]).name
        self.log_path = log
        with log.open("ab") as errors, (output or log).open("ab") as standard:
            try:
                self.process = subprocess.Popen(
                    arguments, stdin=subprocess.DEVNULL, stdout=standard, stderr=errors,
                    env={**ENVIRONMENT, **(environment or {})}, cwd=directory, start_new_session=True,
                )
            except FileNotFoundError:
                raise Failure(f"there is no {arguments[0]}") from None
        cleanup.end_at_exit(self.process.pid)

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self.process.pid

    @property
    def log(self) -> str:
        """All that it wrote, of earlier programs with the same log too."""
        return self.log_path.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def expect_running(self, until: str = "it was to") -> None:
        """Fails when it has ended by itself."""
        if not self.is_running:
            code = self.process.returncode
            raise Failure(f"{self.name} ended before {until} (exit code {code}):\n{self.log[-3000:]}")

    def wait_until(
        self, condition: Callable[[], Value], what: str, seconds: float = 20, pause: float = 0.02
    ) -> Value:
        """Waits until the condition returns something true, and returns that. Fails when the program has ended."""

        def value() -> Value:
            self.expect_running(what)
            return condition()

        try:
            return eventually(value, what, seconds, pause)
        except Failure as problem:
            self.kill()
            raise Failure(f"{problem}\n{self.log[-3000:]}") from None

    def send_signal(self, number: int) -> None:
        """Sends it a signal, if it still runs."""
        if self.is_running:
            self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(seconds)

    def end(self, number: int = signal.SIGTERM, seconds: float = STOP_SECONDS) -> int:
        """Sends the signal and returns the exit code; minus 9 when it had to be killed."""
        self.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def kill(self) -> None:
        """Ends it as a crash does, and waits until it is gone."""
        self.end(signal.SIGKILL)

    def suspend(self) -> None:
        """Stops it from running on until it gets SIGCONT. When this returns, each of its threads stands still: the signal
        alone returns while another processor may still run one of them."""
        self.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.pid}/task")
        self.wait_until(lambda: all(map(_stands_still, threads.iterdir())), f"{self.name} stands still")

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Stops it from running on until the block ends."""
        self.suspend()
        try:
            yield
        finally:
            self.send_signal(signal.SIGCONT)
