"""Fixtures: a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.api_server import APIServer
from harness.programs import keybearer_program, missing


def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if problem := missing(keybearer_program()):
        pytest.exit(problem, returncode=3)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[APIServer]:
    server = APIServer(tmp_path / "data")
    server.start()
    yield server
    server.stop()
