"""The API does what its OpenAPI document says: schemathesis, with all of its checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from api.api_server import APIServer
from harness.programs import ENVIRONMENT, REPOSITORY

# The checks that Keybearer does not satisfy, and why. Nothing else is left out.
EXCEPTIONS: dict[str, str] = {}
# Those of the operator API, all of them.
OPERATIONS = 62
# The fourth phase, "stateful", follows the links of a document. Ours has none: programs know their own ids.
PHASES = "examples,coverage,fuzzing"
# Another one makes other requests.
SEED = os.environ.get("API_TEST_SEED", "7")


def test_document(server: APIServer, tmp_path: Path) -> None:
    """Every request gets a response that the document describes, and every operation of the operator API succeeds."""
    responses = tmp_path / "responses"
    arguments = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json",
        "--checks", "all", "--phases", PHASES, "--max-examples", "10", "--seed", SEED,
        "--continue-on-failure", "--no-color",
    ]
    if EXCEPTIONS:
        arguments += ["--exclude-checks", ",".join(EXCEPTIONS)]
    environment = {
        **ENVIRONMENT, "SCHEMATHESIS_HOOKS": "api.hooks", "PYTHONPATH": str(REPOSITORY / "Tests/python"),
        "API_TEST_DATA": str(server.log_path.parent), "API_TEST_ADDRESS": f"127.0.0.1:{server.port}",
        "API_TEST_RESPONSES": str(responses),
    }
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    statuses = defaultdict(set)
    for line in responses.read_text().splitlines():
        operation, status = line.rsplit(" ", 1)
        statuses[operation].add(int(status))
    operator = [operation for operation in statuses if "/operator/" in operation]
    assert len(operator) >= OPERATIONS, operator
    never = [operation for operation in operator if not statuses[operation] & {200, 204}]
    assert not never, f"These never succeeded: {never}"
