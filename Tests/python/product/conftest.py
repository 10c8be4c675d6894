"""Fixtures: a real server on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import postgres
from harness.command_line import CommandLine
from harness.keybearer import KeybearerServer
from harness.programs import keybearer_program, missing


def pytest_configure() -> None:
    """What the tests need is there, or they fail; nothing is skipped."""
    if problem := missing(keybearer_program()):
        pytest.exit(problem, returncode=3)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def database(engine: str, tmp_path: Path) -> Iterator[str]:
    """Where the data is."""
    if engine == "SQLite":
        yield str(tmp_path / "keybearer.db")
        return
    server = postgres.PostgresServer().make()
    yield f"postgres://{postgres.USER}@127.0.0.1:{server.port}/{postgres.DATABASE}"
    server.stop()


@pytest.fixture
def server(database: str, tmp_path: Path) -> Iterator[KeybearerServer]:
    commands = CommandLine(database, tmp_path / "keybearer.keys")
    commands.create_database()
    server = KeybearerServer(
        commands, tmp_path / "log.jsonl", ["--portal-return-urls", "https://product.example/settings"])
    server.start()
    yield server
    server.stop()


def pytest_terminal_summary(terminalreporter) -> None:
    # From whichever process a test ran in.
    for reports in terminalreporter.stats.values():
        ended = [one for one in reports if getattr(one, "when", None) == "call"]
        for name, line in (each for one in ended for each in one.user_properties):
            if name == "report":
                terminalreporter.write_line(line)


@pytest.fixture
def report(request: pytest.FixtureRequest):
    """Prints a line at the end of the run: what was measured."""
    return lambda line: request.node.user_properties.append(("report", line))
