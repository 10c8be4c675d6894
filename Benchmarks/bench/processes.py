"""Programs that run while something is measured, and how they are stopped whatever happens."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from harness.ports import is_open
from harness.processes import Program, Value
from harness.waiting import Failure


def print_progress(text: str) -> None:
    """Shows the person what is going on."""
    print(text, flush=True)


def run(command: list[str], what: str, **options) -> str:
    """Runs a command to its end and returns what it printed; a failure has its last line."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    except FileNotFoundError:
        raise Failure(f"{what}: there is no {command[0]}") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"{what}: {command[0]} took longer than {options['timeout']} s") from None
    if done.returncode != 0:
        raise Failure(f"{what}: {last_line(done.stderr or done.stdout)} (exit code {done.returncode})")
    return done.stdout


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"


class Process(Program):
    """A program whose workers are counted and stopped with it. It gets the environment of this process."""

    def __init__(self, name: str, command: list[str], logs: str, environment: dict[str, str] | None = None,
                 directory: str | None = None):
        log = Path(logs, f"{name.replace(' ', '-')}.log")
        log.unlink(missing_ok=True)
        super().__init__(command, log, environment=environment or os.environ,
                         directory=Path(directory) if directory else None)
        self.name = name

    def wait_until(self, condition: Callable[[], Value], what: str = "it was ready", seconds: float = 60,
                   pause: float = 0.05) -> Value:
        return super().wait_until(condition, what, seconds, pause)

    def wait_for_port(self, port: int) -> None:
        self.wait_until(lambda: is_open(port), f"it listened on port {port}")

    def processor_seconds(self) -> float | None:
        """Processor time that the whole group has used so far; None where /proc does not have it."""
        ticks, found = 0, False
        for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/stat") as stat:
                    # Behind the name, which may hold anything: state, parent, group, …, user and system time.
                    columns = stat.read().rpartition(")")[2].split()
                if int(columns[2]) == self.pid:
                    ticks += int(columns[11]) + int(columns[12])
                    found = True
        return ticks / os.sysconf("SC_CLK_TCK") if found else None

    def stop(self) -> None:
        """Ends the group: kindly first."""
        if self.is_running:
            self.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(15)
        # Also when the first process is gone: a worker of its may not be.
        self.send_signal(signal.SIGKILL)
        self.process.wait()

    def send_signal(self, number: int) -> None:
        """Sends the whole group a signal."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class Processes:
    """All programs of a run. Leaving the context stops them, last first."""

    def __init__(self, logs: str):
        self.logs = logs
        self.running: list[Process] = []

    def __enter__(self) -> "Processes":
        # A termination is to clean up like Ctrl-C does.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda received, _: sys.exit(128 + received))
        return self

    def __exit__(self, *_) -> None:
        # A second one must not leave servers behind.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.stop_all()

    def start(self, name: str, command: list[str], **options) -> Process:
        process = Process(name, command, self.logs, **options)
        self.running.append(process)
        return process

    def stop_all(self) -> None:
        for process in list(reversed(self.running)):
            self.stop(process)

    def stop(self, process: Process) -> None:
        process.stop()
        if process in self.running:
            self.running.remove(process)
