"""The API does what its OpenAPI document says: schemathesis, with all of its checks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from api.api_server import APIServer
from harness.programs import ENVIRONMENT, REPOSITORY

# The checks that Keybearer does not satisfy, and why. Nothing else is left out.
EXCEPTIONS: dict[str, str] = {}


def test_document(server: APIServer, tmp_path: Path) -> None:
    """Every request gets a response that the document describes."""
    arguments = [
        Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{server.port}/openapi.json",
        "--checks", "all", "--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--seed", "7",
        "--continue-on-failure", "--no-color",
    ]
    if EXCEPTIONS:
        arguments += ["--exclude-checks", ",".join(EXCEPTIONS)]
    environment = {
        **ENVIRONMENT, "SCHEMATHESIS_HOOKS": "api.hooks", "PYTHONPATH": str(REPOSITORY / "Tests/python"),
        "API_TEST_DATA": str(server.log_path.parent),
    }
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
