"""Real servers for the tests: `keybearer demo` and `keybearer serve`, the command line beside them, and plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

REPOSITORY = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("KEYBEARER_BINARY", ".build/debug/keybearer"))
if not BINARY.is_absolute():
    BINARY = REPOSITORY / BINARY

KEY_SHAPE = re.compile(r"tdc_[0-9A-Za-z]{38}")
START_SECONDS = 20
STOP_SECONDS = 25
# The variables of the one who runs the tests must not configure the servers under test.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KEYBEARER_")}


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    name: str
    email: str
    password: str


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; field names are in lower case, and redirects are not followed."""

    status: int
    fields: dict[str, str]
    body: str

    @property
    def json(self) -> dict:
        return json.loads(self.body)


def eventually(condition: Callable[[], bool], message: str, seconds: float = 15) -> None:
    """Returns as soon as the condition holds; fails when it does not within the time."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, message
        pause.wait(0.02)


class KeybearerProcess:
    """A running server. Start it with `demo` or `serve`; `stop` ends it and checks how it ended."""

    def __init__(self, arguments: list[str], directory: Path, log: Path):
        self.directory = directory
        # Set by tests that take the database away.
        self.may_log_errors = False
        self._log_path = log
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [str(BINARY), *arguments], stdout=subprocess.PIPE, stderr=self._log, env=ENVIRONMENT, text=True
        )

    @classmethod
    def demo(cls, directory: Path, *options: str, port: int = 0) -> KeybearerProcess:
        """`keybearer demo`, as a newcomer starts it."""
        directory.mkdir(parents=True, exist_ok=True)
        arguments = ["demo", "--directory", str(directory), "--port", str(port), "--log-format", "json", *options]
        server = cls(arguments, directory, directory / "log.jsonl")
        greeting = server._read_greeting()
        server.origin = _find(r"Dashboard\s+(http://localhost:\d+)/", greeting)
        server.ada = Person(
            "Ada", _find(r"E-mail\s+(\S+)", greeting), _find(r"Password\s+(\S+)", greeting)
        )
        server.ada_key = _find(r"Bearer (\S+)\"", greeting)
        return server

    @classmethod
    def serve(cls, directory: Path, *options: str) -> KeybearerProcess:
        """`keybearer serve` over the directory of a demonstration, beside it or after it."""
        log = directory / "serve-log.jsonl"
        arguments = ["serve", "--address", "127.0.0.1:0", "--log-format", "json", *store_options(directory), *options]
        server = cls(arguments, directory, log)

        def port() -> str | None:
            assert server._process.poll() is None, f"serve ended early:\n{log.read_text()}"
            found = re.search(r'"message":"Listening\.","port":"(\d+)"', log.read_text())
            return found and found.group(1)

        eventually(lambda: port() is not None, "serve did not start", START_SECONDS)
        server.origin = f"http://localhost:{port()}"
        return server

    def _read_greeting(self) -> str:
        alarm = threading.Timer(START_SECONDS, self._process.kill)
        alarm.start()
        text = ""
        try:
            for line in self._process.stdout:
                text += line
                if "Stop with" in line:
                    return text
        finally:
            alarm.cancel()
        raise AssertionError(f"The server did not start.\n{text}\n{self.log}")

    @property
    def log(self) -> str:
        """What the server wrote to standard error."""
        return self._log_path.read_text()

    def stop(self) -> None:
        """Asks the server to stop; it must end by itself, cleanly, without an error or a key in its log."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError("The server did not stop on SIGTERM.") from None
        finally:
            self._process.stdout.close()
            self._log.close()
        assert code == 0, f"The server ended with {code}.\n{self.log}"
        assert not KEY_SHAPE.search(self.log), "A Secret Key is in the log."
        assert self.may_log_errors or '"level":"error"' not in self.log, self.log

    @contextmanager
    def without_writes(self) -> Iterator[None]:
        """Keeps the database's one place for a writer taken: pages can be read, and nothing can be changed."""
        database = sqlite3.connect(self.directory / "keybearer.db", isolation_level=None, timeout=15)
        try:
            database.execute("BEGIN IMMEDIATE")
            yield
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
            database.close()

    # The command line beside the server

    def cli(self, *arguments: str, stdin: str | None = None) -> str:
        """Runs a command over the server's database and answers its standard output."""
        done = subprocess.run(
            [str(BINARY), *arguments, *store_options(self.directory)],
            input=stdin, capture_output=True, text=True, timeout=30, env=ENVIRONMENT,
        )
        assert done.returncode == 0, f"keybearer {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def key_of(self, email: str) -> str:
        """The account's Secret Key."""
        key = self.cli("key", "show", email).strip()
        assert KEY_SHAPE.fullmatch(key)
        return key

    def workspaces_of(self, email: str) -> list[dict]:
        """The account's workspaces: `id`, `name`, `role` and `plan` of each."""
        return json.loads(self.cli("user", "show", email, "--json"))["workspaces"]

    # Plain HTTP

    def request(
        self, method: str, path: str, fields: dict[str, str] | None = None, form: dict[str, str] | None = None,
        cookie: str | None = None,
    ) -> Answer:
        """One request with exactly these header fields, on a connection of its own."""
        fields = dict(fields or {})
        body = None
        if form is not None:
            body = urlencode(form)
            fields["Content-Type"] = "application/x-www-form-urlencoded"
        if cookie is not None:
            fields["Cookie"] = f"__Host-keybearer={cookie}"
        connection = http.client.HTTPConnection(self.origin.removeprefix("http://"), timeout=15)
        try:
            connection.request(method, path, body=body, headers=fields)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)
        finally:
            connection.close()

    def post(self, path: str, form: dict[str, str], cookie: str | None = None, **fields: str) -> Answer:
        """A form as a page of the server sends it."""
        return self.request("POST", path, {"Sec-Fetch-Site": "same-origin", **fields}, form, cookie)

    def call_api(self, key: str) -> Answer:
        """The documented call, with the key as a Bearer token."""
        request = urllib.request.Request(
            f"{self.origin}/api/v1/me", headers={"Authorization": f"Bearer {key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return _answer(answer.status, answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return _answer(refusal.code, refusal)

    def sign_up(self, name: str, email: str | None = None) -> Person:
        """Makes an account over HTTP."""
        person = Person(name, email or f"{name.lower()}@example.com", "a long enough secret")
        answer = self.post("/sign-up", {"name": name, "email": person.email, "password": person.password})
        assert answer.status == 303, answer.body
        return person

    def sign_in(self, person: Person) -> str:
        """Starts a session over HTTP and answers the value of its cookie."""
        answer = self.post("/sign-in", {"email": person.email, "password": person.password})
        assert answer.status == 303, answer.body
        return _find(r"__Host-keybearer=([^;]+)", answer.fields["set-cookie"])


def store_options(directory: Path) -> list[str]:
    """Where a demonstration keeps its data, as options."""
    return ["--database", str(directory / "keybearer.db"), "--master-key-file", str(directory / "keybearer.keys")]


def _answer(status: int, answer) -> Answer:
    fields = {name.lower(): value for name, value in answer.headers.items()}
    return Answer(status, fields, answer.read().decode())


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in: {text}"
    return found.group(1)
