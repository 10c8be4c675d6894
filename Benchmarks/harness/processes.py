"""Programs that run while something is measured, and how they are stopped whatever happens."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time


class Failure(Exception):
    """Something that ends the run, in one line for the person who started it."""


def note(text: str) -> None:
    """Tells the person what is going on."""
    print(text, flush=True)


def run(command: list[str], what: str, **options) -> str:
    """Runs a command to its end and answers what it printed; a failure tells its last line."""
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
    return lines[-1] if lines else "it said nothing"


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program in a process group of its own, so that its workers are counted and stopped with it."""

    def __init__(self, name: str, command: list[str], logs: str, **options):
        self.name = name
        self.log = os.path.join(logs, f"{name.replace(' ', '-')}.log")
        # Into a file: a pipe that nobody reads would stop the program when it is full.
        with open(self.log, "w") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
                    **options)
            except FileNotFoundError:
                raise Failure(f"{name}: there is no {command[0]}") from None

    def output(self) -> str:
        with open(self.log, errors="replace") as log:
            return log.read()

    def expect_running(self) -> None:
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended: {last_line(self.output())} (exit code {self.process.returncode})")

    def wait_until(self, is_ready, seconds: float = 60):
        """Asks again and again until the answer is something, and answers that."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.expect_running()
            answer = is_ready()
            if answer:
                return answer
            time.sleep(0.05)
        raise Failure(f"{self.name} was not ready in {seconds:g} s: {last_line(self.output())}")

    def wait_for_port(self, port: int) -> None:
        def is_open():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            return False
        self.wait_until(is_open)

    def processor_seconds(self) -> float | None:
        """Processor time that the whole group has used so far; None where /proc does not tell."""
        ticks, found = 0, False
        for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else []:
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                with open(f"/proc/{entry}/stat") as stat:
                    # Behind the name, which may hold anything: state, parent, group, …, user and system time.
                    fields = stat.read().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:
                    ticks += int(fields[11]) + int(fields[12])
                    found = True
        return ticks / os.sysconf("SC_CLK_TCK") if found else None

    def stop(self) -> None:
        """Ends the group: kindly first."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(15)
        # Also when the first process is gone: a worker of its may not be.
        self.signal(signal.SIGKILL)
        self.process.wait()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


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
