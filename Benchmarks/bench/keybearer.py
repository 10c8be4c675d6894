"""The server under test: a demonstration in a directory of its own, its accounts and its keys."""

import concurrent.futures
import json
import os
import re
from pathlib import Path

from harness.command_line import CommandLine
from harness.connection import Connection, request_head
from harness.dashboard_client import DashboardClient
from harness.demonstration import read_greeting
from harness.http_client import Response
from harness.ports import free_port
from harness.waiting import Failure

from .peers import BODY, FORWARDED, HOURLY_LIMIT, PATH, unknown
from .processes import Process, Processes, run
from .subject import Subject

IDENTITY_HEADERS = 6
RATE_LIMIT_HEADERS = 5


class Keybearer:
    """`keybearer demo`, started again as often as needed on the same directory."""

    def __init__(self, processes: Processes, binary: str, directory: str, has_gate: bool, name: str = "keybearer",
                 database: str | None = None):
        """- Parameter database: another than the demonstration's, for `serve`."""
        self.processes = processes
        self.name = name
        self.binary = binary
        self.directory = os.path.join(directory, "keybearer")
        self.database_file = os.path.join(self.directory, "keybearer.db")
        self.master_keys = os.path.join(self.directory, "keybearer.keys")
        self.commands = CommandLine(database or self.database_file, Path(self.master_keys), binary=binary)
        self.starts = 0
        self.port = self.gate_port = 0
        self.key = ""
        self.process: Process | None = None
        self.command: list[str] = []
        self.has_gate = has_gate
        # Options of every start besides.
        self.options: list[str] = []
        if has_gate and "--gate-address" not in run([binary, "demo", "--help"], "keybearer demo --help"):
            raise Failure(f"this build has no gate: {binary} demo has no --gate-address")

    def start(self, serve: bool = False) -> None:
        """- Parameter serve: starts `serve` on the demonstration's database, which shows no key and is ready sooner."""
        self.port = free_port()
        self.command = [self.binary, "demo", "--directory", self.directory, "--port", str(self.port),
                        "--hourly-limit", str(HOURLY_LIMIT)]
        if serve:
            self.command = [self.binary, "serve", *self.commands.store, "--address", f"127.0.0.1:{self.port}",
                            "--gate-trusted-proxies", "127.0.0.1/32"]
        if self.has_gate:
            self.gate_port = free_port()
            self.command += ["--gate-address", f"127.0.0.1:{self.gate_port}"]
        self.command += self.options
        self.starts += 1
        self.process = self.processes.start(f"{self.name} {self.starts}", self.command)
        if not serve:
            self.key = self.process.wait_until(lambda: read_greeting(self.process.log)).key
        for port in filter(None, (self.port, self.gate_port)):
            self.process.wait_for_port(port)

    def stop(self) -> None:
        if self.process:
            self.processes.stop(self.process)
            self.process = None

    # What is measured.

    def gate(self) -> Subject:
        return Subject("gate", "Keybearer's gate", self.process, self.gate_port, PATH, f"Bearer {self.key}", BODY,
                       unknown(401), headers=FORWARDED)

    def profile(self) -> Subject:
        return Subject("me", "Keybearer's `/api/v1/me`", self.process, self.port, "/api/v1/me", f"Bearer {self.key}",
                       '"ok":true', unknown(401))

    def bare_route(self) -> Subject:
        return Subject("healthz", "bare Hummingbird route `/healthz`, no key", self.process, self.port, "/healthz",
                       None, "ok", None)

    def check_gate(self, subject: Subject) -> Response:
        """The gate's response must have what HAProxy is made to send too."""
        response = subject.check()
        names = [name for name, _ in response.headers]
        identity = [name for name in names if name.startswith("x-keybearer-")]
        limits = [name for name in names if re.match(r"(x-)?ratelimit", name)]
        if len(identity) != IDENTITY_HEADERS or len(limits) != RATE_LIMIT_HEADERS:
            raise Failure(f"the gate sends {len(identity)} identity headers and {len(limits)} of the rate limit, not "
                          f"{IDENTITY_HEADERS} and {RATE_LIMIT_HEADERS}: {identity + limits}")
        return response

    # Accounts and keys.

    def regenerate(self, times: int) -> list[str]:
        """Replaces the key again and again through the API; returns the replaced ones."""
        replaced = []
        with Connection.to_port(self.port, timeout=20) as connection:
            for _ in range(times):
                headers = [("Host", "127.0.0.1"), ("Content-Length", "0"), ("Authorization", f"Bearer {self.key}")]
                response = connection.round_trip(request_head("POST", "/api/v1/key/regenerate", headers))
                if response.status != 200:
                    raise Failure(f"regenerating a key: {response.status} {response.text[:80]!r}")
                replaced.append(self.key)
                self.key = response.data["key"]
        return replaced

    def make_accounts(self, number: int) -> list[str]:
        """Signs up accounts and opens the API to them; returns their keys.

        A demonstration hashes passwords cheaply, so this is much faster than making accounts on the command line.
        """
        dashboard = DashboardClient(f"http://127.0.0.1:{self.port}")
        for email in account_emails(number):
            dashboard.sign_up("Account", email)
        self.open_plan()
        return self.account_keys(number)

    def account_keys(self, number: int) -> list[str]:
        """The keys of the accounts as they are now."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(self.commands.key_of, account_emails(number)))

    def open_plan(self, hourly_limit: int = HOURLY_LIMIT) -> None:
        """New accounts are on the plan "free", which a demonstration closes to the API, at every start perhaps."""
        self.commands.run("plan", "put", "free", "--name", "Free", "--hourly-limit", str(hourly_limit), "--feature",
                          "api_webhooks", "--position", "0")


def account_emails(number: int) -> list[str]:
    return [f"account{one}@example.com" for one in range(number)]


def start_churn(processes: Processes, command: list[str]) -> Process:
    """Starts a program that regenerates keys until it is terminated; it prints `ready` when it has begun."""
    process = processes.start(f"churn {len(processes.running)}", command)
    process.wait_until(lambda: "ready" in process.log)
    return process


def stop_churn(processes: Processes, process: Process) -> int:
    """Stops it and returns how many keys it regenerated: its last line is JSON with `regenerated`."""
    process.expect_running()
    processes.stop(process)
    try:
        return int(json.loads(process.log.strip().splitlines()[-1])["regenerated"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise Failure(f"{process.name} did not say how many keys it regenerated") from None
