"""The server under test: a demonstration in a directory of its own, its accounts and its keys."""

import concurrent.futures
import http.client
import json
import os
import re
import secrets
import urllib.parse

from .exchange import Subject, ask
from .peers import BODY, FORWARDED, HOURLY_LIMIT, PATH, unknown
from .processes import Failure, Processes, free_port, run

IDENTITY_FIELDS = 6
RATE_LIMIT_FIELDS = 5


class Keybearer:
    """`keybearer demo`, started anew as often as needed on the same directory."""

    def __init__(self, processes: Processes, binary: str, directory: str, has_gate: bool, name: str = "keybearer",
                 database: str | None = None):
        """- Parameter database: another than the demonstration's, for `serve`."""
        self.processes = processes
        self.name = name
        self.database = database
        self.binary = binary
        self.directory = os.path.join(directory, "keybearer")
        self.starts = 0
        self.port = self.gate_port = 0
        self.key = ""
        self.process = None
        self.command: list[str] = []
        self.has_gate = has_gate
        if has_gate and "--gate-address" not in run([binary, "demo", "--help"], "keybearer demo --help"):
            raise Failure(f"this build has no gate: {binary} demo has no --gate-address")

    def start(self, serve: bool = False) -> None:
        """- Parameter serve: starts `serve` on the demonstration's database, which shows no key and is ready at once."""
        self.port = free_port()
        self.command = [self.binary, "demo", "--directory", self.directory, "--port", str(self.port),
                        "--hourly-limit", str(HOURLY_LIMIT)]
        if serve:
            self.command = [self.binary, "serve", *self.paths(), "--address", f"127.0.0.1:{self.port}",
                            "--gate-trusted-proxies", "127.0.0.1/32"]
        if self.has_gate:
            self.gate_port = free_port()
            self.command += ["--gate-address", f"127.0.0.1:{self.gate_port}"]
        self.starts += 1
        self.process = self.processes.start(f"{self.name} {self.starts}", self.command)
        if not serve:
            self.key = self.process.wait_until(
                lambda: re.search(r"Bearer (\S+)\" http://\S+/api", self.process.output()))[1]
        for port in filter(None, (self.port, self.gate_port)):
            self.process.wait_for_port(port)

    def stop(self) -> None:
        if self.process:
            self.processes.stop(self.process)
            self.process = None

    def run_command(self, *arguments: str) -> str:
        """One of Keybearer's commands on the demonstration's database."""
        return run([self.binary, *arguments, *self.paths()], f"keybearer {' '.join(arguments[:2])}", timeout=60)

    def file(self) -> str:
        return os.path.join(self.directory, "keybearer.db")

    def paths(self) -> list[str]:
        return ["--database", self.database or self.file(),
                "--master-key-file", os.path.join(self.directory, "keybearer.keys")]

    # What is measured.

    def gate(self) -> Subject:
        return Subject("gate", "Keybearer's gate", self.process, self.gate_port, PATH, f"Bearer {self.key}", BODY,
                       unknown(401), fields=FORWARDED)

    def profile(self) -> Subject:
        return Subject("me", "Keybearer's `/api/v1/me`", self.process, self.port, "/api/v1/me", f"Bearer {self.key}",
                       '"ok":true', unknown(401))

    def bare_route(self) -> Subject:
        return Subject("healthz", "bare Hummingbird route `/healthz`, no key", self.process, self.port, "/healthz",
                       None, "ok", None)

    def check_gate(self, subject: Subject):
        """The gate's answer must have what HAProxy is made to answer too."""
        answer = subject.check()
        names = [name.lower() for name, _ in answer.fields]
        identity = [name for name in names if name.startswith("x-keybearer-")]
        limits = [name for name in names if re.match(r"(x-)?ratelimit", name)]
        if len(identity) != IDENTITY_FIELDS or len(limits) != RATE_LIMIT_FIELDS:
            raise Failure(f"the gate answers {len(identity)} identity fields and {len(limits)} of the rate limit, not "
                          f"{IDENTITY_FIELDS} and {RATE_LIMIT_FIELDS}: {identity + limits}")
        return answer

    # Accounts and keys.

    def regenerate(self, times: int) -> list[str]:
        """Replaces the key again and again through the API; answers the dead ones."""
        dead = []
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for _ in range(times):
            connection.request("POST", "/api/v1/key/regenerate", headers={"Authorization": f"Bearer {self.key}"})
            answer = connection.getresponse()
            body = answer.read().decode()
            if answer.status != 200:
                raise Failure(f"regenerating a key: {answer.status} {body[:80]!r}")
            dead.append(self.key)
            self.key = json.loads(body)["data"]["key"]
        connection.close()
        return dead

    def make_accounts(self, number: int) -> list[str]:
        """Signs up accounts and opens the API to them; answers their keys.

        A demonstration hashes passwords cheaply, so this is much faster than making accounts on the command line.
        """
        origin = {"Origin": f"http://127.0.0.1:{self.port}", "Content-Type": "application/x-www-form-urlencoded"}
        for email in account_emails(number):
            form = urllib.parse.urlencode({"name": "Account", "email": email, "password": secrets.token_urlsafe(12)})
            answer = ask(self.port, "/sign-up", method="POST", body=form, fields=origin)
            if answer.status != 303:
                raise Failure(f"signing up an account: {answer.status} {answer.body[:80]!r}")
        self.open_plan()
        return self.account_keys(number)

    def account_keys(self, number: int) -> list[str]:
        """The keys of the accounts as they are now."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda email: self.run_command("key", "show", email).strip(), account_emails(number)))

    def open_plan(self, hourly_limit: int = HOURLY_LIMIT) -> None:
        """New accounts are on the plan "free", which a demonstration closes to the API, at every start perhaps."""
        self.run_command("plan", "put", "free", "--name", "Free", "--hourly-limit", str(hourly_limit), "--feature",
                         "api_webhooks", "--position", "0")


def account_emails(number: int) -> list[str]:
    return [f"account{one}@example.com" for one in range(number)]


def start_churn(processes: Processes, command: list[str]):
    """Starts a program that regenerates keys until it is terminated; it prints `ready` when it has begun."""
    process = processes.start(f"churn {len(processes.running)}", command)
    process.wait_until(lambda: "ready" in process.output())
    return process


def stop_churn(processes: Processes, process) -> int:
    """Stops it and answers how many keys it regenerated: its last line is JSON with `regenerated`."""
    process.expect_running()
    processes.stop(process)
    try:
        return int(json.loads(process.output().strip().splitlines()[-1])["regenerated"])
    except (ValueError, KeyError, IndexError, TypeError):
        raise Failure(f"{process.name} did not say how many keys it regenerated") from None
