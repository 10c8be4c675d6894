"""Fixtures: one set of three nodes for all tests that leave it whole, and what is printed at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from cluster import postgres
from cluster.processes import binary
from cluster.stage import Stage

_notes: list[str] = []


def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if not os.access(binary(), os.X_OK):
        pytest.exit(f"{binary()} is missing or cannot be run.", returncode=3)
    try:
        postgres.programs()
    except AssertionError as problem:
        pytest.exit(str(problem), returncode=3)


def pytest_terminal_summary(terminalreporter) -> None:
    for note in _notes:
        terminalreporter.write_line(note)


@pytest.fixture
def tell() -> Callable[[str], None]:
    """Prints a line at the end of the run: what was measured, which no test judges."""
    return _notes.append


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(autouse=True)
def whole(request: pytest.FixtureRequest) -> None:
    """A test that uses the shared nodes finds all of them ready."""
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").mend()
