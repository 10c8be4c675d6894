"""Users with keys that they have already come from a file (`keybearer user import`), beside a server that runs.

The import is killed in the middle and run again; with KEYBEARER_TEST_LONG there are 100,000 users. And it goes on beside a
flood of invented tokens, while the server misses it, and after a rotation.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from harness.http_client import request
from harness.keybearer import KeybearerServer
from harness.programs import ENVIRONMENT
from harness.waiting import eventually

COUNT = 100_000 if os.environ.get("KEYBEARER_TEST_LONG") else 3_000
# How many of the keys are sent to the server.
SENT = 50


def token(number: int) -> str:
    """A key as another program may have made it."""
    return f"legacy-{number:08d}-abcdefghij"


def users(server: KeybearerServer) -> int:
    """How many accounts there are."""
    return int(server.commands.attempt("user", "list", "--limit", "1").stderr.split()[-1])


def outcome(server: KeybearerServer, key: str) -> str:
    """What a request with a key gets; the users' plan is one without the API."""
    response = request(f"127.0.0.1:{server.port}", "/api/v1/me", headers={"Authorization": f"Bearer {key}"})
    return f"{response.status} {response.json['error']}"


def start(server: KeybearerServer, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [server.commands.binary, "user", "import", str(file), *server.commands.store], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )


def test_an_import_that_was_killed_goes_on(server: KeybearerServer, tmp_path: Path, engine: str, report) -> None:
    file = tmp_path / "users.csv"
    rows = (f"user{number}@example.com,User {number},user-{number},{token(number)}\n" for number in range(COUNT))
    file.write_text("email,name,externalId,key\n" + "".join(rows))
    file.chmod(0o600)
    before = users(server)
    first = start(server, file)
    eventually(lambda: users(server) > before, "the import had begun", 60)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    kept = users(server) - before
    assert 0 < kept < COUNT

    began = time.monotonic()
    again = start(server, file)
    _, problems = again.communicate(timeout=1_200)
    seconds = time.monotonic() - began
    assert again.returncode == 0, problems
    assert users(server) - before == COUNT
    report(f"{engine}: {COUNT - kept} users with their keys imported in {seconds:.1f} s, {kept} before a kill")

    step = COUNT // SENT
    sent = [token(number) for number in range(0, COUNT, step)]
    assert {outcome(server, key) for key in sent} == {"403 FEATURE_LOCKED"}
    # One that nobody imported, and one that was imported and is replaced.
    assert outcome(server, token(COUNT)) == "401 UNAUTHORIZED"
    new = server.commands.run("key", "regenerate", "user0@example.com").split()[0]
    assert outcome(server, token(0)) == "401 UNAUTHORIZED" and outcome(server, new) == "403 FEATURE_LOCKED"
    # A third run revives nothing and says so, and a restart forgets nothing.
    third = start(server, file)
    _, problems = third.communicate(timeout=1_200)
    refused = [line for line in problems.splitlines() if "line 2" in line]
    assert third.returncode == 65 and len(refused) == 1 and token(0) not in problems, problems
    server.stop()
    server.start()
    assert users(server) - before == COUNT
    assert outcome(server, token(0)) == "401 UNAUTHORIZED" and outcome(server, new) == "403 FEATURE_LOCKED"
    assert {outcome(server, key) for key in sent[1:]} == {"403 FEATURE_LOCKED"}


def import_few(server: KeybearerServer, file: Path, numbers: range) -> None:
    """Fails where one row is refused."""
    rows = (f"few{number}@example.com,User {number},few-{number},{token(number)}\n" for number in numbers)
    file.write_text("email,name,externalId,key\n" + "".join(rows))
    server.commands.run("user", "import", str(file))


def test_imported_keys_pass_whatever_happens_around_them(server: KeybearerServer, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    locked, unknown = "403 FEATURE_LOCKED", "401 UNAUTHORIZED"
    import_few(server, file, range(10))
    assert outcome(server, token(0)) == locked

    # Others at the same address send what is no key. Who has an imported key gets in all the same, cached or not.
    outcomes = [outcome(server, f"invented-{number}-abcdefghij") for number in range(101)]
    assert outcomes == [unknown] * 100 + ["429 RATE_LIMITED"]
    assert [outcome(server, token(number)) for number in range(5)] == [locked] * 5

    # Stopped for longer than its lease, the server misses an import.
    with server.suspended():
        import_few(server, file, range(10, 20))
    eventually(lambda: outcome(server, token(19)) == locked, "the server had its lease again", 20)
    assert [outcome(server, token(number)) for number in range(20)] == [locked] * 20

    # Rows that are there are done, whatever master key their digests stand under.
    for _ in range(2):
        server.commands.run("master-key", "rotate")
        import_few(server, file, range(20))
        assert [outcome(server, token(number)) for number in range(20)] == [locked] * 20
