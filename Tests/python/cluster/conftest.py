"""Fixtures: one set of three nodes for all tests that leave it whole, and what is printed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from cluster.stage import Stage
from harness import postgres
from harness.programs import keybearer_program, missing

def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if problem := missing(keybearer_program()):
        pytest.exit(problem, returncode=3)
    try:
        postgres.programs()
    except AssertionError as problem:
        pytest.exit(str(problem), returncode=3)


def pytest_terminal_summary(terminalreporter) -> None:
    # From whichever process a test ran in.
    for reports in terminalreporter.stats.values():
        ended = [one for one in reports if getattr(one, "when", None) == "call"]
        for name, line in (each for one in ended for each in one.user_properties):
            if name == "report":
                terminalreporter.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line at the end of the run: what was measured, which no test judges."""
    return lambda line: request.node.user_properties.append(("report", line))


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.close()


@pytest.fixture(autouse=True)
def ready_stage(request: pytest.FixtureRequest) -> None:
    """A test that uses the shared nodes finds all of them ready."""
    if "stage" in request.fixturenames:
        request.getfixturevalue("stage").repair()
