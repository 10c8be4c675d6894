"""The dashboard of a deployment that has grown: 10,000 members in a workspace, 10,000 workspaces (50 of one account), a
million audit events, a million deliveries of webhooks and two years of usage. What each page takes is printed; four times
the 100 ms that a page may take is the bound.

Without KEYBEARER_TEST_LONG there is a tenth of the members and workspaces, a twentieth of the events and deliveries, and a
tenth of the usage.
"""

from __future__ import annotations

import os
import re
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from harness import postgres
from harness.dashboard_client import DashboardClient
from harness.keybearer import KeybearerServer
from harness.programs import ENVIRONMENT
from harness.waiting import eventually

LONG = bool(os.environ.get("KEYBEARER_TEST_LONG"))
MEMBERS = 10_000 if LONG else 1_000
WORKSPACES = 10_000 if LONG else 1_000
EVENTS = 1_000_000 if LONG else 50_000
QUARTERS = 2 * 365 * 96 if LONG else 73 * 96
# Each has a tenth of the deliveries.
WEBHOOKS = 10
# Those of the one account that has many.
OWN = 50
# What a page may take, in seconds: four times what we aim at.
BOUND = 0.4
ROUNDS = 5


class Rows:
    """Adds rows to a database that no server uses, as the engine's own client does."""

    def __init__(self, engine: str, database: str):
        self._is_sqlite = engine == "SQLite"
        self._database = database

    def _numbers(self, count: int) -> str:
        """Rows n(i) from 1 to the count."""
        if self._is_sqlite:
            return f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        return f"WITH n AS (SELECT i FROM generate_series(1, {count}) AS i)"

    def _bytes(self, count: int) -> str:
        return f"randomblob({count})" if self._is_sqlite else f"substr(sha256((i || 'salt')::bytea), 1, {count})"

    def _run(self, statements: list[str]) -> None:
        if self._is_sqlite:
            connection = sqlite3.connect(self._database, isolation_level=None)
            connection.execute("BEGIN")
            for statement in statements:
                connection.execute(statement)
            connection.execute("COMMIT")
            connection.execute("ANALYZE")
            connection.close()
            return
        text = "BEGIN;\n" + ";\n".join(statements) + ";\nCOMMIT;\nANALYZE;\n"
        done = subprocess.run(
            [postgres.programs() / "psql", self._database, "-X", "-q", "-v", "ON_ERROR_STOP=1"],
            input=text, capture_output=True, text=True, timeout=600, env=ENVIRONMENT)
        assert done.returncode == 0, done.stderr

    def fill(self, user: str, workspace: str, webhooks: list[str], now: int) -> None:
        """Makes the account's deployment a large one.

        - now: milliseconds since the epoch.
        """
        false = "0" if self._is_sqlite else "false"
        quarter = 900_000
        last = now // quarter * quarter
        many = self._numbers(MEMBERS)
        self._run([
            f"""
            INSERT INTO users (id, email, name, status, is_operator, password_hash, created_at)
            {many} SELECT 'usr_many' || i, 'many' || i || '@example.com', 'Many ' || i, 'active', {false},
                '$scrypt$ln=17,r=8,p=1$c2FsdA$aGFzaA', {now} - i FROM n
            """,
            f"""
            INSERT INTO api_keys (user_id, key_id, version, shown_prefix, digest, master_key_id, box, generated_at)
            {many} SELECT 'usr_many' || i, 'key_many' || i, 1, 'tdc_many', {self._bytes(32)},
                (SELECT min(id) FROM master_keys), {self._bytes(30)}, {now} - i FROM n
            """,
            f"""
            INSERT INTO workspaces (id, name, plan_id, created_at)
            {self._numbers(WORKSPACES)} SELECT 'ws_many' || i, 'Many ' || i, 'pro', {now} - i FROM n
            """,
            # The first 49 belong to the account besides its own.
            f"""
            INSERT INTO memberships (workspace_id, user_id, role)
            {self._numbers(WORKSPACES)} SELECT 'ws_many' || i,
                CASE WHEN i < {OWN} THEN '{user}' ELSE 'usr_many' || (1 + i % {MEMBERS}) END, 'owner' FROM n
            """,
            f"""
            INSERT INTO memberships (workspace_id, user_id, role)
            {many} SELECT '{workspace}', 'usr_many' || i, CASE WHEN i % 10 = 0 THEN 'admin' ELSE 'member' END FROM n
            """,
            f"""
            INSERT INTO audit_events (id, at, actor, action, user_id, workspace_id)
            {self._numbers(EVENTS)} SELECT 'evt_many' || i, {now} - {EVENTS} * 1000 + i * 1000,
                CASE WHEN i % 100 = 7 THEN '{user}' ELSE 'usr_many' || (1 + i % {MEMBERS}) END,
                CASE WHEN i % 1000 = 9 THEN 'key.revoked' ELSE 'key.revealed' END,
                'usr_many' || (1 + i % {MEMBERS}), '{workspace}' FROM n
            """,
            f"""
            INSERT INTO usage_counts (user_id, quarter, key_id, outcome, count)
            {self._numbers(QUARTERS)} SELECT '{user}', {last} - CAST(i AS BIGINT) * {quarter}, 'key_many0', outcome, i
            FROM n CROSS JOIN (SELECT 'admitted' AS outcome UNION ALL SELECT 'rate_limited') AS outcomes
            """,
            f"""
            INSERT INTO webhook_messages (id, event, workspace_id, created_at, body, spread_at)
            {self._numbers(EVENTS)} SELECT 'evt_many' || i, 'member.added', '{workspace}',
                {now} - {EVENTS} * 2000 + i * 2000, {self._bytes(30)}, {now} FROM n
            """,
            *(f"""
            INSERT INTO webhook_deliveries
                (endpoint_id, message_id, event, sequence, created_at, state, attempts, attempts_before, ended_at)
            {self._numbers(EVENTS)} SELECT '{webhook}', 'evt_many' || i,
                CASE WHEN i % 10000 = {place} THEN 'plan.changed' ELSE 'member.added' END, i,
                {now} - {EVENTS} * 2000 + i * 2000,
                CASE WHEN i % 1000 = {place} THEN 'failed' ELSE 'delivered' END, 1, 0, {now}
            FROM n WHERE i % {WEBHOOKS} = {place}
            """ for place, webhook in enumerate(webhooks)),
        ])


