"""The product of examples/product, in front of a real server: from 10,000 users without keys to a leaked one that is
ended."""

from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import parse_qs, urlsplit

import pytest

from harness import postgres
from harness.command_line import CommandLine
from harness.http_client import request
from harness.keybearer import KeybearerServer
from harness.programs import ENVIRONMENT, REPOSITORY

PRODUCT = REPOSITORY / "examples/product/product.py"
SCOPES = ["users:read", "users:write", "workspaces:write", "keys:lookup", "keys:regenerate", "portal"]
USERS = 10_000
# What provisioning may take by a debug build, on a slow machine beside other tests: three times what we aim at.
SECONDS = 180


def product(server: KeybearerServer, token: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example as a module, set up as its usage says."""
    monkeypatch.setenv("OPERATOR_TOKEN", token)
    monkeypatch.setattr("sys.argv", [str(PRODUCT), f"http://127.0.0.1:{server.port}"])
    spec = importlib.util.spec_from_file_location("product", PRODUCT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def operator_token(commands: CommandLine) -> str:
    scopes = [part for scope in SCOPES for part in ("--scope", scope)]
    return commands.run("operator-token", "create", "product", *scopes).split()[-1]


def verdict(server: KeybearerServer, key: str) -> int:
    """What a request with the key is answered."""
    return request(f"127.0.0.1:{server.port}", "/api/v1/me", headers={"Authorization": f"Bearer {key}"}).status


def test_the_product_is_short() -> None:
    assert len(PRODUCT.read_text().splitlines()) <= 60


def test_the_whole_way(
    server: KeybearerServer, engine: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    report: Callable[[str], None],
) -> None:
    commands = server.commands
    shop = product(server, operator_token(commands), monkeypatch)
    users = [{"id": f"u{n}", "email": f"user{n}@example.com", "name": f"User {n}"} for n in range(USERS)]

    begun = time.monotonic()
    shop.provision(users)
    seconds = time.monotonic() - begun
    plain = plain_inserts(engine, database, tmp_path)
    report(f"{engine}: {USERS / seconds:,.0f} users a second by batch, {USERS / plain:,.0f} by plain INSERTs")
    assert seconds < SECONDS
    assert shop.call("GET", "/users/ext:u9999")["email"] == "user9999@example.com"

    # The nightly run changes nothing.
    before = shop.call("GET", "/users/ext:u7")
    shop.provision(users[:1_000])
    assert shop.call("GET", "/users/ext:u7") == before
    assert not before["hasPassword"]

    # A payment changes the next request's verdict, and so does its end.
    key = commands.key_of(before["id"])
    assert verdict(server, key) == 403
    shop.billing_event({"id": "evt-1", "type": "subscription.started", "user": "u7"})
    assert verdict(server, key) == 200
    shop.billing_event({"id": "evt-2", "type": "subscription.ended", "user": "u7"})
    assert verdict(server, key) == 403
    shop.billing_event({"id": "evt-3", "type": "subscription.started", "user": "u7"})

    # The portal link signs u7 in, once.
    link = urlsplit(shop.sign_in("u7"))
    page = request(f"127.0.0.1:{server.port}", f"{link.path}?{link.query}")
    assert page.status == 200 and "User 7" in page.text
    form = f"code={parse_qs(link.query)['code'][0]}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    entered = request(f"127.0.0.1:{server.port}", "/portal", "POST", headers, form)
    assert entered.status == 303 and entered.value("location").endswith("/api-webhooks")
    assert request(f"127.0.0.1:{server.port}", "/portal", "POST", headers, form).status == 410

    # Whose is the leaked key? The look-up is no use of it.
    used = shop.call("GET", "/users/ext:u7/key")["lastUsedAt"]
    assert shop.leaked(key) == "u7"
    assert verdict(server, key) == 401
    assert commands.show(before["id"])["key"]["lastUsedAt"] is None and used is not None
    assert shop.leaked(key) == "u7"


def plain_inserts(engine: str, database: str, directory: Path) -> float:
    """The seconds that the engine's own client takes for as many rows as 10,000 users need, one INSERT each."""
    rows = USERS * 5
    if engine == "SQLite":
        connection = sqlite3.connect(directory / "plain.db")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE plain (id TEXT PRIMARY KEY, email TEXT, name TEXT, at INTEGER)")
        begun = time.monotonic()
        for first in range(0, rows, 500):
            with connection:
                for n in range(first, first + 500):
                    connection.execute(
                        "INSERT INTO plain VALUES (?, ?, ?, ?)", (f"id{n}", f"user{n}@example.com", "User", n))
        seconds = time.monotonic() - begun
        connection.close()
        return seconds
    statements = ["CREATE TABLE plain (id text PRIMARY KEY, email text, name text, at bigint);"]
    for first in range(0, rows, 500):
        inserts = [
            f"INSERT INTO plain VALUES ('id{n}', 'user{n}@example.com', 'User', {n});" for n in range(first, first + 500)]
        statements += ["BEGIN;", *inserts, "COMMIT;"]
    script = directory / "plain.sql"
    script.write_text("\n".join(statements))
    begun = time.monotonic()
    subprocess.run(
        [postgres.programs() / "psql", database, "-X", "-q", "-f", script], check=True, timeout=120, env=ENVIRONMENT)
    return time.monotonic() - begun
