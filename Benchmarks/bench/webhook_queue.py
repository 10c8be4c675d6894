"""A server with webhooks, and its queue as the store has it: messages are put there, and what became of them is read."""

import json
import os
import re
import sqlite3
import subprocess
import time
import uuid

from harness.waiting import Failure

from .keybearer import Keybearer
from .processes import Processes
from .shared_store import Postgres

WORKSPACES = 5
ENDPOINTS_EACH = 20
SLOW, FAST = "slow.asked", "fast.asked"
# What a message says: about 600 bytes with its envelope.
OBJECT = json.dumps({"number": "4711", "note": "x" * 400})


class SQLite:
    """The file, beside the server that has it open."""

    def __init__(self, path: str):
        self.path = path

    def run(self, statement: str, rows: list[tuple] | None = None) -> list[tuple]:
        with sqlite3.connect(self.path, timeout=30) as connection:
            if rows is not None:
                connection.executemany(statement, rows)
                return []
            return connection.execute(statement).fetchall()


class PostgreSQL:
    """The same by psql."""

    def __init__(self, postgres: Postgres):
        self.postgres = postgres

    def run(self, statement: str, rows: list[tuple] | None = None) -> list[tuple]:
        if rows is None:
            return [tuple(row) for row in self.postgres.query(statement)]
        table = re.search(r"INTO (\w+) \(([^)]*)\)", statement)
        lines = "".join("\t".join("\\N" if value is None else str(value) for value in row) + "\n" for row in rows)
        copy = f"COPY {table[1]} ({table[2]}) FROM STDIN"
        done = subprocess.run(
            [self.postgres.psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.postgres.address, "-c", copy],
            input=lines, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise Failure(f"psql: {done.stderr.strip()}")
        return []


class Queue:
    """A server with a hundred webhooks in five workspaces, all but one of them fast."""

    def __init__(self, processes: Processes, binary: str, directory: str, postgres: Postgres | None):
        os.environ["KEYBEARER_WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8"
        self.is_postgres = postgres is not None
        self.server = Keybearer(processes, binary, directory, has_gate=True)
        self.server.start()
        self.server.make_accounts(WORKSPACES)
        self.workspaces = [
            self.server.commands.json("user", "show", f"account{number}@example.com")["workspaces"][0]["id"]
            for number in range(WORKSPACES)]
        for name in (SLOW, FAST):
            self.server.commands.run("event", "put", name, "For measuring.")
        self.store: SQLite | PostgreSQL = SQLite(self.server.database_file)
        self.postgres = postgres

    def add_webhooks(self, receiver: str) -> None:
        for workspace in self.workspaces:
            for number in range(ENDPOINTS_EACH):
                is_slow = workspace == self.workspaces[0] and number == 0
                self.server.commands.run(
                    "webhook", "add", f"{number}", receiver + ("/slow" if is_slow else f"/{number}"), "--event",
                    SLOW if is_slow else FAST, "--workspace", workspace, "--webhook-allowed-networks", "127.0.0.0/8")

    def move_to_postgres(self) -> None:
        """From here on everything is in PostgreSQL."""
        self.server.stop()
        moved = self.server.database_file + ".moved"
        os.rename(self.server.database_file, moved)
        done = subprocess.run(
            [self.server.binary, "migrate", "--from", f"sqlite:{moved}", "--to", self.postgres.address,
             "--master-key-file", self.server.master_keys], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failure(f"keybearer migrate: {done.stderr.strip()}")
        key = self.server.key
        self.server = Keybearer(
            self.server.processes, self.server.binary, os.path.dirname(self.server.directory), True, "on postgres",
            self.postgres.address)
        self.server.key = key
        self.store = PostgreSQL(self.postgres)

    def put(self, event: str, count: int) -> None:
        """Queues messages, in turn of each workspace; those of the slow webhook are all its workspace's."""
        now = int(time.time() * 1000)
        rows = []
        for number in range(count):
            workspace = self.workspaces[0 if event == SLOW else number % WORKSPACES]
            name = f"evt_{uuid.uuid4()}"
            body = (f'{{"id":"{name}","event":"{event}","created":"2026-01-01T00:00:00.000Z","apiVersion":"2026-05-01",'
                    f'"workspaceId":"{workspace}","siteId":null,"data":{{"object":{OBJECT}}}}}')
            data = "\\\\x" + body.encode().hex() if self.is_postgres else body.encode()
            rows.append((name, event, workspace, now, data))
        marks = ", ".join("?" * 5)
        self.store.run(
            f"INSERT INTO webhook_messages (id, event, workspace_id, created_at, body) VALUES ({marks})", rows)

    def waiting(self, event: str) -> int:
        """How many messages and deliveries of an event have not ended."""
        queries = (f"SELECT count(*) FROM webhook_deliveries WHERE event = '{event}' AND due_at IS NOT NULL",
                   f"SELECT count(*) FROM webhook_messages WHERE event = '{event}' AND spread_at IS NULL")
        return sum(int(self.store.run(query)[0][0]) for query in queries)

    def wait_until_delivered(self, event: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.waiting(event):
            if time.monotonic() > deadline:
                raise Failure(f"{self.waiting(event)} deliveries still wait after {seconds:g} s")
            time.sleep(0.25)

    def first_attempts(self, event: str, since: int) -> list[tuple[int, int, int]]:
        """Of each delivery of messages queued since a time: when it was queued, began and ended, in Unix milliseconds."""
        rows = self.store.run(
            "SELECT d.created_at, a.at, a.at + a.duration_ms FROM webhook_attempts a JOIN webhook_deliveries d "
            f"ON d.endpoint_id = a.endpoint_id AND d.message_id = a.message_id WHERE d.event = '{event}' "
            f"AND a.number = 1 AND a.status = 204 AND d.created_at >= {since}")
        return [tuple(int(value) for value in row) for row in rows]

    def forget(self) -> None:
        """Empties the queue, so that each measurement begins with the same."""
        for table in ("webhook_attempts", "webhook_deliveries", "webhook_messages"):
            self.store.run(f"DELETE FROM {table}")