def shown(path: str, workspace: str, user: str, webhook: str) -> str:
    return path.replace(workspace, "{workspace}").replace(user, "{user}").replace(webhook, "{webhook}")


def seal(server: KeybearerServer) -> None:
    """Waits until all events have their seals, so that nothing is measured beside it. The command seals too: on a slow
    machine it may wait for longer than it does for the server, which seals the same."""
    def sealed() -> int:
        done = server.commands.attempt("audit", "head", seconds=1_500)
        assert done.returncode in (0, 69), done.stderr
        return int(done.stdout.split(":")[0]) if done.returncode == 0 else 0

    eventually(lambda: sealed() >= EVENTS, "all events have their seals", seconds=1_500)


@pytest.fixture
def grown(server: KeybearerServer, engine: str, database: str) -> Iterator[tuple[DashboardClient, str, str, str, str]]:
    """The dashboard of a large deployment, a session of the account that has much in it, the account's id, the
    workspace with the members, and one of its webhooks."""
    client = DashboardClient(server.origin)
    person = client.sign_up("Ada")
    shown = server.commands.show(person.email)
    user, workspace = shown["id"], shown["workspaces"][0]["id"]
    server.commands.run("workspace", "set-plan", workspace, "pro")
    cookie = client.sign_in(person)
    webhooks = [
        server.commands.json(
            "webhook", "add", f"Hooks {number}", "https://1.1.1.1/", "--event", "member.added", "--workspace", workspace
        )["id"] for number in range(WEBHOOKS)]
    server.stop()
    Rows(engine, database).fill(user, workspace, webhooks, int(time.time() * 1000))
    server.start()
    seal(server)
    yield client, cookie, user, workspace, webhooks[-1]


def test_every_page_of_a_large_deployment(
    grown: tuple[DashboardClient, str, str, str, str], engine: str, report: Callable[[str], None]
) -> None:
    client, cookie, user, workspace, webhook = grown
    place = f"/workspaces/{workspace}"
    activity = f"{place}/activity"
    older = client.request("GET", activity, cookie=cookie).text
    cursor = re.search(r"cursor=([^\"&]+)", older)[1]
    deliveries = f"{place}/webhooks/{webhook}"
    next_ones = re.search(r"after=([^\"#&]+)", client.request("GET", deliveries, cookie=cookie).text)[1]
    pages = [
        f"{place}/api-webhooks", f"{place}/api-webhooks/record", f"{place}/team", f"{place}/team?page=10",
        f"{place}/team?q=many%209", f"{place}/plans", f"{place}/settings", "/workspaces/new", activity,
        f"{activity}?cursor={cursor}", f"{activity}?who={user}", f"{activity}?who=usr_many{MEMBERS // 2}",
        f"{activity}?what=key.revoked",
        f"{activity}?who={user}&what=key.revoked", f"{activity}?since=2020-01-01", "/account", "/account/activity",
        *(f"{place}/api-webhooks/usage?range={range}&timeZone=Europe/Berlin" for range in ("24h", "30d", "12m")),
        f"{place}/api-webhooks/usage.csv?range=12m&timeZone=Europe/Berlin", f"{place}/webhooks", deliveries,
        f"{deliveries}?after={next_ones}", f"{deliveries}?state=failed", f"{deliveries}?event=plan.changed",
        f"{deliveries}?event=plan.changed&state=failed", f"{deliveries}?state=locked",
    ]
    slow = []
    for path in pages:
        seconds = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            response = client.request("GET", path, cookie=cookie)
            seconds.append(time.monotonic() - began)
            assert response.status == 200, f"{path}: {response.status}"
        assert ".csv" in path or len(response.body) < 60_000, f"{path}: {len(response.body)} bytes"
        median = statistics.median(seconds)
        report(f"{engine}: {shown(path, workspace, user, webhook)}: {median * 1000:.0f} ms, "
               f"{len(response.body)} bytes")
        if median > BOUND:
            slow.append(f"{path}: {median:.2f} s")
    assert not slow, slow
