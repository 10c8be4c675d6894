"""A batch, and a bulk request, whose server is killed in the middle (``BatchHandler``, ``BulkWrites``): the same request
to another server goes on, and nothing is lost or done twice."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.http_client import Response, request
from harness.keybearer import KeybearerServer
from harness.waiting import eventually

OPERATIONS = 500
# A kill that came behind the last transaction is tried again.
ATTEMPTS = 5


@pytest.fixture
def other(server: KeybearerServer, tmp_path: Path) -> Iterator[KeybearerServer]:
    """A second server on the same database."""
    second = KeybearerServer(server.commands, tmp_path / "other.jsonl")
    second.start()
    yield second
    second.stop()


class Program:
    """The operator's program, which sends to one server or the other."""

    def __init__(self, server: KeybearerServer):
        words = [part for scope in ("users:read", "users:write", "keys:regenerate") for part in ("--scope", scope)]
        self._token = server.commands.run("operator-token", "create", "kill", *words).split()[-1]

    def send(self, server: KeybearerServer, method: str, path: str, body: dict | None = None, key: str = "") -> Response:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        text = None if body is None else json.dumps(body)
        return request(f"127.0.0.1:{server.port}", f"/operator/v1{path}", method, headers, text, timeout=120)

    def users(self, server: KeybearerServer) -> list[dict]:
        """All users, oldest first."""
        found, cursor = [], ""
        while True:
            page = self.send(server, "GET", f"/users?limit=1000{cursor}").json
            found += page["data"]
            if not page["meta"]["hasMore"]:
                return found
            cursor = f"&cursor={page['meta']['nextCursor']}"

    def send_and_kill(
        self, server: KeybearerServer, path: str, body: dict, key: str, has_begun: Callable[[], bool]
    ) -> bool:
        """Sends a request, and kills the server when it has begun. Returns whether the request was still being done."""
        responses: list[Response] = []

        def send() -> None:
            try:
                responses.append(self.send(server, "POST", path, body, key))
            except (OSError, http.client.HTTPException):
                pass

        sender = threading.Thread(target=send)
        sender.start()
        eventually(has_begun, "the request had begun", 60)
        server.kill()
        sender.join()
        return not responses


def batch(attempt: int) -> dict:
    """Users that are new."""
    return {
        "operations": [
            {"method": "POST", "path": "/users", "body": {"email": f"u{attempt}.{n}@example.com", "name": f"User {n}"}}
            for n in range(OPERATIONS)
        ]
    }


def test_a_batch_goes_on_at_another_server(server: KeybearerServer, other: KeybearerServer) -> None:
    program = Program(server)
    before = len(program.users(other))
    for attempt in range(1, ATTEMPTS + 1):
        body, key = batch(attempt), f"night-{attempt}"
        seen = before + (attempt - 1) * OPERATIONS
        is_cut = program.send_and_kill(server, "/batch", body, key, lambda: len(program.users(other)) > seen)
        made = {user["id"] for user in program.users(other)}
        again = program.send(other, "POST", "/batch", body, key)
        assert again.status == 200
        results = again.data["results"]
        assert [result["status"] for result in results] == [200] * OPERATIONS
        users = program.users(other)
        assert len(users) == seen + OPERATIONS, "nothing was lost or made twice"
        ids = [result["body"]["data"]["id"] for result in results]
        assert len(set(ids)) == OPERATIONS
        assert made <= {user["id"] for user in users}, "what was made stays"
        server.start()
        if is_cut and len(made) < seen + OPERATIONS:
            return
    pytest.fail(f"in {ATTEMPTS} attempts no kill came in the middle")


def test_a_bulk_request_goes_on_at_another_server(server: KeybearerServer, other: KeybearerServer) -> None:
    program = Program(server)
    assert program.send(other, "POST", "/batch", batch(0)).status == 200
    users = len(program.users(other))
    body = {"filter": {"plan": "free"}, "dryRun": False}
    assert program.send(other, "POST", "/bulk/regenerate", body | {"dryRun": True}).data["count"] == users

    def prefixes() -> dict[str, str]:
        return {user["id"]: user["key"]["generatedAt"] for user in program.users(other)}

    for attempt in range(1, ATTEMPTS + 1):
        before = prefixes()
        key = f"leak-{attempt}"
        is_cut = program.send_and_kill(
            server, "/bulk/regenerate", body, key, lambda: prefixes() != before)
        middle = prefixes()
        done = sum(middle[user] != before[user] for user in before)
        again = program.send(other, "POST", "/bulk/regenerate", body, key)
        assert again.status == 200
        assert again.data | {"hasMore": False} == {
            "dryRun": False, "count": users - done, "repeated": done, "skipped": 0, "hasMore": False,
            "nextCursor": None,
        }
        after = prefixes()
        assert all(after[user] != before[user] for user in before), "each key is new"
        assert all(after[user] == middle[user] for user in before if middle[user] != before[user]), "and made once"
        server.start()
        if is_cut and done < users:
            return
    pytest.fail(f"in {ATTEMPTS} attempts no kill came in the middle")
