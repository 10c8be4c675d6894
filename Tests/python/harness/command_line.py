"""Keybearer's commands on one database, beside its servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from harness import cleanup
from harness.accounts import KEY_PATTERN, Account
from harness.programs import ENVIRONMENT, keybearer_program
from harness.waiting import Failure

# The account that comes with a new database.
OPERATOR = "operator@example.com"


class CommandLine:
    """Runs commands on a database. What must succeed fails with what the command wrote to standard error."""

    def __init__(
        self, database: str | Path, master_keys: Path, options: Iterable[str] = (), binary: str | Path | None = None
    ):
        """- options: what each command gets besides."""
        self.binary = str(binary or keybearer_program())
        self._database, self._master_keys = database, master_keys
        # Where the data is, as options of every command and of `serve`.
        self.store = ["--database", str(database), "--master-key-file", str(master_keys), *options]
        self._accounts = 0

    def attempt(self, *arguments: str, seconds: float = 90) -> subprocess.CompletedProcess[str]:
        """Runs a command that may fail."""
        return subprocess.run(
            [self.binary, *arguments, *self.store], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=seconds, env=ENVIRONMENT,
        )

    def run(self, *arguments: str) -> str:
        """Runs a command that must succeed, and returns its standard output."""
        done = self.attempt(*arguments)
        if done.returncode != 0:
            raise Failure(f"keybearer {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def json(self, *arguments: str) -> dict | list:
        """The same of a command that prints JSON."""
        return json.loads(self.run(*arguments, "--json"))

    # The files of a new deployment, by the program that made them.
    _new: dict[str, tuple[Path, Path]] = {}

    def create_database(self) -> None:
        """Makes the tables, the master keys and an account for the operator.

        A database that is a file is made once and then copied, since it takes the hash of a password: all copies have
        the same operator and the same master keys.
        """
        if not isinstance(self._database, Path):
            self._initialise()
            return
        if self.binary not in self._new:
            directory = cleanup.temporary_directory()
            files = (directory / "keybearer.db", directory / "keybearer.keys")
            CommandLine(*files, binary=self.binary)._initialise()
            self._new[self.binary] = files
        for made, wanted in zip(self._new[self.binary], (self._database, self._master_keys)):
            assert not wanted.exists()
            shutil.copy(made, wanted)

    def _initialise(self) -> None:
        self.run("init", "--email", OPERATOR, "--generate-password")

    def create_plan(self, name: str, hourly_limit: int) -> None:
        """A plan with the API and a limit of its own."""
        self.run("plan", "put", name, "--name", name, "--hourly-limit", str(hourly_limit), "--feature", "api_webhooks")

    def create_account(self, plan: str = "pro") -> Account:
        """An account nobody has used, whose only workspace is on the plan."""
        self._accounts += 1
        email = f"account{self._accounts}@example.com"
        self.create_user(email, f"Account {self._accounts}")
        return self.account(email, plan)

    def create_user(self, email: str, name: str = "Account") -> None:
        """An account on the plan of new ones: one command instead of four."""
        self.run("user", "create", email, "--name", name, "--generate-password")

    def account(self, email: str, plan: str) -> Account:
        """An account that is there already, moved to the plan."""
        shown = self.show(email)
        workspace = shown["workspaces"][0]["id"]
        self.run("workspace", "set-plan", workspace, plan)
        return Account(shown["id"], email, self.key_of(email), shown["key"]["prefix"], workspace, plan)

    def show(self, email: str) -> dict:
        """What `user show` prints of an account."""
        return self.json("user", "show", email)

    def key_of(self, email: str) -> str:
        """The account's Secret Key."""
        key = self.run("key", "show", email).strip()
        assert KEY_PATTERN.fullmatch(key)
        return key

    def workspaces_of(self, email: str) -> list[dict]:
        """The account's workspaces: `id`, `name`, `role` and `plan` of each."""
        return self.show(email)["workspaces"]

    def make_service_account(self, workspace: str, name: str) -> str:
        """Makes a service account in a workspace; returns its id."""
        return self.run("service-account", "create", workspace, "--name", name).strip()

    def last_used_ip(self, email: str) -> str | None:
        """The address that the key's last use came from; None until it has been recorded."""
        return self.show(email)["key"].get("lastUsedIp")
