"""The servers of the browser's tests: `keybearer demo`, and `keybearer serve` on the same data."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from browser.place import Place
from harness.accounts import Person
from harness.command_line import CommandLine
from harness.dashboard_client import DashboardClient
from harness.demonstration import read_greeting
from harness.keybearer import KeybearerServer
from harness.processes import Program


class DashboardServer(DashboardClient, KeybearerServer):
    """A running server. Start it with `demo` or `serve`; `stop` ends it and checks how it ended."""

    # The demonstration's account, and its key.
    ada: Person
    ada_key: str

    def __init__(self, directory: Path, log: Path, settings: tuple[str, ...], place: Place | None = None):
        self.directory = directory
        self.database = directory / "keybearer.db"
        commands = CommandLine(self.database, directory / "keybearer.keys")
        KeybearerServer.__init__(self, commands, log, settings)
        DashboardClient.__init__(self, self.origin)
        self._place = place
        self._reach(self.origin)
        # What its pages call the product.
        self.product = "Keybearer" if place is None else place.product
        # Set by tests that take the database away.
        self.may_log_errors = False

    @classmethod
    def demo(cls, directory: Path, *options: str, port: int = 0, place: Place | None = None) -> DashboardServer:
        """`keybearer demo`, as a newcomer starts it."""
        directory.mkdir(parents=True, exist_ok=True)
        server = cls(directory, directory / "log.jsonl", options, place)
        server._start_demo(port)
        return server

    @classmethod
    def serve(cls, directory: Path, *options: str, place: Place | None = None) -> DashboardServer:
        """`keybearer serve` on the data of a demonstration, beside it or after it."""
        server = cls(directory, directory / "serve-log.jsonl", options, place)
        server.start()
        return server

    def _start_demo(self, port: int) -> None:
        # The key is in it, so it is no part of the log.
        output = self.directory / "greeting"
        arguments = [
            self.commands.binary, "demo", "--directory", str(self.directory), "--port", str(port), "--log-format",
            "json", *self.settings,
        ]
        self.program = Program(arguments, self.log_path, output=output, environment=self.environment)
        greeting = self.program.wait_until(lambda: read_greeting(output.read_text()), "it greeted")
        self._reach(greeting.origin)
        self.ada, self.ada_key = greeting.person, greeting.key

    def fill_usage(self) -> None:
        """Counts of the last weeks, as if Ada's requests of that time had been counted."""
        with sqlite3.connect(self.database, timeout=10) as database:
            user, key = database.execute(
                "SELECT user_id, key_id FROM api_keys JOIN users ON id = user_id WHERE email = ?", (self.ada.email,)
            ).fetchone()
            now = time.time_ns() // 1_000_000
            quarter = 15 * 60 * 1_000
            present = now - now % quarter
            outcomes = [
                ("admitted", 97, 13), ("rate_limited", 11, 7), ("feature_locked", 3, 29), ("not_a_member", 2, 31),
                ("address_not_allowed", 2, 23),
            ]
            rows = [
                (user, present - step * quarter, key, outcome, (step * factor) % 37 * size // 37 + 1)
                for outcome, size, factor in outcomes
                for step in range(0, 26 * 96, 1 if outcome == "admitted" else 5)
            ]
            database.executemany("INSERT OR REPLACE INTO usage_counts VALUES (?, ?, ?, ?, ?)", rows)
        database.close()

    def _reach(self, origin: str) -> None:
        """Requests go to the server itself; a browser goes where the place is."""
        self.origin, self.address = origin, origin.removeprefix("http://")
        if self._place is not None:
            self.origin, self.cookie_name = self._place.url, self._place.cookie_name
            self.headers, self.environment = self._place.headers, self._place.environment

    def beside_the_browser(self, url: str) -> tuple[str, str]:
        """A URL of the server for others than the browser, who alone knows where the product's host is; and its `Host`."""
        host = urlsplit(url).netloc
        return (url if self._place is None else url.replace(host, self._place.address, 1), host)

    def path(self, local: str) -> str:
        """A path of the server as its clients see it."""
        return (self._place.base if self._place is not None else "") + local

    def stop(self) -> None:
        """Asks the server to stop; it must end by itself, cleanly, without an error or a key in its log."""
        super().stop()
        assert self.may_log_errors or '"level":"error"' not in self.log, self.log

    @contextmanager
    def without_writes(self) -> Iterator[None]:
        """Holds the database's one place for a writer: pages can be read, and nothing can be changed."""
        database = sqlite3.connect(self.database, isolation_level=None, timeout=15)
        try:
            database.execute("BEGIN IMMEDIATE")
            yield
        finally:
            if database.in_transaction:
                database.execute("ROLLBACK")
            database.close()
