"""A server whose API is tested against its OpenAPI document, and the credentials for it."""

from __future__ import annotations

from pathlib import Path

from harness.accounts import Account
from harness.command_line import CommandLine
from harness.keybearer import KeybearerServer

# More than a run can use up: a 429 in the middle would say nothing about the operation under test.
HOURLY_LIMIT = 1_000_000
PLAN = "api"
# Where portal links may lead back.
RETURN_URL = "https://product.example/settings"
# All that an operator token can be good for.
SCOPES = (
    "audit:read", "events:publish", "introspect", "keys:import", "keys:lookup", "keys:regenerate", "keys:reveal",
    "plans:write", "portal", "quota:reset", "usage:read", "users:identity", "users:read", "users:write",
    "webhooks:write", "workspaces:read", "workspaces:write",
)


class APIServer(KeybearerServer):
    """Has the route that replaces a key, and a place to which portal links lead back."""

    def __init__(self, directory: Path):
        directory.mkdir(parents=True)
        commands = CommandLine(directory / "keybearer.db", directory / "keybearer.keys")
        settings = ["--regenerate-by-key", "open", "--portal-return-urls", RETURN_URL]
        super().__init__(commands, directory / "log.jsonl", settings)
        commands.create_database()
        commands.create_plan(PLAN, HOURLY_LIMIT)


class Credentials:
    """A live credential for each path. The paths that end a key have an account each, so that they end no other's."""

    def __init__(self, commands: CommandLine):
        self._commands = commands
        self._operator_token: str | None = None
        self._accounts: dict[str, Account] = {}
        self._keys: dict[str, str] = {}

    def credential(self, path: str) -> str:
        """The operator token, or the key of the path's account as it is now."""
        if path.startswith("/operator/"):
            return self.operator_token()
        user = self._user(path)
        if user not in self._accounts:
            self._accounts[user] = self._commands.create_account(PLAN)
            self._keys[user] = self._accounts[user].key
        if user not in self._keys:
            self._keys[user] = self._commands.key_of(self._accounts[user].email)
        return self._keys[user]

    def operator_token(self) -> str:
        """A token with every scope."""
        if self._operator_token is None:
            scopes = [part for scope in SCOPES for part in ("--scope", scope)]
            self._operator_token = self._commands.run("operator-token", "create", "tests", *scopes).split()[-1]
        return self._operator_token

    def ended(self, path: str) -> None:
        """A request to the path succeeded: if that ends its key, the next one is looked up."""
        if self._user(path):
            self._keys.pop(path, None)

    @staticmethod
    def _user(path: str) -> str:
        return path if path.startswith("/api/v1/key/") else ""
